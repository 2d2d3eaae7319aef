//! Clocks of processor time, and what happens by them: timers and RLIMIT_CPU.
//!
//! Such a clock goes no faster than time, so procmgr looks again when the earliest of them may have expired, at most every
//! [`GRAIN`] nanoseconds: Linux's own are as fine as its tick, too.

use alloc::vec::Vec;

use lsyscall_abi::consts::{clock, RLIM_INFINITY};
use lsyscall_abi::signal::{SIGPROF, SIGVTALRM, SIGXCPU};
use lsyscall_abi::{ClockId, Errno, Signal, ThreadIdx};

use crate::limits;
use crate::signal::Info;
use crate::state::ProcIdx;
use crate::timers::{Beat, Timer};
use crate::{Parts, ProcMgr};

/// Nanoseconds between two looks at a clock of processor time.
const GRAIN: u64 = 4_000_000;
/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;

/// Whose processor time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Process(ProcIdx, i32),
    Thread(ThreadIdx, i32),
}

/// A clock of processor time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuClock {
    whose: Whose,
    /// User time alone.
    user: bool,
}

impl<P: Parts> ProcMgr<P> {
    /// The clock an id names for a caller (clock_getcpuclockid(3)). `EINVAL` if there is none.
    pub(crate) fn cpu_clock(&self, t: ThreadIdx, id: ClockId) -> Result<CpuClock, Errno> {
        let (pid, low) = match id.0 {
            clock::CLOCK_PROCESS_CPUTIME_ID => (0, 2),
            clock::CLOCK_THREAD_CPUTIME_ID => (0, 4 | 2),
            id if id < 0 && id & 3 != 3 => (!(id >> 3), id & 7),
            _ => return Err(Errno::EINVAL),
        };
        let (own, process) = self.caller_process(t).ok_or(Errno::EINVAL)?;
        let whose = match (low & 4 != 0, pid) {
            (true, 0) => Whose::Thread(t, self.thread(t).map_or(0, |th| th.tid)),
            (true, tid) => {
                let found = self.find_thread(tid).ok_or(Errno::EINVAL)?;
                if !process.threads.contains(&found) {
                    return Err(Errno::EINVAL);
                }
                Whose::Thread(found, tid)
            }
            (false, 0) => Whose::Process(own, process.pid),
            (false, pid) => Whose::Process(self.find_process(pid).ok_or(Errno::EINVAL)?, pid),
        };
        Ok(CpuClock {
            whose,
            user: low & 3 == 1,
        })
    }

    /// What a clock shows, nanoseconds; 0 when its process or thread is gone.
    pub(crate) fn cpu_time(&self, clock: &CpuClock) -> u64 {
        let used = match clock.whose {
            Whose::Process(p, pid) => {
                if self.process(p).is_none_or(|process| process.pid != pid) {
                    return 0;
                }
                self.processor_used(p)
            }
            Whose::Thread(t, tid) => {
                if self.thread(t).is_none_or(|thread| thread.tid != tid) {
                    return 0;
                }
                self.thread_used(t)
            }
        };
        if clock.user {
            used.user
        } else {
            used.time()
        }
    }

    /// What ITIMER_VIRTUAL and ITIMER_PROF of a process count.
    pub(crate) fn itimer_times(&self, p: ProcIdx) -> [u64; 2] {
        let used = self.processor_used(p);
        [used.user, used.time()]
    }

    /// What each of a process's timers counts, in their order, when monotonic time is `now`.
    pub(crate) fn timer_times(&self, p: ProcIdx, now: u64) -> Vec<u64> {
        let timers = self.process(p).map_or(&[][..], |process| &process.timers);
        let time = |beat: &Beat| match beat {
            Beat::Processor(clock) => self.cpu_time(clock),
            _ => now,
        };
        timers.iter().map(|timer| time(&timer.beat)).collect()
    }

    /// Sets when to look at a process's clocks of processor time again.
    pub(crate) fn plan_look(&mut self, p: ProcIdx) {
        let now = self.now();
        let Some(process) = self.process(p) else {
            return;
        };
        let limit = process.limits.0[limits::CPU];
        let counts = process.cpu_itimers != [Timer::default(); 2]
            || limit != (RLIM_INFINITY, RLIM_INFINITY)
            || process.timers.iter().any(|timer| timer.counts_processor());
        if !counts || process.is_zombie() {
            if let Some(process) = self.procs.get_mut(p.0).and_then(Option::as_mut) {
                process.look_at = 0;
            }
            return;
        }
        let (itimes, times) = (self.itimer_times(p), self.timer_times(p, now));
        let own = process.cpu_itimers.iter().zip(itimes);
        let posix = process.timers.iter().zip(times);
        let posix = posix.filter(|(timer, _)| timer.counts_processor());
        let left = own
            .chain(posix.map(|(timer, time)| (&timer.timer, time)))
            .filter_map(|(timer, time)| Some(timer.deadline()?.saturating_sub(time)));
        let limits = [limit.0, limit.1]
            .into_iter()
            .filter(|&l| l != RLIM_INFINITY);
        let limits = limits.map(|limit| limit.saturating_mul(SECOND).saturating_sub(itimes[1]));
        let next = left.chain(limits).min();
        let look_at = next.map_or(0, |left| now.saturating_add(left.max(GRAIN)));
        if let Some(process) = self.procs.get_mut(p.0).and_then(Option::as_mut) {
            process.look_at = look_at;
        }
    }

    /// Looks at a process's clocks of processor time; its timers of timer_create are looked at with the others.
    pub(crate) fn look_at_clocks(&mut self, p: ProcIdx) {
        let itimes = self.itimer_times(p);
        let Some(process) = self.procs.get_mut(p.0).and_then(Option::as_mut) else {
            return;
        };
        let mut due = [false; 2];
        for ((timer, time), due) in process.cpu_itimers.iter_mut().zip(itimes).zip(&mut due) {
            *due = timer.expire(time);
        }
        for (due, signal) in due.into_iter().zip([SIGVTALRM, SIGPROF]) {
            if due {
                self.signal_process(p, Info::kernel(Signal(signal)));
            }
        }
        self.look_at_limit(p, itimes[1]);
    }

    /// RLIMIT_CPU: SIGXCPU at the soft limit and each second from then on, SIGKILL at the hard one.
    fn look_at_limit(&mut self, p: ProcIdx, time: u64) {
        let Some(process) = self.procs.get_mut(p.0).and_then(Option::as_mut) else {
            return;
        };
        let (soft, hard) = &mut process.limits.0[limits::CPU];
        let reached = |limit: u64| limit != RLIM_INFINITY && time >= limit.saturating_mul(SECOND);
        if reached(*hard) {
            return self.doom(p);
        }
        if reached(*soft) {
            // As Linux: getrlimit(2) shows it.
            *soft = (time / SECOND).saturating_add(1).min(*hard);
            self.signal_process(p, Info::kernel(Signal(SIGXCPU)));
        }
    }
}
