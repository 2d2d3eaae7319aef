/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Bad pointers: EFAULT, never death.
 */
#include "abi.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/uio.h>

static int fds[2], zero, file, dir;

static void prepare(void)
{
    OK(pipe(fds));
    OK(write(fds[1], "0123456789", 10));
    zero = OK(open("/dev/zero", O_RDWR));
    put_file("f", "contents", 8, 0644);
    file = OK(open("f", O_RDWR));
    dir = OK(open(".", O_RDONLY));
}

/* Every call that takes a pointer, each with the pointer p. */
static void try_all(long p, const char *what)
{
#define BAD(...)                                                                                                       \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        long r_ = syscall(__VA_ARGS__);                                                                                \
        if (r_ != -1 || errno != EFAULT)                                                                               \
            FAIL("%s with %s (0x%lx) gave %ld, errno %d", #__VA_ARGS__, what, p, r_, errno);                           \
    } while (0)
    BAD(SYS_read, fds[0], p, 5);
    BAD(SYS_read, zero, p, 5);
    BAD(SYS_read, file, p, 5);
    BAD(SYS_pread64, file, p, 5, 0);
    BAD(SYS_write, fds[1], p, 5);
    BAD(SYS_write, file, p, 5);
    BAD(SYS_pwrite64, file, p, 5, 0);
    BAD(SYS_readv, fds[0], p, 1);
    BAD(SYS_writev, file, p, 1);
    BAD(SYS_openat, AT_FDCWD, p, 0, 0);
    BAD(SYS_mkdirat, AT_FDCWD, p, 0755);
    BAD(SYS_unlinkat, AT_FDCWD, p, 0);
    BAD(SYS_symlinkat, "x", AT_FDCWD, p);
    BAD(SYS_symlinkat, p, AT_FDCWD, "x");
    BAD(SYS_linkat, AT_FDCWD, p, AT_FDCWD, "x", 0);
    BAD(SYS_renameat2, AT_FDCWD, "f", AT_FDCWD, p, 0);
    BAD(SYS_readlinkat, AT_FDCWD, p, "x", 1);
    BAD(SYS_newfstatat, AT_FDCWD, "f", p, 0);
    BAD(SYS_newfstatat, AT_FDCWD, p, "this is long enough for a struct stat, which has one hundred and twenty-eight "
        "bytes on this architecture, at least; but it is not written to", 0);
    BAD(SYS_fstat, file, p);
    BAD(SYS_faccessat, AT_FDCWD, p, 0);
    BAD(SYS_fchmodat, AT_FDCWD, p, 0644);
    BAD(SYS_fchownat, AT_FDCWD, p, 0, 0, 0);
    BAD(SYS_chdir, p);
    BAD(SYS_truncate, p, 0);
    BAD(SYS_utimensat, AT_FDCWD, "f", p, 0);
    BAD(SYS_statfs, "/", p);
    BAD(SYS_getcwd, p, 100);
    BAD(SYS_getdents64, dir, p, 1000);
    BAD(SYS_pipe2, p, 0);
    BAD(SYS_execve, p, NULL, NULL);
    BAD(SYS_execve, "/bin/true", p, NULL);
    BAD(SYS_execve, "/bin/true", NULL, p);
    BAD(SYS_clock_gettime, CLOCK_MONOTONIC, p);
    BAD(SYS_clock_gettime, CLOCK_REALTIME, p);
    BAD(SYS_gettimeofday, p, NULL);
    BAD(SYS_nanosleep, p, NULL);
    BAD(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, p, NULL);
    BAD(SYS_times, p);
    BAD(SYS_getrusage, RUSAGE_SELF, p);
    BAD(SYS_uname, p);
    BAD(SYS_sysinfo, p);
    BAD(SYS_getrandom, p, 16, 0);
    BAD(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, p);
    BAD(SYS_prlimit64, 0, RLIMIT_NOFILE, p, NULL);
    BAD(SYS_rt_sigaction, SIGUSR1, p, NULL, 8);
    BAD(SYS_rt_sigaction, SIGUSR1, NULL, p, 8);
    BAD(SYS_rt_sigprocmask, SIG_BLOCK, p, NULL, 8);
    BAD(SYS_rt_sigprocmask, SIG_BLOCK, NULL, p, 8);
    BAD(SYS_rt_sigpending, p, 8);
    BAD(SYS_rt_sigsuspend, p, 8);
    BAD(SYS_sigaltstack, p, NULL);
    BAD(SYS_getitimer, ITIMER_REAL, p);
    BAD(SYS_setitimer, ITIMER_REAL, p, NULL);
    BAD(SYS_ppoll, p, 1, NULL, NULL, 0);
    BAD(SYS_pselect6, 3, p, NULL, NULL, NULL, NULL);
    BAD(SYS_getresuid, p, p, p);
    BAD(SYS_fcntl, file, F_GETLK, p);
    BAD(SYS_sendfile, fds[1], file, p, 10);
#undef BAD
}

