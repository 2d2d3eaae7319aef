//! Untyped memory, CNodes, boot info.

use alloc::format;

use sel4::cap::{CNode, Endpoint, Granule, Notification, Unspecified};
use sel4::{init_thread, CNodeCapData, CapData, CapRights, Error, MessageInfo, ObjectBlueprint};

use super::context::Context;
use super::{check, equal, Failure, Outcome};

pub(crate) fn boot_info(context: &mut Context) -> Outcome {
    let boot = context.boot;
    equal(
        "bits of the root CNode",
        boot.cnode_size_bits(),
        init_thread::CNODE_SIZE_BITS,
    )?;
    check(
        "room in the root CNode",
        boot.empty_slots().end <= 1 << boot.cnode_size_bits(),
    )?;
    check(
        "memory",
        boot.untypeds()
            .any(|desc| !desc.is_device && desc.size_bits >= 24),
    )?;
    check("devices", boot.untypeds().any(|desc| desc.is_device))?;
    let here = boot_info as *const () as usize;
    check("code lies in the image", boot.image().contains(&here))?;
    let frame = boot
        .image_frame(here)
        .ok_or(Failure::Skip("no frame of the code"))?;
    frame.get_address()?;
    let (blob, bytes) = boot
        .blob()
        .ok_or_else(|| Failure::Fail(format!("no blob behind {:x?}", boot.image())))?;
    equal(
        "address of the image",
        blob.image_virt as usize,
        boot.image().start,
    )?;
    let tree = blob
        .dtb(bytes)
        .ok_or_else(|| Failure::Fail("no device tree".into()))?;
    equal(
        "magic of the device tree",
        tree.first_chunk::<4>(),
        Some(&[0xd0, 0x0d, 0xfe, 0xed]),
    )
}

pub(crate) fn retype_every_object(context: &mut Context) -> Outcome {
    let kinds = [
        ObjectBlueprint::Untyped { size_bits: 13 },
        ObjectBlueprint::Endpoint,
        ObjectBlueprint::Notification,
        ObjectBlueprint::Tcb,
        ObjectBlueprint::CNode { size_bits: 4 },
        ObjectBlueprint::Granule,
        ObjectBlueprint::LargePage,
        ObjectBlueprint::PageTable,
        ObjectBlueprint::PageDirectory,
        ObjectBlueprint::PageUpperDirectory,
        ObjectBlueprint::VSpace,
    ];
    for kind in kinds {
        let cap: Unspecified = context.make(kind)?;
        if sel4::debug::AVAILABLE {
            check(
                "the kernel sees a capability",
                sel4::debug::cap_identify(cap) != 0,
            )?;
        }
        init_thread::slot(cap.bits()).delete()?;
    }
    Ok(())
}

pub(crate) fn retype_errors(context: &mut Context) -> Outcome {
    let root = init_thread::CNODE.itself();
    let slot = context.slot().index() as usize;
    let untyped = context.untyped;
    equal(
        "a huge page",
        untyped.retype(ObjectBlueprint::HugePage, &root, slot, 1),
        Err(Error::NotEnoughMemory),
    )?;
    untyped.retype(ObjectBlueprint::Endpoint, &root, slot, 1)?;
    equal(
        "an occupied slot",
        untyped.retype(ObjectBlueprint::Endpoint, &root, slot, 1),
        Err(Error::DeleteFirst),
    )?;
    equal(
        "none",
        untyped.retype(ObjectBlueprint::Endpoint, &root, slot + 1, 0),
        Err(Error::RangeError),
    )?;
    let empty = Endpoint::from_bits(slot as u64 + 1);
    equal(
        "an empty slot",
        init_thread::slot(empty.bits()).revoke(),
        Ok(()),
    )?;
    equal(
        "deleting nothing",
        init_thread::slot(empty.bits()).delete(),
        Ok(()),
    )
}

