//! Printing.

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicPtr, Ordering};

/// Where the PL011 of QEMU's "virt" board lies, physically.
pub(crate) const PADDR: u64 = 0x0900_0000;
/// Offsets of its data and flag registers, and the flag "transmit FIFO full".
const DATA: usize = 0;
const FLAGS: usize = 0x18;
const FULL: u32 = 1 << 5;

static REGISTERS: AtomicPtr<u8> = AtomicPtr::new(core::ptr::null_mut());

/// Prints to the PL011 mapped at `registers` from now on.
///
/// # Safety
/// The device must be mapped there for good.
pub(crate) unsafe fn use_device(registers: *mut u8) {
    REGISTERS.store(registers, Ordering::Relaxed);
}

struct Device;

impl Write for Device {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let registers = REGISTERS.load(Ordering::Relaxed);
        if registers.is_null() {
            return sel4::debug::Writer.write_str(text);
        }
        for byte in text.bytes() {
            // SAFETY: the device is mapped there by the contract of `use_device`.
            unsafe {
                while registers.add(FLAGS).cast::<u32>().read_volatile() & FULL != 0 {}
                registers
                    .add(DATA)
                    .cast::<u32>()
                    .write_volatile(u32::from(byte));
            }
        }
        Ok(())
    }
}

/// Prints.
pub(crate) fn print(text: fmt::Arguments<'_>) {
    let _ = Device.write_fmt(text);
}
