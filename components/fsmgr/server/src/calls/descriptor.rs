//! Descriptors: dup(2), close(2), fcntl(2), locks, pipe2(2), memfd_create(2).

use alloc::rc::Rc;
use core::cmp::Ordering;

use console_api::Console;
use lsyscall_abi::consts::cap::CAP_SYS_RESOURCE;
use lsyscall_abi::consts::close_range::{CLOSE_RANGE_CLOEXEC, CLOSE_RANGE_UNSHARE};
use lsyscall_abi::consts::fcntl::*;
use lsyscall_abi::consts::fd_flags::FD_CLOEXEC;
use lsyscall_abi::consts::flock_op::{LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN};
use lsyscall_abi::consts::lock::{F_RDLCK, F_UNLCK, F_WRLCK};
use lsyscall_abi::consts::seals::{F_SEAL_EXEC, F_SEAL_FUTURE_WRITE, F_SEAL_SEAL, F_SEAL_WRITE};
use lsyscall_abi::consts::seek::{SEEK_CUR, SEEK_END, SEEK_SET};
use lsyscall_abi::{Errno, FdPair, Flock, MemfdFlags, OpenFlags, UserPtr, UserStr, NAME_MAX};
use lsyscall_router::{Caller, Done, SysResult, OK};
use memmgr_api::{Memory, Space};

use crate::fd::MAX_FDS;
use crate::file::{File, Object};
use crate::lock::{Owner, Record};
use crate::park::Wait;
use crate::perm;
use crate::pipe::Pipe;
use crate::sigio::Owner as Receiver;
use crate::vmo::VmoRef;
use crate::FsMgr;

/// F_DUPFD_QUERY.
const F_DUPFD_QUERY: u32 = 1027;
/// Every seal there is.
const ALL_SEALS: u32 = 0x3f;
/// O_LARGEFILE, which F_GETFL shows for every opened file on 64-bit Linux.
const LARGEFILE: u32 = OpenFlags::LARGEFILE.bits();

impl<M: Memory, C: Console> FsMgr<M, C> {
    /// A descriptor was given up: the table's record locks on the file go, as POSIX has it.
    pub(crate) fn closed(&self, table: u64, file: &File) {
        if file.socket().is_ok() {
            // It may be left to what travels through it alone.
            self.vfs.files.socket_closed.set(true);
        }
        if let Some(locks) = file.inode().locks.get() {
            locks.release(Owner::Table(table));
        }
        if let Object::Mq(mq) = &file.object {
            mq.closed(table);
        }
    }

    pub(crate) fn close_call(&mut self, c: &Caller, fd: i32) -> SysResult {
        let (file, table) = {
            let mut files = self.thread(c)?.files.borrow_mut();
            (files.remove(fd)?, files.id)
        };
        self.closed(table, &file);
        OK
    }

    pub(crate) fn close_range_call(
        &mut self,
        c: &Caller,
        first: u32,
        last: u32,
        flags: u32,
    ) -> SysResult {
        if flags & !(CLOSE_RANGE_CLOEXEC | CLOSE_RANGE_UNSHARE) != 0 || first > last {
            return Err(Errno::EINVAL);
        }
        if flags & CLOSE_RANGE_UNSHARE != 0 {
            self.unshare_files(c.thread)?;
        }
        let last = last.min(MAX_FDS as u32) as i32;
        let Ok(mut at) = i32::try_from(first) else {
            return OK;
        };
        loop {
            let (file, table) = {
                let mut files = self.thread(c)?.files.borrow_mut();
                match files.next_open(at) {
                    Some(fd) if fd <= last => at = fd,
                    _ => return OK,
                }
                if flags & CLOSE_RANGE_CLOEXEC != 0 {
                    files.set_cloexec(at, true)?;
                    at += 1;
                    continue;
                }
                (files.remove(at)?, files.id)
            };
            self.closed(table, &file);
        }
    }

