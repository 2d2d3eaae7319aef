/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Descriptors, and opening files.
 */
#include "abi.h"
#include <sys/resource.h>

CASE(fd, dup_family)
{
    int fd = OK(open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    int twin = OK(dup(fd));
    CHECK(twin > fd);
    CHECK_EQ(fcntl(twin, F_GETFD), 0);
    OK(write(fd, "abcdef", 6));
    CHECK_EQ(lseek(twin, 0, SEEK_CUR), 6);
    CHECK_EQ(dup2(fd, 50), 50);
    CHECK_EQ(lseek(50, 2, SEEK_SET), 2);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 2);
    CHECK_EQ(dup2(fd, fd), fd);
    ERR(dup2(400, 400), EBADF);
    ERR(dup2(400, 3), EBADF);
    CHECK_EQ(dup3(fd, 51, O_CLOEXEC), 51);
    CHECK_EQ(fcntl(51, F_GETFD), FD_CLOEXEC);
    ERR(dup3(fd, fd, 0), EINVAL);
    ERR(dup3(fd, 52, 0x1234), EINVAL);
    ERR(dup2(fd, -1), EBADF);
    ERR(dup2(fd, 100000000), EBADF);
    CHECK_EQ(fcntl(fd, F_DUPFD, 60), 60);
    CHECK_EQ(fcntl(fd, F_DUPFD, 60), 61);
    CHECK_EQ(fcntl(fd, F_DUPFD_CLOEXEC, 60), 62);
    CHECK_EQ(fcntl(62, F_GETFD), FD_CLOEXEC);
    ERR(fcntl(fd, F_DUPFD, -1), EINVAL);
    ERR(dup(1000), EBADF);
    ERR(close(1000), EBADF);
    ERR(close(-1), EBADF);
}

CASE(fd, lowest_number_is_taken)
{
    int a = OK(open("/dev/null", O_RDONLY));
    int b = OK(open("/dev/null", O_RDONLY));
    int c = OK(open("/dev/null", O_RDONLY));
    CHECK(b == a + 1 && c == b + 1);
    OK(close(b));
    CHECK_EQ(open("/dev/null", O_RDONLY), b);
    OK(close(a));
    OK(close(c));
    CHECK_EQ(dup(b), a);
}

CASE(fd, limit)
{
    struct rlimit limit = {20, 20};
    OK(setrlimit(RLIMIT_NOFILE, &limit));
    int last = -1, fd;
    while ((fd = open("/dev/null", O_RDONLY)) >= 0)
        last = fd;
    CHECK_EQ(errno, EMFILE);
    CHECK_EQ(last, 19);
    int fds[2];
    ERR(pipe(fds), EMFILE);
    ERR(dup(0), EMFILE);
    OK(close(last));
    ERR(pipe(fds), EMFILE);
    CHECK_EQ(dup(0), 19);
}

CASE(fd, flags)
{
    int fd = OK(open("f", O_RDWR | O_CREAT | O_APPEND, 0644));
    CHECK_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK | O_CREAT), O_RDWR | O_APPEND);
    OK(fcntl(fd, F_SETFL, O_NONBLOCK));
    CHECK_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK), O_RDWR | O_NONBLOCK);
    OK(fcntl(fd, F_SETFD, FD_CLOEXEC));
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    OK(fcntl(fd, F_SETFD, 0));
    CHECK_EQ(fcntl(fd, F_GETFD), 0);
    ERR(fcntl(fd, 9999, 0), EINVAL);
    ERR(fcntl(999, F_GETFD), EBADF);
}

CASE(fd, close_range_works)
{
    for (int i = 0; i < 10; i++)
        CHECK_EQ(dup2(0, 100 + i), 100 + i);
    long r = syscall(SYS_close_range, 102, 104, 0);
    CHECK_EQ(r, 0);
    ERR(fcntl(102, F_GETFD), EBADF);
    ERR(fcntl(104, F_GETFD), EBADF);
    CHECK_EQ(fcntl(105, F_GETFD), 0);
    OK(syscall(SYS_close_range, 105, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */));
    CHECK_EQ(fcntl(109, F_GETFD), FD_CLOEXEC);
    ERR(syscall(SYS_close_range, 9, 8, 0), EINVAL);
}

