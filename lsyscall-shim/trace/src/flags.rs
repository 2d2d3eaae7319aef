//! Flags by name.

use alloc::string::String;
use core::fmt::Write;

use bitflags::Flags;
use lsyscall_abi::*;

/// Writes `PREFIX_A|PREFIX_B|0x80`; `0` if nothing is set.
pub(crate) fn list<F>(line: &mut String, prefix: &str, raw: u64)
where
    F: Flags + FromArg,
    F::Bits: Into<u64>,
{
    let flags = F::from_arg(raw);
    let mut separator = "";
    for (name, _) in flags.iter_names() {
        let _ = write!(line, "{separator}{prefix}{name}");
        separator = "|";
    }
    let named: u64 = F::all().bits().into();
    let bits: u64 = flags.bits().into();
    let rest = bits & !named;
    if rest != 0 {
        let _ = write!(line, "{separator}{rest:#x}");
    } else if bits == 0 {
        line.push('0');
    }
}

/// Whether the mode argument of an open with these flags means something.
pub(crate) fn creates(raw: u64) -> bool {
    OpenFlags::from_arg(raw).intersects(OpenFlags::CREAT | OpenFlags::TMPFILE_BIT)
}

/// open(2)'s flags: the access mode is a number, and two flags are pairs of bits.
pub(crate) fn open(line: &mut String, raw: u64) {
    let mut flags = OpenFlags::from_arg(raw);
    let access = match flags.bits() & OpenFlags::ACCMODE {
        0 => "O_RDONLY",
        1 => "O_WRONLY",
        2 => "O_RDWR",
        _ => "O_ACCMODE",
    };
    line.push_str(access);
    flags = OpenFlags::from_bits_retain(flags.bits() & !OpenFlags::ACCMODE);
    for (pair, name) in [
        (OpenFlags::SYNC_BIT | OpenFlags::DSYNC, "|O_SYNC"),
        (OpenFlags::TMPFILE_BIT | OpenFlags::DIRECTORY, "|O_TMPFILE"),
    ] {
        if flags.contains(pair) {
            line.push_str(name);
            flags = OpenFlags::from_bits_retain(flags.bits() & !pair.bits());
        }
    }
    if flags.bits() != 0 {
        line.push('|');
        list::<OpenFlags>(line, "O_", flags.bits().into());
    }
}

/// `CLONE_VM|...|SIGCHLD`.
pub(crate) fn clone(line: &mut String, raw: u64) {
    let signal = raw & CloneFlags::CSIGNAL;
    let flags = raw & !CloneFlags::CSIGNAL;
    if flags != 0 {
        list::<CloneFlags>(line, "CLONE_", flags);
    }
    if signal != 0 || flags == 0 {
        if flags != 0 {
            line.push('|');
        }
        crate::scalar::signal(line, signal as i32);
    }
}

/// `WNOHANG|WSTOPPED`.
pub(crate) fn wait(line: &mut String, raw: u64) {
    let mut names = String::new();
    list::<WaitOptions>(&mut names, "W", raw);
    line.push_str(
        &names
            .replace("WNOTHREAD", "__WNOTHREAD")
            .replace("WALL", "__WALL")
            .replace("WCLONE", "__WCLONE"),
    );
}
