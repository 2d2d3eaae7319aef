//! A machine in ordinary memory: for tests of this crate, and of components that need a memory manager on the host.
//!
//! It checks what the kernel would refuse, by panicking: a page mapped twice, a mapping that is not there.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use persona_component::Env;

use super::{Archive, Exhausted, Frame, Hw, Machine, Mapping, Rights, PAGE};
use crate::boot::{Deps, NewError};
use crate::server::Server;

const BATCH: u32 = 64;

/// What the hardware would find at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The frame.
    pub frame: Frame,
    /// The rights.
    pub rights: Rights,
    mapping: Mapping,
}

/// Frames and address spaces in ordinary memory.
pub struct Fake {
    frames: Vec<Box<[u8; PAGE]>>,
    limit: u32,
    archive: Vec<u8>,
    spaces: BTreeMap<u32, BTreeMap<u64, Seen>>,
    next: u32,
    untyped: u64,
    synced: u64,
    heaps: BTreeMap<(Option<u8>, u64), (Frame, Mapping)>,
}

impl Fake {
    /// A machine with so many frames and an archive.
    pub fn new(frames: u32, archive: &[u8]) -> Self {
        Fake {
            frames: Vec::new(),
            limit: frames,
            archive: archive.to_vec(),
            spaces: BTreeMap::new(),
            next: 0,
            untyped: 0,
            synced: 0,
            heaps: BTreeMap::new(),
        }
    }

    /// What the hardware finds at an address.
    pub fn look(&self, hw: Hw, addr: u64) -> Option<Seen> {
        let page = addr & !(PAGE as u64 - 1);
        self.spaces.get(&hw.0)?.get(&page).copied()
    }

    /// Everything mapped in an address space.
    pub fn mappings(&self, hw: Hw) -> Vec<(u64, Seen)> {
        let space = self.spaces.get(&hw.0);
        space.map_or(Vec::new(), |s| s.iter().map(|(&a, &v)| (a, v)).collect())
    }

    /// Address spaces alive.
    pub fn spaces(&self) -> usize {
        self.spaces.len()
    }

    /// Times instructions were made visible.
    pub fn synced(&self) -> u64 {
        self.synced
    }

    fn add(&mut self, contents: [u8; PAGE]) {
        self.frames.push(Box::new(contents));
    }

    fn space_of(&mut self, hw: Hw) -> &mut BTreeMap<u64, Seen> {
        match self.spaces.get_mut(&hw.0) {
            Some(space) => space,
            None => panic!("{hw:?} does not exist"),
        }
    }
}

impl Machine for Fake {
    fn carve(&mut self) -> u32 {
        let count = (self.limit - self.frames.len() as u32).min(BATCH);
        for _ in 0..count {
            self.add([0; PAGE]);
        }
        count
    }

    fn uncarved(&self) -> u64 {
        u64::from(self.limit - self.frames.len() as u32) * PAGE as u64
    }

    fn limit(&self) -> usize {
        self.limit as usize
    }

    fn kernel_bytes(&self) -> u64 {
        self.untyped
    }

    fn has_room(&mut self) -> bool {
        true
    }

    fn refill(&mut self) {}

    fn prepare(&mut self, _frame: Frame) -> Result<(), Exhausted> {
        Ok(())
    }

    fn bytes(&mut self, frame: Frame) -> &mut [u8; PAGE] {
        &mut self.frames[frame.0 as usize]
    }

    fn copy(&mut self, from: Frame, to: Frame) {
        let bytes = *self.bytes(from);
        *self.bytes(to) = bytes;
    }

    fn copy_part(&mut self, from: Frame, from_off: usize, to: Frame, to_off: usize, len: usize) {
        let bytes = self.bytes(from)[from_off..from_off + len].to_vec();
        self.bytes(to)[to_off..to_off + len].copy_from_slice(&bytes);
    }

    fn sync_code(&mut self, _frame: Frame) {
        self.synced += 1;
    }

    fn space(&mut self) -> Result<Hw, Exhausted> {
        let id = (0..).find(|id| !self.spaces.contains_key(id));
        let id = id.ok_or(Exhausted)?;
        self.spaces.insert(id, BTreeMap::new());
        Ok(Hw(id))
    }

    fn drop_space(&mut self, hw: Hw) {
        let left = self.spaces.remove(&hw.0);
        assert!(
            left.is_some_and(|l| l.is_empty()),
            "{hw:?} still maps pages"
        );
    }

    fn space_cap(&mut self, hw: Hw, _lasting: bool) -> Result<u64, Exhausted> {
        Ok(u64::from(hw.0) + 0x1000)
    }

