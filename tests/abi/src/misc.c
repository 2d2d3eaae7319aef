/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What programs ask about the system, procfs, and system calls that make no sense.
 */
#include "abi.h"
#include <dirent.h>
#include <sys/random.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <termios.h>

CASE(info, uname)
{
    struct utsname u;
    OK(uname(&u));
    CHECK(strcmp(u.sysname, "Linux") == 0);
    CHECK(strcmp(u.machine, "aarch64") == 0);
    CHECK(u.release[0] >= '4' && u.release[0] <= '9');
    CHECK(u.nodename[0] && u.version[0]);
}

CASE(info, hostname)
{
    if (geteuid() != 0)
        SKIP("not root");
    char old[65];
    OK(gethostname(old, sizeof old));
    OK(sethostname("tested", 6));
    struct utsname u;
    OK(uname(&u));
    OK(sethostname(old, strlen(old)));
    CHECK(strcmp(u.nodename, "tested") == 0);
    static char big[100];
    ERR(sethostname(big, 100), EINVAL);
}

CASE(info, sysinfo)
{
    struct sysinfo s;
    OK(sysinfo(&s));
    CHECK(s.uptime >= 0 && s.totalram > 4 << 20 && s.freeram <= s.totalram && s.mem_unit >= 1);
    CHECK(s.procs >= 1);
    CHECK_EQ(sysconf(_SC_PAGESIZE), 4096);
    CHECK(sysconf(_SC_NPROCESSORS_ONLN) >= 1);
    CHECK(sysconf(_SC_PHYS_PAGES) > 1000);
}

CASE(info, getrandom)
{
    unsigned char a[256], b[256];
    CHECK_EQ(getrandom(a, sizeof a, 0), sizeof a);
    CHECK_EQ(getrandom(b, sizeof b, GRND_NONBLOCK), sizeof b);
    CHECK(memcmp(a, b, sizeof a) != 0);
    int ones = 0;
    for (size_t i = 0; i < sizeof a; i++)
        ones += __builtin_popcount(a[i]);
    CHECK(ones > 850 && ones < 1200);
    CHECK_EQ(getrandom(a, 0, 0), 0);
    ERR(getrandom(a, 1, 0x100), EINVAL);
    size_t big = 100000;
    char *p = malloc(big);
    CHECK(getrandom(p, big, 0) > 0);
    /* two processes get different bytes */
    unsigned char *shared = shared_page();
    CHILD(OK(getrandom(shared, 32, 0)));
    CHECK_EQ(getrandom(b, 32, 0), 32);
    CHECK(memcmp(shared, b, 32) != 0);
}

static long field(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at ? strtol(at + strlen(name), NULL, 10) : -1;
}

CASE(proc, self)
{
    char link[64];
    ssize_t n = OK(readlink("/proc/self", link, sizeof link - 1));
    link[n] = 0;
    CHECK_EQ(atoi(link), getpid());
    char *status = get_file("/proc/self/status", NULL);
    CHECK_EQ(field(status, "\nPid:"), getpid());
    CHECK_EQ(field(status, "\nPPid:"), getppid());
    CHECK_EQ(field(status, "\nTgid:"), getpid());
    CHECK_EQ(field(status, "\nUid:"), getuid());
    CHECK_EQ(field(status, "\nThreads:"), 1);
    CHECK(field(status, "\nVmRSS:") > 10);
    CHECK(strncmp(status, "Name:\tabi", 9) == 0);
    size_t len;
    char *cmdline = get_file("/proc/self/cmdline", &len);
    CHECK(len > 3 && cmdline[len - 1] == 0 && strstr(cmdline, "abi"));
    n = OK(readlink("/proc/self/exe", link, sizeof link - 1));
    CHECK(n > 3 && memcmp(link + n - 3, "abi", 3) == 0);
    char cwd[128], want[128];
    n = OK(readlink("/proc/self/cwd", cwd, sizeof cwd - 1));
    cwd[n] = 0;
    CHECK(getcwd(want, sizeof want) && strcmp(cwd, want) == 0);
    n = OK(readlink("/proc/self/root", cwd, sizeof cwd));
    CHECK(n == 1 && cwd[0] == '/');
}

