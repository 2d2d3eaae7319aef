//! Making, linking, renaming and removing names.

use alloc::rc::Rc;
use alloc::vec::Vec;

use console_api::Console;
use fsmgr_api::Creds;
use lsyscall_abi::consts::cap::{CAP_DAC_READ_SEARCH, CAP_MKNOD};
use lsyscall_abi::consts::mode::{
    S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK, S_ISGID, S_ISUID, S_IXGRP,
};
use lsyscall_abi::{AtFlags, Errno, RenameFlags, UserPath};
use lsyscall_router::{Caller, SysResult, OK};
use memmgr_api::Memory;

use crate::mount::Path;
use crate::path::{Last, Parent, Walker};
use crate::perm;
use crate::vfs::{DIR_MODE_BITS, MODE_BITS};
use crate::FsMgr;

/// A device number as mknod(2) takes it (32 bits), as stat(2) shows it.
fn device(dev: u32) -> u64 {
    let minor = (dev & 0xff) | (dev >> 12 & 0xfff00);
    crate::inode::make_dev(dev >> 8 & 0xfff, minor)
}

impl<M: Memory, C: Console> FsMgr<M, C> {
    /// All but the last component of a name from user memory.
    fn parent_of<'a>(
        &'a self,
        c: &Caller,
        creds: &'a Creds,
        dirfd: i32,
        name: Vec<u8>,
    ) -> Result<(Walker<'a>, Parent), Errno> {
        if name.is_empty() {
            return Err(Errno::ENOENT);
        }
        let start = self.start(c, dirfd, &name)?;
        let walker = self.walker(c, creds)?;
        let parent = walker.parent(&start, name)?;
        Ok((walker, parent))
    }

    /// A name that must not exist yet. A slash behind it is right for directories only.
    fn free_name(walker: &Walker<'_>, parent: &Parent, is_dir: bool) -> Result<Vec<u8>, Errno> {
        let Last::Name(name) = &parent.last else {
            return Err(Errno::EEXIST);
        };
        match walker.step(&parent.dir, &parent.last) {
            Ok(_) => Err(Errno::EEXIST),
            Err(Errno::ENOENT) if parent.slash && !is_dir => Err(Errno::ENOENT),
            Err(Errno::ENOENT) => Ok(name.clone()),
            Err(e) => Err(e),
        }
    }

    pub(crate) fn mknod_call(
        &mut self,
        c: &Caller,
        dirfd: i32,
        path: UserPath,
        mode: u32,
        dev: u32,
    ) -> SysResult {
        let name = self.user_path(c, path)?;
        let creds = self.creds(c)?;
        let kind = match mode & S_IFMT {
            0 => S_IFREG,
            kind @ (S_IFREG | S_IFIFO | S_IFSOCK | S_IFCHR | S_IFBLK) => kind,
            S_IFDIR => return Err(Errno::EPERM),
            _ => return Err(Errno::EINVAL),
        };
        let rdev = match kind {
            S_IFCHR | S_IFBLK => device(dev),
            _ => 0,
        };
        let (walker, parent) = self.parent_of(c, &creds, dirfd, name)?;
        let name = Self::free_name(&walker, &parent, false)?;
        parent.dir.writable()?;
        if rdev != 0 && !perm::capable(&creds, CAP_MKNOD) {
            return Err(Errno::EPERM);
        }
        let mode = kind | mode & MODE_BITS & !self.thread(c)?.fs.umask.get();
        let time = self.time();
        self.vfs
            .create(&parent.dir, &name, &creds, mode, rdev, time)?;
        OK
    }

    pub(crate) fn mkdir_call(
        &mut self,
        c: &Caller,
        dirfd: i32,
        path: UserPath,
        mode: u32,
    ) -> SysResult {
        let name = self.user_path(c, path)?;
        let creds = self.creds(c)?;
        let (walker, parent) = self.parent_of(c, &creds, dirfd, name)?;
        let name = Self::free_name(&walker, &parent, true)?;
        let mode = S_IFDIR | mode & DIR_MODE_BITS & !self.thread(c)?.fs.umask.get();
        let time = self.time();
        self.vfs.create(&parent.dir, &name, &creds, mode, 0, time)?;
        OK
    }

    pub(crate) fn symlink_call(
        &mut self,
        c: &Caller,
        target: UserPath,
        dirfd: i32,
        path: UserPath,
    ) -> SysResult {
        let target = self.user_path(c, target)?;
        let name = self.user_path(c, path)?;
        if target.is_empty() {
            return Err(Errno::ENOENT);
        }
        let creds = self.creds(c)?;
        let (walker, parent) = self.parent_of(c, &creds, dirfd, name)?;
        let name = Self::free_name(&walker, &parent, false)?;
        let time = self.time();
        self.vfs
            .symlink(&parent.dir, &name, &creds, &target, time)?;
        OK
    }

    pub(crate) fn link_call(
        &mut self,
        c: &Caller,
        old: (i32, UserPath),
        new: (i32, UserPath),
        flags: AtFlags,
    ) -> SysResult {
        if !(AtFlags::SYMLINK_FOLLOW | AtFlags::EMPTY_PATH).contains(flags) {
            return Err(Errno::EINVAL);
        }
        let old_name = self.user_path(c, old.1)?;
        let creds = self.creds(c)?;
        let empty = old_name.is_empty() && flags.contains(AtFlags::EMPTY_PATH);
        let file = if empty {
            let place = self.file(c, old.0)?.path.clone();
            if !perm::capable(&creds, CAP_DAC_READ_SEARCH) {
                return Err(Errno::ENOENT);
            }
            place
        } else {
            self.lookup(c, old.0, old_name, flags.contains(AtFlags::SYMLINK_FOLLOW))?
        };
        Self::may_link(&file, &creds)?;
        let unnamed = file.inode().nlink.get() == 0;
        let new_name = self.user_path(c, new.1)?;
        let (walker, parent) = self.parent_of(c, &creds, new.0, new_name)?;
        let name = Self::free_name(&walker, &parent, false)?;
        let by_fd = empty || flags.contains(AtFlags::SYMLINK_FOLLOW);
        if unnamed && !by_fd {
            return Err(Errno::ENOENT);
        }
        let time = self.time();
        self.vfs.link(&file, &parent.dir, &name, &creds, time)?;
        OK
    }

    /// What /proc/sys/fs/protected_hardlinks says (proc(5)): only the owner gives names to files that others could not
    /// write anyway, or that lend their rights. `EPERM`.
    fn may_link(file: &Path, creds: &Creds) -> Result<(), Errno> {
        let inode = file.inode();
        let mode = inode.mode.get();
        let lends = mode & S_ISUID != 0 || mode & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP;
        let harmless =
            inode.is_file() && !lends && perm::may(inode, creds, perm::READ | perm::WRITE).is_ok();
        if harmless {
            return Ok(());
        }
        perm::owner(inode, creds)
    }

    pub(crate) fn unlink_call(
        &mut self,
        c: &Caller,
        dirfd: i32,
        path: UserPath,
        flags: AtFlags,
    ) -> SysResult {
        if !AtFlags::REMOVEDIR.contains(flags) {
            return Err(Errno::EINVAL);
        }
        let rmdir = flags.contains(AtFlags::REMOVEDIR);
        let name = self.user_path(c, path)?;
        let creds = self.creds(c)?;
        let (walker, parent) = self.parent_of(c, &creds, dirfd, name)?;
        match &parent.last {
            Last::Name(_) => {}
            Last::Dot if rmdir => return Err(Errno::EINVAL),
            Last::DotDot if rmdir => return Err(Errno::ENOTEMPTY),
            Last::Root if rmdir => return Err(Errno::EBUSY),
            _ => return Err(Errno::EISDIR),
        }
        let victim = walker.step(&parent.dir, &parent.last)?;
        if parent.slash && !rmdir {
            return Err(if victim.inode().is_dir() {
                Errno::EISDIR
            } else {
                Errno::ENOTDIR
            });
        }
        let time = self.time();
        self.vfs.unlink(&parent.dir, &victim, &creds, rmdir, time)?;
        OK
    }

    pub(crate) fn rename_call(
        &mut self,
        c: &Caller,
        old: (i32, UserPath),
        new: (i32, UserPath),
        flags: RenameFlags,
    ) -> SysResult {
        let exchange = flags.contains(RenameFlags::EXCHANGE);
        let keep = flags.contains(RenameFlags::NOREPLACE);
        let whiteout = flags.contains(RenameFlags::WHITEOUT);
        if flags.has_unknown() || (exchange && (keep || whiteout)) {
            return Err(Errno::EINVAL);
        }
        let old_name = self.user_path(c, old.1)?;
        let new_name = self.user_path(c, new.1)?;
        let creds = self.creds(c)?;
        let (walker, from) = self.parent_of(c, &creds, old.0, old_name)?;
        let (_, to) = self.parent_of(c, &creds, new.0, new_name)?;
        if !Rc::ptr_eq(&from.dir.mount, &to.dir.mount) {
            return Err(Errno::EXDEV);
        }
        if !matches!(from.last, Last::Name(_)) {
            return Err(Errno::EBUSY);
        }
        let Last::Name(name) = &to.last else {
            return Err(if keep { Errno::EEXIST } else { Errno::EBUSY });
        };
        let source = walker.step(&from.dir, &from.last)?;
        let target = match walker.step(&to.dir, &to.last) {
            Ok(found) => Some(found),
            Err(Errno::ENOENT) => None,
            Err(e) => return Err(e),
        };
        if keep && target.is_some() {
            return Err(Errno::EEXIST);
        }
        let target_is_dir = target.as_ref().is_some_and(|t| t.inode().is_dir());
        if exchange && target.is_none() {
            return Err(Errno::ENOENT);
        }
        if !source.inode().is_dir() && (from.slash || to.slash && !(exchange && target_is_dir)) {
            return Err(Errno::ENOTDIR);
        }
        if exchange && to.slash && !target_is_dir {
            return Err(Errno::ENOTDIR);
        }
        if source.dentry.is_ancestor_of(&to.dir.dentry) {
            return Err(Errno::EINVAL);
        }
        if let Some(target) = &target {
            if target.dentry.is_ancestor_of(&from.dir.dentry) {
                return Err(if exchange {
                    Errno::EINVAL
                } else {
                    Errno::ENOTEMPTY
                });
            }
            if Rc::ptr_eq(target.inode(), source.inode()) {
                return OK;
            }
        }
        let old_name = source.dentry.name().to_vec();
        let time = self.time();
        self.vfs.rename(
            &from.dir,
            &source,
            &to.dir,
            name,
            target.as_ref(),
            exchange,
            &creds,
            time,
        )?;
        if whiteout {
            // A character device 0:0, which union file systems take for the absence of a name.
            self.vfs
                .create(&from.dir, &old_name, &creds, S_IFCHR, 0, time)?;
        }
        OK
    }

    /// Makes the name of a bound socket. `EADDRINUSE` if it is taken.
    pub(crate) fn socket_name(&mut self, c: &Caller, name: Vec<u8>) -> Result<Path, Errno> {
        let creds = self.creds(c)?;
        let (walker, parent) = self.parent_of(c, &creds, lsyscall_abi::Fd::CWD.0, name)?;
        let name = Self::free_name(&walker, &parent, false).map_err(|e| match e {
            Errno::EEXIST => Errno::EADDRINUSE,
            e => e,
        })?;
        let mode = S_IFSOCK | 0o777 & !self.thread(c)?.fs.umask.get();
        self.vfs
            .create(&parent.dir, &name, &creds, mode, 0, self.time())
    }
}
