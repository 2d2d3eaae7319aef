//! timemgr: clocks, sleeps, alarms.
//!
//! It owns the one timer. Threads sleep here; other components write their earliest deadline into their alarm dataport and are
//! signalled when it has passed (`timemgr-api`). The timer always stands at the earliest of all. Nothing here waits.
//! It must never trust a deadline it reads for more than when to signal its owner.
#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]

extern crate alloc;

mod alarms;
mod calls;
mod clocks;
#[cfg(target_os = "none")]
mod cntp;
mod processor;
mod sleepers;

use lsyscall_abi::{Errno, ThreadIdx, Timex};
use lsyscall_router::{dispatch_time, Caller, SysResult};
use memmgr_api::UserMemory;
use persona_component::{Component, Dataport, Env, EnvError, Replies, UsageTable};
use persona_ipc::Message;
use timemgr_api::{timemgr_dispatch, TimeMgrService};

use alarms::Alarms;
use clocks::Clocks;
use processor::Processes;
use sleepers::{Clock, Sleep, Sleepers};

/// The timer: one deadline, one interrupt.
pub trait Timer {
    /// Interrupts in `after` nanoseconds, at once if 0, instead of what was set before.
    fn arm(&mut self, after: u64);
    /// Interrupts no more.
    fn disarm(&mut self);
    /// Lets the interrupt come again.
    fn acknowledge(&mut self);
}

/// What timemgr uses.
pub struct Deps<M, C> {
    /// The memory manager.
    pub mem: M,
    /// The console.
    pub console: C,
}

/// A sleep on a clock of processor time is looked at this often at most, nanoseconds.
const CPU_GRAIN: u64 = 4_000_000;

/// Event of [`Component::notified`]: a component has written a new deadline.
const ALARM_SET: u32 = 1 << 0;

/// The time manager.
pub struct TimeMgr<M, D> {
    env: Env,
    mem: M,
    timer: D,
    replies: Replies,
    clocks: Clocks,
    /// What adjtimex(2) keeps.
    discipline: Timex,
    sleepers: Sleepers,
    alarms: Alarms,
    /// What procmgr publishes of processes (without it nobody may set a clock), and the processor time they have used.
    processes: Processes,
    /// Word 0: nanoseconds between monotonic time and 1970, for everyone to read.
    published: Option<Dataport>,
}

#[cfg(target_os = "none")]
impl<M: UserMemory> TimeMgr<M, cntp::Cntp> {
    /// Builds the time manager over the architecture's timer.
    ///
    /// # Errors
    /// If the manifest does not give what it needs.
    pub fn new<C: console_api::Console>(env: Env, deps: Deps<M, C>) -> Result<Self, EnvError> {
        let timer = cntp::Cntp::new(env.cap("timer.irq")?);
        Self::with_timer(env, deps, timer)
    }
}

impl<M: UserMemory, D: Timer> TimeMgr<M, D> {
    /// Builds the time manager over a given timer.
    ///
    /// # Errors
    /// If the environment lacks something.
    pub fn with_timer<C: console_api::Console>(
        env: Env,
        deps: Deps<M, C>,
        timer: D,
    ) -> Result<Self, EnvError> {
        let threads = env.number("max_threads")?;
        let mut timemgr = TimeMgr {
            mem: deps.mem,
            timer,
            replies: env.replies(),
            clocks: Clocks::new(env.bootargs().get("epoch").unwrap_or(b"0")),
            discipline: calls::undisciplined(),
            sleepers: Sleepers::new(usize::try_from(threads).unwrap_or(usize::MAX).min(1 << 16)),
            alarms: Alarms::new(&env),
            processes: Processes::new(
                env.dataport("proctable").ok(),
                env.dataport("usage").ok().map(UsageTable::new),
            ),
            published: env.dataport("clock").ok(),
            env,
        };
        timemgr.publish();
        timemgr.alarms.fire_all();
        timemgr.tick();
        timemgr.timer.acknowledge();
        Ok(timemgr)
    }

    /// Tells everyone the offset of wall-clock time.
    fn publish(&self) {
        if let Some(port) = &self.published {
            port.store(0, self.clocks.offset());
            port.store(8, i64::from(self.clocks.tai) as u64);
            port.store(16, self.processes.frequency());
        }
    }

    /// Wall-clock time has been set: whoever waits for a moment of it has to know.
    fn clock_was_set(&mut self) {
        self.publish();
        self.sleepers.clock_set(self.clocks.offset());
        self.alarms.fire_all();
        self.tick();
    }

    /// Ends what is due and sets the timer for what comes next.
    fn tick(&mut self) {
        let now = self.env.now_ns();
        while let Some((thread, sleep)) = self.sleepers.take_due(now) {
            match self.left(&sleep, now) {
                // A clock of processor time goes no faster than time; a sleep on it is looked at when it may be over.
                Some(left) if left > 0 => {
                    let deadline = now.saturating_add(left.max(CPU_GRAIN));
                    self.sleepers.add(thread, Sleep { deadline, ..sleep });
                }
                _ => self.replies.complete(thread, 0),
            }
        }
        self.alarms.fire(now);
        self.arm();
    }

    /// Nanoseconds that are left of a sleep on a clock of processor time; `None` for other clocks, and when its process is
    /// gone.
    fn left(&self, sleep: &Sleep, now: u64) -> Option<u64> {
        match sleep.clock {
            Clock::Processor(clock, end) => Some(end.saturating_sub(self.processes.time(&clock)?)),
            _ => Some(sleep.deadline.saturating_sub(now)),
        }
    }

    fn arm(&mut self) {
        let next = [self.sleepers.next(), self.alarms.next()]
            .into_iter()
            .flatten()
            .min();
        match next {
            Some(deadline) => self.timer.arm(deadline.saturating_sub(self.env.now_ns())),
            None => self.timer.disarm(),
        }
    }
}

impl<M: UserMemory, D: Timer> Component for TimeMgr<M, D> {
    fn lsyscall(&mut self, caller: &Caller) -> SysResult {
        dispatch_time(self, caller)
    }

    fn request(&mut self, _: u8, _: u8, message: &mut Message) {
        timemgr_dispatch(self, message);
    }

    fn notified(&mut self, events: u32) {
        if events & ALARM_SET != 0 {
            self.alarms.changed();
        }
        if events & !ALARM_SET != 0 {
            // A deadline that has passed keeps its interrupt up: it must go before the next can come.
            self.timer.disarm();
            self.timer.acknowledge();
        }
        self.tick();
    }
}

impl<M: UserMemory, D: Timer> TimeMgrService for TimeMgr<M, D> {
    fn realtime_offset(&mut self) -> Result<u64, Errno> {
        Ok(self.clocks.offset())
    }

    fn cancel(&mut self, thread: ThreadIdx) -> Result<Option<i32>, Errno> {
        let Some(sleep) = self.sleepers.interrupt(thread) else {
            return Ok(None);
        };
        let errno = self.interrupted(thread, &sleep);
        Ok(Some(errno.raw()))
    }

    fn forget(&mut self, thread: ThreadIdx) -> Result<(), Errno> {
        self.sleepers.forget(thread);
        Ok(())
    }
}
