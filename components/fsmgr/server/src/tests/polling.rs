//! poll, select, epoll, eventfd, timerfd.

use fsmgr_api::{FsMgrService, TakenSignal};
use lsyscall_abi::{EpollEvent, Errno, FdPair, PollFd, ThreadIdx};
use zerocopy::IntoBytes;

use super::*;

fn pollfd(fd: u64, events: u16) -> PollFd {
    PollFd {
        fd: fd as i32,
        events,
        revents: 0,
    }
}

fn timespec(r: &mut Rig, sec: i64, nsec: i64) -> u64 {
    let raw: Vec<u8> = [sec, nsec].iter().flat_map(|w| w.to_le_bytes()).collect();
    r.put(&raw)
}

fn pipe(r: &mut Rig) -> (u64, u64) {
    let at = r.room(8);
    assert_eq!(r.call("pipe2", &[at, 0]), 0);
    let pair: FdPair = r.fetch(at);
    (pair.first as u64, pair.second as u64)
}

#[test]
fn poll_reports_waits_and_times_out() {
    let mut r = Rig::new();
    let (rd, wr) = pipe(&mut r);
    let fds = r.put([pollfd(rd, 1), pollfd(wr, 4), pollfd(77, 1)].as_bytes());
    let zero = timespec(&mut r, 0, 0);
    assert_eq!(r.call("ppoll", &[fds, 3, zero, 0, 8]), 2);
    let revents = |r: &Rig, i: u64| r.fetch::<PollFd>(fds + i * 8).revents;
    assert_eq!(
        (revents(&r, 0), revents(&r, 1), revents(&r, 2)),
        (0, 4, 0x20)
    );
    assert_eq!(r.call("ppoll", &[fds, 1, zero, 0, 8]), 0);
    r.fork(0, 1, 2, 1, 1);
    assert_eq!(r.call_on(1, "ppoll", &[fds, 1, 0, 0, 8]), None);
    r.write(wr as i64, b"x");
    assert_eq!(r.completed(), [(1, 1)]);
    r.read(rd as i64, 1).expect("data");
    let second = timespec(&mut r, 1, 0);
    assert_eq!(r.call_on(1, "ppoll", &[fds, 1, second, 0, 8]), None);
    r.sleep(900_000_000);
    assert_eq!(r.completed(), []);
    r.sleep(100_000_000);
    assert_eq!(r.completed(), [(1, 0)]);
    assert_eq!(r.alarm.load(0), 0);
    assert_eq!(r.call_on(1, "ppoll", &[fds, 1, 0, 0, 8]), None);
    assert_eq!(
        r.fs.cancel(ThreadIdx(1)),
        Ok(Some(Errno::ERESTARTNOHAND.raw()))
    );
    // The writer goes away.
    assert_eq!(r.call_on(1, "close", &[wr]), Some(0));
    r.call("close", &[wr]);
    assert_eq!(r.call("ppoll", &[fds, 1, 0, 0, 8]), 1);
    assert_eq!(revents(&r, 0), 0x10);
    let bad = timespec(&mut r, 0, 1_000_000_000);
    assert_eq!(r.call("ppoll", &[fds, 1, bad, 0, 8]), err(Errno::EINVAL));
}

#[test]
fn select_reports() {
    let mut r = Rig::new();
    let (rd, wr) = pipe(&mut r);
    let read = r.put(&(1u64 << rd).to_le_bytes());
    let write = r.put(&(1u64 << wr).to_le_bytes());
    let zero = timespec(&mut r, 0, 0);
    assert_eq!(r.call("pselect6", &[wr + 1, read, write, 0, zero, 0]), 1);
    assert_eq!((r.fetch::<u64>(read), r.fetch::<u64>(write)), (0, 1 << wr));
    let read = r.put(&(1u64 << 40).to_le_bytes());
    assert_eq!(
        r.call("pselect6", &[64, read, 0, 0, zero, 0]),
        err(Errno::EBADF)
    );
    assert_eq!(
        r.call("pselect6", &[u64::MAX, 0, 0, 0, zero, 0]),
        err(Errno::EINVAL)
    );
}

