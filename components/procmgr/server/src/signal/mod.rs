//! Signals: what is pending, what happens, and how a handler is entered and left.

pub mod action;
pub(crate) mod deliver;
mod frame;
mod queue;
mod send;
mod stop;

pub use action::{Disposition, SigAction};
pub use frame::{read_frame, READ_BYTES};
pub use queue::{Info, Queue, MAX_QUEUED, SI_TKILL, SI_USER};
