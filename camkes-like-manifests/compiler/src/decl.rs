//! Declarations: component types, interfaces, platforms.

use crate::source::{suggest, At, Errors, Files, Place};
use crate::tree::{size, Kind, Section, Table, Value};

/// An interface: what crosses a `uses`/`provides` edge.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Its name.
    pub name: At<String>,
    /// The crate that declares it.
    pub krate: String,
    /// Rust path of the client.
    pub client: String,
}

/// A named, typed end of a connection.
#[derive(Clone, Debug)]
pub struct Port {
    /// Its name.
    pub name: At<String>,
    /// Interface, event type or dataport type.
    pub ty: At<String>,
    /// Bytes of memory shared with the server of this interface when it is in another domain.
    pub buffer: Option<u64>,
}

/// Shared memory of a component.
#[derive(Clone, Debug)]
pub struct Dataport {
    /// Name and type.
    pub port: Port,
    /// Whether the component writes it.
    pub writes: bool,
    /// Bytes; given by the side whose dataport is the `dataport` of a connection.
    pub size: Option<At<u64>>,
}

/// A device a component needs.
#[derive(Clone, Debug)]
pub struct Hardware {
    /// Its name in the component.
    pub name: At<String>,
    /// Whether its registers are mapped.
    pub mmio: bool,
    /// Whether its interrupt is delivered.
    pub irq: bool,
}

/// Type of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeType {
    /// An integer.
    Int,
    /// A boolean.
    Bool,
    /// A string.
    Text,
    /// A number of bytes.
    Size,
}

impl AttributeType {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "int" => AttributeType::Int,
            "bool" => AttributeType::Bool,
            "string" => AttributeType::Text,
            "size" => AttributeType::Size,
            _ => return None,
        })
    }

    /// The type's name in manifests.
    pub fn name(self) -> &'static str {
        match self {
            AttributeType::Int => "int",
            AttributeType::Bool => "bool",
            AttributeType::Text => "string",
            AttributeType::Size => "size",
        }
    }

    /// The value as text, if it is of this type.
    pub fn accept(self, kind: &Kind) -> Option<String> {
        match (self, kind) {
            (AttributeType::Int, Kind::Int(int)) => Some(int.to_string()),
            (AttributeType::Bool, Kind::Bool(b)) => Some(b.to_string()),
            (AttributeType::Text, Kind::Text(text)) => Some(text.clone()),
            (AttributeType::Size, kind) => size(kind).map(|bytes| bytes.to_string()),
            _ => None,
        }
    }
}

/// An attribute of a component type.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// Its name.
    pub name: At<String>,
    /// Its type.
    pub ty: AttributeType,
    /// Its value unless a system says otherwise.
    pub default: Option<String>,
}

/// Authority beyond connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grant {
    /// All RAM the plan leaves over.
    Ram,
    /// The initial root file system's pages.
    Initrd,
    /// ASID control and the initial pool: making address spaces.
    Asid,
    /// The boot arguments.
    BootInfo,
    /// The address spaces of all domains, to map heap there.
    DomainVspaces,
    /// The own address space.
    SelfVspace,
    /// The own CSpace.
    SelfCspace,
    /// Unbadged endpoints of the domains that serve lsyscalls, to mint the capabilities of Linux threads.
    LsyscallMint,
    /// Ending the run.
    Supervisor,
}

impl Grant {
    /// All grants with their names in manifests, and whether only one component may have it.
    pub const ALL: [(Grant, &'static str, bool); 9] = [
        (Grant::Ram, "ram", true),
        (Grant::Initrd, "initrd", true),
        (Grant::Asid, "asid", true),
        (Grant::BootInfo, "boot_info", false),
        (Grant::DomainVspaces, "domain_vspaces", true),
        (Grant::SelfVspace, "self_vspace", false),
        (Grant::SelfCspace, "self_cspace", false),
        (Grant::LsyscallMint, "lsyscall_mint", true),
        (Grant::Supervisor, "supervisor", true),
    ];

    /// Its name in manifests.
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(g, _, _)| *g == self)
            .map_or("", |(_, name, _)| name)
    }

    fn parse(word: &str) -> Option<Grant> {
        Self::ALL
            .iter()
            .find(|(_, name, _)| *name == word)
            .map(|(g, _, _)| *g)
    }
}

