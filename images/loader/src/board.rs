//! The board, as the device tree describes it.

use dtoolkit::fdt::Fdt;
use dtoolkit::standard::NodeStandard;
use dtoolkit::{Node, Property};

use crate::range::{Range, Ranges};
use crate::Error;

/// Bytes of a device tree's header.
pub const HEADER_LEN: usize = 40;

/// Largest device tree taken, in bytes: QEMU makes room for 1 MiB.
const MAX_LEN: u32 = 2 << 20;

/// What the loader needs to know of the board.
#[derive(Debug)]
pub struct Board {
    /// RAM, whole pages, ascending, joined where they touch.
    pub ram: Ranges,
    /// The initial RAM disk, to the byte.
    pub initrd: Option<Range>,
    /// RAM nobody may use.
    pub reserved: Ranges,
}

/// Size of the device tree which has this header, in bytes. Nothing if there is none.
pub fn total_len(header: &[u8; HEADER_LEN]) -> Option<u32> {
    let total = be32(header, 4)?;
    (be32(header, 0)? == 0xd00d_feed && (HEADER_LEN as u32..=MAX_LEN).contains(&total))
        .then_some(total)
}

/// Bytes at the start of a device tree which hold all of it: QEMU leaves much room behind.
pub fn used_len(dtb: &[u8]) -> Result<usize, Error> {
    let field = |offset| be32(dtb, offset).ok_or(Error::DeviceTree("its header is cut short"));
    let structure = field(8)?.checked_add(field(36)?);
    let strings = field(12)?.checked_add(field(32)?);
    // Each reservation has 16 bytes; the last one, all zero, ends the list.
    let mut reservations = field(16)? as usize;
    while be64(dtb, reservations.saturating_add(8)).is_some_and(|size| size != 0) {
        reservations += 16;
    }
    structure
        .zip(strings)
        .map(|(structure, strings)| {
            (structure.max(strings) as usize).max(reservations.saturating_add(16))
        })
        .filter(|used| *used <= dtb.len())
        .ok_or(Error::DeviceTree("its header points outside"))
}

/// Makes a copy of a device tree that was cut to its used part say so.
pub fn set_total_len(dtb: &mut [u8]) {
    let len = dtb.len() as u32;
    if let Some(field) = dtb.get_mut(4..8) {
        field.copy_from_slice(&len.to_be_bytes());
    }
}

/// Reads a device tree, which is exactly as long as its header says.
pub fn read(dtb: &[u8]) -> Result<Board, Error> {
    let fdt = Fdt::new(dtb).map_err(|_| Error::DeviceTree("its structure is broken"))?;
    let mut board = Board {
        ram: Ranges::new("banks of RAM"),
        initrd: None,
        reserved: Ranges::new("reserved parts of RAM"),
    };
    let mut gic = false;
    for node in fdt.root().children() {
        let device_type = node
            .property("device_type")
            .and_then(|property| property.value_as::<&str>().ok());
        if device_type == Some("memory") {
            let banks = node
                .reg()
                .ok()
                .flatten()
                .ok_or(Error::DeviceTree("a memory node has no usable reg"))?;
            for bank in banks {
                let start = bank
                    .address::<u64>()
                    .map_err(|_| Error::DeviceTree("a memory address is too large"))?;
                let size = bank
                    .size::<u64>()
                    .map_err(|_| Error::DeviceTree("a memory size is too large"))?;
                board
                    .ram
                    .push(Range::new(start, start.saturating_add(size)).pages_inside())?;
            }
        }
        gic |= node.is_compatible("arm,cortex-a15-gic") || node.is_compatible("arm,gic-400");
    }
    board.ram.normalize();
    if !gic {
        return Err(Error::NoGic);
    }
    for reservation in fdt.memory_reservations() {
        let end = reservation.address().saturating_add(reservation.size());
        board
            .reserved
            .push(Range::new(reservation.address(), end).pages_touched())?;
    }
    for area in fdt.reserved_memory().into_iter().flatten() {
        for part in area.reg().ok().flatten().into_iter().flatten() {
            let (Ok(start), Ok(size)) = (part.address::<u64>(), part.size::<u64>()) else {
                return Err(Error::DeviceTree(
                    "a reserved-memory node has no usable reg",
                ));
            };
            board
                .reserved
                .push(Range::new(start, start.saturating_add(size)).pages_touched())?;
        }
    }
    if let Some(chosen) = fdt.chosen() {
        let address = |name| {
            chosen
                .property(name)
                .map(|property| int(property.value()))
                .transpose()
        };
        match (address("linux,initrd-start")?, address("linux,initrd-end")?) {
            (Some(start), Some(end)) if start < end => board.initrd = Some(Range::new(start, end)),
            (None, None) => {}
            (Some(start), Some(end)) if start == end => {}
            _ => {
                return Err(Error::DeviceTree(
                    "its initrd has no start, no end, or ends before it starts",
                ))
            }
        }
    }
    Ok(board)
}

/// A number of one or two cells.
fn int(value: &[u8]) -> Result<u64, Error> {
    match value.len() {
        4 => be32(value, 0).map(u64::from),
        8 => be64(value, 0),
        _ => None,
    }
    .ok_or(Error::DeviceTree(
        "an initrd address is neither one nor two cells",
    ))
}

fn be32(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes
        .get(offset..)?
        .first_chunk()
        .map(|word| u32::from_be_bytes(*word))
}

fn be64(bytes: &[u8], offset: usize) -> Option<u64> {
    bytes
        .get(offset..)?
        .first_chunk()
        .map(|word| u64::from_be_bytes(*word))
}

#[cfg(test)]
#[path = "board_tests.rs"]
mod tests;
