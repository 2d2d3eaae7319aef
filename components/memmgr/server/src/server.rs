//! The component's state and its entries.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use lsyscall_abi::consts::cap::CAP_IPC_LOCK;
use lsyscall_abi::{Errno, ThreadIdx};
use lsyscall_router::{dispatch_mem, Caller, SysResult};
use memmgr_api::{
    memmgr_dispatch, MemEvent, Space as Which, PAGE_SIZE, PROT_EXEC, PROT_READ, PROT_WRITE,
    SHIM_BASE, SHIM_DATA,
};
use persona_component::{Component, Dataport, Env, FaultReply, Replies, UserFault, Wake};
use persona_ipc::Message;

use lsyscall_shim::vdso::{self, TimeData};
use lsyscall_shim::{TIME, VDSO};

use crate::alarm::Alarm;
use crate::boot::NewError;
use crate::frames::Pool;
use crate::futex::Futexes;
use crate::futex_calls::Resume;
use crate::ids::Ids;
use crate::machine::{Archive, Machine};
use crate::pagein::{Access, Core, Overcommit};
use crate::space::Space;
use crate::table::Table;
use crate::vma::{Inherit, Role, Vma};
use crate::vmo::Objects;

/// What the manager knows of a thread.
#[derive(Clone, Copy, Default)]
pub struct Thread {
    /// Number of its address space; 0 if it has none.
    pub space: u32,
    /// Its robust futex list.
    pub robust: u64,
    /// Where it called futex last, to wait, and for which address.
    pub futex_call: (u64, u64),
    /// Its memory policy (MPOL_*).
    pub policy: i32,
    /// The wait that a signal interrupted.
    pub resume: Option<Resume>,
}

/// The initial archive while it is being unpacked.
pub struct Initrd {
    /// Where it is.
    pub archive: Archive,
    /// Which pages objects have taken over.
    pub taken: Vec<bool>,
}

/// The memory manager on a machine.
pub struct Server<M> {
    /// Frames and objects.
    pub(crate) core: Core<M>,
    /// Address spaces.
    pub(crate) spaces: Table<Space>,
    pub(crate) threads: Vec<Thread>,
    pub(crate) futexes: Futexes,
    pub(crate) alarm: Alarm,
    pub(crate) ids: Ids,
    pub(crate) replies: Replies,
    pub(crate) env: Env,
    events: VecDeque<MemEvent>,
    tell: Wake,
    /// The client whose request from another domain is being served.
    pub(crate) remote: Option<u8>,
    /// The object that holds the shim's code, and the vDSO behind it.
    shim: u32,
    /// The object of one page that the vDSO reads, and what it says.
    time: u32,
    shown: TimeData,
    pub(crate) initrd: Option<Initrd>,
}

impl<M: Machine> Server<M> {
    /// The manager over a machine.
    pub fn with_machine(env: Env, machine: M) -> Result<Self, NewError> {
        let mut pool = Pool::new(machine);
        let archive = pool
            .machine
            .archive()
            .map_err(|_| NewError::Memory("the initial archive"))?;
        pool.adopt(archive.first, archive.pages);
        let mut objects = Objects::new();
        let code = lsyscall_shim::CODE;
        let no_shim = NewError::Memory("the shim page");
        let size = VDSO + vdso::BYTES as u64;
        let shim = objects.create(size).map_err(|_| no_shim)?;
        let object = objects.get_mut(shim).map_err(|_| no_shim)?;
        object.write(0, code, &mut pool).map_err(|_| no_shim)?;
        let image = &vdso::IMAGE;
        object.write(VDSO, image, &mut pool).map_err(|_| no_shim)?;
        let time = objects.create(PAGE_SIZE).map_err(|_| no_shim)?;
        let mut server = Server {
            core: Core {
                pool,
                objects,
                overcommit: Overcommit::DEFAULT,
            },
            spaces: Table::new(),
            threads: Vec::new(),
            futexes: Futexes::default(),
            alarm: Alarm::new(&env)?,
            ids: Ids::new(env.dataport("proctable").ok()),
            replies: env.replies(),
            events: VecDeque::new(),
            tell: env.wake("mem_events")?,
            remote: None,
            shim,
            time,
            shown: TimeData::default(),
            initrd: (archive.bytes > 0).then(|| Initrd {
                archive,
                taken: alloc::vec![false; archive.pages as usize],
            }),
            env,
        };
        server.show_time().map_err(|_| no_shim)?;
        Ok(server)
    }

