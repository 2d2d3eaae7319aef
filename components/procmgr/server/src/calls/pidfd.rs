//! Descriptors of processes: pidfd_open(2) and its relatives; kcmp(2).

use fsmgr_api::{FsMgr, PidFdInfo};
use lsyscall_abi::consts::cap::{CAP_SYS_NICE, CAP_SYS_PTRACE};
use lsyscall_abi::*;
use lsyscall_router::{Caller, Done, SysResult, OK};
use memmgr_api::{MemMgr, Space, UserMemory};
use zerocopy::IntoBytes;

use crate::signal::Info;
use crate::state::ProcIdx;
use crate::{Parts, ProcMgr};

/// kcmp(2): what is compared.
mod kcmp {
    pub const FILE: i32 = 0;
    pub const VM: i32 = 1;
    pub const FILES: i32 = 2;
    pub const FS: i32 = 3;
    pub const SIGHAND: i32 = 4;
    pub const IO: i32 = 5;
    pub const SYSVSEM: i32 = 6;
}

impl<P: Parts> ProcMgr<P> {
    fn new_pidfd(&mut self, c: ThreadIdx, p: ProcIdx, nonblock: bool) -> Result<i32, Errno> {
        let process = self.process(p).ok_or(Errno::ESRCH)?;
        let info = PidFdInfo {
            pid: process.pid,
            serial: process.serial,
            nonblock,
        };
        let ended = process.is_zombie();
        let fd = self.fs.pidfd_open(c, info, ended)?;
        self.pidfds = true;
        Ok(fd)
    }

    /// CLONE_PIDFD: a descriptor of the new process, written to the parent's memory.
    pub(crate) fn give_pidfd(&mut self, t: ThreadIdx, p: ProcIdx, addr: u64) -> Result<(), Errno> {
        let fd = self.new_pidfd(t, p, false)?;
        let told = self.mem.copy_out(Space::Thread(t), addr, &fd.to_le_bytes());
        if told.is_err() {
            let _ = self.fs.close_fd(t, fd);
        }
        told
    }

    /// A process has ended: its descriptors say so.
    pub(crate) fn pidfds_end(&mut self, p: ProcIdx) {
        if !self.pidfds {
            return;
        }
        if let Some(process) = self.process(p) {
            let _ = self.fs.process_ended(process.serial);
        }
    }

    /// The process that a descriptor of the caller means. `EBADF`, `ESRCH`.
    pub(crate) fn process_of_fd(&self, c: &Caller, fd: Fd) -> Result<ProcIdx, Errno> {
        let info = self.fs.pidfd_of(c.thread, fd.0)?;
        self.find_serial(info.serial).ok_or(Errno::ESRCH)
    }

    /// Whether the caller may look into and change a process (ptrace(2), "Ptrace access mode checking", with real ids).
    pub(crate) fn may_access(&self, c: &Caller, target: ProcIdx) -> bool {
        let (Some((own, from)), Some(to)) = (self.caller_process(c.thread), self.process(target))
        else {
            return false;
        };
        let (uid, gid) = (from.ids.uid[0], from.ids.gid[0]);
        let same = to.ids.uid[..3].iter().all(|&u| u == uid)
            && to.ids.gid[..3].iter().all(|&g| g == gid)
            && !to.kept.undumpable
            && to.ids.caps.permitted & !from.ids.caps.permitted == 0;
        own == target || same || from.ids.caps.has(CAP_SYS_PTRACE)
    }

    pub(super) fn sys_pidfd_open(&mut self, c: &Caller, pid: Pid, flags: u32) -> SysResult {
        let nonblock = OpenFlags::NONBLOCK.bits();
        if flags & !nonblock != 0 || pid.0 <= 0 {
            return Err(Errno::EINVAL);
        }
        let Some(p) = self.find_process(pid.0) else {
            // A thread that leads no process has no descriptor.
            let thread = self.find_thread(pid.0);
            return Err(thread.map_or(Errno::ESRCH, |_| Errno::EINVAL));
        };
        self.new_pidfd(c.thread, p, flags != 0).done()
    }

    pub(super) fn sys_pidfd_send_signal(
        &mut self,
        c: &Caller,
        pidfd: Fd,
        sig: Signal,
        info: UserPtr<SigInfo>,
        flags: u32,
    ) -> SysResult {
        if flags != 0 {
            return Err(Errno::EINVAL);
        }
        let target = self.fs.pidfd_of(c.thread, pidfd.0)?;
        let info = if info.is_null() {
            self.info_from(c, sig, crate::signal::SI_USER)
        } else {
            let mut bytes = [0; 128];
            self.mem
                .copy_in(Space::Thread(c.thread), info.addr(), &mut bytes)?;
            let number = i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            if number != sig.0 {
                return Err(Errno::EINVAL);
            }
            let info = Info::from_bytes(sig, &bytes);
            let own = self.caller_process(c.thread).map_or(0, |(_, p)| p.serial);
            let forged = info.code >= 0 || info.code == crate::signal::SI_TKILL;
            if forged && own != target.serial {
                return Err(Errno::EPERM);
            }
            info
        };
        if sig.0 != 0 && !sig.is_valid() {
            return Err(Errno::EINVAL);
        }
        let p = self.find_serial(target.serial).ok_or(Errno::ESRCH)?;
        if !self.may_signal(c, p, sig) {
            return Err(Errno::EPERM);
        }
        if sig.0 != 0 && !self.signal_process(p, info) {
            return Err(Errno::EAGAIN);
        }
        OK
    }

