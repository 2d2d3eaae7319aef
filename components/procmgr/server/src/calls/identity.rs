//! Identity: user and group ids, groups, process groups, sessions.

use fsmgr_api::MAX_GROUPS;
use lsyscall_abi::consts::cap::{CAP_SETGID, CAP_SETUID};
use lsyscall_abi::*;
use lsyscall_router::{Caller, SysResult, OK};
use memmgr_api::{Space, UserMemory};
use zerocopy::IntoBytes;

use crate::state::{Ids, ProcIdx};
use crate::{Parts, ProcMgr};

/// "Leave it" in set*id calls.
const KEEP: u32 = u32::MAX;

impl<P: Parts> ProcMgr<P> {
    pub(super) fn ids(&self, c: &Caller) -> Result<(ProcIdx, Ids), Errno> {
        self.caller_process(c.thread)
            .map(|(p, process)| (p, process.ids))
            .ok_or(Errno::ESRCH)
    }

    /// The process has another identity; if it acts as somebody else now, it is nobody's business (prctl(2)).
    pub(super) fn store_ids(&mut self, p: ProcIdx, ids: Ids) -> SysResult {
        if let Some(process) = self.process_mut(p) {
            let old = &process.ids;
            if old.uid[1] != ids.uid[1]
                || old.gid[1] != ids.gid[1]
                || old.uid[3] != ids.uid[3]
                || old.gid[3] != ids.gid[3]
                || ids.caps.permitted & !old.caps.permitted != 0
            {
                process.kept.undumpable = true;
                process.death_signal = 0;
            }
            process.ids = ids;
        }
        self.push_creds(p);
        OK
    }

    pub(super) fn sys_getuid(&mut self, c: &Caller) -> SysResult {
        Ok(self.ids(c)?.1.uid[0].into())
    }

    pub(super) fn sys_geteuid(&mut self, c: &Caller) -> SysResult {
        Ok(self.ids(c)?.1.uid[1].into())
    }

    pub(super) fn sys_getgid(&mut self, c: &Caller) -> SysResult {
        Ok(self.ids(c)?.1.gid[0].into())
    }

    pub(super) fn sys_getegid(&mut self, c: &Caller) -> SysResult {
        Ok(self.ids(c)?.1.gid[1].into())
    }

    pub(super) fn sys_setuid(&mut self, c: &Caller, uid: Uid) -> SysResult {
        let (p, mut ids) = self.ids(c)?;
        let free = ids.caps.has(CAP_SETUID);
        ids.set_uids(set_one(ids.uid, uid.0, free)?);
        self.store_ids(p, ids)
    }

    pub(super) fn sys_setgid(&mut self, c: &Caller, gid: Gid) -> SysResult {
        let (p, mut ids) = self.ids(c)?;
        ids.gid = set_one(ids.gid, gid.0, ids.caps.has(CAP_SETGID))?;
        self.store_ids(p, ids)
    }

    pub(super) fn sys_setreuid(&mut self, c: &Caller, ruid: Uid, euid: Uid) -> SysResult {
        let (p, mut ids) = self.ids(c)?;
        let free = ids.caps.has(CAP_SETUID);
        ids.set_uids(set_two(ids.uid, ruid.0, euid.0, free)?);
        self.store_ids(p, ids)
    }

    pub(super) fn sys_setregid(&mut self, c: &Caller, rgid: Gid, egid: Gid) -> SysResult {
        let (p, mut ids) = self.ids(c)?;
        ids.gid = set_two(ids.gid, rgid.0, egid.0, ids.caps.has(CAP_SETGID))?;
        self.store_ids(p, ids)
    }

    pub(super) fn sys_setresuid(
        &mut self,
        c: &Caller,
        ruid: Uid,
        euid: Uid,
        suid: Uid,
    ) -> SysResult {
        let (p, mut ids) = self.ids(c)?;
        let free = ids.caps.has(CAP_SETUID);
        ids.set_uids(set_three(ids.uid, [ruid.0, euid.0, suid.0], free)?);
        self.store_ids(p, ids)
    }

