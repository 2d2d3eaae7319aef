//! Reading declarations.

use super::{
    Attribute, AttributeType, Component, Dataport, Device, Grant, Hardware, Interface, Port,
};
use crate::source::{suggest, At, Errors, Place};
use crate::tree::{Kind, Section, Table, Value};

/// Reports a name that is not a lower-case identifier; names become Rust identifiers and parts of `a.b`.
pub fn check_name(name: &At<String>, errors: &mut Errors) {
    let mut chars = name.value.chars();
    let first = chars.next().is_some_and(|c| c.is_ascii_lowercase());
    if !first || !chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
        errors.at(
            name.place,
            format!("`{}` is not a name", name.value),
            "names are lower-case letters, digits and _, starting with a letter",
        );
    }
}

fn ports(section: &Section<'_>, key: &str, errors: &mut Errors) -> Vec<Port> {
    let entries = section.entries(key, errors);
    entries
        .iter()
        .filter_map(|(name, value)| {
            check_name(name, errors);
            if key == "uses" && matches!(value.kind, Kind::Table(_)) {
                let what = format!("`{}`", name.value);
                let section = Section::new(value, what, &["interface", "buffer"], errors)?;
                return Some(Port {
                    name: name.clone(),
                    ty: section.need_text("interface", errors)?,
                    buffer: section.size("buffer", errors).map(|s| s.value),
                });
            }
            Some(Port {
                name: name.clone(),
                ty: crate::tree::text(value, &name.value, errors)?,
                buffer: None,
            })
        })
        .collect()
}

/// Reads `interfaces.toml`.
pub fn interfaces(table: &Table, errors: &mut Errors) -> Vec<Interface> {
    let mut list = Vec::new();
    for (name, value) in &table.entries {
        let what = format!("interface `{}`", name.value);
        let keys = ["crate", "client"];
        let Some(section) = Section::new(value, what, &keys, errors) else {
            continue;
        };
        let krate = section.need_text("crate", errors);
        let client = section.text("client", errors);
        let Some(krate) = krate else { continue };
        let path = krate.value.replace('-', "_");
        list.push(Interface {
            name: name.clone(),
            client: client.map_or_else(|| format!("{path}::{}Client", name.value), |c| c.value),
            krate: krate.value,
        });
    }
    list
}

/// Reads a platform file.
pub fn platform(table: &Table, errors: &mut Errors) -> Vec<Device> {
    let mut list = Vec::new();
    let root = Section {
        table,
        place: Place::default(),
        what: "a platform".into(),
    };
    root.only(&["devices"], errors);
    for (name, value) in root.entries("devices", errors) {
        check_name(name, errors);
        let what = format!("device `{}`", name.value);
        let Some(section) = Section::new(value, what.clone(), &["mmio", "irq"], errors) else {
            continue;
        };
        let mmio = section.table.get("mmio").and_then(|value| {
            let mmio = Section::new(
                value,
                format!("mmio of {what}"),
                &["address", "size"],
                errors,
            )?;
            let address = mmio.size("address", errors)?;
            let bytes = mmio.size("size", errors).map_or(4096, |s| s.value);
            Some((address, bytes))
        });
        list.push(Device {
            name: name.clone(),
            mmio,
            irq: section.int("irq", 0..=1019, errors),
        });
    }
    list
}

const COMPONENT_KEYS: [&str; 9] = [
    "component",
    "provides",
    "uses",
    "emits",
    "consumes",
    "dataports",
    "hardware",
    "attributes",
    "authority",
];

/// Reads a component file.
pub fn component(file: u16, table: &Table, errors: &mut Errors) -> Option<Component> {
    let whole = Place {
        file,
        start: 0,
        end: 0,
    };
    let root = Section {
        table,
        place: whole,
        what: "a component declaration".into(),
    };
    root.only(&COMPONENT_KEYS, errors);
    let Some(head) = table.get("component") else {
        errors.at(
            whole,
            "no [component] section",
            "a component file starts with [component] and its name",
        );
        return None;
    };
    let keys = [
        "name",
        "description",
        "crate",
        "type",
        "control",
        "layer",
        "priority",
        "heap",
        "stack",
    ];
    let head = Section::new(head, "[component]", &keys, errors)?;
    let name = head.need_text("name", errors)?;
    check_name(&name, errors);
    let krate = head.need_text("crate", errors);
    let ty = head.need_text("type", errors);
    if head.table.get("priority").is_none() {
        errors.at(
            head.place,
            format!("component `{}` has no `priority`", name.value),
            "docs/architecture.md lists the priorities; a server lies above those who call it",
        );
    }
    let priority = head.int("priority", 1..=249, errors);
    let grants = authority(&root, errors);
    let component = Component {
        description: head
            .text("description", errors)
            .map_or(String::new(), |d| d.value),
        control: head.flag("control", errors),
        layer: head.int("layer", 0..=1000, errors),
        heap: head.size("heap", errors).map_or(64 << 10, |s| s.value),
        stack: head.size("stack", errors).map_or(16 << 10, |s| s.value),
        provides: ports(&root, "provides", errors),
        uses: ports(&root, "uses", errors),
        emits: ports(&root, "emits", errors),
        consumes: ports(&root, "consumes", errors),
        dataports: dataports(&root, errors),
        hardware: hardware(&root, errors),
        attributes: attributes(&root, errors),
        lsyscalls: grants.1,
        grants: grants.0,
        krate: krate?.value,
        ty: ty?.value,
        priority: priority?,
        name,
    };
    unique_ports(&component, errors);
    Some(component)
}

