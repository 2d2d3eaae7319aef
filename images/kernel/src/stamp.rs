//! Tells whether anything that goes into a kernel has changed.

use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use sha2::{Digest, Sha256};

use crate::{tree, BuildError, Options};

/// A text that differs when the inputs differ: our own files by content, those of the kernel's source tree, which a
/// package manager has checked, by name, size and time.
pub fn of(home: &Path, options: &Options, tools: &str) -> Result<String, BuildError> {
    let mut hash = Sha256::new();
    let mut field = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    field(env!("CARGO_PKG_VERSION").as_bytes());
    // This crate's own sources say how the rest is used.
    for folder in ["overlay", "patches", "config", "platform", "src"] {
        for file in tree::files(&home.join(folder))? {
            field(
                file.strip_prefix(home)
                    .unwrap_or(&file)
                    .to_string_lossy()
                    .as_bytes(),
            );
            field(&fs::read(&file).map_err(|error| BuildError::Io(file.clone(), error))?);
        }
    }
    for file in tree::files(&options.source_dir)? {
        let data = fs::metadata(&file).map_err(|error| BuildError::Io(file.clone(), error))?;
        let time = data
            .modified()
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        field(file.to_string_lossy().as_bytes());
        field(&data.len().to_le_bytes());
        field(&time.map_or(0, |time| time.as_nanos()).to_le_bytes());
    }
    field(options.profile.name().as_bytes());
    field(&options.routes);
    field(tools.as_bytes());
    let hex: String = hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(hex + "\n")
}
