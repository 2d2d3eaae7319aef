//! The host's terminal while the guest owns it.

use console_frame::Window;
use rustix::termios::{tcgetattr, tcgetwinsize, tcsetattr, OptionalActions, Termios};
use std::io::{stdin, stdout, IsTerminal, Write};
use std::sync::{Mutex, Once, PoisonError};

/// The settings to return to; there while the terminal is raw.
static SAVED: Mutex<Option<Termios>> = Mutex::new(None);
static HOOK: Once = Once::new();

/// Whether both standard input and output are terminals.
pub fn interactive() -> bool {
    stdin().is_terminal() && stdout().is_terminal()
}

/// The window's size, if standard output is one.
pub fn window() -> Option<Window> {
    let size = tcgetwinsize(stdout()).ok()?;
    (size.ws_row > 0 && size.ws_col > 0).then_some(Window {
        rows: size.ws_row,
        cols: size.ws_col,
    })
}

/// Standard input's terminal in raw mode; dropping it restores what was, and so does a panic.
pub struct Raw(());

impl Raw {
    /// Switches to raw mode.
    pub fn enter() -> std::io::Result<Self> {
        let old = tcgetattr(stdin())?;
        let mut raw = old.clone();
        raw.make_raw();
        HOOK.call_once(|| {
            let inner = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                restore();
                inner(info);
            }));
        });
        *SAVED.lock().unwrap_or_else(PoisonError::into_inner) = Some(old);
        tcsetattr(stdin(), OptionalActions::Drain, &raw)?;
        Ok(Self(()))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back as it was; harmless when it already is.
pub fn restore() {
    if let Some(old) = SAVED.lock().unwrap_or_else(PoisonError::into_inner).take() {
        // Nothing can be done about a terminal that went away.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &old);
    }
}

/// Standard error; while the terminal is raw, line ends return the carriage as well.
pub struct Messages {
    /// Whether the terminal is raw.
    pub raw: bool,
}

impl Write for Messages {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut out = std::io::stderr().lock();
        if !self.raw {
            return out.write(bytes);
        }
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            match line.strip_suffix(b"\n") {
                Some(text) => {
                    out.write_all(text.strip_suffix(b"\r").unwrap_or(text))?;
                    out.write_all(b"\r\n")?;
                }
                None => out.write_all(line)?,
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}
