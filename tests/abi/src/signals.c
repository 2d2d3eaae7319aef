/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Signals: actions, masks, delivery, the frame, interruption of calls, stopping.
 */
#include "abi.h"
#include <poll.h>
#include <setjmp.h>
#include <sys/signalfd.h>
#include <sys/uio.h>
#include <ucontext.h>

static volatile sig_atomic_t count;
static volatile int last;
static siginfo_t info;

static void counter(int sig)
{
    count++;
    last = sig;
}

static void with_info(int sig, siginfo_t *i, void *context)
{
    (void)context;
    count++;
    last = sig;
    info = *i;
}

static void catch(int sig, int flags)
{
    struct sigaction sa = {.sa_sigaction = with_info, .sa_flags = SA_SIGINFO | flags};
    OK(sigaction(sig, &sa, NULL));
}

static sigset_t set_of(int sig)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, sig);
    return set;
}

static void block(int sig)
{
    sigset_t set = set_of(sig);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
}

static void unblock(int sig)
{
    sigset_t set = set_of(sig);
    OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
}

/* A child that sends the signal to this process after some milliseconds. */
static pid_t send_later(int sig, int ms)
{
    pid_t parent = getpid();
    pid_t pid = xfork();
    if (pid == 0) {
        sleep_ms(ms);
        kill(parent, sig);
        _exit(0);
    }
    return pid;
}

CASE(signal, handler_runs)
{
    on_signal(SIGUSR1, counter, 0);
    OK(kill(getpid(), SIGUSR1));
    CHECK_EQ(count, 1);
    CHECK_EQ(last, SIGUSR1);
    OK(raise(SIGUSR1));
    CHECK_EQ(count, 2);
    for (int i = 0; i < 100; i++)
        OK(kill(getpid(), SIGUSR1));
    CHECK_EQ(count, 102);
}

CASE(signal, sigaction_tells_the_old)
{
    struct sigaction sa = {.sa_handler = counter, .sa_flags = SA_RESTART | SA_NODEFER}, old;
    sigaddset(&sa.sa_mask, SIGHUP);
    OK(sigaction(SIGUSR1, &sa, &old));
    CHECK(old.sa_handler == SIG_DFL);
    OK(sigaction(SIGUSR1, NULL, &old));
    CHECK(old.sa_handler == counter);
    CHECK_EQ(old.sa_flags & (SA_RESTART | SA_NODEFER), SA_RESTART | SA_NODEFER);
    CHECK(sigismember(&old.sa_mask, SIGHUP) && !sigismember(&old.sa_mask, SIGINT));
    ERR(sigaction(SIGKILL, &sa, NULL), EINVAL);
    ERR(sigaction(SIGSTOP, &sa, NULL), EINVAL);
    ERR(sigaction(65, &sa, NULL), EINVAL);
    ERR(sigaction(0, &sa, NULL), EINVAL);
    ERR(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4), EINVAL);
}

CASE(signal, siginfo_of_kill)
{
    catch(SIGUSR1, 0);
    OK(kill(getpid(), SIGUSR1));
    CHECK_EQ(info.si_signo, SIGUSR1);
    CHECK_EQ(info.si_code, SI_USER);
    CHECK_EQ(info.si_pid, getpid());
    CHECK_EQ(info.si_uid, getuid());
    OK(syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1));
    CHECK_EQ(info.si_code, SI_TKILL);
    union sigval value = {.sival_ptr = (void *)0x123456789a};
    catch(SIGRTMIN, 0);
    OK(sigqueue(getpid(), SIGRTMIN, value));
    CHECK_EQ(info.si_code, SI_QUEUE);
    CHECK(info.si_value.sival_ptr == value.sival_ptr);
    CHECK_EQ(info.si_pid, getpid());
}

