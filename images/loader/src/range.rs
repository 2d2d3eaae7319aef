//! Ranges of physical memory, and short lists of them.

use core::fmt;

use crate::Error;

/// Size of a page in bytes.
pub const PAGE: u64 = boot_blob::PAGE_SIZE;

/// A range of physical addresses without its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// First address.
    pub start: u64,
    /// First address behind.
    pub end: u64,
}

impl Range {
    /// The range from `start` to before `end`; empty if they are the wrong way around.
    pub const fn new(start: u64, end: u64) -> Range {
        Range {
            start,
            end: if end < start { start } else { end },
        }
    }

    /// Does it hold nothing?
    pub const fn is_empty(self) -> bool {
        self.start >= self.end
    }

    /// Its size in bytes.
    pub const fn len(self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Do two ranges share an address?
    pub fn overlaps(self, other: Range) -> bool {
        self.start.max(other.start) < self.end.min(other.end)
    }

    /// Does it hold all of the other?
    pub fn contains(self, other: Range) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// The whole pages it touches.
    pub fn pages_touched(self) -> Range {
        Range::new(
            self.start & !(PAGE - 1),
            self.end.saturating_add(PAGE - 1) & !(PAGE - 1),
        )
    }

    /// The whole pages inside.
    pub fn pages_inside(self) -> Range {
        Range::new(
            self.start.saturating_add(PAGE - 1) & !(PAGE - 1),
            self.end & !(PAGE - 1),
        )
    }

    /// The part below an address.
    pub fn below(self, limit: u64) -> Range {
        Range::new(self.start, self.end.min(limit))
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}-{:#x}", self.start, self.end)
    }
}

/// Ranges a list can hold: more than the kernel takes.
const CAPACITY: usize = 24;

/// A list of ranges. What it holds is named by its user, for the error when it is full.
#[derive(Clone, Copy, Debug)]
pub struct Ranges {
    what: &'static str,
    items: [Range; CAPACITY],
    len: usize,
}

impl Ranges {
    /// An empty list of `what`, a plural.
    pub const fn new(what: &'static str) -> Ranges {
        Ranges {
            what,
            items: [Range { start: 0, end: 0 }; CAPACITY],
            len: 0,
        }
    }

    /// The ranges.
    pub fn as_slice(&self) -> &[Range] {
        self.items.get(..self.len).unwrap_or_default()
    }

    /// Adds a range, unless it is empty.
    pub fn push(&mut self, range: Range) -> Result<(), Error> {
        if range.is_empty() {
            return Ok(());
        }
        let item = self
            .items
            .get_mut(self.len)
            .ok_or(Error::TooMany(self.what))?;
        *item = range;
        self.len += 1;
        Ok(())
    }

    /// Sorts the ranges and joins those that touch.
    pub fn normalize(&mut self) {
        let len = self.len;
        let items = self.items.get_mut(..len).unwrap_or_default();
        items.sort_unstable_by_key(|range| range.start);
        let mut joined = Ranges::new(self.what);
        for range in self.as_slice() {
            match joined
                .len
                .checked_sub(1)
                .and_then(|last| joined.items.get_mut(last))
            {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                // Cannot be full: it has no more ranges than this list.
                _ => drop(joined.push(*range)),
            }
        }
        *self = joined;
    }

    /// Takes a range out of all.
    pub fn remove(&mut self, hole: Range) -> Result<(), Error> {
        let mut left = Ranges::new(self.what);
        for range in self.as_slice() {
            if hole.is_empty() {
                left.push(*range)?;
            } else {
                left.push(range.below(hole.start))?;
                left.push(Range::new(range.start.max(hole.end), range.end))?;
            }
        }
        *self = left;
        Ok(())
    }

    /// The range that holds all of another.
    pub fn containing(&self, range: Range) -> Option<Range> {
        self.as_slice()
            .iter()
            .copied()
            .find(|outer| outer.contains(range))
    }

    /// The sum of the sizes, in bytes.
    pub fn total(&self) -> u64 {
        self.as_slice()
            .iter()
            .fold(0, |sum, range| sum.saturating_add(range.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(ranges: &[(u64, u64)]) -> Ranges {
        let mut list = Ranges::new("ranges");
        for (start, end) in ranges {
            list.push(Range::new(*start, *end)).unwrap();
        }
        list
    }

    fn pairs(list: &Ranges) -> std::vec::Vec<(u64, u64)> {
        list.as_slice()
            .iter()
            .map(|range| (range.start, range.end))
            .collect()
    }

    #[test]
    fn joins_and_sorts() {
        let mut ranges = list(&[(30, 40), (0, 10), (10, 20), (35, 50), (60, 60)]);
        ranges.normalize();
        assert_eq!(pairs(&ranges), [(0, 20), (30, 50)]);
        assert_eq!(ranges.total(), 40);
    }

    #[test]
    fn removes_holes() {
        for (hole, left) in [
            ((0, 5), &[(10, 20), (30, 40)][..]),
            ((10, 20), &[(30, 40)]),
            ((15, 17), &[(10, 15), (17, 20), (30, 40)]),
            ((15, 35), &[(10, 15), (35, 40)]),
            ((15, 15), &[(10, 20), (30, 40)]),
            ((0, 50), &[]),
        ] {
            let mut ranges = list(&[(10, 20), (30, 40)]);
            ranges.remove(Range::new(hole.0, hole.1)).unwrap();
            assert_eq!(pairs(&ranges), left, "{hole:?}");
        }
    }

    #[test]
    fn is_bounded() {
        let mut ranges = Ranges::new("holes");
        for i in 0..CAPACITY as u64 {
            ranges.push(Range::new(2 * i, 2 * i + 1)).unwrap();
        }
        assert_eq!(
            ranges.push(Range::new(1000, 1001)),
            Err(Error::TooMany("holes"))
        );
        ranges.normalize();
        assert_eq!(ranges.as_slice().len(), CAPACITY);
    }

    #[test]
    fn pages() {
        assert_eq!(Range::new(1, 0x1001).pages_touched(), Range::new(0, 0x2000));
        assert_eq!(
            Range::new(1, 0x2fff).pages_inside(),
            Range::new(0x1000, 0x2000)
        );
        assert!(Range::new(1, 0xfff).pages_inside().is_empty());
    }
}
