//! The list of cases.

use super::{ends, gives, gives_bytes, Case};
use crate::persona::TIMED_OUT;
use crate::programs::Programs;
use crate::runner::{Outcome, RunSpec};
use anyhow::{Context as _, Result as AnyResult};
use std::fs;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Bytes without a pattern that would hide a lost piece, every value among them.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x1234_5678_9abc_def1_u64;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .collect()
}

/// Every case of the ABI tests that was run must have passed.
fn all_pass(outcome: &Outcome) -> Result<(), String> {
    ends(outcome, 0)?;
    let text = outcome.text();
    let failed: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("FAIL ") || line.starts_with("SKIP "))
        .collect();
    if !text.contains("DONE ") {
        let last = text.lines().last().unwrap_or_default();
        Err(format!(
            "it did not come to its end, the last line is {last:?}"
        ))
    } else if !text.contains("PASS ") {
        Err("no case was run".to_owned())
    } else if failed.is_empty() {
        Ok(())
    } else {
        Err(failed.join("; "))
    }
}

/// The script of the project's first goal, without its last line (the time).
const SHOWN: &str = "for i in $(seq 1 200); do echo $i; done | grep 7 | sort -rn | head -3; ls -l /bin | wc -l >/tmp/n; \
    test $(cat /tmp/n) -gt 50 && echo many; cat /proc/self/status | head -1; \
    dd if=/dev/zero bs=64k count=64 2>/dev/null | md5sum; sleep 1; date +%Y >/tmp/y; test $(cat /tmp/y) -ge 2025 && echo now";

