//! Waiting for signals, masks, timers, permissions.

use lsyscall_abi::signal::{
    SIGCHLD, SIGCONT, SIGKILL, SIGSTOP, SIGTERM, SIGTSTP, SIGURG, SIGUSR1, SIGUSR2, SIGWINCH,
};
use lsyscall_abi::{Errno, ThreadIdx};

use super::driver::{nr, System, DATA, INIT};
use super::world::Run;
use crate::signal::action::SA_RESTART;

const H: u64 = 0x40_0800;
const EINTR: i64 = Errno::EINTR.to_result();

const fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

fn suspend(system: &mut System, t: ThreadIdx, mask: u64) {
    system.poke_words(t, DATA + 0x200, &[mask]);
    system.call(t, nr::SIGSUSPEND, &[DATA + 0x200, 8]);
}

fn timed_wait(system: &mut System, t: ThreadIdx, set: u64, timeout: Option<[u64; 2]>) {
    system.poke_words(t, DATA + 0x200, &[set]);
    let timeout = timeout.map_or(0, |time| {
        system.poke_words(t, DATA + 0x210, &time);
        DATA + 0x210
    });
    system.call(
        t,
        nr::SIGTIMEDWAIT,
        &[DATA + 0x200, DATA + 0x300, timeout, 8],
    );
}

fn back(system: &mut System, t: ThreadIdx) {
    system.world(|w| w.tcb(t).regs.pc = w.tcb(t).regs.x[30]);
    system.step();
}

fn mask(system: &System, t: ThreadIdx) -> u64 {
    system.server.thread(t).unwrap().blocked.0
}

#[test]
fn sigsuspend_ends_with_a_handler_only() {
    let mut system = System::new();
    let t = system.fork(INIT);
    system.handle(t, SIGUSR1, H, SA_RESTART, 0);
    system.block(t, bit(SIGUSR1) | bit(SIGURG));
    let pc = system.regs(t).pc;
    suspend(&mut system, t, bit(SIGUSR2));
    assert!(system.waits(t));
    assert_eq!(mask(&system, t), bit(SIGUSR2));
    assert_eq!(system.kill(2, SIGWINCH), 0);
    assert!(system.waits(t));
    assert_eq!(system.kill(2, SIGUSR1), 0);
    assert_eq!(system.regs(t).pc, H);
    assert_eq!(mask(&system, t), bit(SIGUSR2) | bit(SIGUSR1));
    back(&mut system, t);
    assert_eq!((system.regs(t).pc, system.x0(t)), (pc + 4, EINTR));
    assert_eq!(mask(&system, t), bit(SIGUSR1) | bit(SIGURG));
    // One that is pending already, and one that is pending and ignored.
    assert_eq!(system.kill(2, SIGUSR1), 0);
    suspend(&mut system, t, 0);
    assert_eq!(system.regs(t).pc, H);
    back(&mut system, t);
    assert_eq!(system.kill(2, SIGURG), 0);
    assert_eq!(
        system.entry(2).unwrap().pending,
        bit(SIGURG),
        "blocked signals stay"
    );
    suspend(&mut system, t, 0);
    assert!(system.runs(t));
    assert_eq!(system.regs(t).pc, pc + 8);
    assert_eq!(mask(&system, t), bit(SIGUSR1) | bit(SIGURG));
    system.again(t);
    assert!(system.waits(t));
    // Stopped and continued: it waits on.
    assert_eq!(system.kill(2, SIGSTOP), 0);
    assert_eq!(system.run(t), Run::Halted);
    assert_eq!(mask(&system, t), 0);
    assert_eq!(system.kill(2, SIGCONT), 0);
    assert_eq!(system.regs(t).pc, pc + 8);
    system.again(t);
    assert!(system.waits(t));
    // A handler of SIGCONT ends it.
    assert_eq!(system.kill(2, SIGUSR1), 0);
    back(&mut system, t);
    system.handle(t, SIGCONT, H, 0, 0);
    let pc = system.regs(t).pc;
    suspend(&mut system, t, 0);
    assert_eq!(system.kill(2, SIGSTOP), 0);
    assert_eq!(system.kill(2, SIGCONT), 0);
    assert_eq!(
        (system.regs(t).pc, system.regs(t).x[0]),
        (H, SIGCONT as u64)
    );
    back(&mut system, t);
    assert_eq!((system.regs(t).pc, system.x0(t)), (pc + 4, EINTR));
}

