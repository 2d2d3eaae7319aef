//! The description of a message, and what message passing returns.

use crate::{sys, Badge, Word};

/// Message words that travel in registers.
pub type Mrs = sys::syscall::Mrs;

/// Label, length and capabilities of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct MessageInfo(sys::seL4_MessageInfo_t);

impl MessageInfo {
    /// Words a message can have.
    pub const MAX_LENGTH: usize = sys::seL4_MsgMaxLength as usize;
    /// Capabilities a message can carry.
    pub const MAX_CAPS: usize = sys::seL4_MsgMaxExtraCaps as usize;

    /// A message of `length` words without capabilities. The label has 20 bits on this kernel.
    #[inline(always)]
    pub const fn new(label: Word, length: usize) -> MessageInfo {
        MessageInfo::with_caps(label, 0, length)
    }

    /// A message of `length` words that carries the first `caps` capabilities named in the IPC buffer.
    #[inline(always)]
    pub const fn with_caps(label: Word, caps: usize, length: usize) -> MessageInfo {
        MessageInfo(sys::seL4_MessageInfo_t::new(
            label,
            0,
            caps as Word,
            length as Word,
        ))
    }

    /// The label: what the message is about. Faults have labels of their own.
    #[inline(always)]
    pub const fn label(self) -> Word {
        self.0.get_label()
    }

    /// Words of the message, at most [`MessageInfo::MAX_LENGTH`].
    #[inline(always)]
    pub const fn length(self) -> usize {
        let length = self.0.get_length() as usize;
        if length > MessageInfo::MAX_LENGTH {
            MessageInfo::MAX_LENGTH
        } else {
            length
        }
    }

    /// Capabilities the message carries (or carried).
    #[inline(always)]
    pub const fn extra_caps(self) -> usize {
        self.0.get_extra_caps() as usize
    }

    /// One bit per capability that was not transferred but unwrapped into its badge.
    #[inline(always)]
    pub const fn caps_unwrapped(self) -> Word {
        self.0.get_caps_unwrapped()
    }

    /// The packed word.
    #[inline(always)]
    pub const fn bits(self) -> Word {
        self.0.words[0]
    }

    /// From the packed word.
    #[inline(always)]
    pub const fn from_bits(bits: Word) -> MessageInfo {
        MessageInfo(sys::seL4_MessageInfo_t { words: [bits] })
    }

    /// As the kernel's headers have it.
    #[inline(always)]
    pub const fn inner(self) -> sys::seL4_MessageInfo_t {
        self.0
    }
}

impl From<sys::seL4_MessageInfo_t> for MessageInfo {
    #[inline(always)]
    fn from(info: sys::seL4_MessageInfo_t) -> MessageInfo {
        MessageInfo(info)
    }
}

/// A message received, its first words in registers. Words past `info.length()` are meaningless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// The message's description.
    pub info: MessageInfo,
    /// Badge of the capability the sender used, or the word of the bound notification.
    pub badge: Badge,
    /// The first words; the rest, if any, is in the IPC buffer from word 4 on.
    pub mrs: Mrs,
}

impl From<sys::syscall::Received> for Received {
    #[inline(always)]
    fn from(received: sys::syscall::Received) -> Received {
        Received {
            info: received.info.into(),
            badge: received.badge,
            mrs: received.mrs,
        }
    }
}

/// The answer to a call, its first words in registers. Words past `info.length()` are meaningless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// The answer's description.
    pub info: MessageInfo,
    /// The first words; the rest, if any, is in the IPC buffer from word 4 on.
    pub mrs: Mrs,
}
