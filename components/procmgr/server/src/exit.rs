//! The end of threads and processes.

use alloc::vec::Vec;

use console_api::Console;
use fsmgr_api::FsMgr;
use lsyscall_abi::signal::{SIGCHLD, SIGCONT, SIGHUP};
use lsyscall_abi::{Signal, ThreadIdx};
use memmgr_api::{MemMgr, Space, UserMemory};
use timemgr_api::TimeMgr;

use crate::machine::Machine;
use crate::signal::action::{SA_NOCLDSTOP, SA_NOCLDWAIT, SIG_IGN};
use crate::signal::Info;
use crate::state::{Continuation, Life, ProcIdx};
use crate::wait::Change;
use crate::{Parts, ProcMgr};

/// Exit reasons on the console: ended by itself.
const EXITED: u8 = 0;
/// Exit reasons on the console: killed by a signal.
const KILLED: u8 = 1;

impl<P: Parts> ProcMgr<P> {
    /// One thread ends with an exit code; the process ends with its last one.
    pub(crate) fn exit_thread(&mut self, t: ThreadIdx, code: i32) {
        let Some(p) = self.thread(t).map(|th| th.process) else {
            return;
        };
        let last = self
            .process(p)
            .is_none_or(|process| process.threads.len() <= 1);
        if last {
            let status = (code & 0xff) << 8;
            return self.exit_process(p, status);
        }
        self.bury_thread(t);
        self.publish_process(p);
    }

    /// Takes a thread out of the system.
    pub(crate) fn bury_thread(&mut self, t: ThreadIdx) {
        let Some(thread) = self.thread_mut(t) else {
            return;
        };
        let (p, tid, clear) = (thread.process, thread.tid, thread.clear_child_tid);
        if let Some(Continuation::SaveFp { area, .. } | Continuation::LoadFp { area, .. }) =
            thread.continuation.take()
        {
            self.free_area(t, area);
        }
        self.replies.forget(t);
        self.machine.stop(t);
        let shared = self
            .process(p)
            .and_then(|p| p.space.as_ref())
            .is_some_and(|s| alloc::rc::Rc::strong_count(s) > 1)
            || self.process(p).is_some_and(|p| p.threads.len() > 1);
        let _ = self.mem.robust_exit(t, 0, tid as u32);
        if clear != 0 && shared && self.mem.copy_out(Space::Thread(t), clear, &[0; 4]).is_ok() {
            let _ = self.mem.futex_wake(Space::Thread(t), clear, 1);
        }
        let _ = self.fs.exit(t);
        let _ = self.time.forget(t);
        let _ = self.mem.detach(t);
        if let Some(slot) = self.threads.get_mut(t.index()) {
            *slot = None;
        }
        if let Some(process) = self.process_mut(p) {
            process.threads.retain(|&other| other != t);
        }
        self.publish_thread(t);
    }

    /// The whole process ends with a wait status.
    pub(crate) fn exit_process(&mut self, p: ProcIdx, status: i32) {
        let Some(process) = self.process_mut(p) else {
            return;
        };
        if process.is_zombie() {
            return;
        }
        let threads: Vec<ThreadIdx> = process.threads.iter().rev().copied().collect();
        process.life = Life::Running;
        for t in threads {
            self.bury_thread(t);
        }
        let Some(process) = self.process_mut(p) else {
            return;
        };
        process.life = Life::Zombie(status);
        process.itimer = (0, 0);
        let space = process.space.take();
        let (pid, sid, pgid, init) = (process.pid, process.sid, process.pgid, process.is_init());
        if let Some(space) = space {
            self.release_space(space);
        }
        self.release_vfork(p);
        if init {
            return self.end_run(status);
        }
        if pid == sid {
            let _ = self.fs.session_ended(sid);
        }
        self.orphan_children(p);
        self.publish_process(p);
        self.rearm();
        self.orphaned_groups(p, pgid);
        self.notify_parent(p, status);
        self.publish_header();
    }

    /// Children go to the nearest subreaper, else to init.
    fn orphan_children(&mut self, p: ProcIdx) {
        let Some(process) = self.process_mut(p) else {
            return;
        };
        let children = core::mem::take(&mut process.children);
        let mut heir = process.parent;
        while let Some(candidate) = heir {
            let Some(process) = self.process(candidate) else {
                break;
            };
            if process.is_init() || process.subreaper && !process.is_zombie() {
                break;
            }
            heir = process.parent;
        }
        for child in children {
            let Some(process) = self.process_mut(child) else {
                continue;
            };
            process.parent = heir;
            let (death_signal, zombie) = (process.death_signal, process.life);
            if let Some(heir) = heir.and_then(|h| self.process_mut(h)) {
                heir.children.push(child);
            }
            if death_signal != 0 {
                self.signal_process(child, Info::kernel(Signal(death_signal)));
            }
            if let Life::Zombie(status) = zombie {
                self.notify_parent(child, status);
            }
            self.publish_process(child);
        }
    }

