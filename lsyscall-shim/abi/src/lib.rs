//! What Linux's arm64 system-call interface is made of: error numbers, typed registers, addresses in a program's memory,
//! flags, constants, and the structures that cross the border.
//!
//! Values and layouts are Linux's (include/uapi, arm64), checked by tests against bindings generated from its headers. This
//! crate must never touch memory it does not own: a `UserPtr` is a number.
#![no_std]
#![deny(unsafe_code)]

pub mod consts;
mod errno;
mod flags;
mod scalar;
pub mod signal;
mod structs;
mod user;

pub use errno::Errno;
pub use flags::{
    AtFlags, CloneFlags, EpollFlags, EventfdFlags, FallocMode, GetrandomFlags, MapFlags,
    MemfdFlags, MountFlags, MremapFlags, OpenFlags, PollFlags, ProtFlags, RenameFlags, SaFlags,
    TimerFlags, WaitOptions,
};
pub use scalar::{ClockId, Fd, FromArg, Gid, Mode, Pid, Signal, ThreadIdx, Uid};
pub use signal::SigSet;
pub use structs::*;
pub use user::{UserAddr, UserArray, UserPath, UserPtr, UserSlice, UserStr, UserStrVec};

/// Longest path name, its NUL included.
pub const PATH_MAX: usize = 4096;
/// Longest file name.
pub const NAME_MAX: usize = 255;
