//! The kernel's configuration as constants.
//!
//! Every `CONFIG_` name the kernel was built with is a constant here: integers and switches as `i64` (a switch that is on
//! is 1), strings as `&str`. A switch that is off has no constant; ask for it with [`is_set`]. Build scripts of dependents
//! find the same in `DEP_SEL4_CONFIG_DEFINES`. The values are those of the kernel in `SEL4_PREFIX` and nothing else may
//! state them.
#![no_std]
#![deny(unsafe_code)]

include!(concat!(env!("OUT_DIR"), "/config.rs"));

/// The value of a configuration name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// An integer; a switch that is on is 1.
    Int(i64),
    /// A string.
    Str(&'static str),
}

/// The value of `name`, `None` when this kernel does not define it. Usable in constants.
pub const fn get(name: &str) -> Option<Value> {
    let mut index = 0;
    while index < TABLE.len() {
        if same(TABLE[index].0.as_bytes(), name.as_bytes()) {
            return Some(TABLE[index].1);
        }
        index += 1;
    }
    None
}

/// Whether the switch `name` is on (or the number `name` is not 0). Usable in constants.
pub const fn is_set(name: &str) -> bool {
    match get(name) {
        Some(Value::Int(value)) => value != 0,
        Some(Value::Str(_)) => true,
        None => false,
    }
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut index = 0;
    while index < a.len() {
        if a[index] != b[index] {
            return false;
        }
        index += 1;
    }
    true
}
