//! Verdicts, one line a case, and their count.

use crate::expectations::Expectations;
use anyhow::{Context as _, Result};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

/// What came of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Pass,
    /// Not so, and why.
    Fail(String),
    /// Not tried, and why.
    Skip(String),
}

/// The count over all systems.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Cases that passed, and those that failed as expected.
    pub passed: usize,
    /// Cases that failed, and those that passed against expectation.
    pub failed: usize,
    /// Cases that were skipped.
    pub skipped: usize,
}

impl Summary {
    /// Adds another count to this one.
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// Whether the filter lets the case (as `suite/name`) through.
pub fn wants(filter: &[String], case: &str) -> bool {
    filter.is_empty() || filter.iter().any(|part| case.contains(part.as_str()))
}

/// The results of one system.
pub struct Report<'a> {
    system: String,
    expectations: &'a Expectations,
    filter: &'a [String],
    results: BTreeMap<String, Verdict>,
    failures: Vec<String>,
    summary: Summary,
    started: Instant,
}

impl<'a> Report<'a> {
    /// An empty report.
    pub fn new(system: &str, expectations: &'a Expectations, filter: &'a [String]) -> Self {
        Self {
            system: system.to_owned(),
            expectations,
            filter,
            results: BTreeMap::new(),
            failures: Vec::new(),
            summary: Summary::default(),
            started: Instant::now(),
        }
    }

    /// Whether the case (as `suite/name`) is to be run.
    pub fn wants(&self, case: &str) -> bool {
        wants(self.filter, case)
    }

    /// Whether everything is to be run.
    pub fn wants_all(&self) -> bool {
        self.filter.is_empty()
    }

    /// Whether the case has a verdict already.
    pub fn has(&self, case: &str) -> bool {
        self.results.contains_key(case)
    }

    /// Takes down a verdict and says it. A second one for the same case is ignored.
    pub fn result(&mut self, case: &str, verdict: Verdict) {
        if self.has(case) {
            return;
        }
        let system = &self.system;
        let expected = self.expectations.reason(system, case);
        let line = match (&verdict, expected) {
            (Verdict::Pass, None) => {
                self.summary.passed += 1;
                format!("PASS {system} {case}")
            }
            (Verdict::Pass, Some(reason)) => {
                self.summary.failed += 1;
                self.failures.push(case.to_owned());
                format!(
                    "FAIL {system} {case}: passes, but is listed as an expected failure ({reason})"
                )
            }
            (Verdict::Fail(why), Some(reason)) => {
                self.summary.passed += 1;
                format!("PASS {system} {case}: fails as expected ({reason}): {why}")
            }
            (Verdict::Fail(why), None) => {
                self.summary.failed += 1;
                self.failures.push(case.to_owned());
                format!("FAIL {system} {case}: {why}")
            }
            (Verdict::Skip(why), _) => {
                self.summary.skipped += 1;
                format!("SKIP {system} {case}: {why}")
            }
        };
        println!("{line}");
        self.results.insert(case.to_owned(), verdict);
    }

    /// Takes down what a check found.
    pub fn check(&mut self, case: &str, found: std::result::Result<(), String>) {
        self.result(case, found.map_or_else(Verdict::Fail, |()| Verdict::Pass));
    }

    /// Writes all verdicts to `debian-results.txt` in the folder, unless only some cases were run.
    pub fn record(&self, folder: &Path, label: &str) -> Result<()> {
        if !self.wants_all() {
            return Ok(());
        }
        let mut text = format!(
            "# What the tests say on {label}; written by `cargo xtask test --reference`.\n"
        );
        for (case, verdict) in &self.results {
            // Writing to a string cannot fail.
            let _ = match verdict {
                Verdict::Pass => writeln!(text, "PASS {case}"),
                Verdict::Fail(why) => writeln!(text, "FAIL {case}: {why}"),
                Verdict::Skip(why) => writeln!(text, "SKIP {case}: {why}"),
            };
        }
        let path = folder.join("debian-results.txt");
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    }

    /// Says the count of this system.
    pub fn finish(self) -> Summary {
        let Summary {
            passed,
            failed,
            skipped,
        } = self.summary;
        let seconds = self.started.elapsed().as_secs();
        println!(
            "---- {}: {passed} as expected, {failed} not, {skipped} skipped, in {seconds} s",
            self.system
        );
        for case in &self.failures {
            println!("     failed: {} {case}", self.system);
        }
        self.summary
    }
}
