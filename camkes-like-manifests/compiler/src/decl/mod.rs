//! Declarations: component types, interfaces, platforms.

mod read;

pub use read::{check_name, platform, wrong_attribute};

use crate::source::{suggest, At, Errors, Files};
use crate::tree::{size, Kind, Table};
use read::{component, interfaces};

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
    /// Reading the processor time of Linux threads, as the kernel counts it.
    Usage,
}

impl Grant {
    /// All grants with their names in manifests, and whether only one component may have it.
    pub const ALL: [(Grant, &'static str, bool); 10] = [
        (Grant::Ram, "ram", true),
        (Grant::Initrd, "initrd", true),
        (Grant::Asid, "asid", true),
        (Grant::BootInfo, "boot_info", false),
        (Grant::DomainVspaces, "domain_vspaces", true),
        (Grant::SelfVspace, "self_vspace", false),
        (Grant::SelfCspace, "self_cspace", false),
        (Grant::LsyscallMint, "lsyscall_mint", true),
        (Grant::Supervisor, "supervisor", true),
        (Grant::Usage, "usage", false),
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
