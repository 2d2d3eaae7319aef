//! Evaluates the constant integer expressions of headers and preprocessor conditions.

use crate::token::{tokens, Token};

/// Looks a name up; `None` means it is not defined.
pub(crate) type Lookup<'a> = dyn Fn(&str) -> Option<i128> + 'a;

/// Binary operators by precedence, weakest first.
const LEVELS: &[&[&str]] = &[
    &["||"],
    &["&&"],
    &["|"],
    &["^"],
    &["&"],
    &["==", "!="],
    &["<", ">", "<=", ">="],
    &["<<", ">>"],
    &["+", "-"],
    &["*", "/", "%"],
];

/// Evaluates `text`; with `condition`, unknown names are 0 and `defined` is understood, as in `#if`.
pub(crate) fn evaluate(text: &str, lookup: &Lookup<'_>, condition: bool) -> Result<i128, String> {
    evaluate_tokens(&tokens(text)?, lookup, condition)
}

/// The same over tokens.
pub(crate) fn evaluate_tokens(
    tokens: &[Token],
    lookup: &Lookup<'_>,
    condition: bool,
) -> Result<i128, String> {
    let mut parser = Parser {
        tokens,
        at: 0,
        lookup,
        condition,
    };
    let value = parser.binary(0)?;
    if parser.at != tokens.len() {
        return Err("expression does not end where it should".into());
    }
    Ok(value)
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    lookup: &'a Lookup<'a>,
    condition: bool,
}

impl Parser<'_> {
    fn peek(&self, punct: &str) -> bool {
        self.tokens
            .get(self.at)
            .is_some_and(|token| token.is(punct))
    }

    fn take(&mut self, punct: &str) -> Result<(), String> {
        if !self.peek(punct) {
            return Err(format!("expected {punct:?}"));
        }
        self.at += 1;
        Ok(())
    }

    fn binary(&mut self, level: usize) -> Result<i128, String> {
        let Some(operators) = LEVELS.get(level) else {
            return self.unary();
        };
        let mut left = self.binary(level + 1)?;
        while let Some(operator) = operators.iter().find(|op| self.peek(op)) {
            self.at += 1;
            let right = self.binary(level + 1)?;
            left = apply(operator, left, right)?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<i128, String> {
        let token = self
            .tokens
            .get(self.at)
            .cloned()
            .ok_or("expression ends early")?;
        self.at += 1;
        match token {
            Token::Int(value) => Ok(value),
            Token::Punct("(") => {
                let value = self.binary(0)?;
                self.take(")")?;
                Ok(value)
            }
            Token::Punct("-") => Ok(-self.unary()?),
            Token::Punct("+") => self.unary(),
            Token::Punct("~") => Ok(!self.unary()?),
            Token::Punct("!") => Ok(i128::from(self.unary()? == 0)),
            Token::Ident(name) => self.name(&name),
            other => Err(format!("unexpected {other:?}")),
        }
    }

    fn name(&mut self, name: &str) -> Result<i128, String> {
        match name {
            "defined" if self.condition => {
                let parens = self.peek("(");
                self.at += usize::from(parens);
                let token = self.tokens.get(self.at).cloned();
                let name = token
                    .as_ref()
                    .and_then(Token::ident)
                    .ok_or("defined without a name")?
                    .to_string();
                self.at += 1;
                if parens {
                    self.take(")")?;
                }
                Ok(i128::from((self.lookup)(&name).is_some()))
            }
            // The two function-like macros of libsel4 that appear in constants.
            "LIBSEL4_BIT" => {
                self.take("(")?;
                let bit = self.binary(0)?;
                self.take(")")?;
                apply("<<", 1, bit)
            }
            "sizeof" => {
                self.take("(")?;
                let token = self.tokens.get(self.at).cloned();
                self.at += 1;
                self.take(")")?;
                match token.as_ref().and_then(Token::ident) {
                    Some("seL4_Word" | "long") => Ok(8),
                    other => Err(format!("size of {other:?} unknown")),
                }
            }
            _ => match (self.lookup)(name) {
                Some(value) => Ok(value),
                None if self.condition => Ok(0),
                None => Err(format!("{name} is not a known constant")),
            },
        }
    }
}

fn apply(operator: &str, left: i128, right: i128) -> Result<i128, String> {
    let shift = || {
        u32::try_from(right)
            .ok()
            .filter(|bits| *bits < 64)
            .ok_or("shift out of range")
    };
    let value = match operator {
        "||" => Some(i128::from(left != 0 || right != 0)),
        "&&" => Some(i128::from(left != 0 && right != 0)),
        "|" => Some(left | right),
        "^" => Some(left ^ right),
        "&" => Some(left & right),
        "==" => Some(i128::from(left == right)),
        "!=" => Some(i128::from(left != right)),
        "<" => Some(i128::from(left < right)),
        ">" => Some(i128::from(left > right)),
        "<=" => Some(i128::from(left <= right)),
        ">=" => Some(i128::from(left >= right)),
        "<<" => left.checked_shl(shift()?),
        ">>" => Some(left >> shift()?),
        "+" => left.checked_add(right),
        "-" => left.checked_sub(right),
        "*" => left.checked_mul(right),
        "/" => left.checked_div(right),
        "%" => left.checked_rem(right),
        _ => None,
    };
    value.ok_or(format!("cannot compute {left} {operator} {right}"))
}
