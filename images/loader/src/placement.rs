//! Where everything goes in physical memory.
//!
//! ```text
//! RAM start  kernel                     copied there from the image
//!            loader                     where the image was put; free RAM afterwards
//!            the image's kernel         the same
//!            root task                  used where it is
//!            boot blob, device tree     behind it, part of the user image
//!            free RAM
//!            initial RAM disk           a device region for the kernel
//!            free RAM
//! ```

use boot_blob::payload::Payload;

use crate::board::Board;
use crate::range::{Range, Ranges, PAGE};
use crate::Error;

/// End of the physical addresses the kernel's window reaches.
const WINDOW_END: u64 = 1 << 39;

/// The plan of physical memory.
#[derive(Debug)]
pub struct Placement {
    /// The kernel, its zeroed part included.
    pub kernel: Range,
    /// The root task, its zeroed part included.
    pub root: Range,
    /// Boot blob and device tree, whole pages behind the root task.
    pub blob: Range,
    /// RAM the kernel gets; it takes the kernel and the user image out itself.
    pub avail: Ranges,
    /// The initial RAM disk's pages.
    pub device: Ranges,
}

impl Placement {
    /// The user image: root task, boot blob and device tree.
    pub fn user_image(&self) -> Range {
        Range::new(self.root.start, self.blob.end)
    }
}

/// Places an image that lies at `image_base`; `dtb_len` is the size of the device tree's copy.
pub fn place(
    payload: &Payload,
    image_base: u64,
    board: &Board,
    dtb_len: u64,
) -> Result<Placement, Error> {
    payload.check().map_err(Error::Payload)?;
    if !image_base.is_multiple_of(PAGE) {
        return Err(Error::Unaligned(image_base));
    }
    // The payload's sizes are below 2^40: with a base in the window nothing overflows.
    if image_base >= WINDOW_END || payload.kernel_phys >= WINDOW_END {
        return Err(Error::NotRam(
            "the image",
            Range::new(image_base, image_base),
        ));
    }
    let kernel = sized(payload.kernel_phys, payload.kernel_mem_size);
    let root = sized(image_base + payload.root_offset, payload.root_mem_size);
    let blob_len = boot_blob::DTB_OFFSET.saturating_add(dtb_len);
    let blob = Range::new(root.end, root.end.saturating_add(blob_len)).pages_touched();
    let image = Range::new(image_base, blob.end);

    let ram_start = board.ram.as_slice().first().map_or(0, |bank| bank.start);
    if ram_start != kernel.start {
        return Err(Error::RamStart(ram_start, kernel.start));
    }
    if kernel.end > image.start {
        return Err(Error::ImageTooLow(image.start, kernel.end));
    }
    for part in [kernel, image] {
        if board.ram.containing(part).is_none() {
            let end = board.ram.as_slice().last().map_or(0, |bank| bank.end);
            return Err(Error::NoRoom(part, end));
        }
    }
    let initrd = board.initrd.map(Range::pages_touched);
    if let Some(initrd) = initrd {
        if board.ram.containing(initrd).is_none() {
            return Err(Error::NotRam("the initrd", initrd));
        }
    }
    for (name, part) in [("the kernel", kernel), ("the image", image)] {
        if let Some(initrd) = initrd.filter(|initrd| initrd.overlaps(part)) {
            return Err(Error::Overlap("the initrd", initrd, name, part));
        }
        if let Some(reserved) = board
            .reserved
            .as_slice()
            .iter()
            .find(|range| range.overlaps(part))
        {
            return Err(Error::Overlap("reserved memory", *reserved, name, part));
        }
    }

    let mut avail = Ranges::new("regions of RAM");
    for bank in board.ram.as_slice() {
        avail.push(bank.below(WINDOW_END))?;
    }
    for hole in initrd.iter().chain(board.reserved.as_slice()) {
        avail.remove(*hole)?;
    }
    let mut device = Ranges::new("device regions");
    device.push(initrd.unwrap_or_default())?;
    Ok(Placement {
        kernel,
        root,
        blob,
        avail,
        device,
    })
}

