//! Sleeps, alarms and clocks over a timer and a memory of the test's own.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use console_api::{Console, ConsoleInput};
use lsyscall_abi::{Errno, ThreadIdx, Timespec};
use lsyscall_router::{Caller, Flow, SysResult};
use memmgr_api::{Space, UserMemory, Vmo};
use persona_component::{
    BootArgs, Component, Dataport, Env, EnvParts, Replies, ReplyPort, SlotSource, Wake,
};
use persona_ipc::Bytes;
use procmgr_api::{process_offset, table_bytes, thread_offset, Header, ProcEntry, ThreadEntry};
use timemgr_api::TimeMgrService;
use timemgr_server::{Deps, TimeMgr, Timer};
use zerocopy::{FromBytes, IntoBytes};

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
}

/// What the outside sees.
#[derive(Default)]
struct World {
    completed: Vec<(u16, i64)>,
    armed: Option<u64>,
    acknowledged: u32,
    fired: Vec<&'static str>,
    memory: Vec<u8>,
}

type Shared = Rc<RefCell<World>>;

struct FakeTimer(Shared);

impl Timer for FakeTimer {
    fn arm(&mut self, after: u64) {
        self.0.borrow_mut().armed = Some(NOW.get() + after);
    }
    fn disarm(&mut self) {
        self.0.borrow_mut().armed = None;
    }
    fn acknowledge(&mut self) {
        self.0.borrow_mut().acknowledged += 1;
    }
}

struct FakeReplies(Shared);

impl ReplyPort for FakeReplies {
    fn complete(&self, thread: ThreadIdx, value: i64) {
        self.0.borrow_mut().completed.push((thread.0, value));
    }
    fn forget(&self, _: ThreadIdx) {}
    fn resume_fault(&self, _: ThreadIdx) {}
}

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

/// User memory from address 0x1000 on.
#[derive(Clone)]
struct Memory(Shared);

impl UserMemory for Memory {
    fn read_some(&self, _: Space, addr: u64, buf: &mut [u8]) -> Result<usize, Errno> {
        let world = self.0.borrow();
        let from = addr.checked_sub(0x1000).ok_or(Errno::EFAULT)? as usize;
        let part = world
            .memory
            .get(from..from + buf.len())
            .ok_or(Errno::EFAULT)?;
        buf.copy_from_slice(part);
        Ok(buf.len())
    }
    fn write_some(&self, _: Space, addr: u64, data: &[u8]) -> Result<usize, Errno> {
        let mut world = self.0.borrow_mut();
        let from = addr.checked_sub(0x1000).ok_or(Errno::EFAULT)? as usize;
        let part = world
            .memory
            .get_mut(from..from + data.len())
            .ok_or(Errno::EFAULT)?;
        part.copy_from_slice(data);
        Ok(data.len())
    }
    fn vmo_read(&self, _: Vmo, _: u64, _: &mut [u8]) -> Result<usize, Errno> {
        Err(Errno::ESRCH)
    }
    fn vmo_write(&self, _: Vmo, _: u64, _: &[u8]) -> Result<usize, Errno> {
        Err(Errno::ESRCH)
    }
}

struct Silent;

