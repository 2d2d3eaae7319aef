//! The thread's IPC buffer.

use crate::{sys, CPtr, Word};

/// Access to the words of this thread's IPC buffer. A handle without state: all copies are the same buffer.
#[derive(Debug, Clone, Copy)]
pub struct IpcBuffer(());

/// This thread's IPC buffer. Using it before [`set_ipc_buffer`] panics.
#[inline(always)]
pub fn ipc_buffer() -> IpcBuffer {
    IpcBuffer(())
}

/// Tells where this address space's one seL4 thread has its IPC buffer.
///
/// # Safety
/// `address` must be the address the kernel knows as the thread's IPC buffer, mapped readable and writable for as long
/// as the program runs, not used by anything else, and no other thread of this address space may use this crate.
#[allow(unsafe_code)]
pub unsafe fn set_ipc_buffer(address: *mut u8) {
    // SAFETY: the caller's promise is the callee's requirement.
    unsafe { sys::seL4_SetIPCBuffer(address.cast()) }
}

impl IpcBuffer {
    /// Message word `index`, 0 past the end.
    #[inline(always)]
    pub fn mr(self, index: usize) -> Word {
        sys::seL4_GetMR(index)
    }

    /// Sets message word `index`; does nothing past the end.
    #[inline(always)]
    pub fn set_mr(self, index: usize, value: Word) {
        sys::seL4_SetMR(index, value);
    }

    /// Copies the first words of the message out.
    #[inline]
    pub fn read(self, words: &mut [Word]) {
        sys::ipc_buffer::read_message(words);
    }

    /// Sets the first words of the message.
    #[inline]
    pub fn write(self, words: &[Word]) {
        sys::ipc_buffer::write_message(words);
    }

    /// Names capability `index` of the next message sent with capabilities.
    #[inline]
    pub fn set_cap(self, index: usize, cap: impl Into<CPtr>) {
        sys::seL4_SetCap(index, cap.into().bits());
    }

    /// The badge of capability `index` of the message received, if it was unwrapped.
    #[inline]
    pub fn cap_badge(self, index: usize) -> Word {
        sys::ipc_buffer::get_cap_or_badge(index)
    }
}
