//! Addresses in a program's memory. They are numbers with a type and never dereferenced here: who wants the bytes asks the
//! memory manager, and a bad address is EFAULT then.

use core::fmt;
use core::marker::PhantomData;

/// An address in a program's memory.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct UserAddr(pub u64);

impl UserAddr {
    /// Whether it is the null pointer.
    pub const fn is_null(self) -> bool {
        self.0 == 0
    }

    /// The address `bytes` further, `None` beyond the end of the address space.
    pub const fn checked_add(self, bytes: u64) -> Option<UserAddr> {
        match self.0.checked_add(bytes) {
            Some(addr) => Some(UserAddr(addr)),
            None => None,
        }
    }
}

impl fmt::Debug for UserAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// Address of a `T` in a program's memory.
pub struct UserPtr<T> {
    addr: u64,
    of: PhantomData<fn() -> T>,
}

impl<T> UserPtr<T> {
    /// A pointer to `addr`.
    pub const fn new(addr: u64) -> Self {
        UserPtr {
            addr,
            of: PhantomData,
        }
    }

    /// The address.
    pub const fn addr(self) -> u64 {
        self.addr
    }

    /// Whether it is the null pointer.
    pub const fn is_null(self) -> bool {
        self.addr == 0
    }

    /// `None` for the null pointer, which many calls take for "not wanted".
    pub const fn non_null(self) -> Option<Self> {
        if self.addr == 0 {
            None
        } else {
            Some(self)
        }
    }

    /// The bytes of the `T`.
    pub const fn bytes(self) -> UserSlice {
        UserSlice {
            addr: self.addr,
            len: core::mem::size_of::<T>(),
        }
    }

    /// The same address as a pointer to something else.
    pub const fn cast<U>(self) -> UserPtr<U> {
        UserPtr::new(self.addr)
    }
}

impl<T> Clone for UserPtr<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for UserPtr<T> {}

impl<T> PartialEq for UserPtr<T> {
    fn eq(&self, other: &Self) -> bool {
        self.addr == other.addr
    }
}

impl<T> Eq for UserPtr<T> {}

impl<T> fmt::Debug for UserPtr<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.addr)
    }
}

/// A range of bytes in a program's memory. The length is the program's word: it may be absurd.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct UserSlice {
    /// First byte.
    pub addr: u64,
    /// Length in bytes.
    pub len: usize,
}

impl UserSlice {
    /// A range of `len` bytes from `addr`.
    pub const fn new(addr: u64, len: usize) -> Self {
        UserSlice { addr, len }
    }

    /// Whether there is no byte in it.
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }

    /// The first `len` bytes, or all if there are fewer.
    pub const fn truncated(self, len: usize) -> UserSlice {
        UserSlice {
            addr: self.addr,
            len: if self.len < len { self.len } else { len },
        }
    }

    /// What is left behind the first `bytes`.
    pub const fn skip(self, bytes: usize) -> UserSlice {
        let n = if self.len < bytes { self.len } else { bytes };
        UserSlice {
            addr: self.addr.wrapping_add(n as u64),
            len: self.len - n,
        }
    }
}

impl fmt::Debug for UserSlice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}+{:#x}", self.addr, self.len)
    }
}

/// An array of `T` in a program's memory. The count is the program's word: it may be absurd.
pub struct UserArray<T> {
    addr: u64,
    count: usize,
    of: PhantomData<fn() -> T>,
}

impl<T> UserArray<T> {
    /// An array of `count` elements from `addr`.
    pub const fn new(addr: u64, count: usize) -> Self {
        UserArray {
            addr,
            count,
            of: PhantomData,
        }
    }

    /// The address of the first element.
    pub const fn addr(self) -> u64 {
        self.addr
    }

    /// The number of elements.
    pub const fn count(self) -> usize {
        self.count
    }

    /// All its bytes; `None` if the length overflows.
    pub const fn bytes(self) -> Option<UserSlice> {
        match self.count.checked_mul(core::mem::size_of::<T>()) {
            Some(len) => Some(UserSlice {
                addr: self.addr,
                len,
            }),
            None => None,
        }
    }

    /// The address of an element; `None` behind the end, or if the address overflows.
    pub const fn at(self, index: usize) -> Option<UserPtr<T>> {
        if index >= self.count {
            return None;
        }
        let Some(offset) = index.checked_mul(core::mem::size_of::<T>()) else {
            return None;
        };
        match self.addr.checked_add(offset as u64) {
            Some(addr) => Some(UserPtr::new(addr)),
            None => None,
        }
    }
}

impl<T> Clone for UserArray<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for UserArray<T> {}

impl<T> PartialEq for UserArray<T> {
    fn eq(&self, other: &Self) -> bool {
        self.addr == other.addr && self.count == other.count
    }
}

impl<T> Eq for UserArray<T> {}

impl<T> fmt::Debug for UserArray<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}[{}]", self.addr, self.count)
    }
}

macro_rules! addresses {
    ($($(#[$m:meta])* $name:ident;)*) => { $(
        $(#[$m])*
        #[derive(Clone, Copy, Default, PartialEq, Eq)]
        #[repr(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The address.
            pub const fn addr(self) -> u64 {
                self.0
            }

            /// Whether it is the null pointer.
            pub const fn is_null(self) -> bool {
                self.0 == 0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }
    )* };
}

addresses! {
    /// Address of a NUL-terminated path name (at most [`crate::PATH_MAX`] bytes with its NUL).
    UserPath;
    /// Address of a NUL-terminated string that is no path.
    UserStr;
    /// Address of a NULL-terminated array of string addresses: argv, envp.
    UserStrVec;
}
