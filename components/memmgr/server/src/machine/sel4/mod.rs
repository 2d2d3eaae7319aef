//! The machine on seL4: capabilities to frames, page tables, address spaces.
//!
//! Every frame has a master capability, mapped in this domain's window, and user capabilities: copies, one for each place
//! where the frame is mapped in a program. A copy stays with its frame when it is unmapped, so that the next mapping costs
//! one invocation. Address spaces are kept with their page tables when a program ends, and serve the next one.

mod arena;
mod memory;
mod ram;
mod tables;
mod window;

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;

use persona_component::{BootMemory, Env, HeapHook, Ram as Handed};
use sel4::cap::{AsidControl, AsidPool, Granule, Untyped, VSpace};
use sel4::{Cap, Error, ObjectBlueprint};

use self::arena::{Arena, SlotId};
use self::memory::HEAP_STEP;
use self::ram::Ram;
use self::tables::attributes;
use self::window::Window;
use super::{Archive, Exhausted, Frame, Hw, Machine, Mapping, Rights, PAGE};
use crate::boot::{Deps, NewError};
use crate::server::Server;

/// Frames are made in groups of this many, whose capabilities lie in a row.
const GROUP: u32 = 16;
/// Most objects one retype makes (CONFIG_RETYPE_FAN_OUT_LIMIT).
const BATCH: u32 = 256;
/// Page tables an unused address space keeps.
const KEEP_TABLES: usize = 24;
/// A heap with less than this many bytes free grows.
const HEAP_LOW: usize = 256 << 10;
/// With less than this many bytes free nothing is begun that needs records.
const HEAP_FLOOR: usize = 64 << 10;
const NONE: u32 = u32::MAX;

/// An address space and its page tables.
struct HwSpace {
    vspace: SlotId,
    /// By level, the lower ones first, and the first address they cover.
    tables: BTreeMap<(u8, u64), SlotId>,
}

/// The kernel's side.
pub struct Sel4 {
    window: Window,
    arena: Arena,
    ram: Ram,
    own: VSpace,
    asid_pools: Vec<AsidPool>,
    asid_control: Option<AsidControl>,
    domains: Vec<(u8, VSpace)>,
    heap: Option<Rc<dyn HeapHook>>,
    memory: BootMemory,
    /// First slot of each group's master capabilities: of the archive's frames, then of the others.
    archive_groups: Vec<SlotId>,
    groups: Vec<SlotId>,
    archive_pages: u32,
    frames: u32,
    /// For each frame its first unmapped user capability.
    idle: Vec<SlotId>,
    spaces: Vec<HwSpace>,
    unused_spaces: Vec<u32>,
    /// Page tables of each level that are mapped nowhere, a list each.
    unused_tables: [SlotId; 3],
    /// Bytes free in the heap when there was last seen to be a large piece among them.
    looked: usize,
    /// Capabilities that were passed on by message; the client has its copy by the next request.
    passed: Vec<SlotId>,
}

fn unexpected(what: &str, error: Error) -> Exhausted {
    log::error!("{what}: {error}");
    Exhausted
}

impl Sel4 {
    fn new(env: &Env) -> Result<Self, NewError> {
        let memory = env.memory().clone();
        let (base, end) = memory.window;
        let mut domains = Vec::new();
        for &(name, cptr) in env.caps() {
            let number = name.strip_prefix("vspace.").and_then(|n| n.parse().ok());
            if let Some(domain) = number {
                domains.push((domain, Cap::from_bits(cptr)));
            }
        }
        let mut machine = Sel4 {
            window: Window::new(base, end),
            arena: Arena::new(Cap::from_bits(env.cap("self_cnode")?), env.slots()),
            ram: Ram::new(&memory.untypeds),
            own: Cap::from_bits(env.cap("self_vspace")?),
            asid_pools: alloc::vec![Cap::from_bits(env.cap("asid_pool")?)],
            asid_control: env.cap("asid_control").ok().map(Cap::from_bits),
            domains,
            heap: env.heap(),
            memory,
            archive_groups: Vec::new(),
            groups: Vec::new(),
            archive_pages: 0,
            frames: 0,
            idle: Vec::new(),
            spaces: Vec::new(),
            unused_spaces: Vec::new(),
            unused_tables: [NONE; 3],
            looked: 0,
            passed: Vec::new(),
        };
        machine
            .reserve()
            .map_err(|_| NewError::Memory("the records"))?;
        Ok(machine)
    }

    fn vspace(&self, hw: Hw) -> VSpace {
        self.arena.cap(self.spaces[hw.0 as usize].vspace)
    }
}

impl Machine for Sel4 {
    fn carve(&mut self) -> u32 {
        let records = (self.idle.capacity() as u32).saturating_sub(self.frames);
        let window = self.window.frames().saturating_sub(u64::from(self.frames));
        let most = u64::from(BATCH.min(records)).min(window);
        let Some((untyped, count)) = self.ram.frames(most, u64::from(GROUP)) else {
            return 0;
        };
        let count = count as u32;
        let Ok(first) = self.make_frames(untyped, count) else {
            return 0;
        };
        self.groups
            .extend((first..first + count).step_by(GROUP as usize));
        self.frames += count;
        self.idle.resize(self.frames as usize, NONE);
        count
    }

