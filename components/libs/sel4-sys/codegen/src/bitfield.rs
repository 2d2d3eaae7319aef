//! Reads the kernel's bit field files (`.bf`).

use crate::token::{tokens, Token};

/// A field of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) bits: u32,
    /// Distance from bit 0 of word 0.
    pub(crate) offset: u32,
}

/// A block: a value of whole 64-bit words cut into fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) name: String,
    pub(crate) bits: u32,
    pub(crate) fields: Vec<Field>,
}

/// A union whose member is told by the value of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Union {
    pub(crate) name: String,
    pub(crate) tag: String,
    /// Block and tag value.
    pub(crate) members: Vec<(String, u64)>,
}

/// What the files declare.
#[derive(Debug, Default)]
pub(crate) struct File {
    pub(crate) blocks: Vec<Block>,
    pub(crate) unions: Vec<Union>,
}

impl File {
    /// Reads one file whose `--` comments and conditions are gone.
    pub(crate) fn parse(&mut self, text: &str) -> Result<(), String> {
        let tokens = tokens(text)?;
        let mut reader = Reader {
            tokens: &tokens,
            at: 0,
        };
        while let Some(word) = reader.next_ident() {
            match word.as_str() {
                "base" => {
                    if reader.int()? != 64 {
                        return Err("base other than 64".into());
                    }
                }
                "block" => {
                    let block = reader.block()?;
                    self.blocks.push(block);
                }
                "tagged_union" => {
                    let union = reader.union()?;
                    self.unions.push(union);
                }
                other => return Err(format!("unexpected {other}")),
            }
        }
        if reader.at == tokens.len() {
            Ok(())
        } else {
            Err(format!("unexpected {:?}", tokens[reader.at]))
        }
    }

    /// The block called `name`.
    pub(crate) fn block(&self, name: &str) -> Option<&Block> {
        self.blocks.iter().find(|block| block.name == name)
    }
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
}

impl Reader<'_> {
    fn next_ident(&mut self) -> Option<String> {
        let name = self.tokens.get(self.at)?.ident()?.to_string();
        self.at += 1;
        Some(name)
    }

    fn name(&mut self) -> Result<String, String> {
        self.next_ident().ok_or("name expected".into())
    }

    fn int(&mut self) -> Result<u32, String> {
        match self.tokens.get(self.at) {
            Some(Token::Int(value)) => {
                self.at += 1;
                u32::try_from(*value).map_err(|_| "number out of range".into())
            }
            _ => Err("number expected".into()),
        }
    }

    fn punct(&mut self, punct: &str) -> bool {
        let found = self
            .tokens
            .get(self.at)
            .is_some_and(|token| token.is(punct));
        self.at += usize::from(found);
        found
    }

    fn block(&mut self) -> Result<Block, String> {
        let name = self.name()?;
        // An explicit visible order `(a, b, ..)` only names constructor arguments.
        if self.punct("(") {
            while !self.punct(")") {
                self.at += 1;
            }
        }
        if !self.punct("{") {
            return Err(format!("block {name}: brace expected"));
        }
        // Fields are listed from the highest bit down.
        let mut fields = Vec::new();
        let mut bits = 0;
        while !self.punct("}") {
            match self.name()?.as_str() {
                "padding" => bits += self.int()?,
                "field" => {
                    let name = self.name()?;
                    let width = self.int()?;
                    bits += width;
                    // The distance from the top for now.
                    fields.push(Field {
                        name,
                        bits: width,
                        offset: bits,
                    });
                }
                other => return Err(format!("block {name}: {other} is not supported")),
            }
        }
        if bits % 64 != 0 {
            return Err(format!("block {name}: {bits} bits are not whole words"));
        }
        for field in &mut fields {
            field.offset = bits - field.offset;
            if field.bits == 0 || field.offset % 64 + field.bits > 64 {
                return Err(format!("block {name}: field {} crosses a word", field.name));
            }
        }
        Ok(Block { name, bits, fields })
    }

    fn union(&mut self) -> Result<Union, String> {
        let name = self.name()?;
        let tag = self.name()?;
        if !self.punct("{") {
            return Err(format!("union {name}: brace expected"));
        }
        let mut members = Vec::new();
        while !self.punct("}") {
            if self.name()? != "tag" {
                return Err(format!("union {name}: tag expected"));
            }
            members.push((self.name()?, u64::from(self.int()?)));
        }
        Ok(Union { name, tag, members })
    }
}
