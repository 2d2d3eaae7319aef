//! Points and spans of time.

use crate::Errno;

const NS_PER_S: u64 = 1_000_000_000;

layout! {
    /// struct __kernel_timespec.
    Timespec(16) {
        /// Seconds.
        sec: i64,
        /// Nanoseconds.
        nsec: i64,
    }
    /// struct timeval.
    Timeval(16) {
        /// Seconds.
        sec: i64,
        /// Microseconds.
        usec: i64,
    }
    /// Two points of time: access and modification in utimensat(2).
    TimespecPair(32) {
        /// Access time.
        atime: Timespec,
        /// Modification time.
        mtime: Timespec,
    }
    /// struct itimerspec.
    Itimerspec(32) {
        /// Span between expirations; zero: once.
        interval: Timespec,
        /// Next expiration; zero: disarmed.
        value: Timespec,
    }
    /// struct itimerval.
    Itimerval(32) {
        /// Span between expirations; zero: once.
        interval: Timeval,
        /// Next expiration; zero: disarmed.
        value: Timeval,
    }
    /// struct timezone; only handed through.
    Timezone(8) {
        /// Minutes west of Greenwich.
        minuteswest: i32,
        /// Kind of daylight saving time.
        dsttime: i32,
    }
    /// struct timex (adjtimex(2)).
    Timex(208) {
        /// What to set.
        modes: u32,
        /// Padding.
        pad0: u32,
        /// Offset.
        offset: i64,
        /// Frequency, scaled ppm.
        freq: i64,
        /// Largest error, microseconds.
        maxerror: i64,
        /// Estimated error, microseconds.
        esterror: i64,
        /// Clock status bits.
        status: i32,
        /// Padding.
        pad1: u32,
        /// Time constant of the loop.
        constant: i64,
        /// Precision, microseconds.
        precision: i64,
        /// Tolerance, scaled ppm.
        tolerance: i64,
        /// The time.
        time: Timeval,
        /// Microseconds between ticks.
        tick: i64,
        /// Pulse-per-second values, all zero without such a source.
        pps: [i64; 2],
        /// Shift of the interval.
        shift: i32,
        /// Padding.
        pad2: u32,
        /// More pulse-per-second values.
        pps_counts: [i64; 5],
        /// Difference of TAI and UTC, seconds.
        tai: i32,
        /// Unused.
        unused: [i32; 11],
    }
}

impl Timespec {
    /// From nanoseconds.
    pub const fn from_ns(ns: u64) -> Timespec {
        Timespec {
            sec: (ns / NS_PER_S) as i64,
            nsec: (ns % NS_PER_S) as i64,
        }
    }

    /// As nanoseconds, at most `u64::MAX` (spans of centuries are cut).
    ///
    /// # Errors
    /// `EINVAL` for what is no time: negative seconds, nanoseconds outside 0 to 999,999,999.
    pub const fn to_ns(self) -> Result<u64, Errno> {
        if self.sec < 0 || self.nsec < 0 || self.nsec >= NS_PER_S as i64 {
            return Err(Errno::EINVAL);
        }
        Ok((self.sec as u64)
            .saturating_mul(NS_PER_S)
            .saturating_add(self.nsec as u64))
    }

    /// Whether it is all zero.
    pub const fn is_zero(self) -> bool {
        self.sec == 0 && self.nsec == 0
    }
}

impl Timeval {
    /// From nanoseconds, cut to microseconds.
    pub const fn from_ns(ns: u64) -> Timeval {
        Timeval {
            sec: (ns / NS_PER_S) as i64,
            usec: (ns % NS_PER_S / 1000) as i64,
        }
    }

    /// As nanoseconds, at most `u64::MAX`.
    ///
    /// # Errors
    /// `EINVAL` for what is no time: negative seconds, microseconds outside 0 to 999,999.
    pub const fn to_ns(self) -> Result<u64, Errno> {
        if self.sec < 0 || self.usec < 0 || self.usec >= 1_000_000 {
            return Err(Errno::EINVAL);
        }
        Ok((self.sec as u64)
            .saturating_mul(NS_PER_S)
            .saturating_add(self.usec as u64 * 1000))
    }
}
