//! What the alias `cargo xtask` runs: starts xtask proper through cargo.
//!
//! Building xtask the first time takes a while, and then cargo's progress is wanted; later nothing of cargo is to be
//! seen. An alias cannot tell the two apart, this program can. It has no dependencies, so that it is built in a moment.
//! It must never decide anything else: every command is xtask's.
#![deny(unsafe_code)]

use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = std::env::current_exe().is_ok_and(|path| path.with_file_name("xtask").exists());
    let mut command = Command::new(cargo);
    command.arg("run");
    if built {
        command.arg("-q");
    }
    command
        .args(["-p", "xtask", "--"])
        .args(std::env::args_os().skip(1));
    // Only comes back when it fails.
    let error = command.exec();
    eprintln!("error: starting cargo: {error}");
    ExitCode::FAILURE
}
