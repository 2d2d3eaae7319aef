//! Texts about processes.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::fmt::Write;

use console_api::Console;
use lsyscall_abi::{Errno, MountFlags, ThreadIdx};
use memmgr_api::{Memory, MmStats, Space, PAGE_SIZE, PROT_EXEC, PROT_READ, PROT_WRITE};
use persona_component::Usage;
use procmgr_api::ProcEntry;

use super::system::TICK;
use super::{find, thread_of, Info, Who};
use crate::calls::SHOWN_FLAGS;
use crate::file::Object;
use crate::heap::buffer;
use crate::inode::{dev_major, dev_minor};
use crate::mount::{Mount, Path};
use crate::text::Text;
use crate::FsMgr;

/// Longest command line and environment shown.
const MAX_ARGS: u64 = 1 << 17;
/// A mount and its name.
type ShownMount = (Rc<Mount>, Vec<u8>);
/// Mappings listed at most.
const MAX_MAPS: usize = 8192;

fn state_word(state: u8) -> &'static str {
    match state {
        b'R' => "R (running)",
        b'T' => "T (stopped)",
        b'Z' => "Z (zombie)",
        _ => "S (sleeping)",
    }
}

fn comm(process: &ProcEntry) -> &[u8] {
    let end = process.comm.iter().position(|b| *b == 0);
    process
        .comm
        .get(..end.unwrap_or(process.comm.len()))
        .unwrap_or_default()
}

impl<M: Memory, C: Console> FsMgr<M, C> {
    pub(super) fn process_text(
        &mut self,
        reader: ThreadIdx,
        who: Who,
        info: Info,
    ) -> Result<Vec<u8>, Errno> {
        let (mut process, thread) = find(&self.tasks, who).map_err(|_| Errno::ESRCH)?;
        // procmgr knows who waits in procmgr. Who reads this runs, and on one processor he is the only one: others are shown
        // as sleeping, which is what nearly all of them do (those that could run cannot be told from those that wait in
        // another component).
        let own = self.tasks.table.process_of(reader).map(|p| p.pid);
        if process.state == u32::from(b'R') && own != Some(process.pid) {
            process.state = u32::from(b'S');
        }
        Ok(match info {
            Info::Stat => self.stat_line(who, &process, thread),
            Info::Statm => {
                let s = self.space_stats(thread);
                let mut out = Text::default();
                let pages = |bytes: u64| bytes / PAGE_SIZE;
                let (size, text) = (pages(s.virtual_size), pages(s.text));
                let data = pages(s.data + s.stack);
                let _ = writeln!(
                    out,
                    "{size} {} {} {text} 0 {data} 0",
                    s.resident / PAGE_SIZE,
                    s.shared / PAGE_SIZE
                );
                out.0
            }
            Info::Status => self.status(who, &process, thread),
            Info::Comm => {
                let mut out = comm(&process).to_vec();
                out.push(b'\n');
                out
            }
            Info::Cmdline => self.strings(thread, process.arg_start, process.arg_end),
            Info::Environ => self.strings(thread, process.env_start, process.env_end),
            Info::Maps => self.maps(who, thread, false)?,
            Info::Smaps => self.maps(who, thread, true)?,
            Info::Mounts => self.mounts_text(who)?,
            Info::MountTable => self.mountinfo_text(who)?,
            Info::Limits => self.limits(who)?,
            Info::Cgroup => b"0::/\n".to_vec(),
            Info::Zero => b"0\n".to_vec(),
            Info::Wchan => b"0".to_vec(),
            Info::Adjustment => {
                let mut out = Text::default();
                let _ = writeln!(
                    out,
                    "{}",
                    self.tasks.get(thread).map_or(0, |t| t.oom_adjust.get())
                );
                out.0
            }
            Info::Auxv => self.auxv(thread, &process),
            Info::Io => self.io_text(who)?,
            // Nobody has logged in: (uid_t)-1.
            Info::LoginUid => b"4294967295".to_vec(),
            Info::Personality => b"00000000\n".to_vec(),
            Info::IdMap => b"         0          0 4294967295\n".to_vec(),
            Info::SetGroups => b"allow\n".to_vec(),
            Info::Slack => b"50000\n".to_vec(),
            Info::CoreFilter => b"00000033\n".to_vec(),
            Info::Schedstat => {
                let mut out = Text::default();
                let busy = process.utime_ns.saturating_add(process.stime_ns);
                let _ = writeln!(out, "{busy} 0 0");
                out.0
            }
            Info::Children => {
                let mut out = Text::default();
                for child in self.tasks.table.processes().filter(|p| p.ppid == who.pid) {
                    let _ = write!(out, "{} ", child.pid);
                }
                out.0
            }
            Info::SmapsRollup => self.smaps_rollup(thread),
        })
    }

