//! The domain's heap: one range that grows at its end.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::{Cell, UnsafeCell};

use persona_component::HeapHook;
use talc::{ErrOnOom, Span, Talc};

struct Heap {
    talc: UnsafeCell<Talc<ErrOnOom>>,
    span: Cell<Span>,
    limit: Cell<u64>,
    /// What lies below is never cut.
    floor: Cell<u64>,
    grow: Cell<Option<Grow>>,
    /// With less than this many bytes free it grows although there is room.
    low: Cell<usize>,
    growing: Cell<bool>,
}

/// Maps more memory at the end of the heap; false if there is none, or it cannot be asked for now.
type Grow = &'static dyn Fn(usize) -> bool;

// SAFETY: a domain has exactly one thread, and no allocation happens inside another (`grow` runs outside of them).
unsafe impl Sync for Heap {}

#[global_allocator]
static HEAP: Heap = Heap {
    talc: UnsafeCell::new(Talc::new(ErrOnOom)),
    span: Cell::new(Span::empty()),
    limit: Cell::new(0),
    floor: Cell::new(0),
    grow: Cell::new(None),
    low: Cell::new(0),
    growing: Cell::new(false),
};

// SAFETY: talc's contract is kept: every block comes from the spans claimed in `init` and `extend`; there is one thread.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: this function's own contract.
        let block = unsafe { self.take(layout) };
        if self.growing.get() || (!block.is_null() && DomainHeap.free() >= self.low.get()) {
            return block;
        }
        let Some(grow) = self.grow.get() else {
            return block;
        };
        // Growing may allocate a little itself; what does not fit then fails at once.
        self.growing.set(true);
        let grown = grow(layout.size() + layout.align());
        self.growing.set(false);
        if grown && block.is_null() {
            // SAFETY: this function's own contract.
            unsafe { self.take(layout) }
        } else {
            block
        }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        if let Some(block) = core::ptr::NonNull::new(ptr) {
            // SAFETY: the block came from `alloc` with the same layout.
            unsafe { (*self.talc.get()).free(block, layout) };
        }
    }
}

impl Heap {
    /// A block from what is mapped; null if none fits.
    ///
    /// # Safety
    /// As [`GlobalAlloc::alloc`].
    unsafe fn take(&self, layout: Layout) -> *mut u8 {
        // SAFETY: one thread, not reentrant (see `Sync`); GlobalAlloc's callers give a layout of non-zero size.
        match unsafe { (*self.talc.get()).malloc(layout) } {
            Ok(block) => block.as_ptr(),
            Err(()) => core::ptr::null_mut(),
        }
    }
}

/// From now on a heap that is full, or has less than `low` bytes free, grows by `grow`.
pub fn grow_with(low: usize, grow: Grow) {
    HEAP.low.set(low);
    HEAP.grow.set(Some(grow));
}

/// Gives the allocator the mapped part of the heap.
pub fn init(base: u64, mapped: u64, limit: u64) {
    let span = Span::new(base as *mut u8, (base + mapped) as *mut u8);
    HEAP.limit.set(base + limit);
    HEAP.floor.set(base + mapped);
    // SAFETY: the plan maps this range for the heap and nothing else; called once, before the first allocation.
    let claimed = unsafe { (*HEAP.talc.get()).claim(span) };
    HEAP.span.set(claimed.unwrap_or(Span::empty()));
}

/// The heap as its owner sees it.
pub struct DomainHeap;

impl HeapHook for DomainHeap {
    fn free(&self) -> usize {
        // What the blocks' sizes leave of the span is more than that: each has a head and is rounded up.
        // SAFETY: one thread, not reentrant (see `Sync`).
        unsafe { (*HEAP.talc.get()).get_counters().available_bytes }
    }

    fn end(&self) -> (u64, u64) {
        let end = end_of(HEAP.span.get());
        (end, HEAP.limit.get().saturating_sub(end))
    }

    fn extend(&self, bytes: u64) {
        let old = HEAP.span.get();
        let Some((base, _)) = old.get_base_acme() else {
            return;
        };
        let (end, room) = self.end();
        let wanted = Span::new(base, (end + bytes.min(room)) as *mut u8);
        // SAFETY: the caller has mapped `bytes` at the end of the claimed heap, which are nobody's yet.
        HEAP.span
            .set(unsafe { (*HEAP.talc.get()).extend(old, wanted) });
    }

    fn cut(&self) -> Option<(u64, u64)> {
        let old = HEAP.span.get();
        let (base, old_acme) = old.get_base_acme()?;
        // SAFETY: `old` is what the allocator returned last for the only heap it has.
        let used = unsafe { (*HEAP.talc.get()).get_allocated_span(old) };
        let (_, used_end) = used.get_base_acme()?;
        let end = self.end().0;
        let new_end = (used_end as u64 + KEEP).next_multiple_of(4096);
        let new_end = new_end.max(HEAP.floor.get());
        if new_end + LEAST > end || new_end >= old_acme as u64 {
            return None;
        }
        let wanted = Span::new(base, new_end as *mut u8);
        // SAFETY: as above; `wanted` is a part of `old` and holds all that is allocated, which ends at `used_end`.
        HEAP.span
            .set(unsafe { (*HEAP.talc.get()).truncate(old, wanted) });
        let (cut, _) = self.end();
        (cut < end).then_some((cut, end - cut))
    }

    fn keep(&self) {
        HEAP.floor.set(self.end().0);
    }
}

/// What is left unused at the end of a heap that is cut.
const KEEP: u64 = 256 << 10;
/// The least that is cut.
const LEAST: u64 = 512 << 10;

impl DomainHeap {
    /// Whether so much is free that a look at the heap's end may be worth it.
    pub fn is_large(&self) -> bool {
        self.free() as u64 > KEEP + LEAST
    }
}

/// First page behind a span.
fn end_of(span: Span) -> u64 {
    span.get_base_acme()
        .map_or(0, |(_, acme)| (acme as u64).next_multiple_of(4096))
}
