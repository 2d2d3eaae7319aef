//! Numbers with a meaning.

/// Index of a Linux thread in the system: what its badge says, and how components name it to each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct ThreadIdx(pub u16);

impl ThreadIdx {
    /// As an index of an array.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

macro_rules! numbers {
    ($($(#[$m:meta])* $name:ident($inner:ty);)*) => { $(
        $(#[$m])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $name(pub $inner);

        impl FromArg for $name {
            fn from_arg(raw: u64) -> Self {
                $name(raw as $inner)
            }
        }
    )* };
}

/// A type that a register holds. Registers are cut to the type's width, as the C prototype of the call does.
pub trait FromArg: Sized {
    /// The value in a register.
    fn from_arg(raw: u64) -> Self;
}

macro_rules! primitives {
    ($($name:ty),*) => { $(
        impl FromArg for $name {
            fn from_arg(raw: u64) -> Self {
                raw as $name
            }
        }
    )* };
}

primitives!(i32, u32, i64, u64, usize);

numbers! {
    /// A file descriptor, or [`Fd::CWD`] where a directory is meant.
    Fd(i32);
    /// A file mode: type bits, set-id bits, permissions.
    Mode(u32);
    /// A process or thread id; zero and negative values mean groups in some calls.
    Pid(i32);
    /// A user id; -1 means "leave it" in some calls.
    Uid(u32);
    /// A group id; -1 means "leave it" in some calls.
    Gid(u32);
    /// A signal number, unchecked.
    Signal(i32);
    /// A clock id, unchecked.
    ClockId(i32);
}

impl Fd {
    /// AT_FDCWD: the working directory.
    pub const CWD: Fd = Fd(-100);

    /// As an index of a descriptor table; `None` if negative.
    pub const fn index(self) -> Option<usize> {
        if self.0 < 0 {
            None
        } else {
            Some(self.0 as usize)
        }
    }
}

impl FromArg for crate::UserAddr {
    fn from_arg(raw: u64) -> Self {
        crate::UserAddr(raw)
    }
}

impl<T> FromArg for crate::UserPtr<T> {
    fn from_arg(raw: u64) -> Self {
        crate::UserPtr::new(raw)
    }
}

impl FromArg for crate::UserPath {
    fn from_arg(raw: u64) -> Self {
        crate::UserPath(raw)
    }
}

impl FromArg for crate::UserStr {
    fn from_arg(raw: u64) -> Self {
        crate::UserStr(raw)
    }
}

impl FromArg for crate::UserStrVec {
    fn from_arg(raw: u64) -> Self {
        crate::UserStrVec(raw)
    }
}
