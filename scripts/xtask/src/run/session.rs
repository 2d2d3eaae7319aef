//! One run from power-on to the end: what comes from the guest, from the user and from signals meets here.

use super::demux::Demux;
use super::input::{self, Keys, Report};
use super::qemu::Machine;
use super::terminal::{self, Messages, Raw};
use super::{SYSTEM_FAILED, TIMED_OUT};
use anyhow::Result;
use console_frame::Exit;
use signal_hook::consts::{SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGWINCH};
use signal_hook::iterator::Signals;
use std::io::{ErrorKind, Read, Write};
use std::process::ChildStdout;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

/// Frames of input that may wait for the guest. Each is small; more are held back in the host's own buffers.
const WAITING: usize = 64;

/// How the user sees the run.
pub struct Settings {
    /// Standard input and output are terminals.
    pub tty: bool,
    /// The program is the shell we chose, so leaving it by a key is its usual end.
    pub shell: bool,
    /// Show everything.
    pub verbose: bool,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// What to tell an interactive user first.
    pub banner: String,
}

/// What can happen.
enum News {
    Serial(Vec<u8>),
    SerialEnd,
    Signal(i32),
    Input(Report),
}

/// Runs the machine to its end and gives the status to exit with.
pub fn run(machine: &Machine, settings: &Settings) -> Result<u8> {
    let (news, received) = mpsc::channel();
    // Before QEMU starts: a signal must not find us without a handler and leave it behind.
    watch_signals(&news)?;
    let deadline = settings.timeout.map(|time| Instant::now() + time);
    let (mut qemu, line_in, line_out) = machine.start()?;
    let raw = if settings.tty {
        eprintln!("{}", settings.banner);
        Some(Raw::enter()?)
    } else {
        None
    };
    watch_serial(line_out, &news);
    let (ready, listening) = mpsc::channel();
    let frames = write_frames(line_in, listening);
    watch_input(settings.tty, frames.clone(), &news);

    let messages = Messages { raw: settings.tty };
    let mut demux = Demux::new(std::io::stdout(), messages, settings.verbose);
    demux.tell_ready(ready);
    let end = pump(&received, &mut demux, deadline, &frames);
    let status = match end {
        End::Guest(exit) => status_of(exit),
        End::SerialEnded => SYSTEM_FAILED,
        End::Left if settings.shell => 0,
        End::Left => 128 + SIGINT as u8,
        End::Signal(signal) => 128u8.wrapping_add(signal as u8),
        End::TimedOut => TIMED_OUT,
        End::OutputGone(ErrorKind::BrokenPipe) => 128 + SIGPIPE as u8,
        End::OutputGone(_) => SYSTEM_FAILED,
    };
    let fate = if matches!(end, End::SerialEnded) {
        Some(qemu.ended())
    } else {
        None
    };
    drop(qemu);
    drop(raw);
    explain(&end, fate, &demux.raw_tail(), settings);
    Ok(status)
}

/// Why the run is over.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The guest said so.
    Guest(Exit),
    /// QEMU ended without the guest's word.
    SerialEnded,
    /// The user left by a key.
    Left,
    /// We were told to end.
    Signal(i32),
    /// `--timeout`.
    TimedOut,
    /// Our own standard output failed.
    OutputGone(ErrorKind),
}

/// The status a program's end gives this command.
fn status_of(exit: Exit) -> u8 {
    match exit {
        Exit::Exited(value) => value as u8,
        Exit::Killed(signal) => 128u8.wrapping_add(signal as u8),
        Exit::System(_) => SYSTEM_FAILED,
    }
}

/// Handles what happens until the end.
fn pump<O: Write, M: Write>(
    received: &Receiver<News>,
    demux: &mut Demux<O, M>,
    deadline: Option<Instant>,
    frames: &SyncSender<Vec<u8>>,
) -> End {
    loop {
        let news = match deadline {
            None => received.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(deadline) => {
                received.recv_timeout(deadline.saturating_duration_since(Instant::now()))
            }
        };
        match news {
            Ok(News::Serial(bytes)) => match demux.feed(&bytes) {
                Ok(None) => {}
                Ok(Some(exit)) => return End::Guest(exit),
                Err(error) => return End::OutputGone(error.kind()),
            },
            Ok(News::SerialEnd) | Err(RecvTimeoutError::Disconnected) => return End::SerialEnded,
            Ok(News::Signal(SIGWINCH)) => {
                if let Some(window) = terminal::window() {
                    // A guest that takes no input misses one size and gets the next.
                    let _ = frames.try_send(console_frame::window(window).to_vec());
                }
            }
            Ok(News::Signal(signal)) => return End::Signal(signal),
            Ok(News::Input(Report::Leave)) => return End::Left,
            Ok(News::Input(Report::Help)) => {
                let help = "\nCtrl-A x leaves, Ctrl-A Ctrl-A sends Ctrl-A, Ctrl-A h shows this";
                if let Err(error) = demux.message(help) {
                    return End::OutputGone(error.kind());
                }
            }
            Err(RecvTimeoutError::Timeout) => return End::TimedOut,
        }
    }
}

