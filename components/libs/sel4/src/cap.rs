//! Capability addresses and the types of objects they name.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;

use crate::Word;

/// The address of a capability in the caller's CSpace, of no particular type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct CPtr(Word);

impl CPtr {
    /// The null address: names no capability.
    pub const NULL: CPtr = CPtr(0);

    /// From its bits.
    pub const fn from_bits(bits: Word) -> CPtr {
        CPtr(bits)
    }

    /// The bits.
    pub const fn bits(self) -> Word {
        self.0
    }

    /// This address as one of an object of type `T`.
    pub const fn cast<T: CapType>(self) -> Cap<T> {
        Cap {
            cptr: self,
            ty: PhantomData,
        }
    }
}

/// A type of object a capability can name.
pub trait CapType: 'static {
    /// Name for people.
    const NAME: &'static str;
}

/// The address of a capability to an object of type `T`. Copying it copies the address, not the capability.
#[repr(transparent)]
pub struct Cap<T: CapType> {
    cptr: CPtr,
    ty: PhantomData<fn() -> T>,
}

impl<T: CapType> Cap<T> {
    /// The null address.
    pub const NULL: Cap<T> = Cap::from_bits(0);

    /// From the bits of its address.
    pub const fn from_bits(bits: Word) -> Cap<T> {
        CPtr(bits).cast()
    }

    /// The bits of the address.
    pub const fn bits(self) -> Word {
        self.cptr.0
    }

    /// The address without the type.
    pub const fn cptr(self) -> CPtr {
        self.cptr
    }

    /// The same address taken for another type.
    pub const fn cast<U: CapType>(self) -> Cap<U> {
        self.cptr.cast()
    }
}

impl<T: CapType> Clone for Cap<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: CapType> Copy for Cap<T> {}

impl<T: CapType> PartialEq for Cap<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cptr == other.cptr
    }
}

impl<T: CapType> Eq for Cap<T> {}

impl<T: CapType> Hash for Cap<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.cptr.hash(state);
    }
}

impl<T: CapType> fmt::Debug for Cap<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({:#x})", T::NAME, self.bits())
    }
}

impl<T: CapType> From<Cap<T>> for CPtr {
    fn from(cap: Cap<T>) -> CPtr {
        cap.cptr
    }
}

/// Marker types, one per kind of object.
pub mod cap_type {
    use super::CapType;

    macro_rules! cap_types {
        ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
            $(
                $(#[$doc])*
                #[derive(Debug, Clone, Copy, PartialEq, Eq)]
                pub enum $name {}

                impl CapType for $name {
                    const NAME: &'static str = stringify!($name);
                }
            )*

            /// The addresses by type: what programs use.
            pub(super) mod alias {
                $(
                    $(#[$doc])*
                    pub type $name = super::super::Cap<super::$name>;
                )*
            }
        };
    }

    cap_types! {
        /// Anything.
        Unspecified,
        /// Memory no object has been made of yet.
        Untyped,
        /// A meeting point of senders and receivers.
        Endpoint,
        /// A word of event bits.
        Notification,
        /// A thread.
        Tcb,
        /// A table of capabilities.
        CNode,
        /// The right to answer one caller, as `save_caller` keeps it.
        Reply,
        /// A frame of 4 KiB.
        Granule,
        /// A frame of 2 MiB.
        LargePage,
        /// A frame of 1 GiB.
        HugePage,
        /// A frame of a size that is not known.
        UnspecifiedFrame,
        /// Lowest paging structure: maps 2 MiB in granules.
        PageTable,
        /// Second paging structure: maps 1 GiB.
        PageDirectory,
        /// Third paging structure: maps 512 GiB.
        PageUpperDirectory,
        /// Root paging structure: an address space.
        VSpace,
        /// The right to make ASID pools.
        AsidControl,
        /// The right to give address spaces an ASID.
        AsidPool,
        /// The right to make interrupt handlers.
        IrqControl,
        /// One interrupt.
        IrqHandler,
        /// The right to move threads between scheduling domains.
        DomainSet,
    }
}

pub use cap_type::alias::*;
