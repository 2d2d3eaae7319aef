//! What comes in: input bytes, their end, the window's size.

use alloc::collections::VecDeque;

use console_api::ConsoleInput;
use console_frame::{Decoder, Event, Kind, Window, WINDOW_PAYLOAD};
use persona_ipc::{Chunk, CHUNK_BYTES};

use crate::Mode;

/// Bytes queued at most.
const SIZE: usize = 4096;

pub(crate) struct Input {
    mode: Mode,
    decoder: Decoder,
    queue: VecDeque<u8>,
    ended: bool,
    partial: Partial,
    window: Window,
    resized: bool,
    news: bool,
}

/// The bytes of a window frame so far.
#[derive(Default)]
struct Partial {
    bytes: [u8; WINDOW_PAYLOAD],
    len: usize,
}

impl Partial {
    fn push(&mut self, more: &[u8]) {
        for &byte in more {
            if let Some(slot) = self.bytes.get_mut(self.len) {
                *slot = byte;
            }
            self.len = self.len.saturating_add(1);
        }
    }

    /// The payload, if it has exactly its length.
    fn window(&self) -> Option<Window> {
        if self.len == WINDOW_PAYLOAD {
            Window::from_payload(&self.bytes)
        } else {
            None
        }
    }
}

impl Input {
    pub(crate) fn new(mode: Mode, rows: u16, cols: u16) -> Input {
        let known = rows != 0 && cols != 0;
        Input {
            mode,
            decoder: Decoder::new(),
            queue: VecDeque::with_capacity(SIZE),
            ended: false,
            partial: Partial::default(),
            window: Window { rows, cols },
            resized: known,
            news: known,
        }
    }

    /// Whether another byte of the line can be taken.
    pub(crate) fn has_room(&self) -> bool {
        self.queue.len() < SIZE
    }

    /// Whether something has come since the last call of this.
    pub(crate) fn take_news(&mut self) -> bool {
        core::mem::take(&mut self.news)
    }

    /// A byte of the line.
    pub(crate) fn feed(&mut self, byte: u8) {
        if self.mode == Mode::Plain {
            self.queue.push_back(byte);
            self.news = true;
            return;
        }
        let Input {
            decoder,
            queue,
            ended,
            partial,
            window,
            resized,
            news,
            ..
        } = self;
        decoder.feed(&[byte], |event| match event {
            Event::Data {
                kind: Kind::Input,
                bytes,
                ..
            } => {
                queue.extend(bytes);
                *news = true;
            }
            Event::Begin {
                kind: Kind::End, ..
            } => {
                *ended = true;
                *news = true;
            }
            Event::Begin {
                kind: Kind::Window, ..
            } => *partial = Partial::default(),
            Event::Data {
                kind: Kind::Window,
                bytes,
                last,
            } => {
                partial.push(bytes);
                if let (true, Some(size)) = (last, partial.window()) {
                    *window = size;
                    *resized = true;
                    *news = true;
                }
            }
            // Bytes outside frames, and frames that only the guest sends.
            _ => {}
        });
    }

    /// What has come since the last call of this, as much as a message holds.
    pub(crate) fn take(&mut self) -> ConsoleInput {
        let mut data = Chunk::empty();
        for byte in self.queue.drain(..self.queue.len().min(CHUNK_BYTES)) {
            data.push(byte);
        }
        ConsoleInput {
            data,
            end: self.ended && self.queue.is_empty(),
            resized: core::mem::take(&mut self.resized),
            rows: self.window.rows,
            cols: self.window.cols,
        }
    }
}
