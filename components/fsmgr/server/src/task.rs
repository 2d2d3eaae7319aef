//! The file manager's side of threads: descriptors, directories, credentials, and the call that waits.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use fsmgr_api::Creds;
use lsyscall_abi::{Errno, ThreadIdx};
use lsyscall_router::Caller;

use crate::aio::Contexts;
use crate::fd::FdTable;
use crate::file::File;
use crate::mount::Path;
use crate::proctable::ProcTable;
use crate::signal::SignalState;
use crate::sysv::Undo;

/// Working directory, root directory, umask; threads may share them.
pub struct FsContext {
    /// Working directory.
    pub cwd: RefCell<Path>,
    /// Root directory.
    pub root: RefCell<Path>,
    /// Mode bits new files do not get.
    pub umask: Cell<u32>,
}

impl FsContext {
    /// A copy (fork).
    pub fn copy(&self) -> Self {
        FsContext {
            cwd: self.cwd.clone(),
            root: self.root.clone(),
            umask: self.umask.clone(),
        }
    }
}

/// A call that waits. It is tried again from its start when something it waits for changed.
pub struct Parked {
    /// The call.
    pub caller: Caller,
    /// The description it works on, whatever becomes of the descriptor.
    pub file: Option<Rc<File>>,
    /// Bytes already moved.
    pub progress: u64,
    /// When it ends at the latest, in monotonic nanoseconds.
    pub deadline: Option<u64>,
    /// How it ends when interrupted.
    pub restart: Errno,
    /// The signal mask it waits with, if not its thread's.
    pub mask: Option<u64>,
    /// Signals of which procmgr is to take one for it.
    pub take: Option<u64>,
    /// Waits for a record lock: its descriptor table, and the one that holds the lock.
    pub lock: Option<(u64, u64)>,
    /// Of a call with many messages: those that went, and when to stop.
    pub batch: (u32, Option<u64>),
    /// Tells it from earlier calls.
    pub ticket: u64,
}

/// A thread.
pub struct Thread {
    /// Descriptors.
    pub files: Rc<RefCell<FdTable>>,
    /// Directories.
    pub fs: Rc<FsContext>,
    /// Credentials.
    pub creds: Rc<Creds>,
    /// What procmgr told about its signals.
    pub signals: SignalState,
    /// What it executes.
    pub exe: Option<Path>,
    /// /proc/PID/oom_score_adj: kept, and without effect.
    pub oom_adjust: Cell<i32>,
    /// A name written to /proc/PID/comm that procmgr has not taken yet.
    pub new_name: Cell<Option<(u64, u64)>>,
    /// The call that waits.
    pub parked: Option<Parked>,
    /// Contexts of asynchronous I/O; threads of a process share them.
    pub aio: Rc<Contexts>,
    /// What its end does to semaphores; threads may share it.
    pub undo: Rc<Undo>,
}

/// All threads, and procmgr's table of them.
pub struct Tasks {
    threads: Vec<Option<Thread>>,
    /// What procmgr publishes.
    pub table: ProcTable,
}

impl Tasks {
    /// No thread yet, and never more than `max`.
    pub fn new(table: ProcTable, max: usize) -> Self {
        let mut threads = Vec::new();
        threads.resize_with(max, || None);
        Tasks { threads, table }
    }

    /// A thread. `ESRCH`.
    #[inline]
    pub fn get(&self, thread: ThreadIdx) -> Result<&Thread, Errno> {
        self.threads
            .get(thread.index())
            .and_then(Option::as_ref)
            .ok_or(Errno::ESRCH)
    }

    /// A thread, to change. `ESRCH`.
    #[inline]
    pub fn get_mut(&mut self, thread: ThreadIdx) -> Result<&mut Thread, Errno> {
        self.threads
            .get_mut(thread.index())
            .and_then(Option::as_mut)
            .ok_or(Errno::ESRCH)
    }

    /// The table that holds the record lock for which a thread of this table waits.
    pub fn waits_for(&self, table: u64) -> Option<u64> {
        let parked = self
            .threads
            .iter()
            .flatten()
            .filter_map(|t| t.parked.as_ref());
        let mut locks = parked.filter_map(|p| p.lock);
        locks
            .find(|(waits, _)| *waits == table)
            .map(|(_, holds)| holds)
    }

    /// Does something for each thread.
    pub fn each(&self, does: impl FnMut(&Thread)) {
        self.threads.iter().flatten().for_each(does);
    }

    /// Puts a thread in its place; returns what was there. `EINVAL` if there is no such place.
    pub fn put(&mut self, thread: ThreadIdx, value: Thread) -> Result<Option<Thread>, Errno> {
        let slot = self.threads.get_mut(thread.index());
        Ok(slot.ok_or(Errno::EINVAL)?.replace(value))
    }

    /// All threads.
    pub fn iter(&self) -> impl Iterator<Item = &Thread> {
        self.threads.iter().flatten()
    }

    /// Takes a thread away.
    pub fn remove(&mut self, thread: ThreadIdx) -> Option<Thread> {
        self.threads.get_mut(thread.index())?.take()
    }
}
