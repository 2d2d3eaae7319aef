//! Memory shared between components.

use alloc::vec;
use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering};

/// A window of memory that other components may read or write at any time. All access is by copy and within bounds.
#[derive(Clone, Copy, Debug)]
pub struct Dataport {
    base: *mut u8,
    len: usize,
    writable: bool,
}

impl Dataport {
    /// A dataport over mapped memory.
    ///
    /// # Safety
    /// `base` (8-byte aligned) must stay mapped for `len` bytes, writable if `writable`, for the rest of the run, and the
    /// memory must not be owned by any Rust object.
    pub const unsafe fn new(base: *mut u8, len: usize, writable: bool) -> Self {
        Dataport {
            base,
            len,
            writable,
        }
    }

    /// Private memory in the same role, for tests. It is never freed.
    pub fn private(len: usize) -> Self {
        let words = vec![0u64; len.div_ceil(8)].leak();
        Dataport {
            base: words.as_mut_ptr().cast(),
            len,
            writable: true,
        }
    }

    /// Bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn clip(&self, off: usize, len: usize) -> usize {
        len.min(self.len.saturating_sub(off))
    }

    /// Copies out; returns how many bytes lay within the dataport.
    pub fn read(&self, off: usize, buf: &mut [u8]) -> usize {
        let len = self.clip(off, buf.len());
        // SAFETY: off + len lies within the mapped window (`clip`), `buf` is ours and does not overlap it.
        unsafe { ptr::copy_nonoverlapping(self.base.add(off).cast_const(), buf.as_mut_ptr(), len) };
        len
    }

    /// Copies in; returns how many bytes were taken (0 for a read-only dataport).
    pub fn write(&self, off: usize, data: &[u8]) -> usize {
        if !self.writable {
            return 0;
        }
        let len = self.clip(off, data.len());
        // SAFETY: as in `read`; the window is writable.
        unsafe { ptr::copy_nonoverlapping(data.as_ptr(), self.base.add(off), len) };
        len
    }

    fn word(&self, off: usize) -> Option<&AtomicU64> {
        if !off.is_multiple_of(8) || off.checked_add(8)? > self.len {
            return None;
        }
        // SAFETY: within bounds and aligned (the base is 8-byte aligned); atomics may be shared.
        Some(unsafe { &*self.base.add(off).cast::<AtomicU64>() })
    }

    /// The aligned word at `off`, 0 outside.
    pub fn load(&self, off: usize) -> u64 {
        self.word(off)
            .map_or(0, |word| word.load(Ordering::Acquire))
    }

    /// Stores the aligned word at `off`; nothing happens outside or if read-only.
    pub fn store(&self, off: usize, value: u64) {
        if self.writable {
            if let Some(word) = self.word(off) {
                word.store(value, Ordering::Release);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_within_bounds() {
        let port = Dataport::private(20);
        assert_eq!(port.write(16, b"abcdefgh"), 4);
        let mut buf = [0; 8];
        assert_eq!(port.read(18, &mut buf), 2);
        assert_eq!(&buf[..2], b"cd");
        assert_eq!(port.read(usize::MAX, &mut buf), 0);
        port.store(8, 7);
        port.store(16, 9);
        assert_eq!((port.load(8), port.load(16), port.load(4)), (7, 0, 0));
    }
}
