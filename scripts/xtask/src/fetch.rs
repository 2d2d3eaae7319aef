//! Downloads, each checked against the repository's list before anything uses it.

use crate::apt::Apt;
use crate::artefacts::{Artefacts, Deb, Entry, LIST};
use crate::context::Context;
use crate::process::{output, run, say};
use crate::stamp::{sha256_file, Key, Stamp};
use crate::toolchain::clean_cargo;
use anyhow::{bail, Context as _, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The stamp that says `entry` lies unpacked in `folder`.
fn stamp(entry: &Entry, folder: &Path) -> Stamp {
    let key = Key::new()
        .add(&entry.package)
        .add(&entry.version)
        .add(&entry.sha256)
        .finish();
    Stamp::new(folder.join(".persona-stamp"), key)
}

/// The error for a file that is not the recorded one.
pub fn check(entry: &Entry, found: &str) -> Result<()> {
    if found != entry.sha256 {
        bail!(
            "{} {} is not the file recorded in {LIST}:\n  recorded sha256 {}\n  fetched sha256  {found}\nNothing was \
             unpacked. If its publisher replaced it and you trust the new one, record the new sha256 there.",
            entry.package,
            entry.version,
            entry.sha256
        );
    }
    Ok(())
}

/// Makes `folder` an empty one.
pub fn fresh_folder(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("clearing {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))
}

/// The kernel's source: gives the crate's folder, in which `seL4/` is the kernel's tree.
pub fn kernel_source(context: &Context, artefacts: &Artefacts) -> Result<PathBuf> {
    let entry = artefacts.kernel()?;
    let folder = context.sources().join(entry.folder());
    let stamp = stamp(entry, &folder);
    if stamp.fresh() {
        return Ok(folder);
    }
    say(format!(
        "fetching crate {} {}",
        entry.package, entry.version
    ));
    let work = context.target.join("fetch");
    fresh_folder(&work)?;
    // A manifest of its own: the crate is wanted for the files it carries and must not enter our dependency graph.
    fs::write(
        work.join("Cargo.toml"),
        format!(
            "[package]\nname = \"fetch\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n[lib]\npath = \"lib.rs\"\n\n\
             [dependencies]\n{} = \"={}\"\n\n[workspace]\n",
            entry.package, entry.version
        ),
    )?;
    fs::write(work.join("lib.rs"), "")?;
    // On its standard output cargo only says how to use vendored sources.
    output(clean_cargo().current_dir(&work).args(["vendor", "vendored"])).with_context(|| {
        format!(
            "cargo could not fetch {} {}; is there a network, and is the version still in the registry? {LIST} says \
             which one is wanted",
            entry.package, entry.version
        )
    })?;
    let vendored = work.join("vendored").join(&entry.package);
    let checksums = fs::read_to_string(vendored.join(".cargo-checksum.json"))?;
    let found = checksums
        .rsplit_once("\"package\":\"")
        .and_then(|(_, rest)| rest.split_once('"'))
        .map(|(sum, _)| sum)
        .context("cargo vendor left no checksum of the package")?;
    check(entry, found)?;
    fs::create_dir_all(context.sources())?;
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::rename(&vendored, &folder)?;
    fs::remove_dir_all(&work)?;
    stamp.set()?;
    Ok(folder)
}

/// A Debian arm64 package: gives the path of the file that is used.
pub fn deb(context: &Context, deb: &Deb) -> Result<PathBuf> {
    let entry = &deb.entry;
    let folder = context.sources().join(entry.folder());
    let file = deb.unpacked(&context.sources());
    let stamp = stamp(entry, &folder);
    if stamp.fresh() && file.exists() {
        return Ok(file);
    }
    let archive = Apt::new(context)?.download(entry)?;
    check(entry, &sha256_file(&archive)?)?;
    fresh_folder(&folder)?;
    run(Command::new("dpkg-deb")
        .arg("-x")
        .arg(&archive)
        .arg(&folder))?;
    if let Some(wanted) = &deb.file_sha256 {
        let found = sha256_file(&file)?;
        if found != *wanted {
            bail!(
                "{} of {} has sha256 {found}, but {LIST} records {wanted}",
                deb.file,
                entry.package
            );
        }
    }
    fs::remove_file(&archive)?;
    stamp.set()?;
    Ok(file)
}

/// The Python environment of the kernel's generators: gives its interpreter.
pub fn python(context: &Context, artefacts: &Artefacts) -> Result<PathBuf> {
    let folder = context.target.join("venv");
    let interpreter = folder.join("bin/python");
    let requirements: String = artefacts
        .python
        .values()
        .map(|entry| {
            format!(
                "{}=={} --hash=sha256:{}\n",
                entry.package, entry.version, entry.sha256
            )
        })
        .collect();
    let stamp = Stamp::new(
        folder.join(".persona-stamp"),
        Key::new()
            .add(&requirements)
            .add(folder.as_os_str().as_encoded_bytes())
            .finish(),
    );
    // The interpreter is a link to the machine's: it dangles when that one went away.
    if stamp.fresh() && interpreter.exists() {
        return Ok(interpreter);
    }
    say("making the Python environment of the kernel's generators");
    fresh_folder(&folder)?;
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    let list = folder.join("requirements.txt");
    fs::write(&list, &requirements)?;
    run(Command::new(&interpreter)
        .args(["-m", "pip", "install", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"])
        .arg("--require-hashes")
        .arg("-r")
        .arg(&list))
    .with_context(|| {
        format!("pip could not install what {LIST} records under [python]; if a version vanished, record a newer one")
    })?;
    output(Command::new(&interpreter).args(["-c", "import tempita, six, ply"]))?;
    stamp.set()?;
    Ok(interpreter)
}
