//! Scheduling calls: one processor, the policies of sched(7).

use alloc::vec::Vec;

use lsyscall_abi::consts::cap::CAP_SYS_NICE;
use lsyscall_abi::consts::sched;
use lsyscall_abi::*;
use lsyscall_router::{Caller, Flow, SysResult, OK};
use memmgr_api::{Space, UserMemory};

use crate::limits::{NICE, RTPRIO};
use crate::machine::Machine;
use crate::schedule::{range, Schedule};
use crate::{Parts, ProcMgr};

const PRIO_PROCESS: i32 = 0;
const PRIO_PGRP: i32 = 1;
const PRIO_USER: i32 = 2;
/// SCHED_RESET_ON_FORK, in the policy of sched_setscheduler(2).
const RESET_ON_FORK: i32 = 0x4000_0000;
/// Flags of struct sched_attr.
const FLAG_RESET_ON_FORK: u64 = 1;
const FLAG_KEEP_POLICY: u64 = 8;
const FLAG_KEEP_PARAMS: u64 = 0x10;
/// Those of deadlines, and those of utilization clamps.
const FLAGS_DEADLINE: u64 = 6;
const FLAGS_CLAMP: u64 = 0x60;
/// Sizes of struct sched_attr: its first version, and the one known here.
const ATTR_FIRST: u32 = 48;
const ATTR_SIZE: u32 = 56;
const PAGE: u32 = 4096;

impl<P: Parts> ProcMgr<P> {
    pub(super) fn sys_sched_yield(&mut self, _c: &Caller) -> SysResult {
        Ok(Flow::Yield)
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
        let t = self.placed(c, pid)?;
        if !self.may_schedule(c, t) {
            return Err(Errno::EPERM);
        }
        if word[0] & 1 == 0 {
            return Err(Errno::EINVAL);
        }
        OK
    }

    /// The thread whose affinity is meant. A negative number is none: these two calls do not look at it before.
    fn placed(&self, c: &Caller, pid: Pid) -> Result<ThreadIdx, Errno> {
        let found = self.scheduled(c, pid.0).map_err(|_| Errno::ESRCH)?;
        Ok(found.0)
    }

    /// The thread of an id, where 0 means the caller.
    fn scheduled(&self, c: &Caller, pid: i32) -> Result<(ThreadIdx, Schedule), Errno> {
        let t = match pid {
            0 => Some(c.thread),
            pid if pid < 0 => return Err(Errno::EINVAL),
            pid => self.find_thread(pid),
        };
        let t = t.ok_or(Errno::ESRCH)?;
        Ok((t, self.thread(t).ok_or(Errno::ESRCH)?.schedule))
    }

    pub(super) fn sys_sched_getscheduler(&mut self, c: &Caller, pid: Pid) -> SysResult {
        let schedule = self.scheduled(c, pid.0)?.1;
        let reset = if schedule.reset_on_fork {
            RESET_ON_FORK
        } else {
            0
        };
        Ok((schedule.policy | reset).into())
    }

    pub(super) fn sys_sched_setscheduler(
        &mut self,
        c: &Caller,
        pid: Pid,
        policy: i32,
        param: UserPtr<SchedParam>,
    ) -> SysResult {
        if policy < 0 || param.is_null() || pid.0 < 0 {
            return Err(Errno::EINVAL);
        }
        let priority = self.get(c, param)?.priority;
        let (t, before) = self.scheduled(c, pid.0)?;
        let wanted = Schedule {
            policy: policy & !RESET_ON_FORK,
            priority,
            reset_on_fork: policy & RESET_ON_FORK != 0,
            ..before
        };
        self.reschedule(c, t, wanted)
    }

    pub(super) fn sys_sched_getparam(
        &mut self,
        c: &Caller,
        pid: Pid,
        param: UserPtr<SchedParam>,
    ) -> SysResult {
        if param.is_null() {
            return Err(Errno::EINVAL);
        }
        let priority = self.scheduled(c, pid.0)?.1.priority;
        self.put(c, param, &SchedParam { priority })?;
        OK
    }

    pub(super) fn sys_sched_setparam(
        &mut self,
        c: &Caller,
        pid: Pid,
        param: UserPtr<SchedParam>,
    ) -> SysResult {
        if param.is_null() || pid.0 < 0 {
            return Err(Errno::EINVAL);
        }
        let priority = self.get(c, param)?.priority;
        let (t, before) = self.scheduled(c, pid.0)?;
        self.reschedule(c, t, Schedule { priority, ..before })
    }

