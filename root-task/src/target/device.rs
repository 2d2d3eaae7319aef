//! Frames of devices out of device untypeds.

use alloc::vec::Vec;

use persona_plan::carve::Carve;
use sel4::{ObjectBlueprint, GRANULE_SIZE};
use sel4_root_task::{BootInfo, UntypedDesc};

use super::failure::Failure;
use super::memory::{retype, Memory, Spare};

/// The device untypeds.
pub struct Devices(Vec<(UntypedDesc, Carve)>);

impl Devices {
    /// All the kernel left.
    pub fn new(boot: &BootInfo) -> Devices {
        let list = boot.untypeds().filter(|untyped| untyped.is_device);
        Devices(list.map(|u| (u, Carve::new(u.size_bits))).collect())
    }

    /// Makes the frames of `pages` pages from `paddr` on; the slot of the first. Within one untyped, ask in ascending order.
    pub fn frames(&mut self, memory: &mut Memory, paddr: u64, pages: u64) -> Result<u64, Failure> {
        let bytes = pages.saturating_mul(GRANULE_SIZE as u64);
        let missing = || {
            Failure::new(format_args!(
                "the kernel gave no untyped for the device at {paddr:#x}"
            ))
        };
        let (untyped, carve) = self
            .0
            .iter_mut()
            .find(|(u, _)| {
                let end = u.paddr.saturating_add(1 << u.size_bits);
                u.paddr <= paddr && paddr.saturating_add(bytes) <= end
            })
            .ok_or_else(missing)?;
        let offset = paddr - untyped.paddr;
        if carve.used() > offset {
            return Err(Failure::new(format_args!(
                "the device at {paddr:#x} is asked for twice"
            )));
        }
        while let Some(gap) = carve.gap_before(offset) {
            let slot = memory.slots(1)?;
            let blueprint = ObjectBlueprint::Untyped {
                size_bits: gap.bits,
            };
            retype(untyped.cap, blueprint, slot, 1)?;
            carve.take(gap.bits, 1);
        }
        let first = memory.slots(pages)?;
        retype(untyped.cap, ObjectBlueprint::Granule, first, pages)?;
        carve.take(ObjectBlueprint::Granule.physical_size_bits(), pages);
        Ok(first)
    }

    /// The untypeds that cover a range of physical memory.
    pub fn covering(&self, start: u64, end: u64) -> Vec<Spare> {
        let overlaps = |u: &UntypedDesc| {
            let last = u.paddr.saturating_add(1 << u.size_bits);
            start < end && u.paddr < end && last > start
        };
        let list = self.0.iter().map(|(u, _)| u).filter(|u| overlaps(u));
        list.map(|u| Spare {
            cap: u.cap,
            bits: u.size_bits,
            paddr: u.paddr,
        })
        .collect()
    }

    /// Gives up every untyped that is neither in use nor in `kept`.
    pub fn drop_rest(&self, kept: &[Spare]) {
        for (untyped, carve) in &self.0 {
            let used = !carve.is_fresh() || kept.iter().any(|spare| spare.cap == untyped.cap);
            if !used {
                // Giving up authority cannot be made to fail by what others do; if it does, the capability stays unused.
                let _ = sel4::init_thread::slot(untyped.cap.bits()).delete();
            }
        }
    }
}
