//! The kernel's configuration.

use std::collections::BTreeMap;

use crate::{cpp, Defines};

/// The value of one configuration name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// An integer; a switch that is on is 1.
    Int(i64),
    /// A string, quotes dropped.
    Str(String),
}

/// All `CONFIG_` names that are defined, with their values. A switch that is off is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    values: BTreeMap<String, Value>,
    raw: Defines,
}

impl Config {
    /// Adds what a header defines, in the light of what is defined already.
    pub(crate) fn read(&mut self, text: &str) -> Result<(), String> {
        let mut defines = std::mem::take(&mut self.raw);
        cpp::run(text, &mut defines)?;
        for (name, text) in defines
            .iter()
            .filter(|(name, _)| name.starts_with("CONFIG_"))
        {
            let value = match text
                .strip_prefix('"')
                .and_then(|text| text.strip_suffix('"'))
            {
                Some(string) => Value::Str(string.to_string()),
                None if text.is_empty() => Value::Int(1),
                None => match crate::expr::evaluate(text, &|_| None, false) {
                    Ok(value) => Value::Int(
                        i64::try_from(value).map_err(|_| format!("{name} is out of range"))?,
                    ),
                    Err(_) => Value::Str(text.clone()),
                },
            };
            self.values.insert(name.clone(), value);
        }
        self.raw = defines;
        Ok(())
    }

    /// Every name with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.values
            .iter()
            .map(|(name, value)| (name.as_str(), value))
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// The configuration as preprocessor definitions.
    pub(crate) fn defines(&self) -> Defines {
        let configured = self
            .raw
            .iter()
            .filter(|(name, _)| name.starts_with("CONFIG_"));
        configured
            .map(|(name, text)| (name.clone(), text.clone()))
            .collect()
    }
}
