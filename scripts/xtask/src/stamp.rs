//! Stamps: a step is skipped when what it was made from has not changed.

use anyhow::{Context as _, Result};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Collects what a step depends on into one key.
#[derive(Default)]
pub struct Key(Sha256);

impl Key {
    /// An empty key.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a piece of data; pieces do not run into each other.
    pub fn add(mut self, data: impl AsRef<[u8]>) -> Self {
        let data = data.as_ref();
        self.0.update((data.len() as u64).to_le_bytes());
        self.0.update(data);
        self
    }

    /// The key as text.
    pub fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}

/// A file that remembers the key of the last success of a step.
pub struct Stamp {
    path: PathBuf,
    key: String,
}

impl Stamp {
    /// The stamp at `path` for work described by `key`.
    pub fn new(path: impl Into<PathBuf>, key: String) -> Self {
        Self {
            path: path.into(),
            key,
        }
    }

    /// Whether the work was done with this very key.
    pub fn fresh(&self) -> bool {
        std::fs::read_to_string(&self.path).is_ok_and(|old| old == self.key)
    }

    /// Notes that the work is done.
    pub fn set(&self) -> Result<()> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&self.path, &self.key)
            .with_context(|| format!("writing {}", self.path.display()))
    }
}

/// The sha256 of a file, in hexadecimal.
pub fn sha256_file(path: &Path) -> Result<String> {
    let mut file =
        std::fs::File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = file
            .read(&mut buffer)
            .with_context(|| format!("reading {}", path.display()))?;
        if n == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&buffer[..n]);
    }
}

/// The sha256 of `data`, in hexadecimal.
pub fn sha256(data: &[u8]) -> String {
    hex(&Sha256::digest(data))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_do_not_run_together() {
        assert_ne!(
            Key::new().add("ab").add("c").finish(),
            Key::new().add("a").add("bc").finish()
        );
    }

    #[test]
    fn sha256_is_the_known_one() {
        assert_eq!(
            sha256(b""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
