//! Objects and frames out of untyped memory, their capabilities, and this domain's own heap.

use alloc::vec::Vec;

use sel4::cap::{Untyped, VSpace};
use sel4::{CapRights, ObjectBlueprint};

use super::arena::SlotId;
use super::{unexpected, Sel4, GROUP, HEAP_FLOOR, HEAP_LOW, NONE};
use crate::machine::{Exhausted, Frame, Rights, PAGE};

/// Unmapped user capabilities kept with a frame.
const KEEP: usize = 4;
/// By how many pages a heap grows at a time.
pub(super) const HEAP_STEP: u64 = 128;
/// Heap bytes for the records of one frame: here 4 and a share of a group's, in the pool 4.
const RECORD: u64 = 9;
/// Heap bytes for the slot of one of the archive's frames: its link, and a share of its group's number.
const SLOT: u64 = 5;

impl Sel4 {
    /// Sees to heap for the records of all frames there can be, and to slots for the domain.
    pub(super) fn reserve(&mut self) -> Result<(), Exhausted> {
        let archive = self.memory.initrd.map_or(0, |(start, end)| end - start);
        let most = (self.ram.free() + archive) / PAGE as u64 + u64::from(GROUP);
        let most = most.min(self.window.frames());
        // What the domain was given at its start is for the others in it: the records come on top.
        let given = self.heap_free().max(HEAP_LOW);
        let slots = (archive / PAGE as u64).saturating_mul(SLOT);
        let records = most.saturating_mul(RECORD).saturating_add(slots) as usize;
        while self.heap_free() < records.saturating_add(given) {
            if !self.grow_own_heap() {
                break;
            }
        }
        let room = self.heap_free().saturating_sub(HEAP_FLOOR) / RECORD as usize;
        self.idle.reserve_exact((most as usize).min(room));
        self.groups
            .reserve_exact((most as usize).min(room) / GROUP as usize);
        self.arena.extend_domain(&mut self.ram)
    }

    pub(super) fn heap_free(&self) -> usize {
        self.heap.as_ref().map_or(usize::MAX, |heap| heap.free())
    }

    /// Whether there is a large piece of heap free: room in all is no use when it is in small pieces.
    pub(super) fn has_piece(&mut self) -> bool {
        let free = self.heap_free();
        if free.abs_diff(self.looked) < HEAP_FLOOR / 4 {
            return true;
        }
        let mut piece: Vec<u8> = Vec::new();
        let found = piece.try_reserve_exact(HEAP_FLOOR).is_ok();
        core::hint::black_box(&mut piece);
        if found {
            self.looked = free;
        }
        found
    }

    /// Maps more memory at the end of this domain's heap; false if there is none, or no room.
    pub(super) fn grow_own_heap(&mut self) -> bool {
        let Some(heap) = self.heap.clone() else {
            return false;
        };
        let (end, room) = heap.end();
        let pages = (room / PAGE as u64).min(HEAP_STEP);
        let mapped = self.map_fresh(self.own, end, pages);
        if mapped > 0 {
            heap.extend(mapped * PAGE as u64);
        }
        mapped > 0
    }

    /// Maps up to `pages` new frames at `addr` of a domain, for good; returns how many.
    pub(super) fn map_fresh(&mut self, vspace: VSpace, addr: u64, pages: u64) -> u64 {
        for page in 0..pages {
            let Ok(slot) = self.small(ObjectBlueprint::Granule) else {
                return page;
            };
            let at = addr + page * PAGE as u64;
            let rights = Rights {
                write: true,
                exec: false,
            };
            if self.map_cap(None, vspace, slot, at, rights).is_err() {
                return page;
            }
        }
        pages
    }

    /// Makes an object of a page or less; its slot.
    pub(super) fn small(&mut self, blueprint: ObjectBlueprint) -> Result<SlotId, Exhausted> {
        let block_slot = self.arena.alloc(&mut self.ram)?;
        let slot = match self.arena.alloc(&mut self.ram) {
            Ok(slot) => slot,
            Err(exhausted) => {
                self.arena.free(block_slot);
                return Err(exhausted);
            }
        };
        let arena = &self.arena;
        let mut block_used = false;
        let untyped = self
            .ram
            .small(blueprint.physical_size_bits(), |from, bits| {
                let block = ObjectBlueprint::Untyped { size_bits: bits };
                block_used = true;
                match arena.retype(from, block, block_slot, 1) {
                    Ok(()) => Some(arena.cap(block_slot)),
                    Err(error) => {
                        log::error!("no untyped: {error}");
                        None
                    }
                }
            });
        if !block_used {
            self.arena.free(block_slot);
        }
        let made = match untyped {
            Some(untyped) => self
                .arena
                .retype(untyped, blueprint, slot, 1)
                .map_err(|error| unexpected("no object", error)),
            None => Err(Exhausted),
        };
        if let Err(exhausted) = made {
            self.arena.free(slot);
            return Err(exhausted);
        }
        Ok(slot)
    }

    /// The master capability of a frame.
    pub(super) fn master(&self, frame: Frame) -> SlotId {
        let (groups, number) = match frame.0.checked_sub(self.archive_pages) {
            Some(number) => (&self.groups, number),
            None => (&self.archive_groups, frame.0),
        };
        groups[(number / GROUP) as usize] + number % GROUP
    }

    /// A user capability of a frame that is not mapped.
    pub(super) fn user_cap(&mut self, frame: Frame) -> Result<SlotId, Exhausted> {
        let first = self.idle[frame.0 as usize];
        if first != NONE {
            let next = core::mem::replace(self.arena.link(first), NONE);
            self.idle[frame.0 as usize] = next;
            return Ok(first);
        }
        let slot = self.arena.alloc(&mut self.ram)?;
        let master = self.arena.at(self.master(frame));
        if let Err(error) = self.arena.at(slot).copy(&master, CapRights::ALL) {
            self.arena.free(slot);
            return Err(unexpected("copying a frame capability", error));
        }
        Ok(slot)
    }

    /// Keeps an unmapped user capability with its frame, or deletes it if there are enough.
    pub(super) fn keep_cap(&mut self, frame: Frame, slot: SlotId) {
        let first = self.idle[frame.0 as usize];
        let mut at = first;
        for _ in 1..KEEP {
            if at == NONE {
                break;
            }
            at = *self.arena.link(at);
        }
        if at != NONE {
            self.arena.delete(slot);
            return;
        }
        *self.arena.link(slot) = first;
        self.idle[frame.0 as usize] = slot;
    }

    /// Makes frames of `count` pages of an untyped, in groups whose first slots go to `groups`.
    pub(super) fn make_frames(
        &mut self,
        untyped: Untyped,
        count: u32,
    ) -> Result<SlotId, Exhausted> {
        let first = self.arena.alloc_run(count, &mut self.ram)?;
        self.arena
            .retype(untyped, ObjectBlueprint::Granule, first, count as usize)
            .map_err(|error| unexpected("no frames", error))?;
        Ok(first)
    }
}
