//! Reads an installed seL4 tree (a *prefix*) and writes Rust source for it.
//!
//! Nothing about the kernel's ABI is written down by hand: numbers, labels, layouts and sizes come from the kernel's own
//! headers, interface XML and bit field files, so a patched or newer tree yields matching bindings. The crate runs on
//! the build machine only (it serves the build scripts of `sel4-config` and `sel4-sys`) and must never guess: whatever
//! it cannot read is an error that names the file.
#![deny(unsafe_code)]

mod bitfield;
mod cdecl;
mod config;
mod cpp;
mod emit;
mod expr;
mod invocation;
mod stub;
mod syscall;
#[cfg(test)]
mod tests;
mod token;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

pub use config::{Config, Value};

/// Why the bindings could not be generated.
#[derive(Debug)]
pub enum Error {
    /// `SEL4_PREFIX` is not set or names no directory.
    Prefix(String),
    /// A file of the prefix could not be read.
    Io(PathBuf, std::io::Error),
    /// A file of the prefix says something this crate does not understand.
    Parse(PathBuf, String),
    /// Names the generator needs are missing from the tree.
    Missing(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Prefix(what) => write!(
                f,
                "{what}; SEL4_PREFIX must name the directory of an installed kernel (libsel4/, include/, autoconf.h, \
                 bin/kernel.elf): build the kernel first"
            ),
            Error::Io(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            Error::Parse(path, what) => write!(f, "{}: {what}", path.display()),
            Error::Missing(what) => write!(f, "the kernel tree defines no {what}"),
        }
    }
}

impl std::error::Error for Error {}

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// An installed kernel tree.
#[derive(Debug, Clone)]
pub struct Prefix {
    root: PathBuf,
}

/// Headers of libsel4 in the order a C file would see them; later ones use names of earlier ones.
const HEADERS: &[&str] = &[
    "arch_include/arm/sel4/arch/simple_types.h",
    "sel4_arch_include/aarch64/sel4/sel4_arch/simple_types.h",
    "include/sel4/simple_types.h",
    "sel4_arch_include/aarch64/sel4/sel4_arch/types.h",
    "arch_include/arm/sel4/arch/types.h",
    "include/sel4/objecttype.h",
    "sel4_arch_include/aarch64/sel4/sel4_arch/objecttype.h",
    "arch_include/arm/sel4/arch/objecttype.h",
    "include/sel4/errors.h",
    "include/sel4/constants.h",
    "sel4_arch_include/aarch64/sel4/sel4_arch/constants.h",
    "include/sel4/types.h",
    "include/sel4/shared_types.h",
    "include/sel4/bootinfo_types.h",
    "sel4_arch_include/aarch64/sel4/sel4_arch/mapping.h",
];

/// Bit field files, likewise.
const BITFIELDS: &[&str] = &[
    "include/sel4/types_64.bf",
    "include/sel4/shared_types_64.bf",
    "sel4_arch_include/aarch64/sel4/sel4_arch/types.bf",
    "arch_include/arm/sel4/arch/shared_types.bf",
];

/// Interface files in the order of their labels: generic, then seL4 architecture, then architecture.
const INTERFACES: &[&str] = &[
    "include/interfaces/sel4.xml",
    "sel4_arch_include/aarch64/interfaces/sel4arch.xml",
    "arch_include/arm/interfaces/sel4arch.xml",
];

/// The list of system calls.
const SYSCALLS: &str = "include/api/syscall.xml";

impl Prefix {
    /// The prefix named by the environment variable `SEL4_PREFIX`.
    pub fn from_env() -> Result<Prefix> {
        match std::env::var_os("SEL4_PREFIX") {
            None => Err(Error::Prefix("SEL4_PREFIX is not set".into())),
            Some(root) => Prefix::new(root),
        }
    }

    /// The prefix at `root`.
    pub fn new(root: impl Into<PathBuf>) -> Result<Prefix> {
        let root = root.into();
        if !root.join("libsel4").is_dir() {
            return Err(Error::Prefix(format!(
                "{} holds no libsel4",
                root.display()
            )));
        }
        Ok(Prefix { root })
    }

    /// Where the prefix lies.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Every file the generator reads: what a build script must watch.
    pub fn inputs(&self) -> Vec<PathBuf> {
        let libsel4 = self.root.join("libsel4");
        [
            self.root.join("autoconf.h"),
            self.root.join("include/config.h"),
        ]
        .into_iter()
        .chain(
            HEADERS
                .iter()
                .chain(BITFIELDS)
                .chain(INTERFACES)
                .chain([&SYSCALLS])
                .map(|file| libsel4.join(file)),
        )
        .collect()
    }

    fn read(&self, file: &Path) -> Result<String> {
        std::fs::read_to_string(file).map_err(|error| Error::Io(file.to_path_buf(), error))
    }

    fn libsel4(&self, file: &str) -> Result<(PathBuf, String)> {
        let path = self.root.join("libsel4").join(file);
        let text = self.read(&path)?;
        Ok((path, text))
    }

    /// The kernel's configuration: `autoconf.h` and the defaults of the kernel's `config.h`.
    pub fn config(&self) -> Result<Config> {
        let autoconf = self.root.join("autoconf.h");
        let defaults = self.root.join("include/config.h");
        let mut config = Config::default();
        for path in [autoconf, defaults] {
            let text = self.read(&path)?;
            config
                .read(&text)
                .map_err(|what| Error::Parse(path, what))?;
        }
        Ok(config)
    }

    /// The whole of the low-level bindings as Rust source.
    pub fn bindings(&self) -> Result<String> {
        let config = self.config()?;
        let mut defines = config.defines();
        defines.insert("HAVE_AUTOCONF".into(), String::new());
        let mut headers = cdecl::Headers::default();
        for file in HEADERS {
            let (path, text) = self.libsel4(file)?;
            let text =
                cpp::run(&text, &mut defines).map_err(|what| Error::Parse(path.clone(), what))?;
            headers
                .parse(&text, &defines)
                .map_err(|what| Error::Parse(path, what))?;
        }
        headers.take_defines(&defines);
        let mut fields = bitfield::File::default();
        for file in BITFIELDS {
            let (path, text) = self.libsel4(file)?;
            let text: String = text
                .lines()
                .map(|line| format!("{}\n", line.split("--").next().unwrap_or("")))
                .collect();
            let text =
                cpp::run(&text, &mut defines).map_err(|what| Error::Parse(path.clone(), what))?;
            fields
                .parse(&text)
                .map_err(|what| Error::Parse(path, what))?;
        }
        let mut interfaces = Vec::new();
        for file in INTERFACES {
            let (path, text) = self.libsel4(file)?;
            let parsed =
                invocation::parse(&text, &defines).map_err(|what| Error::Parse(path, what))?;
            interfaces.extend(parsed);
        }
        let (path, text) = self.libsel4(SYSCALLS)?;
        let syscalls = syscall::parse(&text, &defines).map_err(|what| Error::Parse(path, what))?;
        emit::bindings(&headers, &fields, &interfaces, &syscalls)
    }
}

/// Preprocessor definitions: name to replacement text.
type Defines = BTreeMap<String, String>;
