//! What a component is given, by name.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::fmt;

use lsyscall_abi::ThreadIdx;

use crate::{BootArgs, Dataport};

/// Something the manifest should have given is missing or malformed: a fault of the system description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnvError {
    /// The component.
    pub component: &'static str,
    /// What kind of thing.
    pub what: &'static str,
    /// Its name.
    pub name: &'static str,
}

impl fmt::Display for EnvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "component {}: its manifest gives no {} named {:?}",
            self.component, self.what, self.name
        )
    }
}

/// Completes parked calls.
pub trait ReplyPort {
    /// Ends the parked call of `thread` with `value` in its x0.
    fn complete(&self, thread: ThreadIdx, value: i64);
    /// Forgets the parked call of `thread`; it stays blocked until it is restarted.
    fn forget(&self, thread: ThreadIdx);
    /// Lets a thread whose fault was answered with `Stop` run on at the faulting instruction.
    fn resume_fault(&self, thread: ThreadIdx);
}

/// The domain's parked replies, one at most for each thread.
#[derive(Clone)]
pub struct Replies(Rc<dyn ReplyPort>);

impl Replies {
    /// Over a port.
    pub fn new(port: impl ReplyPort + 'static) -> Self {
        Replies(Rc::new(port))
    }
    /// See [`ReplyPort::complete`].
    pub fn complete(&self, thread: ThreadIdx, value: i64) {
        self.0.complete(thread, value);
    }
    /// See [`ReplyPort::forget`].
    pub fn forget(&self, thread: ThreadIdx) {
        self.0.forget(thread);
    }
    /// See [`ReplyPort::resume_fault`].
    pub fn resume_fault(&self, thread: ThreadIdx) {
        self.0.resume_fault(thread);
    }
}

/// Raises one event of another component. Never blocks; events that arrive before the last was seen are one.
#[derive(Clone)]
pub struct Wake(Rc<dyn Fn()>);

impl Wake {
    /// From what raises it.
    pub fn new(raise: impl Fn() + 'static) -> Self {
        Wake(Rc::new(raise))
    }
    /// Raises the event.
    pub fn signal(&self) {
        (self.0)();
    }
}

/// Hands out empty capability slots of the domain's CSpace.
pub trait SlotSource {
    /// An empty slot, as a capability pointer; `None` when there is none left.
    fn alloc(&self) -> Option<u64>;
    /// Gives a slot back; it must be empty again.
    fn free(&self, cptr: u64);
    /// Adds second-level CNodes: `cptr` names an empty root slot that now holds a CNode of 2^12 empty slots.
    fn add_node(&self, cptr: u64);
    /// An empty slot of the root CNode (to hold a second-level CNode).
    fn alloc_root(&self) -> Option<u64>;
    /// How CNode invocations address the slot of a capability pointer from the root CNode: index and depth in bits.
    fn locate(&self, cptr: u64) -> (u64, u8) {
        (cptr, 64)
    }
}

/// The domain's slot source, shared by its components.
pub type Slots = Rc<dyn SlotSource>;

/// A component's environment. Looking something up that the manifest does not give is an [`EnvError`].
#[derive(Clone)]
pub struct Env {
    parts: Rc<EnvParts>,
}

/// The contents of an [`Env`]; the runtime fills it, tests build it by hand.
pub struct EnvParts {
    /// The component instance.
    pub name: &'static str,
    /// Attributes.
    pub attributes: &'static [(&'static str, &'static str)],
    /// Capability pointers.
    pub caps: &'static [(&'static str, u64)],
    /// Dataports.
    pub dataports: Vec<(&'static str, Dataport)>,
    /// Device frames: mapped address and length in bytes.
    pub mmio: &'static [(&'static str, usize, usize)],
    /// Events it emits.
    pub wakes: Vec<(&'static str, Wake)>,
    /// Parked replies.
    pub replies: Replies,
    /// Empty slots.
    pub slots: Slots,
    /// The run's settings (empty unless the manifest grants `bootargs`).
    pub bootargs: BootArgs,
    /// Monotonic time in nanoseconds.
    pub clock: fn() -> u64,
    /// Memory handed over (empty unless the manifest grants `ram`).
    pub memory: BootMemory,
    /// The domain's heap, for the component that makes memory.
    pub heap: Option<Rc<dyn HeapHook>>,
}

/// An untyped capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ram {
    /// Where the capability is.
    pub cptr: u64,
    /// Physical address of its first byte.
    pub paddr: u64,
    /// Its size as a power of two.
    pub bits: u8,
    /// Whether it is device memory: part of the initial archive.
    pub device: bool,
}

