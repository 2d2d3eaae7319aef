//! An address space: its mappings, its pages, its limits.

use memmgr_api::{FaultKind, MmStats, PAGE_SIZE, PROT_EXEC, SHIM_BASE, STACK_TOP};

use crate::machine::{Frame, Hw, Mapping, Rights, MAPPING_LIMIT};
use crate::tree::{Slot, Tree};
use crate::vma::{page_floor, Role, Vma, Vmas};

/// End of the addresses that programs can map and unmap.
pub const USER_LIMIT: u64 = SHIM_BASE;
/// Lowest address that can be mapped, as Linux's vm.mmap_min_addr.
pub const LOWEST: u64 = 0x1_0000;
/// Bytes kept free below a growing mapping, as Linux's stack_guard_gap.
pub const GUARD_GAP: u64 = 256 * PAGE_SIZE;
/// Least room left for the stack to grow below [`STACK_TOP`].
const STACK_ROOM: u64 = 128 << 20;

const WRITE: u32 = 1 << 31;
const EXEC: u32 = 1 << 30;
const _: () = assert!(MAPPING_LIMIT < EXEC);

/// A page of an address space: its frame and how the hardware maps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    frame: u32,
    hw: u32,
}

impl Slot for Entry {
    const EMPTY: Entry = Entry {
        frame: u32::MAX,
        hw: 0,
    };
    fn is_empty(&self) -> bool {
        self.frame == u32::MAX
    }
}

impl Entry {
    /// A page that the hardware does not map yet.
    pub fn unmapped(frame: Frame) -> Entry {
        Entry {
            frame: frame.0,
            hw: 0,
        }
    }

    /// A page as the hardware maps it.
    pub fn mapped(frame: Frame, mapping: Mapping, rights: Rights) -> Entry {
        let write = if rights.write { WRITE } else { 0 };
        let exec = if rights.exec { EXEC } else { 0 };
        Entry {
            frame: frame.0,
            hw: (mapping.0 + 1) | write | exec,
        }
    }

    /// The frame, if the page is present.
    #[inline]
    pub fn frame(self) -> Option<Frame> {
        (self.frame != u32::MAX).then_some(Frame(self.frame))
    }

    /// The mapping and its rights, if the hardware maps it.
    #[inline]
    pub fn mapping(self) -> Option<(Mapping, Rights)> {
        let number = self.hw & !(WRITE | EXEC);
        (number != 0).then(|| {
            let rights = Rights {
                write: self.hw & WRITE != 0,
                exec: self.hw & EXEC != 0,
            };
            (Mapping(number - 1), rights)
        })
    }
}

/// Limits in bytes; `u64::MAX` is none.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// RLIMIT_AS.
    pub address_space: u64,
    /// RLIMIT_STACK.
    pub stack: u64,
    /// RLIMIT_DATA.
    pub data: u64,
    /// RLIMIT_MEMLOCK.
    pub lock: u64,
}

/// How mappings to come are locked (mlockall(2), MCL_FUTURE).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Their pages are brought in at once.
    Now,
    /// Their pages stay once they are there (MCL_ONFAULT).
    OnFault,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            address_space: u64::MAX,
            stack: 8 << 20,
            data: u64::MAX,
            lock: u64::MAX,
        }
    }
}

/// An address space.
pub struct Space {
    /// Its number.
    pub id: u32,
    /// The hardware's side.
    pub hw: Hw,
    /// Mappings.
    pub vmas: Vmas,
    /// Pages by page number.
    pub pages: Tree<Entry>,
    /// Limits.
    pub limits: Limits,
    /// Start of the heap.
    pub start_brk: u64,
    /// End of the heap.
    pub brk: u64,
    /// Whether the creator still holds it.
    pub held: bool,
    /// Threads attached.
    pub attached: u32,
    /// Faults served.
    pub faults: u64,
    /// Most pages present when one was made present.
    pub peak: u64,
    /// membarrier registrations, by command bit.
    pub barriers: u32,
    /// Mappings to come are locked.
    pub lock_future: Option<Lock>,
    /// RLIMIT_MEMLOCK does not bind the caller.
    pub locks_freely: bool,
}

