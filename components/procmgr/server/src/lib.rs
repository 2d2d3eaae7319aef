//! procmgr: Linux processes and threads, signals, sessions, credentials, exec.
//!
//! It owns the kernel objects of Linux threads (behind [`machine::Machine`]) and nothing of their memory or files: those
//! belong to memmgr and fsmgr, which it tells what happens to threads. It must never block on a client: calls that wait are
//! parked.
#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]

extern crate alloc;

mod calls;
mod caps;
mod clone;
mod cpu_clock;
mod events;
mod exec;
mod exit;
mod idregs;
mod init;
mod limits;
mod load;
pub mod machine;
#[cfg(target_os = "none")]
mod machine_sel4;
mod oom;
mod publish;
mod random;
mod schedule;
mod signal;
mod state;
mod tables;
#[cfg(test)]
mod tests;
mod timers;
mod usage;
mod wait;
mod work;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use lsyscall_abi::ThreadIdx;
use lsyscall_router::{dispatch_proc, Caller, Flow, SysResult};
use persona_component::{Component, Dataport, Env, EnvError, Replies, UsageTable, Wake};

use machine::Machine;
use state::{ProcIdx, Process, State, Thread};
use work::Work;

/// The components below, and the kernel.
pub trait Parts {
    /// The file manager.
    type Fs: fsmgr_api::FsMgr;
    /// The memory manager.
    type Mem: memmgr_api::Memory;
    /// The time manager.
    type Time: timemgr_api::TimeMgr;
    /// The console.
    type Console: console_api::Console;
    /// The kernel.
    type Machine: Machine;
}

/// What procmgr uses.
pub struct Deps<F, M, T, C> {
    /// The file manager.
    pub fs: F,
    /// The memory manager.
    pub mem: M,
    /// The time manager.
    pub time: T,
    /// The console.
    pub console: C,
}

/// Names the parts by their types.
pub struct With<F, M, T, C, K>(core::marker::PhantomData<(F, M, T, C, K)>);

impl<F, M, T, C, K> Parts for With<F, M, T, C, K>
where
    F: fsmgr_api::FsMgr,
    M: memmgr_api::Memory,
    T: timemgr_api::TimeMgr,
    C: console_api::Console,
    K: Machine,
{
    type Fs = F;
    type Mem = M;
    type Time = T;
    type Console = C;
    type Machine = K;
}

/// The process manager.
pub struct ProcMgr<P: Parts> {
    env: Env,
    fs: P::Fs,
    mem: P::Mem,
    time: P::Time,
    console: P::Console,
    machine: P::Machine,
    replies: Replies,
    /// Most threads, and most processes, there can be at once.
    slots: usize,
    /// They grow, as far as `slots`, when all entries are taken; whoever looks for somebody looks at no more than were ever used.
    threads: Vec<Option<Box<Thread>>>,
    procs: Vec<Option<Box<Process>>>,
    /// What this entry has still to do.
    work: VecDeque<Work>,
    /// Processes to publish.
    changed: Vec<ProcIdx>,
    /// Threads there are, and processes.
    counts: (u32, u32),
    /// Threads that wait here or are stopped.
    waiting: u32,
    /// There is, or was, a signalfd.
    signals_watched: bool,
    /// There is, or was, a descriptor of a process.
    pidfds: bool,
    last_pid: i32,
    created: u64,
    table: Dataport,
    /// Processor time as the kernel counts it.
    usage: Option<UsageTable>,
    /// What all threads that have ended have used.
    ended_threads: usage::Used,
    alarm: Option<(Dataport, Wake)>,
    load: load::Load,
    /// What wall-clock time adds to monotonic time, and the value of it that timers were last set by.
    clock: Option<Dataport>,
    wall_offset: u64,
    random: random::Random,
    uts: calls::system::Uts,
    ended: bool,
}

#[cfg(target_os = "none")]
impl<F, M, T, C> ProcMgr<With<F, M, T, C, machine_sel4::KernelMachine<M>>>
where
    F: fsmgr_api::FsMgr,
    M: memmgr_api::Memory,
    T: timemgr_api::TimeMgr,
    C: console_api::Console,
{
    /// Builds the process manager and starts init.
    ///
    /// # Errors
    /// If the manifest does not give what it needs.
    pub fn new(env: Env, deps: Deps<F, M, T, C>) -> Result<Self, EnvError> {
        let machine = machine_sel4::KernelMachine::new(&env, deps.mem.clone())?;
        let mut procmgr = Self::with_machine(env, deps, machine)?;
        procmgr.start_init();
        Ok(procmgr)
    }
}

