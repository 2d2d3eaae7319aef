//! From what is written to a [`Model`]: every name resolved, every misspelt, missing or mistyped one reported.

use crate::decl::{wrong_attribute, Component, Declarations, Grant};
use crate::model::{Domain, End, Instance, Link, Model, Wired};
use crate::source::{suggest, At, Errors, Place};
use crate::system::{Connection, Connector, System};

/// Names the ports of one kind.
type Ports = fn(&Component) -> Vec<(&str, &str)>;

fn provides(c: &Component) -> Vec<(&str, &str)> {
    pairs(&c.provides)
}
fn uses(c: &Component) -> Vec<(&str, &str)> {
    pairs(&c.uses)
}
fn emits(c: &Component) -> Vec<(&str, &str)> {
    pairs(&c.emits)
}
fn consumes(c: &Component) -> Vec<(&str, &str)> {
    pairs(&c.consumes)
}
fn dataports(c: &Component) -> Vec<(&str, &str)> {
    c.dataports
        .iter()
        .map(|d| (d.port.name.value.as_str(), d.port.ty.value.as_str()))
        .collect()
}
fn hardware(c: &Component) -> Vec<(&str, &str)> {
    c.hardware
        .iter()
        .map(|h| (h.name.value.as_str(), ""))
        .collect()
}
fn pairs(ports: &[crate::decl::Port]) -> Vec<(&str, &str)> {
    ports
        .iter()
        .map(|p| (p.name.value.as_str(), p.ty.value.as_str()))
        .collect()
}

/// Default number of Linux threads.
const MAX_THREADS: u32 = 512;
/// Default priority of Linux threads.
const LINUX_PRIORITY: u8 = 100;
/// Default size of a domain's root CNode.
const CNODE_BITS: u8 = 10;

/// Resolves a system. The model is only sound if `errors` is empty.
pub fn resolve<'a>(
    system: &'a System,
    declarations: &'a Declarations,
    errors: &mut Errors,
) -> Model<'a> {
    let mut model = Model {
        name: system.name.as_ref().map_or("", |n| n.value.as_str()),
        description: &system.description,
        declarations,
        devices: &system.devices,
        instances: Vec::new(),
        unknown: Vec::new(),
        domains: Vec::new(),
        rpcs: Vec::new(),
        events: Vec::new(),
        dataports: Vec::new(),
        hardware: Vec::new(),
        panic_console: None,
        console: None,
        linux_priority: system
            .linux_priority
            .as_ref()
            .map_or(LINUX_PRIORITY, |p| p.value as u8),
        max_threads: system
            .max_threads
            .as_ref()
            .map_or(MAX_THREADS, |n| n.value as u32),
    };
    instances(&mut model, system, errors);
    domains(&mut model, system, errors);
    attributes(&mut model, system, errors);
    grants(&mut model, system, errors);
    for connection in &system.connections {
        connect(&mut model, connection, errors);
    }
    supervision(&mut model, system, errors);
    model
}

fn instances<'a>(model: &mut Model<'a>, system: &'a System, errors: &mut Errors) {
    let declarations = model.declarations;
    for instance in &system.instances {
        let name = &instance.component;
        let decl = declarations
            .components
            .iter()
            .find(|c| c.name.value == name.value);
        let Some(decl) = decl else {
            model.unknown.push(&instance.name.value);
            let names = declarations
                .components
                .iter()
                .map(|c| c.name.value.as_str());
            errors.at(
                name.place,
                format!("unknown component `{}`", name.value),
                suggest("component", &name.value, names),
            );
            continue;
        };
        model.instances.push(Instance {
            name: &instance.name,
            decl,
            on_fault: instance.on_fault,
            domain: usize::MAX,
            attributes: Vec::new(),
            grants: Vec::new(),
        });
    }
}

