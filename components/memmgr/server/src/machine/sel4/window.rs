//! The window: every frame the manager uses is mapped, readable and writable, at a fixed address of this domain.
//!
//! All `unsafe` of the crate is here. What makes it sound: a frame's address in the window depends on its number alone; the
//! caller has mapped it (`prepare`) before it uses it; nobody but the manager's one thread touches the window, and programs
//! that have the same frame mapped do not run while a server does.
#![allow(unsafe_code)]

use core::arch::asm;

use crate::machine::{Frame, PAGE};

/// Smallest line `dc zva` may clear, as DCZID_EL0 counts words: 64 bytes.
const ZVA_64: u64 = 4;

/// Where the frames are.
pub struct Window {
    base: u64,
    frames: u64,
    zva: bool,
}

impl Window {
    /// A window over the addresses from `base` to `end`.
    pub fn new(base: u64, end: u64) -> Self {
        let id: u64;
        // SAFETY: reading DCZID_EL0 is always allowed and has no effect.
        unsafe { asm!("mrs {}, dczid_el0", out(reg) id, options(nomem, nostack, preserves_flags)) };
        Window {
            base,
            frames: end.saturating_sub(base) / PAGE as u64,
            zva: id & 0x1f == ZVA_64,
        }
    }

    /// Frames that have an address.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// A frame's address.
    pub fn addr(&self, frame: Frame) -> u64 {
        self.base + u64::from(frame.0) * PAGE as u64
    }

    fn ptr(&self, frame: Frame) -> *mut u8 {
        self.addr(frame) as *mut u8
    }

    /// A frame's bytes.
    pub fn bytes(&mut self, frame: Frame) -> &mut [u8; PAGE] {
        // SAFETY: the frame is mapped at this address for good (see above), and the borrow of the window keeps other
        // references into it away.
        unsafe { &mut *self.ptr(frame).cast() }
    }

    /// Zeroes a frame.
    pub fn zero(&mut self, frame: Frame) {
        let start = self.ptr(frame);
        let end = start.wrapping_add(PAGE);
        // SAFETY: the loops write the PAGE bytes from `start` on, which are mapped; both step by 64, which divides PAGE.
        unsafe {
            if self.zva {
                asm!(
                    "2:", "dc zva, {at}", "add {at}, {at}, #64", "dc zva, {at}", "add {at}, {at}, #64",
                    "dc zva, {at}", "add {at}, {at}, #64", "dc zva, {at}", "add {at}, {at}, #64",
                    "cmp {at}, {end}", "b.ne 2b",
                    at = inout(reg) start => _, end = in(reg) end, options(nostack),
                );
            } else {
                asm!(
                    "2:", "stp xzr, xzr, [{at}]", "stp xzr, xzr, [{at}, #16]", "stp xzr, xzr, [{at}, #32]",
                    "stp xzr, xzr, [{at}, #48]", "add {at}, {at}, #64", "cmp {at}, {end}", "b.ne 2b",
                    at = inout(reg) start => _, end = in(reg) end, options(nostack),
                );
            }
        }
    }

    /// Copies a whole frame to another.
    pub fn copy(&mut self, from: Frame, to: Frame) {
        if from != to {
            // SAFETY: both frames are mapped, PAGE bytes long, and different.
            unsafe { copy(self.ptr(from), self.ptr(to), PAGE) };
        }
    }

    /// Copies a part of a frame; clipped to the frames.
    pub fn copy_part(
        &mut self,
        from: Frame,
        from_off: usize,
        to: Frame,
        to_off: usize,
        len: usize,
    ) {
        if from_off > PAGE || to_off > PAGE {
            return;
        }
        let len = len.min(PAGE - from_off).min(PAGE - to_off);
        let source = self.ptr(from).wrapping_add(from_off);
        let target = self.ptr(to).wrapping_add(to_off);
        if from == to {
            // SAFETY: both ranges lie within one mapped frame; `ptr::copy` allows overlap.
            unsafe { core::ptr::copy(source, target, len) };
        } else {
            // SAFETY: both ranges lie within mapped frames (clipped above), and the frames are different.
            unsafe { copy(source, target, len) };
        }
    }

