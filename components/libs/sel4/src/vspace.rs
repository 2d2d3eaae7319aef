//! Address spaces: frames, paging structures, ASIDs, caches.

use crate::cap::cap_type;
use crate::cap::{
    AsidControl, AsidPool, PageDirectory, PageTable, PageUpperDirectory, Untyped, VSpace,
};
use crate::{
    sys, AbsoluteCPtr, Cap, CapRights, CapType, ObjectBlueprint, Result, VmAttributes, Word,
};

/// Bytes of a granule.
pub const GRANULE_SIZE: usize = 1 << sys::seL4_PageBits;
/// Bytes of a large page.
pub const LARGE_PAGE_SIZE: usize = 1 << sys::seL4_LargePageBits;
/// Bytes of a huge page.
pub const HUGE_PAGE_SIZE: usize = 1 << sys::seL4_HugePageBits;
/// Address spaces an ASID pool serves.
pub const ASID_POOL_SIZE: usize = 1 << (sys::seL4_ASIDPoolBits - 3);

/// A kind of frame.
pub trait FrameType: CapType {
    /// What such a frame is made with; `None` when the size is not known.
    const BLUEPRINT: Option<ObjectBlueprint>;
}

impl FrameType for cap_type::Granule {
    const BLUEPRINT: Option<ObjectBlueprint> = Some(ObjectBlueprint::Granule);
}

impl FrameType for cap_type::LargePage {
    const BLUEPRINT: Option<ObjectBlueprint> = Some(ObjectBlueprint::LargePage);
}

impl FrameType for cap_type::HugePage {
    const BLUEPRINT: Option<ObjectBlueprint> = Some(ObjectBlueprint::HugePage);
}

impl FrameType for cap_type::UnspecifiedFrame {
    const BLUEPRINT: Option<ObjectBlueprint> = None;
}

/// Frames. A frame capability maps at one place; copy it to map the frame again. Cache operations take offsets into the
/// frame, end exclusive.
impl<T: FrameType> Cap<T> {
    /// Maps the frame at `vaddr`. Fails with [`crate::Error::FailedLookup`] when a paging structure is missing.
    pub fn map(
        self,
        vspace: VSpace,
        vaddr: Word,
        rights: CapRights,
        attributes: VmAttributes,
    ) -> Result<()> {
        Ok(sys::seL4_ARM_Page_Map(
            self.bits(),
            vspace.bits(),
            vaddr,
            rights.inner(),
            attributes.inner(),
        )?)
    }

    /// Changes rights and attributes where the frame is mapped.
    pub fn remap(self, vspace: VSpace, rights: CapRights, attributes: VmAttributes) -> Result<()> {
        Ok(sys::seL4_ARM_Page_Remap(
            self.bits(),
            vspace.bits(),
            rights.inner(),
            attributes.inner(),
        )?)
    }

    /// Unmaps the frame; no error when it is not mapped.
    pub fn unmap(self) -> Result<()> {
        Ok(sys::seL4_ARM_Page_Unmap(self.bits())?)
    }

    /// Physical address of the frame.
    pub fn get_address(self) -> Result<Word> {
        Ok(sys::seL4_ARM_Page_GetAddress(self.bits())?)
    }

    /// Writes dirty cache lines of the range back to memory.
    pub fn clean_data(self, start: Word, end: Word) -> Result<()> {
        Ok(sys::seL4_ARM_Page_Clean_Data(self.bits(), start, end)?)
    }

    /// Drops cache lines of the range.
    pub fn invalidate_data(self, start: Word, end: Word) -> Result<()> {
        Ok(sys::seL4_ARM_Page_Invalidate_Data(self.bits(), start, end)?)
    }

    /// Writes back and drops cache lines of the range.
    pub fn clean_invalidate_data(self, start: Word, end: Word) -> Result<()> {
        Ok(sys::seL4_ARM_Page_CleanInvalidate_Data(
            self.bits(),
            start,
            end,
        )?)
    }

    /// Makes instructions written to the range visible to instruction fetches.
    pub fn unify_instruction(self, start: Word, end: Word) -> Result<()> {
        Ok(sys::seL4_ARM_Page_Unify_Instruction(
            self.bits(),
            start,
            end,
        )?)
    }
}

impl PageTable {
    /// Maps the table so that it covers `vaddr`.
    pub fn map(self, vspace: VSpace, vaddr: Word, attributes: VmAttributes) -> Result<()> {
        Ok(sys::seL4_ARM_PageTable_Map(
            self.bits(),
            vspace.bits(),
            vaddr,
            attributes.inner(),
        )?)
    }

    /// Takes the table out of its address space.
    pub fn unmap(self) -> Result<()> {
        Ok(sys::seL4_ARM_PageTable_Unmap(self.bits())?)
    }
}

impl PageDirectory {
    /// Maps the directory so that it covers `vaddr`.
    pub fn map(self, vspace: VSpace, vaddr: Word, attributes: VmAttributes) -> Result<()> {
        Ok(sys::seL4_ARM_PageDirectory_Map(
            self.bits(),
            vspace.bits(),
            vaddr,
            attributes.inner(),
        )?)
    }

