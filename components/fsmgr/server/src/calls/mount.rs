//! mount(2) and umount2(2).

use alloc::rc::Rc;
use alloc::vec::Vec;

use console_api::Console;
use lsyscall_abi::consts::cap::CAP_SYS_ADMIN;
use lsyscall_abi::{Errno, MountFlags, UserAddr, UserPath, UserStr, PATH_MAX};
use lsyscall_router::{Caller, SysResult, OK};
use memmgr_api::{Memory, Space, PAGE_SIZE};

use crate::inode::FsKind;
use crate::mount::{Mount, Path};
use crate::perm;
use crate::FsMgr;

/// Flags of a mount that stay in force.
const KEPT: MountFlags = MountFlags::RDONLY
    .union(MountFlags::NOSUID)
    .union(MountFlags::NODEV)
    .union(MountFlags::NOEXEC)
    .union(MountFlags::SYNCHRONOUS)
    .union(MountFlags::NOATIME)
    .union(MountFlags::NODIRATIME)
    .union(MountFlags::STRICTATIME)
    .union(MountFlags::NOSYMFOLLOW);
/// Changes of propagation, which have no effect in a single namespace.
const PROPAGATION: MountFlags = MountFlags::SHARED
    .union(MountFlags::PRIVATE)
    .union(MountFlags::SLAVE)
    .union(MountFlags::UNBINDABLE);
/// umount2: MNT_DETACH.
const DETACH: u32 = 2;
/// umount2: MNT_FORCE.
const FORCE: u32 = 1;
/// umount2: MNT_EXPIRE.
const EXPIRE: u32 = 4;
/// umount2: UMOUNT_NOFOLLOW.
const NOFOLLOW: u32 = 8;

/// A size with a suffix, as tmpfs's `size=` takes it; `%` is of all memory.
fn size(text: &[u8], total: u64) -> Option<u64> {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let (number, suffix) = text.split_at(digits);
    let value: u64 = core::str::from_utf8(number).ok()?.parse().ok()?;
    match suffix {
        b"" => Some(value),
        b"k" | b"K" => value.checked_mul(1 << 10),
        b"m" | b"M" => value.checked_mul(1 << 20),
        b"g" | b"G" => value.checked_mul(1 << 30),
        b"%" => Some(total / 100 * value.min(100)),
        _ => None,
    }
}

/// What tmpfs is told at mount.
#[derive(Default)]
struct TmpfsOptions {
    size: Option<u64>,
    inodes: Option<u64>,
    mode: Option<u32>,
    uid: u32,
    gid: u32,
}

impl TmpfsOptions {
    fn parse(text: &[u8], total: u64) -> Result<Self, Errno> {
        let mut options = TmpfsOptions::default();
        for word in text.split(|b| *b == b',').filter(|w| !w.is_empty()) {
            let mut halves = word.splitn(2, |b| *b == b'=');
            let key = halves.next().unwrap_or_default();
            let value = halves.next().unwrap_or_default();
            let number = |radix| {
                let text = core::str::from_utf8(value).map_err(|_| Errno::EINVAL)?;
                u32::from_str_radix(text, radix).map_err(|_| Errno::EINVAL)
            };
            match key {
                b"size" => options.size = Some(size(value, total).ok_or(Errno::EINVAL)?),
                b"nr_blocks" => {
                    let blocks = size(value, total).ok_or(Errno::EINVAL)?;
                    options.size = Some(blocks.saturating_mul(PAGE_SIZE));
                }
                b"mode" => options.mode = Some(number(8)? & 0o7777),
                b"uid" => options.uid = number(10)?,
                b"gid" => options.gid = number(10)?,
                b"nr_inodes" => options.inodes = Some(size(value, total).ok_or(Errno::EINVAL)?),
                b"huge" | b"mpol" | b"inode64" | b"inode32" => {}
                _ => return Err(Errno::EINVAL),
            }
        }
        // As on Linux, 0 means no limit.
        options.size = options.size.filter(|s| *s > 0);
        options.inodes = options.inodes.filter(|n| *n > 0);
        Ok(options)
    }
}

impl<M: Memory, C: Console> FsMgr<M, C> {
    fn user_text(&self, c: &Caller, addr: u64) -> Result<Vec<u8>, Errno> {
        if addr == 0 {
            return Ok(Vec::new());
        }
        self.mem.read_cstr(Space::Thread(c.thread), addr, PATH_MAX)
    }

    pub(super) fn may_mount(&self, c: &Caller) -> Result<(), Errno> {
        if perm::capable(&self.thread(c)?.creds, CAP_SYS_ADMIN) {
            Ok(())
        } else {
            Err(Errno::EPERM)
        }
    }