    /// Groups that this end orphans, with stopped members, get SIGHUP and SIGCONT (POSIX, _exit).
    fn orphaned_groups(&mut self, p: ProcIdx, own: i32) {
        let mut groups: Vec<i32> = self
            .processes()
            .filter(|(i, q)| *i != p && matches!(q.life, Life::Stopped(_)))
            .map(|(_, q)| q.pgid)
            .filter(|&g| g == own || self.touches_children(p, g))
            .collect();
        groups.sort_unstable();
        groups.dedup();
        for group in groups {
            if self.is_orphaned_group(group) {
                self.signal_group(group, Info::kernel(Signal(SIGHUP)));
                self.signal_group(group, Info::kernel(Signal(SIGCONT)));
            }
        }
    }

    fn touches_children(&self, p: ProcIdx, group: i32) -> bool {
        let init = self.process(p).and_then(|p| p.parent);
        self.processes()
            .any(|(_, q)| q.pgid == group && (q.parent == init || q.parent == Some(p)))
    }

    /// Tells the parent that the process has ended; it may vanish at once.
    fn notify_parent(&mut self, p: ProcIdx, status: i32) {
        let Some(process) = self.process(p) else {
            return;
        };
        let (signal, pid, uid, parent) = (
            process.exit_signal,
            process.pid,
            process.ids.uid[0],
            process.parent,
        );
        let Some(parent) = parent else {
            return self.reap(p);
        };
        let Some(parent_process) = self.process(parent) else {
            return self.reap(p);
        };
        let action = parent_process.actions.get(Signal(SIGCHLD));
        let unwanted =
            signal == SIGCHLD && (action.handler == SIG_IGN || action.flags & SA_NOCLDWAIT != 0);
        let (code, value) = if status & 0x7f == 0 {
            (1, status >> 8)
        } else {
            (2, status & 0x7f)
        };
        let info = Info::child(Signal(signal), code, pid, uid, value);
        if unwanted {
            self.reap(p);
        } else {
            self.wake_waiters(parent);
        }
        if signal != 0 && !(unwanted && action.handler == SIG_IGN) {
            self.signal_process(parent, info);
        }
        if unwanted {
            self.wake_waiters(parent);
        }
    }

    /// Tells the parent that the process stopped or continued.
    pub(crate) fn report_child(&mut self, p: ProcIdx, change: Change) {
        let Some(process) = self.process(p) else {
            return;
        };
        let (pid, uid, parent) = (process.pid, process.ids.uid[0], process.parent);
        let Some(parent) = parent else { return };
        self.wake_waiters(parent);
        let Some(parent_process) = self.process(parent) else {
            return;
        };
        if parent_process.actions.get(Signal(SIGCHLD)).flags & SA_NOCLDSTOP != 0 {
            return;
        }
        let (code, status) = match change {
            Change::Stopped(signal) => (5, signal),
            Change::Continued(signal) => (6, signal),
        };
        self.signal_process(parent, Info::child(Signal(SIGCHLD), code, pid, uid, status));
    }

    /// The last trace of a process goes.
    pub(crate) fn reap(&mut self, p: ProcIdx) {
        let Some(process) = self.procs.get_mut(p.0).and_then(Option::take) else {
            return;
        };
        if let Some(parent) = process.parent.and_then(|parent| self.process_mut(parent)) {
            parent.children.retain(|&child| child != p);
        }
        self.publish_process(p);
        self.publish_header();
    }

    /// Init has ended: so does the run.
    fn end_run(&mut self, status: i32) {
        if self.ended {
            return;
        }
        self.ended = true;
        let others: Vec<ProcIdx> = self
            .processes()
            .filter(|(_, p)| !p.is_zombie())
            .map(|(i, _)| i)
            .collect();
        for p in others {
            self.exit_process(p, lsyscall_abi::signal::SIGKILL);
        }
        let (reason, value) = if status & 0x7f == 0 {
            (EXITED, status >> 8 & 0xff)
        } else {
            (KILLED, status & 0x7f)
        };
        let _ = self.console.exit(reason, value);
    }

    pub(crate) fn fs_cancel(&self, t: ThreadIdx) -> Option<i32> {
        self.fs.cancel(t).ok().flatten()
    }

    pub(crate) fn time_cancel(&self, t: ThreadIdx) -> Option<i32> {
        self.time.cancel(t).ok().flatten()
    }

    pub(crate) fn time_forget(&self, t: ThreadIdx) {
        let _ = self.time.forget(t);
    }

    pub(crate) fn mem_cancel(&self, t: ThreadIdx) -> Option<i32> {
        self.mem.cancel(t).ok().flatten()
    }
}
