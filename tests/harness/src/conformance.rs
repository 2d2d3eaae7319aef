//! Test suites of others: busybox's own, and that of its shell.
//!
//! A suite runs on a freshly booted system by its own runner, into which nothing is put but time limits and lines that
//! say where it is. What Debian's kernel said of each case is recorded in `tests/expectations/conformance-SUITE.txt`; a
//! case that says something else on Persona must be listed in `tests/expectations/conformance.toml` with its reason.

mod differences;
mod log;
mod record;
mod suite;

pub use suite::Suite;

use crate::persona::Persona;
use crate::programs::Programs;
use crate::reference::{DebianLinux, Reference};
use crate::runner::{Outcome, Runner};
use anyhow::{Context as _, Result};
use differences::{Differences, Judgement};
use log::Log;
use record::Record;
use std::path::PathBuf;
use std::time::Instant;
use suite::Prepared;

/// How often a system may be booted again after a case that ended it.
const BOOTS: usize = 8;

/// What to run, and where things are.
#[derive(Clone, Debug)]
pub struct ConformanceOptions {
    /// The suite.
    pub suite: Suite,
    /// The repository's root folder.
    pub root: PathBuf,
    /// Where generated files go (the harness uses `tests/` below it).
    pub target: PathBuf,
    /// The program behind `cargo xtask`.
    pub xtask: PathBuf,
    /// Where busybox's source package lies unpacked.
    pub source: PathBuf,
    /// The applets that the guest's busybox has.
    pub applets: Vec<String>,
    /// The systems of Persona to run it on, by the names of their manifests.
    pub systems: Vec<String>,
    /// Debian's kernel to run it on as well; this records the reference.
    pub reference: Option<Reference>,
    /// Run only parts whose name contains one of these; empty means all.
    pub filter: Vec<String>,
    /// Also show what goes wrong inside a case.
    pub verbose: bool,
}

/// Runs the suite on all systems; gives whether every case is as expected.
///
/// # Errors
/// What keeps the suite from being run at all.
pub fn run_conformance(options: &ConformanceOptions) -> Result<bool> {
    let expectations = options.root.join("tests/expectations");
    let record_file = expectations.join(format!("conformance-{}.txt", options.suite.name()));
    let prepared = Prepared::new(options)?;
    let mut tables = Vec::new();
    let mut all_good = true;
    if let Some(reference) = &options.reference {
        let programs = Programs::build(&options.root, &options.target)?;
        let runner = DebianLinux::new(reference, &programs.reference_init, &options.target)?;
        let (found, seconds) = run(&runner, &prepared, prepared.parts(), options)?;
        if options.filter.is_empty() {
            found.save(&record_file, &reference.label, options.suite.name())?;
        }
        tables.push(("debian".to_owned(), found, Some(seconds)));
    }
    if !options.systems.is_empty() {
        let reference = match tables.first() {
            Some((_, found, _)) => found.clone(),
            None => Record::load(&record_file)?.only(|case| prepared.wants(case)),
        };
        let differences = Differences::load(&expectations.join("conformance.toml"))?;
        if tables.is_empty() {
            tables.push(("debian (recorded)".to_owned(), reference.clone(), None));
        }
        for system in &options.systems {
            let runner = Persona::new(&options.xtask, &options.root, system);
            let (mut found, seconds) = run(&runner, &prepared, prepared.parts(), options)?;
            let judge =
                |found: &Record| differences.judge(options.suite.name(), system, &reference, found);
            again(&runner, &prepared, &judge, &mut found, options)?;
            for Judgement { case, good, text } in judge(&found) {
                let word = if good { "PASS" } else { "FAIL" };
                println!("{word} {system} {}/{case}: {text}", options.suite.name());
                all_good &= good;
            }
            tables.push((system.clone(), found, Some(seconds)));
        }
    }
    println!(
        "{:<18} {:>5} {:>5} {:>8} {:>9} {:>8}",
        options.suite.name(),
        "PASS",
        "FAIL",
        "SKIPPED",
        "UNTESTED",
        "seconds"
    );
    for (name, found, seconds) in &tables {
        let [pass, fail, skipped, untested] =
            ["PASS", "FAIL", "SKIPPED", "UNTESTED"].map(|verdict| found.count(verdict));
        let seconds = seconds.map_or("-".to_owned(), |seconds| seconds.to_string());
        println!("{name:<18} {pass:>5} {fail:>5} {skipped:>8} {untested:>9} {seconds:>8}");
    }
    Ok(all_good)
}

/// Runs what is not as expected once more, in a boot of its own: some cases order events by tenths of a second, which on a
/// busy machine goes wrong on any system. Says which ones these were.
fn again(
    runner: &dyn Runner,
    prepared: &Prepared,
    judge: &dyn Fn(&Record) -> Vec<Judgement>,
    found: &mut Record,
    options: &ConformanceOptions,
) -> Result<()> {
    let wrong: Vec<String> = judge(found)
        .into_iter()
        .filter(|judgement| !judgement.good)
        .map(|judgement| judgement.case)
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let mut parts = prepared.parts().to_vec();
    parts.retain(|part| wrong.iter().any(|case| prepared.part(case) == part));
    println!("{}: once more: {}", runner.name(), parts.join(", "));
    let (second, _) = run(runner, prepared, &parts, options)?;
    for case in wrong {
        if let Some(verdict) = second.get(&case) {
            let first = found.get(&case).unwrap_or("nothing");
            println!(
                "{}: {case} said {first}, and {verdict} when run once more",
                runner.name()
            );
            found.replace(&case, verdict);
        }
    }
    Ok(())
}

/// Runs the suite in as few boots as the system's health allows; gives the verdicts and the seconds it took.
fn run(
    runner: &dyn Runner,
    prepared: &Prepared,
    parts: &[String],
    options: &ConformanceOptions,
) -> Result<(Record, u64)> {
    let started = Instant::now();
    let mut record = Record::default();
    let mut parts = parts.to_vec();
    let path = options.target.join(format!(
        "tests/conformance/{}-{}.log",
        options.suite.name(),
        runner.name()
    ));
    let mut whole = if parts.len() == prepared.parts().len() {
        Vec::new()
    } else {
        std::fs::read(&path).unwrap_or_default()
    };
    for _ in 0..BOOTS {
        if parts.is_empty() {
            break;
        }
        let mut log = Log::new(options.suite, runner.name());
        let spec = prepared.spec(&parts)?;
        let outcome = runner.run_with(&spec, &mut |bytes| log.feed(bytes, &mut record))?;
        whole.extend_from_slice(&outcome.stdout);
        whole.extend_from_slice(&outcome.stderr);
        std::fs::write(&path, &whole).with_context(|| format!("writing {}", path.display()))?;
        log.close();
        if log.done() {
            break;
        }
        match log.part() {
            Some(part) => {
                println!("{} ended in {part}: {}", runner.name(), why(&outcome));
                if options.suite == Suite::Ash {
                    record.put(part, "FAIL");
                }
            }
            None => println!(
                "{} ended between two cases: {}",
                runner.name(),
                why(&outcome)
            ),
        }
        if log.begun() == 0 {
            break;
        }
        parts.drain(..log.begun().min(parts.len()));
    }
    if options.verbose {
        print!("{}", String::from_utf8_lossy(&whole));
    }
    println!("{}: all output is in {}", runner.name(), path.display());
    Ok((record, started.elapsed().as_secs()))
}

fn why(outcome: &Outcome) -> String {
    format!("{}; {}", outcome.end, outcome.complaint())
}
