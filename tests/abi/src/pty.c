/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Pseudo-terminals: pty(7), ioctl_tty(2).
 */
#include "abi.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <termios.h>

static int open_master(char *name, size_t size) {
    int m = OK(open("/dev/ptmx", O_RDWR | O_NOCTTY));
    unsigned n = ~0u;
    OK(ioctl(m, TIOCGPTN, &n));
    snprintf(name, size, "/dev/pts/%u", n);
    return m;
}

static int open_pair(int *slave) {
    char name[32];
    int m = open_master(name, sizeof name);
    int off = 0;
    OK(ioctl(m, TIOCSPTLCK, &off));
    *slave = OK(open(name, O_RDWR | O_NOCTTY));
    return m;
}

static void raw(int fd) {
    struct termios t;
    OK(tcgetattr(fd, &t));
    cfmakeraw(&t);
    OK(tcsetattr(fd, TCSANOW, &t));
}

static void expect(int fd, const char *text) {
    char buf[128];
    size_t have = 0, want = strlen(text);
    while (have < want) {
        ssize_t n = OK(read(fd, buf + have, want - have));
        CHECK(n > 0);
        have += (size_t)n;
    }
    if (memcmp(buf, text, want) != 0)
        FAIL("read '%.*s', not '%s'", (int)want, buf, text);
}

