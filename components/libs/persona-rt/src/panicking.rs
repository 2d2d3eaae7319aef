//! A panic ends the domain: it is logged, and then the thread faults, so that the root task sees it.

use core::panic::PanicInfo;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    sel4::debug_println!("{info}");
    log::error!("{info}");
    stop()
}

/// Stops the domain by an instruction that does not exist.
fn stop() -> ! {
    // SAFETY: `udf` faults; the thread never runs on.
    unsafe { core::arch::asm!("udf #0xdead", options(noreturn)) }
}
