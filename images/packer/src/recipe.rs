//! The root file system every image has, from `images/rootfs`: `layout.toml` and the files under `files/`.

use crate::source;
use crate::tree::{Kind, Node, Tree};
use anyhow::{bail, Context as _, Result};
use serde::Deserialize;
use std::path::Path;

/// What `layout.toml` says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Layout {
    #[serde(default)]
    dir: Vec<Entry>,
    #[serde(default)]
    link: Vec<Link>,
    #[serde(default)]
    char: Vec<Device>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    path: String,
    /// Octal.
    mode: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    path: String,
    target: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Device {
    path: String,
    mode: String,
    major: u32,
    minor: u32,
}

/// Debian's busybox: the program's bytes, the paths of its applets (`busybox --list-full`), the time it carries.
#[derive(Debug)]
pub struct Busybox<'a> {
    /// The program, byte for byte as packaged.
    pub program: &'a [u8],
    /// One relative path a line, such as `bin/ls`.
    pub applets: &'a str,
    /// Time of last change in seconds since 1970; everything in the recipe gets it.
    pub mtime: u32,
}

/// Makes the tree.
pub fn build(folder: &Path, busybox: &Busybox<'_>) -> Result<Tree> {
    let path = folder.join("layout.toml");
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let layout: Layout =
        toml::from_str(&text).with_context(|| format!("reading {}", path.display()))?;
    let mut tree = Tree::new();
    let put = |tree: &mut Tree, path: &str, kind: Kind, mode: u32| {
        tree.put(path, Node::new(kind, mode).at(busybox.mtime))
            .with_context(|| format!("in {}", folder.display()))
    };
    put(&mut tree, "/", Kind::Dir, 0o755)?;
    for dir in &layout.dir {
        put(&mut tree, &dir.path, Kind::Dir, octal(&dir.mode)?)?;
    }
    put(
        &mut tree,
        "bin/busybox",
        Kind::File(busybox.program.to_vec()),
        0o755,
    )?;
    for applet in busybox
        .applets
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && *line != "bin/busybox")
    {
        put(
            &mut tree,
            applet,
            Kind::Symlink("/bin/busybox".to_owned()),
            0o777,
        )?;
    }
    for link in &layout.link {
        put(
            &mut tree,
            &link.path,
            Kind::Symlink(link.target.clone()),
            0o777,
        )?;
    }
    for device in &layout.char {
        let kind = Kind::Char {
            major: device.major,
            minor: device.minor,
        };
        put(&mut tree, &device.path, kind, octal(&device.mode)?)?;
    }
    let mut files = Tree::new();
    source::rootfs(&mut files, &folder.join("files"))?;
    for (path, node) in files.iter() {
        // A checkout's owner, times and umask say nothing; only whether a file is executable does.
        match &node.kind {
            Kind::File(data) => {
                let mode = if node.mode & 0o100 != 0 { 0o755 } else { 0o644 };
                put(&mut tree, path, Kind::File(data.clone()), mode)?;
            }
            Kind::Symlink(target) => put(&mut tree, path, Kind::Symlink(target.clone()), 0o777)?,
            Kind::Dir => {
                if tree.get(path).is_none() {
                    put(&mut tree, path, Kind::Dir, 0o755)?;
                }
            }
            other => bail!(
                "{path} in {} is {other:?}: only files, folders and links belong there",
                folder.display()
            ),
        }
    }
    Ok(tree)
}

fn octal(text: &str) -> Result<u32> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o7777 => Ok(mode),
        _ => bail!("`{text}` is no octal mode"),
    }
}
