//! Dispositions.

use lsyscall_abi::signal::DefaultAction;
use lsyscall_abi::{SigSet, Signal};

/// Flag of sigaction(2): the handler takes siginfo.
pub const SA_SIGINFO: u64 = 4;
/// No SIGCHLD when children stop.
pub const SA_NOCLDSTOP: u64 = 1;
/// Children leave no zombies.
pub const SA_NOCLDWAIT: u64 = 2;
/// `restorer` is meant.
pub const SA_RESTORER: u64 = 0x0400_0000;
/// Use the alternate stack.
pub const SA_ONSTACK: u64 = 0x0800_0000;
/// Restart interrupted calls.
pub const SA_RESTART: u64 = 0x1000_0000;
/// Do not block the signal in its handler.
pub const SA_NODEFER: u64 = 0x4000_0000;
/// Back to the default at the first delivery.
pub const SA_RESETHAND: u64 = 0x8000_0000;
/// All flags Linux knows; others are cleared when stored, as Linux does for SA_UNSUPPORTED probing.
pub const SA_KNOWN: u64 = SA_SIGINFO
    | SA_NOCLDSTOP
    | SA_NOCLDWAIT
    | SA_RESTORER
    | SA_ONSTACK
    | SA_RESTART
    | SA_NODEFER
    | SA_RESETHAND;

/// The default disposition as a handler address.
pub const SIG_DFL: u64 = 0;
/// Ignoring as a handler address.
pub const SIG_IGN: u64 = 1;

/// What rt_sigaction sets for one signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SigAction {
    /// Handler address, [`SIG_DFL`] or [`SIG_IGN`].
    pub handler: u64,
    /// SA_* flags.
    pub flags: u64,
    /// Return trampoline, if SA_RESTORER.
    pub restorer: u64,
    /// Blocked while the handler runs.
    pub mask: SigSet,
}

/// What happens when a signal is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Nothing.
    Ignore,
    /// The process ends.
    Terminate,
    /// The process ends, "core dumped".
    Core,
    /// The process stops.
    Stop,
    /// The process continues (it already does).
    Continue,
    /// The handler runs.
    Handle(SigAction),
}

/// The dispositions of a process.
#[derive(Clone, Debug)]
pub struct Actions {
    table: [SigAction; 64],
}

impl Default for Actions {
    fn default() -> Self {
        Actions {
            table: [SigAction::default(); 64],
        }
    }
}

impl Actions {
    /// The action of a valid signal; the default one otherwise.
    pub fn get(&self, signal: Signal) -> SigAction {
        usize::try_from(signal.0 - 1)
            .ok()
            .and_then(|i| self.table.get(i))
            .copied()
            .unwrap_or_default()
    }

    /// Sets the action of a valid signal.
    pub fn set(&mut self, signal: Signal, action: SigAction) {
        if let Some(slot) = usize::try_from(signal.0 - 1)
            .ok()
            .and_then(|i| self.table.get_mut(i))
        {
            *slot = action;
        }
    }

    /// What delivery of the signal does.
    pub fn disposition(&self, signal: Signal) -> Disposition {
        let action = self.get(signal);
        match action.handler {
            SIG_IGN => Disposition::Ignore,
            SIG_DFL => match signal.default_action() {
                DefaultAction::Ignore => Disposition::Ignore,
                DefaultAction::Continue => Disposition::Continue,
                DefaultAction::Terminate => Disposition::Terminate,
                DefaultAction::Core => Disposition::Core,
                DefaultAction::Stop => Disposition::Stop,
            },
            _ => Disposition::Handle(action),
        }
    }

    /// Signals that are dropped on arrival.
    pub fn ignored(&self) -> SigSet {
        self.select(|a, s| match a.handler {
            SIG_IGN => true,
            SIG_DFL => s.default_action() == DefaultAction::Ignore,
            _ => false,
        })
    }

    /// Signals explicitly ignored (SigIgn of /proc/PID/status).
    pub fn explicitly_ignored(&self) -> SigSet {
        self.select(|a, _| a.handler == SIG_IGN)
    }

    /// Signals with handlers.
    pub fn caught(&self) -> SigSet {
        self.select(|a, _| a.handler > SIG_IGN)
    }

    fn select(&self, test: impl Fn(SigAction, Signal) -> bool) -> SigSet {
        let mut set = SigSet::EMPTY;
        for n in 1..=64 {
            if test(self.get(Signal(n)), Signal(n)) {
                set = set.with(Signal(n));
            }
        }
        set
    }

    /// After exec: handlers are gone, ignored signals stay so.
    pub fn reset_for_exec(&mut self) {
        for action in &mut self.table {
            *action = SigAction {
                handler: if action.handler == SIG_IGN {
                    SIG_IGN
                } else {
                    SIG_DFL
                },
                ..SigAction::default()
            };
        }
    }
}
