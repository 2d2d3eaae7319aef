/* SPDX-License-Identifier: MIT OR Apache-2.0
 * The vDSO, and clocks that can be set. */
#include "abi.h"

#include <elf.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <ucontext.h>
#include <unwind.h>

#ifndef TFD_TIMER_CANCEL_ON_SET
#define TFD_TIMER_CANCEL_ON_SET 2
#endif

/* A function of the vDSO by its name and version, found as the C libraries do. */
static void *vdso(const char *name)
{
    const Elf64_Ehdr *base = (const void *)getauxval(AT_SYSINFO_EHDR);
    CHECK(base && memcmp(base->e_ident, ELFMAG, SELFMAG) == 0 && base->e_type == ET_DYN);
    const Elf64_Phdr *segment = (const void *)((const char *)base + base->e_phoff);
    const Elf64_Dyn *dynamic = NULL;
    uintptr_t bias = 0;
    for (int i = 0; i < base->e_phnum; i++) {
        if (segment[i].p_type == PT_LOAD)
            bias = (uintptr_t)base + segment[i].p_offset - segment[i].p_vaddr;
        if (segment[i].p_type == PT_DYNAMIC)
            dynamic = (const void *)((const char *)base + segment[i].p_offset);
    }
    CHECK(dynamic);
    const Elf64_Sym *symbols = NULL;
    const char *strings = NULL;
    const uint16_t *versions = NULL;
    const Elf64_Verdef *definitions = NULL;
    const uint32_t *hash = NULL;
    for (; dynamic->d_tag; dynamic++) {
        const void *at = (const void *)(bias + dynamic->d_un.d_ptr);
        switch (dynamic->d_tag) {
        case DT_SYMTAB: symbols = at; break;
        case DT_STRTAB: strings = at; break;
        case DT_VERSYM: versions = at; break;
        case DT_VERDEF: definitions = at; break;
        case DT_HASH: hash = at; break;
        }
    }
    CHECK(symbols && strings && versions && definitions && hash);
    for (uint32_t i = 0; i < hash[1]; i++) {
        if (!symbols[i].st_shndx || strcmp(strings + symbols[i].st_name, name) != 0)
            continue;
        const Elf64_Verdef *def = definitions;
        while ((def->vd_ndx & 0x7fff) != (versions[i] & 0x7fff)) {
            CHECK(def->vd_next);
            def = (const void *)((const char *)def + def->vd_next);
        }
        const Elf64_Verdaux *aux = (const void *)((const char *)def + def->vd_aux);
        CHECK(strcmp(strings + aux->vda_name, "LINUX_2.6.39") == 0);
        return (void *)(bias + symbols[i].st_value);
    }
    FAIL("the vDSO has no %s", name);
}

static int64_t ns(const struct timespec *t)
{
    CHECK(t->tv_nsec >= 0 && t->tv_nsec < 1000000000);
    return t->tv_sec * 1000000000LL + t->tv_nsec;
}

