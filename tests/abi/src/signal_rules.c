/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Rules of signals: limits, inheritance, children, which calls are restarted.
 */
#include "abi.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <ucontext.h>

static volatile int handled;

static void count(int sig)
{
    (void)sig;
    handled++;
}

/* Sends this process the signal after so many milliseconds. */
static pid_t signal_later(int sig, long ms)
{
    pid_t parent = getpid(), pid = xfork();
    if (pid == 0) {
        sleep_ms(ms);
        kill(parent, sig);
        _exit(0);
    }
    return pid;
}

CASE(rules, pending_signals_are_limited)
{
    OK(setresuid(4321, 4321, 4321));
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigaddset(&set, SIGUSR1);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    struct rlimit r = {3, 3};
    OK(setrlimit(RLIMIT_SIGPENDING, &r));
    union sigval v = {.sival_int = 1};
    for (int i = 0; i < 3; i++)
        OK(sigqueue(getpid(), SIGRTMIN, v));
    ERR(sigqueue(getpid(), SIGRTMIN, v), EAGAIN);
    /* kill of an ordinary signal always arrives */
    OK(kill(getpid(), SIGUSR1));
    sigset_t pending;
    sigpending(&pending);
    CHECK(sigismember(&pending, SIGUSR1));
    siginfo_t info;
    CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
    OK(sigqueue(getpid(), SIGRTMIN, v));
}

CASE(rules, sigqueue_needs_permission)
{
    pid_t pid = xfork();
    if (pid == 0)
        for (;;)
            pause();
    union sigval v = {.sival_int = 1};
    CHILD(OK(setresuid(1000, 1000, 1000)); ERR(sigqueue(pid, SIGUSR1, v), EPERM); ERR(sigqueue(pid, 0, v), EPERM);
          ERR(kill(-1, 65), EINVAL));
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_code = SI_USER;
    ERR(syscall(SYS_rt_sigqueueinfo, pid, SIGUSR1, &info), EPERM);
    info.si_code = SI_TKILL;
    ERR(syscall(SYS_rt_sigqueueinfo, pid, SIGUSR1, &info), EPERM);
    info.si_code = SI_QUEUE;
    OK(syscall(SYS_rt_sigqueueinfo, pid, 0, &info));
    ERR(syscall(SYS_rt_sigqueueinfo, 0x3ffff0, SIGUSR1, &info), ESRCH);
    OK(sigqueue(pid, SIGKILL, v));
    child_killed(pid, SIGKILL);
}

CASE(rules, children_without_zombies)
{
    for (int way = 0; way < 2; way++) {
        struct sigaction a = {.sa_handler = way ? count : SIG_IGN, .sa_flags = way ? SA_NOCLDWAIT : 0};
        OK(sigaction(SIGCHLD, &a, NULL));
        pid_t pid = xfork();
        if (pid == 0)
            _exit(3);
        ERR(waitpid(pid, NULL, 0), ECHILD);
        ERR(kill(pid, 0), ESRCH);
    }
    CHECK_EQ(handled, 1);
}

CASE(rules, stopping_children_tell)
{
    for (int quiet = 0; quiet < 2; quiet++) {
        handled = 0;
        struct sigaction a = {.sa_handler = count, .sa_flags = quiet ? SA_NOCLDSTOP : 0};
        OK(sigaction(SIGCHLD, &a, NULL));
        pid_t pid = xfork();
        if (pid == 0)
            for (;;)
                pause();
        OK(kill(pid, SIGSTOP));
        int status;
        while (waitpid(pid, &status, WUNTRACED) == -1 && errno == EINTR)
            ;
        CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
        OK(kill(pid, SIGCONT));
        while (waitpid(pid, &status, WCONTINUED) == -1 && errno == EINTR)
            ;
        CHECK(WIFCONTINUED(status));
        /* the child tells itself that it goes on, perhaps after wait did */
        for (int i = 0; i < 1000 && !quiet && handled < 2; i++)
            sleep_ms(1);
        CHECK_EQ(handled, quiet ? 0 : 2);
        OK(kill(pid, SIGKILL));
        while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
            ;
        CHECK_EQ(handled, quiet ? 1 : 3);
    }
}

CASE(rules, pending_stays_over_exec_not_fork)
{
    sigset_t set, pending;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    OK(kill(getpid(), SIGUSR1));
    CHILD(OK(sigpending(&pending)); CHECK(!sigismember(&pending, SIGUSR1)));
    pid_t pid = xfork();
    if (pid == 0) {
        OK(kill(getpid(), SIGUSR1));
        signal(SIGUSR2, SIG_IGN);
        execl("/bin/sh", "sh", "-c",
              "while read k v; do case $k in SigPnd:|ShdPnd:) p=$p$v;; SigBlk:) b=$v;; SigIgn:) i=$v;; esac; done "
              "</proc/$$/status; case $p$b$i in *0000000000000200*0000000000000200*) ;; *) exit 1;; esac; "
              "case $i in *[89a-f]?\?) exit 0;; esac; exit 2",
              (char *)NULL);
        _exit(99);
    }
    child_ok(pid);
}

CASE(rules, core_flag_of_the_status)
{
    struct rlimit r = {0, 0};
    OK(setrlimit(RLIMIT_CORE, &r));
    pid_t pid = xfork();
    if (pid == 0)
        abort();
    int status = child_status(pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && !WCOREDUMP(status));
}

