/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * Shares of the processor.
 *
 * A thread with a share (tcbShare, not 0) lies in its priority's ready queue by the time it has
 * had, least first, and that time is weighted by its share: tcbVirtual advances by tcbShare for
 * 1024 ticks of the counter. It runs until a tick finds that a thread of its queue has had less.
 * So threads of one priority get the processor in the proportion of 1 / tcbShare, and one that
 * has waited for something else than the processor comes before those that have not.
 */

#ifndef __SHARE_H
#define __SHARE_H

#include <config.h>
#include <types.h>
#include <object/structures.h>

#define SHARE_UNIT      1024
/* Larger ones would overflow when a thread has run for years. */
#define SHARE_MAX       BIT(20)

/* A tick, or a thread that has become ready, wants the scheduler asked at the next reply. */
extern bool_t ksAskScheduler;

/* Puts a thread with a share into its ready queue. */
void shareInsert(tcb_t *thread);

/* The tick found the thread running: whether another of its queue is to run now. */
bool_t shareIsUp(tcb_t *thread);

/* The thread lets another of its queue run before it. */
void shareYield(tcb_t *thread);

/* The thread is about to run. */
void shareStart(tcb_t *thread);

/* Sets a share; the thread counts from now. */
void shareSet(tcb_t *thread, word_t share);

#endif /* __SHARE_H */
