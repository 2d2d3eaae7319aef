//! What the manager asks of the kernel: frames of memory and where they are mapped.
//!
//! The logic above is written against [`Machine`] alone. [`Sel4`](sel4::Sel4) carries it out with capabilities;
//! [`Fake`](fake::Fake) keeps frames in ordinary memory, for tests of this crate and of the components above.

#[cfg(not(target_os = "none"))]
pub mod fake;
#[cfg(target_os = "none")]
pub mod sel4;

use memmgr_api::PAGE_SIZE;

/// Bytes of a page, as an array length.
pub const PAGE: usize = PAGE_SIZE as usize;

/// A frame of 4 KiB, counted from 0 in the order they were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Frame(pub u32);

/// An address space of the hardware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hw(pub u32);

/// One frame mapped at one place; below [`MAPPING_LIMIT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mapping(pub u32);

/// Mappings are numbered below this.
pub const MAPPING_LIMIT: u32 = 1 << 29;

/// What a mapping allows besides reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Writing.
    pub write: bool,
    /// Executing.
    pub exec: bool,
}

/// Memory for frames, kernel objects or capabilities has run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

/// The kernel, as far as memory goes. Nothing here fails for other reasons than exhaustion.
pub trait Machine {
    /// Makes more frames, with the next numbers; returns how many, 0 if there is no memory left for frames.
    fn carve(&mut self) -> u32;
    /// Bytes that can still become frames.
    fn uncarved(&self) -> u64;
    /// Bytes in page tables, capability tables and other kernel objects.
    fn kernel_bytes(&self) -> u64;
    /// The most frames there can ever be.
    fn limit(&self) -> usize;
    /// Whether there is memory for the records about one more page.
    fn has_room(&mut self) -> bool;
    /// Where this domain's own heap ends, and by how many pages it is to grow: when little is left of it.
    fn heap_wanted(&mut self) -> Option<(u64, u64)> {
        None
    }
    /// Makes this domain's own heap larger by a step, of memory nothing was made of yet; false if it cannot.
    fn enlarge_heap(&mut self) -> bool {
        false
    }
    /// So many bytes have been mapped at the end of this domain's own heap.
    fn heap_grown(&mut self, bytes: u64) {
        let _ = bytes;
    }
    /// What this domain's own heap has now is for good.
    fn heap_kept(&mut self) {}
    /// Takes the unused end of this domain's own heap away from it: address and bytes, whole pages.
    fn heap_spared(&mut self) -> Option<(u64, u64)> {
        None
    }
    /// Called at the start of a request: the last one's answer has been received.
    fn refill(&mut self);

    /// Makes the contents of a frame reachable: before the first use of [`Machine::bytes`].
    fn prepare(&mut self, frame: Frame) -> Result<(), Exhausted>;
    /// A prepared frame's contents.
    fn bytes(&mut self, frame: Frame) -> &mut [u8; PAGE];
    /// Fills a prepared frame with zeros.
    fn zero(&mut self, frame: Frame) {
        self.bytes(frame).fill(0);
    }
    /// Copies out of a prepared frame; what lies beyond its end is left alone.
    fn read(&mut self, frame: Frame, off: usize, buf: &mut [u8]) {
        let from = self.bytes(frame).iter().skip(off);
        buf.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    }
    /// Copies into a prepared frame; what lies beyond its end is dropped.
    fn write(&mut self, frame: Frame, off: usize, data: &[u8]) {
        let to = self.bytes(frame).iter_mut().skip(off);
        to.zip(data).for_each(|(to, from)| *to = *from);
    }
    /// Copies a whole prepared frame to another.
    fn copy(&mut self, from: Frame, to: Frame);
    /// Copies a part of a frame to a part of another or the same; ranges are clipped to the frames.
    fn copy_part(&mut self, from: Frame, from_off: usize, to: Frame, to_off: usize, len: usize);
    /// Makes what was written into the frame visible to instruction fetches.
    fn sync_code(&mut self, frame: Frame);

    /// An address space without mappings.
    fn space(&mut self) -> Result<Hw, Exhausted>;
    /// Gives an address space back; nothing is mapped in it any more.
    fn drop_space(&mut self, hw: Hw);
    /// A capability to the address space, of which the caller's client gets a copy of its own: `lasting` if the receiver
    /// lives in this CSpace and needs a slot, otherwise one that a message copies.
    fn space_cap(&mut self, hw: Hw, lasting: bool) -> Result<u64, Exhausted>;
    /// Maps a frame, readable, where nothing is mapped.
    fn map(
        &mut self,
        hw: Hw,
        addr: u64,
        frame: Frame,
        rights: Rights,
    ) -> Result<Mapping, Exhausted>;
    /// Changes the rights of a mapping.
    fn protect(&mut self, hw: Hw, frame: Frame, mapping: Mapping, rights: Rights);
    /// Ends a mapping.
    fn unmap(&mut self, hw: Hw, frame: Frame, mapping: Mapping);

    /// Memory for kernel objects of another component, as an untyped capability of 2^`bits` bytes (for `lasting`, see
    /// [`Machine::space_cap`]).
    fn untyped(&mut self, bits: u8, lasting: bool) -> Result<u64, Exhausted>;
    /// Maps `pages` fresh frames at `addr` in another domain's heap, for good; returns how many pages were mapped.
    fn grow_heap(&mut self, client: u8, addr: u64, pages: u64) -> u64;
    /// Maps a frame at `addr` in a domain's heap, readable and writable: another's, or this domain's own (`None`).
    fn map_heap(
        &mut self,
        client: Option<u8>,
        addr: u64,
        frame: Frame,
    ) -> Result<Mapping, Exhausted>;
    /// Ends such a mapping.
    fn unmap_heap(&mut self, frame: Frame, mapping: Mapping);
    /// Whether an address space has many page tables, so that it is worth looking for unused ones.
    fn has_many_tables(&self, hw: Hw) -> bool {
        let _ = hw;
        false
    }
    /// Nothing is mapped from `start` to `end`: page tables for nothing else can go.
    fn release_tables(&mut self, hw: Hw, start: u64, end: u64) {
        let _ = (hw, start, end);
    }

    /// The initial archive: its first frame, its pages, its bytes (all zero without one). Its frames count from that one.
    fn archive(&mut self) -> Result<Archive, Exhausted>;
}

/// The initial archive in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Archive {
    /// The number of the first of its frames; [`Machine::archive`] makes them like [`Machine::carve`] does.
    pub first: u32,
    /// Frames.
    pub pages: u32,
    /// Bytes.
    pub bytes: u64,
}
