/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What a hostile program does besides calls: odd instructions, native calls of the kernel below, wild jumps, stacks and
 * signal frames, and programs that are none.
 */
#include "fuzz.h"
#include <elf.h>

static void limited(struct worker *w, void (*body)(struct worker *))
{
    if (one_in(&w->rng, 30)) {
        body(w);
        return;
    }
    pid_t pid = fork_plain();
    if (pid == 0) {
        body(w);
        syscall(SYS_exit_group, 0);
    }
    /* It goes on beside us, or its parent waits for it, or kills it. */
    if (pid > 0 && one_in(&w->rng, 2)) {
        int status;
        struct timespec a_little = {0, 2000000};
        for (int i = 0; i < 10 && waitpid(pid, &status, WNOHANG) == 0; i++)
            nanosleep(&a_little, NULL);
        kill(pid, SIGKILL);
    }
}

static void odd_instruction(struct worker *w)
{
    uint64_t regs[9];
    for (int i = 0; i < 9; i++)
        regs[i] = one_in(&w->rng, 3) ? rnd(&w->rng) : one_in(&w->rng, 2) ? gen_value(&w->rng) : gen_pointer(w, 64);
    regs[8] = one_in(&w->rng, 2) ? below(&w->rng, 470) : regs[8];
    regs[7] = one_in(&w->rng, 2) ? -(1 + below(&w->rng, 16)) : regs[7];
    unsigned insn = below(&w->rng, svc_count);
    if (w->root && insn < 7)
        regs[8] = SYS_getpid; /* see tame() */
    note_call(w, 10000 + insn, regs);
    raw_call(regs, insn);
}

/* A call of seL4's own, to what its capability space holds or does not hold. */
static void native_call(struct worker *w)
{
    struct rng *r = &w->rng;
    for (unsigned n = 1 + below(r, 6); n; n--) {
        uint64_t regs[9];
        static const uint64_t labels[] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
        regs[0] = one_in(r, 6) ? gen_value(r) : below(r, 33);
        uint64_t label = one_in(r, 3) ? below(r, 1 << 20) : labels[below(r, LENGTH(labels))];
        regs[1] = one_in(r, 6) ? rnd(r) : label << 12 | below(r, 8) << 9 | below(r, 4) << 7 | below(r, 15);
        for (int i = 2; i < 9; i++)
            regs[i] = one_in(r, 3) ? rnd(r) : one_in(r, 2) ? gen_value(r) : gen_pointer(w, 64);
        regs[7] = one_in(r, 10) ? gen_value(r) : -(1 + below(r, 10));
        note_call(w, 20000, regs);
        raw_call(regs, 5);
    }
}

static void wild_jump(struct worker *w)
{
    struct rng *r = &w->rng;
    uint64_t regs[32], pc;
    for (int i = 0; i < 32; i++)
        regs[i] = one_in(r, 2) ? gen_pointer(w, 1024) : gen_value(r);
    switch (below(r, 4)) {
    case 0: pc = rnd(r); break;
    case 1: pc = gen_pointer(w, 64); break;
    case 2:
        for (int i = 0; i < 64; i++)
            ((uint32_t *)w->arena.code)[i] = one_in(r, 4) ? 0xd4000001 | (uint32_t)below(r, 4) << 5 : (uint32_t)rnd(r);
        __builtin___clear_cache((char *)w->arena.code, (char *)w->arena.code + 256);
        pc = (uint64_t)w->arena.code;
        break;
    default: pc = SHIM_BASE + below(r, 0x400) * 4; break;
    }
    if (one_in(r, 2)) {
        /* Into a report of the shim's: its number in x8. */
        regs[8] = 139;
    }
    if (w->root)
        regs[8] = 139;
    note_call(w, 30000, (uint64_t[6]){pc, regs[0], regs[8], regs[31], regs[9], regs[10]});
    jump(regs, pc);
}

static void put_frame(struct worker *w, uint8_t *at)
{
    struct rng *r = &w->rng;
    gen_bytes(w, at, 128 + 176 + 4400);
    if (one_in(r, 3))
        return;
    uint64_t *context = (uint64_t *)(at + 128);
    context[0] = 0, context[1] = 0; /* uc_flags, uc_link */
    uint64_t *machine = (uint64_t *)(at + 128 + 176);
    machine[32] = gen_pointer(w, 4096) & ~15UL;                                    /* sp */
    machine[33] = one_in(r, 2) ? (uint64_t)w->arena.code : SHIM_BASE + below(r, 0x400) * 4; /* pc */
    machine[34] = one_in(r, 2) ? 0x80000000 : rnd(r);                              /* pstate */
    uint32_t *record = (uint32_t *)(at + 128 + 176 + 288);
    record[0] = one_in(r, 6) ? rnd(r) : 0x46508001;
    record[1] = one_in(r, 3) ? gen_value(r) : 528;
}

/* rt_sigreturn with a frame of its own making. */
static void wild_frame(struct worker *w)
{
    struct rng *r = &w->rng;
    uint64_t regs[32];
    for (int i = 0; i < 32; i++)
        regs[i] = gen_value(r);
    uint64_t sp = one_in(r, 4) ? gen_pointer(w, 4704) : (uint64_t)w->arena.pages + below(r, 32) * PAGE;
    if (sp >= (uint64_t)w->arena.pages && sp + 8192 < (uint64_t)w->arena.pages + ARENA_PAGES * PAGE)
        put_frame(w, (uint8_t *)sp);
    ((uint32_t *)w->arena.code)[0] = 0xd4000001; /* svc #0 */
    ((uint32_t *)w->arena.code)[1] = 0x14000000;
    __builtin___clear_cache((char *)w->arena.code, (char *)w->arena.code + 8);
    regs[8] = 139;
    regs[31] = sp;
    note_call(w, 30001, (uint64_t[6]){sp});
    jump(regs, one_in(r, 3) ? SHIM_BASE + 4 * below(r, 300) : (uint64_t)w->arena.code);
}

