//! Hands over what is left, and starts the domains.

use alloc::vec::Vec;

use persona_plan::startup::{self, Header, Untyped};
use persona_plan::{Domain, PAGE};
use sel4::cap::{CNode, Granule, Notification, Tcb, VSpace};
use sel4::{init_thread, CNodeCapData, CPtr, PrioProps, UserContext};

use super::build::Made;
use super::failure::Failure;
use super::memory::Spare;
use super::output::{self, Output};

/// Priority of the root task: above every domain.
const PRIORITY: u8 = 250;

impl Made<'_> {
    /// Gives away everything the plan did not use, and starts all threads.
    pub fn start(&mut self, bootargs: &str, output: &mut Output) -> Result<(), Failure> {
        let plan = self.plan;
        let blob = self.boot.blob().map(|(blob, _)| blob).unwrap_or_default();
        let initrd = self.devices.covering(blob.initrd_start, blob.initrd_end);
        let has_ram = plan.domains.iter().any(|d| d.startup.ram);
        let ram = if has_ram {
            self.memory.take_rest()?
        } else {
            Vec::new()
        };
        for domain in &plan.domains {
            let untypeds = self.hand_over(domain, &ram, &initrd, output)?;
            let granted = |len: u64| if domain.startup.initrd { len } else { 0 };
            let header = Header {
                domain: domain.index.into(),
                ipc_buffer: domain.thread.ipc_buffer_vaddr,
                heap: domain.heap.vaddr,
                heap_mapped: domain.heap.mapped,
                heap_limit: domain.heap.limit,
                cnode_bits: domain.cnode_bits.into(),
                free_slot_first: domain.free_slots.0.into(),
                free_slot_end: domain.free_slots.1.into(),
                free_vaddr_first: domain.free_vaddr.0,
                free_vaddr_end: domain.free_vaddr.1,
                initrd_paddr: granted(blob.initrd_start),
                initrd_len: granted(blob.initrd_end - blob.initrd_start),
                timer_hz: blob.tick_hz,
                ram_bytes: blob.ram_size,
                ..Header::default()
            };
            let bootargs = if domain.startup.boot_info {
                bootargs
            } else {
                ""
            };
            self.startup_page(domain, &header, &untypeds, bootargs)?;
        }
        self.devices.drop_rest(&initrd);
        self.drop_authority();
        for index in 0..plan.domains.len() {
            self.thread(index)?;
        }
        let _ = init_thread::TCB.set_priority(PRIORITY);
        output.log(
            output::DEBUG,
            format_args!(
                "root task: system {}: {} domains, {} objects, {} untypeds handed over",
                plan.system,
                plan.domains.len(),
                plan.objects.len(),
                ram.len()
            ),
        );
        for domain in &plan.domains {
            let tcb = Tcb::from_bits(self.slot(domain.thread.tcb)?);
            tcb.resume()
                .map_err(|e| self.fail(domain, format_args!("starting its thread: {e}")))?;
        }
        Ok(())
    }

    fn fail(&self, domain: &Domain, text: core::fmt::Arguments<'_>) -> Failure {
        Failure::at(self.plan, domain.origin, &domain.name, text)
    }

    /// Moves untypeds into a domain's CSpace, as far as it is granted any.
    fn hand_over(
        &mut self,
        domain: &Domain,
        ram: &[Spare],
        initrd: &[Spare],
        output: &mut Output,
    ) -> Result<Vec<Untyped>, Failure> {
        let mut list = Vec::new();
        let Some((first, end)) = domain.startup.untypeds else {
            return Ok(list);
        };
        let given = |granted: bool, spares| if granted { spares } else { &[][..] };
        let initrd = given(domain.startup.initrd, initrd);
        let ram = given(domain.startup.ram, ram);
        let spares = initrd.iter().map(|s| (s, true));
        let mut slots = first..end;
        for (spare, device) in spares.chain(ram.iter().map(|s| (s, false))) {
            let Some(slot) = slots.next() else {
                output.log(
                    output::WARN,
                    format_args!("root task: {} has no slots for more memory", domain.name),
                );
                break;
            };
            self.place(domain.cnode, slot)?
                .move_from(&init_thread::slot(spare.cap.bits()))
                .map_err(|e| self.fail(domain, format_args!("handing memory over: {e}")))?;
            list.push(Untyped {
                slot,
                bits: spare.bits,
                device,
                paddr: spare.paddr,
            });
        }
        Ok(list)
    }

    fn startup_page(
        &mut self,
        domain: &Domain,
        header: &Header,
        untypeds: &[Untyped],
        bootargs: &str,
    ) -> Result<(), Failure> {
        let limit = domain.startup.bytes as usize;
        let contents = startup::write(header, untypeds, bootargs, limit).ok_or_else(|| {
            self.fail(
                domain,
                format_args!("its start-up page is too small for the boot arguments"),
            )
        })?;
        let first = self.slot(domain.startup.object)?;
        for (page, bytes) in contents.chunks(PAGE as usize).enumerate() {
            self.scratch
                .write(Granule::from_bits(first + page as u64), bytes)?;
        }
        Ok(())
    }

    /// Gives up what no line of the plan needs any more.
    fn drop_authority(&self) {
        for slot in [
            init_thread::IRQ_CONTROL.bits(),
            init_thread::DOMAIN_SET.bits(),
        ] {
            // As in `Devices::drop_rest`: a capability that stays is one that is not used.
            let _ = init_thread::slot(slot).delete();
        }
    }

    /// Sets a domain's thread up; it does not run yet.
    fn thread(&mut self, index: usize) -> Result<(), Failure> {
        let (Some(domain), Some(&entry)) = (self.plan.domains.get(index), self.entries.get(index))
        else {
            return Ok(());
        };
        let thread = &domain.thread;
        let tcb = Tcb::from_bits(self.slot(thread.tcb)?);
        tcb.configure(
            CPtr::from_bits(thread.fault_cptr),
            PrioProps {
                mcp: thread.max_priority,
                priority: thread.priority,
            },
            CNode::from_bits(self.slot(domain.cnode)?),
            CNodeCapData::new(0, domain.guard_bits),
            VSpace::from_bits(self.slot(domain.vspace)?),
            thread.ipc_buffer_vaddr,
            Granule::from_bits(self.slot(thread.ipc_buffer)?),
        )
        .map_err(|e| self.fail(domain, format_args!("setting its thread up: {e}")))?;
        tcb.bind_notification(Notification::from_bits(self.slot(thread.notification)?))
            .map_err(|e| self.fail(domain, format_args!("binding its notification: {e}")))?;
        let registers = UserContext {
            pc: entry,
            sp: thread.stack_top,
            x0: domain.startup.vaddr,
            x1: domain.startup.bytes,
            ..UserContext::default()
        };
        tcb.write_all_registers(false, &registers)
            .map_err(|e| self.fail(domain, format_args!("setting its registers: {e}")))
    }
}
