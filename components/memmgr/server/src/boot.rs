//! How the manager starts, and why it may not.

use core::fmt;

use persona_component::EnvError;

/// Components below. The manager itself calls none; the console takes the domain's log.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deps<C> {
    /// The console.
    pub console: C,
}

/// Why the manager cannot start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewError {
    /// Something is missing in the environment.
    Env(EnvError),
    /// Too little memory; says for what.
    Memory(&'static str),
}

impl From<EnvError> for NewError {
    fn from(error: EnvError) -> Self {
        NewError::Env(error)
    }
}

impl fmt::Display for NewError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NewError::Env(error) => error.fmt(f),
            NewError::Memory(what) => write!(f, "no memory for {what}: the machine has too little"),
        }
    }
}
