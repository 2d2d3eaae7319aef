//! The ELF file around the code.

use super::{BYTES, CODE, TEXT};

/// Names of the functions, in the order of the code.
const NAMES: [&str; 4] = [
    "__kernel_clock_gettime",
    "__kernel_gettimeofday",
    "__kernel_clock_getres",
    "__kernel_rt_sigreturn",
];
const SONAME: &str = "linux-vdso.so.1";
const VERSION: &str = "LINUX_2.6.39";

/// Program headers, sections, symbols: null, the functions, the version.
const SEGMENTS: usize = 2;
const SECTIONS: usize = 9;
const SYMBOLS: usize = 2 + NAMES.len();

const HASH: usize = 64 + SEGMENTS * 56;
const HASH_BYTES: usize = (2 + 1 + SYMBOLS) * 4;
const SYMTAB: usize = (HASH + HASH_BYTES).next_multiple_of(8);
const SYMTAB_BYTES: usize = SYMBOLS * 24;
const STRTAB: usize = SYMTAB + SYMTAB_BYTES;
const VERSYM: usize = 0x240;
const VERSYM_BYTES: usize = SYMBOLS * 2;
const VERDEF: usize = 0x250;
const VERDEF_BYTES: usize = 2 * 28;
const DYNAMIC: usize = 0x290;
const DYNAMIC_BYTES: usize = 10 * 16;
const TEXT_BYTES: usize = CODE.marks[4] * 4;
const SHSTRTAB: usize = 0x700;
const HEADERS: usize = 0x780;

/// The image under construction.
struct Image {
    bytes: [u8; BYTES],
    at: usize,
}

impl Image {
    const fn at(mut self, offset: usize) -> Image {
        assert!(offset >= self.at || offset == 0, "parts overlap");
        self.at = offset;
        self
    }

    const fn put(mut self, value: u64, bytes: usize) -> Image {
        let value = value.to_le_bytes();
        let mut i = 0;
        while i < bytes {
            self.bytes[self.at + i] = value[i];
            i += 1;
        }
        self.at += bytes;
        self
    }

    const fn half(self, value: u64) -> Image {
        self.put(value, 2)
    }

    const fn word(self, value: u64) -> Image {
        self.put(value, 4)
    }

    const fn long(self, value: usize) -> Image {
        self.put(value as u64, 8)
    }

    /// A string and its NUL.
    const fn text(mut self, text: &str) -> Image {
        let text = text.as_bytes();
        let mut i = 0;
        while i < text.len() {
            self.bytes[self.at + i] = text[i];
            i += 1;
        }
        self.at += text.len() + 1;
        self
    }

    /// A section header: name in the string table, type, flags, place, size, link, info, entry size.
    const fn section(
        self,
        name: u64,
        kind: u64,
        flags: usize,
        place: (usize, usize),
        rest: [usize; 3],
    ) -> Image {
        let address = if flags == 0 { 0 } else { place.0 };
        self.word(name)
            .word(kind)
            .long(flags)
            .long(address)
            .long(place.0)
            .long(place.1)
            .word(rest[0] as u64)
            .word(rest[1] as u64)
            .long(if rest[2] == 2 { 2 } else { 8 })
            .long(rest[2])
    }

    /// The definition of a version: flags, index, name, and whether it is the last.
    const fn version(self, flags: u64, index: u64, name: &str, offset: usize, last: bool) -> Image {
        self.half(1)
            .half(flags)
            .half(index)
            .half(1)
            .word(hash(name) as u64)
            .word(20)
            .word(if last { 0 } else { 28 })
            .word(offset as u64)
            .word(0)
    }
}

/// The hash of System V's ABI.
const fn hash(name: &str) -> u32 {
    let name = name.as_bytes();
    let mut h = 0u32;
    let mut i = 0;
    while i < name.len() {
        h = (h << 4).wrapping_add(name[i] as u32);
        let high = h & 0xf000_0000;
        h = (h ^ high >> 24) & !high;
        i += 1;
    }
    h
}

