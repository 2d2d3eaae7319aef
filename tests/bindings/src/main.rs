//! A root task that exercises the seL4 bindings, and with them the kernel's patches, on the real kernel.
//!
//! It prints `PASS name` or `FAIL name: reason` for each test and `DONE passed=N failed=N` at the end, on the kernel's
//! debug console or, on a release kernel, on the PL011 directly. `SKIP name: reason` marks what this machine cannot show.
//!
//! It must never need a system around it: loader, kernel and this program are all there is.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
extern crate alloc;
#[cfg(target_os = "none")]
mod target;

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!("this is a root task: it runs on seL4 only");
}
