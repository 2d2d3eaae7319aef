//! read(2), write(2) and their relatives: the loop around single attempts.

use alloc::rc::Rc;
use alloc::vec::Vec;

use console_api::Console;
use fsmgr_api::Target;
use lsyscall_abi::consts::inotify::{IN_ACCESS, IN_MODIFY};
use lsyscall_abi::consts::seek::{SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE, SEEK_SET};
use lsyscall_abi::consts::{IOV_MAX, MAX_RW_COUNT};
use lsyscall_abi::signal::{SIGPIPE, SIGXFSZ};
use lsyscall_abi::{Errno, Iovec, ThreadIdx, UserArray, UserSlice};
use lsyscall_router::{Caller, Done, SysResult};
use memmgr_api::{Memory, Space};

use crate::file::{File, Object};
use crate::heap::buffer;
use crate::io::{Dst, Io, Src};
use crate::park::{Before, Wait};
use crate::pipe::PIPE_BUF;
use crate::signal;
use crate::vmo::VmoRef;
use crate::FsMgr;

/// End of the addresses user memory can have on arm64: what reaches beyond is refused before anything is moved.
const ADDRESS_END: u64 = 1 << 48;
/// Flags of preadv2 and pwritev2 that are taken as hints: RWF_HIPRI, RWF_DSYNC, RWF_SYNC.
const RWF_HINTS: u32 = 0x1 | 0x2 | 0x4;
/// RWF_NOWAIT.
const RWF_NOWAIT: u32 = 0x8;
/// RWF_APPEND.
const RWF_APPEND: u32 = 0x10;

/// The pieces of user memory of one call.
pub(crate) enum Pieces {
    /// One.
    One(UserSlice),
    /// Those of an iovec.
    Many(Vec<UserSlice>),
}

impl Pieces {
    pub(crate) fn as_slice(&self) -> &[UserSlice] {
        match self {
            Pieces::One(one) => core::slice::from_ref(one),
            Pieces::Many(many) => many,
        }
    }

    pub(crate) fn total(&self) -> usize {
        self.as_slice().iter().map(|p| p.len).sum()
    }
}

impl<M: Memory, C: Console> FsMgr<M, C> {
    /// The pieces an iovec names, in all at most what one call moves. `EINVAL`, `EFAULT`.
    pub(crate) fn pieces(&self, c: &Caller, iov: UserArray<Iovec>) -> Result<Pieces, Errno> {
        if iov.count() > IOV_MAX {
            return Err(Errno::EINVAL);
        }
        let mut raw = buffer(iov.count() * core::mem::size_of::<Iovec>())?;
        self.mem
            .copy_in(Space::Thread(c.thread), iov.addr(), &mut raw)?;
        let mut out = Vec::with_capacity(iov.count());
        let mut left = MAX_RW_COUNT;
        for entry in raw.chunks_exact(core::mem::size_of::<Iovec>()) {
            let (base, len) = entry.split_at(8);
            let word = |b: &[u8]| b.try_into().map(u64::from_le_bytes).unwrap_or(0);
            let len = word(len);
            if len > i64::MAX as u64 {
                return Err(Errno::EINVAL);
            }
            let piece = UserSlice::new(word(base), len as usize);
            Self::in_user_range(piece)?;
            let piece = piece.truncated(left);
            left -= piece.len;
            out.push(piece);
        }
        Ok(Pieces::Many(out))
    }

    /// The one piece of a plain read or write, in all at most what one call moves. `EFAULT` if it cannot lie in user memory.
    pub(crate) fn one(buf: UserSlice) -> Result<Pieces, Errno> {
        Self::in_user_range(buf)?;
        Ok(Pieces::One(buf.truncated(MAX_RW_COUNT)))
    }

    fn in_user_range(buf: UserSlice) -> Result<(), Errno> {
        match buf.addr.checked_add(buf.len as u64) {
            Some(end) if end <= ADDRESS_END => Ok(()),
            _ => Err(Errno::EFAULT),
        }
    }

    /// `EINVAL` for a negative offset, `ESPIPE` for what has none.
    fn at(file: &File, offset: i64, len: usize) -> Result<u64, Errno> {
        let at = u64::try_from(offset).map_err(|_| Errno::EINVAL)?;
        if !file.seekable() {
            return Err(Errno::ESPIPE);
        }
        // As Linux: not what the file's size would say (EFBIG), the end is no offset at all.
        let end = i64::try_from(len)
            .ok()
            .and_then(|len| offset.checked_add(len));
        end.map(|_| at).ok_or(Errno::EINVAL)
    }

