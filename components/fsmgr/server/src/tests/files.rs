//! Files, directories, names, permissions.

use fsmgr_api::{Creds, FsMgrService, STDIO_TTY};
use lsyscall_abi::{Errno, Stat, ThreadIdx};
use persona_ipc::Bytes;

use super::*;
use crate::cpio::tests::append;

#[test]
fn write_seek_read_append() {
    let mut r = Rig::new();
    let fd = r.open("/f", RDWR | CREAT | EXCL, 0o644);
    assert_eq!(fd, 3);
    assert_eq!(r.write(fd, b"hello world"), 11);
    assert_eq!(r.call("lseek", &[3, 6, 0]), 6);
    assert_eq!(r.read(fd, 100), Ok(b"world".to_vec()));
    assert_eq!(r.read(fd, 100), Ok(b"".to_vec()));
    assert_eq!(r.open("/f", RDWR | CREAT | EXCL, 0o644), err(Errno::EEXIST));
    let other = r.open("/f", WRONLY | APPEND, 0);
    assert_eq!(r.write(other, b"!"), 1);
    assert_eq!(r.slurp("/f"), "hello world!");
    // A hole reads as zeros.
    assert_eq!(r.call("lseek", &[3, 2, 2]), 14);
    assert_eq!(r.write(fd, b"x"), 1);
    assert_eq!(r.slurp("/f"), "hello world!\0\0x");
    assert_eq!(r.call("ftruncate", &[3, 5]), 0);
    assert_eq!(r.slurp("/f"), "hello");
    assert_eq!(r.open("/f", WRONLY | TRUNC, 0), 5);
    assert_eq!(r.slurp("/f"), "");
}

#[test]
fn offsets_are_shared_by_dup_and_fork() {
    let mut r = Rig::new();
    let fd = r.open("/f", RDWR | CREAT, 0o644);
    r.write(fd, b"abcdef");
    r.call("lseek", &[3, 0, 0]);
    assert_eq!(r.call("dup", &[3]), 4);
    assert_eq!(r.read(4, 2), Ok(b"ab".to_vec()));
    r.fork(0, 1, 2, 1, 1);
    let at = r.room(2);
    assert_eq!(r.call_on(1, "read", &[3, at, 2]), Some(2));
    assert_eq!(r.get(at, 2), b"cd");
    assert_eq!(r.read(3, 9), Ok(b"ef".to_vec()));
    // Closing in the child leaves the parent's descriptor.
    assert_eq!(r.call_on(1, "close", &[3]), Some(0));
    assert_eq!(r.call("lseek", &[3, 0, 1]), 6);
    assert_eq!(r.call_on(1, "close", &[3]), Some(err(Errno::EBADF)));
}

#[test]
fn lowest_free_descriptor_dup3_fcntl() {
    let mut r = Rig::new();
    for expect in 3..6 {
        assert_eq!(r.open("/dev/null", RDWR, 0), expect);
    }
    assert_eq!(r.call("close", &[4]), 0);
    assert_eq!(r.open("/dev/null", RDWR, 0), 4);
    assert_eq!(r.call("dup3", &[4, 10, 0o2000000]), 10);
    assert_eq!(r.call("fcntl", &[10, 1, 0]), 1);
    assert_eq!(r.call("fcntl", &[3, 0, 10]), 11);
    assert_eq!(r.call("fcntl", &[3, 0, 1024]), err(Errno::EINVAL));
    assert_eq!(r.call("dup3", &[4, 4, 0]), err(Errno::EINVAL));
    assert_eq!(r.call("dup3", &[4, 1024, 0]), err(Errno::EBADF));
    r.fs.set_limits(ThreadIdx(0), 6, u64::MAX, u64::MAX)
        .expect("limits");
    assert_eq!(r.open("/dev/null", RDWR, 0), err(Errno::EMFILE));
    assert_eq!(r.call("close_range", &[3, u64::from(u32::MAX), 0]), 0);
    assert_eq!(r.open("/dev/null", RDWR, 0), 3);
}

