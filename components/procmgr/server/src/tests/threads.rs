//! Threads of one process.

use lsyscall_abi::signal::{SIGKILL, SIGTERM, SIGUSR1};
use lsyscall_abi::{Errno, ThreadIdx};
use lsyscall_shim::FP_AREAS;

use super::driver::{nr, System, DATA, INIT, SLOTS, TEXT};
use super::world::Run;

/// What pthread_create asks for: VM, FS, FILES, SIGHAND, THREAD, SYSVSEM, SETTLS, PARENT_SETTID, CHILD_CLEARTID.
const PTHREAD: u64 = 0x3d_0f00;
const CLEAR: u64 = DATA + 0x100;

fn thread(system: &mut System, t: ThreadIdx) -> ThreadIdx {
    system.clone_with(t, &[PTHREAD, DATA + 0x1000, DATA + 0x80, 0x7777, CLEAR])
}

#[test]
fn a_thread_has_its_own_registers_and_the_process_s_memory() {
    let mut system = System::new();
    system.world(|w| w.tcb(INIT).fp = 9);
    let t = thread(&mut system, INIT);
    let regs = system.regs(t);
    assert_eq!((regs.x[0], regs.sp, regs.tpidr), (0, DATA + 0x1000, 0x7777));
    assert_eq!(system.world(|w| w.tcb(t).fp), 9);
    assert_eq!(system.peek32(INIT, DATA + 0x80), 2);
    assert_eq!(system.ask(t, nr::GETPID, &[]), 1);
    assert_eq!(system.ask(t, nr::GETTID, &[]), 2);
    assert_eq!(system.entry(1).unwrap().threads, 2);
    system.poke(t, CLEAR, &[1; 4]);
    system.call(t, nr::EXIT, &[0]);
    assert_eq!(system.peek32(INIT, CLEAR), 0);
    assert_eq!(system.world(|w| w.wakes.len()), 1);
    assert_eq!(system.entry(1).unwrap().threads, 1);
    system.check_empty();
}

#[test]
fn the_last_thread_clears_nothing() {
    let mut system = System::new();
    let child = system.fork(INIT);
    assert_eq!(system.ask(child, nr::SET_TID_ADDRESS, &[CLEAR]), 2);
    system.call(child, nr::EXIT, &[0]);
    assert!(system.world(|w| w.wakes.is_empty()));
}

#[test]
fn a_process_that_shares_memory_clears_its_id_at_exec() {
    let mut system = System::new();
    let child = system.clone_with(INIT, &[0x100 | 0x20_0000 | 17, 0, 0, 0, CLEAR]);
    system.poke(child, CLEAR, &[1; 4]);
    system.poke(child, DATA, b"/bin/prog\0");
    system.call(child, nr::EXECVE, &[DATA, 0, 0]);
    assert_eq!(system.peek32(INIT, CLEAR), 0);
    system.call(child, nr::EXIT, &[0]);
    system.wait(INIT, -1, 0);
    system.check_empty();
}

#[test]
fn exit_group_takes_all_and_exit_one() {
    let mut system = System::new();
    let child = system.fork(INIT);
    let (a, b) = (thread(&mut system, child), thread(&mut system, child));
    system.call(a, nr::EXIT, &[1]);
    assert!(system.runs(b) && system.runs(child));
    system.call(b, nr::EXIT_GROUP, &[4]);
    assert_eq!(system.run(child), Run::Halted);
    assert_eq!(system.wait(INIT, 2, 0), (2, 0x400));
    system.check_empty();
}

#[test]
fn the_leader_s_status_counts() {
    let mut system = System::new();
    let child = system.fork(INIT);
    let other = thread(&mut system, child);
    system.call(child, nr::EXIT, &[3]);
    assert_eq!(system.state(2), 'R');
    assert_eq!(system.entry(2).unwrap().leader, u32::from(other.0));
    assert_eq!(system.kill(2, 0), 0);
    system.call(other, nr::EXIT, &[5]);
    assert_eq!(system.wait(INIT, 2, 0), (2, 0x300));

    let child = system.fork(INIT);
    let pid = system.pid(child);
    let other = thread(&mut system, child);
    system.call(child, nr::EXIT, &[3]);
    system.call(other, nr::EXIT_GROUP, &[6]);
    assert_eq!(system.wait(INIT, pid, 0), (pid, 0x600));
    system.check_empty();
}

#[test]
fn exec_by_another_thread_takes_the_leader_s_place() {
    let mut system = System::new();
    let child = system.fork(INIT);
    let other = thread(&mut system, child);
    system.call(child, nr::WAIT4, &[u64::MAX, 0, 0, 0]);
    // ECHILD at once; park below instead.
    system.park_below(child, 7, Errno::ERESTARTSYS);
    system.poke(other, DATA, b"/bin/prog\0");
    system.call(other, nr::EXECVE, &[DATA, 0, 0]);
    assert!(system.server.thread(child).is_none());
    assert_eq!(system.tid(other), 2);
    assert_eq!(system.regs(other).pc, TEXT);
    assert_eq!(system.ask(other, nr::GETTID, &[]), 2);
    assert_eq!(system.entry(2).unwrap().threads, 1);
    assert_eq!(&system.entry(2).unwrap().comm[..5], b"prog\0");
    assert!(system.server.find_thread(3).is_none());
    // A status the leader left before does not count any more.
    system.call(other, nr::EXIT, &[8]);
    assert_eq!(system.wait(INIT, 2, 0), (2, 0x800));
    system.check_empty();
}

