//! What threads and processes have used of the processor and of memory.

use lsyscall_abi::{Rusage, ThreadIdx, Timeval};
use memmgr_api::{MemMgr, Space};

use crate::state::ProcIdx;
use crate::{Parts, ProcMgr};

/// Use of the processor and of memory, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// User time, nanoseconds.
    pub user: u64,
    /// System time, nanoseconds.
    pub system: u64,
    /// Switches because it had to wait.
    pub voluntary: u64,
    /// Switches although it could have gone on.
    pub involuntary: u64,
    /// Page faults.
    pub faults: u64,
    /// Most bytes of memory present at once.
    pub peak: u64,
}

impl Used {
    /// Adds what another has used. The peak is the higher one of both.
    pub fn add(&mut self, other: &Used) {
        self.user = self.user.saturating_add(other.user);
        self.system = self.system.saturating_add(other.system);
        self.voluntary = self.voluntary.saturating_add(other.voluntary);
        self.involuntary = self.involuntary.saturating_add(other.involuntary);
        self.faults = self.faults.saturating_add(other.faults);
        self.peak = self.peak.max(other.peak);
    }

    /// Processor time, nanoseconds.
    pub fn time(&self) -> u64 {
        self.user.saturating_add(self.system)
    }

    /// As getrusage(2) tells it. All page faults are minor ones: nothing is ever read from a disk.
    pub fn rusage(&self) -> Rusage {
        let count = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        Rusage {
            utime: Timeval::from_ns(self.user),
            stime: Timeval::from_ns(self.system),
            maxrss: count(self.peak / 1024),
            minflt: count(self.faults),
            nvcsw: count(self.voluntary),
            nivcsw: count(self.involuntary),
            ..Rusage::default()
        }
    }
}

impl<P: Parts> ProcMgr<P> {
    /// What a thread has used of the processor.
    pub(crate) fn thread_used(&self, t: ThreadIdx) -> Used {
        let Some(table) = &self.usage else {
            return Used::default();
        };
        let usage = table.thread(t);
        Used {
            user: usage.user,
            system: usage.system,
            voluntary: usage.voluntary,
            involuntary: usage.involuntary,
            ..Used::default()
        }
    }

    /// What a process has used of the processor, threads included that have ended.
    pub(crate) fn processor_used(&self, p: ProcIdx) -> Used {
        let Some(process) = self.process(p) else {
            return Used::default();
        };
        let mut used = process.used;
        for &t in &process.threads {
            used.add(&self.thread_used(t));
        }
        used
    }

    /// What a process has used, its memory included.
    pub(crate) fn process_used(&self, p: ProcIdx) -> Used {
        let mut used = self.processor_used(p);
        used.add(&self.memory_used(p));
        used
    }

    /// What a process uses of memory now; it has not been added to [`crate::state::Process::used`] yet.
    pub(crate) fn memory_used(&self, p: ProcIdx) -> Used {
        let space = self.process(p).and_then(|p| p.space.as_ref());
        let counts = space.and_then(|space| self.mem.mm_counts(Space::Mm(space.mm)).ok());
        counts.map_or(Used::default(), |(faults, peak)| Used {
            faults,
            peak,
            ..Used::default()
        })
    }

    /// Adds what an address space, or a thread, has seen of a process before it goes.
    pub(crate) fn note_used(&mut self, p: ProcIdx, used: &Used) {
        if let Some(process) = self.process_mut(p) {
            process.used.add(used);
        }
    }
}
