//! The plan for people: the capability report, and the component graph.

use crate::model::{Link, Model};
use persona_plan::badge::{decode, Badge, ROOT_CLIENT};
use persona_plan::{Cap, Domain, ObjectId, ObjectKind, OnFault, Plan, LEAF_BITS, PAGE};
use std::fmt::Write;

/// Every object, capability and mapping of a plan.
pub fn report(plan: &Plan) -> String {
    let mut out = String::new();
    let _ = head(plan, &mut out);
    for domain in &plan.domains {
        let _ = one(plan, domain, &mut out);
    }
    let _ = root(plan, &mut out);
    let _ = memory(plan, &mut out);
    out
}

type Result = std::fmt::Result;

fn head(plan: &Plan, out: &mut String) -> Result {
    writeln!(out, "system {}", plan.system)?;
    writeln!(out, "from   {}", plan.sources.join(", "))?;
    writeln!(
        out,
        "{} domains, {} objects, {} capabilities, started in this order:\n",
        plan.domains.len(),
        plan.objects.len(),
        plan.domains.iter().map(|d| d.caps.len()).sum::<usize>()
    )
}

fn name(plan: &Plan, id: ObjectId) -> &str {
    plan.object(id).map_or("?", |o| &o.name)
}

fn place(plan: &Plan, origin: persona_plan::Origin) -> String {
    let (file, line) = plan.place(origin);
    if line == 0 {
        String::new()
    } else {
        format!("{file}:{line}")
    }
}

fn one(plan: &Plan, domain: &Domain, out: &mut String) -> Result {
    let components: Vec<&str> = domain
        .components
        .iter()
        .map(|c| c.instance.as_str())
        .collect();
    writeln!(out, "domain {} ({})", domain.index, domain.name)?;
    writeln!(out, "  components   {}", components.join(", "))?;
    let thread = &domain.thread;
    writeln!(
        out,
        "  thread       priority {}, may give others up to {}; a fault {}",
        thread.priority,
        thread.max_priority,
        match domain.on_fault {
            OnFault::EndRun => "ends the run",
            OnFault::Report => "is reported",
        }
    )?;
    writeln!(
        out,
        "  cspace       {} slots, free from {} on",
        1u64 << domain.cnode_bits,
        domain.free_slots.0
    )?;
    let startup = &domain.startup;
    for (granted, text) in [
        (startup.ram, "ram          all memory the plan leaves over"),
        (
            startup.initrd,
            "initrd       the initial root file system's pages",
        ),
        (startup.boot_info, "boot-info    the boot arguments"),
    ] {
        if granted {
            writeln!(out, "  {text}")?;
        }
    }
    writeln!(out, "  capabilities")?;
    for cap in &domain.caps {
        capability(plan, domain, cap, out)?;
    }
    writeln!(out, "  mappings besides the program")?;
    for mapping in &domain.mappings {
        let pages = pages(plan, mapping.object);
        let device = matches!(
            plan.object(mapping.object).map(|o| o.kind),
            Some(ObjectKind::DeviceFrames { .. })
        );
        writeln!(
            out,
            "    {:#012x} {:>5} pages {}{} {:<26} {:<26} {}",
            mapping.vaddr,
            pages,
            if mapping.writable { "rw" } else { "r-" },
            if device { " device" } else { "       " },
            mapping.name,
            name(plan, mapping.object),
            place(plan, mapping.origin)
        )?;
    }
    for irq in &domain.irqs {
        writeln!(
            out,
            "  interrupt    {} -> {}, {}",
            name(plan, irq.handler),
            name(plan, irq.notification),
            meaning(plan, irq.badge)
        )?;
    }
    writeln!(out)
}

fn capability(plan: &Plan, domain: &Domain, cap: &Cap, out: &mut String) -> Result {
    let kind = plan.object(cap.object).map(|o| o.kind);
    let cptr = if cap.cnode == domain.cnode {
        u64::from(cap.slot) << LEAF_BITS
    } else {
        let mount = domain.caps.iter().find(|c| c.object == cap.cnode);
        mount.map_or(0, |m| u64::from(m.slot) << LEAF_BITS) | u64::from(cap.slot)
    };
    let rights = match kind {
        Some(ObjectKind::Endpoint | ObjectKind::Notification) => cap.rights.text(),
        _ => "",
    };
    let badge = if cap.badge == 0 {
        String::new()
    } else {
        meaning(plan, cap.badge)
    };
    let line = format!(
        "    {cptr:#08x} {:<24} {:<13} {:<24} {rights:<3} {badge:<36} {}",
        cap.name,
        kind.map_or("?", ObjectKind::text),
        name(plan, cap.object),
        place(plan, cap.origin)
    );
    writeln!(out, "{}", line.trim_end())
}

