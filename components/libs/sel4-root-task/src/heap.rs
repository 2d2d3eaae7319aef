//! The heap: an arena of fixed size, so that memory use is bounded; an allocation beyond it fails.

use core::cell::UnsafeCell;

use talc::locking::AssumeUnlockable;
use talc::{ErrOnOom, Span, Talc, Talck};

use crate::PAGE_SIZE;

/// The allocator. The root task has one thread and allocates in no handler, so nothing ever contends for it.
#[cfg_attr(target_os = "none", global_allocator)]
static ALLOCATOR: Talck<AssumeUnlockable, ErrOnOom> = Talc::new(ErrOnOom).lock();

/// Memory for the heap.
#[repr(C, align(4096))]
pub struct Arena<const SIZE: usize>(UnsafeCell<[u8; SIZE]>);

// SAFETY: the bytes are only used through the allocator once claimed.
unsafe impl<const SIZE: usize> Sync for Arena<SIZE> {}

impl<const SIZE: usize> Arena<SIZE> {
    /// An arena of zeros.
    pub const fn new() -> Arena<SIZE> {
        assert!(SIZE.is_multiple_of(PAGE_SIZE) && SIZE > 0, "heap size");
        Arena(UnsafeCell::new([0; SIZE]))
    }

    /// Gives the arena to the allocator.
    ///
    /// # Safety
    /// Only once per arena.
    pub(crate) unsafe fn claim(&'static self) {
        let span = Span::from_base_size(self.0.get().cast(), SIZE);
        // SAFETY: the arena is static and used by nothing else. Failure means "too small", and is seen as such by the
        // first allocation.
        let _ = unsafe { ALLOCATOR.lock().claim(span) };
    }
}

impl<const SIZE: usize> Default for Arena<SIZE> {
    fn default() -> Self {
        Self::new()
    }
}
