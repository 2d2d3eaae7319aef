//! What procmgr asks for.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use console_api::Console;
use fsmgr_api::{
    Creds, ExecFile, FsEvent, FsMgrService, PidFdInfo, SignalWish, TakenSignal, STDIO_PIPE,
    STDIO_TTY,
};
use lsyscall_abi::consts::mode::{S_ISGID, S_ISUID};
use lsyscall_abi::{AtFlags, Errno, MountFlags, OpenFlags, ThreadIdx, UserPath};
use lsyscall_router::Caller;
use memmgr_api::Memory;
use persona_ipc::{Bytes, CHUNK_BYTES};

use crate::fd::FdTable;
use crate::file::{File, Object};
use crate::mount::Path;
use crate::signal::SignalState;
use crate::sysv::Undo;
use crate::task::{FsContext, Thread};
use crate::{perm, ExecOpen, FsMgr};

/// Files opened for execution at a time.
const MAX_EXECS: usize = 256;

/// A caller for work that procmgr asks for on behalf of a thread.
fn on_behalf(thread: ThreadIdx) -> Caller {
    Caller {
        thread,
        nr: 0,
        args: [0; 6],
        pc: 0,
        sp: 0,
    }
}

impl<M: Memory, C: Console> FsMgr<M, C> {
    fn table_id(&mut self) -> u64 {
        self.next_table += 1;
        self.next_table
    }

    /// Gives a thread a descriptor table of its own (CLOSE_RANGE_UNSHARE, exec).
    pub(crate) fn unshare_files(&mut self, thread: ThreadIdx) -> Result<(), Errno> {
        let id = self.table_id();
        let own = self.tasks.get_mut(thread)?;
        if Rc::strong_count(&own.files) > 1 {
            let copy = own.files.borrow().copy(id)?;
            own.files = Rc::new(RefCell::new(copy));
        }
        Ok(())
    }

    /// The three descriptors of the first process.
    fn standard_files(&mut self, stdio: u8) -> Result<Vec<Rc<File>>, Errno> {
        let root = self.root.clone().ok_or(Errno::ENOENT)?;
        if stdio == STDIO_PIPE {
            let (place, _) = self.vfs.new_pipe(&Creds::ROOT, self.time())?;
            self.host_place = Some(place.clone());
            let host = || Object::Host(Rc::clone(&self.host));
            let input = self.vfs.open(host(), place.clone(), OpenFlags::empty())?;
            let output = self.vfs.open(host(), place.clone(), OpenFlags::WRONLY)?;
            let error = self.vfs.open(host(), place, OpenFlags::WRONLY)?;
            return Ok(alloc::vec![input, output, error]);
        }
        let dev = self.entry_below(&root, b"dev")?;
        let console = self.entry_below(&dev, b"console")?;
        let tty = Object::Tty(Rc::clone(&self.tty));
        let file = self.vfs.open(tty, console, OpenFlags::RDWR)?;
        Ok(alloc::vec![Rc::clone(&file), Rc::clone(&file), file])
    }

    fn entry_below(&self, dir: &Path, name: &[u8]) -> Result<Path, Errno> {
        let entries = dir.inode().dir().ok_or(Errno::ENOTDIR)?;
        let dentry = entries.borrow().get(name).ok_or(Errno::ENOENT)?;
        Ok(self.vfs.mounts.top(dir.with(dentry)))
    }

    /// Opens a found file for execution: it must be a regular one that may be executed and is not being written.
    fn exec_place(
        &mut self,
        thread: ThreadIdx,
        place: Path,
        name: Vec<u8>,
    ) -> Result<ExecFile, Errno> {
        let inode = Rc::clone(place.inode());
        if inode.is_link() {
            return Err(Errno::ELOOP);
        }
        if !inode.is_file() || inode.data().is_none() {
            return Err(Errno::EACCES);
        }
        let creds = Rc::clone(&self.tasks.get(thread)?.creds);
        perm::may_at(&place, &creds, perm::EXEC)?;
        if inode.writers.get() > 0 {
            return Err(Errno::ETXTBSY);
        }
        if self.execs.len() >= MAX_EXECS {
            return Err(Errno::ENFILE);
        }
        let vmo = self.contents(&inode)?;
        let mut mode = inode.mode.get();
        if place.mount.has(MountFlags::NOSUID) {
            mode &= !(S_ISUID | S_ISGID);
        }
        let token = self.next_token;
        self.next_token = token.wrapping_add(1).max(1);
        inode.writers.set(inode.writers.get() - 1);
        self.remember_mapping(&place);
        let file = ExecFile {
            token,
            vmo,
            size: inode.size(),
            mode,
            uid: inode.uid.get(),
            gid: inode.gid.get(),
            ino: inode.ino,
        };
        self.execs.push(ExecOpen {
            token,
            path: place,
            name,
        });
        Ok(file)
    }

