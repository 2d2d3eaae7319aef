//! Checks every domain makes of itself.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use sel4::cap::CNode;
use sel4::CapRights;

use super::Context;

/// What a check found wrong.
pub type Outcome = Result<(), String>;

/// The root slots that hold capabilities are exactly those of the plan and those of the untypeds handed over.
pub fn cspace(context: &Context) -> Outcome {
    let domain = context.domain();
    let root = CNode::from_bits(context.cptr("NODES"));
    let depth = 64 - persona_plan::LEAF_BITS;
    let size = 1u64 << domain.cnode_bits;
    // An empty slot to copy into: the last one. Copying from an empty slot fails.
    let spare = root.slot(size - 1, depth);
    let mut found = Vec::new();
    for slot in 0..size - 1 {
        if spare.copy(&root.slot(slot, depth), CapRights::ALL).is_ok() {
            spare.delete().map_err(|e| format!("{e}"))?;
            found.push(slot);
        }
    }
    let mut wanted: Vec<u64> = domain
        .caps
        .iter()
        .filter(|c| c.cnode == domain.cnode)
        .map(|c| c.slot.into())
        .chain(context.startup.untypeds().map(|u| u.slot.into()))
        .collect();
    wanted.sort_unstable();
    if found == wanted {
        Ok(())
    } else {
        Err(format!(
            "slots {found:?} are taken, the plan has {wanted:?}"
        ))
    }
}

/// The start-up page says what the plan says.
pub fn startup(context: &Context) -> Outcome {
    let (header, domain) = (context.startup.header(), context.domain());
    let said = (
        header.ipc_buffer,
        (header.heap, header.heap_mapped, header.heap_limit),
        (header.free_slot_first, header.free_slot_end),
        (header.free_vaddr_first, header.free_vaddr_end),
    );
    let heap = &domain.heap;
    let wanted = (
        domain.thread.ipc_buffer_vaddr,
        (heap.vaddr, heap.mapped, heap.limit),
        (domain.free_slots.0.into(), domain.free_slots.1.into()),
        domain.free_vaddr,
    );
    if said != wanted {
        return Err(format!("{said:x?} instead of {wanted:x?}"));
    }
    if header.timer_hz == 0 || header.ram_bytes == 0 {
        return Err(format!(
            "{} Hz, {} bytes",
            header.timer_hz, header.ram_bytes
        ));
    }
    let granted = &domain.startup;
    let told = !context.startup.bootargs().is_empty();
    if told != granted.boot_info {
        return Err(format!("boot arguments {:?}", context.startup.bootargs()));
    }
    let device = context.startup.untypeds().any(|u| u.device);
    let ram: u64 = context
        .startup
        .untypeds()
        .filter(|u| !u.device)
        .map(|u| 1u64 << u.bits)
        .sum();
    if (header.initrd_len != 0) != granted.initrd || device != granted.initrd {
        return Err(format!("initrd of {} bytes", header.initrd_len));
    }
    if (ram > 0) != granted.ram || (granted.ram && ram < header.ram_bytes / 2) {
        return Err(format!("{ram} of {} bytes of RAM", header.ram_bytes));
    }
    Ok(())
}

/// Every page the plan maps is there and, where it is RAM, zero before anyone wrote to it.
pub fn mappings(context: &Context) -> Outcome {
    for mapping in &context.domain().mappings {
        let Some(object) = context.plan.object(mapping.object) else {
            return Err(format!("{}: no such object", mapping.name));
        };
        let persona_plan::ObjectKind::Frames { pages } = object.kind else {
            continue;
        };
        for page in 0..u64::from(pages) {
            let address = (mapping.vaddr + page * persona_plan::PAGE) as *const u64;
            // SAFETY: the plan maps the page; a wrong plan faults, which the root task reports.
            let word = unsafe { address.read_volatile() };
            let fresh = mapping.name.starts_with("buffer");
            if fresh && word != 0 {
                return Err(format!("{} is not zero at {address:p}", mapping.name));
            }
        }
    }
    Ok(())
}
