//! What a test asks of a system, and what comes back.

use anyhow::Result;
use std::path::PathBuf;
use std::time::Duration;

/// One program to run as the first process of a freshly booted system.
#[derive(Clone, Debug)]
pub struct RunSpec {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Files to put into the root: what, and where.
    pub add: Vec<(PathBuf, String)>,
    /// Trees to lay over the root.
    pub rootfs: Vec<PathBuf>,
    /// Additional environment.
    pub env: Vec<(String, String)>,
    /// Working directory of the program.
    pub cwd: Option<String>,
    /// What the program finds on its standard input.
    pub stdin: Vec<u8>,
    /// How long it may run.
    pub timeout: Duration,
    /// How long it may print nothing.
    pub silence: Duration,
    /// Size of the system's memory, as QEMU's `-m` takes it.
    pub mem: Option<String>,
    /// More flags of `cargo xtask run`, for cases that only Persona has.
    pub flags: Vec<String>,
}

impl RunSpec {
    /// A run of this program with nothing special.
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            add: Vec::new(),
            rootfs: Vec::new(),
            env: Vec::new(),
            cwd: None,
            stdin: Vec::new(),
            timeout: Duration::from_secs(30),
            silence: Duration::MAX,
            mem: None,
            flags: Vec::new(),
        }
    }

    /// A run of a shell script.
    pub fn sh(script: &str) -> Self {
        Self::new(["sh", "-c", script])
    }

    /// Sets what the program reads.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Adds a file.
    #[must_use]
    pub fn add(mut self, file: impl Into<PathBuf>, guest_path: &str) -> Self {
        self.add.push((file.into(), guest_path.to_owned()));
        self
    }

    /// Adds a variable to the environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds flags of `cargo xtask run`.
    #[must_use]
    pub fn flags(mut self, flags: &[&str]) -> Self {
        self.flags
            .extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }

    /// Sets the time limit in seconds.
    #[must_use]
    pub fn seconds(mut self, seconds: u64) -> Self {
        self.timeout = Duration::from_secs(seconds);
        self
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With this exit status (128 + signal when the program was killed).
    Status(i32),
    /// It was still running when its time was up.
    TimedOut,
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(status) => write!(f, "status {status}"),
            Self::TimedOut => write!(f, "time-out"),
        }
    }
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// What the program printed.
    pub stdout: Vec<u8>,
    /// What the system said beside that.
    pub stderr: Vec<u8>,
    /// How long it took, boot included.
    pub wall: Duration,
}

impl Outcome {
    /// The output as text, wrong UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// The last lines of what the system said, for a failure's report.
    pub fn complaint(&self) -> String {
        let text = String::from_utf8_lossy(&self.stderr);
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        let from = lines.len().saturating_sub(4);
        lines.get(from..).unwrap_or_default().join(" | ")
    }
}

/// A system that runs Linux programs.
pub trait Runner: Sync {
    /// The system's name in reports.
    fn name(&self) -> &str;

    /// Boots, runs the program, ends the system. `on_output` sees the program's output as it comes.
    ///
    /// # Errors
    /// When the system could not be started at all.
    fn run_with(&self, spec: &RunSpec, on_output: &mut dyn FnMut(&[u8])) -> Result<Outcome>;

    /// [`Runner::run_with`] for those who wait for the end.
    ///
    /// # Errors
    /// The same.
    fn run(&self, spec: &RunSpec) -> Result<Outcome> {
        self.run_with(spec, &mut |_| ())
    }

    /// The command line that a user would give for this run, when users can have this system.
    fn command(&self, spec: &RunSpec) -> Option<std::process::Command>;
}
