//! The shipped systems compile, and what they hand out is what docs/architecture.md says.

use manifest_compiler::{archive, compile, Compiled, Inputs};
use persona_plan::badge::{self, Badge};
use persona_plan::{Domain, ObjectKind, Plan, Rights};
use std::path::{Path, PathBuf};

fn manifests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn shipped(name: &str) -> Compiled {
    let inputs = Inputs::new(&manifests());
    let path = manifests().join(format!("systems/{name}.toml"));
    compile(&path, &inputs).unwrap_or_else(|e| panic!("{e}"))
}

fn domain<'a>(plan: &'a Plan, component: &str) -> &'a Domain {
    plan.domains
        .iter()
        .find(|d| d.components.iter().any(|c| c.component == component))
        .unwrap_or_else(|| panic!("no domain hosts {component}"))
}

#[test]
fn the_isolated_system_has_a_domain_for_every_component() {
    let plan = shipped("isolated").plan;
    assert_eq!(plan.domains.len(), 5);
    for domain in &plan.domains {
        assert_eq!(domain.components.len(), 1);
        assert_eq!(domain.name, domain.components[0].instance);
    }
    let priority = |name| domain(&plan, name).thread.priority;
    assert_eq!(
        ["console", "memmgr", "timemgr", "fsmgr", "procmgr"].map(priority),
        [240, 230, 225, 220, 210]
    );
}

#[test]
fn the_coalesced_system_keeps_only_the_console_apart() {
    let plan = shipped("coalesced").plan;
    assert_eq!(plan.domains.len(), 2);
    let linux = domain(&plan, "procmgr");
    assert_eq!(linux.components.len(), 4);
    assert_eq!(linux.thread.priority, 230);
    // Inside a domain a call needs no capability: the only interface called across the border is the console's.
    let interfaces = linux
        .caps
        .iter()
        .filter(|c| matches!(badge::decode(c.badge), Badge::Interface { .. }));
    assert_eq!(interfaces.count(), 1);
}

#[test]
fn capabilities_point_down_only_and_are_no_more_than_needed() {
    for name in ["isolated", "coalesced"] {
        let plan = shipped(name).plan;
        for domain in &plan.domains {
            let mut slots: Vec<_> = domain.caps.iter().map(|c| (c.cnode, c.slot)).collect();
            slots.sort();
            slots.dedup();
            assert_eq!(
                slots.len(),
                domain.caps.len(),
                "two capabilities in one slot"
            );
            for cap in &domain.caps {
                let object = plan.object(cap.object).expect("object");
                match (badge::decode(cap.badge), object.kind) {
                    (Badge::Interface { client, .. }, ObjectKind::Endpoint) => {
                        assert_eq!(client, domain.index);
                        assert_eq!(cap.rights, Rights::CALL);
                        // Servers are started first: their number is lower. The root task is outside the order.
                        let server = plan
                            .domains
                            .iter()
                            .find(|d| object.name == format!("{}.endpoint", d.name));
                        assert!(server.is_none_or(|s| s.index < domain.index));
                    }
                    (Badge::Fault(index), ObjectKind::Endpoint) => {
                        assert_eq!(index, domain.index);
                        assert_eq!(cap.object, plan.root.endpoint);
                    }
                    (Badge::Events(_), ObjectKind::Notification) => {
                        assert_eq!(cap.rights, Rights::W);
                    }
                    _ => {}
                }
            }
        }
        let holders = |kind: ObjectKind| -> Vec<&str> {
            let holds = |d: &&Domain| {
                let is =
                    |c: &persona_plan::Cap| plan.object(c.object).map(|o| o.kind) == Some(kind);
                d.caps.iter().any(is)
            };
            plan.domains
                .iter()
                .filter(holds)
                .map(|d| d.name.as_str())
                .collect()
        };
        let memmgr = domain(&plan, "memmgr").name.as_str();
        assert_eq!(holders(ObjectKind::AsidControl), [memmgr]);
        assert_eq!(holders(ObjectKind::AsidPool), [memmgr]);
        assert_eq!(holders(ObjectKind::VSpace), [memmgr]);
        assert!(holders(ObjectKind::Tcb).is_empty());
        let ram: Vec<_> = plan.domains.iter().filter(|d| d.startup.ram).collect();
        assert_eq!(ram.len(), 1);
        assert_eq!(ram[0].name, memmgr);
        // Unbadged endpoint capabilities that can send are the right to make Linux threads.
        let minter = domain(&plan, "procmgr").name.as_str();
        for domain in &plan.domains {
            let unbadged = domain.caps.iter().any(|c| {
                let endpoint = plan.object(c.object).map(|o| o.kind) == Some(ObjectKind::Endpoint);
                endpoint && c.badge == 0 && c.rights.write
            });
            assert_eq!(unbadged, domain.name == minter, "{}", domain.name);
        }
    }
}

