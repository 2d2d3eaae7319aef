//! Scripts whose output must be what Debian's kernel gives: for busybox's shell, and for Debian's own programs.
//!
//! A suite's scripts run in one boot (one for each size of memory they want), each in a fresh folder with its two outputs
//! as one stream. What they printed, and their status as the last line, is compared to the file of the same name in the
//! suite's `expected` folder, which a run on the reference system wrote.
//!
//! Comments at the top of a script say what it needs (see [`Script`]).

use crate::report::{Report, Verdict};
use crate::runner::{RunSpec, Runner};
use anyhow::{Context as _, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const GUEST_FOLDER: &str = "/tests/scripts";
/// Where a script's programs are in the guest.
const GUEST_PROGRAMS: &str = "/usr/bin";
/// How often a system may be booted again after a script that ended it.
const BOOTS: usize = 6;

const DRIVER: &str = r#"
for entry in "$@"; do
    limit=${entry%%:*}; entry=${entry#*:}; shell=${entry%%:*}; path=${entry#*:}
    name=${path##*/}; name=${name%.*}
    mkdir -p "/tmp/s.$name"; cd "/tmp/s.$name"
    echo "@@BEGIN $name"
    timeout -s KILL "$limit" $shell "$path" </dev/null 2>&1
    status=$?; echo; echo "@@END $name $status"
done
echo @@DONE
"#;

/// Programs by the name a script asks for, or why there is none.
pub type Programs = BTreeMap<String, Result<PathBuf, String>>;

/// A suite: a folder of scripts.
pub struct Scripts {
    /// What its cases begin with.
    suite: &'static str,
    scripts: Vec<Script>,
    expected: PathBuf,
    /// The tree to lay over the root.
    rootfs: Option<PathBuf>,
}

/// One script and what the comments at its top (`# key: value`) say:
/// - `programs`: the programs it runs, which it finds on its path;
/// - `shell`: the program that runs it;
/// - `memory`: the size of the machine's memory (512M);
/// - `limit`: how long it may take, in seconds;
/// - `large`: with any value, that it is run when large ones are asked for only.
struct Script {
    path: PathBuf,
    name: String,
    programs: Vec<String>,
    shell: String,
    memory: String,
    limit: u64,
    large: bool,
}

impl Script {
    /// Reads one; `shell` and `limit` are the suite's own.
    fn read(path: &Path, shell: &str, limit: u64) -> Result<Self> {
        let text =
            fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let said = |key: &str| -> Option<&str> {
            text.lines()
                .take_while(|line| line.starts_with('#'))
                .find_map(|line| {
                    line.strip_prefix("# ")?
                        .strip_prefix(key)?
                        .strip_prefix(": ")
                })
        };
        Ok(Self {
            path: path.to_owned(),
            name: path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            programs: said("programs")
                .unwrap_or_default()
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
            shell: said("shell").unwrap_or(shell).to_owned(),
            memory: said("memory").unwrap_or("512M").to_owned(),
            limit: match said("limit") {
                Some(text) => text
                    .parse()
                    .with_context(|| format!("{}: `limit: {text}`", path.display()))?,
                None => limit,
            },
            large: said("large").is_some(),
        })
    }
}

impl Scripts {
    /// Those for the shell of every root.
    pub fn system(root: &Path) -> Result<Self> {
        Self::load(
            "script",
            &root.join("tests/system"),
            ("sh", 60),
            false,
            None,
        )
    }

    /// Those for Debian's programs, which are in `archive`; they are programs themselves.
    pub fn dynamic(root: &Path, archive: &Path) -> Result<Self> {
        let folder = root.join("tests/dynamic");
        Self::load("dynamic", &folder, ("", 150), false, Some(archive))
    }

    /// Those that run packaged programs; `large` says whether large ones are run.
    pub fn programs(root: &Path, large: bool) -> Result<Self> {
        Self::load(
            "programs",
            &root.join("tests/programs"),
            ("sh", 60),
            large,
            None,
        )
    }

    fn load(
        suite: &'static str,
        folder: &Path,
        (shell, limit): (&str, u64),
        large: bool,
        rootfs: Option<&Path>,
    ) -> Result<Self> {
        let scripts = folder.join("scripts");
        let mut paths: Vec<PathBuf> = fs::read_dir(&scripts)
            .with_context(|| format!("reading {}", scripts.display()))?
            .flatten()
            .map(|entry| entry.path())
            .collect();
        paths.sort();
        let mut scripts = Vec::new();
        for path in paths {
            let script = Script::read(&path, shell, limit)?;
            if large || !script.large {
                scripts.push(script);
            }
        }
        Ok(Self {
            suite,
            scripts,
            expected: folder.join("expected"),
            rootfs: rootfs.map(Path::to_owned),
        })
    }

    /// The programs that the scripts matching `wanted` ask for.
    pub fn wanted(&self, wanted: impl Fn(&str) -> bool) -> BTreeSet<String> {
        self.scripts
            .iter()
            .filter(|script| wanted(&self.case(&script.name)))
            .flat_map(|script| script.programs.iter().cloned())
            .collect()
    }

    fn case(&self, name: &str) -> String {
        format!("{}/{name}", self.suite)
    }

    /// Runs the wanted scripts; with `record`, writes what they print as what is expected.
    pub fn run(
        &self,
        runner: &dyn Runner,
        programs: &Programs,
        record: bool,
        report: &mut Report,
    ) -> Result<()> {
        let mut groups: BTreeMap<&str, Vec<&Script>> = BTreeMap::new();
        for script in &self.scripts {
            let case = self.case(&script.name);
            if !report.wants(&case) {
                continue;
            }
            let missing = script
                .programs
                .iter()
                .find_map(|name| match programs.get(name) {
                    Some(Ok(_)) => None,
                    Some(Err(why)) => Some(format!("{name} is missing: {why}")),
                    None => Some(format!("{name} is not known")),
                });
            match missing {
                Some(why) => report.result(&case, Verdict::Fail(why)),
                None => groups.entry(&script.memory).or_default().push(script),
            }
        }
        for (memory, scripts) in groups {
            group(runner, self, programs, memory, scripts, record, report)?;
        }
        Ok(())
    }
}

fn spec(suite: &Scripts, memory: &str, scripts: &[&Script], programs: &Programs) -> RunSpec {
    let mut argv = vec![
        "sh".to_owned(),
        "-c".to_owned(),
        DRIVER.to_owned(),
        "driver".to_owned(),
    ];
    argv.extend(
        scripts
            .iter()
            .map(|script| format!("{}:{}:{}", script.limit, script.shell, guest(&script.path))),
    );
    let longest = scripts.iter().map(|script| script.limit).max().unwrap_or(0);
    let mut spec = RunSpec::new(argv).seconds(900);
    spec.silence = Duration::from_secs(longest + 20);
    spec.mem = Some(memory.to_owned());
    spec.rootfs.extend(suite.rootfs.clone());
    for script in scripts {
        spec = spec.add(&script.path, &guest(&script.path));
    }
    let needed: BTreeSet<&String> = scripts.iter().flat_map(|script| &script.programs).collect();
    for name in needed {
        if let Some(Ok(path)) = programs.get(name) {
            spec = spec.add(path, &format!("{GUEST_PROGRAMS}/{name}"));
        }
    }
    spec
}

/// Runs scripts that want the same memory.
fn group(
    runner: &dyn Runner,
    suite: &Scripts,
    programs: &Programs,
    memory: &str,
    mut scripts: Vec<&Script>,
    record: bool,
    report: &mut Report,
) -> Result<()> {
    for _ in 0..BOOTS {
        if scripts.is_empty() {
            break;
        }
        let outcome = runner.run(&spec(suite, memory, &scripts, programs))?;
        let (results, unfinished) = parse(&outcome.stdout);
        for (name, got) in &results {
            let file = suite.expected.join(format!("{name}.out"));
            let verdict = if record {
                fs::create_dir_all(&suite.expected)?;
                fs::write(&file, got).with_context(|| format!("writing {}", file.display()))?;
                match String::from_utf8_lossy(got)
                    .lines()
                    .find(|line| line.starts_with("FAIL "))
                {
                    Some(line) => Verdict::Fail(format!("a program says {line:?}")),
                    None => Verdict::Pass,
                }
            } else {
                compare(&file, got)
            };
            report.result(&suite.case(name), verdict);
        }
        let failed = match unfinished {
            Some(name) => name,
            None if results.len() == scripts.len() => break,
            None => match scripts
                .iter()
                .find(|script| !report.has(&suite.case(&script.name)))
            {
                Some(script) => script.name.clone(),
                None => break,
            },
        };
        let why = format!(
            "the system ended in it: {}; {}",
            outcome.end,
            outcome.complaint()
        );
        report.result(&suite.case(&failed), Verdict::Fail(why));
        scripts.retain(|script| !report.has(&suite.case(&script.name)));
    }
    for script in scripts {
        let case = suite.case(&script.name);
        if !report.has(&case) {
            report.result(&case, Verdict::Fail("not reached".to_owned()));
        }
    }
    Ok(())
}

/// Where a script lies in the guest.
fn guest(path: &Path) -> String {
    let file = path.file_name().unwrap_or_default();
    format!("{GUEST_FOLDER}/{}", file.to_string_lossy())
}

fn compare(file: &Path, got: &[u8]) -> Verdict {
    let Ok(want) = fs::read(file) else {
        return Verdict::Fail(format!(
            "there is no {}; `cargo xtask test --reference` records it",
            file.display()
        ));
    };
    if want == got {
        return Verdict::Pass;
    }
    let (want, got) = (String::from_utf8_lossy(&want), String::from_utf8_lossy(got));
    let mut wanted = want.lines();
    for (number, line) in got.lines().enumerate() {
        let want = wanted.next();
        if want != Some(line) {
            let want = want.map_or("the end".to_owned(), |want| format!("{want:?}"));
            return Verdict::Fail(format!("line {} is {line:?}, not {want}", number + 1));
        }
    }
    Verdict::Fail(format!(
        "the output ends before {:?}",
        wanted.next().unwrap_or_default()
    ))
}

/// Cuts the driver's output into what each script printed (its status as the last line), and the one that has no end.
fn parse(output: &[u8]) -> (Vec<(String, Vec<u8>)>, Option<String>) {
    let mut results = Vec::new();
    let mut open: Option<(String, Vec<u8>)> = None;
    for line in output.split_inclusive(|&byte| byte == b'\n') {
        let text = String::from_utf8_lossy(line);
        let mut words = text.split_whitespace();
        match (words.next(), words.next(), words.next()) {
            (Some("@@BEGIN"), Some(name), None) => open = Some((name.to_owned(), Vec::new())),
            (Some("@@END"), Some(name), Some(status))
                if open.as_ref().is_some_and(|(begun, _)| begun == name) =>
            {
                if let Some((name, mut text)) = open.take() {
                    // The driver's own line break, so that output without one at its end is told apart.
                    text.pop();
                    text.extend_from_slice(format!("[status {status}]\n").as_bytes());
                    results.push((name, text));
                }
            }
            _ => {
                if let Some((_, text)) = &mut open {
                    text.extend_from_slice(line);
                }
            }
        }
    }
    (results, open.map(|(name, _)| name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_the_output_of_several_scripts() {
        let (results, open) =
            parse(b"x\n@@BEGIN a\none\ntwo\n@@END a 0\n@@BEGIN b\n\n@@END b 3\n@@BEGIN c\nhal");
        assert_eq!(
            results,
            vec![
                ("a".to_owned(), b"one\ntwo[status 0]\n".to_vec()),
                ("b".to_owned(), b"[status 3]\n".to_vec())
            ]
        );
        assert_eq!(open.as_deref(), Some("c"));
    }
}
