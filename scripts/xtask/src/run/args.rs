//! The run's settings as the guest gets them: QEMU's `-append`, `key=value` separated by spaces.

use console_frame::Window;
use std::fmt::Write as _;

/// How the first process's standard streams behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdio {
    /// As a terminal with a line discipline.
    Tty,
    /// As pipes: bytes pass unchanged, and the input has an end.
    Pipe,
}

/// What is to run, and how.
#[derive(Clone, Debug)]
pub struct BootArgs {
    /// Kind of the standard streams.
    pub stdio: Stdio,
    /// The program's absolute path.
    pub init: String,
    /// Its arguments, the zeroth included.
    pub argv: Vec<String>,
    /// Its environment.
    pub env: Vec<(String, String)>,
    /// Its working directory.
    pub cwd: String,
    /// Classes of system calls to trace, or `all`.
    pub trace: Vec<String>,
    /// The window's size.
    pub window: Option<Window>,
    /// Seconds since 1970 at boot.
    pub epoch: u64,
    /// Seed of the guest's random numbers.
    pub seed: [u8; 32],
}

impl BootArgs {
    /// The text of `-append`.
    pub fn encode(&self) -> String {
        let mut text = String::from("console=framed");
        let mut put = |key: &str, value: &str| {
            let _ = write!(text, " {key}={}", escape(value));
        };
        put(
            "stdio",
            if self.stdio == Stdio::Tty {
                "tty"
            } else {
                "pipe"
            },
        );
        put("init", &self.init);
        for argument in &self.argv {
            put("arg", argument);
        }
        for (name, value) in &self.env {
            put("env", &format!("{name}={value}"));
        }
        put("cwd", &self.cwd);
        if !self.trace.is_empty() {
            put("trace", &self.trace.join(","));
        }
        if let Some(Window { rows, cols }) = self.window {
            put("rows", &rows.to_string());
            put("cols", &cols.to_string());
        }
        put("epoch", &self.epoch.to_string());
        let seed = self.seed.iter().fold(String::new(), |mut seed, byte| {
            let _ = write!(seed, "{byte:02x}");
            seed
        });
        put("seed", &seed);
        text
    }
}

/// Percent-encodes what could be taken for a separator, and all that is not plain ASCII.
fn escape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for &byte in value.as_bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => text.push(char::from(byte)),
            b'-' | b'_' | b'.' | b'/' | b':' | b'=' | b'+' | b'@' | b',' => {
                text.push(char::from(byte))
            }
            _ => {
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_as_documented() {
        let args = BootArgs {
            stdio: Stdio::Pipe,
            init: "/bin/sh".into(),
            argv: vec![
                "sh".into(),
                "-c".into(),
                "echo 100% \"ü\"".into(),
                String::new(),
            ],
            env: vec![("A".into(), "b c".into())],
            cwd: "/".into(),
            trace: vec!["fs".into(), "mm".into()],
            window: Some(Window { rows: 24, cols: 80 }),
            epoch: 17,
            seed: [0xAB; 32],
        };
        assert_eq!(
            args.encode(),
            format!(
                "console=framed stdio=pipe init=/bin/sh arg=sh arg=-c arg=echo%20100%25%20%22%C3%BC%22 arg= \
                 env=A=b%20c cwd=/ trace=fs,mm rows=24 cols=80 epoch=17 seed={}",
                "ab".repeat(32)
            )
        );
    }
}
