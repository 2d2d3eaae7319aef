//! Load averages (proc(5), /proc/loadavg): how many threads ran or were ready, over 1, 5 and 15 minutes.

use crate::{Parts, ProcMgr};

/// Nanoseconds between two samples.
const PERIOD: u64 = 5_000_000_000;
/// Bits of the fraction.
const FRACTION: u32 = 11;
/// What is left of an old average after a sample: 2^11 e^(-5 s / 1, 5, 15 min).
const DECAY: [u64; 3] = [1884, 2014, 2037];

/// The averages.
#[derive(Clone, Copy, Debug, Default)]
pub struct Load {
    /// Fixed point with 11 bits of fraction.
    pub average: [u64; 3],
    /// When the next sample is due, monotonic nanoseconds; 0: nothing counts.
    next: u64,
    /// What the kernel had counted at the last one.
    seen: (u64, u64),
}

impl Load {
    /// When the next sample is due.
    pub fn deadline(&self) -> Option<u64> {
        (self.next != 0).then_some(self.next)
    }

    /// The first sample is due a period from `now`.
    pub fn begin(&mut self, now: u64, seen: (u64, u64)) {
        *self = Load {
            next: now.saturating_add(PERIOD),
            seen,
            ..*self
        };
    }

    /// Takes a sample: ticks of the kernel, and the threads that ran or were ready, added up over them.
    fn sample(&mut self, now: u64, seen: (u64, u64)) {
        let ticks = seen.0.wrapping_sub(self.seen.0).max(1);
        let active = (seen.1.wrapping_sub(self.seen.1) << FRACTION) / ticks;
        for (average, decay) in self.average.iter_mut().zip(DECAY) {
            // Rounded towards what is now, so that it gets there.
            let sum = *average * decay + active * ((1 << FRACTION) - decay);
            let up = if active >= *average {
                (1 << FRACTION) - 1
            } else {
                0
            };
            *average = (sum + up) >> FRACTION;
        }
        self.begin(now, seen);
    }
}

impl<P: Parts> ProcMgr<P> {
    /// Takes a sample if one is due.
    pub(crate) fn sample_load(&mut self, now: u64) {
        if self.load.deadline().is_none_or(|at| at > now) {
            return;
        }
        if let Some(usage) = &self.usage {
            self.load.sample(now, usage.load());
            self.publish_header();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_go_to_what_is() {
        let mut load = Load::default();
        assert_eq!(load.deadline(), None);
        load.begin(0, (0, 0));
        let (mut ticks, mut sum) = (0, 0);
        for i in 1..=12 {
            ticks += 1000;
            sum += 2000;
            load.sample(i * PERIOD, (ticks, sum));
        }
        // After a minute of load 2: 2 (1 - 1/e) in the first, less in the others.
        let hundredths = load.average.map(|average| (average * 100) >> FRACTION);
        assert!((124..130).contains(&hundredths[0]), "{hundredths:?}");
        assert!((34..40).contains(&hundredths[1]), "{hundredths:?}");
        assert!((11..16).contains(&hundredths[2]), "{hundredths:?}");
        for i in 13..=3000 {
            ticks += 1000;
            load.sample(i * PERIOD, (ticks, sum));
        }
        assert_eq!(load.average, [0; 3]);
        assert_eq!(load.deadline(), Some(3001 * PERIOD));
    }
}