fn find_instance(model: &Model<'_>, name: &At<String>, errors: &mut Errors) -> Option<usize> {
    let found = model
        .instances
        .iter()
        .position(|i| i.name.value == name.value);
    // An instance of an unknown component is reported once, there.
    if found.is_none() && !model.unknown.contains(&name.value.as_str()) {
        let names = model.instances.iter().map(|i| i.name.value.as_str());
        errors.at(
            name.place,
            format!("unknown instance `{}`", name.value),
            suggest("instance", &name.value, names),
        );
    }
    found
}

fn domains<'a>(model: &mut Model<'a>, system: &'a System, errors: &mut Errors) {
    for domain in &system.domains {
        let mut hosts = Vec::new();
        for host in &domain.hosts {
            let Some(instance) = find_instance(model, host, errors) else {
                continue;
            };
            let taken = model.instances[instance].domain;
            if taken != usize::MAX {
                let other = system.domains.get(taken).map_or("", |d| &d.name.value);
                errors.at(
                    host.place,
                    format!("instance `{}` is hosted twice", host.value),
                    format!("domain `{other}` hosts it already; an instance lives in one domain"),
                );
                continue;
            }
            model.instances[instance].domain = model.domains.len();
            hosts.push(instance);
        }
        let decls = || hosts.iter().map(|&i| model.instances[i].decl);
        let highest = decls().max_by_key(|d| d.priority.value);
        let priority = domain.priority.as_ref().or(highest.map(|d| &d.priority));
        let entry = Domain {
            name: &domain.name,
            priority: priority.map_or(1, |p| p.value as u8),
            priority_place: priority.map_or(domain.name.place, |p| p.place),
            heap: domain
                .heap
                .as_ref()
                .map_or_else(|| decls().map(|d| d.heap).sum(), |h| h.value),
            stack: domain
                .stack
                .as_ref()
                .map_or_else(|| decls().map(|d| d.stack).max().unwrap_or(0), |s| s.value),
            cnode_bits: domain
                .cnode_bits
                .as_ref()
                .map_or(CNODE_BITS, |b| b.value as u8),
            hosts,
        };
        model.domains.push(entry);
    }
    for instance in &model.instances {
        if instance.domain == usize::MAX {
            errors.at(
                instance.name.place,
                format!("instance `{}` is in no domain", instance.name.value),
                "add it to the `hosts` of one of the [domains]",
            );
        }
    }
}

fn attributes<'a>(model: &mut Model<'a>, system: &'a System, errors: &mut Errors) {
    for setting in &system.settings {
        let Some(instance) = find_instance(model, &setting.instance, errors) else {
            continue;
        };
        let decl = model.instances[instance].decl;
        let name = &setting.attribute;
        let attribute = decl.attributes.iter().find(|a| a.name.value == name.value);
        let Some(attribute) = attribute else {
            let names = decl.attributes.iter().map(|a| a.name.value.as_str());
            errors.at(
                name.place,
                format!(
                    "component `{}` has no attribute `{}`",
                    decl.name.value, name.value
                ),
                suggest("attribute", &name.value, names),
            );
            continue;
        };
        let Some(value) = attribute.ty.accept(&setting.value.kind) else {
            let what = format!("attribute `{}`", name.value);
            wrong_attribute(&what, attribute.ty, &setting.value, errors);
            continue;
        };
        let list = &mut model.instances[instance].attributes;
        list.retain(|(n, _)| *n != attribute.name.value);
        list.push((&attribute.name.value, value));
    }
    let of_system = [
        ("max_threads", model.max_threads.to_string()),
        ("linux_priority", model.linux_priority.to_string()),
    ];
    for instance in &mut model.instances {
        let given = std::mem::take(&mut instance.attributes);
        for attribute in &instance.decl.attributes {
            let name = attribute.name.value.as_str();
            let value = given
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| value.clone())
                .or_else(|| {
                    let found = of_system.iter().find(|(n, _)| *n == name);
                    found.map(|(_, value)| value.clone())
                })
                .or_else(|| attribute.default.clone());
            match value {
                Some(value) => instance.attributes.push((name, value)),
                None => errors.at(
                    instance.name.place,
                    format!("`{}` has no value for `{name}`", instance.name.value),
                    format!(
                        "component `{}` has no default: add it to [attributes.{}]",
                        instance.decl.name.value, instance.name.value
                    ),
                ),
            }
        }
    }
}

