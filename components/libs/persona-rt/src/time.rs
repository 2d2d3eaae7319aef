//! Monotonic time from the virtual counter, which every domain may read.

use core::arch::asm;

/// Nanoseconds since the counter started.
pub fn now_ns() -> u64 {
    let (ticks, hz): (u64, u64);
    // SAFETY: reads two registers that EL0 may read (the loader sets CNTKCTL_EL1); the isb keeps the read in place.
    unsafe {
        asm!("isb", "mrs {0}, cntvct_el0", "mrs {1}, cntfrq_el0", out(reg) ticks, out(reg) hz, options(nomem, nostack));
    }
    if hz == 0 {
        return 0;
    }
    if 1_000_000_000 % hz == 0 {
        return ticks.wrapping_mul(1_000_000_000 / hz);
    }
    (u128::from(ticks) * 1_000_000_000 / u128::from(hz)) as u64
}
