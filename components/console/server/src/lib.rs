//! The console: a PL011, and the framing of its byte stream (docs/architecture.md).
//!
//! Programs' output, log lines, the trace and the end of the run go into one bounded queue, the line's input comes out of
//! another. Nothing here waits: what does not fit is refused (output) or counted (log, trace), and when there is room again,
//! or input, the client is signalled. Input is never lost: while its queue is full the device is left unread and its sender
//! waits.
//! It must never let a program's bytes end a frame, or wait for the device.
#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]

extern crate alloc;

mod input;
mod output;
#[cfg(target_os = "none")]
mod pl011;

use console_api::{console_dispatch, ConsoleInput, ConsoleService};
use lsyscall_abi::Errno;
use persona_component::{Component, Env, EnvError, Wake};
use persona_ipc::{Bytes, Message};

use input::Input;
use output::Output;

/// Whether the stream is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Frames, for xtask.
    Framed,
    /// Plain text both ways, for a person with a terminal on the line.
    Plain,
}

/// The device.
pub trait Uart {
    /// The next byte received, if there is one.
    fn receive(&mut self) -> Option<u8>;
    /// Hands bytes to the device; returns how many it took.
    fn send(&mut self, bytes: &[u8]) -> usize;
    /// Whether the device interrupts when it has received something.
    fn interrupt_on_receive(&mut self, on: bool);
    /// Whether the device interrupts when it can send.
    fn interrupt_on_send(&mut self, on: bool);
    /// Lets the interrupt come again.
    fn acknowledge(&mut self);
}

/// The console uses no other component.
pub struct Deps {}

/// The console component.
pub struct Console<U> {
    uart: U,
    output: Output,
    input: Input,
    ready: Wake,
    /// A write was cut short: its client wants to know of room.
    room_wanted: bool,
    /// Nothing follows the end of the run.
    ended: bool,
}

#[cfg(target_os = "none")]
impl Console<pl011::Pl011> {
    /// Builds the console over the device its manifest gives it.
    ///
    /// # Errors
    /// If the manifest gives no `uart` or nobody to signal.
    pub fn new(env: Env, _: Deps) -> Result<Self, EnvError> {
        let (base, len) = env.mmio("uart")?;
        let uart = pl011::Pl011::new(base, len, env.cap("uart.irq")?).ok_or(EnvError {
            component: env.name(),
            what: "PL011",
            name: "uart",
        })?;
        Self::with_uart(env, uart)
    }
}

impl<U: Uart> Console<U> {
    /// Builds the console over a given device.
    ///
    /// # Errors
    /// If the manifest gives nobody to signal.
    pub fn with_uart(env: Env, uart: U) -> Result<Self, EnvError> {
        let args = env.bootargs();
        let mode = match args.get("console") {
            Some(b"framed") => Mode::Framed,
            _ => Mode::Plain,
        };
        let size = |key| {
            args.get_u64(key)
                .and_then(|n| u16::try_from(n).ok())
                .unwrap_or(0)
        };
        let mut console = Console {
            uart,
            output: Output::new(mode),
            input: Input::new(mode, size("rows"), size("cols")),
            ready: env.wake("ready")?,
            room_wanted: false,
            ended: false,
        };
        console.output.ready();
        console.push();
        console.pull();
        if console.input.take_news() {
            console.ready.signal();
        }
        console.uart.acknowledge();
        Ok(console)
    }

    /// Takes what the device has received, as far as there is room.
    fn pull(&mut self) {
        while self.input.has_room() {
            let Some(byte) = self.uart.receive() else {
                break;
            };
            self.input.feed(byte);
        }
        // Without room the device keeps its bytes, and must not interrupt for them.
        self.uart.interrupt_on_receive(self.input.has_room());
    }

    /// Gives the device what is queued, as far as it takes it.
    fn push(&mut self) {
        let uart = &mut self.uart;
        self.output.drain(|bytes| uart.send(bytes));
        self.uart.interrupt_on_send(!self.output.is_empty());
        if self.room_wanted && self.output.has_room() {
            self.room_wanted = false;
            self.ready.signal();
        }
    }
}

impl<U: Uart> Component for Console<U> {
    fn request(&mut self, _: u8, _: u8, message: &mut Message) {
        console_dispatch(self, message);
    }

    /// The device's interrupt is the only event.
    fn notified(&mut self, _: u32) {
        self.pull();
        self.push();
        if self.input.take_news() {
            self.ready.signal();
        }
        self.uart.acknowledge();
    }
}

impl<U: Uart> ConsoleService for Console<U> {
    fn write(&mut self, data: Bytes) -> Result<u64, Errno> {
        let data = data.as_slice();
        if self.ended {
            // Nobody reads it any more, and a program that still runs must not wait for that.
            return Ok(data.len() as u64);
        }
        let taken = self.output.program(data);
        self.push();
        self.room_wanted |= taken < data.len();
        Ok(taken as u64)
    }

    fn read(&mut self) -> Result<ConsoleInput, Errno> {
        let input = self.input.take();
        self.pull();
        // What is still there, or has just come, is this caller's to ask for: it reads until it gets nothing.
        self.input.take_news();
        Ok(input)
    }

    fn log(&mut self, level: u8, text: Bytes) -> Result<(), Errno> {
        if !self.ended {
            self.output.log(level, text.as_slice());
            self.push();
        }
        Ok(())
    }

    fn trace(&mut self, text: Bytes) -> Result<(), Errno> {
        if !self.ended {
            self.output.trace(text.as_slice());
            self.push();
        }
        Ok(())
    }

    fn exit(&mut self, reason: u8, status: i32) -> Result<(), Errno> {
        if !self.ended {
            self.ended = true;
            self.output.exit(reason, status);
            self.push();
        }
        Ok(())
    }

    fn queued(&mut self) -> Result<u64, Errno> {
        self.push();
        Ok(self.output.len() as u64)
    }
}
