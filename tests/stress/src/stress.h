/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Load: much of everything at once, or often one after the other; and what memory is left afterwards. A static program that
 * runs as the first process. Usage: stress [--small | --count=N] [CASE...]
 *
 * It says, a line each:
 *     RUN case
 *     PASS case: figures
 *     FAIL case: reason
 *     DONE
 */
#ifndef STRESS_H
#define STRESS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL

struct stress {
    const char *name;
    long full;  /* how many, when run by name */
    long small; /* how many in the ordinary tests */
    void (*body)(long count);
    bool keeps; /* the components keep what they needed for it, for the next time */
};

#define STRESS(name_, full_, small_) STRESS_(name_, full_, small_, false)
#define STRESS_KEEPS(name_, full_, small_) STRESS_(name_, full_, small_, true)
#define STRESS_(name_, full_, small_, keeps_)                                                                           \
    static void stress_##name_(long count);                                                                             \
    static const struct stress info_##name_ = {#name_, full_, small_, stress_##name_, keeps_};                          \
    __attribute__((used, section("stresses"))) static const struct stress *const ptr_##name_ = &info_##name_;           \
    static void stress_##name_(long count)

extern const char *self;
_Noreturn void fail(const char *file, int line, const char *what);
#define CHECK(cond)                                                                                                     \
    do {                                                                                                                \
        if (!(cond))                                                                                                    \
            fail(__FILE__, __LINE__, #cond);                                                                            \
    } while (0)

long meminfo(const char *key);
pid_t xfork(void);
/* Waits for a child that must exit with 0. */
void child_ok(pid_t pid);
void sleep_ms(long ms);

#endif