    fn take_exec(&mut self, token: u32) -> Result<ExecOpen, Errno> {
        let at = self.execs.iter().position(|e| e.token == token);
        Ok(self.execs.swap_remove(at.ok_or(Errno::EINVAL)?))
    }

    /// A file is no longer executed by somebody.
    fn release_exe(place: Option<Path>) {
        if let Some(place) = place {
            let writers = &place.inode().writers;
            if writers.get() < 0 {
                writers.set(writers.get() + 1);
            }
        }
    }

    /// The thread's descriptors go if nobody shares them.
    fn drop_thread(&mut self, thread: Thread) {
        let Thread { files, exe, .. } = thread;
        Self::release_exe(exe);
        if let Some(table) = Rc::into_inner(files) {
            let mut table = table.into_inner();
            for file in table.take_all() {
                self.closed(table.id, &file);
            }
        }
    }
}

impl<M: Memory, C: Console> FsMgrService for FsMgr<M, C> {
    fn init_process(&mut self, thread: ThreadIdx, stdio: u8, cwd: Bytes) -> Result<(), Errno> {
        if stdio != STDIO_TTY && stdio != STDIO_PIPE {
            return Err(Errno::EINVAL);
        }
        let root = self.root.clone().ok_or(Errno::ENOENT)?;
        self.piped = stdio == STDIO_PIPE;
        let mut files = FdTable::new(self.table_id());
        for file in self.standard_files(stdio)? {
            files.install(file, false, 0)?;
        }
        let new = Thread {
            files: Rc::new(RefCell::new(files)),
            fs: Rc::new(FsContext {
                cwd: RefCell::new(root.clone()),
                root: RefCell::new(root),
                umask: Cell::new(0o022),
            }),
            creds: Rc::new(Creds::ROOT),
            signals: SignalState::default(),
            exe: None,
            oom_adjust: Cell::new(0),
            new_name: Cell::new(None),
            parked: None,
            aio: Rc::default(),
            undo: Undo::new(&self.sysv.sem),
        };
        self.tasks.put(thread, new)?;
        if stdio == STDIO_TTY {
            // As a login would: the first process leads the terminal's session, so that a shell there has job control.
            let tty = Rc::clone(&self.tty);
            self.adopt_terminal(&on_behalf(thread), &tty);
        }
        let name = cwd.as_slice().to_vec();
        if !name.is_empty() {
            let place = self.lookup(&on_behalf(thread), lsyscall_abi::Fd::CWD.0, name, true)?;
            if !place.inode().is_dir() {
                return Err(Errno::ENOTDIR);
            }
            self.tasks.get(thread)?.fs.cwd.replace(place);
        }
        // What arrived before there was anybody to read it.
        self.console_event();
        Ok(())
    }

    fn clone_thread(
        &mut self,
        parent: ThreadIdx,
        child: ThreadIdx,
        share_files: bool,
        share_fs: bool,
        share_undo: bool,
    ) -> Result<(), Errno> {
        let id = self.table_id();
        let old = self.tasks.get(parent)?;
        let files = if share_files {
            Rc::clone(&old.files)
        } else {
            Rc::new(RefCell::new(old.files.borrow().copy(id)?))
        };
        let fs = if share_fs {
            Rc::clone(&old.fs)
        } else {
            Rc::new(old.fs.copy())
        };
        let new = Thread {
            files,
            fs,
            creds: Rc::clone(&old.creds),
            signals: SignalState::default(),
            exe: old.exe.clone(),
            oom_adjust: old.oom_adjust.clone(),
            new_name: Cell::new(None),
            parked: None,
            // Nearly what Linux does, where they belong to the memory: who shares the one shares the other.
            aio: match share_undo {
                true => Rc::clone(&old.aio),
                false => Rc::default(),
            },
            undo: match share_undo {
                true => Rc::clone(&old.undo),
                false => Undo::new(&self.sysv.sem),
            },
        };
        if let Some(exe) = &new.exe {
            let writers = &exe.inode().writers;
            writers.set(writers.get().saturating_sub(1));
        }
        if let Some(before) = self.tasks.put(child, new)? {
            self.drop_thread(before);
        }
        Ok(())
    }

