//! Where things are.

use anyhow::{Context as _, Result};
use std::fs::File;
use std::path::{Path, PathBuf};

/// The places of one checkout.
#[derive(Clone, Debug)]
pub struct Context {
    /// The repository's root folder.
    pub root: PathBuf,
    /// Where everything generated goes: `target/` of the checkout, whatever cargo's own target folder is.
    pub target: PathBuf,
}

impl Context {
    /// Finds the checkout this program was built from.
    pub fn new() -> Result<Self> {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest
            .ancestors()
            .nth(2)
            .map(Path::to_path_buf)
            .context("xtask does not lie two folders below the repository's root")?;
        let target = root.join("target");
        std::fs::create_dir_all(&target)
            .with_context(|| format!("creating {}", target.display()))?;
        Ok(Self { root, target })
    }

    /// The folder under `target/` that holds unpacked third-party sources.
    pub fn sources(&self) -> PathBuf {
        self.target.join("sources")
    }

    /// Waits for its turn at `work`, which one process does at a time; it lasts until the result is dropped.
    pub fn lock(&self, work: &str) -> Result<File> {
        let path = self.target.join(format!(".{work}-lock"));
        let file = File::create(&path).with_context(|| format!("opening {}", path.display()))?;
        file.lock()
            .with_context(|| format!("locking {}", path.display()))?;
        Ok(file)
    }
}
