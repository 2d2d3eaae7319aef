//! What `cargo xtask run` promises: output, statuses, streams, and each of its flags. One boot a case.

mod cases;
mod interrupt;

use crate::programs::Programs;
use crate::report::Report;
use crate::runner::{End, Outcome, RunSpec, Runner};
use anyhow::{Context as _, Result};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

type Check = std::result::Result<(), String>;

/// Runs the wanted cases.
pub fn run(runner: &dyn Runner, programs: &Programs, report: &mut Report) -> Result<()> {
    let work = tempfile::tempdir().context("making a temporary folder")?;
    let wanted: Vec<Case> = cases::cases(programs, work.path())?
        .into_iter()
        .filter(|case| report.wants(&format!("run/{}", case.name)))
        .filter(|case| !case.persona_only || runner.command(&case.spec).is_some())
        .collect();
    // Each boots a system of its own, which keeps one processor busy: two at a time.
    let next = AtomicUsize::new(0);
    let (sender, results) = channel();
    thread::scope(|scope| {
        for _ in 0..2 {
            let (sender, wanted, next) = (sender.clone(), &wanted, &next);
            scope.spawn(move || {
                while let Some(case) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if sender
                        .send((
                            case.name,
                            runner.run(&case.spec).map(|outcome| judge(case, &outcome)),
                        ))
                        .is_err()
                    {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (name, found) in results {
            report.check(&format!("run/{name}"), found?);
        }
        Ok::<(), anyhow::Error>(())
    })?;
    let name = "run/icount_repeats";
    let spec = RunSpec::sh("head -c 16 /dev/urandom | md5sum; cat /proc/uptime; date")
        .flags(&["--icount"]);
    if report.wants(name) && runner.command(&spec).is_some() {
        let (first, second) = (runner.run(&spec)?, runner.run(&spec)?);
        let found = ends(&first, 0).and_then(|()| {
            if first.stdout == second.stdout {
                Ok(())
            } else {
                Err(format!("{:?} and then {:?}", first.text(), second.text()))
            }
        });
        report.check(name, found);
    }
    for signal in ["INT", "TERM", "KILL"] {
        let name = format!("run/no_emulator_left_after_SIG{signal}");
        if report.wants(&name) {
            if let Some(command) =
                runner.command(&RunSpec::sh("echo started; sleep 100").seconds(60))
            {
                report.check(&name, interrupt::interrupted(command, signal)?);
            }
        }
    }
    Ok(())
}

fn judge(case: &Case, outcome: &Outcome) -> Check {
    (case.check)(outcome).map_err(|why| match outcome.complaint() {
        complaint if complaint.is_empty() => why,
        complaint => format!("{why}; it said: {complaint}"),
    })
}

/// What looks at an outcome.
type Judge = Box<dyn Fn(&Outcome) -> Check + Send + Sync>;

struct Case {
    name: &'static str,
    spec: RunSpec,
    persona_only: bool,
    check: Judge,
}

/// The end and the whole output must be these.
fn gives(end: i32, stdout: &str) -> Judge {
    gives_bytes(end, stdout.as_bytes().to_vec())
}

fn gives_bytes(end: i32, stdout: Vec<u8>) -> Judge {
    Box::new(move |outcome| {
        ends(outcome, end)?;
        if outcome.stdout == stdout {
            return Ok(());
        }
        let differs = outcome
            .stdout
            .iter()
            .zip(&stdout)
            .position(|(got, want)| got != want)
            .unwrap_or_else(|| outcome.stdout.len().min(stdout.len()));
        let piece = |bytes: &[u8]| {
            let end = bytes.len().min(differs + 60);
            String::from_utf8_lossy(bytes.get(differs..end).unwrap_or_default()).into_owned()
        };
        Err(format!(
            "the output ({} bytes, wanted {}) differs at byte {differs}: {:?}, not {:?}",
            outcome.stdout.len(),
            stdout.len(),
            piece(&outcome.stdout),
            piece(&stdout)
        ))
    })
}

fn ends(outcome: &Outcome, status: i32) -> Check {
    if outcome.end == End::Status(status) {
        Ok(())
    } else {
        let text = outcome.text();
        let from = text.len().saturating_sub(200);
        let tail = text.get(from..).unwrap_or(&text);
        Err(format!(
            "{} instead of status {status}, output ends {tail:?}",
            outcome.end
        ))
    }
}
