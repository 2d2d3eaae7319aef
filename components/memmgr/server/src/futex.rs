//! Who waits for which futex, and until when. Knows nothing of memory.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use lsyscall_abi::ThreadIdx;

/// What identifies a futex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// An address of one address space.
    Private(u32, u64),
    /// An offset in an object.
    Object(u32, u64),
}

#[derive(Clone, Copy, Debug)]
struct Wait {
    key: Key,
    bits: u32,
    deadline: Option<u64>,
}

/// The waiters.
#[derive(Default)]
pub struct Futexes {
    queues: BTreeMap<Key, VecDeque<ThreadIdx>>,
    waits: BTreeMap<ThreadIdx, Wait>,
    deadlines: BTreeSet<(u64, ThreadIdx)>,
}

impl Futexes {
    /// The thread waits for a wake-up with one of `bits`, until `deadline` (monotonic nanoseconds).
    pub fn wait(&mut self, thread: ThreadIdx, key: Key, bits: u32, deadline: Option<u64>) {
        self.remove(thread);
        self.queues.entry(key).or_default().push_back(thread);
        self.waits.insert(
            thread,
            Wait {
                key,
                bits,
                deadline,
            },
        );
        if let Some(at) = deadline {
            self.deadlines.insert((at, thread));
        }
    }

    /// The thread no longer waits; whether it did, and whether it had a deadline.
    pub fn remove(&mut self, thread: ThreadIdx) -> Option<bool> {
        let wait = self.waits.remove(&thread)?;
        if let Some(queue) = self.queues.get_mut(&wait.key) {
            queue.retain(|&t| t != thread);
            if queue.is_empty() {
                self.queues.remove(&wait.key);
            }
        }
        if let Some(at) = wait.deadline {
            self.deadlines.remove(&(at, thread));
        }
        Some(wait.deadline.is_some())
    }

    /// Ends the wait of up to `count` threads, the longest waiting first.
    pub fn wake(&mut self, key: Key, count: u32, bits: u32) -> Vec<ThreadIdx> {
        let Some(queue) = self.queues.get(&key) else {
            return Vec::new();
        };
        let waits = &self.waits;
        let matches = |t: &&ThreadIdx| waits.get(t).is_some_and(|w| w.bits & bits != 0);
        let woken: Vec<ThreadIdx> = queue
            .iter()
            .filter(matches)
            .take(count as usize)
            .copied()
            .collect();
        for &thread in &woken {
            self.remove(thread);
        }
        woken
    }

    /// Lets up to `count` waiters of one futex wait for another instead; returns how many.
    pub fn requeue(&mut self, from: Key, to: Key, count: u32) -> u32 {
        let Some(queue) = self.queues.get_mut(&from) else {
            return 0;
        };
        let count = queue.len().min(count as usize);
        if from == to {
            return count as u32;
        }
        let moved: Vec<ThreadIdx> = queue.drain(..count).collect();
        if queue.is_empty() {
            self.queues.remove(&from);
        }
        for thread in &moved {
            if let Some(wait) = self.waits.get_mut(thread) {
                wait.key = to;
            }
        }
        self.queues.entry(to).or_default().extend(moved);
        count as u32
    }

    /// The earliest deadline.
    pub fn earliest(&self) -> Option<u64> {
        self.deadlines.first().map(|&(at, _)| at)
    }

    /// Ends the waits whose deadline is not after `now`.
    pub fn expire(&mut self, now: u64) -> Vec<ThreadIdx> {
        let due = self.deadlines.iter().take_while(|(at, _)| *at <= now);
        let due: Vec<ThreadIdx> = due.map(|&(_, thread)| thread).collect();
        for &thread in &due {
            self.remove(thread);
        }
        due
    }

    /// Threads waiting.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.waits.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Key = Key::Private(1, 0x1000);
    const B: Key = Key::Object(1, 0x1000);

    fn t(n: u16) -> ThreadIdx {
        ThreadIdx(n)
    }

    #[test]
    fn waiters_are_woken_in_order_and_by_bits() {
        let mut f = Futexes::default();
        f.wait(t(1), A, u32::MAX, None);
        f.wait(t(2), A, 0b01, None);
        f.wait(t(3), A, 0b10, Some(50));
        f.wait(t(4), B, u32::MAX, None);
        assert_eq!(f.wake(A, 9, 0b10), [t(1), t(3)]);
        assert_eq!(f.earliest(), None);
        assert_eq!(f.wake(A, 9, 0b10), []);
        assert_eq!(f.wake(A, 0, u32::MAX), []);
        assert_eq!(f.wake(A, 1, u32::MAX), [t(2)]);
        assert_eq!(f.wake(B, 1, u32::MAX), [t(4)]);
        assert_eq!(f.len(), 0);
        assert!(f.queues.is_empty());
    }

    #[test]
    fn requeued_waiters_wait_elsewhere() {
        let mut f = Futexes::default();
        for n in 1..=4 {
            f.wait(t(n), A, u32::MAX, Some(u64::from(n) * 10));
        }
        assert_eq!(f.requeue(A, B, 2), 2);
        assert_eq!(f.wake(A, 9, u32::MAX), [t(3), t(4)]);
        assert_eq!(f.expire(15), [t(1)]);
        assert_eq!(f.wake(B, 9, u32::MAX), [t(2)]);
        assert_eq!((f.earliest(), f.len()), (None, 0));
        assert!(f.queues.is_empty());
    }

    #[test]
    fn removing_forgets_everything() {
        let mut f = Futexes::default();
        f.wait(t(1), A, u32::MAX, Some(5));
        assert_eq!(f.remove(t(1)), Some(true));
        assert_eq!(f.remove(t(1)), None);
        assert_eq!(f.expire(100), []);
    }
}