static void handler(int sig)
{
    (void)sig;
}

/* A signal while the stack is nowhere. */
static void wild_stack(struct worker *w)
{
    struct rng *r = &w->rng;
    struct sigaction action = {.sa_handler = one_in(r, 4) ? (void (*)(int))gen_pointer(w, 8) : handler};
    action.sa_flags = below(r, 8) | (one_in(r, 2) ? SA_ONSTACK : 0);
    for (int sig = 1; sig < 32; sig++)
        sigaction(sig, &action, NULL);
    stack_t stack = {.ss_sp = (void *)gen_pointer(w, 8192), .ss_size = one_in(r, 2) ? 8192 : gen_length(r)};
    if (one_in(r, 2))
        sigaltstack(&stack, NULL);
    uint64_t regs[32];
    for (int i = 0; i < 32; i++)
        regs[i] = gen_value(r);
    uint32_t *code = (uint32_t *)w->arena.code;
    code[0] = one_in(r, 2) ? 0xd4000001 : 0; /* svc #0, or udf */
    code[1] = 0xd4000001;
    code[2] = 0;
    __builtin___clear_cache((char *)code, (char *)code + 12);
    regs[0] = getpid(), regs[1] = 1 + below(r, 31), regs[8] = SYS_kill;
    regs[31] = one_in(r, 3) ? gen_pointer(w, 64) : rnd(r);
    note_call(w, 30002, (uint64_t[6]){regs[31], regs[1]});
    jump(regs, (uint64_t)code);
}

/* A small program that ends with 0, as a start for what is none. */
static size_t tiny_elf(uint8_t *to)
{
    memset(to, 0, 8192);
    Elf64_Ehdr *e = (Elf64_Ehdr *)to;
    memcpy(e->e_ident, "\177ELF\2\1\1", 7);
    e->e_type = ET_EXEC, e->e_machine = EM_AARCH64, e->e_version = 1, e->e_entry = 0x400000 + 512, e->e_phoff = 64;
    e->e_ehsize = 64, e->e_phentsize = 56, e->e_phnum = 3;
    Elf64_Phdr *p = (Elf64_Phdr *)(to + 64);
    p[0] = (Elf64_Phdr){PT_LOAD, PF_R | PF_X, 0, 0x400000, 0x400000, 4096, 4096, 4096};
    p[1] = (Elf64_Phdr){PT_LOAD, PF_R | PF_W, 4096, 0x402000, 0x402000, 100, 9000, 4096};
    p[2] = (Elf64_Phdr){PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 0, 0, 16};
    uint32_t *code = (uint32_t *)(to + 512);
    code[0] = 0xd2800000, code[1] = 0xd2800bc8, code[2] = 0xd4000001; /* exit_group(0) */
    return 4096 + 100;
}

static void mangled_program(struct worker *w)
{
    struct rng *r = &w->rng;
    uint8_t *image = w->arena.pages;
    size_t len = tiny_elf(image);
    for (unsigned n = below(r, 5); n; n--) {
        size_t at = one_in(r, 3) ? below(r, 64) : below(r, 232);
        size_t size = 1 << below(r, 4);
        uint64_t value = gen_value(r);
        memcpy(image + (at & ~(size - 1)), &value, size);
    }
    if (one_in(r, 6)) {
        Elf64_Phdr *p = (Elf64_Phdr *)(image + 64);
        p[2].p_type = PT_INTERP, p[2].p_offset = 400, p[2].p_filesz = one_in(r, 2) ? 6 : gen_length(r);
        strcpy((char *)image + 400, one_in(r, 2) ? "./prog" : "a");
    }
    if (one_in(r, 6))
        len = below(r, len);
    int fd = open("prog", O_CREAT | O_TRUNC | O_WRONLY, 0755);
    (void)!write(fd, image, len);
    close(fd);
    char *argv[] = {"prog", "x", NULL};
    note_call(w, SYS_execve, (uint64_t[6]){(uint64_t) "prog"});
    execve("./prog", argv, argv + 2);
}

static void mangled_script(struct worker *w)
{
    struct rng *r = &w->rng;
    static const char *const heads[] = {"#!", "#! ", "#!/", "#!./run", "#!./run x", "#!/script", "#!a", "#!\n", "#!\t\t./prog  y  ",
        "#!d", "#!/proc/self/exe", "#!./run\0x", "#", ""};
    char text[1024];
    size_t len = snprintf(text, 64, "%s", heads[below(r, LENGTH(heads))]);
    if (one_in(r, 3)) {
        size_t more = below(r, 900);
        memset(text + len, one_in(r, 2) ? ' ' : 'p', more);
        len += more;
    }
    text[len++] = one_in(r, 3) ? ' ' : '\n';
    int fd = open("run", O_CREAT | O_TRUNC | O_WRONLY, 0755);
    (void)!write(fd, text, len);
    close(fd);
    char *argv[] = {"run", "x", NULL};
    note_call(w, SYS_execve, (uint64_t[6]){(uint64_t) "run"});
    execve("./run", argv, argv + 2);
}

void special(struct worker *w)
{
    static void (*const bodies[])(struct worker *) = {odd_instruction, native_call, native_call, wild_jump, wild_jump, wild_frame,
        wild_frame, wild_stack, mangled_program, mangled_script};
    if (w->shared->made++ > 200)
        return;
    limited(w, bodies[below(&w->rng, LENGTH(bodies))]);
}