/* Calls that are never restarted (signal(7)): EINTR although SA_RESTART. */
CASE(rules, never_restarted)
{
    on_signal(SIGUSR1, count, SA_RESTART);
    int p[2];
    OK(pipe(p));
    pid_t pid = signal_later(SIGUSR1, 30);
    struct pollfd f = {p[0], POLLIN, 0};
    ERR(poll(&f, 1, 2000), EINTR);
    child_ok(pid);
    pid = signal_later(SIGUSR1, 30);
    fd_set set;
    FD_ZERO(&set);
    FD_SET(p[0], &set);
    ERR(select(p[0] + 1, &set, NULL, NULL, NULL), EINTR);
    child_ok(pid);
    pid = signal_later(SIGUSR1, 30);
    struct timespec t = {2, 0}, rest = {0, 0};
    ERR(nanosleep(&t, &rest), EINTR);
    CHECK(rest.tv_sec == 1);
    child_ok(pid);
    pid = signal_later(SIGUSR1, 30);
    CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL), EINTR);
    child_ok(pid);
    pid = signal_later(SIGUSR1, 30);
    ERR(pause(), EINTR);
    child_ok(pid);
    int ep = OK(epoll_create1(0));
    struct epoll_event e;
    pid = signal_later(SIGUSR1, 30);
    ERR(epoll_wait(ep, &e, 1, 2000), EINTR);
    child_ok(pid);
    sigset_t other;
    sigemptyset(&other);
    sigaddset(&other, SIGUSR2);
    sigprocmask(SIG_BLOCK, &other, NULL);
    pid = signal_later(SIGUSR1, 30);
    ERR(sigtimedwait(&other, NULL, &t), EINTR);
    child_ok(pid);
}

CASE(rules, restarted)
{
    on_signal(SIGUSR1, count, SA_RESTART);
    int p[2];
    OK(pipe(p));
    pid_t parent = getpid(), pid = xfork();
    if (pid == 0) {
        sleep_ms(30);
        kill(parent, SIGUSR1);
        sleep_ms(30);
        CHECK_EQ(write(p[1], "x", 1), 1);
        sleep_ms(30);
        kill(parent, SIGUSR1);
        sleep_ms(30);
        _exit(0);
    }
    char c;
    CHECK_EQ(read(p[0], &c, 1), 1);
    CHECK_EQ(handled, 1);
    int status;
    CHECK_EQ(OK(waitpid(pid, &status, 0)), pid);
    CHECK_EQ(handled, 2);
}

static stack_t seen;
static volatile int on_it;

static void look(int sig)
{
    (void)sig;
    sigaltstack(NULL, &seen);
    char here;
    on_it = (uintptr_t)&here;
}

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1 << 31)
#endif

CASE(rules, alternate_stack_disarms)
{
    static char stack[65536];
    stack_t s = {.ss_sp = stack, .ss_size = sizeof stack, .ss_flags = (int)SS_AUTODISARM};
    OK(sigaltstack(&s, NULL));
    on_signal(SIGUSR1, look, SA_ONSTACK);
    OK(raise(SIGUSR1));
    CHECK_EQ(seen.ss_flags, SS_DISABLE);
    stack_t now;
    OK(sigaltstack(NULL, &now));
    CHECK_EQ(now.ss_flags, (int)SS_AUTODISARM);
    CHECK(now.ss_sp == stack);
    s.ss_flags = 0;
    OK(sigaltstack(&s, NULL));
    OK(raise(SIGUSR1));
    CHECK_EQ(seen.ss_flags, SS_ONSTACK);
    s.ss_size = 100;
    ERR(sigaltstack(&s, NULL), ENOMEM);
    s.ss_flags = 99;
    s.ss_size = sizeof stack;
    ERR(sigaltstack(&s, NULL), EINVAL);
}

static volatile uint64_t esr, fault_address;
static volatile int fault_code;

struct block {
    uint32_t magic, size;
};

static void on_fault(int sig, siginfo_t *info, void *ctx)
{
    (void)sig;
    ucontext_t *u = ctx;
    fault_code = info->si_code;
    fault_address = u->uc_mcontext.fault_address;
    bool vector = false;
    struct block *b = (void *)u->uc_mcontext.__reserved;
    while (b->magic) {
        if (b->magic == 0x45535201)
            esr = *(uint64_t *)(b + 1);
        vector = vector || b->magic == 0x46508001;
        b = (void *)((char *)b + b->size);
    }
    if (!vector)
        _exit(98);
    u->uc_mcontext.pc += 4;
}

CASE(rules, fault_records)
{
    struct sigaction a = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    OK(sigaction(SIGSEGV, &a, NULL));
    char *p = MAP_OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    CHECK_EQ(((volatile char *)p)[1], 0);
    __asm__ volatile("strb wzr, [%0]" ::"r"(p + 5) : "memory");
    CHECK_EQ(fault_code, SEGV_ACCERR);
    CHECK_EQ(fault_address, (uintptr_t)p + 5);
    CHECK_EQ(esr >> 26, 0x24);
    CHECK(esr & 1 << 6); /* a write */
    OK(munmap(p, PAGE));
    __asm__ volatile("ldrb w9, [%0]" ::"r"(p + 7) : "memory", "x9");
    CHECK_EQ(fault_code, SEGV_MAPERR);
    CHECK_EQ(fault_address, (uintptr_t)p + 7);
    CHECK(!(esr & 1 << 6));
}

CASE(rules, everybody)
{
    /* kill(-1) spares the caller and init */
    on_signal(SIGUSR1, count, 0);
    pid_t pid = xfork();
    if (pid == 0) {
        OK(setresuid(7777, 7777, 7777));
        pid_t other = xfork();
        if (other == 0)
            for (;;)
                pause();
        while (proc_state(other) != 'S')
            sleep_ms(1);
        OK(kill(-1, SIGTERM));
        int status;
        CHECK_EQ(OK(waitpid(other, &status, 0)), other);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
        OK(kill(-1, SIGTERM)); /* that nobody may be told is no error */
        _exit(0);
    }
    child_ok(pid);
}
