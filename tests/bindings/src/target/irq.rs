//! Interrupts: the physical timer, which the kernel leaves to user threads.

use core::arch::asm;

use sel4::cap::IrqHandler;
use sel4::{init_thread, Error};

use super::context::Context;
use super::{equal, Outcome};

/// Interrupt of the physical timer (PPI 14).
const TIMER_IRQ: u32 = 30;

fn set_timer(ticks: u64, on: bool) {
    // SAFETY: the timer belongs to this test alone.
    unsafe {
        asm!("msr cntp_tval_el0, {}", "msr cntp_ctl_el0, {}", "isb", in(reg) ticks, in(reg) u64::from(on),
            options(nomem, nostack));
    }
}

/// Lets others run for a number of ticks of the counter.
pub(crate) fn sleep(context: &mut Context, ticks: u64) -> Outcome {
    let slot = context.slot();
    init_thread::IRQ_CONTROL.get(TIMER_IRQ, &slot)?;
    let handler = IrqHandler::from_bits(slot.index());
    let notification = context.notification()?;
    handler.set_notification(notification)?;
    handler.ack()?;
    set_timer(ticks, true);
    notification.wait();
    set_timer(0, false);
    handler.ack()?;
    handler.clear()?;
    Ok(slot.delete()?)
}

pub(crate) fn timer(context: &mut Context) -> Outcome {
    let slot = context.slot();
    init_thread::IRQ_CONTROL.get(TIMER_IRQ, &slot)?;
    let again = context.slot();
    equal(
        "a second handler",
        init_thread::IRQ_CONTROL.get(TIMER_IRQ, &again),
        Err(Error::RevokeFirst),
    )?;
    let handler = IrqHandler::from_bits(slot.index());
    let notification = context.notification()?;
    let signal = context.badged(notification, 1 << 4)?;
    handler.set_notification(signal)?;
    for _ in 0..3 {
        handler.ack()?;
        set_timer(1000, true);
        equal("the timer's signal", notification.wait(), 1 << 4)?;
        set_timer(0, false);
    }
    handler.ack()?;
    handler.clear()?;
    Ok(slot.delete()?)
}
