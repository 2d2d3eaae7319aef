//! The calls.

use lsyscall_abi::consts::cap::CAP_SYS_TIME;
use lsyscall_abi::{
    consts::clock, ClockId, Errno, ThreadIdx, TimerFlags, Timespec, Timeval, Timex, Timezone,
    UserPtr,
};
use lsyscall_router::{Caller, Flow, SysResult, TimeCalls, OK};
use memmgr_api::{Space, UserMemory};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::processor::{CpuClock, Found};
use crate::sleepers::{Clock, Sleep};
use crate::{TimeMgr, Timer};

/// adjtimex(2): the clock is not kept in step with others.
const STA_UNSYNC: i32 = 0x40;
/// adjtimex(2): the state that goes with it.
const TIME_ERROR: i64 = 5;
/// adjtimex(2): the largest error the kernel admits to, microseconds.
const MAX_ERROR_US: i64 = 16_000_000;

impl<M: UserMemory, D: Timer> TimeMgr<M, D> {
    fn get<T: FromBytes>(&self, c: &Caller, from: UserPtr<T>) -> Result<T, Errno> {
        get(&self.mem, c.thread, from)
    }

    /// Writes to where a pointer says, unless it is null.
    fn put<T: IntoBytes + Immutable>(
        &self,
        thread: ThreadIdx,
        to: UserPtr<T>,
        value: &T,
    ) -> Result<(), Errno> {
        match to.non_null() {
            Some(to) => self
                .mem
                .copy_out(Space::Thread(thread), to.addr(), value.as_bytes()),
            None => Ok(()),
        }
    }

    fn sleep(
        &mut self,
        c: &Caller,
        id: ClockId,
        absolute: bool,
        req: UserPtr<Timespec>,
        rem: UserPtr<Timespec>,
    ) -> SysResult {
        let now = self.env.now_ns();
        let call = (c.pc, req.addr());
        let (clock, deadline) = match self.sleepers.continued(c.thread, call) {
            // Not interrupted in the program's eyes: what is left of it is slept.
            Some(sleep) if !absolute => (sleep.clock, sleep.deadline),
            _ => {
                let cpu = match CpuClock::of(id) {
                    Some(clock) => Some(self.sleeps_on(c, clock)?),
                    None => None,
                };
                let time = self.get(c, req)?.to_ns()?;
                match cpu {
                    Some(clock) => {
                        let shown = self.processes.time(&clock).unwrap_or(0);
                        let start = if absolute { 0 } else { shown };
                        (Clock::Processor(clock, start.saturating_add(time)), 0)
                    }
                    None => self.clocks.deadline(id, time, absolute, now)?,
                }
            }
        };
        let deadline = match clock {
            Clock::Processor(clock, end) => {
                let shown = self.processes.time(&clock).ok_or(Errno::EINVAL)?;
                now.saturating_add(end.saturating_sub(shown))
            }
            _ => deadline,
        };
        if deadline <= now {
            self.sleepers.forget(c.thread);
            return OK;
        }
        let remainder = if absolute { None } else { Some(rem) };
        let sleep = Sleep {
            deadline,
            clock,
            remainder,
            call,
        };
        if !self.sleepers.add(c.thread, sleep) {
            return Err(Errno::ESRCH);
        }
        self.arm();
        Ok(Flow::Park)
    }

    /// The process whose processor time a sleep is to be measured by. Nobody can sleep until he has run.
    fn sleeps_on(&self, c: &Caller, clock: CpuClock) -> Result<Found, Errno> {
        if clock == CpuClock::of(ClockId(clock::CLOCK_THREAD_CPUTIME_ID)).unwrap_or(clock) {
            return Err(Errno::EOPNOTSUPP);
        }
        if clock.is_own_thread(&self.processes, c.thread) {
            return Err(Errno::EINVAL);
        }
        self.processes.find(clock, c.thread)
    }

    /// How an interrupted sleep ends. A relative one says what is left, and continues if no handler runs.
    pub(crate) fn interrupted(&mut self, thread: ThreadIdx, sleep: &Sleep) -> Errno {
        self.arm();
        let Some(remainder) = sleep.remainder else {
            self.sleepers.forget(thread);
            return Errno::ERESTARTNOHAND;
        };
        let left = self.left(sleep, self.env.now_ns()).unwrap_or(0);
        match self.put(thread, remainder, &Timespec::from_ns(left)) {
            Ok(()) => Errno::ERESTART_RESTARTBLOCK,
            Err(errno) => {
                self.sleepers.forget(thread);
                errno
            }
        }
    }

    /// Sets a clock, if the caller may.
    fn set_clock(&mut self, c: &Caller, id: ClockId, time: Timespec) -> SysResult {
        // Its errors come before the question of permission, as on Linux.
        if let Some(clock) = CpuClock::of(id) {
            if id.0 >= 0 {
                return Err(Errno::EINVAL);
            }
            self.processes.find(clock, c.thread)?;
            return Err(Errno::EPERM);
        }
        let now = self.env.now_ns();
        let mut clocks = self.clocks;
        clocks.set(id, time, now)?;
        if !self.may_set_clocks(c.thread) {
            return Err(Errno::EPERM);
        }
        self.clocks = clocks;
        self.clock_was_set();
        OK
    }

