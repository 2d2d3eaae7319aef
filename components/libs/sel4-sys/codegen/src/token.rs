//! Splits C and bit field text into tokens.

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    /// An identifier or keyword.
    Ident(String),
    /// An integer literal, suffixes dropped.
    Int(i128),
    /// A string literal, quotes dropped.
    Str(String),
    /// Punctuation; two-character operators are one token.
    Punct(&'static str),
}

impl Token {
    pub(crate) fn is(&self, punct: &str) -> bool {
        matches!(self, Token::Punct(p) if *p == punct)
    }

    pub(crate) fn ident(&self) -> Option<&str> {
        match self {
            Token::Ident(name) => Some(name),
            _ => None,
        }
    }
}

/// Longest first, so that `<<` is not read as two `<`.
const PUNCTS: &[&str] = &[
    "<<", ">>", "==", "!=", "<=", ">=", "&&", "||", "->", "{", "}", "(", ")", "[", "]", ",", ";",
    "=", "+", "-", "*", "/", "%", "&", "|", "^", "~", "!", "<", ">", "?", ":", ".", "#", "\\",
];

/// Splits `text`, which holds no comments any more.
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let len = if first.is_ascii_alphabetic() || first == '_' {
            let len = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            out.push(Token::Ident(rest[..len].to_string()));
            len
        } else if first.is_ascii_digit() {
            let len = rest
                .find(|c: char| !c.is_ascii_alphanumeric())
                .unwrap_or(rest.len());
            out.push(Token::Int(integer(&rest[..len])?));
            len
        } else if first == '"' {
            let end = rest[1..].find('"').ok_or("string without end")?;
            out.push(Token::Str(rest[1..=end].to_string()));
            end + 2
        } else {
            let punct = PUNCTS
                .iter()
                .find(|p| rest.starts_with(**p))
                .ok_or(format!("unexpected character {first:?}"))?;
            out.push(Token::Punct(punct));
            punct.len()
        };
        rest = rest[len..].trim_start();
    }
    Ok(out)
}

fn integer(text: &str) -> Result<i128, String> {
    let digits = text.trim_end_matches(['u', 'U', 'l', 'L']);
    let (digits, radix) = match digits.get(..2) {
        Some("0x" | "0X") => (&digits[2..], 16),
        Some("0b" | "0B") => (&digits[2..], 2),
        _ => (digits, 10),
    };
    i128::from_str_radix(digits, radix).map_err(|_| format!("bad integer {text}"))
}