CASE(proc, stat_fields)
{
    char *text = get_file("/proc/self/stat", NULL);
    int pid, ppid, pgrp, session;
    char state, name[32];
    CHECK_EQ(sscanf(text, "%d (%31[^)]) %c %d %d %d", &pid, name, &state, &ppid, &pgrp, &session), 6);
    CHECK_EQ(pid, getpid());
    CHECK_EQ(ppid, getppid());
    CHECK_EQ(pgrp, getpgrp());
    CHECK_EQ(session, getsid(0));
    CHECK_EQ(state, 'R');
    int fields = 1;
    for (char *p = strrchr(text, ')'); *p; p++)
        fields += *p == ' ';
    CHECK(fields >= 50);
    pid_t child = xfork();
    if (child == 0)
        for (;;)
            sleep_ms(1000);
    await_state(child, 'S');
    OK(kill(child, SIGKILL));
    child_killed(child, SIGKILL);
}

CASE(proc, maps)
{
    char *p = MAP_OK(mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    OK(mprotect(p, PAGE, PROT_READ));
    char *maps = get_file("/proc/self/maps", NULL);
    unsigned long from, to;
    char flags[5];
    int found = 0, text = 0;
    for (char *line = maps; line && *line; line = strchr(line, '\n') + 1) {
        CHECK_EQ(sscanf(line, "%lx-%lx %4s", &from, &to, flags), 3);
        CHECK(from < to);
        if (from == (unsigned long)p) {
            CHECK_EQ(to - from, PAGE);
            CHECK(strcmp(flags, "r--p") == 0);
            found = 1;
        }
        if ((unsigned long)field >= from && (unsigned long)field < to) {
            CHECK(strcmp(flags, "r-xp") == 0);
            char *end = strchr(line, '\n');
            CHECK(memcmp(end - 3, "abi", 3) == 0);
            text = 1;
        }
    }
    CHECK(found && text);
}

CASE(proc, fd)
{
    put_file("f", "text", 4, 0644);
    int fd = OK(open("f", O_RDONLY));
    char path[64], link[256], cwd[200];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t n = OK(readlink(path, link, sizeof link - 1));
    link[n] = 0;
    CHECK(getcwd(cwd, sizeof cwd) != NULL);
    strcat(cwd, "/f");
    CHECK(strcmp(link, cwd) == 0);
    OK(unlink("f"));
    int again = OK(open(path, O_RDONLY));
    char buffer[8];
    CHECK_EQ(read(again, buffer, 8), 4);
    n = OK(readlink(path, link, sizeof link - 1));
    link[n] = 0;
    strcat(cwd, " (deleted)");
    CHECK(strcmp(link, cwd) == 0);
    int fds[2];
    OK(pipe(fds));
    snprintf(path, sizeof path, "/proc/self/fd/%d", fds[0]);
    n = OK(readlink(path, link, sizeof link - 1));
    CHECK(memcmp(link, "pipe:[", 6) == 0);
    int count = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d))
        count++;
    CHECK(count >= 2 + 3 + 4);
    ERR(readlink("/proc/self/fd/999", link, sizeof link), ENOENT);
}

CASE(proc, processes_come_and_go)
{
    char path[64];
    pid_t pid = xfork();
    if (pid == 0)
        for (;;)
            sleep_ms(1000);
    snprintf(path, sizeof path, "/proc/%d", pid);
    OK(access(path, F_OK));
    int seen = 0;
    DIR *d = opendir("/proc");
    struct dirent *e;
    while ((e = readdir(d)))
        seen |= atoi(e->d_name) == pid;
    closedir(d);
    CHECK(seen);
    int dir = OK(open(path, O_RDONLY | O_DIRECTORY));
    OK(kill(pid, SIGKILL));
    child_killed(pid, SIGKILL);
    ERR(access(path, F_OK), ENOENT);
    errno = 0;
    CHECK(openat(dir, "stat", O_RDONLY) == -1 && (errno == ESRCH || errno == ENOENT));
    ERR(access("/proc/99999999", F_OK), ENOENT);
    ERR(mkdir("/proc/x", 0755), ENOENT);
}

