//! The processor time of Linux threads, as the kernel counts it.

use lsyscall_abi::ThreadIdx;

use crate::Dataport;

/// Bytes of an entry: four words.
const ENTRY: usize = 32;
/// The entry of no thread: its user time is time in which the processor was idle.
const IDLE: usize = 1;
/// The entry of thread 0; those before are the kernel's own.
const FIRST: usize = 3;
/// Nanoseconds in a second.
const SECOND: u128 = 1_000_000_000;

/// Processor time and switches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// In the program itself, nanoseconds.
    pub user: u64,
    /// In kernel and servers on its behalf, nanoseconds; without the call that is being served.
    pub system: u64,
    /// How often it had to wait.
    pub voluntary: u64,
    /// How often another thread took the processor from it.
    pub involuntary: u64,
}

/// The kernel's usage frames (`images/kernel/overlay/include/usage/usage.h`): a dataport named `usage`, by the grant of the
/// same name. All reads are single words, so they are consistent enough for time that goes on anyway.
#[derive(Clone, Copy, Debug)]
pub struct UsageTable(Dataport);

impl UsageTable {
    /// Over the kernel's frames.
    pub fn new(port: Dataport) -> UsageTable {
        UsageTable(port)
    }

    /// How many threads have an entry.
    pub fn threads(&self) -> usize {
        (self.0.len() / ENTRY).saturating_sub(FIRST)
    }

    /// Ticks of the virtual counter in a second.
    pub fn frequency(&self) -> u64 {
        self.0.load(0)
    }

    /// Number of a thread's entry, as the kernel's TCB_SetUsage wants it.
    pub fn entry(thread: ThreadIdx) -> u64 {
        (FIRST + thread.index()) as u64
    }

    /// What a thread has used since it began.
    pub fn thread(&self, thread: ThreadIdx) -> Usage {
        self.read(FIRST + thread.index())
    }

    /// User: the time in which no thread was ready. System: what interrupts caused meanwhile.
    pub fn idle(&self) -> Usage {
        self.read(IDLE)
    }

    /// Ticks of the kernel's timer, and the threads that ran or were ready, added up over them.
    pub fn load(&self) -> (u64, u64) {
        (self.0.load(8), self.0.load(16))
    }

    /// Threads that are ready now and do not run.
    pub fn ready(&self) -> u64 {
        self.0.load(24)
    }

    fn read(&self, entry: usize) -> Usage {
        let at = entry.saturating_mul(ENTRY);
        let ns = |ticks: u64| match self.0.load(0) {
            0 => 0,
            hz => (u128::from(ticks) * SECOND / u128::from(hz)) as u64,
        };
        Usage {
            user: ns(self.0.load(at)),
            system: ns(self.0.load(at.saturating_add(8))),
            voluntary: self.0.load(at.saturating_add(16)),
            involuntary: self.0.load(at.saturating_add(24)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_lie_where_the_kernel_has_them() {
        let port = Dataport::private(6 * ENTRY);
        port.store(0, 62_500_000);
        port.store(24, 7);
        port.store(32, 62_500_000);
        for word in 0..4 {
            port.store(4 * ENTRY + word * 8, 1 + word as u64);
        }
        let table = UsageTable::new(port);
        assert_eq!(table.threads(), 3);
        assert_eq!(UsageTable::entry(ThreadIdx(1)), 4);
        let expected = Usage {
            user: 16,
            system: 32,
            voluntary: 3,
            involuntary: 4,
        };
        assert_eq!(table.thread(ThreadIdx(1)), expected);
        assert_eq!(table.idle().user, 1_000_000_000);
        assert_eq!(table.ready(), 7);
        assert_eq!(table.thread(ThreadIdx(u16::MAX)), Usage::default());
    }
}
