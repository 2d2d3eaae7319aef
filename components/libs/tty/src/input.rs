//! From the line: what each byte does.

use lsyscall_abi::{cc, signal};

use crate::{Cell, Kind, Tty, INPUT_SIZE};

/// With IXOFF, the sender is asked to pause at this many bytes, and to go on below the other.
const THROTTLE_AT: usize = INPUT_SIZE - 128;
const UNTHROTTLE_AT: usize = 128;

impl Tty {
    /// How many bytes [`Tty::input`] can take without losing one. At 0 something is there to be read first.
    pub fn input_room(&self) -> usize {
        let room = (INPUT_SIZE - 1).saturating_sub(self.input.len());
        // An endless line is cut, or end-of-line could never be typed.
        if room == 0 && self.modes.canonical() && self.complete == 0 {
            1
        } else {
            room
        }
    }

    /// A byte arrives.
    pub fn input(&mut self, byte: u8) {
        if self.hung_up || self.ended {
            return;
        }
        let mut byte = byte;
        if self.modes.istrip() {
            byte &= 0x7f;
        }
        if self.modes.iuclc() && self.modes.iexten() {
            byte = byte.to_ascii_lowercase();
        }
        if self.literal_next {
            self.literal_next = false;
            self.plain(byte, false);
        } else {
            self.receive(byte);
        }
        self.throttle();
    }

    /// The line was held low: a break.
    pub fn input_break(&mut self) {
        if self.modes.ignbrk() || self.hung_up || self.ended {
            return;
        }
        if self.modes.brkint() {
            self.signal(signal::SIGINT);
            return;
        }
        if self.modes.parmrk() {
            self.store(0xff);
            self.store(0);
        }
        self.store(0);
    }

    fn receive(&mut self, byte: u8) {
        if self.modes.ixon() {
            if self.modes.is(cc::VSTART, byte) {
                self.resume();
                return;
            }
            if self.modes.is(cc::VSTOP, byte) {
                self.stopped = true;
                return;
            }
        }
        if self.modes.isig() {
            for (index, sig) in [
                (cc::VINTR, signal::SIGINT),
                (cc::VQUIT, signal::SIGQUIT),
                (cc::VSUSP, signal::SIGTSTP),
            ] {
                if self.modes.is(index, byte) {
                    self.signal(sig);
                    if self.modes.ixon() {
                        self.resume();
                    }
                    if self.modes.echo() {
                        self.echo(byte);
                        self.line_column = self.column;
                    }
                    return;
                }
            }
        }
        if self.modes.ixon() && self.modes.ixany() {
            self.resume();
        }
        let byte = match byte {
            b'\r' if self.modes.igncr() => return,
            b'\r' if self.modes.icrnl() => b'\n',
            b'\n' if self.modes.inlcr() => b'\r',
            byte => byte,
        };
        if self.modes.canonical() {
            self.canonical(byte);
        } else {
            self.plain(byte, byte == b'\n');
        }
    }

    fn canonical(&mut self, byte: u8) {
        if self.modes.is(cc::VERASE, byte)
            || self.modes.is(cc::VKILL, byte)
            || self.modes.is_extended(cc::VWERASE, byte)
        {
            self.erase(byte);
        } else if self.modes.is_extended(cc::VLNEXT, byte) {
            self.literal_next = true;
            if self.modes.echo() {
                self.finish_erasing();
                if self.modes.echoctl() {
                    self.echo_raw(b'^');
                    self.echo_raw(0x08);
                }
            }
        } else if self.modes.echo() && self.modes.is_extended(cc::VREPRINT, byte) {
            self.reprint(byte);
        } else if byte == b'\n' {
            if self.modes.echo() || self.modes.echonl() {
                self.finish_erasing();
                self.echo_raw(b'\n');
            }
            self.end_line(byte, Kind::End);
        } else if self.modes.is(cc::VEOF, byte) {
            self.end_line(0, Kind::Eof);
        } else if self.modes.is(cc::VEOL, byte) || self.modes.is_extended(cc::VEOL2, byte) {
            if self.modes.echo() {
                self.finish_erasing();
                self.echo(byte);
            }
            self.end_line(byte, Kind::End);
        } else {
            self.plain(byte, byte == b'\n');
        }
    }

    /// A byte that means only itself; `as_is`: a control character is not echoed as `^X`.
    fn plain(&mut self, byte: u8, as_is: bool) {
        if self.full() {
            if self.modes.imaxbel() {
                self.bell();
            }
            return;
        }
        if self.modes.echo() {
            self.finish_erasing();
            if self.complete == self.input.len() {
                self.line_column = self.column;
            }
            if as_is {
                self.echo_raw(byte);
            } else {
                self.echo(byte);
            }
        }
        if self.modes.parmrk() && byte == 0xff {
            self.store(byte);
        }
        self.store(byte);
    }

    /// One place is left for the end of the line.
    fn full(&self) -> bool {
        self.input.len() >= INPUT_SIZE - 1
    }

    fn store(&mut self, byte: u8) {
        if !self.full() {
            self.input.push_back(Cell {
                byte,
                kind: Kind::Plain,
            });
        }
    }

    fn end_line(&mut self, byte: u8, kind: Kind) {
        if self.input.len() < INPUT_SIZE {
            self.input.push_back(Cell { byte, kind });
        } else if let Some(last) = self.input.back_mut() {
            // The last line's end is overwritten: Linux loses it too, and nothing else.
            *last = Cell { byte, kind };
        }
        self.complete = self.input.len();
        self.line_column = self.column;
    }

    /// A signal character: what was typed and what is being written is dropped, unless NOFLSH.
    fn signal(&mut self, sig: i32) {
        self.raise(sig);
        if !self.modes.noflsh() {
            self.flush_input();
            self.flush_output();
        }
    }

    fn resume(&mut self) {
        if !self.stopped_by_program {
            self.stopped = false;
        }
    }

    fn throttle(&mut self) {
        if self.modes.ixoff() && !self.throttled && self.input.len() >= THROTTLE_AT {
            self.throttled = true;
            self.send_stop();
        }
    }

    pub(crate) fn unthrottle(&mut self) {
        if self.throttled && self.input.len() < UNTHROTTLE_AT {
            self.throttled = false;
            self.send_start();
        }
    }
}
