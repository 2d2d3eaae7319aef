//! What the kernel tells the fault handler.

use crate::{ipc_buffer, sys, IpcBuffer, MessageInfo, Mrs, Word};

/// A fault of a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No fault.
    Null,
    /// A capability the thread named in a system call is not there.
    Cap(CapFault),
    /// A system call that is not seL4's.
    UnknownSyscall(UnknownSyscall),
    /// An exception such as an undefined instruction.
    UserException(UserException),
    /// An access to memory that is not mapped, or not so.
    Vm(VmFault),
    /// A label that stands for no fault known to these bindings.
    Unknown(Word),
}

/// See [`Fault::Cap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CapFault {
    /// Address of the system call.
    pub ip: Word,
    /// The capability address.
    pub address: Word,
    /// Whether the thread was to receive (rather than send).
    pub in_recv_phase: bool,
    /// Why the lookup failed.
    pub failure: LookupFailure,
}

/// Why a capability lookup failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupFailure {
    /// The thread has no valid CSpace root.
    InvalidRoot,
    /// The slot is empty.
    MissingCapability {
        /// Bits of the address not yet used.
        bits_left: Word,
    },
    /// A CNode wants more bits than are left, or a capability that is no CNode was met too early.
    DepthMismatch {
        /// Bits of the address not yet used.
        bits_left: Word,
        /// Bits the CNode wants.
        bits_found: Word,
    },
    /// The address does not have the guard's bits.
    GuardMismatch {
        /// Bits of the address not yet used.
        bits_left: Word,
        /// The guard.
        guard_found: Word,
        /// Its width.
        bits_found: Word,
    },
    /// A kind these bindings do not know.
    Unknown(Word),
}

/// See [`Fault::UnknownSyscall`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownSyscall {
    /// x0 to x7.
    pub x: [Word; 8],
    /// Where the thread goes on; behind the `svc` for foreign threads of a patched kernel, at it otherwise.
    pub ip: Word,
    /// Stack pointer.
    pub sp: Word,
    /// x8, if the kernel tells it (a stock kernel does not).
    pub x8: Option<Word>,
    /// Saved program status.
    pub spsr: Word,
    /// What seL4 took for the system call number: x7.
    pub syscall: Word,
}

/// See [`Fault::UserException`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserException {
    /// Address of the instruction.
    pub ip: Word,
    /// Stack pointer.
    pub sp: Word,
    /// Saved program status.
    pub spsr: Word,
    /// Exception syndrome (0 from a kernel that does not tell it).
    pub number: Word,
    /// Further code of the kernel.
    pub code: Word,
}

/// See [`Fault::Vm`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VmFault {
    /// Address of the instruction.
    pub ip: Word,
    /// The address accessed.
    pub address: Word,
    /// Whether it was an instruction fetch.
    pub instruction: bool,
    /// The exception syndrome register.
    pub fsr: Word,
}

impl VmFault {
    /// Whether it was a write (or a cache operation).
    pub const fn is_write(&self) -> bool {
        !self.instruction && self.fsr & (1 << 6) != 0
    }

    /// Whether the page is mapped but does not allow the access.
    pub const fn is_permission(&self) -> bool {
        self.fsr & 0b11_1100 == 0b00_1100
    }
}

impl Fault {
    /// Decodes a message whose words are all in the IPC buffer.
    pub fn from_message(info: MessageInfo, buffer: &IpcBuffer) -> Fault {
        Fault::from_source(info.label(), |index| buffer.mr(index))
    }

    /// Decodes a message whose first words came in registers.
    #[inline]
    pub fn from_mrs(info: MessageInfo, mrs: &Mrs) -> Fault {
        Fault::from_source(info.label(), |index| from_mrs(mrs, index))
    }

    /// Decodes a message from its label and words; missing words count as 0.
    pub fn from_words(label: Word, words: &[Word]) -> Fault {
        Fault::from_source(label, |index| words.get(index).copied().unwrap_or(0))
    }

