//! The end of threads and processes.

use alloc::rc::Rc;
use alloc::vec::Vec;

use console_api::Console;
use fsmgr_api::FsMgr;
use lsyscall_abi::signal::{SIGCHLD, SIGCONT, SIGHUP, SIGKILL};
use lsyscall_abi::{SigSet, Signal, ThreadIdx};
use memmgr_api::{MemMgr, Space, UserMemory};
use timemgr_api::TimeMgr;

use crate::machine::Machine;
use crate::signal::action::{SA_NOCLDSTOP, SA_NOCLDWAIT, SIG_IGN};
use crate::signal::{Info, Queue};
use crate::state::{Continuation, Life, ProcIdx, Process, State};
use crate::timers::Timer;
use crate::wait::Change;
use crate::{Parts, ProcMgr};

/// Exit reasons on the console: ended by itself.
pub(crate) const EXITED: u8 = 0;
/// Exit reasons on the console: killed by a signal.
const KILLED: u8 = 1;

impl<P: Parts> ProcMgr<P> {
    /// One thread ends with an exit code; the process ends with its last one. Its status is then its leader's.
    pub(crate) fn exit_thread(&mut self, t: ThreadIdx, code: i32) {
        let Some((p, tid)) = self.thread(t).map(|th| (th.process, th.tid)) else {
            return;
        };
        let status = (code & 0xff) << 8;
        let Some(process) = self.process_mut(p) else {
            return;
        };
        if process.pid == tid {
            process.leader_status = Some(status);
        }
        if process.threads.len() <= 1 {
            let status = process.leader_status.unwrap_or(status);
            return self.exit_process(p, status);
        }
        self.bury_thread(t);
        self.retarget(p, SigSet(u64::MAX));
        self.publish_header();
    }

    /// Takes a thread out of the system.
    pub(crate) fn bury_thread(&mut self, t: ThreadIdx) {
        let Some(p) = self.thread(t).map(|th| th.process) else {
            return;
        };
        if let Some(State::Shim(
            Continuation::Save { area, .. } | Continuation::Load { area, .. },
        )) = self.set_state(t, State::Held)
        {
            self.free_area(t, area);
        }
        self.replies.forget(t);
        self.machine.stop(t);
        let used = self.thread_used(t);
        self.note_used(p, &used);
        self.ended_threads.add(&used);
        self.leave_memory(t);
        let _ = self.fs.exit(t);
        let _ = self.time.forget(t);
        if self
            .threads
            .get_mut(t.index())
            .and_then(Option::take)
            .is_some()
        {
            self.counts.0 -= 1;
        }
        if let Some(process) = self.process_mut(p) {
            process.threads.retain(|&other| other != t);
        }
        self.publish_thread(t);
    }

    /// The thread leaves its address space, in which others may look for signs of that (mm_release of Linux).
    pub(crate) fn leave_memory(&mut self, t: ThreadIdx) {
        let Some(thread) = self.thread_mut(t) else {
            return;
        };
        let (p, tid) = (thread.process, thread.tid);
        let clear = core::mem::take(&mut thread.clear_child_tid);
        let shared = self.process(p).is_some_and(|p| {
            p.threads.len() > 1 || p.space.as_ref().is_some_and(|s| Rc::strong_count(s) > 1)
        });
        let _ = self.mem.robust_exit(t, 0, tid as u32);
        if clear != 0 && shared && self.mem.copy_out(Space::Thread(t), clear, &[0; 4]).is_ok() {
            let _ = self.mem.futex_wake(Space::Thread(t), clear, 1);
        }
        let _ = self.mem.detach(t);
    }

