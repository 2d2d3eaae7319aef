//! Which system calls the ABI tests make, seen from outside by the tracer: how often each succeeded, and with which errors
//! it failed.

use crate::programs::Programs;
use crate::runner::{End, RunSpec, Runner};
use crate::SuiteOptions;
use crate::{abi, Persona};
use anyhow::{bail, Result};
use std::collections::BTreeMap;

/// What was seen of one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// How often it succeeded, or did not return at all (exit, execve).
    pub succeeded: u64,
    /// How often it failed, by the name of the error.
    pub failed: BTreeMap<String, u64>,
}

/// What was seen of all calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// By the name of the call.
    pub calls: BTreeMap<String, Seen>,
    /// Lines of the trace that the serial line had no room for.
    pub lost: u64,
}

/// Runs the ABI tests under the tracer on the first system of `options`, one boot a group of cases, and says on standard
/// error which group is run.
///
/// # Errors
/// When a program cannot be built, or a run does not come to its end.
pub fn coverage(options: &SuiteOptions) -> Result<Coverage> {
    let Some(system) = options.systems.first() else {
        bail!("no system to run the tests on");
    };
    let programs = Programs::build(&options.root, &options.target)?;
    let runner = Persona::new(&options.xtask, &options.root, system);
    let mut groups: Vec<String> = Vec::new();
    for case in abi::list(&programs.abi)? {
        let group = format!("{}.", case.split('.').next().unwrap_or_default());
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    let mut coverage = Coverage::default();
    for (done, group) in groups.iter().enumerate() {
        eprintln!("[{}/{}] abi/{group}*", done + 1, groups.len());
        let spec = RunSpec::new([abi::GUEST_PATH, group])
            .add(&programs.abi, abi::GUEST_PATH)
            .flags(&["--trace=all"])
            .seconds(600);
        let outcome = runner.run(&spec)?;
        if !matches!(outcome.end, End::Status(0 | 1)) {
            bail!("abi/{group}*: {}; {}", outcome.end, outcome.complaint());
        }
        for line in String::from_utf8_lossy(&outcome.stderr).lines() {
            coverage.take(line);
        }
    }
    Ok(coverage)
}

impl Coverage {
    /// Takes down a line of the trace; others are passed over.
    fn take(&mut self, line: &str) {
        if let Some((before, _)) = line.split_once(" log or trace lines were lost here") {
            let number = before.rsplit(' ').next().unwrap_or_default();
            self.lost += number.parse::<u64>().unwrap_or(1);
            return;
        }
        let Some((name, result)) = call(line) else {
            return;
        };
        let seen = self.calls.entry(name.to_owned()).or_default();
        match result.strip_prefix("-1 ") {
            Some(error) => {
                let errno = error.split(' ').next().unwrap_or_default();
                *seen.failed.entry(errno.to_owned()).or_default() += 1;
            }
            None => seen.succeeded += 1,
        }
    }
}

/// The call's name and its result, if the line shows how a call ended.
fn call(line: &str) -> Option<(&str, &str)> {
    let (thread, rest) = line.strip_prefix('[')?.split_once("] ")?;
    thread.parse::<u32>().ok()?;
    let (before, result) = rest.rsplit_once(" = ")?;
    let name = match before.strip_prefix("<... ") {
        Some(resumed) => resumed.strip_suffix(" resumed>")?,
        None => before.split_once('(')?.0,
    };
    name.chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_')
        .then_some((name, result))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_tracers_lines() {
        let mut coverage = Coverage::default();
        for line in [
            "[0] close(3) = 0",
            "[12] close(99) = -1 EBADF (Bad file descriptor)",
            "[3] read(0, 0x1000, 5) <unfinished ...>",
            "[3] <... read resumed> = -1 EINTR (Interrupted system call)",
            "[3] exit_group(0) = ?",
            "[4] write(1, \"a = b\"..., 5) = 5",
            "persona: warning: 7 log or trace lines were lost here",
            "persona: something (else) = 3",
        ] {
            coverage.take(line);
        }
        assert_eq!(coverage.lost, 7);
        assert_eq!(coverage.calls["close"].succeeded, 1);
        assert_eq!(coverage.calls["close"].failed["EBADF"], 1);
        assert_eq!(coverage.calls["read"].failed["EINTR"], 1);
        assert_eq!(coverage.calls["read"].succeeded, 0);
        assert_eq!(coverage.calls["exit_group"].succeeded, 1);
        assert_eq!(coverage.calls["write"].succeeded, 1);
        assert_eq!(coverage.calls.len(), 4);
    }
}
