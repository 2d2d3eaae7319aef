//! System calls.

use super::*;
use memmgr_api::MemMgrService;

const BRK: u32 = 214;
const MUNMAP: u32 = 215;
const MREMAP: u32 = 216;
const MSYNC: u32 = 227;
const MLOCK: u32 = 228;
const MINCORE: u32 = 232;
const MADVISE: u32 = 233;
const MEMBARRIER: u32 = 283;
const FUTEX: u32 = 98;
const SET_ROBUST: u32 = 99;
const GET_ROBUST: u32 = 100;

#[test]
fn the_break_moves() {
    let mut w = World::new(256);
    let mm = w.program(1);
    w.m.set_brk(mm, 0x50_0010).unwrap();
    assert_eq!(w.sys(1, BRK, &[0]), Ok(0x50_0010));
    assert_eq!(w.sys(1, BRK, &[0x50_3000]), Ok(0x50_3000));
    w.put(1, 0x50_2fff, 4).unwrap();
    assert_eq!(w.put(1, 0x50_3000, 4), Err(FaultKind::NotMapped));
    assert_eq!(w.m.maps_after(at(1), 0).unwrap().unwrap().role, 1);
    assert_eq!(w.sys(1, BRK, &[0x50_1000]), Ok(0x50_1000));
    assert_eq!(w.sys(1, BRK, &[0x50_3000]), Ok(0x50_3000));
    assert_eq!(w.load(1, 0x50_2fff), Ok(0));
    assert_eq!(w.sys(1, BRK, &[1 << 46]), Ok(0x50_3000), "too much");
    w.map_fixed(1, 0x50_5000, MapRequest::anonymous(P, RW))
        .unwrap();
    assert_eq!(w.sys(1, BRK, &[0x50_5000]), Ok(0x50_3000), "in the way");
    w.audit();
}

#[test]
fn mremap_shrinks_grows_and_moves() {
    let mut w = World::new(256);
    w.program(1);
    w.map(1, 1);
    let a = w.map(1, 4);
    for page in 0..4 {
        w.put(1, a + page * P, 10 + page as u8).unwrap();
    }
    assert_eq!(w.sys(1, MREMAP, &[a, 4 * P, 2 * P, 0]), Ok(a as i64));
    assert_eq!(w.load(1, a + 2 * P), Err(FaultKind::NotMapped));
    assert_eq!(w.sys(1, MREMAP, &[a, 2 * P, 4 * P, 0]), Ok(a as i64));
    assert_eq!(w.load(1, a + 2 * P), Ok(0));
    assert_eq!(w.sys(1, MREMAP, &[a, 4 * P, 8 * P, 0]), Err(Errno::ENOMEM));
    let b = w.sys(1, MREMAP, &[a, 4 * P, 8 * P, 1]).unwrap() as u64;
    assert_ne!(a, b);
    assert_eq!(w.load(1, b + P), Ok(11));
    assert_eq!(w.load(1, b + 7 * P), Ok(0));
    assert_eq!(w.load(1, a), Err(FaultKind::NotMapped));
    w.audit();
    let c = 0x7000_0000;
    assert_eq!(w.sys(1, MREMAP, &[b, 2 * P, P, 3, c]), Ok(c as i64));
    assert_eq!(w.load(1, c), Ok(10));
    assert_eq!(w.load(1, b + P), Err(FaultKind::NotMapped));
    assert_eq!(w.load(1, b + 2 * P), Ok(0));
    w.put(1, c, 42).unwrap();
    let d = w.sys(1, MREMAP, &[c, P, P, 1 | 4]).unwrap() as u64;
    assert_eq!((w.load(1, d), w.load(1, c)), (Ok(42), Ok(0)));
    for bad in [
        [a + 1, P, P, 1, 0],
        [c, P, 0, 1, 0],
        [c, P, P, 2, d],
        [c, P, P, 8, 0],
        [c, P, P, 3, c],
        [c, 0, P, 1, 0],
    ] {
        assert_eq!(w.sys(1, MREMAP, &bad), Err(Errno::EINVAL), "{bad:x?}");
    }
    assert_eq!(w.sys(1, MREMAP, &[a, P, P, 1]), Err(Errno::EFAULT));
    assert_eq!(w.sys(1, MREMAP, &[c, 9 * P, 10 * P, 1]), Err(Errno::EFAULT));
    w.audit();
}

