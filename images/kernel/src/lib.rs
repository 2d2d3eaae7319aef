//! Builds the seL4 kernel: version 5.0.0 from a source tree the caller provides, with the platform in `overlay/`, the
//! changes in `patches/`, the configuration in `config/` and the route table of the Linux system calls.
//!
//! [`build`] installs a prefix, the folder `SEL4_PREFIX` stands for:
//!
//! | path | holds |
//! |---|---|
//! | `bin/kernel.elf` | the kernel, with its symbols |
//! | `libsel4/` | the API's XML, `.bf` and header files, patched |
//! | `include/` | the kernel's own headers and `.bf` files for this platform |
//! | `autoconf.h` | the configuration |
//! | `support/platform.toml` | the board: addresses and interrupts |
//!
//! The crate runs the kernel's own Makefile and changes nothing outside the prefix and the work folder beside it. The
//! overlay and the patches are GPL-2.0-only, as the kernel is; this crate is not.
#![deny(unsafe_code)]

mod make;
mod patch;
mod stamp;
mod tree;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

pub use patch::PatchError;

/// Number of entries of a route table: the Linux system call numbers it covers.
pub const ROUTES: usize = 512;

/// Version of the kernel the overlay and the patches belong to.
pub const KERNEL_VERSION: &str = "5.0.0";

/// Which kernel to build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// No printing, no assertions: what images ship.
    Release,
    /// Assertions, messages on the UART, the debug system calls.
    Debug,
}

impl Profile {
    /// Lower-case name, also that of the usual prefix folder.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Release => "release",
            Profile::Debug => "debug",
        }
    }

    /// Lines this profile adds to the configuration.
    fn config(self) -> &'static str {
        match self {
            Profile::Release => "",
            Profile::Debug => {
                "\n/* Profile debug */\n#define CONFIG_DEBUG_BUILD 1\n#define CONFIG_PRINTING 1\n\
                 #define CONFIG_USER_STACK_TRACE_LENGTH 16\n"
            }
        }
    }
}

/// What [`build`] needs to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// The kernel's source tree: the folder `seL4` of the crate `sel4-sys` 0.0.28. It is copied, never written.
    pub source_dir: PathBuf,
    /// Where to install. A folder of the same name with `.build` added takes the work files.
    pub out_prefix: PathBuf,
    /// Which kernel.
    pub profile: Profile,
    /// For each Linux system call number the slot, in the calling thread's own CSpace, of the endpoint capability that
    /// serves it; 0 for those that go to the thread's fault endpoint.
    pub routes: [u8; ROUTES],
    /// A Python 3 with the modules `tempita`, `six` and `ply`.
    pub python: PathBuf,
}

/// Why no kernel was built.
#[derive(Debug)]
pub enum BuildError {
    /// The source folder is not the tree the patches belong to: what is wrong with it.
    Source(PathBuf, String),
    /// A patch does not apply: the patch file and the place.
    Patch(PathBuf, PatchError),
    /// A program the build needs is missing or does not work: its name, and what to do about it.
    Tool(String, String),
    /// The kernel's make failed: the log file and its end.
    Make(PathBuf, String),
    /// A file could not be read or written.
    Io(PathBuf, std::io::Error),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::Source(dir, why) => write!(
                f,
                "{} is not a seL4 {KERNEL_VERSION} tree: {why}",
                dir.display()
            ),
            BuildError::Patch(file, why) => write!(f, "{} does not apply: {why}", file.display()),
            BuildError::Tool(tool, what) => write!(f, "{tool}: {what}"),
            BuildError::Make(log, end) => write!(
                f,
                "the kernel does not build; {} ends with:\n{end}",
                log.display()
            ),
            BuildError::Io(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            BuildError::Patch(_, error) => Some(error),
            BuildError::Io(_, error) => Some(error),
            _ => None,
        }
    }
}

/// What [`build`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The prefix already held this kernel.
    UpToDate,
    /// The kernel was built and installed.
    Built,
}

