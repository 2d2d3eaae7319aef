//! The toolchain that builds for `aarch64-unknown-none`.
//!
//! A Rust installation that holds the target's `core` is used as it is. Otherwise a private one is made from Debian's
//! compiler and its sources: a folder laid out like a toolchain, named after the compiler's commit, since cargo does
//! not notice a changed sysroot under the same name.

use crate::context::Context;
use crate::process::{on_path, output, run, say, text};
use crate::stamp::{Key, Stamp};
use anyhow::{bail, Context as _, Result};
use std::fs;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The target every component is built for.
pub const TARGET: &str = "aarch64-unknown-none";
/// The name under which rustup knows the private toolchain.
pub const NAME: &str = "persona-dev";
/// Raised when the layout written by this module changes.
const LAYOUT: &str = "1";
/// The file in its folder that says that the toolchain is whole.
const STAMP: &str = "persona-stamp";
/// The Debian compiler's prefix.
const DEBIAN: &str = "/usr";

/// Environment variables by which an outer cargo or rustup would decide for the inner one.
const OUTER: &[&str] = &[
    "RUSTC",
    "RUSTDOC",
    "CARGO",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTUP_TOOLCHAIN",
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_TARGET",
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "RUST_RECURSION_COUNT",
    "LD_LIBRARY_PATH",
];

/// The active toolchain's cargo, free of what an outer cargo put into the environment.
pub fn clean_cargo() -> Command {
    Toolchain::Active.cargo()
}

/// A toolchain that can build for [`TARGET`].
#[derive(Clone, Debug)]
pub enum Toolchain {
    /// The active one has the target.
    Active,
    /// The private one in this folder.
    Private(PathBuf),
}

impl Toolchain {
    /// `cargo` of this toolchain, free of what an outer cargo put into the environment.
    pub fn cargo(&self) -> Command {
        let mut command = match self {
            Self::Active => Command::new("cargo"),
            Self::Private(folder) => {
                let mut command = Command::new(folder.join("bin/cargo"));
                let old = std::env::var_os("PATH").unwrap_or_default();
                let folders =
                    std::iter::once(folder.join("bin")).chain(std::env::split_paths(&old));
                if let Ok(path) = std::env::join_paths(folders) {
                    command.env("PATH", path);
                }
                command
            }
        };
        for name in OUTER {
            command.env_remove(name);
        }
        if let Self::Private(folder) = self {
            command.env("RUSTUP_TOOLCHAIN", folder);
        }
        command
    }
}

/// Whether the active toolchain already has the target's libraries.
pub fn active_has_target() -> bool {
    let Ok(output) = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .stderr(Stdio::null())
        .output()
    else {
        return false;
    };
    let folder = String::from_utf8_lossy(&output.stdout);
    fs::read_dir(folder.trim()).is_ok_and(|entries| {
        entries
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
    })
}

/// Finds or makes the toolchain; Debian's packages are installed already.
pub fn ensure(context: &Context) -> Result<Toolchain> {
    if active_has_target() {
        return Ok(Toolchain::Active);
    }
    let version = text(Command::new(format!("{DEBIAN}/bin/rustc")).arg("-vV"))?;
    let field = |name: &str| {
        version
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
            .with_context(|| format!("Debian's rustc -vV has no line `{name}`"))
    };
    let (hash, host) = (field("commit-hash")?, field("host")?);
    let folder = context.target.join("toolchain").join(hash);
    let key = Key::new().add(LAYOUT).add(&version).finish();
    let stamp = |folder: &Path| Stamp::new(folder.join(STAMP), key.clone());
    if !stamp(&folder).fresh() {
        say(format!(
            "building core and alloc for {TARGET} ({})",
            field("release")?
        ));
        // Made beside its place and moved there when it is whole: a build that uses the old one is not disturbed, and an
        // interrupted one leaves nothing that looks finished.
        let new = folder.with_extension("new");
        lay_out(&new, host)?;
        build_core(context, &new, hash)?;
        stamp(&new).set()?;
        let old = folder.with_extension("old");
        if folder.exists() {
            fs::rename(&folder, &old).with_context(|| format!("replacing {}", folder.display()))?;
        }
        fs::rename(&new, &folder).with_context(|| format!("making {}", folder.display()))?;
        if old.exists() {
            fs::remove_dir_all(&old)?;
        }
    }
    link(&folder)?;
    Ok(Toolchain::Private(folder))
}

