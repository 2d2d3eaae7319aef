//! How to enter the kernel: `svc #0` with the system call number in x7, the capability in x0, the message info in x1 and
//! the first four message words in x2 to x5. The kernel keeps every other register.
//!
//! A message word that the message received is too short for holds what the register held before; callers look at the
//! length. All functions here are compiler barriers for memory, because the other side may share some.

#[cfg(target_arch = "aarch64")]
use core::arch::asm;

use crate::{
    seL4_CPtr, seL4_Error, seL4_MessageInfo_t, seL4_NoError, seL4_SetMR, seL4_SysCall, seL4_Word,
};

/// Message words in registers.
pub type Mrs = [seL4_Word; crate::MESSAGE_REGISTERS];

/// What a receive brings: badge, info, words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Badge of the capability the sender used, or of the notification.
    pub badge: seL4_Word,
    /// The message's description.
    pub info: seL4_MessageInfo_t,
    /// The first words.
    pub mrs: Mrs,
}

/// Sends and receives: `Call`, `ReplyRecv`.
#[inline(always)]
pub fn send_recv(number: i64, cptr: seL4_CPtr, info: seL4_MessageInfo_t, mrs: Mrs) -> Received {
    let [mut m0, mut m1, mut m2, mut m3] = mrs;
    let (mut badge, mut tag) = (cptr, info.words[0]);
    #[cfg(target_arch = "aarch64")]
    // SAFETY: the kernel changes x0 to x5 only, and of memory at most this thread's IPC buffer, which is accessed only
    // through raw pointers; no stack is used.
    unsafe {
        asm!("svc #0", in("x7") number, inout("x0") badge, inout("x1") tag,
            inout("x2") m0, inout("x3") m1, inout("x4") m2, inout("x5") m3, options(nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "aarch64"))]
    no_kernel::<_, ()>(
        number,
        (&mut badge, &mut tag, &mut m0, &mut m1, &mut m2, &mut m3),
    );
    Received {
        badge,
        info: seL4_MessageInfo_t { words: [tag] },
        mrs: [m0, m1, m2, m3],
    }
}

/// Sends without an answer: `Send`, `NBSend`, `Reply` (which ignores `cptr`).
#[inline(always)]
pub fn send(number: i64, cptr: seL4_CPtr, info: seL4_MessageInfo_t, mrs: Mrs) {
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as in `send_recv`.
    unsafe {
        asm!("svc #0", in("x7") number, inout("x0") cptr => _, inout("x1") info.words[0] => _,
            inout("x2") mrs[0] => _, inout("x3") mrs[1] => _, inout("x4") mrs[2] => _, inout("x5") mrs[3] => _,
            options(nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "aarch64"))]
    no_kernel::<_, ()>(number, (cptr, info, mrs));
}

/// Sends a message without words: signals a notification.
#[inline(always)]
pub fn send_null(number: i64, cptr: seL4_CPtr, info: seL4_MessageInfo_t) {
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as in `send_recv`.
    unsafe {
        asm!("svc #0", in("x7") number, inout("x0") cptr => _, inout("x1") info.words[0] => _,
            options(nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "aarch64"))]
    no_kernel::<_, ()>(number, (cptr, info));
}

/// Receives: `Recv`, `NBRecv`.
#[inline(always)]
pub fn recv(number: i64, cptr: seL4_CPtr) -> Received {
    let mut badge = cptr;
    #[cfg(target_arch = "aarch64")]
    let (tag, m0, m1, m2, m3);
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as in `send_recv`.
    unsafe {
        asm!("svc #0", in("x7") number, inout("x0") badge, out("x1") tag,
            out("x2") m0, out("x3") m1, out("x4") m2, out("x5") m3, options(nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "aarch64"))]
    let (tag, m0, m1, m2, m3) = no_kernel(number, &mut badge);
    Received {
        badge,
        info: seL4_MessageInfo_t { words: [tag] },
        mrs: [m0, m1, m2, m3],
    }
}

/// Enters the kernel with nothing but a number: `Yield`, `DebugHalt`, `DebugSnapshot`.
#[inline(always)]
pub fn null(number: i64) {
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as in `send_recv`.
    unsafe {
        asm!("svc #0", in("x7") number, options(nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "aarch64"))]
    no_kernel::<_, ()>(number, ());
}

/// Calls an object of the kernel.
///
/// # Errors
/// The error label of the answer; its words are in the IPC buffer then (if there is one), as libsel4 has it.
#[inline(always)]
pub fn invoke(service: seL4_CPtr, tag: seL4_MessageInfo_t, mrs: Mrs) -> Result<Mrs, seL4_Error> {
    let answer = send_recv(seL4_SysCall, service, tag, mrs);
    let error = answer.info.get_label();
    if error == seL4_NoError {
        return Ok(answer.mrs);
    }
    keep_details(&answer.mrs);
    Err(error)
}

#[cold]
fn keep_details(mrs: &Mrs) {
    if !crate::seL4_GetIPCBuffer().is_null() {
        for (index, word) in mrs.iter().enumerate() {
            seL4_SetMR(index, *word);
        }
    }
}

/// Hosts have no seL4: code that reaches this was not meant to run there. (Types and decoding are tested on the host.)
#[cfg(not(target_arch = "aarch64"))]
#[cold]
fn no_kernel<T, R>(number: i64, _arguments: T) -> R {
    panic!("seL4 system call {number} on a host without seL4")
}
