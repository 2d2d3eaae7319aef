//! Making frames.

use crate::{Exit, Kind, Window, EXIT_PAYLOAD, HEADER, MARK, MAX_PAYLOAD, WINDOW_PAYLOAD};

/// The four bytes before a payload of `len` bytes.
pub const fn header(kind: Kind, len: u16) -> [u8; HEADER] {
    let [low, high] = len.to_le_bytes();
    [MARK, kind.byte(), low, high]
}

/// Writes `payload` as frames through `put`: several if it is longer than a frame holds, one even if it is empty.
///
/// Split a log line or a payload of fixed form only by never exceeding [`MAX_PAYLOAD`].
pub fn encode(kind: Kind, payload: &[u8], mut put: impl FnMut(&[u8])) {
    let mut rest = payload;
    loop {
        let (part, tail) = rest.split_at(rest.len().min(MAX_PAYLOAD));
        // The length fits: MAX_PAYLOAD is u16::MAX.
        put(&header(kind, u16::try_from(part.len()).unwrap_or(u16::MAX)));
        if !part.is_empty() {
            put(part);
        }
        rest = tail;
        if rest.is_empty() {
            return;
        }
    }
}

/// A whole exit frame.
pub fn exit(exit: Exit) -> [u8; HEADER + EXIT_PAYLOAD] {
    let [m, k, l, h] = header(Kind::Exit, EXIT_PAYLOAD as u16);
    let [r, a, b, c, d] = exit.to_payload();
    [m, k, l, h, r, a, b, c, d]
}

/// A whole window frame.
pub fn window(window: Window) -> [u8; HEADER + WINDOW_PAYLOAD] {
    let [m, k, l, h] = header(Kind::Window, WINDOW_PAYLOAD as u16);
    let [a, b, c, d] = window.to_payload();
    [m, k, l, h, a, b, c, d]
}
