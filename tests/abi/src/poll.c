/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * poll, select, epoll, eventfd, and socket pairs as far as programs without a network use them.
 */
#include "abi.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/un.h>

CASE(poll, pipe_states)
{
    int fds[2];
    OK(pipe(fds));
    struct pollfd p[2] = {{fds[0], POLLIN | POLLOUT, 0}, {fds[1], POLLIN | POLLOUT, 0}};
    CHECK_EQ(poll(p, 2, 0), 1);
    CHECK_EQ(p[0].revents, 0);
    CHECK_EQ(p[1].revents, POLLOUT);
    OK(write(fds[1], "x", 1));
    CHECK_EQ(poll(p, 2, 0), 2);
    CHECK_EQ(p[0].revents, POLLIN);
    OK(close(fds[1]));
    CHECK_EQ(poll(p, 1, 0), 1);
    CHECK_EQ(p[0].revents, POLLIN | POLLHUP);
    char c;
    OK(read(fds[0], &c, 1));
    CHECK_EQ(poll(p, 1, 0), 1);
    CHECK_EQ(p[0].revents, POLLHUP);
    p[0].fd = 999;
    CHECK_EQ(poll(p, 1, 0), 1);
    CHECK_EQ(p[0].revents, POLLNVAL);
    p[0].fd = -1;
    CHECK_EQ(poll(p, 1, 0), 0);
    CHECK_EQ(p[0].revents, 0);
    OK(pipe(fds));
    OK(close(fds[0]));
    p[0] = (struct pollfd){fds[1], POLLOUT, 0};
    CHECK_EQ(poll(p, 1, 0), 1);
    CHECK_EQ(p[0].revents, POLLOUT | POLLERR);
}

CASE(poll, full_pipe_is_not_writable)
{
    int fds[2];
    static char block[65536];
    OK(pipe(fds));
    OK(write(fds[1], block, sizeof block));
    struct pollfd p = {fds[1], POLLOUT, 0};
    CHECK_EQ(poll(&p, 1, 0), 0);
    OK(read(fds[0], block, sizeof block));
    CHECK_EQ(poll(&p, 1, 0), 1);
}

CASE(poll, files_are_always_ready)
{
    struct pollfd p[2] = {{OK(open("f", O_CREAT | O_RDWR, 0644)), POLLIN | POLLOUT, 0},
                          {OK(open("/dev/null", O_RDWR)), POLLIN | POLLOUT, 0}};
    CHECK_EQ(poll(p, 2, 1000), 2);
    CHECK_EQ(p[0].revents, POLLIN | POLLOUT);
    CHECK_EQ(p[1].revents, POLLIN | POLLOUT);
}

CASE(poll, timeouts)
{
    int fds[2];
    OK(pipe(fds));
    struct pollfd p = {fds[0], POLLIN, 0};
    int64_t before = now_ms();
    CHECK_EQ(poll(&p, 1, 40), 0);
    int64_t took = now_ms() - before;
    CHECK(took >= 39 && took < 1000);
    before = now_ms();
    CHECK_EQ(poll(NULL, 0, 20), 0);
    CHECK(now_ms() - before >= 19);
    struct timespec t = {0, 20000000};
    CHECK_EQ(ppoll(&p, 1, &t, NULL), 0);
    t.tv_nsec = -5;
    ERR(syscall(SYS_ppoll, &p, 1, &t, NULL, 0), EINVAL);
}

CASE(poll, wakes_a_sleeper)
{
    int fds[2];
    OK(pipe(fds));
    pid_t pid = xfork();
    if (pid == 0) {
        sleep_ms(20);
        OK(write(fds[1], "x", 1));
        sleep_ms(20);
        _exit(0);
    }
    struct pollfd p = {fds[0], POLLIN, 0};
    CHECK_EQ(poll(&p, 1, 5000), 1);
    CHECK_EQ(p.revents, POLLIN);
    OK(close(fds[1]));
    p.events = 0;
    CHECK_EQ(poll(&p, 1, 5000), 1);
    CHECK_EQ(p.revents, POLLHUP);
    child_ok(pid);
}