CASE(vdso, clocks)
{
    int (*gettime)(clockid_t, struct timespec *) = vdso("__kernel_clock_gettime");
    int (*getres)(clockid_t, struct timespec *) = vdso("__kernel_clock_getres");
    int (*timeofday)(struct timeval *, struct timezone *) = vdso("__kernel_gettimeofday");
    static const clockid_t clocks[] = {CLOCK_REALTIME,        CLOCK_MONOTONIC,          CLOCK_PROCESS_CPUTIME_ID,
                                       CLOCK_MONOTONIC_RAW,   CLOCK_REALTIME_COARSE,    CLOCK_MONOTONIC_COARSE,
                                       CLOCK_BOOTTIME,        CLOCK_THREAD_CPUTIME_ID,  CLOCK_TAI};
    for (size_t i = 0; i < COUNT(clocks); i++) {
        struct timespec before, here, after;
        for (int round = 0; round < 50; round++) {
            OK(syscall(SYS_clock_gettime, clocks[i], &before));
            CHECK_EQ(gettime(clocks[i], &here), 0);
            OK(syscall(SYS_clock_gettime, clocks[i], &after));
            if (ns(&here) < ns(&before) || ns(&here) > ns(&after))
                FAIL("clock %d: %lld is not between %lld and %lld", clocks[i], (long long)ns(&here),
                     (long long)ns(&before), (long long)ns(&after));
        }
        CHECK_EQ(getres(clocks[i], &here), 0);
        OK(syscall(SYS_clock_getres, clocks[i], &after));
        CHECK_EQ(ns(&here), ns(&after));
        CHECK_EQ(getres(clocks[i], NULL), 0);
    }
    struct timespec t;
    CHECK_EQ(gettime(10, &t), -EINVAL);
    CHECK_EQ(gettime(77, &t), -EINVAL);
    CHECK_EQ(gettime(-1, &t), -EINVAL);
    CHECK_EQ(getres(77, &t), -EINVAL);
    struct timeval tv;
    struct timezone tz = {5, 5};
    OK(syscall(SYS_clock_gettime, CLOCK_REALTIME, &t));
    CHECK_EQ(timeofday(&tv, &tz), 0);
    int64_t passed = tv.tv_sec * 1000000LL + tv.tv_usec - ns(&t) / 1000;
    CHECK(passed >= 0 && passed < 1000000 && tv.tv_usec < 1000000);
    CHECK(tz.tz_minuteswest == 0 && tz.tz_dsttime == 0);
    CHECK_EQ(timeofday(NULL, NULL), 0);
}

CASE(vdso, maps)
{
    char line[256];
    unsigned long start, end, vdso_start = 0, vvar = 0;
    char r, w, x;
    FILE *f = fopen("/proc/self/maps", "r");
    CHECK(f != NULL);
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "%lx-%lx %c%c%c", &start, &end, &r, &w, &x) != 5)
            continue;
        if (strstr(line, "[vdso]")) {
            vdso_start = start;
            CHECK(r == 'r' && w == '-' && x == 'x');
        }
        if (strstr(line, "[vvar]")) {
            vvar = start;
            CHECK(r == 'r' && w == '-' && x == '-');
        }
    }
    CHECK_EQ(vdso_start, getauxval(AT_SYSINFO_EHDR));
    CHECK(vvar != 0);
    DIES(SIGSEGV, *(volatile int *)vdso_start = 0);
    DIES(SIGSEGV, *(volatile int *)vvar = 0);
}

static volatile int frames, reached;
static uintptr_t raised_from;

static _Unwind_Reason_Code frame(struct _Unwind_Context *context, void *unused)
{
    (void)unused;
    frames++;
    uintptr_t ip = _Unwind_GetIP(context);
    if (ip >= raised_from && ip < raised_from + 256)
        reached = 1;
    return frames > 50 ? _URC_END_OF_STACK : _URC_NO_REASON;
}

static uintptr_t returns_to;

static void unwinder(int sig)
{
    (void)sig;
    returns_to = (uintptr_t)__builtin_return_address(0);
    _Unwind_Backtrace(frame, NULL);
}

__attribute__((noinline, noclone)) static void fault(void)
{
    raised_from = (uintptr_t)fault;
    /* A system call with the signal on its way back. */
    long own = getpid();
    register long number __asm__("x8") = SYS_kill;
    register long pid __asm__("x0") = own;
    register long sig __asm__("x1") = SIGUSR1;
    __asm__ volatile("svc #0" : "+r"(pid) : "r"(number), "r"(sig) : "memory");
}

CASE(vdso, unwind)
{
    struct {
        void (*handler)(int);
        unsigned long flags, restorer, mask;
    } action = {unwinder, 0, 0, 0};
    OK(syscall(SYS_rt_sigaction, SIGUSR1, &action, NULL, 8));
    fault();
    /* A handler without a restorer returns into the vDSO, where unwinders find what they look for. */
    CHECK_EQ(returns_to, (uintptr_t)vdso("__kernel_rt_sigreturn"));
    CHECK(((uint32_t *)returns_to)[0] == 0xd2801168 && ((uint32_t *)returns_to)[1] == 0xd4000001);
    CHECK(frames > 3);
    CHECK(reached);
}

