//! Generates the bindings from the kernel tree named by `SEL4_PREFIX`.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use sel4_codegen::Prefix;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("cargo::error=sel4-sys: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed=SEL4_PREFIX");
    let prefix = Prefix::from_env()?;
    for file in prefix.inputs() {
        println!("cargo::rerun-if-changed={}", file.display());
    }
    std::fs::write(
        Path::new(&std::env::var("OUT_DIR")?).join("bindings.rs"),
        prefix.bindings()?,
    )?;
    Ok(())
}
