//! Driver of the PL011 UART (Arm DDI 0183).

#![allow(unsafe_code)]

use core::ptr;

use crate::Uart;

const DATA: usize = 0x00;
const FLAGS: usize = 0x18;
const LINE_CONTROL: usize = 0x2c;
const CONTROL: usize = 0x30;
const FIFO_LEVELS: usize = 0x34;
const INTERRUPT_MASK: usize = 0x38;
const INTERRUPT_CLEAR: usize = 0x44;
const REGISTERS_END: usize = 0x48;

const FLAG_BUSY: u32 = 1 << 3;
const FLAG_RX_EMPTY: u32 = 1 << 4;
const FLAG_TX_FULL: u32 = 1 << 5;
const FLAG_TX_EMPTY: u32 = 1 << 7;
/// Framing, parity and break errors of a received byte, which is then no byte of a sender.
const DATA_BROKEN: u32 = 0b111 << 8;
const INTERRUPT_RX: u32 = 1 << 4;
const INTERRUPT_TX: u32 = 1 << 5;
const INTERRUPT_RX_TIMEOUT: u32 = 1 << 6;
const LINE_FIFO_8_BITS: u32 = 0x70;
const CONTROL_ON: u32 = 0x301;

/// Bytes the transmit queue of every PL011 holds.
const FIFO: usize = 16;
/// How often to look whether the device has finished what was sent before it was ours.
const BUSY_LIMIT: u32 = 1_000_000;

/// A PL011 and its interrupt.
pub struct Pl011 {
    base: *mut u32,
    irq: sel4::cap::IrqHandler,
    mask: u32,
}

impl Pl011 {
    /// Sets the device up at the speed it has. `base` and `len` are where the manifest says its registers are mapped, `irq`
    /// the capability of its interrupt. `None` if that cannot be a PL011.
    pub fn new(base: usize, len: usize, irq: u64) -> Option<Pl011> {
        if len < REGISTERS_END || !base.is_multiple_of(4) {
            return None;
        }
        let mut uart = Pl011 {
            base: ptr::with_exposed_provenance_mut(base),
            irq: sel4::cap::IrqHandler::from_bits(irq),
            mask: 0,
        };
        let mut left = BUSY_LIMIT;
        while uart.read(FLAGS) & FLAG_BUSY != 0 && left > 0 {
            left -= 1;
        }
        uart.write(CONTROL, 0);
        uart.write(INTERRUPT_MASK, 0);
        uart.write(LINE_CONTROL, LINE_FIFO_8_BITS);
        // Interrupt early: at an eighth full when receiving, at an eighth left when sending.
        uart.write(FIFO_LEVELS, 0);
        uart.write(CONTROL, CONTROL_ON);
        Some(uart)
    }

    fn read(&self, register: usize) -> u32 {
        // SAFETY: the register lies within the device's mapped frame (checked in `new`), which only this driver uses.
        unsafe { ptr::read_volatile(self.base.byte_add(register)) }
    }

    fn write(&mut self, register: usize, value: u32) {
        // SAFETY: as in `read`.
        unsafe { ptr::write_volatile(self.base.byte_add(register), value) }
    }

    fn set_mask(&mut self, bits: u32, on: bool) {
        let mask = if on {
            self.mask | bits
        } else {
            self.mask & !bits
        };
        if mask != self.mask {
            self.mask = mask;
            self.write(INTERRUPT_MASK, mask);
        }
    }
}

impl Uart for Pl011 {
    fn receive(&mut self) -> Option<u8> {
        loop {
            if self.read(FLAGS) & FLAG_RX_EMPTY != 0 {
                return None;
            }
            let data = self.read(DATA);
            if data & DATA_BROKEN == 0 {
                return Some(data as u8);
            }
        }
    }

    fn send(&mut self, bytes: &[u8]) -> usize {
        let mut sent = 0;
        for piece in bytes.chunks(FIFO) {
            // An empty queue takes a whole piece; otherwise each byte has to be asked for.
            let empty = self.read(FLAGS) & FLAG_TX_EMPTY != 0;
            for &byte in piece {
                if !empty && self.read(FLAGS) & FLAG_TX_FULL != 0 {
                    return sent;
                }
                self.write(DATA, byte.into());
                sent += 1;
            }
        }
        sent
    }

    fn interrupt_on_receive(&mut self, on: bool) {
        self.set_mask(INTERRUPT_RX | INTERRUPT_RX_TIMEOUT, on);
    }

    fn interrupt_on_send(&mut self, on: bool) {
        if !on && self.mask & INTERRUPT_TX != 0 {
            self.write(INTERRUPT_CLEAR, INTERRUPT_TX);
        }
        self.set_mask(INTERRUPT_TX, on);
    }

    fn acknowledge(&mut self) {
        // It can only fail if the manifest gives no interrupt capability, and then there is nothing to acknowledge.
        let _ = self.irq.ack();
    }
}
