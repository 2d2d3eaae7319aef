//! Checks manifests and compiles them to plans, glue crates, and reports.
//!
//! A system manifest (`systems/*.toml`) names instances of component types (`components/*.toml`), connects them, and says
//! which share a protection domain. [`compile`] checks all of it and yields [`Compiled`]: the plan the root task carries out,
//! the text of one crate for each domain, the capability report and the component graph. After the domains' programs are
//! built, [`archive`] puts plan and programs into the file the root task carries inside.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use manifest_compiler::{archive, compile, Inputs};
//! let inputs = Inputs::new("camkes-like-manifests".as_ref());
//! let compiled = compile("camkes-like-manifests/systems/isolated.toml".as_ref(), &inputs)?;
//! for (path, text) in compiled.files() {
//!     std::fs::write(std::path::Path::new("target/domains").join(path), text)?;
//! }
//! // cargo build --release --target aarch64-unknown-none in target/domains, then
//! let elf = std::fs::read("target/domains/.../domain-memmgr")?;
//! let bytes = archive(&compiled.plan_bytes, &[("memmgr".to_string(), elf)])?;
//! # Ok(()) }
//! ```
//!
//! Every error has a place (file, line, column), what is wrong, and what to do; all errors of a manifest are reported at once.
//! The crate must never let a system pass that the root task could not build or whose domains could wait for each other, and
//! it writes no files: that is left to its caller.

#![deny(unsafe_code)]

mod build;
mod check;
mod decl;
mod elf;
mod glue;
mod layout;
mod model;
mod report;
mod resolve;
mod source;
mod system;
mod tree;

pub use source::CompileError;

use decl::Declarations;
use persona_plan::Plan;
use source::{Errors, Files};
use std::path::{Path, PathBuf};
use system::System;

/// Where things are.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The folder with `components/`, `platforms/` and `interfaces.toml`.
    pub manifests: PathBuf,
    /// The folder of the whole source tree: generated crates refer to the crates in it.
    pub workspace: PathBuf,
}

impl Inputs {
    /// With the manifest folder inside the source tree's root.
    pub fn new(manifests: &Path) -> Inputs {
        let manifests = manifests
            .canonicalize()
            .unwrap_or_else(|_| manifests.to_path_buf());
        Inputs {
            workspace: manifests
                .parent()
                .map_or_else(|| manifests.clone(), Path::to_path_buf),
            manifests,
        }
    }

    /// Folder of one of the tree's crates: `x-server` and `x-api` are components', the rest are libraries.
    fn crate_path(&self, name: &str) -> PathBuf {
        let components = self.workspace.join("components");
        match name.rsplit_once('-') {
            Some((component, "server")) => components.join(component).join("server"),
            Some((component, "api")) => components.join(component).join("api"),
            _ => components.join("libs").join(name),
        }
    }
}

/// The crate of a domain.
#[derive(Clone, Debug)]
pub struct DomainCrate {
    /// Name of the domain.
    pub name: String,
    /// Name of the crate and of the program it makes.
    pub crate_name: String,
    /// Its `Cargo.toml`.
    pub cargo_toml: String,
    /// Its `src/main.rs`.
    pub main_rs: String,
}

/// What a system manifest compiles to.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// Name of the system.
    pub system: String,
    /// The plan.
    pub plan: Plan,
    /// The plan for [`archive`].
    pub plan_bytes: Vec<u8>,
    /// The domains' crates, in the order of their start.
    pub domains: Vec<DomainCrate>,
    /// `Cargo.toml` of a workspace around those crates, each in the folder of its crate name.
    pub workspace_toml: String,
    /// Every object, capability and mapping, for people.
    pub report: String,
    /// The component graph, for Graphviz.
    pub dot: String,
}

impl Compiled {
    /// The files of the generated workspace: path inside of it, and text.
    pub fn files(&self) -> Vec<(PathBuf, &str)> {
        let mut files = vec![
            (PathBuf::from("Cargo.toml"), self.workspace_toml.as_str()),
            (PathBuf::from("report.txt"), self.report.as_str()),
            (PathBuf::from("components.dot"), self.dot.as_str()),
        ];
        for domain in &self.domains {
            let dir = PathBuf::from(&domain.crate_name);
            files.push((dir.join("Cargo.toml"), &domain.cargo_toml));
            files.push((dir.join("src/main.rs"), &domain.main_rs));
        }
        files
    }
}

/// Compiles a system manifest.
///
/// # Errors
/// Everything wrong with it or with the declarations it uses.
pub fn compile(system_manifest: &Path, inputs: &Inputs) -> Result<Compiled, CompileError> {
    let mut files = Files::new(&inputs.manifests);
    let mut errors = Errors::default();
    let path = system_manifest
        .canonicalize()
        .unwrap_or_else(|_| system_manifest.to_path_buf());
    let system = System::read(&path, &inputs.manifests, &mut files, &mut errors);
    let declarations = Declarations::read(&inputs.manifests, &mut files, &mut errors);
    if !errors.is_empty() {
        return Err(errors.into_report(&files));
    }
    let mut model = resolve::resolve(&system, &declarations, &mut errors);
    if !errors.is_empty() {
        return Err(errors.into_report(&files));
    }
    check::check(&mut model, &mut errors);
    if !errors.is_empty() {
        return Err(errors.into_report(&files));
    }
    let built = build::build(&model, &files, &mut errors);
    let plan_bytes = built.plan.to_bytes().unwrap_or_else(|error| {
        errors.general(format!("the plan cannot be encoded: {error}"), "");
        Vec::new()
    });
    if !errors.is_empty() {
        return Err(errors.into_report(&files));
    }
    let domains: Vec<DomainCrate> = built
        .layouts
        .iter()
        .enumerate()
        .map(|(index, layout)| {
            let name = model.domains[index].name.value.clone();
            DomainCrate {
                crate_name: glue::crate_name(&name),
                cargo_toml: glue::cargo_toml(&model, index, inputs),
                main_rs: glue::main_rs(&model, index, layout),
                name,
            }
        })
        .collect();
    Ok(Compiled {
        system: model.name.to_string(),
        workspace_toml: glue::workspace_toml(model.name, &domains),
        report: report::report(&built.plan),
        dot: report::dot(&model),
        plan: built.plan,
        plan_bytes,
        domains,
    })
}

/// Checks a system manifest; the same as [`compile`] without its results.
///
/// # Errors
/// As [`compile`].
pub fn check(system_manifest: &Path, inputs: &Inputs) -> Result<(), CompileError> {
    compile(system_manifest, inputs).map(|_| ())
}

/// Puts a plan and the domains' programs (domain name, ELF file) into an archive. Its file must be linked in page aligned.
///
/// # Errors
/// A program that is none, or cannot be mapped as the plan wants.
pub fn archive(plan_bytes: &[u8], programs: &[(String, Vec<u8>)]) -> Result<Vec<u8>, String> {
    let plan =
        Plan::from_bytes(plan_bytes).map_err(|e| format!("the plan does not decode: {e}"))?;
    let mut images = Vec::new();
    for domain in &plan.domains {
        let (_, elf) = programs
            .iter()
            .find(|(name, _)| *name == domain.name)
            .ok_or_else(|| format!("there is no program for domain `{}`", domain.name))?;
        images.push(elf::image(&domain.name, elf)?);
    }
    persona_plan::archive::write(plan_bytes, &images).map_err(|e| e.to_string())
}