impl<F, M, T, C, K> ProcMgr<With<F, M, T, C, K>>
where
    F: fsmgr_api::FsMgr,
    M: memmgr_api::Memory,
    T: timemgr_api::TimeMgr,
    C: console_api::Console,
    K: Machine,
{
    /// Builds the process manager over a given machine, with no process yet.
    ///
    /// # Errors
    /// If the environment lacks something.
    pub fn with_machine(env: Env, deps: Deps<F, M, T, C>, machine: K) -> Result<Self, EnvError> {
        let table = env.dataport("proctable")?;
        let room = (table
            .len()
            .saturating_sub(core::mem::size_of::<procmgr_api::Header>()))
            / (procmgr_api::table_bytes(1) - procmgr_api::table_bytes(0));
        let usage = env.dataport("usage").ok().map(UsageTable::new);
        let counted = usage.map_or(usize::MAX, |usage| usage.threads());
        let slots = (env.number("max_threads")? as usize)
            .min(room)
            .min(counted)
            .min(usize::from(u16::MAX));
        let alarm = match (env.dataport("alarm"), env.wake("alarm_set")) {
            (Ok(port), Ok(wake)) => Some((port, wake)),
            _ => None,
        };
        let mut procmgr = ProcMgr {
            fs: deps.fs,
            mem: deps.mem,
            time: deps.time,
            console: deps.console,
            machine,
            replies: env.replies(),
            slots,
            threads: Vec::with_capacity(slots),
            procs: Vec::with_capacity(slots),
            work: VecDeque::new(),
            changed: Vec::new(),
            counts: (0, 0),
            waiting: 0,
            signals_watched: false,
            pidfds: false,
            last_pid: 0,
            created: 0,
            table,
            usage,
            ended_threads: usage::Used::default(),
            alarm,
            load: load::Load::default(),
            clock: env.dataport("clock").ok(),
            wall_offset: 0,
            // With the host's seed the clock is not needed, and runs with the same seed are the same.
            random: match env.bootargs().get("seed") {
                Some(seed) => random::Random::new(seed, 0),
                None => random::Random::new(&[], env.now_ns()),
            },
            uts: calls::system::Uts::new(),
            ended: false,
            env,
        };
        procmgr.publish_header();
        if let Some(usage) = &procmgr.usage {
            procmgr.load.begin(procmgr.env.now_ns(), usage.load());
            procmgr.rearm();
        }
        Ok(procmgr)
    }
}

impl<P: Parts> Component for ProcMgr<P> {
    fn lsyscall(&mut self, caller: &Caller) -> SysResult {
        let t = caller.thread;
        let result = match self.thread(t).map(|th| &th.state) {
            Some(State::User) => {
                self.set_state(t, State::Held);
                let result = dispatch_proc(self, caller);
                self.drain();
                self.settle(t, result)
            }
            Some(State::Shim(_)) => {
                self.continue_from_shim(t, caller.pc);
                Ok(Flow::Taken)
            }
            // It was stopped or has ended; its call is void.
            _ => Ok(Flow::Taken),
        };
        self.drain();
        self.publish_changes();
        result
    }

    fn notified(&mut self, events: u32) {
        if events & 1 != 0 {
            self.take_mem_events();
        }
        if events & 2 != 0 {
            self.take_fs_events();
        }
        if events & 4 != 0 {
            self.alarm_fired();
        }
        self.drain();
        self.publish_changes();
    }
}

impl<P: Parts> ProcMgr<P> {
    pub(crate) fn thread(&self, t: ThreadIdx) -> Option<&Thread> {
        self.threads.get(t.index())?.as_deref()
    }

    pub(crate) fn thread_mut(&mut self, t: ThreadIdx) -> Option<&mut Thread> {
        self.threads.get_mut(t.index())?.as_deref_mut()
    }

    pub(crate) fn process(&self, p: ProcIdx) -> Option<&Process> {
        self.procs.get(p.0)?.as_deref()
    }

    /// A process to change; what has changed is published at the end of the entry.
    pub(crate) fn process_mut(&mut self, p: ProcIdx) -> Option<&mut Process> {
        self.note_change(p);
        self.procs.get_mut(p.0)?.as_deref_mut()
    }

    /// The process of a calling thread.
    pub(crate) fn caller_process(&self, t: ThreadIdx) -> Option<(ProcIdx, &Process)> {
        let p = self.thread(t)?.process;
        Some((p, self.process(p)?))
    }

    pub(crate) fn now(&self) -> u64 {
        self.env.now_ns()
    }
}
