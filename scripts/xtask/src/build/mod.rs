//! `cargo xtask build` and `image`: kernel, components, root task, loader, and the image made of them.
//!
//! The order is given by what needs what: the kernel's prefix (the bindings are generated from it), the manifest's
//! domains, the archive of plan and domains' programs, the root task around it, the loader, the image. cargo knows what
//! of its part is fresh, the kernel's builder knows it of its own; the rest is compared by content, so that nothing is
//! written that has not changed.

mod cargo;
mod gdb;

use crate::context::Context;
use crate::process::say;
use crate::setup::{self, Ready};
use crate::stamp::sha256;
use anyhow::{bail, Context as _, Result};
use cargo::{Cargo, Task};
use manifest_compiler::{compile, Compiled, Inputs};
use std::fs;
use std::path::{Path, PathBuf};

pub use gdb::write_script as write_gdb_script;

/// The system that boots when none is named.
pub const DEFAULT_SYSTEM: &str = "isolated";
/// The packages every image has.
const ROOT: &str = "root-task";
const LOADER: &str = "persona-loader";
/// Where manifests lie in the repository.
const MANIFESTS: &str = "camkes-like-manifests";

/// Which kernel a system boots with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// What images ship.
    Release,
    /// The kernel checks itself and talks.
    Debug,
}

impl Profile {
    /// The kernel's profile of the same name.
    fn kernel(self) -> kernel_build::Profile {
        match self {
            Self::Release => kernel_build::Profile::Release,
            Self::Debug => kernel_build::Profile::Debug,
        }
    }

    /// Its name in paths.
    pub fn name(self) -> &'static str {
        self.kernel().name()
    }
}

/// What a build made.
#[derive(Clone, Debug)]
pub struct Built {
    /// The image QEMU loads.
    pub image: PathBuf,
    /// The kernel with its symbols.
    pub kernel: PathBuf,
    /// The root task with its symbols.
    pub root: PathBuf,
    /// The domains' programs with their symbols, by domain.
    pub domains: Vec<(String, PathBuf)>,
}

impl Built {
    /// Says what was made and how large it is, in bytes.
    pub fn show(&self) -> Result<()> {
        let parts = [("kernel", &self.kernel), ("root task", &self.root)];
        let domains = self
            .domains
            .iter()
            .map(|(name, path)| (name.as_str(), path));
        for (name, path) in parts
            .into_iter()
            .chain(domains)
            .chain([("image", &self.image)])
        {
            let size = fs::metadata(path)
                .with_context(|| format!("reading {}", path.display()))?
                .len();
            println!("{name:12} {size:>10}  {}", path.display());
        }
        Ok(())
    }
}

/// The names of the systems in the repository: the manifests that name one. Others are only there to be extended.
pub fn systems(context: &Context) -> Result<Vec<String>> {
    let folder = context.root.join(MANIFESTS).join("systems");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("listing {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let text =
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let named = text.parse::<toml::Table>().map(|manifest| {
            manifest
                .get("system")
                .is_some_and(|system| system.get("name").is_some())
        });
        // One that cannot be read is left to the manifest compiler, which says where it is wrong.
        if named.unwrap_or(true) {
            names.extend(
                path.file_stem()
                    .map(|name| name.to_string_lossy().into_owned()),
            );
        }
    }
    names.sort();
    Ok(names)
}

/// Whether a system is given by the file of its manifest, not by the name of one in the repository.
fn is_file(system: &str) -> bool {
    Path::new(system)
        .extension()
        .is_some_and(|extension| extension == "toml")
}

/// Where everything of one system lies.
pub fn folder(context: &Context, system: &str, profile: Profile) -> PathBuf {
    let name = if is_file(system) {
        // Manifests of the same name in different places are different systems.
        let place = Path::new(system)
            .canonicalize()
            .unwrap_or_else(|_| PathBuf::from(system));
        let stem = place
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        format!(
            "{stem}-{}",
            &sha256(place.as_os_str().as_encoded_bytes())[..8]
        )
    } else {
        system.to_owned()
    };
    let name = match profile {
        Profile::Release => name,
        Profile::Debug => format!("{name}-debug"),
    };
    context.target.join("persona").join(name)
}

