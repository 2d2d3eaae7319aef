//! The kernel objects of Linux threads, behind a trait so that the logic runs on the host under test.

use lsyscall_abi::{Errno, ThreadIdx};

use crate::schedule::Params;

/// The general registers of a Linux thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Regs {
    /// x0 to x30.
    pub x: [u64; 31],
    /// Stack pointer.
    pub sp: u64,
    /// Program counter.
    pub pc: u64,
    /// PSTATE as SPSR_EL1 shows it.
    pub pstate: u64,
    /// TPIDR_EL0, the thread pointer.
    pub tpidr: u64,
}

impl Regs {
    /// What a new program starts with: all zero.
    pub const ZERO: Regs = Regs {
        x: [0; 31],
        sp: 0,
        pc: 0,
        pstate: 0,
        tpidr: 0,
    };
}

/// Bits of PSTATE a program may choose: N, Z, C, V.
pub const PSTATE_USER: u64 = 0xf000_0000;

/// What procmgr does to threads. All calls are immediate.
pub trait Machine {
    /// Makes sure the thread's kernel objects exist: its TCB and the CNode with its badged endpoint capabilities. Its
    /// processor time counts from 0. `ENOMEM`.
    fn prepare(&mut self, thread: ThreadIdx) -> Result<(), Errno>;
    /// Puts the thread into an address space (a VSpace capability pointer of this domain). `ENOMEM`.
    fn set_space(&mut self, thread: ThreadIdx, vspace: u64) -> Result<(), Errno>;
    /// Schedules the thread so from now on.
    fn schedule(&mut self, thread: ThreadIdx, params: Params);
    /// Stops the thread where it is; a call or fault it waits in is dropped.
    fn stop(&mut self, thread: ThreadIdx);
    /// The registers of a stopped or waiting thread.
    fn read(&mut self, thread: ThreadIdx) -> Regs;
    /// Sets the registers and, if `run`, lets the thread run with them.
    fn write(&mut self, thread: ThreadIdx, regs: &Regs, run: bool);
    /// Gives a VSpace capability back.
    fn drop_space(&mut self, vspace: u64);
}
