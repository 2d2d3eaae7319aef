//! A domain: its fixed capabilities, memory, thread.

use super::{Objects, Shared, REGION_BASE};
use crate::decl::Grant;
use crate::layout::DomainLayout;
use crate::model::{End, Model};
use crate::source::{Errors, Files};
use persona_plan::{
    badge, Cap, Component, Domain, Heap, Irq, Mapping, ObjectId, ObjectKind, OnFault, Origin,
    Rights, Startup, Thread, LEAF_BITS, PAGE, REAL_TIME,
};

/// Where a domain's heap lies.
pub const HEAP_BASE: u64 = 0x2000_0000;
/// Bytes a heap may grow to.
const HEAP_LIMIT: u64 = 0x2000_0000;
/// Addresses a domain may use as it likes.
const FREE_VADDR: (u64, u64) = (0x1_0000_0000, 0x40_0000_0000);
/// Slots for the untypeds of the grants `ram` and `initrd`.
const UNTYPED_SLOTS: u32 = 400;
/// Slots at fixed places, which `persona-rt` knows: CNode capabilities and parked replies; empty in domains without.
const NODES_SLOT: u32 = 4;
const REPLIES_SLOT: u32 = 5;
/// Pages of a start-up page.
const STARTUP_PAGES: u32 = 4;
/// Slots of the CNode for CNode capabilities, as a power of two.
const NODES_BITS: u8 = 2;

/// Makes one domain.
pub(super) struct Maker<'m, 'a> {
    pub(super) model: &'m Model<'a>,
    pub(super) files: &'m Files,
    pub(super) shared: &'m Shared,
    pub(super) objects: &'m mut Objects,
    pub(super) index: usize,
    name: String,
    origin: Origin,
    cnode: ObjectId,
    caps: Vec<Cap>,
    next_slot: u32,
    next_vaddr: u64,
    mappings: Vec<Mapping>,
    mapped: Vec<(ObjectId, u64)>,
    pub(super) irqs: Vec<Irq>,
    pub(super) layout: DomainLayout,
    startup: Option<Startup>,
    thread: Option<Thread>,
    heap: Heap,
    fault_cptr: u64,
}

impl<'m, 'a> Maker<'m, 'a> {
    pub(super) fn new(
        model: &'m Model<'a>,
        files: &'m Files,
        shared: &'m Shared,
        objects: &'m mut Objects,
        index: usize,
    ) -> Self {
        let domain = &model.domains[index];
        let origin = files.origin(domain.name.place);
        let name = domain.name.value.clone();
        let kind = ObjectKind::CNode {
            bits: domain.cnode_bits,
        };
        let cnode = objects.add(format!("{name}.cnode"), kind, Some(index as u8), origin);
        Maker {
            model,
            files,
            shared,
            objects,
            index,
            name,
            origin,
            cnode,
            caps: Vec::new(),
            next_slot: 1,
            next_vaddr: REGION_BASE,
            mappings: Vec::new(),
            mapped: Vec::new(),
            irqs: Vec::new(),
            layout: DomainLayout::default(),
            startup: None,
            thread: None,
            heap: Heap {
                vaddr: HEAP_BASE,
                mapped: 0,
                limit: HEAP_LIMIT,
            },
            fault_cptr: 0,
        }
    }

    pub(super) fn private(&mut self, what: &str, kind: ObjectKind) -> ObjectId {
        let name = format!("{}.{what}", self.name);
        let group = Some(self.index as u8);
        self.objects.add(name, kind, group, self.origin)
    }

    /// Puts a capability into the next slot; returns the name of its slot constant.
    pub(super) fn cap(
        &mut self,
        name: &str,
        object: ObjectId,
        rights: Rights,
        badge: u64,
        origin: Origin,
    ) -> String {
        let name = constant(name);
        if self.caps.iter().any(|c| c.name == name) {
            return name;
        }
        let slot = self.next_slot;
        self.next_slot += 1;
        self.slot_constant(&name, u64::from(slot) << LEAF_BITS, object, rights, badge);
        self.caps.push(Cap {
            name: name.clone(),
            cnode: self.cnode,
            slot,
            object,
            rights,
            badge,
            guard_bits: 0,
            origin,
        });
        name
    }