CASE(signal, siginfo_of_sigchld)
{
    catch(SIGCHLD, 0);
    pid_t pid = xfork();
    if (pid == 0)
        _exit(5);
    child_status(pid);
    CHECK_EQ(count, 1);
    CHECK_EQ(info.si_signo, SIGCHLD);
    CHECK_EQ(info.si_code, CLD_EXITED);
    CHECK_EQ(info.si_pid, pid);
    CHECK_EQ(info.si_status, 5);
    pid = xfork();
    if (pid == 0) {
        sleep_ms(10);
        abort();
    }
    child_status(pid);
    CHECK(info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED);
    CHECK_EQ(info.si_status, SIGABRT);
    pid = xfork();
    if (pid == 0) {
        raise(SIGSTOP);
        _exit(0);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    CHECK_EQ(info.si_code, CLD_STOPPED);
    CHECK_EQ(info.si_status, SIGSTOP);
    OK(kill(pid, SIGCONT));
    child_status(pid);
}

CASE(signal, sigchld_nocldstop)
{
    catch(SIGCHLD, SA_NOCLDSTOP);
    pid_t pid = xfork();
    if (pid == 0) {
        raise(SIGSTOP);
        _exit(0);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    CHECK_EQ(count, 0);
    OK(kill(pid, SIGCONT));
    child_status(pid);
    CHECK_EQ(count, 1);
}

CASE(signal, masks)
{
    on_signal(SIGUSR1, counter, 0);
    on_signal(SIGUSR2, counter, 0);
    block(SIGUSR1);
    OK(kill(getpid(), SIGUSR1));
    OK(kill(getpid(), SIGUSR1));
    OK(kill(getpid(), SIGUSR2));
    CHECK_EQ(count, 1);
    CHECK_EQ(last, SIGUSR2);
    sigset_t pending, old;
    OK(sigpending(&pending));
    CHECK(sigismember(&pending, SIGUSR1) && !sigismember(&pending, SIGUSR2));
    OK(sigprocmask(SIG_BLOCK, NULL, &old));
    CHECK(sigismember(&old, SIGUSR1));
    unblock(SIGUSR1);
    CHECK_EQ(count, 2); /* standard signals do not queue */
    CHECK_EQ(last, SIGUSR1);
    OK(sigpending(&pending));
    CHECK(!sigismember(&pending, SIGUSR1));
    sigset_t all;
    sigfillset(&all);
    OK(sigprocmask(SIG_SETMASK, &all, NULL));
    OK(sigprocmask(SIG_SETMASK, NULL, &old));
    CHECK(!sigismember(&old, SIGKILL) && !sigismember(&old, SIGSTOP));
    ERR(syscall(SYS_rt_sigprocmask, 77, &all, NULL, 8), EINVAL);
    ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, NULL, 16), EINVAL);
}

CASE(signal, pending_is_not_inherited)
{
    block(SIGUSR1);
    OK(kill(getpid(), SIGUSR1));
    CHILD({
        sigset_t pending;
        sigset_t mask;
        OK(sigpending(&pending));
        CHECK(!sigismember(&pending, SIGUSR1));
        OK(sigprocmask(SIG_BLOCK, NULL, &mask));
        CHECK(sigismember(&mask, SIGUSR1));
    });
}

CASE(signal, ignored_is_dropped_even_when_blocked)
{
    on_signal(SIGUSR1, counter, 0);
    block(SIGUSR1);
    OK(kill(getpid(), SIGUSR1));
    on_signal(SIGUSR1, SIG_IGN, 0);
    on_signal(SIGUSR1, counter, 0);
    unblock(SIGUSR1);
    CHECK_EQ(count, 0);
}

