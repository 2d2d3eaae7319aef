//! The frames: who holds how many references, which are free.

use alloc::vec::Vec;

use lsyscall_abi::Errno;

use crate::heaps::Heaps;
use crate::machine::{Exhausted, Frame, Machine, PAGE};

const REFS: u32 = (1 << 28) - 1;
/// Belongs to an object (a VMO), not to a program's private memory.
const OBJECT: u32 = 1 << 28;
/// Not known to be all zero.
const DIRTY: u32 = 1 << 29;
/// Its contents are visible to instruction fetches.
const SYNCED: u32 = 1 << 30;
/// [`Machine::prepare`] was done.
const READY: u32 = 1 << 31;

/// Which share of all pages is kept for the heaps of components, so that they can serve others when a program has taken all.
const RESERVE_SHARE: u64 = 64;
/// With fewer pages nothing is kept.
const RESERVE_FROM: u64 = 1024;

/// Whose a new frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A program's private memory.
    Anonymous,
    /// A memory object.
    Object,
}

/// The machine and the state of its frames.
pub struct Pool<M> {
    /// The machine.
    pub machine: M,
    /// Flags and references; of a free frame the next free one in the place of the references.
    meta: Vec<u32>,
    free: u32,
    free_count: u64,
    anonymous: u64,
    objects: u64,
    /// Pages that only heaps of components may take.
    reserve: u64,
    /// The pages of components' heaps that came from here.
    pub(crate) heaps: Heaps,
}

impl From<Exhausted> for Errno {
    fn from(_: Exhausted) -> Errno {
        Errno::ENOMEM
    }
}

impl<M: Machine> Pool<M> {
    /// Over a machine that has made no frames yet.
    pub fn new(machine: M) -> Self {
        let mut meta = Vec::new();
        meta.reserve_exact(machine.limit());
        let reserve = match machine.limit() as u64 {
            ..RESERVE_FROM => 0,
            pages => pages / RESERVE_SHARE,
        };
        Pool {
            reserve,
            heaps: Heaps::default(),
            machine,
            meta,
            free: REFS,
            free_count: 0,
            anonymous: 0,
            objects: 0,
        }
    }

    /// Pages nobody uses.
    pub fn free_pages(&self) -> u64 {
        self.free_count + self.machine.uncarved() / PAGE as u64
    }

    /// Pages in use and of whom: (private, of objects, of components' heaps).
    pub fn used(&self) -> (u64, u64, u64) {
        let heaps = self.heaps.pages();
        (self.anonymous.saturating_sub(heaps), self.objects, heaps)
    }

    /// Pages made so far, used or free.
    pub fn made(&self) -> u64 {
        self.meta.len() as u64
    }

    /// Pages that are neither free nor counted as used: always 0 unless the books are wrong.
    pub fn lost(&self) -> u64 {
        let known = self.free_count + self.anonymous + self.objects;
        self.made().abs_diff(known)
    }

    /// Takes frames into the books that the machine has made with contents, each with one reference of an object.
    pub fn adopt(&mut self, first: u32, count: u32) {
        debug_assert_eq!(self.meta.len(), first as usize);
        self.meta.extend((0..count).map(|_| 1 | OBJECT | DIRTY));
        self.objects += u64::from(count);
    }

    fn refill(&mut self) -> Result<(), Errno> {
        let first = self.meta.len() as u32;
        let count = self.machine.carve();
        if count == 0 {
            return Err(Errno::ENOMEM);
        }
        self.meta.resize(self.meta.len() + count as usize, 0);
        for id in (first..first + count).rev() {
            self.push_free(id);
        }
        Ok(())
    }

    fn push_free(&mut self, id: u32) {
        let meta = &mut self.meta[id as usize];
        *meta = (*meta & (READY | DIRTY)) | self.free;
        self.free = id;
        self.free_count += 1;
    }

    /// A frame for a program.
    fn take(&mut self, owner: Owner) -> Result<Frame, Errno> {
        if !self.has_room() || self.free_pages() <= self.reserve {
            return Err(Errno::ENOMEM);
        }
        self.take_any(owner)
    }

    /// A frame, also of those that are kept for the components.
    fn take_any(&mut self, owner: Owner) -> Result<Frame, Errno> {
        if self.free == REFS {
            self.refill()?;
        }
        let frame = Frame(self.free);
        let meta = self.meta[frame.0 as usize];
        if meta & READY == 0 {
            self.machine.prepare(frame)?;
        }
        self.free = meta & REFS;
        self.free_count -= 1;
        let object = match owner {
            Owner::Anonymous => {
                self.anonymous += 1;
                0
            }
            Owner::Object => {
                self.objects += 1;
                OBJECT
            }
        };
        self.meta[frame.0 as usize] = 1 | object | READY | (meta & DIRTY);
        Ok(frame)
    }

    /// A frame of zeros for the heap of a component.
    pub fn alloc_for_heap(&mut self) -> Result<Frame, Errno> {
        let frame = self.take_any(Owner::Anonymous)?;
        self.zeroed(frame);
        Ok(frame)
    }

