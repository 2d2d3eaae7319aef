//! The first tree: the root file system from the initial archive, /dev, and the names of its devices.

use alloc::rc::Rc;
use alloc::vec::Vec;

use console_api::Console;
use fsmgr_api::Creds;
use hashbrown::HashMap;
use lsyscall_abi::consts::mode::{
    S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK,
};
use lsyscall_abi::{Errno, MountFlags};
use memmgr_api::{Memory, PAGE_SIZE};
use persona_ipc::Chunk;

use crate::cpio::{Entry, Reader, Source};
use crate::inode::{make_dev, FsKind, Time};
use crate::mount::{Mount, Path};
use crate::vfs::{CHAR_DEVICE, MODE_BITS};
use crate::vmo::VmoRef;
use crate::FsMgr;

/// /dev/null.
pub const NULL_DEV: u64 = make_dev(1, 3);
/// /dev/zero.
pub const ZERO_DEV: u64 = make_dev(1, 5);
/// /dev/full.
pub const FULL_DEV: u64 = make_dev(1, 7);
/// /dev/random.
pub const RANDOM_DEV: u64 = make_dev(1, 8);
/// /dev/urandom.
pub const URANDOM_DEV: u64 = make_dev(1, 9);
/// /dev/kmsg.
pub const KMSG_DEV: u64 = make_dev(1, 11);
/// /dev/tty.
pub const TTY_DEV: u64 = make_dev(5, 0);
/// /dev/ptmx.
pub const PTMX_DEV: u64 = make_dev(5, 2);
/// /dev/console.
pub const CONSOLE_DEV: u64 = make_dev(5, 1);
/// /dev/ttyAMA0.
pub const SERIAL_DEV: u64 = make_dev(204, 64);

const DEVICES: &[(&str, u64, u32)] = &[
    ("null", NULL_DEV, 0o666),
    ("zero", ZERO_DEV, 0o666),
    ("full", FULL_DEV, 0o666),
    ("random", RANDOM_DEV, 0o666),
    ("urandom", URANDOM_DEV, 0o666),
    ("kmsg", KMSG_DEV, 0o644),
    ("tty", TTY_DEV, 0o666),
    ("ptmx", PTMX_DEV, 0o666),
    ("console", CONSOLE_DEV, 0o600),
    ("ttyAMA0", SERIAL_DEV, 0o600),
];

const LINKS: &[(&str, &str)] = &[
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];

/// The archive in the memory manager's hands.
struct Initrd<M> {
    mem: M,
    size: u64,
}

impl<M: Memory> Source for Initrd<M> {
    fn size(&self) -> u64 {
        self.size
    }
    fn read(&mut self, off: u64) -> Vec<u8> {
        let chunk = self.mem.initrd_read(off, persona_ipc::CHUNK_BYTES as u64);
        chunk.map_or(Vec::new(), |c| c.as_slice().to_vec())
    }
}

impl<M: Memory, C: Console> FsMgr<M, C> {
    /// Mounts the root, unpacks the archive into it, mounts /dev, /proc, /sys.
    pub(crate) fn build_root(&mut self) -> Result<(), Errno> {
        let time = self.time();
        let (sb, root) = self.vfs.file_system(FsKind::Tmpfs, 0o755, time)?;
        let mount = self
            .vfs
            .mounts
            .detached(&sb, root, MountFlags::empty(), b"tmpfs");
        self.vfs.mounts.attach(&mount, None)?;
        let top = Path {
            dentry: Rc::clone(&mount.root),
            mount,
        };
        let size = self.mem.initrd_size()?;
        if size > 0 {
            if let Err(why) = self.unpack(&top, size) {
                let text = alloc::format!("fsmgr: root file system archive: {why}");
                let _ = self.console.log(1, Chunk::new(text.as_bytes()));
            }
            let _ = self.mem.initrd_done();
        }
        for (name, kind, mode) in [
            ("dev", FsKind::Devtmpfs, 0o755),
            ("proc", FsKind::Proc, 0o555),
            ("sys", FsKind::Sysfs, 0o555),
        ] {
            let at = self.directory(&top, name.as_bytes())?;
            let (sb, root) = self.vfs.file_system(kind, mode, time)?;
            let source = kind.name().as_bytes();
            let mount = self
                .vfs
                .mounts
                .detached(&sb, root, MountFlags::empty(), source);
            if kind == FsKind::Devtmpfs {
                self.fill_dev(&mount)?;
            }
            self.vfs.mounts.attach(&mount, Some(at))?;
            if kind == FsKind::Devtmpfs {
                let dev = Path {
                    dentry: Rc::clone(&mount.root),
                    mount,
                };
                let pts = self.directory(&dev, b"pts")?;
                self.mount_pts(pts)?;
            }
        }
        self.root = Some(top);
        Ok(())
    }

