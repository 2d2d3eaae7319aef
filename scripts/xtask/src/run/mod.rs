//! `cargo xtask run`: boots a system and connects its first process to this one's standard streams.

mod args;
mod demux;
mod input;
mod program;
mod qemu;
mod session;
mod terminal;

use crate::build::{self, Profile};
use crate::context::Context;
use crate::rootfs;
use anyhow::{bail, Result};
use args::{BootArgs, Stdio};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use program::environment;
pub use qemu::Machine;

/// The system itself failed: it died, said it failed, or could not be built or started.
pub const SYSTEM_FAILED: u8 = 125;
/// The time given by `--timeout` ran out.
pub const TIMED_OUT: u8 = 124;
/// The program is there but is no executable file.
pub const NOT_EXECUTABLE: u8 = 126;
/// There is no such program in the root file system.
pub const NOT_FOUND: u8 = 127;
/// Bytes of memory that kernel, components and a small program need beside the root file system.
const ROOM: u64 = 11 << 20;

/// Boots a system and runs a program in it, an interactive shell by default.
///
/// With a PROGRAM, its output is the standard output, its input the standard input, and its exit status the status of
/// this command: 128 + the signal's number if it was killed, 124 when the time ran out, 125 when the system failed,
/// 126 and 127 when the program is no program or is not there.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// The system to boot: the name of a manifest in camkes-like-manifests/systems, or a manifest file (.toml)
    #[arg(long, value_name = "NAME", default_value = build::DEFAULT_SYSTEM)]
    pub system: String,
    /// RAM of the machine, such as 64M or 2G
    #[arg(long, value_name = "SIZE", default_value = "512M", value_parser = memory)]
    pub mem: String,
    /// CPU model of the machine, in QEMU's words
    #[arg(long, value_name = "CPU", default_value = "cortex-a53")]
    pub cpu: String,
    /// Puts a folder or tar archive over the root file system, with modes, links and owners
    #[arg(long, value_name = "DIR|TAR")]
    pub rootfs: Vec<PathBuf>,
    /// Puts a file or folder into the root file system; without DEST as /NAME
    #[arg(long, value_name = "SRC[:DEST]")]
    pub add: Vec<String>,
    /// Sets a variable of the program's environment
    #[arg(long, value_name = "K=V", value_parser = variable)]
    pub env: Vec<(String, String)>,
    /// The program's working directory
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub cwd: String,
    /// Counts instructions instead of time: every run of the same image is the same
    #[arg(long)]
    pub icount: bool,
    /// Waits for a debugger before the first instruction
    #[arg(long)]
    pub gdb: bool,
    /// Shows the system calls of these classes on standard error; all without CLASS
    #[arg(long, value_name = "CLASS,...", num_args = 0..=1, require_equals = true, value_delimiter = ',',
          default_missing_value = "all")]
    pub trace: Option<Vec<String>>,
    /// Ends the run after so many seconds, with status 124
    #[arg(long, value_name = "S", value_parser = seconds)]
    pub timeout: Option<Duration>,
    /// Shows what loader, kernel and components say
    #[arg(short, long)]
    pub verbose: bool,
    /// Boots the kernel that checks itself and talks
    #[arg(long)]
    pub debug_kernel: bool,
    /// Takes the image as it is, without looking whether it must be built
    #[arg(long)]
    pub no_build: bool,
    /// One more argument for QEMU
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    pub qemu_arg: Vec<String>,
    /// The program and its arguments; a name without a slash is looked for in /bin, /sbin, /usr/bin, /usr/sbin
    #[arg(last = true, value_name = "PROGRAM")]
    pub program: Vec<String>,
}

fn memory(text: &str) -> Result<String, String> {
    let digits = text.trim_end_matches(['k', 'K', 'm', 'M', 'g', 'G']);
    let unit = &text[digits.len()..];
    if unit.len() > 1 || digits.parse::<u32>().map_or(true, |number| number == 0) {
        return Err("a number with K, M or G is wanted, such as 64M".into());
    }
    // QEMU's own unit is the megabyte.
    Ok(if unit.is_empty() {
        format!("{digits}M")
    } else {
        text.to_uppercase()
    })
}

/// Bytes of a size that [`memory`] took.
fn bytes(size: &str) -> u64 {
    let unit = match size.chars().last() {
        Some('K') => 10,
        Some('G') => 30,
        _ => 20,
    };
    let digits = size.trim_end_matches(['K', 'M', 'G']);
    digits.parse::<u64>().unwrap_or(0) << unit
}

