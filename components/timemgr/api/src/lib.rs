//! Interface of the time manager, and how other components set alarms.
//!
//! Monotonic time is the architecture's virtual counter, which every component reads by itself. A component that waits for a
//! moment writes its earliest deadline into its *alarm* dataport (word 0, nanoseconds of monotonic time, 0: none) and signals
//! the time manager, which signals back when the deadline has passed. So the memory manager below can have time-outs without
//! calling up.
//!
//! What wall-clock time adds to monotonic time stands in word 0 of the *clock* dataport, in nanoseconds.
//!
//! It says what crosses the border and nothing else: it must hold no behaviour, and no call here may block.
#![no_std]
#![deny(unsafe_code)]

use lsyscall_abi::ThreadIdx;
use persona_ipc::interface;

interface! {
    /// What the components above call.
    pub interface TimeMgr, TimeMgrService, TimeMgrClient, timemgr_dispatch {
        /// Nanoseconds to add to monotonic time for wall-clock time since 1970.
        1 => fn realtime_offset() -> u64;
        /// Interrupts a parked sleep of the thread: how the call ends, `None` if none was parked.
        2 => fn cancel(thread: ThreadIdx) -> Option<i32>;
        /// The thread is gone: forgets it.
        3 => fn forget(thread: ThreadIdx) -> ();
    }
}
