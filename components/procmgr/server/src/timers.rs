//! The moments procmgr waits for: ITIMER_REAL and time-outs of sigtimedwait.

use lsyscall_abi::signal::SIGALRM;
use lsyscall_abi::{Errno, Signal, ThreadIdx};

use crate::signal::Info;
use crate::state::{Parked, ProcIdx, State};
use crate::{Parts, ProcMgr};

impl<P: Parts> ProcMgr<P> {
    /// Tells timemgr the earliest deadline.
    pub(crate) fn rearm(&mut self) {
        let timers = self
            .processes()
            .map(|(_, p)| p.itimer.0)
            .filter(|&at| at != 0);
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
        let due: alloc::vec::Vec<ProcIdx> = self
            .processes()
            .filter(|(_, p)| p.itimer.0 != 0 && p.itimer.0 <= now)
            .map(|(i, _)| i)
            .collect();
        for p in due {
            if let Some(process) = self.process_mut(p) {
                let (at, interval) = process.itimer;
                process.itimer.0 = match interval {
                    0 => 0,
                    _ => at.saturating_add(interval.saturating_mul((now - at) / interval + 1)),
                };
            }
            self.signal_process(p, Info::kernel(Signal(SIGALRM)));
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
        if let Some((port, _)) = &self.alarm {
            port.store(0, 0);
        }
        self.rearm();
    }
}