CASE(signal, realtime_signals_queue_in_order)
{
    static int values[20];
    static int n;
    block(SIGRTMIN);
    block(SIGRTMIN + 1);
    catch(SIGRTMIN, 0);
    for (int i = 0; i < 10; i++) {
        union sigval v = {.sival_int = i};
        OK(sigqueue(getpid(), SIGRTMIN, v));
        v.sival_int = 100 + i;
        OK(sigqueue(getpid(), SIGRTMIN + 1, v));
    }
    sigset_t both = set_of(SIGRTMIN);
    sigaddset(&both, SIGRTMIN + 1);
    siginfo_t got;
    struct timespec none = {0, 0};
    while (sigtimedwait(&both, &got, &none) > 0)
        values[n++] = got.si_value.sival_int;
    CHECK_EQ(n, 20);
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(values[i], i);
        CHECK_EQ(values[10 + i], 100 + i);
    }
}

static volatile int depth, deepest, runs;

static void nesting(int sig)
{
    depth++;
    runs++;
    if (depth > deepest)
        deepest = depth;
    if (runs < 10)
        raise(sig == SIGUSR1 ? SIGUSR2 : SIGUSR1);
    depth--;
}

CASE(signal, nested_and_deferred)
{
    on_signal(SIGUSR1, nesting, SA_NODEFER);
    on_signal(SIGUSR2, nesting, SA_NODEFER);
    raise(SIGUSR1);
    CHECK_EQ(deepest, 10);
    CHECK_EQ(depth, 0);
    deepest = runs = 0;
    on_signal(SIGUSR1, nesting, 0);
    on_signal(SIGUSR2, nesting, 0);
    raise(SIGUSR1); /* each defers itself while it runs */
    CHECK_EQ(deepest, 2);
    CHECK_EQ(runs, 10);
    CHECK_EQ(depth, 0);
}

static sigset_t mask_in_handler;

static void note_mask(int sig)
{
    (void)sig;
    sigprocmask(SIG_BLOCK, NULL, &mask_in_handler);
}

CASE(signal, mask_of_the_action)
{
    struct sigaction sa = {.sa_handler = note_mask};
    sigaddset(&sa.sa_mask, SIGHUP);
    OK(sigaction(SIGUSR1, &sa, NULL));
    block(SIGINT);
    raise(SIGUSR1);
    CHECK(sigismember(&mask_in_handler, SIGHUP));
    CHECK(sigismember(&mask_in_handler, SIGUSR1));
    CHECK(sigismember(&mask_in_handler, SIGINT));
    sigset_t now;
    OK(sigprocmask(SIG_BLOCK, NULL, &now));
    CHECK(!sigismember(&now, SIGHUP) && !sigismember(&now, SIGUSR1) && sigismember(&now, SIGINT));
}

CASE(signal, resethand)
{
    on_signal(SIGUSR1, counter, SA_RESETHAND);
    raise(SIGUSR1);
    CHECK_EQ(count, 1);
    struct sigaction now;
    OK(sigaction(SIGUSR1, NULL, &now));
    CHECK(now.sa_handler == SIG_DFL);
}

static volatile char *stack_low, *stack_high;
static volatile int on_it;
static stack_t during;

static void on_alternate(int sig)
{
    (void)sig;
    char here;
    on_it = &here > stack_low && &here < stack_high;
    sigaltstack(NULL, &during);
}

CASE(signal, alternate_stack)
{
    stack_t alt = {.ss_sp = malloc(65536), .ss_size = 65536}, old;
    stack_low = alt.ss_sp;
    stack_high = stack_low + 65536;
    OK(sigaltstack(&alt, NULL));
    OK(sigaltstack(NULL, &old));
    CHECK(old.ss_sp == alt.ss_sp && old.ss_size == 65536 && old.ss_flags == 0);
    on_signal(SIGUSR1, on_alternate, SA_ONSTACK);
    raise(SIGUSR1);
    CHECK_EQ(on_it, 1);
    CHECK_EQ(during.ss_flags, SS_ONSTACK);
    on_signal(SIGUSR1, on_alternate, 0);
    raise(SIGUSR1);
    CHECK_EQ(on_it, 0);
    alt.ss_flags = SS_DISABLE;
    OK(sigaltstack(&alt, NULL));
    alt.ss_flags = 0, alt.ss_size = 100;
    ERR(sigaltstack(&alt, NULL), ENOMEM);
    alt.ss_flags = 0x777, alt.ss_size = 65536;
    ERR(sigaltstack(&alt, NULL), EINVAL);
}

