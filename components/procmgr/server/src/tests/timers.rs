//! Timers, and signals for calls that wait below.

use fsmgr_api::SignalWish;
use lsyscall_abi::signal::{SIGALRM, SIGUSR1, SIGUSR2};
use lsyscall_abi::{Errno, ThreadIdx};

use super::driver::{nr, System, DATA, INIT};
use super::world::{now, Run};

const H: u64 = 0x40_0800;
const EINTR: i64 = Errno::EINTR.to_result();

const fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

fn back(system: &mut System, t: ThreadIdx) {
    system.world(|w| w.tcb(t).regs.pc = w.tcb(t).regs.x[30]);
    system.step();
}

fn mask(system: &System, t: ThreadIdx) -> u64 {
    system.server.thread(t).unwrap().blocked.0
}

#[test]
fn timers() {
    let mut system = System::new();
    let t = system.fork(INIT);
    system.handle(t, SIGALRM, H, 0, 0);
    // One second, then every half.
    system.poke_words(t, DATA, &[0, 500_000, 1, 0]);
    assert_eq!(system.ask(t, nr::SETITIMER, &[0, DATA, 0]), 0);
    let child = system.fork(t);
    system.pass(999_000_000);
    assert_ne!(system.regs(t).pc, H);
    system.pass(1_000_000);
    assert_eq!(system.regs(t).pc, H);
    back(&mut system, t);
    system.pass(1_700_000_000);
    assert_eq!(system.regs(t).pc, H);
    back(&mut system, t);
    assert_ne!(system.regs(t).pc, H, "once for all that were missed");
    assert_eq!(system.ask(t, nr::SETITIMER, &[0, 0, DATA]), 0);
    assert_eq!(system.peek64(t, DATA + 8), 500_000);
    assert!(system.peek64(t, DATA + 24) <= 300_000);
    assert_eq!(system.alarm.load(0), 0);
    assert!(system.runs(child));
    // It survives exec, and ends with the process.
    system.poke_words(t, DATA, &[u64::MAX >> 1, 0, 1, 0]);
    assert_eq!(system.ask(t, nr::SETITIMER, &[0, DATA, 0]), 0);
    system.poke(t, DATA, b"/bin/prog\0");
    system.call(t, nr::EXECVE, &[DATA, 0, 0]);
    assert_ne!(system.alarm.load(0), 0);
    system.pass(1_000_000_000);
    assert_eq!(system.wait(INIT, 2, 0), (2, SIGALRM));
    assert_eq!(system.alarm.load(0), 0);
    system.poke_words(INIT, DATA, &[0, 0, 0, 1_000_000]);
    assert_eq!(
        system.ask(INIT, nr::SETITIMER, &[0, DATA, 0]),
        Errno::EINVAL.to_result()
    );
}

fn settime(system: &mut System, t: ThreadIdx, id: u64, flags: u64, words: [u64; 4]) -> i64 {
    system.poke_words(t, DATA, &words);
    system.ask(t, nr::TIMER_SETTIME, &[id, flags, DATA, DATA + 0x40])
}

#[test]
fn timers_of_ones_own() {
    let mut system = System::new();
    let t = system.fork(INIT);
    let einval = Errno::EINVAL.to_result();
    // A real-time signal with a value.
    system.poke_words(t, DATA, &[99, 40, 0]);
    assert_eq!(system.ask(t, nr::TIMER_CREATE, &[1, DATA, DATA + 0x40]), 0);
    assert_eq!(system.peek32(t, DATA + 0x40), 0);
    assert_eq!(
        system.ask(t, nr::TIMER_CREATE, &[4, DATA, DATA]),
        Errno::EOPNOTSUPP.to_result()
    );
    assert_eq!(system.ask(t, nr::TIMER_CREATE, &[77, DATA, DATA]), einval);
    system.handle(t, 40, H, 0, 0);
    assert_eq!(settime(&mut system, t, 0, 0, [0, 1000, 0, 5000]), 0);
    system.pass(4999);
    assert_ne!(system.regs(t).pc, H);
    // Late by three and a half periods: one signal that says so.
    system.pass(3501);
    let frame = system.regs(t).sp;
    assert_eq!(system.regs(t).pc, H);
    let half = |at: u64| system.peek32(t, frame + at);
    assert_eq!(
        (half(0), half(8), half(16), half(20), half(24)),
        (40, -2, 0, 3, 99)
    );
    assert_eq!(system.ask(t, nr::TIMER_GETOVERRUN, &[0]), 3);
    assert_eq!(system.ask(t, nr::TIMER_GETTIME, &[0, DATA]), 0);
    assert_eq!(
        (system.peek64(t, DATA + 8), system.peek64(t, DATA + 24)),
        (1000, 500)
    );
    // Blocked, it does not expire again and again.
    let alarms = system.world(|w| w.alarms);
    system.pass(1_000_000);
    system.pass(1_000_000);
    assert_eq!(system.entry(2).unwrap().pending, bit(40));
    assert!(system.world(|w| w.alarms) <= alarms + 2);
    back(&mut system, t);
    assert_eq!(system.regs(t).pc, H);
    // Ignored, it goes on slowly.
    system.handle(t, 40, 1, 0, 0);
    back(&mut system, t);
    assert!(system.alarm.load(0) > now());
    // Off.
    assert_eq!(settime(&mut system, t, 0, 0, [0, 0, 0, 0]), 0);
    assert_eq!(system.alarm.load(0), 0);
    assert_eq!(system.ask(t, nr::TIMER_DELETE, &[0]), 0);
    assert_eq!(system.ask(t, nr::TIMER_DELETE, &[0]), einval);
    assert_eq!(settime(&mut system, t, 0, 0, [0, 0, 0, 1]), einval);
    // SIGALRM by default, absolute time, shared with an interval timer.
    for id in 0..32 {
        assert_eq!(system.ask(t, nr::TIMER_CREATE, &[0, 0, DATA]), 0);
        assert_eq!(system.peek32(t, DATA), id);
    }
    assert_eq!(
        system.ask(t, nr::TIMER_CREATE, &[0, 0, DATA]),
        Errno::EAGAIN.to_result()
    );
    system.handle(t, SIGALRM, H, 0, 0);
    let at = now() + 1000;
    assert_eq!(
        settime(
            &mut system,
            t,
            7,
            1,
            [0, 50, at / 1_000_000_000, at % 1_000_000_000]
        ),
        0
    );
    system.poke_words(t, DATA, &[0, 100, 0, 1]);
    assert_eq!(system.ask(t, nr::SETITIMER, &[0, DATA, 0]), 0);
    system.pass(1000);
    assert_eq!(system.regs(t).pc, H);
    back(&mut system, t);
    // Neither a child nor a new program has them.
    let child = system.fork(t);
    assert_eq!(system.ask(child, nr::TIMER_DELETE, &[7]), einval);
    system.poke(t, DATA, b"/bin/prog\0");
    system.call(t, nr::EXECVE, &[DATA, 0, 0]);
    assert_eq!(system.ask(t, nr::TIMER_DELETE, &[7]), einval);
}

