//! Calls about ranges of memory that need more than one address space: madvise, mlock with its limit, process_vm_readv and
//! process_vm_writev.

use alloc::vec::Vec;

use lsyscall_abi::consts::IOV_MAX;
use lsyscall_abi::{Errno, Iovec, Pid, UserArray};
use lsyscall_router::{Caller, Done, SysResult};
use memmgr_api::{DirectMemory, MemMgrService, Space as Which, Vmo, USER_TOP};

use crate::machine::Machine;
use crate::maps::user_range;
use crate::remap::Advised;
use crate::server::Server;
use crate::space::Lock;

/// Bytes moved at a time between two address spaces.
const STEP: usize = 4096;
/// Bytes moved by one call at most (MAX_RW_COUNT).
const MAX_MOVED: u64 = 0x7fff_f000;

impl<M: Machine> Server<M> {
    /// madvise(2).
    pub(crate) fn advise_range(
        &mut self,
        which: Which,
        addr: u64,
        len: u64,
        advice: u32,
    ) -> Result<(), Errno> {
        let (start, end) = user_range(addr, len)?;
        let (core, space) = self.parts(which)?;
        if core.advise(space, start, end, advice)? == Advised::Done {
            return Ok(());
        }
        let mut from = start;
        while let Some((at, vma)) = self.parts(which)?.1.vmas.first_in(from, end) {
            from = vma.end;
            if let Some(id) = vma.object {
                self.vmo_zero(Vmo(id), vma.off, vma.end - at)?;
            }
        }
        Ok(())
    }

    /// mlock(2) and munlock(2).
    pub(crate) fn lock_range(
        &mut self,
        c: &Caller,
        addr: u64,
        len: usize,
        lock: Option<Lock>,
    ) -> SysResult {
        self.before_promise(Which::Thread(c.thread));
        let (core, space) = self.own(c)?;
        core.lock(space, addr, len as u64, lock).done()
    }

    /// The pieces of memory that a vector of a program names, and their length together.
    fn pieces(
        &mut self,
        c: &Caller,
        vector: UserArray<Iovec>,
        local: bool,
    ) -> Result<(Vec<(u64, u64)>, u64), Errno> {
        if vector.count() > IOV_MAX {
            return Err(Errno::EINVAL);
        }
        let mut pieces = Vec::with_capacity(vector.count());
        let mut total = 0u64;
        for index in 0..vector.count() as u64 {
            let at = vector.addr().wrapping_add(index * 16);
            let (core, space) = self.own(c)?;
            let base = core.read_user_u64(space, at)?;
            let len = core.read_user_u64(space, at.wrapping_add(8))?;
            if len > i64::MAX as u64 {
                return Err(Errno::EINVAL);
            }
            let out = base.checked_add(len).is_none_or(|end| end > USER_TOP);
            if local && out && len > 0 {
                return Err(Errno::EFAULT);
            }
            let len = len.min(MAX_MOVED - total.min(MAX_MOVED));
            total += len;
            pieces.push((base, len));
        }
        Ok((pieces, total))
    }

    /// process_vm_readv(2) and, with `write`, process_vm_writev(2).
    pub(crate) fn move_between(
        &mut self,
        c: &Caller,
        pid: Pid,
        local: UserArray<Iovec>,
        remote: UserArray<Iovec>,
        flags: u64,
        write: bool,
    ) -> SysResult {
        if flags != 0 {
            return Err(Errno::EINVAL);
        }
        let (mut local, total) = self.pieces(c, local, true)?;
        if total == 0 {
            return Ok(0).done();
        }
        let (mut remote, remote_total) = self.pieces(c, remote, false)?;
        if remote_total == 0 {
            return Ok(0).done();
        }
        let tid = u32::try_from(pid.0).map_err(|_| Errno::ESRCH)?;
        let target = self.ids.thread(tid).ok_or(Errno::ESRCH)?;
        if !self.ids.may_access(c.thread, target, true) {
            return Err(Errno::EPERM);
        }
        let (here, there) = (Which::Thread(c.thread), Which::Thread(target));
        let mut buffer = alloc::vec![0u8; STEP];
        let mut moved = 0u64;
        let (mut l, mut r) = (0, 0);
        while l < local.len() && r < remote.len() {
            let (near, far) = (&mut local[l], &mut remote[r]);
            let len = near.1.min(far.1).min(STEP as u64);
            if len == 0 {
                l += usize::from(near.1 == 0);
                r += usize::from(far.1 == 0);
                continue;
            }
            let (near_at, far_at) = (near.0, far.0);
            let part = &mut buffer[..len as usize];
            let (from, to) = match write {
                true => ((here, near_at), (there, far_at)),
                false => ((there, far_at), (here, near_at)),
            };
            let step = self
                .read_space(from.0, from.1, part)
                .and_then(|got| self.write_space(to.0, to.1, &part[..got]));
            let got = match step {
                Ok(got) => got as u64,
                Err(errno) if moved == 0 => return Err(errno),
                Err(_) => break,
            };
            moved += got;
            local[l] = (near_at + got, local[l].1 - got);
            remote[r] = (far_at + got, remote[r].1 - got);
            if got < len {
                break;
            }
        }
        Ok(moved as i64).done()
    }
}
