//! From a checked model to the plan.

use crate::decl::Grant;
use crate::layout::{ComponentLayout, DomainLayout, Server, WakeTo};
use crate::model::{End, Model};
use crate::source::{Errors, Files, Place};
use persona_plan::{
    badge, Cap, Component, Domain, Heap, Irq, Mapping, Object, ObjectId, ObjectKind, OnFault,
    Origin, Plan, Rights, Root, RootConsole, Startup, Thread, FORMAT, LEAF_BITS, PAGE,
};

/// Where a domain's stack, IPC buffer, start-up page, devices and dataports lie; its program lies below.
pub const REGION_BASE: u64 = 0x1000_0000;
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

/// Plan and what the generated crates need of it, domain by domain.
pub struct Built {
    /// The plan.
    pub plan: Plan,
    /// In the order of the plan's domains.
    pub layouts: Vec<DomainLayout>,
}

struct Objects {
    list: Vec<Object>,
}

impl Objects {
    fn add(
        &mut self,
        name: String,
        kind: ObjectKind,
        group: Option<u8>,
        origin: Origin,
    ) -> ObjectId {
        self.list.push(Object {
            name,
            kind,
            group,
            origin,
        });
        ObjectId(self.list.len() as u32 - 1)
    }
}

/// What domains share, made before any of them.
struct Shared {
    root_endpoint: ObjectId,
    endpoints: Vec<ObjectId>,
    notifications: Vec<ObjectId>,
    vspaces: Vec<ObjectId>,
    /// Memory of dataport links, by link.
    dataports: Vec<ObjectId>,
    /// Memory shared by a client domain (first) and a server instance (second).
    buffers: Vec<(usize, usize, ObjectId)>,
    /// Frames and interrupt handler of each wired device.
    frames: Vec<Option<ObjectId>>,
    handlers: Vec<Option<ObjectId>>,
    asid_control: Option<ObjectId>,
    asid_pool: Option<ObjectId>,
}

/// Makes the plan of a sound model.
pub fn build(model: &Model<'_>, files: &Files, errors: &mut Errors) -> Built {
    let mut objects = Objects { list: Vec::new() };
    let shared = shared_objects(model, files, &mut objects);
    let mut domains = Vec::new();
    let mut layouts = Vec::new();
    for index in 0..model.domains.len() {
        let mut maker = Maker::new(model, files, &shared, &mut objects, index);
        maker.fixed_caps();
        maker.startup();
        maker.memory();
        for (position, &instance) in model.domains[index].hosts.iter().enumerate() {
            maker.component(position, instance);
        }
        let (domain, layout) = maker.finish(errors);
        domains.push(domain);
        layouts.push(layout);
    }
    let root = Root {
        endpoint: shared.root_endpoint,
        panic_console: model.panic_console.and_then(|(device, _)| {
            let wired = model.hardware.iter().position(|w| w.device == device)?;
            shared.frames[wired]
        }),
        console: model.console.map(|(end, _)| RootConsole {
            endpoint: shared.endpoints[model.instances[end.instance].domain],
            badge: badge::interface(interface_index(model, end) as u8, badge::ROOT_CLIENT),
            domain: model.instances[end.instance].domain as u8,
        }),
    };
    let plan = Plan {
        format: FORMAT,
        system: model.name.to_string(),
        sources: files.names(),
        objects: objects.list,
        domains,
        root,
    };
    Built { plan, layouts }
}

/// Number of an interface among those its domain serves.
fn interface_index(model: &Model<'_>, end: End) -> u32 {
    let domain = &model.domains[model.instances[end.instance].domain];
    let before: usize = domain
        .hosts
        .iter()
        .take_while(|&&i| i != end.instance)
        .map(|&i| model.instances[i].decl.provides.len())
        .sum();
    (before + end.port) as u32
}

/// Bit of the first event of an instance in its domain's notification word.
fn event_base(model: &Model<'_>, instance: usize) -> u32 {
    let domain = &model.domains[model.instances[instance].domain];
    let before = domain.hosts.iter().take_while(|&&i| i != instance);
    before.map(|&i| event_count(model, i)).sum()
}

fn event_count(model: &Model<'_>, instance: usize) -> u32 {
    let decl = model.instances[instance].decl;
    (decl.consumes.len() + decl.hardware.iter().filter(|h| h.irq).count()) as u32
}

