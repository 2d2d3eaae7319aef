//! capget(2) and capset(2).

use lsyscall_abi::consts::cap_version::{
    LINUX_CAPABILITY_VERSION_1, LINUX_CAPABILITY_VERSION_2, LINUX_CAPABILITY_VERSION_3,
};
use lsyscall_abi::*;
use lsyscall_router::{Caller, SysResult, OK};
use memmgr_api::{Space, UserMemory};
use zerocopy::IntoBytes;

use crate::caps::ALL;
use crate::{Parts, ProcMgr};

impl<P: Parts> ProcMgr<P> {
    /// The header, and how many words of 32 capabilities its version has. `EINVAL` for an unknown version, which the
    /// program is told the right one of.
    fn cap_header(
        &self,
        c: &Caller,
        header: UserPtr<CapHeader>,
    ) -> Result<(CapHeader, usize), Errno> {
        let mut head = self.get(c, header)?;
        match head.version {
            LINUX_CAPABILITY_VERSION_1 => Ok((head, 1)),
            LINUX_CAPABILITY_VERSION_2 | LINUX_CAPABILITY_VERSION_3 => Ok((head, 2)),
            _ => {
                head.version = LINUX_CAPABILITY_VERSION_3;
                self.put(c, header, &head)?;
                Err(Errno::EINVAL)
            }
        }
    }

    pub(super) fn sys_capget(
        &mut self,
        c: &Caller,
        header: UserPtr<CapHeader>,
        data: UserAddr,
    ) -> SysResult {
        let (head, words) = match self.cap_header(c, header) {
            Err(Errno::EINVAL) if data.is_null() => return OK,
            other => other?,
        };
        let p = self.process_or_caller(c.thread, head.pid)?;
        let sets = self.process(p).ok_or(Errno::ESRCH)?.ids.caps;
        if data.is_null() {
            return OK;
        }
        let word = |shift: u32| CapData {
            effective: (sets.effective >> shift) as u32,
            permitted: (sets.permitted >> shift) as u32,
            inheritable: (sets.inheritable >> shift) as u32,
        };
        let caps = [word(0), word(32)];
        self.mem
            .copy_out(Space::Thread(c.thread), data.0, caps[..words].as_bytes())?;
        OK
    }

    pub(super) fn sys_capset(
        &mut self,
        c: &Caller,
        header: UserPtr<CapHeader>,
        data: UserAddr,
    ) -> SysResult {
        let (head, words) = self.cap_header(c, header)?;
        let tid = self.thread(c.thread).ok_or(Errno::ESRCH)?.tid;
        if head.pid != 0 && head.pid != tid {
            return Err(Errno::EPERM);
        }
        let mut caps = [CapData::default(); 2];
        self.mem.copy_in(
            Space::Thread(c.thread),
            data.0,
            caps[..words].as_mut_bytes(),
        )?;
        let join = |get: fn(&CapData) -> u32| {
            (u64::from(get(&caps[0])) | u64::from(get(&caps[1])) << 32) & ALL
        };
        let (p, mut ids) = self.ids(c)?;
        ids.caps.set(
            join(|d| d.effective),
            join(|d| d.permitted),
            join(|d| d.inheritable),
        )?;
        self.store_ids(p, ids)
    }
}
