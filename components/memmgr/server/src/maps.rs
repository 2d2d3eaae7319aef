//! Making, changing and copying mappings.

use lsyscall_abi::Errno;
use memmgr_api::{MapRequest, Placement, PAGE_SIZE, PROT_EXEC, PROT_READ, PROT_WRITE};

use crate::frames::Owner;
use crate::machine::{Machine, Rights};
use crate::pagein::{Access, Core};
use crate::space::{Entry, Lock, Space, LOWEST, USER_LIMIT};
use crate::vma::{page_ceil, page_floor, Inherit, Role, Vma, MAX_MAPPINGS};
use crate::vmo::MAX_SIZE;

const ALL: u8 = PROT_READ | PROT_WRITE | PROT_EXEC;

/// The page range of a request by a program; `EINVAL` if `addr` is not aligned or the range leaves user space.
pub fn user_range(addr: u64, len: u64) -> Result<(u64, u64), Errno> {
    let len = page_ceil(len).ok_or(Errno::EINVAL)?;
    let end = addr.checked_add(len).ok_or(Errno::EINVAL)?;
    if !addr.is_multiple_of(PAGE_SIZE) || end > USER_LIMIT {
        return Err(Errno::EINVAL);
    }
    Ok((addr, end))
}

impl<M: Machine> Core<M> {
    /// Maps memory; see `MemMgr::map`.
    pub fn map(&mut self, space: &mut Space, req: &MapRequest) -> Result<u64, Errno> {
        let len = page_ceil(req.len).ok_or(Errno::ENOMEM)?;
        if len == 0 || req.prot & !ALL != 0 || !req.off.is_multiple_of(PAGE_SIZE) {
            return Err(Errno::EINVAL);
        }
        if len > USER_LIMIT {
            return Err(Errno::ENOMEM);
        }
        if req.off.checked_add(len).is_none_or(|end| end > MAX_SIZE) {
            return Err(Errno::EOVERFLOW);
        }
        if let Some(vmo) = req.vmo {
            self.objects.get(vmo.0)?;
        }
        self.has_room()?;
        let private_data = !req.shared && req.prot & PROT_WRITE != 0;
        let (start, cut) = match req.placement {
            Placement::Hint => (space.place(req.addr, len).ok_or(Errno::ENOMEM)?, false),
            Placement::Fixed | Placement::FixedNoReplace => {
                if !req.addr.is_multiple_of(PAGE_SIZE) {
                    return Err(Errno::EINVAL);
                }
                let end = req.addr.checked_add(len).filter(|&end| end <= USER_LIMIT);
                let end = end.ok_or(Errno::ENOMEM)?;
                if req.addr < LOWEST {
                    return Err(Errno::EPERM);
                }
                let free = space.vmas.is_free(req.addr, end);
                if !free && req.placement == Placement::FixedNoReplace {
                    return Err(Errno::EEXIST);
                }
                (req.addr, !free)
            }
        };
        let end = start + len;
        let replaced: u64 = if cut {
            space.vmas.clipped(start, end).map(|(s, v)| v.end - s).sum()
        } else {
            0
        };
        if space.vmas.pieces_after_cut(start, end) >= MAX_MAPPINGS
            || !space.has_room(len - replaced)
            || (private_data && !req.grows_down && !space.has_data_room(len))
            || (private_data && !self.may_commit(space, len, req.noreserve))
        {
            return Err(Errno::ENOMEM);
        }
        let locked = req.locked || space.lock_future.is_some();
        if locked && !space.may_lock(len - replaced) {
            return Err(Errno::EAGAIN);
        }
        let made = match (req.vmo, req.shared) {
            (None, true) => Some(self.objects.create(len)?),
            _ => None,
        };
        if cut {
            self.unmap(space, start, end);
        }
        let object = req.vmo.map(|vmo| vmo.0).or(made);
        let vma = Vma {
            end,
            prot: req.prot,
            max_prot: req.max_prot | req.prot,
            shared: req.shared,
            grows_down: req.grows_down,
            object,
            off: if object.is_some() { req.off } else { 0 },
            valid_end: req.off.saturating_add(req.valid),
            tag: req.tag,
            role: if req.grows_down {
                Role::Stack
            } else {
                Role::Ordinary
            },
            inherit: Inherit::Copy,
            locked,
        };
        space.vmas.insert(start, vma);
        self.settle(space);
        if let Some(id) = made {
            self.objects.drop_handle(id, &mut self.pool)?;
        }
        if req.populate || locked && space.lock_future != Some(Lock::OnFault) {
            self.populate(space, start, end);
        }
        Ok(start)
    }

