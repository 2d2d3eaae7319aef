//! Shared memory: shmget(2), shmat(2), shmdt(2), shmctl(2). A segment is a memory object; memmgr knows who has it mapped.

use console_api::Console;
use lsyscall_abi::consts::cap::CAP_IPC_LOCK;
use lsyscall_abi::Errno;
use lsyscall_router::{Caller, Done, SysResult, OK};
use memmgr_api::{
    MapRequest, Memory, Placement, Space, Vmo, PAGE_SIZE, PROT_EXEC, PROT_READ, PROT_WRITE,
    TAG_SHM, USER_TOP,
};

use super::{put, IPC_INFO, IPC_PRIVATE, IPC_RMID, IPC_SET, IPC_STAT};
use super::{Perm, PERM_BYTES, READ, WRITE};
use crate::FsMgr;

/// Segments there may be (SHMMNI).
pub const MAX: usize = 4096;
/// Largest segment (SHMMAX), and pages of all together (SHMALL).
pub const MAX_BYTES: u64 = u64::MAX - (1 << 24);
const SHM_RDONLY: u32 = 0o10000;
const SHM_RND: u32 = 0o20000;
const SHM_REMAP: u32 = 0o40000;
const SHM_EXEC: u32 = 0o100_000;
const SHM_HUGETLB: u32 = 0o4000;
const SHM_LOCK: i32 = 11;
const SHM_UNLOCK: i32 = 12;
const SHM_STAT: i32 = 13;
const SHM_INFO: i32 = 14;
const SHM_STAT_ANY: i32 = 15;
/// Bits of the mode: goes with its last mapping; locked in memory.
const SHM_DEST: u32 = 0o1000;
const SHM_LOCKED: u32 = 0o2000;
/// Bytes of struct shmid64_ds.
const DS_BYTES: usize = 112;

/// A segment.
pub struct Segment {
    /// Its memory.
    pub vmo: Vmo,
    /// Bytes.
    pub size: u64,
    /// Times of the last shmat, shmdt and change (seconds).
    pub times: [i64; 3],
    /// Process that made it.
    pub creator: i32,
    /// Process that attached or detached last.
    pub last: i32,
    /// It was removed while mapped: its memory goes with the last mapping.
    pub removed: bool,
}

impl Segment {
    fn ds(&self, perm: &Perm, attached: u64) -> [u8; DS_BYTES] {
        let mut out = [0; DS_BYTES];
        perm.put(&mut out[..PERM_BYTES]);
        put(&mut out, 48, &self.size.to_le_bytes());
        for (i, time) in self.times.iter().enumerate() {
            put(&mut out, 56 + i * 8, &time.to_le_bytes());
        }
        put(&mut out, 80, &self.creator.to_le_bytes());
        put(&mut out, 84, &self.last.to_le_bytes());
        put(&mut out, 88, &attached.to_le_bytes());
        out
    }
}

impl<M: Memory, C: Console> FsMgr<M, C> {
    /// How often a segment is mapped.
    pub(crate) fn attached(&self, segment: &Segment) -> u64 {
        self.mem.vmo_mappings(segment.vmo).unwrap_or(0)
    }

    /// Forgets removed segments that nobody maps any more.
    pub(crate) fn sweep_segments(&mut self) {
        let mem = &self.mem;
        self.sysv.shm.entries.retain(|_, entry| {
            let segment = &entry.object;
            !segment.removed || mem.vmo_mappings(segment.vmo).unwrap_or(0) > 0
        });
    }

    pub(crate) fn shmget_call(&mut self, c: &Caller, key: i32, size: u64, flags: u32) -> SysResult {
        self.sweep_segments();
        let who = self.ipc_caller(c.thread)?;
        let (mem, now) = (&self.mem, self.time().sec);
        let check = |segment: &Segment| match segment.size < size {
            true => Err(Errno::EINVAL),
            false => Ok(()),
        };
        let make = || {
            if size == 0 || size > MAX_BYTES {
                return Err(Errno::EINVAL);
            }
            let total = mem.stats().map(|s| s.total).unwrap_or(0);
            if flags & SHM_HUGETLB != 0 || size > total {
                return Err(Errno::ENOMEM);
            }
            Ok(Segment {
                vmo: mem.vmo_create(size)?,
                size,
                times: [0, 0, now],
                creator: who.pid,
                last: 0,
                removed: false,
            })
        };
        let table = &mut self.sysv.shm;
        table.find_or_make(key, flags, &who, check, make).done()
    }

