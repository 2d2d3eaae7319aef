//! Flag arguments. Unknown bits are kept, so that a handler can refuse them.

use crate::FromArg;

macro_rules! flags {
    ($($(#[$m:ident $($margs:tt)*])* $name:ident: $bits:ty { $($(#[$fm:ident $($fargs:tt)*])* $flag:ident = $value:expr;)* })*) => { $(
        bitflags::bitflags! {
            $(#[$m $($margs)*])*
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
            #[repr(transparent)]
            pub struct $name: $bits { $($(#[$fm $($fargs)*])* const $flag = $value;)* }
        }

        impl FromArg for $name {
            fn from_arg(raw: u64) -> Self {
                $name::from_bits_retain(raw as $bits)
            }
        }

        impl $name {
            /// Whether bits are set that have no name here.
            pub const fn has_unknown(&self) -> bool {
                self.bits() & !Self::all().bits() != 0
            }
        }
    )* };
}

flags! {
    /// open(2), and the flags other calls share with it (pipe2, dup3, eventfd2's CLOEXEC ...). arm64's values.
    OpenFlags: u32 {
        /// Write only. Reading only is the absence of this and [`OpenFlags::RDWR`].
        WRONLY = 0o1;
        /// Read and write.
        RDWR = 0o2;
        /// Create if it does not exist.
        CREAT = 0o100;
        /// Fail if it exists.
        EXCL = 0o200;
        /// Do not take it as controlling terminal.
        NOCTTY = 0o400;
        /// Cut to length 0.
        TRUNC = 0o1000;
        /// Write at the end.
        APPEND = 0o2000;
        /// Never wait.
        NONBLOCK = 0o4000;
        /// Data reaches the disk before a write returns.
        DSYNC = 0o10000;
        /// SIGIO.
        ASYNC = 0o20000;
        /// Must be a directory.
        DIRECTORY = 0o40000;
        /// Do not follow a symbolic link at the end.
        NOFOLLOW = 0o100000;
        /// Without cache.
        DIRECT = 0o200000;
        /// Files beyond 2 GiB; set by 32-bit habits, without effect.
        LARGEFILE = 0o400000;
        /// Leave the access time.
        NOATIME = 0o1000000;
        /// Close at execve.
        CLOEXEC = 0o2000000;
        /// As DSYNC, with all metadata (SYNC is this and DSYNC).
        SYNC_BIT = 0o4000000;
        /// Only a name, not the contents.
        PATH = 0o10000000;
        /// An unnamed file (TMPFILE is this and DIRECTORY).
        TMPFILE_BIT = 0o20000000;
    }

    /// Flags of the calls that end in "at".
    AtFlags: u32 {
        /// Do not follow a symbolic link at the end.
        SYMLINK_NOFOLLOW = 0x100;
        /// unlinkat: remove a directory. faccessat2: use effective ids (EACCESS).
        REMOVEDIR = 0x200;
        /// Follow a symbolic link at the end.
        SYMLINK_FOLLOW = 0x400;
        /// Do not mount automatically.
        NO_AUTOMOUNT = 0x800;
        /// An empty path means the descriptor itself.
        EMPTY_PATH = 0x1000;
        /// statx: ask the server anew.
        STATX_FORCE_SYNC = 0x2000;
        /// statx: what is cached will do.
        STATX_DONT_SYNC = 0x4000;
    }

    /// Protection of a mapping.
    ProtFlags: u32 {
        /// Readable.
        READ = 1;
        /// Writable.
        WRITE = 2;
        /// Executable.
        EXEC = 4;
        /// Branch target identification.
        BTI = 0x10;
        /// Memory tagging.
        MTE = 0x20;
        /// Extend down to the start of a growing mapping.
        GROWSDOWN = 0x0100_0000;
        /// Extend up.
        GROWSUP = 0x0200_0000;
    }

    /// mmap(2).
    MapFlags: u32 {
        /// Writes are seen by others.
        SHARED = 0x01;
        /// Writes are private. SHARED_VALIDATE is both.
        PRIVATE = 0x02;
        /// At this very address, over anything that is there.
        FIXED = 0x10;
        /// No file.
        ANONYMOUS = 0x20;
        /// Grows down, as a stack.
        GROWSDOWN = 0x0100;
        /// Ignored.
        DENYWRITE = 0x0800;
        /// Ignored.
        EXECUTABLE = 0x1000;
        /// Locked.
        LOCKED = 0x2000;
        /// Do not reserve swap.
        NORESERVE = 0x4000;
        /// Touch the pages ahead.
        POPULATE = 0x8000;
        /// Do not wait with POPULATE.
        NONBLOCK = 0x10000;
        /// A hint.
        STACK = 0x20000;
        /// Huge pages.
        HUGETLB = 0x40000;
        /// Synchronous faults.
        SYNC = 0x80000;
        /// As FIXED, but EEXIST if something is there.
        FIXED_NOREPLACE = 0x100000;
    }

    /// clone(2): the low byte is the signal of the child's end.
    CloneFlags: u64 {
        /// Share memory.
        VM = 0x100;
        /// Share working directory, root, umask.
        FS = 0x200;
        /// Share descriptors.
        FILES = 0x400;
        /// Share signal handlers.
        SIGHAND = 0x800;
        /// Store a pidfd.
        PIDFD = 0x1000;
        /// Keep being traced.
        PTRACE = 0x2000;
        /// The parent waits until the child execs or exits.
        VFORK = 0x4000;
        /// A sibling, not a child.
        PARENT = 0x8000;
        /// A thread of the same group.
        THREAD = 0x10000;
        /// New mount namespace.
        NEWNS = 0x20000;
        /// Share SysV undo lists.
        SYSVSEM = 0x40000;
        /// Set the thread pointer.
        SETTLS = 0x80000;
        /// Store the id in the parent.
        PARENT_SETTID = 0x100000;
        /// Clear the id and wake a futex at the child's end.
        CHILD_CLEARTID = 0x200000;
        /// Ignored.
        DETACHED = 0x400000;
        /// A tracer cannot force PTRACE.
        UNTRACED = 0x800000;
        /// Store the id in the child.
        CHILD_SETTID = 0x1000000;
        /// New cgroup namespace.
        NEWCGROUP = 0x2000000;
        /// New UTS namespace.
        NEWUTS = 0x4000000;
        /// New IPC namespace.
        NEWIPC = 0x8000000;
        /// New user namespace.
        NEWUSER = 0x10000000;
        /// New PID namespace.
        NEWPID = 0x20000000;
        /// New network namespace.
        NEWNET = 0x40000000;
        /// Share I/O context.
        IO = 0x80000000;
    }

    /// wait4(2), waitid(2).
    WaitOptions: u32 {
        /// Do not wait.
        NOHANG = 1;
        /// Stopped children too (wait4: UNTRACED; waitid: STOPPED).
        STOPPED = 2;
        /// waitid: ended children.
        EXITED = 4;
        /// Continued children.
        CONTINUED = 8;
        /// Leave it to be waited for again.
        NOWAIT = 0x01000000;
        /// Not other threads' children.
        NOTHREAD = 0x20000000;
        /// All children.
        ALL = 0x40000000;
        /// Children that signal otherwise than by SIGCHLD.
        CLONE = 0x80000000;
    }

    /// mount(2).
    MountFlags: u32 {
        /// Read-only.
        RDONLY = 1;
        /// Ignore set-id bits.
        NOSUID = 2;
        /// No device files.
        NODEV = 4;
        /// Nothing is executed.
        NOEXEC = 8;
        /// Synchronous.
        SYNCHRONOUS = 16;
        /// Change the flags of a mount.
        REMOUNT = 32;
        /// Mandatory locks.
        MANDLOCK = 64;
        /// Synchronous directories.
        DIRSYNC = 128;
        /// Do not follow symbolic links.
        NOSYMFOLLOW = 256;
        /// Leave access times.
        NOATIME = 1024;
        /// Leave access times of directories.
        NODIRATIME = 2048;
        /// Mount a subtree again.
        BIND = 4096;
        /// Move a mount.
        MOVE = 8192;
        /// With submounts.
        REC = 16384;
        /// Quiet.
        SILENT = 32768;
        /// POSIX ACLs.
        POSIXACL = 1 << 16;
        /// No propagation, and no bind.
        UNBINDABLE = 1 << 17;
        /// No propagation.
        PRIVATE = 1 << 18;
        /// Receives propagation.
        SLAVE = 1 << 19;
        /// Shares propagation.
        SHARED = 1 << 20;
        /// Access time at most once a day.
        RELATIME = 1 << 21;
        /// Inode versions.
        I_VERSION = 1 << 23;
        /// Always access times.
        STRICTATIME = 1 << 24;
        /// Lazy times.
        LAZYTIME = 1 << 25;
    }

    /// renameat2(2).
    RenameFlags: u32 {
        /// EEXIST instead of replacing.
        NOREPLACE = 1;
        /// Swap the two.
        EXCHANGE = 2;
        /// Leave a whiteout.
        WHITEOUT = 4;
    }

    /// mremap(2).
    MremapFlags: u32 {
        /// It may move.
        MAYMOVE = 1;
        /// To that very address.
        FIXED = 2;
        /// Leave the old mapping, empty.
        DONTUNMAP = 4;
    }

    /// getrandom(2).
    GetrandomFlags: u32 {
        /// Do not wait.
        NONBLOCK = 1;
        /// From /dev/random's pool.
        RANDOM = 2;
        /// Without waiting for seed.
        INSECURE = 4;
    }

    /// memfd_create(2).
    MemfdFlags: u32 {
        /// Close at execve.
        CLOEXEC = 1;
        /// Seals may be set.
        ALLOW_SEALING = 2;
        /// Huge pages.
        HUGETLB = 4;
        /// Never executable.
        NOEXEC_SEAL = 8;
        /// Executable.
        EXEC = 16;
    }

    /// fallocate(2).
    FallocMode: u32 {
        /// Keep the size.
        KEEP_SIZE = 1;
        /// Punch a hole.
        PUNCH_HOLE = 2;
        /// Remove a range.
        COLLAPSE_RANGE = 8;
        /// Zero a range.
        ZERO_RANGE = 16;
        /// Insert a range.
        INSERT_RANGE = 32;
        /// Unshare blocks.
        UNSHARE_RANGE = 64;
    }

    /// eventfd2(2).
    EventfdFlags: u32 {
        /// Counts down by one a read.
        SEMAPHORE = 1;
        /// Never wait.
        NONBLOCK = 0o4000;
        /// Close at execve.
        CLOEXEC = 0o2000000;
    }

    /// epoll_create1(2).
    EpollFlags: u32 {
        /// Close at execve.
        CLOEXEC = 0o2000000;
    }

    /// clock_nanosleep(2), timer_settime(2), timerfd_settime(2).
    TimerFlags: u32 {
        /// A point of time, not a span.
        ABSTIME = 1;
        /// timerfd: end the wait if the clock is set.
        CANCEL_ON_SET = 2;
    }

    /// sigaction(2).
    SaFlags: u64 {
        /// No SIGCHLD for stopped children.
        NOCLDSTOP = 1;
        /// Children leave no zombies.
        NOCLDWAIT = 2;
        /// The handler gets siginfo and context.
        SIGINFO = 4;
        /// Ask which flags are known.
        UNSUPPORTED = 0x400;
        /// Tag bits of fault addresses are kept.
        EXPOSE_TAGBITS = 0x800;
        /// The restorer is set (a habit of other architectures).
        RESTORER = 0x0400_0000;
        /// On the alternative stack.
        ONSTACK = 0x0800_0000;
        /// Interrupted calls start again.
        RESTART = 0x1000_0000;
        /// The signal is not blocked in its handler.
        NODEFER = 0x4000_0000;
        /// Back to the default once delivered.
        RESETHAND = 0x8000_0000;
    }

    /// poll(2) and epoll(7): the low bits are the same.
    PollFlags: u32 {
        /// Something to read.
        IN = 0x001;
        /// Something urgent.
        PRI = 0x002;
        /// Room to write.
        OUT = 0x004;
        /// An error; always reported.
        ERR = 0x008;
        /// The other end is gone; always reported.
        HUP = 0x010;
        /// Not an open descriptor; always reported.
        NVAL = 0x020;
        /// As IN.
        RDNORM = 0x040;
        /// Priority band.
        RDBAND = 0x080;
        /// As OUT.
        WRNORM = 0x100;
        /// Priority band.
        WRBAND = 0x200;
        /// A message.
        MSG = 0x400;
        /// The other end will write no more.
        RDHUP = 0x2000;
        /// epoll: one waiter.
        EXCLUSIVE = 1 << 28;
        /// epoll: keep the system awake.
        WAKEUP = 1 << 29;
        /// epoll: once.
        ONESHOT = 1 << 30;
        /// epoll: only news.
        ET = 1 << 31;
    }
}

impl PollFlags {
    /// What readers wait for.
    pub const READS: u32 = Self::IN.bits() | Self::RDNORM.bits();
    /// What writers wait for.
    pub const WRITES: u32 = Self::OUT.bits() | Self::WRNORM.bits();
}

impl OpenFlags {
    /// The bits that say how a file is accessed: 0 read, 1 write, 2 both, 3 neither.
    pub const ACCMODE: u32 = 3;

    /// Whether reading is allowed.
    pub const fn reads(self) -> bool {
        matches!(self.bits() & Self::ACCMODE, 0 | 2)
    }

    /// Whether writing is allowed.
    pub const fn writes(self) -> bool {
        matches!(self.bits() & Self::ACCMODE, 1 | 2)
    }
}

impl CloneFlags {
    /// The bits of the signal of the child's end.
    pub const CSIGNAL: u64 = 0xff;

    /// The signal of the child's end.
    pub const fn exit_signal(self) -> i32 {
        (self.bits() & Self::CSIGNAL) as i32
    }
}

impl MapFlags {
    /// The bits of the kind of mapping: 1 shared, 2 private, 3 shared and validated.
    pub const TYPE: u32 = 0xf;
}
