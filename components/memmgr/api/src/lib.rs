//! Interface of the memory manager: address spaces, memory objects (VMOs), and the only road to user memory.
//!
//! memmgr holds every frame capability and is the only component that maps. Others name memory by an [`Mm`], a [`Vmo`] or
//! the thread whose address space is meant, and never by pointer. Errors are Linux's: `EFAULT` for a bad user address,
//! `ENOMEM` when memory or room in the address space is short, `EINVAL` for what makes no sense, `ESRCH` for an identity that
//! does not exist.
//!
//! The crate must never hand out a pointer into user memory.
#![no_std]
#![deny(unsafe_code)]

extern crate alloc;

mod bulk;
mod types;

pub use bulk::{DirectMemory, Memory, SharedBuffer, UserMemory};
pub use types::{
    FaultKind, MapRequest, MapsEntry, MemEvent, MemStats, Mm, MmStats, Placement, Space, Vmo,
    PROT_EXEC, PROT_READ, PROT_WRITE,
};

use lsyscall_abi::ThreadIdx;
use persona_ipc::{interface, Cap, Chunk};

/// Bytes of a page.
pub const PAGE_SIZE: u64 = 4096;
/// First address no Linux program can map: 2^47, below the kernel's limit, with room for the shim page under it.
pub const USER_TOP: u64 = 0x0000_8000_0000_0000;
/// Where the shim page (signal return, FP save and restore, vDSO) is mapped, read and execute, in every address space.
pub const SHIM_BASE: u64 = USER_TOP - 0x10000;
/// Where the shim's data page (register save areas) is mapped, read and write, private, in every address space.
pub const SHIM_DATA: u64 = SHIM_BASE + 0x4000;
/// End of the area in which mmap places mappings; the initial stack lies just below [`SHIM_BASE`].
pub const STACK_TOP: u64 = SHIM_BASE - 0x10000;

/// Bit of a mapping's tag: it is a System V segment, whose id stands in bits 62 to 32 and whose key in the rest.
pub const TAG_SHM: u64 = 1 << 63;

