//! The terminal on the console, and the host's stream when the run has no terminal.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use lsyscall_abi::{PollFlags, Winsize};

use crate::pty::Master;
use crate::wait::{RunList, WaitQueue};

/// A terminal: its line discipline, and who waits for it.
pub struct Tty {
    /// The line discipline.
    pub line: RefCell<persona_tty::Tty>,
    /// Bytes that have left the discipline and did not fit the console's queue yet.
    pub staged: RefCell<Vec<u8>>,
    /// Everyone who waits for it.
    pub queue: WaitQueue,
    /// Device number.
    pub rdev: u64,
    /// The other side, if it is a pseudo-terminal's slave.
    pub master: Option<Master>,
}

impl Tty {
    /// The console's terminal with a window of that size (0: unknown).
    pub fn new(run: &Rc<RunList>, rdev: u64, rows: u16, cols: u16) -> Rc<Self> {
        let mut line = persona_tty::Tty::new(persona_tty::console_termios());
        line.set_winsize(Winsize {
            rows,
            cols,
            ..Winsize::default()
        });
        while line.take_signal().is_some() {}
        Rc::new(Tty {
            line: RefCell::new(line),
            staged: RefCell::new(Vec::new()),
            queue: WaitQueue::new(run),
            rdev,
            master: None,
        })
    }

    /// A pseudo-terminal's slave.
    pub fn slave(run: &Rc<RunList>, rdev: u64, master: Master) -> Rc<Self> {
        Rc::new(Tty {
            line: RefCell::new(persona_tty::Tty::new(persona_tty::pty_termios())),
            staged: RefCell::new(Vec::new()),
            queue: WaitQueue::new(run),
            rdev,
            master: Some(master),
        })
    }

    /// What poll(2) says.
    pub fn poll(&self) -> u32 {
        let state = self.line.borrow().poll();
        let mut mask = PollFlags::empty();
        mask.set(PollFlags::IN | PollFlags::RDNORM, state.readable);
        mask.set(PollFlags::OUT | PollFlags::WRNORM, state.writable);
        mask.set(PollFlags::HUP | PollFlags::ERR, state.hangup);
        mask.bits()
    }
}

/// Most input kept for a program that does not read it.
pub const HOST_INPUT: usize = 16384;

/// The host's input and output as a stream of bytes.
pub struct HostStream {
    /// Input not yet read.
    pub input: RefCell<VecDeque<u8>>,
    /// The input has ended.
    pub ended: Cell<bool>,
    /// The console's queue was full.
    pub full: Cell<bool>,
    /// Everyone who waits for it.
    pub queue: WaitQueue,
}

impl HostStream {
    /// Nothing has arrived.
    pub fn new(run: &Rc<RunList>) -> Rc<Self> {
        Rc::new(HostStream {
            input: RefCell::new(VecDeque::new()),
            ended: Cell::new(false),
            full: Cell::new(false),
            queue: WaitQueue::new(run),
        })
    }

    /// What poll(2) says, to a reader or a writer.
    pub fn poll(&self, reads: bool, writes: bool) -> u32 {
        let mut mask = PollFlags::empty();
        if reads && !self.input.borrow().is_empty() {
            mask |= PollFlags::IN | PollFlags::RDNORM;
        }
        if reads && self.ended.get() {
            mask |= PollFlags::HUP;
        }
        if writes && !self.full.get() {
            mask |= PollFlags::OUT | PollFlags::WRNORM;
        }
        mask.bits()
    }
}