#[test]
fn timers_for_one_thread() {
    let mut system = System::new();
    let t = system.fork(INIT);
    let other = system.clone_with(t, &[0x3d_0f00, DATA + 0x1000, DATA, 0, DATA]);
    let tid = system.tid(other) as u64;
    for (tid, result) in [(1, Errno::EINVAL.to_result()), (tid, 0)] {
        system.poke_words(t, DATA, &[5, SIGUSR1 as u64 | 4 << 32, tid]);
        assert_eq!(
            system.ask(t, nr::TIMER_CREATE, &[1, DATA, DATA + 0x40]),
            result
        );
    }
    system.handle(t, SIGUSR1, H, 0, 0);
    assert_eq!(settime(&mut system, t, 0, 0, [0, 0, 1, 0]), 0);
    system.pass(1_000_000_000);
    assert_eq!(system.regs(other).pc, H);
    assert_ne!(system.regs(t).pc, H);
    assert_eq!(system.alarm.load(0), 0);
}

#[test]
fn waiting_below_with_another_mask() {
    let mut system = System::new();
    let t = system.fork(INIT);
    system.handle(t, SIGUSR1, H, 0, 0);
    system.block(t, bit(SIGUSR1));
    let pc = system.regs(t).pc;
    let wait = |system: &mut System, mask: u64| {
        system.park_below(t, 5, Errno::ERESTARTNOHAND);
        let mask = Some(mask);
        system.wish(
            t,
            SignalWish {
                mask,
                ..SignalWish::default()
            },
        );
    };
    wait(&mut system, bit(SIGUSR2));
    assert_eq!(mask(&system, t), bit(SIGUSR2));
    assert_eq!(system.kill(2, SIGUSR1), 0);
    assert_eq!(system.regs(t).pc, H);
    assert_eq!(mask(&system, t), bit(SIGUSR1) | bit(SIGUSR2));
    back(&mut system, t);
    assert_eq!((system.regs(t).pc, system.x0(t)), (pc + 4, EINTR));
    assert_eq!(mask(&system, t), bit(SIGUSR1));
    // The signal was there before.
    assert_eq!(system.kill(2, SIGUSR1), 0);
    wait(&mut system, 0);
    assert_eq!(system.regs(t).pc, H);
    back(&mut system, t);
    // The call ends by itself.
    wait(&mut system, 0);
    system.world(|w| {
        w.below.remove(&t.0);
        w.tcb(t).run = Run::Running;
    });
    system.wish(t, SignalWish::default());
    assert_eq!(mask(&system, t), bit(SIGUSR1));
}

#[test]
fn signals_read_from_a_descriptor() {
    let mut system = System::new();
    let t = system.fork(INIT);
    system.block(t, bit(SIGUSR1) | bit(SIGUSR2));
    assert_eq!(system.kill(2, SIGUSR2), 0);
    assert!(system.world(|w| w.told.is_empty()), "nobody watches");
    let (take, watched) = (Some(bit(SIGUSR1)), true);
    let wish = SignalWish {
        watched,
        ..SignalWish::default()
    };
    system.wish(t, wish);
    assert_eq!(system.world(|w| w.told.pop()), Some((t.0, bit(SIGUSR2))));
    system.wish(t, SignalWish { take, ..wish });
    assert_eq!(system.world(|w| w.given.pop()), Some(None));
    assert_eq!(system.kill(2, SIGUSR1), 0);
    let both = bit(SIGUSR1) | bit(SIGUSR2);
    assert_eq!(system.world(|w| w.told.pop()), Some((t.0, both)));
    system.wish(t, SignalWish { take, ..wish });
    let given = system.world(|w| w.given.pop());
    assert_eq!(given, Some(Some((SIGUSR1 as u8, 0))));
    assert_eq!(system.entry(2).unwrap().pending, bit(SIGUSR2));
}
