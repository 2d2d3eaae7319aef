/* SPDX-License-Identifier: GPL-2.0-only */

/* Clearing the memory of new objects, by blocks of the data cache. */

#ifndef __MODE_MACHINE_CLEAR_H
#define __MODE_MACHINE_CLEAR_H

#include <config.h>
#include <types.h>
#include <util.h>
#include <arch/machine.h>

/* DCZID_EL0: binary logarithm of the block's words; `dc zva` is prohibited */
#define DCZID_BLOCK(x)      (4ul << ((x) & MASK(4)))
#define DCZID_PROHIBITED    BIT(4)
/* CTR_EL0: binary logarithm of the words of the smallest data cache line */
#define CTR_LINE(x)         (4ul << (((x) >> 16) & MASK(4)))

/* Clears `size` bytes at `start`. User memory is also written back to memory, where an uncached
 * mapping of it would otherwise find what was there before. */
static inline void clearObjects(word_t start, word_t size, bool_t user)
{
    word_t end = start + size;
    word_t dczid, ctr, block;

    MRS("dczid_el0", dczid);
    MRS("ctr_el0", ctr);
    block = DCZID_BLOCK(dczid);

    if ((dczid & DCZID_PROHIBITED) || block != CTR_LINE(ctr) ||
            ((start | size) & (4 * block - 1))) {
        memzero((void *)start, size);
        if (user) {
            cleanCacheRange_RAM(start, end - 1, pptr_to_paddr((void *)start));
        }
        return;
    }

    if (user) {
        asm volatile(
            "1: dc zva, %0 \n dc cvac, %0 \n add %0, %0, %1 \n"
            "   dc zva, %0 \n dc cvac, %0 \n add %0, %0, %1 \n"
            "   dc zva, %0 \n dc cvac, %0 \n add %0, %0, %1 \n"
            "   dc zva, %0 \n dc cvac, %0 \n add %0, %0, %1 \n"
            "   cmp %0, %2 \n b.lo 1b \n"
            "   dsb sy \n"
            : "+r"(start) : "r"(block), "r"(end) : "memory", "cc");
    } else {
        asm volatile(
            "1: dc zva, %0 \n add %0, %0, %1 \n"
            "   dc zva, %0 \n add %0, %0, %1 \n"
            "   dc zva, %0 \n add %0, %0, %1 \n"
            "   dc zva, %0 \n add %0, %0, %1 \n"
            "   cmp %0, %2 \n b.lo 1b \n"
            "   dsb ishst \n"
            : "+r"(start) : "r"(block), "r"(end) : "memory", "cc");
    }
}

#endif /* __MODE_MACHINE_CLEAR_H */