    /// The auxiliary vector, which lies on the initial stack behind the pointers to arguments and environment.
    fn auxv(&self, thread: ThreadIdx, process: &ProcEntry) -> Vec<u8> {
        let stack = self.strings(thread, process.start_stack, process.arg_start);
        let mut words = stack.chunks_exact(8);
        // The count, then two lists that each end with a null pointer.
        words.next();
        for _ in 0..2 {
            words.find(|w| w.iter().all(|b| *b == 0));
        }
        let mut out = Vec::new();
        while let (Some(key), Some(value)) = (words.next(), words.next()) {
            out.extend_from_slice(key);
            out.extend_from_slice(value);
            if key.iter().all(|b| *b == 0) {
                break;
            }
        }
        out
    }

    /// What the process moved by reads and writes; nothing goes to or comes from a disk.
    fn io_text(&self, who: Who) -> Result<Vec<u8>, Errno> {
        let [read, written, reads, writes] = thread_of(&self.tasks, who)?.files.borrow().moved;
        let mut out = Text::default();
        let _ = writeln!(
            out,
            "rchar: {read}\nwchar: {written}\nsyscr: {reads}\nsyscw: {writes}\n\
             read_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0"
        );
        Ok(out.0)
    }

    /// All mappings in one, as far as it is known.
    fn smaps_rollup(&self, thread: ThreadIdx) -> Vec<u8> {
        let s = self.space_stats(thread);
        let mut out = Text::default();
        let kib = |pages: u64| pages * PAGE_SIZE / 1024;
        let _ = writeln!(
            out,
            "00000000-{:x} ---p 00000000 00:00 0                  [rollup]",
            memmgr_api::USER_TOP
        );
        let rows = [("Rss:", kib(s.resident)), ("Shared_Clean:", kib(s.shared))];
        for (name, value) in rows {
            let _ = writeln!(out, "{name:<15} {value:>8} kB");
        }
        out.0
    }

    fn space_stats(&self, thread: ThreadIdx) -> MmStats {
        self.mem.mm_stats(Space::Thread(thread)).unwrap_or_default()
    }

    /// What a process has used of the processor, or its thread if that is meant.
    fn usage_of(&self, who: Who, process: &ProcEntry, thread: ThreadIdx) -> Usage {
        if who.tid != 0 {
            self.tasks.table.thread_usage(thread)
        } else {
            self.tasks.table.process_usage(process)
        }
    }

    /// Strings in a process's memory, as far as they can be read.
    fn strings(&self, thread: ThreadIdx, start: u64, end: u64) -> Vec<u8> {
        let len = end.saturating_sub(start).min(MAX_ARGS) as usize;
        let mut out = buffer(len).unwrap_or_default();
        let got = match out.len() {
            0 => 0,
            _ => self
                .mem
                .read_some(Space::Thread(thread), start, &mut out)
                .unwrap_or(0),
        };
        out.truncate(got);
        out
    }

