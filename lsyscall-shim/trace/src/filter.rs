//! Which calls are shown.

use core::fmt;

use lsyscall_table::{by_number, Class};

/// A set of classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter(u16);

/// A word that is no class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadFilter<'a>(pub &'a str);

impl fmt::Display for BadFilter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no class of system calls; there are", self.0)?;
        for class in Class::ALL {
            write!(f, " {}", class.name())?;
        }
        f.write_str(" and all")
    }
}

impl Filter {
    /// No call.
    pub const NONE: Filter = Filter(0);
    /// Every call.
    pub const ALL: Filter = Filter(u16::MAX);

    /// Reads `FS,PROC` or `all`; case does not matter.
    ///
    /// # Errors
    /// The first word that is neither a class nor `all`.
    pub fn parse(text: &str) -> Result<Filter, BadFilter<'_>> {
        let mut filter = Filter::NONE;
        for word in text.split(',').map(str::trim).filter(|w| !w.is_empty()) {
            if word.eq_ignore_ascii_case("all") {
                filter = Filter::ALL;
                continue;
            }
            let class = Class::ALL
                .iter()
                .find(|c| c.name().eq_ignore_ascii_case(word));
            filter.0 |= 1 << *class.ok_or(BadFilter(word))? as u16;
        }
        Ok(filter)
    }

    /// Whether nothing is shown.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether calls of the class are shown.
    pub const fn shows(self, class: Class) -> bool {
        self.0 & (1 << class as u16) != 0
    }

    /// Whether the call is shown; a number without a class is, if every class is.
    pub fn shows_number(self, nr: u64) -> bool {
        by_number(nr).map_or(self == Filter::ALL, |row| self.shows(row.class))
    }
}
