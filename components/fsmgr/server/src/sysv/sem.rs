//! Semaphores: semget(2), semop(2), semctl(2). Operations are all done or none; those that cannot be done yet wait in order.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use console_api::Console;
use lsyscall_abi::{Errno, ThreadIdx, Timespec, UserPtr};
use lsyscall_router::{Caller, Done, SysResult, OK};
use memmgr_api::{Memory, Space};

use super::{put, Perm, Table, Who, IPC_INFO, IPC_NOWAIT, IPC_RMID, IPC_SET, IPC_STAT};
use super::{PERM_BYTES, READ, WRITE};
use crate::heap::{buffer, headroom};
use crate::park::Wait;
use crate::wait::WaitQueue;
use crate::FsMgr;

/// Sets there may be (SEMMNI).
pub const MAX: usize = 32000;
/// Semaphores of a set (SEMMSL).
pub const MAX_PER_SET: i32 = 32000;
/// Semaphores of all sets together: what our memory bears.
pub const MAX_ALL: usize = 1 << 18;
/// Operations of one call (SEMOPM).
pub const MAX_OPS: usize = 500;
/// Largest value (SEMVMX).
pub const MAX_VALUE: i32 = 32767;
const GETPID: i32 = 11;
const GETVAL: i32 = 12;
const GETALL: i32 = 13;
const GETNCNT: i32 = 14;
const GETZCNT: i32 = 15;
const SETVAL: i32 = 16;
const SETALL: i32 = 17;
const SEM_STAT: i32 = 18;
const SEM_INFO: i32 = 19;
const SEM_STAT_ANY: i32 = 20;
const SEM_UNDO: u16 = 0x1000;
/// Bytes of struct semid64_ds.
const DS_BYTES: usize = 88;

/// The sets, shared with what processes undo at their end.
pub type Sems = Rc<RefCell<Table<SemSet>>>;

/// No sets.
pub fn new_table() -> Sems {
    Rc::new(RefCell::new(Table::new(MAX)))
}

/// One semaphore.
#[derive(Clone, Copy, Debug, Default)]
struct Sem {
    value: i32,
    /// The process that changed it last.
    pid: i32,
}

/// An operation (struct sembuf).
#[derive(Clone, Copy, Debug)]
struct Op {
    num: usize,
    op: i32,
    nowait: bool,
    undo: bool,
}

/// A set of semaphores.
pub struct SemSet {
    sems: Vec<Sem>,
    /// Times of the last operation and change (seconds).
    otime: i64,
    ctime: i64,
    queue: Rc<WaitQueue>,
    /// Who waits, by the ticket of the call, for which semaphore, and whether for it to be zero.
    waiting: Vec<(ThreadIdx, u64, usize, bool)>,
}

/// What an attempt came to.
#[derive(Debug, PartialEq, Eq)]
enum Attempt {
    Done,
    /// The operation of this index has to wait.
    Waits(usize),
}

impl SemSet {
    /// Number of semaphores.
    pub fn len(&self) -> usize {
        self.sems.len()
    }

    /// Times of the last operation and change (seconds).
    pub fn times(&self) -> (i64, i64) {
        (self.otime, self.ctime)
    }

    /// Does all operations, or none. `ERANGE`.
    fn attempt(&mut self, ops: &[Op], pid: i32, undo: &mut Adjust<'_>) -> Result<Attempt, Errno> {
        let mut done = 0;
        let mut outcome = Ok(Attempt::Done);
        for (i, op) in ops.iter().enumerate() {
            let Some(sem) = self.sems.get_mut(op.num) else {
                outcome = Err(Errno::EFBIG);
                break;
            };
            let result = sem.value + op.op;
            if op.op == 0 && sem.value != 0 || result < 0 {
                outcome = Ok(Attempt::Waits(i));
                break;
            }
            if result > MAX_VALUE {
                outcome = Err(Errno::ERANGE);
                break;
            }
            if op.undo {
                if let Err(errno) = undo.add(op.num, -op.op) {
                    outcome = Err(errno);
                    break;
                }
            }
            sem.value = result;
            done = i + 1;
        }
        if outcome == Ok(Attempt::Done) {
            for op in ops {
                self.sems[op.num].pid = pid;
            }
            return outcome;
        }
        for op in ops[..done].iter().rev() {
            self.sems[op.num].value -= op.op;
            if op.undo {
                let _ = undo.add(op.num, op.op);
            }
        }
        outcome
    }
}

