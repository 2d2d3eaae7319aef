//! Reads enums, structs and type aliases of preprocessed C.

use std::collections::BTreeMap;

use crate::token::{tokens, Token};
use crate::{expr, Defines};

/// A field of a struct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    /// The C name of the type, without a `*`.
    pub(crate) ty: String,
    pub(crate) pointer: bool,
    /// Elements, for an array.
    pub(crate) array: Option<u64>,
}

/// A struct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Struct {
    pub(crate) name: String,
    pub(crate) fields: Vec<Field>,
    pub(crate) packed: bool,
}

/// What the headers declare.
#[derive(Debug, Default)]
pub(crate) struct Headers {
    /// Constants in the order of their declaration, with the name of the enum type they belong to.
    pub(crate) constants: Vec<(String, i128, Option<String>)>,
    pub(crate) structs: Vec<Struct>,
    /// Alias and what it stands for.
    pub(crate) aliases: Vec<(String, String)>,
    values: BTreeMap<String, i128>,
}

impl Headers {
    /// Reads one preprocessed header.
    pub(crate) fn parse(&mut self, text: &str, defines: &Defines) -> Result<(), String> {
        let tokens = tokens(text)?;
        let mut at = 0;
        while at < tokens.len() {
            let end = statement_end(&tokens, at)?;
            self.statement(&tokens[at..end], defines)?;
            at = end + 1;
        }
        Ok(())
    }

    /// The value of a constant.
    pub(crate) fn value(&self, name: &str) -> Option<i128> {
        self.values.get(name).copied()
    }

    /// Turns the macros of libsel4 that are integer constants into constants. What is no integer is left out.
    pub(crate) fn take_defines(&mut self, defines: &Defines) {
        for (name, text) in defines {
            if name.starts_with("seL4_") || name.starts_with("SEL4_") {
                if let Ok(value) = self.evaluate_text(text, defines) {
                    self.add(name.clone(), value, None);
                }
            }
        }
    }

    fn add(&mut self, name: String, value: i128, ty: Option<String>) {
        self.values.insert(name.clone(), value);
        self.constants.push((name, value, ty));
    }

    fn evaluate_text(&self, text: &str, defines: &Defines) -> Result<i128, String> {
        expr::evaluate(text, &|name| self.lookup(name, defines, 0), false)
    }

    fn evaluate(&self, tokens: &[Token], defines: &Defines) -> Result<i128, String> {
        expr::evaluate_tokens(tokens, &|name| self.lookup(name, defines, 0), false)
    }

    fn lookup(&self, name: &str, defines: &Defines, depth: u32) -> Option<i128> {
        if let Some(value) = self.values.get(name) {
            return Some(*value);
        }
        let text = defines.get(name).filter(|_| depth < 16)?;
        expr::evaluate(text, &|inner| self.lookup(inner, defines, depth + 1), false).ok()
    }

    /// One declaration without its semicolon. Functions and variables are not for us.
    fn statement(&mut self, tokens: &[Token], defines: &Defines) -> Result<(), String> {
        let typedef = tokens.first().and_then(Token::ident) == Some("typedef");
        let body = &tokens[usize::from(typedef)..];
        let keyword = body.first().and_then(Token::ident);
        match (keyword, body.iter().position(|token| token.is("{"))) {
            (Some("enum"), Some(open)) => {
                let close = matching(body, open)?;
                let name = if typedef {
                    body.get(close + 1)
                } else {
                    body.get(1)
                };
                let name = name
                    .and_then(Token::ident)
                    .filter(|_| typedef)
                    .map(str::to_string);
                self.enumerators(&body[open + 1..close], name.as_deref(), defines)
            }
            (Some("struct"), Some(open)) if typedef => {
                let close = matching(body, open)?;
                let tail: Vec<&str> = body[close + 1..].iter().filter_map(Token::ident).collect();
                let packed = tail.first() == Some(&"SEL4_PACKED");
                let name = tail
                    .get(usize::from(packed))
                    .ok_or("struct without a name")?
                    .to_string();
                let fields = self
                    .fields(&body[open + 1..close], defines)
                    .map_err(|what| format!("struct {name}: {what}"))?;
                self.structs.push(Struct {
                    name,
                    fields,
                    packed,
                });
                Ok(())
            }
            (Some(_), None) if typedef => {
                let names: Option<Vec<&str>> = body.iter().map(Token::ident).collect();
                if let Some([target @ .., name]) = names.as_deref() {
                    self.aliases.push((name.to_string(), target.join(" ")));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn enumerators(
        &mut self,
        tokens: &[Token],
        ty: Option<&str>,
        defines: &Defines,
    ) -> Result<(), String> {
        let mut next = 0;
        for item in split(tokens, ",") {
            let Some(name) = item.first().and_then(Token::ident) else {
                continue;
            };
            match item.get(1) {
                None => {}
                Some(token) if token.is("=") => {
                    next = self
                        .evaluate(&item[2..], defines)
                        .map_err(|what| format!("{name}: {what}"))?;
                }
                // SEL4_FORCE_LONG_ENUM(..) only widens the type.
                Some(_) => continue,
            }
            self.add(name.to_string(), next, ty.map(str::to_string));
            next += 1;
        }
        Ok(())
    }

    fn fields(&self, tokens: &[Token], defines: &Defines) -> Result<Vec<Field>, String> {
        let mut fields = Vec::new();
        for declaration in split(tokens, ";")
            .into_iter()
            .filter(|tokens| !tokens.is_empty())
        {
            let ty = declaration[0]
                .ident()
                .ok_or("field without a type")?
                .to_string();
            for item in split(&declaration[1..], ",") {
                let pointer = item.first().is_some_and(|token| token.is("*"));
                let item = &item[usize::from(pointer)..];
                let name = item
                    .first()
                    .and_then(Token::ident)
                    .ok_or("field without a name")?
                    .to_string();
                let array = match item.get(1) {
                    None => None,
                    Some(token) if token.is("[") && item.len() > 3 => {
                        let count = self.evaluate(&item[2..item.len() - 1], defines)?;
                        Some(u64::try_from(count).map_err(|_| "array of negative size")?)
                    }
                    Some(other) => return Err(format!("field {name}: unexpected {other:?}")),
                };
                fields.push(Field {
                    name,
                    ty: ty.clone(),
                    pointer,
                    array,
                });
            }
        }
        Ok(fields)
    }
}

/// The index of the token that ends the statement at `at`: its semicolon, or the brace that closes a function body.
fn statement_end(tokens: &[Token], at: usize) -> Result<usize, String> {
    let mut parens = false;
    let mut i = at;
    while let Some(token) = tokens.get(i) {
        if token.is(";") {
            return Ok(i);
        }
        if token.is("(") {
            parens = true;
            i = matching(tokens, i)?;
        } else if token.is("{") {
            let function = parens && tokens[i - 1].is(")");
            i = matching(tokens, i)?;
            if function {
                return Ok(i);
            }
        }
        i += 1;
    }
    Err("declaration without end".into())
}

/// The index of the bracket that closes the one at `open`.
fn matching(tokens: &[Token], open: usize) -> Result<usize, String> {
    let mut depth = 0usize;
    for (i, token) in tokens.iter().enumerate().skip(open) {
        if token.is("{") || token.is("(") {
            depth += 1;
        } else if token.is("}") || token.is(")") {
            depth -= 1;
            if depth == 0 {
                return Ok(i);
            }
        }
    }
    Err("bracket without its partner".into())
}

fn split<'a>(tokens: &'a [Token], punct: &str) -> Vec<&'a [Token]> {
    tokens.split(|token| token.is(punct)).collect()
}
