//! stat(2), statfs(2), access(2), readlink(2), getdents64(2), and where a process is.

use alloc::rc::Rc;
use alloc::vec::Vec;

use console_api::Console;
use lsyscall_abi::consts::access::{R_OK, W_OK, X_OK};
use lsyscall_abi::consts::cap::CAP_SYS_CHROOT;
use lsyscall_abi::consts::fs_magic::{
    ANON_INODE_FS_MAGIC, DEVPTS_SUPER_MAGIC, PROC_SUPER_MAGIC, SYSFS_MAGIC, TMPFS_MAGIC,
};
use lsyscall_abi::consts::statx_mask::{STATX_BASIC_STATS, STATX_BTIME, STATX_MNT_ID};
use lsyscall_abi::{
    AtFlags, Errno, MountFlags, Stat, Statfs, Statx, StatxTime, UserPath, UserPtr, UserSlice,
    NAME_MAX,
};
use lsyscall_router::{Caller, Done, SysResult, OK};
use memmgr_api::{Memory, Space, PAGE_SIZE};

use crate::inode::{dev_major, dev_minor, FsKind, Inode, Kind, Time};
use crate::mount::Path;
use crate::perm;
use crate::procfs::{self, Target};
use crate::FsMgr;

/// statx(2): a reserved bit of the mask.
const STATX_RESERVED: u32 = 0x8000_0000;
/// Flags statx(2) and newfstatat(2) take.
const STAT_FLAGS: AtFlags = AtFlags::SYMLINK_NOFOLLOW
    .union(AtFlags::NO_AUTOMOUNT)
    .union(AtFlags::EMPTY_PATH);
/// statfs(2)'s ST_VALID and ST_RELATIME.
const ST_VALID: i64 = 0x20;
const ST_RELATIME: i64 = 0x1000;

impl<M: Memory, C: Console> FsMgr<M, C> {
    /// The place an "at" call means: a name, or the descriptor itself with AT_EMPTY_PATH.
    pub(crate) fn at_place(
        &self,
        c: &Caller,
        dirfd: i32,
        path: UserPath,
        flags: AtFlags,
    ) -> Result<Path, Errno> {
        let may_be_empty = flags.contains(AtFlags::EMPTY_PATH);
        let name = if may_be_empty && path.is_null() {
            Vec::new()
        } else {
            self.user_path(c, path)?
        };
        if may_be_empty && name.is_empty() {
            return self.start(c, dirfd, &[]);
        }
        self.lookup(c, dirfd, name, !flags.contains(AtFlags::SYMLINK_NOFOLLOW))
    }

    /// Units of 512 bytes a file takes.
    fn blocks(&self, inode: &Inode) -> u64 {
        let pages = match &inode.kind {
            Kind::File(data) if data.dense.get() => data.size.get().div_ceil(PAGE_SIZE),
            Kind::File(data) => match data.vmo.borrow().as_ref() {
                Some(vmo) => self.mem.vmo_pages(vmo.id()).unwrap_or(0),
                None => 0,
            },
            _ => 0,
        };
        pages * (PAGE_SIZE / 512)
    }

    pub(crate) fn stat_of(&self, inode: &Inode) -> Stat {
        let (atime, mtime, ctime) = (inode.atime.get(), inode.mtime.get(), inode.ctime.get());
        Stat {
            dev: inode.sb.dev,
            ino: inode.ino,
            mode: inode.mode.get(),
            nlink: self.links(inode),
            uid: inode.uid.get(),
            gid: inode.gid.get(),
            rdev: inode.rdev,
            size: inode.size() as i64,
            blksize: PAGE_SIZE as i32,
            blocks: self.blocks(inode) as i64,
            atime: atime.sec,
            atime_nsec: atime.nsec.into(),
            mtime: mtime.sec,
            mtime_nsec: mtime.nsec.into(),
            ctime: ctime.sec,
            ctime_nsec: ctime.nsec.into(),
            ..Stat::default()
        }
    }

    fn links(&self, inode: &Inode) -> u32 {
        match &inode.kind {
            Kind::Proc(node) => procfs::links(&self.tasks, node),
            _ => inode.nlink.get(),
        }
    }

    pub(crate) fn stat_call(
        &mut self,
        c: &Caller,
        dirfd: i32,
        path: UserPath,
        out: UserPtr<Stat>,
        flags: AtFlags,
    ) -> SysResult {
        if !STAT_FLAGS.contains(flags) {
            return Err(Errno::EINVAL);
        }
        let place = self.at_place(c, dirfd, path, flags)?;
        let stat = self.stat_of(place.inode());
        self.copy_out(c, out.addr(), &stat)?;
        OK
    }

    pub(crate) fn fstat_call(&mut self, c: &Caller, fd: i32, out: UserPtr<Stat>) -> SysResult {
        let file = self.file(c, fd)?;
        let stat = self.stat_of(file.inode());
        self.copy_out(c, out.addr(), &stat)?;
        OK
    }

