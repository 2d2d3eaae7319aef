//! futex(2) and futex_waitv(2): the part that touches memory.

use alloc::vec::Vec;

use lsyscall_abi::consts::{clock, futex::*, futex_flag::*};
use lsyscall_abi::{Errno, ThreadIdx};
use lsyscall_router::{Caller, Flow, SysResult};
use memmgr_api::{Space as Which, USER_TOP};

use crate::futex::{Key, Kind, Woken};
use crate::machine::Machine;
use crate::server::Server;

const NANOS: u64 = 1_000_000_000;
/// Most futexes of one futex_waitv (FUTEX_WAITV_MAX).
const WAITV_MAX: u32 = 128;
/// Bytes of struct futex_waitv.
const WAITV_BYTES: u64 = 24;
/// The only size of a futex (futex_waitv(2)).
const FUTEX_32: u32 = 2;

/// A wait that a signal interrupted, so that its repetition ends when the first would have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resume {
    /// Where it was called.
    pub pc: u64,
    /// The futex.
    pub addr: u64,
    /// Monotonic nanoseconds.
    pub deadline: u64,
}

/// The second operation of FUTEX_WAKE_OP, packed into one word (futex(2)).
struct WakeOp(u32);

impl WakeOp {
    fn signed12(word: u32) -> i32 {
        ((word << 20) as i32) >> 20
    }

    /// The new value of the word; `ENOSYS` for an unknown operation.
    fn apply(&self, old: u32) -> Result<u32, Errno> {
        let op = self.0 >> 28;
        let mut arg = Self::signed12(self.0 >> 12);
        if op & 8 != 0 {
            if !(0..32).contains(&arg) {
                arg &= 31;
            }
            arg = 1 << arg;
        }
        let arg = arg as u32;
        Ok(match op & 7 {
            0 => arg,
            1 => old.wrapping_add(arg),
            2 => old | arg,
            3 => old & !arg,
            4 => old ^ arg,
            _ => return Err(Errno::ENOSYS),
        })
    }

    /// Whether the second futex is woken too.
    fn compare(&self, old: u32) -> Result<bool, Errno> {
        let (old, arg) = (old as i32, Self::signed12(self.0));
        Ok(match self.0 >> 24 & 15 {
            0 => old == arg,
            1 => old != arg,
            2 => old < arg,
            3 => old <= arg,
            4 => old > arg,
            5 => old >= arg,
            _ => return Err(Errno::ENOSYS),
        })
    }
}

impl<M: Machine> Server<M> {
    /// What identifies the futex at an address.
    pub(crate) fn key(&mut self, which: Which, addr: u64, private: bool) -> Result<Key, Errno> {
        if !addr.is_multiple_of(4) {
            return Err(Errno::EINVAL);
        }
        let id = self.space_id(which)?;
        if addr >= USER_TOP {
            return Err(Errno::EFAULT);
        }
        if !private {
            let (_, space) = self.parts(which)?;
            let (start, vma) = space.vmas.find(addr).ok_or(Errno::EFAULT)?;
            if let (true, Some(object)) = (vma.shared, vma.object) {
                return Ok(Key::Object(object, vma.offset_of(start, addr)));
            }
        }
        Ok(Key::Private(id, addr))
    }

    /// Ends calls.
    pub(crate) fn finish(&mut self, woken: Vec<Woken>) -> i64 {
        let count = woken.len() as i64;
        for (thread, value) in woken {
            self.replies.complete(thread, value);
        }
        if count > 0 {
            self.alarm.set(self.futexes.earliest());
        }
        count
    }

    /// Wakes waiters, for a thread's end.
    pub(crate) fn wake_futex(&mut self, which: Which, addr: u64, count: u32) -> Result<u32, Errno> {
        let key = self.key(which, addr, false)?;
        let (woken, _) = self.futexes.wake(key, count, FUTEX_BITSET_MATCH_ANY);
        Ok(self.finish(woken) as u32)
    }

