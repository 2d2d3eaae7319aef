//! Local sockets with names, connections, descriptors that travel.

use fsmgr_api::FsMgrService;
use lsyscall_abi::{Errno, FdPair, Iovec, MsgHdr, PollFd, ThreadIdx};
use zerocopy::IntoBytes;

use super::*;
use crate::unix::message::address;

const STREAM: u64 = 1;
const DGRAM: u64 = 2;

fn bind(r: &mut Rig, fd: i64, name: &[u8]) -> i64 {
    let raw = address(name);
    let at = r.put(&raw);
    r.call("bind", &[fd as u64, at, raw.len() as u64])
}

fn connect_on(r: &mut Rig, thread: u16, fd: i64, name: &[u8]) -> Option<i64> {
    let raw = address(name);
    let at = r.put(&raw);
    r.call_on(thread, "connect", &[fd as u64, at, raw.len() as u64])
}

#[test]
fn a_server_and_its_client() {
    let mut r = Rig::new();
    let server = r.call("socket", &[1, STREAM, 0]);
    assert_eq!(r.call("listen", &[server as u64, 5]), err(Errno::EINVAL));
    assert_eq!(bind(&mut r, server, b"/sock"), 0);
    let other = r.call("socket", &[1, STREAM, 0]);
    assert_eq!(bind(&mut r, other, b"/sock"), err(Errno::EADDRINUSE));
    assert_eq!(
        connect_on(&mut r, 0, other, b"/sock"),
        Some(err(Errno::ECONNREFUSED))
    );
    assert_eq!(r.call("listen", &[server as u64, 0]), 0);
    r.fork(0, 1, 2, 1, 1);
    assert_eq!(connect_on(&mut r, 1, other, b"/sock"), Some(0));
    assert_eq!(
        connect_on(&mut r, 1, other, b"/sock"),
        Some(err(Errno::EISCONN))
    );
    let third = r.call_on(1, "socket", &[1, STREAM, 0]).expect("socket");
    assert_eq!(
        connect_on(&mut r, 1, third, b"/sock"),
        None,
        "the backlog is full"
    );
    let (addr, len) = (r.room(110), r.put(&110u32.to_le_bytes()));
    let conn = r.call("accept4", &[server as u64, addr, len, 0]);
    assert_eq!(conn, 5);
    assert_eq!(r.fetch::<u32>(len), 2, "the client has no name");
    assert_eq!(r.completed(), [(1, 0)]);
    assert_eq!(r.write(conn, b"hello"), 5);
    let at = r.room(16);
    assert_eq!(r.call_on(1, "read", &[other as u64, at, 16]), Some(5));
    let len = r.put(&110u32.to_le_bytes());
    assert_eq!(
        r.call_on(1, "getpeername", &[other as u64, addr, len]),
        Some(0)
    );
    assert_eq!(r.get(addr, 8), b"\x01\x00/sock\0");
    let len = r.put(&12u32.to_le_bytes());
    assert_eq!(
        r.call_on(1, "getsockopt", &[other as u64, 1, 17, addr, len]),
        Some(0)
    );
    assert_eq!(r.fetch::<[u32; 3]>(addr), [1, 0, 0]);
    // Half of it closed, then all.
    assert_eq!(r.call_on(1, "shutdown", &[other as u64, 1]), Some(0));
    assert_eq!(r.read(conn, 9), Ok(Vec::new()));
    assert_eq!(r.write(conn, b"more"), 4);
    r.call("close", &[other as u64]);
    r.fs.exit(ThreadIdx(1)).expect("exit");
    assert_eq!(r.write(conn, b"x"), err(Errno::ECONNRESET));
    assert_eq!(r.write(conn, b"x"), err(Errno::EPIPE));
    let path = r.text("/sock");
    assert_eq!(r.call("unlinkat", &[CWD, path, 0]), 0);
}

