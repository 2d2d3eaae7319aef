//! Where trees come from: folders, tar archives, single files.

mod dir;
mod tarball;

pub use tarball::unpack;

use crate::tree::{Kind, Node, Tree};
use anyhow::{bail, Context as _, Result};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Puts the folder or tar archive at `path` over `tree`.
pub fn rootfs(tree: &mut Tree, path: &Path) -> Result<()> {
    let meta = std::fs::metadata(path).with_context(|| format!("reading {}", path.display()))?;
    let layer = if meta.is_dir() {
        dir::read(path)?
    } else {
        tarball::read(path)?
    };
    tree.overlay(layer)
        .with_context(|| format!("adding {}", path.display()))
}

/// Puts a file or folder of the host at `dest`, as `SRC[:DEST]` says.
///
/// Without DEST it goes to `/NAME`. A DEST that ends in a slash or is a directory already takes it under its own name.
/// A folder is added with all it holds.
pub fn add(tree: &mut Tree, what: &str) -> Result<()> {
    let (source, dest) = match what.split_once(':') {
        Some((source, dest)) => (source, dest),
        None => (what, "/"),
    };
    let path = Path::new(source);
    let name = path
        .canonicalize()
        .with_context(|| format!("reading {source}"))?
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .with_context(|| format!("`{source}` has no name of its own"))?;
    // The link's own name counts, not its target's.
    let name = path
        .file_name()
        .map_or(name, |name| name.to_string_lossy().into_owned());
    let meta = std::fs::metadata(path).with_context(|| format!("reading {source}"))?;
    let into = dest.ends_with('/')
        || dest.is_empty()
        || (!meta.is_dir()
            && tree
                .resolve(dest)
                .is_some_and(|(_, node)| matches!(node.kind, Kind::Dir)));
    let dest = if into {
        format!("{dest}/{name}")
    } else {
        dest.to_owned()
    };
    if meta.is_dir() {
        for (below, node) in dir::read(path)?.iter() {
            let node = match &node.kind {
                Kind::HardLink(target) => {
                    let target = format!("{}/{target}", dest.trim_matches('/'));
                    Node {
                        kind: Kind::HardLink(target),
                        ..node.clone()
                    }
                }
                _ => node.clone(),
            };
            tree.put(&format!("{dest}/{below}"), node)?;
        }
        return Ok(());
    }
    if !meta.is_file() {
        bail!("{source} is neither a file nor a folder");
    }
    let data = std::fs::read(path).with_context(|| format!("reading {source}"))?;
    let node = Node {
        kind: Kind::File(data),
        mode: meta.mode() & 0o7777,
        uid: 0,
        gid: 0,
        mtime: u32::try_from(meta.mtime()).unwrap_or(0),
    };
    tree.put(&dest, node)
}
