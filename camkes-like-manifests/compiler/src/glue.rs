//! The crate of a domain: the one place that knows how `persona-rt` wants to be called.

use crate::layout::{ComponentLayout, DomainLayout, Server, WakeTo};
use crate::model::Model;
use crate::Inputs;
use std::fmt::Write;

/// Text of a domain's `Cargo.toml`. Its dependencies are the crates of the components, of the interfaces they use, and the
/// runtime.
pub fn cargo_toml(model: &Model<'_>, domain: usize, inputs: &Inputs) -> String {
    let entry = &model.domains[domain];
    let mut crates = vec!["persona-rt".to_string()];
    for &host in &entry.hosts {
        let decl = model.instances[host].decl;
        crates.push(decl.krate.clone());
        for port in &decl.uses {
            if let Some(interface) = model.declarations.interface(&port.ty.value) {
                crates.push(interface.krate.clone());
            }
        }
    }
    crates.sort();
    crates.dedup();
    let mut out = format!(
        "# Generated from the system manifest `{}`; changes are lost.\n\
         [package]\nname = \"{}\"\nversion = \"0.1.0\"\nedition = \"2021\"\npublish = false\n\n\
         [dependencies]\n",
        model.name,
        crate_name(&entry.name.value)
    );
    for krate in crates {
        let path = inputs.crate_path(&krate);
        let _ = writeln!(
            out,
            "{krate} = {{ path = {:?} }}",
            path.display().to_string()
        );
    }
    out
}

/// Name of a domain's crate, and of the program it makes.
pub fn crate_name(domain: &str) -> String {
    format!("domain-{}", domain.replace('_', "-"))
}

/// `Cargo.toml` of the workspace around the domains' crates. The profile is the source tree's.
pub fn workspace_toml(system: &str, domains: &[crate::DomainCrate]) -> String {
    let members: Vec<String> = domains
        .iter()
        .map(|d| format!("{:?}", d.crate_name))
        .collect();
    format!(
        "# Generated from the system manifest `{system}`; changes are lost.\n\
         [workspace]\nresolver = \"2\"\nmembers = [{}]\n\n\
         [profile.release]\nopt-level = 3\nlto = \"fat\"\ncodegen-units = 1\npanic = \"abort\"\ndebug = 1\n\n\
         [profile.dev]\npanic = \"abort\"\n",
        members.join(", ")
    )
}

/// Text of a domain's `main.rs`.
pub fn main_rs(model: &Model<'_>, domain: usize, layout: &DomainLayout) -> String {
    let mut out = String::new();
    let _ = write_main(model, domain, layout, &mut out);
    out
}

type Result = std::fmt::Result;

fn write_main(model: &Model<'_>, domain: usize, layout: &DomainLayout, out: &mut String) -> Result {
    let entry = &model.domains[domain];
    writeln!(
        out,
        "//! Domain `{}` of the system `{}`. Generated from its manifest; changes are lost.\n\
         #![no_std]\n#![no_main]\n#![deny(unsafe_code)]\n\nextern crate alloc;\n",
        entry.name.value, model.name
    )?;
    slots(layout, out)?;
    writeln!(out, "persona_rt::entry!(main);\n")?;
    for component in &layout.components {
        table(model, component, out)?;
    }
    writeln!(out, "fn main(rt: persona_rt::Runtime) -> ! {{")?;
    if layout.replies {
        writeln!(out, "    rt.serves_linux();")?;
    }
    for (interface, method) in [("Console", "log_to"), ("MemMgr", "heap_from")] {
        if let Some(slot) = remote(model, layout, interface) {
            writeln!(out, "    rt.{method}(slots::{slot});")?;
        }
    }
    for component in &layout.components {
        construct(model, component, layout, out)?;
    }
    serve(model, layout, out)?;
    writeln!(out, "}}")
}

/// Slot of the first capability on an interface of another domain.
fn remote<'l>(model: &Model<'_>, layout: &'l DomainLayout, interface: &str) -> Option<&'l str> {
    let used = layout.components.iter().flat_map(|component| {
        let decl = model.instances[component.instance].decl;
        component.uses.iter().map(move |entry| (decl, entry))
    });
    used.filter(|(decl, (port, _))| {
        let is = |p: &crate::decl::Port| p.name.value == *port && p.ty.value == interface;
        decl.uses.iter().any(is)
    })
    .find_map(|(_, (_, server))| match server {
        Server::Remote(slot, _) => Some(slot.as_str()),
        Server::Local(_) => None,
    })
}

fn slots(layout: &DomainLayout, out: &mut String) -> Result {
    writeln!(
        out,
        "/// Capability pointers of this domain's CSpace.\n#[allow(dead_code)]\nmod slots {{"
    )?;
    for (name, cptr, comment) in &layout.slots {
        writeln!(
            out,
            "    /// {comment}\n    pub const {name}: u64 = {cptr:#x};"
        )?;
    }
    writeln!(out, "}}\n")
}

