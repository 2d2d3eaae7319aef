//! Deadlines of parked calls and timers, and the alarm that announces the earliest.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;

use lsyscall_abi::ThreadIdx;
use persona_component::{Dataport, Wake};

use crate::event::TimerFd;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Thread(ThreadIdx, u64),
    Timer(u64),
}

/// All deadlines, in monotonic nanoseconds.
pub struct Timers {
    due: BTreeSet<(u64, Key)>,
    fds: BTreeMap<u64, Weak<TimerFd>>,
    next_id: u64,
    alarm: Dataport,
    set: Wake,
    written: u64,
}

impl Timers {
    /// No deadline; the earliest is to be written to `alarm`, then `set` raised.
    pub fn new(alarm: Dataport, set: Wake) -> Self {
        Timers {
            due: BTreeSet::new(),
            fds: BTreeMap::new(),
            next_id: 1,
            alarm,
            set,
            written: 0,
        }
    }

    /// A parked call's deadline.
    pub fn add_thread(&mut self, deadline: u64, thread: ThreadIdx, ticket: u64) {
        self.due.insert((deadline, Key::Thread(thread, ticket)));
    }

    /// It is no longer parked.
    pub fn remove_thread(&mut self, deadline: u64, thread: ThreadIdx, ticket: u64) {
        self.due.remove(&(deadline, Key::Thread(thread, ticket)));
    }

    /// A name for a new timer, which is registered by [`Timers::register`].
    pub fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Knows a timer from now on, as long as it lives.
    pub fn register(&mut self, timer: &Rc<TimerFd>) {
        self.fds.retain(|_, t| t.strong_count() > 0);
        self.fds.insert(timer.id, Rc::downgrade(timer));
    }

    /// A timer's next expiration changed from `before` (0: none) to what it is now, or its expirations were read.
    ///
    /// One that has expirations nobody has read is not waited for: they are counted when they are read. So a short period
    /// costs no more than its reader.
    pub fn rearmed(&mut self, timer: &TimerFd, before: u64) {
        self.due.remove(&(before, Key::Timer(timer.id)));
        if timer.next.get() != 0 && timer.ticks.get() == 0 {
            self.due.insert((timer.next.get(), Key::Timer(timer.id)));
        }
    }

    /// Lets timers expire, and returns the threads whose deadline has passed, one at a time.
    pub fn expired(&mut self, now: u64) -> Option<(ThreadIdx, u64)> {
        while let Some(&(deadline, key)) = self.due.first() {
            if deadline > now {
                return None;
            }
            self.due.pop_first();
            match key {
                Key::Thread(thread, ticket) => return Some((thread, ticket)),
                Key::Timer(id) => {
                    if let Some(timer) = self.fds.get(&id).and_then(Weak::upgrade) {
                        timer.advance(now);
                        self.rearmed(&timer, 0);
                    }
                }
            }
        }
        None
    }

    /// Wall-clock time has been set: `back` nanoseconds back, or ahead if that is negative.
    pub fn clock_set(&mut self, back: i64) {
        let live: Vec<Rc<TimerFd>> = self.fds.values().filter_map(Weak::upgrade).collect();
        for timer in live {
            let before = timer.next.get();
            timer.clock_set(back);
            self.rearmed(&timer, before);
        }
    }

    /// Announces the earliest deadline if it changed.
    pub fn announce(&mut self) {
        let first = self.due.first().map_or(0, |(deadline, _)| *deadline);
        if first != self.written {
            self.written = first;
            self.alarm.store(0, first);
            if first != 0 {
                self.set.signal();
            }
        }
    }

    /// The alarm went off: it has to be set again whatever it was.
    pub fn fired(&mut self) {
        self.written = u64::MAX;
    }
}
