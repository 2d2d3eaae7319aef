//! Inodes and the file systems they belong to.

use alloc::boxed::Box;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::{Cell, OnceCell, RefCell};

use lsyscall_abi::consts::mode::{S_IFDIR, S_IFLNK, S_IFMT, S_IFREG};
use lsyscall_abi::Errno;

use crate::dentry::{Dentry, Dir};
use crate::heap::headroom;
use crate::inotify::Watch;
use crate::lock::Locks;
use crate::pipe::Pipe;
use crate::procfs::Node;
use crate::unix::Socket;
use crate::vmo::{Graveyard, VmoRef};
use crate::xattr::Xattrs;

/// A moment since 1970, as file times have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Seconds.
    pub sec: i64,
    /// Nanoseconds within the second.
    pub nsec: u32,
}

impl Time {
    /// From nanoseconds since 1970.
    pub fn from_ns(ns: u64) -> Self {
        Time {
            sec: (ns / 1_000_000_000) as i64,
            nsec: (ns % 1_000_000_000) as u32,
        }
    }
}

/// Kinds of file systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FsKind {
    /// Files in memory.
    Tmpfs,
    /// The same, for device nodes.
    Devtmpfs,
    /// Processes.
    Proc,
    /// Pseudo-terminals.
    Devpts,
    /// Empty.
    Sysfs,
    /// Pipes, sockets and the like, which no directory holds.
    Pseudo,
}

impl FsKind {
    /// The name mount(2) knows it by.
    pub fn name(self) -> &'static str {
        match self {
            FsKind::Tmpfs => "tmpfs",
            FsKind::Devtmpfs => "devtmpfs",
            FsKind::Proc => "proc",
            FsKind::Devpts => "devpts",
            FsKind::Sysfs => "sysfs",
            FsKind::Pseudo => "pseudo",
        }
    }
}

/// Numbers all inodes and file systems share.
pub struct Counters {
    next_ino: Cell<u64>,
    next_dev: Cell<u64>,
    inodes: Cell<u64>,
    limit: u64,
    /// Bytes extended attributes take.
    pub xattr_bytes: Cell<u64>,
    /// Files watched by inotify(7).
    pub watches: Cell<u64>,
    /// inotify instances.
    pub inotify_instances: Cell<u64>,
    /// Bytes of inotify events that wait.
    pub inotify_bytes: Cell<u64>,
}

impl Counters {
    /// Allows `limit` inodes in all.
    pub fn new(limit: u64) -> Rc<Self> {
        Rc::new(Counters {
            next_ino: Cell::new(2),
            next_dev: Cell::new(1),
            inodes: Cell::new(0),
            limit,
            xattr_bytes: Cell::new(0),
            watches: Cell::new(0),
            inotify_instances: Cell::new(0),
            inotify_bytes: Cell::new(0),
        })
    }

    /// Inodes alive.
    pub fn inodes(&self) -> u64 {
        self.inodes.get()
    }

    /// Inodes there may be.
    pub fn limit(&self) -> u64 {
        self.limit
    }
}

/// A file system instance.
pub struct Super {
    /// st_dev.
    pub dev: u64,
    /// What it is.
    pub kind: FsKind,
    /// Mounts of it; at zero its tree is taken apart.
    pub mounts: Cell<u32>,
    /// Its root directory, while it is mounted.
    pub root: RefCell<Option<Rc<Dentry>>>,
    /// Nothing may be written, whichever mount is used.
    pub readonly: Cell<bool>,
    /// Size limit in bytes (tmpfs's `size=`), `u64::MAX` for none of its own.
    pub size_limit: Cell<u64>,
    /// Bytes its files hold, by their sizes.
    pub used: Cell<u64>,
    /// Inodes it may have (tmpfs's `nr_inodes=`), `u64::MAX` for no limit of its own.
    pub inode_limit: Cell<u64>,
    /// Inodes it has.
    pub inodes: Cell<u64>,
    /// Where memory objects go.
    pub graveyard: Rc<Graveyard>,
    /// Shared numbers.
    pub counters: Rc<Counters>,
}

