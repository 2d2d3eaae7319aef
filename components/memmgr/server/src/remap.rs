//! mremap, madvise, mincore and mlock.

use lsyscall_abi::{consts, Errno, MremapFlags};
use memmgr_api::{PAGE_SIZE, PROT_READ, PROT_WRITE};

use crate::machine::Machine;
use crate::maps::user_range;
use crate::pagein::{fault_errno, Access, Core};
use crate::space::{Entry, Lock, Space, LOWEST, USER_LIMIT};
use crate::tree::Slot;
use crate::vma::{page_ceil, Inherit, Role, Vma, MAX_MAPPINGS};
use crate::vmo::MAX_SIZE;

/// What an advice asks of the caller, who knows the other address spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advised {
    /// Nothing more.
    Done,
    /// Zero a range of objects (MADV_REMOVE): (object, offset, length) of each piece.
    Remove,
}

impl<M: Machine> Core<M> {
    /// mremap(2).
    pub fn remap(
        &mut self,
        space: &mut Space,
        old: u64,
        old_len: u64,
        new_len: u64,
        flags: MremapFlags,
        wanted: u64,
    ) -> Result<u64, Errno> {
        let may_move = flags.contains(MremapFlags::MAYMOVE);
        let fixed = flags.contains(MremapFlags::FIXED);
        let keep = flags.contains(MremapFlags::DONTUNMAP);
        if flags.has_unknown() || (!may_move && (fixed || keep)) {
            return Err(Errno::EINVAL);
        }
        let (old, old_end) = user_range(old, old_len)?;
        let old_len = old_end - old;
        let new_len = page_ceil(new_len).ok_or(Errno::EINVAL)?;
        if new_len == 0 || new_len > USER_LIMIT || (keep && old_len != new_len) {
            return Err(Errno::EINVAL);
        }
        if fixed {
            let (_, wanted_end) = user_range(wanted, new_len)?;
            if wanted < old_end && old < wanted_end {
                return Err(Errno::EINVAL);
            }
            if wanted < LOWEST {
                return Err(Errno::EPERM);
            }
        }
        let (start, vma) = space
            .vmas
            .find(old)
            .map(|(s, v)| (s, *v))
            .ok_or(Errno::EFAULT)?;
        if old_len == 0 && !vma.shared {
            return Err(Errno::EINVAL);
        }
        if old_end > vma.end {
            return Err(Errno::EFAULT);
        }
        let off = if vma.object.is_some() {
            vma.offset_of(start, old)
        } else {
            0
        };
        if off.checked_add(new_len).is_none_or(|end| end > MAX_SIZE) {
            return Err(Errno::EINVAL);
        }
        self.has_room()?;
        let more = if keep {
            new_len
        } else {
            new_len.saturating_sub(old_len)
        };
        let in_place = !fixed && !keep && old_len != 0;
        if in_place && new_len <= old_len {
            self.unmap(space, old + new_len, old_end);
            return Ok(old);
        }
        if !space.has_room(more) || (vma.is_data() && !space.has_data_room(more)) {
            return Err(Errno::ENOMEM);
        }
        if space.vmas.len() + 3 > MAX_MAPPINGS
            || (vma.is_data() && !self.may_commit(space, more, false))
        {
            return Err(Errno::ENOMEM);
        }
        if vma.locked && !space.may_lock(more) {
            return Err(Errno::EAGAIN);
        }
        let grown = old.checked_add(new_len).filter(|&end| end <= USER_LIMIT);
        if let Some(end) = grown.filter(|_| in_place && old_end == vma.end) {
            if space.vmas.is_free(old_end, end) {
                let tail = Vma {
                    end,
                    off: if vma.object.is_some() {
                        off + old_len
                    } else {
                        0
                    },
                    grows_down: false,
                    ..vma
                };
                space.vmas.insert(old_end, tail);
                self.settle(space);
                return Ok(old);
            }
        }
        if !may_move {
            return Err(Errno::ENOMEM);
        }
        let new = if fixed {
            self.unmap(space, wanted, wanted + new_len);
            wanted
        } else {
            space
                .place(if keep { 0 } else { wanted }, new_len)
                .ok_or(Errno::ENOMEM)?
        };
        let moved = Vma {
            end: new + new_len,
            off,
            role: if vma.role == Role::Heap {
                Role::Ordinary
            } else {
                vma.role
            },
            ..vma
        };
        space.vmas.insert(new, moved);
        if old_len != 0 {
            self.move_pages(space, old, new, old_len.min(new_len));
            if !keep {
                self.unmap(space, old, old_end);
            }
        }
        self.settle(space);
        Ok(new)
    }