    pub(super) fn sys_sched_setattr(
        &mut self,
        c: &Caller,
        pid: Pid,
        attr: UserAddr,
        flags: u32,
    ) -> SysResult {
        if attr.is_null() || pid.0 < 0 || flags != 0 {
            return Err(Errno::EINVAL);
        }
        let space = Space::Thread(c.thread);
        let mut size = [0; 4];
        self.mem.copy_in(space, attr.0, &mut size)?;
        let size = match u32::from_le_bytes(size) {
            0 => ATTR_FIRST,
            size => size,
        };
        if !(ATTR_FIRST..=PAGE).contains(&size) {
            return self.wrong_size(c, attr);
        }
        let mut bytes = [0u8; PAGE as usize];
        let bytes = &mut bytes[..size as usize];
        self.mem.copy_in(space, attr.0, bytes)?;
        if bytes.iter().skip(ATTR_SIZE as usize).any(|&byte| byte != 0) {
            return self.wrong_size(c, attr);
        }
        let word = |at: usize| {
            bytes
                .get(at..at + 4)
                .map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        };
        let [policy, low, high, nice, priority] = [4, 8, 12, 16, 20].map(word);
        let flags = u64::from(low) | u64::from(high) << 32;
        let known = FLAG_RESET_ON_FORK | FLAG_KEEP_POLICY | FLAG_KEEP_PARAMS;
        if (policy as i32) < 0 {
            return Err(Errno::EINVAL);
        }
        let (t, before) = self.scheduled(c, pid.0)?;
        if flags & !(known | FLAGS_DEADLINE | FLAGS_CLAMP) != 0 {
            return Err(Errno::EINVAL);
        }
        let mut wanted = Schedule {
            policy: policy as i32,
            priority: priority as i32,
            nice: (nice as i32).clamp(-20, 19),
            reset_on_fork: flags & FLAG_RESET_ON_FORK != 0,
        };
        if flags & FLAG_KEEP_POLICY != 0 {
            wanted.policy = before.policy;
        }
        if flags & FLAG_KEEP_PARAMS != 0 || wanted.is_real_time() {
            wanted.nice = before.nice;
        }
        if flags & FLAG_KEEP_PARAMS != 0 {
            wanted.priority = before.priority;
        }
        if flags & FLAGS_CLAMP != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        self.reschedule(c, t, wanted)
    }

    /// struct sched_attr is of another size than this: the caller is told the right one.
    fn wrong_size(&self, c: &Caller, attr: UserAddr) -> SysResult {
        let size = ATTR_SIZE.to_le_bytes();
        self.mem.copy_out(Space::Thread(c.thread), attr.0, &size)?;
        Err(Errno::E2BIG)
    }

    pub(super) fn sys_sched_getattr(
        &mut self,
        c: &Caller,
        pid: Pid,
        attr: UserAddr,
        size: u32,
        flags: u32,
    ) -> SysResult {
        if attr.is_null() || pid.0 < 0 || !(ATTR_FIRST..=PAGE).contains(&size) || flags != 0 {
            return Err(Errno::EINVAL);
        }
        let schedule = self.scheduled(c, pid.0)?.1;
        let size = size.min(ATTR_SIZE);
        let mut bytes = [0u8; ATTR_SIZE as usize];
        let mut put = |at: usize, value: u32| {
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        };
        put(0, size);
        put(4, schedule.policy as u32);
        put(8, u32::from(schedule.reset_on_fork));
        if schedule.is_real_time() {
            put(20, schedule.priority as u32);
        } else {
            put(16, schedule.nice as u32);
        }
        // Utilization is not clamped: 0 to all of it.
        put(52, 1024);
        let bytes = &bytes[..size as usize];
        self.mem.copy_out(Space::Thread(c.thread), attr.0, bytes)?;
        OK
    }

    /// Schedules a thread anew, if that is a way and the caller may (sched(7), "Privileges and resource limits").
    fn reschedule(&mut self, c: &Caller, t: ThreadIdx, wanted: Schedule) -> SysResult {
        let before = self.thread(t).ok_or(Errno::ESRCH)?.schedule;
        let (low, high) = range(wanted.policy)?;
        if wanted.policy == sched::SCHED_DEADLINE {
            // Nothing is ever admitted; without parameters of its own it is none.
            return Err(Errno::EINVAL);
        }
        if !(low..=high).contains(&wanted.priority) {
            return Err(Errno::EINVAL);
        }
        if !self.capable(c, CAP_SYS_NICE) && !self.may_reschedule(c, t, &before, &wanted) {
            return Err(Errno::EPERM);
        }
        self.set_schedule(t, wanted);
        OK
    }

