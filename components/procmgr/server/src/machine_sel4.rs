//! The kernel objects of Linux threads, on seL4.
//!
//! Each thread slot has one TCB and one CNode, made when the slot is first used and kept for the next thread of the slot: its
//! badge, and so its capabilities, stay the same. The CNode holds nothing but badged endpoint capabilities: one for each
//! route of the system-call table, and the fault endpoint.

use alloc::vec::Vec;

use lsyscall_abi::{Errno, ThreadIdx};
use lsyscall_table::{FAULT_SLOT, ROUTES};
use memmgr_api::MemMgr;
use persona_component::{Env, EnvError, Slots, UsageTable};
use sel4::cap::{CNode, Granule, Tcb, Untyped, VSpace};
use sel4::{
    AbsoluteCPtr, CNodeCapData, CPtr, CapData, CapRights, ObjectBlueprint, PrioProps, UserContext,
};

use crate::machine::{Machine, Regs};
use crate::schedule::Params;

/// Slots of a thread's CNode as a power of two.
const THREAD_CNODE_BITS: u8 = 5;
/// Memory asked of memmgr at a time, as a power of two.
const CHUNK_BITS: u8 = 15;
/// Badge of a Linux thread: kind 1 in bits 24-26 (docs/architecture.md).
const THREAD_BADGE: u64 = 1 << 24;
/// What the badge of a thread's fault endpoint has besides.
const FAULT_BADGE: u64 = 1 << 16;
/// Bits of an address that a second-level CNode consumes.
const LEAF_BITS: u8 = 12;
/// Priority of Linux threads if the manifest says nothing else.
const LINUX_PRIORITY: u64 = 100;

#[derive(Clone, Copy)]
struct Objects {
    tcb: Tcb,
    cnode: CNode,
    /// Above the priority of threads without real time.
    above: u8,
}

/// Threads on the kernel.
pub struct KernelMachine<M> {
    mem: M,
    slots: Slots,
    own: CNode,
    endpoints: Vec<(&'static str, u64)>,
    priority: u8,
    objects: Vec<Option<Objects>>,
    /// Whose CNode exists: there may have been no memory for the TCB then.
    cnodes: Vec<bool>,
    /// Untyped being cut up, and bytes left in it.
    chunk: Option<(Untyped, u64)>,
    /// The CNode that holds the threads' CNode and TCB capabilities, once made.
    node: Option<Node>,
}

/// A second-level CNode: a capability on a CNode can only be invoked where its address has no bits left.
#[derive(Clone, Copy)]
struct Node {
    /// Capability pointer of its first slot.
    base: u64,
    /// The root slot it lies in, to make objects into it.
    address: AbsoluteCPtr,
    /// Where the TCBs begin; the CNodes come first.
    tcbs: u64,
}

impl<M: MemMgr> KernelMachine<M> {
    /// Over the environment's endpoint capabilities.
    pub fn new(env: &Env, mem: M) -> Result<Self, EnvError> {
        let endpoints = env
            .caps()
            .iter()
            .filter_map(|&(name, cptr)| Some((name.strip_prefix("lsyscall.")?, cptr)))
            .collect::<Vec<_>>();
        let own = CNode::from_bits(env.cap("self_cnode")?);
        let slots = usize::try_from(env.number("max_threads")?).unwrap_or(0);
        Ok(KernelMachine {
            mem,
            slots: env.slots(),
            own,
            endpoints,
            priority: env.number("linux_priority").unwrap_or(LINUX_PRIORITY) as u8,
            objects: (0..slots).map(|_| None).collect(),
            cnodes: (0..slots).map(|_| false).collect(),
            chunk: None,
            node: None,
        })
    }

    fn address(&self, cptr: u64) -> AbsoluteCPtr {
        let (index, depth) = self.slots.locate(cptr);
        self.own.slot(index, depth)
    }

    fn endpoint(&self, component: &str) -> Option<u64> {
        self.endpoints
            .iter()
            .find(|(name, _)| *name == component)
            .map(|&(_, cptr)| cptr)
    }