    /// read, readv, and with an offset pread, preadv.
    pub(crate) fn read_call(
        &mut self,
        c: &Caller,
        fd: i32,
        pieces: &Pieces,
        offset: Option<i64>,
        nowait: bool,
    ) -> SysResult {
        let (file, before) = self.blocking_file(c, fd)?;
        self.read_from(c, file, before, pieces, offset, nowait)
    }

    /// The same, of a description.
    pub(super) fn read_from(
        &mut self,
        c: &Caller,
        file: Rc<File>,
        before: Before,
        pieces: &Pieces,
        offset: Option<i64>,
        nowait: bool,
    ) -> SysResult {
        file.not_path_only()?;
        let mut at = match offset {
            Some(offset) => Some(Self::at(&file, offset, pieces.total())?),
            None => None,
        };
        if !file.reads() {
            return Err(Errno::EBADF);
        }
        if let Object::Signal(_) = &file.object {
            return self.read_signals(c, file, before, pieces, nowait);
        }
        let mut total = 0;
        for piece in pieces.as_slice() {
            if piece.len == 0 && !matches!(file.object, Object::Directory) {
                continue;
            }
            let mut dst = Dst::User(c.thread, piece.addr, piece.len);
            match self.read_once(c.thread, &file, &mut dst, at, before.deadline) {
                Ok(Io::Done(n)) => {
                    total += n;
                    at = at.map(|at| at + n as u64);
                    if n < piece.len {
                        break;
                    }
                }
                Ok(_) if total > 0 => break,
                Ok(Io::Stop) => return self.park_ticket(c, Wait::default()),
                // Only signalfds say so.
                Ok(Io::TakeSignal(_)) => return Err(Errno::EINVAL),
                Ok(Io::Wait) if file.nonblocking() || nowait => return Err(Errno::EAGAIN),
                Ok(Io::Wait) => return self.park_reader(c, &file, before.deadline),
                Err(_) if total > 0 => break,
                Err(e) => return Err(e),
            }
        }
        self.count_moved(c, 0, total);
        if total > 0 {
            file.path.dentry.notify(IN_ACCESS);
        }
        Ok(total).done()
    }

    /// Reads a signalfd: as many signals as fit and are pending. Each is taken by procmgr, which is asked once for each.
    fn read_signals(
        &mut self,
        c: &Caller,
        file: Rc<File>,
        before: Before,
        pieces: &Pieces,
        nowait: bool,
    ) -> SysResult {
        let piece = pieces.as_slice().first();
        let (addr, len) = piece.map_or((0, 0), |p| (p.addr, p.len));
        let mut done = usize::try_from(before.progress).unwrap_or(len).min(len);
        loop {
            if done > 0 && len - done < signal::INFO {
                return Ok(done).done();
            }
            let mut dst = Dst::User(c.thread, addr.wrapping_add(done as u64), len - done);
            match self.read_once(c.thread, &file, &mut dst, None, None) {
                Ok(Io::Done(n)) => done += n,
                Ok(Io::TakeSignal(mask)) => {
                    let wait = Wait {
                        file: Some(file),
                        take: Some(mask),
                        progress: done as u64,
                        ..Wait::default()
                    };
                    return self.park_ticket(c, wait);
                }
                Err(e) if done == 0 => return Err(e),
                _ if done > 0 => return Ok(done).done(),
                _ if file.nonblocking() || nowait => return Err(Errno::EAGAIN),
                _ => return self.park_reader(c, &file, None),
            }
        }
    }

    /// Waits for something to read; a terminal may limit how long.
    fn park_reader(&mut self, c: &Caller, file: &Rc<File>, deadline: Option<u64>) -> SysResult {
        let timeout = match &file.object {
            Object::Tty(tty) => tty.line.borrow().read_timeout(),
            Object::Socket(socket) => {
                let (socket, before) = (
                    Rc::clone(socket),
                    Before {
                        progress: 0,
                        deadline,
                    },
                );
                let timeout = socket.receive_timeout.get();
                return self.park_socket(c, file, &socket.queue, before, 0, timeout);
            }
            _ => None,
        };
        let deadline = deadline.or_else(|| timeout.map(|ns| self.now().saturating_add(ns)));
        let wait = Wait {
            file: Some(Rc::clone(file)),
            deadline,
            ..Wait::default()
        };
        match file.queue() {
            Some(queue) => self.park(c, queue, wait),
            None => Err(Errno::EAGAIN),
        }
    }

