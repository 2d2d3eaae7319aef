//! What travels in the interface.

use lsyscall_abi::ThreadIdx;
use persona_ipc::{wire_id, wire_struct, Reader, Wire, Writer};

/// The mapping may be read.
pub const PROT_READ: u8 = 1;
/// The mapping may be written.
pub const PROT_WRITE: u8 = 2;
/// The mapping may be executed.
pub const PROT_EXEC: u8 = 4;

wire_id! {
    /// An address space.
    pub struct Mm(u32);
}

wire_id! {
    /// A memory object: the pages of a file, of a shared mapping, of a pipe.
    pub struct Vmo(u32);
}

/// Whose memory an address means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// The address space the thread is attached to.
    Thread(ThreadIdx),
    /// An address space by name.
    Mm(Mm),
}

impl Wire for Space {
    fn put(&self, w: &mut Writer<'_>) {
        w.word(match self {
            Space::Thread(thread) => u64::from(thread.0),
            Space::Mm(mm) => 1 << 32 | u64::from(mm.0),
        });
    }
    fn get(r: &mut Reader<'_>) -> Option<Self> {
        let word = r.word()?;
        match word >> 32 {
            0 => Some(Space::Thread(ThreadIdx(u16::try_from(word).ok()?))),
            1 => Some(Space::Mm(Mm(word as u32))),
            _ => None,
        }
    }
}

/// Where a mapping goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Anywhere; the address is a hint.
    Hint,
    /// There, over whatever is mapped.
    Fixed,
    /// There or nowhere.
    FixedNoReplace,
}

impl Wire for Placement {
    fn put(&self, w: &mut Writer<'_>) {
        w.word(match self {
            Placement::Hint => 0,
            Placement::Fixed => 1,
            Placement::FixedNoReplace => 2,
        });
    }
    fn get(r: &mut Reader<'_>) -> Option<Self> {
        match r.word()? {
            0 => Some(Placement::Hint),
            1 => Some(Placement::Fixed),
            2 => Some(Placement::FixedNoReplace),
            _ => None,
        }
    }
}

wire_struct! {
    /// One mapping to make.
    #[derive(Clone, Copy, Debug)]
    pub struct MapRequest {
        /// Address or hint (0: no hint), in bytes.
        pub addr: u64,
        /// Length in bytes; rounded up to whole pages.
        pub len: u64,
        /// [`PROT_READ`] | [`PROT_WRITE`] | [`PROT_EXEC`].
        pub prot: u8,
        /// The protection `mprotect` may later give at most (a file opened read-only and mapped shared cannot become writable).
        pub max_prot: u8,
        /// How `addr` is meant.
        pub placement: Placement,
        /// Writes are seen by the object and its other mappings (MAP_SHARED); otherwise private, copy-on-write.
        pub shared: bool,
        /// The mapping grows downwards on faults below it (stack).
        pub grows_down: bool,
        /// Fill in the pages now (MAP_POPULATE).
        pub populate: bool,
        /// Lock the pages (MAP_LOCKED).
        pub locked: bool,
        /// More may be promised than there is (MAP_NORESERVE).
        pub noreserve: bool,
        /// The object; `None`: anonymous zero memory.
        pub vmo: Option<Vmo>,
        /// Offset in the object in bytes, page-aligned.
        pub off: u64,
        /// Bytes of the object visible in the mapping, from `off`; beyond them a private mapping reads zero up to its end
        /// (ELF segments). `u64::MAX`: as far as the object goes.
        pub valid: u64,
        /// What /proc/PID/maps says about it: an inode number, or 0 for anonymous memory.
        pub tag: u64,
    }
}

impl MapRequest {
    /// Anonymous private memory of `len` bytes anywhere.
    pub fn anonymous(len: u64, prot: u8) -> Self {
        MapRequest {
            addr: 0,
            len,
            prot,
            max_prot: PROT_READ | PROT_WRITE | PROT_EXEC,
            placement: Placement::Hint,
            shared: false,
            grows_down: false,
            populate: false,
            locked: false,
            noreserve: false,
            vmo: None,
            off: 0,
            valid: u64::MAX,
            tag: 0,
        }
    }
}

