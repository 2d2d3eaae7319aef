//! The capability plan: what the manifest compiler writes, the root task carries out, and reports are printed from.
//!
//! - [`Plan`] names every kernel object, every capability of every protection domain with its rights and badge, every
//!   mapping, thread and interrupt. Nothing exists in a running system that no line of the plan names, except what a
//!   component makes from the memory it was granted.
//! - [`archive`] is the file the root task carries inside: the plan and the domains' program images.
//! - [`startup`] is the page a domain finds at its start: what is known only at boot.
//!
//! The crate has no policy and no opinion on a plan; `manifest-compiler` makes only sound ones, and the root task refuses
//! what it cannot carry out, naming the object.
#![no_std]
#![deny(unsafe_code)]

extern crate alloc;

pub mod archive;
pub mod badge;
pub mod carve;
mod object;
pub mod startup;

pub use object::{Object, ObjectId, ObjectKind, Origin};

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Version of the format; compiler and root task are always built together, so a mismatch is a build error made visible.
pub const FORMAT: u32 = 1;

/// Bytes of a page.
pub const PAGE: u64 = 4096;

/// Pages of the kernel's usage entries: its `CONFIG_USAGE_BITS`, which the root task compares.
pub const USAGE_PAGES: u32 = 8;

/// Priorities above that of Linux threads which are theirs as well: Linux's for real time.
pub const REAL_TIME: u8 = 99;

/// Bits of a capability pointer below the index into a domain's root CNode.
pub const LEAF_BITS: u8 = 12;

/// A whole system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// [`FORMAT`].
    pub format: u32,
    /// Name of the system manifest.
    pub system: String,
    /// The manifests the plan was made from; [`Origin::file`] counts in here.
    pub sources: Vec<String>,
    /// Every kernel object; [`ObjectId`] counts in here.
    pub objects: Vec<Object>,
    /// The protection domains, in the order they are started: servers before their clients.
    pub domains: Vec<Domain>,
    /// What the root task keeps.
    pub root: Root,
}

/// A protection domain: one VSpace, one CSpace, one thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    /// Name, and the name of its program image in the archive.
    pub name: String,
    /// Number in badges: the client index of interface calls, the payload of fault badges.
    pub index: u8,
    /// The components it hosts.
    pub components: Vec<Component>,
    /// What follows a fault of this domain.
    pub on_fault: OnFault,
    /// Its root CNode.
    pub cnode: ObjectId,
    /// Slots of the root CNode as a power of two.
    pub cnode_bits: u8,
    /// Guard bits of the capability on the root CNode, so that a capability pointer is `index << 12`.
    pub guard_bits: u8,
    /// Every capability the domain starts with.
    pub caps: Vec<Cap>,
    /// First slot of the root CNode no capability of the plan uses; from here to the end the domain may fill it.
    pub free_slots: (u32, u32),
    /// Its address space.
    pub vspace: ObjectId,
    /// Mappings besides the program image, whose segments are in the archive.
    pub mappings: Vec<Mapping>,
    /// The heap.
    pub heap: Heap,
    /// Addresses above every mapping of the plan, free for the domain: first, end.
    pub free_vaddr: (u64, u64),
    /// Its thread.
    pub thread: Thread,
    /// Interrupts that arrive at its notification.
    pub irqs: Vec<Irq>,
    /// What it is told and handed at its start.
    pub startup: Startup,
    /// Where the manifest speaks of it.
    pub origin: Origin,
}

/// A component instance inside a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// Name of the instance.
    pub instance: String,
    /// Name of the component type.
    pub component: String,
}

/// What follows a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnFault {
    /// Report it and end the run as a failure of the system.
    EndRun,
    /// Report it; everything else goes on.
    Report,
}

/// Rights of a capability.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rights {
    /// Receive, wait, read.
    pub read: bool,
    /// Send, signal, write.
    pub write: bool,
    /// Send capabilities along.
    pub grant: bool,
}

impl Rights {
    /// All.
    pub const ALL: Rights = Rights {
        read: true,
        write: true,
        grant: true,
    };
    /// Read only.
    pub const R: Rights = Rights {
        read: true,
        write: false,
        grant: false,
    };
    /// Read and write.
    pub const RW: Rights = Rights {
        read: true,
        write: true,
        grant: false,
    };
    /// Write only: send or signal.
    pub const W: Rights = Rights {
        read: false,
        write: true,
        grant: false,
    };
    /// Send with capabilities, and be replied to.
    pub const CALL: Rights = Rights {
        read: false,
        write: true,
        grant: true,
    };

    /// As `rwg`, with `-` for what is missing.
    pub fn text(self) -> &'static str {
        match (self.read, self.write, self.grant) {
            (true, true, true) => "rwg",
            (true, true, false) => "rw-",
            (true, false, true) => "r-g",
            (true, false, false) => "r--",
            (false, true, true) => "-wg",
            (false, true, false) => "-w-",
            (false, false, true) => "--g",
            (false, false, false) => "---",
        }
    }
}

