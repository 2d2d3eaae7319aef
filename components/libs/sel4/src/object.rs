//! Making objects out of untyped memory.

use crate::cap::Untyped;
use crate::{sys, AbsoluteCPtr, Result, Word};

/// A kind of object with its size where the kind leaves it open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectBlueprint {
    /// Untyped memory of `2^size_bits` bytes.
    Untyped {
        /// Binary logarithm of the bytes.
        size_bits: u8,
    },
    /// An endpoint.
    Endpoint,
    /// A notification.
    Notification,
    /// A thread.
    Tcb,
    /// A CNode of `2^size_bits` slots.
    CNode {
        /// Binary logarithm of the slots.
        size_bits: u8,
    },
    /// A frame of 4 KiB.
    Granule,
    /// A frame of 2 MiB.
    LargePage,
    /// A frame of 1 GiB.
    HugePage,
    /// A page table.
    PageTable,
    /// A page directory.
    PageDirectory,
    /// A page upper directory.
    PageUpperDirectory,
    /// An address space.
    VSpace,
}

impl ObjectBlueprint {
    /// The kernel's number for the kind.
    pub const fn object_type(self) -> Word {
        match self {
            ObjectBlueprint::Untyped { .. } => sys::seL4_UntypedObject,
            ObjectBlueprint::Endpoint => sys::seL4_EndpointObject,
            ObjectBlueprint::Notification => sys::seL4_NotificationObject,
            ObjectBlueprint::Tcb => sys::seL4_TCBObject,
            ObjectBlueprint::CNode { .. } => sys::seL4_CapTableObject,
            ObjectBlueprint::Granule => sys::seL4_ARM_SmallPageObject,
            ObjectBlueprint::LargePage => sys::seL4_ARM_LargePageObject,
            ObjectBlueprint::HugePage => sys::seL4_ARM_HugePageObject,
            ObjectBlueprint::PageTable => sys::seL4_ARM_PageTableObject,
            ObjectBlueprint::PageDirectory => sys::seL4_ARM_PageDirectoryObject,
            ObjectBlueprint::PageUpperDirectory => sys::seL4_ARM_PageUpperDirectoryObject,
            ObjectBlueprint::VSpace => sys::seL4_ARM_PageGlobalDirectoryObject,
        }
    }

    /// The size argument of a retype: 0 for kinds of fixed size.
    pub const fn api_size_bits(self) -> u8 {
        match self {
            ObjectBlueprint::Untyped { size_bits } | ObjectBlueprint::CNode { size_bits } => {
                size_bits
            }
            _ => 0,
        }
    }

    /// Binary logarithm of the bytes of untyped memory the object takes, which is also its alignment.
    pub const fn physical_size_bits(self) -> u8 {
        let bits = match self {
            ObjectBlueprint::Untyped { size_bits } => return size_bits,
            ObjectBlueprint::CNode { size_bits } => {
                return size_bits.saturating_add(sys::seL4_SlotBits as u8)
            }
            ObjectBlueprint::Endpoint => sys::seL4_EndpointBits,
            ObjectBlueprint::Notification => sys::seL4_NotificationBits,
            ObjectBlueprint::Tcb => sys::seL4_TCBBits,
            ObjectBlueprint::Granule => sys::seL4_PageBits,
            ObjectBlueprint::LargePage => sys::seL4_LargePageBits,
            ObjectBlueprint::HugePage => sys::seL4_HugePageBits,
            ObjectBlueprint::PageTable => sys::seL4_PageTableBits,
            ObjectBlueprint::PageDirectory => sys::seL4_PageDirBits,
            ObjectBlueprint::PageUpperDirectory => sys::seL4_PUDBits,
            ObjectBlueprint::VSpace => sys::seL4_PGDBits,
        };
        bits as u8
    }
}

impl Untyped {
    /// Makes `count` objects; their capabilities go to the slots from `offset` on of the CNode that `destination` leads to
    /// ([`crate::cap::CNode::itself`] for a CNode the caller has a capability to). At most
    /// [`crate::sys::seL4_UntypedRetypeMaxObjects`] at once.
    pub fn retype(
        self,
        blueprint: ObjectBlueprint,
        destination: &AbsoluteCPtr,
        offset: usize,
        count: usize,
    ) -> Result<()> {
        Ok(sys::seL4_Untyped_Retype(
            self.bits(),
            blueprint.object_type(),
            Word::from(blueprint.api_size_bits()),
            destination.root().bits(),
            destination.index(),
            Word::from(destination.depth()),
            offset as Word,
            count as Word,
        )?)
    }
}
