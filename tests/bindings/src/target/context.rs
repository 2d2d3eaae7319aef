//! What tests need: slots, memory, pages, threads.

use alloc::format;
use alloc::vec;
use core::ops::Range;

use sel4::cap::{cap_type, CNode, Endpoint, Granule, Notification, Tcb, Unspecified, Untyped};
use sel4::{
    init_thread, AbsoluteCPtr, CNodeCapData, CPtr, Cap, CapRights, CapType, Error, ObjectBlueprint,
    PagingLevel, PrioProps, UserContext, VmAttributes,
};
use sel4_root_task::{BootInfo, PAGE_SIZE};

use super::{uart, Failure, Outcome, Test};

/// Binary logarithm of the memory one test may use.
const SCRATCH_BITS: u8 = 23;
/// Where tests map pages: away from the image.
const FIRST_VADDR: u64 = 0x20_0000_0000;
/// Bytes of a thread's stack.
const STACK_SIZE: usize = 16 * 1024;
/// Priority of threads: below the tests.
const PRIORITY: u8 = 200;

pub(crate) struct Context {
    pub(crate) boot: BootInfo,
    slots: Range<u64>,
    memory: Untyped,
    /// Memory of the running test.
    pub(crate) untyped: Untyped,
    next_vaddr: u64,
}

/// A thread that is not yet running.
pub(crate) struct Thread {
    pub(crate) tcb: Tcb,
    /// The thread's IPC buffer as the test sees it; 0 for a foreign thread.
    pub(crate) buffer: u64,
    registers: UserContext,
}

impl Context {
    pub(crate) fn new(boot: BootInfo) -> Option<Context> {
        let memory = boot
            .untypeds()
            .filter(|desc| !desc.is_device)
            .max_by_key(|desc| desc.size_bits)?
            .cap;
        let mut context = Context {
            boot,
            slots: boot.empty_slots(),
            memory,
            untyped: memory,
            next_vaddr: FIRST_VADDR,
        };
        if !sel4::debug::AVAILABLE {
            // Its page tables stay: they must not keep the tests' memory in use.
            let mut others = context.boot.untypeds().filter(|desc| !desc.is_device);
            context.untyped = others
                .find(|desc| desc.size_bits >= 16 && desc.cap != memory)?
                .cap;
            context.map_uart()?;
        }
        Some(context)
    }

    fn map_uart(&mut self) -> Option<()> {
        let desc = self
            .boot
            .untypeds()
            .find(|desc| desc.is_device && desc.paddr == uart::PADDR)?;
        let slot = self.slot();
        desc.cap
            .retype(
                ObjectBlueprint::Granule,
                &init_thread::CNODE.itself(),
                slot.index() as usize,
                1,
            )
            .ok()?;
        let vaddr = self.vaddr(PAGE_SIZE as u64);
        self.map(
            Granule::from_bits(slot.index()),
            vaddr,
            CapRights::READ_WRITE,
            VmAttributes::EXECUTE_NEVER,
        )
        .ok()?;
        // SAFETY: mapped above, for good.
        unsafe { uart::use_device(vaddr as *mut u8) };
        Some(())
    }

    /// Runs a test with memory of its own, and takes everything made of it away afterwards.
    pub(crate) fn scratch(&mut self, test: &Test) -> Outcome {
        let slot = self.slot();
        let blueprint = ObjectBlueprint::Untyped {
            size_bits: SCRATCH_BITS,
        };
        self.memory.retype(
            blueprint,
            &init_thread::CNODE.itself(),
            slot.index() as usize,
            1,
        )?;
        self.untyped = Untyped::from_bits(slot.index());
        let outcome = test(self);
        slot.revoke()?;
        slot.delete()?;
        outcome
    }

    /// A fresh, empty slot.
    pub(crate) fn slot(&mut self) -> AbsoluteCPtr {
        let index = self.slots.next().unwrap_or_else(|| panic!("out of slots"));
        init_thread::slot(index)
    }

    /// Makes an object.
    pub(crate) fn make<T: CapType>(
        &mut self,
        blueprint: ObjectBlueprint,
    ) -> Result<Cap<T>, Failure> {
        let index = self.slot().index();
        let made = self
            .untyped
            .retype(blueprint, &init_thread::CNODE.itself(), index as usize, 1);
        made.map_err(|error| Failure::Fail(format!("making a {blueprint:?}: {error}")))?;
        Ok(Cap::from_bits(index))
    }

    pub(crate) fn endpoint(&mut self) -> Result<Endpoint, Failure> {
        self.make(ObjectBlueprint::Endpoint)
    }

    pub(crate) fn notification(&mut self) -> Result<Notification, Failure> {
        self.make(ObjectBlueprint::Notification)
    }

    /// A copy of `cap` with a badge.
    pub(crate) fn badged<T: CapType>(
        &mut self,
        cap: Cap<T>,
        badge: u64,
    ) -> Result<Cap<T>, Failure> {
        let slot = self.slot();
        slot.mint(&init_thread::slot(cap.bits()), CapRights::ALL, badge)?;
        Ok(Cap::from_bits(slot.index()))
    }

