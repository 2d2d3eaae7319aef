/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Registers across system calls, faults and preemption. seL4 takes its own call number from x7, so every value of x7
 * with a meaning there is tried with calls of every kind.
 */
#include "abi.h"
#include "regfile.h"
#include <pthread.h>
#include <ucontext.h>

void regs_fill(struct regfile *r, uint64_t seed)
{
    uint64_t state = seed;
    for (int i = 0; i < 31; i++)
        r->x[i] = rnd(&state);
    for (int i = 0; i < 32; i++) {
        r->q[i][0] = rnd(&state);
        r->q[i][1] = rnd(&state);
    }
    r->sp = 0;
    r->nzcv = rnd(&state) & 0xf0000000;
    r->fpcr = (seed & 3) << 22;        /* rounding mode */
    r->fpsr = rnd(&state) & 0x0800009f; /* cumulative flags */
    r->tpidr = (uint64_t)__builtin_thread_pointer();
}

void regs_compare(const struct regfile *in, const struct regfile *out, uint32_t skip, const char *what)
{
    for (int i = 1; i < 31; i++)
        if (!(skip >> i & 1) && in->x[i] != out->x[i])
            FAIL("%s: x%d was 0x%lx and is 0x%lx", what, i, in->x[i], out->x[i]);
    if (out->sp != 0)
        FAIL("%s: sp has moved by %ld", what, (long)out->sp);
    if (in->nzcv != out->nzcv)
        FAIL("%s: flags were 0x%lx and are 0x%lx", what, in->nzcv, out->nzcv);
    if (in->fpcr != out->fpcr)
        FAIL("%s: FPCR was 0x%lx and is 0x%lx", what, in->fpcr, out->fpcr);
    if (in->fpsr != out->fpsr)
        FAIL("%s: FPSR was 0x%lx and is 0x%lx", what, in->fpsr, out->fpsr);
    if (in->tpidr != out->tpidr)
        FAIL("%s: TPIDR_EL0 was 0x%lx and is 0x%lx", what, in->tpidr, out->tpidr);
    for (int i = 0; i < 32; i++)
        if (in->q[i][0] != out->q[i][0] || in->q[i][1] != out->q[i][1])
            FAIL("%s: q%d was 0x%lx:0x%lx and is 0x%lx:0x%lx", what, i, in->q[i][1], in->q[i][0], out->q[i][1],
                 out->q[i][0]);
}

/* One call with all other registers filled; returns x0. */
static long call(uint64_t seed, const char *what, uint64_t x7, long nr, const uint64_t args[6])
{
    struct regfile in, out;
    regs_fill(&in, seed);
    for (int i = 0; i < 6; i++)
        in.x[i] = args[i];
    in.x[7] = x7;
    in.x[8] = nr;
    regs_svc(&in, &out);
    regs_compare(&in, &out, 0, what);
    return out.x[0];
}

#define ARGS(...) ((const uint64_t[6]){__VA_ARGS__})

CASE(regs, getpid_keeps_all)
{
    long pid = getpid();
    for (int i = 0; i < 50; i++)
        CHECK_EQ(call(i, "getpid", 12345 + i, __NR_getpid, ARGS(1, 2, 3, 4, 5, 6)), pid);
}

