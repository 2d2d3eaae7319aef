//! What the generated `main.rs` of a domain must know of its plan.

/// A domain as its generated crate sees it.
#[derive(Clone, Debug, Default)]
pub struct DomainLayout {
    /// Slot constants: name, capability pointer, comment.
    pub slots: Vec<(String, u64, String)>,
    /// Its components, servers before their callers.
    pub components: Vec<ComponentLayout>,
    /// Whether it has a reply CNode.
    pub replies: bool,
}

/// A component in a domain.
#[derive(Clone, Debug, Default)]
pub struct ComponentLayout {
    /// In [`crate::model::Model::instances`].
    pub instance: usize,
    /// Capabilities: name in the environment, slot constant.
    pub caps: Vec<(String, String)>,
    /// Dataports: name, address, bytes, writable.
    pub dataports: Vec<(String, u64, u64, bool)>,
    /// Device registers: name, address of the first register, bytes.
    pub mmio: Vec<(String, u64, u64)>,
    /// Events it may raise.
    pub wakes: Vec<(String, WakeTo)>,
    /// For every interface it uses, where its server is.
    pub uses: Vec<(String, Server)>,
    /// Interface index in badges of the first interface it provides.
    pub interface_base: u32,
    /// How many it provides.
    pub interfaces: u32,
    /// Bit in the notification word of its first event.
    pub event_base: u32,
    /// How many events it has: consumed ones, then interrupts.
    pub events: u32,
}

/// Where a raised event goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WakeTo {
    /// To a component of the same domain.
    Local {
        /// Index among the domain's components.
        component: usize,
        /// Event number of that component.
        event: u32,
    },
    /// To another domain, through the capability of this slot constant.
    Remote(String),
}

/// Where a used interface is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Server {
    /// By a component of the same domain (index among the domain's components).
    Local(usize),
    /// In another domain: slot constant, and address and bytes of the shared buffer.
    Remote(String, Option<(u64, u64)>),
}
