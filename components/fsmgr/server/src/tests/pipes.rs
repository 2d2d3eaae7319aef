//! Pipes, FIFOs, socket pairs, and moving bytes between them.

use fsmgr_api::{FsMgrService, Target};
use lsyscall_abi::{Errno, FdPair, ThreadIdx};

use super::*;

fn pipe(r: &mut Rig, flags: u32) -> (u64, u64) {
    let at = r.room(8);
    assert_eq!(r.call("pipe2", &[at, flags.into()]), 0);
    let pair: FdPair = r.fetch(at);
    (pair.first as u64, pair.second as u64)
}

#[test]
fn bytes_go_through_and_end() {
    let mut r = Rig::new();
    let (rd, wr) = pipe(&mut r, 0);
    assert_eq!(r.write(wr as i64, b"one"), 3);
    assert_eq!(r.write(wr as i64, b"two"), 3);
    assert_eq!(r.read(rd as i64, 4), Ok(b"onet".to_vec()));
    r.call("close", &[wr]);
    assert_eq!(r.read(rd as i64, 9), Ok(b"wo".to_vec()));
    assert_eq!(r.read(rd as i64, 9), Ok(Vec::new()));
    let objects = r.mem.server().objects();
    r.call("close", &[rd]);
    assert_eq!(r.mem.server().objects(), objects - 1);
}

#[test]
fn readers_wait_and_are_woken() {
    let mut r = Rig::new();
    let (rd, wr) = pipe(&mut r, 0);
    r.fork(0, 1, 2, 1, 1);
    let at = r.room(8);
    assert_eq!(r.call_on(1, "read", &[rd, at, 8]), None);
    assert_eq!(r.write(wr as i64, b"hi"), 2);
    assert_eq!(r.completed(), [(1, 2)]);
    assert_eq!(r.get(at, 2), b"hi");
    // The end of the last writer ends a waiting read.
    assert_eq!(r.call_on(1, "close", &[wr]), Some(0));
    assert_eq!(r.call_on(1, "read", &[rd, at, 8]), None);
    r.call("close", &[wr]);
    assert_eq!(r.completed(), [(1, 0)]);
}

#[test]
fn a_big_write_goes_in_parts() {
    let mut r = Rig::new();
    let (rd, wr) = pipe(&mut r, 0);
    r.fork(0, 1, 2, 1, 1);
    let big: Vec<u8> = (0..150_000u32).map(|i| i as u8).collect();
    let at = r.put(&big);
    assert_eq!(r.call_on(1, "write", &[wr, at, big.len() as u64]), None);
    let mut got = Vec::new();
    while got.len() < big.len() {
        got.extend(r.read(rd as i64, 50_000).expect("data"));
    }
    assert_eq!(got, big);
    assert_eq!(r.completed(), [(1, 150_000)]);
}

#[test]
fn a_big_write_that_wakes_its_own_way_free_ends_at_once() {
    let mut r = Rig::new();
    let (rd, wr) = pipe(&mut r, 0);
    r.fork(0, 1, 2, 1, 1);
    let big: Vec<u8> = (0..120_000u32).map(|i| i as u8).collect();
    let (from, to) = (r.put(&big), r.room(65_536));
    assert_eq!(r.call_on(1, "read", &[rd, to, 65_536]), None);
    // The reader takes what fills the pipe and so makes room for the rest, all before the call is over: the writer must
    // not be left waiting for an answer that was given before it waited.
    assert_eq!(
        r.call_on(0, "write", &[wr, from, big.len() as u64]),
        Some(120_000)
    );
    assert_eq!(r.completed(), [(1, 65_536)]);
    assert_eq!(r.get(to, 65_536), big[..65_536]);
    assert_eq!(r.read(rd as i64, 65_536), Ok(big[65_536..].to_vec()));
}

