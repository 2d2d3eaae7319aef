//! What must hold between any two events.

use lsyscall_abi::ThreadIdx;
use procmgr_api::{process_offset, thread_offset, Header, ProcEntry, ThreadEntry};
use zerocopy::{FromZeros, IntoBytes};

use super::driver::{System, INIT, SLOTS};
use super::world::Run;
use crate::state::State;

impl System {
    /// What fsmgr sees of a process.
    pub fn entry(&self, pid: i64) -> Option<ProcEntry> {
        (0..SLOTS)
            .map(|slot| {
                let mut entry = ProcEntry::new_zeroed();
                self.table
                    .read(process_offset(SLOTS, slot), entry.as_mut_bytes());
                entry
            })
            .find(|entry| i64::from(entry.pid) == pid)
    }

    pub fn state(&self, pid: i64) -> char {
        char::from(self.entry(pid).expect("a process").state as u8)
    }

    /// What must hold between any two events.
    pub fn check(&self) {
        let server = &self.server;
        assert!(server.work.is_empty(), "work left over");
        assert!(server.changed.is_empty(), "changes not published");
        let w = self.world.0.borrow();
        let mut waiting = 0;
        for index in 0..SLOTS {
            let t = ThreadIdx(index as u16);
            let mut entry = ThreadEntry::new_zeroed();
            self.table.read(thread_offset(index), entry.as_mut_bytes());
            let Some(thread) = server.thread(t) else {
                assert_eq!(entry, ThreadEntry::default());
                assert!(!w.fs_threads.contains(&t.0), "fsmgr knows a dead thread");
                assert!(!w.attached.contains_key(&t.0), "memmgr knows a dead thread");
                if let Some(tcb) = w.tcbs.get(&t.0) {
                    assert_eq!(tcb.run, Run::Halted, "a dead thread runs");
                }
                continue;
            };
            let process = server.process(thread.process).expect("its process");
            assert!(process.threads.contains(&t));
            assert_eq!(entry.tid, thread.tid as u32);
            assert_eq!(entry.blocked, thread.blocked.0);
            assert_eq!(entry.process as usize, thread.process.0);
            assert!(!thread.queued);
            let tcb = &w.tcbs[&t.0];
            let below = w.below.contains_key(&t.0);
            match &thread.state {
                State::User => {
                    assert!(!process.is_stopped(), "runs in a stopped process");
                    assert_eq!(server.ready(t).0, 0, "runs with a signal pending");
                    assert!(tcb.run != Run::Halted, "{t:?} should run: {:?}", tcb.run);
                }
                State::Shim(_) => assert_eq!(tcb.run, Run::Running),
                State::Stopped(_) => {
                    assert!(process.is_stopped());
                    assert_eq!(tcb.run, Run::Halted);
                }
                State::Parked(parked) => {
                    if parked.interrupted().is_some() {
                        assert!(!process.is_stopped());
                        assert_eq!(server.ready(t).0, 0, "waits with a signal pending");
                        assert!(matches!(tcb.run, Run::Waiting | Run::Calling));
                    } else {
                        assert_eq!(tcb.run, Run::Halted);
                    }
                }
                State::Held | State::Entering(..) => panic!("{t:?} left in procmgr's hands"),
            }
            assert!(!below || matches!(thread.state, State::User));
            waiting += u32::from(thread.state.waits());
        }
        assert_eq!(server.waiting, waiting);
        for (p, process) in server.processes() {
            for child in &process.children {
                let child = server.process(*child).expect("a child");
                assert_eq!(child.parent, Some(p));
            }
            if let Some(parent) = process.parent {
                let parent = server.process(parent).expect("a parent");
                assert!(parent.children.contains(&p));
                assert!(!parent.is_zombie() || server.ended);
            }
            assert_eq!(process.is_zombie(), process.threads.is_empty());
            assert_eq!(process.is_zombie(), process.space.is_none());
            let mut entry = ProcEntry::new_zeroed();
            self.table
                .read(process_offset(SLOTS, p.0), entry.as_mut_bytes());
            assert_eq!(entry.pid, process.pid as u32);
            assert_eq!(entry.pgid, process.pgid as u32);
            assert_eq!(entry.pending, process.pending.set().0);
            assert_eq!(entry.ignored, process.actions.explicitly_ignored().0);
            assert_eq!(entry.threads as usize, process.threads.len());
        }
        let spaces = w.mms.values().filter(|m| m.held).count();
        assert_eq!(
            spaces,
            w.vspaces.len(),
            "address spaces and their capabilities"
        );
        let mut header = Header::new_zeroed();
        self.table.read(0, header.as_mut_bytes());
        assert_eq!(header.threads as usize, w.fs_threads.len());
        assert_eq!(header.processes as usize, server.processes().count());
    }

    /// Only init is left, and everything else has been given back.
    pub fn check_empty(&self) {
        self.check();
        assert_eq!(self.server.processes().count(), 1);
        self.world(|w| {
            assert_eq!(w.mms.len(), 1);
            assert_eq!(w.vspaces.len(), 1);
            assert_eq!(w.fs_threads.len(), 1);
            assert_eq!(w.attached.len(), 1);
            assert!(w.tokens.is_empty());
        });
        let space = self
            .server
            .caller_process(INIT)
            .unwrap()
            .1
            .space
            .clone()
            .unwrap();
        assert_eq!(space.fp_areas.get(), 0);
    }
}
