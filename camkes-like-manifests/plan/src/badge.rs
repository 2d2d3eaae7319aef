//! Badges, 28 bits: who is calling, or what has happened.
//!
//! | bit 27 | bits 26-24 | rest | meaning |
//! |---|---|---|---|
//! | 1 | | one bit per event (0-26) | a notification word |
//! | 0 | 1 | thread index (0-15), bit 16: fault | a Linux thread: lsyscall, or fault |
//! | 0 | 2 | interface index (8-15), client index (0-7) | a component interface call |
//! | 0 | 3 | domain index (0-7) | a domain thread's fault |

/// Set in every notification word.
pub const NOTIFICATION: u64 = 1 << 27;
/// Events one notification can tell apart.
pub const EVENTS: u32 = 27;
/// Client index of the root task in interface calls.
pub const ROOT_CLIENT: u8 = 0xff;

const KIND_SHIFT: u32 = 24;
const THREAD: u64 = 1;
const THREAD_FAULT: u64 = 1 << 16;
const INTERFACE: u64 = 2;
const FAULT: u64 = 3;

/// A decoded badge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Badge {
    /// Events, or-ed.
    Events(u32),
    /// A system call of a Linux thread, by a class it is granted.
    Thread(u16),
    /// A fault of a Linux thread, or a system call of no class it is granted.
    ThreadFault(u16),
    /// An interface call.
    Interface {
        /// Index of the interface among those its domain serves.
        interface: u8,
        /// [`crate::Domain::index`] of the caller's domain, or [`ROOT_CLIENT`].
        client: u8,
    },
    /// A fault of a domain.
    Fault(u8),
    /// None of these.
    Unknown(u64),
}

/// Badge of event `bit` (0-26).
pub const fn event(bit: u32) -> u64 {
    NOTIFICATION | 1 << bit
}

/// Badge of Linux thread `index`.
pub const fn thread(index: u16) -> u64 {
    THREAD << KIND_SHIFT | index as u64
}

/// Badge of the fault endpoint of Linux thread `index`.
pub const fn thread_fault(index: u16) -> u64 {
    thread(index) | THREAD_FAULT
}

/// Badge of calls of `client` to `interface`.
pub const fn interface(interface: u8, client: u8) -> u64 {
    INTERFACE << KIND_SHIFT | (interface as u64) << 8 | client as u64
}

/// Badge of faults of the domain.
pub const fn fault(domain: u8) -> u64 {
    FAULT << KIND_SHIFT | domain as u64
}

/// What a badge means.
pub const fn decode(badge: u64) -> Badge {
    if badge & NOTIFICATION != 0 {
        return Badge::Events((badge & (NOTIFICATION - 1)) as u32);
    }
    let low = badge & ((1 << KIND_SHIFT) - 1);
    match badge >> KIND_SHIFT {
        THREAD if low <= 0xffff => Badge::Thread(low as u16),
        THREAD if low & !0xffff == THREAD_FAULT => Badge::ThreadFault(low as u16),
        INTERFACE if low <= 0xffff => Badge::Interface {
            interface: (low >> 8) as u8,
            client: low as u8,
        },
        FAULT if low <= 0xff => Badge::Fault(low as u8),
        _ => Badge::Unknown(badge),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn badges_round_trip_and_fit_28_bits() {
        for (badge, meaning) in [
            (event(0) | event(26), Badge::Events(1 | 1 << 26)),
            (thread(0xabcd), Badge::Thread(0xabcd)),
            (thread_fault(0xabcd), Badge::ThreadFault(0xabcd)),
            (
                interface(7, 9),
                Badge::Interface {
                    interface: 7,
                    client: 9,
                },
            ),
            (fault(3), Badge::Fault(3)),
            (0, Badge::Unknown(0)),
            (0x100_0000 | 0x2_0000, Badge::Unknown(0x102_0000)),
        ] {
            assert!(badge < 1 << 28);
            assert_eq!(decode(badge), meaning);
        }
    }
}