#[test]
fn a_waiting_write_that_is_interrupted_says_what_went() {
    let mut r = Rig::new();
    let (rd, wr) = pipe(&mut r, 0);
    r.fork(0, 1, 2, 1, 1);
    let at = r.room(70_000);
    assert_eq!(r.call_on(1, "write", &[wr, at, 70_000]), None);
    assert_eq!(r.fs.cancel(ThreadIdx(1)), Ok(None));
    assert_eq!(r.completed(), [(1, 65_536)]);
    assert_eq!(r.fs.cancel(ThreadIdx(1)), Ok(None));
    assert_eq!(r.read(rd as i64, 65_536).map(|d| d.len()), Ok(65_536));
    assert_eq!(r.call_on(1, "read", &[rd, at, 1]), None);
    assert_eq!(
        r.fs.cancel(ThreadIdx(1)),
        Ok(Some(Errno::ERESTARTSYS.raw()))
    );
    assert_eq!(r.completed(), []);
}

#[test]
fn small_writes_are_whole_or_wait() {
    let mut r = Rig::new();
    let (rd, wr) = pipe(&mut r, NONBLOCK);
    let at = r.room(65_536);
    assert_eq!(r.call("write", &[wr, at, 65_000]), 65_000);
    assert_eq!(r.call("write", &[wr, at, 4096]), err(Errno::EAGAIN));
    assert_eq!(
        r.call("write", &[wr, at, 5000]),
        536,
        "more than PIPE_BUF may be cut"
    );
    assert_eq!(r.call("write", &[wr, at, 1]), err(Errno::EAGAIN));
    let n = r.room(4);
    assert_eq!(r.call("ioctl", &[rd, 0x541b, n]), 0);
    assert_eq!(r.fetch::<i32>(n), 65_536);
    assert_eq!(r.call("fcntl", &[wr, 1031, 4096]), err(Errno::EBUSY));
    assert_eq!(r.call("fcntl", &[wr, 1031, 100_000]), 131_072);
    assert_eq!(r.call("write", &[wr, at, 4096]), 4096);
    assert_eq!(r.read(rd as i64, 65_536).map(|d| d.len()), Ok(65_536));
    assert_eq!(r.read(rd as i64, 65_536).map(|d| d.len()), Ok(4096));
    assert_eq!(r.read(rd as i64, 1), Err(err(Errno::EAGAIN)));
}

#[test]
fn nobody_reads() {
    let mut r = Rig::new();
    let (rd, wr) = pipe(&mut r, 0);
    r.call("close", &[rd]);
    assert_eq!(r.write(wr as i64, b"x"), err(Errno::EPIPE));
    assert_eq!(r.signals(), [(Target::Thread(ThreadIdx(0)), 13)]);
}

#[test]
fn fifos_meet() {
    let mut r = Rig::new();
    let path = r.text("/fifo");
    assert_eq!(r.call("mknodat", &[CWD, path, 0o010644, 0]), 0);
    assert_eq!(r.open("/fifo", WRONLY | NONBLOCK, 0), err(Errno::ENXIO));
    r.fork(0, 1, 2, 1, 1);
    assert_eq!(r.call_on(1, "openat", &[CWD, path, 0, 0]), None);
    assert_eq!(r.open("/fifo", WRONLY, 0), 3);
    assert_eq!(r.completed(), [(1, 3)]);
    r.write(3, b"through");
    let at = r.room(16);
    assert_eq!(r.call_on(1, "read", &[3, at, 16]), Some(7));
    r.call("close", &[3]);
    assert_eq!(r.call_on(1, "read", &[3, at, 16]), Some(0));
    assert_eq!(r.call_on(1, "close", &[3]), Some(0));
    assert_eq!(r.call_on(1, "openat", &[CWD, path, 0, 0]), None);
    assert_eq!(
        r.fs.cancel(ThreadIdx(1)),
        Ok(Some(Errno::ERESTARTSYS.raw()))
    );
    assert_eq!(r.open("/fifo", WRONLY | NONBLOCK, 0), err(Errno::ENXIO));
}

