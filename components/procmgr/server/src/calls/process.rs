//! Processes: clone, execve, exit, wait, prctl.

use alloc::vec::Vec;

use fsmgr_api::FsMgr;
use lsyscall_abi::*;
use lsyscall_router::{Caller, Flow, SysResult, OK};
use memmgr_api::{MemMgr, Space, UserMemory};

use crate::clone::{flags, Request};
use crate::exec::{comm_of, Strings};
use crate::wait::{self, Which};
use crate::{Parts, ProcMgr};

/// Low byte of clone's flags: the exit signal.
const CSIGNAL: u64 = 0xff;
/// AT_FDCWD.
const CWD: i32 = -100;
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
        };
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
        if value.flags & (CSIGNAL | flags::UNKNOWN) != 0
            || value.exit_signal > 64
            || value.set_tid_size != 0
            || value.cgroup != 0
        {
            return Err(Errno::EINVAL);
        }
        if (value.stack == 0) != (value.stack_size == 0) {
            return Err(Errno::EINVAL);
        }
        let request = Request {
            flags: value.flags,
            exit_signal: value.exit_signal as i32,
            stack: value.stack.wrapping_add(value.stack_size),
            tls: value.tls,
            parent_tid: value.parent_tid,
            child_tid: value.child_tid,
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
        match Strings::read(&self.mem, space, argv.addr(), envp.addr()) {
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
        let which = match (idtype, id.0) {
            (0, _) => Which::Any,
            (1, id) if id > 0 => Which::Pid(id),
            (2, 0) => Which::Group(own),
            (2, id) if id > 0 => Which::Group(id),
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
        self.wait(c.thread, request)
    }

    pub(super) fn sys_set_tid_address(&mut self, c: &Caller, tidptr: UserPtr<i32>) -> SysResult {
        let thread = self.thread_mut(c.thread).ok_or(Errno::ESRCH)?;
        thread.clear_child_tid = tidptr.addr();
        Ok(thread.tid.into())
    }

    pub(super) fn sys_unshare(&mut self, c: &Caller, _flags: CloneFlags) -> SysResult {
        let wanted = c.args[0];
        if wanted & flags::UNSUPPORTED != 0 {
            return Err(if self.is_privileged(c) {
                Errno::EINVAL
            } else {
                Errno::EPERM
            });
        }
        if wanted & !(flags::FS | flags::FILES | 0x4_0000) != 0 {
            return Err(Errno::EINVAL);
        }
        if wanted == 0 {
            return OK;
        }
        Err(Errno::EINVAL)
    }

    pub(super) fn sys_personality(&mut self, _c: &Caller, persona: u32) -> SysResult {
        match persona {
            0 | 0xffff_ffff => OK,
            _ => Err(Errno::EINVAL),
        }
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

    pub(super) fn sys_prctl(
        &mut self,
        c: &Caller,
        option: u32,
        arg2: u64,
        _arg3: u64,
        _arg4: u64,
        _arg5: u64,
    ) -> SysResult {
        const SET_PDEATHSIG: u32 = 1;
        const GET_PDEATHSIG: u32 = 2;
        const GET_DUMPABLE: u32 = 3;
        const SET_DUMPABLE: u32 = 4;
        const GET_KEEPCAPS: u32 = 7;
        const SET_KEEPCAPS: u32 = 8;
        const SET_NAME: u32 = 15;
        const GET_NAME: u32 = 16;
        const CAPBSET_READ: u32 = 23;
        const SET_TIMERSLACK: u32 = 29;
        const GET_TIMERSLACK: u32 = 30;
        const SET_CHILD_SUBREAPER: u32 = 36;
        const GET_CHILD_SUBREAPER: u32 = 37;
        const SET_NO_NEW_PRIVS: u32 = 38;
        const GET_NO_NEW_PRIVS: u32 = 39;
        let space = Space::Thread(c.thread);
        let (p, _) = self.caller_process(c.thread).ok_or(Errno::ESRCH)?;
        if option == SET_NAME {
            let mut name = [0u8; 16];
            let got = self.mem.read_some(space, arg2, &mut name[..15])?;
            let end = name[..got].iter().position(|&b| b == 0).unwrap_or(got);
            self.set_name(c.thread, comm_of(&name[..end]));
            return OK;
        }
        if option == GET_NAME {
            let comm = self.thread(c.thread).ok_or(Errno::ESRCH)?.comm;
            self.mem.copy_out(space, arg2, &comm)?;
            return OK;
        }
        let process = self.process_mut(p).ok_or(Errno::ESRCH)?;
        match option {
            SET_PDEATHSIG if arg2 <= 64 => process.death_signal = arg2 as i32,
            GET_PDEATHSIG => {
                let signal = process.death_signal;
                self.mem.copy_out(space, arg2, &signal.to_le_bytes())?;
            }
            GET_DUMPABLE => return Ok(i32::from(!process.kept.undumpable).into()),
            SET_DUMPABLE if arg2 <= 1 => process.kept.undumpable = arg2 == 0,
            GET_KEEPCAPS => return Ok(i32::from(process.kept.keepcaps).into()),
            SET_KEEPCAPS if arg2 <= 1 => process.kept.keepcaps = arg2 == 1,
            CAPBSET_READ if arg2 <= 40 => return Ok(1.into()),
            SET_TIMERSLACK => {}
            GET_TIMERSLACK => return Ok(50_000.into()),
            SET_CHILD_SUBREAPER => process.subreaper = arg2 != 0,
            GET_CHILD_SUBREAPER => {
                let value = i32::from(process.subreaper);
                self.mem.copy_out(space, arg2, &value.to_le_bytes())?;
            }
            SET_NO_NEW_PRIVS if arg2 == 1 => process.kept.no_new_privs = true,
            GET_NO_NEW_PRIVS => return Ok(i32::from(process.kept.no_new_privs).into()),
            _ => return Err(Errno::EINVAL),
        }
        OK
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
        use crate::limits::{AS, DATA, FSIZE, NOFILE, STACK};
        let Some(process) = self.process(p) else {
            return;
        };
        let limits = process.limits;
        for t in process.threads.clone() {
            let _ = self
                .fs
                .set_limits(t, limits.soft(NOFILE), limits.soft(FSIZE));
            let _ = self.mem.set_limits(
                Space::Thread(t),
                limits.soft(AS),
                limits.soft(STACK),
                limits.soft(DATA),
            );
        }
    }
}
