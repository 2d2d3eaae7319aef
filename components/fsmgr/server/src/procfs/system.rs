//! Texts about the system.

use alloc::vec::Vec;
use core::fmt::Write;

use console_api::Console;
use lsyscall_abi::{Errno, ThreadIdx};
use memmgr_api::Memory;

use crate::fd::MAX_FDS;
use crate::file::FileCount;
use crate::sysv::{limit_text, Limit, Listing};
use crate::text::Text;
use crate::FsMgr;

/// A text about the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SysFile {
    Sysv(Listing),
    IpcLimit(Limit),
    Cmdline,
    Cpuinfo,
    Devices,
    Filesystems,
    Loadavg,
    Meminfo,
    Partitions,
    Stat,
    Swaps,
    Uptime,
    Version,
    Vmstat,
    Hostname,
    Domainname,
    Ostype,
    Osrelease,
    KernelVersion,
    PidMax,
    ThreadsMax,
    CapLastCap,
    NgroupsMax,
    CorePattern,
    Printk,
    Overflow,
    BootId,
    Uuid,
    Entropy,
    Zero,
    Two,
    Overcommit,
    OvercommitRatio,
    MaxMapCount,
    MmapMinAddr,
    DropCaches,
    FileMax,
    FileNr,
    NrOpen,
    PipeMaxSize,
    Somaxconn,
    MaxDgram,
    NetDev,
    NetRoute,
    NetArp,
    NetInet,
    NetUnix,
    PtyMax,
    PtyCount,
    InotifyEvents,
    InotifyInstances,
    InotifyWatches,
    InodeCount,
    /// A text that never changes.
    Fixed(&'static str),
}

/// The release uname(2) reports.
const RELEASE: &str = "6.1.0-persona";
/// The version uname(2) reports.
const VERSION: &str = "#1 Persona on seL4";
/// Nanoseconds of a tick of /proc (USER_HZ is 100).
pub(super) const TICK: u64 = 10_000_000;

/// A random id in the form of RFC 4122, version 4.
fn uuid(mut raw: [u8; 16]) -> Text {
    raw[6] = raw[6] & 0x0f | 0x40;
    raw[8] = raw[8] & 0x3f | 0x80;
    let mut out = Text::default();
    for (i, byte) in raw.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            out.bytes(b"-");
        }
        let _ = write!(out, "{byte:02x}");
    }
    out.bytes(b"\n");
    out
}

