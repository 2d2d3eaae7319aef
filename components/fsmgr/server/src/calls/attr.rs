//! Changing what is known of a file: mode, owner, times, length; and reading directories.

use alloc::rc::Rc;
use alloc::vec::Vec;

use console_api::Console;
use fsmgr_api::Target as SignalTarget;
use lsyscall_abi::consts::cap::CAP_FSETID;
use lsyscall_abi::consts::inotify::{IN_ACCESS, IN_ATTRIB, IN_MODIFY};
use lsyscall_abi::consts::mode::{S_IFMT, S_ISGID, S_ISUID};
use lsyscall_abi::consts::seals::{F_SEAL_FUTURE_WRITE, F_SEAL_GROW, F_SEAL_SHRINK, F_SEAL_WRITE};
use lsyscall_abi::consts::utime::{UTIME_NOW, UTIME_OMIT};
use lsyscall_abi::signal::SIGXFSZ;
use lsyscall_abi::{
    AtFlags, Dirent64, Errno, FallocMode, Timespec, TimespecPair, UserPath, UserPtr, UserSlice,
};
use lsyscall_router::{Caller, Done, SysResult, OK};
use memmgr_api::{Memory, Space};

use crate::attempt::{no_space, MAX_FILE_SIZE};
use crate::file::{File, Object};
use crate::inode::{Inode, Kind, Time};
use crate::mount::Path;
use crate::perm;
use crate::procfs;
use crate::vfs::MODE_BITS;
use crate::FsMgr;

/// Directory records are gathered up to this size, then handed out.
const DIRENT_BUF: usize = 4096;

/// A time utimensat(2) gives: `None` leaves the old one.
fn wanted(time: Timespec, now: Time) -> Result<Option<Time>, Errno> {
    match time.nsec {
        UTIME_NOW => Ok(Some(now)),
        UTIME_OMIT => Ok(None),
        nsec => {
            let nsec = u32::try_from(nsec).map_err(|_| Errno::EINVAL)?;
            if nsec >= 1_000_000_000 {
                return Err(Errno::EINVAL);
            }
            Ok(Some(Time {
                sec: time.sec,
                nsec,
            }))
        }
    }
}

impl<M: Memory, C: Console> FsMgr<M, C> {
    pub(crate) fn chmod_place(&mut self, c: &Caller, place: &Path, mode: u32) -> SysResult {
        let creds = self.creds(c)?;
        let inode = place.inode();
        place.writable()?;
        if inode.is_link() {
            return Err(Errno::EOPNOTSUPP);
        }
        if matches!(inode.kind, Kind::Proc(_)) {
            return Err(Errno::EPERM);
        }
        perm::owner(inode, &creds)?;
        let mode = perm::chmod_mode(inode, &creds, mode & MODE_BITS);
        inode.mode.set(inode.mode.get() & S_IFMT | mode);
        inode.ctime.set(self.time());
        place.dentry.notify(IN_ATTRIB);
        OK
    }

    pub(crate) fn chown_place(
        &mut self,
        c: &Caller,
        place: &Path,
        uid: u32,
        gid: u32,
    ) -> SysResult {
        let creds = self.creds(c)?;
        let inode = place.inode();
        place.writable()?;
        if matches!(inode.kind, Kind::Proc(_)) {
            return Err(Errno::EPERM);
        }
        let uid = Some(uid).filter(|id| *id != u32::MAX);
        let gid = Some(gid).filter(|id| *id != u32::MAX);
        perm::may_chown(inode, &creds, uid, gid)?;
        if let Some(uid) = uid {
            inode.uid.set(uid);
        }
        if let Some(gid) = gid {
            inode.gid.set(gid);
        }
        let mode = inode.mode.get();
        if !inode.is_dir() && mode & (S_ISUID | S_ISGID) != 0 {
            inode.mode.set(perm::without_set_id(mode));
        }
        Self::drop_file_caps(inode);
        inode.ctime.set(self.time());
        place.dentry.notify(IN_ATTRIB);
        OK
    }

