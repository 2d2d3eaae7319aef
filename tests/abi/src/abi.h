/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The frame of the Linux ABI tests: one static program holds many cases. Each case runs in a child of its own (its own
 * process group, its own fresh working directory under /tmp) and ends in exactly one of three console lines:
 *
 *     PASS group.name
 *     FAIL group.name: reason
 *     SKIP group.name: reason
 *
 * A line "RUN group.name" comes first, so that a harness knows which case a system died in.
 */
#ifndef ABI_H
#define ABI_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct abi_case {
    const char *group;
    const char *name;
    void (*body)(void);
    int seconds; /* how long it may take */
};

#define CASE_T(group_, name_, seconds_)                                                                                \
    static void case_##group_##_##name_(void);                                                                         \
    static const struct abi_case info_##group_##_##name_ = {#group_, #name_, case_##group_##_##name_, seconds_};       \
    __attribute__((used, section("abi_cases"))) static const struct abi_case *const ptr_##group_##_##name_ =           \
        &info_##group_##_##name_;                                                                                      \
    static void case_##group_##_##name_(void)
#define CASE(group, name) CASE_T(group, name, 10)

/* Ends the case (also from a grandchild that is awaited with `child_ok`). */
_Noreturn void abi_fail(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
_Noreturn void abi_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define FAIL(...) abi_fail(__FILE__, __LINE__, __VA_ARGS__)
#define SKIP(...) abi_skip(__VA_ARGS__)
#define CHECK(cond)                                                                                                    \
    do {                                                                                                               \
        if (!(cond))                                                                                                   \
            FAIL("%s is false (errno %d)", #cond, errno);                                                              \
    } while (0)
#define CHECK_EQ(a, b)                                                                                                 \
    do {                                                                                                               \
        long long a_ = (long long)(a), b_ = (long long)(b);                                                            \
        if (a_ != b_)                                                                                                  \
            FAIL("%s is %lld (0x%llx), not %s = %lld (0x%llx), errno %d", #a, a_, a_, #b, b_, b_, errno);              \
    } while (0)
/* The call must not return -1; its value is the value of the expression. */
#define OK(call)                                                                                                       \
    ({                                                                                                                 \
        errno = 0;                                                                                                     \
        long long r_ = (long long)(call);                                                                              \
        if (r_ == -1)                                                                                                  \
            FAIL("%s failed: errno %d (%s)", #call, errno, strerror(errno));                                           \
        r_;                                                                                                            \
    })
/* The call must return -1 with this errno. */
#define ERR(call, want)                                                                                                \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        long long r_ = (long long)(call);                                                                              \
        int e_ = errno;                                                                                                \
        if (r_ != -1 || e_ != (want))                                                                                  \
            FAIL("%s gave %lld, errno %d (%s), not errno %d (%s)", #call, r_, e_, strerror(e_), want, strerror(want)); \
    } while (0)
#define MAP_OK(call)                                                                                                   \
    ({                                                                                                                 \
        void *p_ = (call);                                                                                             \
        if (p_ == MAP_FAILED)                                                                                          \
            FAIL("%s failed: errno %d (%s)", #call, errno, strerror(errno));                                           \
        p_;                                                                                                            \
    })

#define PAGE 4096UL
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The test program's own path, for execve of its helper modes ("abi --helper NAME ..."). */
extern const char *abi_self;
/* Helper modes: what this program does when executed by a case. */
int abi_helper(int argc, char **argv, char **envp);

/* fork that must succeed. */
pid_t xfork(void);
/* Waits for a child that must exit with 0. */
void child_ok(pid_t pid);
/* Waits for a child and returns its wait status. */
int child_status(pid_t pid);
/* Waits for a child that must die of this signal. */
void child_killed(pid_t pid, int sig);
/* Runs body in a child, which must die of this signal. */
#define DIES(sig, ...)                                                                                                 \
    do {                                                                                                               \
        pid_t p_ = xfork();                                                                                            \
        if (p_ == 0) {                                                                                                 \
            __VA_ARGS__;                                                                                               \
            _exit(99);                                                                                                 \
        }                                                                                                              \
        child_killed(p_, sig);                                                                                         \
    } while (0)
/* Runs body in a child, which must leave with 0. */
#define CHILD(...)                                                                                                     \
    do {                                                                                                               \
        pid_t p_ = xfork();                                                                                            \
        if (p_ == 0) {                                                                                                 \
            __VA_ARGS__;                                                                                               \
            _exit(0);                                                                                                  \
        }                                                                                                              \
        child_ok(p_);                                                                                                  \
    } while (0)

void sleep_ms(long ms);
int64_t now_ms(void);
/* Waits until a file's byte or a flag in shared memory becomes non-zero; fails after five seconds. */
void await(volatile int *flag);
/* One zeroed page that children share. */
void *shared_page(void);
/* Makes a file of these bytes. */
void put_file(const char *path, const void *data, size_t len, mode_t mode);
/* Reads a whole file (NUL-terminated); the length goes to *len when given. */
char *get_file(const char *path, size_t *len);
/* Installs a handler. */
void on_signal(int sig, void (*handler)(int), int flags);
/* A value of /proc/meminfo in KiB, or -1. */
long meminfo(const char *key);
/* A small repeatable random number generator. */
uint64_t rnd(uint64_t *state);
/* The state letter of a process in /proc/PID/stat, or 0. */
int proc_state(pid_t pid);
/* Waits until a process shows this state; fails after five seconds. */
void await_state(pid_t pid, int state);

#endif
