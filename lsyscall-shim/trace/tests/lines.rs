//! Lines as strace would write them.

use lsyscall_table::{by_name, rows, Class};
use lsyscall_trace::{render, Filter, NoMemory, Outcome, UserReader};

/// Memory from 0x1000 on; everything else is a bad address.
struct Memory(Vec<u8>);

impl UserReader for Memory {
    fn read(&mut self, addr: u64, buf: &mut [u8]) -> usize {
        let Some(from) = addr.checked_sub(0x1000) else {
            return 0;
        };
        let rest = self.0.get(from as usize..).unwrap_or(&[]);
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        n
    }
}

fn line(name: &str, args: &[u64], memory: &[u8], outcome: Outcome) -> String {
    let mut regs = [0; 6];
    regs[..args.len()].copy_from_slice(args);
    let mut memory = memory.to_vec();
    memory.resize(4096, 0);
    render(
        7,
        by_name(name).unwrap().nr.into(),
        &regs,
        &mut Memory(memory),
        outcome,
    )
}

fn value(name: &str, args: &[u64], memory: &[u8], x0: i64) -> String {
    line(name, args, memory, Outcome::Value(x0))
}

const CWD: u64 = (-100i64) as u64;

#[test]
fn opening_files() {
    assert_eq!(
        value(
            "openat",
            &[CWD, 0x1000, 0o2000000, 0xdead],
            b"/etc/passwd\0",
            3
        ),
        "[7] openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY|O_CLOEXEC) = 3"
    );
    assert_eq!(
        value("openat", &[5, 0x1000, 0o1101, 0o644], b"x\0", -2),
        "[7] openat(5, \"x\", O_WRONLY|O_CREAT|O_TRUNC, 0644) = -1 ENOENT (No such file or directory)"
    );
    assert_eq!(
        value("openat", &[CWD, 0x10, 0, 0], b"", -14),
        "[7] openat(AT_FDCWD, 0x10, O_RDONLY) = -1 EFAULT (Bad address)"
    );
}

#[test]
fn buffers_show_what_was_moved() {
    assert_eq!(
        value("write", &[1, 0x1000, 3], b"hi\n", 3),
        "[7] write(1, \"hi\\n\", 3) = 3"
    );
    assert_eq!(
        value("read", &[0, 0x1000, 100], b"ab\"\x01", 4),
        "[7] read(0, \"ab\\\"\\1\", 100) = 4"
    );
    assert_eq!(
        value("read", &[0, 0x1000, 100], b"ab", -11),
        "[7] read(0, 0x1000, 100) = -1 EAGAIN (Resource temporarily unavailable)"
    );
    let long = [b'x'; 100];
    assert!(value("write", &[1, 0x1000, 100], &long, 100).contains("xxxx\"..., 100)"));
    let iov = [0x1020u64, 2, 0x1022, 1].map(u64::to_le_bytes).concat();
    assert_eq!(
        value("writev", &[1, 0x1000, 2], &[&iov[..], b"abc"].concat(), 3),
        "[7] writev(1, [{iov_base=\"ab\", iov_len=2}, {iov_base=\"c\", iov_len=1}], 2) = 3"
    );
}

