//! Job control: stopping, continuing, groups, sessions.

use fsmgr_api::Target;
use lsyscall_abi::signal::{
    SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGSTOP, SIGTERM, SIGTSTP, SIGTTIN, SIGUSR1,
};
use lsyscall_abi::Errno;

use super::driver::{nr, System, DATA, INIT, TEXT};
use super::world::Run;
use crate::signal::action::SA_NOCLDSTOP;

const WNOHANG: u64 = 1;
const WUNTRACED: u64 = 2;
const WCONTINUED: u64 = 8;
const H: u64 = 0x40_0800;

#[test]
fn stops_are_reported_once() {
    let mut system = System::new();
    let t = system.fork(INIT);
    system.handle(INIT, SIGCHLD, H, 0, 0);
    system.call(
        INIT,
        nr::WAIT4,
        &[u64::MAX, DATA, WUNTRACED | WCONTINUED, 0],
    );
    system.fs_signal(Target::Process(2), SIGSTOP as u8);
    assert_eq!(system.state(2), 'T');
    assert_eq!(system.run(t), Run::Halted);
    // The wait has ended, and the handler runs.
    let sp = system.regs(INIT).sp;
    assert_eq!(system.regs(INIT).pc, H);
    assert_eq!(system.peek32(INIT, sp + 8), 5, "CLD_STOPPED");
    assert_eq!(system.peek32(INIT, sp + 24), SIGSTOP);
    assert_eq!(system.peek32(INIT, DATA), 0x137f);
    system.world(|w| w.tcb(INIT).regs.pc = w.tcb(INIT).regs.x[30]);
    system.step();
    assert_eq!(system.x0(INIT), 2);
    let any = WNOHANG | WUNTRACED | WCONTINUED;
    assert_eq!(system.wait(INIT, -1, any).0, 0, "reported already");
    // Without SA_NOCLDSTOP there would be signals.
    system.handle(INIT, SIGCHLD, H, SA_NOCLDSTOP, 0);
    assert_eq!(system.kill(2, SIGCONT), 0);
    assert!(system.runs(t));
    assert_eq!(system.state(2), 'R');
    assert_eq!(system.wait(INIT, -1, WNOHANG | WUNTRACED).0, 0);
    assert_eq!(system.wait(INIT, -1, any), (2, 0xffff));
    assert_eq!(system.wait(INIT, -1, any).0, 0);
    // A stop that nobody asked for is forgotten when it ends.
    assert_eq!((system.kill(2, SIGSTOP), system.kill(2, SIGCONT)), (0, 0));
    assert_eq!(system.wait(INIT, -1, WNOHANG | WUNTRACED).0, 0);
    assert_eq!(system.kill(2, SIGSTOP), 0);
    system.call(INIT, nr::KILL, &[2, SIGKILL as u64]);
    assert_eq!(system.regs(INIT).pc, H, "SIGCHLD of the end");
    assert_eq!(system.wait(INIT, -1, any), (2, SIGKILL));
}

#[test]
fn calls_go_on_after_a_stop() {
    let mut system = System::new();
    let t = system.fork(INIT);
    let child = system.fork(t);
    // Parked here, below, and not at all.
    let pc = system.regs(t).pc;
    system.call(t, nr::WAIT4, &[u64::MAX, DATA, 0, 0]);
    assert_eq!((system.kill(2, SIGSTOP), system.kill(2, SIGCONT)), (0, 0));
    assert_eq!(system.regs(t).pc, pc);
    system.again(t);
    assert!(system.waits(t));
    assert_eq!(system.kill(2, SIGSTOP), 0);
    system.call(child, nr::EXIT, &[1]);
    assert_eq!(system.run(t), Run::Halted);
    assert_eq!(system.kill(2, SIGCONT), 0);
    system.again(t);
    assert_eq!(system.x0(t), 3);
    let pc = system.regs(t).pc;
    for how in [Errno::ERESTARTSYS, Errno::ERESTART_RESTARTBLOCK] {
        system.park_below(t, 4, how);
        assert_eq!(system.kill(2, SIGSTOP), 0);
        assert!(system.world(|w| w.below.is_empty()));
        assert_eq!(system.kill(2, SIGCONT), 0);
        assert_eq!((system.regs(t).pc, system.x0(t)), (pc, 4));
        assert!(system.world(|w| w.forgotten.iter().all(|f| *f != t.0)));
    }
    assert_eq!((system.kill(2, SIGSTOP), system.kill(2, SIGCONT)), (0, 0));
    assert_eq!(system.regs(t).pc, pc);
}

