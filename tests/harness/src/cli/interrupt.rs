//! What is left when the command is interrupted.

use super::Check;
use anyhow::{Context as _, Result};
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

/// Starts the command, interrupts it once its program runs, and looks for what is left of it.
pub fn interrupted(mut command: Command, signal: &str) -> Result<Check> {
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
