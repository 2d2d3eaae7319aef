//! The process table that procmgr publishes in a dataport: what other components may know of processes without asking.
//!
//! Layout: a [`Header`], then `header.slots` [`ThreadEntry`] (indexed by thread index), then `header.slots` [`ProcEntry`].
//! procmgr writes, others read; single words are consistent, entries may be seen between two updates.
//! The crate lays the table out and nothing else: it must hold no behaviour.
#![no_std]
#![deny(unsafe_code)]

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// First words of the dataport.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Header {
    /// Entries of each array: the system's `max_threads`.
    pub slots: u32,
    /// Processes alive, zombies included.
    pub processes: u32,
    /// Threads alive.
    pub threads: u32,
    /// Threads that could run now.
    pub running: u32,
    /// Processes created since the start.
    pub created: u64,
    /// Last process id given.
    pub last_pid: u32,
    /// No entry of this index or above was ever used.
    pub used: u32,
    /// User and system time of all threads that have ended, nanoseconds.
    pub ended_ns: [u64; 2],
    /// Their switches.
    pub ended_switches: u64,
    /// Load averages over 1, 5 and 15 minutes, fixed point with 11 fractional bits as Linux keeps them.
    pub load: [u64; 3],
}

/// One thread.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct ThreadEntry {
    /// Thread id (0: the slot is free).
    pub tid: u32,
    /// Slot of its process in the process array.
    pub process: u32,
    /// Signals blocked by this thread (bit n-1: signal n).
    pub blocked: u64,
}

/// One process.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct ProcEntry {
    /// Process id (0: the slot is free).
    pub pid: u32,
    /// Parent's process id.
    pub ppid: u32,
    /// Process group.
    pub pgid: u32,
    /// Session.
    pub sid: u32,
    /// Thread index of the leader (or of any living thread when the leader has gone).
    pub leader: u32,
    /// Threads.
    pub threads: u32,
    /// `R`, `S`, `T`, `Z`.
    pub state: u32,
    /// Nice value of its leader plus 20.
    pub nice: u32,
    /// Scheduling policy of its leader (SCHED_*).
    pub policy: u32,
    /// Real-time priority of its leader.
    pub priority: u32,
    /// Real, effective, saved, file-system user ids.
    pub uids: [u32; 4],
    /// The same for groups.
    pub gids: [u32; 4],
    /// Exit status as wait reports it (zombies).
    pub exit_status: u32,
    /// 1 if it came to its parent as an orphan: such a parent controls no jobs.
    pub adopted: u32,
    /// Monotonic time of its start, nanoseconds.
    pub start_ns: u64,
    /// User time of its threads that have ended, nanoseconds. That of the others is in the kernel's usage frames.
    pub utime_ns: u64,
    /// System time of these, nanoseconds.
    pub stime_ns: u64,
    /// User time of children that were waited for, nanoseconds.
    pub cutime_ns: u64,
    /// System time of these, nanoseconds.
    pub cstime_ns: u64,
    /// Voluntary and involuntary switches of its threads that have ended.
    pub switches: [u64; 2],
    /// Page faults in address spaces it had before.
    pub faults: u64,
    /// Page faults of children that were waited for.
    pub child_faults: u64,
    /// Pending signals of the process.
    pub pending: u64,
    /// Ignored signals.
    pub ignored: u64,
    /// Signals with a handler.
    pub caught: u64,
    /// Range of the argument strings in its memory.
    pub arg_start: u64,
    /// End of the argument strings.
    pub arg_end: u64,
    /// Range of the environment strings.
    pub env_start: u64,
    /// End of the environment strings.
    pub env_end: u64,
    /// Address of the initial stack.
    pub start_stack: u64,
    /// Short name, NUL padded.
    pub comm: [u8; 16],
    /// Effective capabilities, Linux's bit numbers.
    pub caps: u64,
    /// Permitted capabilities.
    pub permitted: u64,
    /// [`FLAG_UNDUMPABLE`] and the like.
    pub flags: u64,
}

/// PR_SET_DUMPABLE is off: only the privileged may look into the process.
pub const FLAG_UNDUMPABLE: u64 = 1;

/// Whether one process may look into and change another (ptrace(2), "Ptrace access mode checking"), by its real ids or its
/// file-system ids. `capability` is CAP_SYS_PTRACE's bit number.
pub fn may_access(from: &ProcEntry, to: &ProcEntry, real: bool, capability: u32) -> bool {
    if from.pid == to.pid {
        return true;
    }
    let privileged = from.caps >> capability & 1 != 0;
    let id = if real { 0 } else { 3 };
    let (uid, gid) = (from.uids[id], from.gids[id]);
    let same = to.uids[..3].iter().all(|&u| u == uid) && to.gids[..3].iter().all(|&g| g == gid);
    let within = to.permitted & !from.permitted == 0;
    privileged || same && to.flags & FLAG_UNDUMPABLE == 0 && within
}

/// Bytes of a process table for `slots` threads.
pub const fn table_bytes(slots: usize) -> usize {
    core::mem::size_of::<Header>()
        + slots * (core::mem::size_of::<ThreadEntry>() + core::mem::size_of::<ProcEntry>())
}

/// Offset of a thread's entry.
pub const fn thread_offset(index: usize) -> usize {
    core::mem::size_of::<Header>() + index * core::mem::size_of::<ThreadEntry>()
}

/// Offset of a process's entry in a table for `slots` threads.
pub const fn process_offset(slots: usize, index: usize) -> usize {
    thread_offset(slots) + index * core::mem::size_of::<ProcEntry>()
}