static volatile uint64_t changed_to;

static void change_context(int sig, siginfo_t *i, void *context)
{
    (void)sig;
    (void)i;
    ucontext_t *uc = context;
    changed_to = uc->uc_mcontext.regs[20];
    uc->uc_mcontext.regs[20] = 4321;
    sigaddset(&uc->uc_sigmask, SIGHUP);
}

CASE(signal, context_can_be_changed)
{
    struct sigaction sa = {.sa_sigaction = change_context, .sa_flags = SA_SIGINFO};
    OK(sigaction(SIGUSR1, &sa, NULL));
    register uint64_t x20 asm("x20") = 1234;
    register long x0 asm("x0") = getpid();
    register long x1 asm("x1") = SIGUSR1;
    register long x8 asm("x8") = SYS_kill;
    asm volatile("svc #0" : "+r"(x0), "+r"(x20) : "r"(x1), "r"(x8) : "memory");
    uint64_t after = x20;
    CHECK_EQ(x0, 0);
    CHECK_EQ(changed_to, 1234);
    CHECK_EQ(after, 4321);
    sigset_t now;
    OK(sigprocmask(SIG_BLOCK, NULL, &now));
    CHECK(sigismember(&now, SIGHUP));
}

static void check_frame(int sig, siginfo_t *i, void *context)
{
    (void)sig;
    ucontext_t *uc = context;
    count = 1;
    if (i->si_signo != SIGUSR1)
        count = 2;
    if (((uint64_t)uc & 15) != 0)
        count = 3;
    /* the floating-point record comes first and is whole; a null record ends the list */
    uint32_t *record = (uint32_t *)uc->uc_mcontext.__reserved;
    if (record[0] != 0x46508001 || record[1] != 528)
        count = 4;
    for (uint32_t *r = record; r[0] != 0; r = (uint32_t *)((char *)r + r[1]))
        if (r[1] < 8 || (char *)r - (char *)record > 3000) {
            count = 5;
            break;
        }
    if (uc->uc_mcontext.sp <= (uint64_t)uc)
        count = 6;
}

CASE(signal, frame_layout)
{
    struct sigaction sa = {.sa_sigaction = check_frame, .sa_flags = SA_SIGINFO};
    OK(sigaction(SIGUSR1, &sa, NULL));
    raise(SIGUSR1);
    CHECK_EQ(count, 1);
}

static sigjmp_buf out;

static void jump(int sig)
{
    siglongjmp(out, sig);
}

CASE(signal, longjmp_out_of_a_handler)
{
    on_signal(SIGUSR1, jump, 0);
    for (volatile int rounds = 0; rounds < 20; rounds++)
        if (sigsetjmp(out, 1) == 0) {
            raise(SIGUSR1);
            FAIL("came back from the handler");
        }
}

CASE(signal, eintr_of_pipe_read)
{
    int fds[2];
    char c;
    OK(pipe(fds));
    on_signal(SIGUSR1, counter, 0);
    pid_t pid = send_later(SIGUSR1, 20);
    ERR(read(fds[0], &c, 1), EINTR);
    CHECK_EQ(count, 1);
    child_ok(pid);
}

CASE(signal, restart_of_pipe_read)
{
    int fds[2];
    char c = 0;
    OK(pipe(fds));
    on_signal(SIGUSR1, counter, SA_RESTART);
    pid_t parent = getpid();
    pid_t pid = xfork();
    if (pid == 0) {
        for (int i = 0; i < 3; i++) {
            sleep_ms(10);
            kill(parent, SIGUSR1);
        }
        sleep_ms(10);
        OK(write(fds[1], "r", 1));
        _exit(0);
    }
    CHECK_EQ(read(fds[0], &c, 1), 1);
    CHECK_EQ(c, 'r');
    CHECK_EQ(count, 3);
    child_ok(pid);
}

