//! Birth and death of processes.

use lsyscall_abi::signal::{SIGCHLD, SIGKILL, SIGSEGV, SIGTERM, SIGUSR1};
use lsyscall_abi::Errno;

use super::driver::{nr, System, DATA, INIT, TEXT};
use super::world::Run;

const WNOHANG: u64 = 1;
const ECHILD: i64 = Errno::ECHILD.to_result();

#[test]
fn init_starts() {
    let system = System::new();
    assert_eq!(system.tid(INIT), 1);
    let regs = system.regs(INIT);
    assert_eq!((regs.pc, regs.x, regs.pstate), (TEXT, [0; 31], 0));
    assert_eq!(system.peek64(INIT, regs.sp), 2);
    assert_eq!(
        system.peek(INIT, system.peek64(INIT, regs.sp + 16), 3),
        b"-x\0"
    );
    let entry = system.entry(1).unwrap();
    assert_eq!(&entry.comm[..5], b"init\0");
    assert_eq!(entry.start_stack, regs.sp);
    assert_eq!(system.world(|w| w.nofile[&0]), 1024);
    system.check_empty();
}

#[test]
fn init_that_cannot_start_ends_the_run() {
    let system = System::with_args("init=/bin/text");
    assert_eq!(system.world(|w| w.exit), Some((2, 125)));
    assert!(system.world(|w| w.tokens.is_empty()));
    let system = System::with_args("init=/nothing");
    assert_eq!(system.world(|w| w.exit), Some((2, 125)));
}

#[test]
fn a_child_is_a_copy_and_its_end_is_waited_for() {
    let mut system = System::new();
    system.world(|w| {
        w.tcb(INIT).fp = 77;
        w.tcb(INIT).regs.x[19] = 19;
        w.tcb(INIT).regs.tpidr = 5;
    });
    system.poke(INIT, DATA, b"parent");
    let before = system.regs(INIT);
    let child = system.fork(INIT);
    let (parent, copy) = (system.regs(INIT), system.regs(child));
    assert_eq!((copy.x[0], parent.x[0]), (0, 2));
    assert_eq!(copy.pc, before.pc + 4);
    assert_eq!((copy.x[19], copy.tpidr, copy.sp), (19, 5, before.sp));
    assert_eq!(copy.x[1..], parent.x[1..]);
    assert_eq!(system.world(|w| w.tcb(child).fp), 77);
    assert_eq!(system.ask(child, nr::GETPID, &[]), 2);
    assert_eq!(system.ask(child, nr::GETPPID, &[]), 1);
    system.poke(child, DATA, b"child!");
    assert_eq!(system.peek(INIT, DATA, 6), b"parent");

    assert_eq!(system.wait(INIT, -1, WNOHANG).0, 0);
    system.call(child, nr::EXIT_GROUP, &[0x107]);
    assert_eq!(system.state(2), 'Z');
    assert_eq!(&system.entry(2).unwrap().comm[..5], b"init\0");
    assert_eq!(system.wait(INIT, -1, WNOHANG), (2, 0x700));
    assert_eq!(system.wait(INIT, -1, 0).0, ECHILD);
    system.check_empty();
}

#[test]
fn a_parked_wait_ends_with_the_child() {
    let mut system = System::new();
    let child = system.fork(INIT);
    system.call(INIT, nr::WAIT4, &[u64::MAX, DATA, 0, 0]);
    assert!(system.waits(INIT));
    assert_eq!(system.state(1), 'S');
    system.call(child, nr::EXIT, &[3]);
    assert!(system.runs(INIT));
    assert_eq!((system.x0(INIT), system.peek32(INIT, DATA)), (2, 0x300));
    assert_eq!(system.state(1), 'R');
    system.check_empty();
}