/// All memory, as the root task hands it over.
#[derive(Clone, Debug, Default)]
pub struct BootMemory {
    /// RAM, and the device untypeds that hold the archive.
    pub untypeds: Vec<Ram>,
    /// Physical address of the initial archive (page-aligned) and the address behind its last byte.
    pub initrd: Option<(u64, u64)>,
    /// Virtual addresses of this domain that nothing uses: first and end.
    pub window: (u64, u64),
}

/// How the component that makes memory sees to the heap of its own domain.
pub trait HeapHook {
    /// Bytes the allocator can still hand out.
    fn free(&self) -> usize;
    /// First address behind the heap, and how many bytes it may grow by.
    fn end(&self) -> (u64, u64);
    /// `bytes` of memory have been mapped at [`HeapHook::end`].
    fn extend(&self, bytes: u64);
    /// Takes the unused end of the heap out of the allocator's hands, if it is large: address and bytes, whole pages. The heap
    /// ends there from now on.
    fn cut(&self) -> Option<(u64, u64)> {
        None
    }
    /// What is mapped now is never to be cut.
    fn keep(&self) {}
}

impl Env {
    /// Wraps the parts.
    pub fn new(parts: EnvParts) -> Self {
        Env {
            parts: Rc::new(parts),
        }
    }

    /// The component instance.
    pub fn name(&self) -> &'static str {
        self.parts.name
    }

    fn missing(&self, what: &'static str, name: &'static str) -> EnvError {
        EnvError {
            component: self.parts.name,
            what,
            name,
        }
    }

    /// An attribute's text.
    pub fn attribute(&self, name: &'static str) -> Result<&'static str, EnvError> {
        find(self.parts.attributes, name).ok_or_else(|| self.missing("attribute", name))
    }

    /// A numeric attribute (decimal).
    pub fn number(&self, name: &'static str) -> Result<u64, EnvError> {
        self.attribute(name)?
            .parse()
            .map_err(|_| self.missing("numeric attribute", name))
    }

    /// A capability pointer.
    pub fn cap(&self, name: &'static str) -> Result<u64, EnvError> {
        find(self.parts.caps, name).ok_or_else(|| self.missing("capability", name))
    }

    /// All capabilities, for names with a common prefix.
    pub fn caps(&self) -> &'static [(&'static str, u64)] {
        self.parts.caps
    }

    /// A dataport.
    pub fn dataport(&self, name: &'static str) -> Result<Dataport, EnvError> {
        find(&self.parts.dataports, name).ok_or_else(|| self.missing("dataport", name))
    }

    /// All dataports, for names with a common prefix.
    pub fn dataports(&self) -> impl Iterator<Item = (&'static str, Dataport)> + '_ {
        self.parts.dataports.iter().copied()
    }

    /// A device's registers: mapped address and length in bytes.
    pub fn mmio(&self, name: &'static str) -> Result<(usize, usize), EnvError> {
        let found = self.parts.mmio.iter().find(|(n, ..)| *n == name);
        found
            .map(|&(_, addr, len)| (addr, len))
            .ok_or_else(|| self.missing("device", name))
    }

    /// All events it may raise, for names with a common prefix.
    pub fn wakes(&self) -> impl Iterator<Item = (&'static str, &Wake)> + '_ {
        self.parts.wakes.iter().map(|(name, wake)| (*name, wake))
    }

    /// An event it may raise.
    pub fn wake(&self, name: &'static str) -> Result<Wake, EnvError> {
        let found = self.parts.wakes.iter().find(|(n, _)| *n == name);
        found
            .map(|(_, wake)| wake.clone())
            .ok_or_else(|| self.missing("event", name))
    }

    /// Parked replies.
    pub fn replies(&self) -> Replies {
        self.parts.replies.clone()
    }

    /// Empty capability slots.
    pub fn slots(&self) -> Slots {
        Rc::clone(&self.parts.slots)
    }

    /// Memory handed over at the start.
    pub fn memory(&self) -> &BootMemory {
        &self.parts.memory
    }

    /// The heap of the domain.
    pub fn heap(&self) -> Option<Rc<dyn HeapHook>> {
        self.parts.heap.clone()
    }

    /// The run's settings.
    pub fn bootargs(&self) -> &BootArgs {
        &self.parts.bootargs
    }

    /// Monotonic time in nanoseconds since the counter started.
    pub fn now_ns(&self) -> u64 {
        (self.parts.clock)()
    }
}

fn find<T: Copy>(list: &[(&'static str, T)], name: &str) -> Option<T> {
    list.iter()
        .find(|(n, _)| *n == name)
        .map(|&(_, value)| value)
}
