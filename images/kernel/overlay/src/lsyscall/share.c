/* SPDX-License-Identifier: GPL-2.0-only */

#include <config.h>
#include <types.h>
#include <util.h>
#include <model/statedata.h>
#include <object/structures.h>
#include <object/tcb.h>
#include <usage/share.h>
#include <usage/usage.h>

/* By how much a thread that has waited may be ahead of those that have not, and how far ahead a
 * thread that becomes ready has to be to take the processor at once: 3 ms and 1 ms at 62.5 MHz,
 * the counter of QEMU's machines; elsewhere as many ticks. */
#define SHARE_BONUS     187500
#define SHARE_GRAIN     62500

bool_t ksAskScheduler;

/* The least time that a thread which ran last had had: no thread that comes to be ready has had
 * much less. */
static word_t ksVirtual;

static tcb_queue_t *queueOf(tcb_t *thread)
{
    return &NODE_STATE(ksReadyQueues[ready_queues_index(thread->tcbDomain, thread->tcbPriority)]);
}

/* Adds the time it has had since the last time. */
static void shareUpdate(tcb_t *thread)
{
    word_t total;

    if (ROUND_DOWN((word_t)ksBucket, USAGE_ENTRY_BITS) == (word_t)thread->tcbUsage) {
        countTime(ksBucket);
    }
    total = thread->tcbUsage->user + thread->tcbUsage->system;
    /* Less than before: the entry was cleared. */
    if (total > thread->tcbCounted) {
        thread->tcbVirtual += (total - thread->tcbCounted) * thread->tcbShare / SHARE_UNIT;
    }
    thread->tcbCounted = total;
}

void shareInsert(tcb_t *thread)
{
    tcb_queue_t *queue = queueOf(thread);
    tcb_t *before = queue->end;
    word_t least = ksVirtual - MIN(ksVirtual, SHARE_BONUS);

    if (thread_state_get_tcbQueued(thread->tcbState)) {
        return;
    }
    shareUpdate(thread);
    if (thread != NODE_STATE(ksCurThread)) {
        if (thread->tcbVirtual < least) {
            thread->tcbVirtual = least;
        }
        if (thread->tcbVirtual + SHARE_GRAIN < ksVirtual) {
            ksAskScheduler = true;
        }
    }
    while (before && before->tcbShare && before->tcbVirtual > thread->tcbVirtual) {
        before = before->tcbSchedPrev;
    }
    tcbSchedInsert(thread, before);
}

bool_t shareIsUp(tcb_t *thread)
{
    tcb_t *next = queueOf(thread)->head;

    shareUpdate(thread);
    return next && (!next->tcbShare || next->tcbVirtual < thread->tcbVirtual);
}

void shareYield(tcb_t *thread)
{
    tcb_t *next = queueOf(thread)->head;

    shareUpdate(thread);
    if (next && next->tcbShare && next->tcbVirtual > thread->tcbVirtual) {
        thread->tcbVirtual = next->tcbVirtual;
    }
}

void shareStart(tcb_t *thread)
{
    ksAskScheduler = false;
    if (thread->tcbVirtual > ksVirtual) {
        ksVirtual = thread->tcbVirtual;
    }
}

void shareSet(tcb_t *thread, word_t share)
{
    bool_t queued = thread_state_get_tcbQueued(thread->tcbState);

    if (queued) {
        tcbSchedDequeue(thread);
    }
    if (thread->tcbShare) {
        shareUpdate(thread);
        if (share && thread->tcbVirtual > ksVirtual) {
            /* How far it is ahead was weighted by the old share. */
            thread->tcbVirtual = ksVirtual + (thread->tcbVirtual - ksVirtual) * share / thread->tcbShare;
        }
    } else {
        thread->tcbCounted = thread->tcbUsage->user + thread->tcbUsage->system;
        thread->tcbVirtual = ksVirtual;
    }
    thread->tcbShare = share;
    if (queued) {
        SCHED_APPEND(thread);
    }
}
