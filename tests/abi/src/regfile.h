/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef REGFILE_H
#define REGFILE_H
#include <stdint.h>

/* Every register a Linux program can see; the offsets are known to regfile.S. */
struct regfile {
    uint64_t x[31];     /* 0 */
    uint64_t sp;        /* 248: filled in by the callee only */
    uint64_t nzcv;      /* 256 */
    uint64_t fpcr;      /* 264 */
    uint64_t fpsr;      /* 272 */
    uint64_t tpidr;     /* 280: filled in by the callee only */
    uint64_t q[32][2];  /* 288 */
};
_Static_assert(sizeof(struct regfile) == 800, "regfile.S knows the offsets");

/* Loads all of `in` but sp, does `svc #0`, stores everything to `out`. out->sp is sp after minus sp before. */
void regs_svc(const struct regfile *in, struct regfile *out);
/* The same with `ldr x0, [x0]` in place of the svc (a page fault when x0 points to an untouched page). */
void regs_load(const struct regfile *in, struct regfile *out);
/* The same with `str x1, [x0]`. */
void regs_store(const struct regfile *in, struct regfile *out);
/* The same with a loop that counts x0 down to zero. */
void regs_spin(const struct regfile *in, struct regfile *out);
/* The same with `udf #0`, whose SIGILL handler is to step over it. */
void regs_udf(const struct regfile *in, struct regfile *out);

/* Fills with a pattern that differs for each seed. */
void regs_fill(struct regfile *r, uint64_t seed);
/* Compares, leaving out x0 and those in the mask of x registers; fails the case on a difference. */
void regs_compare(const struct regfile *in, const struct regfile *out, uint32_t skip, const char *what);
#endif
