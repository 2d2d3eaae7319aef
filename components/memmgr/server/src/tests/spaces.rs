//! Mappings, faults, fork.

use super::*;
use memmgr_api::{MemMgrService, PROT_EXEC, SHIM_BASE, SHIM_DATA, STACK_TOP};

use crate::space::{GUARD_GAP, LOWEST};

#[test]
fn memory_is_zero_until_written() {
    let mut w = World::new(256);
    w.program(1);
    let a = w.map(1, 3);
    assert_eq!(w.load(1, a + 5), Ok(0));
    assert_eq!(w.put(1, a + P, 7), Ok(()));
    assert_eq!(w.load(1, a + P), Ok(7));
    assert_eq!(w.load(1, a - 1), Err(FaultKind::NotMapped));
    assert_eq!(w.load(1, a + 3 * P), Err(FaultKind::NotMapped));
    assert_eq!(w.load(1, u64::MAX), Err(FaultKind::NotMapped));
    w.audit();
}

#[test]
fn protection_is_kept_and_changed() {
    let mut w = World::new(256);
    w.program(1);
    let a = w.map(1, 4);
    w.put(1, a + P, 9).unwrap();
    w.sys(1, 226, &[a + P, P, u64::from(PROT_READ)]).unwrap();
    assert_eq!(w.put(1, a + P, 1), Err(FaultKind::NotAllowed));
    assert_eq!(w.load(1, a + P), Ok(9));
    w.audit();
    w.sys(1, 226, &[a + P, P, 0]).unwrap();
    assert_eq!(w.load(1, a + P), Err(FaultKind::NotAllowed));
    assert_eq!(w.peek(1, a + P, 1), Err(Errno::EFAULT));
    w.audit();
    w.sys(1, 226, &[a, 4 * P, u64::from(RW)]).unwrap();
    assert_eq!(w.load(1, a + P), Ok(9));
    assert_eq!(w.put(1, a + P, 1), Ok(()));
    let line = w.m.maps_after(at(1), 0).unwrap().unwrap();
    assert_eq!(
        (line.start, line.end),
        (a, a + 4 * P),
        "the pieces are one again"
    );
    let hole = w.sys(1, 226, &[a + 2 * P, 4 * P, u64::from(PROT_READ)]);
    assert_eq!(hole, Err(Errno::ENOMEM));
    assert_eq!(w.put(1, a + 3 * P, 1), Err(FaultKind::NotAllowed));
    assert_eq!(w.sys(1, 226, &[a + 1, P, 1]), Err(Errno::EINVAL));
    assert_eq!(w.sys(1, 226, &[a, P, 0x40]), Err(Errno::EINVAL));
    w.audit();
}

#[test]
fn code_is_synced_before_it_is_executable() {
    let mut w = World::new(256);
    w.program(1);
    let a = w.map(1, 1);
    w.put(1, a, 1).unwrap();
    let before = w.m.machine().synced();
    let exec = u64::from(PROT_READ | PROT_EXEC);
    w.sys(1, 226, &[a, P, exec]).unwrap();
    assert_eq!(w.m.machine().synced(), before + 1);
    let fetch = UserFault::Vm {
        pc: a,
        addr: a,
        instruction: true,
        esr: 0x8200_000f,
    };
    assert_eq!(w.m.fault(ThreadIdx(1), &fetch), FaultReply::Resume);
    let data = w.map(1, 1);
    let fetch = UserFault::Vm {
        pc: data,
        addr: data,
        instruction: true,
        esr: 0x8200_0007,
    };
    assert_eq!(w.m.fault(ThreadIdx(1), &fetch), FaultReply::Stop);
    let event = w.m.next_event().unwrap().unwrap();
    assert_eq!((event.kind, event.addr), (FaultKind::NotAllowed, data));
}

#[test]
fn fork_shares_until_someone_writes() {
    let mut w = World::new(512);
    let parent = w.program(1);
    let a = w.map(1, 8);
    for page in 0..8 {
        w.put(1, a + page * P, page as u8 + 1).unwrap();
    }
    let before = w.m.stats().unwrap().anonymous;
    let (child, _) = w.m.mm_fork(parent).unwrap();
    w.m.attach(ThreadIdx(2), child).unwrap();
    w.m.mm_drop(child).unwrap();
    assert_eq!(w.m.stats().unwrap().anonymous, before);
    w.audit();
    assert_eq!(w.load(2, a + P), Ok(2));
    w.put(2, a + P, 50).unwrap();
    w.put(1, a + 2 * P, 60).unwrap();
    assert_eq!(w.load(1, a + P), Ok(2));
    assert_eq!(w.load(2, a + 2 * P), Ok(3));
    assert_eq!(w.poke(2, a + 3 * P, &[70]), Ok(1));
    assert_eq!(w.load(1, a + 3 * P), Ok(4));
    assert_eq!(w.load(2, a + 3 * P), Ok(70));
    w.audit();
    w.m.detach(ThreadIdx(1)).unwrap();
    w.audit();
    w.put(2, a, 80).unwrap();
    assert_eq!(w.load(2, a), Ok(80));
    assert_eq!(w.load(2, a + 7 * P), Ok(8));
    w.m.detach(ThreadIdx(2)).unwrap();
    w.audit();
    assert_eq!(w.m.stats().unwrap().anonymous, 0);
}

