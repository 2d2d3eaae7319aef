//! System V shared memory, semaphores and message queues (sysvipc(7)): tables of objects by key and id, who may do what.
//! The calls are in `shm.rs`, `sem.rs`, `msg.rs`.

mod msg;
mod sem;
mod shm;
mod text;

use alloc::collections::BTreeMap;
use alloc::rc::Rc;

use console_api::Console;
use fsmgr_api::{Creds, MAX_GROUPS};
use lsyscall_abi::consts::cap::{CAP_IPC_OWNER, CAP_SYS_ADMIN};
use lsyscall_abi::{Errno, ThreadIdx};
use memmgr_api::{Memory, TAG_SHM};

use crate::heap::headroom;
use crate::FsMgr;

pub use msg::MsgQueue;
pub use sem::Undo;
pub use shm::Segment;
pub use text::{limit_text, Limit, Listing};

/// A key that no other object has.
const IPC_PRIVATE: i32 = 0;
const IPC_CREAT: u32 = 0o1000;
const IPC_EXCL: u32 = 0o2000;
const IPC_NOWAIT: u32 = 0o4000;
const IPC_RMID: i32 = 0;
const IPC_SET: i32 = 1;
const IPC_STAT: i32 = 2;
const IPC_INFO: i32 = 3;
/// Bits of an id that are the index in its table (IPCMNI_SHIFT).
const INDEX_BITS: u32 = 15;
/// Sequence numbers go round here.
const MAX_SEQ: u32 = 1 << 16;
/// To read, and to change, as owner, group and others.
const READ: u32 = 0o444;
const WRITE: u32 = 0o222;
/// Bytes of struct ipc64_perm.
const PERM_BYTES: usize = 48;

/// Who calls.
pub struct Who {
    /// Effective user id.
    uid: u32,
    /// Effective group id.
    gid: u32,
    /// Process id.
    pid: i32,
    creds: Rc<Creds>,
}

impl Who {
    fn in_group(&self, gid: u32) -> bool {
        let count = (self.creds.group_count as usize).min(MAX_GROUPS);
        self.gid == gid || self.creds.groups[..count].contains(&gid)
    }

    fn has(&self, cap: u32) -> bool {
        crate::perm::capable(&self.creds, cap)
    }
}

/// Owner, creator and permissions (struct ipc_perm).
#[derive(Clone, Copy, Debug, Default)]
pub struct Perm {
    key: i32,
    uid: u32,
    gid: u32,
    cuid: u32,
    cgid: u32,
    mode: u32,
    seq: u32,
}

impl Perm {
    /// `EACCES` unless all that `wanted` asks for is allowed.
    fn allow(&self, who: &Who, wanted: u32) -> Result<(), Errno> {
        let asked = wanted >> 6 | wanted >> 3 | wanted;
        let granted = if who.uid == self.cuid || who.uid == self.uid {
            self.mode >> 6
        } else if who.in_group(self.cgid) || who.in_group(self.gid) {
            self.mode >> 3
        } else {
            self.mode
        };
        if asked & !granted & 7 == 0 || who.has(CAP_IPC_OWNER) {
            Ok(())
        } else {
            Err(Errno::EACCES)
        }
    }

    /// `EPERM` unless the caller may change or remove the object.
    fn own(&self, who: &Who) -> Result<(), Errno> {
        if who.uid == self.uid || who.uid == self.cuid || who.has(CAP_SYS_ADMIN) {
            Ok(())
        } else {
            Err(Errno::EPERM)
        }
    }

    /// Takes owner and permissions of an ipc64_perm that a program gave (IPC_SET).
    fn change(&mut self, from: &[u8]) {
        self.uid = word(from, 4);
        self.gid = word(from, 8);
        self.mode = self.mode & !0o777 | word(from, 20) & 0o777;
    }

    fn put(&self, out: &mut [u8]) {
        let words = [
            self.key as u32,
            self.uid,
            self.gid,
            self.cuid,
            self.cgid,
            self.mode,
            self.seq & 0xffff,
        ];
        for (slot, word) in out.chunks_exact_mut(4).zip(words) {
            slot.copy_from_slice(&word.to_le_bytes());
        }
    }
}

