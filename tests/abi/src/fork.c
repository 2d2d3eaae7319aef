/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * fork with copy-on-write, exit, and the statuses that wait4 and waitid tell.
 */
#include "abi.h"
#include <sys/resource.h>

static int global = 1;

CASE(fork, data_diverges)
{
    int local = 10;
    int *heap = malloc(sizeof *heap);
    int *mapped = MAP_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    *heap = 100;
    *mapped = 1000;
    pid_t pid = xfork();
    if (pid == 0) {
        CHECK(global == 1 && local == 10 && *heap == 100 && *mapped == 1000);
        global = 2, local = 20, *heap = 200, *mapped = 2000;
        CHECK(global == 2 && local == 20 && *heap == 200 && *mapped == 2000);
        _exit(0);
    }
    child_ok(pid);
    CHECK(global == 1 && local == 10 && *heap == 100 && *mapped == 1000);
    pid = xfork();
    if (pid == 0) {
        sleep_ms(10);
        CHECK(global == 1 && local == 10 && *heap == 100 && *mapped == 1000);
        _exit(0);
    }
    global = 3, local = 30, *heap = 300, *mapped = 3000;
    child_ok(pid);
}

CASE(fork, large_memory_is_copied_on_write)
{
    const size_t pages = 512;
    uint64_t *p = MAP_OK(mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    for (size_t i = 0; i < pages; i++)
        p[i * 512] = i;
    for (int round = 0; round < 3; round++) {
        pid_t pid = xfork();
        if (pid == 0) {
            for (size_t i = 0; i < pages; i += 2) {
                CHECK_EQ(p[i * 512], i);
                p[i * 512] = ~i;
            }
            for (size_t i = 0; i < pages; i++)
                CHECK_EQ(p[i * 512], i % 2 ? i : ~i);
            _exit(0);
        }
        child_ok(pid);
    }
    for (size_t i = 0; i < pages; i++)
        CHECK_EQ(p[i * 512], i);
}

static void deeper(int depth, int *stack_value)
{
    int mine = depth;
    CHECK_EQ(*stack_value, depth + 1);
    CHECK_EQ(global, depth + 1);
    global = depth;
    if (depth > 0) {
        pid_t pid = xfork();
        if (pid == 0) {
            deeper(depth - 1, &mine);
            _exit(0);
        }
        child_ok(pid);
    }
    CHECK_EQ(global, depth);
    CHECK_EQ(mine, depth);
}

CASE(fork, deep_chain)
{
    int start = 25;
    global = 25;
    deeper(24, &start);
}

CASE(fork, many_at_once)
{
    pid_t pids[40];
    for (int i = 0; i < 40; i++) {
        pids[i] = xfork();
        if (pids[i] == 0) {
            sched_yield();
            _exit(i);
        }
    }
    for (int i = 39; i >= 0; i--)
        CHECK_EQ(child_status(pids[i]), i << 8);
}

CASE(fork, shared_mapping_stays_shared)
{
    volatile int *p = shared_page();
    pid_t pid = xfork();
    if (pid == 0) {
        p[0] = 42;
        _exit(0);
    }
    child_ok(pid);
    CHECK_EQ(p[0], 42);
}

CASE(fork, child_of_page_never_touched)
{
    volatile char *p = MAP_OK(mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    pid_t pid = xfork();
    for (int i = 0; i < 16; i++) {
        CHECK_EQ(p[i * PAGE], 0);
        p[i * PAGE] = pid == 0 ? 1 : 2;
    }
    for (int i = 0; i < 16; i++)
        CHECK_EQ(p[i * PAGE], pid == 0 ? 1 : 2);
    if (pid == 0)
        _exit(0);
    child_ok(pid);
}

CASE(fork, kernel_writes_break_sharing)
{
    char *p = MAP_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    strcpy(p, "parent");
    int fds[2];
    OK(pipe(fds));
    OK(write(fds[1], "child", 6));
    pid_t pid = xfork();
    if (pid == 0) {
        CHECK_EQ(read(fds[0], p, 6), 6);
        CHECK(strcmp(p, "child") == 0);
        _exit(0);
    }
    child_ok(pid);
    CHECK(strcmp(p, "parent") == 0);
}

CASE(fork, ids)
{
    pid_t parent = getpid();
    int fds[2];
    OK(pipe(fds));
    pid_t pid = xfork();
    if (pid == 0) {
        pid_t ids[4] = {getpid(), getppid(), syscall(SYS_gettid), getpgrp()};
        OK(write(fds[1], ids, sizeof ids));
        _exit(0);
    }
    pid_t ids[4];
    CHECK_EQ(read(fds[0], ids, sizeof ids), sizeof ids);
    CHECK_EQ(ids[0], pid);
    CHECK_EQ(ids[1], parent);
    CHECK_EQ(ids[2], pid);
    CHECK_EQ(ids[3], getpgrp());
    child_ok(pid);
}

CASE(fork, vfork_shares_memory_and_waits)
{
    volatile int seen = 0;
    pid_t pid = vfork();
    if (pid == 0) {
        seen = 1;
        _exit(3);
    }
    CHECK(pid > 0);
    CHECK_EQ(seen, 1);
    CHECK_EQ(child_status(pid), 3 << 8);
}

CASE(fork, vfork_exec)
{
    for (int i = 0; i < 5; i++) {
        pid_t pid = vfork();
        if (pid == 0) {
            execl(abi_self, "abi", "--helper", "exit", "5", NULL);
            _exit(99);
        }
        CHECK_EQ(child_status(pid), 5 << 8);
    }
}

CASE(fork, orphan_gets_a_new_parent)
{
    int fds[2];
    OK(pipe(fds));
    pid_t pid = xfork();
    if (pid == 0) {
        pid_t me = getpid();
        if (fork() == 0) {
            while (getppid() == me)
                sleep_ms(1);
            pid_t now = getppid();
            write(fds[1], &now, sizeof now);
            _exit(0);
        }
        _exit(0);
    }
    child_ok(pid);
    pid_t now;
    CHECK_EQ(read(fds[0], &now, sizeof now), sizeof now);
    CHECK_EQ(now, 1);
}

CASE(wait, exit_statuses)
{
    for (int code = 0; code < 256; code += 15) {
        pid_t pid = xfork();
        if (pid == 0)
            _exit(code);
        int status;
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        CHECK(WIFEXITED(status));
        CHECK_EQ(WEXITSTATUS(status), code);
        CHECK_EQ(status, code << 8);
    }
    pid_t pid = xfork();
    if (pid == 0)
        _exit(0x12345);
    CHECK_EQ(child_status(pid), 0x4500);
}

CASE(wait, killed_statuses)
{
    static const int sigs[] = {SIGHUP, SIGINT, SIGKILL, SIGUSR1, SIGPIPE, SIGALRM, SIGTERM, SIGUSR2, SIGVTALRM,
                               SIGPROF, SIGIO, SIGPWR, SIGSTKFLT, 34, 50, 64};
    for (size_t i = 0; i < COUNT(sigs); i++) {
        pid_t pid = xfork();
        if (pid == 0) {
            syscall(SYS_kill, getpid(), sigs[i]);
            _exit(99);
        }
        CHECK_EQ(child_status(pid), sigs[i]);
    }
    static const int cores[] = {SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS};
    struct rlimit none = {0, 0};
    OK(setrlimit(RLIMIT_CORE, &none));
    for (size_t i = 0; i < COUNT(cores); i++)
        DIES(cores[i], kill(getpid(), cores[i]));
    /* ignored by default */
    static const int harmless[] = {SIGCHLD, SIGCONT, SIGURG, SIGWINCH};
    for (size_t i = 0; i < COUNT(harmless); i++)
        CHILD(kill(getpid(), harmless[i]));
}

CASE(wait, echild)
{
    int status;
    ERR(waitpid(-1, &status, 0), ECHILD);
    ERR(waitpid(-1, &status, WNOHANG), ECHILD);
    ERR(waitpid(getppid(), &status, 0), ECHILD);
    ERR(waitpid(0x3ffffff, &status, 0), ECHILD);
    pid_t pid = xfork();
    if (pid == 0)
        _exit(0);
    child_ok(pid);
    ERR(waitpid(pid, &status, 0), ECHILD);
}

CASE(wait, einval)
{
    int status;
    ERR(waitpid(-1, &status, 0x1000), EINVAL);
}

CASE(wait, wnohang)
{
    int fds[2], status = 77;
    OK(pipe(fds));
    pid_t pid = xfork();
    if (pid == 0) {
        char c;
        close(fds[1]);
        read(fds[0], &c, 1);
        _exit(9);
    }
    CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
    CHECK_EQ(waitpid(-1, &status, WNOHANG), 0);
    CHECK_EQ(status, 77);
    OK(close(fds[1]));
    CHECK_EQ(child_status(pid), 9 << 8);
}

CASE(wait, any_child_and_group)
{
    pid_t a = xfork();
    if (a == 0)
        _exit(1);
    int status;
    CHECK_EQ(waitpid(-1, &status, 0), a);
    CHECK_EQ(status, 1 << 8);
    pid_t b = xfork();
    if (b == 0)
        _exit(2);
    CHECK_EQ(waitpid(0, &status, 0), b);
    pid_t c = xfork();
    if (c == 0) {
        setpgid(0, 0);
        sleep_ms(20);
        _exit(3);
    }
    setpgid(c, c);
    ERR(waitpid(0, &status, 0), ECHILD);
    CHECK_EQ(waitpid(-c, &status, 0), c);
    CHECK_EQ(status, 3 << 8);
}

CASE(wait, null_status_and_rusage)
{
    struct rusage usage;
    memset(&usage, 0xff, sizeof usage);
    pid_t pid = xfork();
    if (pid == 0)
        _exit(0);
    CHECK_EQ(wait4(pid, NULL, 0, &usage), pid);
    CHECK(usage.ru_utime.tv_sec >= 0 && usage.ru_utime.tv_sec < 100);
}

CASE(wait, stopped_and_continued)
{
    volatile int *told = shared_page();
    pid_t pid = xfork();
    if (pid == 0) {
        raise(SIGSTOP);
        /* Its end would take the place of the news that it goes on. */
        await(told);
        _exit(6);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    CHECK(WIFSTOPPED(status));
    CHECK_EQ(WSTOPSIG(status), SIGSTOP);
    CHECK_EQ(status, 0x137f);
    CHECK_EQ(waitpid(pid, &status, WUNTRACED | WCONTINUED | WNOHANG), 0);
    OK(kill(pid, SIGCONT));
    CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
    CHECK(WIFCONTINUED(status));
    CHECK_EQ(status, 0xffff);
    *told = 1;
    CHECK_EQ(child_status(pid), 6 << 8);
}

CASE(wait, stopped_not_reported_without_wuntraced)
{
    pid_t pid = xfork();
    if (pid == 0) {
        raise(SIGSTOP);
        _exit(0);
    }
    await_state(pid, 'T');
    int status;
    CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
    OK(kill(pid, SIGKILL));
    child_killed(pid, SIGKILL);
}

CASE(wait, waitid)
{
    siginfo_t info;
    pid_t pid = xfork();
    if (pid == 0)
        _exit(33);
    memset(&info, 0, sizeof info);
    OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
    CHECK_EQ(info.si_signo, SIGCHLD);
    CHECK_EQ(info.si_code, CLD_EXITED);
    CHECK_EQ(info.si_status, 33);
    CHECK_EQ(info.si_pid, pid);
    CHECK_EQ(info.si_uid, getuid());
    memset(&info, 0, sizeof info);
    OK(waitid(P_ALL, 0, &info, WEXITED));
    CHECK_EQ(info.si_pid, pid);
    ERR(waitid(P_ALL, 0, &info, WEXITED), ECHILD);
    ERR(waitid(P_ALL, 0, &info, 0), EINVAL);
    pid = xfork();
    if (pid == 0)
        for (;;)
            sleep_ms(1000);
    info.si_pid = 1;
    OK(waitid(P_PID, pid, &info, WEXITED | WNOHANG));
    CHECK_EQ(info.si_pid, 0);
    OK(kill(pid, SIGKILL));
    OK(waitid(P_PID, pid, &info, WEXITED));
    CHECK_EQ(info.si_code, CLD_KILLED);
    CHECK_EQ(info.si_status, SIGKILL);
}

CASE(wait, zombie_until_waited_for)
{
    pid_t pid = xfork();
    if (pid == 0)
        _exit(0);
    await_state(pid, 'Z');
    OK(kill(pid, 0));
    OK(kill(pid, SIGTERM));
    child_ok(pid);
    ERR(kill(pid, 0), ESRCH);
}

CASE(wait, sigchld_ignored_reaps)
{
    on_signal(SIGCHLD, SIG_IGN, 0);
    pid_t pid = xfork();
    if (pid == 0)
        _exit(0);
    int status;
    ERR(waitpid(pid, &status, 0), ECHILD);
    ERR(kill(pid, 0), ESRCH);
}

CASE(wait, blocked_waiter_wakes)
{
    pid_t pid = xfork();
    if (pid == 0) {
        sleep_ms(30);
        _exit(1);
    }
    int64_t before = now_ms();
    CHECK_EQ(child_status(pid), 1 << 8);
    CHECK(now_ms() - before >= 15);
}

CASE(wait, exit_group_ends_all_threads_status)
{
    pid_t pid = xfork();
    if (pid == 0) {
        syscall(SYS_exit, 12);
        _exit(99);
    }
    CHECK_EQ(child_status(pid), 12 << 8);
}

CASE(wait, crash_statuses)
{
    struct rlimit none = {0, 0};
    OK(setrlimit(RLIMIT_CORE, &none));
    DIES(SIGSEGV, *(volatile int *)8 = 1);
    DIES(SIGSEGV, ((void (*)(void))16)());
    DIES(SIGILL, asm volatile("udf #0"));
    DIES(SIGTRAP, asm volatile("brk #0"));
    DIES(SIGBUS, ((void (*)(void))((uint64_t)getpid | 1))());
    DIES(SIGSEGV, *(volatile int *)0xffff000000000000 = 1);
    DIES(SIGSEGV, *(volatile int *)0x00f0000000000000 = 1);
    DIES(SIGABRT, abort());
    /* stack run into the ground */
    DIES(SIGSEGV, asm volatile("mov sp, %0; str x0, [sp, #-16]!" ::"r"(PAGE) : "memory"));
}

CASE_T(mem, returned_after_1000_forks, 60)
{
    /* warm up what is kept for later */
    for (int i = 0; i < 50; i++)
        CHILD((void)0);
    long before = meminfo("MemFree:");
    if (before < 0)
        SKIP("no MemFree in /proc/meminfo");
    char *p = MAP_OK(mmap(NULL, 32 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    memset(p, 1, 32 * PAGE);
    for (int i = 0; i < 1000; i++) {
        pid_t pid = xfork();
        if (pid == 0) {
            for (int k = 0; k < 32; k += 4)
                p[k * PAGE] = 2;
            _exit(0);
        }
        child_ok(pid);
    }
    OK(munmap(p, 32 * PAGE));
    long after = meminfo("MemFree:");
    if (before - after > 2048)
        FAIL("free memory went from %ld to %ld KiB", before, after);
}

CASE_T(mem, returned_after_execs_and_crashes, 60)
{
    for (int i = 0; i < 10; i++) {
        pid_t pid = xfork();
        if (pid == 0)
            execl(abi_self, "abi", "--helper", "exit", "0", NULL);
        child_ok(pid);
    }
    long before = meminfo("MemFree:");
    if (before < 0)
        SKIP("no MemFree in /proc/meminfo");
    for (int i = 0; i < 100; i++) {
        pid_t pid = xfork();
        if (pid == 0) {
            if (i % 2)
                execl(abi_self, "abi", "--helper", "exit", "0", NULL);
            char *p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            memset(p, 1, 64 * PAGE);
            *(volatile int *)8 = 1;
        }
        int status = child_status(pid);
        CHECK(i % 2 ? status == 0 : WIFSIGNALED(status));
    }
    long after = meminfo("MemFree:");
    if (before - after > 2048)
        FAIL("free memory went from %ld to %ld KiB", before, after);
}

CASE(mem, freed_by_munmap)
{
    const size_t size = 8 << 20;
    long before = meminfo("MemFree:");
    if (before < 0)
        SKIP("no MemFree in /proc/meminfo");
    if (before < 12 * 1024)
        SKIP("only %ld KiB free", before);
    char *p = MAP_OK(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    memset(p, 1, size);
    long during = meminfo("MemFree:");
    if (before - during < 4 * 1024)
        FAIL("8 MiB were touched, free memory went from %ld to %ld KiB only", before, during);
    OK(munmap(p, size));
    long after = meminfo("MemFree:");
    if (before - after > 1024)
        FAIL("free memory went from %ld to %ld KiB", before, after);
}
