//! Signal handlers: how they start, what they see, how they end.

use fsmgr_api::Target;
use lsyscall_abi::signal::{SIGABRT, SIGBUS, SIGPIPE, SIGSEGV, SIGTERM, SIGUSR1, SIGUSR2};
use lsyscall_abi::{Errno, ThreadIdx};
use memmgr_api::{FaultKind, SHIM_BASE};

use super::driver::{nr, System, DATA, INIT};
use super::world::Run;
use crate::machine::Regs;
use crate::signal::action::{
    SA_NODEFER, SA_ONSTACK, SA_RESETHAND, SA_RESTART, SA_RESTORER, SA_SIGINFO,
};

/// Handlers.
const H1: u64 = 0x40_0800;
const H2: u64 = 0x40_0900;
const ALT: u64 = DATA + 0x1000;

const fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

fn mask(system: &System, t: ThreadIdx) -> u64 {
    system.server.thread(t).unwrap().blocked.0
}

fn fill(system: &System, t: ThreadIdx) -> Regs {
    system.world(|w| {
        let tcb = w.tcb(t);
        tcb.fp = 0xf00d;
        for (i, x) in tcb.regs.x.iter_mut().enumerate().skip(1) {
            *x = 1000 + i as u64;
        }
        tcb.regs.pstate = 0x6000_0000;
        tcb.regs.tpidr = 0x1234;
        tcb.regs
    })
}

/// The handler returns.
fn back(system: &mut System, t: ThreadIdx) {
    system.world(|w| {
        let tcb = w.tcb(t);
        tcb.fp = 0xbad;
        tcb.regs.pc = tcb.regs.x[30];
        tcb.regs.tpidr = 0x4321;
    });
    system.step();
}

#[test]
fn a_handler_runs_and_leaves_no_trace() {
    let mut system = System::new();
    let t = system.fork(INIT);
    system.handle(t, SIGUSR1, H1, SA_SIGINFO, bit(SIGUSR2));
    system.block(t, bit(SIGTERM));
    let before = fill(&system, t);
    assert_eq!(system.kill(2, SIGUSR1), 0);
    let inside = system.regs(t);
    assert_eq!(inside.pc, H1);
    assert_eq!(inside.sp % 16, 0);
    assert_eq!(inside.sp, inside.x[1]);
    assert_eq!(
        (inside.x[0], inside.x[2]),
        (SIGUSR1 as u64, inside.sp + 128)
    );
    // siginfo: signal, code SI_USER, sender.
    assert_eq!(system.peek32(t, inside.x[1]), SIGUSR1);
    assert_eq!(system.peek32(t, inside.x[1] + 8), 0);
    assert_eq!(system.peek32(t, inside.x[1] + 16), 1);
    // ucontext: mask, registers, sp, pc, pstate.
    let uc = inside.x[2];
    assert_eq!(system.peek64(t, uc + 40), bit(SIGTERM));
    for i in 0..31 {
        assert_eq!(system.peek64(t, uc + 176 + 8 + i * 8), before.x[i as usize]);
    }
    assert_eq!(system.peek64(t, uc + 176 + 256), before.sp);
    assert_eq!(system.peek64(t, uc + 176 + 264), before.pc);
    assert_eq!(system.peek64(t, uc + 176 + 272), before.pstate);
    // The frame record, for unwinders.
    assert_eq!(system.peek64(t, inside.x[29]), before.x[29]);
    assert_eq!(system.peek64(t, inside.x[29] + 8), before.x[30]);
    assert_eq!(mask(&system, t), bit(SIGTERM) | bit(SIGUSR1) | bit(SIGUSR2));
    // Blocked signals wait for the end of the handler.
    system.handle(t, SIGUSR2, H2, 0, 0);
    assert_eq!(system.kill(2, SIGUSR2), 0);
    assert_eq!(system.kill(2, SIGUSR2), 0);
    assert_eq!(system.entry(2).unwrap().pending, bit(SIGUSR2));
    back(&mut system, t);
    assert_eq!(system.regs(t).pc, H2);
    back(&mut system, t);
    let after = system.regs(t);
    assert_eq!(
        Regs {
            tpidr: 0x1234,
            ..after
        },
        before
    );
    assert_eq!(
        after.tpidr, 0x4321,
        "the thread pointer is no part of the frame"
    );
    assert_eq!(system.world(|w| w.tcb(t).fp), 0xf00d);
    assert_eq!(mask(&system, t), bit(SIGTERM));
}

