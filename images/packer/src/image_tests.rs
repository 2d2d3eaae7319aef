//! Tests of the image packer, with ELF files written here.

use super::*;

/// A segment: address, physical address, contents, size in memory.
type Segment<'a> = (u64, u64, &'a [u8], u64);

/// Writes an ELF file with executable segments and, if named, one symbol.
fn elf(entry: u64, segments: &[Segment<'_>], symbol: Option<(&str, u64)>) -> Vec<u8> {
    let mut file = Vec::new();
    let data_start = 64 + 56 * segments.len() as u64;
    let data_len: u64 = segments.iter().map(|segment| segment.2.len() as u64).sum();
    let strtab: Vec<u8> = [
        b"\0",
        symbol.map_or("", |symbol| symbol.0).as_bytes(),
        b"\0",
    ]
    .concat();
    let symtab_at = (data_start + data_len).next_multiple_of(8);
    let strtab_at = symtab_at + 48;
    let sections_at = (strtab_at + strtab.len() as u64).next_multiple_of(8);

    file.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    for half in [2u16, 183] {
        file.extend(half.to_le_bytes());
    }
    file.extend(1u32.to_le_bytes());
    for word in [entry, 64, sections_at] {
        file.extend(word.to_le_bytes());
    }
    file.extend(0u32.to_le_bytes());
    for half in [64, 56, segments.len() as u16, 64, 3, 2] {
        file.extend(half.to_le_bytes());
    }
    let mut at = data_start;
    for (virt, phys, data, size) in segments {
        file.extend([1u32, 7].map(u32::to_le_bytes).concat());
        for word in [at, *virt, *phys, data.len() as u64, *size, 4] {
            file.extend(word.to_le_bytes());
        }
        at += data.len() as u64;
    }
    for segment in segments {
        file.extend(segment.2);
    }
    file.resize(symtab_at as usize + 24, 0);
    file.extend(1u32.to_le_bytes());
    file.extend([0x11, 0, 0xf1, 0xff]);
    file.extend(symbol.map_or(0, |symbol| symbol.1).to_le_bytes());
    file.extend(8u64.to_le_bytes());
    file.extend(&strtab);
    file.resize(sections_at as usize + 64, 0);
    for (kind, offset, size, link, info, entry_size) in [
        (2u32, symtab_at, 48u64, 2u32, 1u32, 24u64),
        (3, strtab_at, strtab.len() as u64, 0, 0, 0),
    ] {
        file.extend([0, kind].map(u32::to_le_bytes).concat());
        file.extend([0, 0, offset, size].map(u64::to_le_bytes).concat());
        file.extend([link, info].map(u32::to_le_bytes).concat());
        file.extend([1, entry_size].map(u64::to_le_bytes).concat());
    }
    file
}

fn loader() -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[56..60].copy_from_slice(b"ARM\x64");
    bytes.extend(
        Payload {
            loader_size: 0x3000,
            ..Payload::default()
        }
        .encode(),
    );
    elf(0, &[(0, 0, &bytes, 0x2fff)], None)
}

const KERNEL_VIRT: u64 = 0xffff_ff80_0000_0000;

fn kernel(symbol: &str) -> Vec<u8> {
    let data: Vec<u8> = (0..=255).cycle().take(0x1800).collect();
    elf(
        KERNEL_VIRT,
        &[(KERNEL_VIRT, 0x4000_0000, &data, 0x2800)],
        Some((symbol, KERNEL_VIRT + 0x1000)),
    )
}

fn root() -> Vec<u8> {
    let data = [0x5a; 0x10];
    elf(
        0x40_0000,
        &[(0x40_0000, 0, &data, 0x10), (0x40_1008, 0, &data, 0x2000)],
        None,
    )
}

/// Physical addresses of programs mean nothing.
#[test]
fn packs() {
    let image = pack(&loader(), &kernel("boot_regions"), &root()).unwrap();
    let expected = Payload {
        loader_size: 0x3000,
        kernel_offset: 0x3000,
        kernel_file_size: 0x1800,
        kernel_mem_size: 0x3000,
        kernel_phys: 0x4000_0000,
        kernel_entry: KERNEL_VIRT,
        kernel_virt: KERNEL_VIRT,
        regions_offset: 0x1000,
        root_offset: 0x5000,
        root_file_size: 0x1018,
        root_mem_size: 0x4000,
        root_virt: 0x40_0000,
        root_entry: 0x40_0000,
        image_size: 0x9000 + BLOB_RESERVE,
    };
    assert_eq!(image.payload, expected);
    let bytes = &image.bytes;
    assert_eq!(Payload::decode(&bytes[64..]), Ok(expected));
    assert_eq!(bytes[8..16], 0x3000u64.to_le_bytes());
    assert_eq!(bytes[16..24], expected.image_size.to_le_bytes());
    assert_eq!(bytes[0x3000..0x3003], [0, 1, 2]);
    assert_eq!(
        bytes[0x5000..0x5011],
        [[0x5a; 16].as_slice(), &[0]].concat()
    );
    assert_eq!(bytes[0x6008..], [0x5a; 16]);
}

#[test]
fn says_why_not() {
    let good = kernel("boot_regions");
    let error = pack(&loader(), &kernel("other"), &root()).unwrap_err();
    assert_eq!(error, ImageError::Symbol("boot_regions"));
    assert!(matches!(
        pack(b"no", &good, &root()),
        Err(ImageError::Elf("loader", _))
    ));
    assert!(matches!(
        pack(&loader(), &good, &[]),
        Err(ImageError::Elf("root task", _))
    ));
    assert!(matches!(
        pack(&root(), &good, &root()),
        Err(ImageError::Loader(_))
    ));

    let root = |entry, segments: &[Segment<'_>]| {
        pack(&loader(), &good, &elf(entry, segments, None)).unwrap_err()
    };
    let data = [0; 16];
    assert_eq!(
        root(0, &[]),
        ImageError::Layout("root task", "it has no loadable segment")
    );
    assert_eq!(
        root(0x1000, &[(0x1000, 0, &data, 16), (0x100f, 0, &data, 16)]),
        ImageError::Layout("root task", "its segments overlap")
    );
    assert_eq!(
        root(0x1000, &[(0x1000, 0, &data, 16), (1 << 40, 0, &data, 16)]),
        ImageError::Layout("root task", "it is larger than 1 GiB")
    );
    assert_eq!(
        root(0x1000, &[(0x1000, 0, &data, 8)]),
        ImageError::Layout(
            "root task",
            "a segment is larger in the file than in memory"
        )
    );
    assert_eq!(
        root(0x5000, &[(0x1000, 0, &data, 16)]),
        ImageError::Payload(DecodeError::Inconsistent)
    );
}
