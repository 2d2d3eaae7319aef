//! The code page mapped, read and execute, into every Linux program, and the layout of the data page beside it.
//!
//! The kernel has no invocation that reads or writes another thread's floating-point registers, so what Linux does in the
//! kernel at signals, fork and exec runs here, in the program's own address space: procmgr sends a thread to one of the
//! entries, and the thread reports back with `svc #0` at a known place. Nothing here is trusted: a program can jump to
//! every instruction, and could have written each of them itself.
//!
//! The code is put together from instruction words by constant functions, so that it needs no assembler and is the same on
//! every host. All of it is position-independent.
#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]

mod encode;
pub mod vdso;

use encode::*;

/// Bytes of struct fpsimd_context, which is also the layout of a save area: magic and size (8 bytes, left alone here),
/// FPSR, FPCR (4 bytes each), V0 to V31 (16 bytes each).
pub const FP_AREA_BYTES: u64 = 528;
/// Save areas in the data page.
pub const FP_AREAS: u64 = 7;
/// Offset of struct fpsimd_context in the frame of a signal: siginfo (128), ucontext up to the machine context (176), the
/// machine context up to its records (288).
pub const FRAME_FPSIMD: u64 = 128 + 176 + 288;
/// The number in x8 at every `svc` of this page: rt_sigreturn. procmgr tells them apart by the program counter.
pub const REPORT_NR: u64 = 139;
/// Offset of the vDSO's image, behind the code page.
pub const VDSO: u64 = 0x1000;
/// Offset of the page that the vDSO reads.
pub const TIME: u64 = VDSO + vdso::TIME_OFFSET;

/// Offset of the save area `index` in the data page; `None` if there is none.
pub const fn fp_area(index: u64) -> Option<u64> {
    if index < FP_AREAS {
        Some(index * FP_AREA_BYTES)
    } else {
        None
    }
}

/// Offsets in the code page. Those called `*_svc` are of the `svc` instruction; the program counter that procmgr sees is
/// 4 further.
pub mod at {
    use super::{BLOCK, LOAD, STORE};

    /// Start of a signal handler: x0 to x2 its arguments, x9 the handler, x10 the address of struct fpsimd_context in the
    /// frame, x30 where it returns to. Saves the floating-point registers there and branches to x9. Changes x11.
    pub const SIG_ENTRY: u64 = 0;
    /// Where a thread is sent that has called rt_sigreturn: sp points at a frame. Loads the floating-point registers from it
    /// and reports.
    pub const SIG_RETURN: u64 = SIG_ENTRY + 4 * (STORE + 1);
    /// End of [`SIG_RETURN`].
    pub const SIG_RETURN_SVC: u64 = SIG_RETURN + 4 * (1 + LOAD + 1);
    /// x0: address of a save area. Saves the floating-point registers there and reports. Changes x11.
    pub const SAVE_FP: u64 = SIG_RETURN_SVC + 8;
    /// End of [`SAVE_FP`].
    pub const SAVE_FP_SVC: u64 = SAVE_FP + 4 * (1 + STORE + 1);
    /// x0: address of a save area. Loads the floating-point registers from there and reports. Changes x11.
    pub const LOAD_FP: u64 = SAVE_FP_SVC + 8;
    /// End of [`LOAD_FP`].
    pub const LOAD_FP_SVC: u64 = LOAD_FP + 4 * (1 + LOAD + 1);
    /// Zeroes the floating-point registers, FPSR and FPCR, and reports: the start of a program.
    pub const ZERO_FP: u64 = LOAD_FP_SVC + 8;
    /// End of [`ZERO_FP`].
    pub const ZERO_FP_SVC: u64 = ZERO_FP + 4 * (BLOCK * 2 + 2 + 1);
    /// End of the code.
    pub const END: u64 = ZERO_FP_SVC + 8;
}

/// Register pairs.
const BLOCK: u64 = 16;
/// Instructions that store all floating-point registers.
const STORE: u64 = 4 + BLOCK;
/// Instructions that load them.
const LOAD: u64 = 4 + BLOCK;

const WORDS: usize = (at::END / 4) as usize;

struct Code {
    words: [u32; WORDS],
    len: usize,
}

impl Code {
    const fn push(mut self, word: u32) -> Code {
        self.words[self.len] = word;
        self.len += 1;
        self
    }

    /// Stores the floating-point registers into the struct fpsimd_context at x10.
    const fn store_fp(mut self) -> Code {
        self = self.push(mrs(FPSR, 11)).push(str_w(11, 10, 8));
        self = self.push(mrs(FPCR, 11)).push(str_w(11, 10, 12));
        let mut pair = 0;
        while pair < BLOCK as u32 {
            self = self.push(stp_q(pair * 2, pair * 2 + 1, 10, 16 + pair * 32));
            pair += 1;
        }
        self
    }

