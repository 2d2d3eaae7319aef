//! poll(2), epoll(7).

use alloc::rc::Rc;
use alloc::vec::Vec;

use console_api::Console;
use lsyscall_abi::consts::epoll_op::{EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD};
use lsyscall_abi::{
    EpollEvent, Errno, OpenFlags, PollFd, PollFlags, SigSet, Timespec, UserArray, UserPtr,
};
use lsyscall_router::{Caller, Done, SysResult, OK};
use memmgr_api::{Memory, Space};
use zerocopy::{FromBytes, IntoBytes};

use crate::epoll::Epoll;
use crate::file::{File, Object};
use crate::heap::{headroom, Scratch};
use crate::park::Wait;
use crate::FsMgr;

/// Descriptors one poll(2) looks at, at most.
const MAX_POLL: usize = 65536;
/// Epoll instances that may watch each other in a chain.
const MAX_NESTING: u32 = 4;
/// Most events one epoll_wait can ask for.
const MAX_EVENTS: usize = i32::MAX as usize / 16;
/// A description that never makes anyone wait is always readable and writable.
const ALWAYS: u32 = PollFlags::IN.bits()
    | PollFlags::OUT.bits()
    | PollFlags::RDNORM.bits()
    | PollFlags::WRNORM.bits();

/// How long and with which signals blocked a call waits.
pub(super) struct Waiting {
    /// The span the program gave, when it calls for the first time.
    asked: Option<u64>,
    deadline: Option<u64>,
    mask: Option<u64>,
}

impl<M: Memory, C: Console> FsMgr<M, C> {
    /// What poll(2) says of a description.
    pub(crate) fn poll_file(&self, file: &File, depth: u32) -> u32 {
        match &file.object {
            Object::Pipe(pipe) => pipe.poll(file.reads(), file.writes()),
            Object::Tty(tty) => tty.poll(),
            Object::Master(tty) => tty.master.as_ref().map_or(0, |m| m.poll(tty)),
            Object::Host(host) => host.poll(file.reads(), file.writes()),
            Object::Event(event) => event.poll(),
            Object::Timer(timer) => {
                let due = timer.next.get() != 0 && timer.next.get() <= self.now();
                if timer.ticks.get() > 0 || due || timer.canceled.get() {
                    PollFlags::IN.bits() | PollFlags::RDNORM.bits()
                } else {
                    0
                }
            }
            Object::Signal(signal) => {
                let of = self.tasks.get(self.current);
                let pending = of.map_or(0, |t| t.signals.pending.get());
                match pending & signal.mask.get() {
                    0 => 0,
                    _ => PollFlags::IN.bits(),
                }
            }
            Object::Process(process) => process.poll(),
            Object::Mq(mq) => mq.poll(),
            Object::Socket(socket) => socket.poll(),
            Object::Inotify(inotify) => inotify.poll(),
            Object::Epoll(epoll) if depth <= MAX_NESTING + 1 => {
                let ready = (0..epoll.ready_len())
                    .filter_map(|i| epoll.ready_at(i))
                    .any(|item| {
                        let file = item.file.upgrade();
                        file.is_some_and(|f| item.wanted(self.poll_file(&f, depth + 1)) != 0)
                    });
                if ready {
                    PollFlags::IN.bits() | PollFlags::RDNORM.bits()
                } else {
                    0
                }
            }
            Object::PathOnly => PollFlags::NVAL.bits(),
            _ => ALWAYS,
        }
    }

    /// The end of a wait of that length from now; `None`: it never ends.
    fn deadline_after(&self, timeout: Option<u64>) -> Option<u64> {
        timeout.map(|ns| self.now().saturating_add(ns))
    }

    pub(crate) fn timeout_at(
        &self,
        c: &Caller,
        at: UserPtr<Timespec>,
    ) -> Result<Option<u64>, Errno> {
        if at.is_null() {
            return Ok(None);
        }
        let span: Timespec = self.copy_in(c, at.addr())?;
        span.to_ns().map(Some)
    }

