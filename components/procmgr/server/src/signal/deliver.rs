//! Delivery: the way back to user mode of a thread that has signals.

use lsyscall_abi::signal::{SIGSEGV, SIGSTOP, SS_AUTODISARM, SS_DISABLE};
use lsyscall_abi::{Errno, SigSet, Signal, ThreadIdx};
use lsyscall_shim as shim;
use memmgr_api::{Space, UserMemory};

use crate::machine::{Machine, Regs, PSTATE_USER};
use crate::signal::action::{
    SA_NODEFER, SA_ONSTACK, SA_RESETHAND, SA_RESTART, SA_RESTORER, SIG_IGN,
};
use crate::signal::frame::{build_frame, Frame, FPSIMD_OFFSET, FRAME_BYTES, UCONTEXT_OFFSET};
use crate::signal::{Disposition, Info, SigAction};
use crate::state::{ProcIdx, State};
use crate::{Parts, ProcMgr};

/// Bytes of an `svc` instruction: how far to go back to call again.
const SVC_BYTES: u64 = 4;

impl<P: Parts> ProcMgr<P> {
    /// Signals the thread would take now.
    pub(crate) fn ready(&self, t: ThreadIdx) -> SigSet {
        let Some(thread) = self.thread(t) else {
            return SigSet::EMPTY;
        };
        let shared = self
            .process(thread.process)
            .map_or(SigSet::EMPTY, |p| p.pending.set());
        SigSet((thread.pending.set().0 | shared.0) & !thread.blocked.0)
    }

    /// Takes the next signal of `wanted` for the thread.
    pub(crate) fn take_signal(&mut self, t: ThreadIdx, wanted: SigSet) -> Option<Info> {
        let thread = self.thread_mut(t)?;
        let process = thread.process;
        let own = thread.pending.pop(wanted);
        let mut info = own.or_else(|| self.process_mut(process)?.pending.pop(wanted))?;
        self.timer_taken(process, &mut info);
        Some(info)
    }

    /// Lets the thread, which procmgr holds, go back to user mode with `regs`, by way of the signals it has. `interrupted`: how
    /// the call it was in ended, if it was in one that a signal interrupts (x0 still holds the first argument then). Only
    /// for the thread whose call is served, and from [`ProcMgr::drain`]: it may end the process.
    pub(crate) fn enter_user(
        &mut self,
        t: ThreadIdx,
        mut regs: Regs,
        mut interrupted: Option<Errno>,
    ) {
        loop {
            let Some(thread) = self.thread(t) else { return };
            let (p, blocked) = (thread.process, thread.blocked);
            let Some(process) = self.process(p) else {
                return;
            };
            if process.is_stopped() {
                self.machine.stop(t);
                self.machine.write(t, &regs, false);
                self.set_state(t, State::Stopped(interrupted));
                return;
            }
            let Some(info) = self.take_signal(t, SigSet(!blocked.0)) else {
                Self::no_handler(&mut regs, interrupted.take());
                // The mask from before sigsuspend may let more signals through.
                match self.thread_mut(t).and_then(|th| th.saved_mask.take()) {
                    Some(mask) => self.set_blocked(t, mask),
                    None => break,
                }
                continue;
            };
            let Some(process) = self.process(p) else {
                return;
            };
            match process.actions.disposition(info.signal) {
                Disposition::Ignore | Disposition::Continue => {}
                Disposition::Terminate | Disposition::Core => {
                    return self.exit_process(p, info.signal.0)
                }
                Disposition::Stop => {
                    if info.signal.0 == SIGSTOP || !self.is_orphaned_group(process.pgid) {
                        self.stop_process(p, info.signal.0);
                    }
                }
                Disposition::Handle(action) => {
                    if let Some(errno) = interrupted.take() {
                        self.end_interrupted(t, &mut regs, errno, action);
                    }
                    match self.push_frame(t, regs, &info, action) {
                        Ok(entry) => {
                            regs = entry;
                            if action.flags & SA_RESETHAND != 0 {
                                self.reset_action(p, info.signal);
                            }
                        }
                        Err(_) => {
                            if info.signal.0 == SIGSEGV {
                                self.reset_action(p, info.signal);
                            }
                            self.force_signal(t, Info::kernel(Signal(SIGSEGV)));
                        }
                    }
                }
            }
        }
        self.set_state(t, State::User);
        self.machine.write(t, &regs, true);
    }

    /// No handler runs after an interrupted call: it is done again, if it wants that.
    fn no_handler(regs: &mut Regs, interrupted: Option<Errno>) {
        match interrupted {
            Some(errno) if errno.is_restart() => regs.pc = regs.pc.wrapping_sub(SVC_BYTES),
            Some(errno) => regs.x[0] = errno.to_result() as u64,
            None => {}
        }
    }

    /// A handler runs after an interrupted call: the call is done again afterwards, or has failed.
    fn end_interrupted(&mut self, t: ThreadIdx, regs: &mut Regs, errno: Errno, action: SigAction) {
        let restart = errno == Errno::ERESTARTNOINTR
            || errno == Errno::ERESTARTSYS && action.flags & SA_RESTART != 0;
        if restart {
            regs.pc = regs.pc.wrapping_sub(SVC_BYTES);
            return;
        }
        regs.x[0] = interrupted_result(errno) as u64;
        if errno == Errno::ERESTART_RESTARTBLOCK {
            // The program sees the interruption: a sleep that follows is a new one.
            self.time_forget(t);
        }
    }

