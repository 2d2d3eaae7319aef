//! Job control: stopping and continuing whole processes.

use lsyscall_abi::signal::SIGCONT;
use lsyscall_abi::ThreadIdx;

use crate::machine::Machine;
use crate::state::{Life, ProcIdx, State};
use crate::wait::Change;
use crate::{Parts, ProcMgr};

impl<P: Parts> ProcMgr<P> {
    /// Stops all threads of the process. Those in the shim page, in vfork or in procmgr's hands stop when they come out.
    pub(crate) fn stop_process(&mut self, p: ProcIdx, signal: i32) {
        let Some(process) = self.process_mut(p) else {
            return;
        };
        if process.life != Life::Running {
            return;
        }
        process.life = Life::Stopped(signal);
        process.stop_unreported = true;
        process.continue_unreported = false;
        for t in process.threads.clone() {
            self.stop_thread(t);
        }
        self.report_child(p, Change::Stopped(signal));
    }

    fn stop_thread(&mut self, t: ThreadIdx) {
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
        self.machine.stop(t);
        self.set_state(t, State::Stopped(interrupted));
    }

    /// SIGCONT has come: the process runs again.
    pub(crate) fn continue_process(&mut self, p: ProcIdx) {
        let Some(process) = self.process_mut(p) else {
            return;
        };
        if !process.is_stopped() {
            return;
        }
        process.life = Life::Running;
        process.stop_unreported = false;
        process.continue_unreported = true;
        for t in process.threads.clone() {
            let Some(&State::Stopped(interrupted)) = self.thread(t).map(|th| &th.state) else {
                continue;
            };
            let regs = self.machine.read(t);
            self.set_state(t, State::Entering(regs, interrupted));
            self.look(t);
        }
        self.report_child(p, Change::Continued(SIGCONT));
    }
}
