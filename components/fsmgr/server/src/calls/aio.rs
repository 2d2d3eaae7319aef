//! io_setup(2), io_submit(2), io_getevents(2), io_cancel(2), io_destroy(2).

use alloc::rc::Rc;

use console_api::Console;
use lsyscall_abi::consts::IOV_MAX;
use lsyscall_abi::{Errno, Iovec, SigSet, Timespec, UserPtr};
use lsyscall_router::{Caller, Done, SysResult, OK};
use memmgr_api::{MapRequest, Memory, Space, PAGE_SIZE, PROT_READ, PROT_WRITE};

use crate::aio::{Context, Event, MAX_ALL};
use crate::event::EventFd;
use crate::file::{File, Object};
use crate::io::{Dst, Io, Src};
use crate::park::Wait;
use crate::FsMgr;

/// Bytes of struct iocb and struct io_event.
const IOCB_BYTES: usize = 64;
const EVENT_BYTES: u64 = 32;
/// The iocb names an eventfd.
const RESFD: u32 = 1;
/// Operations.
mod op {
    pub const PREAD: u16 = 0;
    pub const PWRITE: u16 = 1;
    pub const FSYNC: u16 = 2;
    pub const FDSYNC: u16 = 3;
    pub const PREADV: u16 = 7;
    pub const PWRITEV: u16 = 8;
}

/// One operation (struct iocb).
struct Iocb {
    data: u64,
    op: u16,
    fd: i32,
    buf: u64,
    len: u64,
    off: i64,
    event: Option<i32>,
}

impl Iocb {
    /// From a program's memory. `EINVAL`.
    fn parse(raw: &[u8; IOCB_BYTES]) -> Result<Self, Errno> {
        let word = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&raw[at..at + 8]);
            u64::from_le_bytes(bytes)
        };
        let (kind, last) = (word(16), word(56));
        let (flags, event) = (last as u32, (last >> 32) as i32);
        let len = word(32);
        if word(48) != 0 || len > i64::MAX as u64 {
            return Err(Errno::EINVAL);
        }
        Ok(Iocb {
            data: word(0),
            op: kind as u16,
            fd: (kind >> 32) as i32,
            buf: word(24),
            len,
            off: word(40) as i64,
            event: (flags & RESFD != 0).then_some(event),
        })
    }
}

impl<M: Memory, C: Console> FsMgr<M, C> {
    fn aio_context(&self, c: &Caller, id: u64) -> Result<Rc<Context>, Errno> {
        self.thread(c)?.aio.get(id)
    }

    pub(crate) fn io_setup_call(&mut self, c: &Caller, count: u32, at: UserPtr<u64>) -> SysResult {
        let old: u64 = self.copy_in(c, at.addr())?;
        if old != 0 || count == 0 {
            return Err(Errno::EINVAL);
        }
        if count > MAX_ALL {
            return Err(Errno::EAGAIN);
        }
        let space = Space::Thread(c.thread);
        let request = MapRequest::anonymous(PAGE_SIZE, PROT_READ | PROT_WRITE);
        let id = self.mem.map(space, request)?;
        let contexts = Rc::clone(&self.thread(c)?.aio);
        let made = contexts
            .add(&self.vfs.run, &self.aio_all, id, count)
            .and_then(|()| self.copy_out(c, at.addr(), &id));
        if made.is_err() {
            let _ = contexts.remove(id);
            let _ = self.mem.unmap(space, id, PAGE_SIZE);
        }
        made.done()
    }

    pub(crate) fn io_destroy_call(&mut self, c: &Caller, id: u64) -> SysResult {
        self.thread(c)?.aio.remove(id)?;
        let _ = self.mem.unmap(Space::Thread(c.thread), id, PAGE_SIZE);
        OK
    }

    pub(crate) fn io_submit_call(&mut self, c: &Caller, id: u64, n: i64, list: u64) -> SysResult {
        let count = u64::try_from(n).map_err(|_| Errno::EINVAL)?;
        let context = self.aio_context(c, id)?;
        let mut done = 0;
        while done < count.min(u64::from(context.max)) {
            let at = list.wrapping_add(done * 8);
            match self.submit_one(c, &context, at) {
                Ok(()) => done += 1,
                Err(errno) if done == 0 => return Err(errno),
                Err(_) => break,
            }
        }
        Ok(done as i64).done()
    }

    fn submit_one(&mut self, c: &Caller, context: &Context, at: u64) -> Result<(), Errno> {
        let space = Space::Thread(c.thread);
        let iocb_at = self.mem.read_u64(space, at)?;
        let mut raw = [0; IOCB_BYTES];
        self.mem.copy_in(space, iocb_at, &mut raw)?;
        let iocb = Iocb::parse(&raw)?;
        if context.done.borrow().len() >= context.max as usize {
            return Err(Errno::EAGAIN);
        }
        let file = self.file(c, iocb.fd)?;
        let event = match iocb.event {
            None => None,
            Some(fd) => match &self.file(c, fd)?.object {
                Object::Event(event) => Some(Rc::clone(event)),
                _ => return Err(Errno::EINVAL),
            },
        };
        // KIOCB_KEY, by which io_cancel knows it.
        self.mem.copy_out(space, iocb_at.wrapping_add(8), &[0; 4])?;
        let result = self.carry_out(c, &file, &iocb)?;
        context.done.borrow_mut().push_back(Event {
            data: iocb.data,
            iocb: iocb_at,
            result,
        });
        context.queue.wake();
        if let Some(event) = event {
            if !event.add(1) {
                event.count.set(EventFd::MAX);
            }
        }
        Ok(())
    }

