//! Arguments of one register.

use alloc::string::String;
use core::fmt::Write;

use lsyscall_abi::{
    consts, AtFlags, EpollFlags, EventfdFlags, FallocMode, Fd, FromArg, GetrandomFlags, MapFlags,
    MemfdFlags, MountFlags, MremapFlags, ProtFlags, RenameFlags, Signal, TimerFlags,
};
use lsyscall_table::Scalar;

use crate::flags::{self, list};

pub(crate) fn write(line: &mut String, kind: Scalar, raw: u64) {
    let word = raw as u32;
    let _ = match kind {
        Scalar::Int | Scalar::Fd | Scalar::Pid => write!(line, "{}", raw as i32),
        Scalar::UInt => write!(line, "{word}"),
        Scalar::Long | Scalar::Off => write!(line, "{}", raw as i64),
        Scalar::Size => write!(line, "{raw}"),
        Scalar::ULong => write!(line, "{raw:#x}"),
        Scalar::Addr => {
            crate::memory::address(line, raw);
            Ok(())
        }
        Scalar::DirFd if Fd::from_arg(raw) == Fd::CWD => write!(line, "AT_FDCWD"),
        Scalar::DirFd => write!(line, "{}", raw as i32),
        Scalar::Mode => write!(line, "0{word:o}"),
        Scalar::Dev => write!(
            line,
            "makedev({:#x}, {:#x})",
            (word >> 8) & 0xfff,
            (word & 0xff) | ((word >> 12) & 0xff00)
        ),
        Scalar::Uid | Scalar::Gid => write!(line, "{}", word as i32),
        Scalar::Signal => {
            signal(line, raw as i32);
            Ok(())
        }
        Scalar::ClockId => match consts::clock::name(raw as i32) {
            Some(name) => write!(line, "{name}"),
            None => write!(line, "{}", raw as i32),
        },
        _ => {
            named(line, kind, raw);
            Ok(())
        }
    };
}

/// Flags and enumerations.
fn named(line: &mut String, kind: Scalar, raw: u64) {
    match kind {
        Scalar::OpenFlags => flags::open(line, raw),
        Scalar::AtFlags => list::<AtFlags>(line, "AT_", raw),
        Scalar::ProtFlags if raw as u32 == 0 => line.push_str("PROT_NONE"),
        Scalar::ProtFlags => list::<ProtFlags>(line, "PROT_", raw),
        Scalar::MapFlags => list::<MapFlags>(line, "MAP_", raw),
        Scalar::CloneFlags => flags::clone(line, raw),
        Scalar::WaitOptions => flags::wait(line, raw),
        Scalar::MountFlags => list::<MountFlags>(line, "MS_", raw),
        Scalar::RenameFlags => list::<RenameFlags>(line, "RENAME_", raw),
        Scalar::MremapFlags => list::<MremapFlags>(line, "MREMAP_", raw),
        Scalar::GetrandomFlags => list::<GetrandomFlags>(line, "GRND_", raw),
        Scalar::MemfdFlags => list::<MemfdFlags>(line, "MFD_", raw),
        Scalar::FallocMode => list::<FallocMode>(line, "FALLOC_FL_", raw),
        Scalar::EventfdFlags => list::<EventfdFlags>(line, "EFD_", raw),
        Scalar::EpollFlags => list::<EpollFlags>(line, "EPOLL_", raw),
        Scalar::TimerFlags => list::<TimerFlags>(line, "TIMER_", raw),
        Scalar::FutexOp => futex(line, raw as u32),
        Scalar::SockType => socket_type(line, raw as u32),
        Scalar::AccessMode => access(line, raw as u32),
        Scalar::FlockOp => flock(line, raw as u32),
        kind => {
            let word = raw as u32;
            let name = match kind {
                Scalar::FcntlCmd => consts::fcntl::name(word),
                Scalar::IoctlCmd => consts::ioctl::name(word),
                Scalar::Whence => consts::seek::name(word),
                Scalar::SigHow => ["SIG_BLOCK", "SIG_UNBLOCK", "SIG_SETMASK"]
                    .get(word as usize)
                    .copied(),
                Scalar::Advice => consts::madvise::name(word),
                Scalar::PrctlOp => consts::prctl::name(word),
                Scalar::Resource => consts::rlimit::name(word),
                Scalar::IdType => consts::idtype::name(word),
                Scalar::ItimerWhich => consts::itimer::name(word),
                Scalar::EpollOp => consts::epoll_op::name(word),
                Scalar::SockDomain => consts::socket_domain::name(word),
                _ => None,
            };
            let _ = match name {
                Some(name) => write!(line, "{name}"),
                None => write!(line, "{word:#x}"),
            };
        }
    }
}

/// `SIGINT`, `SIGRT_3`, or the number.
pub(crate) fn signal(line: &mut String, number: i32) {
    let sig = Signal(number);
    let _ = match sig.name() {
        Some(name) => write!(line, "{name}"),
        None if sig.is_valid() => write!(line, "SIGRT_{}", number - lsyscall_abi::signal::SIGRTMIN),
        None => write!(line, "{number}"),
    };
}

fn futex(line: &mut String, op: u32) {
    const PRIVATE: u32 = consts::futex_flag::FUTEX_PRIVATE_FLAG;
    const REALTIME: u32 = consts::futex_flag::FUTEX_CLOCK_REALTIME;
    let _ = match consts::futex::name(op & !(PRIVATE | REALTIME)) {
        Some(name) => write!(line, "{name}"),
        None => write!(line, "{:#x}", op & !(PRIVATE | REALTIME)),
    };
    if op & PRIVATE != 0 {
        line.push_str("_PRIVATE");
    }
    if op & REALTIME != 0 {
        line.push_str("|FUTEX_CLOCK_REALTIME");
    }
}

fn socket_type(line: &mut String, word: u32) {
    let bare = word & !(consts::SOCK_NONBLOCK | consts::SOCK_CLOEXEC);
    let _ = match consts::socket_type::name(bare) {
        Some(name) => write!(line, "{name}"),
        None => write!(line, "{bare:#x}"),
    };
    for (flag, name) in [
        (consts::SOCK_CLOEXEC, "|SOCK_CLOEXEC"),
        (consts::SOCK_NONBLOCK, "|SOCK_NONBLOCK"),
    ] {
        if word & flag != 0 {
            line.push_str(name);
        }
    }
}

fn bits(line: &mut String, word: u32, names: &[(u32, &str)]) {
    let mut rest = word;
    let mut separator = "";
    for (flag, name) in names.iter().filter(|(flag, _)| *flag != 0) {
        if rest & flag != 0 {
            let _ = write!(line, "{separator}{name}");
            separator = "|";
            rest &= !flag;
        }
    }
    if rest != 0 {
        let _ = write!(line, "{separator}{rest:#x}");
    }
}

fn access(line: &mut String, word: u32) {
    if word == 0 {
        line.push_str("F_OK");
    } else {
        bits(line, word, &[(4, "R_OK"), (2, "W_OK"), (1, "X_OK")]);
    }
}

fn flock(line: &mut String, word: u32) {
    bits(line, word, consts::flock_op::NAMES);
}
