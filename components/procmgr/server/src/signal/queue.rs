//! Pending signals.

use alloc::collections::VecDeque;

use lsyscall_abi::{SigSet, Signal};

/// Most signals one queue keeps with their information; beyond that real-time signals are refused with EAGAIN and standard
/// ones lose theirs (RLIMIT_SIGPENDING in small).
pub const MAX_QUEUED: usize = 256;

/// siginfo of a signal, as far as handlers see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info {
    /// The signal.
    pub signal: Signal,
    /// si_errno.
    pub errno: i32,
    /// si_code.
    pub code: i32,
    /// The union: si_pid and si_uid, si_addr, si_status ... as raw bytes 16 to 127 begin.
    pub fields: [u64; 3],
}

/// si_code: sent by kill.
pub const SI_USER: i32 = 0;
/// si_code: sent by the kernel.
pub const SI_KERNEL: i32 = 0x80;
/// si_code: sent by a timer of timer_create.
pub const SI_TIMER: i32 = -2;
/// si_code: sent by tgkill.
pub const SI_TKILL: i32 = -6;

impl Info {
    /// A signal from the system itself.
    pub fn kernel(signal: Signal) -> Self {
        Info {
            signal,
            errno: 0,
            code: SI_KERNEL,
            fields: [0; 3],
        }
    }

    /// A signal from a process.
    pub fn user(signal: Signal, code: i32, pid: i32, uid: u32) -> Self {
        Info {
            signal,
            errno: 0,
            code,
            fields: [u64::from(pid as u32) | u64::from(uid) << 32, 0, 0],
        }
    }

    /// A signal from a timer of timer_create: si_timerid, si_overrun, si_value.
    pub fn timer(signal: Signal, id: i32, value: u64) -> Self {
        Info {
            signal,
            errno: 0,
            code: SI_TIMER,
            fields: [u64::from(id as u32), value, 0],
        }
    }

    /// si_timerid of a signal from a timer.
    pub fn timer_id(&self) -> Option<i32> {
        (self.code == SI_TIMER).then_some(self.fields[0] as u32 as i32)
    }

    /// si_overrun.
    pub fn set_overrun(&mut self, overrun: i32) {
        self.fields[0] = u64::from(self.fields[0] as u32) | u64::from(overrun as u32) << 32;
    }

    /// A signal about an address.
    pub fn fault(signal: Signal, code: i32, addr: u64) -> Self {
        Info {
            signal,
            errno: 0,
            code,
            fields: [addr, 0, 0],
        }
    }

    /// SIGCHLD about a child.
    pub fn child(signal: Signal, code: i32, pid: i32, uid: u32, status: i32) -> Self {
        Info {
            signal,
            errno: 0,
            code,
            fields: [
                u64::from(pid as u32) | u64::from(uid) << 32,
                u64::from(status as u32),
                0,
            ],
        }
    }

    /// The 128 bytes of siginfo_t.
    pub fn to_bytes(self) -> [u8; 128] {
        let mut out = [0; 128];
        out[0..4].copy_from_slice(&self.signal.0.to_le_bytes());
        out[4..8].copy_from_slice(&self.errno.to_le_bytes());
        out[8..12].copy_from_slice(&self.code.to_le_bytes());
        for (i, word) in self.fields.iter().enumerate() {
            out[16 + i * 8..24 + i * 8].copy_from_slice(&word.to_le_bytes());
        }
        out
    }

    /// From a siginfo_t a program gave (rt_sigqueueinfo).
    pub fn from_bytes(signal: Signal, bytes: &[u8; 128]) -> Self {
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(word)
        };
        let half = |at: usize| word(at) as u32 as i32;
        Info {
            signal,
            errno: half(4),
            code: half(8),
            fields: [word(16), word(24), word(32)],
        }
    }
}

/// Pending signals of a thread or a process: standard signals once, real-time ones in order.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    set: SigSet,
    infos: VecDeque<Info>,
}

impl Queue {
    /// What is pending.
    pub fn set(&self) -> SigSet {
        self.set
    }