#[test]
fn signals_wait_for_the_end_of_a_stop() {
    let mut system = System::new();
    let t = system.fork(INIT);
    system.handle(t, SIGUSR1, H, 0, 0);
    assert_eq!(system.kill(2, SIGSTOP), 0);
    assert_eq!(system.kill(2, SIGUSR1), 0);
    assert_ne!(system.regs(t).pc, H);
    assert_eq!(
        system.kill(2, SIGTSTP),
        0,
        "pending, and discarded by SIGCONT"
    );
    assert_eq!(system.kill(2, SIGCONT), 0);
    assert!(system.runs(t));
    assert_eq!(system.regs(t).pc, H);
    // A pending SIGCONT is discarded by a stop.
    system.handle(t, SIGCONT, H, 0, 0);
    system.block(t, 1 << (SIGCONT - 1));
    assert_eq!(system.kill(2, SIGCONT), 0);
    assert_ne!(system.entry(2).unwrap().pending, 0);
    assert_eq!(system.kill(2, SIGSTOP), 0);
    assert_eq!(system.entry(2).unwrap().pending, 0);
    // Blocked, SIGCONT continues all the same.
    assert_eq!(system.kill(2, SIGCONT), 0);
    assert!(system.runs(t));
    assert_eq!((system.kill(2, SIGSTOP), system.kill(2, SIGTERM)), (0, 0));
    assert_eq!(system.state(2), 'T');
    assert_eq!(system.kill(2, SIGKILL), 0);
    assert_eq!(system.wait(INIT, 2, 0), (2, SIGKILL));
    system.check_empty();
}

#[test]
fn a_stopped_vfork_parent() {
    let mut system = System::new();
    let parent = system.fork(INIT);
    system.call(parent, nr::CLONE, &[0x4100 | 17, 0, 0, 0, 0]);
    let child = system.thread_of(3);
    // SIGSTOP cannot reach it while it waits; the child runs.
    assert_eq!(system.kill(2, SIGSTOP), 0);
    assert_eq!(system.state(2), 'S');
    system.poke(child, DATA, b"/bin/prog\0");
    system.call(child, nr::EXECVE, &[DATA, 0, 0]);
    assert_eq!(system.regs(child).pc, TEXT);
    assert_eq!(system.state(2), 'T');
    assert_eq!(system.run(parent), Run::Halted);
    assert_eq!(system.kill(2, SIGCONT), 0);
    assert!(system.runs(parent));
    assert_eq!(system.x0(parent), 3);
    // Another thread of the parent stops the process: the vfork goes on.
    let other = system.clone_with(parent, &[0x3d_0f00, DATA + 0x1000, DATA, 0, DATA]);
    system.call(parent, nr::CLONE, &[0x4100 | 17, 0, 0, 0, 0]);
    let child = system.thread_of(i64::from(system.server.last_pid));
    assert_eq!(system.kill(2, SIGSTOP), 0);
    assert_eq!(system.state(2), 'T');
    system.call(child, nr::EXIT, &[0]);
    assert_eq!(
        (system.run(parent), system.run(other)),
        (Run::Halted, Run::Halted)
    );
    assert_eq!(system.kill(2, SIGCONT), 0);
    assert!(system.runs(parent) && system.runs(other));
    assert_eq!(system.x0(parent), i64::from(system.server.last_pid));
}

