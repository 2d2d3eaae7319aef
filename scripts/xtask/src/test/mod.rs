//! `cargo xtask test`: everything that is checked, one line a case, the count at the end.

mod bare;

use crate::artefacts::Artefacts;
use crate::build::{self, Profile};
use crate::context::Context;
use crate::process::shown;
use crate::toolchain::clean_cargo;
use crate::{debian_root, fetch, licences, lint, programs, rootfs, run, setup};
use anyhow::{Context as _, Result};
use clap::Args;
use persona_harness::{run_suite, wanted_programs, Reference, SuiteOptions};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// Sets up, builds and runs all tests: on the host, lints, and in QEMU on every system.
#[derive(Args, Clone, Debug)]
pub struct TestArgs {
    /// Tests this system only; may be given several times
    #[arg(long, value_name = "NAME")]
    pub system: Vec<String>,
    /// Runs the system tests only, and of these those whose `suite/name` contains this; `bindings` for the tests of
    /// bindings, kernel and loader, `plan` for those of the root task
    #[arg(long, value_name = "TEXT")]
    pub filter: Vec<String>,
    /// Leaves out what runs in QEMU
    #[arg(long)]
    pub host: bool,
    /// Runs the system tests on Debian's own kernel as well and records what it says as the reference
    #[arg(long)]
    pub reference: bool,
    /// Runs the cases with large programs as well, for which some 250 MB are downloaded
    #[arg(long)]
    pub large: bool,
}

/// How many cases went which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    passed: usize,
    failed: usize,
}

impl Count {
    /// Takes down one case and says it.
    fn case(&mut self, group: &str, name: &str, result: Result<()>) {
        match result {
            Ok(()) => {
                self.passed += 1;
                println!("PASS {group} {name}");
            }
            Err(error) => {
                self.failed += 1;
                println!("FAIL {group} {name}: {error:#}");
            }
        }
    }
}

impl Count {
    /// Says the count; gives whether nothing failed.
    fn finish(self) -> bool {
        println!("{} passed, {} failed", self.passed, self.failed);
        self.failed == 0
    }
}

/// Runs the tests; gives whether all passed. The last line is `N passed, N failed`.
pub fn test(context: &Context, options: &TestArgs) -> Result<bool> {
    let ready = setup::all(context)?;
    let mut count = Count::default();
    if options.filter.is_empty() {
        count.case("host", "fmt", lint::fmt(context, true));
        count.case("host", "clippy", lint::host(context));
        count.case("host", "licences", licences::check(context).map(drop));
        count.case("host", "artefacts", identical(context));
        cargo_test(context, &mut count)?;
    }
    if !options.host {
        let systems = if options.system.is_empty() {
            build::systems(context)?
        } else {
            options.system.clone()
        };
        if options.filter.is_empty() {
            count.case("target", "clippy", lint::target(context));
        }
        if options.filter.is_empty() || options.filter.iter().any(|part| part == "bindings") {
            bare::bindings(context, &ready, &mut count);
        }
        if options.filter.is_empty() || options.filter.iter().any(|part| part == "plan") {
            bare::plan(context, &ready, &mut count);
        }
        if options.filter == ["bindings"] || options.filter == ["plan"] {
            return Ok(count.finish());
        }
        let mut bootable = Vec::new();
        for system in systems {
            match build::image_with(context, &ready, &system, Profile::Release) {
                Ok(_) => bootable.push(system),
                error => count.case(&system, "build", error.map(drop)),
            }
        }
        let debian_root = if wants_dynamic(context, &options.filter)? {
            Some(debian_root::archive(context, &["git".to_owned()])?)
        } else {
            None
        };
        let reference = if options.reference {
            Some(reference(context, debian_root.as_deref())?)
        } else {
            None
        };
        let wanted = wanted_programs(&context.root, &options.filter, options.large)?;
        let packaged = programs::fetch(context, &ready.python, &wanted)?;
        let summary = run_suite(&SuiteOptions {
            root: context.root.clone(),
            target: context.target.clone(),
            // Not by its path: the tests on the host may have linked it anew by now.
            xtask: PathBuf::from(format!("/proc/{}/exe", std::process::id())),
            systems: bootable,
            reference,
            debian_root,
            filter: options.filter.clone(),
            large: options.large,
            packaged,
        })?;
        count.passed += summary.passed;
        count.failed += summary.failed;
        if summary.skipped > 0 {
            println!("{} skipped", summary.skipped);
        }
    }
    Ok(count.finish())
}