    /// Tells the program how much of its time is left, as Linux's ppoll and pselect6 do.
    pub(super) fn tell_rest(&self, c: &Caller, at: UserPtr<Timespec>, waiting: &Waiting) {
        let Some(deadline) = waiting.deadline.filter(|_| !at.is_null()) else {
            return;
        };
        let rest = deadline.saturating_sub(self.now());
        if waiting.asked != Some(rest) {
            let _ = self.copy_out(c, at.addr(), &Timespec::from_ns(rest));
        }
    }

    /// The mask a call is to wait with. `EINVAL`, `EFAULT`.
    pub(super) fn mask_at(
        &self,
        c: &Caller,
        mask: UserPtr<SigSet>,
        size: usize,
    ) -> Result<Option<u64>, Errno> {
        if mask.is_null() {
            return Ok(None);
        }
        if size != SigSet::SIZE {
            return Err(Errno::EINVAL);
        }
        let set: SigSet = self.copy_in(c, mask.addr())?;
        Ok(Some(set.0))
    }

    /// How a call that may wait for several descriptions waits, told by the program or kept from before it waited.
    pub(super) fn waiting(
        &mut self,
        c: &Caller,
        timeout: UserPtr<Timespec>,
        mask: impl FnOnce(&Self) -> Result<Option<u64>, Errno>,
    ) -> Result<Waiting, Errno> {
        if let Some(parked) = self.resumed.take() {
            return Ok(Waiting {
                asked: None,
                deadline: parked.deadline,
                mask: parked.mask,
            });
        }
        let asked = self.timeout_at(c, timeout)?;
        Ok(Waiting {
            asked,
            deadline: self.deadline_after(asked),
            mask: mask(self)?,
        })
    }

    pub(super) fn is_over(&self, waiting: &Waiting) -> bool {
        waiting.asked == Some(0) || waiting.deadline.is_some_and(|d| d <= self.now())
    }

    /// Parks a wait for several descriptions, to whose queues the thread was added.
    pub(super) fn park_waiting(&mut self, c: &Caller, waiting: &Waiting) -> SysResult {
        let wait = Wait {
            deadline: waiting.deadline,
            restart: Some(Errno::ERESTARTNOHAND),
            mask: waiting.mask,
            ..Wait::default()
        };
        self.park_ticket(c, wait)
    }

    pub(crate) fn ppoll_call(
        &mut self,
        c: &Caller,
        fds: UserArray<PollFd>,
        timeout: UserPtr<Timespec>,
        mask: UserPtr<SigSet>,
        size: usize,
    ) -> SysResult {
        const ENTRY: usize = core::mem::size_of::<PollFd>();
        const ALWAYS_TOLD: u32 =
            PollFlags::ERR.bits() | PollFlags::HUP.bits() | PollFlags::NVAL.bits();
        let waiting = self.waiting(c, timeout, |this| this.mask_at(c, mask, size))?;
        let table = Rc::clone(&self.thread(c)?.files);
        let table = table.borrow();
        if fds.count() as u64 > table.nofile || fds.count() > MAX_POLL {
            return Err(Errno::EINVAL);
        }
        let mut scratch = Scratch::<512>::new(fds.count() * ENTRY)?;
        let raw = scratch.bytes();
        self.mem.copy_in(Space::Thread(c.thread), fds.addr(), raw)?;
        let mut ready = 0u32;
        let mut changed = false;
        for entry in raw.chunks_exact_mut(ENTRY) {
            let Ok(poll) = PollFd::mut_from_bytes(entry) else {
                continue;
            };
            let told = u32::from(poll.events) | ALWAYS_TOLD;
            let state = match table.get(poll.fd) {
                _ if poll.fd < 0 => 0,
                Ok(file) => self.poll_file(file, 0) & told,
                Err(_) => PollFlags::NVAL.bits(),
            };
            ready += u32::from(state != 0);
            changed |= poll.revents != state as u16;
            poll.revents = state as u16;
        }
        if ready == 0 && !self.is_over(&waiting) {
            let ticket = self.ticket();
            for entry in raw.chunks_exact(ENTRY) {
                let Ok(poll) = PollFd::ref_from_bytes(entry) else {
                    continue;
                };
                if let Some(queue) = table.get(poll.fd).ok().and_then(|f| f.queue()) {
                    queue.add(c.thread, ticket);
                }
            }
            return self.park_waiting(c, &waiting);
        }
        if changed {
            self.mem
                .copy_out(Space::Thread(c.thread), fds.addr(), raw)?;
        }
        self.tell_rest(c, timeout, &waiting);
        Ok(ready).done()
    }

