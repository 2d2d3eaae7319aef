//! What a protection domain runs on: entry, heap, capability slots, calls to other domains, parked replies, and the event
//! loop that hands each message to the component it is for.
//!
//! The compiler of the system manifest writes a domain's `main.rs` against this crate: [`entry!`], [`Runtime::host`] for each
//! component, [`Runtime::serve`]. A domain has one thread, one endpoint and one notification bound to it; it runs every
//! event to its end and never waits for a client.
//! It must never know what a component does, nor panic on what a client sends.
#![no_std]

extern crate alloc;

mod heap;
mod logging;
mod mem;
mod panicking;
mod remote;
mod replies;
mod runtime;
mod serve;
mod slots;
mod start;
mod time;
mod trace;

pub use remote::Remote;
pub use runtime::{EnvTable, Runtime, WakeTarget};
pub use serve::{Entries, Hosted, HostedComponent};
#[doc(hidden)]
pub use start::start;
pub use time::now_ns;