/// Where the image of a system lies.
pub fn image_path(context: &Context, system: &str, profile: Profile) -> PathBuf {
    folder(context, system, profile).join("persona.img")
}

/// Sets up, builds what changed and gives the image.
pub fn image(context: &Context, system: &str, profile: Profile) -> Result<PathBuf> {
    let ready = setup::all(context)?;
    Ok(image_with(context, &ready, system, profile)?.image)
}

/// Builds what changed.
pub fn image_with(
    context: &Context,
    ready: &Ready,
    system: &str,
    profile: Profile,
) -> Result<Built> {
    let _lock = context.lock("build")?;
    let prefix = kernel(context, ready, profile)?;
    let folder = folder(context, system, profile);
    let compiled = manifest(context, system)?;
    let cargo = Cargo {
        context,
        toolchain: &ready.toolchain,
        prefix: &prefix,
    };

    let workspace = generate(context, &compiled, &folder)?;
    let built = cargo.domains(&workspace, &compiled, profile, Task::Build)?;
    let mut programs = Vec::new();
    for (domain, path) in &built {
        let elf = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        programs.push((domain.clone(), elf));
        // The shared folder keeps one system's programs only; a debugger wants those of this system.
        let kept = folder.join("programs").join(domain);
        write_if_changed(&kept, &programs[programs.len() - 1].1)?;
    }
    let archive =
        manifest_compiler::archive(&compiled.plan_bytes, &programs).map_err(anyhow::Error::msg)?;
    let archive_path = folder.join("system.archive");
    write_if_changed(&archive_path, &archive)?;

    let programs = cargo.programs(&folder.join("cargo"), &[ROOT, LOADER], Some(&archive_path))?;
    let root = programs[0].clone();
    let kernel = prefix.join("bin/kernel.elf");
    let image = pack(&programs[1], &kernel, &root)?;
    let image_path = image_path(context, system, profile);
    write_if_changed(&image_path, &image)?;
    let domains = built
        .into_iter()
        .map(|(name, _)| (name.clone(), folder.join("programs").join(name)))
        .collect();
    Ok(Built {
        image: image_path,
        kernel,
        root,
        domains,
    })
}

/// An image of loader, kernel and `package`, which is a root task of its own; gives where it is.
pub fn bare(context: &Context, ready: &Ready, package: &str, profile: Profile) -> Result<PathBuf> {
    let _lock = context.lock("build")?;
    let prefix = kernel(context, ready, profile)?;
    let folder = context
        .target
        .join("tests")
        .join(format!("{package}-{}", profile.name()));
    let cargo = Cargo {
        context,
        toolchain: &ready.toolchain,
        prefix: &prefix,
    };
    let programs = cargo.programs(&folder.join("cargo"), &[package, LOADER], None)?;
    let image = pack(&programs[1], &prefix.join("bin/kernel.elf"), &programs[0])?;
    let path = folder.join("persona.img");
    write_if_changed(&path, &image)?;
    Ok(path)
}

/// An image of loader, kernel and the root task with a system of two domains, which check what they were given; gives where
/// it is.
pub fn probe(context: &Context, ready: &Ready, profile: Profile) -> Result<PathBuf> {
    const PROBE: &str = "plan-probe";
    let _lock = context.lock("build")?;
    let prefix = kernel(context, ready, profile)?;
    let folder = context
        .target
        .join("tests")
        .join(format!("{PROBE}-{}", profile.name()));
    let manifests = context.root.join("root-task/probe/manifests");
    let compiled = compile(
        &manifests.join("systems/probe.toml"),
        &Inputs::new(&manifests),
    )
    .map_err(|error| anyhow::anyhow!("{error}"))?;
    let cargo = Cargo {
        context,
        toolchain: &ready.toolchain,
        prefix: &prefix,
    };
    let target = folder.join("cargo");
    let program = fs::read(&cargo.programs(&target, &[PROBE], None)?[0])?;
    let programs: Vec<(String, Vec<u8>)> = compiled
        .domains
        .iter()
        .map(|domain| (domain.name.clone(), program.clone()))
        .collect();
    let archive =
        manifest_compiler::archive(&compiled.plan_bytes, &programs).map_err(anyhow::Error::msg)?;
    let archive_path = folder.join("system.archive");
    write_if_changed(&archive_path, &archive)?;
    let programs = cargo.programs(&target, &[ROOT, LOADER], Some(&archive_path))?;
    let image = pack(&programs[1], &prefix.join("bin/kernel.elf"), &programs[0])?;
    let path = folder.join("persona.img");
    write_if_changed(&path, &image)?;
    Ok(path)
}

