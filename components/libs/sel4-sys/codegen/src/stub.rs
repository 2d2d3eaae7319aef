//! Lays out the parameters of invocations in message words and writes their stubs.
//!
//! The rules are those of the kernel's own stub generator: capabilities travel in the capability slots of the IPC
//! buffer, every other parameter is aligned to its size and packed into 64-bit words, the first four words travel in
//! registers.

use std::fmt::Write;

use crate::bitfield::File;
use crate::cdecl::{Headers, Struct};
use crate::emit::ident;
use crate::invocation::{Method, Parameter};
use crate::{Error, Result};

/// Words of a message that travel in registers on aarch64.
const MESSAGE_REGISTERS: usize = 4;

/// What a parameter's type means for the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind<'a> {
    /// A capability address.
    Cap,
    /// An integer of so many bits with its Rust type.
    Int(u32, &'static str),
    /// One bit.
    Bool,
    /// A whole word: an enum or `seL4_Word`.
    Word,
    /// A bit field type of one word.
    Bits,
    /// A struct of words.
    Struct(&'a Struct),
}

impl Kind<'_> {
    fn bits(&self) -> u32 {
        match self {
            Kind::Int(bits, _) => *bits,
            Kind::Bool => 1,
            Kind::Cap | Kind::Word | Kind::Bits => 64,
            Kind::Struct(of) => 64 * of.fields.len() as u32,
        }
    }
}

/// Tells what the C type `name` is.
pub(crate) fn kind<'a>(name: &str, headers: &'a Headers, fields: &File) -> Option<Kind<'a>> {
    let fixed = match name {
        "int" => Some(Kind::Int(32, "i32")),
        "seL4_Uint8" => Some(Kind::Int(8, "seL4_Uint8")),
        "seL4_Uint16" => Some(Kind::Int(16, "seL4_Uint16")),
        "seL4_Uint32" => Some(Kind::Int(32, "seL4_Uint32")),
        "seL4_Bool" => Some(Kind::Bool),
        "seL4_Word" | "seL4_Uint64" => Some(Kind::Word),
        "seL4_CPtr" => Some(Kind::Cap),
        _ => None,
    };
    if fixed.is_some() {
        return fixed;
    }
    if headers
        .aliases
        .iter()
        .any(|(alias, target)| alias == name && target == "seL4_CPtr")
    {
        return Some(Kind::Cap);
    }
    if headers
        .constants
        .iter()
        .any(|(_, _, ty)| ty.as_deref() == Some(name))
    {
        return Some(Kind::Word);
    }
    if let Some(of) = headers.structs.iter().find(|of| of.name == name) {
        return Some(Kind::Struct(of));
    }
    let block = name.strip_suffix("_t")?;
    let known =
        fields.block(block).is_some() || fields.unions.iter().any(|union| union.name == block);
    known.then_some(Kind::Bits)
}

/// A parameter with its kind and its first bit in the message.
pub(crate) struct Placed<'a> {
    pub(crate) parameter: &'a Parameter,
    pub(crate) kind: Kind<'a>,
    pub(crate) first: u32,
}

/// Places `parameters`, none of which is a capability.
pub(crate) fn place<'a>(parameters: Vec<(&'a Parameter, Kind<'a>)>) -> Vec<Placed<'a>> {
    let mut used = 0u32;
    let mut out = Vec::new();
    for (parameter, kind) in parameters {
        let first = used.next_multiple_of(kind.bits().min(64));
        used = first + kind.bits();
        out.push(Placed {
            parameter,
            kind,
            first,
        });
    }
    out
}

