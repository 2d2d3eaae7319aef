//! A domain's program that checks what the root task made of the plan, for the system of `manifests/systems/probe.toml`.
//!
//! It carries the plan and compares: every capability the plan names is there, no other is, badges
//! and rights are the plan's, memory is mapped as the plan says and the rest was handed over. It prints `PASS name` or
//! `FAIL name: reason` for each check and `DONE passed=N failed=N` at the end.
//! It must never use the runtime it helps to test: it sees what the root task leaves, and no more.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
extern crate alloc;
#[cfg(target_os = "none")]
mod target;

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!("this is the program of a protection domain: it runs on seL4 only");
}
