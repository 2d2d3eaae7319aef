//! Futexes with an owner (futex(2), "Priority-inheritance futexes"). The word holds the owner's thread id; ownership passes
//! from thread to thread here, in one step with the word.

use lsyscall_abi::consts::futex_flag::*;
use lsyscall_abi::{Errno, ThreadIdx};
use lsyscall_router::{Caller, Flow, SysResult, OK};
use memmgr_api::Space as Which;

use crate::futex::{Key, Kind};
use crate::machine::Machine;
use crate::server::Server;

/// What an attempt to become the owner led to.
enum Attempt {
    /// The thread is the owner.
    Owns,
    /// Another one is, and the word says that somebody waits.
    OwnedBy(ThreadIdx),
}

impl<M: Machine> Server<M> {
    /// Makes `thread` the owner of a futex, if it has none; `contended`: others wait for it as well.
    fn acquire(
        &mut self,
        key: Key,
        (which, addr): (Which, u64),
        thread: ThreadIdx,
        contended: bool,
    ) -> Result<Attempt, Errno> {
        let tid = self.ids.tid(thread).ok_or(Errno::ESRCH)?;
        let old = self.word(which, addr)?;
        let owner = old & FUTEX_TID_MASK;
        if owner == tid {
            return Err(Errno::EDEADLK);
        }
        if let Some((_, kind)) = self.futexes.first(key) {
            let known = self.futexes.owner(key);
            let (Kind::Pi(..), Some(known)) = (kind, known) else {
                return Err(Errno::EINVAL);
            };
            if self.ids.tid(known) != Some(owner) {
                return Err(Errno::EINVAL);
            }
            return Ok(Attempt::OwnedBy(known));
        }
        if owner == 0 {
            let waiters = if contended { FUTEX_WAITERS } else { 0 };
            self.set_word(which, addr, old & FUTEX_OWNER_DIED | tid | waiters)?;
            return Ok(Attempt::Owns);
        }
        self.set_word(which, addr, old | FUTEX_WAITERS)?;
        self.ids
            .thread(owner)
            .map(Attempt::OwnedBy)
            .ok_or(Errno::ESRCH)
    }

    /// FUTEX_LOCK_PI, FUTEX_LOCK_PI2 and, with `only_try`, FUTEX_TRYLOCK_PI.
    pub(crate) fn lock_pi(
        &mut self,
        c: &Caller,
        addr: u64,
        private: bool,
        deadline: Option<u64>,
        only_try: bool,
    ) -> SysResult {
        let which = Which::Thread(c.thread);
        let key = self.key(which, addr, private)?;
        let owner = match self.acquire(key, (which, addr), c.thread, false)? {
            Attempt::Owns => return OK,
            Attempt::OwnedBy(_) if only_try => return Err(Errno::EAGAIN),
            Attempt::OwnedBy(owner) => owner,
        };
        if self.futexes.would_deadlock(c.thread, owner) {
            return Err(Errno::EDEADLK);
        }
        self.park(deadline, |server| {
            let kind = Kind::Pi(addr, false);
            server
                .futexes
                .wait_owned(c.thread, key, kind, owner, deadline);
        })
    }

    /// FUTEX_UNLOCK_PI.
    pub(crate) fn unlock_pi(&mut self, c: &Caller, addr: u64, private: bool) -> SysResult {
        let which = Which::Thread(c.thread);
        let tid = self.ids.tid(c.thread).ok_or(Errno::ESRCH)?;
        if self.word(which, addr)? & FUTEX_TID_MASK != tid {
            return Err(Errno::EPERM);
        }
        let key = self.key(which, addr, private)?;
        if self.futexes.first(key).is_none() {
            return self.set_word(which, addr, 0).map(|()| Flow::Done(0));
        }
        if self.futexes.owner(key) != Some(c.thread) {
            return Err(Errno::EINVAL);
        }
        // The word before the wait's end: if it cannot be written, nothing has happened.
        let next = match self.futexes.first(key) {
            Some((thread, Kind::Pi(..))) => self.ids.tid(thread).ok_or(Errno::ESRCH)?,
            _ => return Err(Errno::EINVAL),
        };
        self.set_word(which, addr, FUTEX_WAITERS | next)?;
        self.pass_on(key);
        OK
    }

