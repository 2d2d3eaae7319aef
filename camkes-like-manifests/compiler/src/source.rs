//! Manifest files, places in them, and what is wrong there.

use std::fmt;
use std::path::{Path, PathBuf};

/// A range of bytes of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Number in [`Files`].
    pub file: u16,
    /// First byte.
    pub start: u32,
    /// Byte behind the last.
    pub end: u32,
}

/// A value and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Where it is written.
    pub place: Place,
}

impl<T> At<T> {
    /// Puts a value to its place.
    pub fn new(value: T, place: Place) -> Self {
        At { value, place }
    }
}

/// A file that was read.
#[derive(Clone, Debug)]
struct File {
    name: String,
    text: String,
}

/// All files read so far.
#[derive(Clone, Debug, Default)]
pub struct Files {
    root: PathBuf,
    list: Vec<File>,
}

impl Files {
    /// No file yet; names are shown relative to `root`.
    pub fn new(root: &Path) -> Self {
        Files {
            root: root.to_path_buf(),
            list: Vec::new(),
        }
    }

    /// Reads a file.
    pub fn read(&mut self, path: &Path) -> Result<u16, std::io::Error> {
        let text = std::fs::read_to_string(path)?;
        let name = path.strip_prefix(&self.root).unwrap_or(path);
        self.list.push(File {
            name: name.display().to_string(),
            text,
        });
        Ok((self.list.len() - 1) as u16)
    }

    /// Text of a file.
    pub fn text(&self, file: u16) -> &str {
        self.list.get(file as usize).map_or("", |f| &f.text)
    }

    /// Names of all files, in order of their numbers.
    pub fn names(&self) -> Vec<String> {
        self.list.iter().map(|f| f.name.clone()).collect()
    }

    /// Line and column, both from 1.
    pub fn line_column(&self, place: Place) -> (u32, u32) {
        let text = self.text(place.file);
        let before = text.get(..place.start as usize).unwrap_or(text);
        let line = before.matches('\n').count() as u32 + 1;
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before[start..].chars().count() as u32 + 1;
        (line, column)
    }

    /// The place as the plan keeps it.
    pub fn origin(&self, place: Place) -> persona_plan::Origin {
        persona_plan::Origin {
            file: place.file,
            line: self.line_column(place).0,
        }
    }

    fn show(&self, error: &Error) -> String {
        let mut out = String::new();
        if let Some(place) = error.place {
            let name = self
                .list
                .get(place.file as usize)
                .map_or("?", |f| f.name.as_str());
            let (line, column) = self.line_column(place);
            out += &format!("{name}:{line}:{column}: ");
        }
        out += &format!("error: {}\n", error.message);
        if let Some(place) = error.place {
            let (line, column) = self.line_column(place);
            let text = self.text(place.file);
            if let Some(source) = text.lines().nth(line as usize - 1) {
                let span = text
                    .get(place.start as usize..place.end as usize)
                    .unwrap_or("");
                let width = span.lines().next().unwrap_or("").chars().count().max(1);
                let number = line.to_string();
                let pad = " ".repeat(number.len());
                let lead = " ".repeat(column as usize - 1);
                out += &format!("{number} | {source}\n{pad} | {lead}{}\n", "^".repeat(width));
            }
        }
        if let Some(hint) = &error.hint {
            out += &format!("  hint: {hint}\n");
        }
        out
    }
}

/// Something wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Where; `None` if it is no place of a file (a file that cannot be read).
    pub place: Option<Place>,
    /// What.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Collects errors.
#[derive(Debug, Default)]
pub struct Errors {
    list: Vec<Error>,
}

impl Errors {
    /// Adds an error at a place.
    pub fn at(&mut self, place: Place, message: impl Into<String>, hint: impl Into<String>) {
        let hint = hint.into();
        self.list.push(Error {
            place: Some(place),
            message: message.into(),
            hint: (!hint.is_empty()).then_some(hint),
        });
    }

    /// Adds an error without a place.
    pub fn general(&mut self, message: impl Into<String>, hint: impl Into<String>) {
        let hint = hint.into();
        self.list.push(Error {
            place: None,
            message: message.into(),
            hint: (!hint.is_empty()).then_some(hint),
        });
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// As the error of the whole compilation.
    pub fn into_report(self, files: &Files) -> CompileError {
        let mut list = self.list;
        list.sort_by_key(|e| e.place.map(|p| (p.file, p.start)));
        list.dedup();
        CompileError {
            text: list.iter().map(|e| files.show(e)).collect(),
            count: list.len(),
        }
    }
}

/// Why a manifest does not compile: every error found, each with its place.
#[derive(Clone, PartialEq, Eq)]
pub struct CompileError {
    text: String,
    /// How many errors.
    pub count: usize,
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for CompileError {}

/// `did you mean ...` for a misspelt name, and the names there are.
pub fn suggest<'a>(what: &str, wrong: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.into_iter().collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return format!("there is no {what}");
    }
    let near = names
        .iter()
        .map(|name| (distance(wrong, name), *name))
        .min()
        .filter(|(d, name)| *d <= 2.max(name.len() / 3));
    let all = names.join(", ");
    match near {
        Some((_, name)) => format!("did you mean `{name}`? Known: {all}"),
        None => format!("known: {all}"),
    }
}

/// Edits between two words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let cost = if x == *y { diagonal } else { diagonal + 1 };
            diagonal = row[j + 1];
            row[j + 1] = cost.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested() {
        assert_eq!(
            suggest("component", "memgr", ["fsmgr", "memmgr", "console"]),
            "did you mean `memmgr`? Known: console, fsmgr, memmgr"
        );
        assert_eq!(
            suggest("component", "xyzzyx", ["fsmgr", "console"]),
            "known: console, fsmgr"
        );
        assert_eq!(suggest("component", "a", []), "there is no component");
    }
}
