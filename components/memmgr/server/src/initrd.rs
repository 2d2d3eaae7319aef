//! The initial archive: its pages become objects without a copy, and free memory when it has been unpacked.

use lsyscall_abi::Errno;
use memmgr_api::{MemMgrService, Vmo, PAGE_SIZE};
use persona_ipc::{Chunk, CHUNK_BYTES};

use crate::frames::Owner;
use crate::machine::{Frame, Machine, PAGE};
use crate::server::Server;
use crate::vmo::Page;

impl<M: Machine> Server<M> {
    /// Pages of the archive by offset; `EINVAL` outside.
    fn archive_range(&self, off: u64, len: u64) -> Result<u64, Errno> {
        let initrd = self.initrd.as_ref().ok_or(Errno::EINVAL)?;
        let end = off.checked_add(len).ok_or(Errno::EINVAL)?;
        (end <= initrd.archive.bytes)
            .then_some(u64::from(initrd.archive.first))
            .ok_or(Errno::EINVAL)
    }

    fn fill_from_archive(&mut self, id: u32, off: u64, len: u64) -> Result<(), Errno> {
        let first = self.archive_range(off, len)?;
        let Some(initrd) = self.initrd.as_mut() else {
            return Err(Errno::EINVAL);
        };
        let (core, object) = (&mut self.core.pool, self.core.objects.get_mut(id)?);
        for page in 0..len.div_ceil(PAGE_SIZE) {
            let number = off / PAGE_SIZE + page;
            let frame = Frame((first + number) as u32);
            let taken = initrd.taken.get_mut(number as usize).ok_or(Errno::EINVAL)?;
            let part = (len - page * PAGE_SIZE).min(PAGE_SIZE) as usize;
            if part == PAGE && !*taken {
                // Its reference passes from the archive to the object.
                *taken = true;
                object.pages.set(page, Page::of(frame));
            } else {
                // The rest of a last page is the archive's next header.
                let copy = core.alloc_copy(frame, Owner::Object)?;
                object.pages.set(page, Page::of(copy));
                core.clear(copy, part, PAGE - part)?;
            }
        }
        Ok(())
    }

    /// See `MemMgr::initrd_vmo`.
    pub(crate) fn archive_object(&mut self, off: u64, len: u64) -> Result<Vmo, Errno> {
        if !off.is_multiple_of(PAGE_SIZE) {
            return Err(Errno::EINVAL);
        }
        self.archive_range(off, len)?;
        let id = self.core.objects.create(len)?;
        match self.fill_from_archive(id, off, len) {
            Ok(()) => Ok(Vmo(id)),
            Err(errno) => {
                self.vmo_drop(Vmo(id))?;
                Err(errno)
            }
        }
    }

    /// See `MemMgr::initrd_read`.
    pub(crate) fn read_archive(&mut self, off: u64, len: u64) -> Result<Chunk, Errno> {
        let size = self.initrd_size()?;
        let len = len.min(CHUNK_BYTES as u64).min(size.saturating_sub(off)) as usize;
        let first = self.archive_range(off, len as u64)?;
        let mut bytes = [0u8; CHUNK_BYTES];
        let mut done = 0;
        while done < len {
            let at = off + done as u64;
            let within = (at % PAGE_SIZE) as usize;
            let n = (len - done).min(PAGE - within);
            let frame = Frame((first + at / PAGE_SIZE) as u32);
            let part = &mut bytes[done..done + n];
            self.core.pool.read(frame, within, part)?;
            done += n;
        }
        Ok(Chunk::new(&bytes[..len]))
    }

    /// See `MemMgr::initrd_done`.
    pub(crate) fn release_archive(&mut self) {
        if let Some(initrd) = self.initrd.take() {
            for (page, taken) in initrd.taken.iter().enumerate() {
                if !taken {
                    let frame = Frame(initrd.archive.first + page as u32);
                    self.core.pool.release(frame);
                }
            }
        }
    }
}