fn static_name(model: &Model<'_>, component: &ComponentLayout) -> String {
    format!(
        "{}_ENV",
        model.instances[component.instance]
            .name
            .value
            .to_uppercase()
    )
}

fn table(model: &Model<'_>, component: &ComponentLayout, out: &mut String) -> Result {
    let instance = &model.instances[component.instance];
    writeln!(
        out,
        "static {}: persona_rt::EnvTable = persona_rt::EnvTable {{\n    name: {:?},",
        static_name(model, component),
        instance.name.value
    )?;
    list(out, "attributes", &instance.attributes, |(name, value)| {
        format!("({name:?}, {value:?})")
    })?;
    list(out, "caps", &component.caps, |(name, slot)| {
        format!("({name:?}, slots::{slot})")
    })?;
    list(
        out,
        "dataports",
        &component.dataports,
        |(name, vaddr, bytes, writable)| format!("({name:?}, {vaddr:#x}, {bytes:#x}, {writable})"),
    )?;
    list(out, "mmio", &component.mmio, |(name, vaddr, bytes)| {
        format!("({name:?}, {vaddr:#x}, {bytes:#x})")
    })?;
    list(out, "wakes", &component.wakes, |(name, to)| match to {
        WakeTo::Local { component, event } => format!(
            "({name:?}, persona_rt::WakeTarget::Local {{ component: {component}, event: {event} }})"
        ),
        WakeTo::Remote(slot) => {
            format!("({name:?}, persona_rt::WakeTarget::Remote(slots::{slot}))")
        }
    })?;
    writeln!(out, "}};\n")
}

fn list<T>(out: &mut String, field: &str, items: &[T], show: impl Fn(&T) -> String) -> Result {
    if items.is_empty() {
        return writeln!(out, "    {field}: &[],");
    }
    writeln!(out, "    {field}: &[")?;
    for item in items {
        writeln!(out, "        {},", show(item))?;
    }
    writeln!(out, "    ],")
}

/// `let name = rt.host(&NAME_ENV, |env| server::Type::new(env, server::Deps { .. }));`
fn construct(
    model: &Model<'_>,
    component: &ComponentLayout,
    layout: &DomainLayout,
    out: &mut String,
) -> Result {
    let instance = &model.instances[component.instance];
    let decl = instance.decl;
    let path = decl.krate.replace('-', "_");
    let name = &instance.name.value;
    writeln!(
        out,
        "    let {name} = rt.host(&{}, |env| {{",
        static_name(model, component)
    )?;
    writeln!(
        out,
        "        {}::new(\n            env,\n            {path}::Deps {{",
        decl.ty
    )?;
    for (port, server) in &component.uses {
        let value = match server {
            Server::Local(index) => {
                let local = &model.instances[layout.components[*index].instance];
                format!("{}.clone()", local.name.value)
            }
            Server::Remote(slot, buffer) => {
                let interface = decl
                    .uses
                    .iter()
                    .find(|p| p.name.value == *port)
                    .and_then(|p| model.declarations.interface(&p.ty.value));
                let client = interface.map_or("", |i| i.client.as_str());
                match buffer {
                    None => format!("{client}(rt.remote(slots::{slot}))"),
                    Some((vaddr, bytes)) => format!(
                        "{client}(rt.remote_with_buffer(slots::{slot}, {vaddr:#x}, {bytes:#x}))"
                    ),
                }
            }
        };
        writeln!(out, "                {port}: {value},")?;
    }
    writeln!(out, "            }},\n        )\n    }});")?;
    // From here on the memory manager sees to the heap of its own domain, for those that are made after it too.
    if decl.provides.iter().any(|port| port.ty.value == "MemMgr") {
        writeln!(out, "    rt.heap_of(&{name});")?;
    }
    Ok(())
}

fn serve(model: &Model<'_>, layout: &DomainLayout, out: &mut String) -> Result {
    writeln!(
        out,
        "    rt.serve(persona_rt::Hosted {{\n        components: &["
    )?;
    for component in &layout.components {
        let instance = &model.instances[component.instance];
        writeln!(out, "            persona_rt::HostedComponent {{")?;
        writeln!(out, "                kind: {:?},", instance.decl.name.value)?;
        writeln!(out, "                entries: &{},", instance.name.value)?;
        writeln!(out, "                control: {},", instance.decl.control)?;
        writeln!(
            out,
            "                serves_lsyscalls: {},",
            !instance.decl.lsyscalls.is_empty()
        )?;
        writeln!(
            out,
            "                interfaces: ({}, {}),\n                events: ({}, {}),\n            }},",
            component.interface_base, component.interfaces, component.event_base, component.events
        )?;
    }
    writeln!(out, "        ],")?;
    let replies = if layout.replies {
        "Some(slots::REPLIES)"
    } else {
        "None"
    };
    writeln!(out, "        replies: {replies},\n    }})")
}