fn sized(start: u64, size: u64) -> Range {
    Range::new(start, start.saturating_add(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAM: u64 = 0x4000_0000;

    fn payload() -> Payload {
        Payload {
            loader_size: 0x1_0000,
            kernel_offset: 0x1_0000,
            kernel_file_size: 0x1_2345,
            kernel_mem_size: 0x2_0000,
            kernel_phys: RAM,
            kernel_entry: 0xffff_ff80_0000_0000,
            kernel_virt: 0xffff_ff80_0000_0000,
            regions_offset: 0x4000,
            root_offset: 0x3_0000,
            root_file_size: 0x5678,
            root_mem_size: 0x8000,
            root_virt: 0x40_0000,
            root_entry: 0x40_0100,
            image_size: 0x4_8000,
        }
    }

    fn board(ram_size: u64, initrd: Option<(u64, u64)>) -> Board {
        let mut ram = Ranges::new("banks of RAM");
        ram.push(Range::new(RAM, RAM + ram_size)).unwrap();
        let initrd = initrd.map(|(start, end)| Range::new(start, end));
        Board {
            ram,
            initrd,
            reserved: Ranges::new("reserved parts of RAM"),
        }
    }

    const BASE: u64 = RAM + 0x2_0000;

    #[test]
    fn places_an_image_right_behind_the_kernel() {
        let board = board(16 << 20, Some((RAM + 0x80_0000, RAM + 0x80_0801)));
        let plan = place(&payload(), BASE, &board, 8000).unwrap();
        assert_eq!(plan.kernel, Range::new(RAM, BASE));
        assert_eq!(plan.root, Range::new(BASE + 0x3_0000, BASE + 0x3_8000));
        assert_eq!(plan.blob, Range::new(BASE + 0x3_8000, BASE + 0x3_b000));
        assert_eq!(
            plan.user_image(),
            Range::new(BASE + 0x3_0000, BASE + 0x3_b000)
        );
        assert_eq!(
            plan.device.as_slice(),
            [Range::new(RAM + 0x80_0000, RAM + 0x80_1000)]
        );
        assert_eq!(
            plan.avail.as_slice(),
            [
                Range::new(RAM, RAM + 0x80_0000),
                Range::new(RAM + 0x80_1000, RAM + (16 << 20))
            ]
        );
    }

    #[test]
    fn keeps_reserved_memory_out() {
        let mut board = board(16 << 20, None);
        board
            .reserved
            .push(Range::new(RAM + 0x90_0000, RAM + 0x91_0000))
            .unwrap();
        let plan = place(&payload(), BASE, &board, 0).unwrap();
        let reserved = board.reserved.as_slice()[0];
        assert!(plan
            .avail
            .as_slice()
            .iter()
            .all(|range| !range.overlaps(reserved)));
        assert!(plan.device.as_slice().is_empty());
    }

    #[test]
    fn says_why_not() {
        let at = |base, board: &Board| place(&payload(), base, board, 8000).unwrap_err();
        let big = board(1 << 30, None);
        assert_eq!(at(BASE + 8, &big), Error::Unaligned(BASE + 8));
        assert_eq!(at(RAM, &big), Error::ImageTooLow(RAM, BASE));
        assert!(matches!(
            at(BASE, &board(0x30_000, None)),
            Error::NoRoom(_, _)
        ));
        assert!(matches!(at(1 << 40, &big), Error::NotRam("the image", _)));
        let over = board(1 << 30, Some((BASE + 0x3_a000, BASE + 0x4_0000)));
        assert!(matches!(
            at(BASE, &over),
            Error::Overlap("the initrd", _, "the image", _)
        ));
        let over = board(1 << 30, Some((RAM + 5, RAM + 6)));
        assert!(matches!(
            at(BASE, &over),
            Error::Overlap("the initrd", _, "the kernel", _)
        ));
        let outside = board(1 << 30, Some((0, 0x1000)));
        assert!(matches!(at(BASE, &outside), Error::NotRam("the initrd", _)));
        let mut moved = payload();
        moved.kernel_phys = 0x8000_0000;
        assert_eq!(
            place(&moved, 0x9000_0000, &big, 0).unwrap_err(),
            Error::RamStart(RAM, 0x8000_0000)
        );
        assert!(matches!(
            place(&Payload::default(), BASE, &big, 0).unwrap_err(),
            Error::Payload(_)
        ));
    }
}
