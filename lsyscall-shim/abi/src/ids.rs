//! Identities that every component uses.

/// Index of a Linux thread in the system's thread table: the low 16 bits of its badge, so nobody can forge it. It names a
/// slot, not a thread id (TID): procmgr keeps the TIDs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ThreadIdx(pub u16);
