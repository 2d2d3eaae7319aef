//! The memory manager: address spaces, page faults, memory objects (VMOs), futexes.
//!
//! It owns all memory that is not the plan's: frames for programs and files, page tables, and untyped memory for the kernel
//! objects of the components above. It is the only component that maps, and the only one that touches the memory of
//! programs; the others name it and have bytes moved. It never calls another component: what a program did wrong waits in a
//! queue for procmgr ([`memmgr_api::MemEvent`]), and time-outs go through an alarm.
//!
//! The logic runs against the trait [`machine::Machine`], so that it is tested on the host.
#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]

extern crate alloc;

mod alarm;
mod boot;
mod calls;
mod copy;
mod fault;
mod frames;
mod futex;
mod futex_calls;
mod futex_pi;
mod heaps;
mod ids;
mod initrd;
pub mod machine;
mod maps;
mod pagein;
mod policy;
mod ranges;
mod remap;
mod robust;
mod server;
mod service;
mod space;
mod table;
mod tree;
mod vma;
mod vmo;

#[cfg(test)]
mod tests;

pub use boot::{Deps, NewError};
pub use server::Server;

/// The component. In a domain it runs on the kernel, on the host on memory of its own.
#[cfg(target_os = "none")]
pub type MemMgr = Server<machine::sel4::Sel4>;
/// The component. In a domain it runs on the kernel, on the host on memory of its own.
#[cfg(not(target_os = "none"))]
pub type MemMgr = Server<machine::fake::Fake>;
