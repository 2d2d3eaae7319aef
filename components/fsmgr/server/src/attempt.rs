//! One attempt to read from or write to a description: never waits, says so instead.

use alloc::rc::Rc;

use console_api::Console;
use lsyscall_abi::consts::cap::CAP_FSETID;
use lsyscall_abi::consts::mode::{S_ISGID, S_ISUID};
use lsyscall_abi::consts::seals::{F_SEAL_FUTURE_WRITE, F_SEAL_GROW, F_SEAL_WRITE};
use lsyscall_abi::{Errno, MountFlags, OpenFlags, PollFlags, ThreadIdx};
use memmgr_api::{Memory, Vmo};
use persona_ipc::Chunk;

use crate::file::{File, Object};
use crate::inode::{Inode, Time};
use crate::io::{Dst, Io, Src};
use crate::perm;
use crate::pipe::{Pipe, Ring, PIPE_BUF};
use crate::signal;
use crate::vmo::VmoRef;
use crate::FsMgr;

/// Files are not longer than this.
pub const MAX_FILE_SIZE: u64 = 1 << 42;
/// Size of the object that reads of zeros come from.
const ZERO_BYTES: usize = 1 << 24;
/// Below this, zeros are copied from here.
const SMALL: usize = 512;
/// Seconds after which a read updates an access time that is newer than the modification (relatime).
const DAY: i64 = 86_400;

impl<M: Memory, C: Console> FsMgr<M, C> {
    /// One attempt to read. `at`: where, instead of the description's offset. `deadline`: the call has waited, up to then
    /// at most.
    pub(crate) fn read_once(
        &mut self,
        thread: ThreadIdx,
        file: &Rc<File>,
        dst: &mut Dst<'_>,
        at: Option<u64>,
        deadline: Option<u64>,
    ) -> Result<Io, Errno> {
        match &file.object {
            Object::Regular => self.read_regular(file, dst, at),
            Object::Pipe(pipe) => self.read_pipe(file, pipe, dst),
            Object::Null => Ok(Io::Done(0)),
            Object::Zero | Object::Full => self.read_zeros(dst),
            Object::Random => self.read_random(dst),
            Object::Tty(tty) => self.read_tty(thread, file, &Rc::clone(tty), dst, deadline),
            Object::Master(tty) => {
                let tty = Rc::clone(tty);
                match &tty.master {
                    Some(master) => self.read_master(&tty, master, dst),
                    None => Err(Errno::EIO),
                }
            }
            Object::Host(host) => self.read_host(&Rc::clone(host), dst),
            Object::Proc(_) => self.read_proc(thread, file, dst, at),
            Object::Event(event) => {
                if dst.len() < 8 {
                    return Err(Errno::EINVAL);
                }
                let Some(value) = event.take() else {
                    return Ok(Io::Wait);
                };
                dst.take_bytes(&self.mem, 0, &value.to_le_bytes())
                    .map(Io::Done)
            }
            Object::Timer(timer) => {
                if dst.len() < 8 {
                    return Err(Errno::EINVAL);
                }
                let before = timer.next.get();
                timer.advance(self.now());
                let ticks = timer.ticks.take();
                self.timers.rearmed(timer, before);
                if timer.canceled.take() {
                    return Err(Errno::ECANCELED);
                }
                if ticks == 0 {
                    return Ok(Io::Wait);
                }
                dst.take_bytes(&self.mem, 0, &ticks.to_le_bytes())
                    .map(Io::Done)
            }
            Object::Signal(signal) => self.read_signal(thread, signal.mask.get(), dst),
            Object::Socket(socket) => self.read_socket(&Rc::clone(socket), dst),
            Object::Directory => Err(Errno::EISDIR),
            Object::PathOnly => Err(Errno::EBADF),
            Object::Inotify(inotify) => match inotify.take(dst.len())? {
                Some(events) => dst.take_bytes(&self.mem, 0, &events).map(Io::Done),
                None => Ok(Io::Wait),
            },
            Object::Epoll(_) | Object::Process(_) | Object::Mq(_) => Err(Errno::EINVAL),
            Object::Log => Ok(Io::Done(0)),
        }
    }

