//! Advisory locks: flock(2), and record locks of fcntl(2).

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use lsyscall_abi::Errno;

use crate::heap::headroom;
use crate::wait::{RunList, WaitQueue};

/// Record locks one file may have.
const MAX_RECORDS: usize = 4096;

/// Who holds a record lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A descriptor table: a process, for F_SETLK.
    Table(u64),
    /// An open file description, for F_OFD_SETLK.
    Description(u64),
}

/// A record lock: bytes from `start` up to and without `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Holder.
    pub owner: Owner,
    /// Process id to tell others; -1 for descriptions.
    pub pid: i32,
    /// First byte.
    pub start: u64,
    /// First byte behind; `u64::MAX`: as far as the file may ever go.
    pub end: u64,
    /// Nobody else may hold one here.
    pub exclusive: bool,
}

/// The locks of one file.
pub struct Locks {
    whole: RefCell<Vec<(u64, bool)>>,
    records: RefCell<Vec<Record>>,
    /// Those who wait for a lock.
    pub queue: WaitQueue,
}

impl Locks {
    /// None yet.
    pub fn new(run: &Rc<RunList>) -> Self {
        Locks {
            whole: RefCell::new(Vec::new()),
            records: RefCell::new(Vec::new()),
            queue: WaitQueue::new(run),
        }
    }

    /// flock: takes or changes the description's lock; false if another's is in the way (a lock it had is given up then,
    /// as Linux does).
    pub fn flock(&self, file: u64, exclusive: bool) -> bool {
        let mut whole = self.whole.borrow_mut();
        if whole.contains(&(file, exclusive)) {
            return true;
        }
        let before = whole.len();
        whole.retain(|(id, _)| *id != file);
        let released = whole.len() != before;
        let blocked = whole.iter().any(|(_, other)| exclusive || *other);
        if !blocked {
            whole.push((file, exclusive));
        }
        drop(whole);
        if released {
            self.queue.wake();
        }
        !blocked
    }

    /// flock: gives the description's lock up.
    pub fn unflock(&self, file: u64) {
        self.whole.borrow_mut().retain(|(id, _)| *id != file);
        self.queue.wake();
    }

    /// A record lock that stands in the way of `want`.
    pub fn conflict(&self, want: &Record) -> Option<Record> {
        let records = self.records.borrow();
        records
            .iter()
            .find(|r| {
                r.owner != want.owner
                    && r.start < want.end
                    && want.start < r.end
                    && (r.exclusive || want.exclusive)
            })
            .copied()
    }

    /// Sets a record lock that conflicts with none. `ENOLCK` when there are too many.
    pub fn set(&self, want: Record) -> Result<(), Errno> {
        if self.records.borrow().len() >= MAX_RECORDS {
            return Err(Errno::ENOLCK);
        }
        headroom()?;
        self.cut(want.owner, want.start, want.end);
        let mut records = self.records.borrow_mut();
        let mut joined = want;
        records.retain(|r| {
            let touches = r.owner == joined.owner
                && r.exclusive == joined.exclusive
                && r.start <= joined.end
                && joined.start <= r.end;
            if touches {
                joined.start = joined.start.min(r.start);
                joined.end = joined.end.max(r.end);
            }
            !touches
        });
        records.push(joined);
        drop(records);
        self.queue.wake();
        Ok(())
    }

    /// Gives up what `owner` holds of a range.
    pub fn unlock(&self, owner: Owner, start: u64, end: u64) {
        self.cut(owner, start, end);
        self.queue.wake();
    }

    /// Gives up all record locks of `owner`.
    pub fn release(&self, owner: Owner) {
        let mut records = self.records.borrow_mut();
        let before = records.len();
        records.retain(|r| r.owner != owner);
        let changed = records.len() != before;
        drop(records);
        if changed {
            self.queue.wake();
        }
    }

    fn cut(&self, owner: Owner, start: u64, end: u64) {
        let mut records = self.records.borrow_mut();
        let mut parts = Vec::new();
        records.retain(|r| {
            if r.owner != owner || r.end <= start || end <= r.start {
                return true;
            }
            if r.start < start {
                parts.push(Record { end: start, ..*r });
            }
            if end < r.end {
                parts.push(Record { start: end, ..*r });
            }
            false
        });
        records.append(&mut parts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(owner: u64, start: u64, end: u64, exclusive: bool) -> Record {
        Record {
            owner: Owner::Table(owner),
            pid: owner as i32,
            start,
            end,
            exclusive,
        }
    }

    #[test]
    fn records_split_and_join() {
        let locks = Locks::new(&Rc::default());
        locks.set(record(1, 0, 100, true)).expect("room");
        locks.unlock(Owner::Table(1), 40, 60);
        assert_eq!(locks.conflict(&record(2, 40, 60, true)), None);
        assert!(locks.conflict(&record(2, 39, 41, false)).is_some());
        locks.set(record(1, 40, 60, true)).expect("room");
        assert_eq!(locks.records.borrow().as_slice(), [record(1, 0, 100, true)]);
        locks.set(record(1, 10, 20, false)).expect("room");
        assert_eq!(locks.records.borrow().len(), 3);
        assert_eq!(locks.conflict(&record(2, 10, 20, false)), None);
        locks.release(Owner::Table(1));
        assert!(locks.records.borrow().is_empty());
    }

    #[test]
    fn flock_shares_and_excludes() {
        let locks = Locks::new(&Rc::default());
        assert!(locks.flock(1, false));
        assert!(locks.flock(2, false));
        assert!(!locks.flock(3, true));
        locks.unflock(1);
        locks.unflock(2);
        assert!(locks.flock(3, true));
        assert!(!locks.flock(1, false));
    }
}
