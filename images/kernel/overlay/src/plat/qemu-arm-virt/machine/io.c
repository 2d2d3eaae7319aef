/* SPDX-License-Identifier: GPL-2.0-only */

/* The PL011 of the board, for the kernel's own messages in debug builds. */

#include <config.h>
#include <stdint.h>
#include <util.h>
#include <machine/io.h>
#include <plat/machine/devices.h>

#define UART_DR             0x000
#define UART_FR             0x018
#define UART_FR_TXFF        BIT(5)

#define UART_REG(x)         ((volatile uint32_t *)(UART_PPTR + (x)))

#if defined(CONFIG_DEBUG_BUILD) || defined(CONFIG_PRINTING)
void putDebugChar(unsigned char c)
{
    while (*UART_REG(UART_FR) & UART_FR_TXFF);

    *UART_REG(UART_DR) = c;
}
#endif

#ifdef CONFIG_DEBUG_BUILD
unsigned char getDebugChar(void)
{
    return 0;
}
#endif
