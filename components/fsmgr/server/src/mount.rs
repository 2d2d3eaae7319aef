//! Mounts, and places in the tree they form.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use lsyscall_abi::{Errno, MountFlags};

use crate::dentry::{dismantle, Dentry};
use crate::heap::headroom;
use crate::inode::{Inode, Super};

/// Most mounts there may be.
const MAX_MOUNTS: usize = 256;

/// A file system, or a part of one, at a place in the tree.
pub struct Mount {
    /// Number, as in /proc/self/mountinfo.
    pub id: u32,
    /// The file system.
    pub sb: Rc<Super>,
    /// Its directory (or file) that shows there.
    pub root: Rc<Dentry>,
    /// Where; `None` for the root of all, for internal mounts, and after umount.
    pub at: RefCell<Option<Path>>,
    /// Flags of mount(2) that stay in force.
    pub flags: Cell<MountFlags>,
    /// What mount(2) was told the source is.
    pub source: Vec<u8>,
    /// Marked by MNT_EXPIRE and not looked at since.
    pub expiring: Cell<bool>,
}

impl Mount {
    /// Whether nothing may be written through it, for its own flag or the file system's.
    pub fn readonly(&self) -> bool {
        self.has(MountFlags::RDONLY) || self.sb.readonly.get()
    }

    /// Whether a flag is in force.
    pub fn has(&self, flag: MountFlags) -> bool {
        self.flags.get().contains(flag)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let left = self.sb.mounts.get().saturating_sub(1);
        self.sb.mounts.set(left);
        if left == 0 {
            if let Some(root) = self.sb.root.take() {
                dismantle(&root);
            }
        }
    }
}

/// A place in the tree: a name, seen through a mount.
#[derive(Clone)]
pub struct Path {
    /// The mount.
    pub mount: Rc<Mount>,
    /// The name.
    pub dentry: Rc<Dentry>,
}

impl Path {
    /// The file there.
    pub fn inode(&self) -> &Rc<Inode> {
        &self.dentry.inode
    }

    /// Whether both are the same place.
    pub fn same(&self, other: &Path) -> bool {
        Rc::ptr_eq(&self.mount, &other.mount) && Rc::ptr_eq(&self.dentry, &other.dentry)
    }

    /// Another name of the same mount.
    pub fn with(&self, dentry: Rc<Dentry>) -> Path {
        Path {
            mount: Rc::clone(&self.mount),
            dentry,
        }
    }

    /// `EROFS` if nothing may be written there.
    pub fn writable(&self) -> Result<(), Errno> {
        if self.mount.readonly() {
            Err(Errno::EROFS)
        } else {
            Ok(())
        }
    }
}

/// All mounts, in the order they were made.
pub struct Namespace {
    list: RefCell<Vec<Rc<Mount>>>,
    next_id: Cell<u32>,
}

impl Namespace {
    /// No mount yet.
    pub fn new() -> Self {
        Namespace {
            list: RefCell::new(Vec::new()),
            next_id: Cell::new(1),
        }
    }

    /// A mount that is not in the tree. A new file system's `root` becomes the file system's.
    pub fn detached(
        &self,
        sb: &Rc<Super>,
        root: Rc<Dentry>,
        flags: MountFlags,
        source: &[u8],
    ) -> Rc<Mount> {
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        if sb.mounts.get() == 0 {
            *sb.root.borrow_mut() = Some(Rc::clone(&root));
        }
        sb.mounts.set(sb.mounts.get() + 1);
        Rc::new(Mount {
            id,
            sb: Rc::clone(sb),
            root,
            at: RefCell::new(None),
            flags: Cell::new(flags),
            source: source.to_vec(),
            expiring: Cell::new(false),
        })
    }

    /// Puts a mount at a place (`None`: it is the root of all). `ENOSPC` when there are too many.
    pub fn attach(&self, mount: &Rc<Mount>, at: Option<Path>) -> Result<(), Errno> {
        let mut list = self.list.borrow_mut();
        if list.len() >= MAX_MOUNTS {
            return Err(Errno::ENOSPC);
        }
        headroom()?;
        if let Some(place) = &at {
            place.dentry.mounted.set(place.dentry.mounted.get() + 1);
        }
        *mount.at.borrow_mut() = at;
        list.push(Rc::clone(mount));
        Ok(())
    }

    /// Takes a mount out of the tree.
    pub fn detach(&self, mount: &Rc<Mount>) {
        self.list.borrow_mut().retain(|m| !Rc::ptr_eq(m, mount));
        if let Some(place) = mount.at.take() {
            place
                .dentry
                .mounted
                .set(place.dentry.mounted.get().saturating_sub(1));
        }
    }

    /// Whether other mounts sit on this one.
    pub fn has_children(&self, mount: &Rc<Mount>) -> bool {
        self.list.borrow().iter().any(|m| {
            m.at.borrow()
                .as_ref()
                .is_some_and(|at| Rc::ptr_eq(&at.mount, mount))
        })
    }

    /// Those mounts.
    pub fn children(&self, mount: &Rc<Mount>) -> Vec<Rc<Mount>> {
        let on = |m: &&Rc<Mount>| {
            m.at.borrow()
                .as_ref()
                .is_some_and(|at| Rc::ptr_eq(&at.mount, mount))
        };
        self.list.borrow().iter().filter(on).cloned().collect()
    }

    /// All mounts.
    pub fn all(&self) -> Vec<Rc<Mount>> {
        self.list.borrow().clone()
    }

    /// The place itself, or the root of what is mounted on top of it.
    pub fn top(&self, mut path: Path) -> Path {
        while path.dentry.mounted.get() > 0 {
            let list = self.list.borrow();
            let found = list
                .iter()
                .rev()
                .find(|m| m.at.borrow().as_ref().is_some_and(|at| at.same(&path)));
            let Some(mount) = found else { break };
            path = Path {
                mount: Rc::clone(mount),
                dentry: Rc::clone(&mount.root),
            };
        }
        path
    }

    /// The place above, not beyond `root`.
    pub fn up(&self, path: &Path, root: &Path) -> Path {
        let mut at = path.clone();
        loop {
            if at.same(root) {
                return at;
            }
            if !Rc::ptr_eq(&at.dentry, &at.mount.root) {
                return match at.dentry.parent() {
                    Some(parent) => self.top(at.with(parent)),
                    None => at,
                };
            }
            let above = at.mount.at.borrow().clone();
            match above {
                Some(place) => at = place,
                None => return at,
            }
        }
    }

    /// The path name of a place as seen from `root`, and whether `root` was met on the way up.
    pub fn name_of(&self, path: &Path, root: &Path) -> (Vec<u8>, bool) {
        let mut names: Vec<Vec<u8>> = Vec::new();
        let mut at = path.clone();
        let reached = loop {
            if at.same(root) {
                break true;
            }
            if Rc::ptr_eq(&at.dentry, &at.mount.root) {
                let above = at.mount.at.borrow().clone();
                match above {
                    Some(place) => at = place,
                    None => break false,
                }
                continue;
            }
            names.push(at.dentry.name().to_vec());
            match at.dentry.parent() {
                Some(parent) => at = at.with(parent),
                None => break false,
            }
        };
        let mut out = Vec::new();
        for name in names.iter().rev() {
            out.push(b'/');
            out.extend_from_slice(name);
        }
        if out.is_empty() {
            out.push(b'/');
        }
        (out, reached)
    }
}
