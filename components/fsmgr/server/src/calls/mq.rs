//! mq_open(2) and its relatives.

use alloc::rc::Rc;

use console_api::Console;
use fsmgr_api::{FsEvent, Target};
use lsyscall_abi::{Errno, OpenFlags, Signal, Timespec, UserPtr, UserSlice, UserStr};
use lsyscall_router::{Caller, Done, SysResult, OK};
use memmgr_api::{Memory, Space};

use crate::file::{File, Object};
use crate::heap::buffer;
use crate::mq::{Mq, Notify, Request, MAX_ALL, PRIORITIES};
use crate::park::Wait;
use crate::FsMgr;

/// si_code of a message's arrival.
const SI_MESGQ: i32 = -3;
/// Ways of being told (sigevent(7)).
const SIGEV_SIGNAL: i32 = 0;
const SIGEV_NONE: i32 = 1;
/// Bytes of struct mq_attr.
const ATTR_BYTES: usize = 64;
/// The number of mq_timedreceive.
const MQ_TIMEDRECEIVE: u32 = 183;
/// Longest name.
const NAME_MAX: usize = 255;

fn word(from: &[u8], at: usize) -> i64 {
    let mut bytes = [0; 8];
    if let Some(part) = from.get(at..at + 8) {
        bytes.copy_from_slice(part);
    }
    i64::from_le_bytes(bytes)
}

impl<M: Memory, C: Console> FsMgr<M, C> {
    /// A queue's name: an entry of the one directory there is. `EFAULT`, `EACCES`, `ENAMETOOLONG`.
    fn queue_name(&self, c: &Caller, name: UserStr) -> Result<alloc::vec::Vec<u8>, Errno> {
        let space = Space::Thread(c.thread);
        let name = self
            .mem
            .read_cstr(space, name.addr(), lsyscall_abi::PATH_MAX)?;
        if name.is_empty() {
            return Err(Errno::EINVAL);
        }
        if name.contains(&b'/') || name == b"." || name == b".." {
            return Err(Errno::EACCES);
        }
        if name.len() > NAME_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        Ok(name)
    }

    pub(crate) fn mq_open_call(
        &mut self,
        c: &Caller,
        name: UserStr,
        flags: OpenFlags,
        mode: u32,
        attr: u64,
    ) -> SysResult {
        let mut raw = [0; ATTR_BYTES];
        if attr != 0 {
            self.mem.copy_in(Space::Thread(c.thread), attr, &mut raw)?;
        }
        let name = self.queue_name(c, name)?;
        let wanted = match flags.bits() & 3 {
            0 => crate::perm::READ,
            1 => crate::perm::WRITE,
            2 => crate::perm::READ | crate::perm::WRITE,
            _ => return Err(Errno::EINVAL),
        };
        let thread = self.thread(c)?;
        thread.files.borrow().check_room(1)?;
        let (creds, umask) = (Rc::clone(&thread.creds), thread.fs.umask.get());
        let limit = thread.files.borrow().queues;
        let request = Request {
            creds: &creds,
            wanted,
            create: flags.contains(OpenFlags::CREAT),
            exclusive: flags.contains(OpenFlags::EXCL),
            mode: mode & 0o777 & !umask,
            attr: (attr != 0).then(|| (word(&raw, 8), word(&raw, 16))),
            limit,
        };
        let mq = self.mqs.open(&self.vfs.run, name, &request)?;
        let status = flags & (OpenFlags::NONBLOCK | OpenFlags::WRONLY | OpenFlags::RDWR);
        let file = self.vfs.open(Object::Mq(mq), self.vfs.anon(), status)?;
        self.install(c, file, true).done()
    }

    pub(crate) fn mq_unlink_call(&mut self, c: &Caller, name: UserStr) -> SysResult {
        let name = self.queue_name(c, name)?;
        let creds = self.creds(c)?;
        self.mqs.unlink(&name, &creds).done()
    }

    fn mq_of(file: &File) -> Result<Rc<Mq>, Errno> {
        match &file.object {
            Object::Mq(mq) => Ok(Rc::clone(mq)),
            _ => Err(Errno::EBADF),
        }
    }

    /// The deadline of a wait, in monotonic nanoseconds: the program's is wall-clock time.
    fn mq_deadline(&self, c: &Caller, at: UserPtr<Timespec>) -> Result<Option<u64>, Errno> {
        let span = self.timeout_at(c, at)?;
        Ok(span.map(|ns| ns.saturating_sub(self.realtime_offset()).max(1)))
    }

    /// Waits for a change of the queue, unless the program does not want that or its time is over.
    fn mq_wait(&mut self, c: &Caller, file: Rc<File>, mq: &Mq, deadline: Option<u64>) -> SysResult {
        if file.flags().contains(OpenFlags::NONBLOCK) {
            return Err(Errno::EAGAIN);
        }
        if deadline.is_some_and(|at| at <= self.now()) {
            return Err(Errno::ETIMEDOUT);
        }
        let wait = Wait {
            file: Some(file),
            deadline,
            ..Wait::default()
        };
        self.park(c, &mq.queue, wait)
    }

