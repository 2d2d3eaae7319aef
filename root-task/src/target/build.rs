//! Carries the plan out.

use alloc::vec;
use alloc::vec::Vec;

use persona_plan::archive::Index;
use persona_plan::{Cap, Domain, Mapping, ObjectId, ObjectKind, Plan, Rights, PAGE};
use sel4::cap::{AsidPool, CNode, Granule, IrqHandler, Notification, VSpace};
use sel4::{
    init_thread, AbsoluteCPtr, CNodeCapData, CapData, CapRights, Error, ObjectBlueprint,
    PagingLevel, VmAttributes,
};
use sel4_root_task::BootInfo;

use super::device::Devices;
use super::failure::Failure;
use super::memory::Memory;
use super::output::Output;
use super::page::Scratch;

/// What has been made so far.
pub struct Made<'a> {
    pub(super) boot: &'a BootInfo,
    pub(super) plan: &'a Plan,
    pub(super) memory: Memory,
    pub(super) devices: Devices,
    pub(super) scratch: Scratch,
    /// First slot of every object, in the order of the plan; 0 for those not yet made.
    slots: Vec<u64>,
    /// Entry point of each domain's program.
    pub(super) entries: Vec<u64>,
}

impl<'a> Made<'a> {
    /// Nothing yet.
    pub fn new(boot: &'a BootInfo, plan: &'a Plan) -> Result<Made<'a>, Failure> {
        // One group for each domain, and one for what they share.
        let mut memory = Memory::new(boot, plan.domains.len() + 1);
        let scratch = Scratch::new(boot, memory.slots(1)?)?;
        Ok(Made {
            boot,
            plan,
            memory,
            devices: Devices::new(boot),
            scratch,
            slots: vec![0; plan.objects.len()],
            entries: Vec::new(),
        })
    }

    /// First slot of an object.
    pub fn slot(&self, id: ObjectId) -> Result<u64, Failure> {
        match self.slots.get(id.0 as usize) {
            Some(&slot) if slot != 0 => Ok(slot),
            _ => Err(Failure::object(
                self.plan,
                id,
                format_args!("used but not made"),
            )),
        }
    }

    fn keep(&mut self, index: usize, slot: u64) {
        if let Some(entry) = self.slots.get_mut(index) {
            *entry = slot;
        }
    }

    /// Makes the device frames, and gives the root task its panic console.
    pub fn devices(&mut self, output: &mut Output) -> Result<(), Failure> {
        let plan = self.plan;
        let mut frames: Vec<(u64, u32, usize)> = Vec::new();
        for (index, object) in plan.objects.iter().enumerate() {
            if let ObjectKind::DeviceFrames { paddr, pages } = object.kind {
                frames.push((paddr, pages, index));
            }
        }
        frames.sort_unstable();
        for (paddr, pages, index) in frames {
            let id = ObjectId(index as u32);
            let slot = self
                .devices
                .frames(&mut self.memory, paddr, pages.into())
                .map_err(|e| Failure::object(plan, id, format_args!("{e}")))?;
            self.keep(index, slot);
        }
        if let Some(uart) = plan.root.panic_console {
            let frame = self.slot(uart)?;
            let copy = self.memory.slots(1)?;
            copy_cap(frame, copy)?;
            output.map_device(self.boot, Granule::from_bits(copy))?;
        }
        Ok(())
    }

    /// Makes all other objects.
    pub fn objects(&mut self) -> Result<(), Failure> {
        let plan = self.plan;
        for (index, object) in plan.objects.iter().enumerate() {
            let id = ObjectId(index as u32);
            let group = object.group.map_or(plan.domains.len(), usize::from);
            let fail = |e: &dyn core::fmt::Display| Failure::object(plan, id, format_args!("{e}"));
            let (blueprint, count) = match object.kind {
                ObjectKind::Endpoint => (ObjectBlueprint::Endpoint, 1),
                ObjectKind::Notification => (ObjectBlueprint::Notification, 1),
                ObjectKind::Tcb => (ObjectBlueprint::Tcb, 1),
                ObjectKind::VSpace => (ObjectBlueprint::VSpace, 1),
                ObjectKind::CNode { bits } => (ObjectBlueprint::CNode { size_bits: bits }, 1),
                ObjectKind::Frames { pages } => (ObjectBlueprint::Granule, pages.into()),
                ObjectKind::DeviceFrames { .. } => continue,
                ObjectKind::UsageFrames { pages } => {
                    let frames = self.boot.usage_frames();
                    let there = frames.end.saturating_sub(frames.start);
                    if there != u64::from(pages) {
                        let text = format_args!("the kernel has {there} pages of it, not {pages}");
                        return Err(fail(&text));
                    }
                    self.keep(index, frames.start);
                    continue;
                }
                ObjectKind::IrqHandler { irq } => {
                    let slot = self.memory.slots(1)?;
                    init_thread::IRQ_CONTROL
                        .get(irq, &init_thread::slot(slot))
                        .map_err(|e| fail(&e))?;
                    self.keep(index, slot);
                    continue;
                }
                ObjectKind::AsidControl => {
                    self.keep(index, init_thread::ASID_CONTROL.bits());
                    continue;
                }
                ObjectKind::AsidPool => {
                    self.keep(index, init_thread::ASID_POOL.bits());
                    continue;
                }
            };
            let slot = self
                .memory
                .make(group, blueprint, count)
                .map_err(|e| fail(&e))?;
            self.keep(index, slot);
            if object.kind == ObjectKind::VSpace {
                let vspace = VSpace::from_bits(slot);
                let pool: AsidPool = init_thread::ASID_POOL;
                pool.assign(vspace).map_err(|e| fail(&e))?;
            }
        }
        Ok(())
    }

    /// Fills address spaces and CSpaces.
    pub fn domains(&mut self, archive: &'a [u8], index: &Index) -> Result<(), Failure> {
        let plan = self.plan;
        for (group, domain) in plan.domains.iter().enumerate() {
            let image = index.images.iter().find(|i| i.domain == domain.name);
            let image = image.ok_or_else(|| {
                Failure::at(
                    plan,
                    domain.origin,
                    &domain.name,
                    format_args!("the archive has no program for it"),
                )
            })?;
            self.entries.push(image.entry);
            self.load(group, domain, archive, image)?;
            for mapping in &domain.mappings {
                self.mapping(group, domain, mapping)?;
            }
            for cap in &domain.caps {
                self.cap(cap)?;
            }
            for irq in &domain.irqs {
                self.irq(irq)?;
            }
        }
        Ok(())
    }

    fn mapping(&mut self, group: usize, domain: &Domain, mapping: &Mapping) -> Result<(), Failure> {
        let plan = self.plan;
        let object = plan
            .object(mapping.object)
            .ok_or_else(|| Failure::object(plan, mapping.object, format_args!("no such object")))?;
        let (pages, device) = match object.kind {
            ObjectKind::Frames { pages } | ObjectKind::UsageFrames { pages } => (pages, false),
            ObjectKind::DeviceFrames { pages, .. } => (pages, true),
            _ => {
                let text = format_args!("it is no memory and cannot be mapped");
                return Err(Failure::object(plan, mapping.object, text));
            }
        };
        let first = self.slot(mapping.object)?;
        // A frame capability maps at one place: others share these frames, so each mapping gets capabilities of its own.
        let first = if object.group.is_none() {
            let copies = self.memory.slots(pages.into())?;
            for page in 0..u64::from(pages) {
                copy_cap(first + page, copies + page)?;
            }
            copies
        } else {
            first
        };
        let vspace = VSpace::from_bits(self.slot(domain.vspace)?);
        let attributes = if device {
            VmAttributes::EXECUTE_NEVER
        } else {
            VmAttributes::CACHED | VmAttributes::EXECUTE_NEVER
        };
        for page in 0..u64::from(pages) {
            let frame = Granule::from_bits(first + page);
            let vaddr = mapping.vaddr + page * PAGE;
            self.map(group, vspace, frame, vaddr, mapping.writable, attributes)
                .map_err(|e| {
                    let text = format_args!("mapping at {vaddr:#x} in {}: {e}", domain.name);
                    Failure::at(plan, mapping.origin, &mapping.name, text)
                })?;
        }
        Ok(())
    }

    /// Maps a frame, with whatever paging structures that needs.
    pub(super) fn map(
        &mut self,
        group: usize,
        vspace: VSpace,
        frame: Granule,
        vaddr: u64,
        writable: bool,
        attributes: VmAttributes,
    ) -> Result<(), Failure> {
        let rights = if writable {
            CapRights::READ_WRITE
        } else {
            CapRights::READ_ONLY
        };
        loop {
            let level = match frame.map(vspace, vaddr, rights, attributes) {
                Ok(()) => return Ok(()),
                Err(Error::FailedLookup) => {
                    PagingLevel::from_failed_lookup(sel4::failed_lookup_bits())
                }
                Err(error) => return Err(Failure::new(format_args!("{error}"))),
            };
            let level = level.ok_or_else(|| Failure::new(format_args!("no such address")))?;
            let slot = self.memory.make(group, level.blueprint(), 1)?;
            level
                .map(sel4::cap::Unspecified::from_bits(slot), vspace, vaddr)
                .map_err(|error| Failure::new(format_args!("a paging structure: {error}")))?;
        }
    }

    fn cap(&mut self, cap: &Cap) -> Result<(), Failure> {
        let plan = self.plan;
        let (to, kind) = (
            self.place(cap.cnode, cap.slot)?,
            plan.object(cap.object).map(|o| o.kind),
        );
        let from = init_thread::slot(self.slot(cap.object)?);
        let rights = rights(cap.rights);
        let result = match kind {
            Some(ObjectKind::CNode { .. }) => {
                to.mint(&from, CapRights::ALL, CNodeCapData::new(0, cap.guard_bits))
            }
            Some(ObjectKind::Endpoint | ObjectKind::Notification) if cap.badge != 0 => {
                to.mint(&from, rights, CapData::badge(cap.badge))
            }
            Some(
                ObjectKind::Frames { .. }
                | ObjectKind::DeviceFrames { .. }
                | ObjectKind::UsageFrames { .. },
            )
            | None => {
                let text = format_args!("no capability on this can be given");
                return Err(Failure::object(plan, cap.object, text));
            }
            _ => to.copy(&from, rights),
        };
        result.map_err(|e| Failure::at(plan, cap.origin, &cap.name, format_args!("{e}")))
    }

    /// A slot of one of the plan's CNodes.
    pub(super) fn place(&self, cnode: ObjectId, slot: u32) -> Result<AbsoluteCPtr, Failure> {
        let bits = match self.plan.object(cnode).map(|o| o.kind) {
            Some(ObjectKind::CNode { bits }) => bits,
            _ => {
                let text = format_args!("it is no CNode");
                return Err(Failure::object(self.plan, cnode, text));
            }
        };
        Ok(CNode::from_bits(self.slot(cnode)?).slot(slot.into(), bits))
    }

    fn irq(&mut self, irq: &persona_plan::Irq) -> Result<(), Failure> {
        let badged = self.memory.slots(1)?;
        let from = init_thread::slot(self.slot(irq.notification)?);
        let handler = IrqHandler::from_bits(self.slot(irq.handler)?);
        let badge = CapData::badge(irq.badge);
        let fail = |e| Failure::new(format_args!("interrupt of {}: {e}", irq.name));
        init_thread::slot(badged)
            .mint(&from, CapRights::WRITE_ONLY, badge)
            .map_err(fail)?;
        handler
            .set_notification(Notification::from_bits(badged))
            .map_err(fail)
    }
}

/// Copies a capability of the root task's CSpace into an empty slot.
pub fn copy_cap(from: u64, to: u64) -> Result<(), Failure> {
    init_thread::slot(to)
        .copy(&init_thread::slot(from), CapRights::ALL)
        .map_err(|error| Failure::new(format_args!("copying a capability: {error}")))
}

fn rights(rights: Rights) -> CapRights {
    CapRights::new(rights.grant, rights.read, rights.write)
}
