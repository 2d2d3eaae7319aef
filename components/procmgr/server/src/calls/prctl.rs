//! prctl(2).

use lsyscall_abi::consts::cap::CAP_SYS_RESOURCE;
use lsyscall_abi::consts::prctl::*;
use lsyscall_abi::*;
use lsyscall_router::{Caller, SysResult, OK};
use memmgr_api::{Space, UserMemory};

use crate::exec::comm_of;
use crate::state::ProcIdx;
use crate::{caps, Parts, ProcMgr};

const PR_GET_TIMING: u32 = 13;
const PR_SET_TIMING: u32 = 14;
const PR_MCE_KILL_GET: u32 = 34;
const PR_GET_SPECULATION_CTRL: u32 = 52;

impl<P: Parts> ProcMgr<P> {
    pub(super) fn sys_prctl(
        &mut self,
        c: &Caller,
        option: u32,
        arg2: u64,
        arg3: u64,
        arg4: u64,
        arg5: u64,
    ) -> SysResult {
        let (p, _) = self.caller_process(c.thread).ok_or(Errno::ESRCH)?;
        let unused = |args: &[u64]| match args.iter().all(|&arg| arg == 0) {
            true => Ok(()),
            false => Err(Errno::EINVAL),
        };
        match option {
            PR_SET_NAME | PR_GET_NAME | PR_SET_TIMERSLACK | PR_GET_TIMERSLACK
            | PR_GET_TID_ADDRESS => return self.prctl_thread(c, option, arg2),
            PR_CAPBSET_READ | PR_CAPBSET_DROP | PR_GET_SECUREBITS | PR_SET_SECUREBITS
            | PR_GET_KEEPCAPS | PR_SET_KEEPCAPS => {
                return self.prctl_caps(c, p, option, arg2);
            }
            PR_CAP_AMBIENT => {
                unused(&[arg4, arg5])?;
                let (_, mut ids) = self.ids(c)?;
                let result = ids.caps.ambient(arg2, arg3)?;
                let _ = self.store_ids(p, ids);
                return Ok(result.into());
            }
            PR_SET_NO_NEW_PRIVS => unused(&[arg2 ^ 1, arg3, arg4, arg5])?,
            PR_GET_NO_NEW_PRIVS | PR_GET_THP_DISABLE => unused(&[arg2, arg3, arg4, arg5])?,
            PR_SET_THP_DISABLE => unused(&[arg3, arg4, arg5])?,
            PR_MCE_KILL => return self.machine_check(p, arg2, arg3, unused(&[arg4, arg5])),
            PR_MCE_KILL_GET => unused(&[arg2, arg3, arg4, arg5])?,
            PR_GET_SPECULATION_CTRL => {
                unused(&[arg3, arg4, arg5])?;
                // PR_SPEC_STORE_BYPASS: not affected.
                return match arg2 {
                    0 => OK,
                    _ => Err(Errno::ENODEV),
                };
            }
            PR_SET_MM if !self.capable(c, CAP_SYS_RESOURCE) => return Err(Errno::EPERM),
            _ => {}
        }
        let space = Space::Thread(c.thread);
        let process = self.process_mut(p).ok_or(Errno::ESRCH)?;
        match option {
            PR_SET_PDEATHSIG if arg2 <= 64 => process.death_signal = arg2 as i32,
            PR_GET_PDEATHSIG => {
                let signal = process.death_signal;
                self.mem.copy_out(space, arg2, &signal.to_le_bytes())?;
            }
            PR_GET_DUMPABLE => return Ok(i32::from(!process.kept.undumpable).into()),
            PR_SET_DUMPABLE if arg2 <= 1 => process.kept.undumpable = arg2 == 0,
            PR_GET_TIMING => {}
            PR_SET_TIMING if arg2 == 0 => {}
            PR_SET_CHILD_SUBREAPER => process.subreaper = arg2 != 0,
            PR_GET_CHILD_SUBREAPER => {
                let value = i32::from(process.subreaper);
                self.mem.copy_out(space, arg2, &value.to_le_bytes())?;
            }
            PR_SET_NO_NEW_PRIVS => process.kept.no_new_privs = true,
            PR_GET_NO_NEW_PRIVS => return Ok(i32::from(process.kept.no_new_privs).into()),
            PR_SET_THP_DISABLE => process.kept.no_huge_pages = arg2 != 0,
            PR_GET_THP_DISABLE => return Ok(i32::from(process.kept.no_huge_pages).into()),
            PR_MCE_KILL_GET => {
                // PR_MCE_KILL_DEFAULT is 2.
                let policy = [2, 0, 1][usize::from(process.kept.machine_check.min(2))];
                return Ok(policy.into());
            }
            PR_GET_SECCOMP => return OK,
            _ => return Err(Errno::EINVAL),
        }
        OK
    }

    fn prctl_thread(&mut self, c: &Caller, option: u32, arg: u64) -> SysResult {
        let space = Space::Thread(c.thread);
        let thread = self.thread_mut(c.thread).ok_or(Errno::ESRCH)?;
        match option {
            PR_GET_TIMERSLACK => {
                return Ok(i64::try_from(thread.slack.0).unwrap_or(i64::MAX).into());
            }
            PR_SET_TIMERSLACK => {
                thread.slack.0 = match arg as i64 {
                    slack if slack <= 0 => thread.slack.1,
                    slack => slack as u64,
                };
            }
            PR_GET_NAME => {
                let comm = thread.comm;
                self.mem.copy_out(space, arg, &comm)?;
            }
            PR_GET_TID_ADDRESS => {
                let address = thread.clear_child_tid;
                self.mem.copy_out(space, arg, &address.to_le_bytes())?;
            }
            _ => {
                let mut name = [0u8; 16];
                let got = self.mem.read_some(space, arg, &mut name[..15])?;
                let end = name[..got].iter().position(|&b| b == 0).unwrap_or(got);
                self.set_name(c.thread, comm_of(&name[..end]));
            }
        }
        OK
    }

    fn prctl_caps(&mut self, c: &Caller, p: ProcIdx, option: u32, arg: u64) -> SysResult {
        let (_, mut ids) = self.ids(c)?;
        match option {
            PR_CAPBSET_READ => {
                let there = ids.caps.bounding & caps::bit(arg)? != 0;
                return Ok(i32::from(there).into());
            }
            PR_GET_SECUREBITS => return Ok((ids.caps.secure as i32).into()),
            PR_GET_KEEPCAPS => {
                let kept = ids.caps.secure & caps::SECURE_KEEP_CAPS != 0;
                return Ok(i32::from(kept).into());
            }
            PR_CAPBSET_DROP => ids.caps.drop_bound(arg)?,
            PR_SET_SECUREBITS => ids.caps.set_secure(arg)?,
            _ => ids.caps.set_keep(arg)?,
        }
        self.store_ids(p, ids)
    }

    /// PR_MCE_KILL: kept, since no machine check ever comes.
    fn machine_check(
        &mut self,
        p: ProcIdx,
        set: u64,
        policy: u64,
        rest: Result<(), Errno>,
    ) -> SysResult {
        rest?;
        let value = match (set, policy) {
            (0, 0) => 0,
            // Late, early, default.
            (1, 0) => 1,
            (1, 1) => 2,
            (1, 2) => 0,
            _ => return Err(Errno::EINVAL),
        };
        self.process_mut(p).ok_or(Errno::ESRCH)?.kept.machine_check = value;
        OK
    }
}