impl Super {
    /// A new instance.
    pub fn new(kind: FsKind, counters: &Rc<Counters>, graveyard: &Rc<Graveyard>) -> Rc<Self> {
        let minor = counters.next_dev.get();
        counters.next_dev.set(minor + 1);
        Rc::new(Super {
            dev: make_dev(0, minor as u32),
            kind,
            mounts: Cell::new(0),
            root: RefCell::new(None),
            readonly: Cell::new(false),
            size_limit: Cell::new(u64::MAX),
            used: Cell::new(0),
            inode_limit: Cell::new(u64::MAX),
            inodes: Cell::new(0),
            graveyard: Rc::clone(graveyard),
            counters: Rc::clone(counters),
        })
    }

    /// Makes an inode with a number of its own. `ENOSPC` when there are too many.
    pub fn inode(self: &Rc<Self>, init: InodeInit, kind: Kind) -> Result<Rc<Inode>, Errno> {
        let counters = &self.counters;
        if counters.inodes.get() >= counters.limit || self.inodes.get() >= self.inode_limit.get() {
            return Err(Errno::ENOSPC);
        }
        headroom()?;
        let ino = counters.next_ino.get();
        counters.next_ino.set(ino + 1);
        Ok(self.inode_numbered(ino, init, kind))
    }

    /// Makes an inode with a given number; not bounded, for inodes that exist only while they are used.
    pub fn inode_numbered(self: &Rc<Self>, ino: u64, init: InodeInit, kind: Kind) -> Rc<Inode> {
        self.counters.inodes.set(self.counters.inodes.get() + 1);
        self.inodes.set(self.inodes.get() + 1);
        Rc::new(Inode {
            ino,
            sb: Rc::clone(self),
            mode: Cell::new(init.mode),
            uid: Cell::new(init.uid),
            gid: Cell::new(init.gid),
            nlink: Cell::new(1),
            rdev: init.rdev,
            atime: Cell::new(init.time),
            mtime: Cell::new(init.time),
            ctime: Cell::new(init.time),
            btime: init.time,
            writers: Cell::new(0),
            locks: OnceCell::new(),
            extra: OnceCell::new(),
            kind,
        })
    }
}

/// What every new inode is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct InodeInit {
    /// Type and permissions.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number of a device node.
    pub rdev: u64,
    /// Now.
    pub time: Time,
}

/// Contents of a regular file.
pub struct FileData {
    /// The bytes; `None` while there are none.
    pub vmo: RefCell<Option<VmoRef>>,
    /// Size in bytes.
    pub size: Cell<u64>,
    /// Every byte was written: there are no holes, so the size says how many pages there are.
    pub dense: Cell<bool>,
    /// Seals of memfd_create(2).
    pub seals: Cell<u32>,
    /// Writable shared mappings were made (they may live on, so a write seal is refused).
    pub mapped_writable: Cell<bool>,
}

impl FileData {
    /// An empty file; `seals` as F_GET_SEALS shows them.
    pub fn new(seals: u32) -> Self {
        FileData {
            vmo: RefCell::new(None),
            size: Cell::new(0),
            dense: Cell::new(true),
            seals: Cell::new(seals),
            mapped_writable: Cell::new(false),
        }
    }
}

/// What an inode is.
pub enum Kind {
    /// A regular file.
    File(FileData),
    /// A directory of a tmpfs.
    Dir(RefCell<Dir>),
    /// A symbolic link and its target.
    Symlink(Box<[u8]>),
    /// A pipe with or without a name; it exists while somebody has it open.
    Fifo(RefCell<Weak<Pipe>>),
    /// A character or block device, by `rdev`.
    Device,
    /// A socket, or the name of one.
    Socket(RefCell<Weak<Socket>>),
    /// Something in /proc.
    Proc(Node),
    /// eventfd, epoll, timerfd: all the same inode.
    Anon,
}

