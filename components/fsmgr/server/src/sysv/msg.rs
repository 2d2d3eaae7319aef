//! Message queues: msgget(2), msgsnd(2), msgrcv(2), msgctl(2).

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;

use console_api::Console;
use lsyscall_abi::consts::cap::CAP_SYS_RESOURCE;
use lsyscall_abi::Errno;
use lsyscall_router::{Caller, Done, SysResult, OK};
use memmgr_api::{Memory, Space};

use super::{long, put, Perm, IPC_INFO, IPC_NOWAIT, IPC_RMID, IPC_SET, IPC_STAT};
use super::{PERM_BYTES, READ, WRITE};
use crate::heap::{buffer, headroom};
use crate::park::Wait;
use crate::wait::WaitQueue;
use crate::FsMgr;

/// Queues there may be (MSGMNI).
pub const MAX: usize = 4096;
/// Bytes of a message (MSGMAX).
pub const MAX_MESSAGE: usize = 8192;
/// Bytes of a queue at first, and without privilege (MSGMNB).
pub const MAX_QUEUE: u64 = 16384;
/// Bytes of all messages together, with what it takes to keep them: what our memory bears.
const MAX_ALL: u64 = 4 << 20;
/// Bytes it takes to keep a message.
const OVERHEAD: u64 = 64;
const MSG_NOERROR: u32 = 0o10000;
const MSG_EXCEPT: u32 = 0o20000;
const MSG_COPY: u32 = 0o40000;
const MSG_STAT: i32 = 11;
const MSG_INFO: i32 = 12;
const MSG_STAT_ANY: i32 = 13;
/// Bytes of struct msqid64_ds.
const DS_BYTES: usize = 120;

/// A message.
struct Msg {
    kind: i64,
    body: Vec<u8>,
}

/// A queue.
pub struct MsgQueue {
    messages: VecDeque<Msg>,
    /// Bytes of the messages.
    pub bytes: u64,
    /// How many bytes there may be.
    limit: u64,
    /// Times of the last msgsnd, msgrcv and change (seconds).
    pub times: [i64; 3],
    /// Processes that sent and received last.
    pub last: [i32; 2],
    queue: Rc<WaitQueue>,
}

/// Which message a receiver wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    Any,
    Kind(i64),
    Not(i64),
    /// The lowest kind that is not above.
    UpTo(i64),
    /// The one at this place (MSG_COPY).
    Place(i64),
}

impl MsgQueue {
    /// Messages.
    pub fn count(&self) -> u64 {
        self.messages.len() as u64
    }

    fn fits(&self, len: u64) -> bool {
        self.bytes + len <= self.limit && self.count() < self.limit
    }

    fn find(&self, want: Want) -> Option<usize> {
        let kinds = || self.messages.iter().map(|m| m.kind).enumerate();
        match want {
            Want::Any => kinds().next(),
            Want::Kind(kind) => kinds().find(|(_, k)| *k == kind),
            Want::Not(kind) => kinds().find(|(_, k)| *k != kind),
            Want::UpTo(kind) => kinds().filter(|(_, k)| *k <= kind).min_by_key(|(_, k)| *k),
            Want::Place(place) => kinds().find(|(at, _)| *at as i64 == place),
        }
        .map(|(at, _)| at)
    }

    fn ds(&self, perm: &Perm) -> [u8; DS_BYTES] {
        let mut out = [0; DS_BYTES];
        perm.put(&mut out[..PERM_BYTES]);
        for (i, time) in self.times.iter().enumerate() {
            put(&mut out, 48 + i * 8, &time.to_le_bytes());
        }
        for (i, value) in [self.bytes, self.count(), self.limit].iter().enumerate() {
            put(&mut out, 72 + i * 8, &value.to_le_bytes());
        }
        put(&mut out, 96, &self.last[0].to_le_bytes());
        put(&mut out, 100, &self.last[1].to_le_bytes());
        out
    }
}

