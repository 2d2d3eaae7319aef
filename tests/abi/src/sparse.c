/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Files with holes, fallocate(2), renameat2(2) with whiteouts, mount options of tmpfs.
 */
#include "abi.h"

#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#ifndef RENAME_WHITEOUT
#define RENAME_WHITEOUT (1 << 2)
#endif

CASE(sparse, holes_are_found) {
    int f = OK(open("f", O_RDWR | O_CREAT, 0644));
    OK(pwrite(f, "a", 1, 0));
    OK(pwrite(f, "b", 1, 10 * PAGE));
    OK(ftruncate(f, 20 * PAGE));
    CHECK_EQ(OK(lseek(f, 0, SEEK_DATA)), 0);
    CHECK_EQ(OK(lseek(f, 5, SEEK_DATA)), 5);
    CHECK_EQ(OK(lseek(f, 0, SEEK_HOLE)), PAGE);
    CHECK_EQ(OK(lseek(f, PAGE, SEEK_DATA)), 10 * PAGE);
    CHECK_EQ(OK(lseek(f, 2 * PAGE + 7, SEEK_HOLE)), 2 * PAGE + 7);
    CHECK_EQ(OK(lseek(f, 10 * PAGE, SEEK_HOLE)), 11 * PAGE);
    ERR(lseek(f, 11 * PAGE, SEEK_DATA), ENXIO);
    ERR(lseek(f, 20 * PAGE, SEEK_HOLE), ENXIO);
    ERR(lseek(f, -1, SEEK_DATA), ENXIO);
    struct stat st;
    OK(fstat(f, &st));
    CHECK_EQ(st.st_blocks, 16);
    int g = OK(open("g", O_RDWR | O_CREAT, 0644));
    ERR(lseek(g, 0, SEEK_DATA), ENXIO);
    OK(write(g, "abc", 3));
    CHECK_EQ(OK(lseek(g, 1, SEEK_DATA)), 1);
    CHECK_EQ(OK(lseek(g, 1, SEEK_HOLE)), 3);
}

CASE(sparse, punched_holes) {
    int f = OK(open("f", O_RDWR | O_CREAT, 0644));
    static char buf[4 * PAGE];
    memset(buf, 'x', sizeof buf);
    OK(write(f, buf, sizeof buf));
    OK(fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE, 2 * PAGE));
    struct stat st;
    OK(fstat(f, &st));
    CHECK_EQ(st.st_size, 4 * PAGE);
    CHECK_EQ(st.st_blocks, 16);
    CHECK_EQ(OK(lseek(f, 0, SEEK_HOLE)), PAGE);
    CHECK_EQ(OK(lseek(f, PAGE, SEEK_DATA)), 3 * PAGE);
    CHECK_EQ(OK(pread(f, buf, 2, PAGE - 1)), 2);
    CHECK(buf[0] == 'x' && buf[1] == 0);
    OK(fallocate(f, 0, 4 * PAGE, PAGE));
    OK(fstat(f, &st));
    CHECK_EQ(st.st_size, 5 * PAGE);
    OK(fallocate(f, FALLOC_FL_KEEP_SIZE, 0, 100 * PAGE));
    OK(fstat(f, &st));
    CHECK_EQ(st.st_size, 5 * PAGE);
}

CASE(sparse, fallocate_reserves) {
    int f = OK(open("f", O_RDWR | O_CREAT, 0644));
    struct stat st;
    char c = 'x';
    OK(fallocate(f, 0, 0, 8 * PAGE));
    OK(fstat(f, &st));
    CHECK_EQ(st.st_size, 8 * PAGE);
    CHECK_EQ(st.st_blocks, 64);
    /* what is there stays */
    OK(ftruncate(f, 0));
    OK(ftruncate(f, 8 * PAGE));
    CHECK_EQ(pwrite(f, &c, 1, 2 * PAGE), 1);
    OK(fallocate(f, FALLOC_FL_KEEP_SIZE, PAGE, 3 * PAGE));
    OK(fstat(f, &st));
    CHECK_EQ(st.st_size, 8 * PAGE);
    CHECK_EQ(st.st_blocks, 24);
    c = 0;
    CHECK_EQ(pread(f, &c, 1, 2 * PAGE), 1);
    CHECK_EQ(c, 'x');
}

CASE(sparse, fallocate_errors) {
    int f = OK(open("f", O_RDWR | O_CREAT, 0644)), r = OK(open("f", O_RDONLY)), p[2];
    OK(pipe(p));
    ERR(fallocate(f, 0, -1, 1), EINVAL);
    ERR(fallocate(f, 0, 0, 0), EINVAL);
    ERR(fallocate(f, FALLOC_FL_PUNCH_HOLE, 0, 1), EOPNOTSUPP);
    ERR(fallocate(f, FALLOC_FL_ZERO_RANGE, 0, PAGE), EOPNOTSUPP);
    ERR(fallocate(f, FALLOC_FL_COLLAPSE_RANGE, 0, PAGE), EOPNOTSUPP);
    ERR(fallocate(f, FALLOC_FL_INSERT_RANGE, 0, PAGE), EOPNOTSUPP);
    ERR(fallocate(f, FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_KEEP_SIZE, 0, PAGE), EINVAL);
    ERR(fallocate(f, 0x1000, 0, PAGE), EOPNOTSUPP);
    ERR(fallocate(r, 0, 0, 1), EBADF);
    ERR(fallocate(-1, 0, 0, 1), EBADF);
    ERR(fallocate(p[1], 0, 0, 1), ESPIPE);
    ERR(fallocate(f, 0, INT64_MAX, 1), EFBIG);
    int z = OK(open("/dev/null", O_RDWR));
    ERR(fallocate(z, 0, 0, 1), ENODEV);
}