#[test]
fn processes_and_signals() {
    assert_eq!(
        value("clone", &[0x1200011, 0, 0, 0, 0x4000], b"", 12),
        "[7] clone(CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, NULL, NULL, 0x0, 0x4000) = 12"
    );
    assert_eq!(
        value("wait4", &[u64::MAX, 0x1000, 2, 0], &[0, 7, 0, 0], 12),
        "[7] wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 7}], WSTOPPED, NULL) = 12"
    );
    assert_eq!(
        line("exit_group", &[0], b"", Outcome::Gone),
        "[7] exit_group(0) = ?"
    );
    let argv = [0x1018u64, 0x101c, 0].map(u64::to_le_bytes).concat();
    assert_eq!(
        value(
            "execve",
            &[0x1018, 0x1000, 0],
            &[&argv[..], b"cat\0-n\0"].concat(),
            -13
        ),
        "[7] execve(\"cat\", [\"cat\", \"-n\"], NULL) = -1 EACCES (Permission denied)"
    );
    assert_eq!(value("kill", &[3, 9], b"", 0), "[7] kill(3, SIGKILL) = 0");
    let mask = 0x10002u64.to_le_bytes();
    assert_eq!(
        value("rt_sigprocmask", &[0, 0x1000, 0, 8], &mask, 0),
        "[7] rt_sigprocmask(SIG_BLOCK, [INT CHLD], NULL, 8) = 0"
    );
    assert_eq!(
        value("rt_sigsuspend", &[0x1000, 8], &[0xff; 8], -514),
        "[7] rt_sigsuspend(~[], 8) = ? ERESTARTNOHAND (To be restarted if no handler)"
    );
}

#[test]
fn memory_and_the_rest() {
    assert_eq!(
        value("mmap", &[0, 4096, 3, 0x22, u64::MAX, 0], b"", 0x7f0000),
        "[7] mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000"
    );
    assert_eq!(
        value("mprotect", &[0x1000, 4096, 0], b"", 0),
        "[7] mprotect(0x1000, 4096, PROT_NONE) = 0"
    );
    assert_eq!(
        value("pipe2", &[0x1000, 0o2000000], &[3, 0, 0, 0, 4, 0, 0, 0], 0),
        "[7] pipe2([3, 4], O_CLOEXEC) = 0"
    );
    assert_eq!(value("umask", &[0o22], b"", 0o77), "[7] umask(022) = 077");
    assert_eq!(
        value("futex", &[0x1000, 128, 2, 0, 0, 0], &[2, 0, 0, 0], 0),
        "[7] futex(2, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0) = 0"
    );
    assert_eq!(
        value("ioctl", &[0, 0x5413, 0x4000], b"", 0),
        "[7] ioctl(0, TIOCGWINSZ, 0x4000) = 0"
    );
    assert_eq!(
        line(
            "nanosleep",
            &[0x1000, 0],
            &1u64.to_le_bytes(),
            Outcome::Unfinished
        ),
        "[7] nanosleep({tv_sec=1, tv_nsec=0}, NULL) <unfinished ...>"
    );
    assert_eq!(
        render(
            7,
            500,
            &[1, 2, 3, 4, 5, 6],
            &mut NoMemory,
            Outcome::Value(-38)
        ),
        "[7] syscall_0x1f4(0x1, 0x2, 0x3, 0x4, 0x5, 0x6) = -1 ENOSYS (Function not implemented)"
    );
}

#[test]
fn no_registers_break_a_line() {
    for row in rows() {
        for word in [0, 1, 0x1000, 0x1ff8, u64::MAX, 0x8000_0000, u64::MAX - 7] {
            for x0 in [0, 5, -14, i64::MIN, i64::MAX] {
                let text = value(row.name, &[word; 6], &[0x41; 4096], x0);
                assert!(text.len() < 4096, "{} bytes for {}", text.len(), row.name);
                assert!(text.starts_with(&format!("[7] {}(", row.name)));
            }
        }
    }
}

#[test]
fn filters_are_sets_of_classes() {
    let filter = Filter::parse("fs, SIGNAL").unwrap();
    assert!(filter.shows(Class::Fs) && filter.shows(Class::Signal) && !filter.shows(Class::Proc));
    assert!(filter.shows_number(56) && !filter.shows_number(172) && !filter.shows_number(500));
    assert!(Filter::parse("all").unwrap().shows_number(500));
    assert!(Filter::parse("").unwrap().is_empty());
    assert_eq!(
        Filter::parse("FS,FOO").unwrap_err().to_string(),
        "`FOO` is no class of system calls; there are PROC MEM FS EVENT NET SIGNAL IPC TIME DEVICE and all"
    );
}