    /// Takes the directory out of its address space.
    pub fn unmap(self) -> Result<()> {
        Ok(sys::seL4_ARM_PageDirectory_Unmap(self.bits())?)
    }
}

impl PageUpperDirectory {
    /// Maps the upper directory so that it covers `vaddr`.
    pub fn map(self, vspace: VSpace, vaddr: Word, attributes: VmAttributes) -> Result<()> {
        Ok(sys::seL4_ARM_PageUpperDirectory_Map(
            self.bits(),
            vspace.bits(),
            vaddr,
            attributes.inner(),
        )?)
    }

    /// Takes the upper directory out of its address space.
    pub fn unmap(self) -> Result<()> {
        Ok(sys::seL4_ARM_PageUpperDirectory_Unmap(self.bits())?)
    }
}

/// Cache operations by virtual address, end exclusive; a range must not cross a page.
impl VSpace {
    /// Writes dirty cache lines of the range back to memory.
    pub fn clean_data(self, start: Word, end: Word) -> Result<()> {
        Ok(sys::seL4_ARM_PageGlobalDirectory_Clean_Data(
            self.bits(),
            start,
            end,
        )?)
    }

    /// Drops cache lines of the range.
    pub fn invalidate_data(self, start: Word, end: Word) -> Result<()> {
        Ok(sys::seL4_ARM_PageGlobalDirectory_Invalidate_Data(
            self.bits(),
            start,
            end,
        )?)
    }

    /// Writes back and drops cache lines of the range.
    pub fn clean_invalidate_data(self, start: Word, end: Word) -> Result<()> {
        Ok(sys::seL4_ARM_PageGlobalDirectory_CleanInvalidate_Data(
            self.bits(),
            start,
            end,
        )?)
    }

    /// Makes instructions written to the range visible to instruction fetches.
    pub fn unify_instruction(self, start: Word, end: Word) -> Result<()> {
        Ok(sys::seL4_ARM_PageGlobalDirectory_Unify_Instruction(
            self.bits(),
            start,
            end,
        )?)
    }
}

impl AsidControl {
    /// Turns `untyped` (4 KiB) into an ASID pool in the empty slot `destination`.
    pub fn make_pool(self, untyped: Untyped, destination: &AbsoluteCPtr) -> Result<()> {
        let (root, index) = (destination.root().bits(), destination.index());
        Ok(sys::seL4_ARM_ASIDControl_MakePool(
            self.bits(),
            untyped.bits(),
            root,
            index,
            destination.depth(),
        )?)
    }
}

impl AsidPool {
    /// Gives `vspace` an ASID: only then can anything be mapped in it.
    pub fn assign(self, vspace: VSpace) -> Result<()> {
        Ok(sys::seL4_ARM_ASIDPool_Assign(self.bits(), vspace.bits())?)
    }
}

/// The paging structure a mapping lacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PagingLevel {
    /// A [`PageTable`].
    PageTable,
    /// A [`PageDirectory`].
    PageDirectory,
    /// A [`PageUpperDirectory`].
    PageUpperDirectory,
}

impl PagingLevel {
    /// What is missing after [`crate::Error::FailedLookup`]; feed it [`crate::failed_lookup_bits`].
    pub const fn from_failed_lookup(bits: u64) -> Option<PagingLevel> {
        match bits {
            sys::SEL4_MAPPING_LOOKUP_NO_PT => Some(PagingLevel::PageTable),
            sys::SEL4_MAPPING_LOOKUP_NO_PD => Some(PagingLevel::PageDirectory),
            sys::SEL4_MAPPING_LOOKUP_NO_PUD => Some(PagingLevel::PageUpperDirectory),
            _ => None,
        }
    }

    /// What such a structure is made with.
    pub const fn blueprint(self) -> ObjectBlueprint {
        match self {
            PagingLevel::PageTable => ObjectBlueprint::PageTable,
            PagingLevel::PageDirectory => ObjectBlueprint::PageDirectory,
            PagingLevel::PageUpperDirectory => ObjectBlueprint::PageUpperDirectory,
        }
    }

    /// Binary logarithm of the bytes such a structure covers.
    pub const fn span_bits(self) -> u8 {
        match self {
            PagingLevel::PageTable => sys::SEL4_MAPPING_LOOKUP_NO_PT as u8,
            PagingLevel::PageDirectory => sys::SEL4_MAPPING_LOOKUP_NO_PD as u8,
            PagingLevel::PageUpperDirectory => sys::SEL4_MAPPING_LOOKUP_NO_PUD as u8,
        }
    }

    /// Maps `structure`, made with [`PagingLevel::blueprint`], so that it covers `vaddr`.
    pub fn map(
        self,
        structure: crate::cap::Unspecified,
        vspace: VSpace,
        vaddr: Word,
    ) -> Result<()> {
        let attributes = VmAttributes::DEFAULT;
        match self {
            PagingLevel::PageTable => structure
                .cast::<cap_type::PageTable>()
                .map(vspace, vaddr, attributes),
            PagingLevel::PageDirectory => structure
                .cast::<cap_type::PageDirectory>()
                .map(vspace, vaddr, attributes),
            PagingLevel::PageUpperDirectory => structure
                .cast::<cap_type::PageUpperDirectory>()
                .map(vspace, vaddr, attributes),
        }
    }
}
