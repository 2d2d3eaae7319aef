//! The initial stack, as Linux lays it out (fs/binfmt_elf.c): from the top the program's path, environment and argument
//! strings, platform name and random bytes, then the auxiliary vector, environment and argument pointers, argc at sp.

use alloc::vec::Vec;

use lsyscall_abi::consts::{HWCAP_ASIMD, HWCAP_CPUID, HWCAP_FP, USER_HZ};
use lsyscall_abi::Errno;
use memmgr_api::{
    MapRequest, Memory, Mm, Placement, Space, PAGE_SIZE, PROT_READ, PROT_WRITE, STACK_TOP,
};

use super::strings::Strings;

/// Bytes mapped at first below what the strings need; the rest comes by growth.
const INITIAL_BYTES: u64 = 128 << 10;
/// Pages by which the stack's top is moved at random (up to this many less one).
const RANDOM_PAGES: u64 = 1 << 11;

const AT_NULL: u64 = 0;
const AT_PHDR: u64 = 3;
const AT_PHENT: u64 = 4;
const AT_PHNUM: u64 = 5;
const AT_PAGESZ: u64 = 6;
const AT_BASE: u64 = 7;
const AT_FLAGS: u64 = 8;
const AT_ENTRY: u64 = 9;
const AT_UID: u64 = 11;
const AT_EUID: u64 = 12;
const AT_GID: u64 = 13;
const AT_EGID: u64 = 14;
const AT_PLATFORM: u64 = 15;
const AT_HWCAP: u64 = 16;
const AT_CLKTCK: u64 = 17;
const AT_SECURE: u64 = 23;
const AT_RANDOM: u64 = 25;
const AT_HWCAP2: u64 = 26;
const AT_EXECFN: u64 = 31;
const AT_SYSINFO_EHDR: u64 = 33;
const AT_MINSIGSTKSZ: u64 = 51;
/// Bytes a signal frame needs at least, as arm64 without SVE says.
const MIN_SIGNAL_STACK: u64 = 4720;

/// What goes into the auxiliary vector.
#[derive(Clone, Copy, Debug)]
pub struct Auxv {
    /// Address of the program headers.
    pub phdr: u64,
    /// Bytes of one.
    pub phent: u64,
    /// How many.
    pub phnum: u64,
    /// Where the dynamic linker was loaded (0: none).
    pub base: u64,
    /// The program's entry.
    pub entry: u64,
    /// uid, euid, gid, egid.
    pub ids: [u32; 4],
    /// Set-id program.
    pub secure: bool,
    /// AT_RANDOM's bytes.
    pub random: [u8; 16],
    /// Random word that moves the stack.
    pub shift: u64,
}

/// Where things are.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Initial stack pointer.
    pub sp: u64,
    /// arg_start, arg_end, env_start, env_end, start_stack.
    pub ranges: [u64; 5],
}

/// Maps the stack and writes it. `E2BIG`, `ENOMEM`.
pub fn build<M: Memory>(
    mem: &M,
    mm: Mm,
    path: &[u8],
    strings: &Strings,
    auxv: &Auxv,
) -> Result<Layout, Errno> {
    let top = STACK_TOP - auxv.shift % RANDOM_PAGES * PAGE_SIZE;
    let (bytes, layout) = compose(top, path, strings, auxv);
    let len = (bytes.len() as u64 + INITIAL_BYTES).next_multiple_of(PAGE_SIZE);
    let request = MapRequest {
        addr: top - len,
        placement: Placement::FixedNoReplace,
        grows_down: true,
        ..MapRequest::anonymous(len, PROT_READ | PROT_WRITE)
    };
    mem.map(Space::Mm(mm), request)?;
    mem.copy_out(Space::Mm(mm), layout.sp, &bytes)?;
    Ok(layout)
}