/// The root file system lies in the machine's memory: an error if the system would have no room beside it.
fn enough(memory: &str, archive: u64) -> Result<()> {
    let least = archive + ROOM;
    if bytes(memory) < least {
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        bail!(
            "the root file system has {} MiB and is part of the machine's memory, of which there are {memory}; give at \
             least --mem {}M",
            mib(archive),
            mib(least)
        );
    }
    Ok(())
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("NAME=VALUE is wanted".into()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds < 1e9 => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("a number of seconds above 0 is wanted".into()),
    }
}

/// Runs, and gives the status to exit with: an error of ours is never taken for the program's.
pub fn main(context: &Context, options: &RunArgs) -> ExitCode {
    ExitCode::from(run(context, options).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        SYSTEM_FAILED
    }))
}

/// Builds what must be built, boots, and gives the status to exit with.
fn run(context: &Context, options: &RunArgs) -> Result<u8> {
    let profile = if options.debug_kernel {
        Profile::Debug
    } else {
        Profile::Release
    };
    let image = if options.no_build {
        let image = build::image_path(context, &options.system, profile);
        if !image.exists() {
            bail!("there is no {}; run without --no-build", image.display());
        }
        image
    } else {
        build::image(context, &options.system, profile)?
    };
    let tree = rootfs::tree(context, &options.rootfs, &options.add)?;
    let tty = terminal::interactive();
    let program = match program::choose(&tree, options, tty) {
        Ok(program) => program,
        Err(refusal) => {
            eprintln!("{}", refusal.text);
            return Ok(refusal.status);
        }
    };
    // Every run has an archive of its own: several may be going on at once.
    let runs = context.target.join("persona/runs");
    std::fs::create_dir_all(&runs)?;
    let scratch = tempfile::Builder::new().tempdir_in(&runs)?;
    let initrd = scratch.path().join("rootfs.cpio");
    let archive = image_packer::cpio::write(&tree)?;
    enough(&options.mem, archive.len() as u64)?;
    std::fs::write(&initrd, archive)?;

    let boot = BootArgs {
        stdio: if tty { Stdio::Tty } else { Stdio::Pipe },
        init: program.path,
        argv: program.argv,
        env: program.env,
        cwd: options.cwd.clone(),
        trace: options.trace.clone().unwrap_or_default(),
        window: if tty { terminal::window() } else { None },
        epoch: if options.icount { 1_735_689_600 } else { now() },
        seed: seed(options.icount)?,
    };
    let machine = Machine {
        image,
        initrd: Some(initrd),
        append: boot.encode(),
        memory: options.mem.clone(),
        cpu: options.cpu.clone(),
        icount: options.icount,
        gdb: options.gdb,
        extra: options.qemu_arg.clone(),
    };
    if options.gdb {
        let script = build::write_gdb_script(context, &options.system, profile)?;
        eprintln!(
            "waiting for a debugger: gdb-multiarch -x {}",
            script.display()
        );
    }
    let settings = session::Settings {
        tty,
        shell: options.program.is_empty(),
        verbose: options.verbose,
        timeout: options.timeout,
        banner: banner(options),
    };
    session::run(&machine, &settings)
}

fn banner(options: &RunArgs) -> String {
    format!(
        "Persona: Linux programs on seL4 (system {}, {} {}).\nTo leave: exit, or Ctrl-A x. Ctrl-A h helps.",
        options.system, options.cpu, options.mem
    )
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs())
}

/// Entropy of the host, or a fixed seed when every run must be the same.
fn seed(fixed: bool) -> Result<[u8; 32]> {
    let mut seed = [0x5A; 32];
    if !fixed {
        use std::io::Read as _;
        std::fs::File::open("/dev/urandom")?.read_exact(&mut seed)?;
    }
    Ok(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_checked() {
        assert_eq!(memory("64m").as_deref(), Ok("64M"));
        assert_eq!(memory("64").as_deref(), Ok("64M"));
        for bad in ["", "M", "12Q", "1MM", "0", "-5M"] {
            assert!(memory(bad).is_err(), "{bad}");
        }
        assert_eq!(
            (bytes("64M"), bytes("2G"), bytes("65536K")),
            (64 << 20, 2 << 30, 64 << 20)
        );
        assert!(enough("512M", 140 << 20).is_ok() && enough("128M", 140 << 20).is_err());
        assert!(seconds("0").is_err() && seconds("x").is_err() && seconds("1.5").is_ok());
        assert!(variable("=x").is_err() && variable("x").is_err());
        assert_eq!(variable("A=b=c"), Ok(("A".into(), "b=c".into())));
    }
}