    pub(crate) fn mount_call(
        &mut self,
        c: &Caller,
        source: UserStr,
        target: UserPath,
        fstype: UserStr,
        flags: MountFlags,
        data: UserAddr,
    ) -> SysResult {
        // MS_MGC_VAL, which old programs put into the upper half.
        let flags = if flags.bits() & 0xffff_0000 == 0xc0ed_0000 {
            MountFlags::from_bits_retain(flags.bits() & 0xffff)
        } else {
            flags
        };
        let fstype = self.user_text(c, fstype.addr())?;
        let source = self.user_text(c, source.addr())?;
        let name = self.user_path(c, target)?;
        let at = self.lookup(c, lsyscall_abi::Fd::CWD.0, name, true)?;
        self.may_mount(c)?;
        let kept = flags & KEPT;
        if flags.contains(MountFlags::REMOUNT) {
            if !Rc::ptr_eq(&at.dentry, &at.mount.root) {
                return Err(Errno::EINVAL);
            }
            at.mount.flags.set(kept);
            if !flags.contains(MountFlags::BIND) {
                let readonly = flags.contains(MountFlags::RDONLY);
                at.mount.sb.readonly.set(readonly);
            }
            if !flags.contains(MountFlags::BIND) && at.mount.sb.kind == FsKind::Tmpfs {
                let options = self.user_text(c, data.0)?;
                let options = TmpfsOptions::parse(&options, self.mem.stats()?.total)?;
                if let Some(size) = options.size {
                    if size < at.mount.sb.used.get() {
                        return Err(Errno::EINVAL);
                    }
                    at.mount.sb.size_limit.set(size);
                }
                if let Some(inodes) = options.inodes {
                    if inodes < at.mount.sb.inodes.get() {
                        return Err(Errno::EINVAL);
                    }
                    at.mount.sb.inode_limit.set(inodes);
                }
            }
            return OK;
        }
        if flags.contains(MountFlags::BIND) {
            return self.bind(c, source, at, kept, flags.contains(MountFlags::REC));
        }
        if flags.intersects(PROPAGATION) {
            return OK;
        }
        if flags.contains(MountFlags::MOVE) {
            return self.move_mount(c, source, at);
        }
        self.new_mount(c, &source, at, &fstype, kept, data)
    }

    fn new_mount(
        &mut self,
        c: &Caller,
        source: &[u8],
        at: Path,
        fstype: &[u8],
        kept: MountFlags,
        data: UserAddr,
    ) -> SysResult {
        let kind = match fstype {
            b"tmpfs" | b"ramfs" => FsKind::Tmpfs,
            b"devtmpfs" => FsKind::Devtmpfs,
            b"proc" => FsKind::Proc,
            b"devpts" => FsKind::Devpts,
            b"sysfs" => FsKind::Sysfs,
            b"" => return Err(Errno::EINVAL),
            _ => return Err(Errno::ENODEV),
        };
        if !at.inode().is_dir() {
            return Err(Errno::ENOTDIR);
        }
        let mut options = TmpfsOptions::default();
        if kind == FsKind::Tmpfs {
            let text = self.user_text(c, data.0)?;
            options = TmpfsOptions::parse(&text, self.mem.stats()?.total)?;
        }
        // There is one devtmpfs and one devpts, wherever they are mounted.
        let existing = self
            .vfs
            .mounts
            .all()
            .into_iter()
            .find(|m| matches!(kind, FsKind::Devtmpfs | FsKind::Devpts) && m.sb.kind == kind);
        let mount = match existing {
            Some(other) => {
                self.vfs
                    .mounts
                    .detached(&other.sb, Rc::clone(&other.root), kept, source)
            }
            None => {
                let mode = options.mode.unwrap_or(match kind {
                    FsKind::Tmpfs => 0o1777,
                    FsKind::Proc | FsKind::Sysfs => 0o555,
                    _ => 0o755,
                });
                let (sb, root) = self.vfs.file_system(kind, mode, self.time())?;
                sb.readonly.set(kept.contains(MountFlags::RDONLY));
                sb.size_limit.set(options.size.unwrap_or(u64::MAX));
                sb.inode_limit.set(options.inodes.unwrap_or(u64::MAX));
                root.inode.uid.set(options.uid);
                root.inode.gid.set(options.gid);
                let mount = self.vfs.mounts.detached(&sb, root, kept, source);
                if kind == FsKind::Devtmpfs {
                    self.fill_dev(&mount)?;
                }
                mount
            }
        };
        self.vfs.mounts.attach(&mount, Some(at))?;
        OK
    }