#[test]
fn walking() {
    let mut r = Rig::new();
    for dir in ["/a", "/a/b", "/a/b/c"] {
        let at = r.text(dir);
        assert_eq!(r.call("mkdirat", &[CWD, at, 0o755]), 0, "{dir}");
    }
    r.open("/a/b/c/f", CREAT | WRONLY, 0o644);
    for (path, flags, expect) in [
        ("/a/./b//c/../c/f", 0, None),
        ("/../../a/b/c/f", 0, None),
        ("/a/b/c/f/", 0, Some(Errno::ENOTDIR)),
        ("/a/b/c/f/x", 0, Some(Errno::ENOTDIR)),
        ("/a/x/c", 0, Some(Errno::ENOENT)),
        ("", 0, Some(Errno::ENOENT)),
        ("/a/b", WRONLY, Some(Errno::EISDIR)),
        ("/a/new/", CREAT | WRONLY, Some(Errno::EISDIR)),
        ("/a/b/c/f", 0o40000, Some(Errno::ENOTDIR)),
    ] {
        let got = r.open(path, flags, 0o644);
        match expect {
            None => assert!(got >= 0, "{path}: {got}"),
            Some(e) => assert_eq!(got, err(e), "{path}"),
        }
    }
    let long = "x".repeat(256);
    assert_eq!(r.open(&long, 0, 0), err(Errno::ENAMETOOLONG));
    let longer = "x/".repeat(2100);
    assert_eq!(r.open(&longer, 0, 0), err(Errno::ENAMETOOLONG));
    let at = r.text("/a/b");
    assert_eq!(r.call("chdir", &[at]), 0);
    let buf = r.room(64);
    assert_eq!(r.call("getcwd", &[buf, 64]), 5);
    assert_eq!(r.get(buf, 5), b"/a/b\0");
    assert_eq!(r.call("getcwd", &[buf, 4]), err(Errno::ERANGE));
    assert!(r.open("c/f", 0, 0) >= 0);
    assert!(r.open("../b/c/f", 0, 0) >= 0);
}

#[test]
fn symbolic_links() {
    let mut r = Rig::new();
    r.open("/f", CREAT | WRONLY, 0o644);
    for (target, name) in [
        ("f", "/l"),
        ("/l", "/m"),
        ("loop", "/loop"),
        ("/dir", "/ld"),
        ("nowhere", "/dangling"),
    ] {
        let (target, name) = (r.text(target), r.text(name));
        assert_eq!(r.call("symlinkat", &[target, CWD, name]), 0);
    }
    assert!(r.open("/m", 0, 0) >= 0);
    assert_eq!(r.open("/loop", 0, 0), err(Errno::ELOOP));
    assert_eq!(r.open("/m", 0o100000, 0), err(Errno::ELOOP));
    assert!(r.open("/dangling", CREAT | WRONLY, 0o600) >= 0);
    assert_eq!(r.slurp("/nowhere"), "");
    assert_eq!(
        r.open("/dangling", CREAT | EXCL | WRONLY, 0o600),
        err(Errno::EEXIST)
    );
    let (path, buf) = (r.text("/m"), r.room(16));
    assert_eq!(r.call("readlinkat", &[CWD, path, buf, 16]), 2);
    assert_eq!(r.get(buf, 2), b"/l");
    let path = r.text("/f");
    assert_eq!(
        r.call("readlinkat", &[CWD, path, buf, 16]),
        err(Errno::EINVAL)
    );
    let stat = r.room(128);
    let path = r.text("/m");
    assert_eq!(r.call("newfstatat", &[CWD, path, stat, 0x100]), 0);
    assert_eq!(r.fetch::<Stat>(stat).mode, 0o120777);
    assert_eq!(r.call("newfstatat", &[CWD, path, stat, 0]), 0);
    assert_eq!(r.fetch::<Stat>(stat).mode, 0o100644);
}

#[test]
fn unlinked_files_live_while_open() {
    let mut r = Rig::new();
    let fd = r.open("/f", RDWR | CREAT, 0o644);
    r.write(fd, b"data");
    let objects = r.mem.server().objects();
    let path = r.text("/f");
    assert_eq!(r.call("unlinkat", &[CWD, path, 0]), 0);
    assert_eq!(r.open("/f", 0, 0), err(Errno::ENOENT));
    r.call("lseek", &[3, 0, 0]);
    assert_eq!(r.read(fd, 9), Ok(b"data".to_vec()));
    assert_eq!(r.call("close", &[3]), 0);
    assert_eq!(r.mem.server().objects(), objects - 1);
}