    /// Whether a caller without privileges may schedule a thread so.
    fn may_reschedule(
        &self,
        c: &Caller,
        t: ThreadIdx,
        before: &Schedule,
        wanted: &Schedule,
    ) -> bool {
        let limit = |which| self.limit_of(t, which);
        if wanted.is_real_time() {
            let highest = limit(RTPRIO);
            if wanted.policy != before.policy && highest == 0
                || wanted.priority > before.priority && wanted.priority as u64 > highest
            {
                return false;
            }
        } else if wanted.nice < before.nice && !self.can_nice(t, wanted.nice) {
            return false;
        }
        // Idle is treated as nicer than all nice values.
        let wakes = before.policy == sched::SCHED_IDLE && wanted.policy != sched::SCHED_IDLE;
        if wakes && !self.can_nice(t, before.nice) {
            return false;
        }
        self.may_schedule(c, t) && (wanted.reset_on_fork || !before.reset_on_fork)
    }

    fn limit_of(&self, t: ThreadIdx, which: usize) -> u64 {
        let process = self.thread(t).and_then(|th| self.process(th.process));
        process.map_or(0, |process| process.limits.soft(which))
    }

    /// Whether RLIMIT_NICE lets a thread be as little nice as that.
    fn can_nice(&self, t: ThreadIdx, nice: i32) -> bool {
        u64::try_from(20 - nice).unwrap_or(0) <= self.limit_of(t, NICE)
    }

    /// Keeps how a thread is scheduled, and tells the kernel.
    pub(crate) fn set_schedule(&mut self, t: ThreadIdx, schedule: Schedule) {
        let Some(thread) = self.thread_mut(t) else {
            return;
        };
        thread.schedule = schedule;
        let p = thread.process;
        self.note_change(p);
        self.machine.schedule(t, schedule.params());
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
        let interval = self.scheduled(c, pid.0)?.1.interval();
        self.put(c, tp, &Timespec::from_ns(interval))?;
        OK
    }

    /// Whether the caller may change how a thread is scheduled: as root, or its owner.
    fn may_schedule(&self, c: &Caller, t: ThreadIdx) -> bool {
        let process = self.thread(t).and_then(|th| self.process(th.process));
        let (Some((_, from)), Some(to)) = (self.caller_process(c.thread), process) else {
            return false;
        };
        let euid = from.ids.uid[1];
        from.ids.caps.has(CAP_SYS_NICE) || euid == to.ids.uid[0] || euid == to.ids.uid[1]
    }

    /// The threads that getpriority(2) and its kin mean.
    fn selected(&self, c: &Caller, which: i32, who: i32) -> Result<Vec<ThreadIdx>, Errno> {
        let own = self.caller_process(c.thread).ok_or(Errno::ESRCH)?.1;
        let (group, user) = (own.pgid, own.ids.uid[0]);
        let list: Vec<ThreadIdx> = match which {
            PRIO_PROCESS => {
                let t = if who == 0 {
                    Some(c.thread)
                } else {
                    self.find_thread(who)
                };
                t.into_iter().collect()
            }
            PRIO_PGRP => {
                let group = if who == 0 { group } else { who };
                self.processes()
                    .filter(|(_, p)| p.pgid == group)
                    .flat_map(|(_, p)| p.threads.iter().copied())
                    .collect()
            }
            PRIO_USER => {
                let user = if who == 0 { user } else { who as u32 };
                self.processes()
                    .filter(|(_, p)| p.ids.uid[0] == user)
                    .flat_map(|(_, p)| p.threads.iter().copied())
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
            .filter_map(|&t| self.thread(t))
            .map(|thread| thread.schedule.nice)
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
        let mut result = OK;
        for t in list {
            let Some(schedule) = self.thread(t).map(|thread| thread.schedule) else {
                continue;
            };
            if !self.may_schedule(c, t) {
                result = Err(Errno::EPERM);
            } else if nice < schedule.nice
                && !self.capable(c, CAP_SYS_NICE)
                && !self.can_nice(t, nice)
            {
                result = Err(Errno::EACCES);
            } else {
                self.set_schedule(t, Schedule { nice, ..schedule });
            }
        }
        result
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
            1 if !self.capable(c, CAP_SYS_NICE) => return Err(Errno::EPERM),
            1 | 2 if level < 8 => (),
            0 if level == 0 => (),
            3 => (),
            _ => return Err(Errno::EINVAL),
        }
        let list = self.selected(c, which.wrapping_sub(1), who)?;
        for t in list {
            if !self.may_schedule(c, t) {
                return Err(Errno::EPERM);
            }
            let p = self.thread(t).map(|thread| thread.process);
            if let Some(process) = p.and_then(|p| self.process_mut(p)) {
                process.kept.ioprio = ioprio;
            }
        }
        OK
    }

    pub(super) fn sys_ioprio_get(&mut self, c: &Caller, which: i32, who: i32) -> SysResult {
        let list = self.selected(c, which.wrapping_sub(1), who)?;
        Ok(list
            .first()
            .and_then(|&t| self.process(self.thread(t)?.process))
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
