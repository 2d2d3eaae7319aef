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

/// How a thread waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// For a wake-up with one of these bits.
    Plain(u32),
    /// For the ownership of a priority-inheriting futex at this address of its own; whether it was requeued to it.
    Pi(u64, bool),
    /// To be requeued to the priority-inheriting futex of this key, at this address of its own.
    Requeue(Key, u64),
    /// For a wake-up of any of several futexes.
    Many,
}

/// For what a thread waits.
#[derive(Clone, Debug)]
enum Places {
    One(Key),
    Many(Vec<Key>),
}

#[derive(Clone, Debug)]
struct Wait {
    places: Places,
    kind: Kind,
    deadline: Option<u64>,
    /// The deadline is this moment of wall-clock time.
    wall: Option<u64>,
}

/// A thread whose wait is over, and what its call returns.
pub type Woken = (ThreadIdx, i64);

/// The waiters.
#[derive(Default)]
pub struct Futexes {
    queues: BTreeMap<Key, VecDeque<ThreadIdx>>,
    waits: BTreeMap<ThreadIdx, Wait>,
    deadlines: BTreeSet<(u64, ThreadIdx)>,
    /// Owners of priority-inheriting futexes that somebody waits for.
    owners: BTreeMap<Key, ThreadIdx>,
}

impl Futexes {
    /// The thread waits until `deadline` (monotonic nanoseconds).
    pub fn wait(&mut self, thread: ThreadIdx, key: Key, kind: Kind, deadline: Option<u64>) {
        self.enter(thread, Places::One(key), kind, deadline);
    }

    /// The thread waits for a wake-up of any of the futexes.
    pub fn wait_any(&mut self, thread: ThreadIdx, keys: Vec<Key>, deadline: Option<u64>) {
        self.enter(thread, Places::Many(keys), Kind::Many, deadline);
    }

    fn enter(&mut self, thread: ThreadIdx, places: Places, kind: Kind, deadline: Option<u64>) {
        self.remove(thread);
        match &places {
            Places::One(key) => self.queues.entry(*key).or_default().push_back(thread),
            Places::Many(keys) => {
                for key in keys {
                    self.queues.entry(*key).or_default().push_back(thread);
                }
            }
        }
        let wait = Wait {
            places,
            kind,
            deadline,
            wall: None,
        };
        self.waits.insert(thread, wait);
        if let Some(at) = deadline {
            self.deadlines.insert((at, thread));
        }
    }

    /// The thread, which waits, does so until a moment of wall-clock time, even if the clock is set.
    pub fn until_wall(&mut self, thread: ThreadIdx, time: u64) {
        if let Some(wait) = self.waits.get_mut(&thread) {
            wait.wall = Some(time);
        }
    }

    /// What wall-clock time adds to monotonic time has changed.
    pub fn clock_set(&mut self, offset: u64) {
        for (&thread, wait) in &mut self.waits {
            let (Some(wall), Some(before)) = (wait.wall, wait.deadline) else {
                continue;
            };
            let at = wall.saturating_sub(offset);
            if at != before {
                self.deadlines.remove(&(before, thread));
                self.deadlines.insert((at, thread));
                wait.deadline = Some(at);
            }
        }
    }

    fn leave(&mut self, thread: ThreadIdx, key: Key) {
        let Some(queue) = self.queues.get_mut(&key) else {
            return;
        };
        queue.retain(|&t| t != thread);
        if queue.is_empty() {
            self.queues.remove(&key);
            self.owners.remove(&key);
        }
    }

    /// The thread no longer waits; how it did, and until when.
    pub fn remove(&mut self, thread: ThreadIdx) -> Option<(Kind, Option<u64>)> {
        let wait = self.waits.remove(&thread)?;
        match wait.places {
            Places::One(key) => self.leave(thread, key),
            Places::Many(keys) => keys.into_iter().for_each(|key| self.leave(thread, key)),
        }
        if let Some(at) = wait.deadline {
            self.deadlines.remove(&(at, thread));
        }
        Some((wait.kind, wait.deadline))
    }

