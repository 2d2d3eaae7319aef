//! One program on Debian's kernel, to see what Linux says: `on-debian KERNEL ROOTFS.cpio [--add SRC:DEST]... PROGRAM...`,
//! from the repository's root. `cargo xtask test --reference` leaves the two files in `target/`.
use persona_harness::{DebianLinux, Reference, RunSpec, Runner};
use std::io::Write;
use std::path::PathBuf;

fn main() -> anyhow::Result<()> {
    let mut words = std::env::args().skip(1).peekable();
    let mut next = || {
        words
            .next()
            .ok_or_else(|| anyhow::anyhow!("too few arguments"))
    };
    let reference = Reference {
        layered: Vec::new(),
        kernel: PathBuf::from(next()?),
        rootfs: PathBuf::from(next()?),
        label: String::new(),
        env: [
            ("PATH", "/bin:/sbin:/usr/bin:/usr/sbin"),
            ("HOME", "/root"),
            ("USER", "root"),
            ("SHELL", "/bin/sh"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
    };
    let mut add = Vec::new();
    while words.next_if(|word| word == "--add").is_some() {
        let word = words.next().unwrap_or_default();
        if let Some((from, to)) = word.split_once(':') {
            add.push((PathBuf::from(from), to.to_owned()));
        }
    }
    let mut spec = RunSpec::new(words).seconds(600);
    spec.add = add;
    let target = std::env::current_dir()?.join("target");
    let linux = DebianLinux::new(&reference, &target.join("tests/reference-init"), &target)?;
    let outcome = linux.run_with(&spec, &mut |bytes| {
        // Nobody is left to tell when the output is gone.
        let _ = std::io::stdout().write_all(bytes);
    })?;
    println!("[{}]", outcome.end);
    Ok(())
}
