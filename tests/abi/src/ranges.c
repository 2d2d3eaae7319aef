/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Calls about ranges of memory: other processes' memory, locks and their limit, promises, policies, keys.
 */
#include "abi.h"
#include <linux/mempolicy.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/uio.h>

static char *anon(size_t pages, int prot)
{
    return MAP_OK(mmap(NULL, pages * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static void as_user(void)
{
    OK(setresgid(1000, 1000, 1000));
    OK(setresuid(1000, 1000, 1000));
}

CASE(ranges, process_vm)
{
    static char theirs[3 * 4096], mine[3 * 4096];
    volatile int *p = shared_page();
    strcpy(theirs + 4090, "across pages");
    pid_t pid = xfork();
    if (pid == 0) {
        strcpy(theirs + 4090, "across PAGES");
        p[0] = 1;
        while (p[1] == 0)
            sleep_ms(1);
        _exit(strcmp(theirs, "written") == 0 ? 0 : 1);
    }
    await(&p[0]);
    struct iovec local[2] = {{mine, 6}, {mine + 100, 7}}, remote = {theirs + 4090, 13};
    CHECK_EQ(OK(process_vm_readv(pid, local, 2, &remote, 1, 0)), 13);
    CHECK(memcmp(mine, "across", 6) == 0 && strcmp(mine + 100, " PAGES") == 0);
    char text[] = "written";
    struct iovec from = {text, 8}, to = {theirs, 8};
    CHECK_EQ(OK(process_vm_writev(pid, &from, 1, &to, 1, 0)), 8);
    ERR(process_vm_readv(pid, local, 2, &remote, 1, 1), EINVAL);
    ERR(process_vm_readv(0x3ffff0, local, 2, &remote, 1, 0), ESRCH);
    struct iovec bad = {(void *)16, 8};
    ERR(process_vm_readv(pid, local, 2, &bad, 1, 0), EFAULT);
    ERR(process_vm_readv(pid, &bad, 1, &remote, 1, 0), EFAULT);
    CHECK_EQ(process_vm_readv(pid, local, 0, &remote, 1, 0), 0);
    /* as far as it goes */
    struct iovec two[2] = {{theirs, 8}, {(void *)16, 8}}, big = {mine, 100};
    CHECK_EQ(OK(process_vm_readv(pid, &big, 1, two, 2, 0)), 8);
    CHILD(as_user(); ERR(process_vm_readv(pid, &big, 1, two, 2, 0), EPERM));
    p[1] = 1;
    child_ok(pid);
}

CASE(ranges, locks_count)
{
    char *a = anon(8, PROT_READ | PROT_WRITE);
    unsigned char here[8];
    OK(mlock(a, PAGE));
    OK(mincore(a, 2 * PAGE, here));
    CHECK_EQ(here[0] & 1, 1);
    ERR(madvise(a, PAGE, MADV_DONTNEED), EINVAL);
    OK(madvise(a, PAGE, 24 /* MADV_DONTNEED_LOCKED */));
    OK(munlock(a, PAGE));
    OK(madvise(a, PAGE, MADV_DONTNEED));
    ERR(mlock(a, 100 * PAGE), ENOMEM);
    ERR(mlock2(a, PAGE, 2), EINVAL);
    OK(mlock2(a, PAGE, 1));
    OK(munlock(a, PAGE));
    struct rlimit r = {4 * PAGE, 4 * PAGE};
    OK(setrlimit(RLIMIT_MEMLOCK, &r));
    OK(mlock(a, 8 * PAGE)); /* root may */
    OK(munlock(a, 8 * PAGE));
    as_user();
    OK(mlock(a, 4 * PAGE));
    OK(mlock(a, 4 * PAGE));
    ERR(mlock(a + 4 * PAGE, PAGE), ENOMEM);
    ERR(mlockall(MCL_CURRENT), ENOMEM);
    void *m = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
    CHECK(m == MAP_FAILED && errno == EAGAIN);
    OK(munmap(a, PAGE));
    OK(mlock(a + 4 * PAGE, PAGE));
    CHILD(OK(mlock(a + 5 * PAGE, 3 * PAGE)));
    OK(munlockall());
    OK(mlock(a + 5 * PAGE, 3 * PAGE));
    OK(munlockall());
    r.rlim_cur = r.rlim_max = 0;
    OK(setrlimit(RLIMIT_MEMLOCK, &r));
    ERR(mlock(a + 4 * PAGE, PAGE), EPERM);
    ERR(mlockall(MCL_CURRENT), EPERM);
}

CASE(ranges, future_mappings_are_locked)
{
    ERR(mlockall(0), EINVAL);
    ERR(mlockall(MCL_ONFAULT), EINVAL);
    ERR(mlockall(8), EINVAL);
    OK(mlockall(MCL_FUTURE));
    char *a = anon(4, PROT_READ | PROT_WRITE);
    unsigned char here[4];
    OK(mincore(a, 4 * PAGE, here));
    for (int i = 0; i < 4; i++)
        CHECK_EQ(here[i] & 1, 1);
    OK(mlockall(MCL_FUTURE | MCL_ONFAULT));
    a = anon(4, PROT_READ | PROT_WRITE);
    OK(mincore(a, 4 * PAGE, here));
    CHECK_EQ(here[0] & 1, 0);
    ERR(madvise(a, PAGE, MADV_DONTNEED), EINVAL);
    OK(munlockall());
    OK(madvise(a, PAGE, MADV_DONTNEED));
    a = MAP_OK(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0));
    OK(mincore(a, 2 * PAGE, here));
    CHECK_EQ(here[1] & 1, 1);
}

CASE(ranges, overcommit)
{
    long total = meminfo("MemTotal");
    CHECK(total > 0);
    size_t far = (size_t)total * 1024 + (64UL << 20);
    void *m = mmap(NULL, far, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(m == MAP_FAILED && errno == ENOMEM);
    m = MAP_OK(mmap(NULL, far, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    OK(munmap(m, far));
    m = MAP_OK(mmap(NULL, far, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    OK(munmap(m, far));
    put_file("/proc/sys/vm/overcommit_memory", "1\n", 2, 0644);
    m = mmap(NULL, far, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    put_file("/proc/sys/vm/overcommit_memory", "2\n", 2, 0644);
    char *now = get_file("/proc/sys/vm/overcommit_memory", NULL);
    void *n = mmap(NULL, (size_t)total * 600, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    int e = errno;
    put_file("/proc/sys/vm/overcommit_memory", "0\n", 2, 0644);
    CHECK(m != MAP_FAILED);
    CHECK(n == MAP_FAILED && e == ENOMEM);
    CHECK(strcmp(now, "2\n") == 0);
    CHECK(meminfo("CommitLimit") > 0);
    CHECK(meminfo("Committed_AS") > 0);
    int fd = OK(open("/proc/sys/vm/overcommit_memory", O_WRONLY));
    ERR(write(fd, "3", 1), EINVAL);
    ERR(write(fd, "x", 1), EINVAL);
}

CASE(ranges, mremap_flags)
{
    char *a = anon(4, PROT_READ | PROT_WRITE);
    memset(a, 7, 4 * PAGE);
    char *b = MAP_OK(mremap(a, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | 4 /* DONTUNMAP */));
    CHECK(a != b && b[PAGE] == 7 && a[PAGE] == 0);
    ERR((long)mremap(a, 4 * PAGE, 4 * PAGE, 4), EINVAL);
    ERR((long)mremap(a, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | 4), EINVAL);
    char *area = anon(16, PROT_NONE);
    char *c = MAP_OK(mremap(b, 4 * PAGE, 6 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, area + 4 * PAGE));
    CHECK(c == area + 4 * PAGE && c[3 * PAGE] == 7 && c[5 * PAGE] == 0);
    ERR((long)mremap(b, PAGE, PAGE, MREMAP_MAYMOVE), EFAULT);
    ERR((long)mremap(c, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, c + PAGE), EINVAL);
    ERR((long)mremap(c + 1, PAGE, PAGE, MREMAP_MAYMOVE), EINVAL);
    ERR((long)mremap(c, PAGE, 0, MREMAP_MAYMOVE), EINVAL);
    ERR((long)mremap(c, PAGE, PAGE, MREMAP_FIXED, area), EINVAL);
    ERR((long)mremap(c, PAGE, PAGE, 8), EINVAL);
}

CASE(ranges, advice)
{
    char *a = anon(4, PROT_READ | PROT_WRITE);
    memset(a, 7, 4 * PAGE);
    OK(madvise(a, PAGE, MADV_COLD));
    OK(madvise(a, PAGE, MADV_PAGEOUT));
    CHECK_EQ(a[0], 7);
    OK(madvise(a, PAGE, MADV_WIPEONFORK));
    OK(madvise(a + PAGE, PAGE, MADV_DONTFORK));
    pid_t pid = xfork();
    if (pid == 0) {
        CHECK_EQ(a[0], 0);
        CHECK_EQ(a[2 * PAGE], 7);
        unsigned char v;
        ERR(mincore(a + PAGE, PAGE, &v), ENOMEM);
        _exit(0);
    }
    child_ok(pid);
    OK(madvise(a, PAGE, MADV_KEEPONFORK));
    OK(madvise(a + PAGE, PAGE, MADV_DOFORK));
    CHILD(CHECK_EQ(a[0], 7); CHECK_EQ(a[PAGE], 7));
    OK(madvise(a, PAGE, MADV_FREE));
    OK(madvise(a + PAGE, PAGE, MADV_DONTNEED));
    CHECK_EQ(a[PAGE], 0);
    char *b = anon(4, PROT_READ | PROT_WRITE);
    unsigned char here[4];
    OK(madvise(b, 2 * PAGE, 23 /* POPULATE_WRITE */));
    OK(mincore(b, 4 * PAGE, here));
    CHECK((here[0] & 1) && (here[1] & 1) && !(here[2] & 1));
    OK(mprotect(b, PAGE, PROT_READ));
    ERR(madvise(b, PAGE, 23), EINVAL);
    OK(madvise(b, PAGE, 22));
    ERR(madvise(b, PAGE, 12345), EINVAL);
    ERR(madvise(b + 1, PAGE, MADV_NORMAL), EINVAL);
    OK(munmap(b + PAGE, PAGE));
    ERR(madvise(b, 3 * PAGE, MADV_DONTNEED), ENOMEM);
    OK(madvise(b, 0, MADV_DONTNEED));
}

CASE(ranges, of_another_process)
{
    char *a = anon(2, PROT_READ | PROT_WRITE);
    pid_t pid = xfork();
    if (pid == 0)
        for (;;)
            pause();
    int fd = OK(syscall(434, pid, 0));
    struct iovec v = {a, 2 * PAGE};
    CHECK_EQ(OK(syscall(440, fd, &v, 1, MADV_COLD, 0)), 2 * PAGE);
    CHECK_EQ(OK(syscall(440, fd, &v, 1, MADV_WILLNEED, 0)), 2 * PAGE);
    ERR(syscall(440, fd, &v, 1, MADV_DONTNEED, 0), EINVAL);
    ERR(syscall(440, fd, &v, 1, MADV_COLD, 1), EINVAL);
    ERR(syscall(440, 0, &v, 1, MADV_COLD, 0), EBADF);
    ERR(syscall(440, fd, (void *)16, 1, MADV_COLD, 0), EFAULT);
    CHILD(as_user(); ERR(syscall(440, fd, &v, 1, MADV_COLD, 0), EACCES));
    kill(pid, SIGKILL);
    child_killed(pid, SIGKILL);
}

CASE(ranges, policies)
{
    int mode = -1;
    unsigned long nodes = 0;
    OK(syscall(SYS_get_mempolicy, &mode, &nodes, 64, NULL, 0));
    CHECK_EQ(mode, MPOL_DEFAULT);
    nodes = 1;
    OK(syscall(SYS_set_mempolicy, MPOL_BIND, &nodes, 64));
    OK(syscall(SYS_get_mempolicy, &mode, &nodes, 64, NULL, 0));
    CHECK_EQ(mode, MPOL_BIND);
    CHECK_EQ(nodes, 1);
    OK(syscall(SYS_set_mempolicy, MPOL_INTERLEAVE, &nodes, 64));
    ERR(syscall(SYS_set_mempolicy, MPOL_BIND, NULL, 0), EINVAL);
    ERR(syscall(SYS_set_mempolicy, MPOL_DEFAULT, &nodes, 64), EINVAL);
    ERR(syscall(SYS_set_mempolicy, 77, &nodes, 64), EINVAL);
    OK(syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0));
    char *a = anon(2, PROT_READ | PROT_WRITE);
    OK(syscall(SYS_mbind, a, PAGE, MPOL_BIND, &nodes, 64, 0));
    ERR(syscall(SYS_mbind, a + 1, PAGE, MPOL_BIND, &nodes, 64, 0), EINVAL);
    ERR(syscall(SYS_mbind, a, PAGE, MPOL_BIND, &nodes, 64, 99), EINVAL);
    OK(syscall(SYS_get_mempolicy, NULL, &nodes, 64, NULL, MPOL_F_MEMS_ALLOWED));
    CHECK_EQ(nodes, 1);
    ERR(syscall(SYS_get_mempolicy, &mode, &nodes, 64, a, 0), EINVAL);
}

CASE(ranges, keys)
{
    /* arm64 has none (before 6.12) */
    ERR(syscall(SYS_pkey_alloc, 0, 0), ENOSYS);
    ERR(syscall(SYS_pkey_free, 1), ENOSYS);
    char *a = anon(1, PROT_READ);
    ERR(syscall(SYS_pkey_mprotect, a, PAGE, PROT_READ | PROT_WRITE, -1), ENOSYS);
    OK(pkey_mprotect(a, PAGE, PROT_READ | PROT_WRITE, -1));
    a[0] = 1;
}

CASE(ranges, map_flags)
{
    char *a = anon(4, PROT_READ);
    void *m = mmap(a + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    CHECK(m == MAP_FAILED && errno == EEXIST);
    OK(munmap(a + PAGE, PAGE));
    m = mmap(a + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    CHECK(m == a + PAGE);
    int fd = OK(open("f", O_CREAT | O_RDWR, 0600));
    OK(ftruncate(fd, PAGE));
    MAP_OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE, fd, 0));
    m = mmap(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | 0x80000 /* MAP_SYNC */, fd, 0);
    CHECK(m == MAP_FAILED && errno == EOPNOTSUPP);
    m = mmap((void *)PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK(m != MAP_FAILED || errno == EPERM);
    char *g = MAP_OK(mmap(NULL, 16 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    OK(munmap(g, 16 * PAGE));
    g = MAP_OK(mmap(g + 15 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0));
    g[0] = 1;
    g[-1] = 2;
    g[-(long)PAGE - 1] = 3;
    CHECK_EQ(g[-1], 2);
    ERR(msync(g, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
    ERR(msync(g + 1, PAGE, MS_SYNC), EINVAL);
    ERR(msync(g, PAGE, 64), EINVAL);
}

CASE_T(ranges, long_arguments, 30)
{
    /* 128 KiB for one string, with its NUL */
    size_t big = 131072;
    char *s = malloc(big + 1);
    memset(s, 'x', big);
    s[big] = 0;
    char *argv[] = {"true", s, NULL}, *none[] = {NULL};
    pid_t pid = xfork();
    if (pid == 0) {
        execve("/bin/true", argv, none);
        _exit(errno == E2BIG ? 0 : 1);
    }
    child_ok(pid);
    s[big - 1] = 0;
    pid = xfork();
    if (pid == 0) {
        execve("/bin/true", argv, none);
        _exit(1);
    }
    child_ok(pid);
    /* 1.5 MiB in all pass, 3 MiB do not */
    s[100000] = 0;
    char *many[33] = {"true"};
    for (int i = 1; i <= 15; i++)
        many[i] = s;
    pid = xfork();
    if (pid == 0) {
        execve("/bin/true", many, none);
        _exit(1);
    }
    child_ok(pid);
    for (int i = 1; i <= 31; i++)
        many[i] = s;
    pid = xfork();
    if (pid == 0) {
        execve("/bin/true", many, none);
        _exit(errno == E2BIG ? 0 : 1);
    }
    child_ok(pid);
}
