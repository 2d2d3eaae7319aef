//! The cases that are known to fail, each with its reason.

use anyhow::{Context as _, Result};
use serde::Deserialize;
use std::path::Path;

/// One entry of `expected-failures.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// `suite/name`.
    case: String,
    /// The systems it fails on; all when left out.
    #[serde(default)]
    systems: Vec<String>,
    /// Why.
    reason: String,
}

/// The whole list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectations {
    #[serde(default, rename = "expected-failure")]
    failures: Vec<Expected>,
}

impl Expectations {
    /// Reads `expected-failures.toml` in the folder.
    pub fn load(folder: &Path) -> Result<Self> {
        let path = folder.join("expected-failures.toml");
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("reading {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("reading {}", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        Ok(toml::from_str(text)?)
    }

    /// Why the case is expected to fail on the system, if it is.
    pub fn reason(&self, system: &str, case: &str) -> Option<&str> {
        self.failures
            .iter()
            .find(|entry| {
                entry.case == case
                    && if entry.systems.is_empty() {
                        // What Persona cannot do is no statement about the reference.
                        system != "debian"
                    } else {
                        entry.systems.iter().any(|name| name == system)
                    }
            })
            .map(|entry| entry.reason.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_reason_for_the_right_systems() {
        let list = Expectations::parse(
            "[[expected-failure]]\ncase = \"abi/a\"\nreason = \"because\"\n\
             [[expected-failure]]\ncase = \"abi/b\"\nsystems = [\"isolated\"]\nreason = \"so\"\n",
        )
        .unwrap();
        assert_eq!(list.reason("isolated", "abi/a"), Some("because"));
        assert_eq!(list.reason("coalesced", "abi/a"), Some("because"));
        assert_eq!(list.reason("debian", "abi/a"), None);
        assert_eq!(list.reason("isolated", "abi/b"), Some("so"));
        assert_eq!(list.reason("coalesced", "abi/b"), None);
        assert_eq!(list.reason("isolated", "abi/c"), None);
    }

    #[test]
    fn refuses_an_entry_without_reason() {
        assert!(Expectations::parse("[[expected-failure]]\ncase = \"abi/a\"\n").is_err());
    }
}
