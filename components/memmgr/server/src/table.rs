//! Numbered things whose numbers are not reused soon: slot number and generation in one word.

use alloc::boxed::Box;
use alloc::vec::Vec;

const SLOT_BITS: u32 = 18;
const SLOTS: u32 = 1 << SLOT_BITS;
const GENERATIONS: u32 = 1 << (32 - SLOT_BITS);

/// Entries that are made at a time: nothing here grows by much at once, however full the table is.
const CHUNK: u32 = 64;
const NONE: u32 = u32::MAX;

struct Entry<T> {
    generation: u32,
    /// The next free slot, of a free one.
    next: u32,
    value: Option<Box<T>>,
}

/// A table of `T`.
pub struct Table<T> {
    chunks: Vec<Box<[Entry<T>]>>,
    free: u32,
    live: u32,
}

impl<T> Table<T> {
    /// Empty.
    pub const fn new() -> Self {
        Table {
            chunks: Vec::new(),
            free: NONE,
            live: 0,
        }
    }

    fn slot(&self, slot: u32) -> Option<&Entry<T>> {
        let chunk = self.chunks.get((slot / CHUNK) as usize)?;
        chunk.get((slot % CHUNK) as usize)
    }

    fn slot_mut(&mut self, slot: u32) -> Option<&mut Entry<T>> {
        let chunk = self.chunks.get_mut((slot / CHUNK) as usize)?;
        chunk.get_mut((slot % CHUNK) as usize)
    }

    /// Makes free slots; false if the table is full.
    fn grow(&mut self) -> bool {
        let first = self.chunks.len() as u32 * CHUNK;
        if first >= SLOTS {
            return false;
        }
        let end = first + CHUNK;
        let entry = |slot: u32| Entry {
            generation: 1,
            next: if slot + 1 == end { NONE } else { slot + 1 },
            value: None,
        };
        self.chunks.push((first..end).map(entry).collect());
        self.free = first;
        true
    }

    /// Adds a value; its number, or `None` if the table is full. Numbers are never 0.
    pub fn insert(&mut self, value: T) -> Option<u32> {
        if self.free == NONE && !self.grow() {
            return None;
        }
        let slot = self.free;
        let entry = self.slot_mut(slot)?;
        let next = core::mem::replace(&mut entry.next, NONE);
        entry.value = Some(Box::new(value));
        let number = entry.generation << SLOT_BITS | slot;
        self.free = next;
        self.live += 1;
        Some(number)
    }

    fn entry(&self, id: u32) -> Option<&Entry<T>> {
        let entry = self.slot(id % SLOTS)?;
        (entry.generation == id >> SLOT_BITS).then_some(entry)
    }

    fn entry_mut(&mut self, id: u32) -> Option<&mut Entry<T>> {
        let entry = self.slot_mut(id % SLOTS)?;
        (entry.generation == id >> SLOT_BITS).then_some(entry)
    }

    /// The value of a number.
    #[inline]
    pub fn get(&self, id: u32) -> Option<&T> {
        self.entry(id)?.value.as_deref()
    }

    /// The value of a number.
    #[inline]
    pub fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        self.entry_mut(id)?.value.as_deref_mut()
    }

    /// Removes a value; its number is dead.
    pub fn remove(&mut self, id: u32) -> Option<Box<T>> {
        let free = self.free;
        let entry = self.entry_mut(id)?;
        let value = entry.value.take()?;
        entry.generation = (entry.generation % (GENERATIONS - 1)) + 1;
        entry.next = free;
        self.free = id % SLOTS;
        self.live -= 1;
        Some(value)
    }

    /// Lends a value out, with its number still taken, so that another can be changed beside it.
    pub fn take_out(&mut self, id: u32) -> Option<Box<T>> {
        self.entry_mut(id)?.value.take()
    }

    /// Puts back what was lent out.
    pub fn put_back(&mut self, id: u32, value: Box<T>) {
        if let Some(entry) = self.slot_mut(id % SLOTS) {
            entry.value = Some(value);
        }
    }

    /// Values in the table.
    pub fn len(&self) -> usize {
        self.live as usize
    }

    /// All values with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let entries = self.chunks.iter().flatten();
        entries.enumerate().filter_map(|(slot, e)| {
            let value = e.value.as_deref()?;
            Some((e.generation << SLOT_BITS | slot as u32, value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_not_reused_soon() {
        let mut table = Table::new();
        let numbers: Vec<u32> = (0..200).filter_map(|n| table.insert(n)).collect();
        assert_eq!((numbers.len(), table.len()), (200, 200));
        for (n, number) in (0..).zip(&numbers) {
            assert_eq!(table.get(*number), Some(&n));
        }
        assert_eq!(table.remove(numbers[70]).as_deref(), Some(&70));
        assert!(table.get(numbers[70]).is_none() && table.remove(numbers[70]).is_none());
        let again = table.insert(7).unwrap();
        assert_eq!(again % SLOTS, numbers[70] % SLOTS);
        assert_ne!(again, numbers[70]);
        let lent = table.take_out(again).unwrap();
        assert!(table.get(again).is_none());
        table.put_back(again, lent);
        assert_eq!(table.get(again), Some(&7));
    }

    #[test]
    fn a_full_table_refuses() {
        let mut table = Table::new();
        let mut last = 0;
        for _ in 0..SLOTS {
            last = table.insert(()).unwrap();
        }
        assert_eq!(table.insert(()), None);
        table.remove(last);
        assert!(table.insert(()).is_some());
    }
}
