//! RAM and capability slots of the root task while it builds.
//!
//! Objects of one group come from untypeds of that group alone, so that revoking those destroys the group and nothing else.

use alloc::vec::Vec;

use persona_plan::carve::Carve;
use sel4::cap::Untyped;
use sel4::{init_thread, sys, ObjectBlueprint};
use sel4_root_task::BootInfo;

use super::failure::Failure;

/// Smallest piece of RAM a group takes, as a power of two.
const CHUNK_BITS: u8 = 15;
/// Largest piece it takes for many small objects.
const LARGE_CHUNK_BITS: u8 = 18;
/// Smallest piece worth handing over.
const PAGE_BITS: u8 = 12;

/// An untyped and how much of it is gone.
struct Source {
    cap: Untyped,
    paddr: u64,
    carve: Carve,
}

/// RAM to hand over: a capability of the root task's CSpace.
#[derive(Clone, Copy)]
pub struct Spare {
    /// The untyped.
    pub cap: Untyped,
    /// Its size as a power of two.
    pub bits: u8,
    /// Its physical address.
    pub paddr: u64,
}

/// Slots and RAM.
pub struct Memory {
    next_slot: u64,
    last_slot: u64,
    pool: Vec<Source>,
    groups: Vec<Vec<Source>>,
}

impl Memory {
    /// All the kernel left. `groups` is the number of groups.
    pub fn new(boot: &BootInfo, groups: usize) -> Memory {
        let slots = boot.empty_slots();
        let mut pool: Vec<Source> = boot
            .untypeds()
            .filter(|untyped| !untyped.is_device)
            .map(|untyped| Source {
                cap: untyped.cap,
                paddr: untyped.paddr,
                carve: Carve::new(untyped.size_bits),
            })
            .collect();
        // Small ones first: large ones stay whole.
        pool.sort_by_key(|source| (source.carve.bits(), source.paddr));
        Memory {
            next_slot: slots.start,
            last_slot: slots.end,
            pool,
            groups: (0..groups).map(|_| Vec::new()).collect(),
        }
    }

    /// `count` empty slots in a row; the first.
    pub fn slots(&mut self, count: u64) -> Result<u64, Failure> {
        let first = self.next_slot;
        if count > self.last_slot.saturating_sub(first) {
            return Err(Failure::new(format_args!("the root task's CSpace is full")));
        }
        self.next_slot = first + count;
        Ok(first)
    }

    /// Makes `count` objects of a group; the slot of the first, the others follow.
    pub fn make(
        &mut self,
        group: usize,
        blueprint: ObjectBlueprint,
        count: u64,
    ) -> Result<u64, Failure> {
        let first = self.slots(count)?;
        let bits = blueprint.physical_size_bits();
        let mut done = 0;
        while done < count {
            let chunk = self.chunk(group, bits, count - done)?;
            let fit = chunk
                .carve
                .room(bits)
                .min(count - done)
                .min(sys::seL4_UntypedRetypeMaxObjects);
            retype(chunk.cap, blueprint, first + done, fit)?;
            chunk.carve.take(bits, fit);
            done += fit;
        }
        Ok(first)
    }

    /// An untyped of the group with room for at least one object.
    fn chunk(&mut self, group: usize, bits: u8, count: u64) -> Result<&mut Source, Failure> {
        let no_group = || Failure::new(format_args!("the plan has no domain {group}"));
        let known = self.groups.get(group).ok_or_else(no_group)?;
        let index = match known.iter().position(|source| source.carve.room(bits) > 0) {
            Some(index) => index,
            None => {
                let total = count.saturating_mul(1 << bits).max(1).ilog2() as u8;
                let want = total.clamp(CHUNK_BITS, LARGE_CHUNK_BITS).max(bits);
                let chunk = match self.untyped(want) {
                    Ok(chunk) => chunk,
                    // Memory is short or in small pieces: take what just fits.
                    Err(_) => self.untyped(bits)?,
                };
                let list = self.groups.get_mut(group).ok_or_else(no_group)?;
                list.push(chunk);
                list.len() - 1
            }
        };
        self.groups
            .get_mut(group)
            .and_then(|list| list.get_mut(index))
            .ok_or_else(no_group)
    }

    /// A new untyped out of the pool.
    fn untyped(&mut self, bits: u8) -> Result<Source, Failure> {
        let slot = self.slots(1)?;
        let source = self
            .pool
            .iter_mut()
            .find(|source| source.carve.room(bits) > 0)
            .ok_or_else(|| {
                Failure::new(format_args!(
                    "out of memory: no {} KiB in one piece are left",
                    (1u64 << bits) >> 10
                ))
            })?;
        retype(
            source.cap,
            ObjectBlueprint::Untyped { size_bits: bits },
            slot,
            1,
        )?;
        let offset = source.carve.take(bits, 1).unwrap_or(0);
        Ok(Source {
            cap: Untyped::from_bits(slot),
            paddr: source.paddr + offset,
            carve: Carve::new(bits),
        })
    }

    /// Everything the plan did not need, as untypeds of their own. Afterwards there is nothing left to make objects from.
    pub fn take_rest(&mut self) -> Result<Vec<Spare>, Failure> {
        let mut rest = Vec::new();
        let mut pool = core::mem::take(&mut self.pool);
        for source in &mut pool {
            if source.carve.is_fresh() {
                rest.push(Spare {
                    cap: source.cap,
                    bits: source.carve.bits(),
                    paddr: source.paddr,
                });
                continue;
            }
            while let Some(piece) = source.carve.next_piece() {
                if piece.bits >= PAGE_BITS {
                    let slot = self.slots(1)?;
                    let blueprint = ObjectBlueprint::Untyped {
                        size_bits: piece.bits,
                    };
                    retype(source.cap, blueprint, slot, 1)?;
                    rest.push(Spare {
                        cap: Untyped::from_bits(slot),
                        bits: piece.bits,
                        paddr: source.paddr + piece.offset,
                    });
                }
                // Smaller pieces only pad: the next larger one aligns itself behind them.
                source.carve.take(piece.bits, 1);
            }
        }
        // Large pieces first: if the receiver's slots run out, little is lost.
        rest.sort_by_key(|spare| core::cmp::Reverse(spare.bits));
        Ok(rest)
    }
}

/// Makes `count` objects in the slots from `slot` on of the root task's CNode.
pub fn retype(
    untyped: Untyped,
    blueprint: ObjectBlueprint,
    slot: u64,
    count: u64,
) -> Result<(), Failure> {
    let offset = slot as usize;
    untyped
        .retype(
            blueprint,
            &init_thread::CNODE.itself(),
            offset,
            count as usize,
        )
        .map_err(|error| Failure::new(format_args!("making {count} of {blueprint:?}: {error}")))
}
