//! A folder of the host as a tree.

use crate::tree::{Kind, Node, Tree};
use anyhow::{bail, Context as _, Result};
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

/// Reads the folder with modes, owners, times, links and devices.
pub fn read(root: &Path) -> Result<Tree> {
    let mut tree = Tree::new();
    let mut seen = HashMap::new();
    visit(root, "", &mut tree, &mut seen)?;
    Ok(tree)
}

fn visit(
    path: &Path,
    name: &str,
    tree: &mut Tree,
    seen: &mut HashMap<(u64, u64), String>,
) -> Result<()> {
    let at = || format!("reading {}", path.display());
    // The root may be given as a link to a folder.
    let meta = if name.is_empty() {
        fs::metadata(path)
    } else {
        fs::symlink_metadata(path)
    }
    .with_context(at)?;
    let format = meta.file_type();
    let (major, minor) = device(meta.rdev());
    let kind = if format.is_dir() {
        Kind::Dir
    } else if format.is_file() {
        let shared = meta.nlink() > 1;
        match seen.get(&(meta.dev(), meta.ino())) {
            Some(first) if shared => Kind::HardLink(first.clone()),
            _ => {
                seen.insert((meta.dev(), meta.ino()), name.to_owned());
                Kind::File(fs::read(path).with_context(at)?)
            }
        }
    } else if format.is_symlink() {
        let target = fs::read_link(path).with_context(at)?;
        match target.into_os_string().into_string() {
            Ok(target) => Kind::Symlink(target),
            Err(target) => bail!(
                "{} is a link to {target:?}, which is not UTF-8",
                path.display()
            ),
        }
    } else if format.is_char_device() {
        Kind::Char { major, minor }
    } else if format.is_block_device() {
        Kind::Block { major, minor }
    } else if format.is_fifo() {
        Kind::Fifo
    } else {
        // A socket of the host means nothing in the guest.
        return Ok(());
    };
    let directory = matches!(kind, Kind::Dir);
    let node = Node {
        kind,
        mode: meta.mode() & 0o7777,
        uid: meta.uid(),
        gid: meta.gid(),
        mtime: u32::try_from(meta.mtime()).unwrap_or(0),
    };
    tree.put(name, node)?;
    if directory {
        let mut entries = fs::read_dir(path)
            .with_context(at)?
            .collect::<std::io::Result<Vec<_>>>()
            .with_context(at)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let below = entry.file_name();
            let Some(below) = below.to_str() else {
                bail!("{:?} is a name that is not UTF-8", entry.path())
            };
            let below = if name.is_empty() {
                below.to_owned()
            } else {
                format!("{name}/{below}")
            };
            visit(&entry.path(), &below, tree, seen)?;
        }
    }
    Ok(())
}

/// Major and minor number of a device, as Linux packs them.
fn device(rdev: u64) -> (u32, u32) {
    let major = (rdev >> 8 & 0xFFF) | (rdev >> 32 & 0xFFFF_F000);
    let minor = (rdev & 0xFF) | (rdev >> 12 & 0xFFFF_FF00);
    (major as u32, minor as u32)
}

#[cfg(test)]
mod tests {
    #[test]
    fn device_numbers_come_apart() {
        assert_eq!(super::device(0x0501), (5, 1));
        assert_eq!(super::device(0x8_00), (8, 0));
        assert_eq!(super::device(1 << 20), (0, 256));
    }
}
