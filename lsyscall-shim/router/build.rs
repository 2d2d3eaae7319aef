//! Writes, from the system-call table, one trait and one dispatcher for each component that serves calls.

use std::fmt::Write as _;
use std::{env, fs, path::Path};

use lsyscall_table::{rows, Arg, ArgType, Component, Level, Row, Scalar};

/// Trait, dispatcher and name for people of a component.
const COMPONENTS: &[(Component, &str, &str, &str)] = &[
    (
        Component::Procmgr,
        "ProcCalls",
        "dispatch_proc",
        "process manager",
    ),
    (
        Component::Memmgr,
        "MemCalls",
        "dispatch_mem",
        "memory manager",
    ),
    (Component::Fsmgr, "FsCalls", "dispatch_fs", "file manager"),
    (
        Component::Timemgr,
        "TimeCalls",
        "dispatch_time",
        "time manager",
    ),
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let mut code = String::new();
    for &(component, name, dispatch, people) in COMPONENTS {
        write_component(&mut code, component, name, dispatch, people);
    }
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("calls.rs"), code).expect("OUT_DIR can be written");
}

fn write_component(
    out: &mut String,
    component: Component,
    name: &str,
    dispatch: &str,
    people: &str,
) {
    let served: Vec<&Row> = rows()
        .filter(|r| r.component == component && r.level != Level::No)
        .collect();

    let _ = writeln!(
        out,
        "/// The calls the {people} serves. What is not overridden is answered ENOSYS."
    );
    let _ = writeln!(
        out,
        "#[allow(clippy::too_many_arguments)]\npub trait {name} {{"
    );
    for row in &served {
        let note = if row.note.is_empty() {
            String::new()
        } else {
            format!(" {}.", row.note)
        };
        let _ = writeln!(out, "    /// {}(2).{note}", row.name);
        let _ = write!(out, "    fn {}(&mut self, c: &Caller", row.name);
        for arg in row.args.iter().filter(|a| !a.folded) {
            let _ = write!(out, ", {}: {}", ident(arg), rust_type(arg.ty));
        }
        let _ = writeln!(out, ") -> SysResult {{");
        let _ = write!(out, "        let _ = (c,");
        for arg in row.args.iter().filter(|a| !a.folded) {
            let _ = write!(out, " {},", ident(arg));
        }
        let _ = writeln!(out, ");\n        Err(Errno::ENOSYS)\n    }}");
    }
    let _ = writeln!(out, "}}\n");

    let _ = writeln!(out, "/// Calls the method of [`{name}`] that the number names, with its arguments; ENOSYS for all others.");
    let _ = writeln!(
        out,
        "pub fn {dispatch}<S: {name} + ?Sized>(server: &mut S, c: &Caller) -> SysResult {{"
    );
    let _ = writeln!(out, "    match c.nr {{");
    for row in &served {
        let _ = write!(out, "        {} => server.{}(c", row.nr, row.name);
        for (index, arg) in row.args.iter().enumerate().filter(|(_, a)| !a.folded) {
            let _ = write!(out, ", {}", conversion(row, index, arg));
        }
        let _ = writeln!(out, "),");
    }
    let _ = writeln!(out, "        _ => Err(Errno::ENOSYS),\n    }}\n}}\n");
}

/// The argument's name, escaped where Rust has another use for it.
fn ident(arg: &Arg) -> String {
    match arg.name {
        "type" => "kind".into(),
        name => name.into(),
    }
}

fn rust_type(ty: ArgType) -> String {
    match ty {
        ArgType::Scalar(s) => s.rust().into(),
        ArgType::Path => "UserPath".into(),
        ArgType::Str => "UserStr".into(),
        ArgType::StrVec => "UserStrVec".into(),
        ArgType::BufIn(_) | ArgType::BufOut(_) => "UserSlice".into(),
        ArgType::InArr(t, _) | ArgType::OutArr(t, _) => format!("UserArray<{t}>"),
        ArgType::In(t) | ArgType::Out(t) | ArgType::InOut(t) => format!("UserPtr<{t}>"),
    }
}

fn conversion(row: &Row, index: usize, arg: &Arg) -> String {
    let raw = format!("c.args[{index}]");
    match arg.ty {
        ArgType::BufIn(n) | ArgType::BufOut(n) => {
            format!("UserSlice::new({raw}, {})", length(row, n))
        }
        ArgType::InArr(_, n) | ArgType::OutArr(_, n) => {
            format!("UserArray::new({raw}, {})", length(row, n))
        }
        _ => format!("FromArg::from_arg({raw})"),
    }
}

/// A length, cut to its type's width first; a negative one becomes huge, which every handler refuses.
fn length(row: &Row, index: u8) -> String {
    let arg = row
        .args
        .get(usize::from(index))
        .expect("the table's build script checked the index");
    let ty = match arg.ty {
        ArgType::Scalar(Scalar::Size) => return format!("c.args[{index}] as usize"),
        ArgType::Scalar(s) => s.rust(),
        _ => panic!("{}: the length `{}` is no number", row.name, arg.name),
    };
    format!("c.args[{index}] as {ty} as usize")
}