#[test]
fn advice_is_followed_where_it_can_be_seen() {
    let mut w = World::new(256);
    let mm = w.program(1);
    let a = w.map(1, 4);
    w.put(1, a, 1).unwrap();
    w.put(1, a + P, 2).unwrap();
    w.sys(1, MADVISE, &[a, P, 4]).unwrap();
    assert_eq!(w.load(1, a), Ok(0));
    w.sys(1, MADVISE, &[a + 2 * P, P, 10]).unwrap();
    w.sys(1, MADVISE, &[a + P, P, 18]).unwrap();
    let (child, _) = w.m.mm_fork(mm).unwrap();
    w.m.attach(ThreadIdx(2), child).unwrap();
    assert_eq!(w.load(2, a + P), Ok(0), "wiped");
    assert_eq!(w.load(2, a + 2 * P), Err(FaultKind::NotMapped));
    assert_eq!(w.load(1, a + P), Ok(2));
    w.sys(1, MADVISE, &[a, 4 * P, 23]).unwrap();
    w.poke(1, 0x10, &[]).unwrap();
    let vec = w.map(1, 1);
    w.sys(1, MINCORE, &[a, 4 * P, vec]).unwrap();
    assert_eq!(w.peek(1, vec, 4).unwrap(), [1, 1, 1, 1]);
    w.sys(1, MADVISE, &[a, 2 * P, 4]).unwrap();
    w.sys(1, MINCORE, &[a, 4 * P, vec]).unwrap();
    assert_eq!(w.peek(1, vec, 4).unwrap(), [0, 0, 1, 1]);
    assert_eq!(w.sys(1, MINCORE, &[a, 4 * P, 0]), Err(Errno::EFAULT));
    assert_eq!(
        w.sys(1, MINCORE, &[a + 4 * P, 1 << 40, vec]),
        Err(Errno::ENOMEM)
    );
    assert_eq!(w.sys(1, MINCORE, &[a + 1, P, vec]), Err(Errno::EINVAL));
    assert_eq!(w.sys(1, MADVISE, &[a, 4 * P, 77]), Err(Errno::EINVAL));
    assert_eq!(w.sys(1, MADVISE, &[a, 64 * P, 0]), Err(Errno::ENOMEM));
    assert_eq!(w.sys(1, MSYNC, &[a, 4 * P, 4]), Ok(0));
    assert_eq!(w.sys(1, MSYNC, &[a, 64 * P, 4]), Err(Errno::ENOMEM));
    assert_eq!(w.sys(1, MSYNC, &[a, P, 5]), Err(Errno::EINVAL));
    assert_eq!(w.sys(1, MLOCK, &[a + 5, P]), Ok(0));
    assert_eq!(w.sys(1, MLOCK, &[a, 64 * P]), Err(Errno::ENOMEM));
    assert_eq!(w.sys(1, MUNMAP, &[a, 0]), Err(Errno::EINVAL));
    assert_eq!(w.sys(1, MEMBARRIER, &[8]), Err(Errno::EPERM));
    assert_eq!(w.sys(1, MEMBARRIER, &[16]), Ok(0));
    assert_eq!(w.sys(1, MEMBARRIER, &[8]), Ok(0));
    assert_eq!(w.sys(1, 9999, &[]), Err(Errno::ENOSYS));
    w.audit();
}

fn two_threads() -> (World, u64) {
    let mut w = World::new(256);
    let mm = w.program(1);
    for thread in 2..6 {
        w.m.attach(ThreadIdx(thread), mm).unwrap();
    }
    let a = w.map(1, 1);
    (w, a)
}

