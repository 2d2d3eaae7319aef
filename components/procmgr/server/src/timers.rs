//! The moments procmgr waits for: timers that send signals, and time-outs of sigtimedwait.
//!
//! A timer that has expired does not start again before its signal has been taken, as on Linux: however short its interval,
//! it costs time of its own process only.

use alloc::vec::Vec;

use lsyscall_abi::signal::{SIGALRM, SIGRTMIN};
use lsyscall_abi::{Errno, SigSet, Signal, ThreadIdx};

use crate::signal::Info;
use crate::state::{Parked, ProcIdx, Process, State};
use crate::{Parts, ProcMgr};

/// A timer whose signal nobody takes starts again this late at the earliest, in nanoseconds.
const IGNORED_GAP: u64 = 10_000_000;

/// When a timer expires. All times are monotonic nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timer {
    /// The next expiry, or the last one if its signal is still under way; 0: off.
    at: u64,
    /// Time between expiries; 0: only one.
    interval: u64,
    /// It has expired and its signal has not been taken.
    fired: bool,
}

impl Timer {
    /// One that expires at `at` (0: never) and then every `interval`.
    pub fn new(at: u64, interval: u64) -> Self {
        Timer {
            at,
            interval,
            fired: false,
        }
    }

    /// The next expiry, if one is to come without anything else happening before.
    fn deadline(&self) -> Option<u64> {
        (self.at != 0 && !self.fired).then_some(self.at)
    }

    /// Whether it expires now; then it waits for its signal to be taken.
    fn expire(&mut self, now: u64) -> bool {
        let due = self.deadline().is_some_and(|at| at <= now);
        self.fired |= due;
        due
    }

    /// Its signal has been taken: the next expiry is behind `from`. How many were missed.
    fn start_again(&mut self, from: u64) -> u64 {
        if !core::mem::take(&mut self.fired) {
            return 0;
        }
        if self.interval == 0 {
            self.at = 0;
            return 0;
        }
        let missed = from.saturating_sub(self.at) / self.interval;
        self.at = self
            .at
            .saturating_add(self.interval.saturating_mul(missed + 1));
        missed
    }

    /// Time to the next expiry and interval, as gettime calls report them; the former is 0 for a timer that is off.
    pub fn remaining(&self, now: u64) -> (u64, u64) {
        let mut timer = *self;
        timer.start_again(now);
        let left = match timer.at {
            0 => 0,
            at => at.saturating_sub(now).max(1),
        };
        (left, self.interval)
    }
}

/// A timer of timer_create(2).
#[derive(Clone, Debug)]
pub struct PosixTimer {
    /// Its id.
    pub id: i32,
    /// It counts wall-clock time.
    pub realtime: bool,
    /// The signal it sends; `None`: it sends none.
    pub signal: Option<Signal>,
    /// To this thread, by id; 0: to the process.
    pub tid: i32,
    /// sigev_value.
    pub value: u64,
    /// Expiries missed before its last signal was taken.
    pub overrun: i32,
    /// When.
    pub timer: Timer,
}

impl Process {
    /// Whether it has timers that run, or may.
    pub fn has_timers(&self) -> bool {
        self.itimer.at != 0 || !self.timers.is_empty()
    }

    fn timers_mut(&mut self) -> impl Iterator<Item = &mut Timer> {
        let posix = self.timers.iter_mut().map(|t| &mut t.timer);
        core::iter::once(&mut self.itimer).chain(posix)
    }
}

impl<P: Parts> ProcMgr<P> {
    /// Tells timemgr the earliest deadline.
    pub(crate) fn rearm(&mut self) {
        let timers = self
            .procs
            .iter()
            .flatten()
            .flat_map(|p| core::iter::once(&p.itimer).chain(p.timers.iter().map(|t| &t.timer)))
            .filter_map(Timer::deadline);
        let waits = self.threads.iter().flatten().filter_map(|t| match t.state {
            State::Parked(Parked::SigWait { deadline, .. }) if deadline != u64::MAX => {
                Some(deadline.max(1))
            }
            _ => None,
        });
        let earliest = timers.chain(waits).min().unwrap_or(0);
        if let Some((port, wake)) = &self.alarm {
            if port.load(0) != earliest {
                port.store(0, earliest);
                wake.signal();
            }
        }
    }

