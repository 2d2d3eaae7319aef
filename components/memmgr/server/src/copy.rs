//! Moving bytes between programs' memory, objects and buffers.
//!
//! Copies bring pages in as the hardware would on an access, and stop at the first page that cannot be had.

use lsyscall_abi::Errno;

use crate::machine::Machine;
use crate::pagein::{fault_errno, Core};
use crate::space::Space;
use crate::vmo::{piece, write_end};

/// The end of what was done, or the error if nothing was.
fn partial(done: u64, errno: Errno) -> Result<u64, Errno> {
    if done == 0 {
        Err(errno)
    } else {
        Ok(done)
    }
}

impl<M: Machine> Core<M> {
    /// Copies user memory into `buf`; returns how many bytes, `EFAULT` if none.
    pub fn read_user(
        &mut self,
        space: &mut Space,
        addr: u64,
        buf: &mut [u8],
    ) -> Result<usize, Errno> {
        let mut done = 0;
        while done < buf.len() {
            let at = addr.wrapping_add(done as u64);
            let (_, within, n) = piece(at, (buf.len() - done) as u64);
            let result = self.readable(space, at).map_err(fault_errno);
            let part = &mut buf[done..done + n];
            match result {
                Ok(Some(frame)) => self.pool.read(frame, within, part)?,
                Ok(None) => part.fill(0),
                Err(errno) if done == 0 => return Err(errno),
                Err(_) => break,
            }
            done += n;
        }
        Ok(done)
    }

    /// Copies `data` into user memory; returns how many bytes, `EFAULT` if none.
    pub fn write_user(
        &mut self,
        space: &mut Space,
        addr: u64,
        data: &[u8],
    ) -> Result<usize, Errno> {
        let mut done = 0;
        while done < data.len() {
            let at = addr.wrapping_add(done as u64);
            let (_, within, n) = piece(at, (data.len() - done) as u64);
            match self.writable(space, at).map_err(fault_errno) {
                Ok(frame) => self.pool.write(frame, within, &data[done..done + n])?,
                Err(errno) if done == 0 => return Err(errno),
                Err(_) => break,
            }
            done += n;
        }
        Ok(done)
    }

    /// The little-endian word at an aligned user address.
    pub fn read_user_u32(&mut self, space: &mut Space, addr: u64) -> Result<u32, Errno> {
        let mut word = [0; 4];
        match self.read_user(space, addr, &mut word)? {
            4 => Ok(u32::from_le_bytes(word)),
            _ => Err(Errno::EFAULT),
        }
    }

    /// The little-endian word at a user address.
    pub fn read_user_u64(&mut self, space: &mut Space, addr: u64) -> Result<u64, Errno> {
        let mut word = [0; 8];
        match self.read_user(space, addr, &mut word)? {
            8 => Ok(u64::from_le_bytes(word)),
            _ => Err(Errno::EFAULT),
        }
    }

    /// Writes all of `data`, or fails.
    pub fn put_user(&mut self, space: &mut Space, addr: u64, data: &[u8]) -> Result<(), Errno> {
        match self.write_user(space, addr, data)? {
            n if n == data.len() => Ok(()),
            _ => Err(Errno::EFAULT),
        }
    }

    /// Moves bytes of an object, not beyond its size, to user memory.
    pub fn object_to_user(
        &mut self,
        id: u32,
        off: u64,
        space: &mut Space,
        addr: u64,
        len: u64,
    ) -> Result<u64, Errno> {
        let len = len.min(self.objects.get(id)?.size.saturating_sub(off));
        let mut done = 0;
        while done < len {
            let (page, from, n) = piece(off + done, len - done);
            let at = addr.wrapping_add(done);
            let (_, to, n) = piece(at, n as u64);
            let target = match self.writable(space, at) {
                Ok(frame) => frame,
                Err(kind) => return partial(done, fault_errno(kind)),
            };
            match self.objects.get(id)?.frame(page) {
                Some(frame) => self.pool.copy_part(frame, from, target, to, n)?,
                None => self.pool.clear(target, to, n)?,
            }
            done += n as u64;
        }
        Ok(done)
    }

    /// Moves user memory into an object, which grows as needed.
    pub fn user_to_object(
        &mut self,
        id: u32,
        off: u64,
        space: &mut Space,
        addr: u64,
        len: u64,
    ) -> Result<u64, Errno> {
        self.objects.get(id)?;
        write_end(off, len)?;
        let mut done = 0;
        while done < len {
            let at = addr.wrapping_add(done);
            let (page, to, n) = piece(off + done, len - done);
            let (_, from, n) = piece(at, n as u64);
            let source = match self.readable(space, at) {
                Ok(frame) => frame,
                Err(kind) => return partial(done, fault_errno(kind)),
            };
            let target = self
                .objects
                .get_mut(id)?
                .frame_to_write(page, n, &mut self.pool);
            let target = match target {
                Ok(frame) => frame,
                Err(errno) => return partial(done, errno),
            };
            match source {
                Some(frame) => self.pool.copy_part(frame, from, target, to, n)?,
                None => self.pool.clear(target, to, n)?,
            }
            done += n as u64;
            let object = self.objects.get_mut(id)?;
            object.size = object.size.max(off + done);
        }
        Ok(done)
    }

    /// Moves bytes between objects; the destination grows as needed, and stays sparse where the source is.
    pub fn object_copy(
        &mut self,
        from: u32,
        from_off: u64,
        to: u32,
        to_off: u64,
        len: u64,
    ) -> Result<u64, Errno> {
        let len = len.min(self.objects.get(from)?.size.saturating_sub(from_off));
        self.objects.get(to)?;
        write_end(to_off, len)?;
        let mut done = 0;
        while done < len {
            let (source_page, source_at, n) = piece(from_off + done, len - done);
            let (page, at, n) = piece(to_off + done, n as u64);
            let source = self.objects.get(from)?.frame(source_page);
            let object = self.objects.get_mut(to)?;
            match (source, object.frame(page)) {
                (None, None) => {}
                (None, Some(target)) => self.pool.clear(target, at, n)?,
                (Some(source), _) => {
                    let target = match object.frame_to_write(page, n, &mut self.pool) {
                        Ok(frame) => frame,
                        Err(errno) => return partial(done, errno),
                    };
                    self.pool.copy_part(source, source_at, target, at, n)?;
                }
            }
            done += n as u64;
            object.size = object.size.max(to_off + done);
        }
        Ok(done)
    }
}
