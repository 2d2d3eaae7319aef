//! Turns `syscalls.tbl` into Rust, and refuses one that is not complete and consistent.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::{env, fs, path::Path, process};

#[allow(dead_code)]
#[path = "src/types.rs"]
mod types;
use types::{ArgType, Class, Component, Level, Ret, Scalar, POINTEES};

const TABLE: &str = "syscalls.tbl";
/// Size of the kernel's route table.
const ROUTE_TABLE_LEN: usize = 512;
const FAULT_SLOT: usize = 31;

/// An argument of a row.
pub struct Arg {
    name: String,
    ty: ArgType,
}

/// A row of the table, and its line.
pub struct Row {
    line: usize,
    nr: usize,
    name: String,
    class: Class,
    component: Component,
    level: Level,
    args: Vec<Arg>,
    ret: Ret,
    note: String,
}

impl Row {
    fn folded(&self, index: usize) -> bool {
        self.args.iter().any(|a| {
            matches!(a.ty, ArgType::BufIn(n) | ArgType::BufOut(n) | ArgType::InArr(_, n) | ArgType::OutArr(_, n)
                if usize::from(n) == index)
        })
    }
}

fn main() {
    println!("cargo::rerun-if-changed={TABLE}");
    println!("cargo::rerun-if-changed=src/types.rs");
    println!("cargo::rerun-if-changed=build.rs");
    let text = fs::read_to_string(TABLE).unwrap_or_else(|e| fail(0, &e.to_string()));
    let rows = parse(&text).unwrap_or_else(|(line, why)| fail(line, &why));
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    let code = generate(&rows).unwrap_or_else(|(line, why)| fail(line, &why));
    fs::write(Path::new(&out).join("table.rs"), code).expect("OUT_DIR can be written");
}

fn fail(line: usize, why: &str) -> ! {
    println!("cargo::error=lsyscall-shim/table/{TABLE}:{line}: {why}");
    process::exit(1);
}

/// A value, or the line and text of what is wrong with the table.
pub type Place<T> = Result<T, (usize, String)>;

/// Reads every row and gap; numbers must follow each other without a hole.
pub fn parse(text: &str) -> Place<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    let mut names: HashMap<String, usize> = HashMap::new();
    let mut next = 0;
    for (index, raw) in text.lines().enumerate() {
        let line = index + 1;
        let at = |why: String| (line, why);
        let (body, note) = match raw.split_once('#') {
            Some((body, note)) => (body.trim(), note.trim()),
            None => (raw.trim(), ""),
        };
        if body.is_empty() {
            continue;
        }
        let first;
        let last;
        if let Some(range) = body.strip_prefix("gap ") {
            let (a, b) = range.split_once("..").unwrap_or((range, range));
            first = number(a).map_err(at)?;
            last = number(b).map_err(at)?;
        } else {
            let row = row(line, body, note).map_err(at)?;
            first = row.nr;
            last = row.nr;
            if let Some(other) = names.insert(row.name.clone(), line) {
                return Err(at(format!("`{}` stands in line {other} already", row.name)));
            }
            rows.push(row);
        }
        if first != next || last < first {
            return Err(at(format!(
                "number {next} was to come next, found {first}..{last}"
            )));
        }
        next = last + 1;
    }
    if next == 0 || next > ROUTE_TABLE_LEN {
        return Err((
            0,
            format!("{next} numbers do not fit a table of {ROUTE_TABLE_LEN}"),
        ));
    }
    Ok(rows)
}

fn number(word: &str) -> Result<usize, String> {
    word.trim()
        .parse()
        .map_err(|_| format!("`{}` is not a number", word.trim()))
}

fn row(line: usize, body: &str, note: &str) -> Result<Row, String> {
    let (head, tail) = body
        .split_once(':')
        .ok_or("a row is `number name CLASS component level : arguments`")?;
    let head: Vec<&str> = head.split_whitespace().collect();
    let &[nr, name, class, component, level] = head.as_slice() else {
        return Err("five words come before the colon: number name CLASS component level".into());
    };
    let (args, ret) = match tail.split_once("->") {
        Some((args, ret)) => (
            args,
            Ret::parse(ret.trim()).ok_or_else(|| unknown("return type", ret.trim()))?,
        ),
        None => (tail, Ret::Int),
    };
    let words: Vec<(&str, &str)> = args
        .split_whitespace()
        .map(|w| {
            w.split_once(':')
                .ok_or_else(|| format!("`{w}` is not `name:Type`"))
        })
        .collect::<Result<_, _>>()?;
    if words.len() > 6 {
        return Err("more than six arguments".into());
    }
    let names: Vec<&str> = words.iter().map(|w| w.0).collect();
    if names.iter().collect::<BTreeSet<_>>().len() != names.len() {
        return Err("two arguments have one name".into());
    }
    let args = words
        .iter()
        .map(|(name, ty)| {
            Ok(Arg {
                name: (*name).into(),
                ty: arg_type(ty, &names)?,
            })
        })
        .collect::<Result<Vec<_>, String>>()?;
    let level = Level::parse(level).ok_or_else(|| unknown("level", level))?;
    if level == Level::Partial && note.is_empty() {
        return Err("a partial call needs a note that says what is missing".into());
    }
    Ok(Row {
        line,
        nr: number(nr)?,
        name: name.into(),
        class: Class::parse(class).ok_or_else(|| unknown("class", class))?,
        component: Component::parse(component).ok_or_else(|| unknown("component", component))?,
        level,
        args,
        ret,
        note: note.into(),
    })
}

