//! What a domain has because of its components.

use super::maker::Maker;
use super::{event_base, event_count, interface_index};
use crate::decl::Grant;
use crate::layout::{ComponentLayout, Server, WakeTo};
use crate::model::End;
use crate::source::Place;
use persona_plan::{badge, Irq, ObjectId, Origin, Rights, PAGE};

impl Maker<'_, '_> {
    pub(super) fn component(&mut self, position: usize, instance: usize) {
        let decl = self.model.instances[instance].decl;
        let provides = End { instance, port: 0 };
        let mut out = ComponentLayout {
            instance,
            interface_base: interface_index(self.model, provides),
            interfaces: decl.provides.len() as u32,
            event_base: event_base(self.model, instance),
            events: event_count(self.model, instance),
            ..ComponentLayout::default()
        };
        self.calls(instance, &mut out);
        self.events(instance, &mut out);
        self.dataports(instance, &mut out);
        self.server_buffers(instance, &mut out);
        self.hardware(instance, &mut out);
        self.grants(instance, &mut out);
        debug_assert_eq!(position, self.layout.components.len());
        self.layout.components.push(out);
    }

    fn position(&self, instance: usize) -> usize {
        let hosts = &self.model.domains[self.index].hosts;
        hosts.iter().position(|&i| i == instance).unwrap_or(0)
    }

    fn calls(&mut self, instance: usize, out: &mut ComponentLayout) {
        let model = self.model;
        for (port, uses) in model.instances[instance].decl.uses.iter().enumerate() {
            let from = End { instance, port };
            let Some(link) = model.rpcs.iter().find(|l| l.from == from) else {
                continue;
            };
            let server = &model.instances[link.to.instance];
            let place = if server.domain == self.index {
                Server::Local(self.position(link.to.instance))
            } else {
                let interface = interface_index(model, link.to) as u8;
                let name = format!(
                    "{}_{}",
                    server.name.value, server.decl.provides[link.to.port].name.value
                );
                let origin = self.files.origin(link.place);
                let endpoint = self.shared.endpoints[server.domain];
                let badge = badge::interface(interface, self.index as u8);
                let buffers = &self.shared.buffers;
                let buffer = buffers
                    .iter()
                    .find(|(c, s, _)| (*c, *s) == (self.index, link.to.instance))
                    .map(|b| b.2)
                    .filter(|_| uses.buffer.is_some())
                    .map(|object| (self.map_buffer(object, origin), self.pages(object) * PAGE));
                let slot = self.cap(&name, endpoint, Rights::CALL, badge, origin);
                Server::Remote(slot, buffer)
            };
            out.uses.push((uses.name.value.clone(), place));
        }
    }

    fn events(&mut self, instance: usize, out: &mut ComponentLayout) {
        let model = self.model;
        for (port, emits) in model.instances[instance].decl.emits.iter().enumerate() {
            let from = End { instance, port };
            let links: Vec<_> = model.events.iter().filter(|l| l.from == from).collect();
            for link in &links {
                let consumer = &model.instances[link.to.instance];
                let event = link.to.port as u32;
                let target = if consumer.domain == self.index {
                    WakeTo::Local {
                        component: self.position(link.to.instance),
                        event,
                    }
                } else {
                    let bit = event_base(model, link.to.instance) + event;
                    let name = format!(
                        "event_{}_{}",
                        consumer.name.value, consumer.decl.consumes[link.to.port].name.value
                    );
                    let notification = self.shared.notifications[consumer.domain];
                    let origin = self.files.origin(link.place);
                    let badge = badge::event(bit);
                    WakeTo::Remote(self.cap(&name, notification, Rights::W, badge, origin))
                };
                let port = &emits.name.value;
                let who = &consumer.name.value;
                out.wakes.push((format!("{port}.{who}"), target.clone()));
                if links.len() == 1 {
                    out.wakes.push((port.clone(), target));
                }
            }
        }
    }

    fn dataports(&mut self, instance: usize, out: &mut ComponentLayout) {
        let model = self.model;
        for (port, decl) in model.instances[instance].decl.dataports.iter().enumerate() {
            let end = End { instance, port };
            let links: Vec<_> = (0..model.dataports.len())
                .filter(|&l| model.dataports[l].from == end || model.dataports[l].to == end)
                .collect();
            let mut plain: Vec<u64> = Vec::new();
            for link in links {
                let object = self.shared.dataports[link];
                let link = &model.dataports[link];
                let name = &decl.port.name.value;
                let origin = self.files.origin(link.place);
                let what = self.objects.list[object.0 as usize].name.clone();
                let vaddr = self.map(&format!("dataport {what}"), object, decl.writes, origin);
                let bytes = self.pages(object) * PAGE;
                let other = if link.from == end { link.to } else { link.from };
                let other = &model.instances[other.instance].name.value;
                out.dataports
                    .push((format!("{name}.{other}"), vaddr, bytes, decl.writes));
                plain.push(vaddr);
                plain.dedup();
            }
            if let ([vaddr], Some(last)) = (plain.as_slice(), out.dataports.last().cloned()) {
                let name = decl.port.name.value.clone();
                out.dataports.push((name, *vaddr, last.2, last.3));
            }
        }
    }

