//! Shell scripts whose output must be what Debian's kernel gives.
//!
//! All scripts of `tests/system/scripts` run in one boot, each in a fresh folder with its two outputs as one stream.
//! What they printed, and their status as the last line, is compared to the file of the same name in
//! `tests/system/expected`, which a run on the reference system wrote.

use crate::report::{Report, Verdict};
use crate::runner::{RunSpec, Runner};
use anyhow::{Context as _, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const GUEST_FOLDER: &str = "/tests/scripts";
/// How often a system may be booted again after a script that ended it.
const BOOTS: usize = 6;
/// How long one script may take in the guest, in seconds.
const LIMIT: u64 = 60;

const DRIVER: &str = r#"
for path in "$@"; do
    name=${path##*/}; name=${name%.sh}
    mkdir -p "/tmp/s.$name"; cd "/tmp/s.$name"
    echo "@@BEGIN $name"
    timeout -s KILL @LIMIT@ sh "$path" </dev/null 2>&1
    status=$?; echo; echo "@@END $name $status"
done
echo @@DONE
"#;

/// Runs the wanted scripts; with `record`, writes what they print as what is expected.
pub fn run(
    runner: &dyn Runner,
    root: &Path,
    record: Option<&str>,
    report: &mut Report,
) -> Result<()> {
    let folder = root.join("tests/system/scripts");
    let expected = root.join("tests/system/expected");
    let mut scripts: Vec<PathBuf> = fs::read_dir(&folder)
        .with_context(|| format!("reading {}", folder.display()))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sh"))
        .filter(|path| report.wants(&case(&name(path))))
        .collect();
    scripts.sort();
    for _ in 0..BOOTS {
        if scripts.is_empty() {
            break;
        }
        let driver = DRIVER.replace("@LIMIT@", &LIMIT.to_string());
        let mut argv = vec![
            "sh".to_owned(),
            "-c".to_owned(),
            driver,
            "driver".to_owned(),
        ];
        argv.extend(
            scripts
                .iter()
                .map(|path| format!("{GUEST_FOLDER}/{}.sh", name(path))),
        );
        let mut spec = RunSpec::new(argv).seconds(600);
        spec.silence = Duration::from_secs(LIMIT + 20);
        for path in &scripts {
            spec = spec.add(path, &format!("{GUEST_FOLDER}/{}.sh", name(path)));
        }
        let outcome = runner.run(&spec)?;
        let (results, unfinished) = parse(&outcome.stdout);
        for (name, got) in &results {
            let file = expected.join(format!("{name}.out"));
            let verdict = if record.is_some() {
                fs::create_dir_all(&expected)?;
                fs::write(&file, got).with_context(|| format!("writing {}", file.display()))?;
                Verdict::Pass
            } else {
                compare(&file, got)
            };
            report.result(&case(name), verdict);
        }
        let failed = match unfinished {
            Some(name) => name,
            None if results.len() == scripts.len() => break,
            None => match scripts
                .iter()
                .map(|path| name(path))
                .find(|name| !report.has(&case(name)))
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
        report.result(&case(&failed), Verdict::Fail(why));
        scripts.retain(|path| !report.has(&case(&name(path))));
    }
    for path in scripts {
        if !report.has(&case(&name(&path))) {
            report.result(&case(&name(&path)), Verdict::Fail("not reached".to_owned()));
        }
    }
    Ok(())
}

fn name(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn case(name: &str) -> String {
    format!("script/{name}")
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
