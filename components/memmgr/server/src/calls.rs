//! The system calls about memory.

use lsyscall_abi::{
    consts, ClockId, Errno, Iovec, MremapFlags, Pid, ProtFlags, RobustListHead, Timespec, UserAddr,
    UserArray, UserPtr,
};
use lsyscall_router::{Caller, Done, Flow, MemCalls, SysResult, OK};
use memmgr_api::{Space as Which, PAGE_SIZE};

use crate::machine::Machine;
use crate::maps::user_range;
use crate::server::Server;
use crate::space::Lock;

/// Bytes of struct robust_list_head.
const ROBUST_HEAD_BYTES: usize = core::mem::size_of::<RobustListHead>();

/// membarrier(2) commands.
mod barrier {
    pub const GLOBAL: i32 = 1;
    pub const GLOBAL_EXPEDITED: i32 = 2;
    pub const REGISTER_GLOBAL_EXPEDITED: i32 = 4;
    pub const PRIVATE_EXPEDITED: i32 = 8;
    pub const REGISTER_PRIVATE_EXPEDITED: i32 = 16;
    pub const SYNC_CORE: i32 = 32;
    pub const REGISTER_SYNC_CORE: i32 = 64;
    pub const SUPPORTED: i32 = GLOBAL
        | GLOBAL_EXPEDITED
        | REGISTER_GLOBAL_EXPEDITED
        | PRIVATE_EXPEDITED
        | REGISTER_PRIVATE_EXPEDITED
        | SYNC_CORE
        | REGISTER_SYNC_CORE;
}

impl<M: Machine> MemCalls for Server<M> {
    fn brk(&mut self, c: &Caller, addr: UserAddr) -> SysResult {
        self.before_promise(Which::Thread(c.thread));
        let (core, space) = self.own(c)?;
        Ok(Flow::from(core.set_break(space, addr.0)))
    }

    fn munmap(&mut self, c: &Caller, addr: UserAddr, length: usize) -> SysResult {
        let (core, space) = self.own(c)?;
        core.unmap_user(space, addr.0, length as u64).done()
    }

    fn mremap(
        &mut self,
        c: &Caller,
        old_address: UserAddr,
        old_size: usize,
        new_size: usize,
        flags: MremapFlags,
        new_address: UserAddr,
    ) -> SysResult {
        self.before_promise(Which::Thread(c.thread));
        let (core, space) = self.own(c)?;
        let (old, wanted) = (old_address.0, new_address.0);
        core.remap(space, old, old_size as u64, new_size as u64, flags, wanted)
            .done()
    }

    fn mprotect(&mut self, c: &Caller, addr: UserAddr, len: usize, prot: ProtFlags) -> SysResult {
        let down = prot.contains(ProtFlags::GROWSDOWN);
        let up = prot.contains(ProtFlags::GROWSUP);
        let plain = prot.difference(ProtFlags::GROWSDOWN | ProtFlags::GROWSUP | ProtFlags::BTI);
        let known = ProtFlags::READ | ProtFlags::WRITE | ProtFlags::EXEC;
        if (down && up) || !known.contains(plain) {
            return Err(Errno::EINVAL);
        }
        if !addr.0.is_multiple_of(PAGE_SIZE) {
            return Err(Errno::EINVAL);
        }
        let range = user_range(addr.0, len as u64);
        let (mut start, end) = range.map_err(|_| Errno::ENOMEM)?;
        if start == end {
            return OK;
        }
        let (core, space) = self.own(c)?;
        if down {
            let (area, vma) = space.vmas.find(start).ok_or(Errno::ENOMEM)?;
            if !vma.grows_down {
                return Err(Errno::EINVAL);
            }
            start = area;
        } else if up {
            return Err(Errno::EINVAL);
        }
        core.protect(space, start, end, plain.bits() as u8).done()
    }

    fn msync(&mut self, c: &Caller, addr: UserAddr, length: usize, flags: u32) -> SysResult {
        let known = consts::msync::MS_ASYNC | consts::msync::MS_INVALIDATE | consts::msync::MS_SYNC;
        let both = consts::msync::MS_ASYNC | consts::msync::MS_SYNC;
        if flags & !known != 0 || flags & both == both || !addr.0.is_multiple_of(PAGE_SIZE) {
            return Err(Errno::EINVAL);
        }
        let range = user_range(addr.0, length as u64);
        let (start, end) = range.map_err(|_| Errno::ENOMEM)?;
        let (_, space) = self.own(c)?;
        if space.vmas.is_covered(start, end) {
            OK
        } else {
            Err(Errno::ENOMEM)
        }
    }

    fn mlock(&mut self, c: &Caller, addr: UserAddr, len: usize) -> SysResult {
        self.lock_range(c, addr.0, len, Some(Lock::Now))
    }

    fn mlock2(&mut self, c: &Caller, addr: UserAddr, len: usize, flags: u32) -> SysResult {
        const ONFAULT: u32 = 1;
        let how = match flags {
            0 => Lock::Now,
            ONFAULT => Lock::OnFault,
            _ => return Err(Errno::EINVAL),
        };
        self.lock_range(c, addr.0, len, Some(how))
    }

    fn munlock(&mut self, c: &Caller, addr: UserAddr, len: usize) -> SysResult {
        self.lock_range(c, addr.0, len, None)
    }

