//! Every kind of invalid manifest has a fixture with its exact error text.
//!
//! `fixtures/good` is a sound system; every other folder replaces some of its files, and its `expected.txt` is what the compiler
//! says. `UPDATE_EXPECT=1 cargo test -p manifest-compiler` writes the texts anew.

use manifest_compiler::{compile, Inputs};
use std::fs;
use std::path::{Path, PathBuf};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures")
}

fn overlay(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("folder") {
        let entry = entry.expect("entry").path();
        let target = to.join(entry.file_name().expect("name"));
        if entry.is_dir() {
            fs::create_dir_all(&target).expect("create");
            overlay(&entry, &target);
        } else {
            fs::copy(&entry, &target).expect("copy");
        }
    }
}

/// Compiles a fixture in a folder of its own, so that names are the same everywhere.
fn compile_fixture(name: &str) -> Result<(), String> {
    let dir = tempfile::tempdir().expect("temporary folder");
    overlay(&fixtures().join("good"), dir.path());
    overlay(&fixtures().join(name), dir.path());
    let root = dir.path().canonicalize().expect("path");
    compile(&root.join("system.toml"), &Inputs::new(&root))
        .map(|_| ())
        .map_err(|e| e.to_string().replace(&root.display().to_string(), "."))
}

#[test]
fn the_sound_system_compiles() {
    compile_fixture("good").unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn every_fixture_fails_with_its_text() {
    let mut names: Vec<String> = fs::read_dir(fixtures())
        .expect("fixtures")
        .map(|e| e.expect("entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name != "good")
        .collect();
    names.sort();
    assert!(names.len() > 50);
    for name in names {
        let error = match compile_fixture(&name) {
            Ok(()) => panic!("fixture {name} compiles"),
            Err(error) => error,
        };
        let has_place = error.contains(".toml:") || name == "no-name";
        assert!(has_place, "fixture {name} says no place: {error}");
        let path = fixtures().join(&name).join("expected.txt");
        let path = path.canonicalize().unwrap_or(path);
        expect_test::expect_file![path].assert_eq(&error);
    }
}