CASE(regs, calls_of_all_kinds_keep_all)
{
    char buffer[4096];
    struct stat st;
    struct timespec ts;
    int fd = OK(open("/dev/zero", O_RDWR));
    CHECK_EQ(call(1, "read", 1, __NR_read, ARGS(fd, (uint64_t)buffer, 4096)), 4096);
    CHECK_EQ(call(2, "write", 2, __NR_write, ARGS(fd, (uint64_t)buffer, 4096)), 4096);
    CHECK_EQ(call(3, "fstat", 3, __NR_fstat, ARGS(fd, (uint64_t)&st)), 0);
    CHECK_EQ(call(4, "newfstatat", 4, __NR_newfstatat, ARGS(AT_FDCWD, (uint64_t) "/", (uint64_t)&st)), 0);
    long p = call(5, "mmap", 5, __NR_mmap, ARGS(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    CHECK(p > 0);
    CHECK_EQ(call(6, "mprotect", 6, __NR_mprotect, ARGS(p, PAGE, PROT_READ)), 0);
    CHECK_EQ(call(7, "munmap", 7, __NR_munmap, ARGS(p, PAGE)), 0);
    CHECK_EQ(call(8, "clock_gettime", 8, __NR_clock_gettime, ARGS(CLOCK_MONOTONIC, (uint64_t)&ts)), 0);
    CHECK_EQ(call(9, "sched_yield", 9, __NR_sched_yield, ARGS(0)), 0);
    ts = (struct timespec){0, 2000000};
    CHECK_EQ(call(10, "nanosleep", 10, __NR_nanosleep, ARGS((uint64_t)&ts, 0)), 0);
    CHECK_EQ(call(11, "futex", 11, __NR_futex, ARGS((uint64_t)buffer, 1, 1)), 0);
    CHECK_EQ(call(12, "close", 12, __NR_close, ARGS(fd)), 0);
    CHECK_EQ(call(13, "close again", 13, __NR_close, ARGS(fd)), -EBADF);
    CHECK_EQ(call(14, "unknown", 14, 9999, ARGS(0)), -ENOSYS);
    CHECK_EQ(call(15, "rt_sigprocmask", 15, __NR_rt_sigprocmask, ARGS(0, 0, (uint64_t)buffer, 8)), 0);
}

CASE(regs, x7_poison)
{
    static const uint64_t poison[] = {0, 1, 7, 8, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffc, 0x7fffffffffffffff,
                                      0x8000000000000000};
    long pid = getpid();
    char byte;
    int fds[2], zero = OK(open("/dev/zero", O_RDWR));
    OK(pipe(fds));
    struct timespec ts;
    for (int i = -40; i < (int)COUNT(poison); i++) {
        uint64_t x7 = i < 0 ? (uint64_t)(int64_t)i : poison[i];
        char what[64];
        snprintf(what, sizeof what, "x7 = %ld", (long)x7);
#define TRY(want, ...)                                                                                                 \
    do {                                                                                                               \
        long got_ = call(i, what, x7, __VA_ARGS__);                                                                    \
        if (got_ != (want))                                                                                            \
            FAIL("%s, %s: %ld instead of %ld", what, #__VA_ARGS__, got_, (long)(want));                                \
    } while (0)
        TRY(pid, __NR_getpid, ARGS(0, 0, 0, 0, 0, 0));
        /* what seL4 would take for a capability and a message */
        TRY(pid, __NR_getpid, ARGS(1, 0x1000, 2, 3, 4, 5));
        TRY(pid, __NR_getpid, ARGS(-1, -1, -1, -1, -1, -1));
        TRY(1, __NR_write, ARGS(fds[1], (uint64_t) "a", 1));
        TRY(1, __NR_read, ARGS(fds[0], (uint64_t)&byte, 1));
        CHECK_EQ(byte, 'a');
        TRY(-EBADF, __NR_read, ARGS(-1, (uint64_t)&byte, 1));
        TRY(1, __NR_read, ARGS(zero, (uint64_t)&byte, 1));
        TRY(-EFAULT, __NR_write, ARGS(fds[1], 8, 1));
        TRY(0, __NR_clock_gettime, ARGS(0, (uint64_t)&ts));
        TRY(0, __NR_sched_yield, ARGS(0));
        TRY(-ENOSYS, 5000, ARGS(0));
        TRY(-ENOSYS, 0xffffffff, ARGS(0));
        TRY(-ENOENT, __NR_openat, ARGS(AT_FDCWD, (uint64_t) "/no/such", 0));
        TRY(-ECHILD, __NR_wait4, ARGS(-1, 0, 0, 0));
        TRY(-EINVAL, __NR_munmap, ARGS(1, 4096));
        TRY(-ESRCH, __NR_kill, ARGS(0x3fffff, 0));
#undef TRY
    }
}

CASE(regs, x7_poison_fork_and_exit)
{
    for (int64_t x7 = -12; x7 <= 1; x7++) {
        struct regfile in, out;
        regs_fill(&in, x7);
        memset(in.x, 0, 6 * sizeof in.x[0]);
        in.x[0] = SIGCHLD;
        in.x[7] = x7;
        in.x[8] = __NR_clone;
        regs_svc(&in, &out);
        if (out.x[0] == 0) {
            regs_compare(&in, &out, 0, "in the fork's child");
            regs_fill(&in, x7);
            in.x[0] = 23;
            in.x[7] = x7;
            in.x[8] = __NR_exit_group;
            regs_svc(&in, &out);
            abort();
        }
        regs_compare(&in, &out, 0, "in the fork's parent");
        CHECK((int64_t)out.x[0] > 0);
        CHECK_EQ(child_status(out.x[0]), 23 << 8);
    }
}

CASE(regs, blocking_call_keeps_all)
{
    int fds[2];
    OK(pipe(fds));
    for (int i = 0; i < 5; i++) {
        pid_t pid = xfork();
        if (pid == 0) {
            sleep_ms(5);
            OK(write(fds[1], "x", 1));
            _exit(0);
        }
        char c = 0;
        CHECK_EQ(call(i, "blocking read", -4, __NR_read, ARGS(fds[0], (uint64_t)&c, 1)), 1);
        CHECK_EQ(c, 'x');
        CHECK_EQ(call(i, "wait4", -6, __NR_wait4, ARGS(pid, 0, 0, 0)), pid);
    }
}

CASE(regs, page_faults_keep_all)
{
    const int pages = 64;
    char *p = MAP_OK(mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    struct regfile in, out;
    for (int i = 0; i < pages; i++) {
        regs_fill(&in, i);
        in.x[0] = (uint64_t)(p + i * PAGE + 8);
        (i % 2 ? regs_load : regs_store)(&in, &out);
        regs_compare(&in, &out, 0, i % 2 ? "load from a new page" : "store to a new page");
        uint64_t got = *(uint64_t *)(p + i * PAGE + 8);
        CHECK_EQ(got, i % 2 ? 0 : in.x[1]);
        if (i % 2)
            CHECK_EQ(out.x[0], 0);
    }
    /* copy-on-write in parent and child */
    pid_t pid = xfork();
    for (int i = 0; i < pages; i++) {
        regs_fill(&in, i + 1000);
        in.x[0] = (uint64_t)(p + i * PAGE + 16);
        regs_store(&in, &out);
        regs_compare(&in, &out, 0, "store to a shared page");
    }
    if (pid == 0)
        _exit(0);
    child_ok(pid);
}

/* Long enough, on any machine, for several turns of the scheduler. */
static void spin_for(uint64_t seed, int ms, const char *what)
{
    struct regfile in, out;
    int64_t end = now_ms() + ms;
    for (int i = 0; now_ms() < end; i++) {
        regs_fill(&in, seed * 1000 + i);
        in.x[0] = 2000000;
        regs_spin(&in, &out);
        regs_compare(&in, &out, 0, what);
    }
}

CASE_T(regs, preempted_processes_keep_all, 30)
{
    pid_t pids[4];
    for (int i = 0; i < 4; i++) {
        pids[i] = xfork();
        if (pids[i] == 0) {
            spin_for(i + 1, 250, "preempted by other processes");
            _exit(0);
        }
    }
    for (int i = 0; i < 4; i++)
        child_ok(pids[i]);
}

static void *spin_thread(void *arg)
{
    spin_for((uint64_t)arg, 250, "preempted by other threads");
    return NULL;
}

CASE_T(regs, preempted_threads_keep_all, 30)
{
    pthread_t t[4];
    for (long i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&t[i], NULL, spin_thread, (void *)(i + 1)), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_join(t[i], NULL), 0);
}

static volatile sig_atomic_t signals_seen;

static void clobber(int sig)
{
    (void)sig;
    signals_seen++;
    /* everything that a handler may change */
    asm volatile("movi v0.16b, #0x55; movi v8.16b, #0x55; movi v15.16b, #0x66; movi v31.16b, #0x77; msr fpsr, xzr;"
                 "mov x9, #9; mov x15, #15; mov x16, #16; mov x17, #17; cmp x9, x9"
                 ::: "v0", "v8", "v15", "v31", "x9", "x15", "x16", "x17", "cc");
}

CASE_T(regs, asynchronous_signals_keep_all, 30)
{
    on_signal(SIGUSR1, clobber, SA_RESTART);
    int *done = shared_page();
    pid_t parent = getpid();
    pid_t pid = xfork();
    if (pid == 0) {
        for (int i = 0; i < 60; i++) {
            kill(parent, SIGUSR1);
            sleep_ms(2);
        }
        *done = 1;
        _exit(0);
    }
    struct regfile in, out;
    for (int i = 0; !*done; i++) {
        regs_fill(&in, i);
        in.x[0] = 500000;
        regs_spin(&in, &out);
        regs_compare(&in, &out, 0, "interrupted by a signal handler");
    }
    child_ok(pid);
    CHECK(signals_seen > 20);
}

CASE(regs, signal_from_a_call_keeps_all)
{
    on_signal(SIGUSR1, clobber, 0);
    pid_t pid = getpid();
    for (int i = 0; i < 20; i++)
        CHECK_EQ(call(i, "kill", -7, __NR_kill, ARGS(pid, SIGUSR1)), 0);
    CHECK_EQ(signals_seen, 20);
}

static void step_over(int sig, siginfo_t *info, void *context)
{
    clobber(sig);
    ucontext_t *uc = context;
    if ((uint64_t)info->si_addr != uc->uc_mcontext.pc)
        signals_seen += 1000;
    uc->uc_mcontext.pc += 4;
}

CASE(regs, fault_handler_keeps_all)
{
    struct sigaction sa = {.sa_sigaction = step_over, .sa_flags = SA_SIGINFO};
    OK(sigaction(SIGILL, &sa, NULL));
    for (int i = 0; i < 20; i++) {
        struct regfile in, out;
        regs_fill(&in, i);
        regs_udf(&in, &out);
        CHECK_EQ(out.x[0], in.x[0]);
        regs_compare(&in, &out, 0, "stepped over udf in a handler");
    }
    CHECK_EQ(signals_seen, 20);
}

CASE_T(regs, signals_in_all_threads_and_processes, 30)
{
    on_signal(SIGALRM, clobber, SA_RESTART);
    pid_t pids[3];
    for (int i = 0; i < 3; i++) {
        pids[i] = xfork();
        if (pids[i] == 0) {
            struct itimerval it = {{0, 3000}, {0, 3000}};
            OK(setitimer(ITIMER_REAL, &it, NULL));
            spin_for(i + 77, 250, "alarmed and preempted");
            CHECK(signals_seen > 0);
            _exit(0);
        }
    }
    for (int i = 0; i < 3; i++)
        child_ok(pids[i]);
}

static void *tls_thread(void *arg)
{
    static __thread uint64_t mine[64];
    uint64_t seed = (uint64_t)arg;
    for (int i = 0; i < 64; i++)
        mine[i] = seed * 64 + i;
    int64_t end = now_ms() + 150;
    for (int round = 0; now_ms() < end; round++) {
        for (int i = 0; i < 64; i++)
            if (mine[i] != seed * 64 + i)
                return (void *)1;
        for (volatile int k = 0; k < 3000; k++)
            ;
        if (round % 40 == 0)
            sched_yield();
    }
    return NULL;
}

CASE_T(regs, tls_of_threads_and_processes, 30)
{
    pid_t pids[3];
    for (int i = 0; i < 3; i++) {
        pids[i] = xfork();
        if (pids[i] == 0) {
            pthread_t t[4];
            for (long k = 0; k < 4; k++)
                CHECK_EQ(pthread_create(&t[k], NULL, tls_thread, (void *)(i * 16 + k)), 0);
            for (int k = 0; k < 4; k++) {
                void *bad;
                CHECK_EQ(pthread_join(t[k], &bad), 0);
                CHECK(bad == NULL);
            }
            _exit(0);
        }
    }
    for (int i = 0; i < 3; i++)
        child_ok(pids[i]);
}

CASE(regs, tpidr_can_be_set_by_the_program)
{
    uint64_t old = (uint64_t)__builtin_thread_pointer(), got;
    uint64_t want = 0x123456789abcdef0;
    asm volatile("msr tpidr_el0, %1; mov x8, #124; svc #0; mov x8, #172; svc #0; mrs %0, tpidr_el0; msr tpidr_el0, %2"
                 : "=&r"(got)
                 : "r"(want), "r"(old)
                 : "x0", "x8", "memory");
    CHECK_EQ(got, want);
}

CASE(regs, fp_arithmetic_while_preempted)
{
    pid_t pids[3];
    for (int i = 0; i < 3; i++) {
        pids[i] = xfork();
        if (pids[i] == 0) {
            double first = 0;
            int64_t end = now_ms() + 200;
            for (int round = 0; now_ms() < end; round++) {
                double sum = i;
                for (int k = 1; k < 30000; k++)
                    sum += 1.0 / k / (i + 1);
                if (round == 0)
                    first = sum;
                CHECK(sum == first);
            }
            _exit(0);
        }
    }
    for (int i = 0; i < 3; i++)
        child_ok(pids[i]);
}

CASE(regs, fp_state_is_inherited_by_fork)
{
    struct regfile in, out;
    regs_fill(&in, 4711);
    memset(in.x, 0, 6 * sizeof in.x[0]);
    in.x[0] = SIGCHLD;
    in.x[8] = __NR_clone;
    regs_svc(&in, &out);
    regs_compare(&in, &out, 0, out.x[0] == 0 ? "child" : "parent");
    if (out.x[0] == 0)
        _exit(0);
    child_ok(out.x[0]);
}

CASE(regs, cntvct_and_ids_can_be_read)
{
    uint64_t a, b, f, ctr, dczid;
    asm volatile("mrs %0, cntvct_el0; mrs %1, cntfrq_el0; mrs %2, ctr_el0; mrs %3, dczid_el0; isb; mrs %4, cntvct_el0"
                 : "=r"(a), "=r"(f), "=r"(ctr), "=r"(dczid), "=r"(b));
    CHECK(b >= a && f > 1000000 && ctr != 0);
    char *p = MAP_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    memset(p, 1, PAGE);
    if (!(dczid & 16)) {
        asm volatile("dc zva, %0" ::"r"(p) : "memory");
        CHECK_EQ(p[0], 0);
    }
    asm volatile("dc cvau, %0; dc cvac, %0; dsb ish; ic ivau, %0; dsb ish; isb" ::"r"(p) : "memory");
}
