//! Interval timers.

use lsyscall_abi::*;
use lsyscall_router::{Caller, SysResult, OK};

use crate::{Parts, ProcMgr};

impl<P: Parts> ProcMgr<P> {
    pub(super) fn sys_getitimer(
        &mut self,
        c: &Caller,
        which: u32,
        value: UserPtr<Itimerval>,
    ) -> SysResult {
        let now = self.now();
        let process = self.caller_process(c.thread).ok_or(Errno::ESRCH)?.1;
        let current = match which {
            0 => itimerval(process.itimer, now),
            1 | 2 => itimerval((0, 0), now),
            _ => return Err(Errno::EINVAL),
        };
        self.put(c, value, &current)?;
        OK
    }

    pub(super) fn sys_setitimer(
        &mut self,
        c: &Caller,
        which: u32,
        value: UserPtr<Itimerval>,
        old: UserPtr<Itimerval>,
    ) -> SysResult {
        if which > 2 {
            return Err(Errno::EINVAL);
        }
        let new = if value.is_null() {
            Itimerval::default()
        } else {
            self.get(c, value)?
        };
        let (first, interval) = (new.value.to_ns()?, new.interval.to_ns()?);
        if which != 0 {
            // CPU-time timers need CPU accounting, which this kernel does not give.
            return Err(Errno::EINVAL);
        }
        let now = self.now();
        let (p, process) = self.caller_process(c.thread).ok_or(Errno::ESRCH)?;
        let before = itimerval(process.itimer, now);
        if let Some(process) = self.process_mut(p) {
            process.itimer = if first == 0 {
                (0, 0)
            } else {
                (now.saturating_add(first), interval)
            };
        }
        self.rearm();
        self.put_opt(c, old, &before)?;
        OK
    }
}

fn itimerval((at, interval): (u64, u64), now: u64) -> Itimerval {
    let left = if at == 0 {
        0
    } else {
        at.saturating_sub(now).max(1000)
    };
    Itimerval {
        interval: Timeval::from_ns(interval),
        value: Timeval::from_ns(left),
    }
}
