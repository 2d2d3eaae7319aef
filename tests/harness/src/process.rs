//! A child process whose streams are fed and read at the same time, under a time limit.

use anyhow::{Context as _, Result};
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{channel, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// Which stream a piece of output came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Kills and reaps the child when dropped before its end.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // Both fail only when the child is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn pump(mut from: impl Read + Send + 'static, stream: Stream, to: Sender<(Stream, Vec<u8>)>) {
    thread::spawn(move || {
        let mut block = vec![0; 16 << 10];
        loop {
            match from.read(&mut block) {
                Ok(0) | Err(_) => break,
                Ok(n) => {
                    let piece = block.get(..n).unwrap_or_default().to_vec();
                    if to.send((stream, piece)).is_err() {
                        break;
                    }
                }
            }
        }
    });
}

/// The limits of a run.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For the whole.
    pub total: Duration,
    /// Without output, counted from the first output on.
    pub silence: Duration,
}

/// Runs the command with `stdin` as its input. Gives its status, or `None` when it had to be killed.
///
/// `on_output` sees the pieces of output in order and may say that enough was seen (`false`): the child is then killed.
///
/// # Errors
/// When the command cannot be started or waited for.
pub fn run(
    command: &mut Command,
    stdin: Vec<u8>,
    limits: Limits,
    on_output: &mut dyn FnMut(Stream, &[u8]) -> bool,
) -> Result<Option<ExitStatus>> {
    let program = command.get_program().to_string_lossy().into_owned();
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {program}"))?;
    let mut guard = Guard(child);
    let (sender, receiver) = channel();
    if let Some(out) = guard.0.stdout.take() {
        pump(out, Stream::Out, sender.clone());
    }
    if let Some(err) = guard.0.stderr.take() {
        pump(err, Stream::Err, sender);
    }
    if let Some(mut input) = guard.0.stdin.take() {
        // A program that does not read its input is no error.
        thread::spawn(move || drop(input.write_all(&stdin)));
    }
    let end = Instant::now() + limits.total;
    let mut silence = Duration::MAX;
    loop {
        let left = end.saturating_duration_since(Instant::now()).min(silence);
        if left.is_zero() {
            return Ok(None);
        }
        match receiver.recv_timeout(left) {
            Ok((stream, bytes)) => {
                if stream == Stream::Out {
                    silence = limits.silence;
                }
                if !on_output(stream, &bytes) {
                    return Ok(None);
                }
            }
            Err(RecvTimeoutError::Timeout) => return Ok(None),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    // Its streams are closed: it is about to end.
    while Instant::now() < end {
        if let Some(status) = guard.0.try_wait().context("waiting for a child process")? {
            return Ok(Some(status));
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(None)
}
