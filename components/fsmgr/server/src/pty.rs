//! Pseudo-terminals (pty(7)): the pairs there are, and what the end of one does. The slave's side is a [`Tty`] like the
//! console's; the master stands where the console's line is.

use alloc::collections::BTreeMap;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use lsyscall_abi::{Errno, PollFlags};

use crate::tty::Tty;
use crate::wait::{RunList, WaitQueue};

/// Pairs there may be.
pub const MAX_PAIRS: u32 = 256;
/// Major device number of the slaves.
pub const SLAVE_MAJOR: u32 = 136;

/// Status bits of packet mode (tty_ioctl(4)).
pub mod packet {
    pub const FLUSHREAD: u8 = 1;
    pub const FLUSHWRITE: u8 = 2;
    pub const STOP: u8 = 4;
    pub const START: u8 = 8;
    pub const NOSTOP: u8 = 16;
    pub const DOSTOP: u8 = 32;
}

/// The master's side of a pseudo-terminal.
pub struct Master {
    /// Number.
    pub index: u32,
    /// Everyone who waits for the master.
    pub queue: WaitQueue,
    /// The slave cannot be opened (TIOCSPTLCK).
    pub locked: Cell<bool>,
    /// Packet mode (TIOCPKT).
    pub packets: Cell<bool>,
    /// What packet mode has to tell.
    pub status: Cell<u8>,
    /// Open descriptions of the slave.
    slaves: Cell<u32>,
    /// The slave was open, and is not any more.
    abandoned: Cell<bool>,
    pairs: Rc<Pairs>,
}

impl Master {
    /// The slave was opened.
    pub fn slave_opened(&self) {
        self.slaves.set(self.slaves.get() + 1);
        self.abandoned.set(false);
    }

    /// A description of the slave was closed.
    pub fn slave_closed(&self) {
        let left = self.slaves.get().saturating_sub(1);
        self.slaves.set(left);
        if left == 0 {
            self.abandoned.set(true);
            self.queue.wake();
        }
    }

    /// Whether nobody has the slave open any more.
    pub fn is_abandoned(&self) -> bool {
        self.abandoned.get()
    }

    /// Something for a master in packet mode.
    pub fn tell(&self, status: u8) {
        if self.packets.get() {
            let opposite = match status {
                packet::STOP => packet::START,
                packet::START => packet::STOP,
                packet::NOSTOP => packet::DOSTOP,
                packet::DOSTOP => packet::NOSTOP,
                _ => 0,
            };
            self.status.set(self.status.get() & !opposite | status);
            self.queue.wake();
        }
    }

    /// What poll(2) says of the master.
    pub fn poll(&self, tty: &Tty) -> u32 {
        let line = tty.line.borrow();
        let mut mask = PollFlags::empty();
        let told = self.packets.get() && self.status.get() != 0;
        mask.set(
            PollFlags::IN | PollFlags::RDNORM,
            told || line.has_output() || self.is_abandoned(),
        );
        mask.set(PollFlags::PRI, told);
        mask.set(
            PollFlags::OUT | PollFlags::WRNORM,
            line.input_room() > 0 || self.is_abandoned(),
        );
        mask.set(PollFlags::HUP, self.is_abandoned());
        mask.bits()
    }

    /// The master's last description was closed: the slave's line is gone.
    pub fn close(&self, tty: &Rc<Tty>) {
        tty.line.borrow_mut().hang_up();
        tty.queue.wake();
        self.pairs.gone.borrow_mut().push(Rc::clone(tty));
    }
}

/// All pairs.
#[derive(Default)]
pub struct Pairs {
    by_index: RefCell<BTreeMap<u32, Weak<Tty>>>,
    /// Those whose master was closed, until somebody sees to it.
    gone: RefCell<Vec<Rc<Tty>>>,
}

impl Pairs {
    /// A new pair with the lowest free number; the slave is locked. `ENOSPC`.
    pub fn make(self: &Rc<Self>, run: &Rc<RunList>) -> Result<Rc<Tty>, Errno> {
        let mut all = self.by_index.borrow_mut();
        let index = (0..MAX_PAIRS).find(|i| !all.contains_key(i));
        let index = index.ok_or(Errno::ENOSPC)?;
        let master = Master {
            index,
            queue: WaitQueue::new(run),
            locked: Cell::new(true),
            packets: Cell::new(false),
            status: Cell::new(0),
            slaves: Cell::new(0),
            abandoned: Cell::new(false),
            pairs: Rc::clone(self),
        };
        let tty = Tty::slave(run, crate::inode::make_dev(SLAVE_MAJOR, index), master);
        all.insert(index, Rc::downgrade(&tty));
        Ok(tty)
    }

    /// The pair of a number whose master is open.
    pub fn get(&self, index: u32) -> Option<Rc<Tty>> {
        self.by_index.borrow().get(&index)?.upgrade()
    }

    /// The pair whose slave is a session's terminal.
    pub fn of_session(&self, sid: i32) -> Option<Rc<Tty>> {
        let all = self.by_index.borrow();
        all.values()
            .filter_map(Weak::upgrade)
            .find(|t| t.line.borrow().session() == sid)
    }

    /// The next pair whose master was closed; its number is free now.
    pub fn next_gone(&self) -> Option<Rc<Tty>> {
        let tty = self.gone.borrow_mut().pop()?;
        if let Some(master) = &tty.master {
            self.by_index.borrow_mut().remove(&master.index);
        }
        Some(tty)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.by_index.borrow().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_used_again() {
        let (run, pairs) = (Rc::default(), Rc::new(Pairs::default()));
        let first = pairs.make(&run).expect("room");
        let second = pairs.make(&run).expect("room");
        let index = |t: &Rc<Tty>| t.master.as_ref().map(|m| m.index);
        assert_eq!((index(&first), index(&second)), (Some(0), Some(1)));
        if let Some(master) = &first.master {
            master.close(&first);
        }
        assert!(pairs.next_gone().is_some_and(|t| Rc::ptr_eq(&t, &first)));
        assert!(first.line.borrow().is_hung_up());
        assert_eq!(index(&pairs.make(&run).expect("room")), Some(0));
    }
}
