//! Debian's own arm64 kernel in QEMU: the system that says what is right.

use crate::process::{self, Limits, Stream};
use crate::runner::{End, Outcome, RunSpec, Runner};
use anyhow::{bail, Context as _, Result};
use console_frame::{Decoder, Event, Exit, Kind};
use cpio::newc::Builder;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// How long the kernel may take before and after the program.
const BOOT: Duration = Duration::from_secs(60);

/// What the reference system is made of.
#[derive(Clone, Debug)]
pub struct Reference {
    /// The kernel's Image.
    pub kernel: PathBuf,
    /// The root file system that Persona's systems get too, as newc cpio.
    pub rootfs: PathBuf,
    /// Tar archives that runs may lay over that root, each with a cpio archive of the two together.
    pub layered: Vec<(PathBuf, PathBuf)>,
    /// What to call it in recorded results: the package and its version.
    pub label: String,
    /// The environment that `cargo xtask run` gives programs.
    pub env: Vec<(String, String)>,
}

/// Boots it for each run.
#[derive(Debug)]
pub struct DebianLinux {
    reference: Reference,
    init: Vec<u8>,
    rootfs: Vec<u8>,
    work: PathBuf,
}

impl DebianLinux {
    /// Prepares runs whose first process is the program at `init`.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn new(reference: &Reference, init: &Path, target: &Path) -> Result<Self> {
        let read =
            |path: &Path| fs::read(path).with_context(|| format!("reading {}", path.display()));
        Ok(Self {
            reference: reference.clone(),
            init: read(init)?,
            rootfs: read(&reference.rootfs)?,
            work: target.join("tests"),
        })
    }

    /// The common root with a tar archive over it, if that was prepared.
    fn layered(&self, tar: &Path) -> Option<&Path> {
        let known = self.reference.layered.iter();
        known
            .filter(|(known, _)| known == tar)
            .map(|(_, both)| both.as_path())
            .next()
    }

    /// The file system of one run: the common root, then an archive with what this run adds.
    fn initramfs(&self, spec: &RunSpec) -> Result<Vec<u8>> {
        let mut archive = self.rootfs.clone();
        let mut add = Archive::default();
        add.file("init", &self.init, 0o755)?;
        for tree in &spec.rootfs {
            match self.layered(tree) {
                Some(both) => {
                    archive =
                        fs::read(both).with_context(|| format!("reading {}", both.display()))?;
                }
                None => add.tree(tree, "")?,
            }
        }
        for (file, to) in &spec.add {
            let data = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
            add.file(to.trim_start_matches('/'), &data, mode(file)?)?;
        }
        let mut run = Vec::new();
        let mut record = |tag: u8, text: &str| {
            run.push(tag);
            run.extend_from_slice(text.as_bytes());
            run.push(0);
        };
        for argument in &spec.argv {
            record(b'a', argument);
        }
        for (name, value) in self.reference.env.iter().chain(&spec.env) {
            record(b'e', &format!("{name}={value}"));
        }
        if let Some(cwd) = &spec.cwd {
            record(b'd', cwd);
        }
        add.file(".reference/run", &run, 0o600)?;
        add.file(".reference/stdin", &spec.stdin, 0o600)?;
        archive.extend(add.finish()?);
        Ok(archive)
    }
}

#[cfg(unix)]
fn mode(path: &Path) -> Result<u32> {
    use std::os::unix::fs::PermissionsExt;
    Ok(path.metadata()?.permissions().mode())
}

/// A newc archive in the making.
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    inodes: u32,
}

impl Archive {
    fn entry(&mut self, name: &str, data: &[u8], mode: u32) -> Result<()> {
        self.inodes += 1;
        // Far from the numbers of the archive before it.
        let builder = Builder::new(name).ino(0x4000_0000 + self.inodes).mode(mode);
        let size = u32::try_from(data.len()).context("a file of 4 GiB or more")?;
        let mut writer = builder.write(&mut self.bytes, size);
        writer.write_all(data)?;
        writer.finish()?;
        Ok(())
    }

