/* A static C program whose cases lean on what the C library makes of the kernel's interface; built with glibc, with musl, and
   position-independent. Each case is a process of its own. */
#ifndef CTESTS_H
#define CTESTS_H

#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

struct ct_case {
    const char *name;
    void (*body)(void);
    struct ct_case *next;
};

void ct_add(struct ct_case *it);
void ct_fail(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4), noreturn));
/* Milliseconds of the monotonic clock. */
long long ct_ms(void);

#define CASE(case_name)                                                             \
    static void body_##case_name(void);                                             \
    __attribute__((constructor)) static void add_##case_name(void)                  \
    {                                                                               \
        static struct ct_case it = {#case_name, body_##case_name, 0};               \
        ct_add(&it);                                                                \
    }                                                                               \
    static void body_##case_name(void)

#define CHECK(what) \
    do { if (!(what)) ct_fail(__FILE__, __LINE__, "not so: %s (errno %d)", #what, errno); } while (0)
#define EQUAL(a, b)                                                                                   \
    do {                                                                                              \
        long long ct_a = (long long)(a), ct_b = (long long)(b);                                       \
        if (ct_a != ct_b)                                                                             \
            ct_fail(__FILE__, __LINE__, "%s is %lld, not %lld (errno %d)", #a, ct_a, ct_b, errno);    \
    } while (0)
#define SAME(a, b)                                                                                    \
    do {                                                                                              \
        const char *ct_a = (a), *ct_b = (b);                                                          \
        if (strcmp(ct_a, ct_b))                                                                       \
            ct_fail(__FILE__, __LINE__, "%s is \"%s\", not \"%s\"", #a, ct_a, ct_b);                  \
    } while (0)

#endif
