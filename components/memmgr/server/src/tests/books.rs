//! What happens when memory runs out, and that all of it comes back.

use super::*;
use memmgr_api::MemMgrService;

#[test]
fn exhaustion_is_an_error_and_ends_with_the_culprit() {
    let mut w = World::new(64);
    w.program(1);
    w.program(2);
    w.m.set_limits(at(1), u64::MAX, u64::MAX, u64::MAX).unwrap();
    let a = w.map(1, 60);
    let b = w.map(1, 60);
    let mut got = 0;
    let end = loop {
        let page = if got < 60 {
            a + got * P
        } else {
            b + (got - 60) * P
        };
        match w.put(1, page, 1) {
            Ok(()) => got += 1,
            Err(kind) => break kind,
        }
    };
    assert_eq!(end, FaultKind::OutOfMemory);
    assert_eq!(w.m.stats().unwrap().free, 0);
    w.audit();
    let v = w.m.vmo_create(0).unwrap();
    assert_eq!(w.m.write_vmo(v, 0, &[1]), Err(Errno::ENOMEM));
    assert_eq!(w.poke(2, 0x1000, &[1]), Err(Errno::EFAULT));
    assert_eq!(w.poke(1, b + 59 * P, &[1]), Err(Errno::ENOMEM));
    assert_eq!(w.m.user_to_vmo(v, 0, at(1), a, 10), Err(Errno::ENOMEM));
    w.audit();
    w.m.detach(ThreadIdx(1)).unwrap();
    w.audit();
    assert_eq!(w.m.write_vmo(v, 0, &[1]), Ok(1));
    let c = w.map(2, 40);
    for page in 0..40 {
        assert_eq!(w.load(2, c + page * P), Ok(0), "old contents are gone");
    }
    w.audit();
}

#[test]
fn a_fork_that_fails_leaves_nothing() {
    let mut w = World::new(66);
    let mm = w.program(1);
    w.put(1, memmgr_api::SHIM_DATA, 1).unwrap();
    let a = w.map(1, 62);
    let used = (0..62).take_while(|page| w.put(1, a + page * P, 1).is_ok());
    assert_eq!(used.count(), 62);
    // The shim's data page is copied at once, and there is no frame for it.
    assert_eq!(w.m.stats().unwrap().free, 0);
    assert_eq!(w.m.mm_fork(mm).map(|_| ()), Err(Errno::ENOMEM));
    w.audit();
    w.sys(1, 215, &[a, P]).unwrap();
    assert!(w.m.mm_fork(mm).is_ok());
    w.audit();
}

#[test]
fn programs_come_and_go_without_loss() {
    let mut w = World::new(512);
    let shell = w.program(1);
    let a = w.map(1, 20);
    for page in 0..20 {
        w.put(1, a + page * P, 1).unwrap();
    }
    let start = w.m.stats().unwrap();
    for round in 0..200u64 {
        let (child, _) = w.m.mm_fork(shell).unwrap();
        w.m.attach(ThreadIdx(2), child).unwrap();
        w.m.mm_drop(child).unwrap();
        w.put(2, a + (round % 20) * P, 2).unwrap();
        // exec
        let (fresh, _) = w.m.mm_create().unwrap();
        w.m.detach(ThreadIdx(2)).unwrap();
        w.m.attach(ThreadIdx(2), fresh).unwrap();
        w.m.mm_drop(fresh).unwrap();
        let b = w.map(2, 5);
        w.put(2, b, 3).unwrap();
        w.m.detach(ThreadIdx(2)).unwrap();
    }
    let end = w.m.stats().unwrap();
    assert_eq!((start.free, start.anonymous), (end.free, end.anonymous));
    assert_eq!(end.spaces, 1);
    w.audit();
}

/// As another domain's client asks, by message.
fn as_client(w: &mut World, f: impl Fn(&mut Server<Fake>) -> Result<u64, Errno>) -> u64 {
    w.m.remote = Some(1);
    let result = f(&mut w.m).expect("an answer");
    w.m.remote = None;
    result
}

#[test]
fn a_component_grows_when_a_program_has_taken_all_and_gives_back() {
    let mut w = World::new(2048);
    w.program(1);
    let a = w.map(1, 2048);
    let got = (0..2048).take_while(|page| w.put(1, a + page * P, 1).is_ok());
    let got = got.count() as u64;
    let left = w.m.stats().unwrap().free;
    assert_eq!(left, 2048 / 64 * P, "what is kept for components");
    assert!(got > 1900);
    let heap = 0x2000_0000;
    let grown = as_client(&mut w, |m| MemMgrService::grow_heap(m, heap, 8 * P));
    assert_eq!(grown, 8 * P);
    assert_eq!(w.m.stats().unwrap().free, left - 8 * P);
    assert_eq!(w.m.stats().unwrap().anonymous, got * P);
    // More than there is: what there is.
    let grown = as_client(&mut w, |m| {
        MemMgrService::grow_heap(m, heap + 8 * P, 200 * P)
    });
    assert_eq!(grown, left - 8 * P);
    w.audit();
    let gone = as_client(&mut w, |m| {
        MemMgrService::shrink_heap(m, heap + 4 * P, left - 4 * P)
    });
    assert_eq!(gone, left - 4 * P);
    assert_eq!(w.m.stats().unwrap().free, left - 4 * P);
    // What is mapped no longer cannot be unmapped.
    let gone = as_client(&mut w, |m| {
        MemMgrService::shrink_heap(m, heap + 4 * P, 4 * P)
    });
    assert_eq!(gone, 0);
    // Programs get nothing of what is kept, and all of the rest.
    assert_eq!(w.put(1, a + got * P, 1), Err(FaultKind::OutOfMemory));
    w.m.detach(ThreadIdx(1)).unwrap();
    assert_eq!(w.m.stats().unwrap().anonymous, 0);
    w.audit();
}
