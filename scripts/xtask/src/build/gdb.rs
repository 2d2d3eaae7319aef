//! The script that shows a debugger where everything is.

use super::{folder, write_if_changed, Profile};
use crate::context::Context;
use anyhow::Result;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

/// Writes `gdbinit` for a system: connects to QEMU and loads the kernel's symbols; defines a command a domain for the
/// symbols of programs, which lie at the same addresses in different address spaces.
pub fn write_script(context: &Context, system: &str, profile: Profile) -> Result<PathBuf> {
    let place = folder(context, system, profile);
    let kernel = context
        .target
        .join("sel4")
        .join(profile.name())
        .join("bin/kernel.elf");
    let root = place
        .join("cargo")
        .join(crate::toolchain::TARGET)
        .join("release/root-task");
    let mut text =
        String::from("# Written by `cargo xtask run --gdb`; changes are lost.\nset confirm off\n");
    let _ = writeln!(text, "set architecture aarch64\nfile {}", kernel.display());
    let mut define = |name: &str, path: &std::path::Path| {
        let name = name.replace('-', "_");
        let _ = writeln!(
            text,
            "define sym_{name}\n  file {}\n  add-symbol-file {}\nend\ndocument sym_{name}\n  Symbols of {name} and the \
             kernel.\nend",
            path.display(),
            kernel.display()
        );
    };
    define("root", &root);
    let mut domains: Vec<_> = fs::read_dir(place.join("programs"))
        .into_iter()
        .flatten()
        .flatten()
        .collect();
    domains.sort_by_key(fs::DirEntry::file_name);
    for entry in domains {
        define(&entry.file_name().to_string_lossy(), &entry.path());
    }
    text.push_str("define sym_program\n  file $arg0\nend\ndocument sym_program\n  Symbols of a Linux program: ");
    text.push_str("sym_program FILE\nend\ntarget remote 127.0.0.1:1234\n");
    let path = place.join("gdbinit");
    write_if_changed(&path, text.as_bytes())?;
    Ok(path)
}
