/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The system-call fuzzer: a static program that runs as the first process and throws calls at the system.
 *
 * Time goes in rounds. A round is a worker in a file tree of its own; what it does follows from the seed and the round's
 * number alone. A guard, another process, is asked all the while whether it is well. What calls there are and of what
 * types their arguments are comes from the one table of system calls, as the header table.h.
 *
 * The first process says, a line each:
 *     R round                       a round begins
 *     MEM round free                free memory in KiB, everything of the rounds being gone
 *     HIT round text                something is wrong
 *     END rounds calls ms           the end
 */
#ifndef FUZZ_H
#define FUZZ_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Argument types: the table's scalars by name, then these. */
#define FIRST_POINTER 1000
enum { T_PATH = FIRST_POINTER, T_STR, T_STRVEC, T_BUF_IN, T_BUF_OUT, T_ARRAY, T_PTR };

struct arg {
    uint16_t type;
    uint8_t what;   /* of T_ARRAY and T_PTR: the pointee */
    uint8_t length; /* of T_BUF_* and T_ARRAY: which argument is the length */
};

struct row {
    const char *name;
    uint16_t nr;
    uint8_t level; /* 0 no, 1 partial, 2 full */
    uint8_t count;
    struct arg args[6];
};

#include "table.h"

#define PAGE 4096UL
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* Random numbers: the whole course of a round is in this. */
struct rng {
    uint64_t state;
};
uint64_t rnd(struct rng *r);
/* Below n; 0 for n = 0. */
uint64_t below(struct rng *r, uint64_t n);
/* True once in n times. */
bool one_in(struct rng *r, unsigned n);

/* What a worker and the first process share. */
#define LOG_ENTRIES 128
struct log_entry {
    uint64_t nr;
    uint64_t args[6];
};
struct shared {
    volatile uint64_t calls;
    volatile uint32_t clones;
    volatile uint32_t made;
    struct log_entry log[LOG_ENTRIES];
};

/* The memory a worker's arguments point into. */
struct arena {
    uint8_t *pages;  /* ARENA_PAGES readable and writable, then a page of nothing */
    uint8_t *ro;     /* one page that is only readable */
    uint8_t *none;   /* one page without rights */
    uint8_t *shared; /* two pages shared with other processes */
    uint8_t *code;   /* one page that is writable and executable */
    size_t at;       /* where the next structure goes */
};
#define ARENA_PAGES 64UL

struct worker {
    struct rng rng;
    struct arena arena;
    struct shared *shared;
    bool root;         /* it runs as root: no call may be aimed at others */
    bool verbose;      /* tells every call before it is made */
    int tell;          /* where */
    const char *calls; /* only these, separated by commas; NULL: all */
    int favourites[8];
    int favourite_count;
    pid_t pids[8];
    int pid_count;
};

/* The descriptors of the kinds that calls of their own are for, by the beginning of those calls' names. */
struct kind {
    const char *calls;
    int fds[8];
    int count;
};
extern struct kind kinds[];

/* gen.c */
uint64_t gen_value(struct rng *r);
uint64_t gen_length(struct rng *r);
uint64_t gen_pointer(struct worker *w, size_t size);
uint64_t gen_fd(struct worker *w);
uint64_t gen_path(struct worker *w);
void gen_call(struct worker *w, const struct row *row, uint64_t args[6]);
/* Random bytes, zeros, addresses and small numbers. */
void gen_bytes(struct worker *w, uint8_t *to, size_t len);

/* special.c: what is no ordinary call. */
void special(struct worker *w);

/* worker.c */
void worker_main(struct worker *w, unsigned calls);
void note_call(struct worker *w, uint64_t nr, const uint64_t args[6]);
pid_t fork_plain(void);

/* asm.S: makes a call with exactly these registers x0 to x8; `insn` is the index of an instruction of `svc_table`. The
 * child of a clone, which has no stack of its own, ends itself. */
uint64_t raw_call(uint64_t regs[9], unsigned insn);
uint64_t clone_call(uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4);
extern const unsigned svc_count;
/* Loads all registers from the array (x0 to x30, sp) and jumps. */
_Noreturn void jump(const uint64_t regs[32], uint64_t pc);

/* guard.c */
_Noreturn void guard_main(int in, int out);

#endif
