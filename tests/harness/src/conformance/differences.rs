//! The cases that say something else on Persona than on Debian's kernel, each with its reason.

use super::record::Record;
use anyhow::{Context as _, Result};
use serde::Deserialize;
use std::path::Path;

/// What a case says that was not run to its verdict.
const MISSING: &str = "MISSING";

/// One entry of `conformance.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    /// The suite's name.
    suite: String,
    /// The case as it is in the suite's record.
    case: String,
    /// The systems it differs on; all when left out.
    #[serde(default)]
    systems: Vec<String>,
    /// What it says on Persona.
    verdict: String,
    /// Why.
    reason: String,
}

/// The whole list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Differences {
    #[serde(default, rename = "difference")]
    list: Vec<Difference>,
}

impl Differences {
    /// Reads the list.
    ///
    /// # Errors
    /// When it is not there or is no such list.
    pub fn load(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("reading {}", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        Ok(toml::from_str(text)?)
    }

    fn find(&self, suite: &str, system: &str, case: &str) -> Option<&Difference> {
        self.list.iter().find(|entry| {
            entry.suite == suite
                && entry.case == case
                && (entry.systems.is_empty() || entry.systems.iter().any(|name| name == system))
        })
    }

    /// Compares verdicts with the reference's: a line for each case that differs or should. Those that begin with
    /// `FAIL` are not as expected.
    pub fn judge(
        &self,
        suite: &str,
        system: &str,
        reference: &Record,
        found: &Record,
    ) -> Vec<String> {
        let mut lines = Vec::new();
        let extra = found
            .iter()
            .filter(|(case, _)| reference.get(case).is_none());
        for (case, right) in reference
            .iter()
            .chain(extra.map(|(case, _)| (case, MISSING)))
        {
            let says = found.get(case).unwrap_or(MISSING);
            let line = match self.find(suite, system, case) {
                None if says == right => continue,
                None => format!("FAIL {system} {suite}/{case}: {says}, where Linux says {right}"),
                Some(entry) if says == right => format!(
                    "FAIL {system} {suite}/{case}: {says} as on Linux, but listed as a difference ({})",
                    entry.reason
                ),
                Some(entry) if entry.verdict == says => format!(
                    "PASS {system} {suite}/{case}: {says} as expected, where Linux says {right} ({})",
                    entry.reason
                ),
                Some(entry) => format!(
                    "FAIL {system} {suite}/{case}: {says}, where Linux says {right} and {} is expected ({})",
                    entry.verdict, entry.reason
                ),
            };
            lines.push(line);
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(cases: &[(&str, &str)]) -> Record {
        let mut record = Record::default();
        for (case, verdict) in cases {
            record.put(case, verdict);
        }
        record
    }

    #[test]
    fn every_difference_needs_a_reason_and_every_reason_a_difference() {
        let list = Differences::parse(
            "[[difference]]\nsuite = \"s\"\ncase = \"a/known\"\nverdict = \"FAIL\"\nreason = \"so\"\n\
             [[difference]]\nsuite = \"s\"\ncase = \"a/gone\"\nverdict = \"FAIL\"\nreason = \"so\"\n\
             [[difference]]\nsuite = \"s\"\ncase = \"a/one\"\nsystems = [\"x\"]\nverdict = \"FAIL\"\nreason = \"so\"\n",
        )
        .unwrap();
        let reference = record(&[
            ("a/known", "PASS"),
            ("a/gone", "PASS"),
            ("a/one", "PASS"),
            ("a/better", "FAIL"),
            ("a/lost", "PASS"),
            ("a/same", "FAIL"),
        ]);
        let found = record(&[
            ("a/known", "FAIL"),
            ("a/gone", "PASS"),
            ("a/one", "FAIL"),
            ("a/better", "PASS"),
            ("a/same", "FAIL"),
            ("a/new", "PASS"),
        ]);
        let verdicts = |system| -> Vec<String> {
            list.judge("s", system, &reference, &found)
                .iter()
                .map(|line| line.split(':').next().unwrap().to_owned())
                .collect()
        };
        let rest = ["FAIL x s/a/better", "FAIL x s/a/lost", "FAIL x s/a/new"];
        assert_eq!(
            verdicts("x")[..3],
            ["PASS x s/a/known", "FAIL x s/a/gone", "PASS x s/a/one"]
        );
        assert_eq!(verdicts("x")[3..], rest);
        assert_eq!(verdicts("y")[2], "FAIL y s/a/one");
    }
}
