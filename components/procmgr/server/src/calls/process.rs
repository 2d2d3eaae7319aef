//! Processes: clone, execve, exit, wait, prctl.

use alloc::vec::Vec;

use fsmgr_api::FsMgr;
use lsyscall_abi::consts::cap::CAP_CHECKPOINT_RESTORE;
use lsyscall_abi::*;
use lsyscall_router::{Caller, Flow, SysResult, OK};
use memmgr_api::{MemMgr, Space, UserMemory};

use crate::clone::{flags, Request};
use crate::exec::Strings;
use crate::wait::{self, Which};
use crate::{Parts, ProcMgr};

/// Low byte of clone's flags: the exit signal.
const CSIGNAL: u64 = 0xff;
/// AT_FDCWD.
const CWD: i32 = -100;
/// Levels that namespaces of ids can have.
const MAX_LEVELS: u64 = 32;
/// Bytes of the first version of struct clone_args.
const CLONE_ARGS_MIN: usize = 64;

impl<P: Parts> ProcMgr<P> {
    pub(super) fn sys_clone(
        &mut self,
        c: &Caller,
        _flags: CloneFlags,
        stack: UserAddr,
        parent_tid: UserPtr<i32>,
        tls: u64,
        child_tid: UserPtr<i32>,
    ) -> SysResult {
        let raw = c.args[0];
        let request = Request {
            flags: raw & !CSIGNAL & 0xffff_ffff,
            exit_signal: (raw & CSIGNAL) as i32,
            stack: stack.0,
            tls,
            parent_tid: parent_tid.addr(),
            child_tid: child_tid.addr(),
            pidfd: parent_tid.addr(),
            set_tid: None,
        };
        let pidfd = raw & flags::PIDFD != 0;
        if pidfd && raw & (flags::PARENT_SETTID | flags::DETACHED) != 0 {
            return Err(Errno::EINVAL);
        }
        self.clone_begin(c.thread, request)
    }

    pub(super) fn sys_clone3(
        &mut self,
        c: &Caller,
        args: UserPtr<CloneArgs>,
        size: usize,
    ) -> SysResult {
        if size < CLONE_ARGS_MIN {
            return Err(Errno::EINVAL);
        }
        if size > 4096 {
            return Err(Errno::E2BIG);
        }
        use zerocopy::{FromZeros, IntoBytes};
        let mut value = CloneArgs::new_zeroed();
        let known = size.min(core::mem::size_of::<CloneArgs>());
        self.mem.copy_in(
            Space::Thread(c.thread),
            args.addr(),
            &mut value.as_mut_bytes()[..known],
        )?;
        if size > known {
            let mut tail = alloc::vec![0u8; size - known];
            self.mem.copy_in(
                Space::Thread(c.thread),
                args.addr() + known as u64,
                &mut tail,
            )?;
            if tail.iter().any(|&b| b != 0) {
                return Err(Errno::E2BIG);
            }
        }
        if value.flags & (CSIGNAL | flags::UNKNOWN | flags::DETACHED) != 0
            || value.exit_signal > 64
            || value.flags & (flags::THREAD | flags::PARENT) != 0 && value.exit_signal != 0
            || value.set_tid_size > MAX_LEVELS
            || (value.set_tid == 0) != (value.set_tid_size == 0)
        {
            return Err(Errno::EINVAL);
        }
        if (value.stack == 0) != (value.stack_size == 0) {
            return Err(Errno::EINVAL);
        }
        let set_tid = match value.set_tid_size {
            0 => None,
            1 => Some(self.get(c, UserPtr::<i32>::new(value.set_tid))?),
            // More ids than there are levels of namespaces.
            _ => return Err(Errno::EINVAL),
        };
        if let Some(tid) = set_tid {
            if !(1..crate::tables::PID_MAX).contains(&tid) {
                return Err(Errno::EINVAL);
            }
            if !self.is_privileged(c) && !self.capable(c, CAP_CHECKPOINT_RESTORE) {
                return Err(Errno::EPERM);
            }
        }
        let request = Request {
            flags: value.flags,
            exit_signal: value.exit_signal as i32,
            stack: value.stack.wrapping_add(value.stack_size),
            tls: value.tls,
            parent_tid: value.parent_tid,
            child_tid: value.child_tid,
            pidfd: value.pidfd,
            set_tid,
        };
        self.clone_begin(c.thread, request)
    }

    pub(super) fn sys_execve(
        &mut self,
        c: &Caller,
        path: UserPath,
        argv: UserStrVec,
        envp: UserStrVec,
    ) -> SysResult {
        self.do_exec(c, CWD, path, argv, envp, 0)
    }