#[test]
fn links_and_renames() {
    let mut r = Rig::new();
    let fd = r.open("/f", RDWR | CREAT, 0o644);
    r.write(fd, b"1");
    let (f, g, d, e) = (r.text("/f"), r.text("/g"), r.text("/d"), r.text("/d/e"));
    assert_eq!(r.call("linkat", &[CWD, f, CWD, g, 0]), 0);
    let stat = r.room(128);
    r.call("newfstatat", &[CWD, g, stat, 0]);
    assert_eq!(r.fetch::<Stat>(stat).nlink, 2);
    assert_eq!(
        r.call("renameat", &[CWD, f, CWD, g]),
        0,
        "same file: nothing happens"
    );
    assert!(r.open("/f", 0, 0) >= 0);
    r.call("mkdirat", &[CWD, d, 0o755]);
    assert_eq!(r.call("renameat", &[CWD, f, CWD, e]), 0);
    assert_eq!(r.slurp("/d/e"), "1");
    assert_eq!(r.call("renameat", &[CWD, d, CWD, e]), err(Errno::EINVAL));
    assert_eq!(r.call("renameat", &[CWD, g, CWD, d]), err(Errno::EISDIR));
    assert_eq!(r.call("renameat", &[CWD, d, CWD, g]), err(Errno::ENOTDIR));
    assert_eq!(r.call("unlinkat", &[CWD, d, 0x200]), err(Errno::ENOTEMPTY));
    assert_eq!(r.call("unlinkat", &[CWD, d, 0]), err(Errno::EISDIR));
    assert_eq!(
        r.call("renameat2", &[CWD, g, CWD, e, 1]),
        err(Errno::EEXIST)
    );
    let h = r.open("/h", RDWR | CREAT, 0o600);
    r.write(h, b"2");
    let h = r.text("/h");
    assert_eq!(r.call("renameat2", &[CWD, h, CWD, d, 2]), 0, "exchange");
    assert_eq!(r.slurp("/d"), "2");
    assert_eq!(r.slurp("/h/e"), "1");
    let (root, stat) = (r.text("/"), r.room(128));
    r.call("newfstatat", &[CWD, root, stat, 0]);
    assert_eq!(r.fetch::<Stat>(stat).nlink, 6, "dev, proc, sys, h");
}

#[test]
fn directories_list_what_is_there() {
    let mut r = Rig::new();
    let d = r.text("/d");
    r.call("mkdirat", &[CWD, d, 0o755]);
    for i in 0..40 {
        r.open(&format!("/d/file-number-{i}"), CREAT | WRONLY, 0o644);
    }
    let names = r.names("/d");
    assert_eq!(names.len(), 42);
    assert_eq!(names[..2], [".", ".."]);
    assert_eq!(names[41], "file-number-39");
    // Removing while reading loses nothing and repeats nothing.
    let fd = r.open("/d", 0o40000, 0);
    let buf = r.room(256);
    let mut removed = 0;
    loop {
        let n = r.call("getdents64", &[fd as u64, buf, 256]);
        if n == 0 {
            break;
        }
        let raw = r.get(buf, n as usize);
        let mut rest = &raw[..];
        while !rest.is_empty() {
            let len = usize::from(u16::from_le_bytes([rest[16], rest[17]]));
            let name = rest[19..len].split(|b| *b == 0).next().unwrap_or_default();
            if name[0] != b'.' {
                let path = format!("/d/{}", String::from_utf8_lossy(name));
                let path = r.text(&path);
                assert_eq!(r.call("unlinkat", &[CWD, path, 0]), 0);
                removed += 1;
            }
            rest = &rest[len..];
        }
    }
    assert_eq!(removed, 40);
    assert_eq!(r.call("unlinkat", &[CWD, d, 0x200]), 0);
    assert_eq!(
        r.call("getdents64", &[fd as u64, buf, 256]),
        err(Errno::ENOENT)
    );
    assert_eq!(
        r.call("getdents64", &[fd as u64, buf, 0]),
        err(Errno::ENOENT)
    );
}

#[test]
fn permissions() {
    let mut r = Rig::new();
    let (d, f) = (r.text("/d"), r.text("/d/f"));
    r.call("mkdirat", &[CWD, d, 0o777]);
    r.call("fchmodat", &[CWD, d, 0o1777]);
    r.open("/d/f", CREAT | WRONLY, 0o640);
    r.fork(0, 1, 2, 1, 1);
    let user = Creds {
        uid: 1000,
        gid: 1000,
        real_uid: 1000,
        real_gid: 1000,
        capabilities: 0,
        ..Creds::ROOT
    };
    r.fs.set_creds(ThreadIdx(1), user).expect("creds");
    assert_eq!(
        r.call_on(1, "openat", &[CWD, f, 0, 0]),
        Some(err(Errno::EACCES))
    );
    assert_eq!(
        r.call_on(1, "unlinkat", &[CWD, f, 0]),
        Some(err(Errno::EPERM)),
        "sticky"
    );
    assert_eq!(
        r.call_on(1, "fchmodat", &[CWD, f, 0o777]),
        Some(err(Errno::EPERM))
    );
    assert_eq!(
        r.call_on(1, "faccessat", &[CWD, f, 4]),
        Some(err(Errno::EACCES))
    );
    r.call("fchownat", &[CWD, f, u64::from(u32::MAX), 1000, 0]);
    assert_eq!(r.call_on(1, "openat", &[CWD, f, 0, 0]), Some(4));
    assert_eq!(
        r.call_on(1, "openat", &[CWD, f, 1, 0]),
        Some(err(Errno::EACCES))
    );
    let mine = r.text("/d/mine");
    let fd = r.call_on(1, "openat", &[CWD, mine, u64::from(CREAT | WRONLY), 0o4755]);
    assert_eq!(fd, Some(5));
    assert_eq!(
        r.call_on(1, "fchownat", &[CWD, mine, 0, 0, 0]),
        Some(err(Errno::EPERM))
    );
    assert_eq!(r.call_on(1, "unlinkat", &[CWD, mine, 0]), Some(0));
    let root = r.text("/");
    assert_eq!(r.call_on(1, "chroot", &[root]), Some(err(Errno::EPERM)));
}

