//! Entry, heap and boot info for a root task.
//!
//! A root task names its main function with [`entry!`] and gets a stack with a guard page below it, a heap, the IPC
//! buffer set up and a [`BootInfo`]. It is an ordinary static ELF at the linker's default address; its loader must
//! zero what the segments leave open (`.bss`) and put the boot blob on the page behind the image ([`BootInfo::blob`]).
//!
//! A panic is printed on kernels that can print, given to the hook of [`set_panic_hook`], and then the thread suspends
//! itself: the rest of the system goes on.
//!
//! The crate must never make, map or delete objects: what the kernel gave belongs to the root task.
#![no_std]

mod boot_info;
pub mod heap;
#[cfg(target_os = "none")]
mod panicking;
mod start;

pub use boot_info::{BootInfo, UntypedDesc};
#[cfg(target_os = "none")]
pub use panicking::{set_panic_hook, stop};
pub use sel4;
#[doc(hidden)]
pub use start::{start, Stack};

/// Bytes of a page.
pub const PAGE_SIZE: usize = sel4::GRANULE_SIZE;

/// Makes `$main`, a `fn(BootInfo) -> !`, what the kernel starts.
///
/// `stack` and `heap` are sizes in bytes, multiples of 4096; without them there are 64 KiB of stack and 1 MiB of heap.
///
/// ```ignore
/// sel4_root_task::entry!(main, stack = 128 * 1024, heap = 4 << 20);
///
/// fn main(boot: sel4_root_task::BootInfo) -> ! { ... }
/// ```
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        $crate::entry!($main, stack = 64 * 1024, heap = 1024 * 1024);
    };
    ($main:path, stack = $stack:expr, heap = $heap:expr $(,)?) => {
        #[doc(hidden)]
        mod sel4_root_task_entry {
            #[allow(unused_imports)]
            use super::*;

            const STACK_SIZE: usize = $stack;
            static STACK: $crate::Stack<STACK_SIZE> = $crate::Stack::new();
            static HEAP: $crate::heap::Arena<{ $heap }> = $crate::heap::Arena::new();

            // The kernel starts the thread with the boot info's address in x0 and nothing else.
            ::core::arch::global_asm!(
                ".section .text._start, \"ax\", %progbits",
                ".global _start",
                ".type _start, %function",
                "_start:",
                "mov x29, xzr",
                "mov x30, xzr",
                "adrp x1, {stack}",
                "add x1, x1, :lo12:{stack}",
                "ldr x2, ={size}",
                "add sp, x1, x2",
                "b {main}",
                ".ltorg",
                ".size _start, . - _start",
                ".text",
                stack = sym STACK,
                size = const STACK_SIZE,
                main = sym run,
            );

            extern "C" fn run(boot_info: *const u8) -> ! {
                let main: fn($crate::BootInfo) -> ! = $main;
                // SAFETY: only `_start` comes here, once, with what the kernel passed.
                let boot = unsafe { $crate::start(boot_info, &STACK, &HEAP) };
                main(boot)
            }
        }
    };
}
