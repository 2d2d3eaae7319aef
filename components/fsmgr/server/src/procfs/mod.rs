//! /proc (proc(5)): what there is, where links lead. The texts are made in `text.rs`, `process.rs`, `system.rs`.

mod process;
mod read;
mod system;
mod tree;

use alloc::rc::Rc;
use alloc::vec::Vec;

use lsyscall_abi::consts::mode::{S_IFDIR, S_IFLNK, S_IFREG};
use lsyscall_abi::{Errno, ThreadIdx};
use procmgr_api::ProcEntry;

use crate::file::File;
use crate::inode::{Inode, InodeInit, Kind};
use crate::mount::Path;
use crate::task::{Tasks, Thread};
use crate::text::{number, parse_number};
use crate::vfs::Vfs;
use tree::{What, TREE};

pub use system::SysFile;

/// A process, or one of its threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who {
    /// Process id.
    pub pid: u32,
    /// Thread id, 0: the process as a whole.
    pub tid: u32,
}

/// Something in /proc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// An entry of the fixed part, by its index.
    Fixed(u16),
    /// The directory of a process or thread.
    Dir(Who),
    /// A file, link or directory in it, by its index.
    Entry(Who, u8),
    /// A descriptor.
    Fd(Who, i32),
    /// What is known about a descriptor.
    FdInfo(Who, i32),
    /// A namespace, by its index.
    Ns(Who, u8),
}

/// Namespaces: name, kind, and inode number. There is one of each, with the number Linux's first one has.
const NAMESPACES: &[(&str, &str, u64)] = &[
    ("cgroup", "cgroup", 4_026_531_835),
    ("ipc", "ipc", 4_026_531_839),
    ("mnt", "mnt", 4_026_531_841),
    ("net", "net", 4_026_531_840),
    ("pid", "pid", 4_026_531_836),
    ("pid_for_children", "pid", 4_026_531_836),
    ("time", "time", 4_026_531_834),
    ("time_for_children", "time", 4_026_531_834),
    ("user", "user", 4_026_531_837),
    ("uts", "uts", 4_026_531_838),
];

impl Node {
    /// /proc itself.
    pub const ROOT: Node = Node::Fixed(0);
    /// /sys itself.
    pub const SYSFS: Node = Node::Fixed(tree::SYSFS);
}

/// Where a link leads.
pub enum Target {
    /// To a name.
    Text(Vec<u8>),
    /// Straight to a place.
    Jump(Path),
}

/// What an entry of a process's directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// fd
    Fds,
    /// fdinfo
    FdInfos,
    /// task
    Tasks,
    /// cwd
    Cwd,
    /// root
    Root,
    /// exe
    Exe,
    /// ns
    Namespaces,
    /// A text.
    Text(Info),
}

/// A text about a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Info {
    Stat,
    Statm,
    Status,
    Cmdline,
    Comm,
    Environ,
    Maps,
    Smaps,
    Mounts,
    MountTable,
    Limits,
    Cgroup,
    Zero,
    Wchan,
    Adjustment,
    Auxv,
    Io,
    LoginUid,
    Personality,
    IdMap,
    SetGroups,
    Slack,
    Schedstat,
    Children,
    SmapsRollup,
    CoreFilter,
}

const DIR: u32 = S_IFDIR | 0o555;
const PRIVATE_DIR: u32 = S_IFDIR | 0o500;
const LINK: u32 = S_IFLNK | 0o777;
const TEXT: u32 = S_IFREG | 0o444;
const PRIVATE: u32 = S_IFREG | 0o400;
const SETTING: u32 = S_IFREG | 0o644;
const PRIVATE_DIR_ALL: u32 = S_IFDIR | 0o511;

