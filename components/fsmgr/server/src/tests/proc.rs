//! /proc.

use lsyscall_abi::Errno;

use super::*;

#[test]
fn processes_and_links() {
    let mut r = Rig::new();
    r.fork(0, 1, 42, 1, 1);
    let names = r.names("/proc");
    for name in [
        "1", "42", "self", "meminfo", "mounts", "uptime", "stat", "sys",
    ] {
        assert!(names.iter().any(|n| n == name), "{name}");
    }
    assert!(r
        .slurp("/proc/42/stat")
        .starts_with("42 (test) S 1 1 1 1281 1 0 "));
    assert_eq!(r.slurp("/proc/42/stat").split_whitespace().count(), 52);
    assert!(r
        .slurp("/proc/self/status")
        .starts_with("Name:\ttest\nUmask:\t0022\nState:\tR (running)\nTgid:\t1\n"));
    assert_eq!(r.slurp("/proc/1/comm"), "test\n");
    assert_eq!(r.names("/proc/self/fd"), [".", "..", "0", "1", "2", "3"]);
    assert_eq!(r.names("/proc/42/task"), [".", "..", "42"]);
    let (path, buf) = (r.text("/proc/self"), r.room(32));
    assert_eq!(r.call("readlinkat", &[CWD, path, buf, 32]), 1);
    let path = r.text("/proc/self/fd/0");
    let n = r.call("readlinkat", &[CWD, path, buf, 32]) as usize;
    assert_eq!(r.get(buf, n), b"/dev/console");
    let path = r.text("/proc/self/cwd");
    assert_eq!(r.call("readlinkat", &[CWD, path, buf, 32]), 1);
    assert_eq!(r.open("/proc/77/stat", 0, 0), err(Errno::ENOENT));
    assert_eq!(r.open("/proc/self/nothing", 0, 0), err(Errno::ENOENT));
    assert_eq!(
        r.open("/proc/new", CREAT | WRONLY, 0o600),
        err(Errno::ENOENT)
    );
    assert!(r
        .slurp("/proc/self/maps")
        .starts_with("00400000-00401000 r-xp 00000000 00:00 0 \n"));
}

#[test]
fn the_system() {
    let mut r = Rig::new();
    assert_eq!(r.slurp("/proc/uptime"), "5.00 2.00\n");
    // Of 5 s nobody has used 1.25 s: the system has.
    let stat = r.slurp("/proc/stat");
    assert!(stat.starts_with("cpu  150 0 150 200 0 0 0 0 0 0\ncpu0 150 "));
    assert!(stat.contains("ctxt 15\n"));
    let stat = r.slurp("/proc/self/stat");
    let times: Vec<&str> = stat.split(' ').skip(13).take(4).collect();
    assert_eq!(times, ["150", "25", "0", "0"]);
    let status = r.slurp("/proc/self/status");
    assert!(status.contains("\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t8\n"));

    assert!(r
        .slurp("/proc/meminfo")
        .starts_with("MemTotal:          65536 kB\nMemFree:           32768 kB\n"));
    assert!(r
        .slurp("/proc/mounts")
        .starts_with("tmpfs / tmpfs rw,relatime 0 0\ndevtmpfs /dev devtmpfs rw,relatime 0 0\n"));
    assert!(r.slurp("/proc/stat").contains("btime 1700000000\n"));
    assert_eq!(r.slurp("/proc/sys/kernel/ostype"), "Linux\n");
    assert_eq!(
        r.slurp("/proc/sys/kernel/random/boot_id"),
        r.slurp("/proc/sys/kernel/random/boot_id")
    );
    assert_ne!(
        r.slurp("/proc/sys/kernel/random/uuid"),
        r.slurp("/proc/sys/kernel/random/uuid")
    );
    assert_eq!(r.slurp("/proc/sys/kernel/random/uuid").len(), 37);
    assert_eq!(
        r.open("/proc/sys/kernel/ostype", WRONLY, 0),
        err(Errno::EACCES)
    );
    let fd = r.open("/proc/version", WRONLY, 0);
    assert_eq!(r.write(fd, b"x"), err(Errno::EIO));
    // A small read goes on where it stopped.
    let fd = r.open("/proc/version", 0, 0);
    let (a, b) = (r.read(fd, 5), r.read(fd, 3));
    assert_eq!((a, b), (Ok(b"Linux".to_vec()), Ok(b" ve".to_vec())));
}

#[test]
fn every_file_can_be_read() {
    let mut r = Rig::new();
    let mut todo = vec![
        "/proc/sys".to_string(),
        "/sys".into(),
        "/proc/1".into(),
        "/proc/net".into(),
        "/proc/1/fdinfo".into(),
        "/proc/1/task/1".into(),
    ];
    let mut files = 0;
    while let Some(dir) = todo.pop() {
        for name in r.names(&dir) {
            if name.starts_with('.')
                || matches!(
                    name.as_str(),
                    "cwd" | "root" | "exe" | "task" | "fd" | "ns" | "3"
                )
            {
                continue;
            }
            let path = format!("{dir}/{name}");
            let fd = r.open(&path, 0o40000, 0);
            if fd >= 0 {
                r.call("close", &[fd as u64]);
                todo.push(path);
            } else {
                r.slurp(&path);
                files += 1;
            }
        }
    }
    assert!(files > 50, "{files}");
}
