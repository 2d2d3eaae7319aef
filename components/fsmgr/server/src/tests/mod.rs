//! The file manager on the host, over a memory manager and a console made of vectors.

mod fake;
mod files;
mod pipes;
mod polling;
mod proc;
mod random_calls;
mod sockets;
mod terminal;

use std::cell::RefCell;
use std::rc::Rc;

use fsmgr_api::{FsMgrService, STDIO_PIPE, STDIO_TTY};
use lsyscall_abi::ThreadIdx;
use lsyscall_router::{encode_result, Caller};
use persona_component::{
    BootArgs, BootMemory, Component, Dataport, Env, EnvParts, Replies, ReplyPort, SlotSource, Wake,
};
use persona_ipc::{Bytes, Shared};
use procmgr_api::{process_offset, table_bytes, thread_offset, Header, ProcEntry, ThreadEntry};
use zerocopy::{FromBytes, IntoBytes};

use crate::{Deps, FsMgr};
use fake::{FakeConsole, FakeMem};

/// Threads of the test system.
const SLOTS: usize = 16;
/// Where bump allocation in user memory starts again for each call's strings.
const SCRATCH: u64 = fake::USER_BASE;

#[derive(Clone, Default)]
struct Completions(Rc<RefCell<Vec<(u16, i64)>>>);

