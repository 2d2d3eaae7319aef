/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Who may do what to files: credentials(7), inode(7), utimensat(2), setrlimit(2).
 */
#include "abi.h"

#include <grp.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

static void become(uid_t uid, gid_t gid) {
    OK(setgroups(0, NULL));
    OK(setgid(gid));
    OK(setuid(uid));
}

CASE(perms, classes) {
    OK(chmod(".", 0755));
    put_file("f", "x", 1, 0);
    OK(chown("f", 1000, 1000));
    OK(chmod("f", 0460));
    CHILD({
        become(1000, 1000);
        OK(close(OK(open("f", O_RDONLY))));
        ERR(open("f", O_RDWR), EACCES);
        ERR(access("f", W_OK), EACCES);
        OK(access("f", R_OK));
    });
    CHILD({
        become(1001, 1000);
        OK(close(OK(open("f", O_RDWR))));
    });
    CHILD({
        gid_t more[2] = {5, 1000};
        OK(setgroups(2, more));
        OK(setgid(1001));
        OK(setuid(1001));
        OK(close(OK(open("f", O_RDWR))));
    });
    CHILD({
        become(1001, 1001);
        ERR(open("f", O_RDONLY), EACCES);
        ERR(open("f", O_WRONLY), EACCES);
        ERR(truncate("f", 0), EACCES);
        ERR(chmod("f", 0777), EPERM);
        ERR(chown("f", 1001, -1), EPERM);
        ERR(unlink("f"), EACCES);
    });
    OK(close(OK(open("f", O_RDWR))));
}

CASE(perms, directories) {
    OK(chmod(".", 0755));
    OK(mkdir("d", 0755));
    put_file("d/f", "x", 1, 0666);
    OK(chown("d", 1000, 1000));
    CHILD({
        become(1000, 1000);
        OK(chmod("d", 0600));
        ERR(open("d/f", O_RDONLY), EACCES);
        ERR(stat("d/f", &(struct stat){0}), EACCES);
        OK(close(OK(open("d", O_RDONLY))));
        ERR(chdir("d"), EACCES);
        OK(chmod("d", 0300));
        ERR(open("d", O_RDONLY), EACCES);
        OK(close(OK(open("d/f", O_RDONLY))));
        OK(close(OK(open("d/g", O_WRONLY | O_CREAT, 0600))));
        OK(chmod("d", 0500));
        ERR(open("d/h", O_WRONLY | O_CREAT, 0600), EACCES);
        ERR(unlink("d/f"), EACCES);
        ERR(mkdir("d/x", 0700), EACCES);
        ERR(symlink("x", "d/x"), EACCES);
        ERR(rename("d/f", "d/x"), EACCES);
        ERR(link("d/g", "d/x"), EACCES);
    });
}

CASE(perms, sticky_directories) {
    OK(mkdir("t", 0777));
    OK(chmod("t", 01777));
    OK(chmod(".", 0755));
    put_file("t/root", "x", 1, 0666);
    CHILD({
        become(1000, 1000);
        put_file("t/mine", "x", 1, 0666);
        ERR(unlink("t/root"), EPERM);
        ERR(rename("t/root", "t/x"), EPERM);
        ERR(rename("t/mine", "t/root"), EPERM);
        OK(rename("t/mine", "t/still"));
    });
    CHILD({
        become(1001, 1001);
        ERR(unlink("t/still"), EPERM);
    });
    OK(chown("t", 1001, 1001));
    CHILD({
        become(1001, 1001);
        OK(unlink("t/still"));
    });
}

CASE(perms, set_group_id_directories) {
    OK(mkdir("d", 0777));
    OK(chown("d", 0, 500));
    OK(chmod("d", 02777));
    OK(chmod(".", 0755));
    umask(0);
    CHILD({
        become(1000, 1000);
        struct stat st;
        OK(close(OK(open("d/f", O_WRONLY | O_CREAT, 02775))));
        OK(stat("d/f", &st));
        CHECK_EQ(st.st_gid, 500);
        CHECK_EQ(st.st_mode & 07777, 0775);
        OK(mkdir("d/sub", 0755));
        OK(stat("d/sub", &st));
        CHECK_EQ(st.st_gid, 500);
        CHECK_EQ(st.st_mode & 07777, 02755);
        OK(close(OK(open("d/g", O_WRONLY | O_CREAT, 02644))));
        OK(stat("d/g", &st));
        CHECK_EQ(st.st_mode & 07777, 02644);
        /* Not a member: the bit does not stay. */
        OK(chmod("d/f", 02775));
        OK(stat("d/f", &st));
        CHECK_EQ(st.st_mode & 07777, 0775);
    });
}

