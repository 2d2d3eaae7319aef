/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Memory.
 */
#include "stress.h"

STRESS(map_unmap, 20000, 500)
{
    for (long i = 0; i < count; i++) {
        size_t size = (1 + i % 64) * PAGE;
        char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(p != MAP_FAILED);
        p[0] = p[size - 1] = 1;
        CHECK(munmap(p, size) == 0);
    }
}

/* Addresses all over, so that page tables come and go. */
STRESS(page_tables, 3000, 200)
{
    for (long i = 0; i < count; i++) {
        char *at = (char *)(0x100000000UL + (i % 1500) * 0x40000000UL);
        char *p = mmap(at, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        CHECK(p == at);
        *p = 1;
        CHECK(i % 2 || munmap(p, PAGE) == 0);
    }
}

/* Much more than there is, of which little is used. */
STRESS(sparse_quarter_gib, 256, 32)
{
    for (long i = 0; i < count; i++) {
        char *p = mmap(NULL, 1UL << 28, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        CHECK(p != MAP_FAILED);
        for (size_t at = 0; at < 1UL << 28; at += 16UL << 20)
            p[at] = 1;
    }
}

STRESS(grow_and_shrink, 2000, 100)
{
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t size = PAGE;
    for (long i = 0; i < count; i++) {
        size_t next = (1 + (i * 37) % 300) * PAGE;
        p = mremap(p, size, next, MREMAP_MAYMOVE);
        CHECK(p != MAP_FAILED);
        size = next;
        memset(p, 1, size);
        CHECK(sbrk(i % 2 ? -65536 : 65536) != (void *)-1);
    }
}

STRESS(shared_memory, 300, 20)
{
    for (long i = 0; i < count; i++) {
        int *p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        CHECK(p != MAP_FAILED);
        pid_t pid = xfork();
        if (pid == 0) {
            for (int k = 0; k < 64; k++)
                p[k * PAGE / sizeof *p] = k + i;
            _exit(0);
        }
        child_ok(pid);
        for (int k = 0; k < 64; k++)
            CHECK(p[k * PAGE / sizeof *p] == k + i);
        CHECK(munmap(p, 64 * PAGE) == 0);
    }
}

STRESS(copy_on_write, 300, 20)
{
    char *p = mmap(NULL, 256 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(p, 7, 256 * PAGE);
    for (long i = 0; i < count; i++) {
        pid_t pid = xfork();
        if (pid == 0) {
            memset(p, i, 256 * PAGE);
            _exit(0);
        }
        p[(i % 256) * PAGE] = 7;
        child_ok(pid);
    }
    for (long k = 0; k < 256; k++)
        CHECK(p[k * PAGE] == 7 && p[k * PAGE + 1] == 7);
}

/* One process takes all there is; others work on, undisturbed, and start others, or are told that there is no memory. If one
 * must end, it is the greedy one. */
STRESS(memory_pressure, 5, 1)
{
    for (long round = 0; round < count; round++) {
        int tell[2];
        char byte;
        CHECK(pipe(tell) == 0);
        pid_t worker = xfork();
        if (worker == 0) {
            static unsigned char mine[64 * PAGE];
            memset(mine, 0x77, sizeof mine);
            CHECK(write(tell[1], "r", 1) == 1);
            for (int i = 0; i < 300; i++) {
                int fds[2];
                for (size_t at = 0; at < sizeof mine; at++)
                    CHECK(mine[at] == 0x77);
                if (pipe(fds) == 0)
                    close(fds[0]), close(fds[1]);
                else
                    CHECK(errno == ENOMEM);
                pid_t pid = fork();
                if (pid == 0)
                    _exit(0);
                if (pid > 0) {
                    int status;
                    CHECK(waitpid(pid, &status, 0) == pid);
                    CHECK(status == 0);
                } else {
                    CHECK(errno == ENOMEM || errno == EAGAIN);
                }
                sleep_ms(1);
            }
            _exit(0);
        }
        CHECK(read(tell[0], &byte, 1) == 1);
        pid_t greedy = xfork();
        if (greedy == 0) {
            for (;;) {
                char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                if (p == MAP_FAILED)
                    break;
                for (size_t at = 0; at < 1 << 20; at += PAGE)
                    p[at] = 1;
            }
            sleep_ms(300);
            _exit(0);
        }
        int status;
        CHECK(waitpid(greedy, &status, 0) == greedy);
        CHECK(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
        child_ok(worker);
        close(tell[0]), close(tell[1]);
    }
}
