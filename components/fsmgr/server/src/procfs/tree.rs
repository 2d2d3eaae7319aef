//! The part of /proc that is always there.

use super::SysFile;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A directory.
    Dir,
    /// A link to a name.
    Link(&'static str),
    /// The link to the caller's process.
    Myself,
    /// The link to the caller's thread.
    MyThread,
    /// A text and its permissions.
    Text(SysFile, u32),
}

/// An entry; its directory is named by its index.
pub struct Entry {
    /// The directory.
    pub parent: u16,
    /// The name.
    pub name: &'static str,
    /// What it is.
    pub what: What,
}

const fn entry(parent: u16, name: &'static str, what: What) -> Entry {
    Entry { parent, name, what }
}

const fn text(parent: u16, name: &'static str, file: SysFile) -> Entry {
    entry(parent, name, What::Text(file, 0o444))
}

const fn value(parent: u16, name: &'static str, file: SysFile) -> Entry {
    entry(parent, name, What::Text(file, 0o644))
}

// Directories come first, so that their indices can be named.
const SYS: u16 = 1;
const KERNEL: u16 = 2;
const RANDOM: u16 = 3;
const VM: u16 = 4;
const FS: u16 = 5;
const NET: u16 = 6;
const SYS_NET: u16 = 7;
const CORE: u16 = 8;
const UNIX: u16 = 9;
const PTY: u16 = 10;
const INOTIFY: u16 = 11;

/// All entries; 0 is /proc itself.
pub const TREE: &[Entry] = &[
    entry(u16::MAX, "", What::Dir),
    entry(0, "sys", What::Dir),
    entry(SYS, "kernel", What::Dir),
    entry(KERNEL, "random", What::Dir),
    entry(SYS, "vm", What::Dir),
    entry(SYS, "fs", What::Dir),
    entry(0, "net", What::Dir),
    entry(SYS, "net", What::Dir),
    entry(SYS_NET, "core", What::Dir),
    entry(SYS_NET, "unix", What::Dir),
    entry(KERNEL, "pty", What::Dir),
    entry(FS, "inotify", What::Dir),
    entry(0, "self", What::Myself),
    entry(0, "thread-self", What::MyThread),
    entry(0, "mounts", What::Link("self/mounts")),
    text(0, "cmdline", SysFile::Cmdline),
    text(0, "cpuinfo", SysFile::Cpuinfo),
    text(0, "devices", SysFile::Devices),
    text(0, "filesystems", SysFile::Filesystems),
    text(0, "loadavg", SysFile::Loadavg),
    text(0, "meminfo", SysFile::Meminfo),
    text(0, "partitions", SysFile::Partitions),
    text(0, "stat", SysFile::Stat),
    text(0, "swaps", SysFile::Swaps),
    text(0, "uptime", SysFile::Uptime),
    text(0, "version", SysFile::Version),
    text(0, "vmstat", SysFile::Vmstat),
    text(KERNEL, "hostname", SysFile::Hostname),
    text(KERNEL, "domainname", SysFile::Domainname),
    text(KERNEL, "ostype", SysFile::Ostype),
    text(KERNEL, "osrelease", SysFile::Osrelease),
    text(KERNEL, "version", SysFile::KernelVersion),
    text(KERNEL, "pid_max", SysFile::PidMax),
    text(KERNEL, "threads-max", SysFile::ThreadsMax),
    text(KERNEL, "cap_last_cap", SysFile::CapLastCap),
    text(KERNEL, "ngroups_max", SysFile::NgroupsMax),
    text(KERNEL, "core_pattern", SysFile::CorePattern),
    text(KERNEL, "printk", SysFile::Printk),
    text(KERNEL, "overflowuid", SysFile::Overflow),
    text(KERNEL, "overflowgid", SysFile::Overflow),
    text(KERNEL, "randomize_va_space", SysFile::Two),
    text(PTY, "max", SysFile::PtyMax),
    text(PTY, "nr", SysFile::PtyCount),
    text(INOTIFY, "max_queued_events", SysFile::InotifyEvents),
    text(INOTIFY, "max_user_instances", SysFile::InotifyInstances),
    text(INOTIFY, "max_user_watches", SysFile::InotifyWatches),
    text(RANDOM, "boot_id", SysFile::BootId),
    text(RANDOM, "uuid", SysFile::Uuid),
    text(RANDOM, "entropy_avail", SysFile::Entropy),
    text(RANDOM, "poolsize", SysFile::Entropy),
    text(VM, "overcommit_memory", SysFile::Zero),
    text(VM, "overcommit_ratio", SysFile::Fifty),
    text(VM, "max_map_count", SysFile::MaxMapCount),
    text(VM, "mmap_min_addr", SysFile::MmapMinAddr),
    text(VM, "swappiness", SysFile::Zero),
    value(VM, "drop_caches", SysFile::DropCaches),
    text(FS, "file-max", SysFile::FileMax),
    text(FS, "file-nr", SysFile::FileNr),
    text(FS, "nr_open", SysFile::NrOpen),
    text(FS, "pipe-max-size", SysFile::PipeMaxSize),
    text(CORE, "somaxconn", SysFile::Somaxconn),
    text(UNIX, "max_dgram_qlen", SysFile::MaxDgram),
    text(NET, "dev", SysFile::NetDev),
    text(NET, "route", SysFile::NetRoute),
    text(NET, "arp", SysFile::NetArp),
    text(NET, "tcp", SysFile::NetInet),
    text(NET, "tcp6", SysFile::NetInet),
    text(NET, "udp", SysFile::NetInet),
    text(NET, "udp6", SysFile::NetInet),
    text(NET, "raw", SysFile::NetInet),
    text(NET, "unix", SysFile::NetUnix),
];

/// Whether an entry lies below /proc/sys.
pub fn is_setting(index: u16) -> bool {
    let mut at = index;
    while let Some(entry) = TREE.get(usize::from(at)) {
        if at == SYS {
            return true;
        }
        at = entry.parent;
    }
    false
}

/// Entries of a directory from an index on.
pub fn children_from(dir: u16, from: usize) -> impl Iterator<Item = (u16, &'static Entry)> {
    let all = TREE.iter().enumerate().skip(from);
    all.filter(move |(_, e)| e.parent == dir)
        .map(|(i, e)| (i as u16, e))
}

/// The entry of a name in a directory.
pub fn child(dir: u16, name: &[u8]) -> Option<u16> {
    children_from(dir, 0)
        .find(|(_, e)| e.name.as_bytes() == name)
        .map(|(i, _)| i)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_have_the_indices_they_are_named_by() {
        let names = [
            (SYS, "sys"),
            (KERNEL, "kernel"),
            (RANDOM, "random"),
            (VM, "vm"),
            (FS, "fs"),
            (NET, "net"),
            (SYS_NET, "net"),
            (CORE, "core"),
            (UNIX, "unix"),
            (PTY, "pty"),
            (INOTIFY, "inotify"),
        ];
        for (index, name) in names {
            let entry = &TREE[usize::from(index)];
            assert_eq!((entry.name, entry.what), (name, What::Dir));
        }
        for entry in &TREE[1..] {
            assert_eq!(
                TREE[usize::from(entry.parent)].what,
                What::Dir,
                "{}",
                entry.name
            );
        }
    }
}
