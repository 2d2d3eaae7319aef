//! The file manager's rows of the system-call table: each handler hands on to the module of its family.

mod aio;
mod attr;
mod batch;
mod descriptor;
mod event;
mod inotify;
mod ioctl;
mod message;
mod mmap;
mod mount;
mod mq;
mod names;
mod open;
mod pivot;
mod poll;
mod pty;
mod rw;
mod select;
mod socket;
mod splice;
mod stat;
mod tee;
mod xattr;

pub(crate) use open::Request;
pub(crate) use stat::SHOWN_FLAGS;

use console_api::Console;
use lsyscall_abi::*;
use lsyscall_router::{Caller, Done, FsCalls, SysResult, OK};
use memmgr_api::Memory;
use zerocopy::FromBytes;

use crate::FsMgr;
use xattr::On;

/// Milliseconds, as epoll_pwait counts; negative: for ever.
fn milliseconds(timeout: i32) -> Option<u64> {
    u64::try_from(timeout).ok().map(|ms| ms * 1_000_000)
}

macro_rules! handlers {
    ($($name:ident($self:ident, $c:ident $(, $arg:ident: $ty:ty)*) $body:expr;)*) => {
        impl<M: Memory, C: Console> FsCalls for FsMgr<M, C> { $(
            #[inline]
            fn $name(&mut $self, $c: &Caller $(, $arg: $ty)*) -> SysResult { $body }
        )* }
    };
}

