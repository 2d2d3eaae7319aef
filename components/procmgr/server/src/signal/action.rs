//! Dispositions.

use lsyscall_abi::signal::{DefaultAction, SIGCHLD, SIGCONT, SIGURG, SIGWINCH};
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

/// Signals that are dropped on arrival where nobody asked for them.
const DEFAULT_IGNORED: u64 =
    Signal(SIGCHLD).bit() | Signal(SIGCONT).bit() | Signal(SIGURG).bit() | Signal(SIGWINCH).bit();

/// The dispositions of a process.
#[derive(Clone, Debug)]
pub struct Actions {
    table: [SigAction; 64],
    /// Those with [`SIG_IGN`].
    ignored: SigSet,
    /// Those with a handler.
    caught: SigSet,
}

impl Default for Actions {
    fn default() -> Self {
        Actions {
            table: [SigAction::default(); 64],
            ignored: SigSet::EMPTY,
            caught: SigSet::EMPTY,
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
            self.ignored = self.ignored.without(signal);
            self.caught = self.caught.without(signal);
            match action.handler {
                SIG_DFL => {}
                SIG_IGN => self.ignored = self.ignored.with(signal),
                _ => self.caught = self.caught.with(signal),
            }
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

    /// Signals that are dropped on arrival (SIG_KERNEL_IGNORE_MASK of Linux among them, unless handled).
    pub fn ignored(&self) -> SigSet {
        SigSet(self.ignored.0 | DEFAULT_IGNORED & !self.caught.0)
    }

    /// Signals explicitly ignored (SigIgn of /proc/PID/status).
    pub fn explicitly_ignored(&self) -> SigSet {
        self.ignored
    }

    /// Signals with handlers.
    pub fn caught(&self) -> SigSet {
        self.caught
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
        self.caught = SigSet::EMPTY;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_follow_the_table() {
        let mut actions = Actions::default();
        for n in 1..=64 {
            let kernel_ignores = matches!(
                Signal(n).default_action(),
                DefaultAction::Ignore | DefaultAction::Continue
            );
            assert_eq!(actions.ignored().contains(Signal(n)), kernel_ignores, "{n}");
        }
        let set = |actions: &mut Actions, n, handler| {
            actions.set(
                Signal(n),
                SigAction {
                    handler,
                    ..SigAction::default()
                },
            );
        };
        set(&mut actions, SIGCHLD, 0x1000);
        set(&mut actions, 10, SIG_IGN);
        assert!(!actions.ignored().contains(Signal(SIGCHLD)));
        assert_eq!(actions.caught(), SigSet::EMPTY.with(Signal(SIGCHLD)));
        assert_eq!(actions.explicitly_ignored(), SigSet::EMPTY.with(Signal(10)));
        actions.reset_for_exec();
        assert_eq!(actions.caught(), SigSet::EMPTY);
        assert_eq!(actions.get(Signal(10)).handler, SIG_IGN);
        set(&mut actions, 10, SIG_DFL);
        assert_eq!(actions.explicitly_ignored(), SigSet::EMPTY);
    }
}
