//! The kernel and the components below, as far as procmgr sees them. Every object they hand out is counted, and every wrong
//! step (a reply to a thread that does not wait, an object given back twice) is a panic.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use fsmgr_api::{Creds, FsEvent, PidFdInfo, SignalWish};
use lsyscall_abi::{Errno, ThreadIdx};
use memmgr_api::{MemEvent, Mm, Space, PAGE_SIZE, USER_TOP};
use persona_component::ReplyPort;
use persona_ipc::Cap;

use crate::machine::{Machine, Regs};
use crate::schedule::Params;

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
    /// What calls below want of signals.
    pub wishes: BTreeMap<u16, SignalWish>,
    /// Pending signals told, by thread.
    pub told: Vec<(u16, u64)>,
    /// Signals given to signalfds: number and code.
    pub given: Vec<Option<(u8, i32)>>,
    /// Credentials last set.
    pub creds: BTreeMap<u16, Creds>,
    /// RLIMIT_NOFILE last set.
    pub nofile: BTreeMap<u16, u64>,
    /// Descriptors of processes.
    pub pidfds: Vec<PidFdInfo>,
    /// Processes said to have ended.
    pub ended: Vec<u64>,
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
    /// How threads are scheduled.
    pub schedules: BTreeMap<u16, Params>,
    /// Alarms set.
    pub alarms: usize,
    next: u32,
}

impl World {
    pub fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    pub fn fails(&mut self, what: &'static str) -> Result<(), Errno> {
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

    pub fn new_mm(&mut self, pages: BTreeMap<u64, Vec<u8>>) -> (Mm, Cap) {
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

    pub fn reap(&mut self, mm: u32) {
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
    pub fn interrupt(&self, t: ThreadIdx, mine: fn(Errno) -> bool) -> Result<Option<i32>, Errno> {
        let mut w = self.0.borrow_mut();
        match w.below.get(&t.0) {
            Some(&errno) if mine(errno) => {
                w.below.remove(&t.0);
                w.wishes.remove(&t.0);
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
    fn schedule(&mut self, t: ThreadIdx, params: Params) {
        self.0.borrow_mut().schedules.insert(t.0, params);
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
