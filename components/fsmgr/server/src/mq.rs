//! POSIX message queues (mq_overview(7)): named, with priorities, to be waited for like other descriptions.

use alloc::collections::BTreeMap;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use fsmgr_api::Creds;
use lsyscall_abi::{Errno, PollFlags};

use crate::perm::{self, capable, in_group};
use crate::wait::{RunList, WaitQueue};

/// Messages and bytes of a message if the program does not say.
pub const DEFAULT: (i64, i64) = (10, 8192);
/// What the unprivileged may ask for at most, and what anybody may.
pub const SOFT: (i64, i64) = (10, 8192);
/// What anybody may ask for at most.
pub const HARD: (i64, i64) = (65536, 16 << 20);
/// Queues there may be without privilege (queues_max).
pub const MAX: usize = 256;
/// Priorities there are (MQ_PRIO_MAX).
pub const PRIORITIES: u32 = 32768;
/// Bytes that all messages together may take: what our memory bears.
pub const MAX_ALL: usize = 4 << 20;
/// Bytes a message and a node of Linux's tree of them count with (RLIMIT_MSGQUEUE).
const OVERHEAD: u64 = 48 + 8;

/// Who is told when a message arrives in an empty queue.
#[derive(Clone, Copy, Debug)]
pub struct Notify {
    /// Process id.
    pub pid: u32,
    /// The descriptor table it asked through: when that closes the queue, it is forgotten.
    pub table: u64,
    /// Signal, 0: none.
    pub signal: i32,
    /// si_value.
    pub value: u64,
}

/// A queue.
pub struct Mq {
    /// Who made it.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permissions.
    pub mode: u32,
    /// Messages there may be.
    pub max: i64,
    /// Bytes of a message.
    pub size: i64,
    /// The messages, by priority.
    messages: RefCell<BTreeMap<u32, Vec<Vec<u8>>>>,
    count: Cell<i64>,
    bytes: Cell<usize>,
    /// Whom to tell.
    pub notify: Cell<Option<Notify>>,
    /// Everyone who waits.
    pub queue: WaitQueue,
}

impl Mq {
    /// Messages in it.
    pub fn count(&self) -> i64 {
        self.count.get()
    }

    /// Bytes of the messages in it.
    pub fn bytes(&self) -> usize {
        self.bytes.get()
    }

    /// Whether no message fits.
    pub fn is_full(&self) -> bool {
        self.count.get() >= self.max
    }

    /// What poll(2) says.
    pub fn poll(&self) -> u32 {
        let mut mask = PollFlags::empty();
        if self.count.get() > 0 {
            mask |= PollFlags::IN | PollFlags::RDNORM;
        }
        if !self.is_full() {
            mask |= PollFlags::OUT | PollFlags::WRNORM;
        }
        mask.bits()
    }

    /// Adds a message.
    pub fn push(&self, priority: u32, body: Vec<u8>) {
        self.bytes.set(self.bytes.get() + body.len());
        self.count.set(self.count.get() + 1);
        let mut messages = self.messages.borrow_mut();
        messages.entry(priority).or_default().push(body);
        drop(messages);
        self.queue.wake();
    }

    /// Takes the oldest of the messages with the highest priority.
    pub fn pop(&self) -> Option<(u32, Vec<u8>)> {
        let mut messages = self.messages.borrow_mut();
        let mut last = messages.last_entry()?;
        let priority = *last.key();
        let body = last.get_mut().remove(0);
        if last.get().is_empty() {
            last.remove();
        }
        drop(messages);
        self.bytes.set(self.bytes.get().saturating_sub(body.len()));
        self.count.set(self.count.get() - 1);
        self.queue.wake();
        Some((priority, body))
    }

    /// A descriptor table has closed it: nobody is to be told through that one.
    pub fn closed(&self, table: u64) {
        if self.notify.get().is_some_and(|n| n.table == table) {
            self.notify.set(None);
        }
    }

    /// Bytes it counts with against its maker's RLIMIT_MSGQUEUE.
    fn cost(&self) -> u64 {
        cost(self.max, self.size)
    }

    /// Whether the permissions allow it. `EACCES`.
    fn may(&self, creds: &Creds, wanted: u32) -> Result<(), Errno> {
        let bits = if creds.uid == self.uid {
            self.mode >> 6
        } else if in_group(creds, self.gid) {
            self.mode >> 3
        } else {
            self.mode
        };
        let free = capable(creds, lsyscall_abi::consts::cap::CAP_DAC_OVERRIDE);
        match bits & wanted == wanted || free {
            true => Ok(()),
            false => Err(Errno::EACCES),
        }
    }
}

fn cost(max: i64, size: i64) -> u64 {
    let (max, size) = (max as u64, size as u64);
    max.saturating_mul(size.saturating_add(OVERHEAD))
}

/// All queues, by name.
#[derive(Default)]
pub struct Mqs {
    names: BTreeMap<Vec<u8>, Rc<Mq>>,
    /// Those without a name too, as long as they are open.
    all: Vec<Weak<Mq>>,
}