    pub(crate) fn epoll_create_call(&mut self, c: &Caller, cloexec: bool) -> SysResult {
        let epoll = Epoll::new(&self.vfs.run);
        let flags = if cloexec {
            OpenFlags::CLOEXEC
        } else {
            OpenFlags::empty()
        };
        self.install_anon(c, Object::Epoll(epoll), flags)
    }

    /// How many instances hang below `file` in a chain. `ELOOP` if `epoll` is among them.
    fn depth_below(file: &File, epoll: &Rc<Epoll>, depth: u32) -> Result<u32, Errno> {
        let Some(inner) = file.epoll() else {
            return Ok(0);
        };
        if Rc::ptr_eq(inner, epoll) || depth > MAX_NESTING {
            return Err(Errno::ELOOP);
        }
        let mut deepest = 0;
        for below in inner.nested() {
            deepest = deepest.max(1 + Self::depth_below(&below, epoll, depth + 1)?);
        }
        Ok(deepest)
    }

    /// How many instances watch `epoll` in a chain, counted up to one more than there may be.
    fn depth_above(epoll: &Epoll, depth: u32) -> u32 {
        let own = epoll.file.borrow().upgrade();
        let Some(own) = own.filter(|_| depth <= MAX_NESTING) else {
            return 0;
        };
        let watchers: Vec<_> = own
            .watchers
            .borrow()
            .iter()
            .filter_map(|w| w.upgrade())
            .collect();
        let above = watchers.iter().filter_map(|item| item.instance());
        above
            .map(|a| 1 + Self::depth_above(&a, depth + 1))
            .max()
            .unwrap_or(0)
    }

    /// Whether `epoll` may watch `file` without a loop or too long a chain. `ELOOP`.
    fn nesting(file: &File, epoll: &Rc<Epoll>) -> Result<(), Errno> {
        if file.epoll().is_none() {
            return Ok(());
        }
        let below = Self::depth_below(file, epoll, 0)?;
        if below + 1 + Self::depth_above(epoll, 0) > MAX_NESTING {
            return Err(Errno::ELOOP);
        }
        Ok(())
    }

