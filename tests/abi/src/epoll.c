/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * epoll(7), eventfd(2), timerfd_create(2), signalfd(2), poll(2): what is reported, and when.
 */
#include "abi.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

static void add(int ep, int fd, uint32_t events) {
    struct epoll_event e = {.events = events, .data.fd = fd};
    OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
}

/* The events of the one descriptor that is ready now; 0 if none is. */
static uint32_t ready(int ep) {
    struct epoll_event e[4];
    int n = (int)OK(epoll_wait(ep, e, 4, 0));
    CHECK(n <= 1);
    return n ? e[0].events : 0;
}

CASE(epoll, edges_are_news) {
    int p[2], ep = OK(epoll_create1(0));
    char buf[16];
    OK(pipe(p));
    add(ep, p[0], EPOLLIN | EPOLLET);
    CHECK_EQ(ready(ep), 0);
    OK(write(p[1], "abcd", 4));
    CHECK_EQ(ready(ep), EPOLLIN);
    CHECK_EQ(ready(ep), 0);
    /* Reading is no news to a reader. */
    OK(read(p[0], buf, 1));
    CHECK_EQ(ready(ep), 0);
    OK(write(p[1], "e", 1));
    CHECK_EQ(ready(ep), EPOLLIN);
    CHECK_EQ(ready(ep), 0);
    OK(close(p[1]));
    CHECK_EQ(ready(ep), EPOLLIN | EPOLLHUP);
    CHECK_EQ(ready(ep), 0);
}

CASE(epoll, edges_of_a_writer) {
    int p[2], ep = OK(epoll_create1(0));
    static char buf[65536];
    OK(pipe2(p, O_NONBLOCK));
    add(ep, p[1], EPOLLOUT | EPOLLET);
    CHECK_EQ(ready(ep), EPOLLOUT);
    CHECK_EQ(ready(ep), 0);
    OK(write(p[1], buf, 100));
    CHECK_EQ(ready(ep), 0);
    while (write(p[1], buf, sizeof buf) > 0)
        ;
    CHECK_EQ(ready(ep), 0);
    while (read(p[0], buf, sizeof buf) > 0)
        ;
    CHECK_EQ(ready(ep), EPOLLOUT);
    OK(close(p[0]));
    CHECK_EQ(ready(ep), EPOLLOUT | EPOLLERR);
}

CASE(epoll, edges_of_sockets) {
    int s[2], ep = OK(epoll_create1(0));
    char buf[16];
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    add(ep, s[0], EPOLLIN | EPOLLET);
    OK(write(s[1], "abcd", 4));
    CHECK_EQ(ready(ep), EPOLLIN);
    OK(read(s[0], buf, 1));
    CHECK_EQ(ready(ep), 0);
    OK(write(s[0], "x", 1));
    CHECK_EQ(ready(ep), 0);
    OK(write(s[1], "e", 1));
    CHECK_EQ(ready(ep), EPOLLIN);
    OK(shutdown(s[1], SHUT_WR));
    CHECK_EQ(ready(ep), EPOLLIN);
}

CASE(epoll, edges_of_eventfds) {
    int e = OK(eventfd(0, EFD_NONBLOCK)), ep = OK(epoll_create1(0));
    uint64_t v = 1;
    add(ep, e, EPOLLIN | EPOLLET);
    for (int i = 0; i < 3; i++) {
        OK(write(e, &v, 8));
        CHECK_EQ(ready(ep), EPOLLIN);
        CHECK_EQ(ready(ep), 0);
    }
    OK(read(e, &v, 8));
    CHECK_EQ(v, 3);
    CHECK_EQ(ready(ep), 0);
}

CASE(epoll, once) {
    int p[2], ep = OK(epoll_create1(0));
    OK(pipe(p));
    add(ep, p[0], EPOLLIN | EPOLLONESHOT);
    OK(write(p[1], "a", 1));
    CHECK_EQ(ready(ep), EPOLLIN);
    OK(write(p[1], "b", 1));
    CHECK_EQ(ready(ep), 0);
    struct epoll_event e = {.events = EPOLLIN | EPOLLONESHOT, .data.fd = p[0]};
    OK(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &e));
    CHECK_EQ(ready(ep), EPOLLIN);
    CHECK_EQ(ready(ep), 0);
    OK(close(p[1]));
    CHECK_EQ(ready(ep), 0);
}