#[test]
fn waits_are_interrupted() {
    let mut system = System::new();
    let t = system.fork(INIT);
    let child = system.fork(t);
    for restart in [true, false] {
        system.handle(t, SIGUSR1, H, if restart { SA_RESTART } else { 0 }, 0);
        let pc = system.regs(t).pc;
        system.call(t, nr::WAIT4, &[u64::MAX, DATA, 0, 0]);
        assert_eq!(system.kill(2, SIGUSR1), 0);
        assert_eq!(system.regs(t).pc, H);
        back(&mut system, t);
        if restart {
            assert_eq!((system.regs(t).pc, system.x0(t)), (pc, -1));
        } else {
            assert_eq!((system.regs(t).pc, system.x0(t)), (pc + 4, EINTR));
        }
    }
    // SIGCHLD's handler and the wait's end come together.
    system.handle(t, SIGCHLD, H, 0, 0);
    let pc = system.regs(t).pc;
    system.call(t, nr::WAIT4, &[u64::MAX, DATA, 0, 0]);
    system.call(child, nr::EXIT, &[5]);
    let sp = system.regs(t).sp;
    assert_eq!(system.regs(t).pc, H);
    assert_eq!(system.peek32(t, sp), SIGCHLD);
    assert_eq!(system.peek32(t, sp + 8), 1, "CLD_EXITED");
    assert_eq!(
        (system.peek32(t, sp + 16), system.peek32(t, sp + 24)),
        (3, 5)
    );
    back(&mut system, t);
    assert_eq!((system.regs(t).pc, system.x0(t)), (pc + 4, 3));
    assert_eq!(system.peek32(t, DATA), 0x500);
}

#[test]
fn sigtimedwait_takes_what_it_waits_for() {
    let mut system = System::new();
    let t = system.fork(INIT);
    system.block(t, bit(SIGUSR1) | bit(SIGUSR2) | bit(SIGCHLD));
    timed_wait(&mut system, t, bit(SIGUSR1), Some([0, 0]));
    assert_eq!(system.x0(t), Errno::EAGAIN.to_result());
    timed_wait(&mut system, t, bit(SIGUSR1) | bit(SIGCHLD), None);
    assert!(system.waits(t));
    assert_eq!(system.kill(2, SIGUSR2), 0);
    assert!(system.waits(t));
    assert_eq!(system.kill(2, SIGUSR1), 0);
    assert_eq!(system.x0(t), SIGUSR1.into());
    assert_eq!(system.peek32(t, DATA + 0x300), SIGUSR1);
    assert_eq!(system.peek32(t, DATA + 0x310), 1);
    // Ignored by default, but blocked: taken.
    timed_wait(&mut system, t, bit(SIGCHLD), None);
    assert_eq!(system.kill(2, SIGCHLD), 0);
    assert_eq!(system.x0(t), SIGCHLD.into());
    // Pending already.
    timed_wait(&mut system, t, bit(SIGUSR2), None);
    assert_eq!(system.x0(t), SIGUSR2.into());
    // Time passes.
    timed_wait(&mut system, t, bit(SIGUSR1), Some([1, 500]));
    assert!(system.waits(t));
    system.pass(1_000_000_000);
    assert!(system.waits(t));
    system.pass(500);
    assert_eq!(system.x0(t), Errno::EAGAIN.to_result());
    assert_eq!(system.alarm.load(0), 0);
    // Interrupted by a handler, or by being stopped.
    system.handle(t, SIGTERM, H, SA_RESTART, 0);
    timed_wait(&mut system, t, bit(SIGUSR1), None);
    assert_eq!(system.kill(2, SIGTERM), 0);
    back(&mut system, t);
    assert_eq!(system.x0(t), EINTR);
    timed_wait(&mut system, t, bit(SIGUSR1), None);
    assert_eq!((system.kill(2, SIGSTOP), system.kill(2, SIGCONT)), (0, 0));
    assert_eq!(system.x0(t), EINTR);
    // A bad address for siginfo.
    timed_wait(&mut system, t, bit(SIGUSR1), None);
    system.world(|w| {
        w.mm(memmgr_api::Space::Thread(t))
            .unwrap()
            .pages
            .remove(&(DATA >> 12))
    });
    assert_eq!(system.kill(2, SIGUSR1), 0);
    assert_eq!(system.x0(t), Errno::EFAULT.to_result());
}

#[test]
fn pending_signals_and_new_dispositions() {
    let mut system = System::new();
    let t = system.fork(INIT);
    system.handle(t, SIGUSR1, H, 0, 0);
    system.block(t, bit(SIGUSR1) | bit(SIGUSR2) | bit(40));
    for signal in [SIGUSR1, SIGUSR2, 40, 40] {
        assert_eq!(system.kill(2, signal), 0);
    }
    assert_eq!(system.ask(t, nr::SIGPENDING, &[DATA, 8]), 0);
    assert_eq!(
        system.peek64(t, DATA),
        bit(SIGUSR1) | bit(SIGUSR2) | bit(40)
    );
    system.handle(t, SIGUSR1, 1, 0, 0);
    system.handle(t, 40, 1, 0, 0);
    assert_eq!(system.ask(t, nr::SIGPENDING, &[DATA, 8]), 0);
    assert_eq!(system.peek64(t, DATA), bit(SIGUSR2));
    assert_eq!(system.entry(2).unwrap().ignored, bit(SIGUSR1) | bit(40));
    // A child inherits the mask, not what is pending.
    let child = system.fork(t);
    assert_eq!(mask(&system, child), bit(SIGUSR1) | bit(SIGUSR2) | bit(40));
    assert_eq!(system.ask(child, nr::SIGPENDING, &[DATA, 8]), 0);
    assert_eq!(system.peek64(child, DATA), 0);
    system.block(t, 0);
    assert_eq!(system.wait(INIT, 2, 0), (2, SIGUSR2));
    let einval = Errno::EINVAL.to_result();
    assert_eq!(
        system.ask(child, nr::SIGACTION, &[SIGKILL as u64, DATA, 0, 8]),
        einval
    );
    assert_eq!(
        system.ask(child, nr::SIGACTION, &[SIGKILL as u64, 0, DATA, 8]),
        0
    );
    assert_eq!(system.ask(child, nr::SIGACTION, &[65, 0, 0, 8]), einval);
    assert_eq!(system.ask(child, nr::SIGPROCMASK, &[2, 0, 0, 4]), einval);
    assert_eq!(system.ask(child, nr::SIGPROCMASK, &[3, DATA, 0, 8]), einval);
}