    fn stat_line(&self, who: Who, p: &ProcEntry, thread: ThreadIdx) -> Vec<u8> {
        let s = self.space_stats(thread);
        let (terminal, foreground) = {
            let tty = self.terminal_of(p.sid);
            tty.map_or((0, -1), |t| (t.rdev, t.line.borrow().foreground()))
        };
        let id = if who.tid != 0 { who.tid } else { p.pid };
        let state = p.state as u8 as char;
        let mut out = Text::default();
        let _ = write!(out, "{id} (");
        out.bytes(comm(p));
        let _ = write!(
            out,
            ") {state} {} {} {} {terminal} {foreground} 0 ",
            p.ppid, p.pgid, p.sid
        );
        let used = self.usage_of(who, p, thread);
        let faults = s.minor_faults.saturating_add(p.faults);
        let _ = write!(out, "{faults} {} 0 0 ", p.child_faults);
        let times = [used.user, used.system, p.cutime_ns, p.cstime_ns];
        for time in times {
            let _ = write!(out, "{} ", time / TICK);
        }
        let nice = i64::from(p.nice) - 20;
        let _ = write!(
            out,
            "{} {nice} {} 0 {} ",
            if p.priority == 0 {
                nice + 20
            } else {
                -1 - i64::from(p.priority)
            },
            p.threads,
            p.start_ns / TICK
        );
        let _ = write!(
            out,
            "{} {} {} ",
            s.virtual_size,
            s.resident / PAGE_SIZE,
            u64::MAX
        );
        let _ = write!(out, "0 0 {} 0 0 ", p.start_stack);
        let blocked = self
            .tasks
            .table
            .thread(thread.index())
            .map_or(0, |t| t.blocked);
        let low = |mask: u64| mask & 0x7fff_ffff;
        let signals = [p.pending, blocked, p.ignored, p.caught].map(low);
        for mask in signals {
            let _ = write!(out, "{mask} ");
        }
        let (priority, policy) = (p.priority, p.policy);
        let _ = write!(
            out,
            "0 0 0 17 0 {priority} {policy} 0 0 0 0 0 {} ",
            s.start_brk
        );
        let _ = write!(
            out,
            "{} {} {} {} ",
            p.arg_start, p.arg_end, p.env_start, p.env_end
        );
        let _ = writeln!(out, "{}", p.exit_status);
        out.0
    }