    pub(crate) fn utimens_call(
        &mut self,
        c: &Caller,
        dirfd: i32,
        path: UserPath,
        times: UserPtr<TimespecPair>,
        flags: AtFlags,
    ) -> SysResult {
        let now = self.time();
        let (atime, mtime) = if times.is_null() {
            (Some(now), Some(now))
        } else {
            let pair: TimespecPair = self.copy_in(c, times.addr())?;
            let both = (wanted(pair.atime, now)?, wanted(pair.mtime, now)?);
            if pair.atime.nsec == UTIME_OMIT && pair.mtime.nsec == UTIME_OMIT {
                return OK;
            }
            both
        };
        if !(AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH).contains(flags) {
            return Err(Errno::EINVAL);
        }
        let place = if path.is_null() && dirfd != lsyscall_abi::Fd::CWD.0 {
            if !flags.is_empty() {
                return Err(Errno::EINVAL);
            }
            let file = self.file(c, dirfd)?;
            file.not_path_only()?;
            file.path.clone()
        } else {
            self.at_place(c, dirfd, path, flags)?
        };
        let creds = self.creds(c)?;
        let inode = place.inode();
        place.writable()?;
        let touch = (atime, mtime) == (Some(now), Some(now));
        if perm::owner(inode, &creds).is_err() {
            if !touch {
                return Err(Errno::EPERM);
            }
            perm::may(inode, &creds, perm::WRITE)?;
        }
        if let Some(time) = atime {
            inode.atime.set(time);
        }
        if let Some(time) = mtime {
            inode.mtime.set(time);
        }
        inode.ctime.set(now);
        // Who sets one of the two only looks like one who reads or writes.
        place.dentry.notify(match (atime, mtime) {
            (Some(_), None) => IN_ACCESS,
            (None, Some(_)) => IN_MODIFY,
            _ => IN_ATTRIB,
        });
        OK
    }

    /// Sets the length of a regular file. `EFBIG`, `EPERM` for sealed ones.
    pub(crate) fn truncate_inode(
        &mut self,
        c: &Caller,
        inode: &Rc<Inode>,
        size: u64,
    ) -> Result<(), Errno> {
        let Kind::File(data) = &inode.kind else {
            return Ok(());
        };
        let old = data.size.get();
        let limit = self.thread(c)?.files.borrow().fsize;
        if size > old && size > limit {
            self.send(SignalTarget::Thread(c.thread), SIGXFSZ);
            return Err(Errno::EFBIG);
        }
        if size > MAX_FILE_SIZE {
            return Err(Errno::EFBIG);
        }
        let seals = data.seals.get();
        if (size < old && seals & F_SEAL_SHRINK != 0) || (size > old && seals & F_SEAL_GROW != 0) {
            return Err(Errno::EPERM);
        }
        if size == 0 {
            // Mappings of the old object must see the end of the file too.
            if let Some(vmo) = data.vmo.borrow().as_ref() {
                self.mem.vmo_resize(vmo.id(), 0)?;
            }
        } else {
            let vmo = self.contents(inode).map_err(no_space)?;
            self.mem.vmo_resize(vmo, size).map_err(no_space)?;
        }
        data.size.set(size);
        data.dense.set(size == 0 || size <= old && data.dense.get());
        let used = &inode.sb.used;
        used.set((used.get() + size).saturating_sub(old));
        inode.touch(self.time());
        let mode = inode.mode.get();
        let keeps = perm::capable(&self.thread(c)?.creds, CAP_FSETID);
        if mode & (S_ISUID | S_ISGID) != 0 && !keeps {
            inode.mode.set(perm::without_set_id(mode));
        }
        Self::drop_file_caps(inode);
        Ok(())
    }

