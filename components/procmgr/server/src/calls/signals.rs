//! Signals: rt_sig*, kill and its relatives, sigaltstack.

use lsyscall_abi::consts::cap::CAP_KILL;
use lsyscall_abi::signal::{MINSIGSTKSZ, SIGCONT, SIGSEGV, SS_AUTODISARM, SS_DISABLE, SS_ONSTACK};
use lsyscall_abi::*;
use lsyscall_router::{Caller, Flow, SysResult, OK};
use lsyscall_shim as shim;
use memmgr_api::{Space, UserMemory, SHIM_BASE};

use crate::machine::Machine;
use crate::signal::action::{self, SA_KNOWN};
use crate::signal::deliver::on_altstack;
use crate::signal::{read_frame, Info, READ_BYTES};
use crate::state::{Parked, ProcIdx, State};
use crate::{Parts, ProcMgr};

fn check_size(size: usize) -> Result<(), Errno> {
    if size == SigSet::SIZE {
        Ok(())
    } else {
        Err(Errno::EINVAL)
    }
}

impl<P: Parts> ProcMgr<P> {
    pub(super) fn may_signal(&self, c: &Caller, target: ProcIdx, sig: Signal) -> bool {
        let (Some((_, from)), Some(to)) = (self.caller_process(c.thread), self.process(target))
        else {
            return false;
        };
        from.ids.caps.has(CAP_KILL)
            || [from.ids.uid[0], from.ids.uid[1]]
                .iter()
                .any(|id| *id == to.ids.uid[0] || *id == to.ids.uid[2])
            || sig.0 == SIGCONT && from.sid == to.sid
    }

    pub(super) fn info_from(&self, c: &Caller, sig: Signal, code: i32) -> Info {
        let (pid, uid) = self
            .caller_process(c.thread)
            .map_or((0, 0), |(_, p)| (p.pid, p.ids.uid[0]));
        Info::user(sig, code, pid, uid)
    }

    pub(super) fn sys_kill(&mut self, c: &Caller, pid: Pid, sig: Signal) -> SysResult {
        if sig.0 != 0 && !sig.is_valid() {
            return Err(Errno::EINVAL);
        }
        let (own, own_group) = self
            .caller_process(c.thread)
            .map(|(i, p)| (i, p.pgid))
            .ok_or(Errno::ESRCH)?;
        let all = |select: &dyn Fn(&crate::state::Process) -> bool| -> alloc::vec::Vec<ProcIdx> {
            self.processes()
                .filter(|(_, p)| select(p))
                .map(|(i, _)| i)
                .collect()
        };
        let targets = match pid.0 {
            i32::MIN => return Err(Errno::ESRCH),
            0 => all(&|p| p.pgid == own_group),
            -1 => {
                let mut list = all(&|p| !p.is_init() && !p.is_zombie());
                list.retain(|&p| p != own);
                list
            }
            pid if pid < 0 => all(&|p| p.pgid == -pid),
            pid => {
                let by_thread = || {
                    self.find_thread(pid)
                        .and_then(|t| Some(self.thread(t)?.process))
                };
                self.find_process(pid)
                    .or_else(by_thread)
                    .into_iter()
                    .collect()
            }
        };
        if targets.is_empty() {
            return Err(Errno::ESRCH);
        }
        let info = self.info_from(c, sig, crate::signal::SI_USER);
        let mut allowed = false;
        for target in targets {
            if self.may_signal(c, target, sig) {
                allowed = true;
                if sig.0 != 0 {
                    self.signal_process(target, info);
                }
            }
        }
        // As Linux: whom a broadcast may not reach does not matter.
        if allowed || pid.0 == -1 {
            OK
        } else {
            Err(Errno::EPERM)
        }
    }