CASE(signal, ignored_signal_does_not_interrupt)
{
    int fds[2];
    char c = 0;
    OK(pipe(fds));
    on_signal(SIGUSR1, SIG_IGN, 0);
    pid_t parent = getpid();
    pid_t pid = xfork();
    if (pid == 0) {
        sleep_ms(10);
        kill(parent, SIGUSR1);
        kill(parent, SIGWINCH);
        sleep_ms(10);
        OK(write(fds[1], "r", 1));
        _exit(0);
    }
    CHECK_EQ(read(fds[0], &c, 1), 1);
    child_ok(pid);
}

CASE(signal, eintr_of_pipe_write)
{
    int fds[2];
    static char big[200000];
    OK(pipe(fds));
    on_signal(SIGUSR1, counter, 0);
    pid_t pid = send_later(SIGUSR1, 20);
    CHECK_EQ(write(fds[1], big, sizeof big), 65536);
    child_ok(pid);
    pid = send_later(SIGUSR1, 20);
    ERR(write(fds[1], big, sizeof big), EINTR);
    child_ok(pid);
}

CASE(signal, eintr_of_waitpid)
{
    on_signal(SIGUSR1, counter, 0);
    pid_t sleeper = xfork();
    if (sleeper == 0)
        for (;;)
            sleep_ms(1000);
    pid_t pid = send_later(SIGUSR1, 20);
    int status;
    ERR(waitpid(sleeper, &status, 0), EINTR);
    OK(kill(sleeper, SIGKILL));
    child_killed(sleeper, SIGKILL);
    child_ok(pid);
}

CASE(signal, eintr_of_nanosleep_tells_the_rest)
{
    on_signal(SIGUSR1, counter, SA_RESTART);
    pid_t pid = send_later(SIGUSR1, 50);
    struct timespec want = {5, 0}, rest = {0, 0};
    ERR(nanosleep(&want, &rest), EINTR);
    CHECK(rest.tv_sec == 4 && rest.tv_nsec > 0);
    child_ok(pid);
}

CASE(signal, nanosleep_goes_on_after_stop_and_continue)
{
    pid_t pid = xfork();
    if (pid == 0) {
        int64_t before = now_ms();
        struct timespec t = {0, 150000000};
        CHECK_EQ(nanosleep(&t, NULL), 0);
        int64_t took = now_ms() - before;
        CHECK(took >= 150 && took < 2000);
        _exit(0);
    }
    sleep_ms(30);
    OK(kill(pid, SIGSTOP));
    sleep_ms(30);
    OK(kill(pid, SIGCONT));
    child_ok(pid);
}

CASE(signal, sigsuspend)
{
    on_signal(SIGUSR1, counter, 0);
    on_signal(SIGUSR2, counter, 0);
    block(SIGUSR1);
    OK(kill(getpid(), SIGUSR1));
    sigset_t none;
    sigemptyset(&none);
    ERR(sigsuspend(&none), EINTR);
    CHECK_EQ(count, 1);
    sigset_t now;
    OK(sigprocmask(SIG_BLOCK, NULL, &now));
    CHECK(sigismember(&now, SIGUSR1));
    pid_t pid = send_later(SIGUSR2, 20);
    ERR(sigsuspend(&none), EINTR);
    CHECK_EQ(last, SIGUSR2);
    child_ok(pid);
    pid = send_later(SIGUSR2, 20);
    ERR(pause(), EINTR);
    CHECK_EQ(count, 3);
    child_ok(pid);
}