    /// A directory's subdirectory, made if there is none; what else has the name gives way.
    fn directory(&self, dir: &Path, name: &[u8]) -> Result<Path, Errno> {
        let entries = dir.inode().dir().ok_or(Errno::ENOTDIR)?;
        let found = entries.borrow().get(name);
        if let Some(dentry) = found {
            if dentry.inode.is_dir() {
                return Ok(dir.with(dentry));
            }
            let victim = dir.with(dentry);
            self.vfs
                .unlink(dir, &victim, &Creds::ROOT, false, self.time())?;
        }
        let mode = S_IFDIR | 0o755;
        self.vfs
            .create(dir, name, &Creds::ROOT, mode, 0, self.time())
    }

    /// Fills /dev.
    pub(crate) fn fill_dev(&mut self, mount: &Rc<Mount>) -> Result<(), Errno> {
        let dev = Path {
            mount: Rc::clone(mount),
            dentry: Rc::clone(&mount.root),
        };
        let time = self.time();
        for &(name, rdev, mode) in DEVICES {
            let mode = CHAR_DEVICE | mode;
            self.vfs
                .create(&dev, name.as_bytes(), &Creds::ROOT, mode, rdev, time)?;
        }
        for &(name, target) in LINKS {
            self.vfs
                .symlink(&dev, name.as_bytes(), &Creds::ROOT, target.as_bytes(), time)?;
        }
        for name in ["pts", "shm"] {
            let made = self.directory(&dev, name.as_bytes())?;
            if name == "shm" {
                made.inode().mode.set(S_IFDIR | 0o1777);
            }
        }
        Ok(())
    }

    fn unpack(&mut self, top: &Path, size: u64) -> Result<(), alloc::string::String> {
        let source = Initrd {
            mem: self.mem.clone(),
            size,
        };
        let mut reader = Reader::new(source);
        let mut linked = HashMap::new();
        let mut times = Vec::new();
        loop {
            match reader.next_entry() {
                Ok(None) => break,
                Ok(Some(entry)) => match self.unpack_entry(top, &entry, &mut reader, &mut linked) {
                    Ok(place) => times.push((place, entry.mtime)),
                    Err(why) => {
                        let name = alloc::string::String::from_utf8_lossy(&entry.name);
                        return Err(alloc::format!("{name}: {why}"));
                    }
                },
                Err(at) => return Err(alloc::format!("malformed at offset {}", at.0)),
            }
        }
        // Last, because making names changes the times of directories.
        for (place, mtime) in times {
            let time = Time {
                sec: mtime.into(),
                nsec: 0,
            };
            place.inode().mtime.set(time);
            place.inode().atime.set(time);
        }
        Ok(())
    }

    fn unpack_entry(
        &mut self,
        top: &Path,
        entry: &Entry,
        reader: &mut Reader<Initrd<M>>,
        linked: &mut HashMap<(u32, u32, u32), Path>,
    ) -> Result<Path, Errno> {
        let mut dir = top.clone();
        let mut parts = entry
            .name
            .split(|b| *b == b'/')
            .filter(|p| !p.is_empty() && *p != b".")
            .peekable();
        let mut last = None;
        while let Some(part) = parts.next() {
            if part == b".." || part.len() > lsyscall_abi::NAME_MAX {
                return Err(Errno::EINVAL);
            }
            if parts.peek().is_none() {
                last = Some(part);
            } else {
                dir = self.directory(&dir, part)?;
            }
        }
        let place = match last {
            None => top.clone(),
            Some(name) => self.unpack_name(&dir, name, entry, reader, linked)?,
        };
        let inode = place.inode();
        inode.uid.set(entry.uid);
        inode.gid.set(entry.gid);
        if !inode.is_link() {
            inode.mode.set(inode.file_type() | entry.mode & MODE_BITS);
        }
        Ok(place)
    }

