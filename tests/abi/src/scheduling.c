/* SPDX-License-Identifier: MIT OR Apache-2.0
 * Who gets the processor. */
#include "abi.h"

#include <sys/resource.h>

struct attr {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
    uint32_t low, high;
};

static int64_t cpu_ns(pid_t pid)
{
    clockid_t id;
    struct timespec t;
    CHECK_EQ(clock_getcpuclockid(pid, &id), 0);
    OK(clock_gettime(id, &t));
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* A process that computes for good, nice as said. */
static pid_t hog(int nice_value, int policy)
{
    pid_t pid = xfork();
    if (pid == 0) {
        struct sched_param none = {0};
        setpriority(PRIO_PROCESS, 0, nice_value);
        if (policy != SCHED_OTHER && sched_setscheduler(0, policy, &none))
            _exit(1);
        for (;;)
            ;
    }
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    child_killed(pid, SIGKILL);
}

CASE(sched, yield_to_a_spinning_peer)
{
    /* A flag that only another process sets, awaited with nothing but sched_yield. */
    volatile int *flag = shared_page();
    pid_t pid = xfork();
    if (pid == 0) {
        for (int i = 0; i < 50; i++) {
            while (flag[0] != 2 * i + 1)
                sched_yield();
            flag[0]++;
        }
        _exit(0);
    }
    int64_t start = now_ms();
    for (int i = 0; i < 50; i++) {
        flag[0]++;
        while (flag[0] != 2 * i + 2)
            sched_yield();
    }
    child_ok(pid);
    CHECK(now_ms() - start < 2000);
}

CASE_T(sched, nice, 20)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    OK(sched_setaffinity(0, sizeof one, &one));
    pid_t normal = hog(0, SCHED_OTHER), nicer = hog(5, SCHED_OTHER);
    sleep_ms(1500);
    int64_t a = cpu_ns(normal), b = cpu_ns(nicer);
    /* Nice 5 has a third of nice 0's share. */
    CHECK(b > 0 && a > 2 * b && a < 6 * b);
    end(nicer);
    /* Idle and the nicest get little, but something. */
    pid_t idle = hog(0, SCHED_IDLE), nicest = hog(19, SCHED_OTHER);
    int64_t before = cpu_ns(normal);
    sleep_ms(1500);
    a = cpu_ns(normal) - before;
    CHECK(cpu_ns(idle) < a / 8 && cpu_ns(nicest) < a / 8);
    CHECK(cpu_ns(nicest) > 0);
    /* Made less nice while it runs, it gets more. */
    OK(setpriority(PRIO_PROCESS, nicest, 0));
    before = cpu_ns(normal), b = cpu_ns(nicest);
    sleep_ms(1000);
    a = cpu_ns(normal) - before, b = cpu_ns(nicest) - b;
    CHECK(a < 2 * b && b < 2 * a);
    end(normal);
    end(idle);
    end(nicest);
}

CASE(sched, interactive)
{
    /* Whoever waits is served soon, whatever computes beside it. */
    pid_t hogs[4];
    for (int i = 0; i < 4; i++)
        hogs[i] = hog(0, SCHED_OTHER);
    int64_t start = now_ms();
    for (int i = 0; i < 20; i++)
        sleep_ms(5);
    int64_t took = now_ms() - start;
    for (int i = 0; i < 4; i++)
        end(hogs[i]);
    CHECK(took >= 100 && took < 500);
}

CASE(sched, real_time)
{
    /* One that is ready runs before all others, and the others when it waits. */
    struct sched_param param = {10}, got;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    OK(sched_setaffinity(0, sizeof one, &one));
    pid_t other = hog(-10, SCHED_OTHER);
    OK(sched_setscheduler(0, SCHED_FIFO, &param));
    CHECK_EQ(sched_getscheduler(0), SCHED_FIFO);
    OK(sched_getparam(0, &got));
    CHECK_EQ(got.sched_priority, 10);
    int64_t before = cpu_ns(other), mine = cpu_ns(getpid());
    while (cpu_ns(getpid()) - mine < 100000000)
        ;
    CHECK(cpu_ns(other) - before < 10000000);
    sleep_ms(100);
    CHECK(cpu_ns(other) - before > 30000000);
    struct timespec slice;
    OK(sched_rr_get_interval(0, &slice));
    CHECK(slice.tv_sec == 0 && slice.tv_nsec == 0);
    OK(sched_setscheduler(0, SCHED_RR, &param));
    OK(sched_rr_get_interval(0, &slice));
    CHECK(slice.tv_sec == 0 && slice.tv_nsec == 100000000);
    /* Inherited, unless that is not wanted; exec keeps it. */
    CHILD(CHECK_EQ(sched_getscheduler(0), SCHED_RR));
    OK(sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &param));
    CHECK_EQ(sched_getscheduler(0), SCHED_RR | SCHED_RESET_ON_FORK);
    CHILD(CHECK_EQ(sched_getscheduler(0), SCHED_OTHER));
    end(other);
}

