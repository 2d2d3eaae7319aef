/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Signals: actions, masks, delivery, and the frame on the stack.
 */
#include "signals.h"
#include <setjmp.h>
#include <ucontext.h>

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

sigset_t mask_in_handler; /* not static, see signals.h */

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
stack_t during; /* not static, see signals.h */

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