    /// One attempt to write; as [`FsMgr::read_once`].
    pub(crate) fn write_once(
        &mut self,
        thread: ThreadIdx,
        file: &Rc<File>,
        src: Src<'_>,
        at: Option<u64>,
    ) -> Result<Io, Errno> {
        match &file.object {
            Object::Regular => self.write_regular(thread, file, src, at),
            Object::Pipe(pipe) => self.write_pipe(file, pipe, src),
            Object::Null | Object::Zero => Ok(Io::Done(src.len())),
            Object::Full => Err(Errno::ENOSPC),
            Object::Random => {
                let mut seed = [0; 64];
                let n = src.to_buf(&self.mem, &mut seed)?;
                self.random.mix(seed.get(..n).unwrap_or_default());
                Ok(Io::Done(src.len()))
            }
            Object::Tty(tty) => self.write_tty(thread, &Rc::clone(tty), src),
            Object::Master(tty) => {
                let tty = Rc::clone(tty);
                match &tty.master {
                    Some(master) => self.write_master(&tty, master, src),
                    None => Err(Errno::EIO),
                }
            }
            Object::Host(host) => self.write_host(&Rc::clone(host), src),
            Object::Proc(_) => self.write_proc(thread, file, src),
            Object::Event(event) => {
                let mut word = [0; 8];
                if src.len() < 8 || src.to_buf(&self.mem, &mut word)? < 8 {
                    return Err(Errno::EINVAL);
                }
                let value = u64::from_le_bytes(word);
                if value == u64::MAX {
                    return Err(Errno::EINVAL);
                }
                Ok(if event.add(value) {
                    Io::Done(8)
                } else {
                    Io::Wait
                })
            }
            Object::Socket(socket) => self.write_socket(thread, &Rc::clone(socket), src),
            Object::Directory | Object::PathOnly => Err(Errno::EBADF),
            Object::Inotify(_) => Err(Errno::EBADF),
            Object::Timer(_)
            | Object::Epoll(_)
            | Object::Signal(_)
            | Object::Process(_)
            | Object::Mq(_) => Err(Errno::EINVAL),
            Object::Log => {
                let mut line = [0; 512];
                let n = src.to_buf(&self.mem, &mut line)?;
                let text = Chunk::new(line.get(..n).unwrap_or_default());
                let _ = self.console.log(3, text);
                Ok(Io::Done(src.len()))
            }
        }
    }

    fn read_regular(
        &mut self,
        file: &File,
        dst: &mut Dst<'_>,
        at: Option<u64>,
    ) -> Result<Io, Errno> {
        let inode = file.inode();
        let data = inode.data().ok_or(Errno::EINVAL)?;
        let off = at.unwrap_or(file.pos.get());
        let left = data.size.get().saturating_sub(off);
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(dst.len());
        let slot = data.vmo.borrow();
        let moved = match slot.as_ref() {
            Some(vmo) if len > 0 => dst.take_vmo(&self.mem, 0, vmo.id(), off, len)?,
            _ => 0,
        };
        if at.is_none() {
            file.pos.set(off + moved as u64);
        }
        self.accessed(file);
        Ok(Io::Done(moved))
    }

    /// Updates an access time as `relatime` does.
    pub(crate) fn accessed(&self, file: &File) {
        let inode = file.inode();
        let (atime, mtime, ctime) = (inode.atime.get(), inode.mtime.get(), inode.ctime.get());
        let quiet = file.flags().contains(OpenFlags::NOATIME)
            || file.path.mount.has(MountFlags::NOATIME)
            || file.path.mount.readonly();
        let strict = file.path.mount.has(MountFlags::STRICTATIME);
        if quiet || (atime > mtime && atime > ctime && !strict && !self.older_than_a_day(atime)) {
            return;
        }
        inode.atime.set(self.time());
    }

    fn older_than_a_day(&self, time: Time) -> bool {
        self.time().sec.saturating_sub(time.sec) >= DAY
    }

    /// The memory object of a regular file, made if there is none.
    pub(crate) fn contents(&self, inode: &Inode) -> Result<Vmo, Errno> {
        let data = inode.data().ok_or(Errno::EINVAL)?;
        let mut slot = data.vmo.borrow_mut();
        if let Some(vmo) = slot.as_ref() {
            return Ok(vmo.id());
        }
        let vmo = self.mem.vmo_create(data.size.get())?;
        *slot = Some(VmoRef::new(vmo, &inode.sb.graveyard));
        Ok(vmo)
    }