/// What a program did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FaultKind {
    /// No mapping there (SIGSEGV, SEGV_MAPERR).
    NotMapped = 1,
    /// Mapped, but not for this access (SIGSEGV, SEGV_ACCERR).
    NotAllowed = 2,
    /// Misaligned access (SIGBUS, BUS_ADRALN).
    Alignment = 3,
    /// Beyond the end of the mapped object (SIGBUS, BUS_ADRERR).
    BeyondEnd = 4,
    /// An instruction that does not exist at EL0 (SIGILL, ILL_ILLOPC).
    Illegal = 5,
    /// A breakpoint instruction (SIGTRAP, TRAP_BRKPT).
    Breakpoint = 6,
    /// A floating-point exception trapped (SIGFPE).
    Arithmetic = 7,
    /// No memory for the page (the process is killed with SIGKILL, as Linux's OOM killer does).
    OutOfMemory = 8,
    /// A single step completed (SIGTRAP, TRAP_TRACE).
    Step = 9,
}

impl Wire for FaultKind {
    fn put(&self, w: &mut Writer<'_>) {
        w.word(*self as u64);
    }
    fn get(r: &mut Reader<'_>) -> Option<Self> {
        use FaultKind::{
            Alignment, Arithmetic, BeyondEnd, Breakpoint, Illegal, NotAllowed, NotMapped,
            OutOfMemory, Step,
        };
        let word = r.word()?;
        [
            NotMapped,
            NotAllowed,
            Alignment,
            BeyondEnd,
            Illegal,
            Breakpoint,
            Arithmetic,
            OutOfMemory,
            Step,
        ]
        .into_iter()
        .find(|kind| *kind as u64 == word)
    }
}

wire_struct! {
    /// A fault that becomes a signal.
    #[derive(Clone, Copy, Debug)]
    pub struct MemEvent {
        /// Who.
        pub thread: ThreadIdx,
        /// What.
        pub kind: FaultKind,
        /// The address accessed (si_addr); for instruction faults the instruction's.
        pub addr: u64,
        /// The faulting instruction.
        pub pc: u64,
        /// ESR_EL1, if known, else 0.
        pub esr: u64,
    }
}

wire_struct! {
    /// The system's memory, in bytes.
    #[derive(Clone, Copy, Debug, Default)]
    pub struct MemStats {
        /// All memory that programs and files can use.
        pub total: u64,
        /// Of that, free.
        pub free: u64,
        /// Of that, pages of objects (files, shared memory).
        pub objects: u64,
        /// Of that, private pages of processes.
        pub anonymous: u64,
        /// Page tables and kernel objects.
        pub kernel: u64,
        /// Address spaces alive.
        pub spaces: u64,
        /// Frames that lost their way (must be 0; for the tests).
        pub lost: u64,
    }
}

wire_struct! {
    /// One address space's memory, in bytes unless said otherwise.
    #[derive(Clone, Copy, Debug, Default)]
    pub struct MmStats {
        /// Mapped address range.
        pub virtual_size: u64,
        /// That of the pages present.
        pub resident: u64,
        /// Of these, pages that belong to objects.
        pub shared: u64,
        /// Executable mappings.
        pub text: u64,
        /// Private writable mappings.
        pub data: u64,
        /// The stack mapping.
        pub stack: u64,
        /// Faults served without I/O (count).
        pub minor_faults: u64,
        /// Start of the heap (address).
        pub start_brk: u64,
        /// Current break (address).
        pub brk: u64,
    }
}

wire_struct! {
    /// A line of /proc/PID/maps.
    #[derive(Clone, Copy, Debug)]
    pub struct MapsEntry {
        /// First address.
        pub start: u64,
        /// First address behind it.
        pub end: u64,
        /// Protection bits.
        pub prot: u8,
        /// MAP_SHARED.
        pub shared: bool,
        /// Offset in the object.
        pub off: u64,
        /// The tag it was mapped with.
        pub tag: u64,
        /// 0 ordinary, 1 heap, 2 stack, 3 the vDSO, 4 what it reads (`[vvar]`), 5 shim code, 6 shim data.
        pub role: u8,
    }
}