impl<M: Memory, C: Console> FsMgr<M, C> {
    pub(crate) fn msgget_call(&mut self, c: &Caller, key: i32, flags: u32) -> SysResult {
        let who = self.ipc_caller(c.thread)?;
        let (run, now) = (Rc::clone(&self.vfs.run), self.time().sec);
        let make = || {
            Ok(MsgQueue {
                messages: VecDeque::new(),
                bytes: 0,
                limit: MAX_QUEUE,
                times: [0, 0, now],
                last: [0, 0],
                queue: Rc::new(WaitQueue::new(&run)),
            })
        };
        let table = &mut self.sysv.msg;
        table
            .find_or_make(key, flags, &who, |_| Ok(()), make)
            .done()
    }

    pub(crate) fn msgsnd_call(
        &mut self,
        c: &Caller,
        id: i32,
        from: u64,
        len: usize,
        flags: u32,
    ) -> SysResult {
        let resumed = self.resumed.take().is_some();
        let space = Space::Thread(c.thread);
        let kind = self.mem.read_u64(space, from)? as i64;
        if len > MAX_MESSAGE || id < 0 || kind < 1 {
            return Err(Errno::EINVAL);
        }
        let mut body = buffer(len)?;
        self.mem.copy_in(space, from.wrapping_add(8), &mut body)?;
        let who = self.ipc_caller(c.thread)?;
        let now = self.time().sec;
        let cost = |q: &MsgQueue| q.bytes + q.count() * OVERHEAD;
        let all: u64 = self.sysv.msg.iter().map(|(_, e)| cost(&e.object)).sum();
        let entry = match self.sysv.msg.get_mut(id) {
            Err(_) if resumed => return Err(Errno::EIDRM),
            other => other?,
        };
        entry.perm.allow(&who, WRITE)?;
        let queue = &mut entry.object;
        if !queue.fits(len as u64) {
            if flags & IPC_NOWAIT != 0 {
                return Err(Errno::EAGAIN);
            }
            return self.wait_for_queue(c, id);
        }
        if all + len as u64 + OVERHEAD > MAX_ALL {
            return Err(Errno::ENOMEM);
        }
        headroom()?;
        queue.messages.push_back(Msg { kind, body });
        queue.bytes += len as u64;
        queue.times[0] = now;
        queue.last[0] = who.pid;
        queue.queue.wake();
        OK
    }

    fn wait_for_queue(&mut self, c: &Caller, id: i32) -> SysResult {
        let queue = Rc::clone(&self.sysv.msg.get(id)?.object.queue);
        let wait = Wait {
            restart: Some(Errno::ERESTARTNOHAND),
            ..Wait::default()
        };
        self.park(c, &queue, wait)
    }

    pub(crate) fn msgrcv_call(
        &mut self,
        c: &Caller,
        id: i32,
        to: u64,
        size: usize,
        kind: i64,
        flags: u32,
    ) -> SysResult {
        let resumed = self.resumed.take().is_some();
        if id < 0 || (size as i64) < 0 {
            return Err(Errno::EINVAL);
        }
        let copy = flags & MSG_COPY != 0;
        if copy && (flags & MSG_EXCEPT != 0 || flags & IPC_NOWAIT == 0) {
            return Err(Errno::EINVAL);
        }
        let want = match kind {
            place if copy => Want::Place(place),
            0 => Want::Any,
            kind if kind < 0 => Want::UpTo(kind.checked_neg().unwrap_or(i64::MAX)),
            kind if flags & MSG_EXCEPT != 0 => Want::Not(kind),
            kind => Want::Kind(kind),
        };
        let who = self.ipc_caller(c.thread)?;
        let now = self.time().sec;
        let entry = match self.sysv.msg.get_mut(id) {
            Err(_) if resumed => return Err(Errno::EIDRM),
            other => other?,
        };
        entry.perm.allow(&who, READ)?;
        let queue = &mut entry.object;
        let Some(at) = queue.find(want) else {
            if flags & IPC_NOWAIT != 0 {
                return Err(Errno::ENOMSG);
            }
            return self.wait_for_queue(c, id);
        };
        let len = queue.messages.get(at).map_or(0, |m| m.body.len());
        if size < len && flags & MSG_NOERROR == 0 {
            return Err(Errno::E2BIG);
        }
        let shown = len.min(size);
        let space = Space::Thread(c.thread);
        let tell = |mem: &M, message: &Msg| {
            mem.copy_out(space, to, &message.kind.to_le_bytes())?;
            let body = message.body.get(..shown).unwrap_or_default();
            mem.copy_out(space, to.wrapping_add(8), body)
        };
        if copy {
            if let Some(message) = queue.messages.get(at) {
                tell(&self.mem, message)?;
            }
            return Ok(shown).done();
        }
        let message = queue.messages.remove(at).ok_or(Errno::ENOMSG)?;
        queue.bytes = queue.bytes.saturating_sub(len as u64);
        queue.times[1] = now;
        queue.last[1] = who.pid;
        queue.queue.wake();
        // As on Linux the message is gone even if it cannot be told.
        tell(&self.mem, &message)?;
        Ok(shown).done()
    }

