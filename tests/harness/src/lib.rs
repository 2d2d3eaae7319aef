//! Boots images in QEMU and checks what they say.
//!
//! Purpose: run the same tests on every shipped system of Persona and, for reference, on Debian's own arm64 kernel. A
//! test's program does not know where it runs; a [`Runner`] does. Results are told one line a case, checked against
//! the list of expected failures (`tests/expectations/`), and counted.
//!
//! It must never look inside the guest: it uses what users use, the command `cargo xtask run`, and sees what they see.
//!
//! The suites:
//! - `abi`: the static Linux program built from `tests/abi`, which holds many cases;
//! - `programs`: real programs as packaged, and programs of our own in C and Go, run by the scripts of `tests/programs`;
//! - `script`: the shell scripts of `tests/system/scripts`, their outputs compared to those recorded on Debian's kernel;
//! - `dynamic`: the scripts and Python programs of `tests/dynamic`, by Debian's dynamically linked programs;
//! - `run`: what the command `run` promises: statuses, pipes, flags;
//! - `session`: an interactive shell on a pseudo-terminal.
//!
//! Apart from these it runs test suites of others, see [`run_conformance`].
//! - `session`: an interactive shell on a pseudo-terminal;
//! - `stress`: much of everything, a small version of what `cargo xtask stress` runs;
//! - `fuzz`: the system-call fuzzer, for a bounded time.
#![deny(unsafe_code)]

mod abi;
mod cli;
mod conformance;
mod coverage;
mod expectations;
mod fuzz;
mod own;
mod persona;
mod process;
mod programs;
mod reference;
mod report;
mod runner;
mod script;
mod session;
mod stress;

pub use conformance::{run_conformance, ConformanceOptions, Suite};
pub use coverage::{coverage, Coverage, Seen};
pub use fuzz::{reproduce, FuzzOptions, FuzzResult};
pub use persona::Persona;
pub use reference::{DebianLinux, Reference};
pub use report::{Summary, Verdict};
pub use runner::{End, Outcome, RunSpec, Runner};

use anyhow::{Context as _, Result};
use expectations::Expectations;
use programs::Programs;
use report::Report;
use script::Scripts;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What to run, and where things are.
#[derive(Clone, Debug)]
pub struct SuiteOptions {
    /// The repository's root folder.
    pub root: PathBuf,
    /// Where generated files go (the harness uses `tests/` below it).
    pub target: PathBuf,
    /// The program behind `cargo xtask`.
    pub xtask: PathBuf,
    /// The systems of Persona to test, by the names of their manifests.
    pub systems: Vec<String>,
    /// Debian's kernel to run the tests on as well; this records the reference outputs of the scripts.
    pub reference: Option<Reference>,
    /// A tar archive with Debian's programs, for the suite `dynamic`; without it that is left out.
    pub debian_root: Option<PathBuf>,
    /// Run only cases whose `suite/name` contains one of these; empty means all.
    pub filter: Vec<String>,
    /// Run the cases that need much to be downloaded, or much time, as well.
    pub large: bool,
    /// The files that [`wanted_programs`] asked for, by name, or why one could not be had.
    pub packaged: BTreeMap<String, Result<PathBuf, String>>,
}

/// The names of the packaged programs and tools (`[program.NAME]` in `images/artefacts.toml`) that the cases need.
///
/// # Errors
/// When a test cannot be read.
pub fn wanted_programs(root: &Path, filter: &[String], large: bool) -> Result<BTreeSet<String>> {
    let scripts = Scripts::programs(root, large)?.wanted(|case| report::wants(filter, case));
    Ok(own::packaged(scripts))
}

/// Runs all suites on all systems, printing one line a case to standard output.
///
/// # Errors
/// What keeps the tests from being run at all: a test program that cannot be built, a file that cannot be read. A
/// failing case is no error: it is counted in the summary.
pub fn run_suite(options: &SuiteOptions) -> Result<Summary> {
    let programs = Programs::build(&options.root, &options.target)?;
    let expectations = Expectations::load(&options.root.join("tests/expectations"))?;
    let root = options.root.as_path();
    let mut suites = vec![Scripts::system(root)?];
    if let Some(archive) = &options.debian_root {
        suites.push(Scripts::dynamic(root, archive)?);
    }
    let real = Scripts::programs(root, options.large)?;
    let wanted = real.wanted(|case| report::wants(&options.filter, case));
    let packaged = own::add(root, &options.target, &options.packaged, &wanted);
    suites.push(real);
    let mut summary = Summary::default();
    if let Some(reference) = &options.reference {
        let runner = DebianLinux::new(reference, &programs.reference_init, &options.target)?;
        let mut report = Report::new("debian", &expectations, &options.filter);
        abi::run(&runner, &programs, &mut report)?;
        for suite in &suites {
            suite.run(&runner, &packaged, true, &mut report)?;
        }
        cli::run(&runner, &programs, &mut report)?;
        report
            .record(&options.root.join("tests/expectations"), &reference.label)
            .context("recording the reference results")?;
        summary.add(report.finish());
    }
    for system in &options.systems {
        let runner = Persona::new(&options.xtask, &options.root, system);
        let mut report = Report::new(system, &expectations, &options.filter);
        abi::run(&runner, &programs, &mut report)?;
        for suite in &suites {
            suite.run(&runner, &packaged, false, &mut report)?;
        }
        cli::run(&runner, &programs, &mut report)?;
        session::run(&runner, &mut report)?;
        stress::run(&runner, &programs, &mut report)?;
        fuzz::run(&runner, &programs, &mut report)?;
        summary.add(report.finish());
    }
    Ok(summary)
}

/// Runs the system-call fuzzer on a system; see [`FuzzOptions`].
///
/// # Errors
/// When a program cannot be built, or the system not be started.
pub fn run_fuzz(
    root: &std::path::Path,
    target: &std::path::Path,
    xtask: &std::path::Path,
    system: &str,
    options: &FuzzOptions,
) -> Result<FuzzResult> {
    let programs = Programs::build(root, target)?;
    fuzz::fuzz(&Persona::new(xtask, root, system), &programs, options)
}

/// Runs the load of a group on a system, as much as there is of it, and says figures.
///
/// # Errors
/// When a program cannot be built, or the system not be started.
pub fn run_stress(
    root: &std::path::Path,
    target: &std::path::Path,
    xtask: &std::path::Path,
    system: &str,
    cases: &[String],
) -> Result<Summary> {
    let programs = Programs::build(root, target)?;
    let expectations = Expectations::load(&root.join("tests/expectations"))?;
    let mut report = Report::new(system, &expectations, &[]);
    stress::full(
        &Persona::new(xtask, root, system),
        &programs,
        cases,
        &mut report,
    )?;
    Ok(report.finish())
}
