//! `cargo xtask syscalls`: what there is of each Linux system call, and what the tests call of it.

use crate::build::{self, Profile};
use crate::context::Context;
use crate::setup;
use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use lsyscall_table::{rows, write_support, Format, Level, Row};
use persona_harness::{coverage, Coverage, SuiteOptions};
use std::path::PathBuf;

/// Shows what there is of each Linux system call, with totals by class and level
#[derive(Args, Clone, Debug)]
pub struct SyscallsArgs {
    /// How to write it
    #[arg(long, value_enum, default_value = "text")]
    format: Shape,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Runs the ABI tests under the tracer instead, and shows how often each supported call succeeded and how it failed;
    /// fails when one of them never succeeded, or never failed although it can
    #[arg(long)]
    coverage: bool,
    /// The system to run the tests on
    #[arg(long, value_name = "NAME", default_value = build::DEFAULT_SYSTEM, requires = "coverage")]
    system: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shape {
    Text,
    Json,
    Markdown,
}

/// Calls that take nothing that could be wrong: the manual pages name no error for them, or none that an ordinary program
/// can bring about.
const CANNOT_FAIL: &[&str] = &[
    "exit",
    "exit_group",
    "getegid",
    "geteuid",
    "getgid",
    "getpid",
    "getppid",
    "gettid",
    "getuid",
    "munlockall",
    "rt_sigreturn",
    "sched_yield",
    "set_tid_address",
    "setfsgid",
    "setfsuid",
    "sync",
    "umask",
    "brk",
    "personality",
];

/// Calls that never succeed: waiting ends in an error, always.
const CANNOT_SUCCEED: &[&str] = &["rt_sigsuspend", "restart_syscall"];

/// Does the command; gives whether all was as it should be.
pub fn show(context: &Context, options: &SyscallsArgs) -> Result<bool> {
    if options.coverage {
        return measure(context, &options.system);
    }
    let format = match options.format {
        _ if options.json => Format::Json,
        Shape::Text => Format::Text,
        Shape::Json => Format::Json,
        Shape::Markdown => Format::Markdown,
    };
    let mut page = String::new();
    write_support(&mut page, format).context("writing the table")?;
    print!("{page}");
    Ok(true)
}

fn measure(context: &Context, system: &str) -> Result<bool> {
    let ready = setup::all(context)?;
    build::image_with(context, &ready, system, Profile::Release)?;
    let seen = coverage(&SuiteOptions {
        root: context.root.clone(),
        target: context.target.clone(),
        xtask: PathBuf::from(format!("/proc/{}/exe", std::process::id())),
        systems: vec![system.to_owned()],
        debian_root: None,
        reference: None,
        filter: Vec::new(),
        large: false,
        packaged: std::collections::BTreeMap::new(),
    })?;
    let mut missing = Vec::new();
    println!("{:<24}{:>10}  errors", "call", "succeeded");
    for row in rows().filter(|row| row.level != Level::No) {
        let (line, whole) = judge(row, &seen);
        println!("{line}");
        if !whole {
            missing.push(row.name);
        }
    }
    if seen.lost > 0 {
        println!(
            "{} lines of the trace were lost: counts are lower bounds",
            seen.lost
        );
    }
    if missing.is_empty() {
        println!("every supported call succeeded in a test, and failed in one where it can fail");
    } else {
        println!(
            "not fully tested ({}): {}",
            missing.len(),
            missing.join(", ")
        );
    }
    Ok(missing.is_empty())
}

/// The line of a call, and whether the tests see both sides of it.
fn judge(row: &Row, coverage: &Coverage) -> (String, bool) {
    let seen = coverage.calls.get(row.name).cloned().unwrap_or_default();
    let errors: Vec<String> = seen
        .failed
        .iter()
        .map(|(errno, count)| format!("{errno} {count}"))
        .collect();
    let line = format!(
        "{:<24}{:>10}  {}",
        row.name,
        seen.succeeded,
        errors.join(", ")
    );
    let good = seen.succeeded > 0 || CANNOT_SUCCEED.contains(&row.name);
    let bad = !errors.is_empty() || CANNOT_FAIL.contains(&row.name);
    (line.trim_end().to_owned(), good && bad)
}
