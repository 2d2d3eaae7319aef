//! Bringing pages in: what a fault means, and what is done about it.

use lsyscall_abi::Errno;
use memmgr_api::{FaultKind, PAGE_SIZE, PROT_EXEC, PROT_WRITE};

use crate::frames::{Owner, Pool};
use crate::machine::{Frame, Machine, Rights};
use crate::space::{Entry, Space};
use crate::tree::Slot;
use crate::vma::{page_floor, Refs, Vma};
use crate::vmo::{Object, Objects};

/// Pages of a file mapped around one that faulted: an aligned block of so many.
const AROUND: u64 = 16;

/// The kinds of access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Load.
    Read,
    /// Store.
    Write,
    /// Instruction fetch.
    Exec,
}

/// Frames and objects: what address spaces are made of.
pub struct Core<M> {
    /// The frames.
    pub pool: Pool<M>,
    /// The objects.
    pub objects: Objects,
}

/// Why a page cannot be had, as a fault: memory ran out.
fn short(_: Errno) -> FaultKind {
    FaultKind::OutOfMemory
}

/// What a fault is to a system call.
pub fn fault_errno(kind: FaultKind) -> Errno {
    match kind {
        FaultKind::OutOfMemory => Errno::ENOMEM,
        _ => Errno::EFAULT,
    }
}

/// Whether the protection allows the access. Readable is whatever is accessible at all, as on Linux for arm64.
fn allows(vma: &Vma, access: Access) -> bool {
    match access {
        Access::Read => vma.accessible(),
        Access::Write => vma.prot & PROT_WRITE != 0,
        Access::Exec => vma.prot & PROT_EXEC != 0,
    }
}

/// Where the bytes of a page come from.
enum Source {
    /// Zeros.
    Zero,
    /// The object's page, as far as the given byte of it.
    Object { id: u32, page: u64, valid: usize },
}

fn source(objects: &Objects, start: u64, vma: &Vma, addr: u64) -> Result<Source, FaultKind> {
    let Some(id) = vma.object else {
        return Ok(Source::Zero);
    };
    let off = vma.offset_of(start, page_floor(addr));
    if off >= vma.valid_end && !vma.shared {
        return Ok(Source::Zero);
    }
    let object: &Object = objects.get(id).map_err(|_| FaultKind::BeyondEnd)?;
    if off >= object.size {
        return Err(FaultKind::BeyondEnd);
    }
    let valid = if vma.shared {
        PAGE_SIZE
    } else {
        (vma.valid_end - off).min(PAGE_SIZE)
    };
    Ok(Source::Object {
        id,
        page: off / PAGE_SIZE,
        valid: valid as usize,
    })
}

impl<M: Machine> Core<M> {
    /// Carries out the changes in the number of mappings of objects.
    pub fn settle(&mut self, space: &mut Space) {
        if space.vmas.refs.is_empty() {
            return;
        }
        let refs = core::mem::take(&mut space.vmas.refs);
        for change in &refs {
            if let Refs::More(id) = change {
                self.objects.add_mapping(*id, space.id);
            }
        }
        for change in &refs {
            if let Refs::Less(id) = change {
                self.objects.drop_mapping(*id, space.id, &mut self.pool);
            }
        }
    }

    /// Makes the page of `addr` present as the access needs it and lets the hardware map it.
    pub fn touch(
        &mut self,
        space: &mut Space,
        addr: u64,
        access: Access,
    ) -> Result<Frame, FaultKind> {
        let (start, vma) = space.area(addr)?;
        if !allows(&vma, access) {
            return Err(FaultKind::NotAllowed);
        }
        let frame = self.fill(space, start, &vma, addr, access == Access::Write)?;
        self.map_page(space, &vma, page_floor(addr), frame)?;
        if vma.object.is_some() && access != Access::Write {
            self.around(space, start, &vma, addr);
        }
        Ok(frame)
    }

    /// Makes the page present, its own if it is to be written.
    fn fill(
        &mut self,
        space: &mut Space,
        start: u64,
        vma: &Vma,
        addr: u64,
        write: bool,
    ) -> Result<Frame, FaultKind> {
        let index = addr / PAGE_SIZE;
        let entry = space.pages.get(index);
        let own = write && !vma.shared;
        if let Some(frame) = entry.frame() {
            if !own || self.pool.exclusive(frame) {
                return Ok(frame);
            }
            let copy = self
                .pool
                .alloc_copy(frame, Owner::Anonymous)
                .map_err(short)?;
            if let Some((mapping, _)) = entry.mapping() {
                self.pool.machine.unmap(space.hw, frame, mapping);
            }
            self.pool.release(frame);
            space.pages.set(index, Entry::unmapped(copy));
            return Ok(copy);
        }
        let frame = match source(&self.objects, start, vma, addr)? {
            Source::Zero => self.pool.alloc_zero(Owner::Anonymous).map_err(short)?,
            Source::Object { id, page, valid } => {
                let partial = valid < PAGE_SIZE as usize;
                let pool = &mut self.pool;
                let object = self.objects.get_mut(id).map_err(short)?;
                if own || (partial && !vma.shared) {
                    match object.frame(page) {
                        Some(frame) => {
                            let copy = pool.alloc_copy(frame, Owner::Anonymous).map_err(short)?;
                            if partial {
                                let tail = PAGE_SIZE as usize - valid;
                                pool.clear(copy, valid, tail).map_err(short)?;
                            }
                            copy
                        }
                        None => pool.alloc_zero(Owner::Anonymous).map_err(short)?,
                    }
                } else {
                    let frame = object.frame_or_zero(page, pool).map_err(short)?;
                    pool.share(frame).map_err(short)?;
                    frame
                }
            }
        };
        space.pages.set(index, Entry::unmapped(frame));
        Ok(frame)
    }