#[test]
fn a_signal_to_oneself_comes_before_the_call_returns() {
    let mut system = System::new();
    system.handle(INIT, SIGUSR1, H1, 0, 0);
    for args in [[1, SIGUSR1 as u64, 0], [1, 1, SIGUSR1 as u64]] {
        let number = if args[2] == 0 { nr::KILL } else { nr::TGKILL };
        let pc = system.regs(INIT).pc;
        system.call(INIT, number, &args);
        assert_eq!(system.regs(INIT).pc, H1);
        back(&mut system, INIT);
        assert_eq!((system.regs(INIT).pc, system.x0(INIT)), (pc + 4, 0));
    }
}

#[test]
fn several_signals_nest_in_order() {
    let mut system = System::new();
    let t = system.fork(INIT);
    system.handle(t, SIGUSR1, H1, 0, 0);
    system.handle(t, SIGUSR2, H2, 0, 0);
    system.block(t, u64::MAX);
    assert_eq!((system.kill(2, SIGUSR2), system.kill(2, SIGUSR1)), (0, 0));
    let pc = system.regs(t).pc + 4;
    system.block(t, 0);
    // The frame of the second lies on that of the first, which has not begun.
    assert_eq!(system.regs(t).pc, H2);
    assert_eq!(mask(&system, t), bit(SIGUSR1) | bit(SIGUSR2));
    back(&mut system, t);
    assert_eq!(
        (system.regs(t).pc, system.regs(t).x[0]),
        (H1, SIGUSR1 as u64)
    );
    back(&mut system, t);
    assert_eq!((system.regs(t).pc, system.x0(t)), (pc, 0));
    assert_eq!(mask(&system, t), 0);
}

#[test]
fn flags_of_handlers() {
    let mut system = System::new();
    let t = system.fork(INIT);
    system.handle(t, SIGUSR1, H1, SA_NODEFER | SA_RESETHAND, 0);
    assert_eq!(system.kill(2, SIGUSR1), 0);
    assert_eq!((system.regs(t).pc, mask(&system, t)), (H1, 0));
    assert_eq!(system.entry(2).unwrap().caught, 0);
    assert_eq!(system.kill(2, SIGUSR1), 0);
    assert_eq!(system.wait(INIT, 2, 0), (2, SIGUSR1));
    // A restorer of the program's own: from there the shim page has to load the vector registers.
    let t = system.fork(INIT);
    system.handle(t, SIGUSR1, H1, SA_RESTORER, 0);
    let before = fill(&system, t);
    assert_eq!(system.kill(3, SIGUSR1), 0);
    system.world(|w| {
        w.tcb(t).regs.pc = H2;
        w.tcb(t).fp = 1;
    });
    system.call(t, nr::SIGRETURN, &[]);
    assert_eq!(system.regs(t), before);
    assert_eq!(system.world(|w| w.tcb(t).fp), 0xf00d);
}

