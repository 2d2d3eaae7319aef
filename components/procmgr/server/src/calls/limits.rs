//! Resource limits, usage and times.

use lsyscall_abi::consts::cap::CAP_SYS_RESOURCE;
use lsyscall_abi::consts::USER_HZ;
use lsyscall_abi::*;
use lsyscall_router::{Caller, SysResult, OK};

use crate::limits::{COUNT, CPU, NOFILE};
use crate::usage::Used;
use crate::{Parts, ProcMgr};

const RUSAGE_SELF: i32 = 0;
const RUSAGE_CHILDREN: i32 = -1;
const RUSAGE_THREAD: i32 = 1;
/// Highest RLIMIT_NOFILE (fs.nr_open).
const NR_OPEN: u64 = 1 << 20;

impl<P: Parts> ProcMgr<P> {
    pub(super) fn sys_getrlimit(
        &mut self,
        c: &Caller,
        resource: u32,
        rlim: UserPtr<Rlimit>,
    ) -> SysResult {
        self.sys_prlimit64(c, Pid(0), resource, UserPtr::new(0), rlim)
    }

    pub(super) fn sys_setrlimit(
        &mut self,
        c: &Caller,
        resource: u32,
        rlim: UserPtr<Rlimit>,
    ) -> SysResult {
        let new = self.get(c, rlim)?;
        let (p, _) = self.caller_process(c.thread).ok_or(Errno::ESRCH)?;
        self.change_limit(c, p, resource, new)
    }

    pub(super) fn sys_prlimit64(
        &mut self,
        c: &Caller,
        pid: Pid,
        resource: u32,
        new: UserPtr<Rlimit>,
        old: UserPtr<Rlimit>,
    ) -> SysResult {
        let wanted = if new.is_null() {
            None
        } else {
            Some(self.get(c, new)?)
        };
        let p = self
            .process_or_caller(c.thread, pid.0)
            .map_err(|_| Errno::ESRCH)?;
        let (own, caller) = self.caller_process(c.thread).ok_or(Errno::ESRCH)?;
        let process = self.process(p).ok_or(Errno::ESRCH)?;
        let (uid, gid) = (caller.ids.uid[0], caller.ids.gid[0]);
        let same = process.ids.uid[..3].iter().all(|&u| u == uid)
            && process.ids.gid[..3].iter().all(|&g| g == gid);
        if p != own && !same && !caller.ids.caps.has(CAP_SYS_RESOURCE) {
            return Err(Errno::EPERM);
        }
        let limit = process.limits.0.get(resource as usize);
        let (cur, max) = *limit.ok_or(Errno::EINVAL)?;
        if let Some(wanted) = wanted {
            self.change_limit(c, p, resource, wanted)?;
        }
        self.put_opt(c, old, &Rlimit { cur, max })?;
        OK
    }

    fn change_limit(
        &mut self,
        c: &Caller,
        p: crate::state::ProcIdx,
        resource: u32,
        new: Rlimit,
    ) -> SysResult {
        let which = resource as usize;
        if which >= COUNT || new.cur > new.max {
            return Err(Errno::EINVAL);
        }
        let privileged = self.capable(c, CAP_SYS_RESOURCE);
        let process = self.process_mut(p).ok_or(Errno::ESRCH)?;
        if which == NOFILE && new.max > NR_OPEN
            || new.max > process.limits.0[which].1 && !privileged
        {
            return Err(Errno::EPERM);
        }
        process.limits.0[which] = (new.cur, new.max);
        if which == CPU {
            // No time at all is a second, as on Linux.
            process.limits.0[which].0 = new.cur.max(1);
            self.plan_look(p);
            self.rearm();
        }
        self.push_limits(p);
        OK
    }

    pub(super) fn sys_getrusage(
        &mut self,
        c: &Caller,
        who: i32,
        usage: UserPtr<Rusage>,
    ) -> SysResult {
        let (p, process) = self.caller_process(c.thread).ok_or(Errno::ESRCH)?;
        let used = match who {
            RUSAGE_SELF => self.process_used(p),
            RUSAGE_THREAD if process.threads.len() > 1 => {
                // Faults are counted for the whole address space.
                let peak = self.memory_used(p).peak.max(process.used.peak);
                Used {
                    peak,
                    ..self.thread_used(c.thread)
                }
            }
            RUSAGE_THREAD => self.process_used(p),
            RUSAGE_CHILDREN => process.children_used,
            _ => return Err(Errno::EINVAL),
        };
        self.put(c, usage, &used.rusage())?;
        OK
    }

    pub(super) fn sys_times(&mut self, c: &Caller, buf: UserPtr<Tms>) -> SysResult {
        const TICK_NS: u64 = 1_000_000_000 / USER_HZ;
        let (p, process) = self.caller_process(c.thread).ok_or(Errno::ESRCH)?;
        let (own, children) = (self.processor_used(p), process.children_used);
        let tms = Tms {
            utime: (own.user / TICK_NS) as i64,
            stime: (own.system / TICK_NS) as i64,
            cutime: (children.user / TICK_NS) as i64,
            cstime: (children.system / TICK_NS) as i64,
        };
        self.put_opt(c, buf, &tms)?;
        Ok((self.now() / TICK_NS).into())
    }
}
