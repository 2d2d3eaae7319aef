//! From a checked model to the plan.

mod component;
mod maker;

use crate::decl::Grant;
use crate::layout::DomainLayout;
use crate::model::{End, Model};
use crate::source::{Errors, Files};
use maker::Maker;
use persona_plan::{
    badge, Object, ObjectId, ObjectKind, Origin, Plan, Root, RootConsole, FORMAT, PAGE, USAGE_PAGES,
};

/// Where a domain's stack, IPC buffer, start-up page, devices and dataports lie; its program lies below.
pub const REGION_BASE: u64 = 0x1000_0000;

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
    /// The kernel's usage frames, if some component is granted them.
    usage: Option<ObjectId>,
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
    let usage = (0..model.domains.len()).find_map(|d| model.domain_granted(d, Grant::Usage));
    let kind = ObjectKind::UsageFrames { pages: USAGE_PAGES };
    let usage =
        usage.map(|place| objects.add("kernel.usage".into(), kind, None, files.origin(place)));
    let mut asid_object = |name: &str, kind| {
        asid.map(|place| objects.add(name.into(), kind, None, files.origin(place)))
    };
    Shared {
        usage,
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
