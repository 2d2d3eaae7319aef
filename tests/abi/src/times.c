/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Clocks and sleeping.
 */
#include "abi.h"
#include <sys/timerfd.h>
#include <sys/times.h>

static int64_t ns(struct timespec t)
{
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

CASE(time, clocks)
{
    struct timespec a, b;
    static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID,
                                       CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE,
                                       CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME};
    for (size_t i = 0; i < COUNT(clocks); i++) {
        OK(syscall(SYS_clock_gettime, clocks[i], &a));
        CHECK(a.tv_nsec >= 0 && a.tv_nsec < 1000000000);
        OK(syscall(SYS_clock_gettime, clocks[i], &b));
        CHECK(ns(b) >= ns(a));
        OK(syscall(SYS_clock_getres, clocks[i], &a));
        CHECK(ns(a) >= 1 && ns(a) <= 10000000);
    }
    ERR(syscall(SYS_clock_gettime, 99, &a), EINVAL);
    ERR(syscall(SYS_clock_getres, 99, &a), EINVAL);
}

CASE(time, monotonic_never_goes_back)
{
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (int i = 0; i < 5000; i++) {
        clock_gettime(CLOCK_MONOTONIC, &b);
        CHECK(ns(b) >= ns(a));
        a = b;
    }
}

CASE(time, realtime_is_now)
{
    struct timespec a;
    struct timeval tv;
    clock_gettime(CLOCK_REALTIME, &a);
    OK(syscall(SYS_gettimeofday, &tv, NULL));
    CHECK(a.tv_sec > 1735689600); /* 2025 */
    CHECK(tv.tv_sec - a.tv_sec <= 1);
    CHECK(time(NULL) - a.tv_sec <= 1);
}

CASE(time, nanosleep_sleeps)
{
    struct timespec t = {0, 50000000}, a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    OK(nanosleep(&t, NULL));
    clock_gettime(CLOCK_MONOTONIC, &b);
    CHECK(ns(b) - ns(a) >= 50000000);
    CHECK(ns(b) - ns(a) < 500000000);
    t = (struct timespec){0, 0};
    OK(nanosleep(&t, NULL));
    t.tv_nsec = 1000000000;
    ERR(nanosleep(&t, NULL), EINVAL);
    t = (struct timespec){-1, 0};
    ERR(nanosleep(&t, NULL), EINVAL);
}

CASE(time, clock_nanosleep)
{
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    b = a;
    b.tv_nsec += 30000000;
    if (b.tv_nsec >= 1000000000)
        b.tv_sec++, b.tv_nsec -= 1000000000;
    CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &b, NULL), 0);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    CHECK(ns(now) >= ns(b));
    /* a time in the past */
    CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &a, NULL), 0);
    CHECK_EQ(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &a, NULL), 0);
    CHECK_EQ(clock_nanosleep(99, 0, &a, NULL), EINVAL);
    CHECK_EQ(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &a, NULL), EINVAL);
}

CASE(time, many_sleepers_wake_in_order)
{
    int fds[2];
    OK(pipe(fds));
    pid_t pids[8];
    for (int i = 0; i < 8; i++) {
        pids[i] = xfork();
        if (pids[i] == 0) {
            sleep_ms(200 - i * 20);
            char c = i;
            write(fds[1], &c, 1);
            _exit(0);
        }
    }
    for (int i = 7; i >= 0; i--) {
        char c;
        CHECK_EQ(read(fds[0], &c, 1), 1);
        CHECK_EQ(c, i);
    }
    for (int i = 0; i < 8; i++)
        child_ok(pids[i]);
}

CASE(time, sleeping_processes_cost_nothing_to_others)
{
    struct timespec a, b;
    pid_t pids[5];
    for (int i = 0; i < 5; i++) {
        pids[i] = xfork();
        if (pids[i] == 0)
            for (;;)
                sleep_ms(1000);
    }
    sleep_ms(10);
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    for (volatile int i = 0; i < 3000000; i++)
        ;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    clock_gettime(CLOCK_MONOTONIC, &end);
    CHECK(ns(b) - ns(a) <= ns(end) - ns(start) + 20000000);
    for (int i = 0; i < 5; i++) {
        OK(kill(pids[i], SIGKILL));
        child_killed(pids[i], SIGKILL);
    }
}

CASE(time, settime)
{
    if (geteuid() != 0)
        SKIP("not root");
    struct timespec old, t = {1800000000, 0}, now;
    OK(clock_gettime(CLOCK_REALTIME, &old));
    OK(clock_settime(CLOCK_REALTIME, &t));
    OK(clock_gettime(CLOCK_REALTIME, &now));
    OK(clock_settime(CLOCK_REALTIME, &old));
    CHECK(now.tv_sec >= 1800000000 && now.tv_sec < 1800000010);
    ERR(clock_settime(CLOCK_MONOTONIC, &t), EINVAL);
}

CASE(time, timerfd)
{
    int fd = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    uint64_t n;
    ERR(read(fd, &n, 8), EAGAIN);
    struct itimerspec it = {{0, 5000000}, {0, 5000000}};
    OK(timerfd_settime(fd, 0, &it, NULL));
    sleep_ms(40);
    CHECK_EQ(read(fd, &n, 8), 8);
    CHECK(n >= 5 && n < 100);
}

CASE(time, times_call)
{
    struct tms t;
    clock_t a = times(&t);
    sleep_ms(50);
    clock_t b = times(&t);
    CHECK(b - a >= 4 && b - a < 100);
}
