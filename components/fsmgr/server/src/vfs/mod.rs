//! The tree as a whole: mounts, and how files come into being and go.

use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use fsmgr_api::Creds;
use lsyscall_abi::consts::inotify::IN_CREATE;
use lsyscall_abi::consts::mode::{
    S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK, S_ISGID, S_ISVTX, S_IXGRP,
};
use lsyscall_abi::{Errno, MountFlags};

use crate::dentry::{Dentry, Dir};
use crate::file::{File, FileCount, Object};
use crate::inode::{Counters, FileData, FsKind, Inode, InodeInit, Kind, Super, Time};
use crate::lock::Locks;
use crate::mount::{Mount, Namespace, Path};
use crate::perm;
use crate::pipe::Pipe;
use crate::procfs::Node;
use crate::unix::cycles::InFlight;
use crate::unix::{Names, Socket};
use crate::vmo::Graveyard;
use crate::wait::RunList;
use lsyscall_abi::OpenFlags;

mod names;

/// Names a directory can be linked by, and files too.
const MAX_LINKS: u32 = 65000;

/// The tree and what it shares.
pub struct Vfs {
    /// Mounts.
    pub mounts: Namespace,
    /// Inode and device numbers.
    pub counters: Rc<Counters>,
    /// Memory objects to give back.
    pub graveyard: Rc<Graveyard>,
    /// Threads to be run again.
    pub run: Rc<RunList>,
    /// Sockets with abstract names.
    pub names: Names,
    /// Descriptors that were sent and not received.
    pub in_flight: InFlight,
    /// Descriptions.
    pub files: Rc<FileCount>,
    /// Where pipes, sockets and the like live.
    pseudo: Rc<Mount>,
    /// Where files without a name live (memfd_create).
    unnamed: Rc<Mount>,
    /// The inode of eventfd, epoll, timerfd.
    anon: Path,
    next_file: Cell<u64>,
    /// Ties the two events of a rename together.
    next_cookie: Cell<u32>,
}

impl Vfs {
    /// An empty tree: nothing is mounted, and there may be `max_inodes` inodes.
    pub fn new(max_inodes: u64) -> Result<Self, Errno> {
        let counters = Counters::new(max_inodes);
        let graveyard = Rc::new(Graveyard::default());
        let mounts = Namespace::new();
        let internal = |kind| -> Result<Rc<Mount>, Errno> {
            let sb = Super::new(kind, &counters, &graveyard);
            let init = InodeInit {
                mode: S_IFDIR | 0o700,
                ..InodeInit::default()
            };
            let root = Dentry::root(sb.inode(init, Kind::Dir(RefCell::default()))?);
            Ok(mounts.detached(&sb, root, MountFlags::empty(), b"none"))
        };
        let pseudo = internal(FsKind::Pseudo)?;
        let unnamed = internal(FsKind::Tmpfs)?;
        let init = InodeInit {
            mode: 0o600,
            ..InodeInit::default()
        };
        let anon = Path {
            dentry: Dentry::root(pseudo.sb.inode(init, Kind::Anon)?),
            mount: Rc::clone(&pseudo),
        };
        Ok(Vfs {
            mounts,
            counters,
            graveyard,
            run: Rc::new(RunList::default()),
            names: Names::default(),
            in_flight: InFlight::default(),
            files: Rc::new(FileCount::default()),
            pseudo,
            unnamed,
            anon,
            next_file: Cell::new(1),
            next_cookie: Cell::new(1),
        })
    }

    /// A new file system with an empty root directory.
    pub fn file_system(
        &self,
        kind: FsKind,
        mode: u32,
        time: Time,
    ) -> Result<(Rc<Super>, Rc<Dentry>), Errno> {
        let sb = Super::new(kind, &self.counters, &self.graveyard);
        let init = InodeInit {
            mode: S_IFDIR | mode,
            time,
            ..InodeInit::default()
        };
        let what = match kind {
            FsKind::Proc => Kind::Proc(Node::ROOT),
            FsKind::Sysfs => Kind::Proc(Node::SYSFS),
            _ => Kind::Dir(RefCell::default()),
        };
        let inode = sb.inode(init, what)?;
        inode.nlink.set(2);
        Ok((sb, Dentry::root(inode)))
    }

    /// An open file description. `ENFILE`.
    pub fn open(&self, object: Object, path: Path, flags: OpenFlags) -> Result<Rc<File>, Errno> {
        let id = self.next_file.get();
        self.next_file.set(id + 1);
        path.mount.expiring.set(false);
        File::new(&self.files, id, object, path, flags)
    }

