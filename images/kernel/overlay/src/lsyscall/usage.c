/* SPDX-License-Identifier: GPL-2.0-only */

#include <config.h>
#include <types.h>
#include <kernel/boot.h>
#include <lsyscall/lsyscall.h>
#include <model/statedata.h>
#include <object/structures.h>
#include <usage/share.h>
#include <usage/usage.h>

usage_t *ksUsage;
usage_clock_t ksUsageClock;
/* The foreign thread that ran last could have gone on. */
static bool_t ksPreempted;

static bool_t isRunning(tcb_t *thread)
{
    word_t state = thread_state_get_tsType(thread->tcbState);
    return state == ThreadState_Running || state == ThreadState_Restart;
}

void countSwitch(tcb_t *thread)
{
    word_t *bucket = ksBucket;
    usage_t *last = (usage_t *)ROUND_DOWN((word_t)bucket, USAGE_ENTRY_BITS);
    usage_t *next;

    if (!isSystemBucket(bucket)) {
        ksPreempted = isRunning(NODE_STATE(ksCurThread));
    }
    if (thread && !isForeignThread(thread)) {
        if (!isSystemBucket(bucket)) {
            countTime(systemBucket(bucket));
        }
        return;
    }
    if (thread && thread->tcbShare) {
        shareStart(thread);
    }
    next = thread ? thread->tcbUsage : &ksUsage[USAGE_IDLE];
    countTime(&next->user);
    if (next != last) {
        if (ksPreempted) {
            last->involuntary++;
        } else {
            last->voluntary++;
        }
    }
    ksPreempted = false;
}

BOOT_CODE bool_t initUsage(void)
{
    ksUsage = (usage_t *)alloc_region(CONFIG_USAGE_BITS);
    if (!ksUsage) {
        printf("Kernel init failed: no memory for the usage entries\n");
        return false;
    }
    memzero(ksUsage, BIT(CONFIG_USAGE_BITS));
    MRS("cntfrq_el0", usageHeader()->frequency);
    ksBucket = &ksUsage[USAGE_IDLE].system;
    MRS("cntvct_el0", ksUsageClock.since);
    return true;
}