    /// Whether the policy (vm.overcommit_memory) allows a promise of so many bytes more of private memory.
    pub fn may_commit(&self, space: &Space, more: u64, noreserve: bool) -> bool {
        match self.overcommit.mode {
            // Only what could never be kept is refused.
            0 => noreserve || more <= self.total_bytes(),
            1 => true,
            _ => {
                let limit = self.total_bytes() / 100 * u64::from(self.overcommit.ratio);
                let own = space.vmas.data;
                let all = self.overcommit.others.saturating_add(own);
                all.saturating_add(more) <= limit
            }
        }
    }

    /// All memory that can hold pages, in bytes.
    pub fn total_bytes(&self) -> u64 {
        self.pool.made() * PAGE_SIZE + self.pool.machine.uncarved()
    }

    /// Brings the pages of a range in, as far as that goes.
    pub fn populate(&mut self, space: &mut Space, start: u64, end: u64) {
        let mut at = start;
        while at < end {
            let Some((_, vma)) = space.vmas.find(at) else {
                return;
            };
            let access = match vma.prot & PROT_WRITE != 0 && !vma.shared {
                true => Access::Write,
                false => Access::Read,
            };
            if self.touch(space, at, access).is_err() {
                return;
            }
            at += PAGE_SIZE;
        }
    }

    /// Unmaps whatever is mapped in the range.
    pub fn unmap(&mut self, space: &mut Space, start: u64, end: u64) {
        if space.vmas.is_free(start, end) {
            return;
        }
        self.zap(space, start, end, false);
        // One at a time: the list of changes must not grow with the range.
        while space.vmas.remove_first(start, end).is_some() {
            self.settle(space);
        }
        self.settle(space);
        if self.pool.machine.has_many_tables(space.hw) {
            let below = space.vmas.starting_below(start).map_or(0, |(_, v)| v.end);
            let above = space.vmas.ending_above(start).map_or(end, |(s, _)| s);
            self.pool.machine.release_tables(space.hw, below, above);
        }
    }

    /// Changes every mapping in a range; to do so twice must be as good as once.
    pub fn change(&mut self, space: &mut Space, start: u64, end: u64, f: impl Fn(&mut Vma)) {
        let mut from = start;
        while let Some((at, mut vma)) = space.vmas.remove_first(from, end) {
            from = vma.end;
            f(&mut vma);
            space.vmas.insert(at, vma);
            self.settle(space);
        }
    }

    /// Whether there is memory for the records of a few mappings more.
    pub fn has_room(&mut self) -> Result<(), Errno> {
        match self.pool.has_room() {
            true => Ok(()),
            false => Err(Errno::ENOMEM),
        }
    }

    /// munmap(2), with its checks.
    pub fn unmap_user(&mut self, space: &mut Space, addr: u64, len: u64) -> Result<(), Errno> {
        let (start, end) = user_range(addr, len)?;
        if start == end {
            return Err(Errno::EINVAL);
        }
        let pieces = space.vmas.pieces_after_cut(start, end);
        if pieces > MAX_MAPPINGS {
            return Err(Errno::ENOMEM);
        }
        if pieces > space.vmas.len() {
            self.has_room()?;
        }
        self.unmap(space, start, end);
        Ok(())
    }

    /// mprotect(2) on a page range: applies it up to the first hole.
    pub fn protect(
        &mut self,
        space: &mut Space,
        start: u64,
        end: u64,
        prot: u8,
    ) -> Result<(), Errno> {
        if space.vmas.len() + 2 > MAX_MAPPINGS {
            return Err(Errno::ENOMEM);
        }
        self.has_room()?;
        let mut at = start;
        while at < end {
            let Some((_, vma)) = space.vmas.find(at) else {
                return Err(Errno::ENOMEM);
            };
            if prot & !vma.max_prot != 0 {
                return Err(Errno::EACCES);
            }
            let part_end = vma.end.min(end);
            if vma.prot != prot {
                let becomes_data = !vma.shared && vma.prot & PROT_WRITE == 0;
                if becomes_data && prot & PROT_WRITE != 0 && !space.has_data_room(part_end - at) {
                    return Err(Errno::ENOMEM);
                }
                self.change(space, at, part_end, |v| v.prot = prot);
                self.restrict(space, at, part_end, prot);
            }
            at = part_end;
        }
        Ok(())
    }

