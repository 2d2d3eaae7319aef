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
/// adjtimex(2): it counts in nanoseconds.
const STA_NANO: i32 = 0x2000;
/// adjtimex(2): status bits that only the kernel sets.
const STA_READ_ONLY: i32 = 0xff00;
/// adjtimex(2): what to change.
const ADJ_FREQUENCY: u32 = 2;
const ADJ_MAXERROR: u32 = 4;
const ADJ_ESTERROR: u32 = 8;
const ADJ_STATUS: u32 = 0x10;
const ADJ_TIMECONST: u32 = 0x20;
const ADJ_TAI: u32 = 0x80;
const ADJ_SETOFFSET: u32 = 0x100;
const ADJ_MICRO: u32 = 0x1000;
const ADJ_NANO: u32 = 0x2000;
const ADJ_TICK: u32 = 0x4000;
/// adjtimex(2): adjtime's own modes.
const ADJ_ADJTIME: u32 = 0x8000;
const ADJ_OFFSET_SINGLESHOT: u32 = 0x8001;
const ADJ_OFFSET_SS_READ: u32 = 0xa001;
/// Microseconds of a tick that can be set: 10,000, a tenth more or less.
const TICKS: core::ops::RangeInclusive<i64> = 9_000..=11_000;
/// Largest change of the frequency, 500 parts in a million with 16 bits of fraction.
const MAX_FREQUENCY: i64 = 500 << 16;
/// Most seconds that International Atomic Time may be ahead.
const MAX_TAI: i64 = 100_000;
/// adjtimex(2): the state that goes with it.
const TIME_ERROR: i64 = 5;
/// adjtimex(2): the largest error the kernel admits to, microseconds.
const MAX_ERROR_US: i64 = 16_000_000;

/// What adjtimex(2) shows of a clock that nobody steers.
pub(crate) fn undisciplined() -> Timex {
    Timex {
        status: STA_UNSYNC,
        maxerror: MAX_ERROR_US,
        esterror: MAX_ERROR_US,
        constant: 2,
        tick: 10_000,
        ..Timex::default()
    }
}

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
                if id.0 < 0 && id.0 & 7 == 3 {
                    // A device's clock.
                    return Err(Errno::EOPNOTSUPP);
                }
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

    /// adjtimex(2). The clock is stepped (ADJ_SETOFFSET) and its offset from International Atomic Time set; what steers it
    /// slowly is kept and shown, and changes nothing.
    fn adjust(&mut self, c: &Caller, buf: UserPtr<Timex>) -> SysResult {
        let asked: Timex = self.get(c, buf)?;
        let modes = asked.modes;
        let reads = modes == ADJ_OFFSET_SS_READ || modes == 0;
        if modes & ADJ_ADJTIME != 0 && modes & ADJ_OFFSET_SINGLESHOT != ADJ_OFFSET_SINGLESHOT {
            return Err(Errno::EINVAL);
        }
        if !reads && !self.may_set_clocks(c.thread) {
            return Err(Errno::EPERM);
        }
        let slow = modes & ADJ_ADJTIME == 0;
        if slow && modes & ADJ_TICK != 0 && !TICKS.contains(&asked.tick) {
            return Err(Errno::EINVAL);
        }
        let nano = if modes & ADJ_NANO != 0 { 1 } else { 1000 };
        if slow && modes & ADJ_SETOFFSET != 0 {
            if asked.time.usec < 0 || asked.time.usec.saturating_mul(nano) >= 1_000_000_000 {
                return Err(Errno::EINVAL);
            }
            let step = i128::from(asked.time.sec) * 1_000_000_000
                + i128::from(asked.time.usec) * i128::from(nano);
            let offset = i128::from(self.clocks.offset()) + step;
            let now = self.env.now_ns();
            let time = u64::try_from(offset).ok().and_then(|o| o.checked_add(now));
            let time = Timespec::from_ns(time.ok_or(Errno::EINVAL)?);
            self.clocks.set(ClockId(clock::CLOCK_REALTIME), time, now)?;
            self.clock_was_set();
        }
        if slow && !reads {
            let kept = &mut self.discipline;
            let keep = |mode: u32, to: &mut i64, value: i64| {
                if modes & mode != 0 {
                    *to = value;
                }
            };
            let most = MAX_FREQUENCY;
            keep(ADJ_FREQUENCY, &mut kept.freq, asked.freq.clamp(-most, most));
            keep(ADJ_MAXERROR, &mut kept.maxerror, asked.maxerror);
            keep(ADJ_ESTERROR, &mut kept.esterror, asked.esterror);
            keep(
                ADJ_TIMECONST,
                &mut kept.constant,
                asked.constant.clamp(0, 10),
            );
            keep(ADJ_TICK, &mut kept.tick, asked.tick);
            if modes & ADJ_STATUS != 0 {
                kept.status = asked.status & !STA_READ_ONLY | kept.status & STA_READ_ONLY;
            }
            if modes & ADJ_NANO != 0 {
                kept.status |= STA_NANO;
            }
            if modes & ADJ_MICRO != 0 {
                kept.status &= !STA_NANO;
            }
            if modes & ADJ_TAI != 0 && (0..=MAX_TAI).contains(&asked.constant) {
                self.clocks.tai = asked.constant as i32;
                self.clock_was_set();
            }
        }
        let now = self
            .clocks
            .time(ClockId(clock::CLOCK_REALTIME), self.env.now_ns())?;
        let mut time = Timeval::from_ns(now);
        if self.discipline.status & STA_NANO != 0 {
            time.usec = (now % 1_000_000_000) as i64;
        }
        let timex = Timex {
            modes,
            time,
            tai: self.clocks.tai,
            precision: 1,
            tolerance: MAX_FREQUENCY,
            ..self.discipline
        };
        self.put(c.thread, buf, &timex)?;
        let unsynchronised = self.discipline.status & STA_UNSYNC != 0;
        Ok(Flow::Done(if unsynchronised { TIME_ERROR } else { 0 }))
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
