//! What the loader decides, apart from what it does: reading the device tree, and where everything goes.
//!
//! It runs on the host too, for its tests. It touches no memory it is not given.
#![no_std]
#![deny(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod board;
pub mod error;
pub mod placement;
pub mod range;
pub mod regions;

pub use error::Error;
