/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Signals that the processor causes, and frames that lie.
 */
#include "signals.h"
#include <ucontext.h>

static volatile uint64_t changed_to;

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
