//! Debian's archive for arm64.

use crate::artefacts::{Entry, LIST};
use crate::context::Context;
use crate::fetch::fresh_folder;
use crate::process::{run, say, text};
use anyhow::{bail, Context as _, Result};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// apt with an architecture, state and cache of its own: the machine's package database stays as it is.
pub struct Apt {
    folder: PathBuf,
}

impl Apt {
    /// Makes its folders.
    pub fn new(context: &Context) -> Result<Self> {
        let folder = context.target.join("apt");
        for part in ["state/lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(part))?;
        }
        fs::write(folder.join("state/status"), "")?;
        Ok(Self { folder })
    }

    /// A program of apt that works with these folders.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let mut set = |name: &str, value: &str| {
            command.arg("-o").arg(format!("{name}={value}"));
        };
        let folder = self.folder.to_string_lossy();
        set("Dir::State", &format!("{folder}/state"));
        set("Dir::State::status", &format!("{folder}/state/status"));
        set("Dir::Cache", &format!("{folder}/cache"));
        set("APT::Architecture", "arm64");
        set("APT::Architectures", "arm64");
        set("APT::Sandbox::User", "");
        set("Acquire::Languages", "none");
        set(
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled",
            "false",
        );
        command
    }

    /// The versions the archive has now.
    fn versions(&self, package: &str) -> Result<Vec<String>> {
        let lines = text(self.command("apt-cache").args(["madison", package]))?;
        Ok(lines
            .lines()
            .filter_map(|line| Some(line.split('|').nth(1)?.trim().to_owned()))
            .collect())
    }

    /// Refreshes the lists of packages.
    pub fn update(&self) -> Result<()> {
        run(self.command("apt-get").args(["-q", "update"]))
    }

    /// Downloads one package and gives the file.
    pub fn download(&self, entry: &Entry) -> Result<PathBuf> {
        say(format!(
            "fetching Debian package {} {} (arm64)",
            entry.package, entry.version
        ));
        let folder = self.folder.join("download");
        fresh_folder(&folder)?;
        self.download_into(&folder, &[entry])?;
        let found = fs::read_dir(&folder)?
            .flatten()
            .map(|entry| entry.path())
            .next();
        found.with_context(|| format!("apt-get download left no file in {}", folder.display()))
    }

    /// Downloads packages into `folder`, as files `PACKAGE_VERSION_ARCH.deb` with the version percent-encoded.
    pub fn download_into(&self, folder: &Path, entries: &[&Entry]) -> Result<()> {
        let wanted: Vec<String> = entries
            .iter()
            .map(|entry| format!("{}={}", entry.package, entry.version))
            .collect();
        let download = || {
            run(self
                .command("apt-get")
                .current_dir(folder)
                .args(["-q", "download"])
                .args(&wanted))
        };
        // The lists of an earlier run serve as long as they know the version; it may have left the archive since,
        // which then shows when it is downloaded.
        let known = |entry: &&&Entry| -> bool {
            self.versions(&entry.package)
                .is_ok_and(|versions| versions.contains(&entry.version))
        };
        if entries.iter().all(|entry| known(&entry)) && download().is_ok() {
            return Ok(());
        }
        self.update()?;
        if download().is_ok() {
            return Ok(());
        }
        let mut text = String::new();
        for entry in entries.iter().filter(|entry| !known(entry)) {
            let versions = self.versions(&entry.package)?;
            let _ = writeln!(
                text,
                "Debian's archive does not give {} {} for arm64 (it lists: {}).",
                entry.package,
                entry.version,
                if versions.is_empty() {
                    "no version".to_owned()
                } else {
                    versions.join(", ")
                },
            );
        }
        if text.is_empty() {
            bail!("Debian's archive cannot be reached; try again later");
        }
        bail!(
            "{text}If a version was superseded, set version and sha256 of the new one in {LIST}: `apt-cache show PACKAGE` \
             prints both, and `cargo xtask debian-root --record` writes those of the packages it uses."
        );
    }

    /// Version and sha256 of the packages as the lists have them now.
    pub fn current(&self, packages: &[&str]) -> Result<Vec<(String, String, String)>> {
        let text = text(
            self.command("apt-cache")
                .args(["show", "--no-all-versions"])
                .args(packages),
        )?;
        let field = |stanza: &str, name: &str| -> Option<String> {
            let line = stanza.lines().find_map(|line| line.strip_prefix(name));
            Some(line?.trim().to_owned())
        };
        Ok(text
            .split("\n\n")
            .filter_map(|stanza| {
                Some((
                    field(stanza, "Package:")?,
                    field(stanza, "Version:")?,
                    field(stanza, "SHA256:")?,
                ))
            })
            .collect())
    }
}