    fn thread_target(
        &self,
        c: &Caller,
        tgid: Option<i32>,
        tid: i32,
        sig: Signal,
    ) -> Result<ThreadIdx, Errno> {
        if tid <= 0 || tgid.is_some_and(|g| g <= 0) || sig.0 != 0 && !sig.is_valid() {
            return Err(Errno::EINVAL);
        }
        let t = self.find_thread(tid).ok_or(Errno::ESRCH)?;
        let p = self.thread(t).ok_or(Errno::ESRCH)?.process;
        if tgid.is_some_and(|g| self.process(p).is_none_or(|p| p.pid != g)) {
            return Err(Errno::ESRCH);
        }
        if !self.may_signal(c, p, sig) {
            return Err(Errno::EPERM);
        }
        Ok(t)
    }

    pub(super) fn sys_tkill(&mut self, c: &Caller, tid: Pid, sig: Signal) -> SysResult {
        let t = self.thread_target(c, None, tid.0, sig)?;
        self.send_to_thread(t, sig, self.info_from(c, sig, crate::signal::SI_TKILL))
    }

    pub(super) fn sys_tgkill(&mut self, c: &Caller, tgid: Pid, tid: Pid, sig: Signal) -> SysResult {
        let t = self.thread_target(c, Some(tgid.0), tid.0, sig)?;
        self.send_to_thread(t, sig, self.info_from(c, sig, crate::signal::SI_TKILL))
    }

    fn send_to_thread(&mut self, t: ThreadIdx, sig: Signal, info: Info) -> SysResult {
        if sig.0 != 0 && !self.signal_thread(t, info) {
            return Err(Errno::EAGAIN);
        }
        OK
    }

    fn queued_info(
        &self,
        c: &Caller,
        tgid: i32,
        sig: Signal,
        info: UserPtr<SigInfo>,
    ) -> Result<Info, Errno> {
        let mut bytes = [0; 128];
        self.mem
            .copy_in(Space::Thread(c.thread), info.addr(), &mut bytes)?;
        let info = Info::from_bytes(sig, &bytes);
        let own = self.caller_process(c.thread).map_or(0, |(_, p)| p.pid);
        if (info.code >= 0 || info.code == crate::signal::SI_TKILL) && own != tgid {
            return Err(Errno::EPERM);
        }
        Ok(info)
    }

    pub(super) fn sys_rt_sigqueueinfo(
        &mut self,
        c: &Caller,
        tgid: Pid,
        sig: Signal,
        info: UserPtr<SigInfo>,
    ) -> SysResult {
        let info = self.queued_info(c, tgid.0, sig, info)?;
        if sig.0 != 0 && !sig.is_valid() {
            return Err(Errno::EINVAL);
        }
        let p = self.find_process(tgid.0).ok_or(Errno::ESRCH)?;
        if !self.may_signal(c, p, sig) {
            return Err(Errno::EPERM);
        }
        if sig.0 != 0 && !self.signal_process(p, info) {
            return Err(Errno::EAGAIN);
        }
        OK
    }

    pub(super) fn sys_rt_tgsigqueueinfo(
        &mut self,
        c: &Caller,
        tgid: Pid,
        tid: Pid,
        sig: Signal,
        info: UserPtr<SigInfo>,
    ) -> SysResult {
        let info = self.queued_info(c, tgid.0, sig, info)?;
        let t = self.thread_target(c, Some(tgid.0), tid.0, sig)?;
        self.send_to_thread(t, sig, info)
    }

