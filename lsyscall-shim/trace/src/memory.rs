//! What pointers point at.

use alloc::string::String;
use core::fmt::Write;

use lsyscall_abi::{
    consts, EpollEvent, FdPair, Iovec, Itimerspec, Itimerval, PollFd, PollFlags, Rlimit, SaFlags,
    SigAction, SigInfo, SigSet, StackT, Stat, Timespec, TimespecPair, Timeval, Utsname, WaitStatus,
};
use zerocopy::FromBytes;

use crate::{flags, Context, UserReader};

/// Bytes shown of a string, as strace does by default.
const STRING_MAX: usize = 32;
/// Bytes shown of a path.
const PATH_SHOWN: usize = 256;
/// Elements shown of an array.
const ARRAY_MAX: u64 = 8;

/// `NULL` or `0x4000`.
pub(crate) fn address(line: &mut String, addr: u64) {
    let _ = if addr == 0 {
        write!(line, "NULL")
    } else {
        write!(line, "{addr:#x}")
    };
}

fn escape(line: &mut String, bytes: &[u8]) {
    for &byte in bytes {
        let _ = match byte {
            b'\n' => write!(line, "\\n"),
            b'\r' => write!(line, "\\r"),
            b'\t' => write!(line, "\\t"),
            b'"' | b'\\' => write!(line, "\\{}", byte as char),
            b' '..=b'~' => write!(line, "{}", byte as char),
            _ => write!(line, "\\{byte:o}"),
        };
    }
}

fn quoted(line: &mut String, bytes: &[u8], more: bool) {
    line.push('"');
    escape(line, bytes);
    line.push_str(if more { "\"..." } else { "\"" });
}

/// A NUL-terminated string.
pub(crate) fn string(line: &mut String, addr: u64, user: &mut dyn UserReader) {
    let mut buf = [0u8; PATH_SHOWN];
    let got = if addr == 0 {
        0
    } else {
        user.read(addr, &mut buf).min(buf.len())
    };
    let text = buf.get(..got).unwrap_or(&[]);
    match text.iter().position(|b| *b == 0) {
        Some(end) => quoted(line, text.get(..end).unwrap_or(&[]), false),
        // Without a NUL in what could be read: a bad address, or a very long name.
        None if got < PATH_SHOWN => address(line, addr),
        None => quoted(line, text, true),
    }
}

/// A NULL-terminated array of strings.
pub(crate) fn strings(line: &mut String, addr: u64, user: &mut dyn UserReader) {
    let Some(mut pointer) = read::<u64>(addr, user) else {
        address(line, addr);
        return;
    };
    line.push('[');
    for i in 1u64.. {
        if pointer == 0 {
            break;
        }
        if i > ARRAY_MAX {
            line.push_str("...");
            break;
        }
        string(line, pointer, user);
        pointer = read(addr.wrapping_add(8 * i), user).unwrap_or(0);
        if pointer != 0 {
            line.push_str(", ");
        }
    }
    line.push(']');
}

/// The first of `len` bytes.
pub(crate) fn bytes(line: &mut String, addr: u64, len: u64, user: &mut dyn UserReader) {
    let mut buf = [0u8; STRING_MAX];
    let shown = usize::try_from(len).unwrap_or(usize::MAX).min(STRING_MAX);
    let got = buf
        .get_mut(..shown)
        .map_or(0, |part| if addr == 0 { 0 } else { user.read(addr, part) });
    if got < shown || (addr == 0 && len == 0) {
        address(line, addr);
        return;
    }
    quoted(
        line,
        buf.get(..shown).unwrap_or(&[]),
        len > STRING_MAX as u64,
    );
}

fn read<T: FromBytes>(addr: u64, user: &mut dyn UserReader) -> Option<T> {
    // The largest structure shown is Utsname.
    let mut buf = [0u8; 512];
    let bytes = buf.get_mut(..core::mem::size_of::<T>())?;
    if addr == 0 || user.read(addr, bytes) != bytes.len() {
        return None;
    }
    T::read_from_bytes(bytes).ok()
}