/// What a process is to undo at its end in one set.
struct Adjust<'a>(&'a mut BTreeMap<usize, i32>);

impl Adjust<'_> {
    fn add(&mut self, num: usize, by: i32) -> Result<(), Errno> {
        let slot = self.0.entry(num).or_insert(0);
        let new = *slot + by;
        if !(-MAX_VALUE - 1..=MAX_VALUE).contains(&new) {
            return Err(Errno::ERANGE);
        }
        *slot = new;
        Ok(())
    }
}

/// What is undone when the last thread that shares it (CLONE_SYSVSEM) ends.
pub struct Undo {
    sems: Sems,
    pid: Cell<i32>,
    /// Adjustments by id of the set and number of the semaphore.
    sets: RefCell<BTreeMap<i32, BTreeMap<usize, i32>>>,
}

impl Undo {
    /// Nothing to undo.
    pub fn new(sems: &Sems) -> Rc<Self> {
        Rc::new(Undo {
            sems: Rc::clone(sems),
            pid: Cell::new(0),
            sets: RefCell::new(BTreeMap::new()),
        })
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        let mut sems = self.sems.borrow_mut();
        for (id, adjust) in self.sets.take() {
            let Ok(entry) = sems.get_mut(id) else {
                continue;
            };
            let set = &mut entry.object;
            for (num, by) in adjust {
                if let Some(sem) = set.sems.get_mut(num).filter(|_| by != 0) {
                    sem.value = (sem.value + by).clamp(0, MAX_VALUE);
                    sem.pid = self.pid.get();
                }
            }
            set.queue.wake();
        }
    }
}

fn ds(entry: &super::Entry<SemSet>) -> [u8; DS_BYTES] {
    let (perm, set): (&Perm, &SemSet) = (&entry.perm, &entry.object);
    let mut out = [0; DS_BYTES];
    perm.put(&mut out[..PERM_BYTES]);
    put(&mut out, 48, &set.otime.to_le_bytes());
    put(&mut out, 56, &set.ctime.to_le_bytes());
    put(&mut out, 64, &(set.len() as u64).to_le_bytes());
    out
}

impl<M: Memory, C: Console> FsMgr<M, C> {
    pub(crate) fn semget_call(
        &mut self,
        c: &Caller,
        key: i32,
        count: i32,
        flags: u32,
    ) -> SysResult {
        if !(0..=MAX_PER_SET).contains(&count) {
            return Err(Errno::EINVAL);
        }
        let who = self.ipc_caller(c.thread)?;
        let (run, now) = (Rc::clone(&self.vfs.run), self.time().sec);
        let mut table = self.sysv.sem.borrow_mut();
        let all: usize = table.iter().map(|(_, e)| e.object.len()).sum();
        let count = count as usize;
        let check = |set: &SemSet| match count > set.len() {
            true => Err(Errno::EINVAL),
            false => Ok(()),
        };
        let make = || {
            if count == 0 {
                return Err(Errno::EINVAL);
            }
            if all + count > MAX_ALL {
                return Err(Errno::ENOSPC);
            }
            let mut sems = Vec::new();
            sems.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
            sems.resize(count, Sem::default());
            Ok(SemSet {
                sems,
                otime: 0,
                ctime: now,
                queue: Rc::new(WaitQueue::new(&run)),
                waiting: Vec::new(),
            })
        };
        table.find_or_make(key, flags, &who, check, make).done()
    }