    /// The deadline has passed.
    pub(crate) fn alarm_fired(&mut self) {
        let now = self.now();
        for index in 0..self.procs.len() {
            let p = ProcIdx(index);
            let due = self.procs.get_mut(index).and_then(Option::as_mut);
            // Not by `process_mut`: nothing that is published changes.
            if due.is_some_and(|process| {
                process
                    .timers_mut()
                    .any(|t| t.deadline().is_some_and(|at| at <= now))
            }) {
                self.expire(p, now);
            }
        }
        for index in 0..self.threads.len() {
            let t = ThreadIdx(index as u16);
            let due = matches!(
                self.thread(t).map(|th| &th.state),
                Some(State::Parked(Parked::SigWait { deadline, .. })) if *deadline <= now
            );
            if due {
                self.finish_call(t, Errno::EAGAIN.to_result());
            }
        }
        self.drain();
        if let Some((port, _)) = &self.alarm {
            port.store(0, 0);
        }
        self.rearm();
    }

    fn expire(&mut self, p: ProcIdx, now: u64) {
        let Some(process) = self.process_mut(p) else {
            return;
        };
        let alarm = process.itimer.expire(now);
        let due: Vec<PosixTimer> = process
            .timers
            .iter_mut()
            .filter_map(|t| t.timer.expire(now).then(|| t.clone()))
            .collect();
        if alarm {
            self.signal_process(p, Info::kernel(Signal(SIGALRM)));
        }
        for timer in due {
            let Some(signal) = timer.signal else {
                continue;
            };
            let info = Info::timer(signal, timer.id, timer.value);
            if timer.tid == 0 {
                self.signal_process(p, info);
            } else if let Some(t) = self.find_thread(timer.tid) {
                if self.thread(t).is_some_and(|th| th.process == p) {
                    self.signal_thread(t, info);
                }
            }
        }
        self.restart_ignored(p, now);
    }

    /// Timers whose signals are neither pending nor taken start again by themselves.
    pub(crate) fn restart_ignored(&mut self, p: ProcIdx, now: u64) {
        let Some(process) = self.process(p) else {
            return;
        };
        let pending = process
            .threads
            .iter()
            .filter_map(|&t| self.thread(t))
            .fold(process.pending.set(), |set, t| {
                SigSet(set.0 | t.pending.set().0)
            });
        let Some(process) = self.process_mut(p) else {
            return;
        };
        if !pending.contains(Signal(SIGALRM)) {
            process.itimer.start_again(now + IGNORED_GAP);
        }
        for timer in &mut process.timers {
            if timer.signal.is_none_or(|signal| !pending.contains(signal)) {
                timer.timer.start_again(now + IGNORED_GAP);
            }
        }
    }

    /// A signal has been taken: timers that sent it start again, and it says how many expiries were missed. A standard signal
    /// may stand for several.
    pub(crate) fn timer_taken(&mut self, p: ProcIdx, info: &mut Info) {
        let now = self.now();
        let Some(process) = self.procs.get_mut(p.0).and_then(Option::as_mut) else {
            return;
        };
        let (signal, id) = (info.signal, info.timer_id());
        let mut again = false;
        if signal.0 == SIGALRM {
            again = process.itimer.fired;
            process.itimer.start_again(now);
        }
        for timer in &mut process.timers {
            let own = id == Some(timer.id);
            if timer.signal == Some(signal) && (own || signal.0 < SIGRTMIN) && timer.timer.fired {
                let missed = timer.timer.start_again(now);
                timer.overrun = i32::try_from(missed).unwrap_or(i32::MAX);
                if own {
                    info.set_overrun(timer.overrun);
                }
                again = true;
            }
        }
        if again {
            self.rearm();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_waits_for_its_signal_to_be_taken() {
        let mut timer = Timer::new(100, 10);
        assert!(!timer.expire(99));
        assert_eq!(timer.remaining(95), (5, 10));
        assert!(timer.expire(100));
        assert!(!timer.expire(200));
        assert_eq!(timer.deadline(), None);
        assert_eq!(timer.remaining(133), (7, 10));
        assert_eq!(timer.start_again(133), 3);
        assert_eq!(timer.start_again(133), 0);
        assert_eq!(timer.deadline(), Some(140));
        let mut once = Timer::new(100, 0);
        assert!(once.expire(100));
        assert_eq!(once.remaining(100), (0, 0));
        once.start_again(100);
        assert_eq!(once, Timer::default());
        let mut far = Timer::new(1, u64::MAX);
        assert!(far.expire(5));
        assert_eq!(far.start_again(5), 0);
        assert_eq!(far.deadline(), Some(u64::MAX));
    }
}
