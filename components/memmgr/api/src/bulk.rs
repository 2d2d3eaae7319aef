//! User memory and object contents as byte slices, by either road.

use alloc::vec::Vec;

use lsyscall_abi::Errno;
use persona_ipc::{Chunk, Shared, Transport, CHUNK_BYTES};

use crate::{MemMgr, MemMgrClient, MemMgrService, Space, Vmo, PAGE_SIZE};

/// What the memory manager's server offers to callers of its own domain: copies straight to and from their slices.
pub trait DirectMemory {
    /// Copies from `addr` until `buf` is full or an unreadable page; returns the bytes copied, `EFAULT` if none.
    fn read_space(&mut self, from: Space, addr: u64, buf: &mut [u8]) -> Result<usize, Errno>;
    /// Copies to `addr`; as [`DirectMemory::read_space`].
    fn write_space(&mut self, to: Space, addr: u64, data: &[u8]) -> Result<usize, Errno>;
    /// Copies out of an object, not beyond its size.
    fn read_vmo(&mut self, vmo: Vmo, off: u64, buf: &mut [u8]) -> Result<usize, Errno>;
    /// Copies into an object, which grows as needed.
    fn write_vmo(&mut self, vmo: Vmo, off: u64, data: &[u8]) -> Result<usize, Errno>;
}

/// A buffer shared between a client's and a server's domain. Both sides may change it at any time.
pub trait SharedBuffer {
    /// Bytes of the buffer; 0 if there is none.
    fn buffer_len(&self) -> usize;
    /// Copies out; bytes beyond the end are left alone.
    fn buffer_read(&self, off: usize, buf: &mut [u8]);
    /// Copies in; bytes beyond the end are dropped.
    fn buffer_write(&self, off: usize, data: &[u8]);
}

/// User memory and objects as byte slices.
pub trait UserMemory {
    /// Copies from user memory; returns the bytes copied before the first unreadable page, `EFAULT` if none.
    fn read_some(&self, from: Space, addr: u64, buf: &mut [u8]) -> Result<usize, Errno>;
    /// Copies to user memory; as [`UserMemory::read_some`].
    fn write_some(&self, to: Space, addr: u64, data: &[u8]) -> Result<usize, Errno>;
    /// Copies out of an object, not beyond its size; returns the bytes copied.
    fn vmo_read(&self, vmo: Vmo, off: u64, buf: &mut [u8]) -> Result<usize, Errno>;
    /// Copies into an object, which grows as needed.
    fn vmo_write(&self, vmo: Vmo, off: u64, data: &[u8]) -> Result<usize, Errno>;

    /// Copies all of `buf` from user memory or fails with `EFAULT`.
    fn copy_in(&self, from: Space, addr: u64, buf: &mut [u8]) -> Result<(), Errno> {
        if buf.is_empty() || self.read_some(from, addr, buf)? == buf.len() {
            Ok(())
        } else {
            Err(Errno::EFAULT)
        }
    }

    /// Copies all of `data` to user memory or fails with `EFAULT`.
    fn copy_out(&self, to: Space, addr: u64, data: &[u8]) -> Result<(), Errno> {
        if data.is_empty() || self.write_some(to, addr, data)? == data.len() {
            Ok(())
        } else {
            Err(Errno::EFAULT)
        }
    }

    /// A little-endian word of user memory.
    fn read_u64(&self, from: Space, addr: u64) -> Result<u64, Errno> {
        let mut word = [0; 8];
        self.copy_in(from, addr, &mut word)?;
        Ok(u64::from_le_bytes(word))
    }

    /// A little-endian half word of user memory.
    fn read_u32(&self, from: Space, addr: u64) -> Result<u32, Errno> {
        let mut word = [0; 4];
        self.copy_in(from, addr, &mut word)?;
        Ok(u32::from_le_bytes(word))
    }

    /// A string up to its NUL, which is left out. `ENAMETOOLONG` if `max` bytes hold no NUL, `EFAULT`.
    fn read_cstr(&self, from: Space, addr: u64, max: usize) -> Result<Vec<u8>, Errno> {
        let mut out = Vec::new();
        let mut at = addr;
        let mut piece = [0u8; 256];
        loop {
            let to_page_end = (PAGE_SIZE - at % PAGE_SIZE) as usize;
            let want = to_page_end.min(piece.len()).min(max - out.len());
            if want == 0 {
                return Err(Errno::ENAMETOOLONG);
            }
            let got = self.read_some(from, at, &mut piece[..want])?;
            if let Some(end) = piece[..got].iter().position(|&b| b == 0) {
                out.extend_from_slice(&piece[..end]);
                return Ok(out);
            }
            out.extend_from_slice(&piece[..got]);
            at = at.checked_add(got as u64).ok_or(Errno::EFAULT)?;
        }
    }
}

