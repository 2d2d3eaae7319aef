//! The manager on the fake machine, used as programs and the other components use it.

mod books;
mod calls;
mod model;
mod objects;
mod spaces;

use core::cell::Cell;
use std::rc::Rc;

use lsyscall_abi::{Errno, ThreadIdx};
use lsyscall_router::{Caller, Flow, SysResult};
use memmgr_api::{
    DirectMemory, FaultKind, MapRequest, MemMgrService, Mm, Placement, Space, PAGE_SIZE, PROT_READ,
    PROT_WRITE,
};
use persona_component::{Component, FaultReply, Replies, ReplyPort, UserFault};

use crate::machine::fake::{test_env, Fake};
use crate::server::Server;

pub const RW: u8 = PROT_READ | PROT_WRITE;
pub const P: u64 = PAGE_SIZE;

thread_local! {
    pub static NOW: Cell<u64> = const { Cell::new(1_000) };
}

/// What became of parked calls.
#[derive(Default, Clone)]
pub struct Done(Rc<std::cell::RefCell<Vec<(u16, i64)>>>);

impl ReplyPort for Done {
    fn complete(&self, thread: ThreadIdx, value: i64) {
        self.0.borrow_mut().push((thread.0, value));
    }
    fn forget(&self, _thread: ThreadIdx) {}
    fn resume_fault(&self, _thread: ThreadIdx) {}
}

/// A manager and what programs see of it.
pub struct World {
    pub m: Server<Fake>,
    pub done: Done,
}

impl World {
    pub fn new(frames: u32) -> World {
        World::with_archive(frames, &[])
    }

    pub fn with_archive(frames: u32, archive: &[u8]) -> World {
        let done = Done::default();
        let env = test_env(|| NOW.get(), Replies::new(done.clone()));
        let m = Server::with_archive(env, frames, archive).unwrap();
        World { m, done }
    }

    /// A new address space with the thread in it.
    pub fn program(&mut self, thread: u16) -> Mm {
        let (mm, _) = self.m.mm_create().unwrap();
        self.m.attach(ThreadIdx(thread), mm).unwrap();
        self.m.mm_drop(mm).unwrap();
        mm
    }

    /// What the hardware does on an access of `thread` to a byte: the fault's kind, or the byte before.
    pub fn access(&mut self, thread: u16, addr: u64, write: Option<u8>) -> Result<u8, FaultKind> {
        for _ in 0..3 {
            let space = self.m.thread(ThreadIdx(thread)).space;
            let hw = self.m.spaces.get(space).expect("a living space").hw;
            let seen = self.m.machine().look(hw, addr);
            if let Some(seen) = seen.filter(|s| write.is_none() || s.rights.write) {
                let bytes =
                    crate::machine::Machine::bytes(&mut self.m.core.pool.machine, seen.frame);
                let byte = &mut bytes[(addr % P) as usize];
                let old = *byte;
                if let Some(new) = write {
                    *byte = new;
                }
                return Ok(old);
            }
            let status = if seen.is_some() { 0xf } else { 0x7 };
            let fault = UserFault::Vm {
                pc: 0x1234,
                addr,
                instruction: false,
                esr: 0x9200_0000 | status | u64::from(write.is_some()) << 6,
            };
            if self.m.fault(ThreadIdx(thread), &fault) == FaultReply::Stop {
                let event = self.m.next_event().unwrap().expect("an event");
                assert_eq!(
                    (event.thread.0, event.addr, event.pc),
                    (thread, addr, 0x1234)
                );
                return Err(event.kind);
            }
        }
        panic!("the fault at {addr:#x} comes back");
    }

    pub fn load(&mut self, thread: u16, addr: u64) -> Result<u8, FaultKind> {
        self.access(thread, addr, None)
    }

    pub fn put(&mut self, thread: u16, addr: u64, byte: u8) -> Result<(), FaultKind> {
        self.access(thread, addr, Some(byte)).map(|_| ())
    }

    /// Maps anonymous private memory.
    pub fn map(&mut self, thread: u16, pages: u64) -> u64 {
        let request = MapRequest::anonymous(pages * P, RW);
        self.m.map(at(thread), request).unwrap()
    }

    pub fn map_fixed(&mut self, thread: u16, addr: u64, request: MapRequest) -> Result<u64, Errno> {
        let request = MapRequest {
            addr,
            placement: Placement::Fixed,
            ..request
        };
        self.m.map(at(thread), request)
    }