    pub(crate) fn semop_call(
        &mut self,
        c: &Caller,
        id: i32,
        at: u64,
        count: usize,
        timeout: UserPtr<Timespec>,
    ) -> SysResult {
        let resumed = self.resumed.take();
        let deadline = match &resumed {
            Some(parked) => parked.deadline,
            None => {
                let span = self.timeout_at(c, timeout)?;
                span.map(|ns| self.now().saturating_add(ns))
            }
        };
        if count == 0 || id < 0 {
            return Err(Errno::EINVAL);
        }
        if count > MAX_OPS {
            return Err(Errno::E2BIG);
        }
        let ops = self.read_ops(c, at, count)?;
        let who = self.ipc_caller(c.thread)?;
        let undo = Rc::clone(&self.tasks.get(c.thread)?.undo);
        let now = self.time().sec;
        let sems = Rc::clone(&self.sysv.sem);
        let mut table = sems.borrow_mut();
        let entry = match table.get_mut(id) {
            Err(_) if resumed.is_some() => return Err(Errno::EIDRM),
            other => other?,
        };
        if ops.iter().any(|op| op.num >= entry.object.len()) {
            return Err(Errno::EFBIG);
        }
        let changes = ops.iter().any(|op| op.op != 0);
        entry.perm.allow(&who, if changes { WRITE } else { READ })?;
        let set = &mut entry.object;
        let outcome = {
            let mut sets = undo.sets.borrow_mut();
            if ops.iter().any(|op| op.undo) {
                headroom()?;
                undo.pid.set(who.pid);
                set.attempt(&ops, who.pid, &mut Adjust(sets.entry(id).or_default()))?
            } else {
                set.attempt(&ops, who.pid, &mut Adjust(&mut BTreeMap::new()))?
            }
        };
        match outcome {
            Attempt::Done => {
                set.otime = now;
                if changes {
                    set.queue.wake();
                }
                OK
            }
            Attempt::Waits(index) if ops[index].nowait => Err(Errno::EAGAIN),
            Attempt::Waits(_) if deadline.is_some_and(|at| at <= self.now()) => Err(Errno::EAGAIN),
            Attempt::Waits(index) => {
                let ticket = self.ticket();
                let tasks = &self.tasks;
                set.waiting.retain(|(thread, ticket, ..)| {
                    let parked = tasks.get(*thread).ok().and_then(|t| t.parked.as_ref());
                    *thread != c.thread && parked.is_some_and(|p| p.ticket == *ticket)
                });
                let zero = ops[index].op == 0;
                set.waiting.push((c.thread, ticket, ops[index].num, zero));
                let queue = Rc::clone(&set.queue);
                drop(table);
                let wait = Wait {
                    deadline,
                    restart: Some(Errno::EINTR),
                    ..Wait::default()
                };
                self.park(c, &queue, wait)
            }
        }
    }

    fn read_ops(&self, c: &Caller, at: u64, count: usize) -> Result<Vec<Op>, Errno> {
        let mut raw = buffer(count * 6)?;
        self.mem.copy_in(Space::Thread(c.thread), at, &mut raw)?;
        let half = |b: &[u8], at: usize| u16::from_le_bytes([b[at], b[at + 1]]);
        let ops = raw.chunks_exact(6).map(|b| Op {
            num: usize::from(half(b, 0)),
            op: i32::from(half(b, 2) as i16),
            nowait: u32::from(half(b, 4)) & IPC_NOWAIT != 0,
            undo: half(b, 4) & SEM_UNDO != 0,
        });
        Ok(ops.collect())
    }

