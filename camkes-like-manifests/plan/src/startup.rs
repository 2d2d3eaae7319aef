//! The start-up page: what a domain learns only at boot. Written by the root task, mapped read only, its address is the first
//! argument of the domain's entry point.
//!
//! Layout (little endian): [`Header`]'s words, then `untyped_count` untypeds of [`UNTYPED_BYTES`], then the boot arguments.

use alloc::vec::Vec;

/// First word of the page.
pub const MAGIC: u64 = u64::from_le_bytes(*b"PSTARTUP");
/// In x0 of a domain that stops itself at an undefined instruction because it cannot start, and has logged why.
pub const CANNOT_START: u64 = u64::from_le_bytes(*b"CANTGOON");

/// Bytes of one untyped's entry.
pub const UNTYPED_BYTES: usize = 16;

const WORDS: usize = 18;

/// The fixed part. All addresses and lengths in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Index of the domain, as in badges.
    pub domain: u64,
    /// Address of the thread's IPC buffer.
    pub ipc_buffer: u64,
    /// First address of the heap.
    pub heap: u64,
    /// Bytes of the heap that are mapped.
    pub heap_mapped: u64,
    /// Bytes the heap may grow to.
    pub heap_limit: u64,
    /// Slots of the root CNode as a power of two.
    pub cnode_bits: u64,
    /// First free slot (index) of the root CNode.
    pub free_slot_first: u64,
    /// End of the free slots.
    pub free_slot_end: u64,
    /// First address free for the domain's own mappings.
    pub free_vaddr_first: u64,
    /// End of those addresses.
    pub free_vaddr_end: u64,
    /// Physical address of the initial root file system (only with the grant `initrd`).
    pub initrd_paddr: u64,
    /// Its bytes; 0 if there is none.
    pub initrd_len: u64,
    /// Entries of the list of untypeds.
    pub untyped_count: u64,
    /// Bytes of the boot arguments.
    pub bootargs_len: u64,
    /// Frequency of the counter (CNTFRQ_EL0), in Hz.
    pub timer_hz: u64,
    /// RAM of the machine, in bytes, before anything was taken.
    pub ram_bytes: u64,
}

/// Memory handed over as an untyped capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Untyped {
    /// Slot (index) in the root CNode.
    pub slot: u32,
    /// Size as a power of two.
    pub bits: u8,
    /// Whether it is device memory (the initrd) rather than RAM.
    pub device: bool,
    /// Physical address.
    pub paddr: u64,
}

impl Header {
    fn words(&self) -> [u64; WORDS] {
        [
            MAGIC,
            crate::FORMAT as u64,
            self.domain,
            self.ipc_buffer,
            self.heap,
            self.heap_mapped,
            self.heap_limit,
            self.cnode_bits,
            self.free_slot_first,
            self.free_slot_end,
            self.free_vaddr_first,
            self.free_vaddr_end,
            self.initrd_paddr,
            self.initrd_len,
            self.untyped_count,
            self.bootargs_len,
            self.timer_hz,
            self.ram_bytes,
        ]
    }
}

/// Makes the page's contents. The counts of the header are filled in. `None` if it does not fit into `limit` bytes.
pub fn write(
    header: &Header,
    untypeds: &[Untyped],
    bootargs: &str,
    limit: usize,
) -> Option<Vec<u8>> {
    let mut header = *header;
    header.untyped_count = untypeds.len() as u64;
    header.bootargs_len = bootargs.len() as u64;
    let mut out = Vec::new();
    for word in header.words() {
        out.extend_from_slice(&word.to_le_bytes());
    }
    for untyped in untypeds {
        out.extend_from_slice(&untyped.slot.to_le_bytes());
        out.push(untyped.bits);
        out.push(u8::from(untyped.device));
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&untyped.paddr.to_le_bytes());
    }
    out.extend_from_slice(bootargs.as_bytes());
    (out.len() <= limit).then_some(out)
}

/// The start-up page as the domain reads it: no copy, no allocation.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    header: Header,
    untypeds: &'a [u8],
    bootargs: &'a str,
}

fn word(bytes: &[u8], index: usize) -> Option<u64> {
    let at = index * 8;
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

impl<'a> View<'a> {
    /// Reads the page; `None` if it is none, or of another version.
    pub fn new(bytes: &'a [u8]) -> Option<View<'a>> {
        let w = |index| word(bytes, index);
        if w(0)? != MAGIC || w(1)? != crate::FORMAT as u64 {
            return None;
        }
        let header = Header {
            domain: w(2)?,
            ipc_buffer: w(3)?,
            heap: w(4)?,
            heap_mapped: w(5)?,
            heap_limit: w(6)?,
            cnode_bits: w(7)?,
            free_slot_first: w(8)?,
            free_slot_end: w(9)?,
            free_vaddr_first: w(10)?,
            free_vaddr_end: w(11)?,
            initrd_paddr: w(12)?,
            initrd_len: w(13)?,
            untyped_count: w(14)?,
            bootargs_len: w(15)?,
            timer_hz: w(16)?,
            ram_bytes: w(17)?,
        };
        let list = WORDS * 8;
        let list_len = usize::try_from(header.untyped_count)
            .ok()?
            .checked_mul(UNTYPED_BYTES)?;
        let args = list.checked_add(list_len)?;
        let args_end = args.checked_add(usize::try_from(header.bootargs_len).ok()?)?;
        Some(View {
            header,
            untypeds: bytes.get(list..args)?,
            bootargs: core::str::from_utf8(bytes.get(args..args_end)?).ok()?,
        })
    }

    /// The fixed part.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The boot arguments; empty without the grant `boot-info`.
    pub fn bootargs(&self) -> &'a str {
        self.bootargs
    }

    /// The memory handed over with the grants `ram` and `initrd`.
    pub fn untypeds(&self) -> impl Iterator<Item = Untyped> + 'a {
        self.untypeds
            .chunks_exact(UNTYPED_BYTES)
            .filter_map(|entry| {
                Some(Untyped {
                    slot: u32::from_le_bytes(entry.get(..4)?.try_into().ok()?),
                    bits: *entry.get(4)?,
                    device: *entry.get(5)? != 0,
                    paddr: word(entry, 1)?,
                })
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_reads_back() {
        let header = Header {
            domain: 3,
            heap: 0x2000_0000,
            heap_mapped: 0x10000,
            initrd_len: 77,
            ram_bytes: 1 << 30,
            ..Header::default()
        };
        let untypeds = [
            Untyped {
                slot: 100,
                bits: 28,
                device: false,
                paddr: 0x4000_0000,
            },
            Untyped {
                slot: 101,
                bits: 12,
                device: true,
                paddr: 0x4800_0000,
            },
        ];
        let page = write(&header, &untypeds, "console=framed", 4096).unwrap();
        let view = View::new(&page).unwrap();
        assert_eq!(view.header().domain, 3);
        assert_eq!(view.header().ram_bytes, 1 << 30);
        assert_eq!(view.bootargs(), "console=framed");
        assert!(view.untypeds().eq(untypeds));
        assert!(write(&header, &untypeds, "console=framed", 100).is_none());
        for cut in 0..page.len() {
            assert!(View::new(&page[..cut]).is_none());
        }
    }
}