fn identical(context: &Context) -> Result<()> {
    anyhow::ensure!(
        crate::artefacts::show(context)?,
        "the guest's busybox is not Debian's"
    );
    Ok(())
}

/// Whether a case of the suite `dynamic` is to be run, which needs Debian's packages.
fn wants_dynamic(context: &Context, filter: &[String]) -> Result<bool> {
    let folder = context.root.join("tests/dynamic/scripts");
    for entry in folder
        .read_dir()
        .with_context(|| format!("reading {}", folder.display()))?
    {
        let name = PathBuf::from(entry?.file_name()).with_extension("");
        let case = format!("dynamic/{}", name.display());
        if filter.is_empty() || filter.iter().any(|part| case.contains(part.as_str())) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Debian's kernel with the root file system the systems get, alone and with Debian's programs.
pub fn reference(context: &Context, debian_root: Option<&Path>) -> Result<Reference> {
    let list = Artefacts::load(context)?;
    let linux = list.deb("linux")?;
    let kernel = fetch::deb(context, linux)?;
    std::fs::create_dir_all(context.target.join("rootfs"))?;
    let write = |name: &str, layers: &[PathBuf]| -> Result<PathBuf> {
        let archive = context.target.join("rootfs").join(name);
        let tree = rootfs::tree(context, layers, &[])?;
        std::fs::write(&archive, image_packer::cpio::write(&tree)?)?;
        Ok(archive)
    };
    let mut layered = Vec::new();
    if let Some(tar) = debian_root {
        let both = write("reference-debian.cpio", &[tar.to_owned()])?;
        layered.push((tar.to_owned(), both));
    }
    Ok(Reference {
        kernel,
        rootfs: write("reference.cpio", &[])?,
        layered,
        label: format!("{} {}", linux.entry.package, linux.entry.version),
        env: run::environment(false),
    })
}

/// Runs the host's tests, shows what they say, and counts them.
fn cargo_test(context: &Context, count: &mut Count) -> Result<()> {
    let mut cargo = clean_cargo();
    cargo
        .current_dir(&context.root)
        .args(["test", "--no-fail-fast"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = cargo
        .spawn()
        .with_context(|| format!("starting `{}`", shown(&cargo)))?;
    let mut cases = Count::default();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            if let Some(part) = counted(&line) {
                cases.passed += part.passed;
                cases.failed += part.failed;
            }
            if !line.is_empty() && !line.ends_with("... ok") {
                println!("{line}");
            }
        }
    }
    let status = child.wait()?;
    count.passed += cases.passed;
    count.failed += cases.failed;
    if !status.success() && cases.failed == 0 {
        count.case(
            "host",
            "cargo-test",
            Err(anyhow::anyhow!("`{}`: {status}", shown(&cargo))),
        );
    }
    Ok(())
}

/// Reads a line such as `test result: ok. 3 passed; 0 failed; ...`.
fn counted(line: &str) -> Option<Count> {
    let (_, rest) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let number = |word: &str| -> Option<usize> {
        rest.split(';')
            .find_map(|part| part.trim().strip_suffix(word)?.trim().parse().ok())
    };
    Some(Count {
        passed: number("passed")?,
        failed: number("failed")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_cargos_counts() {
        let line = "test result: FAILED. 13 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1s";
        assert_eq!(
            counted(line),
            Some(Count {
                passed: 13,
                failed: 2
            })
        );
        assert_eq!(counted("test result: of something else"), None);
    }
}
