//! From programs to the line: output processing, echo.

use lsyscall_abi::Errno;

use crate::{Tty, ECHO_RESERVE, OUTPUT_SIZE};

/// Columns between tab stops.
pub(crate) const TAB: usize = 8;

pub(crate) const fn is_control(byte: u8) -> bool {
    byte < 0x20 || byte == 0x7f
}

/// At most what one byte becomes: the spaces of a tab.
const MAX_EXPANSION: usize = TAB;

impl Tty {
    /// Takes output of a program; returns how many bytes were taken. Fewer than given: wait until [`Tty::poll`] says
    /// writable.
    ///
    /// # Errors
    /// `EIO` when the line is gone.
    pub fn write(&mut self, data: &[u8]) -> Result<usize, Errno> {
        if self.hung_up {
            return Err(Errno::EIO);
        }
        if !self.modes.opost() {
            let n = OUTPUT_SIZE
                .saturating_sub(self.output.len())
                .min(data.len());
            self.output.extend(data.iter().take(n));
            return Ok(n);
        }
        let mut taken = 0;
        for &byte in data {
            if self.output.len() + MAX_EXPANSION > OUTPUT_SIZE {
                break;
            }
            self.process(byte);
            taken += 1;
        }
        // A program's output moves the place where the line being edited stands.
        if self.complete == self.input.len() {
            self.line_column = self.column;
        }
        Ok(taken)
    }

    /// Moves bytes for the line into `buf`; returns how many.
    pub fn take_output(&mut self, buf: &mut [u8]) -> usize {
        let mut n = 0;
        for slot in buf {
            let next = match self.urgent.take() {
                Some(byte) => Some(byte),
                None if self.stopped => None,
                None => self.output.pop_front(),
            };
            let Some(byte) = next else { break };
            *slot = byte;
            n += 1;
        }
        n
    }

    fn push(&mut self, byte: u8) {
        if self.output.len() < OUTPUT_SIZE + ECHO_RESERVE {
            self.output.push_back(byte);
        }
    }

    /// Output processing (OPOST) of one byte.
    fn process(&mut self, byte: u8) {
        let mut byte = byte;
        match byte {
            b'\n' => {
                if self.modes.onlret() {
                    self.column = 0;
                }
                if self.modes.onlcr() {
                    self.push(b'\r');
                    self.column = 0;
                }
            }
            b'\r' => {
                if self.modes.onocr() && self.column == 0 {
                    return;
                }
                if self.modes.ocrnl() {
                    byte = b'\n';
                    if self.modes.onlret() {
                        self.column = 0;
                    }
                } else {
                    self.column = 0;
                }
            }
            b'\t' => {
                let spaces = TAB - self.column % TAB;
                self.column = self.column.wrapping_add(spaces);
                if self.modes.expand_tabs() {
                    for _ in 0..spaces {
                        self.push(b' ');
                    }
                    return;
                }
            }
            0x08 => self.column = self.column.saturating_sub(1),
            _ if !is_control(byte) => {
                if self.modes.olcuc() {
                    byte = byte.to_ascii_uppercase();
                }
                if !self.modes.continues(byte) {
                    self.column = self.column.wrapping_add(1);
                }
            }
            _ => {}
        }
        self.push(byte);
    }

    /// Echoes a byte as it is, through output processing.
    pub(crate) fn echo_raw(&mut self, byte: u8) {
        if self.modes.opost() {
            self.process(byte);
        } else {
            if !is_control(byte) && !self.modes.continues(byte) {
                self.column = self.column.wrapping_add(1);
            }
            self.push(byte);
        }
    }

    /// Echoes a byte; control characters as `^X` with ECHOCTL.
    pub(crate) fn echo(&mut self, byte: u8) {
        if self.modes.echoctl() && is_control(byte) && byte != b'\t' {
            self.echo_raw(b'^');
            self.echo_raw(byte ^ 0x40);
        } else {
            self.echo_raw(byte);
        }
    }

    /// Sends the byte straight to the line, whatever the modes: the bell.
    pub(crate) fn bell(&mut self) {
        self.push(0x07);
    }
}
