//! Signals: numbers, names, default actions, masks.

use crate::Signal;

/// Signals there are: 1 to 64.
pub const NSIG: i32 = 64;
/// First real-time signal, as the kernel counts.
pub const SIGRTMIN: i32 = 32;

/// What happens to a process that neither handles nor ignores a signal (signal(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultAction {
    /// It ends.
    Terminate,
    /// Nothing.
    Ignore,
    /// It ends; Linux would write a core file.
    Core,
    /// It stops.
    Stop,
    /// It continues if stopped.
    Continue,
}

macro_rules! signals {
    ($($name:ident = $value:literal, $action:ident, $text:literal;)*) => {
        $(#[doc = $text] pub const $name: i32 = $value;)*

        const NAMES: &[(i32, &str, &str, DefaultAction)] =
            &[$(($value, stringify!($name), $text, DefaultAction::$action),)*];
    };
}

signals! {
    SIGHUP = 1, Terminate, "Hangup";
    SIGINT = 2, Terminate, "Interrupt";
    SIGQUIT = 3, Core, "Quit";
    SIGILL = 4, Core, "Illegal instruction";
    SIGTRAP = 5, Core, "Trace/breakpoint trap";
    SIGABRT = 6, Core, "Aborted";
    SIGBUS = 7, Core, "Bus error";
    SIGFPE = 8, Core, "Floating point exception";
    SIGKILL = 9, Terminate, "Killed";
    SIGUSR1 = 10, Terminate, "User defined signal 1";
    SIGSEGV = 11, Core, "Segmentation fault";
    SIGUSR2 = 12, Terminate, "User defined signal 2";
    SIGPIPE = 13, Terminate, "Broken pipe";
    SIGALRM = 14, Terminate, "Alarm clock";
    SIGTERM = 15, Terminate, "Terminated";
    SIGSTKFLT = 16, Terminate, "Stack fault";
    SIGCHLD = 17, Ignore, "Child exited";
    SIGCONT = 18, Continue, "Continued";
    SIGSTOP = 19, Stop, "Stopped (signal)";
    SIGTSTP = 20, Stop, "Stopped";
    SIGTTIN = 21, Stop, "Stopped (tty input)";
    SIGTTOU = 22, Stop, "Stopped (tty output)";
    SIGURG = 23, Ignore, "Urgent I/O condition";
    SIGXCPU = 24, Core, "CPU time limit exceeded";
    SIGXFSZ = 25, Core, "File size limit exceeded";
    SIGVTALRM = 26, Terminate, "Virtual timer expired";
    SIGPROF = 27, Terminate, "Profiling timer expired";
    SIGWINCH = 28, Ignore, "Window changed";
    SIGIO = 29, Terminate, "I/O possible";
    SIGPWR = 30, Terminate, "Power failure";
    SIGSYS = 31, Core, "Bad system call";
}

impl Signal {
    /// Whether there is such a signal (0, which only probes, is none).
    pub const fn is_valid(self) -> bool {
        self.0 >= 1 && self.0 <= NSIG
    }

    /// `SIGINT`; `None` for real-time signals and for what is no signal.
    pub fn name(self) -> Option<&'static str> {
        NAMES.iter().find(|s| s.0 == self.0).map(|s| s.1)
    }

    /// `Interrupt`; `None` as for [`Signal::name`].
    pub fn text(self) -> Option<&'static str> {
        NAMES.iter().find(|s| s.0 == self.0).map(|s| s.2)
    }

    /// The default action; real-time signals terminate.
    pub fn default_action(self) -> DefaultAction {
        NAMES
            .iter()
            .find(|s| s.0 == self.0)
            .map_or(DefaultAction::Terminate, |s| s.3)
    }

    /// Its bit in a mask; 0 for what is no signal.
    pub const fn bit(self) -> u64 {
        if self.is_valid() {
            1 << (self.0 - 1)
        } else {
            0
        }
    }
}

/// A mask of signals: bit n-1 is signal n.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    zerocopy::FromBytes,
    zerocopy::IntoBytes,
    zerocopy::Immutable,
    zerocopy::KnownLayout,
)]
#[repr(transparent)]
pub struct SigSet(pub u64);

impl SigSet {
    /// No signal.
    pub const EMPTY: SigSet = SigSet(0);
    /// Those that can be neither blocked nor handled: SIGKILL and SIGSTOP.
    pub const UNBLOCKABLE: SigSet = SigSet(Signal(SIGKILL).bit() | Signal(SIGSTOP).bit());
    /// Bytes of a mask, which rt_sig* calls want to be told.
    pub const SIZE: usize = 8;

    /// Whether the signal is in.
    pub const fn contains(self, sig: Signal) -> bool {
        self.0 & sig.bit() != 0
    }

    /// With the signal.
    #[must_use]
    pub const fn with(self, sig: Signal) -> SigSet {
        SigSet(self.0 | sig.bit())
    }

    /// Without the signal.
    #[must_use]
    pub const fn without(self, sig: Signal) -> SigSet {
        SigSet(self.0 & !sig.bit())
    }

    /// The signal of the smallest number.
    pub const fn first(self) -> Option<Signal> {
        if self.0 == 0 {
            None
        } else {
            Some(Signal(self.0.trailing_zeros() as i32 + 1))
        }
    }
}

/// sigprocmask(2): block these too.
pub const SIG_BLOCK: u32 = 0;
/// sigprocmask(2): unblock these.
pub const SIG_UNBLOCK: u32 = 1;
/// sigprocmask(2): block exactly these.
pub const SIG_SETMASK: u32 = 2;

/// sigaction(2): the default action.
pub const SIG_DFL: u64 = 0;
/// sigaction(2): ignore.
pub const SIG_IGN: u64 = 1;

/// sigaltstack(2): in use.
pub const SS_ONSTACK: i32 = 1;
/// sigaltstack(2): none.
pub const SS_DISABLE: i32 = 2;
/// sigaltstack(2): disarmed while a handler runs on it.
pub const SS_AUTODISARM: i32 = i32::MIN;
/// Least size of an alternative stack on arm64.
pub const MINSIGSTKSZ: usize = 5120;