pub(crate) fn cnode_operations(context: &mut Context) -> Outcome {
    let cnode: CNode = context.make(ObjectBlueprint::CNode { size_bits: 4 })?;
    let source: Notification = context.notification()?;
    let source = init_thread::slot(source.bits());
    let slot = |index| cnode.slot(index, 4);
    slot(1).copy(&source, CapRights::ALL)?;
    equal(
        "copying onto a capability",
        slot(1).copy(&source, CapRights::ALL),
        Err(Error::DeleteFirst),
    )?;
    slot(2).mint(&source, CapRights::WRITE_ONLY, 0x80)?;
    slot(3).move_from(&slot(1))?;
    equal(
        "the slot moved from",
        slot(4).copy(&slot(1), CapRights::ALL),
        Err(Error::FailedLookup),
    )?;
    equal(
        "giving a badge while moving",
        slot(5).mutate(&slot(3), 0x7),
        Err(Error::IllegalOperation),
    )?;
    slot(5).move_from(&slot(3))?;
    // Neither can rotation, so frames show it: 9 -> 10, 11 -> 9.
    let pages: [Granule; 2] = [
        context.make(ObjectBlueprint::Granule)?,
        context.make(ObjectBlueprint::Granule)?,
    ];
    let addresses = [pages[0].get_address()?, pages[1].get_address()?];
    slot(9).move_from(&init_thread::slot(pages[0].bits()))?;
    slot(11).move_from(&init_thread::slot(pages[1].bits()))?;
    slot(10).rotate(CapData::NONE, &slot(9), CapData::NONE, &slot(11))?;
    init_thread::slot(pages[0].bits()).move_from(&slot(10))?;
    init_thread::slot(pages[1].bits()).move_from(&slot(9))?;
    equal(
        "rotated",
        [pages[0].get_address()?, pages[1].get_address()?],
        addresses,
    )?;
    equal(
        "rotation took the source",
        slot(7).copy(&slot(11), CapRights::ALL),
        Err(Error::FailedLookup),
    )?;
    // Bring the notifications home: what was minted signals with its badge.
    let (first, second) = (context.slot(), context.slot());
    first.move_from(&slot(2))?;
    second.move_from(&slot(5))?;
    Notification::from_bits(first.index()).signal();
    Notification::from_bits(second.index()).signal();
    let signalled = Notification::from_bits(source.index()).poll();
    equal("badges", signalled, 0x80)?;
    // A guard can be given while moving: the same slot has a longer address then.
    let (plain, guarded) = (context.slot(), context.slot());
    plain.copy(&init_thread::slot(cnode.bits()), CapRights::ALL)?;
    guarded.mutate(&plain, CNodeCapData::new(1, 1))?;
    let guarded = CNode::from_bits(guarded.index());
    guarded.slot(1 << 4 | 8, 5).copy(&source, CapRights::ALL)?;
    equal(
        "through the guard",
        slot(8).copy(&source, CapRights::ALL),
        Err(Error::DeleteFirst),
    )?;
    source.revoke()?;
    equal(
        "revoked",
        slot(7).copy(&second, CapRights::ALL),
        Err(Error::FailedLookup),
    )
}

pub(crate) fn two_level_cspace(context: &mut Context) -> Outcome {
    // As domains have it: a root of 2^4 slots that leaves 12 bits, and a second level of 2^12.
    let root: CNode = context.make(ObjectBlueprint::CNode { size_bits: 4 })?;
    let leaf: CNode = context.make(ObjectBlueprint::CNode { size_bits: 12 })?;
    let endpoint = context.endpoint()?;
    root.slot(3, 4)
        .copy(&init_thread::slot(leaf.bits()), CapRights::ALL)?;
    let guarded = context.slot();
    guarded.mint(
        &init_thread::slot(root.bits()),
        CapRights::ALL,
        CNodeCapData::new(0, 64 - 16),
    )?;
    let guarded = CNode::from_bits(guarded.index());
    // The leaf's slot as an address of 64 bits through the guard.
    guarded
        .slot(3 << 12 | 5, 64)
        .copy(&init_thread::slot(endpoint.bits()), CapRights::ALL)?;
    leaf.slot(6, 12).move_from(&leaf.slot(5, 12))?;
    // Retype straight into the second level.
    context
        .untyped
        .retype(ObjectBlueprint::Endpoint, &root.slot(3, 4), 7, 2)?;
    equal(
        "retyped there",
        leaf.slot(8, 12).copy(&leaf.slot(6, 12), CapRights::ALL),
        Err(Error::DeleteFirst),
    )?;
    // A reply capability cannot be saved where something is.
    let full = leaf.slot(6, 12).save_caller();
    equal("saving onto a capability", full, Err(Error::DeleteFirst))?;
    endpoint.nb_send_mrs(MessageInfo::new(0, 0), [0; 4]);
    Ok(())
}
