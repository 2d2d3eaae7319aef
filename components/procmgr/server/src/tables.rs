//! Finding and making entries of the tables.

use alloc::boxed::Box;
use alloc::vec::Vec;

use lsyscall_abi::{Errno, ThreadIdx};

use crate::state::{ProcIdx, Process, Thread};
use crate::{Parts, ProcMgr};

/// Process ids go round below this (kernel.pid_max).
pub const PID_MAX: i32 = 32768;
/// Ids below are not used again after the first round, as in Linux.
const RESERVED_PIDS: i32 = 300;

impl<P: Parts> ProcMgr<P> {
    /// All processes, zombies included.
    pub(crate) fn processes(&self) -> impl Iterator<Item = (ProcIdx, &Process)> {
        self.procs
            .iter()
            .enumerate()
            .filter_map(|(i, p)| Some((ProcIdx(i), p.as_deref()?)))
    }

    /// The process of an id.
    pub(crate) fn find_process(&self, pid: i32) -> Option<ProcIdx> {
        self.processes().find(|(_, p)| p.pid == pid).map(|(i, _)| i)
    }

    /// The process of a number.
    pub(crate) fn find_serial(&self, serial: u64) -> Option<ProcIdx> {
        let mut all = self.processes();
        all.find(|(_, p)| p.serial == serial).map(|(i, _)| i)
    }

    /// The thread of an id.
    pub(crate) fn find_thread(&self, tid: i32) -> Option<ThreadIdx> {
        let at = self
            .threads
            .iter()
            .position(|t| t.as_ref().is_some_and(|t| t.tid == tid))?;
        Some(ThreadIdx(at as u16))
    }

    /// The process of an id, where 0 means the caller's.
    pub(crate) fn process_or_caller(&self, t: ThreadIdx, pid: i32) -> Result<ProcIdx, Errno> {
        let found = match pid {
            0 => self.caller_process(t).map(|(p, _)| p),
            pid if pid < 0 => return Err(Errno::EINVAL),
            pid => self.find_process(pid).or_else(|| {
                self.find_thread(pid)
                    .and_then(|t| Some(self.thread(t)?.process))
            }),
        };
        found.ok_or(Errno::ESRCH)
    }

    /// A free thread slot. `EAGAIN` if all are taken.
    pub(crate) fn free_thread(&mut self) -> Result<ThreadIdx, Errno> {
        let at = free_entry(&mut self.threads, self.slots)?;
        Ok(ThreadIdx(at as u16))
    }

    /// Enters a process. `EAGAIN` if the table is full.
    pub(crate) fn enter_process(&mut self, process: Process) -> Result<ProcIdx, Errno> {
        let at = free_entry(&mut self.procs, self.slots)?;
        self.counts.1 += 1;
        self.created += 1;
        self.procs[at] = Some(Box::new(Process {
            serial: self.created,
            ..process
        }));
        Ok(ProcIdx(at))
    }

    /// Enters a thread into its slot.
    pub(crate) fn enter_thread(&mut self, t: ThreadIdx, thread: Thread) {
        if let Some(slot) = self.threads.get_mut(t.index()) {
            *slot = Some(Box::new(thread));
            self.counts.0 += 1;
        }
    }

    /// An id nobody uses as process, thread, group or session.
    pub(crate) fn new_pid(&mut self) -> Result<i32, Errno> {
        for _ in 0..PID_MAX {
            self.last_pid += 1;
            if self.last_pid >= PID_MAX {
                self.last_pid = RESERVED_PIDS;
            }
            let id = self.last_pid;
            if !self.is_taken(id) {
                return Ok(id);
            }
        }
        Err(Errno::EAGAIN)
    }

    /// Whether somebody uses an id as process, thread, group or session.
    pub(crate) fn is_taken(&self, id: i32) -> bool {
        self.find_thread(id).is_some()
            || self
                .processes()
                .any(|(_, p)| p.pid == id || p.pgid == id || p.sid == id)
    }
}

/// A free entry of a table that may have `most`. `EAGAIN` if all are taken.
fn free_entry<T>(table: &mut Vec<Option<T>>, most: usize) -> Result<usize, Errno> {
    if let Some(at) = table.iter().position(Option::is_none) {
        return Ok(at);
    }
    if table.len() >= most {
        return Err(Errno::EAGAIN);
    }
    table.push(None);
    Ok(table.len() - 1)
}
