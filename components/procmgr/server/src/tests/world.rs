//! The kernel and the components below, as far as procmgr sees them. Every object they hand out is counted, and every wrong
//! step (a reply to a thread that does not wait, an object given back twice) is a panic.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use console_api::{Console, ConsoleInput};
use fsmgr_api::{Creds, ExecFile, FsEvent, FsMgr, SignalWish, TakenSignal};
use lsyscall_abi::{Errno, ThreadIdx};
use memmgr_api::{
    MapRequest, MapsEntry, MemEvent, MemMgr, MemStats, Mm, MmStats, Space, UserMemory, Vmo,
    PAGE_SIZE, SHIM_DATA, USER_TOP,
};
use persona_component::ReplyPort;
use persona_ipc::{Bytes, Cap, Chunk};
use timemgr_api::TimeMgr;

use crate::machine::{Machine, Regs};

thread_local! {
    /// Monotonic time.
    pub static NOW: Cell<u64> = const { Cell::new(1_000_000) };
}

/// Monotonic time.
pub fn now() -> u64 {
    NOW.get()
}

/// What the kernel does with a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// Suspended.
    Halted,
    /// In its program.
    Running,
    /// In a call; the server has not answered and not kept the reply yet.
    Calling,
    /// In a call whose reply somebody keeps.
    Waiting,
    /// In a fault.
    Faulted,
}

/// A thread of the kernel.
#[derive(Clone, Debug)]
pub struct Tcb {
    /// What it does.
    pub run: Run,
    /// Registers.
    pub regs: Regs,
    /// Stands for the vector registers.
    pub fp: u64,
    /// VSpace capability.
    pub vspace: u64,
    /// procmgr keeps its reply.
    pub saved: bool,
}

/// An address space.
#[derive(Clone, Debug, Default)]
pub struct Mem {
    /// Pages by number.
    pub pages: BTreeMap<u64, Vec<u8>>,
    /// The creator holds it.
    pub held: bool,
    /// Threads in it.
    pub attached: usize,
}

/// Everything.
#[derive(Default)]
pub struct World {
    /// Kernel threads by index.
    pub tcbs: BTreeMap<u16, Tcb>,
    /// Address spaces.
    pub mms: BTreeMap<u32, Mem>,
    /// Where threads are attached.
    pub attached: BTreeMap<u16, u32>,
    /// VSpace capabilities handed out and not dropped.
    pub vspaces: BTreeSet<u64>,
    /// Files: path, contents, mode.
    pub files: Vec<(&'static str, Vec<u8>, u32)>,
    /// Tokens of files opened for execution.
    pub tokens: BTreeSet<u32>,
    /// Threads fsmgr knows.
    pub fs_threads: BTreeSet<u16>,
    /// Calls parked below, by thread: how they end if interrupted.
    pub below: BTreeMap<u16, Errno>,
    /// Credentials last set.
    pub creds: BTreeMap<u16, Creds>,
    /// RLIMIT_NOFILE last set.
    pub nofile: BTreeMap<u16, u64>,
    /// Sessions that ended.
    pub sessions: Vec<i32>,
    /// Threads whose sleeps timemgr forgot.
    pub forgotten: Vec<u16>,
    /// Futex wakes: mm and address.
    pub wakes: Vec<(u32, u64)>,
    /// Faults to tell.
    pub mem_events: VecDeque<MemEvent>,
    /// Signals to tell.
    pub fs_events: VecDeque<FsEvent>,
    /// What the console was told at the end.
    pub exit: Option<(u8, i32)>,
    /// Calls that fail, once: method name.
    pub failing: Vec<&'static str>,
    /// Alarms set.
    pub alarms: usize,
    next: u32,
}

impl World {
    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn fails(&mut self, what: &'static str) -> Result<(), Errno> {
        match self.failing.iter().position(|f| *f == what) {
            Some(at) => {
                self.failing.remove(at);
                Err(Errno::ENOMEM)
            }
            None => Ok(()),
        }
    }

    /// A kernel thread.
    pub fn tcb(&mut self, t: ThreadIdx) -> &mut Tcb {
        self.tcbs.get_mut(&t.0).expect("a prepared thread")
    }

    /// The address space of a thread or a name.
    pub fn mm(&mut self, space: Space) -> Result<&mut Mem, Errno> {
        let id = match space {
            Space::Thread(t) => *self.attached.get(&t.0).ok_or(Errno::ESRCH)?,
            Space::Mm(mm) => mm.0,
        };
        self.mms.get_mut(&id).ok_or(Errno::ESRCH)
    }