fn grants<'a>(model: &mut Model<'a>, system: &'a System, errors: &mut Errors) {
    let mut holders: Vec<(Grant, usize)> = Vec::new();
    for given in &system.grants {
        let known = Grant::ALL.iter().find(|(_, n, _)| *n == given.grant.value);
        let Some(&(grant, _, exclusive)) = known else {
            errors.at(
                given.grant.place,
                format!("unknown grant `{}`", given.grant.value),
                suggest("grant", &given.grant.value, Grant::ALL.iter().map(|g| g.1)),
            );
            continue;
        };
        let Some(instance) = find_instance(model, &given.instance, errors) else {
            continue;
        };
        let place = given.instance.place;
        let decl = model.instances[instance].decl;
        if !decl.grants.iter().any(|g| g.value == grant) {
            errors.at(
                place,
                format!(
                    "`{}` is given `{}` but does not ask for it",
                    given.instance.value, given.grant.value
                ),
                format!(
                    "component `{}` lists what it needs in [authority]; leave out what it does not",
                    decl.name.value
                ),
            );
            continue;
        }
        let other = holders.iter().find(|(g, _)| *g == grant);
        if let (true, Some((_, other))) = (exclusive, other) {
            errors.at(
                place,
                format!("`{}` is given to two instances", given.grant.value),
                format!("`{}` has it already", model.instances[*other].name.value),
            );
            continue;
        }
        holders.push((grant, instance));
        model.instances[instance].grants.push((grant, place));
    }
    for (index, instance) in model.instances.iter().enumerate() {
        for grant in &instance.decl.grants {
            if !holders.contains(&(grant.value, index)) {
                let name = &instance.name.value;
                errors.at(
                    instance.name.place,
                    format!("`{name}` is not given `{}`", grant.value.name()),
                    format!(
                        "component `{}` needs it: name `{name}` in [grants], or use another component",
                        instance.decl.name.value
                    ),
                );
            }
        }
    }
}

fn split(text: &At<String>, errors: &mut Errors) -> Option<(At<String>, At<String>)> {
    match text.value.split_once('.') {
        Some((instance, port)) if !instance.is_empty() && !port.is_empty() => Some((
            At::new(instance.into(), text.place),
            At::new(port.into(), text.place),
        )),
        _ => {
            errors.at(
                text.place,
                format!("`{}` is no end of a connection", text.value),
                "write \"instance.port\"",
            );
            None
        }
    }
}

fn find_end<'a>(
    model: &Model<'a>,
    text: &At<String>,
    verb: &str,
    ports: Ports,
    errors: &mut Errors,
) -> Option<(End, &'a str)> {
    let (instance_name, port_name) = split(text, errors)?;
    let instance = find_instance(model, &instance_name, errors)?;
    let decl = model.instances[instance].decl;
    let list = ports(decl);
    let Some(port) = list.iter().position(|(n, _)| *n == port_name.value) else {
        errors.at(
            text.place,
            format!(
                "component `{}` {verb} no `{}`",
                decl.name.value, port_name.value
            ),
            suggest("such port", &port_name.value, list.iter().map(|(n, _)| *n)),
        );
        return None;
    };
    Some((End { instance, port }, list[port].1))
}

