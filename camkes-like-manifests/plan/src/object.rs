//! Kernel objects.

use alloc::string::String;
use serde::{Deserialize, Serialize};

/// Number of an object in [`crate::Plan::objects`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct ObjectId(pub u32);

/// A place in a manifest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Number in [`crate::Plan::sources`].
    pub file: u16,
    /// Line, from 1.
    pub line: u32,
}

/// A kernel object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Unique name, such as `memmgr.cnode`.
    pub name: String,
    /// Its type.
    pub kind: ObjectKind,
    /// Index of the domain whose private object it is: all objects of one group come from untypeds of their own, so that
    /// revoking those takes the domain away and nothing else. `None`: it outlives a restart (endpoints, notifications,
    /// dataports, devices), because others hold capabilities on it.
    pub group: Option<u8>,
    /// Where the manifest asks for it.
    pub origin: Origin,
}

/// Type and size of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ObjectKind {
    /// An endpoint.
    Endpoint,
    /// A notification.
    Notification,
    /// A thread.
    Tcb,
    /// A top-level page table.
    VSpace,
    /// A CNode of `1 << bits` slots.
    CNode {
        /// Slots as a power of two.
        bits: u8,
    },
    /// Zeroed pages of RAM.
    Frames {
        /// How many.
        pages: u32,
    },
    /// Pages of a device.
    DeviceFrames {
        /// Physical address of the first.
        paddr: u64,
        /// How many.
        pages: u32,
    },
    /// The frames in which the kernel counts the processor time of Linux threads; the kernel's own.
    UsageFrames {
        /// How many.
        pages: u32,
    },
    /// The handler of an interrupt.
    IrqHandler {
        /// The interrupt controller's number.
        irq: u32,
    },
    /// The authority to make ASID pools; the kernel's own.
    AsidControl,
    /// The initial ASID pool; the kernel's own.
    AsidPool,
}

impl ObjectKind {
    /// The type in words.
    pub fn text(self) -> &'static str {
        match self {
            ObjectKind::Endpoint => "endpoint",
            ObjectKind::Notification => "notification",
            ObjectKind::Tcb => "tcb",
            ObjectKind::VSpace => "vspace",
            ObjectKind::CNode { .. } => "cnode",
            ObjectKind::Frames { .. } => "frames",
            ObjectKind::DeviceFrames { .. } => "device frames",
            ObjectKind::UsageFrames { .. } => "usage frames",
            ObjectKind::IrqHandler { .. } => "irq handler",
            ObjectKind::AsidControl => "asid control",
            ObjectKind::AsidPool => "asid pool",
        }
    }
}
