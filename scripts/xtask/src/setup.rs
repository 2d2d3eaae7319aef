//! `cargo xtask setup`: everything a build needs, found or installed.

use crate::artefacts::Artefacts;
use crate::context::Context;
use crate::toolchain::{self, Toolchain};
use crate::{debian, fetch};
use anyhow::Result;
use std::path::PathBuf;

/// What set-up found or made.
#[derive(Debug)]
pub struct Ready {
    /// Builds for the target.
    pub toolchain: Toolchain,
    /// The folder of the crate that carries the kernel's source.
    pub kernel: PathBuf,
    /// The Python interpreter of the kernel's generators.
    pub python: PathBuf,
}

/// Finds or makes everything; costs nothing when it is all there.
pub fn all(context: &Context) -> Result<Ready> {
    // Two set-ups at once would take each other's half-made folders for rubbish.
    let _lock = context.lock("setup")?;
    let artefacts = Artefacts::load(context)?;
    debian::ensure(context, !toolchain::active_has_target())?;
    let toolchain = toolchain::ensure(context)?;
    let kernel = fetch::kernel_source(context, &artefacts)?;
    fetch::deb(context, artefacts.deb("busybox")?)?;
    let python = fetch::python(context, &artefacts)?;
    Ok(Ready {
        toolchain,
        kernel,
        python,
    })
}
