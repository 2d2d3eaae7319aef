//! What a component is, independent of where it runs: the entries a protection domain calls ([`Component`]) and the
//! environment it is given ([`Env`]): capabilities, dataports, devices, attributes and events by the names its manifest
//! declaration uses.
//!
//! Components are built against this crate alone, so they run on the host under test as well as in a domain
//! (`persona-rt`). Nothing here blocks.
//! It must never know the kernel: what needs it comes in through the environment.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod bootargs;
mod dataport;
mod env;
mod usage;

pub use bootargs::BootArgs;
pub use dataport::Dataport;
pub use env::{
    BootMemory, Env, EnvError, EnvParts, HeapHook, Ram, Replies, ReplyPort, SlotSource, Slots, Wake,
};

pub use usage::{Usage, UsageTable};

use lsyscall_abi::{Errno, ThreadIdx};
use lsyscall_router::{Caller, SysResult};
use persona_ipc::{Message, BAD_MESSAGE};

/// A fault of a Linux thread, as the kernel reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserFault {
    /// A page fault or other abort.
    Vm {
        /// Program counter.
        pc: u64,
        /// Faulting address (FAR_EL1).
        addr: u64,
        /// On an instruction fetch.
        instruction: bool,
        /// ESR_EL1.
        esr: u64,
    },
    /// Any other synchronous exception.
    User {
        /// Program counter.
        pc: u64,
        /// ESR_EL1 (0 if the kernel does not tell).
        esr: u64,
    },
}

/// What to do with a faulted thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultReply {
    /// Run on at the same instruction.
    Resume,
    /// Leave it stopped: the signal machinery will restart it, or `Replies::resume_fault` later.
    Stop,
}

/// The entries of a component. A domain calls one at a time and runs each to its end.
pub trait Component {
    /// Serves a Linux system call.
    fn lsyscall(&mut self, caller: &Caller) -> SysResult {
        let _ = caller;
        Err(Errno::ENOSYS)
    }

    /// Handles a fault of a Linux thread.
    fn fault(&mut self, thread: ThreadIdx, fault: &UserFault) -> FaultReply {
        let _ = (thread, fault);
        FaultReply::Stop
    }

    /// Serves a request on one of its interfaces (numbered as its declaration lists them) from another domain's client.
    fn request(&mut self, interface: u8, client: u8, message: &mut Message) {
        let _ = (interface, client);
        message.len = 0;
        message.cap = None;
        message.label = BAD_MESSAGE;
    }

    /// Reads memory of a Linux thread for the system-call tracer; returns the bytes read. Only the memory manager can.
    fn peek(&mut self, thread: ThreadIdx, addr: u64, buf: &mut [u8]) -> usize {
        let _ = (thread, addr, buf);
        0
    }

    /// Makes the heap of its own domain larger; false if it cannot. Only the memory manager can.
    fn grow_heap(&mut self) -> bool {
        false
    }

    /// Gives back what the heap of its own domain needs no longer. Only the memory manager can.
    fn shrink_heap(&mut self) {}

    /// Events arrived: bit n is event n of those its declaration consumes, in the declaration's order; hardware interrupts
    /// follow the consumed events.
    fn notified(&mut self, events: u32) {
        let _ = events;
    }
}