    pub(crate) fn msgctl_call(&mut self, c: &Caller, id: i32, command: i32, buf: u64) -> SysResult {
        if id < 0 || command < 0 {
            return Err(Errno::EINVAL);
        }
        let who = self.ipc_caller(c.thread)?;
        let space = Space::Thread(c.thread);
        match command {
            IPC_INFO | MSG_INFO => {
                let all = || self.sysv.msg.iter().map(|(_, entry)| &entry.object);
                let mut values = [
                    (MAX * MAX_QUEUE as usize / 1024) as i32,
                    MAX_QUEUE as i32,
                    MAX_MESSAGE as i32,
                    MAX_QUEUE as i32,
                    MAX as i32,
                    16,
                    MAX_QUEUE as i32,
                ];
                if command == MSG_INFO {
                    values[0] = all().count() as i32;
                    values[1] = all().map(MsgQueue::count).sum::<u64>() as i32;
                    values[6] = all().map(|q| q.bytes).sum::<u64>() as i32;
                }
                let mut out = [0; 32];
                for (i, value) in values.iter().enumerate() {
                    put(&mut out, i * 4, &value.to_le_bytes());
                }
                put(&mut out, 28, &u16::MAX.to_le_bytes());
                self.mem.copy_out(space, buf, &out)?;
                Ok(i64::from(self.sysv.msg.highest())).done()
            }
            IPC_STAT | MSG_STAT | MSG_STAT_ANY => {
                let (id, entry) = self.sysv.msg.look_up(id, command != IPC_STAT)?;
                if command != MSG_STAT_ANY {
                    entry.perm.allow(&who, READ)?;
                }
                let ds = entry.object.ds(&entry.perm);
                self.mem.copy_out(space, buf, &ds)?;
                Ok(if command == IPC_STAT { 0 } else { id }).done()
            }
            IPC_SET => {
                let mut ds = [0; DS_BYTES];
                self.mem.copy_in(space, buf, &mut ds)?;
                let now = self.time().sec;
                let limit = long(&ds, 88);
                let entry = self.sysv.msg.get_mut(id)?;
                entry.perm.own(&who)?;
                if limit > MAX_QUEUE && !who.has(CAP_SYS_RESOURCE) {
                    return Err(Errno::EPERM);
                }
                entry.perm.change(&ds);
                entry.object.limit = limit;
                entry.object.times[2] = now;
                entry.object.queue.wake();
                OK
            }
            IPC_RMID => {
                self.sysv.msg.get(id)?.perm.own(&who)?;
                if let Some(queue) = self.sysv.msg.remove(id) {
                    queue.queue.wake();
                }
                OK
            }
            _ => Err(Errno::EINVAL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receivers_choose() {
        let mut queue = MsgQueue {
            messages: VecDeque::new(),
            bytes: 0,
            limit: 10,
            times: [0; 3],
            last: [0; 2],
            queue: Rc::new(WaitQueue::new(&Rc::default())),
        };
        assert_eq!(queue.find(Want::Any), None);
        for kind in [5, 3, 4, 3] {
            let body = Vec::new();
            queue.messages.push_back(Msg { kind, body });
        }
        assert_eq!(queue.find(Want::Any), Some(0));
        assert_eq!(queue.find(Want::Kind(3)), Some(1));
        assert_eq!(queue.find(Want::Not(5)), Some(1));
        assert_eq!(queue.find(Want::UpTo(4)), Some(1));
        assert_eq!(queue.find(Want::UpTo(2)), None);
        assert_eq!(queue.find(Want::Place(3)), Some(3));
        assert_eq!(queue.find(Want::Place(4)), None);
        assert!(queue.fits(10) && !queue.fits(11));
    }
}
