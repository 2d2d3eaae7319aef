//! cargo for the target's crates.

use super::Profile;
use crate::context::Context;
use crate::process::shown;
use crate::toolchain::{Toolchain, TARGET};
use anyhow::{bail, Context as _, Result};
use manifest_compiler::Compiled;
use std::io::{BufRead as _, BufReader, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The environment variable by which the root task's build finds the archive it embeds.
const ARCHIVE: &str = "PERSONA_ARCHIVE";
/// The environment variable by which the bindings find the kernel they are generated from.
const PREFIX: &str = "SEL4_PREFIX";

/// Packages that run on the host only.
const HOST_ONLY: &[&str] = &[
    "image-packer",
    "kernel-build",
    "manifest-compiler",
    "persona-harness",
    "sel4-codegen",
    "xtask",
    "xtask-door",
];

/// What cargo is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Build programs.
    Build,
    /// Look at the code.
    Clippy,
}

/// How target crates are built.
pub struct Cargo<'a> {
    /// The checkout.
    pub context: &'a Context,
    /// The toolchain with the target.
    pub toolchain: &'a Toolchain,
    /// The installed kernel.
    pub prefix: &'a Path,
}

impl Cargo<'_> {
    /// The programs of all domains, in the generated workspace; gives where they lie. The folder for cargo's own files
    /// is shared by all systems, so that what they have in common is built once.
    pub fn domains(
        &self,
        workspace: &Path,
        compiled: &Compiled,
        profile: Profile,
        what: Task,
    ) -> Result<Vec<(String, PathBuf)>> {
        let target = self
            .context
            .target
            .join("persona")
            .join(format!("cargo-{}", profile.name()));
        let mut command = self.command(workspace, &target, what);
        command.arg("--workspace");
        finish(&mut command, what)
            .with_context(|| format!("building the domains of `{}`", compiled.system))?;
        let folder = target.join(TARGET).join("release");
        Ok(compiled
            .domains
            .iter()
            .map(|domain| (domain.name.clone(), folder.join(&domain.crate_name)))
            .collect())
    }

    /// Packages of the repository, each with one program of its name; gives where they lie. `target` is the folder for
    /// cargo's own files: a root task holds the `archive` of its system, so each system has its own.
    pub fn programs(
        &self,
        target: &Path,
        packages: &[&str],
        archive: Option<&Path>,
    ) -> Result<Vec<PathBuf>> {
        let mut command = self.command(&self.context.root, target, Task::Build);
        if let Some(archive) = archive {
            command.env(ARCHIVE, archive);
        }
        for package in packages {
            command.args(["-p", package]);
        }
        finish(&mut command, Task::Build)
            .with_context(|| format!("building {}", packages.join(", ")))?;
        let folder = target.join(TARGET).join("release");
        Ok(packages
            .iter()
            .map(|package| folder.join(package))
            .collect())
    }

    /// clippy over all crates of the repository that are built for the target.
    pub fn lint(&self, target: &Path, archive: &Path) -> Result<()> {
        let mut command = self.command(&self.context.root, target, Task::Clippy);
        command.env(ARCHIVE, archive).arg("--workspace");
        for package in HOST_ONLY {
            command.args(["--exclude", package]);
        }
        finish(&mut command, Task::Clippy)
    }

    fn command(&self, folder: &Path, target: &Path, what: Task) -> Command {
        let mut command = self.toolchain.cargo();
        command
            .current_dir(folder)
            .env(PREFIX, self.prefix)
            .env("CARGO_TARGET_DIR", target)
            .arg(if what == Task::Build {
                "build"
            } else {
                "clippy"
            })
            .args(["--release", "--target", TARGET]);
        command
    }
}

/// Runs it and shows what it says, all but that it has finished: when nothing is to do, nothing is said.
fn finish(command: &mut Command, what: Task) -> Result<()> {
    if std::io::stderr().is_terminal() {
        command.args(["--color", "always"]);
    }
    if what == Task::Clippy {
        command.args(["-q", "--", "-D", "warnings"]);
    }
    command
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .with_context(|| format!("starting `{}`", shown(command)))?;
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).split(b'\n') {
            let line = line?;
            let text = String::from_utf8_lossy(&line);
            if !text.contains("Finished") {
                eprintln!("{text}");
            }
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`{}` failed: {status}", shown(command));
    }
    Ok(())
}
