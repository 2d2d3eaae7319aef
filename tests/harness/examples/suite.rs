//! The test suites without xtask around them, for work on the tests themselves:
//! `suite debian KERNEL ROOTFS.cpio LABEL [FILTER...]` or `suite XTASK SYSTEM [FILTER...]`, from the repository's root.
use persona_harness::{run_suite, Reference, SuiteOptions};
use std::collections::BTreeMap;
use std::path::PathBuf;

fn main() -> anyhow::Result<()> {
    let mut words = std::env::args().skip(1);
    let mut next = || {
        words
            .next()
            .ok_or_else(|| anyhow::anyhow!("too few arguments"))
    };
    let (what, first) = (next()?, next()?);
    let root = std::env::current_dir()?;
    let mut options = SuiteOptions {
        target: root.join("target"),
        root,
        xtask: PathBuf::from(&what),
        systems: Vec::new(),
        reference: None,
        debian_root: None,
        filter: Vec::new(),
        large: false,
        packaged: BTreeMap::new(),
    };
    if what == "debian" {
        options.reference = Some(Reference {
            kernel: PathBuf::from(first),
            rootfs: PathBuf::from(next()?),
            layered: Vec::new(),
            label: next()?,
            env: [
                ("PATH", "/bin:/sbin:/usr/bin:/usr/sbin"),
                ("HOME", "/root"),
                ("USER", "root"),
                ("SHELL", "/bin/sh"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        });
    } else {
        options.systems.push(first);
    }
    options.filter = words.collect();
    let summary = run_suite(&options)?;
    println!(
        "{} passed, {} failed, {} skipped",
        summary.passed, summary.failed, summary.skipped
    );
    Ok(())
}