CASE(vdso, setting_the_clock)
{
    struct timespec before, now, mono, mono_after;
    OK(clock_gettime(CLOCK_REALTIME, &before));
    OK(clock_gettime(CLOCK_MONOTONIC, &mono));
    int plain = OK(timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK));
    int canceled = OK(timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK));
    struct itimerspec far = {.it_value = {before.tv_sec + 1000, before.tv_nsec}};
    OK(timerfd_settime(plain, TFD_TIMER_ABSTIME, &far, NULL));
    OK(timerfd_settime(canceled, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, NULL));
    /* One that sleeps until a moment which the setting makes now, and one that waits for a timer's signal. */
    volatile int *woken = shared_page();
    pid_t sleeper = xfork();
    if (sleeper == 0) {
        clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &far.it_value, NULL);
        woken[0] = 1;
        _exit(0);
    }
    pid_t timed = xfork();
    if (timed == 0) {
        timer_t timer;
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGALRM);
        sigprocmask(SIG_BLOCK, &set, NULL);
        timer_create(CLOCK_REALTIME, NULL, &timer);
        timer_settime(timer, TIMER_ABSTIME, &far, NULL);
        woken[1] = 1;
        sigwaitinfo(&set, NULL);
        _exit(0);
    }
    await(woken + 1);
    sleep_ms(50);
    CHECK_EQ(woken[0], 0);
    struct timespec later = {before.tv_sec + 1001, 0};
    OK(clock_settime(CLOCK_REALTIME, &later));
    OK(clock_gettime(CLOCK_REALTIME, &now));
    OK(clock_gettime(CLOCK_MONOTONIC, &mono_after));
    CHECK(now.tv_sec - before.tv_sec >= 1001 && now.tv_sec - before.tv_sec < 1010);
    CHECK(mono_after.tv_sec - mono.tv_sec < 10);
    uint64_t count;
    ERR(read(canceled, &count, 8), ECANCELED);
    sleep_ms(20);
    CHECK_EQ(read(plain, &count, 8), 8);
    CHECK_EQ(count, 1);
    child_ok(sleeper);
    child_ok(timed);
    OK(clock_gettime(CLOCK_MONOTONIC, &mono_after));
    before.tv_sec += mono_after.tv_sec - mono.tv_sec;
    OK(clock_settime(CLOCK_REALTIME, &before));
    OK(syscall(SYS_clock_gettime, CLOCK_REALTIME, &now));
    CHECK(now.tv_sec - before.tv_sec < 10);
    /* Only root may, and only that clock. */
    ERR(clock_settime(CLOCK_MONOTONIC, &before), EINVAL);
    CHILD(OK(setuid(1000)); ERR(clock_settime(CLOCK_REALTIME, &before), EPERM));
}

CASE(vdso, adjtimex)
{
    struct timex t = {0};
    int state = adjtimex(&t);
    CHECK(state >= 0 && t.tick == 10000);
    int tai = t.tai;
    struct timespec real, atomic;
    t = (struct timex){.modes = ADJ_TAI, .constant = 37};
    CHECK(adjtimex(&t) >= 0);
    CHECK_EQ(t.tai, 37);
    OK(clock_gettime(CLOCK_REALTIME, &real));
    OK(clock_gettime(CLOCK_TAI, &atomic));
    CHECK(atomic.tv_sec - real.tv_sec >= 37 && atomic.tv_sec - real.tv_sec <= 38);
    t = (struct timex){.modes = ADJ_TAI, .constant = tai};
    CHECK(adjtimex(&t) >= 0);
    /* A step ahead, and back. */
    t = (struct timex){.modes = ADJ_SETOFFSET | ADJ_NANO, .time = {100, 0}};
    CHECK(adjtimex(&t) >= 0);
    struct timespec after;
    OK(clock_gettime(CLOCK_REALTIME, &after));
    CHECK(after.tv_sec - real.tv_sec >= 100 && after.tv_sec - real.tv_sec < 110);
    t = (struct timex){.modes = ADJ_SETOFFSET, .time = {-100, 0}};
    CHECK(adjtimex(&t) >= 0);
    t = (struct timex){.modes = ADJ_TICK, .tick = 1};
    ERR(adjtimex(&t), EINVAL);
    CHILD(OK(setuid(1000)); t = (struct timex){.modes = ADJ_TAI}; ERR(adjtimex(&t), EPERM); t.modes = 0;
          CHECK(adjtimex(&t) >= 0));
}
