//! The initial archive: cpio in the "newc" form (cpio(5)), read piece by piece.
//!
//! Names may be padded with NULs (which aligns the data behind them), archives may follow each other with zeros between
//! them. What makes no sense ends the reading: nothing in an archive is trusted.

use alloc::vec::Vec;

use lsyscall_abi::PATH_MAX;

/// Length of an entry's header in bytes.
const HEADER: usize = 110;
/// The name that ends an archive.
const TRAILER: &[u8] = b"TRAILER!!!";
/// Longest name field, padding included.
const MAX_NAME: u64 = 16384;

/// Where the archive's bytes are.
pub trait Source {
    /// Bytes in all.
    fn size(&self) -> u64;
    /// Some bytes from `off` on, at least one unless `off` is at the end.
    fn read(&mut self, off: u64) -> Vec<u8>;
}

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Name, without leading slashes.
    pub name: Vec<u8>,
    /// Inode and device numbers: equal ones with more than one link are one file.
    pub id: (u32, u32, u32),
    /// Type and permissions.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Names of the file.
    pub nlink: u32,
    /// Modification time, seconds.
    pub mtime: u32,
    /// Device of a device node: major and minor.
    pub rdev: (u32, u32),
    /// Where the data starts.
    pub data: u64,
    /// Its length.
    pub size: u64,
}

/// The archive makes no sense from this offset on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub u64);

/// A reader of archives.
pub struct Reader<S> {
    source: S,
    at: u64,
    piece: Vec<u8>,
    piece_at: u64,
}

impl<S: Source> Reader<S> {
    /// From the start.
    pub fn new(source: S) -> Self {
        Reader {
            source,
            at: 0,
            piece: Vec::new(),
            piece_at: 0,
        }
    }

    fn byte(&mut self, off: u64) -> Option<u8> {
        let end = self.piece_at + self.piece.len() as u64;
        if off < self.piece_at || off >= end {
            self.piece = self.source.read(off);
            self.piece_at = off;
        }
        let index = usize::try_from(off - self.piece_at).ok()?;
        self.piece.get(index).copied()
    }

    /// `len` bytes from `off`; `None` if there are not as many.
    pub fn bytes(&mut self, off: u64, len: usize) -> Option<Vec<u8>> {
        if off.checked_add(len as u64)? > self.source.size() {
            return None;
        }
        let mut out = Vec::new();
        while out.len() < len {
            let at = off + out.len() as u64;
            self.byte(at)?;
            let from = usize::try_from(at - self.piece_at).ok()?;
            let part = self.piece.get(from..)?;
            let n = part.len().min(len - out.len());
            out.extend_from_slice(part.get(..n)?);
        }
        Some(out)
    }

    fn field(header: &[u8], index: usize) -> Option<u32> {
        let text = header.get(6 + index * 8..14 + index * 8)?;
        text.iter().try_fold(0u32, |value, &byte| {
            let digit = (byte as char).to_digit(16)?;
            Some(value << 4 | digit)
        })
    }