    fn bind(
        &mut self,
        c: &Caller,
        source: Vec<u8>,
        at: Path,
        kept: MountFlags,
        recursive: bool,
    ) -> SysResult {
        let from = self.lookup(c, lsyscall_abi::Fd::CWD.0, source, true)?;
        if from.inode().is_dir() != at.inode().is_dir() {
            return Err(Errno::ENOTDIR);
        }
        let flags = from.mount.flags.get() | kept;
        let copy = |root: &Path, mount: &Rc<Mount>| {
            self.vfs.mounts.detached(
                &root.mount.sb,
                Rc::clone(&root.dentry),
                flags,
                &mount.source,
            )
        };
        let top = copy(&from, &from.mount);
        self.vfs.mounts.attach(&top, Some(at))?;
        if recursive {
            let mut todo = Vec::new();
            todo.push((Rc::clone(&from.mount), top));
            while let Some((old, new)) = todo.pop() {
                for child in self.vfs.mounts.children(&old) {
                    let place = child.at.borrow().clone();
                    let Some(place) = place.filter(|p| new.root.is_ancestor_of(&p.dentry)) else {
                        continue;
                    };
                    if Rc::ptr_eq(&child, &new) {
                        continue;
                    }
                    let root = Path {
                        mount: Rc::clone(&child),
                        dentry: Rc::clone(&child.root),
                    };
                    let made = copy(&root, &child);
                    let below = Path {
                        mount: Rc::clone(&new),
                        dentry: place.dentry,
                    };
                    self.vfs.mounts.attach(&made, Some(below))?;
                    todo.push((child, made));
                }
            }
        }
        OK
    }

    fn move_mount(&mut self, c: &Caller, source: Vec<u8>, at: Path) -> SysResult {
        let from = self.lookup(c, lsyscall_abi::Fd::CWD.0, source, true)?;
        let is_root = Rc::ptr_eq(&from.dentry, &from.mount.root);
        if !is_root || from.mount.at.borrow().is_none() {
            return Err(Errno::EINVAL);
        }
        if from.inode().is_dir() != at.inode().is_dir() {
            return Err(Errno::ENOTDIR);
        }
        let mut above = Some(Rc::clone(&at.mount));
        while let Some(mount) = above {
            if Rc::ptr_eq(&mount, &from.mount) {
                return Err(Errno::ELOOP);
            }
            above = mount.at.borrow().as_ref().map(|p| Rc::clone(&p.mount));
        }
        self.vfs.mounts.detach(&from.mount);
        self.vfs.mounts.attach(&from.mount, Some(at))?;
        OK
    }

    pub(crate) fn umount_call(&mut self, c: &Caller, target: UserPath, flags: u32) -> SysResult {
        if flags & !(FORCE | DETACH | EXPIRE | NOFOLLOW) != 0 {
            return Err(Errno::EINVAL);
        }
        self.may_mount(c)?;
        let lazy = flags & DETACH != 0;
        if flags & EXPIRE != 0 && flags & (DETACH | FORCE) != 0 {
            return Err(Errno::EINVAL);
        }
        let name = self.user_path(c, target)?;
        if name.is_empty() {
            return Err(Errno::ENOENT);
        }
        let start = self.start(c, lsyscall_abi::Fd::CWD.0, &name)?;
        let creds = self.creds(c)?;
        let walker = self.walker(c, &creds)?;
        let place = walker.full(&start, name, flags & NOFOLLOW == 0)?;
        drop((walker, start));
        let mount = Rc::clone(&place.mount);
        if !Rc::ptr_eq(&place.dentry, &mount.root) {
            return Err(Errno::EINVAL);
        }
        drop(place);
        if mount.at.borrow().is_none() {
            return Err(Errno::EBUSY);
        }
        let mut all = Vec::new();
        all.push(Rc::clone(&mount));
        if lazy {
            let mut at = 0;
            while let Some(next) = all.get(at).cloned() {
                all.extend(self.vfs.mounts.children(&next));
                at += 1;
            }
        } else {
            // Held by the list of mounts, by `mount` and by `all`; whoever else holds it uses it.
            if self.vfs.mounts.has_children(&mount) || Rc::strong_count(&mount) > 3 {
                return Err(Errno::EBUSY);
            }
            // The first time marks it; if nobody looks at it until the second time, it goes.
            if flags & EXPIRE != 0 && !mount.expiring.replace(true) {
                return Err(Errno::EAGAIN);
            }
        }
        for mount in all.iter().rev() {
            self.vfs.mounts.detach(mount);
        }
        OK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tmpfs_options() {
        let options = TmpfsOptions::parse(b"size=16k,mode=700,uid=5", 1000).expect("valid");
        assert_eq!(
            (options.size, options.mode, options.uid),
            (Some(16384), Some(0o700), 5)
        );
        let half = TmpfsOptions::parse(b"size=50%", 1000).expect("valid");
        assert_eq!(half.size, Some(500));
        for bad in [
            &b"size=x"[..],
            b"mode=9",
            b"unknown",
            b"size=99999999999999999g",
        ] {
            assert!(TmpfsOptions::parse(bad, 1000).is_err(), "{bad:?}");
        }
    }
}
