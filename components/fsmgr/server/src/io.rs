//! Where bytes come from and go to. Whatever the two ends are, the memory manager moves each byte once if it can.

use lsyscall_abi::{Errno, ThreadIdx};
use memmgr_api::{Memory, Space, Vmo};

/// Bytes to be written somewhere.
#[derive(Clone, Copy)]
pub enum Src<'a> {
    /// User memory: address and length.
    User(ThreadIdx, u64, usize),
    /// A memory object: offset and length.
    Vmo(Vmo, u64, usize),
    /// Ours.
    Bytes(&'a [u8]),
}

impl<'a> Src<'a> {
    /// Bytes.
    pub fn len(&self) -> usize {
        match self {
            Src::User(_, _, len) | Src::Vmo(_, _, len) => *len,
            Src::Bytes(bytes) => bytes.len(),
        }
    }

    /// At most `len` of them, from `from` on.
    #[must_use]
    pub fn part(self, from: usize, len: usize) -> Src<'a> {
        let from = from.min(self.len());
        let len = len.min(self.len() - from);
        match self {
            Src::User(thread, addr, _) => Src::User(thread, addr.wrapping_add(from as u64), len),
            Src::Vmo(vmo, off, _) => Src::Vmo(vmo, off + from as u64, len),
            Src::Bytes(bytes) => Src::Bytes(&bytes[from..from + len]),
        }
    }

    /// Moves them into an object at `off`. Returns how many; `EFAULT`, `ENOMEM`.
    pub fn to_vmo<M: Memory>(self, mem: &M, vmo: Vmo, off: u64) -> Result<usize, Errno> {
        let asked = self.len();
        let moved = match self {
            _ if asked == 0 => 0,
            Src::User(thread, addr, len) => {
                mem.user_to_vmo(vmo, off, Space::Thread(thread), addr, len as u64)? as usize
            }
            Src::Vmo(from, from_off, len) => {
                mem.vmo_copy(from, from_off, vmo, off, len as u64)? as usize
            }
            Src::Bytes(bytes) => mem.vmo_write(vmo, off, bytes)?,
        };
        Ok(moved.min(asked))
    }

    /// Moves as many of them as fit into our buffer. Returns how many; `EFAULT`.
    pub fn to_buf<M: Memory>(self, mem: &M, buf: &mut [u8]) -> Result<usize, Errno> {
        let len = self.len().min(buf.len());
        let Some(buf) = buf.get_mut(..len).filter(|b| !b.is_empty()) else {
            return Ok(0);
        };
        let moved = match self {
            Src::User(thread, addr, _) => mem.read_some(Space::Thread(thread), addr, buf)?,
            Src::Vmo(vmo, off, _) => mem.vmo_read(vmo, off, buf)?,
            Src::Bytes(bytes) => {
                buf.copy_from_slice(&bytes[..len]);
                len
            }
        };
        Ok(moved.min(len))
    }
}

/// A place bytes are read into.
pub enum Dst<'a> {
    /// User memory: address and length.
    User(ThreadIdx, u64, usize),
    /// Ours.
    Bytes(&'a mut [u8]),
}

impl Dst<'_> {
    /// Room in bytes.
    pub fn len(&self) -> usize {
        match self {
            Dst::User(_, _, len) => *len,
            Dst::Bytes(bytes) => bytes.len(),
        }
    }

    /// Moves bytes of an object to `at` of the place. Returns how many; `EFAULT`.
    pub fn take_vmo<M: Memory>(
        &mut self,
        mem: &M,
        at: usize,
        vmo: Vmo,
        off: u64,
        len: usize,
    ) -> Result<usize, Errno> {
        let len = len.min(self.len().saturating_sub(at));
        if len == 0 {
            return Ok(0);
        }
        let moved = match self {
            Dst::User(thread, addr, _) => {
                let addr = addr.wrapping_add(at as u64);
                mem.vmo_to_user(vmo, off, Space::Thread(*thread), addr, len as u64)? as usize
            }
            Dst::Bytes(bytes) => mem.vmo_read(vmo, off, &mut bytes[at..at + len])?,
        };
        Ok(moved.min(len))
    }

    /// Copies our bytes to `at` of the place. Returns how many; `EFAULT`.
    pub fn take_bytes<M: Memory>(
        &mut self,
        mem: &M,
        at: usize,
        data: &[u8],
    ) -> Result<usize, Errno> {
        let len = data.len().min(self.len().saturating_sub(at));
        if len == 0 {
            return Ok(0);
        }
        match self {
            Dst::User(thread, addr, _) => {
                let addr = addr.wrapping_add(at as u64);
                mem.write_some(Space::Thread(*thread), addr, &data[..len])
            }
            Dst::Bytes(bytes) => {
                bytes[at..at + len].copy_from_slice(&data[..len]);
                Ok(len)
            }
        }
    }
}

/// What became of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Io {
    /// So many bytes went; 0 at the end of the file.
    Done(usize),
    /// Nothing can go now.
    Wait,
    /// The caller's process group was sent a signal that stops it: the call waits for that signal alone.
    Stop,
    /// procmgr has to take one of these signals for the call first.
    TakeSignal(u64),
}