    pub(crate) fn dup_call(&mut self, c: &Caller, fd: i32) -> SysResult {
        let file = self.file(c, fd)?;
        self.install(c, file, false).done()
    }

    pub(crate) fn dup3_call(
        &mut self,
        c: &Caller,
        old: i32,
        new: i32,
        flags: OpenFlags,
    ) -> SysResult {
        if !OpenFlags::CLOEXEC.contains(flags) || old == new {
            return Err(Errno::EINVAL);
        }
        let (before, table) = {
            let mut files = self.thread(c)?.files.borrow_mut();
            let file = Rc::clone(files.get(old)?);
            let cloexec = flags.contains(OpenFlags::CLOEXEC);
            (files.replace(new, file, cloexec)?, files.id)
        };
        if let Some(file) = before {
            self.closed(table, &file);
        }
        Ok(new).done()
    }

    pub(crate) fn fcntl_call(&mut self, c: &Caller, fd: i32, cmd: u32, arg: u64) -> SysResult {
        let file = match cmd {
            F_SETLKW | F_OFD_SETLKW => self.blocking_file(c, fd)?.0,
            _ => self.file(c, fd)?,
        };
        let plain = matches!(
            cmd,
            F_DUPFD | F_DUPFD_CLOEXEC | F_GETFD | F_SETFD | F_GETFL | F_DUPFD_QUERY
        );
        if !plain {
            file.not_path_only()?;
        }
        match cmd {
            F_DUPFD | F_DUPFD_CLOEXEC => {
                let mut files = self.thread(c)?.files.borrow_mut();
                let min = usize::try_from(arg as i32).map_err(|_| Errno::EINVAL)?;
                if min as u64 >= files.nofile.min(MAX_FDS) {
                    return Err(Errno::EINVAL);
                }
                files.install(file, cmd == F_DUPFD_CLOEXEC, min).done()
            }
            F_DUPFD_QUERY => {
                let other = self.file(c, arg as i32)?;
                Ok(i32::from(Rc::ptr_eq(&file, &other))).done()
            }
            F_GETFD => {
                let on = self.thread(c)?.files.borrow().cloexec(fd)?;
                Ok(if on { FD_CLOEXEC } else { 0 }).done()
            }
            F_SETFD => {
                let on = arg as u32 & FD_CLOEXEC != 0;
                self.thread(c)?
                    .files
                    .borrow_mut()
                    .set_cloexec(fd, on)
                    .done()
            }
            F_GETFL => {
                let opened = match file.object {
                    Object::Pipe(_)
                    | Object::Socket(_)
                    | Object::Event(_)
                    | Object::Timer(_)
                    | Object::Epoll(_)
                    | Object::PathOnly => 0,
                    _ => LARGEFILE,
                };
                Ok(file.flags().bits() | opened).done()
            }
            F_SETFL => {
                file.set_flags(arg as u32);
                self.set_async(&file, fd, arg as u32 & OpenFlags::ASYNC.bits() != 0);
                OK
            }
            F_GETLK | F_SETLK | F_SETLKW | F_OFD_GETLK | F_OFD_SETLK | F_OFD_SETLKW => {
                self.record_lock(c, &file, cmd, arg)
            }
            F_SETOWN | F_SETOWN_EX => {
                let owner = if cmd == F_SETOWN {
                    Receiver::from_number(arg as i32)?
                } else {
                    let [kind, id]: [i32; 2] = self.copy_in(c, arg)?;
                    Receiver::from_pair(kind, id)?
                };
                self.check_owner(owner)?;
                file.notices.set_owner(owner, &self.thread(c)?.creds);
                OK
            }
            F_GETOWN => Ok(file.notices.owner.get().number()).done(),
            F_GETOWN_EX => {
                let (kind, id) = file.notices.owner.get().pair();
                self.copy_out(c, arg, &[kind, id])?;
                OK
            }
            F_SETSIG => {
                if arg > 64 {
                    return Err(Errno::EINVAL);
                }
                file.signal.set(arg as i32);
                OK
            }
            F_GETSIG => Ok(file.signal.get()).done(),
            F_GETPIPE_SZ => match &file.object {
                Object::Pipe(pipe) => Ok(pipe.ring.capacity()).done(),
                _ => Err(Errno::EBADF),
            },
            F_SETPIPE_SZ => match &file.object {
                Object::Pipe(pipe) => self.resize_pipe(c, &file, pipe, arg),
                _ => Err(Errno::EBADF),
            },
            F_GET_SEALS => match file.inode().data() {
                Some(data) => Ok(data.seals.get()).done(),
                None => Err(Errno::EINVAL),
            },
            F_ADD_SEALS => self.add_seals(&file, arg as u32),
            _ => Err(Errno::EINVAL),
        }
    }

