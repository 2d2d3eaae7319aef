/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The processor as programs see it.
 */
#include "abi.h"
#include <setjmp.h>
#include <sys/auxv.h>

#define READ(reg)                                    \
    ({                                               \
        unsigned long v_;                            \
        __asm__ volatile("mrs %0, " reg : "=r"(v_)); \
        v_;                                          \
    })

/* Documentation/arch/arm64/cpu-feature-registers.rst: with HWCAP_CPUID these can be read, and agree with the other bits. */
CASE(cpu, identification_registers)
{
    unsigned long caps = getauxval(AT_HWCAP);
    CHECK(caps & 1UL << 11);
    CHECK_EQ(READ("S3_0_C0_C0_5") & 1UL << 31, 1UL << 31); /* MPIDR_EL1 */
    CHECK_EQ(READ("S3_0_C0_C0_6"), 0);                     /* REVIDR_EL1 */
    READ("S3_0_C0_C0_0");                            /* MIDR_EL1 */
    unsigned long features = READ("S3_0_C0_C4_0");   /* ID_AA64PFR0_EL1 */
    CHECK_EQ(features & 0xff, 0x11);
    CHECK_EQ((features >> 16 & 15) != 15, caps & 1);
    CHECK_EQ((features >> 20 & 15) != 15, caps >> 1 & 1);
    unsigned long isa = READ("S3_0_C0_C6_0"); /* ID_AA64ISAR0_EL1 */
    CHECK_EQ((isa >> 4 & 15) != 0, caps >> 3 & 1);  /* AES */
    CHECK_EQ((isa >> 12 & 15) != 0, caps >> 6 & 1); /* SHA2 */
    CHECK_EQ((isa >> 16 & 15) != 0, caps >> 7 & 1); /* CRC32 */
    CHECK_EQ((isa >> 20 & 15) != 0, caps >> 8 & 1); /* atomics */
    CHECK_EQ(READ("S3_0_C0_C7_7"), 0);              /* nothing yet */
}

/* The reading changes its register and nothing else. */
CASE(cpu, reading_keeps_registers)
{
    register unsigned long a __asm__("x19") = 0x1234567812345678, b __asm__("x5") = 42, c __asm__("x0") = 1;
    double d = 1.25;
    for (int i = 0; i < 100; i++) {
        __asm__ volatile("fmov d17, %d3\n mrs %2, S3_0_C0_C0_5\n mrs xzr, S3_0_C0_C6_0\n fmov %d3, d17"
                         : "+r"(a), "+r"(b), "=r"(c), "+w"(d)
                         :
                         : "v17");
        CHECK_EQ(c & 1UL << 31, 1UL << 31);
    }
    CHECK_EQ(a, 0x1234567812345678);
    CHECK_EQ(b, 42);
    CHECK(d == 1.25);
}

static sigjmp_buf back;

static void out(int sig)
{
    siglongjmp(back, sig);
}

#define ILLEGAL(read)                \
    do {                             \
        if (!sigsetjmp(back, 1)) {   \
            read;                    \
            FAIL("%s works", #read); \
        }                            \
    } while (0)

CASE(cpu, other_registers_are_illegal)
{
    signal(SIGILL, out);
    ILLEGAL(READ("S3_0_C0_C1_0"));
    ILLEGAL(READ("S3_0_C0_C0_1"));
    ILLEGAL(READ("S3_0_C0_C8_0"));
    ILLEGAL(READ("S3_0_C1_C0_0")); /* SCTLR_EL1 */
}
