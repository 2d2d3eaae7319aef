//! The list of everything that is downloaded, `images/artefacts.toml`.

use crate::context::Context;
use crate::stamp::{sha256, sha256_file};
use crate::{fetch, rootfs};
use anyhow::{Context as _, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where the list lies in the repository.
pub const LIST: &str = "images/artefacts.toml";

/// The whole list, each artefact under the name the build knows it by.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artefacts {
    /// Crates used for what they carry, not for their Rust code.
    #[serde(rename = "crate")]
    pub crates: BTreeMap<String, Entry>,
    /// Debian packages for arm64.
    pub deb: BTreeMap<String, Deb>,
    /// The packages of the Debian system that `debian-root` makes, by name.
    pub debian: BTreeMap<String, Debian>,
    /// Python wheels.
    pub python: BTreeMap<String, Entry>,
    /// Debian source packages.
    pub source: BTreeMap<String, Source>,
    /// Programs and tools that tests use, fetched when a test wants them.
    pub program: BTreeMap<String, Program>,
}

/// What every artefact has.
#[derive(Clone, Debug, Deserialize)]
pub struct Entry {
    /// Its name where it comes from.
    pub package: String,
    /// Its version there.
    pub version: String,
    /// The sha256 of the downloaded file.
    pub sha256: String,
    /// Under which licence it stands.
    pub licence: String,
}

/// A Debian package and the one file in it that is used.
#[derive(Clone, Debug, Deserialize)]
pub struct Deb {
    /// Name, version, hash.
    #[serde(flatten)]
    pub entry: Entry,
    /// The file's path in the package.
    pub file: String,
    /// The sha256 of that file.
    #[serde(rename = "file-sha256")]
    pub file_sha256: Option<String>,
}

/// A package with a program that tests use.
#[derive(Clone, Debug, Deserialize)]
pub struct Program {
    /// Name, version, hash.
    #[serde(flatten)]
    pub entry: Entry,
    /// Where it comes from.
    pub from: Registry,
    /// The file's path in the package.
    pub file: String,
    /// The platform tag of a wheel.
    pub platform: Option<String>,
}

/// Where a package comes from.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Registry {
    /// Debian's archive for arm64.
    Deb,
    /// Python's registry.
    Wheel,
    /// Node's registry.
    Npm,
}

/// A package of the Debian system.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Debian {
    /// Its version in the archive.
    pub version: String,
    /// The sha256 of the package.
    pub sha256: String,
    /// The licence of its main part.
    pub licence: String,
    /// Whether it is taken when asked for only.
    #[serde(default)]
    pub optional: bool,
}

impl Debian {
    /// As an artefact like others.
    pub fn entry(&self, name: &str) -> Entry {
        Entry {
            package: name.to_owned(),
            version: self.version.clone(),
            sha256: self.sha256.clone(),
            licence: self.licence.clone(),
        }
    }
}

/// A Debian source package and the files of it that are used.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its name where it comes from.
    pub package: String,
    /// Its version there.
    pub version: String,
    /// Under which licence it stands.
    pub licence: String,
    /// The sha256 of each archive, by its name.
    pub archives: BTreeMap<String, String>,
}

impl Artefacts {
    /// Reads the repository's list.
    pub fn load(context: &Context) -> Result<Self> {
        let path = context.root.join(LIST);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("reading {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("reading {LIST}"))
    }

    /// The kernel's entry.
    pub fn kernel(&self) -> Result<&Entry> {
        self.crates
            .get("kernel")
            .with_context(|| format!("{LIST} has no [crate.kernel]"))
    }

    /// The Debian package called `name` in the list.
    pub fn deb(&self, name: &str) -> Result<&Deb> {
        self.deb
            .get(name)
            .with_context(|| format!("{LIST} has no [deb.{name}]"))
    }

    /// The Debian source package called `name` in the list.
    pub fn source(&self, name: &str) -> Result<&Source> {
        self.source
            .get(name)
            .with_context(|| format!("{LIST} has no [source.{name}]"))
    }
}

impl Entry {
    /// A folder name for what is unpacked from it.
    pub fn folder(&self) -> String {
        folder(&self.package, &self.version)
    }
}

impl Source {
    /// A folder name for what is unpacked from it.
    pub fn folder(&self) -> String {
        format!("{}-source", folder(&self.package, &self.version))
    }
}

fn folder(package: &str, version: &str) -> String {
    // Debian's epoch colon does not belong into a path that may end up in a search path.
    format!("{package}-{}", version.replace(':', "."))
}

impl Deb {
    /// Where its file lies once the package is unpacked.
    pub fn unpacked(&self, sources: &Path) -> PathBuf {
        sources.join(self.entry.folder()).join(&self.file)
    }
}

/// `cargo xtask artefacts`: the list, each beside what is on disk, and the guest's busybox beside Debian's.
pub fn show(context: &Context) -> Result<bool> {
    let list = Artefacts::load(context)?;
    let mut good = true;
    for (name, entry) in list.crates.iter().chain(&list.python) {
        line(name, entry);
    }
    for (name, program) in &list.program {
        line(name, &program.entry);
    }
    for (name, package) in &list.debian {
        line("debian", &package.entry(name));
    }
    for (name, deb) in &list.deb {
        line(name, &deb.entry);
        let Some(recorded) = &deb.file_sha256 else {
            continue;
        };
        let file = fetch::deb(context, deb)?;
        good &= compare(
            &format!("{} as packaged", deb.file),
            &sha256_file(&file)?,
            recorded,
        );
        if name == "busybox" {
            // Not the tree but the finished archive is looked at: it is what the guest gets.
            let archive = image_packer::cpio::write(&rootfs::tree(context, &[], &[])?)?;
            let shipped = image_packer::cpio::find(&archive, "bin/busybox")
                .context("the root file system holds no bin/busybox")?;
            good &= compare("/bin/busybox in the guest", &sha256(shipped), recorded);
        }
    }
    for (name, source) in &list.source {
        let Source {
            package,
            version,
            licence,
            archives,
        } = source;
        println!("{name}: source of {package} {version} ({licence})");
        for (archive, sha256) in archives {
            println!("  {sha256}  recorded: {archive}");
        }
    }
    Ok(good)
}

fn line(name: &str, entry: &Entry) {
    let Entry {
        package,
        version,
        sha256,
        licence,
    } = entry;
    println!("{name}: {package} {version} ({licence})\n  {sha256}  recorded");
}

fn compare(what: &str, found: &str, recorded: &str) -> bool {
    let same = found == recorded;
    println!(
        "  {found}  {what}: {}",
        if same {
            "identical"
        } else {
            "DIFFERENT from the recorded file"
        }
    );
    same
}
