/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * execve: arguments, environment, auxiliary vector, scripts, what is kept and what is not, and its errors. The helper
 * modes are what this program does on the far side of the execve.
 */
#include "abi.h"
#include <elf.h>
#include <sys/auxv.h>

static void helper_show(int argc, char **argv, char **envp)
{
    printf("argc=%d\n", argc);
    for (int i = 0; i < argc; i++)
        printf("arg=%s\n", argv[i]);
    for (int i = 0; envp[i]; i++)
        printf("env=%s\n", envp[i]);
    fflush(stdout);
}

/* Says what is wrong with the auxiliary vector and the initial stack, or nothing. */
static int helper_auxv(char **envp)
{
    unsigned long have[64] = {0}, value[64] = {0};
    char **p = envp;
    while (*p)
        p++;
    Elf64_auxv_t *aux = (Elf64_auxv_t *)(p + 1);
    for (; aux->a_type != AT_NULL; aux++)
        if (aux->a_type < 64) {
            have[aux->a_type] = 1;
            value[aux->a_type] = aux->a_un.a_val;
        }
    static const int needed[] = {AT_PHDR, AT_PHENT, AT_PHNUM,  AT_PAGESZ, AT_BASE,   AT_FLAGS,  AT_ENTRY, AT_UID,
                                 AT_EUID, AT_GID,   AT_EGID,   AT_SECURE, AT_RANDOM, AT_EXECFN, AT_HWCAP, AT_CLKTCK,
                                 AT_PLATFORM};
    int bad = 0;
    for (size_t i = 0; i < COUNT(needed); i++)
        if (!have[needed[i]]) {
            printf("auxv type %d is missing\n", needed[i]);
            bad = 1;
        }
    if (bad)
        return 1;
#define WANT(cond)                                                                                                     \
    if (!(cond)) {                                                                                                     \
        printf("%s is false\n", #cond);                                                                                \
        bad = 1;                                                                                                       \
    }
    extern char __ehdr_start[];
    extern void _start(void);
    const Elf64_Ehdr *ehdr = (const Elf64_Ehdr *)__ehdr_start;
    WANT(value[AT_PHDR] == (unsigned long)__ehdr_start + ehdr->e_phoff);
    WANT(value[AT_PHENT] == sizeof(Elf64_Phdr));
    WANT(value[AT_PHNUM] == ehdr->e_phnum);
    WANT(value[AT_PAGESZ] == 4096);
    WANT(value[AT_ENTRY] == (unsigned long)_start);
    WANT(value[AT_UID] == getuid() && value[AT_EUID] == geteuid());
    WANT(value[AT_GID] == getgid() && value[AT_EGID] == getegid());
    WANT(value[AT_SECURE] == 0);
    WANT(value[AT_CLKTCK] == 100);
    WANT(value[AT_HWCAP] & 1); /* FP */
    WANT(strcmp((char *)value[AT_PLATFORM], "aarch64") == 0);
    WANT(strcmp((char *)value[AT_EXECFN], abi_self) == 0);
    const unsigned char *random = (const unsigned char *)value[AT_RANDOM];
    int distinct = 0;
    for (int i = 1; i < 16; i++)
        distinct += random[i] != random[0];
    WANT(distinct > 4);
    fflush(stdout);
    return bad;
}

static void helper_random(void)
{
    write(1, (void *)getauxval(AT_RANDOM), 16);
}

int abi_helper(int argc, char **argv, char **envp)
{
    const char *what = argv[0];
    if (strcmp(what, "exit") == 0 && argc > 1)
        return atoi(argv[1]);
    if (strcmp(what, "show") == 0) {
        helper_show(argc, argv, envp);
        return 0;
    }
    if (strcmp(what, "auxv") == 0)
        return helper_auxv(envp);
    if (strcmp(what, "random") == 0) {
        helper_random();
        return 0;
    }
    if (strcmp(what, "env") == 0 && argc > 1)
        return getenv(argv[1]) ? 0 : 1;
    if (strcmp(what, "args-of-length") == 0 && argc == 3)
        return strlen(argv[2]) == (size_t)atoi(argv[1]) ? 0 : 1;
    if (strcmp(what, "fd-open") == 0 && argc > 1)
        return fcntl(atoi(argv[1]), F_GETFD) >= 0;
    if (strcmp(what, "signals") == 0) {
        /* bit 0: SIGUSR1 ignored, 1: SIGUSR2 default, 2: SIGTERM blocked, 3: SIGHUP pending */
        struct sigaction a;
        sigset_t mask, pending;
        int got = 0;
        sigaction(SIGUSR1, NULL, &a);
        got |= (a.sa_handler == SIG_IGN) << 0;
        sigaction(SIGUSR2, NULL, &a);
        got |= (a.sa_handler == SIG_DFL) << 1;
        sigprocmask(SIG_BLOCK, NULL, &mask);
        got |= sigismember(&mask, SIGTERM) << 2;
        sigpending(&pending);
        got |= sigismember(&pending, SIGTERM) << 3;
        return got;
    }
    if (strcmp(what, "ids") == 0) {
        printf("%d %d %d %d %o", getpid(), getppid(), getpgrp(), getsid(0), umask(0));
        fflush(stdout);
        return 0;
    }
    if (strcmp(what, "creds") == 0) {
        printf("%d %d %d %d", getuid(), geteuid(), getgid(), getegid());
        fflush(stdout);
        return 0;
    }
    if (strcmp(what, "bss") == 0) {
        static char bss[3 * PAGE];
        for (size_t i = 0; i < sizeof bss; i++)
            if (bss[i])
                return 1;
        return 0;
    }
    if (strcmp(what, "stack-args") == 0) {
        /* the stack pointer at entry is 16-byte aligned: argv[-1] is argc, below the helper's shift of two */
        return ((unsigned long)(argv - 3) & 15) != 0;
    }
    return 98;
}

/* Runs a program in a child; its output goes to `out`. Returns the wait status. */
static int run(char *out, size_t room, const char *path, char *const argv[], char *const envp[])
{
    int fds[2];
    OK(pipe(fds));
    pid_t pid = xfork();
    if (pid == 0) {
        dup2(fds[1], 1);
        close(fds[0]);
        close(fds[1]);
        execve(path, argv, envp);
        _exit(100 + (errno < 100 ? errno : 100));
    }
    close(fds[1]);
    size_t n = 0;
    ssize_t r;
    while (n < room - 1 && (r = read(fds[0], out + n, room - 1 - n)) > 0)
        n += r;
    out[n] = 0;
    close(fds[0]);
    return child_status(pid);
}

#define ARGV(...) ((char *[]){__VA_ARGS__, NULL})
#define HELPER(...) ARGV("abi", "--helper", __VA_ARGS__)

CASE(exec, arguments_and_environment)
{
    char out[1024];
    int status = run(out, sizeof out, abi_self, HELPER("show", "one", "", "three with blanks", "\xff\x01"),
                     ARGV("A=1", "EMPTY=", "NOVALUE", "PATH=/nowhere"));
    CHECK_EQ(status, 0);
    const char *want = "argc=5\narg=show\narg=one\narg=\narg=three with blanks\narg=\xff\x01\nenv=A=1\nenv=EMPTY=\n"
                       "env=NOVALUE\nenv=PATH=/nowhere\n";
    if (strcmp(out, want) != 0)
        FAIL("got %s", out);
}

CASE(exec, empty_environment)
{
    char out[256];
    CHECK_EQ(run(out, sizeof out, abi_self, HELPER("show"), (char *[]){NULL}), 0);
    CHECK(strcmp(out, "argc=1\narg=show\n") == 0);
}

CASE(exec, auxiliary_vector)
{
    char out[1024];
    int status = run(out, sizeof out, abi_self, HELPER("auxv"), ARGV("X=Y"));
    if (status != 0)
        FAIL("status 0x%x, %s", status, out);
}

CASE(exec, at_random_differs)
{
    char a[32], b[32];
    CHECK_EQ(run(a, sizeof a, abi_self, HELPER("random"), ARGV("X=Y")), 0);
    CHECK_EQ(run(b, sizeof b, abi_self, HELPER("random"), ARGV("X=Y")), 0);
    CHECK(memcmp(a, b, 16) != 0);
}

CASE(exec, fresh_bss_and_stack)
{
    char out[64];
    CHECK_EQ(run(out, sizeof out, abi_self, HELPER("bss"), ARGV("X=Y")), 0);
    for (int n = 1; n < 6; n++) {
        char *argv[] = {"abi", "--helper", "stack-args", n > 1 ? "a" : NULL, n > 2 ? "b" : NULL, n > 3 ? "c" : NULL,
                        n > 4 ? "d" : NULL, NULL};
        CHECK_EQ(run(out, sizeof out, abi_self, argv, ARGV("X=Y")), 0);
    }
}

CASE(exec, long_arguments)
{
    char out[64];
    static char big[100001];
    memset(big, 'x', 100000);
    CHECK_EQ(run(out, sizeof out, abi_self, HELPER("args-of-length", "100000", big), ARGV("X=Y")), 0);
    static char *many[2003];
    many[0] = "abi", many[1] = "--helper", many[2] = "exit", many[3] = "17";
    for (int i = 4; i < 2002; i++)
        many[i] = "argument";
    CHECK_EQ(run(out, sizeof out, abi_self, many, ARGV("X=Y")), 17 << 8);
}

CASE(exec, e2big)
{
    static char big[140000];
    memset(big, 'x', sizeof big - 1);
    ERR(execve(abi_self, ARGV("abi", big), ARGV("A=B")), E2BIG);
    static char medium[100000];
    memset(medium, 'y', sizeof medium - 1);
    static char *many[101];
    for (int i = 0; i < 100; i++)
        many[i] = medium;
    ERR(execve(abi_self, many, ARGV("A=B")), E2BIG);
}

CASE(exec, errors)
{
    char *argv[] = {"x", NULL}, *envp[] = {NULL};
    char *volatile bad = (char *)8;
    char *bad_argv[] = {bad, NULL};
    ERR(execve("/no/such/file", argv, envp), ENOENT);
    ERR(execve("", argv, envp), ENOENT);
    ERR(execve("/tmp", argv, envp), EACCES);
    put_file("plain", "hello", 5, 0644);
    ERR(execve("./plain", argv, envp), EACCES);
    put_file("text", "hello, not a program\n", 21, 0755);
    ERR(execve("./text", argv, envp), ENOEXEC);
    put_file("empty", "", 0, 0755);
    ERR(execve("./empty", argv, envp), ENOEXEC);
    ERR(execve("./plain/below", argv, envp), ENOTDIR);
    ERR(execve(bad, argv, envp), EFAULT);
    ERR(execve(abi_self, (char **)bad, envp), EFAULT);
    ERR(execve(abi_self, bad_argv, envp), EFAULT);
    OK(symlink("loop", "loop"));
    ERR(execve("./loop", argv, envp), ELOOP);
    char name[300];
    memset(name, 'n', 299);
    name[299] = 0;
    ERR(execve(name, argv, envp), ENAMETOOLONG);
}

CASE(exec, broken_elf_files)
{
    size_t len;
    char *self = get_file(abi_self, &len);
    char *argv[] = {"x", NULL}, *envp[] = {NULL};
    put_file("head", self, 40, 0755);
    ERR(execve("./head", argv, envp), ENOEXEC);
    self[18] = 62; /* e_machine: x86-64 */
    put_file("wrong", self, 4096, 0755);
    ERR(execve("./wrong", argv, envp), ENOEXEC);
    self[18] = (char)183;
    self[54] = 1; /* e_phentsize */
    put_file("wrong", self, 4096, 0755);
    ERR(execve("./wrong", argv, envp), ENOEXEC);
    free(self);
}

/* A program whose segments lie in unusual places must be refused or die, and the system live on. */
CASE(exec, hostile_elf_files)
{
    size_t len;
    char *self = get_file(abi_self, &len);
    Elf64_Ehdr *eh = (Elf64_Ehdr *)self;
    char *copy = malloc(len);
    uint64_t state = 42;
    for (int i = 0; i < 60; i++) {
        memcpy(copy, self, len);
        Elf64_Phdr *ph = (Elf64_Phdr *)(copy + eh->e_phoff);
        Elf64_Ehdr *ceh = (Elf64_Ehdr *)copy;
        static const uint64_t odd[] = {0, 1, PAGE - 1, 0x7ffffffff000, 0xffffffffffffffff, 0xffff000000000000,
                                       0x8000000000000000, 1UL << 47, 1UL << 48, 0x1000000000};
        uint64_t value = odd[rnd(&state) % COUNT(odd)];
        Elf64_Phdr *one = &ph[rnd(&state) % eh->e_phnum];
        switch (i % 6) {
        case 0: one->p_vaddr = value; break;
        case 1: one->p_memsz = value; break;
        case 2: one->p_filesz = value; break;
        case 3: one->p_offset = value; break;
        case 4: ceh->e_entry = value; break;
        case 5: ceh->e_phoff = value; break;
        }
        put_file("hostile", copy, len < 65536 ? len : 65536, 0755);
        pid_t pid = xfork();
        if (pid == 0) {
            int null = open("/dev/null", O_WRONLY);
            dup2(null, 1);
            dup2(null, 2);
            alarm(2);
            execl("./hostile", "hostile", "--helper", "exit", "0", NULL);
            _exit(55);
        }
        int status = child_status(pid);
        if (WIFEXITED(status) && WEXITSTATUS(status) != 55 && WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 127)
            FAIL("variant %d left with wait status 0x%x", i, status);
    }
}

CASE(exec, scripts)
{
    char out[512], text[400];
    snprintf(text, sizeof text, "#!%s --helper\n", abi_self);
    put_file("script", text, strlen(text), 0755);
    /* the interpreter gets: itself, the one argument, the script's path, the rest */
    snprintf(text, sizeof text, "#!%s --helper\nrest\n", abi_self);
    put_file("exit", text, strlen(text), 0755);
    OK(symlink("/tmp/t.exec.scripts", "/tmp/exit-link"));
    int status = run(out, sizeof out, "./exit", ARGV("ignored", "44"), ARGV("A=B"));
    /* argv[0] of the helper is "./exit", which is no helper's name */
    CHECK_EQ(status, 98 << 8);
    OK(unlink("/tmp/exit-link"));
    snprintf(text, sizeof text, "#! /bin/sh\t\necho \"$0 $# $1\"\n");
    put_file("sh", text, strlen(text), 0755);
    CHECK_EQ(run(out, sizeof out, "./sh", ARGV("zero", "a b", "c"), ARGV("A=B")), 0);
    if (strcmp(out, "./sh 2 a b\n") != 0)
        FAIL("the script said %s", out);
    put_file("noint", "#!/no/such/interpreter\n", 23, 0755);
    ERR(execve("./noint", ARGV("x"), ARGV("A=B")), ENOENT);
    put_file("nothing", "#!\n", 3, 0755);
    ERR(execve("./nothing", ARGV("x"), ARGV("A=B")), ENOEXEC);
    put_file("nonl", "#!/bin/sh", 9, 0755);
    CHECK_EQ(run(out, sizeof out, "./nonl", ARGV("x"), ARGV("A=B")), 0);
}

CASE(exec, script_of_script)
{
    char out[256];
    put_file("one", "#!/bin/sh\necho deep \"$@\"\n", 25, 0755);
    put_file("two", "#!./one x\n", 10, 0755);
    put_file("three", "#!./two\n", 8, 0755);
    CHECK_EQ(run(out, sizeof out, "./three", ARGV("three", "arg"), ARGV("A=B")), 0);
    if (strcmp(out, "deep x ./two ./three arg\n") != 0)
        FAIL("the script said %s", out);
    put_file("self", "#!./self\n", 9, 0755);
    ERR(execve("./self", ARGV("x"), ARGV("A=B")), ELOOP);
}

CASE(exec, close_on_exec)
{
    char out[64], number[12];
    int kept = OK(open("/dev/null", O_RDONLY));
    int gone = OK(open("/dev/null", O_RDONLY | O_CLOEXEC));
    int later = OK(open("/dev/null", O_RDONLY));
    OK(fcntl(later, F_SETFD, FD_CLOEXEC));
    int both[2];
    OK(pipe2(both, O_CLOEXEC));
    struct { int fd, open; } want[] = {{kept, 1}, {gone, 0}, {later, 0}, {both[0], 0}, {both[1], 0}};
    for (size_t i = 0; i < COUNT(want); i++) {
        snprintf(number, sizeof number, "%d", want[i].fd);
        int status = run(out, sizeof out, abi_self, HELPER("fd-open", number), ARGV("A=B"));
        if (status != want[i].open << 8)
            FAIL("descriptor number %zu: status 0x%x", i, status);
    }
}

static void never(int sig)
{
    (void)sig;
}

CASE(exec, signal_state)
{
    char out[64];
    on_signal(SIGUSR1, SIG_IGN, 0);
    on_signal(SIGUSR2, never, 0);
    pid_t pid = xfork();
    if (pid == 0) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigprocmask(SIG_BLOCK, &set, NULL);
        raise(SIGTERM);
        execl(abi_self, "abi", "--helper", "signals", NULL);
        _exit(99);
    }
    CHECK_EQ(child_status(pid), 15 << 8);
    CHECK_EQ(run(out, sizeof out, abi_self, HELPER("signals"), ARGV("A=B")), 3 << 8);
}

