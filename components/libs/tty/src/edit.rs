//! Editing the line before it is complete.

use lsyscall_abi::cc;

use crate::output::{is_control, TAB};
use crate::Tty;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Erase {
    Character,
    Word,
    Line,
}

impl Tty {
    /// VERASE, VWERASE, VKILL.
    pub(crate) fn erase(&mut self, byte: u8) {
        if self.input.len() <= self.complete {
            return;
        }
        let what = if self.modes.is(cc::VERASE, byte) {
            Erase::Character
        } else if self.modes.is_extended(cc::VWERASE, byte) {
            Erase::Word
        } else if self.modes.echo()
            && self.modes.echok()
            && self.modes.echoke()
            && self.modes.echoe()
        {
            Erase::Line
        } else {
            self.kill_without_wiping();
            return;
        };
        let mut in_word = false;
        while let Some((first, width)) = self.last_character() {
            if what == Erase::Word {
                let word_byte = first.is_ascii_alphanumeric() || first == b'_';
                if in_word && !word_byte {
                    break;
                }
                in_word |= word_byte;
            }
            let bytes = width;
            if self.modes.echo() {
                self.echo_erased(what, first, bytes);
            } else {
                self.drop_last(bytes);
            }
            if what == Erase::Character {
                break;
            }
        }
        if self.input.len() == self.complete && self.modes.echo() {
            self.finish_erasing();
        }
    }

    /// VKILL where the terminal cannot wipe the line: the character is echoed, and perhaps a new line started.
    fn kill_without_wiping(&mut self) {
        self.input.truncate(self.complete);
        if self.modes.echo() {
            self.finish_erasing();
            self.echo(self.modes.kill());
            if self.modes.echok() {
                self.echo_raw(b'\n');
            }
            self.line_column = self.column;
        }
    }

    /// First byte and number of bytes of the line's last character; `None` if the line is empty, or starts in the middle of
    /// one.
    fn last_character(&self) -> Option<(u8, usize)> {
        let mut bytes = 0;
        for cell in self.input.iter().skip(self.complete).rev() {
            bytes += 1;
            if !self.modes.continues(cell.byte) {
                return Some((cell.byte, bytes));
            }
        }
        None
    }

    fn drop_last(&mut self, bytes: usize) {
        let keep = self.input.len().saturating_sub(bytes).max(self.complete);
        self.input.truncate(keep);
    }

    /// Removes the last character and shows it gone.
    fn echo_erased(&mut self, what: Erase, first: u8, bytes: usize) {
        if self.modes.echoprt() {
            if !self.erasing {
                self.echo_raw(b'\\');
                self.erasing = true;
            }
            self.echo(first);
            let rest = self.input.len() - (bytes - 1);
            for at in rest..self.input.len() {
                if let Some(cell) = self.input.get(at) {
                    let byte = cell.byte;
                    self.echo_raw(byte);
                }
            }
            self.drop_last(bytes);
            return;
        }
        self.drop_last(bytes);
        if what == Erase::Character && !self.modes.echoe() {
            self.echo(self.modes.erase());
        } else if first == b'\t' {
            let start = self.edited_column();
            for _ in 0..TAB - start % TAB {
                self.back();
            }
        } else if is_control(first) {
            if self.modes.echoctl() {
                self.wipe();
                self.wipe();
            }
        } else {
            self.wipe();
        }
    }

    /// The column behind the line being edited, as it was echoed.
    fn edited_column(&self) -> usize {
        let mut column = self.line_column;
        for cell in self.input.iter().skip(self.complete) {
            column += match cell.byte {
                b'\t' => TAB - column % TAB,
                byte if is_control(byte) => {
                    if self.modes.echoctl() {
                        2
                    } else {
                        0
                    }
                }
                byte if self.modes.continues(byte) => 0,
                _ => 1,
            };
        }
        column
    }

    fn back(&mut self) {
        self.echo_raw(0x08);
    }

    fn wipe(&mut self) {
        for byte in [0x08, b' ', 0x08] {
            self.echo_raw(byte);
        }
    }

    /// Closes what ECHOPRT opened.
    pub(crate) fn finish_erasing(&mut self) {
        if self.erasing {
            self.echo_raw(b'/');
            self.erasing = false;
        }
    }

    /// VREPRINT: the line once more, on a new one.
    pub(crate) fn reprint(&mut self, byte: u8) {
        self.finish_erasing();
        self.echo(byte);
        self.echo_raw(b'\n');
        self.line_column = self.column;
        for at in self.complete..self.input.len() {
            if let Some(cell) = self.input.get(at) {
                let byte = cell.byte;
                self.echo(byte);
            }
        }
    }
}
