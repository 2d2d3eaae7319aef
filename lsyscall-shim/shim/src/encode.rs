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

/// `nop`.
pub const NOP: u32 = 0xd503_201f;
/// `isb`.
pub const ISB: u32 = 0xd503_3fdf;
/// `ret`.
pub const RET: u32 = 0xd65f_03c0;
/// The virtual counter's number in `mrs`.
pub const CNTVCT: u32 = 0x1b_e040;

/// Conditions of `b.cond`: equal, not equal, unsigned lower, unsigned higher.
pub const EQ: u32 = 0;
/// Not equal.
pub const NE: u32 = 1;
/// Unsigned lower.
pub const LO: u32 = 3;
/// Unsigned higher.
pub const HI: u32 = 8;

/// `b.cond` without its distance.
pub const fn b_cond(cond: u32) -> u32 {
    0x5400_0000 | cond
}

/// `cbz xt` without its distance.
pub const fn cbz(t: u32) -> u32 {
    0xb400_0000 | t
}

/// `ldr xt, [xn, #off]`.
pub const fn ldr_x(t: u32, n: u32, off: u32) -> u32 {
    0xf940_0000 | (off / 8) << 10 | n << 5 | t
}

/// `str xt, [xn, #off]`.
pub const fn str_x(t: u32, n: u32, off: u32) -> u32 {
    0xf900_0000 | (off / 8) << 10 | n << 5 | t
}

/// `ldp xt, xt2, [xn, #off]`.
pub const fn ldp_x(t: u32, t2: u32, n: u32, off: u32) -> u32 {
    0xa940_0000 | (off / 8) << 15 | t2 << 10 | n << 5 | t
}

/// `stp xt, xt2, [xn, #off]`.
pub const fn stp_x(t: u32, t2: u32, n: u32, off: u32) -> u32 {
    0xa900_0000 | (off / 8) << 15 | t2 << 10 | n << 5 | t
}

/// `cmp xn, xm`.
pub const fn cmp_x(n: u32, m: u32) -> u32 {
    0xeb00_001f | m << 16 | n << 5
}

/// `cmp wn, #value`.
pub const fn cmp_w_imm(n: u32, value: u32) -> u32 {
    0x7100_001f | value << 10 | n << 5
}

/// `tst xn, xm`.
pub const fn tst(n: u32, m: u32) -> u32 {
    0xea00_001f | m << 16 | n << 5
}

/// `add xd, xn, xm`.
pub const fn add(d: u32, n: u32, m: u32) -> u32 {
    0x8b00_0000 | m << 16 | n << 5 | d
}

/// `add xd, xn, #value`.
pub const fn add_imm(d: u32, n: u32, value: u32) -> u32 {
    0x9100_0000 | value << 10 | n << 5 | d
}

/// `sub xd, xn, xm`.
pub const fn sub(d: u32, n: u32, m: u32) -> u32 {
    0xcb00_0000 | m << 16 | n << 5 | d
}

/// `lsl xd, xn, xm`.
pub const fn lslv(d: u32, n: u32, m: u32) -> u32 {
    0x9ac0_2000 | m << 16 | n << 5 | d
}

/// `udiv xd, xn, xm`.
pub const fn udiv(d: u32, n: u32, m: u32) -> u32 {
    0x9ac0_0800 | m << 16 | n << 5 | d
}

/// `msub xd, xn, xm, xa`: xa - xn * xm.
pub const fn msub(d: u32, n: u32, m: u32, a: u32) -> u32 {
    0x9b00_8000 | m << 16 | a << 10 | n << 5 | d
}

/// `mul xd, xn, xm`.
pub const fn mul(d: u32, n: u32, m: u32) -> u32 {
    0x9b00_7c00 | m << 16 | n << 5 | d
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
            (NOP, 0xd503_201f),                    // nop
            (ISB, 0xd503_3fdf),                    // isb
            (RET, 0xd65f_03c0),                    // ret
            (mrs(CNTVCT, 6), 0xd53b_e046),         // mrs x6, cntvct_el0
            (b_cond(NE) | 2 << 5, 0x5400_0041),    // b.ne .+8
            (cbz(1) | 3 << 5, 0xb400_0061),        // cbz x1, .+12
            (ldr_x(5, 2, 48), 0xf940_1845),        // ldr x5, [x2, #48]
            (str_x(31, 1, 0), 0xf900_003f),        // str xzr, [x1]
            (ldp_x(7, 8, 2, 8), 0xa940_a047),      // ldp x7, x8, [x2, #8]
            (stp_x(12, 6, 1, 0), 0xa900_182c),     // stp x12, x6, [x1]
            (cmp_x(5, 12), 0xeb0c_00bf),           // cmp x5, x12
            (cmp_w_imm(0, 11), 0x7100_2c1f),       // cmp w0, #11
            (tst(3, 4), 0xea04_007f),              // tst x3, x4
            (add(12, 12, 9), 0x8b09_018c),         // add x12, x12, x9
            (add_imm(12, 12, 1), 0x9100_058c),     // add x12, x12, #1
            (sub(6, 6, 8), 0xcb08_00c6),           // sub x6, x6, x8
            (lslv(3, 3, 0), 0x9ac0_2063),          // lsl x3, x3, x0
            (udiv(12, 6, 7), 0x9ac7_08cc),         // udiv x12, x6, x7
            (msub(6, 12, 7, 6), 0x9b07_9986),      // msub x6, x12, x7, x6
            (mul(6, 6, 8), 0x9b08_7cc6),           // mul x6, x6, x8
        ];
        for (ours, theirs) in golden {
            assert_eq!(ours, theirs, "{ours:08x} {theirs:08x}");
        }
    }
}