/// Says on standard error why the run ended, when that is not the program's doing.
fn explain(end: &End, fate: Option<String>, tail: &str, settings: &Settings) {
    let failed = match end {
        End::Guest(Exit::System(code)) => Some(format!("the system failed (code {code})")),
        End::SerialEnded => Some(format!(
            "QEMU ended without a word from the guest ({})",
            fate.unwrap_or_default()
        )),
        End::TimedOut => Some("the run took longer than --timeout allows".to_owned()),
        End::OutputGone(kind) if *kind != ErrorKind::BrokenPipe => {
            Some(format!("standard output failed: {kind}"))
        }
        _ => None,
    };
    if let Some(text) = failed {
        if !settings.verbose && !tail.is_empty() && !matches!(end, End::OutputGone(_)) {
            eprintln!("{}", tail.trim_end());
        }
        eprintln!("error: {text}");
    } else if settings.tty {
        // The guest's last line may be open.
        eprintln!();
    }
}

fn watch_signals(news: &Sender<News>) -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH])?;
    let news = news.clone();
    thread::spawn(move || {
        for signal in signals.forever() {
            if news.send(News::Signal(signal)).is_err() {
                return;
            }
        }
    });
    Ok(())
}

fn watch_serial(mut line: ChildStdout, news: &Sender<News>) {
    let news = news.clone();
    thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let piece = match line.read(&mut buffer) {
                Ok(0) => News::SerialEnd,
                Ok(n) => News::Serial(buffer[..n].to_vec()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => News::SerialEnd,
            };
            let end = matches!(piece, News::SerialEnd);
            if news.send(piece).is_err() || end {
                return;
            }
        }
    });
}

/// Gives the queue of frames for the guest. They wait until its console listens: what came earlier would be lost when it
/// sets the device up. From then on the line takes bytes as fast as the guest reads them.
fn write_frames(
    mut line: impl Write + Send + 'static,
    listening: mpsc::Receiver<()>,
) -> SyncSender<Vec<u8>> {
    let (frames, waiting) = mpsc::sync_channel::<Vec<u8>>(WAITING);
    thread::spawn(move || {
        if listening.recv().is_err() {
            return;
        }
        for frame in waiting {
            if line.write_all(&frame).and_then(|()| line.flush()).is_err() {
                return;
            }
        }
    });
    frames
}

fn watch_input(tty: bool, frames: SyncSender<Vec<u8>>, news: &Sender<News>) {
    let (reports, reported) = mpsc::channel();
    let news = news.clone();
    thread::spawn(move || {
        for report in reported {
            if news.send(News::Input(report)).is_err() {
                return;
            }
        }
    });
    let keys = tty.then(Keys::default);
    thread::spawn(move || input::forward(std::io::stdin(), keys, &frames, &reports));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest(news: Vec<News>, deadline: Option<Instant>) -> (End, String) {
        let (sender, received) = mpsc::channel();
        for one in news {
            sender.send(one).unwrap();
        }
        let mut output = Vec::new();
        let mut demux = Demux::new(&mut output, std::io::sink(), false);
        let end = pump(&received, &mut demux, deadline, &mpsc::sync_channel(1).0);
        (end, String::from_utf8(output).unwrap())
    }

    #[test]
    fn the_guests_word_ends_the_run() {
        let mut line = Vec::new();
        console_frame::encode(console_frame::Kind::Output, b"hello\n", |bytes| {
            line.extend(bytes)
        });
        line.extend(console_frame::exit(Exit::Killed(11)));
        let pieces = line
            .chunks(5)
            .map(|piece| News::Serial(piece.to_vec()))
            .collect();
        let (end, output) = guest(pieces, None);
        assert_eq!(
            (&end, output.as_str()),
            (&End::Guest(Exit::Killed(11)), "hello\n")
        );
        assert_eq!(status_of(Exit::Killed(11)), 139);
        assert_eq!(status_of(Exit::Exited(7)), 7);
        assert_eq!(status_of(Exit::System(0)), 125);
    }

    #[test]
    fn other_ends() {
        assert_eq!(guest(vec![News::SerialEnd], None).0, End::SerialEnded);
        assert_eq!(
            guest(vec![News::Signal(SIGTERM)], None).0,
            End::Signal(SIGTERM)
        );
        assert_eq!(
            guest(
                vec![News::Signal(SIGWINCH), News::Input(Report::Leave)],
                None
            )
            .0,
            End::Left
        );
        assert_eq!(
            guest(vec![], Some(Instant::now() + Duration::from_millis(20))).0,
            End::TimedOut
        );
    }
}
