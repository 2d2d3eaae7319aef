//! Component interfaces as messages.
//!
//! An interface is declared once with [`interface!`]. That yields
//! - a trait `Name` with `&self` methods: what a component that *uses* the interface is generic over;
//! - a trait `NameService` with `&mut self` methods: what the server implements;
//! - `impl Name for Shared<S>`: the direct call, for components of one protection domain;
//! - `NameClient<T>`: the call by IPC over a [`Transport`], for components of different domains;
//! - `name_dispatch`: decodes a message and calls the service.
//!
//! A message is at most [`MAX_WORDS`] words and one capability. Decoding never panics: a message that does not decode is
//! answered with [`BAD_MESSAGE`].
#![no_std]
#![deny(unsafe_code)]

extern crate alloc;

mod interface;
mod message;
mod wire;

pub use interface::{Shared, Transport};
pub use message::{Message, Reader, Writer, MAX_WORDS};
pub use wire::{Bytes, Cap, Chunk, Wire, CHUNK_BYTES};

/// Reply label: the call was served (its own `Result` is in the words).
pub const SERVED: u32 = 0;
/// Reply label: the request did not decode or named no method of the interface.
pub const BAD_MESSAGE: u32 = 1;

#[cfg(test)]
mod tests;

/// Names the interface macro needs; not for direct use.
#[doc(hidden)]
pub mod reexport {
    pub use lsyscall_abi::Errno;
}
