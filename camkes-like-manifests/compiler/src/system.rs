//! System manifests: which instances there are, how they are connected, and which share a domain.

use crate::decl::{check_name, open, platform, Device};
use crate::source::{At, Errors, Files, Place};
use crate::tree::{Kind, Section, Table, Value};
use std::path::Path;

/// Kinds of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connector {
    /// A `uses` to a `provides`.
    Rpc,
    /// An `emits` to a `consumes`.
    Notification,
    /// A written dataport to one that reads (or writes too).
    Dataport,
    /// A component's hardware to a device of the platform.
    Hardware,
}

impl Connector {
    const ALL: [(Connector, &'static str); 4] = [
        (Connector::Rpc, "rpc"),
        (Connector::Notification, "notification"),
        (Connector::Dataport, "dataport"),
        (Connector::Hardware, "hardware"),
    ];
}

/// A connection as written.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Its kind.
    pub connector: Connector,
    /// `instance.port`.
    pub from: At<String>,
    /// `instance.port`, or the name of a device.
    pub to: At<String>,
    /// The whole of it.
    pub place: Place,
}

/// A component instance as written.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Its name.
    pub name: At<String>,
    /// Its type.
    pub component: At<String>,
    /// What follows a fault.
    pub on_fault: persona_plan::OnFault,
}

/// A protection domain as written.
#[derive(Clone, Debug)]
pub struct Domain {
    /// Its name.
    pub name: At<String>,
    /// The instances in it.
    pub hosts: Vec<At<String>>,
    /// Its priority, if not the highest of its components'.
    pub priority: Option<At<i64>>,
    /// Bytes of heap at the start, if not the sum of its components'.
    pub heap: Option<At<u64>>,
    /// Bytes of stack, if not the most of its components'.
    pub stack: Option<At<u64>>,
    /// Slots of the root CNode as a power of two.
    pub cnode_bits: Option<At<i64>>,
}

/// A value given to an attribute of an instance.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The instance.
    pub instance: At<String>,
    /// The attribute.
    pub attribute: At<String>,
    /// The value.
    pub value: Value,
}

/// A grant given to an instance.
#[derive(Clone, Debug)]
pub struct Given {
    /// The grant.
    pub grant: At<String>,
    /// The instance.
    pub instance: At<String>,
}

/// A system as written, with what it extends merged in.
#[derive(Clone, Debug, Default)]
pub struct System {
    /// Its name.
    pub name: Option<At<String>>,
    /// What it is, in a line.
    pub description: String,
    /// Devices of its platform.
    pub devices: Vec<Device>,
    /// Name of the platform.
    pub platform: Option<At<String>>,
    /// Instances.
    pub instances: Vec<Instance>,
    /// Connections.
    pub connections: Vec<Connection>,
    /// Domains.
    pub domains: Vec<Domain>,
    /// Attribute values; the last one given counts.
    pub settings: Vec<Setting>,
    /// Grants.
    pub grants: Vec<Given>,
    /// `instance.hardware` the root task may write to when there is no console.
    pub panic_console: Option<At<String>>,
    /// `instance.interface` the root task reports through.
    pub console: Option<At<String>>,
    /// Priority of Linux threads.
    pub linux_priority: Option<At<i64>>,
    /// Linux threads there can be at once.
    pub max_threads: Option<At<i64>>,
}

const KEYS: [&str; 8] = [
    "system",
    "supervision",
    "linux",
    "instances",
    "composition",
    "domains",
    "attributes",
    "grants",
];

impl System {
    /// Reads a system manifest and those it extends.
    pub fn read(path: &Path, dir: &Path, files: &mut Files, errors: &mut Errors) -> System {
        let mut system = System::default();
        system.read_into(path, dir, 0, files, errors);
        if system.name.is_none() && errors.is_empty() {
            errors.general(
                format!("{}: no [system] with a `name`", path.display()),
                "a system manifest starts with [system] and its name",
            );
        }
        system
    }

