//! The archive QEMU loads as `-initrd`: cpio in the "newc" form.
//!
//! Two things go beyond the plain format, and every reader of newc takes them:
//!
//! - The data of a file of at least one page begins at a multiple of [`PAGE`] within the archive, so that the guest,
//!   which has the archive page-aligned in RAM, can use its pages as the file's pages without a copy. The gap is made
//!   of NULs behind the name (`namesize` counts them): a reader must end the name at its first NUL. Where that would
//!   make `namesize` larger than Linux's `PATH_MAX`, an entry for `.` (the root directory again) fills the gap.
//!   The rest of a file's last page up to the next entry is *not* zero beyond the padding to 4 bytes: the next entry
//!   follows there. A reader that maps whole pages copies the last, partial one.
//! - Of a file with several names the first entry carries the data; the others have size 0 and the same `ino`, with
//!   `nlink` above 1 in all of them.

use crate::tree::{Kind, Node, Tree};
use anyhow::{bail, Context as _, Result};
use std::collections::HashMap;

/// Alignment of the data of files of at least this size, in bytes.
pub const PAGE: usize = 4096;
/// Length of an entry's header in bytes.
const HEADER: usize = 110;
/// The longest `namesize` Linux accepts.
const PATH_MAX: usize = 4096;
/// The name that ends the archive.
const TRAILER: &str = "TRAILER!!!";

const S_IFIFO: u32 = 0o010_000;
const S_IFCHR: u32 = 0o020_000;
const S_IFDIR: u32 = 0o040_000;
const S_IFBLK: u32 = 0o060_000;
const S_IFREG: u32 = 0o100_000;
const S_IFLNK: u32 = 0o120_000;

/// The numbers of an entry's header that depend on the entry.
#[derive(Clone, Copy, Default)]
struct Fields {
    ino: u32,
    mode: u32,
    uid: u32,
    gid: u32,
    nlink: u32,
    mtime: u32,
    rdev: (u32, u32),
}

/// Writes the whole tree as one archive.
pub fn write(tree: &Tree) -> Result<Vec<u8>> {
    let inodes = Inodes::new(tree)?;
    let mut out = Vec::new();
    for (path, node) in tree.iter() {
        let (ino, nlink) = inodes.of(path, node)?;
        let (format, data, rdev): (u32, &[u8], (u32, u32)) = match &node.kind {
            Kind::File(data) if inodes.first(path, path) => (S_IFREG, data, (0, 0)),
            Kind::File(_) => (S_IFREG, &[], (0, 0)),
            Kind::HardLink(target) if inodes.first(target, path) => {
                (S_IFREG, contents(tree, target)?, (0, 0))
            }
            Kind::HardLink(_) => (S_IFREG, &[], (0, 0)),
            Kind::Dir => (S_IFDIR, &[], (0, 0)),
            Kind::Symlink(target) => (S_IFLNK, target.as_bytes(), (0, 0)),
            Kind::Char { major, minor } => (S_IFCHR, &[], (*major, *minor)),
            Kind::Block { major, minor } => (S_IFBLK, &[], (*major, *minor)),
            Kind::Fifo => (S_IFIFO, &[], (0, 0)),
        };
        // The names of one file share its attributes: those of the entry with the contents.
        let owner = match &node.kind {
            Kind::HardLink(target) => tree.get(target).unwrap_or(node),
            _ => node,
        };
        let fields = Fields {
            ino,
            mode: format | (owner.mode & 0o7777),
            uid: owner.uid,
            gid: owner.gid,
            nlink,
            mtime: owner.mtime,
            rdev,
        };
        let name = if path.is_empty() { "." } else { path };
        let align = format == S_IFREG && data.len() >= PAGE;
        entry(&mut out, name, data, fields, align).with_context(|| format!("packing /{path}"))?;
    }
    entry(
        &mut out,
        TRAILER,
        &[],
        Fields {
            nlink: 1,
            ..Fields::default()
        },
        false,
    )?;
    // QEMU gives the archive's length in bytes; whole pages leave the guest no partial page at the end.
    out.resize(out.len().next_multiple_of(PAGE), 0);
    Ok(out)
}

fn contents<'a>(tree: &'a Tree, path: &str) -> Result<&'a [u8]> {
    match tree.get(path) {
        Some(Node {
            kind: Kind::File(data),
            ..
        }) => Ok(data),
        _ => bail!("a hard link leads to /{path}, which is no regular file of the tree"),
    }
}

