//! What procmgr publishes about processes. It may change at any time; everything read is a copy.

use lsyscall_abi::ThreadIdx;
use persona_component::{Dataport, Usage, UsageTable};
use procmgr_api::{process_offset, thread_offset, Header, ProcEntry, ThreadEntry};
use zerocopy::{FromZeros, IntoBytes};

/// Most threads a table is believed to have.
const MAX_SLOTS: usize = 4096;

/// The process table, and the kernel's usage frames if there are.
pub struct ProcTable {
    port: Dataport,
    usage: Option<UsageTable>,
}

impl ProcTable {
    /// Over procmgr's dataport.
    pub fn new(port: Dataport, usage: Option<UsageTable>) -> Self {
        ProcTable { port, usage }
    }

    /// What the kernel counts.
    pub fn usage(&self) -> Option<&UsageTable> {
        self.usage.as_ref()
    }

    /// What a thread has used of the processor.
    pub fn thread_usage(&self, thread: ThreadIdx) -> Usage {
        self.usage
            .as_ref()
            .map_or(Usage::default(), |usage| usage.thread(thread))
    }

    /// What a process has used of the processor, threads included that have ended.
    pub fn process_usage(&self, process: &ProcEntry) -> Usage {
        let mut sum = Usage {
            user: process.utime_ns,
            system: process.stime_ns,
            voluntary: process.switches[0],
            involuntary: process.switches[1],
        };
        let slot =
            (0..self.slots()).find(|&i| self.process(i).is_some_and(|p| p.pid == process.pid));
        for index in 0..self.slots() {
            let own = |t: ThreadEntry| Some(t.process as usize) == slot;
            if !self.thread(index).is_some_and(own) {
                continue;
            }
            let usage = self.thread_usage(ThreadIdx(index as u16));
            sum.user = sum.user.saturating_add(usage.user);
            sum.system = sum.system.saturating_add(usage.system);
            sum.voluntary = sum.voluntary.saturating_add(usage.voluntary);
            sum.involuntary = sum.involuntary.saturating_add(usage.involuntary);
        }
        sum
    }

    /// The header.
    pub fn header(&self) -> Header {
        let mut header = Header::new_zeroed();
        self.port.read(0, header.as_mut_bytes());
        header
    }

    fn slots(&self) -> usize {
        let mut slots = 0u32;
        self.port.read(0, slots.as_mut_bytes());
        (slots as usize).min(MAX_SLOTS)
    }

    /// How many entries there is something in.
    fn used(&self) -> usize {
        let header = self.header();
        (header.used.min(header.slots) as usize).min(MAX_SLOTS)
    }

    /// A thread, if there is one of that index.
    pub fn thread(&self, index: usize) -> Option<ThreadEntry> {
        if index >= self.slots() {
            return None;
        }
        let mut entry = ThreadEntry::new_zeroed();
        self.port.read(thread_offset(index), entry.as_mut_bytes());
        (entry.tid != 0).then_some(entry)
    }

    /// A process by its slot.
    pub fn process(&self, slot: usize) -> Option<ProcEntry> {
        let slots = self.slots();
        if slot >= slots {
            return None;
        }
        let mut entry = ProcEntry::new_zeroed();
        self.port
            .read(process_offset(slots, slot), entry.as_mut_bytes());
        (entry.pid != 0).then_some(entry)
    }

    /// The process of a thread.
    pub fn process_of(&self, thread: ThreadIdx) -> Option<ProcEntry> {
        self.process(self.thread(thread.index())?.process as usize)
    }

    /// All processes.
    pub fn processes(&self) -> impl Iterator<Item = ProcEntry> + '_ {
        (0..self.used()).filter_map(|slot| self.process(slot))
    }

    /// A process by its id.
    pub fn find(&self, pid: u32) -> Option<ProcEntry> {
        self.processes().find(|p| p.pid == pid)
    }

    /// The process that has a thread of this id, and that thread.
    pub fn find_task(&self, tid: u32) -> Option<(ProcEntry, ThreadIdx)> {
        let index = (0..self.used()).find(|&i| self.thread(i).is_some_and(|t| t.tid == tid))?;
        let process = self.process(self.thread(index)?.process as usize)?;
        Some((process, ThreadIdx(u16::try_from(index).ok()?)))
    }

    /// The thread ids of a process.
    pub fn tasks(&self, pid: u32) -> impl Iterator<Item = u32> + '_ {
        (0..self.used())
            .filter_map(|i| self.thread(i))
            .filter(move |t| {
                self.process(t.process as usize)
                    .is_some_and(|p| p.pid == pid)
            })
            .map(|t| t.tid)
    }

    /// Whether nobody outside a process group, but in its session, is a parent of one of its members from birth: then nobody
    /// would continue it once stopped.
    pub fn is_orphaned(&self, pgid: u32, sid: u32) -> bool {
        !self
            .processes()
            .filter(|p| p.pgid == pgid && p.state != u32::from(b'Z') && p.adopted == 0)
            .any(|p| {
                self.find(p.ppid)
                    .is_some_and(|parent| parent.pgid != pgid && parent.sid == sid)
            })
    }
}
