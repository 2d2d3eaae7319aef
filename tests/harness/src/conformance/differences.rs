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

    /// Compares verdicts with the reference's: one judgement for each case that differs or should.
    pub fn judge(
        &self,
        suite: &str,
        system: &str,
        reference: &Record,
        found: &Record,
    ) -> Vec<Judgement> {
        let mut judgements = Vec::new();
        let extra = found
            .iter()
            .filter(|(case, _)| reference.get(case).is_none());
        for (case, right) in reference
            .iter()
            .chain(extra.map(|(case, _)| (case, MISSING)))
        {
            let says = found.get(case).unwrap_or(MISSING);
            let (good, text) = match self.find(suite, system, case) {
                None if says == right => continue,
                None => (false, format!("{says}, where Linux says {right}")),
                Some(entry) if says == right => (
                    false,
                    format!(
                        "{says} as on Linux, but listed as a difference ({})",
                        entry.reason
                    ),
                ),
                Some(entry) if entry.verdict == says => (
                    true,
                    format!(
                        "{says} as expected, where Linux says {right} ({})",
                        entry.reason
                    ),
                ),
                Some(entry) => (
                    false,
                    format!(
                        "{says}, where Linux says {right} and {} is expected ({})",
                        entry.verdict, entry.reason
                    ),
                ),
            };
            judgements.push(Judgement {
                case: case.to_owned(),
                good,
                text,
            });
        }
        judgements
    }
}

/// What is to be said of a case.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// The case.
    pub case: String,
    /// Whether it says what is expected.
    pub good: bool,
    /// What it says, and what is expected.
    pub text: String,
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
        let verdicts = |system| -> Vec<(bool, String)> {
            list.judge("s", system, &reference, &found)
                .into_iter()
                .map(|judgement| (judgement.good, judgement.case))
                .collect()
        };
        let all = |good: [bool; 6]| -> Vec<(bool, String)> {
            let cases = ["a/known", "a/gone", "a/one", "a/better", "a/lost", "a/new"];
            good.into_iter().zip(cases.map(str::to_owned)).collect()
        };
        assert_eq!(verdicts("x"), all([true, false, true, false, false, false]));
        assert_eq!(
            verdicts("y"),
            all([true, false, false, false, false, false])
        );
    }
}