CASE(sparse, whiteouts) {
    put_file("a", "1", 1, 0644);
    put_file("b", "2", 1, 0644);
    ERR(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_WHITEOUT | RENAME_EXCHANGE), EINVAL);
    ERR(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", 0x100), EINVAL);
    ERR(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_WHITEOUT | RENAME_NOREPLACE), EEXIST);
    OK(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_WHITEOUT));
    struct stat st;
    OK(stat("a", &st));
    CHECK(S_ISCHR(st.st_mode));
    CHECK_EQ(st.st_rdev, makedev(0, 0));
    CHECK(strcmp(get_file("b", NULL), "1") == 0);
}

CASE(sparse, limits_of_a_tmpfs) {
    OK(mkdir("m", 0755));
    OK(mount("none", "m", "tmpfs", 0, "size=64k,nr_inodes=10,mode=0700"));
    struct stat st;
    OK(stat("m", &st));
    CHECK_EQ(st.st_mode & 07777, 0700);
    struct statfs fs;
    OK(statfs("m", &fs));
    CHECK_EQ(fs.f_files, 10);
    CHECK_EQ(fs.f_ffree, 9);
    CHECK_EQ(fs.f_blocks, 16);
    char name[32];
    int made = 0;
    for (int i = 0; i < 20; i++) {
        sprintf(name, "m/%d", i);
        int f = open(name, O_CREAT | O_WRONLY, 0644);
        if (f < 0)
            break;
        made++;
        OK(close(f));
    }
    CHECK_EQ(errno, ENOSPC);
    CHECK_EQ(made, 9);
    OK(unlink("m/0"));
    OK(mkdir("m/d", 0755));
    ERR(symlink("x", "m/l"), ENOSPC);
    int f = OK(open("m/1", O_WRONLY));
    static char buf[32 * 1024];
    ssize_t n, total = 0;
    while ((n = write(f, buf, sizeof buf)) > 0)
        total += n;
    CHECK_EQ(errno, ENOSPC);
    CHECK(total >= 32 * 1024 && total <= 64 * 1024);
    ERR(fallocate(f, 0, 0, 1 << 20), ENOSPC);
    OK(mount("none", "m", NULL, MS_REMOUNT, "size=128k,nr_inodes=20"));
    OK(statfs("m", &fs));
    CHECK_EQ(fs.f_files, 20);
    OK(write(f, buf, sizeof buf));
    ERR(mount("none", "m", NULL, MS_REMOUNT, "nr_inodes=2"), EINVAL);
    ERR(mount("none", "m", "tmpfs", 0, "nr_inodes=x"), EINVAL);
    OK(close(f));
    OK(umount("m"));
}

CASE(sparse, expiring_mounts) {
    OK(mkdir("m", 0755));
    OK(mount("none", "m", "tmpfs", 0, NULL));
    ERR(umount2("m", MNT_EXPIRE | MNT_DETACH), EINVAL);
    ERR(umount2("m", MNT_EXPIRE | MNT_FORCE), EINVAL);
    ERR(umount2("m", MNT_EXPIRE), EAGAIN);
    put_file("m/f", "1", 1, 0644);
    ERR(umount2("m", MNT_EXPIRE), EAGAIN);
    int f = OK(open("m/f", O_RDONLY));
    ERR(umount2("m", MNT_EXPIRE), EBUSY);
    OK(close(f));
    ERR(umount2("m", MNT_EXPIRE), EAGAIN);
    OK(umount2("m", MNT_EXPIRE));
    ERR(umount2("m", 0), EINVAL);
    ERR(umount2("m", 0x100), EINVAL);
}

CASE(sparse, seals) {
    int fd = OK(memfd_create("x", MFD_ALLOW_SEALING));
    OK(ftruncate(fd, 2 * PAGE));
    CHECK_EQ(OK(fcntl(fd, F_GET_SEALS)), 0);
    OK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK));
    ERR(ftruncate(fd, 3 * PAGE), EPERM);
    ERR(ftruncate(fd, PAGE), EPERM);
    ERR(fallocate(fd, 0, 0, 3 * PAGE), EPERM);
    OK(pwrite(fd, "x", 1, 0));
    void *p = MAP_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    OK(munmap(p, PAGE));
    OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    ERR(pwrite(fd, "x", 1, 0), EPERM);
    ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE), EPERM);
    CHECK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EPERM);
    p = MAP_OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0));
    ERR(mprotect(p, PAGE, PROT_READ | PROT_WRITE), EACCES);
    OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
    ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM);
    int plain = OK(memfd_create("y", 0));
    CHECK_EQ(OK(fcntl(plain, F_GET_SEALS)), F_SEAL_SEAL);
    ERR(fcntl(plain, F_ADD_SEALS, F_SEAL_GROW), EPERM);
}
