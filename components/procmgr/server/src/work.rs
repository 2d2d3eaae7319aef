//! Work put off to the end of the entry being served, so that one signal that causes the next never nests: threads to look
//! at, processes to kill.

use lsyscall_abi::{Errno, ThreadIdx};
use lsyscall_router::{encode_result, Flow, SysResult};

use crate::machine::Machine;
use crate::state::{Parked, ProcIdx, State};
use crate::{Parts, ProcMgr};

/// One piece of work.
#[derive(Clone, Copy, Debug)]
pub enum Work {
    /// The thread may have signals, or be on its way back to its program.
    Look(ThreadIdx),
    /// SIGKILL for the process.
    Kill(ProcIdx),
}

impl<P: Parts> ProcMgr<P> {
    /// Moves a thread from one state to another; the old one.
    pub(crate) fn set_state(&mut self, t: ThreadIdx, state: State) -> Option<State> {
        let thread = self.thread_mut(t)?;
        let (p, waits) = (thread.process, state.waits());
        let old = core::mem::replace(&mut thread.state, state);
        if old.waits() != waits {
            self.waiting = if waits {
                self.waiting + 1
            } else {
                self.waiting.saturating_sub(1)
            };
            self.note_change(p);
        }
        Some(old)
    }

    /// Looks at the thread before this entry ends.
    pub(crate) fn look(&mut self, t: ThreadIdx) {
        if let Some(thread) = self.thread_mut(t) {
            if !core::mem::replace(&mut thread.queued, true) {
                self.work.push_back(Work::Look(t));
            }
        }
    }

    /// Kills the process before this entry ends.
    pub(crate) fn doom(&mut self, p: ProcIdx) {
        if let Some(process) = self.process_mut(p) {
            if !core::mem::replace(&mut process.doomed, true) {
                self.work.push_back(Work::Kill(p));
            }
        }
    }

    /// Does all that was put off.
    pub(crate) fn drain(&mut self) {
        while let Some(work) = self.work.pop_front() {
            match work {
                Work::Look(t) => {
                    if let Some(thread) = self.thread_mut(t) {
                        thread.queued = false;
                        self.look_at(t);
                    }
                }
                Work::Kill(p) => self.exit_process(p, lsyscall_abi::signal::SIGKILL),
            }
        }
    }

    fn look_at(&mut self, t: ThreadIdx) {
        if let Some(State::Entering(..)) = self.thread(t).map(|th| &th.state) {
            if let Some(State::Entering(regs, interrupted)) = self.set_state(t, State::Held) {
                self.enter_user(t, regs, interrupted);
            }
        } else if self.ready(t).0 != 0 {
            self.interrupt(t);
        }
    }

    /// Makes a thread that has signals take them now, if its state allows; else it does so when that ends.
    fn interrupt(&mut self, t: ThreadIdx) {
        let interrupted = match self.thread(t).map(|th| &th.state) {
            Some(State::User) => self.cancel_below(t),
            Some(State::Parked(parked)) => match parked.interrupted() {
                Some(errno) => {
                    self.replies.forget(t);
                    Some(errno)
                }
                None => return,
            },
            _ => return,
        };
        self.set_state(t, State::Held);
        let regs = self.machine.read(t);
        self.enter_user(t, regs, interrupted);
    }

    /// Ends a call that was parked here with `value`, by way of the signals the thread has.
    pub(crate) fn finish_call(&mut self, t: ThreadIdx, value: i64) {
        if self.ready(t).0 == 0 {
            self.set_state(t, State::User);
            self.replies.complete(t, value);
            return;
        }
        self.replies.forget(t);
        let mut regs = self.machine.read(t);
        regs.x[0] = value as u64;
        self.set_state(t, State::Entering(regs, None));
        self.look(t);
    }

    /// The end of a call's handler: what the framework is to do with the caller.
    pub(crate) fn settle(&mut self, t: ThreadIdx, result: SysResult) -> SysResult {
        let Some(thread) = self.thread(t) else {
            return Ok(Flow::Taken);
        };
        let stopped = self.process(thread.process).is_some_and(|p| p.is_stopped());
        let pressing = stopped || self.ready(t).0 != 0;
        let interrupted = match &thread.state {
            State::Held => match encode_result(result) {
                Some(value) if pressing => {
                    let mut regs = self.machine.read(t);
                    regs.x[0] = value;
                    self.enter_user(t, regs, None);
                    return Ok(Flow::Taken);
                }
                _ => {
                    self.set_state(t, State::User);
                    return result;
                }
            },
            State::Parked(parked) if pressing => parked.interrupted(),
            State::Parked(_) => None,
            _ => return Ok(Flow::Taken),
        };
        let Some(errno) = interrupted else {
            return result;
        };
        self.set_state(t, State::Held);
        let regs = self.machine.read(t);
        self.enter_user(t, regs, Some(errno));
        Ok(Flow::Taken)
    }

    /// Takes the thread's call back from the component that parked it, if one did.
    pub(crate) fn cancel_below(&self, t: ThreadIdx) -> Option<Errno> {
        let raw = self
            .fs_cancel(t)
            .or_else(|| self.mem_cancel(t))
            .or_else(|| self.time_cancel(t))?;
        Some(Errno::from_raw(raw).unwrap_or(Errno::EINTR))
    }

    /// What a thread waits for here, taken from it: it is then in procmgr's hands.
    pub(crate) fn unpark(&mut self, t: ThreadIdx) -> Option<Parked> {
        match self.thread(t)?.state {
            State::Parked(_) => match self.set_state(t, State::Held)? {
                State::Parked(parked) => Some(parked),
                _ => None,
            },
            _ => None,
        }
    }
}