    fn resize_pipe(&mut self, c: &Caller, file: &File, pipe: &Pipe, arg: u64) -> SysResult {
        let privileged = perm::capable(&self.thread(c)?.creds, CAP_SYS_RESOURCE);
        let capacity = pipe.new_capacity(arg as u32 as u64, privileged)?;
        let ring = &pipe.ring;
        if capacity != ring.capacity() {
            let old = ring.vmo.borrow().as_ref().map(VmoRef::id);
            let moved = match old {
                Some(old) if !ring.is_empty() => {
                    let new = self.mem.vmo_create(capacity as u64)?;
                    let new = VmoRef::new(new, &file.inode().sb.graveyard);
                    let (at, first) = ring.front();
                    let rest = ring.len() - first;
                    self.mem
                        .vmo_copy(old, at as u64, new.id(), 0, first as u64)?;
                    if rest > 0 {
                        self.mem
                            .vmo_copy(old, 0, new.id(), first as u64, rest as u64)?;
                    }
                    Some(new)
                }
                _ => None,
            };
            ring.reseat(moved, capacity);
            pipe.queue.wake();
        }
        Ok(capacity).done()
    }

    fn add_seals(&self, file: &File, seals: u32) -> SysResult {
        let data = file.inode().data().ok_or(Errno::EINVAL)?;
        if seals & !ALL_SEALS != 0 {
            return Err(Errno::EINVAL);
        }
        if !file.writes() || data.seals.get() & F_SEAL_SEAL != 0 {
            return Err(Errno::EPERM);
        }
        if seals & F_SEAL_WRITE != 0 && data.mapped_writable.get() {
            let vmo = data.vmo.borrow().as_ref().map(VmoRef::id);
            if vmo.is_some_and(|vmo| self.mem.vmo_is_mapped(vmo).unwrap_or(true)) {
                return Err(Errno::EBUSY);
            }
            data.mapped_writable.set(false);
        }
        let mut all = data.seals.get() | seals;
        if seals & F_SEAL_EXEC != 0 && file.inode().mode.get() & 0o111 != 0 {
            all |= F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;
        }
        data.seals.set(all);
        OK
    }

    /// The range of a struct flock, as first byte and first byte behind.
    fn lock_range(file: &File, lock: &Flock) -> Result<(u64, u64), Errno> {
        let base = match u32::try_from(lock.whence) {
            Ok(SEEK_SET) => 0,
            Ok(SEEK_CUR) => file.pos.get() as i64,
            Ok(SEEK_END) => file.inode().size() as i64,
            _ => return Err(Errno::EINVAL),
        };
        let start = base.checked_add(lock.start).ok_or(Errno::EOVERFLOW)?;
        let start = u64::try_from(start).map_err(|_| Errno::EINVAL)?;
        let len = lock.len.unsigned_abs();
        if lock.len < 0 {
            let first = start.checked_sub(len).ok_or(Errno::EINVAL)?;
            return Ok((first, start));
        }
        // Neither can be 2^63: no overflow.
        let end = start + len;
        match end.cmp(&(1 << 63)) {
            _ if len == 0 => Ok((start, u64::MAX)),
            Ordering::Less => Ok((start, end)),
            // To the last byte there can be is to the end, however far that is.
            Ordering::Equal => Ok((start, u64::MAX)),
            Ordering::Greater => Err(Errno::EOVERFLOW),
        }
    }