CASE(pty, names_and_lock) {
    char name[32];
    int m = open_master(name, sizeof name);
    struct stat st;
    OK(stat(name, &st));
    CHECK(S_ISCHR(st.st_mode));
    CHECK_EQ(major(st.st_rdev), 136);
    CHECK_EQ(st.st_uid, 0);
    ERR(open(name, O_RDWR | O_NOCTTY), EIO);
    int locked = -1, off = 0;
    OK(ioctl(m, TIOCGPTLCK, &locked));
    CHECK_EQ(locked, 1);
    OK(ioctl(m, TIOCSPTLCK, &off));
    OK(ioctl(m, TIOCGPTLCK, &locked));
    CHECK_EQ(locked, 0);
    int s = OK(open(name, O_RDWR | O_NOCTTY));
    CHECK(isatty(s));
    CHECK(isatty(m));
    char link[64] = "", self[32];
    snprintf(self, sizeof self, "/proc/self/fd/%d", s);
    OK(readlink(self, link, sizeof link - 1));
    CHECK(strcmp(link, name) == 0);
    unsigned n;
    ERR(ioctl(s, TIOCGPTN, &n), ENOTTY);
    char second[32];
    int m2 = open_master(second, sizeof second);
    CHECK(strcmp(second, name) != 0);
    OK(close(m2));
    ERR(stat(second, &st), ENOENT);
    int peer = OK(ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    OK(fstat(peer, &st));
    CHECK_EQ(major(st.st_rdev), 136);
    CHECK(OK(fcntl(peer, F_GETFD)) & FD_CLOEXEC);
}

CASE(pty, lines_and_echo) {
    int s, m = open_pair(&s);
    OK(write(m, "hello\n", 6));
    char buf[64];
    CHECK_EQ(OK(read(s, buf, sizeof buf)), 6);
    expect(m, "hello\r\n");
    OK(write(s, "out\n", 4));
    expect(m, "out\r\n");
    OK(write(m, "ab\177c\n", 5));
    CHECK_EQ(OK(read(s, buf, sizeof buf)), 3);
    CHECK(memcmp(buf, "ac\n", 3) == 0);
    expect(m, "ab\b \bc\r\n");
    OK(write(m, "\004", 1));
    CHECK_EQ(OK(read(s, buf, sizeof buf)), 0);
    raw(s);
    OK(write(m, "x\r\n", 3));
    CHECK_EQ(OK(read(s, buf, sizeof buf)), 3);
    CHECK(memcmp(buf, "x\r\n", 3) == 0);
    struct pollfd p = {m, POLLIN | POLLOUT, 0};
    CHECK_EQ(OK(poll(&p, 1, 0)), 1);
    CHECK_EQ(p.revents, POLLOUT);
    OK(write(s, "\n", 1));
    CHECK_EQ(OK(poll(&p, 1, 0)), 1);
    CHECK_EQ(p.revents, POLLOUT | POLLIN);
    expect(m, "\n");
}

CASE(pty, settings_are_shared) {
    int s, m = open_pair(&s);
    struct termios a, b;
    OK(tcgetattr(m, &a));
    OK(tcgetattr(s, &b));
    CHECK_EQ(a.c_lflag, b.c_lflag);
    CHECK(a.c_lflag & ICANON);
    CHECK_EQ(cfgetospeed(&a), B38400);
    a.c_lflag &= ~(tcflag_t)ECHO;
    OK(tcsetattr(m, TCSANOW, &a));
    OK(tcgetattr(s, &b));
    CHECK(!(b.c_lflag & ECHO));
    struct winsize w = {40, 100, 0, 0}, got;
    OK(ioctl(m, TIOCSWINSZ, &w));
    OK(ioctl(s, TIOCGWINSZ, &got));
    CHECK(got.ws_row == 40 && got.ws_col == 100);
}

CASE(pty, slave_gone) {
    int s, m = open_pair(&s);
    raw(s);
    OK(write(s, "last", 4));
    OK(close(s));
    expect(m, "last");
    char b;
    ERR(read(m, &b, 1), EIO);
    struct pollfd p = {m, POLLIN, 0};
    CHECK_EQ(OK(poll(&p, 1, 0)), 1);
    CHECK(p.revents & POLLHUP);
}

CASE(pty, waiting_master_hears_of_the_end) {
    int s, m = open_pair(&s);
    pid_t pid = xfork();
    if (pid == 0) {
        OK(close(m));
        sleep_ms(50);
        _exit(0);
    }
    OK(close(s));
    char b;
    ERR(read(m, &b, 1), EIO);
    child_ok(pid);
}

CASE(pty, master_gone) {
    int s, m = open_pair(&s);
    OK(close(m));
    char b;
    CHECK_EQ(OK(read(s, &b, 1)), 0);
    ERR(write(s, "x", 1), EIO);
    struct termios t;
    ERR(tcgetattr(s, &t), EIO);
    struct pollfd p = {s, POLLIN, 0};
    CHECK_EQ(OK(poll(&p, 1, 0)), 1);
    CHECK(p.revents & POLLHUP);
}

static volatile sig_atomic_t winched, hupped;
static void on_winch(int sig) {
    (void)sig;
    winched = 1;
}
static void on_hup(int sig) {
    (void)sig;
    hupped = 1;
}

CASE(pty, controlling_terminal) {
    char name[32];
    int m = open_master(name, sizeof name);
    int off = 0;
    OK(ioctl(m, TIOCSPTLCK, &off));
    int p[2];
    OK(pipe(p));
    pid_t pid = xfork();
    if (pid == 0) {
        OK(close(m));
        OK(setsid());
        int s = OK(open(name, O_RDWR)); /* becomes the controlling terminal */
        CHECK_EQ(OK(tcgetsid(s)), getpid());
        CHECK_EQ(OK(tcgetpgrp(s)), getpid());
        int tty = OK(open("/dev/tty", O_RDWR));
        struct stat a, b;
        OK(fstat(s, &a));
        OK(write(tty, "T", 1));
        OK(stat(name, &b));
        CHECK_EQ(a.st_rdev, b.st_rdev);
        on_signal(SIGWINCH, on_winch, 0);
        on_signal(SIGHUP, on_hup, 0);
        OK(write(p[1], "r", 1));
        while (!winched)
            sleep_ms(5);
        OK(write(p[1], "w", 1));
        while (!hupped)
            sleep_ms(5);
        CHECK_EQ(read(s, &off, 1), 0);
        ERR(open("/dev/tty", O_RDWR), ENXIO);
        _exit(0);
    }
    char c;
    CHECK_EQ(OK(read(p[0], &c, 1)), 1);
    expect(m, "T");
    pid_t sid = 0, group = 0;
    OK(ioctl(m, TIOCGSID, &sid));
    CHECK_EQ(sid, pid);
    OK(ioctl(m, TIOCGPGRP, &group));
    CHECK_EQ(group, pid);
    struct winsize w = {11, 22, 0, 0};
    OK(ioctl(m, TIOCSWINSZ, &w));
    CHECK_EQ(OK(read(p[0], &c, 1)), 1);
    CHECK_EQ(c, 'w');
    OK(close(m));
    child_ok(pid);
}

CASE(pty, interrupt_character_kills_the_group) {
    char name[32];
    int m = open_master(name, sizeof name);
    int off = 0;
    OK(ioctl(m, TIOCSPTLCK, &off));
    pid_t pid = xfork();
    if (pid == 0) {
        OK(setsid());
        int s = OK(open(name, O_RDWR));
        OK(write(s, "R", 1));
        for (;;)
            pause();
    }
    expect(m, "R");
    OK(write(m, "\003", 1));
    child_killed(pid, SIGINT);
}

CASE(pty, packet_mode) {
    int s, m = open_pair(&s);
    raw(s);
    int on = 1, got = 0;
    OK(ioctl(m, TIOCPKT, &on));
    OK(ioctl(m, TIOCGPKT, &got));
    CHECK_EQ(got, 1);
    OK(write(s, "abc", 3));
    char buf[16];
    CHECK_EQ(OK(read(m, buf, sizeof buf)), 4);
    CHECK(memcmp(buf, "\0abc", 4) == 0);
    OK(tcflush(s, TCIFLUSH));
    struct pollfd p = {m, POLLIN | POLLPRI, 0};
    CHECK_EQ(OK(poll(&p, 1, 0)), 1);
    CHECK(p.revents & POLLPRI);
    CHECK_EQ(OK(read(m, buf, sizeof buf)), 1);
    CHECK_EQ(buf[0], TIOCPKT_FLUSHREAD);
}