    pub(super) fn sys_pidfd_getfd(
        &mut self,
        c: &Caller,
        pidfd: Fd,
        target: Fd,
        flags: u32,
    ) -> SysResult {
        if flags != 0 {
            return Err(Errno::EINVAL);
        }
        let p = self.process_of_fd(c, pidfd)?;
        if !self.may_access(c, p) {
            return Err(Errno::EPERM);
        }
        let threads = &self.process(p).ok_or(Errno::ESRCH)?.threads;
        // One that has ended has no descriptors.
        let from = *threads.first().ok_or(Errno::EBADF)?;
        self.fs.take_fd(c.thread, from, target.0).done()
    }

    pub(super) fn sys_process_madvise(
        &mut self,
        c: &Caller,
        pidfd: Fd,
        vector: UserArray<Iovec>,
        advice: u32,
        flags: u32,
    ) -> SysResult {
        use lsyscall_abi::consts::madvise::{MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED};
        if flags != 0 || vector.count() > lsyscall_abi::consts::IOV_MAX {
            return Err(Errno::EINVAL);
        }
        let mut pieces = alloc::vec![Iovec::default(); vector.count()];
        self.mem.copy_in(
            Space::Thread(c.thread),
            vector.addr(),
            pieces.as_mut_bytes(),
        )?;
        let p = self.process_of_fd(c, pidfd)?;
        if !matches!(advice, MADV_COLD | MADV_PAGEOUT | MADV_WILLNEED) {
            return Err(Errno::EINVAL);
        }
        if !self.may_access(c, p) {
            return Err(Errno::EACCES);
        }
        if !self.capable(c, CAP_SYS_NICE) {
            return Err(Errno::EPERM);
        }
        let space = self.process(p).and_then(|p| p.space.as_ref());
        let mm = Space::Mm(space.ok_or(Errno::ESRCH)?.mm);
        let mut done = 0i64;
        for piece in &pieces {
            match self.mem.advise(mm, piece.base, piece.len, advice) {
                Ok(()) => done = done.saturating_add(piece.len as i64),
                Err(errno) if done == 0 => return Err(errno),
                Err(_) => break,
            }
        }
        Ok(done).done()
    }

    pub(super) fn sys_kcmp(
        &mut self,
        c: &Caller,
        pid1: Pid,
        pid2: Pid,
        kind: i32,
        idx1: u64,
        idx2: u64,
    ) -> SysResult {
        let task = |pid: Pid| {
            if pid.0 <= 0 {
                return Err(Errno::ESRCH);
            }
            self.find_thread(pid.0).ok_or(Errno::ESRCH)
        };
        let (first, second) = (task(pid1)?, task(pid2)?);
        let process = |t| Ok(self.thread(t).ok_or(Errno::ESRCH)?.process);
        let (a, b) = (process(first)?, process(second)?);
        if !self.may_access(c, a) || !self.may_access(c, b) {
            return Err(Errno::EPERM);
        }
        let order = |a: u64, b: u64| match a.cmp(&b) {
            core::cmp::Ordering::Equal => 0,
            core::cmp::Ordering::Less => 1,
            core::cmp::Ordering::Greater => 2,
        };
        let number = |idx: u64| i32::try_from(idx as u32).map_err(|_| Errno::EBADF);
        let result = match kind {
            kcmp::FILE => {
                let (fd1, fd2) = (number(idx1)?, number(idx2)?);
                self.fs.compare(first, fd1, second, fd2, kind as u8)?
            }
            kcmp::FILES | kcmp::FS => self.fs.compare(first, 0, second, 0, kind as u8)?,
            kcmp::VM => {
                let space = |p| {
                    self.process(p)
                        .and_then(|p| p.space.as_ref())
                        .map(|s| s.mm.0)
                };
                order(space(a).unwrap_or(0).into(), space(b).unwrap_or(0).into())
            }
            kcmp::SIGHAND | kcmp::SYSVSEM => order(a.0 as u64, b.0 as u64),
            // Nobody has an I/O context of its own.
            kcmp::IO => 0,
            _ => return Err(Errno::EINVAL),
        };
        Ok(i64::from(result).into())
    }
}
