//! Tables of little-endian 64-bit words.

use core::fmt;

/// Why bytes are not the table they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// There are too few of them.
    Short,
    /// They do not begin with the magic number.
    Magic,
    /// They have this version, which is not ours.
    Version(u64),
    /// Their values contradict each other.
    Inconsistent,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Short => write!(f, "it is cut short"),
            DecodeError::Magic => write!(f, "its magic number is wrong"),
            DecodeError::Version(version) => write!(f, "its version {version} is unknown"),
            DecodeError::Inconsistent => write!(f, "its values contradict each other"),
        }
    }
}

impl core::error::Error for DecodeError {}

/// Writes a table; words beyond the end of the bytes are dropped, which the tests exclude.
pub struct Writer<'a> {
    chunks: core::slice::ChunksExactMut<'a, u8>,
}

impl<'a> Writer<'a> {
    pub fn new(bytes: &'a mut [u8], magic: u64, version: u64) -> Writer<'a> {
        let mut writer = Writer {
            chunks: bytes.chunks_exact_mut(8),
        };
        writer.put(magic);
        writer.put(version);
        writer
    }

    pub fn put(&mut self, word: u64) {
        if let Some(chunk) = self.chunks.next() {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
    }
}

/// Reads a table.
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8], magic: u64, version: u64) -> Result<Reader<'a>, DecodeError> {
        let mut reader = Reader { rest: bytes };
        if reader.take()? != magic {
            return Err(DecodeError::Magic);
        }
        match reader.take()? {
            found if found == version => Ok(reader),
            found => Err(DecodeError::Version(found)),
        }
    }

    pub fn take(&mut self) -> Result<u64, DecodeError> {
        let (word, rest) = self.rest.split_first_chunk().ok_or(DecodeError::Short)?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*word))
    }
}