    pub(crate) fn semctl_call(
        &mut self,
        c: &Caller,
        id: i32,
        num: i32,
        command: i32,
        arg: u64,
    ) -> SysResult {
        if id < 0 {
            return Err(Errno::EINVAL);
        }
        let who = self.ipc_caller(c.thread)?;
        let space = Space::Thread(c.thread);
        match command {
            IPC_INFO | SEM_INFO => {
                let table = self.sysv.sem.borrow();
                let sets = table.iter().count() as i32;
                let all: usize = table.iter().map(|(_, e)| e.object.len()).sum();
                let used = command == SEM_INFO;
                let values = [
                    MAX_ALL as i32,
                    MAX as i32,
                    MAX_ALL as i32,
                    MAX_ALL as i32,
                    MAX_PER_SET,
                    MAX_OPS as i32,
                    MAX_OPS as i32,
                    if used { sets } else { 20 },
                    MAX_VALUE,
                    if used { all as i32 } else { MAX_VALUE },
                ];
                let mut out = [0; 40];
                for (i, value) in values.iter().enumerate() {
                    put(&mut out, i * 4, &value.to_le_bytes());
                }
                self.mem.copy_out(space, arg, &out)?;
                Ok(i64::from(table.highest())).done()
            }
            IPC_STAT | SEM_STAT | SEM_STAT_ANY => {
                let table = self.sysv.sem.borrow();
                let (id, entry) = table.look_up(id, command != IPC_STAT)?;
                if command != SEM_STAT_ANY {
                    entry.perm.allow(&who, READ)?;
                }
                self.mem.copy_out(space, arg, &ds(entry))?;
                Ok(if command == IPC_STAT { 0 } else { id }).done()
            }
            IPC_SET => {
                let mut ds = [0; DS_BYTES];
                self.mem.copy_in(space, arg, &mut ds)?;
                let now = self.time().sec;
                let mut table = self.sysv.sem.borrow_mut();
                let entry = table.get_mut(id)?;
                entry.perm.own(&who)?;
                entry.perm.change(&ds);
                entry.object.ctime = now;
                OK
            }
            IPC_RMID => {
                let mut table = self.sysv.sem.borrow_mut();
                table.get(id)?.perm.own(&who)?;
                if let Some(set) = table.remove(id) {
                    set.queue.wake();
                }
                OK
            }
            SETVAL => {
                let value = arg as i32;
                self.set_value(&who, id, num, value)
            }
            GETVAL | GETPID | GETNCNT | GETZCNT => self.sem_value(&who, id, num, command),
            GETALL => {
                let table = self.sysv.sem.borrow();
                let entry = table.get(id)?;
                entry.perm.allow(&who, READ)?;
                let mut out = buffer(entry.object.len() * 2)?;
                for (slot, sem) in out.chunks_exact_mut(2).zip(&entry.object.sems) {
                    slot.copy_from_slice(&(sem.value as u16).to_le_bytes());
                }
                self.mem.copy_out(space, arg, &out)?;
                OK
            }
            SETALL => self.set_all(c, &who, id, arg),
            _ => Err(Errno::EINVAL),
        }
    }

    /// The number of calls that wait for a semaphore to grow, or to become zero.
    fn waiters(&self, set: &SemSet, num: usize, zero: bool) -> usize {
        let waits = |(thread, ticket, at, for_zero): &&(ThreadIdx, u64, usize, bool)| {
            let parked = self.tasks.get(*thread).ok().and_then(|t| t.parked.as_ref());
            *at == num && *for_zero == zero && parked.is_some_and(|p| p.ticket == *ticket)
        };
        set.waiting.iter().filter(waits).count()
    }

    fn sem_value(&self, who: &Who, id: i32, num: i32, command: i32) -> SysResult {
        let table = self.sysv.sem.borrow();
        let entry = table.get(id)?;
        entry.perm.allow(who, READ)?;
        let set = &entry.object;
        let at = usize::try_from(num).map_err(|_| Errno::EINVAL)?;
        let sem = set.sems.get(at).ok_or(Errno::EINVAL)?;
        Ok(match command {
            GETVAL => i64::from(sem.value),
            GETPID => i64::from(sem.pid),
            GETNCNT => self.waiters(set, at, false) as i64,
            _ => self.waiters(set, at, true) as i64,
        })
        .done()
    }

    /// What processes would undo of a set is void now: of one semaphore, or of all.
    fn forget_undo(&self, id: i32, num: Option<usize>) {
        for thread in self.tasks.iter() {
            if let Some(set) = thread.undo.sets.borrow_mut().get_mut(&id) {
                match num {
                    Some(num) => drop(set.remove(&num)),
                    None => set.clear(),
                }
            }
        }
    }