CASE(perms, set_id_bits_go) {
    OK(chmod(".", 0777));
    umask(0);
    put_file("f", "x", 1, 0777);
    OK(chmod("f", 06777));
    struct stat st;
    int fd = OK(open("f", O_RDWR));
    OK(write(fd, "y", 1));
    OK(fstat(fd, &st));
    CHECK_EQ(st.st_mode & 07777, 06777); /* root keeps them */
    OK(close(fd));
    CHILD({
        become(1000, 1000);
        int g = OK(open("f", O_RDWR));
        OK(write(g, "y", 1));
        OK(fstat(g, &st));
        CHECK_EQ(st.st_mode & 07777, 0777);
    });
    OK(chmod("f", 06777));
    CHILD({
        become(1000, 1000);
        OK(truncate("f", 0));
        OK(stat("f", &st));
        CHECK_EQ(st.st_mode & 07777, 0777);
    });
    OK(chmod("f", 06777));
    OK(chown("f", 1000, 1000));
    OK(stat("f", &st));
    CHECK_EQ(st.st_mode & 07777, 0777);
    OK(chmod("f", 06767));
    OK(chown("f", -1, -1));
    OK(stat("f", &st));
    CHECK_EQ(st.st_mode & 07777, 02767); /* no group execute: mandatory locking's bit */
    CHILD({
        become(1000, 1000);
        OK(chown("f", -1, 1000));
        ERR(chown("f", -1, 500), EPERM);
        ERR(chown("f", 1001, -1), EPERM);
        OK(chown("f", 1000, -1));
    });
}