    /// Whether the thread's process may set clocks.
    fn may_set_clocks(&self, thread: ThreadIdx) -> bool {
        let process = self.processes.process_of(thread);
        process.is_some_and(|process| process.caps >> CAP_SYS_TIME & 1 != 0)
    }

    /// What a clock shows, nanoseconds.
    fn shown(&self, c: &Caller, id: ClockId) -> Result<u64, Errno> {
        match CpuClock::of(id) {
            Some(clock) => {
                let clock = self.processes.find(clock, c.thread)?;
                self.processes.time(&clock).ok_or(Errno::EINVAL)
            }
            None => self.clocks.time(id, self.env.now_ns()),
        }
    }

    /// Nanoseconds between two steps of a clock.
    fn resolution(&self, c: &Caller, id: ClockId) -> Result<u64, Errno> {
        match CpuClock::of(id) {
            Some(clock) => {
                self.processes.find(clock, c.thread)?;
                Ok(clock.resolution())
            }
            None => self.clocks.resolution(id),
        }
    }

    fn adjust(&mut self, c: &Caller, buf: UserPtr<Timex>) -> SysResult {
        let asked: Timex = self.get(c, buf)?;
        if asked.modes != 0 {
            return Err(Errno::EPERM);
        }
        let now = self
            .clocks
            .time(ClockId(clock::CLOCK_REALTIME), self.env.now_ns())?;
        let timex = Timex {
            status: STA_UNSYNC,
            maxerror: MAX_ERROR_US,
            esterror: MAX_ERROR_US,
            constant: 2,
            precision: 1,
            tolerance: 32_768_000,
            time: Timeval::from_ns(now),
            tick: 10_000,
            ..Timex::default()
        };
        self.put(c.thread, buf, &timex)?;
        Ok(Flow::Done(TIME_ERROR))
    }
}

fn get<M: UserMemory, T: FromBytes>(
    mem: &M,
    thread: ThreadIdx,
    from: UserPtr<T>,
) -> Result<T, Errno> {
    // The largest structure here is Timex.
    let mut buf = [0u8; core::mem::size_of::<Timex>()];
    let bytes = buf
        .get_mut(..core::mem::size_of::<T>())
        .ok_or(Errno::EFAULT)?;
    mem.copy_in(Space::Thread(thread), from.addr(), bytes)?;
    T::read_from_bytes(bytes).map_err(|_| Errno::EFAULT)
}

impl<M: UserMemory, D: Timer> TimeCalls for TimeMgr<M, D> {
    fn clock_gettime(&mut self, c: &Caller, clockid: ClockId, tp: UserPtr<Timespec>) -> SysResult {
        let time = self.shown(c, clockid)?;
        self.mem.copy_out(
            Space::Thread(c.thread),
            tp.addr(),
            Timespec::from_ns(time).as_bytes(),
        )?;
        OK
    }

    fn clock_getres(&mut self, c: &Caller, clockid: ClockId, res: UserPtr<Timespec>) -> SysResult {
        let grain = self.resolution(c, clockid)?;
        self.put(c.thread, res, &Timespec::from_ns(grain))?;
        OK
    }

    fn clock_settime(&mut self, c: &Caller, clockid: ClockId, tp: UserPtr<Timespec>) -> SysResult {
        let time: Timespec = self.get(c, tp)?;
        self.set_clock(c, clockid, time)
    }

    fn gettimeofday(
        &mut self,
        c: &Caller,
        tv: UserPtr<Timeval>,
        tz: UserPtr<Timezone>,
    ) -> SysResult {
        let now = self
            .clocks
            .time(ClockId(clock::CLOCK_REALTIME), self.env.now_ns())?;
        self.put(c.thread, tv, &Timeval::from_ns(now))?;
        self.put(c.thread, tz, &Timezone::default())?;
        OK
    }

    fn settimeofday(
        &mut self,
        c: &Caller,
        tv: UserPtr<Timeval>,
        tz: UserPtr<Timezone>,
    ) -> SysResult {
        if tz.non_null().is_some() {
            let _: Timezone = self.get(c, tz)?;
        }
        if tv.non_null().is_none() {
            return OK;
        }
        let time: Timeval = self.get(c, tv)?;
        let ns = time.to_ns()?;
        self.set_clock(c, ClockId(clock::CLOCK_REALTIME), Timespec::from_ns(ns))
    }

    fn nanosleep(
        &mut self,
        c: &Caller,
        req: UserPtr<Timespec>,
        rem: UserPtr<Timespec>,
    ) -> SysResult {
        self.sleep(c, ClockId(clock::CLOCK_MONOTONIC), false, req, rem)
    }

    fn clock_nanosleep(
        &mut self,
        c: &Caller,
        clockid: ClockId,
        flags: TimerFlags,
        req: UserPtr<Timespec>,
        rem: UserPtr<Timespec>,
    ) -> SysResult {
        self.sleep(c, clockid, flags.contains(TimerFlags::ABSTIME), req, rem)
    }

    fn adjtimex(&mut self, c: &Caller, buf: UserPtr<Timex>) -> SysResult {
        self.adjust(c, buf)
    }

    fn clock_adjtime(&mut self, c: &Caller, clockid: ClockId, buf: UserPtr<Timex>) -> SysResult {
        match clockid.0 {
            clock::CLOCK_REALTIME => self.adjust(c, buf),
            _ => self.clocks.resolution(clockid).and(Err(Errno::EOPNOTSUPP)),
        }
    }
}
