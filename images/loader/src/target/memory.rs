//! Physical memory, which is mapped where it is.

use core::arch::asm;
use core::slice;

use persona_loader::range::Range;

/// The bytes of a range.
///
/// # Safety
///
/// The range is mapped memory which nothing writes while the slice is used.
pub unsafe fn bytes<'a>(range: Range) -> &'a [u8] {
    // SAFETY: see above; bytes have no alignment and no invalid values.
    unsafe { slice::from_raw_parts(range.start as *const u8, range.len() as usize) }
}

/// The bytes of a range, to be written.
///
/// # Safety
///
/// The range is mapped RAM which nothing else uses while the slice is used.
pub unsafe fn bytes_mut<'a>(range: Range) -> &'a mut [u8] {
    // SAFETY: see above.
    unsafe { slice::from_raw_parts_mut(range.start as *mut u8, range.len() as usize) }
}

/// Copies to a range from the same number of bytes elsewhere; they may overlap.
///
/// # Safety
///
/// Both are mapped, and the target is RAM which nothing else uses.
pub unsafe fn copy(from: u64, to: Range) {
    // SAFETY: see above.
    unsafe { core::ptr::copy(from as *const u8, to.start as *mut u8, to.len() as usize) };
}

/// Zeroes a range.
///
/// # Safety
///
/// The range is mapped RAM which nothing else uses.
pub unsafe fn zero(range: Range) {
    // SAFETY: see above.
    unsafe { core::ptr::write_bytes(range.start as *mut u8, 0, range.len() as usize) };
}

/// Makes code that was written as data visible to the instruction side.
pub fn sync_code(range: Range) {
    let ctr: u64;
    // SAFETY: reads an identification register.
    unsafe { asm!("mrs {}, ctr_el0", out(reg) ctr, options(nomem, nostack, preserves_flags)) };
    let line = 4u64 << ((ctr >> 16) & 0xf);
    let mut at = range.start & !(line - 1);
    while at < range.end {
        // SAFETY: cleaning the cache changes no memory.
        unsafe { asm!("dc cvau, {}", in(reg) at, options(nostack, preserves_flags)) };
        at += line;
    }
    // SAFETY: barriers and the invalidation of a clean cache.
    unsafe {
        asm!(
            "dsb ish",
            "ic iallu",
            "dsb ish",
            "isb",
            options(nostack, preserves_flags)
        )
    };
}