/// A component type.
#[derive(Clone, Debug)]
pub struct Component {
    /// Its name.
    pub name: At<String>,
    /// What it does, in a line.
    pub description: String,
    /// The crate of its server.
    pub krate: String,
    /// Rust path of the server's type.
    pub ty: String,
    /// Whether it acts by itself after the start (CAmkES `control`).
    pub control: bool,
    /// Its place in the call order: calls go to lower layers. A component without one is only checked for cycles.
    pub layer: Option<At<i64>>,
    /// Its priority.
    pub priority: At<i64>,
    /// Bytes of heap it needs at the start.
    pub heap: u64,
    /// Bytes of stack it needs.
    pub stack: u64,
    /// Interfaces it serves.
    pub provides: Vec<Port>,
    /// Interfaces it calls.
    pub uses: Vec<Port>,
    /// Events it announces.
    pub emits: Vec<Port>,
    /// Events it hears of.
    pub consumes: Vec<Port>,
    /// Shared memory.
    pub dataports: Vec<Dataport>,
    /// Devices.
    pub hardware: Vec<Hardware>,
    /// Settings.
    pub attributes: Vec<Attribute>,
    /// Classes of lsyscalls it serves.
    pub lsyscalls: Vec<At<String>>,
    /// Grants it needs.
    pub grants: Vec<At<Grant>>,
}

/// A device of a platform.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its name.
    pub name: At<String>,
    /// Physical address and bytes of its registers.
    pub mmio: Option<(At<u64>, u64)>,
    /// Its interrupt.
    pub irq: Option<At<i64>>,
}

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

/// Everything declared outside of a system.
#[derive(Clone, Debug, Default)]
pub struct Declarations {
    /// Component types.
    pub components: Vec<Component>,
    /// Interfaces.
    pub interfaces: Vec<Interface>,
}

impl Declarations {
    /// Reads `interfaces.toml` and `components/*.toml` of a folder.
    pub fn read(dir: &std::path::Path, files: &mut Files, errors: &mut Errors) -> Declarations {
        let mut out = Declarations::default();
        let interfaces_file = dir.join("interfaces.toml");
        if let Some((_, table)) = open(&interfaces_file, files, errors) {
            out.interfaces = interfaces(&table, errors);
        }
        let folder = dir.join("components");
        let mut paths: Vec<_> = match std::fs::read_dir(&folder) {
            Ok(entries) => entries.filter_map(|e| Some(e.ok()?.path())).collect(),
            Err(error) => {
                errors.general(format!("{}: {error}", folder.display()), "");
                Vec::new()
            }
        };
        paths.retain(|path| path.extension().is_some_and(|e| e == "toml"));
        paths.sort();
        for path in paths {
            let Some((file, table)) = open(&path, files, errors) else {
                continue;
            };
            let Some(component) = component(file, &table, errors) else {
                continue;
            };
            let name = &component.name;
            if out.components.iter().any(|c| c.name.value == name.value) {
                errors.at(
                    name.place,
                    format!("component `{}` is declared twice", name.value),
                    "every component type has a name of its own",
                );
            }
            out.check_types(&component, errors);
            out.components.push(component);
        }
        out
    }

    fn check_types(&self, component: &Component, errors: &mut Errors) {
        for port in component.provides.iter().chain(&component.uses) {
            if self.interface(&port.ty.value).is_none() {
                let names = self.interfaces.iter().map(|i| i.name.value.as_str());
                errors.at(
                    port.ty.place,
                    format!("unknown interface `{}`", port.ty.value),
                    suggest("interface", &port.ty.value, names),
                );
            }
        }
        for class in &component.lsyscalls {
            use lsyscall_table::Class;
            let Some(known) = Class::parse(&class.value) else {
                errors.at(
                    class.place,
                    format!("unknown lsyscall class `{}`", class.value),
                    suggest("class", &class.value, Class::ALL.iter().map(|c| c.name())),
                );
                continue;
            };
            let name = &component.name.value;
            let routed = lsyscall_table::ROUTES
                .iter()
                .any(|r| r.class == known && r.component.name() == name);
            if !routed {
                errors.at(
                    class.place,
                    format!("no call of class {} goes to `{name}`", class.value),
                    "lsyscall-shim/table/syscalls.tbl says which component serves a call",
                );
            }
        }
    }

    /// An interface by name.
    pub fn interface(&self, name: &str) -> Option<&Interface> {
        self.interfaces.iter().find(|i| i.name.value == name)
    }
}

/// Reads and parses a file.
pub fn open(
    path: &std::path::Path,
    files: &mut Files,
    errors: &mut Errors,
) -> Option<(u16, Table)> {
    match files.read(path) {
        Ok(file) => Some((file, crate::tree::parse(files, file, errors)?)),
        Err(error) => {
            errors.general(format!("{}: {error}", path.display()), "");
            None
        }
    }
}
