//! Debian source packages: fetched by apt, checked against the repository's list, unpacked.

use crate::apt::Apt;
use crate::artefacts::{Source, LIST};
use crate::context::Context;
use crate::fetch::fresh_folder;
use crate::process::{run, say, text};
use crate::stamp::{sha256_file, Key, Stamp};
use anyhow::{bail, Context as _, Result};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Gives the folder in which the package's archives are unpacked side by side.
pub fn fetch(context: &Context, source: &Source) -> Result<PathBuf> {
    let folder = context.sources().join(source.folder());
    let mut key = Key::new().add(&source.package).add(&source.version);
    for (name, sha256) in &source.archives {
        key = key.add(name).add(sha256);
    }
    let stamp = Stamp::new(folder.join(".persona-stamp"), key.finish());
    if stamp.fresh() {
        return Ok(folder);
    }
    let _lock = context.lock("source")?;
    if stamp.fresh() {
        return Ok(folder);
    }
    say(format!(
        "fetching the source of Debian package {} {}",
        source.package, source.version
    ));
    let downloads = download(context, source)?;
    for (name, recorded) in &source.archives {
        let found = sha256_file(&downloads.join(name))?;
        if found != *recorded {
            bail!(
                "{name} of {} {} is not the file recorded in {LIST}:\n  recorded sha256 {recorded}\n  fetched sha256  \
                 {found}\nNothing was unpacked.",
                source.package,
                source.version
            );
        }
    }
    fresh_folder(&folder)?;
    for name in source.archives.keys() {
        run(Command::new("tar")
            .arg("-xf")
            .arg(downloads.join(name))
            // Whoever unpacks owns the files, as with every other user's archive.
            .arg("--no-same-owner")
            .arg("-C")
            .arg(&folder))?;
    }
    stamp.set()?;
    Ok(folder)
}

/// Downloads the package's files and gives the folder they are in.
fn download(context: &Context, source: &Source) -> Result<PathBuf> {
    let apt = Apt::new(context)?;
    let folder = context.target.join("apt/source");
    for part in ["state/lists/partial", "parts"] {
        fs::create_dir_all(folder.join(part))?;
    }
    fs::write(folder.join("state/status"), "")?;
    source_lists(&apt, &folder.join("parts"))?;
    let files = folder.join("download");
    fresh_folder(&files)?;
    // A state of its own again: the lists of sources would be thrown away by the next update of the binaries' lists.
    let command = |arguments: &[&str]| {
        let mut command = apt.command("apt-get");
        for (name, value) in [
            ("Dir::State", folder.join("state")),
            ("Dir::State::status", folder.join("state/status")),
            ("Dir::Etc::sourcelist", PathBuf::from("/dev/null")),
            ("Dir::Etc::sourceparts", folder.join("parts")),
        ] {
            command
                .arg("-o")
                .arg(format!("{name}={}", value.to_string_lossy()));
        }
        command.current_dir(&files).arg("-q").args(arguments);
        command
    };
    let wanted = format!("{}={}", source.package, source.version);
    let arguments = ["source", "--download-only", &wanted];
    // Lists of an earlier run may know it; if not, they are fetched once.
    if run(&mut command(&arguments)).is_err() {
        run(&mut command(&["update"]))?;
        run(&mut command(&arguments)).with_context(|| {
            format!(
                "Debian's archive does not give the source of {} {}; if the version was superseded, record the new \
                 one's version and hashes in {LIST}",
                source.package, source.version
            )
        })?;
    }
    Ok(files)
}

/// The machine's own entries of Debian's archive, asking for sources instead of binaries.
fn source_lists(apt: &Apt, folder: &Path) -> Result<()> {
    let ask = || {
        text(apt.command("apt-get").args([
            "indextargets",
            "--format",
            "$(SOURCESENTRY)",
            "Origin: Debian",
        ]))
    };
    let mut entries = ask()?;
    if entries.is_empty() {
        // What an archive's origin is, its lists say.
        run(apt.command("apt-get").args(["-q", "update"]))?;
        entries = ask()?;
    }
    let files: BTreeSet<&str> = entries
        .lines()
        .filter_map(|line| Some(line.rsplit_once(':')?.0))
        .collect();
    if files.is_empty() {
        bail!("apt knows no archive of Debian's; /etc/apt/sources.list.d should name one");
    }
    for (number, file) in files.into_iter().enumerate() {
        let text = fs::read_to_string(file).with_context(|| format!("reading {file}"))?;
        let extension = if file.ends_with(".sources") {
            "sources"
        } else {
            "list"
        };
        fs::write(
            folder.join(format!("{number}.{extension}")),
            for_sources(&text),
        )?;
    }
    Ok(())
}

/// A list of archives of binaries as one of sources, in either of apt's two formats.
fn for_sources(text: &str) -> String {
    text.lines()
        .map(|line| {
            if line.starts_with("Types:") {
                "Types: deb-src\n".to_owned()
            } else if let Some(rest) = line.strip_prefix("deb ") {
                format!("deb-src {rest}\n")
            } else if line.starts_with("deb-src ") {
                String::new()
            } else {
                format!("{line}\n")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::for_sources;

    #[test]
    fn both_formats_ask_for_sources() {
        assert_eq!(
            for_sources("Types: deb\nURIs: http://archive\nSuites: stable\n"),
            "Types: deb-src\nURIs: http://archive\nSuites: stable\n"
        );
        assert_eq!(
            for_sources("# no\ndeb [signed-by=/k] http://archive stable main\ndeb-src http://archive stable main\n"),
            "# no\ndeb-src [signed-by=/k] http://archive stable main\n"
        );
    }
}
