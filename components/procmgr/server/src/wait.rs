//! Waiting for children: wait4(2) and waitid(2).

use lsyscall_abi::signal::SIGCHLD;
use lsyscall_abi::{Errno, ThreadIdx};
use lsyscall_router::{Flow, SysResult};
use memmgr_api::{Space, UserMemory};

use crate::state::{Life, Parked, ProcIdx, Process, State};
use crate::usage::Used;
use crate::{Parts, ProcMgr};
use zerocopy::IntoBytes;

/// Do not wait.
pub const WNOHANG: u32 = 1;
/// Stopped children too.
pub const WUNTRACED: u32 = 2;
/// Ended children (waitid).
pub const WEXITED: u32 = 4;
/// Continued children too.
pub const WCONTINUED: u32 = 8;
/// Leave the child waitable.
pub const WNOWAIT: u32 = 0x0100_0000;
/// Only this thread's children.
pub const WNOTHREAD: u32 = 0x2000_0000;
/// All children, whatever their exit signal.
pub const WALL: u32 = 0x4000_0000;
/// Only children whose exit signal is not SIGCHLD.
pub const WCLONE: u32 = 0x8000_0000;

/// A child's change that does not end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// By this signal.
    Stopped(i32),
    /// By SIGCONT.
    Continued(i32),
}

/// Which children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Any.
    Any,
    /// The one of this id.
    Pid(i32),
    /// Those of this group.
    Group(i32),
    /// The one of this number.
    Serial(u64),
}

/// One wait.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Which children.
    pub which: Which,
    /// W* flags; WEXITED is set for wait4.
    pub options: u32,
    /// Where wait4's status goes (0: nowhere).
    pub status: u64,
    /// Where waitid's siginfo goes (0: nowhere).
    pub info: u64,
    /// waitid: the result is 0, not the id.
    pub by_id: bool,
    /// Where rusage goes (0: nowhere).
    pub rusage: u64,
}

/// What a wait found: child, its id, uid, si_code and status word for siginfo, wait status, whether it ends the child.
struct Found {
    child: ProcIdx,
    pid: i32,
    uid: u32,
    code: i32,
    value: i32,
    status: i32,
    /// What the child and its children have used.
    used: Used,
    ends: bool,
}

impl<P: Parts> ProcMgr<P> {
    /// Carries a wait out or parks it.
    pub(crate) fn wait(&mut self, t: ThreadIdx, request: Request) -> SysResult {
        let (p, _) = self.caller_process(t).ok_or(Errno::ESRCH)?;
        match self.try_wait(t, p, &request)? {
            Some(value) => Ok(Flow::Done(value)),
            None if request.options & WNOHANG != 0 => {
                if request.info != 0 {
                    self.mem
                        .copy_out(Space::Thread(t), request.info, &[0; 128])?;
                }
                Ok(Flow::Done(0))
            }
            None => {
                self.set_state(t, State::Parked(Parked::Wait(request)));
                Ok(Flow::Park)
            }
        }
    }

    /// Whether a wait could be carried out at once.
    pub(crate) fn wait_now(&mut self, t: ThreadIdx, request: &Request) -> Result<bool, Errno> {
        let (p, _) = self.caller_process(t).ok_or(Errno::ESRCH)?;
        Ok(self.try_wait(t, p, request)?.is_some())
    }

    fn try_wait(
        &mut self,
        t: ThreadIdx,
        p: ProcIdx,
        request: &Request,
    ) -> Result<Option<i64>, Errno> {
        let process = self.process(p).ok_or(Errno::ESRCH)?;
        let mut any = false;
        let mut found = None;
        for &child in &process.children {
            let Some(candidate) = self.process(child) else {
                continue;
            };
            if !matches(candidate, request) {
                continue;
            }
            any = true;
            if let Some(event) = event_of(child, candidate, request.options) {
                found = Some(event);
                break;
            }
        }
        let Some(mut found) = found else {
            return if any { Ok(None) } else { Err(Errno::ECHILD) };
        };
        found.used = self.process_used(found.child);
        if let Some(child) = self.process(found.child) {
            found.used.add(&child.children_used);
        }
        let space = Space::Thread(t);
        if request.status != 0 {
            self.mem
                .copy_out(space, request.status, &found.status.to_le_bytes())?;
        }
        if request.info != 0 {
            let info = crate::signal::Info::child(
                lsyscall_abi::Signal(SIGCHLD),
                found.code,
                found.pid,
                found.uid,
                found.value,
            );
            self.mem.copy_out(space, request.info, &info.to_bytes())?;
        }
        if request.rusage != 0 {
            self.mem
                .copy_out(space, request.rusage, found.used.rusage().as_bytes())?;
        }
        if request.options & WNOWAIT == 0 {
            if found.ends {
                if let Some(process) = self.process_mut(p) {
                    process.children_used.add(&found.used);
                }
                self.reap(found.child);
            } else if let Some(child) = self.process_mut(found.child) {
                child.stop_unreported = false;
                child.continue_unreported = false;
            }
        }
        Ok(Some(if request.by_id {
            0
        } else {
            i64::from(found.pid)
        }))
    }

    /// A child of `p` has changed: looks at everyone of `p` who waits.
    pub(crate) fn wake_waiters(&mut self, p: ProcIdx) {
        let Some(process) = self.process(p) else {
            return;
        };
        for t in process.threads.clone() {
            let Some(&State::Parked(Parked::Wait(request))) = self.thread(t).map(|th| &th.state)
            else {
                continue;
            };
            let result = match self.try_wait(t, p, &request) {
                Ok(None) => continue,
                Ok(Some(value)) => value,
                Err(errno) => errno.to_result(),
            };
            self.finish_call(t, result);
        }
    }
}

fn matches(child: &Process, request: &Request) -> bool {
    let wanted = match request.which {
        Which::Any => true,
        Which::Pid(pid) => child.pid == pid,
        Which::Group(pgid) => child.pgid == pgid,
        Which::Serial(serial) => child.serial == serial,
    };
    let clone_child = child.exit_signal != SIGCHLD;
    wanted && (request.options & WALL != 0 || clone_child == (request.options & WCLONE != 0))
}

fn event_of(child: ProcIdx, process: &Process, options: u32) -> Option<Found> {
    let found = |code, value, status, ends| Found {
        child,
        pid: process.pid,
        uid: process.ids.uid[0],
        code,
        value,
        status,
        used: Used::default(),
        ends,
    };
    match process.life {
        Life::Zombie(status) if options & WEXITED != 0 => {
            let (code, value) = crate::exit::ended(status);
            Some(found(code, value, status, true))
        }
        Life::Stopped(signal) if options & WUNTRACED != 0 && process.stop_unreported => {
            Some(found(5, signal, signal << 8 | 0x7f, false))
        }
        Life::Running if options & WCONTINUED != 0 && process.continue_unreported => {
            Some(found(6, lsyscall_abi::signal::SIGCONT, 0xffff, false))
        }
        _ => None,
    }
}