handlers! {
    openat(self, c, dirfd: Fd, path: UserPath, flags: OpenFlags, mode: Mode) {
        let name = self.user_path(c, path)?;
        self.open_call(c, Request::lenient(dirfd.0, name, flags, mode.0))
    };
    openat2(self, c, dirfd: Fd, path: UserPath, how: UserPtr<OpenHow>, size: usize) {
        let request = self.strict_request(c, dirfd.0, path, how, size)?;
        self.open_call(c, request)
    };
    close(self, c, fd: Fd) self.close_call(c, fd.0);
    close_range(self, c, first: u32, last: u32, flags: u32) self.close_range_call(c, first, last, flags);
    read(self, c, fd: Fd, buf: UserSlice) self.read_call(c, fd.0, &Self::one(buf)?, None, false);
    write(self, c, fd: Fd, buf: UserSlice) self.write_call(c, fd.0, &Self::one(buf)?, None, false);
    pread64(self, c, fd: Fd, buf: UserSlice, offset: i64) self.read_call(c, fd.0, &Self::one(buf)?, Some(offset), false);
    pwrite64(self, c, fd: Fd, buf: UserSlice, offset: i64) self.write_call(c, fd.0, &Self::one(buf)?, Some(offset), false);
    readv(self, c, fd: Fd, iov: UserArray<Iovec>) self.read_vector(c, fd.0, iov, None, 0);
    writev(self, c, fd: Fd, iov: UserArray<Iovec>) self.write_vector(c, fd.0, iov, None, 0);
    preadv(self, c, fd: Fd, iov: UserArray<Iovec>, offset: i64) self.read_vector(c, fd.0, iov, Some(offset), 0);
    pwritev(self, c, fd: Fd, iov: UserArray<Iovec>, offset: i64) self.write_vector(c, fd.0, iov, Some(offset), 0);
    preadv2(self, c, fd: Fd, iov: UserArray<Iovec>, offset: i64, _high: u64, flags: u32) {
        self.read_vector(c, fd.0, iov, Some(offset).filter(|o| *o != -1), flags)
    };
    pwritev2(self, c, fd: Fd, iov: UserArray<Iovec>, offset: i64, _high: u64, flags: u32) {
        self.write_vector(c, fd.0, iov, Some(offset).filter(|o| *o != -1), flags)
    };
    lseek(self, c, fd: Fd, offset: i64, whence: u32) self.lseek_call(c, fd.0, offset, whence);
    sendfile(self, c, out: Fd, input: Fd, offset: UserPtr<i64>, count: usize) {
        self.sendfile_call(c, out.0, input.0, offset, count)
    };
    splice(self, c, input: Fd, in_off: UserPtr<i64>, out: Fd, out_off: UserPtr<i64>, len: usize, flags: u32) {
        self.splice_call(c, (input.0, in_off), (out.0, out_off), len, flags)
    };
    vmsplice(self, c, fd: Fd, iov: UserArray<Iovec>, flags: u32) self.vmsplice_call(c, fd.0, iov, flags);
    tee(self, c, input: Fd, out: Fd, len: usize, flags: u32) self.tee_call(c, input.0, out.0, len, flags);
    copy_file_range(self, c, input: Fd, in_off: UserPtr<i64>, out: Fd, out_off: UserPtr<i64>, len: usize, flags: u32) {
        self.copy_range_call(c, (input.0, in_off), (out.0, out_off), len, flags)
    };

    newfstatat(self, c, dirfd: Fd, path: UserPath, out: UserPtr<Stat>, flags: AtFlags) {
        self.stat_call(c, dirfd.0, path, out, flags)
    };
    fstat(self, c, fd: Fd, out: UserPtr<Stat>) self.fstat_call(c, fd.0, out);
    statx(self, c, dirfd: Fd, path: UserPath, flags: AtFlags, mask: u32, out: UserPtr<Statx>) {
        self.statx_call(c, dirfd.0, path, flags, mask, out)
    };
    statfs(self, c, path: UserPath, out: UserPtr<Statfs>) {
        let place = self.at_place(c, Fd::CWD.0, path, AtFlags::empty())?;
        self.statfs_place(c, &place, out)
    };
    fstatfs(self, c, fd: Fd, out: UserPtr<Statfs>) {
        let place = self.file(c, fd.0)?.path.clone();
        self.statfs_place(c, &place, out)
    };
    faccessat(self, c, dirfd: Fd, path: UserPath, mode: u32) self.access_call(c, dirfd.0, path, mode, AtFlags::empty());
    faccessat2(self, c, dirfd: Fd, path: UserPath, mode: u32, flags: AtFlags) {
        self.access_call(c, dirfd.0, path, mode, flags)
    };
    readlinkat(self, c, dirfd: Fd, path: UserPath, buf: UserSlice) self.readlink_call(c, dirfd.0, path, buf);
    getdents64(self, c, fd: Fd, buf: UserSlice) self.getdents_call(c, fd.0, buf);
    getcwd(self, c, buf: UserSlice) self.getcwd_call(c, buf);
    chdir(self, c, path: UserPath) self.chdir_call(c, path);
    fchdir(self, c, fd: Fd) self.fchdir_call(c, fd.0);
    chroot(self, c, path: UserPath) self.chroot_call(c, path);
    umask(self, c, mask: Mode) {
        let umask = &self.thread(c)?.fs.umask;
        Ok(umask.replace(mask.0 & 0o777)).done()
    };

    mknodat(self, c, dirfd: Fd, path: UserPath, mode: Mode, dev: u32) self.mknod_call(c, dirfd.0, path, mode.0, dev);
    mkdirat(self, c, dirfd: Fd, path: UserPath, mode: Mode) self.mkdir_call(c, dirfd.0, path, mode.0);
    unlinkat(self, c, dirfd: Fd, path: UserPath, flags: AtFlags) self.unlink_call(c, dirfd.0, path, flags);
    symlinkat(self, c, target: UserPath, dirfd: Fd, path: UserPath) self.symlink_call(c, target, dirfd.0, path);
    linkat(self, c, olddir: Fd, old: UserPath, newdir: Fd, new: UserPath, flags: AtFlags) {
        self.link_call(c, (olddir.0, old), (newdir.0, new), flags)
    };
    renameat(self, c, olddir: Fd, old: UserPath, newdir: Fd, new: UserPath) {
        self.rename_call(c, (olddir.0, old), (newdir.0, new), RenameFlags::empty())
    };
    renameat2(self, c, olddir: Fd, old: UserPath, newdir: Fd, new: UserPath, flags: RenameFlags) {
        self.rename_call(c, (olddir.0, old), (newdir.0, new), flags)
    };
    mount(self, c, source: UserStr, target: UserPath, fstype: UserStr, flags: MountFlags, data: UserAddr) {
        self.mount_call(c, source, target, fstype, flags, data)
    };
    pivot_root(self, c, new_root: UserPath, put_old: UserPath) self.pivot_call(c, new_root, put_old);
    umount2(self, c, target: UserPath, flags: u32) self.umount_call(c, target, flags);

    fchmod(self, c, fd: Fd, mode: Mode) {
        let file = self.file(c, fd.0)?;
        file.not_path_only()?;
        self.chmod_place(c, &file.path, mode.0)
    };
    fchmodat(self, c, dirfd: Fd, path: UserPath, mode: Mode) {
        let place = self.at_place(c, dirfd.0, path, AtFlags::empty())?;
        self.chmod_place(c, &place, mode.0)
    };
    fchmodat2(self, c, dirfd: Fd, path: UserPath, mode: Mode, flags: AtFlags) {
        if !(AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH).contains(flags) {
            return Err(Errno::EINVAL);
        }
        let place = self.at_place(c, dirfd.0, path, flags)?;
        self.chmod_place(c, &place, mode.0)
    };
    fchown(self, c, fd: Fd, owner: Uid, group: Gid) {
        let file = self.file(c, fd.0)?;
        file.not_path_only()?;
        self.chown_place(c, &file.path, owner.0, group.0)
    };
    fchownat(self, c, dirfd: Fd, path: UserPath, owner: Uid, group: Gid, flags: AtFlags) {
        if !(AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH).contains(flags) {
            return Err(Errno::EINVAL);
        }
        let place = self.at_place(c, dirfd.0, path, flags)?;
        self.chown_place(c, &place, owner.0, group.0)
    };
    utimensat(self, c, dirfd: Fd, path: UserPath, times: UserPtr<TimespecPair>, flags: AtFlags) {
        self.utimens_call(c, dirfd.0, path, times, flags)
    };
    truncate(self, c, path: UserPath, length: i64) self.truncate_call(c, path, length);
    ftruncate(self, c, fd: Fd, length: i64) self.ftruncate_call(c, fd.0, length);
    fallocate(self, c, fd: Fd, mode: FallocMode, offset: i64, len: i64) self.fallocate_call(c, fd.0, mode, offset, len);

    dup(self, c, fd: Fd) self.dup_call(c, fd.0);
    dup3(self, c, old: Fd, new: Fd, flags: OpenFlags) self.dup3_call(c, old.0, new.0, flags);
    fcntl(self, c, fd: Fd, cmd: u32, arg: u64) self.fcntl_call(c, fd.0, cmd, arg);
    ioctl(self, c, fd: Fd, cmd: u32, arg: u64) self.ioctl_call(c, fd.0, cmd, arg);
    flock(self, c, fd: Fd, operation: u32) self.flock_call(c, fd.0, operation);
    pipe2(self, c, out: UserPtr<FdPair>, flags: OpenFlags) self.pipe_call(c, out, flags);
    memfd_create(self, c, name: UserStr, flags: MemfdFlags) self.memfd_call(c, name, flags);
    mmap(self, c, addr: UserAddr, len: usize, prot: ProtFlags, flags: MapFlags, fd: Fd, offset: i64) {
        self.mmap_call(c, addr.0, len, prot, flags, fd.0, offset)
    };

    ppoll(self, c, fds: UserArray<PollFd>, timeout: UserPtr<Timespec>, mask: UserPtr<SigSet>, size: usize) {
        self.ppoll_call(c, fds, timeout, mask, size)
    };
    pselect6(self, c, n: i32, r: UserAddr, w: UserAddr, e: UserAddr, timeout: UserPtr<Timespec>, mask: UserAddr) {
        self.pselect_call(c, n, [r.0, w.0, e.0], timeout, mask.0)
    };
    eventfd2(self, c, count: u32, flags: EventfdFlags) self.eventfd_call(c, count, flags);
    epoll_create1(self, c, flags: EpollFlags) {
        if flags.has_unknown() {
            return Err(Errno::EINVAL);
        }
        self.epoll_create_call(c, flags.contains(EpollFlags::CLOEXEC))
    };
    epoll_ctl(self, c, epfd: Fd, op: u32, fd: Fd, event: UserPtr<EpollEvent>) {
        self.epoll_ctl_call(c, epfd.0, op, fd.0, event)
    };
    epoll_pwait(self, c, epfd: Fd, events: UserArray<EpollEvent>, timeout: i32, mask: UserPtr<SigSet>, size: usize) {
        self.epoll_wait_call(c, epfd.0, events, milliseconds(timeout), mask, size)
    };
    epoll_pwait2(self, c, epfd: Fd, events: UserArray<EpollEvent>, at: UserPtr<Timespec>, mask: UserPtr<SigSet>, size: usize) {
        let timeout = self.timeout_at(c, at)?;
        self.epoll_wait_call(c, epfd.0, events, timeout, mask, size)
    };
    signalfd4(self, c, fd: Fd, mask: UserPtr<SigSet>, size: usize, flags: OpenFlags) {
        self.signalfd_call(c, fd.0, mask, size, flags)
    };
    timerfd_create(self, c, clock: ClockId, flags: OpenFlags) self.timerfd_create_call(c, clock, flags);
    timerfd_settime(self, c, fd: Fd, flags: TimerFlags, new: UserPtr<Itimerspec>, old: UserPtr<Itimerspec>) {
        self.timerfd_settime_call(c, fd.0, flags, new, old)
    };
    timerfd_gettime(self, c, fd: Fd, out: UserPtr<Itimerspec>) self.timerfd_gettime_call(c, fd.0, out);

    socket(self, c, domain: u32, kind: u32, protocol: i32) self.socket_call(c, domain, kind, protocol);
    socketpair(self, c, domain: u32, kind: u32, protocol: i32, out: UserPtr<FdPair>) {
        self.socketpair_call(c, domain, kind, protocol, out)
    };
    bind(self, c, fd: Fd, addr: UserSlice) self.bind_call(c, fd.0, addr);
    listen(self, c, fd: Fd, backlog: i32) self.listen_call(c, fd.0, backlog);
    connect(self, c, fd: Fd, addr: UserSlice) self.connect_call(c, fd.0, addr);
    accept(self, c, fd: Fd, addr: UserAddr, len: UserPtr<u32>) self.accept_call(c, fd.0, addr.0, len, 0);
    accept4(self, c, fd: Fd, addr: UserAddr, len: UserPtr<u32>, flags: u32) self.accept_call(c, fd.0, addr.0, len, flags);
    getsockname(self, c, fd: Fd, addr: UserAddr, len: UserPtr<u32>) self.name_call(c, fd.0, addr.0, len, false);
    getpeername(self, c, fd: Fd, addr: UserAddr, len: UserPtr<u32>) self.name_call(c, fd.0, addr.0, len, true);
    sendto(self, c, fd: Fd, buf: UserSlice, flags: u32, addr: UserAddr, len: u32) {
        self.sendto_call(c, fd.0, buf, flags, UserSlice::new(addr.0, len as usize))
    };
    recvfrom(self, c, fd: Fd, buf: UserSlice, flags: u32, addr: UserAddr, len: UserPtr<u32>) {
        self.recvfrom_call(c, fd.0, buf, flags, addr.0, len)
    };
    sendmsg(self, c, fd: Fd, msg: UserPtr<MsgHdr>, flags: u32) self.sendmsg_call(c, fd.0, msg, flags);
    recvmsg(self, c, fd: Fd, msg: UserPtr<MsgHdr>, flags: u32) self.recvmsg_call(c, fd.0, msg, flags);
    sendmmsg(self, c, fd: Fd, messages: UserAddr, count: u32, flags: u32) {
        self.sendmmsg_call(c, fd.0, messages, count, flags)
    };
    recvmmsg(self, c, fd: Fd, messages: UserAddr, count: u32, flags: u32, timeout: UserPtr<Timespec>) {
        self.recvmmsg_call(c, fd.0, messages, count, flags, timeout)
    };
    setsockopt(self, c, fd: Fd, level: i32, name: i32, value: UserSlice) {
        self.setsockopt_call(c, fd.0, level, name, value)
    };
    getsockopt(self, c, fd: Fd, level: i32, name: i32, value: UserAddr, len: UserPtr<u32>) {
        self.getsockopt_call(c, fd.0, level, name, value.0, len)
    };
    shutdown(self, c, fd: Fd, how: i32) self.shutdown_call(c, fd.0, how);

    io_setup(self, c, count: u32, ctx: UserPtr<u64>) self.io_setup_call(c, count, ctx);
    io_destroy(self, c, ctx: u64) self.io_destroy_call(c, ctx);
    io_submit(self, c, ctx: u64, n: i64, list: UserAddr) self.io_submit_call(c, ctx, n, list.0);
    io_cancel(self, c, ctx: u64, iocb: UserAddr, _result: UserAddr) self.io_cancel_call(c, ctx, iocb.0);
    io_getevents(self, c, ctx: u64, min: i64, n: i64, to: UserAddr, timeout: UserPtr<Timespec>) {
        self.io_getevents_call(c, ctx, (min, n), to.0, timeout, 0)
    };
    io_pgetevents(self, c, ctx: u64, min: i64, n: i64, to: UserAddr, timeout: UserPtr<Timespec>, sig: UserAddr) {
        self.io_getevents_call(c, ctx, (min, n), to.0, timeout, sig.0)
    };
    mq_open(self, c, name: UserStr, flags: OpenFlags, mode: Mode, attr: UserAddr) {
        self.mq_open_call(c, name, flags, mode.0, attr.0)
    };
    mq_unlink(self, c, name: UserStr) self.mq_unlink_call(c, name);
    mq_timedsend(self, c, fd: Fd, msg: UserSlice, prio: u32, timeout: UserPtr<Timespec>) {
        self.mq_send_call(c, fd.0, msg, prio, timeout)
    };
    mq_timedreceive(self, c, fd: Fd, msg: UserSlice, prio: UserPtr<u32>, timeout: UserPtr<Timespec>) {
        self.mq_receive_call(c, fd.0, msg, prio, timeout)
    };
    mq_notify(self, c, fd: Fd, event: UserAddr) self.mq_notify_call(c, fd.0, event.0);
    mq_getsetattr(self, c, fd: Fd, new: UserAddr, old: UserAddr) self.mq_attr_call(c, fd.0, new.0, old.0);

    shmget(self, c, key: i32, size: usize, flags: u32) self.shmget_call(c, key, size as u64, flags);
    shmat(self, c, id: i32, addr: UserAddr, flags: u32) self.shmat_call(c, id, addr.0, flags);
    shmdt(self, c, addr: UserAddr) self.shmdt_call(c, addr.0);
    shmctl(self, c, id: i32, command: i32, buf: UserAddr) self.shmctl_call(c, id, command, buf.0);
    semget(self, c, key: i32, count: i32, flags: u32) self.semget_call(c, key, count, flags);
    semop(self, c, id: i32, ops: UserAddr, count: usize) self.semop_call(c, id, ops.0, count, UserPtr::new(0));
    semtimedop(self, c, id: i32, ops: UserAddr, count: usize, timeout: UserPtr<Timespec>) {
        self.semop_call(c, id, ops.0, count, timeout)
    };
    semctl(self, c, id: i32, num: i32, command: i32, arg: u64) self.semctl_call(c, id, num, command, arg);
    msgget(self, c, key: i32, flags: u32) self.msgget_call(c, key, flags);
    msgsnd(self, c, id: i32, from: UserAddr, len: usize, flags: u32) self.msgsnd_call(c, id, from.0, len, flags);
    msgrcv(self, c, id: i32, to: UserAddr, size: usize, kind: i64, flags: u32) {
        self.msgrcv_call(c, id, to.0, size, kind, flags)
    };
    msgctl(self, c, id: i32, command: i32, buf: UserAddr) self.msgctl_call(c, id, command, buf.0);

    sync(self, _c) OK;
    syncfs(self, c, fd: Fd) self.flushed(c, fd);
    fsync(self, c, fd: Fd) self.flushed(c, fd);
    fdatasync(self, c, fd: Fd) self.flushed(c, fd);
    sync_file_range(self, c, fd: Fd, offset: i64, len: i64, flags: u32) {
        let file = self.file(c, fd.0)?;
        if flags & !7 != 0 || offset < 0 || len < 0 || offset.checked_add(len).is_none() {
            return Err(Errno::EINVAL);
        }
        if !file.seekable() {
            return Err(Errno::ESPIPE);
        }
        self.flushed(c, fd)
    };
    readahead(self, c, fd: Fd, _offset: i64, _count: usize) {
        let file = self.file(c, fd.0)?;
        if !file.reads() {
            return Err(Errno::EBADF);
        }
        if !file.inode().is_file() {
            return Err(Errno::EINVAL);
        }
        OK
    };
    fadvise64(self, c, fd: Fd, _offset: i64, len: i64, advice: i32) {
        let file = self.file(c, fd.0)?;
        if matches!(file.object, crate::file::Object::Pipe(_)) {
            return Err(Errno::ESPIPE);
        }
        if len < 0 || !(0..=5).contains(&advice) {
            return Err(Errno::EINVAL);
        }
        OK
    };

    setxattr(self, c, path: UserPath, name: UserStr, value: UserSlice, flags: u32) {
        self.setxattr_call(c, On::Name(path, true), name, value, flags)
    };
    lsetxattr(self, c, path: UserPath, name: UserStr, value: UserSlice, flags: u32) {
        self.setxattr_call(c, On::Name(path, false), name, value, flags)
    };
    fsetxattr(self, c, fd: Fd, name: UserStr, value: UserSlice, flags: u32) {
        self.setxattr_call(c, On::Fd(fd), name, value, flags)
    };
    getxattr(self, c, path: UserPath, name: UserStr, value: UserSlice) {
        self.getxattr_call(c, On::Name(path, true), name, value)
    };
    lgetxattr(self, c, path: UserPath, name: UserStr, value: UserSlice) {
        self.getxattr_call(c, On::Name(path, false), name, value)
    };
    fgetxattr(self, c, fd: Fd, name: UserStr, value: UserSlice) self.getxattr_call(c, On::Fd(fd), name, value);
    listxattr(self, c, path: UserPath, list: UserSlice) self.listxattr_call(c, On::Name(path, true), list);
    llistxattr(self, c, path: UserPath, list: UserSlice) self.listxattr_call(c, On::Name(path, false), list);
    flistxattr(self, c, fd: Fd, list: UserSlice) self.listxattr_call(c, On::Fd(fd), list);
    removexattr(self, c, path: UserPath, name: UserStr) self.removexattr_call(c, On::Name(path, true), name);
    lremovexattr(self, c, path: UserPath, name: UserStr) self.removexattr_call(c, On::Name(path, false), name);
    fremovexattr(self, c, fd: Fd, name: UserStr) self.removexattr_call(c, On::Fd(fd), name);

    inotify_init1(self, c, flags: OpenFlags) self.inotify_init_call(c, flags);
    inotify_add_watch(self, c, fd: Fd, path: UserPath, mask: u32) self.add_watch_call(c, fd, path, mask);
    inotify_rm_watch(self, c, fd: Fd, wd: i32) self.rm_watch_call(c, fd, wd);
}

