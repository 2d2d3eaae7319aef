//! The file manager: descriptors, the tree of files, tmpfs, devices, /proc, pipes, terminals, and waiting for all of them.
//!
//! It serves the rows of the system-call table that name `fsmgr`, and procmgr through `fsmgr-api`. File contents are memory
//! objects of the memory manager; it never sees user memory but through that. It must never block: a call that has to wait
//! is parked and run again from its start when something it waits for changed ([`wait`]), and never panic or grow without
//! bound on what a program asks.
#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]

extern crate alloc;

mod aio;
mod attempt;
mod calls;
mod cpio;
mod dentry;
mod epoll;
mod event;
mod fd;
mod file;
mod heap;
mod inode;
mod inotify;
mod io;
mod lock;
mod mount;
mod mq;
mod park;
mod path;
mod perm;
mod pidfd;
mod pipe;
mod procfs;
mod proctable;
mod pty;
mod random;
mod root;
mod service;
mod sigio;
mod signal;
mod sysv;
mod task;
mod terminal;
mod text;
mod timers;
mod tty;
mod unix;
mod vfs;
mod vmo;
mod wait;
mod xattr;

#[cfg(test)]
mod tests;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::fmt;

use console_api::Console;
use fsmgr_api::{fsmgr_dispatch, Creds, FsEvent, Target};
use lsyscall_abi::{Errno, ThreadIdx, UserPath, PATH_MAX};
use lsyscall_router::{dispatch_fs, Caller, SysResult};
use memmgr_api::{Memory, Space, Vmo};
use persona_component::{Component, Dataport, Env, EnvError, Replies, UsageTable, Wake};
use persona_ipc::Message;

use crate::dentry::Dentry;
use crate::file::File;
use crate::inode::Time;
use crate::mount::{Mount, Path};
use crate::mq::Mqs;
use crate::path::Walker;
use crate::pidfd::PidFds;
use crate::proctable::ProcTable;
use crate::pty::Pairs;
use crate::random::Random;
use crate::signal::SignalFds;
use crate::sysv::Sysv;
use crate::task::{Parked, Tasks, Thread};
use crate::timers::Timers;
use crate::tty::{HostStream, Tty};
use crate::vfs::Vfs;

/// Event bit: the console has input, or room for output.
const CONSOLE_EVENT: u32 = 1;
/// Event bit: the alarm went off.
const ALARM_FIRED: u32 = 2;
/// Mapped files whose names are remembered.
const MAX_MAPPED: usize = 1024;
/// Signals kept for procmgr until it asks.
const MAX_EVENTS: usize = 256;
/// Threads there can be if the manifest does not say.
const DEFAULT_THREADS: u64 = 256;

/// The components the file manager calls.
pub struct Deps<M, C> {
    /// The memory manager.
    pub mem: M,
    /// The console.
    pub console: C,
}

/// Why the file manager could not start.
#[derive(Debug)]
pub enum StartError {
    /// The manifest lacks something.
    Env(EnvError),
    /// The tree could not be set up.
    Tree(Errno),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Env(e) => e.fmt(f),
            StartError::Tree(e) => write!(f, "the root file system cannot be set up: {e}"),
        }
    }
}

impl From<EnvError> for StartError {
    fn from(e: EnvError) -> Self {
        StartError::Env(e)
    }
}

impl From<Errno> for StartError {
    fn from(e: Errno) -> Self {
        StartError::Tree(e)
    }
}

/// A file opened to be executed.
pub(crate) struct ExecOpen {
    token: u32,
    path: Path,
    name: Vec<u8>,
}

/// The file manager.
pub struct FsMgr<M, C> {
    mem: M,
    console: C,
    env: Env,
    replies: Replies,
    events_out: Wake,
    /// What wall-clock time added to monotonic time when timers were last set by it.
    wall_offset: u64,
    clock: Option<Dataport>,
    vfs: Vfs,
    tasks: Tasks,
    timers: Timers,
    random: Random,
    boot_id: [u8; 16],
    events: VecDeque<FsEvent>,
    tty: Rc<Tty>,
    /// Pseudo-terminals.
    pairs: Rc<Pairs>,
    /// Where their slaves have their names.
    pts: Option<Path>,
    host: Rc<HostStream>,
    /// The host's stream stands in for the terminal.
    piped: bool,
    /// The root directory of the first process.
    root: Option<Path>,
    /// Where descriptors of the host's stream are said to be.
    host_place: Option<Path>,
    /// Files that were mapped, by the tag they were mapped with.
    mapped: BTreeMap<u64, (Weak<Mount>, Weak<Dentry>)>,
    /// What uname(2) calls the machine, as procmgr told.
    host_name: Vec<u8>,
    domain_name: Vec<u8>,
    execs: Vec<ExecOpen>,
    next_token: u32,
    next_ticket: u64,
    next_table: u64,
    zeros: Option<Vmo>,
    /// Console input that found no room yet.
    unfed: VecDeque<u8>,
    input_ended: bool,
    /// All signalfds.
    signal_fds: SignalFds,
    /// All descriptors of processes.
    pid_fds: PidFds,
    /// vm.overcommit_memory and vm.overcommit_ratio.
    overcommit: (u8, u8),
    /// Operations of all contexts of asynchronous I/O.
    aio_all: Rc<core::cell::Cell<u32>>,
    /// POSIX message queues.
    mqs: Mqs,
    /// System V objects.
    sysv: Sysv,
    /// The thread whose call is being served.
    current: ThreadIdx,
    /// The parked call that is being run again.
    resumed: Option<Parked>,
    /// The thread whose call this entry is, and how that call ended when it was run again before the entry's end: there
    /// is no parked reply to complete yet.
    entered: Option<(ThreadIdx, Option<SysResult>)>,
}

