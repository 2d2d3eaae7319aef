//! A C preprocessor as small as libsel4's headers allow: comments, conditions, object-like macros.

use crate::{expr, Defines};

/// Runs over one file: returns the text that remains and records its definitions. Includes are ignored, the caller
/// feeds the files in their order; function-like macros are dropped.
pub(crate) fn run(text: &str, defines: &mut Defines) -> Result<String, String> {
    let text = strip_comments(text)?.replace("\\\n", " ");
    let mut out = String::new();
    // For each open condition: is this branch live, was any branch live.
    let mut stack: Vec<(bool, bool)> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let live = stack.iter().all(|(live, _)| *live);
        match line.trim_start().strip_prefix('#') {
            Some(directive) => {
                let result = self::directive(directive.trim(), live, &mut stack, defines);
                result.map_err(|what| format!("line {}: {what}", number + 1))?;
            }
            None if live => {
                out.push_str(line);
                out.push('\n');
            }
            None => {}
        }
    }
    if !stack.is_empty() {
        return Err("#if without #endif".into());
    }
    Ok(out)
}

fn directive(
    text: &str,
    live: bool,
    stack: &mut Vec<(bool, bool)>,
    defines: &mut Defines,
) -> Result<(), String> {
    let end = text
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (word, rest) = (&text[..end], text[end..].trim());
    let first = rest.split_whitespace().next().unwrap_or("");
    match word {
        "if" | "ifdef" | "ifndef" => {
            let holds = match word {
                _ if !live => false,
                "if" => condition(rest, defines)?,
                "ifdef" => defines.contains_key(first),
                _ => !defines.contains_key(first),
            };
            stack.push((holds, holds));
        }
        "elif" | "else" => {
            let (_, any) = stack.pop().ok_or("#else without #if")?;
            let outer = stack.iter().all(|(live, _)| *live);
            let holds = outer && !any && (word == "else" || condition(rest, defines)?);
            stack.push((holds, any || holds));
        }
        "endif" => {
            stack.pop().ok_or("#endif without #if")?;
        }
        "define" if live => {
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            if !rest[end..].starts_with('(') {
                defines.insert(rest[..end].to_string(), rest[end..].trim().to_string());
            }
        }
        "undef" if live => {
            defines.remove(first);
        }
        "error" if live => return Err(format!("#error {rest}")),
        _ => {}
    }
    Ok(())
}

/// Evaluates the condition of an `#if`, or of a `condition` attribute in the interface XML.
pub(crate) fn condition(text: &str, defines: &Defines) -> Result<bool, String> {
    Ok(expr::evaluate(text, &|name| lookup(name, defines, 0), true)? != 0)
}

/// The value of a macro: `Some(0)` for one that is defined but is no integer.
fn lookup(name: &str, defines: &Defines, depth: u32) -> Option<i128> {
    let text = defines.get(name)?;
    if depth > 16 {
        return Some(0);
    }
    Some(expr::evaluate(text, &|inner| lookup(inner, defines, depth + 1), true).unwrap_or(0))
}

fn strip_comments(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['/', '"']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(comment) = rest.strip_prefix("/*") {
            let end = comment.find("*/").ok_or("comment without end")?;
            out.push(' ');
            out.extend(comment[..end].chars().filter(|c| *c == '\n'));
            rest = &comment[end + 2..];
        } else if rest.starts_with("//") {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
        } else {
            // A slash, or a string up to its closing quote.
            let end = match rest.strip_prefix('"') {
                Some(inner) => inner.find('"').ok_or("string without end")? + 2,
                None => 1,
            };
            out.push_str(&rest[..end]);
            rest = &rest[end..];
        }
    }
    out.push_str(rest);
    Ok(out)
}
