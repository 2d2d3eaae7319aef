//! The ids and credentials that programs have, as procmgr publishes them. It may change at any time; what is read is a copy.

use lsyscall_abi::consts::cap::CAP_SYS_PTRACE;
use lsyscall_abi::ThreadIdx;
use persona_component::Dataport;
use procmgr_api::{process_offset, thread_offset, ProcEntry, ThreadEntry};
use zerocopy::{FromZeros, IntoBytes};

/// Most threads a table is believed to have.
const MAX_SLOTS: usize = 4096;

/// The process table; without a dataport it is empty.
pub struct Ids(Option<Dataport>);

impl Ids {
    /// Over procmgr's dataport.
    pub fn new(port: Option<Dataport>) -> Self {
        Ids(port)
    }

    fn slots(&self) -> usize {
        let mut slots = 0u32;
        if let Some(port) = &self.0 {
            port.read(0, slots.as_mut_bytes());
        }
        (slots as usize).min(MAX_SLOTS)
    }

    fn entry(&self, index: usize) -> Option<ThreadEntry> {
        let mut entry = ThreadEntry::new_zeroed();
        let port = self.0.filter(|_| index < self.slots())?;
        port.read(thread_offset(index), entry.as_mut_bytes());
        (entry.tid != 0).then_some(entry)
    }

    /// The id of a thread.
    pub fn tid(&self, thread: ThreadIdx) -> Option<u32> {
        Some(self.entry(thread.index())?.tid)
    }

    /// The thread of an id.
    pub fn thread(&self, tid: u32) -> Option<ThreadIdx> {
        if tid == 0 {
            return None;
        }
        let found = |i: &usize| self.entry(*i).is_some_and(|entry| entry.tid == tid);
        let index = (0..self.slots()).find(found)?;
        Some(ThreadIdx(u16::try_from(index).ok()?))
    }

    /// The process of a thread.
    pub fn process(&self, thread: ThreadIdx) -> Option<ProcEntry> {
        let slot = self.entry(thread.index())?.process as usize;
        let slots = self.slots();
        let port = self.0.filter(|_| slot < slots)?;
        let mut entry = ProcEntry::new_zeroed();
        port.read(process_offset(slots, slot), entry.as_mut_bytes());
        (entry.pid != 0).then_some(entry)
    }

    /// Whether a thread has a capability (its bit number).
    pub fn capable(&self, thread: ThreadIdx, capability: u32) -> bool {
        let caps = self.process(thread).map_or(0, |p| p.caps);
        caps >> capability & 1 != 0
    }

    /// Whether `thread` may look into and change the process of `target` (ptrace(2), "Ptrace access mode checking"), by
    /// its real or its file-system ids.
    pub fn may_access(&self, thread: ThreadIdx, target: ThreadIdx, real: bool) -> bool {
        let (Some(from), Some(to)) = (self.process(thread), self.process(target)) else {
            return false;
        };
        procmgr_api::may_access(&from, &to, real, CAP_SYS_PTRACE)
    }
}
