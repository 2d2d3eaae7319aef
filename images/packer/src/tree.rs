//! A root file system in memory, before it is written.

use anyhow::{bail, Result};
use std::collections::BTreeMap;

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file with this content.
    File(Vec<u8>),
    /// Another name of the regular file at this path, which must be in the tree.
    HardLink(String),
    /// A directory.
    Dir,
    /// A symbolic link to this target.
    Symlink(String),
    /// A character device.
    Char {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A block device.
    Block {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A named pipe.
    Fifo,
}

/// An entry of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Permission bits with set-user-id, set-group-id and sticky (`07777`).
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Time of last change, in seconds since 1970.
    pub mtime: u32,
}

impl Node {
    /// A node owned by root.
    pub fn new(kind: Kind, mode: u32) -> Self {
        Self {
            kind,
            mode,
            uid: 0,
            gid: 0,
            mtime: 0,
        }
    }

    /// The same with another time of change.
    pub fn at(mut self, mtime: u32) -> Self {
        self.mtime = mtime;
        self
    }
}

/// Entries by path. Paths are absolute without the leading slash: `bin/sh`; the root itself is the empty path.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    nodes: BTreeMap<String, Node>,
}

/// How many symbolic links a look-up follows, as in Linux.
const MAX_LINKS: u32 = 40;

impl Tree {
    /// A tree with just a root directory.
    pub fn new() -> Self {
        let mut tree = Self::default();
        tree.nodes
            .insert(String::new(), Node::new(Kind::Dir, 0o755));
        tree
    }

    /// Puts `node` at `path`, replacing what is there. Missing directories above it are made (root's, `0755`). Links
    /// to directories above it are followed, so that a layer with `lib/x` lands right when `lib` is a link in a layer
    /// below; so are those in the path a hard link names. A directory put where one is only changes its attributes.
    /// A link to another directory put where a directory is (`bin` -> `usr/bin`) moves there what that one held.
    pub fn put(&mut self, path: &str, mut node: Node) -> Result<()> {
        let path = clean(path)?;
        let path = match path.rsplit_once('/') {
            Some((parent, name)) => {
                let parent = self.make_dirs(parent, node.mtime)?;
                join(&parent, name)
            }
            None => path,
        };
        if let Kind::HardLink(target) = &mut node.kind {
            if let Some((parent, name)) = clean(target)?.rsplit_once('/') {
                if let Some((parent, _)) = self.resolve(parent) {
                    *target = join(&parent, name);
                }
            }
        }
        if !matches!(node.kind, Kind::Dir) {
            if path.is_empty() {
                bail!("the root of a file system must be a directory");
            }
            let below = self.take_below(&path);
            if matches!(node.kind, Kind::Symlink(_)) && !below.is_empty() {
                self.nodes.insert(path.clone(), node);
                return self.move_behind(&path, below);
            }
        } else if let Some(old) = self.nodes.get(&path) {
            // A layer's plain directory must not cover a link such as bin -> usr/bin.
            if matches!(old.kind, Kind::Symlink(_))
                && self
                    .resolve(&path)
                    .is_some_and(|(_, node)| matches!(node.kind, Kind::Dir))
            {
                return Ok(());
            }
        }
        self.nodes.insert(path, node);
        Ok(())
    }

    /// Puts everything of `layer` over this tree.
    pub fn overlay(&mut self, layer: Tree) -> Result<()> {
        for (path, node) in layer.nodes {
            self.put(&path, node)?;
        }
        Ok(())
    }

