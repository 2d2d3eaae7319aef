//! Plays the programs and the framework: issues calls, answers them as the event loop does, follows threads through the shim
//! page.

use std::rc::Rc;

use fsmgr_api::{FsEvent, SignalWish, Target};
use lsyscall_abi::{Errno, ThreadIdx};
use lsyscall_router::{encode_result, Caller, Flow};
use lsyscall_shim as shim;
use lsyscall_shim::at;
use memmgr_api::{FaultKind, MemEvent, Space, SHIM_BASE};
use persona_component::{
    BootArgs, BootMemory, Component, Dataport, Env, EnvParts, Replies, SlotSource, Wake,
};
use procmgr_api::table_bytes;
use zerocopy::IntoBytes;

use super::files;
pub use super::nr;
use super::world::{load_fp, now, store_fp, Fake, Run, World, NOW};
use crate::machine::Regs;
use crate::{Deps, ProcMgr, With};

pub type Server = ProcMgr<With<Fake, Fake, Fake, Fake, Fake>>;

/// Threads there can be.
pub const SLOTS: usize = 16;
/// Where programs keep what they read and write.
pub const DATA: u64 = 0x40_1000;
/// Where programs run.
pub const TEXT: u64 = 0x40_0100;
struct NoSlots;

impl SlotSource for NoSlots {
    fn alloc(&self) -> Option<u64> {
        None
    }
    fn free(&self, _: u64) {}
    fn add_node(&self, _: u64) {}
    fn alloc_root(&self) -> Option<u64> {
        None
    }
}

/// The system under test.
pub struct System {
    pub server: Server,
    pub world: Fake,
    pub table: Dataport,
    pub alarm: Dataport,
}

/// The first thread of init.
pub const INIT: ThreadIdx = ThreadIdx(0);

impl System {
    /// With init running [`program`].
    pub fn new() -> System {
        let system = System::with_args("init=/bin/init arg=init arg=-x env=A=1");
        assert_eq!(system.regs(INIT).pc, TEXT);
        system
    }

    /// With these boot arguments.
    pub fn with_args(args: &str) -> System {
        let world = Fake::default();
        world.0.borrow_mut().files = files::all();
        let (table, alarm) = (
            Dataport::private(table_bytes(SLOTS)),
            Dataport::private(4096),
        );
        let counter = world.clone();
        let wake = Wake::new(move || counter.0.borrow_mut().alarms += 1);
        let env = Env::new(EnvParts {
            name: "procmgr",
            attributes: &[("max_threads", "16")],
            caps: &[],
            dataports: vec![("proctable", table), ("alarm", alarm)],
            mmio: &[],
            wakes: vec![("alarm_set", wake)],
            replies: Replies::new(world.clone()),
            slots: Rc::new(NoSlots),
            bootargs: BootArgs::parse(args),
            clock: now,
            memory: BootMemory::default(),
            heap: None,
        });
        let deps = Deps {
            fs: world.clone(),
            mem: world.clone(),
            time: world.clone(),
            console: world.clone(),
        };
        let mut server = Server::with_machine(env, deps, world.clone()).unwrap();
        server.start_init();
        let mut system = System {
            server,
            world,
            table,
            alarm,
        };
        system.step();
        system
    }

    /// Looks at the world.
    pub fn world<R>(&self, f: impl FnOnce(&mut World) -> R) -> R {
        f(&mut self.world.0.borrow_mut())
    }

    pub fn regs(&self, t: ThreadIdx) -> Regs {
        self.world(|w| w.tcb(t).regs)
    }

    pub fn x0(&self, t: ThreadIdx) -> i64 {
        self.regs(t).x[0] as i64
    }

    pub fn run(&self, t: ThreadIdx) -> Run {
        self.world(|w| w.tcb(t).run)
    }

    /// Whether the thread is in its program.
    pub fn runs(&self, t: ThreadIdx) -> bool {
        self.run(t) == Run::Running
    }

