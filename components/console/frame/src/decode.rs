//! Taking the stream apart again, however it was cut into pieces.

use crate::{Kind, MARK};

/// A piece of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Bytes outside frames.
    Raw(&'a [u8]),
    /// A frame begins; its payload of `len` bytes follows in pieces.
    Begin {
        /// What it carries.
        kind: Kind,
        /// Length of its payload in bytes.
        len: u16,
    },
    /// The next bytes of the payload of the frame that began last; never empty.
    Data {
        /// What the frame carries.
        kind: Kind,
        /// The bytes.
        bytes: &'a [u8],
        /// Whether they are the frame's last.
        last: bool,
    },
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Raw,
    Marked,
    Length(Kind),
    LengthHigh(Kind, u8),
    Payload(Kind, u16),
}

/// An incremental decoder; it holds no payload, so it needs no bound on one.
///
/// A frame without payload gives only its [`Event::Begin`].
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    state: State,
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub const fn new() -> Self {
        Self { state: State::Raw }
    }

    /// Whether the stream could end here without cutting a frame.
    pub const fn between_frames(&self) -> bool {
        matches!(self.state, State::Raw)
    }

    /// Decodes the next piece of the stream. Every byte is accepted.
    pub fn feed<'a>(&mut self, mut bytes: &'a [u8], mut event: impl FnMut(Event<'a>)) {
        while let Some((&first, rest)) = bytes.split_first() {
            match self.state {
                State::Raw => {
                    let end = bytes
                        .iter()
                        .position(|&byte| byte == MARK)
                        .unwrap_or(bytes.len());
                    let (raw, tail) = bytes.split_at(end);
                    if !raw.is_empty() {
                        event(Event::Raw(raw));
                    }
                    bytes = match tail.split_first() {
                        Some((_, rest)) => {
                            self.state = State::Marked;
                            rest
                        }
                        None => tail,
                    };
                }
                State::Marked => match Kind::from_byte(first) {
                    Some(kind) => {
                        self.state = State::Length(kind);
                        bytes = rest;
                    }
                    None => {
                        // Not a frame after all: the mark was raw, and this byte is looked at afresh.
                        event(Event::Raw(&[MARK]));
                        self.state = State::Raw;
                    }
                },
                State::Length(kind) => {
                    self.state = State::LengthHigh(kind, first);
                    bytes = rest;
                }
                State::LengthHigh(kind, low) => {
                    let len = u16::from_le_bytes([low, first]);
                    event(Event::Begin { kind, len });
                    self.state = if len == 0 {
                        State::Raw
                    } else {
                        State::Payload(kind, len)
                    };
                    bytes = rest;
                }
                State::Payload(kind, left) => {
                    let (data, tail) = bytes.split_at(bytes.len().min(usize::from(left)));
                    let left = left.saturating_sub(u16::try_from(data.len()).unwrap_or(u16::MAX));
                    event(Event::Data {
                        kind,
                        bytes: data,
                        last: left == 0,
                    });
                    self.state = if left == 0 {
                        State::Raw
                    } else {
                        State::Payload(kind, left)
                    };
                    bytes = tail;
                }
            }
        }
    }
}