    fn new_mm(&mut self, pages: BTreeMap<u64, Vec<u8>>) -> (Mm, Cap) {
        let mm = self.number();
        self.mms.insert(
            mm,
            Mem {
                pages,
                held: true,
                attached: 0,
            },
        );
        let cap = u64::from(self.number()) << 12;
        self.vspaces.insert(cap);
        (Mm(mm), Cap(cap))
    }

    fn reap(&mut self, mm: u32) {
        if self
            .mms
            .get(&mm)
            .is_some_and(|m| !m.held && m.attached == 0)
        {
            self.mms.remove(&mm);
        }
    }

    /// Reads memory up to the first page that is not there.
    pub fn read(&mut self, space: Space, addr: u64, buf: &mut [u8]) -> Result<usize, Errno> {
        let mm = self.mm(space)?;
        for (i, byte) in buf.iter_mut().enumerate() {
            let at = addr.wrapping_add(i as u64);
            match mm.pages.get(&(at / PAGE_SIZE)) {
                Some(page) if at < USER_TOP => *byte = page[(at % PAGE_SIZE) as usize],
                _ if i == 0 => return Err(Errno::EFAULT),
                _ => return Ok(i),
            }
        }
        Ok(buf.len())
    }

    /// Writes memory up to the first page that is not there.
    pub fn write(&mut self, space: Space, addr: u64, data: &[u8]) -> Result<usize, Errno> {
        let mm = self.mm(space)?;
        for (i, byte) in data.iter().enumerate() {
            let at = addr.wrapping_add(i as u64);
            match mm.pages.get_mut(&(at / PAGE_SIZE)) {
                Some(page) if at < USER_TOP => page[(at % PAGE_SIZE) as usize] = *byte,
                _ if i == 0 => return Err(Errno::EFAULT),
                _ => return Ok(i),
            }
        }
        Ok(data.len())
    }
}

/// A handle on the world: machine, components and replies in one.
#[derive(Clone, Default)]
pub struct Fake(pub Rc<RefCell<World>>);

impl Fake {
    fn cancel(&self, t: ThreadIdx, mine: fn(Errno) -> bool) -> Result<Option<i32>, Errno> {
        let mut w = self.0.borrow_mut();
        match w.below.get(&t.0) {
            Some(&errno) if mine(errno) => {
                w.below.remove(&t.0);
                Ok(Some(errno.raw()))
            }
            _ => Ok(None),
        }
    }
}

impl Machine for Fake {
    fn prepare(&mut self, t: ThreadIdx) -> Result<(), Errno> {
        let mut w = self.0.borrow_mut();
        w.fails("prepare")?;
        w.tcbs.entry(t.0).or_insert(Tcb {
            run: Run::Halted,
            regs: Regs::ZERO,
            fp: 0,
            vspace: 0,
            saved: false,
        });
        Ok(())
    }
    fn set_space(&mut self, t: ThreadIdx, vspace: u64) -> Result<(), Errno> {
        let mut w = self.0.borrow_mut();
        w.fails("set_space")?;
        assert!(w.vspaces.contains(&vspace), "a VSpace that is gone");
        w.tcb(t).vspace = vspace;
        Ok(())
    }
    fn stop(&mut self, t: ThreadIdx) {
        self.0.borrow_mut().tcb(t).run = Run::Halted;
    }
    fn read(&mut self, t: ThreadIdx) -> Regs {
        self.0.borrow_mut().tcb(t).regs
    }
    fn write(&mut self, t: ThreadIdx, regs: &Regs, run: bool) {
        let mut w = self.0.borrow_mut();
        assert!(!w.below.contains_key(&t.0), "restarted while parked below");
        let vspace = w.tcb(t).vspace;
        assert!(w.vspaces.contains(&vspace), "runs in a VSpace that is gone");
        let tcb = w.tcb(t);
        tcb.regs = *regs;
        if run {
            tcb.run = Run::Running;
        } else {
            assert_eq!(
                tcb.run,
                Run::Halted,
                "registers written under a thread's feet"
            );
        }
    }
    fn drop_space(&mut self, vspace: u64) {
        let dropped = self.0.borrow_mut().vspaces.remove(&vspace);
        assert!(dropped, "VSpace capability dropped twice");
    }
}

impl ReplyPort for Fake {
    fn complete(&self, t: ThreadIdx, value: i64) {
        let mut w = self.0.borrow_mut();
        let tcb = w.tcb(t);
        assert_eq!(
            tcb.run,
            Run::Waiting,
            "completes the call of a thread that does not wait"
        );
        assert!(tcb.saved, "completes a call whose reply was not kept");
        tcb.saved = false;
        tcb.run = Run::Running;
        tcb.regs.x[0] = value as u64;
    }
    fn forget(&self, t: ThreadIdx) {
        self.0.borrow_mut().tcb(t).saved = false;
    }
    fn resume_fault(&self, _: ThreadIdx) {
        panic!("procmgr parks no faults");
    }
}

impl FsMgr for Fake {
    fn init_process(&self, t: ThreadIdx, _: u8, _: Bytes) -> Result<(), Errno> {
        self.0.borrow_mut().fs_threads.insert(t.0);
        Ok(())
    }
    fn clone_thread(
        &self,
        parent: ThreadIdx,
        child: ThreadIdx,
        _: bool,
        _: bool,
    ) -> Result<(), Errno> {
        let mut w = self.0.borrow_mut();
        w.fails("clone_thread")?;
        assert!(w.fs_threads.contains(&parent.0));
        assert!(w.fs_threads.insert(child.0), "a thread fsmgr still knows");
        Ok(())
    }
    fn exit(&self, t: ThreadIdx) -> Result<(), Errno> {
        let mut w = self.0.borrow_mut();
        assert!(
            w.fs_threads.remove(&t.0),
            "exit of a thread fsmgr does not know"
        );
        w.below.remove(&t.0);
        Ok(())
    }
    fn open_exec(&self, t: ThreadIdx, _: i32, path: u64, _: u32) -> Result<ExecFile, Errno> {
        let path = UserMemory::read_cstr(self, Space::Thread(t), path, 4096)?;
        self.open_exec_path(t, Chunk::new(&path))
    }
    fn open_exec_path(&self, _: ThreadIdx, path: Bytes) -> Result<ExecFile, Errno> {
        let mut w = self.0.borrow_mut();
        let at = w
            .files
            .iter()
            .position(|f| f.0.as_bytes() == path.as_slice())
            .ok_or(Errno::ENOENT)?;
        let token = w.number();
        w.tokens.insert(token);
        let (_, contents, mode) = &w.files[at];
        Ok(ExecFile {
            token,
            vmo: Vmo(at as u32),
            size: contents.len() as u64,
            mode: *mode,
            uid: 1234,
            gid: 1234,
            ino: at as u64,
        })
    }
    fn exec_commit(&self, _: ThreadIdx, token: u32) -> Result<(), Errno> {
        assert!(
            self.0.borrow_mut().tokens.remove(&token),
            "token used twice"
        );
        Ok(())
    }
    fn exec_abort(&self, token: u32) -> Result<(), Errno> {
        assert!(
            self.0.borrow_mut().tokens.remove(&token),
            "token used twice"
        );
        Ok(())
    }
    fn set_creds(&self, t: ThreadIdx, creds: Creds) -> Result<(), Errno> {
        self.0.borrow_mut().creds.insert(t.0, creds);
        Ok(())
    }
    fn cancel(&self, t: ThreadIdx) -> Result<Option<i32>, Errno> {
        Fake::cancel(self, t, |e| e != Errno::ERESTART_RESTARTBLOCK)
    }
    fn next_event(&self) -> Result<Option<FsEvent>, Errno> {
        Ok(self.0.borrow_mut().fs_events.pop_front())
    }
    fn session_ended(&self, sid: i32) -> Result<(), Errno> {
        self.0.borrow_mut().sessions.push(sid);
        Ok(())
    }
    fn set_limits(&self, t: ThreadIdx, nofile: u64, _: u64) -> Result<(), Errno> {
        self.0.borrow_mut().nofile.insert(t.0, nofile);
        Ok(())
    }
    fn exec_path(&self, _: u32) -> Result<Bytes, Errno> {
        Ok(Chunk::empty())
    }
    fn set_names(&self, _: Bytes, _: Bytes) -> Result<(), Errno> {
        Ok(())
    }
    fn signal_wish(&self, _: ThreadIdx) -> Result<SignalWish, Errno> {
        Ok(SignalWish::default())
    }
    fn signals_pending(&self, _: ThreadIdx, _: u64) -> Result<(), Errno> {
        Ok(())
    }
    fn give_signal(&self, _: ThreadIdx, _: Option<TakenSignal>, _: u64) -> Result<(), Errno> {
        Ok(())
    }
}

impl TimeMgr for Fake {
    fn realtime_offset(&self) -> Result<u64, Errno> {
        Ok(0)
    }
    fn cancel(&self, t: ThreadIdx) -> Result<Option<i32>, Errno> {
        Fake::cancel(self, t, |e| e == Errno::ERESTART_RESTARTBLOCK)
    }
    fn forget(&self, t: ThreadIdx) -> Result<(), Errno> {
        self.0.borrow_mut().forgotten.push(t.0);
        Ok(())
    }
}

impl Console for Fake {
    fn write(&self, data: Bytes) -> Result<u64, Errno> {
        Ok(data.as_slice().len() as u64)
    }
    fn read(&self) -> Result<ConsoleInput, Errno> {
        Err(Errno::EIO)
    }
    fn log(&self, _: u8, _: Bytes) -> Result<(), Errno> {
        Ok(())
    }
    fn trace(&self, _: Bytes) -> Result<(), Errno> {
        Ok(())
    }
    fn exit(&self, reason: u8, status: i32) -> Result<(), Errno> {
        let before = self.0.borrow_mut().exit.replace((reason, status));
        assert_eq!(before, None, "the run ended twice");
        Ok(())
    }
    fn queued(&self) -> Result<u64, Errno> {
        Ok(0)
    }
}

impl UserMemory for Fake {
    fn read_some(&self, from: Space, addr: u64, buf: &mut [u8]) -> Result<usize, Errno> {
        self.0.borrow_mut().read(from, addr, buf)
    }
    fn write_some(&self, to: Space, addr: u64, data: &[u8]) -> Result<usize, Errno> {
        self.0.borrow_mut().write(to, addr, data)
    }
    fn vmo_read(&self, vmo: Vmo, off: u64, buf: &mut [u8]) -> Result<usize, Errno> {
        let w = self.0.borrow();
        let contents = &w.files[vmo.0 as usize].1;
        let rest = contents.get(off as usize..).unwrap_or_default();
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }
    fn vmo_write(&self, _: Vmo, _: u64, _: &[u8]) -> Result<usize, Errno> {
        unreachable!()
    }
}

/// Methods of memmgr that procmgr does not call.
macro_rules! uncalled {
    ($($name:ident($($arg:ident: $ty:ty),*) -> $ret:ty;)*) => {
        $(fn $name(&self, $($arg: $ty),*) -> Result<$ret, Errno> {
            $(let _ = $arg;)*
            unreachable!(stringify!($name))
        })*
    };
}

impl MemMgr for Fake {
    fn mm_create(&self) -> Result<(Mm, Cap), Errno> {
        let mut w = self.0.borrow_mut();
        w.fails("mm_create")?;
        let data = (SHIM_DATA / PAGE_SIZE, vec![0; PAGE_SIZE as usize]);
        Ok(w.new_mm([data].into()))
    }
    fn mm_fork(&self, parent: Mm) -> Result<(Mm, Cap), Errno> {
        let mut w = self.0.borrow_mut();
        w.fails("mm_fork")?;
        let pages = w.mm(Space::Mm(parent))?.pages.clone();
        Ok(w.new_mm(pages))
    }
    fn mm_drop(&self, mm: Mm) -> Result<(), Errno> {
        let mut w = self.0.borrow_mut();
        let space = w.mm(Space::Mm(mm)).expect("an address space dropped twice");
        assert!(space.held, "an address space dropped twice");
        space.held = false;
        w.reap(mm.0);
        Ok(())
    }
    fn attach(&self, t: ThreadIdx, mm: Mm) -> Result<(), Errno> {
        let mut w = self.0.borrow_mut();
        w.fails("attach")?;
        w.mm(Space::Mm(mm))?.attached += 1;
        assert_eq!(w.attached.insert(t.0, mm.0), None, "attached twice");
        Ok(())
    }
    fn detach(&self, t: ThreadIdx) -> Result<(), Errno> {
        let mut w = self.0.borrow_mut();
        w.below.remove(&t.0);
        w.mem_events.retain(|e| e.thread != t);
        if let Some(mm) = w.attached.remove(&t.0) {
            w.mm(Space::Mm(Mm(mm)))?.attached -= 1;
            w.reap(mm);
        }
        Ok(())
    }
    fn map(&self, space: Space, request: MapRequest) -> Result<u64, Errno> {
        let mut w = self.0.borrow_mut();
        w.fails("map")?;
        let addr = if request.addr == 0 {
            0x7000_0000
        } else {
            request.addr
        };
        let contents = request.vmo.map(|vmo| w.files[vmo.0 as usize].1.clone());
        let mm = w.mm(space)?;
        for page in addr / PAGE_SIZE..(addr + request.len).div_ceil(PAGE_SIZE) {
            let mut bytes = vec![0; PAGE_SIZE as usize];
            if let Some(contents) = &contents {
                let off = request.off + page * PAGE_SIZE - addr;
                for (to, from) in bytes.iter_mut().zip(contents.iter().skip(off as usize)) {
                    *to = *from;
                }
            }
            mm.pages.insert(page, bytes);
        }
        Ok(addr)
    }
    fn set_brk(&self, _: Mm, _: u64) -> Result<(), Errno> {
        Ok(())
    }
    fn futex_wake(&self, space: Space, addr: u64, _: u32) -> Result<u32, Errno> {
        let mut w = self.0.borrow_mut();
        let Space::Thread(t) = space else {
            unreachable!()
        };
        let mm = w.attached[&t.0];
        w.wakes.push((mm, addr));
        Ok(1)
    }
    fn robust_exit(&self, _: ThreadIdx, _: u64, _: u32) -> Result<(), Errno> {
        Ok(())
    }
    fn cancel(&self, _: ThreadIdx) -> Result<Option<i32>, Errno> {
        Ok(None)
    }
    fn next_event(&self) -> Result<Option<MemEvent>, Errno> {
        Ok(self.0.borrow_mut().mem_events.pop_front())
    }
    fn stats(&self) -> Result<MemStats, Errno> {
        Ok(MemStats::default())
    }
    fn set_limits(&self, _: Space, _: u64, _: u64, _: u64) -> Result<(), Errno> {
        Ok(())
    }
    uncalled! {
        unmap(a: Space, b: u64, c: u64) -> ();
        vmo_create(a: u64) -> Vmo;
        vmo_ref(a: Vmo) -> ();
        vmo_drop(a: Vmo) -> ();
        vmo_resize(a: Vmo, b: u64) -> ();
        vmo_pages(a: Vmo) -> u64;
        vmo_zero(a: Vmo, b: u64, c: u64) -> ();
        vmo_to_user(a: Vmo, b: u64, c: Space, d: u64, e: u64) -> u64;
        user_to_vmo(a: Vmo, b: u64, c: Space, d: u64, e: u64) -> u64;
        vmo_copy(a: Vmo, b: u64, c: Vmo, d: u64, e: u64) -> u64;
        initrd_size() -> u64;
        initrd_vmo(a: u64, b: u64) -> Vmo;
        initrd_read(a: u64, b: u64) -> Chunk;
        initrd_done() -> ();
        mm_stats(a: Space) -> MmStats;
        maps_after(a: Space, b: u64) -> Option<MapsEntry>;
        alloc_untyped(a: u8) -> Cap;
        fetch(a: Space, b: u64, c: u64) -> Chunk;
        store(a: Space, b: u64, c: Chunk) -> u64;
        fetch_bulk(a: Space, b: u64, c: u64) -> u64;
        store_bulk(a: Space, b: u64, c: u64) -> u64;
        vmo_fetch(a: Vmo, b: u64, c: u64) -> u64;
        vmo_store(a: Vmo, b: u64, c: u64) -> u64;
        fetch_small(a: Space, b: u64, c: u8) -> (u64, u64);
        grow_heap(a: u64, b: u64) -> u64;
    }
}

/// Reads the vector registers' stand-in from a struct fpsimd_context at `addr`.
pub fn load_fp(w: &mut World, t: ThreadIdx, addr: u64) {
    let mut word = [0; 8];
    assert_eq!(w.read(Space::Thread(t), addr + 16, &mut word), Ok(8));
    w.tcb(t).fp = u64::from_le_bytes(word);
}

/// Writes it there.
pub fn store_fp(w: &mut World, t: ThreadIdx, addr: u64) {
    let word = w.tcb(t).fp.to_le_bytes();
    assert_eq!(w.write(Space::Thread(t), addr + 16, &word), Ok(8));
}