    fn mlockall(&mut self, c: &Caller, flags: u32) -> SysResult {
        use consts::mlockall::{MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT};
        let known = MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT;
        if flags == 0 || flags & !known != 0 || flags == MCL_ONFAULT {
            return Err(Errno::EINVAL);
        }
        self.before_promise(Which::Thread(c.thread));
        let (core, space) = self.own(c)?;
        if space.limits.lock == 0 && !space.locks_freely {
            return Err(Errno::EPERM);
        }
        let how = match flags & MCL_ONFAULT {
            0 => Lock::Now,
            _ => Lock::OnFault,
        };
        let wanted = |flag: u32| (flags & flag != 0).then_some(how);
        core.lock_all(space, wanted(MCL_CURRENT), wanted(MCL_FUTURE))
            .done()
    }

    fn munlockall(&mut self, c: &Caller) -> SysResult {
        let (core, space) = self.own(c)?;
        core.unlock_all(space);
        OK
    }

    fn mincore(&mut self, c: &Caller, addr: UserAddr, length: usize, vec: UserAddr) -> SysResult {
        let (core, space) = self.own(c)?;
        core.resident(space, addr.0, length as u64, vec.0).done()
    }

    fn madvise(&mut self, c: &Caller, addr: UserAddr, length: usize, advice: u32) -> SysResult {
        self.advise_range(Which::Thread(c.thread), addr.0, length as u64, advice)
            .done()
    }

    fn process_vm_readv(
        &mut self,
        c: &Caller,
        pid: Pid,
        local: UserArray<Iovec>,
        remote: UserArray<Iovec>,
        flags: u64,
    ) -> SysResult {
        self.move_between(c, pid, local, remote, flags, false)
    }

    fn process_vm_writev(
        &mut self,
        c: &Caller,
        pid: Pid,
        local: UserArray<Iovec>,
        remote: UserArray<Iovec>,
        flags: u64,
    ) -> SysResult {
        self.move_between(c, pid, local, remote, flags, true)
    }

    fn mbind(
        &mut self,
        c: &Caller,
        addr: UserAddr,
        len: u64,
        mode: i32,
        nodemask: UserAddr,
        maxnode: u64,
        flags: u32,
    ) -> SysResult {
        self.bind_range(c, (addr.0, len), mode, nodemask.0, maxnode, flags)
    }

    fn set_mempolicy(
        &mut self,
        c: &Caller,
        mode: i32,
        nodemask: UserAddr,
        maxnode: u64,
    ) -> SysResult {
        self.set_policy(c, mode, nodemask.0, maxnode)
    }

    fn get_mempolicy(
        &mut self,
        c: &Caller,
        mode: UserPtr<i32>,
        nodemask: UserAddr,
        maxnode: u64,
        addr: UserAddr,
        flags: u64,
    ) -> SysResult {
        self.get_policy(c, mode.addr(), (nodemask.0, maxnode), addr.0, flags)
    }

    fn membarrier(&mut self, c: &Caller, cmd: i32, flags: u32, _cpu_id: i32) -> SysResult {
        use barrier::*;
        if flags != 0 {
            return Err(Errno::EINVAL);
        }
        let (_, space) = self.own(c)?;
        let registered = |command: i32| space.barriers & command as u32 != 0;
        match cmd {
            0 => Ok(Flow::from(SUPPORTED)),
            // Threads run one at a time and a system call orders them all.
            GLOBAL | GLOBAL_EXPEDITED => OK,
            PRIVATE_EXPEDITED if registered(REGISTER_PRIVATE_EXPEDITED) => OK,
            SYNC_CORE if registered(REGISTER_SYNC_CORE) => OK,
            PRIVATE_EXPEDITED | SYNC_CORE => Err(Errno::EPERM),
            REGISTER_GLOBAL_EXPEDITED | REGISTER_PRIVATE_EXPEDITED | REGISTER_SYNC_CORE => {
                space.barriers |= cmd as u32;
                OK
            }
            _ => Err(Errno::EINVAL),
        }
    }

    fn set_robust_list(
        &mut self,
        c: &Caller,
        head: UserPtr<RobustListHead>,
        len: usize,
    ) -> SysResult {
        if len != ROBUST_HEAD_BYTES {
            return Err(Errno::EINVAL);
        }
        self.thread_mut(c.thread).robust = head.addr();
        OK
    }

    fn get_robust_list(
        &mut self,
        c: &Caller,
        pid: Pid,
        head_ptr: UserPtr<u64>,
        len_ptr: UserPtr<u64>,
    ) -> SysResult {
        let thread = match pid.0 {
            0 => c.thread,
            pid => {
                let tid = u32::try_from(pid).map_err(|_| Errno::ESRCH)?;
                self.ids.thread(tid).ok_or(Errno::ESRCH)?
            }
        };
        if !self.ids.may_access(c.thread, thread, true) && thread != c.thread {
            return Err(Errno::EPERM);
        }
        let head = self.thread(thread).robust;
        let (core, space) = self.parts(Which::Thread(c.thread))?;
        let len = (ROBUST_HEAD_BYTES as u64).to_le_bytes();
        core.put_user(space, len_ptr.addr(), &len)?;
        core.put_user(space, head_ptr.addr(), &head.to_le_bytes())
            .done()
    }

    fn futex(
        &mut self,
        c: &Caller,
        uaddr: UserPtr<u32>,
        op: u32,
        val: u32,
        timeout: UserAddr,
        uaddr2: UserPtr<u32>,
        val3: u32,
    ) -> SysResult {
        self.serve_futex(c, uaddr.addr(), op, val, timeout.0, uaddr2.addr(), val3)
    }

    fn futex_waitv(
        &mut self,
        c: &Caller,
        waiters: UserAddr,
        nr_futexes: u32,
        flags: u32,
        timeout: UserPtr<Timespec>,
        clockid: ClockId,
    ) -> SysResult {
        self.wait_any(c, waiters.0, nr_futexes, flags, timeout.addr(), clockid.0)
    }
}
