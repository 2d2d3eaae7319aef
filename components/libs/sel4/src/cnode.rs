//! Slots and what is done with the capabilities in them.

use crate::cap::CNode;
use crate::{sys, CNodeCapData, CPtr, CapData, CapRights, Result, Word};

/// A slot: a CNode to start from, and an address of so many bits from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbsoluteCPtr {
    root: CNode,
    index: Word,
    depth: u8,
}

impl CNode {
    /// The slot that the low `depth` bits of `index` lead to from this CNode.
    pub const fn slot(self, index: Word, depth: u8) -> AbsoluteCPtr {
        AbsoluteCPtr {
            root: self,
            index,
            depth,
        }
    }

    /// The slot of `cptr`, a whole-word address from this CNode. A capability address only resolves as a slot if its CSpace
    /// consumes the whole word on the way.
    pub fn absolute_cptr(self, cptr: impl Into<CPtr>) -> AbsoluteCPtr {
        self.slot(cptr.into().bits(), 64)
    }

    /// This CNode itself (depth 0), as the destination of a retype.
    pub const fn itself(self) -> AbsoluteCPtr {
        self.slot(0, 0)
    }
}

impl AbsoluteCPtr {
    /// The CNode the address starts from.
    pub const fn root(&self) -> CNode {
        self.root
    }

    /// The address.
    pub const fn index(&self) -> Word {
        self.index
    }

    /// How many bits of the address count.
    pub const fn depth(&self) -> u8 {
        self.depth
    }

    /// Puts a copy of the capability in `source` here, with at most `rights`.
    pub fn copy(&self, source: &AbsoluteCPtr, rights: CapRights) -> Result<()> {
        let (root, index, depth) = (source.root.bits(), source.index, source.depth);
        Ok(sys::seL4_CNode_Copy(
            self.root.bits(),
            self.index,
            self.depth,
            root,
            index,
            depth,
            rights.inner(),
        )?)
    }

    /// Like [`AbsoluteCPtr::copy`], and gives the copy a badge, or sets a CNode's guard (also to none). A capability that
    /// has a badge cannot get another.
    pub fn mint(
        &self,
        source: &AbsoluteCPtr,
        rights: CapRights,
        data: impl Into<CapData>,
    ) -> Result<()> {
        let (root, index, depth) = (source.root.bits(), source.index, source.depth);
        let data = data.into().inner();
        Ok(sys::seL4_CNode_Mint(
            self.root.bits(),
            self.index,
            self.depth,
            root,
            index,
            depth,
            rights.inner(),
            data,
        )?)
    }

    /// Moves the capability in `source` here.
    pub fn move_from(&self, source: &AbsoluteCPtr) -> Result<()> {
        let (root, index, depth) = (source.root.bits(), source.index, source.depth);
        Ok(sys::seL4_CNode_Move(
            self.root.bits(),
            self.index,
            self.depth,
            root,
            index,
            depth,
        )?)
    }

    /// Moves the capability in `source` here; a CNode's guard is set to `data`. This kernel refuses endpoints and
    /// notifications: only minting gives badges.
    pub fn mutate(&self, source: &AbsoluteCPtr, data: impl Into<CapData>) -> Result<()> {
        let (root, index, depth) = (source.root.bits(), source.index, source.depth);
        let data = data.into().inner();
        Ok(sys::seL4_CNode_Mutate(
            self.root.bits(),
            self.index,
            self.depth,
            root,
            index,
            depth,
            data,
        )?)
    }

    /// Moves `pivot` here and `source` to `pivot`, guards set as in [`AbsoluteCPtr::mutate`]. This slot must be empty or
    /// be `source`. This kernel refuses to rotate endpoints and notifications.
    pub fn rotate(
        &self,
        data: impl Into<CapData>,
        pivot: &AbsoluteCPtr,
        pivot_data: impl Into<CapData>,
        source: &AbsoluteCPtr,
    ) -> Result<()> {
        let (data, pivot_data) = (data.into().inner(), pivot_data.into().inner());
        Ok(sys::seL4_CNode_Rotate(
            self.root.bits(),
            self.index,
            self.depth,
            data,
            pivot.root.bits(),
            pivot.index,
            pivot.depth,
            pivot_data,
            source.root.bits(),
            source.index,
            source.depth,
        )?)
    }

    /// Deletes the capability here; deleting an empty slot is no error.
    pub fn delete(&self) -> Result<()> {
        Ok(sys::seL4_CNode_Delete(
            self.root.bits(),
            self.index,
            self.depth,
        )?)
    }

    /// Deletes every capability derived from the one here.
    pub fn revoke(&self) -> Result<()> {
        Ok(sys::seL4_CNode_Revoke(
            self.root.bits(),
            self.index,
            self.depth,
        )?)
    }

    /// Puts the right to answer the last caller here; the slot must be empty. It is used up by sending to it.
    pub fn save_caller(&self) -> Result<()> {
        Ok(sys::seL4_CNode_SaveCaller(
            self.root.bits(),
            self.index,
            self.depth,
        )?)
    }

    /// Sends every sender away that waits at the endpoint with this capability's badge.
    pub fn cancel_badged_sends(&self) -> Result<()> {
        Ok(sys::seL4_CNode_CancelBadgedSends(
            self.root.bits(),
            self.index,
            self.depth,
        )?)
    }

    /// Makes the next capability received go to this slot.
    pub fn receive_here(&self) {
        sys::ipc_buffer::set_receive_path(self.root.bits(), self.index, Word::from(self.depth));
    }
}

impl From<CNodeCapData> for sys::seL4_CapData_t {
    fn from(data: CNodeCapData) -> sys::seL4_CapData_t {
        data.inner()
    }
}