    /// Entries in order: a directory before what it holds.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().map(|(path, node)| (path.as_str(), node))
    }

    /// The node at `path` itself.
    pub fn get(&self, path: &str) -> Option<&Node> {
        self.nodes.get(&clean(path).ok()?)
    }

    /// The path and node that `path` leads to when every symbolic link is followed.
    pub fn resolve(&self, path: &str) -> Option<(String, &Node)> {
        let mut rest: Vec<String> = parts(path);
        rest.reverse();
        let mut here = String::new();
        let mut links = 0;
        while let Some(part) = rest.pop() {
            if part == ".." {
                here.truncate(here.rfind('/').unwrap_or(0));
                continue;
            }
            let next = join(&here, &part);
            match &self.nodes.get(&next)?.kind {
                Kind::Symlink(target) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return None;
                    }
                    if target.starts_with('/') {
                        here.clear();
                    }
                    rest.extend(parts(target).into_iter().rev());
                }
                _ => here = next,
            }
        }
        let node = self.nodes.get(&here)?;
        Some((here, node))
    }

    /// Finds a program as a shell would: a name without a slash in each folder of `path` (colon-separated), another
    /// name as it is, relative ones from `cwd`. Gives the absolute path to call it by, links not followed.
    pub fn find_program(&self, name: &str, path: &str, cwd: &str) -> Found {
        let candidates: Vec<String> = if name.starts_with('/') {
            vec![name.to_owned()]
        } else if name.contains('/') {
            vec![format!("{cwd}/{name}")]
        } else {
            path.split(':')
                .map(|folder| format!("{folder}/{name}"))
                .collect()
        };
        let mut result = Found::Missing;
        for candidate in candidates {
            let Some((_, node)) = self.resolve(&candidate) else {
                continue;
            };
            let regular = matches!(node.kind, Kind::File(_) | Kind::HardLink(_));
            if regular && node.mode & 0o111 != 0 {
                return Found::Program(format!("/{}", parts(&candidate).join("/")));
            }
            result = Found::NotExecutable;
        }
        result
    }

    /// Makes `path` a directory and gives the directory's real path.
    fn make_dirs(&mut self, path: &str, mtime: u32) -> Result<String> {
        let mut here = String::new();
        for part in parts(path) {
            let next = join(&here, &part);
            here = match self.nodes.get(&next) {
                Some(Node { kind: Kind::Dir, .. }) => next,
                Some(Node { kind: Kind::Symlink(_), .. }) => match self.resolve(&next) {
                    Some((real, Node { kind: Kind::Dir, .. })) => real,
                    _ => bail!("/{next} is a link that leads to no directory, but something is to be put below it"),
                },
                Some(_) => bail!("/{next} is not a directory, but something is to be put below it"),
                None => {
                    self.nodes.insert(next.clone(), Node::new(Kind::Dir, 0o755).at(mtime));
                    next
                }
            };
        }
        Ok(here)
    }

    /// Takes out everything below `path`, in order, each with its path from there.
    fn take_below(&mut self, path: &str) -> Vec<(String, Node)> {
        let prefix = format!("{path}/");
        let names: Vec<String> = self
            .nodes
            .range(prefix.clone()..)
            .map(|(name, _)| name)
            .take_while(|name| name.starts_with(&prefix))
            .cloned()
            .collect();
        names
            .into_iter()
            .filter_map(|name| {
                let node = self.nodes.remove(&name)?;
                Some((name.split_at(prefix.len()).1.to_owned(), node))
            })
            .collect()
    }

    /// Puts what was below a directory into the one that the link now at `path` leads to, where that has nothing of
    /// the name. Where the link leads to no directory, it is gone.
    fn move_behind(&mut self, path: &str, below: Vec<(String, Node)>) -> Result<()> {
        let Some((
            real,
            Node {
                kind: Kind::Dir, ..
            },
        )) = self.resolve(path)
        else {
            return Ok(());
        };
        for (name, node) in below {
            let name = join(&real, &name);
            if !self.nodes.contains_key(&name) {
                self.put(&name, node)?;
            }
        }
        Ok(())
    }
}

/// What [`Tree::find_program`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The program's absolute path.
    Program(String),
    /// Something of this name that is no executable file.
    NotExecutable,
    /// Nothing of this name.
    Missing,
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

fn parts(path: &str) -> Vec<String> {
    path.split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .map(str::to_owned)
        .collect()
}

