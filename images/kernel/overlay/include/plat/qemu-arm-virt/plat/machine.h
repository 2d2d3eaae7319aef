/* SPDX-License-Identifier: GPL-2.0-only */

/* QEMU's "virt" board with a GICv2. The interrupt numbers are those of the GIC: private ones
 * below 32, the board's lines from 32 up. */

#ifndef __PLAT_MACHINE_H
#define __PLAT_MACHINE_H

/* The kernel keeps an interrupt number in eight bits of its capability, hence the 255. */
typedef enum IRQConstants {
    INTERRUPT_VIRTUAL_TIMER  = 27,
    INTERRUPT_PHYSICAL_TIMER = 30,
    INTERRUPT_UART           = 33,
    INTERRUPT_VIRTIO_FIRST   = 48,
    maxIRQ = 255
} platform_interrupt_t;

#define N_INTERRUPTS            (maxIRQ + 1)
#define IRQ_CNODE_BITS          13
#define KERNEL_TIMER_IRQ        INTERRUPT_VIRTUAL_TIMER

#include <arch/machine/gic_pl390.h>

#endif /* __PLAT_MACHINE_H */
