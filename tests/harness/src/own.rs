//! The programs of `tests/programs` that are built here: in C with glibc and with musl, and in Go.

use crate::programs::{compile, sources, COMPILER};
use crate::script::Programs;
use anyhow::{bail, Context as _, Result};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Static, with glibc.
const GLIBC: &str = "ctests-glibc";
/// The same, position-independent.
const PIE: &str = "ctests-pie";
/// The same sources with musl.
const MUSL: &str = "ctests-musl";
const GO: &str = "gotests";

/// What is needed of others for the programs that scripts ask for.
pub fn packaged(wanted: BTreeSet<String>) -> BTreeSet<String> {
    wanted
        .into_iter()
        .filter_map(|name| match name.as_str() {
            GLIBC | PIE => None,
            MUSL => Some("musl".to_owned()),
            GO => Some("go".to_owned()),
            _ => Some(name),
        })
        .collect()
}

/// Builds the wanted ones of our own programs, and gives them together with the packaged ones.
pub fn add(root: &Path, target: &Path, packaged: &Programs, wanted: &BTreeSet<String>) -> Programs {
    let mut programs = packaged.clone();
    for name in wanted {
        let built = match name.as_str() {
            GLIBC => c(root, target, name, &["-static"]),
            PIE => c(root, target, name, &["-static-pie", "-fPIE"]),
            MUSL => tool(packaged, "musl").and_then(|libc| musl(root, target, &libc)),
            GO => tool(packaged, "go").and_then(|go| gotests(root, target, &go)),
            _ => continue,
        };
        programs.insert(name.clone(), built.map_err(|error| format!("{error:#}")));
    }
    programs
}

fn tool(packaged: &Programs, name: &str) -> Result<PathBuf> {
    match packaged.get(name) {
        Some(Ok(path)) => Ok(path.clone()),
        Some(Err(why)) => bail!("{name}: {why}"),
        None => bail!("{name} was not fetched"),
    }
}

fn c(root: &Path, target: &Path, name: &str, flags: &[&str]) -> Result<PathBuf> {
    let program = target.join("tests").join(name);
    let files = sources(&root.join("tests/programs/c"))?;
    compile(
        &program,
        &files,
        &[&["-O2", "-pthread"], flags].concat(),
        &["-lm"],
    )?;
    Ok(program)
}

/// `libc` is the library's `libc.a` in an unpacked package of Debian.
fn musl(root: &Path, target: &Path, libc: &Path) -> Result<PathBuf> {
    let program = target.join("tests").join(MUSL);
    let files = sources(&root.join("tests/programs/c"))?;
    let folder = libc.parent().context("the library lies in no folder")?;
    let own = Command::new(COMPILER)
        .arg("-print-file-name=include")
        .output()
        .with_context(|| format!("starting {COMPILER}"))?;
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    let (start, init, end, libc, headers) = (
        text(folder.join("crt1.o")),
        text(folder.join("crti.o")),
        text(folder.join("crtn.o")),
        text(libc.to_owned()),
        // From usr/lib/aarch64-linux-musl to usr/include/aarch64-linux-musl.
        text(folder.join("../../include/aarch64-linux-musl")),
    );
    let own = String::from_utf8_lossy(&own.stdout).trim().to_owned();
    compile(
        &program,
        &files,
        &[
            "-O2",
            "-pthread",
            "-static",
            "-nostdinc",
            "-isystem",
            &headers,
            "-isystem",
            &own,
            "-nostdlib",
            "-nostartfiles",
            &start,
            &init,
        ],
        &[&libc, "-lgcc", "-lgcc_eh", &libc, &end],
    )?;
    Ok(program)
}

/// `go` is the command in a whole toolchain.
fn gotests(root: &Path, target: &Path, go: &Path) -> Result<PathBuf> {
    let program = target.join("tests").join(GO);
    let toolchain = go
        .parent()
        .and_then(Path::parent)
        .context("the Go command lies in no toolchain")?;
    let output = Command::new(go)
        .current_dir(root.join("tests/programs/go"))
        .env("GOROOT", toolchain)
        .env("GOCACHE", target.join("go-cache"))
        .env("GOPATH", target.join("go-path"))
        .envs([
            ("GOTOOLCHAIN", "local"),
            ("GOFLAGS", ""),
            ("GOENV", "off"),
            ("GOTELEMETRY", "off"),
            ("GOOS", "linux"),
            ("GOARCH", "arm64"),
            ("CGO_ENABLED", "0"),
        ])
        .args(["build", "-trimpath", "-ldflags=-s -w", "-o"])
        .arg(&program)
        .arg(".")
        .output()
        .with_context(|| format!("starting {}", go.display()))?;
    if !output.status.success() {
        bail!(
            "Go could not build {GO}:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_it_needs_of_others() {
        let names = |list: &[&str]| {
            list.iter()
                .map(|&name| name.to_owned())
                .collect::<BTreeSet<_>>()
        };
        assert_eq!(
            packaged(names(&[GLIBC, MUSL, PIE, GO, "rg"])),
            names(&["go", "musl", "rg"])
        );
    }
}