    fn file(&mut self, name: &str, data: &[u8], mode: u32) -> Result<()> {
        let mut at = 0;
        while let Some(slash) = name.get(at..).and_then(|rest| rest.find('/')) {
            at += slash;
            self.entry(name.get(..at).unwrap_or_default(), &[], 0o040_755)?;
            at += 1;
        }
        self.entry(name, data, 0o100_000 | (mode & 0o7777))
    }

    fn tree(&mut self, folder: &Path, under: &str) -> Result<()> {
        for item in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
            let item = item?;
            let name = format!("{under}{}", item.file_name().to_string_lossy());
            let kind = item.file_type()?;
            if kind.is_dir() {
                self.entry(&name, &[], 0o040_000 | (mode(&item.path())? & 0o7777))?;
                self.tree(&item.path(), &format!("{name}/"))?;
            } else if kind.is_symlink() {
                let to = fs::read_link(item.path())?;
                self.entry(&name, to.to_string_lossy().as_bytes(), 0o120_777)?;
            } else {
                let data = fs::read(item.path())?;
                self.entry(&name, &data, 0o100_000 | (mode(&item.path())? & 0o7777))?;
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<u8>> {
        Ok(cpio::newc::trailer(self.bytes)?)
    }
}

impl Runner for DebianLinux {
    fn name(&self) -> &str {
        "debian"
    }

    fn command(&self, _spec: &RunSpec) -> Option<Command> {
        None
    }

    fn run_with(&self, spec: &RunSpec, on_output: &mut dyn FnMut(&[u8])) -> Result<Outcome> {
        // A file of this run's own: several runs may go on at once.
        let mut initramfs = tempfile::NamedTempFile::new_in(&self.work)
            .with_context(|| format!("making a file in {}", self.work.display()))?;
        initramfs.write_all(&self.initramfs(spec)?)?;
        let started = Instant::now();
        let mut command = Command::new("qemu-system-aarch64");
        // Linux unpacks the archive into at most half of the memory, beside the archive itself.
        let usual = if spec.rootfs.iter().any(|tree| self.layered(tree).is_some()) {
            "1G"
        } else {
            "512M"
        };
        command
            .args(["-M", "virt", "-cpu", "cortex-a53", "-m", spec.mem.as_deref().unwrap_or(usual)])
            .args(["-display", "none", "-monitor", "none", "-no-reboot", "-nic", "none"])
            .args(["-serial", "stdio", "-kernel"])
            .arg(&self.reference.kernel)
            .arg("-initrd")
            .arg(initramfs.path())
            .args([
                "-append",
                "console=ttyAMA0 quiet loglevel=0 kpti=off nokaslr audit=0 random.trust_bootloader=on panic=-1",
            ]);
        let mut decoder = Decoder::new();
        let mut stdout = Vec::new();
        let mut stderr = Vec::new();
        let mut exit = Vec::new();
        let limits = Limits {
            total: spec.timeout + BOOT,
            silence: spec.silence,
        };
        process::run(&mut command, Vec::new(), limits, &mut |stream, bytes| {
            if stream == Stream::Err {
                stderr.extend_from_slice(bytes);
                return true;
            }
            let mut ended = false;
            decoder.feed(bytes, |event| match event {
                Event::Data {
                    kind: Kind::Output,
                    bytes,
                    ..
                } => {
                    stdout.extend_from_slice(bytes);
                    on_output(bytes);
                }
                Event::Data {
                    kind: Kind::Exit,
                    bytes,
                    last,
                } => {
                    exit.extend_from_slice(bytes);
                    ended = last;
                }
                Event::Raw(bytes) => stderr.extend_from_slice(bytes),
                Event::Begin { .. } | Event::Data { .. } => (),
            });
            !ended
        })?;
        let end = match Exit::from_payload(&exit) {
            Some(Exit::Exited(status)) => End::Status(status & 0xff),
            Some(Exit::Killed(signal)) => End::Status(128 + signal),
            Some(other) => bail!(
                "the reference system failed ({other:?}): {}",
                String::from_utf8_lossy(&stderr)
            ),
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
