/* SPDX-License-Identifier: GPL-2.0-only */

#include <config.h>
#include <types.h>
#include <util.h>
#include <arch/machine.h>
#include <arch/linker.h>
#include <plat/machine/hardware.h>

boot_regions_t boot_regions BOOT_DATA VISIBLE = {
    .magic = BOOT_REGIONS_MAGIC,
    .num_dev = 6,
    .dev = {
        { UART_PADDR, UART_PADDR + BIT(seL4_PageBits) },
        { RTC_PADDR, RTC_PADDR + BIT(seL4_PageBits) },
        { FW_CFG_PADDR, FW_CFG_PADDR + BIT(seL4_PageBits) },
        { GPIO_PADDR, GPIO_PADDR + BIT(seL4_PageBits) },
        { VIRTIO_MMIO_PADDR, VIRTIO_MMIO_PADDR + VIRTIO_MMIO_SIZE },
        { PCIE_PADDR, PCIE_END },
    },
};

/* Counts of the virtual counter in one kernel tick. */
static word_t timer_reload;

void resetTimer(void)
{
    MSR("cntv_tval_el0", timer_reload);
    MSR("cntv_ctl_el0", BIT(0));
}

BOOT_CODE void initTimer(void)
{
    word_t hz;

    MRS("cntfrq_el0", hz);
    timer_reload = hz / 1000 * CONFIG_TIMER_TICK_MS;
    resetTimer();
}

/* The board has no cache outside the CPU. */
void initL2Cache(void) {}
void plat_cleanL2Range(paddr_t start, paddr_t end) {}
void plat_invalidateL2Range(paddr_t start, paddr_t end) {}
void plat_cleanInvalidateL2Range(paddr_t start, paddr_t end) {}
void plat_cleanInvalidateCache(void) {}