fn shared_objects(model: &Model<'_>, files: &Files, objects: &mut Objects) -> Shared {
    let none = Origin::default();
    let root_endpoint = objects.add("root.endpoint".into(), ObjectKind::Endpoint, None, none);
    let mut endpoints = Vec::new();
    let mut notifications = Vec::new();
    let mut vspaces = Vec::new();
    for (index, domain) in model.domains.iter().enumerate() {
        let at = files.origin(domain.name.place);
        let name = &domain.name.value;
        let mut add =
            |what: &str, kind, group| objects.add(format!("{name}.{what}"), kind, group, at);
        endpoints.push(add("endpoint", ObjectKind::Endpoint, None));
        notifications.push(add("notification", ObjectKind::Notification, None));
        vspaces.push(add("vspace", ObjectKind::VSpace, Some(index as u8)));
    }
    let mut dataports: Vec<ObjectId> = Vec::new();
    for (index, link) in model.dataports.iter().enumerate() {
        let same = model.dataports[..index]
            .iter()
            .position(|l| l.from == link.from);
        let id = same.map(|other| dataports[other]).unwrap_or_else(|| {
            let instance = &model.instances[link.from.instance];
            let port = &instance.decl.dataports[link.from.port];
            let bytes = port.size.as_ref().map_or(PAGE, |s| s.value.max(1));
            let pages = bytes.div_ceil(PAGE) as u32;
            let name = format!("{}.{}", instance.name.value, port.port.name.value);
            objects.add(
                name,
                ObjectKind::Frames { pages },
                None,
                files.origin(link.place),
            )
        });
        dataports.push(id);
    }
    let buffers = buffers(model, files, objects);
    let mut frames = Vec::new();
    let mut handlers = Vec::new();
    for wired in &model.hardware {
        let device = &model.devices[wired.device];
        let needs = &model.instances[wired.from.instance].decl.hardware[wired.from.port];
        let at = files.origin(wired.place);
        let name = &device.name.value;
        frames.push(
            device
                .mmio
                .as_ref()
                .filter(|_| needs.mmio)
                .map(|(address, bytes)| {
                    let first = address.value & !(PAGE - 1);
                    let pages = (address.value - first + bytes).div_ceil(PAGE) as u32;
                    let kind = ObjectKind::DeviceFrames {
                        paddr: first,
                        pages,
                    };
                    objects.add(format!("{name}.registers"), kind, None, at)
                }),
        );
        handlers.push(device.irq.as_ref().filter(|_| needs.irq).map(|irq| {
            let kind = ObjectKind::IrqHandler {
                irq: irq.value as u32,
            };
            objects.add(format!("{name}.irq"), kind, None, at)
        }));
    }
    let asid = (0..model.domains.len()).find_map(|d| model.domain_granted(d, Grant::Asid));
    let mut asid_object = |name: &str, kind| {
        asid.map(|place| objects.add(name.into(), kind, None, files.origin(place)))
    };
    Shared {
        asid_control: asid_object("asid.control", ObjectKind::AsidControl),
        asid_pool: asid_object("asid.pool", ObjectKind::AsidPool),
        root_endpoint,
        endpoints,
        notifications,
        vspaces,
        dataports,
        buffers,
        frames,
        handlers,
    }
}

/// A domain has one thread, so all its clients of a server share one buffer.
fn buffers(
    model: &Model<'_>,
    files: &Files,
    objects: &mut Objects,
) -> Vec<(usize, usize, ObjectId)> {
    let mut out: Vec<(usize, usize, ObjectId)> = Vec::new();
    for link in &model.rpcs {
        let Some(bytes) = model.buffer(link) else {
            continue;
        };
        let client = model.instances[link.from.instance].domain;
        let server = link.to.instance;
        let pages = bytes.max(1).div_ceil(PAGE) as u32;
        let known = out.iter().find(|(c, s, _)| (*c, *s) == (client, server));
        if let Some((_, _, id)) = known {
            let kind = &mut objects.list[id.0 as usize].kind;
            if let ObjectKind::Frames { pages: old } = kind {
                *old = pages.max(*old);
            }
            continue;
        }
        let name = format!(
            "buffer.{}.{}",
            model.domains[client].name.value, model.instances[server].name.value
        );
        let origin = files.origin(link.place);
        let id = objects.add(name, ObjectKind::Frames { pages }, None, origin);
        out.push((client, server, id));
    }
    out
}