/// The path in the tree's form; a path that climbs is refused.
fn clean(path: &str) -> Result<String> {
    let parts = parts(path);
    if parts.iter().any(|part| part == "..") || path.contains('\0') {
        bail!("`{path}` is no path inside a root file system");
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(mode: u32) -> Node {
        Node::new(Kind::File(Vec::new()), mode)
    }

    fn link(target: &str) -> Node {
        Node::new(Kind::Symlink(target.to_owned()), 0o777)
    }

    #[test]
    fn makes_the_directories_above() {
        let mut tree = Tree::new();
        tree.put("/a/b/c", file(0o644)).unwrap();
        let paths: Vec<_> = tree.iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["", "a", "a/b", "a/b/c"]);
    }

    #[test]
    fn follows_directory_links_of_lower_layers() {
        let mut tree = Tree::new();
        tree.put("usr/bin", Node::new(Kind::Dir, 0o755)).unwrap();
        tree.put("bin", link("usr/bin")).unwrap();
        tree.put("bin", Node::new(Kind::Dir, 0o755)).unwrap();
        tree.put("bin/x", file(0o755)).unwrap();
        assert!(tree.get("usr/bin/x").is_some());
        assert!(matches!(tree.get("bin").unwrap().kind, Kind::Symlink(_)));
    }

    #[test]
    fn a_file_over_a_directory_removes_what_was_below() {
        let mut tree = Tree::new();
        tree.put("a/b", file(0o644)).unwrap();
        tree.put("a", file(0o644)).unwrap();
        assert!(tree.get("a/b").is_none());
        assert!(tree.put("a/c", file(0o644)).is_err());
    }

    #[test]
    fn a_link_over_a_directory_takes_along_what_it_held() {
        let mut tree = Tree::new();
        for path in ["bin/busybox", "bin/both", "usr/bin/both", "bin/sub/deep"] {
            let mode = if path.starts_with("usr") {
                0o700
            } else {
                0o755
            };
            tree.put(path, file(mode)).unwrap();
        }
        tree.put("bin", link("usr/bin")).unwrap();
        assert!(matches!(tree.get("bin").unwrap().kind, Kind::Symlink(_)));
        assert!(tree.get("usr/bin/busybox").is_some());
        assert!(tree.get("usr/bin/sub/deep").is_some());
        assert_eq!(tree.get("usr/bin/both").unwrap().mode, 0o700);
        assert!(tree.get("bin/busybox").is_none());
    }

    #[test]
    fn hard_links_are_found_behind_directory_links() {
        let mut tree = Tree::new();
        tree.put("usr/bin/one", file(0o755)).unwrap();
        tree.put("bin", link("usr/bin")).unwrap();
        let two = Node::new(Kind::HardLink("bin/one".into()), 0o755);
        tree.put("bin/two", two).unwrap();
        assert_eq!(
            tree.get("usr/bin/two").unwrap().kind,
            Kind::HardLink("usr/bin/one".into())
        );
    }

    #[test]
    fn climbing_is_refused() {
        assert!(Tree::new().put("../x", file(0o644)).is_err());
    }

    #[test]
    fn finds_programs_as_a_shell_does() {
        let mut tree = Tree::new();
        tree.put("bin/busybox", file(0o755)).unwrap();
        tree.put("usr/bin/awk", link("../../bin/busybox")).unwrap();
        tree.put("bin/text", file(0o644)).unwrap();
        tree.put("bin/loop", link("loop")).unwrap();
        let find = |name: &str| tree.find_program(name, "/bin:/usr/bin", "/usr");
        assert_eq!(find("busybox"), Found::Program("/bin/busybox".into()));
        assert_eq!(find("awk"), Found::Program("/usr/bin/awk".into()));
        assert_eq!(find("./bin/awk"), Found::Program("/usr/bin/awk".into()));
        assert_eq!(
            find("/bin/../bin/busybox"),
            Found::Program("/bin/../bin/busybox".into())
        );
        assert_eq!(find("text"), Found::NotExecutable);
        assert_eq!(find("loop"), Found::Missing);
        assert_eq!(find("none"), Found::Missing);
    }
}
