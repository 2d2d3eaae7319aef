//! The vocabulary of `syscalls.tbl`. The build script reads it too, so that a word is known to both or to none.

macro_rules! words {
    ($(#[$m:meta])* $name:ident { $($(#[$vm:meta])* $word:ident = $text:expr,)* }) => {
        $(#[$m])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vm])* $word,)* }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [$name] = &[$($name::$word,)*];

            /// The word in the table.
            pub const fn name(self) -> &'static str {
                match self { $($name::$word => $text,)* }
            }

            /// The variant's Rust name.
            pub const fn ident(self) -> &'static str {
                match self { $($name::$word => stringify!($word),)* }
            }

            /// The value of a word of the table.
            pub fn parse(word: &str) -> Option<$name> {
                Self::ALL.iter().copied().find(|v| v.name() == word)
            }
        }
    };
}

words! {
    /// The nine classes by which the kernel dispatches.
    Class {
        /// Processes, threads, credentials, scheduling.
        Proc = "PROC",
        /// Address spaces.
        Mem = "MEM",
        /// Files, directories, descriptors.
        Fs = "FS",
        /// Waiting for descriptors.
        Event = "EVENT",
        /// Sockets.
        Net = "NET",
        /// Signals.
        Signal = "SIGNAL",
        /// Futexes, pipes, SysV and POSIX queues.
        Ipc = "IPC",
        /// Clocks and timers.
        Time = "TIME",
        /// Devices and the machine as a whole.
        Device = "DEVICE",
    }
}

words! {
    /// The component that serves a call.
    Component {
        /// Processes and signals.
        Procmgr = "procmgr",
        /// Memory and futexes.
        Memmgr = "memmgr",
        /// Files and descriptors.
        Fsmgr = "fsmgr",
        /// Clocks.
        Timemgr = "timemgr",
        /// Sockets.
        Netmgr = "netmgr",
        /// Driver containers.
        Devhost = "devhost",
    }
}

words! {
    /// How much of Linux's behaviour a call has.
    Level {
        /// As Linux does it.
        Full = "full",
        /// The row's note says what is missing.
        Partial = "partial",
        /// ENOSYS.
        No = "no",
    }
}

words! {
    /// What a successful call returns, for readers.
    Ret {
        /// A number.
        Int = "Int",
        /// A new descriptor.
        Fd = "Fd",
        /// An address.
        Addr = "Addr",
        /// A file mode.
        Mode = "Mode",
        /// A process or thread id.
        Pid = "Pid",
        /// The call does not come back to the instruction behind it.
        Never = "Never",
    }
}

macro_rules! scalars {
    ($($word:ident => $rust:literal,)*) => {
        words! {
            /// A type of one register that is not a pointer to something typed.
            Scalar { $(#[doc = concat!("Handlers get `", $rust, "`.")] $word = stringify!($word),)* }
        }

        impl Scalar {
            /// The type a handler gets: a primitive, or a type of `lsyscall_abi`.
            pub const fn rust(self) -> &'static str {
                match self { $(Scalar::$word => $rust,)* }
            }
        }
    };
}

scalars! {
    Int => "i32",
    UInt => "u32",
    Long => "i64",
    ULong => "u64",
    Size => "usize",
    Off => "i64",
    Addr => "UserAddr",
    Fd => "Fd",
    DirFd => "Fd",
    Mode => "Mode",
    Dev => "u32",
    Pid => "Pid",
    Uid => "Uid",
    Gid => "Gid",
    Signal => "Signal",
    ClockId => "ClockId",
    OpenFlags => "OpenFlags",
    AtFlags => "AtFlags",
    ProtFlags => "ProtFlags",
    MapFlags => "MapFlags",
    CloneFlags => "CloneFlags",
    WaitOptions => "WaitOptions",
    MountFlags => "MountFlags",
    RenameFlags => "RenameFlags",
    MremapFlags => "MremapFlags",
    GetrandomFlags => "GetrandomFlags",
    MemfdFlags => "MemfdFlags",
    FallocMode => "FallocMode",
    EventfdFlags => "EventfdFlags",
    EpollFlags => "EpollFlags",
    TimerFlags => "TimerFlags",
    FcntlCmd => "u32",
    IoctlCmd => "u32",
    FutexOp => "u32",
    Whence => "u32",
    SigHow => "u32",
    Advice => "u32",
    PrctlOp => "u32",
    Resource => "u32",
    IdType => "u32",
    ItimerWhich => "u32",
    EpollOp => "u32",
    FlockOp => "u32",
    AccessMode => "u32",
    SockDomain => "u32",
    SockType => "u32",
}

/// What a typed pointer may point at: a primitive, or a structure of `lsyscall_abi`.
pub const POINTEES: &[&str] = &[
    "i32",
    "u32",
    "i64",
    "u64",
    "CapHeader",
    "CloneArgs",
    "EpollEvent",
    "FdPair",
    "Iovec",
    "Itimerspec",
    "Itimerval",
    "MsgHdr",
    "OpenHow",
    "PollFd",
    "Rlimit",
    "RobustListHead",
    "Rusage",
    "SchedParam",
    "SigAction",
    "SigInfo",
    "SigSet",
    "StackT",
    "Stat",
    "Statfs",
    "Statx",
    "Sysinfo",
    "Timespec",
    "TimespecPair",
    "Timeval",
    "Timex",
    "Timezone",
    "Tms",
    "Utsname",
    "WaitStatus",
];

/// The type of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgType {
    /// One register.
    Scalar(Scalar),
    /// Address of a NUL-terminated path name. Handlers get `UserPath`.
    Path,
    /// Address of a NUL-terminated string. Handlers get `UserStr`.
    Str,
    /// Address of a NULL-terminated array of strings (argv). Handlers get `UserStrVec`.
    StrVec,
    /// Bytes the call reads; the length is the argument of that index. Handlers get `UserSlice`.
    BufIn(u8),
    /// Bytes the call writes; the length is the argument of that index. Handlers get `UserSlice`.
    BufOut(u8),
    /// An array the call reads (and perhaps writes). Handlers get `UserArray<T>`.
    InArr(&'static str, u8),
    /// An array the call writes. Handlers get `UserArray<T>`.
    OutArr(&'static str, u8),
    /// A structure the call reads. Handlers get `UserPtr<T>`.
    In(&'static str),
    /// A structure the call writes. Handlers get `UserPtr<T>`.
    Out(&'static str),
    /// A structure the call reads and writes. Handlers get `UserPtr<T>`.
    InOut(&'static str),
}
