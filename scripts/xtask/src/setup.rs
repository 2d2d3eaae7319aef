//! `cargo xtask setup`: everything a build needs, found or installed.

use crate::context::Context;
use crate::toolchain::{self, Toolchain};
use crate::debian;
use anyhow::Result;

/// Host packages and the target's toolchain.
pub fn tools(context: &Context) -> Result<Toolchain> {
    debian::ensure(!toolchain::active_has_target())?;
    toolchain::ensure(context)
}

/// Everything.
pub fn all(context: &Context) -> Result<Toolchain> {
    let toolchain = tools(context)?;
    Ok(toolchain)
}