/// Entries of a process's directory.
const PARTS: &[(&str, u32, Part)] = &[
    ("task", DIR, Part::Tasks),
    ("fd", PRIVATE_DIR, Part::Fds),
    ("fdinfo", DIR, Part::FdInfos),
    ("cwd", LINK, Part::Cwd),
    ("root", LINK, Part::Root),
    ("exe", LINK, Part::Exe),
    ("ns", PRIVATE_DIR_ALL, Part::Namespaces),
    ("auxv", PRIVATE, Part::Text(Info::Auxv)),
    ("cgroup", TEXT, Part::Text(Info::Cgroup)),
    ("cmdline", TEXT, Part::Text(Info::Cmdline)),
    ("children", TEXT, Part::Text(Info::Children)),
    ("comm", SETTING, Part::Text(Info::Comm)),
    ("coredump_filter", SETTING, Part::Text(Info::CoreFilter)),
    ("environ", PRIVATE, Part::Text(Info::Environ)),
    ("gid_map", SETTING, Part::Text(Info::IdMap)),
    ("io", PRIVATE, Part::Text(Info::Io)),
    ("limits", TEXT, Part::Text(Info::Limits)),
    ("loginuid", SETTING, Part::Text(Info::LoginUid)),
    ("maps", TEXT, Part::Text(Info::Maps)),
    ("mountinfo", TEXT, Part::Text(Info::MountTable)),
    ("mounts", TEXT, Part::Text(Info::Mounts)),
    ("oom_score", TEXT, Part::Text(Info::Zero)),
    ("oom_score_adj", SETTING, Part::Text(Info::Adjustment)),
    ("personality", PRIVATE, Part::Text(Info::Personality)),
    ("schedstat", TEXT, Part::Text(Info::Schedstat)),
    ("sessionid", TEXT, Part::Text(Info::LoginUid)),
    ("setgroups", SETTING, Part::Text(Info::SetGroups)),
    ("smaps_rollup", TEXT, Part::Text(Info::SmapsRollup)),
    ("timerslack_ns", SETTING, Part::Text(Info::Slack)),
    ("uid_map", SETTING, Part::Text(Info::IdMap)),
    ("wchan", TEXT, Part::Text(Info::Wchan)),
    ("smaps", TEXT, Part::Text(Info::Smaps)),
    ("stat", TEXT, Part::Text(Info::Stat)),
    ("statm", TEXT, Part::Text(Info::Statm)),
    ("status", TEXT, Part::Text(Info::Status)),
];

/// Bit of an inode number that tells descriptors from the other entries.
const FD_BIT: u64 = 1 << 31;

fn ino(node: Node) -> u64 {
    let of = |who: Who| u64::from(who.pid.max(who.tid)) << 32 | u64::from(who.tid != 0) << 30;
    match node {
        Node::Fixed(index) => 0xf000_0000 + u64::from(index),
        Node::Dir(who) => of(who) | 1,
        Node::Entry(who, index) => of(who) | (2 + u64::from(index)),
        Node::Fd(who, fd) => of(who) | FD_BIT | (fd as u32 as u64) << 1,
        Node::FdInfo(who, fd) => of(who) | FD_BIT | (fd as u32 as u64) << 1 | 1,
        Node::Ns(who, index) => of(who) | 1 << 29 | u64::from(index),
    }
}

/// Type and permissions.
fn mode(node: Node) -> u32 {
    match node {
        Node::Fixed(index) => TREE.get(usize::from(index)).map_or(0, |e| match e.what {
            What::Dir => DIR,
            What::Link(_) | What::Myself | What::MyThread => LINK,
            What::Text(_, mode) => S_IFREG | mode,
        }),
        Node::Dir(_) => DIR,
        Node::Entry(_, index) => PARTS.get(usize::from(index)).map_or(0, |p| p.1),
        Node::Fd(..) => S_IFLNK | 0o700,
        Node::FdInfo(..) => TEXT,
        Node::Ns(..) => LINK,
    }
}

/// The process of a node's directory, and the thread whose descriptors and directories it shows. `ENOENT` when it has gone.
fn find(tasks: &Tasks, who: Who) -> Result<(ProcEntry, ThreadIdx), Errno> {
    if who.tid != 0 {
        let (process, thread) = tasks.table.find_task(who.tid).ok_or(Errno::ENOENT)?;
        if process.pid != who.pid {
            return Err(Errno::ENOENT);
        }
        return Ok((process, thread));
    }
    let process = tasks.table.find(who.pid).ok_or(Errno::ENOENT)?;
    let leader = u16::try_from(process.leader).unwrap_or(u16::MAX);
    Ok((process, ThreadIdx(leader)))
}

fn thread_of(tasks: &Tasks, who: Who) -> Result<&Thread, Errno> {
    let (_, thread) = find(tasks, who)?;
    tasks.get(thread).map_err(|_| Errno::ENOENT)
}

/// Whether the caller may look into a process: its own, those of its user, all for root. `EACCES`.
fn may_inspect(tasks: &Tasks, thread: ThreadIdx, who: Who) -> Result<(), Errno> {
    let (process, _) = find(tasks, who)?;
    let creds = &tasks.get(thread)?.creds;
    if creds.uid == 0 || process.uids.iter().take(3).all(|uid| *uid == creds.uid) {
        Ok(())
    } else {
        Err(Errno::EACCES)
    }
}

fn make(vfs: &Vfs, tasks: &Tasks, parent: &Inode, node: Node) -> Rc<Inode> {
    let _ = vfs;
    let who = match node {
        Node::Fixed(_) => None,
        Node::Dir(who)
        | Node::Entry(who, _)
        | Node::Fd(who, _)
        | Node::FdInfo(who, _)
        | Node::Ns(who, _) => Some(who),
    };
    let owner = who.and_then(|who| find(tasks, who).ok()).map(|(p, _)| p);
    let init = InodeInit {
        mode: mode(node),
        uid: owner.as_ref().map_or(0, |p| p.uids[1]),
        gid: owner.as_ref().map_or(0, |p| p.gids[1]),
        rdev: 0,
        time: parent.mtime.get(),
    };
    parent.sb.inode_numbered(ino(node), init, Kind::Proc(node))
}

