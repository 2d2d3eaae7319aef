//! Running other programs: their standard output goes to our standard error, so that ours stays clean.

use anyhow::{bail, Context as _, Result};
use std::ffi::OsStr;
use std::process::{Command, Stdio};

/// Says what is going on, on standard error.
pub fn say(text: impl AsRef<str>) {
    eprintln!("==> {}", text.as_ref());
}

/// A command line as a person would type it.
pub fn shown(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        text.push(' ');
        text.push_str(&arg.to_string_lossy());
    }
    text
}

/// Runs `command` to its end, its output on our standard error; an error when it does not exit with 0.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command
        .stdout(std::io::stderr())
        .status()
        .with_context(|| format!("starting `{}`", shown(command)))?;
    if !status.success() {
        bail!("`{}` failed: {status}", shown(command));
    }
    Ok(())
}

/// Runs `command` and gives its standard output; its errors go to ours.
pub fn output(command: &mut Command) -> Result<Vec<u8>> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("starting `{}`", shown(command)))?;
    if !output.status.success() {
        bail!("`{}` failed: {}", shown(command), output.status);
    }
    Ok(output.stdout)
}

/// Like [`output`], as text without the line end.
pub fn text(command: &mut Command) -> Result<String> {
    let bytes = output(command)?;
    let text = String::from_utf8(bytes)
        .with_context(|| format!("reading the answer of `{}`", shown(command)))?;
    Ok(text.trim_end().to_owned())
}

/// Whether `name` is a program on the search path.
pub fn on_path(name: impl AsRef<OsStr>) -> bool {
    let name = name.as_ref();
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(name).is_file()))
}
