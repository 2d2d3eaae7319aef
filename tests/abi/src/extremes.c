/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The largest and the smallest: counts, lengths, offsets and times at the ends of their types, things nested in themselves.
 * What Linux refuses is refused by the same error; what it allows works; and the system goes on.
 */
#include "abi.h"
#include <limits.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>

CASE(extremes, iovecs)
{
    int fd = OK(open("f", O_CREAT | O_RDWR, 0644));
    static struct iovec iov[1025];
    static char bytes[1025];
    for (int i = 0; i < 1025; i++)
        iov[i] = (struct iovec){bytes + i, 1};
    CHECK_EQ(writev(fd, iov, 1024), 1024);
    ERR(writev(fd, iov, 1025), EINVAL);
    ERR(syscall(SYS_writev, fd, iov, -1L), EINVAL);
    ERR(syscall(SYS_readv, fd, NULL, 1024L), EFAULT);
    iov[0].iov_len = (size_t)1 << 63;
    ERR(readv(fd, iov, 2), EINVAL);
    /* More than INT_MAX in all is cut, not refused. */
    CHECK_EQ(pread(fd, bytes, 10, 0), 10);
    iov[0] = (struct iovec){bytes, 10}, iov[1] = (struct iovec){bytes, 0x7fffffff};
    OK(lseek(fd, 1020, SEEK_SET));
    CHECK_EQ(readv(fd, iov, 2), 4);
}

CASE(extremes, offsets)
{
    int fd = OK(open("f", O_CREAT | O_RDWR, 0644));
    char byte = 'x';
    ERR(pwrite(fd, &byte, 1, -1), EINVAL);
    ERR(pread(fd, &byte, 1, -1), EINVAL);
    ERR(pwrite(fd, &byte, 1, INT64_MAX), EINVAL);
    ERR(pread(fd, &byte, 1, INT64_MAX), EINVAL);
    ERR(ftruncate(fd, -1), EINVAL);
    ERR(lseek(fd, -1, SEEK_SET), EINVAL);
    OK(lseek(fd, 10, SEEK_SET));
    ERR(lseek(fd, INT64_MIN, SEEK_CUR), EINVAL);
    ERR(lseek(fd, INT64_MAX, SEEK_CUR), EINVAL);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 10);
    CHECK_EQ(pread(fd, &byte, 1, INT64_MAX - 1), 0);
    ERR(fallocate(fd, 0, -1, 10), EINVAL);
    ERR(fallocate(fd, 0, 0, 0), EINVAL);
    ERR(fallocate(fd, 0, INT64_MAX, INT64_MAX), EFBIG);
    /* A large sparse file is nothing but its size. */
    OK(ftruncate(fd, 1L << 40));
    CHECK_EQ(pwrite(fd, "end", 3, (1L << 40) - 3), 3);
    struct stat st;
    OK(fstat(fd, &st));
    CHECK(st.st_size == 1L << 40 && st.st_blocks < 100);
    CHECK_EQ(lseek(fd, 0, SEEK_END), 1L << 40);
    char *p = MAP_OK(mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, (1L << 40) - PAGE));
    CHECK_EQ(p[PAGE - 1], 'd');
    OK(munmap(p, 2 * PAGE));
    OK(ftruncate(fd, 0));
    struct flock lock = {.l_type = F_WRLCK, .l_start = INT64_MAX, .l_len = 1};
    OK(fcntl(fd, F_SETLK, &lock));
    lock.l_len = 2;
    ERR(fcntl(fd, F_SETLK, &lock), EOVERFLOW);
    lock.l_start = 0, lock.l_len = -1;
    ERR(fcntl(fd, F_SETLK, &lock), EINVAL);
    lock.l_start = 5, lock.l_len = INT64_MIN;
    ERR(fcntl(fd, F_SETLK, &lock), EINVAL);
}

