//! Path resolution (path_resolution(7)).

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;

use fsmgr_api::Creds;
use lsyscall_abi::consts::mode::{S_ISVTX, S_IWOTH};
use lsyscall_abi::{Errno, MountFlags, ThreadIdx, NAME_MAX};

use crate::dentry::Dentry;
use crate::inode::Kind;
use crate::mount::Path;
use crate::perm;
use crate::procfs::{self, Target};
use crate::task::Tasks;
use crate::vfs::Vfs;

/// Symbolic links followed in one resolution.
const MAX_LINKS: u32 = 40;

/// RESOLVE_* bits of openat2(2).
pub mod resolve {
    /// Stay on the mount.
    pub const NO_XDEV: u64 = 1;
    /// No links of /proc that jump.
    pub const NO_MAGICLINKS: u64 = 2;
    /// No symbolic links.
    pub const NO_SYMLINKS: u64 = 4;
    /// Not out of the starting directory.
    pub const BENEATH: u64 = 8;
    /// The starting directory is the root.
    pub const IN_ROOT: u64 = 16;
    /// Every bit known; the sixth is RESOLVE_CACHED, and everything is in memory.
    pub const ALL: u64 = 63;
}

/// The last component of a path name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Last {
    /// A name.
    Name(Vec<u8>),
    /// `.`
    Dot,
    /// `..`
    DotDot,
    /// There is none: `/`
    Root,
}

/// Everything but the last component, resolved.
pub struct Parent {
    /// The directory; the caller may search it.
    pub dir: Path,
    /// What is wanted in it.
    pub last: Last,
    /// A slash follows: it must be a directory.
    pub slash: bool,
}

/// One resolution.
pub struct Walker<'a> {
    vfs: &'a Vfs,
    tasks: &'a Tasks,
    thread: ThreadIdx,
    creds: &'a Creds,
    root: Path,
    resolve: u64,
    links: Cell<u32>,
}

impl<'a> Walker<'a> {
    /// A resolution as seen by `thread`, with `root` as its root directory.
    pub fn new(
        vfs: &'a Vfs,
        tasks: &'a Tasks,
        thread: ThreadIdx,
        creds: &'a Creds,
        root: Path,
    ) -> Self {
        Walker {
            vfs,
            tasks,
            thread,
            creds,
            root,
            resolve: 0,
            links: Cell::new(0),
        }
    }

    /// With the bits of openat2(2); the walk starts at `start`.
    #[must_use]
    pub fn restricted(mut self, bits: u64, start: &Path) -> Self {
        self.resolve = bits;
        if bits & (resolve::IN_ROOT | resolve::BENEATH) != 0 {
            self.root = start.clone();
        }
        self
    }

    fn has(&self, bit: u64) -> bool {
        self.resolve & bit != 0
    }

    /// Where a name starts: the root or the given directory.
    fn base(&self, start: &Path, name: &[u8]) -> Result<Path, Errno> {
        if name.first() != Some(&b'/') {
            return Ok(start.clone());
        }
        if self.has(resolve::BENEATH) {
            return Err(Errno::EXDEV);
        }
        Ok(self.root.clone())
    }

    /// Resolves all but the last component.
    pub fn parent(&self, start: &Path, name: Vec<u8>) -> Result<Parent, Errno> {
        let mut dir = self.base(start, &name)?;
        let mut rest = name;
        let mut at = 0;
        loop {
            at += rest.iter().skip(at).take_while(|b| **b == b'/').count();
            let tail = rest.get(at..).unwrap_or_default();
            if tail.is_empty() {
                return Ok(Parent {
                    dir,
                    last: Last::Root,
                    slash: true,
                });
            }
            let len = tail.iter().position(|b| *b == b'/').unwrap_or(tail.len());
            if len > NAME_MAX {
                return Err(Errno::ENAMETOOLONG);
            }
            let (component, behind) = tail.split_at(len);
            let slashes = behind.iter().take_while(|b| **b == b'/').count();
            let next = at + len + slashes;
            let last = match component {
                b"." => Last::Dot,
                b".." => Last::DotDot,
                name => Last::Name(name.to_vec()),
            };
            if !dir.inode().is_dir() {
                return Err(Errno::ENOTDIR);
            }
            perm::may(dir.inode(), self.creds, perm::EXEC)?;
            if next >= rest.len() {
                return Ok(Parent {
                    dir,
                    last,
                    slash: slashes > 0,
                });
            }
            let child = self.step(&dir, &last)?;
            at = next;
            if child.inode().is_link() {
                match self.follow(&child)? {
                    Target::Jump(place) => dir = place,
                    Target::Text(mut text) => {
                        dir = self.base(&dir, &text)?;
                        text.push(b'/');
                        text.extend_from_slice(rest.get(at..).unwrap_or_default());
                        rest = text;
                        at = 0;
                    }
                }
            } else {
                dir = child;
            }
            if !dir.inode().is_dir() {
                return Err(Errno::ENOTDIR);
            }
        }
    }

