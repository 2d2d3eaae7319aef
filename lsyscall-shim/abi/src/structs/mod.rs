//! The structures of the interface, laid out as arm64 Linux lays them out. All are plain bytes (zerocopy), padding is explicit.

macro_rules! layout {
    ($($(#[$m:meta])* $name:ident($size:literal) { $($(#[$fm:meta])* $field:ident: $ty:ty,)* })*) => { $(
        $(#[$m])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable,
            zerocopy::KnownLayout,
        )]
        #[repr(C)]
        pub struct $name { $($(#[$fm])* pub $field: $ty,)* }

        impl Default for $name {
            /// All bytes zero.
            fn default() -> Self {
                zerocopy::FromZeros::new_zeroed()
            }
        }

        const _: () = assert!(core::mem::size_of::<$name>() == $size);
    )* };
}

mod event;
mod frame;
mod fs;
mod process;
mod terminal;
mod time;

pub use event::{EpollEvent, FdPair, Iovec, MsgHdr, OpenHow, PollFd, RobustListHead};
pub use frame::{
    FpsimdContext, RecordHeader, RtSigframe, SigAction, SigContext, SigInfo, StackT, UContext,
    FPSIMD_MAGIC, SI_KERNEL, SI_QUEUE, SI_TIMER, SI_TKILL, SI_USER,
};
pub use fs::{Dirent64, Flock, Stat, Statfs, Statx, StatxTime};
pub use process::{
    CapData, CapHeader, CloneArgs, Rlimit, Rusage, SchedParam, Sysinfo, Tms, Utsname, WaitStatus,
};
pub use terminal::{
    cc, cflag, iflag, lflag, oflag, Termio, Termios, Termios2, Winsize, BOTHER, NCCS,
};
pub use time::{Itimerspec, Itimerval, Timespec, TimespecPair, Timeval, Timex, Timezone};