CASE(efault, null_page)
{
    prepare();
    try_all(8, "an address in the first page");
}

CASE(efault, unmapped)
{
    prepare();
    char *p = MAP_OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    OK(munmap(p, PAGE));
    try_all((long)p, "an unmapped address");
}

CASE(efault, no_access)
{
    prepare();
    char *p = MAP_OK(mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    try_all((long)p, "a page without access");
}

CASE(efault, kernel_half)
{
    prepare();
    try_all((long)0xffff000000001000, "an address in the kernel's half");
    try_all((long)0xffffffffffffff00, "the end of the address space");
    try_all((long)0xffffff8000100000, "an address of the kernel's image");
}

CASE(efault, beyond_user_space)
{
    prepare();
    try_all(0x0001000000000000, "an address beyond user space");
    try_all(0x7f00000000000000, "a non-canonical address");
}

CASE(efault, read_only_target)
{
    prepare();
    char *p = MAP_OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ERR(read(zero, p, 10), EFAULT);
    ERR(fstat(file, (struct stat *)p), EFAULT);
    ERR(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, p), EFAULT);
    ERR(pipe((int *)p), EFAULT);
    ERR(syscall(SYS_getcwd, p, 100), EFAULT);
    ERR(syscall(SYS_uname, p), EFAULT);
    ERR(syscall(SYS_getrandom, p, 10, 0), EFAULT);
    /* code is read-only too */
    ERR(read(zero, (void *)prepare, 4), EFAULT);
    OK(write(fds[1], (void *)prepare, 4));
    int fd = OK(open("/dev/null", O_WRONLY));
    CHECK_EQ(write(fd, p, 10), 10);
}

CASE(efault, partial)
{
    prepare();
    char *p = MAP_OK(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    OK(munmap(p + PAGE, PAGE));
    /* a name that ends where the mapping ends */
    strcpy(p + PAGE - 2, "f");
    OK(access(p + PAGE - 2, F_OK));
    /* a name without its end */
    memset(p + PAGE - 4, 'x', 4);
    ERR(access(p + PAGE - 4, F_OK), EFAULT);
    /* a structure across the edge */
    ERR(fstat(file, (struct stat *)(p + PAGE - 20)), EFAULT);
    ERR(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, p + PAGE - 8), EFAULT);
    /* data across the edge: what could be moved is told, or EFAULT */
    ssize_t n = read(zero, p + PAGE - 100, 200);
    CHECK((n > 0 && n <= 100) || (n == -1 && errno == EFAULT));
    n = write(file, p + PAGE - 100, 200);
    CHECK((n > 0 && n <= 100) || (n == -1 && errno == EFAULT));
    struct iovec v[2] = {{p, 4}, {(void *)16, 4}};
    n = writev(file, v, 2);
    CHECK(n == 4 || (n == -1 && errno == EFAULT));
}

CASE(efault, lengths_that_wrap)
{
    prepare();
    char c[16];
    ssize_t n = read(zero, c, (size_t)-1);
    CHECK(n == -1 && (errno == EFAULT || errno == EINVAL));
    n = read(zero, (void *)0x7fffffff0000, 1UL << 48);
    CHECK(n == -1 && (errno == EFAULT || errno == EINVAL));
    n = write(file, c, (size_t)-1);
    CHECK(n == -1 && (errno == EFAULT || errno == EINVAL));
    n = syscall(SYS_getrandom, c - 0, -1UL, 0);
    CHECK(n == -1 && (errno == EFAULT || errno == EINVAL));
}

CASE(efault, untouched_pages_are_fine)
{
    prepare();
    char *p = MAP_OK(mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    CHECK_EQ(read(file, p + PAGE, 8), 8);
    CHECK(memcmp(p + PAGE, "contents", 8) == 0);
    CHECK_EQ(read(zero, p + 2 * PAGE - 8, PAGE), PAGE);
    OK(fstat(file, (struct stat *)(p + 4 * PAGE)));
    CHECK_EQ(write(file, p + 5 * PAGE, 2 * PAGE), 2 * PAGE);
    static char bss[4 * PAGE];
    CHECK_EQ(read(zero, bss, sizeof bss), sizeof bss);
    /* a page still shared with a child */
    p[0] = 'p';
    int *go = shared_page();
    pid_t pid = xfork();
    if (pid == 0) {
        await(go);
        CHECK_EQ(p[0], 'p');
        _exit(0);
    }
    OK(pread(file, p, 1, 0));
    *go = 1;
    CHECK_EQ(p[0], 'c');
    child_ok(pid);
}
