//! Tests that are root tasks themselves: no system around them, just loader, kernel and the test.

use super::Count;
use crate::build::{self, Profile};
use crate::context::Context;
use crate::run::Machine;
use crate::setup::Ready;
use anyhow::Result;
use std::io::{BufRead, BufReader};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// The tests of the bindings.
const PACKAGE: &str = "bindings-test";
/// How long they may take, in seconds; they take about one.
const LIMIT: u64 = 120;

/// Runs the bindings' tests on both kernels, entered at EL1 and at EL2.
pub fn bindings(context: &Context, ready: &Ready, count: &mut Count) {
    for profile in [Profile::Release, Profile::Debug] {
        let image = match build::bare(context, ready, PACKAGE, profile) {
            Ok(image) => image,
            error => {
                count.case("bindings", profile.name(), error.map(drop));
                continue;
            }
        };
        for (level, machine) in [("el1", None), ("el2", Some("virtualization=on"))] {
            let group = format!("bindings-{}-{level}", profile.name());
            let extra = machine.map(|machine| ["-machine".to_owned(), machine.to_owned()]);
            let machine = Machine {
                image: image.clone(),
                initrd: None,
                append: String::new(),
                memory: "256M".into(),
                cpu: "cortex-a53".into(),
                icount: false,
                gdb: false,
                extra: extra.into_iter().flatten().collect(),
            };
            if let Err(error) = one(&machine, &group, &[], count) {
                count.case(&group, "run", Err(error));
            }
        }
    }
}

/// What the root task says of the domain that breaks a rule.
const FAULT: [(&str, &str); 2] = [
    (
        "fault-report",
        "component fault: write at address 0x1001c000, not allowed",
    ),
    ("fault-registers", "pc  00000000002"),
];

/// Runs the root task with a system whose domains check what the plan gave them, on little and much memory.
pub fn plan(context: &Context, ready: &Ready, count: &mut Count) {
    let image = match build::probe(context, ready, Profile::Release) {
        Ok(image) => image,
        Err(error) => return count.case("plan", "build", Err(error)),
    };
    for memory in ["16M", "64M", "4G"] {
        let group = format!("plan-{memory}");
        let machine = Machine {
            // Any file will do: the domains look at the capabilities on its pages only.
            initrd: Some(image.clone()),
            image: image.clone(),
            append: "console=plain".into(),
            memory: memory.into(),
            cpu: "cortex-a53".into(),
            icount: false,
            gdb: false,
            extra: Vec::new(),
        };
        if let Err(error) = one(&machine, &group, &FAULT, count) {
            count.case(&group, "run", Err(error));
        }
    }
}

/// Boots the test and takes down what it says: a line a test, and `DONE passed=N failed=N` at the end.
///
/// `expected` are further cases: a name, and how a line begins that must be there too.
fn one(machine: &Machine, group: &str, expected: &[(&str, &str)], count: &mut Count) -> Result<()> {
    let (_qemu, _line_in, line_out) = machine.start()?;
    let (lines, received) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(line_out).split(b'\n').map_while(Result::ok) {
            if lines
                .send(String::from_utf8_lossy(&line).trim().to_owned())
                .is_err()
            {
                return;
            }
        }
    });
    let mut missing = expected.to_vec();
    let deadline = Instant::now() + Duration::from_secs(LIMIT);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = received.recv_timeout(left).map_err(|error| match error {
            mpsc::RecvTimeoutError::Timeout => anyhow::anyhow!("no DONE within {LIMIT} s"),
            mpsc::RecvTimeoutError::Disconnected => anyhow::anyhow!("QEMU ended before DONE"),
        })?;
        if let Some(at) = missing
            .iter()
            .position(|(_, start)| line.starts_with(start))
        {
            count.case(group, missing.remove(at).0, Ok(()));
        }
        match parse(&line) {
            Some(Said::Pass(name)) => count.case(group, name, Ok(())),
            Some(Said::Fail(name, why)) => count.case(group, name, Err(anyhow::anyhow!("{why}"))),
            Some(Said::Skip(text)) => println!("SKIP {group} {text}"),
            Some(Said::Done) => {
                for (name, start) in missing {
                    count.case(group, name, Err(anyhow::anyhow!("no line `{start}`")));
                }
                return Ok(());
            }
            None => {}
        }
    }
}

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
enum Said<'a> {
    Pass(&'a str),
    Fail(&'a str, &'a str),
    Skip(&'a str),
    Done,
}

fn parse(line: &str) -> Option<Said<'_>> {
    let (word, rest) = line.split_once(' ')?;
    Some(match word {
        "PASS" => Said::Pass(rest),
        "FAIL" => rest
            .split_once(": ")
            .map_or(Said::Fail(rest, ""), |(name, why)| Said::Fail(name, why)),
        "SKIP" => Said::Skip(rest),
        "DONE" => Said::Done,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart() {
        assert_eq!(parse("PASS a"), Some(Said::Pass("a")));
        assert_eq!(parse("FAIL a: b: c"), Some(Said::Fail("a", "b: c")));
        assert_eq!(parse("DONE passed=1 failed=0"), Some(Said::Done));
        assert_eq!(parse("something else"), None);
    }
}