    fn map_buffer(&mut self, object: ObjectId, origin: Origin) -> u64 {
        let name = self.objects.list[object.0 as usize].name.clone();
        self.map(&name, object, true, origin)
    }

    /// The server's side: `buffer.<client index as in badges>`.
    fn server_buffers(&mut self, instance: usize, out: &mut ComponentLayout) {
        let shared = self.shared;
        for &(client, _, object) in shared.buffers.iter().filter(|b| b.1 == instance) {
            let origin = self.objects.list[object.0 as usize].origin;
            let vaddr = self.map_buffer(object, origin);
            let bytes = self.pages(object) * PAGE;
            out.dataports
                .push((format!("buffer.{client}"), vaddr, bytes, true));
        }
    }

    fn hardware(&mut self, instance: usize, out: &mut ComponentLayout) {
        let model = self.model;
        let decl = model.instances[instance].decl;
        let mut event = event_base(model, instance) + decl.consumes.len() as u32;
        for (port, hardware) in decl.hardware.iter().enumerate() {
            let end = End { instance, port };
            let Some(wired) = model.hardware.iter().position(|w| w.from == end) else {
                continue;
            };
            let origin = self.files.origin(model.hardware[wired].place);
            let device = &model.devices[model.hardware[wired].device];
            let name = &hardware.name.value;
            let me = &model.instances[instance].name.value;
            if let (Some(frames), Some(mmio)) = (self.shared.frames[wired], &device.mmio) {
                let what = format!("device {}", device.name.value);
                let vaddr = self.map(&what, frames, true, origin);
                let offset = mmio.0.value & (PAGE - 1);
                out.mmio.push((name.clone(), vaddr + offset, mmio.1));
            }
            if let Some(handler) = self.shared.handlers[wired] {
                let slot = self.cap(&format!("irq_{me}_{name}"), handler, Rights::ALL, 0, origin);
                out.caps.push((format!("{name}.irq"), slot));
                self.irqs.push(Irq {
                    name: format!("{me}.{name}"),
                    handler,
                    notification: self.shared.notifications[self.index],
                    badge: badge::event(event),
                });
                event += 1;
            }
        }
    }

    fn grants(&mut self, instance: usize, out: &mut ComponentLayout) {
        let model = self.model;
        for &(grant, place) in &model.instances[instance].grants {
            let origin = self.files.origin(place);
            match grant {
                Grant::Asid => {
                    let objects = [
                        ("asid_control", self.shared.asid_control),
                        ("asid_pool", self.shared.asid_pool),
                    ];
                    for (name, object) in objects {
                        let Some(object) = object else { continue };
                        let slot = self.cap(name, object, Rights::ALL, 0, origin);
                        out.caps.push((name.into(), slot));
                    }
                }
                Grant::SelfVspace => {
                    let vspace = self.shared.vspaces[self.index];
                    let slot = self.cap("self_vspace", vspace, Rights::ALL, 0, origin);
                    out.caps.push(("self_vspace".into(), slot));
                }
                Grant::DomainVspaces => self.domain_vspaces(place, out),
                Grant::LsyscallMint => self.lsyscall_mint(place, out),
                Grant::Supervisor => {
                    let badge = badge::interface(0, self.index as u8);
                    let root = self.shared.root_endpoint;
                    let slot = self.cap("supervisor", root, Rights::CALL, badge, origin);
                    out.caps.push(("supervisor".into(), slot));
                }
                Grant::Usage => {
                    let Some(object) = self.shared.usage else {
                        continue;
                    };
                    let vaddr = self.map("dataport kernel.usage", object, false, origin);
                    let bytes = self.pages(object) * PAGE;
                    out.dataports.push(("usage".into(), vaddr, bytes, false));
                }
                Grant::SelfCspace | Grant::Ram | Grant::Initrd | Grant::BootInfo => {}
            }
            let manages = matches!(
                grant,
                Grant::Ram | Grant::Asid | Grant::LsyscallMint | Grant::SelfCspace
            );
            if manages && !out.caps.iter().any(|(n, _)| n == "self_cnode") {
                out.caps.push(("self_cnode".into(), "SELF_CNODE".into()));
            }
        }
    }

    fn domain_vspaces(&mut self, place: Place, out: &mut ComponentLayout) {
        let origin = self.files.origin(place);
        for (other, &vspace) in self.shared.vspaces.iter().enumerate() {
            let slot = if other == self.index {
                self.cap("self_vspace", vspace, Rights::ALL, 0, origin)
            } else {
                let name = format!("vspace_{}", self.model.domains[other].name.value);
                self.cap(&name, vspace, Rights::ALL, 0, origin)
            };
            out.caps.push((format!("vspace.{other}"), slot));
        }
    }

    fn lsyscall_mint(&mut self, place: Place, out: &mut ComponentLayout) {
        let origin = self.files.origin(place);
        let model = self.model;
        for instance in &model.instances {
            if instance.decl.lsyscalls.is_empty() {
                continue;
            }
            let name = format!("lsyscall_{}", model.domains[instance.domain].name.value);
            let endpoint = self.shared.endpoints[instance.domain];
            let slot = self.cap(&name, endpoint, Rights::CALL, 0, origin);
            out.caps
                .push((format!("lsyscall.{}", instance.decl.name.value), slot));
        }
    }
}