fn connect<'a>(model: &mut Model<'a>, connection: &Connection, errors: &mut Errors) {
    let place = connection.place;
    let (from_verb, from_ports, to_verb, to_ports): (_, Ports, _, Ports) =
        match connection.connector {
            Connector::Rpc => ("uses", uses, "provides", provides),
            Connector::Notification => ("emits", emits, "consumes", consumes),
            Connector::Dataport => ("has as dataport", dataports, "has as dataport", dataports),
            Connector::Hardware => return wire(model, connection, errors),
        };
    let from = find_end(model, &connection.from, from_verb, from_ports, errors);
    let to = find_end(model, &connection.to, to_verb, to_ports, errors);
    let (Some((from, from_type)), Some((to, to_type))) = (from, to) else {
        return;
    };
    if from_type != to_type {
        errors.at(
            place,
            format!(
                "type mismatch: `{}` is {from_type}, `{}` is {to_type}",
                connection.from.value, connection.to.value
            ),
            "both ends of a connection have the same type",
        );
        return;
    }
    let link = Link { from, to, place };
    match connection.connector {
        Connector::Rpc => {
            if model.rpcs.iter().any(|l| l.from == from) {
                errors.at(
                    connection.from.place,
                    format!("`{}` is connected twice", connection.from.value),
                    "a component calls one server through each interface it uses",
                );
                return;
            }
            model.rpcs.push(link);
        }
        Connector::Notification => model.events.push(link),
        _ => dataport(model, connection, link, errors),
    }
}

fn dataport(model: &mut Model<'_>, connection: &Connection, link: Link, errors: &mut Errors) {
    let port = &model.instances[link.from.instance].decl.dataports[link.from.port];
    if !port.writes {
        errors.at(
            connection.from.place,
            format!("dataport `{}` has no writer", connection.from.value),
            "the first end of a dataport connection is the one that writes (access = \"rw\")",
        );
        return;
    }
    if port.size.is_none() {
        errors.at(
            connection.from.place,
            format!("dataport `{}` has no size", connection.from.value),
            "the declaration of the end that writes says how large it is: `size = \"4 KiB\"`",
        );
        return;
    }
    model.dataports.push(link);
}

fn wire(model: &mut Model<'_>, connection: &Connection, errors: &mut Errors) {
    let Some((from, _)) = find_end(model, &connection.from, "has as hardware", hardware, errors)
    else {
        return;
    };
    let name = &connection.to;
    let device = model
        .devices
        .iter()
        .position(|d| d.name.value == name.value);
    let Some(device) = device else {
        let names = model.devices.iter().map(|d| d.name.value.as_str());
        errors.at(
            name.place,
            format!("the platform has no device `{}`", name.value),
            suggest("device", &name.value, names),
        );
        return;
    };
    let needs = &model.instances[from.instance].decl.hardware[from.port];
    let has = &model.devices[device];
    for (need, has, what) in [
        (needs.mmio, has.mmio.is_some(), "registers"),
        (needs.irq, has.irq.is_some(), "interrupt"),
    ] {
        if need && !has {
            errors.at(
                name.place,
                format!(
                    "device `{}` has no {what}, which `{}` needs",
                    name.value, connection.from.value
                ),
                "connect another device, or add it to the platform",
            );
        }
    }
    model.hardware.push(Wired {
        from,
        device,
        place: connection.place,
    });
}

fn supervision(model: &mut Model<'_>, system: &System, errors: &mut Errors) {
    if let Some(text) = &system.panic_console {
        let end = find_end(model, text, "has as hardware", hardware, errors);
        if let Some((end, _)) = end {
            let wired = model.hardware.iter().find(|w| w.from == end);
            // Hardware that is not connected at all is reported as such.
            if let Some(wired) = wired {
                if model.devices[wired.device].mmio.is_none() {
                    not_usable(text.place, &text.value, errors);
                }
                model.panic_console = Some((wired.device, text.place));
            }
        }
    }
    if let Some(text) = &system.console {
        if let Some((end, _)) = find_end(model, text, "provides", provides, errors) {
            model.console = Some((end, text.place));
        }
    }
}

fn not_usable(place: Place, name: &str, errors: &mut Errors) {
    errors.at(
        place,
        format!("`{name}` is connected to no device with registers"),
        "the panic console is the UART that a component owns",
    );
}