    /// Whether the thread is in a call that procmgr keeps.
    pub fn waits(&self, t: ThreadIdx) -> bool {
        self.run(t) == Run::Waiting && self.server.thread(t).is_some()
    }

    /// Enters procmgr with one call of a thread that runs.
    fn enter(&mut self, t: ThreadIdx, caller: &Caller) {
        self.world(|w| {
            let tcb = w.tcb(t);
            assert_eq!(
                tcb.run,
                Run::Running,
                "calls from a thread that does not run"
            );
            tcb.run = Run::Calling;
        });
        let result = self.server.lsyscall(caller);
        let run = self.run(t);
        match (result, encode_result(result)) {
            (_, Some(value)) => {
                assert_eq!(run, Run::Calling, "answers a call that was ended otherwise");
                self.world(|w| {
                    w.tcb(t).run = Run::Running;
                    w.tcb(t).regs.x[0] = value;
                });
            }
            (Ok(Flow::Park), _) => {
                assert_eq!(run, Run::Calling, "parks a call that was ended otherwise");
                self.world(|w| {
                    w.tcb(t).run = Run::Waiting;
                    w.tcb(t).saved = true;
                });
            }
            _ => assert_ne!(run, Run::Calling, "neither answered nor ended"),
        }
        self.check();
    }

    /// Issues a call, and lets all threads run until they are out of the shim page.
    pub fn call(&mut self, t: ThreadIdx, nr: u64, args: &[u64]) {
        self.issue(t, nr, args);
        self.step();
    }

    /// Issues a call without letting the shim page's threads run.
    pub fn issue(&mut self, t: ThreadIdx, nr: u64, args: &[u64]) {
        let regs = self.world(|w| {
            let regs = &mut w.tcb(t).regs;
            regs.x[..args.len()].copy_from_slice(args);
            regs.x[8] = nr;
            regs.pc += 4;
            *regs
        });
        let mut six = [0; 6];
        six.copy_from_slice(&regs.x[..6]);
        let caller = Caller {
            thread: t,
            nr: nr as u32,
            args: six,
            pc: regs.pc,
            sp: regs.sp,
        };
        self.enter(t, &caller);
    }

    /// The same call again, if the thread is about to make one: it must stand at the svc with its registers as they were.
    pub fn again(&mut self, t: ThreadIdx) {
        let regs = self.regs(t);
        self.call(t, regs.x[8], &regs.x[..6]);
    }

    /// A call that is answered at once.
    pub fn ask(&mut self, t: ThreadIdx, nr: u64, args: &[u64]) -> i64 {
        let pc = self.regs(t).pc + 4;
        self.call(t, nr, args);
        assert!(
            self.runs(t),
            "call {nr} of {t:?} is not over: {:?}",
            self.run(t)
        );
        assert_eq!(self.regs(t).pc, pc, "call {nr}");
        self.x0(t)
    }

