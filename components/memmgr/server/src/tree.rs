//! A sparse array of per-page values: leaves of 64 in a sorted map.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;

const LEAF: u64 = 64;
/// Leaves that [`Tree::update`] empties at a time.
const BLOCK: usize = 8;

/// A value that can be absent.
pub trait Slot: Copy {
    /// The absent value.
    const EMPTY: Self;
    /// Whether it is that.
    fn is_empty(&self) -> bool;
}

struct Leaf<T> {
    used: u32,
    slots: [T; LEAF as usize],
}

impl<T: Slot> Leaf<T> {
    /// Calls `f` for the values with an index in `first..end`; the first slot's index is `base`. Returns how many became absent.
    fn update(&mut self, base: u64, first: u64, end: u64, f: &mut impl FnMut(u64, &mut T)) -> u64 {
        let before = self.used;
        let from = first.saturating_sub(base);
        let to = (end - base).min(LEAF);
        for at in from..to {
            let slot = &mut self.slots[at as usize];
            if !slot.is_empty() {
                f(base + at, slot);
                self.used -= u32::from(slot.is_empty());
            }
        }
        u64::from(before - self.used)
    }
}

/// The array.
pub struct Tree<T> {
    leaves: BTreeMap<u64, Box<Leaf<T>>>,
    used: u64,
}

impl<T: Slot> Tree<T> {
    /// All absent.
    pub const fn new() -> Self {
        Tree {
            leaves: BTreeMap::new(),
            used: 0,
        }
    }

    /// Values present.
    pub fn len(&self) -> u64 {
        self.used
    }

    /// The value at `index`.
    #[inline]
    pub fn get(&self, index: u64) -> T {
        match self.leaves.get(&(index / LEAF)) {
            Some(leaf) => leaf.slots[(index % LEAF) as usize],
            None => T::EMPTY,
        }
    }

    /// Sets the value at `index`; returns the old one.
    pub fn set(&mut self, index: u64, value: T) -> T {
        let key = index / LEAF;
        let leaf = match self.leaves.get_mut(&key) {
            Some(leaf) => leaf,
            None if value.is_empty() => return T::EMPTY,
            None => self.leaves.entry(key).or_insert_with(|| {
                Box::new(Leaf {
                    used: 0,
                    slots: [T::EMPTY; LEAF as usize],
                })
            }),
        };
        let old = core::mem::replace(&mut leaf.slots[(index % LEAF) as usize], value);
        match (old.is_empty(), value.is_empty()) {
            (true, false) => {
                leaf.used += 1;
                self.used += 1;
            }
            (false, true) => {
                leaf.used -= 1;
                self.used -= 1;
                if leaf.used == 0 {
                    self.leaves.remove(&key);
                }
            }
            _ => {}
        }
        old
    }

    /// Calls `f` for each value present with an index in `first..end`, in order; `f` may change it or make it absent.
    pub fn update(&mut self, first: u64, end: u64, mut f: impl FnMut(u64, &mut T)) {
        if first >= end {
            return;
        }
        let mut key = first / LEAF;
        let last = (end - 1) / LEAF;
        loop {
            // A bounded number of leaves at a time: the list of those that became empty must not grow with the range.
            let mut emptied = [0; BLOCK];
            let mut count = 0;
            let mut next = None;
            for (&at, leaf) in self.leaves.range_mut(key..=last) {
                if count == BLOCK {
                    next = Some(at);
                    break;
                }
                self.used -= leaf.update(at * LEAF, first, end, &mut f);
                if leaf.used == 0 {
                    emptied[count] = at;
                    count += 1;
                }
            }
            for at in &emptied[..count] {
                self.leaves.remove(at);
            }
            match next {
                Some(at) => key = at,
                None => return,
            }
        }
    }

    /// The first value present with an index in `first..end`.
    pub fn next(&self, first: u64, end: u64) -> Option<(u64, T)> {
        if first >= end {
            return None;
        }
        for (&key, leaf) in self.leaves.range(first / LEAF..=(end - 1) / LEAF) {
            let base = key * LEAF;
            let from = first.saturating_sub(base) as usize;
            let to = (end - base).min(LEAF) as usize;
            let found = (from..to).find(|&at| !leaf.slots[at].is_empty());
            if let Some(at) = found {
                return Some((base + at as u64, leaf.slots[at]));
            }
        }
        None
    }

    /// The first index from `first` on without a value.
    pub fn next_empty(&self, first: u64) -> Option<u64> {
        let mut at = first;
        for (&key, leaf) in self.leaves.range(first / LEAF..) {
            if key != at / LEAF {
                break;
            }
            let from = (at % LEAF) as usize;
            let empty = leaf.slots.iter().skip(from).position(T::is_empty);
            if let Some(found) = empty {
                return Some(at + found as u64);
            }
            at = (key + 1).checked_mul(LEAF)?;
        }
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    impl Slot for u32 {
        const EMPTY: u32 = 0;
        fn is_empty(&self) -> bool {
            *self == 0
        }
    }

    #[test]
    fn gaps_are_found() {
        let mut tree = Tree::new();
        assert_eq!(tree.next_empty(7), Some(7));
        for i in 0..LEAF + 2 {
            tree.set(i, 1u32);
        }
        assert_eq!(tree.next_empty(3), Some(LEAF + 2));
        assert_eq!(tree.next_empty(LEAF + 5), Some(LEAF + 5));
        tree.set(LEAF - 1, 0);
        assert_eq!(tree.next_empty(3), Some(LEAF - 1));
        assert_eq!(tree.next(LEAF - 1, u64::MAX), Some((LEAF, 1)));
        assert_eq!(tree.next_empty(LEAF), Some(LEAF + 2));
    }

    #[test]
    fn many_leaves_can_be_emptied() {
        let mut tree = Tree::new();
        for index in 0..1000 {
            tree.set(index * 100, 1u32);
        }
        tree.update(150, 99_850, |_, value| *value = 0);
        assert_eq!((tree.len(), tree.leaves.len()), (3, 3));
        assert_eq!(tree.next(101, u64::MAX), Some((99_900, 1)));
    }

    #[test]
    fn values_come_and_go() {
        let mut tree = Tree::new();
        for index in [0u64, 63, 64, 1000, 1 << 50] {
            assert_eq!(tree.set(index, 7u32), 0);
        }
        assert_eq!(tree.set(64, 8), 7);
        assert_eq!(tree.set(5, 0), 0);
        assert_eq!((tree.get(64), tree.get(65), tree.len()), (8, 0, 5));
        assert_eq!(tree.next(1, u64::MAX), Some((63, 7)));
        assert_eq!(tree.next(1001, 1 << 50), None);
        let mut seen = Vec::new();
        tree.update(63, 1001, |index, value| {
            seen.push(index);
            *value = 0;
        });
        assert_eq!(seen, [63, 64, 1000]);
        assert_eq!((tree.len(), tree.leaves.len()), (2, 2));
    }
}
