//! inotify(7): instances, watches, and the queue of what happened. Whatever changes a file says so through
//! [`Dentry::notify`] and [`Inode::notify`]; while nobody watches anything that costs one comparison.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use lsyscall_abi::consts::inotify::*;
use lsyscall_abi::{Errno, PollFlags};

use crate::dentry::Dentry;
use crate::heap::headroom;
use crate::inode::{Counters, Inode};
use crate::wait::{RunList, WaitQueue};

/// Events that wait at one instance (max_queued_events).
pub const MAX_QUEUED: usize = 16384;
/// Instances there may be (max_user_instances).
pub const MAX_INSTANCES: u64 = 128;
/// Watches there may be (max_user_watches).
pub const MAX_WATCHES: u64 = 16384;
/// Bytes all events that wait may take.
const MAX_BYTES: u64 = 4 << 20;
/// Bytes of a struct inotify_event without its name.
pub const HEADER: usize = 16;
/// What an event takes besides its name.
const OVERHEAD: u64 = 64;
/// Bits of an event that say how, not what.
const HOW: u32 = IN_ISDIR;

/// Something that happened.
struct Event {
    wd: i32,
    mask: u32,
    cookie: u32,
    name: Vec<u8>,
}

impl Event {
    /// Bytes of its record: the name is padded with NULs to a multiple of the header.
    fn len(&self) -> usize {
        match self.name.len() {
            0 => HEADER,
            n => HEADER + (n + 1).next_multiple_of(HEADER),
        }
    }

    fn cost(&self) -> u64 {
        OVERHEAD + self.name.len() as u64
    }

    fn write(&self, out: &mut Vec<u8>) {
        let end = out.len() + self.len();
        let name_len = (self.len() - HEADER) as u32;
        out.extend_from_slice(&self.wd.to_le_bytes());
        for word in [self.mask, self.cookie, name_len] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(&self.name);
        out.resize(end, 0);
    }
}

/// What an instance wants to hear of a file.
pub struct Watch {
    /// Its number in the instance.
    pub wd: i32,
    /// Events, and how they are wanted.
    pub mask: Cell<u32>,
    owner: Weak<Inotify>,
}

/// A watched file, and its watch.
type Watched = (Rc<Inode>, Rc<Watch>);

/// An inotify instance.
pub struct Inotify {
    /// Everyone who waits for it.
    pub queue: WaitQueue,
    events: RefCell<VecDeque<Event>>,
    watches: RefCell<BTreeMap<i32, Watched>>,
    next_wd: Cell<i32>,
    counters: Rc<Counters>,
}

impl Inotify {
    /// An instance without watches. `EMFILE` when there are too many.
    pub fn new(run: &Rc<RunList>, counters: &Rc<Counters>) -> Result<Rc<Self>, Errno> {
        if counters.inotify_instances.get() >= MAX_INSTANCES {
            return Err(Errno::EMFILE);
        }
        counters
            .inotify_instances
            .set(counters.inotify_instances.get() + 1);
        Ok(Rc::new(Inotify {
            queue: WaitQueue::new(run),
            events: RefCell::new(VecDeque::new()),
            watches: RefCell::new(BTreeMap::new()),
            next_wd: Cell::new(1),
            counters: Rc::clone(counters),
        }))
    }

    /// Watches a file, or changes what is watched of it. `EEXIST`, `ENOSPC`, `ENOMEM`.
    pub fn watch(self: &Rc<Self>, inode: &Rc<Inode>, mask: u32) -> Result<i32, Errno> {
        let kept = mask & (IN_ALL_EVENTS | IN_UNMOUNT | IN_EXCL_UNLINK | IN_ONESHOT) | IN_UNMOUNT;
        let list = &inode.extra().watches;
        let known = list
            .borrow()
            .iter()
            .find(|w| w.owner.as_ptr() == Rc::as_ptr(self))
            .cloned();
        if let Some(watch) = known {
            if mask & IN_MASK_CREATE != 0 {
                return Err(Errno::EEXIST);
            }
            let before = if mask & IN_MASK_ADD != 0 {
                watch.mask.get()
            } else {
                0
            };
            watch.mask.set(before | kept);
            return Ok(watch.wd);
        }
        let count = &self.counters.watches;
        if count.get() >= MAX_WATCHES {
            return Err(Errno::ENOSPC);
        }
        headroom()?;
        let mut watches = self.watches.borrow_mut();
        // Numbers go up and start over, as Linux's do.
        let mut wd = self.next_wd.get();
        while watches.contains_key(&wd) {
            wd = wd.checked_add(1).unwrap_or(1);
        }
        self.next_wd.set(wd.checked_add(1).unwrap_or(1));
        let watch = Rc::new(Watch {
            wd,
            mask: Cell::new(kept),
            owner: Rc::downgrade(self),
        });
        watches.insert(wd, (Rc::clone(inode), Rc::clone(&watch)));
        list.borrow_mut().push(watch);
        count.set(count.get() + 1);
        Ok(wd)
    }

    /// Gives up a watch; IN_IGNORED follows. `EINVAL` if there is none of that number.
    pub fn unwatch(&self, wd: i32) -> Result<(), Errno> {
        let found = self.watches.borrow_mut().remove(&wd);
        let (inode, watch) = found.ok_or(Errno::EINVAL)?;
        self.forget(&inode, &watch);
        self.push(wd, IN_IGNORED, 0, b"");
        Ok(())
    }

    fn forget(&self, inode: &Inode, watch: &Rc<Watch>) {
        inode
            .extra()
            .watches
            .borrow_mut()
            .retain(|w| !Rc::ptr_eq(w, watch));
        let count = &self.counters.watches;
        count.set(count.get().saturating_sub(1));
    }