    /// Where eventfd, epoll and timerfd descriptions are said to be.
    pub fn anon(&self) -> Path {
        self.anon.clone()
    }

    /// An inode with a place but without a name.
    fn unnamed_in(
        mount: &Rc<Mount>,
        name: &[u8],
        init: InodeInit,
        kind: Kind,
    ) -> Result<Path, Errno> {
        let inode = mount.sb.inode(init, kind)?;
        let dentry = Dentry::child(&mount.root, name, inode);
        dentry.gone.set(true);
        Ok(Path {
            mount: Rc::clone(mount),
            dentry,
        })
    }

    /// A pipe without a name.
    pub fn new_pipe(&self, creds: &Creds, time: Time) -> Result<(Path, Rc<Pipe>), Errno> {
        let pipe = Pipe::new(&self.run);
        let init = init(S_IFIFO | 0o600, creds, time);
        let kind = Kind::Fifo(RefCell::new(Rc::downgrade(&pipe)));
        Ok((Self::unnamed_in(&self.pseudo, b"", init, kind)?, pipe))
    }

    /// The place of a new socket.
    pub fn new_socket(
        &self,
        creds: &Creds,
        time: Time,
        socket: &Rc<Socket>,
    ) -> Result<Path, Errno> {
        let init = init(S_IFSOCK | 0o777, creds, time);
        let kind = Kind::Socket(RefCell::new(Rc::downgrade(socket)));
        Self::unnamed_in(&self.pseudo, b"", init, kind)
    }

    /// A regular file without a name (memfd_create), with seals as given.
    pub fn new_memfd(
        &self,
        creds: &Creds,
        time: Time,
        name: &[u8],
        mode: u32,
        seals: u32,
    ) -> Result<Path, Errno> {
        let mut full = Vec::from(&b"memfd:"[..]);
        full.extend_from_slice(name);
        let init = init(S_IFREG | mode, creds, time);
        let place = Self::unnamed_in(&self.unnamed, &full, init, Kind::File(FileData::new(seals)))?;
        place.inode().nlink.set(0);
        Ok(place)
    }

    /// A regular file without a name in the file system of `dir` (O_TMPFILE).
    pub fn new_unnamed(
        &self,
        dir: &Path,
        creds: &Creds,
        mode: u32,
        time: Time,
    ) -> Result<Path, Errno> {
        let inode = self.make(
            dir,
            creds,
            S_IFREG | mode,
            0,
            time,
            Kind::File(FileData::new(0)),
        )?;
        inode.nlink.set(0);
        let mut name = Vec::from(&b"#"[..]);
        crate::text::number(&mut name, inode.ino);
        let dentry = Dentry::child(&dir.dentry, &name, inode);
        dentry.gone.set(true);
        Ok(dir.with(dentry))
    }

    /// The pipe behind a FIFO, made if nobody has it open.
    pub fn fifo(&self, inode: &Inode) -> Result<Rc<Pipe>, Errno> {
        let Kind::Fifo(slot) = &inode.kind else {
            return Err(Errno::ENXIO);
        };
        let mut slot = slot.borrow_mut();
        if let Some(pipe) = slot.upgrade() {
            return Ok(pipe);
        }
        let pipe = Pipe::new(&self.run);
        *slot = Rc::downgrade(&pipe);
        Ok(pipe)
    }

