//! Faults of programs: served, or reported.

use lsyscall_abi::ThreadIdx;
use memmgr_api::{FaultKind, MemEvent, Space as Which};
use persona_component::{FaultReply, UserFault};

use crate::machine::Machine;
use crate::pagein::Access;
use crate::server::Server;

/// Fields of ESR_EL1 (Arm ARM D17.2.37).
mod esr {
    /// Data fault status: bits 5..2 of the code say the kind, bits 1..0 the level.
    pub const TRANSLATION: u64 = 0b0001;
    pub const ACCESS_FLAG: u64 = 0b0010;
    pub const PERMISSION: u64 = 0b0011;
    pub const ALIGNMENT: u64 = 0b10_0001;
    /// The access was a write.
    pub const WRITE: u64 = 1 << 6;
    /// By a cache maintenance instruction, which counts as a write but needs to read only.
    pub const CACHE: u64 = 1 << 8;
    /// Exception classes.
    pub const CLASS_SHIFT: u64 = 26;
    pub const CLASS_PC_ALIGNMENT: u64 = 0x22;
    pub const CLASS_SP_ALIGNMENT: u64 = 0x26;
    pub const CLASS_FP_AARCH32: u64 = 0x28;
    pub const CLASS_FP: u64 = 0x2c;
    pub const CLASS_BREAKPOINT: u64 = 0x30;
    pub const CLASS_STEP: u64 = 0x32;
    pub const CLASS_STEP_SAME: u64 = 0x33;
    pub const CLASS_WATCHPOINT: u64 = 0x34;
    pub const CLASS_BRK: u64 = 0x3c;
    pub const CLASS_BKPT_AARCH32: u64 = 0x38;
}

/// What a synchronous exception that is no abort means.
fn user_kind(esr: u64) -> FaultKind {
    match esr >> esr::CLASS_SHIFT & 0x3f {
        esr::CLASS_PC_ALIGNMENT | esr::CLASS_SP_ALIGNMENT => FaultKind::Alignment,
        esr::CLASS_FP | esr::CLASS_FP_AARCH32 => FaultKind::Arithmetic,
        esr::CLASS_BRK
        | esr::CLASS_BKPT_AARCH32
        | esr::CLASS_BREAKPOINT
        | esr::CLASS_WATCHPOINT => FaultKind::Breakpoint,
        esr::CLASS_STEP | esr::CLASS_STEP_SAME => FaultKind::Step,
        _ => FaultKind::Illegal,
    }
}

/// What an abort wanted, or why it cannot be helped.
fn access(instruction: bool, esr: u64) -> Result<Access, FaultKind> {
    let status = esr & 0x3f;
    if status == esr::ALIGNMENT {
        return Err(FaultKind::Alignment);
    }
    if !matches!(
        status >> 2,
        esr::TRANSLATION | esr::ACCESS_FLAG | esr::PERMISSION
    ) {
        return Err(FaultKind::BeyondEnd);
    }
    Ok(if instruction {
        Access::Exec
    } else if esr & esr::WRITE != 0 && esr & esr::CACHE == 0 {
        Access::Write
    } else {
        Access::Read
    })
}

impl<M: Machine> Server<M> {
    /// Serves a fault.
    pub(crate) fn serve_fault(&mut self, thread: ThreadIdx, fault: &UserFault) -> FaultReply {
        let (kind, addr, pc, esr) = match *fault {
            UserFault::User { pc, esr } => (user_kind(esr), pc, pc, esr),
            UserFault::Vm {
                pc,
                addr,
                instruction,
                esr,
            } => match self.page_fault(thread, addr, instruction, esr) {
                Ok(()) => return FaultReply::Resume,
                Err(kind) => (kind, addr, pc, esr),
            },
        };
        self.report(MemEvent {
            thread,
            kind,
            addr,
            pc,
            esr,
        });
        FaultReply::Stop
    }

    fn page_fault(
        &mut self,
        thread: ThreadIdx,
        addr: u64,
        instruction: bool,
        esr: u64,
    ) -> Result<(), FaultKind> {
        let access = access(instruction, esr)?;
        let parts = self.parts(Which::Thread(thread));
        let (core, space) = parts.map_err(|_| FaultKind::NotMapped)?;
        core.touch(space, addr, access)?;
        space.faults += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syndromes_mean_what_linux_makes_of_them() {
        assert_eq!(user_kind(0), FaultKind::Illegal);
        assert_eq!(user_kind(0x3c << 26 | 7), FaultKind::Breakpoint);
        assert_eq!(user_kind(0x22 << 26), FaultKind::Alignment);
        assert_eq!(user_kind(0x2c << 26), FaultKind::Arithmetic);
        assert_eq!(user_kind(0x32 << 26), FaultKind::Step);
        // translation fault level 3, write
        assert_eq!(access(false, 0x9200_0047), Ok(Access::Write));
        // the same by cache maintenance
        assert_eq!(access(false, 0x9200_0147), Ok(Access::Read));
        // permission fault level 3
        assert_eq!(access(true, 0x8200_000f), Ok(Access::Exec));
        assert_eq!(access(false, 0x9200_0021), Err(FaultKind::Alignment));
        // synchronous external abort
        assert_eq!(access(false, 0x9200_0010), Err(FaultKind::BeyondEnd));
    }
}