    fn unpack_name(
        &mut self,
        dir: &Path,
        name: &[u8],
        entry: &Entry,
        reader: &mut Reader<Initrd<M>>,
        linked: &mut HashMap<(u32, u32, u32), Path>,
    ) -> Result<Path, Errno> {
        let kind = entry.mode & S_IFMT;
        if kind == S_IFDIR {
            return self.directory(dir, name);
        }
        let time = self.time();
        let root = &Creds::ROOT;
        let entries = dir.inode().dir().ok_or(Errno::ENOTDIR)?;
        let found = entries.borrow().get(name);
        if let Some(dentry) = found {
            let victim = dir.with(dentry);
            let is_dir = victim.inode().is_dir();
            self.vfs.unlink(dir, &victim, root, is_dir, time)?;
        }
        let shared = entry.nlink > 1;
        if let Some(first) = linked.get(&entry.id).filter(|_| shared).cloned() {
            self.vfs.link(&first, dir, name, root, time)?;
            if entry.size > 0 {
                self.unpack_data(&first, entry, reader)?;
            }
            return Ok(first);
        }
        let place = match kind {
            S_IFLNK => {
                let len = usize::try_from(entry.size).map_err(|_| Errno::EINVAL)?;
                if len == 0 || len >= lsyscall_abi::PATH_MAX {
                    return Err(Errno::EINVAL);
                }
                let target = reader.bytes(entry.data, len).ok_or(Errno::EIO)?;
                self.vfs.symlink(dir, name, root, &target, time)?
            }
            S_IFREG => {
                let place = self.vfs.create(dir, name, root, S_IFREG, 0, time)?;
                self.unpack_data(&place, entry, reader)?;
                place
            }
            S_IFCHR | S_IFBLK => {
                let rdev = make_dev(entry.rdev.0, entry.rdev.1);
                self.vfs.create(dir, name, root, kind, rdev, time)?
            }
            S_IFIFO | S_IFSOCK => self.vfs.create(dir, name, root, kind, 0, time)?,
            _ => return Err(Errno::EINVAL),
        };
        if shared {
            linked.insert(entry.id, place.clone());
        }
        Ok(place)
    }

    fn unpack_data(
        &mut self,
        place: &Path,
        entry: &Entry,
        reader: &mut Reader<Initrd<M>>,
    ) -> Result<(), Errno> {
        let inode = place.inode();
        let data = inode.data().ok_or(Errno::EINVAL)?;
        if entry.size == 0 {
            return Ok(());
        }
        let vmo = if entry.data.is_multiple_of(PAGE_SIZE) && entry.size >= PAGE_SIZE {
            let vmo = self.mem.initrd_vmo(entry.data, entry.size)?;
            VmoRef::new(vmo, &self.vfs.graveyard)
        } else {
            let vmo = self.mem.vmo_create(entry.size)?;
            let vmo = VmoRef::new(vmo, &self.vfs.graveyard);
            let mut done = 0;
            while done < entry.size {
                let want = (entry.size - done).min(PAGE_SIZE) as usize;
                let bytes = reader.bytes(entry.data + done, want).ok_or(Errno::EIO)?;
                if self.mem.vmo_write(vmo.id(), done, &bytes)? < want {
                    return Err(Errno::ENOSPC);
                }
                done += want as u64;
            }
            vmo
        };
        data.vmo.replace(Some(vmo));
        data.size.set(entry.size);
        inode.sb.used.set(inode.sb.used.get() + entry.size);
        Ok(())
    }
}
