//! Runs the kernel's Makefile, through the path it has for builds that bring their own flags.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{tree, BuildError, Profile};

/// Name of the overlay's platform.
pub const PLATFORM: &str = "qemu-arm-virt";

/// Prefix of the cross compiler's programs.
const TOOL_PREFIX: &str = "aarch64-linux-gnu-";

/// What the Makefile gets as macros.
const DEFINES: &str = "HAVE_AUTOCONF __KERNEL_64__ AARCH64 ARMV8_A ARCH_ARM ARM_CORTEX_A53";

/// The compiler's flags, beside those the Makefile adds. The kernel is older than the compiler: it relies on common
/// symbols and on type punning.
const CFLAGS: &str =
    "-march=armv8-a -mtune=cortex-a53 -fcommon -fno-strict-aliasing -mno-outline-atomics \
    -fno-stack-protector -fno-asynchronous-unwind-tables -Wno-error=attributes";

/// The programs a build runs.
pub struct Tools {
    python: PathBuf,
    /// The versions, for the stamp.
    pub versions: String,
}

impl Tools {
    /// Looks whether everything is there.
    pub fn find(python: &Path) -> Result<Tools, BuildError> {
        let gcc = format!("{TOOL_PREFIX}gcc");
        let compiler = first_line(Path::new(&gcc), &["--version"]).ok_or_else(|| {
            BuildError::Tool(
                gcc.clone(),
                "not found; Debian has it in gcc-aarch64-linux-gnu".into(),
            )
        })?;
        for (tool, package) in [("make", "make"), ("bash", "bash"), ("sed", "sed")] {
            first_line(Path::new(tool), &["--version"]).ok_or_else(|| {
                BuildError::Tool(
                    tool.into(),
                    format!("not found; Debian has it in {package}"),
                )
            })?;
        }
        let name = python.display().to_string();
        let version = first_line(python, &["-c", "import sys; print(sys.version.split()[0])"])
            .ok_or_else(|| BuildError::Tool(name.clone(), "this Python does not run".into()))?;
        first_line(python, &["-c", "import tempita, six, ply; print()"]).ok_or_else(|| {
            BuildError::Tool(
                name.clone(),
                "this Python lacks one of the modules tempita, six and ply".into(),
            )
        })?;
        Ok(Tools {
            python: python.to_owned(),
            versions: format!("{compiler}\n{version}"),
        })
    }
}

/// First line a program prints; nothing if it cannot be run or fails.
fn first_line(program: &Path, args: &[&str]) -> Option<String> {
    let out = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&out.stdout);
    out.status
        .success()
        .then(|| text.lines().next().unwrap_or_default().to_owned())
}

/// Builds the kernel of the tree `src` in the work folder and returns its path.
pub fn run(tools: &Tools, profile: Profile, work: &Path) -> Result<PathBuf, BuildError> {
    let work = fs::canonicalize(work).map_err(|error| BuildError::Io(work.to_owned(), error))?;
    let build = work.join("build");
    tree::replace_dir(&build)?;

    // The kernel's generators start with `env python`; make them find the given one.
    let bin = work.join("bin");
    let wrapper = format!("#!/bin/sh\nexec '{}' \"$@\"\n", tools.python.display());
    tree::write(&bin.join("python"), &wrapper)?;
    set_executable(&bin.join("python"))?;
    let path = match std::env::var_os("PATH") {
        Some(path) => {
            let parts = std::iter::once(bin.clone()).chain(std::env::split_paths(&path));
            std::env::join_paths(parts)
                .map_err(|error| BuildError::Tool("PATH".into(), error.to_string()))?
        }
        None => bin.clone().into_os_string(),
    };

    let log = work.join("make.log");
    let out = fs::File::create(&log).map_err(|error| BuildError::Io(log.clone(), error))?;
    let err = out
        .try_clone()
        .map_err(|error| BuildError::Io(log.clone(), error))?;
    // A clean environment: the Makefile takes DEBUG, V, FASTPATH and more from it.
    let mut make = Command::new("make");
    make.current_dir(&build)
        .env_clear()
        .env("PATH", path)
        .env("LC_ALL", "C")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SOURCE_ROOT", "../src")
        .env("srctree", work.join("config"))
        .env("NK_CFLAGS", "1")
        .env("HAVE_AUTOCONF", "1")
        .env("TYPE_SUFFIX", "64")
        .env("__ARM_64__", "y")
        .env("SKIP_PATH_CHECKS", "1")
        .env("XMLLINT_PATH", "true")
        .env("CONFIG_DOMAIN_SCHEDULE", "")
        .env("DEFINES", DEFINES)
        .env(
            "CFLAGS",
            format!("{CFLAGS} -ffile-prefix-map={}=.", work.display()),
        )
        .args([
            "-f",
            "../src/Makefile",
            "ARCH=arm",
            "SEL4_ARCH=aarch64",
            "ARMV=armv8-a",
            "CPU=cortex-a53",
        ])
        .args([
            format!("PLAT={PLATFORM}"),
            format!("PLAT_LIST={PLATFORM}"),
            format!("TOOLPREFIX={TOOL_PREFIX}"),
        ])
        .args(["PYTHON=python", "CIRCULAR_INCLUDES=true", "kernel.elf"])
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err);
    match profile {
        Profile::Debug => make.env("DEBUG", "1"),
        // Everything inlined where it helps: a tenth fewer instructions, and a smaller kernel.
        Profile::Release => make
            .env("CONFIG_WHOLE_PROGRAM_OPTIMISATIONS_KERNEL", "y")
            .env("CONFIG_OPTIMISATION_O3", "y"),
    };
    let status = make
        .status()
        .map_err(|error| BuildError::Tool("make".into(), error.to_string()))?;
    let kernel = build.join("kernel.elf");
    if !status.success() || !kernel.is_file() {
        return Err(BuildError::Make(log.clone(), end_of(&log)));
    }
    Ok(kernel)
}

/// The last lines of a log.
fn end_of(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

#[cfg(unix)]
fn set_executable(path: &Path) -> Result<(), BuildError> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .map_err(|error| BuildError::Io(path.to_owned(), error))
}

#[cfg(not(unix))]
fn set_executable(_: &Path) -> Result<(), BuildError> {
    Ok(())
}