#[test]
fn alternate_stacks() {
    let mut system = System::new();
    let t = system.fork(INIT);
    let set = |system: &mut System, flags: u64, size: u64| {
        system.poke_words(t, DATA, &[ALT, flags, size]);
        system.ask(t, nr::SIGALTSTACK, &[DATA, DATA + 64])
    };
    assert_eq!(set(&mut system, 0, 5119), Errno::ENOMEM.to_result());
    assert_eq!(set(&mut system, 9, 8192), Errno::EINVAL.to_result());
    assert_eq!(set(&mut system, 0, 8192), 0);
    assert_eq!(system.peek32(t, DATA + 72), 2, "there was none");
    system.handle(t, SIGUSR1, H1, SA_ONSTACK, 0);
    system.handle(t, SIGUSR2, H1, SA_ONSTACK, 0);
    let before = system.regs(t);
    assert_eq!(system.kill(2, SIGUSR1), 0);
    let sp = system.regs(t).sp;
    assert!((ALT..ALT + 8192).contains(&sp));
    assert_eq!(set(&mut system, 0, 8192), Errno::EPERM.to_result());
    assert_eq!(system.ask(t, nr::SIGALTSTACK, &[0, DATA + 64]), 0);
    assert_eq!(system.peek32(t, DATA + 72), 1);
    // No room for a second frame: the process dies, and nothing is written below the stack.
    system.poke(t, ALT - 8, &[7; 8]);
    assert_eq!(system.kill(2, SIGUSR2), 0);
    assert_eq!(system.wait(INIT, 2, 0), (2, SIGSEGV));

    let t = system.fork(INIT);
    system.poke_words(t, DATA, &[ALT, 0x8000_0000, 8192]);
    assert_eq!(system.ask(t, nr::SIGALTSTACK, &[DATA, 0]), 0);
    system.handle(t, SIGUSR1, H1, SA_ONSTACK, 0);
    assert_eq!(system.kill(3, SIGUSR1), 0);
    assert_eq!(system.ask(t, nr::SIGALTSTACK, &[0, DATA + 64]), 0);
    assert_eq!(system.peek32(t, DATA + 72), 2, "disarmed");
    back(&mut system, t);
    assert_eq!(system.ask(t, nr::SIGALTSTACK, &[0, DATA + 64]), 0);
    assert_eq!(system.peek64(t, DATA + 64), ALT);
    assert_eq!(system.regs(t).sp, before.sp);
}

#[test]
fn faults_are_signals() {
    let mut system = System::new();
    let t = system.fork(INIT);
    system.handle(t, SIGSEGV, H1, SA_SIGINFO, 0);
    let before = fill(&system, t);
    system.fault(t, FaultKind::NotAllowed, 0x1234_5000);
    let inside = system.regs(t);
    assert_eq!((inside.pc, inside.x[0]), (H1, SIGSEGV as u64));
    assert_eq!(system.peek32(t, inside.sp + 8), 2);
    assert_eq!(system.peek64(t, inside.sp + 16), 0x1234_5000);
    assert_eq!(system.peek64(t, inside.sp + 128 + 176), 0x1234_5000);
    back(&mut system, t);
    assert_eq!(
        system.regs(t).pc,
        before.pc,
        "the instruction is tried again"
    );
    for (kind, signal) in [
        (FaultKind::BeyondEnd, SIGBUS),
        (FaultKind::Illegal, 4),
        (FaultKind::Breakpoint, 5),
        (FaultKind::OutOfMemory, 9),
    ] {
        let t = system.fork(INIT);
        let pid = system.pid(t);
        system.fault(t, kind, 0);
        assert_eq!(system.wait(INIT, pid, 0), (pid, signal));
    }
}

#[test]
fn the_greediest_ends_when_memory_does() {
    let mut system = System::new();
    let (small, greedy) = (system.fork(INIT), system.fork(INIT));
    let pid = system.pid(greedy);
    system.world(|w| {
        let mm = w.attached[&greedy.0];
        let pages = &mut w.mms.get_mut(&mm).expect("its space").pages;
        pages.extend((0..100).map(|page| (0x9_0000 + page, vec![0; 4096])));
    });
    let before = fill(&system, small);
    system.fault(small, FaultKind::OutOfMemory, 0x1000);
    assert_eq!(system.wait(INIT, pid, 0), (pid, 9));
    assert!(system.runs(small), "the instruction is tried again");
    assert_eq!(system.regs(small).pc, before.pc);
    // Nobody has more than the one who wants more.
    let pid = system.pid(small);
    system.fault(small, FaultKind::OutOfMemory, 0x1000);
    assert_eq!(system.wait(INIT, pid, 0), (pid, 9));
}