CASE(signal, sigtimedwait)
{
    sigset_t set = set_of(SIGUSR1);
    block(SIGUSR1);
    struct timespec t = {0, 20000000};
    ERR(sigtimedwait(&set, &info, &t), EAGAIN);
    OK(kill(getpid(), SIGUSR1));
    CHECK_EQ(sigtimedwait(&set, &info, &t), SIGUSR1);
    CHECK_EQ(info.si_pid, getpid());
    pid_t pid = send_later(SIGUSR1, 20);
    t.tv_sec = 5;
    CHECK_EQ(sigtimedwait(&set, &info, &t), SIGUSR1);
    CHECK_EQ(info.si_pid, pid);
    child_ok(pid);
    int sig;
    OK(kill(getpid(), SIGUSR1));
    CHECK_EQ(sigwait(&set, &sig), 0);
    CHECK_EQ(sig, SIGUSR1);
}

CASE(signal, kill_targets_and_errors)
{
    ERR(kill(0x3ffffff, 0), ESRCH);
    ERR(kill(getpid(), 65), EINVAL);
    ERR(kill(getpid(), -1), EINVAL);
    OK(kill(getpid(), 0));
    ERR(kill(-0x3ffffff, SIGTERM), ESRCH);
    ERR(syscall(SYS_tgkill, getpid(), 0x3ffffff, 0), ESRCH);
    ERR(syscall(SYS_tgkill, -1, 1, 0), EINVAL);
    ERR(syscall(SYS_tkill, 0x3ffffff, 0), ESRCH);
}

CASE(signal, kill_to_a_group)
{
    int *ready = shared_page();
    pid_t leader = 0, pids[3];
    for (int i = 0; i < 3; i++) {
        pids[i] = xfork();
        if (pids[i] == 0) {
            setpgid(0, leader);
            __atomic_fetch_add(ready, 1, __ATOMIC_SEQ_CST);
            for (;;)
                sleep_ms(1000);
        }
        if (i == 0)
            leader = pids[0];
        setpgid(pids[i], leader);
    }
    while (*(volatile int *)ready < 3)
        sleep_ms(1);
    OK(kill(-leader, SIGTERM));
    for (int i = 0; i < 3; i++)
        child_killed(pids[i], SIGTERM);
    ERR(kill(-leader, SIGTERM), ESRCH);
}

CASE(signal, kill_own_group)
{
    pid_t pid = xfork();
    if (pid == 0) {
        setpgid(0, 0);
        on_signal(SIGUSR1, counter, 0);
        pid_t inner = xfork();
        if (inner == 0) {
            while (count == 0)
                sleep_ms(1);
            _exit(3);
        }
        OK(kill(0, SIGUSR1));
        CHECK_EQ(count, 1);
        CHECK_EQ(child_status(inner), 3 << 8);
        _exit(0);
    }
    child_ok(pid);
}

CASE(signal, stop_and_continue)
{
    volatile int *ticks = shared_page();
    pid_t pid = xfork();
    if (pid == 0)
        for (;;) {
            (*ticks)++;
            sleep_ms(1);
        }
    await(ticks);
    OK(kill(pid, SIGSTOP));
    int status;
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    int then = *ticks;
    sleep_ms(30);
    CHECK_EQ(*ticks, then);
    CHECK_EQ(proc_state(pid), 'T');
    /* other signals wait, SIGKILL does not */
    OK(kill(pid, SIGTERM));
    sleep_ms(20);
    CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
    OK(kill(pid, SIGCONT));
    child_killed(pid, SIGTERM);
    pid = xfork();
    if (pid == 0)
        for (;;)
            sleep_ms(1000);
    OK(kill(pid, SIGSTOP));
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    OK(kill(pid, SIGKILL));
    child_killed(pid, SIGKILL);
}