    /// Something happened to a watched file. `unlinked`: to a name that is gone.
    fn hit(&self, watch: &Watch, mask: u32, cookie: u32, name: &[u8], unlinked: bool) {
        let wanted = watch.mask.get();
        if wanted & mask & !HOW == 0 || (unlinked && wanted & IN_EXCL_UNLINK != 0) {
            return;
        }
        self.push(watch.wd, mask, cookie, name);
        if wanted & IN_ONESHOT != 0 {
            let _ = self.unwatch(watch.wd);
        }
    }

    fn push(&self, wd: i32, mask: u32, cookie: u32, name: &[u8]) {
        let mut events = self.events.borrow_mut();
        let bytes = &self.counters.inotify_bytes;
        let new = Event {
            wd,
            mask,
            cookie,
            name: Vec::new(),
        };
        if let Some(last) = events.back() {
            let same = last.wd == wd && last.mask == mask && *last.name == *name;
            if last.mask == IN_Q_OVERFLOW || (same && mask & IN_IGNORED == 0) {
                return;
            }
        }
        let cost = OVERHEAD + name.len() as u64;
        let full = events.len() >= MAX_QUEUED || bytes.get() + cost > MAX_BYTES;
        let event = if full || headroom().is_err() {
            Event {
                wd: -1,
                mask: IN_Q_OVERFLOW,
                cookie: 0,
                ..new
            }
        } else {
            Event {
                name: name.to_vec(),
                ..new
            }
        };
        bytes.set(bytes.get() + event.cost());
        events.push_back(event);
        drop(events);
        self.queue.wake();
    }

    /// What poll(2) says.
    pub fn poll(&self) -> u32 {
        if self.events.borrow().is_empty() {
            0
        } else {
            PollFlags::IN.bits() | PollFlags::RDNORM.bits()
        }
    }

    /// Bytes a read would find (FIONREAD).
    pub fn readable_len(&self) -> usize {
        self.events.borrow().iter().map(Event::len).sum()
    }

    /// Takes the oldest events, as many whole ones as fit `room` bytes; `None` if there is none. `EINVAL` if not even one fits.
    pub fn take(&self, room: usize) -> Result<Option<Vec<u8>>, Errno> {
        let mut events = self.events.borrow_mut();
        if events.is_empty() {
            return Ok(None);
        }
        let mut out = Vec::new();
        let bytes = &self.counters.inotify_bytes;
        while let Some(event) = events.front() {
            if out.len() + event.len() > room {
                break;
            }
            event.write(&mut out);
            bytes.set(bytes.get().saturating_sub(event.cost()));
            events.pop_front();
        }
        if out.is_empty() {
            return Err(Errno::EINVAL);
        }
        Ok(Some(out))
    }

    /// The watches: number, file, mask (for /proc/PID/fdinfo).
    pub fn each(&self, mut tell: impl FnMut(i32, &Inode, u32)) {
        for (wd, (inode, watch)) in self.watches.borrow().iter() {
            tell(*wd, inode, watch.mask.get());
        }
    }
}

impl Drop for Inotify {
    fn drop(&mut self) {
        for (_, (inode, watch)) in self.watches.take() {
            self.forget(&inode, &watch);
        }
        let bytes = &self.counters.inotify_bytes;
        let left: u64 = self.events.borrow().iter().map(Event::cost).sum();
        bytes.set(bytes.get().saturating_sub(left));
        let count = &self.counters.inotify_instances;
        count.set(count.get().saturating_sub(1));
    }
}

impl Inode {
    fn watchers(&self) -> Vec<(Rc<Inotify>, Rc<Watch>)> {
        if self.sb.counters.watches.get() == 0 {
            return Vec::new();
        }
        let Some(extra) = self.extra.get() else {
            return Vec::new();
        };
        let list = extra.watches.borrow();
        list.iter()
            .filter_map(|w| Some((w.owner.upgrade()?, Rc::clone(w))))
            .collect()
    }

    /// Something happened to the file itself.
    pub fn notify(&self, mask: u32) {
        let mask = self.told(mask);
        for (owner, watch) in self.watchers() {
            owner.hit(&watch, mask, 0, b"", false);
        }
    }

    /// An event with IN_ISDIR, where Linux has it.
    fn told(&self, mask: u32) -> u32 {
        let own = mask & (IN_DELETE_SELF | IN_MOVE_SELF) != 0;
        mask | if self.is_dir() && !own { IN_ISDIR } else { 0 }
    }

    /// Something happened to a name in this directory.
    pub fn notify_entry(&self, mask: u32, name: &[u8], is_dir: bool, cookie: u32) {
        let dir = if is_dir { IN_ISDIR } else { 0 };
        for (owner, watch) in self.watchers() {
            owner.hit(&watch, mask | dir, cookie, name, false);
        }
    }

    /// The file is gone for good: watches of it end.
    pub fn notify_gone(&self, mask: u32) {
        let mask = self.told(mask);
        for (owner, watch) in self.watchers() {
            owner.hit(&watch, mask, 0, b"", false);
            let _ = owner.unwatch(watch.wd);
        }
    }
}

impl Dentry {
    /// Something happened to the file of this name: those who watch its directory hear it too.
    pub fn notify(&self, mask: u32) {
        if self.inode.sb.counters.watches.get() == 0 {
            return;
        }
        if let Some(parent) = self.parent() {
            let dir = if self.inode.is_dir() { IN_ISDIR } else { 0 };
            let (name, gone) = (self.name(), self.gone.get());
            for (owner, watch) in parent.inode.watchers() {
                owner.hit(&watch, mask | dir, 0, &name, gone);
            }
        }
        self.inode.notify(mask);
    }
}