#[test]
fn groups_and_sessions() {
    let mut system = System::new();
    let a = system.fork(INIT);
    let b = system.fork(INIT);
    let eperm = Errno::EPERM.to_result();
    assert_eq!(system.ask(INIT, nr::SETPGID, &[2, 0]), 0);
    assert_eq!(system.ask(b, nr::SETPGID, &[0, 2]), 0);
    assert_eq!(system.ask(b, nr::SETPGID, &[0, 77]), eperm);
    assert_eq!(
        system.ask(b, nr::SETPGID, &[2, 0]),
        Errno::ESRCH.to_result()
    );
    assert_eq!(
        system.ask(INIT, nr::SETPGID, &[0, 0]),
        eperm,
        "a session leader"
    );
    assert_eq!(system.ask(a, nr::SETSID, &[]), eperm, "a group leader");
    assert_eq!(system.ask(b, nr::SETSID, &[]), 3);
    assert_eq!(system.ask(INIT, nr::SETPGID, &[3, 0]), eperm);
    let c = system.fork(INIT);
    system.poke(c, DATA, b"/bin/prog\0");
    system.call(c, nr::EXECVE, &[DATA, 0, 0]);
    assert_eq!(
        system.ask(INIT, nr::SETPGID, &[4, 0]),
        Errno::EACCES.to_result()
    );
    assert_eq!(system.entry(3).unwrap().sid, 3);
    // The terminal's signal reaches the group alone.
    system.fs_signal(Target::Group(2), SIGINT as u8);
    assert_eq!(system.state(2), 'Z');
    assert!(system.runs(b));
    system.call(b, nr::EXIT, &[0]);
    assert_eq!(system.world(|w| w.sessions.clone()), [3]);
    assert_eq!(
        system.ask(c, nr::KILL, &[-9i64 as u64, 0]),
        Errno::ESRCH.to_result()
    );
}

#[test]
fn orphaned_groups() {
    let mut system = System::new();
    // init (group 1) - shell (group 2) - job (group 3), all in one session.
    let shell = system.fork(INIT);
    system.ask(shell, nr::SETPGID, &[0, 0]);
    let job = system.fork(shell);
    system.ask(job, nr::SETPGID, &[0, 0]);
    system.fs_signal(Target::Group(3), SIGTTIN as u8);
    assert_eq!(system.state(3), 'T');
    // A bystander's end does nothing.
    let other = system.fork(shell);
    system.ask(other, nr::SETPGID, &[0, 0]);
    system.call(other, nr::EXIT, &[0]);
    assert_eq!(system.state(3), 'T');
    // Its parent's end orphans it: init takes it in, but controls only its own children.
    system.call(shell, nr::EXIT, &[0]);
    assert_eq!(system.wait(INIT, 3, 0), (3, SIGHUP));
    let in_session = system.fork(INIT);
    assert_eq!(system.ask(in_session, nr::SETSID, &[]), 5);
    let job2 = system.fork(in_session);
    system.ask(job2, nr::SETPGID, &[0, 0]);
    assert_eq!(system.kill(6, SIGTSTP), 0);
    assert_eq!(system.state(6), 'T');
    system.call(in_session, nr::EXIT, &[0]);
    assert_eq!(system.state(6), 'Z');
    assert_eq!(system.wait(INIT, 6, 0), (6, SIGHUP));
    // In an orphaned group the terminal's stops do nothing, SIGSTOP does.
    let lone = system.fork(INIT);
    assert_eq!(system.ask(lone, nr::SETSID, &[]), 7);
    assert_eq!(system.kill(7, SIGTSTP), 0);
    assert!(system.runs(lone));
    assert_eq!(system.kill(7, SIGSTOP), 0);
    assert_eq!(system.state(7), 'T');
    // The group was orphaned before: nobody's end changes that.
    let other = system.fork(INIT);
    system.call(other, nr::EXIT, &[0]);
    assert_eq!(system.state(7), 'T');
}

#[test]
fn a_shell_without_job_control() {
    let mut system = System::new();
    let stopped = system.fork(INIT);
    assert_eq!(system.kill(2, SIGSTOP), 0);
    let other = system.fork(INIT);
    system.call(other, nr::EXIT, &[0]);
    assert_eq!(
        system.state(2),
        'T',
        "the end of a process of the same group"
    );
    assert_eq!(system.kill(2, SIGCONT), 0);
    assert!(system.runs(stopped));
}