    pub(crate) fn word(&mut self, which: Which, addr: u64) -> Result<u32, Errno> {
        let (core, space) = self.parts(which)?;
        core.read_user_u32(space, addr)
    }

    pub(crate) fn set_word(&mut self, which: Which, addr: u64, value: u32) -> Result<(), Errno> {
        let (core, space) = self.parts(which)?;
        core.put_user(space, addr, &value.to_le_bytes())
    }

    /// The deadline of a wait in monotonic nanoseconds.
    fn deadline(
        &mut self,
        which: Which,
        timeout: u64,
        absolute: bool,
        real: bool,
    ) -> Result<Option<u64>, Errno> {
        if timeout == 0 {
            return Ok(None);
        }
        let (core, space) = self.parts(which)?;
        let seconds = core.read_user_u64(space, timeout)?;
        let nanos = core.read_user_u64(space, timeout.wrapping_add(8))?;
        if seconds > i64::MAX as u64 || nanos >= NANOS {
            return Err(Errno::EINVAL);
        }
        let time = seconds.saturating_mul(NANOS).saturating_add(nanos);
        Ok(Some(match (absolute, real) {
            (false, _) => self.env.now_ns().saturating_add(time),
            (true, false) => time,
            (true, true) => time.saturating_sub(self.alarm.realtime_offset()),
        }))
    }

    /// The caller waits, unless its time is over already.
    pub(crate) fn park(
        &mut self,
        deadline: Option<u64>,
        enter: impl FnOnce(&mut Self),
    ) -> SysResult {
        if deadline.is_some_and(|at| at <= self.env.now_ns()) {
            return Err(Errno::ETIMEDOUT);
        }
        enter(self);
        self.alarm.set(self.futexes.earliest());
        Ok(Flow::Park)
    }