#[test]
fn waits_choose() {
    let mut system = System::new();
    let (a, b, c) = (system.fork(INIT), system.fork(INIT), system.fork(INIT));
    assert_eq!(system.ask(c, nr::SETPGID, &[0, 0]), 0);
    let (pa, pb, pc) = (2, 3, 4);
    system.call(INIT, nr::WAIT4, &[pb as u64, DATA, 0, 0]);
    system.call(a, nr::EXIT, &[0]);
    assert!(system.waits(INIT));
    assert_eq!(system.tid(b), pb);
    system.call(b, nr::EXIT, &[0]);
    assert_eq!(system.x0(INIT), pb);
    assert_eq!(system.wait(INIT, -pc, WNOHANG).0, 0);
    assert_eq!(system.wait(INIT, 0, 0), (pa, 0));
    assert_eq!(system.wait(INIT, 0, 0).0, ECHILD);
    assert_eq!(system.wait(INIT, 77, 0).0, ECHILD);
    system.call(c, nr::EXIT, &[9]);
    // waitid, leaving the child.
    let wnowait = 0x0100_0000 | 4;
    for _ in 0..2 {
        let args = [1, pc as u64, DATA, wnowait, 0];
        assert_eq!(system.ask(INIT, nr::WAITID, &args), 0);
        assert_eq!(system.peek32(INIT, DATA), SIGCHLD);
        assert_eq!(system.peek32(INIT, DATA + 8), 1);
        assert_eq!(system.peek32(INIT, DATA + 16), pc as i32);
        assert_eq!(system.peek32(INIT, DATA + 24), 9);
    }
    assert_eq!(system.wait(INIT, -pc, 0), (pc, 0x900));
    let einval = Errno::EINVAL.to_result();
    assert_eq!(system.ask(INIT, nr::WAITID, &[0, 0, DATA, 0, 0]), einval);
    assert_eq!(system.ask(INIT, nr::WAIT4, &[1, DATA, 4, 0]), einval);
    system.check_empty();
}

#[test]
fn orphans_go_to_init_or_a_subreaper() {
    let mut system = System::new();
    let parent = system.fork(INIT);
    let middle = system.fork(parent);
    let orphan = system.fork(middle);
    let zombie = system.fork(middle);
    assert_eq!(system.ask(parent, nr::PRCTL, &[36, 1]), 0);
    let (p, o, z) = (system.pid(parent), system.pid(orphan), system.pid(zombie));
    system.call(zombie, nr::EXIT, &[1]);
    assert_eq!(system.state(z), 'Z');
    system.call(middle, nr::EXIT, &[0]);
    assert_eq!(system.ask(orphan, nr::GETPPID, &[]), p);
    system.call(parent, nr::EXIT, &[0]);
    assert_eq!(system.ask(orphan, nr::GETPPID, &[]), 1);
    for _ in 0..3 {
        assert!(system.wait(INIT, -1, 0).0 > 1);
    }
    system.call(orphan, nr::EXIT, &[0]);
    assert_eq!(system.wait(INIT, -1, 0), (o, 0));
    system.check_empty();
}

#[test]
fn nobody_wants_to_know() {
    for (handler, flags) in [(1, 0), (0, 2)] {
        let mut system = System::new();
        system.handle(INIT, SIGCHLD, handler, flags, 0);
        let (a, b) = (system.fork(INIT), system.fork(INIT));
        system.call(INIT, nr::WAIT4, &[u64::MAX, DATA, 0, 0]);
        system.call(a, nr::EXIT, &[1]);
        assert!(system.waits(INIT), "one is left");
        assert!(system.entry(2).is_none());
        system.call(b, nr::EXIT, &[1]);
        assert_eq!(system.x0(INIT), ECHILD);
        system.check_empty();
    }
}

#[test]
fn an_inherited_zombie_of_nobody_vanishes() {
    let mut system = System::new();
    system.handle(INIT, SIGCHLD, 1, 0, 0);
    let parent = system.fork(INIT);
    system.handle(parent, SIGCHLD, 0, 0, 0);
    let child = system.fork(parent);
    system.call(child, nr::EXIT, &[1]);
    assert_eq!(system.state(3), 'Z');
    system.call(parent, nr::EXIT, &[1]);
    system.check_empty();
}

#[test]
fn death_of_a_parent_is_told() {
    let mut system = System::new();
    let mut line = vec![system.fork(INIT)];
    while line.len() < 12 {
        let last = *line.last().unwrap();
        let next = system.fork(last);
        assert_eq!(system.ask(next, nr::PRCTL, &[1, SIGKILL as u64]), 0);
        line.push(next);
    }
    system.call(line[0], nr::EXIT, &[0]);
    for _ in &line {
        assert!(system.wait(INIT, -1, WNOHANG).0 > 0);
    }
    system.check_empty();
}

#[test]
fn killed_children_say_by_what() {
    let mut system = System::new();
    for signal in [SIGKILL, SIGTERM, SIGSEGV] {
        let child = system.fork(INIT);
        let pid = system.pid(child);
        assert_eq!(system.kill(pid, signal), 0);
        assert_eq!(system.run(child), Run::Halted);
        assert_eq!(system.kill(pid, 0), 0, "a zombie is there");
        assert_eq!(system.wait(INIT, pid, 0), (pid, signal));
        assert_eq!(system.kill(pid, 0), Errno::ESRCH.to_result());
    }
    system.check_empty();
}