CASE(extremes, mappings)
{
    ERR((long)mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
    ERR((long)mmap(NULL, SIZE_MAX, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
    ERR((long)mmap(NULL, 1L << 62, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
    ERR((long)mmap((void *)-PAGE, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), ENOMEM);
    ERR(munmap((void *)PAGE, SIZE_MAX), EINVAL);
    ERR(munmap((void *)-PAGE, 2 * PAGE), EINVAL);
    ERR(munmap((void *)1, PAGE), EINVAL);
    ERR(mprotect((void *)-PAGE, SIZE_MAX, PROT_READ), ENOMEM);
    char *p = MAP_OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ERR((long)mremap(p, PAGE, SIZE_MAX, MREMAP_MAYMOVE), EINVAL);
    ERR((long)mremap(p, PAGE, 0, MREMAP_MAYMOVE), EINVAL);
    ERR((long)mremap(p, PAGE, 1L << 46, 0), ENOMEM);
    CHECK_EQ(madvise(p, 0, MADV_DONTNEED), 0);
    ERR(madvise(p, SIZE_MAX - PAGE, MADV_DONTNEED), EINVAL);
    OK(munmap(p, PAGE));
}

CASE(extremes, paths)
{
    static char path[3 * PATH_MAX];
    memset(path, '/', PATH_MAX - 1);
    struct stat st;
    OK(stat(path, &st)); /* one slash, many times */
    memset(path, '/', PATH_MAX);
    ERR(stat(path, &st), ENAMETOOLONG);
    for (int i = 0; i < PATH_MAX - 2; i += 2)
        memcpy(path + i, "./", 2);
    path[PATH_MAX - 2] = 0;
    OK(stat(path, &st));
    memset(path, 'n', 256);
    path[256] = 0;
    ERR(stat(path, &st), ENAMETOOLONG);
    ERR(open(path, O_CREAT | O_RDWR, 0644), ENAMETOOLONG);
    path[255] = 0;
    int fd = OK(open(path, O_CREAT | O_RDWR, 0644));
    OK(close(fd));
    /* a chain of 40 links is as long as may be */
    OK(symlink("target", "l0"));
    put_file("target", "", 0, 0644);
    for (int i = 1; i <= 40; i++) {
        char from[16], to[16];
        snprintf(from, sizeof from, "l%d", i - 1);
        snprintf(to, sizeof to, "l%d", i);
        OK(symlink(from, to));
    }
    OK(stat("l39", &st));
    ERR(stat("l40", &st), ELOOP);
    OK(symlink("self/self/self", "self"));
    ERR(stat("self", &st), ELOOP);
    ERR(stat("self/x", &st), ELOOP);
    memset(path, 'x', PATH_MAX);
    path[PATH_MAX] = 0;
    ERR(symlink(path, "long"), ENAMETOOLONG);
}

CASE(extremes, descriptors)
{
    ERR(close(-1), EBADF);
    ERR(close(INT_MIN), EBADF);
    ERR(dup2(0, INT_MAX), EBADF);
    ERR(dup2(0, -1), EBADF);
    ERR(fcntl(0, F_DUPFD, INT_MAX), EINVAL);
    ERR(fcntl(0, F_DUPFD, -1), EINVAL);
    OK(syscall(SYS_close_range, 100u, UINT_MAX, 0));
    ERR(syscall(SYS_close_range, 5u, 4u, 0), EINVAL);
    struct rlimit limit;
    OK(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = 0;
    OK(setrlimit(RLIMIT_NOFILE, &limit));
    ERR(open("/", O_RDONLY), EMFILE);
    int fds[2];
    ERR(pipe(fds), EMFILE);
}

CASE(extremes, polling)
{
    static struct pollfd fds[2000];
    for (int i = 0; i < 2000; i++)
        fds[i] = (struct pollfd){-1, POLLIN, 0};
    struct rlimit limit = {1000, 1000};
    OK(setrlimit(RLIMIT_NOFILE, &limit));
    CHECK_EQ(poll(fds, 1000, 0), 0);
    ERR(poll(fds, 1001, 0), EINVAL);
    ERR(poll(fds, ULONG_MAX, 0), EINVAL);
    ERR(poll((void *)8, 10, 0), EFAULT);
    fd_set set;
    FD_ZERO(&set);
    struct timeval none = {0, 0};
    ERR(select(-1, &set, NULL, NULL, &none), EINVAL);
    CHECK_EQ(select(INT_MAX, NULL, NULL, NULL, &none), 0);
    int ep = OK(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN};
    ERR(epoll_wait(ep, &event, 0, 0), EINVAL);
    ERR(epoll_wait(ep, &event, INT_MAX, 0), EINVAL);
    ERR(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &event), EINVAL);
    ERR(epoll_create(0), EINVAL);
}

/* An epoll that watches itself by way of others is refused, and so is too long a chain. */
CASE(extremes, epoll_nesting)
{
    struct epoll_event event = {.events = EPOLLIN};
    int a = OK(epoll_create1(0)), b = OK(epoll_create1(0)), c = OK(epoll_create1(0));
    OK(epoll_ctl(a, EPOLL_CTL_ADD, b, &event));
    OK(epoll_ctl(b, EPOLL_CTL_ADD, c, &event));
    ERR(epoll_ctl(c, EPOLL_CTL_ADD, a, &event), ELOOP);
    ERR(epoll_ctl(b, EPOLL_CTL_ADD, a, &event), ELOOP);
    int last = OK(epoll_create1(0)), depth = 0;
    for (; depth < 20; depth++) {
        int next = OK(epoll_create1(0));
        if (epoll_ctl(next, EPOLL_CTL_ADD, last, &event) != 0) {
            CHECK(errno == ELOOP || errno == EINVAL);
            break;
        }
        last = next;
    }
    CHECK(depth >= 3 && depth <= 6);
}

static ssize_t send_fds(int socket, const int *fds, unsigned count)
{
    static union {
        char bytes[CMSG_SPACE(sizeof(int) * 300)];
        struct cmsghdr align;
    } control;
    char byte = 'x';
    struct iovec iov = {&byte, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control};
    m.msg_controllen = CMSG_SPACE(sizeof(int) * count);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(sizeof(int) * count);
    memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
    return sendmsg(socket, &m, 0);
}

CASE(extremes, rights)
{
    int pair[2], fds[300];
    OK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair));
    for (int i = 0; i < 300; i++)
        fds[i] = 0;
    CHECK_EQ(send_fds(pair[0], fds, 253), 1);
    ERR(send_fds(pair[0], fds, 254), EINVAL);
    fds[100] = -1;
    ERR(send_fds(pair[0], fds, 200), EBADF);
    struct msghdr m = {.msg_controllen = SIZE_MAX / 2, .msg_control = fds};
    char byte;
    struct iovec iov = {&byte, 1};
    m.msg_iov = &iov, m.msg_iovlen = 1;
    ERR(sendmsg(pair[0], &m, 0), ENOBUFS);
    m.msg_controllen = 0, m.msg_control = NULL, m.msg_iovlen = 1025;
    ERR(sendmsg(pair[0], &m, 0), EMSGSIZE);
    /* A socket within itself, and two within each other. */
    int other[2];
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, other));
    CHECK_EQ(send_fds(other[0], &other[1], 1), 1);
    CHECK_EQ(send_fds(other[0], &pair[0], 1), 1);
    CHECK_EQ(send_fds(pair[0], &other[1], 1), 1);
    close(pair[0]), close(pair[1]), close(other[0]), close(other[1]);
}

CASE(extremes, times)
{
    struct timespec t = {0, 1000000000};
    ERR(nanosleep(&t, NULL), EINVAL);
    t = (struct timespec){-1, 0};
    ERR(nanosleep(&t, NULL), EINVAL);
    t = (struct timespec){0, -1};
    ERR(clock_settime(CLOCK_REALTIME, &t), EINVAL);
    ERR(clock_gettime(INT_MAX, &t), EINVAL);
    ERR(clock_gettime(INT_MIN, &t), EINVAL);
    /* The longest sleep is a sleep, which a signal ends. */
    pid_t pid = xfork();
    if (pid == 0) {
        struct timespec for_ever = {INT64_MAX, 999999999};
        nanosleep(&for_ever, NULL);
        _exit(1);
    }
    await_state(pid, 'S');
    OK(kill(pid, SIGKILL));
    child_killed(pid, SIGKILL);
    int fd = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    struct itimerspec when = {{INT64_MAX, 999999999}, {INT64_MAX, 999999999}};
    OK(timerfd_settime(fd, 0, &when, NULL));
    OK(timerfd_gettime(fd, &when));
    CHECK(when.it_value.tv_sec > 1L << 30);
    /* A period of a nanosecond: many expirations at once. */
    when = (struct itimerspec){{0, 1}, {0, 1}};
    OK(timerfd_settime(fd, 0, &when, NULL));
    sleep_ms(20);
    uint64_t count = 0;
    CHECK_EQ(read(fd, &count, 8), 8);
    CHECK(count >= 1000000);
    when = (struct itimerspec){{0, 0}, {INT64_MAX, 0}};
    OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL));
    struct timeval far = {INT64_MAX / 2, 999999};
    struct itimerval itimer = {far, far};
    OK(setitimer(ITIMER_REAL, &itimer, NULL));
    itimer.it_value.tv_usec = 1000000;
    ERR(setitimer(ITIMER_REAL, &itimer, NULL), EINVAL);
    struct timespec times[2] = {{INT64_MAX, 0}, {INT64_MIN, 0}};
    put_file("f", "", 0, 0644);
    OK(utimensat(AT_FDCWD, "f", times, 0));
    struct stat st;
    OK(stat("f", &st));
}

