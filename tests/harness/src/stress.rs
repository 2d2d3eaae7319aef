//! Load: much of everything, and what memory is left afterwards. See `tests/stress`.

use crate::programs::Programs;
use crate::report::{Report, Verdict};
use crate::runner::{RunSpec, Runner};
use anyhow::Result;
use std::time::Duration;

/// Where the program lies in the guest.
const GUEST_PATH: &str = "/tests/stress";
/// How often a system may be booted again after a case that ended it.
const BOOTS: usize = 40;
/// The machine of ordinary size.
const MEMORY: &str = "512M";
/// Machines of other sizes, for the whole load of a case: a file of 1 GiB has to fit, memory to be filled has to be little.
const MACHINES: [(&str, &str); 2] = [("large_file_mib", "3G"), ("memory_pressure", "128M")];

/// The small version.
pub fn run(runner: &dyn Runner, programs: &Programs, report: &mut Report) -> Result<()> {
    let cases = list(programs)?;
    let wanted: Vec<String> = cases
        .into_iter()
        .filter(|name| report.wants(&format!("stress/{name}")))
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let size = Size {
        arguments: &["--small"],
        memory: MEMORY,
        silence: Duration::from_secs(120),
        total: 900,
        figures: false,
    };
    load(runner, programs, &wanted, &size, report)
}

/// All of it.
pub fn full(
    runner: &dyn Runner,
    programs: &Programs,
    cases: &[String],
    report: &mut Report,
) -> Result<()> {
    let wanted = if cases.is_empty() {
        list(programs)?
    } else {
        cases.to_vec()
    };
    let size = Size {
        arguments: &[],
        memory: MEMORY,
        silence: Duration::from_secs(1200),
        total: 7200,
        figures: true,
    };
    let special = |name: &String| MACHINES.iter().find(|(case, _)| case == name);
    let (own, ordinary): (Vec<String>, Vec<String>) =
        wanted.into_iter().partition(|name| special(name).is_some());
    load(runner, programs, &ordinary, &size, report)?;
    for name in own {
        let memory = special(&name).map_or(MEMORY, |(_, memory)| memory);
        load(runner, programs, &[name], &Size { memory, ..size }, report)?;
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Size {
    arguments: &'static [&'static str],
    memory: &'static str,
    silence: Duration,
    total: u64,
    /// Say them.
    figures: bool,
}

fn load(
    runner: &dyn Runner,
    programs: &Programs,
    wanted: &[String],
    size: &Size,
    report: &mut Report,
) -> Result<()> {
    let mut left: Vec<String> = wanted.to_vec();
    for _ in 0..BOOTS {
        if left.is_empty() {
            return Ok(());
        }
        let mut argv = vec![GUEST_PATH.to_owned()];
        argv.extend(size.arguments.iter().map(|&argument| argument.to_owned()));
        argv.extend(left.iter().cloned());
        let mut spec = RunSpec::new(argv)
            .add(&programs.stress, GUEST_PATH)
            .seconds(size.total);
        spec.silence = size.silence;
        spec.mem = Some(size.memory.to_owned());
        let mut log = Log {
            figures: size.figures,
            ..Log::default()
        };
        let outcome = runner.run_with(&spec, &mut |bytes| log.feed(bytes, report))?;
        left.retain(|name| !report.has(&format!("stress/{name}")));
        if log.done {
            break;
        }
        let why = format!("the system ended: {}; {}", outcome.end, outcome.complaint());
        let case = log.current.unwrap_or_else(|| "boot".to_owned());
        report.result(&format!("stress/{case}"), Verdict::Fail(why));
        if case == "boot" {
            return Ok(());
        }
        left.retain(|name| *name != case);
    }
    for name in left {
        report.result(
            &format!("stress/{name}"),
            Verdict::Fail("not reached".to_owned()),
        );
    }
    Ok(())
}

/// The names of all cases, asked of the program itself under the user-mode emulator.
fn list(programs: &Programs) -> Result<Vec<String>> {
    crate::abi::list(&programs.stress)
}

/// What the program prints, line by line.
#[derive(Debug, Default)]
struct Log {
    line: Vec<u8>,
    current: Option<String>,
    done: bool,
    figures: bool,
}

impl Log {
    fn feed(&mut self, bytes: &[u8], report: &mut Report) {
        for &byte in bytes {
            if byte != b'\n' {
                self.line.push(byte);
                continue;
            }
            let line = String::from_utf8_lossy(&self.line).into_owned();
            self.line.clear();
            let Some((word, rest)) = line.split_once(' ') else {
                self.done |= line == "DONE";
                continue;
            };
            let (name, text) = rest.split_once(": ").unwrap_or((rest, ""));
            let case = format!("stress/{name}");
            match word {
                "RUN" => self.current = Some(name.to_owned()),
                "PASS" => {
                    report.result(&case, Verdict::Pass);
                    if self.figures {
                        println!("     {text}");
                    }
                }
                "FAIL" => report.result(&case, Verdict::Fail(text.to_owned())),
                _ => (),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expectations::Expectations;

    #[test]
    fn reads_what_the_program_says() {
        let expectations = Expectations::default();
        let mut report = Report::new("test", &expectations, &[]);
        let mut log = Log::default();
        let lines = "RUN a\nPASS a: 10 in 3 ms, free memory 5 KiB before, 5 KiB after\nRUN b\nFAIL b: x: y\nDONE\n";
        log.feed(lines.as_bytes(), &mut report);
        assert!(log.done);
        let summary = report.finish();
        assert_eq!((summary.passed, summary.failed), (1, 1));
    }
}