fn epoll_add(r: &mut Rig, ep: u64, fd: u64, events: u32, data: u64) -> i64 {
    let event = EpollEvent {
        events,
        pad: 0,
        data,
    };
    let at = r.put(event.as_bytes());
    r.call("epoll_ctl", &[ep, 1, fd, at])
}

#[test]
fn epoll_level_edge_once() {
    let mut r = Rig::new();
    let ep = r.call("epoll_create1", &[0]) as u64;
    let (rd, wr) = pipe(&mut r);
    assert_eq!(epoll_add(&mut r, ep, rd, 1, 11), 0);
    assert_eq!(epoll_add(&mut r, ep, rd, 1, 11), err(Errno::EEXIST));
    let out = r.room(64);
    assert_eq!(r.call("epoll_pwait", &[ep, out, 4, 0, 0, 8]), 0);
    r.write(wr as i64, b"x");
    for _ in 0..2 {
        assert_eq!(r.call("epoll_pwait", &[ep, out, 4, 0, 0, 8]), 1, "level");
        assert_eq!(r.fetch::<EpollEvent>(out).data, 11);
    }
    let modify = |r: &mut Rig, events: u32| {
        let event = EpollEvent {
            events,
            pad: 0,
            data: 12,
        };
        let at = r.put(event.as_bytes());
        assert_eq!(r.call("epoll_ctl", &[ep, 3, rd, at]), 0);
    };
    modify(&mut r, 1 | 1 << 31);
    assert_eq!(r.call("epoll_pwait", &[ep, out, 4, 0, 0, 8]), 1, "edge");
    assert_eq!(r.call("epoll_pwait", &[ep, out, 4, 0, 0, 8]), 0);
    r.write(wr as i64, b"y");
    assert_eq!(r.call("epoll_pwait", &[ep, out, 4, 0, 0, 8]), 1);
    modify(&mut r, 1 | 1 << 30);
    assert_eq!(r.call("epoll_pwait", &[ep, out, 4, 0, 0, 8]), 1, "once");
    r.write(wr as i64, b"z");
    assert_eq!(r.call("epoll_pwait", &[ep, out, 4, 0, 0, 8]), 0);
    modify(&mut r, 1);
    r.read(rd as i64, 9).expect("data");
    r.fork(0, 1, 2, 1, 1);
    assert_eq!(
        r.call_on(1, "epoll_pwait", &[ep, out, 4, u64::MAX, 0, 8]),
        None
    );
    r.write(wr as i64, b"w");
    assert_eq!(r.completed(), [(1, 1)]);
    assert_eq!(r.call("epoll_ctl", &[ep, 2, rd, 0]), 0);
    assert_eq!(r.call("epoll_ctl", &[ep, 2, rd, 0]), err(Errno::ENOENT));
    assert_eq!(r.call("epoll_pwait", &[ep, out, 4, 0, 0, 8]), 0);
    let file = r.open("/f", RDWR | CREAT, 0o600) as u64;
    assert_eq!(epoll_add(&mut r, ep, file, 1, 0), err(Errno::EPERM));
}

#[test]
fn epoll_nests_but_not_in_circles_and_forgets_closed_files() {
    let mut r = Rig::new();
    let outer = r.call("epoll_create1", &[0]) as u64;
    let inner = r.call("epoll_create1", &[0]) as u64;
    assert_eq!(epoll_add(&mut r, outer, inner, 1, 1), 0);
    assert_eq!(epoll_add(&mut r, inner, outer, 1, 1), err(Errno::ELOOP));
    assert_eq!(epoll_add(&mut r, inner, inner, 1, 1), err(Errno::EINVAL));
    let event = r.call("eventfd2", &[0, 0]) as u64;
    assert_eq!(epoll_add(&mut r, inner, event, 1, 2), 0);
    let out = r.room(64);
    assert_eq!(r.call("epoll_pwait", &[outer, out, 4, 0, 0, 8]), 0);
    r.write(event as i64, &1u64.to_le_bytes());
    assert_eq!(r.call("epoll_pwait", &[outer, out, 4, 0, 0, 8]), 1);
    r.call("close", &[event]);
    assert_eq!(r.call("epoll_pwait", &[inner, out, 4, 0, 0, 8]), 0);
}