    /// Ends the wait of up to `count` threads, the longest waiting first. Whether one of them could not be woken this way,
    /// because it waits for ownership: then those behind it are not woken either.
    pub fn wake(&mut self, key: Key, count: u32, bits: u32) -> (Vec<Woken>, bool) {
        let mut woken = Vec::new();
        let mut blocked = false;
        if let Some(queue) = self.queues.get(&key) {
            for &thread in queue {
                if woken.len() >= count as usize || blocked {
                    break;
                }
                let Some(wait) = self.waits.get(&thread) else {
                    continue;
                };
                match (wait.kind, &wait.places) {
                    (Kind::Plain(mine), _) if mine & bits != 0 => woken.push((thread, 0)),
                    (Kind::Plain(_), _) => {}
                    (Kind::Many, Places::Many(keys)) => {
                        let index = keys.iter().position(|k| *k == key).unwrap_or(0);
                        if !woken.iter().any(|(t, _)| *t == thread) {
                            woken.push((thread, index as i64));
                        }
                    }
                    _ => blocked = true,
                }
            }
        }
        for (thread, _) in &woken {
            self.remove(*thread);
        }
        (woken, blocked)
    }

    /// Whether an ordinary requeue may move what waits there: nobody waits for ownership, or for several futexes.
    pub fn can_requeue(&self, key: Key) -> bool {
        let queue = self.queues.get(&key).into_iter().flatten();
        let mut kinds = queue.filter_map(|t| self.waits.get(t));
        kinds.all(|wait| matches!(wait.kind, Kind::Plain(_) | Kind::Many))
    }

    /// Lets up to `count` waiters of one futex wait for another instead; returns how many.
    pub fn requeue(&mut self, from: Key, to: Key, count: u32) -> u32 {
        let Some(queue) = self.queues.get(&from) else {
            return 0;
        };
        if from == to {
            return queue.len().min(count as usize) as u32;
        }
        let moved: Vec<ThreadIdx> = queue.iter().take(count as usize).copied().collect();
        for &thread in &moved {
            self.leave(thread, from);
            if let Some(wait) = self.waits.get_mut(&thread) {
                match &mut wait.places {
                    Places::One(key) => *key = to,
                    Places::Many(keys) => {
                        keys.iter_mut()
                            .filter(|k| **k == from)
                            .for_each(|k| *k = to);
                    }
                }
                self.queues.entry(to).or_default().push_back(thread);
            }
        }
        moved.len() as u32
    }

    /// The waiter that waits longest, and how.
    pub fn first(&self, key: Key) -> Option<(ThreadIdx, Kind)> {
        let thread = *self.queues.get(&key)?.front()?;
        Some((thread, self.waits.get(&thread)?.kind))
    }

    /// The owner of a priority-inheriting futex that somebody waits for.
    pub fn owner(&self, key: Key) -> Option<ThreadIdx> {
        self.owners.get(&key).copied()
    }

    /// The thread waits for the futex that `owner` owns.
    pub fn wait_owned(
        &mut self,
        thread: ThreadIdx,
        key: Key,
        kind: Kind,
        owner: ThreadIdx,
        deadline: Option<u64>,
    ) {
        self.wait(thread, key, kind, deadline);
        self.owners.insert(key, owner);
    }

    /// The futex goes to the thread that waits longest for it, whose wait is over: it, and the futex's address there.
    pub fn hand_over(&mut self, key: Key) -> Option<(ThreadIdx, u64)> {
        let (thread, Kind::Pi(addr, _)) = self.first(key)? else {
            return None;
        };
        self.remove(thread);
        if self.queues.contains_key(&key) {
            self.owners.insert(key, thread);
        }
        Some((thread, addr))
    }

    /// The futexes with waiters that a thread owns.
    pub fn owned_by(&self, thread: ThreadIdx) -> Vec<Key> {
        let owned = self.owners.iter().filter(|(_, owner)| **owner == thread);
        owned.map(|(key, _)| *key).collect()
    }

    /// Whether `thread` would wait for itself if it waited for what `owner` owns.
    pub fn would_deadlock(&self, thread: ThreadIdx, owner: ThreadIdx) -> bool {
        let mut at = owner;
        for _ in 0..=self.waits.len() {
            if at == thread {
                return true;
            }
            let next = match self.waits.get(&at) {
                Some(Wait {
                    kind: Kind::Pi(..),
                    places: Places::One(key),
                    ..
                }) => self.owner(*key),
                _ => None,
            };
            match next {
                Some(next) => at = next,
                None => return false,
            }
        }
        false
    }