    pub(super) fn sys_setresgid(
        &mut self,
        c: &Caller,
        rgid: Gid,
        egid: Gid,
        sgid: Gid,
    ) -> SysResult {
        let (p, mut ids) = self.ids(c)?;
        ids.gid = set_three(ids.gid, [rgid.0, egid.0, sgid.0], ids.caps.has(CAP_SETGID))?;
        self.store_ids(p, ids)
    }

    pub(super) fn sys_getresuid(
        &mut self,
        c: &Caller,
        ruid: UserPtr<u32>,
        euid: UserPtr<u32>,
        suid: UserPtr<u32>,
    ) -> SysResult {
        let ids = self.ids(c)?.1;
        self.put(c, ruid, &ids.uid[0])?;
        self.put(c, euid, &ids.uid[1])?;
        self.put(c, suid, &ids.uid[2])?;
        OK
    }

    pub(super) fn sys_getresgid(
        &mut self,
        c: &Caller,
        rgid: UserPtr<u32>,
        egid: UserPtr<u32>,
        sgid: UserPtr<u32>,
    ) -> SysResult {
        let ids = self.ids(c)?.1;
        self.put(c, rgid, &ids.gid[0])?;
        self.put(c, egid, &ids.gid[1])?;
        self.put(c, sgid, &ids.gid[2])?;
        OK
    }

    pub(super) fn sys_setfsuid(&mut self, c: &Caller, uid: Uid) -> SysResult {
        let (p, mut ids) = self.ids(c)?;
        let before = ids.uid[3];
        if uid.0 != KEEP && (ids.caps.has(CAP_SETUID) || ids.uid.contains(&uid.0)) {
            ids.caps.fs_id_changed(before, uid.0);
            ids.uid[3] = uid.0;
            let _ = self.store_ids(p, ids);
        }
        Ok(before.into())
    }

    pub(super) fn sys_setfsgid(&mut self, c: &Caller, gid: Gid) -> SysResult {
        let (p, mut ids) = self.ids(c)?;
        let before = ids.gid[3];
        if gid.0 != KEEP && (ids.caps.has(CAP_SETGID) || ids.gid.contains(&gid.0)) {
            ids.gid[3] = gid.0;
            let _ = self.store_ids(p, ids);
        }
        Ok(before.into())
    }

    pub(super) fn sys_getgroups(&mut self, c: &Caller, size: i32, list: UserAddr) -> SysResult {
        let ids = self.ids(c)?.1;
        let groups = &ids.groups[..ids.group_count];
        if size < 0 || size > 0 && (size as usize) < groups.len() {
            return Err(Errno::EINVAL);
        }
        if size > 0 {
            self.mem
                .copy_out(Space::Thread(c.thread), list.0, groups.as_bytes())?;
        }
        Ok(groups.len().into())
    }

    pub(super) fn sys_setgroups(&mut self, c: &Caller, list: UserArray<u32>) -> SysResult {
        let (p, mut ids) = self.ids(c)?;
        if !ids.caps.has(CAP_SETGID) {
            return Err(Errno::EPERM);
        }
        if list.count() > MAX_GROUPS {
            return Err(Errno::EINVAL);
        }
        let mut groups = [0u32; MAX_GROUPS];
        let wanted = &mut groups[..list.count()];
        self.mem
            .copy_in(Space::Thread(c.thread), list.addr(), wanted.as_mut_bytes())?;
        ids.groups = groups;
        ids.group_count = list.count();
        self.store_ids(p, ids)
    }

    pub(super) fn sys_setpgid(&mut self, c: &Caller, pid: Pid, pgid: Pid) -> SysResult {
        if pgid.0 < 0 {
            return Err(Errno::EINVAL);
        }
        let (own, caller) = self.caller_process(c.thread).ok_or(Errno::ESRCH)?;
        let session = caller.sid;
        let target = if pid.0 == 0 {
            own
        } else {
            self.find_process(pid.0).ok_or(Errno::ESRCH)?
        };
        let process = self.process(target).ok_or(Errno::ESRCH)?;
        if target != own && process.parent != Some(own) {
            return Err(Errno::ESRCH);
        }
        if target != own && process.sid != session {
            return Err(Errno::EPERM);
        }
        if target != own && process.has_execed {
            return Err(Errno::EACCES);
        }
        if process.sid == process.pid {
            return Err(Errno::EPERM);
        }
        let group = if pgid.0 == 0 { process.pid } else { pgid.0 };
        if group != process.pid
            && !self
                .processes()
                .any(|(_, p)| p.pgid == group && p.sid == session)
        {
            return Err(Errno::EPERM);
        }
        if let Some(process) = self.process_mut(target) {
            process.pgid = group;
        }
        OK
    }

