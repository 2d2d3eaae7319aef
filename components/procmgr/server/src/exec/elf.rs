//! ELF images: what to map where. Headers are decoded by the `object` crate; nothing in a file is believed.

use alloc::vec::Vec;

use fsmgr_api::ExecFile;
use lsyscall_abi::Errno;
use memmgr_api::{
    MapRequest, Memory, Mm, Placement, Space, PAGE_SIZE, PROT_EXEC, PROT_READ, PROT_WRITE, USER_TOP,
};
use object::elf::{
    FileHeader64, ProgramHeader64, EM_AARCH64, ET_DYN, ET_EXEC, PT_INTERP, PT_LOAD, PT_PHDR,
};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{pod, LittleEndian};

/// Bytes of a file's start that are looked at: headers and the interpreter's name must lie within (as in practice they do).
pub const HEAD_BYTES: usize = 4096;
/// Bytes of a program header.
pub const PHDR_BYTES: usize = 56;
/// Most program headers (Linux allows 64 KiB of them).
const MAX_PHDRS: usize = 64;
/// Where position-independent programs go: two thirds of the address space, as Linux has it.
const PIE_BASE: u64 = (USER_TOP / 3 * 2) & !(PAGE_SIZE - 1);

/// One segment to load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Address before the bias.
    pub vaddr: u64,
    /// Bytes in memory.
    pub memsz: u64,
    /// Bytes in the file.
    pub filesz: u64,
    /// Offset in the file.
    pub offset: u64,
    /// PROT_* bits.
    pub prot: u8,
}

/// What the headers say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Position-independent.
    pub pie: bool,
    /// Entry before the bias.
    pub entry: u64,
    /// Segments by address.
    pub segments: Vec<Segment>,
    /// Path in PT_INTERP.
    pub interpreter: Option<Vec<u8>>,
    /// Address of the program headers in memory before the bias, if they are loaded.
    pub phdr: Option<u64>,
    /// How many there are.
    pub phnum: u64,
}

/// Which image it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The program itself.
    Main,
    /// Its dynamic linker.
    Interpreter,
}

/// A mapped image.
#[derive(Clone, Copy, Debug)]
pub struct Loaded {
    /// Added to every address of the file.
    pub bias: u64,
    /// Entry address.
    pub entry: u64,
    /// Address of the program headers (0: not loaded).
    pub phdr: u64,
    /// First page behind the image.
    pub end: u64,
}

impl Program {
    /// Decodes the headers. `ENOEXEC` if it is no aarch64 program, or one that makes no sense.
    pub fn parse(head: &[u8]) -> Result<Program, Errno> {
        let header = FileHeader64::<LittleEndian>::parse(head).map_err(|_| Errno::ENOEXEC)?;
        let endian: LittleEndian = header.endian().map_err(|_| Errno::ENOEXEC)?;
        let kind = header.e_type(endian);
        if header.e_machine(endian) != EM_AARCH64 || kind != ET_EXEC && kind != ET_DYN {
            return Err(Errno::ENOEXEC);
        }
        let (phoff, phnum) = (header.e_phoff(endian), usize::from(header.e_phnum(endian)));
        if usize::from(header.e_phentsize(endian)) != PHDR_BYTES || phnum == 0 || phnum > MAX_PHDRS
        {
            return Err(Errno::ENOEXEC);
        }
        let start = usize::try_from(phoff).map_err(|_| Errno::ENOEXEC)?;
        let table = head.get(start..).ok_or(Errno::ENOEXEC)?;
        let (headers, _) = pod::slice_from_bytes::<ProgramHeader64<LittleEndian>>(table, phnum)
            .map_err(|()| Errno::ENOEXEC)?;
        let mut program = Program {
            pie: kind == ET_DYN,
            entry: header.e_entry(endian),
            segments: Vec::new(),
            interpreter: None,
            phdr: None,
            phnum: phnum as u64,
        };
        for ph in headers {
            match ph.p_type(endian) {
                PT_LOAD if ph.p_memsz(endian) > 0 => program.segments.push(segment(ph, endian)?),
                PT_PHDR => program.phdr = Some(ph.p_vaddr(endian)),
                PT_INTERP => {
                    let start = usize::try_from(ph.p_offset(endian)).map_err(|_| Errno::ENOEXEC)?;
                    let len = usize::try_from(ph.p_filesz(endian)).map_err(|_| Errno::ENOEXEC)?;
                    let end = start.checked_add(len).ok_or(Errno::ENOEXEC)?;
                    let name = head.get(start..end).ok_or(Errno::ENOEXEC)?;
                    let name = name.split(|&b| b == 0).next().unwrap_or(name);
                    program.interpreter = Some(name.to_vec());
                }
                _ => {}
            }
        }
        if program.segments.is_empty()
            || program
                .segments
                .windows(2)
                .any(|w| w[0].vaddr + w[0].memsz > w[1].vaddr)
        {
            return Err(Errno::ENOEXEC);
        }
        if program.phdr.is_none() {
            let holds = |s: &&Segment| s.offset <= phoff && phoff - s.offset < s.filesz;
            program.phdr = program
                .segments
                .iter()
                .find(holds)
                .map(|s| s.vaddr + (phoff - s.offset));
        }
        Ok(program)
    }

    /// First page and first page behind, before the bias.
    fn range(&self) -> (u64, u64) {
        let low = self
            .segments
            .first()
            .map_or(0, |s| s.vaddr & !(PAGE_SIZE - 1));
        let high = self
            .segments
            .last()
            .map_or(0, |s| (s.vaddr + s.memsz).next_multiple_of(PAGE_SIZE));
        (low, high)
    }
}

