//! The archive the root task carries: plan and program images, laid out so that read-only pages can be mapped where they lie.
//!
//! Layout: [`MAGIC`], length of the index (u32 LE), version (u32 LE), the [`Index`] in postcard, then page-aligned blobs.
//! The archive itself must lie at a page-aligned address.

use crate::PAGE;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// First bytes of an archive.
pub const MAGIC: [u8; 8] = *b"PERSONA\x01";
/// Bytes before the index.
pub const HEADER: usize = 16;

/// What the archive holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// The plan, in bytes of [`crate::Plan::to_bytes`]: offset in the archive and length.
    pub plan: (u64, u64),
    /// The program images.
    pub images: Vec<Image>,
}

/// A domain's program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Name of the domain.
    pub domain: String,
    /// Address of the first instruction.
    pub entry: u64,
    /// What to map.
    pub segments: Vec<Segment>,
}

/// A part of a program with one protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Address, page aligned.
    pub vaddr: u64,
    /// Pages in memory.
    pub pages: u32,
    /// Page-aligned offset of the contents in the archive.
    pub offset: u64,
    /// Pages of contents; the rest is zero.
    pub file_pages: u32,
    /// Whether the domain may write: then the contents are copied into new frames.
    pub writable: bool,
    /// Whether it holds instructions.
    pub executable: bool,
}

/// A program on its way into an archive.
#[derive(Clone, Debug)]
pub struct NewImage {
    /// Name of the domain.
    pub domain: String,
    /// Address of the first instruction.
    pub entry: u64,
    /// Its parts.
    pub segments: Vec<NewSegment>,
}

/// A part of a program on its way into an archive. The contents start at the page-aligned address and may be shorter than the
/// segment.
#[derive(Clone, Debug)]
pub struct NewSegment {
    /// Address, page aligned.
    pub vaddr: u64,
    /// Pages in memory.
    pub pages: u32,
    /// Whether the domain may write.
    pub writable: bool,
    /// Whether it holds instructions.
    pub executable: bool,
    /// The contents; the rest is zero.
    pub contents: Vec<u8>,
}

/// Why an archive cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Too short, or the magic number is wrong.
    NotAnArchive,
    /// Made by another version.
    Version(u32),
    /// The index does not decode.
    Index,
    /// A part lies outside the archive or off a page boundary.
    Range,
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Error::NotAnArchive => f.write_str("not a Persona archive"),
            Error::Version(v) => write!(f, "archive of version {v}, expected {}", crate::FORMAT),
            Error::Index => f.write_str("the archive's index does not decode"),
            Error::Range => f.write_str("a part of the archive lies outside of it"),
        }
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// Reads the index and checks that all parts lie inside the archive.
pub fn read(archive: &[u8]) -> Result<Index, Error> {
    if archive.get(..8) != Some(&MAGIC[..]) {
        return Err(Error::NotAnArchive);
    }
    let len = u32_at(archive, 8).ok_or(Error::NotAnArchive)? as usize;
    let version = u32_at(archive, 12).ok_or(Error::NotAnArchive)?;
    if version != crate::FORMAT {
        return Err(Error::Version(version));
    }
    let index = archive
        .get(HEADER..HEADER.saturating_add(len))
        .ok_or(Error::NotAnArchive)?;
    let index: Index = postcard::from_bytes(index).map_err(|_| Error::Index)?;
    let size = archive.len() as u64;
    let inside = |offset: u64, len: u64| offset.checked_add(len).is_some_and(|end| end <= size);
    if !inside(index.plan.0, index.plan.1) {
        return Err(Error::Range);
    }
    for segment in index.images.iter().flat_map(|image| &image.segments) {
        let aligned = segment.vaddr % PAGE == 0 && segment.offset % PAGE == 0;
        let len = u64::from(segment.file_pages) * PAGE;
        if !aligned || segment.file_pages > segment.pages || !inside(segment.offset, len) {
            return Err(Error::Range);
        }
    }
    Ok(index)
}