    fn exit(&mut self, thread: ThreadIdx) -> Result<(), Errno> {
        if self.unpark(thread).is_some() {
            self.replies.forget(thread);
        }
        if let Some(gone) = self.tasks.remove(thread) {
            self.drop_thread(gone);
        }
        self.settle();
        Ok(())
    }

    fn open_exec(
        &mut self,
        thread: ThreadIdx,
        dirfd: i32,
        path: u64,
        flags: u32,
    ) -> Result<ExecFile, Errno> {
        let flags = AtFlags::from_bits_retain(flags);
        if !(AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH).contains(flags) {
            return Err(Errno::EINVAL);
        }
        let c = on_behalf(thread);
        let name = self.user_path(&c, UserPath(path))?;
        let place = if name.is_empty() && flags.contains(AtFlags::EMPTY_PATH) {
            self.start(&c, dirfd, &[])?
        } else {
            let follow = !flags.contains(AtFlags::SYMLINK_NOFOLLOW);
            self.lookup(&c, dirfd, name.clone(), follow)?
        };
        self.exec_place(thread, place, name)
    }

    fn open_exec_path(&mut self, thread: ThreadIdx, path: Bytes) -> Result<ExecFile, Errno> {
        let name = path.as_slice().to_vec();
        let c = on_behalf(thread);
        let place = self.lookup(&c, lsyscall_abi::Fd::CWD.0, name.clone(), true)?;
        self.exec_place(thread, place, name)
    }

    fn exec_commit(&mut self, thread: ThreadIdx, token: u32) -> Result<(), Errno> {
        let open = self.take_exec(token)?;
        self.unshare_files(thread)?;
        let own = self.tasks.get_mut(thread)?;
        let before = own.exe.replace(open.path);
        own.aio = Rc::default();
        let (closed, table) = {
            let mut files = own.files.borrow_mut();
            (files.take_cloexec(), files.id)
        };
        Self::release_exe(before);
        for file in closed {
            self.closed(table, &file);
        }
        self.settle();
        Ok(())
    }

    fn exec_abort(&mut self, token: u32) -> Result<(), Errno> {
        let open = self.take_exec(token)?;
        Self::release_exe(Some(open.path));
        Ok(())
    }

    fn set_creds(&mut self, thread: ThreadIdx, creds: Creds) -> Result<(), Errno> {
        self.tasks.get_mut(thread)?.creds = Rc::new(creds);
        Ok(())
    }

    fn cancel(&mut self, thread: ThreadIdx) -> Result<Option<i32>, Errno> {
        let Some(parked) = self.unpark(thread) else {
            return Ok(None);
        };
        if parked.batch.0 > 0 {
            let sent = parked.batch.0;
            drop(parked);
            self.replies.complete(thread, sent.into());
            self.settle();
            return Ok(None);
        }
        if parked.progress > 0 {
            // It has moved bytes: that is how it ends, whatever interrupted it.
            let moved = i64::try_from(parked.progress).unwrap_or(i64::MAX);
            drop(parked);
            self.replies.complete(thread, moved);
            self.settle();
            return Ok(None);
        }
        self.replies.forget(thread);
        let errno = parked.restart.raw();
        drop(parked);
        self.settle();
        Ok(Some(errno))
    }

    fn next_event(&mut self) -> Result<Option<FsEvent>, Errno> {
        Ok(self.events.pop_front())
    }

    fn session_ended(&mut self, sid: i32) -> Result<(), Errno> {
        self.disassociate(sid);
        self.settle();
        Ok(())
    }

