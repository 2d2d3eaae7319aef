//! The table against an independent list of numbers, and what its users rely on.

use lsyscall_table::{
    by_name, by_number, routes, rows, slot, write_support, ArgType, Class, Component, Format,
    Level, FAULT_SLOT, ROUTES, TABLE,
};
use syscalls::aarch64::Sysno;

#[test]
fn numbers_and_names_are_linux_s() {
    for nr in 0..TABLE.len() as u64 {
        let theirs = Sysno::new(nr as usize).map(|s| s.name());
        match (theirs, by_number(nr).map(|r| r.name)) {
            (Some("fstatat"), ours) => assert_eq!(ours, Some("newfstatat")),
            (Some(theirs), Some(ours)) => assert_eq!(theirs, ours, "{nr}"),
            // The crate gives arm64 the 64-bit time calls that only 32-bit architectures have.
            (Some(theirs), None) => assert!((403..=423).contains(&nr), "{nr} {theirs} is missing"),
            // The crate leaves out a removed call and ends with an older Linux.
            (None, Some(ours)) => assert!(
                ours == "nfsservctl" || nr > 450,
                "{nr} {ours} is not Linux's"
            ),
            (None, None) => {}
        }
    }
}

#[test]
fn every_row_finds_itself() {
    for row in rows() {
        assert_eq!(by_number(row.nr.into()), Some(row));
        assert_eq!(by_name(row.name), Some(row));
        assert!(row.args.len() <= 6);
    }
    assert_eq!(by_number(u64::MAX), None);
    assert_eq!(by_number(244), None);
}

#[test]
fn routes_are_dense_and_below_the_fault_slot() {
    for (i, route) in ROUTES.iter().enumerate() {
        assert_eq!(usize::from(route.slot), i + 1);
        assert!(route.slot < FAULT_SLOT);
        assert_eq!(slot(route.class, route.component), Some(route.slot));
    }
    let table = routes();
    for row in rows() {
        let expected = slot(row.class, row.component).unwrap_or(0);
        assert_eq!(table[usize::from(row.nr)], expected, "{}", row.name);
        assert!(
            expected != 0 || row.level == Level::No,
            "{} works and has no route",
            row.name
        );
    }
    assert!(table[TABLE.len()..].iter().all(|s| *s == 0));
}

#[test]
fn lengths_are_folded_into_their_buffers() {
    let write = by_name("write").unwrap();
    assert_eq!(write.args[1].ty, ArgType::BufIn(2));
    assert!(write.args[2].folded && !write.args[1].folded);
    assert_eq!(
        (write.class, write.component),
        (Class::Fs, Component::Fsmgr)
    );
    assert_eq!(by_name("mmap").unwrap().component, Component::Fsmgr);
}

#[test]
fn support_pages_name_every_call() {
    for format in [Format::Text, Format::Markdown, Format::Json] {
        let mut page = String::new();
        write_support(&mut page, format).unwrap();
        for row in rows() {
            assert!(page.contains(row.name), "{} in {format:?}", row.name);
        }
    }
    let mut page = String::new();
    write_support(&mut page, Format::Json).unwrap();
    assert!(
        page.starts_with("{\"calls\":[\n{\"number\":0,\"name\":\"io_setup\"")
            && page.contains("\n],\n\"totals\":{\n\"PROC\":{\"full\":")
            && page.ends_with("}\n}}\n")
    );
}