    /// Ends the wait of the thread that owns a futex next.
    fn pass_on(&mut self, key: Key) {
        if let Some((thread, _)) = self.futexes.hand_over(key) {
            self.finish(alloc::vec![(thread, 0)]);
        }
    }

    /// FUTEX_WAIT_REQUEUE_PI.
    pub(crate) fn wait_requeue_pi(
        &mut self,
        c: &Caller,
        (addr, val): (u64, u32),
        addr2: u64,
        private: bool,
        deadline: Option<u64>,
    ) -> SysResult {
        let which = Which::Thread(c.thread);
        if addr == addr2 {
            return Err(Errno::EINVAL);
        }
        let target = self.key(which, addr2, private)?;
        let key = self.key(which, addr, private)?;
        if self.word(which, addr)? != val {
            return Err(Errno::EAGAIN);
        }
        if key == target {
            return Err(Errno::EINVAL);
        }
        self.park(deadline, |server| {
            let kind = Kind::Requeue(target, addr2);
            server.futexes.wait(c.thread, key, kind, deadline);
        })
    }

    /// FUTEX_CMP_REQUEUE_PI: the first waiter becomes the owner of the second futex if it has none; the others wait for it.
    pub(crate) fn requeue_pi(
        &mut self,
        c: &Caller,
        (addr, wake): (u64, u32),
        (addr2, requeue): (u64, u32),
        expected: u32,
        private: bool,
    ) -> SysResult {
        let which = Which::Thread(c.thread);
        if (wake as i32) < 0 || (requeue as i32) < 0 || addr == addr2 || wake != 1 {
            return Err(Errno::EINVAL);
        }
        let from = self.key(which, addr, private)?;
        let to = self.key(which, addr2, private)?;
        if from == to {
            return Err(Errno::EINVAL);
        }
        if self.word(which, addr)? != expected {
            return Err(Errno::EAGAIN);
        }
        let mut served = 0i64;
        while served <= i64::from(requeue) {
            let Some((thread, kind)) = self.futexes.first(from) else {
                break;
            };
            let at = match kind {
                Kind::Requeue(target, at) if target == to => at,
                _ => return Err(Errno::EINVAL),
            };
            let owner = match self.futexes.owner(to) {
                Some(owner) => owner,
                None => match self.acquire(to, (which, addr2), thread, requeue > 0)? {
                    Attempt::Owns => {
                        self.futexes.remove(thread);
                        self.finish(alloc::vec![(thread, 0)]);
                        served += 1;
                        continue;
                    }
                    Attempt::OwnedBy(owner) => owner,
                },
            };
            if self.futexes.would_deadlock(thread, owner) {
                return Err(Errno::EDEADLK);
            }
            let deadline = self.futexes.deadline(thread);
            let kind = Kind::Pi(at, true);
            self.futexes.wait_owned(thread, to, kind, owner, deadline);
            served += 1;
        }
        Ok(Flow::Done(served))
    }

    /// A thread has ended: the futexes it owned go to those who wait for them, who learn that their owner died.
    pub(crate) fn give_up_owned(&mut self, thread: ThreadIdx) {
        for key in self.futexes.owned_by(thread) {
            let Some((next, Kind::Pi(addr, _))) = self.futexes.first(key) else {
                continue;
            };
            if let Some(tid) = self.ids.tid(next) {
                let word = FUTEX_WAITERS | FUTEX_OWNER_DIED | tid;
                // A waiter that has unmapped the futex has only itself to blame.
                let _ = self.set_word(Which::Thread(next), addr, word);
            }
            self.pass_on(key);
        }
    }
}
