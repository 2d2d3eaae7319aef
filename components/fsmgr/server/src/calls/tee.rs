//! Pipes fed from and emptied into memory, and copied: vmsplice(2), tee(2).

use alloc::rc::Rc;

use console_api::Console;
use lsyscall_abi::consts::MAX_RW_COUNT;
use lsyscall_abi::{Errno, Iovec, UserArray};
use lsyscall_router::{Caller, Done, SysResult};
use memmgr_api::Memory;

use super::splice::{SPLICE_ALL, SPLICE_NONBLOCK};
use crate::file::{File, Object};
use crate::io::{Io, Src};
use crate::pipe::Pipe;
use crate::vmo::VmoRef;
use crate::FsMgr;

fn pipe_of(file: &File) -> Option<Rc<Pipe>> {
    match &file.object {
        Object::Pipe(pipe) => Some(Rc::clone(pipe)),
        _ => None,
    }
}

impl<M: Memory, C: Console> FsMgr<M, C> {
    pub(crate) fn vmsplice_call(
        &mut self,
        c: &Caller,
        fd: i32,
        iov: UserArray<Iovec>,
        flags: u32,
    ) -> SysResult {
        if flags & !SPLICE_ALL != 0 {
            return Err(Errno::EINVAL);
        }
        let nonblock = flags & SPLICE_NONBLOCK != 0;
        // A call that has waited goes on with the description it had.
        let (file, before) = self.blocking_file(c, fd)?;
        if !file.writes() && !file.reads() {
            return Err(Errno::EBADF);
        }
        let pieces = self.pieces(c, iov)?;
        if pieces.total() == 0 {
            return Ok(0).done();
        }
        if pipe_of(&file).is_none() {
            return Err(Errno::EBADF);
        }
        if !file.writes() {
            return self.read_from(c, file, before, &pieces, None, nonblock);
        }
        let mut done = 0;
        'all: for piece in pieces.as_slice() {
            let mut src = Src::User(c.thread, piece.addr, piece.len);
            while src.len() > 0 {
                match self.write_once(c.thread, &file, src, None) {
                    Ok(Io::Done(n)) if n > 0 => {
                        done += n;
                        src = src.part(n, usize::MAX);
                    }
                    Ok(Io::Wait) if done == 0 && !nonblock => return self.park_on(c, &file, 0),
                    Ok(Io::Wait) if done == 0 => return Err(Errno::EAGAIN),
                    Err(e) if done == 0 => return self.write_failed(c.thread, &file, e, 0),
                    _ => break 'all,
                }
            }
        }
        Ok(done).done()
    }

    pub(crate) fn tee_call(
        &mut self,
        c: &Caller,
        from_fd: i32,
        to_fd: i32,
        len: usize,
        flags: u32,
    ) -> SysResult {
        self.resumed = None;
        if flags & !SPLICE_ALL != 0 {
            return Err(Errno::EINVAL);
        }
        if len == 0 {
            return Ok(0).done();
        }
        let (from, to) = (self.file(c, from_fd)?, self.file(c, to_fd)?);
        if !from.reads() || !to.writes() {
            return Err(Errno::EBADF);
        }
        let (Some(source), Some(target)) = (pipe_of(&from), pipe_of(&to)) else {
            return Err(Errno::EINVAL);
        };
        if Rc::ptr_eq(&source, &target) {
            return Err(Errno::EINVAL);
        }
        let nonblock = flags & SPLICE_NONBLOCK != 0 || from.nonblocking() || to.nonblocking();
        let wait = |this: &mut Self, on: &Rc<File>| {
            if nonblock {
                Err(Errno::EAGAIN)
            } else {
                this.park_on(c, on, 0)
            }
        };
        if source.ring.is_empty() {
            if source.writers.get() == 0 {
                return Ok(0).done();
            }
            return wait(self, &from);
        }
        let vmo = source.ring.vmo.borrow().as_ref().map(VmoRef::id);
        let vmo = vmo.ok_or(Errno::EIO)?;
        let len = len.min(MAX_RW_COUNT).min(source.ring.len());
        let (at, straight) = source.ring.front();
        let spans = [(at, straight.min(len)), (0, len.saturating_sub(straight))];
        let mut done = 0;
        for (at, len) in spans {
            // What fits, and not less for the sake of one piece: these are pages, not a message.
            let len = len.min(target.ring.room());
            if len == 0 {
                continue;
            }
            match self.write_once(c.thread, &to, Src::Vmo(vmo, at as u64, len), None) {
                Ok(Io::Done(n)) => {
                    done += n;
                    if n < len {
                        break;
                    }
                }
                Ok(_) => break,
                Err(e) if done == 0 => return self.write_failed(c.thread, &to, e, 0),
                Err(_) => break,
            }
        }
        if done == 0 {
            if target.readers.get() == 0 {
                return self.write_failed(c.thread, &to, Errno::EPIPE, 0);
            }
            return wait(self, &to);
        }
        Ok(done).done()
    }
}