static volatile int handled;

static void handler(int sig)
{
    (void)sig;
    handled++;
}

CASE(poll, signals_and_masks)
{
    on_signal(SIGUSR1, handler, SA_RESTART);
    pid_t parent = getpid();
    pid_t pid = xfork();
    if (pid == 0) {
        sleep_ms(20);
        kill(parent, SIGUSR1);
        _exit(0);
    }
    ERR(poll(NULL, 0, 5000), EINTR); /* never restarted */
    child_ok(pid);
    sigset_t none, set;
    sigemptyset(&none);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    OK(kill(parent, SIGUSR1));
    CHECK_EQ(handled, 1);
    struct timespec t = {5, 0};
    ERR(ppoll(NULL, 0, &t, &none), EINTR);
    CHECK_EQ(handled, 2);
    sigset_t now;
    OK(sigprocmask(SIG_BLOCK, NULL, &now));
    CHECK(sigismember(&now, SIGUSR1));
}

CASE(poll, select)
{
    int fds[2];
    OK(pipe(fds));
    fd_set r, w;
    FD_ZERO(&r);
    FD_ZERO(&w);
    FD_SET(fds[0], &r);
    FD_SET(fds[1], &w);
    struct timeval t = {0, 20000};
    CHECK_EQ(select(fds[1] + 1, &r, &w, NULL, &t), 1);
    CHECK(!FD_ISSET(fds[0], &r) && FD_ISSET(fds[1], &w));
    OK(write(fds[1], "x", 1));
    FD_SET(fds[0], &r);
    CHECK_EQ(select(fds[1] + 1, &r, NULL, NULL, NULL), 1);
    CHECK(FD_ISSET(fds[0], &r));
    FD_ZERO(&r);
    FD_SET(60, &r);
    ERR(select(61, &r, NULL, NULL, &t), EBADF);
    ERR(select(-1, &r, NULL, NULL, &t), EINVAL);
    t = (struct timeval){0, 20000};
    CHECK_EQ(select(0, NULL, NULL, NULL, &t), 0);
}

CASE(epoll, level_edge_oneshot)
{
    int fds[2];
    OK(pipe2(fds, O_NONBLOCK));
    int ep = OK(epoll_create1(EPOLL_CLOEXEC));
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = 0x1122334455667788}, got[4];
    OK(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &e));
    ERR(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &e), EEXIST);
    CHECK_EQ(epoll_wait(ep, got, 4, 0), 0);
    OK(write(fds[1], "x", 1));
    CHECK_EQ(epoll_wait(ep, got, 4, 1000), 1);
    CHECK_EQ(got[0].events, EPOLLIN);
    CHECK_EQ(got[0].data.u64, 0x1122334455667788);
    CHECK_EQ(epoll_wait(ep, got, 4, 0), 1);
    e.events = EPOLLIN | EPOLLET;
    OK(epoll_ctl(ep, EPOLL_CTL_MOD, fds[0], &e));
    CHECK_EQ(epoll_wait(ep, got, 4, 0), 1);
    CHECK_EQ(epoll_wait(ep, got, 4, 0), 0);
    OK(write(fds[1], "y", 1));
    CHECK_EQ(epoll_wait(ep, got, 4, 0), 1);
    CHECK_EQ(epoll_wait(ep, got, 4, 0), 0);
    e.events = EPOLLIN | EPOLLONESHOT;
    OK(epoll_ctl(ep, EPOLL_CTL_MOD, fds[0], &e));
    CHECK_EQ(epoll_wait(ep, got, 4, 0), 1);
    CHECK_EQ(epoll_wait(ep, got, 4, 0), 0);
    OK(epoll_ctl(ep, EPOLL_CTL_MOD, fds[0], &e));
    CHECK_EQ(epoll_wait(ep, got, 4, 0), 1);
    OK(epoll_ctl(ep, EPOLL_CTL_DEL, fds[0], NULL));
    ERR(epoll_ctl(ep, EPOLL_CTL_DEL, fds[0], NULL), ENOENT);
    ERR(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &e), EINVAL);
    ERR(epoll_ctl(ep, EPOLL_CTL_ADD, 999, &e), EBADF);
    int file = OK(open("f", O_CREAT | O_RDWR, 0644));
    ERR(epoll_ctl(ep, EPOLL_CTL_ADD, file, &e), EPERM);
    ERR(epoll_wait(ep, got, 0, 0), EINVAL);
    ERR(epoll_wait(fds[0], got, 1, 0), EINVAL);
}

