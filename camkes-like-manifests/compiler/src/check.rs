//! What must hold of a resolved system.

use crate::model::{End, Model};
use crate::source::{Errors, Place};
use persona_plan::badge;
use persona_plan::{PAGE, REAL_TIME};

/// Bytes a domain's stack may have.
const MAX_STACK: u64 = 1 << 20;
/// Bytes of heap a domain may start with.
const MAX_HEAP: u64 = 256 << 20;

/// Reports everything that is wrong, and sorts domains and their components: servers before their callers.
pub fn check(model: &mut Model<'_>, errors: &mut Errors) {
    unconnected(model, errors);
    devices(model, errors);
    lsyscalls(model, errors);
    layers(model, errors);
    let instance_order = order(model, errors);
    sizes(model, errors);
    // Names above are complete; the order of domains and the limits only make sense of a sound model.
    if !errors.is_empty() {
        return;
    }
    for domain in &mut model.domains {
        let place = |i: &usize| instance_order.iter().position(|x| x == i);
        domain.hosts.sort_by_key(place);
    }
    priorities(model, errors);
    domain_order(model, errors);
    limits(model, errors);
}

fn name(model: &Model<'_>, end: End, ports: impl Fn(&crate::decl::Component) -> String) -> String {
    let instance = &model.instances[end.instance];
    format!("{}.{}", instance.name.value, ports(instance.decl))
}

fn unconnected(model: &Model<'_>, errors: &mut Errors) {
    for (index, instance) in model.instances.iter().enumerate() {
        let decl = instance.decl;
        let me = &instance.name.value;
        let place = instance.name.place;
        for (port, entry) in decl.uses.iter().enumerate() {
            let end = End {
                instance: index,
                port,
            };
            if model.rpcs.iter().any(|l| l.from == end) {
                continue;
            }
            let who: Vec<String> = model
                .instances
                .iter()
                .flat_map(|i| i.decl.provides.iter().map(move |p| (i, p)))
                .filter(|(_, p)| p.ty.value == entry.ty.value)
                .map(|(i, p)| format!("{}.{}", i.name.value, p.name.value))
                .collect();
            let hint = match who.first() {
                Some(who) => format!(
                    "add {{ rpc = \"{me}.{}\", to = \"{who}\" }}",
                    entry.name.value
                ),
                None => format!("no instance provides {}", entry.ty.value),
            };
            errors.at(
                place,
                format!("`{me}.{}` is not connected", entry.name.value),
                hint,
            );
        }
        for (port, entry) in decl.consumes.iter().enumerate() {
            let end = End {
                instance: index,
                port,
            };
            if !model.events.iter().any(|l| l.to == end) {
                errors.at(
                    place,
                    format!("event `{me}.{}` has no emitter", entry.name.value),
                    format!(
                        "add {{ notification = \"...\", to = \"{me}.{}\" }}",
                        entry.name.value
                    ),
                );
            }
        }
        for (port, entry) in decl.dataports.iter().enumerate() {
            let end = End {
                instance: index,
                port,
            };
            if !model.dataports.iter().any(|l| l.from == end || l.to == end) {
                let port = &entry.port.name.value;
                let (what, hint) = if entry.writes {
                    (
                        "is not connected",
                        format!("add {{ dataport = \"{me}.{port}\", to = \"...\" }}"),
                    )
                } else {
                    (
                        "has no writer",
                        format!("add {{ dataport = \"...\", to = \"{me}.{port}\" }}"),
                    )
                };
                errors.at(place, format!("dataport `{me}.{port}` {what}"), hint);
            }
        }
        for (port, entry) in decl.hardware.iter().enumerate() {
            let end = End {
                instance: index,
                port,
            };
            let count = model.hardware.iter().filter(|w| w.from == end).count();
            if count != 1 {
                let port = &entry.name.value;
                let what = if count == 0 {
                    "is not connected"
                } else {
                    "is connected twice"
                };
                errors.at(
                    place,
                    format!("hardware `{me}.{port}` {what}"),
                    format!("one {{ hardware = \"{me}.{port}\", to = \"<device of the platform>\" }} is needed"),
                );
            }
        }
    }
}