/// The stack's bytes from sp to `top`.
fn compose(top: u64, path: &[u8], strings: &Strings, auxv: &Auxv) -> (Vec<u8>, Layout) {
    // Strings from low to high: arguments, environment, path, 8 zero bytes at the top.
    let string_bytes = strings.bytes() + path.len() + 1 + 8;
    let arg_start = top - string_bytes as u64;
    let mut text = Vec::with_capacity(string_bytes);
    let mut pointers = Vec::with_capacity(strings.args.len() + strings.env.len());
    for string in strings.args.iter().chain(&strings.env) {
        pointers.push(arg_start + text.len() as u64);
        text.extend_from_slice(string);
        text.push(0);
    }
    let arg_end = strings
        .env
        .first()
        .map_or(arg_start + text.len() as u64, |_| {
            pointers[strings.args.len()]
        });
    let env_end = arg_start + text.len() as u64;
    let execfn = env_end;
    text.extend_from_slice(path);
    text.extend_from_slice(&[0; 9]);

    let platform = (arg_start - 8) & !15;
    let random = platform - 16;
    let aux = [
        (AT_SYSINFO_EHDR, memmgr_api::SHIM_BASE + lsyscall_shim::VDSO),
        (AT_HWCAP, HWCAP_FP | HWCAP_ASIMD | HWCAP_CPUID),
        (AT_PAGESZ, PAGE_SIZE),
        (AT_CLKTCK, USER_HZ),
        (AT_PHDR, auxv.phdr),
        (AT_PHENT, auxv.phent),
        (AT_PHNUM, auxv.phnum),
        (AT_BASE, auxv.base),
        (AT_FLAGS, 0),
        (AT_ENTRY, auxv.entry),
        (AT_UID, auxv.ids[0].into()),
        (AT_EUID, auxv.ids[1].into()),
        (AT_GID, auxv.ids[2].into()),
        (AT_EGID, auxv.ids[3].into()),
        (AT_SECURE, auxv.secure.into()),
        (AT_RANDOM, random),
        (AT_HWCAP2, 0),
        (AT_EXECFN, execfn),
        (AT_PLATFORM, platform),
        (AT_MINSIGSTKSZ, MIN_SIGNAL_STACK),
        (AT_NULL, 0),
    ];
    let words = 1 + strings.args.len() + 1 + strings.env.len() + 1 + aux.len() * 2;
    let sp = (random - words as u64 * 8) & !15;
    let mut out = Vec::with_capacity((top - sp) as usize);
    let mut word = |value: u64| out.extend_from_slice(&value.to_le_bytes());
    word(strings.args.len() as u64);
    let (args, env) = pointers.split_at(strings.args.len());
    for group in [args, env] {
        group.iter().for_each(|&p| word(p));
        word(0);
    }
    for (key, value) in aux {
        word(key);
        word(value);
    }
    out.resize((random - sp) as usize, 0);
    out.extend_from_slice(&auxv.random);
    out.extend_from_slice(b"aarch64\0");
    out.resize((arg_start - sp) as usize, 0);
    out.extend_from_slice(&text);
    (
        out,
        Layout {
            sp,
            ranges: [arg_start, arg_end, arg_end, env_end, sp],
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_point_at_their_strings() {
        let strings = Strings {
            args: [&b"sh"[..], b"-c", b""].map(<[u8]>::to_vec).into(),
            env: [&b"A=1"[..], b"PATH=/bin"].map(<[u8]>::to_vec).into(),
        };
        let auxv = Auxv {
            phdr: 0x40_0040,
            phent: 56,
            phnum: 4,
            base: 0,
            entry: 0x40_0100,
            ids: [0; 4],
            secure: false,
            random: *b"0123456789abcdef",
            shift: 0,
        };
        let top = 0x7fff_0000;
        let (bytes, layout) = compose(top, b"/bin/sh", &strings, &auxv);
        assert_eq!(layout.sp % 16, 0);
        assert_eq!(layout.sp + bytes.len() as u64, top);
        let word = |at: u64| {
            let at = (at - layout.sp) as usize;
            u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
        };
        let string = |at: u64| {
            let at = (at - layout.sp) as usize;
            bytes[at..].split(|&b| b == 0).next().unwrap().to_vec()
        };
        assert_eq!(word(layout.sp), 3);
        assert_eq!(string(word(layout.sp + 8)), b"sh");
        assert_eq!(string(word(layout.sp + 16)), b"-c");
        assert_eq!(string(word(layout.sp + 24)), b"");
        assert_eq!(word(layout.sp + 32), 0);
        assert_eq!(string(word(layout.sp + 40)), b"A=1");
        assert_eq!(string(word(layout.sp + 48)), b"PATH=/bin");
        assert_eq!(word(layout.sp + 56), 0);
        let mut at = layout.sp + 64;
        let mut seen = alloc::collections::BTreeMap::new();
        while word(at) != AT_NULL {
            seen.insert(word(at), word(at + 8));
            at += 16;
        }
        assert_eq!(string(seen[&AT_EXECFN]), b"/bin/sh");
        assert_eq!(string(seen[&AT_PLATFORM]), b"aarch64");
        let random = (seen[&AT_RANDOM] - layout.sp) as usize;
        assert_eq!(&bytes[random..random + 16], b"0123456789abcdef");
        assert_eq!(string(layout.ranges[0]), b"sh");
        assert_eq!(string(layout.ranges[2]), b"A=1");
    }
}
