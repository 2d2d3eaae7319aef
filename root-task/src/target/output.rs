//! What the root task has to say: through the console component while that lives, otherwise straight to the UART.

use alloc::format;
use core::fmt;

use console_api::{Console, ConsoleClient};
use console_frame::{encode, exit, Exit, Kind};
use persona_ipc::{Chunk, Message, BAD_MESSAGE, CHUNK_BYTES};
use sel4::cap::{Endpoint, Granule};
use sel4::{ipc_buffer, MessageInfo, VmAttributes};
use sel4_root_task::BootInfo;

use super::failure::Failure;
use super::page::Window;

/// Level of an error, as in `log`.
pub const ERROR: u8 = 1;
/// Level of a warning.
pub const WARN: u8 = 2;
/// Level of what only somebody looking for a fault wants to read.
pub const DEBUG: u8 = 4;

/// PL011: data register, flag register, its flag "transmit FIFO full".
const DATA: usize = 0x00;
const FLAGS: usize = 0x18;
const FULL: u32 = 1 << 5;

static UART: Window = Window::new();

/// The ways out.
pub struct Output {
    framed: bool,
    device: Option<*mut u8>,
    console: Option<Endpoint>,
}

impl Output {
    /// With no way out yet.
    pub fn new(bootargs: &str) -> Output {
        Output {
            framed: bootargs
                .split_ascii_whitespace()
                .any(|word| word == "console=framed"),
            device: None,
            console: None,
        }
    }

    /// Maps the panic console's registers.
    pub fn map_device(&mut self, boot: &BootInfo, frame: Granule) -> Result<(), Failure> {
        UART.clear(boot)?;
        UART.map(frame, VmAttributes::EXECUTE_NEVER)?;
        self.device = Some(UART.address());
        Ok(())
    }

    /// Uses the console component from now on (`None`: no longer).
    pub fn set_console(&mut self, console: Option<Endpoint>) {
        self.console = console;
    }

    /// A log line.
    pub fn log(&mut self, level: u8, text: fmt::Arguments<'_>) {
        let text = format!("{text}");
        sel4::debug_println!("{text}");
        for line in text.lines() {
            if !self.log_to_console(level, line) {
                self.log_to_device(level, line);
            }
        }
    }

    fn log_to_console(&self, level: u8, line: &str) -> bool {
        let Some(endpoint) = self.console else {
            return false;
        };
        let mut sent = true;
        for part in line.as_bytes().chunks(CHUNK_BYTES) {
            let client = ConsoleClient(|message: &mut Message| call(endpoint, message));
            sent &= client.log(level, Chunk::new(part)).is_ok();
        }
        sent
    }

    fn log_to_device(&self, level: u8, line: &str) {
        if self.framed {
            let payload = format!("{}{line}", char::from(level));
            encode(Kind::Log, payload.as_bytes(), |bytes| self.put(bytes));
        } else {
            self.put(line.as_bytes());
            self.put(b"\r\n");
        }
    }

    /// The end of the run.
    pub fn exit(&mut self, how: Exit) {
        let [reason, status @ ..] = how.to_payload();
        if let Some(endpoint) = self.console {
            let client = ConsoleClient(|message: &mut Message| call(endpoint, message));
            if client.exit(reason, i32::from_le_bytes(status)).is_ok() {
                return;
            }
        }
        if self.framed {
            self.put(&exit(how));
        } else {
            self.put(format!("end of the run: {how:?}\r\n").as_bytes());
        }
    }

    fn put(&self, bytes: &[u8]) {
        let Some(registers) = self.device else {
            return;
        };
        for &byte in bytes {
            // SAFETY: `map_device` mapped the UART's registers there for good; access to them has no effect on memory.
            unsafe {
                while registers.add(FLAGS).cast::<u32>().read_volatile() & FULL != 0 {}
                registers
                    .add(DATA)
                    .cast::<u32>()
                    .write_volatile(u32::from(byte));
            }
        }
    }
}

/// Calls an interface in a domain: the words of the message in the message registers, its label as the label.
fn call(endpoint: Endpoint, message: &mut Message) {
    let buffer = ipc_buffer();
    for (index, word) in message.words.iter().take(message.len).enumerate() {
        buffer.set_mr(index, *word);
    }
    let info = endpoint.call(MessageInfo::new(message.label.into(), message.len));
    message.label = u32::try_from(info.label()).unwrap_or(BAD_MESSAGE);
    message.len = info.length().min(message.words.len());
    message.cap = None;
    for (index, word) in message.words.iter_mut().take(message.len).enumerate() {
        *word = ipc_buffer().mr(index);
    }
}
