//! Timers that send signals: setitimer(2), timer_create(2).

use lsyscall_abi::consts::cap::CAP_WAKE_ALARM;
use lsyscall_abi::consts::clock::*;
use lsyscall_abi::signal::SIGALRM;
use lsyscall_abi::*;
use lsyscall_router::{Caller, SysResult, OK};
use memmgr_api::{Space, UserMemory};

use crate::state::MAX_TIMERS;
use crate::timers::{Beat, PosixTimer, Timer};
use crate::{Parts, ProcMgr};

const SIGEV_SIGNAL: i32 = 0;
const SIGEV_NONE: i32 = 1;
const SIGEV_THREAD: i32 = 2;
const SIGEV_THREAD_ID: i32 = 4;
const TIMER_ABSTIME: u64 = 1;

impl<P: Parts> ProcMgr<P> {
    pub(super) fn sys_getitimer(
        &mut self,
        c: &Caller,
        which: u32,
        value: UserPtr<Itimerval>,
    ) -> SysResult {
        let (p, process) = self.caller_process(c.thread).ok_or(Errno::ESRCH)?;
        let current = match which {
            0 => itimerval(process.itimer.remaining(self.now())),
            1 | 2 => {
                let at = which as usize - 1;
                itimerval(process.cpu_itimers[at].remaining(self.itimer_times(p)[at]))
            }
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
        let p = self.caller_process(c.thread).ok_or(Errno::ESRCH)?.0;
        let [user, both] = self.itimer_times(p);
        let time = [self.now(), user, both][which as usize];
        let process = self.process_mut(p).ok_or(Errno::ESRCH)?;
        let timer = match which {
            0 => &mut process.itimer,
            which => &mut process.cpu_itimers[which as usize - 1],
        };
        let before = itimerval(timer.remaining(time));
        *timer = match first {
            0 => Timer::default(),
            first => Timer::new(time.saturating_add(first), interval),
        };
        if which != 0 {
            self.plan_look(p);
        }
        self.rearm();
        self.put_opt(c, old, &before)?;
        OK
    }

    pub(super) fn sys_timer_create(
        &mut self,
        c: &Caller,
        clock: ClockId,
        event: UserAddr,
        timer: UserPtr<i32>,
    ) -> SysResult {
        let beat = match clock.0 {
            CLOCK_REALTIME | CLOCK_TAI => Beat::Realtime,
            CLOCK_MONOTONIC | CLOCK_BOOTTIME => Beat::Monotonic,
            // Those that wake the machine, which never sleeps here.
            CLOCK_REALTIME_ALARM | CLOCK_BOOTTIME_ALARM if !self.capable(c, CAP_WAKE_ALARM) => {
                return Err(Errno::EPERM)
            }
            CLOCK_REALTIME_ALARM => Beat::Realtime,
            CLOCK_BOOTTIME_ALARM => Beat::Monotonic,
            CLOCK_MONOTONIC_RAW | CLOCK_REALTIME_COARSE | CLOCK_MONOTONIC_COARSE => {
                return Err(Errno::EOPNOTSUPP)
            }
            _ => Beat::Processor(self.cpu_clock(c.thread, clock)?),
        };
        let (p, process) = self.caller_process(c.thread).ok_or(Errno::ESRCH)?;
        if process.timers.len() >= MAX_TIMERS {
            return Err(Errno::EAGAIN);
        }
        let id = (0..)
            .find(|id| process.timers.iter().all(|t| t.id != *id))
            .ok_or(Errno::EAGAIN)?;
        let (signal, tid, value) = if event.is_null() {
            (Some(Signal(SIGALRM)), 0, id as u64)
        } else {
            self.notification(c, event)?
        };
        self.put(c, timer, &id)?;
        let process = self.process_mut(p).ok_or(Errno::ESRCH)?;
        process.timers.push(PosixTimer {
            id,
            beat,
            follows_clock: false,
            signal,
            tid,
            value,
            overrun: 0,
            timer: Timer::default(),
        });
        OK
    }

    /// struct sigevent: the signal, for which thread (0: the process), with which value.
    fn notification(
        &self,
        c: &Caller,
        event: UserAddr,
    ) -> Result<(Option<Signal>, i32, u64), Errno> {
        let mut bytes = [0u8; 24];
        self.mem
            .copy_in(Space::Thread(c.thread), event.0, &mut bytes)?;
        let [value, how, rest] = [0, 8, 16].map(|at| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(word)
        });
        let signal = Signal(how as u32 as i32);
        let tid = match (how >> 32) as i32 {
            SIGEV_NONE => return Ok((None, 0, value)),
            SIGEV_SIGNAL | SIGEV_THREAD => 0,
            SIGEV_THREAD_ID => {
                let tid = rest as u32 as i32;
                let process = |t| self.thread(t).map(|th| th.process);
                let own = process(c.thread);
                if self.find_thread(tid).and_then(process) != own {
                    return Err(Errno::EINVAL);
                }
                tid
            }
            _ => return Err(Errno::EINVAL),
        };
        if !signal.is_valid() {
            return Err(Errno::EINVAL);
        }
        Ok((Some(signal), tid, value))
    }

