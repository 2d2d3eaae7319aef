//! Scripts whose output must be what Debian's kernel gives: for busybox's shell, and for Debian's own programs.
//!
//! All scripts of a suite run in one boot, each in a fresh folder with its two outputs as one stream. What they printed,
//! and their status as the last line, is compared to the file of the same name in the suite's folder `expected`, which a
//! run on the reference system wrote.

use crate::report::{Report, Verdict};
use crate::runner::{RunSpec, Runner};
use anyhow::{Context as _, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const GUEST_FOLDER: &str = "/tests/scripts";
/// How often a system may be booted again after a script that ended it.
const BOOTS: usize = 6;

const DRIVER: &str = r#"
for path in "$@"; do
    name=${path##*/}; name=${name%.*}
    mkdir -p "/tmp/s.$name"; cd "/tmp/s.$name"
    echo "@@BEGIN $name"
    timeout -s KILL @LIMIT@ @SHELL@ "$path" </dev/null 2>&1
    status=$?; echo; echo "@@END $name $status"
done
echo @@DONE
"#;

/// A suite of scripts.
#[derive(Clone, Copy, Debug)]
pub struct Scripts<'a> {
    /// Its name.
    pub suite: &'a str,
    /// Where `scripts/` and `expected/` are, in the repository.
    pub folder: &'a str,
    /// What runs a script; empty where they are programs.
    pub shell: &'a str,
    /// The tree to lay over the root.
    pub rootfs: Option<&'a Path>,
    /// How long one script may take in the guest, in seconds.
    pub limit: u64,
}

impl Scripts<'_> {
    /// Those for the shell of every root.
    pub const SYSTEM: Scripts<'static> = Scripts {
        suite: "script",
        folder: "tests/system",
        shell: "sh",
        rootfs: None,
        limit: 60,
    };

    /// Those for Debian's programs, which are in `archive`.
    pub fn dynamic(archive: &Path) -> Scripts<'_> {
        Scripts {
            suite: "dynamic",
            folder: "tests/dynamic",
            shell: "",
            rootfs: Some(archive),
            limit: 150,
        }
    }

    fn case(&self, name: &str) -> String {
        format!("{}/{name}", self.suite)
    }

    /// The scripts that are wanted.
    fn wanted(&self, root: &Path, report: &Report) -> Result<Vec<PathBuf>> {
        let folder = root.join(self.folder).join("scripts");
        let mut scripts: Vec<PathBuf> = fs::read_dir(&folder)
            .with_context(|| format!("reading {}", folder.display()))?
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| report.wants(&self.case(&name(path))))
            .collect();
        scripts.sort();
        Ok(scripts)
    }

    /// What runs these scripts.
    fn spec(&self, scripts: &[PathBuf]) -> RunSpec {
        let driver = DRIVER
            .replace("@LIMIT@", &self.limit.to_string())
            .replace("@SHELL@", self.shell);
        let mut argv = vec![
            "sh".to_owned(),
            "-c".to_owned(),
            driver,
            "driver".to_owned(),
        ];
        argv.extend(scripts.iter().map(|path| guest(path)));
        let mut spec = RunSpec::new(argv).seconds(900);
        spec.silence = Duration::from_secs(self.limit + 20);
        spec.rootfs.extend(self.rootfs.map(Path::to_owned));
        for path in scripts {
            spec = spec.add(path, &guest(path));
        }
        spec
    }

    /// Runs the wanted scripts; with `record`, writes what they print as what is expected.
    pub fn run(
        &self,
        runner: &dyn Runner,
        root: &Path,
        record: bool,
        report: &mut Report,
    ) -> Result<()> {
        let expected = root.join(self.folder).join("expected");
        let mut scripts = self.wanted(root, report)?;
        for _ in 0..BOOTS {
            if scripts.is_empty() {
                break;
            }
            let outcome = runner.run(&self.spec(&scripts))?;
            let (results, unfinished) = parse(&outcome.stdout);
            for (name, got) in &results {
                let file = expected.join(format!("{name}.out"));
                let verdict = if record {
                    fs::create_dir_all(&expected)?;
                    fs::write(&file, got).with_context(|| format!("writing {}", file.display()))?;
                    Verdict::Pass
                } else {
                    compare(&file, got)
                };
                report.result(&self.case(name), verdict);
            }
            let failed = match unfinished {
                Some(name) => name,
                None if results.len() == scripts.len() => break,
                None => match scripts
                    .iter()
                    .map(|path| name(path))
                    .find(|name| !report.has(&self.case(name)))
                {
                    Some(name) => name,
                    None => break,
                },
            };
            let why = format!(
                "the system ended in it: {}; {}",
                outcome.end,
                outcome.complaint()
            );
            report.result(&self.case(&failed), Verdict::Fail(why));
            scripts.retain(|path| !report.has(&self.case(&name(path))));
        }
        for path in scripts {
            if !report.has(&self.case(&name(&path))) {
                report.result(
                    &self.case(&name(&path)),
                    Verdict::Fail("not reached".to_owned()),
                );
            }
        }
        Ok(())
    }
}

/// Where a script lies in the guest.
fn guest(path: &Path) -> String {
    let file = path.file_name().unwrap_or_default();
    format!("{GUEST_FOLDER}/{}", file.to_string_lossy())
}

fn name(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
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
