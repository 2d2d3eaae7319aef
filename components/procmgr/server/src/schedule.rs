//! How a thread is scheduled (sched(7)), and what the kernel is told of it.
//!
//! Threads of the policies without real time share one priority of the kernel, each with a share that follows from its nice
//! value (kernel patch P). Real-time threads have the priorities above, one for each of Linux's 99; all servers are above them.

use lsyscall_abi::consts::sched;
use lsyscall_abi::Errno;

/// The kernel's unit of shares; less is more.
const SHARE: u64 = 1024;
/// The share of SCHED_IDLE: 3 where nice 0 has 1024.
const IDLE_SHARE: u64 = SHARE * 1024 / 3;
/// Timeslice of SCHED_RR in ticks of the kernel, and nanoseconds of a tick.
const RR_TICKS: u64 = 20;
const TICK_NS: u64 = 5_000_000;

/// How a thread is scheduled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// SCHED_*, without flags.
    pub policy: i32,
    /// Real-time priority; 0 for policies without.
    pub priority: i32,
    /// Nice value, -20 to 19.
    pub nice: i32,
    /// Children start without privileges (SCHED_RESET_ON_FORK).
    pub reset_on_fork: bool,
}

impl Default for Schedule {
    fn default() -> Self {
        Schedule {
            policy: sched::SCHED_OTHER,
            priority: 0,
            nice: 0,
            reset_on_fork: false,
        }
    }
}

/// What the kernel wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// Above the priority of all threads without real time.
    pub above: u8,
    /// Inverse share; 0 for real-time threads.
    pub share: u64,
    /// Timeslice in ticks; 0: none.
    pub slice: u64,
}

/// Priorities of a policy, lowest and highest. `EINVAL` for what is none.
pub fn range(policy: i32) -> Result<(i32, i32), Errno> {
    match policy {
        sched::SCHED_OTHER | sched::SCHED_BATCH | sched::SCHED_IDLE | sched::SCHED_DEADLINE => {
            Ok((0, 0))
        }
        sched::SCHED_FIFO | sched::SCHED_RR => Ok((1, 99)),
        _ => Err(Errno::EINVAL),
    }
}

impl Schedule {
    /// Whether it is one of the real-time policies.
    pub fn is_real_time(&self) -> bool {
        matches!(self.policy, sched::SCHED_FIFO | sched::SCHED_RR)
    }

    /// Of a new thread.
    pub fn inherited(&self) -> Schedule {
        let mut child = *self;
        if core::mem::take(&mut child.reset_on_fork) {
            if child.is_real_time() {
                (child.policy, child.priority, child.nice) = (sched::SCHED_OTHER, 0, 0);
            }
            child.nice = child.nice.max(0);
        }
        child
    }

    /// What the kernel is told.
    pub fn params(&self) -> Params {
        let (above, share, slice) = match self.policy {
            sched::SCHED_FIFO => (self.priority.clamp(1, 99) as u8, 0, 0),
            sched::SCHED_RR => (self.priority.clamp(1, 99) as u8, 0, RR_TICKS),
            sched::SCHED_IDLE => (0, IDLE_SHARE, 0),
            _ => (0, share(self.nice), 0),
        };
        Params {
            above,
            share,
            slice,
        }
    }

    /// What sched_rr_get_interval(2) says, nanoseconds.
    pub fn interval(&self) -> u64 {
        match self.policy {
            sched::SCHED_FIFO => 0,
            sched::SCHED_RR => RR_TICKS * TICK_NS,
            _ => TICK_NS,
        }
    }
}

/// The inverse share of a nice value: each step is a quarter more or a fifth less.
fn share(nice: i32) -> u64 {
    let steps = nice.clamp(-20, 19);
    // 16 bits of fraction on the way.
    let mut share = SHARE << 16;
    for _ in 0..steps.unsigned_abs() {
        share = if steps > 0 {
            share * 5 / 4
        } else {
            share * 4 / 5
        };
    }
    (share >> 16).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_follow_nice_values() {
        assert_eq!(share(0), 1024);
        assert_eq!(share(1), 1280);
        assert_eq!(share(-1), 819);
        // 1.25 to the power of 19 and 20.
        assert!((70_500..71_500).contains(&share(19)), "{}", share(19));
        assert_eq!(share(-20), 11);
        assert_eq!(share(100), share(19));
    }

    #[test]
    fn children_may_start_without_privileges() {
        let mut parent = Schedule {
            policy: sched::SCHED_FIFO,
            priority: 5,
            nice: -3,
            ..Schedule::default()
        };
        assert_eq!(parent.inherited(), parent);
        assert_eq!((parent.params().above, parent.params().slice), (5, 0));
        parent.reset_on_fork = true;
        assert_eq!(parent.inherited(), Schedule::default());
        parent.policy = sched::SCHED_BATCH;
        let child = parent.inherited();
        assert_eq!((child.policy, child.nice), (sched::SCHED_BATCH, 0));
        assert_eq!(child.params().share, 1024);
    }
}
