//! Applies unified diffs, exactly: every line of context must stand where the diff says. The trees are fixed, so a diff
//! that would need to be searched for, or bent, is a mistake.

use std::fmt;
use std::fs;
use std::path::{Component, Path};

/// Why a diff does not apply.
#[derive(Debug, PartialEq, Eq)]
pub enum PatchError {
    /// The diff itself is malformed: its line, counted from 1, and what is wrong there.
    Malformed(usize, &'static str),
    /// A file it changes cannot be read or written: path and reason.
    File(String, String),
    /// A line is not what the diff expects: path, line counted from 1, expected, found (nothing: end of file).
    Mismatch(String, usize, String, Option<String>),
    /// The diff changes nothing.
    Empty,
}

impl fmt::Display for PatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PatchError::Malformed(line, what) => write!(f, "its line {line} is malformed: {what}"),
            PatchError::File(path, why) => write!(f, "{path}: {why}"),
            PatchError::Mismatch(path, line, expected, Some(found)) => {
                write!(f, "{path}:{line} should be `{expected}` but is `{found}`")
            }
            PatchError::Mismatch(path, line, expected, None) => {
                write!(
                    f,
                    "{path}:{line} should be `{expected}` but the file ends before"
                )
            }
            PatchError::Empty => write!(f, "it changes nothing"),
        }
    }
}

impl std::error::Error for PatchError {}

/// Applies a diff with paths `a/...` and `b/...` to the tree at `root`. Text before the first `--- ` is a comment. Files
/// are changed only, never made or deleted; nothing is written unless all of the diff applies.
pub fn apply(diff: &str, root: &Path) -> Result<(), PatchError> {
    let mut lines = diff.lines().enumerate().peekable();
    while lines
        .next_if(|(_, line)| !line.starts_with("--- "))
        .is_some()
    {}

    let mut changed: Vec<(String, String)> = Vec::new();
    while let Some((number, line)) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let old = line
            .strip_prefix("--- a/")
            .ok_or(PatchError::Malformed(number + 1, "expected `--- a/...`"))?;
        let new = lines
            .next()
            .and_then(|(_, line)| line.strip_prefix("+++ b/"));
        let inside = Path::new(old)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if new != Some(old) || !inside {
            return Err(PatchError::Malformed(
                number + 2,
                "expected `+++ b/...` with the same path",
            ));
        }
        if changed.iter().any(|(path, _)| path == old) {
            return Err(PatchError::Malformed(
                number + 1,
                "the file has been changed before",
            ));
        }
        let text = fs::read_to_string(root.join(old)).map_err(|error| file_error(old, &error))?;
        let mut file = File {
            path: old,
            old: text.lines().collect(),
            next: 0,
            new: String::new(),
        };
        let mut hunks = 0;
        while let Some((number, line)) = lines.next_if(|(_, line)| line.starts_with("@@ ")) {
            hunks += 1;
            let mut left =
                hunk_header(line).ok_or(PatchError::Malformed(number + 1, "not a hunk header"))?;
            file.copy_until(left.start)?;
            while left.old > 0 || left.new > 0 {
                let (number, line) = lines
                    .next()
                    .ok_or(PatchError::Malformed(number + 1, "the hunk is cut short"))?;
                file.line(line, &mut left)
                    .ok_or(PatchError::Malformed(number + 1, "not a line of a hunk"))??;
            }
        }
        if hunks == 0 {
            return Err(PatchError::Malformed(number + 2, "no hunk follows"));
        }
        file.copy_until(file.old.len() + 1)?;
        changed.push((old.to_owned(), file.new));
    }

    if changed.is_empty() {
        return Err(PatchError::Empty);
    }
    for (path, text) in changed {
        fs::write(root.join(&path), text).map_err(|error| file_error(&path, &error))?;
    }
    Ok(())
}

fn file_error(path: &str, error: &std::io::Error) -> PatchError {
    PatchError::File(path.to_owned(), error.to_string())
}

/// What a hunk header promises, counted down while its lines are read.
struct Hunk {
    /// First line of the old file, counted from 1.
    start: usize,
    old: usize,
    new: usize,
}

/// Reads `@@ -start,count +start,count @@`; a count of 1 may be missing.
fn hunk_header(line: &str) -> Option<Hunk> {
    let mut words = line.strip_prefix("@@ ")?.split(' ');
    let old = words.next()?.strip_prefix('-')?;
    let new = words.next()?.strip_prefix('+')?;
    if words.next()? != "@@" {
        return None;
    }
    let range = |text: &str| -> Option<(usize, usize)> {
        let (start, count) = text.split_once(',').unwrap_or((text, "1"));
        Some((start.parse().ok()?, count.parse().ok()?))
    };
    let ((start, old), (_, new)) = (range(old)?, range(new)?);
    // A hunk without old lines names the line it comes after.
    Some(Hunk {
        start: if old == 0 { start + 1 } else { start },
        old,
        new,
    })
}

/// A file while it is changed.
struct File<'a> {
    path: &'a str,
    old: Vec<&'a str>,
    /// Index of the first old line that is not dealt with.
    next: usize,
    new: String,
}

