//! Scheduling calls: one processor, one class, kept values.

use lsyscall_abi::*;
use lsyscall_router::{Caller, SysResult, OK};
use memmgr_api::{Space, UserMemory};

use crate::state::ProcIdx;
use crate::{Parts, ProcMgr};

const PRIO_PROCESS: i32 = 0;
const PRIO_PGRP: i32 = 1;
const PRIO_USER: i32 = 2;
/// Round-robin slice of the kernel, as sched_rr_get_interval reports it.
const SLICE_NS: u64 = 10_000_000;

impl<P: Parts> ProcMgr<P> {
    pub(super) fn sys_sched_yield(&mut self, _c: &Caller) -> SysResult {
        OK
    }

    pub(super) fn sys_sched_getaffinity(
        &mut self,
        c: &Caller,
        pid: Pid,
        mask: UserSlice,
    ) -> SysResult {
        if mask.len < 8 || !mask.len.is_multiple_of(8) {
            return Err(Errno::EINVAL);
        }
        self.placed(c, pid)?;
        self.mem
            .copy_out(Space::Thread(c.thread), mask.addr, &1u64.to_le_bytes())?;
        Ok(8.into())
    }

    pub(super) fn sys_sched_setaffinity(
        &mut self,
        c: &Caller,
        pid: Pid,
        mask: UserSlice,
    ) -> SysResult {
        let mut word = [0u8; 8];
        let len = mask.len.min(8);
        self.mem
            .copy_in(Space::Thread(c.thread), mask.addr, &mut word[..len])?;
        let p = self.placed(c, pid)?;
        if !self.may_schedule(c, p) {
            return Err(Errno::EPERM);
        }
        if word[0] & 1 == 0 {
            return Err(Errno::EINVAL);
        }
        OK
    }

    /// The process whose affinity is meant. A negative number is none: these two calls do not look at it before.
    fn placed(&self, c: &Caller, pid: Pid) -> Result<ProcIdx, Errno> {
        self.process_or_caller(c.thread, pid.0)
            .map_err(|_| Errno::ESRCH)
    }

    pub(super) fn sys_sched_getscheduler(&mut self, c: &Caller, pid: Pid) -> SysResult {
        let p = self.process_or_caller(c.thread, pid.0)?;
        Ok(self.process(p).ok_or(Errno::ESRCH)?.kept.policy.into())
    }

    pub(super) fn sys_sched_setscheduler(
        &mut self,
        c: &Caller,
        pid: Pid,
        policy: i32,
        param: UserPtr<SchedParam>,
    ) -> SysResult {
        let priority = self.get(c, param)?.priority;
        let (low, high) = range(policy & !0x4000_0000)?;
        if !(low..=high).contains(&priority) {
            return Err(Errno::EINVAL);
        }
        if high > 0 && !self.is_privileged(c) {
            return Err(Errno::EPERM);
        }
        let p = self.process_or_caller(c.thread, pid.0)?;
        if !self.may_schedule(c, p) {
            return Err(Errno::EPERM);
        }
        let process = self.process_mut(p).ok_or(Errno::ESRCH)?;
        process.kept.policy = policy;
        process.kept.priority = priority;
        OK
    }

    pub(super) fn sys_sched_getparam(
        &mut self,
        c: &Caller,
        pid: Pid,
        param: UserPtr<SchedParam>,
    ) -> SysResult {
        let p = self.process_or_caller(c.thread, pid.0)?;
        let priority = self.process(p).ok_or(Errno::ESRCH)?.kept.priority;
        self.put(c, param, &SchedParam { priority })?;
        OK
    }

    pub(super) fn sys_sched_setparam(
        &mut self,
        c: &Caller,
        pid: Pid,
        param: UserPtr<SchedParam>,
    ) -> SysResult {
        let p = self.process_or_caller(c.thread, pid.0)?;
        let policy = self.process(p).ok_or(Errno::ESRCH)?.kept.policy;
        self.sys_sched_setscheduler(c, pid, policy, param)
    }

    pub(super) fn sys_sched_get_priority_max(&mut self, _c: &Caller, policy: i32) -> SysResult {
        Ok(range(policy)?.1.into())
    }

    pub(super) fn sys_sched_get_priority_min(&mut self, _c: &Caller, policy: i32) -> SysResult {
        Ok(range(policy)?.0.into())
    }

    pub(super) fn sys_sched_rr_get_interval(
        &mut self,
        c: &Caller,
        pid: Pid,
        tp: UserPtr<Timespec>,
    ) -> SysResult {
        self.process_or_caller(c.thread, pid.0)?;
        self.put(c, tp, &Timespec::from_ns(SLICE_NS))?;
        OK
    }

