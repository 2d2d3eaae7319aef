//! Memory objects: sparse arrays of frames with a size.

use alloc::vec::Vec;

use lsyscall_abi::Errno;

use crate::frames::{Owner, Pool};
use crate::machine::{Frame, Machine, PAGE};
use crate::table::Table;
use crate::tree::{Slot, Tree};

/// Largest size of an object, so that offsets never overflow.
pub const MAX_SIZE: u64 = i64::MAX as u64 & !(PAGE as u64 - 1);

/// A frame of an object, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page(u32);

impl Page {
    /// With a frame.
    pub fn of(frame: Frame) -> Page {
        Page(frame.0)
    }
    /// The frame.
    pub fn frame(self) -> Option<Frame> {
        (self.0 != u32::MAX).then_some(Frame(self.0))
    }
}

impl Slot for Page {
    const EMPTY: Page = Page(u32::MAX);
    fn is_empty(&self) -> bool {
        self.0 == u32::MAX
    }
}

/// An object.
pub struct Object {
    /// Bytes.
    pub size: u64,
    /// Frames by page number.
    pub pages: Tree<Page>,
    handles: u32,
    /// Address spaces that map it, each with the number of its mappings.
    mappers: Vec<(u32, u32)>,
}

/// All objects.
pub struct Objects {
    table: Table<Object>,
}

impl Objects {
    /// None.
    pub const fn new() -> Self {
        Objects {
            table: Table::new(),
        }
    }

    /// A new object of `size` bytes with one handle.
    pub fn create(&mut self, size: u64) -> Result<u32, Errno> {
        if size > MAX_SIZE {
            return Err(Errno::EFBIG);
        }
        let object = Object {
            size,
            pages: Tree::new(),
            handles: 1,
            mappers: Vec::new(),
        };
        self.table.insert(object).ok_or(Errno::ENOMEM)
    }

    /// An object.
    pub fn get(&self, id: u32) -> Result<&Object, Errno> {
        self.table.get(id).ok_or(Errno::EINVAL)
    }

    /// An object.
    pub fn get_mut(&mut self, id: u32) -> Result<&mut Object, Errno> {
        self.table.get_mut(id).ok_or(Errno::EINVAL)
    }

    /// All of them.
    #[cfg(test)]
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Object)> {
        self.table.iter()
    }

    /// One handle more.
    pub fn add_handle(&mut self, id: u32) -> Result<(), Errno> {
        let object = self.get_mut(id)?;
        object.handles = object.handles.checked_add(1).ok_or(Errno::ENOMEM)?;
        Ok(())
    }

    /// One handle less.
    pub fn drop_handle<M: Machine>(&mut self, id: u32, pool: &mut Pool<M>) -> Result<(), Errno> {
        let object = self.get_mut(id)?;
        object.handles = object.handles.checked_sub(1).ok_or(Errno::EINVAL)?;
        self.reap(id, pool);
        Ok(())
    }

    /// A mapping more in an address space.
    pub fn add_mapping(&mut self, id: u32, space: u32) {
        if let Some(object) = self.table.get_mut(id) {
            match object.mappers.iter_mut().find(|(s, _)| *s == space) {
                Some((_, count)) => *count += 1,
                None => object.mappers.push((space, 1)),
            }
        }
    }

    /// A mapping less in an address space.
    pub fn drop_mapping<M: Machine>(&mut self, id: u32, space: u32, pool: &mut Pool<M>) {
        if let Some(object) = self.table.get_mut(id) {
            if let Some(at) = object.mappers.iter().position(|(s, _)| *s == space) {
                object.mappers[at].1 -= 1;
                if object.mappers[at].1 == 0 {
                    object.mappers.swap_remove(at);
                }
            }
            self.reap(id, pool);
        }
    }

    fn reap<M: Machine>(&mut self, id: u32, pool: &mut Pool<M>) {
        let dead = |o: &Object| o.handles == 0 && o.mappers.is_empty();
        if !self.table.get(id).is_some_and(dead) {
            return;
        }
        if let Some(mut object) = self.table.remove(id) {
            object.pages.update(0, u64::MAX, |_, page| {
                if let Some(frame) = page.frame() {
                    pool.release(frame);
                }
            });
        }
    }

    /// How many mappings show the object.
    pub fn mappings(&self, id: u32) -> Result<u64, Errno> {
        let mappers = &self.get(id)?.mappers;
        Ok(mappers.iter().map(|(_, count)| u64::from(*count)).sum())
    }

    /// The address spaces that map the object.
    pub fn mappers(&self, id: u32) -> Vec<u32> {
        let list = self.table.get(id).map(|o| o.mappers.as_slice());
        list.unwrap_or_default().iter().map(|(s, _)| *s).collect()
    }
}

