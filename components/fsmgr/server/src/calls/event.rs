//! eventfd(2), timerfd_create(2), signalfd(2).

use alloc::rc::Rc;

use console_api::Console;
use lsyscall_abi::consts::cap::CAP_WAKE_ALARM;
use lsyscall_abi::consts::clock::{
    CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM, CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_REALTIME_ALARM,
};
use lsyscall_abi::{
    ClockId, Errno, EventfdFlags, Itimerspec, OpenFlags, SigSet, TimerFlags, Timespec, UserPtr,
};
use lsyscall_router::{Caller, Done, SysResult, OK};
use memmgr_api::Memory;

use crate::event::{EventFd, TimerFd};
use crate::file::Object;
use crate::perm;
use crate::signal::SignalFd;
use crate::FsMgr;

impl<M: Memory, C: Console> FsMgr<M, C> {
    /// Gives the caller a descriptor of something that has no name.
    pub(crate) fn install_anon(
        &mut self,
        c: &Caller,
        object: Object,
        flags: OpenFlags,
    ) -> SysResult {
        let status = flags & OpenFlags::NONBLOCK | OpenFlags::RDWR;
        let file = self.vfs.open(object, self.vfs.anon(), status)?;
        self.install(c, file, flags.contains(OpenFlags::CLOEXEC))
            .done()
    }

    pub(crate) fn eventfd_call(
        &mut self,
        c: &Caller,
        count: u32,
        flags: EventfdFlags,
    ) -> SysResult {
        if flags.has_unknown() {
            return Err(Errno::EINVAL);
        }
        let semaphore = flags.contains(EventfdFlags::SEMAPHORE);
        let event = EventFd::new(&self.vfs.run, count.into(), semaphore);
        let flags = OpenFlags::from_bits_retain(flags.bits());
        self.install_anon(c, Object::Event(event), flags)
    }

    pub(crate) fn signalfd_call(
        &mut self,
        c: &Caller,
        fd: i32,
        mask: UserPtr<SigSet>,
        size: usize,
        flags: OpenFlags,
    ) -> SysResult {
        if size != SigSet::SIZE || !(OpenFlags::NONBLOCK | OpenFlags::CLOEXEC).contains(flags) {
            return Err(Errno::EINVAL);
        }
        let set: SigSet = self.copy_in(c, mask.addr())?;
        let mask = set.0 & !SigSet::UNBLOCKABLE.0;
        // procmgr hears that somebody watches, and tells what is pending.
        self.wish_changed(c.thread);
        if fd == -1 {
            let signal = SignalFd::new(&self.vfs.run, mask);
            self.signal_fds.add(&signal);
            return self.install_anon(c, Object::Signal(signal), flags);
        }
        let file = self.file(c, fd)?;
        let Object::Signal(signal) = &file.object else {
            return Err(Errno::EINVAL);
        };
        signal.mask.set(mask);
        signal.queue.wake();
        Ok(fd).done()
    }

    pub(crate) fn timerfd_create_call(
        &mut self,
        c: &Caller,
        clock: ClockId,
        flags: OpenFlags,
    ) -> SysResult {
        if !(OpenFlags::NONBLOCK | OpenFlags::CLOEXEC).contains(flags) {
            return Err(Errno::EINVAL);
        }
        match clock.0 {
            CLOCK_REALTIME | CLOCK_MONOTONIC | CLOCK_BOOTTIME => {}
            // The machine never sleeps, so there is nothing to wake.
            CLOCK_REALTIME_ALARM | CLOCK_BOOTTIME_ALARM => {
                if !perm::capable(&self.thread(c)?.creds, CAP_WAKE_ALARM) {
                    return Err(Errno::EPERM);
                }
            }
            _ => return Err(Errno::EINVAL),
        }
        let timer = TimerFd::new(&self.vfs.run, self.timers.new_id(), clock);
        self.timers.register(&timer);
        self.install_anon(c, Object::Timer(timer), flags)
    }

    fn timer_of(&self, c: &Caller, fd: i32) -> Result<Rc<TimerFd>, Errno> {
        match &self.file(c, fd)?.object {
            Object::Timer(timer) => Ok(Rc::clone(timer)),
            Object::PathOnly => Err(Errno::EBADF),
            _ => Err(Errno::EINVAL),
        }
    }

    fn timer_state(&self, timer: &TimerFd) -> Itimerspec {
        let next = timer.next.get();
        let left = match next {
            0 => 0,
            next => next.saturating_sub(self.now()).max(1),
        };
        Itimerspec {
            interval: Timespec::from_ns(timer.interval.get()),
            value: Timespec::from_ns(left),
        }
    }

    pub(crate) fn timerfd_settime_call(
        &mut self,
        c: &Caller,
        fd: i32,
        flags: TimerFlags,
        new: UserPtr<Itimerspec>,
        old: UserPtr<Itimerspec>,
    ) -> SysResult {
        let spec: Itimerspec = self.copy_in(c, new.addr())?;
        let (value, interval) = (spec.value.to_ns()?, spec.interval.to_ns()?);
        if flags.has_unknown() {
            return Err(Errno::EINVAL);
        }
        let timer = self.timer_of(c, fd)?;
        self.follow_clock();
        let before = timer.next.get();
        let now = self.now();
        timer.advance(now);
        let was = self.timer_state(&timer);
        let next = match value {
            0 => 0,
            value if flags.contains(TimerFlags::ABSTIME) => {
                let offset = match timer.clock.0 {
                    CLOCK_REALTIME | CLOCK_REALTIME_ALARM => self.realtime_offset(),
                    _ => 0,
                };
                value.saturating_sub(offset).max(1)
            }
            span => now.saturating_add(span),
        };
        timer.next.set(next);
        timer.interval.set(interval);
        timer.ticks.set(0);
        let wall = matches!(timer.clock.0, CLOCK_REALTIME | CLOCK_REALTIME_ALARM);
        let moment = wall && flags.contains(TimerFlags::ABSTIME);
        timer.follows_clock.set(moment);
        let cancels = moment && flags.contains(TimerFlags::CANCEL_ON_SET);
        timer.cancels.set(cancels);
        timer.canceled.set(false);
        timer.advance(now);
        self.timers.rearmed(&timer, before);
        if let Some(old) = old.non_null() {
            self.copy_out(c, old.addr(), &was)?;
        }
        OK
    }

    pub(crate) fn timerfd_gettime_call(
        &mut self,
        c: &Caller,
        fd: i32,
        out: UserPtr<Itimerspec>,
    ) -> SysResult {
        let timer = self.timer_of(c, fd)?;
        let before = timer.next.get();
        timer.advance(self.now());
        self.timers.rearmed(&timer, before);
        let state = self.timer_state(&timer);
        self.copy_out(c, out.addr(), &state)?;
        OK
    }
}
