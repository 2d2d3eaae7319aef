//! The interface, and the direct road for callers of the same domain.

use alloc::vec;

use lsyscall_abi::{Errno, ThreadIdx};
use memmgr_api::{
    DirectMemory, MapRequest, MapsEntry, MemEvent, MemMgrService, MemStats, Mm, MmStats, Space,
    Vmo, PAGE_SIZE,
};
use persona_ipc::{Cap, Chunk, CHUNK_BYTES};

use crate::machine::Machine;
use crate::maps::user_range;
use crate::server::{Server, Thread};
use crate::space::Limits;
use crate::vma::page_ceil;
use crate::vmo::MAX_SIZE;

/// Largest untyped handed out, as a power of two: a CNode of 2^12 slots takes 2^17 bytes.
const MAX_UNTYPED_BITS: u8 = 20;
/// Smallest untyped of the kernel.
const MIN_UNTYPED_BITS: u8 = 4;
/// Most pages a heap grows by at a time.
const MOST_HEAP_PAGES: u64 = 512;
/// Bytes moved at a time through a client's buffer.
const BULK_STEP: usize = 4096;

impl<M: Machine> Server<M> {
    /// A capability to an address space for the caller.
    fn space_cap(&mut self, id: u32) -> Result<Cap, Errno> {
        let lasting = self.remote.is_none();
        let hw = self.spaces.get(id).ok_or(Errno::ESRCH)?.hw;
        Ok(Cap(self.core.pool.machine.space_cap(hw, lasting)?))
    }

    /// Finishes making an address space, or undoes it.
    fn made(&mut self, id: u32, result: Result<(), Errno>) -> Result<(Mm, Cap), Errno> {
        match result.and_then(|()| self.space_cap(id)) {
            Ok(cap) => Ok((Mm(id), cap)),
            Err(errno) => {
                if let Some(space) = self.spaces.get_mut(id) {
                    space.held = false;
                }
                self.reap(id);
                Err(errno)
            }
        }
    }

    fn fork_into(&mut self, parent: u32, child: u32) -> Result<(), Errno> {
        // Two entries of one table: the child is taken out for the time.
        let mut space = self.spaces.take_out(child).ok_or(Errno::ESRCH)?;
        let result = match self.spaces.get_mut(parent) {
            Some(parent) => self.core.fork(parent, &mut space),
            None => Err(Errno::ESRCH),
        };
        self.spaces.put_back(child, space);
        result
    }

    fn leave(&mut self, thread: ThreadIdx) {
        let id = core::mem::take(&mut self.thread_mut(thread).space);
        if let Some(space) = self.spaces.get_mut(id) {
            space.attached = space.attached.saturating_sub(1);
            self.reap(id);
        }
    }

    /// Moves bytes between a client's buffer and elsewhere in steps; `step` gets the offset and a piece, and returns how many
    /// bytes went.
    fn in_steps(
        &mut self,
        len: u64,
        mut step: impl FnMut(&mut Self, u64, &mut [u8]) -> Result<usize, Errno>,
    ) -> Result<u64, Errno> {
        let len = len.min(self.bounce()?.len() as u64);
        let mut piece = vec![0u8; BULK_STEP.min(len as usize)];
        let mut done = 0;
        while done < len {
            let want = (len - done).min(BULK_STEP as u64) as usize;
            match step(self, done, &mut piece[..want]) {
                Ok(got) => {
                    done += got as u64;
                    if got < want {
                        break;
                    }
                }
                Err(errno) if done == 0 => return Err(errno),
                Err(_) => break,
            }
        }
        Ok(done)
    }
}

impl<M: Machine> MemMgrService for Server<M> {
    fn mm_create(&mut self) -> Result<(Mm, Cap), Errno> {
        let id = self.new_space()?;
        let result = self.add_shim(id);
        self.touch_shim(id);
        self.made(id, result)
    }

