//! A tar archive as a tree, compressed or not.

use crate::tree::{Kind, Node, Tree};
use anyhow::{bail, Context as _, Result};
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;
use std::process::{Command, Stdio};
use tar::EntryType;

/// First bytes of compressed files, and the program that undoes it.
const COMPRESSED: &[(&[u8], &str)] = &[
    (&[0x1F, 0x8B], "gzip"),
    (b"BZh", "bzip2"),
    (&[0xFD, b'7', b'z', b'X', b'Z'], "xz"),
    (&[0x28, 0xB5, 0x2F, 0xFD], "zstd"),
];

/// Reads the archive with modes, owners, times, links and devices.
pub fn read(path: &Path) -> Result<Tree> {
    let mut file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let mut magic = [0; 6];
    let n = file.read(&mut magic)?;
    file.rewind()?;
    let program = COMPRESSED
        .iter()
        .find(|(start, _)| magic[..n].starts_with(start))
        .map(|(_, program)| *program);
    match program {
        None => unpack(file),
        Some(program) => {
            let mut child = Command::new(program)
                .arg("-dc")
                .stdin(file)
                .stdout(Stdio::piped())
                .spawn()
                .with_context(|| format!("starting {program} to read {}", path.display()))?;
            let Some(stdout) = child.stdout.take() else {
                bail!("{program} has no output")
            };
            let tree = unpack(stdout);
            // Reading may end at the archive's end mark before the last byte: the child's status then says nothing.
            child.wait()?;
            tree
        }
    }
    .with_context(|| format!("reading {} as a tar archive", path.display()))
}

/// Reads a plain tar archive with modes, owners, times, links and devices. An archive that holds nothing is an error.
pub fn unpack(reader: impl Read) -> Result<Tree> {
    let mut tree = Tree::new();
    let mut archive = tar::Archive::new(reader);
    let mut any = false;
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name =
            String::from_utf8(entry.path_bytes().into_owned()).context("a name is not UTF-8")?;
        let link = |entry: &tar::Entry<_>| -> Result<String> {
            let target = entry
                .link_name_bytes()
                .with_context(|| format!("{name} is a link to nothing"))?;
            String::from_utf8(target.into_owned())
                .with_context(|| format!("{name} is a link to no UTF-8 name"))
        };
        let header = entry.header().clone();
        let number =
            |value: std::io::Result<Option<u32>>| Ok::<u32, std::io::Error>(value?.unwrap_or(0));
        let kind = match header.entry_type() {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let mut data = Vec::new();
                entry.read_to_end(&mut data)?;
                Kind::File(data)
            }
            EntryType::Directory => Kind::Dir,
            EntryType::Symlink => Kind::Symlink(link(&entry)?),
            EntryType::Link => {
                let target = link(&entry)?;
                Kind::HardLink(target.trim_start_matches("./").trim_matches('/').to_owned())
            }
            EntryType::Char => Kind::Char {
                major: number(header.device_major())?,
                minor: number(header.device_minor())?,
            },
            EntryType::Block => Kind::Block {
                major: number(header.device_major())?,
                minor: number(header.device_minor())?,
            },
            EntryType::Fifo => Kind::Fifo,
            EntryType::XGlobalHeader => continue,
            other => bail!("{name} is of a kind this program does not know: {other:?}"),
        };
        let node = Node {
            kind,
            mode: header.mode()? & 0o7777,
            uid: u32::try_from(header.uid()?)
                .with_context(|| format!("{name} has an owner beyond 32 bits"))?,
            gid: u32::try_from(header.gid()?)
                .with_context(|| format!("{name} has a group beyond 32 bits"))?,
            mtime: u32::try_from(header.mtime()?).unwrap_or(0),
        };
        tree.put(&name, node)?;
        any = true;
    }
    if !any {
        bail!("it holds nothing");
    }
    Ok(tree)
}
