//! One line a system call, as strace(1) writes them, from the types in the system-call table.
//!
//! Memory of the program is only read through a [`UserReader`], a bounded number of bytes a call, and a line is bounded too.
//! A wrong pointer is shown as its address. This crate must never change anything of the call it shows.
#![no_std]
#![deny(unsafe_code)]

extern crate alloc;

mod filter;
mod flags;
mod memory;
mod scalar;

use alloc::string::String;
use core::fmt::Write;

use lsyscall_abi::{Errno, OpenFlags};
use lsyscall_table::{by_number, Arg, ArgType, Ret, Row, Scalar};

pub use filter::{BadFilter, Filter};

/// Reads memory of the program whose call is shown.
pub trait UserReader {
    /// Copies bytes from `addr`; returns how many could be read.
    fn read(&mut self, addr: u64, buf: &mut [u8]) -> usize;
}

/// A reader that reads nothing: pointers are shown as addresses.
pub struct NoMemory;

impl UserReader for NoMemory {
    fn read(&mut self, _: u64, _: &mut [u8]) -> usize {
        0
    }
}

/// How the call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With this value in x0.
    Value(i64),
    /// It does not return (exit, execve that succeeded, sigreturn).
    Gone,
    /// Not yet.
    Unfinished,
}

impl Outcome {
    /// The non-negative result, if there is one.
    const fn success(self) -> Option<i64> {
        match self {
            Outcome::Value(value) if Errno::from_result(value).is_none() => Some(value),
            _ => None,
        }
    }
}

/// What a value of the table is rendered from.
pub(crate) struct Context<'a> {
    pub(crate) args: &'a [u64; 6],
    pub(crate) user: &'a mut dyn UserReader,
    pub(crate) outcome: Outcome,
}

/// The line of a call, without a line end: `[7] close(3) = 0`. A number the table does not know is shown with plain
/// registers.
pub fn render(
    tid: i32,
    nr: u64,
    args: &[u64; 6],
    user: &mut dyn UserReader,
    outcome: Outcome,
) -> String {
    let mut line = String::new();
    let _ = write!(line, "[{tid}] ");
    let mut context = Context {
        args,
        user,
        outcome,
    };
    match by_number(nr) {
        Some(row) => {
            call(&mut line, row, &mut context);
            ending(&mut line, row.ret, outcome);
        }
        None => {
            let _ = write!(line, "syscall_{nr:#x}(");
            for (i, arg) in args.iter().enumerate() {
                let _ = write!(line, "{}{arg:#x}", if i == 0 { "" } else { ", " });
            }
            line.push(')');
            ending(&mut line, Ret::Int, outcome);
        }
    }
    line
}

fn call(line: &mut String, row: &Row, context: &mut Context<'_>) {
    line.push_str(row.name);
    line.push('(');
    let mut separator = "";
    for (arg, index) in row.args.iter().zip(0..6usize) {
        if is_idle(row, arg, context.args) {
            continue;
        }
        line.push_str(separator);
        separator = ", ";
        argument(line, row, arg, index, context);
    }
    line.push(')');
}

/// The mode of an open that creates nothing means nothing.
fn is_idle(row: &Row, arg: &Arg, args: &[u64; 6]) -> bool {
    arg.ty == ArgType::Scalar(Scalar::Mode)
        && row
            .args
            .iter()
            .zip(args)
            .any(|(a, raw)| a.ty == ArgType::Scalar(Scalar::OpenFlags) && !flags::creates(*raw))
}

fn argument(line: &mut String, row: &Row, arg: &Arg, index: usize, context: &mut Context<'_>) {
    let raw = context.args.get(index).copied().unwrap_or(0);
    match arg.ty {
        // Where nothing is opened by name there is no access mode.
        ArgType::Scalar(Scalar::OpenFlags) if !row.args.iter().any(|a| a.ty == ArgType::Path) => {
            flags::list::<OpenFlags>(line, "O_", raw);
        }
        ArgType::Scalar(kind) => scalar::write(line, kind, raw),
        ArgType::Path | ArgType::Str => memory::string(line, raw, context.user),
        ArgType::StrVec => memory::strings(line, raw, context.user),
        ArgType::BufIn(len) => memory::bytes(line, raw, length(context, len), context.user),
        ArgType::BufOut(len) => match context.outcome.success() {
            Some(got) => memory::bytes(
                line,
                raw,
                length(context, len).min(got as u64),
                context.user,
            ),
            None => memory::address(line, raw),
        },
        ArgType::InArr(what, len) => memory::array(line, what, raw, length(context, len), context),
        ArgType::OutArr(what, _) => match context.outcome.success() {
            Some(got) => memory::array(line, what, raw, got as u64, context),
            None => memory::address(line, raw),
        },
        ArgType::In(what) | ArgType::InOut(what) => memory::structure(line, what, raw, context),
        ArgType::Out(what) if context.outcome.success().is_some() => {
            memory::structure(line, what, raw, context)
        }
        ArgType::Out(_) => memory::address(line, raw),
    }
}

fn length(context: &Context<'_>, index: u8) -> u64 {
    context.args.get(usize::from(index)).copied().unwrap_or(0)
}

fn ending(line: &mut String, ret: Ret, outcome: Outcome) {
    let value = match outcome {
        Outcome::Unfinished => {
            line.push_str(" <unfinished ...>");
            return;
        }
        Outcome::Gone => {
            line.push_str(" = ?");
            return;
        }
        Outcome::Value(value) => value,
    };
    let _ = match (Errno::from_result(value), ret) {
        (Some(errno), _) if errno.is_restart() => write!(line, " = ? {errno}"),
        (Some(errno), _) => write!(line, " = -1 {errno}"),
        (None, Ret::Addr) => write!(line, " = {value:#x}"),
        (None, Ret::Mode) => write!(line, " = 0{value:o}"),
        (None, _) => write!(line, " = {value}"),
    };
}
