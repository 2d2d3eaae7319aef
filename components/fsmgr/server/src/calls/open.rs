//! open(2) and its relatives.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use console_api::Console;
use fsmgr_api::Creds;
use lsyscall_abi::consts::inotify::{IN_MODIFY, IN_OPEN};
use lsyscall_abi::consts::mode::{S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG};
use lsyscall_abi::{Errno, MountFlags, OpenFlags};
use lsyscall_router::{Caller, Done, SysResult};
use memmgr_api::Memory;

use crate::file::{File, Object};
use crate::inode::{dev_major, dev_minor, Inode, Kind};
use crate::mount::Path;
use crate::park::Wait;
use crate::path::{resolve, Last, Walker};
use crate::perm;
use crate::pipe::Pipe;
use crate::procfs::Target;
use crate::pty::SLAVE_MAJOR;
use crate::root;
use crate::vfs::MODE_BITS;
use crate::FsMgr;

/// Flags open(2) knows; others are ignored by it and refused by openat2(2).
pub const KNOWN: u32 = 0o37_777_703;

/// What to open and how.
pub(crate) struct Request {
    pub dirfd: i32,
    pub name: Vec<u8>,
    pub flags: OpenFlags,
    pub mode: u32,
    pub resolve: u64,
}

impl Request {
    /// As open(2) takes it: odd combinations are put right.
    pub fn lenient(dirfd: i32, name: Vec<u8>, flags: OpenFlags, mode: u32) -> Self {
        let mut flags = OpenFlags::from_bits_retain(flags.bits() & KNOWN);
        if flags.contains(OpenFlags::PATH) {
            flags &=
                OpenFlags::PATH | OpenFlags::DIRECTORY | OpenFlags::NOFOLLOW | OpenFlags::CLOEXEC;
        }
        Request {
            dirfd,
            name,
            flags,
            mode: mode & MODE_BITS,
            resolve: 0,
        }
    }
}

impl<M: Memory, C: Console> FsMgr<M, C> {
    pub(crate) fn open_call(&mut self, c: &Caller, request: Request) -> SysResult {
        let flags = request.flags;
        let file = match self.resumed.take().and_then(|parked| parked.file) {
            Some(waiting) => waiting,
            None => {
                self.thread(c)?.files.borrow().check_room(1)?;
                self.open_file(c, request)?
            }
        };
        if let (Object::Pipe(pipe), false) = (&file.object, file.nonblocking()) {
            if self.lonely(&file, pipe) {
                let wait = Wait {
                    file: Some(Rc::clone(&file)),
                    ..Wait::default()
                };
                return self.park(c, &pipe.queue, wait);
            }
        }
        if !matches!(file.object, Object::PathOnly) {
            file.path.dentry.notify(IN_OPEN);
        }
        self.install(c, file, flags.contains(OpenFlags::CLOEXEC))
            .done()
    }

    /// Whether an end of a FIFO that was just opened still has to wait for the other (fifo(7)).
    fn lonely(&self, file: &File, pipe: &Pipe) -> bool {
        let is_fifo = !matches!(file.path.mount.sb.kind, crate::inode::FsKind::Pseudo);
        match (file.reads(), file.writes()) {
            _ if !is_fifo => false,
            (true, false) => pipe.writers.get() == 0 && pipe.writer_opens.get() == file.pos.get(),
            (false, true) => pipe.readers.get() == 0 && pipe.reader_opens.get() == file.pos.get(),
            _ => false,
        }
    }

    /// Opens (and creates, if asked) a file; no descriptor is made.
    pub(crate) fn open_file(&mut self, c: &Caller, request: Request) -> Result<Rc<File>, Errno> {
        let Request {
            dirfd,
            name,
            flags,
            mode,
            resolve,
        } = request;
        if name.is_empty() {
            return Err(Errno::ENOENT);
        }
        if flags.contains(OpenFlags::CREAT | OpenFlags::DIRECTORY) {
            return Err(Errno::EINVAL);
        }
        let tmpfile = flags.contains(OpenFlags::TMPFILE_BIT);
        if tmpfile && (!flags.contains(OpenFlags::DIRECTORY) || !flags.writes()) {
            return Err(Errno::EINVAL);
        }
        let creds = self.creds(c)?;
        let start = self.start(c, dirfd, &name)?;
        if resolve & (resolve::IN_ROOT | resolve::BENEATH) != 0 && !start.inode().is_dir() {
            return Err(Errno::ENOTDIR);
        }
        let walker = self.walker(c, &creds)?.restricted(resolve, &start);
        if tmpfile {
            let dir = walker.full(&start, name, true)?;
            return self.open_unnamed(c, &creds, &dir, flags, mode);
        }
        let (path, created) = if flags.contains(OpenFlags::CREAT) {
            self.find_or_create(c, &walker, &creds, start, name, flags, mode)?
        } else {
            let follow = !flags.contains(OpenFlags::NOFOLLOW);
            (walker.full(&start, name, follow)?, false)
        };
        self.open_place(c, &creds, path, flags, created)
    }

