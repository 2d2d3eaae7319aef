//! Framing of the serial line between guest and host.
//!
//! Purpose: one byte stream carries the programs' output, log lines, the trace and the end of the run apart from each
//! other, so that the host can give the program's output and nothing else. Both ends use this crate.
//!
//! A frame is `0xFF kind len_lo len_hi payload`, with at most 65,535 bytes of payload. Bytes outside frames are *raw*:
//! the text of loader and kernel, which know nothing of frames. Those write ASCII, so 0xFF never occurs in raw text; a
//! 0xFF followed by no known kind is raw as well.
//!
//! The crate must never allocate or panic, whatever bytes arrive.
#![no_std]
#![deny(unsafe_code)]

mod decode;
mod encode;

pub use decode::{Decoder, Event};
pub use encode::{encode, exit, header, window};

/// The byte that begins a frame.
pub const MARK: u8 = 0xFF;
/// Length of what precedes a frame's payload, in bytes.
pub const HEADER: usize = 4;
/// The longest payload, in bytes.
pub const MAX_PAYLOAD: usize = u16::MAX as usize;
/// Length of the payload of a [`Kind::Exit`] frame, in bytes.
pub const EXIT_PAYLOAD: usize = 5;
/// Length of the payload of a [`Kind::Window`] frame, in bytes.
pub const WINDOW_PAYLOAD: usize = 4;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Guest to host: output of programs.
    Output = b'O',
    /// Guest to host: one log line without its end; the first byte is the level, 1 (error) to 5 (trace).
    Log = b'L',
    /// Guest to host: text of the system-call trace.
    Trace = b'T',
    /// Guest to host: the run is over; see [`Exit`].
    Exit = b'X',
    /// Guest to host: the console listens from now on; no payload. What is sent to it earlier may be lost.
    Ready = b'R',
    /// Host to guest: input for the terminal or standard input.
    Input = b'I',
    /// Host to guest: the input has ended; no payload.
    End = b'E',
    /// Host to guest: the window's size; see [`Window`].
    Window = b'W',
}

impl Kind {
    /// The kind with this byte.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            b'O' => Self::Output,
            b'L' => Self::Log,
            b'T' => Self::Trace,
            b'X' => Self::Exit,
            b'R' => Self::Ready,
            b'I' => Self::Input,
            b'E' => Self::End,
            b'W' => Self::Window,
            _ => return None,
        })
    }

    /// The kind's byte.
    pub const fn byte(self) -> u8 {
        self as u8
    }
}

/// Why the run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The first process exited with this status (its low 8 bits count).
    Exited(i32),
    /// The first process was killed by this signal.
    Killed(i32),
    /// The system itself failed; the value only tells the places of failure apart.
    System(i32),
}

impl Exit {
    /// Reads the payload of an exit frame; nothing else than its exact form is accepted.
    pub fn from_payload(payload: &[u8]) -> Option<Self> {
        let [reason, a, b, c, d] = *payload else {
            return None;
        };
        let value = i32::from_le_bytes([a, b, c, d]);
        match reason {
            0 => Some(Self::Exited(value)),
            1 => Some(Self::Killed(value)),
            2 => Some(Self::System(value)),
            _ => None,
        }
    }

    /// The payload of an exit frame.
    pub const fn to_payload(self) -> [u8; EXIT_PAYLOAD] {
        let (reason, value) = match self {
            Self::Exited(value) => (0, value),
            Self::Killed(value) => (1, value),
            Self::System(value) => (2, value),
        };
        let [a, b, c, d] = value.to_le_bytes();
        [reason, a, b, c, d]
    }
}

/// The size of the host's window, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Lines.
    pub rows: u16,
    /// Characters in a line.
    pub cols: u16,
}

impl Window {
    /// Reads the payload of a window frame.
    pub fn from_payload(payload: &[u8]) -> Option<Self> {
        let [a, b, c, d] = *payload else { return None };
        Some(Self {
            rows: u16::from_le_bytes([a, b]),
            cols: u16::from_le_bytes([c, d]),
        })
    }

    /// The payload of a window frame.
    pub const fn to_payload(self) -> [u8; WINDOW_PAYLOAD] {
        let ([a, b], [c, d]) = (self.rows.to_le_bytes(), self.cols.to_le_bytes());
        [a, b, c, d]
    }
}
