/* SPDX-License-Identifier: GPL-2.0-only */

#ifndef __FASTPATH_READY_H
#define __FASTPATH_READY_H

#include <config.h>
#include <types.h>
#include <util.h>
#include <model/statedata.h>
#include <object/structures.h>
#include <usage/share.h>

/* Must the scheduler be asked who runs when the current thread blocks, or is it this one? Yes if
 * it is below the current thread, and a thread above it is in the ready queues, or one beside it
 * that may have to go first. */
static inline bool_t mustSchedule(tcb_t *next)
{
    word_t dom = maxDom ? ksCurDomain : 0;
    word_t l1 = NODE_STATE(ksReadyQueuesL1Bitmap[dom]);
    word_t index, highest;

    if (likely(next->tcbPriority >= NODE_STATE(ksCurThread)->tcbPriority || l1 == 0)) {
        return false;
    }
    index = (wordBits - 1) - clzl(l1);
    highest = l1index_to_prio(index) |
              ((wordBits - 1) - clzl(NODE_STATE(ksReadyQueuesL2Bitmap[dom][index])));
    return highest > next->tcbPriority || (highest == next->tcbPriority && ksAskScheduler);
}

#endif /* __FASTPATH_READY_H */
