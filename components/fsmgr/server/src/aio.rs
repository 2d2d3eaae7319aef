//! Asynchronous I/O of the kernel (io_submit(2)): contexts and the events in them. Operations are carried out when they are
//! submitted, so that what remains is to tell how they ended.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use lsyscall_abi::Errno;

use crate::wait::{RunList, WaitQueue};

/// Operations that all contexts together may have (fs.aio-max-nr).
pub const MAX_ALL: u32 = 65536;

/// How an operation ended (struct io_event).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// What the program gave.
    pub data: u64,
    /// Address of its iocb.
    pub iocb: u64,
    /// The result.
    pub result: i64,
}

/// A context. Its name is the address of a page of the program, which the C library looks at.
pub struct Context {
    /// The address.
    pub id: u64,
    /// Operations it may have.
    pub max: u32,
    /// What has ended and was not asked for yet.
    pub done: RefCell<VecDeque<Event>>,
    /// Everyone who waits for events.
    pub queue: WaitQueue,
    all: Rc<Cell<u32>>,
}

impl Drop for Context {
    fn drop(&mut self) {
        self.all.set(self.all.get().saturating_sub(self.max));
    }
}

/// The contexts of an address space.
#[derive(Default)]
pub struct Contexts(RefCell<Vec<Rc<Context>>>);

impl Contexts {
    /// A context. `EINVAL`.
    pub fn get(&self, id: u64) -> Result<Rc<Context>, Errno> {
        let all = self.0.borrow();
        let found = all.iter().find(|c| c.id == id);
        found.map(Rc::clone).ok_or(Errno::EINVAL)
    }

    /// Adds a context; `all` counts the operations of all of them. `EAGAIN` if there are too many.
    pub fn add(
        &self,
        run: &Rc<RunList>,
        all: &Rc<Cell<u32>>,
        id: u64,
        max: u32,
    ) -> Result<(), Errno> {
        let sum = all.get().checked_add(max).filter(|sum| *sum <= MAX_ALL);
        all.set(sum.ok_or(Errno::EAGAIN)?);
        self.0.borrow_mut().push(Rc::new(Context {
            id,
            max,
            done: RefCell::new(VecDeque::new()),
            queue: WaitQueue::new(run),
            all: Rc::clone(all),
        }));
        Ok(())
    }

    /// Takes a context away. `EINVAL`.
    pub fn remove(&self, id: u64) -> Result<(), Errno> {
        let context = self.get(id)?;
        self.0.borrow_mut().retain(|c| c.id != id);
        context.queue.wake();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_count() {
        let (run, all) = (Rc::default(), Rc::default());
        let contexts = Contexts::default();
        assert_eq!(contexts.add(&run, &all, 0x1000, MAX_ALL - 1), Ok(()));
        assert_eq!(contexts.add(&run, &all, 0x2000, 2), Err(Errno::EAGAIN));
        assert_eq!(contexts.remove(0x2000), Err(Errno::EINVAL));
        assert_eq!(contexts.remove(0x1000), Ok(()));
        assert_eq!(all.get(), 0);
        assert_eq!(contexts.add(&run, &all, 0x2000, 2), Ok(()));
        assert!(contexts.get(0x2000).is_ok());
        drop(contexts);
        assert_eq!(all.get(), 0);
    }
}
