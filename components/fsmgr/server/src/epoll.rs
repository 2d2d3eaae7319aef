//! epoll instances (epoll(7)): items, and the list of those that may be ready.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::rc::{Rc, Weak};
use core::cell::{Cell, RefCell};

use lsyscall_abi::PollFlags;

use crate::file::File;
use crate::wait::{RunList, WaitQueue};

/// Bits of an item that say how, not what.
const HOW: u32 = PollFlags::ET.bits()
    | PollFlags::ONESHOT.bits()
    | PollFlags::WAKEUP.bits()
    | PollFlags::EXCLUSIVE.bits();

/// A descriptor an epoll instance watches.
pub struct EpItem {
    epoll: Weak<Epoll>,
    /// The description; gone when its last descriptor is closed.
    pub file: Weak<File>,
    /// Descriptor number and description id: what epoll_ctl names it by.
    pub key: (i32, u64),
    /// Wanted events; none when disarmed by EPOLLONESHOT.
    pub events: Cell<u32>,
    /// The program's own.
    pub data: Cell<u64>,
    queued: Cell<bool>,
}

impl EpItem {
    /// Something happened at its object: it is looked at by the next epoll_wait.
    pub fn signal(self: &Rc<Self>) {
        if self.events.get() & !HOW == 0 {
            return;
        }
        if let Some(epoll) = self.epoll.upgrade() {
            if !self.queued.replace(true) {
                epoll.ready.borrow_mut().push_back(Rc::clone(self));
            }
            epoll.queue.wake();
        }
    }

    /// Of what an object reports, what the program wants to hear.
    pub fn wanted(&self, state: u32) -> u32 {
        let events = self.events.get();
        if events & !HOW == 0 {
            return 0;
        }
        state & events
    }

    /// Whether it wants to hear of one of these events.
    pub fn asks_for(&self, events: u32) -> bool {
        self.events.get() & events != 0
    }

    /// EPOLLEXCLUSIVE.
    pub fn exclusive(&self) -> bool {
        self.events.get() & PollFlags::EXCLUSIVE.bits() != 0
    }

    /// EPOLLET.
    pub fn edge(&self) -> bool {
        self.events.get() & PollFlags::ET.bits() != 0
    }

    /// EPOLLONESHOT: disarms the item.
    pub fn fired(&self) {
        if self.events.get() & PollFlags::ONESHOT.bits() != 0 {
            self.events.set(self.events.get() & HOW);
        }
    }

    /// The instance it belongs to.
    pub fn instance(&self) -> Option<Rc<Epoll>> {
        self.epoll.upgrade()
    }
}

/// An epoll instance.
pub struct Epoll {
    items: RefCell<BTreeMap<(i32, u64), Rc<EpItem>>>,
    ready: RefCell<VecDeque<Rc<EpItem>>>,
    /// Those who wait in epoll_wait, and poll the instance itself.
    pub queue: WaitQueue,
    /// Its own description.
    pub file: RefCell<Weak<File>>,
}

impl Epoll {
    /// An instance without items.
    pub fn new(run: &Rc<RunList>) -> Rc<Self> {
        Rc::new(Epoll {
            items: RefCell::new(BTreeMap::new()),
            ready: RefCell::new(VecDeque::new()),
            queue: WaitQueue::new(run),
            file: RefCell::new(Weak::new()),
        })
    }

    /// The item of a key.
    pub fn get(&self, key: (i32, u64)) -> Option<Rc<EpItem>> {
        self.items.borrow().get(&key).cloned()
    }

    /// Adds an item; the caller lets it watch the file's queue and signals it once.
    pub fn add(
        self: &Rc<Self>,
        file: &Rc<File>,
        key: (i32, u64),
        events: u32,
        data: u64,
    ) -> Rc<EpItem> {
        let item = Rc::new(EpItem {
            epoll: Rc::downgrade(self),
            file: Rc::downgrade(file),
            key,
            events: Cell::new(events),
            data: Cell::new(data),
            queued: Cell::new(false),
        });
        self.items.borrow_mut().insert(key, Rc::clone(&item));
        item
    }

    /// Removes an item; false if there is none.
    pub fn remove(&self, key: (i32, u64)) -> bool {
        let Some(item) = self.items.borrow_mut().remove(&key) else {
            return false;
        };
        self.ready.borrow_mut().retain(|r| !Rc::ptr_eq(r, &item));
        true
    }

    /// Number of items on the ready list now.
    pub fn ready_len(&self) -> usize {
        self.ready.borrow().len()
    }

    /// The item at a place of the ready list.
    pub fn ready_at(&self, index: usize) -> Option<Rc<EpItem>> {
        self.ready.borrow().get(index).cloned()
    }

    /// Takes the first item off the ready list.
    pub fn pop_ready(&self) -> Option<Rc<EpItem>> {
        let item = self.ready.borrow_mut().pop_front()?;
        item.queued.set(false);
        Some(item)
    }

    /// Puts an item back (level-triggered: it is looked at again).
    pub fn push_ready(&self, item: Rc<EpItem>) {
        if !item.queued.replace(true) {
            self.ready.borrow_mut().push_back(item);
        }
    }

    /// All items, by descriptor.
    pub fn each(&self, tell: impl FnMut(&Rc<EpItem>)) {
        self.items.borrow().values().for_each(tell);
    }

    /// The epoll instances this one watches.
    pub fn nested(&self) -> alloc::vec::Vec<Rc<File>> {
        let items = self.items.borrow();
        items
            .values()
            .filter_map(|item| item.file.upgrade())
            .filter(|file| file.epoll().is_some())
            .collect()
    }
}
