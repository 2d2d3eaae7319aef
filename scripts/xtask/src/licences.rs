//! `cargo xtask licenses`: every crate in the lock file is under a licence this project may use.

use crate::context::Context;
use crate::process::output;
use crate::toolchain::{clean_cargo, TARGET};
use anyhow::{bail, Context as _, Result};
use serde::Deserialize;

/// Licences that go with `MIT OR Apache-2.0`.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "Zlib",
];

/// Where the build runs; crates for other hosts are never compiled.
const HOST: &str = "x86_64-unknown-linux-gnu";

/// What our own crates carry.
const OWN: &str = "MIT OR Apache-2.0";

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
}

/// Checks all packages; gives how many there are.
pub fn check(context: &Context) -> Result<usize> {
    let mut cargo = clean_cargo();
    cargo.current_dir(&context.root).args([
        "metadata",
        "--format-version",
        "1",
        "--locked",
        "--filter-platform",
        HOST,
        "--filter-platform",
        TARGET,
    ]);
    let metadata: Metadata =
        serde_json::from_slice(&output(&mut cargo)?).context("reading cargo's metadata")?;
    let wrong: Vec<String> = metadata.packages.iter().filter_map(objection).collect();
    if !wrong.is_empty() {
        bail!("licences:\n  {}", wrong.join("\n  "));
    }
    Ok(metadata.packages.len())
}

fn objection(package: &Package) -> Option<String> {
    let Package {
        name,
        version,
        license,
        source,
    } = package;
    match (license.as_deref(), source) {
        (None, _) => Some(format!("{name} {version} names no licence")),
        (Some(OWN), None) => None,
        (Some(licence), None) => Some(format!("{name} is ours and has `{licence}`, not `{OWN}`")),
        (Some(licence), Some(_)) => match allowed(licence) {
            Some(true) => None,
            Some(false) => Some(format!(
                "{name} {version}: `{licence}` is not among the allowed ones"
            )),
            None => Some(format!(
                "{name} {version}: `{licence}` is no licence expression"
            )),
        },
    }
}

/// Whether the expression can be met with allowed licences alone; nothing if it does not parse.
fn allowed(expression: &str) -> Option<bool> {
    // The old form with a slash means a choice.
    let expression = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<&str> = expression.split_whitespace().collect();
    let mut parser = Parser { words: &words };
    let result = parser.choice()?;
    parser.words.is_empty().then_some(result)
}

struct Parser<'a> {
    words: &'a [&'a str],
}

impl<'a> Parser<'a> {
    fn take(&mut self, word: &str) -> bool {
        match self.words.split_first() {
            Some((first, rest)) if *first == word => {
                self.words = rest;
                true
            }
            _ => false,
        }
    }

    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    fn choice(&mut self) -> Option<bool> {
        let mut result = self.all()?;
        while self.take("OR") {
            result |= self.all()?;
        }
        Some(result)
    }

    fn all(&mut self) -> Option<bool> {
        let mut result = self.one()?;
        while self.take("AND") {
            result &= self.one()?;
        }
        Some(result)
    }

    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let result = self.choice()?;
            return self.take(")").then_some(result);
        }
        let name = self
            .next()
            .filter(|word| !["OR", "AND", "WITH", ")"].contains(word))?;
        let plain = ALLOWED.contains(&name);
        if self.take("WITH") {
            // An exception only adds permissions.
            let exception = self.next()?;
            return Some(plain || ALLOWED.contains(&format!("{name} WITH {exception}").as_str()));
        }
        Some(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::allowed;

    #[test]
    fn expressions() {
        for good in [
            "MIT",
            "MIT/Apache-2.0",
            "GPL-3.0-only OR MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0-only",
        ] {
            assert_eq!(allowed(good), Some(true), "{good}");
        }
        for bad in ["GPL-2.0-only", "MIT AND GPL-3.0-only", "MPL-2.0"] {
            assert_eq!(allowed(bad), Some(false), "{bad}");
        }
        for nonsense in ["", "MIT OR", "(MIT", "MIT Apache-2.0", "AND"] {
            assert_eq!(allowed(nonsense), None, "{nonsense}");
        }
    }
}
