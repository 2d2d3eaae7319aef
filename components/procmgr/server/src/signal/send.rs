//! Sending: from an event or a call to the thread that takes the signal.

use lsyscall_abi::signal::{SIGCONT, SIGKILL, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};
use lsyscall_abi::{SigSet, Signal, ThreadIdx};

use crate::signal::action::SIG_DFL;
use crate::signal::Info;
use crate::state::{Life, Parked, ProcIdx};
use crate::{Parts, ProcMgr};

/// The signals that stop.
pub const STOPS: SigSet = SigSet(
    Signal(SIGSTOP).bit() | Signal(SIGTSTP).bit() | Signal(SIGTTIN).bit() | Signal(SIGTTOU).bit(),
);

impl<P: Parts> ProcMgr<P> {
    /// Sends a signal to a process; false if a real-time signal could not be queued.
    pub(crate) fn signal_process(&mut self, p: ProcIdx, info: Info) -> bool {
        if !self.arrives(p, None, info.signal) {
            return true;
        }
        let Some(process) = self.process_mut(p) else {
            return true;
        };
        if !process.pending.push(info) {
            return false;
        }
        let threads = process.threads.clone();
        let waiting = threads
            .iter()
            .copied()
            .find(|&t| self.waits_for(t, info.signal));
        let taker = waiting.or_else(|| {
            threads.iter().copied().find(|&t| {
                self.thread(t)
                    .is_some_and(|th| !th.blocked.contains(info.signal) || info.signal.0 == SIGKILL)
            })
        });
        if let Some(t) = taker {
            self.alert(t);
        }
        true
    }

    /// Sends a signal to one thread; false if a real-time signal could not be queued.
    pub(crate) fn signal_thread(&mut self, t: ThreadIdx, info: Info) -> bool {
        let Some(p) = self.thread(t).map(|th| th.process) else {
            return true;
        };
        if !self.arrives(p, Some(t), info.signal) {
            return true;
        }
        if info.signal.0 == SIGKILL {
            return self.signal_process(p, info);
        }
        let Some(thread) = self.thread_mut(t) else {
            return true;
        };
        if !thread.pending.push(info) {
            return false;
        }
        self.alert(t);
        true
    }

    /// The side effects of a signal's arrival; whether it is to be queued at all.
    fn arrives(&mut self, p: ProcIdx, only: Option<ThreadIdx>, signal: Signal) -> bool {
        let Some(process) = self.process_mut(p) else {
            return false;
        };
        if process.is_zombie() {
            return false;
        }
        let threads = process.threads.clone();
        if signal.0 == SIGCONT {
            process.pending.discard(STOPS);
            for &t in &threads {
                if let Some(thread) = self.thread_mut(t) {
                    thread.pending.discard(STOPS);
                }
            }
            self.continue_process(p, true);
        } else if STOPS.contains(signal) {
            let cont = SigSet::EMPTY.with(Signal(SIGCONT));
            process.pending.discard(cont);
            for &t in &threads {
                if let Some(thread) = self.thread_mut(t) {
                    thread.pending.discard(cont);
                }
            }
        }
        let Some(process) = self.process(p) else {
            return false;
        };
        if STOPS.contains(signal) && signal.0 != SIGSTOP && self.is_orphaned_group(process.pgid) {
            let default = process.actions.get(signal).handler == SIG_DFL;
            if default {
                return false;
            }
        }
        !process.actions.ignored().contains(signal) || self.blocked_somewhere(p, only, signal)
    }

    fn blocked_somewhere(&self, p: ProcIdx, only: Option<ThreadIdx>, signal: Signal) -> bool {
        let Some(process) = self.process(p) else {
            return false;
        };
        process
            .threads
            .iter()
            .filter(|&&t| only.is_none_or(|o| o == t))
            .any(|&t| {
                self.thread(t).is_some_and(|th| th.blocked.contains(signal))
                    || self.waits_for(t, signal)
            })
    }

    fn waits_for(&self, t: ThreadIdx, signal: Signal) -> bool {
        matches!(self.thread(t).and_then(|th| th.parked.as_ref()), Some(Parked::SigWait { set, .. }) if set.contains(signal))
    }

    /// A signal has been queued for the thread: wakes sigtimedwait, or interrupts.
    fn alert(&mut self, t: ThreadIdx) {
        if let Some(Parked::SigWait { set, info, .. }) =
            self.thread(t).and_then(|th| th.parked.clone())
        {
            if let Some(signal) = self.take_signal(t, set) {
                if let Some(thread) = self.thread_mut(t) {
                    thread.parked = None;
                }
                let value = self.write_siginfo(t, info, &signal);
                self.finish_call(t, value);
                return;
            }
        }
        let kill = self.ready(t).contains(Signal(SIGKILL));
        if kill {
            let Some(p) = self.thread(t).map(|th| th.process) else {
                return;
            };
            if self
                .process(p)
                .is_some_and(|p| matches!(p.life, Life::Stopped(_)))
            {
                return self.exit_process(p, SIGKILL);
            }
        }
        self.kick(t);
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

    /// Whether no member of the group has a parent in the same session but another group (setpgid(2), "orphaned").
    pub(crate) fn is_orphaned_group(&self, pgid: i32) -> bool {
        !self
            .processes()
            .filter(|(_, p)| p.pgid == pgid && !p.is_zombie())
            .any(|(_, p)| {
                p.parent
                    .and_then(|parent| self.process(parent))
                    .is_some_and(|parent| {
                        !parent.is_zombie() && parent.sid == p.sid && parent.pgid != pgid
                    })
            })
    }
}