CASE(signal, stop_of_a_busy_process)
{
    volatile long *ticks = shared_page();
    pid_t pid = xfork();
    if (pid == 0)
        for (;;)
            (*ticks)++;
    await((volatile int *)ticks);
    OK(kill(pid, SIGSTOP));
    int status;
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    long then = *ticks;
    sleep_ms(30);
    CHECK_EQ(*ticks, then);
    OK(kill(pid, SIGCONT));
    for (int i = 0; i < 1000 && *ticks == then; i++)
        sleep_ms(1);
    CHECK(*ticks != then);
    OK(kill(pid, SIGKILL));
    child_killed(pid, SIGKILL);
}

CASE(signal, continue_runs_its_handler)
{
    pid_t pid = xfork();
    if (pid == 0) {
        on_signal(SIGCONT, counter, 0);
        raise(SIGSTOP);
        _exit(count);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    OK(kill(pid, SIGCONT));
    CHECK_EQ(child_status(pid), 1 << 8);
}

CASE(signal, alarm_and_timers)
{
    on_signal(SIGALRM, counter, 0);
    CHECK_EQ(alarm(100), 0);
    CHECK_EQ(alarm(0), 100);
    struct itimerval it = {{0, 10000}, {0, 10000}}, old;
    OK(setitimer(ITIMER_REAL, &it, NULL));
    int64_t before = now_ms();
    while (count < 5 && now_ms() - before < 3000)
        pause();
    CHECK(count >= 5);
    CHECK(now_ms() - before >= 40);
    memset(&it, 0, sizeof it);
    OK(setitimer(ITIMER_REAL, &it, &old));
    CHECK_EQ(old.it_interval.tv_usec, 10000);
    OK(getitimer(ITIMER_REAL, &old));
    CHECK(old.it_value.tv_sec == 0 && old.it_value.tv_usec == 0);
    int then = count;
    sleep_ms(30);
    CHECK_EQ(count, then);
    /* one shot, while busy */
    it.it_value.tv_usec = 20000;
    OK(setitimer(ITIMER_REAL, &it, NULL));
    before = now_ms();
    while (count == then && now_ms() - before < 3000)
        ;
    CHECK_EQ(count, then + 1);
    it.it_value.tv_usec = 1000000;
    ERR(setitimer(ITIMER_REAL, &it, NULL), EINVAL);
    ERR(setitimer(77, &it, NULL), EINVAL);
    /* not inherited */
    OK(alarm(50) == 0 ? 0 : -1);
    CHILD(CHECK_EQ(alarm(0), 0));
    CHECK_EQ(alarm(0), 50);
}

CASE(signal, default_of_alarm_kills)
{
    DIES(SIGALRM, {
        struct itimerval it = {{0, 0}, {0, 10000}};
        setitimer(ITIMER_REAL, &it, NULL);
        for (;;)
            ;
    });
}

CASE(signal, timer_create_works)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    event.sigev_value.sival_int = 99;
    catch(SIGUSR1, 0);
    OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
    struct itimerspec it = {{0, 5000000}, {0, 5000000}};
    OK(timer_settime(timer, 0, &it, NULL));
    int64_t before = now_ms();
    while (count < 3 && now_ms() - before < 3000)
        sleep_ms(1);
    CHECK(count >= 3);
    CHECK_EQ(info.si_code, SI_TIMER);
    CHECK_EQ(info.si_value.sival_int, 99);
    OK(timer_delete(timer));
    ERR(timer_delete(timer), EINVAL);
}