    fn write_regular(
        &mut self,
        thread: ThreadIdx,
        file: &File,
        src: Src<'_>,
        at: Option<u64>,
    ) -> Result<Io, Errno> {
        let inode = file.inode();
        let data = inode.data().ok_or(Errno::EINVAL)?;
        let mut len = src.len();
        if len == 0 {
            return Ok(Io::Done(0));
        }
        let size = data.size.get();
        let off = if file.flags().contains(OpenFlags::APPEND) {
            size
        } else {
            at.unwrap_or(file.pos.get())
        };
        let (limit, creds) = {
            let thread = self.tasks.get(thread)?;
            let limit = thread.files.borrow().fsize.min(MAX_FILE_SIZE);
            (limit, Rc::clone(&thread.creds))
        };
        let room = limit.checked_sub(off).filter(|r| *r > 0);
        len = len.min(usize::try_from(room.ok_or(Errno::EFBIG)?).unwrap_or(usize::MAX));
        let seals = data.seals.get();
        if seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) != 0 {
            return Err(Errno::EPERM);
        }
        let end = off + len as u64;
        if end > size && seals & F_SEAL_GROW != 0 {
            let room = size.checked_sub(off).filter(|r| *r > 0);
            len = room.ok_or(Errno::EPERM)? as usize;
        }
        let growth = end.saturating_sub(size);
        let sb = &inode.sb;
        if growth > sb.size_limit.get().saturating_sub(sb.used.get()) {
            return Err(Errno::ENOSPC);
        }
        let vmo = self.contents(inode).map_err(no_space)?;
        let moved = src
            .part(0, len)
            .to_vmo(&self.mem, vmo, off)
            .map_err(no_space)?;
        if moved == 0 {
            return Err(Errno::EFAULT);
        }
        if off > size {
            data.dense.set(false);
        }
        self.grown(inode, off + moved as u64);
        inode.touch(self.time());
        let mode = inode.mode.get();
        if mode & (S_ISUID | S_ISGID) != 0 && !perm::capable(&creds, CAP_FSETID) {
            inode.mode.set(perm::without_set_id(mode));
        }
        Self::drop_file_caps(inode);
        if at.is_none() {
            file.pos.set(off + moved as u64);
        }
        Ok(Io::Done(moved))
    }

    /// A regular file reaches at least up to `end` now.
    pub(crate) fn grown(&self, inode: &Inode, end: u64) {
        if let Some(data) = inode.data() {
            let size = data.size.get();
            if end > size {
                data.size.set(end);
                inode.sb.used.set(inode.sb.used.get() + (end - size));
            }
        }
    }

    /// A signal procmgr has taken for the call; if it was not asked yet, and one seems to be pending, it is to be asked.
    fn read_signal(
        &mut self,
        thread: ThreadIdx,
        mask: u64,
        dst: &mut Dst<'_>,
    ) -> Result<Io, Errno> {
        if dst.len() < signal::INFO {
            return Err(Errno::EINVAL);
        }
        let state = &self.tasks.get(thread)?.signals;
        match state.answer.take() {
            Some(Some(taken)) => dst
                .take_bytes(&self.mem, 0, &signal::info(&taken))
                .map(Io::Done),
            Some(None) => Ok(Io::Wait),
            None if state.pending.get() & mask == 0 => Ok(Io::Wait),
            None => Ok(Io::TakeSignal(mask)),
        }
    }

    fn read_zeros(&mut self, dst: &mut Dst<'_>) -> Result<Io, Errno> {
        let len = dst.len();
        if let Dst::Bytes(bytes) = dst {
            bytes.fill(0);
            return Ok(Io::Done(len));
        }
        if len <= SMALL {
            return dst.take_bytes(&self.mem, 0, &[0; SMALL]).map(Io::Done);
        }
        let vmo = match self.zeros {
            Some(vmo) => vmo,
            None => *self.zeros.insert(self.mem.vmo_create(ZERO_BYTES as u64)?),
        };
        let mut done = 0;
        while done < len {
            match dst.take_vmo(&self.mem, done, vmo, 0, (len - done).min(ZERO_BYTES)) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if done == 0 => return Err(e),
                Err(_) => break,
            }
        }
        Ok(Io::Done(done))
    }

    fn read_random(&mut self, dst: &mut Dst<'_>) -> Result<Io, Errno> {
        let len = dst.len();
        let mut done = 0;
        while done < len {
            let piece = self.random.bytes((len - done).min(4096));
            match dst.take_bytes(&self.mem, done, &piece) {
                Ok(n) => {
                    done += n;
                    if n < piece.len() {
                        break;
                    }
                }
                Err(e) if done == 0 => return Err(e),
                Err(_) => break,
            }
        }
        Ok(Io::Done(done))
    }

    fn read_pipe(&mut self, file: &File, pipe: &Pipe, dst: &mut Dst<'_>) -> Result<Io, Errno> {
        if pipe.ring.is_empty() {
            return Ok(if pipe.writers.get() == 0 {
                Io::Done(0)
            } else {
                Io::Wait
            });
        }
        let moved = self.ring_take(&pipe.ring, dst, pipe.front_run().len)?;
        pipe.took(moved, true);
        file.inode().atime.set(self.time());
        pipe.queue.wake_for(PollFlags::WRITES);
        Ok(Io::Done(moved))
    }

    fn write_pipe(&mut self, file: &File, pipe: &Pipe, src: Src<'_>) -> Result<Io, Errno> {
        if pipe.readers.get() == 0 {
            return Err(Errno::EPIPE);
        }
        // One packet at a time; a longer write is several.
        let packet = file.flags().contains(OpenFlags::DIRECT);
        let src = if packet { src.part(0, PIPE_BUF) } else { src };
        let len = src.len();
        let room = pipe.ring.room();
        if packet && !pipe.takes_packet() {
            return Ok(Io::Wait);
        }
        if room == 0 || (len <= PIPE_BUF && room < len) {
            return Ok(Io::Wait);
        }
        let moved = self.ring_put(&pipe.ring, src, &file.inode().sb.graveyard.clone())?;
        pipe.wrote(moved, packet);
        file.inode().touch(self.time());
        pipe.queue.wake_for(PollFlags::READS);
        Ok(Io::Done(moved))
    }

    /// Moves as much as fits to the back of a ring. `EFAULT`, `ENOMEM`.
    pub(crate) fn ring_put(
        &self,
        ring: &Ring,
        src: Src<'_>,
        graveyard: &Rc<crate::vmo::Graveyard>,
    ) -> Result<usize, Errno> {
        let known = ring.vmo.borrow().as_ref().map(VmoRef::id);
        let vmo = match known {
            Some(vmo) => vmo,
            None => {
                let vmo = self.mem.vmo_create(ring.capacity() as u64)?;
                ring.vmo.replace(Some(VmoRef::new(vmo, graveyard)));
                vmo
            }
        };
        let mut done = 0;
        while done < src.len() {
            let (at, fits) = ring.back();
            let part = src.part(done, fits);
            if part.len() == 0 {
                break;
            }
            match part.to_vmo(&self.mem, vmo, at as u64) {
                Ok(0) => break,
                Ok(n) => {
                    ring.pushed(n);
                    done += n;
                    if n < part.len() {
                        break;
                    }
                }
                Err(e) if done == 0 => return Err(e),
                Err(_) => break,
            }
        }
        if done == 0 && src.len() > 0 {
            return Err(Errno::EFAULT);
        }
        Ok(done)
    }

    /// Moves as much as there is, and at most `most` bytes, from the front of a ring. `EFAULT`.
    pub(crate) fn ring_take(
        &self,
        ring: &Ring,
        dst: &mut Dst<'_>,
        most: usize,
    ) -> Result<usize, Errno> {
        let Some(vmo) = ring.vmo.borrow().as_ref().map(VmoRef::id) else {
            return Ok(0);
        };
        let mut done = 0;
        let len = dst.len().min(most);
        while done < len {
            let (at, there) = ring.front();
            let want = there.min(len - done);
            if want == 0 {
                break;
            }
            match dst.take_vmo(&self.mem, done, vmo, at as u64, want) {
                Ok(0) => break,
                Ok(n) => {
                    ring.popped(n);
                    done += n;
                    if n < want {
                        break;
                    }
                }
                Err(e) if done == 0 => return Err(e),
                Err(_) => break,
            }
        }
        Ok(done)
    }
}

/// Short of memory means a full file system to those who write files.
pub(crate) fn no_space(e: Errno) -> Errno {
    match e {
        Errno::ENOMEM => Errno::ENOSPC,
        e => e,
    }
}