impl Object {
    /// The frame of a page, if it has one.
    pub fn frame(&self, page: u64) -> Option<Frame> {
        self.pages.get(page).frame()
    }

    /// The frame of a page to write `len` bytes to: made if it has none, zero unless all of it is about to be written.
    pub fn frame_to_write<M: Machine>(
        &mut self,
        page: u64,
        len: usize,
        pool: &mut Pool<M>,
    ) -> Result<Frame, Errno> {
        if len < PAGE || self.frame(page).is_some() {
            return self.frame_or_zero(page, pool);
        }
        let frame = pool.alloc_to_fill(Owner::Object)?;
        self.pages.set(page, Page::of(frame));
        Ok(frame)
    }

    /// The frame of a page, made if it has none.
    pub fn frame_or_zero<M: Machine>(
        &mut self,
        page: u64,
        pool: &mut Pool<M>,
    ) -> Result<Frame, Errno> {
        if let Some(frame) = self.frame(page) {
            return Ok(frame);
        }
        let frame = pool.alloc_zero(Owner::Object)?;
        self.pages.set(page, Page::of(frame));
        Ok(frame)
    }

    /// Gives the pages in `first..end` back.
    pub fn release<M: Machine>(&mut self, first: u64, end: u64, pool: &mut Pool<M>) {
        self.pages.update(first, end, |_, page| {
            if let Some(frame) = page.frame() {
                pool.release(frame);
            }
            *page = Page::EMPTY;
        });
    }

    /// Zeroes bytes within pages that are there.
    pub fn clear<M: Machine>(
        &mut self,
        off: u64,
        len: u64,
        pool: &mut Pool<M>,
    ) -> Result<(), Errno> {
        let mut at = off;
        let end = off.saturating_add(len);
        while at < end {
            let (page, within, n) = piece(at, end - at);
            if let Some(frame) = self.frame(page) {
                pool.clear(frame, within, n)?;
            }
            at += n as u64;
        }
        Ok(())
    }

    /// Reads up to the size; returns how many bytes.
    pub fn read<M: Machine>(
        &self,
        off: u64,
        buf: &mut [u8],
        pool: &mut Pool<M>,
    ) -> Result<usize, Errno> {
        let len = (self.size.saturating_sub(off)).min(buf.len() as u64) as usize;
        let mut done = 0;
        while done < len {
            let (page, within, n) = piece(off + done as u64, (len - done) as u64);
            let part = &mut buf[done..done + n];
            match self.frame(page) {
                Some(frame) => pool.read(frame, within, part)?,
                None => part.fill(0),
            }
            done += n;
        }
        Ok(done)
    }

    /// Writes, growing as needed; returns how many bytes, an error if none could be written.
    pub fn write<M: Machine>(
        &mut self,
        off: u64,
        data: &[u8],
        pool: &mut Pool<M>,
    ) -> Result<usize, Errno> {
        let end = write_end(off, data.len() as u64)?;
        let mut at = off;
        while at < end {
            let (page, within, n) = piece(at, end - at);
            let from = (at - off) as usize;
            let frame = match self.frame_to_write(page, n, pool) {
                Ok(frame) => frame,
                Err(errno) if at == off => return Err(errno),
                Err(_) => break,
            };
            pool.write(frame, within, &data[from..from + n])?;
            at += n as u64;
            self.size = self.size.max(at);
        }
        Ok((at - off) as usize)
    }
}

/// The end of a write. `EFBIG` beyond the largest size.
pub fn write_end(off: u64, len: u64) -> Result<u64, Errno> {
    off.checked_add(len)
        .filter(|&end| end <= MAX_SIZE)
        .ok_or(Errno::EFBIG)
}

/// The page of an offset, the offset in it, and how many of `len` bytes it holds.
pub fn piece(off: u64, len: u64) -> (u64, usize, usize) {
    let within = (off % PAGE as u64) as usize;
    let n = len.min((PAGE - within) as u64) as usize;
    (off / PAGE as u64, within, n)
}
