//! Turns the kernel's configuration into constants, and into metadata for the build scripts of dependents:
//! `DEP_SEL4_CONFIG_PREFIX` (the prefix) and `DEP_SEL4_CONFIG_DEFINES` (`NAME=value` pairs separated by `;`).

use std::error::Error;
use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use sel4_codegen::{Prefix, Value};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("cargo::error=sel4-config: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed=SEL4_PREFIX");
    let prefix = Prefix::from_env()?;
    for file in ["autoconf.h", "include/config.h"] {
        println!(
            "cargo::rerun-if-changed={}",
            prefix.root().join(file).display()
        );
    }
    let config = prefix.config()?;
    let mut source = String::new();
    let mut table = String::new();
    let mut defines = Vec::new();
    for (name, value) in config.iter() {
        let (ty, value, variant) = match value {
            Value::Int(value) => ("i64", value.to_string(), "Int"),
            Value::Str(value) => ("&str", format!("{value:?}"), "Str"),
        };
        writeln!(
            source,
            "/// `{name}` of this kernel.\npub const {name}: {ty} = {value};"
        )?;
        writeln!(table, "    ({name:?}, Value::{variant}({value})),")?;
        defines.push(format!("{name}={}", value.trim_matches('"')));
    }
    writeln!(source, "/// Every configuration name that is defined, sorted.\npub const TABLE: &[(&str, Value)] = &[\n{table}];")?;
    std::fs::write(
        Path::new(&std::env::var("OUT_DIR")?).join("config.rs"),
        source,
    )?;
    println!("cargo::metadata=PREFIX={}", prefix.root().display());
    println!("cargo::metadata=DEFINES={}", defines.join(";"));
    Ok(())
}