#[test]
fn eventfd_counts() {
    let mut r = Rig::new();
    let fd = r.call("eventfd2", &[3, 0o4000]);
    assert_eq!(r.read(fd, 8), Ok(3u64.to_le_bytes().to_vec()));
    assert_eq!(r.read(fd, 8), Err(err(Errno::EAGAIN)));
    assert_eq!(r.read(fd, 7), Err(err(Errno::EINVAL)));
    assert_eq!(r.write(fd, &u64::MAX.to_le_bytes()), err(Errno::EINVAL));
    assert_eq!(r.write(fd, &(u64::MAX - 1).to_le_bytes()), 8);
    assert_eq!(r.write(fd, &1u64.to_le_bytes()), err(Errno::EAGAIN));
}

#[test]
fn timerfd_expires_again_and_again() {
    let mut r = Rig::new();
    let fd = r.call("timerfd_create", &[1, 0]);
    let spec: Vec<u8> = [1i64, 0, 0, 500_000_000]
        .iter()
        .flat_map(|w| w.to_le_bytes())
        .collect();
    let spec = r.put(&spec);
    assert_eq!(r.call("timerfd_settime", &[fd as u64, 0, spec, 0]), 0);
    r.fork(0, 1, 2, 1, 1);
    let at = r.room(8);
    assert_eq!(r.call_on(1, "read", &[fd as u64, at, 8]), None);
    r.sleep(500_000_000);
    assert_eq!(r.completed(), [(1, 8)]);
    assert_eq!(r.fetch::<u64>(at), 1);
    r.sleep(3_000_000_000);
    assert_eq!(r.read(fd, 8), Ok(3u64.to_le_bytes().to_vec()));
    let now = r.room(32);
    assert_eq!(r.call("timerfd_gettime", &[fd as u64, now]), 0);
    assert_eq!(r.fetch::<[i64; 4]>(now), [1, 0, 1, 0]);
}

#[test]
fn signalfd_asks_procmgr() {
    let mut r = Rig::new();
    let mask = r.put(&(1u64 << 9).to_le_bytes());
    let fd = r.call("signalfd4", &[u64::MAX, mask, 8, 0]);
    let t = ThreadIdx(0);
    assert!(r.fs.signal_wish(t).expect("known").watched);
    assert_eq!(r.signals().len(), 1, "procmgr is to ask");
    let at = r.room(128);
    let read = [fd as u64, at, 128];
    assert_eq!(r.call_on(0, "read", &read), None);
    assert_eq!(r.fs.signal_wish(t).expect("known").take, None);
    r.fs.signals_pending(t, 1 << 9).expect("told");
    assert_eq!(r.fs.signal_wish(t).expect("known").take, Some(1 << 9));
    let taken = TakenSignal {
        signal: 10,
        errno: 0,
        code: 0,
        first: 7 | 1000 << 32,
        second: 0,
    };
    r.fs.give_signal(t, Some(taken), 0).expect("given");
    assert_eq!(r.completed(), [(0, 128)]);
    assert_eq!(r.fetch::<[u32; 5]>(at), [10, 0, 0, 7, 1000]);
    // Somebody else has taken it meanwhile.
    r.fs.signals_pending(t, 1 << 9).expect("told");
    assert_eq!(r.call_on(0, "read", &read), None);
    r.fs.give_signal(t, None, 0).expect("answered");
    assert_eq!(r.completed(), []);
    assert_eq!(r.fs.cancel(t), Ok(Some(Errno::ERESTARTSYS.raw())));
    assert_eq!(r.call("read", &[fd as u64, at, 127]), err(Errno::EINVAL));
}
