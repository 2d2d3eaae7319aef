//! A system with every name resolved: what the checks look at and the plan is made from.

use crate::decl::{Component, Declarations, Device, Grant};
use crate::source::{At, Place};
use persona_plan::OnFault;

/// A component instance.
#[derive(Debug)]
pub struct Instance<'a> {
    /// Its name.
    pub name: &'a At<String>,
    /// Its type.
    pub decl: &'a Component,
    /// What follows a fault.
    pub on_fault: OnFault,
    /// Its domain in [`Model::domains`].
    pub domain: usize,
    /// Attributes, in the order of the declaration, with their values.
    pub attributes: Vec<(&'a str, String)>,
    /// Grants and where they are given.
    pub grants: Vec<(Grant, Place)>,
}

/// One end of a connection: an instance and the number of one of its ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// In [`Model::instances`].
    pub instance: usize,
    /// In the list of the declaration that the connector speaks of.
    pub port: usize,
}

/// A resolved connection.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// The caller, the emitter, or the owner of the memory.
    pub from: End,
    /// The server, the consumer, or the other side.
    pub to: End,
    /// Where it is written.
    pub place: Place,
}

/// A resolved `hardware` connection.
#[derive(Clone, Copy, Debug)]
pub struct Wired {
    /// The component's end.
    pub from: End,
    /// In [`Model::devices`].
    pub device: usize,
    /// Where it is written.
    pub place: Place,
}

/// A protection domain.
#[derive(Debug)]
pub struct Domain<'a> {
    /// Its name.
    pub name: &'a At<String>,
    /// Its instances, servers before their callers.
    pub hosts: Vec<usize>,
    /// Its priority.
    pub priority: u8,
    /// Where the priority is said.
    pub priority_place: Place,
    /// Bytes of heap at the start.
    pub heap: u64,
    /// Bytes of stack.
    pub stack: u64,
    /// Slots of the root CNode as a power of two.
    pub cnode_bits: u8,
}

/// A whole system. Domains are in the order of their start: servers before their callers.
#[derive(Debug)]
pub struct Model<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is.
    pub description: &'a str,
    /// All declarations.
    pub declarations: &'a Declarations,
    /// Devices of the platform.
    pub devices: &'a [Device],
    /// Instances.
    pub instances: Vec<Instance<'a>>,
    /// Names of instances whose component is unknown.
    pub unknown: Vec<&'a str>,
    /// Domains.
    pub domains: Vec<Domain<'a>>,
    /// Calls.
    pub rpcs: Vec<Link>,
    /// Events.
    pub events: Vec<Link>,
    /// Dataports.
    pub dataports: Vec<Link>,
    /// Hardware.
    pub hardware: Vec<Wired>,
    /// The device the root task may write to, and where the manifest says so.
    pub panic_console: Option<(usize, Place)>,
    /// The interface the root task reports through: instance, `provides` port, and where the manifest says so.
    pub console: Option<(End, Place)>,
    /// Priority of Linux threads.
    pub linux_priority: u8,
    /// Linux threads there can be at once.
    pub max_threads: u32,
}

impl<'a> Model<'a> {
    /// Whether the instance was given the grant, and where.
    pub fn granted(&self, instance: usize, grant: Grant) -> Option<Place> {
        let grants = &self.instances.get(instance)?.grants;
        grants.iter().find(|(g, _)| *g == grant).map(|(_, p)| *p)
    }

    /// Whether any instance of the domain was given the grant, and where.
    pub fn domain_granted(&self, domain: usize, grant: Grant) -> Option<Place> {
        let hosts = &self.domains.get(domain)?.hosts;
        hosts.iter().find_map(|&i| self.granted(i, grant))
    }

    /// Bytes of the buffer an interface's client and server share: only if they live in different domains.
    pub fn buffer(&self, link: &Link) -> Option<u64> {
        let client = &self.instances[link.from.instance];
        let apart = client.domain != self.instances[link.to.instance].domain;
        client.decl.uses[link.from.port].buffer.filter(|_| apart)
    }

    /// Whether the domain serves lsyscalls.
    pub fn serves_lsyscalls(&self, domain: usize) -> bool {
        self.domains[domain]
            .hosts
            .iter()
            .any(|&i| !self.instances[i].decl.lsyscalls.is_empty())
    }
}