/// Builds and installs the kernel, unless the prefix holds the result of the same inputs.
pub fn build(options: &Options) -> Result<Outcome, BuildError> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    check_source(&options.source_dir)?;
    let tools = make::Tools::find(&options.python)?;
    let stamp = stamp::of(home, options, &tools.versions)?;
    let stamp_file = options.out_prefix.join(".stamp");
    if fs::read_to_string(&stamp_file).is_ok_and(|old| old == stamp) {
        return Ok(Outcome::UpToDate);
    }

    let work = sibling(&options.out_prefix, ".build");
    tree::replace_dir(&work)?;
    let source = work.join("src");
    tree::copy(&options.source_dir, &source, &|_| true)?;
    tree::copy(&home.join("overlay"), &source, &|_| true)?;
    for file in tree::files(&home.join("patches"))? {
        let text = tree::read(&file)?;
        patch::apply(&text, &source).map_err(|error| BuildError::Patch(file.clone(), error))?;
    }

    let config = tree::read(&home.join("config/autoconf.h"))? + options.profile.config();
    tree::write(&source.join("include/autoconf.h"), &config)?;
    tree::write(
        &source.join("include/lsyscall/routes.h"),
        &routes_header(&options.routes),
    )?;
    tree::write(&work.join("config/include/generated/autoconf.h"), &config)?;

    let kernel = make::run(&tools, options.profile, &work)?;
    install(home, options, &source, &kernel, &config)?;
    tree::write(&stamp_file, &stamp)?;
    Ok(Outcome::Built)
}

/// Says why a folder cannot be the tree the patches belong to.
fn check_source(dir: &Path) -> Result<(), BuildError> {
    let version = fs::read_to_string(dir.join("VERSION")).map_err(|error| {
        BuildError::Source(
            dir.to_owned(),
            format!("its VERSION cannot be read ({error})"),
        )
    })?;
    if version.trim() != KERNEL_VERSION {
        return Err(BuildError::Source(
            dir.to_owned(),
            format!("its VERSION is {}", version.trim()),
        ));
    }
    Ok(())
}

/// The C header with the route table.
fn routes_header(routes: &[u8; ROUTES]) -> String {
    let mut text = format!(
        "/* Generated from the system-call table. */\n\n#ifndef __LSYSCALL_ROUTES_H\n#define __LSYSCALL_ROUTES_H\n\n\
         #define LSYSCALL_ROUTES {ROUTES}\n\nstatic const uint8_t lsyscall_routes[LSYSCALL_ROUTES] = {{\n"
    );
    for row in routes.chunks(16) {
        let cells: Vec<String> = row.iter().map(u8::to_string).collect();
        text += &format!("    {},\n", cells.join(", "));
    }
    text + "};\n\n#endif /* __LSYSCALL_ROUTES_H */\n"
}

/// Lays the prefix out anew.
fn install(
    home: &Path,
    options: &Options,
    source: &Path,
    kernel: &Path,
    config: &str,
) -> Result<(), BuildError> {
    let prefix = &options.out_prefix;
    tree::replace_dir(prefix)?;
    tree::copy_file(kernel, &prefix.join("bin/kernel.elf"))?;
    tree::copy(&source.join("libsel4"), &prefix.join("libsel4"), &|_| true)?;
    let other_board = |path: &Path| {
        let mut parts = path.iter().filter_map(|part| part.to_str());
        match (parts.next(), parts.next()) {
            (Some("plat"), Some(name)) => name != make::PLATFORM,
            (Some("arch"), Some(name)) => name != "arm",
            _ => false,
        }
    };
    tree::copy(&source.join("include"), &prefix.join("include"), &|path| {
        !other_board(path)
    })?;
    tree::write(&prefix.join("autoconf.h"), config)?;
    let board = home
        .join("platform")
        .join(format!("{}.toml", make::PLATFORM));
    tree::copy_file(&board, &prefix.join("support/platform.toml"))
}

/// The path with something added to its last part.
fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_become_a_header() {
        let mut routes = [0; ROUTES];
        routes[17] = 3;
        let text = routes_header(&routes);
        assert!(text.contains("#define LSYSCALL_ROUTES 512\n"));
        let rows: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("    "))
            .collect();
        assert_eq!(rows.len(), ROUTES / 16);
        assert_eq!(
            rows[1],
            "    0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,"
        );
    }

    #[test]
    fn another_version_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let error = check_source(dir.path()).unwrap_err().to_string();
        assert!(error.contains("its VERSION cannot be read"), "{error}");
        fs::write(dir.path().join("VERSION"), "13.0.0\n").unwrap();
        let error = check_source(dir.path()).unwrap_err().to_string();
        assert!(
            error.ends_with("is not a seL4 5.0.0 tree: its VERSION is 13.0.0"),
            "{error}"
        );
        fs::write(dir.path().join("VERSION"), "5.0.0").unwrap();
        check_source(dir.path()).unwrap();
    }

    #[test]
    fn a_sibling_keeps_dots() {
        assert_eq!(
            sibling(Path::new("a/b.c"), ".build"),
            Path::new("a/b.c.build")
        );
    }
}
