//! Files and folders: copies, with the path in every error.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::BuildError;

/// Puts the path into an error.
fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, BuildError> {
    result.map_err(|error| BuildError::Io(path.to_owned(), error))
}

/// A file's text.
pub fn read(path: &Path) -> Result<String, BuildError> {
    at(path, fs::read_to_string(path))
}

/// Writes a file, and makes the folders it lies in.
pub fn write(path: &Path, text: &str) -> Result<(), BuildError> {
    make_parent(path)?;
    at(path, fs::write(path, text))
}

/// Copies a file, and makes the folders it goes to.
pub fn copy_file(from: &Path, to: &Path) -> Result<(), BuildError> {
    make_parent(to)?;
    at(from, fs::copy(from, to)).map(drop)
}

/// Makes the folder a path lies in.
fn make_parent(path: &Path) -> Result<(), BuildError> {
    match path.parent() {
        Some(parent) => at(parent, fs::create_dir_all(parent)),
        None => Ok(()),
    }
}

/// Makes an empty folder in the place of whatever is there.
pub fn replace_dir(path: &Path) -> Result<(), BuildError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(BuildError::Io(path.to_owned(), error))
        }
        _ => at(path, fs::create_dir_all(path)),
    }
}

/// Copies the files of a tree, over those that are there. `wanted` is asked with paths inside the tree, folders too.
pub fn copy(from: &Path, to: &Path, wanted: &dyn Fn(&Path) -> bool) -> Result<(), BuildError> {
    copy_inner(from, to, Path::new(""), wanted)
}

fn copy_inner(
    from: &Path,
    to: &Path,
    inside: &Path,
    wanted: &dyn Fn(&Path) -> bool,
) -> Result<(), BuildError> {
    let dir = from.join(inside);
    for entry in at(&dir, fs::read_dir(&dir))? {
        let entry = at(&dir, entry)?;
        let path = inside.join(entry.file_name());
        if !wanted(&path) {
            continue;
        }
        let kind = at(&entry.path(), entry.file_type())?;
        if kind.is_dir() {
            copy_inner(from, to, &path, wanted)?;
        } else {
            copy_file(&entry.path(), &to.join(&path))?;
        }
    }
    Ok(())
}

/// The files of a tree, sorted by path.
pub fn files(dir: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in at(&folder, fs::read_dir(&folder))? {
            let path = at(&folder, entry)?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_what_is_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("from");
        write(&from.join("a/keep"), "1").unwrap();
        write(&from.join("a/drop/x"), "2").unwrap();
        let to = dir.path().join("to");
        write(&to.join("old"), "3").unwrap();
        copy(&from, &to, &|path| path != Path::new("a/drop")).unwrap();
        assert_eq!(files(&to).unwrap(), [to.join("a/keep"), to.join("old")]);
        replace_dir(&to).unwrap();
        assert!(files(&to).unwrap().is_empty());
    }

    #[test]
    fn an_error_names_the_path() {
        let error = read(Path::new("/nowhere/at/all")).unwrap_err().to_string();
        assert!(error.starts_with("/nowhere/at/all: "), "{error}");
    }
}
