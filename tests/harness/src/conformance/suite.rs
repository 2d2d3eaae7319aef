//! What the guest gets of a suite, and how it is started there.

use super::ConformanceOptions;
use crate::programs;
use crate::runner::RunSpec;
use anyhow::{bail, Context as _, Result};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the suite lies in the guest.
const GUEST: &str = "suite";
/// How long one case of one file may take, in seconds.
const CASE_LIMIT: u64 = 90;
/// How long a file with many cases may take, in seconds.
const FILE_LIMIT: u64 = 300;
/// How long the whole may take, in seconds.
const WHOLE: u64 = 3600;

/// A suite of busybox's source package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// `testsuite`: all applets.
    Busybox,
    /// `shell/ash_test`: the shell.
    Ash,
}

impl Suite {
    /// Its name in commands and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Busybox => "busybox",
            Self::Ash => "ash",
        }
    }
}

/// A suite made ready for the guest.
pub struct Prepared {
    suite: Suite,
    /// The tree that is laid over the guest's root.
    tree: PathBuf,
    parts: Vec<String>,
}

impl Prepared {
    /// Makes the tree and finds out what is to be run.
    ///
    /// # Errors
    /// When the source is not what was expected, or the shell's helpers cannot be built.
    pub fn new(options: &ConformanceOptions) -> Result<Self> {
        let work = options.target.join("tests/conformance");
        let tree = work.join(options.suite.name());
        if tree.exists() {
            fs::remove_dir_all(&tree).with_context(|| format!("clearing {}", tree.display()))?;
        }
        let place = tree.join(GUEST);
        fs::create_dir_all(&place).with_context(|| format!("creating {}", place.display()))?;
        let config = options.source.join("debian/config/pkg/static");
        let source = unpacked(&options.source)?;
        let mut parts = match options.suite {
            Suite::Busybox => {
                copy(&source.join("testsuite"), &place.join("testsuite"))?;
                copy(&config, &place.join(".config"))?;
                std::os::unix::fs::symlink("/bin/busybox", place.join("busybox"))?;
                limit_busybox(&place.join("testsuite/runtest"))?;
                busybox_parts(&place.join("testsuite"), &options.applets)
            }
            Suite::Ash => {
                let from = source.join("shell/ash_test");
                let place = place.join("ash_test");
                copy(&from, &place)?;
                copy(&config, &place.join(".config"))?;
                std::os::unix::fs::symlink("/bin/busybox", place.join("ash"))?;
                for helper in ["printenv", "recho", "zecho"] {
                    programs::foreign(&place.join(helper), &from.join(format!("{helper}.c")))?;
                }
                limit_ash(&place.join("run-all"))?;
                ash_parts(&place)?
            }
        };
        parts.retain(|part| wanted(&options.filter, part));
        if parts.is_empty() {
            bail!("no part of the suite has a name that contains one of --filter's");
        }
        Ok(Self {
            suite: options.suite,
            tree,
            parts,
        })
    }

    /// The names of what is run one by one: applets, or cases of the shell.
    pub fn parts(&self) -> &[String] {
        &self.parts
    }

    /// The part that the case belongs to.
    pub fn part<'a>(&self, case: &'a str) -> &'a str {
        match self.suite {
            Suite::Busybox => case.split_once('/').map_or(case, |(applet, _)| applet),
            Suite::Ash => case,
        }
    }

    /// Whether the case belongs to a part that is run.
    pub fn wants(&self, case: &str) -> bool {
        let part = self.part(case);
        self.parts.iter().any(|other| other == part)
    }

    /// A run of these parts.
    ///
    /// # Errors
    /// When the list of them cannot be written into the tree.
    pub fn spec(&self, parts: &[String]) -> Result<RunSpec> {
        let (folder, script, arguments) = match self.suite {
            Suite::Busybox => (
                "testsuite",
                "./runtest \"$@\" </dev/null 2>&1",
                parts.to_vec(),
            ),
            Suite::Ash => {
                let list = self.tree.join(GUEST).join("ash_test/wanted");
                fs::write(&list, parts.join("\n") + "\n")
                    .with_context(|| format!("writing {}", list.display()))?;
                let mut folders: Vec<String> = parts
                    .iter()
                    .filter_map(|part| Some(part.split_once('/')?.0.to_owned()))
                    .collect();
                folders.dedup();
                (
                    "ash_test",
                    "./run-all \"$@\" </dev/null 2>&1; for f in *.fail; do echo \"@@FILE $f\"; cat \"$f\"; done",
                    folders,
                )
            }
        };
        // Some cases look whether the first process is called init.
        let init = self.tree.join(GUEST).join("init");
        write_script(
            &init,
            &format!("cd /{GUEST}/{folder}\n{script}\necho\necho @@DONE"),
        )?;
        let mut argv = vec![format!("/{GUEST}/init")];
        argv.extend(arguments);
        let mut spec = RunSpec::new(argv).seconds(WHOLE);
        spec.rootfs.push(self.tree.clone());
        spec.silence = Duration::from_secs(FILE_LIMIT + 60);
        Ok(spec)
    }
}

fn wanted(filter: &[String], part: &str) -> bool {
    filter.is_empty() || filter.iter().any(|text| part.contains(text.as_str()))
}