    pub(super) fn sys_rt_sigaction(
        &mut self,
        c: &Caller,
        sig: Signal,
        act: UserPtr<SigAction>,
        oldact: UserPtr<SigAction>,
        size: usize,
    ) -> SysResult {
        check_size(size)?;
        if !sig.is_valid() || !act.is_null() && SigSet::UNBLOCKABLE.contains(sig) {
            return Err(Errno::EINVAL);
        }
        let new = if act.is_null() {
            None
        } else {
            Some(self.get(c, act)?)
        };
        let (p, process) = self.caller_process(c.thread).ok_or(Errno::ESRCH)?;
        let old = process.actions.get(sig);
        if !oldact.is_null() {
            let old = SigAction {
                handler: old.handler,
                flags: old.flags,
                restorer: old.restorer,
                mask: old.mask,
            };
            self.put(c, oldact, &old)?;
        }
        let Some(new) = new else { return OK };
        let process = self.process_mut(p).ok_or(Errno::ESRCH)?;
        process.actions.set(
            sig,
            action::SigAction {
                handler: new.handler,
                flags: new.flags & SA_KNOWN,
                restorer: new.restorer,
                mask: SigSet(new.mask.0 & !SigSet::UNBLOCKABLE.0),
            },
        );
        if process.actions.ignored().contains(sig) {
            self.discard(p, SigSet::EMPTY.with(sig));
        }
        OK
    }

    pub(super) fn sys_rt_sigprocmask(
        &mut self,
        c: &Caller,
        how: u32,
        set: UserPtr<SigSet>,
        oldset: UserPtr<SigSet>,
        size: usize,
    ) -> SysResult {
        check_size(size)?;
        let new = if set.is_null() {
            None
        } else {
            Some(self.get(c, set)?)
        };
        let old = self.thread(c.thread).ok_or(Errno::ESRCH)?.blocked;
        if let Some(new) = new {
            let mask = match how {
                0 => SigSet(old.0 | new.0),
                1 => SigSet(old.0 & !new.0),
                2 => new,
                _ => return Err(Errno::EINVAL),
            };
            self.set_blocked(c.thread, mask);
        }
        self.put_opt(c, oldset, &old)?;
        OK
    }

    pub(super) fn sys_rt_sigpending(
        &mut self,
        c: &Caller,
        set: UserPtr<SigSet>,
        size: usize,
    ) -> SysResult {
        if size > SigSet::SIZE {
            return Err(Errno::EINVAL);
        }
        let thread = self.thread(c.thread).ok_or(Errno::ESRCH)?;
        let shared = self
            .process(thread.process)
            .map_or(SigSet::EMPTY, |p| p.pending.set());
        let pending = SigSet((thread.pending.set().0 | shared.0) & thread.blocked.0);
        self.put(c, set, &pending)?;
        OK
    }

    pub(super) fn sys_rt_sigsuspend(
        &mut self,
        c: &Caller,
        mask: UserPtr<SigSet>,
        size: usize,
    ) -> SysResult {
        check_size(size)?;
        let mask = self.get(c, mask)?;
        let thread = self.thread_mut(c.thread).ok_or(Errno::ESRCH)?;
        thread.saved_mask = Some(thread.blocked);
        self.set_blocked(c.thread, mask);
        self.set_state(c.thread, State::Parked(Parked::Suspend));
        Ok(Flow::Park)
    }

    pub(super) fn sys_rt_sigtimedwait(
        &mut self,
        c: &Caller,
        set: UserPtr<SigSet>,
        info: UserPtr<SigInfo>,
        timeout: UserPtr<Timespec>,
        size: usize,
    ) -> SysResult {
        check_size(size)?;
        let set = SigSet(self.get(c, set)?.0 & !SigSet::UNBLOCKABLE.0);
        let span = if timeout.is_null() {
            None
        } else {
            Some(self.get(c, timeout)?.to_ns()?)
        };
        if let Some(signal) = self.take_signal(c.thread, set) {
            let value = self.write_siginfo(c.thread, info.addr(), &signal);
            return Ok(value.into());
        }
        if span == Some(0) {
            return Err(Errno::EAGAIN);
        }
        let deadline = span.map_or(u64::MAX, |ns| self.now().saturating_add(ns));
        let wait = Parked::SigWait {
            set,
            info: info.addr(),
            deadline,
        };
        self.set_state(c.thread, State::Parked(wait));
        self.rearm();
        Ok(Flow::Park)
    }