    pub(crate) fn statx_call(
        &mut self,
        c: &Caller,
        dirfd: i32,
        path: UserPath,
        flags: AtFlags,
        mask: u32,
        out: UserPtr<Statx>,
    ) -> SysResult {
        let sync = AtFlags::STATX_FORCE_SYNC | AtFlags::STATX_DONT_SYNC;
        if mask & STATX_RESERVED != 0
            || !(STAT_FLAGS | sync).contains(flags)
            || flags.contains(sync)
        {
            return Err(Errno::EINVAL);
        }
        let place = self.at_place(c, dirfd, path, flags)?;
        let inode = place.inode();
        let stat = self.stat_of(inode);
        let time = |t: Time| StatxTime {
            sec: t.sec,
            nsec: t.nsec,
            pad: 0,
        };
        let is_root = Rc::ptr_eq(&place.dentry, &place.mount.root);
        /// STATX_ATTR_MOUNT_ROOT.
        const MOUNT_ROOT: u64 = 0x2000;
        let statx = Statx {
            mask: STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID,
            blksize: stat.blksize as u32,
            attributes: if is_root { MOUNT_ROOT } else { 0 },
            attributes_mask: MOUNT_ROOT,
            nlink: stat.nlink,
            uid: stat.uid,
            gid: stat.gid,
            mode: stat.mode as u16,
            ino: stat.ino,
            size: stat.size as u64,
            blocks: stat.blocks as u64,
            atime: time(inode.atime.get()),
            btime: time(inode.btime),
            ctime: time(inode.ctime.get()),
            mtime: time(inode.mtime.get()),
            rdev_major: dev_major(stat.rdev),
            rdev_minor: dev_minor(stat.rdev),
            dev_major: dev_major(stat.dev),
            dev_minor: dev_minor(stat.dev),
            mnt_id: place.mount.id.into(),
            ..Statx::default()
        };
        self.copy_out(c, out.addr(), &statx)?;
        OK
    }

    pub(crate) fn statfs_place(
        &mut self,
        c: &Caller,
        place: &Path,
        out: UserPtr<Statfs>,
    ) -> SysResult {
        let sb = &place.mount.sb;
        let in_memory = matches!(sb.kind, FsKind::Tmpfs | FsKind::Devtmpfs);
        let mut statfs = Statfs {
            kind: match sb.kind {
                FsKind::Tmpfs | FsKind::Devtmpfs => TMPFS_MAGIC,
                FsKind::Proc => PROC_SUPER_MAGIC,
                FsKind::Devpts => DEVPTS_SUPER_MAGIC,
                FsKind::Sysfs => SYSFS_MAGIC,
                FsKind::Pseudo => ANON_INODE_FS_MAGIC,
            } as i64,
            bsize: PAGE_SIZE as i64,
            frsize: PAGE_SIZE as i64,
            namelen: NAME_MAX as i64,
            flags: i64::from(place.mount.flags.get().bits() & 0x50f)
                | i64::from(place.mount.readonly())
                | ST_VALID
                | ST_RELATIME,
            fsid: [sb.dev as i32, 0],
            ..Statfs::default()
        };
        if in_memory {
            let stats = self.mem.stats()?;
            let used = sb.used.get();
            // Without a limit of its own, a file system can grow into all free memory.
            let limit = sb.size_limit.get();
            let free = stats.free.min(limit.saturating_sub(used));
            let total = limit.min(used.saturating_add(free));
            statfs.blocks = total / PAGE_SIZE;
            statfs.bfree = free / PAGE_SIZE;
            statfs.bavail = statfs.bfree;
            let all = self.vfs.counters.limit();
            let free = all.saturating_sub(self.vfs.counters.inodes());
            let own = sb.inode_limit.get();
            statfs.files = all.min(own);
            statfs.ffree = free.min(own.saturating_sub(sb.inodes.get()));
        }
        self.copy_out(c, out.addr(), &statfs)?;
        OK
    }

    pub(crate) fn access_call(
        &mut self,
        c: &Caller,
        dirfd: i32,
        path: UserPath,
        mode: u32,
        flags: AtFlags,
    ) -> SysResult {
        // faccessat2: AT_EACCESS has the value of AT_REMOVEDIR.
        let effective = AtFlags::REMOVEDIR;
        let known = effective | AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH;
        if mode & !(R_OK | W_OK | X_OK) != 0 || !known.contains(flags) {
            return Err(Errno::EINVAL);
        }
        let own = self.creds(c)?;
        let creds = if flags.contains(effective) {
            *own
        } else {
            perm::real(&own)
        };
        let name = self.user_path(c, path)?;
        let place = if name.is_empty() && flags.contains(AtFlags::EMPTY_PATH) {
            self.start(c, dirfd, &[])?
        } else if name.is_empty() {
            return Err(Errno::ENOENT);
        } else {
            let start = self.start(c, dirfd, &name)?;
            let follow = !flags.contains(AtFlags::SYMLINK_NOFOLLOW);
            self.walker(c, &creds)?.full(&start, name, follow)?
        };
        // R_OK, W_OK and X_OK have the values of the permission bits.
        if mode != 0 {
            perm::may_at(&place, &creds, mode)?;
        }
        OK
    }

