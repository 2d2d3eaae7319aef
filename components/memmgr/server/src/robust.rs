//! Robust lists: what is left of the locks of a thread that has ended.

use lsyscall_abi::consts::futex_flag::*;
use lsyscall_abi::{Errno, ThreadIdx};
use memmgr_api::Space as Which;

use crate::machine::Machine;
use crate::server::Server;

/// Entries of a robust list that are walked at most, as Linux's ROBUST_LIST_LIMIT.
const ROBUST_LIMIT: u32 = 2048;
/// The bit of an entry's address that marks a priority-inheriting futex.
const PI: u64 = 1;

impl<M: Machine> Server<M> {
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
        while entry & !PI != head && left > 0 {
            let at = entry & !PI;
            let next = {
                let (core, space) = self.parts(which)?;
                core.read_user_u64(space, at)
            };
            if at != pending & !PI {
                let word = at.wrapping_add(offset);
                self.owner_died(which, word, tid, entry & PI != 0, false)?;
            }
            entry = next?;
            left -= 1;
        }
        if pending & !PI != 0 {
            let word = (pending & !PI).wrapping_add(offset);
            self.owner_died(which, word, tid, pending & PI != 0, true)?;
        }
        Ok(())
    }

    fn owner_died(
        &mut self,
        which: Which,
        addr: u64,
        tid: u32,
        pi: bool,
        pending: bool,
    ) -> Result<(), Errno> {
        if !addr.is_multiple_of(4) {
            return Err(Errno::EINVAL);
        }
        let old = self.word(which, addr)?;
        let owner = old & FUTEX_TID_MASK;
        if pending && !pi && owner == 0 {
            // It died between unlocking and waking.
            self.wake_futex(which, addr, 1)?;
            return Ok(());
        }
        if owner != tid {
            return Ok(());
        }
        self.set_word(which, addr, (old & FUTEX_WAITERS) | FUTEX_OWNER_DIED)?;
        // A priority-inheriting futex goes to its next owner by itself.
        if !pi && old & FUTEX_WAITERS != 0 {
            self.wake_futex(which, addr, 1)?;
        }
        Ok(())
    }
}
