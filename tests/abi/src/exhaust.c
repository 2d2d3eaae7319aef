/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What runs out: memory, processes, space in the file system. A program may fail or die of it; the system goes on, and what
 * was taken comes back. These cases need a machine of their own, small enough to be filled quickly: they run only when named.
 */
#include "abi.h"

/* A new process can be made, run a program, and its memory be had. */
static void still_works(void)
{
    CHILD(execl(abi_self, "abi", "--helper", "exit", "0", NULL));
    CHILD({
        char *p = MAP_OK(mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        memset(p, 1, 1 << 20);
    });
}

/* Does it twice: what the first time leaves behind may be kept for later use, the second time must take nothing more. */
static void twice(void (*body)(void))
{
    body();
    still_works();
    long before = meminfo("MemFree:"), after = 0;
    body();
    still_works();
    for (int i = 0; i < 200 && (after = meminfo("MemFree:")) < before - 2048; i++)
        sleep_ms(10);
    if (after < before - 2048)
        FAIL("free memory went from %ld to %ld KiB", before, after);
}

static void memory_by_mmap(void)
{
    pid_t pid = xfork();
    if (pid == 0) {
        for (int i = 0; i < 4096; i++) {
            char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (p == MAP_FAILED) {
                CHECK_EQ(errno, ENOMEM);
                _exit(0);
            }
            for (size_t at = 0; at < 1 << 20; at += PAGE)
                p[at] = 1;
        }
        _exit(1);
    }
    int status = child_status(pid);
    if (status != 0 && !(WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGBUS)))
        FAIL("the greedy child's wait status is 0x%x", status);
}

CASE_T(exhaust, memory_by_mmap, 120)
{
    twice(memory_by_mmap);
}

static void memory_by_several_at_once(void)
{
    pid_t pids[4];
    for (int k = 0; k < 4; k++) {
        pids[k] = xfork();
        if (pids[k] == 0) {
            for (int i = 0; i < 4096; i++) {
                char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                if (p == MAP_FAILED)
                    break;
                memset(p, 1, 1 << 20);
            }
            _exit(0);
        }
    }
    for (int k = 0; k < 4; k++)
        child_status(pids[k]);
}

CASE_T(exhaust, memory_by_several_at_once, 120)
{
    twice(memory_by_several_at_once);
}

static void memory_by_copy_on_write(void)
{
    long free = meminfo("MemFree:");
    size_t size = free / 5 * 2 * 1024;
    size -= size % PAGE;
    pid_t pid = xfork();
    if (pid == 0) {
        char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED)
            _exit(0);
        memset(p, 1, size);
        for (int k = 0; k < 3; k++)
            if (fork() == 0) {
                for (size_t at = 0; at < size; at += PAGE)
                    p[at] = 2;
                sleep_ms(200);
                _exit(0);
            }
        while (wait(NULL) > 0)
            ;
        _exit(0);
    }
    child_status(pid);
    sleep_ms(300); /* what its end has orphaned */
}

CASE_T(exhaust, memory_by_copy_on_write, 120)
{
    twice(memory_by_copy_on_write);
}

static void processes(void)
{
    static pid_t pids[2000];
    int n = 0;
    for (; n < 2000; n++) {
        pids[n] = fork();
        if (pids[n] < 0) {
            CHECK(errno == EAGAIN || errno == ENOMEM);
            break;
        }
        if (pids[n] == 0)
            for (;;)
                pause();
    }
    CHECK(n >= 50);
    for (int i = 0; i < n; i++)
        kill(pids[i], SIGKILL);
    for (int i = 0; i < n; i++)
        child_killed(pids[i], SIGKILL);
}

CASE_T(exhaust, processes, 120)
{
    twice(processes);
}

static void file_system(void)
{
    static char block[1 << 16];
    memset(block, 'x', sizeof block);
    int fd = OK(open("big", O_CREAT | O_RDWR, 0644));
    off_t size = 0;
    ssize_t n;
    while ((n = write(fd, block, sizeof block)) > 0)
        size += n;
    CHECK_EQ(errno, ENOSPC);
    CHECK(size > 4 << 20);
    /* what was written is there, and reading goes on */
    struct stat st;
    OK(fstat(fd, &st));
    CHECK_EQ(st.st_size, size);
    CHECK_EQ(pread(fd, block, 4096, size - 4096), 4096);
    CHECK_EQ(block[4095], 'x');
    OK(close(fd));
    OK(unlink("big"));
    put_file("small", "fits again", 10, 0644);
}

CASE_T(exhaust, file_system, 120)
{
    twice(file_system);
}

static void pipes(void)
{
    CHILD({
        static char block[65536];
        for (int i = 0; i < 2000; i++) {
            int fds[2];
            if (pipe2(fds, O_NONBLOCK) != 0) {
                CHECK(errno == EMFILE || errno == ENFILE || errno == ENOMEM);
                break;
            }
            if (write(fds[1], block, sizeof block) < 0)
                CHECK(errno == EAGAIN || errno == ENOMEM);
        }
    });
}

CASE_T(exhaust, pipes, 120)
{
    twice(pipes);
}

static void mappings(void)
{
    CHILD({
        /* every second page, so that nothing merges */
        char *p = MAP_OK(mmap(NULL, 200000 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
        int i = 0;
        for (; i < 100000; i++)
            if (mprotect(p + 2 * i * PAGE, PAGE, PROT_READ | PROT_WRITE) != 0) {
                CHECK_EQ(errno, ENOMEM);
                break;
            }
        CHECK(i > 1000);
    });
}

CASE_T(exhaust, mappings, 120)
{
    twice(mappings);
}
