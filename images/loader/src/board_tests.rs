//! Tests of the device tree reader, with trees written here.

use std::vec::Vec;

use super::*;

/// Writes device trees.
#[derive(Default)]
struct Tree {
    structure: Vec<u8>,
    strings: Vec<u8>,
    reservations: Vec<u8>,
}

impl Tree {
    fn word(&mut self, word: u32) -> &mut Tree {
        self.structure.extend(word.to_be_bytes());
        self
    }

    fn padded(&mut self, bytes: &[u8]) -> &mut Tree {
        self.structure.extend(bytes);
        self.structure
            .resize(self.structure.len().next_multiple_of(4), 0);
        self
    }

    fn begin(&mut self, name: &str) -> &mut Tree {
        self.word(1);
        self.padded(&[name.as_bytes(), b"\0"].concat())
    }

    fn end(&mut self) -> &mut Tree {
        self.word(2)
    }

    fn prop(&mut self, name: &str, value: &[u8]) -> &mut Tree {
        let offset = self.strings.len() as u32;
        self.strings.extend(name.as_bytes());
        self.strings.push(0);
        self.word(3).word(value.len() as u32).word(offset);
        self.padded(value)
    }

    fn reserve(&mut self, start: u64, size: u64) -> &mut Tree {
        self.reservations.extend(start.to_be_bytes());
        self.reservations.extend(size.to_be_bytes());
        self
    }

    /// The tree, with some room behind it.
    fn finish(&mut self, room: usize) -> Vec<u8> {
        self.word(9);
        self.reserve(0, 0);
        let reservations = HEADER_LEN;
        let structure = reservations + self.reservations.len();
        let strings = structure + self.structure.len();
        let total = strings + self.strings.len() + room;
        let mut bytes = Vec::new();
        for field in [
            0xd00d_feed,
            total,
            structure,
            strings,
            reservations,
            17,
            16,
            0,
            self.strings.len(),
            self.structure.len(),
        ] {
            bytes.extend((field as u32).to_be_bytes());
        }
        bytes.extend(&self.reservations);
        bytes.extend(&self.structure);
        bytes.extend(&self.strings);
        bytes.resize(total, 0);
        bytes
    }
}

fn cells(values: &[u64]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_be_bytes())
        .collect()
}

/// A board like QEMU's: the closing of its root node is left to the caller.
fn virt(banks: &[(u64, u64)]) -> Tree {
    let mut tree = Tree::default();
    tree.begin("")
        .prop("#address-cells", &[0, 0, 0, 2])
        .prop("#size-cells", &[0, 0, 0, 2]);
    for (start, size) in banks {
        tree.begin(&std::format!("memory@{start:x}"));
        tree.prop("device_type", b"memory\0")
            .prop("reg", &cells(&[*start, *size]))
            .end();
    }
    tree.begin("intc@8000000")
        .prop("compatible", b"arm,cortex-a15-gic\0")
        .end();
    tree
}

#[test]
fn reads_ram_and_initrd() {
    let mut tree = virt(&[(0x8000_0000, 0x1000_0000), (0x4000_0000, 0x4000_0000)]);
    tree.begin("chosen");
    tree.prop("linux,initrd-start", &[0x48, 0, 0, 0])
        .prop("linux,initrd-end", &cells(&[0x4812_3456]))
        .end()
        .end();
    let board = read(&tree.finish(0)).unwrap();
    assert_eq!(board.ram.as_slice(), [Range::new(0x4000_0000, 0x9000_0000)]);
    assert_eq!(board.initrd, Some(Range::new(0x4800_0000, 0x4812_3456)));
    assert!(board.reserved.as_slice().is_empty());
}

#[test]
fn reads_reservations() {
    let mut tree = virt(&[(0x4000_0000, 0x4000_0000)]);
    tree.begin("reserved-memory")
        .prop("#address-cells", &[0, 0, 0, 2])
        .prop("#size-cells", &[0, 0, 0, 2]);
    tree.prop("ranges", &[])
        .begin("fw@5")
        .prop("reg", &cells(&[0x5000_0000, 0x800]))
        .end()
        .end()
        .end();
    tree.reserve(0x6000_0800, 0x1000);
    let board = read(&tree.finish(0)).unwrap();
    let expected = [
        Range::new(0x6000_0000, 0x6000_2000),
        Range::new(0x5000_0000, 0x5000_1000),
    ];
    assert_eq!(board.reserved.as_slice(), expected);
    assert_eq!(board.initrd, None);
}

#[test]
fn names_what_is_wrong() {
    let mut tree = Tree::default();
    tree.begin("").end();
    assert_eq!(read(&tree.finish(0)).unwrap_err(), Error::NoGic);

    let mut tree = virt(&[]);
    tree.begin("chosen")
        .prop("linux,initrd-start", &[0, 0, 0, 2])
        .end()
        .end();
    assert!(matches!(read(&tree.finish(0)), Err(Error::DeviceTree(_))));

    let mut tree = virt(&[]);
    tree.begin("chosen")
        .prop("linux,initrd-start", &[2])
        .prop("linux,initrd-end", &[3])
        .end()
        .end();
    assert!(matches!(read(&tree.finish(0)), Err(Error::DeviceTree(_))));
}

#[test]
fn cuts_off_the_room_behind() {
    let mut tree = virt(&[(0x4000_0000, 0x1000_0000)]);
    let mut bytes = tree.end().finish(5000);
    let used = used_len(&bytes).unwrap();
    assert_eq!(used, bytes.len() - 5000);
    assert_eq!(
        total_len(bytes.first_chunk().unwrap()),
        Some(bytes.len() as u32)
    );
    bytes.truncate(used);
    set_total_len(&mut bytes);
    assert_eq!(read(&bytes).unwrap().ram.total(), 0x1000_0000);
}

#[test]
fn survives_damage() {
    let mut tree = virt(&[(0x4000_0000, 0x4000_0000)]);
    tree.begin("chosen");
    tree.prop("linux,initrd-start", &[0x48, 0, 0, 0])
        .prop("linux,initrd-end", &[0x49, 0, 0, 0])
        .end()
        .end();
    let good = tree.finish(8);
    for index in 0..good.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut bad = good.clone();
            bad[index] = value;
            // Whatever they say, they must come back.
            let _ = used_len(&bad);
            let _ = read(&bad);
        }
    }
    for len in 0..good.len() {
        let _ = used_len(&good[..len]);
        let _ = read(&good[..len]);
    }
    assert_eq!(total_len(&[0; HEADER_LEN]), None);
}