    fn reset_action(&mut self, p: ProcIdx, signal: Signal) {
        if let Some(process) = self.process_mut(p) {
            process.actions.set(signal, SigAction::default());
        }
    }

    /// Changes which signals the thread blocks. SIGKILL and SIGSTOP stay unblocked.
    pub(crate) fn set_blocked(&mut self, t: ThreadIdx, mask: SigSet) {
        let mask = SigSet(mask.0 & !SigSet::UNBLOCKABLE.0);
        let Some(thread) = self.thread_mut(t).filter(|th| th.blocked != mask) else {
            return;
        };
        let (p, before) = (thread.process, thread.blocked);
        thread.blocked = mask;
        self.publish_thread(t);
        self.retarget(p, SigSet(mask.0 & !before.0));
    }

    /// Builds the frame on the thread's stack; the registers with which the handler starts. `EFAULT` if there is no stack.
    fn push_frame(
        &mut self,
        t: ThreadIdx,
        regs: Regs,
        info: &Info,
        action: SigAction,
    ) -> Result<Regs, Errno> {
        let thread = self.thread(t).ok_or(Errno::ESRCH)?;
        let (base, flags, size) = thread.altstack;
        let on_alt = on_altstack(thread.altstack, regs.sp);
        let top =
            if action.flags & SA_ONSTACK != 0 && flags & SS_DISABLE == 0 && size > 0 && !on_alt {
                base.wrapping_add(size)
            } else {
                regs.sp
            };
        let mask = thread.saved_mask.unwrap_or(thread.blocked);
        let (running, fault) = (thread.blocked, thread.fault);
        let record = (top & !15).wrapping_sub(16);
        let sp = record.wrapping_sub(FRAME_BYTES) & !15;
        if on_alt && !on_altstack((base, flags, size), sp) {
            return Err(Errno::EFAULT);
        }
        let frame = Frame {
            regs,
            mask,
            stack: (base, flags, size),
        };
        let bytes = build_frame(&frame, info, fault.0, fault.1);
        let space = Space::Thread(t);
        self.mem.copy_out(space, sp, &bytes)?;
        let mut link = [0; 16];
        link[..8].copy_from_slice(&regs.x[29].to_le_bytes());
        link[8..].copy_from_slice(&regs.x[30].to_le_bytes());
        self.mem.copy_out(space, record, &link)?;

        let mut blocked = SigSet(running.0 | action.mask.0);
        if action.flags & SA_NODEFER == 0 {
            blocked = blocked.with(info.signal);
        }
        self.set_blocked(t, blocked);
        let thread = self.thread_mut(t).ok_or(Errno::ESRCH)?;
        thread.saved_mask = None;
        thread.fault = (0, 0);
        if flags & SS_AUTODISARM != 0 {
            thread.altstack = (0, SS_DISABLE, 0);
        }
        let mut entry = regs;
        entry.x[0] = info.signal.0 as u64;
        entry.x[1] = sp;
        entry.x[2] = sp.wrapping_add(UCONTEXT_OFFSET);
        entry.x[9] = action.handler;
        entry.x[10] = sp.wrapping_add(FPSIMD_OFFSET);
        entry.x[29] = record;
        entry.x[30] = if action.flags & SA_RESTORER != 0 {
            action.restorer
        } else {
            memmgr_api::SHIM_BASE + shim::VDSO + shim::vdso::RT_SIGRETURN_AT
        };
        entry.sp = sp;
        entry.pc = memmgr_api::SHIM_BASE + shim::at::SIG_ENTRY;
        entry.pstate &= PSTATE_USER;
        Ok(entry)
    }

    /// Queues a signal for the thread that it cannot escape: unblocked, with the default action if it was blocked or ignored
    /// (Linux's force_sig).
    pub(crate) fn force_signal(&mut self, t: ThreadIdx, info: Info) {
        let Some(thread) = self.thread_mut(t) else {
            return;
        };
        let (p, blocked) = (thread.process, thread.blocked);
        thread.pending.push(info);
        self.set_blocked(t, blocked.without(info.signal));
        if let Some(process) = self.process_mut(p) {
            let ignored = process.actions.get(info.signal).handler == SIG_IGN;
            if ignored || blocked.contains(info.signal) {
                process.actions.set(info.signal, SigAction::default());
            }
        }
    }
}

/// Whether a stack pointer lies on an alternate stack (one that disarms itself counts as none, as in Linux).
pub(crate) fn on_altstack((base, flags, size): (u64, i32, u64), sp: u64) -> bool {
    flags & (SS_DISABLE | SS_AUTODISARM) == 0 && sp > base && sp - base <= size
}

/// What a program sees of an interrupted call that is not restarted.
fn interrupted_result(errno: Errno) -> i64 {
    if errno.is_restart() {
        Errno::EINTR.to_result()
    } else {
        errno.to_result()
    }
}