    /// A thread's next step in the shim page; false if it is not there.
    pub fn shim_step(&mut self, t: ThreadIdx) -> bool {
        let regs = self.regs(t);
        let offset = regs.pc.wrapping_sub(SHIM_BASE);
        if self.runs(t) && offset == shim::VDSO + shim::vdso::RT_SIGRETURN_AT {
            self.world(|w| w.tcb(t).regs.x[8] = shim::REPORT_NR);
            let caller = self.world(|w| {
                let regs = &mut w.tcb(t).regs;
                regs.pc += 8;
                Caller {
                    thread: t,
                    nr: shim::REPORT_NR as u32,
                    args: [0; 6],
                    pc: regs.pc,
                    sp: regs.sp,
                }
            });
            self.enter(t, &caller);
            return true;
        }
        if !self.runs(t) || offset >= at::END {
            return false;
        }
        let svc = match offset {
            at::SIG_ENTRY => {
                self.world(|w| {
                    store_fp(w, t, regs.x[10]);
                    let regs = &mut w.tcb(t).regs;
                    regs.pc = regs.x[9];
                });
                return true;
            }
            at::SIG_RETURN => {
                self.world(|w| load_fp(w, t, regs.sp + shim::FRAME_FPSIMD));
                at::SIG_RETURN_SVC
            }
            at::SAVE_FP => {
                self.world(|w| store_fp(w, t, regs.x[0]));
                at::SAVE_FP_SVC
            }
            at::LOAD_FP => {
                self.world(|w| load_fp(w, t, regs.x[0]));
                at::LOAD_FP_SVC
            }
            at::ZERO_FP => {
                self.world(|w| w.tcb(t).fp = 0);
                at::ZERO_FP_SVC
            }
            other => panic!("{t:?} is in the middle of the shim page: {other:#x}"),
        };
        let caller = self.world(|w| {
            let regs = &mut w.tcb(t).regs;
            regs.x[8] = shim::REPORT_NR;
            regs.x[10] = 0xdead;
            regs.x[11] = 0xdead;
            regs.pc = SHIM_BASE + svc + 4;
            Caller {
                thread: t,
                nr: shim::REPORT_NR as u32,
                args: [0; 6],
                pc: regs.pc,
                sp: regs.sp,
            }
        });
        self.enter(t, &caller);
        true
    }

    /// Lets all threads run until none is in the shim page.
    pub fn step(&mut self) {
        while (0..SLOTS as u16)
            .map(ThreadIdx)
            .any(|t| self.world(|w| w.tcbs.contains_key(&t.0)) && self.shim_step(t))
        {}
    }

    /// Forks; the child's thread.
    pub fn fork(&mut self, t: ThreadIdx) -> ThreadIdx {
        self.clone_with(t, &[17])
    }

    /// clone(2) that succeeds; the new thread.
    pub fn clone_with(&mut self, t: ThreadIdx, args: &[u64]) -> ThreadIdx {
        let mut six = [0; 5];
        six[..args.len()].copy_from_slice(args);
        let tid = self.ask(t, nr::CLONE, &six);
        assert!(tid > 0, "clone: {tid}");
        self.thread_of(tid)
    }

    pub fn thread_of(&self, tid: i64) -> ThreadIdx {
        self.server
            .find_thread(tid as i32)
            .expect("a living thread")
    }

    pub fn tid(&self, t: ThreadIdx) -> i64 {
        i64::from(self.server.thread(t).expect("a living thread").tid)
    }

    pub fn pid(&self, t: ThreadIdx) -> i64 {
        i64::from(
            self.server
                .caller_process(t)
                .expect("a living thread")
                .1
                .pid,
        )
    }

    /// Writes to a thread's memory.
    pub fn poke(&self, t: ThreadIdx, addr: u64, bytes: &[u8]) {
        let wrote = self.world(|w| w.write(Space::Thread(t), addr, bytes));
        assert_eq!(wrote, Ok(bytes.len()));
    }

    pub fn poke_words(&self, t: ThreadIdx, addr: u64, words: &[u64]) {
        self.poke(t, addr, words.as_bytes());
    }

    pub fn peek(&self, t: ThreadIdx, addr: u64, len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        assert_eq!(
            self.world(|w| w.read(Space::Thread(t), addr, &mut out)),
            Ok(len)
        );
        out
    }

    pub fn peek64(&self, t: ThreadIdx, addr: u64) -> u64 {
        u64::from_le_bytes(self.peek(t, addr, 8).try_into().unwrap())
    }

    pub fn peek32(&self, t: ThreadIdx, addr: u64) -> i32 {
        i32::from_le_bytes(self.peek(t, addr, 4).try_into().unwrap())
    }

    /// Sets a handler (or SIG_IGN, SIG_DFL).
    pub fn handle(&mut self, t: ThreadIdx, signal: i32, handler: u64, flags: u64, mask: u64) {
        self.poke_words(t, DATA, &[handler, flags, 0, mask]);
        let result = self.ask(t, nr::SIGACTION, &[signal as u64, DATA, 0, 8]);
        assert_eq!(result, 0);
    }