impl File<'_> {
    fn push(&mut self, line: &str) {
        self.new.push_str(line);
        self.new.push('\n');
    }

    /// Copies the old lines before the line `end`, counted from 1.
    fn copy_until(&mut self, end: usize) -> Result<(), PatchError> {
        while self.next + 1 < end {
            let line = *self
                .old
                .get(self.next)
                .ok_or_else(|| self.mismatch("(more lines)"))?;
            self.push(line);
            self.next += 1;
        }
        Ok(())
    }

    /// Deals with a line of a hunk; nothing if it cannot be one.
    fn line(&mut self, line: &str, left: &mut Hunk) -> Option<Result<(), PatchError>> {
        // An editor may have stripped the blank of an empty line of context.
        let (kind, text) = if line.is_empty() {
            (" ", "")
        } else {
            line.split_at_checked(1)?
        };
        let (old, new) = match kind {
            " " => (1, 1),
            "-" => (1, 0),
            "+" => (0, 1),
            _ => return None,
        };
        left.old = left.old.checked_sub(old)?;
        left.new = left.new.checked_sub(new)?;
        if old == 1 {
            if self.old.get(self.next) != Some(&text) {
                return Some(Err(self.mismatch(text)));
            }
            self.next += 1;
        }
        if new == 1 {
            self.push(text);
        }
        Some(Ok(()))
    }

    fn mismatch(&self, expected: &str) -> PatchError {
        let found = self.old.get(self.next).map(|line| (*line).to_owned());
        PatchError::Mismatch(
            self.path.to_owned(),
            self.next + 1,
            expected.to_owned(),
            found,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "one\ntwo\n\nfour\nfive\nsix\nseven\n";

    fn run(diff: &str) -> Result<String, PatchError> {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("f"), OLD).unwrap();
        let result = apply(diff, dir.path());
        let text = fs::read_to_string(dir.path().join("f")).unwrap();
        if result.is_err() {
            assert_eq!(text, OLD, "a failed diff must write nothing");
        }
        result.map(|()| text)
    }

    #[test]
    fn applies_two_hunks() {
        let diff = "Why.\n\n--- a/f\n+++ b/f\n@@ -1,3 +1,4 @@\n one\n+more\n two\n\n@@ -6,2 +7 @@\n-six\n-seven\n+end\n";
        assert_eq!(run(diff).unwrap(), "one\nmore\ntwo\n\nfour\nfive\nend\n");
    }

    #[test]
    fn inserts_without_context() {
        assert_eq!(
            run("--- a/f\n+++ b/f\n@@ -2,0 +3 @@\n+x\n").unwrap(),
            OLD.replace("two\n", "two\nx\n")
        );
    }

    #[test]
    fn names_the_line_that_differs() {
        let error = run("--- a/f\n+++ b/f\n@@ -4,2 +4,1 @@\n four\n-fife\n").unwrap_err();
        assert_eq!(error.to_string(), "f:5 should be `fife` but is `five`");
        let error = run("--- a/f\n+++ b/f\n@@ -7,2 +7,1 @@\n seven\n-eight\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "f:8 should be `eight` but the file ends before"
        );
        let error = run("--- a/f\n+++ b/f\n@@ -40 +40 @@\n-x\n+y\n").unwrap_err();
        assert!(
            matches!(error, PatchError::Mismatch(_, 8, _, None)),
            "{error}"
        );
    }

    #[test]
    fn refuses_malformed_diffs() {
        for (diff, line) in [
            ("--- a/f\n+++ b/g\n@@ -1 +1 @@\n-one\n+1\n", 2),
            ("--- a/../f\n+++ b/../f\n@@ -1 +1 @@\n-one\n+1\n", 2),
            ("--- a/f\n+++ b/f\n@@ -1 1 @@\n", 3),
            ("--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n-one\n+1\n", 3),
            ("--- a/f\n+++ b/f\n@@ -1 +1 @@\n?one\n", 4),
            ("--- a/f\n+++ b/f\n", 2),
            ("--- a/f\n+++ b/f\n@@ -1 +1 @@\n-one\n+1\nstray\n", 6),
        ] {
            match run(diff).unwrap_err() {
                PatchError::Malformed(found, _) => assert_eq!(found, line, "{diff}"),
                other => panic!("{diff}: {other}"),
            }
        }
        assert_eq!(run("Just words.\n").unwrap_err(), PatchError::Empty);
        assert!(matches!(
            run("--- a/none\n+++ b/none\n@@ -1 +1 @@\n-a\n+b\n"),
            Err(PatchError::File(..))
        ));
    }

    /// The shipped patches are well formed, say what they are for, and carry their licence.
    #[test]
    fn shipped_patches_have_a_header() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("patches");
        let files = crate::tree::files(&dir).unwrap();
        assert!(!files.is_empty());
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            let mut lines = text.lines();
            assert_eq!(
                lines.next(),
                Some("SPDX-License-Identifier: GPL-2.0-only"),
                "{}",
                file.display()
            );
            let reason = text.split("--- a/").next().unwrap();
            assert!(
                reason.lines().count() >= 5,
                "{} gives no reason",
                file.display()
            );
        }
    }
}
