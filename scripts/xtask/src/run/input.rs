//! From the host's standard input to the guest: frames, and the keys that leave.

use console_frame::{encode, Kind};
use std::io::{ErrorKind, Read};
use std::sync::mpsc::{Sender, SyncSender};

/// Input travels in frames of at most this many bytes, so that a change of the window's size is not held up for long.
const CHUNK: usize = 256;
/// The key that introduces a command to us: Ctrl-A.
const PREFIX: u8 = 0x01;

/// What came out of typed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typed {
    /// All went to the guest.
    Passed,
    /// The user asked to leave.
    Leave,
    /// The user asked which keys there are.
    Help,
}

/// Watches for Ctrl-A commands: `x` leaves, `h` helps, Ctrl-A itself sends one; anything else goes on as typed.
#[derive(Debug, Default)]
pub struct Keys {
    prefixed: bool,
}

impl Keys {
    /// Puts what is for the guest into `out`.
    pub fn filter(&mut self, typed: &[u8], out: &mut Vec<u8>) -> Typed {
        let mut result = Typed::Passed;
        for &byte in typed {
            match (std::mem::take(&mut self.prefixed), byte) {
                (false, PREFIX) => self.prefixed = true,
                (false, byte) => out.push(byte),
                (true, b'x' | b'X') => return Typed::Leave,
                (true, b'h' | b'H' | b'?') => result = Typed::Help,
                (true, PREFIX) => out.push(PREFIX),
                (true, byte) => out.extend([PREFIX, byte]),
            }
        }
        result
    }
}

/// What the input side reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// The user asked to leave.
    Leave,
    /// The user asked for help.
    Help,
}

/// Reads `source` to its end and hands frames to `frames`, whose bound holds the reading back. With `keys` the bytes
/// are typed ones. Ends quietly when nobody takes frames any more.
pub fn forward(
    mut source: impl Read,
    keys: Option<Keys>,
    frames: &SyncSender<Vec<u8>>,
    reports: &Sender<Report>,
) {
    let mut keys = keys;
    let mut buffer = [0; 4096];
    loop {
        let bytes = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => &buffer[..n],
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            // An input that cannot be read has ended.
            Err(_) => break,
        };
        let mut typed = Vec::new();
        let mut verdict = Typed::Passed;
        let bytes = match &mut keys {
            None => bytes,
            Some(keys) => {
                verdict = keys.filter(bytes, &mut typed);
                &typed
            }
        };
        for chunk in bytes.chunks(CHUNK) {
            let mut frame = Vec::with_capacity(chunk.len() + 4);
            encode(Kind::Input, chunk, |piece| frame.extend(piece));
            if frames.send(frame).is_err() {
                return;
            }
        }
        let report = match verdict {
            Typed::Passed => continue,
            Typed::Leave => Report::Leave,
            Typed::Help => Report::Help,
        };
        if reports.send(report).is_err() || report == Report::Leave {
            return;
        }
    }
    let mut frame = Vec::new();
    encode(Kind::End, &[], |piece| frame.extend(piece));
    // Nobody left to tell is fine: the run is over then.
    let _ = frames.send(frame);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{channel, sync_channel};

    #[test]
    fn ctrl_a_commands() {
        let filter = |pieces: &[&[u8]]| {
            let (mut keys, mut out) = (Keys::default(), Vec::new());
            let typed: Vec<_> = pieces
                .iter()
                .map(|piece| keys.filter(piece, &mut out))
                .collect();
            (out, typed)
        };
        assert_eq!(filter(&[b"ab\x01"]), (b"ab".to_vec(), vec![Typed::Passed]));
        assert_eq!(
            filter(&[b"a\x01", b"x"]),
            (b"a".to_vec(), vec![Typed::Passed, Typed::Leave])
        );
        assert_eq!(
            filter(&[b"\x01\x01x"]),
            (b"\x01x".to_vec(), vec![Typed::Passed])
        );
        assert_eq!(
            filter(&[b"\x01e\x01h"]),
            (b"\x01e".to_vec(), vec![Typed::Help])
        );
    }

    #[test]
    fn input_becomes_frames_with_an_end() {
        let (frames, received) = sync_channel(100);
        let data: Vec<u8> = (0..1000u32).map(|n| n as u8).collect();
        forward(data.as_slice(), None, &frames, &channel().0);
        drop(frames);
        let (mut got, mut ended) = (Vec::new(), false);
        let mut decoder = console_frame::Decoder::new();
        for frame in received {
            decoder.feed(&frame, |event| match event {
                console_frame::Event::Data {
                    kind: Kind::Input,
                    bytes,
                    ..
                } => got.extend_from_slice(bytes),
                console_frame::Event::Begin {
                    kind: Kind::End, ..
                } => ended = true,
                _ => {}
            });
        }
        assert_eq!((got, ended), (data, true));
    }
}