    fn status(&self, who: Who, p: &ProcEntry, thread: ThreadIdx) -> Vec<u8> {
        let s = self.space_stats(thread);
        let mut out = Text::default();
        out.bytes(b"Name:\t");
        out.bytes(comm(p));
        let known = self.tasks.get(thread).ok();
        let umask = known.map_or(0o22, |t| t.fs.umask.get());
        let _ = writeln!(
            out,
            "\nUmask:\t{umask:04o}\nState:\t{}",
            state_word(p.state as u8)
        );
        let id = if who.tid != 0 { who.tid } else { p.pid };
        let (pid, ppid) = (p.pid, p.ppid);
        let _ = writeln!(
            out,
            "Tgid:\t{pid}\nNgid:\t0\nPid:\t{id}\nPPid:\t{ppid}\nTracerPid:\t0"
        );
        let [u, g] = [p.uids, p.gids];
        let _ = writeln!(out, "Uid:\t{}\t{}\t{}\t{}", u[0], u[1], u[2], u[3]);
        let _ = writeln!(out, "Gid:\t{}\t{}\t{}\t{}", g[0], g[1], g[2], g[3]);
        let fds = known.map_or(64, |t| t.files.borrow().capacity());
        let _ = write!(out, "FDSize:\t{fds}\nGroups:\t");
        if let Some(thread) = known {
            let count = thread.creds.group_count as usize;
            for group in thread.creds.groups.iter().take(count) {
                let _ = write!(out, "{group} ");
            }
        }
        let (pgid, sid) = (p.pgid, p.sid);
        let _ = writeln!(
            out,
            "\nNStgid:\t{pid}\nNSpid:\t{id}\nNSpgid:\t{pgid}\nNSsid:\t{sid}"
        );
        let rss = s.resident / 1024;
        let shared = s.shared / 1024;
        if p.state as u8 != b'Z' {
            let sizes = [
                ("VmPeak", s.virtual_size / 1024),
                ("VmSize", s.virtual_size / 1024),
                ("VmLck", 0),
                ("VmPin", 0),
                ("VmHWM", rss),
                ("VmRSS", rss),
                ("RssAnon", rss.saturating_sub(shared)),
                ("RssFile", shared),
                ("RssShmem", 0),
                ("VmData", s.data / 1024),
                ("VmStk", s.stack / 1024),
                ("VmExe", s.text / 1024),
                ("VmLib", 0),
                ("VmPTE", 0),
                ("VmSwap", 0),
                ("HugetlbPages", 0),
            ];
            for (name, kib) in sizes {
                let _ = writeln!(out, "{name}:\t{kib:>8} kB");
            }
        }
        let blocked = self
            .tasks
            .table
            .thread(thread.index())
            .map_or(0, |t| t.blocked);
        let _ = writeln!(
            out,
            "CoreDumping:\t0\nTHP_enabled:\t0\nThreads:\t{}\nSigQ:\t0/1024\nSigPnd:\t{:016x}",
            p.threads, 0
        );
        let masks = [
            ("ShdPnd", p.pending),
            ("SigBlk", blocked),
            ("SigIgn", p.ignored),
            ("SigCgt", p.caught),
        ];
        for (name, mask) in masks {
            let _ = writeln!(out, "{name}:\t{mask:016x}");
        }
        const ALL: u64 = (1 << 41) - 1;
        let effective = known.map_or(0, |t| t.creds.capabilities & ALL);
        let caps = [
            ("CapInh", 0),
            ("CapPrm", effective),
            ("CapEff", effective),
            ("CapBnd", ALL),
            ("CapAmb", 0),
        ];
        for (name, mask) in caps {
            let _ = writeln!(out, "{name}:\t{mask:016x}");
        }
        out.bytes(b"NoNewPrivs:\t0\nSeccomp:\t0\nSeccomp_filters:\t0\n");
        out.bytes(
            b"Cpus_allowed:\t1\nCpus_allowed_list:\t0\nMems_allowed:\t1\nMems_allowed_list:\t0\n",
        );
        let used = self.usage_of(who, p, thread);
        let (own, others) = (used.voluntary, used.involuntary);
        let _ = write!(
            out,
            "voluntary_ctxt_switches:\t{own}\nnonvoluntary_ctxt_switches:\t{others}\n"
        );
        out.0
    }

    fn maps(&self, who: Who, thread: ThreadIdx, sizes: bool) -> Result<Vec<u8>, Errno> {
        let of = thread_of(&self.tasks, who)?;
        let root = of.fs.root.borrow().clone();
        let mut out = Text::default();
        let mut at = 0;
        for _ in 0..MAX_MAPS {
            let Ok(Some(map)) = self.mem.maps_after(Space::Thread(thread), at) else {
                break;
            };
            if map.end <= at {
                break;
            }
            at = map.end;
            out.0
                .try_reserve(lsyscall_abi::PATH_MAX)
                .map_err(|_| Errno::ENOMEM)?;
            let bit = |mask: u8, yes: char| if map.prot & mask != 0 { yes } else { '-' };
            let (r, w) = (bit(PROT_READ, 'r'), bit(PROT_WRITE, 'w'));
            let (x, s) = (bit(PROT_EXEC, 'x'), if map.shared { 's' } else { 'p' });
            let file = self.mapped_file(map.tag);
            let segment = crate::sysv::segment_of(map.tag);
            let dev = file.as_ref().map_or(0, |f| f.inode().sb.dev);
            let from = out.0.len();
            let _ = write!(
                out,
                "{:08x}-{:08x} {r}{w}{x}{s} {:08x} {:02x}:{:02x} {} ",
                map.start,
                map.end,
                map.off,
                dev_major(dev),
                dev_minor(dev),
                match (&file, segment) {
                    (Some(_), _) => map.tag,
                    (None, Some((id, _))) => id,
                    (None, None) => 0,
                }
            );
            let name = match (map.role, &file) {
                (1, _) => b"[heap]".to_vec(),
                (2, _) => b"[stack]".to_vec(),
                (3, _) => b"[vdso]".to_vec(),
                (4, _) => b"[vvar]".to_vec(),
                (5 | 6, _) => b"[shim]".to_vec(),
                (_, Some(path)) => self.vfs.shown_name(path, &root),
                (_, None) if segment.is_some() => {
                    let mut name = Text::default();
                    let key = segment.map_or(0, |(_, key)| key);
                    let _ = write!(name, "/SYSV{key:08x} (deleted)");
                    name.0
                }
                _ => Vec::new(),
            };
            if !name.is_empty() {
                let width = out.0.len() - from;
                out.0.resize(from + width.max(73), b' ');
                out.bytes(&name);
            }
            out.bytes(b"\n");
            if sizes {
                let kib = (map.end - map.start) / 1024;
                let _ = writeln!(out, "Size:           {kib:>8} kB");
                let _ = writeln!(out, "KernelPageSize: {:>8} kB", PAGE_SIZE / 1024);
            }
        }
        Ok(out.0)
    }

