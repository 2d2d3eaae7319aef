//! `cargo xtask debian-root`: a Debian system for the guest, made of arm64 packages, for dynamically linked programs.
//!
//! The packages of `images/artefacts.toml` are unpacked, none of their scripts is run; what these would set up for the
//! programs to work is done here ([`configure`]).

mod configure;
mod package;
mod python;
mod record;
mod resolve;

use crate::apt::Apt;
use crate::artefacts::{Artefacts, Entry, LIST};
use crate::context::Context;
use crate::process::{on_path, say};
use crate::stamp::{sha256_file, Key, Stamp};
use crate::{debian, fetch};
use anyhow::{bail, ensure, Context as _, Result};
use clap::Args;
use image_packer::tarball;
use image_packer::tree::Tree;
use package::Package;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Makes a Debian arm64 root file system for `run --rootfs`, for dynamically linked programs
///
/// It holds the packages recorded in images/artefacts.toml: dash, bash, coreutils, grep, sed, mawk, perl-base, python3,
/// sqlite3 and others with all their libraries. What these packages' scripts would set up is set up; documentation and
/// translations are left out.
#[derive(Args, Clone, Debug)]
pub struct DebianRootArgs {
    /// What to make: a tar archive if it ends in .tar, a folder otherwise
    #[arg(required_unless_present = "record")]
    out: Option<PathBuf>,
    /// More packages; those not recorded come with what they depend on, in the versions the archive has now
    package: Vec<String>,
    /// Writes versions and hashes that the archive has now into images/artefacts.toml
    #[arg(long)]
    record: bool,
}

/// Runs the command.
pub fn main(context: &Context, options: &DebianRootArgs) -> Result<()> {
    debian::ensure(context, false)?;
    if options.record {
        record::record(context)?;
    }
    let Some(out) = &options.out else {
        return Ok(());
    };
    let archive = archive(context, &options.package)?;
    if out.extension().is_some_and(|extension| extension == "tar") {
        fs::copy(&archive, out).with_context(|| format!("writing {}", out.display()))?;
    } else {
        ensure!(
            !out.exists() || fs::read_dir(out)?.next().is_none(),
            "{} is there already and is not empty",
            out.display()
        );
        fs::create_dir_all(out).with_context(|| format!("making {}", out.display()))?;
        extract(&archive, out)?;
        if !rustix::process::geteuid().is_root() {
            say("owners are yours: only root can make a folder with those of the packages; a .tar keeps them");
        }
    }
    say(format!(
        "made {}; run its programs by `cargo xtask run --rootfs {} -- PROGRAM`",
        out.display(),
        out.display()
    ));
    Ok(())
}

/// The tar archive with the recorded packages and `more`, made if it is not there or not of this very list.
pub fn archive(context: &Context, more: &[String]) -> Result<PathBuf> {
    let list = Artefacts::load(context)?;
    let mut entries: Vec<Entry> = list
        .debian
        .iter()
        .filter(|(name, package)| !package.optional || more.contains(name))
        .map(|(name, package)| package.entry(name))
        .collect();
    let unknown: Vec<&str> = more
        .iter()
        .map(String::as_str)
        .filter(|name| !list.debian.contains_key(*name))
        .collect();
    let folder = context.target.join("debian");
    fs::create_dir_all(folder.join("packages"))?;
    let _lock = context.lock("debian")?;
    let apt = Apt::new(context)?;
    let found = if unknown.is_empty() {
        Vec::new()
    } else {
        resolve::resolve(&apt, &entries, &unknown)?
    };
    if !found.is_empty() {
        let names: Vec<String> = found
            .iter()
            .map(|entry| format!("{} {}", entry.package, entry.version))
            .collect();
        say(format!("not recorded in {LIST}: {}", names.join(", ")));
    }
    entries.extend(found);

    let key = entries.iter().fold(
        Key::new().add(include_bytes!("configure.rs")),
        |key, entry| key.add(entry.folder()).add(&entry.sha256),
    );
    let key = key.finish();
    let name = key.get(..16).unwrap_or(&key);
    let archive = folder.join(format!("{name}.tar"));
    let stamp = Stamp::new(folder.join(format!("{name}.stamp")), key.clone());
    if stamp.fresh() && archive.exists() {
        return Ok(archive);
    }
    let files = fetch_all(&apt, &folder.join("packages"), &entries)?;
    say(format!(
        "making a root file system of {} packages",
        files.len()
    ));
    let tree = tree(&folder, &files)?;
    let mut out = BufWriter::new(tempfile::NamedTempFile::new_in(&folder)?);
    tarball::write(&tree, &mut out)?;
    out.flush()?;
    let file = out.into_inner()?;
    file.as_file()
        .set_permissions(fs::Permissions::from_mode(0o644))?;
    file.persist(&archive)?;
    stamp.set()?;
    Ok(archive)
}

/// Downloads what is not there yet, checks all, and gives the files in the order of the entries.
fn fetch_all(apt: &Apt, folder: &Path, entries: &[Entry]) -> Result<Vec<PathBuf>> {
    let file = |entry: &Entry| folder.join(format!("{}.deb", entry.folder()));
    let good = |entry: &Entry| {
        let path = file(entry);
        path.exists() && sha256_file(&path).is_ok_and(|found| found == entry.sha256)
    };
    let missing: Vec<&Entry> = entries.iter().filter(|entry| !good(entry)).collect();
    if !missing.is_empty() {
        say(format!(
            "fetching {} Debian packages (arm64)",
            missing.len()
        ));
        let work = tempfile::tempdir_in(folder)?;
        apt.download_into(work.path(), &missing)?;
        for entry in missing {
            let prefix = format!("{}_", entry.package);
            let got = fs::read_dir(work.path())?
                .flatten()
                .find(|got| got.file_name().to_string_lossy().starts_with(&prefix))
                .with_context(|| format!("apt-get download left no file for {}", entry.package))?;
            fetch::check(entry, &sha256_file(&got.path())?)?;
            fs::rename(got.path(), file(entry))?;
        }
    }
    Ok(entries.iter().map(file).collect())
}

/// The whole tree.
fn tree(work: &Path, files: &[PathBuf]) -> Result<Tree> {
    let packages = files
        .iter()
        .map(|file| Package::read(file))
        .collect::<Result<Vec<_>>>()?;
    let mut tree = configure::skeleton()?;
    for package in &packages {
        let name = &package.name;
        tree.overlay(package.files.clone())
            .with_context(|| format!("unpacking {name}"))?;
    }
    configure::configure(&mut tree, &packages)?;
    python::compile(work, &mut tree)?;
    Ok(tree)
}

/// Unpacks a tar archive of ours into a folder, with owners where that is allowed.
fn extract(archive: &Path, folder: &Path) -> Result<()> {
    ensure!(on_path("tar"), "there is no program tar");
    let status = Command::new("tar")
        .args(["--numeric-owner", "-xpf", "-", "-C"])
        .arg(folder)
        .stdin(File::open(archive)?)
        .stdout(Stdio::null())
        .status()
        .context("starting tar")?;
    if !status.success() {
        bail!("tar could not unpack {}: {status}", archive.display());
    }
    Ok(())
}
