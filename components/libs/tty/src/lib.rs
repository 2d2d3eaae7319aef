//! The line discipline of a terminal, as Linux's N_TTY behaves: line editing, echo, signals, flow control, output processing.
//!
//! A [`Tty`] is a plain data structure between a line (bytes in by [`Tty::input`], bytes out by [`Tty::take_output`]) and
//! programs ([`Tty::read`], [`Tty::write`]). It serves a serial console and the slave side of a pseudo-terminal alike. It never
//! waits, keeps no clock, knows no processes: signals are handed out by [`Tty::take_signal`] for the owner to deliver to the
//! foreground process group, and all its memory is bounded.
//!
//! What the flags mean is in termios(3).
#![no_std]
#![deny(unsafe_code)]

extern crate alloc;

mod edit;
mod input;
mod modes;
mod output;
mod read;

use alloc::collections::VecDeque;
use lsyscall_abi::{Signal, Termios2, Winsize};

pub use modes::{console_termios, pty_termios};
pub use read::{ReadMode, ReadResult};

use modes::Modes;

/// Bytes of input kept, as on Linux; a line can be one byte shorter.
pub const INPUT_SIZE: usize = 4096;
/// Bytes of program output kept.
pub const OUTPUT_SIZE: usize = 4096;
/// Room that echoes have behind a full output queue; beyond it they are lost.
const ECHO_RESERVE: usize = 1024;

/// One place of the input queue: a byte and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    byte: u8,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A byte.
    Plain,
    /// A byte that ends a line.
    End,
    /// No byte: where end-of-file was typed.
    Eof,
}

/// What poll(2) says of a terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// A read would not wait.
    pub readable: bool,
    /// A write would not wait.
    pub writable: bool,
    /// The line is gone.
    pub hangup: bool,
}

/// A terminal.
#[derive(Debug)]
pub struct Tty {
    termios: Termios2,
    modes: Modes,
    winsize: Winsize,
    session: i32,
    foreground: i32,

    /// Complete lines (in canonical mode), then the line being edited.
    input: VecDeque<Cell>,
    /// How many cells of `input` belong to complete lines; without meaning in raw mode.
    complete: usize,
    /// The next byte is taken literally.
    literal_next: bool,
    /// Erased bytes are being printed (ECHOPRT) since `\`.
    erasing: bool,
    /// Column of the cursor where the line being edited starts.
    line_column: usize,

    output: VecDeque<u8>,
    /// STOP or START to be sent past everything else.
    urgent: Option<u8>,
    /// Column of the cursor.
    column: usize,
    /// Output is held by STOP or TCOOFF.
    stopped: bool,
    /// It was TCOOFF: only TCOON ends it.
    stopped_by_program: bool,
    /// The sender was asked to pause (IXOFF).
    throttled: bool,

    /// Signals for the foreground group: bit n-1 is signal n.
    signals: u64,
    ended: bool,
    hung_up: bool,
}

impl Tty {
    /// A terminal with these settings, empty.
    pub fn new(termios: Termios2) -> Tty {
        Tty {
            modes: Modes::of(&termios),
            termios,
            winsize: Winsize::default(),
            session: 0,
            foreground: 0,
            input: VecDeque::with_capacity(INPUT_SIZE),
            complete: 0,
            literal_next: false,
            erasing: false,
            line_column: 0,
            output: VecDeque::with_capacity(OUTPUT_SIZE + ECHO_RESERVE),
            urgent: None,
            column: 0,
            stopped: false,
            stopped_by_program: false,
            throttled: false,
            signals: 0,
            ended: false,
            hung_up: false,
        }
    }

    /// The settings.
    pub const fn termios(&self) -> &Termios2 {
        &self.termios
    }

    /// Changes the settings (TCSETS; for TCSETSF call [`Tty::flush_input`] first, for TCSETSW and TCSETSF wait until
    /// [`Tty::output_len`] is 0).
    pub fn set_termios(&mut self, termios: Termios2) {
        let was = self.modes;
        self.termios = termios;
        self.modes = Modes::of(&termios);
        if was.canonical() != self.modes.canonical() {
            self.switch_canonical();
        }
        if !self.modes.ixon() && !self.stopped_by_program {
            self.stopped = false;
        }
    }