    fn record_lock(&mut self, c: &Caller, file: &Rc<File>, cmd: u32, arg: u64) -> SysResult {
        let ask: Flock = self.copy_in(c, arg)?;
        let by_description = matches!(cmd, F_OFD_GETLK | F_OFD_SETLK | F_OFD_SETLKW);
        if by_description && ask.pid != 0 {
            return Err(Errno::EINVAL);
        }
        let (start, end) = Self::lock_range(file, &ask)?;
        let table = self.thread(c)?.files.borrow().id;
        let (owner, pid) = if by_description {
            (Owner::Description(file.id), -1)
        } else {
            let pid = self.tasks.table.process_of(c.thread).map_or(0, |p| p.pid);
            (Owner::Table(table), pid as i32)
        };
        let want = Record {
            owner,
            pid,
            start,
            end,
            exclusive: ask.kind == F_WRLCK,
        };
        let locks = self.vfs.locks(file.inode());
        if matches!(cmd, F_GETLK | F_OFD_GETLK) {
            if !matches!(ask.kind, F_RDLCK | F_WRLCK) {
                return Err(Errno::EINVAL);
            }
            let mut answer = ask;
            match locks.conflict(&want) {
                None => answer.kind = F_UNLCK,
                Some(found) => {
                    answer.kind = if found.exclusive { F_WRLCK } else { F_RDLCK };
                    answer.whence = SEEK_SET as i16;
                    answer.start = found.start as i64;
                    answer.len = match found.end {
                        u64::MAX => 0,
                        end => (end - found.start) as i64,
                    };
                    answer.pid = found.pid;
                }
            }
            self.copy_out(c, arg, &answer)?;
            return OK;
        }
        match ask.kind {
            F_UNLCK => {
                locks.unlock(owner, start, end);
                return OK;
            }
            F_RDLCK if !file.reads() => return Err(Errno::EBADF),
            F_WRLCK if !file.writes() => return Err(Errno::EBADF),
            F_RDLCK | F_WRLCK => {}
            _ => return Err(Errno::EINVAL),
        }
        let Some(obstacle) = locks.conflict(&want) else {
            locks.set(want)?;
            if by_description {
                file.locked.set(true);
            }
            return OK;
        };
        if matches!(cmd, F_SETLK | F_OFD_SETLK) {
            return Err(Errno::EAGAIN);
        }
        let mut edge = None;
        if let (Owner::Table(_), Owner::Table(holder)) = (owner, obstacle.owner) {
            if self.would_deadlock(table, holder) {
                return Err(Errno::EDEADLK);
            }
            edge = Some((table, holder));
        }
        self.park_on_lock(c, file, edge)
    }

    /// Whether whoever holds a lock waits, perhaps through others, for one of `table`. Linux follows ten, too.
    fn would_deadlock(&self, table: u64, holder: u64) -> bool {
        let mut at = holder;
        for _ in 0..10 {
            match self.tasks.waits_for(at) {
                Some(next) if next == table => return true,
                Some(next) => at = next,
                None => return false,
            }
        }
        false
    }

    fn park_on_lock(&mut self, c: &Caller, file: &Rc<File>, lock: Option<(u64, u64)>) -> SysResult {
        let ticket = self.ticket();
        self.vfs.locks(file.inode()).queue.add(c.thread, ticket);
        let wait = Wait {
            file: Some(Rc::clone(file)),
            lock,
            ..Wait::default()
        };
        self.park_ticket(c, wait)
    }

