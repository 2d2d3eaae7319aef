//! Descriptors of processes (pidfd_open(2)). Processes are procmgr's: it makes these descriptors, is told which process one
//! means, and tells when a process has ended.

use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::cmp::Ordering;

use console_api::Console;
use fsmgr_api::PidFdInfo;
use lsyscall_abi::{Errno, OpenFlags, PollFlags, ThreadIdx};
use memmgr_api::Memory;

use crate::file::{File, Object};
use crate::wait::{RunList, WaitQueue};
use crate::FsMgr;

/// A process to wait for.
pub struct PidFd {
    /// Its id.
    pub pid: i32,
    /// Its number, which no other process ever has.
    pub serial: u64,
    /// It has ended.
    pub ended: Cell<bool>,
    /// Everyone who waits for that.
    pub queue: WaitQueue,
}

impl PidFd {
    /// What poll(2) says.
    pub fn poll(&self) -> u32 {
        if self.ended.get() {
            (PollFlags::IN | PollFlags::RDNORM).bits()
        } else {
            0
        }
    }
}

/// All of them.
#[derive(Default)]
pub struct PidFds(RefCell<Vec<Weak<PidFd>>>);

impl PidFds {
    fn add(&self, run: &Rc<RunList>, pid: i32, serial: u64, ended: bool) -> Rc<PidFd> {
        let new = Rc::new(PidFd {
            pid,
            serial,
            ended: Cell::new(ended),
            queue: WaitQueue::new(run),
        });
        let mut all = self.0.borrow_mut();
        all.retain(|p| p.strong_count() > 0);
        all.push(Rc::downgrade(&new));
        new
    }

    /// A process has ended.
    pub fn ended(&self, serial: u64) {
        let all: Vec<_> = self.0.borrow().iter().filter_map(Weak::upgrade).collect();
        for one in all.iter().filter(|p| p.serial == serial) {
            one.ended.set(true);
            one.queue.wake();
        }
    }
}

/// Which kinds of things kcmp(2) compares here.
mod kcmp {
    pub const FILE: u8 = 0;
    pub const FILES: u8 = 2;
    pub const FS: u8 = 3;
}

impl<M: Memory, C: Console> FsMgr<M, C> {
    pub(crate) fn open_pidfd(
        &mut self,
        thread: ThreadIdx,
        process: PidFdInfo,
        ended: bool,
    ) -> Result<i32, Errno> {
        let object = self
            .pid_fds
            .add(&self.vfs.run, process.pid, process.serial, ended);
        let mut flags = OpenFlags::RDWR;
        if process.nonblock {
            flags |= OpenFlags::NONBLOCK;
        }
        let file = self
            .vfs
            .open(Object::Process(object), self.vfs.anon(), flags)?;
        let files = &self.tasks.get(thread)?.files;
        let fd = files.borrow_mut().install(file, true, 0);
        fd
    }

    pub(crate) fn pidfd_info(&self, thread: ThreadIdx, fd: i32) -> Result<PidFdInfo, Errno> {
        let files = self.tasks.get(thread)?.files.borrow();
        let file = files.get(fd)?;
        match &file.object {
            Object::Process(process) => Ok(PidFdInfo {
                pid: process.pid,
                serial: process.serial,
                nonblock: file.flags().contains(OpenFlags::NONBLOCK),
            }),
            _ => Err(Errno::EBADF),
        }
    }

    /// pidfd_getfd(2): a descriptor of another thread's table.
    pub(crate) fn take_file(
        &mut self,
        thread: ThreadIdx,
        from: ThreadIdx,
        fd: i32,
    ) -> Result<i32, Errno> {
        let file = self
            .tasks
            .get(from)?
            .files
            .borrow()
            .get(fd)
            .map(Rc::clone)?;
        let files = &self.tasks.get(thread)?.files;
        let fd = files.borrow_mut().install(file, true, 0);
        fd
    }

    /// kcmp(2): 0 if both are the same, 1 or 2 for their order.
    pub(crate) fn compare_files(
        &self,
        (first, fd1): (ThreadIdx, i32),
        (second, fd2): (ThreadIdx, i32),
        kind: u8,
    ) -> Result<i32, Errno> {
        let (a, b) = (self.tasks.get(first)?, self.tasks.get(second)?);
        let (a, b) = match kind {
            kcmp::FILE => {
                let open = |table: &Rc<RefCell<crate::fd::FdTable>>, fd| -> Result<u64, Errno> {
                    let file: Rc<File> = table.borrow().get(fd).map(Rc::clone)?;
                    Ok(file.id)
                };
                (open(&a.files, fd1)?, open(&b.files, fd2)?)
            }
            kcmp::FILES => (a.files.borrow().id, b.files.borrow().id),
            kcmp::FS => (Rc::as_ptr(&a.fs) as u64, Rc::as_ptr(&b.fs) as u64),
            _ => return Err(Errno::EINVAL),
        };
        Ok(match a.cmp(&b) {
            Ordering::Equal => 0,
            Ordering::Less => 1,
            Ordering::Greater => 2,
        })
    }

    /// unshare(2) of descriptors and directories.
    pub(crate) fn unshare_parts(
        &mut self,
        thread: ThreadIdx,
        files: bool,
        fs: bool,
    ) -> Result<(), Errno> {
        if files {
            self.unshare_files(thread)?;
        }
        if fs {
            let own = self.tasks.get_mut(thread)?;
            if Rc::strong_count(&own.fs) > 1 {
                own.fs = Rc::new(own.fs.copy());
            }
        }
        Ok(())
    }
}
