//! Frames and address spaces.

use sel4::cap::{AsidPool, Granule, LargePage, Untyped, VSpace};
use sel4::{
    init_thread, CapRights, Error, ObjectBlueprint, PagingLevel, VmAttributes, GRANULE_SIZE,
    LARGE_PAGE_SIZE,
};

use super::context::Context;
use super::{check, equal, Failure, Outcome};

fn read(vaddr: u64) -> u64 {
    // SAFETY: tests pass addresses they mapped.
    unsafe { (vaddr as *const u64).read_volatile() }
}

fn write(vaddr: u64, value: u64) {
    // SAFETY: as in `read`.
    unsafe { (vaddr as *mut u64).write_volatile(value) }
}

pub(crate) fn map_and_unmap(context: &mut Context) -> Outcome {
    // An address whose directory and table are both missing.
    let vaddr = context.vaddr(1 << 30);
    let page: Granule = context.make(ObjectBlueprint::Granule)?;
    let structures = context.map(page, vaddr, CapRights::READ_WRITE, VmAttributes::DEFAULT)?;
    equal("structures made", structures, 2)?;
    equal("a fresh page", read(vaddr + 8), 0)?;
    write(vaddr + 8, 0x1234);
    let address = page.get_address()?;
    check(
        "physical address",
        address != 0 && address % GRANULE_SIZE as u64 == 0,
    )?;
    // A frame capability maps once; a copy maps the same frame.
    let alias = context.slot();
    alias.copy(&init_thread::slot(page.bits()), CapRights::ALL)?;
    let alias = Granule::from_bits(alias.index());
    alias.map(
        init_thread::VSPACE,
        vaddr + GRANULE_SIZE as u64,
        CapRights::READ_ONLY,
        VmAttributes::DEFAULT,
    )?;
    equal(
        "through the other mapping",
        read(vaddr + GRANULE_SIZE as u64 + 8),
        0x1234,
    )?;
    alias.remap(
        init_thread::VSPACE,
        CapRights::READ_WRITE,
        VmAttributes::DEFAULT,
    )?;
    write(vaddr + GRANULE_SIZE as u64 + 8, 0x5678);
    equal("written through it", read(vaddr + 8), 0x5678)?;
    page.clean_data(0, GRANULE_SIZE as u64)?;
    page.unify_instruction(0, 64)?;
    page.clean_invalidate_data(0, GRANULE_SIZE as u64)?;
    equal("after cache operations", read(vaddr + 8), 0x5678)?;
    init_thread::VSPACE.clean_data(vaddr, vaddr + 64)?;
    equal(
        "an empty range",
        page.clean_data(8, 8),
        Err(Error::InvalidArgument),
    )?;
    alias.unmap()?;
    page.unmap()?;
    page.unmap()?;
    page.map(
        init_thread::VSPACE,
        vaddr,
        CapRights::READ_ONLY,
        VmAttributes::DEFAULT,
    )?;
    equal("kept over unmapping", read(vaddr + 8), 0x5678)
}

pub(crate) fn large_page(context: &mut Context) -> Outcome {
    let page: LargePage = context.make(ObjectBlueprint::LargePage)?;
    let vaddr = context.vaddr(1 << 30);
    let lacking = page.map(
        init_thread::VSPACE,
        vaddr,
        CapRights::READ_WRITE,
        VmAttributes::DEFAULT,
    );
    equal("no directory", lacking, Err(Error::FailedLookup))?;
    let level = PagingLevel::from_failed_lookup(sel4::failed_lookup_bits());
    equal("what is missing", level, Some(PagingLevel::PageDirectory))?;
    let directory = context.make(ObjectBlueprint::PageDirectory)?;
    PagingLevel::PageDirectory.map(directory, init_thread::VSPACE, vaddr)?;
    page.map(
        init_thread::VSPACE,
        vaddr,
        CapRights::READ_WRITE,
        VmAttributes::DEFAULT,
    )?;
    write(vaddr + LARGE_PAGE_SIZE as u64 - 8, 9);
    equal("the last word", read(vaddr + LARGE_PAGE_SIZE as u64 - 8), 9)?;
    let unaligned = page.map(
        init_thread::VSPACE,
        vaddr + 4096,
        CapRights::READ_WRITE,
        VmAttributes::DEFAULT,
    );
    check("a large page where it is not aligned", unaligned.is_err())
}

pub(crate) fn another_address_space(context: &mut Context) -> Outcome {
    let space: VSpace = context.make(ObjectBlueprint::VSpace)?;
    let page: Granule = context.make(ObjectBlueprint::Granule)?;
    let early = page.map(space, 0x1000, CapRights::READ_WRITE, VmAttributes::DEFAULT);
    check("mapping before there is an ASID", early.is_err())?;
    let memory: Untyped = context.make(ObjectBlueprint::Untyped { size_bits: 12 })?;
    let pool = context.slot();
    init_thread::ASID_CONTROL.make_pool(memory, &pool)?;
    AsidPool::from_bits(pool.index()).assign(space)?;
    let mut missing = alloc::vec::Vec::new();
    while page
        .map(space, 0x1000, CapRights::READ_WRITE, VmAttributes::DEFAULT)
        .is_err()
    {
        let level = PagingLevel::from_failed_lookup(sel4::failed_lookup_bits())
            .ok_or_else(|| Failure::Fail("no level".into()))?;
        let structure = context.make(level.blueprint())?;
        level.map(structure, space, 0x1000)?;
        missing.push(level);
    }
    let all = [
        PagingLevel::PageUpperDirectory,
        PagingLevel::PageDirectory,
        PagingLevel::PageTable,
    ];
    equal("levels", missing.as_slice(), &all)?;
    init_thread::ASID_POOL
        .assign(space)
        .map_or(Ok(()), |()| Err(Failure::Fail("two ASIDs".into())))
}
