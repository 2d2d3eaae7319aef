//! The one table of aarch64 Linux system calls.
//!
//! `syscalls.tbl` holds every number with its name, class, serving component, typed arguments and support level; the build
//! script checks it and turns it into [`TABLE`], [`ROUTES`] and [`ROUTE_TABLE`]. Dispatch, tracing, the support page and the
//! kernel's route table all come from here. This crate must never hold behaviour: only what a row says.
#![no_std]
#![deny(unsafe_code)]

mod render;
mod types;

pub use render::{write_support, Format};
pub use types::{ArgType, Class, Component, Level, Ret, Scalar, POINTEES};

/// One argument of a call; its position in [`Row::args`] is its register, x0 to x5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arg {
    /// The name the manual pages use.
    pub name: &'static str,
    /// Its type.
    pub ty: ArgType,
    /// Whether it is the length of a buffer or array of the same row, which handlers get inside that slice.
    pub folded: bool,
}

/// One system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The number in x8.
    pub nr: u16,
    /// The kernel's name.
    pub name: &'static str,
    /// By which class the kernel dispatches it.
    pub class: Class,
    /// Who serves it.
    pub component: Component,
    /// How much of it there is.
    pub level: Level,
    /// At most six arguments.
    pub args: &'static [Arg],
    /// What it returns.
    pub ret: Ret,
    /// What is missing, or odd. May be empty.
    pub note: &'static str,
}

/// A slot of a Linux thread's CNode and the endpoint it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The slot, from 1.
    pub slot: u8,
    /// The class of the calls that go through it.
    pub class: Class,
    /// The component that serves them.
    pub component: Component,
}

/// The slot of the fault endpoint in a Linux thread's CNode: routes stay below.
pub const FAULT_SLOT: u8 = 31;

include!(concat!(env!("OUT_DIR"), "/table.rs"));

/// The row of a number; `None` for gaps and numbers behind the table.
pub fn by_number(nr: u64) -> Option<&'static Row> {
    usize::try_from(nr)
        .ok()
        .and_then(|nr| TABLE.get(nr))?
        .as_ref()
}

/// The row of a name.
pub fn by_name(name: &str) -> Option<&'static Row> {
    rows().find(|row| row.name == name)
}

/// All rows, by number.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    TABLE.iter().flatten()
}

/// The kernel's route table: for every number below 512 the slot of the calling thread's CNode, 0 for the fault endpoint.
pub const fn routes() -> [u8; 512] {
    ROUTE_TABLE
}

/// The slot of a (class, component) pair, if any call that works goes that way.
pub fn slot(class: Class, component: Component) -> Option<u8> {
    ROUTES
        .iter()
        .find(|r| r.class == class && r.component == component)
        .map(|r| r.slot)
}
