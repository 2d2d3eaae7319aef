//! The mappings of an address space, sorted by address.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use memmgr_api::{PAGE_SIZE, PROT_EXEC, PROT_READ, PROT_WRITE};

/// Most mappings of one address space, as Linux's vm.max_map_count.
pub const MAX_MAPPINGS: usize = 65530;

/// What fork does with a mapping (madvise(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inherit {
    /// Copies it.
    Copy,
    /// Leaves it out.
    Omit,
    /// The child finds it empty.
    Wipe,
}

/// What a mapping is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    /// Anything.
    Ordinary = 0,
    /// The heap (brk).
    Heap = 1,
    /// A growing stack.
    Stack = 2,
    /// The vDSO.
    Vdso = 3,
    /// What the vDSO reads.
    Time = 4,
    /// The shim's code.
    ShimCode = 5,
    /// The shim's data.
    ShimData = 6,
}

/// One mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vma {
    /// First address behind it.
    pub end: u64,
    /// Protection.
    pub prot: u8,
    /// The most mprotect may give.
    pub max_prot: u8,
    /// Writes go to the object.
    pub shared: bool,
    /// Grows down on faults.
    pub grows_down: bool,
    /// The object, by its number.
    pub object: Option<u32>,
    /// Offset in the object at the mapping's start.
    pub off: u64,
    /// Offset in the object behind the last byte shown; beyond it private memory is zero.
    pub valid_end: u64,
    /// For /proc/PID/maps.
    pub tag: u64,
    /// What it is for.
    pub role: Role,
    /// What fork does with it.
    pub inherit: Inherit,
    /// Its pages are locked (mlock(2)).
    pub locked: bool,
}

impl Vma {
    /// Whether any access is allowed.
    pub fn accessible(&self) -> bool {
        self.prot & (PROT_READ | PROT_WRITE | PROT_EXEC) != 0
    }

    /// Private and writable: counts towards RLIMIT_DATA.
    pub fn is_data(&self) -> bool {
        !self.shared && self.prot & PROT_WRITE != 0 && !self.grows_down
    }

    /// The object's offset of an address of the mapping that starts at `start`.
    pub fn offset_of(&self, start: u64, addr: u64) -> u64 {
        self.off.saturating_add(addr - start)
    }

    /// Whether `next`, which starts where this one ends, continues it.
    fn continues(&self, start: u64, next: &Vma) -> bool {
        self.prot == next.prot
            && self.max_prot == next.max_prot
            && self.shared == next.shared
            && !self.grows_down
            && !next.grows_down
            && self.object == next.object
            && (self.object.is_none()
                || (self.offset_of(start, self.end) == next.off
                    && self.valid_end == next.valid_end))
            && self.tag == next.tag
            && self.role == next.role
            && self.inherit == next.inherit
            && self.locked == next.locked
    }
}

/// A change of how many mappings show an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refs {
    /// One mapping more shows the object.
    More(u32),
    /// One mapping fewer.
    Less(u32),
}

/// The mappings. Changes to the number of mappings of objects are collected in [`Vmas::refs`] and must be carried out by the
/// owner.
#[derive(Default)]
pub struct Vmas {
    map: BTreeMap<u64, Vma>,
    /// Bytes mapped.
    pub total: u64,
    /// Bytes of private writable mappings.
    pub data: u64,
    /// Bytes of locked mappings.
    pub locked: u64,
    /// Not yet carried out.
    pub refs: Vec<Refs>,
}

impl Vmas {
    /// Mappings.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// The mapping that holds `addr`, with its start.
    #[inline]
    pub fn find(&self, addr: u64) -> Option<(u64, &Vma)> {
        let (&start, vma) = self.map.range(..=addr).next_back()?;
        (addr < vma.end).then_some((start, vma))
    }

    /// The first mapping that ends above `addr`.
    pub fn ending_above(&self, addr: u64) -> Option<(u64, &Vma)> {
        if let Some(found) = self.find(addr) {
            return Some(found);
        }
        self.map.range(addr..).next().map(|(&s, v)| (s, v))
    }

    /// The last mapping that starts below `addr`.
    pub fn starting_below(&self, addr: u64) -> Option<(u64, &Vma)> {
        self.map.range(..addr).next_back().map(|(&s, v)| (s, v))
    }