#[test]
fn the_end_of_init_is_the_end() {
    let mut system = System::new();
    let child = system.fork(INIT);
    let grandchild = system.fork(child);
    system.call(grandchild, nr::WAIT4, &[u64::MAX, 0, 0, 0]);
    system.issue(INIT, nr::EXIT_GROUP, &[42]);
    assert_eq!(system.world(|w| w.exit), Some((0, 42)));
    for t in [INIT, child, grandchild] {
        assert_eq!(system.run(t), Run::Halted);
    }
    assert!(system.world(|w| w.mms.is_empty() && w.vspaces.is_empty()));
}

#[test]
fn reboot_is_for_root() {
    let mut system = System::new();
    let child = system.fork(INIT);
    assert_eq!(system.ask(child, nr::SETUID, &[5]), 0);
    let args = [0xfee1_dead, 672_274_793, 0x4321_fedc, 0];
    assert_eq!(
        system.ask(child, nr::REBOOT, &args),
        Errno::EPERM.to_result()
    );
    system.issue(INIT, nr::REBOOT, &args);
    assert_eq!(system.world(|w| w.exit), Some((0, 0)));
    assert_eq!(system.run(child), Run::Halted);
}

#[test]
fn vfork_waits_for_exec_or_exit() {
    const HANDLER: u64 = 0x40_0800;
    const VFORK_VM: u64 = 0x4000 | 0x100 | 17;
    let mut system = System::new();
    system.world(|w| w.tcb(INIT).fp = 3);
    let before = system.regs(INIT);
    system.call(INIT, nr::CLONE, &[VFORK_VM, 0, 0, 0, 0]);
    let child = system.thread_of(2);
    assert_eq!(system.run(INIT), Run::Halted);
    assert_eq!(system.state(1), 'S');
    system.poke(child, DATA, b"/bin/prog\0");
    assert_eq!(system.peek(INIT, DATA, 9), b"/bin/prog");
    system.call(child, nr::EXECVE, &[DATA, 0, 0]);
    assert!(system.runs(INIT));
    let after = system.regs(INIT);
    assert_eq!(after.x[0], 2);
    assert_eq!(
        (after.pc, after.sp, &after.x[9..]),
        (before.pc + 4, before.sp, &before.x[9..])
    );
    assert_eq!(system.regs(child).pc, TEXT);
    system.call(child, nr::EXIT, &[0]);
    assert_eq!(system.wait(INIT, -1, 0), (2, 0));

    system.handle(INIT, SIGUSR1, HANDLER, 0, 0);
    system.call(INIT, nr::CLONE, &[VFORK_VM, 0, 0, 0, 0]);
    let child = system.thread_of(3);
    // Signals wait for the end of vfork; SIGKILL would not.
    assert_eq!(system.ask(child, nr::KILL, &[1, SIGUSR1 as u64]), 0);
    assert_eq!(system.run(INIT), Run::Halted);
    system.call(child, nr::EXIT, &[1]);
    assert_eq!(system.regs(INIT).pc, HANDLER);
    let frame = system.regs(INIT).sp;
    assert_eq!(system.peek64(INIT, frame + 128 + 176 + 8), 3);
    assert_eq!(system.wait(INIT, -1, 0), (3, 0x100));
    system.check_empty();
}

#[test]
fn a_killed_vfork_parent_leaves_its_child_alone() {
    let mut system = System::new();
    let parent = system.fork(INIT);
    system.call(parent, nr::CLONE, &[0x4100 | 17, 0, 0, 0, 0]);
    let child = system.thread_of(3);
    assert_eq!(system.kill(2, SIGKILL), 0);
    assert_eq!(system.wait(INIT, 2, 0), (2, SIGKILL));
    let other = system.fork(INIT);
    assert_eq!(other, parent, "the slot is used again");
    assert_eq!(system.ask(child, nr::GETPPID, &[]), 1);
    system.call(child, nr::EXIT, &[0]);
    assert!(system.runs(other));
    system.call(other, nr::EXIT, &[0]);
    system.wait(INIT, -1, 0);
    system.wait(INIT, -1, 0);
    system.check_empty();
}

#[test]
fn nested_vforks_unwind_when_killed_from_below() {
    let mut system = System::new();
    let mut line = vec![system.fork(INIT)];
    system.ask(line[0], nr::SETPGID, &[0, 0]);
    for _ in 0..8 {
        let last = *line.last().unwrap();
        system.call(last, nr::CLONE, &[0x4100 | 17, 0, 0, 0, 0]);
        let tid = system.server.last_pid;
        line.push(system.thread_of(tid.into()));
    }
    // Nobody but the last can take it now; when that dies, the rest follows.
    assert_eq!(system.kill(-2, SIGTERM), 0);
    for _ in &line {
        assert!(system.wait(INIT, -1, WNOHANG).0 > 0);
    }
    system.check_empty();
}