/// How a queue is to be opened.
pub struct Request<'a> {
    /// Who asks.
    pub creds: &'a Creds,
    /// To read and to write.
    pub wanted: u32,
    /// Make it if there is none; only if there is none.
    pub create: bool,
    /// Only if there is none.
    pub exclusive: bool,
    /// Permissions of a new one.
    pub mode: u32,
    /// Messages and bytes of a message of a new one.
    pub attr: Option<(i64, i64)>,
    /// RLIMIT_MSGQUEUE.
    pub limit: u64,
}

impl Mqs {
    /// Bytes of all messages.
    pub fn bytes(&self) -> usize {
        let alive = self.all.iter().filter_map(Weak::upgrade);
        alive.map(|mq| mq.bytes()).sum()
    }

    /// Finds a queue or makes it. `ENOENT`, `EEXIST`, `EACCES`, `EINVAL`, `ENOSPC`, `EMFILE`.
    pub fn open(
        &mut self,
        run: &Rc<RunList>,
        name: Vec<u8>,
        request: &Request<'_>,
    ) -> Result<Rc<Mq>, Errno> {
        use lsyscall_abi::consts::cap::CAP_SYS_RESOURCE;
        let creds = request.creds;
        if let Some(mq) = self.names.get(&name) {
            if request.create && request.exclusive {
                return Err(Errno::EEXIST);
            }
            mq.may(creds, request.wanted)?;
            return Ok(Rc::clone(mq));
        }
        if !request.create {
            return Err(Errno::ENOENT);
        }
        let privileged = capable(creds, CAP_SYS_RESOURCE);
        if self.names.len() >= MAX && !privileged || self.names.len() >= MAX * 4 {
            return Err(Errno::ENOSPC);
        }
        let (max, size) = request.attr.unwrap_or(DEFAULT);
        let most = if privileged { HARD } else { SOFT };
        if max <= 0 || size <= 0 || max > most.0 || size > most.1 {
            return Err(Errno::EINVAL);
        }
        self.all.retain(|mq| mq.strong_count() > 0);
        let alive = self.all.iter().filter_map(Weak::upgrade);
        let mine: u64 = alive
            .filter(|mq| mq.uid == creds.uid)
            .map(|mq| mq.cost())
            .sum();
        if mine.saturating_add(cost(max, size)) > request.limit {
            return Err(Errno::EMFILE);
        }
        crate::heap::headroom()?;
        let mq = Rc::new(Mq {
            uid: creds.uid,
            gid: creds.gid,
            mode: request.mode,
            max,
            size,
            messages: RefCell::new(BTreeMap::new()),
            count: Cell::new(0),
            bytes: Cell::new(0),
            notify: Cell::new(None),
            queue: WaitQueue::new(run),
        });
        self.all.push(Rc::downgrade(&mq));
        self.names.insert(name, Rc::clone(&mq));
        Ok(mq)
    }

    /// Takes a name away. `ENOENT`, `EPERM` (queues lie in a sticky directory).
    pub fn unlink(&mut self, name: &[u8], creds: &Creds) -> Result<(), Errno> {
        let mq = self.names.get(name).ok_or(Errno::ENOENT)?;
        if creds.uid != mq.uid && !perm::capable(creds, lsyscall_abi::consts::cap::CAP_FOWNER) {
            return Err(Errno::EPERM);
        }
        self.names.remove(name);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(creds: &Creds) -> Request<'_> {
        Request {
            creds,
            wanted: 6,
            create: true,
            exclusive: false,
            mode: 0o600,
            attr: Some((2, 10)),
            limit: 200,
        }
    }

    #[test]
    fn priorities_and_limits() {
        let (mut all, run) = (Mqs::default(), Rc::default());
        let root = Creds::ROOT;
        let mq = all.open(&run, b"a".to_vec(), &request(&root)).ok().unwrap();
        mq.push(1, b"low".to_vec());
        mq.push(5, b"high".to_vec());
        assert!(mq.is_full());
        assert_eq!(mq.pop(), Some((5, b"high".to_vec())));
        mq.push(1, b"later".to_vec());
        assert_eq!(mq.pop(), Some((1, b"low".to_vec())));
        assert_eq!((mq.count(), mq.bytes(), all.bytes()), (1, 5, 5));
        let err =
            |all: &mut Mqs, name: &[u8], r: &Request<'_>| all.open(&run, name.to_vec(), r).err();
        // Another one is more than the limit allows.
        assert_eq!(err(&mut all, b"b", &request(&root)), Some(Errno::EMFILE));
        let user = Creds {
            uid: 7,
            capabilities: 0,
            ..root
        };
        assert_eq!(err(&mut all, b"a", &request(&user)), Some(Errno::EACCES));
        assert_eq!(all.unlink(b"a", &user), Err(Errno::EPERM));
        let large = Request {
            attr: Some((11, 1)),
            limit: u64::MAX,
            ..request(&user)
        };
        assert_eq!(err(&mut all, b"c", &large), Some(Errno::EINVAL));
        assert_eq!(all.unlink(b"a", &root), Ok(()));
        assert_eq!(all.unlink(b"a", &root), Err(Errno::ENOENT));
    }
}
