//! Bringing pages in: what a fault means, and what is done about it.
//!
//! One page at a time: mapping and unmapping a page that is not used afterwards costs more instructions than the fault it
//! might have saved (measured with `fork_exec` of lbench: blocks of 2, 4 and 16 pages cost 7, 18 and 57 % more).

use lsyscall_abi::Errno;
use memmgr_api::{FaultKind, PAGE_SIZE, PROT_EXEC, PROT_WRITE};

use crate::frames::{Owner, Pool};
use crate::machine::{Frame, Hw, Machine, Rights};
use crate::space::{Entry, Space};
use crate::tree::Slot;
use crate::vma::{page_floor, Refs, Vma};
use crate::vmo::{Object, Objects};

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
    /// How much memory may be promised.
    pub overcommit: Overcommit,
}

/// The policy for promises of memory (vm.overcommit_memory, vm.overcommit_ratio).
#[derive(Clone, Copy, Debug)]
pub struct Overcommit {
    /// 0: by guess, 1: always, 2: never beyond the limit.
    pub mode: u8,
    /// Percent of all memory, for mode 2.
    pub ratio: u8,
    /// Bytes promised to other address spaces, for mode 2; brought up to date before each call.
    pub others: u64,
}

impl Overcommit {
    /// As Linux starts.
    pub const DEFAULT: Overcommit = Overcommit {
        mode: 0,
        ratio: 50,
        others: 0,
    };
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
        let stored = space.pages.get(addr / PAGE_SIZE);
        let write = access == Access::Write;
        let entry = self.fill(space.hw, stored, (start, &vma), addr, write)?;
        let (entry, frame) = self.map_page(space.hw, entry, &vma, page_floor(addr));
        if entry != stored {
            space.pages.set(addr / PAGE_SIZE, entry);
            space.peak = space.peak.max(space.pages.len());
        }
        frame
    }

    /// Makes a page present, its own if it is to be written: what its entry must become.
    fn fill(
        &mut self,
        hw: Hw,
        entry: Entry,
        (start, vma): (u64, &Vma),
        addr: u64,
        write: bool,
    ) -> Result<Entry, FaultKind> {
        let own = write && !vma.shared;
        let pool = &mut self.pool;
        if let Some(frame) = entry.frame() {
            if !own || pool.exclusive(frame) {
                return Ok(entry);
            }
            let copy = pool.alloc_copy(frame, Owner::Anonymous).map_err(short)?;
            if let Some((mapping, _)) = entry.mapping() {
                pool.machine.unmap(hw, frame, mapping);
            }
            pool.release(frame);
            return Ok(Entry::unmapped(copy));
        }
        let (id, page, valid) = match source(&self.objects, start, vma, addr)? {
            Source::Object { id, page, valid } => (id, page, valid),
            Source::Zero => {
                let frame = pool.alloc_zero(Owner::Anonymous).map_err(short)?;
                return Ok(Entry::unmapped(frame));
            }
        };
        let tail = PAGE_SIZE as usize - valid;
        let object = self.objects.get_mut(id).map_err(short)?;
        if !own && tail == 0 {
            let frame = object.frame_or_zero(page, pool).map_err(short)?;
            pool.share(frame).map_err(short)?;
            return Ok(Entry::unmapped(frame));
        }
        let Some(frame) = object.frame(page) else {
            let frame = pool.alloc_zero(Owner::Anonymous).map_err(short)?;
            return Ok(Entry::unmapped(frame));
        };
        let copy = pool.alloc_copy(frame, Owner::Anonymous).map_err(short)?;
        if tail > 0 {
            pool.clear(copy, valid, tail).map_err(short)?;
        }
        Ok(Entry::unmapped(copy))
    }

    /// Lets the hardware map a present page with all the rights it may have. Returns what its entry must become, which is
    /// as it was if there is no memory for the mapping, and its frame.
    fn map_page(
        &mut self,
        hw: Hw,
        entry: Entry,
        vma: &Vma,
        addr: u64,
    ) -> (Entry, Result<Frame, FaultKind>) {
        let Some(frame) = entry.frame() else {
            return (entry, Err(FaultKind::NotMapped));
        };
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
        let mapping = match entry.mapping() {
            Some((_, now)) if now == rights => return (entry, Ok(frame)),
            Some((mapping, _)) => {
                machine.protect(hw, frame, mapping, rights);
                mapping
            }
            None => match machine.map(hw, addr, frame, rights) {
                Ok(mapping) => mapping,
                Err(_) => return (entry, Err(FaultKind::OutOfMemory)),
            },
        };
        (Entry::mapped(frame, mapping, rights), Ok(frame))
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