fn segment(ph: &ProgramHeader64<LittleEndian>, endian: LittleEndian) -> Result<Segment, Errno> {
    let (vaddr, memsz, filesz, offset) = (
        ph.p_vaddr(endian),
        ph.p_memsz(endian),
        ph.p_filesz(endian),
        ph.p_offset(endian),
    );
    let end = vaddr.checked_add(memsz).ok_or(Errno::ENOEXEC)?;
    if filesz > memsz
        || end >= USER_TOP
        || vaddr % PAGE_SIZE != offset % PAGE_SIZE
        || offset.checked_add(filesz).is_none()
    {
        return Err(Errno::ENOEXEC);
    }
    let flags = ph.p_flags(endian);
    let mut prot = 0;
    for (flag, bit) in [(4, PROT_READ), (2, PROT_WRITE), (1, PROT_EXEC)] {
        if flags & flag != 0 {
            prot |= bit;
        }
    }
    Ok(Segment {
        vaddr,
        memsz,
        filesz,
        offset,
        prot,
    })
}

/// Maps a program's segments into an address space. `ENOEXEC` if the file is shorter than its headers say, `ENOMEM`.
pub fn map<M: Memory>(
    mem: &M,
    mm: Mm,
    file: &ExecFile,
    program: &Program,
    place: Place,
) -> Result<Loaded, Errno> {
    let (low, high) = program.range();
    let space = Space::Mm(mm);
    let bias = match (program.pie, place) {
        (false, _) => 0,
        (true, Place::Main) => PIE_BASE.wrapping_sub(low),
        (true, Place::Interpreter) => {
            // memmgr finds room for the whole image; the segments then replace the reservation.
            let room = mem.map(
                space,
                MapRequest {
                    prot: 0,
                    ..MapRequest::anonymous(high - low, 0)
                },
            )?;
            room.wrapping_sub(low)
        }
    };
    for s in &program.segments {
        if s.filesz > 0 && s.offset + s.filesz > file.size {
            return Err(Errno::ENOEXEC);
        }
        let skew = s.vaddr % PAGE_SIZE;
        let addr = s.vaddr.wrapping_add(bias) - skew;
        if addr == 0
            || addr
                .checked_add(s.memsz + skew)
                .is_none_or(|end| end >= USER_TOP)
        {
            return Err(Errno::ENOEXEC);
        }
        let anonymous = s.filesz == 0;
        mem.map(
            space,
            MapRequest {
                addr,
                prot: s.prot,
                placement: Placement::Fixed,
                vmo: (!anonymous).then_some(file.vmo),
                off: if anonymous { 0 } else { s.offset - skew },
                valid: if anonymous { u64::MAX } else { s.filesz + skew },
                tag: if anonymous { 0 } else { file.ino },
                ..MapRequest::anonymous(s.memsz + skew, s.prot)
            },
        )?;
    }
    Ok(Loaded {
        bias,
        entry: program.entry.wrapping_add(bias),
        phdr: program.phdr.map_or(0, |phdr| phdr.wrapping_add(bias)),
        end: high.wrapping_add(bias),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
        out[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// A file with one loadable segment.
    fn sample() -> Vec<u8> {
        let mut f = vec![0u8; 512];
        put(&mut f, 0, b"\x7fELF\x02\x01\x01");
        put(&mut f, 16, &2u16.to_le_bytes());
        put(&mut f, 18, &183u16.to_le_bytes());
        put(&mut f, 20, &1u32.to_le_bytes());
        put(&mut f, 24, &0x40_0080u64.to_le_bytes());
        put(&mut f, 32, &64u64.to_le_bytes());
        put(&mut f, 52, &64u16.to_le_bytes());
        put(&mut f, 54, &56u16.to_le_bytes());
        put(&mut f, 56, &1u16.to_le_bytes());
        put(&mut f, 64, &1u32.to_le_bytes());
        put(&mut f, 68, &5u32.to_le_bytes());
        put(&mut f, 80, &0x40_0000u64.to_le_bytes());
        put(&mut f, 96, &512u64.to_le_bytes());
        put(&mut f, 104, &0x2000u64.to_le_bytes());
        f
    }

    #[test]
    fn a_static_program() {
        let program = Program::parse(&sample()).unwrap();
        assert!(!program.pie);
        assert_eq!(program.phdr, Some(0x40_0040));
        assert_eq!(program.range(), (0x40_0000, 0x40_2000));
        assert_eq!(program.segments[0].prot, PROT_READ | PROT_EXEC);
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(Program::parse(b"hello"), Err(Errno::ENOEXEC));
        let good = sample();
        for (at, bytes) in [
            (18usize, vec![62u8, 0]), // another machine
            (32, vec![0xff; 8]),      // headers beyond the file
            (54, vec![1, 0]),         // wrong entry size
            (56, vec![0, 0]),         // no headers
            (80, vec![0xff; 8]),      // address overflow
            (96, vec![0xff; 8]),      // more in the file than in memory
            (72, vec![1]),            // offset and address disagree
        ] {
            let mut bad = good.clone();
            put(&mut bad, at, &bytes);
            assert_eq!(Program::parse(&bad), Err(Errno::ENOEXEC), "at {at}");
        }
    }

    #[test]
    fn cut_and_flipped_headers_never_panic() {
        let good = sample();
        for len in 0..good.len() {
            let _ = Program::parse(&good[..len]);
        }
        for at in 0..200 {
            for value in [0u8, 1, 0x7f, 0x80, 0xff] {
                let mut bad = good.clone();
                bad[at] = value;
                let _ = Program::parse(&bad);
            }
        }
    }
}