    /// The node, made when the first thread is.
    fn node(&mut self) -> Result<Node, Errno> {
        if let Some(node) = self.node {
            return Ok(node);
        }
        let tcbs = self.objects.len().next_power_of_two().max(2) as u64;
        let bits = (tcbs * 2).trailing_zeros() as u8;
        if bits > LEAF_BITS {
            return Err(Errno::ENOMEM);
        }
        let blueprint = ObjectBlueprint::CNode { size_bits: bits };
        let untyped = Untyped::from_bits(self.mem.alloc_untyped(blueprint.physical_size_bits())?.0);
        let plain = self.slots.alloc_root().ok_or(Errno::ENOMEM)?;
        let base = self.slots.alloc_root().ok_or(Errno::ENOMEM)?;
        untyped
            .retype(
                blueprint,
                &self.own.itself(),
                (plain >> LEAF_BITS) as usize,
                1,
            )
            .map_err(kernel_error)?;
        let guard = CNodeCapData::new(0, LEAF_BITS - bits);
        let address = self.root_slot(base);
        address
            .mutate(&self.root_slot(plain), guard)
            .map_err(kernel_error)?;
        let node = Node {
            base,
            address,
            tcbs,
        };
        self.node = Some(node);
        Ok(node)
    }

    fn root_slot(&self, cptr: u64) -> AbsoluteCPtr {
        self.own.slot(cptr >> LEAF_BITS, 64 - LEAF_BITS)
    }

    /// Makes one object in a slot of the node.
    fn make(&mut self, blueprint: ObjectBlueprint, node: Node, offset: u64) -> Result<u64, Errno> {
        let size = 1u64 << blueprint.physical_size_bits();
        for _ in 0..2 {
            if let Some((untyped, left)) = self.chunk {
                if left >= size
                    && untyped
                        .retype(blueprint, &node.address, offset as usize, 1)
                        .is_ok()
                {
                    self.chunk = Some((untyped, left - size));
                    return Ok(node.base + offset);
                }
            }
            let cap = self.mem.alloc_untyped(CHUNK_BITS)?;
            self.chunk = Some((Untyped::from_bits(cap.0), 1 << CHUNK_BITS));
        }
        Err(Errno::ENOMEM)
    }

    fn build(&mut self, thread: ThreadIdx) -> Result<Objects, Errno> {
        let node = self.node()?;
        let at = u64::from(thread.0);
        let made = self.cnodes.get(thread.index()).copied();
        if !made.ok_or(Errno::EAGAIN)? {
            let size_bits = THREAD_CNODE_BITS;
            self.make(ObjectBlueprint::CNode { size_bits }, node, at)?;
            self.cnodes[thread.index()] = true;
        }
        let cnode_cptr = node.base + at;
        let tcb_cptr = self.make(ObjectBlueprint::Tcb, node, node.tcbs + at)?;
        let cnode = CNode::from_bits(cnode_cptr);
        let badge = THREAD_BADGE | u64::from(thread.0);
        let routes = ROUTES
            .iter()
            .map(|route| (route.slot, route.component.name(), badge));
        let fault = (FAULT_SLOT, "memmgr", badge | FAULT_BADGE);
        for (slot, component, badge) in routes.chain([fault]) {
            // A component this system does not have: no capability, so its calls reach the fault endpoint (ENOSYS).
            let Some(endpoint) = self.endpoint(component) else {
                continue;
            };
            let to = cnode.slot(u64::from(slot), THREAD_CNODE_BITS);
            let from = self.address(endpoint);
            to.mint(&from, CapRights::WRITE_GRANT, CapData::badge(badge))
                .map_err(kernel_error)?;
        }
        Ok(Objects {
            tcb: Tcb::from_bits(tcb_cptr),
            cnode,
            above: 0,
        })
    }

    fn objects(&self, thread: ThreadIdx) -> Option<Objects> {
        self.objects.get(thread.index()).copied().flatten()
    }
}

impl<M: MemMgr> Machine for KernelMachine<M> {
    fn prepare(&mut self, thread: ThreadIdx) -> Result<(), Errno> {
        let objects = match self.objects(thread) {
            Some(objects) => objects,
            None => {
                let objects = self.build(thread)?;
                *self.objects.get_mut(thread.index()).ok_or(Errno::EAGAIN)? = Some(objects);
                objects
            }
        };
        let entry = UsageTable::entry(thread);
        objects.tcb.set_usage(entry).map_err(kernel_error)
    }