    fn mm_fork(&mut self, parent: Mm) -> Result<(Mm, Cap), Errno> {
        let parent = self.space_id(Space::Mm(parent))?;
        let id = self.new_space()?;
        let result = self.fork_into(parent, id);
        self.touch_shim(id);
        self.made(id, result)
    }

    fn mm_drop(&mut self, mm: Mm) -> Result<(), Errno> {
        let (_, space) = self.parts(Space::Mm(mm))?;
        space.held = false;
        self.reap(mm.0);
        Ok(())
    }

    fn attach(&mut self, thread: ThreadIdx, mm: Mm) -> Result<(), Errno> {
        self.parts(Space::Mm(mm))?.1.attached += 1;
        self.leave(thread);
        let record = self.thread_mut(thread);
        record.space = mm.0;
        record.robust = 0;
        record.resume = None;
        Ok(())
    }

    fn detach(&mut self, thread: ThreadIdx) -> Result<(), Errno> {
        if self.futexes.remove(thread).is_some() {
            self.replies.forget(thread);
            self.alarm.set(self.futexes.earliest());
        }
        self.give_up_owned(thread);
        self.forget_events(thread);
        self.leave(thread);
        *self.thread_mut(thread) = Thread::default();
        Ok(())
    }

    fn map(&mut self, space: Space, request: MapRequest) -> Result<u64, Errno> {
        self.before_promise(space);
        let (core, space) = self.parts(space)?;
        core.map(space, &request)
    }

    fn unmap(&mut self, space: Space, addr: u64, len: u64) -> Result<(), Errno> {
        let (core, space) = self.parts(space)?;
        core.unmap_user(space, addr, len)
    }

    fn set_brk(&mut self, mm: Mm, addr: u64) -> Result<(), Errno> {
        let (_, space) = self.parts(Space::Mm(mm))?;
        user_range(0, addr)?;
        space.start_brk = addr;
        space.brk = addr;
        Ok(())
    }

    fn vmo_create(&mut self, size: u64) -> Result<Vmo, Errno> {
        if !self.core.pool.has_room() {
            return Err(Errno::ENOMEM);
        }
        self.core.objects.create(size).map(Vmo)
    }

    fn vmo_ref(&mut self, vmo: Vmo) -> Result<(), Errno> {
        self.core.objects.add_handle(vmo.0)
    }

    fn vmo_drop(&mut self, vmo: Vmo) -> Result<(), Errno> {
        let core = &mut self.core;
        core.objects.drop_handle(vmo.0, &mut core.pool)
    }

    fn vmo_resize(&mut self, vmo: Vmo, size: u64) -> Result<(), Errno> {
        if size > MAX_SIZE {
            return Err(Errno::EFBIG);
        }
        let old = self.core.objects.get(vmo.0)?.size;
        if size < old {
            let (first, end) = (size.div_ceil(PAGE_SIZE), old.div_ceil(PAGE_SIZE));
            if first < end {
                self.withdraw(vmo.0, first, end, false);
            }
            let core = &mut self.core;
            let object = core.objects.get_mut(vmo.0)?;
            object.release(first, u64::MAX, &mut core.pool);
            let tail = first * PAGE_SIZE - size;
            object.clear(size, tail, &mut core.pool)?;
        }
        self.core.objects.get_mut(vmo.0)?.size = size;
        Ok(())
    }

    fn vmo_pages(&mut self, vmo: Vmo) -> Result<u64, Errno> {
        Ok(self.core.objects.get(vmo.0)?.pages.len())
    }

    fn vmo_is_mapped(&mut self, vmo: Vmo) -> Result<bool, Errno> {
        Ok(!self.core.objects.mappers(vmo.0).is_empty())
    }

    fn vmo_seek(&mut self, vmo: Vmo, off: u64, data: bool) -> Result<Option<u64>, Errno> {
        let pages = &self.core.objects.get(vmo.0)?.pages;
        let first = off / PAGE_SIZE;
        let found = if data {
            pages.next(first, u64::MAX).map(|(page, _)| page)
        } else {
            pages.next_empty(first)
        };
        Ok(found.map(|page| page.saturating_mul(PAGE_SIZE).max(off)))
    }

