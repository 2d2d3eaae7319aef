//! Compiles the probe's own system: its program carries the plan to compare with.

use manifest_compiler::{compile, Inputs};
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let manifests = Path::new("manifests");
    println!("cargo:rerun-if-changed=manifests");
    let compiled = compile(
        &manifests.join("systems/probe.toml"),
        &Inputs::new(manifests),
    )?;
    let out = std::env::var("OUT_DIR")?;
    std::fs::write(Path::new(&out).join("plan.bin"), compiled.plan_bytes)?;
    Ok(())
}