#[test]
fn futexes_wait_and_wake() {
    let (mut w, a) = two_threads();
    assert_eq!(w.call(2, FUTEX, &[a, 128, 0, 0]), Ok(Flow::Park));
    assert_eq!(
        w.call(3, FUTEX, &[a, 0, 0, 0]),
        Ok(Flow::Park),
        "private or not is one"
    );
    assert_eq!(w.sys(4, FUTEX, &[a, 128, 1, 0]), Err(Errno::EAGAIN));
    assert_eq!(w.sys(4, FUTEX, &[a + 1, 128, 0, 0]), Err(Errno::EINVAL));
    assert_eq!(w.sys(4, FUTEX, &[0x40, 128, 0, 0]), Err(Errno::EFAULT));
    assert_eq!(w.sys(1, FUTEX, &[a, 129, 1]), Ok(1));
    assert_eq!(w.completed(), [(2, 0)]);
    assert_eq!(w.m.futex_wake(at(1), a, 9), Ok(1));
    assert_eq!(w.completed(), [(3, 0)]);
    assert_eq!(w.call(2, FUTEX, &[a, 137, 0, 0, 0, 0b100]), Ok(Flow::Park));
    assert_eq!(w.sys(1, FUTEX, &[a, 138, 9, 0, 0, 0b011]), Ok(0));
    assert_eq!(w.sys(1, FUTEX, &[a, 138, 9, 0, 0, 0]), Err(Errno::EINVAL));
    assert_eq!(w.sys(1, FUTEX, &[a, 138, 9, 0, 0, 0b110]), Ok(1));
    assert_eq!(w.completed(), [(2, 0)]);
    assert_eq!(w.sys(1, FUTEX, &[a, 77, 0]), Err(Errno::ENOSYS));
    assert_eq!(w.m.futexes.len(), 0);
}

#[test]
fn futexes_requeue_and_operate() {
    let (mut w, a) = two_threads();
    for thread in 2..6 {
        assert_eq!(w.call(thread, FUTEX, &[a, 128, 0, 0]), Ok(Flow::Park));
    }
    let wrong = w.sys(1, FUTEX, &[a, 132, 1, 2, a + 4, 9]);
    assert_eq!(wrong, Err(Errno::EAGAIN));
    assert_eq!(w.sys(1, FUTEX, &[a, 132, 1, 2, a + 4, 0]), Ok(3));
    assert_eq!(w.completed(), [(2, 0)]);
    assert_eq!(w.sys(1, FUTEX, &[a + 4, 129, 9]), Ok(2));
    assert_eq!(w.completed(), [(3, 0), (4, 0)]);
    // *(a + 4) = 7; wake one at a, and at a + 4 if it was 0.
    let op = 7 << 12;
    assert_eq!(w.sys(1, FUTEX, &[a, 133, 1, 1, a + 4, op]), Ok(1));
    assert_eq!(w.load(1, a + 4), Ok(7));
    assert_eq!(w.completed(), [(5, 0)]);
}

#[test]
fn shared_futexes_join_address_spaces() {
    let mut w = World::new(256);
    let mm = w.program(1);
    let request = MapRequest {
        shared: true,
        ..MapRequest::anonymous(P, RW)
    };
    let a = w.m.map(at(1), request).unwrap();
    let (child, _) = w.m.mm_fork(mm).unwrap();
    w.m.attach(ThreadIdx(2), child).unwrap();
    assert_eq!(w.call(2, FUTEX, &[a + 8, 0, 0, 0]), Ok(Flow::Park));
    assert_eq!(
        w.sys(1, FUTEX, &[a + 8, 129, 1]),
        Ok(0),
        "private is per address space"
    );
    assert_eq!(w.sys(1, FUTEX, &[a + 8, 1, 1]), Ok(1));
    assert_eq!(w.completed(), [(2, 0)]);
}

