/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/* The kernel's configuration, common to all profiles; kernel-build appends a profile's own
 * lines. The bindings read the same file from the installed prefix. */

#define AUTOCONF_INCLUDED

#define CONFIG_PLAT_QEMU_ARM_VIRT 1
#define CONFIG_ARCH_ARM 1
#define CONFIG_ARCH_AARCH64 1
#define CONFIG_ARCH_ARM_V8A 1
#define CONFIG_ARM_CORTEX_A53 1
#define CONFIG_WORD_SIZE 64
#define CONFIG_MAX_NUM_NODES 1
#define CONFIG_KERNEL_STACK_BITS 12

#define CONFIG_FASTPATH 1

/* The FPU is switched lazily, and given up after this many kernel exits without a use. */
#define CONFIG_HAVE_FPU 1
#define CONFIG_FPU_MAX_RESTORES_SINCE_SWITCH 64

/* One of the two kinds of IPC buffer pointer must be chosen; on AArch64 this one does nothing,
 * and leaves TPIDR_EL0 to the threads. */
#define CONFIG_IPC_BUF_GLOBALS_FRAME 1

/* A thread without a share (patch P) that is not alone runs for 5 to 10 ms, one with a share for 5 ms. */
#define CONFIG_TIMER_TICK_MS 5
#define CONFIG_TIME_SLICE 2

/* Entries that count processor time (patch O), 32 bytes each: 1022 foreign threads. */
#define CONFIG_USAGE_BITS 15

#define CONFIG_NUM_DOMAINS 1
#define CONFIG_NUM_PRIORITIES 256

/* 8192 slots of 32 bytes: 256 KiB of RAM, user images of up to 31 MiB. */
#define CONFIG_ROOT_CNODE_SIZE_BITS 13

/* As many descriptors as fit into the one page of boot information. */
#define CONFIG_MAX_NUM_BOOTINFO_UNTYPED_CAPS 327

#define CONFIG_RETYPE_FAN_OUT_LIMIT 256
#define CONFIG_MAX_NUM_WORK_UNITS_PER_PREEMPTION 100
#define CONFIG_MAX_NUM_TRACE_POINTS 0