impl ReplyPort for Completions {
    fn complete(&self, thread: ThreadIdx, value: i64) {
        self.0.borrow_mut().push((thread.0, value));
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

thread_local! {
    static NOW: std::cell::Cell<u64> = const { std::cell::Cell::new(5_000_000_000) };
}

/// A running file manager with everything around it.
pub struct Rig {
    pub fs: FsMgr<Shared<FakeMem>, Shared<FakeConsole>>,
    pub mem: Shared<FakeMem>,
    pub console: Shared<FakeConsole>,
    completions: Completions,
    table: Dataport,
    pub alarm: Dataport,
    next: u64,
}

fn number(name: &str) -> u32 {
    lsyscall_table::rows()
        .find(|r| r.name == name)
        .unwrap_or_else(|| panic!("no call {name}"))
        .nr
        .into()
}

impl Rig {
    /// With a terminal (or not), an archive as the root, and one process: pid 1 on thread 0.
    pub fn with(stdio: u8, archive: Vec<u8>) -> Rig {
        NOW.set(5_000_000_000);
        let table = Dataport::private(table_bytes(SLOTS));
        let clock = Dataport::private(8);
        clock.store(0, 1_700_000_000_000_000_000);
        let alarm = Dataport::private(8);
        let completions = Completions::default();
        let line = if stdio == STDIO_PIPE {
            "stdio=pipe seed=abc"
        } else {
            "rows=24 cols=80 seed=abc"
        };
        // One tick a nanosecond; 2 s idle; 1.5 s user and 0.25 s system time of thread 0, with 7 and 8 switches.
        let usage = Dataport::private(4096);
        let words = [(0, 1_000_000_000), (32, 2_000_000_000), (96, 1_500_000_000)];
        for (at, value) in words
            .into_iter()
            .chain([(104, 250_000_000), (112, 7), (120, 8)])
        {
            usage.store(at, value);
        }
        let env = Env::new(EnvParts {
            name: "fsmgr",
            attributes: &[("max_threads", "16")],
            caps: &[],
            dataports: vec![
                ("proctable", table),
                ("alarm", alarm),
                ("clock", clock),
                ("usage", usage),
            ],
            mmio: &[],
            wakes: vec![
                ("events", Wake::new(|| {})),
                ("alarm_set", Wake::new(|| {})),
            ],
            replies: Replies::new(completions.clone()),
            slots: Rc::new(NoSlots),
            bootargs: BootArgs::parse(line),
            clock: || NOW.get(),
            memory: BootMemory::default(),
            heap: None,
        });
        let mem = Shared::new(FakeMem::new(archive));
        let console = Shared::new(FakeConsole::default());
        let deps = Deps {
            mem: mem.clone(),
            console: console.clone(),
        };
        let fs = FsMgr::new(env, deps).unwrap_or_else(|e| panic!("{e}"));
        let mut rig = Rig {
            fs,
            mem,
            console,
            completions,
            table,
            alarm,
            next: SCRATCH,
        };
        let header = Header {
            slots: SLOTS as u32,
            used: SLOTS as u32,
            ..Header::default()
        };
        rig.table.write(0, header.as_bytes());
        rig.process(0, 1, 1, 1, 0);
        rig.fs
            .init_process(ThreadIdx(0), stdio, Bytes::new(b"/"))
            .expect("the first process starts");
        rig
    }

    /// With a terminal and an empty root.
    pub fn new() -> Rig {
        Rig::with(STDIO_TTY, Vec::new())
    }

    /// Publishes a process with one thread.
    pub fn process(&mut self, thread: u16, pid: u32, pgid: u32, sid: u32, ppid: u32) {
        let index = usize::from(thread);
        let entry = ThreadEntry {
            tid: pid,
            process: index as u32,
            blocked: 0,
        };
        self.table.write(thread_offset(index), entry.as_bytes());
        let mut process = ProcEntry {
            pid,
            ppid,
            pgid,
            sid,
            leader: index as u32,
            threads: 1,
            state: u32::from(b'R'),
            nice: 20,
            ..ProcEntry::default()
        };
        process.comm[..4].copy_from_slice(b"test");
        self.table
            .write(process_offset(SLOTS, index), process.as_bytes());
    }

    /// Makes thread `child` a fork of `parent` with a process of its own.
    pub fn fork(&mut self, parent: u16, child: u16, pid: u32, pgid: u32, sid: u32) {
        self.process(child, pid, pgid, sid, 1);
        self.fs
            .clone_thread(ThreadIdx(parent), ThreadIdx(child), false, false, false)
            .expect("fork");
    }

    /// Bytes in user memory.
    pub fn put(&mut self, data: &[u8]) -> u64 {
        let at = self.room(data.len());
        self.mem
            .server()
            .user_mut(at, data.len())
            .copy_from_slice(data);
        at
    }

    /// Room in user memory.
    pub fn room(&mut self, len: usize) -> u64 {
        let at = self.next;
        self.next = (at + len as u64).next_multiple_of(16);
        if self.next > fake::USER_BASE + fake::USER_LEN as u64 {
            self.next = SCRATCH;
            return self.room(len);
        }
        at
    }

    /// A string in user memory.
    pub fn text(&mut self, text: &str) -> u64 {
        let mut bytes = text.as_bytes().to_vec();
        bytes.push(0);
        self.put(&bytes)
    }

    /// Bytes of user memory.
    pub fn get(&self, at: u64, len: usize) -> Vec<u8> {
        self.mem.server().user_mut(at, len).to_vec()
    }

    /// A structure of user memory.
    pub fn fetch<T: FromBytes>(&self, at: u64) -> T {
        T::read_from_bytes(&self.get(at, size_of::<T>())).expect("the right size")
    }

    /// A call; `None` if it waits.
    pub fn call_on(&mut self, thread: u16, name: &str, args: &[u64]) -> Option<i64> {
        let mut all = [0; 6];
        all[..args.len()].copy_from_slice(args);
        let caller = Caller {
            thread: ThreadIdx(thread),
            nr: number(name),
            args: all,
            pc: 0,
            sp: 0,
        };
        let result = self.fs.lsyscall(&caller);
        encode_result(result).map(|v| v as i64)
    }

    /// A call of thread 0 that does not wait.
    pub fn call(&mut self, name: &str, args: &[u64]) -> i64 {
        self.call_on(0, name, args)
            .unwrap_or_else(|| panic!("{name} waits"))
    }

    /// Calls that were completed since the last time this was asked.
    pub fn completed(&mut self) -> Vec<(u16, i64)> {
        self.completions.0.borrow_mut().drain(..).collect()
    }

    /// openat on thread 0.
    pub fn open(&mut self, path: &str, flags: u32, mode: u32) -> i64 {
        let path = self.text(path);
        self.call("openat", &[CWD, path, flags.into(), mode.into()])
    }

    /// write on thread 0.
    pub fn write(&mut self, fd: i64, data: &[u8]) -> i64 {
        let at = self.put(data);
        self.call("write", &[fd as u64, at, data.len() as u64])
    }

    /// read on thread 0: the bytes, or the error.
    pub fn read(&mut self, fd: i64, len: usize) -> Result<Vec<u8>, i64> {
        let at = self.room(len);
        match self.call("read", &[fd as u64, at, len as u64]) {
            n if n < 0 => Err(n),
            n => Ok(self.get(at, n as usize)),
        }
    }

    /// A whole file as text.
    pub fn slurp(&mut self, path: &str) -> String {
        let fd = self.open(path, 0, 0);
        assert!(fd >= 0, "{path}: {fd}");
        let mut out = Vec::new();
        loop {
            let piece = self.read(fd, 4096).expect(path);
            if piece.is_empty() {
                break;
            }
            out.extend(piece);
        }
        self.call("close", &[fd as u64]);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Names in a directory.
    pub fn names(&mut self, path: &str) -> Vec<String> {
        let fd = self.open(path, 0o40000, 0);
        assert!(fd >= 0, "{path}: {fd}");
        let at = self.room(512);
        let mut out = Vec::new();
        loop {
            let n = self.call("getdents64", &[fd as u64, at, 512]);
            assert!(n >= 0, "getdents64: {n}");
            if n == 0 {
                break;
            }
            let raw = self.get(at, n as usize);
            let mut rest = &raw[..];
            while !rest.is_empty() {
                let len = usize::from(u16::from_le_bytes([rest[16], rest[17]]));
                let name = rest[19..len].split(|b| *b == 0).next().unwrap_or_default();
                out.push(String::from_utf8_lossy(name).into_owned());
                rest = &rest[len..];
            }
        }
        self.call("close", &[fd as u64]);
        out
    }

    /// Lets time pass, and the alarm go off if it is due.
    pub fn sleep(&mut self, ns: u64) {
        NOW.set(NOW.get() + ns);
        let due = self.alarm.load(0);
        if due != 0 && due <= NOW.get() {
            self.fs.notified(2);
        }
    }

    /// The host types.
    pub fn type_in(&mut self, bytes: &[u8]) {
        self.console.server().input.extend(bytes);
        self.fs.notified(1);
    }

    /// What went to the host since the last time.
    pub fn shown(&mut self) -> String {
        let out = std::mem::take(&mut self.console.server().output);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// The signals for procmgr: group or thread, and number.
    pub fn signals(&mut self) -> Vec<(fsmgr_api::Target, u8)> {
        let mut out = Vec::new();
        while let Ok(Some(event)) = self.fs.next_event() {
            out.push((event.target, event.signal));
        }
        out
    }
}

/// AT_FDCWD.
pub const CWD: u64 = -100i64 as u64;
pub const RDONLY: u32 = 0;
pub const WRONLY: u32 = 1;
pub const RDWR: u32 = 2;
pub const CREAT: u32 = 0o100;
pub const EXCL: u32 = 0o200;
pub const TRUNC: u32 = 0o1000;
pub const APPEND: u32 = 0o2000;
pub const NONBLOCK: u32 = 0o4000;

/// An error as a call returns it.
pub fn err(e: lsyscall_abi::Errno) -> i64 {
    e.to_result()
}
