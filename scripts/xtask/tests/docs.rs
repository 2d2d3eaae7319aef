//! The documents' links lead somewhere, and the files they name exist.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders whose paths are looked for where a document names them.
const FOLDERS: &[&str] = &[
    "camkes-like-manifests/",
    "components/",
    "docs/",
    "images/",
    "lsyscall-shim/",
    "root-task/",
    "scripts/",
    "tests/",
];

/// A component that a document shows how to add, and so is not there.
const EXAMPLE: &str = "heartbeat";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> = [
        "README.md",
        "CONTRIBUTING.md",
        "images/README.md",
        "tests/README.md",
    ]
    .map(|name| root().join(name))
    .to_vec();
    for entry in fs::read_dir(root().join("docs")).expect("docs") {
        pages.push(entry.expect("entry").path());
    }
    pages
}

/// What stands between `open` and `close`, for every occurrence on one line.
fn between<'a>(text: &'a str, open: &'a str, close: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().flat_map(move |line| {
        line.split(open)
            .skip(1)
            .filter_map(move |rest| rest.split_once(close).map(|(inner, _)| inner))
    })
}

#[test]
fn links_lead_somewhere() {
    let mut wrong = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).expect("page");
        for link in between(&text, "](", ")") {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            if file.contains("://") {
                continue;
            }
            let target = if file.is_empty() {
                page.clone()
            } else {
                page.parent().expect("folder").join(file)
            };
            let found = target.exists()
                && (heading.is_empty()
                    || headings(&fs::read_to_string(&target).expect("linked page"))
                        .any(|known| known == heading));
            if !found {
                wrong.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The anchors of a page's headings, as they are commonly made.
fn headings(text: &str) -> impl Iterator<Item = String> + '_ {
    text.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            line.trim_start_matches('#')
                .trim()
                .to_lowercase()
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect()
        })
}

#[test]
fn named_files_exist() {
    let mut wrong = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).expect("page");
        for span in between(&text, "`", "`") {
            let named = FOLDERS.iter().any(|folder| span.starts_with(folder));
            let pattern = span
                .chars()
                .any(|c| " *{<|,(".contains(c) || c.is_ascii_uppercase())
                && !span.ends_with("README.md");
            if !named || pattern || span.contains(EXAMPLE) {
                continue;
            }
            let base = page.parent().expect("folder");
            if !root().join(span).exists() && !base.join(span).exists() {
                wrong.push(format!("{}: {span}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
