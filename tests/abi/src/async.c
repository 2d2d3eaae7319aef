/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Signals instead of waiting: O_ASYNC, F_SETOWN, F_SETSIG (fcntl(2)).
 */
#include "abi.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#ifndef F_SETSIG
#define F_SETSIG 10
#define F_GETSIG 11
#endif

static volatile sig_atomic_t got, got_fd, got_code;
static volatile long got_band;

static void count(int sig, siginfo_t *info, void *context) {
    (void)sig;
    (void)context;
    got++;
    got_fd = info->si_fd;
    got_code = info->si_code;
    got_band = info->si_band;
}

static void handle(int sig) {
    struct sigaction sa = {.sa_sigaction = count, .sa_flags = SA_SIGINFO | SA_RESTART};
    OK(sigaction(sig, &sa, NULL));
}

CASE(async, pipes_and_sockets) {
    handle(SIGIO);
    int p[2], s[2];
    char b;
    OK(pipe(p));
    OK(fcntl(p[0], F_SETOWN, getpid()));
    CHECK_EQ(OK(fcntl(p[0], F_GETOWN)), getpid());
    OK(write(p[1], "x", 1));
    CHECK_EQ(got, 0);
    OK(read(p[0], &b, 1));
    OK(fcntl(p[0], F_SETFL, O_ASYNC));
    CHECK(OK(fcntl(p[0], F_GETFL)) & O_ASYNC);
    OK(write(p[1], "x", 1));
    CHECK_EQ(got, 1);
    OK(fcntl(p[0], F_SETFL, 0));
    OK(read(p[0], &b, 1));
    OK(write(p[1], "x", 1));
    CHECK_EQ(got, 1);
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    int on = 1;
    OK(ioctl(s[0], FIOASYNC, &on));
    OK(fcntl(s[0], F_SETOWN, -getpgrp()));
    CHECK_EQ(OK(fcntl(s[0], F_GETOWN)), -getpgrp());
    OK(write(s[1], "x", 1));
    CHECK_EQ(got, 2);
}

CASE(async, real_time_signals_tell_the_descriptor) {
    int sig = SIGRTMIN + 1;
    handle(sig);
    int p[2];
    OK(pipe(p));
    OK(fcntl(p[0], F_SETOWN, getpid()));
    OK(fcntl(p[0], F_SETSIG, sig));
    CHECK_EQ(OK(fcntl(p[0], F_GETSIG)), sig);
    OK(fcntl(p[0], F_SETFL, O_ASYNC));
    OK(write(p[1], "x", 1));
    CHECK_EQ(got, 1);
    CHECK_EQ(got_fd, p[0]);
    CHECK_EQ(got_code, POLL_IN);
    CHECK_EQ(got_band, POLLIN | POLLRDNORM);
    ERR(fcntl(p[0], F_SETSIG, 65), EINVAL);
    ERR(fcntl(p[0], F_SETSIG, -1), EINVAL);
}

CASE(async, owners) {
    int p[2];
    OK(pipe(p));
    ERR(fcntl(p[0], F_SETOWN, 99999), ESRCH);
    ERR(fcntl(p[0], F_SETOWN, -99999), ESRCH);
    CHECK_EQ(OK(fcntl(p[0], F_GETOWN)), 0);
    struct f_owner_ex ex = {F_OWNER_TID, gettid()}, out;
    OK(fcntl(p[0], F_SETOWN_EX, &ex));
    OK(fcntl(p[0], F_GETOWN_EX, &out));
    CHECK(out.type == F_OWNER_TID && out.pid == gettid());
    ex.type = F_OWNER_PGRP;
    ex.pid = getpgrp();
    OK(fcntl(p[0], F_SETOWN_EX, &ex));
    CHECK_EQ(OK(fcntl(p[0], F_GETOWN)), -getpgrp());
    ex.type = 7;
    ERR(fcntl(p[0], F_SETOWN_EX, &ex), EINVAL);
    ERR(fcntl(p[0], F_SETOWN_EX, (void *)8), EFAULT);
    int on = 1, f = OK(open("f", O_RDWR | O_CREAT, 0644));
    ERR(ioctl(f, FIOASYNC, &on), ENOTTY);
    ERR(fcntl(p[0], 9999, 0), EINVAL);
}

CASE(async, a_user_cannot_signal_others) {
    handle(SIGIO);
    int p[2];
    OK(pipe(p));
    pid_t me = getpid();
    CHILD({
        OK(setuid(1000));
        OK(fcntl(p[0], F_SETOWN, me));
        OK(fcntl(p[0], F_SETFL, O_ASYNC));
        OK(write(p[1], "x", 1));
    });
    sleep_ms(20);
    CHECK_EQ(got, 0);
}
