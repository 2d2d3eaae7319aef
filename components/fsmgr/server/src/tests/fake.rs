//! A memory manager and a console made of vectors.

use std::collections::{HashMap, VecDeque};

use console_api::{ConsoleInput, ConsoleService};
use lsyscall_abi::{Errno, ThreadIdx};
use memmgr_api::*;
use persona_ipc::{Bytes, Cap, Chunk};

/// First address of user memory.
pub const USER_BASE: u64 = 0x10000;
/// Its length; all threads share it.
pub const USER_LEN: usize = 1 << 20;

/// Memory objects, and one piece of user memory.
pub struct FakeMem {
    user: Vec<u8>,
    pub vmos: HashMap<u32, (Vec<u8>, u32)>,
    next: u32,
    archive: Vec<u8>,
    pub mapped: Vec<MapRequest>,
}

impl FakeMem {
    pub fn new(archive: Vec<u8>) -> Self {
        FakeMem {
            user: vec![0; USER_LEN],
            vmos: HashMap::new(),
            next: 1,
            archive,
            mapped: Vec::new(),
        }
    }

    pub fn user_mut(&mut self, at: u64, len: usize) -> &mut [u8] {
        let from = (at - USER_BASE) as usize;
        &mut self.user[from..from + len]
    }

    /// How much of a range exists.
    fn clip(addr: u64, len: usize) -> Result<usize, Errno> {
        let end = USER_BASE + USER_LEN as u64;
        if addr < USER_BASE || addr >= end {
            return Err(Errno::EFAULT);
        }
        Ok(len.min((end - addr) as usize))
    }

    fn object(&mut self, vmo: Vmo) -> Result<&mut Vec<u8>, Errno> {
        self.vmos
            .get_mut(&vmo.0)
            .map(|v| &mut v.0)
            .ok_or(Errno::EINVAL)
    }

    /// Objects alive.
    pub fn objects(&self) -> usize {
        self.vmos.len()
    }
}

impl DirectMemory for FakeMem {
    fn read_space(&mut self, _: Space, addr: u64, buf: &mut [u8]) -> Result<usize, Errno> {
        let n = Self::clip(addr, buf.len())?;
        buf[..n].copy_from_slice(self.user_mut(addr, n));
        Ok(n)
    }
    fn write_space(&mut self, _: Space, addr: u64, data: &[u8]) -> Result<usize, Errno> {
        let n = Self::clip(addr, data.len())?;
        self.user_mut(addr, n).copy_from_slice(&data[..n]);
        Ok(n)
    }
    fn read_vmo(&mut self, vmo: Vmo, off: u64, buf: &mut [u8]) -> Result<usize, Errno> {
        let data = self.object(vmo)?;
        let from = (off as usize).min(data.len());
        let n = buf.len().min(data.len() - from);
        buf[..n].copy_from_slice(&data[from..from + n]);
        Ok(n)
    }
    fn write_vmo(&mut self, vmo: Vmo, off: u64, bytes: &[u8]) -> Result<usize, Errno> {
        let data = self.object(vmo)?;
        let (from, end) = (off as usize, off as usize + bytes.len());
        if end > 1 << 26 {
            return Err(Errno::ENOMEM);
        }
        if data.len() < end {
            data.resize(end, 0);
        }
        data[from..end].copy_from_slice(bytes);
        Ok(bytes.len())
    }
}