/// Within a component every port has a name of its own, whatever its kind: `a.b` must be unambiguous.
fn unique_ports(component: &Component, errors: &mut Errors) {
    let mut seen: Vec<&At<String>> = Vec::new();
    let ports = component
        .provides
        .iter()
        .chain(&component.uses)
        .chain(&component.emits)
        .chain(&component.consumes)
        .chain(component.dataports.iter().map(|d| &d.port))
        .map(|port| &port.name)
        .chain(component.hardware.iter().map(|h| &h.name));
    for name in ports {
        if seen.iter().any(|other| other.value == name.value) {
            errors.at(
                name.place,
                format!(
                    "component `{}` has two ports named `{}`",
                    component.name.value, name.value
                ),
                "a connection names a port as `instance.port`: rename one of the two",
            );
        }
        seen.push(name);
    }
}

fn dataports(root: &Section<'_>, errors: &mut Errors) -> Vec<Dataport> {
    let mut list = Vec::new();
    for (name, value) in root.entries("dataports", errors) {
        check_name(name, errors);
        let what = format!("dataport `{}`", name.value);
        let Some(section) = Section::new(value, what, &["type", "access", "size"], errors) else {
            continue;
        };
        let ty = section.need_text("type", errors);
        let access = section.need_text("access", errors);
        let (Some(ty), Some(access)) = (ty, access) else {
            continue;
        };
        let writes = match access.value.as_str() {
            "rw" => true,
            "r" => false,
            other => {
                errors.at(
                    access.place,
                    format!("`access` is \"{other}\""),
                    "it is \"r\" or \"rw\"",
                );
                continue;
            }
        };
        let size = section.size("size", errors);
        list.push(Dataport {
            port: Port {
                name: name.clone(),
                ty,
                buffer: None,
            },
            writes,
            size,
        });
    }
    list
}

fn hardware(root: &Section<'_>, errors: &mut Errors) -> Vec<Hardware> {
    let mut list = Vec::new();
    for (name, value) in root.entries("hardware", errors) {
        check_name(name, errors);
        let what = format!("hardware `{}`", name.value);
        if let Some(section) = Section::new(value, what, &["mmio", "irq"], errors) {
            list.push(Hardware {
                name: name.clone(),
                mmio: section.flag("mmio", errors),
                irq: section.flag("irq", errors),
            });
        }
    }
    list
}

fn attributes(root: &Section<'_>, errors: &mut Errors) -> Vec<Attribute> {
    let mut list = Vec::new();
    for (name, value) in root.entries("attributes", errors) {
        check_name(name, errors);
        let what = format!("attribute `{}`", name.value);
        let keys = ["type", "default", "description"];
        let Some(section) = Section::new(value, what.clone(), &keys, errors) else {
            continue;
        };
        let Some(word) = section.need_text("type", errors) else {
            continue;
        };
        let Some(ty) = AttributeType::parse(&word.value) else {
            errors.at(
                word.place,
                format!("{what} has the unknown type `{}`", word.value),
                suggest("type", &word.value, ["int", "bool", "string", "size"]),
            );
            continue;
        };
        let default = section.table.get("default").and_then(|value| {
            let accepted = ty.accept(&value.kind);
            if accepted.is_none() {
                wrong_attribute(&what, ty, value, errors);
            }
            accepted
        });
        list.push(Attribute {
            name: name.clone(),
            ty,
            default,
        });
    }
    list
}

/// Reports an attribute value of the wrong type.
pub fn wrong_attribute(what: &str, ty: AttributeType, value: &Value, errors: &mut Errors) {
    let hint = match ty {
        AttributeType::Int => "write an integer, such as 16",
        AttributeType::Bool => "write true or false",
        AttributeType::Text => "write a string, such as \"text\"",
        AttributeType::Size => "write a number of bytes or a string such as \"64 KiB\"",
    };
    errors.at(
        value.place,
        format!("{what} is of type {}, not {}", ty.name(), value.kind.text()),
        hint,
    );
}

fn authority(root: &Section<'_>, errors: &mut Errors) -> (Vec<At<Grant>>, Vec<At<String>>) {
    let Some(value) = root.table.get("authority") else {
        return (Vec::new(), Vec::new());
    };
    let Some(section) = Section::new(value, "[authority]", &["grants", "lsyscalls"], errors) else {
        return (Vec::new(), Vec::new());
    };
    let mut grants = Vec::new();
    for word in section.texts("grants", errors) {
        match Grant::parse(&word.value) {
            Some(grant) => grants.push(At::new(grant, word.place)),
            None => errors.at(
                word.place,
                format!("unknown grant `{}`", word.value),
                suggest("grant", &word.value, Grant::ALL.iter().map(|g| g.1)),
            ),
        }
    }
    (grants, section.texts("lsyscalls", errors))
}
