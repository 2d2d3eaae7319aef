//! Interrupts.

use crate::cap::{IrqControl, IrqHandler, Notification};
use crate::{sys, AbsoluteCPtr, Result};

impl IrqControl {
    /// Makes the handler of interrupt `irq` (the number of the interrupt controller) in the empty slot `destination`.
    pub fn get(self, irq: u32, destination: &AbsoluteCPtr) -> Result<()> {
        let irq = i32::try_from(irq).map_err(|_| crate::Error::RangeError)?;
        let (root, index) = (destination.root().bits(), destination.index());
        Ok(sys::seL4_IRQControl_Get(
            self.bits(),
            irq,
            root,
            index,
            destination.depth(),
        )?)
    }
}

impl IrqHandler {
    /// Lets the interrupt come again.
    pub fn ack(self) -> Result<()> {
        Ok(sys::seL4_IRQHandler_Ack(self.bits())?)
    }

    /// Makes the interrupt signal `notification` (with the badge of that capability).
    pub fn set_notification(self, notification: Notification) -> Result<()> {
        Ok(sys::seL4_IRQHandler_SetNotification(
            self.bits(),
            notification.bits(),
        )?)
    }

    /// Makes the interrupt signal nothing.
    pub fn clear(self) -> Result<()> {
        Ok(sys::seL4_IRQHandler_Clear(self.bits())?)
    }
}