    /// Whether the caller may change how another process is scheduled: as root, or its owner.
    fn may_schedule(&self, c: &Caller, p: ProcIdx) -> bool {
        let (Some((_, from)), Some(to)) = (self.caller_process(c.thread), self.process(p)) else {
            return false;
        };
        let euid = from.ids.uid[1];
        from.ids.privileged() || euid == to.ids.uid[0] || euid == to.ids.uid[1]
    }

    fn selected(
        &self,
        c: &Caller,
        which: i32,
        who: i32,
    ) -> Result<alloc::vec::Vec<ProcIdx>, Errno> {
        let own = self.caller_process(c.thread).ok_or(Errno::ESRCH)?.1;
        let (group, user) = (own.pgid, own.ids.uid[0]);
        let list: alloc::vec::Vec<ProcIdx> = match which {
            PRIO_PROCESS => self
                .process_or_caller(c.thread, who)
                .map_err(|_| Errno::ESRCH)
                .into_iter()
                .collect(),
            PRIO_PGRP => {
                let group = if who == 0 { group } else { who };
                self.processes()
                    .filter(|(_, p)| p.pgid == group)
                    .map(|(i, _)| i)
                    .collect()
            }
            PRIO_USER => {
                let user = if who == 0 { user } else { who as u32 };
                self.processes()
                    .filter(|(_, p)| p.ids.uid[0] == user)
                    .map(|(i, _)| i)
                    .collect()
            }
            _ => return Err(Errno::EINVAL),
        };
        if list.is_empty() {
            return Err(Errno::ESRCH);
        }
        Ok(list)
    }

    pub(super) fn sys_getpriority(&mut self, c: &Caller, which: i32, who: i32) -> SysResult {
        let list = self.selected(c, which, who)?;
        let best = list
            .iter()
            .filter_map(|&p| self.process(p))
            .map(|p| p.nice)
            .min()
            .unwrap_or(0);
        Ok((20 - best).into())
    }

    pub(super) fn sys_setpriority(
        &mut self,
        c: &Caller,
        which: i32,
        who: i32,
        prio: i32,
    ) -> SysResult {
        let list = self.selected(c, which, who)?;
        let nice = prio.clamp(-20, 19);
        let privileged = self.is_privileged(c);
        for p in list {
            if !self.may_schedule(c, p) {
                return Err(Errno::EPERM);
            }
            let Some(process) = self.process_mut(p) else {
                continue;
            };
            if nice < process.nice && !privileged {
                return Err(Errno::EACCES);
            }
            process.nice = nice;
        }
        OK
    }

    pub(super) fn sys_ioprio_set(
        &mut self,
        c: &Caller,
        which: i32,
        who: i32,
        ioprio: i32,
    ) -> SysResult {
        // Classes none, real-time, best-effort and idle; levels 0 to 7, and none of a class for idle and none (ioprio_set(2)).
        let (class, level) = (ioprio >> 13, ioprio & 0x1fff);
        match class {
            1 if !self.is_privileged(c) => return Err(Errno::EPERM),
            1 | 2 if level < 8 => (),
            0 if level == 0 => (),
            3 => (),
            _ => return Err(Errno::EINVAL),
        }
        let list = self.selected(c, which.wrapping_sub(1), who)?;
        for p in list {
            if !self.may_schedule(c, p) {
                return Err(Errno::EPERM);
            }
            if let Some(process) = self.process_mut(p) {
                process.kept.ioprio = ioprio;
            }
        }
        OK
    }

    pub(super) fn sys_ioprio_get(&mut self, c: &Caller, which: i32, who: i32) -> SysResult {
        let list = self.selected(c, which.wrapping_sub(1), who)?;
        Ok(list
            .first()
            .and_then(|&p| self.process(p))
            .map_or(0, |p| p.kept.ioprio)
            .into())
    }

    pub(super) fn sys_getcpu(
        &mut self,
        c: &Caller,
        cpu: UserPtr<u32>,
        node: UserPtr<u32>,
        _unused: UserAddr,
    ) -> SysResult {
        self.put_opt(c, cpu, &0)?;
        self.put_opt(c, node, &0)?;
        OK
    }
}

/// Priorities of a policy.
fn range(policy: i32) -> Result<(i32, i32), Errno> {
    match policy {
        0 | 3 | 5 | 6 => Ok((0, 0)),
        1 | 2 => Ok((1, 99)),
        _ => Err(Errno::EINVAL),
    }
}