    /// Moves present pages to another address; the hardware maps them there when they are touched.
    fn move_pages(&mut self, space: &mut Space, from: u64, to: u64, len: u64) {
        let (first, end) = (from / PAGE_SIZE, (from + len) / PAGE_SIZE);
        let mut next = first;
        while let Some((index, entry)) = space.pages.next(next, end) {
            next = index + 1;
            let Some(frame) = entry.frame() else { continue };
            if let Some((mapping, _)) = entry.mapping() {
                self.pool.machine.unmap(space.hw, frame, mapping);
            }
            space.pages.set(index, Entry::EMPTY);
            let target = index - first + to / PAGE_SIZE;
            space.pages.set(target, Entry::unmapped(frame));
        }
    }

    /// madvise(2) on a page range, as far as one address space is concerned.
    pub fn advise(
        &mut self,
        space: &mut Space,
        start: u64,
        end: u64,
        advice: u32,
    ) -> Result<Advised, Errno> {
        use consts::madvise::*;
        let holes = !space.vmas.is_covered(start, end);
        let any = |space: &Space, test: &dyn Fn(&Vma) -> bool| {
            let mut areas = space.vmas.clipped(start, end);
            areas.any(|(_, vma)| test(&vma))
        };
        let mut advised = Advised::Done;
        match advice {
            MADV_NORMAL | MADV_RANDOM | MADV_SEQUENTIAL | MADV_WILLNEED | MADV_HUGEPAGE
            | MADV_NOHUGEPAGE | MADV_DONTDUMP | MADV_DODUMP | MADV_MERGEABLE | MADV_UNMERGEABLE => {
            }
            MADV_DONTNEED if any(space, &|v| v.locked) => return Err(Errno::EINVAL),
            MADV_COLD | MADV_PAGEOUT if any(space, &|v| v.locked) => return Err(Errno::EINVAL),
            MADV_DONTNEED | MADV_DONTNEED_LOCKED => {
                self.zap(space, start, end, false);
            }
            MADV_COLD | MADV_PAGEOUT => {}
            MADV_FREE => {
                if any(space, &|v| v.object.is_some()) {
                    return Err(Errno::EINVAL);
                }
                self.zap(space, start, end, false);
            }
            MADV_REMOVE => {
                if any(space, &|v| !v.shared) {
                    return Err(Errno::EINVAL);
                }
                if any(space, &|v| v.prot & PROT_WRITE == 0) {
                    return Err(Errno::EACCES);
                }
                advised = Advised::Remove;
            }
            MADV_DONTFORK | MADV_DOFORK | MADV_WIPEONFORK | MADV_KEEPONFORK => {
                let wipe = advice == MADV_WIPEONFORK;
                if wipe && any(space, &|v| v.object.is_some()) {
                    return Err(Errno::EINVAL);
                }
                if space.vmas.len() + 2 > MAX_MAPPINGS {
                    return Err(Errno::ENOMEM);
                }
                let inherit = match advice {
                    MADV_DONTFORK => Inherit::Omit,
                    MADV_WIPEONFORK => Inherit::Wipe,
                    _ => Inherit::Copy,
                };
                self.has_room()?;
                self.change(space, start, end, |v| v.inherit = inherit);
            }
            MADV_POPULATE_READ | MADV_POPULATE_WRITE => {
                let access = match advice {
                    MADV_POPULATE_READ => Access::Read,
                    _ => Access::Write,
                };
                let mut at = start;
                while at < end {
                    match self.touch(space, at, access) {
                        Ok(_) => at += PAGE_SIZE,
                        Err(memmgr_api::FaultKind::NotMapped) => return Err(Errno::ENOMEM),
                        Err(memmgr_api::FaultKind::NotAllowed) => return Err(Errno::EINVAL),
                        Err(kind) => return Err(fault_errno(kind)),
                    }
                }
            }
            _ => return Err(Errno::EINVAL),
        }
        if holes {
            return Err(Errno::ENOMEM);
        }
        Ok(advised)
    }

