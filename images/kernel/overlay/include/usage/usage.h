/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * Processor time.
 *
 * At each moment the virtual counter runs for one word, ksBucket. It changes where the kernel
 * goes on in another thread, and what the counter has advanced is added to the word before.
 *
 * Only foreign threads (lsyscall.h) have an entry of their own. While one runs, its user word is
 * the bucket. What native threads do until the next foreign thread runs, they do because of this
 * one's system call or fault, or they were let in by an interrupt while it ran: its system word.
 * Time in which no thread is ready is the user word of entry USAGE_IDLE, and what interrupts
 * cause meanwhile its system word.
 *
 * The first entry is not one of a thread, see usage_header_t. All lie in frames that the initial
 * thread gets (seL4_BootInfo, sharedFrames).
 */

#ifndef __USAGE_H
#define __USAGE_H

#include <config.h>
#include <types.h>
#include <util.h>
#include <arch/machine.h>

typedef struct usage {
    word_t user;            /* ticks of the virtual counter */
    word_t system;
    word_t voluntary;       /* switches to another foreign thread or to none: it blocked */
    word_t involuntary;     /* it could have gone on */
} usage_t;

/* The first entry. */
typedef struct usage_header {
    word_t frequency;       /* ticks of the counter in a second */
    word_t timer_ticks;     /* since the start */
    word_t load;            /* at each of these, the foreign threads that ran or were ready */
    word_t ready;           /* foreign threads in the ready queues now: not the one that runs */
} usage_header_t;

#define USAGE_ENTRY_BITS    5
#define USAGE_ENTRIES       (BIT(CONFIG_USAGE_BITS) / BIT(USAGE_ENTRY_BITS))
#define USAGE_HEADER        0
/* No foreign thread. */
#define USAGE_IDLE          1
/* Foreign threads whose TCB names no entry. */
#define USAGE_OTHERS        2

compile_assert(usage_entry_size, sizeof(usage_t) == BIT(USAGE_ENTRY_BITS))
compile_assert(usage_header_size, sizeof(usage_header_t) == BIT(USAGE_ENTRY_BITS))

/* The bucket, and since when: together, for the sake of the fast path. */
typedef struct usage_clock {
    word_t *bucket;
    word_t since;
} usage_clock_t;

extern usage_t *ksUsage;
extern usage_clock_t ksUsageClock;
#define ksBucket (ksUsageClock.bucket)

/* The system word of the entry a bucket belongs to. Entries are aligned to their size. */
static inline word_t *systemBucket(word_t *bucket)
{
    return (word_t *)((word_t)bucket | sizeof(word_t));
}

static inline bool_t isSystemBucket(word_t *bucket)
{
    return ((word_t)bucket & sizeof(word_t)) != 0;
}

/* Adds the time until now to the bucket, and goes on with another. */
static inline void FORCE_INLINE countTime(word_t *next)
{
    word_t now;

    MRS("cntvct_el0", now);
    *ksUsageClock.bucket += now - ksUsageClock.since;
    ksUsageClock.since = now;
    ksUsageClock.bucket = next;
}

static inline usage_header_t *usageHeader(void)
{
    return (usage_header_t *)&ksUsage[USAGE_HEADER];
}

/* A tick of the timer. */
static inline void countTick(void)
{
    usage_header_t *header = usageHeader();
    usage_t *now = (usage_t *)ROUND_DOWN((word_t)ksBucket, USAGE_ENTRY_BITS);

    header->timer_ticks++;
    header->load += header->ready + (now == &ksUsage[USAGE_IDLE] ? 0 : 1);
}

/* The slow path goes on in a thread, or in none. The current thread is still the one before. */
void countSwitch(tcb_t *thread);

/* Makes the entries; false if there is no memory. */
bool_t initUsage(void);

#endif /* __USAGE_H */
