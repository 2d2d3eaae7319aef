//! Writes the Rust source.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::bitfield::{Block, File};
use crate::cdecl::{Field, Headers, Struct};
use crate::invocation::Method;
use crate::{stub, Error, Result};

/// Names the hand-written part of `sel4-sys` builds on: without them there is no point in going on.
const NEEDED: &[&str] = &[
    "seL4_NoError",
    "seL4_MsgMaxLength",
    "seL4_MsgMaxExtraCaps",
    "seL4_ObjectTypeCount",
];

/// System calls that exist only in debug kernels, with the name of the constant that says so.
const OPTIONAL: &[(&str, &str)] = &[
    ("DebugPutChar", "PUT_CHAR"),
    ("DebugHalt", "HALT"),
    ("DebugSnapshot", "SNAPSHOT"),
    ("DebugCapIdentify", "CAP_IDENTIFY"),
    ("DebugNameThread", "NAME_THREAD"),
];

/// All bindings.
pub(crate) fn bindings(
    headers: &Headers,
    fields: &File,
    methods: &[Method],
    syscalls: &[(String, i64)],
) -> Result<String> {
    for name in NEEDED {
        headers
            .value(name)
            .ok_or_else(|| Error::Missing((*name).to_string()))?;
    }
    let mut out = String::from("// Generated from the kernel tree in SEL4_PREFIX.\n\n");
    aliases(&mut out, headers)?;
    constants(&mut out, headers);
    for of in &headers.structs {
        structure(&mut out, of, headers)?;
    }
    bitfields(&mut out, fields);
    system_calls(&mut out, syscalls);
    unknown_syscall(&mut out, headers);
    labels(&mut out, methods);
    for method in methods {
        stub::write(&mut out, method, headers, fields)?;
    }
    Ok(out)
}

/// `name`, escaped if Rust keeps it for itself.
pub(crate) fn ident(name: &str) -> String {
    const KEYWORDS: &[&str] = &[
        "type", "move", "ref", "fn", "in", "loop", "match", "mod", "use", "impl", "box", "priv",
    ];
    if KEYWORDS.contains(&name) {
        format!("r#{name}")
    } else {
        name.to_string()
    }
}