/// Makes one domain.
struct Maker<'m, 'a> {
    model: &'m Model<'a>,
    files: &'m Files,
    shared: &'m Shared,
    objects: &'m mut Objects,
    index: usize,
    name: String,
    origin: Origin,
    cnode: ObjectId,
    caps: Vec<Cap>,
    next_slot: u32,
    next_vaddr: u64,
    mappings: Vec<Mapping>,
    mapped: Vec<(ObjectId, u64)>,
    irqs: Vec<Irq>,
    layout: DomainLayout,
    startup: Option<Startup>,
    thread: Option<Thread>,
    heap: Heap,
    fault_cptr: u64,
}

impl<'m, 'a> Maker<'m, 'a> {
    fn new(
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

    fn private(&mut self, what: &str, kind: ObjectKind) -> ObjectId {
        let name = format!("{}.{what}", self.name);
        let group = Some(self.index as u8);
        self.objects.add(name, kind, group, self.origin)
    }

    /// Puts a capability into the next slot; returns the name of its slot constant.
    fn cap(
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

    fn slot_constant(
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
    fn mount(&mut self, what: &str, bits: u8) -> (ObjectId, u64) {
        let node = self.private(what, ObjectKind::CNode { bits });
        let base = u64::from(self.next_slot) << LEAF_BITS;
        self.cap(what, node, Rights::ALL, 0, self.origin);
        if let Some(cap) = self.caps.last_mut() {
            cap.guard_bits = LEAF_BITS - bits;
        }
        (node, base)
    }

    fn fixed_caps(&mut self) {
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
    fn own_cnode(&mut self) {
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

    fn guard_bits(&self) -> u8 {
        64 - LEAF_BITS - self.model.domains[self.index].cnode_bits
    }

    /// Maps an object at the next free address, behind an unmapped page. Mapping it twice gives the same address.
    fn map(&mut self, what: &str, object: ObjectId, writable: bool, origin: Origin) -> u64 {
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

    fn mapping(
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

    fn pages(&self, object: ObjectId) -> u64 {
        match self.objects.list[object.0 as usize].kind {
            ObjectKind::Frames { pages } | ObjectKind::DeviceFrames { pages, .. } => pages.into(),
            _ => 0,
        }
    }

    fn startup(&mut self) {
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

    fn memory(&mut self) {
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
            max_priority: mints.map_or(0, |_| self.model.linux_priority),
            stack_top: stack_vaddr + self.pages(stack) * PAGE,
            ipc_buffer,
            ipc_buffer_vaddr,
            fault_cptr: self.fault_cptr,
            notification: self.shared.notifications[self.index],
        });
    }

    fn component(&mut self, position: usize, instance: usize) {
        let decl = self.model.instances[instance].decl;
        let provides = End { instance, port: 0 };
        let mut out = ComponentLayout {
            instance,
            interface_base: interface_index(self.model, provides),
            interfaces: decl.provides.len() as u32,
            event_base: event_base(self.model, instance),
            events: event_count(self.model, instance),
            ..ComponentLayout::default()
        };
        self.calls(instance, &mut out);
        self.events(instance, &mut out);
        self.dataports(instance, &mut out);
        self.server_buffers(instance, &mut out);
        self.hardware(instance, &mut out);
        self.grants(instance, &mut out);
        debug_assert_eq!(position, self.layout.components.len());
        self.layout.components.push(out);
    }

    fn position(&self, instance: usize) -> usize {
        let hosts = &self.model.domains[self.index].hosts;
        hosts.iter().position(|&i| i == instance).unwrap_or(0)
    }

    fn calls(&mut self, instance: usize, out: &mut ComponentLayout) {
        let model = self.model;
        for (port, uses) in model.instances[instance].decl.uses.iter().enumerate() {
            let from = End { instance, port };
            let Some(link) = model.rpcs.iter().find(|l| l.from == from) else {
                continue;
            };
            let server = &model.instances[link.to.instance];
            let place = if server.domain == self.index {
                Server::Local(self.position(link.to.instance))
            } else {
                let interface = interface_index(model, link.to) as u8;
                let name = format!(
                    "{}_{}",
                    server.name.value, server.decl.provides[link.to.port].name.value
                );
                let origin = self.files.origin(link.place);
                let endpoint = self.shared.endpoints[server.domain];
                let badge = badge::interface(interface, self.index as u8);
                let buffers = &self.shared.buffers;
                let buffer = buffers
                    .iter()
                    .find(|(c, s, _)| (*c, *s) == (self.index, link.to.instance))
                    .map(|b| b.2)
                    .filter(|_| uses.buffer.is_some())
                    .map(|object| (self.map_buffer(object, origin), self.pages(object) * PAGE));
                let slot = self.cap(&name, endpoint, Rights::CALL, badge, origin);
                Server::Remote(slot, buffer)
            };
            out.uses.push((uses.name.value.clone(), place));
        }
    }

    fn events(&mut self, instance: usize, out: &mut ComponentLayout) {
        let model = self.model;
        for (port, emits) in model.instances[instance].decl.emits.iter().enumerate() {
            let from = End { instance, port };
            let links: Vec<_> = model.events.iter().filter(|l| l.from == from).collect();
            for link in &links {
                let consumer = &model.instances[link.to.instance];
                let event = link.to.port as u32;
                let target = if consumer.domain == self.index {
                    WakeTo::Local {
                        component: self.position(link.to.instance),
                        event,
                    }
                } else {
                    let bit = event_base(model, link.to.instance) + event;
                    let name = format!(
                        "event_{}_{}",
                        consumer.name.value, consumer.decl.consumes[link.to.port].name.value
                    );
                    let notification = self.shared.notifications[consumer.domain];
                    let origin = self.files.origin(link.place);
                    let badge = badge::event(bit);
                    WakeTo::Remote(self.cap(&name, notification, Rights::W, badge, origin))
                };
                let port = &emits.name.value;
                let who = &consumer.name.value;
                out.wakes.push((format!("{port}.{who}"), target.clone()));
                if links.len() == 1 {
                    out.wakes.push((port.clone(), target));
                }
            }
        }
    }

    fn dataports(&mut self, instance: usize, out: &mut ComponentLayout) {
        let model = self.model;
        for (port, decl) in model.instances[instance].decl.dataports.iter().enumerate() {
            let end = End { instance, port };
            let links: Vec<_> = (0..model.dataports.len())
                .filter(|&l| model.dataports[l].from == end || model.dataports[l].to == end)
                .collect();
            let mut plain: Vec<u64> = Vec::new();
            for link in links {
                let object = self.shared.dataports[link];
                let link = &model.dataports[link];
                let name = &decl.port.name.value;
                let origin = self.files.origin(link.place);
                let what = self.objects.list[object.0 as usize].name.clone();
                let vaddr = self.map(&format!("dataport {what}"), object, decl.writes, origin);
                let bytes = self.pages(object) * PAGE;
                let other = if link.from == end { link.to } else { link.from };
                let other = &model.instances[other.instance].name.value;
                out.dataports
                    .push((format!("{name}.{other}"), vaddr, bytes, decl.writes));
                plain.push(vaddr);
                plain.dedup();
            }
            if let ([vaddr], Some(last)) = (plain.as_slice(), out.dataports.last().cloned()) {
                let name = decl.port.name.value.clone();
                out.dataports.push((name, *vaddr, last.2, last.3));
            }
        }
    }

    fn map_buffer(&mut self, object: ObjectId, origin: Origin) -> u64 {
        let name = self.objects.list[object.0 as usize].name.clone();
        self.map(&name, object, true, origin)
    }

    /// The server's side: `bounce.<client index as in badges>`.
    fn server_buffers(&mut self, instance: usize, out: &mut ComponentLayout) {
        let shared = self.shared;
        for &(client, _, object) in shared.buffers.iter().filter(|b| b.1 == instance) {
            let origin = self.objects.list[object.0 as usize].origin;
            let vaddr = self.map_buffer(object, origin);
            let bytes = self.pages(object) * PAGE;
            out.dataports
                .push((format!("bounce.{client}"), vaddr, bytes, true));
        }
    }

    fn hardware(&mut self, instance: usize, out: &mut ComponentLayout) {
        let model = self.model;
        let decl = model.instances[instance].decl;
        let mut event = event_base(model, instance) + decl.consumes.len() as u32;
        for (port, hardware) in decl.hardware.iter().enumerate() {
            let end = End { instance, port };
            let Some(wired) = model.hardware.iter().position(|w| w.from == end) else {
                continue;
            };
            let origin = self.files.origin(model.hardware[wired].place);
            let device = &model.devices[model.hardware[wired].device];
            let name = &hardware.name.value;
            let me = &model.instances[instance].name.value;
            if let (Some(frames), Some(mmio)) = (self.shared.frames[wired], &device.mmio) {
                let what = format!("device {}", device.name.value);
                let vaddr = self.map(&what, frames, true, origin);
                let offset = mmio.0.value & (PAGE - 1);
                out.mmio.push((name.clone(), vaddr + offset, mmio.1));
            }
            if let Some(handler) = self.shared.handlers[wired] {
                let slot = self.cap(&format!("irq_{me}_{name}"), handler, Rights::ALL, 0, origin);
                out.caps.push((format!("{name}.irq"), slot));
                self.irqs.push(Irq {
                    name: format!("{me}.{name}"),
                    handler,
                    notification: self.shared.notifications[self.index],
                    badge: badge::event(event),
                });
                event += 1;
            }
        }
    }

    fn grants(&mut self, instance: usize, out: &mut ComponentLayout) {
        let model = self.model;
        for &(grant, place) in &model.instances[instance].grants {
            let origin = self.files.origin(place);
            match grant {
                Grant::Asid => {
                    let objects = [
                        ("asid_control", self.shared.asid_control),
                        ("asid_pool", self.shared.asid_pool),
                    ];
                    for (name, object) in objects {
                        let Some(object) = object else { continue };
                        let slot = self.cap(name, object, Rights::ALL, 0, origin);
                        out.caps.push((name.into(), slot));
                    }
                }
                Grant::SelfVspace => {
                    let vspace = self.shared.vspaces[self.index];
                    let slot = self.cap("self_vspace", vspace, Rights::ALL, 0, origin);
                    out.caps.push(("self_vspace".into(), slot));
                }
                Grant::DomainVspaces => self.domain_vspaces(place, out),
                Grant::LsyscallMint => self.lsyscall_mint(place, out),
                Grant::Supervisor => {
                    let badge = badge::interface(0, self.index as u8);
                    let root = self.shared.root_endpoint;
                    let slot = self.cap("supervisor", root, Rights::CALL, badge, origin);
                    out.caps.push(("supervisor".into(), slot));
                }
                Grant::SelfCspace | Grant::Ram | Grant::Initrd | Grant::BootInfo => {}
            }
            let manages = matches!(
                grant,
                Grant::Ram | Grant::Asid | Grant::LsyscallMint | Grant::SelfCspace
            );
            if manages && !out.caps.iter().any(|(n, _)| n == "self_cnode") {
                out.caps.push(("self_cnode".into(), "SELF_CNODE".into()));
            }
        }
    }

    fn domain_vspaces(&mut self, place: Place, out: &mut ComponentLayout) {
        let origin = self.files.origin(place);
        for (other, &vspace) in self.shared.vspaces.iter().enumerate() {
            let slot = if other == self.index {
                self.cap("self_vspace", vspace, Rights::ALL, 0, origin)
            } else {
                let name = format!("vspace_{}", self.model.domains[other].name.value);
                self.cap(&name, vspace, Rights::ALL, 0, origin)
            };
            out.caps.push((format!("vspace.{other}"), slot));
        }
    }

    fn lsyscall_mint(&mut self, place: Place, out: &mut ComponentLayout) {
        let origin = self.files.origin(place);
        let model = self.model;
        for instance in &model.instances {
            if instance.decl.lsyscalls.is_empty() {
                continue;
            }
            let name = format!("lsyscall_{}", model.domains[instance.domain].name.value);
            let endpoint = self.shared.endpoints[instance.domain];
            let slot = self.cap(&name, endpoint, Rights::CALL, 0, origin);
            out.caps
                .push((format!("lsyscall.{}", instance.decl.name.value), slot));
        }
    }

    fn finish(self, errors: &mut Errors) -> (Domain, DomainLayout) {
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
