/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Mappings, protection, brk, the stack, and the signals that wrong accesses get.
 */
#include "abi.h"
#include <setjmp.h>
#include <sys/resource.h>

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static sigjmp_buf back;
siginfo_t seen; /* not static, see signals.h */

static void caught(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    (void)context;
    seen = *info;
    siglongjmp(back, 1);
}

static void catch_faults(void)
{
    struct sigaction sa = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO};
    OK(sigaction(SIGSEGV, &sa, NULL));
    OK(sigaction(SIGBUS, &sa, NULL));
}

/* The statement must raise this signal with this code at this address. */
#define FAULTS(sig, code, address, statement)                                                                          \
    do {                                                                                                               \
        memset(&seen, 0, sizeof seen);                                                                                 \
        if (sigsetjmp(back, 1) == 0) {                                                                                 \
            statement;                                                                                                 \
            FAIL("%s does not fault", #statement);                                                                     \
        }                                                                                                              \
        CHECK_EQ(seen.si_signo, sig);                                                                                  \
        CHECK_EQ(seen.si_code, code);                                                                                  \
        CHECK_EQ((uint64_t)seen.si_addr, (uint64_t)(address));                                                         \
    } while (0)

CASE(mmap, anonymous_is_zero)
{
    char *p = MAP_OK(mmap(NULL, 10 * PAGE, RW, ANON, -1, 0));
    for (size_t i = 0; i < 10 * PAGE; i++)
        CHECK_EQ(p[i], 0);
    memset(p, 7, 10 * PAGE);
    OK(munmap(p, 10 * PAGE));
    char *q = MAP_OK(mmap(NULL, 10 * PAGE, RW, ANON, -1, 0));
    for (size_t i = 0; i < 10 * PAGE; i++)
        CHECK_EQ(q[i], 0);
}

static uint64_t dig(int depth);

CASE(mmap, protection)
{
    catch_faults();
    volatile char *p = MAP_OK(mmap(NULL, 4 * PAGE, RW, ANON, -1, 0));
    p[0] = 1;
    OK(mprotect((void *)p, PAGE, PROT_READ));
    CHECK_EQ(p[0], 1);
    FAULTS(SIGSEGV, SEGV_ACCERR, p + 5, p[5] = 1);
    OK(mprotect((void *)p, PAGE, PROT_NONE));
    FAULTS(SIGSEGV, SEGV_ACCERR, p + 6, (void)p[6]);
    OK(mprotect((void *)p, PAGE, RW));
    p[5] = 2;
    CHECK_EQ(p[0], 1);
    /* a page never touched */
    OK(mprotect((void *)(p + PAGE), PAGE, PROT_READ));
    CHECK_EQ(p[PAGE], 0);
    FAULTS(SIGSEGV, SEGV_ACCERR, p + PAGE, p[PAGE] = 1);
    OK(munmap((void *)(p + 2 * PAGE), PAGE));
    FAULTS(SIGSEGV, SEGV_MAPERR, p + 2 * PAGE + 8, (void)p[2 * PAGE + 8]);
    FAULTS(SIGSEGV, SEGV_MAPERR, 24, (void)*(volatile char *)24);
    FAULTS(SIGSEGV, SEGV_ACCERR, p, ((void (*)(void))p)());
    FAULTS(SIGSEGV, SEGV_MAPERR, 0x7000000000, (void)*(volatile char *)0x7000000000);
    FAULTS(SIGSEGV, SEGV_ACCERR, &dig, *(volatile int *)&dig = 1);
}

CASE(mmap, execute)
{
    uint32_t *p = MAP_OK(mmap(NULL, PAGE, RW, ANON, -1, 0));
    p[0] = 0x52800540; /* mov w0, #42 */
    p[1] = 0xd65f03c0; /* ret */
    OK(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
    __builtin___clear_cache((char *)p, (char *)(p + 2));
    CHECK_EQ(((int (*)(void))p)(), 42);
    uint32_t *q = MAP_OK(mmap(NULL, PAGE, RW | PROT_EXEC, ANON, -1, 0));
    for (int i = 0; i < 20; i++) {
        q[0] = 0x52800000 | i << 5;
        q[1] = 0xd65f03c0;
        __builtin___clear_cache((char *)q, (char *)(q + 2));
        CHECK_EQ(((int (*)(void))q)(), i);
    }
}

CASE(mmap, split_and_partial_unmap)
{
    catch_faults();
    volatile char *p = MAP_OK(mmap(NULL, 16 * PAGE, RW, ANON, -1, 0));
    for (int i = 0; i < 16; i++)
        p[i * PAGE] = i;
    OK(munmap((void *)(p + 4 * PAGE), 4 * PAGE));
    OK(mprotect((void *)(p + 10 * PAGE), 2 * PAGE, PROT_READ));
    for (int i = 0; i < 16; i++)
        if (i >= 4 && i < 8)
            FAULTS(SIGSEGV, SEGV_MAPERR, p + i * PAGE, (void)p[i * PAGE]);
        else
            CHECK_EQ(p[i * PAGE], i);
    FAULTS(SIGSEGV, SEGV_ACCERR, p + 11 * PAGE, p[11 * PAGE] = 1);
    p[12 * PAGE] = 1;
    /* across the hole */
    OK(munmap((void *)p, 16 * PAGE));
    FAULTS(SIGSEGV, SEGV_MAPERR, p, (void)p[0]);
    OK(munmap((void *)p, 16 * PAGE));
}

CASE(mmap, fixed_and_hints)
{
    char *p = MAP_OK(mmap(NULL, 8 * PAGE, RW, ANON, -1, 0));
    memset(p, 1, 8 * PAGE);
    CHECK(mmap(p + 2 * PAGE, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0) == p + 2 * PAGE);
    CHECK_EQ(p[2 * PAGE], 0);
    CHECK_EQ(p[PAGE], 1);
    CHECK_EQ(p[4 * PAGE], 1);
    ERR(mmap(p + 1, PAGE, RW, ANON | MAP_FIXED, -1, 0), EINVAL);
    ERR(mmap(p, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
    OK(munmap(p, 8 * PAGE));
    CHECK(mmap(p, PAGE, RW, ANON, -1, 0) == p);
    char *other = MAP_OK(mmap(p, PAGE, RW, ANON, -1, 0));
    CHECK(other != p);
}

CASE(mmap, errors)
{
    ERR(mmap(NULL, 0, RW, ANON, -1, 0), EINVAL);
    ERR(mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0), EINVAL);
    ERR(mmap(NULL, PAGE, RW, MAP_PRIVATE, 999, 0), EBADF);
    ERR(mmap(NULL, 1UL << 60, RW, ANON, -1, 0), ENOMEM);
    ERR(mmap(NULL, -1UL, RW, ANON, -1, 0), ENOMEM);
    put_file("f", "x", 1, 0644);
    int ro = OK(open("f", O_RDONLY));
    ERR(mmap(NULL, PAGE, RW, MAP_SHARED, ro, 0), EACCES);
    ERR(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, ro, 100), EINVAL);
    int wo = OK(open("f", O_WRONLY));
    ERR(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, wo, 0), EACCES);
    int dir = OK(open(".", O_RDONLY));
    ERR(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, dir, 0), ENODEV);
    char *p = MAP_OK(mmap(NULL, PAGE, RW, ANON, -1, 0));
    ERR(munmap(p + 1, PAGE), EINVAL);
    ERR(munmap(p, 0), EINVAL);
    ERR(munmap((void *)(1UL << 52), PAGE), EINVAL);
    ERR(mprotect(p + 1, PAGE, RW), EINVAL);
    OK(munmap(p, PAGE));
    ERR(mprotect(p, PAGE, RW), ENOMEM);
    void *shared = MAP_OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, ro, 0));
    ERR(mprotect(shared, PAGE, RW), EACCES);
    OK(mprotect(p, 0, RW));
}