#[test]
fn shared_memory_stays_shared_by_fork() {
    let mut w = World::new(512);
    let parent = w.program(1);
    let request = MapRequest {
        shared: true,
        ..MapRequest::anonymous(2 * P, RW)
    };
    let a = w.m.map(at(1), request).unwrap();
    let (child, _) = w.m.mm_fork(parent).unwrap();
    w.m.attach(ThreadIdx(2), child).unwrap();
    w.put(2, a + P, 5).unwrap();
    assert_eq!(w.load(1, a + P), Ok(5));
    w.audit();
    w.m.mm_drop(child).unwrap();
    w.m.detach(ThreadIdx(2)).unwrap();
    w.m.detach(ThreadIdx(1)).unwrap();
    assert_eq!(w.m.stats().unwrap().objects, 3 * P, "only the shim is left");
    w.audit();
}

#[test]
fn an_address_space_lives_while_held_or_attached() {
    let mut w = World::new(256);
    let (mm, _) = w.m.mm_create().unwrap();
    w.m.attach(ThreadIdx(1), mm).unwrap();
    w.m.attach(ThreadIdx(2), mm).unwrap();
    w.m.mm_drop(mm).unwrap();
    w.m.detach(ThreadIdx(1)).unwrap();
    assert_eq!(w.m.stats().unwrap().spaces, 1);
    let (next, _) = w.m.mm_create().unwrap();
    w.m.attach(ThreadIdx(2), next).unwrap();
    assert_eq!(w.m.mm_drop(mm), Err(Errno::ESRCH));
    assert_eq!(w.m.attach(ThreadIdx(3), mm), Err(Errno::ESRCH));
    assert_eq!(w.m.stats().unwrap().spaces, 1);
    w.audit();
}

#[test]
fn the_shim_is_there_and_out_of_reach() {
    let mut w = World::new(256);
    let parent = w.program(1);
    assert_eq!(w.peek(1, SHIM_BASE, 4).unwrap(), lsyscall_shim::CODE[..4]);
    assert_eq!(w.put(1, SHIM_BASE, 0), Err(FaultKind::NotAllowed));
    w.put(1, SHIM_DATA, 3).unwrap();
    assert_eq!(w.sys(1, 215, &[SHIM_BASE, P]), Err(Errno::EINVAL));
    assert_eq!(w.sys(1, 226, &[SHIM_BASE, P, 7]), Err(Errno::ENOMEM));
    let request = MapRequest::anonymous(P, RW);
    assert_eq!(w.map_fixed(1, SHIM_DATA, request), Err(Errno::ENOMEM));
    let (child, _) = w.m.mm_fork(parent).unwrap();
    w.m.attach(ThreadIdx(2), child).unwrap();
    assert_eq!(w.load(2, SHIM_DATA), Ok(3));
    w.put(2, SHIM_DATA, 4).unwrap();
    assert_eq!(w.load(1, SHIM_DATA), Ok(3));
    let roles: Vec<u8> = {
        let code = w.m.maps_after(at(1), SHIM_BASE).unwrap().unwrap();
        let data = w.m.maps_after(at(1), SHIM_DATA).unwrap().unwrap();
        vec![code.role, data.role]
    };
    assert_eq!(roles, [5, 6]);
    // The vDSO and what it reads: nobody writes there.
    let image = SHIM_BASE + lsyscall_shim::VDSO;
    assert_eq!(w.peek(2, image, 4).unwrap(), *b"\x7fELF");
    assert_eq!(
        w.peek(2, SHIM_BASE + lsyscall_shim::TIME, 8).unwrap(),
        [2, 0, 0, 0, 0, 0, 0, 0]
    );
    for (at, role) in [(image, 3), (SHIM_BASE + lsyscall_shim::TIME, 4)] {
        assert_eq!(w.put(2, at, 0), Err(FaultKind::NotAllowed));
        let map =
            w.m.maps_after(Space::Thread(ThreadIdx(2)), at)
                .unwrap()
                .unwrap();
        assert_eq!((map.start, map.role), (at, role));
    }
    w.audit();
}

