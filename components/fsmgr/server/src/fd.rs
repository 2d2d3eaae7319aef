//! Descriptor tables.

use alloc::rc::Rc;
use alloc::vec::Vec;

use lsyscall_abi::Errno;

use crate::file::File;
use crate::heap::headroom;

/// Descriptors a table can have, whatever RLIMIT_NOFILE says.
pub const MAX_FDS: u64 = 65536;
/// RLIMIT_NOFILE of a new process.
pub const DEFAULT_NOFILE: u64 = 1024;

#[derive(Clone)]
struct Slot {
    file: Rc<File>,
    cloexec: bool,
}

/// A table of descriptors; threads may share one.
pub struct FdTable {
    /// Names the table as a holder of record locks.
    pub id: u64,
    slots: Vec<Option<Slot>>,
    /// No slot below is free.
    hint: usize,
    /// RLIMIT_NOFILE.
    pub nofile: u64,
    /// RLIMIT_FSIZE.
    pub fsize: u64,
    /// What was read and written by calls with these descriptors: bytes read, bytes written, reads, writes.
    pub moved: [u64; 4],
    /// RLIMIT_MSGQUEUE.
    pub queues: u64,
}

impl FdTable {
    /// An empty table.
    pub fn new(id: u64) -> Self {
        FdTable {
            id,
            slots: Vec::new(),
            hint: 0,
            nofile: DEFAULT_NOFILE,
            fsize: u64::MAX,
            moved: [0; 4],
            queues: u64::MAX,
        }
    }

    /// The same descriptors in another table (fork). `ENOMEM`.
    pub fn copy(&self, id: u64) -> Result<Self, Errno> {
        headroom()?;
        let mut slots = Vec::new();
        slots
            .try_reserve_exact(self.slots.len())
            .map_err(|_| Errno::ENOMEM)?;
        slots.extend_from_slice(&self.slots);
        Ok(FdTable {
            id,
            slots,
            hint: self.hint,
            nofile: self.nofile,
            fsize: self.fsize,
            moved: [0; 4],
            queues: self.queues,
        })
    }

    fn limit(&self) -> usize {
        self.nofile.min(MAX_FDS) as usize
    }

    fn slot(&self, fd: i32) -> Option<&Slot> {
        self.slots.get(usize::try_from(fd).ok()?)?.as_ref()
    }

    /// What a descriptor stands for. `EBADF`.
    #[inline]
    pub fn get(&self, fd: i32) -> Result<&Rc<File>, Errno> {
        self.slot(fd).map(|s| &s.file).ok_or(Errno::EBADF)
    }

    /// FD_CLOEXEC. `EBADF`.
    pub fn cloexec(&self, fd: i32) -> Result<bool, Errno> {
        self.slot(fd).map(|s| s.cloexec).ok_or(Errno::EBADF)
    }

    /// Sets FD_CLOEXEC. `EBADF`.
    pub fn set_cloexec(&mut self, fd: i32, on: bool) -> Result<(), Errno> {
        let index = usize::try_from(fd).map_err(|_| Errno::EBADF)?;
        let slot = self.slots.get_mut(index).and_then(Option::as_mut);
        slot.map(|s| s.cloexec = on).ok_or(Errno::EBADF)
    }

    fn lowest_free(&self, min: usize) -> usize {
        let mut at = min.max(self.hint);
        while self.slots.get(at).is_some_and(Option::is_some) {
            at += 1;
        }
        at
    }

    /// `EMFILE` unless there is a free descriptor.
    pub fn check_room(&self, count: usize) -> Result<(), Errno> {
        let mut at = 0;
        for _ in 0..count {
            at = self.lowest_free(at);
            if at >= self.limit() {
                return Err(Errno::EMFILE);
            }
            at += 1;
        }
        Ok(())
    }

    /// Gives a file the lowest free descriptor from `min` up. `EMFILE`.
    pub fn install(&mut self, file: Rc<File>, cloexec: bool, min: usize) -> Result<i32, Errno> {
        let at = self.lowest_free(min);
        if at >= self.limit() {
            return Err(Errno::EMFILE);
        }
        self.put(at, file, cloexec)?;
        if min <= self.hint {
            self.hint = at + 1;
        }
        Ok(at as i32)
    }

    fn put(&mut self, at: usize, file: Rc<File>, cloexec: bool) -> Result<Option<Rc<File>>, Errno> {
        if at >= self.slots.len() {
            let more = at + 1 - self.slots.len();
            self.slots.try_reserve(more).map_err(|_| Errno::ENOMEM)?;
            self.slots.resize(at + 1, None);
        }
        let slot = self.slots.get_mut(at).ok_or(Errno::EBADF)?;
        Ok(slot.replace(Slot { file, cloexec }).map(|s| s.file))
    }

    /// Puts a file at a given descriptor and returns what was there. `EBADF` beyond the limit.
    pub fn replace(
        &mut self,
        fd: i32,
        file: Rc<File>,
        cloexec: bool,
    ) -> Result<Option<Rc<File>>, Errno> {
        let at = usize::try_from(fd).map_err(|_| Errno::EBADF)?;
        if at >= self.limit() {
            return Err(Errno::EBADF);
        }
        self.put(at, file, cloexec)
    }

    /// Takes a descriptor out. `EBADF`.
    pub fn remove(&mut self, fd: i32) -> Result<Rc<File>, Errno> {
        let at = usize::try_from(fd).map_err(|_| Errno::EBADF)?;
        let slot = self.slots.get_mut(at).and_then(Option::take);
        let slot = slot.ok_or(Errno::EBADF)?;
        self.hint = self.hint.min(at);
        Ok(slot.file)
    }

    /// The first open descriptor at or above `fd`.
    pub fn next_open(&self, fd: i32) -> Option<i32> {
        let from = usize::try_from(fd).ok()?;
        let open = self.slots.iter().enumerate().skip(from);
        open.filter(|(_, s)| s.is_some())
            .map(|(at, _)| at as i32)
            .next()
    }

    /// Takes all descriptors out that close at execve.
    pub fn take_cloexec(&mut self) -> Vec<Rc<File>> {
        let mut out = Vec::new();
        for (at, slot) in self.slots.iter_mut().enumerate() {
            if slot.as_ref().is_some_and(|s| s.cloexec) {
                out.extend(slot.take().map(|s| s.file));
                self.hint = self.hint.min(at);
            }
        }
        out
    }

    /// Takes everything out.
    pub fn take_all(&mut self) -> Vec<Rc<File>> {
        self.hint = 0;
        self.slots.drain(..).flatten().map(|s| s.file).collect()
    }

    /// Slots in use or once used, as /proc/PID/status' FDSize.
    pub fn capacity(&self) -> usize {
        self.slots.len().next_multiple_of(64).max(64)
    }
}
