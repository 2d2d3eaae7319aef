//! Building the components of a domain.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::fmt::Display;

use persona_component::{
    BootArgs, BootMemory, Component, Dataport, Env, EnvParts, HeapHook, Ram, Replies, Slots, Wake,
};
use persona_ipc::{Message, Shared};
use persona_plan::startup::View;
use sel4::cap::{CNode, Notification};

use crate::heap::DomainHeap;
use crate::remote::{Remote, RemoteParts};
use crate::replies::{NoReplies, ReplySlots};
use crate::slots::SlotPool;
use crate::trace::Tracer;

/// Components a domain can host.
pub const MAX_COMPONENTS: usize = 16;

/// What a component is given, as the manifest's compiler writes it down.
pub struct EnvTable {
    /// The component instance.
    pub name: &'static str,
    /// Attributes.
    pub attributes: &'static [(&'static str, &'static str)],
    /// Capability pointers.
    pub caps: &'static [(&'static str, u64)],
    /// Dataports: address, bytes, writable.
    pub dataports: &'static [(&'static str, usize, usize, bool)],
    /// Device registers: address, bytes.
    pub mmio: &'static [(&'static str, usize, usize)],
    /// Events it emits.
    pub wakes: &'static [(&'static str, WakeTarget)],
}

/// Where an event goes.
#[derive(Clone, Copy)]
pub enum WakeTarget {
    /// To a component of this domain: its index and its event's number.
    Local {
        /// Index in the order of [`crate::Hosted::components`].
        component: usize,
        /// Number among the events it consumes.
        event: u32,
    },
    /// To another domain: a notification capability badged with the event.
    Remote(u64),
}

/// Events raised within the domain and not yet handed over, for each component.
pub type Pending = Rc<[Cell<u32>; MAX_COMPONENTS]>;

/// A domain under construction.
pub struct Runtime {
    view: View<'static>,
    shared: Rc<RemoteParts>,
    pub(crate) pending: Pending,
    pub(crate) replies: Cell<Option<u64>>,
    bootargs: BootArgs,
    pub(crate) grower: RefCell<Option<Remote>>,
    pub(crate) tracer: Option<Rc<Tracer>>,
}

/// Where the compiler puts the capability of the domain's own root CNode, and its reply CNode.
const SELF_CNODE: u64 = 4 << 12;
const REPLIES: u64 = 5 << 12;

impl Runtime {
    pub(crate) fn new(view: View<'static>) -> Self {
        let header = view.header();
        let slots = Rc::new(SlotPool::new(header.free_slot_first, header.free_slot_end));
        let shared = RemoteParts {
            message: RefCell::new(Message::new()),
            slots,
            cnode: CNode::from_bits(SELF_CNODE),
            receive: RefCell::new(None),
        };
        let bootargs = BootArgs::parse(view.bootargs());
        Runtime {
            tracer: Tracer::from_args(&bootargs).map(Rc::new),
            bootargs,
            view,
            shared: Rc::new(shared),
            pending: Rc::new([const { Cell::new(0) }; MAX_COMPONENTS]),
            replies: Cell::new(None),
            grower: RefCell::new(None),
        }
    }

    /// The reply CNode of a domain that serves Linux threads. To be called before the components are built.
    pub fn serves_linux(&self) {
        self.replies.set(Some(REPLIES));
    }

    /// Sends log lines to the console at this endpoint from now on.
    pub fn log_to(&self, endpoint: u64) {
        let level = match self.bootargs.get_str("log") {
            Some("error") => log::LevelFilter::Error,
            Some("warn") => log::LevelFilter::Warn,
            Some("debug") => log::LevelFilter::Debug,
            Some("trace") => log::LevelFilter::Trace,
            _ => log::LevelFilter::Info,
        };
        crate::logging::init(self.remote(endpoint), level);
    }

    /// Lets the heap of this domain grow by calls to the memory manager at this endpoint.
    pub fn heap_from(&self, endpoint: u64) {
        let remote = self.remote(endpoint);
        self.grower.replace(Some(remote.clone()));
        crate::heap::grow_with(
            0,
            Box::leak(Box::new(move |bytes| {
                crate::serve::grow_from(&remote, bytes as u64)
            })),
        );
    }

