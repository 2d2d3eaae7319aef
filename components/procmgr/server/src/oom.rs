//! What becomes of a page that a program needs when there is none: the process that has the most pages of its own ends, as in
//! Linux, and the page is tried again.

use lsyscall_abi::signal::SIGKILL;
use lsyscall_abi::ThreadIdx;
use memmgr_api::{MemMgr, Space};

use crate::machine::Machine;
use crate::state::{ProcIdx, State};
use crate::{Parts, ProcMgr};

impl<P: Parts> ProcMgr<P> {
    /// A thread stands before an instruction for whose memory there is no page; `pc` is its address.
    pub(crate) fn out_of_memory(&mut self, t: ThreadIdx, pc: u64) {
        let Some(p) = self.thread(t).map(|thread| thread.process) else {
            return;
        };
        let victim = self.greediest(p);
        if let Some(process) = self.process(victim) {
            log::warn!(
                "out of memory: process {} ({}) is killed",
                process.pid,
                name(&process.comm)
            );
        }
        self.exit_process(victim, SIGKILL);
        if victim != p {
            self.drain();
            self.run_again(t, pc);
        }
    }

    /// The process with the most memory that its end gives back; `p`, whose the fault is, if no other has more. Never init,
    /// unless the fault is its own.
    fn greediest(&self, p: ProcIdx) -> ProcIdx {
        let mut found = (self.own_memory(p), p);
        for (index, process) in self.processes() {
            if index == p || process.is_init() {
                continue;
            }
            let bytes = self.own_memory(index);
            if bytes > found.0 {
                found = (bytes, index);
            }
        }
        found.1
    }

    /// Bytes of private memory of a process.
    fn own_memory(&self, p: ProcIdx) -> u64 {
        let space = self.process(p).and_then(|process| process.space.as_ref());
        let stats = space.and_then(|space| self.mem.mm_stats(Space::Mm(space.mm)).ok());
        stats.map_or(0, |s| s.resident.saturating_sub(s.shared))
    }

    /// Lets a thread that faulted at `pc` try again, unless something else has happened to it meanwhile.
    fn run_again(&mut self, t: ThreadIdx, pc: u64) {
        let Some(thread) = self.thread(t) else {
            return;
        };
        let shim = match thread.state {
            State::User => false,
            State::Shim(_) => true,
            // If it goes on one day, it faults again.
            _ => return,
        };
        let regs = self.machine.read(t);
        if pc != 0 && regs.pc != pc {
            return;
        }
        if shim {
            return self.machine.write(t, &regs, true);
        }
        self.set_state(t, State::Held);
        self.enter_user(t, regs, None);
    }
}

/// A process's name as text.
fn name(comm: &[u8; 16]) -> &str {
    let end = comm.iter().position(|&b| b == 0).unwrap_or(comm.len());
    core::str::from_utf8(comm.get(..end).unwrap_or_default()).unwrap_or("?")
}
