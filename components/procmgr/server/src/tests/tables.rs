//! Full tables, ids that go round, and components that refuse.

use lsyscall_abi::signal::SIGKILL;
use lsyscall_abi::Errno;

use super::driver::{nr, System, INIT, SLOTS};
use crate::tables::PID_MAX;

const EAGAIN: i64 = Errno::EAGAIN.to_result();

fn no_fork(system: &mut System, errno: i64) {
    assert_eq!(system.ask(INIT, nr::CLONE, &[17, 0, 0, 0, 0]), errno);
    assert!(system.world(|w| w.failing.is_empty()));
    system.check();
}

#[test]
fn full_tables_refuse_and_leak_nothing() {
    let mut system = System::new();
    let children: Vec<_> = (1..SLOTS).map(|_| system.fork(INIT)).collect();
    no_fork(&mut system, EAGAIN);
    // Zombies keep their process slots, not their threads'.
    let pids: Vec<i64> = children.iter().map(|&t| system.pid(t)).collect();
    for &pid in &pids {
        assert_eq!(system.kill(pid, SIGKILL), 0);
    }
    no_fork(&mut system, EAGAIN);
    let thread = [0x1_0f00, 0x40_2000, 0, 0, 0];
    let other = system.clone_with(INIT, &thread);
    system.call(other, nr::EXIT, &[0]);
    for _ in pids {
        assert!(system.wait(INIT, -1, 0).0 > 0);
    }
    system.check_empty();
    let child = system.fork(INIT);
    assert_eq!(system.ask(child, nr::GETPPID, &[]), 1);
}

#[test]
fn refusals_from_below_leak_nothing() {
    let mut system = System::new();
    let enomem = Errno::ENOMEM.to_result();
    for failing in ["prepare", "mm_fork", "attach", "set_space", "clone_thread"] {
        system.world(|w| w.failing.push(failing));
        no_fork(&mut system, enomem);
        system.check_empty();
        if failing != "mm_fork" {
            system.world(|w| w.failing.push(failing));
            let args = [0x1_0f00, 0x40_2000, 0, 0, 0];
            assert_eq!(system.ask(INIT, nr::CLONE, &args), enomem);
            system.check_empty();
        }
    }
    let einval = Errno::EINVAL.to_result();
    for flags in [0x1_0000, 0x800, 0x1_4f00, 0x1000_0000, 0x2000] {
        let got = system.ask(INIT, nr::CLONE, &[flags, 0x40_2000, 0, 0, 0]);
        assert!(got == einval || flags == 0x2000, "{flags:#x}: {got}");
    }
}

#[test]
fn descriptors_of_processes_come_with_clone_and_hear_of_the_end() {
    const PIDFD: u64 = 0x1000 | 17;
    const AT: u64 = 0x40_1000;
    let mut system = System::new();
    // No descriptor, or no place to tell it: no process either.
    system.world(|w| w.failing.push("pidfd_open"));
    let enomem = Errno::ENOMEM.to_result();
    let args = [PIDFD, 0, AT, 0, 0];
    assert_eq!(system.ask(INIT, nr::CLONE, &args), enomem);
    system.check_empty();
    let efault = Errno::EFAULT.to_result();
    assert_eq!(system.ask(INIT, nr::CLONE, &[PIDFD, 0, 16, 0, 0]), efault);
    system.check_empty();
    let child = system.clone_with(INIT, &args);
    let serial = system.world(|w| w.pidfds.last().unwrap().serial);
    system.call(child, nr::EXIT, &[0]);
    assert_eq!(system.world(|w| w.ended.clone()), [serial]);
    assert!(system.wait(INIT, -1, 0).0 > 0);
    system.check_empty();
}

#[test]
fn ids_go_round_and_avoid_those_in_use() {
    let mut system = System::new();
    let group = system.fork(INIT);
    assert_eq!(system.ask(group, nr::SETPGID, &[0, 0]), 0);
    let member = system.fork(group);
    assert_eq!(system.pid(member), 3);
    system.call(group, nr::EXIT, &[0]);
    assert_eq!(system.wait(INIT, 2, 0), (2, 0));
    system.server.last_pid = PID_MAX - 2;
    let last = system.fork(INIT);
    assert_eq!(system.pid(last), i64::from(PID_MAX) - 1);
    let low = system.fork(INIT);
    assert_eq!(system.pid(low), 300);
    system.server.last_pid = 299;
    let next = system.fork(INIT);
    assert_eq!(system.pid(next), 301);
    // The group of a process that has gone keeps its id.
    system.server.last_pid = 1;
    let next = system.fork(INIT);
    assert_eq!(system.pid(next), 4);
    assert_eq!(system.entry(3).unwrap().pgid, 2);
}

#[test]
fn users_have_a_limit_of_processes() {
    let mut system = System::new();
    let t = system.fork(INIT);
    system.poke_words(t, 0x40_1000, &[2, 2]);
    assert_eq!(system.ask(t, nr::PRLIMIT, &[0, 6, 0x40_1000, 0]), 0);
    assert_eq!(system.ask(t, nr::SETUID, &[7]), 0);
    let child = system.fork(t);
    assert_eq!(system.ask(t, nr::CLONE, &[17, 0, 0, 0, 0]), EAGAIN);
    system.call(child, nr::EXIT, &[0]);
    let _ = system.fork(t);
    // Limits travel to fsmgr, and are inherited.
    system.poke_words(INIT, 0x40_1000, &[64, 128]);
    assert_eq!(system.ask(INIT, nr::PRLIMIT, &[2, 7, 0x40_1000, 0]), 0);
    assert_eq!(system.world(|w| w.nofile[&t.0]), 64);
    let eperm = Errno::EPERM.to_result();
    system.poke_words(t, 0x40_1000, &[64, 256]);
    assert_eq!(system.ask(t, nr::PRLIMIT, &[0, 7, 0x40_1000, 0]), eperm);
    assert_eq!(system.ask(t, nr::PRLIMIT, &[1, 7, 0, 0x40_1000]), eperm);
}
