//! One Debian package, read.

use anyhow::{bail, Context as _, Result};
use image_packer::source;
use image_packer::tree::{Kind, Tree};
use std::path::Path;
use std::process::{Command, Stdio};

/// What is not taken along, by the beginning of the path; copyright files are.
const LEFT_OUT: &[&str] = &[
    "usr/share/doc/",
    "usr/share/doc-base/",
    "usr/share/man/",
    "usr/share/info/",
    "usr/share/locale/",
    "usr/share/lintian/",
    "usr/share/bug/",
];

/// A package.
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its stanza, as in the package's control file.
    pub control: String,
    /// The script that would be run after unpacking; empty if it is none that can be read.
    pub postinst: String,
    /// What it brings.
    pub files: Tree,
}

impl Package {
    /// Reads a `.deb`.
    pub fn read(file: &Path) -> Result<Self> {
        let control = part(file, "--ctrl-tarfile")?;
        let text = |name: &str| match control.get(name).map(|node| &node.kind) {
            Some(Kind::File(data)) => String::from_utf8(data.clone()).ok(),
            _ => None,
        };
        let stanza = text("control")
            .with_context(|| format!("{} has no control file that is text", file.display()))?;
        let name = stanza
            .lines()
            .find_map(|line| line.strip_prefix("Package:"))
            .with_context(|| format!("{} does not say its name", file.display()))?
            .trim()
            .to_owned();
        let mut files = Tree::new();
        for (path, node) in part(file, "--fsys-tarfile")?.iter() {
            let below = LEFT_OUT.iter().any(|start| path.starts_with(start));
            let kept = matches!(node.kind, Kind::Dir) || path.ends_with("/copyright");
            if !path.is_empty() && (!below || (kept && path.starts_with("usr/share/doc/"))) {
                files.put(path, node.clone())?;
            }
        }
        Ok(Self {
            name,
            control: stanza.trim().to_owned(),
            postinst: text("postinst").unwrap_or_default(),
            files,
        })
    }
}

/// One of the two archives in a `.deb`.
fn part(file: &Path, switch: &str) -> Result<Tree> {
    let mut child = Command::new("dpkg-deb")
        .arg(switch)
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting dpkg-deb")?;
    let Some(mut stdout) = child.stdout.take() else {
        bail!("dpkg-deb has no output")
    };
    let tree = source::unpack(&mut stdout);
    // Reading ends at the archive's end mark; dpkg-deb wants to be heard out.
    std::io::copy(&mut stdout, &mut std::io::sink())?;
    let status = child.wait()?;
    if !status.success() {
        bail!("dpkg-deb could not read {}: {status}", file.display());
    }
    tree.with_context(|| format!("reading {}", file.display()))
}