    fn open_unnamed(
        &self,
        c: &Caller,
        creds: &Creds,
        dir: &Path,
        flags: OpenFlags,
        mode: u32,
    ) -> Result<Rc<File>, Errno> {
        if !dir.inode().is_dir() {
            return Err(Errno::ENOTDIR);
        }
        perm::may_create(dir, creds)?;
        if dir.inode().dir().is_none() {
            return Err(Errno::EOPNOTSUPP);
        }
        let mode = mode & !self.thread(c)?.fs.umask.get();
        let place = self.vfs.new_unnamed(dir, creds, mode, self.time())?;
        let kept = flags - OpenFlags::TMPFILE_BIT - OpenFlags::DIRECTORY;
        self.vfs.open(Object::Regular, place, kept)
    }

    #[allow(clippy::too_many_arguments)]
    fn find_or_create(
        &self,
        c: &Caller,
        walker: &Walker<'_>,
        creds: &Creds,
        start: Path,
        name: Vec<u8>,
        flags: OpenFlags,
        mode: u32,
    ) -> Result<(Path, bool), Errno> {
        let mut parent = walker.parent(&start, name)?;
        loop {
            let Last::Name(last) = &parent.last else {
                return Err(if flags.contains(OpenFlags::EXCL) {
                    Errno::EEXIST
                } else {
                    Errno::EISDIR
                });
            };
            if parent.slash {
                return Err(Errno::EISDIR);
            }
            match walker.step(&parent.dir, &parent.last) {
                Ok(_) if flags.contains(OpenFlags::EXCL) => return Err(Errno::EEXIST),
                Ok(found) if found.inode().is_link() => {
                    if flags.contains(OpenFlags::NOFOLLOW) {
                        return Err(Errno::ELOOP);
                    }
                    walker.may_follow(&parent.dir, &found)?;
                    match walker.follow(&found)? {
                        Target::Jump(place) => return Ok((place, false)),
                        Target::Text(text) => parent = walker.parent(&parent.dir, text)?,
                    }
                }
                Ok(found) => return Ok((found, false)),
                Err(Errno::ENOENT) => {
                    let mode = mode & !self.thread(c)?.fs.umask.get();
                    let time = self.time();
                    let made = self
                        .vfs
                        .create(&parent.dir, last, creds, S_IFREG | mode, 0, time);
                    return Ok((made?, true));
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// Opens the file at a place, with the checks open(2) makes.
    pub(crate) fn open_place(
        &mut self,
        c: &Caller,
        creds: &Creds,
        path: Path,
        flags: OpenFlags,
        created: bool,
    ) -> Result<Rc<File>, Errno> {
        let inode = Rc::clone(path.inode());
        let kind = inode.file_type();
        if kind == S_IFLNK && !flags.contains(OpenFlags::PATH) {
            return Err(Errno::ELOOP);
        }
        if flags.contains(OpenFlags::DIRECTORY) && kind != S_IFDIR {
            return Err(Errno::ENOTDIR);
        }
        if flags.contains(OpenFlags::PATH) {
            return self.vfs.open(Object::PathOnly, path, flags);
        }
        let changes = flags.writes() || flags.contains(OpenFlags::TRUNC);
        if kind == S_IFDIR && (changes || flags.contains(OpenFlags::CREAT)) {
            return Err(Errno::EISDIR);
        }
        if matches!(kind, S_IFCHR | S_IFBLK) && path.mount.has(MountFlags::NODEV) {
            return Err(Errno::EACCES);
        }
        if !created {
            let mut mask = 0;
            if flags.reads() {
                mask |= perm::READ;
            }
            if changes {
                mask |= perm::WRITE;
            }
            if flags.bits() & OpenFlags::ACCMODE == 3 {
                mask |= perm::READ | perm::WRITE;
            }
            perm::may_at(&path, creds, mask)?;
        }
        if flags.contains(OpenFlags::NOATIME) {
            perm::owner(&inode, creds)?;
        }
        if changes && inode.writers.get() < 0 {
            return Err(Errno::ETXTBSY);
        }
        if flags.contains(OpenFlags::TRUNC) && inode.is_file() && !created {
            self.truncate_inode(c, &inode, 0)?;
            path.dentry.notify(IN_MODIFY);
        }
        let is_host = |host: &Path| Rc::ptr_eq(&host.dentry, &path.dentry);
        if self.host_place.as_ref().is_some_and(is_host) {
            let object = Object::Host(Rc::clone(&self.host));
            return self.vfs.open(object, path, flags);
        }
        if kind == S_IFIFO {
            return self.open_fifo(&inode, path, flags);
        }
        let object = self.object_of(c, &inode, flags)?;
        let file = self.vfs.open(object, path, flags)?;
        if let Object::Tty(tty) = &file.object {
            if !flags.contains(OpenFlags::NOCTTY) && flags.reads() {
                self.adopt_terminal(c, &Rc::clone(tty));
            }
        }
        Ok(file)
    }

    fn open_fifo(
        &mut self,
        inode: &Rc<Inode>,
        path: Path,
        flags: OpenFlags,
    ) -> Result<Rc<File>, Errno> {
        let pipe = self.vfs.fifo(inode)?;
        let write_only = flags.writes() && !flags.reads();
        if write_only && flags.contains(OpenFlags::NONBLOCK) && pipe.readers.get() == 0 {
            return Err(Errno::ENXIO);
        }
        // The offset, which a pipe has no use for, remembers how often the other end had been opened.
        let before = if write_only {
            pipe.reader_opens.get()
        } else {
            pipe.writer_opens.get()
        };
        let file = self.vfs.open(Object::Pipe(pipe), path, flags)?;
        file.pos.set(before);
        Ok(file)
    }

    fn object_of(&mut self, c: &Caller, inode: &Inode, flags: OpenFlags) -> Result<Object, Errno> {
        match (&inode.kind, inode.file_type()) {
            (Kind::File(_), _) => Ok(Object::Regular),
            (Kind::Proc(node), S_IFREG) => {
                self.may_open_proc(c, node, flags)?;
                Ok(Object::Proc(RefCell::new(Vec::new())))
            }
            (_, S_IFDIR) => Ok(Object::Directory),
            (_, S_IFCHR) => self.char_device(c, inode.rdev),
            _ => Err(Errno::ENXIO),
        }
    }

    fn char_device(&mut self, c: &Caller, rdev: u64) -> Result<Object, Errno> {
        Ok(match rdev {
            root::NULL_DEV => Object::Null,
            root::ZERO_DEV => Object::Zero,
            root::FULL_DEV => Object::Full,
            root::RANDOM_DEV | root::URANDOM_DEV => Object::Random,
            root::KMSG_DEV => Object::Log,
            root::TTY_DEV => {
                let process = self.tasks.table.process_of(c.thread);
                let tty = process.and_then(|p| self.terminal_of(p.sid));
                Object::Tty(tty.ok_or(Errno::ENXIO)?)
            }
            root::CONSOLE_DEV | root::SERIAL_DEV => Object::Tty(Rc::clone(&self.tty)),
            root::PTMX_DEV => return self.open_master(c),
            dev if dev_major(dev) == SLAVE_MAJOR => return self.slave(dev_minor(dev)),
            _ => return Err(Errno::ENXIO),
        })
    }

    /// A session leader without a terminal gets the one it opens as its controlling terminal, if that is free.
    pub(crate) fn adopt_terminal(&mut self, c: &Caller, tty: &crate::tty::Tty) {
        let Some(process) = self.tasks.table.process_of(c.thread) else {
            return;
        };
        if process.pid != process.sid || self.terminal_of(process.sid).is_some() {
            return;
        }
        let mut line = tty.line.borrow_mut();
        if line.session() == 0 {
            line.set_session(process.sid as i32);
            line.set_foreground(process.pgid as i32);
        }
    }
}