const fn build() -> [u8; BYTES] {
    let mut image = Image {
        bytes: [0; BYTES],
        at: 0,
    };
    // The header: 64 bit, little-endian, version 1; shared object, AArch64.
    image = image.word(0x464c_457f).word(0x0001_0102).long(0);
    image = image
        .half(3)
        .half(183)
        .word(1)
        .long(0)
        .long(64)
        .long(HEADERS);
    image = image.word(0).half(64).half(56).half(SEGMENTS as u64);
    image = image
        .half(64)
        .half(SECTIONS as u64)
        .half(SECTIONS as u64 - 1);
    // All of it, readable and executable; the dynamic section.
    image = image.word(1).word(5).long(0).long(0).long(0);
    image = image.long(SHSTRTAB).long(SHSTRTAB).long(BYTES);
    image = image
        .word(2)
        .word(4)
        .long(DYNAMIC)
        .long(DYNAMIC)
        .long(DYNAMIC);
    image = image.long(DYNAMIC_BYTES).long(DYNAMIC_BYTES).long(8);

    // One chain for all symbols.
    image = image.at(HASH).word(1).word(SYMBOLS as u64).word(1).word(0);
    let mut i = 1;
    while i < SYMBOLS {
        image = image.word(((i + 1) % SYMBOLS) as u64);
        i += 1;
    }
    image = image.at(SYMTAB + 24);
    let mut name = 1;
    i = 0;
    while i < NAMES.len() {
        // Global functions of section 7.
        let (start, end) = (CODE.marks[i], CODE.marks[i + 1]);
        image = image.word(name).put(0x12, 1).put(0, 1).half(7);
        image = image.long(TEXT + start * 4).long((end - start) * 4);
        name += NAMES[i].len() as u64 + 1;
        i += 1;
    }
    let soname = name;
    let version = soname + SONAME.len() as u64 + 1;
    image = image
        .word(version)
        .put(0x11, 1)
        .put(0, 1)
        .half(0xfff1)
        .long(0)
        .long(0);

    image = image.at(STRTAB + 1);
    i = 0;
    while i < NAMES.len() {
        image = image.text(NAMES[i]);
        i += 1;
    }
    image = image.text(SONAME).text(VERSION);
    let strings = image.at - STRTAB;

    image = image.at(VERSYM).half(0);
    i = 1;
    while i < SYMBOLS {
        image = image.half(2);
        i += 1;
    }
    image = image.at(VERDEF);
    image = image.version(1, 1, SONAME, soname as usize, false);
    image = image.version(0, 2, VERSION, version as usize, true);

    image = image.at(DYNAMIC);
    let entries = [
        (14, soname as usize),
        (4, HASH),
        (5, STRTAB),
        (6, SYMTAB),
        (10, strings),
        (11, 24),
        (0x6fff_fff0, VERSYM),
        (0x6fff_fffc, VERDEF),
        (0x6fff_fffd, 2),
        (0, 0),
    ];
    i = 0;
    while i < entries.len() {
        image = image.long(entries[i].0).long(entries[i].1);
        i += 1;
    }

    image = image.at(TEXT);
    i = 0;
    while i < CODE.marks[4] {
        image = image.word(CODE.code.words[i] as u64);
        i += 1;
    }

    image = image
        .at(SHSTRTAB + 1)
        .text(".hash")
        .text(".dynsym")
        .text(".dynstr");
    image = image
        .text(".gnu.version")
        .text(".gnu.version_d")
        .text(".dynamic");
    image = image.text(".text").text(".shstrtab");
    let names = image.at - SHSTRTAB;
    // Allocated, and what has to be executed too.
    let (a, ax) = (2, 6);
    image = image.at(HEADERS + 64);
    image = image.section(1, 5, a, (HASH, HASH_BYTES), [2, 0, 4]);
    image = image.section(7, 11, a, (SYMTAB, SYMTAB_BYTES), [3, 1, 24]);
    image = image.section(15, 3, a, (STRTAB, strings), [0, 0, 0]);
    image = image.section(23, 0x6fff_ffff, a, (VERSYM, VERSYM_BYTES), [2, 0, 2]);
    image = image.section(36, 0x6fff_fffd, a, (VERDEF, VERDEF_BYTES), [3, 2, 0]);
    image = image.section(51, 6, a, (DYNAMIC, DYNAMIC_BYTES), [3, 0, 16]);
    image = image.section(60, 1, ax, (TEXT, TEXT_BYTES), [0, 0, 0]);
    image = image.section(66, 3, 0, (SHSTRTAB, names), [0, 0, 0]);
    image.bytes
}