/// What few files have.
pub struct Extra {
    /// Extended attributes.
    pub xattrs: RefCell<Xattrs>,
    /// Who watches it by inotify(7).
    pub watches: RefCell<Vec<Rc<Watch>>>,
}

/// A file, apart from its names.
pub struct Inode {
    /// Number.
    pub ino: u64,
    /// Its file system.
    pub sb: Rc<Super>,
    /// Type and permissions.
    pub mode: Cell<u32>,
    /// Owner.
    pub uid: Cell<u32>,
    /// Group.
    pub gid: Cell<u32>,
    /// Names.
    pub nlink: Cell<u32>,
    /// Device number of a device node.
    pub rdev: u64,
    /// Last access.
    pub atime: Cell<Time>,
    /// Last change of the contents.
    pub mtime: Cell<Time>,
    /// Last change of the inode.
    pub ctime: Cell<Time>,
    /// Creation.
    pub btime: Time,
    /// Above zero: open for writing so many times; below: being executed so many times.
    pub writers: Cell<i32>,
    /// Locks, once there was one.
    pub locks: OnceCell<Box<Locks>>,
    /// What few files have.
    pub extra: OnceCell<Box<Extra>>,
    /// The rest.
    pub kind: Kind,
}

impl Inode {
    /// S_IFMT bits.
    pub fn file_type(&self) -> u32 {
        self.mode.get() & S_IFMT
    }

    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.file_type() == S_IFDIR
    }

    /// Whether it is a symbolic link.
    pub fn is_link(&self) -> bool {
        self.file_type() == S_IFLNK
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.file_type() == S_IFREG
    }

    /// The contents, if it is a regular file with contents of its own.
    pub fn data(&self) -> Option<&FileData> {
        match &self.kind {
            Kind::File(data) => Some(data),
            _ => None,
        }
    }

    /// The entries, if it is a directory of a tmpfs.
    pub fn dir(&self) -> Option<&RefCell<Dir>> {
        match &self.kind {
            Kind::Dir(dir) => Some(dir),
            _ => None,
        }
    }

    /// Size as stat(2) shows it.
    pub fn size(&self) -> u64 {
        match &self.kind {
            Kind::File(data) => data.size.get(),
            Kind::Dir(dir) => (dir.borrow().len() as u64 + 2) * 20,
            Kind::Symlink(target) => target.len() as u64,
            _ => 0,
        }
    }

    /// Contents changed.
    pub fn touch(&self, now: Time) {
        self.mtime.set(now);
        self.ctime.set(now);
    }

    /// What few files have, made on first use.
    pub fn extra(&self) -> &Extra {
        self.extra.get_or_init(|| {
            Box::new(Extra {
                xattrs: RefCell::new(Xattrs::new(&self.sb.counters)),
                watches: RefCell::new(Vec::new()),
            })
        })
    }

    /// The locks, made on first use.
    pub fn locks(&self, make: impl FnOnce() -> Locks) -> &Locks {
        self.locks.get_or_init(|| Box::new(make()))
    }
}

impl Drop for Inode {
    fn drop(&mut self) {
        let counters = &self.sb.counters;
        counters.inodes.set(counters.inodes.get().saturating_sub(1));
        let own = &self.sb.inodes;
        own.set(own.get().saturating_sub(1));
        if let Kind::File(data) = &self.kind {
            let used = &self.sb.used;
            used.set(used.get().saturating_sub(data.size.get()));
        }
    }
}

/// A device number as stat(2) shows it.
pub const fn make_dev(major: u32, minor: u32) -> u64 {
    let (major, minor) = (major as u64, minor as u64);
    (minor & 0xff) | (major & 0xfff) << 8 | (minor & !0xff) << 12 | (major & !0xfff) << 32
}

/// The major number.
pub const fn dev_major(dev: u64) -> u32 {
    ((dev >> 8 & 0xfff) | (dev >> 32 & !0xfff)) as u32
}

/// The minor number.
pub const fn dev_minor(dev: u64) -> u32 {
    ((dev & 0xff) | (dev >> 12 & 0xffff_ff00)) as u32
}