CASE(mmap, private_file)
{
    char data[2 * PAGE + 100];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = i * 3;
    put_file("f", data, sizeof data, 0644);
    int fd = OK(open("f", O_RDONLY));
    char *p = MAP_OK(mmap(NULL, 3 * PAGE, RW, MAP_PRIVATE, fd, 0));
    CHECK(memcmp(p, data, sizeof data) == 0);
    for (size_t i = sizeof data; i < 3 * PAGE; i++)
        CHECK_EQ(p[i], 0);
    p[10] = 99;
    p[PAGE] = 98;
    char *text = get_file("f", NULL);
    CHECK(memcmp(text, data, sizeof data) == 0);
    char *q = MAP_OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, PAGE));
    CHECK(memcmp(q, data + PAGE, PAGE) == 0);
    OK(close(fd));
    CHECK_EQ(q[1], data[PAGE + 1]);
    CHILD({
        CHECK_EQ(p[10], 99);
        p[10] = 97;
    });
    CHECK_EQ(p[10], 99);
}

CASE(mmap, shared_file)
{
    int fd = OK(open("f", O_CREAT | O_RDWR, 0644));
    OK(ftruncate(fd, 2 * PAGE));
    volatile char *p = MAP_OK(mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0));
    volatile char *q = MAP_OK(mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0));
    p[5] = 'a';
    CHECK_EQ(q[5], 'a');
    char c;
    CHECK_EQ(pread(fd, &c, 1, 5), 1);
    CHECK_EQ(c, 'a');
    CHECK_EQ(pwrite(fd, "b", 1, PAGE + 1), 1);
    CHECK_EQ(p[PAGE + 1], 'b');
    CHILD({
        p[7] = 'c';
        q[8] = 'd';
    });
    CHECK_EQ(q[7], 'c');
    CHECK_EQ(p[8], 'd');
    OK(msync((void *)p, 2 * PAGE, MS_SYNC));
    OK(munmap((void *)p, 2 * PAGE));
    CHECK_EQ(pread(fd, &c, 1, 8), 1);
    CHECK_EQ(c, 'd');
}

