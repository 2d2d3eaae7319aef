//! One bootable file of loader, kernel and root task: an arm64 Image.
//!
//! The segments of kernel and root task are laid out as they will lie in memory, so that the loader uses the root task
//! where it is and needs to understand no ELF. What goes where, [`boot_blob::payload`] says.

use std::fmt;

use boot_blob::payload::{self, Payload, BLOB_RESERVE};
use boot_blob::{DecodeError, PAGE_SIZE};
use object::elf::{FileHeader64, PF_X, PT_LOAD};
use object::read::elf::{ElfFile64, ProgramHeader};
use object::{Architecture, Endianness, Object, ObjectSymbol};

/// Symbol of the kernel's table of memory regions.
const REGIONS_SYMBOL: &str = "boot_regions";

/// Where the arm64 Image header has the load offset and the size in memory.
const TEXT_OFFSET: usize = 8;
const IMAGE_SIZE: usize = 16;
const IMAGE_MAGIC: (usize, &[u8; 4]) = (56, b"ARM\x64");

/// QEMU keeps this much at the start of RAM for itself; an image there would be moved.
const FIRST_OFFSET: u64 = 4096;

/// Largest memory image taken, in bytes: a mistake in an ELF file must not fill the host's memory.
const MAX_SIZE: u64 = 1 << 30;

/// A packed image.
#[derive(Debug)]
pub struct Image {
    /// The file.
    pub bytes: Vec<u8>,
    /// What it holds.
    pub payload: Payload,
}

/// Why no image can be made. The first part names the file: loader, kernel or root task.
#[derive(Debug, PartialEq, Eq)]
pub enum ImageError {
    /// It is not an ELF file for this machine.
    Elf(&'static str, String),
    /// Its segments cannot be laid out.
    Layout(&'static str, &'static str),
    /// The kernel has no such symbol.
    Symbol(&'static str),
    /// The loader does not begin as a loader does.
    Loader(DecodeError),
    /// Everything together does not make a payload the loader takes.
    Payload(DecodeError),
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImageError::Elf(file, why) => write!(f, "the {file} is no ELF file for AArch64: {why}"),
            ImageError::Layout(file, why) => write!(f, "the {file} cannot be laid out: {why}"),
            ImageError::Symbol(name) => write!(
                f,
                "the kernel has no symbol {name}: it was built without our platform"
            ),
            ImageError::Loader(why) => write!(f, "the loader's table is unusable: {why}"),
            ImageError::Payload(why) => write!(f, "the parts do not make an image: {why}"),
        }
    }
}

impl std::error::Error for ImageError {}

/// Packs an image from three ELF files.
pub fn pack(loader: &[u8], kernel: &[u8], root: &[u8]) -> Result<Image, ImageError> {
    let loader_file = parse("loader", loader)?;
    let loader = flatten("loader", &loader_file, Address::Virtual)?;
    let table = loader.bytes.get(payload::OFFSET..).unwrap_or_default();
    let loader_size = Payload::decode(table)
        .map_err(ImageError::Loader)?
        .loader_size;
    let magic = loader
        .bytes
        .get(IMAGE_MAGIC.0..)
        .is_some_and(|bytes| bytes.starts_with(IMAGE_MAGIC.1));
    if !magic || loader.base != 0 || loader.mem_size > loader_size || loader_size > MAX_SIZE {
        return Err(ImageError::Loader(DecodeError::Inconsistent));
    }

    let kernel_file = parse("kernel", kernel)?;
    let kernel = flatten("kernel", &kernel_file, Address::Physical)?;
    let root_file = parse("root task", root)?;
    let root = flatten("root task", &root_file, Address::Virtual)?;

    let regions = kernel_file
        .symbols()
        .find(|symbol| symbol.name() == Ok(REGIONS_SYMBOL))
        .and_then(|symbol| symbol.address().checked_sub(kernel.virt))
        .ok_or(ImageError::Symbol(REGIONS_SYMBOL))?;

    let kernel_offset = pages(loader_size);
    let root_offset = kernel_offset + pages(kernel.bytes.len() as u64);
    let payload = Payload {
        loader_size,
        kernel_offset,
        kernel_file_size: kernel.bytes.len() as u64,
        kernel_mem_size: pages(kernel.mem_size),
        kernel_phys: kernel.base,
        kernel_entry: kernel_file.entry(),
        kernel_virt: kernel.virt,
        regions_offset: regions,
        root_offset,
        root_file_size: root.bytes.len() as u64,
        root_mem_size: pages(root.mem_size),
        root_virt: root.base,
        root_entry: root_file.entry(),
        image_size: root_offset + pages(root.mem_size) + BLOB_RESERVE,
    };
    payload.check().map_err(ImageError::Payload)?;

    // Right behind the kernel's place. The loader does not depend on it.
    let text_offset = payload.kernel_mem_size.max(FIRST_OFFSET);
    let mut bytes = loader.bytes;
    put(&mut bytes, TEXT_OFFSET, &text_offset.to_le_bytes());
    put(&mut bytes, IMAGE_SIZE, &payload.image_size.to_le_bytes());
    put(&mut bytes, payload::OFFSET, &payload.encode());
    bytes.resize(kernel_offset as usize, 0);
    bytes.extend(&kernel.bytes);
    bytes.resize(root_offset as usize, 0);
    bytes.extend(&root.bytes);
    Ok(Image { bytes, payload })
}

