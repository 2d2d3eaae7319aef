//! `cargo xtask fuzz`: the system-call fuzzer, longer than the tests run it, or one round of it again.

use crate::build::{self, Profile};
use crate::context::Context;
use crate::setup;
use anyhow::Result;
use clap::Args;
use persona_harness::{reproduce, run_fuzz, FuzzOptions};
use std::path::PathBuf;

/// Throws system calls of all kinds at a system, and sees whether anything but the caller notices.
///
/// What is done follows from the seed and the number of the round alone. Prints the calls made, and for each thing found
/// the command that runs its round again. The exit status is 1 if anything was found.
#[derive(Args, Clone, Debug)]
pub struct FuzzArgs {
    /// The system to boot; may be given several times; all without it
    #[arg(long, value_name = "NAME")]
    pub system: Vec<String>,
    /// What the rounds follow from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// How long, in seconds
    #[arg(long, value_name = "S", default_value_t = 60)]
    pub time: u64,
    /// The first round
    #[arg(long, value_name = "ROUND", default_value_t = 0)]
    pub from: u64,
    /// At most so many rounds
    #[arg(long, value_name = "N")]
    pub rounds: Option<u64>,
    /// Only these calls, by name and separated by commas
    #[arg(long, value_name = "CALL,...")]
    pub calls: Option<String>,
    /// RAM of the machine
    #[arg(long, value_name = "SIZE")]
    pub mem: Option<String>,
    /// Tells every call before it is made
    #[arg(short, long)]
    pub verbose: bool,
}

/// Runs the fuzzer; gives whether nothing was found.
pub fn fuzz(context: &Context, args: &FuzzArgs) -> Result<bool> {
    let ready = setup::all(context)?;
    let systems = if args.system.is_empty() {
        build::systems(context)?
    } else {
        args.system.clone()
    };
    let options = FuzzOptions {
        seed: args.seed,
        seconds: args.time,
        from: args.from,
        rounds: args.rounds,
        calls: args.calls.clone(),
        verbose: args.verbose,
        mem: args.mem.clone(),
    };
    let xtask = PathBuf::from(format!("/proc/{}/exe", std::process::id()));
    let mut good = true;
    for system in systems {
        build::image_with(context, &ready, &system, Profile::Release)?;
        let result = run_fuzz(&context.root, &context.target, &xtask, &system, &options)?;
        println!("{system}, seed {}: {}", args.seed, result.summary());
        for (round, what) in &result.found {
            good = false;
            println!("FOUND {system} round {round}: {what}");
            println!("      {}", reproduce(&system, args.seed, *round));
        }
    }
    Ok(good)
}