CASE(mmap, beyond_the_end_of_the_file_is_sigbus)
{
    catch_faults();
    put_file("f", "abc", 3, 0644);
    int fd = OK(open("f", O_RDWR));
    volatile char *p = MAP_OK(mmap(NULL, 3 * PAGE, RW, MAP_SHARED, fd, 0));
    CHECK_EQ(p[2], 'c');
    CHECK_EQ(p[100], 0);
    FAULTS(SIGBUS, BUS_ADRERR, p + PAGE + 4, (void)p[PAGE + 4]);
    OK(ftruncate(fd, 2 * PAGE));
    CHECK_EQ(p[PAGE + 4], 0);
    OK(ftruncate(fd, 0));
    FAULTS(SIGBUS, BUS_ADRERR, p + 1, (void)p[1]);
}

CASE(mmap, dev_zero_and_shared_anonymous)
{
    int fd = OK(open("/dev/zero", O_RDWR));
    char *p = MAP_OK(mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0));
    CHECK_EQ(p[100], 0);
    p[100] = 1;
    volatile char *s = MAP_OK(mmap(NULL, 20 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    CHILD({
        for (int i = 0; i < 20; i++)
            s[i * PAGE] = i;
    });
    for (int i = 0; i < 20; i++)
        CHECK_EQ(s[i * PAGE], i);
}

CASE(mmap, prot_none_reservation)
{
    catch_faults();
    const size_t size = 1UL << 36;
    char *p = MAP_OK(mmap(NULL, size, PROT_NONE, ANON | MAP_NORESERVE, -1, 0));
    FAULTS(SIGSEGV, SEGV_ACCERR, p + 12345, (void)*(volatile char *)(p + 12345));
    OK(mprotect(p + (size >> 1), PAGE, RW));
    p[size >> 1] = 1;
    OK(munmap(p, size));
}

CASE(mmap, mremap)
{
    volatile char *p = MAP_OK(mmap(NULL, 4 * PAGE, RW, ANON, -1, 0));
    for (int i = 0; i < 4; i++)
        p[i * PAGE] = i + 1;
    volatile char *q = MAP_OK(mremap((void *)p, 4 * PAGE, 200 * PAGE, MREMAP_MAYMOVE));
    for (int i = 0; i < 4; i++)
        CHECK_EQ(q[i * PAGE], i + 1);
    CHECK_EQ(q[100 * PAGE], 0);
    q[199 * PAGE] = 9;
    CHECK(mremap((void *)q, 200 * PAGE, 2 * PAGE, 0) == (void *)q);
    CHECK_EQ(q[PAGE], 2);
    catch_faults();
    FAULTS(SIGSEGV, SEGV_MAPERR, q + 2 * PAGE, (void)q[2 * PAGE]);
    char *place = MAP_OK(mmap(NULL, 2 * PAGE, PROT_NONE, ANON, -1, 0));
    volatile char *r = mremap((void *)q, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place);
    CHECK(r == place);
    CHECK_EQ(r[PAGE], 2);
    FAULTS(SIGSEGV, SEGV_MAPERR, q, (void)q[0]);
    ERR(mremap((void *)(r + 1), PAGE, PAGE, 0), EINVAL);
    ERR(mremap((void *)q, PAGE, 2 * PAGE, 0), EFAULT);
    ERR(mremap((void *)r, PAGE, 0, 0), EINVAL);
}

CASE(mmap, madvise)
{
    char *p = MAP_OK(mmap(NULL, 4 * PAGE, RW, ANON, -1, 0));
    memset(p, 5, 4 * PAGE);
    OK(madvise(p + PAGE, PAGE, MADV_DONTNEED));
    CHECK_EQ(p[0], 5);
    CHECK_EQ(p[PAGE], 0);
    CHECK_EQ(p[2 * PAGE], 5);
    OK(madvise(p, PAGE, MADV_WILLNEED));
    OK(madvise(p, PAGE, MADV_NORMAL));
    ERR(madvise(p + 1, PAGE, MADV_DONTNEED), EINVAL);
    ERR(madvise(p, PAGE, 12345), EINVAL);
}

CASE(mmap, many_mappings)
{
    char *p[300];
    for (int i = 0; i < 300; i++) {
        p[i] = MAP_OK(mmap(NULL, PAGE, i % 2 ? RW : PROT_READ, ANON, -1, 0));
        if (i % 2)
            p[i][0] = i;
    }
    CHILD({
        for (int i = 1; i < 300; i += 2)
            CHECK_EQ(p[i][0], (char)i);
    });
    for (int i = 0; i < 300; i++)
        OK(munmap(p[i], PAGE));
}

CASE(mmap, mincore_mlock_msync)
{
    char *p = MAP_OK(mmap(NULL, 4 * PAGE, RW, ANON, -1, 0));
    p[0] = 1;
    unsigned char vec[4];
    OK(mincore(p, 4 * PAGE, vec));
    CHECK_EQ(vec[0] & 1, 1);
    OK(mlock(p, 4 * PAGE));
    OK(munlock(p, 4 * PAGE));
    OK(msync(p, PAGE, MS_ASYNC));
    ERR(msync(p + 1, PAGE, MS_SYNC), EINVAL);
}

CASE(brk, grows_and_shrinks)
{
    char *start = sbrk(0);
    CHECK_EQ(brk(start + 100 * PAGE), 0);
    CHECK(sbrk(0) == start + 100 * PAGE);
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(start[i * PAGE], 0);
        start[i * PAGE] = 1;
    }
    CHECK_EQ(brk(start + 10 * PAGE), 0);
    CHECK_EQ(brk(start + 20 * PAGE), 0);
    CHECK_EQ(start[9 * PAGE], 1);
    CHECK_EQ(start[15 * PAGE], 0);
    /* the raw call gives the current end when it cannot */
    long now = syscall(SYS_brk, 0);
    CHECK_EQ(now, (long)(start + 20 * PAGE));
    CHECK_EQ(syscall(SYS_brk, 1), now);
    CHECK_EQ(syscall(SYS_brk, 1L << 60), now);
    catch_faults();
    volatile char *beyond = start + 21 * PAGE;
    FAULTS(SIGSEGV, SEGV_MAPERR, beyond, (void)*beyond);
    CHECK_EQ(brk(start), 0);
}