/// The file of a name in a directory of /proc. `ENOENT`, `ENOTDIR`.
pub fn lookup(
    vfs: &Vfs,
    tasks: &Tasks,
    thread: ThreadIdx,
    parent: &Inode,
    node: &Node,
    name: &[u8],
) -> Result<Rc<Inode>, Errno> {
    let found = match *node {
        Node::Fixed(index) => match tree::child(index, name) {
            Some(child) => Node::Fixed(child),
            None if index == 0 => {
                let id = parse_number(name).ok_or(Errno::ENOENT)?;
                let (process, _) = tasks
                    .table
                    .find_task(id)
                    .map_or_else(|| find(tasks, Who { pid: id, tid: 0 }), Ok)?;
                let tid = if process.pid == id { 0 } else { id };
                Node::Dir(Who {
                    pid: process.pid,
                    tid,
                })
            }
            None => return Err(Errno::ENOENT),
        },
        Node::Dir(who) => {
            find(tasks, who)?;
            let index = PARTS.iter().position(|p| p.0.as_bytes() == name);
            let index = index.filter(|i| who.tid == 0 || PARTS[*i].2 != Part::Tasks);
            Node::Entry(who, index.ok_or(Errno::ENOENT)? as u8)
        }
        Node::Entry(who, index)
            if PARTS.get(usize::from(index)).map(|p| p.2) == Some(Part::Namespaces) =>
        {
            let found = NAMESPACES.iter().position(|n| n.0.as_bytes() == name);
            Node::Ns(who, found.ok_or(Errno::ENOENT)? as u8)
        }
        Node::Entry(who, index) => {
            let id = parse_number(name).ok_or(Errno::ENOENT)?;
            match PARTS.get(usize::from(index)).map(|p| p.2) {
                Some(part @ (Part::Fds | Part::FdInfos)) => {
                    may_inspect(tasks, thread, who)?;
                    let fd = i32::try_from(id).map_err(|_| Errno::ENOENT)?;
                    let files = &thread_of(tasks, who)?.files;
                    files.borrow().get(fd).map_err(|_| Errno::ENOENT)?;
                    if part == Part::Fds {
                        Node::Fd(who, fd)
                    } else {
                        Node::FdInfo(who, fd)
                    }
                }
                Some(Part::Tasks) => {
                    let who = Who { tid: id, ..who };
                    find(tasks, who)?;
                    Node::Dir(who)
                }
                _ => return Err(Errno::ENOTDIR),
            }
        }
        Node::Fd(..) | Node::FdInfo(..) | Node::Ns(..) => return Err(Errno::ENOTDIR),
    };
    Ok(make(vfs, tasks, parent, found))
}

/// Where a link leads, for `thread`. `ENOENT`, `EACCES`, `EINVAL` for what is no link.
pub fn target(tasks: &Tasks, thread: ThreadIdx, node: &Node) -> Result<Target, Errno> {
    let caller = || {
        let entry = tasks.table.thread(thread.index()).ok_or(Errno::ENOENT)?;
        let process = tasks.table.process_of(thread).ok_or(Errno::ENOENT)?;
        Ok::<_, Errno>((process.pid, entry.tid))
    };
    match *node {
        Node::Fixed(index) => match TREE.get(usize::from(index)).map(|e| e.what) {
            Some(What::Link(text)) => Ok(Target::Text(text.as_bytes().to_vec())),
            Some(What::Myself) => {
                let mut text = Vec::new();
                number(&mut text, caller()?.0.into());
                Ok(Target::Text(text))
            }
            Some(What::MyThread) => {
                let (pid, tid) = caller()?;
                let mut text = Vec::new();
                number(&mut text, pid.into());
                text.extend_from_slice(b"/task/");
                number(&mut text, tid.into());
                Ok(Target::Text(text))
            }
            _ => Err(Errno::EINVAL),
        },
        Node::Entry(who, index) => {
            let part = PARTS.get(usize::from(index)).map(|p| p.2);
            if !matches!(part, Some(Part::Cwd | Part::Root | Part::Exe)) {
                return Err(Errno::EINVAL);
            }
            may_inspect(tasks, thread, who)?;
            let of = thread_of(tasks, who)?;
            match part {
                Some(Part::Cwd) => Ok(Target::Jump(of.fs.cwd.borrow().clone())),
                Some(Part::Root) => Ok(Target::Jump(of.fs.root.borrow().clone())),
                _ => of.exe.clone().map(Target::Jump).ok_or(Errno::ENOENT),
            }
        }
        Node::Fd(who, fd) => {
            may_inspect(tasks, thread, who)?;
            let files = thread_of(tasks, who)?.files.borrow();
            let file = files.get(fd).map_err(|_| Errno::ENOENT)?;
            Ok(Target::Jump(file.path.clone()))
        }
        Node::Ns(who, index) => {
            may_inspect(tasks, thread, who)?;
            let (_, kind, ino) = NAMESPACES.get(usize::from(index)).ok_or(Errno::ENOENT)?;
            let mut text = kind.as_bytes().to_vec();
            text.extend_from_slice(b":[");
            number(&mut text, *ino);
            text.push(b']');
            Ok(Target::Text(text))
        }
        _ => Err(Errno::EINVAL),
    }
}