    pub(super) fn sys_execveat(
        &mut self,
        c: &Caller,
        dirfd: Fd,
        path: UserPath,
        argv: UserStrVec,
        envp: UserStrVec,
        _flags: AtFlags,
    ) -> SysResult {
        self.do_exec(c, dirfd.0, path, argv, envp, c.args[4] as u32)
    }

    fn do_exec(
        &mut self,
        c: &Caller,
        dirfd: i32,
        path: UserPath,
        argv: UserStrVec,
        envp: UserStrVec,
        at_flags: u32,
    ) -> SysResult {
        let space = Space::Thread(c.thread);
        let name: Vec<u8> = self.mem.read_cstr(space, path.addr(), PATH_MAX)?;
        let file = self.fs.open_exec(c.thread, dirfd, path.addr(), at_flags)?;
        let stack = self
            .caller_process(c.thread)
            .map_or(0, |(_, p)| p.limits.soft(crate::limits::STACK));
        match Strings::read(&self.mem, space, argv.addr(), envp.addr(), stack) {
            Ok(strings) => self.exec(c.thread, file, name, strings),
            Err(errno) => {
                let _ = self.fs.exec_abort(file.token);
                Err(errno)
            }
        }
    }

    pub(super) fn sys_exit(&mut self, c: &Caller, status: i32) -> SysResult {
        self.exit_thread(c.thread, status);
        Ok(Flow::Taken)
    }

    pub(super) fn sys_exit_group(&mut self, c: &Caller, status: i32) -> SysResult {
        if let Some((p, _)) = self.caller_process(c.thread) {
            self.exit_process(p, (status & 0xff) << 8);
        }
        Ok(Flow::Taken)
    }

    pub(super) fn sys_wait4(
        &mut self,
        c: &Caller,
        pid: Pid,
        wstatus: UserPtr<WaitStatus>,
        _options: WaitOptions,
        rusage: UserPtr<Rusage>,
    ) -> SysResult {
        let options = c.args[2] as u32;
        let known = wait::WNOHANG
            | wait::WUNTRACED
            | wait::WCONTINUED
            | wait::WNOTHREAD
            | wait::WALL
            | wait::WCLONE;
        if options & !known != 0 {
            return Err(Errno::EINVAL);
        }
        let own = self.caller_process(c.thread).map_or(0, |(_, p)| p.pgid);
        let which = match pid.0 {
            -1 => Which::Any,
            0 => Which::Group(own),
            i32::MIN => return Err(Errno::ESRCH),
            pid if pid < 0 => Which::Group(-pid),
            pid => Which::Pid(pid),
        };
        let request = wait::Request {
            which,
            options: options | wait::WEXITED,
            status: wstatus.addr(),
            info: 0,
            by_id: false,
            rusage: rusage.addr(),
        };
        self.wait(c.thread, request)
    }

    pub(super) fn sys_waitid(
        &mut self,
        c: &Caller,
        idtype: u32,
        id: Pid,
        infop: UserPtr<SigInfo>,
        _options: WaitOptions,
        rusage: UserPtr<Rusage>,
    ) -> SysResult {
        let options = c.args[3] as u32;
        let wanted = wait::WEXITED | wait::WUNTRACED | wait::WCONTINUED;
        let known =
            wanted | wait::WNOHANG | wait::WNOWAIT | wait::WNOTHREAD | wait::WALL | wait::WCLONE;
        if options & !known != 0 || options & wanted == 0 {
            return Err(Errno::EINVAL);
        }
        let own = self.caller_process(c.thread).map_or(0, |(_, p)| p.pgid);
        let mut nonblock = false;
        let which = match (idtype, id.0) {
            (0, _) => Which::Any,
            (1, id) if id > 0 => Which::Pid(id),
            (2, 0) => Which::Group(own),
            (2, id) if id > 0 => Which::Group(id),
            (3, fd) if fd >= 0 => {
                let info = self.fs.pidfd_of(c.thread, fd)?;
                nonblock = info.nonblock;
                Which::Serial(info.serial)
            }
            _ => return Err(Errno::EINVAL),
        };
        let request = wait::Request {
            which,
            options,
            status: 0,
            info: infop.addr(),
            by_id: true,
            rusage: rusage.addr(),
        };
        if nonblock && options & wait::WNOHANG == 0 {
            return match self.wait_now(c.thread, &request)? {
                true => OK,
                false => Err(Errno::EAGAIN),
            };
        }
        self.wait(c.thread, request)
    }

    pub(super) fn sys_set_tid_address(&mut self, c: &Caller, tidptr: UserPtr<i32>) -> SysResult {
        let thread = self.thread_mut(c.thread).ok_or(Errno::ESRCH)?;
        thread.clear_child_tid = tidptr.addr();
        Ok(thread.tid.into())
    }

