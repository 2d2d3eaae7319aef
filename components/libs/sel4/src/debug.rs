//! What debug kernels offer: a character at a time to the serial line, and a few looks inside.
//!
//! On a kernel without these calls every function here does nothing, so callers need no conditions.

use core::fmt;

use crate::sys::{optional_syscall, syscall};
use crate::{CPtr, MessageInfo};

/// Whether this kernel can print.
pub const AVAILABLE: bool = optional_syscall::PUT_CHAR.is_some();

fn enter(number: Option<i64>, argument: u64) -> u64 {
    match number {
        Some(number) => {
            let info = MessageInfo::from_bits(0).inner();
            syscall::send_recv(number, argument, info, [0; 4]).badge
        }
        None => 0,
    }
}

/// Prints one byte.
pub fn put_char(byte: u8) {
    enter(optional_syscall::PUT_CHAR, u64::from(byte));
}

/// Prints the state of all threads.
pub fn snapshot() {
    enter(optional_syscall::SNAPSHOT, 0);
}

/// Stops the machine, on a kernel that can.
pub fn halt() {
    enter(optional_syscall::HALT, 0);
}

/// The kernel's number for the type of the capability at `cptr`; 0 if there is none, or on a kernel that does not tell.
pub fn cap_identify(cptr: impl Into<CPtr>) -> u64 {
    enter(optional_syscall::CAP_IDENTIFY, cptr.into().bits())
}

/// Writes to the kernel's serial line.
#[derive(Debug, Clone, Copy, Default)]
pub struct Writer;

impl fmt::Write for Writer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if AVAILABLE {
            text.bytes().for_each(put_char);
        }
        Ok(())
    }
}

/// Prints to the kernel's serial line, on a kernel that can.
#[macro_export]
macro_rules! debug_print {
    ($($argument:tt)*) => {{
        let _ = ::core::fmt::Write::write_fmt(&mut $crate::debug::Writer, ::core::format_args!($($argument)*));
    }};
}

/// Prints a line to the kernel's serial line, on a kernel that can.
#[macro_export]
macro_rules! debug_println {
    () => { $crate::debug_print!("\n") };
    ($($argument:tt)*) => {{
        $crate::debug_print!($($argument)*);
        $crate::debug_print!("\n");
    }};
}
