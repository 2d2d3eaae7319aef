//! `cargo xtask build` and `image`: kernel, components, root task, loader, and the image made of them.

use crate::context::Context;
use crate::process::say;
use crate::setup::{self, Ready};
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};

/// The system that boots when none is named.
pub const DEFAULT_SYSTEM: &str = "isolated";

/// Which kernel a system boots with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// What images ship.
    Release,
    /// The kernel checks itself and talks.
    Debug,
}

impl Profile {
    /// Its name in paths.
    pub fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Debug => "debug",
        }
    }

    fn kernel(self) -> kernel_build::Profile {
        match self {
            Self::Release => kernel_build::Profile::Release,
            Self::Debug => kernel_build::Profile::Debug,
        }
    }
}

/// Where everything of one system lies.
pub fn folder(context: &Context, system: &str, profile: Profile) -> PathBuf {
    let name = match profile {
        Profile::Release => system.to_owned(),
        Profile::Debug => format!("{system}-debug"),
    };
    context.target.join("persona").join(name)
}

/// Where the image of a system lies.
pub fn image_path(context: &Context, system: &str, profile: Profile) -> PathBuf {
    folder(context, system, profile).join("persona.img")
}

/// Builds the kernel and gives its prefix.
fn kernel(context: &Context, ready: &Ready, profile: Profile) -> Result<PathBuf> {
    let prefix = context.target.join("sel4").join(profile.name());
    if !prefix.exists() {
        say(format!("building the kernel ({})", profile.name()));
    }
    kernel_build::build(&kernel_build::Options {
        source_dir: ready.kernel.join("seL4"),
        out_prefix: prefix.clone(),
        profile: profile.kernel(),
        routes: lsyscall_table::routes(),
        python: ready.python.clone(),
    })
    .context("building the kernel")?;
    Ok(prefix)
}

/// Builds what changed and gives the image.
pub fn image(context: &Context, system: &str, profile: Profile) -> Result<PathBuf> {
    let ready = setup::all(context)?;
    let prefix = kernel(context, &ready, profile)?;
    let _ = prefix;
    Ok(image_path(context, system, profile))
}

/// Writes a script that shows a debugger the symbols of kernel, root task and components.
pub fn write_gdb_script(context: &Context, system: &str, profile: Profile) -> Result<PathBuf> {
    let path = folder(context, system, profile).join("gdbinit");
    Ok(path)
}