fn meaning(plan: &Plan, badge: u64) -> String {
    let domain = |index: u8| match plan.domains.get(index as usize) {
        _ if index == ROOT_CLIENT => "root task",
        Some(domain) => domain.name.as_str(),
        None => "?",
    };
    match decode(badge) {
        Badge::Events(bits) => format!("event {}", bits.trailing_zeros()),
        Badge::Thread(index) => format!("thread {index}"),
        Badge::ThreadFault(index) => format!("fault of thread {index}"),
        Badge::Interface { interface, client } => {
            format!("interface {interface} for {}", domain(client))
        }
        Badge::Fault(index) => format!("fault of {}", domain(index)),
        Badge::Unknown(other) => format!("{other:#x}"),
    }
}

fn pages(plan: &Plan, id: ObjectId) -> u64 {
    match plan.object(id).map(|o| o.kind) {
        Some(
            ObjectKind::Frames { pages }
            | ObjectKind::DeviceFrames { pages, .. }
            | ObjectKind::UsageFrames { pages },
        ) => pages.into(),
        _ => 0,
    }
}

fn root(plan: &Plan, out: &mut String) -> Result {
    writeln!(out, "root task keeps")?;
    writeln!(
        out,
        "  the objects above, to supervise: it receives on {}",
        name(plan, plan.root.endpoint)
    )?;
    if let Some(console) = &plan.root.console {
        writeln!(
            out,
            "  a capability on {} ({}) to report through",
            name(plan, console.endpoint),
            meaning(plan, console.badge)
        )?;
    }
    if let Some(uart) = plan.root.panic_console {
        writeln!(
            out,
            "  a mapping of {} for when the console is not there",
            name(plan, uart)
        )?;
    }
    writeln!(out)
}

fn memory(plan: &Plan, out: &mut String) -> Result {
    let mut private = vec![0u64; plan.domains.len()];
    let mut shared = 0;
    for object in &plan.objects {
        let bytes = match object.kind {
            ObjectKind::Frames { pages } => u64::from(pages) * PAGE,
            ObjectKind::CNode { bits } => 32 << bits,
            ObjectKind::VSpace => PAGE,
            _ => 0,
        };
        match object.group.and_then(|g| private.get_mut(g as usize)) {
            Some(sum) => *sum += bytes,
            None => shared += bytes,
        }
    }
    writeln!(
        out,
        "memory of the plan's frames, CNodes and VSpaces (page tables and programs come on top)"
    )?;
    for (domain, bytes) in plan.domains.iter().zip(private) {
        writeln!(out, "  {:<12} {:>6} KiB", domain.name, bytes >> 10)?;
    }
    writeln!(out, "  {:<12} {:>6} KiB", "shared", shared >> 10)
}

/// The components, their domains and connections as a graph for Graphviz.
pub fn dot(model: &Model<'_>) -> String {
    let mut out = String::new();
    let _ = graph(model, &mut out);
    out
}

fn graph(model: &Model<'_>, out: &mut String) -> Result {
    writeln!(out, "digraph {} {{", model.name)?;
    writeln!(out, "  node [shape=box fontname=\"sans-serif\"];")?;
    writeln!(out, "  edge [fontname=\"sans-serif\" fontsize=10];")?;
    writeln!(out, "  label=\"{}: {}\";", model.name, model.description)?;
    for domain in model.domains.iter().rev() {
        writeln!(out, "  subgraph cluster_{} {{", domain.name.value)?;
        writeln!(
            out,
            "    label=\"domain {} (priority {})\";",
            domain.name.value, domain.priority
        )?;
        for &host in domain.hosts.iter().rev() {
            let instance = &model.instances[host];
            writeln!(
                out,
                "    {} [label=\"{}\\n{}\"];",
                instance.name.value, instance.name.value, instance.decl.description
            )?;
        }
        writeln!(out, "  }}")?;
    }
    let mut edge = |link: &Link, label: &str, style: &str| {
        let name = |i: usize| &model.instances[i].name.value;
        writeln!(
            out,
            "  {} -> {} [label=\"{label}\" {style}];",
            name(link.from.instance),
            name(link.to.instance)
        )
    };
    for link in &model.rpcs {
        let port = &model.instances[link.to.instance].decl.provides[link.to.port];
        edge(link, &port.ty.value, "")?;
    }
    for link in &model.events {
        let port = &model.instances[link.to.instance].decl.consumes[link.to.port];
        edge(link, &port.name.value, "style=dashed")?;
    }
    for link in &model.dataports {
        let port = &model.instances[link.from.instance].decl.dataports[link.from.port];
        edge(link, &port.port.ty.value, "style=dotted")?;
    }
    for wired in &model.hardware {
        let instance = &model.instances[wired.from.instance].name.value;
        let device = &model.devices[wired.device].name.value;
        writeln!(
            out,
            "  {device} [shape=ellipse];\n  {instance} -> {device} [style=bold];"
        )?;
    }
    writeln!(out, "}}")
}