    fn limit(&self) -> usize {
        self.idle.capacity()
    }

    fn uncarved(&self) -> u64 {
        self.ram.for_frames()
    }

    fn kernel_bytes(&self) -> u64 {
        self.ram.kernel()
    }

    fn has_room(&mut self) -> bool {
        self.heap_free() >= HEAP_FLOOR && self.has_piece()
    }

    fn heap_wanted(&mut self) -> Option<(u64, u64)> {
        if self.heap_free() >= HEAP_LOW && self.has_piece() {
            return None;
        }
        let (end, room) = self.heap.as_ref()?.end();
        Some((end, (room / PAGE as u64).min(HEAP_STEP)))
    }

    fn heap_grown(&mut self, bytes: u64) {
        if let Some(heap) = &self.heap {
            heap.extend(bytes);
        }
    }

    fn heap_kept(&mut self) {
        if let Some(heap) = &self.heap {
            heap.keep();
        }
    }

    fn heap_spared(&mut self) -> Option<(u64, u64)> {
        self.heap.as_ref()?.cut()
    }

    fn enlarge_heap(&mut self) -> bool {
        self.grow_own_heap()
    }

    fn refill(&mut self) {
        while let Some(slot) = self.passed.pop() {
            self.arena.delete(slot);
        }
    }

    fn prepare(&mut self, frame: Frame) -> Result<(), Exhausted> {
        let rights = Rights {
            write: true,
            exec: false,
        };
        let addr = self.window.addr(frame);
        self.map_cap(None, self.own, self.master(frame), addr, rights)
    }

    fn bytes(&mut self, frame: Frame) -> &mut [u8; PAGE] {
        self.window.bytes(frame)
    }

    fn zero(&mut self, frame: Frame) {
        self.window.zero(frame);
    }

    fn copy(&mut self, from: Frame, to: Frame) {
        self.window.copy(from, to);
    }

    fn copy_part(&mut self, from: Frame, from_off: usize, to: Frame, to_off: usize, len: usize) {
        self.window.copy_part(from, from_off, to, to_off, len);
    }

    fn read(&mut self, frame: Frame, off: usize, buf: &mut [u8]) {
        self.window.read(frame, off, buf);
    }

    fn write(&mut self, frame: Frame, off: usize, data: &[u8]) {
        self.window.write(frame, off, data);
    }

    fn sync_code(&mut self, frame: Frame) {
        self.window.sync_code(frame);
    }

    fn space(&mut self) -> Result<Hw, Exhausted> {
        if let Some(space) = self.unused_spaces.pop() {
            return Ok(Hw(space));
        }
        let vspace = self.small(ObjectBlueprint::VSpace)?;
        if let Err(exhausted) = self.assign_asid(self.arena.cap(vspace)) {
            self.arena.delete(vspace);
            return Err(exhausted);
        }
        self.spaces.push(HwSpace {
            vspace,
            tables: BTreeMap::new(),
        });
        Ok(Hw(self.spaces.len() as u32 - 1))
    }

    fn drop_space(&mut self, hw: Hw) {
        if self.spaces[hw.0 as usize].tables.len() > KEEP_TABLES {
            self.strip(hw.0);
        }
        self.unused_spaces.push(hw.0);
    }

    fn space_cap(&mut self, hw: Hw, lasting: bool) -> Result<u64, Exhausted> {
        let slot = self.spaces[hw.0 as usize].vspace;
        match lasting {
            true => self.arena.copy_out(slot, &mut self.ram),
            false => Ok(self.arena.cptr(slot)),
        }
    }

    fn map(
        &mut self,
        hw: Hw,
        addr: u64,
        frame: Frame,
        rights: Rights,
    ) -> Result<Mapping, Exhausted> {
        let slot = self.user_cap(frame)?;
        let vspace = self.vspace(hw);
        match self.map_cap(Some(hw.0), vspace, slot, addr, rights) {
            Ok(()) => Ok(Mapping(slot)),
            Err(exhausted) => {
                self.keep_cap(frame, slot);
                Err(exhausted)
            }
        }
    }

    fn protect(&mut self, hw: Hw, _frame: Frame, mapping: Mapping, rights: Rights) {
        let (access, attributes) = attributes(rights);
        let frame: Granule = self.arena.cap(mapping.0);
        if let Err(error) = frame.remap(self.vspace(hw), access, attributes) {
            log::error!("changing a page's rights: {error}");
        }
    }

    fn unmap(&mut self, _hw: Hw, frame: Frame, mapping: Mapping) {
        let page: Granule = self.arena.cap(mapping.0);
        if let Err(error) = page.unmap() {
            log::error!("unmapping a page: {error}");
        }
        self.keep_cap(frame, mapping.0);
    }