impl MemMgrService for FakeMem {
    fn mm_create(&mut self) -> Result<(Mm, Cap), Errno> {
        Err(Errno::ENOSYS)
    }
    fn mm_fork(&mut self, _: Mm) -> Result<(Mm, Cap), Errno> {
        Err(Errno::ENOSYS)
    }
    fn mm_drop(&mut self, _: Mm) -> Result<(), Errno> {
        Ok(())
    }
    fn attach(&mut self, _: ThreadIdx, _: Mm) -> Result<(), Errno> {
        Ok(())
    }
    fn detach(&mut self, _: ThreadIdx) -> Result<(), Errno> {
        Ok(())
    }
    fn map(&mut self, _: Space, request: MapRequest) -> Result<u64, Errno> {
        self.mapped.push(request);
        Ok(0x7000_0000)
    }
    fn unmap(&mut self, _: Space, _: u64, _: u64) -> Result<(), Errno> {
        Ok(())
    }
    fn set_brk(&mut self, _: Mm, _: u64) -> Result<(), Errno> {
        Ok(())
    }
    fn vmo_create(&mut self, size: u64) -> Result<Vmo, Errno> {
        if size > 1 << 26 {
            return Err(Errno::ENOMEM);
        }
        let id = self.next;
        self.next += 1;
        self.vmos.insert(id, (vec![0; size as usize], 1));
        Ok(Vmo(id))
    }
    fn vmo_ref(&mut self, vmo: Vmo) -> Result<(), Errno> {
        self.vmos.get_mut(&vmo.0).ok_or(Errno::EINVAL)?.1 += 1;
        Ok(())
    }
    fn vmo_drop(&mut self, vmo: Vmo) -> Result<(), Errno> {
        let entry = self.vmos.get_mut(&vmo.0).ok_or(Errno::EINVAL)?;
        entry.1 -= 1;
        if entry.1 == 0 {
            self.vmos.remove(&vmo.0);
        }
        Ok(())
    }
    fn vmo_resize(&mut self, vmo: Vmo, size: u64) -> Result<(), Errno> {
        if size > 1 << 26 {
            return Err(Errno::ENOMEM);
        }
        self.object(vmo)?.resize(size as usize, 0);
        Ok(())
    }
    fn forget_restart(&mut self, _: ThreadIdx) -> Result<(), Errno> {
        Ok(())
    }
    fn set_lock_limit(&mut self, _: Space, _: u64) -> Result<(), Errno> {
        Ok(())
    }
    fn set_overcommit(&mut self, _: u8, _: u8) -> Result<(), Errno> {
        Ok(())
    }
    fn promised(&mut self) -> Result<(u64, u64), Errno> {
        Ok((0, 0))
    }
    fn advise(&mut self, _: Space, _: u64, _: u64, _: u32) -> Result<(), Errno> {
        Ok(())
    }
    fn vmo_mappings(&mut self, _: Vmo) -> Result<u64, Errno> {
        Ok(0)
    }
    fn vmo_pages(&mut self, vmo: Vmo) -> Result<u64, Errno> {
        Ok((self.object(vmo)?.len() as u64).div_ceil(PAGE_SIZE))
    }
    fn vmo_is_mapped(&mut self, _: Vmo) -> Result<bool, Errno> {
        Ok(false)
    }
    fn vmo_seek(&mut self, vmo: Vmo, off: u64, data: bool) -> Result<Option<u64>, Errno> {
        // Objects here have no holes.
        let end = (self.object(vmo)?.len() as u64).next_multiple_of(PAGE_SIZE);
        Ok(match (data, off < end) {
            (true, false) => None,
            (true, true) => Some(off),
            (false, _) => Some(off.max(end)),
        })
    }
    fn vmo_fill(&mut self, vmo: Vmo, _: u64, _: u64) -> Result<(), Errno> {
        self.object(vmo).map(drop)
    }
    fn vmo_zero(&mut self, vmo: Vmo, off: u64, len: u64) -> Result<(), Errno> {
        let data = self.object(vmo)?;
        let end = ((off + len) as usize).min(data.len());
        if let Some(part) = data.get_mut(off as usize..end) {
            part.fill(0);
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
        let mut buf = vec![0; len as usize];
        let n = self.read_vmo(vmo, off, &mut buf)?;
        Ok(self.write_space(to, addr, &buf[..n])? as u64)
    }
    fn user_to_vmo(
        &mut self,
        vmo: Vmo,
        off: u64,
        from: Space,
        addr: u64,
        len: u64,
    ) -> Result<u64, Errno> {
        let mut buf = vec![0; len as usize];
        let n = self.read_space(from, addr, &mut buf)?;
        Ok(self.write_vmo(vmo, off, &buf[..n])? as u64)
    }
    fn vmo_copy(
        &mut self,
        from: Vmo,
        from_off: u64,
        to: Vmo,
        to_off: u64,
        len: u64,
    ) -> Result<u64, Errno> {
        let mut buf = vec![0; len as usize];
        let n = self.read_vmo(from, from_off, &mut buf)?;
        Ok(self.write_vmo(to, to_off, &buf[..n])? as u64)
    }
    fn initrd_size(&mut self) -> Result<u64, Errno> {
        Ok(self.archive.len() as u64)
    }
    fn initrd_vmo(&mut self, off: u64, len: u64) -> Result<Vmo, Errno> {
        let data = self.archive[off as usize..(off + len) as usize].to_vec();
        let vmo = self.vmo_create(0)?;
        *self.object(vmo)? = data;
        Ok(vmo)
    }
    fn initrd_read(&mut self, off: u64, len: u64) -> Result<Chunk, Errno> {
        let from = (off as usize).min(self.archive.len());
        let end = (from + len as usize).min(self.archive.len());
        Ok(Chunk::new(&self.archive[from..end]))
    }
    fn initrd_done(&mut self) -> Result<(), Errno> {
        Ok(())
    }
    fn futex_wake(&mut self, _: Space, _: u64, _: u32) -> Result<u32, Errno> {
        Ok(0)
    }
    fn robust_exit(&mut self, _: ThreadIdx, _: u64, _: u32) -> Result<(), Errno> {
        Ok(())
    }
    fn cancel(&mut self, _: ThreadIdx) -> Result<Option<i32>, Errno> {
        Ok(None)
    }
    fn next_event(&mut self) -> Result<Option<MemEvent>, Errno> {
        Ok(None)
    }
    fn stats(&mut self) -> Result<MemStats, Errno> {
        Ok(MemStats {
            total: 64 << 20,
            free: 32 << 20,
            ..MemStats::default()
        })
    }
    fn mm_stats(&mut self, _: Space) -> Result<MmStats, Errno> {
        Ok(MmStats {
            virtual_size: 8192,
            resident: 1,
            ..MmStats::default()
        })
    }
    fn mm_counts(&mut self, _: Space) -> Result<(u64, u64), Errno> {
        Ok((0, 8192))
    }
    fn maps_after(&mut self, _: Space, addr: u64) -> Result<Option<MapsEntry>, Errno> {
        Ok((addr < 0x401000).then_some(MapsEntry {
            start: 0x400000,
            end: 0x401000,
            prot: PROT_READ | PROT_EXEC,
            shared: false,
            off: 0,
            tag: 0,
            role: 0,
        }))
    }
    fn alloc_untyped(&mut self, _: u8) -> Result<Cap, Errno> {
        Err(Errno::ENOMEM)
    }
    fn set_limits(&mut self, _: Space, _: u64, _: u64, _: u64) -> Result<(), Errno> {
        Ok(())
    }
    fn fetch(&mut self, _: Space, _: u64, _: u64) -> Result<Chunk, Errno> {
        Err(Errno::ENOSYS)
    }
    fn store(&mut self, _: Space, _: u64, _: Chunk) -> Result<u64, Errno> {
        Err(Errno::ENOSYS)
    }
    fn fetch_bulk(&mut self, _: Space, _: u64, _: u64) -> Result<u64, Errno> {
        Err(Errno::ENOSYS)
    }
    fn store_bulk(&mut self, _: Space, _: u64, _: u64) -> Result<u64, Errno> {
        Err(Errno::ENOSYS)
    }
    fn vmo_fetch(&mut self, _: Vmo, _: u64, _: u64) -> Result<u64, Errno> {
        Err(Errno::ENOSYS)
    }
    fn vmo_store(&mut self, _: Vmo, _: u64, _: u64) -> Result<u64, Errno> {
        Err(Errno::ENOSYS)
    }
    fn fetch_small(&mut self, _: Space, _: u64, _: u8) -> Result<(u64, u64), Errno> {
        Err(Errno::ENOSYS)
    }
    fn shrink_heap(&mut self, _: u64, _: u64) -> Result<u64, Errno> {
        Ok(0)
    }
    fn grow_heap(&mut self, _: u64, _: u64) -> Result<u64, Errno> {
        Ok(0)
    }
}

/// What the host sees and types.
#[derive(Default)]
pub struct FakeConsole {
    pub output: Vec<u8>,
    pub input: VecDeque<u8>,
    pub ended: bool,
    /// Bytes the queue takes before it is full; 0: without bound.
    pub room: usize,
}

impl ConsoleService for FakeConsole {
    fn write(&mut self, data: Bytes) -> Result<u64, Errno> {
        let bytes = data.as_slice();
        let n = match self.room {
            0 => bytes.len(),
            room => bytes.len().min(room.saturating_sub(self.output.len())),
        };
        self.output.extend_from_slice(&bytes[..n]);
        Ok(n as u64)
    }
    fn read(&mut self) -> Result<ConsoleInput, Errno> {
        let n = self.input.len().min(persona_ipc::CHUNK_BYTES);
        let bytes: Vec<u8> = self.input.drain(..n).collect();
        Ok(ConsoleInput {
            data: Chunk::new(&bytes),
            end: self.ended && self.input.is_empty(),
            resized: false,
            rows: 0,
            cols: 0,
        })
    }
    fn log(&mut self, _: u8, _: Bytes) -> Result<(), Errno> {
        Ok(())
    }
    fn trace(&mut self, _: Bytes) -> Result<(), Errno> {
        Ok(())
    }
    fn exit(&mut self, _: u8, _: i32) -> Result<(), Errno> {
        Ok(())
    }
    fn queued(&mut self) -> Result<u64, Errno> {
        Ok(0)
    }
}
