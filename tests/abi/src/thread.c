/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Threads: pthreads, clone, and what threads of a process share.
 */
#include "abi.h"
#include <pthread.h>
#include <semaphore.h>

static void *give_back(void *arg)
{
    return arg;
}

CASE(thread, create_and_join)
{
    for (long i = 0; i < 60; i++) {
        pthread_t t;
        void *got;
        CHECK_EQ(pthread_create(&t, NULL, give_back, (void *)i), 0);
        CHECK_EQ(pthread_join(t, &got), 0);
        CHECK_EQ((long)got, i);
    }
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static long counter, turns;

static void *count_up(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3000; i++) {
        pthread_mutex_lock(&mutex);
        long was = counter;
        if (i % 500 == 0)
            sched_yield();
        counter = was + 1;
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

CASE(thread, mutex)
{
    pthread_t t[8];
    for (int i = 0; i < 8; i++)
        CHECK_EQ(pthread_create(&t[i], NULL, count_up, NULL), 0);
    for (int i = 0; i < 8; i++)
        CHECK_EQ(pthread_join(t[i], NULL), 0);
    CHECK_EQ(counter, 24000);
}

static void *take_turns(void *arg)
{
    long me = (long)arg;
    for (int i = 0; i < 100; i++) {
        pthread_mutex_lock(&mutex);
        while (turns % 4 != me)
            pthread_cond_wait(&condition, &mutex);
        turns++;
        pthread_cond_broadcast(&condition);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

CASE(thread, condition_variable)
{
    pthread_t t[4];
    for (long i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&t[i], NULL, take_turns, (void *)i), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_join(t[i], NULL), 0);
    CHECK_EQ(turns, 400);
    struct timespec until_then;
    clock_gettime(CLOCK_REALTIME, &until_then);
    until_then.tv_nsec += 20000000;
    if (until_then.tv_nsec >= 1000000000)
        until_then.tv_sec++, until_then.tv_nsec -= 1000000000;
    pthread_mutex_lock(&mutex);
    CHECK_EQ(pthread_cond_timedwait(&condition, &mutex, &until_then), ETIMEDOUT);
    pthread_mutex_unlock(&mutex);
}

static pthread_barrier_t barrier;
static __thread long own = 7;

static void *many(void *arg)
{
    own = (long)arg;
    pthread_barrier_wait(&barrier);
    sched_yield();
    return (void *)own;
}

CASE(thread, sixty_at_once)
{
    pthread_t t[60];
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 65536);
    pthread_barrier_init(&barrier, NULL, 61);
    for (long i = 0; i < 60; i++)
        CHECK_EQ(pthread_create(&t[i], &attr, many, (void *)(i + 100)), 0);
    pthread_barrier_wait(&barrier);
    for (long i = 0; i < 60; i++) {
        void *got;
        CHECK_EQ(pthread_join(t[i], &got), 0);
        CHECK_EQ((long)got, i + 100);
    }
    CHECK_EQ(own, 7);
}

static void *tell_ids(void *arg)
{
    pid_t *ids = arg;
    ids[0] = getpid();
    ids[1] = syscall(SYS_gettid);
    ids[2] = getppid();
    return NULL;
}

CASE(thread, ids)
{
    pid_t ids[3];
    pthread_t t;
    CHECK_EQ(pthread_create(&t, NULL, tell_ids, ids), 0);
    CHECK_EQ(pthread_join(t, NULL), 0);
    CHECK_EQ(ids[0], getpid());
    CHECK(ids[1] != getpid() && ids[1] > 0);
    CHECK_EQ(ids[2], getppid());
    CHECK_EQ(syscall(SYS_gettid), getpid());
}

static void *change_things(void *arg)
{
    (void)arg;
    OK(chdir("/"));
    umask(0111);
    return (void *)OK(open("/dev/null", O_RDONLY));
}

CASE(thread, descriptors_and_cwd_are_shared)
{
    pthread_t t;
    void *fd;
    CHECK_EQ(pthread_create(&t, NULL, change_things, NULL), 0);
    CHECK_EQ(pthread_join(t, &fd), 0);
    CHECK_EQ(fcntl((long)fd, F_GETFD), 0);
    char cwd[64];
    CHECK(getcwd(cwd, sizeof cwd) && strcmp(cwd, "/") == 0);
    CHECK_EQ(umask(022), 0111);
}

static volatile pid_t handled_by;

static void note_thread(int sig)
{
    (void)sig;
    handled_by = syscall(SYS_gettid);
}

static volatile int leave;

static void *loiter(void *arg)
{
    *(volatile pid_t *)arg = syscall(SYS_gettid);
    while (!leave)
        sleep_ms(1);
    return NULL;
}

CASE(thread, signal_to_one_thread)
{
    volatile pid_t tid = 0;
    on_signal(SIGUSR1, note_thread, SA_RESTART);
    pthread_t t;
    CHECK_EQ(pthread_create(&t, NULL, loiter, (void *)&tid), 0);
    while (!tid)
        sleep_ms(1);
    CHECK_EQ(pthread_kill(t, SIGUSR1), 0);
    for (int i = 0; i < 3000 && !handled_by; i++)
        sleep_ms(1);
    CHECK_EQ(handled_by, tid);
    /* a signal to the process goes to a thread that does not block it */
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    handled_by = 0;
    OK(kill(getpid(), SIGUSR1));
    for (int i = 0; i < 3000 && !handled_by; i++)
        sleep_ms(1);
    CHECK_EQ(handled_by, tid);
    leave = 1;
    CHECK_EQ(pthread_join(t, NULL), 0);
}

static void *crash(void *arg)
{
    *(volatile int *)arg = 1;
    return NULL;
}

static void *forever(void *arg)
{
    while (!leave)
        if (arg)
            sleep_ms(1000);
    return NULL;
}

CASE(thread, crash_of_one_ends_all)
{
    DIES(SIGSEGV, {
        pthread_t t;
        pthread_create(&t, NULL, forever, (void *)1);
        pthread_create(&t, NULL, forever, NULL);
        pthread_create(&t, NULL, crash, (void *)8);
        forever((void *)1);
    });
}

CASE(thread, exit_group_from_a_busy_process)
{
    pid_t pid = xfork();
    if (pid == 0) {
        pthread_t t;
        for (int i = 0; i < 5; i++)
            pthread_create(&t, NULL, forever, (void *)(long)(i % 2));
        sleep_ms(10);
        exit(9);
    }
    CHECK_EQ(child_status(pid), 9 << 8);
    pid = xfork();
    if (pid == 0) {
        pthread_t t;
        for (int i = 0; i < 5; i++)
            pthread_create(&t, NULL, forever, (void *)(long)(i % 2));
        for (;;)
            sleep_ms(1000);
    }
    sleep_ms(20);
    OK(kill(pid, SIGKILL));
    child_killed(pid, SIGKILL);
}

CASE(thread, leader_may_leave_first)
{
    pid_t pid = xfork();
    if (pid == 0) {
        pthread_t t;
        leave = 0;
        static volatile pid_t tid;
        pthread_create(&t, NULL, loiter, (void *)&tid);
        while (!tid)
            sleep_ms(1);
        pid_t killer = xfork();
        if (killer == 0) {
            sleep_ms(30);
            kill(getppid(), SIGTERM);
            _exit(0);
        }
        syscall(SYS_exit, 3);
    }
    child_killed(pid, SIGTERM);
}

static void *run_exec(void *arg)
{
    (void)arg;
    execl(abi_self, "abi", "--helper", "exit", "31", NULL);
    return NULL;
}

CASE(thread, exec_from_a_thread_ends_the_others)
{
    pid_t pid = xfork();
    if (pid == 0) {
        pthread_t t;
        pthread_create(&t, NULL, forever, NULL);
        pthread_create(&t, NULL, run_exec, NULL);
        for (;;)
            sleep_ms(1000);
    }
    CHECK_EQ(child_status(pid), 31 << 8);
}

static void *fork_inside(void *arg)
{
    (void)arg;
    pid_t pid = fork();
    if (pid == 0) {
        /* the child has this thread only */
        _exit(syscall(SYS_gettid) == getpid() && own == 7 ? 0 : 1);
    }
    return (void *)(long)child_status(pid);
}

CASE(thread, fork_in_a_thread)
{
    pthread_t t;
    void *status;
    CHECK_EQ(pthread_create(&t, NULL, fork_inside, NULL), 0);
    CHECK_EQ(pthread_join(t, &status), 0);
    CHECK_EQ((long)status, 0);
}

static sem_t semaphore;

static void *poster(void *arg)
{
    (void)arg;
    for (int i = 0; i < 50; i++)
        sem_post(&semaphore);
    return NULL;
}

CASE(thread, semaphores)
{
    sem_init(&semaphore, 0, 0);
    pthread_t t;
    CHECK_EQ(pthread_create(&t, NULL, poster, NULL), 0);
    for (int i = 0; i < 50; i++)
        OK(sem_wait(&semaphore));
    CHECK_EQ(pthread_join(t, NULL), 0);
    ERR(sem_trywait(&semaphore), EAGAIN);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    ERR(sem_timedwait(&semaphore, &now), ETIMEDOUT);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int once_count;

static void do_once(void)
{
    once_count++;
}

static void *reader(void *arg)
{
    pthread_rwlock_t *lock = arg;
    pthread_once(&once, do_once);
    for (int i = 0; i < 100; i++) {
        pthread_rwlock_rdlock(lock);
        pthread_rwlock_unlock(lock);
        pthread_rwlock_wrlock(lock);
        counter++;
        pthread_rwlock_unlock(lock);
    }
    return NULL;
}

CASE(thread, rwlock_once_cancel)
{
    pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
    pthread_t t[4];
    counter = 0;
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&t[i], NULL, reader, &lock), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_join(t[i], NULL), 0);
    CHECK_EQ(counter, 400);
    CHECK_EQ(once_count, 1);
    void *got;
    CHECK_EQ(pthread_create(&t[0], NULL, forever, (void *)1), 0);
    sleep_ms(10);
    CHECK_EQ(pthread_cancel(t[0]), 0);
    CHECK_EQ(pthread_join(t[0], &got), 0);
    CHECK(got == PTHREAD_CANCELED);
}

CASE(thread, proc_task)
{
    volatile pid_t tid = 0;
    leave = 0;
    pthread_t t;
    CHECK_EQ(pthread_create(&t, NULL, loiter, (void *)&tid), 0);
    while (!tid)
        sleep_ms(1);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    OK(access(path, F_OK));
    char *status = get_file("/proc/self/status", NULL);
    char *line = strstr(status, "Threads:");
    CHECK(line && atoi(line + 8) == 2);
    leave = 1;
    CHECK_EQ(pthread_join(t, NULL), 0);
}

CASE(thread, robust_mutex)
{
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutex_t *m = shared_page();
    CHECK_EQ(pthread_mutex_init(m, &attr), 0);
    CHILD(CHECK_EQ(pthread_mutex_lock(m), 0));
    CHECK_EQ(pthread_mutex_lock(m), EOWNERDEAD);
    CHECK_EQ(pthread_mutex_consistent(m), 0);
    CHECK_EQ(pthread_mutex_unlock(m), 0);
}

CASE(thread, clone_errors)
{
    ERR(syscall(SYS_clone, 0x00010000 /* CLONE_THREAD alone */, 0, 0, 0, 0), EINVAL);
    ERR(syscall(SYS_clone, 0x00000800 /* CLONE_SIGHAND alone */, 0, 0, 0, 0), EINVAL);
}