#[test]
fn futexes_time_out_by_the_alarm() {
    let (mut w, a) = two_threads();
    let time = a + 64;
    NOW.set(5_000);
    w.poke(1, time, &[0; 8]).unwrap();
    w.poke(1, time + 8, &1_000u64.to_le_bytes()).unwrap();
    assert_eq!(w.call(2, FUTEX, &[a, 128, 0, time]), Ok(Flow::Park));
    w.poke(1, time + 8, &5_500u64.to_le_bytes()).unwrap();
    let any = u64::from(u32::MAX);
    assert_eq!(w.call(3, FUTEX, &[a, 137, 0, time, 0, any]), Ok(Flow::Park));
    let port = w.m.env.dataport("alarm").unwrap();
    assert_eq!(port.load(0), 5_500);
    NOW.set(5_600);
    w.m.notified(1);
    assert_eq!(w.completed(), [(3, Errno::ETIMEDOUT.to_result())]);
    assert_eq!(port.load(0), 6_000);
    assert_eq!(
        w.m.cancel(ThreadIdx(2)),
        Ok(Some(Errno::ERESTART_RESTARTBLOCK.raw()))
    );
    assert_eq!(port.load(0), 0);
    assert_eq!(w.m.cancel(ThreadIdx(2)), Ok(None));
    assert_eq!(
        w.sys(3, FUTEX, &[a, 137, 0, time, 0, any]),
        Err(Errno::ETIMEDOUT)
    );
    w.poke(1, time + 8, &2_000_000_000u64.to_le_bytes())
        .unwrap();
    assert_eq!(w.sys(2, FUTEX, &[a, 128, 0, time]), Err(Errno::EINVAL));
    assert_eq!(w.sys(2, FUTEX, &[a, 128, 0, 16]), Err(Errno::EFAULT));
    assert_eq!(w.call(2, FUTEX, &[a, 128, 0, 0]), Ok(Flow::Park));
    assert_eq!(w.m.cancel(ThreadIdx(2)), Ok(Some(Errno::ERESTARTSYS.raw())));
    assert_eq!(w.call(2, FUTEX, &[a, 128, 0, 0]), Ok(Flow::Park));
    w.m.detach(ThreadIdx(2)).unwrap();
    assert_eq!(w.sys(1, FUTEX, &[a, 129, 1]), Ok(0));
    NOW.set(1_000);
}

#[test]
fn robust_lists_are_walked() {
    let (mut w, a) = two_threads();
    let word = |value: u64| value.to_le_bytes();
    // head -> e1 -> e2 -> head; the futex word lies 16 behind an entry; e3 is pending.
    let (head, e1, e2, e3) = (a, a + 64, a + 128, a + 192);
    for (at, value) in [
        (head, e1),
        (head + 8, 16),
        (head + 16, e3),
        (e1, e2),
        (e2, head),
    ] {
        w.poke(1, at, &word(value)).unwrap();
    }
    w.poke(1, e1 + 16, &(77u32 | 0x8000_0000).to_le_bytes())
        .unwrap();
    w.poke(1, e2 + 16, &78u32.to_le_bytes()).unwrap();
    w.poke(1, e3 + 16, &77u32.to_le_bytes()).unwrap();
    assert_eq!(w.sys(2, SET_ROBUST, &[head, 23]), Err(Errno::EINVAL));
    assert_eq!(w.sys(2, SET_ROBUST, &[head, 24]), Ok(0));
    assert_eq!(w.sys(2, GET_ROBUST, &[0, a + 256, a + 264]), Ok(0));
    assert_eq!(w.peek(1, a + 256, 8).unwrap(), head.to_le_bytes());
    let held = 77 | 0x8000_0000;
    assert_eq!(w.call(3, FUTEX, &[e1 + 16, 0, held, 0]), Ok(Flow::Park));
    w.m.robust_exit(ThreadIdx(2), 0, 77).unwrap();
    assert_eq!(w.completed(), [(3, 0)]);
    assert_eq!(w.peek(1, e1 + 16, 4).unwrap(), 0xc000_0000u32.to_le_bytes());
    assert_eq!(w.peek(1, e2 + 16, 4).unwrap(), 78u32.to_le_bytes());
    assert_eq!(w.peek(1, e3 + 16, 4).unwrap(), 0x4000_0000u32.to_le_bytes());
    // A list without end, and one that leads nowhere.
    w.poke(1, e2, &word(e1)).unwrap();
    w.m.robust_exit(ThreadIdx(2), head, 77).unwrap();
    w.m.robust_exit(ThreadIdx(2), 0x66, 77).unwrap();
}
