//! `cargo xtask fmt` and `lint`.

use crate::build::{self, Profile};
use crate::context::Context;
use crate::process::{run, say};
use crate::toolchain::clean_cargo;
use anyhow::Result;

/// Formats every crate, or with `check` only says which ones are not.
pub fn fmt(context: &Context, check: bool) -> Result<()> {
    let mut cargo = clean_cargo();
    cargo.current_dir(&context.root).args(["fmt", "--all"]);
    if check {
        cargo.arg("--check");
    }
    run(&mut cargo)
}

/// clippy over the host's crates, warnings being errors.
pub fn host(context: &Context) -> Result<()> {
    say("clippy: crates of the host");
    run(clean_cargo().current_dir(&context.root).args([
        "clippy",
        "-q",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))
}

/// clippy over the target's crates, warnings being errors.
pub fn target(context: &Context) -> Result<()> {
    say(format!("clippy: crates for {}", crate::toolchain::TARGET));
    build::clippy(context, build::DEFAULT_SYSTEM, Profile::Release)
}
