//! The guest's root file system: the recipe, what the user adds, and Debian's busybox untouched.

use crate::artefacts::Artefacts;
use crate::context::Context;
use crate::process::text;
use crate::stamp::{Key, Stamp};
use crate::{fetch, stamp};
use anyhow::{Context as _, Result};
use image_packer::recipe::{self, Busybox};
use image_packer::source;
use image_packer::tree::Tree;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The whole tree: the recipe, then each of `layers`, then each of `files` (`SRC[:DEST]`).
pub fn tree(context: &Context, layers: &[PathBuf], files: &[String]) -> Result<Tree> {
    let busybox = fetch::deb(context, Artefacts::load(context)?.deb("busybox")?)?;
    let mut tree = base(context, &busybox)?;
    for layer in layers {
        source::rootfs(&mut tree, layer)?;
    }
    for file in files {
        source::add(&mut tree, file)?;
    }
    Ok(tree)
}

fn base(context: &Context, busybox: &Path) -> Result<Tree> {
    let program = fs::read(busybox).with_context(|| format!("reading {}", busybox.display()))?;
    let mtime = u32::try_from(fs::metadata(busybox)?.mtime()).unwrap_or(0);
    let applets = applets(context, busybox, &program)?;
    recipe::build(
        &context.root.join("images/rootfs"),
        &Busybox {
            program: &program,
            applets: &applets,
            mtime,
        },
    )
}

/// The names of the applets that the guest's busybox has.
pub fn applet_names(context: &Context) -> Result<Vec<String>> {
    let busybox = fetch::deb(context, Artefacts::load(context)?.deb("busybox")?)?;
    let program = fs::read(&busybox).with_context(|| format!("reading {}", busybox.display()))?;
    let mut names: Vec<String> = applets(context, &busybox, &program)?
        .lines()
        .filter_map(|path| Some(path.rsplit('/').next()?.to_owned()))
        .collect();
    names.sort();
    names.dedup();
    Ok(names)
}

/// The paths of busybox's applets, as busybox itself tells them.
fn applets(context: &Context, busybox: &Path, program: &[u8]) -> Result<String> {
    let list = context.target.join("rootfs/applets");
    let stamp = Stamp::new(
        context.target.join("rootfs/applets.stamp"),
        Key::new().add(stamp::sha256(program)).finish(),
    );
    if !stamp.fresh() || !list.exists() {
        let text = text(
            Command::new("qemu-aarch64-static")
                .arg(busybox)
                .arg("--list-full"),
        )?;
        fs::create_dir_all(context.target.join("rootfs"))?;
        fs::write(&list, text)?;
        stamp.set()?;
    }
    fs::read_to_string(&list).with_context(|| format!("reading {}", list.display()))
}
