//! The moments procmgr waits for: timers that send signals, and time-outs of sigtimedwait.
//!
//! A timer that has expired does not start again before its signal has been taken, as on Linux: however short its interval,
//! it costs time of its own process only.

use alloc::vec::Vec;

use lsyscall_abi::signal::{SIGALRM, SIGPROF, SIGRTMIN, SIGVTALRM};
use lsyscall_abi::{Errno, SigSet, Signal, ThreadIdx};

use timemgr_api::TimeMgr;

use crate::cpu_clock::CpuClock;
use crate::signal::Info;
use crate::state::{Parked, ProcIdx, Process, State};
use crate::{Parts, ProcMgr};

/// A timer whose signal nobody takes starts again this late at the earliest, in nanoseconds.
const IGNORED_GAP: u64 = 10_000_000;

/// When a timer expires. All times are nanoseconds of its own clock: monotonic time, or processor time.
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
    pub fn deadline(&self) -> Option<u64> {
        (self.at != 0 && !self.fired).then_some(self.at)
    }

    /// Whether it expires now; then it waits for its signal to be taken.
    pub fn expire(&mut self, now: u64) -> bool {
        let due = self.deadline().is_some_and(|at| at <= now);
        self.fired |= due;
        due
    }

    /// Its signal has been taken: the next expiry is behind `from`. How many were missed.
    pub fn start_again(&mut self, from: u64) -> u64 {
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

    /// The clock has been set back by `back` nanoseconds, or ahead if that is negative: so is the expiry.
    fn shift(&mut self, back: i64) {
        if self.at != 0 {
            self.at = self.at.saturating_add_signed(back).max(1);
        }
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

/// What a timer of timer_create(2) counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// Monotonic time.
    Monotonic,
    /// Wall-clock time.
    Realtime,
    /// Processor time.
    Processor(CpuClock),
}

/// A timer of timer_create(2).
#[derive(Clone, Debug)]
pub struct PosixTimer {
    /// Its id.
    pub id: i32,
    /// What it counts.
    pub beat: Beat,
    /// It was set to a moment of wall-clock time, and expires then even if the clock is set.
    pub follows_clock: bool,
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

impl PosixTimer {
    /// Whether it counts processor time.
    pub fn counts_processor(&self) -> bool {
        matches!(self.beat, Beat::Processor(_))
    }
}

impl Process {
    /// Whether it has timers that run, or may.
    pub fn has_timers(&self) -> bool {
        self.itimer.at != 0 || !self.timers.is_empty() || self.look_at != 0
    }

    /// The next moment, in monotonic time, at which something is to be done about its timers.
    fn deadline(&self) -> Option<u64> {
        let posix = self.timers.iter().filter(|t| !t.counts_processor());
        let posix = posix.filter_map(|t| t.timer.deadline());
        let look = (self.look_at != 0).then_some(self.look_at);
        posix.chain(self.itimer.deadline()).chain(look).min()
    }
}

impl<P: Parts> ProcMgr<P> {
    /// Tells timemgr the earliest deadline.
    pub(crate) fn rearm(&mut self) {
        let timers = self.procs.iter().flatten().filter_map(|p| p.deadline());
        let waits = self.threads.iter().flatten().filter_map(|t| match t.state {
            State::Parked(Parked::SigWait { deadline, .. }) if deadline != u64::MAX => {
                Some(deadline.max(1))
            }
            _ => None,
        });
        let earliest = timers
            .chain(waits)
            .chain(self.load.deadline())
            .min()
            .unwrap_or(0);
        if let Some((port, wake)) = &self.alarm {
            if port.load(0) != earliest {
                port.store(0, earliest);
                wake.signal();
            }
        }
    }

    /// What wall-clock time adds to monotonic time.
    pub(crate) fn wall_offset(&self) -> Result<u64, Errno> {
        match &self.clock {
            Some(port) => Ok(port.load(0)),
            None => self.time.realtime_offset(),
        }
    }

    /// Moves the timers that were set to moments of wall-clock time if the clock has been set since.
    pub(crate) fn follow_clock(&mut self) -> Result<u64, Errno> {
        let offset = self.wall_offset()?;
        let before = core::mem::replace(&mut self.wall_offset, offset);
        if offset != before {
            let back = before.wrapping_sub(offset) as i64;
            let timers = self.procs.iter_mut().flatten().flat_map(|p| &mut p.timers);
            for timer in timers.filter(|timer| timer.follows_clock) {
                timer.timer.shift(back);
            }
        }
        Ok(offset)
    }

    /// The deadline has passed, or wall-clock time has been set.
    pub(crate) fn alarm_fired(&mut self) {
        let now = self.now();
        let _ = self.follow_clock();
        for index in 0..self.procs.len() {
            let p = ProcIdx(index);
            let due = self.procs.get_mut(index).and_then(Option::as_mut);
            // Not by `process_mut`: nothing that is published changes.
            if due.is_some_and(|process| process.deadline().is_some_and(|at| at <= now)) {
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
        self.sample_load(now);
        self.drain();
        if let Some((port, _)) = &self.alarm {
            port.store(0, 0);
        }
        self.rearm();
    }

    fn expire(&mut self, p: ProcIdx, now: u64) {
        let times = self.timer_times(p, now);
        let Some(process) = self.process_mut(p) else {
            return;
        };
        let look = process.look_at != 0 && process.look_at <= now;
        let alarm = process.itimer.expire(now);
        let timers = process.timers.iter_mut().zip(times);
        let due: Vec<PosixTimer> = timers
            .filter_map(|(t, time)| t.timer.expire(time).then(|| t.clone()))
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
        if look {
            self.look_at_clocks(p);
        }
        self.restart_ignored(p, now);
        if look {
            self.plan_look(p);
        }
    }

    /// Timers whose signals are neither pending nor taken start again by themselves.
    pub(crate) fn restart_ignored(&mut self, p: ProcIdx, now: u64) {
        let Some(process) = self.process(p) else {
            return;
        };
        if !process.has_timers() {
            return;
        }
        let pending = process
            .threads
            .iter()
            .filter_map(|&t| self.thread(t))
            .fold(process.pending.set(), |set, t| {
                SigSet(set.0 | t.pending.set().0)
            });
        let (itimes, times) = (self.itimer_times(p), self.timer_times(p, now));
        let Some(process) = self.process_mut(p) else {
            return;
        };
        if !pending.contains(Signal(SIGALRM)) {
            process.itimer.start_again(now + IGNORED_GAP);
        }
        let signals = [SIGVTALRM, SIGPROF].into_iter().zip(itimes);
        for (timer, (signal, time)) in process.cpu_itimers.iter_mut().zip(signals) {
            if !pending.contains(Signal(signal)) {
                timer.start_again(time + IGNORED_GAP);
            }
        }
        for (timer, time) in process.timers.iter_mut().zip(times) {
            if timer.signal.is_none_or(|signal| !pending.contains(signal)) {
                timer.timer.start_again(time + IGNORED_GAP);
            }
        }
    }

    /// A signal has been taken: timers that sent it start again, and it says how many expiries were missed. A standard signal
    /// may stand for several.
    pub(crate) fn timer_taken(&mut self, p: ProcIdx, info: &mut Info) {
        let (signal, id) = (info.signal, info.timer_id());
        let waits = |process: &Process| {
            let posix = process.timers.iter().any(|t| t.timer.fired);
            posix || process.itimer.fired || process.cpu_itimers.iter().any(|t| t.fired)
        };
        if !self.process(p).is_some_and(waits) {
            return;
        }
        let now = self.now();
        let (itimes, times) = (self.itimer_times(p), self.timer_times(p, now));
        let Some(process) = self.procs.get_mut(p.0).and_then(Option::as_mut) else {
            return;
        };
        let (mut again, mut processor) = (false, false);
        if signal.0 == SIGALRM {
            again = process.itimer.fired;
            process.itimer.start_again(now);
        }
        let signals = [SIGVTALRM, SIGPROF].into_iter().zip(itimes);
        for (timer, (sent, time)) in process.cpu_itimers.iter_mut().zip(signals) {
            if signal.0 == sent && timer.fired {
                timer.start_again(time);
                processor = true;
            }
        }
        for (timer, time) in process.timers.iter_mut().zip(times) {
            let own = id == Some(timer.id);
            if timer.signal == Some(signal) && (own || signal.0 < SIGRTMIN) && timer.timer.fired {
                let missed = timer.timer.start_again(time);
                timer.overrun = i32::try_from(missed).unwrap_or(i32::MAX);
                if own {
                    info.set_overrun(timer.overrun);
                }
                again = true;
                processor |= timer.counts_processor();
            }
        }
        if processor {
            self.plan_look(p);
        }
        if again || processor {
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
