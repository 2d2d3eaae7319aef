//! The terminal: lines, job control, the host's stream.

use fsmgr_api::{FsMgrService, Target, STDIO_PIPE};
use lsyscall_abi::{Errno, ThreadIdx};

use super::*;

/// With the terminal as the controlling one of session 1, group 1 in the foreground.
fn session() -> Rig {
    let mut r = Rig::new();
    assert_eq!(r.call("ioctl", &[0, 0x540e, 0]), 0);
    r
}

#[test]
fn lines_echo_and_signals() {
    let mut r = session();
    r.fork(0, 1, 2, 1, 1);
    let at = r.room(64);
    assert_eq!(r.call_on(1, "read", &[0, at, 64]), None);
    r.type_in(b"hel");
    assert_eq!(r.completed(), []);
    r.type_in(b"lo\r");
    assert_eq!(r.completed(), [(1, 6)]);
    assert_eq!(r.get(at, 6), b"hello\n");
    assert_eq!(r.shown(), "hello\r\n");
    r.write(1, b"a\nb\n");
    assert_eq!(r.shown(), "a\r\nb\r\n");
    r.type_in(b"\x03");
    assert_eq!(r.signals(), [(Target::Group(1), 2)]);
    assert_eq!(r.shown(), "^C");
    r.type_in(b"\x04");
    assert_eq!(r.read(0, 5), Ok(Vec::new()));
}

#[test]
fn the_background_waits_for_its_signal() {
    let mut r = session();
    r.fork(0, 1, 2, 2, 1);
    let at = r.room(8);
    assert_eq!(r.call_on(1, "read", &[0, at, 8]), None);
    assert_eq!(r.signals(), [(Target::Group(2), 21)]);
    assert_eq!(
        r.fs.cancel(ThreadIdx(1)),
        Ok(Some(Errno::ERESTARTSYS.raw()))
    );
    // Writing is allowed unless TOSTOP says otherwise.
    let text = r.put(b"x");
    assert_eq!(r.call_on(1, "write", &[1, text, 1]), Some(1));
    let group = r.put(&2i32.to_le_bytes());
    assert_eq!(r.call_on(1, "ioctl", &[0, 0x5410, group]), None);
    assert_eq!(r.signals(), [(Target::Group(2), 22)]);
    r.fs.cancel(ThreadIdx(1)).expect("cancelled");
    assert_eq!(r.call("ioctl", &[0, 0x5410, group]), 0);
    let out = r.room(4);
    assert_eq!(
        r.call("ioctl", &[0, 0x540f, out]),
        0,
        "asking is always allowed"
    );
    assert_eq!(r.fetch::<i32>(out), 2);
    assert_eq!(r.call_on(1, "read", &[0, at, 8]), None);
    assert_eq!(r.signals(), []);
    r.type_in(b"y\r");
    assert_eq!(r.completed(), [(1, 2)]);
    let nobody = r.put(&77i32.to_le_bytes());
    assert_eq!(
        r.call_on(1, "ioctl", &[0, 0x5410, nobody]),
        Some(err(Errno::ESRCH))
    );
}

#[test]
fn sessions_own_terminals() {
    let mut r = session();
    assert!(r.open("/dev/tty", RDWR, 0) >= 0);
    r.fork(0, 1, 2, 2, 2);
    let path = r.text("/dev/tty");
    assert_eq!(
        r.call_on(1, "openat", &[CWD, path, 2, 0]),
        Some(err(Errno::ENXIO))
    );
    let out = r.room(4);
    assert_eq!(
        r.call_on(1, "ioctl", &[0, 0x540f, out]),
        Some(err(Errno::ENOTTY))
    );
    assert_eq!(
        r.call_on(1, "ioctl", &[0, 0x540e, 0]),
        Some(err(Errno::EPERM))
    );
    r.fs.session_ended(1).expect("ended");
    assert_eq!(r.signals(), [(Target::Group(1), 1), (Target::Group(1), 18)]);
    let console = r.text("/dev/console");
    assert_eq!(r.call_on(1, "openat", &[CWD, console, 2, 0]), Some(4));
    assert_eq!(r.call_on(1, "ioctl", &[0, 0x540f, out]), Some(0));
    assert_eq!(r.fetch::<i32>(out), 2);
}

#[test]
fn settings_and_window() {
    let mut r = session();
    let at = r.room(36);
    assert_eq!(r.call("ioctl", &[0, 0x5401, at]), 0);
    let mut raw = r.get(at, 36);
    raw[12] &= !0x0a;
    let raw = r.put(&raw);
    assert_eq!(r.call("ioctl", &[0, 0x5402, raw]), 0);
    r.type_in(b"k");
    assert_eq!(r.read(0, 5), Ok(b"k".to_vec()));
    assert_eq!(r.shown(), "", "no echo");
    let size = r.room(8);
    assert_eq!(r.call("ioctl", &[1, 0x5413, size]), 0);
    assert_eq!(r.fetch::<[u16; 4]>(size), [24, 80, 0, 0]);
    let new = r.put(&[30, 0, 90, 0, 0, 0, 0, 0]);
    assert_eq!(r.call("ioctl", &[1, 0x5414, new]), 0);
    assert_eq!(r.signals(), [(Target::Group(1), 28)]);
    let fd = r.open("/f", RDWR | CREAT, 0o600) as u64;
    assert_eq!(r.call("ioctl", &[fd, 0x5401, at]), err(Errno::ENOTTY));
}

#[test]
fn a_slow_console_makes_writers_wait() {
    let mut r = session();
    r.console.server().room = 1000;
    r.fork(0, 1, 2, 1, 1);
    let at = r.put(&[b'x'; 20_000]);
    assert_eq!(r.call_on(1, "write", &[1, at, 20_000]), None);
    let mut total = 0;
    for _ in 0..100 {
        total += r.shown().len();
        r.fs.notified(1);
        if !r.completed().is_empty() {
            break;
        }
    }
    r.console.server().room = 0;
    r.fs.notified(1);
    total += r.shown().len();
    assert_eq!(total, 20_000);
}

#[test]
fn without_a_terminal() {
    let mut r = Rig::with(STDIO_PIPE, Vec::new());
    let at = r.room(64);
    assert_eq!(r.call("ioctl", &[0, 0x5401, at]), err(Errno::ENOTTY));
    assert_eq!(r.write(1, b"out\n"), 4);
    assert_eq!(r.write(2, b"err\n"), 4);
    assert_eq!(r.shown(), "out\nerr\n", "as it is");
    assert_eq!(r.call_on(0, "read", &[0, at, 64]), None);
    r.type_in(b"in\r");
    assert_eq!(r.completed(), [(0, 3)]);
    let again = r.open("/dev/stdout", WRONLY, 0);
    assert!(again >= 0, "{again}");
    r.write(again, b"again");
    assert_eq!(r.shown(), "again");
    assert_eq!(r.call_on(0, "read", &[0, at, 64]), None);
    r.console.server().ended = true;
    r.fs.notified(1);
    assert_eq!(r.completed(), [(0, 0)]);
}
