//! The part that runs on the board.

mod entry;
mod memory;
mod mmu;
mod uart;

use core::arch::asm;
use core::fmt::Display;

use boot_blob::payload::{self, Payload};
use boot_blob::{BootBlob, DTB_OFFSET};
use persona_loader::board::{self, HEADER_LEN};
use persona_loader::placement::{place, Placement};
use persona_loader::range::Range;
use persona_loader::{regions, Error};

/// Called by the entry code at exception level 1, with the MMU off: the device tree's address, the image's, and the
/// counter when the loader was entered.
extern "C" fn run(dtb: u64, image: u64, entry_ticks: u64) -> ! {
    let mut mmu = mmu::start();
    match prepare(&mut mmu, dtb, image, entry_ticks) {
        Ok((payload, plan)) => {
            let image = plan.user_image();
            let offset = image.start.wrapping_sub(payload.root_virt);
            entry::enter_kernel(image, offset, payload.root_entry, payload.kernel_entry)
        }
        Err(error) => stop(&error),
    }
}

/// Puts everything in its place.
fn prepare(
    mmu: &mut mmu::Mmu,
    dtb: u64,
    image: u64,
    entry_ticks: u64,
) -> Result<(Payload, Placement), Error> {
    // SAFETY: the loader's own image: mapped, initialised, and not written while borrowed.
    let table =
        unsafe { memory::bytes(sized(image + payload::OFFSET as u64, payload::ENCODED_LEN)) };
    let payload = Payload::decode(table).map_err(Error::Payload)?;

    if dtb == 0
        || !dtb.is_multiple_of(8)
        || !mmu.map(Range::new(dtb, dtb.saturating_add(HEADER_LEN as u64)))
    {
        return Err(Error::NoDeviceTree(dtb));
    }
    // SAFETY: mapped just now; the boot protocol says that a device tree lies there, and a wrong address that is no
    // memory gives an exception, which stops the machine.
    let header = unsafe { memory::bytes(sized(dtb, HEADER_LEN)) };
    let total = header
        .first_chunk()
        .and_then(board::total_len)
        .ok_or(Error::NoDeviceTree(dtb))?;
    let source = sized(dtb, total as usize);
    if !mmu.map(source) {
        return Err(Error::NoDeviceTree(dtb));
    }
    // SAFETY: as above; the header gives the length, which is bounded.
    let tree = unsafe { memory::bytes(source) };
    let board = board::read(tree)?;
    let used = board::used_len(tree)?;

    let plan = place(&payload, image, &board, used as u64)?;
    for bank in board.ram.as_slice() {
        if !mmu.map(*bank) {
            return Err(Error::NotRam("the bank", *bank));
        }
    }

    // The device tree first: it may lie where something else is going to be.
    let copy = sized(plan.blob.start + DTB_OFFSET, used);
    // SAFETY: the copy's place is RAM behind the image, which nothing uses; `tree` is not used any more.
    unsafe {
        memory::copy(dtb, copy);
        board::set_total_len(memory::bytes_mut(copy));
        memory::zero(Range::new(copy.end, plan.blob.end));
        memory::zero(Range::new(
            plan.root.start + payload.root_file_size,
            plan.root.end,
        ));
    }

    let kernel_file = sized(plan.kernel.start, payload.kernel_file_size as usize);
    // SAFETY: `place` made sure that the kernel's place is RAM below the image.
    unsafe {
        memory::copy(image + payload.kernel_offset, kernel_file);
        memory::zero(Range::new(kernel_file.end, plan.kernel.end));
        let table = kernel_file.start + payload.regions_offset;
        let table = memory::bytes_mut(Range::new(table, kernel_file.end));
        regions::fill(table, &plan.avail, &plan.device)?;
    }
    memory::sync_code(plan.kernel);
    let initrd = board.initrd.unwrap_or_default();
    let blob = BootBlob {
        total_len: plan.blob.len(),
        dtb_offset: DTB_OFFSET,
        dtb_len: used as u64,
        initrd_start: initrd.start,
        initrd_end: initrd.end,
        ram_start: plan.kernel.start,
        ram_size: board.ram.total(),
        image_start: plan.user_image().start,
        image_end: plan.user_image().end,
        image_virt: payload.root_virt,
        entry_ticks,
        handover_ticks: entry::ticks(),
        tick_hz: entry::tick_hz(),
    };
    let encoded = blob.encode();
    // SAFETY: the blob's page, before the device tree's copy.
    unsafe { memory::bytes_mut(sized(plan.blob.start, encoded.len())).copy_from_slice(&encoded) };
    Ok((payload, plan))
}

fn sized(start: u64, len: usize) -> Range {
    Range::new(start, start.saturating_add(len as u64))
}

/// Prints why the system does not start, and stops.
fn stop(reason: &dyn Display) -> ! {
    uart::print(format_args!("persona loader: {reason}\n"));
    loop {
        // SAFETY: waits for an interrupt; all of them are masked.
        unsafe { asm!("wfi", options(nomem, nostack)) };
    }
}

/// Called by the entry code when the exception level is not 1 or 2.
extern "C" fn wrong_level(level: u64) -> ! {
    stop(&Error::ExceptionLevel(level))
}

/// Called by the vectors: an exception in the loader.
extern "C" fn exception(syndrome: u64, at: u64, address: u64) -> ! {
    stop(&format_args!(
        "exception {syndrome:#x} at {at:#x}, address {address:#x}"
    ))
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    stop(info)
}
