//! Threads that sleep, by deadline.

use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;

use lsyscall_abi::{ThreadIdx, Timespec, UserPtr};

use crate::processor::Found;

/// What a sleep is measured by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// Monotonic time.
    Monotonic,
    /// Until this wall-clock time, nanoseconds: its deadline changes when the clock is set.
    Realtime(u64),
    /// Until a clock of processor time shows this; its deadline is when to look next.
    Processor(Found, u64),
}

/// A sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sleep {
    /// Monotonic time of its end, nanoseconds.
    pub(crate) deadline: u64,
    /// What it is measured by.
    pub(crate) clock: Clock,
    /// A relative sleep: where what is left is written if it is interrupted.
    pub(crate) remainder: Option<UserPtr<Timespec>>,
    /// The call it came by: address behind the svc, address of the request.
    pub(crate) call: (u64, u64),
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Awake,
    Asleep(Sleep),
    /// Interrupted; if the same call comes again, it is the same sleep.
    Interrupted(Sleep),
}

/// At most one sleep a thread.
pub(crate) struct Sleepers {
    threads: Vec<State>,
    order: BTreeSet<(u64, u16)>,
}

impl Sleepers {
    /// Room for `threads` threads.
    pub(crate) fn new(threads: usize) -> Sleepers {
        Sleepers {
            threads: vec![State::Awake; threads],
            order: BTreeSet::new(),
        }
    }

    /// Puts a thread to sleep; `false` if there is no such thread.
    pub(crate) fn add(&mut self, thread: ThreadIdx, sleep: Sleep) -> bool {
        self.forget(thread);
        let Some(state) = self.threads.get_mut(thread.index()) else {
            return false;
        };
        *state = State::Asleep(sleep);
        self.order.insert((sleep.deadline, thread.0));
        true
    }

    /// The sleep that `call` continues after an interruption without a handler.
    pub(crate) fn continued(&self, thread: ThreadIdx, call: (u64, u64)) -> Option<Sleep> {
        match self.threads.get(thread.index()) {
            Some(State::Interrupted(sleep)) if sleep.call == call => Some(*sleep),
            _ => None,
        }
    }

    /// When the first one ends.
    pub(crate) fn next(&self) -> Option<u64> {
        self.order.first().map(|&(deadline, _)| deadline)
    }

    /// Takes one whose time has come.
    pub(crate) fn take_due(&mut self, now: u64) -> Option<(ThreadIdx, Sleep)> {
        let &(deadline, thread) = self
            .order
            .first()
            .filter(|(deadline, _)| *deadline <= now)?;
        self.order.remove(&(deadline, thread));
        let state = core::mem::take(self.threads.get_mut(usize::from(thread))?);
        match state {
            State::Asleep(sleep) => Some((ThreadIdx(thread), sleep)),
            _ => None,
        }
    }

    /// Wall-clock time has been set: its sleeps end earlier or later.
    pub(crate) fn clock_set(&mut self, offset: u64) {
        for (thread, state) in self.threads.iter_mut().enumerate() {
            let State::Asleep(sleep) = state else {
                continue;
            };
            if let Clock::Realtime(end) = sleep.clock {
                self.order.remove(&(sleep.deadline, thread as u16));
                sleep.deadline = end.saturating_sub(offset);
                self.order.insert((sleep.deadline, thread as u16));
            }
        }
    }

    /// Ends a thread's sleep before its time; its sleep, if it slept.
    pub(crate) fn interrupt(&mut self, thread: ThreadIdx) -> Option<Sleep> {
        let state = self.threads.get_mut(thread.index())?;
        let State::Asleep(sleep) = *state else {
            return None;
        };
        *state = State::Interrupted(sleep);
        self.order.remove(&(sleep.deadline, thread.0));
        Some(sleep)
    }

    /// Knows nothing of the thread any more.
    pub(crate) fn forget(&mut self, thread: ThreadIdx) {
        if let Some(state) = self.threads.get_mut(thread.index()) {
            if let State::Asleep(sleep) = *state {
                self.order.remove(&(sleep.deadline, thread.0));
            }
            *state = State::Awake;
        }
    }
}