CASE(extremes, counters)
{
    int fd = OK(eventfd(0, EFD_NONBLOCK));
    uint64_t value = UINT64_MAX;
    ERR(write(fd, &value, 8), EINVAL);
    value = UINT64_MAX - 1;
    CHECK_EQ(write(fd, &value, 8), 8);
    value = 1;
    ERR(write(fd, &value, 8), EAGAIN);
    CHECK_EQ(read(fd, &value, 8), 8);
    CHECK(value == UINT64_MAX - 1);
    int pipes[2];
    OK(pipe(pipes));
    ERR(fcntl(pipes[0], F_SETPIPE_SZ, -1), EINVAL);
    ERR(read(pipes[0], (void *)8, SIZE_MAX), EFAULT);
    CHECK_EQ(write(pipes[1], "x", 1), 1);
    ERR(read(pipes[0], (void *)8, 1L << 40), EFAULT);
    char big[8];
    CHECK_EQ(read(pipes[0], big, 1), 1);
}

/* Arguments of a new program: more than fit, longer than one may be. */
CASE(extremes, arguments)
{
    enum { MANY = 40000 };
    static char *argv[MANY + 1];
    char *long_one = malloc(200000);
    memset(long_one, 'a', 199999);
    long_one[199999] = 0;
    argv[0] = (char *)abi_self, argv[1] = long_one;
    ERR(execv(abi_self, argv), E2BIG);
    long_one[1000] = 0;
    for (int i = 1; i < MANY; i++)
        argv[i] = long_one;
    ERR(execv(abi_self, argv), E2BIG);
    char *const none[] = {NULL};
    ERR(execv("/", none), EACCES);
}