CASE(proc, system_files)
{
    static const struct { const char *path, *has; } files[] = {
        {"/proc/meminfo", "MemTotal:"},
        {"/proc/uptime", "."},
        {"/proc/loadavg", "/"},
        {"/proc/stat", "cpu"},
        {"/proc/mounts", " / "},
        {"/proc/version", "Linux version"},
        {"/proc/filesystems", "tmpfs"},
        {"/proc/cpuinfo", "processor"},
        {"/proc/self/mounts", " / "},
        {"/proc/self/mountinfo", " / "},
        {"/proc/self/comm", "abi"},
        {"/proc/sys/kernel/ostype", "Linux"},
        {"/proc/sys/kernel/hostname", ""},
        {"/proc/sys/kernel/pid_max", ""},
        {"/proc/sys/vm/overcommit_memory", ""},
        {"/proc/cmdline", ""},
    };
    for (size_t i = 0; i < COUNT(files); i++) {
        char *text = get_file(files[i].path, NULL);
        if (!strstr(text, files[i].has))
            FAIL("%s has no \"%s\"", files[i].path, files[i].has);
        free(text);
    }
    CHECK(meminfo("MemTotal:") > 4096);
    CHECK(meminfo("MemFree:") > 0 && meminfo("MemFree:") < meminfo("MemTotal:"));
    CHECK(meminfo("MemAvailable:") > 0);
}

CASE(proc, small_reads_and_seeks)
{
    char *whole = get_file("/proc/self/status", NULL);
    int fd = OK(open("/proc/self/status", O_RDONLY));
    char c, line[64];
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(read(fd, &c, 1), 1);
        CHECK_EQ(c, whole[i]);
    }
    CHECK_EQ(pread(fd, line, 10, 5), 10);
    CHECK(memcmp(line, whole + 5, 10) == 0);
    OK(lseek(fd, 0, SEEK_SET));
    CHECK_EQ(read(fd, &c, 1), 1);
    CHECK_EQ(c, whole[0]);
    ERR(open("/proc/self/status", O_WRONLY | O_CREAT | O_EXCL, 0600), EEXIST);
}

CASE(tty, ioctls_on_what_is_no_terminal)
{
    struct termios t;
    int fd = OK(open("/dev/null", O_RDWR));
    ERR(tcgetattr(fd, &t), ENOTTY);
    CHECK_EQ(isatty(fd), 0);
    int fds[2];
    OK(pipe(fds));
    ERR(tcgetattr(fds[0], &t), ENOTTY);
    ERR(syscall(SYS_ioctl, 999, 0x5401, &t), EBADF);
    ERR(syscall(SYS_ioctl, fd, 0x12345678, &t), ENOTTY);
}

/* Numbers that no kernel of this architecture has. */
CASE(unknown, numbers_give_enosys)
{
    static const long odd[] = {463, 470, 499, 500, 600, 999, 1000, 1024, 4095, 0x7fffffff, -1, -2, 0x10000,
                               0x100000000 + 9999, 0x7fffffffffffffff};
    for (size_t i = 0; i < COUNT(odd); i++)
        ERR(syscall(odd[i], 1, 2, 3, 4, 5, 6), ENOSYS);
    for (long nr = 244; nr < 260; nr++) /* architecture-specific ones, of which arm64 has none */
        ERR(syscall(nr, 0, 0, 0, 0, 0, 0), ENOSYS);
    for (long nr = 600; nr < 1000; nr++)
        ERR(syscall(nr, -1, -1, -1, -1, -1, -1), ENOSYS);
}

/* Calls that end the caller, stop it, wait for long, or would change the system for the cases after this one. */
static bool left_out(long nr)
{
    switch (nr) {
    case SYS_exit:
    case SYS_exit_group:
    case SYS_rt_sigreturn:
    case SYS_reboot:
    case SYS_kill:
    case SYS_tkill:
    case SYS_tgkill:
    case SYS_rt_sigqueueinfo:
    case SYS_rt_tgsigqueueinfo:
    case SYS_pidfd_send_signal:
    case SYS_clone:
    case SYS_clone3:
    case SYS_vhangup:
    case SYS_settimeofday:
    case SYS_clock_settime:
    case SYS_clock_adjtime:
    case SYS_adjtimex:
    case SYS_sethostname:
    case SYS_setdomainname:
    case SYS_chroot:
    case SYS_pivot_root:
    case SYS_mount:
    case SYS_umount2:
    case SYS_move_mount:
    case SYS_unlinkat:
    case SYS_renameat:
    case SYS_renameat2:
    case SYS_swapon:
    case SYS_swapoff:
    case SYS_syslog:
    case SYS_unshare:
    case SYS_setns:
    case SYS_acct:
    case SYS_kexec_load:
    case SYS_kexec_file_load:
    case SYS_ptrace:
    case SYS_prlimit64: /* of others */
    case SYS_setrlimit:
        return true;
    default:
        return false;
    }
}