    /// The mounts below a process's root, with their names.
    fn shown_mounts(&self, who: Who) -> Result<Vec<ShownMount>, Errno> {
        let of = thread_of(&self.tasks, who)?;
        let root = of.fs.root.borrow().clone();
        let mut out = Vec::new();
        for mount in self.vfs.mounts.all() {
            let top = Path {
                dentry: Rc::clone(&mount.root),
                mount: Rc::clone(&mount),
            };
            let (name, reached) = self.vfs.mounts.name_of(&top, &root);
            if reached {
                out.push((mount, name));
            }
        }
        Ok(out)
    }

    fn mount_options(out: &mut Text, mount: &Mount, readonly: bool) {
        out.bytes(if readonly { b"ro" } else { b"rw" });
        for (flag, name) in SHOWN_FLAGS {
            if mount.has(*flag) {
                out.bytes(name.as_bytes());
            }
        }
        if !mount.has(MountFlags::NOATIME) && !mount.has(MountFlags::STRICTATIME) {
            out.bytes(b",relatime");
        }
    }

    fn mounts_text(&self, who: Who) -> Result<Vec<u8>, Errno> {
        let mut out = Text::default();
        for (mount, name) in self.shown_mounts(who)? {
            out.escaped(if mount.source.is_empty() {
                b"none"
            } else {
                &mount.source
            });
            out.bytes(b" ");
            out.escaped(&name);
            let _ = write!(out, " {} ", mount.sb.kind.name());
            Self::mount_options(&mut out, &mount, mount.readonly());
            let limit = mount.sb.size_limit.get();
            if limit != u64::MAX {
                let _ = write!(out, ",size={}k", limit / 1024);
            }
            out.bytes(b" 0 0\n");
        }
        Ok(out.0)
    }

    fn mountinfo_text(&self, who: Who) -> Result<Vec<u8>, Errno> {
        let mut out = Text::default();
        for (mount, name) in self.shown_mounts(who)? {
            let parent = mount.at.borrow().as_ref().map_or(0, |at| at.mount.id);
            let dev = mount.sb.dev;
            let _ = write!(
                out,
                "{} {parent} {}:{} ",
                mount.id,
                dev_major(dev),
                dev_minor(dev)
            );
            let mut inside = Vec::new();
            let mut at = Rc::clone(&mount.root);
            while let Some(above) = at.parent() {
                inside.push(at.name().to_vec());
                at = above;
            }
            if inside.is_empty() {
                out.bytes(b"/");
            }
            for part in inside.iter().rev() {
                out.bytes(b"/");
                out.escaped(part);
            }
            out.bytes(b" ");
            out.escaped(&name);
            out.bytes(b" ");
            let readonly = mount.has(MountFlags::RDONLY);
            Self::mount_options(&mut out, &mount, readonly);
            let _ = write!(out, " - {} ", mount.sb.kind.name());
            out.escaped(if mount.source.is_empty() {
                b"none"
            } else {
                &mount.source
            });
            let readonly = mount.sb.readonly.get();
            out.bytes(if readonly { b" ro\n" } else { b" rw\n" });
        }
        Ok(out.0)
    }

