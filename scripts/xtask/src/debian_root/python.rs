//! Byte-compiling Python's library, as its packages' scripts do: programs start faster.

use crate::process::{run, say};
use anyhow::{Context as _, Result};
use image_packer::tarball;
use image_packer::tree::{Kind, Node, Tree};
use std::fs;
use std::io::BufWriter;
use std::path::Path;
use std::process::Command;

/// What few programs import: it is compiled when it is.
const NOT_COMPILED: &str = "/(test|tests|idlelib|lib2to3|turtledemo|pydoc_data|config-[^/]*)(/|$)";

/// Compiles the library of the tree's Python, if it has one, by that Python under QEMU.
pub fn compile(work: &Path, tree: &mut Tree) -> Result<()> {
    let Some((program, _)) = tree.resolve("usr/bin/python3") else {
        return Ok(());
    };
    let Some(version) = program.rsplit_once('/').map(|(_, name)| name.to_owned()) else {
        return Ok(());
    };
    say(format!("compiling the library of {version}"));
    let scratch = tempfile::tempdir_in(work)?;
    let root = scratch.path();
    let archive = root.join("tree.tar");
    tarball::write(tree, BufWriter::new(fs::File::create(&archive)?))?;
    super::extract(&archive, root)?;
    fs::remove_file(&archive)?;
    let library = root.join(format!("usr/lib/{version}"));
    run(Command::new("qemu-aarch64-static")
        .arg("-L")
        .arg(root)
        .arg(root.join(&program))
        .args([
            "-I",
            "-S",
            "-m",
            "compileall",
            "-q",
            "-j2",
            "-x",
            NOT_COMPILED,
        ])
        .arg("-s")
        .arg(root)
        .args(["-p", "/"])
        .arg(&library)
        .arg(root.join("usr/lib/python3")))
    .context("compiling Python's library")?;
    let sources: Vec<(String, u32)> = tree
        .iter()
        .filter(|(path, _)| path.starts_with("usr/lib/python3") && path.ends_with(".py"))
        .map(|(path, node)| (path.to_owned(), node.mtime))
        .collect();
    let tag = version.replace("python", "cpython-").replace('.', "");
    for (source, mtime) in sources {
        let Some((folder, name)) = source.rsplit_once('/') else {
            continue;
        };
        let stem = name.trim_end_matches(".py");
        let path = format!("{folder}/__pycache__/{stem}.{tag}.pyc");
        if let Ok(data) = fs::read(root.join(&path)) {
            tree.put(&path, Node::new(Kind::File(data), 0o644).at(mtime))?;
        }
    }
    Ok(())
}