CASE(epoll, control_errors) {
    int p[2], ep = OK(epoll_create1(0)), ep2 = OK(epoll_create1(0));
    OK(pipe(p));
    struct epoll_event e = {.events = EPOLLIN};
    int f = OK(open("f", O_RDWR | O_CREAT, 0644));
    ERR(epoll_ctl(ep, EPOLL_CTL_ADD, f, &e), EPERM);
    ERR(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &e), EINVAL);
    ERR(epoll_ctl(ep, EPOLL_CTL_ADD, -1, &e), EBADF);
    ERR(epoll_ctl(-1, EPOLL_CTL_ADD, p[0], &e), EBADF);
    ERR(epoll_ctl(p[1], EPOLL_CTL_ADD, p[0], &e), EINVAL);
    ERR(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], NULL), EFAULT);
    ERR(epoll_ctl(ep, 77, p[0], &e), EINVAL);
    ERR(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &e), ENOENT);
    ERR(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL), ENOENT);
    OK(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e));
    ERR(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e), EEXIST);
    e.events = EPOLLIN | EPOLLEXCLUSIVE;
    ERR(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &e), EINVAL);
    ERR(epoll_ctl(ep, EPOLL_CTL_ADD, ep2, &e), EINVAL);
    OK(epoll_ctl(ep, EPOLL_CTL_ADD, p[1], &e));
    e.events = EPOLLIN;
    ERR(epoll_ctl(ep, EPOLL_CTL_MOD, p[1], &e), EINVAL);
    e.events = EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT;
    ERR(epoll_ctl(ep2, EPOLL_CTL_ADD, p[0], &e), EINVAL);
    struct epoll_event out[1];
    ERR(epoll_wait(ep, out, 0, 0), EINVAL);
    ERR(epoll_wait(ep, out, -1, 0), EINVAL);
    ERR(epoll_wait(p[0], out, 1, 0), EINVAL);
    ERR(epoll_wait(-1, out, 1, 0), EBADF);
    OK(write(p[1], "x", 1));
    ERR(epoll_wait(ep, (void *)8, 1, 0), EFAULT);
    ERR(epoll_create1(1), EINVAL);
    ERR(syscall(SYS_epoll_create1, -1), EINVAL);
}

CASE(epoll, nested_and_loops) {
    int ep[7], p[2];
    OK(pipe(p));
    for (int i = 0; i < 7; i++)
        ep[i] = (int)OK(epoll_create1(0));
    struct epoll_event e = {.events = EPOLLIN};
    OK(epoll_ctl(ep[0], EPOLL_CTL_ADD, p[0], &e));
    for (int i = 1; i < 5; i++)
        OK(epoll_ctl(ep[i], EPOLL_CTL_ADD, ep[i - 1], &e));
    ERR(epoll_ctl(ep[5], EPOLL_CTL_ADD, ep[4], &e), ELOOP);
    ERR(epoll_ctl(ep[0], EPOLL_CTL_ADD, ep[2], &e), ELOOP);
    CHECK_EQ(ready(ep[4]), 0);
    OK(write(p[1], "x", 1));
    CHECK_EQ(ready(ep[4]), EPOLLIN);
    struct pollfd f = {ep[2], POLLIN, 0};
    CHECK_EQ(OK(poll(&f, 1, 0)), 1);
    char b;
    OK(read(p[0], &b, 1));
    CHECK_EQ(ready(ep[4]), 0);
    CHECK_EQ(OK(poll(&f, 1, 0)), 0);
}

CASE(epoll, duplicates_and_closing) {
    int p[2], ep = OK(epoll_create1(0));
    OK(pipe(p));
    int d = OK(dup(p[0]));
    add(ep, p[0], EPOLLIN);
    add(ep, d, EPOLLIN);
    OK(write(p[1], "x", 1));
    struct epoll_event e[4];
    CHECK_EQ(OK(epoll_wait(ep, e, 4, 0)), 2);
    CHECK_EQ(OK(epoll_wait(ep, e, 1, 0)), 1);
    /* A closed descriptor stays while its description lives. */
    OK(close(p[0]));
    CHECK_EQ(OK(epoll_wait(ep, e, 4, 0)), 2);
    OK(close(d));
    CHECK_EQ(OK(epoll_wait(ep, e, 4, 0)), 0);
}

CASE(epoll, order_is_fair) {
    int ep = OK(epoll_create1(0)), fd[6];
    for (int i = 0; i < 6; i++) {
        fd[i] = (int)OK(eventfd(1, 0));
        add(ep, fd[i], EPOLLIN);
    }
    int seen = 0;
    for (int i = 0; i < 6; i++) {
        struct epoll_event e;
        CHECK_EQ(OK(epoll_wait(ep, &e, 1, 0)), 1);
        for (int k = 0; k < 6; k++)
            if (fd[k] == e.data.fd)
                seen |= 1 << k;
    }
    CHECK_EQ(seen, 63);
}

