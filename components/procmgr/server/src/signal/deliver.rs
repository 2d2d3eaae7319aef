//! Delivery: the way back to user mode of a thread that has signals.

use lsyscall_abi::signal::{SIGCONT, SIGKILL, SIGSEGV};
use lsyscall_abi::{Errno, SigSet, Signal, ThreadIdx};
use lsyscall_shim as shim;
use memmgr_api::{Space, UserMemory};

use crate::machine::{Machine, Regs, PSTATE_USER};
use crate::signal::action::{SA_NODEFER, SA_ONSTACK, SA_RESETHAND, SA_RESTART, SA_RESTORER};
use crate::signal::frame::{build_frame, Frame, FPSIMD_OFFSET, FRAME_BYTES, UCONTEXT_OFFSET};
use crate::signal::{Disposition, Info, SigAction};
use crate::state::{Life, Parked};
use crate::{Parts, ProcMgr};

/// Bytes of an `svc` instruction: how far to go back to call again.
const SVC_BYTES: u64 = 4;
/// ss_flags: no alternate stack.
pub const SS_DISABLE: i32 = 2;
/// ss_flags: running on it.
pub const SS_ONSTACK: i32 = 1;
/// ss_flags: disarm while in use.
pub const SS_AUTODISARM: i32 = 1 << 31;

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
        own.or_else(|| self.process_mut(process)?.pending.pop(wanted))
    }

    /// Lets the thread go back to user mode with `regs`, by way of the signals it has. `interrupted`: how the call it was in
    /// ended, if it was in one that a signal interrupts (x0 still holds the first argument then).
    pub(crate) fn enter_user(&mut self, t: ThreadIdx, mut regs: Regs, interrupted: Option<Errno>) {
        let mut interrupted = interrupted;
        loop {
            let Some(thread) = self.thread(t) else { return };
            let (p, blocked) = (thread.process, thread.blocked);
            let Some(process) = self.process(p) else {
                return;
            };
            if matches!(process.life, Life::Stopped(_))
                && !process.pending.set().contains(Signal(SIGKILL))
            {
                break;
            }
            let Some(info) = self.take_signal(t, SigSet(!blocked.0)) else {
                break;
            };
            let Some(process) = self.process_mut(p) else {
                return;
            };
            match process.actions.disposition(info.signal) {
                Disposition::Ignore | Disposition::Continue => {}
                Disposition::Terminate => return self.exit_process(p, info.signal.0),
                Disposition::Core => return self.exit_process(p, info.signal.0),
                Disposition::Stop => self.stop_process(p, info.signal.0),
                Disposition::Handle(action) => {
                    if action.flags & SA_RESETHAND != 0 {
                        process.actions.set(info.signal, SigAction::default());
                    }
                    if let Some(errno) = interrupted.take() {
                        let restart = errno == Errno::ERESTARTNOINTR
                            || errno == Errno::ERESTARTSYS && action.flags & SA_RESTART != 0;
                        if restart {
                            regs.pc = regs.pc.wrapping_sub(SVC_BYTES);
                        } else {
                            regs.x[0] = interrupted_result(errno) as u64;
                            if errno == Errno::ERESTART_RESTARTBLOCK {
                                // The program sees the interruption: a sleep that follows is a new one.
                                self.time_forget(t);
                            }
                        }
                    }
                    match self.push_frame(t, regs, &info, action) {
                        Ok(entry) => regs = entry,
                        Err(_) if info.signal.0 == SIGSEGV => return self.exit_process(p, SIGSEGV),
                        Err(_) => self.force_segv(t),
                    }
                }
            }
        }
        if let Some(errno) = interrupted {
            if errno.is_restart() {
                regs.pc = regs.pc.wrapping_sub(SVC_BYTES);
            } else {
                regs.x[0] = errno.to_result() as u64;
            }
        }
        let Some(thread) = self.thread_mut(t) else {
            return;
        };
        if let Some(mask) = thread.saved_mask.take() {
            thread.blocked = mask;
        }
        let p = thread.process;
        let stopped = self
            .process(p)
            .is_some_and(|p| matches!(p.life, Life::Stopped(_)));
        if let Some(thread) = self.thread_mut(t) {
            thread.stopped = stopped;
        }
        self.machine.write(t, &regs, !stopped);
    }

    /// Builds the frame on the thread's stack; the registers with which the handler starts. `EFAULT` if there is no stack.
    fn push_frame(
        &mut self,
        t: ThreadIdx,
        regs: Regs,
        info: &Info,
        action: SigAction,
    ) -> Result<Regs, Errno> {
        let thread = self.thread_mut(t).ok_or(Errno::ESRCH)?;
        let (base, flags, size) = thread.altstack;
        let on_alt = flags & SS_DISABLE == 0 && regs.sp > base && regs.sp - base <= size;
        let top =
            if action.flags & SA_ONSTACK != 0 && flags & SS_DISABLE == 0 && size > 0 && !on_alt {
                base.wrapping_add(size)
            } else {
                regs.sp
            };
        let mask = thread.saved_mask.take().unwrap_or(thread.blocked);
        let stack_now = (base, if on_alt { flags | SS_ONSTACK } else { flags }, size);
        let fault = core::mem::take(&mut thread.fault);
        let record = (top & !15).wrapping_sub(16);
        let sp = record.wrapping_sub(FRAME_BYTES) & !15;
        if on_alt && !(sp > base && sp < base.wrapping_add(size)) {
            return Err(Errno::EFAULT);
        }
        let frame = Frame {
            regs,
            mask,
            stack: stack_now,
        };
        let bytes = build_frame(&frame, info, fault.0, fault.1);
        let space = Space::Thread(t);
        self.mem.copy_out(space, sp, &bytes)?;
        let mut link = [0; 16];
        link[..8].copy_from_slice(&regs.x[29].to_le_bytes());
        link[8..].copy_from_slice(&regs.x[30].to_le_bytes());
        self.mem.copy_out(space, record, &link)?;

        let thread = self.thread_mut(t).ok_or(Errno::ESRCH)?;
        let mut blocked = SigSet(mask.0 | action.mask.0);
        if action.flags & SA_NODEFER == 0 {
            blocked = blocked.with(info.signal);
        }
        thread.blocked = SigSet(blocked.0 & !SigSet::UNBLOCKABLE.0);
        if top != regs.sp && flags & SS_AUTODISARM != 0 {
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
            memmgr_api::SHIM_BASE + shim::at::SIG_RETURN
        };
        entry.sp = sp;
        entry.pc = memmgr_api::SHIM_BASE + shim::at::SIG_ENTRY;
        entry.pstate &= PSTATE_USER;
        Ok(entry)
    }

    /// SIGSEGV that cannot be blocked or ignored: the default action if the program tried.
    pub(crate) fn force_segv(&mut self, t: ThreadIdx) {
        self.force_signal(t, Info::kernel(Signal(SIGSEGV)));
    }

    /// Queues a signal for the thread that it cannot escape: unblocked, and with the default action if it was blocked or
    /// ignored (Linux's force_sig).
    pub(crate) fn force_signal(&mut self, t: ThreadIdx, info: Info) {
        let Some(thread) = self.thread_mut(t) else {
            return;
        };
        let p = thread.process;
        let blocked = thread.blocked.contains(info.signal);
        thread.blocked = thread.blocked.without(info.signal);
        thread.pending.push(info);
        if let Some(process) = self.process_mut(p) {
            if blocked || process.actions.get(info.signal).handler == crate::signal::action::SIG_IGN
            {
                process.actions.set(info.signal, SigAction::default());
            }
        }
    }

    /// Ends the thread's current call with `value`, by way of the signals it has.
    pub(crate) fn finish_call(&mut self, t: ThreadIdx, value: i64) {
        if self.ready(t).0 == 0 {
            self.replies.complete(t, value);
            return;
        }
        self.replies.forget(t);
        self.machine.stop(t);
        let mut regs = self.machine.read(t);
        regs.x[0] = value as u64;
        self.enter_user(t, regs, None);
    }

    /// Makes a thread look at its signals now, wherever it is.
    pub(crate) fn kick(&mut self, t: ThreadIdx) {
        let ready = self.ready(t);
        let Some(thread) = self.thread_mut(t) else {
            return;
        };
        if thread.continuation.is_some() || thread.stopped && !ready.contains(Signal(SIGKILL)) {
            return;
        }
        if ready.0 == 0 {
            return;
        }
        let interrupted = match thread.parked.take() {
            Some(Parked::Wait(_)) => Some(Errno::ERESTARTSYS),
            Some(Parked::Suspend) => Some(Errno::ERESTARTNOHAND),
            Some(Parked::SigWait { .. }) => Some(Errno::EINTR),
            Some(vfork @ Parked::Vfork { .. }) => {
                if !ready.contains(Signal(SIGKILL)) {
                    thread.parked = Some(vfork);
                    return;
                }
                None
            }
            None if thread.stopped => None,
            None => self.cancel_below(t),
        };
        self.replies.forget(t);
        self.machine.stop(t);
        let regs = self.machine.read(t);
        self.enter_user(t, regs, interrupted);
    }

    /// Takes the thread's call back from the component that parked it, if one did.
    pub(crate) fn cancel_below(&mut self, t: ThreadIdx) -> Option<Errno> {
        let how = [self.fs_cancel(t), self.time_cancel(t), self.mem_cancel(t)];
        how.into_iter()
            .flatten()
            .next()
            .map(|raw| Errno::from_raw(raw).unwrap_or(Errno::EINTR))
    }

    /// Job control stops all threads of the process.
    pub(crate) fn stop_process(&mut self, p: crate::state::ProcIdx, signal: i32) {
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
        self.publish_process(p);
        self.report_child(p, crate::wait::Change::Stopped(signal));
    }

    /// Stops one thread so that continuing it restarts the call it was in.
    fn stop_thread(&mut self, t: ThreadIdx) {
        let Some(thread) = self.thread_mut(t) else {
            return;
        };
        if thread.stopped || thread.continuation.is_some() {
            return;
        }
        let errno = match thread.parked {
            Some(Parked::Vfork { .. }) => return,
            Some(_) => {
                thread.parked = None;
                Some(Errno::ERESTARTNOHAND)
            }
            None => self.cancel_below(t),
        };
        self.replies.forget(t);
        self.machine.stop(t);
        let mut regs = self.machine.read(t);
        if let Some(errno) = errno {
            if errno.is_restart() {
                regs.pc = regs.pc.wrapping_sub(SVC_BYTES);
            } else {
                regs.x[0] = errno.to_result() as u64;
            }
        }
        self.machine.write(t, &regs, false);
        if let Some(thread) = self.thread_mut(t) {
            thread.stopped = true;
            if let Some(mask) = thread.saved_mask.take() {
                thread.blocked = mask;
            }
        }
    }

    /// SIGCONT (or SIGKILL) has come: the process runs again.
    pub(crate) fn continue_process(&mut self, p: crate::state::ProcIdx, report: bool) {
        let Some(process) = self.process_mut(p) else {
            return;
        };
        if !matches!(process.life, Life::Stopped(_)) {
            return;
        }
        process.life = Life::Running;
        process.stop_unreported = false;
        process.continue_unreported = report;
        for t in process.threads.clone() {
            let Some(thread) = self.thread_mut(t) else {
                continue;
            };
            if core::mem::take(&mut thread.stopped) {
                let regs = self.machine.read(t);
                self.enter_user(t, regs, None);
            }
        }
        self.publish_process(p);
        if report {
            self.report_child(p, crate::wait::Change::Continued(SIGCONT));
        }
    }
}

/// What a program sees of an interrupted call that is not restarted.
fn interrupted_result(errno: Errno) -> i64 {
    if errno.is_restart() {
        Errno::EINTR.to_result()
    } else {
        errno.to_result()
    }
}
