//! The calls.

use lsyscall_abi::{
    consts::clock, ClockId, Errno, ThreadIdx, TimerFlags, Timespec, Timeval, Timex, Timezone,
    UserPtr,
};
use lsyscall_router::{Caller, Flow, SysResult, TimeCalls, OK};
use memmgr_api::{Space, UserMemory};
use persona_component::Dataport;
use procmgr_api::{process_offset, thread_offset, Header, ProcEntry, ThreadEntry};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::sleepers::Sleep;
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
        let deadline = match self.sleepers.continued(c.thread, call) {
            // Not interrupted in the program's eyes: what is left of it is slept.
            Some(sleep) if !absolute => sleep.deadline,
            _ => {
                let time = self.get(c, req)?.to_ns()?;
                self.clocks.deadline(id, time, absolute, now)?
            }
        };
        if deadline <= now {
            self.sleepers.forget(c.thread);
            return OK;
        }
        let remainder = if absolute { None } else { Some(rem) };
        if !self.sleepers.add(
            c.thread,
            Sleep {
                deadline,
                remainder,
                call,
            },
        ) {
            return Err(Errno::ESRCH);
        }
        self.arm();
        Ok(Flow::Park)
    }

    /// How an interrupted sleep ends. A relative one says what is left, and continues if no handler runs.
    pub(crate) fn interrupted(&mut self, thread: ThreadIdx, sleep: &Sleep) -> Errno {
        self.arm();
        let Some(remainder) = sleep.remainder else {
            self.sleepers.forget(thread);
            return Errno::ERESTARTNOHAND;
        };
        let left = sleep.deadline.saturating_sub(self.env.now_ns());
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
        let now = self.env.now_ns();
        let mut clocks = self.clocks;
        clocks.set(id, time, now)?;
        if !self.is_root(c.thread) {
            return Err(Errno::EPERM);
        }
        self.clocks = clocks;
        self.publish();
        OK
    }

    /// Whether the thread's process runs with effective user id 0 (CAP_SYS_TIME is not told apart).
    fn is_root(&self, thread: ThreadIdx) -> bool {
        let Some(table) = &self.proctable else {
            return false;
        };
        let Some(header) = published::<Header>(table, 0) else {
            return false;
        };
        let slots = header.slots as usize;
        if thread.index() >= slots {
            return false;
        }
        published::<ThreadEntry>(table, thread_offset(thread.index()))
            .filter(|entry| entry.tid != 0 && (entry.process as usize) < slots)
            .and_then(|entry| {
                published::<ProcEntry>(table, process_offset(slots, entry.process as usize))
            })
            .is_some_and(|process| process.pid != 0 && process.uids[1] == 0)
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

/// A structure of the process table.
fn published<T: FromBytes>(table: &Dataport, offset: usize) -> Option<T> {
    let mut buf = [0u8; 512];
    let bytes = buf.get_mut(..core::mem::size_of::<T>())?;
    if table.read(offset, bytes) != bytes.len() {
        return None;
    }
    T::read_from_bytes(bytes).ok()
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
        let time = self.clocks.time(clockid, self.env.now_ns())?;
        self.mem.copy_out(
            Space::Thread(c.thread),
            tp.addr(),
            Timespec::from_ns(time).as_bytes(),
        )?;
        OK
    }

    fn clock_getres(&mut self, c: &Caller, clockid: ClockId, res: UserPtr<Timespec>) -> SysResult {
        let grain = self.clocks.resolution(clockid)?;
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