    pub(crate) fn mq_send_call(
        &mut self,
        c: &Caller,
        fd: i32,
        message: UserSlice,
        priority: u32,
        at: UserPtr<Timespec>,
    ) -> SysResult {
        let told = match &self.resumed {
            Some(_) => None,
            None => self.mq_deadline(c, at)?,
        };
        if priority >= PRIORITIES {
            return Err(Errno::EINVAL);
        }
        let (file, before) = self.blocking_file(c, fd)?;
        let deadline = before.deadline.or(told);
        let mq = Self::mq_of(&file)?;
        if !file.writes() {
            return Err(Errno::EBADF);
        }
        if message.len as u64 > mq.size as u64 {
            return Err(Errno::EMSGSIZE);
        }
        let mut body = buffer(message.len)?;
        self.mem
            .copy_in(Space::Thread(c.thread), message.addr, &mut body)?;
        if mq.is_full() {
            return self.mq_wait(c, file, &mq, deadline);
        }
        if self.mqs.bytes() + body.len() > MAX_ALL {
            return Err(Errno::ENOMEM);
        }
        crate::heap::headroom()?;
        let first = mq.count() == 0 && !self.somebody_receives(&mq);
        mq.push(priority, body);
        if first {
            self.mq_tell(c, &mq);
        }
        OK
    }

    /// Whether a call waits for a message of the queue: then nobody else is told of one.
    fn somebody_receives(&self, mq: &Rc<Mq>) -> bool {
        let mut parked = self.tasks.iter().filter_map(|t| t.parked.as_ref());
        parked.any(|parked| {
            let object = parked.file.as_ref().map(|f| &f.object);
            parked.caller.nr == MQ_TIMEDRECEIVE
                && matches!(object, Some(Object::Mq(other)) if Rc::ptr_eq(other, mq))
        })
    }

    /// A message has come into an empty queue that nobody waits for: who wanted to know is told, once.
    fn mq_tell(&mut self, c: &Caller, mq: &Mq) {
        let Some(notify) = mq.notify.take() else {
            return;
        };
        let Ok(signal) = u8::try_from(notify.signal) else {
            return;
        };
        if signal == 0 || self.events.len() >= crate::MAX_EVENTS {
            return;
        }
        let sender = self.tasks.table.process_of(c.thread);
        let (pid, uid) = sender.map_or((0, 0), |p| (p.pid, p.uids[0]));
        self.events.push_back(FsEvent {
            target: Target::Process(notify.pid as i32),
            signal,
            code: SI_MESGQ,
            first: u64::from(pid) | u64::from(uid) << 32,
            second: notify.value,
        });
        self.events_out.signal();
    }

    pub(crate) fn mq_receive_call(
        &mut self,
        c: &Caller,
        fd: i32,
        to: UserSlice,
        priority: UserPtr<u32>,
        at: UserPtr<Timespec>,
    ) -> SysResult {
        let resumed = self.resumed.is_some();
        let told = if resumed {
            None
        } else {
            self.mq_deadline(c, at)?
        };
        let (file, before) = self.blocking_file(c, fd)?;
        let deadline = before.deadline.or(told);
        let mq = Self::mq_of(&file)?;
        if !file.reads() {
            return Err(Errno::EBADF);
        }
        if (to.len as u64) < mq.size as u64 {
            return Err(Errno::EMSGSIZE);
        }
        let Some((level, body)) = mq.pop() else {
            return self.mq_wait(c, file, &mq, deadline);
        };
        let space = Space::Thread(c.thread);
        if !priority.is_null() {
            self.copy_out(c, priority.addr(), &level)?;
        }
        self.mem.copy_out(space, to.addr, &body)?;
        Ok(body.len()).done()
    }

    pub(crate) fn mq_notify_call(&mut self, c: &Caller, fd: i32, event: u64) -> SysResult {
        let mut raw = [0; 64];
        if event != 0 {
            self.mem.copy_in(Space::Thread(c.thread), event, &mut raw)?;
        }
        let (value, rest) = (word(&raw, 0) as u64, word(&raw, 8));
        let (signal, how) = (rest as i32, (rest >> 32) as i32);
        if event != 0 {
            match how {
                SIGEV_NONE => {}
                SIGEV_SIGNAL if Signal(signal).is_valid() => {}
                // SIGEV_THREAD needs a netlink socket, of which there are none.
                _ => return Err(Errno::EINVAL),
            }
        }
        let file = self.file(c, fd)?;
        let mq = Self::mq_of(&file)?;
        let own = self.tasks.table.process_of(c.thread).map_or(0, |p| p.pid);
        let now = mq.notify.get();
        if event == 0 {
            if now.is_some_and(|n| n.pid == own) {
                mq.notify.set(None);
            }
            return OK;
        }
        if now.is_some() {
            return Err(Errno::EBUSY);
        }
        mq.notify.set(Some(Notify {
            pid: own,
            table: self.thread(c)?.files.borrow().id,
            signal: if how == SIGEV_SIGNAL { signal } else { 0 },
            value,
        }));
        OK
    }

    pub(crate) fn mq_attr_call(&mut self, c: &Caller, fd: i32, new: u64, old: u64) -> SysResult {
        let space = Space::Thread(c.thread);
        let nonblock = i64::from(OpenFlags::NONBLOCK.bits());
        let mut wanted = None;
        if new != 0 {
            let mut raw = [0; ATTR_BYTES];
            self.mem.copy_in(space, new, &mut raw)?;
            let flags = word(&raw, 0);
            if flags & !nonblock != 0 {
                return Err(Errno::EINVAL);
            }
            wanted = Some(flags != 0);
        }
        let file = self.file(c, fd)?;
        let mq = Self::mq_of(&file)?;
        let flags = i64::from(file.flags().bits()) & nonblock;
        if let Some(on) = wanted {
            let mut flags = file.flags() - OpenFlags::NONBLOCK;
            if on {
                flags |= OpenFlags::NONBLOCK;
            }
            file.set_flags(flags.bits());
        }
        if old != 0 {
            let mut raw = [0; ATTR_BYTES];
            for (i, value) in [flags, mq.max, mq.size, mq.count()].iter().enumerate() {
                raw[i * 8..i * 8 + 8].copy_from_slice(&value.to_le_bytes());
            }
            self.mem.copy_out(space, old, &raw)?;
        }
        OK
    }
}
