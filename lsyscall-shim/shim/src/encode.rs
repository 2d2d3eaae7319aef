//! The few A64 instructions the code needs (Arm ARM, C6 and C7). Registers are numbers; 31 is the zero register or sp, as the
//! instruction has it.

/// `svc #0`.
pub const SVC: u32 = 0xd400_0001;
/// `udf #0`: never reached.
pub const UDF: u32 = 0;

/// A system register's number in `mrs` and `msr`.
pub const FPSR: u32 = 0x1b_4420;
/// A system register's number in `mrs` and `msr`.
pub const FPCR: u32 = 0x1b_4400;

/// `mrs xt, register`.
pub const fn mrs(register: u32, t: u32) -> u32 {
    0xd520_0000 | register | t
}

/// `msr register, xt`.
pub const fn msr(register: u32, t: u32) -> u32 {
    0xd500_0000 | register | t
}

/// `str wt, [xn, #off]`.
pub const fn str_w(t: u32, n: u32, off: u32) -> u32 {
    0xb900_0000 | (off / 4) << 10 | n << 5 | t
}

/// `ldr wt, [xn, #off]`.
pub const fn ldr_w(t: u32, n: u32, off: u32) -> u32 {
    0xb940_0000 | (off / 4) << 10 | n << 5 | t
}

/// `stp qt, qt2, [xn, #off]`.
pub const fn stp_q(t: u32, t2: u32, n: u32, off: u32) -> u32 {
    0xad00_0000 | (off / 16) << 15 | t2 << 10 | n << 5 | t
}

/// `ldp qt, qt2, [xn, #off]`.
pub const fn ldp_q(t: u32, t2: u32, n: u32, off: u32) -> u32 {
    0xad40_0000 | (off / 16) << 15 | t2 << 10 | n << 5 | t
}

/// `movi vd.2d, #0`.
pub const fn movi_zero(d: u32) -> u32 {
    0x6f00_e400 | d
}

/// `adr xd, .+off`, for offsets from 0 to 1 MiB.
pub const fn adr(d: u32, off: u32) -> u32 {
    0x1000_0000 | (off & 3) << 29 | (off >> 2) << 5 | d
}

/// `add xd, sp, #off`.
pub const fn add_sp(d: u32, off: u32) -> u32 {
    0x9100_0000 | off << 10 | 31 << 5 | d
}

/// `mov xd, xm`.
pub const fn mov(d: u32, m: u32) -> u32 {
    0xaa00_03e0 | m << 16 | d
}

/// `movz xd, #value`.
pub const fn movz(d: u32, value: u32) -> u32 {
    0xd280_0000 | value << 5 | d
}

/// `br xn`.
pub const fn br(n: u32) -> u32 {
    0xd61f_0000 | n << 5
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words that GNU as 2.40 makes of the text in the comment.
    #[test]
    fn encodings() {
        let golden = [
            (mrs(FPSR, 11), 0xd53b_442b),          // mrs x11, fpsr
            (mrs(FPCR, 11), 0xd53b_440b),          // mrs x11, fpcr
            (msr(FPSR, 11), 0xd51b_442b),          // msr fpsr, x11
            (msr(FPCR, 31), 0xd51b_441f),          // msr fpcr, xzr
            (str_w(11, 10, 12), 0xb900_0d4b),      // str w11, [x10, #12]
            (ldr_w(11, 10, 8), 0xb940_094b),       // ldr w11, [x10, #8]
            (stp_q(0, 1, 10, 16), 0xad00_8540),    // stp q0, q1, [x10, #16]
            (stp_q(30, 31, 10, 496), 0xad0f_fd5e), // stp q30, q31, [x10, #496]
            (ldp_q(30, 31, 10, 496), 0xad4f_fd5e), // ldp q30, q31, [x10, #496]
            (movi_zero(31), 0x6f00_e41f),          // movi v31.2d, #0
            (add_sp(10, 592), 0x9109_43ea),        // add x10, sp, #592
            (mov(10, 0), 0xaa00_03ea),             // mov x10, x0
            (movz(8, 139), 0xd280_1168),           // movz x8, #139
        ];
        for (ours, theirs) in golden {
            assert_eq!(ours, theirs, "{ours:08x} {theirs:08x}");
        }
    }
}