CASE(epoll, closed_descriptor_leaves_the_set)
{
    int fds[2];
    OK(pipe(fds));
    int ep = OK(epoll_create1(0));
    struct epoll_event e = {.events = EPOLLIN}, got[2];
    OK(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &e));
    OK(write(fds[1], "x", 1));
    CHECK_EQ(epoll_wait(ep, got, 2, 0), 1);
    OK(close(fds[0]));
    CHECK_EQ(epoll_wait(ep, got, 2, 0), 0);
}

CASE(epoll, wakes_a_sleeper)
{
    int fds[2];
    OK(pipe(fds));
    int ep = OK(epoll_create1(0));
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fds[0]}, got[2];
    OK(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &e));
    pid_t pid = xfork();
    if (pid == 0) {
        sleep_ms(20);
        OK(write(fds[1], "x", 1));
        _exit(0);
    }
    CHECK_EQ(epoll_wait(ep, got, 2, 5000), 1);
    CHECK_EQ(got[0].data.fd, fds[0]);
    child_ok(pid);
    struct pollfd p = {ep, POLLIN, 0};
    CHECK_EQ(poll(&p, 1, 0), 1);
}

CASE(eventfd, counter_and_semaphore)
{
    int fd = OK(eventfd(3, EFD_NONBLOCK));
    uint64_t v = 4;
    CHECK_EQ(write(fd, &v, 8), 8);
    CHECK_EQ(read(fd, &v, 8), 8);
    CHECK_EQ(v, 7);
    ERR(read(fd, &v, 8), EAGAIN);
    ERR(read(fd, &v, 4), EINVAL);
    v = UINT64_MAX;
    ERR(write(fd, &v, 8), EINVAL);
    v = UINT64_MAX - 1;
    CHECK_EQ(write(fd, &v, 8), 8);
    v = 1;
    ERR(write(fd, &v, 8), EAGAIN);
    int sem = OK(eventfd(2, EFD_SEMAPHORE));
    CHECK_EQ(read(sem, &v, 8), 8);
    CHECK_EQ(v, 1);
    CHECK_EQ(read(sem, &v, 8), 8);
    pid_t pid = xfork();
    if (pid == 0) {
        sleep_ms(20);
        uint64_t one = 1;
        OK(write(sem, &one, 8));
        _exit(0);
    }
    CHECK_EQ(read(sem, &v, 8), 8);
    child_ok(pid);
}

CASE(socket, unix_stream_pair)
{
    int fds[2];
    char buffer[64];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0 && (errno == EAFNOSUPPORT || errno == ENOSYS))
        SKIP("no sockets here");
    OK(write(fds[0], "to one", 6));
    OK(write(fds[1], "to zero", 7));
    CHECK_EQ(read(fds[1], buffer, 64), 6);
    CHECK_EQ(read(fds[0], buffer, 64), 7);
    CHECK(memcmp(buffer, "to zero", 7) == 0);
    OK(shutdown(fds[0], SHUT_WR));
    CHECK_EQ(read(fds[1], buffer, 64), 0);
    struct pollfd p = {fds[1], POLLIN | POLLOUT, 0};
    CHECK_EQ(poll(&p, 1, 0), 1);
    CHECK(p.revents & POLLIN);
    OK(close(fds[1]));
    CHECK_EQ(read(fds[0], buffer, 64), 0);
    on_signal(SIGPIPE, SIG_IGN, 0);
    ERR(write(fds[0], "x", 1), EPIPE);
}
