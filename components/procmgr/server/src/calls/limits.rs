//! Resource limits, usage and times.

use lsyscall_abi::consts::USER_HZ;
use lsyscall_abi::*;
use lsyscall_router::{Caller, SysResult, OK};
use memmgr_api::{Space, UserMemory};

use crate::limits::{COUNT, NOFILE};
use crate::{Parts, ProcMgr};

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
        if resource as usize >= COUNT {
            return Err(Errno::EINVAL);
        }
        let wanted = if new.is_null() {
            None
        } else {
            Some(self.get(c, new)?)
        };
        let p = self.process_or_caller(c.thread, pid.0)?;
        let (own, caller) = self.caller_process(c.thread).ok_or(Errno::ESRCH)?;
        let process = self.process(p).ok_or(Errno::ESRCH)?;
        if p != own && !caller.ids.privileged() && caller.ids.uid[0] != process.ids.uid[0] {
            return Err(Errno::EPERM);
        }
        let (cur, max) = process.limits.0[resource as usize];
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
        let privileged = self.is_privileged(c);
        let process = self.process_mut(p).ok_or(Errno::ESRCH)?;
        if which == NOFILE && new.max > NR_OPEN
            || new.max > process.limits.0[which].1 && !privileged
        {
            return Err(Errno::EPERM);
        }
        process.limits.0[which] = (new.cur, new.max);
        self.push_limits(p);
        OK
    }

    pub(super) fn sys_getrusage(
        &mut self,
        c: &Caller,
        who: i32,
        usage: UserPtr<Rusage>,
    ) -> SysResult {
        let process = self.caller_process(c.thread).ok_or(Errno::ESRCH)?.1;
        let times = match who {
            0 | 1 => (0, 0),
            -1 => process.children_times,
            _ => return Err(Errno::EINVAL),
        };
        self.mem.copy_out(
            Space::Thread(c.thread),
            usage.addr(),
            &crate::wait::rusage_bytes(times),
        )?;
        OK
    }

    pub(super) fn sys_times(&mut self, c: &Caller, buf: UserPtr<Tms>) -> SysResult {
        const TICK_NS: u64 = 1_000_000_000 / USER_HZ;
        let process = self.caller_process(c.thread).ok_or(Errno::ESRCH)?.1;
        let (user, system) = process.children_times;
        let tms = Tms {
            utime: 0,
            stime: 0,
            cutime: (user / TICK_NS) as i64,
            cstime: (system / TICK_NS) as i64,
        };
        self.put_opt(c, buf, &tms)?;
        Ok((self.now() / TICK_NS).into())
    }
}
