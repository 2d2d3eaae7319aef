//! The part of /proc that is always there.

use super::SysFile;
use crate::sysv::{Limit, Listing};

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

const fn fixed(parent: u16, name: &'static str, text: &'static str) -> Entry {
    entry(parent, name, What::Text(SysFile::Fixed(text), 0o444))
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
const EPOLL: u16 = 12;
const IPV4: u16 = 13;
const TTY: u16 = 14;
/// The root of /sys, which is no part of /proc.
pub const SYSFS: u16 = 15;
const SYS_KERNEL: u16 = 16;
const MM: u16 = 17;
const THP: u16 = 18;
const SYS_FS: u16 = 19;
const DEVICES: u16 = 20;
const SYSTEM: u16 = 21;
const CPUS: u16 = 22;
const CPU0: u16 = 23;
const TOPOLOGY: u16 = 24;
const NODES: u16 = 25;
const NODE0: u16 = 26;
const CLASS: u16 = 27;
const SYSV: u16 = 38;

/// Terminals as /proc/tty/drivers lists them.
const TTY_DRIVERS: &str = "\
/dev/tty             /dev/tty        5       0 system:/dev/tty
/dev/console         /dev/console    5       1 system:console
/dev/ptmx            /dev/ptmx       5       2 system
ttyAMA               /dev/ttyAMA   204 64-77 serial
pty_slave            /dev/pts      136 0-255 pty:slave
pty_master           /dev/ptm      128 0-255 pty:master
";

/// All entries; 0 is /proc itself, and [`SYSFS`] is /sys.
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
    entry(FS, "epoll", What::Dir),
    entry(SYS_NET, "ipv4", What::Dir),
    entry(0, "tty", What::Dir),
    entry(u16::MAX, "", What::Dir),
    entry(SYSFS, "kernel", What::Dir),
    entry(SYS_KERNEL, "mm", What::Dir),
    entry(MM, "transparent_hugepage", What::Dir),
    entry(SYSFS, "fs", What::Dir),
    entry(SYSFS, "devices", What::Dir),
    entry(DEVICES, "system", What::Dir),
    entry(SYSTEM, "cpu", What::Dir),
    entry(CPUS, "cpu0", What::Dir),
    entry(CPU0, "topology", What::Dir),
    entry(SYSTEM, "node", What::Dir),
    entry(NODES, "node0", What::Dir),
    entry(SYSFS, "class", What::Dir),
    entry(SYS_FS, "cgroup", What::Dir),
    entry(SYSFS, "block", What::Dir),
    entry(SYSFS, "bus", What::Dir),
    entry(SYSFS, "dev", What::Dir),
    entry(SYSFS, "firmware", What::Dir),
    entry(SYSFS, "module", What::Dir),
    entry(SYSFS, "power", What::Dir),
    entry(CLASS, "net", What::Dir),
    entry(CLASS, "tty", What::Dir),
    entry(CLASS, "block", What::Dir),
    entry(0, "sysvipc", What::Dir),
    entry(0, "self", What::Myself),
    entry(0, "thread-self", What::MyThread),
    entry(0, "mounts", What::Link("self/mounts")),
    fixed(THP, "enabled", "always madvise [never]\n"),
    fixed(
        THP,
        "defrag",
        "always defer defer+madvise [madvise] never\n",
    ),
    fixed(
        THP,
        "shmem_enabled",
        "always within_size advise [never] deny force\n",
    ),
    fixed(THP, "hpage_pmd_size", "2097152\n"),
    fixed(THP, "use_zero_page", "0\n"),
    fixed(CPUS, "online", "0\n"),
    fixed(CPUS, "possible", "0\n"),
    fixed(CPUS, "present", "0\n"),
    fixed(CPUS, "offline", "\n"),
    fixed(CPUS, "isolated", "\n"),
    fixed(CPUS, "kernel_max", "0\n"),
    fixed(TOPOLOGY, "core_id", "0\n"),
    fixed(TOPOLOGY, "physical_package_id", "0\n"),
    fixed(TOPOLOGY, "core_cpus_list", "0\n"),
    fixed(TOPOLOGY, "package_cpus_list", "0\n"),
    fixed(TOPOLOGY, "thread_siblings_list", "0\n"),
    fixed(TOPOLOGY, "core_siblings_list", "0\n"),
    fixed(TOPOLOGY, "thread_siblings", "1\n"),
    fixed(TOPOLOGY, "core_siblings", "1\n"),
    fixed(NODES, "online", "0\n"),
    fixed(NODES, "possible", "0\n"),
    fixed(NODES, "has_memory", "0\n"),
    fixed(NODES, "has_cpu", "0\n"),
    fixed(NODE0, "cpulist", "0\n"),
    fixed(NODE0, "cpumap", "1\n"),
    fixed(NODE0, "distance", "10\n"),
    text(0, "cmdline", SysFile::Cmdline),
    fixed(0, "consoles", "ttyAMA0              -W- (EC   a)  204:64\n"),
    fixed(0, "diskstats", ""),
    fixed(0, "execdomains", "0-0\tLinux           \t[kernel]\n"),
    fixed(0, "interrupts", "           CPU0       \n"),
    fixed(0, "misc", ""),
    fixed(0, "modules", ""),
    fixed(0, "softirqs", "                    CPU0       \n"),
    fixed(TTY, "drivers", TTY_DRIVERS),
    fixed(EPOLL, "max_user_watches", "65536\n"),
    fixed(IPV4, "ip_local_port_range", "32768\t60999\n"),
    fixed(KERNEL, "tainted", "0\n"),
    fixed(KERNEL, "panic", "0\n"),
    fixed(KERNEL, "sysrq", "0\n"),
    fixed(KERNEL, "dmesg_restrict", "1\n"),
    fixed(KERNEL, "kptr_restrict", "0\n"),
    fixed(KERNEL, "perf_event_paranoid", "3\n"),
    fixed(KERNEL, "core_uses_pid", "0\n"),
    fixed(FS, "protected_symlinks", "1\n"),
    fixed(FS, "protected_hardlinks", "1\n"),
    fixed(FS, "protected_fifos", "0\n"),
    fixed(FS, "protected_regular", "0\n"),
    fixed(FS, "suid_dumpable", "0\n"),
    fixed(FS, "mount-max", "256\n"),
    fixed(FS, "pipe-user-pages-hard", "0\n"),
    fixed(FS, "pipe-user-pages-soft", "0\n"),
    text(FS, "inode-nr", SysFile::InodeCount),
    fixed(FS, "overflowuid", "65534\n"),
    fixed(FS, "overflowgid", "65534\n"),
    fixed(VM, "nr_hugepages", "0\n"),
    fixed(VM, "oom_kill_allocating_task", "0\n"),
    fixed(VM, "panic_on_oom", "0\n"),
    fixed(VM, "page-cluster", "3\n"),
    fixed(CORE, "rmem_default", "212992\n"),
    fixed(CORE, "wmem_default", "212992\n"),
    fixed(CORE, "rmem_max", "212992\n"),
    fixed(CORE, "wmem_max", "212992\n"),
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
    value(VM, "overcommit_memory", SysFile::Overcommit),
    value(VM, "overcommit_ratio", SysFile::OvercommitRatio),
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
    text(SYSV, "shm", SysFile::Sysv(Listing::Shm)),
    text(SYSV, "sem", SysFile::Sysv(Listing::Sem)),
    text(SYSV, "msg", SysFile::Sysv(Listing::Msg)),
    text(KERNEL, "shmmax", SysFile::IpcLimit(Limit::ShmMax)),
    text(KERNEL, "shmall", SysFile::IpcLimit(Limit::ShmAll)),
    text(KERNEL, "shmmni", SysFile::IpcLimit(Limit::ShmMni)),
    text(KERNEL, "sem", SysFile::IpcLimit(Limit::Sem)),
    text(KERNEL, "msgmax", SysFile::IpcLimit(Limit::MsgMax)),
    text(KERNEL, "msgmnb", SysFile::IpcLimit(Limit::MsgMnb)),
    text(KERNEL, "msgmni", SysFile::IpcLimit(Limit::MsgMni)),
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

/// Whether an entry lies below /proc/sys or in /sys.
pub fn is_setting(index: u16) -> bool {
    let mut at = index;
    while let Some(entry) = TREE.get(usize::from(at)) {
        if at == SYS || at == SYSFS {
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
            (EPOLL, "epoll"),
            (IPV4, "ipv4"),
            (TTY, "tty"),
            (SYSFS, ""),
            (SYS_KERNEL, "kernel"),
            (MM, "mm"),
            (THP, "transparent_hugepage"),
            (SYS_FS, "fs"),
            (DEVICES, "devices"),
            (SYSTEM, "system"),
            (CPUS, "cpu"),
            (CPU0, "cpu0"),
            (TOPOLOGY, "topology"),
            (NODES, "node"),
            (NODE0, "node0"),
            (CLASS, "class"),
            (SYSV, "sysvipc"),
        ];
        for (index, name) in names {
            let entry = &TREE[usize::from(index)];
            assert_eq!((entry.name, entry.what), (name, What::Dir));
        }
        for entry in TREE.iter().filter(|e| e.parent != u16::MAX) {
            assert_eq!(
                TREE[usize::from(entry.parent)].what,
                What::Dir,
                "{}",
                entry.name
            );
        }
    }
}
