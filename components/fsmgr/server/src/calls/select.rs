//! select(2).

use alloc::rc::Rc;

use console_api::Console;
use lsyscall_abi::{Errno, PollFlags, Timespec, UserPtr};
use lsyscall_router::{Caller, Done, SysResult};
use memmgr_api::{Memory, Space};

use crate::heap::Scratch;
use crate::FsMgr;

/// What makes a descriptor of select(2)'s three sets ready.
const KINDS: [u32; 3] = [
    PollFlags::IN.bits() | PollFlags::RDNORM.bits() | PollFlags::HUP.bits() | PollFlags::ERR.bits(),
    PollFlags::OUT.bits() | PollFlags::WRNORM.bits() | PollFlags::ERR.bits(),
    PollFlags::PRI.bits(),
];

/// select(2)'s three sets of descriptors, as words of 64.
struct Sets([Scratch<128>; 3]);

impl Sets {
    fn new(bytes: usize) -> Result<Self, Errno> {
        Ok(Sets([
            Scratch::new(bytes)?,
            Scratch::new(bytes)?,
            Scratch::new(bytes)?,
        ]))
    }

    /// The word of an index in each set.
    fn words(&mut self, at: usize) -> [u64; 3] {
        self.0.each_mut().map(|set| {
            let word = set.bytes().get(at * 8..at * 8 + 8);
            word.and_then(|w| w.try_into().ok())
                .map_or(0, u64::from_le_bytes)
        })
    }

    fn set_words(&mut self, at: usize, words: [u64; 3]) {
        for (set, word) in self.0.iter_mut().zip(words) {
            if let Some(slot) = set.bytes().get_mut(at * 8..at * 8 + 8) {
                slot.copy_from_slice(&word.to_le_bytes());
            }
        }
    }
}

/// The bits set in any of the words of index `at`, as far as descriptors below `count` are meant.
fn bits(words: [u64; 3], count: usize, at: usize) -> impl Iterator<Item = u64> {
    let below = count.saturating_sub(at * 64);
    let valid = if below < 64 {
        (1 << below) - 1
    } else {
        u64::MAX
    };
    let mut left = words.into_iter().fold(0, |all, word| all | word) & valid;
    core::iter::from_fn(move || {
        let bit = left & left.wrapping_neg();
        left ^= bit;
        (bit != 0).then_some(bit)
    })
}

/// The descriptor of a bit in the word of index `at`.
fn descriptor(at: usize, bit: u64) -> i32 {
    at as i32 * 64 + bit.trailing_zeros() as i32
}

impl<M: Memory, C: Console> FsMgr<M, C> {
    pub(crate) fn pselect_call(
        &mut self,
        c: &Caller,
        nfds: i32,
        sets: [u64; 3],
        timeout: UserPtr<Timespec>,
        mask: u64,
    ) -> SysResult {
        let waiting = self.waiting(c, timeout, |this| match mask {
            0 => Ok(None),
            both => {
                let [at, size]: [u64; 2] = this.copy_in(c, both)?;
                this.mask_at(c, UserPtr::new(at), size as usize)
            }
        })?;
        let table = Rc::clone(&self.thread(c)?.files);
        let table = table.borrow();
        let count = usize::try_from(nfds).map_err(|_| Errno::EINVAL)?;
        let count = count.min(table.capacity());
        let bytes = count.div_ceil(64) * 8;
        let mut asked = Sets::new(bytes)?;
        let mut found = Sets::new(bytes)?;
        for (asked, at) in asked.0.iter_mut().zip(sets) {
            if at != 0 {
                self.mem
                    .copy_in(Space::Thread(c.thread), at, asked.bytes())?;
            }
        }
        let mut ready = 0u32;
        for at in 0..bytes / 8 {
            let wanted = asked.words(at);
            let mut told = [0; 3];
            for bit in bits(wanted, count, at) {
                let state = self.poll_file(table.get(descriptor(at, bit))?, 0);
                for ((wanted, told), kind) in wanted.iter().zip(&mut told).zip(KINDS) {
                    if wanted & bit != 0 && state & kind != 0 {
                        ready += 1;
                        *told |= bit;
                    }
                }
            }
            found.set_words(at, told);
        }
        if ready == 0 && !self.is_over(&waiting) {
            let ticket = self.ticket();
            for at in 0..bytes / 8 {
                for bit in bits(asked.words(at), count, at) {
                    if let Some(queue) = table.get(descriptor(at, bit))?.queue() {
                        queue.add(c.thread, ticket);
                    }
                }
            }
            return self.park_waiting(c, &waiting);
        }
        for ((found, asked), at) in found.0.iter_mut().zip(&mut asked.0).zip(sets) {
            if at != 0 && found.bytes() != asked.bytes() {
                self.mem
                    .copy_out(Space::Thread(c.thread), at, found.bytes())?;
            }
        }
        self.tell_rest(c, timeout, &waiting);
        Ok(ready).done()
    }
}