/// Up to some elements of an array.
pub(crate) fn array(
    line: &mut String,
    what: &str,
    addr: u64,
    count: u64,
    context: &mut Context<'_>,
) {
    let stride = match what {
        "Iovec" | "EpollEvent" => 16,
        "PollFd" => 8,
        "u32" => 4,
        _ => 0,
    };
    if addr == 0 || stride == 0 {
        address(line, addr);
        return;
    }
    line.push('[');
    for i in 0..count.min(ARRAY_MAX) {
        if i > 0 {
            line.push_str(", ");
        }
        structure(line, what, addr.wrapping_add(i * stride), context);
    }
    line.push_str(if count > ARRAY_MAX { ", ...]" } else { "]" });
}

/// The structure at an address, by its name in the table; its address if it cannot be read or has no rendering.
pub(crate) fn structure(line: &mut String, what: &str, addr: u64, context: &mut Context<'_>) {
    let start = line.len();
    if known(line, what, addr, context).is_none() {
        line.truncate(start);
        address(line, addr);
    }
}

fn known(line: &mut String, what: &str, addr: u64, context: &mut Context<'_>) -> Option<()> {
    let user = &mut *context.user;
    let _ = match what {
        "i32" => write!(line, "[{}]", read::<i32>(addr, user)?),
        "u32" => write!(line, "{}", read::<u32>(addr, user)?),
        "i64" => write!(line, "[{}]", read::<i64>(addr, user)?),
        "u64" => write!(line, "[{:#x}]", read::<u64>(addr, user)?),
        "Timespec" => {
            timespec(line, &read(addr, user)?);
            Ok(())
        }
        "Timeval" => {
            timeval(line, &read(addr, user)?);
            Ok(())
        }
        "TimespecPair" => {
            let pair: TimespecPair = read(addr, user)?;
            line.push('[');
            timespec(line, &pair.atime);
            line.push_str(", ");
            timespec(line, &pair.mtime);
            write!(line, "]")
        }
        "Itimerspec" => {
            let timer: Itimerspec = read(addr, user)?;
            line.push_str("{it_interval=");
            timespec(line, &timer.interval);
            line.push_str(", it_value=");
            timespec(line, &timer.value);
            write!(line, "}}")
        }
        "Itimerval" => {
            let timer: Itimerval = read(addr, user)?;
            line.push_str("{it_interval=");
            timeval(line, &timer.interval);
            line.push_str(", it_value=");
            timeval(line, &timer.value);
            write!(line, "}}")
        }
        "Iovec" => {
            let iov: Iovec = read(addr, user)?;
            line.push_str("{iov_base=");
            bytes(line, iov.base, iov.len, user);
            write!(line, ", iov_len={}}}", iov.len)
        }
        "PollFd" => {
            let fd: PollFd = read(addr, user)?;
            let _ = write!(line, "{{fd={}, events=", fd.fd);
            flags::list::<PollFlags>(line, "POLL", fd.events.into());
            if fd.revents != 0 && context.outcome.success().is_some() {
                line.push_str(", revents=");
                flags::list::<PollFlags>(line, "POLL", fd.revents.into());
            }
            write!(line, "}}")
        }
        "EpollEvent" => {
            let event: EpollEvent = read(addr, user)?;
            line.push_str("{events=");
            flags::list::<PollFlags>(line, "EPOLL", event.events.into());
            write!(line, ", data={:#x}}}", event.data)
        }
        "FdPair" => {
            let pair: FdPair = read(addr, user)?;
            write!(line, "[{}, {}]", pair.first, pair.second)
        }
        "WaitStatus" => {
            wait_status(line, read(addr, user)?);
            Ok(())
        }
        "Rlimit" => {
            let limit: Rlimit = read(addr, user)?;
            line.push_str("{rlim_cur=");
            rlimit(line, limit.cur);
            line.push_str(", rlim_max=");
            rlimit(line, limit.max);
            write!(line, "}}")
        }
        "Stat" => {
            let stat: Stat = read(addr, user)?;
            line.push_str("{st_mode=");
            mode(line, stat.mode);
            write!(line, ", st_size={}, ...}}", stat.size)
        }
        "Utsname" => {
            let name: Utsname = read(addr, user)?;
            line.push_str("{sysname=");
            quoted(line, until_nul(&name.sysname), false);
            line.push_str(", nodename=");
            quoted(line, until_nul(&name.nodename), false);
            write!(line, ", ...}}")
        }
        "SigSet" => {
            sigset(line, read(addr, user)?);
            Ok(())
        }
        "SigAction" => {
            sigaction(line, &read(addr, user)?);
            Ok(())
        }
        "SigInfo" => {
            let info: SigInfo = read(addr, user)?;
            line.push_str("{si_signo=");
            crate::scalar::signal(line, info.signo);
            write!(
                line,
                ", si_code={}, si_pid={}, si_uid={}}}",
                info.code,
                info.pid(),
                info.uid()
            )
        }
        "StackT" => {
            let stack: StackT = read(addr, user)?;
            write!(
                line,
                "{{ss_sp={:#x}, ss_flags={}, ss_size={}}}",
                stack.sp, stack.flags, stack.size
            )
        }
        _ => return None,
    };
    Some(())
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|b| *b == 0).next().unwrap_or(&[])
}

