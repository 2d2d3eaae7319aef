//! The IPC buffer: where it is, and access to its words.
//!
//! This kernel has no register that points at the buffer (TPIDR_EL0 belongs to the program), and every protection
//! domain has exactly one thread with an IPC buffer, so its address is one static per address space, set once by the
//! runtime before anything else.

use core::ptr::{addr_of_mut, null_mut};
use core::sync::atomic::{AtomicPtr, Ordering};

use crate::{seL4_CPtr, seL4_IPCBuffer, seL4_MsgMaxExtraCaps, seL4_MsgMaxLength, seL4_Word};

static BUFFER: AtomicPtr<seL4_IPCBuffer> = AtomicPtr::new(null_mut());

/// Tells where the calling thread's IPC buffer is mapped.
///
/// # Safety
/// `buffer` must be the address the kernel knows as this thread's IPC buffer, mapped readable and writable for as long
/// as the program runs, not used by anything else, and the program must have no other thread that enters the kernel
/// through this crate.
#[allow(non_snake_case)]
pub unsafe fn seL4_SetIPCBuffer(buffer: *mut seL4_IPCBuffer) {
    BUFFER.store(buffer, Ordering::Relaxed);
}

/// The IPC buffer's address; null before [`seL4_SetIPCBuffer`].
#[inline(always)]
#[allow(non_snake_case)]
pub fn seL4_GetIPCBuffer() -> *mut seL4_IPCBuffer {
    BUFFER.load(Ordering::Relaxed)
}

#[inline(always)]
fn buffer() -> *mut seL4_IPCBuffer {
    let buffer = seL4_GetIPCBuffer();
    if buffer.is_null() {
        no_buffer();
    }
    buffer
}

#[cold]
fn no_buffer() -> ! {
    panic!("the IPC buffer is used before the runtime set it")
}

/// Message word `index`; 0 beyond the end of the buffer.
#[inline]
#[allow(non_snake_case)]
pub fn seL4_GetMR(index: usize) -> seL4_Word {
    if index >= seL4_MsgMaxLength as usize {
        return 0;
    }
    // SAFETY: the buffer is valid by the contract of `seL4_SetIPCBuffer`, the index is within `msg`, and no reference
    // into the buffer is ever made.
    unsafe {
        addr_of_mut!((*buffer()).msg)
            .cast::<seL4_Word>()
            .add(index)
            .read()
    }
}

/// Writes message word `index`; does nothing beyond the end of the buffer.
#[inline]
#[allow(non_snake_case)]
pub fn seL4_SetMR(index: usize, value: seL4_Word) {
    if index < seL4_MsgMaxLength as usize {
        // SAFETY: as in `seL4_GetMR`.
        unsafe {
            addr_of_mut!((*buffer()).msg)
                .cast::<seL4_Word>()
                .add(index)
                .write(value)
        }
    }
}

/// Writes capability slot `index` of an outgoing message; does nothing beyond the last slot.
#[inline]
#[allow(non_snake_case)]
pub fn seL4_SetCap(index: usize, cptr: seL4_CPtr) {
    if index < seL4_MsgMaxExtraCaps as usize {
        // SAFETY: as in `seL4_GetMR`, for `caps_or_badges`.
        unsafe {
            addr_of_mut!((*buffer()).caps_or_badges)
                .cast::<seL4_Word>()
                .add(index)
                .write(cptr)
        }
    }
}

/// Capability slot `index` of the message received: the badge of an unwrapped capability. 0 beyond the last slot.
#[inline]
pub fn get_cap_or_badge(index: usize) -> seL4_Word {
    if index >= seL4_MsgMaxExtraCaps as usize {
        return 0;
    }
    // SAFETY: as in `seL4_GetMR`, for `caps_or_badges`.
    unsafe {
        addr_of_mut!((*buffer()).caps_or_badges)
            .cast::<seL4_Word>()
            .add(index)
            .read()
    }
}

/// Says where the next capability received goes: the slot `index`, found from the CNode `root` by `depth` bits.
#[inline]
pub fn set_receive_path(root: seL4_CPtr, index: seL4_CPtr, depth: seL4_Word) {
    let buffer = buffer();
    // SAFETY: as in `seL4_GetMR`, for the three fields of the receive path.
    unsafe {
        addr_of_mut!((*buffer).receiveCNode).write(root);
        addr_of_mut!((*buffer).receiveIndex).write(index);
        addr_of_mut!((*buffer).receiveDepth).write(depth);
    }
}

/// Copies the first `words.len()` message words out of the buffer; words beyond its end are left alone.
#[inline]
pub fn read_message(words: &mut [seL4_Word]) {
    let count = words.len().min(seL4_MsgMaxLength as usize);
    // SAFETY: as in `seL4_GetMR`; `count` words lie within both, which cannot overlap.
    unsafe {
        addr_of_mut!((*buffer()).msg)
            .cast::<seL4_Word>()
            .copy_to_nonoverlapping(words.as_mut_ptr(), count)
    }
}

/// Copies `words` into the first message words of the buffer; words beyond its end are dropped.
#[inline]
pub fn write_message(words: &[seL4_Word]) {
    let count = words.len().min(seL4_MsgMaxLength as usize);
    // SAFETY: as in `read_message`.
    unsafe {
        addr_of_mut!((*buffer()).msg)
            .cast::<seL4_Word>()
            .copy_from_nonoverlapping(words.as_ptr(), count)
    }
}
