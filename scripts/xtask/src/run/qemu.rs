//! The emulator as a child that does not outlive us.

use crate::process::on_path;
use anyhow::{bail, Context as _, Result};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// What to boot and on which machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The image: loader, kernel, root task, components.
    pub image: PathBuf,
    /// The root file system, if it has one.
    pub initrd: Option<PathBuf>,
    /// The run's settings.
    pub append: String,
    /// RAM, in QEMU's words (`512M`).
    pub memory: String,
    /// The CPU model.
    pub cpu: String,
    /// Count instructions instead of time; every run is then the same.
    pub icount: bool,
    /// Wait for a debugger on TCP port 1234.
    pub gdb: bool,
    /// More arguments for QEMU.
    pub extra: Vec<String>,
}

impl Machine {
    /// QEMU's arguments.
    pub fn arguments(&self) -> Vec<String> {
        let text = |path: &PathBuf| path.to_string_lossy().into_owned();
        let mut arguments: Vec<String> = ["-M", "virt", "-cpu"].map(str::to_owned).to_vec();
        arguments.extend([self.cpu.clone(), "-m".into(), self.memory.clone()]);
        arguments.extend(
            [
                "-nodefaults",
                "-display",
                "none",
                "-serial",
                "stdio",
                "-no-reboot",
            ]
            .map(str::to_owned),
        );
        arguments.extend(["-kernel".into(), text(&self.image)]);
        if let Some(initrd) = &self.initrd {
            arguments.extend(["-initrd".into(), text(initrd)]);
        }
        arguments.extend(["-append".into(), self.append.clone()]);
        if self.icount {
            arguments.extend(["-icount", "shift=0,sleep=off", "-seed", "1"].map(str::to_owned));
            arguments.extend(["-rtc", "base=2025-01-01,clock=vm"].map(str::to_owned));
        }
        if self.gdb {
            arguments.extend(["-gdb", "tcp:127.0.0.1:1234", "-S"].map(str::to_owned));
        }
        arguments.extend(self.extra.iter().cloned());
        arguments
    }

    /// Starts it; gives its serial line's input and output as well.
    pub fn start(&self) -> Result<(Qemu, ChildStdin, ChildStdout)> {
        const PROGRAM: &str = "qemu-system-aarch64";
        if !on_path(PROGRAM) {
            bail!("{PROGRAM} is not installed; `cargo xtask setup` installs it");
        }
        // Should we be killed without a chance to clean up, the kernel ends QEMU.
        let mut command = if on_path("setpriv") {
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "KILL", PROGRAM]);
            command
        } else {
            Command::new(PROGRAM)
        };
        command
            .args(self.arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        // A group of its own: keys typed at the terminal signal us, and we end QEMU in order.
        command.process_group(0);
        let mut child = command
            .spawn()
            .with_context(|| format!("starting {PROGRAM}"))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let qemu = Qemu { child };
        match (stdin, stdout) {
            (Some(stdin), Some(stdout)) => Ok((qemu, stdin, stdout)),
            _ => bail!("{PROGRAM} was started without pipes"),
        }
    }
}

/// A running emulator; dropping it kills and reaps it.
pub struct Qemu {
    child: Child,
}

impl Qemu {
    /// Waits for it to end by itself, which its serial line said it does; gives its status in words.
    pub fn ended(&mut self) -> String {
        self.child
            .wait()
            .map_or_else(|error| error.to_string(), |status| status.to_string())
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        // It may have ended already; waiting leaves no zombie either way.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
