//! Extended attributes of one file (xattr(7)): names and values, counted against bounds. Who may see which is the affair of
//! `calls/xattr.rs`.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;

use lsyscall_abi::Errno;

use crate::heap::headroom;
use crate::inode::Counters;

/// Longest name in bytes (XATTR_NAME_MAX).
pub const NAME_MAX: usize = 255;
/// Longest value in bytes (XATTR_SIZE_MAX).
pub const VALUE_MAX: usize = 65536;
/// Longest list of names in bytes (XATTR_LIST_MAX).
pub const LIST_MAX: usize = 65536;
/// setxattr: the attribute must not exist.
pub const CREATE: u32 = 1;
/// setxattr: the attribute must exist.
pub const REPLACE: u32 = 2;
/// Bytes an attribute takes besides its name and value.
const OVERHEAD: u64 = 64;
/// Bytes the attributes of one file may take.
const FILE_MAX: u64 = 256 * 1024;

/// The attributes of one file.
pub struct Xattrs {
    map: BTreeMap<Box<[u8]>, Box<[u8]>>,
    bytes: u64,
    counters: Rc<Counters>,
}

impl Xattrs {
    /// Bytes the attributes of all files may take.
    pub const TOTAL_MAX: u64 = 4 << 20;

    /// None yet.
    pub fn new(counters: &Rc<Counters>) -> Self {
        Xattrs {
            map: BTreeMap::new(),
            bytes: 0,
            counters: Rc::clone(counters),
        }
    }

    fn account(&mut self, freed: u64, taken: u64) {
        let total = &self.counters.xattr_bytes;
        self.bytes = (self.bytes + taken).saturating_sub(freed);
        total.set((total.get() + taken).saturating_sub(freed));
    }

    /// A value. `ENODATA`.
    pub fn get(&self, name: &[u8]) -> Result<&[u8], Errno> {
        self.map.get(name).map(|v| &**v).ok_or(Errno::ENODATA)
    }

    /// Sets a value. `EEXIST` and `ENODATA` as [`CREATE`] and [`REPLACE`] ask, `ENOSPC`, `ENOMEM`.
    pub fn set(&mut self, name: &[u8], value: &[u8], flags: u32) -> Result<(), Errno> {
        let before = self.map.get(name).map(|v| v.len());
        match before {
            Some(_) if flags & CREATE != 0 => return Err(Errno::EEXIST),
            None if flags & REPLACE != 0 => return Err(Errno::ENODATA),
            _ => {}
        }
        let cost = |len: usize| OVERHEAD + (name.len() + len) as u64;
        let (freed, taken) = (before.map_or(0, cost), cost(value.len()));
        let over = |now: u64, most: u64| (now + taken).saturating_sub(freed) > most;
        if over(self.bytes, FILE_MAX) || over(self.counters.xattr_bytes.get(), Self::TOTAL_MAX) {
            return Err(Errno::ENOSPC);
        }
        headroom()?;
        let mut copy = Vec::new();
        copy.try_reserve_exact(value.len())
            .map_err(|_| Errno::ENOMEM)?;
        copy.extend_from_slice(value);
        self.map.insert(name.into(), copy.into());
        self.account(freed, taken);
        Ok(())
    }

    /// Removes an attribute. `ENODATA`.
    pub fn remove(&mut self, name: &[u8]) -> Result<(), Errno> {
        let value = self.map.remove(name).ok_or(Errno::ENODATA)?;
        self.account(OVERHEAD + (name.len() + value.len()) as u64, 0);
        Ok(())
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.map.keys().map(|k| &**k)
    }
}

impl Drop for Xattrs {
    fn drop(&mut self) {
        self.account(self.bytes, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back() {
        let counters = Counters::new(9);
        let mut attrs = Xattrs::new(&counters);
        assert_eq!(attrs.set(b"user.a", b"12", REPLACE), Err(Errno::ENODATA));
        assert_eq!(attrs.set(b"user.a", b"12", CREATE), Ok(()));
        assert_eq!(attrs.set(b"user.a", b"3", CREATE), Err(Errno::EEXIST));
        assert_eq!(attrs.set(b"user.a", b"345", REPLACE), Ok(()));
        assert_eq!(attrs.get(b"user.a"), Ok(&b"345"[..]));
        assert_eq!(counters.xattr_bytes.get(), OVERHEAD + 9);
        assert_eq!(attrs.remove(b"user.a"), Ok(()));
        assert_eq!(attrs.remove(b"user.a"), Err(Errno::ENODATA));
        assert_eq!(counters.xattr_bytes.get(), 0);
        assert_eq!(attrs.set(b"user.b", &[0; 9], 0), Ok(()));
        drop(attrs);
        assert_eq!(counters.xattr_bytes.get(), 0);
    }

    #[test]
    fn one_file_cannot_take_everything() {
        let counters = Counters::new(9);
        let mut attrs = Xattrs::new(&counters);
        let mut set = 0;
        for i in 0..100u8 {
            match attrs.set(&[b'a', i], &[0; VALUE_MAX], 0) {
                Ok(()) => set += 1,
                Err(e) => assert_eq!(e, Errno::ENOSPC),
            }
        }
        assert_eq!(set, 3);
        // The same size again is no more.
        assert_eq!(attrs.set(&[b'a', 0], &[1; VALUE_MAX], 0), Ok(()));
    }
}