CASE(signal, signalfd)
{
    sigset_t set = set_of(SIGUSR1);
    block(SIGUSR1);
    int fd = OK(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    struct signalfd_siginfo got;
    ERR(read(fd, &got, sizeof got), EAGAIN);
    OK(kill(getpid(), SIGUSR1));
    struct pollfd p = {fd, POLLIN, 0};
    CHECK_EQ(poll(&p, 1, 1000), 1);
    CHECK_EQ(read(fd, &got, sizeof got), sizeof got);
    CHECK_EQ(got.ssi_signo, SIGUSR1);
    CHECK_EQ(got.ssi_pid, getpid());
}

static void bad_return(int sig)
{
    (void)sig;
    _exit(0);
}

CASE(signal, hostile_sigreturn)
{
    /* no frame at all: the program dies of it, not the system */
    pid_t pid = xfork();
    if (pid == 0) {
        asm volatile("mov x8, #139; svc #0" ::: "x0", "x8", "memory");
        _exit(0);
    }
    int status = child_status(pid);
    CHECK(WIFSIGNALED(status) && (WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS));
    /* a frame that asks for another mode */
    pid = xfork();
    if (pid == 0) {
        static char frame[4560] __attribute__((aligned(16)));
        ucontext_t *uc = (ucontext_t *)(frame + 128);
        uc->uc_mcontext.pc = (uint64_t)bad_return;
        uc->uc_mcontext.sp = (uint64_t)(frame + 4000);
        uc->uc_mcontext.pstate = 0x3c5; /* EL1h */
        asm volatile("mov sp, %0; mov x8, #139; svc #0" ::"r"(frame) : "memory");
        __builtin_unreachable();
    }
    status = child_status(pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    /* a stack that cannot take the frame */
    pid = xfork();
    if (pid == 0) {
        on_signal(SIGUSR1, bad_return, 0);
        asm volatile("mov x9, sp; mov sp, %0; mov x8, #129; mov x0, %1; mov x1, #10; svc #0; mov sp, x9" ::"r"(PAGE),
                     "r"((long)getpid())
                     : "x0", "x1", "x8", "x9", "memory");
        _exit(0);
    }
    status = child_status(pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

CASE(signal, fault_while_blocked_kills)
{
    on_signal(SIGSEGV, counter, 0);
    DIES(SIGSEGV, {
        block(SIGSEGV);
        *(volatile int *)8 = 1;
    });
    DIES(SIGSEGV, {
        on_signal(SIGSEGV, SIG_IGN, 0);
        *(volatile int *)8 = 1;
    });
}

static void fault_info(int sig, siginfo_t *i, void *context)
{
    with_info(sig, i, context);
    ucontext_t *uc = context;
    changed_to = uc->uc_mcontext.fault_address;
    uc->uc_mcontext.pc += 4;
}

CASE(signal, codes_of_faults)
{
    struct sigaction sa = {.sa_sigaction = fault_info, .sa_flags = SA_SIGINFO};
    OK(sigaction(SIGSEGV, &sa, NULL));
    OK(sigaction(SIGILL, &sa, NULL));
    OK(sigaction(SIGTRAP, &sa, NULL));
    asm volatile("str xzr, [%0]" ::"r"(0x1230UL) : "memory");
    CHECK_EQ(info.si_code, SEGV_MAPERR);
    CHECK_EQ((uint64_t)info.si_addr, 0x1230);
    CHECK_EQ(changed_to, 0x1230);
    asm volatile("udf #7");
    CHECK_EQ(last, SIGILL);
    CHECK_EQ(info.si_code, ILL_ILLOPC);
    asm volatile("brk #1");
    CHECK_EQ(last, SIGTRAP);
    CHECK_EQ(info.si_code, TRAP_BRKPT);
    CHECK_EQ(count, 3);
    /* what the program may not do at its level of privilege */
    uint64_t v;
    asm volatile("mov %0, #0; mrs %0, ttbr0_el1" : "=r"(v));
    CHECK_EQ(last, SIGILL);
    CHECK_EQ(count, 4);
    asm volatile("hvc #0");
    CHECK_EQ(count, 5);
    asm volatile("msr daifset, #2");
    CHECK_EQ(count, 6);
}

CASE(signal, svc_with_other_immediates)
{
    /* Linux looks at no immediate */
    register long x8 asm("x8") = SYS_getpid;
    register long x0 asm("x0") = 0;
    asm volatile("svc #7" : "+r"(x0) : "r"(x8) : "memory");
    CHECK_EQ(x0, getpid());
}