impl Console for Silent {
    fn write(&self, _: Bytes) -> Result<u64, Errno> {
        Ok(0)
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
    fn exit(&self, _: u8, _: i32) -> Result<(), Errno> {
        Ok(())
    }
    fn queued(&self) -> Result<u64, Errno> {
        Ok(0)
    }
}

struct Test {
    world: Shared,
    timemgr: TimeMgr<Memory, FakeTimer>,
    mem_alarm: Dataport,
    fs_alarm: Dataport,
    proctable: Dataport,
    clock: Dataport,
    usage: Dataport,
}

const SET: u32 = 1;
const INTERRUPT: u32 = 2;
const SLOTS: usize = 8;
const S: u64 = 1_000_000_000;

impl Test {
    fn new() -> Test {
        NOW.set(100);
        let world = Shared::default();
        world.borrow_mut().memory = vec![0; 4096];
        let (mem_alarm, fs_alarm) = (Dataport::private(4096), Dataport::private(4096));
        let proctable = Dataport::private(table_bytes(SLOTS));
        let clock = Dataport::private(4096);
        // A tick a nanosecond.
        let usage = Dataport::private(4096);
        usage.store(0, S);
        let wake = |name: &'static str| {
            let world = Rc::clone(&world);
            Wake::new(move || world.borrow_mut().fired.push(name))
        };
        let env = Env::new(EnvParts {
            name: "timemgr",
            attributes: &[("max_threads", "8")],
            caps: &[],
            dataports: vec![
                ("alarm.memmgr", mem_alarm),
                ("alarm.fsmgr", fs_alarm),
                ("proctable", proctable),
                ("clock", clock),
                ("usage", usage),
            ],
            mmio: &[],
            wakes: vec![
                ("alarm_fired.fsmgr", wake("fsmgr")),
                ("alarm_fired.memmgr", wake("memmgr")),
            ],
            replies: Replies::new(FakeReplies(Rc::clone(&world))),
            slots: Rc::new(NoSlots),
            bootargs: BootArgs::parse("epoch=1000"),
            clock: || NOW.get(),
            memory: persona_component::BootMemory::default(),
            heap: None,
        });
        let deps = Deps {
            mem: Memory(Rc::clone(&world)),
            console: Silent,
        };
        let timemgr = TimeMgr::with_timer(env, deps, FakeTimer(Rc::clone(&world))).unwrap();
        // Everyone is told that the clock has been set.
        assert_eq!(world.borrow_mut().fired.drain(..).count(), 2);
        Test {
            world,
            timemgr,
            mem_alarm,
            fs_alarm,
            proctable,
            clock,
            usage,
        }
    }

    /// Makes a thread the one of a process of this id and user.
    fn process(&mut self, thread: u16, pid: u32, uid: u32) {
        let header = Header {
            slots: SLOTS as u32,
            ..Header::default()
        };
        self.proctable.write(0, header.as_bytes());
        let (index, tid) = (usize::from(thread), pid);
        let entry = ThreadEntry {
            tid,
            process: u32::from(thread),
            blocked: 0,
        };
        self.proctable.write(thread_offset(index), entry.as_bytes());
        let entry = ProcEntry {
            pid,
            uids: [uid; 4],
            caps: if uid == 0 { u64::MAX } else { 0 },
            ..ProcEntry::default()
        };
        let at = process_offset(SLOTS, index);
        self.proctable.write(at, entry.as_bytes());
    }

    /// What the kernel counts of a thread: user and system time.
    fn usage(&mut self, thread: u16, user: u64, system: u64) {
        let at = (3 + usize::from(thread)) * 32;
        self.usage.store(at, user);
        self.usage.store(at + 8, system);
    }

    fn call_at(&mut self, pc: u64, thread: u16, nr: u32, args: [u64; 4]) -> SysResult {
        let args = [args[0], args[1], args[2], args[3], 0, 0];
        self.timemgr.lsyscall(&Caller {
            thread: ThreadIdx(thread),
            nr,
            args,
            pc,
            sp: 0,
        })
    }

    fn call(&mut self, thread: u16, nr: u32, args: [u64; 4]) -> SysResult {
        self.call_at(0x400, thread, nr, args)
    }

    fn store(&mut self, addr: u64, value: &impl PutBytes) {
        let at = (addr - 0x1000) as usize;
        let bytes = value.put_bytes();
        self.world.borrow_mut().memory[at..at + bytes.len()].copy_from_slice(&bytes);
    }

    fn timespec(&self, addr: u64) -> Timespec {
        let at = (addr - 0x1000) as usize;
        Timespec::read_from_bytes(&self.world.borrow().memory[at..at + 16]).unwrap()
    }

    /// The timer's interrupt, at the time it was set for.
    fn interrupt(&mut self) {
        let at = self.world.borrow().armed.expect("the timer is set");
        NOW.set(at);
        self.timemgr.notified(INTERRUPT);
    }

    fn completed(&self) -> Vec<(u16, i64)> {
        self.world.borrow().completed.clone()
    }
}

trait PutBytes {
    fn put_bytes(&self) -> Vec<u8>;
}

impl PutBytes for Timespec {
    fn put_bytes(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }
}