/// Makes the toolchain's folder around Debian's files.
fn lay_out(folder: &Path, host: &str) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("clearing {}", folder.display()))?;
    }
    let bin = folder.join("bin");
    let rustlib = folder.join("lib/rustlib");
    fs::create_dir_all(&bin)?;
    fs::create_dir_all(rustlib.join(host).join("bin"))?;
    fs::create_dir_all(rustlib.join(TARGET).join("lib"))?;

    // The compiler finds its sysroot by its own place on disk, which is Debian's: tell it ours.
    for name in ["rustc", "rustdoc"] {
        script(
            &bin.join(name),
            &format!("exec {DEBIAN}/bin/{name} --sysroot \"$here\" \"$@\""),
        )?;
    }
    // clippy's two programs take no --sysroot before their own arguments.
    for name in ["cargo-clippy", "clippy-driver"] {
        script(
            &bin.join(name),
            &format!("SYSROOT=\"$here\" exec {DEBIAN}/bin/{name} \"$@\""),
        )?;
    }
    for name in ["cargo", "cargo-fmt", "rustfmt", "rust-analyzer"] {
        let file = Path::new(DEBIAN).join("bin").join(name);
        if file.exists() {
            symlink(file, bin.join(name))?;
        }
    }
    let debian = Path::new(DEBIAN).join("lib/rustlib");
    symlink(
        debian.join(host).join("lib"),
        rustlib.join(host).join("lib"),
    )?;
    symlink(debian.join("src"), rustlib.join("src"))?;
    symlink(
        "/usr/bin/ld.lld-22",
        rustlib.join(host).join("bin/rust-lld"),
    )?;
    Ok(())
}

/// Writes an executable shell script that knows its toolchain's folder as `$here`.
fn script(path: &Path, body: &str) -> Result<()> {
    let text =
        format!("#!/bin/sh\nhere=$(dirname \"$(dirname \"$(readlink -f \"$0\")\")\")\n{body}\n");
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// Builds the target's libraries from Debian's sources and puts them into the toolchain.
fn build_core(context: &Context, folder: &Path, hash: &str) -> Result<()> {
    let work = context
        .target
        .join("toolchain")
        .join(format!("build-{hash}"));
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    fs::create_dir_all(work.join("src"))?;
    fs::write(
        work.join("Cargo.toml"),
        "[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n[workspace]\n\n[profile.release]\n\
         panic = \"abort\"\n",
    )?;
    fs::write(work.join("src/lib.rs"), "#![no_std]\n")?;

    let mut cargo = Command::new(format!("{DEBIAN}/bin/cargo"));
    for name in OUTER {
        cargo.env_remove(name);
    }
    // Building the standard libraries needs cargo's unstable switch, here only: nothing else is built this way.
    let flags = "-Cembed-bitcode=yes\u{1f}--remap-path-prefix=/usr/lib/rustlib/src/rust=/rustc";
    cargo
        .current_dir(&work)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTC", format!("{DEBIAN}/bin/rustc"))
        .env("CARGO_ENCODED_RUSTFLAGS", flags)
        .env("CARGO_TARGET_DIR", work.join("target"))
        .args(["build", "--release", "--target", TARGET])
        .args([
            "-Zbuild-std=core,alloc,compiler_builtins",
            "-Zbuild-std-features=compiler-builtins-mem",
        ]);
    run(&mut cargo)?;

    let built = work.join("target").join(TARGET).join("release/deps");
    let lib = folder.join("lib/rustlib").join(TARGET).join("lib");
    let mut copied = 0;
    for entry in fs::read_dir(&built).with_context(|| format!("listing {}", built.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".rlib") && !name.starts_with("libempty-") {
            fs::copy(entry.path(), lib.join(name))?;
            copied += 1;
        }
    }
    if copied < 3 {
        bail!(
            "building the target's libraries gave {copied} files in {}, expected at least three",
            built.display()
        );
    }
    fs::remove_dir_all(&work)?;
    Ok(())
}

/// Makes the toolchain known to rustup, if there is one, for people who call cargo themselves.
fn link(folder: &Path) -> Result<()> {
    if !on_path("rustup") {
        return Ok(());
    }
    let mut list = Command::new("rustup");
    list.args(["toolchain", "list", "-v"]);
    let known = String::from_utf8_lossy(&output(&mut list)?).into_owned();
    // Another checkout's toolchain of the same compiler serves as well: checkouts must not take the name from each other.
    let good = known
        .lines()
        .filter(|line| line.split_whitespace().next() == Some(NAME))
        .any(|line| {
            line.split_whitespace().next_back().is_some_and(|place| {
                let place = Path::new(place);
                place.file_name() == folder.file_name() && place.join(STAMP).exists()
            })
        });
    if good {
        return Ok(());
    }
    run(Command::new("rustup")
        .args(["toolchain", "link", NAME])
        .arg(folder))
}