    pub(crate) fn truncate_call(&mut self, c: &Caller, path: UserPath, length: i64) -> SysResult {
        let size = u64::try_from(length).map_err(|_| Errno::EINVAL)?;
        let name = self.user_path(c, path)?;
        let place = self.lookup(c, lsyscall_abi::Fd::CWD.0, name, true)?;
        let inode = place.inode();
        if inode.is_dir() {
            return Err(Errno::EISDIR);
        }
        if inode.data().is_none() {
            return Err(Errno::EINVAL);
        }
        perm::may_at(&place, &self.thread(c)?.creds, perm::WRITE)?;
        if inode.writers.get() < 0 {
            return Err(Errno::ETXTBSY);
        }
        self.truncate_inode(c, inode, size)?;
        place.dentry.notify(IN_MODIFY);
        OK
    }

    /// A regular file open for writing: `EBADF`, or `EINVAL` for what is none.
    fn writable_file(&self, c: &Caller, fd: i32, wrong: Errno) -> Result<Rc<File>, Errno> {
        let file = self.file(c, fd)?;
        file.not_path_only()?;
        if !matches!(file.object, Object::Regular) {
            return Err(wrong);
        }
        Ok(file)
    }

    pub(crate) fn ftruncate_call(&mut self, c: &Caller, fd: i32, length: i64) -> SysResult {
        let size = u64::try_from(length).map_err(|_| Errno::EINVAL)?;
        let file = self.writable_file(c, fd, Errno::EINVAL)?;
        if !file.writes() {
            return Err(Errno::EINVAL);
        }
        self.truncate_inode(c, file.inode(), size)?;
        file.path.dentry.notify(IN_MODIFY);
        OK
    }

