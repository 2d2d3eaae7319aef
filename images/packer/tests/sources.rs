//! Folders and archives arrive with modes, links and owners.

use image_packer::source::{add, rootfs};
use image_packer::tree::{Kind, Tree};
use std::fs;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::Path;
use std::process::Command;

fn sample(folder: &Path) {
    fs::create_dir_all(folder.join("bin")).unwrap();
    fs::write(folder.join("bin/one"), "data").unwrap();
    fs::set_permissions(folder.join("bin/one"), fs::Permissions::from_mode(0o750)).unwrap();
    fs::hard_link(folder.join("bin/one"), folder.join("bin/two")).unwrap();
    symlink("one", folder.join("bin/three")).unwrap();
    fs::create_dir(folder.join("sticky")).unwrap();
    fs::set_permissions(folder.join("sticky"), fs::Permissions::from_mode(0o1777)).unwrap();
}

fn check(tree: &Tree) {
    let one = tree.get("bin/one").unwrap();
    assert_eq!(
        (&one.kind, one.mode),
        (&Kind::File(b"data".to_vec()), 0o750)
    );
    assert_eq!(
        tree.get("bin/two").unwrap().kind,
        Kind::HardLink("bin/one".into())
    );
    assert_eq!(
        tree.get("bin/three").unwrap().kind,
        Kind::Symlink("one".into())
    );
    assert_eq!(tree.get("sticky").unwrap().mode, 0o1777);
}

#[test]
fn a_folder() {
    let folder = tempfile::tempdir().unwrap();
    sample(folder.path());
    let mut tree = Tree::new();
    rootfs(&mut tree, folder.path()).unwrap();
    check(&tree);
}

#[test]
fn a_tar_archive_plain_and_compressed() {
    let folder = tempfile::tempdir().unwrap();
    sample(folder.path());
    let out = tempfile::tempdir().unwrap();
    for (name, switch) in [("a.tar", "-cf"), ("a.tar.gz", "-czf")] {
        let archive = out.path().join(name);
        let mut tar = Command::new("tar");
        tar.args([
            "--owner=7",
            "--group=8",
            "--numeric-owner",
            "--sort=name",
            switch,
        ]);
        assert!(tar
            .arg(&archive)
            .arg("-C")
            .arg(folder.path())
            .arg(".")
            .status()
            .unwrap()
            .success());
        let mut tree = Tree::new();
        rootfs(&mut tree, &archive).unwrap();
        check(&tree);
        let one = tree.get("bin/one").unwrap();
        assert_eq!((one.uid, one.gid), (7, 8));
    }
}

#[test]
fn something_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("text");
    fs::write(&file, "no archive at all").unwrap();
    let error = format!("{:#}", rootfs(&mut Tree::new(), &file).unwrap_err());
    assert!(error.contains("tar archive"), "{error}");
    assert!(rootfs(&mut Tree::new(), &folder.path().join("none")).is_err());
}

#[test]
fn single_files_go_where_they_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prog");
    fs::write(&file, "x").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    sample(&folder.path().join("tree"));
    let path = file.to_str().unwrap();
    let mut tree = Tree::new();
    for what in [
        path.to_owned(),
        format!("{path}:/bin/other"),
        format!("{path}:/opt/"),
        format!("{path}:/opt"),
    ] {
        add(&mut tree, &what).unwrap();
    }
    add(
        &mut tree,
        &format!("{}:/data", folder.path().join("tree").to_str().unwrap()),
    )
    .unwrap();
    for path in ["prog", "bin/other", "opt/prog"] {
        assert_eq!(tree.get(path).unwrap().mode, 0o755, "{path}");
    }
    assert_eq!(
        tree.get("data/bin/two").unwrap().kind,
        Kind::HardLink("data/bin/one".into())
    );
    assert!(add(&mut tree, "/no/such/file").is_err());
}
