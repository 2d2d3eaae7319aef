//! The one door to building and running Persona: `cargo xtask <command>`.
//!
//! Purpose: take a fresh clone to a booted system without questions, and do nothing twice. Everything it needs and
//! does not find it installs or builds under `target/`; everything it downloads is pinned in `images/artefacts.toml`.
//!
//! It must never write to its standard output anything but what a command promises there: `run` gives the guest's
//! output and nothing else, all messages go to standard error.
#![deny(unsafe_code)]

mod artefacts;
mod build;
mod context;
mod debian;
mod fetch;
mod process;
mod rootfs;
mod run;
mod setup;
mod stamp;
mod toolchain;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Builds, runs and tests Persona.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Finds or installs everything the build needs: packages, cross toolchain, sources, the guest's programs
    Setup,
    Run(run::RunArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode> {
    let context = context::Context::new()?;
    match cli.command {
        Command::Setup => {
            setup::all(&context)?;
            eprintln!("set-up complete");
        }
        Command::Run(options) => return Ok(run::main(&context, &options)),
    }
    Ok(ExitCode::SUCCESS)
}