    /// Signals queued with their information, which is what RLIMIT_SIGPENDING counts.
    pub fn len(&self) -> usize {
        self.infos.len()
    }

    /// Adds a signal; false if it could not be queued (a real-time signal to a full queue).
    pub fn push(&mut self, info: Info) -> bool {
        self.push_within(info, true)
    }

    /// Adds a signal. Without `room` for its information it is only noted that it is pending, but one that was queued with
    /// information of the sender's own is refused: false.
    pub fn push_within(&mut self, info: Info, room: bool) -> bool {
        let realtime = info.signal.0 >= lsyscall_abi::signal::SIGRTMIN;
        if !realtime && self.set.contains(info.signal) {
            return true;
        }
        if self.infos.len() >= MAX_QUEUED || !room {
            if realtime && info.code != SI_USER {
                return false;
            }
        } else {
            self.infos.push_back(info);
        }
        self.set = self.set.with(info.signal);
        true
    }

    /// Takes the next signal of `wanted`: faults first, then the smallest number.
    pub fn pop(&mut self, wanted: SigSet) -> Option<Info> {
        const SYNCHRONOUS: u64 = Signal(lsyscall_abi::signal::SIGSEGV).bit()
            | Signal(lsyscall_abi::signal::SIGBUS).bit()
            | Signal(lsyscall_abi::signal::SIGILL).bit()
            | Signal(lsyscall_abi::signal::SIGTRAP).bit()
            | Signal(lsyscall_abi::signal::SIGFPE).bit();
        let ready = self.set.0 & wanted.0;
        let first = SigSet(ready & SYNCHRONOUS)
            .first()
            .or(SigSet(ready).first())?;
        let at = self.infos.iter().position(|i| i.signal == first);
        let info = at
            .and_then(|at| self.infos.remove(at))
            .unwrap_or(Info::user(first, SI_USER, 0, 0));
        if !self.infos.iter().any(|i| i.signal == first) {
            self.set = self.set.without(first);
        }
        Some(info)
    }

    /// Forgets signals.
    pub fn discard(&mut self, signals: SigSet) {
        self.set = SigSet(self.set.0 & !signals.0);
        self.infos.retain(|i| !signals.contains(i.signal));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lsyscall_abi::signal::{SIGINT, SIGSEGV, SIGTERM};

    #[test]
    fn standard_signals_merge_and_realtime_ones_queue() {
        let mut q = Queue::default();
        for n in [SIGTERM, SIGTERM, SIGINT, 40, 40] {
            assert!(q.push(Info::kernel(Signal(n))));
        }
        let all = SigSet(u64::MAX);
        let order: alloc::vec::Vec<i32> = core::iter::from_fn(|| q.pop(all))
            .map(|i| i.signal.0)
            .collect();
        assert_eq!(order, [SIGINT, SIGTERM, 40, 40]);
        assert_eq!(q.set(), SigSet::EMPTY);
    }

    #[test]
    fn masks_faults_and_bounds() {
        let mut q = Queue::default();
        q.push(Info::kernel(Signal(SIGINT)));
        q.push(Info::kernel(Signal(SIGSEGV)));
        assert_eq!(q.pop(SigSet(u64::MAX)).unwrap().signal.0, SIGSEGV);
        assert_eq!(q.pop(SigSet::EMPTY), None);
        for _ in 0..MAX_QUEUED - 1 {
            assert!(q.push(Info::kernel(Signal(50))));
        }
        let queued = Info {
            code: -1,
            ..Info::kernel(Signal(50))
        };
        assert!(!q.push(queued));
        assert!(q.push(Info::kernel(Signal(SIGTERM))));
        assert!(q.pop(Signal(SIGTERM).bit().into_set()).is_some());
        q.discard(SigSet(u64::MAX));
        assert_eq!(q.pop(SigSet(u64::MAX)), None);
    }

    trait IntoSet {
        fn into_set(self) -> SigSet;
    }
    impl IntoSet for u64 {
        fn into_set(self) -> SigSet {
            SigSet(self)
        }
    }
}
