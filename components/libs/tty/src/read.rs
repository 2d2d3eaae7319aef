//! What a program's read gets.

use crate::{Kind, Tty};

/// What ends a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadMode {
    /// It waits as the terminal's settings say.
    Waiting,
    /// O_NONBLOCK: it takes what is there.
    NonBlocking,
    /// The time of [`Tty::read_timeout`] is up: it takes what is there, perhaps nothing.
    TimedOut,
}

/// What a read got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadResult {
    /// So many bytes; 0 only when a raw read's time is up (or is none), or no byte was asked for.
    Data(usize),
    /// Nothing yet: park, or EAGAIN.
    WouldBlock,
    /// End of file: the read returns 0.
    Eof,
}

impl Tty {
    /// Whether a read would not wait (ignoring the end of the line).
    pub(crate) fn can_read(&self) -> bool {
        if self.modes.canonical() {
            return self.complete > 0;
        }
        let wanted = if self.modes.time() == 0 {
            self.modes.min().max(1)
        } else {
            1
        };
        self.input.len() >= wanted
    }

    /// Moves input into `buf`.
    pub fn read(&mut self, buf: &mut [u8], mode: ReadMode) -> ReadResult {
        if self.hung_up {
            return ReadResult::Eof;
        }
        if buf.is_empty() {
            return ReadResult::Data(0);
        }
        let result = if self.modes.canonical() {
            self.read_line(buf)
        } else {
            self.read_raw(buf, mode)
        };
        self.unthrottle();
        result
    }

    /// How long a raw read that would wait may wait (VTIME), in nanoseconds; `None`: for ever. Then read with
    /// [`ReadMode::TimedOut`].
    pub fn read_timeout(&self) -> Option<u64> {
        let tenths = u64::from(self.modes.time());
        let counting = self.modes.min() == 0 || !self.input.is_empty();
        if self.modes.canonical() || tenths == 0 || !counting {
            return None;
        }
        Some(tenths * 100_000_000)
    }

    /// At most the rest of one line.
    fn read_line(&mut self, buf: &mut [u8]) -> ReadResult {
        if self.complete == 0 {
            return if self.ended {
                ReadResult::Eof
            } else {
                ReadResult::WouldBlock
            };
        }
        let mut n = 0;
        loop {
            let next = if self.complete > 0 {
                self.input.front().copied()
            } else {
                None
            };
            let Some(cell) = next else { break };
            if cell.kind == Kind::Eof {
                // It ends a read, and is not seen by the next one.
                self.take_front();
                return if n == 0 {
                    ReadResult::Eof
                } else {
                    ReadResult::Data(n)
                };
            }
            let Some(slot) = buf.get_mut(n) else { break };
            *slot = cell.byte;
            n += 1;
            self.take_front();
            if cell.kind == Kind::End {
                break;
            }
        }
        ReadResult::Data(n)
    }

    fn take_front(&mut self) {
        self.input.pop_front();
        self.complete = self.complete.saturating_sub(1);
    }

    fn read_raw(&mut self, buf: &mut [u8], mode: ReadMode) -> ReadResult {
        let wanted = self.modes.min().min(buf.len());
        let there = self.input.len();
        if self.ended && there == 0 {
            return ReadResult::Eof;
        }
        match mode {
            ReadMode::NonBlocking if there == 0 => {
                return if self.modes.min() == 0 && self.modes.time() == 0 {
                    ReadResult::Data(0)
                } else {
                    ReadResult::WouldBlock
                };
            }
            ReadMode::Waiting if !self.ended => {
                let wanted = if self.modes.min() == 0 && self.modes.time() > 0 {
                    1
                } else {
                    wanted
                };
                if there < wanted {
                    return ReadResult::WouldBlock;
                }
            }
            _ => {}
        }
        let mut n = 0;
        for slot in buf {
            let Some(cell) = self.input.pop_front() else {
                break;
            };
            *slot = cell.byte;
            n += 1;
        }
        self.complete = self.complete.saturating_sub(n);
        ReadResult::Data(n)
    }
}