const NANOSLEEP: u32 = 101;
const CLOCK_SETTIME: u32 = 112;
const CLOCK_GETTIME: u32 = 113;
const CLOCK_GETRES: u32 = 114;
const CLOCK_NANOSLEEP: u32 = 115;
const GETTIMEOFDAY: u32 = 169;
const ADJTIMEX: u32 = 171;
const PARK: SysResult = Ok(Flow::Park);
const DONE: SysResult = Ok(Flow::Done(0));

#[test]
fn sleeps_end_in_the_order_of_their_deadlines() {
    let mut t = Test::new();
    t.store(0x1000, &Timespec { sec: 2, nsec: 0 });
    t.store(0x1010, &Timespec { sec: 1, nsec: 500 });
    assert_eq!(t.call(1, NANOSLEEP, [0x1000, 0, 0, 0]), PARK);
    assert_eq!(t.world.borrow().armed, Some(2 * S + 100));
    assert_eq!(t.call(2, NANOSLEEP, [0x1010, 0, 0, 0]), PARK);
    assert_eq!(t.world.borrow().armed, Some(S + 600));
    t.interrupt();
    assert_eq!(t.completed(), [(2, 0)]);
    t.interrupt();
    assert_eq!(t.completed(), [(2, 0), (1, 0)]);
    assert_eq!(t.world.borrow().armed, None);
    assert_eq!(t.world.borrow().acknowledged, 3);
}

#[test]
fn bad_sleeps_are_refused() {
    let mut t = Test::new();
    t.store(
        0x1000,
        &Timespec {
            sec: 0,
            nsec: 1_000_000_000,
        },
    );
    assert_eq!(t.call(1, NANOSLEEP, [0x1000, 0, 0, 0]), Err(Errno::EINVAL));
    assert_eq!(t.call(1, NANOSLEEP, [0, 0, 0, 0]), Err(Errno::EFAULT));
    t.store(0x1000, &Timespec { sec: 0, nsec: 0 });
    assert_eq!(t.call(1, NANOSLEEP, [0x1000, 0, 0, 0]), DONE);
    t.store(0x1000, &Timespec { sec: 1, nsec: 0 });
    assert_eq!(
        t.call(1, CLOCK_NANOSLEEP, [77, 0, 0x1000, 0]),
        Err(Errno::EINVAL)
    );
    assert_eq!(
        t.call(1, CLOCK_NANOSLEEP, [3, 0, 0x1000, 0]),
        Err(Errno::EOPNOTSUPP)
    );
    assert_eq!(t.call(99, NANOSLEEP, [0x1000, 0, 0, 0]), Err(Errno::ESRCH));
    t.store(
        0x1000,
        &Timespec {
            sec: i64::MAX,
            nsec: 0,
        },
    );
    assert_eq!(t.call(1, NANOSLEEP, [0x1000, 0, 0, 0]), PARK);
}

#[test]
fn absolute_sleeps_follow_their_clock() {
    let mut t = Test::new();
    t.store(0x1000, &Timespec { sec: 1001, nsec: 0 });
    assert_eq!(t.call(1, CLOCK_NANOSLEEP, [0, 1, 0x1000, 0]), PARK);
    assert_eq!(t.world.borrow().armed, Some(S));
    assert_eq!(
        t.timemgr.cancel(ThreadIdx(1)),
        Ok(Some(Errno::ERESTARTNOHAND.raw()))
    );
    assert_eq!(t.world.borrow().armed, None);
    t.store(0x1000, &Timespec { sec: 0, nsec: 50 });
    assert_eq!(
        t.call(1, CLOCK_NANOSLEEP, [1, 1, 0x1000, 0]),
        DONE,
        "it has passed"
    );
}

