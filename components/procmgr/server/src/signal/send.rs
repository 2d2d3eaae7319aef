//! Sending: from an event or a call to the thread that takes the signal.

use lsyscall_abi::signal::{SIGCONT, SIGKILL, SIGRTMIN, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};
use lsyscall_abi::{SigSet, Signal, ThreadIdx};

use crate::limits::SIGPENDING;
use crate::signal::Info;
use crate::state::{Parked, ProcIdx, Process, State};
use crate::{Parts, ProcMgr};

/// The signals that stop.
pub const STOPS: SigSet = SigSet(
    Signal(SIGSTOP).bit() | Signal(SIGTSTP).bit() | Signal(SIGTTIN).bit() | Signal(SIGTTOU).bit(),
);

impl<P: Parts> ProcMgr<P> {
    /// Sends a signal to a process; false if a real-time signal could not be queued. What it does to threads is put off to
    /// [`ProcMgr::drain`], but for those that wait for it in sigtimedwait.
    pub(crate) fn signal_process(&mut self, p: ProcIdx, info: Info) -> bool {
        if !self.arrives(p, None, info.signal) {
            return true;
        }
        let room = self.may_queue(p, &info);
        let Some(process) = self.process_mut(p) else {
            return true;
        };
        let queued = process.pending.push_within(info, room);
        let threads = process.threads.clone();
        if queued {
            let taker = self.taker(&threads, info.signal);
            if let Some(t) = taker {
                self.alert(t);
            }
            self.tell_pending(p);
        }
        self.after_arrival(p, info.signal);
        queued
    }

    /// Sends a signal to one thread; false if a real-time signal could not be queued.
    pub(crate) fn signal_thread(&mut self, t: ThreadIdx, info: Info) -> bool {
        let Some(p) = self.thread(t).map(|th| th.process) else {
            return true;
        };
        if !self.arrives(p, Some(t), info.signal) {
            return true;
        }
        let room = self.may_queue(p, &info);
        let queued = self
            .thread_mut(t)
            .is_some_and(|thread| thread.pending.push_within(info, room));
        if queued {
            self.alert(t);
            self.tell_pending(p);
        }
        self.after_arrival(p, info.signal);
        queued
    }

    /// Whether RLIMIT_SIGPENDING has room for a signal's information: it counts what is queued for all processes of a user.
    /// Ordinary signals that nobody queued always have it, and so do timers', which have it from their creation.
    fn may_queue(&self, p: ProcIdx, info: &Info) -> bool {
        let Some(process) = self.process(p) else {
            return true;
        };
        let ordinary = info.signal.0 < SIGRTMIN && info.code >= 0;
        if ordinary || info.timer_id().is_some() {
            return true;
        }
        let (uid, limit) = (process.ids.uid[0], process.limits.soft(SIGPENDING));
        let own = |process: &Process| {
            let threads = process.threads.iter().filter_map(|&t| self.thread(t));
            let queued = threads.map(|t| t.pending.len()).sum::<usize>();
            (process.pending.len() + queued) as u64
        };
        let of_user = self.processes().filter(|(_, q)| q.ids.uid[0] == uid);
        of_user.map(|(_, q)| own(q)).sum::<u64>() < limit
    }

    /// The thread that is to take a signal of its process: one that waits for it, else one that can take it at once, else
    /// any that does not block it.
    fn taker(&self, threads: &[ThreadIdx], signal: Signal) -> Option<ThreadIdx> {
        let rank = |t: ThreadIdx| {
            let thread = self.thread(t)?;
            if self.waits_for(t, signal) {
                return Some(0);
            }
            if thread.blocked.contains(signal) {
                return None;
            }
            Some(match &thread.state {
                State::User | State::Held | State::Entering(..) => 1,
                State::Parked(parked) if parked.interrupted().is_some() => 1,
                _ => 2,
            })
        };
        threads
            .iter()
            .filter_map(|&t| Some((rank(t)?, t)))
            .min_by_key(|&(rank, _)| rank)
            .map(|(_, t)| t)
    }

