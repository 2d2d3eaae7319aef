//! Clocks of processor time (clock_getcpuclockid(3)): what the kernel counts for threads, and what procmgr publishes of those
//! that have ended.

use lsyscall_abi::{consts::clock, ClockId, Errno, ThreadIdx};
use persona_component::{Dataport, Usage, UsageTable};
use procmgr_api::{process_offset, thread_offset, Header, ProcEntry, ThreadEntry};
use zerocopy::FromBytes;

/// Resolution of clocks that show user time alone, or both together as profiling timers do: a tick of 250 Hz.
const TICK_NS: u64 = 4_000_000;

/// What of a process or thread is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    /// User and system time, in ticks on Linux.
    Profile,
    /// User time.
    User,
    /// User and system time.
    Exact,
}

/// A clock of processor time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CpuClock {
    /// Process or thread id; 0: the caller.
    id: u32,
    thread: bool,
    which: Which,
}

/// A clock whose process or thread has been found, by the slot in procmgr's table and its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    slot: usize,
    id: u32,
    thread: bool,
    which: Which,
}

impl CpuClock {
    /// The clock an id names, if it is one of this kind.
    pub(crate) fn of(id: ClockId) -> Option<CpuClock> {
        let (thread, which) = match id.0 {
            clock::CLOCK_PROCESS_CPUTIME_ID => (false, Which::Exact),
            clock::CLOCK_THREAD_CPUTIME_ID => (true, Which::Exact),
            // The two low bits of a negative id say what is shown; 3 is a device's clock.
            id if id < 0 => {
                let which = match id & 3 {
                    0 => Which::Profile,
                    1 => Which::User,
                    2 => Which::Exact,
                    _ => return None,
                };
                (id & 4 != 0, which)
            }
            _ => return None,
        };
        let id = if id.0 < 0 { !(id.0 >> 3) } else { 0 };
        Some(CpuClock {
            id: id as u32,
            thread,
            which,
        })
    }

    /// Nanoseconds between two steps of it.
    pub(crate) fn resolution(&self) -> u64 {
        match self.which {
            Which::Exact => 1,
            _ => TICK_NS,
        }
    }

    /// Whether it counts the calling thread alone.
    pub(crate) fn is_own_thread(&self, processes: &Processes, caller: ThreadIdx) -> bool {
        let own = processes.thread(caller.index()).map(|entry| entry.tid);
        self.thread && (self.id == 0 || Some(self.id) == own)
    }
}

/// What procmgr publishes, and what the kernel counts.
pub(crate) struct Processes {
    table: Option<Dataport>,
    usage: Option<UsageTable>,
}

impl Processes {
    pub(crate) fn new(table: Option<Dataport>, usage: Option<UsageTable>) -> Processes {
        Processes { table, usage }
    }

    /// Ticks of the virtual counter in a second.
    pub(crate) fn frequency(&self) -> u64 {
        self.usage.map_or(0, |usage| usage.frequency())
    }

    fn read<T: FromBytes>(&self, offset: usize) -> Option<T> {
        let mut buf = [0u8; 512];
        let bytes = buf.get_mut(..core::mem::size_of::<T>())?;
        if self.table.as_ref()?.read(offset, bytes) != bytes.len() {
            return None;
        }
        T::read_from_bytes(bytes).ok()
    }

    fn slots(&self) -> usize {
        let header = self.read::<Header>(0);
        header.map_or(0, |header| (header.slots as usize).min(1 << 16))
    }

    fn thread(&self, slot: usize) -> Option<ThreadEntry> {
        let slots = self.slots();
        let entry = (slot < slots).then(|| self.read::<ThreadEntry>(thread_offset(slot)))?;
        entry.filter(|entry| entry.tid != 0 && (entry.process as usize) < slots)
    }

    fn process(&self, slot: usize) -> Option<ProcEntry> {
        let slots = self.slots();
        let entry = (slot < slots).then(|| self.read::<ProcEntry>(process_offset(slots, slot)))?;
        entry.filter(|entry| entry.pid != 0)
    }

    /// The process of a thread.
    pub(crate) fn process_of(&self, thread: ThreadIdx) -> Option<ProcEntry> {
        self.process(self.thread(thread.index())?.process as usize)
    }

    /// The process or thread of a clock. `EINVAL` if there is none, or if it is another process's thread.
    pub(crate) fn find(&self, clock: CpuClock, caller: ThreadIdx) -> Result<Found, Errno> {
        let own = self.thread(caller.index()).ok_or(Errno::EINVAL)?;
        let (slot, id) = match (clock.thread, clock.id) {
            (true, 0) => (Some(caller.index()), own.tid),
            (false, 0) => {
                let slot = own.process as usize;
                (Some(slot), self.process(slot).map_or(0, |p| p.pid))
            }
            (true, tid) => {
                let of = |slot: &usize| {
                    self.thread(*slot)
                        .is_some_and(|t| t.tid == tid && t.process == own.process)
                };
                ((0..self.slots()).find(of), tid)
            }
            (false, pid) => {
                let of = |slot: &usize| self.process(*slot).is_some_and(|p| p.pid == pid);
                ((0..self.slots()).find(of), pid)
            }
        };
        Ok(Found {
            slot: slot.ok_or(Errno::EINVAL)?,
            id,
            thread: clock.thread,
            which: clock.which,
        })
    }

    /// What a clock shows, nanoseconds; `None` when its process or thread is gone.
    pub(crate) fn time(&self, clock: &Found) -> Option<u64> {
        let usage = |slot: usize| {
            let thread = ThreadIdx(slot as u16);
            self.usage
                .map_or(Usage::default(), |usage| usage.thread(thread))
        };
        let (user, system) = if clock.thread {
            self.thread(clock.slot).filter(|t| t.tid == clock.id)?;
            let used = usage(clock.slot);
            (used.user, used.system)
        } else {
            let process = self.process(clock.slot).filter(|p| p.pid == clock.id)?;
            let mut sum = (process.utime_ns, process.stime_ns);
            for slot in 0..self.slots() {
                let of = |t: ThreadEntry| t.process as usize == clock.slot;
                if self.thread(slot).is_some_and(of) {
                    let used = usage(slot);
                    sum.0 = sum.0.saturating_add(used.user);
                    sum.1 = sum.1.saturating_add(used.system);
                }
            }
            sum
        };
        Some(match clock.which {
            Which::User => user,
            _ => user.saturating_add(system),
        })
    }
}