/// The folder of the upstream archive.
fn unpacked(source: &Path) -> Result<PathBuf> {
    fs::read_dir(source)
        .with_context(|| format!("reading {}", source.display()))?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.join("testsuite/runtest").is_file())
        .with_context(|| format!("{} holds no testsuite/runtest", source.display()))
}

/// Copies a file, or a folder with all in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let at = || format!("copying {}", from.display());
    let kind = fs::symlink_metadata(from).with_context(at)?.file_type();
    if kind.is_dir() {
        fs::create_dir_all(to).with_context(at)?;
        for entry in fs::read_dir(from).with_context(at)? {
            let entry = entry.with_context(at)?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    } else if kind.is_symlink() {
        std::os::unix::fs::symlink(fs::read_link(from).with_context(at)?, to).with_context(at)?;
    } else {
        fs::copy(from, to).with_context(at)?;
    }
    Ok(())
}

/// Replaces texts of a script, each of which must be there exactly once.
fn edit(script: &Path, edits: &[(&str, String)]) -> Result<()> {
    let mut text =
        fs::read_to_string(script).with_context(|| format!("reading {}", script.display()))?;
    for (old, new) in edits {
        if text.matches(old).count() != 1 {
            bail!("{} does not hold {old:?} once", script.display());
        }
        text = text.replace(old, new);
    }
    fs::write(script, text).with_context(|| format!("writing {}", script.display()))
}

/// Writes an executable shell script.
fn write_script(path: &Path, body: &str) -> Result<()> {
    fs::write(path, format!("#!/bin/sh\n{body}\n"))
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o755)))
        .with_context(|| format!("writing {}", path.display()))
}

/// Puts limits and lines that tell the applet into the runner of busybox's suite.
fn limit_busybox(script: &Path) -> Result<()> {
    edit(
        script,
        &[
            (
                "for applet in $applets; do\n",
                "for applet in $applets; do\n\techo \"@@BEGIN $applet\"\n".to_owned(),
            ),
            (
                "\t\tsh -x -e \"$testcase\" >",
                format!("\t\ttimeout -s KILL {CASE_LIMIT} sh -x -e \"$testcase\" >"),
            ),
            (
                "\t\t\t\"$tsdir/$applet.tests\"\n",
                format!("\t\t\ttimeout -s KILL {FILE_LIMIT} \"$tsdir/$applet.tests\"\n"),
            ),
        ],
    )
}

/// Puts limits and the list of what is wanted into the runner of the shell's suite.
fn limit_ash(script: &Path) -> Result<()> {
    let wanted = "grep -qxF \"$1/$x\" \"$TOPDIR/wanted\" || continue";
    edit(
        script,
        &[
            (
                "\t\ttest -f \"$x\" || continue\n",
                format!("\t\ttest -f \"$x\" || continue\n\t\t{wanted}\n"),
            ),
            (
                "\t\ttest -x \"$x\" || continue\n",
                format!("\t\ttest -x \"$x\" || continue\n\t\t{wanted}\n"),
            ),
            (
                "\t\t\tsh \"$x\" >",
                format!("\t\t\ttimeout -s KILL {CASE_LIMIT} sh \"$x\" >"),
            ),
            (
                "\t\t\t\"$THIS_SH\" \"./$x\" 2>&1",
                format!("\t\t\ttimeout -s KILL {CASE_LIMIT} \"$THIS_SH\" \"./$x\" 2>&1"),
            ),
        ],
    )
}

/// The applets that busybox has and the suite has cases for, in the suite's own order: `busybox` itself, then all, which
/// holds `busybox` again. `bc` takes minutes of pure arithmetic and is left out.
fn busybox_parts(suite: &Path, applets: &[String]) -> Vec<String> {
    let mut parts = vec!["busybox".to_owned()];
    parts.extend(applets.iter().cloned());
    parts.retain(|name| {
        name != "bc" && (suite.join(name).is_dir() || suite.join(format!("{name}.tests")).is_file())
    });
    parts
}

/// The cases of the shell's suite, as its runner finds them. What is slow and nothing else is left out.
fn ash_parts(suite: &Path) -> Result<Vec<String>> {
    let names = |folder: &Path| -> Result<Vec<String>> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .with_context(|| format!("reading {}", folder.display()))?
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        Ok(names)
    };
    let mut parts = Vec::new();
    for folder in names(suite)? {
        if !folder.starts_with("ash-") || folder == "ash-z_slow" {
            continue;
        }
        for name in names(&suite.join(&folder))? {
            let script = name.starts_with("run-");
            let compared = name
                .strip_suffix(".tests")
                .is_some_and(|stem| suite.join(&folder).join(format!("{stem}.right")).is_file());
            if script || compared {
                parts.push(format!("{folder}/{name}"));
            }
        }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_must_find_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("script");
        fs::write(&file, "one\ntwo\ntwo\n").unwrap();
        edit(&file, &[("one", "1".to_owned())]).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "1\ntwo\ntwo\n");
        assert!(edit(&file, &[("two", "2".to_owned())]).is_err());
        assert!(edit(&file, &[("three", "3".to_owned())]).is_err());
    }
}
