//! Pipes, with and without a name (pipe(7), fifo(7)).

use alloc::rc::Rc;
use core::cell::{Cell, RefCell};

use lsyscall_abi::{Errno, PollFlags};

use crate::vmo::VmoRef;
use crate::wait::{RunList, WaitQueue};

/// Writes up to this many bytes are never mixed with others' (PIPE_BUF).
pub const PIPE_BUF: usize = 4096;
/// Capacity of a new pipe.
pub const DEFAULT_CAPACITY: usize = 65536;
/// Most an ordinary user may ask for (/proc/sys/fs/pipe-max-size).
pub const MAX_CAPACITY: usize = 1 << 20;

/// Bytes in a circle inside a memory object that exists once there were any.
pub struct Ring {
    /// The object.
    pub vmo: RefCell<Option<VmoRef>>,
    capacity: Cell<usize>,
    head: Cell<usize>,
    len: Cell<usize>,
}

impl Ring {
    /// An empty ring.
    pub fn new(capacity: usize) -> Self {
        Ring {
            vmo: RefCell::new(None),
            capacity: Cell::new(capacity),
            head: Cell::new(0),
            len: Cell::new(0),
        }
    }

    /// Bytes it can hold.
    pub fn capacity(&self) -> usize {
        self.capacity.get()
    }

    /// Bytes it holds.
    pub fn len(&self) -> usize {
        self.len.get()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len.get() == 0
    }

    /// Bytes that would fit.
    pub fn room(&self) -> usize {
        self.capacity.get() - self.len.get()
    }

    /// Where the next bytes go: offset and how many fit there without a bend.
    pub fn back(&self) -> (usize, usize) {
        let (capacity, len) = (self.capacity.get(), self.len.get());
        let at = (self.head.get() + len) % capacity.max(1);
        (at, (capacity - at).min(capacity - len))
    }

    /// Where the oldest bytes are: offset and how many lie there without a bend.
    pub fn front(&self) -> (usize, usize) {
        let at = self.head.get();
        (at, (self.capacity.get() - at).min(self.len.get()))
    }

    /// `count` bytes were put at [`Ring::back`].
    pub fn pushed(&self, count: usize) {
        self.len
            .set((self.len.get() + count).min(self.capacity.get()));
    }

    /// The oldest `count` bytes were taken. An empty ring starts over, so that a quiet pipe keeps few pages.
    pub fn popped(&self, count: usize) {
        let count = count.min(self.len.get());
        self.len.set(self.len.get() - count);
        if self.len.get() == 0 {
            self.head.set(0);
        } else {
            self.head
                .set((self.head.get() + count) % self.capacity.get().max(1));
        }
    }

    /// Puts the contents, which start at offset 0 of `vmo` now, under a new capacity.
    pub fn reseat(&self, vmo: Option<VmoRef>, capacity: usize) {
        self.vmo.replace(vmo);
        self.head.set(0);
        self.capacity.set(capacity);
    }
}

/// A pipe. It exists while one of its ends is open.
pub struct Pipe {
    /// What was written and not yet read.
    pub ring: Ring,
    /// Everyone who waits for anything of it.
    pub queue: WaitQueue,
    /// Open reading ends.
    pub readers: Cell<u32>,
    /// Open writing ends.
    pub writers: Cell<u32>,
    /// How often a reading end was opened, for those who wait for one in open(2).
    pub reader_opens: Cell<u64>,
    /// The same of writing ends.
    pub writer_opens: Cell<u64>,
}

impl Pipe {
    /// A pipe without ends.
    pub fn new(run: &Rc<RunList>) -> Rc<Self> {
        Rc::new(Pipe {
            ring: Ring::new(DEFAULT_CAPACITY),
            queue: WaitQueue::new(run),
            readers: Cell::new(0),
            writers: Cell::new(0),
            reader_opens: Cell::new(0),
            writer_opens: Cell::new(0),
        })
    }

    /// An end was opened.
    pub fn open_end(&self, reads: bool, writes: bool) {
        if reads {
            self.readers.set(self.readers.get() + 1);
            self.reader_opens.set(self.reader_opens.get() + 1);
        }
        if writes {
            self.writers.set(self.writers.get() + 1);
            self.writer_opens.set(self.writer_opens.get() + 1);
        }
        self.queue.wake();
    }

    /// An end was closed.
    pub fn close_end(&self, reads: bool, writes: bool) {
        if reads {
            self.readers.set(self.readers.get().saturating_sub(1));
        }
        if writes {
            self.writers.set(self.writers.get().saturating_sub(1));
        }
        self.queue.wake();
    }

    /// What poll(2) says of an end.
    pub fn poll(&self, reads: bool, writes: bool) -> u32 {
        let mut mask = PollFlags::empty();
        if reads {
            if !self.ring.is_empty() {
                mask |= PollFlags::IN | PollFlags::RDNORM;
            }
            if self.writers.get() == 0 && self.writer_opens.get() > 0 {
                mask |= PollFlags::HUP;
            }
        }
        if writes {
            if self.ring.room() >= PIPE_BUF.min(self.ring.capacity()) {
                mask |= PollFlags::OUT | PollFlags::WRNORM;
            }
            if self.readers.get() == 0 {
                mask |= PollFlags::ERR;
            }
        }
        mask.bits()
    }

    /// The capacity F_SETPIPE_SZ gives for a wish. `EINVAL`, `EPERM`, `EBUSY` if the contents would not fit.
    pub fn new_capacity(&self, wish: u64, privileged: bool) -> Result<usize, Errno> {
        let wish = usize::try_from(wish).map_err(|_| Errno::EINVAL)?;
        let limit = if privileged { 1 << 30 } else { MAX_CAPACITY };
        if wish > 1 << 30 {
            return Err(Errno::EINVAL);
        }
        let capacity = wish.max(PIPE_BUF).next_power_of_two();
        if capacity > limit && capacity > self.ring.capacity() {
            return Err(Errno::EPERM);
        }
        if capacity < self.ring.len() {
            return Err(Errno::EBUSY);
        }
        Ok(capacity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ring_bends() {
        let ring = Ring::new(10);
        assert_eq!(ring.back(), (0, 10));
        ring.pushed(8);
        ring.popped(6);
        assert_eq!((ring.front(), ring.back()), ((6, 2), (8, 2)));
        ring.pushed(2);
        assert_eq!((ring.front(), ring.back()), ((6, 4), (0, 6)));
        ring.pushed(1);
        ring.popped(4);
        assert_eq!(ring.front(), (0, 1));
        ring.popped(9);
        assert_eq!((ring.len(), ring.back()), (0, (0, 10)));
    }
}