    /// A system call.
    pub fn call(&mut self, thread: u16, nr: u32, args: &[u64]) -> SysResult {
        let mut all = [0; 6];
        all[..args.len()].copy_from_slice(args);
        let caller = Caller {
            thread: ThreadIdx(thread),
            nr,
            args: all,
            pc: 0,
            sp: 0,
        };
        self.m.lsyscall(&caller)
    }

    /// A system call that does not wait.
    pub fn sys(&mut self, thread: u16, nr: u32, args: &[u64]) -> Result<i64, Errno> {
        match self.call(thread, nr, args)? {
            Flow::Done(value) => Ok(value),
            other => panic!("{other:?}"),
        }
    }

    /// The calls completed since last asked.
    pub fn completed(&mut self) -> Vec<(u16, i64)> {
        self.done.0.take()
    }

    /// Bytes in user memory by the copying road.
    pub fn peek(&mut self, thread: u16, addr: u64, len: usize) -> Result<Vec<u8>, Errno> {
        let mut buf = vec![0; len];
        let got = self.m.read_space(at(thread), addr, &mut buf)?;
        buf.truncate(got);
        Ok(buf)
    }

    pub fn poke(&mut self, thread: u16, addr: u64, data: &[u8]) -> Result<usize, Errno> {
        self.m.write_space(at(thread), addr, data)
    }

    /// Checks every count against what is really there.
    pub fn audit(&mut self) {
        let mut refs = std::collections::BTreeMap::<u32, (u32, bool)>::new();
        for (_, object) in self.m.core.objects.iter() {
            let mut at = 0;
            while let Some((page, slot)) = object.pages.next(at, u64::MAX) {
                let frame = slot.frame().expect("a frame");
                let entry = refs.entry(frame.0).or_default();
                assert!(!entry.1, "{frame:?} is in two objects");
                *entry = (entry.0 + 1, true);
                at = page + 1;
            }
        }
        for (_, space) in self.m.spaces.iter() {
            let mut mapped = std::collections::BTreeMap::new();
            let mut at = 0;
            while let Some((page, entry)) = space.pages.next(at, u64::MAX) {
                let frame = entry.frame().expect("a frame");
                refs.entry(frame.0).or_default().0 += 1;
                let (_, vma) = space.vmas.find(page * P).expect("a mapping around a page");
                if let Some((_, rights)) = entry.mapping() {
                    assert!(vma.accessible());
                    assert!(!rights.write || vma.prot & PROT_WRITE != 0);
                    mapped.insert(page * P, (frame, rights));
                }
                at = page + 1;
            }
            let hardware = self.m.machine().mappings(space.hw);
            let hardware: std::collections::BTreeMap<_, _> = hardware
                .into_iter()
                .map(|(addr, seen)| (addr, (seen.frame, seen.rights)))
                .collect();
            assert_eq!(mapped, hardware, "what the hardware maps");
            for (frame, rights) in hardware.values() {
                let (count, object) = refs.get(&frame.0).copied().unwrap_or_default();
                assert!(
                    !rights.write || object || self.m.core.pool.refs(*frame) == 1,
                    "{count}"
                );
            }
            let total: u64 = space.vmas.iter().map(|(s, v)| v.end - s).sum();
            let data = space.vmas.iter().filter(|(_, v)| v.is_data());
            let data: u64 = data.map(|(s, v)| v.end - s).sum();
            assert_eq!((space.vmas.total, space.vmas.data), (total, data));
            assert!(space.vmas.refs.is_empty());
        }
        let archive = self.m.initrd.as_ref();
        let waiting = archive.map_or(0, |i| i.taken.iter().filter(|t| !**t).count() as u64);
        for (&frame, &(count, object)) in &refs {
            let frame = crate::machine::Frame(frame);
            assert_eq!(self.m.core.pool.refs(frame), count, "{frame:?}");
            assert_eq!(self.m.core.pool.is_object(frame), object);
        }
        let stats = self.m.stats().unwrap();
        assert_eq!(stats.lost, 0);
        assert_eq!(
            stats.total,
            stats.free + stats.anonymous + stats.objects + stats.kernel
        );
        assert_eq!(
            (stats.anonymous + stats.objects) / P,
            refs.len() as u64 + waiting,
            "frames in use"
        );
        assert_eq!(stats.spaces as usize, self.m.machine().spaces());
    }
}

/// The thread's address space.
pub fn at(thread: u16) -> Space {
    Space::Thread(ThreadIdx(thread))
}
