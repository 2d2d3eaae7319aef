//! Moving bytes from one description to another: sendfile(2), splice(2), copy_file_range(2).

use alloc::rc::Rc;

use console_api::Console;
use lsyscall_abi::consts::inotify::{IN_ACCESS, IN_MODIFY};
use lsyscall_abi::consts::MAX_RW_COUNT;
use lsyscall_abi::{Errno, OpenFlags, UserPtr};
use lsyscall_router::{Caller, Done, SysResult};
use memmgr_api::Memory;

use crate::file::{File, Object};
use crate::heap::buffer;
use crate::io::{Dst, Io, Src};
use crate::park::Wait;
use crate::vmo::VmoRef;
use crate::FsMgr;

/// Bytes moved through our own memory at a time, where no memory object can be handed on.
const BOUNCE: usize = 4096;
/// SPLICE_F_NONBLOCK.
pub(super) const SPLICE_NONBLOCK: u32 = 2;
/// All flags of splice(2).
pub(super) const SPLICE_ALL: u32 = 15;

/// A place bytes come from or go to, with the offset to use and where the program wants to be told of it.
struct End {
    file: Rc<File>,
    at: Option<u64>,
    tell: UserPtr<i64>,
}

impl<M: Memory, C: Console> FsMgr<M, C> {
    fn end(&self, c: &Caller, fd: i32, offset: UserPtr<i64>) -> Result<End, Errno> {
        let file = self.file(c, fd)?;
        file.not_path_only()?;
        let at = if offset.is_null() {
            None
        } else {
            let value: i64 = self.copy_in(c, offset.addr())?;
            if !file.seekable() {
                return Err(Errno::ESPIPE);
            }
            Some(u64::try_from(value).map_err(|_| Errno::EINVAL)?)
        };
        Ok(End {
            file,
            at,
            tell: offset,
        })
    }

    /// Moves up to `len` bytes once, as many as go without waiting. The outer error is the reader's, and `Ok(Io::Wait)` does
    /// not say whose fault it is: `from_waits` does.
    fn move_some(
        &mut self,
        c: &Caller,
        from: &Rc<File>,
        from_at: Option<u64>,
        to: &Rc<File>,
        to_at: Option<u64>,
        len: usize,
    ) -> Result<(Io, bool), Errno> {
        let thread = c.thread;
        match &from.object {
            Object::Regular => {
                let off = from_at.unwrap_or(from.pos.get());
                let inode = from.inode();
                let data = inode.data().ok_or(Errno::EINVAL)?;
                let left = data.size.get().saturating_sub(off);
                let len = len.min(usize::try_from(left).unwrap_or(usize::MAX));
                let vmo = data.vmo.borrow().as_ref().map(VmoRef::id);
                let Some(vmo) = vmo.filter(|_| len > 0) else {
                    return Ok((Io::Done(0), true));
                };
                let io = self.write_once(thread, to, Src::Vmo(vmo, off, len), to_at)?;
                if let (Io::Done(n), None) = (io, from_at) {
                    from.pos.set(off + n as u64);
                }
                self.accessed(from);
                Ok((io, false))
            }
            Object::Pipe(pipe) => {
                let (at, there) = pipe.ring.front();
                let len = len.min(there).min(pipe.front_run().len);
                let vmo = pipe.ring.vmo.borrow().as_ref().map(VmoRef::id);
                let Some(vmo) = vmo.filter(|_| len > 0) else {
                    let ended = pipe.writers.get() == 0;
                    return Ok((if ended { Io::Done(0) } else { Io::Wait }, true));
                };
                let io = self.write_once(thread, to, Src::Vmo(vmo, at as u64, len), to_at)?;
                if let Io::Done(n) = io {
                    pipe.ring.popped(n);
                    pipe.took(n, false);
                    pipe.queue.wake_for(lsyscall_abi::PollFlags::WRITES);
                }
                Ok((io, false))
            }
            _ => self.bounce(c, from, from_at, to, to_at, len),
        }
    }

    /// Moves a little through our own memory. What was read and finds no room is lost to a device that cannot take it back,
    /// so the room is asked for first.
    fn bounce(
        &mut self,
        c: &Caller,
        from: &Rc<File>,
        from_at: Option<u64>,
        to: &Rc<File>,
        to_at: Option<u64>,
        len: usize,
    ) -> Result<(Io, bool), Errno> {
        const OUT: u32 = lsyscall_abi::PollFlags::OUT.bits();
        const TROUBLE: u32 =
            lsyscall_abi::PollFlags::ERR.bits() | lsyscall_abi::PollFlags::HUP.bits();
        if self.poll_file(to, 0) & (OUT | TROUBLE) == 0 {
            return Ok((Io::Wait, false));
        }
        let mut buf = buffer(len.min(BOUNCE))?;
        let got = match self.read_once(c.thread, from, &mut Dst::Bytes(&mut buf), from_at, None)? {
            Io::Done(n) => n,
            other => return Ok((other, true)),
        };
        let mut done = 0;
        while done < got {
            let src = Src::Bytes(buf.get(done..got).unwrap_or_default());
            match self.write_once(c.thread, to, src, to_at.map(|at| at + done as u64)) {
                Ok(Io::Done(n)) if n > 0 => done += n,
                Ok(_) => break,
                Err(e) if done == 0 => return Err(e),
                Err(_) => break,
            }
        }
        if done < got && from_at.is_none() && from.seekable() {
            from.pos.set(from.pos.get() - (got - done) as u64);
        }
        Ok((Io::Done(done), true))
    }