    /// Writes siginfo where sigtimedwait wants it; the call's result.
    pub(crate) fn write_siginfo(&mut self, t: ThreadIdx, addr: u64, info: &Info) -> i64 {
        if addr != 0 {
            if let Err(errno) = self.mem.copy_out(Space::Thread(t), addr, &info.to_bytes()) {
                return errno.to_result();
            }
        }
        i64::from(info.signal.0)
    }

    /// Calls are done again by running the `svc` again: nothing is ever kept for this one.
    pub(super) fn sys_restart_syscall(&mut self, _c: &Caller) -> SysResult {
        Err(Errno::EINTR)
    }

    pub(super) fn sys_rt_sigreturn(&mut self, c: &Caller) -> SysResult {
        let t = c.thread;
        if c.pc != SHIM_BASE + shim::at::SIG_RETURN_SVC + 4 {
            // The program's own trampoline: the vector registers are still to be loaded.
            let mut regs = self.machine.read(t);
            regs.pc = SHIM_BASE + shim::at::SIG_RETURN;
            self.set_state(t, State::User);
            self.machine.write(t, &regs, true);
            return Ok(Flow::Taken);
        }
        let mut bytes = [0u8; READ_BYTES];
        let now = self.machine.read(t);
        let frame = match self.mem.copy_in(Space::Thread(t), c.sp, &mut bytes) {
            Ok(()) => read_frame(&bytes, now.tpidr),
            Err(_) => None,
        };
        let Some(frame) = frame else {
            self.force_signal(t, Info::kernel(Signal(SIGSEGV)));
            self.enter_user(t, now, None);
            return Ok(Flow::Taken);
        };
        self.set_blocked(t, frame.mask);
        let (base, flags, size) = frame.stack;
        if let Some(stack) = altstack(base, flags, size).ok().filter(|_| {
            // One in use stays, as sigaltstack has it.
            self.thread(t)
                .is_some_and(|th| !on_altstack(th.altstack, frame.regs.sp))
        }) {
            if let Some(thread) = self.thread_mut(t) {
                thread.altstack = stack;
            }
        }
        self.enter_user(t, frame.regs, None);
        Ok(Flow::Taken)
    }

    pub(super) fn sys_sigaltstack(
        &mut self,
        c: &Caller,
        ss: UserPtr<StackT>,
        old: UserPtr<StackT>,
    ) -> SysResult {
        let new = if ss.is_null() {
            None
        } else {
            Some(self.get(c, ss)?)
        };
        let thread = self.thread_mut(c.thread).ok_or(Errno::ESRCH)?;
        let (base, flags, size) = thread.altstack;
        let on_it = on_altstack(thread.altstack, c.sp);
        if let Some(new) = new {
            if on_it {
                return Err(Errno::EPERM);
            }
            thread.altstack = altstack(new.sp, new.flags, new.size)?;
        }
        let shown = if flags & SS_DISABLE != 0 {
            SS_DISABLE
        } else {
            flags | if on_it { SS_ONSTACK } else { 0 }
        };
        self.put_opt(
            c,
            old,
            &StackT {
                sp: base,
                flags: shown,
                pad: 0,
                size,
            },
        )?;
        OK
    }
}

/// An alternate stack as it is kept: address, flags, size. `EINVAL`, `ENOMEM` (sigaltstack(2)).
fn altstack(base: u64, flags: i32, size: u64) -> Result<(u64, i32, u64), Errno> {
    match flags & !SS_AUTODISARM {
        SS_DISABLE => Ok((0, SS_DISABLE, 0)),
        0 | SS_ONSTACK if size < MINSIGSTKSZ as u64 => Err(Errno::ENOMEM),
        0 | SS_ONSTACK => Ok((base, flags & SS_AUTODISARM, size)),
        _ => Err(Errno::EINVAL),
    }
}
