//! Rights, badges, guards and mapping attributes: the small words of invocations.

use core::ops::BitOr;

use crate::{sys, Badge, Word};

/// What a copy of a capability may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CapRights {
    grant: bool,
    read: bool,
    write: bool,
}

impl CapRights {
    /// Everything.
    pub const ALL: CapRights = CapRights::new(true, true, true);
    /// Reading and writing, no passing on of capabilities.
    pub const READ_WRITE: CapRights = CapRights::new(false, true, true);
    /// Reading: receiving, or mapping without write access.
    pub const READ_ONLY: CapRights = CapRights::new(false, true, false);
    /// Writing: sending, signalling.
    pub const WRITE_ONLY: CapRights = CapRights::new(false, false, true);
    /// Sending with capabilities, which a caller needs who expects an answer.
    pub const WRITE_GRANT: CapRights = CapRights::new(true, false, true);
    /// Nothing.
    pub const NONE: CapRights = CapRights::new(false, false, false);

    /// From the single rights.
    pub const fn new(grant: bool, read: bool, write: bool) -> CapRights {
        CapRights { grant, read, write }
    }

    /// As the kernel's headers have it.
    pub const fn inner(self) -> sys::seL4_CapRights_t {
        sys::seL4_CapRights_t::new(self.grant as Word, self.read as Word, self.write as Word)
    }
}

/// What minting puts into a capability: a badge (endpoints and notifications) or a guard (CNodes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CapData(sys::seL4_CapData_t);

impl CapData {
    /// No badge, no guard.
    pub const NONE: CapData = CapData::badge(0);

    /// A badge; only [`crate::sys::seL4_BadgeBits`] bits count.
    pub const fn badge(badge: Badge) -> CapData {
        CapData(sys::seL4_CapData_t::badge_new(badge))
    }

    /// As the kernel's headers have it.
    pub const fn inner(self) -> sys::seL4_CapData_t {
        self.0
    }
}

impl From<Badge> for CapData {
    fn from(badge: Badge) -> CapData {
        CapData::badge(badge)
    }
}

/// The guard of a CNode: bits an address must have before the CNode's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CNodeCapData {
    guard: Word,
    guard_bits: u8,
}

impl CNodeCapData {
    /// A guard of `guard_bits` bits with the value `guard` (at most [`crate::sys::seL4_GuardBits`] bits of it count).
    pub const fn new(guard: Word, guard_bits: u8) -> CNodeCapData {
        CNodeCapData { guard, guard_bits }
    }

    /// A guard of zeros that makes a CNode of `2^size_bits` slots consume a whole word.
    pub const fn skip_high_bits(size_bits: u8) -> CNodeCapData {
        CNodeCapData::new(0, 64u8.saturating_sub(size_bits))
    }

    /// As the kernel's headers have it. No guard at all becomes zero, which to the invocations of threads means "leave
    /// the guard as it is".
    pub const fn inner(self) -> sys::seL4_CapData_t {
        if self.guard_bits == 0 {
            return CapData::NONE.inner();
        }
        sys::seL4_CapData_t::guard_new(self.guard, self.guard_bits as Word)
    }
}

impl From<CNodeCapData> for CapData {
    fn from(data: CNodeCapData) -> CapData {
        CapData(data.inner())
    }
}

/// How a page is mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VmAttributes(sys::seL4_ARM_VMAttributes);

impl VmAttributes {
    /// Device memory, executable: no attribute set.
    pub const NONE: VmAttributes = VmAttributes(0);
    /// Ordinary memory through the caches; without it the page is device memory.
    pub const CACHED: VmAttributes = VmAttributes(sys::seL4_ARM_PageCacheable);
    /// Instructions cannot be fetched from the page.
    pub const EXECUTE_NEVER: VmAttributes = VmAttributes(sys::seL4_ARM_ExecuteNever);
    /// Ordinary memory, executable: the kernel's default.
    pub const DEFAULT: VmAttributes = VmAttributes(sys::seL4_ARM_Default_VMAttributes);

    /// Whether every attribute of `other` is set.
    pub const fn contains(self, other: VmAttributes) -> bool {
        self.0 & other.0 == other.0
    }

    /// As the kernel's headers have it.
    pub const fn inner(self) -> sys::seL4_ARM_VMAttributes {
        self.0
    }
}

impl BitOr for VmAttributes {
    type Output = VmAttributes;

    fn bitor(self, other: VmAttributes) -> VmAttributes {
        VmAttributes(self.0 | other.0)
    }
}
