//! Capability slots of the manager's own: second-level CNodes, addressed by one number.

use alloc::boxed::Box;
use alloc::vec::Vec;

use persona_component::Slots;
use sel4::cap::{CNode, Untyped};
use sel4::{AbsoluteCPtr, Cap, CapRights, ObjectBlueprint};

use super::ram::Ram;
use crate::machine::Exhausted;

/// Slots of a second-level CNode, as a power of two.
const NODE_BITS: u8 = 12;
const NODE_SLOTS: u32 = 1 << NODE_BITS;
/// Bits of an address that lead to a slot of the root CNode.
const ROOT_DEPTH: u8 = 64 - NODE_BITS;
const NONE: u32 = u32::MAX;

/// A slot's number.
pub type SlotId = u32;

/// The slots.
pub struct Arena {
    root: CNode,
    slots: Slots,
    /// Indices in the root CNode of the CNodes in use.
    nodes: Vec<u64>,
    /// For each slot the next one of the list it is in.
    links: Vec<Box<[u32; NODE_SLOTS as usize]>>,
    free: SlotId,
    /// First slot of the last node that was never used.
    fresh: SlotId,
}

impl Arena {
    /// No slots yet; CNodes will go to the root CNode.
    pub fn new(root: CNode, slots: Slots) -> Self {
        Arena {
            root,
            slots,
            nodes: Vec::new(),
            links: Vec::new(),
            free: NONE,
            fresh: 0,
        }
    }

    /// The capability pointer of a slot.
    pub fn cptr(&self, id: SlotId) -> u64 {
        let node = self.nodes.get((id / NODE_SLOTS) as usize).copied();
        node.unwrap_or(0) << NODE_BITS | u64::from(id % NODE_SLOTS)
    }

    /// A slot, for CNode invocations.
    pub fn at(&self, id: SlotId) -> AbsoluteCPtr {
        self.root.slot(self.cptr(id), 64)
    }

    /// Makes `count` objects with their capabilities in the slots from `first` on, all of one CNode.
    pub fn retype(
        &self,
        untyped: Untyped,
        blueprint: ObjectBlueprint,
        first: SlotId,
        count: usize,
    ) -> sel4::Result<()> {
        let node = self.nodes.get((first / NODE_SLOTS) as usize).copied();
        let node = self.root.slot(node.unwrap_or(0), ROOT_DEPTH);
        untyped.retype(blueprint, &node, (first % NODE_SLOTS) as usize, count)
    }

    /// A second-level CNode in an empty slot of the root CNode; the slot's index.
    fn make_node(&self, ram: &mut Ram) -> Result<u64, Exhausted> {
        let blueprint = ObjectBlueprint::CNode {
            size_bits: NODE_BITS,
        };
        let index = self.slots.alloc_root().ok_or(Exhausted)? >> NODE_BITS;
        let untyped = ram.large(blueprint.physical_size_bits()).ok_or(Exhausted)?;
        let made = untyped.retype(blueprint, &self.root.itself(), index as usize, 1);
        made.map_err(|error| {
            log::error!("no CNode: {error}");
            Exhausted
        })?;
        Ok(index)
    }

    fn add_node(&mut self, ram: &mut Ram) -> Result<(), Exhausted> {
        let index = self.make_node(ram)?;
        // What was left of the last node serves single capabilities.
        while self.fresh < self.end() {
            let id = self.fresh;
            self.fresh += 1;
            self.free(id);
        }
        self.fresh = self.end();
        self.nodes.push(index);
        self.links.push(Box::new([NONE; NODE_SLOTS as usize]));
        Ok(())
    }

    fn end(&self) -> SlotId {
        self.nodes.len() as u32 * NODE_SLOTS
    }

    /// The list's link of a slot.
    pub fn link(&mut self, id: SlotId) -> &mut u32 {
        &mut self.links[(id / NODE_SLOTS) as usize][(id % NODE_SLOTS) as usize]
    }

    /// `count` empty slots in a row.
    pub fn alloc_run(&mut self, count: u32, ram: &mut Ram) -> Result<SlotId, Exhausted> {
        if self.fresh + count > self.end() {
            self.add_node(ram)?;
        }
        let first = self.fresh;
        self.fresh += count;
        Ok(first)
    }

    /// An empty slot.
    pub fn alloc(&mut self, ram: &mut Ram) -> Result<SlotId, Exhausted> {
        if self.free == NONE {
            return self.alloc_run(1, ram);
        }
        let id = self.free;
        self.free = core::mem::replace(self.link(id), NONE);
        Ok(id)
    }

    /// Gives an empty slot back.
    pub fn free(&mut self, id: SlotId) {
        let next = core::mem::replace(&mut self.free, id);
        *self.link(id) = next;
    }

    /// Deletes the capability in a slot and gives the slot back.
    pub fn delete(&mut self, id: SlotId) {
        if let Err(error) = self.at(id).delete() {
            log::error!("slot {id}: {error}");
        }
        self.free(id);
    }

    /// An empty slot of the domain's, for a capability that a component of this domain will own.
    pub fn lasting(&self, ram: &mut Ram) -> Result<u64, Exhausted> {
        if let Some(cptr) = self.slots.alloc() {
            return Ok(cptr);
        }
        self.extend_domain(ram)?;
        self.slots.alloc().ok_or(Exhausted)
    }

    /// Gives the domain another CNode of slots.
    pub fn extend_domain(&self, ram: &mut Ram) -> Result<(), Exhausted> {
        let index = self.make_node(ram)?;
        self.slots.add_node(index << NODE_BITS);
        Ok(())
    }

    fn domain_slot(&self, cptr: u64) -> AbsoluteCPtr {
        let (index, depth) = self.slots.locate(cptr);
        self.root.slot(index, depth)
    }

    /// Copies a capability to a slot of the domain's; the copy's capability pointer.
    pub fn copy_out(&self, id: SlotId, ram: &mut Ram) -> Result<u64, Exhausted> {
        let cptr = self.lasting(ram)?;
        let copied = self.domain_slot(cptr).copy(&self.at(id), CapRights::ALL);
        self.check_out(cptr, copied)
    }

    /// Moves a capability to a slot of the domain's.
    pub fn move_out(&mut self, id: SlotId, ram: &mut Ram) -> Result<u64, Exhausted> {
        let cptr = self.lasting(ram)?;
        let moved = self.domain_slot(cptr).move_from(&self.at(id));
        self.free(id);
        self.check_out(cptr, moved)
    }

    fn check_out(&self, cptr: u64, result: sel4::Result<()>) -> Result<u64, Exhausted> {
        match result {
            Ok(()) => Ok(cptr),
            Err(error) => {
                log::error!("a capability for this domain: {error}");
                self.slots.free(cptr);
                Err(Exhausted)
            }
        }
    }

    /// A capability in a slot.
    pub fn cap<T: sel4::CapType>(&self, id: SlotId) -> Cap<T> {
        Cap::from_bits(self.cptr(id))
    }
}
