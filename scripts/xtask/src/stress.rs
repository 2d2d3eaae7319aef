//! `cargo xtask stress`: load, as much as there is of it.

use crate::build::{self, Profile};
use crate::context::Context;
use crate::setup;
use anyhow::Result;
use clap::Args;
use persona_harness::run_stress;
use std::path::PathBuf;

/// Runs much of everything: processes, threads, files, memory; and says what that took, and the free memory before and after.
///
/// `cargo xtask test` runs a small version of the same.
#[derive(Args, Clone, Debug)]
pub struct StressArgs {
    /// The system to boot; may be given several times; all without it
    #[arg(long, value_name = "NAME")]
    pub system: Vec<String>,
    /// Only these cases; all without it
    #[arg(value_name = "CASE")]
    pub cases: Vec<String>,
}

/// Runs the load; gives whether all went well.
pub fn stress(context: &Context, args: &StressArgs) -> Result<bool> {
    let ready = setup::all(context)?;
    let systems = if args.system.is_empty() {
        build::systems(context)?
    } else {
        args.system.clone()
    };
    let xtask = PathBuf::from(format!("/proc/{}/exe", std::process::id()));
    let mut failed = 0;
    for system in systems {
        build::image_with(context, &ready, &system, Profile::Release)?;
        let summary = run_stress(&context.root, &context.target, &xtask, &system, &args.cases)?;
        failed += summary.failed;
    }
    Ok(failed == 0)
}