    /// futex(2).
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn serve_futex(
        &mut self,
        c: &Caller,
        addr: u64,
        op: u32,
        val: u32,
        timeout: u64,
        addr2: u64,
        val3: u32,
    ) -> SysResult {
        let which = Which::Thread(c.thread);
        let private = op & FUTEX_PRIVATE_FLAG != 0;
        let real = op & FUTEX_CLOCK_REALTIME != 0;
        let command = op & !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
        let resume = self.thread_mut(c.thread).resume.take();
        let deadline = match command {
            FUTEX_WAIT => self.deadline(which, timeout, false, false)?,
            FUTEX_LOCK_PI => self.deadline(which, timeout, true, true)?,
            FUTEX_WAIT_BITSET | FUTEX_WAIT_REQUEUE_PI | FUTEX_LOCK_PI2 => {
                self.deadline(which, timeout, true, real)?
            }
            _ => None,
        };
        let with_clock = matches!(
            command,
            FUTEX_WAIT_BITSET | FUTEX_WAIT_REQUEUE_PI | FUTEX_LOCK_PI2
        );
        if real && !with_clock {
            return Err(Errno::ENOSYS);
        }
        let val2 = timeout as u32;
        match command {
            FUTEX_WAIT | FUTEX_WAIT_BITSET => {
                let bits = match command {
                    FUTEX_WAIT => FUTEX_BITSET_MATCH_ANY,
                    _ => val3,
                };
                if bits == 0 {
                    return Err(Errno::EINVAL);
                }
                // The repetition of an interrupted wait ends when that would have ended.
                let deadline = match resume.filter(|r| (r.pc, r.addr) == (c.pc, addr)) {
                    Some(resume) => deadline.map(|_| resume.deadline),
                    None => deadline,
                };
                let key = self.key(which, addr, private)?;
                if self.word(which, addr)? != val {
                    return Err(Errno::EAGAIN);
                }
                self.thread_mut(c.thread).futex_call = (c.pc, addr);
                self.park(deadline, |server| {
                    let kind = Kind::Plain(bits);
                    server.futexes.wait(c.thread, key, kind, deadline);
                    if let (true, Some(at)) = (real, deadline) {
                        let wall = at.saturating_add(server.alarm.realtime_offset());
                        server.futexes.until_wall(c.thread, wall);
                    }
                })
            }
            FUTEX_WAKE | FUTEX_WAKE_BITSET => {
                let bits = match command {
                    FUTEX_WAKE_BITSET => val3,
                    _ => FUTEX_BITSET_MATCH_ANY,
                };
                if bits == 0 {
                    return Err(Errno::EINVAL);
                }
                let key = self.key(which, addr, private)?;
                // Linux wakes one for a count of 0 or less.
                let count = (val as i32).max(1) as u32;
                self.wake_plain(key, count, bits)
            }
            FUTEX_REQUEUE | FUTEX_CMP_REQUEUE => {
                if (val as i32) < 0 || (val2 as i32) < 0 {
                    return Err(Errno::EINVAL);
                }
                let from = self.key(which, addr, private)?;
                let to = self.key(which, addr2, private)?;
                if command == FUTEX_CMP_REQUEUE && self.word(which, addr)? != val3 {
                    return Err(Errno::EAGAIN);
                }
                if !self.futexes.can_requeue(from) {
                    return Err(Errno::EINVAL);
                }
                let (woken, _) = self.futexes.wake(from, val, FUTEX_BITSET_MATCH_ANY);
                let moved = self.futexes.requeue(from, to, val2);
                Ok(Flow::Done(self.finish(woken) + i64::from(moved)))
            }
            FUTEX_WAKE_OP => self.wake_op(which, (addr, val), (addr2, val2), private, WakeOp(val3)),
            FUTEX_LOCK_PI | FUTEX_LOCK_PI2 => self.lock_pi(c, addr, private, deadline, false),
            FUTEX_TRYLOCK_PI => self.lock_pi(c, addr, private, None, true),
            FUTEX_UNLOCK_PI => self.unlock_pi(c, addr, private),
            FUTEX_WAIT_REQUEUE_PI => self.wait_requeue_pi(c, (addr, val), addr2, private, deadline),
            FUTEX_CMP_REQUEUE_PI => self.requeue_pi(c, (addr, val), (addr2, val2), val3, private),
            _ => Err(Errno::ENOSYS),
        }
    }

    fn wake_plain(&mut self, key: Key, count: u32, bits: u32) -> SysResult {
        let (woken, blocked) = self.futexes.wake(key, count, bits);
        let count = self.finish(woken);
        if blocked {
            return Err(Errno::EINVAL);
        }
        Ok(Flow::Done(count))
    }

    fn wake_op(
        &mut self,
        which: Which,
        (addr, count): (u64, u32),
        (addr2, count2): (u64, u32),
        private: bool,
        op: WakeOp,
    ) -> SysResult {
        let first = self.key(which, addr, private)?;
        let second = self.key(which, addr2, private)?;
        let old = self.word(which, addr2)?;
        let new = op.apply(old)?;
        self.set_word(which, addr2, new)?;
        let both = op.compare(old)?;
        let any = FUTEX_BITSET_MATCH_ANY;
        let at_least_one = |count: u32| (count as i32).max(1) as u32;
        let (mut woken, mut blocked) = self.futexes.wake(first, at_least_one(count), any);
        if both && !blocked {
            let (more, stuck) = self.futexes.wake(second, at_least_one(count2), any);
            woken.extend(more);
            blocked = stuck;
        }
        let count = self.finish(woken);
        if blocked {
            return Err(Errno::EINVAL);
        }
        Ok(Flow::Done(count))
    }

