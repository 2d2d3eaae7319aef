//! What goes out: one bounded queue of finished bytes.

use alloc::collections::VecDeque;
use alloc::format;

use console_frame::{encode, Exit, Kind, EXIT_PAYLOAD, HEADER};

use crate::Mode;

/// Bytes queued at most.
const SIZE: usize = 32 * 1024;
/// Programs' output leaves this much for log lines and the trace.
const LOG_RESERVE: usize = 8 * 1024;
/// Log and trace leave this much for the end of the run.
const EXIT_RESERVE: usize = 128;

pub(crate) struct Output {
    mode: Mode,
    queue: VecDeque<u8>,
    /// Log lines and trace pieces that did not fit since the last one that did.
    lost: u64,
}

impl Output {
    pub(crate) fn new(mode: Mode) -> Output {
        Output {
            mode,
            queue: VecDeque::with_capacity(SIZE),
            lost: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether a client that waits for room should try again.
    pub(crate) fn has_room(&self) -> bool {
        self.queue.len() < SIZE / 2
    }

    /// Gives queued bytes to `send`, which returns how many it took, until it takes no more.
    pub(crate) fn drain(&mut self, mut send: impl FnMut(&[u8]) -> usize) {
        loop {
            let (front, _) = self.queue.as_slices();
            if front.is_empty() {
                return;
            }
            let taken = send(front).min(front.len());
            if taken == 0 {
                return;
            }
            self.queue.drain(..taken);
        }
    }

    fn put(&mut self, kind: Kind, payload: &[u8]) {
        match self.mode {
            Mode::Framed => encode(kind, payload, |bytes| self.queue.extend(bytes)),
            Mode::Plain => self.queue.extend(payload),
        }
    }

    /// Tells the host that the console listens.
    pub(crate) fn ready(&mut self) {
        self.put(Kind::Ready, &[]);
    }

    /// Queues program output; returns how many bytes were taken.
    pub(crate) fn program(&mut self, data: &[u8]) -> usize {
        let room = (SIZE - LOG_RESERVE - EXIT_RESERVE).saturating_sub(self.queue.len() + HEADER);
        let taken = data.get(..room.min(data.len())).unwrap_or(&[]);
        if !taken.is_empty() {
            self.put(Kind::Output, taken);
        }
        taken.len()
    }

    fn fits(&self, len: usize) -> bool {
        self.queue.len() + len + HEADER + EXIT_RESERVE <= SIZE
    }

    /// Queues a log line, or counts it as lost.
    pub(crate) fn log(&mut self, level: u8, text: &[u8]) {
        let level = level.clamp(1, 5);
        let text = text.trim_ascii_end();
        // Room for the line that tells of lost ones is asked for as well.
        if !self.fits(text.len() + 64) {
            self.lost += 1;
            return;
        }
        if self.lost > 0 {
            let note = format!("{} log or trace lines were lost here", self.lost);
            self.lost = 0;
            self.log_line(2, note.as_bytes());
        }
        self.log_line(level, text);
    }

    fn log_line(&mut self, level: u8, text: &[u8]) {
        match self.mode {
            Mode::Framed => {
                let len = u16::try_from(text.len() + 1).unwrap_or(u16::MAX);
                self.queue.extend(console_frame::header(Kind::Log, len));
                self.queue.push_back(level);
                self.queue.extend(text);
            }
            Mode::Plain => {
                let name = ["error", "warning", "info", "debug", "trace"]
                    .get(usize::from(level) - 1)
                    .unwrap_or(&"");
                self.queue.extend(format!("[{name}] ").as_bytes());
                self.queue.extend(text);
                self.queue.extend(b"\r\n");
            }
        }
    }

    /// Queues trace text, or counts it as lost.
    pub(crate) fn trace(&mut self, text: &[u8]) {
        if self.fits(text.len()) {
            self.put(Kind::Trace, text);
        } else {
            self.lost += 1;
        }
    }

    /// Queues the end of the run; there is always room for it.
    pub(crate) fn exit(&mut self, reason: u8, status: i32) {
        let exit = match reason {
            0 => Exit::Exited(status),
            1 => Exit::Killed(status),
            _ => Exit::System(status),
        };
        match self.mode {
            Mode::Framed => {
                const { assert!(HEADER + EXIT_PAYLOAD <= EXIT_RESERVE) };
                self.queue.extend(console_frame::exit(exit));
            }
            Mode::Plain => {
                let text = match exit {
                    Exit::Exited(code) => {
                        format!("\r\n[the first process exited with status {code}]\r\n")
                    }
                    Exit::Killed(sig) => {
                        format!("\r\n[the first process was killed by signal {sig}]\r\n")
                    }
                    Exit::System(code) => format!("\r\n[the system failed ({code})]\r\n"),
                };
                self.queue.extend(text.as_bytes());
            }
        }
    }
}