    /// write, writev, and with an offset pwrite, pwritev.
    pub(crate) fn write_call(
        &mut self,
        c: &Caller,
        fd: i32,
        pieces: &Pieces,
        offset: Option<i64>,
        nowait: bool,
    ) -> SysResult {
        let (file, before) = self.blocking_file(c, fd)?;
        file.not_path_only()?;
        let start = match offset {
            Some(offset) => Some(Self::at(&file, offset, pieces.total())?),
            None => None,
        };
        if !file.writes() {
            return Err(Errno::EBADF);
        }
        let all = pieces.total();
        let mut done = usize::try_from(before.progress).unwrap_or(all).min(all);
        if pieces.as_slice().len() > 1 && all <= PIPE_BUF && !matches!(file.object, Object::Regular)
        {
            return self.write_gathered(c, &file, pieces, all, nowait);
        }
        let mut skip = done;
        for piece in pieces.as_slice() {
            let from = skip.min(piece.len);
            skip -= from;
            let mut src = Src::User(c.thread, piece.addr, piece.len).part(from, piece.len);
            while src.len() > 0 {
                let at = start.map(|at| at + done as u64);
                match self.write_once(c.thread, &file, src, at) {
                    Ok(Io::Done(n)) => {
                        done += n;
                        if n == 0 {
                            return Ok(done).done();
                        }
                        self.count_moved(c, 1, n);
                        file.path.dentry.notify(IN_MODIFY);
                        src = src.part(n, usize::MAX);
                    }
                    Ok(Io::Stop) if done == 0 => return self.park_ticket(c, Wait::default()),
                    Ok(_) if file.nonblocking() || nowait => {
                        return if done > 0 {
                            Ok(done).done()
                        } else {
                            Err(Errno::EAGAIN)
                        };
                    }
                    Ok(_) => {
                        if let Object::Socket(socket) = &file.object {
                            let target = socket.other().unwrap_or_else(|| Rc::clone(socket));
                            let timeout = socket.send_timeout.get();
                            return self.park_socket(
                                c,
                                &file,
                                &target.queue,
                                before,
                                done,
                                timeout,
                            );
                        }
                        return self.park_on(c, &file, done as u64);
                    }
                    Err(e) => return self.write_failed(c.thread, &file, e, done),
                }
            }
        }
        Ok(done).done()
    }

    /// Counts for /proc/PID/io: `way` is 0 for reads, 1 for writes.
    fn count_moved(&self, c: &Caller, way: usize, bytes: usize) {
        if let Ok(thread) = self.thread(c) {
            let moved = &mut thread.files.borrow_mut().moved;
            for (at, more) in [(way, bytes as u64), (way + 2, 1)] {
                if let Some(count) = moved.get_mut(at) {
                    *count = count.wrapping_add(more);
                }
            }
        }
    }

    /// A small writev to something that is no file goes in one piece.
    fn write_gathered(
        &mut self,
        c: &Caller,
        file: &Rc<File>,
        pieces: &Pieces,
        all: usize,
        nowait: bool,
    ) -> SysResult {
        let mut data = Vec::with_capacity(all);
        for piece in pieces.as_slice().iter().filter(|p| p.len > 0) {
            let from = data.len();
            data.resize(from + piece.len, 0);
            self.mem
                .copy_in(Space::Thread(c.thread), piece.addr, &mut data[from..])?;
        }
        let mut done = 0;
        while done < data.len() {
            match self.write_once(c.thread, file, Src::Bytes(&data[done..]), None) {
                Ok(Io::Done(0)) => break,
                Ok(Io::Done(n)) => {
                    done += n;
                    file.path.dentry.notify(IN_MODIFY);
                }
                Ok(_) if done > 0 => break,
                Ok(Io::Stop) => return self.park_ticket(c, Wait::default()),
                Ok(_) if file.nonblocking() || nowait => return Err(Errno::EAGAIN),
                Ok(_) => return self.park_on(c, file, 0),
                Err(e) => return self.write_failed(c.thread, file, e, done),
            }
        }
        Ok(done).done()
    }