fn unknown(what: &str, word: &str) -> String {
    format!("unknown {what} `{word}`")
}

fn arg_type(word: &str, names: &[&str]) -> Result<ArgType, String> {
    let (kind, inner) = match word.strip_suffix(')').and_then(|w| w.split_once('(')) {
        Some((kind, inner)) => (kind, inner),
        None => (word, ""),
    };
    let pointee = |word: &str| {
        let found = POINTEES.iter().copied().find(|p| *p == word);
        found.ok_or_else(|| unknown("structure", word))
    };
    let length = |word: &str| {
        let found = names
            .iter()
            .position(|n| *n == word)
            .and_then(|i| u8::try_from(i).ok());
        found.ok_or_else(|| unknown("length argument", word))
    };
    let pair = || {
        inner
            .split_once(',')
            .ok_or_else(|| format!("`{word}` needs (structure,length)"))
    };
    Ok(match kind {
        "Path" => ArgType::Path,
        "Str" => ArgType::Str,
        "StrVec" => ArgType::StrVec,
        "BufIn" => ArgType::BufIn(length(inner)?),
        "BufOut" => ArgType::BufOut(length(inner)?),
        "InArr" => ArgType::InArr(pointee(pair()?.0)?, length(pair()?.1)?),
        "OutArr" => ArgType::OutArr(pointee(pair()?.0)?, length(pair()?.1)?),
        "In" => ArgType::In(pointee(inner)?),
        "Out" => ArgType::Out(pointee(inner)?),
        "InOut" => ArgType::InOut(pointee(inner)?),
        _ => ArgType::Scalar(Scalar::parse(word).ok_or_else(|| unknown("type", word))?),
    })
}

fn arg_code(ty: ArgType) -> String {
    match ty {
        ArgType::Scalar(s) => format!("ArgType::Scalar(Scalar::{})", s.ident()),
        other => format!("ArgType::{other:?}"),
    }
}

fn generate(rows: &[Row]) -> Place<String> {
    let len = rows.last().map_or(0, |r| r.nr + 1);
    let pairs: BTreeSet<(Class, Component)> = rows
        .iter()
        .filter(|r| r.level != Level::No)
        .map(|r| (r.class, r.component))
        .collect();
    if pairs.len() >= FAULT_SLOT {
        return Err((
            0,
            format!(
                "{} (class, component) pairs, {} slots",
                pairs.len(),
                FAULT_SLOT - 1
            ),
        ));
    }
    let slot = |row: &Row| {
        pairs
            .iter()
            .position(|p| *p == (row.class, row.component))
            .map_or(0, |i| i + 1)
    };

    let mut out = String::new();
    let w = &mut out;
    let _ = writeln!(
        w,
        "/// Every number from 0: its row, or `None` where the kernel has no call."
    );
    let _ = writeln!(w, "pub static TABLE: [Option<Row>; {len}] = [");
    let mut by_nr: Vec<Option<&Row>> = vec![None; len];
    for row in rows {
        let place = by_nr
            .get_mut(row.nr)
            .ok_or((row.line, "number out of order".to_string()))?;
        *place = Some(row);
    }
    for row in &by_nr {
        let Some(row) = row else {
            let _ = writeln!(w, "    None,");
            continue;
        };
        let _ = write!(
            w,
            "    Some(Row {{ nr: {}, name: {:?}, class: Class::{}, component: Component::{}, level: Level::{}, ret: Ret::{}, \
             note: {:?}, args: &[",
            row.nr,
            row.name,
            row.class.ident(),
            row.component.ident(),
            row.level.ident(),
            row.ret.ident(),
            row.note
        );
        for (i, a) in row.args.iter().enumerate() {
            let _ = write!(
                w,
                "Arg {{ name: {:?}, ty: {}, folded: {} }}, ",
                a.name,
                arg_code(a.ty),
                row.folded(i)
            );
        }
        let _ = writeln!(w, "] }}),");
    }
    let _ = writeln!(
        w,
        "];\n\n/// The slots of a Linux thread's CNode that hold class endpoints, from slot 1 up."
    );
    let _ = writeln!(w, "pub static ROUTES: &[Route] = &[");
    for (i, (class, component)) in pairs.iter().enumerate() {
        let (slot, class, component) = (i + 1, class.ident(), component.ident());
        let _ = writeln!(w, "    Route {{ slot: {slot}, class: Class::{class}, component: Component::{component} }},");
    }
    let _ = writeln!(w, "];\n\n/// The kernel's route table, see [`routes`].");
    let _ = writeln!(w, "pub const ROUTE_TABLE: [u8; {ROUTE_TABLE_LEN}] = [");
    for nr in 0..ROUTE_TABLE_LEN {
        let slot = by_nr.get(nr).copied().flatten().map_or(0, slot);
        let _ = write!(w, "{slot}, ");
    }
    let _ = writeln!(w, "];");
    Ok(out)
}