#[test]
fn the_end_comes_to_threads_in_the_shim_page() {
    let mut system = System::new();
    let child = system.fork(INIT);
    let other = thread(&mut system, child);
    // One saves, one has just been born.
    system.issue(
        other,
        nr::CLONE,
        &[PTHREAD, DATA + 0x1000, DATA + 0x80, 0, 0],
    );
    assert!(system.runs(other));
    system.issue(
        child,
        nr::CLONE,
        &[PTHREAD, DATA + 0x1000, DATA + 0x80, 0, 0],
    );
    assert!(system.shim_step(child));
    assert!(system.runs(child));
    assert_eq!(system.kill(2, SIGKILL), 0);
    assert_eq!(system.wait(INIT, 2, 0), (2, SIGKILL));
    system.check_empty();
}

#[test]
fn more_clones_than_save_areas_wait_their_turn() {
    let mut system = System::new();
    let mut threads = vec![INIT];
    for _ in 0..FP_AREAS + 1 {
        threads.push(thread(&mut system, INIT));
    }
    let born = threads.len();
    for &t in &threads {
        system.issue(t, nr::CLONE, &[17, 0, 0, 0, 0]);
    }
    let parked = |system: &System| threads.iter().filter(|&&t| system.waits(t)).count();
    assert_eq!(parked(&system), born - FP_AREAS as usize);
    // A signal interrupts the wait, and the call is made again.
    let last = *threads.last().unwrap();
    let pc = system.regs(last).pc;
    system.world(|w| w.fs_events.clear());
    let tid = system.tid(last);
    assert_eq!(system.server.find_thread(tid as i32), Some(last));
    system.step();
    for &t in &threads {
        assert!(system.runs(t), "{t:?}");
        let got = system.x0(t);
        assert!(got > 0 || got == Errno::EAGAIN.to_result(), "{got}");
    }
    assert_eq!(system.regs(last).pc, pc);
    assert_eq!(system.world(|w| w.fs_threads.len()), SLOTS);
    system.issue(INIT, nr::EXIT_GROUP, &[0]);
}

#[test]
fn threads_born_faster_than_they_start_wait_too() {
    let mut system = System::new();
    for _ in 0..FP_AREAS {
        system.issue(
            INIT,
            nr::CLONE,
            &[PTHREAD, DATA + 0x1000, DATA + 0x80, 0, 0],
        );
        assert!(system.shim_step(INIT));
        assert!(system.runs(INIT));
    }
    system.issue(
        INIT,
        nr::CLONE,
        &[PTHREAD, DATA + 0x1000, DATA + 0x80, 0, 0],
    );
    assert!(system.waits(INIT));
    system.step();
    assert_eq!(system.x0(INIT), FP_AREAS as i64 + 2);
    assert_eq!(system.entry(1).unwrap().threads, FP_AREAS as u32 + 2);
}

#[test]
fn a_signal_finds_a_thread_that_takes_it() {
    const HANDLER: u64 = 0x40_0800;
    let mut system = System::new();
    let child = system.fork(INIT);
    let other = thread(&mut system, child);
    system.handle(child, SIGUSR1, HANDLER, 0, 0);
    system.block(child, 1 << (SIGUSR1 - 1));
    assert_eq!(system.kill(2, SIGUSR1), 0);
    assert_eq!(system.regs(other).pc, HANDLER);
    assert_ne!(system.regs(child).pc, HANDLER);
    // The handler blocks it now too: it stays with the process.
    assert_eq!(system.kill(2, SIGUSR1), 0);
    assert_eq!(system.entry(2).unwrap().pending, 1 << (SIGUSR1 - 1));
    system.call(child, nr::TGKILL, &[2, 2, SIGTERM as u64]);
    assert_eq!(system.wait(INIT, 2, 0), (2, SIGTERM));
}

#[test]
fn signals_pass_on_when_their_taker_dies() {
    const HANDLER: u64 = 0x40_0800;
    let mut system = System::new();
    let child = system.fork(INIT);
    let other = thread(&mut system, child);
    system.handle(child, SIGUSR1, HANDLER, 0, 0);
    system.block(other, 1 << (SIGUSR1 - 1));
    // The leader is in vfork: it can take nothing, but it is the only one that would.
    system.call(child, nr::CLONE, &[0x4100 | 17, 0, 0, 0, 0]);
    assert_eq!(system.kill(2, SIGUSR1), 0);
    assert_ne!(system.regs(other).pc, HANDLER);
    system.block(other, 0);
    assert_eq!(system.regs(other).pc, HANDLER);
    assert_eq!(system.kill(2, SIGKILL), 0);
}