    pub(crate) fn shmat_call(&mut self, c: &Caller, id: i32, addr: u64, flags: u32) -> SysResult {
        self.sweep_segments();
        let mut addr = addr;
        let place = if addr != 0 {
            if !addr.is_multiple_of(PAGE_SIZE) {
                if flags & SHM_RND == 0 {
                    return Err(Errno::EINVAL);
                }
                addr -= addr % PAGE_SIZE;
                if addr == 0 && flags & SHM_REMAP != 0 {
                    return Err(Errno::EINVAL);
                }
            }
            match flags & SHM_REMAP {
                0 => Placement::FixedNoReplace,
                _ => Placement::Fixed,
            }
        } else if flags & SHM_REMAP != 0 {
            return Err(Errno::EINVAL);
        } else {
            Placement::Hint
        };
        let who = self.ipc_caller(c.thread)?;
        let entry = self.sysv.shm.get(id)?;
        let (mut wanted, mut prot) = (READ, PROT_READ);
        if flags & SHM_RDONLY == 0 {
            wanted |= WRITE;
            prot |= PROT_WRITE;
        }
        if flags & SHM_EXEC != 0 {
            wanted |= 0o111;
            prot |= PROT_EXEC;
        }
        entry.perm.allow(&who, wanted)?;
        let (segment, key) = (&entry.object, entry.perm.key);
        if addr
            .checked_add(segment.size)
            .is_none_or(|end| end > USER_TOP)
        {
            return Err(Errno::EINVAL);
        }
        let request = MapRequest {
            addr,
            max_prot: prot | PROT_EXEC,
            placement: place,
            shared: true,
            vmo: Some(segment.vmo),
            tag: TAG_SHM | (id as u32 as u64) << 32 | u64::from(key as u32),
            ..MapRequest::anonymous(segment.size, prot)
        };
        let at = self
            .mem
            .map(Space::Thread(c.thread), request)
            .map_err(|errno| match errno {
                Errno::EEXIST => Errno::EINVAL,
                errno => errno,
            })?;
        let now = self.time().sec;
        let segment = &mut self.sysv.shm.get_mut(id)?.object;
        segment.times[0] = now;
        segment.last = who.pid;
        Ok(at as i64).done()
    }

    pub(crate) fn shmdt_call(&mut self, c: &Caller, addr: u64) -> SysResult {
        if !addr.is_multiple_of(PAGE_SIZE) {
            return Err(Errno::EINVAL);
        }
        let space = Space::Thread(c.thread);
        let mut found: Option<(u64, u64)> = None;
        let mut at = addr;
        // The pieces of one attachment: those that lie as far behind its address as they lie in the segment.
        while let Some(area) = self.mem.maps_after(space, at)? {
            let tag = found.map_or(area.tag, |(tag, _)| tag);
            let size = found.map_or(u64::MAX, |(_, size)| size);
            if area.start.wrapping_sub(addr) >= size {
                break;
            }
            at = area.end;
            let fits = area.start >= addr && area.start - addr == area.off;
            if area.tag & TAG_SHM == 0 || area.tag != tag || !fits {
                if found.is_none() && area.start > addr {
                    break;
                }
                continue;
            }
            if found.is_none() {
                let id = (tag >> 32) as u32 as i32 & i32::MAX;
                let known = self.sysv.shm.get(id).map(|entry| entry.object.size);
                found = Some((tag, known.unwrap_or(area.end - addr)));
            }
            self.mem.unmap(space, area.start, area.end - area.start)?;
        }
        let (tag, _) = found.ok_or(Errno::EINVAL)?;
        let (now, who) = (self.time().sec, self.ipc_caller(c.thread)?);
        let id = (tag >> 32) as u32 as i32 & i32::MAX;
        if let Ok(entry) = self.sysv.shm.get_mut(id) {
            entry.object.times[1] = now;
            entry.object.last = who.pid;
        }
        self.sweep_segments();
        OK
    }

