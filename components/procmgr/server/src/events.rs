//! News from below: faults that are signals, terminal signals, broken pipes.

use fsmgr_api::{FsMgr, TakenSignal, Target, NEW_NAME};
use lsyscall_abi::signal::{SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP};
use lsyscall_abi::{SigSet, Signal, ThreadIdx};
use memmgr_api::{FaultKind, MemEvent, MemMgr, Space, UserMemory};

use crate::exec::comm_of;
use crate::idregs;
use crate::machine::Machine;
use crate::signal::Info;
use crate::state::{ProcIdx, State};
use crate::{Parts, ProcMgr};

impl<P: Parts> ProcMgr<P> {
    /// Takes what memmgr has to tell.
    pub(crate) fn take_mem_events(&mut self) {
        while let Ok(Some(event)) = self.mem.next_event() {
            self.fault(&event);
            self.drain();
        }
    }

    fn fault(&mut self, event: &MemEvent) {
        let t = event.thread;
        let (signal, code) = match event.kind {
            FaultKind::NotMapped => (SIGSEGV, 1),
            FaultKind::NotAllowed => (SIGSEGV, 2),
            FaultKind::Alignment => (SIGBUS, 1),
            FaultKind::BeyondEnd => (SIGBUS, 2),
            FaultKind::Illegal => (SIGILL, 1),
            FaultKind::Breakpoint => (SIGTRAP, 1),
            FaultKind::Step => (SIGTRAP, 2),
            FaultKind::Arithmetic => (SIGFPE, 7),
            FaultKind::OutOfMemory => return self.out_of_memory(t, event.pc),
        };
        let Some(thread) = self.thread(t) else {
            return;
        };
        let p = thread.process;
        log::debug!(
            "thread {} faults: {:?} at {:#x}, pc {:#x}",
            thread.tid,
            event.kind,
            event.addr,
            event.pc
        );
        let stopped = match thread.state {
            State::User => false,
            State::Stopped(_) => true,
            // In the shim page, which no program has a reason to unmap.
            State::Shim(_) => return self.exit_process(p, signal),
            State::Held | State::Parked(_) | State::Entering(..) => return,
        };
        let mut regs = self.machine.read(t);
        if event.pc != 0 && regs.pc != event.pc {
            // A signal came first. If the thread comes back to that instruction, it faults again.
            return;
        }
        if event.kind == FaultKind::Illegal {
            let instruction = self.mem.read_u32(Space::Thread(t), regs.pc);
            if instruction.is_ok_and(|instruction| idregs::emulate(instruction, &mut regs)) {
                // A stopped thread comes back to it.
                if !stopped {
                    self.set_state(t, State::Held);
                    self.enter_user(t, regs, None);
                }
                return;
            }
        }
        if let Some(thread) = self.thread_mut(t) {
            thread.fault = (event.addr, event.esr);
        }
        self.force_signal(t, Info::fault(Signal(signal), code, event.addr));
        if !stopped {
            self.set_state(t, State::Held);
            self.enter_user(t, regs, None);
        }
    }

    /// Takes what fsmgr has to tell.
    pub(crate) fn take_fs_events(&mut self) {
        while let Ok(Some(event)) = self.fs.next_event() {
            if event.signal == NEW_NAME {
                if let Target::Thread(t) = event.target {
                    self.renamed(t);
                }
                continue;
            }
            let signal = Signal(i32::from(event.signal));
            if !signal.is_valid() {
                if let Target::Thread(t) = event.target {
                    self.signal_wish_changed(t);
                    self.drain();
                }
                continue;
            }
            let info = Info {
                code: event.code,
                fields: [event.first, event.second, 0],
                ..Info::kernel(signal)
            };
            match event.target {
                Target::Thread(t) => {
                    self.signal_thread(t, info);
                }
                Target::Process(pid) => {
                    if let Some(p) = self.find_process(pid) {
                        self.signal_process(p, info);
                    }
                }
                Target::Group(pgid) => {
                    self.signal_group(pgid, info);
                }
            }
            self.drain();
        }
    }

    /// A thread's name was written to /proc/PID/comm.
    fn renamed(&mut self, t: ThreadIdx) {
        let Ok(Some((low, high))) = self.fs.new_name(t) else {
            return;
        };
        let mut name = [0; 16];
        for (to, word) in name.chunks_exact_mut(8).zip([low, high]) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        self.set_name(
            t,
            comm_of(name.split(|b| *b == 0).next().unwrap_or_default()),
        );
    }

    /// Gives a thread a name; the first thread's is its process's.
    pub(crate) fn set_name(&mut self, t: ThreadIdx, comm: [u8; 16]) {
        let Some(thread) = self.thread_mut(t) else {
            return;
        };
        thread.comm = comm;
        let (tid, p) = (thread.tid, thread.process);
        if let Some(process) = self.process_mut(p).filter(|p| p.pid == tid) {
            process.comm = comm;
        }
    }

    /// What a thread's call, parked below, wants of its signals has changed: the mask it waits with (ppoll, pselect6,
    /// epoll_pwait), or a signal to be taken for it (signalfd).
    fn signal_wish_changed(&mut self, t: ThreadIdx) {
        let wish = self.fs.signal_wish(t).unwrap_or_default();
        let Some(thread) = self.thread_mut(t) else {
            return;
        };
        let p = thread.process;
        if let Some(mask) = wish.mask {
            let blocked = thread.blocked;
            thread.saved_mask.get_or_insert(blocked);
            self.set_blocked(t, SigSet(mask));
            self.look(t);
        } else if let Some(mask) = thread.saved_mask.take() {
            self.set_blocked(t, mask);
            self.look(t);
        }
        if let Some(wanted) = wish.take {
            let taken = self.take_signal(t, SigSet(wanted)).map(|info| TakenSignal {
                signal: info.signal.0 as u8,
                errno: info.errno,
                code: info.code,
                first: info.fields[0],
                second: info.fields[1],
            });
            let _ = self.fs.give_signal(t, taken, self.pending(t));
        } else if wish.watched {
            self.signals_watched = true;
            self.tell_pending(p);
        }
    }

    /// All signals pending for a thread.
    fn pending(&self, t: ThreadIdx) -> u64 {
        let Some(thread) = self.thread(t) else {
            return 0;
        };
        let shared = self.process(thread.process);
        thread.pending.set().0 | shared.map_or(0, |p| p.pending.set().0)
    }

    /// Tells fsmgr what is pending for the threads of a process, if there is a signalfd.
    pub(crate) fn tell_pending(&self, p: ProcIdx) {
        if !self.signals_watched {
            return;
        }
        for &t in self.process(p).map_or(&[][..], |p| &p.threads) {
            let _ = self.fs.signals_pending(t, self.pending(t));
        }
    }
}
