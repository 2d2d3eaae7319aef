//! signalfd(2). Signals are procmgr's: a read is parked until procmgr has taken one for it, and what is pending is known from
//! what procmgr told last.

use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use fsmgr_api::TakenSignal;
use lsyscall_abi::signal::{SIGBUS, SIGCHLD, SIGFPE, SIGILL, SIGSEGV, SIGTRAP};
use lsyscall_abi::SI_QUEUE;

use crate::wait::{RunList, WaitQueue};

/// Bytes of a struct signalfd_siginfo.
pub const INFO: usize = 128;

/// A set of signals to read.
pub struct SignalFd {
    /// The signals.
    pub mask: Cell<u64>,
    /// Everyone who waits for one of them.
    pub queue: WaitQueue,
}

impl SignalFd {
    /// For a set of signals.
    pub fn new(run: &Rc<RunList>, mask: u64) -> Rc<Self> {
        Rc::new(SignalFd {
            mask: Cell::new(mask),
            queue: WaitQueue::new(run),
        })
    }
}

/// All of them, to be woken when a signal arrives.
#[derive(Default)]
pub struct SignalFds(RefCell<Vec<Weak<SignalFd>>>);

impl SignalFds {
    /// One more.
    pub fn add(&self, new: &Rc<SignalFd>) {
        let mut all = self.0.borrow_mut();
        all.retain(|s| s.strong_count() > 0);
        all.push(Rc::downgrade(new));
    }

    /// Whether there is any.
    pub fn any(&self) -> bool {
        self.0.borrow().iter().any(|s| s.strong_count() > 0)
    }

    /// One of these signals has arrived.
    pub fn wake(&self, signals: u64) {
        let all: Vec<_> = self.0.borrow().iter().filter_map(Weak::upgrade).collect();
        for one in all.iter().filter(|s| s.mask.get() & signals != 0) {
            one.queue.wake();
        }
    }
}

/// What procmgr has to say to a thread that reads a signalfd.
#[derive(Default)]
pub struct SignalState {
    /// Signals pending, as far as procmgr told.
    pub pending: Cell<u64>,
    /// procmgr's answer: a signal, or that there was none.
    pub answer: Cell<Option<Option<TakenSignal>>>,
}

/// A signal as struct signalfd_siginfo.
pub fn info(taken: &TakenSignal) -> [u8; INFO] {
    let mut out = [0; INFO];
    let signal = i32::from(taken.signal);
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(slot) = out.get_mut(at..at + bytes.len()) {
            slot.copy_from_slice(bytes);
        }
    };
    put(0, &(signal as u32).to_le_bytes());
    put(4, &taken.errno.to_le_bytes());
    put(8, &taken.code.to_le_bytes());
    if taken.code > 0 && matches!(signal, SIGSEGV | SIGBUS | SIGILL | SIGFPE | SIGTRAP) {
        put(72, &taken.first.to_le_bytes());
        return out;
    }
    // si_pid, then si_uid.
    put(12, &taken.first.to_le_bytes());
    if signal == SIGCHLD {
        put(40, &(taken.second as u32).to_le_bytes());
    } else if taken.code == SI_QUEUE {
        put(44, &(taken.second as u32).to_le_bytes());
        put(48, &taken.second.to_le_bytes());
    }
    out
}