    fn read_into(
        &mut self,
        path: &Path,
        dir: &Path,
        depth: u32,
        files: &mut Files,
        errors: &mut Errors,
    ) {
        let Some((file, table)) = open(path, files, errors) else {
            return;
        };
        let place = Place {
            file,
            start: 0,
            end: 0,
        };
        let root = Section {
            table: &table,
            place,
            what: "a system manifest".into(),
        };
        root.only(&KEYS, errors);
        self.head(&table, path, dir, depth, files, errors);
        self.supervision(&table, errors);
        self.instances(&root, errors);
        self.composition(&table, errors);
        self.domains(&root, errors);
        for (instance, value) in root.entries("attributes", errors) {
            let what = format!("attributes of `{}`", instance.value);
            let Some(table) = crate::tree::table(value, &what, errors) else {
                continue;
            };
            for (attribute, value) in &table.entries {
                self.settings.push(Setting {
                    instance: instance.clone(),
                    attribute: attribute.clone(),
                    value: value.clone(),
                });
            }
        }
        self.grants(&root, errors);
    }

    fn head(
        &mut self,
        table: &Table,
        path: &Path,
        dir: &Path,
        depth: u32,
        files: &mut Files,
        errors: &mut Errors,
    ) {
        let keys = ["name", "description", "platform", "extends"];
        let Some(head) = table
            .get("system")
            .and_then(|v| Section::new(v, "[system]", &keys, errors))
        else {
            return;
        };
        if let Some(base) = head.text("extends", errors) {
            if depth > 8 {
                errors.at(base.place, "`extends` goes round in a circle", "");
                return;
            }
            let base_path = path.with_file_name(&base.value);
            if base_path.is_file() {
                self.read_into(&base_path, dir, depth + 1, files, errors);
            } else {
                errors.at(
                    base.place,
                    format!("there is no manifest `{}`", base.value),
                    "the name is relative to this file",
                );
            }
        }
        if let Some(name) = head.text("name", errors) {
            check_name(&name, errors);
            self.name = Some(name);
        }
        if let Some(text) = head.text("description", errors) {
            self.description = text.value;
        }
        if let Some(name) = head.text("platform", errors) {
            let path = dir.join("platforms").join(format!("{}.toml", name.value));
            if path.is_file() {
                if let Some((_, table)) = open(&path, files, errors) {
                    self.devices = platform(&table, errors);
                }
            } else {
                errors.at(
                    name.place,
                    format!("there is no platform `{}`", name.value),
                    "platforms are the files of camkes-like-manifests/platforms",
                );
            }
            self.platform = Some(name);
        }
    }

    fn supervision(&mut self, table: &Table, errors: &mut Errors) {
        let keys = ["panic_console", "console"];
        if let Some(section) = table
            .get("supervision")
            .and_then(|v| Section::new(v, "[supervision]", &keys, errors))
        {
            let panic_console = section.text("panic_console", errors);
            self.panic_console = panic_console.or(self.panic_console.take());
            self.console = section.text("console", errors).or(self.console.take());
        }
        let keys = ["priority", "max_threads"];
        if let Some(section) = table
            .get("linux")
            .and_then(|v| Section::new(v, "[linux]", &keys, errors))
        {
            let priority = section.int("priority", 1..=249, errors);
            self.linux_priority = priority.or(self.linux_priority.take());
            let max_threads = section.int("max_threads", 1..=4096, errors);
            self.max_threads = max_threads.or(self.max_threads.take());
        }
    }