#[test]
fn an_archive_becomes_the_root() {
    let mut raw = Vec::new();
    append(&mut raw, "bin", 0o040755, 1, 2, b"");
    append(&mut raw, "bin/tool", 0o104755, 2, 2, b"#!/bin/x\n");
    append(&mut raw, "bin/alias", 0o104755, 2, 2, b"");
    append(&mut raw, "bin/link", 0o120777, 3, 1, b"tool");
    append(&mut raw, "deep/er/file", 0o100600, 4, 1, b"deep");
    append(&mut raw, "null", 0o020666, 5, 1, b"");
    append(&mut raw, "TRAILER!!!", 0, 0, 1, b"");
    let mut r = Rig::with(STDIO_TTY, raw);
    assert_eq!(r.slurp("/bin/alias"), "#!/bin/x\n");
    assert_eq!(r.slurp("/bin/link"), "#!/bin/x\n");
    assert_eq!(r.slurp("/deep/er/file"), "deep");
    assert_eq!(
        r.names("/"),
        [".", "..", "bin", "deep", "null", "dev", "proc", "sys"]
    );
    let (path, stat) = (r.text("/bin/tool"), r.room(128));
    r.call("newfstatat", &[CWD, path, stat, 0]);
    let stat: Stat = r.fetch(stat);
    assert_eq!(
        (stat.mode, stat.uid, stat.gid, stat.nlink),
        (0o104755, 3, 4, 2)
    );
    assert_eq!(stat.mtime, 1_700_000_000);
    let exec =
        r.fs.open_exec_path(ThreadIdx(0), Bytes::new(b"/bin/link"))
            .expect("executable");
    assert_eq!((exec.size, exec.mode), (9, 0o104755));
    assert_eq!(r.open("/bin/tool", WRONLY, 0), err(Errno::ETXTBSY));
    r.fs.exec_commit(ThreadIdx(0), exec.token).expect("commit");
    let (path, buf) = (r.text("/proc/self/exe"), r.room(64));
    assert_eq!(r.call("readlinkat", &[CWD, path, buf, 64]), 9);
    assert_eq!(r.get(buf, 9), b"/bin/tool");
    r.fs.exit(ThreadIdx(0)).expect("exit");
}

#[test]
fn devices() {
    let mut r = Rig::new();
    let zero = r.open("/dev/zero", RDWR, 0);
    assert_eq!(r.read(zero, 3000), Ok(vec![0; 3000]));
    let full = r.open("/dev/full", RDWR, 0);
    assert_eq!(r.write(full, b"x"), err(Errno::ENOSPC));
    let null = r.open("/dev/null", RDWR, 0);
    assert_eq!(r.write(null, &[1; 5000]), 5000);
    assert_eq!(r.read(null, 5), Ok(Vec::new()));
    let random = r.open("/dev/urandom", RDWR, 0);
    let (a, b) = (r.read(random, 5000), r.read(random, 5000));
    assert!(a != b && a.is_ok_and(|a| a.len() == 5000));
    let at = r.put(b"nothing maps here");
    let _ = at;
    assert_eq!(r.call("read", &[random as u64, 8, 4]), err(Errno::EFAULT));
}

