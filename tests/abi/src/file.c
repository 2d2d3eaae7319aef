/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Regular files and devices.
 */
#include "abi.h"
#include <sys/file.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

CASE(file, seek)
{
    int fd = OK(open("f", O_CREAT | O_RDWR, 0644));
    OK(write(fd, "0123456789", 10));
    CHECK_EQ(lseek(fd, 3, SEEK_SET), 3);
    CHECK_EQ(lseek(fd, 4, SEEK_CUR), 7);
    CHECK_EQ(lseek(fd, -1, SEEK_END), 9);
    ERR(lseek(fd, -1, SEEK_SET), EINVAL);
    ERR(lseek(fd, -20, SEEK_CUR), EINVAL);
    ERR(lseek(fd, 0, 99), EINVAL);
    ERR(lseek(999, 0, SEEK_SET), EBADF);
    CHECK_EQ(lseek(fd, 100, SEEK_END), 110);
    char c = 1;
    CHECK_EQ(read(fd, &c, 1), 0);
    OK(write(fd, "x", 1));
    struct stat st;
    OK(fstat(fd, &st));
    CHECK_EQ(st.st_size, 111);
    CHECK_EQ(pread(fd, &c, 1, 50), 1);
    CHECK_EQ(c, 0);
}

CASE(file, positioned_io)
{
    int fd = OK(open("f", O_CREAT | O_RDWR, 0644));
    CHECK_EQ(pwrite(fd, "abc", 3, 5000), 3);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
    char buffer[8] = "";
    CHECK_EQ(pread(fd, buffer, 8, 4998), 5);
    CHECK(memcmp(buffer, "\0\0abc", 5) == 0);
    CHECK_EQ(pread(fd, buffer, 8, 6000), 0);
    ERR(pread(fd, buffer, 8, -1), EINVAL);
    ERR(pwrite(fd, buffer, 8, -1), EINVAL);
}

CASE(file, vectors)
{
    int fd = OK(open("f", O_CREAT | O_RDWR, 0644));
    struct iovec out[3] = {{"ab", 2}, {NULL, 0}, {"cdefg", 5}};
    CHECK_EQ(writev(fd, out, 3), 7);
    char a[3], b[10];
    struct iovec in[2] = {{a, 3}, {b, 10}};
    CHECK_EQ(preadv(fd, in, 2, 1), 6);
    CHECK(memcmp(a, "bcd", 3) == 0 && memcmp(b, "efg", 3) == 0);
    CHECK_EQ(pwritev(fd, out, 3, 7), 7);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(readv(fd, in, 2), 13);
    ERR(writev(fd, out, -1), EINVAL);
    ERR(writev(fd, out, 1025), EINVAL);
    CHECK_EQ(writev(fd, out, 0), 0);
    struct iovec bad[1] = {{(void *)16, 5}};
    ERR(writev(fd, bad, 1), EFAULT);
    struct iovec huge[2] = {{a, 1}, {a, (size_t)1 << 63}};
    ERR(readv(fd, huge, 2), EINVAL);
}

CASE(file, large_io_at_odd_offsets)
{
    int fd = OK(open("f", O_CREAT | O_RDWR, 0644));
    const size_t size = 1 << 20;
    unsigned char *data = malloc(size), *got = malloc(size);
    uint64_t state = 5;
    for (size_t i = 0; i < size; i++)
        data[i] = rnd(&state);
    for (size_t done = 0; done < size;) {
        size_t n = 1 + rnd(&state) % 50000;
        if (n > size - done)
            n = size - done;
        CHECK_EQ(write(fd, data + done, n), n);
        done += n;
    }
    for (int i = 0; i < 60; i++) {
        size_t at = rnd(&state) % size, n = rnd(&state) % 20000;
        if (n > size - at)
            n = size - at;
        if (i % 3 == 0) {
            for (size_t k = 0; k < n; k++)
                data[at + k] = rnd(&state);
            CHECK_EQ(pwrite(fd, data + at, n, at), n);
        }
        CHECK_EQ(pread(fd, got, n, at), n);
        CHECK(memcmp(got, data + at, n) == 0);
    }
    OK(lseek(fd, 0, SEEK_SET));
    CHECK_EQ(read(fd, got, size), size);
    CHECK(memcmp(got, data, size) == 0);
}