/// Writes one entry; with `align` its data begins at a multiple of [`PAGE`].
fn entry(out: &mut Vec<u8>, name: &str, data: &[u8], fields: Fields, align: bool) -> Result<()> {
    let mut namesize = name.len() + 1;
    if namesize > PATH_MAX {
        bail!("the name has {} bytes, more than Linux allows", name.len());
    }
    if align {
        let start = out.len() + (HEADER + namesize).next_multiple_of(4);
        let gap = start.next_multiple_of(PAGE) - start;
        if (HEADER + namesize).next_multiple_of(4) - HEADER + gap <= PATH_MAX {
            namesize = (HEADER + namesize).next_multiple_of(4) - HEADER + gap;
        } else {
            let root = Fields {
                ino: ROOT,
                mode: S_IFDIR | 0o755,
                nlink: 2,
                mtime: fields.mtime,
                ..Fields::default()
            };
            head(out, ".", gap.saturating_sub(HEADER).max(2), 0, root)?;
            // The gap was too small for an entry of its own: begin again behind it.
            if !(out.len() + (HEADER + namesize).next_multiple_of(4)).is_multiple_of(PAGE) {
                return entry(out, name, data, fields, align);
            }
        }
    }
    head(out, name, namesize, data.len(), fields)?;
    out.extend_from_slice(data);
    out.resize(out.len().next_multiple_of(4), 0);
    Ok(())
}

/// Writes an entry's header and name, up to where its data begins.
fn head(out: &mut Vec<u8>, name: &str, namesize: usize, size: usize, fields: Fields) -> Result<()> {
    let size = u32::try_from(size).context("the file has 4 GiB or more")?;
    let namesize32 = u32::try_from(namesize).context("the name is too long")?;
    let Fields {
        ino,
        mode,
        uid,
        gid,
        nlink,
        mtime,
        rdev,
    } = fields;
    out.extend_from_slice(b"070701");
    for field in [
        ino, mode, uid, gid, nlink, mtime, size, 0, 0, rdev.0, rdev.1, namesize32, 0,
    ] {
        out.extend_from_slice(format!("{field:08X}").as_bytes());
    }
    let end = (out.len() + namesize).next_multiple_of(4);
    out.extend_from_slice(name.as_bytes());
    out.resize(end, 0);
    Ok(())
}

/// The data of the first entry called `name` in an archive of this module's making.
pub fn find<'a>(archive: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut at = 0usize;
    loop {
        let number = |index: usize| {
            let start = at.checked_add(6 + 8 * index)?;
            let digits = archive.get(start..start.checked_add(8)?)?;
            usize::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
        };
        let (size, namesize) = (number(6)?, number(11)?);
        let start = at.checked_add(HEADER)?;
        let padded = archive.get(start..start.checked_add(namesize)?)?;
        let found = padded.split(|&byte| byte == 0).next()?;
        if found == TRAILER.as_bytes() {
            return None;
        }
        let data = start.checked_add(namesize)?.checked_next_multiple_of(4)?;
        let end = data.checked_add(size)?;
        if found == name.as_bytes() {
            return archive.get(data..end);
        }
        at = end.checked_next_multiple_of(4)?;
    }
}

/// The inode number of the root directory.
const ROOT: u32 = 1;

/// Which paths are one file.
struct Inodes {
    numbers: HashMap<String, u32>,
    /// Per file with several names: how many, and the name that comes first in the archive.
    shared: HashMap<String, (u32, String)>,
}

impl Inodes {
    fn new(tree: &Tree) -> Result<Self> {
        let mut numbers = HashMap::new();
        let mut shared: HashMap<String, (u32, String)> = HashMap::new();
        for (number, (path, node)) in (ROOT..).zip(tree.iter()) {
            numbers.insert(path.to_owned(), number);
            if let Kind::HardLink(target) = &node.kind {
                contents(tree, target).with_context(|| format!("packing /{path}"))?;
                let first = std::cmp::min(path, target.as_str()).to_owned();
                let known = shared
                    .entry(target.clone())
                    .or_insert_with(|| (1, target.clone()));
                known.0 += 1;
                known.1 = std::cmp::min(std::mem::take(&mut known.1), first);
            }
        }
        Ok(Self { numbers, shared })
    }

    fn of(&self, path: &str, node: &Node) -> Result<(u32, u32)> {
        let file = match &node.kind {
            Kind::HardLink(target) => target.as_str(),
            _ => path,
        };
        let number = self
            .numbers
            .get(file)
            .with_context(|| format!("/{file} is not in the tree"))?;
        let single = if matches!(node.kind, Kind::Dir) { 2 } else { 1 };
        Ok((
            *number,
            self.shared.get(file).map_or(single, |(count, _)| *count),
        ))
    }

    /// Whether `path` is the first name of the file whose contents stand at `file`.
    fn first(&self, file: &str, path: &str) -> bool {
        self.shared.get(file).is_none_or(|(_, first)| first == path)
    }
}