    /// The next entry, `None` behind the last.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, Malformed> {
        loop {
            let size = self.source.size();
            // Zeros between archives.
            while self.at < size && self.byte(self.at) == Some(0) {
                self.at += 4 - self.at % 4;
            }
            if self.at >= size {
                return Ok(None);
            }
            let start = self.at;
            let entry = self.entry(start).ok_or(Malformed(start))?;
            self.at = (entry.data + entry.size).next_multiple_of(4);
            if entry.name != TRAILER {
                return Ok(Some(entry));
            }
        }
    }

    fn entry(&mut self, start: u64) -> Option<Entry> {
        let header = self.bytes(start, HEADER)?;
        if !matches!(header.get(..6)?, b"070701" | b"070702") {
            return None;
        }
        let field = |index| Self::field(&header, index);
        let name_size = u64::from(field(11)?);
        if name_size == 0 || name_size > MAX_NAME {
            return None;
        }
        let name_at = start + HEADER as u64;
        let data = (name_at + name_size).next_multiple_of(4);
        let size = u64::from(field(6)?);
        if data.checked_add(size)? > self.source.size() {
            return None;
        }
        let mut name = Vec::new();
        for off in name_at..name_at + name_size {
            match self.byte(off)? {
                0 => break,
                byte => name.push(byte),
            }
        }
        if name.len() >= PATH_MAX {
            return None;
        }
        let leading = name.iter().take_while(|b| **b == b'/').count();
        name.drain(..leading);
        Some(Entry {
            name,
            id: (field(0)?, field(7)?, field(8)?),
            mode: field(1)?,
            uid: field(2)?,
            gid: field(3)?,
            nlink: field(4)?,
            mtime: field(5)?,
            rdev: (field(9)?, field(10)?),
            data,
            size,
        })
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Bytes in small pieces.
    pub struct Pieces(pub Vec<u8>);

    impl Source for Pieces {
        fn size(&self) -> u64 {
            self.0.len() as u64
        }
        fn read(&mut self, off: u64) -> Vec<u8> {
            let rest = self.0.get(off as usize..).unwrap_or_default();
            rest.iter().take(7).copied().collect()
        }
    }

    /// Appends an entry.
    pub fn append(out: &mut Vec<u8>, name: &str, mode: u32, ino: u32, nlink: u32, data: &[u8]) {
        let fields = [
            ino,
            mode,
            3,
            4,
            nlink,
            1_700_000_000,
            data.len() as u32,
            0,
            1,
            5,
            1,
            name.len() as u32 + 1,
            0,
        ];
        out.extend_from_slice(b"070701");
        for field in fields {
            out.extend_from_slice(format!("{field:08X}").as_bytes());
        }
        out.extend_from_slice(name.as_bytes());
        out.push(0);
        out.resize(out.len().next_multiple_of(4), 0);
        out.extend_from_slice(data);
        out.resize(out.len().next_multiple_of(4), 0);
    }

    #[test]
    fn entries_and_concatenation() {
        let mut raw = Vec::new();
        append(&mut raw, "/etc", 0o040755, 1, 2, b"");
        append(&mut raw, "etc/motd", 0o100644, 2, 1, b"hello");
        append(&mut raw, "TRAILER!!!", 0, 0, 1, b"");
        raw.resize(raw.len() + 512, 0);
        append(&mut raw, "last", 0o100600, 3, 1, b"x");
        let mut reader = Reader::new(Pieces(raw));
        let mut names = Vec::new();
        while let Some(entry) = reader.next_entry().expect("well-formed") {
            let data = reader.bytes(entry.data, entry.size as usize);
            names.push((entry.name, data.expect("inside")));
        }
        assert_eq!(
            names,
            [
                (b"etc".to_vec(), b"".to_vec()),
                (b"etc/motd".to_vec(), b"hello".to_vec()),
                (b"last".to_vec(), b"x".to_vec())
            ]
        );
    }

    #[test]
    fn every_cut_and_flip_is_survived() {
        let mut raw = Vec::new();
        append(&mut raw, "a", 0o100644, 2, 1, b"data");
        append(&mut raw, "TRAILER!!!", 0, 0, 1, b"");
        let drain = |raw: Vec<u8>| {
            let mut reader = Reader::new(Pieces(raw));
            for _ in 0..10 {
                match reader.next_entry() {
                    Ok(Some(_)) => {}
                    other => return other.map(|_| ()),
                }
            }
            panic!("endless");
        };
        assert_eq!(drain(raw.clone()), Ok(()));
        for cut in 0..raw.len() {
            let _ = drain(raw[..cut].to_vec());
        }
        for at in 0..raw.len() {
            for value in [0, b'F', 0xff] {
                let mut bad = raw.clone();
                bad[at] = value;
                let _ = drain(bad);
            }
        }
        assert_eq!(drain(b"not an archive".to_vec()), Err(Malformed(0)));
    }
}