CASE(epoll, waits_and_times_out) {
    int p[2], ep = OK(epoll_create1(0));
    OK(pipe(p));
    add(ep, p[0], EPOLLIN);
    struct epoll_event e;
    int64_t start = now_ms();
    CHECK_EQ(OK(epoll_wait(ep, &e, 1, 50)), 0);
    CHECK(now_ms() - start >= 49);
    struct timespec ts = {0, 50000000};
    start = now_ms();
    CHECK_EQ(OK(syscall(SYS_epoll_pwait2, ep, &e, 1, &ts, NULL, 0)), 0);
    CHECK(now_ms() - start >= 49);
    ts.tv_nsec = 1000000000;
    ERR(syscall(SYS_epoll_pwait2, ep, &e, 1, &ts, NULL, 0), EINVAL);
    pid_t pid = xfork();
    if (pid == 0) {
        sleep_ms(40);
        OK(write(p[1], "x", 1));
        _exit(0);
    }
    CHECK_EQ(OK(epoll_wait(ep, &e, 1, 5000)), 1);
    child_ok(pid);
}

CASE(epoll, modified_interest) {
    int s[2], ep = OK(epoll_create1(0));
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    add(ep, s[0], EPOLLIN);
    CHECK_EQ(ready(ep), 0);
    struct epoll_event e = {.events = EPOLLOUT, .data.fd = s[0]};
    OK(epoll_ctl(ep, EPOLL_CTL_MOD, s[0], &e));
    CHECK_EQ(ready(ep), EPOLLOUT);
    e.events = 0;
    OK(epoll_ctl(ep, EPOLL_CTL_MOD, s[0], &e));
    CHECK_EQ(ready(ep), 0);
    OK(close(s[1]));
    CHECK_EQ(ready(ep), EPOLLHUP);
    e.events = EPOLLRDHUP | EPOLLIN;
    OK(epoll_ctl(ep, EPOLL_CTL_MOD, s[0], &e));
    CHECK_EQ(ready(ep), EPOLLIN | EPOLLHUP | EPOLLRDHUP);
}

CASE(epoll, what_poll_says) {
    int p[2], s[2];
    OK(pipe(p));
    struct pollfd f[6] = {{p[0], POLLIN | POLLOUT, 0}, {p[1], POLLIN | POLLOUT, 0}, {-1, POLLIN, 9}, {999, POLLIN, 0}};
    CHECK_EQ(OK(poll(f, 4, 0)), 2);
    CHECK(f[0].revents == 0 && f[1].revents == POLLOUT && f[2].revents == 0 && f[3].revents == POLLNVAL);
    OK(close(p[1]));
    CHECK_EQ(OK(poll(f, 1, 0)), 1);
    CHECK_EQ(f[0].revents, POLLHUP);
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    struct pollfd g = {s[0], POLLIN | POLLOUT | POLLRDHUP, 0};
    CHECK_EQ(OK(poll(&g, 1, 0)), 1);
    CHECK_EQ(g.revents, POLLOUT);
    OK(shutdown(s[1], SHUT_WR));
    CHECK_EQ(OK(poll(&g, 1, 0)), 1);
    CHECK_EQ(g.revents, POLLIN | POLLOUT | POLLRDHUP);
    OK(close(s[1]));
    CHECK_EQ(OK(poll(&g, 1, 0)), 1);
    CHECK_EQ(g.revents, POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
    int fresh = OK(socket(AF_UNIX, SOCK_STREAM, 0));
    struct pollfd h = {fresh, POLLIN | POLLOUT, 0};
    CHECK_EQ(OK(poll(&h, 1, 0)), 1);
    CHECK_EQ(h.revents, POLLOUT | POLLHUP);
    int file = OK(open("f", O_RDWR | O_CREAT, 0644));
    struct pollfd i = {file, POLLIN | POLLOUT | POLLPRI, 0};
    CHECK_EQ(OK(poll(&i, 1, 0)), 1);
    CHECK_EQ(i.revents, POLLIN | POLLOUT);
}

CASE(epoll, what_select_says) {
    int p[2];
    OK(pipe(p));
    fd_set r, w, e;
    FD_ZERO(&r);
    FD_ZERO(&w);
    FD_ZERO(&e);
    FD_SET(p[0], &r);
    FD_SET(p[1], &w);
    FD_SET(p[0], &e);
    struct timeval tv = {0, 0};
    CHECK_EQ(OK(select(p[1] + 1, &r, &w, &e, &tv)), 1);
    CHECK(!FD_ISSET(p[0], &r) && FD_ISSET(p[1], &w) && !FD_ISSET(p[0], &e));
    OK(close(p[1]));
    FD_SET(p[0], &r);
    CHECK_EQ(OK(select(p[0] + 1, &r, NULL, NULL, &tv)), 1);
    FD_ZERO(&r);
    FD_SET(p[1], &r);
    ERR(select(p[1] + 1, &r, NULL, NULL, &tv), EBADF);
    ERR(select(-1, NULL, NULL, NULL, &tv), EINVAL);
    tv.tv_usec = -1;
    ERR(select(0, NULL, NULL, NULL, &tv), EINVAL);
    tv = (struct timeval){0, 30000};
    int64_t start = now_ms();
    CHECK_EQ(OK(select(0, NULL, NULL, NULL, &tv)), 0);
    CHECK(now_ms() - start >= 29);
}

CASE(epoll, eventfd_semaphores_and_limits) {
    int e = OK(eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK));
    uint64_t v;
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(OK(read(e, &v, 8)), 8);
        CHECK_EQ(v, 1);
    }
    ERR(read(e, &v, 8), EAGAIN);
    ERR(read(e, &v, 7), EINVAL);
    v = UINT64_MAX;
    ERR(write(e, &v, 8), EINVAL);
    v = UINT64_MAX - 1;
    OK(write(e, &v, 8));
    struct pollfd p = {e, POLLIN | POLLOUT, 0};
    CHECK_EQ(OK(poll(&p, 1, 0)), 1);
    CHECK_EQ(p.revents, POLLIN);
    v = 1;
    ERR(write(e, &v, 8), EAGAIN);
    ERR(write(e, &v, 4), EINVAL);
    ERR(eventfd(0, 0x10), EINVAL);
    CHECK_EQ(OK(lseek(e, 5, SEEK_SET)), 0);
}

