//! How values become words.

use lsyscall_abi::Errno;

use crate::{Reader, Writer};

/// Bytes that fit inline into one message beside a handful of other words.
pub const CHUNK_BYTES: usize = 800;

/// A value that travels in a message.
pub trait Wire: Sized {
    /// Appends the value.
    fn put(&self, w: &mut Writer<'_>);
    /// Takes the value; `None` if the message is too short or the words mean nothing.
    fn get(r: &mut Reader<'_>) -> Option<Self>;
}

macro_rules! wire_int {
    ($($t:ty),*) => { $(
        impl Wire for $t {
            #[inline]
            fn put(&self, w: &mut Writer<'_>) { w.word(*self as u64); }
            #[inline]
            fn get(r: &mut Reader<'_>) -> Option<Self> { Some(r.word()? as $t) }
        }
    )* };
}
wire_int!(u8, u16, u32, u64, usize, i32, i64);

impl Wire for lsyscall_abi::ThreadIdx {
    #[inline]
    fn put(&self, w: &mut Writer<'_>) {
        w.word(u64::from(self.0));
    }
    #[inline]
    fn get(r: &mut Reader<'_>) -> Option<Self> {
        Some(lsyscall_abi::ThreadIdx(u16::try_from(r.word()?).ok()?))
    }
}

impl Wire for bool {
    fn put(&self, w: &mut Writer<'_>) {
        w.word(u64::from(*self));
    }
    fn get(r: &mut Reader<'_>) -> Option<Self> {
        Some(r.word()? != 0)
    }
}

impl Wire for () {
    fn put(&self, _: &mut Writer<'_>) {}
    fn get(_: &mut Reader<'_>) -> Option<Self> {
        Some(())
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn put(&self, w: &mut Writer<'_>) {
        self.0.put(w);
        self.1.put(w);
    }
    fn get(r: &mut Reader<'_>) -> Option<Self> {
        Some((A::get(r)?, B::get(r)?))
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, w: &mut Writer<'_>) {
        match self {
            None => w.word(0),
            Some(value) => {
                w.word(1);
                value.put(w);
            }
        }
    }
    fn get(r: &mut Reader<'_>) -> Option<Self> {
        match r.word()? {
            0 => Some(None),
            1 => Some(Some(T::get(r)?)),
            _ => None,
        }
    }
}

impl<T: Wire> Wire for Result<T, Errno> {
    #[inline]
    fn put(&self, w: &mut Writer<'_>) {
        match self {
            Ok(value) => {
                w.word(0);
                value.put(w);
            }
            Err(errno) => w.word(errno.raw() as u64),
        }
    }
    #[inline]
    fn get(r: &mut Reader<'_>) -> Option<Self> {
        match r.word()? {
            0 => Some(Ok(T::get(r)?)),
            errno => Some(Err(Errno::from_raw(errno as i32)?)),
        }
    }
}

/// A capability that travels with the message; the receiver owns its copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cap(pub u64);

impl Wire for Cap {
    fn put(&self, w: &mut Writer<'_>) {
        w.cap(self.0);
    }
    fn get(r: &mut Reader<'_>) -> Option<Self> {
        r.cap().map(Cap)
    }
}

/// Up to [`CHUNK_BYTES`] bytes that travel inside the message.
#[derive(Clone)]
pub struct Chunk {
    len: usize,
    data: [u8; CHUNK_BYTES],
}

/// A borrowed view used to name byte arguments in interfaces.
pub type Bytes = Chunk;

impl Chunk {
    /// No bytes.
    pub const fn empty() -> Self {
        Chunk {
            len: 0,
            data: [0; CHUNK_BYTES],
        }
    }

    /// The first [`CHUNK_BYTES`] bytes of `bytes`.
    pub fn new(bytes: &[u8]) -> Self {
        let mut chunk = Self::empty();
        chunk.len = bytes.len().min(CHUNK_BYTES);
        chunk.data[..chunk.len].copy_from_slice(&bytes[..chunk.len]);
        chunk
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.data[..self.len]
    }

    /// Appends one byte; false when full.
    pub fn push(&mut self, byte: u8) -> bool {
        if self.len == CHUNK_BYTES {
            return false;
        }
        self.data[self.len] = byte;
        self.len += 1;
        true
    }
}

impl core::fmt::Debug for Chunk {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Chunk({} bytes)", self.len)
    }
}

impl PartialEq for Chunk {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Wire for Chunk {
    fn put(&self, w: &mut Writer<'_>) {
        w.word(self.len as u64);
        for piece in self.as_slice().chunks(8) {
            let mut word = [0u8; 8];
            word[..piece.len()].copy_from_slice(piece);
            w.word(u64::from_le_bytes(word));
        }
    }
    fn get(r: &mut Reader<'_>) -> Option<Self> {
        let len = usize::try_from(r.word()?).ok()?;
        if len > CHUNK_BYTES {
            return None;
        }
        let mut chunk = Self::empty();
        chunk.len = len;
        for piece in chunk.data[..len].chunks_mut(8) {
            let word = r.word()?.to_le_bytes();
            let n = piece.len();
            piece.copy_from_slice(&word[..n]);
        }
        Some(chunk)
    }
}

/// Declares a plain struct of wire fields and how it travels.
#[macro_export]
macro_rules! wire_struct {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$fmeta:meta])* pub $field:ident : $ty:ty),* $(,)? }) => {
        $(#[$meta])*
        pub struct $name { $($(#[$fmeta])* pub $field: $ty),* }
        impl $crate::Wire for $name {
            fn put(&self, w: &mut $crate::Writer<'_>) { $($crate::Wire::put(&self.$field, w);)* }
            fn get(r: &mut $crate::Reader<'_>) -> Option<Self> {
                Some($name { $($field: <$ty as $crate::Wire>::get(r)?),* })
            }
        }
    };
}

/// Declares a number newtype that travels as one word.
#[macro_export]
macro_rules! wire_id {
    ($(#[$meta:meta])* pub struct $name:ident($int:ty);) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub $int);
        impl $crate::Wire for $name {
            #[inline]
            fn put(&self, w: &mut $crate::Writer<'_>) { w.word(u64::from(self.0)); }
            #[inline]
            fn get(r: &mut $crate::Reader<'_>) -> Option<Self> { Some($name(<$int>::try_from(r.word()?).ok()?)) }
        }
    };
}
