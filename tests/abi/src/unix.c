/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Local sockets: unix(7), socket(7).
 */
#include "abi.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/ioctl.h>
#include <sys/un.h>

static struct sockaddr_un named(const char *name) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    strcpy(a.sun_path, name);
    return a;
}

static void set_timeout(int fd, int which, long ms) {
    struct timeval tv = {ms / 1000, ms % 1000 * 1000};
    OK(setsockopt(fd, SOL_SOCKET, which, &tv, sizeof tv));
}

CASE(sockets, timeouts) {
    int s[2];
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    struct timeval tv = {9, 9};
    socklen_t len = sizeof tv;
    OK(getsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, &len));
    CHECK(tv.tv_sec == 0 && tv.tv_usec == 0);
    set_timeout(s[0], SO_RCVTIMEO, 60);
    OK(getsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, &len));
    CHECK(tv.tv_sec == 0 && tv.tv_usec == 60000);
    char buf[65536];
    int64_t start = now_ms();
    ERR(recv(s[0], buf, sizeof buf, 0), EAGAIN);
    CHECK(now_ms() - start >= 50);
    start = now_ms();
    ERR(read(s[0], buf, sizeof buf), EAGAIN);
    CHECK(now_ms() - start >= 50);
    set_timeout(s[0], SO_SNDTIMEO, 60);
    start = now_ms();
    ssize_t n;
    while ((n = send(s[0], buf, sizeof buf, 0)) == sizeof buf)
        ;
    /* The last one was cut short by its time, or had none left to begin with. */
    CHECK(n > 0 || errno == EAGAIN);
    ERR(send(s[0], buf, sizeof buf, 0), EAGAIN);
    CHECK(now_ms() - start >= 50);
    tv.tv_usec = 1000000;
    ERR(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv), EDOM);
    ERR(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, 4), EINVAL);
    struct sockaddr_un a = named("l");
    int l = OK(socket(AF_UNIX, SOCK_STREAM, 0));
    OK(bind(l, (struct sockaddr *)&a, sizeof a));
    OK(listen(l, 1));
    set_timeout(l, SO_RCVTIMEO, 40);
    ERR(accept(l, NULL, NULL), EAGAIN);
}

static void nothing(int sig) { (void)sig; }

CASE(sockets, a_timed_wait_is_interrupted) {
    int s[2];
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    set_timeout(s[0], SO_RCVTIMEO, 5000);
    on_signal(SIGALRM, nothing, SA_RESTART);
    struct itimerval it = {{0, 0}, {0, 50000}};
    OK(setitimer(ITIMER_REAL, &it, NULL));
    char b;
    ERR(recv(s[0], &b, 1, 0), EINTR);
}

CASE(sockets, many_messages) {
    int s[2];
    OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
    char a[] = "one", b[] = "three", c[] = "four4";
    struct iovec out[3] = {{a, 3}, {b, 5}, {c, 4}};
    struct mmsghdr m[4];
    memset(m, 0, sizeof m);
    for (int i = 0; i < 3; i++) {
        m[i].msg_hdr.msg_iov = &out[i];
        m[i].msg_hdr.msg_iovlen = 1;
    }
    CHECK_EQ(OK(sendmmsg(s[0], m, 3, 0)), 3);
    CHECK(m[0].msg_len == 3 && m[1].msg_len == 5 && m[2].msg_len == 4);
    char bufs[4][16];
    struct iovec in[4];
    memset(m, 0, sizeof m);
    for (int i = 0; i < 4; i++) {
        in[i] = (struct iovec){bufs[i], 4};
        m[i].msg_hdr.msg_iov = &in[i];
        m[i].msg_hdr.msg_iovlen = 1;
    }
    CHECK_EQ(OK(recvmmsg(s[1], m, 4, MSG_DONTWAIT, NULL)), 3);
    CHECK(m[0].msg_len == 3 && m[1].msg_len == 4 && m[2].msg_len == 4);
    CHECK(m[1].msg_hdr.msg_flags & MSG_TRUNC);
    ERR(recvmmsg(s[1], m, 4, MSG_DONTWAIT, NULL), EAGAIN);
    pid_t pid = xfork();
    if (pid == 0) {
        for (int i = 0; i < 2; i++) {
            sleep_ms(30);
            OK(send(s[0], "x", 1, 0));
        }
        _exit(0);
    }
    CHECK_EQ(OK(recvmmsg(s[1], m, 2, 0, NULL)), 2);
    child_ok(pid);
    OK(send(s[0], "y", 1, 0));
    CHECK_EQ(OK(recvmmsg(s[1], m, 4, MSG_WAITFORONE, NULL)), 1);
    OK(send(s[0], "z", 1, 0));
    struct timespec ts = {0, 1};
    CHECK_EQ(OK(recvmmsg(s[1], m, 4, 0, &ts)), 1);
    ts.tv_nsec = -1;
    ERR(recvmmsg(s[1], m, 4, 0, &ts), EINVAL);
    ERR(sendmmsg(-1, m, 1, 0), EBADF);
    ERR(sendmmsg(0, m, 1, 0), ENOTSOCK);
    CHECK_EQ(OK(sendmmsg(s[0], m, 0, 0)), 0);
    ERR(sendmmsg(s[0], (void *)8, 1, 0), EFAULT);
}

