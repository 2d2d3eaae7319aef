//! The static Linux programs that the tests run in the guest, built with the cross compiler.

use anyhow::{bail, Context as _, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// The compiler that is used, from Debian's package gcc-aarch64-linux-gnu (with libc6-dev-arm64-cross).
pub const COMPILER: &str = "aarch64-linux-gnu-gcc";

/// What was built.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The ABI tests.
    pub abi: PathBuf,
    /// The same, linked as a static position-independent program.
    pub abi_pie: PathBuf,
    /// The first process of the reference system.
    pub reference_init: PathBuf,
    /// The system-call fuzzer.
    pub fuzz: PathBuf,
    /// Load.
    pub stress: PathBuf,
}

impl Programs {
    /// Builds what is not up to date.
    ///
    /// # Errors
    /// With the compiler's messages.
    pub fn build(root: &Path, target: &Path) -> Result<Self> {
        let out = target.join("tests");
        fs::create_dir_all(&out).with_context(|| format!("creating {}", out.display()))?;
        let abi_sources = sources(&root.join("tests/abi/src"))?;
        let init = vec![root.join("tests/harness/guest/reference-init.c")];
        let programs = Self {
            abi: out.join("abi"),
            abi_pie: out.join("abi-pie"),
            reference_init: out.join("reference-init"),
            fuzz: out.join("fuzz"),
            stress: out.join("stress"),
        };
        // The order of cases is the order of their definitions.
        let flags = ["-O1", "-pthread", "-fno-toplevel-reorder"];
        compile(
            &programs.abi,
            &abi_sources,
            &[&flags[..], &["-static"]].concat(),
            &[],
        )?;
        compile(
            &programs.abi_pie,
            &abi_sources,
            &[&flags[..], &["-static-pie", "-fPIE"]].concat(),
            &[],
        )?;
        compile(
            &programs.stress,
            &sources(&root.join("tests/stress/src"))?,
            &[&flags[..], &["-static"]].concat(),
            &[],
        )?;
        compile(&programs.reference_init, &init, &["-O1", "-static"], &[])?;
        let generated = out.join("fuzz-table");
        let header = generated.join("table.h");
        fs::create_dir_all(&generated)
            .with_context(|| format!("creating {}", generated.display()))?;
        let text = crate::fuzz::header();
        if fs::read_to_string(&header).ok().as_deref() != Some(&text) {
            fs::write(&header, text).with_context(|| format!("writing {}", header.display()))?;
        }
        let mut fuzz_sources = sources(&root.join("tests/fuzz/src"))?;
        fuzz_sources.push(header);
        let include = format!("-I{}", generated.display());
        compile(
            &programs.fuzz,
            &fuzz_sources,
            &["-O1", "-static", &include],
            &[],
        )?;
        Ok(programs)
    }
}

/// Builds a static program from a source file that is not ours.
///
/// # Errors
/// With the compiler's messages.
pub fn foreign(program: &Path, file: &Path) -> Result<()> {
    let output = Command::new(COMPILER)
        .args(["-std=gnu89", "-w", "-O1", "-static", "-o"])
        .arg(program)
        .arg(file)
        .output()
        .with_context(|| format!("starting {COMPILER} (package gcc-aarch64-linux-gnu)"))?;
    if !output.status.success() {
        bail!(
            "{COMPILER} could not build {}:\n{}",
            file.display(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

/// The files of a folder, sorted.
pub fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .with_context(|| format!("reading {}", folder.display()))?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    Ok(files)
}

fn changed(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|data| data.modified()).ok()
}

/// Compiles `files` into `program` if one of them is newer; `flags` stand before them, `libraries` behind.
pub fn compile(
    program: &Path,
    files: &[PathBuf],
    flags: &[&str],
    libraries: &[&str],
) -> Result<()> {
    let newest = files.iter().filter_map(|file| changed(file)).max();
    if changed(program).is_some_and(|built| newest.is_some_and(|newest| built > newest)) {
        return Ok(());
    }
    // Built beside and moved in place, so that nobody ever sees half of it.
    let folder = program.parent().unwrap_or(Path::new("."));
    let built = tempfile::Builder::new()
        .tempfile_in(folder)
        .with_context(|| format!("making a file in {}", folder.display()))?;
    let output = Command::new(COMPILER)
        .args(["-std=gnu11", "-Wall", "-Wextra", "-Werror"])
        // Wrong calls are what many cases are about.
        .args([
            "-Wno-stringop-overflow",
            "-Wno-stringop-overread",
            "-Wno-nonnull",
            "-Wno-unused-result",
        ])
        .args(flags)
        .arg("-o")
        .arg(built.path())
        .args(files.iter().filter(|file| {
            file.extension()
                .is_some_and(|extension| extension == "c" || extension == "S")
        }))
        .args(libraries)
        .output()
        .with_context(|| format!("starting {COMPILER} (package gcc-aarch64-linux-gnu)"))?;
    if !output.status.success() {
        bail!(
            "{COMPILER} could not build {}:\n{}",
            program.display(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    built
        .persist(program)
        .with_context(|| format!("writing {}", program.display()))?;
    Ok(())
}
