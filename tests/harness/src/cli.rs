//! What `cargo xtask run` promises: output, statuses, streams, and each of its flags. One boot a case.

use crate::persona::TIMED_OUT;
use crate::programs::Programs;
use crate::report::Report;
use crate::runner::{End, Outcome, RunSpec, Runner};
use anyhow::{Context as _, Result};
use std::fs;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

type Check = std::result::Result<(), String>;

/// Runs the wanted cases.
pub fn run(runner: &dyn Runner, programs: &Programs, report: &mut Report) -> Result<()> {
    let work = tempfile::tempdir().context("making a temporary folder")?;
    for case in cases(programs, work.path())? {
        let name = format!("run/{}", case.name);
        if !report.wants(&name) || (case.persona_only && runner.command(&case.spec).is_none()) {
            continue;
        }
        let outcome = runner.run(&case.spec)?;
        let found = (case.check)(&outcome).map_err(|why| match outcome.complaint() {
            complaint if complaint.is_empty() => why,
            complaint => format!("{why}; it said: {complaint}"),
        });
        report.check(&name, found);
    }
    for signal in ["INT", "TERM", "KILL"] {
        let name = format!("run/no_emulator_left_after_SIG{signal}");
        if report.wants(&name) {
            if let Some(command) =
                runner.command(&RunSpec::sh("echo started; sleep 100").seconds(60))
            {
                report.check(&name, interrupted(command, signal)?);
            }
        }
    }
    Ok(())
}

struct Case {
    name: &'static str,
    spec: RunSpec,
    persona_only: bool,
    check: Box<dyn Fn(&Outcome) -> Check>,
}

/// The end and the whole output must be these.
fn gives(end: i32, stdout: &str) -> Box<dyn Fn(&Outcome) -> Check> {
    gives_bytes(end, stdout.as_bytes().to_vec())
}

fn gives_bytes(end: i32, stdout: Vec<u8>) -> Box<dyn Fn(&Outcome) -> Check> {
    Box::new(move |outcome| {
        ends(outcome, end)?;
        if outcome.stdout == stdout {
            return Ok(());
        }
        let differs = outcome
            .stdout
            .iter()
            .zip(&stdout)
            .position(|(got, want)| got != want)
            .unwrap_or_else(|| outcome.stdout.len().min(stdout.len()));
        let piece = |bytes: &[u8]| {
            let end = bytes.len().min(differs + 60);
            String::from_utf8_lossy(bytes.get(differs..end).unwrap_or_default()).into_owned()
        };
        Err(format!(
            "the output ({} bytes, wanted {}) differs at byte {differs}: {:?}, not {:?}",
            outcome.stdout.len(),
            stdout.len(),
            piece(&outcome.stdout),
            piece(&stdout)
        ))
    })
}

fn ends(outcome: &Outcome, status: i32) -> Check {
    if outcome.end == End::Status(status) {
        Ok(())
    } else {
        let text = outcome.text();
        let from = text.len().saturating_sub(200);
        let tail = text.get(from..).unwrap_or(&text);
        Err(format!(
            "{} instead of status {status}, output ends {tail:?}",
            outcome.end
        ))
    }
}

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

/// The script of the project's first goal, without its last line (the time).
const SHOWN: &str = "for i in $(seq 1 200); do echo $i; done | grep 7 | sort -rn | head -3; ls -l /bin | wc -l >/tmp/n; \
    test $(cat /tmp/n) -gt 50 && echo many; cat /proc/self/status | head -1; \
    dd if=/dev/zero bs=64k count=64 2>/dev/null | md5sum; sleep 1; date +%Y >/tmp/y; test $(cat /tmp/y) -ge 2025 && echo now";

fn cases(programs: &Programs, work: &Path) -> Result<Vec<Case>> {
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

    let mut persona = |name, spec: RunSpec, check| {
        list.push(Case {
            name,
            spec,
            persona_only: true,
            check,
        });
    };
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

/// Starts the command, interrupts it once its program runs, and looks for what is left of it.
fn interrupted(mut command: Command, signal: &str) -> Result<Check> {
    use std::io::Read;
    use std::os::unix::process::CommandExt;
    use std::process::Stdio;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .context("starting xtask")?;
    let mut first = [0; 8];
    let started = child
        .stdout
        .take()
        .is_some_and(|mut out| out.read_exact(&mut first).is_ok());
    let family = descendants(child.id());
    // Only the command itself gets the signal, not its group: what it started is its own duty.
    Command::new("kill")
        .args(["-s", signal, &child.id().to_string()])
        .status()
        .context("starting kill")?;
    let end = Instant::now() + Duration::from_secs(5);
    let mut ended = false;
    let mut left = family.clone();
    while Instant::now() < end {
        ended = ended || child.try_wait()?.is_some();
        left.retain(|&pid| alive(pid));
        if ended && left.is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    if !ended {
        child.kill()?;
        child.wait()?;
    }
    Ok(if !started {
        Err("the program did not start".to_owned())
    } else if family.is_empty() {
        Err("the command had no emulator running".to_owned())
    } else if !ended {
        Err(format!("the command survives SIG{signal}"))
    } else if left.is_empty() {
        Ok(())
    } else {
        Err(format!("{} processes of it are left", left.len()))
    })
}

/// The parent and the state of a process.
fn stat(pid: u32) -> Option<(u32, char)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(") ")?;
    let mut words = rest.split_whitespace();
    let state = words.next()?.chars().next()?;
    Some((words.next()?.parse().ok()?, state))
}

fn alive(pid: u32) -> bool {
    stat(pid).is_some_and(|(_, state)| state != 'Z')
}

fn descendants(of: u32) -> Vec<u32> {
    let all: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_string_lossy().parse().ok())
        .filter_map(|pid| Some((pid, stat(pid)?.0)))
        .collect();
    let mut found = vec![of];
    let mut at = 0;
    while let Some(&parent) = found.get(at) {
        found.extend(
            all.iter()
                .filter(|(_, up)| *up == parent)
                .map(|(pid, _)| *pid),
        );
        at += 1;
    }
    found.retain(|&pid| pid != of);
    found
}