fn word(from: &[u8], at: usize) -> u32 {
    let mut bytes = [0; 4];
    if let Some(part) = from.get(at..at + 4) {
        bytes.copy_from_slice(part);
    }
    u32::from_le_bytes(bytes)
}

fn long(from: &[u8], at: usize) -> u64 {
    u64::from(word(from, at)) | u64::from(word(from, at + 4)) << 32
}

fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(slot) = out.get_mut(at..at + bytes.len()) {
        slot.copy_from_slice(bytes);
    }
}

/// An object in its table.
pub struct Entry<T> {
    /// Whose it is.
    perm: Perm,
    /// What it is.
    object: T,
}

/// Objects of one kind.
pub struct Table<T> {
    entries: BTreeMap<u32, Entry<T>>,
    seq: u32,
    last: Option<u32>,
    max: usize,
}

impl<T> Table<T> {
    fn new(max: usize) -> Self {
        Table {
            entries: BTreeMap::new(),
            seq: 0,
            last: None,
            max,
        }
    }

    fn id(index: u32, perm: &Perm) -> i32 {
        (perm.seq << INDEX_BITS | index) as i32
    }

    fn index(&self, id: i32) -> Result<u32, Errno> {
        let id = u32::try_from(id).map_err(|_| Errno::EINVAL)?;
        let index = id & ((1 << INDEX_BITS) - 1);
        let entry = self.entries.get(&index).ok_or(Errno::EINVAL)?;
        match entry.perm.seq == id >> INDEX_BITS {
            true => Ok(index),
            false => Err(Errno::EINVAL),
        }
    }

    /// The object of an id. `EINVAL`.
    fn get(&self, id: i32) -> Result<&Entry<T>, Errno> {
        let index = self.index(id)?;
        self.entries.get(&index).ok_or(Errno::EINVAL)
    }

    /// The object of an id. `EINVAL`.
    fn get_mut(&mut self, id: i32) -> Result<&mut Entry<T>, Errno> {
        let index = self.index(id)?;
        self.entries.get_mut(&index).ok_or(Errno::EINVAL)
    }

    /// The object of an id or, for the `*_STAT` commands, of an index; and its id. `EINVAL`.
    fn look_up(&self, id: i32, by_index: bool) -> Result<(i32, &Entry<T>), Errno> {
        if !by_index {
            return Ok((id, self.get(id)?));
        }
        let index = u32::try_from(id).map_err(|_| Errno::EINVAL)?;
        let entry = self.entries.get(&index).ok_or(Errno::EINVAL)?;
        Ok((Self::id(index, &entry.perm), entry))
    }

    fn remove(&mut self, id: i32) -> Option<T> {
        let index = self.index(id).ok()?;
        Some(self.entries.remove(&index)?.object)
    }

    fn iter(&self) -> impl Iterator<Item = (i32, &Entry<T>)> {
        let ids = self.entries.iter();
        ids.map(|(index, entry)| (Self::id(*index, &entry.perm), entry))
    }

    /// The highest index in use, 0 if there is none (what the `*_INFO` commands return).
    fn highest(&self) -> u32 {
        self.entries.keys().next_back().copied().unwrap_or(0)
    }

    /// The `*get` calls: the id of the key's object, which `check` has nothing against, or of a new one that `make` makes.
    fn find_or_make(
        &mut self,
        key: i32,
        flags: u32,
        who: &Who,
        check: impl FnOnce(&T) -> Result<(), Errno>,
        make: impl FnOnce() -> Result<T, Errno>,
    ) -> Result<i32, Errno> {
        let known = match key {
            IPC_PRIVATE => None,
            key => self.entries.iter().find(|(_, e)| e.perm.key == key),
        };
        if let Some((index, entry)) = known {
            if flags & IPC_CREAT != 0 && flags & IPC_EXCL != 0 {
                return Err(Errno::EEXIST);
            }
            check(&entry.object)?;
            entry.perm.allow(who, flags & 0o777)?;
            return Ok(Self::id(*index, &entry.perm));
        }
        if key != IPC_PRIVATE && flags & IPC_CREAT == 0 {
            return Err(Errno::ENOENT);
        }
        if self.entries.len() >= self.max {
            return Err(Errno::ENOSPC);
        }
        headroom()?;
        let object = make()?;
        let free = |index: &u32| !self.entries.contains_key(index);
        let index = (0..1 << INDEX_BITS).find(free).ok_or(Errno::ENOSPC)?;
        // An index that comes back means another object.
        if self.last.is_some_and(|last| index <= last) {
            self.seq = (self.seq + 1) % MAX_SEQ;
        }
        self.last = Some(index);
        let perm = Perm {
            key,
            uid: who.uid,
            gid: who.gid,
            cuid: who.uid,
            cgid: who.gid,
            mode: flags & 0o777,
            seq: self.seq,
        };
        self.entries.insert(index, Entry { perm, object });
        Ok(Self::id(index, &perm))
    }
}