/// All a component needs of the memory manager.
pub trait Memory: MemMgr + UserMemory + Clone {}
impl<T: MemMgr + UserMemory + Clone> Memory for T {}

impl<S: MemMgrService + DirectMemory> UserMemory for Shared<S> {
    #[inline]
    fn read_some(&self, from: Space, addr: u64, buf: &mut [u8]) -> Result<usize, Errno> {
        self.server().read_space(from, addr, buf)
    }
    #[inline]
    fn write_some(&self, to: Space, addr: u64, data: &[u8]) -> Result<usize, Errno> {
        self.server().write_space(to, addr, data)
    }
    fn vmo_read(&self, vmo: Vmo, off: u64, buf: &mut [u8]) -> Result<usize, Errno> {
        self.server().read_vmo(vmo, off, buf)
    }
    fn vmo_write(&self, vmo: Vmo, off: u64, data: &[u8]) -> Result<usize, Errno> {
        self.server().write_vmo(vmo, off, data)
    }
}

/// Moves a slice in pieces the shared buffer holds; stops at the first short piece. An error after some bytes went is short.
fn in_pieces(
    len: usize,
    piece: usize,
    mut step: impl FnMut(usize, usize) -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    let mut done = 0;
    while done < len {
        let want = (len - done).min(piece);
        match step(done, want) {
            Ok(got) if got == want => done += got,
            Ok(got) => return Ok(done + got.min(want)),
            Err(errno) if done == 0 => return Err(errno),
            Err(_) => return Ok(done),
        }
    }
    Ok(done)
}

impl<T: Transport + SharedBuffer> UserMemory for MemMgrClient<T> {
    fn read_some(&self, from: Space, addr: u64, buf: &mut [u8]) -> Result<usize, Errno> {
        if (1..=16).contains(&buf.len()) {
            let (low, high) = self.fetch_small(from, addr, buf.len() as u8)?;
            let mut bytes = [0u8; 16];
            bytes[..8].copy_from_slice(&low.to_le_bytes());
            bytes[8..].copy_from_slice(&high.to_le_bytes());
            let n = buf.len();
            buf.copy_from_slice(&bytes[..n]);
            return Ok(n);
        }
        let bulk = self.0.buffer_len();
        if bulk > 0 && buf.len() > CHUNK_BYTES {
            return in_pieces(buf.len(), bulk, |done, want| {
                let got =
                    self.fetch_bulk(from, addr.wrapping_add(done as u64), want as u64)? as usize;
                let got = got.min(want);
                self.0.buffer_read(0, &mut buf[done..done + got]);
                Ok(got)
            });
        }
        in_pieces(buf.len(), CHUNK_BYTES, |done, want| {
            let chunk = self.fetch(from, addr.wrapping_add(done as u64), want as u64)?;
            let got = chunk.as_slice().len().min(want);
            buf[done..done + got].copy_from_slice(&chunk.as_slice()[..got]);
            Ok(got)
        })
    }

    fn write_some(&self, to: Space, addr: u64, data: &[u8]) -> Result<usize, Errno> {
        let bulk = self.0.buffer_len();
        if bulk > 0 && data.len() > CHUNK_BYTES {
            return in_pieces(data.len(), bulk, |done, want| {
                self.0.buffer_write(0, &data[done..done + want]);
                Ok(self.store_bulk(to, addr.wrapping_add(done as u64), want as u64)? as usize)
            });
        }
        in_pieces(data.len(), CHUNK_BYTES, |done, want| {
            let chunk = Chunk::new(&data[done..done + want]);
            Ok(self.store(to, addr.wrapping_add(done as u64), chunk)? as usize)
        })
    }

    fn vmo_read(&self, vmo: Vmo, off: u64, buf: &mut [u8]) -> Result<usize, Errno> {
        in_pieces(buf.len(), self.0.buffer_len().max(1), |done, want| {
            let got = (self.vmo_fetch(vmo, off + done as u64, want as u64)? as usize).min(want);
            self.0.buffer_read(0, &mut buf[done..done + got]);
            Ok(got)
        })
    }

    fn vmo_write(&self, vmo: Vmo, off: u64, data: &[u8]) -> Result<usize, Errno> {
        in_pieces(data.len(), self.0.buffer_len().max(1), |done, want| {
            self.0.buffer_write(0, &data[done..done + want]);
            Ok(self.vmo_store(vmo, off + done as u64, want as u64)? as usize)
        })
    }
}