impl<M: Memory, C: Console> FsMgr<M, C> {
    /// Sets up the tree from the initial archive. Fails if the manifest lacks something it needs.
    pub fn new(env: Env, deps: Deps<M, C>) -> Result<Self, StartError> {
        let Deps { mem, console } = deps;
        let table = ProcTable::new(
            env.dataport("proctable")?,
            env.dataport("usage").ok().map(UsageTable::new),
        );
        let max_threads = env.number("max_threads").unwrap_or(DEFAULT_THREADS);
        let timers = Timers::new(env.dataport("alarm")?, env.wake("alarm_set")?);
        let events_out = env.wake("events").or_else(|_| env.wake("fs_events"))?;
        let args = env.bootargs();
        let number = |key| args.get_u64(key).and_then(|n| u16::try_from(n).ok());
        let (rows, cols) = (number("rows").unwrap_or(0), number("cols").unwrap_or(0));
        // With the host's seed the clock is not needed, and runs with the same seed are the same.
        let random = match args.get("seed") {
            Some(seed) => Random::new(seed, 0),
            None => Random::new(&[], env.now_ns()),
        };
        let total = mem.stats().map(|s| s.total).unwrap_or(0);
        let vfs = Vfs::new((total / memmgr_api::PAGE_SIZE / 2).clamp(4096, 1 << 18))?;
        let run = Rc::clone(&vfs.run);
        let mut new = FsMgr {
            replies: env.replies(),
            events_out,
            wall_offset: 0,
            clock: env.dataport("clock").ok(),
            tasks: Tasks::new(table, max_threads.min(4096) as usize),
            timers,
            random,
            boot_id: [0; 16],
            events: VecDeque::new(),
            tty: Tty::new(&run, root::CONSOLE_DEV, rows, cols),
            pairs: Rc::default(),
            pts: None,
            host: HostStream::new(&run),
            piped: args.get("stdio") == Some(b"pipe"),
            root: None,
            host_place: None,
            mapped: BTreeMap::new(),
            host_name: b"persona".to_vec(),
            domain_name: b"(none)".to_vec(),
            execs: Vec::new(),
            next_token: 1,
            next_ticket: 1,
            next_table: 1,
            zeros: None,
            unfed: VecDeque::new(),
            input_ended: false,
            signal_fds: SignalFds::default(),
            pid_fds: PidFds::default(),
            overcommit: (0, 50),
            aio_all: Rc::default(),
            mqs: Mqs::default(),
            sysv: Sysv::new(),
            current: ThreadIdx(0),
            resumed: None,
            entered: None,
            mem,
            console,
            vfs,
            env,
        };
        new.random.fill(&mut new.boot_id);
        new.build_root()?;
        Ok(new)
    }

    /// Monotonic time in nanoseconds.
    fn now(&self) -> u64 {
        self.env.now_ns()
    }

    /// What to add to monotonic time for time since 1970, in nanoseconds.
    fn realtime_offset(&self) -> u64 {
        self.clock.map_or(0, |clock| clock.load(0))
    }

    /// Moves the timers that were set to moments of wall-clock time if the clock has been set since.
    fn follow_clock(&mut self) {
        let offset = self.realtime_offset();
        let before = core::mem::replace(&mut self.wall_offset, offset);
        if offset != before {
            self.timers.clock_set(before.wrapping_sub(offset) as i64);
        }
    }

    /// Time since 1970.
    fn time(&self) -> Time {
        Time::from_ns(self.now().wrapping_add(self.realtime_offset()))
    }

    fn thread(&self, c: &Caller) -> Result<&Thread, Errno> {
        self.tasks.get(c.thread)
    }

    fn creds(&self, c: &Caller) -> Result<Rc<Creds>, Errno> {
        Ok(Rc::clone(&self.thread(c)?.creds))
    }

    /// The description of a descriptor. `EBADF`.
    #[inline]
    fn file(&self, c: &Caller, fd: i32) -> Result<Rc<File>, Errno> {
        self.thread(c)?.files.borrow().get(fd).map(Rc::clone)
    }

    /// Gives a description the lowest free descriptor.
    fn install(&self, c: &Caller, file: Rc<File>, cloexec: bool) -> Result<i32, Errno> {
        self.thread(c)?.files.borrow_mut().install(file, cloexec, 0)
    }

    /// A path name from user memory. `EFAULT`, `ENAMETOOLONG`.
    fn user_path(&self, c: &Caller, path: UserPath) -> Result<Vec<u8>, Errno> {
        self.mem
            .read_cstr(Space::Thread(c.thread), path.addr(), PATH_MAX)
    }

