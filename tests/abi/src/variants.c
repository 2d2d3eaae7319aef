/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The calls that are a variant of a better known one: with an offset, flags, a size, another time-out.
 */
#include "abi.h"
#include <linux/openat2.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

CASE(variant, preadv2_and_pwritev2)
{
    int fd = OK(open("f", O_RDWR | O_CREAT, 0644));
    char a[4] = "abc", b[5] = "defg";
    struct iovec out[2] = {{a, 3}, {b, 4}};
    CHECK_EQ(OK(pwritev2(fd, out, 2, 10, 0)), 7);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
    CHECK_EQ(OK(pwritev2(fd, out, 1, -1, 0)), 3);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 3);
    CHECK_EQ(OK(pwritev2(fd, out, 1, 0, RWF_APPEND)), 3);
    CHECK_EQ(lseek(fd, 0, SEEK_END), 20);
    char c[16] = {0}, d[16] = {0};
    struct iovec in[2] = {{c, 2}, {d, 16}};
    CHECK_EQ(OK(preadv2(fd, in, 2, 10, 0)), 10);
    CHECK(memcmp(c, "ab", 2) == 0 && memcmp(d, "cdefgabc", 8) == 0);
    OK(lseek(fd, 10, SEEK_SET));
    CHECK_EQ(OK(preadv2(fd, in, 1, -1, 0)), 2);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 12);
    ERR(preadv2(fd, in, 1, -2, 0), EINVAL);
    ERR(pwritev2(fd, out, 1, -2, 0), EINVAL);
    ERR(preadv2(99, in, 1, 0, 0), EBADF);
    ERR(pwritev2(99, out, 1, 0, 0), EBADF);
    ERR(preadv2(fd, in, 1, 0, 0x4000), EOPNOTSUPP);
    ERR(pwritev2(fd, out, 1, 0, 0x4000), EOPNOTSUPP);
    ERR(preadv2(fd, in, -1, 0, 0), EINVAL);
    ERR(preadv2(fd, (void *)8, 1, 0, 0), EFAULT);
    int ends[2];
    OK(pipe(ends));
    ERR(preadv2(ends[0], in, 1, 0, 0), ESPIPE);
    ERR(pwritev2(ends[1], out, 1, 0, 0), ESPIPE);
    /* At the current position a pipe may be read; that it must not wait it has to be told by O_NONBLOCK. */
    OK(pwritev2(ends[1], out, 1, -1, 0));
    ERR(preadv2(ends[0], in, 1, -1, RWF_NOWAIT), EOPNOTSUPP);
    CHECK_EQ(preadv2(ends[0], in, 1, -1, 0), 2);
}

CASE(variant, openat2)
{
    struct open_how how = {.flags = O_RDWR | O_CREAT, .mode = 0640};
    int fd = OK(syscall(SYS_openat2, AT_FDCWD, "f", &how, sizeof how));
    struct stat st;
    OK(fstat(fd, &st));
    CHECK_EQ(st.st_mode & 07777, 0640);
    OK(mkdir("d", 0755));
    OK(symlink("../f", "d/out"));
    OK(symlink("/outside", "d/abs"));
    int dir = OK(open("d", O_RDONLY | O_DIRECTORY));
    how = (struct open_how){.flags = O_RDONLY};
    OK(syscall(SYS_openat2, dir, "out", &how, sizeof how));
    how.resolve = RESOLVE_BENEATH;
    ERR(syscall(SYS_openat2, dir, "out", &how, sizeof how), EXDEV);
    ERR(syscall(SYS_openat2, dir, "../f", &how, sizeof how), EXDEV);
    ERR(syscall(SYS_openat2, dir, "/bin", &how, sizeof how), EXDEV);
    how.resolve = RESOLVE_IN_ROOT;
    ERR(syscall(SYS_openat2, dir, "abs", &how, sizeof how), ENOENT);
    how.resolve = RESOLVE_NO_SYMLINKS;
    ERR(syscall(SYS_openat2, dir, "out", &how, sizeof how), ELOOP);
    how = (struct open_how){.flags = O_RDONLY, .resolve = 0x8000};
    ERR(syscall(SYS_openat2, dir, "out", &how, sizeof how), EINVAL);
    how = (struct open_how){.flags = O_RDONLY, .mode = 0644};
    ERR(syscall(SYS_openat2, dir, "out", &how, sizeof how), EINVAL);
    how = (struct open_how){.flags = O_RDONLY | 1ull << 40};
    ERR(syscall(SYS_openat2, dir, "out", &how, sizeof how), EINVAL);
    how = (struct open_how){.flags = O_RDONLY};
    ERR(syscall(SYS_openat2, dir, "none", &how, sizeof how), ENOENT);
    ERR(syscall(SYS_openat2, dir, "out", &how, sizeof how - 1), EINVAL);
    ERR(syscall(SYS_openat2, dir, "out", 8, sizeof how), EFAULT);
    struct {
        struct open_how how;
        uint64_t more;
    } longer = {.how = {.flags = O_RDONLY}, .more = 0};
    OK(syscall(SYS_openat2, dir, "out", &longer, sizeof longer));
    longer.more = 1;
    ERR(syscall(SYS_openat2, dir, "out", &longer, sizeof longer), E2BIG);
}

