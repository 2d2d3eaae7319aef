/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * Linux system calls ("lsyscalls") of foreign threads.
 *
 * A thread without an IPC buffer is foreign: it runs a Linux program. Its `svc #0` is Linux's
 * and is delivered as an UnknownSyscall fault message whatever its registers hold; its other
 * `svc`s are seL4's. The message goes to the endpoint capability in the slot of the thread's
 * own CSpace which the route table gives for the number in x8, or, where there is none, to the
 * thread's fault endpoint.
 */

#ifndef __LSYSCALL_H
#define __LSYSCALL_H

#include <config.h>
#include <types.h>
#include <arch/machine.h>
#include <object/structures.h>

/* Immediate of an `svc`, in its exception syndrome. */
#define ESR_SVC_IMMEDIATE(esr)      ((esr) & MASK(16))
/* The one immediate with which a foreign thread makes seL4's own calls; Linux ignores the immediate. */
#define SVC_NATIVE                  1

/* Bits of CNTKCTL_EL1: what EL0 may use of the generic timer. */
#define CNTKCTL_EL0PCTEN            BIT(0)  /* physical counter */
#define CNTKCTL_EL0VCTEN            BIT(1)  /* virtual counter */
#define CNTKCTL_EL0PTEN_SHIFT       9       /* physical timer */

static inline bool_t isForeignThread(tcb_t *thread)
{
    return thread->tcbIPCBuffer == 0;
}

/* Is the `svc` that entered the kernel a Linux system call? */
static inline bool_t isForeignSyscall(tcb_t *thread)
{
    return unlikely(isForeignThread(thread)) && ESR_SVC_IMMEDIATE(getESR()) != SVC_NATIVE;
}

/* Lets the thread about to run read the counters, and use the physical timer if it is native. */
static inline void setTimerAccess(tcb_t *thread)
{
    MSR("cntkctl_el1", CNTKCTL_EL0PCTEN | CNTKCTL_EL0VCTEN |
        ((word_t)!isForeignThread(thread) << CNTKCTL_EL0PTEN_SHIFT));
}

/* Delivers the current thread's Linux system call and chooses the thread to run next. */
void handleForeignSyscall(void);

#endif /* __LSYSCALL_H */