/// The description a descriptor's link stands for.
pub fn file_behind(tasks: &Tasks, thread: ThreadIdx, node: &Node) -> Option<Rc<File>> {
    let Node::Fd(who, fd) = *node else {
        return None;
    };
    may_inspect(tasks, thread, who).ok()?;
    let files = thread_of(tasks, who).ok()?.files.borrow();
    files.get(fd).ok().cloned()
}

/// Names of a file, as st_nlink shows them.
pub fn links(tasks: &Tasks, node: &Node) -> u32 {
    match *node {
        Node::ROOT => 2 + tasks.table.processes().count() as u32,
        node if mode(node) & S_IFDIR == S_IFDIR => 2,
        _ => 1,
    }
}

/// An entry of a directory of /proc.
pub struct DirEntry {
    /// Name.
    pub name: Vec<u8>,
    /// Inode number.
    pub ino: u64,
    /// Type and permissions.
    pub mode: u32,
    /// The place behind it.
    pub next: u64,
}

fn named(node: Node, name: Vec<u8>, next: u64) -> DirEntry {
    DirEntry {
        name,
        ino: ino(node),
        mode: mode(node),
        next,
    }
}

fn numbered(node: Node, id: u32, next: u64) -> DirEntry {
    let mut name = Vec::new();
    number(&mut name, id.into());
    named(node, name, next)
}

/// The first entry of a directory at or behind a place.
pub fn entry(tasks: &Tasks, node: &Node, at: u64) -> Option<DirEntry> {
    match *node {
        Node::Fixed(index) => {
            let fixed = TREE.len() as u64;
            let from = usize::try_from(at).ok()?;
            if let Some((child, entry)) = tree::children_from(index, from).next() {
                let name = entry.name.as_bytes().to_vec();
                return Some(named(Node::Fixed(child), name, u64::from(child) + 1));
            }
            if index != 0 {
                return None;
            }
            let from = u32::try_from(at.saturating_sub(fixed)).ok()?;
            let pids = tasks.table.processes().map(|p| p.pid);
            let pid = pids.filter(|pid| *pid >= from).min()?;
            let next = fixed + u64::from(pid) + 1;
            Some(numbered(Node::Dir(Who { pid, tid: 0 }), pid, next))
        }
        Node::Dir(who) => {
            find(tasks, who).ok()?;
            let from = usize::try_from(at).ok()?;
            let mut parts = PARTS.iter().enumerate().skip(from);
            let (index, part) = parts.find(|(_, p)| who.tid == 0 || p.2 != Part::Tasks)?;
            let name = part.0.as_bytes().to_vec();
            Some(named(Node::Entry(who, index as u8), name, index as u64 + 1))
        }
        Node::Entry(who, index) => match PARTS.get(usize::from(index))?.2 {
            part @ (Part::Fds | Part::FdInfos) => {
                let files = thread_of(tasks, who).ok()?.files.borrow();
                let fd = files.next_open(i32::try_from(at).ok()?)?;
                let node = if part == Part::Fds {
                    Node::Fd(who, fd)
                } else {
                    Node::FdInfo(who, fd)
                };
                Some(numbered(node, fd as u32, fd as u64 + 1))
            }
            Part::Tasks => {
                let from = u32::try_from(at).ok()?;
                let tid = tasks.table.tasks(who.pid).filter(|t| *t >= from).min()?;
                let node = Node::Dir(Who { tid, ..who });
                Some(numbered(node, tid, u64::from(tid) + 1))
            }
            Part::Namespaces => {
                let at = usize::try_from(at).ok()?;
                let (name, ..) = NAMESPACES.get(at)?;
                let node = Node::Ns(who, at as u8);
                Some(named(node, name.as_bytes().to_vec(), at as u64 + 1))
            }
            _ => None,
        },
        Node::Fd(..) | Node::FdInfo(..) | Node::Ns(..) => None,
    }
}
