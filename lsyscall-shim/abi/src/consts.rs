//! Constants, grouped as the headers group them. Values: include/uapi of Linux, arm64.

macro_rules! consts {
    ($($(#[$m:meta])* $module:ident: $ty:ty { $($name:ident = $value:expr;)* })*) => { $(
        $(#[$m])*
        pub mod $module {
            #![allow(missing_docs)]
            $(pub const $name: $ty = $value;)*

            /// The constants by value, first name first: for traces.
            pub const NAMES: &[($ty, &str)] = &[$(($name, stringify!($name)),)*];

            /// The name of a value.
            pub fn name(value: $ty) -> Option<&'static str> {
                NAMES.iter().find(|(v, _)| *v == value).map(|(_, n)| *n)
            }
        }
    )* };
}

consts! {
    /// File types and permission bits (inode(7)).
    mode: u32 {
        S_IFMT = 0o170000; S_IFSOCK = 0o140000; S_IFLNK = 0o120000; S_IFREG = 0o100000; S_IFBLK = 0o060000;
        S_IFDIR = 0o040000; S_IFCHR = 0o020000; S_IFIFO = 0o010000; S_ISUID = 0o4000; S_ISGID = 0o2000; S_ISVTX = 0o1000;
        S_IRWXU = 0o700; S_IRUSR = 0o400; S_IWUSR = 0o200; S_IXUSR = 0o100; S_IRWXG = 0o070; S_IRGRP = 0o040; S_IWGRP = 0o020;
        S_IXGRP = 0o010; S_IRWXO = 0o007; S_IROTH = 0o004; S_IWOTH = 0o002; S_IXOTH = 0o001;
    }
    /// Types in directory entries.
    dirent: u8 {
        DT_UNKNOWN = 0; DT_FIFO = 1; DT_CHR = 2; DT_DIR = 4; DT_BLK = 6; DT_REG = 8; DT_LNK = 10; DT_SOCK = 12;
    }
    /// access(2).
    access: u32 { F_OK = 0; X_OK = 1; W_OK = 2; R_OK = 4; }
    /// lseek(2).
    seek: u32 { SEEK_SET = 0; SEEK_CUR = 1; SEEK_END = 2; SEEK_DATA = 3; SEEK_HOLE = 4; }
    /// fcntl(2).
    fcntl: u32 {
        F_DUPFD = 0; F_GETFD = 1; F_SETFD = 2; F_GETFL = 3; F_SETFL = 4; F_GETLK = 5; F_SETLK = 6; F_SETLKW = 7; F_SETOWN = 8;
        F_GETOWN = 9; F_SETSIG = 10; F_GETSIG = 11; F_SETOWN_EX = 15; F_GETOWN_EX = 16; F_OFD_GETLK = 36; F_OFD_SETLK = 37;
        F_OFD_SETLKW = 38; F_SETLEASE = 1024; F_GETLEASE = 1025; F_NOTIFY = 1026; F_DUPFD_CLOEXEC = 1030;
        F_SETPIPE_SZ = 1031; F_GETPIPE_SZ = 1032; F_ADD_SEALS = 1033; F_GET_SEALS = 1034;
    }
    /// The flag of F_GETFD.
    fd_flags: u32 { FD_CLOEXEC = 1; }
    /// Seals of memfd_create(2).
    seals: u32 { F_SEAL_SEAL = 1; F_SEAL_SHRINK = 2; F_SEAL_GROW = 4; F_SEAL_WRITE = 8; F_SEAL_FUTURE_WRITE = 16; F_SEAL_EXEC = 32; }
    /// Kinds of record locks.
    lock: i16 { F_RDLCK = 0; F_WRLCK = 1; F_UNLCK = 2; }
    /// flock(2).
    flock_op: u32 { LOCK_SH = 1; LOCK_EX = 2; LOCK_NB = 4; LOCK_UN = 8; }
    /// ioctl(2) requests of terminals and descriptors.
    ioctl: u32 {
        TCGETS = 0x5401; TCSETS = 0x5402; TCSETSW = 0x5403; TCSETSF = 0x5404; TCGETA = 0x5405; TCSETA = 0x5406; TCSETAW = 0x5407;
        TCSETAF = 0x5408; TCSBRK = 0x5409; TCXONC = 0x540a; TCFLSH = 0x540b; TIOCEXCL = 0x540c; TIOCNXCL = 0x540d;
        TIOCSCTTY = 0x540e; TIOCGPGRP = 0x540f; TIOCSPGRP = 0x5410; TIOCOUTQ = 0x5411; TIOCSTI = 0x5412; TIOCGWINSZ = 0x5413;
        TIOCSWINSZ = 0x5414; TIOCMGET = 0x5415; TIOCMBIS = 0x5416; TIOCMBIC = 0x5417; TIOCMSET = 0x5418; TIOCGSOFTCAR = 0x5419;
        TIOCSSOFTCAR = 0x541a; FIONREAD = 0x541b; TIOCLINUX = 0x541c; TIOCCONS = 0x541d; TIOCGSERIAL = 0x541e;
        TIOCSSERIAL = 0x541f; TIOCPKT = 0x5420; FIONBIO = 0x5421; TIOCNOTTY = 0x5422; TIOCSETD = 0x5423; TIOCGETD = 0x5424;
        TCSBRKP = 0x5425; TIOCSBRK = 0x5427; TIOCCBRK = 0x5428; TIOCGSID = 0x5429; TCGETS2 = 0x802c542a; TCSETS2 = 0x402c542b;
        TCSETSW2 = 0x402c542c; TCSETSF2 = 0x402c542d; TIOCGPTN = 0x80045430; TIOCSPTLCK = 0x40045431; TIOCGPTLCK = 0x80045439; TIOCGPKT = 0x80045438; TIOCSIG = 0x40045436;
        TIOCGPTPEER = 0x5441; TIOCVHANGUP = 0x5437; FIONCLEX = 0x5450; FIOCLEX = 0x5451; FIOASYNC = 0x5452; FIOQSIZE = 0x5460;
        BLKROGET = 0x125e; BLKGETSIZE = 0x1260; BLKFLSBUF = 0x1261; BLKSSZGET = 0x1268; BLKGETSIZE64 = 0x80081272;
        RTC_RD_TIME = 0x80247009; VT_OPENQRY = 0x5600; VT_GETMODE = 0x5601; VT_GETSTATE = 0x5603; KDGKBTYPE = 0x4b33;
        KDGKBMODE = 0x4b44; SIOCGIFCONF = 0x8912; SIOCGIFFLAGS = 0x8913;
    }
    /// TCFLSH and TCXONC arguments.
    tcflow: u32 { TCIFLUSH = 0; TCOFLUSH = 1; TCIOFLUSH = 2; }
    /// TCXONC arguments.
    tcxonc: u32 { TCOOFF = 0; TCOON = 1; TCIOFF = 2; TCION = 3; }
    /// madvise(2).
    madvise: u32 {
        MADV_NORMAL = 0; MADV_RANDOM = 1; MADV_SEQUENTIAL = 2; MADV_WILLNEED = 3; MADV_DONTNEED = 4; MADV_FREE = 8;
        MADV_REMOVE = 9; MADV_DONTFORK = 10; MADV_DOFORK = 11; MADV_MERGEABLE = 12; MADV_UNMERGEABLE = 13; MADV_HUGEPAGE = 14;
        MADV_NOHUGEPAGE = 15; MADV_DONTDUMP = 16; MADV_DODUMP = 17; MADV_WIPEONFORK = 18; MADV_KEEPONFORK = 19; MADV_COLD = 20;
        MADV_PAGEOUT = 21; MADV_POPULATE_READ = 22; MADV_POPULATE_WRITE = 23; MADV_DONTNEED_LOCKED = 24; MADV_COLLAPSE = 25;
    }
    /// msync(2).
    msync: u32 { MS_ASYNC = 1; MS_INVALIDATE = 2; MS_SYNC = 4; }
    /// mlockall(2).
    mlockall: u32 { MCL_CURRENT = 1; MCL_FUTURE = 2; MCL_ONFAULT = 4; }
    /// futex(2) operations, without flags.
    futex: u32 {
        FUTEX_WAIT = 0; FUTEX_WAKE = 1; FUTEX_FD = 2; FUTEX_REQUEUE = 3; FUTEX_CMP_REQUEUE = 4; FUTEX_WAKE_OP = 5;
        FUTEX_LOCK_PI = 6; FUTEX_UNLOCK_PI = 7; FUTEX_TRYLOCK_PI = 8; FUTEX_WAIT_BITSET = 9; FUTEX_WAKE_BITSET = 10;
        FUTEX_WAIT_REQUEUE_PI = 11; FUTEX_CMP_REQUEUE_PI = 12; FUTEX_LOCK_PI2 = 13;
    }
    /// Flags of futex(2) operations and bits of a robust futex word.
    futex_flag: u32 {
        FUTEX_PRIVATE_FLAG = 128; FUTEX_CLOCK_REALTIME = 256; FUTEX_BITSET_MATCH_ANY = 0xffff_ffff;
        FUTEX_WAITERS = 0x8000_0000; FUTEX_OWNER_DIED = 0x4000_0000; FUTEX_TID_MASK = 0x3fff_ffff;
    }
    /// Clock ids.
    clock: i32 {
        CLOCK_REALTIME = 0; CLOCK_MONOTONIC = 1; CLOCK_PROCESS_CPUTIME_ID = 2; CLOCK_THREAD_CPUTIME_ID = 3;
        CLOCK_MONOTONIC_RAW = 4; CLOCK_REALTIME_COARSE = 5; CLOCK_MONOTONIC_COARSE = 6; CLOCK_BOOTTIME = 7;
        CLOCK_REALTIME_ALARM = 8; CLOCK_BOOTTIME_ALARM = 9; CLOCK_TAI = 11;
    }
    /// Interval timers.
    itimer: u32 { ITIMER_REAL = 0; ITIMER_VIRTUAL = 1; ITIMER_PROF = 2; }
    /// Nanoseconds with a meaning in utimensat(2).
    utime: i64 { UTIME_NOW = 0x3fff_ffff; UTIME_OMIT = 0x3fff_fffe; }
    /// Resource limits.
    rlimit: u32 {
        RLIMIT_CPU = 0; RLIMIT_FSIZE = 1; RLIMIT_DATA = 2; RLIMIT_STACK = 3; RLIMIT_CORE = 4; RLIMIT_RSS = 5; RLIMIT_NPROC = 6;
        RLIMIT_NOFILE = 7; RLIMIT_MEMLOCK = 8; RLIMIT_AS = 9; RLIMIT_LOCKS = 10; RLIMIT_SIGPENDING = 11; RLIMIT_MSGQUEUE = 12;
        RLIMIT_NICE = 13; RLIMIT_RTPRIO = 14; RLIMIT_RTTIME = 15;
    }
    /// getrusage(2).
    rusage_who: i32 { RUSAGE_SELF = 0; RUSAGE_CHILDREN = -1; RUSAGE_THREAD = 1; }
    /// getpriority(2).
    priority: i32 { PRIO_PROCESS = 0; PRIO_PGRP = 1; PRIO_USER = 2; }
    /// sched_setscheduler(2).
    sched: i32 { SCHED_OTHER = 0; SCHED_FIFO = 1; SCHED_RR = 2; SCHED_BATCH = 3; SCHED_IDLE = 5; SCHED_DEADLINE = 6; }
    /// waitid(2).
    idtype: u32 { P_ALL = 0; P_PID = 1; P_PGID = 2; P_PIDFD = 3; }
    /// prctl(2).
    prctl: u32 {
        PR_SET_PDEATHSIG = 1; PR_GET_PDEATHSIG = 2; PR_GET_DUMPABLE = 3; PR_SET_DUMPABLE = 4; PR_GET_KEEPCAPS = 7;
        PR_SET_KEEPCAPS = 8; PR_SET_NAME = 15; PR_GET_NAME = 16; PR_GET_SECCOMP = 21; PR_SET_SECCOMP = 22; PR_CAPBSET_READ = 23;
        PR_CAPBSET_DROP = 24; PR_GET_SECUREBITS = 27; PR_SET_SECUREBITS = 28; PR_SET_TIMERSLACK = 29; PR_GET_TIMERSLACK = 30;
        PR_MCE_KILL = 33; PR_SET_MM = 35; PR_SET_CHILD_SUBREAPER = 36; PR_GET_CHILD_SUBREAPER = 37; PR_SET_NO_NEW_PRIVS = 38;
        PR_GET_NO_NEW_PRIVS = 39; PR_GET_TID_ADDRESS = 40; PR_SET_THP_DISABLE = 41; PR_GET_THP_DISABLE = 42; PR_CAP_AMBIENT = 47;
        PR_SET_VMA = 0x5356_4d41;
    }
    /// inotify(7).
    inotify: u32 {
        IN_ACCESS = 1; IN_MODIFY = 2; IN_ATTRIB = 4; IN_CLOSE_WRITE = 8; IN_CLOSE_NOWRITE = 16; IN_OPEN = 32;
        IN_MOVED_FROM = 64; IN_MOVED_TO = 128; IN_CREATE = 256; IN_DELETE = 512; IN_DELETE_SELF = 1024; IN_MOVE_SELF = 2048;
        IN_ALL_EVENTS = 0xfff; IN_UNMOUNT = 0x2000; IN_Q_OVERFLOW = 0x4000; IN_IGNORED = 0x8000; IN_ONLYDIR = 0x0100_0000;
        IN_DONT_FOLLOW = 0x0200_0000; IN_EXCL_UNLINK = 0x0400_0000; IN_MASK_CREATE = 0x1000_0000; IN_MASK_ADD = 0x2000_0000;
        IN_ISDIR = 0x4000_0000; IN_ONESHOT = 0x8000_0000;
    }
    /// epoll_ctl(2).
    epoll_op: u32 { EPOLL_CTL_ADD = 1; EPOLL_CTL_DEL = 2; EPOLL_CTL_MOD = 3; }
    /// close_range(2).
    close_range: u32 { CLOSE_RANGE_UNSHARE = 2; CLOSE_RANGE_CLOEXEC = 4; }
    /// Socket domains.
    socket_domain: u32 { AF_UNSPEC = 0; AF_UNIX = 1; AF_INET = 2; AF_INET6 = 10; AF_NETLINK = 16; AF_PACKET = 17; }
    /// Socket types, without flags.
    socket_type: u32 { SOCK_STREAM = 1; SOCK_DGRAM = 2; SOCK_RAW = 3; SOCK_RDM = 4; SOCK_SEQPACKET = 5; }
    /// reboot(2) commands.
    reboot: u32 {
        LINUX_REBOOT_CMD_RESTART = 0x0123_4567; LINUX_REBOOT_CMD_HALT = 0xcdef_0123; LINUX_REBOOT_CMD_CAD_ON = 0x89ab_cdef;
        LINUX_REBOOT_CMD_CAD_OFF = 0; LINUX_REBOOT_CMD_POWER_OFF = 0x4321_fedc; LINUX_REBOOT_CMD_RESTART2 = 0xa1b2_c3d4;
    }
    /// reboot(2) magic numbers.
    reboot_magic: u32 {
        LINUX_REBOOT_MAGIC1 = 0xfee1_dead; LINUX_REBOOT_MAGIC2 = 672_274_793; LINUX_REBOOT_MAGIC2A = 85_072_278;
        LINUX_REBOOT_MAGIC2B = 369_367_448; LINUX_REBOOT_MAGIC2C = 537_993_216;
    }
    /// statx(2) masks.
    statx_mask: u32 {
        STATX_TYPE = 1; STATX_MODE = 2; STATX_NLINK = 4; STATX_UID = 8; STATX_GID = 16; STATX_ATIME = 32; STATX_MTIME = 64;
        STATX_CTIME = 128; STATX_INO = 256; STATX_SIZE = 512; STATX_BLOCKS = 1024; STATX_BASIC_STATS = 0x7ff; STATX_BTIME = 0x800;
        STATX_MNT_ID = 0x1000;
    }
    /// File-system magic numbers of statfs(2).
    fs_magic: u64 {
        TMPFS_MAGIC = 0x0102_1994; PROC_SUPER_MAGIC = 0x9fa0; SYSFS_MAGIC = 0x6265_6572; DEVPTS_SUPER_MAGIC = 0x1cd1;
        PIPEFS_MAGIC = 0x5049_5045; SOCKFS_MAGIC = 0x534f_434b; RAMFS_MAGIC = 0x8584_58f6; ANON_INODE_FS_MAGIC = 0x0904_1934;
        EXT4_SUPER_MAGIC = 0xef53;
    }
    /// personality(2).
    personality: u32 { PER_LINUX = 0; PER_QUERY = 0xffff_ffff; ADDR_NO_RANDOMIZE = 0x0004_0000; PER_LINUX32 = 8; }
    /// membarrier(2).
    membarrier: i32 {
        MEMBARRIER_CMD_QUERY = 0; MEMBARRIER_CMD_GLOBAL = 1; MEMBARRIER_CMD_GLOBAL_EXPEDITED = 2;
        MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED = 4; MEMBARRIER_CMD_PRIVATE_EXPEDITED = 8;
        MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED = 16; MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE = 32;
        MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE = 64;
    }
    /// Keys of the auxiliary vector (getauxval(3)).
    auxv: u64 {
        AT_NULL = 0; AT_IGNORE = 1; AT_EXECFD = 2; AT_PHDR = 3; AT_PHENT = 4; AT_PHNUM = 5; AT_PAGESZ = 6; AT_BASE = 7;
        AT_FLAGS = 8; AT_ENTRY = 9; AT_NOTELF = 10; AT_UID = 11; AT_EUID = 12; AT_GID = 13; AT_EGID = 14; AT_PLATFORM = 15;
        AT_HWCAP = 16; AT_CLKTCK = 17; AT_SECURE = 23; AT_BASE_PLATFORM = 24; AT_RANDOM = 25; AT_HWCAP2 = 26; AT_EXECFN = 31;
        AT_SYSINFO_EHDR = 33; AT_MINSIGSTKSZ = 51;
    }
    /// Capabilities (capabilities(7)) that servers ask for, as bit numbers.
    cap: u32 {
        CAP_CHOWN = 0; CAP_DAC_OVERRIDE = 1; CAP_DAC_READ_SEARCH = 2; CAP_FOWNER = 3; CAP_FSETID = 4; CAP_KILL = 5;
        CAP_SETGID = 6; CAP_SETUID = 7; CAP_SETPCAP = 8; CAP_LINUX_IMMUTABLE = 9; CAP_NET_BIND_SERVICE = 10;
        CAP_NET_BROADCAST = 11; CAP_NET_ADMIN = 12; CAP_NET_RAW = 13; CAP_IPC_LOCK = 14; CAP_IPC_OWNER = 15;
        CAP_SYS_MODULE = 16; CAP_SYS_RAWIO = 17; CAP_SYS_CHROOT = 18; CAP_SYS_PTRACE = 19; CAP_SYS_PACCT = 20;
        CAP_SYS_ADMIN = 21; CAP_SYS_BOOT = 22; CAP_SYS_NICE = 23; CAP_SYS_RESOURCE = 24; CAP_SYS_TIME = 25;
        CAP_SYS_TTY_CONFIG = 26; CAP_MKNOD = 27; CAP_LEASE = 28; CAP_AUDIT_WRITE = 29; CAP_AUDIT_CONTROL = 30;
        CAP_SETFCAP = 31; CAP_MAC_OVERRIDE = 32; CAP_MAC_ADMIN = 33; CAP_SYSLOG = 34; CAP_WAKE_ALARM = 35;
        CAP_BLOCK_SUSPEND = 36; CAP_AUDIT_READ = 37; CAP_PERFMON = 38; CAP_BPF = 39; CAP_CHECKPOINT_RESTORE = 40;
    }
    /// The version in a capability header.
    cap_version: u32 {
        LINUX_CAPABILITY_VERSION_1 = 0x1998_0330; LINUX_CAPABILITY_VERSION_2 = 0x2007_1026;
        LINUX_CAPABILITY_VERSION_3 = 0x2008_0522;
    }
}

/// No limit, in an [`crate::Rlimit`].
pub const RLIM_INFINITY: u64 = u64::MAX;
/// Most iovecs a call takes.
pub const IOV_MAX: usize = 1024;
/// Most bytes one read or write moves (MAX_RW_COUNT).
pub const MAX_RW_COUNT: usize = 0x7fff_f000;
/// Ticks a second of times(2) and /proc.
pub const USER_HZ: u64 = 100;
/// SOCK_NONBLOCK, in the type argument of socket(2).
pub const SOCK_NONBLOCK: u32 = 0o4000;
/// SOCK_CLOEXEC, in the type argument of socket(2).
pub const SOCK_CLOEXEC: u32 = 0o2000000;
/// ARM64 HWCAP bits: floating point.
pub const HWCAP_FP: u64 = 1;
/// ARM64 HWCAP bits: Advanced SIMD.
pub const HWCAP_ASIMD: u64 = 2;
/// ARM64 HWCAP bits: programs may read the processor's identification registers.
pub const HWCAP_CPUID: u64 = 1 << 11;
