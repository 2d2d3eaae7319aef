//! Parking calls and running them again.

use alloc::rc::Rc;

use console_api::Console;
use fsmgr_api::Target;
use lsyscall_abi::{Errno, ThreadIdx};
use lsyscall_router::{dispatch_fs, encode_result, Caller, Flow, SysResult};
use memmgr_api::Memory;

use crate::file::File;
use crate::task::Parked;
use crate::wait::WaitQueue;
use crate::FsMgr;

/// How a call waits.
#[derive(Default)]
pub struct Wait {
    /// The description it works on.
    pub file: Option<Rc<File>>,
    /// Bytes already moved.
    pub progress: u64,
    /// When it ends at the latest, in monotonic nanoseconds.
    pub deadline: Option<u64>,
    /// How it ends when interrupted; ERESTARTSYS unless told otherwise.
    pub restart: Option<Errno>,
    /// The signal mask it waits with, if not its thread's.
    pub mask: Option<u64>,
    /// Signals of which procmgr is to take one for it.
    pub take: Option<u64>,
    /// It waits for a record lock: the waiting and the holding descriptor table.
    pub lock: Option<(u64, u64)>,
}

/// What a call had done before it waited.
#[derive(Clone, Copy, Default)]
pub struct Before {
    /// Bytes already moved.
    pub progress: u64,
    /// Its deadline.
    pub deadline: Option<u64>,
}

impl<M: Memory, C: Console> FsMgr<M, C> {
    /// The ticket of the next call to be parked.
    pub(crate) fn ticket(&self) -> u64 {
        self.next_ticket
    }

    /// Parks the call of `c`. It is run again from its start when one of the queues to which its thread was added with
    /// [`FsMgr::ticket`] wakes, or at the deadline.
    pub(crate) fn park_ticket(&mut self, c: &Caller, wait: Wait) -> SysResult {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        if let Some(deadline) = wait.deadline {
            self.timers.add_thread(deadline, c.thread, ticket);
        }
        self.tasks.get_mut(c.thread)?.parked = Some(Parked {
            caller: *c,
            file: wait.file,
            progress: wait.progress,
            deadline: wait.deadline,
            restart: wait.restart.unwrap_or(Errno::ERESTARTSYS),
            mask: wait.mask,
            take: wait.take,
            lock: wait.lock,
            batch: (0, None),
            ticket,
        });
        if wait.mask.is_some() || wait.take.is_some() {
            self.wish_changed(c.thread);
        }
        Ok(Flow::Park)
    }

    /// Parks the call of `c` until `queue` wakes.
    pub(crate) fn park(&mut self, c: &Caller, queue: &WaitQueue, wait: Wait) -> SysResult {
        queue.add(c.thread, self.ticket());
        self.park_ticket(c, wait)
    }

    /// Parks the call of `c` until the description's state changes.
    pub(crate) fn park_on(&mut self, c: &Caller, file: &Rc<File>, progress: u64) -> SysResult {
        let wait = Wait {
            file: Some(Rc::clone(file)),
            progress,
            ..Wait::default()
        };
        match file.queue() {
            Some(queue) => self.park(c, queue, wait),
            None => Err(Errno::EAGAIN),
        }
    }

    /// The description a call that may wait works on, and what it had done before it waited.
    pub(crate) fn blocking_file(
        &mut self,
        c: &Caller,
        fd: i32,
    ) -> Result<(Rc<File>, Before), Errno> {
        match self.resumed.take() {
            Some(Parked {
                file: Some(file),
                progress,
                deadline,
                ..
            }) => Ok((file, Before { progress, deadline })),
            _ => Ok((self.file(c, fd)?, Before::default())),
        }
    }

    /// procmgr is to ask what the thread wants of its signals.
    pub(crate) fn wish_changed(&mut self, thread: ThreadIdx) {
        self.send(Target::Thread(thread), 0);
    }

    /// Takes the parked call of a thread off its deadline.
    pub(crate) fn unpark(&mut self, thread: ThreadIdx) -> Option<Parked> {
        let parked = self.tasks.get_mut(thread).ok()?.parked.take()?;
        if let Some(deadline) = parked.deadline {
            self.timers.remove_thread(deadline, thread, parked.ticket);
        }
        Some(parked)
    }

    /// Ends every entry: runs noted threads' calls again, gives memory objects back, announces deadlines.
    pub(crate) fn settle(&mut self) {
        loop {
            self.run_noted();
            self.signal_owners();
            self.bury_pairs();
            if self.vfs.files.socket_closed.replace(false) && self.vfs.in_flight.any() {
                drop(self.vfs.in_flight.take_garbage());
            }
            // The end of some may have woken others.
            if self.vfs.run.is_empty() {
                break;
            }
        }
        while let Some(vmo) = self.vfs.graveyard.pop() {
            let _ = self.mem.vmo_drop(vmo);
        }
        self.timers.announce();
    }

    fn run_noted(&mut self) {
        while let Some((thread, ticket)) = self.vfs.run.pop() {
            let meant = self.tasks.get(thread).ok().and_then(|t| t.parked.as_ref());
            if meant.is_none_or(|p| p.ticket != ticket) {
                continue;
            }
            let Some(parked) = self.unpark(thread) else {
                continue;
            };
            let (caller, masked) = (parked.caller, parked.mask.is_some());
            self.resumed = Some(parked);
            self.current = thread;
            let result = dispatch_fs(self, &caller);
            self.resumed = None;
            if let Some(value) = encode_result(result) {
                if masked {
                    self.wish_changed(thread);
                }
                match &mut self.entered {
                    Some((entered, end)) if *entered == thread => *end = Some(result),
                    _ => self.replies.complete(thread, value as i64),
                }
            }
        }
    }
}