    pub(crate) fn flock_call(&mut self, c: &Caller, fd: i32, operation: u32) -> SysResult {
        let (file, _) = self.blocking_file(c, fd)?;
        file.not_path_only()?;
        let locks = self.vfs.locks(file.inode());
        let exclusive = match operation & !LOCK_NB {
            LOCK_UN => {
                locks.unflock(file.id);
                return OK;
            }
            LOCK_SH => false,
            LOCK_EX => true,
            _ => return Err(Errno::EINVAL),
        };
        if locks.flock(file.id, exclusive) {
            file.locked.set(true);
            return OK;
        }
        if operation & LOCK_NB != 0 {
            return Err(Errno::EAGAIN);
        }
        self.park_on_lock(c, &file, None)
    }

    /// Gives two descriptions the two lowest descriptors and tells the program.
    pub(crate) fn install_pair(
        &mut self,
        c: &Caller,
        first: Rc<File>,
        second: Rc<File>,
        cloexec: bool,
        out: UserPtr<FdPair>,
    ) -> SysResult {
        self.thread(c)?.files.borrow().check_room(2)?;
        let pair = FdPair {
            first: self.install(c, first, cloexec)?,
            second: self.install(c, second, cloexec)?,
        };
        if let Err(e) = self.copy_out(c, out.addr(), &pair) {
            let mut files = self.thread(c)?.files.borrow_mut();
            let _ = files.remove(pair.first);
            let _ = files.remove(pair.second);
            return Err(e);
        }
        OK
    }

    pub(crate) fn pipe_call(
        &mut self,
        c: &Caller,
        out: UserPtr<FdPair>,
        flags: OpenFlags,
    ) -> SysResult {
        if !(OpenFlags::CLOEXEC | OpenFlags::NONBLOCK | OpenFlags::DIRECT).contains(flags) {
            return Err(Errno::EINVAL);
        }
        self.thread(c)?.files.borrow().check_room(2)?;
        let creds = self.creds(c)?;
        let (place, pipe) = self
            .vfs
            .new_pipe(&creds, self.time())
            .map_err(|_| Errno::ENFILE)?;
        let status = flags & (OpenFlags::NONBLOCK | OpenFlags::DIRECT);
        let reader = self
            .vfs
            .open(Object::Pipe(Rc::clone(&pipe)), place.clone(), status)?;
        let writer = self
            .vfs
            .open(Object::Pipe(pipe), place, status | OpenFlags::WRONLY)?;
        self.install_pair(c, reader, writer, flags.contains(OpenFlags::CLOEXEC), out)
    }

    pub(crate) fn memfd_call(&mut self, c: &Caller, name: UserStr, flags: MemfdFlags) -> SysResult {
        if flags.has_unknown()
            || flags.contains(MemfdFlags::HUGETLB)
            || flags.contains(MemfdFlags::EXEC | MemfdFlags::NOEXEC_SEAL)
        {
            return Err(Errno::EINVAL);
        }
        /// Bytes of the longest name: NAME_MAX less `memfd:`.
        const LONGEST: usize = NAME_MAX - 6;
        let name = self
            .mem
            .read_cstr(Space::Thread(c.thread), name.addr(), LONGEST + 1)
            .map_err(|e| match e {
                Errno::ENAMETOOLONG => Errno::EINVAL,
                e => e,
            })?;
        let sealed_exec = flags.contains(MemfdFlags::NOEXEC_SEAL);
        let seals = match (flags.contains(MemfdFlags::ALLOW_SEALING), sealed_exec) {
            (_, true) => F_SEAL_EXEC,
            (true, false) => 0,
            (false, false) => F_SEAL_SEAL,
        };
        let mode = if sealed_exec { 0o666 } else { 0o777 };
        let creds = self.creds(c)?;
        let time = self.time();
        let place = self.vfs.new_memfd(&creds, time, &name, mode, seals)?;
        let file = self.vfs.open(Object::Regular, place, OpenFlags::RDWR)?;
        self.install(c, file, flags.contains(MemfdFlags::CLOEXEC))
            .done()
    }
}