/// Writes the stub of one method.
pub(crate) fn write(
    out: &mut String,
    method: &Method,
    headers: &Headers,
    fields: &File,
) -> Result<()> {
    let function = format!("{}_{}", method.interface, method.name);
    let mut caps = Vec::new();
    let mut inputs = Vec::new();
    let mut outputs = Vec::new();
    let mut arguments = String::new();
    for parameter in &method.parameters {
        let kind = kind(&parameter.ty, headers, fields).ok_or_else(|| {
            Error::Missing(format!("type {} (a parameter of {function})", parameter.ty))
        })?;
        if parameter.out {
            outputs.push((parameter, kind));
            continue;
        }
        let ty = rust_type(&parameter.ty, &kind);
        let reference = if matches!(kind, Kind::Struct(_)) {
            "&"
        } else {
            ""
        };
        let _ = write!(arguments, ", {}: {reference}{ty}", ident(&parameter.name));
        if kind == Kind::Cap {
            caps.push(parameter);
        } else {
            inputs.push((parameter, kind));
        }
    }
    document(out, method, &function);
    let result: Vec<String> = outputs
        .iter()
        .map(|(parameter, kind)| rust_type(&parameter.ty, kind))
        .collect();
    let result = if result.len() == 1 {
        result[0].clone()
    } else {
        format!("({})", result.join(", "))
    };
    let _ = writeln!(
        out,
        "#[inline]\npub fn {function}(_service: {}{arguments}) -> Result<{result}, seL4_Error> {{",
        method.interface
    );
    for (index, cap) in caps.iter().enumerate() {
        let _ = writeln!(out, "    seL4_SetCap({index}, {});", ident(&cap.name));
    }
    let words = marshal(place(inputs));
    for (index, word) in words.iter().enumerate().skip(MESSAGE_REGISTERS) {
        let _ = writeln!(out, "    seL4_SetMR({index}, {word});");
    }
    let register = |index: usize| words.get(index).map_or("0", String::as_str);
    let _ = writeln!(
        out,
        "    let tag = seL4_MessageInfo_t::new(invocation_label::{}, 0, {}, {});\n    \
         let mrs = invoke(_service, tag, [{}, {}, {}, {}])?;",
        method.id,
        caps.len(),
        words.len(),
        register(0),
        register(1),
        register(2),
        register(3)
    );
    let outputs: Vec<String> = place(outputs).iter().map(unmarshal).collect();
    if outputs.is_empty() {
        let _ = writeln!(out, "    let _ = mrs;\n    Ok(())\n}}\n");
    } else if let [output] = outputs.as_slice() {
        let _ = writeln!(out, "    Ok({output})\n}}\n");
    } else {
        let _ = writeln!(out, "    Ok(({}))\n}}\n", outputs.join(", "));
    }
    Ok(())
}

fn document(out: &mut String, method: &Method, function: &str) {
    let brief = if method.brief.is_empty() {
        format!("Invocation `{function}`.")
    } else {
        format!("{}.", method.brief)
    };
    let _ = writeln!(out, "/// {}\n///", escape(brief.trim()));
    for parameter in method
        .parameters
        .iter()
        .filter(|parameter| !parameter.doc.is_empty())
    {
        let _ = writeln!(
            out,
            "/// - `{}`: {}",
            parameter.name,
            escape(&parameter.doc)
        );
    }
    let _ = writeln!(out, "///\n/// # Errors\n/// The error the kernel answers with; details are in the IPC buffer then.");
}

/// Keeps rustdoc from reading brackets and angle brackets of the kernel's text as links and tags.
fn escape(text: &str) -> String {
    text.replace('[', "\\[")
        .replace(']', "\\]")
        .replace('<', "\\<")
}

fn rust_type(name: &str, kind: &Kind<'_>) -> String {
    match kind {
        Kind::Bool => "bool".into(),
        Kind::Int(_, ty) => (*ty).into(),
        _ => name.into(),
    }
}

/// The expression of each message word.
fn marshal(placed: Vec<Placed<'_>>) -> Vec<String> {
    let mut words: Vec<Vec<String>> = Vec::new();
    for Placed {
        parameter,
        kind,
        first,
    } in placed
    {
        let name = ident(&parameter.name);
        let word = (first / 64) as usize;
        let parts: Vec<String> = match &kind {
            Kind::Struct(of) => of
                .fields
                .iter()
                .map(|field| format!("{name}.{}", field.name))
                .collect(),
            Kind::Bits => vec![format!("{name}.words[0]")],
            Kind::Cap | Kind::Word => vec![name],
            Kind::Int(..) | Kind::Bool => {
                // Signed integers must not spread their sign over the neighbours.
                let value = match kind {
                    Kind::Int(_, "i32") => format!("seL4_Word::from({name} as u32)"),
                    _ => format!("seL4_Word::from({name})"),
                };
                vec![if first % 64 == 0 {
                    value
                } else {
                    format!("({value} << {})", first % 64)
                }]
            }
        };
        words.resize_with(words.len().max(word + parts.len()), Vec::new);
        for (offset, part) in parts.into_iter().enumerate() {
            words[word + offset].push(part);
        }
    }
    words.into_iter().map(|parts| parts.join(" | ")).collect()
}

/// The expression that reads an output parameter from `mrs` and the IPC buffer.
fn unmarshal(placed: &Placed<'_>) -> String {
    let word = |index: u32| match index as usize {
        index if index < MESSAGE_REGISTERS => format!("mrs[{index}]"),
        index => format!("seL4_GetMR({index})"),
    };
    let index = placed.first / 64;
    let shifted = format!("({} >> {})", word(index), placed.first % 64);
    match &placed.kind {
        Kind::Cap | Kind::Word => word(index),
        Kind::Bits => format!("{} {{ words: [{}] }}", placed.parameter.ty, word(index)),
        Kind::Bool => format!("{shifted} & 1 != 0"),
        Kind::Int(_, ty) => format!("{shifted} as {ty}"),
        Kind::Struct(of) => {
            let fields = of
                .fields
                .iter()
                .zip(index..)
                .map(|(field, at)| format!("{}: {}", field.name, word(at)));
            format!(
                "{} {{ {} }}",
                of.name,
                fields.collect::<Vec<_>>().join(", ")
            )
        }
    }
}