    /// The whole process ends with a wait status.
    pub(crate) fn exit_process(&mut self, p: ProcIdx, status: i32) {
        let Some(process) = self.process(p) else {
            return;
        };
        if process.is_zombie() {
            return;
        }
        let used = self.memory_used(p);
        let Some(process) = self.process(p) else {
            return;
        };
        for t in process.threads.iter().rev().copied().collect::<Vec<_>>() {
            self.bury_thread(t);
        }
        let Some(process) = self.process_mut(p) else {
            return;
        };
        process.life = Life::Zombie(status);
        process.used.add(&used);
        let timers = process.has_timers();
        process.itimer = Timer::default();
        process.cpu_itimers = [Timer::default(); 2];
        process.look_at = 0;
        process.timers = Vec::new();
        process.pending = Queue::default();
        let space = process.space.take();
        let (pid, sid, init) = (process.pid, process.sid, process.is_init());
        if let Some(space) = space {
            self.release_space(space);
        }
        self.release_vfork(p);
        self.pidfds_end(p);
        if init {
            return self.end_run(status);
        }
        if pid == sid {
            let _ = self.fs.session_ended(sid);
        }
        let groups = self.touched_groups(p);
        self.orphan_children(p);
        self.orphaned_groups(&groups);
        self.notify_parent(p, status);
        if timers {
            self.rearm();
        }
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
            process.adopted = true;
            // Whatever its old parent wanted: the new one expects SIGCHLD.
            process.exit_signal = SIGCHLD;
            let (death_signal, life) = (process.death_signal, process.life);
            if let Some(heir) = heir.and_then(|h| self.process_mut(h)) {
                heir.children.push(child);
            }
            if death_signal != 0 {
                self.signal_process(child, Info::kernel(Signal(death_signal)));
            }
            if let Life::Zombie(status) = life {
                self.notify_parent(child, status);
            }
        }
    }

    /// The groups that the end of a process may orphan: its own, if its parent controls it, and those of the children that it
    /// controls.
    fn touched_groups(&self, p: ProcIdx) -> Vec<i32> {
        let Some(process) = self.process(p) else {
            return Vec::new();
        };
        let controls = |parent: &Process, child: &Process| {
            parent.sid == child.sid && parent.pgid != child.pgid
        };
        let own = process
            .parent
            .filter(|_| !process.adopted)
            .and_then(|parent| self.process(parent))
            .filter(|parent| controls(parent, process))
            .map(|_| process.pgid);
        let children = process
            .children
            .iter()
            .filter_map(|&child| self.process(child))
            .filter(|child| !child.adopted && controls(process, child))
            .map(|child| child.pgid);
        let mut groups: Vec<i32> = own.into_iter().chain(children).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    /// Of the groups, those that are orphaned now and have stopped members get SIGHUP and SIGCONT (POSIX, _exit).
    fn orphaned_groups(&mut self, groups: &[i32]) {
        for &group in groups {
            let stopped = self
                .processes()
                .any(|(_, q)| q.pgid == group && q.is_stopped());
            if stopped && self.is_orphaned_group(group) {
                self.signal_group(group, Info::kernel(Signal(SIGHUP)));
                self.signal_group(group, Info::kernel(Signal(SIGCONT)));
            }
        }
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
        let (code, value) = ended(status);
        if signal != 0 && !(unwanted && action.handler == SIG_IGN) {
            // First the signal: a wait that ends by it then sees both at once.
            let info = Info::child(Signal(signal), code, pid, uid, value);
            self.signal_process(parent, info);
        }
        if unwanted {
            self.reap(p);
        }
        self.wake_waiters(parent);
    }

    /// Tells the parent that the process stopped or continued.
    pub(crate) fn report_child(&mut self, p: ProcIdx, change: Change) {
        let Some(process) = self.process(p) else {
            return;
        };
        let (pid, uid, parent) = (process.pid, process.ids.uid[0], process.parent);
        let Some(parent) = parent else { return };
        let Some(parent_process) = self.process(parent) else {
            return;
        };
        let action = parent_process.actions.get(Signal(SIGCHLD));
        if action.handler != SIG_IGN && action.flags & SA_NOCLDSTOP == 0 {
            let (code, status) = match change {
                Change::Stopped(signal) => (5, signal),
                Change::Continued(signal) => (6, signal),
            };
            let info = Info::child(Signal(SIGCHLD), code, pid, uid, status);
            self.signal_process(parent, info);
        }
        self.wake_waiters(parent);
    }

    /// The last trace of a process goes.
    pub(crate) fn reap(&mut self, p: ProcIdx) {
        let Some(process) = self.procs.get_mut(p.0).and_then(Option::take) else {
            return;
        };
        self.counts.1 -= 1;
        if let Some(parent) = process.parent.and_then(|parent| self.process_mut(parent)) {
            parent.children.retain(|&child| child != p);
        }
        self.publish_process(p);
        self.publish_header();
    }

    /// Init has ended: so does the run.
    fn end_run(&mut self, status: i32) {
        let (reason, value) = if status & 0x7f == 0 {
            (EXITED, status >> 8 & 0xff)
        } else {
            (KILLED, status & 0x7f)
        };
        self.halt(reason, value);
    }

    /// Ends the run, and everything in it.
    pub(crate) fn halt(&mut self, reason: u8, value: i32) {
        if core::mem::replace(&mut self.ended, true) {
            return;
        }
        let others: Vec<ProcIdx> = self
            .processes()
            .filter(|(_, p)| !p.is_zombie())
            .map(|(i, _)| i)
            .collect();
        for p in others {
            self.exit_process(p, SIGKILL);
        }
        self.publish_header();
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
        let _ = self.mem.forget_restart(t);
    }

    pub(crate) fn mem_cancel(&self, t: ThreadIdx) -> Option<i32> {
        self.mem.cancel(t).ok().flatten()
    }
}

/// si_code and si_status of an end with this wait status.
pub(crate) fn ended(status: i32) -> (i32, i32) {
    if status & 0x7f == 0 {
        (1, status >> 8)
    } else {
        (2, status & 0x7f)
    }
}