impl Space {
    /// Empty, held by its creator.
    pub fn new(hw: Hw) -> Self {
        Space {
            id: 0,
            hw,
            vmas: Vmas::default(),
            pages: Tree::new(),
            limits: Limits::default(),
            start_brk: 0,
            brk: 0,
            held: true,
            attached: 0,
            faults: 0,
            peak: 0,
            barriers: 0,
            lock_future: None,
            locks_freely: false,
        }
    }

    /// Whether `more` bytes fit below RLIMIT_AS.
    pub fn has_room(&self, more: u64) -> bool {
        match self.vmas.total.checked_add(more) {
            Some(sum) => sum <= self.limits.address_space,
            None => false,
        }
    }

    /// Whether `more` bytes of private writable memory fit below RLIMIT_DATA.
    pub fn has_data_room(&self, more: u64) -> bool {
        match self.vmas.data.checked_add(more) {
            Some(sum) => sum <= self.limits.data,
            None => false,
        }
    }

    /// Whether `more` bytes may be locked.
    pub fn may_lock(&self, more: u64) -> bool {
        let sum = self.vmas.locked.checked_add(more);
        self.locks_freely || sum.is_some_and(|sum| sum <= self.limits.lock)
    }

    /// A free range for `len` bytes, at `hint` if that is free.
    pub fn place(&self, hint: u64, len: u64) -> Option<u64> {
        let hint = page_floor(hint);
        if hint >= LOWEST {
            let end = hint.checked_add(len).filter(|&end| end <= STACK_TOP);
            if end.is_some_and(|end| self.vmas.is_free(hint, end)) {
                return Some(hint);
            }
        }
        let room = self.limits.stack.clamp(STACK_ROOM, STACK_TOP / 6 * 5);
        let top = page_floor(STACK_TOP - room - GUARD_GAP);
        self.vmas
            .highest_gap(LOWEST, top, len, GUARD_GAP)
            .or_else(|| self.vmas.highest_gap(LOWEST, STACK_TOP, len, GUARD_GAP))
    }

    /// The mapping that holds `addr`; a stack grows to hold it if it may.
    pub fn area(&mut self, addr: u64) -> Result<(u64, Vma), FaultKind> {
        let missing = FaultKind::NotMapped;
        let (start, vma) = self.vmas.ending_above(addr).ok_or(missing)?;
        if start <= addr {
            return Ok((start, *vma));
        }
        let new_start = page_floor(addr);
        let vma = *vma;
        if !vma.grows_down || new_start < LOWEST || vma.end - new_start > self.limits.stack {
            return Err(missing);
        }
        if let Some((_, below)) = self.vmas.starting_below(start) {
            let gap = if below.grows_down || !below.accessible() {
                0
            } else {
                GUARD_GAP
            };
            if below.end.saturating_add(gap) > new_start {
                return Err(missing);
            }
        }
        if !self.has_room(start - new_start) {
            return Err(missing);
        }
        self.vmas.grow_down(start, new_start);
        Ok((new_start, vma))
    }

    /// Its numbers.
    pub fn stats(&self, is_object: impl Fn(Frame) -> bool) -> MmStats {
        let mut stats = MmStats {
            virtual_size: self.vmas.total,
            resident: self.pages.len() * PAGE_SIZE,
            minor_faults: self.faults,
            start_brk: self.start_brk,
            brk: self.brk,
            ..MmStats::default()
        };
        for (start, vma) in self.vmas.iter() {
            let len = vma.end - start;
            if vma.role == Role::Stack {
                stats.stack += len;
            } else if vma.is_data() {
                stats.data += len;
            }
            if vma.prot & PROT_EXEC != 0 {
                stats.text += len;
            }
        }
        let mut at = 0;
        while let Some((page, entry)) = self.pages.next(at, u64::MAX) {
            if entry.frame().is_some_and(&is_object) {
                stats.shared += PAGE_SIZE;
            }
            at = page + 1;
        }
        stats
    }
}