impl<M: Memory, C: Console> FsMgr<M, C> {
    pub(super) fn system_text(&mut self, file: SysFile) -> Result<Vec<u8>, Errno> {
        let mut out = Text::default();
        let fixed = match file {
            SysFile::Fixed(text) => text,
            SysFile::InodeCount => {
                let used = self.vfs.counters.inodes();
                let _ = writeln!(out, "{used}\t0");
                return Ok(out.0);
            }
            SysFile::Meminfo => return self.meminfo(),
            SysFile::Stat => return Ok(self.stat_text()),
            SysFile::Sysv(listing) => return self.sysv_text(listing),
            SysFile::Overcommit | SysFile::OvercommitRatio => {
                let (mode, ratio) = self.overcommit;
                let value = match file {
                    SysFile::Overcommit => mode,
                    _ => ratio,
                };
                let _ = writeln!(out, "{value}");
                return Ok(out.0);
            }
            SysFile::IpcLimit(limit) => return Ok(limit_text(limit)),
            SysFile::NetUnix => {
                "Num       RefCount Protocol Flags    Type St Inode Path\n"
            }
            SysFile::Uptime => {
                let up = self.now();
                let idle = self.idle_ns();
                let hundredths = |ns: u64| (ns / 1_000_000_000, ns / TICK % 100);
                let ((a, b), (c, d)) = (hundredths(up), hundredths(idle));
                let _ = writeln!(out, "{a}.{b:02} {c}.{d:02}");
                return Ok(out.0);
            }
            SysFile::Loadavg => {
                let header = self.tasks.table.header();
                for load in header.load {
                    let _ = write!(out, "{}.{:02} ", load >> 11, ((load & 0x7ff) * 100) >> 11);
                }
                let (running, threads) = (self.running(), header.threads);
                let _ = writeln!(out, "{running}/{threads} {}", header.last_pid);
                return Ok(out.0);
            }
            SysFile::Version => {
                let _ = writeln!(out, "Linux version {RELEASE} (persona) {VERSION}");
                return Ok(out.0);
            }
            SysFile::BootId => return Ok(uuid(self.boot_id).0),
            SysFile::Uuid => {
                let mut raw = [0; 16];
                self.random.fill(&mut raw);
                return Ok(uuid(raw).0);
            }
            SysFile::FileNr => {
                let _ = writeln!(out, "{}\t0\t{}", self.vfs.files.get(), FileCount::MAX);
                return Ok(out.0);
            }
            SysFile::Hostname | SysFile::Domainname => {
                let name = match file {
                    SysFile::Hostname => &self.host_name,
                    _ => &self.domain_name,
                };
                out.bytes(name);
                out.bytes(b"\n");
                return Ok(out.0);
            }
            SysFile::Osrelease => {
                let _ = writeln!(out, "{RELEASE}");
                return Ok(out.0);
            }
            SysFile::KernelVersion => {
                let _ = writeln!(out, "{VERSION}");
                return Ok(out.0);
            }
            SysFile::FileMax
            | SysFile::NrOpen
            | SysFile::PipeMaxSize
            | SysFile::ThreadsMax
            | SysFile::PtyMax
            | SysFile::PtyCount
            | SysFile::InotifyEvents
            | SysFile::InotifyInstances
            | SysFile::InotifyWatches => {
                let value = match file {
                    SysFile::FileMax => FileCount::MAX,
                    SysFile::NrOpen => MAX_FDS,
                    SysFile::PtyMax => crate::pty::MAX_PAIRS.into(),
                    SysFile::PtyCount => self.pairs.count() as u64,
                    SysFile::InotifyEvents => crate::inotify::MAX_QUEUED as u64,
                    SysFile::InotifyInstances => crate::inotify::MAX_INSTANCES,
                    SysFile::InotifyWatches => crate::inotify::MAX_WATCHES,
                    SysFile::PipeMaxSize => crate::pipe::MAX_CAPACITY as u64,
                    _ => u64::from(self.tasks.table.header().slots),
                };
                let _ = writeln!(out, "{value}");
                return Ok(out.0);
            }
            SysFile::Cmdline => "\n",
            SysFile::Cpuinfo => {
                "processor\t: 0\nBogoMIPS\t: 125.00\nFeatures\t: fp asimd cpuid\n\
                 CPU architecture: 8\n\n"
            }
            SysFile::Devices => {
                "Character devices:\n  1 mem\n  4 tty\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n\
                 136 pts\n204 ttyAMA\n\nBlock devices:\n"
            }
            SysFile::Filesystems => {
                "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tdevtmpfs\nnodev\tdevpts\nnodev\tramfs\n"
            }
            SysFile::Partitions => "major minor  #blocks  name\n\n",
            SysFile::Swaps => "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n",
            SysFile::Vmstat => {
                let stats = self.mem.stats()?;
                let pages = |bytes: u64| bytes / memmgr_api::PAGE_SIZE;
                let _ = writeln!(out, "nr_free_pages {}", pages(stats.free));
                let _ = writeln!(out, "nr_anon_pages {}", pages(stats.anonymous));
                let _ = writeln!(out, "nr_shmem {}", pages(stats.objects));
                return Ok(out.0);
            }
            SysFile::Ostype => "Linux\n",
            SysFile::PidMax => "32768\n",
            SysFile::CapLastCap => "40\n",
            SysFile::NgroupsMax => "32\n",
            SysFile::CorePattern => "core\n",
            SysFile::Printk => "4\t4\t1\t7\n",
            SysFile::Overflow => "65534\n",
            SysFile::Entropy => "256\n",
            SysFile::Zero | SysFile::DropCaches => "0\n",
            SysFile::Two => "2\n",
            SysFile::MaxMapCount => "65530\n",
            SysFile::MmapMinAddr => "4096\n",
            SysFile::Somaxconn => "128\n",
            SysFile::MaxDgram => "512\n",
            SysFile::NetDev => {
                "Inter-|   Receive                                                |  Transmit\n \
                 face |bytes    packets errs drop fifo frame compressed multicast|bytes    \
                 packets errs drop fifo colls carrier compressed\n"
            }
            SysFile::NetRoute => {
                "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
            }
            SysFile::NetArp => {
                "IP address       HW type     Flags       HW address            Mask     Device\n"
            }
            SysFile::NetInet => {
                "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   \
                 uid  timeout inode\n"
            }
        };
        Ok(fixed.as_bytes().to_vec())
    }

