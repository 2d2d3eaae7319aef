//! Open file descriptions.

use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use lsyscall_abi::consts::inotify::{IN_CLOSE_NOWRITE, IN_CLOSE_WRITE};
use lsyscall_abi::{Errno, OpenFlags};

use crate::epoll::{EpItem, Epoll};
use crate::event::{EventFd, TimerFd};
use crate::heap::headroom;
use crate::inode::Inode;
use crate::inotify::Inotify;
use crate::lock::Owner;
use crate::mount::Path;
use crate::mq::Mq;
use crate::pidfd::PidFd;
use crate::pipe::Pipe;
use crate::sigio::Async;
use crate::signal::SignalFd;
use crate::tty::{HostStream, Tty};
use crate::unix::Socket;
use crate::wait::WaitQueue;

/// What a description gives access to.
pub enum Object {
    /// A regular file: its inode's memory object.
    Regular,
    /// A directory.
    Directory,
    /// Only a place in the tree (O_PATH).
    PathOnly,
    /// An end of a pipe.
    Pipe(Rc<Pipe>),
    /// A terminal.
    Tty(Rc<Tty>),
    /// The master of a pseudo-terminal.
    Master(Rc<Tty>),
    /// The host's input and output.
    Host(Rc<HostStream>),
    /// /dev/null.
    Null,
    /// /dev/zero.
    Zero,
    /// /dev/full.
    Full,
    /// /dev/random and /dev/urandom.
    Random,
    /// /dev/kmsg.
    Log,
    /// A file of /proc, with what was last read of it.
    Proc(RefCell<Vec<u8>>),
    /// eventfd.
    Event(Rc<EventFd>),
    /// timerfd.
    Timer(Rc<TimerFd>),
    /// epoll.
    Epoll(Rc<Epoll>),
    /// signalfd.
    Signal(Rc<SignalFd>),
    /// A POSIX message queue.
    Mq(Rc<Mq>),
    /// A process.
    Process(Rc<PidFd>),
    /// A socket.
    Socket(Rc<Socket>),
    /// inotify.
    Inotify(Rc<Inotify>),
}

/// Counts descriptions.
#[derive(Default)]
pub struct FileCount {
    count: Cell<u64>,
    /// A socket's description was closed since somebody looked.
    pub socket_closed: Cell<bool>,
}

impl FileCount {
    /// Descriptions there may be at a time (/proc/sys/fs/file-max).
    pub const MAX: u64 = 16384;

    /// Descriptions alive.
    pub fn get(&self) -> u64 {
        self.count.get()
    }
}

/// An open file description: what open(2) makes and descriptors share.
pub struct File {
    /// Number, never used again.
    pub id: u64,
    /// What it gives access to.
    pub object: Object,
    /// The name it was opened by; pipes and the like have one that no directory holds.
    pub path: Path,
    flags: Cell<u32>,
    /// Offset.
    pub pos: Cell<u64>,
    /// F_SETOWN and O_ASYNC.
    pub notices: Async,
    /// F_SETSIG.
    pub signal: Cell<i32>,
    /// epoll items that watch it.
    pub watchers: RefCell<Vec<Weak<EpItem>>>,
    /// It holds a flock(2) lock or F_OFD_SETLK locks (perhaps).
    pub locked: Cell<bool>,
    count: Rc<FileCount>,
}

/// Flags that F_SETFL can change.
pub const SETTABLE: u32 = OpenFlags::APPEND.bits()
    | OpenFlags::NONBLOCK.bits()
    | OpenFlags::ASYNC.bits()
    | OpenFlags::DIRECT.bits()
    | OpenFlags::NOATIME.bits();

impl File {
    /// A new description; a writer of a regular file is counted. `ENFILE` when there are too many, `ENOMEM`.
    pub fn new(
        count: &Rc<FileCount>,
        id: u64,
        object: Object,
        path: Path,
        flags: OpenFlags,
    ) -> Result<Rc<File>, Errno> {
        if count.get() >= FileCount::MAX {
            return Err(Errno::ENFILE);
        }
        headroom()?;
        count.count.set(count.get() + 1);
        let kept = flags
            - OpenFlags::CREAT
            - OpenFlags::EXCL
            - OpenFlags::NOCTTY
            - OpenFlags::TRUNC
            - OpenFlags::CLOEXEC;
        if matches!(object, Object::Regular) && flags.writes() {
            let writers = &path.inode().writers;
            writers.set(writers.get().saturating_add(1));
        }
        if let Object::Pipe(pipe) = &object {
            pipe.open_end(flags.reads(), flags.writes());
        }
        if let Object::Tty(tty) = &object {
            if let Some(master) = &tty.master {
                master.slave_opened();
            }
        }
        Ok(Rc::new(File {
            id,
            object,
            path,
            flags: Cell::new(kept.bits()),
            pos: Cell::new(0),
            notices: Async::default(),
            signal: Cell::new(0),
            watchers: RefCell::new(Vec::new()),
            locked: Cell::new(false),
            count: Rc::clone(count),
        }))
    }

