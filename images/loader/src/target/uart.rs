//! The PL011, for the last words.

use core::fmt::{self, Write};

/// Physical address of the board's first UART.
const BASE: usize = 0x0900_0000;

/// Data register, flag register with its bit "transmit queue full", control register.
const DR: usize = 0x00;
const FR: usize = 0x18;
const FR_TXFF: u32 = 1 << 5;
const CR: usize = 0x30;
/// UART, transmitter and receiver enabled.
const CR_ON: u32 = 0x301;

struct Uart;

impl Uart {
    fn write(register: usize, value: u32) {
        // SAFETY: a register of the UART, mapped as device memory or with the MMU off.
        unsafe { ((BASE + register) as *mut u32).write_volatile(value) };
    }

    fn read(register: usize) -> u32 {
        // SAFETY: as above; reading these has no effect.
        unsafe { ((BASE + register) as *const u32).read_volatile() }
    }
}

impl Write for Uart {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            while Uart::read(FR) & FR_TXFF != 0 {}
            Uart::write(DR, u32::from(byte));
        }
        Ok(())
    }
}

/// Prints a text.
pub fn print(text: fmt::Arguments<'_>) {
    Uart::write(CR, CR_ON);
    // Writing to the UART does not fail.
    let _ = Uart.write_fmt(text);
}
