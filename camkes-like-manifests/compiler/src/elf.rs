//! From a domain's ELF file to the parts of its image in the archive.

use object::elf::{FileHeader64, ET_EXEC, PF_W, PF_X, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};
use object::LittleEndian;
use persona_plan::archive::{NewImage, NewSegment};
use persona_plan::PAGE;

/// Reads a statically linked aarch64 program.
pub fn image(domain: &str, elf: &[u8]) -> Result<NewImage, String> {
    let fail = |what: &str| format!("program of domain `{domain}`: {what}");
    let header = FileHeader64::<LittleEndian>::parse(elf).map_err(|e| fail(&e.to_string()))?;
    let endian = LittleEndian;
    if header.e_machine(endian) != object::elf::EM_AARCH64 || header.e_type(endian) != ET_EXEC {
        return Err(fail("it is no statically linked aarch64 program"));
    }
    let mut segments: Vec<NewSegment> = Vec::new();
    let headers = header
        .program_headers(endian, elf)
        .map_err(|e| fail(&e.to_string()))?;
    for header in headers {
        if header.p_type(endian) != PT_LOAD || header.p_memsz(endian) == 0 {
            continue;
        }
        let data = header
            .data(endian, elf)
            .map_err(|()| fail("a segment lies outside of the file"))?;
        let vaddr = header.p_vaddr(endian);
        let first = vaddr & !(PAGE - 1);
        let end = vaddr
            .checked_add(header.p_memsz(endian))
            .filter(|end| *end <= crate::build::REGION_BASE)
            .ok_or_else(|| fail("it reaches into the addresses of stack and heap"))?;
        let flags = header.p_flags(endian);
        let (writable, executable) = (flags & PF_W != 0, flags & PF_X != 0);
        if writable && executable {
            return Err(fail("a segment is both writable and executable"));
        }
        let mut contents = vec![0; (vaddr - first) as usize];
        contents.extend_from_slice(data);
        if data.iter().all(|byte| *byte == 0) {
            contents.clear();
        }
        if segments
            .last()
            .is_some_and(|s| s.vaddr + u64::from(s.pages) * PAGE > first)
        {
            return Err(fail("two segments share a page"));
        }
        segments.push(NewSegment {
            vaddr: first,
            pages: (end - first).div_ceil(PAGE) as u32,
            writable,
            executable,
            contents,
        });
    }
    Ok(NewImage {
        domain: domain.into(),
        entry: header.e_entry(endian),
        segments,
    })
}