    /// futex_waitv(2).
    pub(crate) fn wait_any(
        &mut self,
        c: &Caller,
        waiters: u64,
        count: u32,
        flags: u32,
        timeout: u64,
        clock_id: i32,
    ) -> SysResult {
        let which = Which::Thread(c.thread);
        if flags != 0 || count == 0 || count > WAITV_MAX || waiters == 0 {
            return Err(Errno::EINVAL);
        }
        let mut deadline = None;
        if timeout != 0 {
            let real = match clock_id {
                clock::CLOCK_REALTIME => true,
                clock::CLOCK_MONOTONIC => false,
                _ => return Err(Errno::EINVAL),
            };
            deadline = self.deadline(which, timeout, true, real)?;
        }
        let mut wanted = Vec::with_capacity(count as usize);
        for index in 0..u64::from(count) {
            let (core, space) = self.parts(which)?;
            let mut words = [0u64; 3];
            for (i, word) in words.iter_mut().enumerate() {
                let at = waiters.wrapping_add(index * WAITV_BYTES + i as u64 * 8);
                *word = core.read_user_u64(space, at)?;
            }
            let [val, addr, rest] = words;
            let (flags, reserved) = (rest as u32, rest >> 32);
            if flags & !(FUTEX_32 | FUTEX_PRIVATE_FLAG) != 0
                || flags & FUTEX_32 == 0
                || reserved != 0
            {
                return Err(Errno::EINVAL);
            }
            wanted.push((val as u32, addr, flags & FUTEX_PRIVATE_FLAG != 0));
        }
        let mut keys = Vec::with_capacity(wanted.len());
        for &(_, addr, private) in &wanted {
            keys.push(self.key(which, addr, private)?);
        }
        for &(val, addr, _) in &wanted {
            if self.word(which, addr)? != val {
                return Err(Errno::EAGAIN);
            }
        }
        self.park(deadline, |server| {
            server.futexes.wait_any(c.thread, keys, deadline);
        })
    }

    /// A signal ends the wait of a thread: how its call ends, if it waited.
    pub(crate) fn interrupt_wait(&mut self, thread: ThreadIdx) -> Option<Errno> {
        let (kind, deadline) = self.futexes.remove(thread)?;
        self.replies.forget(thread);
        self.alarm.set(self.futexes.earliest());
        Some(match (kind, deadline) {
            (Kind::Plain(_), Some(deadline)) => {
                let record = self.thread_mut(thread);
                let (pc, addr) = record.futex_call;
                record.resume = Some(Resume { pc, addr, deadline });
                Errno::ERESTART_RESTARTBLOCK
            }
            (Kind::Plain(_) | Kind::Many, _) => Errno::ERESTARTSYS,
            // The wait that led there cannot be done again (futex(2), EAGAIN).
            (Kind::Pi(_, true), _) => Errno::EAGAIN,
            (Kind::Pi(_, false) | Kind::Requeue(..), _) => Errno::ERESTARTNOINTR,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(op: u32, cmp: u32, oparg: u32, cmparg: u32) -> WakeOp {
        WakeOp(op << 28 | cmp << 24 | (oparg & 0xfff) << 12 | (cmparg & 0xfff))
    }

    #[test]
    fn wake_op_computes_and_compares() {
        assert_eq!(pack(0, 0, 7, 0).apply(1), Ok(7));
        assert_eq!(pack(1, 0, 0xfff, 0).apply(1), Ok(0));
        assert_eq!(pack(2 | 8, 0, 4, 0).apply(1), Ok(17));
        assert_eq!(pack(3, 0, 1, 0).apply(3), Ok(2));
        assert_eq!(pack(4, 0, 1, 0).apply(3), Ok(2));
        assert_eq!(pack(7, 0, 1, 0).apply(3), Err(Errno::ENOSYS));
        assert_eq!(pack(0, 2, 0, 0).compare(u32::MAX), Ok(true));
        assert_eq!(pack(0, 4, 0, 0xfff).compare(0), Ok(true));
        assert_eq!(pack(0, 5, 0, 3).compare(3), Ok(true));
        assert_eq!(pack(0, 9, 0, 0).compare(0), Err(Errno::ENOSYS));
    }
}