    /// mincore(2): one byte a page, written in pieces.
    pub fn resident(
        &mut self,
        space: &mut Space,
        addr: u64,
        len: u64,
        vec: u64,
    ) -> Result<(), Errno> {
        let (start, end) = user_range(addr, len).map_err(|errno| match addr % PAGE_SIZE {
            0 => Errno::ENOMEM,
            _ => errno,
        })?;
        let mut at = start;
        let mut to = vec;
        while at < end {
            let mut bytes = [0u8; 256];
            let pages = ((end - at) / PAGE_SIZE).min(bytes.len() as u64) as usize;
            for byte in &mut bytes[..pages] {
                let (area, vma) = space.vmas.find(at).ok_or(Errno::ENOMEM)?;
                let present = !space.pages.get(at / PAGE_SIZE).is_empty();
                let in_object = || {
                    let page = vma.offset_of(area, at) / PAGE_SIZE;
                    let object = vma.object.and_then(|id| self.objects.get(id).ok());
                    object.is_some_and(|o| o.frame(page).is_some())
                };
                *byte = u8::from(present || in_object());
                at += PAGE_SIZE;
            }
            self.put_user(space, to, &bytes[..pages])?;
            to = to.wrapping_add(pages as u64);
        }
        Ok(())
    }

    /// mlock(2), munlock(2): memory is never paged out, so the pages only have to be brought in, if `now`; but it counts.
    pub fn lock(
        &mut self,
        space: &mut Space,
        addr: u64,
        len: u64,
        lock: Option<Lock>,
    ) -> Result<(), Errno> {
        let start = addr & !(PAGE_SIZE - 1);
        let len = len.checked_add(addr - start).ok_or(Errno::EINVAL)?;
        let (start, end) = user_range(start, len)?;
        if lock.is_some() {
            if space.limits.lock == 0 && !space.locks_freely {
                return Err(Errno::EPERM);
            }
            let new = space.vmas.clipped(start, end).filter(|(_, v)| !v.locked);
            let new: u64 = new.map(|(at, v)| v.end - at).sum();
            if !space.may_lock(new) {
                return Err(Errno::ENOMEM);
            }
        }
        if space.vmas.len() + 2 > MAX_MAPPINGS {
            return Err(Errno::ENOMEM);
        }
        self.has_room()?;
        let covered = space.vmas.is_covered(start, end);
        // As Linux: up to the first hole.
        let mut last = start;
        while let Some((_, vma)) = space.vmas.find(last).filter(|_| last < end) {
            last = vma.end.min(end);
        }
        self.change(space, start, last, |v| v.locked = lock.is_some());
        if !covered {
            return Err(Errno::ENOMEM);
        }
        if lock == Some(Lock::Now) {
            self.bring_in(space, start, end);
        }
        Ok(())
    }

    /// Brings all pages of a range in that may be accessed.
    fn bring_in(&mut self, space: &mut Space, start: u64, end: u64) {
        let mut at = start;
        while let Some((from, vma)) = space.vmas.first_in(at, end) {
            at = vma.end;
            if vma.prot & PROT_READ != 0 {
                self.populate(space, from, vma.end);
            }
        }
    }

    /// mlockall(2), munlockall(2).
    pub fn lock_all(
        &mut self,
        space: &mut Space,
        current: Option<Lock>,
        future: Option<Lock>,
    ) -> Result<(), Errno> {
        if current.is_some() && !space.may_lock(space.vmas.total - space.vmas.locked) {
            return Err(Errno::ENOMEM);
        }
        self.has_room()?;
        space.lock_future = future;
        if let Some(how) = current {
            self.change(space, 0, USER_LIMIT, |v| v.locked = true);
            if how == Lock::Now {
                self.bring_in(space, 0, USER_LIMIT);
            }
        }
        Ok(())
    }

    /// munlockall(2).
    pub fn unlock_all(&mut self, space: &mut Space) {
        space.lock_future = None;
        self.change(space, 0, USER_LIMIT, |v| v.locked = false);
    }
}
