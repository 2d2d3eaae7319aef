//! Signals instead of waiting (O_ASYNC, fcntl(2)): who gets them, and when a description's state is news.

use alloc::rc::Rc;
use core::cell::Cell;

use console_api::Console;
use fsmgr_api::{Creds, Target};
use lsyscall_abi::signal::SIGIO;
use lsyscall_abi::{Errno, PollFlags};
use memmgr_api::Memory;

use crate::file::{File, Object};
use crate::FsMgr;

/// Whom F_SETOWN and F_SETOWN_EX name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Owner {
    /// Nobody.
    #[default]
    Nobody,
    /// A thread.
    Thread(i32),
    /// A process.
    Process(i32),
    /// A process group.
    Group(i32),
}

impl Owner {
    /// As F_SETOWN has it: a process, or a group as a negative number. `EINVAL`.
    pub fn from_number(number: i32) -> Result<Owner, Errno> {
        Ok(match number {
            0 => Owner::Nobody,
            i32::MIN => return Err(Errno::EINVAL),
            n if n < 0 => Owner::Group(-n),
            n => Owner::Process(n),
        })
    }

    /// As F_GETOWN has it.
    pub fn number(self) -> i32 {
        match self {
            Owner::Nobody => 0,
            Owner::Thread(id) | Owner::Process(id) => id,
            Owner::Group(id) => -id,
        }
    }

    /// As struct f_owner_ex has it: type and id. `EINVAL` for an unknown type.
    pub fn from_pair(kind: i32, id: i32) -> Result<Owner, Errno> {
        match kind {
            0..=2 if id == 0 => Ok(Owner::Nobody),
            0 => Ok(Owner::Thread(id)),
            1 => Ok(Owner::Process(id)),
            2 => Ok(Owner::Group(id)),
            _ => Err(Errno::EINVAL),
        }
    }

    /// The same, as F_GETOWN_EX tells it.
    pub fn pair(self) -> (i32, i32) {
        match self {
            Owner::Thread(id) => (0, id),
            Owner::Nobody => (1, 0),
            Owner::Process(id) => (1, id),
            Owner::Group(id) => (2, id),
        }
    }
}

/// What a description needs for signals.
#[derive(Default)]
pub struct Async {
    /// Who gets them.
    pub owner: Cell<Owner>,
    /// The user who said so: it must be allowed to signal the owner.
    user: Cell<(u32, u32)>,
    /// The descriptor that is told.
    fd: Cell<i32>,
    /// The state that is no news any more.
    seen: Cell<u32>,
}

impl Async {
    /// Names the owner, on behalf of somebody.
    pub fn set_owner(&self, owner: Owner, creds: &Creds) {
        self.owner.set(owner);
        self.user.set((creds.real_uid, creds.uid));
    }
}

/// Whether a description can signal at all.
pub fn can_signal(file: &File) -> bool {
    matches!(
        file.object,
        Object::Pipe(_)
            | Object::Socket(_)
            | Object::Tty(_)
            | Object::Master(_)
            | Object::Inotify(_)
    )
}

impl<M: Memory, C: Console> FsMgr<M, C> {
    /// O_ASYNC was set or taken away by way of a descriptor.
    pub(crate) fn set_async(&self, file: &Rc<File>, fd: i32, on: bool) {
        if let Some(queue) = file.queue().filter(|_| on && can_signal(file)) {
            file.notices.fd.set(fd);
            file.notices.seen.set(self.poll_file(file, 0));
            queue.watch_async(file);
        }
    }

    /// Whether the owner exists. `ESRCH`.
    pub(crate) fn check_owner(&self, owner: Owner) -> Result<(), Errno> {
        let table = &self.tasks.table;
        let there = match owner {
            Owner::Nobody => true,
            Owner::Thread(id) => table.find_task(id as u32).is_some(),
            Owner::Process(id) => table.find(id as u32).is_some(),
            Owner::Group(id) => table.processes().any(|p| p.pgid == id as u32),
        };
        if there {
            Ok(())
        } else {
            Err(Errno::ESRCH)
        }
    }

    /// Signals the owners of descriptions whose state has changed.
    pub(crate) fn signal_owners(&mut self) {
        while let Some(file) = self.vfs.run.next_async() {
            let state = self.poll_file(&file, 0);
            let news = state & !file.notices.seen.replace(state);
            let (code, band) = if news & (PollFlags::ERR | PollFlags::HUP).bits() != 0 {
                (POLL_HUP, PollFlags::HUP.bits() | PollFlags::ERR.bits())
            } else if news & PollFlags::READS != 0 {
                (POLL_IN, PollFlags::READS)
            } else if news & PollFlags::WRITES != 0 {
                (POLL_OUT, PollFlags::WRITES | PollFlags::WRBAND.bits())
            } else {
                continue;
            };
            self.signal_owner(&file, code, band);
        }
    }

    fn signal_owner(&mut self, file: &File, code: i32, band: u32) {
        let notices = &file.notices;
        let table = &self.tasks.table;
        let (target, receiver) = match notices.owner.get() {
            Owner::Nobody => return,
            Owner::Thread(id) => match table.find_task(id as u32) {
                Some((process, thread)) => (Target::Thread(thread), Some(process)),
                None => return,
            },
            Owner::Process(id) => (Target::Process(id), table.find(id as u32)),
            Owner::Group(id) => (
                Target::Group(id),
                table.processes().find(|p| p.pgid == id as u32),
            ),
        };
        let (real, effective) = notices.user.get();
        let allowed = effective == 0
            || receiver.is_some_and(|p| {
                let targets = [p.uids[0], p.uids[2]];
                targets.contains(&real) || targets.contains(&effective)
            });
        if !allowed {
            return;
        }
        match file.signal.get() {
            0 => self.send(target, SIGIO),
            signal => {
                let words = [band.into(), notices.fd.get() as u32 as u64];
                self.send_info(target, signal, code, words);
            }
        }
    }
}

/// si_code: data to read.
const POLL_IN: i32 = 1;
/// si_code: room to write.
const POLL_OUT: i32 = 2;
/// si_code: the other side is gone.
const POLL_HUP: i32 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_have_numbers() {
        for number in [0, 5, -7] {
            assert_eq!(Owner::from_number(number).map(Owner::number), Ok(number));
        }
        assert_eq!(Owner::from_number(i32::MIN), Err(Errno::EINVAL));
        for pair in [(0, 4), (1, 4), (2, 4)] {
            assert_eq!(Owner::from_pair(pair.0, pair.1).map(Owner::pair), Ok(pair));
        }
        assert_eq!(Owner::from_pair(3, 4), Err(Errno::EINVAL));
    }
}
