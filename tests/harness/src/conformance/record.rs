//! The verdicts of a suite's cases, and their file.

use anyhow::{bail, Context as _, Result};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

/// Verdicts in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Record {
    cases: Vec<(String, String)>,
    index: HashMap<String, usize>,
}

impl Record {
    /// Takes down a verdict. Cases of the same name are told apart by a number.
    pub fn put(&mut self, case: &str, verdict: &str) {
        let mut name = case.to_owned();
        let mut number = 1;
        while self.index.contains_key(&name) {
            number += 1;
            name = format!("{case} ({number})");
        }
        self.index.insert(name.clone(), self.cases.len());
        self.cases.push((name, verdict.to_owned()));
    }

    /// Takes down a verdict in the place of the one the case has, if it has one.
    pub fn replace(&mut self, case: &str, verdict: &str) {
        let at = self.index.get(case).copied();
        if let Some((_, old)) = at.and_then(|at| self.cases.get_mut(at)) {
            verdict.clone_into(old);
        } else {
            self.put(case, verdict);
        }
    }

    /// What was said of the case.
    pub fn get(&self, case: &str) -> Option<&str> {
        self.index
            .get(case)
            .and_then(|&at| self.cases.get(at))
            .map(|(_, verdict)| verdict.as_str())
    }

    /// All cases with their verdicts.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.cases
            .iter()
            .map(|(case, verdict)| (case.as_str(), verdict.as_str()))
    }

    /// How many cases have this verdict.
    pub fn count(&self, verdict: &str) -> usize {
        self.iter().filter(|(_, other)| *other == verdict).count()
    }

    /// The cases that `wanted` says.
    pub fn only(&self, wanted: impl Fn(&str) -> bool) -> Self {
        let mut part = Self::default();
        for (case, verdict) in self.iter().filter(|(case, _)| wanted(case)) {
            part.put(case, verdict);
        }
        part
    }

    /// Reads the file.
    ///
    /// # Errors
    /// When it is not there, or holds a line that is no verdict.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| {
            format!(
                "reading {}; `cargo xtask conformance ... --reference` writes it",
                path.display()
            )
        })?;
        let mut record = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            match line.split_once(' ') {
                Some((verdict, case)) => record.put(case, verdict),
                None => bail!("{}: {line:?} is no verdict", path.display()),
            }
        }
        Ok(record)
    }

    /// Writes the file.
    ///
    /// # Errors
    /// When that fails.
    pub fn save(&self, path: &Path, label: &str, suite: &str) -> Result<()> {
        let mut text = format!(
            "# What busybox's suite `{suite}` says on {label}; written by `cargo xtask conformance {suite} --reference`.\n"
        );
        for (case, verdict) in self.iter() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{verdict} {case}");
        }
        std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_loaded() {
        let mut record = Record::default();
        record.put("a/same", "PASS");
        record.put("a/same", "FAIL");
        record.put("b/other one", "SKIPPED");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record.txt");
        record.save(&path, "label", "busybox").unwrap();
        let loaded = Record::load(&path).unwrap();
        assert_eq!(
            loaded.iter().collect::<Vec<_>>(),
            record.iter().collect::<Vec<_>>()
        );
        assert_eq!(loaded.get("a/same (2)"), Some("FAIL"));
        assert_eq!(loaded.count("PASS"), 1);
        assert_eq!(loaded.only(|case| case.starts_with("b/")).iter().count(), 1);
    }
}