    /// Lets the hardware map a present page with all the rights it may have.
    fn map_page(
        &mut self,
        space: &mut Space,
        vma: &Vma,
        addr: u64,
        frame: Frame,
    ) -> Result<(), FaultKind> {
        let index = addr / PAGE_SIZE;
        let rights = Rights {
            write: vma.prot & PROT_WRITE != 0 && (vma.shared || self.pool.exclusive(frame)),
            exec: vma.prot & PROT_EXEC != 0,
        };
        if rights.exec {
            self.pool.sync_code(frame);
        }
        if rights.write {
            self.pool.unsync(frame);
        }
        let machine = &mut self.pool.machine;
        let mapping = match space.pages.get(index).mapping() {
            Some((_, now)) if now == rights => return Ok(()),
            Some((mapping, _)) => {
                machine.protect(space.hw, frame, mapping, rights);
                mapping
            }
            None => machine
                .map(space.hw, addr, frame, rights)
                .map_err(|_| FaultKind::OutOfMemory)?,
        };
        space
            .pages
            .set(index, Entry::mapped(frame, mapping, rights));
        Ok(())
    }

    /// Maps the object's pages next to one that faulted, as far as they are in memory anyway.
    fn around(&mut self, space: &mut Space, start: u64, vma: &Vma, addr: u64) {
        let block = addr / (AROUND * PAGE_SIZE) * (AROUND * PAGE_SIZE);
        let first = block.max(start);
        let end = (block + AROUND * PAGE_SIZE).min(vma.end);
        let mut at = first;
        while at < end {
            let here = at;
            at += PAGE_SIZE;
            if !space.pages.get(here / PAGE_SIZE).is_empty() {
                continue;
            }
            let Ok(Source::Object { id, page, valid }) = source(&self.objects, start, vma, here)
            else {
                continue;
            };
            if valid < PAGE_SIZE as usize && !vma.shared {
                continue;
            }
            let Some(frame) = self.objects.get(id).ok().and_then(|o| o.frame(page)) else {
                continue;
            };
            if self.pool.share(frame).is_err() {
                return;
            }
            space.pages.set(here / PAGE_SIZE, Entry::unmapped(frame));
            if self.map_page(space, vma, here, frame).is_err() {
                return;
            }
        }
    }

    /// The frame to read a page of user memory from, `None` for zeros. Does not make pages of private memory.
    pub fn readable(&mut self, space: &mut Space, addr: u64) -> Result<Option<Frame>, FaultKind> {
        let entry = space.pages.get(addr / PAGE_SIZE);
        if let (Some(frame), Some(_)) = (entry.frame(), entry.mapping()) {
            return Ok(Some(frame));
        }
        let (start, vma) = space.area(addr)?;
        if !allows(&vma, Access::Read) {
            return Err(FaultKind::NotAllowed);
        }
        if let Some(frame) = entry.frame() {
            return Ok(Some(frame));
        }
        match source(&self.objects, start, &vma, addr)? {
            Source::Zero => Ok(None),
            Source::Object { id, page, valid } if valid == PAGE_SIZE as usize => {
                Ok(self.objects.get(id).ok().and_then(|o| o.frame(page)))
            }
            Source::Object { .. } => self.touch(space, addr, Access::Read).map(Some),
        }
    }

    /// The frame to write a page of user memory to.
    pub fn writable(&mut self, space: &mut Space, addr: u64) -> Result<Frame, FaultKind> {
        let entry = space.pages.get(addr / PAGE_SIZE);
        if let (Some(frame), Some((_, Rights { write: true, .. }))) =
            (entry.frame(), entry.mapping())
        {
            return Ok(frame);
        }
        self.touch(space, addr, Access::Write)
    }

    /// Forgets the pages in a range of addresses; of objects' pages only, if `objects_only`.
    pub fn zap(&mut self, space: &mut Space, start: u64, end: u64, objects_only: bool) {
        let (pool, hw) = (&mut self.pool, space.hw);
        space
            .pages
            .update(start / PAGE_SIZE, end / PAGE_SIZE, |_, entry| {
                let Some(frame) = entry.frame() else { return };
                if objects_only && !pool.is_object(frame) {
                    return;
                }
                if let Some((mapping, _)) = entry.mapping() {
                    pool.machine.unmap(hw, frame, mapping);
                }
                pool.release(frame);
                *entry = Entry::EMPTY;
            });
    }
}