    fn instances(&mut self, root: &Section<'_>, errors: &mut Errors) {
        for (name, value) in root.entries("instances", errors) {
            check_name(name, errors);
            let what = format!("instance `{}`", name.value);
            let Some(section) = Section::new(value, what, &["component", "on_fault"], errors)
            else {
                continue;
            };
            let Some(component) = section.need_text("component", errors) else {
                continue;
            };
            let on_fault = match section.text("on_fault", errors) {
                None => persona_plan::OnFault::EndRun,
                Some(word) => match word.value.as_str() {
                    "end-run" => persona_plan::OnFault::EndRun,
                    "report" => persona_plan::OnFault::Report,
                    other => {
                        errors.at(
                            word.place,
                            format!("`on_fault` is \"{other}\""),
                            "it is \"end-run\" or \"report\"",
                        );
                        continue;
                    }
                },
            };
            if self.instances.iter().any(|i| i.name.value == name.value) {
                errors.at(
                    name.place,
                    format!("instance `{}` is declared twice", name.value),
                    "the manifest this one extends has an instance of that name",
                );
                continue;
            }
            self.instances.push(Instance {
                name: name.clone(),
                component,
                on_fault,
            });
        }
    }

    fn composition(&mut self, table: &Table, errors: &mut Errors) {
        let Some(section) = table
            .get("composition")
            .and_then(|v| Section::new(v, "[composition]", &["connections"], errors))
        else {
            return;
        };
        let Some(list) = section.table.get("connections") else {
            return;
        };
        let Kind::Array(items) = &list.kind else {
            errors.at(
                list.place,
                "`connections` is no array",
                "write connections = [ { rpc = \"a.b\", to = \"c.d\" }, ... ]",
            );
            return;
        };
        for item in items {
            let Some(section) = Section::new(item, "a connection", &CONNECTION_KEYS, errors) else {
                continue;
            };
            let kinds: Vec<_> = Connector::ALL
                .iter()
                .filter(|(_, key)| section.table.get(key).is_some())
                .collect();
            let &[(connector, key)] = kinds.as_slice() else {
                errors.at(
                    item.place,
                    "a connection names one connector",
                    "rpc, notification, dataport or hardware = \"instance.port\"",
                );
                continue;
            };
            let from = section.text(key, errors);
            let to = section.need_text("to", errors);
            if let (Some(from), Some(to)) = (from, to) {
                self.connections.push(Connection {
                    connector: *connector,
                    from,
                    to,
                    place: item.place,
                });
            }
        }
    }

    fn domains(&mut self, root: &Section<'_>, errors: &mut Errors) {
        for (name, value) in root.entries("domains", errors) {
            check_name(name, errors);
            let what = format!("domain `{}`", name.value);
            let keys = ["hosts", "priority", "heap", "stack", "cnode_bits"];
            let Some(section) = Section::new(value, what.clone(), &keys, errors) else {
                continue;
            };
            let hosts = section.texts("hosts", errors);
            if hosts.is_empty() {
                errors.at(
                    name.place,
                    format!("{what} hosts nothing"),
                    "add `hosts = [\"instance\", ...]`",
                );
            }
            if self.domains.iter().any(|d| d.name.value == name.value) {
                errors.at(
                    name.place,
                    format!("{what} is declared twice"),
                    "the manifest this one extends has a domain of that name",
                );
                continue;
            }
            self.domains.push(Domain {
                name: name.clone(),
                hosts,
                priority: section.int("priority", 1..=249, errors),
                heap: section.size("heap", errors),
                stack: section.size("stack", errors),
                cnode_bits: section.int("cnode_bits", 6..=12, errors),
            });
        }
    }

    fn grants(&mut self, root: &Section<'_>, errors: &mut Errors) {
        for (grant, value) in root.entries("grants", errors) {
            let instances = match &value.kind {
                Kind::Array(items) => items.as_slice(),
                _ => std::slice::from_ref(value),
            };
            for instance in instances {
                if let Some(instance) = crate::tree::text(instance, &grant.value, errors) {
                    self.grants.push(Given {
                        grant: grant.clone(),
                        instance,
                    });
                }
            }
        }
    }
}

const CONNECTION_KEYS: [&str; 5] = ["rpc", "notification", "dataport", "hardware", "to"];