#[test]
fn signals_while_in_the_shim_page_wait_for_its_end() {
    let mut system = System::new();
    let t = system.fork(INIT);
    system.handle(t, SIGUSR1, H, 0, 0);
    let pc = system.regs(t).pc;
    system.issue(t, nr::CLONE, &[17, 0, 0, 0, 0]);
    assert_eq!(system.ask(INIT, nr::KILL, &[2, SIGUSR1 as u64]), 0);
    assert_eq!(system.regs(t).pc, H);
    back(&mut system, t);
    assert_eq!((system.regs(t).pc, system.x0(t)), (pc + 4, 3));
    // Stopped there: it stops when it comes out.
    system.issue(t, nr::CLONE, &[17, 0, 0, 0, 0]);
    system.issue(INIT, nr::KILL, &[2, SIGSTOP as u64]);
    assert!(system.runs(t));
    system.step();
    assert_eq!(system.run(t), Run::Halted);
    assert_eq!(system.kill(2, SIGCONT), 0);
    assert_eq!((system.regs(t).pc, system.x0(t)), (pc + 8, 4));
}

#[test]
fn who_may_kill_whom() {
    let mut system = System::new();
    let (a, b) = (system.fork(INIT), system.fork(INIT));
    assert_eq!(system.ask(a, nr::SETUID, &[5]), 0);
    assert_eq!(system.ask(b, nr::SETUID, &[6]), 0);
    assert_eq!(system.world(|w| w.creds[&a.0].uid), 5);
    let eperm = Errno::EPERM.to_result();
    assert_eq!(system.ask(a, nr::KILL, &[3, 0]), eperm);
    assert_eq!(
        system.ask(a, nr::KILL, &[3, SIGCONT as u64]),
        0,
        "same session"
    );
    assert_eq!(system.ask(a, nr::KILL, &[2, 0]), 0);
    assert_eq!(system.ask(a, nr::KILL, &[99, 0]), Errno::ESRCH.to_result());
    assert_eq!(system.ask(a, nr::KILL, &[3, 65]), Errno::EINVAL.to_result());
    // Whom a broadcast may not reach does not matter.
    assert_eq!(system.ask(a, nr::KILL, &[u64::MAX, SIGTERM as u64]), 0);
    // A forged siginfo.
    system.poke_words(a, DATA, &[0, 0, 0, 0]);
    assert_eq!(
        system.ask(a, nr::SIGQUEUEINFO, &[1, SIGUSR1 as u64, DATA]),
        eperm
    );
    // kill(-1) spares init and the caller.
    let c = system.fork(INIT);
    assert_eq!(system.ask(c, nr::KILL, &[u64::MAX, SIGKILL as u64]), 0);
    assert!(system.runs(INIT) && system.runs(c));
    assert_eq!((system.state(2), system.state(3)), ('Z', 'Z'));
    // The own group, the caller included.
    assert_eq!(system.ask(c, nr::SETPGID, &[0, 0]), 0);
    system.call(c, nr::KILL, &[0, SIGTERM as u64]);
    assert_eq!(system.state(4), 'Z');
    assert!(system.runs(INIT));
}

#[test]
fn stopping_oneself_in_a_call() {
    let mut system = System::new();
    let t = system.fork(INIT);
    system.ask(t, nr::SETPGID, &[0, 0]);
    let pc = system.regs(t).pc;
    for signal in [SIGSTOP, SIGTSTP] {
        system.call(t, nr::KILL, &[2, signal as u64]);
        assert_eq!(system.run(t), Run::Halted);
        assert_eq!(system.state(2), 'T');
        assert_eq!(system.kill(2, SIGCONT), 0);
        assert!(system.runs(t));
        assert_eq!(system.x0(t), 0, "not the first argument");
    }
    assert_eq!(system.regs(t).pc, pc + 8);
    // By another thread of the same process, which is the one that takes it.
    let other = system.clone_with(t, &[0x3d_0f00, DATA + 0x1000, DATA, 0, DATA]);
    system.call(other, nr::KILL, &[2, SIGSTOP as u64]);
    assert_eq!(
        (system.run(t), system.run(other)),
        (Run::Halted, Run::Halted)
    );
    assert_eq!(system.kill(2, SIGCONT), 0);
    assert_eq!(system.x0(other), 0);
    assert_eq!(system.kill(2, SIGKILL), 0);
}
