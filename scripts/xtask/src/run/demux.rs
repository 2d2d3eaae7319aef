//! Takes the serial line apart: the programs' output, messages, trace, end of the run.

use console_frame::{Decoder, Event, Exit, Kind};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::Sender;

/// How much of the text outside frames is kept to show when the system fails, in bytes.
const KEPT: usize = 4096;
/// Messages up to this level (2: warnings) are always shown.
const ALWAYS: u8 = 2;

/// Where the parts go.
pub struct Demux<O, M> {
    decoder: Decoder,
    output: O,
    messages: M,
    verbose: bool,
    /// The payload so far of a log line or exit frame, which count only as a whole. A frame bounds its length.
    pending: Vec<u8>,
    raw: VecDeque<u8>,
    /// Raw text was shown without the end of its line.
    open_line: bool,
    /// Who waits for the guest's console.
    ready: Option<Sender<()>>,
}

impl<O: Write, M: Write> Demux<O, M> {
    /// Programs' output goes to `output`; log lines, trace and, if `verbose`, raw text go to `messages`.
    pub fn new(output: O, messages: M, verbose: bool) -> Self {
        Self {
            decoder: Decoder::new(),
            output,
            messages,
            verbose,
            pending: Vec::new(),
            raw: VecDeque::new(),
            open_line: false,
            ready: None,
        }
    }

    /// Sends a word once the guest's console listens.
    pub fn tell_ready(&mut self, ready: Sender<()>) {
        self.ready = Some(ready);
    }

    /// Takes the next bytes of the line. Gives how the run ended once that is known; what follows is not looked at.
    pub fn feed(&mut self, bytes: &[u8]) -> io::Result<Option<Exit>> {
        let mut decoder = std::mem::take(&mut self.decoder);
        let mut result = Ok(None);
        decoder.feed(bytes, |event| {
            if matches!(result, Ok(None)) {
                result = self.event(event);
            }
        });
        self.decoder = decoder;
        self.output.flush()?;
        result
    }

    /// What kernel, loader and root task wrote outside frames last.
    pub fn raw_tail(&mut self) -> String {
        String::from_utf8_lossy(self.raw.make_contiguous()).into_owned()
    }

    /// Writes a line of our own among the messages.
    pub fn message(&mut self, text: &str) -> io::Result<()> {
        if std::mem::take(&mut self.open_line) {
            writeln!(self.messages)?;
        }
        writeln!(self.messages, "{text}")
    }

    fn event(&mut self, event: Event<'_>) -> io::Result<Option<Exit>> {
        match event {
            Event::Raw(bytes) => self.raw(bytes)?,
            Event::Begin {
                kind: Kind::Exit,
                len: 0,
            } => return Ok(Some(Exit::System(-1))),
            Event::Begin {
                kind: Kind::Ready, ..
            } => {
                if let Some(ready) = self.ready.take() {
                    // Nobody waits for it if there is no input.
                    let _ = ready.send(());
                }
            }
            Event::Begin { .. } => self.pending.clear(),
            Event::Data { kind, bytes, last } => match kind {
                Kind::Output => self.output.write_all(bytes)?,
                Kind::Trace => self.messages.write_all(bytes)?,
                Kind::Log | Kind::Exit => {
                    self.pending.extend_from_slice(bytes);
                    if last && kind == Kind::Log {
                        self.log()?;
                    } else if last {
                        // A malformed exit frame is still the guest's word that it is over.
                        return Ok(Some(
                            Exit::from_payload(&self.pending).unwrap_or(Exit::System(-1)),
                        ));
                    }
                }
                // These go the other way; a guest that sends them is not worth more than ignoring them.
                Kind::Ready | Kind::Input | Kind::End | Kind::Window => {}
            },
        }
        Ok(None)
    }

    fn log(&mut self) -> io::Result<()> {
        let pending = std::mem::take(&mut self.pending);
        let Some((&level, text)) = pending.split_first() else {
            return Ok(());
        };
        if level <= ALWAYS || self.verbose {
            let name = match level {
                0 | 1 => "error",
                2 => "warning",
                3 => "info",
                4 => "debug",
                _ => "trace",
            };
            let text = String::from_utf8_lossy(text);
            self.message(&format!("persona: {name}: {}", text.trim_end()))?;
        }
        Ok(())
    }

    fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.raw.extend(bytes);
        let excess = self.raw.len().saturating_sub(KEPT);
        self.raw.drain(..excess);
        if self.verbose {
            self.messages.write_all(bytes)?;
            self.open_line = bytes.last().is_some_and(|&last| last != b'\n');
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use console_frame::encode;

    fn line(parts: &[(Option<Kind>, &[u8])]) -> Vec<u8> {
        let mut line = Vec::new();
        for (kind, bytes) in parts {
            match kind {
                Some(kind) => encode(*kind, bytes, |piece| line.extend(piece)),
                None => line.extend(*bytes),
            }
        }
        line
    }

    /// Output, messages and end of a stream fed in pieces of `step` bytes.
    fn run(stream: &[u8], verbose: bool, step: usize) -> (String, String, Option<Exit>) {
        let (mut output, mut messages) = (Vec::new(), Vec::new());
        let mut demux = Demux::new(&mut output, &mut messages, verbose);
        let mut end = None;
        for piece in stream.chunks(step) {
            end = demux.feed(piece).unwrap();
            if end.is_some() {
                break;
            }
        }
        (
            String::from_utf8_lossy(&output).into_owned(),
            String::from_utf8_lossy(&messages).into_owned(),
            end,
        )
    }

    #[test]
    fn keeps_the_parts_apart_however_they_are_cut() {
        let stream = line(&[
            (None, b"loader: hello\n"),
            (Some(Kind::Output), b"one\n"),
            (Some(Kind::Log), b"\x03started"),
            (Some(Kind::Log), b"\x02low on memory"),
            (Some(Kind::Trace), b"write(1) = 4\n"),
            (Some(Kind::Output), b"two\n"),
            (Some(Kind::Exit), &Exit::Exited(7).to_payload()),
            (Some(Kind::Output), b"late"),
        ]);
        for step in [1, 2, 3, 5, 1000] {
            let (output, messages, end) = run(&stream, false, step);
            assert_eq!(output, "one\ntwo\n");
            assert_eq!(messages, "persona: warning: low on memory\nwrite(1) = 4\n");
            assert_eq!(end, Some(Exit::Exited(7)));
        }
        let (output, messages, _) = run(&stream, true, 4);
        assert_eq!(output, "one\ntwo\n");
        assert!(
            messages.starts_with("loader: hello\npersona: info: started\n"),
            "{messages}"
        );
    }

    #[test]
    fn a_program_cannot_end_the_run_by_its_output() {
        let forged = console_frame::exit(Exit::Exited(0));
        let stream = line(&[(Some(Kind::Output), &forged)]);
        assert_eq!(run(&stream, false, 3).2, None);
    }

    #[test]
    fn the_console_is_waited_for_once() {
        let (ready, listening) = std::sync::mpsc::channel();
        let mut demux = Demux::new(io::sink(), io::sink(), false);
        demux.tell_ready(ready);
        demux.feed(b"no frame yet").unwrap();
        assert!(listening.try_recv().is_err());
        let stream = line(&[(Some(Kind::Ready), b""), (Some(Kind::Ready), b"")]);
        demux.feed(&stream).unwrap();
        assert_eq!(listening.iter().count(), 1);
    }

    #[test]
    fn a_malformed_end_is_a_failure_of_the_system() {
        assert_eq!(
            run(&line(&[(Some(Kind::Exit), b"??")]), false, 1).2,
            Some(Exit::System(-1))
        );
        assert_eq!(
            run(&line(&[(Some(Kind::Exit), b"")]), false, 1).2,
            Some(Exit::System(-1))
        );
    }

    #[test]
    fn raw_text_is_kept_for_the_report() {
        let mut demux = Demux::new(io::sink(), io::sink(), false);
        demux.feed(&vec![b'x'; 3 * KEPT]).unwrap();
        demux.feed(b"the end").unwrap();
        let tail = demux.raw_tail();
        assert_eq!(tail.len(), KEPT);
        assert!(tail.ends_with("the end"));
    }
}