    fn untyped(&mut self, bits: u8, lasting: bool) -> Result<u64, Exhausted> {
        let blueprint = ObjectBlueprint::Untyped { size_bits: bits };
        let slot = if bits <= 12 {
            self.small(blueprint)?
        } else {
            let slot = self.arena.alloc(&mut self.ram)?;
            let made = match self.ram.large(bits) {
                Some(untyped) => self
                    .arena
                    .retype(untyped, blueprint, slot, 1)
                    .map_err(|error| unexpected("no untyped", error)),
                None => Err(Exhausted),
            };
            if let Err(exhausted) = made {
                self.arena.free(slot);
                return Err(exhausted);
            }
            slot
        };
        if lasting {
            return self.arena.move_out(slot, &mut self.ram);
        }
        self.passed.push(slot);
        Ok(self.arena.cptr(slot))
    }

    fn grow_heap(&mut self, client: u8, addr: u64, pages: u64) -> u64 {
        let found = self.domains.iter().find(|(domain, _)| *domain == client);
        match found {
            Some(&(_, vspace)) => self.map_fresh(vspace, addr, pages.min(HEAP_STEP * 4)),
            None => 0,
        }
    }

    fn map_heap(
        &mut self,
        client: Option<u8>,
        addr: u64,
        frame: Frame,
    ) -> Result<Mapping, Exhausted> {
        let vspace = match client {
            None => self.own,
            Some(client) => {
                let mut domains = self.domains.iter();
                domains.find(|(d, _)| *d == client).ok_or(Exhausted)?.1
            }
        };
        let rights = Rights {
            write: true,
            exec: false,
        };
        let slot = self.user_cap(frame)?;
        match self.map_cap(None, vspace, slot, addr, rights) {
            Ok(()) => Ok(Mapping(slot)),
            Err(exhausted) => {
                self.keep_cap(frame, slot);
                Err(exhausted)
            }
        }
    }

    fn unmap_heap(&mut self, frame: Frame, mapping: Mapping) {
        self.unmap(Hw(0), frame, mapping);
    }

    fn has_many_tables(&self, hw: Hw) -> bool {
        self.spaces[hw.0 as usize].tables.len() > KEEP_TABLES
    }

    fn release_tables(&mut self, hw: Hw, start: u64, end: u64) {
        self.release_unused(hw.0, start, end);
    }

    fn archive(&mut self) -> Result<Archive, Exhausted> {
        let Some((start, end)) = self.memory.initrd.filter(|(start, end)| start < end) else {
            return Ok(Archive::default());
        };
        let mut parts: Vec<Handed> = self.memory.untypeds.clone();
        parts.retain(|u| u.device && u.paddr >= start & !(PAGE as u64 - 1) && u.paddr < end);
        parts.sort_by_key(|u| u.paddr);
        let pages = (end - start).div_ceil(PAGE as u64) as u32;
        if u64::from(pages) > self.window.frames().min(self.idle.capacity() as u64) {
            return Err(Exhausted);
        }
        // Slots first, in runs of whole groups.
        for first in (0..pages).step_by(BATCH as usize) {
            let count = (pages - first).next_multiple_of(GROUP).min(BATCH);
            let slot = self.arena.alloc_run(count, &mut self.ram)?;
            self.archive_groups
                .extend((slot..slot + count).step_by(GROUP as usize));
        }
        self.archive_pages = pages;
        let mut at = 0;
        let mut expected = start;
        for part in parts {
            if part.paddr != expected {
                log::error!("the archive has a hole at {expected:#x}");
                return Err(Exhausted);
            }
            let mut left = ((1u64 << part.bits) / PAGE as u64).min(u64::from(pages - at)) as u32;
            expected += 1 << part.bits;
            while left > 0 {
                let count = left.min(BATCH - at % BATCH);
                let slot = self.master(Frame(at));
                let untyped: Untyped = Cap::from_bits(part.cptr);
                self.arena
                    .retype(untyped, ObjectBlueprint::Granule, slot, count as usize)
                    .map_err(|error| unexpected("the archive's frames", error))?;
                at += count;
                left -= count;
            }
        }
        if at != pages {
            log::error!("the archive has {pages} pages, {at} were handed over");
            return Err(Exhausted);
        }
        self.frames = pages;
        self.idle.resize(pages as usize, NONE);
        Ok(Archive {
            first: 0,
            pages,
            bytes: end - start,
        })
    }
}

impl Server<Sel4> {
    /// The manager over the memory that its environment hands over: capabilities `self_cnode`, `self_vspace`, `asid_pool`,
    /// perhaps `asid_control` and `vspace.N` of the domains whose heaps it extends.
    pub fn new<C>(env: Env, _deps: Deps<C>) -> Result<Self, NewError> {
        let machine = Sel4::new(&env)?;
        Self::with_machine(env, machine)
    }
}
