//! Untyped memory: taken from its start, never given back.

use alloc::vec::Vec;

use persona_component::Ram as Handed;
use sel4::cap::Untyped;
use sel4::Cap;

use crate::machine::PAGE;

/// Memory for small kernel objects is taken in blocks of this size, as a power of two, so that the large objects in between
/// stay aligned without waste.
const BLOCK_BITS: u8 = 17;

/// An untyped and how much of it is used, as the kernel counts.
struct Source {
    untyped: Untyped,
    size: u64,
    used: u64,
}

impl Source {
    /// Where `count` objects of 2^`bits` bytes would start, if they fit.
    fn place(&self, bits: u8, count: u64) -> Option<u64> {
        let start = self.used.next_multiple_of(1 << bits);
        (start.checked_add(count << bits)? <= self.size).then_some(start)
    }
}

/// All RAM that was handed over.
pub struct Ram {
    /// Smallest first, so that the large ones stay whole as long as possible.
    sources: Vec<Source>,
    /// For objects of a page and less.
    block: Option<Source>,
    free: u64,
    /// Kept for kernel objects.
    reserve: u64,
    kernel: u64,
}

impl Ram {
    /// Over the untypeds that are not device memory.
    pub fn new(handed: &[Handed]) -> Self {
        let mut sources: Vec<Source> = handed
            .iter()
            .filter(|u| !u.device && u.bits >= 12)
            .map(|u| Source {
                untyped: Cap::from_bits(u.cptr),
                size: 1 << u.bits,
                used: 0,
            })
            .collect();
        sources.sort_by_key(|s| s.size);
        let free = sources.iter().map(|s| s.size).sum();
        Ram {
            sources,
            block: None,
            free,
            reserve: (free / 64).max(2 << 20),
            kernel: 0,
        }
    }

    /// Bytes nothing is made of yet.
    pub fn free(&self) -> u64 {
        self.free
    }

    /// Bytes that may become frames of programs.
    pub fn for_frames(&self) -> u64 {
        self.free.saturating_sub(self.reserve)
    }

    /// Bytes in kernel objects.
    pub fn kernel(&self) -> u64 {
        self.kernel
    }

    fn take(&mut self, index: usize, bits: u8, count: u64) -> Option<Untyped> {
        let source = self.sources.get_mut(index)?;
        let start = source.place(bits, count)?;
        let end = start + (count << bits);
        self.free -= end - source.used;
        self.kernel += start - source.used;
        source.used = end;
        Some(source.untyped)
    }

    /// Memory for up to `most` frames of programs, a multiple of `step`: the untyped and how many.
    pub fn frames(&mut self, most: u64, step: u64) -> Option<(Untyped, u64)> {
        let allowed = self.for_frames() / PAGE as u64;
        for index in 0..self.sources.len() {
            let source = &self.sources[index];
            let used = source.used.next_multiple_of(PAGE as u64);
            let room = source.size.saturating_sub(used) / PAGE as u64;
            let count = most.min(room).min(allowed) / step * step;
            if count > 0 {
                return self.take(index, 12, count).map(|u| (u, count));
            }
        }
        None
    }

    /// Memory for a kernel object of 2^`bits` bytes, larger than a page.
    pub fn large(&mut self, bits: u8) -> Option<Untyped> {
        let index = self
            .sources
            .iter()
            .position(|s| s.place(bits, 1).is_some())?;
        let untyped = self.take(index, bits, 1)?;
        self.kernel += 1 << bits;
        Some(untyped)
    }

    /// Memory for an object of 2^`bits` bytes, a page at most. If it needs a new block, `cut` makes an untyped of 2^(second
    /// argument) bytes out of its first argument.
    pub fn small(
        &mut self,
        bits: u8,
        cut: impl FnOnce(Untyped, u8) -> Option<Untyped>,
    ) -> Option<Untyped> {
        if let Some(block) = &mut self.block {
            if let Some(start) = block.place(bits, 1) {
                block.used = start + (1 << bits);
                return Some(block.untyped);
            }
        }
        // Pieces too small for a block first.
        let small = |s: &Source| s.size < 1 << BLOCK_BITS && s.place(bits, 1).is_some();
        if let Some(index) = self.sources.iter().position(small) {
            self.kernel += 1 << bits;
            return self.take(index, bits, 1);
        }
        let from = self.large(BLOCK_BITS)?;
        let untyped = cut(from, BLOCK_BITS)?;
        self.block = Some(Source {
            untyped,
            size: 1 << BLOCK_BITS,
            used: 1 << bits,
        });
        Some(untyped)
    }
}
