//! The one door to building and running Persona: `cargo xtask <command>`.
//!
//! Purpose: take a fresh clone to a booted system without questions, and do nothing twice. Everything it needs and
//! does not find it installs or builds under `target/`; everything it downloads is pinned in `images/artefacts.toml`.
//!
//! It must never write to its standard output anything but what a command promises there: `run` gives the guest's
//! output and nothing else, all messages go to standard error.
#![deny(unsafe_code)]

mod apt;
mod artefacts;
mod build;
mod clean;
mod conformance;
mod context;
mod debian;
mod debian_root;
mod fetch;
mod fuzz;
mod licences;
mod lint;
mod process;
mod programs;
mod rootfs;
mod run;
mod setup;
mod source;
mod stamp;
mod stress;
mod syscalls;
mod test;
mod toolchain;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
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
    /// Builds kernel, components, root task and loader of a system
    Build(BuildArgs),
    /// The same, and says where the image is
    Image(BuildArgs),
    Run(Box<run::RunArgs>),
    Test(test::TestArgs),
    Syscalls(syscalls::SyscallsArgs),
    DebianRoot(debian_root::DebianRootArgs),
    Conformance(conformance::ConformanceArgs),
    Fuzz(fuzz::FuzzArgs),
    Stress(stress::StressArgs),
    /// Removes what was built
    Clean {
        /// Also what was downloaded, and the private toolchain
        #[arg(long)]
        all: bool,
    },
    /// Formats all code
    Fmt {
        /// Only says what is not formatted
        #[arg(long)]
        check: bool,
    },
    /// Checks format and lints, on the host and for the target
    Lint,
    /// Checks that every crate is under a licence this project may use
    Licenses,
    /// Shows every download with its version and sha256, and that the guest's busybox is Debian's
    #[command(alias = "sha")]
    Artefacts,
}

#[derive(Args)]
struct BuildArgs {
    /// The system: the name of a manifest in camkes-like-manifests/systems, or a manifest file (.toml)
    #[arg(long, value_name = "NAME", default_value = build::DEFAULT_SYSTEM)]
    system: String,
    /// With the kernel that checks itself and talks
    #[arg(long)]
    debug_kernel: bool,
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
    let mut good = true;
    match cli.command {
        Command::Setup => {
            setup::all(&context)?;
            eprintln!("set-up complete");
        }
        Command::Build(options) => built(&context, &options)?.show()?,
        Command::Image(options) => println!("{}", built(&context, &options)?.image.display()),
        Command::Run(options) => return Ok(run::main(&context, &options)),
        Command::Fuzz(options) => good = fuzz::fuzz(&context, &options)?,
        Command::Stress(options) => good = stress::stress(&context, &options)?,
        Command::Test(options) => good = test::test(&context, &options)?,
        Command::Syscalls(options) => good = syscalls::show(&context, &options)?,
        Command::DebianRoot(options) => debian_root::main(&context, &options)?,
        Command::Conformance(options) => good = conformance::conformance(&context, &options)?,
        Command::Clean { all } => clean::clean(&context, all)?,
        Command::Fmt { check } => lint::fmt(&context, check)?,
        Command::Lint => {
            lint::fmt(&context, true)?;
            lint::host(&context)?;
            lint::target(&context)?;
        }
        Command::Licenses => println!(
            "{} crates, all licences allowed",
            licences::check(&context)?
        ),
        Command::Artefacts => good = artefacts::show(&context)?,
    }
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn built(context: &context::Context, options: &BuildArgs) -> Result<build::Built> {
    let profile = if options.debug_kernel {
        build::Profile::Debug
    } else {
        build::Profile::Release
    };
    let ready = setup::all(context)?;
    build::image_with(context, &ready, &options.system, profile)
}