    pub(super) fn sys_unshare(&mut self, c: &Caller, _flags: CloneFlags) -> SysResult {
        let wanted = c.args[0];
        let alone_with = flags::THREAD | flags::SIGHAND | flags::VM;
        if wanted & !(flags::FS | flags::FILES | flags::SYSVSEM | alone_with | flags::NAMESPACES)
            != 0
        {
            return Err(Errno::EINVAL);
        }
        let (_, process) = self.caller_process(c.thread).ok_or(Errno::ESRCH)?;
        let shared = process
            .space
            .as_ref()
            .is_some_and(|s| alloc::rc::Rc::strong_count(s) > 1);
        let sharing = wanted & (flags::SIGHAND | flags::VM) != 0 && shared;
        if wanted & alone_with != 0 && process.threads.len() > 1 || sharing {
            return Err(Errno::EINVAL);
        }
        if wanted & flags::NAMESPACES != 0 {
            // As a kernel without namespaces; only user namespaces would be anybody's to make.
            let free = wanted & flags::NAMESPACES == flags::NEWUSER || self.is_privileged(c);
            return Err(if free { Errno::EINVAL } else { Errno::EPERM });
        }
        let (files, fs) = (wanted & flags::FILES != 0, wanted & flags::FS != 0);
        let undo = wanted & flags::SYSVSEM != 0;
        if files || fs || undo {
            self.fs.unshare(c.thread, files, fs, undo)?;
        }
        OK
    }

    pub(super) fn sys_setns(&mut self, c: &Caller, fd: Fd, _nstype: CloneFlags) -> SysResult {
        // There are no descriptors of namespaces: any other is the wrong kind.
        self.fs.compare(c.thread, fd.0, c.thread, fd.0, 0)?;
        Err(Errno::EINVAL)
    }

    pub(super) fn sys_personality(&mut self, c: &Caller, persona: u32) -> SysResult {
        const QUERY: u32 = u32::MAX;
        let (p, _) = self.caller_process(c.thread).ok_or(Errno::ESRCH)?;
        let process = self.process_mut(p).ok_or(Errno::ESRCH)?;
        let old = process.kept.personality;
        if persona != QUERY {
            process.kept.personality = persona;
        }
        // As Linux: a value with the top bit set looks like what it is, no error number.
        Ok(i64::from(old as i32).into())
    }

    pub(super) fn sys_getpid(&mut self, c: &Caller) -> SysResult {
        Ok(self
            .caller_process(c.thread)
            .map_or(0, |(_, p)| p.pid)
            .into())
    }

    pub(super) fn sys_gettid(&mut self, c: &Caller) -> SysResult {
        Ok(self.thread(c.thread).map_or(0, |t| t.tid).into())
    }

    pub(super) fn sys_getppid(&mut self, c: &Caller) -> SysResult {
        let parent = self
            .caller_process(c.thread)
            .and_then(|(_, p)| p.parent)
            .and_then(|p| self.process(p));
        Ok(parent.map_or(0, |p| p.pid).into())
    }

    /// Whether the caller's process has a capability (its bit number).
    pub(crate) fn capable(&self, c: &Caller, cap: u32) -> bool {
        self.caller_process(c.thread)
            .is_some_and(|(_, p)| p.ids.caps.has(cap))
    }

    pub(crate) fn is_privileged(&self, c: &Caller) -> bool {
        self.caller_process(c.thread)
            .is_some_and(|(_, p)| p.ids.privileged())
    }

    /// Tells fsmgr who the threads of a process are now.
    pub(crate) fn push_creds(&mut self, p: crate::state::ProcIdx) {
        let Some(process) = self.process(p) else {
            return;
        };
        let creds = process.ids.creds();
        for t in process.threads.clone() {
            let _ = self.fs.set_creds(t, creds);
        }
    }

    /// Tells memmgr and fsmgr the limits of a process.
    pub(crate) fn push_limits(&mut self, p: crate::state::ProcIdx) {
        use crate::limits::{AS, DATA, FSIZE, MEMLOCK, MSGQUEUE, NOFILE, STACK};
        let Some(process) = self.process(p) else {
            return;
        };
        let limits = process.limits;
        for t in process.threads.clone() {
            let _ = self.fs.set_limits(
                t,
                limits.soft(NOFILE),
                limits.soft(FSIZE),
                limits.soft(MSGQUEUE),
            );
            let _ = self.mem.set_limits(
                Space::Thread(t),
                limits.soft(AS),
                limits.soft(STACK),
                limits.soft(DATA),
            );
            let _ = self
                .mem
                .set_lock_limit(Space::Thread(t), limits.soft(MEMLOCK));
        }
    }
}