interface! {
    /// What the components above call. Lengths are in bytes; addresses of mappings must be page-aligned.
    pub interface MemMgr, MemMgrService, MemMgrClient, memmgr_dispatch {
        /// Makes an empty address space with the shim pages in it. The capability is a VSpace capability (the caller's own
        /// copy, to give to a TCB). `ENOMEM`.
        1 => fn mm_create() -> (Mm, Cap);
        /// Copies an address space, private memory copy-on-write, as fork does. `ENOMEM`, `ESRCH`.
        2 => fn mm_fork(parent: Mm) -> (Mm, Cap);
        /// Drops the creator's hold: the address space goes, with all its memory, once no thread is attached to it either.
        3 => fn mm_drop(mm: Mm) -> ();
        /// From now on `thread`'s calls, faults and user pointers mean `mm`.
        4 => fn attach(thread: ThreadIdx, mm: Mm) -> ();
        /// `thread` is gone (or about to exec): forgets its parked calls and pending faults too.
        5 => fn detach(thread: ThreadIdx) -> ();
        /// Maps memory; returns the address. `EEXIST` for [`Placement::FixedNoReplace`] over something, `ENOMEM`, `EINVAL`.
        6 => fn map(space: Space, request: MapRequest) -> u64;
        /// Unmaps `len` bytes at `addr` (holes are fine).
        7 => fn unmap(space: Space, addr: u64, len: u64) -> ();
        /// Sets where the heap starts (both the start and the current break), as exec does after loading.
        8 => fn set_brk(mm: Mm, addr: u64) -> ();
        /// Makes a memory object of `size` bytes, all zero, with one reference. `ENOMEM`.
        9 => fn vmo_create(size: u64) -> Vmo;
        /// One reference more.
        10 => fn vmo_ref(vmo: Vmo) -> ();
        /// One reference less; mappings hold references of their own.
        11 => fn vmo_drop(vmo: Vmo) -> ();
        /// Changes the size; what is cut off reads as zero if it comes back, and mapped pages beyond the end fault (SIGBUS).
        12 => fn vmo_resize(vmo: Vmo, size: u64) -> ();
        /// Pages that hold memory now (for st_blocks and df).
        13 => fn vmo_pages(vmo: Vmo) -> u64;
        /// Makes a range read as zero and gives its whole pages back.
        14 => fn vmo_zero(vmo: Vmo, off: u64, len: u64) -> ();
        /// Moves up to `len` bytes from the object (not beyond its size) to user memory, once. Returns how many; `EFAULT`
        /// if the first byte has no place to go.
        15 => fn vmo_to_user(vmo: Vmo, off: u64, to: Space, addr: u64, len: u64) -> u64;
        /// Moves `len` bytes from user memory into the object, which grows as needed. Returns how many; `EFAULT`, `ENOMEM`.
        16 => fn user_to_vmo(vmo: Vmo, off: u64, from: Space, addr: u64, len: u64) -> u64;
        /// Moves `len` bytes between objects; the destination grows as needed. Returns how many.
        17 => fn vmo_copy(from: Vmo, from_off: u64, to: Vmo, to_off: u64, len: u64) -> u64;
        /// Size of the initial root file system archive in bytes (0: none).
        18 => fn initrd_size() -> u64;
        /// An object over a page-aligned range of the archive; it takes the range's pages over (no copy). `EINVAL` if not
        /// aligned or outside.
        19 => fn initrd_vmo(off: u64, len: u64) -> Vmo;
        /// Bytes of the archive, at most one chunk.
        20 => fn initrd_read(off: u64, len: u64) -> Chunk;
        /// The archive has been unpacked: pages nobody took over become free memory.
        21 => fn initrd_done() -> ();
        /// Wakes up to `count` futex waiters at a user address; returns how many (for CLONE_CHILD_CLEARTID).
        22 => fn futex_wake(space: Space, addr: u64, count: u32) -> u32;
        /// Walks a dying thread's robust futex list as `exit_robust_list` does.
        23 => fn robust_exit(thread: ThreadIdx, head: u64, tid: u32) -> ();
        /// Interrupts a parked call of the thread; says how the call ends (`EINTR`, `ERESTARTSYS` ...), `None` if none was parked.
        24 => fn cancel(thread: ThreadIdx) -> Option<i32>;
        /// The next fault that is a program's own doing. The faulting thread stays stopped until procmgr restarts it.
        25 => fn next_event() -> Option<MemEvent>;
        /// The system's memory.
        26 => fn stats() -> MemStats;
        /// One address space's memory.
        27 => fn mm_stats(space: Space) -> MmStats;
        /// The first mapping that ends above `addr` (for /proc/PID/maps).
        28 => fn maps_after(space: Space, addr: u64) -> Option<MapsEntry>;
        /// An untyped capability of 2^`bits` bytes for kernel objects, the caller's own. `ENOMEM`.
        29 => fn alloc_untyped(bits: u8) -> Cap;
        /// Limits of an address space in bytes: RLIMIT_AS, RLIMIT_STACK, RLIMIT_DATA (`u64::MAX`: none).
        30 => fn set_limits(space: Space, address_space: u64, stack: u64, data: u64) -> ();
        /// Part of [`UserMemory`]: at most one chunk from a space.
        31 => fn fetch(from: Space, addr: u64, len: u64) -> Chunk;
        /// Part of [`UserMemory`]: a chunk to a space; returns how many bytes went.
        32 => fn store(to: Space, addr: u64, data: Chunk) -> u64;
        /// Part of [`UserMemory`]: from a space into the caller's shared buffer; returns how many bytes.
        33 => fn fetch_bulk(from: Space, addr: u64, len: u64) -> u64;
        /// Part of [`UserMemory`]: from the caller's shared buffer to a space; returns how many bytes.
        34 => fn store_bulk(to: Space, addr: u64, len: u64) -> u64;
        /// Part of [`UserMemory`]: from an object into the caller's shared buffer; returns how many bytes.
        35 => fn vmo_fetch(vmo: Vmo, off: u64, len: u64) -> u64;
        /// Part of [`UserMemory`]: from the caller's shared buffer into an object; returns how many bytes.
        36 => fn vmo_store(vmo: Vmo, off: u64, len: u64) -> u64;
        /// Two words at a user address (for structures of up to 16 bytes, without the IPC buffer). `EFAULT`.
        37 => fn fetch_small(from: Space, addr: u64, len: u8) -> (u64, u64);
        /// The heap of the calling domain has less than it wants: maps `bytes` more at `addr`, its end (page-aligned, in the
        /// heap's range). Returns how many were mapped.
        38 => fn grow_heap(addr: u64, bytes: u64) -> u64;
        /// The heap of the calling domain needs its end no longer, which reaches from `addr` (page-aligned) over `bytes` (whole
        /// pages): unmaps it, from its end on. Returns how many bytes were unmapped; what is left stays the caller's.
        39 => fn shrink_heap(addr: u64, bytes: u64) -> u64;
        /// Of a space: page faults served, and the most bytes that were present at once.
        50 => fn mm_counts(space: Space) -> (u64, u64);
        /// The first offset from `off` on at which the object has a page (`data`) or has none; `None` if it has a page
        /// nowhere behind. For SEEK_DATA and SEEK_HOLE.
        60 => fn vmo_seek(vmo: Vmo, off: u64, data: bool) -> Option<u64>;
        /// Whether any address space maps the object.
        61 => fn vmo_is_mapped(vmo: Vmo) -> bool;
        /// The program sees that the call which `cancel` interrupted with `ERESTART_RESTARTBLOCK` ended: one that follows is a
        /// new one.
        45 => fn forget_restart(thread: ThreadIdx) -> ();
        /// How many mappings show the object.
        40 => fn vmo_mappings(vmo: Vmo) -> u64;
        /// RLIMIT_MEMLOCK of an address space in bytes (`u64::MAX`: none).
        41 => fn set_lock_limit(space: Space, bytes: u64) -> ();
        /// vm.overcommit_memory (0, 1, 2) and vm.overcommit_ratio (percent). `EINVAL`.
        42 => fn set_overcommit(mode: u8, ratio: u8) -> ();
        /// Bytes of private writable memory promised to programs, and how many there may be in mode 2.
        43 => fn promised() -> (u64, u64);
        /// madvise(2) on behalf of another process.
        44 => fn advise(space: Space, addr: u64, len: u64, advice: u32) -> ();
        /// Gives memory to the pages of a range that have none, up to the object's size. `ENOMEM`: some may have got it.
        70 => fn vmo_fill(vmo: Vmo, off: u64, len: u64) -> ();
    }
}
