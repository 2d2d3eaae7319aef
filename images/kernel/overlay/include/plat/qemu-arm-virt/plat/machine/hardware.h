/* SPDX-License-Identifier: GPL-2.0-only */

#ifndef __PLAT_MACHINE_HARDWARE_H
#define __PLAT_MACHINE_HARDWARE_H

#include <config.h>
#include <basic_types.h>
#include <arch/linker.h>
#include <plat/machine.h>
#include <plat/machine/devices.h>

/* QEMU's usual value, for the kernel's own timer header only: the platform's timer code reads
 * the real frequency from CNTFRQ_EL0. */
#define TIMER_CLOCK_HZ              62500000llu

/* WARNING: both also stand in the linker script. */
#define physBase                    0x40000000
#define kernelBase                  0xffffff8000000000

/* Highest virtual address of a user. */
#define USER_TOP                    0x0000ffffffffffff

static const kernel_frame_t BOOT_RODATA kernel_devices[] = {
    { GIC_CONTROLLER0_PADDR, GIC_CONTROLLER_PPTR, true /* armExecuteNever */ },
    { GIC_DISTRIBUTOR_PADDR, GIC_DISTRIBUTOR_PPTR, true },
#ifdef CONFIG_PRINTING
    { UART_PADDR, UART_PPTR, true },
#endif
};

/*
 * The memory regions, filled in by the loader before it enters the kernel, so that one kernel
 * runs with any amount of RAM. The loader finds the structure by its ELF symbol. Physical
 * addresses; page aligned; `end` is the first byte behind.
 *
 * avail: RAM for the kernel to give out, in ascending order. The kernel takes its own image and
 *        the user image out of it.
 * dev:   what becomes device untypeds: the board's devices, entered here, and ranges of RAM
 *        which the loader wants left untouched (the initial RAM disk).
 */
#define BOOT_REGIONS_MAGIC          0x3153474552534550ull /* "PESREGS1" */
#define BOOT_REGIONS_MAX_AVAIL      16
#define BOOT_REGIONS_MAX_DEV        24

typedef struct boot_regions {
    word_t magic;
    word_t num_avail;
    word_t num_dev;
    p_region_t avail[BOOT_REGIONS_MAX_AVAIL];
    p_region_t dev[BOOT_REGIONS_MAX_DEV];
} boot_regions_t;

extern boot_regions_t boot_regions;

/* Handle a platform-reserved IRQ. */
static inline void handleReservedIRQ(irq_t irq)
{
}

#endif /* __PLAT_MACHINE_HARDWARE_H */
