//! The capabilities the kernel gives the first thread, by their fixed slots.

use crate::cap::{AsidControl, AsidPool, CNode, DomainSet, Granule, IrqControl, Tcb, VSpace};
use crate::{config, sys};

/// The thread itself.
pub const TCB: Tcb = Tcb::from_bits(sys::seL4_CapInitThreadTCB);
/// Its CSpace root.
pub const CNODE: CNode = CNode::from_bits(sys::seL4_CapInitThreadCNode);
/// Its address space.
pub const VSPACE: VSpace = VSpace::from_bits(sys::seL4_CapInitThreadVSpace);
/// The right to make interrupt handlers.
pub const IRQ_CONTROL: IrqControl = IrqControl::from_bits(sys::seL4_CapIRQControl);
/// The right to make ASID pools.
pub const ASID_CONTROL: AsidControl = AsidControl::from_bits(sys::seL4_CapASIDControl);
/// The ASID pool of the thread's own address space.
pub const ASID_POOL: AsidPool = AsidPool::from_bits(sys::seL4_CapInitThreadASIDPool);
/// The frame of the boot info.
pub const BOOT_INFO_FRAME: Granule = Granule::from_bits(sys::seL4_CapBootInfoFrame);
/// The frame of the IPC buffer.
pub const IPC_BUFFER_FRAME: Granule = Granule::from_bits(sys::seL4_CapInitThreadIPCBuffer);
/// The right to set scheduling domains.
pub const DOMAIN_SET: DomainSet = DomainSet::from_bits(sys::seL4_CapDomain);

/// Binary logarithm of the slots of [`CNODE`]. Its guard is zeros, so addresses are slot numbers and consume a word.
pub const CNODE_SIZE_BITS: u8 = config::CONFIG_ROOT_CNODE_SIZE_BITS as u8;

/// The slot `index` of [`CNODE`].
pub const fn slot(index: u64) -> crate::AbsoluteCPtr {
    CNODE.slot(index, 64)
}
