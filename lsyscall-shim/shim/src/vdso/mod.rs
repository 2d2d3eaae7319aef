//! The vDSO: an ELF shared object that libraries find by AT_SYSINFO_EHDR (vdso(7)) and that reads clocks without a system call.
//!
//! It reads the counter and the page of [`TimeData`], which every process has mapped read-only at [`TIME_OFFSET`] behind the
//! image, and makes the system call for clocks it does not know. Its symbols have the version LINUX_2.6.39.
//! A handler's return address is `__kernel_rt_sigreturn` in here, whose two instructions debuggers and unwinders know.

mod image;

use crate::encode::*;

pub use image::IMAGE;

/// Bytes of the image: one page.
pub const BYTES: usize = 4096;
/// Offset of the page of [`TimeData`] from the image.
pub const TIME_OFFSET: u64 = 0x2000;
/// Bytes of [`TimeData`].
pub const TIME_BYTES: usize = 56;
/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;
/// Resolution of the coarse clocks, nanoseconds.
const COARSE: u64 = 4_000_000;

/// What clocks are read by, besides the counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeData {
    /// Goes up by 2 with each change.
    pub sequence: u64,
    /// Ticks of the counter in a second.
    pub frequency: u64,
    /// What wall-clock time adds to monotonic time, nanoseconds.
    pub wall: u64,
    /// Seconds by which International Atomic Time is ahead of wall-clock time.
    pub tai: i64,
}

impl TimeData {
    /// As the page has it: sequence, frequency, 10^9, seconds and nanoseconds of `wall`, seconds of `wall` and `tai`, grain of
    /// the coarse clocks.
    pub fn to_bytes(self) -> [u8; TIME_BYTES] {
        let seconds = self.wall / SECOND;
        let words = [
            self.sequence,
            self.frequency.max(1),
            SECOND,
            seconds,
            self.wall % SECOND,
            seconds.wrapping_add_signed(self.tai),
            COARSE,
        ];
        let mut out = [0; TIME_BYTES];
        for (to, word) in out.chunks_exact_mut(8).zip(words) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        out
    }
}

/// Offsets of words of the page.
mod data {
    pub const SEQUENCE: u32 = 0;
    pub const FREQUENCY: u32 = 8;
    pub const WALL: u32 = 24;
    pub const TAI: u32 = 40;
    pub const GRAIN: u32 = 48;
}

/// Sets of clocks, by their numbers: those shown, of wall-clock time, coarse ones. The alarm clocks are left to the call.
const SHOWN: u32 = 1 | 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << TAI;
const REALTIME: u32 = 1 | 1 << 5 | 1 << TAI;
const COARSE_CLOCKS: u32 = 1 << 5 | 1 << 6;
/// CLOCK_TAI, the highest clock.
const TAI: u32 = 11;
/// System call numbers.
const CLOCK_GETTIME: u32 = 113;
const CLOCK_GETRES: u32 = 114;
const RT_SIGRETURN: u32 = 139;

/// Offset of the code.
const TEXT: usize = 0x400;
const MAX_WORDS: usize = 112;

/// Code under construction.
struct Code {
    words: [u32; MAX_WORDS],
    len: usize,
}

impl Code {
    const fn push(mut self, word: u32) -> Code {
        self.words[self.len] = word;
        self.len += 1;
        self
    }

    /// A branch to be directed later.
    const fn hole(self) -> (Code, usize) {
        let at = self.len;
        (self.push(0), at)
    }

    /// Directs an earlier branch to here: `word` without its distance, which counts instructions from bit 5.
    const fn land(mut self, hole: usize, word: u32) -> Code {
        self.words[hole] = word | ((self.len - hole) as u32) << 5;
        self
    }

    /// Loads the address of the page into x2.
    const fn time_page(self) -> Code {
        let here = TEXT + self.len * 4;
        self.push(adr(2, (TIME_OFFSET as usize - here) as u32))
    }

    /// Monotonic seconds to x12 and nanoseconds to x6; x2: the page. Leaves 10^9 in x8, the wall-clock offset in x9 and x10,
    /// International Atomic Time's seconds in x11. Changes x5 and x7.
    const fn read_counter(self) -> Code {
        let start = self.len;
        let code = self
            .push(ldr_x(5, 2, data::SEQUENCE))
            .push(ISB)
            .push(mrs(CNTVCT, 6))
            .push(ldp_x(7, 8, 2, data::FREQUENCY))
            .push(ldp_x(9, 10, 2, data::WALL))
            .push(ldr_x(11, 2, data::TAI))
            .push(ldr_x(12, 2, data::SEQUENCE))
            .push(cmp_x(5, 12));
        let back = (start as u32).wrapping_sub(code.len as u32) & 0x7_ffff;
        code.push(b_cond(NE) | back << 5)
            .push(udiv(12, 6, 7))
            .push(msub(6, 12, 7, 6))
            .push(mul(6, 6, 8))
            .push(udiv(6, 6, 7))
    }