    /// Where relative names start: the working directory, or the directory of a descriptor. Absolute names need none.
    fn start(&self, c: &Caller, dirfd: i32, name: &[u8]) -> Result<Path, Errno> {
        let thread = self.thread(c)?;
        if name.first() == Some(&b'/') || dirfd == lsyscall_abi::Fd::CWD.0 {
            return Ok(thread.fs.cwd.borrow().clone());
        }
        let files = thread.files.borrow();
        Ok(files.get(dirfd)?.path.clone())
    }

    /// A resolution of path names on behalf of the caller, with these credentials.
    fn walker<'a>(&'a self, c: &Caller, creds: &'a Creds) -> Result<Walker<'a>, Errno> {
        let root = self.thread(c)?.fs.root.borrow().clone();
        Ok(Walker::new(&self.vfs, &self.tasks, c.thread, creds, root))
    }

    /// The place a name means. `ENOENT` for an empty one.
    fn lookup(&self, c: &Caller, dirfd: i32, name: Vec<u8>, follow: bool) -> Result<Path, Errno> {
        if name.is_empty() {
            return Err(Errno::ENOENT);
        }
        let start = self.start(c, dirfd, &name)?;
        let creds = &self.thread(c)?.creds;
        let found = self.walker(c, creds)?.full(&start, name, follow)?;
        found.mount.expiring.set(false);
        Ok(found)
    }

    /// Remembers the name of a file that is about to be mapped, for /proc/PID/maps.
    fn remember_mapping(&mut self, path: &Path) {
        if self.mapped.len() >= MAX_MAPPED {
            self.mapped.retain(|_, (_, d)| d.strong_count() > 0);
        }
        if self.mapped.len() < MAX_MAPPED {
            let names = (Rc::downgrade(&path.mount), Rc::downgrade(&path.dentry));
            self.mapped.insert(path.inode().ino, names);
        }
    }

    /// The file mapped with a tag, while its name is known.
    fn mapped_file(&self, tag: u64) -> Option<Path> {
        let (mount, dentry) = self.mapped.get(&tag)?;
        Some(Path {
            mount: mount.upgrade()?,
            dentry: dentry.upgrade()?,
        })
    }

    /// A signal for procmgr to deliver.
    fn send(&mut self, target: Target, signal: i32) {
        self.send_info(target, signal, lsyscall_abi::SI_KERNEL, [0; 2]);
    }

    /// The same, with si_code and the first words of siginfo's union.
    fn send_info(&mut self, target: Target, signal: i32, code: i32, words: [u64; 2]) {
        let Ok(signal) = u8::try_from(signal) else {
            return;
        };
        let known = |e: &FsEvent| e.target == target && e.signal == signal && e.second == words[1];
        let bounded = signal == 0 || self.events.len() < MAX_EVENTS;
        if bounded && !self.events.iter().any(known) {
            self.events.push_back(FsEvent {
                target,
                signal,
                code,
                first: words[0],
                second: words[1],
            });
        }
        self.events_out.signal();
    }

    /// Something for procmgr to ask about, which is no signal.
    fn send_note(&mut self, thread: ThreadIdx, note: u8) {
        let target = Target::Thread(thread);
        let known = |e: &FsEvent| e.target == target && e.signal == note;
        if !self.events.iter().any(known) {
            self.events.push_back(FsEvent {
                target,
                signal: note,
                code: 0,
                first: 0,
                second: 0,
            });
        }
        self.events_out.signal();
    }

    fn copy_out<T: zerocopy::IntoBytes + zerocopy::Immutable>(
        &self,
        c: &Caller,
        addr: u64,
        value: &T,
    ) -> Result<(), Errno> {
        self.mem
            .copy_out(Space::Thread(c.thread), addr, value.as_bytes())
    }

    fn copy_in<T: zerocopy::FromBytes + zerocopy::IntoBytes>(
        &self,
        c: &Caller,
        addr: u64,
    ) -> Result<T, Errno> {
        let mut value = T::new_zeroed();
        self.mem
            .copy_in(Space::Thread(c.thread), addr, value.as_mut_bytes())?;
        Ok(value)
    }
}

impl<M: Memory, C: Console> Component for FsMgr<M, C> {
    fn lsyscall(&mut self, caller: &Caller) -> SysResult {
        self.current = caller.thread;
        let result = dispatch_fs(self, caller);
        self.entered = Some((caller.thread, None));
        self.settle();
        match self.entered.take() {
            Some((_, Some(end))) => end,
            _ => result,
        }
    }

    fn request(&mut self, _interface: u8, _client: u8, message: &mut Message) {
        fsmgr_dispatch(self, message);
        self.settle();
    }

    fn notified(&mut self, events: u32) {
        if events & CONSOLE_EVENT != 0 {
            self.console_event();
        }
        if events & ALARM_FIRED != 0 {
            self.timers.fired();
            self.follow_clock();
        }
        let now = self.now();
        while let Some((thread, ticket)) = self.timers.expired(now) {
            self.vfs.run.push(thread, ticket);
        }
        self.settle();
    }
}