#[test]
fn sendfile_and_splice() {
    let mut r = Rig::new();
    let file = r.open("/f", RDWR | CREAT, 0o644);
    r.write(file, &[7; 10_000]);
    let (rd, wr) = pipe(&mut r, NONBLOCK);
    let off = r.put(&1000i64.to_le_bytes());
    assert_eq!(r.call("sendfile", &[wr, 3, off, 5000]), 5000);
    assert_eq!(r.fetch::<i64>(off), 6000);
    assert_eq!(r.call("lseek", &[3, 0, 1]), 10_000, "its own offset stays");
    let out = r.open("/out", RDWR | CREAT, 0o644) as u64;
    assert_eq!(r.call("splice", &[rd, 0, out, 0, 9000, 0]), 5000);
    assert_eq!(r.slurp("/out").len(), 5000);
    assert_eq!(
        r.call("splice", &[rd, 0, out, 0, 9000, 0]),
        err(Errno::EAGAIN)
    );
    assert_eq!(r.call("splice", &[3, 0, out, 0, 9, 0]), err(Errno::EINVAL));
    let zero = r.put(&0i64.to_le_bytes());
    assert_eq!(
        r.call("copy_file_range", &[3, zero, out, 0, 100_000, 0]),
        10_000
    );
    assert_eq!(r.slurp("/out").len(), 15_000);
    r.call("lseek", &[3, 0, 0]);
    assert_eq!(r.call("sendfile", &[1, 3, 0, 3]), 3);
    assert_eq!(r.shown(), "\u{7}\u{7}\u{7}");
    assert_eq!(r.call("sendfile", &[1, rd, 0, 3]), err(Errno::EINVAL));
}

#[test]
fn socket_pairs_talk_both_ways() {
    let mut r = Rig::new();
    let at = r.room(8);
    assert_eq!(r.call("socketpair", &[1, 1, 0, at]), 0);
    let pair: FdPair = r.fetch(at);
    let (a, b) = (i64::from(pair.first), i64::from(pair.second));
    assert_eq!(r.write(a, b"ping"), 4);
    assert_eq!(r.read(b, 9), Ok(b"ping".to_vec()));
    assert_eq!(r.write(b, b"pong"), 4);
    assert_eq!(r.read(a, 2), Ok(b"po".to_vec()));
    r.call("close", &[b as u64]);
    assert_eq!(r.read(a, 9), Ok(b"ng".to_vec()));
    assert_eq!(r.read(a, 9), Ok(Vec::new()));
    assert_eq!(r.write(a, b"x"), err(Errno::EPIPE));
    assert_eq!(r.signals().len(), 1);
    // Messages keep their borders.
    assert_eq!(r.call("socketpair", &[1, 5, 0, at]), 0);
    let pair: FdPair = r.fetch(at);
    let (a, b) = (i64::from(pair.first), i64::from(pair.second));
    r.write(a, b"first");
    r.write(a, b"second");
    assert_eq!(r.read(b, 3), Ok(b"fir".to_vec()));
    assert_eq!(r.read(b, 99), Ok(b"second".to_vec()));
    assert_eq!(r.call("socket", &[2, 1, 0]), err(Errno::EAFNOSUPPORT));
}

#[test]
fn memfds_are_sealed() {
    let mut r = Rig::new();
    let name = r.text("x");
    let fd = r.call("memfd_create", &[name, 3]) as u64;
    assert_eq!(r.write(fd as i64, b"abc"), 3);
    assert_eq!(r.call("fcntl", &[fd, 1033, 4 | 8]), 0);
    assert_eq!(r.write(fd as i64, b"x"), err(Errno::EPERM));
    assert_eq!(r.call("ftruncate", &[fd, 9]), err(Errno::EPERM));
    assert_eq!(r.call("ftruncate", &[fd, 1]), 0);
    assert_eq!(r.call("fcntl", &[fd, 1034, 0]), 12);
    let path = r.text(&format!("/proc/self/fd/{fd}"));
    let buf = r.room(64);
    let n = r.call("readlinkat", &[CWD, path, buf, 64]) as usize;
    assert_eq!(r.get(buf, n), b"/memfd:x (deleted)");
}
