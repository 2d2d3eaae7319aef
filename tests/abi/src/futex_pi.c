/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Futexes with an owner, several futexes at once, and the C library's locks on top of them.
 */
#include "abi.h"
#include <linux/futex.h>
#include <pthread.h>

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

struct waitv {
    uint64_t val, uaddr;
    uint32_t flags, reserved;
};

static long futex(volatile int *word, int op, int value, const void *t, volatile int *word2, int value3)
{
    return syscall(SYS_futex, word, op, value, t, word2, value3);
}

static int tid(void)
{
    return (int)syscall(SYS_gettid);
}

static void until(volatile int *value, int want)
{
    for (int i = 0; i < 5000 && *value != want; i++)
        sleep_ms(1);
    CHECK_EQ(*value, want);
}

static struct timespec from_now(clockid_t clock, long ms)
{
    struct timespec t;
    clock_gettime(clock, &t);
    t.tv_nsec += ms % 1000 * 1000000;
    t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

struct lock {
    volatile int word, cond, ready, owner, result, err, order[8], at;
};

static void *lock_it(void *arg)
{
    struct lock *l = arg;
    int me = __atomic_add_fetch(&l->ready, 1, __ATOMIC_SEQ_CST);
    long r = futex(&l->word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);
    l->err = errno;
    l->result = (int)r;
    l->owner = tid();
    l->order[__atomic_fetch_add(&l->at, 1, __ATOMIC_SEQ_CST)] = me;
    if (r == 0)
        CHECK_EQ(futex(&l->word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
    return NULL;
}

CASE(futex_pi, lock_and_unlock)
{
    struct lock l = {.result = 9};
    CHECK_EQ(futex(&l.word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
    CHECK_EQ(l.word, tid());
    ERR(futex(&l.word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), EDEADLK);
    ERR(futex(&l.word, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0), EDEADLK);
    CHECK_EQ(futex(&l.word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
    CHECK_EQ(l.word, 0);
    ERR(futex(&l.word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), EPERM);
    CHECK_EQ(futex(&l.word, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
    CHECK_EQ(l.word, tid());
    pthread_t t[3];
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(pthread_create(&t[i], NULL, lock_it, &l), 0);
        until(&l.ready, i + 1);
        sleep_ms(20);
    }
    CHECK_EQ(l.result, 9);
    CHECK_EQ((unsigned)l.word, (unsigned)tid() | FUTEX_WAITERS);
    ERR(futex(&l.word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), EINVAL);
    CHECK_EQ(futex(&l.word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_join(t[i], NULL), 0);
    CHECK_EQ(l.result, 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(l.order[i], i + 1);
    CHECK_EQ(l.word, 0);
}

CASE(futex_pi, errors)
{
    volatile int word = 0x3ffffff0; /* nobody's id */
    ERR(futex(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0), ESRCH);
    ERR(futex((int *)((char *)&word + 2), FUTEX_LOCK_PI, 0, NULL, NULL, 0), EINVAL);
    ERR(futex((int *)16, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EFAULT);
    struct timespec t = {0, 1000000000};
    word = 0;
    ERR(futex(&word, FUTEX_LOCK_PI, 0, &t, NULL, 0), EINVAL);
    ERR(futex(&word, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0), ENOSYS);
    ERR(futex(&word, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0), ENOSYS);
    ERR(futex(&word, FUTEX_CMP_REQUEUE_PI, 2, (void *)1, &word, 0), EINVAL);
    ERR(futex(&word, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, &word, 0), EINVAL);
    ERR(futex(&word, FUTEX_WAIT_REQUEUE_PI, 0, NULL, &word, 0), EINVAL);
    volatile int other = 0;
    ERR(futex(&word, FUTEX_WAIT_REQUEUE_PI, 7, NULL, &other, 0), EAGAIN);
    ERR(futex(&word, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, &other, 7), EAGAIN);
    CHECK_EQ(futex(&word, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, &other, 0), 0);
}

static void *hold(void *arg)
{
    struct lock *l = arg;
    CHECK_EQ(futex(&l->word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
    l->ready = 1;
    while (l->ready != 2)
        sleep_ms(1);
    CHECK_EQ(futex(&l->word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
    return NULL;
}

CASE(futex_pi, times_out)
{
    struct lock l = {0};
    pthread_t t;
    CHECK_EQ(pthread_create(&t, NULL, hold, &l), 0);
    until(&l.ready, 1);
    ERR(futex(&l.word, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0), EAGAIN);
    struct timespec at = from_now(CLOCK_REALTIME, 30);
    int64_t before = now_ms();
    ERR(futex(&l.word, FUTEX_LOCK_PI_PRIVATE, 0, &at, NULL, 0), ETIMEDOUT);
    CHECK(now_ms() - before >= 25 && now_ms() - before < 2000);
    at = from_now(CLOCK_MONOTONIC, 30);
    ERR(futex(&l.word, FUTEX_LOCK_PI2 | FUTEX_PRIVATE_FLAG, 0, &at, NULL, 0), ETIMEDOUT);
    at = from_now(CLOCK_REALTIME, 30);
    ERR(futex(&l.word, FUTEX_LOCK_PI2 | FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME, 0, &at, NULL, 0), ETIMEDOUT);
    ERR(futex(&l.word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), EPERM);
    l.ready = 2;
    CHECK_EQ(pthread_join(t, NULL), 0);
    CHECK_EQ(l.word, 0);
}

static struct lock cross[2];

static void *other_way(void *arg)
{
    (void)arg;
    CHECK_EQ(futex(&cross[1].word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
    cross[1].ready = 1;
    CHECK_EQ(futex(&cross[0].word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
    CHECK_EQ(futex(&cross[0].word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
    CHECK_EQ(futex(&cross[1].word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
    return NULL;
}

CASE(futex_pi, a_circle_is_found)
{
    pthread_t t;
    CHECK_EQ(futex(&cross[0].word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
    CHECK_EQ(pthread_create(&t, NULL, other_way, NULL), 0);
    until(&cross[1].ready, 1);
    sleep_ms(30);
    ERR(futex(&cross[1].word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), EDEADLK);
    CHECK_EQ(futex(&cross[0].word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
    CHECK_EQ(pthread_join(t, NULL), 0);
}

static void *wait_requeue(void *arg)
{
    struct lock *l = arg;
    __atomic_fetch_add(&l->ready, 1, __ATOMIC_SEQ_CST);
    long r = futex(&l->cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, NULL, &l->word, 0);
    if (r != 0) {
        l->result = errno;
        return NULL;
    }
    CHECK_EQ((l->word & FUTEX_TID_MASK), tid());
    __atomic_fetch_add(&l->at, 1, __ATOMIC_SEQ_CST);
    CHECK_EQ(futex(&l->word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
    return NULL;
}

CASE(futex_pi, requeue)
{
    struct lock l = {0};
    pthread_t t[3];
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_create(&t[i], NULL, wait_requeue, &l), 0);
    until(&l.ready, 3);
    sleep_ms(30);
    ERR(futex(&l.cond, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), EINVAL);
    CHECK_EQ(futex(&l.word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
    CHECK_EQ(futex(&l.cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)1, &l.word, 0), 2);
    sleep_ms(20);
    CHECK_EQ(l.at, 0);
    CHECK_EQ(futex(&l.word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
    until(&l.at, 2);
    /* nobody owns it: the one that is left does so at once */
    CHECK_EQ(futex(&l.cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)5, &l.word, 0), 1);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_join(t[i], NULL), 0);
    CHECK_EQ(l.at, 3);
    struct timespec at = from_now(CLOCK_MONOTONIC, 20);
    ERR(futex(&l.cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, &at, &l.word, 0), ETIMEDOUT);
    at = from_now(CLOCK_REALTIME, 20);
    ERR(futex(&l.cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE | FUTEX_CLOCK_REALTIME, 0, &at, &l.word, 0), ETIMEDOUT);
}

static volatile int handled;

static void handler(int sig)
{
    (void)sig;
    handled++;
}

CASE(futex_pi, a_signal_does_not_end_the_wait)
{
    struct lock l = {0};
    on_signal(SIGUSR1, handler, 0);
    pthread_t t, me = pthread_self();
    CHECK_EQ(pthread_create(&t, NULL, hold, &l), 0);
    until(&l.ready, 1);
    pid_t pid = xfork();
    if (pid == 0) {
        sleep_ms(30);
        kill(getppid(), SIGUSR1);
        _exit(0);
    }
    struct timespec at = from_now(CLOCK_REALTIME, 200);
    (void)me;
    sigset_t set;
    sigemptyset(&set);
    ERR(futex(&l.word, FUTEX_LOCK_PI_PRIVATE, 0, &at, NULL, 0), ETIMEDOUT);
    CHECK(handled > 0);
    child_ok(pid);
    l.ready = 2;
    pthread_join(t, NULL);
}

CASE(futex_pi, owner_dies)
{
    volatile int *p = shared_page();
    pid_t pid = xfork();
    if (pid == 0) {
        CHECK_EQ(futex(&p[0], FUTEX_LOCK_PI, 0, NULL, NULL, 0), 0);
        p[1] = 1;
        sleep_ms(60);
        _exit(0);
    }
    await(&p[1]);
    CHECK_EQ(futex(&p[0], FUTEX_LOCK_PI, 0, NULL, NULL, 0), 0);
    CHECK_EQ((p[0] & FUTEX_TID_MASK), tid());
    CHECK((p[0] & FUTEX_OWNER_DIED) != 0);
    child_ok(pid);
    CHECK_EQ(futex(&p[0], FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), 0);
    CHECK_EQ(p[0], 0);
}

static void shared_mutex(pthread_mutex_t *m, int protocol, int robust)
{
    pthread_mutexattr_t a;
    pthread_mutexattr_init(&a);
    CHECK_EQ(pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED), 0);
    CHECK_EQ(pthread_mutexattr_setprotocol(&a, protocol), 0);
    CHECK_EQ(pthread_mutexattr_setrobust(&a, robust), 0);
    CHECK_EQ(pthread_mutex_init(m, &a), 0);
}

static void dies_holding(int protocol, bool waiting)
{
    struct {
        pthread_mutex_t m;
        volatile int held;
    } *s = shared_page();
    shared_mutex(&s->m, protocol, PTHREAD_MUTEX_ROBUST);
    pid_t pid = xfork();
    if (pid == 0) {
        CHECK_EQ(pthread_mutex_lock(&s->m), 0);
        s->held = 1;
        if (waiting)
            sleep_ms(60);
        _exit(0);
    }
    await(&s->held);
    if (!waiting)
        child_ok(pid);
    CHECK_EQ(pthread_mutex_lock(&s->m), EOWNERDEAD);
    CHECK_EQ(pthread_mutex_consistent(&s->m), 0);
    CHECK_EQ(pthread_mutex_unlock(&s->m), 0);
    CHECK_EQ(pthread_mutex_lock(&s->m), 0);
    CHECK_EQ(pthread_mutex_unlock(&s->m), 0);
    if (waiting)
        child_ok(pid);
    /* not made consistent: lost */
    pid = xfork();
    if (pid == 0) {
        CHECK_EQ(pthread_mutex_lock(&s->m), 0);
        _exit(0);
    }
    child_ok(pid);
    CHECK_EQ(pthread_mutex_lock(&s->m), EOWNERDEAD);
    CHECK_EQ(pthread_mutex_unlock(&s->m), 0);
    CHECK_EQ(pthread_mutex_lock(&s->m), ENOTRECOVERABLE);
}

CASE(futex_pi, robust_mutex)
{
    dies_holding(PTHREAD_PRIO_NONE, false);
    dies_holding(PTHREAD_PRIO_NONE, true);
}

CASE(futex_pi, robust_mutex_with_inheritance)
{
    dies_holding(PTHREAD_PRIO_INHERIT, false);
    dies_holding(PTHREAD_PRIO_INHERIT, true);
}

static pthread_mutex_t counted;
static volatile int count;

static void *count_up(void *arg)
{
    for (int i = 0; i < 300; i++) {
        CHECK_EQ(pthread_mutex_lock(&counted), 0);
        int now = count;
        if (i % 30 == 0)
            sched_yield();
        count = now + 1;
        CHECK_EQ(pthread_mutex_unlock(&counted), 0);
    }
    return arg;
}

CASE_T(futex_pi, mutexes_exclude, 30)
{
    for (int protocol = PTHREAD_PRIO_NONE; protocol <= PTHREAD_PRIO_INHERIT; protocol++) {
        pthread_mutexattr_t a;
        pthread_mutexattr_init(&a);
        CHECK_EQ(pthread_mutexattr_setprotocol(&a, protocol), 0);
        CHECK_EQ(pthread_mutex_init(&counted, &a), 0);
        count = 0;
        pthread_t t[6];
        for (int i = 0; i < 6; i++)
            CHECK_EQ(pthread_create(&t[i], NULL, count_up, NULL), 0);
        for (int i = 0; i < 6; i++)
            CHECK_EQ(pthread_join(t[i], NULL), 0);
        CHECK_EQ(count, 1800);
    }
}

struct box {
    pthread_mutex_t m;
    pthread_cond_t full, empty;
    volatile int value, sum;
};

CASE_T(futex_pi, shared_condition_variable, 30)
{
    struct box *b = shared_page();
    shared_mutex(&b->m, PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_STALLED);
    pthread_condattr_t a;
    pthread_condattr_init(&a);
    CHECK_EQ(pthread_condattr_setpshared(&a, PTHREAD_PROCESS_SHARED), 0);
    CHECK_EQ(pthread_cond_init(&b->full, &a), 0);
    CHECK_EQ(pthread_cond_init(&b->empty, &a), 0);
    pid_t pid = xfork();
    if (pid == 0) {
        for (int i = 1; i <= 100; i++) {
            pthread_mutex_lock(&b->m);
            while (b->value != 0)
                pthread_cond_wait(&b->empty, &b->m);
            b->value = i;
            pthread_cond_signal(&b->full);
            pthread_mutex_unlock(&b->m);
        }
        _exit(0);
    }
    for (int i = 1; i <= 100; i++) {
        pthread_mutex_lock(&b->m);
        while (b->value == 0)
            pthread_cond_wait(&b->full, &b->m);
        b->sum += b->value;
        b->value = 0;
        pthread_cond_signal(&b->empty);
        pthread_mutex_unlock(&b->m);
    }
    CHECK_EQ(b->sum, 5050);
    child_ok(pid);
    pthread_mutex_lock(&b->m);
    struct timespec at = from_now(CLOCK_REALTIME, 20);
    CHECK_EQ(pthread_cond_timedwait(&b->full, &b->m, &at), ETIMEDOUT);
    pthread_mutex_unlock(&b->m);
}

static long waitv(struct waitv *w, unsigned n, unsigned flags, struct timespec *t, int clock)
{
    return syscall(449, w, n, flags, t, clock);
}

static volatile int many[3];

static void *wake_second(void *arg)
{
    sleep_ms(30);
    many[1] = 1;
    *(long *)arg = futex(&many[1], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    return NULL;
}

CASE(futex_pi, waits_for_several)
{
    struct waitv w[3];
    for (int i = 0; i < 3; i++)
        w[i] = (struct waitv){0, (uintptr_t)&many[i], 2 | FUTEX_PRIVATE_FLAG, 0};
    ERR(waitv(w, 0, 0, NULL, CLOCK_MONOTONIC), EINVAL);
    ERR(waitv(w, 129, 0, NULL, CLOCK_MONOTONIC), EINVAL);
    ERR(waitv(w, 3, 1, NULL, CLOCK_MONOTONIC), EINVAL);
    ERR(waitv(NULL, 3, 0, NULL, CLOCK_MONOTONIC), EINVAL);
    ERR(waitv((void *)16, 3, 0, NULL, CLOCK_MONOTONIC), EFAULT);
    struct timespec at = from_now(CLOCK_MONOTONIC, 20);
    ERR(waitv(w, 3, 0, &at, CLOCK_BOOTTIME), EINVAL);
    ERR(waitv(w, 3, 0, &at, CLOCK_MONOTONIC), ETIMEDOUT);
    at = from_now(CLOCK_REALTIME, 20);
    ERR(waitv(w, 3, 0, &at, CLOCK_REALTIME), ETIMEDOUT);
    w[2].val = 5;
    ERR(waitv(w, 3, 0, NULL, CLOCK_MONOTONIC), EAGAIN);
    w[2].val = 0;
    w[1].reserved = 1;
    ERR(waitv(w, 3, 0, NULL, CLOCK_MONOTONIC), EINVAL);
    w[1].reserved = 0;
    w[1].flags = FUTEX_PRIVATE_FLAG;
    ERR(waitv(w, 3, 0, NULL, CLOCK_MONOTONIC), EINVAL);
    w[1].flags = 2 | FUTEX_PRIVATE_FLAG;
    pthread_t t;
    long woken = -5;
    CHECK_EQ(pthread_create(&t, NULL, wake_second, &woken), 0);
    CHECK_EQ(waitv(w, 3, 0, NULL, 0), 1);
    CHECK_EQ(pthread_join(t, NULL), 0);
    CHECK_EQ(woken, 1);
    CHECK_EQ(futex(&many[0], FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0), 0);
}

CASE(futex_pi, wake_op)
{
    volatile int a = 0, b = 5;
    /* b += 3, and it was > 4: nobody waits anywhere */
    CHECK_EQ(futex(&a, FUTEX_WAKE_OP, 1, (void *)1, &b, FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_GT, 4)), 0);
    CHECK_EQ(b, 8);
    futex(&a, FUTEX_WAKE_OP, 1, (void *)1, &b, FUTEX_OP(FUTEX_OP_ANDN, 8, FUTEX_OP_CMP_EQ, 4));
    CHECK_EQ(b, 0);
    futex(&a, FUTEX_WAKE_OP, 1, (void *)1, &b, FUTEX_OP((FUTEX_OP_OR | 8), 3, FUTEX_OP_CMP_EQ, 4));
    CHECK_EQ(b, 8);
    ERR(futex(&a, FUTEX_WAKE_OP, 1, (void *)1, &b, FUTEX_OP(7, 3, FUTEX_OP_CMP_EQ, 4)), ENOSYS);
    ERR(futex(&a, FUTEX_WAKE_OP, 1, (void *)1, (volatile int *)16, 0), EFAULT);
}

static void *list_of(void *arg)
{
    void **out = arg;
    size_t len;
    out[1] = (void *)(intptr_t)tid();
    OK(syscall(SYS_get_robust_list, 0, &out[0], &len));
    out[2] = arg;
    while (((void *volatile *)out)[3] == NULL)
        sleep_ms(1);
    return NULL;
}

CASE(futex_pi, robust_list_of_others)
{
    void *volatile seen[4] = {0};
    pthread_t t;
    CHECK_EQ(pthread_create(&t, NULL, list_of, (void *)seen), 0);
    while (seen[2] == NULL)
        sleep_ms(1);
    void *head;
    size_t len;
    OK(syscall(SYS_get_robust_list, (int)(intptr_t)seen[1], &head, &len));
    CHECK(head == seen[0] && len == 24);
    seen[3] = head;
    CHECK_EQ(pthread_join(t, NULL), 0);
    ERR(syscall(SYS_get_robust_list, 0x3fffff0, &head, &len), ESRCH);
    OK(setresuid(1000, 1000, 1000));
    ERR(syscall(SYS_get_robust_list, 1, &head, &len), EPERM);
}

static volatile int waited;

CASE(futex_pi, a_stop_does_not_lengthen_the_wait)
{
    pid_t pid = xfork();
    if (pid == 0) {
        struct timespec t = {0, 300000000};
        int64_t before = now_ms();
        ERR(futex(&waited, FUTEX_WAIT_PRIVATE, 0, &t, NULL, 0), ETIMEDOUT);
        int64_t took = now_ms() - before;
        if (took < 290 || took > 480)
            FAIL("took %lld ms", (long long)took);
        _exit(0);
    }
    sleep_ms(100);
    kill(pid, SIGSTOP);
    sleep_ms(100);
    kill(pid, SIGCONT);
    child_ok(pid);
}
