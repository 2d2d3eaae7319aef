//! Builds and installs the kernel by hand: `kernel-build SOURCE PREFIX [release|debug] [PYTHON] [ROUTES]`. `ROUTES` is a
//! file of 512 bytes; without it no system call has a route.
#![deny(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use kernel_build::{build, Options, Outcome, Profile, ROUTES};

fn main() -> ExitCode {
    match run() {
        Ok(outcome) => {
            println!(
                "{}",
                if outcome == Outcome::Built {
                    "built"
                } else {
                    "up to date"
                }
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("kernel-build: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<Outcome, Box<dyn std::error::Error>> {
    let mut args = std::env::args_os().skip(1);
    let usage = "usage: kernel-build SOURCE PREFIX [release|debug] [PYTHON] [ROUTES]";
    let source_dir = PathBuf::from(args.next().ok_or(usage)?);
    let out_prefix = PathBuf::from(args.next().ok_or(usage)?);
    let profile = match args.next() {
        None => Profile::Release,
        Some(name) if name == "release" => Profile::Release,
        Some(name) if name == "debug" => Profile::Debug,
        Some(_) => return Err(usage.into()),
    };
    let python = PathBuf::from(args.next().unwrap_or_else(|| "python3".into()));
    let mut routes = [0; ROUTES];
    if let Some(file) = args.next() {
        let bytes = std::fs::read(&file)?;
        routes = bytes
            .try_into()
            .map_err(|_| format!("{} must hold {ROUTES} bytes", PathBuf::from(file).display()))?;
    }
    Ok(build(&Options {
        source_dir,
        out_prefix,
        profile,
        routes,
        python,
    })?)
}