CASE(exec, ids_and_umask_are_kept)
{
    umask(0123);
    int fds[2];
    OK(pipe(fds));
    pid_t pid = xfork();
    if (pid == 0) {
        dup2(fds[1], 1);
        execl(abi_self, "abi", "--helper", "ids", NULL);
        _exit(99);
    }
    child_ok(pid);
    char got[128] = "", want[128];
    OK(read(fds[0], got, sizeof got - 1));
    /* the runner sets the mask at its start only when it runs cases */
    snprintf(want, sizeof want, "%d %d %d %d 123", pid, getpid(), getpgrp(), getsid(0));
    if (strcmp(got, want) != 0)
        FAIL("got %s, want %s", got, want);
}

CASE(exec, cwd_is_kept_and_relative_paths_work)
{
    OK(mkdir("sub", 0755));
    put_file("sub/script", "#!/bin/sh\npwd\n", 14, 0755);
    OK(chdir("sub"));
    char out[256];
    CHECK_EQ(run(out, sizeof out, "script", ARGV("x"), ARGV("A=B")), 0);
    if (strcmp(out, "/tmp/t.exec.cwd_is_kept_and_relative_paths_work/sub\n") != 0)
        FAIL("pwd said %s", out);
}

CASE(exec, proc_self_exe)
{
    char out[64];
    CHECK_EQ(run(out, sizeof out, "/proc/self/exe", HELPER("exit", "21"), ARGV("A=B")), 21 << 8);
}

CASE(exec, execveat)
{
    int dir = OK(open("/bin", O_RDONLY | O_DIRECTORY));
    pid_t pid = xfork();
    if (pid == 0) {
        char *argv[] = {"true", NULL}, *envp[] = {NULL};
        syscall(SYS_execveat, dir, "true", argv, envp, 0);
        _exit(errno == ENOSYS ? 88 : 99);
    }
    int status = child_status(pid);
    if (status == 88 << 8)
        FAIL("execveat is ENOSYS");
    CHECK_EQ(status, 0);
}

CASE(exec, thousand_descriptors_survive)
{
    char out[64], number[12];
    int fd = OK(open("/dev/null", O_RDONLY));
    int high = OK(fcntl(fd, F_DUPFD, 900));
    CHECK(high >= 900);
    snprintf(number, sizeof number, "%d", high);
    CHECK_EQ(run(out, sizeof out, abi_self, HELPER("fd-open", number), ARGV("A=B")), 1 << 8);
}
