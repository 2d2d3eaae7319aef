//! Threads.

use crate::cap::{CNode, Granule, Notification, Tcb, VSpace};
use crate::{sys, CNodeCapData, CPtr, CapData, Result, Word};

/// The registers of a thread as [`Tcb::read_registers`] and [`Tcb::write_registers`] carry them. Which there are is up to
/// the kernel's header; the order matters for partial transfers.
pub type UserContext = sys::seL4_UserContext;

/// Priority, and the highest priority the thread may give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrioProps {
    /// Maximum controlled priority.
    pub mcp: u8,
    /// Priority: 0 lowest, 255 highest.
    pub priority: u8,
}

impl Tcb {
    /// Sets everything a new thread needs.
    ///
    /// `fault_endpoint` is looked up in the thread's own CSpace when it faults. `ipc_buffer` is an address in its VSpace,
    /// `ipc_buffer_frame` the frame mapped there; both are zero for a thread that never enters seL4 itself.
    #[allow(clippy::too_many_arguments)]
    pub fn configure(
        self,
        fault_endpoint: CPtr,
        prio: PrioProps,
        cspace: CNode,
        cspace_data: CNodeCapData,
        vspace: VSpace,
        ipc_buffer: Word,
        ipc_buffer_frame: Granule,
    ) -> Result<()> {
        Ok(sys::seL4_TCB_Configure(
            self.bits(),
            fault_endpoint.bits(),
            sys::seL4_PrioProps_t::new(Word::from(prio.mcp), Word::from(prio.priority)),
            cspace.bits(),
            cspace_data.inner(),
            vspace.bits(),
            CapData::NONE.inner(),
            ipc_buffer,
            ipc_buffer_frame.bits(),
        )?)
    }

    /// Sets the fault endpoint (an address in the thread's CSpace), the CSpace and the VSpace.
    pub fn set_space(
        self,
        fault_endpoint: CPtr,
        cspace: CNode,
        cspace_data: CNodeCapData,
        vspace: VSpace,
    ) -> Result<()> {
        let (data, none) = (cspace_data.inner(), CapData::NONE.inner());
        Ok(sys::seL4_TCB_SetSpace(
            self.bits(),
            fault_endpoint.bits(),
            cspace.bits(),
            data,
            vspace.bits(),
            none,
        )?)
    }

    /// Sets the priority.
    pub fn set_priority(self, priority: u8) -> Result<()> {
        Ok(sys::seL4_TCB_SetPriority(self.bits(), priority)?)
    }

    /// Sets the highest priority the thread may give.
    pub fn set_mc_priority(self, mcp: u8) -> Result<()> {
        Ok(sys::seL4_TCB_SetMCPriority(self.bits(), mcp)?)
    }

    /// Clears an entry of the kernel's usage frames and counts the processor time of this foreign thread there (kernel
    /// patch O). The first two entries are the kernel's own.
    pub fn set_usage(self, entry: Word) -> Result<()> {
        Ok(sys::seL4_TCB_SetUsage(self.bits(), entry)?)
    }

    /// Sets the inverse share of a foreign thread among those of its priority, 1024 being one share (kernel patch P). With 0
    /// it takes its turn by timeslices of `slice` ticks; 0 ticks: it runs until it blocks.
    pub fn set_share(self, share: Word, slice: Word) -> Result<()> {
        Ok(sys::seL4_TCB_SetShare(self.bits(), share, slice)?)
    }

    /// Sets address and frame of the IPC buffer.
    pub fn set_ipc_buffer(self, address: Word, frame: Granule) -> Result<()> {
        Ok(sys::seL4_TCB_SetIPCBuffer(
            self.bits(),
            address,
            frame.bits(),
        )?)
    }

    /// Stops the thread; a system call it waits in is cancelled.
    pub fn suspend(self) -> Result<()> {
        Ok(sys::seL4_TCB_Suspend(self.bits())?)
    }

    /// Lets the thread run.
    pub fn resume(self) -> Result<()> {
        Ok(sys::seL4_TCB_Resume(self.bits())?)
    }

    /// Makes signals of `notification` reach the thread while it waits at an endpoint.
    pub fn bind_notification(self, notification: Notification) -> Result<()> {
        Ok(sys::seL4_TCB_BindNotification(
            self.bits(),
            notification.bits(),
        )?)
    }

    /// Undoes [`Tcb::bind_notification`].
    pub fn unbind_notification(self) -> Result<()> {
        Ok(sys::seL4_TCB_UnbindNotification(self.bits())?)
    }

    /// The first `count` registers of the thread; the others are 0. With `suspend`, stops it first.
    /// Overwrites the message in the IPC buffer.
    pub fn read_registers(self, suspend: bool, count: usize) -> Result<UserContext> {
        let count = count.min(UserContext::WORDS);
        let mut words =
            sys::seL4_TCB_ReadRegisters(self.bits(), suspend, 0, count as Word)?.to_words();
        words[count..].fill(0);
        Ok(UserContext::from_words(words))
    }

    /// All registers of the thread.
    pub fn read_all_registers(self, suspend: bool) -> Result<UserContext> {
        Ok(sys::seL4_TCB_ReadRegisters(
            self.bits(),
            suspend,
            0,
            UserContext::WORDS as Word,
        )?)
    }

    /// Sets the first `count` registers of the thread. With `resume`, lets it run.
    pub fn write_registers(
        self,
        resume: bool,
        count: usize,
        registers: &UserContext,
    ) -> Result<()> {
        let count = count.min(UserContext::WORDS) as Word;
        Ok(sys::seL4_TCB_WriteRegisters(
            self.bits(),
            resume,
            0,
            count,
            registers,
        )?)
    }

    /// Sets all registers of the thread.
    pub fn write_all_registers(self, resume: bool, registers: &UserContext) -> Result<()> {
        self.write_registers(resume, UserContext::WORDS, registers)
    }
}
