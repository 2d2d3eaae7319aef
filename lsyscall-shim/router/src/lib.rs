//! Call context and typed dispatch of lsyscalls.
#![no_std]
#![deny(unsafe_code)]

mod call;

pub use call::{done, encode_result, Caller, Flow, SysResult, MESSAGE_WORDS};