static ssize_t send_creds(int fd, pid_t pid, uid_t uid, gid_t gid, size_t len) {
    char control[CMSG_SPACE(sizeof(struct ucred))] = {0};
    char b = 'c';
    struct iovec iov = {&b, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_CREDENTIALS;
    c->cmsg_len = len;
    struct ucred u = {pid, uid, gid};
    memcpy(CMSG_DATA(c), &u, sizeof u);
    return sendmsg(fd, &m, 0);
}

static struct ucred receive_creds(int fd) {
    char control[256] = {0};
    char b;
    struct iovec iov = {&b, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    CHECK_EQ(OK(recvmsg(fd, &m, 0)), 1);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    CHECK(c && c->cmsg_type == SCM_CREDENTIALS && c->cmsg_len == CMSG_LEN(sizeof(struct ucred)));
    struct ucred u;
    memcpy(&u, CMSG_DATA(c), sizeof u);
    return u;
}

CASE(sockets, credentials_are_checked) {
    int s[2], on = 1;
    OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
    OK(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
    size_t len = CMSG_LEN(sizeof(struct ucred));
    OK(send(s[0], "x", 1, 0));
    struct ucred u = receive_creds(s[1]);
    CHECK(u.pid == getpid() && u.uid == 0 && u.gid == 0);
    OK(send_creds(s[0], getppid(), 7, 8, len));
    u = receive_creds(s[1]);
    CHECK(u.pid == getppid() && u.uid == 7 && u.gid == 8);
    ERR(send_creds(s[0], getpid(), 0, 0, len - 4), EINVAL);
    pid_t pid = xfork();
    if (pid == 0) {
        OK(setgid(1000));
        OK(setuid(1001));
        ERR(send_creds(s[0], getpid(), 0, 1000, len), EPERM);
        ERR(send_creds(s[0], getpid(), 1001, 0, len), EPERM);
        ERR(send_creds(s[0], getppid(), 1001, 1000, len), EPERM);
        OK(send_creds(s[0], getpid(), 1001, 1000, len));
        _exit(0);
    }
    u = receive_creds(s[1]);
    CHECK(u.pid == pid && u.uid == 1001 && u.gid == 1000);
    child_ok(pid);
}

static void send_fd(int to, int fd) {
    char control[CMSG_SPACE(sizeof(int))] = {0};
    char b = 'f';
    struct iovec iov = {&b, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    OK(sendmsg(to, &m, 0));
}

/* Descriptors that only travel through each other are collected. */
CASE(sockets, cycles_end) {
    int p[2];
    OK(pipe(p));
    for (int i = 0; i < 20; i++) {
        int s[2];
        OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
        send_fd(s[0], s[0]);
        send_fd(s[0], s[1]);
        send_fd(s[1], s[0]);
        send_fd(s[0], p[1]);
        OK(close(s[0]));
        OK(close(s[1]));
    }
    OK(close(p[1]));
    /* Linux looks when a local socket goes. */
    OK(close(OK(socket(AF_UNIX, SOCK_STREAM, 0))));
    char b;
    CHECK_EQ(OK(read(p[0], &b, 1)), 0);
}

CASE(sockets, cycles_through_a_third_live_on) {
    int a[2], b[2];
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, a));
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, b));
    send_fd(a[0], b[0]);
    send_fd(b[1], b[1]);
    OK(close(b[0]));
    OK(close(b[1]));
    /* b[1] waits at b[0], which waits at a[1], which is open. */
    char control[64], c;
    struct iovec iov = {&c, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    CHECK_EQ(OK(recvmsg(a[1], &m, 0)), 1);
    int got;
    memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof got);
    m.msg_controllen = sizeof control;
    CHECK_EQ(OK(recvmsg(got, &m, 0)), 1);
    int second;
    memcpy(&second, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof second);
    OK(write(second, "z", 1));
    CHECK_EQ(OK(read(got, &c, 1)), 1);
    CHECK_EQ(c, 'z');
}

CASE(sockets, broken_pipes) {
    int s[2];
    char b = 0;
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    OK(close(s[1]));
    ERR(send(s[0], &b, 1, MSG_NOSIGNAL), EPIPE);
    DIES(SIGPIPE, send(s[0], &b, 1, 0));
    OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s));
    OK(close(s[1]));
    ERR(write(s[0], &b, 1), EPIPE);
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    OK(write(s[0], "abc", 3));
    int n = 0;
    OK(ioctl(s[1], FIONREAD, &n));
    CHECK_EQ(n, 3);
    OK(close(s[1]));
    ERR(read(s[0], &b, 1), ECONNRESET);
    CHECK_EQ(OK(read(s[0], &b, 1)), 0);
}

CASE(sockets, backlog_fills) {
    struct sockaddr_un a = named("l");
    int l = OK(socket(AF_UNIX, SOCK_STREAM, 0));
    OK(bind(l, (struct sockaddr *)&a, sizeof a));
    int c = OK(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    ERR(connect(c, (struct sockaddr *)&a, sizeof a), ECONNREFUSED);
    OK(listen(l, 1));
    int ok = 0;
    for (int i = 0; i < 5; i++) {
        int s = OK(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
        if (connect(s, (struct sockaddr *)&a, sizeof a) == 0)
            ok++;
        else
            CHECK_EQ(errno, EAGAIN);
    }
    CHECK_EQ(ok, 2);
    int t = OK(socket(AF_UNIX, SOCK_STREAM, 0));
    set_timeout(t, SO_SNDTIMEO, 40);
    ERR(connect(t, (struct sockaddr *)&a, sizeof a), EAGAIN);
    OK(close(OK(accept(l, NULL, NULL))));
    OK(connect(t, (struct sockaddr *)&a, sizeof a));
}