CASE(open, flags_and_errors)
{
    ERR(open("none", O_RDONLY), ENOENT);
    int fd = OK(open("f", O_CREAT | O_EXCL | O_WRONLY, 0666));
    OK(write(fd, "0123456789", 10));
    ERR(open("f", O_CREAT | O_EXCL | O_WRONLY, 0666), EEXIST);
    char c;
    ERR(read(fd, &c, 1), EBADF);
    int ro = OK(open("f", O_RDONLY));
    ERR(write(ro, "x", 1), EBADF);
    CHECK_EQ(read(ro, &c, 1), 1);
    struct stat st;
    OK(close(OK(open("f", O_WRONLY | O_TRUNC))));
    OK(fstat(ro, &st));
    CHECK_EQ(st.st_size, 0);
    CHECK_EQ(st.st_mode, S_IFREG | 0644);
    ERR(open("f/x", O_RDONLY), ENOTDIR);
    ERR(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
    ERR(open("f/", O_RDONLY), ENOTDIR);
    ERR(open(".", O_WRONLY), EISDIR);
    ERR(open(".", O_RDWR), EISDIR);
    ERR(open("nodir/x", O_CREAT | O_WRONLY, 0600), ENOENT);
    ERR(open("", O_RDONLY), ENOENT);
    ERR(open((char *)16, O_RDONLY), EFAULT);
    ERR(openat(999, "f", O_RDONLY), EBADF);
    ERR(openat(ro, "f", O_RDONLY), ENOTDIR);
    char name[300];
    memset(name, 'n', 256);
    name[256] = 0;
    ERR(open(name, O_RDONLY), ENAMETOOLONG);
    name[255] = 0;
    ERR(open(name, O_RDONLY), ENOENT);
    OK(close(OK(open(name, O_CREAT | O_WRONLY, 0600))));
    static char path[5000];
    memset(path, '/', 4999);
    ERR(open(path, O_RDONLY), ENAMETOOLONG);
    OK(symlink("f", "link"));
    ERR(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
    int dir = OK(open(".", O_RDONLY | O_DIRECTORY));
    OK(close(OK(openat(dir, "f", O_RDONLY))));
    ERR(read(dir, &c, 1), EISDIR);
    int path_fd = OK(open("f", O_PATH));
    ERR(read(path_fd, &c, 1), EBADF);
    OK(fstat(path_fd, &st));
}

CASE(open, umask_and_mode)
{
    umask(027);
    struct stat st;
    OK(close(OK(open("a", O_CREAT | O_WRONLY, 0777))));
    OK(stat("a", &st));
    CHECK_EQ(st.st_mode & 07777, 0750);
    OK(mkdir("d", 0777));
    OK(stat("d", &st));
    CHECK_EQ(st.st_mode & 07777, 0750);
    CHECK_EQ(umask(0), 027);
    OK(close(OK(open("b", O_CREAT | O_RDWR, 04666))));
    OK(stat("b", &st));
    CHECK_EQ(st.st_mode & 07777, 04666);
    /* a file made read-only for all can be written through the descriptor that made it */
    int fd = OK(open("c", O_CREAT | O_RDWR, 0));
    OK(write(fd, "x", 1));
}

CASE(open, append)
{
    int a = OK(open("f", O_CREAT | O_WRONLY | O_APPEND, 0644));
    int b = OK(open("f", O_WRONLY | O_APPEND));
    OK(write(a, "one", 3));
    OK(write(b, "two", 3));
    OK(lseek(a, 0, SEEK_SET));
    OK(write(a, "three", 5));
    CHECK_EQ(lseek(a, 0, SEEK_CUR), 11);
    CHECK(strcmp(get_file("f", NULL), "onetwothree") == 0);
}

CASE(open, tmpfile)
{
    int fd = open(".", O_TMPFILE | O_RDWR, 0600);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
        SKIP("O_TMPFILE is not supported here");
    CHECK(fd >= 0);
    struct stat st;
    OK(write(fd, "abc", 3));
    OK(fstat(fd, &st));
    CHECK_EQ(st.st_nlink, 0);
    CHECK_EQ(st.st_size, 3);
}