/// `capAllowGrant` as `cap_allow_grant`.
pub(crate) fn snake(name: &str) -> String {
    let mut out = String::new();
    for (index, letter) in name.char_indices() {
        if letter.is_ascii_uppercase()
            && index > 0
            && !name[..index].ends_with(|c: char| c.is_ascii_uppercase())
        {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

fn aliases(out: &mut String, headers: &Headers) -> Result<()> {
    let mut enums = BTreeSet::new();
    for (_, _, ty) in &headers.constants {
        enums.extend(ty.as_deref());
    }
    for (alias, target) in &headers.aliases {
        let target = match target.as_str() {
            "signed char" => "i8",
            "signed short" => "i16",
            "signed int" => "i32",
            "signed long" => "i64",
            "unsigned char" => "u8",
            "unsigned short" => "u16",
            "unsigned int" => "u32",
            "unsigned long" => "u64",
            name if headers.aliases.iter().any(|(alias, _)| alias == name) => name,
            other => {
                return Err(Error::Missing(format!(
                    "type {other} (which {alias} stands for)"
                )))
            }
        };
        let _ = writeln!(out, "/// C type `{alias}`.\npub type {alias} = {target};");
    }
    for name in enums {
        let _ = writeln!(out, "/// C enum `{name}`.\npub type {name} = seL4_Word;");
    }
    Ok(())
}

fn constants(out: &mut String, headers: &Headers) {
    for (name, value, ty) in &headers.constants {
        let ty = match ty {
            _ if *value < 0 => "seL4_Int64",
            Some(ty) => ty,
            None => "seL4_Word",
        };
        let _ = writeln!(
            out,
            "/// Constant of the kernel's headers.\npub const {name}: {ty} = {value};"
        );
    }
}

fn structure(out: &mut String, of: &Struct, headers: &Headers) -> Result<()> {
    let repr = if of.packed { "C, packed" } else { "C" };
    let _ = writeln!(
        out,
        "/// C struct `{}`.\n#[repr({repr})]\n#[derive(Debug, Clone, Copy)]\npub struct {} {{",
        of.name, of.name
    );
    for field in &of.fields {
        let _ = writeln!(
            out,
            "    /// Field of the kernel's header.\n    pub {}: {},",
            field.name,
            field_type(field)
        );
    }
    let _ = writeln!(out, "}}");
    // A struct of words alone can be passed by index, which saves a table of its registers.
    if of
        .fields
        .iter()
        .all(|field| field.ty == "seL4_Word" && !field.pointer && field.array.is_none())
    {
        words(out, of);
    }
    let _ = headers;
    Ok(())
}

fn field_type(field: &Field) -> String {
    let base = if field.pointer {
        format!("*mut {}", field.ty)
    } else {
        field.ty.clone()
    };
    match field.array {
        Some(count) => format!("[{base}; {count}]"),
        None => base,
    }
}

fn words(out: &mut String, of: &Struct) {
    let Struct { name, fields, .. } = of;
    let names = |separator: &str| {
        fields
            .iter()
            .map(|field| field.name.as_str())
            .collect::<Vec<_>>()
            .join(separator)
    };
    let reads: String = fields
        .iter()
        .map(|field| format!("self.{}, ", field.name))
        .collect();
    let zeros: String = fields
        .iter()
        .map(|field| format!("{}: 0, ", field.name))
        .collect();
    let _ = writeln!(
        out,
        "impl {name} {{\n    /// Words of the struct.\n    pub const WORDS: usize = {count};\n    \
         /// Names of the words, in order.\n    pub const NAMES: [&'static str; {count}] = [\"{quoted}\"];\n    \
         /// All words zero.\n    pub const ZERO: {name} = {name} {{ {zeros}}};\n    \
         /// The words in order.\n    #[inline]\n    pub const fn to_words(&self) -> [seL4_Word; {count}] {{\n        \
         [{reads}]\n    }}\n    /// From the words in order.\n    #[inline]\n    \
         pub const fn from_words(words: [seL4_Word; {count}]) -> {name} {{\n        \
         let [{all}] = words;\n        {name} {{ {all} }}\n    }}\n}}\n\
         impl Default for {name} {{\n    fn default() -> {name} {{\n        {name}::ZERO\n    }}\n}}",
        count = fields.len(),
        quoted = names("\", \""),
        all = names(", "),
    );
}

fn bitfields(out: &mut String, file: &File) {
    let member = |name: &str| {
        file.unions
            .iter()
            .any(|union| union.members.iter().any(|(block, _)| block == name))
    };
    for block in file
        .blocks
        .iter()
        .filter(|block| block.bits == 64 && !member(&block.name))
    {
        bits_type(out, &block.name);
        let _ = writeln!(out, "impl {}_t {{", block.name);
        accessors(out, block, "", None);
        let _ = writeln!(out, "}}");
    }
    for union in &file.unions {
        for (name, tag) in &union.members {
            let _ = writeln!(
                out,
                "/// Tag of `{0}`.\npub const {0}_{name}: seL4_Word = {tag};",
                union.name
            );
        }
        let blocks: Option<Vec<_>> = union
            .members
            .iter()
            .map(|(name, tag)| Some((file.block(name)?, *tag)))
            .collect();
        let Some(blocks) = blocks.filter(|blocks| blocks.iter().all(|(block, _)| block.bits == 64))
        else {
            continue;
        };
        bits_type(out, &union.name);
        let _ = writeln!(out, "impl {}_t {{", union.name);
        for (block, tag) in blocks {
            accessors(
                out,
                block,
                &format!("{}_", snake(&block.name)),
                Some((&union.tag, tag)),
            );
        }
        let _ = writeln!(out, "}}");
    }
}

fn bits_type(out: &mut String, name: &str) {
    let _ = writeln!(
        out,
        "/// Bit field type `{name}_t`.\n#[repr(transparent)]\n#[derive(Debug, Clone, Copy, PartialEq, Eq)]\n\
         pub struct {name}_t {{\n    /// The packed word.\n    pub words: [seL4_Word; 1],\n}}"
    );
}

/// A constructor and the accessors of one block; `tag` is the field that has a fixed value.
fn accessors(out: &mut String, block: &Block, prefix: &str, tag: Option<(&String, u64)>) {
    let visible: Vec<_> = block
        .fields
        .iter()
        .filter(|field| tag.is_none_or(|(name, _)| *name != field.name))
        .collect();
    let arguments: Vec<String> = visible
        .iter()
        .map(|field| format!("{}: seL4_Word", snake(&field.name)))
        .collect();
    let mut terms = vec!["0".to_string()];
    for field in &block.fields {
        let mask = u64::MAX >> (64 - field.bits);
        let value = match tag {
            Some((name, value)) if *name == field.name => value.to_string(),
            _ => snake(&field.name),
        };
        terms.push(format!("(({value} & {mask:#x}) << {})", field.offset));
    }
    let _ = writeln!(
        out,
        "    /// Packs the fields; bits beyond their widths are dropped.\n    #[inline(always)]\n    \
         pub const fn {prefix}new({}) -> Self {{\n        Self {{ words: [{}] }}\n    }}",
        arguments.join(", "),
        terms.join(" | ")
    );
    for field in visible {
        let (name, mask, offset) = (
            snake(&field.name),
            u64::MAX >> (64 - field.bits),
            field.offset,
        );
        let _ = writeln!(
            out,
            "    /// Field `{raw}`, {bits} bits.\n    #[inline(always)]\n    \
             pub const fn {prefix}get_{name}(self) -> seL4_Word {{\n        (self.words[0] >> {offset}) & {mask:#x}\n    }}",
            raw = field.name,
            bits = field.bits
        );
    }
}

fn system_calls(out: &mut String, syscalls: &[(String, i64)]) {
    for (name, number) in syscalls {
        let _ = writeln!(
            out,
            "/// System call number.\npub const seL4_Sys{name}: seL4_Int64 = {number};"
        );
    }
    let _ = writeln!(
        out,
        "/// System calls that only some configurations have.\npub mod optional_syscall {{"
    );
    for (name, constant) in OPTIONAL {
        let number = syscalls
            .iter()
            .find(|(call, _)| call == name)
            .map(|(_, number)| number);
        let _ = writeln!(
            out,
            "    /// `{name}`.\n    pub const {constant}: Option<i64> = {number:?};"
        );
    }
    let _ = writeln!(out, "}}");
}

/// Where the kernel puts x8 (the Linux system call number) in an unknown-system-call message: stock kernels do not.
fn unknown_syscall(out: &mut String, headers: &Headers) {
    let slot = headers.value("seL4_UnknownSyscall_X8");
    let _ = writeln!(out, "/// Word of an unknown-system-call message that holds x8.\npub const UNKNOWN_SYSCALL_X8: Option<usize> = {slot:?};");
}

fn labels(out: &mut String, methods: &[Method]) {
    let _ = writeln!(
        out,
        "/// Labels of the invocations.\npub mod invocation_label {{"
    );
    for (method, label) in methods.iter().zip(1..) {
        let _ = writeln!(
            out,
            "    /// `{}_{}`.\n    pub const {}: u64 = {label};",
            method.interface, method.name, method.id
        );
    }
    let _ = writeln!(out, "}}");
}