#[test]
fn an_interrupted_sleep_tells_what_is_left_and_can_go_on() {
    let mut t = Test::new();
    t.store(0x1000, &Timespec { sec: 10, nsec: 0 });
    let sleep = [0x1000, 0x1020, 0, 0];
    assert_eq!(t.call(1, NANOSLEEP, sleep), PARK);
    NOW.set(4 * S + 100);
    assert_eq!(
        t.timemgr.cancel(ThreadIdx(1)),
        Ok(Some(Errno::ERESTART_RESTARTBLOCK.raw()))
    );
    assert_eq!(t.timespec(0x1020), Timespec { sec: 6, nsec: 0 });
    assert_eq!(t.timemgr.cancel(ThreadIdx(1)), Ok(None));
    // Stopped and continued: the svc runs again, and the sleep ends when it was to end.
    NOW.set(7 * S);
    assert_eq!(t.call(1, NANOSLEEP, sleep), PARK);
    assert_eq!(t.world.borrow().armed, Some(10 * S + 100));
    // A handler ran (procmgr says forget): the next sleep is a new one.
    t.timemgr.cancel(ThreadIdx(1)).unwrap();
    t.timemgr.forget(ThreadIdx(1)).unwrap();
    assert_eq!(t.call(1, NANOSLEEP, sleep), PARK);
    assert_eq!(t.world.borrow().armed, Some(17 * S));
    // And so is one from elsewhere.
    t.timemgr.cancel(ThreadIdx(1)).unwrap();
    assert_eq!(t.call_at(0x500, 1, NANOSLEEP, sleep), PARK);
    assert_eq!(t.world.borrow().armed, Some(17 * S));
    assert_eq!(t.completed(), []);
}

#[test]
fn a_bad_remainder_is_a_fault() {
    let mut t = Test::new();
    t.store(0x1000, &Timespec { sec: 10, nsec: 0 });
    assert_eq!(t.call(1, NANOSLEEP, [0x1000, 0x10, 0, 0]), PARK);
    assert_eq!(
        t.timemgr.cancel(ThreadIdx(1)),
        Ok(Some(Errno::EFAULT.raw()))
    );
}

#[test]
fn alarms_are_signalled_once_for_each_deadline() {
    let mut t = Test::new();
    t.mem_alarm.store(0, 5_000);
    t.fs_alarm.store(0, 3_000);
    t.timemgr.notified(SET);
    assert_eq!(t.world.borrow().armed, Some(3_000));
    t.interrupt();
    assert_eq!(t.world.borrow().fired, ["fsmgr"]);
    // Its owner has not come to change it: that must not keep the timer busy.
    assert_eq!(t.world.borrow().armed, Some(5_000));
    t.interrupt();
    assert_eq!(t.world.borrow().fired, ["fsmgr", "memmgr"]);
    assert_eq!(t.world.borrow().armed, None);
    t.fs_alarm.store(0, 0);
    t.mem_alarm.store(0, 9_000);
    t.timemgr.notified(SET);
    assert_eq!(t.world.borrow().armed, Some(9_000));
    t.mem_alarm.store(0, 0);
    t.timemgr.notified(SET);
    assert_eq!(t.world.borrow().armed, None);
    // One that has passed already is signalled at once.
    t.fs_alarm.store(0, 1);
    t.timemgr.notified(SET | INTERRUPT);
    assert_eq!(t.world.borrow().fired, ["fsmgr", "memmgr", "fsmgr"]);
}

#[test]
fn clocks_are_read() {
    let mut t = Test::new();
    assert_eq!(t.clock.load(0), 1000 * S);
    assert_eq!(t.call(1, CLOCK_GETTIME, [0, 0x1000, 0, 0]), DONE);
    assert_eq!(
        t.timespec(0x1000),
        Timespec {
            sec: 1000,
            nsec: 100
        }
    );
    assert_eq!(t.call(1, CLOCK_GETTIME, [1, 0x1000, 0, 0]), DONE);
    assert_eq!(t.timespec(0x1000), Timespec { sec: 0, nsec: 100 });
    assert_eq!(t.call(1, CLOCK_GETTIME, [1, 0, 0, 0]), Err(Errno::EFAULT));
    assert_eq!(
        t.call(1, CLOCK_GETTIME, [99, 0x1000, 0, 0]),
        Err(Errno::EINVAL)
    );
    assert_eq!(t.call(1, CLOCK_GETRES, [1, 0, 0, 0]), DONE);
    assert_eq!(t.call(1, GETTIMEOFDAY, [0x1000, 0, 0, 0]), DONE);
    assert_eq!(t.timespec(0x1000), Timespec { sec: 1000, nsec: 0 });
    assert_eq!(
        t.call(1, ADJTIMEX, [0x1000, 0, 0, 0]),
        Err(Errno::EPERM),
        "modes are not 0"
    );
    t.store(0x1000, &Timespec { sec: 0, nsec: 0 });
    assert_eq!(t.call(1, ADJTIMEX, [0x1000, 0, 0, 0]), Ok(Flow::Done(5)));
}

