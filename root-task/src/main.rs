//! The root task: builds the system its plan describes, then supervises.
//!
//! It carries an archive with the plan (what the manifest compiler made of a system manifest) and the protection domains'
//! programs. It makes every object, capability and mapping the plan names, hands everything that is left to the domains
//! the plan names for it, starts the domains, and from then on only receives their faults and the order to end the run. It
//! has no policy of its own, never blocks on a client, and does not panic on an odd plan: it says which object of which
//! manifest line it could not make.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
extern crate alloc;

#[cfg(target_os = "none")]
mod target;

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!("the root task runs on seL4 only; `cargo xtask run` boots it");
}