    /// Writes the page that the vDSO reads, if the clock has been set since. Programs run when this is done, so none sees
    /// half of it; the sequence is for those that were reading.
    pub(crate) fn show_time(&mut self) -> Result<(), Errno> {
        let now = TimeData {
            sequence: self.shown.sequence,
            frequency: self.alarm.frequency(),
            wall: self.alarm.realtime_offset(),
            tai: self.alarm.tai_seconds(),
        };
        if now == self.shown && now.sequence != 0 {
            return Ok(());
        }
        let now = TimeData {
            sequence: now.sequence.wrapping_add(2),
            ..now
        };
        let object = self.core.objects.get_mut(self.time)?;
        object.write(0, &now.to_bytes(), &mut self.core.pool)?;
        self.shown = now;
        Ok(())
    }

    /// The number of the address space meant.
    pub(crate) fn space_id(&self, which: Which) -> Result<u32, Errno> {
        let id = match which {
            Which::Mm(mm) => mm.0,
            Which::Thread(thread) => self.thread(thread).space,
        };
        self.spaces.get(id).map(|_| id).ok_or(Errno::ESRCH)
    }

    /// The address space meant, with frames and objects.
    pub(crate) fn parts(&mut self, which: Which) -> Result<(&mut Core<M>, &mut Space), Errno> {
        let id = match which {
            Which::Mm(mm) => mm.0,
            Which::Thread(thread) => self.thread(thread).space,
        };
        let space = self.spaces.get_mut(id).ok_or(Errno::ESRCH)?;
        Ok((&mut self.core, space))
    }

    /// Before a call that may promise memory to a thread's address space: what is promised to the others, if that matters,
    /// and whether it may lock memory without limit.
    pub(crate) fn before_promise(&mut self, which: Which) {
        let Ok(id) = self.space_id(which) else {
            return;
        };
        if self.core.overcommit.mode == 2 {
            let others = self.spaces.iter().filter(|(other, _)| *other != id);
            self.core.overcommit.others = others.map(|(_, s)| s.vmas.data).sum();
        }
        let free = match which {
            Which::Thread(thread) => self.ids.capable(thread, CAP_IPC_LOCK),
            Which::Mm(_) => true,
        };
        if let Some(space) = self.spaces.get_mut(id) {
            space.locks_freely = free;
        }
    }

    /// The calling thread's address space.
    pub(crate) fn own(&mut self, c: &Caller) -> Result<(&mut Core<M>, &mut Space), Errno> {
        self.parts(Which::Thread(c.thread))
    }

    /// What is known of a thread.
    pub(crate) fn thread(&self, thread: ThreadIdx) -> Thread {
        self.threads
            .get(thread.index())
            .copied()
            .unwrap_or_default()
    }

    /// The record of a thread, made if there is none.
    pub(crate) fn thread_mut(&mut self, thread: ThreadIdx) -> &mut Thread {
        if self.threads.len() <= thread.index() {
            self.threads.resize(thread.index() + 1, Thread::default());
        }
        &mut self.threads[thread.index()]
    }

    /// A new address space without mappings; its number.
    pub(crate) fn new_space(&mut self) -> Result<u32, Errno> {
        if !self.core.pool.has_room() {
            return Err(Errno::ENOMEM);
        }
        let hw = self.core.pool.machine.space()?;
        match self.spaces.insert(Space::new(hw)) {
            Some(id) => {
                if let Some(space) = self.spaces.get_mut(id) {
                    space.id = id;
                }
                Ok(id)
            }
            None => {
                self.core.pool.machine.drop_space(hw);
                Err(Errno::ENOMEM)
            }
        }
    }

    /// Puts the shim's pages into a new address space.
    pub(crate) fn add_shim(&mut self, id: u32) -> Result<(), Errno> {
        // Wall-clock time may have been set while nobody was told.
        let _ = self.show_time();
        let code = Vma {
            end: SHIM_BASE + VDSO,
            prot: PROT_READ | PROT_EXEC,
            max_prot: PROT_READ | PROT_EXEC,
            shared: false,
            grows_down: false,
            object: Some(self.shim),
            off: 0,
            valid_end: u64::MAX,
            tag: 0,
            role: Role::ShimCode,
            inherit: Inherit::Copy,
            locked: false,
        };
        let data = Vma {
            end: SHIM_DATA + PAGE_SIZE,
            prot: PROT_READ | PROT_WRITE,
            max_prot: PROT_READ | PROT_WRITE,
            object: None,
            role: Role::ShimData,
            ..code
        };
        let image = Vma {
            end: SHIM_BASE + VDSO + vdso::BYTES as u64,
            off: VDSO,
            role: Role::Vdso,
            ..code
        };
        let time = Vma {
            end: SHIM_BASE + TIME + PAGE_SIZE,
            prot: PROT_READ,
            max_prot: PROT_READ,
            object: Some(self.time),
            role: Role::Time,
            ..code
        };
        let space = self.spaces.get_mut(id).ok_or(Errno::ESRCH)?;
        space.vmas.insert(SHIM_BASE, code);
        space.vmas.insert(SHIM_BASE + VDSO, image);
        space.vmas.insert(SHIM_BASE + TIME, time);
        space.vmas.insert(SHIM_DATA, data);
        self.core.settle(space);
        Ok(())
    }

