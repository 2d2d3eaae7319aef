//! Page tables, ASIDs, and the frames they map.

use sel4::cap::{cap_type, AsidPool, Granule, Untyped, VSpace};
use sel4::{CapRights, Error, ObjectBlueprint, PagingLevel, VmAttributes};

use super::arena::SlotId;
use super::{unexpected, Sel4, NONE};
use crate::machine::{Exhausted, Rights};

const DATA: VmAttributes = VmAttributes::CACHED;

/// The levels, lowest first.
const LEVELS: [PagingLevel; 3] = [
    PagingLevel::PageTable,
    PagingLevel::PageDirectory,
    PagingLevel::PageUpperDirectory,
];

/// Where a level's unused tables are kept; its place among [`LEVELS`].
pub(super) fn level_index(level: PagingLevel) -> usize {
    match level {
        PagingLevel::PageTable => 0,
        PagingLevel::PageDirectory => 1,
        PagingLevel::PageUpperDirectory => 2,
    }
}

/// The kernel's words for rights.
pub(super) fn attributes(rights: Rights) -> (CapRights, VmAttributes) {
    let access = match rights.write {
        true => CapRights::READ_WRITE,
        false => CapRights::READ_ONLY,
    };
    let attributes = match rights.exec {
        true => DATA,
        false => DATA | VmAttributes::EXECUTE_NEVER,
    };
    (access, attributes)
}

impl Sel4 {
    fn pop_unused(&mut self, level: PagingLevel) -> Option<SlotId> {
        let index = level_index(level);
        let slot = self.unused_tables[index];
        if slot == NONE {
            return None;
        }
        self.unused_tables[index] = core::mem::replace(self.arena.link(slot), NONE);
        Some(slot)
    }

    fn push_unused(&mut self, level: PagingLevel, slot: SlotId) {
        let index = level_index(level);
        *self.arena.link(slot) = self.unused_tables[index];
        self.unused_tables[index] = slot;
    }

    /// A paging structure that is not mapped anywhere.
    pub(super) fn table(&mut self, level: PagingLevel) -> Result<SlotId, Exhausted> {
        if let Some(slot) = self.pop_unused(level) {
            return Ok(slot);
        }
        if let Ok(slot) = self.small(level.blueprint()) {
            return Ok(slot);
        }
        // What unused address spaces keep.
        for at in 0..self.unused_spaces.len() {
            let space = self.unused_spaces[at];
            self.strip(space);
        }
        self.pop_unused(level).ok_or(Exhausted)
    }

    /// Takes all page tables of an address space in which nothing is mapped.
    pub(super) fn strip(&mut self, space: u32) {
        let Some(space) = self.spaces.get_mut(space as usize) else {
            return;
        };
        // In their order: a table can only be unmapped while it can be found, so the lower ones go first.
        for ((level, _), slot) in core::mem::take(&mut space.tables) {
            self.unmap_table(LEVELS[usize::from(level)], slot);
        }
    }

    fn unmap_table(&mut self, level: PagingLevel, slot: SlotId) {
        let arena = &self.arena;
        let result = match level {
            PagingLevel::PageTable => arena.cap::<cap_type::PageTable>(slot).unmap(),
            PagingLevel::PageDirectory => arena.cap::<cap_type::PageDirectory>(slot).unmap(),
            PagingLevel::PageUpperDirectory => {
                arena.cap::<cap_type::PageUpperDirectory>(slot).unmap()
            }
        };
        if let Err(error) = result {
            log::error!("page table: {error}");
        }
        self.push_unused(level, slot);
    }

    /// Takes the page tables of an address space that cover nothing but what lies from `start` to `end`.
    pub(super) fn release_unused(&mut self, space: u32, start: u64, end: u64) {
        for level in LEVELS {
            let span = 1u64 << level.span_bits();
            let Some(first) = start.checked_next_multiple_of(span) else {
                continue;
            };
            let key = level_index(level) as u8;
            let last = (end / span * span).saturating_sub(span);
            if first > last {
                continue;
            }
            loop {
                let Some(record) = self.spaces.get_mut(space as usize) else {
                    return;
                };
                let mut found = record.tables.range((key, first)..=(key, last));
                let Some((&at, &slot)) = found.next() else {
                    break;
                };
                record.tables.remove(&at);
                self.unmap_table(level, slot);
            }
        }
    }

    /// Maps the frame of a capability, and what page tables that takes.
    pub(super) fn map_cap(
        &mut self,
        space: Option<u32>,
        vspace: VSpace,
        slot: SlotId,
        addr: u64,
        rights: Rights,
    ) -> Result<(), Exhausted> {
        let (access, attributes) = attributes(rights);
        let frame: Granule = self.arena.cap(slot);
        // At most three levels can be missing.
        for _ in 0..4 {
            match frame.map(vspace, addr, access, attributes) {
                Ok(()) => return Ok(()),
                Err(Error::FailedLookup) => {}
                Err(error) => return Err(unexpected("mapping a page", error)),
            }
            let missing = PagingLevel::from_failed_lookup(sel4::failed_lookup_bits());
            let level = missing.ok_or(Exhausted)?;
            let table = self.table(level)?;
            if let Err(error) = level.map(self.arena.cap(table), vspace, addr) {
                self.push_unused(level, table);
                return Err(unexpected("mapping a page table", error));
            }
            let record = space.and_then(|s| self.spaces.get_mut(s as usize));
            if let Some(record) = record {
                let first = addr >> level.span_bits() << level.span_bits();
                record
                    .tables
                    .insert((level_index(level) as u8, first), table);
            }
        }
        Err(Exhausted)
    }

    /// Gives a new address space an ASID, from a new pool if the old ones are full.
    pub(super) fn assign_asid(&mut self, vspace: VSpace) -> Result<(), Exhausted> {
        if let Some(pool) = self.asid_pools.last() {
            if pool.assign(vspace).is_ok() {
                return Ok(());
            }
        }
        let control = self.asid_control.ok_or(Exhausted)?;
        let memory = self.small(ObjectBlueprint::Untyped { size_bits: 12 })?;
        let slot = self.arena.alloc(&mut self.ram)?;
        let untyped: Untyped = self.arena.cap(memory);
        if let Err(error) = control.make_pool(untyped, &self.arena.at(slot)) {
            self.arena.free(slot);
            return Err(unexpected("no ASID pool", error));
        }
        let pool: AsidPool = self.arena.cap(slot);
        self.asid_pools.push(pool);
        pool.assign(vspace)
            .map_err(|error| unexpected("no ASID", error))
    }
}