    /// A frame of zeros with one reference.
    pub fn alloc_zero(&mut self, owner: Owner) -> Result<Frame, Errno> {
        let frame = self.take(owner)?;
        self.zeroed(frame);
        Ok(frame)
    }

    fn zeroed(&mut self, frame: Frame) {
        let meta = &mut self.meta[frame.0 as usize];
        if *meta & DIRTY != 0 {
            *meta &= !DIRTY;
            self.machine.zero(frame);
        }
        // The program will write to it.
        self.meta[frame.0 as usize] |= DIRTY;
    }

    /// A frame with any contents, which the caller overwrites at once, and one reference.
    pub fn alloc_to_fill(&mut self, owner: Owner) -> Result<Frame, Errno> {
        let frame = self.take(owner)?;
        self.meta[frame.0 as usize] |= DIRTY;
        Ok(frame)
    }

    /// A frame with a copy of another's contents and one reference.
    pub fn alloc_copy(&mut self, from: Frame, owner: Owner) -> Result<Frame, Errno> {
        self.ready(from)?;
        let frame = self.take(owner)?;
        self.machine.copy(from, frame);
        self.meta[frame.0 as usize] |= DIRTY;
        Ok(frame)
    }

    fn ready(&mut self, frame: Frame) -> Result<(), Errno> {
        let meta = &mut self.meta[frame.0 as usize];
        if *meta & READY == 0 {
            self.machine.prepare(frame)?;
            *meta |= READY;
        }
        Ok(())
    }

    /// One reference more. `ENOMEM` if there are too many.
    pub fn share(&mut self, frame: Frame) -> Result<(), Errno> {
        let meta = &mut self.meta[frame.0 as usize];
        if *meta & REFS == REFS {
            return Err(Errno::ENOMEM);
        }
        *meta += 1;
        Ok(())
    }

    /// One reference less; the last one frees the frame.
    pub fn release(&mut self, frame: Frame) {
        let meta = &mut self.meta[frame.0 as usize];
        debug_assert!(*meta & REFS > 0, "frame {frame:?} released too often");
        if *meta & REFS == 0 {
            return;
        }
        *meta -= 1;
        if *meta & REFS == 0 {
            if *meta & OBJECT != 0 {
                self.objects -= 1;
            } else {
                self.anonymous -= 1;
            }
            *meta |= DIRTY;
            self.push_free(frame.0);
        }
    }

    /// References to a frame.
    #[cfg(test)]
    pub fn refs(&self, frame: Frame) -> u32 {
        self.meta[frame.0 as usize] & REFS
    }

    /// Whether a private mapping may write to the frame: it is private memory and nobody else's.
    pub fn exclusive(&self, frame: Frame) -> bool {
        self.meta[frame.0 as usize] & (REFS | OBJECT) == 1
    }

    /// Whether the frame belongs to an object.
    pub fn is_object(&self, frame: Frame) -> bool {
        self.meta[frame.0 as usize] & OBJECT != 0
    }

    /// Reads from a frame; `buf` must not reach beyond its end.
    pub fn read(&mut self, frame: Frame, off: usize, buf: &mut [u8]) -> Result<(), Errno> {
        self.ready(frame)?;
        self.machine.read(frame, off, buf);
        Ok(())
    }

    /// Writes to a frame; `data` must not reach beyond its end.
    pub fn write(&mut self, frame: Frame, off: usize, data: &[u8]) -> Result<(), Errno> {
        self.wrote(frame)?;
        self.machine.write(frame, off, data);
        Ok(())
    }

    /// Zeroes a part of a frame.
    pub fn clear(&mut self, frame: Frame, off: usize, len: usize) -> Result<(), Errno> {
        self.wrote(frame)?;
        if let Some(part) = self.machine.bytes(frame).get_mut(off..off + len) {
            part.fill(0);
        }
        Ok(())
    }

    /// Copies between frames.
    pub fn copy_part(
        &mut self,
        from: Frame,
        from_off: usize,
        to: Frame,
        to_off: usize,
        len: usize,
    ) -> Result<(), Errno> {
        self.ready(from)?;
        self.wrote(to)?;
        self.machine.copy_part(from, from_off, to, to_off, len);
        Ok(())
    }

    fn wrote(&mut self, frame: Frame) -> Result<(), Errno> {
        self.ready(frame)?;
        let meta = &mut self.meta[frame.0 as usize];
        *meta = (*meta | DIRTY) & !SYNCED;
        Ok(())
    }

    /// Before a frame is mapped executable: makes sure instruction fetches see its contents.
    pub fn sync_code(&mut self, frame: Frame) {
        if self.meta[frame.0 as usize] & SYNCED == 0 && self.ready(frame).is_ok() {
            self.machine.sync_code(frame);
            self.meta[frame.0 as usize] |= SYNCED;
        }
    }

    /// The frame has become writable to a program: its instructions are the program's own business from now on, but who
    /// maps it executable later must look again.
    pub fn unsync(&mut self, frame: Frame) {
        self.meta[frame.0 as usize] &= !SYNCED;
    }
}
