//! Debian packages of the host.

use crate::context::Context;
use crate::process::{on_path, run, say, text};
use anyhow::{bail, Result};
use std::path::Path;
use std::process::Command;

/// What build and tests use, a program or a file, and the package it comes from, which is missing when that is not there.
const TOOLS: &[(&str, &str)] = &[
    ("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"),
    ("/usr/aarch64-linux-gnu/lib/libc.a", "libc6-dev-arm64-cross"),
    ("python3", "python3"),
    ("qemu-system-aarch64", "qemu-system-arm"),
    ("qemu-aarch64-static", "qemu-user-static"),
    ("make", "make"),
    ("patch", "patch"),
    ("dpkg-deb", "dpkg"),
    ("setpriv", "util-linux"),
    ("bzip2", "bzip2"),
    ("xz", "xz-utils"),
];

/// What building the private sysroot needs besides.
const SYSROOT: &[(&str, &str)] = &[
    ("/usr/bin/rustc", "rustc-web"),
    (
        "/usr/lib/rustlib/src/rust/library/core/Cargo.toml",
        "rust-web-src",
    ),
    ("/usr/bin/cargo", "cargo-web"),
    ("/usr/bin/clippy-driver", "rust-web-clippy"),
    ("/usr/bin/rustfmt", "rustfmt-web"),
    ("/usr/bin/ld.lld-22", "lld-22"),
];

/// Installs the packages whose tools are missing; `sysroot` adds those the private sysroot is made from. Says which, and
/// where it may not, the command to install them by.
pub fn ensure(context: &Context, sysroot: bool) -> Result<()> {
    let mut packages: Vec<&str> = TOOLS
        .iter()
        .filter(|(tool, _)| !there(tool))
        .map(|(_, package)| *package)
        .collect();
    // Asking Python takes a while; an environment made by it answers as well.
    if !context.target.join("venv/bin/python").exists() && !has_venv() {
        packages.push("python3-venv");
    }
    if sysroot {
        packages.extend(
            SYSROOT
                .iter()
                .filter(|(file, _)| !Path::new(file).exists())
                .map(|(_, package)| *package),
        );
    }
    if packages.is_empty() {
        return Ok(());
    }
    install(&packages)
}

/// Whether a program is on the search path, or a file where its absolute path says.
fn there(tool: &str) -> bool {
    if tool.starts_with('/') {
        Path::new(tool).exists()
    } else {
        on_path(tool)
    }
}

fn has_venv() -> bool {
    Command::new("python3")
        .args(["-c", "import venv, ensurepip"])
        .stderr(std::process::Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn install(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    let by_hand = format!("apt-get update && apt-get install --yes --no-install-recommends {list}");
    if !on_path("apt-get") {
        bail!("these programs are missing and this machine has no apt-get; install what your system calls: {list}");
    }
    if text(Command::new("id").arg("-u"))? != "0" {
        bail!("some Debian packages are missing; as root run:\n\n    {by_hand}\n\nand then this command again");
    }
    say(format!("installing Debian packages: {list}"));
    let apt = |args: &[&str]| {
        run(Command::new("apt-get")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .arg("-q")
            .args(args))
    };
    let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
    arguments.extend(packages);
    if apt(&arguments).is_err() {
        // The package lists may be absent or too old for the archive: refresh them once.
        apt(&["update"])?;
        apt(&arguments)?;
    }
    Ok(())
}
