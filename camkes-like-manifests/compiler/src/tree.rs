//! TOML as a tree in which every key and value knows its place, and typed access that reports what is wrong.

use crate::source::{suggest, At, Errors, Files, Place};
use toml::de::{DeTable, DeValue};
use toml::Spanned;

/// A value.
#[derive(Clone, Debug)]
pub struct Value {
    /// Where it is written.
    pub place: Place,
    /// What it is.
    pub kind: Kind,
}

/// Kinds of values.
#[derive(Clone, Debug)]
pub enum Kind {
    /// `"text"`
    Text(String),
    /// `42`
    Int(i64),
    /// `true`
    Bool(bool),
    /// `[ .. ]`
    Array(Vec<Value>),
    /// `{ .. }` or a `[section]`
    Table(Table),
    /// What manifests have no use for: floats, dates, integers beyond 64 bits.
    Other(&'static str),
}

impl Kind {
    /// The kind in words.
    pub fn text(&self) -> &'static str {
        match self {
            Kind::Text(_) => "a string",
            Kind::Int(_) => "an integer",
            Kind::Bool(_) => "a boolean",
            Kind::Array(_) => "an array",
            Kind::Table(_) => "a table",
            Kind::Other(what) => what,
        }
    }
}

/// Keys and values in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// The entries.
    pub entries: Vec<(At<String>, Value)>,
}

impl Table {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries
            .iter()
            .find(|(name, _)| name.value == key)
            .map(|(_, value)| value)
    }
}

/// Parses a file.
pub fn parse(files: &Files, file: u16, errors: &mut Errors) -> Option<Table> {
    match DeTable::parse(files.text(file)) {
        Ok(table) => Some(convert_table(file, table.get_ref())),
        Err(error) => {
            let span = error.span().unwrap_or(0..0);
            let message = error.message();
            let hint = if message.starts_with("duplicate key") {
                "a name may be given once; remove or rename one of the two"
            } else {
                "manifests are TOML 1.0"
            };
            let first = message.lines().next().unwrap_or(message);
            errors.at(place(file, span), format!("not valid TOML: {first}"), hint);
            None
        }
    }
}

fn place(file: u16, span: std::ops::Range<usize>) -> Place {
    Place {
        file,
        start: span.start as u32,
        end: span.end as u32,
    }
}

fn convert_table(file: u16, table: &DeTable<'_>) -> Table {
    let mut entries: Vec<(At<String>, Value)> = table
        .iter()
        .map(|(key, value)| {
            let key = At::new(key.get_ref().to_string(), place(file, key.span()));
            (key, convert(file, value))
        })
        .collect();
    entries.sort_by_key(|(key, _)| key.place.start);
    Table { entries }
}

fn convert(file: u16, value: &Spanned<DeValue<'_>>) -> Value {
    let kind = match value.get_ref() {
        DeValue::String(text) => Kind::Text(text.to_string()),
        DeValue::Integer(int) => i64::from_str_radix(int.as_str(), int.radix())
            .map_or(Kind::Other("an integer beyond 64 bits"), Kind::Int),
        DeValue::Boolean(b) => Kind::Bool(*b),
        DeValue::Array(items) => {
            Kind::Array(items.iter().map(|item| convert(file, item)).collect())
        }
        DeValue::Table(table) => Kind::Table(convert_table(file, table)),
        DeValue::Float(_) => Kind::Other("a floating-point number"),
        DeValue::Datetime(_) => Kind::Other("a date"),
    };
    Value {
        place: place(file, value.span()),
        kind,
    }
}

/// A table being read: says what section it is, and which keys it may have.
pub struct Section<'a> {
    /// The table.
    pub table: &'a Table,
    /// Where it is.
    pub place: Place,
    /// What it is called in messages.
    pub what: String,
}