CASE(file, truncate_and_sparse)
{
    int fd = OK(open("f", O_CREAT | O_RDWR, 0644));
    char buffer[4096];
    memset(buffer, 'x', sizeof buffer);
    OK(write(fd, buffer, sizeof buffer));
    OK(ftruncate(fd, 100));
    OK(ftruncate(fd, 4096));
    CHECK_EQ(pread(fd, buffer, 4096, 0), 4096);
    CHECK(buffer[99] == 'x' && buffer[100] == 0 && buffer[4095] == 0);
    OK(truncate("f", 10));
    struct stat st;
    OK(fstat(fd, &st));
    CHECK_EQ(st.st_size, 10);
    OK(ftruncate(fd, 1L << 32));
    OK(fstat(fd, &st));
    CHECK_EQ(st.st_size, 1L << 32);
    CHECK(st.st_blocks < 1000);
    CHECK_EQ(pread(fd, buffer, 4096, (1L << 32) - 100), 100);
    CHECK_EQ(buffer[0], 0);
    CHECK_EQ(pwrite(fd, "end", 3, (1L << 31) + 5), 3);
    CHECK_EQ(pread(fd, buffer, 10, 1L << 31), 10);
    CHECK(memcmp(buffer, "\0\0\0\0\0end\0\0", 10) == 0);
    ERR(ftruncate(fd, -1), EINVAL);
    ERR(truncate("none", 0), ENOENT);
    ERR(truncate(".", 0), EISDIR);
    int ro = OK(open("f", O_RDONLY));
    ERR(ftruncate(ro, 0), EINVAL);
}

CASE(file, fallocate)
{
    int fd = OK(open("f", O_CREAT | O_RDWR, 0644));
    struct stat st;
    if (fallocate(fd, 0, 0, 10000) != 0 && errno == EOPNOTSUPP)
        SKIP("fallocate is not supported here");
    OK(fstat(fd, &st));
    CHECK_EQ(st.st_size, 10000);
    OK(fallocate(fd, 1 /* KEEP_SIZE */, 0, 20000));
    OK(fstat(fd, &st));
    CHECK_EQ(st.st_size, 10000);
    ERR(fallocate(fd, 0, -1, 5), EINVAL);
    ERR(fallocate(fd, 0, 0, 0), EINVAL);
}

CASE(file, stat_fields)
{
    struct stat st, st2;
    int64_t now = time(NULL);
    put_file("f", "0123456789", 10, 0640);
    OK(stat("f", &st));
    CHECK_EQ(st.st_mode, S_IFREG | 0640);
    CHECK_EQ(st.st_size, 10);
    CHECK_EQ(st.st_nlink, 1);
    CHECK_EQ(st.st_uid, geteuid());
    CHECK_EQ(st.st_gid, getegid());
    CHECK(st.st_ino != 0);
    CHECK(st.st_blksize >= 512);
    CHECK_EQ(st.st_blocks, 8);
    CHECK(st.st_mtime >= now - 1 && st.st_mtime <= now + 5);
    OK(stat(".", &st2));
    CHECK(S_ISDIR(st2.st_mode));
    CHECK(st2.st_nlink >= 2);
    CHECK_EQ(st.st_dev, st2.st_dev);
    CHECK(st.st_ino != st2.st_ino);
    OK(link("f", "g"));
    OK(stat("g", &st2));
    CHECK_EQ(st.st_ino, st2.st_ino);
    CHECK_EQ(st2.st_nlink, 2);
    OK(stat("/dev/null", &st));
    CHECK(S_ISCHR(st.st_mode));
    CHECK_EQ(major(st.st_rdev), 1);
    CHECK_EQ(minor(st.st_rdev), 3);
    ERR(stat("none", &st), ENOENT);
    ERR(stat("f/x", &st), ENOTDIR);
    ERR(stat("f", (struct stat *)16), EFAULT);
    ERR(fstat(999, &st), EBADF);
    OK(fstatat(AT_FDCWD, "", &st, AT_EMPTY_PATH));
    CHECK(S_ISDIR(st.st_mode));
    ERR(fstatat(AT_FDCWD, "", &st, 0), ENOENT);
    ERR(fstatat(AT_FDCWD, "f", &st, 0x80000), EINVAL);
}

CASE(file, statx)
{
    put_file("f", "12345", 5, 0604);
    struct statx x;
    OK(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &x));
    CHECK_EQ(x.stx_size, 5);
    CHECK_EQ(x.stx_mode, S_IFREG | 0604);
    CHECK_EQ(x.stx_nlink, 1);
    CHECK_EQ(x.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
    struct stat st;
    OK(stat("f", &st));
    CHECK_EQ(x.stx_ino, st.st_ino);
    int fd = OK(open("f", O_RDONLY));
    OK(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &x));
    CHECK_EQ(x.stx_size, 5);
    ERR(statx(AT_FDCWD, "none", 0, STATX_SIZE, &x), ENOENT);
}

