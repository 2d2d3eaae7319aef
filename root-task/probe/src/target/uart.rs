//! Printing, in the domain that has the UART.

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicPtr, Ordering};

const DATA: usize = 0;
const FLAGS: usize = 0x18;
const FULL: u32 = 1 << 5;

static REGISTERS: AtomicPtr<u8> = AtomicPtr::new(core::ptr::null_mut());

/// Prints to the PL011 mapped at `registers` from now on.
///
/// # Safety
/// The device must be mapped there for good.
pub unsafe fn use_device(registers: *mut u8) {
    REGISTERS.store(registers, Ordering::Relaxed);
}

struct Device;

impl Write for Device {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let registers = REGISTERS.load(Ordering::Relaxed);
        if registers.is_null() {
            return Ok(());
        }
        for byte in text.bytes() {
            // SAFETY: the device is mapped there by the contract of `use_device`.
            unsafe {
                while registers.add(FLAGS).cast::<u32>().read_volatile() & FULL != 0 {}
                let data = registers.add(DATA).cast::<u32>();
                data.write_volatile(u32::from(byte));
            }
        }
        Ok(())
    }
}

/// Prints.
pub fn print(text: fmt::Arguments<'_>) {
    let _ = Device.write_fmt(text);
}