    pub(crate) fn readlink_call(
        &mut self,
        c: &Caller,
        dirfd: i32,
        path: UserPath,
        buf: UserSlice,
    ) -> SysResult {
        if buf.is_empty() || buf.len > i32::MAX as usize {
            return Err(Errno::EINVAL);
        }
        let name = self.user_path(c, path)?;
        let by_descriptor = name.is_empty();
        let place = if by_descriptor {
            self.start(c, dirfd, &[])?
        } else {
            self.lookup(c, dirfd, name, false)?
        };
        let text = match &place.inode().kind {
            Kind::Symlink(text) => text.to_vec(),
            Kind::Proc(node) if place.inode().is_link() => {
                match procfs::target(&self.tasks, c.thread, node)? {
                    Target::Text(text) => text,
                    Target::Jump(to) => {
                        let root = self.thread(c)?.fs.root.borrow().clone();
                        let mut name = self.vfs.shown_name(&to, &root);
                        if name == b"anon_inode:" {
                            name.extend_from_slice(self.anon_name(c, node));
                        }
                        name
                    }
                }
            }
            _ if by_descriptor => return Err(Errno::ENOENT),
            _ => return Err(Errno::EINVAL),
        };
        let len = text.len().min(buf.len);
        let part = text.get(..len).unwrap_or_default();
        self.mem.copy_out(Space::Thread(c.thread), buf.addr, part)?;
        Ok(len).done()
    }

    /// What kind of description without a name a link of /proc means.
    fn anon_name(&self, c: &Caller, node: &procfs::Node) -> &'static [u8] {
        match procfs::file_behind(&self.tasks, c.thread, node).map(|f| f.kind_name()) {
            Some(name) => name.as_bytes(),
            None => b"[unknown]",
        }
    }

    pub(crate) fn getcwd_call(&mut self, c: &Caller, buf: UserSlice) -> SysResult {
        let (mut name, reached, gone) = {
            let fs = &self.thread(c)?.fs;
            let cwd = fs.cwd.borrow();
            let (name, reached) = self.vfs.mounts.name_of(&cwd, &fs.root.borrow());
            (name, reached, cwd.dentry.gone.get())
        };
        if gone {
            return Err(Errno::ENOENT);
        }
        if !reached {
            let mut shown = Vec::from(&b"(unreachable)"[..]);
            shown.append(&mut name);
            name = shown;
        }
        name.push(0);
        if name.len() > buf.len {
            return Err(Errno::ERANGE);
        }
        self.mem
            .copy_out(Space::Thread(c.thread), buf.addr, &name)?;
        Ok(name.len()).done()
    }

    fn enter(&self, c: &Caller, place: &Path) -> Result<(), Errno> {
        if !place.inode().is_dir() {
            return Err(Errno::ENOTDIR);
        }
        perm::may(place.inode(), &self.thread(c)?.creds, perm::EXEC)
    }

    pub(crate) fn chdir_call(&mut self, c: &Caller, path: UserPath) -> SysResult {
        let name = self.user_path(c, path)?;
        let place = self.lookup(c, lsyscall_abi::Fd::CWD.0, name, true)?;
        self.enter(c, &place)?;
        self.thread(c)?.fs.cwd.replace(place);
        OK
    }

    pub(crate) fn fchdir_call(&mut self, c: &Caller, fd: i32) -> SysResult {
        let place = self.file(c, fd)?.path.clone();
        self.enter(c, &place)?;
        self.thread(c)?.fs.cwd.replace(place);
        OK
    }

    pub(crate) fn chroot_call(&mut self, c: &Caller, path: UserPath) -> SysResult {
        let name = self.user_path(c, path)?;
        let place = self.lookup(c, lsyscall_abi::Fd::CWD.0, name, true)?;
        self.enter(c, &place)?;
        if !perm::capable(&self.thread(c)?.creds, CAP_SYS_CHROOT) {
            return Err(Errno::EPERM);
        }
        self.thread(c)?.fs.root.replace(place);
        OK
    }
}

/// Flags of a mount as statfs(2) and /proc/mounts show them.
pub const SHOWN_FLAGS: &[(MountFlags, &str)] = &[
    (MountFlags::SYNCHRONOUS, ",sync"),
    (MountFlags::NOSUID, ",nosuid"),
    (MountFlags::NODEV, ",nodev"),
    (MountFlags::NOEXEC, ",noexec"),
    (MountFlags::NOATIME, ",noatime"),
    (MountFlags::NODIRATIME, ",nodiratime"),
    (MountFlags::NOSYMFOLLOW, ",nosymfollow"),
];
