//! `cargo xtask conformance`: busybox's own test suites, on Persona and on Debian's kernel.

use crate::artefacts::Artefacts;
use crate::build::{self, Profile};
use crate::context::Context;
use crate::{rootfs, setup, source, test};
use anyhow::Result;
use clap::{Args, ValueEnum};
use persona_harness::{run_conformance, ConformanceOptions, Suite};
use std::path::PathBuf;

/// Runs a test suite of busybox's source package and compares each case with what Linux says.
#[derive(Args, Clone, Debug)]
pub struct ConformanceArgs {
    /// The suite
    suite: Name,
    /// Runs it on this system only; may be given several times
    #[arg(long, value_name = "NAME")]
    system: Vec<String>,
    /// Runs only the applets, or the cases of the shell, whose name contains this
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
    /// Runs it on Debian's own kernel as well and records what it says as the reference
    #[arg(long)]
    reference: bool,
    /// Shows all that the suite prints
    #[arg(short, long)]
    verbose: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Name {
    /// Every applet (792 cases pass on Linux)
    Busybox,
    /// The shell (328 cases pass on Linux)
    Ash,
}

/// Runs it; gives whether every case says what is expected.
pub fn conformance(context: &Context, options: &ConformanceArgs) -> Result<bool> {
    let ready = setup::all(context)?;
    let list = Artefacts::load(context)?;
    let source = source::fetch(context, list.source("busybox")?)?;
    let systems = if options.system.is_empty() {
        build::systems(context)?
    } else {
        options.system.clone()
    };
    for system in &systems {
        build::image_with(context, &ready, system, Profile::Release)?;
    }
    let reference = if options.reference {
        Some(test::reference(context, None)?)
    } else {
        None
    };
    run_conformance(&ConformanceOptions {
        suite: match options.suite {
            Name::Busybox => Suite::Busybox,
            Name::Ash => Suite::Ash,
        },
        root: context.root.clone(),
        target: context.target.clone(),
        xtask: PathBuf::from(format!("/proc/{}/exe", std::process::id())),
        source,
        applets: rootfs::applet_names(context)?,
        systems,
        reference,
        filter: options.filter.clone(),
        verbose: options.verbose,
    })
}
