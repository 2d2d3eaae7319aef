//! Starts seL4 on QEMU's "virt" board: entered as an arm64 Image, it puts the kernel and the root task in place, tells the
//! kernel about the memory and the root task about the board, and enters the kernel.
//!
//! What is decided is in the library, what is done is here. Every failure is printed on the UART with its reason, and
//! the machine stops.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod target;

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!("the loader runs on the target only");
}