fn pack(loader: &Path, kernel: &Path, root: &Path) -> Result<Vec<u8>> {
    let read = |path: &Path| fs::read(path).with_context(|| format!("reading {}", path.display()));
    let image = image_packer::image::pack(&read(loader)?, &read(kernel)?, &read(root)?)
        .context("packing the image")?;
    Ok(image.bytes)
}

/// clippy over everything that is built for the target, warnings being errors.
pub fn clippy(context: &Context, system: &str, profile: Profile) -> Result<()> {
    let ready = setup::all(context)?;
    let built = image_with(context, &ready, system, profile)?;
    let _lock = context.lock("build")?;
    let prefix = kernel(context, &ready, profile)?;
    let compiled = manifest(context, system)?;
    let folder = folder(context, system, profile);
    let cargo = Cargo {
        context,
        toolchain: &ready.toolchain,
        prefix: &prefix,
    };
    let workspace = generate(context, &compiled, &folder)?;
    cargo.domains(&workspace, &compiled, profile, Task::Clippy)?;
    let archive = built.image.with_file_name("system.archive");
    cargo.lint(&folder.join("cargo"), &archive)
}

/// Builds the kernel and gives its prefix.
fn kernel(context: &Context, ready: &Ready, profile: Profile) -> Result<PathBuf> {
    let prefix = context.target.join("sel4").join(profile.name());
    if !prefix.exists() {
        say(format!("building the kernel ({})", profile.name()));
    }
    kernel_build::build(&kernel_build::Options {
        source_dir: ready.kernel.join("seL4"),
        out_prefix: prefix.clone(),
        profile: profile.kernel(),
        routes: lsyscall_table::routes(),
        python: ready.python.clone(),
    })
    .context("building the kernel")?;
    Ok(prefix)
}

/// Compiles a system's manifest.
fn manifest(context: &Context, system: &str) -> Result<Compiled> {
    let folder = context.root.join(MANIFESTS);
    let path = if is_file(system) {
        PathBuf::from(system)
    } else {
        folder.join("systems").join(format!("{system}.toml"))
    };
    if !path.exists() {
        bail!(
            "there is no system `{system}`; there are: {}",
            systems(context)?.join(", ")
        );
    }
    compile(&path, &Inputs::new(&folder)).map_err(|error| anyhow::anyhow!("{error}"))
}

/// Writes the generated workspace of a system; gives its folder.
fn generate(context: &Context, compiled: &Compiled, folder: &Path) -> Result<PathBuf> {
    let workspace = folder.join("workspace");
    for (path, text) in compiled.files() {
        write_if_changed(&workspace.join(path), text.as_bytes())?;
    }
    // The versions of the repository's lock file count here as well; cargo only leaves out what is not used.
    let lock = fs::read(context.root.join("Cargo.lock")).context("reading Cargo.lock")?;
    if write_if_changed(&folder.join("Cargo.lock.seed"), &lock)?
        || !workspace.join("Cargo.lock").exists()
    {
        fs::write(workspace.join("Cargo.lock"), &lock)?;
    }
    Ok(workspace)
}

/// Writes a file unless it holds just that; gives whether it did.
fn write_if_changed(path: &Path, data: &[u8]) -> Result<bool> {
    if fs::read(path).is_ok_and(|old| old == data) {
        return Ok(false);
    }
    let at = || format!("writing {}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(at)?;
    }
    // By a new file: a QEMU that is just loading the old one keeps it.
    let new = path.with_extension("new");
    fs::write(&new, data).with_context(at)?;
    fs::rename(&new, path).with_context(at)?;
    Ok(true)
}