#[test]
fn every_interrupt_and_mapping_is_the_owners_alone() {
    for name in ["isolated", "coalesced"] {
        let plan = shipped(name).plan;
        for (id, object) in plan.objects.iter().enumerate() {
            let mapped: Vec<_> = plan
                .domains
                .iter()
                .flat_map(|d| d.mappings.iter().map(move |m| (d, m)))
                .filter(|(_, m)| m.object.0 as usize == id)
                .collect();
            match object.kind {
                ObjectKind::DeviceFrames { .. } => assert_eq!(mapped.len(), 1, "{}", object.name),
                ObjectKind::Frames { .. } if object.group.is_some() => {
                    assert_eq!(mapped.len(), 1, "{}", object.name);
                    assert_eq!(object.group, Some(mapped[0].0.index));
                }
                ObjectKind::Frames { .. } => assert!(!mapped.is_empty(), "{}", object.name),
                ObjectKind::UsageFrames { .. } => {
                    assert!(!mapped.is_empty() && mapped.iter().all(|(_, m)| !m.writable));
                }
                _ => assert!(mapped.is_empty()),
            }
        }
        for domain in &plan.domains {
            let mut ranges: Vec<(u64, u64)> = domain
                .mappings
                .iter()
                .map(|m| match plan.object(m.object).map(|o| o.kind) {
                    Some(
                        ObjectKind::Frames { pages }
                        | ObjectKind::DeviceFrames { pages, .. }
                        | ObjectKind::UsageFrames { pages },
                    ) => (m.vaddr, m.vaddr + u64::from(pages) * persona_plan::PAGE),
                    other => panic!("{other:?} is mapped"),
                })
                .collect();
            ranges.sort_unstable();
            for pair in ranges.windows(2) {
                assert!(pair[0].1 < pair[1].0, "no unmapped page between mappings");
            }
        }
    }
}

#[test]
fn plans_survive_the_archive() {
    let compiled = shipped("coalesced");
    assert_eq!(
        Plan::from_bytes(&compiled.plan_bytes).as_ref(),
        Ok(&compiled.plan)
    );
    let error = archive(&compiled.plan_bytes, &[]).expect_err("no programs");
    assert_eq!(error, "there is no program for domain `console`");
    let programs: Vec<_> = compiled
        .domains
        .iter()
        .map(|d| (d.name.clone(), b"#!/bin/sh".to_vec()))
        .collect();
    assert!(archive(&compiled.plan_bytes, &programs).is_err());
}

#[test]
fn generated_texts() {
    let inputs = Inputs::new(&manifests().join("fixtures/good"));
    let path = manifests().join("fixtures/good/system.toml");
    let compiled = compile(&path, &inputs).unwrap_or_else(|e| panic!("{e}"));
    expect_test::expect_file!["./snapshots/report.txt"].assert_eq(&compiled.report);
    expect_test::expect_file!["./snapshots/components.dot"].assert_eq(&compiled.dot);
    for domain in &compiled.domains {
        let path = format!("./snapshots/{}.rs.txt", domain.name);
        expect_test::expect_file![path].assert_eq(&domain.main_rs);
    }
}
