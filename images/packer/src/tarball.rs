//! Writing a tree as a tar archive, which keeps owners without anybody's privilege.

use crate::tree::{Kind, Node, Tree};
use anyhow::{Context as _, Result};
use std::io::Write;
use tar::{Builder, EntryType, Header};

/// Writes the whole tree: modes, owners, times, links and devices as they are.
pub fn write(tree: &Tree, out: impl Write) -> Result<()> {
    let mut builder = Builder::new(out);
    // A hard link comes behind the file it leads to, whose name may be a later one.
    let (links, others): (Vec<_>, Vec<_>) = tree
        .iter()
        .filter(|(path, _)| !path.is_empty())
        .partition(|(_, node)| matches!(node.kind, Kind::HardLink(_)));
    for (path, node) in others.into_iter().chain(links) {
        append(&mut builder, path, node).with_context(|| format!("packing /{path}"))?;
    }
    builder.into_inner()?.flush()?;
    Ok(())
}

fn append(builder: &mut Builder<impl Write>, path: &str, node: &Node) -> Result<()> {
    let mut header = Header::new_gnu();
    header.set_mode(node.mode);
    header.set_uid(node.uid.into());
    header.set_gid(node.gid.into());
    header.set_mtime(node.mtime.into());
    header.set_size(0);
    let device = |header: &mut Header, kind: EntryType, major: u32, minor: u32| -> Result<()> {
        header.set_entry_type(kind);
        header.set_device_major(major)?;
        header.set_device_minor(minor)?;
        Ok(())
    };
    match &node.kind {
        Kind::File(data) => {
            header.set_entry_type(EntryType::Regular);
            header.set_size(data.len() as u64);
            return Ok(builder.append_data(&mut header, path, data.as_slice())?);
        }
        Kind::HardLink(target) => {
            header.set_entry_type(EntryType::Link);
            return Ok(builder.append_link(&mut header, path, target)?);
        }
        Kind::Symlink(target) => {
            header.set_entry_type(EntryType::Symlink);
            return Ok(builder.append_link(&mut header, path, target)?);
        }
        Kind::Dir => header.set_entry_type(EntryType::Directory),
        Kind::Fifo => header.set_entry_type(EntryType::Fifo),
        Kind::Char { major, minor } => device(&mut header, EntryType::Char, *major, *minor)?,
        Kind::Block { major, minor } => device(&mut header, EntryType::Block, *major, *minor)?,
    }
    Ok(builder.append_data(&mut header, path, std::io::empty())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut tree = Tree::new();
        let long = format!("usr/{}/{}", "d".repeat(120), "n".repeat(120));
        let node = |kind, mode| Node {
            uid: 7,
            gid: 70_000,
            ..Node::new(kind, mode).at(12)
        };
        for (path, kind, mode) in [
            ("usr", Kind::Dir, 0o755),
            ("usr/z", Kind::File(b"data".to_vec()), 0o4755),
            ("usr/a", Kind::HardLink("usr/z".into()), 0o4755),
            ("bin", Kind::Symlink("usr".into()), 0o777),
            ("null", Kind::Char { major: 1, minor: 3 }, 0o666),
            ("disk", Kind::Block { major: 8, minor: 0 }, 0o660),
            ("pipe", Kind::Fifo, 0o600),
            (&long, Kind::File(Vec::new()), 0o644),
            ("far", Kind::Symlink("t".repeat(300)), 0o777),
        ] {
            tree.put(path, node(kind, mode)).unwrap();
        }
        let mut bytes = Vec::new();
        write(&tree, &mut bytes).unwrap();
        let read = crate::source::unpack(bytes.as_slice()).unwrap();
        for (path, node) in tree.iter().filter(|(path, _)| !path.is_empty()) {
            assert_eq!(Some(node), read.get(path), "{path}");
        }
    }
}
