//! A system of Persona, through the command that its users use.

use crate::process::{self, Limits, Stream};
use crate::runner::{End, Outcome, RunSpec, Runner};
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// `cargo xtask run`'s exit status when the time was up.
pub const TIMED_OUT: i32 = 124;

/// How much longer than its own time limit the command may take (building included) before it is killed.
const GRACE: Duration = Duration::from_secs(60);

/// One of the systems in `camkes-like-manifests/systems/`.
#[derive(Clone, Debug)]
pub struct Persona {
    xtask: PathBuf,
    root: PathBuf,
    system: String,
}

impl Persona {
    /// The system of this name, run by this xtask.
    pub fn new(xtask: &Path, root: &Path, system: &str) -> Self {
        Self {
            xtask: xtask.to_owned(),
            root: root.to_owned(),
            system: system.to_owned(),
        }
    }

    /// The command of an interactive session.
    pub fn session(&self) -> Vec<String> {
        vec![
            self.xtask.to_string_lossy().into_owned(),
            "run".to_owned(),
            "--no-build".to_owned(),
            "--system".to_owned(),
            self.system.clone(),
        ]
    }

    /// The folder the command is started in.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

impl Runner for Persona {
    fn name(&self) -> &str {
        &self.system
    }

    fn command(&self, spec: &RunSpec) -> Option<Command> {
        let mut command = Command::new(&self.xtask);
        command
            .current_dir(&self.root)
            // `cargo xtask test` has built what is tested.
            .args(["run", "--no-build", "--system", &self.system, "--timeout"])
            .arg(spec.timeout.as_secs().to_string())
            .args(&spec.flags);
        for (file, to) in &spec.add {
            command.arg("--add").arg(format!("{}:{to}", file.display()));
        }
        for tree in &spec.rootfs {
            command.arg("--rootfs").arg(tree);
        }
        for (name, value) in &spec.env {
            command.arg("--env").arg(format!("{name}={value}"));
        }
        if let Some(cwd) = &spec.cwd {
            command.arg("--cwd").arg(cwd);
        }
        if let Some(mem) = &spec.mem {
            command.arg("--mem").arg(mem);
        }
        command.arg("--").args(&spec.argv);
        Some(command)
    }

    fn run_with(&self, spec: &RunSpec, on_output: &mut dyn FnMut(&[u8])) -> Result<Outcome> {
        let started = Instant::now();
        let mut stdout = Vec::new();
        let mut stderr = Vec::new();
        let mut command = self
            .command(spec)
            .unwrap_or_else(|| Command::new(&self.xtask));
        let status = process::run(
            &mut command,
            spec.stdin.clone(),
            Limits {
                total: spec.timeout + GRACE,
                silence: spec.silence,
            },
            &mut |stream, bytes| {
                match stream {
                    Stream::Out => {
                        stdout.extend_from_slice(bytes);
                        on_output(bytes);
                    }
                    Stream::Err => stderr.extend_from_slice(bytes),
                }
                true
            },
        )?;
        let end = match status.and_then(|status| status.code()) {
            Some(status) => End::Status(status),
            None => End::TimedOut,
        };
        Ok(Outcome {
            end,
            stdout,
            stderr,
            wall: started.elapsed(),
        })
    }
}
