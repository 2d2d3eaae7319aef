//! What the packages' scripts would set up.

use super::package::Package;
use anyhow::Result;
use image_packer::tree::{Kind, Node, Tree};
use std::fmt::Write as _;

/// Directories that Debian moved below /usr; the packages still name some files by the old ones.
const MERGED: &[&str] = &["bin", "lib", "sbin"];

/// Files that a script makes as a copy of one that its package brings: package, from, to.
const COPIES: &[(&str, &str, &str)] = &[
    (
        "base-passwd",
        "usr/share/base-passwd/passwd.master",
        "etc/passwd",
    ),
    (
        "base-passwd",
        "usr/share/base-passwd/group.master",
        "etc/group",
    ),
    ("base-files", "usr/share/base-files/profile", "etc/profile"),
    (
        "base-files",
        "usr/share/base-files/dot.bashrc",
        "root/.bashrc",
    ),
    (
        "base-files",
        "usr/share/base-files/dot.profile",
        "root/.profile",
    ),
    ("base-files", "usr/share/base-files/motd", "etc/motd"),
    (
        "libc-bin",
        "usr/share/libc-bin/nsswitch.conf",
        "etc/nsswitch.conf",
    ),
];

/// Directories that no package brings, or that a script gives another mode.
const DIRECTORIES: &[(&str, u32)] = &[
    ("etc/alternatives", 0o755),
    ("run", 0o755),
    ("run/lock", 0o1777),
    ("tmp", 0o1777),
    ("var/lib/dpkg", 0o755),
    ("var/tmp", 0o1777),
];

/// What is there before the first package.
pub fn skeleton() -> Result<Tree> {
    let mut tree = Tree::new();
    for name in MERGED {
        let real = format!("usr/{name}");
        tree.put(&real, Node::new(Kind::Dir, 0o755))?;
        tree.put(name, Node::new(Kind::Symlink(real.clone()), 0o777))?;
    }
    Ok(tree)
}

/// Does what the scripts would do, as far as programs need it.
pub fn configure(tree: &mut Tree, packages: &[Package]) -> Result<()> {
    for (path, mode) in DIRECTORIES {
        tree.put(path, Node::new(Kind::Dir, *mode))?;
    }
    tree.put("var/run", Node::new(Kind::Symlink("/run".into()), 0o777))?;
    tree.put(
        "var/lock",
        Node::new(Kind::Symlink("/run/lock".into()), 0o777),
    )?;
    for (package, from, to) in COPIES {
        let Some(Node {
            kind: Kind::File(data),
            mtime,
            ..
        }) = tree.get(from).cloned()
        else {
            continue;
        };
        if packages.iter().any(|known| known.name == *package) {
            tree.put(to, Node::new(Kind::File(data), 0o644).at(mtime))?;
        }
    }
    for package in packages {
        for alternative in alternatives(&package.postinst) {
            alternative.install(tree)?;
        }
    }
    let mut status = String::new();
    for package in packages {
        let _ = writeln!(status, "{}\nStatus: install ok unpacked\n", package.control);
    }
    let status = Node::new(Kind::File(status.into_bytes()), 0o644);
    tree.put("var/lib/dpkg/status", status)
}

/// One `update-alternatives --install`: LINK, NAME, PATH and the priority.
#[derive(Debug, PartialEq, Eq)]
struct Alternative {
    link: String,
    name: String,
    path: String,
    /// The links that follow it: link, name, path.
    slaves: Vec<(String, String, String)>,
}

impl Alternative {
    /// Puts the links, where what they lead to is there and nothing was put before. The list is in the order of the
    /// packages; two of them that compete for a name are a case that does not come up among those recorded.
    fn install(&self, tree: &mut Tree) -> Result<()> {
        let this = (self.link.clone(), self.name.clone(), self.path.clone());
        for (link, name, path) in std::iter::once(&this).chain(&self.slaves) {
            if tree.resolve(path).is_none() || tree.get(link).is_some() {
                continue;
            }
            let by = format!("/etc/alternatives/{name}");
            tree.put(&by, Node::new(Kind::Symlink(path.clone()), 0o777))?;
            tree.put(link, Node::new(Kind::Symlink(by), 0o777))?;
        }
        Ok(())
    }
}

/// The alternatives that a script installs, read from its text. Words that a shell would have to work out are not
/// understood: such a line is passed over.
fn alternatives(script: &str) -> Vec<Alternative> {
    let script = script.replace("\\\n", " ");
    let mut list = Vec::new();
    for line in script.lines() {
        let Some((_, line)) = line.split_once("update-alternatives ") else {
            continue;
        };
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut words = words.iter().copied();
        let mut word = || words.next().filter(|word| !word.contains(['$', '"', '`']));
        let mut found: Option<Alternative> = None;
        while let Some(switch) = word() {
            match switch {
                "--install" => {
                    if let (Some(link), Some(name), Some(path)) = (word(), word(), word()) {
                        found = Some(Alternative {
                            link: link.to_owned(),
                            name: name.to_owned(),
                            path: path.to_owned(),
                            slaves: Vec::new(),
                        });
                    }
                }
                "--slave" => {
                    if let (Some(link), Some(name), Some(path)) = (word(), word(), word()) {
                        if let Some(found) = &mut found {
                            found
                                .slaves
                                .push((link.to_owned(), name.to_owned(), path.to_owned()));
                        }
                    }
                }
                _ => {}
            }
        }
        list.extend(found);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "#!/bin/sh\nif [ \"$1\" = configure ]; then\n  update-alternatives --quiet --install /usr/bin/awk awk \
        /usr/bin/mawk 5 \\\n  --slave /usr/bin/nawk nawk /usr/bin/mawk\n  update-alternatives --install $x y z 1\nfi\n";

    #[test]
    fn alternatives_are_read_from_scripts() {
        let found = alternatives(SCRIPT);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (&*found[0].link, &*found[0].name, &*found[0].path),
            ("/usr/bin/awk", "awk", "/usr/bin/mawk")
        );
        assert_eq!(found[0].slaves.len(), 1);
    }

    #[test]
    fn alternatives_become_links() {
        let mut tree = skeleton().unwrap();
        let program = Node::new(Kind::File(Vec::new()), 0o755);
        tree.put("bin/mawk", program).unwrap();
        let mut package = Package {
            name: "mawk".into(),
            control: "Package: mawk".into(),
            postinst: SCRIPT.into(),
            files: Tree::new(),
        };
        configure(&mut tree, std::slice::from_ref(&package)).unwrap();
        assert_eq!(tree.resolve("usr/bin/awk").unwrap().0, "usr/bin/mawk");
        assert_eq!(tree.resolve("bin/nawk").unwrap().0, "usr/bin/mawk");
        package.postinst = SCRIPT.replace("mawk", "gone").replace("awk", "other");
        configure(&mut tree, &[package]).unwrap();
        assert!(tree.get("usr/bin/other").is_none());
    }
}