    /// Loads them from there.
    const fn load_fp(mut self) -> Code {
        self = self.push(ldr_w(11, 10, 8)).push(msr(FPSR, 11));
        self = self.push(ldr_w(11, 10, 12)).push(msr(FPCR, 11));
        let mut pair = 0;
        while pair < BLOCK as u32 {
            self = self.push(ldp_q(pair * 2, pair * 2 + 1, 10, 16 + pair * 32));
            pair += 1;
        }
        self
    }

    const fn report(self) -> Code {
        self.push(movz(8, REPORT_NR as u32)).push(SVC).push(UDF)
    }

    /// Checks that the next instruction lies where [`at`] says.
    const fn here(self, offset: u64) -> Code {
        assert!(self.len as u64 * 4 == offset);
        self
    }
}

const fn assemble() -> [u32; WORDS] {
    let mut code = Code {
        words: [UDF; WORDS],
        len: 0,
    };
    code = code.here(at::SIG_ENTRY).store_fp();
    code = code.push(br(9));

    code = code.here(at::SIG_RETURN);
    code = code
        .push(add_sp(10, FRAME_FPSIMD as u32))
        .load_fp()
        .report();

    code = code.here(at::SAVE_FP).push(mov(10, 0)).store_fp().report();
    code = code.here(at::LOAD_FP).push(mov(10, 0)).load_fp().report();

    code = code.here(at::ZERO_FP);
    let mut register = 0;
    while register < 2 * BLOCK as u32 {
        code = code.push(movi_zero(register));
        register += 1;
    }
    code = code.push(msr(FPSR, 31)).push(msr(FPCR, 31)).report();
    code.here(at::END).words
}

const fn bytes(words: [u32; WORDS]) -> [u8; WORDS * 4] {
    let mut out = [0; WORDS * 4];
    let mut i = 0;
    while i < WORDS {
        let word = words[i].to_le_bytes();
        let mut j = 0;
        while j < 4 {
            out[i * 4 + j] = word[j];
            j += 1;
        }
        i += 1;
    }
    out
}

const BYTES: [u8; WORDS * 4] = bytes(assemble());

/// The code, to be mapped at a page boundary.
pub const CODE: &[u8] = &BYTES;

/// Where a report came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// A handler has returned; its floating-point registers are loaded.
    SigReturn,
    /// The registers are in the save area.
    Saved,
    /// The registers are loaded.
    Loaded,
    /// The registers are zero.
    Zeroed,
}

impl Report {
    /// The report of a `svc` whose program counter (behind it) is `offset` bytes into the code page.
    pub const fn from_pc(offset: u64) -> Option<Report> {
        const SIG_RETURN: u64 = at::SIG_RETURN_SVC + 4;
        const SAVED: u64 = at::SAVE_FP_SVC + 4;
        const LOADED: u64 = at::LOAD_FP_SVC + 4;
        const ZEROED: u64 = at::ZERO_FP_SVC + 4;
        match offset {
            SIG_RETURN => Some(Report::SigReturn),
            SAVED => Some(Report::Saved),
            LOADED => Some(Report::Loaded),
            ZEROED => Some(Report::Zeroed),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(offset: u64) -> u32 {
        let at = offset as usize;
        u32::from_le_bytes([CODE[at], CODE[at + 1], CODE[at + 2], CODE[at + 3]])
    }

    #[test]
    fn every_label_is_where_it_should_be() {
        assert_eq!(CODE.len() as u64, at::END);
        const { assert!(at::END <= VDSO) };
        for svc in [
            at::SIG_RETURN_SVC,
            at::SAVE_FP_SVC,
            at::LOAD_FP_SVC,
            at::ZERO_FP_SVC,
        ] {
            assert_eq!(word(svc), SVC);
            assert_eq!(word(svc - 4), movz(8, 139));
            assert_eq!(word(svc + 4), UDF);
            assert!(Report::from_pc(svc + 4).is_some());
        }
        assert_eq!(Report::from_pc(0), None);
        // br x9
        assert_eq!(word(at::SIG_RETURN - 4), 0xd61f_0120);
    }

    #[test]
    fn areas_fit_the_data_page() {
        let last = fp_area(FP_AREAS - 1).unwrap();
        assert!(last + FP_AREA_BYTES <= 4096);
        assert_eq!(last % 16, 0);
        assert_eq!(fp_area(FP_AREAS), None);
    }
}