#[test]
fn only_the_privileged_set_the_clock() {
    let mut t = Test::new();
    t.store(0x1000, &Timespec { sec: 5000, nsec: 0 });
    assert_eq!(
        t.call(1, CLOCK_SETTIME, [0, 0x1000, 0, 0]),
        Err(Errno::EPERM)
    );
    t.proctable.write(
        0,
        Header {
            slots: SLOTS as u32,
            ..Header::default()
        }
        .as_bytes(),
    );
    t.proctable.write(
        thread_offset(1),
        ThreadEntry {
            tid: 9,
            process: 3,
            blocked: 0,
        }
        .as_bytes(),
    );
    let user = ProcEntry {
        pid: 9,
        uids: [1000; 4],
        ..ProcEntry::default()
    };
    t.proctable.write(process_offset(SLOTS, 3), user.as_bytes());
    assert_eq!(
        t.call(1, CLOCK_SETTIME, [0, 0x1000, 0, 0]),
        Err(Errno::EPERM)
    );
    t.proctable.write(
        process_offset(SLOTS, 3),
        ProcEntry {
            // CAP_SYS_TIME.
            caps: 1 << 25,
            ..user
        }
        .as_bytes(),
    );
    assert_eq!(t.call(1, CLOCK_SETTIME, [0, 0x1000, 0, 0]), DONE);
    assert_eq!(t.timemgr.realtime_offset(), Ok(5000 * S - 100));
    assert_eq!(t.clock.load(0), 5000 * S - 100);
    assert_eq!(
        t.call(1, CLOCK_SETTIME, [1, 0x1000, 0, 0]),
        Err(Errno::EINVAL)
    );
}

#[test]
fn sleeps_follow_the_clock_when_it_is_set() {
    let mut t = Test::new();
    t.process(1, 1, 0);
    t.store(0x1000, &Timespec { sec: 1500, nsec: 0 });
    // The epoch is 1000 s: 500 s from now.
    assert_eq!(t.call(2, CLOCK_NANOSLEEP, [0, 1, 0x1000, 0]), PARK);
    t.store(0x1010, &Timespec { sec: 1600, nsec: 0 });
    assert_eq!(t.call(1, CLOCK_SETTIME, [0, 0x1010, 0, 0]), DONE);
    assert_eq!(t.completed(), [(2, 0)]);
    let mut fired = t.world.borrow().fired.clone();
    fired.sort_unstable();
    assert_eq!(fired, ["fsmgr", "memmgr"]);
}

#[test]
fn clocks_of_processor_time_show_what_the_kernel_counts() {
    let mut t = Test::new();
    t.process(1, 1, 0);
    t.usage(1, 30, 12);
    let shown = |t: &mut Test, id: i64| {
        let done = t.call(1, CLOCK_GETTIME, [id as u64, 0x1000, 0, 0]);
        done.map(|_| t.timespec(0x1000).nsec)
    };
    for id in [2, 3, -6, -2] {
        assert_eq!(shown(&mut t, id), Ok(42), "clock {id}");
    }
    // User time alone.
    assert_eq!(shown(&mut t, -7), Ok(30));
    for bad in [-1, (!999 << 3) | 2, (!999 << 3) | 6] {
        assert_eq!(shown(&mut t, bad), Err(Errno::EINVAL), "clock {bad}");
    }
    // A sleep until 142 ns are used, looked at when that may be.
    t.store(0x1000, &Timespec { sec: 0, nsec: 100 });
    assert_eq!(t.call(1, CLOCK_NANOSLEEP, [2, 0, 0x1000, 0]), PARK);
    assert_eq!(t.world.borrow().armed, Some(200));
    t.interrupt();
    assert_eq!(t.completed(), []);
    assert_eq!(t.world.borrow().armed, Some(4_000_200));
    t.usage(1, 130, 12);
    t.interrupt();
    assert_eq!(t.completed(), [(1, 0)]);
}