    fn limits(&self, who: Who) -> Result<Vec<u8>, Errno> {
        let files = thread_of(&self.tasks, who)?.files.borrow();
        let mut out = Text::default();
        out.bytes(
            b"Limit                     Soft Limit           Hard Limit           Units     \n",
        );
        let rows = [
            ("Max file size", files.fsize, "bytes"),
            ("Max open files", files.nofile, "files"),
        ];
        for (name, soft, unit) in rows {
            let _ = write!(out, "{name:<25} ");
            if soft == u64::MAX {
                let _ = write!(out, "{:<20} {:<20} ", "unlimited", "unlimited");
            } else {
                let _ = write!(out, "{soft:<20} {soft:<20} ");
            }
            let _ = writeln!(out, "{unit:<10}");
        }
        Ok(out.0)
    }

    pub(super) fn fd_text(&self, who: Who, fd: i32) -> Result<Vec<u8>, Errno> {
        let files = thread_of(&self.tasks, who)?.files.borrow();
        let file = files.get(fd).map_err(|_| Errno::ENOENT)?;
        let mut flags = file.flags().bits();
        if files.cloexec(fd)? {
            flags |= lsyscall_abi::OpenFlags::CLOEXEC.bits();
        }
        let mut out = Text::default();
        let (pos, mount, ino) = (file.pos.get(), file.path.mount.id, file.inode().ino);
        let _ = writeln!(
            out,
            "pos:\t{pos}\nflags:\t0{flags:o}\nmnt_id:\t{mount}\nino:\t{ino}"
        );
        match &file.object {
            Object::Event(event) => {
                let _ = writeln!(out, "eventfd-count: {:16x}", event.count.get());
            }
            Object::Signal(signal) => {
                let _ = writeln!(out, "sigmask:\t{:016x}", signal.mask.get());
            }
            Object::Timer(timer) => {
                let (clock, ticks) = (timer.clock.0, timer.ticks.get());
                let left = match timer.next.get() {
                    0 => 0,
                    next => next.saturating_sub(self.now()),
                };
                let split = |ns: u64| (ns / 1_000_000_000, ns % 1_000_000_000);
                let (value, interval) = (split(left), split(timer.interval.get()));
                let _ = writeln!(
                    out,
                    "clockid: {clock}\nticks: {ticks}\nsettime flags: 00\nit_value: ({}, {})\nit_interval: ({}, {})",
                    value.0, value.1, interval.0, interval.1
                );
            }
            Object::Epoll(epoll) => epoll.each(|item| {
                let (tfd, events, data) = (item.key.0, item.events.get(), item.data.get());
                let of = item.file.upgrade();
                let pos = of.as_ref().map_or(0, |f| f.pos.get());
                let (ino, dev) = of.map_or((0, 0), |f| (f.inode().ino, f.inode().sb.dev));
                let _ = writeln!(
                    out,
                    "tfd: {tfd:8} events: {events:8x} data: {data:16x}  pos:{pos} ino:{ino:x} sdev:{dev:x}"
                );
            }),
            Object::Inotify(inotify) => inotify.each(|wd, inode, mask| {
                let (ino, dev) = (inode.ino, inode.sb.dev);
                let _ = writeln!(
                    out,
                    "inotify wd:{wd:x} ino:{ino:x} sdev:{dev:x} mask:{mask:x} ignored_mask:0 "
                );
            }),
            Object::Process(process) => {
                let alive = self.tasks.table.find(process.pid as u32).is_some();
                let pid = if alive { process.pid } else { -1 };
                let _ = writeln!(out, "Pid:\t{pid}\nNSpid:\t{pid}");
            }
            _ => {}
        }
        Ok(out.0)
    }
}