    pub(crate) fn epoll_ctl_call(
        &mut self,
        c: &Caller,
        epfd: i32,
        op: u32,
        fd: i32,
        event: UserPtr<EpollEvent>,
    ) -> SysResult {
        let event: EpollEvent = if op == EPOLL_CTL_DEL {
            EpollEvent::default()
        } else {
            self.copy_in(c, event.addr())?
        };
        let instance = self.file(c, epfd)?;
        let file = self.file(c, fd)?;
        if file.queue().is_none() {
            return Err(Errno::EPERM);
        }
        let epoll = instance.epoll().ok_or(Errno::EINVAL)?;
        if Rc::ptr_eq(&instance, &file) {
            return Err(Errno::EINVAL);
        }
        let key = (fd, file.id);
        // These are always told.
        let wanted = event.events | PollFlags::ERR.bits() | PollFlags::HUP.bits();
        let exclusive = event.events & PollFlags::EXCLUSIVE.bits() != 0;
        let with_exclusive = PollFlags::IN
            | PollFlags::OUT
            | PollFlags::RDNORM
            | PollFlags::WRNORM
            | PollFlags::ERR
            | PollFlags::HUP
            | PollFlags::WAKEUP
            | PollFlags::ET
            | PollFlags::EXCLUSIVE;
        let odd = event.events & !with_exclusive.bits() != 0;
        if exclusive
            && (op == EPOLL_CTL_MOD || (op == EPOLL_CTL_ADD && (odd || file.epoll().is_some())))
        {
            return Err(Errno::EINVAL);
        }
        match op {
            EPOLL_CTL_ADD => {
                Self::nesting(&file, epoll)?;
                if epoll.get(key).is_some() {
                    return Err(Errno::EEXIST);
                }
                headroom()?;
                let item = epoll.add(&file, key, wanted, event.data);
                *epoll.file.borrow_mut() = Rc::downgrade(&instance);
                let mut watchers = file.watchers.borrow_mut();
                watchers.retain(|w| w.strong_count() > 0);
                watchers.push(Rc::downgrade(&item));
                drop(watchers);
                if let Some(queue) = file.queue() {
                    queue.watch(&item);
                }
                if item.wanted(self.poll_file(&file, 0)) != 0 {
                    item.signal();
                }
            }
            EPOLL_CTL_MOD => {
                let item = epoll.get(key).ok_or(Errno::ENOENT)?;
                if item.exclusive() {
                    return Err(Errno::EINVAL);
                }
                item.events.set(wanted);
                item.data.set(event.data);
                if item.wanted(self.poll_file(&file, 0)) != 0 {
                    item.signal();
                }
            }
            EPOLL_CTL_DEL => {
                if !epoll.remove(key) {
                    return Err(Errno::ENOENT);
                }
            }
            _ => return Err(Errno::EINVAL),
        }
        OK
    }

    /// `timeout` in nanoseconds.
    pub(crate) fn epoll_wait_call(
        &mut self,
        c: &Caller,
        epfd: i32,
        events: UserArray<EpollEvent>,
        timeout: Option<u64>,
        mask: UserPtr<SigSet>,
        size: usize,
    ) -> SysResult {
        let resumed = self.resumed.take();
        let (file, deadline, mask) = match resumed {
            Some(parked) => match parked.file {
                Some(file) => (file, parked.deadline, parked.mask),
                None => return Err(Errno::EBADF),
            },
            None => {
                let mask = self.mask_at(c, mask, size)?;
                (self.file(c, epfd)?, self.deadline_after(timeout), mask)
            }
        };
        if events.count() == 0 || events.count() > MAX_EVENTS {
            return Err(Errno::EINVAL);
        }
        let epoll = Rc::clone(file.epoll().ok_or(Errno::EINVAL)?);
        let mut out: Vec<u8> = Vec::new();
        let mut again = Vec::new();
        let mut count = 0usize;
        for _ in 0..epoll.ready_len() {
            if count == events.count() {
                break;
            }
            let Some(item) = epoll.pop_ready() else { break };
            let Some(watched) = item.file.upgrade() else {
                continue;
            };
            let state = item.wanted(self.poll_file(&watched, 0));
            if state == 0 {
                continue;
            }
            let event = EpollEvent {
                events: state,
                pad: 0,
                data: item.data.get(),
            };
            out.extend_from_slice(event.as_bytes());
            count += 1;
            item.fired();
            if !item.edge() {
                again.push(item);
            }
        }
        for item in again {
            if item.wanted(u32::MAX) != 0 {
                epoll.push_ready(item);
            }
        }
        let over = deadline.is_some_and(|d| d <= self.now());
        if count == 0 && !over {
            let wait = Wait {
                file: Some(file),
                deadline,
                restart: Some(Errno::EINTR),
                mask,
                ..Wait::default()
            };
            return self.park(c, &epoll.queue, wait);
        }
        self.mem
            .copy_out(Space::Thread(c.thread), events.addr(), &out)?;
        Ok(count).done()
    }
}
