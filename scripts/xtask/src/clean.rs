//! `cargo xtask clean`: removes what was built, and on request what was downloaded.

use crate::context::Context;
use crate::process::{on_path, output};
use crate::toolchain;
use anyhow::{Context as _, Result};
use std::fs;
use std::process::Command;

/// Folders under `target/` that a build fills.
const BUILT: &[&str] = &["persona", "sel4", "rootfs", "tests"];
/// Folders under `target/` that set-up fills.
const FETCHED: &[&str] = &["apt", "fetch", "sources", "toolchain", "venv"];

/// Removes the built files; with `all` also downloads and the private toolchain.
pub fn clean(context: &Context, all: bool) -> Result<()> {
    let mut folders = BUILT.to_vec();
    if all {
        unlink_toolchain(context)?;
        folders.extend(FETCHED);
    }
    for folder in folders {
        let path = context.target.join(folder);
        if path.symlink_metadata().is_ok() {
            eprintln!("removing {}", path.display());
            fs::remove_dir_all(&path).with_context(|| format!("removing {}", path.display()))?;
        }
    }
    // Kernel prefixes keep their work files beside them, inside the folders above.
    Ok(())
}

/// Takes the private toolchain from rustup's list, if it is this checkout's.
fn unlink_toolchain(context: &Context) -> Result<()> {
    if !on_path("rustup") {
        return Ok(());
    }
    let list = output(Command::new("rustup").args(["toolchain", "list", "-v"]))?;
    let here = context.target.to_string_lossy().into_owned();
    let ours = String::from_utf8_lossy(&list)
        .lines()
        .any(|line| line.starts_with(toolchain::NAME) && line.contains(&here));
    if ours {
        crate::process::run(Command::new("rustup").args([
            "toolchain",
            "uninstall",
            toolchain::NAME,
        ]))?;
    }
    Ok(())
}
