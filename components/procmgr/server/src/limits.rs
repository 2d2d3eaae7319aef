//! Resource limits (getrlimit(2)).

use lsyscall_abi::consts::RLIM_INFINITY;

/// Limits there are.
pub const COUNT: usize = 16;
/// RLIMIT_CPU.
pub const CPU: usize = 0;
/// RLIMIT_FSIZE.
pub const FSIZE: usize = 1;
/// RLIMIT_DATA.
pub const DATA: usize = 2;
/// RLIMIT_STACK.
pub const STACK: usize = 3;
/// RLIMIT_CORE.
pub const CORE: usize = 4;
/// RLIMIT_NPROC.
pub const NPROC: usize = 6;
/// RLIMIT_NOFILE.
pub const NOFILE: usize = 7;
/// RLIMIT_MEMLOCK.
pub const MEMLOCK: usize = 8;
/// RLIMIT_AS.
pub const AS: usize = 9;
/// RLIMIT_SIGPENDING.
pub const SIGPENDING: usize = 11;
/// RLIMIT_MSGQUEUE.
pub const MSGQUEUE: usize = 12;
/// RLIMIT_NICE.
pub const NICE: usize = 13;
/// RLIMIT_RTPRIO.
pub const RTPRIO: usize = 14;

/// Soft and hard limit of each resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits(pub [(u64, u64); COUNT]);

impl Limits {
    /// What Linux gives init, with `threads` as the system's bound on processes.
    pub fn initial(threads: u64) -> Limits {
        let mut limits = [(RLIM_INFINITY, RLIM_INFINITY); COUNT];
        limits[STACK] = (8 << 20, RLIM_INFINITY);
        limits[CORE] = (0, RLIM_INFINITY);
        limits[NPROC] = (threads / 2, threads / 2);
        limits[NOFILE] = (1024, 4096);
        limits[MEMLOCK] = (8 << 20, 8 << 20);
        limits[SIGPENDING] = (
            crate::signal::MAX_QUEUED as u64,
            crate::signal::MAX_QUEUED as u64,
        );
        limits[MSGQUEUE] = (819_200, 819_200);
        limits[NICE] = (0, 0);
        limits[RTPRIO] = (0, 0);
        Limits(limits)
    }

    /// The soft limit.
    pub fn soft(&self, which: usize) -> u64 {
        self.0.get(which).map_or(RLIM_INFINITY, |l| l.0)
    }
}
