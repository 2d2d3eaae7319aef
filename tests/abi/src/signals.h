/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What the files with signal cases share.
 */
#ifndef SIGNALS_H
#define SIGNALS_H
#include "abi.h"

/* How many signals the handlers below have seen, the last one, and what came with it. Not static: glibc declares its
 * calls as leaf functions, over which a compiler may keep static variables in registers. */
extern volatile sig_atomic_t count;
extern volatile int last;
extern siginfo_t info;

static inline void counter(int sig)
{
    count++;
    last = sig;
}

static inline void with_info(int sig, siginfo_t *i, void *context)
{
    (void)context;
    count++;
    last = sig;
    info = *i;
}

static inline void catch(int sig, int flags)
{
    struct sigaction sa = {.sa_sigaction = with_info, .sa_flags = SA_SIGINFO | flags};
    OK(sigaction(sig, &sa, NULL));
}

static inline sigset_t set_of(int sig)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, sig);
    return set;
}

static inline void block(int sig)
{
    sigset_t set = set_of(sig);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
}

static inline void unblock(int sig)
{
    sigset_t set = set_of(sig);
    OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
}

/* A child that sends the signal to this process after some milliseconds. */
static inline pid_t send_later(int sig, int ms)
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

#endif