    #[inline]
    fn from_source(label: Word, word: impl Fn(usize) -> Word) -> Fault {
        match label {
            sys::seL4_Fault_NullFault => Fault::Null,
            sys::seL4_Fault_CapFault => Fault::Cap(CapFault::from_source(word)),
            sys::seL4_Fault_UnknownSyscall => {
                Fault::UnknownSyscall(UnknownSyscall::from_source(word))
            }
            sys::seL4_Fault_UserException => Fault::UserException(UserException {
                ip: word(sys::seL4_UserException_FaultIP as usize),
                sp: word(sys::seL4_UserException_SP as usize),
                spsr: word(sys::seL4_UserException_SPSR as usize),
                number: word(sys::seL4_UserException_Number as usize),
                code: word(sys::seL4_UserException_Code as usize),
            }),
            sys::seL4_Fault_VMFault => Fault::Vm(VmFault {
                ip: word(sys::seL4_VMFault_IP as usize),
                address: word(sys::seL4_VMFault_Addr as usize),
                instruction: word(sys::seL4_VMFault_PrefetchFault as usize) != 0,
                fsr: word(sys::seL4_VMFault_FSR as usize),
            }),
            other => Fault::Unknown(other),
        }
    }
}

#[inline(always)]
fn from_mrs(mrs: &Mrs, index: usize) -> Word {
    match mrs.get(index) {
        Some(word) => *word,
        None => ipc_buffer().mr(index),
    }
}

impl UnknownSyscall {
    /// The label of such a message.
    pub const LABEL: Word = sys::seL4_Fault_UnknownSyscall;

    /// Reads a message known to be an unknown system call, its first words in registers: the quick way for servers.
    #[inline(always)]
    pub fn from_mrs(mrs: &Mrs) -> UnknownSyscall {
        UnknownSyscall::from_source(|index| from_mrs(mrs, index))
    }

    #[inline(always)]
    fn from_source(word: impl Fn(usize) -> Word) -> UnknownSyscall {
        UnknownSyscall {
            x: core::array::from_fn(|index| word(sys::seL4_UnknownSyscall_X0 as usize + index)),
            ip: word(sys::seL4_UnknownSyscall_FaultIP as usize),
            sp: word(sys::seL4_UnknownSyscall_SP as usize),
            x8: sys::UNKNOWN_SYSCALL_X8.map(&word),
            spsr: word(sys::seL4_UnknownSyscall_SPSR as usize),
            syscall: word(sys::seL4_UnknownSyscall_Syscall as usize),
        }
    }
}

impl CapFault {
    fn from_source(word: impl Fn(usize) -> Word) -> CapFault {
        let bits_left = word(sys::seL4_CapFault_BitsLeft as usize);
        let failure = match word(sys::seL4_CapFault_LookupFailureType as usize) {
            sys::seL4_InvalidRoot => LookupFailure::InvalidRoot,
            sys::seL4_MissingCapability => LookupFailure::MissingCapability { bits_left },
            sys::seL4_DepthMismatch => {
                let bits_found = word(sys::seL4_CapFault_DepthMismatch_BitsFound as usize);
                LookupFailure::DepthMismatch {
                    bits_left,
                    bits_found,
                }
            }
            sys::seL4_GuardMismatch => LookupFailure::GuardMismatch {
                bits_left,
                guard_found: word(sys::seL4_CapFault_GuardMismatch_GuardFound as usize),
                bits_found: word(sys::seL4_CapFault_GuardMismatch_BitsFound as usize),
            },
            other => LookupFailure::Unknown(other),
        };
        CapFault {
            ip: word(sys::seL4_CapFault_IP as usize),
            address: word(sys::seL4_CapFault_Addr as usize),
            in_recv_phase: word(sys::seL4_CapFault_InRecvPhase as usize) != 0,
            failure,
        }
    }
}