/// The image, to be mapped at a page boundary, readable and executable.
pub static IMAGE: [u8; BYTES] = build();

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vdso::RT_SIGRETURN_AT;

    fn get(at: usize, bytes: usize) -> u64 {
        let mut value = [0; 8];
        value[..bytes].copy_from_slice(&IMAGE[at..at + bytes]);
        u64::from_le_bytes(value)
    }

    fn text(at: usize) -> &'static str {
        let end = IMAGE[at..].iter().position(|&b| b == 0).unwrap();
        core::str::from_utf8(&IMAGE[at..at + end]).unwrap()
    }

    /// Looks a symbol up as the C libraries do.
    fn symbol(name: &str) -> Option<u64> {
        let phdr = |i: usize| 64 + 56 * i;
        assert_eq!((get(phdr(0), 4), get(phdr(1), 4)), (1, 2));
        let dynamic = get(phdr(1) + 16, 8) as usize;
        let tag = |wanted: u64| {
            let mut at = dynamic;
            while get(at, 8) != wanted {
                assert_ne!(get(at, 8), 0, "no tag {wanted:#x}");
                at += 16;
            }
            get(at + 8, 8) as usize
        };
        let (hashes, symbols, strings) = (tag(4), tag(6), tag(5));
        let (versions, definitions) = (tag(0x6fff_fff0), tag(0x6fff_fffc));
        let buckets = get(hashes, 4) as usize;
        let mut i = get(hashes + 8 + hash(name) as usize % buckets * 4, 4) as usize;
        while i != 0 {
            let at = symbols + i * 24;
            if text(strings + get(at, 4) as usize) == name {
                let index = get(versions + i * 2, 2);
                let second = definitions + get(definitions + 16, 4) as usize;
                assert_eq!(get(second + 4, 2), index);
                assert_eq!(get(second + 8, 4), 0x75f_cb89);
                let aux = second + get(second + 12, 4) as usize;
                assert_eq!(text(strings + get(aux, 4) as usize), "LINUX_2.6.39");
                return Some(get(at + 8, 8));
            }
            i = get(hashes + 8 + buckets * 4 + i * 4, 4) as usize;
        }
        None
    }

    #[test]
    fn every_function_is_found_by_name_and_version() {
        for (i, name) in NAMES.into_iter().enumerate() {
            let at = symbol(name).unwrap();
            assert_eq!(at, (TEXT + CODE.marks[i] * 4) as u64);
        }
        assert_eq!(symbol("__kernel_getcpu"), None);
        let at = RT_SIGRETURN_AT as usize;
        assert_eq!((get(at, 4), get(at + 4, 4)), (0xd280_1168, 0xd400_0001));
    }

    #[test]
    fn sections_have_their_names() {
        let (headers, names) = (get(40, 8) as usize, SHSTRTAB);
        let names: std::vec::Vec<&str> = (1..SECTIONS)
            .map(|i| text(names + get(headers + i * 64, 4) as usize))
            .collect();
        assert_eq!(
            names,
            [
                ".hash",
                ".dynsym",
                ".dynstr",
                ".gnu.version",
                ".gnu.version_d",
                ".dynamic",
                ".text",
                ".shstrtab"
            ]
        );
    }
}
