//! eventfd(2) and timerfd_create(2).

use alloc::rc::Rc;
use core::cell::Cell;

use lsyscall_abi::{ClockId, PollFlags};

use crate::wait::{RunList, WaitQueue};

/// A counter to wait for.
pub struct EventFd {
    /// The count.
    pub count: Cell<u64>,
    /// Reads take one at a time.
    pub semaphore: bool,
    /// Everyone who waits for it.
    pub queue: WaitQueue,
}

impl EventFd {
    /// The largest count.
    pub const MAX: u64 = u64::MAX - 1;

    /// A counter.
    pub fn new(run: &Rc<RunList>, count: u64, semaphore: bool) -> Rc<Self> {
        Rc::new(EventFd {
            count: Cell::new(count),
            semaphore,
            queue: WaitQueue::new(run),
        })
    }

    /// What poll(2) says.
    pub fn poll(&self) -> u32 {
        let mut mask = PollFlags::empty();
        if self.count.get() > 0 {
            mask |= PollFlags::IN;
        }
        if self.count.get() < Self::MAX {
            mask |= PollFlags::OUT;
        }
        mask.bits()
    }

    /// Takes the count, or one of it; `None` if there is nothing to take.
    pub fn take(&self) -> Option<u64> {
        let count = self.count.get();
        if count == 0 {
            return None;
        }
        let taken = if self.semaphore { 1 } else { count };
        self.count.set(count - taken);
        self.queue.wake_for(PollFlags::WRITES);
        Some(taken)
    }

    /// Adds; false if that would be too much.
    pub fn add(&self, value: u64) -> bool {
        match self.count.get().checked_add(value) {
            Some(sum) if sum <= Self::MAX => {
                self.count.set(sum);
                self.queue.wake_for(PollFlags::READS);
                true
            }
            _ => false,
        }
    }
}

/// A timer to wait for. Times are monotonic nanoseconds.
pub struct TimerFd {
    /// Its name among the deadlines.
    pub id: u64,
    /// The clock absolute times are meant by.
    pub clock: ClockId,
    /// Next expiration, 0: disarmed.
    pub next: Cell<u64>,
    /// Between expirations, 0: once.
    pub interval: Cell<u64>,
    /// Expirations not yet read.
    pub ticks: Cell<u64>,
    /// It was set to a moment of wall-clock time.
    pub follows_clock: Cell<bool>,
    /// It ends waits when the clock is set; that has happened.
    pub cancels: Cell<bool>,
    /// The clock has been set since.
    pub canceled: Cell<bool>,
    /// Everyone who waits for it.
    pub queue: WaitQueue,
}

impl TimerFd {
    /// A disarmed timer.
    pub fn new(run: &Rc<RunList>, id: u64, clock: ClockId) -> Rc<Self> {
        Rc::new(TimerFd {
            id,
            clock,
            next: Cell::new(0),
            interval: Cell::new(0),
            ticks: Cell::new(0),
            follows_clock: Cell::new(false),
            cancels: Cell::new(false),
            canceled: Cell::new(false),
            queue: WaitQueue::new(run),
        })
    }

    /// Wall-clock time has been set: `back` nanoseconds back, or ahead if that is negative.
    pub fn clock_set(&self, back: i64) {
        let next = self.next.get();
        if self.follows_clock.get() && next != 0 {
            self.next.set(next.saturating_add_signed(back).max(1));
        }
        if self.cancels.get() {
            self.canceled.set(true);
            self.queue.wake();
        }
    }

    /// Counts the expirations up to `now` and sets the next one.
    pub fn advance(&self, now: u64) {
        let next = self.next.get();
        if next == 0 || now < next {
            return;
        }
        let interval = self.interval.get();
        let (count, then) = match (now - next).checked_div(interval) {
            None => (1, 0),
            Some(more) => (
                more.saturating_add(1),
                next.saturating_add(more.saturating_add(1).saturating_mul(interval)),
            ),
        };
        self.next.set(then);
        self.ticks.set(self.ticks.get().saturating_add(count));
        self.queue.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn semaphores_count_down() {
        let run = Rc::default();
        let event = EventFd::new(&run, 2, true);
        assert_eq!(
            (event.take(), event.take(), event.take()),
            (Some(1), Some(1), None)
        );
        assert!(event.add(EventFd::MAX));
        assert!(!event.add(1));
        assert_eq!(event.poll(), PollFlags::IN.bits());
    }

    #[test]
    fn timers_follow_the_clock() {
        let timer = TimerFd::new(&Rc::default(), 1, ClockId(0));
        timer.next.set(100);
        timer.clock_set(-50);
        assert_eq!((timer.next.get(), timer.canceled.get()), (100, false));
        timer.follows_clock.set(true);
        timer.cancels.set(true);
        timer.clock_set(-50);
        assert_eq!((timer.next.get(), timer.canceled.get()), (50, true));
        timer.clock_set(-500);
        assert_eq!(timer.next.get(), 1);
    }

    #[test]
    fn timers_count_missed_ticks() {
        let timer = TimerFd::new(&Rc::default(), 1, ClockId(1));
        timer.next.set(100);
        timer.interval.set(10);
        timer.advance(99);
        assert_eq!(timer.ticks.get(), 0);
        timer.advance(125);
        assert_eq!((timer.ticks.get(), timer.next.get()), (3, 130));
        timer.interval.set(0);
        timer.advance(130);
        assert_eq!((timer.ticks.get(), timer.next.get()), (4, 0));
    }
}
