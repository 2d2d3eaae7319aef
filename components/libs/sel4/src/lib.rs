//! Typed capabilities and invocations of seL4.
//!
//! A [`Cap`] is the address of a capability in the caller's CSpace together with the type of object it is believed to
//! name; [`cap`] lists the types. Methods are the object's invocations and return [`Error`] as the kernel gave it.
//! Message passing comes twice: `*_mrs` methods move up to four words in registers and touch no memory; the others move
//! whole messages through the IPC buffer ([`ipc_buffer`]).
//!
//! The runtime calls [`set_ipc_buffer`] once per address space; everything else is safe (see `sel4-sys` for what that
//! means). This crate never panics on what a peer sends.
#![no_std]
#![deny(unsafe_code)]

pub mod cap;
pub mod debug;
pub mod init_thread;

mod bits;
mod cnode;
mod error;
mod fault;
mod ipc;
mod ipc_buffer;
mod irq;
mod message;
mod object;
mod tcb;
mod vspace;

#[cfg(test)]
mod tests;

pub use bits::{CNodeCapData, CapData, CapRights, VmAttributes};
pub use cap::{CPtr, Cap, CapType};
pub use cnode::AbsoluteCPtr;
pub use error::{failed_lookup_bits, Error, Result};
pub use fault::{CapFault, Fault, LookupFailure, UnknownSyscall, UserException, VmFault};
pub use ipc::{reply, reply_mrs, yield_now};
pub use ipc_buffer::{ipc_buffer, set_ipc_buffer, IpcBuffer};
pub use message::{Call, MessageInfo, Mrs, Received};
pub use object::ObjectBlueprint;
pub use sel4_config as config;
pub use sel4_sys as sys;
pub use tcb::{PrioProps, UserContext};
pub use vspace::{PagingLevel, ASID_POOL_SIZE, GRANULE_SIZE, HUGE_PAGE_SIZE, LARGE_PAGE_SIZE};

/// A machine word.
pub type Word = u64;
/// What a badged capability tells its receiver: 28 bits on this kernel.
pub type Badge = u64;