    pub(crate) fn shmctl_call(&mut self, c: &Caller, id: i32, command: i32, buf: u64) -> SysResult {
        if command < 0 || id < 0 {
            return Err(Errno::EINVAL);
        }
        self.sweep_segments();
        let who = self.ipc_caller(c.thread)?;
        let space = Space::Thread(c.thread);
        match command {
            IPC_INFO => {
                let mut out = [0; 72];
                for (i, value) in [MAX_BYTES, 1, MAX as u64, MAX as u64, MAX_BYTES]
                    .into_iter()
                    .enumerate()
                {
                    put(&mut out, i * 8, &value.to_le_bytes());
                }
                self.mem.copy_out(space, buf, &out)?;
                Ok(i64::from(self.sysv.shm.highest())).done()
            }
            SHM_INFO => {
                let mut out = [0; 48];
                let all = || self.sysv.shm.iter().map(|(_, entry)| &entry.object);
                let count = all().count() as u32;
                let pages: u64 = all().map(|s| s.size.div_ceil(PAGE_SIZE)).sum();
                let present: u64 = all().map(|s| self.mem.vmo_pages(s.vmo).unwrap_or(0)).sum();
                put(&mut out, 0, &count.to_le_bytes());
                put(&mut out, 8, &pages.to_le_bytes());
                put(&mut out, 16, &present.to_le_bytes());
                self.mem.copy_out(space, buf, &out)?;
                Ok(i64::from(self.sysv.shm.highest())).done()
            }
            IPC_STAT | SHM_STAT | SHM_STAT_ANY => {
                let (id, entry) = self.sysv.shm.look_up(id, command != IPC_STAT)?;
                if command != SHM_STAT_ANY {
                    entry.perm.allow(&who, READ)?;
                }
                let ds = entry.object.ds(&entry.perm, self.attached(&entry.object));
                self.mem.copy_out(space, buf, &ds)?;
                Ok(if command == IPC_STAT { 0 } else { id }).done()
            }
            IPC_SET => {
                let mut ds = [0; DS_BYTES];
                self.mem.copy_in(space, buf, &mut ds)?;
                let now = self.time().sec;
                let entry = self.sysv.shm.get_mut(id)?;
                entry.perm.own(&who)?;
                entry.perm.change(&ds);
                entry.object.times[2] = now;
                OK
            }
            IPC_RMID => {
                let entry = self.sysv.shm.get_mut(id)?;
                entry.perm.own(&who)?;
                if !entry.object.removed {
                    entry.object.removed = true;
                    entry.perm.mode |= SHM_DEST;
                    entry.perm.key = IPC_PRIVATE;
                    let vmo = entry.object.vmo;
                    // Mappings keep the memory; without any it goes now, and the segment with it.
                    let mapped = self.mem.vmo_mappings(vmo).unwrap_or(0) > 0;
                    let _ = self.mem.vmo_drop(vmo);
                    if !mapped {
                        self.sysv.shm.remove(id);
                    }
                }
                OK
            }
            SHM_LOCK | SHM_UNLOCK => {
                let entry = self.sysv.shm.get_mut(id)?;
                if !who.has(CAP_IPC_LOCK) {
                    entry.perm.own(&who)?;
                }
                // Memory is never paged out.
                entry.perm.mode &= !SHM_LOCKED;
                if command == SHM_LOCK {
                    entry.perm.mode |= SHM_LOCKED;
                }
                OK
            }
            _ => Err(Errno::EINVAL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{long, word};
    use super::*;

    #[test]
    fn layout_of_shmid_ds() {
        let segment = Segment {
            vmo: Vmo(1),
            size: 0x1234,
            times: [1, 2, 3],
            creator: 4,
            last: 5,
            removed: false,
        };
        let perm = Perm {
            key: 9,
            mode: 0o600,
            ..Perm::default()
        };
        let ds = segment.ds(&perm, 7);
        assert_eq!((word(&ds, 0), word(&ds, 20)), (9, 0o600));
        assert_eq!(
            (long(&ds, 48), long(&ds, 72), long(&ds, 88)),
            (0x1234, 3, 7)
        );
    }
}