    pub(super) fn sys_getpgid(&mut self, c: &Caller, pid: Pid) -> SysResult {
        let p = self
            .process_or_caller(c.thread, pid.0)
            .map_err(|_| Errno::ESRCH)?;
        Ok(self.process(p).ok_or(Errno::ESRCH)?.pgid.into())
    }

    pub(super) fn sys_getsid(&mut self, c: &Caller, pid: Pid) -> SysResult {
        let p = self
            .process_or_caller(c.thread, pid.0)
            .map_err(|_| Errno::ESRCH)?;
        Ok(self.process(p).ok_or(Errno::ESRCH)?.sid.into())
    }

    pub(super) fn sys_setsid(&mut self, c: &Caller) -> SysResult {
        let (p, process) = self.caller_process(c.thread).ok_or(Errno::ESRCH)?;
        let pid = process.pid;
        if self.processes().any(|(_, q)| q.pgid == pid) {
            return Err(Errno::EPERM);
        }
        if let Some(process) = self.process_mut(p) {
            process.sid = pid;
            process.pgid = pid;
        }
        Ok(pid.into())
    }
}

/// setuid and setgid: all four ids for root, else the effective one to one of the others.
fn set_one(ids: [u32; 4], to: u32, privileged: bool) -> Result<[u32; 4], Errno> {
    if to == KEEP {
        return Err(Errno::EINVAL);
    }
    if privileged {
        return Ok([to; 4]);
    }
    if to != ids[0] && to != ids[2] {
        return Err(Errno::EPERM);
    }
    Ok([ids[0], to, ids[2], to])
}

/// setreuid and setregid.
fn set_two(ids: [u32; 4], real: u32, effective: u32, privileged: bool) -> Result<[u32; 4], Errno> {
    let mut new = ids;
    if real != KEEP {
        if !privileged && real != ids[0] && real != ids[1] {
            return Err(Errno::EPERM);
        }
        new[0] = real;
    }
    if effective != KEEP {
        if !privileged && !ids[..3].contains(&effective) {
            return Err(Errno::EPERM);
        }
        new[1] = effective;
    }
    if real != KEEP || effective != KEEP && effective != ids[0] {
        new[2] = new[1];
    }
    new[3] = new[1];
    Ok(new)
}

/// setresuid and setresgid.
fn set_three(ids: [u32; 4], wanted: [u32; 3], privileged: bool) -> Result<[u32; 4], Errno> {
    let mut new = ids;
    for (i, &id) in wanted.iter().enumerate() {
        if id == KEEP {
            continue;
        }
        if !privileged && !ids[..3].contains(&id) {
            return Err(Errno::EPERM);
        }
        new[i] = id;
    }
    new[3] = new[1];
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_ids() {
        assert_eq!(set_one([0; 4], 5, true), Ok([5; 4]));
        assert_eq!(set_one([5, 6, 7, 6], 7, false), Ok([5, 7, 7, 7]));
        assert_eq!(set_one([5, 6, 7, 6], 6, false), Err(Errno::EPERM));
        assert_eq!(set_one([0; 4], KEEP, true), Err(Errno::EINVAL));
        assert_eq!(set_two([1, 2, 3, 2], 2, 1, false), Ok([2, 1, 1, 1]));
        assert_eq!(set_two([1, 2, 3, 2], 3, KEEP, false), Err(Errno::EPERM));
        assert_eq!(set_two([1, 2, 3, 2], KEEP, 1, false), Ok([1, 1, 3, 1]));
        assert_eq!(
            set_three([1, 2, 3, 2], [3, 1, KEEP], false),
            Ok([3, 1, 3, 1])
        );
        assert_eq!(
            set_three([1, 2, 3, 2], [KEEP, 9, KEEP], false),
            Err(Errno::EPERM)
        );
    }
}