CASE(file, times)
{
    put_file("f", "", 0, 0644);
    struct timespec ts[2] = {{1000, 5}, {2000, 999999999}};
    struct stat st;
    OK(utimensat(AT_FDCWD, "f", ts, 0));
    OK(stat("f", &st));
    CHECK_EQ(st.st_atim.tv_sec, 1000);
    CHECK_EQ(st.st_atim.tv_nsec, 5);
    CHECK_EQ(st.st_mtim.tv_sec, 2000);
    CHECK_EQ(st.st_mtim.tv_nsec, 999999999);
    ts[0].tv_nsec = UTIME_OMIT;
    ts[1].tv_nsec = UTIME_NOW;
    OK(utimensat(AT_FDCWD, "f", ts, 0));
    OK(stat("f", &st));
    CHECK_EQ(st.st_atim.tv_sec, 1000);
    CHECK(st.st_mtim.tv_sec > 1000000);
    ts[1].tv_nsec = 2000000000;
    ERR(utimensat(AT_FDCWD, "f", ts, 0), EINVAL);
    ERR(utimensat(AT_FDCWD, "none", NULL, 0), ENOENT);
    OK(utimensat(AT_FDCWD, "f", NULL, 0));
    int fd = OK(open("f", O_WRONLY));
    ts[0] = ts[1] = (struct timespec){5000, 0};
    OK(futimens(fd, ts));
    OK(write(fd, "x", 1));
    OK(fstat(fd, &st));
    CHECK(st.st_mtim.tv_sec > 5000);
}

CASE(file, modes_and_owners)
{
    put_file("f", "", 0, 0644);
    struct stat st;
    OK(chmod("f", 07421));
    OK(stat("f", &st));
    CHECK_EQ(st.st_mode & 07777, 07421);
    int fd = OK(open("f", O_RDONLY));
    OK(fchmod(fd, 0600));
    OK(stat("f", &st));
    CHECK_EQ(st.st_mode & 07777, 0600);
    OK(chown("f", 12, 34));
    OK(stat("f", &st));
    CHECK_EQ(st.st_uid, 12);
    CHECK_EQ(st.st_gid, 34);
    OK(fchown(fd, -1, 56));
    OK(stat("f", &st));
    CHECK_EQ(st.st_uid, 12);
    CHECK_EQ(st.st_gid, 56);
    OK(symlink("f", "l"));
    OK(lchown("l", 7, 8));
    OK(lstat("l", &st));
    CHECK_EQ(st.st_uid, 7);
    OK(stat("l", &st));
    CHECK_EQ(st.st_uid, 12);
    ERR(chmod("none", 0), ENOENT);
    ERR(chown("none", 0, 0), ENOENT);
}

CASE(file, permissions_bind_others)
{
    if (geteuid() != 0)
        SKIP("only root can become somebody else");
    OK(chmod(".", 0755));
    put_file("secret", "x", 1, 0600);
    put_file("group", "x", 1, 0640);
    OK(chown("group", 0, 77));
    put_file("program", "x", 1, 0644);
    OK(mkdir("closed", 0700));
    put_file("closed/f", "x", 1, 0666);
    OK(mkdir("sticky", 01777));
    OK(chmod("sticky", 01777));
    put_file("sticky/f", "x", 1, 0666);
    CHILD({
        OK(setgid(77));
        OK(setuid(1000));
        ERR(open("secret", O_RDONLY), EACCES);
        OK(close(OK(open("group", O_RDONLY))));
        ERR(open("group", O_RDWR), EACCES);
        ERR(open("closed/f", O_RDONLY), EACCES);
        ERR(open("new", O_CREAT | O_WRONLY, 0600), EACCES);
        ERR(unlink("secret"), EACCES);
        ERR(unlink("sticky/f"), EPERM);
        ERR(mkdir("d", 0700), EACCES);
        ERR(chmod("group", 0777), EPERM);
        ERR(chown("group", 1000, 1000), EPERM);
        ERR(access("secret", R_OK), EACCES);
        OK(access("secret", F_OK));
        ERR(access("program", X_OK), EACCES);
        ERR(chdir("closed"), EACCES);
        ERR(kill(1, 0), EPERM);
        ERR(setuid(0), EPERM);
    });
}

CASE(file, access_calls)
{
    put_file("f", "", 0, 0644);
    OK(access("f", F_OK));
    OK(access("f", R_OK | W_OK));
    if (geteuid() == 0)
        ERR(access("f", X_OK), EACCES);
    ERR(access("none", F_OK), ENOENT);
    ERR(access("f", 64), EINVAL);
    OK(faccessat(AT_FDCWD, "f", R_OK, AT_EACCESS));
}

CASE(file, locks)
{
    int a = OK(open("f", O_CREAT | O_RDWR, 0644));
    OK(flock(a, LOCK_EX));
    int b = OK(open("f", O_RDWR));
    ERR(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    OK(flock(a, LOCK_UN));
    OK(flock(b, LOCK_EX | LOCK_NB));
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 10};
    OK(fcntl(a, F_SETLK, &lock));
    CHILD({
        struct flock mine = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 5, .l_len = 10};
        int c = OK(open("f", O_RDWR));
        errno = 0;
        CHECK(fcntl(c, F_SETLK, &mine) == -1 && (errno == EAGAIN || errno == EACCES));
        OK(fcntl(c, F_GETLK, &mine));
        CHECK_EQ(mine.l_type, F_WRLCK);
        CHECK_EQ(mine.l_pid, getppid());
    });
}