CASE(perms, times) {
    OK(chmod(".", 0755));
    put_file("f", "x", 1, 0646);
    OK(chmod("f", 0646));
    OK(chown("f", 1000, 1000));
    struct timespec set[2] = {{100, 123456789}, {200, 987654321}};
    OK(utimensat(AT_FDCWD, "f", set, 0));
    struct stat st;
    OK(stat("f", &st));
    CHECK(st.st_atim.tv_sec == 100 && st.st_atim.tv_nsec == 123456789);
    CHECK(st.st_mtim.tv_sec == 200 && st.st_mtim.tv_nsec == 987654321);
    struct timespec omit[2] = {{0, UTIME_OMIT}, {7, 0}};
    OK(utimensat(AT_FDCWD, "f", omit, 0));
    OK(stat("f", &st));
    CHECK(st.st_atim.tv_sec == 100 && st.st_mtim.tv_sec == 7);
    struct timespec bad[2] = {{0, 1000000000}, {0, 0}};
    ERR(utimensat(AT_FDCWD, "f", bad, 0), EINVAL);
    ERR(utimensat(AT_FDCWD, "f", set, 0x8000), EINVAL);
    ERR(utimensat(AT_FDCWD, "none", set, 0), ENOENT);
    CHILD({
        become(1001, 1001);
        /* Writable: now is allowed, any other time is not. */
        OK(utimensat(AT_FDCWD, "f", NULL, 0));
        struct timespec now[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
        OK(utimensat(AT_FDCWD, "f", now, 0));
        ERR(utimensat(AT_FDCWD, "f", set, 0), EPERM);
        struct timespec one[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
        ERR(utimensat(AT_FDCWD, "f", one, 0), EPERM);
    });
    OK(chmod("f", 0644));
    CHILD({
        become(1001, 1001);
        ERR(utimensat(AT_FDCWD, "f", NULL, 0), EACCES);
    });
    OK(symlink("f", "l"));
    OK(utimensat(AT_FDCWD, "l", set, AT_SYMLINK_NOFOLLOW));
    OK(lstat("l", &st));
    CHECK_EQ(st.st_mtim.tv_sec, 200);
}

CASE(perms, access_times_are_relative) {
    /* The first file system of all may have been mounted otherwise. */
    OK(mkdir("m", 0755));
    OK(mount("none", "m", "tmpfs", 0, NULL));
    OK(chdir("m"));
    put_file("f", "x", 1, 0644);
    struct stat st;
    char b;
    struct timespec old[2] = {{100, 0}, {50, 0}};
    OK(utimensat(AT_FDCWD, "f", old, 0));
    /* Older than a day: updated. */
    int fd = OK(open("f", O_RDONLY));
    OK(read(fd, &b, 1));
    OK(fstat(fd, &st));
    CHECK(st.st_atim.tv_sec > 1000);
    time_t now = time(NULL);
    struct timespec recent[2] = {{now - 10, 5}, {50, 0}};
    OK(utimensat(AT_FDCWD, "f", recent, 0));
    OK(fstat(fd, &st));
    /* The change time is newer, so the first read counts and the second does not. */
    sleep_ms(20);
    OK(pread(fd, &b, 1, 0));
    OK(fstat(fd, &st));
    CHECK(st.st_atim.tv_sec >= now - 1);
    struct timespec first = st.st_atim;
    sleep_ms(20);
    OK(pread(fd, &b, 1, 0));
    OK(fstat(fd, &st));
    CHECK(st.st_atim.tv_sec == first.tv_sec && st.st_atim.tv_nsec == first.tv_nsec);
    OK(utimensat(AT_FDCWD, "f", old, 0));
    int quiet = OK(open("f", O_RDONLY | O_NOATIME));
    OK(read(quiet, &b, 1));
    OK(fstat(fd, &st));
    CHECK_EQ(st.st_atim.tv_sec, 100);
    OK(chmod(".", 0755));
    CHILD({
        become(1000, 1000);
        ERR(open("f", O_RDONLY | O_NOATIME), EPERM);
    });
}

static volatile sig_atomic_t xfsz;
static void on_xfsz(int sig) {
    (void)sig;
    xfsz++;
}

CASE(perms, file_size_limit) {
    on_signal(SIGXFSZ, on_xfsz, 0);
    struct rlimit r = {100, 200};
    OK(setrlimit(RLIMIT_FSIZE, &r));
    int fd = OK(open("f", O_RDWR | O_CREAT, 0644));
    char buf[150] = {0};
    CHECK_EQ(OK(write(fd, buf, sizeof buf)), 100);
    CHECK_EQ(xfsz, 0);
    ERR(write(fd, buf, 1), EFBIG);
    CHECK_EQ(xfsz, 1);
    ERR(ftruncate(fd, 101), EFBIG);
    CHECK_EQ(xfsz, 2);
    OK(ftruncate(fd, 100));
    ERR(fallocate(fd, 0, 0, 101), EFBIG);
    CHECK_EQ(xfsz, 3);
    /* A pipe has no such limit. */
    int p[2];
    OK(pipe(p));
    CHECK_EQ(OK(write(p[1], buf, 150)), 150);
    signal(SIGXFSZ, SIG_DFL);
    DIES(SIGXFSZ, write(fd, buf, 1));
}

CASE(perms, read_only_files_stay_writable_when_open) {
    OK(chmod(".", 0777));
    CHILD({
        become(1000, 1000);
        int fd = OK(open("f", O_RDWR | O_CREAT | O_EXCL, 0000));
        OK(write(fd, "x", 1));
        ERR(open("f", O_RDONLY), EACCES);
        OK(fchmod(fd, 0400));
        OK(write(fd, "y", 1));
        OK(ftruncate(fd, 0));
    });
    int fd = OK(open("f", O_RDWR));
    struct stat st;
    OK(fstat(fd, &st));
    CHECK_EQ(st.st_uid, 1000);
}

CASE(perms, execute_needs_a_bit) {
    OK(chmod(".", 0755));
    put_file("f", "#!/bin/sh\n", 10, 0644);
    ERR(access("f", X_OK), EACCES);
    char *argv[] = {"f", NULL};
    ERR(execv("./f", argv), EACCES);
    OK(chmod("f", 0100));
    OK(access("f", X_OK));
    CHILD({
        become(1000, 1000);
        ERR(execv("./f", argv), EACCES);
    });
    ERR(execv(".", argv), EACCES);
}
