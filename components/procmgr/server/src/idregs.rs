//! The processor's identification registers, which programs may read on Linux (`HWCAP_CPUID`).
//!
//! The instruction traps, so it is carried out here, as Linux does it (Documentation/arch/arm64/cpu-feature-registers.rst):
//! what is not told reads as "not implemented", and an unknown register as 0. The values agree with `AT_HWCAP`.

use crate::machine::Regs;

/// `mrs Xt, S3_0_C0_Cm_op2`, without Cm, op2 and t.
const READ: u32 = 0xd538_0000;
const READ_MASK: u32 = 0xffff_f000;

/// Implementer 0, which Arm leaves to software: the processor is not told. Its features are in the registers.
const MIDR: u64 = 0x000f_0000;
/// MPIDR_EL1: the only processor (RES1).
const MPIDR: u64 = 1 << 31;
/// ID_AA64PFR0_EL1: EL0 and EL1 in AArch64 state, floating point and Advanced SIMD.
const PFR0: u64 = 0x11;
/// ID_AA64DFR0_EL1: the debug architecture of Armv8.
const DFR0: u64 = 6;
/// ID_AA64MMFR0_EL1: all of it hidden, fields of which 0 would claim something as "not there".
const MMFR0: u64 = 0x111_ff00_0000;

/// What the register reads as, by CRm and op2; `None` if programs may not read it.
fn value(crm: u32, op2: u32) -> Option<u64> {
    match (crm, op2) {
        (0, 0) => Some(MIDR),
        (0, 5) => Some(MPIDR),
        (0, 6) => Some(0),
        (4, 0) => Some(PFR0),
        (5, 0) => Some(DFR0),
        (7, 0) => Some(MMFR0),
        (2..=7, _) => Some(0),
        _ => None,
    }
}

/// Carries `instruction` out on the registers if it reads an identification register; says whether it did.
pub fn emulate(instruction: u32, regs: &mut Regs) -> bool {
    if instruction & READ_MASK != READ {
        return false;
    }
    let Some(value) = value(instruction >> 8 & 15, instruction >> 5 & 7) else {
        return false;
    };
    // Register 31 is XZR.
    if let Some(x) = regs.x.get_mut((instruction & 31) as usize) {
        *x = value;
    }
    regs.pc = regs.pc.wrapping_add(4);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_programs_may_read_and_nothing_else() {
        let run = |instruction| {
            let mut regs = Regs {
                x: [7; 31],
                pc: 0x1000,
                ..Regs::ZERO
            };
            emulate(instruction, &mut regs).then_some((regs.x[3], regs.x[30], regs.pc))
        };
        // mrs x3, ID_AA64PFR0_EL1; mrs x30, MIDR_EL1; mrs xzr, ID_AA64ISAR0_EL1; mrs x3, ID_AA64ISAR0_EL1
        assert_eq!(run(0xd538_0403), Some((PFR0, 7, 0x1004)));
        assert_eq!(run(0xd538_001e), Some((7, MIDR, 0x1004)));
        assert_eq!(run(0xd538_061f), Some((7, 7, 0x1004)));
        assert_eq!(run(0xd538_0603), Some((0, 7, 0x1004)));
        // S3_0_C0_C1_0, S3_0_C0_C0_1, S3_0_C0_C8_0, SCTLR_EL1, msr, udf.
        for other in [
            0xd538_0103,
            0xd538_0023,
            0xd538_0803,
            0xd538_1003,
            0xd518_0603,
            0,
        ] {
            assert_eq!(run(other), None, "{other:#x}");
        }
    }
}
