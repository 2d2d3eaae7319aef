//! Numbered things whose numbers are not reused soon: slot number and generation in one word.

use alloc::boxed::Box;
use alloc::vec::Vec;

const SLOT_BITS: u32 = 18;
const SLOTS: u32 = 1 << SLOT_BITS;
const GENERATIONS: u32 = 1 << (32 - SLOT_BITS);

struct Entry<T> {
    generation: u32,
    value: Option<Box<T>>,
}

/// A table of `T`.
pub struct Table<T> {
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
    live: u32,
}

impl<T> Table<T> {
    /// Empty.
    pub const fn new() -> Self {
        Table {
            entries: Vec::new(),
            free: Vec::new(),
            live: 0,
        }
    }

    /// Adds a value; its number, or `None` if the table is full. Numbers are never 0.
    pub fn insert(&mut self, value: T) -> Option<u32> {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                let slot = self.entries.len() as u32;
                if slot >= SLOTS {
                    return None;
                }
                self.entries.push(Entry {
                    generation: 1,
                    value: None,
                });
                slot
            }
        };
        let entry = &mut self.entries[slot as usize];
        entry.value = Some(Box::new(value));
        self.live += 1;
        Some(entry.generation << SLOT_BITS | slot)
    }

    fn entry(&self, id: u32) -> Option<&Entry<T>> {
        let entry = self.entries.get((id % SLOTS) as usize)?;
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
        let entry = self.entries.get_mut((id % SLOTS) as usize)?;
        if entry.generation != id >> SLOT_BITS {
            return None;
        }
        entry.value.as_deref_mut()
    }

    /// Removes a value; its number is dead.
    pub fn remove(&mut self, id: u32) -> Option<Box<T>> {
        let slot = id % SLOTS;
        let entry = self.entries.get_mut(slot as usize)?;
        if entry.generation != id >> SLOT_BITS {
            return None;
        }
        let value = entry.value.take()?;
        entry.generation = (entry.generation % (GENERATIONS - 1)) + 1;
        self.free.push(slot);
        self.live -= 1;
        Some(value)
    }

    /// Lends a value out, with its number still taken, so that another can be changed beside it.
    pub fn take_out(&mut self, id: u32) -> Option<Box<T>> {
        let entry = self.entries.get_mut((id % SLOTS) as usize)?;
        if entry.generation != id >> SLOT_BITS {
            return None;
        }
        entry.value.take()
    }

    /// Puts back what was lent out.
    pub fn put_back(&mut self, id: u32, value: Box<T>) {
        if let Some(entry) = self.entries.get_mut((id % SLOTS) as usize) {
            entry.value = Some(value);
        }
    }

    /// Values in the table.
    pub fn len(&self) -> usize {
        self.live as usize
    }

    /// All values with their numbers.
    #[cfg(test)]
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.entries.iter().enumerate().filter_map(|(slot, e)| {
            let value = e.value.as_deref()?;
            Some((e.generation << SLOT_BITS | slot as u32, value))
        })
    }
}