    fn vmo_fill(&mut self, vmo: Vmo, off: u64, len: u64) -> Result<(), Errno> {
        let end = off.checked_add(len).ok_or(Errno::EINVAL)?;
        let core = &mut self.core;
        let object = core.objects.get_mut(vmo.0)?;
        for page in off / PAGE_SIZE..end.min(object.size).div_ceil(PAGE_SIZE) {
            object.frame_or_zero(page, &mut core.pool)?;
        }
        Ok(())
    }

    fn vmo_zero(&mut self, vmo: Vmo, off: u64, len: u64) -> Result<(), Errno> {
        let end = off.checked_add(len).ok_or(Errno::EINVAL)?;
        let end = end.min(self.core.objects.get(vmo.0)?.size.max(off));
        let first = off.div_ceil(PAGE_SIZE);
        let last = end / PAGE_SIZE;
        let whole = first < last;
        if whole {
            self.withdraw(vmo.0, first, last, true);
        }
        let core = &mut self.core;
        let object = core.objects.get_mut(vmo.0)?;
        if !whole && end > off {
            return object.clear(off, end - off, &mut core.pool);
        }
        if whole {
            object.release(first, last, &mut core.pool);
            object.clear(off, first * PAGE_SIZE - off, &mut core.pool)?;
            object.clear(last * PAGE_SIZE, end - last * PAGE_SIZE, &mut core.pool)?;
        }
        Ok(())
    }

    fn vmo_to_user(
        &mut self,
        vmo: Vmo,
        off: u64,
        to: Space,
        addr: u64,
        len: u64,
    ) -> Result<u64, Errno> {
        let (core, space) = self.parts(to)?;
        core.object_to_user(vmo.0, off, space, addr, len)
    }

    fn user_to_vmo(
        &mut self,
        vmo: Vmo,
        off: u64,
        from: Space,
        addr: u64,
        len: u64,
    ) -> Result<u64, Errno> {
        let (core, space) = self.parts(from)?;
        core.user_to_object(vmo.0, off, space, addr, len)
    }

    fn vmo_copy(
        &mut self,
        from: Vmo,
        from_off: u64,
        to: Vmo,
        to_off: u64,
        len: u64,
    ) -> Result<u64, Errno> {
        self.core.object_copy(from.0, from_off, to.0, to_off, len)
    }

    fn initrd_size(&mut self) -> Result<u64, Errno> {
        Ok(self.initrd.as_ref().map_or(0, |i| i.archive.bytes))
    }

    fn initrd_vmo(&mut self, off: u64, len: u64) -> Result<Vmo, Errno> {
        self.archive_object(off, len)
    }

    fn initrd_read(&mut self, off: u64, len: u64) -> Result<Chunk, Errno> {
        self.read_archive(off, len)
    }

    fn initrd_done(&mut self) -> Result<(), Errno> {
        self.release_archive();
        Ok(())
    }

    fn futex_wake(&mut self, space: Space, addr: u64, count: u32) -> Result<u32, Errno> {
        self.wake_futex(space, addr, count)
    }

    fn robust_exit(&mut self, thread: ThreadIdx, head: u64, tid: u32) -> Result<(), Errno> {
        let known = self.thread(thread).robust;
        let head = if head != 0 { head } else { known };
        self.thread_mut(thread).robust = 0;
        if head != 0 {
            self.walk_robust_list(thread, head, tid);
        }
        self.give_up_owned(thread);
        Ok(())
    }

    fn cancel(&mut self, thread: ThreadIdx) -> Result<Option<i32>, Errno> {
        Ok(self.interrupt_wait(thread).map(Errno::raw))
    }

    fn forget_restart(&mut self, thread: ThreadIdx) -> Result<(), Errno> {
        self.thread_mut(thread).resume = None;
        Ok(())
    }

    fn vmo_mappings(&mut self, vmo: Vmo) -> Result<u64, Errno> {
        self.core.objects.mappings(vmo.0)
    }

