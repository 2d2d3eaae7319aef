//! The manifest reference names every fixture of a bad manifest, so that every check has its line there.

use std::fs;
use std::path::Path;

#[test]
fn the_reference_names_every_fixture() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/manifests.md")).expect("docs/manifests.md");
    let missing: Vec<String> = fs::read_dir(root.join("camkes-like-manifests/fixtures"))
        .expect("fixtures")
        .map(|entry| {
            let name = entry.expect("entry").file_name();
            name.to_string_lossy().into_owned()
        })
        .filter(|name| name != "good" && !page.contains(&format!("`{name}`")))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/manifests.md does not name {missing:?}"
    );
}