    /// The end of a write that failed after `done` bytes, with the signal some failures cause.
    pub(crate) fn write_failed(
        &mut self,
        thread: ThreadIdx,
        file: &File,
        error: Errno,
        done: usize,
    ) -> SysResult {
        if done > 0 {
            return Ok(done).done();
        }
        match error {
            Errno::EPIPE
                if matches!(&file.object, Object::Pipe(_))
                    || file.socket().is_ok_and(|s| s.is_stream()) =>
            {
                self.send(Target::Thread(thread), SIGPIPE);
            }
            Errno::EFBIG => {
                let limit = self
                    .tasks
                    .get(thread)
                    .map_or(u64::MAX, |t| t.files.borrow().fsize);
                if limit != u64::MAX {
                    self.send(Target::Thread(thread), SIGXFSZ);
                }
            }
            _ => {}
        }
        Err(error)
    }

    pub(crate) fn read_vector(
        &mut self,
        c: &Caller,
        fd: i32,
        iov: UserArray<Iovec>,
        offset: Option<i64>,
        flags: u32,
    ) -> SysResult {
        if flags & !(RWF_HINTS | RWF_NOWAIT) != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        let pieces = self.pieces(c, iov)?;
        self.read_call(c, fd, &pieces, offset, self.nowait(c, fd, flags)?)
    }

    pub(crate) fn write_vector(
        &mut self,
        c: &Caller,
        fd: i32,
        iov: UserArray<Iovec>,
        offset: Option<i64>,
        flags: u32,
    ) -> SysResult {
        if flags & !(RWF_HINTS | RWF_NOWAIT | RWF_APPEND) != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        let pieces = self.pieces(c, iov)?;
        let mut offset = offset;
        if flags & RWF_APPEND != 0 {
            let file = self.file(c, fd)?;
            if file.inode().is_file() {
                offset = Some(file.inode().size() as i64);
            }
        }
        self.write_call(c, fd, &pieces, offset, self.nowait(c, fd, flags)?)
    }

    /// Whether the call must not wait. `EOPNOTSUPP` for pipes, which take `O_NONBLOCK` only.
    fn nowait(&self, c: &Caller, fd: i32, flags: u32) -> Result<bool, Errno> {
        let nowait = flags & RWF_NOWAIT != 0;
        if nowait && matches!(self.file(c, fd)?.object, Object::Pipe(_)) {
            return Err(Errno::EOPNOTSUPP);
        }
        Ok(nowait)
    }

    /// Where the next data or the next hole of a file is, from `off` inside it on. `ENXIO` if no data follows.
    fn seek_hole(&self, file: &File, off: u64, size: u64, data: bool) -> Result<u64, Errno> {
        let contents = match file.inode().data() {
            Some(contents) if !contents.dense.get() => contents,
            // Without holes but for the one behind the end.
            _ => return Ok(if data { off } else { size }),
        };
        let vmo = contents.vmo.borrow().as_ref().map(VmoRef::id);
        let found = match vmo {
            Some(vmo) => self.mem.vmo_seek(vmo, off, data)?,
            None => (!data).then_some(off),
        };
        match found.filter(|at| *at < size) {
            Some(at) => Ok(at),
            None if data => Err(Errno::ENXIO),
            None => Ok(size),
        }
    }

    pub(crate) fn lseek_call(
        &mut self,
        c: &Caller,
        fd: i32,
        offset: i64,
        whence: u32,
    ) -> SysResult {
        let file = self.file(c, fd)?;
        file.not_path_only()?;
        if matches!(
            file.object,
            Object::Event(_)
                | Object::Timer(_)
                | Object::Signal(_)
                | Object::Epoll(_)
                | Object::Inotify(_)
        ) {
            // As Linux: nothing moves, and that is no error.
            return Ok(0).done();
        }
        if !file.seekable() {
            return Err(Errno::ESPIPE);
        }
        let size = file.inode().size() as i64;
        let base = match whence {
            SEEK_SET => 0,
            SEEK_CUR => file.pos.get() as i64,
            SEEK_END => size,
            SEEK_DATA | SEEK_HOLE => {
                if offset < 0 || offset >= size {
                    return Err(Errno::ENXIO);
                }
                let to = self.seek_hole(&file, offset as u64, size as u64, whence == SEEK_DATA)?;
                to as i64 - offset
            }
            _ => return Err(Errno::EINVAL),
        };
        // As Linux on its own file systems, whatever lseek(2) says of EOVERFLOW.
        let to = base.checked_add(offset).ok_or(Errno::EINVAL)?;
        if to < 0 {
            return Err(Errno::EINVAL);
        }
        if matches!(
            file.object,
            Object::Null | Object::Zero | Object::Full | Object::Random
        ) {
            return Ok(0).done();
        }
        file.pos.set(to as u64);
        Ok(to).done()
    }
}
