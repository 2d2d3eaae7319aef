/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Futexes, within a process and between processes.
 */
#include "abi.h"
#include <linux/futex.h>
#include <pthread.h>

static long futex(volatile int *word, int op, int value, const struct timespec *t, volatile int *word2, int value3)
{
    return syscall(SYS_futex, word, op, value, t, word2, value3);
}

CASE(futex, errors_and_timeouts)
{
    volatile int word = 5;
    ERR(futex(&word, FUTEX_WAIT, 4, NULL, NULL, 0), EAGAIN);
    struct timespec t = {0, 30000000};
    int64_t before = now_ms();
    ERR(futex(&word, FUTEX_WAIT, 5, &t, NULL, 0), ETIMEDOUT);
    int64_t took = now_ms() - before;
    CHECK(took >= 29 && took < 1000);
    CHECK_EQ(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
    ERR(futex((int *)((char *)&word + 1), FUTEX_WAIT, 5, &t, NULL, 0), EINVAL);
    ERR(futex((int *)16, FUTEX_WAIT, 5, &t, NULL, 0), EFAULT);
    ERR(futex(&word, 77, 5, &t, NULL, 0), ENOSYS);
    t.tv_nsec = -1;
    ERR(futex(&word, FUTEX_WAIT, 5, &t, NULL, 0), EINVAL);
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += 20000000;
    if (t.tv_nsec >= 1000000000)
        t.tv_sec++, t.tv_nsec -= 1000000000;
    before = now_ms();
    ERR(futex(&word, FUTEX_WAIT_BITSET, 5, &t, NULL, FUTEX_BITSET_MATCH_ANY), ETIMEDOUT);
    CHECK(now_ms() - before < 1000);
    ERR(futex(&word, FUTEX_WAIT_BITSET, 5, &t, NULL, 0), EINVAL);
}

struct waiters {
    volatile int word, other, asleep, woken;
};

static void *wait_on(void *arg)
{
    struct waiters *w = arg;
    __atomic_fetch_add(&w->asleep, 1, __ATOMIC_SEQ_CST);
    while (futex(&w->word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0) != 0 && errno == EINTR)
        ;
    __atomic_fetch_add(&w->woken, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static void until(volatile int *value, int want)
{
    for (int i = 0; i < 5000 && *value != want; i++)
        sleep_ms(1);
    CHECK_EQ(*value, want);
}

CASE(futex, wake_counts)
{
    struct waiters w = {0};
    pthread_t t[5];
    for (int i = 0; i < 5; i++)
        CHECK_EQ(pthread_create(&t[i], NULL, wait_on, &w), 0);
    until(&w.asleep, 5);
    sleep_ms(20);
    CHECK_EQ(futex(&w.word, FUTEX_WAKE_PRIVATE, 2, NULL, NULL, 0), 2);
    until(&w.woken, 2);
    sleep_ms(10);
    CHECK_EQ(w.woken, 2);
    CHECK_EQ(futex(&w.word, FUTEX_WAKE_PRIVATE, 100, NULL, NULL, 0), 3);
    until(&w.woken, 5);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(pthread_join(t[i], NULL), 0);
}

CASE(futex, requeue)
{
    struct waiters w = {0};
    pthread_t t[5];
    for (int i = 0; i < 5; i++)
        CHECK_EQ(pthread_create(&t[i], NULL, wait_on, &w), 0);
    until(&w.asleep, 5);
    sleep_ms(20);
    ERR(futex(&w.word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)10, &w.other, 77), EAGAIN);
    CHECK_EQ(futex(&w.word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)10, &w.other, 0), 5);
    until(&w.woken, 1);
    CHECK_EQ(futex(&w.word, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 0);
    CHECK_EQ(futex(&w.other, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 4);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(pthread_join(t[i], NULL), 0);
}

CASE(futex, between_processes)
{
    volatile int *p = shared_page();
    pid_t pid = xfork();
    if (pid == 0) {
        while (p[0] == 0)
            futex(&p[0], FUTEX_WAIT, 0, NULL, NULL, 0);
        p[1] = 1;
        futex(&p[1], FUTEX_WAKE, 1, NULL, NULL, 0);
        _exit(0);
    }
    sleep_ms(20);
    p[0] = 1;
    CHECK_EQ(futex(&p[0], FUTEX_WAKE, 1, NULL, NULL, 0), 1);
    while (p[1] == 0)
        futex(&p[1], FUTEX_WAIT, 0, NULL, NULL, 0);
    child_ok(pid);
    /* the same page at two addresses of one process, through a file */
    int fd = OK(open("f", O_CREAT | O_RDWR, 0644));
    OK(ftruncate(fd, PAGE));
    volatile int *a = MAP_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    volatile int *b = MAP_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    pid = xfork();
    if (pid == 0) {
        while (a[0] == 0)
            futex(&a[0], FUTEX_WAIT, 0, NULL, NULL, 0);
        _exit(0);
    }
    sleep_ms(20);
    b[0] = 1;
    CHECK_EQ(futex(&b[0], FUTEX_WAKE, 1, NULL, NULL, 0), 1);
    child_ok(pid);
}

CASE(futex, private_memory_of_two_processes_is_apart)
{
    static volatile int word;
    pid_t pid = xfork();
    if (pid == 0) {
        struct timespec t = {0, 100000000};
        errno = 0;
        CHECK(futex(&word, FUTEX_WAIT, 0, &t, NULL, 0) == -1 && errno == ETIMEDOUT);
        _exit(0);
    }
    sleep_ms(30);
    CHECK_EQ(futex(&word, FUTEX_WAKE, 10, NULL, NULL, 0), 0);
    child_ok(pid);
}

static void nothing(int sig)
{
    (void)sig;
}

CASE(futex, signal_interrupts)
{
    static volatile int word;
    on_signal(SIGUSR1, nothing, 0);
    pid_t parent = getpid();
    pid_t pid = xfork();
    if (pid == 0) {
        sleep_ms(20);
        kill(parent, SIGUSR1);
        _exit(0);
    }
    ERR(futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0), EINTR);
    child_ok(pid);
}
