//! The `log` crate's road to the console component.

use alloc::string::String;
use core::cell::{Cell, RefCell};
use core::fmt::Write;

use console_api::{Console, ConsoleClient};
use persona_ipc::{Chunk, CHUNK_BYTES};

use crate::Remote;

struct Logger {
    sink: RefCell<Option<ConsoleClient<Remote>>>,
    busy: Cell<bool>,
}

// SAFETY: a domain has exactly one thread.
unsafe impl Sync for Logger {}
// SAFETY: as above; nothing is ever sent anywhere.
unsafe impl Send for Logger {}

static LOGGER: Logger = Logger {
    sink: RefCell::new(None),
    busy: Cell::new(false),
};

/// Logs through the console from now on.
pub fn init(console: Remote, level: log::LevelFilter) {
    LOGGER.sink.replace(Some(ConsoleClient(console)));
    if log::set_logger(&LOGGER).is_ok() {
        log::set_max_level(level);
    }
}

/// Sends a piece of system-call trace.
pub fn trace(text: &str) {
    if let Ok(sink) = LOGGER.sink.try_borrow() {
        if let Some(console) = sink.as_ref() {
            for piece in text.as_bytes().chunks(CHUNK_BYTES) {
                let _ = console.trace(Chunk::new(piece));
            }
        }
    }
}

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.busy.replace(true) {
            return;
        }
        let mut line = String::new();
        let module = record.target().split("::").next().unwrap_or("");
        let _ = write!(
            line,
            "{}: {}",
            module.strip_suffix("_server").unwrap_or(module),
            record.args()
        );
        if let Ok(sink) = self.sink.try_borrow() {
            if let Some(console) = sink.as_ref() {
                let _ = console.log(record.level() as u8, Chunk::new(line.as_bytes()));
            }
        }
        self.busy.set(false);
    }

    fn flush(&self) {}
}