    fn next_event(&mut self) -> Result<Option<MemEvent>, Errno> {
        Ok(self.take_event())
    }

    fn stats(&mut self) -> Result<MemStats, Errno> {
        let pool = &self.core.pool;
        let (anonymous, objects, heaps) = pool.used();
        Ok(MemStats {
            total: self.core.total_bytes() + pool.machine.kernel_bytes(),
            free: pool.free_pages() * PAGE_SIZE,
            objects: objects * PAGE_SIZE,
            anonymous: anonymous * PAGE_SIZE,
            kernel: pool.machine.kernel_bytes() + heaps * PAGE_SIZE,
            spaces: self.spaces.len() as u64,
            lost: pool.lost(),
        })
    }

    fn mm_stats(&mut self, space: Space) -> Result<MmStats, Errno> {
        let (core, space) = self.parts(space)?;
        Ok(space.stats(|frame| core.pool.is_object(frame)))
    }

    fn mm_counts(&mut self, space: Space) -> Result<(u64, u64), Errno> {
        let (_, space) = self.parts(space)?;
        let peak = space.peak.max(space.pages.len());
        Ok((space.faults, peak * PAGE_SIZE))
    }

    fn maps_after(&mut self, space: Space, addr: u64) -> Result<Option<MapsEntry>, Errno> {
        let (_, space) = self.parts(space)?;
        Ok(space.vmas.ending_above(addr).map(|(start, vma)| MapsEntry {
            start,
            end: vma.end,
            prot: vma.prot,
            shared: vma.shared,
            off: vma.off,
            tag: vma.tag,
            role: vma.role as u8,
        }))
    }

    fn alloc_untyped(&mut self, bits: u8) -> Result<Cap, Errno> {
        if !(MIN_UNTYPED_BITS..=MAX_UNTYPED_BITS).contains(&bits) {
            return Err(Errno::EINVAL);
        }
        let lasting = self.remote.is_none();
        Ok(Cap(self.core.pool.machine.untyped(bits, lasting)?))
    }

    fn set_limits(
        &mut self,
        space: Space,
        address_space: u64,
        stack: u64,
        data: u64,
    ) -> Result<(), Errno> {
        let limits = &mut self.parts(space)?.1.limits;
        *limits = Limits {
            address_space,
            stack,
            data,
            lock: limits.lock,
        };
        Ok(())
    }

    fn set_lock_limit(&mut self, space: Space, bytes: u64) -> Result<(), Errno> {
        self.parts(space)?.1.limits.lock = bytes;
        Ok(())
    }

    fn set_overcommit(&mut self, mode: u8, ratio: u8) -> Result<(), Errno> {
        if mode > 2 || ratio > 100 {
            return Err(Errno::EINVAL);
        }
        self.core.overcommit.mode = mode;
        self.core.overcommit.ratio = ratio;
        Ok(())
    }

    fn promised(&mut self) -> Result<(u64, u64), Errno> {
        let all = self.spaces.iter().map(|(_, s)| s.vmas.data).sum();
        let ratio = u64::from(self.core.overcommit.ratio);
        Ok((all, self.core.total_bytes() / 100 * ratio))
    }

    fn advise(&mut self, space: Space, addr: u64, len: u64, advice: u32) -> Result<(), Errno> {
        self.advise_range(space, addr, len, advice)
    }

    fn fetch(&mut self, from: Space, addr: u64, len: u64) -> Result<Chunk, Errno> {
        let mut bytes = [0u8; CHUNK_BYTES];
        let len = len.min(CHUNK_BYTES as u64) as usize;
        let got = self.read_space(from, addr, &mut bytes[..len])?;
        Ok(Chunk::new(&bytes[..got]))
    }

    fn store(&mut self, to: Space, addr: u64, data: Chunk) -> Result<u64, Errno> {
        Ok(self.write_space(to, addr, data.as_slice())? as u64)
    }