    pub(super) fn slot_constant(
        &mut self,
        name: &str,
        cptr: u64,
        object: ObjectId,
        rights: Rights,
        badge: u64,
    ) {
        let object = &self.objects.list[object.0 as usize];
        let mut comment = format!("`{}` ({}", object.name, object.kind.text());
        comment += &match object.kind {
            ObjectKind::Endpoint | ObjectKind::Notification => {
                format!("), rights {}, badge {badge:#x}", rights.text())
            }
            _ => ")".into(),
        };
        self.layout.slots.push((name.into(), cptr, comment));
    }

    /// Mounts a CNode in the next root slot.
    pub(super) fn mount(&mut self, what: &str, bits: u8) -> (ObjectId, u64) {
        let node = self.private(what, ObjectKind::CNode { bits });
        let base = u64::from(self.next_slot) << LEAF_BITS;
        self.cap(what, node, Rights::ALL, 0, self.origin);
        if let Some(cap) = self.caps.last_mut() {
            cap.guard_bits = LEAF_BITS - bits;
        }
        (node, base)
    }

    pub(super) fn fixed_caps(&mut self) {
        let at = self.origin;
        let index = self.index;
        let fault = badge::fault(index as u8);
        self.cap("endpoint", self.shared.endpoints[index], Rights::R, 0, at);
        self.cap(
            "notification",
            self.shared.notifications[index],
            Rights::R,
            0,
            at,
        );
        self.fault_cptr = u64::from(self.next_slot) << LEAF_BITS;
        self.cap("fault", self.shared.root_endpoint, Rights::CALL, fault, at);
        let granted = |grant| self.model.domain_granted(index, grant).is_some();
        let serves = self.model.serves_lsyscalls(index);
        let calls = self.model.rpcs.iter().any(|l| {
            let domain = |end: End| self.model.instances[end.instance].domain;
            domain(l.from) == index && domain(l.to) != index
        });
        let manages = [
            Grant::Ram,
            Grant::Asid,
            Grant::LsyscallMint,
            Grant::SelfCspace,
        ];
        // To park replies, to receive capabilities with answers, to use memory.
        self.next_slot = NODES_SLOT;
        if serves || calls || manages.into_iter().any(granted) {
            self.own_cnode();
        }
        self.next_slot = REPLIES_SLOT;
        if serves {
            let threads = u32::max(self.model.max_threads, 2);
            let bits = threads.next_power_of_two().ilog2() as u8;
            self.mount("replies", bits.min(LEAF_BITS));
            self.layout.replies = true;
        }
        self.next_slot = REPLIES_SLOT + 1;
    }

    /// A capability pointer of a root slot that holds a CNode means a slot in that CNode. So the capability on the root CNode
    /// itself lies in a small CNode of its own.
    pub(super) fn own_cnode(&mut self) {
        let (nodes, base) = self.mount("nodes", NODES_BITS);
        let root = self.cnode;
        self.slot_constant("SELF_CNODE", base, root, Rights::ALL, 0);
        self.caps.push(Cap {
            name: "SELF_CNODE".into(),
            cnode: nodes,
            slot: 0,
            object: root,
            rights: Rights::ALL,
            badge: 0,
            guard_bits: self.guard_bits(),
            origin: self.origin,
        });
    }

    pub(super) fn guard_bits(&self) -> u8 {
        64 - LEAF_BITS - self.model.domains[self.index].cnode_bits
    }

    /// Maps an object at the next free address, behind an unmapped page. Mapping it twice gives the same address.
    pub(super) fn map(
        &mut self,
        what: &str,
        object: ObjectId,
        writable: bool,
        origin: Origin,
    ) -> u64 {
        if let Some(&(_, vaddr)) = self.mapped.iter().find(|(o, _)| *o == object) {
            if writable {
                let entry = self.mappings.iter_mut().find(|m| m.object == object);
                entry.into_iter().for_each(|m| m.writable = true);
            }
            return vaddr;
        }
        let vaddr = self.next_vaddr + PAGE;
        self.next_vaddr = vaddr + self.pages(object) * PAGE;
        self.mapping(what, object, vaddr, writable, origin);
        vaddr
    }

    pub(super) fn mapping(
        &mut self,
        what: &str,
        object: ObjectId,
        vaddr: u64,
        writable: bool,
        origin: Origin,
    ) {
        self.mapped.push((object, vaddr));
        self.mappings.push(Mapping {
            name: what.into(),
            object,
            vaddr,
            writable,
            origin,
        });
    }

    pub(super) fn pages(&self, object: ObjectId) -> u64 {
        match self.objects.list[object.0 as usize].kind {
            ObjectKind::Frames { pages }
            | ObjectKind::DeviceFrames { pages, .. }
            | ObjectKind::UsageFrames { pages } => pages.into(),
            _ => 0,
        }
    }