#[test]
fn stacks_grow_to_their_limit_and_no_further() {
    let mut w = World::new(512);
    w.program(1);
    let stack = MapRequest {
        grows_down: true,
        ..MapRequest::anonymous(4 * P, RW)
    };
    let base = STACK_TOP - 4 * P;
    w.map_fixed(1, base, stack).unwrap();
    w.m.set_limits(at(1), u64::MAX, 64 * P, u64::MAX).unwrap();
    assert_eq!(w.put(1, base - 10 * P + 3, 1), Ok(()));
    assert_eq!(w.put(1, STACK_TOP - 64 * P, 1), Ok(()));
    assert_eq!(
        w.put(1, STACK_TOP - 64 * P - 1, 1),
        Err(FaultKind::NotMapped)
    );
    let line = w.m.maps_after(at(1), base - 11 * P).unwrap().unwrap();
    assert_eq!(
        (line.start, line.end, line.role),
        (STACK_TOP - 64 * P, STACK_TOP, 2)
    );
    // A mapping below keeps the stack away.
    let low = STACK_TOP - 64 * P - GUARD_GAP - P;
    w.map_fixed(1, low, MapRequest::anonymous(P, RW)).unwrap();
    w.m.set_limits(at(1), u64::MAX, u64::MAX, u64::MAX).unwrap();
    assert_eq!(w.put(1, low + P + 1, 1), Err(FaultKind::NotMapped));
    assert_eq!(w.put(1, low + P + GUARD_GAP, 1), Ok(()));
    w.audit();
}

#[test]
fn placement_follows_hints_and_fills_gaps_from_the_top() {
    let mut w = World::new(256);
    w.program(1);
    let a = w.map(1, 4);
    let b = w.map(1, 4);
    assert_eq!(b + 4 * P, a);
    w.sys(1, 215, &[a + P, P]).unwrap();
    assert_eq!(w.map(1, 1), a + P);
    let hint = MapRequest {
        addr: 0x5000_0123,
        ..MapRequest::anonymous(P, RW)
    };
    assert_eq!(w.m.map(at(1), hint), Ok(0x5000_0000));
    assert_ne!(w.m.map(at(1), hint), Ok(0x5000_0000));
    let keep = MapRequest {
        addr: 0x5000_0000,
        placement: Placement::FixedNoReplace,
        ..MapRequest::anonymous(P, RW)
    };
    assert_eq!(w.m.map(at(1), keep), Err(Errno::EEXIST));
    let bad = |addr, len| MapRequest {
        addr,
        placement: Placement::Fixed,
        ..MapRequest::anonymous(len, RW)
    };
    assert_eq!(w.m.map(at(1), bad(0x5000_0001, P)), Err(Errno::EINVAL));
    assert_eq!(w.m.map(at(1), bad(0, P)), Err(Errno::EPERM));
    assert_eq!(w.m.map(at(1), bad(LOWEST, 0)), Err(Errno::EINVAL));
    assert_eq!(w.m.map(at(1), bad(LOWEST, u64::MAX)), Err(Errno::ENOMEM));
    assert_eq!(w.m.map(at(1), bad(u64::MAX - P + 1, P)), Err(Errno::ENOMEM));
    assert_eq!(w.m.map(at(9), bad(LOWEST, P)), Err(Errno::ESRCH));
    w.audit();
}

#[test]
fn limits_are_enforced() {
    let mut w = World::new(256);
    w.program(1);
    let used = w.m.mm_stats(at(1)).unwrap().virtual_size;
    w.m.set_limits(at(1), used + 10 * P, 8 << 20, 3 * P)
        .unwrap();
    let request = |pages, prot| MapRequest::anonymous(pages * P, prot);
    assert_eq!(w.m.map(at(1), request(11, PROT_READ)), Err(Errno::ENOMEM));
    w.m.map(at(1), request(8, PROT_READ)).unwrap();
    assert_eq!(
        w.m.map(at(1), request(3, RW)),
        Err(Errno::ENOMEM),
        "the shim's data counts"
    );
    assert_eq!(w.m.map(at(1), request(3, PROT_READ)), Err(Errno::ENOMEM));
    let huge = request(1 << 30, RW);
    w.m.set_limits(at(1), u64::MAX, 8 << 20, u64::MAX).unwrap();
    assert_eq!(
        w.m.map(at(1), huge),
        Err(Errno::ENOMEM),
        "more than there is"
    );
    assert!(w.m.map(at(1), request(1 << 30, 0)).is_ok(), "a reservation");
    w.audit();
}

#[test]
fn events_of_a_detached_thread_are_forgotten() {
    let mut w = World::new(256);
    w.program(1);
    let fault = UserFault::User {
        pc: 0x400,
        esr: 0x3c << 26,
    };
    assert_eq!(w.m.fault(ThreadIdx(1), &fault), FaultReply::Stop);
    assert_eq!(w.m.fault(ThreadIdx(7), &fault), FaultReply::Stop);
    w.m.detach(ThreadIdx(1)).unwrap();
    let event = w.m.next_event().unwrap().unwrap();
    assert_eq!(
        (event.thread.0, event.kind, event.addr),
        (7, FaultKind::Breakpoint, 0x400)
    );
    assert!(w.m.next_event().unwrap().is_none());
}
