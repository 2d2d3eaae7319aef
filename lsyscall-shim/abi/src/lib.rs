//! Linux types, errno values and user pointers.
#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]

mod errno;
mod ids;

pub use errno::{Errno, MAX_ERRNO};
pub use ids::ThreadIdx;
