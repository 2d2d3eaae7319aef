//! Packages that are not recorded: apt finds what they depend on.

use crate::apt::Apt;
use crate::artefacts::Entry;
use crate::process::{output, text};
use anyhow::{ensure, Context as _, Result};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

/// What packages depend on for installing only: taken for installed.
const NOT_NEEDED: &[&str] = &["debconf", "dpkg", "init-system-helpers", "usr-is-merged"];

/// The packages that `wanted` needs besides those that are `there`, in the versions the archive has now.
pub fn resolve(apt: &Apt, there: &[Entry], wanted: &[&str]) -> Result<Vec<Entry>> {
    let folder = tempfile::tempdir()?;
    let status = folder.path().join("status");
    let mut names: Vec<&str> = there.iter().map(|entry| entry.package.as_str()).collect();
    names.extend(NOT_NEEDED);
    let show = || {
        text(
            apt.command("apt-cache")
                .args(["show", "--no-all-versions"])
                .args(&names),
        )
    };
    let stanzas = match show() {
        Ok(stanzas) => stanzas,
        Err(_) => {
            apt.update()?;
            show()?
        }
    };
    fs::write(&status, installed(&stanzas, there))?;
    let simulate = output(
        apt.command("apt-get")
            .arg("-o")
            .arg(format!("Dir::State::status={}", status.display()))
            .args(["-q", "-s", "--no-install-recommends", "install"])
            .args(wanted),
    )
    .context("apt finds no way to install the packages")?;
    let names: Vec<String> = String::from_utf8_lossy(&simulate)
        .lines()
        .filter_map(|line| Some(line.strip_prefix("Inst ")?.split(' ').next()?.to_owned()))
        .collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let found = apt.current(&names)?;
    ensure!(
        found.len() == names.len(),
        "apt does not tell the hashes of all of {}",
        names.join(", ")
    );
    Ok(found
        .into_iter()
        .map(|(package, version, sha256)| Entry {
            package,
            version,
            sha256,
            licence: String::new(),
        })
        .collect())
}

/// A status file in which the packages of `stanzas` are installed and need nothing, in the recorded versions.
fn installed(stanzas: &str, there: &[Entry]) -> String {
    let versions: BTreeMap<&str, &str> = there
        .iter()
        .map(|entry| (entry.package.as_str(), entry.version.as_str()))
        .collect();
    let mut status = String::new();
    for stanza in stanzas.split("\n\n") {
        let field = |name: &str| stanza.lines().find_map(|line| line.strip_prefix(name));
        let (Some(name), Some(version)) = (field("Package: "), field("Version: ")) else {
            continue;
        };
        let version = versions.get(name).copied().unwrap_or(version);
        let _ = write!(
            status,
            "Package: {name}\nStatus: install ok installed\nArchitecture: {}\nVersion: {version}\n",
            field("Architecture: ").unwrap_or("arm64")
        );
        for kept in ["Multi-Arch: ", "Provides: "] {
            if let Some(value) = field(kept) {
                let _ = writeln!(status, "{kept}{value}");
            }
        }
        let _ = writeln!(status, "Maintainer: -\nDescription: -\n");
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_packages_are_installed_without_needs() {
        let there = [Entry {
            package: "a".into(),
            version: "1".into(),
            sha256: String::new(),
            licence: String::new(),
        }];
        let stanzas = "Package: a\nVersion: 2\nArchitecture: all\nDepends: z\nProvides: q\n\nPackage: b\nVersion: 3";
        let status = installed(stanzas, &there);
        assert!(status.contains("Package: a\nStatus: install ok installed\nArchitecture: all\nVersion: 1\nProvides: q\n"));
        assert!(status.contains("Package: b\n") && !status.contains("Depends"));
    }
}
