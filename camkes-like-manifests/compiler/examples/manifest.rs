//! Compiles a system manifest and prints its capability report (or, with `--dot`, its component graph, or with `--glue` the
//! generated crates).

use manifest_compiler::{compile, Inputs};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some(path) = args.iter().find(|a| !a.starts_with("--")) else {
        eprintln!("usage: manifest SYSTEM.toml [--dot | --glue]");
        return ExitCode::from(2);
    };
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    match compile(Path::new(path), &Inputs::new(&manifests)) {
        Ok(compiled) if args.iter().any(|a| a == "--dot") => print!("{}", compiled.dot),
        Ok(compiled) if args.iter().any(|a| a == "--glue") => {
            for (path, text) in compiled.files() {
                println!("==> {}\n{text}", path.display());
            }
        }
        Ok(compiled) => print!("{}", compiled.report),
        Err(errors) => {
            eprint!("{errors}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
