//! Raw seL4 system calls, invocations and layouts, generated from the kernel tree in `SEL4_PREFIX`.
//!
//! Names are those of libsel4, so the kernel's manual applies word for word; the crate `sel4` puts types around them.
//! What is written by hand here is only how to enter the kernel ([`syscall`]) and how to reach the IPC buffer
//! ([`ipc_buffer`]); numbers, labels, packing and structs are generated.
//!
//! Stubs are safe functions although an invocation can take memory away from under a program (unmap it, say): as with
//! `/proc/self/mem`, what capabilities do to an address space is outside Rust's notion of safety. Giving memory to a
//! program so that Rust may use it is the unsafe step, and happens at the user of the address.
#![no_std]

pub mod ipc_buffer;
pub mod syscall;

pub use generated::*;
pub use ipc_buffer::{seL4_GetIPCBuffer, seL4_GetMR, seL4_SetCap, seL4_SetIPCBuffer, seL4_SetMR};
pub use sel4_config as config;

/// What the build script wrote.
#[allow(
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    clippy::all
)]
mod generated {
    use crate::ipc_buffer::{seL4_GetMR, seL4_SetCap, seL4_SetMR};
    use crate::syscall::invoke;

    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}

/// Words of a message that travel in registers.
pub const MESSAGE_REGISTERS: usize = 4;