fn timespec(line: &mut String, t: &Timespec) {
    let _ = match t.nsec {
        consts::utime::UTIME_NOW => write!(line, "UTIME_NOW"),
        consts::utime::UTIME_OMIT => write!(line, "UTIME_OMIT"),
        nsec => write!(line, "{{tv_sec={}, tv_nsec={nsec}}}", t.sec),
    };
}

fn timeval(line: &mut String, t: &Timeval) {
    let _ = write!(line, "{{tv_sec={}, tv_usec={}}}", t.sec, t.usec);
}

fn rlimit(line: &mut String, value: u64) {
    let _ = match value {
        consts::RLIM_INFINITY => write!(line, "RLIM64_INFINITY"),
        value => write!(line, "{value}"),
    };
}

fn mode(line: &mut String, mode: u32) {
    use consts::mode::{S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK};
    let kind = match mode & S_IFMT {
        S_IFSOCK => "S_IFSOCK|",
        S_IFLNK => "S_IFLNK|",
        S_IFREG => "S_IFREG|",
        S_IFBLK => "S_IFBLK|",
        S_IFDIR => "S_IFDIR|",
        S_IFCHR => "S_IFCHR|",
        S_IFIFO => "S_IFIFO|",
        _ => "",
    };
    let _ = write!(line, "{kind}0{:o}", mode & !S_IFMT);
}

fn wait_status(line: &mut String, status: WaitStatus) {
    if let Some(code) = status.exit_code() {
        let _ = write!(line, "[{{WIFEXITED(s) && WEXITSTATUS(s) == {code}}}]");
    } else if let Some(sig) = status.term_signal() {
        line.push_str("[{WIFSIGNALED(s) && WTERMSIG(s) == ");
        crate::scalar::signal(line, sig);
        line.push_str("}]");
    } else if let Some(sig) = status.stop_signal() {
        line.push_str("[{WIFSTOPPED(s) && WSTOPSIG(s) == ");
        crate::scalar::signal(line, sig);
        line.push_str("}]");
    } else {
        let _ = write!(line, "[{:#x}]", status.raw);
    }
}

/// `[INT CHLD]`; more than half of all signals as the complement, `~[KILL]`.
fn sigset(line: &mut String, set: SigSet) {
    let mut left = set;
    if set.0.count_ones() > 32 {
        line.push('~');
        left = SigSet(!set.0);
    }
    line.push('[');
    let mut separator = "";
    while let Some(sig) = left.first() {
        left = left.without(sig);
        let _ = match sig.name().and_then(|n| n.strip_prefix("SIG")) {
            Some(name) => write!(line, "{separator}{name}"),
            None => write!(
                line,
                "{separator}RT_{}",
                sig.0 - lsyscall_abi::signal::SIGRTMIN
            ),
        };
        separator = " ";
    }
    line.push(']');
}

fn sigaction(line: &mut String, action: &SigAction) {
    let _ = match action.handler {
        lsyscall_abi::signal::SIG_DFL => write!(line, "{{sa_handler=SIG_DFL"),
        lsyscall_abi::signal::SIG_IGN => write!(line, "{{sa_handler=SIG_IGN"),
        handler => write!(line, "{{sa_handler={handler:#x}"),
    };
    line.push_str(", sa_mask=");
    sigset(line, action.mask);
    line.push_str(", sa_flags=");
    flags::list::<SaFlags>(line, "SA_", action.flags);
    line.push('}');
}
