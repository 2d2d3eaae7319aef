//! Names: directory entries and the tree they form.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::hash::Hasher;

use hashbrown::HashTable;
use lsyscall_abi::consts::inotify::{IN_DELETE_SELF, IN_UNMOUNT};

use crate::inode::{Inode, Kind};

/// A name in a directory. Children hold their parent; the parent's [`Dir`] holds the children until they are removed.
pub struct Dentry {
    name: RefCell<Box<[u8]>>,
    parent: RefCell<Option<Rc<Dentry>>>,
    /// What the name stands for.
    pub inode: Rc<Inode>,
    /// Place in the directory's order (its getdents offset less 2).
    pub seq: Cell<u64>,
    /// How many mounts sit on it.
    pub mounted: Cell<u32>,
    /// The name is no longer in its directory.
    pub gone: Cell<bool>,
}

impl Dentry {
    /// A root, or a name no directory holds.
    pub fn root(inode: Rc<Inode>) -> Rc<Dentry> {
        Rc::new(Dentry {
            name: RefCell::new(Box::default()),
            parent: RefCell::new(None),
            inode,
            seq: Cell::new(0),
            mounted: Cell::new(0),
            gone: Cell::new(false),
        })
    }

    /// A name below `parent`; whether the parent's directory holds it is the caller's affair.
    pub fn child(parent: &Rc<Dentry>, name: &[u8], inode: Rc<Inode>) -> Rc<Dentry> {
        Rc::new(Dentry {
            name: RefCell::new(name.into()),
            parent: RefCell::new(Some(Rc::clone(parent))),
            inode,
            seq: Cell::new(0),
            mounted: Cell::new(0),
            gone: Cell::new(false),
        })
    }

    /// The name; empty for a root.
    pub fn name(&self) -> core::cell::Ref<'_, Box<[u8]>> {
        self.name.borrow()
    }

    /// The directory above, `None` for a root.
    pub fn parent(&self) -> Option<Rc<Dentry>> {
        self.parent.borrow().clone()
    }

    /// Gives it another place in the tree (rename). The directories' contents are the caller's affair.
    pub fn set_place(&self, parent: &Rc<Dentry>, name: &[u8]) {
        *self.parent.borrow_mut() = Some(Rc::clone(parent));
        *self.name.borrow_mut() = name.into();
    }

    /// Whether `self` is `below` or one of the directories above it.
    pub fn is_ancestor_of(self: &Rc<Self>, below: &Rc<Dentry>) -> bool {
        let mut at = Some(Rc::clone(below));
        while let Some(dentry) = at {
            if Rc::ptr_eq(&dentry, self) {
                return true;
            }
            at = dentry.parent();
        }
        false
    }
}

impl Drop for Dentry {
    fn drop(&mut self) {
        if self.inode.nlink.get() == 0 {
            self.inode.notify_gone(IN_DELETE_SELF);
        }
        // A deep chain of dead parents must not be dropped recursively.
        let mut next = self.parent.get_mut().take();
        while let Some(parent) = next {
            next = Rc::into_inner(parent).and_then(|mut p| p.parent.get_mut().take());
        }
    }
}

fn hash(name: &[u8]) -> u64 {
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    hasher.write(name);
    hasher.finish()
}

struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 29
    }
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

/// The entries of a tmpfs directory: by name, and in the order of creation for getdents.
#[derive(Default)]
pub struct Dir {
    by_name: HashTable<Rc<Dentry>>,
    in_order: BTreeMap<u64, Rc<Dentry>>,
    next: u64,
    /// Removed: nothing may be created in it any more.
    pub dead: bool,
}

impl Dir {
    /// Number of entries.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The entry of a name.
    pub fn get(&self, name: &[u8]) -> Option<Rc<Dentry>> {
        self.by_name
            .find(hash(name), |d| **d.name.borrow() == *name)
            .cloned()
    }

    /// Adds an entry under its own name, which must be free.
    pub fn insert(&mut self, dentry: Rc<Dentry>) {
        let key = hash(&dentry.name.borrow());
        dentry.seq.set(self.next);
        dentry.gone.set(false);
        self.in_order.insert(self.next, Rc::clone(&dentry));
        self.next += 1;
        self.by_name
            .insert_unique(key, dentry, |d| hash(&d.name.borrow()));
    }

    /// Takes an entry out.
    pub fn remove(&mut self, dentry: &Rc<Dentry>) {
        let key = hash(&dentry.name.borrow());
        if let Ok(found) = self.by_name.find_entry(key, |d| Rc::ptr_eq(d, dentry)) {
            found.remove();
            self.in_order.remove(&dentry.seq.get());
            dentry.gone.set(true);
        }
    }

    /// The first entry at or behind a place in the order.
    pub fn at_or_after(&self, seq: u64) -> Option<Rc<Dentry>> {
        self.in_order.range(seq..).next().map(|(_, d)| Rc::clone(d))
    }

    /// Takes all entries out.
    fn take_all(&mut self) -> Vec<Rc<Dentry>> {
        self.in_order.clear();
        self.dead = true;
        self.by_name.drain().collect()
    }
}

/// Takes a whole tree apart, which its cycles of references would keep alive otherwise.
pub fn dismantle(root: &Rc<Dentry>) {
    let mut todo = Vec::new();
    todo.push(Rc::clone(root));
    while let Some(dentry) = todo.pop() {
        dentry.inode.notify_gone(IN_UNMOUNT);
        if let Kind::Dir(dir) = &dentry.inode.kind {
            todo.append(&mut dir.borrow_mut().take_all());
        }
    }
}
