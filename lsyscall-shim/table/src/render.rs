//! The support table, for people and for programs.

use core::fmt::{self, Write};

use crate::{rows, Class, Level, Row};

/// How to write the support table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Columns of plain text.
    Text,
    /// A Markdown page, one section a class.
    Markdown,
    /// A JSON object: `calls`, an array of objects, and `totals` by class and level.
    Json,
}

/// Writes which calls are supported and how far.
///
/// # Errors
/// What `out` returns.
pub fn write_support(out: &mut dyn Write, format: Format) -> fmt::Result {
    match format {
        Format::Text => text(out),
        Format::Markdown => markdown(out),
        Format::Json => json(out),
    }
}

fn text(out: &mut dyn Write) -> fmt::Result {
    for row in rows() {
        let (class, component) = (row.class.name(), row.component.name());
        write!(
            out,
            "{:>3} {:<24} {class:<6} {component:<8} ",
            row.nr, row.name
        )?;
        match row.note {
            "" => writeln!(out, "{}", row.level.name())?,
            note => writeln!(out, "{:<8}{note}", row.level.name())?,
        }
    }
    writeln!(
        out,
        "\n{:<8}{:>6}{:>9}{:>9}{:>7}",
        "class", "full", "partial", "ENOSYS", "calls"
    )?;
    for class in Class::ALL {
        let total = Totals::of(|row| row.class == *class);
        writeln!(
            out,
            "{:<8}{:>6}{:>9}{:>9}{:>7}",
            class.name(),
            total.full,
            total.partial,
            total.no,
            total.all()
        )?;
    }
    writeln!(out)?;
    summary(out)
}

/// How many calls there are of each level.
struct Totals {
    full: usize,
    partial: usize,
    no: usize,
}

impl Totals {
    fn of(wanted: impl Fn(&Row) -> bool) -> Self {
        let count = |level| rows().filter(|r| r.level == level && wanted(r)).count();
        Self {
            full: count(Level::Full),
            partial: count(Level::Partial),
            no: count(Level::No),
        }
    }

    fn all(&self) -> usize {
        self.full + self.partial + self.no
    }
}

fn summary(out: &mut dyn Write) -> fmt::Result {
    let total = Totals::of(|_| true);
    writeln!(
        out,
        "{} calls: {} full, {} partial, {} answered ENOSYS",
        total.all(),
        total.full,
        total.partial,
        total.no
    )
}

fn markdown(out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "# Linux system calls\n")?;
    writeln!(out, "Generated from `lsyscall-shim/table/syscalls.tbl`; calls that are not listed are answered ENOSYS.\n")?;
    for class in Class::ALL {
        let of_class = || rows().filter(|r| r.class == *class);
        writeln!(
            out,
            "## {}\n\n| nr | call | served by | level | note |\n|---|---|---|---|---|",
            class.name()
        )?;
        for row in of_class().filter(|r| r.level != Level::No) {
            let component = row.component.name();
            writeln!(
                out,
                "| {} | {} | {component} | {} | {} |",
                row.nr,
                row.name,
                row.level.name(),
                row.note
            )?;
        }
        let mut sep = "\nENOSYS: ";
        for row in of_class().filter(|r| r.level == Level::No) {
            write!(out, "{sep}{}", row.name)?;
            sep = ", ";
        }
        writeln!(out, "{}", if sep == ", " { ".\n" } else { "" })?;
    }
    summary(out)
}

fn json(out: &mut dyn Write) -> fmt::Result {
    out.write_str("{\"calls\":[")?;
    for (i, row) in rows().enumerate() {
        out.write_str(if i == 0 { "\n" } else { ",\n" })?;
        json_row(out, row)?;
    }
    out.write_str("\n],\n\"totals\":{")?;
    for class in Class::ALL {
        json_totals(
            out,
            class.name(),
            &Totals::of(|row| row.class == *class),
            ",",
        )?;
    }
    json_totals(out, "all", &Totals::of(|_| true), "")?;
    out.write_str("\n}}\n")
}

fn json_totals(out: &mut dyn Write, name: &str, total: &Totals, end: &str) -> fmt::Result {
    write!(
        out,
        "\n\"{name}\":{{\"full\":{},\"partial\":{},\"no\":{}}}{end}",
        total.full, total.partial, total.no
    )
}

fn json_row(out: &mut dyn Write, row: &Row) -> fmt::Result {
    write!(
        out,
        "{{\"number\":{},\"name\":\"{}\",\"class\":\"{}\",",
        row.nr,
        row.name,
        row.class.name()
    )?;
    write!(
        out,
        "\"component\":\"{}\",\"level\":\"{}\",\"note\":\"",
        row.component.name(),
        row.level.name()
    )?;
    for c in row.note.chars() {
        match c {
            '"' | '\\' => write!(out, "\\{c}")?,
            c if c < ' ' => write!(out, "\\u{:04x}", c as u32)?,
            c => out.write_char(c)?,
        }
    }
    out.write_str("\",\"args\":[")?;
    for (i, arg) in row.args.iter().enumerate() {
        write!(out, "{}\"{}\"", if i == 0 { "" } else { "," }, arg.name)?;
    }
    out.write_str("]}")
}