    fn set_space(&mut self, thread: ThreadIdx, vspace: u64) -> Result<(), Errno> {
        let objects = self.objects(thread).ok_or(Errno::ESRCH)?;
        let priority = PrioProps {
            mcp: 0,
            priority: self.priority.saturating_add(objects.above),
        };
        let result = objects.tcb.configure(
            CPtr::from_bits(u64::from(FAULT_SLOT)),
            priority,
            objects.cnode,
            CNodeCapData::skip_high_bits(THREAD_CNODE_BITS),
            VSpace::from_bits(vspace),
            0,
            Granule::NULL,
        );
        result.map_err(|error| {
            log::error!("thread {}: TCB_Configure: {error:?}", thread.0);
            Errno::ENOMEM
        })
    }

    fn schedule(&mut self, thread: ThreadIdx, params: Params) {
        let Some(objects) = self
            .objects
            .get_mut(thread.index())
            .and_then(Option::as_mut)
        else {
            return;
        };
        let mut result = objects.tcb.set_share(params.share, params.slice);
        if objects.above != params.above {
            objects.above = params.above;
            let priority = self.priority.saturating_add(params.above);
            result = result.and(objects.tcb.set_priority(priority));
        }
        if let Err(error) = result {
            log::error!("thread {}: scheduling: {error:?}", thread.0);
        }
    }

    fn stop(&mut self, thread: ThreadIdx) {
        if let Some(objects) = self.objects(thread) {
            let _ = objects.tcb.suspend();
        }
    }

    fn read(&mut self, thread: ThreadIdx) -> Regs {
        let context = self
            .objects(thread)
            .and_then(|objects| objects.tcb.read_all_registers(false).ok());
        context.map_or(Regs::ZERO, |context| from_context(&context))
    }

    fn write(&mut self, thread: ThreadIdx, regs: &Regs, run: bool) {
        if let Some(objects) = self.objects(thread) {
            if let Err(error) = objects.tcb.write_all_registers(run, &to_context(regs)) {
                log::error!("thread {}: TCB_WriteRegisters: {error:?}", thread.0);
            }
        }
    }

    fn drop_space(&mut self, vspace: u64) {
        let _ = self.address(vspace).delete();
        self.slots.free(vspace);
    }
}

/// What a thread gets to see of a kernel error: memory or slots are short.
fn kernel_error(error: sel4::Error) -> Errno {
    log::error!("kernel object of a thread: {error:?}");
    Errno::ENOMEM
}

fn from_context(c: &UserContext) -> Regs {
    Regs {
        x: [
            c.x0, c.x1, c.x2, c.x3, c.x4, c.x5, c.x6, c.x7, c.x8, c.x9, c.x10, c.x11, c.x12, c.x13,
            c.x14, c.x15, c.x16, c.x17, c.x18, c.x19, c.x20, c.x21, c.x22, c.x23, c.x24, c.x25,
            c.x26, c.x27, c.x28, c.x29, c.x30,
        ],
        sp: c.sp,
        pc: c.pc,
        pstate: c.spsr,
        tpidr: c.tpidr_el0,
    }
}

fn to_context(r: &Regs) -> UserContext {
    let [x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15, x16, x17, x18, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28, x29, x30] =
        r.x;
    UserContext {
        pc: r.pc,
        sp: r.sp,
        spsr: r.pstate,
        x0,
        x1,
        x2,
        x3,
        x4,
        x5,
        x6,
        x7,
        x8,
        x9,
        x10,
        x11,
        x12,
        x13,
        x14,
        x15,
        x16,
        x17,
        x18,
        x19,
        x20,
        x21,
        x22,
        x23,
        x24,
        x25,
        x26,
        x27,
        x28,
        x29,
        x30,
        tpidr_el0: r.tpidr,
        ..UserContext::ZERO
    }
}