    /// What a signal's arrival does before it is queued; whether it is to be queued at all.
    fn arrives(&mut self, p: ProcIdx, only: Option<ThreadIdx>, signal: Signal) -> bool {
        let Some(process) = self.process(p) else {
            return false;
        };
        if process.is_zombie() {
            return false;
        }
        if signal.0 == SIGCONT {
            self.discard(p, STOPS);
        } else if STOPS.contains(signal) {
            self.discard(p, SigSet::EMPTY.with(Signal(SIGCONT)));
        }
        if signal.0 == SIGKILL {
            self.doom(p);
            return false;
        }
        let dropped = self
            .process(p)
            .is_none_or(|p| p.actions.ignored().contains(signal));
        let wanted = !dropped || self.blocked_somewhere(p, only, signal);
        if !wanted {
            self.after_arrival(p, signal);
        }
        wanted
    }

    /// SIGCONT continues the process, whatever else happens to it. Its handler sees the calls that the stop interrupted.
    fn after_arrival(&mut self, p: ProcIdx, signal: Signal) {
        if signal.0 == SIGCONT {
            self.continue_process(p);
        }
    }

    /// Forgets pending signals of a process and all its threads.
    pub(crate) fn discard(&mut self, p: ProcIdx, signals: SigSet) {
        let Some(process) = self.process_mut(p) else {
            return;
        };
        process.pending.discard(signals);
        for t in process.threads.clone() {
            if let Some(thread) = self.thread_mut(t) {
                thread.pending.discard(signals);
            }
        }
        let now = self.now();
        self.restart_ignored(p, now);
    }

    fn blocked_somewhere(&self, p: ProcIdx, only: Option<ThreadIdx>, signal: Signal) -> bool {
        let Some(process) = self.process(p) else {
            return false;
        };
        process
            .threads
            .iter()
            .filter(|&&t| only.is_none_or(|o| o == t))
            .any(|&t| self.thread(t).is_some_and(|th| th.blocked.contains(signal)))
    }

    fn waits_for(&self, t: ThreadIdx, signal: Signal) -> bool {
        matches!(
            self.thread(t).map(|th| &th.state),
            Some(State::Parked(Parked::SigWait { set, .. })) if set.contains(signal)
        )
    }

    /// A signal has been queued for the thread: ends its sigtimedwait, or has it looked at.
    fn alert(&mut self, t: ThreadIdx) {
        if let Some(&State::Parked(Parked::SigWait { set, info, .. })) =
            self.thread(t).map(|th| &th.state)
        {
            if let Some(signal) = self.take_signal(t, set) {
                let value = self.write_siginfo(t, info, &signal);
                return self.finish_call(t, value);
            }
        }
        self.look(t);
    }

    /// A thread has gone, or does not take these signals any more: others take those that are pending.
    pub(crate) fn retarget(&mut self, p: ProcIdx, signals: SigSet) {
        let Some(process) = self.process(p) else {
            return;
        };
        if process.pending.set().0 & signals.0 == 0 {
            return;
        }
        for t in process.threads.clone() {
            if self.ready(t).0 != 0 {
                self.look(t);
            }
        }
    }

    /// Sends to every process of a group; how many there were.
    pub(crate) fn signal_group(&mut self, pgid: i32, info: Info) -> usize {
        let members: alloc::vec::Vec<ProcIdx> = self
            .processes()
            .filter(|(_, p)| p.pgid == pgid)
            .map(|(i, _)| i)
            .collect();
        for &p in &members {
            self.signal_process(p, info);
        }
        members.len()
    }

    /// Whether no member of the group has a parent in the same session but another group (setpgid(2), "orphaned"). A parent
    /// that took an orphan in controls no jobs: Linux says so of init, which here may be a shell with jobs of its own.
    pub(crate) fn is_orphaned_group(&self, pgid: i32) -> bool {
        !self
            .processes()
            .filter(|(_, p)| p.pgid == pgid && !p.is_zombie() && !p.adopted)
            .any(|(_, p)| {
                p.parent
                    .and_then(|parent| self.process(parent))
                    .is_some_and(|parent| {
                        !parent.is_zombie() && parent.sid == p.sid && parent.pgid != pgid
                    })
            })
    }
}