    /// The locks of a file.
    pub fn locks<'a>(&self, inode: &'a Inode) -> &'a Locks {
        inode.locks(|| Locks::new(&self.run))
    }

    fn make(
        &self,
        dir: &Path,
        creds: &Creds,
        mode: u32,
        rdev: u64,
        time: Time,
        kind: Kind,
    ) -> Result<Rc<Inode>, Errno> {
        let parent = dir.inode();
        let mut init = init(mode, creds, time);
        init.rdev = rdev;
        if parent.mode.get() & S_ISGID != 0 {
            init.gid = parent.gid.get();
            if mode & S_IFMT == S_IFDIR {
                init.mode |= S_ISGID;
            } else if mode & S_IXGRP != 0 {
                // Nobody lends a group's rights who does not have them.
                init.mode = perm::created_mode(init.mode, creds, init.gid);
            }
        }
        parent.sb.inode(init, kind)
    }

    /// The entries of a directory to which a name is to be added, or from which one is to be taken. Neither goes in /proc.
    fn entries(dir: &Path, adds: bool) -> Result<&RefCell<Dir>, Errno> {
        let entries = match &dir.inode().kind {
            Kind::Dir(entries) => entries,
            Kind::Proc(_) if adds && dir.mount.sb.kind == FsKind::Proc => {
                return Err(Errno::ENOENT)
            }
            Kind::Proc(_) => return Err(Errno::EPERM),
            _ => return Err(Errno::ENOTDIR),
        };
        if entries.borrow().dead {
            return Err(Errno::ENOENT);
        }
        Ok(entries)
    }

    /// Makes a file under a free name: the mode's type says which kind. The umask has been applied.
    pub fn create(
        &self,
        dir: &Path,
        name: &[u8],
        creds: &Creds,
        mode: u32,
        rdev: u64,
        time: Time,
    ) -> Result<Path, Errno> {
        let kind = match mode & S_IFMT {
            S_IFREG => Kind::File(FileData::new(0)),
            S_IFDIR => Kind::Dir(RefCell::default()),
            S_IFIFO => Kind::Fifo(RefCell::new(Weak::new())),
            S_IFSOCK => Kind::Socket(RefCell::new(Weak::new())),
            S_IFLNK => return Err(Errno::EINVAL),
            _ => Kind::Device,
        };
        self.create_kind(dir, name, creds, mode, rdev, time, kind)
    }

    /// Makes a symbolic link.
    pub fn symlink(
        &self,
        dir: &Path,
        name: &[u8],
        creds: &Creds,
        target: &[u8],
        time: Time,
    ) -> Result<Path, Errno> {
        let kind = Kind::Symlink(target.into());
        self.create_kind(dir, name, creds, S_IFLNK | 0o777, 0, time, kind)
    }

    #[allow(clippy::too_many_arguments)]
    fn create_kind(
        &self,
        dir: &Path,
        name: &[u8],
        creds: &Creds,
        mode: u32,
        rdev: u64,
        time: Time,
        kind: Kind,
    ) -> Result<Path, Errno> {
        perm::may_create(dir, creds)?;
        let entries = Self::entries(dir, true)?;
        if mode & S_IFMT == S_IFDIR && dir.inode().nlink.get() >= MAX_LINKS {
            return Err(Errno::EMLINK);
        }
        let inode = self.make(dir, creds, mode, rdev, time, kind)?;
        if inode.is_dir() {
            inode.nlink.set(2);
            let parent = dir.inode();
            parent.nlink.set(parent.nlink.get() + 1);
        }
        let dentry = Dentry::child(&dir.dentry, name, inode);
        entries.borrow_mut().insert(Rc::clone(&dentry));
        dir.inode().touch(time);
        let is_dir = dentry.inode.is_dir();
        dir.inode().notify_entry(IN_CREATE, name, is_dir, 0);
        Ok(dir.with(dentry))
    }

    /// The place's name as /proc shows it, seen from `root`.
    pub fn shown_name(&self, path: &Path, root: &Path) -> Vec<u8> {
        let inode = path.inode();
        let numbered = |what: &[u8]| {
            let mut out = what.to_vec();
            crate::text::number(&mut out, inode.ino);
            out.push(b']');
            out
        };
        if path.mount.sb.kind == FsKind::Pseudo {
            return match inode.kind {
                Kind::Fifo(_) => numbered(b"pipe:["),
                Kind::Socket(_) => numbered(b"socket:["),
                _ => b"anon_inode:".to_vec(),
            };
        }
        let mut name = if Rc::ptr_eq(&path.mount, &self.unnamed) {
            let mut name = Vec::from(&b"/"[..]);
            name.extend_from_slice(&path.dentry.name());
            name
        } else {
            self.mounts.name_of(path, root).0
        };
        if path.dentry.gone.get() {
            name.extend_from_slice(b" (deleted)");
        }
        name
    }
}

fn init(mode: u32, creds: &Creds, time: Time) -> InodeInit {
    InodeInit {
        mode,
        uid: creds.uid,
        gid: creds.gid,
        rdev: 0,
        time,
    }
}

/// Permission bits a new file keeps of the mode a program gave.
pub const MODE_BITS: u32 = 0o7777;
/// The same for a directory: S_ISVTX is kept, set-id bits are not.
pub const DIR_MODE_BITS: u32 = 0o777 | S_ISVTX;
/// The type bits of a character device.
pub const CHAR_DEVICE: u32 = S_IFCHR;