    /// Lets the heap of this domain grow by the memory manager that it hosts.
    pub fn heap_of<C: Component + 'static>(&self, memmgr: &Shared<C>) {
        let memmgr = memmgr.clone();
        // The manager cannot grow the heap for itself while it is at work, so the others must leave it some.
        crate::heap::grow_with(
            crate::serve::HEAP_LOW,
            Box::leak(Box::new(move |bytes| {
                let wanted = DomainHeap.free() + bytes;
                let mut more = true;
                while more && DomainHeap.free() < wanted {
                    // While the manager is at work itself there is none.
                    more = memmgr.try_server().is_some_and(|mut m| m.grow_heap());
                }
                more
            })),
        );
    }

    /// A connection to a server in another domain.
    pub fn remote(&self, endpoint: u64) -> Remote {
        Remote::new(endpoint, None, Rc::clone(&self.shared))
    }

    /// The same with a buffer shared with the server.
    pub fn remote_with_buffer(&self, endpoint: u64, addr: usize, bytes: usize) -> Remote {
        Remote::new(
            endpoint,
            Some(dataport(addr, bytes, true)),
            Rc::clone(&self.shared),
        )
    }

    /// Builds a component in its environment. A component that cannot start ends the domain with its reason.
    pub fn host<S, E: Display>(
        &self,
        table: &'static EnvTable,
        build: impl FnOnce(Env) -> Result<S, E>,
    ) -> Shared<S> {
        match build(self.env(table)) {
            Ok(server) => Shared::new(server),
            Err(error) => crate::panicking::cannot_start(table.name, &error),
        }
    }

    fn env(&self, table: &'static EnvTable) -> Env {
        let replies = match self.replies.get() {
            Some(base) => Replies::new(ReplySlots::new(base, SELF_CNODE, self.tracer.clone())),
            None => Replies::new(NoReplies),
        };
        Env::new(EnvParts {
            name: table.name,
            attributes: table.attributes,
            caps: table.caps,
            dataports: table
                .dataports
                .iter()
                .map(|&(name, addr, len, w)| (name, dataport(addr, len, w)))
                .collect(),
            mmio: table.mmio,
            wakes: table
                .wakes
                .iter()
                .map(|&(name, target)| (name, self.wake(target)))
                .collect(),
            replies,
            slots: Rc::clone(&self.shared.slots) as Slots,
            bootargs: self.bootargs.clone(),
            clock: crate::now_ns,
            memory: self.memory(),
            heap: Some(Rc::new(DomainHeap)),
        })
    }

    fn wake(&self, target: WakeTarget) -> Wake {
        match target {
            WakeTarget::Remote(cptr) => {
                let notification = Notification::from_bits(cptr);
                Wake::new(move || notification.signal())
            }
            WakeTarget::Local { component, event } => {
                let pending = Rc::clone(&self.pending);
                Wake::new(move || {
                    if let Some(bits) = pending.get(component) {
                        bits.set(bits.get() | 1 << event);
                    }
                })
            }
        }
    }

    fn memory(&self) -> BootMemory {
        let header = self.view.header();
        let untypeds: Vec<Ram> = self
            .view
            .untypeds()
            .map(|u| Ram {
                cptr: u64::from(u.slot) << 12,
                paddr: u.paddr,
                bits: u.bits,
                device: u.device,
            })
            .collect();
        let initrd = (header.initrd_len > 0)
            .then(|| (header.initrd_paddr, header.initrd_paddr + header.initrd_len));
        BootMemory {
            untypeds,
            initrd,
            window: (header.free_vaddr_first, header.free_vaddr_end),
        }
    }
}

/// A dataport the plan maps.
fn dataport(addr: usize, bytes: usize, writable: bool) -> Dataport {
    // SAFETY: the plan maps this range, page-aligned and with these rights, for the whole run and for this purpose alone.
    unsafe { Dataport::new(addr as *mut u8, bytes, writable) }
}
