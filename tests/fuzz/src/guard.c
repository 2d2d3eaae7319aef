/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The guard: a process that nothing the workers do may touch. It owns memory, files, a pipe's contents and registers, and
 * looks at all of it whenever it is asked.
 */
#include "fuzz.h"

#define GUARD_PAGES 256UL
#define SECRET "/guard/secret"

static uint64_t pattern(uint64_t at)
{
    uint64_t x = at * 0x9e3779b97f4a7c15ULL + 0x1234567;
    return x ^ x >> 29;
}

/* 0 if the vector registers keep what is in them over a call. */
static int vectors(void)
{
    uint64_t a, b, c, d;
    __asm__ volatile("movi v8.16b, #0x5a\n movi v15.16b, #0xa5\n movi v31.16b, #0x3c\n movi v0.16b, #0x11\n"
                     "mov x8, #124\n svc #0\n"
                     "umov %0, v8.d[1]\n umov %1, v15.d[0]\n umov %2, v31.d[1]\n umov %3, v0.d[0]\n"
                     : "=r"(a), "=r"(b), "=r"(c), "=r"(d)
                     :
                     : "x0", "x8", "v0", "v8", "v15", "v31", "memory");
    int bad = a != 0x5a5a5a5a5a5a5a5aULL || b != 0xa5a5a5a5a5a5a5a5ULL || c != 0x3c3c3c3c3c3c3c3cULL || d != 0x1111111111111111ULL;
    return bad;
}

static const char *check(uint64_t *memory, int file, int pipe_in)
{
    for (uint64_t i = 0; i < GUARD_PAGES * PAGE / 8; i++)
        if (memory[i] != pattern(i))
            return "the guard's memory has changed";
    uint64_t block[512];
    if (pread(file, block, sizeof block, 0) != sizeof block)
        return "the guard's file cannot be read";
    for (uint64_t i = 0; i < 512; i++)
        if (block[i] != pattern(i))
            return "the guard's file has changed";
    struct stat a, b;
    if (stat(SECRET, &a) != 0 || fstat(file, &b) != 0 || a.st_ino != b.st_ino || a.st_size != (off_t)sizeof block ||
        a.st_uid != 0 || (a.st_mode & 07777) != 0600)
        return "the guard's file is another one";
    int waiting = 0;
    if (syscall(SYS_ioctl, pipe_in, 0x541B, &waiting) != 0 || waiting != 1000)
        return "the guard's pipe holds something else";
    if (getuid() != 0 || getppid() != 1)
        return "the guard is somebody else";
    if (vectors())
        return "the guard's vector registers have changed";
    return NULL;
}

_Noreturn void guard_main(int in, int out)
{
    uint64_t *memory = mmap(NULL, GUARD_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (uint64_t i = 0; memory != MAP_FAILED && i < GUARD_PAGES * PAGE / 8; i++)
        memory[i] = pattern(i);
    mkdir("/guard", 0700);
    int file = open(SECRET, O_RDWR | O_CREAT | O_TRUNC, 0600);
    int fds[2];
    char ask;
    if (memory == MAP_FAILED || file < 0 || write(file, memory, 4096) != 4096 || pipe(fds) != 0 ||
        write(fds[1], memory, 1000) != 1000)
        _exit(3);
    while (read(in, &ask, 1) == 1) {
        const char *bad = ask == 'c' ? check(memory, file, fds[0]) : vectors() ? "the guard's registers" : "";
        char answer[128];
        memset(answer, 0, sizeof answer);
        snprintf(answer, sizeof answer, "%s", bad ? bad : "");
        if (write(out, answer, sizeof answer) != sizeof answer)
            break;
    }
    _exit(0);
}