    /// One component: `ENOENT` if there is no such name. Symbolic links are not followed, mounts are entered.
    pub fn step(&self, dir: &Path, last: &Last) -> Result<Path, Errno> {
        let name = match last {
            Last::Dot | Last::Root => return Ok(dir.clone()),
            Last::DotDot => {
                if self.has(resolve::BENEATH) && dir.same(&self.root) {
                    return Err(Errno::EXDEV);
                }
                let up = self.vfs.mounts.up(dir, &self.root);
                return self.same_device(dir, up);
            }
            Last::Name(name) => name,
        };
        let dentry = match &dir.inode().kind {
            Kind::Dir(entries) => entries.borrow().get(name).ok_or(Errno::ENOENT)?,
            Kind::Proc(node) => {
                let inode =
                    procfs::lookup(self.vfs, self.tasks, self.thread, dir.inode(), node, name)?;
                Dentry::child(&dir.dentry, name, inode)
            }
            _ => return Err(Errno::ENOTDIR),
        };
        let found = self.vfs.mounts.top(dir.with(dentry));
        self.same_device(dir, found)
    }

    fn same_device(&self, from: &Path, to: Path) -> Result<Path, Errno> {
        if self.has(resolve::NO_XDEV) && !Rc::ptr_eq(&from.mount, &to.mount) {
            return Err(Errno::EXDEV);
        }
        Ok(to)
    }

    /// Where a symbolic link leads. `ELOOP`.
    pub fn follow(&self, link: &Path) -> Result<Target, Errno> {
        let count = self.links.get() + 1;
        self.links.set(count);
        if count > MAX_LINKS
            || self.has(resolve::NO_SYMLINKS)
            || link.mount.has(MountFlags::NOSYMFOLLOW)
        {
            return Err(Errno::ELOOP);
        }
        match &link.inode().kind {
            Kind::Symlink(text) => Ok(Target::Text(text.to_vec())),
            Kind::Proc(node) => {
                let target = procfs::target(self.tasks, self.thread, node)?;
                if let Target::Jump(place) = &target {
                    if self.has(resolve::NO_MAGICLINKS) {
                        return Err(Errno::ELOOP);
                    }
                    if self.has(resolve::IN_ROOT | resolve::BENEATH) {
                        return Err(Errno::EXDEV);
                    }
                    self.same_device(link, place.clone())?;
                }
                Ok(target)
            }
            _ => Err(Errno::EINVAL),
        }
    }

    /// What /proc/sys/fs/protected_symlinks says (proc(5)): at the end of a name, in a sticky directory that all may write,
    /// only links of one's own or of the directory's owner are followed. `EACCES`.
    pub fn may_follow(&self, dir: &Path, link: &Path) -> Result<(), Errno> {
        let (parent, owner) = (dir.inode(), link.inode().uid.get());
        let shared = parent.mode.get() & (S_ISVTX | S_IWOTH) == S_ISVTX | S_IWOTH;
        if !shared || owner == self.creds.uid || owner == parent.uid.get() {
            Ok(())
        } else {
            Err(Errno::EACCES)
        }
    }

    /// Resolves a whole path name; a symbolic link at its end is followed if `follow` or if a slash follows it.
    pub fn full(&self, start: &Path, name: Vec<u8>, follow: bool) -> Result<Path, Errno> {
        let mut parent = self.parent(start, name)?;
        loop {
            let found = self.step(&parent.dir, &parent.last)?;
            if !found.inode().is_link() || !(follow || parent.slash) {
                return Self::checked(found, parent.slash);
            }
            self.may_follow(&parent.dir, &found)?;
            match self.follow(&found)? {
                Target::Jump(place) => return Self::checked(place, parent.slash),
                Target::Text(text) => {
                    let slash = parent.slash;
                    parent = self.parent(&parent.dir, text)?;
                    parent.slash |= slash;
                }
            }
        }
    }

    fn checked(found: Path, slash: bool) -> Result<Path, Errno> {
        if slash && !found.inode().is_dir() {
            return Err(Errno::ENOTDIR);
        }
        Ok(found)
    }
}