#[test]
fn identification_registers_can_be_read() {
    let mut system = System::new();
    let t = system.fork(INIT);
    system.handle(t, SIGUSR1, H1, 0, 0);
    // mrs x9, ID_AA64PFR0_EL1; then an instruction that does not exist.
    system.poke_words(t, DATA, &[0xd538_0409]);
    system.world(|w| w.tcb(t).regs.pc = DATA);
    let before = system.regs(t);
    system.fault(t, FaultKind::Illegal, DATA);
    assert!(system.runs(t));
    let after = system.regs(t);
    assert_eq!((after.x[9], after.pc), (0x11, DATA + 4));
    assert_eq!((after.sp, after.x[8]), (before.sp, before.x[8]));
    let pid = system.pid(t);
    system.fault(t, FaultKind::Illegal, DATA + 4);
    assert_eq!(system.wait(INIT, pid, 0), (pid, 4));
}

#[test]
fn faults_cannot_be_escaped() {
    let mut system = System::new();
    for ignored in [false, true] {
        let t = system.fork(INIT);
        let pid = system.pid(t);
        if ignored {
            system.handle(t, SIGSEGV, 1, 0, 0);
        } else {
            system.handle(t, SIGSEGV, H1, 0, 0);
            system.block(t, bit(SIGSEGV));
        }
        system.fault(t, FaultKind::NotMapped, 8);
        assert_eq!(system.wait(INIT, pid, 0), (pid, SIGSEGV));
    }
    // No stack for the frame: SIGSEGV, and no stack for that either.
    let t = system.fork(INIT);
    system.handle(t, SIGSEGV, H1, 0, 0);
    system.world(|w| w.tcb(t).regs.sp = 64);
    system.fault(t, FaultKind::NotMapped, 8);
    assert_eq!(system.wait(INIT, 4, 0), (4, SIGSEGV));
    // A handler on an alternate stack helps.
    let t = system.fork(INIT);
    system.poke_words(t, DATA, &[ALT, 0, 8192]);
    assert_eq!(system.ask(t, nr::SIGALTSTACK, &[DATA, 0]), 0);
    system.handle(t, SIGSEGV, H1, SA_ONSTACK, 0);
    system.handle(t, SIGUSR1, H2, 0, 0);
    system.world(|w| w.tcb(t).regs.sp = 64);
    assert_eq!(system.kill(5, SIGUSR1), 0);
    assert_eq!(
        (system.regs(t).pc, system.regs(t).x[0]),
        (H1, SIGSEGV as u64)
    );
    // In the shim page there is no way out.
    system.issue(t, nr::CLONE, &[17, 0, 0, 0, 0]);
    system.fault(t, FaultKind::NotMapped, 8);
    assert_eq!(system.wait(INIT, 5, 0), (5, SIGSEGV));
    system.check_empty();
}

#[test]
fn init_dies_like_any_other() {
    for signal in [SIGTERM, 9, SIGABRT] {
        let mut system = System::new();
        system.call(INIT, nr::KILL, &[1, signal as u64]);
        assert_eq!(system.world(|w| w.exit), Some((1, signal)));
    }
    let mut system = System::new();
    system.fault(INIT, FaultKind::Illegal, 8);
    assert_eq!(system.world(|w| w.exit), Some((1, 4)));
}

#[test]
fn a_fault_that_another_signal_overtakes_comes_again() {
    let mut system = System::new();
    let t = system.fork(INIT);
    system.handle(t, SIGUSR1, H1, 0, 0);
    system.handle(t, SIGSEGV, H2, 0, 0);
    let pc = system.regs(t).pc;
    let event = |system: &System| {
        system.world(|w| {
            w.tcb(t).run = Run::Faulted;
            w.mem_events.push_back(memmgr_api::MemEvent {
                thread: t,
                kind: FaultKind::NotMapped,
                addr: 8,
                pc,
                esr: 0,
            });
        });
    };
    event(&system);
    assert_eq!(system.kill(2, SIGUSR1), 0);
    system.server_notified(1);
    assert_eq!(system.regs(t).pc, H1);
    back(&mut system, t);
    assert_eq!(system.regs(t).pc, pc);
    system.fault(t, FaultKind::NotMapped, 8);
    assert_eq!(system.regs(t).pc, H2);
}