    pub(crate) fn fallocate_call(
        &mut self,
        c: &Caller,
        fd: i32,
        mode: FallocMode,
        offset: i64,
        len: i64,
    ) -> SysResult {
        let file = self.file(c, fd)?;
        if offset < 0 || len <= 0 {
            return Err(Errno::EINVAL);
        }
        let punch = mode.contains(FallocMode::PUNCH_HOLE);
        if mode.has_unknown()
            || (punch
                && (mode.contains(FallocMode::ZERO_RANGE) || !mode.contains(FallocMode::KEEP_SIZE)))
        {
            return Err(Errno::EOPNOTSUPP);
        }
        let alone = |what| mode.contains(what) && mode != what;
        if alone(FallocMode::COLLAPSE_RANGE)
            || alone(FallocMode::INSERT_RANGE)
            || (mode.contains(FallocMode::UNSHARE_RANGE)
                && !(FallocMode::UNSHARE_RANGE | FallocMode::KEEP_SIZE).contains(mode))
        {
            return Err(Errno::EINVAL);
        }
        if !file.writes() {
            return Err(Errno::EBADF);
        }
        match file.object {
            Object::Regular => {}
            Object::Pipe(_) => return Err(Errno::ESPIPE),
            Object::Directory => return Err(Errno::EISDIR),
            _ => return Err(Errno::ENODEV),
        }
        let inode = file.inode();
        let data = inode.data().ok_or(Errno::ENODEV)?;
        let (offset, len) = (offset as u64, len as u64);
        let end = offset.checked_add(len).ok_or(Errno::EFBIG)?;
        if end > MAX_FILE_SIZE {
            return Err(Errno::EFBIG);
        }
        // What Linux's tmpfs can: no more than this.
        if !(FallocMode::KEEP_SIZE | FallocMode::PUNCH_HOLE).contains(mode) {
            return Err(Errno::EOPNOTSUPP);
        }
        if data.seals.get() & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) != 0 && punch {
            return Err(Errno::EPERM);
        }
        if punch {
            let inside = end.min(data.size.get());
            if offset < inside {
                data.dense.set(false);
                let vmo = self.contents(inode)?;
                self.mem.vmo_zero(vmo, offset, inside - offset)?;
            }
            inode.touch(self.time());
        }
        if !punch {
            let growth = end.saturating_sub(data.size.get());
            let sb = &inode.sb;
            let room = sb.size_limit.get().saturating_sub(sb.used.get());
            if growth > room.min(self.mem.stats()?.free) {
                return Err(Errno::ENOSPC);
            }
            let old = data.size.get();
            if !mode.contains(FallocMode::KEEP_SIZE) && growth > 0 {
                self.truncate_inode(c, inode, end)?;
            }
            let vmo = self.contents(inode)?;
            if let Err(error) = self.mem.vmo_fill(vmo, offset, len) {
                if data.size.get() > old {
                    self.truncate_inode(c, inode, old)?;
                }
                return Err(no_space(error));
            }
        }
        file.path.dentry.notify(IN_MODIFY);
        OK
    }

    pub(crate) fn getdents_call(&mut self, c: &Caller, fd: i32, out: UserSlice) -> SysResult {
        let file = self.file(c, fd)?;
        file.not_path_only()?;
        if !matches!(file.object, Object::Directory) {
            return Err(Errno::ENOTDIR);
        }
        let inode = file.inode();
        if inode.dir().is_some_and(|d| d.borrow().dead) {
            return Err(Errno::ENOENT);
        }
        let mut at = file.pos.get();
        let mut total = 0;
        let mut buf = [0; DIRENT_BUF];
        let mut filled = 0;
        let mut out_of_room = false;
        loop {
            let next = self.next_entry(&file, at);
            let record = next.as_ref().map(|e| Dirent64::record_len(e.name.len()));
            let ends = record.is_none_or(|len| total + filled + len > out.len);
            if ends || record.is_some_and(|len| filled + len > buf.len()) {
                let to = out.addr.wrapping_add(total as u64);
                let done = buf.get(..filled).unwrap_or_default();
                self.mem.copy_out(Space::Thread(c.thread), to, done)?;
                total += filled;
                filled = 0;
                file.pos.set(at);
            }
            let Some(entry) = next else { break };
            if ends {
                out_of_room = true;
                break;
            }
            let head = Dirent64 {
                ino: entry.ino,
                off: entry.next as i64,
                kind: (entry.mode >> 12) as u8 & 0xf,
            };
            let rest = buf.get_mut(filled..).unwrap_or_default();
            let Some(len) = head.write(&entry.name, rest) else {
                break;
            };
            filled += len;
            at = entry.next;
        }
        if total == 0 && out_of_room {
            return Err(Errno::EINVAL);
        }
        self.accessed(&file);
        file.path.dentry.notify(IN_ACCESS);
        Ok(total).done()
    }

    fn next_entry(&self, file: &File, at: u64) -> Option<Entry> {
        let inode = file.inode();
        match at {
            0 => Some(Entry {
                name: b".".to_vec(),
                ino: inode.ino,
                mode: inode.mode.get(),
                next: 1,
            }),
            1 => {
                let parent = file.path.dentry.parent();
                let ino = parent.map_or(inode.ino, |p| p.inode.ino);
                Some(Entry {
                    name: b"..".to_vec(),
                    ino,
                    mode: inode.mode.get(),
                    next: 2,
                })
            }
            at => match &inode.kind {
                Kind::Dir(dir) => {
                    let dentry = dir.borrow().at_or_after(at - 2)?;
                    let name = dentry.name().to_vec();
                    Some(Entry {
                        name,
                        ino: dentry.inode.ino,
                        mode: dentry.inode.mode.get(),
                        next: dentry.seq.get() + 3,
                    })
                }
                Kind::Proc(node) => procfs::entry(&self.tasks, node, at - 2).map(|e| Entry {
                    name: e.name,
                    ino: e.ino,
                    mode: e.mode,
                    next: e.next + 2,
                }),
                _ => None,
            },
        }
    }
}

/// A directory entry on its way out.
struct Entry {
    name: Vec<u8>,
    ino: u64,
    mode: u32,
    /// The offset behind it.
    next: u64,
}