    /// The loop of all three calls.
    #[allow(clippy::too_many_arguments)]
    fn transfer(
        &mut self,
        c: &Caller,
        from: End,
        to: End,
        len: usize,
        whole: bool,
        nonblock: bool,
        before: u64,
    ) -> SysResult {
        if !from.file.reads() || !to.file.writes() {
            return Err(Errno::EBADF);
        }
        let len = len.min(MAX_RW_COUNT);
        let mut done = usize::try_from(before).unwrap_or(len).min(len);
        let first = done;
        while done < len {
            let moved = (done - first) as u64;
            let (from_at, to_at) = (from.at.map(|at| at + moved), to.at.map(|at| at + moved));
            match self.move_some(c, &from.file, from_at, &to.file, to_at, len - done) {
                Ok((Io::Done(0), _)) => break,
                Ok((Io::Done(n), _)) => {
                    done += n;
                    from.file.path.dentry.notify(IN_ACCESS);
                    to.file.path.dentry.notify(IN_MODIFY);
                    if !whole {
                        break;
                    }
                }
                Ok((Io::Stop, _)) if done == 0 => return self.park_ticket(c, Wait::default()),
                Ok((_, from_waits)) => {
                    let blamed = if from_waits { &from.file } else { &to.file };
                    if done > 0 && (from_waits || nonblock || blamed.nonblocking()) {
                        break;
                    }
                    if nonblock || blamed.nonblocking() {
                        return Err(Errno::EAGAIN);
                    }
                    let (from, to) = self.told(c, from, to, (done - first) as u64)?;
                    let blamed = if from_waits { from.file } else { to.file };
                    return self.park_on(c, &blamed, done as u64);
                }
                Err(e) if done > 0 => {
                    let _ = e;
                    break;
                }
                Err(e) => return self.write_failed(c.thread, &to.file, e, 0),
            }
        }
        self.told(c, from, to, (done - first) as u64)?;
        Ok(done).done()
    }

    /// Tells the program how far its offsets have moved.
    fn told(&self, c: &Caller, from: End, to: End, moved: u64) -> Result<(End, End), Errno> {
        for end in [&from, &to] {
            if let Some(at) = end.at {
                self.copy_out(c, end.tell.addr(), &((at + moved) as i64))?;
            }
        }
        Ok((from, to))
    }

    /// Bytes moved before the call waited. The descriptions are looked up anew: two are worked on, and only one is kept.
    fn progress(&mut self) -> u64 {
        self.resumed.take().map_or(0, |parked| parked.progress)
    }

    pub(crate) fn sendfile_call(
        &mut self,
        c: &Caller,
        out_fd: i32,
        in_fd: i32,
        offset: UserPtr<i64>,
        count: usize,
    ) -> SysResult {
        let before = self.progress();
        let from = self.end(c, in_fd, offset)?;
        let to = self.end(c, out_fd, UserPtr::new(0))?;
        if !from.file.reads() {
            return Err(Errno::EBADF);
        }
        if !from.file.seekable() || matches!(from.file.object, Object::Directory) {
            return Err(Errno::EINVAL);
        }
        if to.file.flags().contains(OpenFlags::APPEND) && to.file.inode().is_file() {
            return Err(Errno::EINVAL);
        }
        self.transfer(c, from, to, count, true, false, before)
    }

    #[allow(clippy::too_many_arguments)]
    pub(crate) fn splice_call(
        &mut self,
        c: &Caller,
        from: (i32, UserPtr<i64>),
        to: (i32, UserPtr<i64>),
        len: usize,
        flags: u32,
    ) -> SysResult {
        let before = self.progress();
        if len == 0 {
            return Ok(0).done();
        }
        if flags & !SPLICE_ALL != 0 {
            return Err(Errno::EINVAL);
        }
        let from = self.end(c, from.0, from.1)?;
        let to = self.end(c, to.0, to.1)?;
        let pipe = |end: &End| match &end.file.object {
            Object::Pipe(pipe) => Some(Rc::clone(pipe)),
            _ => None,
        };
        match (pipe(&from), pipe(&to)) {
            (None, None) => return Err(Errno::EINVAL),
            (Some(a), Some(b)) if Rc::ptr_eq(&a, &b) => return Err(Errno::EINVAL),
            _ => {}
        }
        if to.file.flags().contains(OpenFlags::APPEND) {
            return Err(Errno::EINVAL);
        }
        let nonblock = flags & SPLICE_NONBLOCK != 0;
        self.transfer(c, from, to, len, false, nonblock, before)
    }

    pub(crate) fn copy_range_call(
        &mut self,
        c: &Caller,
        from: (i32, UserPtr<i64>),
        to: (i32, UserPtr<i64>),
        len: usize,
        flags: u32,
    ) -> SysResult {
        if flags != 0 {
            return Err(Errno::EINVAL);
        }
        let from = self.end(c, from.0, from.1)?;
        let to = self.end(c, to.0, to.1)?;
        for end in [&from, &to] {
            match end.file.object {
                Object::Regular => {}
                Object::Directory => return Err(Errno::EISDIR),
                _ => return Err(Errno::EINVAL),
            }
        }
        if to.file.flags().contains(OpenFlags::APPEND) {
            return Err(Errno::EBADF);
        }
        if Rc::ptr_eq(from.file.inode(), to.file.inode()) {
            let a = from.at.unwrap_or(from.file.pos.get());
            let b = to.at.unwrap_or(to.file.pos.get());
            let left = from.file.inode().size().saturating_sub(a).min(len as u64);
            if a < b.saturating_add(left) && b < a.saturating_add(left) {
                return Err(Errno::EINVAL);
            }
        }
        self.transfer(c, from, to, len, true, false, 0)
    }
}
