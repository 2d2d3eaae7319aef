//! From the first instruction to main.

use core::alloc::{GlobalAlloc, Layout};
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicUsize, Ordering};

use persona_plan::startup::View;

core::arch::global_asm!(
    ".section .text._start, \"ax\", %progbits",
    ".global _start",
    "_start:",
    "mov x29, xzr",
    "mov x30, xzr",
    "b {run}",
    ".text",
    run = sym run,
);

/// Hands out the heap and takes nothing back.
struct Bump;

static NEXT: AtomicUsize = AtomicUsize::new(0);
static END: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Bump = Bump;

// SAFETY: every block lies within the heap of the start-up page, is aligned, and is given out once.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = NEXT
            .load(Ordering::Relaxed)
            .next_multiple_of(layout.align());
        let end = start.saturating_add(layout.size());
        if end > END.load(Ordering::Relaxed) {
            return core::ptr::null_mut();
        }
        NEXT.store(end, Ordering::Relaxed);
        start as *mut u8
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

extern "C" fn run(address: *const u8, len: usize) -> ! {
    // SAFETY: the root task maps the start-up page there for good; nobody writes to it.
    let page = unsafe { core::slice::from_raw_parts(address, len) };
    let Some(view) = View::new(page) else {
        panic!("no start-up page");
    };
    let header = view.header();
    // SAFETY: the start-up page says where the IPC buffer is; the domain has one thread.
    unsafe { sel4::set_ipc_buffer(header.ipc_buffer as *mut u8) };
    NEXT.store(header.heap as usize, Ordering::Relaxed);
    END.store(
        (header.heap + header.heap_mapped) as usize,
        Ordering::Relaxed,
    );
    super::main(view)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    super::uart::print(format_args!("FAIL panic: {info}\nDONE passed=0 failed=1\n"));
    // SAFETY: deliberately none: nothing is mapped there, and the root task reports the fault.
    unsafe { core::ptr::without_provenance_mut::<u8>(16).write_volatile(0) };
    loop {
        sel4::yield_now();
    }
}