    /// Adds the wall-clock offset x9 seconds, x10 nanoseconds to x12 and x6.
    const fn add_wall(self) -> Code {
        let (code, less) = self
            .push(add(12, 12, 9))
            .push(add(6, 6, 10))
            .push(cmp_x(6, 8))
            .hole();
        code.push(sub(6, 6, 8))
            .push(add_imm(12, 12, 1))
            .land(less, b_cond(LO))
    }

    const fn zero_and_return(self) -> Code {
        self.push(movz(0, 0)).push(RET)
    }

    /// The set of the clock in w0 as x3, and a branch for those beyond all sets.
    const fn clock_set(self) -> (Code, usize) {
        let (code, beyond) = self.push(cmp_w_imm(0, TAI)).hole();
        (code.push(movz(3, 1)).push(lslv(3, 3, 0)), beyond)
    }

    /// Compares the set of the clock, x3, with another.
    const fn test(self, set: u32) -> Code {
        self.push(movz(4, set)).push(tst(3, 4))
    }

    const fn call(self, number: u32) -> Code {
        self.push(movz(8, number)).push(SVC).push(RET)
    }

    /// `__kernel_clock_gettime(w0: clock, x1: struct timespec)`.
    const fn clock_gettime(self) -> Code {
        let (code, beyond) = self.clock_set();
        let (code, unknown) = code.test(SHOWN).hole();
        let (code, monotonic) = code.time_page().read_counter().test(REALTIME).hole();
        // TAI's bit is the highest of all.
        let (code, utc) = code.push(cmp_w_imm(0, TAI)).hole();
        let code = code.push(mov(9, 11)).land(utc, b_cond(NE)).add_wall();
        let code = code.land(monotonic, b_cond(EQ));
        let (code, fine) = code.test(COARSE_CLOCKS).hole();
        let code = code
            .push(ldr_x(7, 2, data::GRAIN))
            .push(udiv(5, 6, 7))
            .push(mul(6, 5, 7))
            .land(fine, b_cond(EQ))
            .push(stp_x(12, 6, 1, 0))
            .zero_and_return();
        let code = code.land(beyond, b_cond(HI)).land(unknown, b_cond(EQ));
        code.call(CLOCK_GETTIME)
    }

    /// `__kernel_gettimeofday(x0: struct timeval or null, x1: struct timezone or null)`.
    const fn gettimeofday(self) -> Code {
        let (code, no_time) = self.hole();
        let code = code.time_page().read_counter().add_wall();
        let code = code
            .push(movz(7, 1000))
            .push(udiv(6, 6, 7))
            .push(stp_x(12, 6, 0, 0))
            .land(no_time, cbz(0));
        let (code, no_zone) = code.hole();
        code.push(str_x(31, 1, 0))
            .land(no_zone, cbz(1))
            .zero_and_return()
    }

    /// `__kernel_clock_getres(w0: clock, x1: struct timespec or null)`.
    const fn clock_getres(self) -> Code {
        let (code, beyond) = self.clock_set();
        let (code, unknown) = code.test(SHOWN).hole();
        let (code, nowhere) = code.hole();
        let (code, fine) = code.push(movz(6, 1)).test(COARSE_CLOCKS).hole();
        let code = code
            .time_page()
            .push(ldr_x(6, 2, data::GRAIN))
            .land(fine, b_cond(EQ))
            .push(stp_x(31, 6, 1, 0))
            .land(nowhere, cbz(1))
            .zero_and_return();
        let code = code.land(beyond, b_cond(HI)).land(unknown, b_cond(EQ));
        code.call(CLOCK_GETRES)
    }
}

/// Code, and where each function begins and ends in words: clock_gettime, gettimeofday, clock_getres, rt_sigreturn.
struct Text {
    code: Code,
    marks: [usize; 5],
}

const fn assemble() -> Text {
    let code = Code {
        words: [UDF; MAX_WORDS],
        len: 0,
    };
    let code = code.clock_gettime();
    let first = code.len;
    let code = code.gettimeofday();
    let second = code.len;
    let code = code.clock_getres();
    // Unwinders look at the instruction before a return address, too.
    let code = code.push(NOP);
    let third = code.len;
    let code = code.push(movz(8, RT_SIGRETURN)).push(SVC);
    let end = code.len;
    Text {
        code,
        marks: [0, first, second, third, end],
    }
}

const CODE: Text = assemble();

/// Offset in the image of `__kernel_rt_sigreturn`.
pub const RT_SIGRETURN_AT: u64 = (TEXT + CODE.marks[3] * 4) as u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_what_the_code_reads() {
        let data = TimeData {
            sequence: 4,
            frequency: 62_500_000,
            wall: 7 * SECOND + 5,
            tai: 37,
        };
        let bytes = data.to_bytes();
        let word = |at: u32| u64::from_le_bytes(bytes[at as usize..][..8].try_into().unwrap());
        assert_eq!(
            (word(data::SEQUENCE), word(data::FREQUENCY)),
            (4, 62_500_000)
        );
        assert_eq!((word(data::WALL), word(data::WALL + 8)), (7, 5));
        assert_eq!((word(data::TAI), word(data::GRAIN)), (44, COARSE));
        assert_eq!(word(data::FREQUENCY + 8), SECOND);
    }
}
