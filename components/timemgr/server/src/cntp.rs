//! The EL1 physical timer of the generic timer (Arm ARM D11), which the kernel leaves to user level.

#![allow(unsafe_code)]

use core::arch::asm;

use crate::Timer;

const NS_PER_S: u128 = 1_000_000_000;
const ENABLE: u64 = 1;

/// The timer and its interrupt.
pub struct Cntp {
    irq: sel4::cap::IrqHandler,
    /// Ticks a second.
    frequency: u64,
}

impl Cntp {
    /// Takes the timer over. `irq` is the capability of its interrupt.
    pub fn new(irq: u64) -> Cntp {
        let frequency: u64;
        // SAFETY: reads a constant register, which CNTKCTL_EL1 opens to user level.
        unsafe {
            asm!("mrs {}, cntfrq_el0", out(reg) frequency, options(nomem, nostack, preserves_flags))
        };
        let mut timer = Cntp {
            irq: sel4::cap::IrqHandler::from_bits(irq),
            frequency: frequency.max(1),
        };
        timer.disarm();
        timer
    }

    fn control(&mut self, bits: u64) {
        // SAFETY: changes only this timer, which the manifest gives to this component; memory is not touched.
        unsafe {
            asm!("msr cntp_ctl_el0, {}", "isb", in(reg) bits, options(nomem, nostack, preserves_flags))
        };
    }
}

impl Timer for Cntp {
    fn arm(&mut self, after: u64) {
        // Rounded up: an early interrupt would find nothing due.
        let ticks = (u128::from(after) * u128::from(self.frequency)).div_ceil(NS_PER_S);
        let ticks = u64::try_from(ticks)
            .unwrap_or(u64::MAX / 2)
            .saturating_add(1);
        let now: u64;
        // SAFETY: reads the counter, which CNTKCTL_EL1 opens to user level.
        unsafe {
            asm!("isb", "mrs {}, cntpct_el0", out(reg) now, options(nomem, nostack, preserves_flags))
        };
        let value = now.saturating_add(ticks);
        // SAFETY: as in `control`.
        unsafe {
            asm!("msr cntp_cval_el0, {}", in(reg) value, options(nomem, nostack, preserves_flags))
        };
        self.control(ENABLE);
    }

    fn disarm(&mut self) {
        self.control(0);
    }

    fn acknowledge(&mut self) {
        // It can only fail if the manifest gives no interrupt capability, and then there is nothing to acknowledge.
        let _ = self.irq.ack();
    }
}