/// Device frames and interrupts have one owner each.
fn devices(model: &Model<'_>, errors: &mut Errors) {
    let owner = |end: End| name(model, end, |c| c.hardware[end.port].name.value.clone());
    for (index, wired) in model.hardware.iter().enumerate() {
        let device = &model.devices[wired.device];
        let needs = &model.instances[wired.from.instance].decl.hardware[wired.from.port];
        for other in &model.hardware[..index] {
            let other_device = &model.devices[other.device];
            let other_needs = &model.instances[other.from.instance].decl.hardware[other.from.port];
            if needs.mmio && other_needs.mmio {
                if let (Some(a), Some(b)) = (&device.mmio, &other_device.mmio) {
                    if let Some(page) = overlap((a.0.value, a.1), (b.0.value, b.1)) {
                        errors.at(
                            wired.place,
                            format!(
                                "device frame {page:#x} has two owners: `{}` and `{}`",
                                owner(other.from),
                                owner(wired.from)
                            ),
                            "a page of device registers belongs to one component; let the other one ask it",
                        );
                    }
                }
            }
            if needs.irq && other_needs.irq {
                if let (Some(a), Some(b)) = (&device.irq, &other_device.irq) {
                    if a.value == b.value {
                        errors.at(
                            wired.place,
                            format!(
                                "interrupt {} has two owners: `{}` and `{}`",
                                a.value,
                                owner(other.from),
                                owner(wired.from)
                            ),
                            "an interrupt is delivered to one component; let it emit an event to the other",
                        );
                    }
                }
            }
        }
    }
}

/// First page two ranges share.
fn overlap(a: (u64, u64), b: (u64, u64)) -> Option<u64> {
    let pages = |(at, len): (u64, u64)| {
        let first = at & !(PAGE - 1);
        (
            first,
            at.saturating_add(len.max(1)).saturating_sub(1) | (PAGE - 1),
        )
    };
    let (a, b) = (pages(a), pages(b));
    let first = a.0.max(b.0);
    (first <= a.1.min(b.1)).then_some(first)
}

fn lsyscalls(model: &Model<'_>, errors: &mut Errors) {
    let mut served: Vec<(&str, &str, &str)> = Vec::new();
    for instance in &model.instances {
        for class in &instance.decl.lsyscalls {
            let (kind, class) = (instance.decl.name.value.as_str(), class.value.as_str());
            match served.iter().find(|(k, c, _)| *k == kind && *c == class) {
                Some((_, _, other)) => errors.at(
                    instance.name.place,
                    format!("lsyscall class {class} of `{kind}` is served twice"),
                    format!(
                        "`{other}` serves it already; the route of a class leads to one instance"
                    ),
                ),
                None => served.push((kind, class, &instance.name.value)),
            }
        }
    }
}

/// Calls go down only.
fn layers(model: &Model<'_>, errors: &mut Errors) {
    for link in &model.rpcs {
        let client = &model.instances[link.from.instance];
        let server = &model.instances[link.to.instance];
        if let (Some(from), Some(to)) = (&client.decl.layer, &server.decl.layer) {
            if to.value >= from.value && link.from.instance != link.to.instance {
                errors.at(
                    link.place,
                    format!(
                        "a call upwards: `{}` (layer {}) calls `{}` (layer {})",
                        client.name.value, from.value, server.name.value, to.value
                    ),
                    "calls go to lower layers; turn it round: an event upwards, after which the upper component asks",
                );
            }
        }
    }
}

/// Instances, servers before their callers. Reports cycles of calls.
fn order(model: &Model<'_>, errors: &mut Errors) -> Vec<usize> {
    let count = model.instances.len();
    let edges: Vec<(usize, usize, Place)> = model
        .rpcs
        .iter()
        .map(|l| (l.from.instance, l.to.instance, l.place))
        .collect();
    let names: Vec<&str> = model
        .instances
        .iter()
        .map(|i| i.name.value.as_str())
        .collect();
    topological(count, &edges).unwrap_or_else(|(path, place)| {
        let shown: Vec<&str> = path.iter().map(|&i| names[i]).collect();
        errors.at(
            place,
            format!("a cycle of blocking calls: {}", shown.join(" -> ")),
            "each would wait for the next one for ever; turn one of the calls into an event",
        );
        Vec::new()
    })
}

type Cycle = (Vec<usize>, Place);

/// Sorts nodes so that the target of every edge comes before its source, keeping the given order where it is free.
fn topological(count: usize, edges: &[(usize, usize, Place)]) -> Result<Vec<usize>, Cycle> {
    fn visit(
        node: usize,
        edges: &[(usize, usize, Place)],
        state: &mut [u8],
        path: &mut Vec<usize>,
        out: &mut Vec<usize>,
    ) -> Result<(), Cycle> {
        state[node] = 1;
        path.push(node);
        for &(_, to, place) in edges.iter().filter(|e| e.0 == node) {
            match state[to] {
                0 => visit(to, edges, state, path, out)?,
                1 => {
                    let start = path.iter().position(|&n| n == to).unwrap_or(0);
                    let mut cycle = path[start..].to_vec();
                    cycle.push(to);
                    return Err((cycle, place));
                }
                _ => {}
            }
        }
        path.pop();
        state[node] = 2;
        out.push(node);
        Ok(())
    }
    let mut out = Vec::new();
    let mut state = vec![0; count];
    for node in 0..count {
        if state[node] == 0 {
            visit(node, edges, &mut state, &mut Vec::new(), &mut out)?;
        }
    }
    Ok(out)
}

