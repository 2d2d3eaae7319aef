//! Who waits for what: queues at objects, and the list of threads whose parked calls are to be tried again.
//!
//! A wake-up only makes a note; the server runs the noted threads' calls again at the end of the entry, so an object may
//! wake others from anywhere, its own `Drop` included.

use alloc::collections::VecDeque;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::RefCell;

use lsyscall_abi::{OpenFlags, ThreadIdx};

use crate::epoll::EpItem;
use crate::file::File;

/// Threads to be run again, with the ticket of the parked call that is meant.
#[derive(Default)]
pub struct RunList {
    threads: RefCell<VecDeque<(ThreadIdx, u64)>>,
    /// Descriptions whose owners may have to be signalled.
    asyncs: RefCell<VecDeque<Weak<File>>>,
}

impl RunList {
    /// Notes a thread.
    pub fn push(&self, thread: ThreadIdx, ticket: u64) {
        self.threads.borrow_mut().push_back((thread, ticket));
    }

    fn note_async(&self, file: &Rc<File>) {
        let mut asyncs = self.asyncs.borrow_mut();
        if !asyncs.iter().any(|f| f.as_ptr() == Rc::as_ptr(file)) {
            asyncs.push_back(Rc::downgrade(file));
        }
    }

    /// The next description whose owner may have to be signalled.
    pub fn next_async(&self) -> Option<Rc<File>> {
        let mut asyncs = self.asyncs.borrow_mut();
        loop {
            if let Some(file) = asyncs.pop_front()?.upgrade() {
                return Some(file);
            }
        }
    }

    /// Whether nobody is noted.
    pub fn is_empty(&self) -> bool {
        self.threads.borrow().is_empty()
    }

    /// The next thread.
    pub fn pop(&self) -> Option<(ThreadIdx, u64)> {
        self.threads.borrow_mut().pop_front()
    }
}

enum Waiter {
    Thread(ThreadIdx, u64),
    Item(Weak<EpItem>),
    Async(Weak<File>),
}

/// The waiters of one object.
pub struct WaitQueue {
    run: Rc<RunList>,
    waiters: RefCell<Vec<Waiter>>,
}

impl WaitQueue {
    /// An empty queue whose woken threads go to `run`.
    pub fn new(run: &Rc<RunList>) -> Self {
        WaitQueue {
            run: Rc::clone(run),
            waiters: RefCell::new(Vec::new()),
        }
    }

    /// Adds a thread, once: an older entry of it is replaced.
    pub fn add(&self, thread: ThreadIdx, ticket: u64) {
        let mut waiters = self.waiters.borrow_mut();
        for waiter in waiters.iter_mut() {
            if let Waiter::Thread(who, old) = waiter {
                if *who == thread {
                    *old = ticket;
                    return;
                }
            }
        }
        waiters.push(Waiter::Thread(thread, ticket));
    }

    /// Adds an epoll item; it stays until it is dropped.
    pub fn watch(&self, item: &Rc<EpItem>) {
        let mut waiters = self.waiters.borrow_mut();
        waiters.retain(|w| !matches!(w, Waiter::Item(item) if item.strong_count() == 0));
        waiters.push(Waiter::Item(Rc::downgrade(item)));
    }

    /// Adds a description with O_ASYNC; it stays while it has that flag.
    pub fn watch_async(&self, file: &Rc<File>) {
        let mut waiters = self.waiters.borrow_mut();
        waiters.retain(|w| !matches!(w, Waiter::Async(f) if f.as_ptr() == Rc::as_ptr(file)));
        waiters.push(Waiter::Async(Rc::downgrade(file)));
    }

    /// Something changed that only those who ask for these events care about: threads look again all the same.
    pub fn wake_for(&self, events: u32) {
        self.wake_if(|item| item.asks_for(events));
    }

    /// Something changed: threads are noted to be run again and leave the queue, epoll items become ready.
    pub fn wake(&self) {
        self.wake_if(|_| true);
    }

    fn wake_if(&self, concerns: impl Fn(&EpItem) -> bool) {
        if self.waiters.borrow().is_empty() {
            return;
        }
        let mut taken = self.waiters.take();
        taken.retain(|waiter| match waiter {
            Waiter::Thread(thread, ticket) => {
                self.run.push(*thread, *ticket);
                false
            }
            Waiter::Async(file) => match file.upgrade() {
                Some(file) if file.flags().contains(OpenFlags::ASYNC) => {
                    self.run.note_async(&file);
                    true
                }
                _ => false,
            },
            Waiter::Item(item) => match item.upgrade() {
                Some(item) => {
                    if concerns(&item) {
                        item.signal();
                    }
                    true
                }
                None => false,
            },
        });
        let mut now = self.waiters.borrow_mut();
        taken.append(&mut now);
        *now = taken;
    }
}