    fn map(
        &mut self,
        hw: Hw,
        addr: u64,
        frame: Frame,
        rights: Rights,
    ) -> Result<Mapping, Exhausted> {
        let mapping = Mapping(self.next);
        self.next += 1;
        let seen = Seen {
            frame,
            rights,
            mapping,
        };
        let old = self.space_of(hw).insert(addr, seen);
        assert!(old.is_none(), "{addr:#x} is mapped already");
        Ok(mapping)
    }

    fn protect(&mut self, hw: Hw, frame: Frame, mapping: Mapping, rights: Rights) {
        let space = self.space_of(hw);
        let seen = space.values_mut().find(|s| s.mapping == mapping);
        match seen {
            Some(seen) if seen.frame == frame => seen.rights = rights,
            _ => panic!("{mapping:?} of {frame:?} is not there"),
        }
    }

    fn unmap(&mut self, hw: Hw, frame: Frame, mapping: Mapping) {
        let space = self.space_of(hw);
        let at = space.iter().find(|(_, s)| s.mapping == mapping);
        match at.map(|(&at, s)| (at, s.frame)) {
            Some((at, found)) if found == frame => space.remove(&at),
            _ => panic!("{mapping:?} of {frame:?} is not there"),
        };
    }

    fn untyped(&mut self, bits: u8, _lasting: bool) -> Result<u64, Exhausted> {
        self.untyped += 1 << bits;
        Ok(0x2000)
    }

    fn grow_heap(&mut self, _client: u8, _addr: u64, _pages: u64) -> u64 {
        0
    }

    fn map_heap(
        &mut self,
        client: Option<u8>,
        addr: u64,
        frame: Frame,
    ) -> Result<Mapping, Exhausted> {
        let mapping = Mapping(self.next);
        self.next += 1;
        let old = self.heaps.insert((client, addr), (frame, mapping));
        assert!(old.is_none(), "{addr:#x} is mapped already");
        Ok(mapping)
    }

    fn unmap_heap(&mut self, frame: Frame, mapping: Mapping) {
        let before = self.heaps.len();
        self.heaps.retain(|_, seen| *seen != (frame, mapping));
        assert_eq!(before, self.heaps.len() + 1, "{mapping:?} is not there");
    }

    fn archive(&mut self) -> Result<Archive, Exhausted> {
        let archive = core::mem::take(&mut self.archive);
        let first = self.frames.len() as u32;
        for piece in archive.chunks(PAGE) {
            let mut page = [0; PAGE];
            page[..piece.len()].copy_from_slice(piece);
            self.add(page);
            self.limit += 1;
        }
        Ok(Archive {
            first,
            pages: self.frames.len() as u32 - first,
            bytes: archive.len() as u64,
        })
    }
}

impl Server<Fake> {
    /// A manager on memory of its own, of the size of the RAM handed over, without an archive.
    pub fn new<C>(env: Env, _deps: Deps<C>) -> Result<Self, NewError> {
        let ram = env.memory().untypeds.iter().filter(|u| !u.device);
        let bytes: u64 = ram.map(|u| 1 << u.bits).sum();
        Self::with_machine(env, Fake::new((bytes / PAGE as u64) as u32, &[]))
    }

    /// A manager with so many frames and an archive.
    pub fn with_archive(env: Env, frames: u32, archive: &[u8]) -> Result<Self, NewError> {
        Self::with_machine(env, Fake::new(frames, archive))
    }

    /// The machine.
    pub fn machine(&self) -> &Fake {
        &self.core.pool.machine
    }
}

/// An environment with all the manager asks for, for tests: alarm, events, nothing else.
pub fn test_env(clock: fn() -> u64, replies: persona_component::Replies) -> Env {
    use persona_component::{BootArgs, BootMemory, Dataport, EnvParts, SlotSource, Wake};
    struct NoSlots;
    impl SlotSource for NoSlots {
        fn alloc(&self) -> Option<u64> {
            None
        }
        fn free(&self, _cptr: u64) {}
        fn add_node(&self, _cptr: u64) {}
        fn alloc_root(&self) -> Option<u64> {
            None
        }
    }
    Env::new(EnvParts {
        name: "memmgr",
        attributes: &[],
        caps: &[],
        dataports: vec![
            ("alarm", Dataport::private(4096)),
            ("buffer.1", Dataport::private(4 * PAGE)),
        ],
        mmio: &[],
        wakes: vec![
            ("mem_events", Wake::new(|| {})),
            ("alarm_set", Wake::new(|| {})),
        ],
        replies,
        slots: alloc::rc::Rc::new(NoSlots),
        bootargs: BootArgs::default(),
        clock,
        memory: BootMemory::default(),
        heap: None,
    })
}
