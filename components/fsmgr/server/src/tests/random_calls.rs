//! Whatever a program asks, the file manager answers.

use fsmgr_api::FsMgrService;
use lsyscall_abi::ThreadIdx;
use lsyscall_table::{Component, Level};
use proptest::prelude::*;

use super::*;

/// Arguments of a kind programs really pass, and some they do not.
fn argument() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0u64..12,
        1 => Just(CWD),
        1 => Just(u64::MAX),
        2 => (0u64..16).prop_map(|i| super::fake::USER_BASE + i * 64),
        1 => Just(super::fake::USER_BASE + super::fake::USER_LEN as u64 - 3),
        1 => Just(i64::MAX as u64),
        1 => 0u64..70_000,
        1 => (0u32..22).prop_map(|bit| 1u64 << bit),
        1 => any::<u64>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn nothing_panics(calls in prop::collection::vec((any::<prop::sample::Index>(), prop::array::uniform6(argument()), 0u16..2), 1..60)) {
        let rows: Vec<_> = lsyscall_table::rows()
            .filter(|r| r.component == Component::Fsmgr && r.level != Level::No)
            .collect();
        let mut r = Rig::new();
        r.fork(0, 1, 2, 1, 1);
        let names = ["/", "/f", "/d", "f", "/d/f", "/proc/self/fd", "/dev/tty", "..", "/proc/self/fd/3", "tmpfs", "/l", "proc", ""];
        for (i, name) in names.iter().enumerate() {
            let at = super::fake::USER_BASE + i as u64 * 64;
            let mut bytes = name.as_bytes().to_vec();
            bytes.push(0);
            r.mem.server().user_mut(at, bytes.len()).copy_from_slice(&bytes);
        }
        for (which, args, thread) in calls {
            let row = which.get(&rows);
            if r.call_on(thread, row.name, &args).is_none() {
                let how = r.fs.cancel(ThreadIdx(thread)).expect("known");
                prop_assert!(how.is_some() || !r.completed().is_empty());
            }
            r.completed();
        }
        r.fs.exit(ThreadIdx(0)).expect("exit");
        r.fs.exit(ThreadIdx(1)).expect("exit");
    }
}
