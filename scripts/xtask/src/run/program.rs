//! Which program runs first, with which arguments and environment.

use super::{RunArgs, NOT_EXECUTABLE, NOT_FOUND};
use image_packer::tree::{Found, Tree};

/// Where programs are looked for, in the guest and here.
const PATH: &str = "/bin:/sbin:/usr/bin:/usr/sbin";

/// The first process's program.
#[derive(Debug, PartialEq, Eq)]
pub struct Program {
    /// Its absolute path.
    pub path: String,
    /// Its arguments, the zeroth included.
    pub argv: Vec<String>,
    /// Its environment.
    pub env: Vec<(String, String)>,
}

/// Why there is none.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// For the user.
    pub text: String,
    /// The status to exit with, as a shell would.
    pub status: u8,
}

/// The environment every program gets, before `--env`.
pub fn environment(tty: bool) -> Vec<(String, String)> {
    let mut env: Vec<(String, String)> = [
        ("PATH", PATH),
        ("HOME", "/root"),
        ("USER", "root"),
        ("SHELL", "/bin/sh"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    if tty {
        env.push((
            "TERM".into(),
            std::env::var("TERM").unwrap_or_else(|_| "linux".into()),
        ));
    }
    env
}

/// Finds the program in the root file system; a login shell if none is named.
pub fn choose(tree: &Tree, options: &RunArgs, tty: bool) -> Result<Program, Refusal> {
    let (name, argv) = match options.program.first() {
        Some(name) => (name.as_str(), options.program.clone()),
        // The dash makes it a login shell, which reads /etc/profile.
        None => ("/bin/sh", vec![if tty { "-sh" } else { "sh" }.to_owned()]),
    };
    let mut env = environment(tty);
    for (name, value) in &options.env {
        env.retain(|(known, _)| known != name);
        env.push((name.clone(), value.clone()));
    }
    let path = env
        .iter()
        .find(|(name, _)| name == "PATH")
        .map_or("", |(_, value)| value.as_str());
    match tree.find_program(name, path, &options.cwd) {
        Found::Program(path) => Ok(Program { path, argv, env }),
        Found::NotExecutable => Err(Refusal {
            text: format!("{name}: not an executable file in the guest"),
            status: NOT_EXECUTABLE,
        }),
        Found::Missing => Err(Refusal {
            text: format!("{name}: not found in the guest"),
            status: NOT_FOUND,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use image_packer::tree::{Kind, Node};

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        run: RunArgs,
    }

    fn options(line: &str) -> RunArgs {
        Cli::parse_from(format!("run {line}").split_whitespace()).run
    }

    fn tree() -> Tree {
        let mut tree = Tree::new();
        tree.put("bin/busybox", Node::new(Kind::File(Vec::new()), 0o755))
            .unwrap();
        tree.put("bin/sh", Node::new(Kind::Symlink("busybox".into()), 0o777))
            .unwrap();
        tree.put("etc/passwd", Node::new(Kind::File(Vec::new()), 0o644))
            .unwrap();
        tree
    }

    #[test]
    fn a_named_program_keeps_its_name() {
        let program = choose(
            &tree(),
            &options("--env HOME=/ --env A=b -- busybox echo -n hi"),
            false,
        )
        .unwrap();
        assert_eq!(program.path, "/bin/busybox");
        assert_eq!(program.argv, ["busybox", "echo", "-n", "hi"]);
        assert!(program.env.contains(&("HOME".into(), "/".into())));
        assert_eq!(
            program
                .env
                .iter()
                .filter(|(name, _)| name == "HOME")
                .count(),
            1
        );
        assert!(!program.env.iter().any(|(name, _)| name == "TERM"));
    }

    #[test]
    fn a_login_shell_by_default() {
        assert_eq!(choose(&tree(), &options(""), true).unwrap().argv, ["-sh"]);
    }

    #[test]
    fn refusals_have_a_shells_status() {
        assert_eq!(
            choose(&tree(), &options("-- nothing"), false)
                .unwrap_err()
                .status,
            127
        );
        assert_eq!(
            choose(&tree(), &options("-- /etc/passwd"), false)
                .unwrap_err()
                .status,
            126
        );
    }

    #[test]
    fn trace_takes_classes_only_behind_an_equals_sign() {
        assert_eq!(options("--trace -- sh").trace, Some(vec!["all".to_owned()]));
        assert_eq!(
            options("--trace=fs,mm -- sh").trace,
            Some(vec!["fs".to_owned(), "mm".to_owned()])
        );
        assert_eq!(options("-- sh").trace, None);
    }
}