    /// Blocks exactly these signals.
    pub fn block(&mut self, t: ThreadIdx, mask: u64) {
        self.poke_words(t, DATA, &[mask]);
        self.issue(t, nr::SIGPROCMASK, &[2, DATA, 0, 8]);
        self.step();
    }

    /// kill(2) by init.
    pub fn kill(&mut self, pid: i64, signal: i32) -> i64 {
        self.ask(INIT, nr::KILL, &[pid as u64, signal as u64])
    }

    /// wait4; what it gives, and the status.
    pub fn wait(&mut self, t: ThreadIdx, pid: i64, options: u64) -> (i64, i32) {
        self.poke(t, DATA, &[0xff; 4]);
        let got = self.ask(t, nr::WAIT4, &[pid as u64, DATA, options, 0]);
        (got, self.peek32(t, DATA))
    }

    /// A thread parks below, in a call that ends like this if interrupted.
    pub fn park_below(&mut self, t: ThreadIdx, x0: u64, how: Errno) {
        self.world(|w| {
            w.below.insert(t.0, how);
            let tcb = w.tcb(t);
            assert_eq!(tcb.run, Run::Running);
            tcb.run = Run::Waiting;
            tcb.regs.x[0] = x0;
            tcb.regs.x[8] = 63;
            tcb.regs.pc += 4;
        });
    }

    /// A signal from fsmgr.
    pub fn fs_signal(&mut self, target: Target, signal: u8) {
        self.world(|w| {
            w.fs_events.push_back(FsEvent {
                target,
                signal,
                code: 0x80,
                first: 0,
                second: 0,
            })
        });
        self.server.notified(2);
        self.check();
        self.step();
    }

    /// What a thread's call below wants of its signals changes.
    pub fn wish(&mut self, t: ThreadIdx, wish: SignalWish) {
        self.world(|w| w.wishes.insert(t.0, wish));
        self.fs_signal(Target::Thread(t), 0);
    }

    /// A fault of a running thread.
    pub fn fault(&mut self, t: ThreadIdx, kind: FaultKind, addr: u64) {
        let pc = self.regs(t).pc;
        self.world(|w| {
            w.tcb(t).run = Run::Faulted;
            w.mem_events.push_back(MemEvent {
                thread: t,
                kind,
                addr,
                pc,
                esr: 0x9200_0046,
            });
        });
        self.server.notified(1);
        self.check();
        self.step();
    }

    /// Time passes, and the alarm fires if it is due.
    pub fn pass(&mut self, ns: u64) {
        NOW.set(now() + ns);
        let due = self.alarm.load(0);
        if due != 0 && due <= now() {
            self.server.notified(4);
        }
        self.check();
        self.step();
    }
}

impl System {
    /// Raises events of procmgr.
    pub fn server_notified(&mut self, events: u32) {
        self.server.notified(events);
        self.check();
        self.step();
    }
}

/// The same events as above, leaving threads in the shim page where they are.
impl System {
    pub fn fs_signal_unstepped(&mut self, target: Target, signal: u8) {
        self.world(|w| {
            w.fs_events.push_back(FsEvent {
                target,
                signal,
                code: 0,
                first: 0,
                second: 0,
            })
        });
        self.server.notified(2);
        self.check();
    }

    pub fn fault_unstepped(&mut self, t: ThreadIdx, kind: FaultKind, addr: u64) {
        let pc = self.regs(t).pc;
        self.world(|w| {
            w.tcb(t).run = Run::Faulted;
            w.mem_events.push_back(MemEvent {
                thread: t,
                kind,
                addr,
                pc,
                esr: 0,
            });
        });
        self.server.notified(1);
        self.check();
    }

    pub fn pass_unstepped(&mut self, ns: u64) {
        NOW.set(now() + ns);
        let due = self.alarm.load(0);
        if due != 0 && due <= now() {
            self.server.notified(4);
        }
        self.check();
    }
}