/// Lays an archive out.
pub fn write(plan: &[u8], images: &[NewImage]) -> Result<Vec<u8>, Error> {
    // The index's length depends on the offsets in it: measure it with offsets longer than any real one.
    let draft = index_of(plan, images, u64::MAX / 2);
    let index_len = postcard::to_allocvec(&draft)
        .map_err(|_| Error::Index)?
        .len();
    let plan_at = (HEADER + index_len).next_multiple_of(16) as u64;
    let index = index_of(plan, images, plan_at);
    let encoded = postcard::to_allocvec(&index).map_err(|_| Error::Index)?;
    let mut out = Vec::new();
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&(encoded.len() as u32).to_le_bytes());
    out.extend_from_slice(&crate::FORMAT.to_le_bytes());
    out.extend_from_slice(&encoded);
    out.resize(plan_at as usize, 0);
    out.extend_from_slice(plan);
    for segment in images.iter().flat_map(|image| &image.segments) {
        if !segment.contents.is_empty() {
            out.resize(out.len().next_multiple_of(PAGE as usize), 0);
            out.extend_from_slice(&segment.contents);
        }
    }
    out.resize(out.len().next_multiple_of(PAGE as usize), 0);
    Ok(out)
}

fn index_of(plan: &[u8], images: &[NewImage], plan_at: u64) -> Index {
    let mut at = plan_at + plan.len() as u64;
    let mut segment = |new: &NewSegment| {
        if !new.contents.is_empty() {
            at = at.next_multiple_of(PAGE);
        }
        let offset = if new.contents.is_empty() { 0 } else { at };
        at += new.contents.len() as u64;
        Segment {
            vaddr: new.vaddr,
            pages: new.pages,
            offset,
            file_pages: new.contents.len().div_ceil(PAGE as usize) as u32,
            writable: new.writable,
            executable: new.executable,
        }
    };
    let images = images
        .iter()
        .map(|image| Image {
            domain: image.domain.clone(),
            entry: image.entry,
            segments: image.segments.iter().map(&mut segment).collect(),
        })
        .collect();
    Index {
        plan: (plan_at, plan.len() as u64),
        images,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn image(domain: &str, parts: &[(u64, u32, bool, usize)]) -> NewImage {
        NewImage {
            domain: String::from(domain),
            entry: 0x20_0040,
            segments: parts
                .iter()
                .map(|&(vaddr, pages, writable, len)| NewSegment {
                    vaddr,
                    pages,
                    writable,
                    executable: !writable,
                    contents: vec![pages as u8; len],
                })
                .collect(),
        }
    }

    #[test]
    fn an_archive_reads_back() {
        let images = [
            image("a", &[(0x20_0000, 2, false, 5000), (0x30_0000, 3, true, 0)]),
            image("b", &[(0x20_0000, 1, false, 17)]),
        ];
        let bytes = write(b"the plan", &images).unwrap();
        assert_eq!(bytes.len() % PAGE as usize, 0);
        let index = read(&bytes).unwrap();
        let (at, len) = index.plan;
        assert_eq!(&bytes[at as usize..(at + len) as usize], b"the plan");
        let code = index.images[0].segments[0];
        assert_eq!((code.pages, code.file_pages), (2, 2));
        assert_eq!(bytes[code.offset as usize..][..5000], [2u8; 5000]);
        assert_eq!(index.images[0].segments[1].file_pages, 0);
        let code = index.images[1].segments[0];
        assert_eq!(bytes[code.offset as usize..][..17], [1u8; 17]);
        assert_eq!(bytes[code.offset as usize + 17], 0);
    }

    #[test]
    fn broken_archives_are_refused() {
        let good = write(b"p", &[image("a", &[(0, 1, false, 4096)])]).unwrap();
        assert_eq!(read(&[]), Err(Error::NotAnArchive));
        assert_eq!(read(&good[..4096]), Err(Error::Range));
        let mut bad = good.clone();
        bad[12] = 99;
        assert_eq!(read(&bad), Err(Error::Version(99)));
        for at in HEADER..HEADER + 40 {
            let mut bad = good.clone();
            bad[at] ^= 0xff;
            let _ = read(&bad);
        }
    }
}