    fn fetch_bulk(&mut self, from: Space, addr: u64, len: u64) -> Result<u64, Errno> {
        let buffer = self.bounce()?;
        self.in_steps(len, |server, off, piece| {
            let got = server.read_space(from, addr.wrapping_add(off), piece)?;
            Ok(buffer.write(off as usize, &piece[..got]))
        })
    }

    fn store_bulk(&mut self, to: Space, addr: u64, len: u64) -> Result<u64, Errno> {
        let buffer = self.bounce()?;
        self.in_steps(len, |server, off, piece| {
            buffer.read(off as usize, piece);
            server.write_space(to, addr.wrapping_add(off), piece)
        })
    }

    fn vmo_fetch(&mut self, vmo: Vmo, off: u64, len: u64) -> Result<u64, Errno> {
        let buffer = self.bounce()?;
        self.in_steps(len, |server, done, piece| {
            let got = server.read_vmo(vmo, off.saturating_add(done), piece)?;
            Ok(buffer.write(done as usize, &piece[..got]))
        })
    }

    fn vmo_store(&mut self, vmo: Vmo, off: u64, len: u64) -> Result<u64, Errno> {
        let buffer = self.bounce()?;
        self.in_steps(len, |server, done, piece| {
            buffer.read(done as usize, piece);
            server.write_vmo(vmo, off.saturating_add(done), piece)
        })
    }

    fn fetch_small(&mut self, from: Space, addr: u64, len: u8) -> Result<(u64, u64), Errno> {
        let mut bytes = [0u8; 16];
        let len = usize::from(len);
        let part = bytes.get_mut(..len).ok_or(Errno::EINVAL)?;
        if self.read_space(from, addr, part)? != len {
            return Err(Errno::EFAULT);
        }
        let word = u128::from_le_bytes(bytes);
        Ok((word as u64, (word >> 64) as u64))
    }

    fn grow_heap(&mut self, addr: u64, bytes: u64) -> Result<u64, Errno> {
        let Some(client) = self.remote else {
            return Ok(0);
        };
        let pages = page_ceil(bytes).ok_or(Errno::ENOMEM)? / PAGE_SIZE;
        if !addr.is_multiple_of(PAGE_SIZE) {
            return Err(Errno::EINVAL);
        }
        let pages = pages.min(MOST_HEAP_PAGES);
        let pool = &mut self.core.pool;
        pool.has_room();
        let mut grown = pool.grow_heap(Some(client), addr, pages);
        if grown == 0 {
            grown = pool.machine.grow_heap(client, addr, pages);
        }
        Ok(grown * PAGE_SIZE)
    }

    fn shrink_heap(&mut self, addr: u64, bytes: u64) -> Result<u64, Errno> {
        let Some(client) = self.remote else {
            return Ok(0);
        };
        if !addr.is_multiple_of(PAGE_SIZE) || !bytes.is_multiple_of(PAGE_SIZE) {
            return Err(Errno::EINVAL);
        }
        let pages = (bytes / PAGE_SIZE).min(1 << 20);
        let gone = self.core.pool.shrink_heap(Some(client), addr, pages);
        Ok(gone * PAGE_SIZE)
    }
}

impl<M: Machine> DirectMemory for Server<M> {
    fn read_space(&mut self, from: Space, addr: u64, buf: &mut [u8]) -> Result<usize, Errno> {
        let (core, space) = self.parts(from)?;
        core.read_user(space, addr, buf)
    }

    fn write_space(&mut self, to: Space, addr: u64, data: &[u8]) -> Result<usize, Errno> {
        let (core, space) = self.parts(to)?;
        core.write_user(space, addr, data)
    }

    fn read_vmo(&mut self, vmo: Vmo, off: u64, buf: &mut [u8]) -> Result<usize, Errno> {
        let core = &mut self.core;
        core.objects.get(vmo.0)?.read(off, buf, &mut core.pool)
    }

    fn write_vmo(&mut self, vmo: Vmo, off: u64, data: &[u8]) -> Result<usize, Errno> {
        let core = &mut self.core;
        core.objects
            .get_mut(vmo.0)?
            .write(off, data, &mut core.pool)
    }
}