    /// The file itself.
    pub fn inode(&self) -> &Rc<Inode> {
        self.path.inode()
    }

    /// Status flags, as F_GETFL shows them (O_LARGEFILE, which 64-bit Linux adds at open, included where it does).
    pub fn flags(&self) -> OpenFlags {
        OpenFlags::from_bits_retain(self.flags.get())
    }

    /// Changes the flags F_SETFL can change.
    pub fn set_flags(&self, flags: u32) {
        self.flags
            .set(self.flags.get() & !SETTABLE | flags & SETTABLE);
    }

    /// Opened for reading.
    #[inline]
    pub fn reads(&self) -> bool {
        self.flags().reads() && !matches!(self.object, Object::PathOnly)
    }

    /// Opened for writing.
    #[inline]
    pub fn writes(&self) -> bool {
        self.flags().writes() && !matches!(self.object, Object::PathOnly)
    }

    /// O_NONBLOCK.
    pub fn nonblocking(&self) -> bool {
        self.flags.get() & OpenFlags::NONBLOCK.bits() != 0
    }

    /// `EBADF` for a description that is only a place.
    pub fn not_path_only(&self) -> Result<(), Errno> {
        match self.object {
            Object::PathOnly => Err(Errno::EBADF),
            _ => Ok(()),
        }
    }

    /// Whether it has an offset.
    pub fn seekable(&self) -> bool {
        !matches!(
            self.object,
            Object::Pipe(_)
                | Object::Tty(_)
                | Object::Master(_)
                | Object::Host(_)
                | Object::Event(_)
                | Object::Timer(_)
                | Object::Epoll(_)
                | Object::Signal(_)
                | Object::Process(_)
                | Object::Mq(_)
                | Object::Socket(_)
                | Object::Inotify(_)
                | Object::Log
        )
    }

    /// Where to wait for a change of what poll(2) says; `None`: it never changes.
    pub fn queue(&self) -> Option<&WaitQueue> {
        match &self.object {
            Object::Pipe(pipe) => Some(&pipe.queue),
            Object::Tty(tty) => Some(&tty.queue),
            Object::Master(tty) => tty.master.as_ref().map(|m| &m.queue),
            Object::Host(host) => Some(&host.queue),
            Object::Event(event) => Some(&event.queue),
            Object::Timer(timer) => Some(&timer.queue),
            Object::Epoll(epoll) => Some(&epoll.queue),
            Object::Signal(signal) => Some(&signal.queue),
            Object::Process(process) => Some(&process.queue),
            Object::Mq(mq) => Some(&mq.queue),
            Object::Socket(socket) => Some(&socket.queue),
            Object::Inotify(inotify) => Some(&inotify.queue),
            _ => None,
        }
    }

    /// What /proc calls a description that has no name.
    pub fn kind_name(&self) -> &'static str {
        match self.object {
            Object::Event(_) => "[eventfd]",
            Object::Timer(_) => "[timerfd]",
            Object::Epoll(_) => "[eventpoll]",
            Object::Signal(_) => "[signalfd]",
            // As Linux has it.
            Object::Inotify(_) => "inotify",
            Object::Process(_) => "[pidfd]",
            Object::Mq(_) => "[mqueue]",
            _ => "[unknown]",
        }
    }

    /// The epoll instance, if it is one.
    pub fn epoll(&self) -> Option<&Rc<Epoll>> {
        match &self.object {
            Object::Epoll(epoll) => Some(epoll),
            _ => None,
        }
    }

    /// The socket, or `ENOTSOCK`.
    pub fn socket(&self) -> Result<&Rc<Socket>, Errno> {
        match &self.object {
            Object::Socket(socket) => Ok(socket),
            Object::PathOnly => Err(Errno::EBADF),
            _ => Err(Errno::ENOTSOCK),
        }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let count = &self.count.count;
        count.set(count.get().saturating_sub(1));
        for item in self.watchers.take() {
            if let Some(item) = item.upgrade() {
                if let Some(epoll) = item.instance() {
                    epoll.remove(item.key);
                }
            }
        }
        let inode = self.path.inode();
        if self.locked.get() {
            if let Some(locks) = inode.locks.get() {
                locks.unflock(self.id);
                locks.release(Owner::Description(self.id));
            }
        }
        let flags = self.flags();
        if !matches!(self.object, Object::PathOnly) {
            self.path.dentry.notify(if flags.writes() {
                IN_CLOSE_WRITE
            } else {
                IN_CLOSE_NOWRITE
            });
        }
        match &self.object {
            Object::Regular if flags.writes() => {
                inode.writers.set(inode.writers.get() - 1);
            }
            Object::Pipe(pipe) => pipe.close_end(flags.reads(), flags.writes()),
            Object::Socket(socket) => {
                self.count.socket_closed.set(true);
                socket.close();
            }
            Object::Tty(tty) => {
                if let Some(master) = &tty.master {
                    master.slave_closed();
                }
            }
            Object::Master(tty) => {
                if let Some(master) = &tty.master {
                    master.close(tty);
                }
            }
            _ => {}
        }
    }
}