CASE(sched, attr)
{
    struct attr a = {.size = sizeof a, .policy = SCHED_BATCH, .nice = 7};
    OK(syscall(SYS_sched_setattr, 0, &a, 0));
    CHECK_EQ(sched_getscheduler(0), SCHED_BATCH);
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), 7);
    memset(&a, 0xff, sizeof a);
    OK(syscall(SYS_sched_getattr, 0, &a, sizeof a, 0));
    CHECK(a.size == 56 && a.policy == SCHED_BATCH && a.flags == 0 && a.nice == 7 && a.priority == 0);
    memset(&a, 0xff, sizeof a);
    OK(syscall(SYS_sched_getattr, 0, &a, 48, 0));
    CHECK(a.size == 48 && a.low == 0xffffffff);
    a = (struct attr){.size = 48, .policy = SCHED_RR, .priority = 3};
    OK(syscall(SYS_sched_setattr, 0, &a, 0));
    OK(syscall(SYS_sched_getattr, 0, &a, sizeof a, 0));
    CHECK(a.policy == SCHED_RR && a.priority == 3);
    /* Errors. */
    ERR(syscall(SYS_sched_setattr, 0, NULL, 0), EINVAL);
    ERR(syscall(SYS_sched_setattr, -1, &a, 0), EINVAL);
    ERR(syscall(SYS_sched_setattr, 0, &a, 1), EINVAL);
    ERR(syscall(SYS_sched_setattr, 999999, &a, 0), ESRCH);
    ERR(syscall(SYS_sched_getattr, 0, &a, 47, 0), EINVAL);
    a.size = 40;
    ERR(syscall(SYS_sched_setattr, 0, &a, 0), E2BIG);
    CHECK_EQ(a.size, 56);
    a = (struct attr){.size = sizeof a, .policy = 77};
    ERR(syscall(SYS_sched_setattr, 0, &a, 0), EINVAL);
    a = (struct attr){.size = sizeof a, .policy = SCHED_FIFO, .priority = 100};
    ERR(syscall(SYS_sched_setattr, 0, &a, 0), EINVAL);
    a = (struct attr){.size = sizeof a, .flags = 1ULL << 40};
    ERR(syscall(SYS_sched_setattr, 0, &a, 0), EINVAL);
    struct sched_param param = {0};
    ERR(sched_setscheduler(0, SCHED_FIFO, &param), EINVAL);
    ERR(sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){1}), EINVAL);
    ERR(sched_setscheduler(0, -1, &param), EINVAL);
    ERR(sched_getparam(0, NULL), EINVAL);
    ERR(sched_getscheduler(999999), ESRCH);
}

CASE(sched, permission)
{
    pid_t root = xfork();
    if (root == 0)
        for (;;)
            pause();
    CHILD({
        struct rlimit none = {0, 0};
        struct sched_param param = {5};
        OK(setrlimit(RLIMIT_RTPRIO, &none));
        OK(setrlimit(RLIMIT_NICE, &none));
        OK(setresuid(1000, 1000, 1000));
        ERR(setpriority(PRIO_PROCESS, 0, -1), EACCES);
        OK(setpriority(PRIO_PROCESS, 0, 5));
        ERR(setpriority(PRIO_PROCESS, 0, 4), EACCES);
        ERR(setpriority(PRIO_PROCESS, root, 5), EPERM);
        ERR(sched_setscheduler(0, SCHED_FIFO, &param), EPERM);
        param.sched_priority = 0;
        OK(sched_setscheduler(0, SCHED_BATCH, &param));
        OK(sched_setscheduler(0, SCHED_IDLE, &param));
        ERR(sched_setscheduler(0, SCHED_OTHER, &param), EPERM);
        ERR(sched_setscheduler(root, SCHED_OTHER, &param), EPERM);
        OK(sched_getscheduler(root));
    });
    CHILD({
        struct rlimit some = {20, 20};
        struct sched_param param = {5};
        OK(setrlimit(RLIMIT_RTPRIO, &some));
        some.rlim_cur = 23;
        some.rlim_max = 23;
        OK(setrlimit(RLIMIT_NICE, &some));
        OK(setresuid(1000, 1000, 1000));
        OK(setpriority(PRIO_PROCESS, 0, -3));
        ERR(setpriority(PRIO_PROCESS, 0, -4), EACCES);
        OK(sched_setscheduler(0, SCHED_FIFO, &param));
        param.sched_priority = 21;
        ERR(sched_setparam(0, &param), EPERM);
        param.sched_priority = 20;
        OK(sched_setparam(0, &param));
    });
    end(root);
}

static void *count_up(void *counter)
{
    for (;;)
        ++*(volatile int *)counter;
    return NULL;
}

#include <pthread.h>

CASE(sched, threads)
{
    /* Nice values are a thread's own. */
    pthread_t thread;
    int counter = 0;
    CHECK_EQ(pthread_create(&thread, NULL, count_up, &counter), 0);
    pid_t tid = 0;
    char path[64];
    for (int i = 1; i < 100 && !tid; i++) {
        snprintf(path, sizeof path, "/proc/self/task/%d", gettid() + i);
        if (access(path, F_OK) == 0)
            tid = gettid() + i;
    }
    CHECK(tid != 0);
    OK(setpriority(PRIO_PROCESS, tid, 9));
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), 0);
    CHECK_EQ(getpriority(PRIO_PROCESS, tid), 9);
    CHECK_EQ(getpriority(PRIO_PGRP, 0), 0);
}