    /// Takes rights away from present pages, or gives execution; writing comes back by faults.
    fn restrict(&mut self, space: &mut Space, start: u64, end: u64, prot: u8) {
        let (pool, hw) = (&mut self.pool, space.hw);
        let exec = prot & PROT_EXEC != 0;
        space
            .pages
            .update(start / PAGE_SIZE, end / PAGE_SIZE, |_, entry| {
                let (Some(frame), Some((mapping, now))) = (entry.frame(), entry.mapping()) else {
                    return;
                };
                if prot & ALL == 0 {
                    pool.machine.unmap(hw, frame, mapping);
                    *entry = Entry::unmapped(frame);
                    return;
                }
                let rights = Rights {
                    write: now.write && prot & PROT_WRITE != 0,
                    exec,
                };
                if exec && !now.exec {
                    pool.sync_code(frame);
                }
                if rights != now {
                    pool.machine.protect(hw, frame, mapping, rights);
                    *entry = Entry::mapped(frame, mapping, rights);
                }
            });
    }

    /// Sets the break; returns the new one, or the old one if that is not possible (brk(2)).
    pub fn set_break(&mut self, space: &mut Space, addr: u64) -> u64 {
        let old = space.brk;
        if addr < space.start_brk || addr > USER_LIMIT {
            return old;
        }
        let (Some(old_end), Some(new_end)) = (page_ceil(old), page_ceil(addr)) else {
            return old;
        };
        if new_end < old_end {
            self.unmap(space, new_end, old_end);
        } else if new_end > old_end {
            let more = new_end - old_end;
            let room = self.has_room().is_ok();
            let clear = new_end
                .checked_add(PAGE_SIZE)
                .is_some_and(|end| space.vmas.is_free(old_end, end));
            if !clear
                || !room
                || !space.has_room(more)
                || !space.has_data_room(more)
                || !self.may_commit(space, more, false)
                || (space.lock_future.is_some() && !space.may_lock(more))
                || space.vmas.len() >= MAX_MAPPINGS
                || new_end > USER_LIMIT
            {
                return old;
            }
            let vma = Vma {
                end: new_end,
                prot: PROT_READ | PROT_WRITE,
                max_prot: ALL,
                shared: false,
                grows_down: false,
                object: None,
                off: 0,
                valid_end: u64::MAX,
                tag: 0,
                role: Role::Heap,
                inherit: Inherit::Copy,
                locked: space.lock_future.is_some(),
            };
            space.vmas.insert(old_end, vma);
            if space.lock_future == Some(Lock::Now) {
                self.populate(space, old_end, new_end);
            }
        }
        space.brk = addr;
        addr
    }

    /// Copies mappings and private pages of `parent` into the empty `child`, copy-on-write.
    pub fn fork(&mut self, parent: &mut Space, child: &mut Space) -> Result<(), Errno> {
        child.limits = parent.limits;
        child.start_brk = parent.start_brk;
        child.brk = parent.brk;
        child.barriers = parent.barriers;
        let mut at = 0;
        while let Some((start, vma)) = parent.vmas.ending_above(at).map(|(s, v)| (s, *v)) {
            at = vma.end;
            self.has_room()?;
            if vma.inherit == Inherit::Omit {
                continue;
            }
            // Locks are not inherited (mlock(2)).
            let locked = false;
            child.vmas.insert(start, Vma { locked, ..vma });
            self.settle(child);
            if !vma.shared && vma.inherit == Inherit::Copy {
                self.share_pages(parent, child, start, &vma)?;
            }
        }
        Ok(())
    }

    /// Shares the private pages of one mapping with a child. Pages of objects the child finds in the object.
    fn share_pages(
        &mut self,
        parent: &mut Space,
        child: &mut Space,
        start: u64,
        vma: &Vma,
    ) -> Result<(), Errno> {
        let (pool, hw) = (&mut self.pool, parent.hw);
        let copy_now = vma.role == Role::ShimData;
        let mut result = Ok(());
        parent
            .pages
            .update(start / PAGE_SIZE, vma.end / PAGE_SIZE, |index, entry| {
                let Some(frame) = entry.frame() else { return };
                if result.is_err() || pool.is_object(frame) {
                    return;
                }
                if !pool.has_room() {
                    result = Err(Errno::ENOMEM);
                    return;
                }
                if copy_now {
                    match pool.alloc_copy(frame, Owner::Anonymous) {
                        Ok(copy) => {
                            child.pages.set(index, Entry::unmapped(copy));
                        }
                        Err(errno) => result = Err(errno),
                    }
                    return;
                }
                if let Err(errno) = pool.share(frame) {
                    result = Err(errno);
                    return;
                }
                child.pages.set(index, Entry::unmapped(frame));
                if let Some((mapping, now)) = entry.mapping() {
                    if now.write {
                        let rights = Rights {
                            write: false,
                            ..now
                        };
                        pool.machine.protect(hw, frame, mapping, rights);
                        *entry = Entry::mapped(frame, mapping, rights);
                    }
                }
            });
        result
    }

    /// Everything goes.
    pub fn clear(&mut self, space: &mut Space) {
        self.unmap(space, 0, page_floor(u64::MAX));
    }
}