    /// Copies out of a frame; `buf` is clipped to it.
    pub fn read(&self, frame: Frame, off: usize, buf: &mut [u8]) {
        let off = off.min(PAGE);
        let len = buf.len().min(PAGE - off);
        // SAFETY: the range lies within a mapped frame; `buf` is a Rust object, which never lies in the window.
        unsafe { copy(self.ptr(frame).wrapping_add(off), buf.as_mut_ptr(), len) };
    }

    /// Copies into a frame; `data` is clipped to it.
    pub fn write(&mut self, frame: Frame, off: usize, data: &[u8]) {
        let off = off.min(PAGE);
        let len = data.len().min(PAGE - off);
        // SAFETY: as in `read`.
        unsafe { copy(data.as_ptr(), self.ptr(frame).wrapping_add(off), len) };
    }

    /// Makes a frame's contents visible to instruction fetches at whatever address.
    pub fn sync_code(&mut self, frame: Frame) {
        let start = self.ptr(frame);
        let end = start.wrapping_add(PAGE);
        let ctr: u64;
        // SAFETY: reads CTR_EL0, then maintains caches by addresses of a mapped frame; neither changes memory.
        unsafe {
            asm!("mrs {}, ctr_el0", out(reg) ctr, options(nomem, nostack, preserves_flags));
            let data_line = 4usize << (ctr >> 16 & 0xf);
            let code_line = 4usize << (ctr & 0xf);
            let mut at = start;
            while at < end {
                asm!("dc cvau, {}", in(reg) at, options(nostack, preserves_flags));
                at = at.wrapping_add(data_line);
            }
            asm!("dsb ish", options(nostack, preserves_flags));
            let mut at = start;
            while at < end {
                asm!("ic ivau, {}", in(reg) at, options(nostack, preserves_flags));
                at = at.wrapping_add(code_line);
            }
            asm!("dsb ish", "isb", options(nostack, preserves_flags));
        }
    }
}

/// Copies bytes with general registers only: this domain leaves the floating-point unit to the programs.
///
/// # Safety
/// `len` bytes at `from` are readable, at `to` writable, and they do not overlap.
unsafe fn copy(from: *const u8, to: *mut u8, len: usize) {
    let (mut from, mut to) = (from, to);
    let blocks = len / 64;
    if blocks > 0 {
        let end = from.wrapping_add(blocks * 64);
        // SAFETY: the loop reads and writes `blocks` times 64 bytes, which lie in the caller's ranges.
        unsafe {
            asm!(
                "2:",
                "ldp {a}, {b}, [{f}]", "ldp {c}, {d}, [{f}, #16]",
                "stp {a}, {b}, [{t}]", "stp {c}, {d}, [{t}, #16]",
                "ldp {a}, {b}, [{f}, #32]", "ldp {c}, {d}, [{f}, #48]",
                "stp {a}, {b}, [{t}, #32]", "stp {c}, {d}, [{t}, #48]",
                "add {f}, {f}, #64", "add {t}, {t}, #64", "cmp {f}, {end}", "b.ne 2b",
                f = inout(reg) from, t = inout(reg) to, end = in(reg) end,
                a = out(reg) _, b = out(reg) _, c = out(reg) _, d = out(reg) _,
                options(nostack),
            );
        }
    }
    let mut left = len % 64;
    while left >= 8 {
        // SAFETY: at least 8 bytes of the caller's ranges are left; unaligned accesses are allowed.
        unsafe {
            to.cast::<u64>()
                .write_unaligned(from.cast::<u64>().read_unaligned())
        };
        (from, to, left) = (from.wrapping_add(8), to.wrapping_add(8), left - 8);
    }
    while left > 0 {
        // SAFETY: at least one byte of the caller's ranges is left. Volatile, so that this does not become a call of memcpy.
        unsafe { to.write_volatile(from.read_volatile()) };
        (from, to, left) = (from.wrapping_add(1), to.wrapping_add(1), left - 1);
    }
}
