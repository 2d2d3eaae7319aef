//! The signal frame of arm64 Linux (arch/arm64/include/uapi/asm/sigcontext.h, struct rt_sigframe): siginfo, then ucontext with
//! the general registers and one fpsimd_context, then a frame record. The vector registers are filled in and taken out by
//! the shim page, which runs in the process.

use alloc::vec;
use alloc::vec::Vec;

use lsyscall_abi::SigSet;

use crate::machine::{Regs, PSTATE_USER};
use crate::signal::Info;

const INFO: usize = 0;
const UCONTEXT: usize = 128;
const UC_STACK: usize = UCONTEXT + 16;
const UC_SIGMASK: usize = UCONTEXT + 40;
const MCONTEXT: usize = UCONTEXT + 176;
const M_REGS: usize = MCONTEXT + 8;
const M_SP: usize = M_REGS + 31 * 8;
const M_PC: usize = M_SP + 8;
const M_PSTATE: usize = M_PC + 8;
const RESERVED: usize = MCONTEXT + 288;
const RESERVED_BYTES: usize = 4096;
const FPSIMD_MAGIC: u32 = 0x4650_8001;
const FPSIMD_BYTES: u32 = 528;
const ESR_MAGIC: u32 = 0x4553_5201;

/// Bytes of the frame below its frame record.
pub const FRAME_BYTES: u64 = (RESERVED + RESERVED_BYTES) as u64;
/// Offset of the fpsimd_context from the frame's start.
pub const FPSIMD_OFFSET: u64 = RESERVED as u64;
/// Offset of the ucontext from the frame's start.
pub const UCONTEXT_OFFSET: u64 = UCONTEXT as u64;

/// What a frame holds beside the vector registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Registers to go back to.
    pub regs: Regs,
    /// Signals blocked before.
    pub mask: SigSet,
    /// Alternate stack before: address, flags, size.
    pub stack: (u64, i32, u64),
}

fn put64(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

fn put32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn get64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// Bytes of the part that is written before the handler starts: up to the end of the contexts in `__reserved`.
const WRITTEN: usize = RESERVED + FPSIMD_BYTES as usize + 16 + 16;

/// The frame's bytes up to the end of its last context record; what lies between is the vector registers' room.
pub fn build_frame(frame: &Frame, info: &Info, fault_address: u64, esr: u64) -> Vec<u8> {
    let mut out = vec![0; WRITTEN];
    out[INFO..INFO + 128].copy_from_slice(&info.to_bytes());
    put64(&mut out, UC_STACK, frame.stack.0);
    put32(&mut out, UC_STACK + 8, frame.stack.1 as u32);
    put64(&mut out, UC_STACK + 16, frame.stack.2);
    put64(&mut out, UC_SIGMASK, frame.mask.0);
    put64(&mut out, MCONTEXT, fault_address);
    for (i, x) in frame.regs.x.iter().enumerate() {
        put64(&mut out, M_REGS + i * 8, *x);
    }
    put64(&mut out, M_SP, frame.regs.sp);
    put64(&mut out, M_PC, frame.regs.pc);
    put64(&mut out, M_PSTATE, frame.regs.pstate & PSTATE_USER);
    put32(&mut out, RESERVED, FPSIMD_MAGIC);
    put32(&mut out, RESERVED + 4, FPSIMD_BYTES);
    let end = RESERVED + FPSIMD_BYTES as usize;
    if esr != 0 {
        put32(&mut out, end, ESR_MAGIC);
        put32(&mut out, end + 4, 16);
        put64(&mut out, end + 8, esr);
    }
    out
}

/// Bytes of a frame that [`read_frame`] wants.
pub const READ_BYTES: usize = RESERVED + 8;

/// Takes a frame apart as rt_sigreturn does. `None` if it is not one (no fpsimd_context first, or too short).
/// The thread pointer is not part of a frame: `tpidr` stays.
pub fn read_frame(bytes: &[u8], tpidr: u64) -> Option<Frame> {
    let magic = get64(bytes, RESERVED)?;
    if magic != u64::from(FPSIMD_MAGIC) | u64::from(FPSIMD_BYTES) << 32 {
        return None;
    }
    let mut x = [0; 31];
    for (i, x) in x.iter_mut().enumerate() {
        *x = get64(bytes, M_REGS + i * 8)?;
    }
    Some(Frame {
        regs: Regs {
            x,
            sp: get64(bytes, M_SP)?,
            pc: get64(bytes, M_PC)?,
            pstate: get64(bytes, M_PSTATE)? & PSTATE_USER,
            tpidr,
        },
        mask: SigSet(get64(bytes, UC_SIGMASK)?),
        stack: (
            get64(bytes, UC_STACK)?,
            get64(bytes, UC_STACK + 8)? as u32 as i32,
            get64(bytes, UC_STACK + 16)?,
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use lsyscall_abi::Signal;

    #[test]
    fn a_frame_comes_back_as_it_was_and_cannot_raise_privilege() {
        let mut regs = Regs {
            sp: 0x1000,
            pc: 0x40_0000,
            pstate: 0x6000_03c5,
            tpidr: 77,
            ..Regs::ZERO
        };
        for (i, x) in regs.x.iter_mut().enumerate() {
            *x = i as u64 * 3;
        }
        let frame = Frame {
            regs,
            mask: SigSet(5),
            stack: (0x7000, 2, 0x2000),
        };
        let bytes = build_frame(&frame, &Info::kernel(Signal(11)), 0x1234, 0x9200_0046);
        let back = read_frame(&bytes, 77).unwrap();
        assert_eq!(back.regs.pstate, 0x6000_0000);
        assert_eq!(
            back,
            Frame {
                regs: Regs {
                    pstate: 0x6000_0000,
                    ..regs
                },
                ..frame
            }
        );
        assert_eq!(FRAME_BYTES, 4688);
        assert_eq!(read_frame(&bytes[..100], 0), None);
        assert_eq!(read_frame(&vec![0; bytes.len()], 0), None);
    }
}