fn pages(size: u64) -> u64 {
    size.next_multiple_of(PAGE_SIZE)
}

/// Overwrites bytes, which [`pack`] has found there.
fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

fn parse<'a>(name: &'static str, data: &'a [u8]) -> Result<ElfFile64<'a, Endianness>, ImageError> {
    let file = ElfFile64::<Endianness>::parse(data)
        .map_err(|error| ImageError::Elf(name, error.to_string()))?;
    if file.architecture() == Architecture::Aarch64 && file.endian() == Endianness::Little {
        Ok(file)
    } else {
        Err(ImageError::Elf(name, "it is for another machine".into()))
    }
}

/// Which addresses of its segments say where they go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Address {
    Physical,
    Virtual,
}

/// The segments of a file as they lie in memory.
struct Flat {
    /// From the first page to the end of what the file holds.
    bytes: Vec<u8>,
    /// Address of the first byte, page aligned; of the kind asked for.
    base: u64,
    /// The same, virtual.
    virt: u64,
    /// Bytes from there to the end of the last segment in memory.
    mem_size: u64,
}

fn flatten(
    name: &'static str,
    file: &ElfFile64<'_, Endianness>,
    kind: Address,
) -> Result<Flat, ImageError> {
    let endian = file.endian();
    let layout = |why| ImageError::Layout(name, why);
    let address =
        |header: &<FileHeader64<Endianness> as object::read::elf::FileHeader>::ProgramHeader| {
            match kind {
                Address::Physical => header.p_paddr(endian),
                Address::Virtual => header.p_vaddr(endian),
            }
        };
    let loads: Vec<_> = file
        .elf_program_headers()
        .iter()
        .filter(|header| header.p_type(endian) == PT_LOAD && header.p_memsz(endian) != 0)
        .collect();
    let first = loads
        .iter()
        .min_by_key(|header| address(header))
        .ok_or(layout("it has no loadable segment"))?;
    let base = address(first) & !(PAGE_SIZE - 1);
    let virt = first.p_vaddr(endian) & !(PAGE_SIZE - 1);
    if !loads
        .iter()
        .any(|header| header.p_flags(endian) & PF_X != 0)
    {
        return Err(layout("nothing in it is executable"));
    }

    let mut flat = Flat {
        bytes: Vec::new(),
        base,
        virt,
        mem_size: 0,
    };
    let mut taken: Vec<(u64, u64)> = Vec::new();
    for header in loads {
        let start = address(header) - base;
        let end = start
            .checked_add(header.p_memsz(endian))
            .ok_or(layout("a segment is too large"))?;
        if end > MAX_SIZE {
            return Err(layout("it is larger than 1 GiB"));
        }
        if header.p_vaddr(endian).wrapping_sub(virt) != start {
            return Err(layout(
                "its segments have other distances in virtual than in physical memory",
            ));
        }
        if taken.iter().any(|(from, to)| start < *to && *from < end) {
            return Err(layout("its segments overlap"));
        }
        taken.push((start, end));
        let data = header
            .data(endian, file.data())
            .map_err(|()| layout("a segment is cut short"))?;
        if data.len() as u64 > end - start {
            return Err(layout("a segment is larger in the file than in memory"));
        }
        let data_end = start as usize + data.len();
        if flat.bytes.len() < data_end {
            flat.bytes.resize(data_end, 0);
        }
        flat.bytes[start as usize..data_end].copy_from_slice(data);
        flat.mem_size = flat.mem_size.max(end);
    }
    Ok(flat)
}

#[cfg(test)]
#[path = "image_tests.rs"]
mod tests;
