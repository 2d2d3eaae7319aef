//! What each clock shows.

use lsyscall_abi::{consts::clock, ClockId, Errno, Timespec};

use crate::sleepers::Clock;

const NS_PER_S: u64 = 1_000_000_000;
/// Resolution of the coarse clocks: a tick of 250 Hz, as Linux has it.
const COARSE_NS: u64 = 4_000_000;
/// Largest wall-clock time, seconds: what a time in nanoseconds holds.
const MAX_SECONDS: i64 = (u64::MAX / NS_PER_S / 2) as i64;

/// Wall-clock time is monotonic time plus an offset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clocks {
    offset: u64,
    /// Seconds by which International Atomic Time is ahead of wall-clock time.
    pub(crate) tai: i32,
}

/// What a clock counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Monotonic,
    Realtime,
    /// Wall-clock time without leap seconds.
    Atomic,
}

/// What kind of clock an id names, and its resolution in nanoseconds.
fn kind(id: ClockId) -> Result<(Kind, u64), Errno> {
    Ok(match id.0 {
        clock::CLOCK_REALTIME | clock::CLOCK_REALTIME_ALARM => (Kind::Realtime, 1),
        clock::CLOCK_TAI => (Kind::Atomic, 1),
        clock::CLOCK_REALTIME_COARSE => (Kind::Realtime, COARSE_NS),
        // The machine never sleeps, so boot time is monotonic time and alarms need to wake nothing.
        clock::CLOCK_MONOTONIC
        | clock::CLOCK_MONOTONIC_RAW
        | clock::CLOCK_BOOTTIME
        | clock::CLOCK_BOOTTIME_ALARM => (Kind::Monotonic, 1),
        clock::CLOCK_MONOTONIC_COARSE => (Kind::Monotonic, COARSE_NS),
        _ => return Err(Errno::EINVAL),
    })
}

impl Clocks {
    /// `epoch`: wall-clock time when monotonic time was 0, decimal seconds since 1970, perhaps with a fraction.
    pub(crate) fn new(epoch: &[u8]) -> Clocks {
        Clocks {
            offset: seconds(epoch).unwrap_or(0),
            tai: 0,
        }
    }

    /// Wall-clock time minus monotonic time, nanoseconds.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// What International Atomic Time is ahead of wall-clock time, nanoseconds.
    fn tai_ns(&self) -> i64 {
        i64::from(self.tai) * NS_PER_S as i64
    }

    /// A clock's time when monotonic time is `now`, nanoseconds.
    pub(crate) fn time(&self, id: ClockId, now: u64) -> Result<u64, Errno> {
        Ok(match kind(id)? {
            (Kind::Realtime, grain) => {
                let time = now.saturating_add(self.offset);
                time - time % grain
            }
            (Kind::Atomic, _) => now
                .saturating_add(self.offset)
                .saturating_add_signed(self.tai_ns()),
            (_, grain) => now - now % grain,
        })
    }

    /// A clock's resolution, nanoseconds.
    pub(crate) fn resolution(&self, id: ClockId) -> Result<u64, Errno> {
        kind(id).map(|(_, grain)| grain)
    }

    /// What a sleep until `time`, or for `time` from now, is measured by, and when it ends in monotonic time.
    pub(crate) fn deadline(
        &self,
        id: ClockId,
        time: u64,
        absolute: bool,
        now: u64,
    ) -> Result<(Clock, u64), Errno> {
        let (kind, grain) = kind(id)?;
        if grain != 1 || id.0 == clock::CLOCK_MONOTONIC_RAW {
            return Err(Errno::EOPNOTSUPP);
        }
        Ok(match (absolute, kind) {
            (false, _) => (Clock::Monotonic, now.saturating_add(time)),
            (true, Kind::Monotonic) => (Clock::Monotonic, time),
            (true, Kind::Realtime) => (Clock::Realtime(time), time.saturating_sub(self.offset)),
            (true, Kind::Atomic) => {
                let time = time.saturating_add_signed(-self.tai_ns());
                (Clock::Realtime(time), time.saturating_sub(self.offset))
            }
        })
    }

    /// Sets wall-clock time.
    pub(crate) fn set(&mut self, id: ClockId, time: Timespec, now: u64) -> Result<(), Errno> {
        kind(id)?;
        let ns = time.to_ns()?;
        if id.0 != clock::CLOCK_REALTIME || time.sec > MAX_SECONDS {
            return Err(Errno::EINVAL);
        }
        // Earlier than monotonic time there is no wall-clock time, as on Linux.
        self.offset = ns.checked_sub(now).ok_or(Errno::EINVAL)?;
        Ok(())
    }
}

/// Decimal seconds as nanoseconds.
fn seconds(text: &[u8]) -> Option<u64> {
    let text = core::str::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut ns = whole.parse::<u64>().ok()?.checked_mul(NS_PER_S)?;
    let mut unit = NS_PER_S;
    for digit in fraction.chars() {
        unit /= 10;
        ns = ns.checked_add(u64::from(digit.to_digit(10)?) * unit)?;
    }
    Some(ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_are_read_with_fractions() {
        assert_eq!(seconds(b"12"), Some(12 * NS_PER_S));
        assert_eq!(seconds(b"1.25"), Some(1_250_000_000));
        assert_eq!(seconds(b"1.0000000019"), Some(1_000_000_001));
        assert_eq!(seconds(b"x"), None);
        assert_eq!(seconds(b"99999999999999"), None);
    }

    #[test]
    fn clocks_agree_and_unknown_ones_are_refused() {
        let clocks = Clocks::new(b"1000");
        assert_eq!(clocks.time(ClockId(clock::CLOCK_MONOTONIC), 7), Ok(7));
        assert_eq!(
            clocks.time(ClockId(clock::CLOCK_REALTIME), 7),
            Ok(1000 * NS_PER_S + 7)
        );
        assert_eq!(
            clocks.time(ClockId(clock::CLOCK_MONOTONIC_COARSE), 4_000_001),
            Ok(4_000_000)
        );
        for bad in [10, 12, 100, -1, i32::MAX] {
            assert_eq!(clocks.time(ClockId(bad), 7), Err(Errno::EINVAL), "{bad}");
        }
        assert_eq!(clocks.time(ClockId(-2 << 2), 7), Err(Errno::EINVAL));
    }

    #[test]
    fn setting_wall_clock_time_moves_it() {
        let mut clocks = Clocks::new(b"0");
        let realtime = ClockId(clock::CLOCK_REALTIME);
        assert_eq!(
            clocks.set(realtime, Timespec { sec: 500, nsec: 5 }, 1_000),
            Ok(())
        );
        assert_eq!(clocks.time(realtime, 1_001), Ok(500 * NS_PER_S + 6));
        assert_eq!(
            clocks.set(realtime, Timespec { sec: 0, nsec: 5 }, 1_000),
            Err(Errno::EINVAL)
        );
        assert_eq!(
            clocks.set(
                realtime,
                Timespec {
                    sec: i64::MAX,
                    nsec: 0
                },
                1_000
            ),
            Err(Errno::EINVAL)
        );
        let monotonic = ClockId(clock::CLOCK_MONOTONIC);
        assert_eq!(
            clocks.set(monotonic, Timespec { sec: 500, nsec: 5 }, 1_000),
            Err(Errno::EINVAL)
        );
        let end = clocks.deadline(realtime, 501 * NS_PER_S, true, 2_000);
        let wall = Clock::Realtime(501 * NS_PER_S);
        assert_eq!(end, Ok((wall, NS_PER_S + 1_000 - 5)));
    }
}