    /// All mappings in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &Vma)> {
        self.map.iter().map(|(&s, v)| (s, v))
    }

    /// The first mapping that touches `start..end`, clipped to it.
    pub fn first_in(&self, start: u64, end: u64) -> Option<(u64, Vma)> {
        if start >= end {
            return None;
        }
        let (s, v) = self.ending_above(start).filter(|&(s, _)| s < end)?;
        let at = s.max(start);
        let clipped = Vma {
            off: v.offset_of(s, at),
            end: v.end.min(end),
            ..*v
        };
        Some((at, clipped))
    }

    /// The mappings that touch `start..end`, clipped to it, in order.
    pub fn clipped(&self, start: u64, end: u64) -> impl Iterator<Item = (u64, Vma)> + '_ {
        let mut from = start;
        core::iter::from_fn(move || {
            let found = self.first_in(from, end)?;
            from = found.1.end;
            Some(found)
        })
    }

    /// Whether nothing is mapped in the range.
    pub fn is_free(&self, start: u64, end: u64) -> bool {
        self.ending_above(start).is_none_or(|(s, _)| s >= end)
    }

    /// Whether the whole range is mapped.
    pub fn is_covered(&self, start: u64, end: u64) -> bool {
        let mut at = start;
        while at < end {
            match self.find(at) {
                Some((_, vma)) => at = vma.end,
                None => return false,
            }
        }
        true
    }

    fn count(&mut self, start: u64, vma: &Vma, sign: bool) {
        let len = vma.end - start;
        let add = |sum: u64| {
            if sign {
                sum + len
            } else {
                sum.saturating_sub(len)
            }
        };
        self.total = add(self.total);
        if vma.is_data() {
            self.data = add(self.data);
        }
        if vma.locked {
            self.locked = add(self.locked);
        }
    }

    fn put(&mut self, start: u64, vma: Vma) {
        self.count(start, &vma, true);
        self.map.insert(start, vma);
    }

    fn take(&mut self, start: u64) -> Option<Vma> {
        let vma = self.map.remove(&start)?;
        self.count(start, &vma, false);
        Some(vma)
    }

    /// Adds a mapping where nothing is mapped; joins it with its neighbours where they continue each other.
    pub fn insert(&mut self, start: u64, mut vma: Vma) {
        if let Some(object) = vma.object {
            self.refs.push(Refs::More(object));
        }
        let mut start = start;
        if let Some((before, prev)) = self.starting_below(start) {
            if prev.end == start && prev.continues(before, &vma) {
                let end = vma.end;
                if let Some(prev) = self.take(before) {
                    vma = Vma { end, ..prev };
                    start = before;
                    self.less(vma.object);
                }
            }
        }
        if let Some(next) = self.map.get(&vma.end) {
            if vma.continues(start, next) {
                let at = vma.end;
                if let Some(next) = self.take(at) {
                    vma.end = next.end;
                    self.less(vma.object);
                }
            }
        }
        self.put(start, vma);
    }

    fn less(&mut self, object: Option<u32>) {
        if let Some(object) = object {
            self.refs.push(Refs::Less(object));
        }
    }

    /// Makes a boundary at `addr`.
    fn split(&mut self, addr: u64) {
        let Some((start, &vma)) = self.find(addr) else {
            return;
        };
        if start == addr {
            return;
        }
        let tail = Vma {
            off: vma.offset_of(start, addr),
            ..vma
        };
        if let Some(object) = vma.object {
            self.refs.push(Refs::More(object));
        }
        self.take(start);
        self.put(addr, tail);
        self.put(start, Vma { end: addr, ..vma });
    }

    /// How many mappings there would be at most after cutting the range out.
    pub fn pieces_after_cut(&self, start: u64, end: u64) -> usize {
        match self.find(start) {
            Some((s, vma)) if s < start && vma.end > end => self.len() + 1,
            _ => self.len(),
        }
    }

    /// Removes the first piece of what is mapped in the range.
    pub fn remove_first(&mut self, start: u64, end: u64) -> Option<(u64, Vma)> {
        if start >= end {
            return None;
        }
        self.split(start);
        let at = self.map.range(start..end).next().map(|(&s, _)| s)?;
        self.split(end);
        let vma = self.take(at)?;
        self.less(vma.object);
        Some((at, vma))
    }

    /// Moves the start of a growing mapping down.
    pub fn grow_down(&mut self, start: u64, new_start: u64) {
        if let Some(mut vma) = self.take(start) {
            vma.off = vma.off.wrapping_sub(start - new_start);
            self.put(new_start, vma);
        }
    }

    /// The highest free range of `len` bytes within `bottom..top`, with `gap` bytes kept free below growing mappings.
    pub fn highest_gap(&self, bottom: u64, top: u64, len: u64, gap: u64) -> Option<u64> {
        let mut ceiling = top;
        for (start, vma) in self.map.range(..top).rev().map(|(&s, v)| (s, v)) {
            if vma.end <= ceiling && ceiling - vma.end >= len {
                break;
            }
            let floor = if vma.grows_down {
                start.saturating_sub(gap)
            } else {
                start
            };
            ceiling = ceiling.min(floor);
            if ceiling <= bottom {
                return None;
            }
        }
        let at = ceiling.checked_sub(len)?;
        (at >= bottom).then_some(at)
    }
}

/// Rounds down to a page boundary.
pub const fn page_floor(addr: u64) -> u64 {
    addr & !(PAGE_SIZE - 1)
}

/// Rounds up to a page boundary; `None` beyond the end.
pub const fn page_ceil(addr: u64) -> Option<u64> {
    match addr.checked_add(PAGE_SIZE - 1) {
        Some(sum) => Some(page_floor(sum)),
        None => None,
    }
}