#[test]
fn mounts() {
    let mut r = Rig::new();
    let (mnt, tmpfs, none) = (r.text("/mnt"), r.text("tmpfs"), r.text("none"));
    r.call("mkdirat", &[CWD, mnt, 0o755]);
    let size = r.text("size=8k");
    assert_eq!(r.call("mount", &[none, mnt, tmpfs, 0, size]), 0);
    let fd = r.open("/mnt/f", CREAT | WRONLY, 0o644);
    assert_eq!(r.write(fd, &[1; 8192]), 8192);
    assert_eq!(r.write(fd, b"x"), err(Errno::ENOSPC));
    assert!(r
        .slurp("/proc/mounts")
        .contains("none /mnt tmpfs rw,relatime,size=8k 0 0\n"));
    assert_eq!(r.call("umount2", &[mnt, 0]), err(Errno::EBUSY));
    r.call("close", &[fd as u64]);
    let there = r.text("/there");
    r.call("mkdirat", &[CWD, there, 0o755]);
    assert_eq!(r.call("mount", &[mnt, there, 0, 4096, 0]), 0, "bind");
    assert_eq!(r.slurp("/there/f").len(), 8192);
    let objects = r.mem.server().objects();
    assert_eq!(r.call("umount2", &[mnt, 0]), 0);
    assert_eq!(r.open("/mnt/f", 0, 0), err(Errno::ENOENT));
    assert_eq!(r.slurp("/there/f").len(), 8192);
    assert_eq!(r.call("umount2", &[there, 2]), 0);
    assert_eq!(
        r.mem.server().objects(),
        objects - 1,
        "the tree is taken apart"
    );
    assert_eq!(r.call("umount2", &[there, 0]), err(Errno::EINVAL));
    // Read-only.
    assert_eq!(r.call("mount", &[none, mnt, tmpfs, 1, 0]), 0);
    assert_eq!(r.open("/mnt/f", CREAT | WRONLY, 0o644), err(Errno::EROFS));
}

#[test]
fn mappings_keep_the_file_s_rights() {
    let mut r = Rig::new();
    let fd = r.open("/f", RDWR | CREAT, 0o644) as u64;
    r.write(fd as i64, b"data");
    let ro = r.open("/f", RDONLY, 0) as u64;
    let wo = r.open("/f", WRONLY, 0) as u64;
    assert_eq!(r.call("mmap", &[0, 4096, 3, 1, fd, 0]), 0x7000_0000);
    assert_eq!(r.call("mmap", &[0, 4096, 1, 1, ro, 0]), 0x7000_0000);
    assert_eq!(r.mem.server().mapped[1].max_prot, 5);
    assert_eq!(r.call("mmap", &[0, 4096, 3, 1, ro, 0]), err(Errno::EACCES));
    assert_eq!(r.call("mmap", &[0, 4096, 3, 2, ro, 0]), 0x7000_0000);
    assert_eq!(r.call("mmap", &[0, 4096, 1, 2, wo, 0]), err(Errno::EACCES));
    assert_eq!(
        r.call("mmap", &[0, 0, 3, 0x22, u64::MAX, 0]),
        err(Errno::EINVAL)
    );
    assert_eq!(
        r.call("mmap", &[0, 1, 3, 0x20, u64::MAX, 0]),
        err(Errno::EINVAL)
    );
    assert_eq!(
        r.call("mmap", &[0, 1, 3, 0x22, u64::MAX, 1]),
        err(Errno::EINVAL)
    );
    assert_eq!(
        r.call("mmap", &[0, u64::MAX, 3, 0x22, u64::MAX, 0]),
        err(Errno::ENOMEM)
    );
    assert_eq!(r.call("mmap", &[0, 4096, 3, 2, 99, 0]), err(Errno::EBADF));
    assert_eq!(
        r.call("mmap", &[0, 4096, 3, 0x22, u64::MAX, 0]),
        0x7000_0000
    );
}

#[test]
fn locks() {
    let mut r = Rig::new();
    r.open("/f", RDWR | CREAT, 0o644);
    r.fork(0, 1, 2, 1, 1);
    let path = r.text("/f");
    assert_eq!(r.call_on(1, "openat", &[CWD, path, 2, 0]), Some(4));
    assert_eq!(r.call("flock", &[3, 2]), 0);
    assert_eq!(r.call_on(1, "flock", &[4, 1 | 4]), Some(err(Errno::EAGAIN)));
    assert_eq!(r.call_on(1, "flock", &[4, 2]), None);
    assert_eq!(r.call("flock", &[3, 8]), 0);
    assert_eq!(r.completed(), [(1, 0)]);
    let mut lock = [0u8; 32];
    lock[0] = 1;
    let lock = r.put(&lock);
    assert_eq!(r.call("fcntl", &[3, 6, lock]), 0);
    assert_eq!(
        r.call_on(1, "fcntl", &[4, 6, lock]),
        Some(err(Errno::EAGAIN))
    );
    assert_eq!(r.call_on(1, "fcntl", &[4, 7, lock]), None);
    r.fs.exit(ThreadIdx(0)).expect("exit");
    assert_eq!(r.completed(), [(1, 0)]);
}