    /// Time in which the processor had nothing to do, in nanoseconds.
    fn idle_ns(&self) -> u64 {
        let usage = self.tasks.table.usage();
        usage.map_or(0, |usage| usage.idle().user)
    }

    /// User time, system time and switches of all threads there have been, times in nanoseconds.
    fn busy(&self) -> (u64, u64, u64) {
        let table = &self.tasks.table;
        let header = table.header();
        let [user, system] = header.ended_ns;
        let mut sum = (user, system, header.ended_switches);
        for index in (0..header.slots as usize).take(usize::from(u16::MAX)) {
            if table.thread(index).is_some() {
                let used = table.thread_usage(ThreadIdx(index as u16));
                sum.0 = sum.0.saturating_add(used.user);
                sum.1 = sum.1.saturating_add(used.system);
                sum.2 = sum.2.saturating_add(used.voluntary + used.involuntary);
            }
        }
        sum
    }

    /// Threads that run or are ready: the one that asks, and those the kernel has.
    fn running(&self) -> u64 {
        let usage = self.tasks.table.usage();
        usage.map_or(1, |usage| usage.ready().saturating_add(1))
    }

    fn meminfo(&mut self) -> Result<Vec<u8>, Errno> {
        let stats = self.mem.stats()?;
        let promised = self.mem.promised().unwrap_or_default();
        let rows = [
            ("MemTotal", stats.total),
            ("MemFree", stats.free),
            ("MemAvailable", stats.free),
            ("Buffers", 0),
            ("Cached", stats.objects),
            ("SwapCached", 0),
            ("Active", stats.anonymous),
            ("Inactive", 0),
            ("Active(anon)", stats.anonymous),
            ("Inactive(anon)", 0),
            ("Active(file)", 0),
            ("Inactive(file)", 0),
            ("Unevictable", 0),
            ("Mlocked", 0),
            ("SwapTotal", 0),
            ("SwapFree", 0),
            ("Dirty", 0),
            ("Writeback", 0),
            ("AnonPages", stats.anonymous),
            ("Mapped", 0),
            ("Shmem", stats.objects),
            ("KReclaimable", 0),
            ("Slab", stats.kernel),
            ("SReclaimable", 0),
            ("SUnreclaim", stats.kernel),
            ("PageTables", stats.kernel),
            ("CommitLimit", promised.1),
            ("Committed_AS", promised.0),
            ("AnonHugePages", 0),
            ("ShmemHugePages", 0),
            ("Hugetlb", 0),
        ];
        let mut out = Text::default();
        for (name, bytes) in rows {
            let kib = bytes / 1024;
            let _ = write!(out, "{name}:");
            let _ = writeln!(out, "{kib:>w$} kB", w = 23usize.saturating_sub(name.len()));
        }
        Ok(out.0)
    }

    fn stat_text(&self) -> Vec<u8> {
        let header = self.tasks.table.header();
        let (user, system, switches) = self.busy();
        let (user, idle) = (user / TICK, self.idle_ns() / TICK);
        // What is neither is the system's own: its start, and interrupts that nobody's call has caused.
        let system = (system / TICK).max((self.now() / TICK).saturating_sub(user + idle));
        let boot = self.realtime_offset() / 1_000_000_000;
        let mut out = Text::default();
        let _ = writeln!(out, "cpu  {user} 0 {system} {idle} 0 0 0 0 0 0");
        let _ = writeln!(out, "cpu0 {user} 0 {system} {idle} 0 0 0 0 0 0");
        let _ = writeln!(out, "intr 0\nctxt {switches}\nbtime {boot}");
        let (created, running) = (header.created, self.running());
        let _ = writeln!(out, "processes {created}\nprocs_running {running}");
        out.bytes(b"procs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n");
        out.0
    }
}
