//! The heaps of the components, as far as they have grown: of the same frames that programs get, so that what a component
//! needs no longer is a program's again.

use alloc::collections::BTreeMap;

use crate::frames::Pool;
use crate::machine::{Machine, Rights, PAGE};
use crate::space::Entry;
use crate::tree::{Slot, Tree};

/// Which heap: of the client of that number, or of this domain.
pub type Whose = Option<u8>;

/// The pages.
#[derive(Default)]
pub struct Heaps {
    /// By page number.
    pages: BTreeMap<Whose, Tree<Entry>>,
}

impl Heaps {
    /// Pages in all heaps.
    pub fn pages(&self) -> u64 {
        self.pages.values().map(Tree::len).sum()
    }
}

const RIGHTS: Rights = Rights {
    write: true,
    exec: false,
};

impl<M: Machine> Pool<M> {
    /// Whether there is memory for the records of a few pages or mappings more; makes this domain's heap larger when little
    /// is left of it.
    pub fn has_room(&mut self) -> bool {
        self.tend_heap();
        self.machine.has_room()
    }

    /// Makes this domain's heap larger if little is left of it.
    fn tend_heap(&mut self) {
        if self.machine.heap_wanted().is_some() {
            self.grow_own();
        }
    }

    /// Makes this domain's heap larger by a step; false if it cannot.
    pub fn grow_own(&mut self) -> bool {
        let Some((addr, pages)) = self.machine.heap_wanted() else {
            return self.machine.enlarge_heap();
        };
        let grown = self.grow_heap(None, addr, pages);
        if grown == 0 {
            return self.machine.enlarge_heap();
        }
        self.machine.heap_grown(grown * PAGE as u64);
        true
    }

    /// Maps `pages` at `addr`, the end of a heap; returns how many pages were mapped.
    pub fn grow_heap(&mut self, whose: Whose, addr: u64, pages: u64) -> u64 {
        for page in 0..pages {
            let at = addr + page * PAGE as u64;
            let Ok(frame) = self.alloc_for_heap() else {
                return page;
            };
            match self.machine.map_heap(whose, at, frame) {
                Ok(mapping) => {
                    let entry = Entry::mapped(frame, mapping, RIGHTS);
                    let heap = self.heaps.pages.entry(whose).or_insert_with(Tree::new);
                    heap.set(at / PAGE as u64, entry);
                }
                Err(_) => {
                    self.release(frame);
                    return page;
                }
            }
        }
        pages
    }

    /// Unmaps the end of a heap, which reaches from `addr` over `pages`, from its end on and as far as the pages came from
    /// here; returns how many pages were unmapped.
    pub fn shrink_heap(&mut self, whose: Whose, addr: u64, pages: u64) -> u64 {
        for done in 0..pages {
            let at = addr / PAGE as u64 + (pages - 1 - done);
            let Some(heap) = self.heaps.pages.get_mut(&whose) else {
                return done;
            };
            let entry = heap.set(at, Entry::EMPTY);
            let (Some(frame), Some((mapping, _))) = (entry.frame(), entry.mapping()) else {
                return done;
            };
            self.machine.unmap_heap(frame, mapping);
            self.release(frame);
        }
        pages
    }

    /// Takes back what this domain's heap needs no longer.
    pub fn shrink_own(&mut self) {
        let Some((addr, bytes)) = self.machine.heap_spared() else {
            return;
        };
        let pages = bytes / PAGE as u64;
        let left = pages - self.shrink_heap(None, addr, pages);
        if left > 0 {
            self.machine.heap_grown(left * PAGE as u64);
            self.machine.heap_kept();
        }
    }
}