/// A capability of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cap {
    /// Name, as in the slot constants of the domain.
    pub name: String,
    /// The CNode it lies in: the domain's root CNode, or a CNode mounted there.
    pub cnode: ObjectId,
    /// Index in that CNode.
    pub slot: u32,
    /// What it designates.
    pub object: ObjectId,
    /// Its rights (as far as the object's type knows rights).
    pub rights: Rights,
    /// Its badge (endpoints and notifications; 0 is unbadged).
    pub badge: u64,
    /// Guard bits (CNodes; the guard is always zero).
    pub guard_bits: u8,
    /// Where the manifest asks for it.
    pub origin: Origin,
}

/// Frames mapped into a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    /// What it is for.
    pub name: String,
    /// The frames: [`ObjectKind::Frames`] and [`ObjectKind::UsageFrames`] (mapped cached) or [`ObjectKind::DeviceFrames`]
    /// (mapped as device memory).
    pub object: ObjectId,
    /// Address of the first byte, page aligned.
    pub vaddr: u64,
    /// Whether the domain may write. Nothing mapped here is ever executable.
    pub writable: bool,
    /// Where the manifest asks for it.
    pub origin: Origin,
}

/// A domain's heap: a part is mapped at the start, the rest of the range may be filled by memmgr.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heap {
    /// First address.
    pub vaddr: u64,
    /// Bytes mapped at the start.
    pub mapped: u64,
    /// Bytes of the range.
    pub limit: u64,
}

/// A domain's thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// The TCB.
    pub tcb: ObjectId,
    /// Its priority.
    pub priority: u8,
    /// The highest priority it may give to others.
    pub max_priority: u8,
    /// Initial stack pointer, 16-byte aligned. The page below the stack is not mapped.
    pub stack_top: u64,
    /// Frame of the IPC buffer.
    pub ipc_buffer: ObjectId,
    /// Address of the IPC buffer.
    pub ipc_buffer_vaddr: u64,
    /// Capability pointer of the fault endpoint in the domain's CSpace.
    pub fault_cptr: u64,
    /// The notification bound to it.
    pub notification: ObjectId,
}

/// An interrupt delivered to a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Irq {
    /// What it is for.
    pub name: String,
    /// The handler: [`ObjectKind::IrqHandler`].
    pub handler: ObjectId,
    /// The notification it signals.
    pub notification: ObjectId,
    /// The badge of that signal.
    pub badge: u64,
}

/// What a domain is handed at its start besides the capabilities of the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Startup {
    /// Frames of the start-up page(s), mapped read only.
    pub object: ObjectId,
    /// Address of the start-up page(s); also the thread's first argument.
    pub vaddr: u64,
    /// Bytes.
    pub bytes: u64,
    /// Slots (first, end) of the root CNode for the untypeds of the next two.
    pub untypeds: Option<(u32, u32)>,
    /// Grant `ram`: all RAM the plan leaves over.
    pub ram: bool,
    /// Grant `initrd`: the device untypeds that hold the initial root file system.
    pub initrd: bool,
    /// Grant `boot-info`: the boot arguments.
    pub boot_info: bool,
}

/// What the root task keeps for itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// The endpoint it receives faults and supervisor requests on.
    pub endpoint: ObjectId,
    /// The UART it writes to as long as, or as soon as, no console component can do it for it.
    pub panic_console: Option<ObjectId>,
    /// The console component's interface, for the supervisor's reports: endpoint, badge, and the serving domain.
    pub console: Option<RootConsole>,
}

/// The root task's way to the console component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootConsole {
    /// Endpoint of the serving domain.
    pub endpoint: ObjectId,
    /// Badge of the root task's calls.
    pub badge: u64,
    /// [`Domain::index`] of the serving domain; when it has faulted the panic console is used.
    pub domain: u8,
}

impl Plan {
    /// The plan as bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_allocvec(self)
    }

    /// A plan from bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Plan, postcard::Error> {
        postcard::from_bytes(bytes)
    }

    /// An object, if the id is one of this plan.
    pub fn object(&self, id: ObjectId) -> Option<&Object> {
        self.objects.get(id.0 as usize)
    }

    /// `file:line` of a place in the manifests.
    pub fn place(&self, origin: Origin) -> (&str, u32) {
        (
            self.sources
                .get(origin.file as usize)
                .map_or("?", String::as_str),
            origin.line,
        )
    }
}

/// Requests to the root task with the grant `supervisor`.
pub mod supervisor {
    /// Ends the run. Words: reason (0 exited, 1 killed by a signal, 2 the system failed), status.
    pub const END: u64 = 1;
    /// Label of the answer: done.
    pub const DONE: u64 = 0;
    /// Label of the answer: the root task knows no such request.
    pub const BAD_REQUEST: u64 = 1;
}