CASE(brk, unaligned)
{
    char *start = sbrk(0);
    CHECK_EQ(brk(start + 5), 0);
    CHECK(sbrk(0) == start + 5);
    start[4] = 1;
    CHECK_EQ(brk(start + PAGE + 7), 0);
    start[PAGE + 6] = 1;
    CHECK_EQ(start[4], 1);
}

static uint64_t __attribute__((noinline)) dig(int depth)
{
    volatile char block[8192];
    block[0] = depth;
    block[8191] = 1;
    return depth == 0 ? 0 : block[0] * 0 + 1 + dig(depth - 1);
}

CASE(stack, grows_by_need)
{
    CHECK_EQ(dig(700), 700); /* 5.6 MiB of the usual 8 */
}

CASE(stack, overflow_is_sigsegv)
{
    struct rlimit none = {0, 0};
    OK(setrlimit(RLIMIT_CORE, &none));
    DIES(SIGSEGV, dig(1 << 20));
}

CASE(stack, overflow_can_be_caught_on_another_stack)
{
    stack_t alt = {.ss_sp = malloc(65536), .ss_size = 65536};
    OK(sigaltstack(&alt, NULL));
    struct sigaction sa = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    OK(sigaction(SIGSEGV, &sa, NULL));
    if (sigsetjmp(back, 1) == 0) {
        dig(1 << 20);
        FAIL("the stack has no end");
    }
    CHECK_EQ(seen.si_signo, SIGSEGV);
}