fn sizes(model: &Model<'_>, errors: &mut Errors) {
    for domain in &model.domains {
        let name = &domain.name.value;
        if domain.stack == 0 || domain.stack > MAX_STACK {
            errors.at(
                domain.name.place,
                format!("the stack of domain `{name}` is {} bytes", domain.stack),
                format!("it may be 1 to {MAX_STACK}"),
            );
        }
        if domain.heap > MAX_HEAP {
            errors.at(
                domain.name.place,
                format!("the heap of domain `{name}` is {} bytes", domain.heap),
                format!("it may be up to {MAX_HEAP}"),
            );
        }
    }
    if model.domains.len() > usize::from(badge::ROOT_CLIENT) {
        errors.general(
            format!("{} domains", model.domains.len()),
            "a badge tells 255 apart",
        );
    }
}

/// A server runs above its callers.
fn priorities(model: &Model<'_>, errors: &mut Errors) {
    for link in &model.rpcs {
        let client = &model.domains[model.instances[link.from.instance].domain];
        let server = &model.domains[model.instances[link.to.instance].domain];
        if server.priority < client.priority {
            errors.at(
                server.priority_place,
                format!(
                    "priority inversion: domain `{}` ({}) serves `{}` ({})",
                    server.name.value, server.priority, client.name.value, client.priority
                ),
                format!("give `{}` at least {}", server.name.value, client.priority),
            );
        }
    }
    for domain in &model.domains {
        let (lowest, highest) = (
            model.linux_priority,
            model.linux_priority.saturating_add(REAL_TIME),
        );
        if domain.priority <= highest {
            errors.at(
                domain.priority_place,
                format!(
                    "domain `{}` ({}) does not lie above Linux threads ({lowest} to {highest})",
                    domain.name.value, domain.priority
                ),
                "between two instructions of a program a server's work is atomic",
            );
        }
    }
}

/// Sorts domains: servers before their callers. Reports domains that wait for each other.
fn domain_order(model: &mut Model<'_>, errors: &mut Errors) {
    let edges: Vec<(usize, usize, Place)> = model
        .rpcs
        .iter()
        .map(|l| {
            let domain = |end: End| model.instances[end.instance].domain;
            (domain(l.from), domain(l.to), l.place)
        })
        .filter(|(from, to, _)| from != to)
        .collect();
    match topological(model.domains.len(), &edges) {
        Ok(order) => {
            let mut old: Vec<Option<_>> = model.domains.drain(..).map(Some).collect();
            for (new, index) in order.iter().enumerate() {
                for &host in old[*index].iter().flat_map(|d| &d.hosts) {
                    model.instances[host].domain = new;
                }
            }
            model.domains = order.iter().filter_map(|&i| old[i].take()).collect();
        }
        Err((path, place)) => {
            let shown: Vec<&str> = path
                .iter()
                .map(|&i| model.domains[i].name.value.as_str())
                .collect();
            errors.at(
                place,
                format!("domains wait for each other: {}", shown.join(" -> ")),
                "a domain has one thread; host the components between the two together, or apart",
            );
        }
    }
}

/// What badges can tell apart.
fn limits(model: &Model<'_>, errors: &mut Errors) {
    for (index, domain) in model.domains.iter().enumerate() {
        let events: usize = domain
            .hosts
            .iter()
            .map(|&i| {
                let decl = model.instances[i].decl;
                decl.consumes.len() + decl.hardware.iter().filter(|h| h.irq).count()
            })
            .sum();
        if events > badge::EVENTS as usize {
            errors.at(
                domain.name.place,
                format!("domain `{}` consumes {events} events", domain.name.value),
                format!("a notification tells {} apart", badge::EVENTS),
            );
        }
        let interfaces: usize = domain
            .hosts
            .iter()
            .map(|&i| model.instances[i].decl.provides.len())
            .sum();
        if interfaces > 255 {
            errors.at(
                domain.name.place,
                format!("domain {index} serves {interfaces} interfaces"),
                "a badge tells 255 apart",
            );
        }
    }
}
