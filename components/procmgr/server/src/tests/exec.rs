//! execve, its failures included.

use lsyscall_abi::signal::{SIGUSR1, SIGUSR2};
use lsyscall_abi::{Errno, ThreadIdx};

use super::driver::{nr, System, DATA, INIT, TEXT};

const H: u64 = 0x40_0800;

fn exec(system: &mut System, t: ThreadIdx, path: &[u8]) -> i64 {
    system.poke(t, DATA, path);
    system.poke(t, DATA + 0x100, b"one\0two\0V=1\0");
    let (a, b, c) = (DATA + 0x100, DATA + 0x104, DATA + 0x108);
    system.poke_words(t, DATA + 0x200, &[a, b, 0, c, 0]);
    system.call(t, nr::EXECVE, &[DATA, DATA + 0x200, DATA + 0x218]);
    system.x0(t)
}

#[test]
fn a_new_program_starts_clean() {
    let mut system = System::new();
    let t = system.fork(INIT);
    system.handle(t, SIGUSR1, H, 0, 0);
    system.handle(t, SIGUSR2, 1, 0, 0);
    system.block(t, 1 << (SIGUSR1 - 1));
    assert_eq!(system.kill(2, SIGUSR1), 0);
    system.world(|w| {
        w.tcb(t).fp = 5;
        w.tcb(t).regs.x[20] = 5;
        w.tcb(t).regs.tpidr = 5;
    });
    assert_eq!(exec(&mut system, t, b"/bin/prog\0"), 0);
    let regs = system.regs(t);
    assert_eq!((regs.pc, regs.x, regs.tpidr), (TEXT, [0; 31], 0));
    assert_eq!(system.world(|w| w.tcb(t).fp), 0);
    assert_eq!(system.peek64(t, regs.sp), 2);
    let argv1 = system.peek64(t, regs.sp + 16);
    assert_eq!(system.peek(t, argv1, 4), b"two\0");
    assert_eq!(system.peek(t, system.peek64(t, regs.sp + 32), 4), b"V=1\0");
    let entry = system.entry(2).unwrap();
    assert_eq!(&entry.comm[..5], b"prog\0");
    assert_eq!((entry.caught, entry.ignored), (0, 1 << (SIGUSR2 - 1)));
    assert_eq!(entry.pending, 1 << (SIGUSR1 - 1), "pending signals stay");
    assert_eq!(system.peek(t, entry.arg_start, 4), b"one\0");
    // Now the default action.
    system.block(t, 0);
    assert_eq!(system.wait(INIT, 2, 0), (2, SIGUSR1));
    system.check_empty();
}

#[test]
fn scripts_and_interpreters() {
    let mut system = System::new();
    assert_eq!(exec(&mut system, INIT, b"/bin/script\0"), 0);
    let sp = system.regs(INIT).sp;
    assert_eq!(system.peek64(INIT, sp), 4);
    let words: Vec<Vec<u8>> = (1..5)
        .map(|i| system.peek(INIT, system.peek64(INIT, sp + i * 8), 3))
        .collect();
    assert_eq!(words, [b"/bi", b"-s\0", b"/bi", b"two"]);
    assert_eq!(&system.entry(1).unwrap().comm[..7], b"script\0");
    system.world(|w| w.files.push(("/lib/ld", super::files::program(), 0o755)));
    assert_eq!(exec(&mut system, INIT, b"/bin/dynamic\0"), 0);
    assert_eq!(system.regs(INIT).pc, TEXT);
    system.check_empty();
}

#[test]
fn set_user_id_programs() {
    let mut system = System::new();
    let t = system.fork(INIT);
    assert_eq!(system.ask(t, nr::SETUID, &[5]), 0);
    assert_eq!(exec(&mut system, t, b"/bin/suid\0"), 0);
    let entry = system.entry(2).unwrap();
    assert_eq!(entry.uids, [5, 1234, 1234, 1234]);
    assert_eq!(system.world(|w| w.creds[&t.0].uid), 1234);
    let t = system.fork(INIT);
    assert_eq!(system.ask(t, nr::SETUID, &[5]), 0);
    assert_eq!(system.ask(t, nr::PRCTL, &[38, 1]), 0);
    assert_eq!(exec(&mut system, t, b"/bin/suid\0"), 0);
    assert_eq!(system.entry(3).unwrap().uids, [5; 4]);
}

#[test]
fn failures_leave_the_caller_as_it_was() {
    let mut system = System::new();
    let t = system.fork(INIT);
    system.handle(t, SIGUSR1, H, 0, 0);
    let cases = [
        (&b"/nothing\0"[..], Errno::ENOENT),
        (b"/bin/text\0", Errno::ENOEXEC),
        (b"/bin/empty\0", Errno::ENOEXEC),
        (b"/bin/orphan\0", Errno::ENOENT),
        (b"/bin/loop\0", Errno::ELOOP),
        (b"/bin/dynamic\0", Errno::ENOENT),
    ];
    for (path, errno) in cases {
        let pc = system.regs(t).pc;
        assert_eq!(exec(&mut system, t, path), errno.to_result(), "{errno}");
        assert_eq!(system.regs(t).pc, pc + 4);
        assert_eq!(system.entry(2).unwrap().caught, 1 << (SIGUSR1 - 1));
        assert!(system.world(|w| w.tokens.is_empty()));
        system.check();
    }
    for failing in ["mm_create", "map", "set_space"] {
        system.world(|w| w.failing.push(failing));
        assert_eq!(
            exec(&mut system, t, b"/bin/prog\0"),
            Errno::ENOMEM.to_result()
        );
        assert!(system.world(|w| w.failing.is_empty() && w.tokens.is_empty()));
        system.check();
    }
    // Bad pointers.
    let fault = Errno::EFAULT.to_result();
    assert_eq!(system.ask(t, nr::EXECVE, &[8, 0, 0]), fault);
    system.poke(t, DATA, b"/bin/prog\0");
    assert_eq!(system.ask(t, nr::EXECVE, &[DATA, 8, 0]), fault);
    system.poke_words(t, DATA + 0x200, &[8, 0]);
    assert_eq!(system.ask(t, nr::EXECVE, &[DATA, DATA + 0x200, 0]), fault);
    // A string without an end, and too many of them.
    let space = memmgr_api::Space::Thread(t);
    system.world(|w| {
        let pages = &mut w.mm(space).unwrap().pages;
        for page in 0..40 {
            pages.insert(0x5000 + page, vec![b'x'; 4096]);
        }
        let mut pointers = vec![0u8; 4096];
        for word in pointers.chunks_mut(8) {
            word.copy_from_slice(&0x501_f001u64.to_le_bytes());
        }
        pages.insert(0x5028, vec![0; 4096]);
        pages.insert(0x6000, pointers);
    });
    system.poke_words(t, DATA + 0x200, &[0x500_0000, 0]);
    let big = Errno::E2BIG.to_result();
    assert_eq!(system.ask(t, nr::EXECVE, &[DATA, DATA + 0x200, 0]), big);
    assert_eq!(system.ask(t, nr::EXECVE, &[DATA, 0x600_0000, 0]), big);
    assert!(system.world(|w| w.tokens.is_empty()));
    system.call(t, nr::EXIT, &[0]);
    system.wait(INIT, 2, 0);
    system.check_empty();
}