/// Id and key of the segment that a mapping's tag means.
pub fn segment_of(tag: u64) -> Option<(u64, u32)> {
    (tag & TAG_SHM != 0).then_some(((tag & !TAG_SHM) >> 32, tag as u32))
}

/// All objects.
pub struct Sysv {
    /// Shared memory.
    pub shm: Table<Segment>,
    /// Semaphores, which also the ends of processes change.
    pub sem: sem::Sems,
    /// Message queues.
    pub msg: Table<MsgQueue>,
}

impl Sysv {
    /// None.
    pub fn new() -> Self {
        Sysv {
            shm: Table::new(shm::MAX),
            sem: sem::new_table(),
            msg: Table::new(msg::MAX),
        }
    }
}

impl<M: Memory, C: Console> FsMgr<M, C> {
    /// Who the caller is to these objects.
    fn ipc_caller(&self, thread: ThreadIdx) -> Result<Who, Errno> {
        let process = self.tasks.table.process_of(thread).ok_or(Errno::ESRCH)?;
        Ok(Who {
            uid: process.uids[1],
            gid: process.gids[1],
            pid: process.pid as i32,
            creds: Rc::clone(&self.tasks.get(thread)?.creds),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(uid: u32, caps: u64) -> Who {
        Who {
            uid,
            gid: uid,
            pid: 1,
            creds: Rc::new(Creds {
                capabilities: caps,
                ..Creds::ROOT
            }),
        }
    }

    #[test]
    fn keys_ids_and_permissions() {
        let mut table: Table<u32> = Table::new(3);
        let (root, user) = (who(0, u64::MAX), who(7, 0));
        let ok = |_: &u32| Ok(());
        let get = |t: &mut Table<u32>, key, flags, who: &Who| {
            t.find_or_make(key, flags, who, ok, || Ok(5))
        };
        assert_eq!(get(&mut table, 9, 0, &root), Err(Errno::ENOENT));
        let id = get(&mut table, 9, IPC_CREAT | 0o640, &root).unwrap();
        assert_eq!(id, 0);
        assert_eq!(get(&mut table, 9, 0, &root), Ok(id));
        assert_eq!(get(&mut table, 9, 0o600, &user), Err(Errno::EACCES));
        assert_eq!(get(&mut table, 9, 0, &user), Ok(id));
        let exclusive = IPC_CREAT | IPC_EXCL;
        assert_eq!(get(&mut table, 9, exclusive, &root), Err(Errno::EEXIST));
        let private = get(&mut table, IPC_PRIVATE, 0, &user).unwrap();
        assert_ne!(get(&mut table, IPC_PRIVATE, 0, &user), Ok(private));
        assert_eq!(get(&mut table, 10, IPC_CREAT, &root), Err(Errno::ENOSPC));
        assert_eq!(table.get(private).unwrap().perm.own(&user), Ok(()));
        assert_eq!(table.get(id).unwrap().perm.own(&user), Err(Errno::EPERM));
        assert_eq!(table.remove(id), Some(5));
        assert!(table.get(id).is_err());
        let again = get(&mut table, 9, IPC_CREAT, &root).unwrap();
        assert_eq!(again & 0x7fff, 0);
        assert_ne!(again, id);
        assert!(table.get(-1).is_err() && table.look_up(1, true).is_ok());
    }
}
