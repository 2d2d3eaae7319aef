//! Writing the archive's present versions into the list.

use crate::apt::Apt;
use crate::artefacts::{Artefacts, LIST};
use crate::context::Context;
use crate::process::say;
use anyhow::{ensure, Context as _, Result};
use std::collections::BTreeMap;
use std::fs;

/// Takes up the versions the archive has now of all packages of the Debian system.
pub fn record(context: &Context) -> Result<()> {
    let list = Artefacts::load(context)?;
    let apt = Apt::new(context)?;
    apt.update()?;
    let names: Vec<&str> = list.debian.keys().map(String::as_str).collect();
    let now: BTreeMap<String, (String, String)> = apt
        .current(&names)?
        .into_iter()
        .map(|(name, version, hash)| (name, (version, hash)))
        .collect();
    for name in names {
        ensure!(
            now.contains_key(name),
            "Debian's archive has no package {name} any more"
        );
    }
    let path = context.root.join(LIST);
    let old = fs::read_to_string(&path).with_context(|| format!("reading {LIST}"))?;
    let new = replaced(&old, &now);
    let changed = old.lines().zip(new.lines()).filter(|(a, b)| a != b).count();
    say(format!("{changed} lines of {LIST} changed"));
    fs::write(&path, new).with_context(|| format!("writing {LIST}"))
}

/// The list's text with other versions and hashes in its sections `[debian.NAME]`; the rest stays as it is.
fn replaced(text: &str, now: &BTreeMap<String, (String, String)>) -> String {
    let mut entry = None;
    let mut new = String::with_capacity(text.len());
    for line in text.lines() {
        if let Some(section) = line.strip_prefix('[') {
            entry = section
                .strip_prefix("debian.")
                .and_then(|name| now.get(name.trim_end_matches(']').trim_matches('"')));
        }
        match (entry, line.split_once(" = ")) {
            (Some((version, _)), Some(("version", _))) => {
                new.push_str(&format!("version = \"{version}\""));
            }
            (Some((_, hash)), Some(("sha256", _))) => new.push_str(&format!("sha256 = \"{hash}\"")),
            _ => new.push_str(line),
        }
        new.push('\n');
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_sections_of_packages_change() {
        let now = BTreeMap::from([("a.b".to_owned(), ("2".to_owned(), "ff".to_owned()))]);
        let old = "[deb.a]\nversion = \"1\"\n\n[debian.\"a.b\"]\nversion = \"1\"\nsha256 = \"00\"\nlicence = \"MIT\"\n\n\
                   [python.c]\nversion = \"1\"\n";
        let new = "[deb.a]\nversion = \"1\"\n\n[debian.\"a.b\"]\nversion = \"2\"\nsha256 = \"ff\"\nlicence = \"MIT\"\n\n\
                   [python.c]\nversion = \"1\"\n";
        assert_eq!(replaced(old, &now), new);
    }
}