    fn set_value(&mut self, who: &Who, id: i32, num: i32, value: i32) -> SysResult {
        if !(0..=MAX_VALUE).contains(&value) {
            return Err(Errno::ERANGE);
        }
        let now = self.time().sec;
        let at = {
            let mut table = self.sysv.sem.borrow_mut();
            let entry = table.get_mut(id)?;
            let at = usize::try_from(num).map_err(|_| Errno::EINVAL)?;
            if at >= entry.object.len() {
                return Err(Errno::EINVAL);
            }
            entry.perm.allow(who, WRITE)?;
            let set = &mut entry.object;
            set.sems[at] = Sem {
                value,
                pid: who.pid,
            };
            set.ctime = now;
            set.queue.wake();
            at
        };
        self.forget_undo(id, Some(at));
        OK
    }

    fn set_all(&mut self, c: &Caller, who: &Who, id: i32, from: u64) -> SysResult {
        let now = self.time().sec;
        {
            let mut table = self.sysv.sem.borrow_mut();
            let entry = table.get_mut(id)?;
            entry.perm.allow(who, WRITE)?;
            let set = &mut entry.object;
            let mut raw = buffer(set.len() * 2)?;
            self.mem.copy_in(Space::Thread(c.thread), from, &mut raw)?;
            let values = || {
                raw.chunks_exact(2)
                    .map(|b| i32::from(u16::from_le_bytes([b[0], b[1]])))
            };
            if values().any(|value| value > MAX_VALUE) {
                return Err(Errno::ERANGE);
            }
            for (sem, value) in set.sems.iter_mut().zip(values()) {
                *sem = Sem {
                    value,
                    pid: who.pid,
                };
            }
            set.ctime = now;
            set.queue.wake();
        }
        self.forget_undo(id, None);
        OK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(values: &[i32]) -> SemSet {
        SemSet {
            sems: values.iter().map(|&value| Sem { value, pid: 0 }).collect(),
            otime: 0,
            ctime: 0,
            queue: Rc::new(WaitQueue::new(&Rc::default())),
            waiting: Vec::new(),
        }
    }

    fn op(num: usize, op: i32) -> Op {
        Op {
            num,
            op,
            nowait: false,
            undo: true,
        }
    }

    #[test]
    fn all_or_nothing() {
        let mut s = set(&[1, 0, 5]);
        let mut adjust = BTreeMap::new();
        let mut go = |s: &mut SemSet, ops: &[Op]| s.attempt(ops, 9, &mut Adjust(&mut adjust));
        let values = |s: &SemSet| s.sems.iter().map(|s| s.value).collect::<Vec<_>>();
        assert_eq!(go(&mut s, &[op(0, -1), op(1, -1)]), Ok(Attempt::Waits(1)));
        assert_eq!(values(&s), [1, 0, 5]);
        assert_eq!(go(&mut s, &[op(0, -1), op(2, 0)]), Ok(Attempt::Waits(1)));
        assert_eq!(go(&mut s, &[op(2, MAX_VALUE)]), Err(Errno::ERANGE));
        assert_eq!(
            go(&mut s, &[op(0, -1), op(0, 0), op(1, 3)]),
            Ok(Attempt::Done)
        );
        assert_eq!(values(&s), [0, 3, 5]);
        assert_eq!(s.sems[1].pid, 9);
        assert_eq!((adjust[&0], adjust[&1], adjust.get(&2)), (1, -3, None));
    }

    #[test]
    fn the_end_undoes() {
        let sems = new_table();
        let who = Who {
            uid: 0,
            gid: 0,
            pid: 3,
            creds: Rc::new(fsmgr_api::Creds::ROOT),
        };
        let make = || Ok(set(&[4, 0]));
        let id = sems
            .borrow_mut()
            .find_or_make(0, 0, &who, |_| Ok(()), make)
            .unwrap();
        let undo = Undo::new(&sems);
        let set: BTreeMap<usize, i32> = [(0, -9), (1, 2), (7, 1)].into();
        undo.sets.borrow_mut().insert(id, set);
        undo.sets.borrow_mut().insert(id + 1, BTreeMap::new());
        drop(undo);
        let table = sems.borrow();
        let sems = &table.get(id).unwrap().object.sems;
        assert_eq!((sems[0].value, sems[1].value), (0, 2));
    }
}