    /// Lets the hardware map the shim's code, which every program needs at once. If that fails a fault will try again.
    pub(crate) fn touch_shim(&mut self, id: u32) {
        if let Some(space) = self.spaces.get_mut(id) {
            let _ = self.core.touch(space, SHIM_BASE, Access::Exec);
        }
    }

    /// Ends an address space that nobody holds.
    pub(crate) fn reap(&mut self, id: u32) {
        let unused = |s: &Space| !s.held && s.attached == 0;
        if !self.spaces.get(id).is_some_and(unused) {
            return;
        }
        if let Some(mut space) = self.spaces.remove(id) {
            self.core.clear(&mut space);
            self.core.pool.machine.drop_space(space.hw);
        }
    }

    /// Unmaps pages of an object from all address spaces; private copies too unless `objects_only`.
    pub(crate) fn withdraw(&mut self, object: u32, first: u64, end: u64, objects_only: bool) {
        let from = first.saturating_mul(PAGE_SIZE);
        let to = end.saturating_mul(PAGE_SIZE);
        for id in self.core.objects.mappers(object) {
            let Some(space) = self.spaces.get_mut(id) else {
                continue;
            };
            let mut at = 0;
            while let Some((start, vma)) = space.vmas.ending_above(at).map(|(s, v)| (s, *v)) {
                at = vma.end;
                let len = vma.end - start;
                let a = from.saturating_sub(vma.off).min(len);
                let b = to.saturating_sub(vma.off).min(len);
                if vma.object == Some(object) && a < b {
                    self.core.zap(space, start + a, start + b, objects_only);
                }
            }
        }
    }

    /// Queues a fault for procmgr.
    pub(crate) fn report(&mut self, event: MemEvent) {
        self.forget_events(event.thread);
        self.events.push_back(event);
        self.tell.signal();
    }

    /// The next fault for procmgr.
    pub(crate) fn take_event(&mut self) -> Option<MemEvent> {
        self.events.pop_front()
    }

    /// Forgets what a thread did.
    pub(crate) fn forget_events(&mut self, thread: ThreadIdx) {
        self.events.retain(|event| event.thread != thread);
    }

    /// The buffer shared with the client being served.
    pub(crate) fn bounce(&self) -> Result<Dataport, Errno> {
        const NAMES: [&str; 16] = [
            "buffer.0",
            "buffer.1",
            "buffer.2",
            "buffer.3",
            "buffer.4",
            "buffer.5",
            "buffer.6",
            "buffer.7",
            "buffer.8",
            "buffer.9",
            "buffer.10",
            "buffer.11",
            "buffer.12",
            "buffer.13",
            "buffer.14",
            "buffer.15",
        ];
        let client = self.remote.ok_or(Errno::EINVAL)?;
        let name = NAMES.get(usize::from(client)).ok_or(Errno::EINVAL)?;
        self.env.dataport(name).map_err(|_| Errno::EINVAL)
    }

    /// Ends the waits that are over and sets the alarm for the next.
    fn expire(&mut self) {
        let now = self.env.now_ns();
        for thread in self.futexes.expire(now) {
            self.replies.complete(thread, Errno::ETIMEDOUT.to_result());
        }
        self.alarm.set(self.futexes.earliest());
    }
}

/// Number of the event `alarm_fired` among those consumed.
const ALARM_FIRED: u32 = 1 << 0;

impl<M: Machine> Component for Server<M> {
    fn lsyscall(&mut self, caller: &Caller) -> SysResult {
        self.core.pool.machine.refill();
        dispatch_mem(self, caller)
    }

    fn fault(&mut self, thread: ThreadIdx, fault: &UserFault) -> FaultReply {
        self.core.pool.machine.refill();
        self.serve_fault(thread, fault)
    }

    fn request(&mut self, _interface: u8, client: u8, message: &mut Message) {
        self.core.pool.machine.refill();
        self.remote = Some(client);
        memmgr_dispatch(self, message);
        self.remote = None;
    }

    fn grow_heap(&mut self) -> bool {
        self.core.pool.grow_own()
    }

    fn shrink_heap(&mut self) {
        self.core.pool.shrink_own();
    }

    fn peek(&mut self, thread: ThreadIdx, addr: u64, buf: &mut [u8]) -> usize {
        use memmgr_api::{DirectMemory, Space};
        self.read_space(Space::Thread(thread), addr, buf)
            .unwrap_or(0)
    }

    fn notified(&mut self, events: u32) {
        if events & ALARM_FIRED != 0 {
            self.alarm.fired();
            // The page is there, so nothing is needed to write it.
            let _ = self.show_time();
            self.futexes.clock_set(self.alarm.realtime_offset());
            self.expire();
        }
    }
}
