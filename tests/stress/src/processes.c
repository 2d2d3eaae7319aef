/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Processes and threads.
 */
#include "stress.h"
#include <sys/resource.h>

STRESS(fork_exec_wait, 10000, 200)
{
    for (long i = 0; i < count; i++) {
        pid_t pid = xfork();
        if (pid == 0) {
            execl(self, "stress", "--nothing", NULL);
            _exit(71);
        }
        child_ok(pid);
    }
}

STRESS(fork_wait, 10000, 300)
{
    for (long i = 0; i < count; i++) {
        pid_t pid = xfork();
        if (pid == 0)
            _exit(0);
        child_ok(pid);
    }
}

STRESS(vfork_exec_wait, 5000, 100)
{
    for (volatile long i = 0; i < count; i++) {
        pid_t pid = vfork();
        if (pid == 0) {
            execl(self, "stress", "--nothing", NULL);
            _exit(71);
        }
        CHECK(pid > 0);
        child_ok(pid);
    }
}

/* Many processes that live at the same time. What the kernel needs for each (thread, page tables) is kept for the next. */
STRESS_KEEPS(live_processes, 200, 60)
{
    int go[2], there[2];
    char byte = 'x';
    CHECK(pipe(go) == 0 && pipe(there) == 0);
    pid_t *pids = calloc(count, sizeof *pids);
    for (long i = 0; i < count; i++) {
        pids[i] = xfork();
        if (pids[i] == 0) {
            close(go[1]);
            CHECK(write(there[1], &byte, 1) == 1);
            CHECK(read(go[0], &byte, 1) == 0);
            _exit(0);
        }
    }
    for (long i = 0; i < count; i++)
        CHECK(read(there[0], &byte, 1) == 1);
    for (long i = 0; i < count; i++)
        CHECK(kill(pids[i], 0) == 0);
    close(go[1]);
    for (long i = 0; i < count; i++)
        child_ok(pids[i]);
}

static pthread_barrier_t all;
static _Atomic long sum;

static void *thread_body(void *data)
{
    pthread_barrier_wait(&all);
    sum += (long)data;
    pthread_barrier_wait(&all);
    return data;
}

/* Threads of one process that live at the same time. */
STRESS(threads, 500, 80)
{
    pthread_t *threads = calloc(count, sizeof *threads);
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 64 << 10);
    pthread_barrier_init(&all, NULL, count + 1);
    for (long i = 0; i < count; i++)
        CHECK((errno = pthread_create(&threads[i], &attr, thread_body, (void *)i)) == 0);
    pthread_barrier_wait(&all);
    pthread_barrier_wait(&all);
    for (long i = 0; i < count; i++) {
        void *value;
        CHECK(pthread_join(threads[i], &value) == 0 && value == (void *)i);
    }
    CHECK(sum == count * (count - 1) / 2);
}

static void *nothing(void *data)
{
    return data;
}

STRESS(thread_create_join, 10000, 300)
{
    for (long i = 0; i < count; i++) {
        pthread_t thread;
        CHECK((errno = pthread_create(&thread, NULL, nothing, NULL)) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
}

/* Numbers that go through: more bytes than a pipe holds. */
#define PIPED 20000

/* A pipeline of many processes: what goes in at one end comes out at the other. */
STRESS(pipeline, 200, 40)
{
    int first[2], from;
    CHECK(pipe(first) == 0);
    from = first[0];
    fcntl(first[1], F_SETFD, FD_CLOEXEC);
    for (long i = 0; i < count; i++) {
        int next[2];
        CHECK(pipe(next) == 0);
        pid_t pid = xfork();
        if (pid == 0) {
            char block[4096];
            ssize_t n;
            close(first[1]);
            close(next[0]);
            while ((n = read(from, block, sizeof block)) > 0)
                CHECK(write(next[1], block, n) == n);
            _exit(n == 0 ? 0 : 71);
        }
        close(from);
        close(next[1]);
        from = next[0];
    }
    pid_t writer = xfork();
    if (writer == 0) {
        for (uint32_t i = 0; i < PIPED; i++)
            CHECK(write(first[1], &i, sizeof i) == sizeof i);
        _exit(0);
    }
    close(first[1]);
    FILE *in = fdopen(from, "r");
    for (uint32_t i = 0, got; i < PIPED; i++)
        CHECK(fread(&got, sizeof got, 1, in) == 1 && got == i);
    CHECK(fgetc(in) == EOF);
    for (long i = 0; i <= count; i++) {
        int status = -1;
        CHECK(wait(&status) > 0 && status == 0);
    }
}

/* A chain of processes, each the child of the one before. */
STRESS(process_chain, 150, 40)
{
    for (; count > 0; count--) {
        pid_t pid = xfork();
        if (pid > 0) {
            child_ok(pid);
            _exit(0);
        }
    }
}

static volatile sig_atomic_t caught;

static void on_signal(int sig)
{
    (void)sig;
    caught++;
}

STRESS(signals, 100000, 3000)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, NULL);
    for (long i = 0; i < count; i++)
        CHECK(kill(getpid(), SIGUSR1) == 0);
    CHECK(caught == count);
}