CASE(stack, limits_in_proc_maps)
{
    char *maps = get_file("/proc/self/maps", NULL);
    char *line = strstr(maps, "[stack]");
    CHECK(line != NULL);
    CHECK(strstr(maps, "[heap]") != NULL);
    while (line > maps && line[-1] != '\n')
        line--;
    unsigned long from, to;
    CHECK_EQ(sscanf(line, "%lx-%lx", &from, &to), 2);
    CHECK((unsigned long)&from > from && (unsigned long)&from < to);
}

CASE(mmap, alignment_fault)
{
    catch_faults();
    /* exclusive accesses must be aligned */
    char *p = MAP_OK(mmap(NULL, PAGE, RW, ANON, -1, 0));
    uint64_t value;
    if (sigsetjmp(back, 1) == 0) {
        asm volatile("ldxr %0, [%1]" : "=r"(value) : "r"(p + 1) : "memory");
        FAIL("an unaligned ldxr does not fault");
    }
    CHECK_EQ(seen.si_signo, SIGBUS);
    CHECK_EQ(seen.si_code, BUS_ADRALN);
    /* plain ones need not */
    *(volatile uint64_t *)(p + 3) = 0x1122334455667788;
    CHECK_EQ(*(volatile uint64_t *)(p + 3), 0x1122334455667788);
}

CASE(mmap, enomem_is_survived)
{
    /* more than there is, touched: the program may get ENOMEM or be killed, the system must live */
    pid_t pid = xfork();
    if (pid == 0) {
        struct rlimit limit = {64 << 20, 64 << 20};
        OK(setrlimit(RLIMIT_AS, &limit));
        ERR(mmap(NULL, 256 << 20, RW, ANON, -1, 0), ENOMEM);
        _exit(0);
    }
    child_ok(pid);
}
