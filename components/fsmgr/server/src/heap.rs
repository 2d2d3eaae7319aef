//! Running out of our own memory is the program's ENOMEM, not our end: whoever makes something that stays asks first whether
//! there is room, and buffers whose size a program chooses are allocated so that it may fail.

use alloc::vec::Vec;
use core::hint::black_box;

use lsyscall_abi::Errno;

/// What must be left after something was made, in one piece: enough for everything one call allocates in passing.
const HEADROOM: usize = 32 * 1024;

/// `ENOMEM` unless there is room for something more that stays.
pub fn headroom() -> Result<(), Errno> {
    let mut room: Vec<u8> = Vec::new();
    let result = room.try_reserve_exact(HEADROOM);
    black_box(&mut room);
    result.map_err(|_| Errno::ENOMEM)
}

/// A buffer of zeros. `ENOMEM`.
pub fn buffer(len: usize) -> Result<Vec<u8>, Errno> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).map_err(|_| Errno::ENOMEM)?;
    bytes.resize(len, 0);
    Ok(bytes)
}

/// A buffer of zeros that needs no allocation up to `N` bytes.
pub struct Scratch<const N: usize> {
    small: [u8; N],
    large: Vec<u8>,
    len: usize,
}

impl<const N: usize> Scratch<N> {
    /// `len` zeros. `ENOMEM`.
    pub fn new(len: usize) -> Result<Self, Errno> {
        let large = if len > N { buffer(len)? } else { Vec::new() };
        Ok(Scratch {
            small: [0; N],
            large,
            len,
        })
    }

    /// The bytes.
    pub fn bytes(&mut self) -> &mut [u8] {
        let all = if self.len > N {
            &mut self.large[..]
        } else {
            &mut self.small[..]
        };
        let len = self.len.min(all.len());
        &mut all[..len]
    }
}