    /// Fresh virtual addresses, aligned to `size`.
    pub(crate) fn vaddr(&mut self, size: u64) -> u64 {
        let vaddr = self.next_vaddr.next_multiple_of(size);
        self.next_vaddr = vaddr + size;
        vaddr
    }

    /// Maps a page and whatever paging structures it lacks. These are never taken away by a test's end unless they come
    /// from its memory, in which case the kernel unmaps them.
    pub(crate) fn map(
        &mut self,
        page: Granule,
        vaddr: u64,
        rights: CapRights,
        attributes: VmAttributes,
    ) -> Result<usize, Failure> {
        let mut structures = 0;
        loop {
            match page.map(init_thread::VSPACE, vaddr, rights, attributes) {
                Ok(()) => return Ok(structures),
                Err(Error::FailedLookup) => {}
                Err(error) => return Err(error.into()),
            }
            let bits = sel4::failed_lookup_bits();
            let Some(level) = PagingLevel::from_failed_lookup(bits) else {
                return Err(Failure::Fail(format!("lookup fails with {bits} bits left")));
            };
            let structure: Unspecified = self.make(level.blueprint())?;
            level.map(structure, init_thread::VSPACE, vaddr)?;
            structures += 1;
        }
    }

    /// A fresh page of memory with its address.
    pub(crate) fn page(&mut self) -> Result<(Granule, u64), Failure> {
        let page = self.make(ObjectBlueprint::Granule)?;
        let vaddr = self.vaddr(PAGE_SIZE as u64);
        self.map(
            page,
            vaddr,
            CapRights::READ_WRITE,
            VmAttributes::DEFAULT | VmAttributes::EXECUTE_NEVER,
        )?;
        Ok((page, vaddr))
    }

    /// A native thread in this CSpace and VSpace. It must not use the IPC buffer through the bindings.
    pub(crate) fn thread(
        &mut self,
        entry: extern "C" fn(u64, u64) -> !,
        arguments: [u64; 2],
        fault_endpoint: CPtr,
    ) -> Result<Thread, Failure> {
        let (frame, buffer) = self.page()?;
        let (cspace, guard) = (init_thread::CNODE, CNodeCapData::new(0, 0));
        self.build(
            entry,
            arguments,
            fault_endpoint,
            cspace,
            guard,
            buffer,
            frame,
        )
    }

    /// A foreign thread: no IPC buffer, a CSpace of 32 slots with `fault_endpoint` in slot 31.
    pub(crate) fn foreign_thread(
        &mut self,
        entry: extern "C" fn(u64, u64) -> !,
        arguments: [u64; 2],
        fault_endpoint: Endpoint,
    ) -> Result<(Thread, CNode), Failure> {
        let cnode: CNode = self.make(ObjectBlueprint::CNode { size_bits: 5 })?;
        cnode
            .slot(31, 5)
            .copy(&init_thread::slot(fault_endpoint.bits()), CapRights::ALL)?;
        let guard = CNodeCapData::skip_high_bits(5);
        let endpoint = CPtr::from_bits(31);
        let thread = self.build(entry, arguments, endpoint, cnode, guard, 0, Granule::NULL)?;
        Ok((thread, cnode))
    }

    #[allow(clippy::too_many_arguments)]
    fn build(
        &mut self,
        entry: extern "C" fn(u64, u64) -> !,
        arguments: [u64; 2],
        fault_endpoint: CPtr,
        cspace: CNode,
        guard: CNodeCapData,
        buffer: u64,
        frame: Granule,
    ) -> Result<Thread, Failure> {
        let tcb: Tcb = self.make(ObjectBlueprint::Tcb)?;
        let prio = PrioProps {
            mcp: 0,
            priority: PRIORITY,
        };
        tcb.configure(
            fault_endpoint,
            prio,
            cspace,
            guard,
            init_thread::VSPACE,
            buffer,
            frame,
        )?;
        let stack = vec![0u8; STACK_SIZE].leak().as_ptr_range().end as u64 & !15;
        let registers = UserContext {
            pc: entry as usize as u64,
            sp: stack,
            x0: arguments[0],
            x1: arguments[1],
            ..UserContext::ZERO
        };
        Ok(Thread {
            tcb,
            buffer,
            registers,
        })
    }
}

impl Thread {
    /// Sets the second argument.
    pub(crate) fn set_argument(&mut self, argument: u64) {
        self.registers.x1 = argument;
    }

    /// Sets the thread pointers, the one the thread can write and the one it cannot.
    pub(crate) fn set_thread_pointers(&mut self, pointer: u64, read_only: u64) {
        self.registers.tpidr_el0 = pointer;
        self.registers.tpidrro_el0 = read_only;
    }

    /// Lets the thread run from its entry.
    pub(crate) fn start(&self) -> Outcome {
        Ok(self.tcb.write_all_registers(true, &self.registers)?)
    }
}

/// Where threads end: waits for good. Needs an endpoint nobody sends to.
pub(crate) fn park(endpoint: Cap<cap_type::Endpoint>) -> ! {
    loop {
        endpoint.recv_mrs();
    }
}
