//! Pipes, with and without a name (pipe(7), fifo(7)).

use alloc::collections::VecDeque;
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

/// Bytes of a pipe that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// How many.
    pub len: usize,
    /// They were written in one piece with O_DIRECT, and a read takes them all or loses the rest.
    pub packet: bool,
}

/// A pipe. It exists while one of its ends is open.
pub struct Pipe {
    /// What was written and not yet read.
    pub ring: Ring,
    /// How the bytes belong together, once there were packets; empty: all are plain.
    runs: RefCell<VecDeque<Run>>,
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
            runs: RefCell::new(VecDeque::new()),
            queue: WaitQueue::new(run),
            readers: Cell::new(0),
            writers: Cell::new(0),
            reader_opens: Cell::new(0),
            writer_opens: Cell::new(0),
        })
    }

    /// The oldest bytes that belong together.
    pub fn front_run(&self) -> Run {
        let plain = Run {
            len: self.ring.len(),
            packet: false,
        };
        self.runs.borrow().front().copied().unwrap_or(plain)
    }

    /// Whether one more packet has a place: a pipe has one for each of its pages.
    pub fn takes_packet(&self) -> bool {
        self.runs.borrow().len() < self.ring.capacity() / PIPE_BUF
    }

    /// `len` bytes were put into the ring.
    pub fn wrote(&self, len: usize, packet: bool) {
        let mut runs = self.runs.borrow_mut();
        if runs.is_empty() {
            if !packet {
                return;
            }
            let before = self.ring.len().saturating_sub(len);
            if before > 0 {
                runs.push_back(Run {
                    len: before,
                    packet: false,
                });
            }
        }
        match runs.back_mut() {
            Some(last) if !packet && !last.packet => last.len += len,
            _ => runs.push_back(Run { len, packet }),
        }
    }

    /// `len` bytes were taken out of the ring. `read`: by a read, which a packet's rest does not survive.
    pub fn took(&self, len: usize, read: bool) {
        let mut runs = self.runs.borrow_mut();
        if let Some(front) = runs.front_mut() {
            front.len = front.len.saturating_sub(len);
            if front.packet && read {
                self.ring.popped(front.len);
                front.len = 0;
            }
            if front.len == 0 {
                runs.pop_front();
            }
        }
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
            if self.ring.room() >= PIPE_BUF.min(self.ring.capacity()) && self.takes_packet() {
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
    fn packets_and_plain_bytes() {
        let pipe = Pipe::new(&Rc::default());
        let put = |n, packet| {
            pipe.ring.pushed(n);
            pipe.wrote(n, packet);
        };
        let run = |len, packet| Run { len, packet };
        put(5, false);
        put(7, false);
        assert_eq!(pipe.front_run(), run(12, false));
        put(3, true);
        put(4, true);
        put(2, false);
        assert_eq!(pipe.front_run(), run(12, false));
        pipe.ring.popped(12);
        pipe.took(12, true);
        assert_eq!(pipe.front_run(), run(3, true));
        pipe.ring.popped(1);
        pipe.took(1, true);
        assert_eq!((pipe.front_run(), pipe.ring.len()), (run(4, true), 6));
        pipe.ring.popped(1);
        pipe.took(1, false);
        assert_eq!(pipe.front_run(), run(3, true));
        pipe.ring.popped(3);
        pipe.took(3, true);
        assert_eq!(pipe.front_run(), run(2, false));
        for _ in 0..DEFAULT_CAPACITY / PIPE_BUF - 1 {
            assert!(pipe.takes_packet());
            put(1, true);
        }
        assert!(!pipe.takes_packet());
    }

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