#[test]
fn datagrams_to_abstract_names() {
    let mut r = Rig::new();
    let a = r.call("socket", &[1, DGRAM, 0]);
    let b = r.call("socket", &[1, DGRAM | 0o4000, 0]);
    assert_eq!(bind(&mut r, a, b"\0alpha"), 0);
    assert_eq!(bind(&mut r, b, b""), 0, "autobind");
    let to = address(b"\0alpha");
    let (to, len) = (r.put(&to), to.len() as u64);
    let data = r.put(b"datagram");
    assert_eq!(r.call("sendto", &[b as u64, data, 8, 0, to, len]), 8);
    assert_eq!(r.call("sendto", &[b as u64, data, 0, 0, to, len]), 0);
    let (buf, from, room) = (r.room(32), r.room(110), r.put(&110u32.to_le_bytes()));
    assert_eq!(
        r.call("recvfrom", &[a as u64, buf, 4, 0x22, from, room]),
        8,
        "peek, full length"
    );
    assert_eq!(r.fetch::<u32>(room), 8);
    assert_eq!(r.call("recvfrom", &[a as u64, buf, 32, 0, 0, 0]), 8);
    assert_eq!(
        r.call("recvfrom", &[a as u64, buf, 32, 0, 0, 0]),
        0,
        "an empty one"
    );
    assert_eq!(
        r.call("recvfrom", &[a as u64, buf, 32, 0x40, 0, 0]),
        err(Errno::EAGAIN)
    );
    assert_eq!(r.write(b, b"x"), err(Errno::ENOTCONN));
    assert_eq!(connect_on(&mut r, 0, b, b"\0alpha"), Some(0));
    assert_eq!(r.write(b, b"x"), 1);
    r.call("close", &[a as u64]);
    assert_eq!(r.write(b, b"x"), err(Errno::ECONNREFUSED));
    assert_eq!(
        connect_on(&mut r, 0, b, b"\0alpha"),
        Some(err(Errno::ECONNREFUSED))
    );
}

#[test]
fn descriptors_travel() {
    let mut r = Rig::new();
    let at = r.room(8);
    assert_eq!(r.call("socketpair", &[1, STREAM, 0, at]), 0);
    let pair: FdPair = r.fetch(at);
    let (a, b) = (pair.first as u64, pair.second as u64);
    let file = r.open("/f", RDWR | CREAT, 0o600);
    r.write(file, b"content");
    let data = r.put(b"!!");
    let iov = r.put(Iovec { base: data, len: 2 }.as_bytes());
    let mut control = Vec::new();
    control.extend_from_slice(&20u64.to_le_bytes());
    control.extend_from_slice(&[1, 0, 0, 0, 1, 0, 0, 0]);
    control.extend_from_slice(&(file as i32).to_le_bytes());
    let control = r.put(&control);
    let message = MsgHdr {
        iov,
        iovlen: 1,
        control,
        controllen: 20,
        ..MsgHdr::default()
    };
    let message = r.put(message.as_bytes());
    assert_eq!(r.call("sendmsg", &[a, message, 0]), 2);
    assert_eq!(r.call("close", &[file as u64]), 0);
    let (buf, room) = (r.room(8), r.room(64));
    let iov = r.put(Iovec { base: buf, len: 8 }.as_bytes());
    let message = MsgHdr {
        iov,
        iovlen: 1,
        control: room,
        controllen: 64,
        ..MsgHdr::default()
    };
    let message = r.put(message.as_bytes());
    assert_eq!(r.call("recvmsg", &[b, message, 0]), 2);
    assert_eq!(r.get(buf, 2), b"!!");
    assert_eq!(r.fetch::<MsgHdr>(message).controllen, 24);
    let fd = r.fetch::<i32>(room + 16);
    assert_eq!(i64::from(fd), file, "the lowest free one");
    r.call("lseek", &[fd as u64, 0, 0]);
    assert_eq!(r.read(fd.into(), 9), Ok(b"content".to_vec()));
    // What was sent and never received is closed with the socket.
    let message = MsgHdr {
        iov: r.put(Iovec { base: data, len: 2 }.as_bytes()),
        iovlen: 1,
        control,
        controllen: 20,
        ..MsgHdr::default()
    };
    let message = r.put(message.as_bytes());
    let path = r.text("/f");
    r.call("unlinkat", &[CWD, path, 0]);
    assert_eq!(r.call("sendmsg", &[a, message, 0]), 2);
    r.call("close", &[fd as u64]);
    let objects = r.mem.server().objects();
    r.call("close", &[a]);
    r.call("close", &[b]);
    assert_eq!(
        r.mem.server().objects(),
        objects - 2,
        "the file and the ring"
    );
}

#[test]
fn polling_a_connection() {
    let mut r = Rig::new();
    let at = r.room(8);
    assert_eq!(r.call("socketpair", &[1, STREAM, 0, at]), 0);
    let pair: FdPair = r.fetch(at);
    let poll = PollFd {
        fd: pair.first,
        events: 1 | 4 | 0x2000,
        revents: 0,
    };
    let poll = r.put(poll.as_bytes());
    let revents = |r: &mut Rig| {
        assert_eq!(r.call("ppoll", &[poll, 1, 0, 0, 8]), 1);
        r.fetch::<PollFd>(poll).revents
    };
    assert_eq!(revents(&mut r), 4);
    r.write(pair.second.into(), b"x");
    assert_eq!(revents(&mut r), 5);
    r.call("close", &[pair.second as u64]);
    assert_eq!(revents(&mut r), 1 | 4 | 0x10 | 0x2000);
}