/// All of them; `work` is a folder for the files they need.
pub fn cases(programs: &Programs, work: &Path) -> AnyResult<Vec<Case>> {
    let mut list = Vec::new();
    let mut case = |name, spec: RunSpec, check| {
        list.push(Case {
            name,
            spec,
            persona_only: false,
            check,
        });
    };

    case(
        "echo_hello",
        RunSpec::new(["busybox", "echo", "hello"]),
        gives(0, "hello\n"),
    );
    case("exit_status", RunSpec::sh("exit 7"), gives(7, ""));
    case("exit_status_255", RunSpec::sh("exit 255"), gives(255, ""));
    case(
        "killed_by_SEGV",
        RunSpec::sh("kill -SEGV $$"),
        gives(139, ""),
    );
    case(
        "killed_by_KILL",
        RunSpec::sh("kill -KILL $$"),
        gives(137, ""),
    );
    case(
        "killed_by_TERM",
        RunSpec::sh("echo x; kill -TERM $$; sleep 5"),
        gives(143, "x\n"),
    );
    case(
        "shown_script",
        RunSpec::sh(SHOWN),
        gives(
            0,
            "197\n187\n179\nmany\nName:\tcat\nb5cfa9d6c8febd618f91ac2843d50a1c  -\nnow\n",
        ),
    );
    case(
        "stderr_is_output_too",
        RunSpec::sh("echo a; echo b >&2; echo c"),
        gives(0, "a\nb\nc\n"),
    );
    case(
        "output_without_line_end",
        RunSpec::sh("printf 'no line end'"),
        gives(0, "no line end"),
    );
    case("no_output", RunSpec::new(["true"]), gives(0, ""));
    case("false", RunSpec::new(["false"]), gives(1, ""));

    let bytes = noise(1 << 20);
    case(
        "stdin_of_1_MiB_comes_back",
        RunSpec::new(["cat"]).stdin(bytes.clone()).seconds(60),
        gives_bytes(0, bytes),
    );
    case(
        "stdin_lines",
        RunSpec::sh("read a; read b; echo $b $a; cat; echo end").stdin("one\ntwo\nthree\n"),
        gives(0, "two one\nthree\nend\n"),
    );
    case(
        "stdin_empty",
        RunSpec::sh("wc -c; echo $?"),
        gives(0, "0\n0\n"),
    );
    case(
        "stdin_not_read",
        RunSpec::sh("echo done").stdin(vec![b'x'; 300_000]),
        gives(0, "done\n"),
    );
    case(
        "stdin_script",
        RunSpec::new(["sh"]).stdin("echo $((6*7))\nexit 5\n"),
        gives(5, "42\n"),
    );

    let many: String = (1..=30_000).map(|n| format!("{n}\n")).collect();
    case(
        "long_output",
        RunSpec::new(["seq", "1", "30000"]).seconds(60),
        gives(0, &many),
    );
    case(
        "background_process_does_not_hold_the_end",
        RunSpec::sh("sleep 100 & echo over").seconds(20),
        gives(0, "over\n"),
    );
    case(
        "arguments_are_exact",
        RunSpec::new([
            "sh",
            "-c",
            "for a; do echo \"<$a>\"; done",
            "sh",
            "",
            "a b",
            "c\td",
            "%41",
            "k=v",
            "\"q\"",
            "ü",
        ]),
        gives(0, "<>\n<a b>\n<c\td>\n<%41>\n<k=v>\n<\"q\">\n<ü>\n"),
    );
    case(
        "env",
        RunSpec::sh("echo \"$ONE|$TWO|$PATH\" | cut -d: -f1")
            .env("ONE", "1 and a half")
            .env("TWO", "a=b")
            .env("PATH", "/bin:/x"),
        gives(0, "1 and a half|a=b|/bin\n"),
    );
    let mut spec = RunSpec::sh("pwd; cd ..; pwd");
    spec.cwd = Some("/tmp".to_owned());
    case("cwd", spec, gives(0, "/tmp\n/\n"));

    let data = work.join("data");
    fs::write(&data, noise(10_000))?;
    let script = work.join("script");
    fs::write(&script, "#!/bin/sh\necho \"added $1\"; wc -c </opt/deep/data; test -x /opt/deep/data || echo plain\n")?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    fs::set_permissions(&data, fs::Permissions::from_mode(0o640))?;
    case(
        "add",
        RunSpec::new(["added", "one"])
            .add(&script, "/bin/added")
            .add(&data, "/opt/deep/data"),
        gives(0, "added one\n10000\nplain\n"),
    );
    case(
        "add_replaces",
        RunSpec::sh("cat /etc/passwd | head -1").add(&script, "/etc/passwd"),
        gives(0, "#!/bin/sh\n"),
    );

    let tree = work.join("tree");
    fs::create_dir_all(tree.join("etc/own/deep"))?;
    fs::write(tree.join("etc/own/file"), "in the tree\n")?;
    fs::set_permissions(tree.join("etc/own/file"), fs::Permissions::from_mode(0o604))?;
    fs::set_permissions(tree.join("etc/own/deep"), fs::Permissions::from_mode(0o711))?;
    fs::write(tree.join("etc/own/setuid"), "")?;
    fs::set_permissions(
        tree.join("etc/own/setuid"),
        fs::Permissions::from_mode(0o4755),
    )?;
    symlink("file", tree.join("etc/own/link"))?;
    let mut spec = RunSpec::sh("cd /etc/own; cat link; readlink link; stat -c '%a %F' file deep setuid link; ls /bin/busybox");
    spec.rootfs.push(tree.clone());
    case(
        "rootfs_folder",
        spec,
        gives(
            0,
            "in the tree\nfile\n604 regular file\n711 directory\n4755 regular empty file\n777 symbolic link\n/bin/busybox\n",
        ),
    );
    case(
        "static_pie",
        RunSpec::new([
            "/tests/abi-pie",
            "exec.aux",
            "exec.argu",
            "fork.data",
            "regs.tls",
        ])
        .add(&programs.abi_pie, "/tests/abi-pie"),
        Box::new(|outcome| {
            ends(outcome, 0)?;
            let text = outcome.text();
            let passes = text
                .lines()
                .filter(|line| line.starts_with("PASS "))
                .count();
            if passes == 4 {
                Ok(())
            } else {
                Err(format!("{passes} of 4 cases passed: {text:?}"))
            }
        }),
    );

    let mut spec = RunSpec::new(["/tests/abi", "exhaust."])
        .add(&programs.abi, "/tests/abi")
        .seconds(240);
    spec.mem = Some("192M".to_owned());
    case("survives_what_runs_out", spec, Box::new(all_pass));

    let mut persona = |name, spec: RunSpec, check| {
        list.push(Case {
            name,
            spec,
            persona_only: true,
            check,
        });
    };
    persona(
        "nothing_else_is_said",
        RunSpec::sh("echo hello; echo trouble >&2"),
        Box::new(|outcome| {
            gives(0, "hello\ntrouble\n")(outcome)?;
            if outcome.stderr.is_empty() {
                Ok(())
            } else {
                Err("something is said beside the program's output".to_owned())
            }
        }),
    );
    persona(
        "verbose_is_beside_the_output",
        RunSpec::sh("echo hello").flags(&["-v"]),
        Box::new(|outcome| {
            gives(0, "hello\n")(outcome)?;
            if outcome.stderr.is_empty() {
                Err("nothing is said".to_owned())
            } else {
                Ok(())
            }
        }),
    );
    persona(
        "no_such_program",
        RunSpec::new(["no-such-program"]),
        gives(127, ""),
    );
    persona(
        "no_program_at_all",
        RunSpec::new(["/etc/passwd"]),
        gives(126, ""),
    );
    persona(
        "trace",
        RunSpec::sh("echo traced").flags(&["--trace"]),
        Box::new(|outcome| {
            gives(0, "traced\n")(outcome)?;
            let text = String::from_utf8_lossy(&outcome.stderr);
            if text.contains("write(1, \"traced\\n\"") {
                Ok(())
            } else {
                Err("the trace does not show the write".to_owned())
            }
        }),
    );
    persona(
        "entered_at_el2",
        RunSpec::sh("echo hello").flags(&["--qemu-arg=-machine", "--qemu-arg=virtualization=on"]),
        gives(0, "hello\n"),
    );
    for (name, cpu) in [("cpu_cortex_a72", "cortex-a72"), ("cpu_max", "max")] {
        persona(
            name,
            RunSpec::sh("echo hello").flags(&["--cpu", cpu]),
            gives(0, "hello\n"),
        );
    }
    let archive = work.join("tree.tar");
    let status = Command::new("tar")
        .args(["--owner=123", "--group=456", "-cf"])
        .arg(&archive)
        .arg("-C")
        .arg(&tree)
        .arg("etc")
        .status()
        .context("starting tar")?;
    if status.success() {
        let mut spec =
            RunSpec::sh("cd /etc/own; cat link; stat -c '%a %u %g' file deep; stat -c %N link");
        spec.rootfs.push(archive);
        persona(
            "rootfs_tar",
            spec,
            gives(
                0,
                "in the tree\n604 123 456\n711 123 456\n'link' -> 'file'\n",
            ),
        );
    }
    persona(
        "timeout",
        RunSpec::sh("echo waiting; sleep 100").seconds(4),
        Box::new(|outcome| {
            gives(TIMED_OUT, "waiting\n")(outcome)?;
            if outcome.wall > Duration::from_secs(15) {
                return Err(format!("it took {:?}", outcome.wall));
            }
            Ok(())
        }),
    );
    for (name, mem, least, most) in [
        ("memory_of_32M", "32M", 15_000, 32_768),
        ("memory_of_2G", "2G", 1_800_000, 2_097_152),
    ] {
        let mut spec = RunSpec::sh("grep MemTotal /proc/meminfo");
        spec.mem = Some(mem.to_owned());
        persona(
            name,
            spec,
            Box::new(move |outcome: &Outcome| {
                ends(outcome, 0)?;
                let text = outcome.text();
                match text
                    .split_whitespace()
                    .nth(1)
                    .and_then(|kib| kib.parse::<u64>().ok())
                {
                    Some(kib) if (least..=most).contains(&kib) => Ok(()),
                    _ => Err(format!("{text:?}")),
                }
            }),
        );
    }
    Ok(list)
}
