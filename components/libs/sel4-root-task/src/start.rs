//! What happens between the first instruction and main.

use core::cell::UnsafeCell;

use crate::heap::Arena;
use crate::{BootInfo, PAGE_SIZE};

/// The stack. Its lowest page is taken out of the address space, so that an overflow is a fault and not corruption.
#[repr(C, align(4096))]
pub struct Stack<const SIZE: usize>(UnsafeCell<[u8; SIZE]>);

// SAFETY: the bytes are only used through the stack pointer of the one thread.
unsafe impl<const SIZE: usize> Sync for Stack<SIZE> {}

impl<const SIZE: usize> Stack<SIZE> {
    /// A stack of zeros.
    pub const fn new() -> Stack<SIZE> {
        assert!(
            SIZE.is_multiple_of(PAGE_SIZE) && SIZE >= 4 * PAGE_SIZE,
            "stack size"
        );
        Stack(UnsafeCell::new([0; SIZE]))
    }
}

impl<const SIZE: usize> Default for Stack<SIZE> {
    fn default() -> Self {
        Self::new()
    }
}

/// Sets up IPC buffer, stack guard and heap.
///
/// # Safety
/// To be called once, before anything else of this crate, with the address the kernel passed and with the stack in use.
pub unsafe fn start<const STACK: usize, const HEAP: usize>(
    boot_info: *const u8,
    stack: &'static Stack<STACK>,
    heap: &'static Arena<HEAP>,
) -> BootInfo {
    // SAFETY: the kernel maps the boot info there for good; nothing writes to it.
    let boot = unsafe { BootInfo::from_address(boot_info) };
    // SAFETY: the boot info holds the address of this thread's buffer; the root task has one thread.
    unsafe { sel4::set_ipc_buffer(boot.ipc_buffer()) };
    // SAFETY: each heap arena comes from one `entry!`, which calls this once.
    unsafe { heap.claim() };
    if let Some(guard) = boot.image_frame(stack.0.get() as usize) {
        // A guard that cannot be made is no reason not to start.
        let _ = guard.unmap();
    }
    boot
}
