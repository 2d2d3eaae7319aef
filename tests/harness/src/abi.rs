//! The ABI tests: one program with many cases, run in as few boots as the system's health allows.

use crate::programs::Programs;
use crate::report::{Report, Verdict};
use crate::runner::{RunSpec, Runner};
use anyhow::{bail, Context as _, Result};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Where the program lies in the guest.
pub(crate) const GUEST_PATH: &str = "/tests/abi";
/// How often a system may be booted again after a case that ended it.
const BOOTS: usize = 30;
/// The longest time between two lines: the longest case, and some.
const SILENCE: Duration = Duration::from_secs(90);

/// Runs the wanted cases.
pub fn run(runner: &dyn Runner, programs: &Programs, report: &mut Report) -> Result<()> {
    let all = list(&programs.abi)?;
    let wanted: Vec<&String> = all
        .iter()
        .filter(|name| report.wants(&format!("abi/{name}")))
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let mut after: Option<String> = None;
    for _ in 0..BOOTS {
        let mut argv = vec![GUEST_PATH.to_owned()];
        if let Some(case) = &after {
            argv.extend(["--after".to_owned(), case.clone()]);
        }
        if wanted.len() < all.len() {
            argv.extend(wanted.iter().map(|name| (*name).clone()));
        }
        let mut spec = RunSpec::new(argv)
            .add(&programs.abi, GUEST_PATH)
            .seconds(900);
        spec.silence = SILENCE;
        let mut log = Log::default();
        let outcome = runner.run_with(&spec, &mut |bytes| log.feed(bytes, report))?;
        if log.done {
            break;
        }
        let Some(case) = log.current.take() else {
            let why = format!("no case was run: {}; {}", outcome.end, outcome.complaint());
            report.result("abi/boot", Verdict::Fail(why));
            return Ok(());
        };
        let why = format!(
            "the system ended in it: {}; {}",
            outcome.end,
            outcome.complaint()
        );
        report.result(&format!("abi/{case}"), Verdict::Fail(why));
        after = Some(case);
    }
    for name in wanted {
        let case = format!("abi/{name}");
        if !report.has(&case) {
            report.result(&case, Verdict::Fail("not reached".to_owned()));
        }
    }
    Ok(())
}

/// The names of all cases, asked of the program itself under the user-mode emulator.
pub(crate) fn list(program: &Path) -> Result<Vec<String>> {
    const EMULATOR: &str = "qemu-aarch64-static";
    let output = Command::new(EMULATOR)
        .arg(program)
        .arg("--list")
        .output()
        .with_context(|| format!("starting {EMULATOR} (package qemu-user-static)"))?;
    let names: Vec<String> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect();
    if names.is_empty() {
        bail!("{} lists no cases", program.display());
    }
    Ok(names)
}

/// What the program prints, line by line.
#[derive(Debug, Default)]
struct Log {
    line: Vec<u8>,
    /// The case that was begun last.
    current: Option<String>,
    /// Whether the program came to its end.
    done: bool,
}

impl Log {
    fn feed(&mut self, bytes: &[u8], report: &mut Report) {
        for &byte in bytes {
            if byte == b'\n' {
                let line = String::from_utf8_lossy(&self.line).into_owned();
                self.line.clear();
                self.take(&line, report);
            } else {
                self.line.push(byte);
            }
        }
    }

    fn take(&mut self, line: &str, report: &mut Report) {
        let Some((word, rest)) = line.split_once(' ') else {
            return;
        };
        let (name, why) = rest.split_once(": ").unwrap_or((rest, ""));
        let case = format!("abi/{name}");
        match word {
            "RUN" => self.current = Some(name.to_owned()),
            "PASS" => report.result(&case, Verdict::Pass),
            "FAIL" => report.result(&case, Verdict::Fail(why.to_owned())),
            "SKIP" => report.result(&case, Verdict::Skip(why.to_owned())),
            "DONE" => self.done = true,
            _ => (),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expectations::Expectations;

    #[test]
    fn reads_the_lines_however_they_are_cut() {
        let expectations = Expectations::default();
        let filter = Vec::new();
        let mut report = Report::new("test", &expectations, &filter);
        let mut log = Log::default();
        for piece in [
            "RUN a.b\nnoi",
            "se\nPA",
            "SS a.b\nRUN a.c\nFAIL a.c: x: y\nPASS a.c\nRUN a.d\n",
        ] {
            log.feed(piece.as_bytes(), &mut report);
        }
        assert!(!log.done);
        assert_eq!(log.current.as_deref(), Some("a.d"));
        log.feed(b"SKIP a.d: no\nDONE 3 cases\n", &mut report);
        assert!(log.done);
        let summary = report.finish();
        assert_eq!((summary.passed, summary.failed, summary.skipped), (1, 1, 1));
    }
}
