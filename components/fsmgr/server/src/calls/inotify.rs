//! inotify_init1(2), inotify_add_watch(2), inotify_rm_watch(2).

use console_api::Console;
use lsyscall_abi::consts::inotify::*;
use lsyscall_abi::{AtFlags, Errno, Fd, OpenFlags, UserPath};
use lsyscall_router::{Caller, Done, SysResult, OK};
use memmgr_api::Memory;

use crate::file::Object;
use crate::inotify::Inotify;
use crate::perm;
use crate::FsMgr;

/// Every bit inotify_add_watch(2) has a meaning for.
const ALL_BITS: u32 = IN_ALL_EVENTS
    | IN_UNMOUNT
    | IN_Q_OVERFLOW
    | IN_IGNORED
    | IN_ONLYDIR
    | IN_DONT_FOLLOW
    | IN_EXCL_UNLINK
    | IN_MASK_CREATE
    | IN_MASK_ADD
    | IN_ISDIR
    | IN_ONESHOT;

impl<M: Memory, C: Console> FsMgr<M, C> {
    pub(crate) fn inotify_init_call(&mut self, c: &Caller, flags: OpenFlags) -> SysResult {
        if !(OpenFlags::NONBLOCK | OpenFlags::CLOEXEC).contains(flags) {
            return Err(Errno::EINVAL);
        }
        let inotify = Inotify::new(&self.vfs.run, &self.vfs.counters)?;
        let status = flags & OpenFlags::NONBLOCK;
        let file = self
            .vfs
            .open(Object::Inotify(inotify), self.vfs.anon(), status)?;
        self.install(c, file, flags.contains(OpenFlags::CLOEXEC))
            .done()
    }

    pub(crate) fn add_watch_call(
        &mut self,
        c: &Caller,
        fd: Fd,
        path: UserPath,
        mask: u32,
    ) -> SysResult {
        if mask & ALL_BITS == 0 {
            return Err(Errno::EINVAL);
        }
        let file = self.file(c, fd.0)?;
        file.not_path_only()?;
        if mask & IN_MASK_ADD != 0 && mask & IN_MASK_CREATE != 0 {
            return Err(Errno::EINVAL);
        }
        let Object::Inotify(inotify) = &file.object else {
            return Err(Errno::EINVAL);
        };
        let flags = if mask & IN_DONT_FOLLOW != 0 {
            AtFlags::SYMLINK_NOFOLLOW
        } else {
            AtFlags::empty()
        };
        let place = self.at_place(c, Fd::CWD.0, path, flags)?;
        if mask & IN_ONLYDIR != 0 && !place.inode().is_dir() {
            return Err(Errno::ENOTDIR);
        }
        perm::may(place.inode(), &self.thread(c)?.creds, perm::READ)?;
        inotify.watch(place.inode(), mask).done()
    }

    pub(crate) fn rm_watch_call(&mut self, c: &Caller, fd: Fd, wd: i32) -> SysResult {
        let file = self.file(c, fd.0)?;
        file.not_path_only()?;
        let Object::Inotify(inotify) = &file.object else {
            return Err(Errno::EINVAL);
        };
        inotify.unwatch(wd)?;
        OK
    }
}