    /// Changes to or from canonical mode keep what was typed: all of it can be read at once.
    fn switch_canonical(&mut self) {
        self.input.retain(|cell| cell.kind != Kind::Eof);
        for cell in &mut self.input {
            cell.kind = Kind::Plain;
        }
        if let (true, Some(last)) = (self.modes.canonical(), self.input.back_mut()) {
            last.kind = Kind::End;
        }
        self.complete = self.input.len();
        self.literal_next = false;
        self.erasing = false;
        self.line_column = self.column;
    }

    /// The size of the window.
    pub const fn winsize(&self) -> Winsize {
        self.winsize
    }

    /// Sets the size of the window; a change is news to the foreground group (SIGWINCH).
    pub fn set_winsize(&mut self, size: Winsize) {
        if size != self.winsize {
            self.winsize = size;
            self.raise(lsyscall_abi::signal::SIGWINCH);
        }
    }

    /// Id of the session whose controlling terminal this is; 0: none.
    pub const fn session(&self) -> i32 {
        self.session
    }

    /// Sets the session.
    pub fn set_session(&mut self, sid: i32) {
        self.session = sid;
    }

    /// The foreground process group; 0: none.
    pub const fn foreground(&self) -> i32 {
        self.foreground
    }

    /// Sets the foreground process group. Whether the caller may is the owner's matter.
    pub fn set_foreground(&mut self, pgid: i32) {
        self.foreground = pgid;
    }

    fn raise(&mut self, signal: i32) {
        self.signals |= Signal(signal).bit();
    }

    /// The next signal for the foreground process group.
    pub fn take_signal(&mut self) -> Option<Signal> {
        let signal = lsyscall_abi::SigSet(self.signals).first()?;
        self.signals &= !signal.bit();
        Some(signal)
    }

    /// What poll(2) should say.
    pub fn poll(&self) -> Readiness {
        Readiness {
            readable: self.ended || self.hung_up || self.can_read(),
            writable: self.hung_up || self.output.len() < OUTPUT_SIZE / 2,
            hangup: self.hung_up,
        }
    }

    /// Bytes a read would find (FIONREAD, TIOCINQ).
    pub fn input_len(&self) -> usize {
        let cells = if self.modes.canonical() {
            self.complete
        } else {
            self.input.len()
        };
        self.input
            .iter()
            .take(cells)
            .filter(|cell| cell.kind != Kind::Eof)
            .count()
    }

    /// Bytes not yet on the line (TIOCOUTQ).
    pub fn output_len(&self) -> usize {
        self.output.len()
    }

    /// Whether [`Tty::take_output`] would give anything.
    pub fn has_output(&self) -> bool {
        self.urgent.is_some() || (!self.stopped && !self.output.is_empty())
    }

    /// Drops what was typed and not read (TCIFLUSH).
    pub fn flush_input(&mut self) {
        self.input.clear();
        self.complete = 0;
        self.literal_next = false;
        self.erasing = false;
        self.line_column = self.column;
        self.unthrottle();
    }

    /// Drops what was written and is not on the line (TCOFLUSH).
    pub fn flush_output(&mut self) {
        self.output.clear();
    }

    /// Holds the output (TCOOFF).
    pub fn stop_output(&mut self) {
        self.stopped = true;
        self.stopped_by_program = true;
    }

    /// Lets the output go on (TCOON).
    pub fn start_output(&mut self) {
        self.stopped = false;
        self.stopped_by_program = false;
    }

    /// Asks the sender of the input to pause (TCIOFF).
    pub fn send_stop(&mut self) {
        self.urgent = self.modes.stop();
    }

    /// Asks the sender of the input to go on (TCION).
    pub fn send_start(&mut self) {
        self.urgent = self.modes.start();
    }

    /// The sender has closed the line in an orderly way: reads give what is there, then end-of-file.
    pub fn end_input(&mut self) {
        self.ended = true;
        if let (true, Some(last)) = (self.complete < self.input.len(), self.input.back_mut()) {
            last.kind = Kind::End;
        }
        self.complete = self.input.len();
    }

    /// The line is gone: reads give end-of-file, writes fail with EIO, and both sides' data is dropped.
    pub fn hang_up(&mut self) {
        self.hung_up = true;
        self.flush_input();
        self.flush_output();
    }

    /// Whether the line is gone.
    pub const fn is_hung_up(&self) -> bool {
        self.hung_up
    }
}