impl<'a> Section<'a> {
    /// Reads a value as a table and refuses unknown keys.
    pub fn new(
        value: &'a Value,
        what: impl Into<String>,
        keys: &[&str],
        errors: &mut Errors,
    ) -> Option<Section<'a>> {
        let what = what.into();
        let table = table(value, &what, errors)?;
        let section = Section {
            table,
            place: value.place,
            what,
        };
        section.only(keys, errors);
        Some(section)
    }

    /// Refuses unknown keys.
    pub fn only(&self, keys: &[&str], errors: &mut Errors) {
        for (key, _) in &self.table.entries {
            if !keys.contains(&key.value.as_str()) {
                errors.at(
                    key.place,
                    format!("unknown key `{}` in {}", key.value, self.what),
                    suggest("key", &key.value, keys.iter().copied()),
                );
            }
        }
    }

    fn missing(&self, key: &str, errors: &mut Errors) {
        errors.at(
            self.place,
            format!("{} has no `{key}`", self.what),
            format!("add `{key} = ...`"),
        );
    }

    /// A string that may be missing.
    pub fn text(&self, key: &str, errors: &mut Errors) -> Option<At<String>> {
        text(self.table.get(key)?, key, errors)
    }

    /// A string that must be there.
    pub fn need_text(&self, key: &str, errors: &mut Errors) -> Option<At<String>> {
        if self.table.get(key).is_none() {
            self.missing(key, errors);
        }
        self.text(key, errors)
    }

    /// An integer of a range that may be missing.
    pub fn int(
        &self,
        key: &str,
        range: std::ops::RangeInclusive<i64>,
        errors: &mut Errors,
    ) -> Option<At<i64>> {
        let value = self.table.get(key)?;
        let Kind::Int(int) = value.kind else {
            wrong(value, key, "an integer", errors);
            return None;
        };
        if !range.contains(&int) {
            errors.at(
                value.place,
                format!("`{key}` is {int}"),
                format!("it may be {} to {}", range.start(), range.end()),
            );
            return None;
        }
        Some(At::new(int, value.place))
    }

    /// A boolean, false if missing.
    pub fn flag(&self, key: &str, errors: &mut Errors) -> bool {
        match self.table.get(key) {
            None => false,
            Some(Value {
                kind: Kind::Bool(b),
                ..
            }) => *b,
            Some(value) => {
                wrong(value, key, "a boolean", errors);
                false
            }
        }
    }

    /// A size in bytes that may be missing: an integer or text such as `"64 KiB"`.
    pub fn size(&self, key: &str, errors: &mut Errors) -> Option<At<u64>> {
        let value = self.table.get(key)?;
        match size(&value.kind) {
            Some(bytes) => Some(At::new(bytes, value.place)),
            None => {
                errors.at(
                    value.place,
                    format!("`{key}` is no size"),
                    "a size is a number of bytes or a string such as \"64 KiB\" or \"1 MiB\"",
                );
                None
            }
        }
    }

    /// A list of strings, empty if missing.
    pub fn texts(&self, key: &str, errors: &mut Errors) -> Vec<At<String>> {
        let Some(value) = self.table.get(key) else {
            return Vec::new();
        };
        let Kind::Array(items) = &value.kind else {
            wrong(value, key, "an array of strings", errors);
            return Vec::new();
        };
        items
            .iter()
            .filter_map(|item| text(item, key, errors))
            .collect()
    }

    /// The entries of a sub-table, none if it is missing.
    pub fn entries(&self, key: &str, errors: &mut Errors) -> &'a [(At<String>, Value)] {
        match self.table.get(key) {
            None => &[],
            Some(value) => {
                table(value, &format!("`{key}`"), errors).map_or(&[], |table| &table.entries)
            }
        }
    }
}

/// A value as a table.
pub fn table<'a>(value: &'a Value, what: &str, errors: &mut Errors) -> Option<&'a Table> {
    match &value.kind {
        Kind::Table(table) => Some(table),
        _ => {
            errors.at(
                value.place,
                format!("{what} is {}", value.kind.text()),
                "a table is needed",
            );
            None
        }
    }
}

/// A value as a string.
pub fn text(value: &Value, what: &str, errors: &mut Errors) -> Option<At<String>> {
    match &value.kind {
        Kind::Text(text) => Some(At::new(text.clone(), value.place)),
        _ => {
            wrong(value, what, "a string", errors);
            None
        }
    }
}

fn wrong(value: &Value, what: &str, need: &str, errors: &mut Errors) {
    errors.at(
        value.place,
        format!("`{what}` is {}", value.kind.text()),
        format!("{need} is needed"),
    );
}

/// Bytes of a size.
pub fn size(kind: &Kind) -> Option<u64> {
    match kind {
        Kind::Int(int) => u64::try_from(*int).ok(),
        Kind::Text(text) => {
            let text = text.trim();
            let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
            let unit = match text[digits.len()..].trim() {
                "" | "B" => 1,
                "KiB" => 1 << 10,
                "MiB" => 1 << 20,
                "GiB" => 1 << 30,
                _ => return None,
            };
            digits.parse::<u64>().ok()?.checked_mul(unit)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let size = |text: &str| size(&Kind::Text(text.into()));
        assert_eq!(size("64 KiB"), Some(65536));
        assert_eq!(size("1MiB"), Some(1 << 20));
        assert_eq!(size("12"), Some(12));
        assert_eq!(size("12 kB"), None);
        assert_eq!(size("KiB"), None);
        assert_eq!(size("99999999999 GiB"), None);
        assert_eq!(super::size(&Kind::Int(-1)), None);
    }
}