static void nothing(int sig)
{
    (void)sig;
}

/* One call of every number, in a child each: the child may die or block, the system may not. */
CASE_T(unknown, every_number_with_zeroes_and_minus_ones, 120)
{
    for (long nr = 0; nr < 463; nr++) {
        if (left_out(nr))
            continue;
        pid_t pid = xfork();
        if (pid == 0) {
            /* nothing of the case itself may be hit: own group, own session, no descriptors */
            setsid();
            struct itimerval it = {{0, 3000}, {0, 3000}};
            struct sigaction sa = {.sa_handler = nothing};
            sigaction(SIGALRM, &sa, NULL);
            alarm(0);
            setitimer(ITIMER_REAL, &it, NULL);
            for (int fd = 0; fd < 16; fd++)
                close(fd);
            syscall(nr, 0, 0, 0, 0, 0, 0);
            syscall(nr, -1, -1, -1, -1, -1, -1);
            syscall(nr, 3, 1, 1, 1, 1, 1);
            _exit(0);
        }
        int status, waited = 0;
        while (waitpid(pid, &status, WNOHANG) == 0) {
            if (waited++ > 40)
                kill(pid, SIGKILL);
            sleep_ms(1);
        }
    }
}

/* Random numbers with random arguments, of which some are good: whatever the calls do, the system lives. */
static void fuzz(uint64_t seed)
{
    pid_t pid = xfork();
    if (pid == 0) {
        setsid();
        if (setgid(65534) != 0 || setuid(65534) != 0)
            _exit(1);
        char *page = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        int fds[2];
        if (pipe2(fds, O_NONBLOCK) != 0)
            _exit(1);
        for (int fd = 0; fd < 3; fd++)
            dup2(fds[0], fd);
        struct sigaction sa = {.sa_handler = nothing};
        sigaction(SIGALRM, &sa, NULL);
        struct itimerval it = {{0, 2000}, {0, 2000}};
        setitimer(ITIMER_REAL, &it, NULL);
        uint64_t state = seed;
        for (int i = 0; i < 300; i++) {
            long nr = rnd(&state) % 463;
            if (left_out(nr) || nr == SYS_setitimer || nr == SYS_rt_sigaction || nr == SYS_rt_sigprocmask)
                continue;
            uint64_t a[6];
            for (int k = 0; k < 6; k++)
                switch (rnd(&state) % 8) {
                case 0: a[k] = rnd(&state); break;
                case 1: a[k] = rnd(&state) % 10; break;
                case 2: a[k] = -(rnd(&state) % 200); break;
                case 3: a[k] = (uint64_t)page + rnd(&state) % (5 * PAGE); break;
                case 4: a[k] = 1UL << rnd(&state) % 64; break;
                case 5: a[k] = 0; break;
                case 6: a[k] = (uint64_t)&state; break;
                case 7: a[k] = rnd(&state) % 0x100000; break;
                }
            syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
        }
        _exit(0);
    }
    int status, waited = 0;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (waited++ > 600)
            kill(pid, SIGKILL);
        sleep_ms(1);
    }
}

CASE_T(unknown, random_calls, 120)
{
    OK(chmod(".", 0777));
    for (uint64_t seed = 1; seed <= 40; seed++)
        fuzz(seed);
    /* and it still works */
    CHILD(execl(abi_self, "abi", "--helper", "exit", "0", NULL));
}

CASE(unknown, seccomp_like_calls_are_answered)
{
    /* what libraries probe for at their start: success or an errno, never death */
    CHECK(syscall(SYS_rseq, NULL, 0, 0, 0) == -1);
    CHECK(syscall(SYS_set_robust_list, NULL, 24) == 0 || errno == ENOSYS || errno == EINVAL);
    CHECK(syscall(SYS_membarrier, 0, 0, 0) >= 0 || errno == ENOSYS || errno == EINVAL);
    CHECK(syscall(SYS_io_uring_setup, 1, NULL) == -1);
    CHECK(syscall(SYS_bpf, 0, NULL, 0) == -1);
    CHECK(syscall(SYS_userfaultfd, -1) == -1);
}