    /// Carries an operation out: its result. An error means that it was not begun.
    fn carry_out(&mut self, c: &Caller, file: &Rc<File>, iocb: &Iocb) -> Result<i64, Errno> {
        let (write, vector) = match iocb.op {
            op::PREAD => (false, false),
            op::PWRITE => (true, false),
            op::PREADV => (false, true),
            op::PWRITEV => (true, true),
            op::FSYNC | op::FDSYNC => {
                let stored = file.inode().is_file() || file.inode().is_dir();
                return if stored { Ok(0) } else { Err(Errno::EINVAL) };
            }
            _ => return Err(Errno::EINVAL),
        };
        if write && !file.writes() || !write && !file.reads() {
            return Err(Errno::EBADF);
        }
        let off = u64::try_from(iocb.off).map_err(|_| Errno::EINVAL)?;
        let single = [Iovec {
            base: iocb.buf,
            len: iocb.len,
        }];
        let mut pieces = alloc::vec::Vec::new();
        if vector {
            if iocb.len > IOV_MAX as u64 {
                return Err(Errno::EINVAL);
            }
            for index in 0..iocb.len {
                pieces.push(self.copy_in::<Iovec>(c, iocb.buf.wrapping_add(index * 16))?);
            }
        } else {
            pieces.extend_from_slice(&single);
        }
        let mut moved = 0u64;
        for piece in &pieces {
            let len = usize::try_from(piece.len).unwrap_or(usize::MAX);
            let len = len.min(lsyscall_abi::consts::MAX_RW_COUNT);
            let at = Some(off.saturating_add(moved));
            let result = if write {
                self.write_once(c.thread, file, Src::User(c.thread, piece.base, len), at)
            } else {
                let mut dst = Dst::User(c.thread, piece.base, len);
                self.read_once(c.thread, file, &mut dst, at, None)
            };
            match result {
                Ok(Io::Done(n)) => {
                    moved += n as u64;
                    if n < len {
                        break;
                    }
                }
                Ok(_) if moved == 0 => return Ok(Errno::EAGAIN.to_result()),
                Err(errno) if moved == 0 => return Ok(errno.to_result()),
                _ => break,
            }
        }
        Ok(moved as i64)
    }

    /// io_getevents(2), and io_pgetevents(2) with a mask.
    pub(crate) fn io_getevents_call(
        &mut self,
        c: &Caller,
        id: u64,
        (min, max): (i64, i64),
        to: u64,
        timeout: UserPtr<Timespec>,
        mask: u64,
    ) -> SysResult {
        let (deadline, mask) = match self.resumed.take() {
            Some(parked) => (parked.deadline, parked.mask),
            None => {
                let span = self.timeout_at(c, timeout)?;
                let mask = match mask {
                    0 => None,
                    at => {
                        // struct __aio_sigset: address and size of the mask.
                        let [set, size]: [u64; 2] = self.copy_in(c, at)?;
                        self.mask_at(c, UserPtr::<SigSet>::new(set), size as usize)?
                    }
                };
                (span.map(|ns| self.now().saturating_add(ns)), mask)
            }
        };
        let context = self.aio_context(c, id)?;
        let (Ok(min), Ok(max)) = (usize::try_from(min), usize::try_from(max)) else {
            return Err(Errno::EINVAL);
        };
        if min > max {
            return Err(Errno::EINVAL);
        }
        let there = context.done.borrow().len();
        if there < min && deadline.is_none_or(|at| at > self.now()) {
            let wait = Wait {
                deadline,
                mask,
                restart: Some(Errno::EINTR),
                ..Wait::default()
            };
            return self.park(c, &context.queue, wait);
        }
        let mut told = 0u64;
        while told < max as u64 {
            let Some(event) = context.done.borrow().front().copied() else {
                break;
            };
            let words = [event.data, event.iocb, event.result as u64, 0];
            match self.copy_out(c, to.wrapping_add(told * EVENT_BYTES), &words) {
                Ok(()) => told += 1,
                Err(errno) if told == 0 => return Err(errno),
                Err(_) => break,
            }
            context.done.borrow_mut().pop_front();
        }
        Ok(told as i64).done()
    }

    pub(crate) fn io_cancel_call(&mut self, c: &Caller, id: u64, iocb: u64) -> SysResult {
        let key: u32 = self.copy_in(c, iocb.wrapping_add(8))?;
        let _ = key;
        // All that was submitted has been carried out.
        self.aio_context(c, id)?;
        Err(Errno::EINVAL)
    }
}