#[test]
fn forged_frames_gain_nothing() {
    let mut system = System::new();
    let t = system.fork(INIT);
    system.world(|w| w.tcb(t).regs.sp = DATA + 0x800);
    system.poke(t, DATA + 0x800, &[0; 0x400]);
    system.call(t, nr::SIGRETURN, &[]);
    assert_eq!(system.wait(INIT, 2, 0), (2, SIGSEGV));
    let t = system.fork(INIT);
    system.handle(t, SIGUSR1, H1, 0, 0);
    assert_eq!(system.kill(3, SIGUSR1), 0);
    let sp = system.regs(t).sp;
    system.poke_words(t, sp + 128 + 40, &[u64::MAX]);
    system.poke_words(t, sp + 128 + 176 + 272, &[u64::MAX]);
    system.poke_words(t, sp + 128 + 176 + 264, &[SHIM_BASE + 0x1_0000_0000]);
    back(&mut system, t);
    assert_eq!(system.regs(t).pstate, 0xf000_0000);
    assert_eq!(mask(&system, t), !(bit(9) | bit(19)));
}

#[test]
fn interrupted_calls_below() {
    let mut system = System::new();
    let t = system.fork(INIT);
    let cases = [
        // How the call ends, SA_RESTART, whether it is called again, its result if not.
        (Errno::ERESTARTSYS, true, true, 0),
        (Errno::ERESTARTSYS, false, false, Errno::EINTR.to_result()),
        (Errno::ERESTARTNOHAND, true, false, Errno::EINTR.to_result()),
        (Errno::ERESTARTNOINTR, false, true, 0),
        (Errno::EINTR, true, false, Errno::EINTR.to_result()),
        (
            Errno::ERESTART_RESTARTBLOCK,
            true,
            false,
            Errno::EINTR.to_result(),
        ),
    ];
    for (how, restart, again, result) in cases {
        let flags = if restart { SA_RESTART } else { 0 };
        system.handle(t, SIGUSR1, H1, flags, 0);
        let pc = system.regs(t).pc;
        system.park_below(t, 5, how);
        system.world(|w| w.forgotten.clear());
        assert_eq!(system.kill(2, SIGUSR1), 0);
        assert_eq!(system.regs(t).pc, H1, "{how}");
        let forgot = system.world(|w| !w.forgotten.is_empty());
        assert_eq!(forgot, how == Errno::ERESTART_RESTARTBLOCK);
        back(&mut system, t);
        if again {
            assert_eq!((system.regs(t).pc, system.x0(t)), (pc, 5), "{how}");
        } else {
            assert_eq!((system.regs(t).pc, system.x0(t)), (pc + 4, result), "{how}");
        }
    }
    // A signal that does nothing: the call never ends, whatever it asked for.
    system.park_below(t, 5, Errno::ERESTARTNOHAND);
    assert_eq!(system.kill(2, 28), 0);
    assert!(system.world(|w| w.below.contains_key(&t.0)));
}

#[test]
fn broken_pipes() {
    let mut system = System::new();
    let t = system.fork(INIT);
    system.handle(t, SIGPIPE, H1, 0, 0);
    // fsmgr has answered EPIPE before the signal arrives.
    system.world(|w| w.tcb(t).regs.x[0] = Errno::EPIPE.to_result() as u64);
    system.fs_signal(Target::Thread(t), SIGPIPE as u8);
    assert_eq!(system.regs(t).pc, H1);
    back(&mut system, t);
    assert_eq!(system.x0(t), Errno::EPIPE.to_result());
    system.handle(t, SIGPIPE, 0, 0, 0);
    system.fs_signal(Target::Thread(t), SIGPIPE as u8);
    assert_eq!(system.wait(INIT, 2, 0), (2, SIGPIPE));
}
