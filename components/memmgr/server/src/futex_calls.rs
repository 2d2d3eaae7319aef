//! futex(2) and robust lists: the part that touches memory.

use alloc::vec::Vec;

use lsyscall_abi::consts::{futex::*, futex_flag::*};
use lsyscall_abi::{Errno, ThreadIdx};
use lsyscall_router::{Caller, Flow, SysResult};
use memmgr_api::Space as Which;

use crate::futex::Key;
use crate::machine::Machine;
use crate::server::Server;

const NANOS: u64 = 1_000_000_000;
/// Entries of a robust list that are walked at most, as Linux's ROBUST_LIST_LIMIT.
const ROBUST_LIMIT: u32 = 2048;

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
    fn key(&mut self, which: Which, addr: u64, private: bool) -> Result<Key, Errno> {
        if !addr.is_multiple_of(4) {
            return Err(Errno::EINVAL);
        }
        let id = self.space_id(which)?;
        if !private {
            let (_, space) = self.parts(which)?;
            if let Some((start, vma)) = space.vmas.find(addr) {
                if let (true, Some(object)) = (vma.shared, vma.object) {
                    return Ok(Key::Object(object, vma.offset_of(start, addr)));
                }
            }
        }
        Ok(Key::Private(id, addr))
    }

    fn finish(&mut self, woken: Vec<ThreadIdx>) -> i64 {
        let count = woken.len() as i64;
        for thread in woken {
            self.replies.complete(thread, 0);
        }
        if count > 0 {
            self.alarm.set(self.futexes.earliest());
        }
        count
    }

    /// Wakes waiters, for a thread's end.
    pub(crate) fn wake_futex(&mut self, which: Which, addr: u64, count: u32) -> Result<u32, Errno> {
        let key = self.key(which, addr, false)?;
        let woken = self.futexes.wake(key, count, FUTEX_BITSET_MATCH_ANY);
        Ok(self.finish(woken) as u32)
    }

    fn word(&mut self, which: Which, addr: u64) -> Result<u32, Errno> {
        let (core, space) = self.parts(which)?;
        core.read_user_u32(space, addr)
    }

    fn set_word(&mut self, which: Which, addr: u64, value: u32) -> Result<(), Errno> {
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
        if real && command != FUTEX_WAIT_BITSET {
            return Err(Errno::ENOSYS);
        }
        let val2 = timeout as u32;
        match command {
            FUTEX_WAIT | FUTEX_WAIT_BITSET => {
                let absolute = command == FUTEX_WAIT_BITSET;
                let bits = if absolute {
                    val3
                } else {
                    FUTEX_BITSET_MATCH_ANY
                };
                if bits == 0 {
                    return Err(Errno::EINVAL);
                }
                let deadline = self.deadline(which, timeout, absolute, real)?;
                let key = self.key(which, addr, private)?;
                if self.word(which, addr)? != val {
                    return Err(Errno::EAGAIN);
                }
                if deadline.is_some_and(|at| at <= self.env.now_ns()) {
                    return Err(Errno::ETIMEDOUT);
                }
                self.futexes.wait(c.thread, key, bits, deadline);
                self.alarm.set(self.futexes.earliest());
                Ok(Flow::Park)
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
                let woken = self.futexes.wake(key, count, bits);
                Ok(Flow::Done(self.finish(woken)))
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
                let woken = self.futexes.wake(from, val, FUTEX_BITSET_MATCH_ANY);
                let moved = self.futexes.requeue(from, to, val2);
                Ok(Flow::Done(self.finish(woken) + i64::from(moved)))
            }
            FUTEX_WAKE_OP => {
                let first = self.key(which, addr, private)?;
                let second = self.key(which, addr2, private)?;
                let op = WakeOp(val3);
                let old = self.word(which, addr2)?;
                let new = op.apply(old)?;
                self.set_word(which, addr2, new)?;
                let both = op.compare(old)?;
                let any = FUTEX_BITSET_MATCH_ANY;
                let mut woken = self.futexes.wake(first, (val as i32).max(1) as u32, any);
                if both {
                    let count = (val2 as i32).max(1) as u32;
                    woken.extend(self.futexes.wake(second, count, any));
                }
                Ok(Flow::Done(self.finish(woken)))
            }
            _ => Err(Errno::ENOSYS),
        }
    }

    /// Marks the futexes of a dying thread's robust list, as exit_robust_list does. A broken list ends the walk.
    pub(crate) fn walk_robust_list(&mut self, thread: ThreadIdx, head: u64, tid: u32) {
        // An error means that the list is not what it should be: then nothing more can be done for its owner.
        let _ = self.robust_list(Which::Thread(thread), head, tid);
    }

    fn robust_list(&mut self, which: Which, head: u64, tid: u32) -> Result<(), Errno> {
        let mut read = |addr: u64| {
            let (core, space) = self.parts(which)?;
            core.read_user_u64(space, addr)
        };
        let mut entry = read(head)?;
        let offset = read(head.wrapping_add(8))?;
        let pending = read(head.wrapping_add(16))?;
        let mut left = ROBUST_LIMIT;
        // Bit 0 marks a priority-inheriting futex.
        while entry & !1 != head && left > 0 {
            let at = entry & !1;
            let next = {
                let (core, space) = self.parts(which)?;
                core.read_user_u64(space, at)
            };
            if at != pending & !1 {
                self.owner_died(which, at.wrapping_add(offset), tid, false)?;
            }
            entry = next?;
            left -= 1;
        }
        if pending & !1 != 0 {
            self.owner_died(which, (pending & !1).wrapping_add(offset), tid, true)?;
        }
        Ok(())
    }

    fn owner_died(
        &mut self,
        which: Which,
        addr: u64,
        tid: u32,
        pending: bool,
    ) -> Result<(), Errno> {
        if !addr.is_multiple_of(4) {
            return Err(Errno::EINVAL);
        }
        let old = self.word(which, addr)?;
        let owner = old & FUTEX_TID_MASK;
        if pending && old == 0 {
            // It died between unlocking and waking.
            self.wake_futex(which, addr, 1)?;
        }
        if owner != tid {
            return Ok(());
        }
        self.set_word(which, addr, (old & FUTEX_WAITERS) | FUTEX_OWNER_DIED)?;
        if old & FUTEX_WAITERS != 0 {
            self.wake_futex(which, addr, 1)?;
        }
        Ok(())
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