    /// Until when a thread waits.
    pub fn deadline(&self, thread: ThreadIdx) -> Option<u64> {
        self.waits.get(&thread)?.deadline
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
    const ANY: Kind = Kind::Plain(u32::MAX);

    fn t(n: u16) -> ThreadIdx {
        ThreadIdx(n)
    }

    fn wake(f: &mut Futexes, key: Key, count: u32, bits: u32) -> Vec<u16> {
        let (woken, blocked) = f.wake(key, count, bits);
        assert!(!blocked);
        woken.into_iter().map(|(t, _)| t.0).collect()
    }

    #[test]
    fn waiters_are_woken_in_order_and_by_bits() {
        let mut f = Futexes::default();
        f.wait(t(1), A, ANY, None);
        f.wait(t(2), A, Kind::Plain(0b01), None);
        f.wait(t(3), A, Kind::Plain(0b10), Some(50));
        f.wait(t(4), B, ANY, None);
        assert_eq!(wake(&mut f, A, 9, 0b10), [1, 3]);
        assert_eq!(f.earliest(), None);
        assert_eq!(wake(&mut f, A, 9, 0b10), []);
        assert_eq!(wake(&mut f, A, 0, u32::MAX), []);
        assert_eq!(wake(&mut f, A, 1, u32::MAX), [2]);
        assert_eq!(wake(&mut f, B, 1, u32::MAX), [4]);
        assert_eq!(f.len(), 0);
        assert!(f.queues.is_empty());
    }

    #[test]
    fn requeued_waiters_wait_elsewhere() {
        let mut f = Futexes::default();
        for n in 1..=4 {
            f.wait(t(n), A, ANY, Some(u64::from(n) * 10));
        }
        assert!(f.can_requeue(A));
        assert_eq!(f.requeue(A, B, 2), 2);
        assert_eq!(wake(&mut f, A, 9, u32::MAX), [3, 4]);
        assert_eq!(f.expire(15), [t(1)]);
        assert_eq!(wake(&mut f, B, 9, u32::MAX), [2]);
        assert_eq!((f.earliest(), f.len()), (None, 0));
        assert!(f.queues.is_empty());
    }

    #[test]
    fn moments_of_wall_clock_time_move_when_it_is_set() {
        let mut f = Futexes::default();
        f.wait(t(1), A, Kind::Plain(1), Some(50));
        f.until_wall(t(1), 150);
        f.wait(t(2), A, Kind::Plain(1), Some(60));
        f.clock_set(100);
        assert_eq!(f.earliest(), Some(50));
        f.clock_set(80);
        assert_eq!(f.expire(65), [t(2)]);
        assert_eq!(f.expire(70), [t(1)]);
    }

    #[test]
    fn removing_forgets_everything() {
        let mut f = Futexes::default();
        f.wait(t(1), A, ANY, Some(5));
        assert_eq!(f.remove(t(1)), Some((ANY, Some(5))));
        assert_eq!(f.remove(t(1)), None);
        assert_eq!(f.expire(100), []);
    }

    #[test]
    fn one_of_several_wakes_with_its_index() {
        let mut f = Futexes::default();
        f.wait_any(t(1), alloc::vec![A, B, A], Some(9));
        f.wait_any(t(2), alloc::vec![A], None);
        assert_eq!(f.wake(B, 5, u32::MAX).0, [(t(1), 1)]);
        assert_eq!(f.wake(A, 5, u32::MAX).0, [(t(2), 0)]);
        assert_eq!((f.len(), f.queues.len(), f.earliest()), (0, 0, None));
    }

    #[test]
    fn ownership_goes_round() {
        let mut f = Futexes::default();
        f.wait_owned(t(2), A, Kind::Pi(0x10, false), t(1), None);
        f.wait_owned(t(3), A, Kind::Pi(0x20, false), t(1), Some(7));
        assert_eq!(f.wake(A, 1, u32::MAX), (alloc::vec![], true));
        assert!(!f.can_requeue(A));
        assert!(f.would_deadlock(t(2), t(2)));
        assert!(f.would_deadlock(t(1), t(2)));
        assert!(!f.would_deadlock(t(4), t(2)));
        assert_eq!(f.owned_by(t(1)), [A]);
        assert_eq!(f.hand_over(A), Some((t(2), 0x10)));
        assert_eq!((f.owner(A), f.owned_by(t(1))), (Some(t(2)), alloc::vec![]));
        assert_eq!(f.hand_over(A), Some((t(3), 0x20)));
        assert_eq!((f.owner(A), f.earliest()), (None, None));
        assert_eq!(f.hand_over(A), None);
    }
}