impl<M: Memory, C: Console> FsMgr<M, C> {
    /// Everything is in memory: there is nothing to wait for.
    fn flushed(&mut self, c: &Caller, fd: Fd) -> SysResult {
        let file = self.file(c, fd.0)?;
        file.not_path_only()?;
        if file.inode().is_file() || file.inode().is_dir() {
            OK
        } else {
            Err(Errno::EINVAL)
        }
    }

    /// openat2(2)'s arguments: what it does not know it refuses.
    fn strict_request(
        &mut self,
        c: &Caller,
        dirfd: i32,
        path: UserPath,
        how: UserPtr<OpenHow>,
        size: usize,
    ) -> Result<Request, Errno> {
        const HOW: usize = core::mem::size_of::<OpenHow>();
        if size < HOW {
            return Err(Errno::EINVAL);
        }
        if size > memmgr_api::PAGE_SIZE as usize {
            return Err(Errno::E2BIG);
        }
        let mut raw = crate::heap::buffer(size)?;
        let space = memmgr_api::Space::Thread(c.thread);
        self.mem.copy_in(space, how.addr(), &mut raw)?;
        let (how, rest) = OpenHow::read_from_prefix(&raw).map_err(|_| Errno::EINVAL)?;
        if rest.iter().any(|b| *b != 0) {
            return Err(Errno::E2BIG);
        }
        let flags = u32::try_from(how.flags).map_err(|_| Errno::EINVAL)?;
        let creates = flags & (OpenFlags::CREAT | OpenFlags::TMPFILE_BIT).bits() != 0;
        let roots = crate::path::resolve::BENEATH | crate::path::resolve::IN_ROOT;
        if flags & !open::KNOWN != 0
            || how.resolve & !crate::path::resolve::ALL != 0
            || how.resolve & roots == roots
            || (how.mode != 0 && !creates)
            || how.mode & !0o7777 != 0
        {
            return Err(Errno::EINVAL);
        }
        let name = self.user_path(c, path)?;
        let flags = OpenFlags::from_bits_retain(flags);
        let mut request = Request::lenient(dirfd, name, flags, how.mode as u32);
        request.resolve = how.resolve;
        Ok(request)
    }
}