    /// What a timer's clock shows, as its expiries are counted.
    fn beat_time(&self, beat: &Beat) -> u64 {
        match beat {
            Beat::Processor(clock) => self.cpu_time(clock),
            _ => self.now(),
        }
    }

    fn timer_of(&mut self, c: &Caller, id: i32) -> Result<&mut PosixTimer, Errno> {
        let p = self.caller_process(c.thread).ok_or(Errno::ESRCH)?.0;
        let process = self.process_mut(p).ok_or(Errno::ESRCH)?;
        let found = process.timers.iter_mut().find(|t| t.id == id);
        found.ok_or(Errno::EINVAL)
    }

    pub(super) fn sys_timer_settime(
        &mut self,
        c: &Caller,
        id: i32,
        _flags: TimerFlags,
        new: UserPtr<Itimerspec>,
        old: UserPtr<Itimerspec>,
    ) -> SysResult {
        let new = self.get(c, new)?;
        let (first, interval) = (new.value.to_ns()?, new.interval.to_ns()?);
        let beat = self.timer_of(c, id)?.beat;
        let offset = self.follow_clock()?;
        let time = self.beat_time(&beat);
        let absolute = c.args[1] & TIMER_ABSTIME != 0;
        let at = if first == 0 {
            0
        } else if !absolute {
            time.saturating_add(first)
        } else if beat == Beat::Realtime {
            first.saturating_sub(offset).max(1)
        } else {
            first
        };
        let timer = self.timer_of(c, id)?;
        let before = itimerspec(timer.timer.remaining(time));
        timer.timer = Timer::new(at, if at == 0 { 0 } else { interval });
        timer.follows_clock = absolute && beat == Beat::Realtime;
        timer.overrun = 0;
        if let (Beat::Processor(_), Some((p, _))) = (beat, self.caller_process(c.thread)) {
            self.plan_look(p);
        }
        self.rearm();
        self.put_opt(c, old, &before)?;
        OK
    }

    pub(super) fn sys_timer_gettime(
        &mut self,
        c: &Caller,
        id: i32,
        value: UserPtr<Itimerspec>,
    ) -> SysResult {
        let beat = self.timer_of(c, id)?.beat;
        let time = self.beat_time(&beat);
        let current = itimerspec(self.timer_of(c, id)?.timer.remaining(time));
        self.put(c, value, &current)?;
        OK
    }

    pub(super) fn sys_timer_getoverrun(&mut self, c: &Caller, id: i32) -> SysResult {
        Ok(self.timer_of(c, id)?.overrun.into())
    }

    pub(super) fn sys_timer_delete(&mut self, c: &Caller, id: i32) -> SysResult {
        self.timer_of(c, id)?;
        let p = self.caller_process(c.thread).ok_or(Errno::ESRCH)?.0;
        if let Some(process) = self.process_mut(p) {
            process.timers.retain(|t| t.id != id);
        }
        self.rearm();
        OK
    }
}

fn itimerval((left, interval): (u64, u64)) -> Itimerval {
    Itimerval {
        interval: Timeval::from_ns(interval),
        // Not zero for a timer that runs.
        value: Timeval::from_ns(if left == 0 { 0 } else { left.max(1000) }),
    }
}

fn itimerspec((left, interval): (u64, u64)) -> Itimerspec {
    Itimerspec {
        interval: Timespec::from_ns(interval),
        value: Timespec::from_ns(left),
    }
}