    pub(super) fn startup(&mut self) {
        let granted = |grant| self.model.domain_granted(self.index, grant).is_some();
        let ram = granted(Grant::Ram) || granted(Grant::Initrd);
        let boot_info = granted(Grant::BootInfo);
        let (initrd, all_ram) = (granted(Grant::Initrd), granted(Grant::Ram));
        let pages = STARTUP_PAGES;
        let object = self.private("startup", ObjectKind::Frames { pages });
        let vaddr = self.map("start-up page", object, false, self.origin);
        // Grants without RAM of their own would need a list of their own; the compiler gives `initrd` the same slots.
        let slots = (self.next_slot, self.next_slot + UNTYPED_SLOTS);
        if ram {
            self.next_slot = slots.1;
        }
        self.startup = Some(Startup {
            object,
            vaddr,
            bytes: u64::from(pages) * PAGE,
            untypeds: ram.then_some(slots),
            ram: all_ram,
            initrd,
            boot_info,
        });
    }

    pub(super) fn memory(&mut self) {
        let domain = &self.model.domains[self.index];
        let at = self.origin;
        let ipc_buffer = self.private("ipc-buffer", ObjectKind::Frames { pages: 1 });
        let ipc_buffer_vaddr = self.map("IPC buffer", ipc_buffer, true, at);
        let pages = domain.stack.div_ceil(PAGE) as u32;
        let stack = self.private("stack", ObjectKind::Frames { pages });
        let stack_vaddr = self.map("stack", stack, true, at);
        let pages = domain.heap.div_ceil(PAGE) as u32;
        if pages > 0 {
            let heap = self.private("heap", ObjectKind::Frames { pages });
            self.mapping("heap", heap, HEAP_BASE, true, at);
        }
        self.heap.mapped = u64::from(pages) * PAGE;
        let tcb = self.private("tcb", ObjectKind::Tcb);
        let mints = self.model.domain_granted(self.index, Grant::LsyscallMint);
        self.thread = Some(Thread {
            tcb,
            priority: domain.priority,
            max_priority: mints.map_or(0, |_| self.model.linux_priority.saturating_add(REAL_TIME)),
            stack_top: stack_vaddr + self.pages(stack) * PAGE,
            ipc_buffer,
            ipc_buffer_vaddr,
            fault_cptr: self.fault_cptr,
            notification: self.shared.notifications[self.index],
        });
    }
    pub(super) fn finish(self, errors: &mut Errors) -> (Domain, DomainLayout) {
        let domain = &self.model.domains[self.index];
        let slots = 1u32 << domain.cnode_bits;
        if self.next_slot > slots {
            errors.at(
                domain.name.place,
                format!(
                    "domain `{}` needs {} capability slots and has {slots}",
                    self.name, self.next_slot
                ),
                "raise its `cnode_bits`",
            );
        }
        if self.next_vaddr > HEAP_BASE {
            errors.at(
                domain.name.place,
                format!(
                    "the devices and dataports of domain `{}` do not fit",
                    self.name
                ),
                format!("they have {} MiB", (HEAP_BASE - REGION_BASE) >> 20),
            );
        }
        let guard_bits = self.guard_bits();
        let hosts = domain.hosts.iter().map(|&i| &self.model.instances[i]);
        let on_fault = if hosts.clone().any(|i| i.on_fault == OnFault::EndRun) {
            OnFault::EndRun
        } else {
            OnFault::Report
        };
        let out = Domain {
            name: self.name,
            index: self.index as u8,
            components: hosts
                .map(|i| Component {
                    instance: i.name.value.clone(),
                    component: i.decl.name.value.clone(),
                })
                .collect(),
            on_fault,
            cnode: self.cnode,
            cnode_bits: domain.cnode_bits,
            guard_bits,
            caps: self.caps,
            free_slots: (self.next_slot, slots),
            vspace: self.shared.vspaces[self.index],
            mappings: self.mappings,
            heap: self.heap,
            free_vaddr: FREE_VADDR,
            thread: self.thread.unwrap_or_default(),
            irqs: self.irqs,
            startup: self.startup.unwrap_or_default(),
            origin: self.origin,
        };
        (out, self.layout)
    }
}
/// Name of a slot constant.
fn constant(name: &str) -> String {
    name.to_uppercase().replace(['.', '-'], "_")
}