CASE(epoll, timerfds) {
    int t = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    uint64_t v;
    ERR(read(t, &v, 8), EAGAIN);
    struct itimerspec it = {{0, 10000000}, {0, 10000000}}, old;
    OK(timerfd_settime(t, 0, &it, NULL));
    sleep_ms(55);
    CHECK_EQ(OK(read(t, &v, 8)), 8);
    CHECK(v >= 5);
    OK(timerfd_gettime(t, &old));
    CHECK(old.it_interval.tv_nsec == 10000000 && old.it_value.tv_nsec > 0 && old.it_value.tv_nsec <= 10000000);
    ERR(read(t, &v, 4), EINVAL);
    it.it_value.tv_nsec = 0;
    OK(timerfd_settime(t, 0, &it, &old));
    OK(timerfd_gettime(t, &old));
    CHECK(old.it_value.tv_sec == 0 && old.it_value.tv_nsec == 0);
    it.it_value.tv_nsec = 1000000000;
    ERR(timerfd_settime(t, 0, &it, NULL), EINVAL);
    it.it_value.tv_nsec = 1;
    ERR(timerfd_settime(t, 8, &it, NULL), EINVAL);
    ERR(timerfd_settime(0, 0, &it, NULL), EINVAL);
    ERR(timerfd_create(99, 0), EINVAL);
    ERR(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
    struct timespec now;
    OK(clock_gettime(CLOCK_REALTIME, &now));
    int r = OK(timerfd_create(CLOCK_REALTIME, 0));
    it = (struct itimerspec){{0, 0}, {now.tv_sec - 10, 0}};
    OK(timerfd_settime(r, TFD_TIMER_ABSTIME, &it, NULL));
    CHECK_EQ(OK(read(r, &v, 8)), 8);
    CHECK_EQ(v, 1);
}

CASE(epoll, signalfd_gives_several) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGRTMIN);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    int fd = OK(signalfd(-1, &set, SFD_NONBLOCK));
    struct signalfd_siginfo info[8];
    ERR(read(fd, info, sizeof info), EAGAIN);
    ERR(read(fd, info, 100), EINVAL);
    OK(kill(getpid(), SIGUSR2));
    OK(kill(getpid(), SIGUSR1));
    for (int i = 0; i < 3; i++) {
        union sigval v = {.sival_int = 70 + i};
        OK(sigqueue(getpid(), SIGRTMIN, v));
    }
    CHECK_EQ(OK(read(fd, info, sizeof info)), 5 * sizeof info[0]);
    CHECK_EQ(info[0].ssi_signo, SIGUSR1);
    CHECK_EQ(info[1].ssi_signo, SIGUSR2);
    CHECK_EQ(info[1].ssi_pid, getpid());
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(info[2 + i].ssi_signo, SIGRTMIN);
        CHECK_EQ(info[2 + i].ssi_int, 70 + i);
    }
    ERR(read(fd, info, sizeof info), EAGAIN);
    OK(kill(getpid(), SIGUSR1));
    OK(kill(getpid(), SIGUSR2));
    CHECK_EQ(OK(read(fd, info, sizeof info[0] + 10)), sizeof info[0]);
    CHECK_EQ(OK(read(fd, info, sizeof info)), sizeof info[0]);
}