CASE(variant, fchmodat2)
{
    put_file("f", "", 0, 0644);
    OK(symlink("f", "l"));
    struct stat st;
    if (syscall(SYS_fchmodat2, AT_FDCWD, "l", 0600, 0) == -1 && errno == ENOSYS)
        SKIP("this kernel has no fchmodat2");
    OK(stat("f", &st));
    CHECK_EQ(st.st_mode & 07777, 0600);
    ERR(syscall(SYS_fchmodat2, AT_FDCWD, "l", 0600, AT_SYMLINK_NOFOLLOW), EOPNOTSUPP);
    int fd = OK(open("f", O_PATH));
    OK(syscall(SYS_fchmodat2, fd, "", 0640, AT_EMPTY_PATH));
    OK(stat("f", &st));
    CHECK_EQ(st.st_mode & 07777, 0640);
    ERR(syscall(SYS_fchmodat2, AT_FDCWD, "f", 0600, 1), EINVAL);
    ERR(syscall(SYS_fchmodat2, AT_FDCWD, "none", 0600, 0), ENOENT);
}

CASE(variant, epoll_pwait2)
{
    int ep = OK(epoll_create1(0));
    int ends[2];
    OK(pipe(ends));
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 77};
    OK(epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &event));
    struct epoll_event got[2];
    struct timespec short_time = {0, 20000000}, bad = {0, 1000000000};
    int64_t before = now_ms();
    CHECK_EQ(OK(syscall(SYS_epoll_pwait2, ep, got, 2, &short_time, NULL, 8)), 0);
    CHECK(now_ms() - before >= 19);
    OK(write(ends[1], "x", 1));
    CHECK_EQ(OK(syscall(SYS_epoll_pwait2, ep, got, 2, NULL, NULL, 8)), 1);
    CHECK(got[0].data.u64 == 77 && got[0].events == EPOLLIN);
    ERR(syscall(SYS_epoll_pwait2, ep, got, 2, &bad, NULL, 8), EINVAL);
    ERR(syscall(SYS_epoll_pwait2, ep, got, 0, NULL, NULL, 8), EINVAL);
    ERR(syscall(SYS_epoll_pwait2, 99, got, 2, NULL, NULL, 8), EBADF);
}

CASE(variant, sync_calls)
{
    int fd = OK(open("f", O_RDWR | O_CREAT, 0644));
    int ends[2];
    OK(write(fd, "abc", 3));
    OK(pipe(ends));
    OK(sync_file_range(fd, 0, 3, SYNC_FILE_RANGE_WRITE));
    ERR(sync_file_range(fd, -1, 3, 0), EINVAL);
    ERR(sync_file_range(fd, 0, 3, 0x100), EINVAL);
    ERR(sync_file_range(ends[0], 0, 3, SYNC_FILE_RANGE_WRITE), ESPIPE);
    ERR(sync_file_range(99, 0, 3, 0), EBADF);
    OK(syncfs(fd));
    ERR(syncfs(99), EBADF);
    OK(readahead(fd, 0, 4096));
    ERR(readahead(99, 0, 4096), EBADF);
    ERR(readahead(ends[0], 0, 4096), EINVAL);
}

CASE(variant, timerfd_gettime)
{
    int fd = OK(timerfd_create(CLOCK_MONOTONIC, 0));
    struct itimerspec set = {{2, 0}, {100, 0}}, got;
    OK(timerfd_settime(fd, 0, &set, NULL));
    OK(timerfd_gettime(fd, &got));
    CHECK(got.it_interval.tv_sec == 2 && got.it_value.tv_sec >= 98 && got.it_value.tv_sec <= 100);
    memset(&set, 0, sizeof set);
    OK(timerfd_settime(fd, 0, &set, &got));
    CHECK(got.it_value.tv_sec >= 98);
    OK(timerfd_gettime(fd, &got));
    CHECK(got.it_value.tv_sec == 0 && got.it_value.tv_nsec == 0);
    ERR(timerfd_gettime(99, &got), EBADF);
    ERR(timerfd_gettime(0, &got), EINVAL);
    ERR(syscall(SYS_timerfd_gettime, fd, 8), EFAULT);
}

CASE(variant, getresgid_faults)
{
    gid_t r, e, s;
    OK(getresgid(&r, &e, &s));
    CHECK(r == getgid() && e == getegid());
    ERR(syscall(SYS_getresgid, 8, &e, &s), EFAULT);
    ERR(syscall(SYS_getresgid, &r, &e, 8), EFAULT);
}

CASE(variant, timer_gettime)
{
    timer_t id;
    struct sigevent none = {.sigev_notify = SIGEV_NONE};
    OK(timer_create(CLOCK_MONOTONIC, &none, &id));
    struct itimerspec set = {{0, 0}, {50, 0}}, got;
    OK(timer_settime(id, 0, &set, NULL));
    OK(timer_gettime(id, &got));
    CHECK(got.it_value.tv_sec >= 48 && got.it_value.tv_sec <= 50);
    OK(timer_delete(id));
    ERR(syscall(SYS_timer_gettime, 12345, &got), EINVAL);
}

CASE(variant, scheduling_calls)
{
    struct sched_param zero = {0}, one = {1};
    OK(sched_setscheduler(0, SCHED_OTHER, &zero));
    OK(sched_setparam(0, &zero));
    ERR(sched_setscheduler(0, SCHED_OTHER, &one), EINVAL);
    ERR(sched_setparam(0, &one), EINVAL);
    ERR(sched_setscheduler(0, 77, &zero), EINVAL);
    ERR(sched_setparam(-1, &zero), EINVAL);
    ERR(sched_setparam(0x3ffffff, &zero), ESRCH);
    ERR(sched_setscheduler(0x3ffffff, SCHED_OTHER, &zero), ESRCH);
}
