//! What the kernel answers when an invocation fails.

use core::fmt;

use crate::sys;

/// Result of an invocation.
pub type Result<T> = core::result::Result<T, Error>;

/// The kernel's error label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// An argument is not among the values allowed.
    InvalidArgument,
    /// A capability argument is of the wrong type or missing.
    InvalidCapability,
    /// The operation is not allowed on this object in its state.
    IllegalOperation,
    /// An argument is out of its range.
    RangeError,
    /// An address is not aligned as it must be.
    AlignmentError,
    /// An address did not lead to a capability or to a paging structure; see [`failed_lookup_bits`].
    FailedLookup,
    /// The message is shorter than the invocation needs.
    TruncatedMessage,
    /// A slot holds a capability, or an object a mapping, that must be deleted first.
    DeleteFirst,
    /// The object has descendants that must be revoked first.
    RevokeFirst,
    /// The untyped is too small for what is to be made.
    NotEnoughMemory,
    /// A label this crate does not know.
    Unknown(u64),
}

impl From<sys::seL4_Error> for Error {
    #[cold]
    fn from(label: sys::seL4_Error) -> Error {
        match label {
            sys::seL4_InvalidArgument => Error::InvalidArgument,
            sys::seL4_InvalidCapability => Error::InvalidCapability,
            sys::seL4_IllegalOperation => Error::IllegalOperation,
            sys::seL4_RangeError => Error::RangeError,
            sys::seL4_AlignmentError => Error::AlignmentError,
            sys::seL4_FailedLookup => Error::FailedLookup,
            sys::seL4_TruncatedMessage => Error::TruncatedMessage,
            sys::seL4_DeleteFirst => Error::DeleteFirst,
            sys::seL4_RevokeFirst => Error::RevokeFirst,
            sys::seL4_NotEnoughMemory => Error::NotEnoughMemory,
            other => Error::Unknown(other),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Error::InvalidArgument => "invalid argument",
            Error::InvalidCapability => "invalid capability",
            Error::IllegalOperation => "illegal operation",
            Error::RangeError => "argument out of range",
            Error::AlignmentError => "address not aligned",
            Error::FailedLookup => "lookup failed",
            Error::TruncatedMessage => "message too short",
            Error::DeleteFirst => "delete first",
            Error::RevokeFirst => "revoke first",
            Error::NotEnoughMemory => "not enough memory",
            Error::Unknown(label) => return write!(f, "unknown kernel error {label}"),
        };
        f.write_str(text)
    }
}

impl core::error::Error for Error {}

/// After a mapping failed with [`Error::FailedLookup`]: how many bits of the address the missing paging structure
/// leaves untranslated (see [`crate::PagingLevel::from_failed_lookup`]). Only valid until the IPC buffer is used again.
pub fn failed_lookup_bits() -> u64 {
    sys::seL4_GetMR(sys::SEL4_MAPPING_LOOKUP_LEVEL as usize)
}
