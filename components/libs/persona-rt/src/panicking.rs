//! A panic ends the domain: it is logged, and then the thread faults, so that the root task sees it.

use core::panic::PanicInfo;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    sel4::debug_println!("{info}");
    log::error!("{info}");
    stop()
}

/// Ends a domain that cannot start, for a reason that is no fault of its code: no memory, something missing in the manifest.
pub fn cannot_start(name: &str, error: &dyn core::fmt::Display) -> ! {
    sel4::debug_println!("{name} cannot start: {error}");
    log::error!("{name} cannot start: {error}");
    // SAFETY: `udf` faults, and the root task reads x0; the thread never runs on.
    unsafe {
        core::arch::asm!("udf #0xdead", in("x0") persona_plan::startup::CANNOT_START, options(noreturn))
    }
}

/// Stops the domain by an instruction that does not exist.
fn stop() -> ! {
    // SAFETY: `udf` faults; the thread never runs on.
    unsafe { core::arch::asm!("udf #0xdead", options(noreturn)) }
}