CASE(file, devices)
{
    char buffer[5000];
    memset(buffer, 1, sizeof buffer);
    int zero = OK(open("/dev/zero", O_RDWR));
    CHECK_EQ(read(zero, buffer, sizeof buffer), sizeof buffer);
    for (size_t i = 0; i < sizeof buffer; i++)
        CHECK_EQ(buffer[i], 0);
    CHECK_EQ(write(zero, buffer, 10), 10);
    int null = OK(open("/dev/null", O_RDWR));
    CHECK_EQ(read(null, buffer, 10), 0);
    CHECK_EQ(write(null, buffer, sizeof buffer), sizeof buffer);
    int full = OK(open("/dev/full", O_RDWR));
    CHECK_EQ(read(full, buffer, 10), 10);
    ERR(write(full, buffer, 10), ENOSPC);
    int random = OK(open("/dev/urandom", O_RDONLY));
    char a[32], b[32];
    CHECK_EQ(read(random, a, 32), 32);
    CHECK_EQ(read(random, b, 32), 32);
    CHECK(memcmp(a, b, 32) != 0);
    struct stat st;
    static const struct { const char *name; int major, minor; } nodes[] = {
        {"/dev/null", 1, 3}, {"/dev/zero", 1, 5}, {"/dev/full", 1, 7}, {"/dev/random", 1, 8}, {"/dev/urandom", 1, 9},
        {"/dev/tty", 5, 0}, {"/dev/console", 5, 1}};
    for (size_t i = 0; i < COUNT(nodes); i++) {
        OK(stat(nodes[i].name, &st));
        CHECK(S_ISCHR(st.st_mode));
        CHECK_EQ(major(st.st_rdev), nodes[i].major);
        CHECK_EQ(minor(st.st_rdev), nodes[i].minor);
    }
    OK(mknod("mine", S_IFCHR | 0600, makedev(1, 3)));
    int fd = OK(open("mine", O_RDWR));
    CHECK_EQ(write(fd, "abc", 3), 3);
}

CASE(file, unlinked_lives_until_closed)
{
    int fd = OK(open("f", O_CREAT | O_RDWR, 0644));
    OK(write(fd, "still", 5));
    OK(unlink("f"));
    ERR(access("f", F_OK), ENOENT);
    struct stat st;
    OK(fstat(fd, &st));
    CHECK_EQ(st.st_nlink, 0);
    char buffer[5];
    CHECK_EQ(pread(fd, buffer, 5, 0), 5);
    CHECK(memcmp(buffer, "still", 5) == 0);
    put_file("f", "new", 3, 0644);
    CHECK_EQ(pread(fd, buffer, 5, 0), 5);
    CHECK(memcmp(buffer, "still", 5) == 0);
}

CASE(file, sync_calls)
{
    int fd = OK(open("f", O_CREAT | O_RDWR, 0644));
    OK(fsync(fd));
    OK(fdatasync(fd));
    sync();
    ERR(fsync(999), EBADF);
    OK(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL) == 0 ? 0 : -1);
}

CASE(file, statfs_calls)
{
    struct statfs fs;
    OK(statfs("/", &fs));
    CHECK(fs.f_bsize >= 512 && fs.f_namelen == 255);
    OK(statfs("/proc", &fs));
    CHECK_EQ(fs.f_type, 0x9fa0);
    int fd = OK(open(".", O_RDONLY));
    OK(fstatfs(fd, &fs));
    ERR(statfs("none", &fs), ENOENT);
}

CASE(file, copy_file_range)
{
    put_file("a", "0123456789", 10, 0644);
    int in = OK(open("a", O_RDONLY)), out = OK(open("b", O_CREAT | O_RDWR, 0644));
    off_t from = 3;
    long n = syscall(SYS_copy_file_range, in, &from, out, NULL, 100, 0);
    if (n < 0 && (errno == EOPNOTSUPP || errno == EXDEV))
        SKIP("copy_file_range is not supported here");
    CHECK_EQ(n, 7);
    CHECK_EQ(from, 10);
    CHECK(strcmp(get_file("b", NULL), "3456789") == 0);
}

CASE(file, fork_shares_the_offset)
{
    int fd = OK(open("f", O_CREAT | O_RDWR, 0644));
    CHILD(OK(write(fd, "child", 5)));
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5);
    OK(write(fd, "parent", 6));
    CHECK(strcmp(get_file("f", NULL), "childparent") == 0);
}