    fn set_limits(
        &mut self,
        thread: ThreadIdx,
        nofile: u64,
        fsize: u64,
        queues: u64,
    ) -> Result<(), Errno> {
        let mut files = self.tasks.get(thread)?.files.borrow_mut();
        files.nofile = nofile;
        files.fsize = fsize;
        files.queues = queues;
        Ok(())
    }

    fn set_names(&mut self, host: Bytes, domain: Bytes) -> Result<(), Errno> {
        self.host_name = host.as_slice().to_vec();
        self.domain_name = domain.as_slice().to_vec();
        Ok(())
    }

    fn signal_wish(&mut self, thread: ThreadIdx) -> Result<SignalWish, Errno> {
        let parked = self.tasks.get(thread)?.parked.as_ref();
        Ok(SignalWish {
            mask: parked.and_then(|p| p.mask),
            take: parked.and_then(|p| p.take),
            watched: self.signal_fds.any(),
        })
    }

    fn signals_pending(&mut self, thread: ThreadIdx, pending: u64) -> Result<(), Errno> {
        self.tasks.get(thread)?.signals.pending.set(pending);
        self.signal_fds.wake(pending);
        self.settle();
        Ok(())
    }

    fn give_signal(
        &mut self,
        thread: ThreadIdx,
        signal: Option<TakenSignal>,
        pending: u64,
    ) -> Result<(), Errno> {
        let of = self.tasks.get(thread)?;
        of.signals.pending.set(pending);
        if let Some(parked) = of.parked.as_ref().filter(|p| p.take.is_some()) {
            of.signals.answer.set(Some(signal));
            self.vfs.run.push(thread, parked.ticket);
        }
        self.settle();
        Ok(())
    }

    fn new_name(&mut self, thread: ThreadIdx) -> Result<Option<(u64, u64)>, Errno> {
        Ok(self.tasks.get(thread)?.new_name.take())
    }

    fn exec_path(&mut self, token: u32) -> Result<Bytes, Errno> {
        let open = self.execs.iter().find(|e| e.token == token);
        let open = open.ok_or(Errno::EINVAL)?;
        let root = self.root.clone().ok_or(Errno::ENOENT)?;
        let name = self.vfs.shown_name(&open.path, &root);
        Ok(Bytes::new(if name.len() <= CHUNK_BYTES {
            &name
        } else {
            &open.name
        }))
    }

    fn pidfd_open(
        &mut self,
        thread: ThreadIdx,
        process: PidFdInfo,
        ended: bool,
    ) -> Result<i32, Errno> {
        self.open_pidfd(thread, process, ended)
    }

    fn pidfd_of(&mut self, thread: ThreadIdx, fd: i32) -> Result<PidFdInfo, Errno> {
        self.pidfd_info(thread, fd)
    }

    fn process_ended(&mut self, serial: u64) -> Result<(), Errno> {
        self.pid_fds.ended(serial);
        self.settle();
        Ok(())
    }

    fn take_fd(&mut self, thread: ThreadIdx, from: ThreadIdx, fd: i32) -> Result<i32, Errno> {
        self.take_file(thread, from, fd)
    }

    fn close_fd(&mut self, thread: ThreadIdx, fd: i32) -> Result<(), Errno> {
        let files = Rc::clone(&self.tasks.get(thread)?.files);
        let file = files.borrow_mut().remove(fd)?;
        self.closed(files.borrow().id, &file);
        self.settle();
        Ok(())
    }

    fn compare(
        &mut self,
        first: ThreadIdx,
        fd1: i32,
        second: ThreadIdx,
        fd2: i32,
        kind: u8,
    ) -> Result<i32, Errno> {
        self.compare_files((first, fd1), (second, fd2), kind)
    }

    fn unshare(
        &mut self,
        thread: ThreadIdx,
        files: bool,
        fs: bool,
        undo: bool,
    ) -> Result<(), Errno> {
        if undo {
            self.tasks.get_mut(thread)?.undo = Undo::new(&self.sysv.sem);
        }
        let result = self.unshare_parts(thread, files, fs);
        self.settle();
        result
    }
}
