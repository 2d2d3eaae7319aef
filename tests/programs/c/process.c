/* Processes, signals and jumps. */
#include "ctests.h"
#include <alloca.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <ucontext.h>

extern char **environ;

CASE(system_and_popen)
{
    char line[100];
    EQUAL(system("exit 3"), 3 << 8);
    EQUAL(WTERMSIG(system("kill -9 $$")), SIGKILL);
    CHECK(system(0) != 0);
    FILE *pipe = popen("echo one; echo two; exit 5", "r");
    CHECK(pipe != 0);
    CHECK(fgets(line, sizeof line, pipe) != 0);
    SAME(line, "one\n");
    CHECK(fgets(line, sizeof line, pipe) != 0);
    SAME(line, "two\n");
    CHECK(fgets(line, sizeof line, pipe) == 0);
    EQUAL(pclose(pipe), 5 << 8);
    pipe = popen("cat >written; echo end >>written", "w");
    fprintf(pipe, "to the pipe\n");
    EQUAL(pclose(pipe), 0);
    FILE *file = fopen("written", "r");
    CHECK(file && fgets(line, sizeof line, file));
    SAME(line, "to the pipe\n");
    fclose(file);
}

/* system() leaves SIGINT and SIGCHLD as they were and does not lose the status of another child. */
CASE(system_beside_children)
{
    int status;
    pid_t child = fork();
    if (!child)
        _exit(9);
    EQUAL(system("true"), 0);
    EQUAL(waitpid(child, &status, 0), child);
    EQUAL(status, 9 << 8);
    struct sigaction action;
    sigaction(SIGINT, 0, &action);
    CHECK(action.sa_handler == SIG_DFL);
}

CASE(spawn)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t set;
    pid_t child;
    int status;
    char text[64] = "";
    char *argv[] = {"sh", "-c", "echo $0-$VALUE; pwd >&2; read x <&5; echo $x", 0};
    char *envp[] = {"VALUE=given", "PATH=/bin", 0};
    int fd = open("in", O_RDWR | O_CREAT, 0600);
    EQUAL(write(fd, "from-five\n", 10), 10);
    lseek(fd, 0, SEEK_SET);
    posix_spawn_file_actions_init(&files);
    EQUAL(posix_spawn_file_actions_addopen(&files, 1, "out", O_WRONLY | O_CREAT | O_TRUNC, 0600), 0);
    EQUAL(posix_spawn_file_actions_adddup2(&files, 1, 2), 0);
    EQUAL(posix_spawn_file_actions_adddup2(&files, fd, 5), 0);
    EQUAL(posix_spawn_file_actions_addclose(&files, fd), 0);
    EQUAL(posix_spawn_file_actions_addchdir_np(&files, "/bin"), 0);
    posix_spawnattr_init(&attributes);
    sigemptyset(&set);
    posix_spawnattr_setsigmask(&attributes, &set);
    posix_spawnattr_setpgroup(&attributes, 0);
    EQUAL(posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK), 0);
    EQUAL(posix_spawn(&child, "/bin/sh", &files, &attributes, argv, envp), 0);
    EQUAL(waitpid(child, &status, 0), child);
    EQUAL(status, 0);
    int out = open("out", O_RDONLY);
    CHECK(read(out, text, sizeof text - 1) > 0);
    SAME(text, "sh-given\n/bin\nfrom-five\n");
    EQUAL(posix_spawn(&child, "/no/such/file", 0, 0, argv, environ), ENOENT);
    argv[0] = "true";
    argv[1] = 0;
    EQUAL(posix_spawnp(&child, "true", 0, 0, argv, environ), 0);
    EQUAL(waitpid(child, &status, 0), child);
    EQUAL(status, 0);
}

CASE(vfork_and_exec)
{
    int status;
    for (int i = 0; i < 20; i++) {
        pid_t child = vfork();
        if (!child) {
            execl("/bin/sh", "sh", "-c", "exit 21", (char *)0);
            _exit(1);
        }
        EQUAL(waitpid(child, &status, 0), child);
        EQUAL(status, 21 << 8);
    }
}

static jmp_buf place;
static sigjmp_buf signal_place;

static void (*volatile deeper)(int);

static void descend(int depth)
{
    volatile char pad[64];
    pad[depth] = 1;
    if (depth == 0)
        longjmp(place, 17);
    deeper(depth - pad[depth]);
}

static void jump_out(int signal)
{
    siglongjmp(signal_place, signal);
}

CASE(jumps)
{
    volatile int tries = 0;
    char *volatile nowhere = (char *)8;
    int came = setjmp(place);
    deeper = descend;
    if (!came)
        descend(50);
    EQUAL(came, 17);
    /* Out of a handler, with the mask restored; a fault as well as a signal of one's own. */
    signal(SIGUSR1, jump_out);
    signal(SIGSEGV, jump_out);
    while (tries < 10) {
        if (sigsetjmp(signal_place, 1) == 0) {
            tries++;
            if (tries % 2)
                raise(SIGUSR1);
            else
                *nowhere = 1;
            CHECK(!"reached");
        }
        sigset_t set;
        sigprocmask(0, 0, &set);
        EQUAL(sigismember(&set, SIGUSR1), 0);
        EQUAL(sigismember(&set, SIGSEGV), 0);
    }
}

static volatile double shaken;
static volatile int shakes;

static void shake(int signal)
{
    /* All floating-point registers are used, and must be the interrupted code's again after it. */
    double a = signal, b = 3.5;
    for (int i = 1; i < 200; i++) {
        a = sin(a * b + i);
        b = sqrt(b * b + a) + 1.0 / i;
    }
    shaken = a + b;
    shakes++;
}

static double series(int from)
{
    double sum = 0;
    for (int i = from; i < from + 20000; i++)
        sum += 1.0 / ((double)i * i) * cos(i);
    return sum;
}

CASE(floating_point_in_handlers)
{
    double calm = series(1);
    struct sigaction action = {.sa_handler = shake};
    sigaction(SIGALRM, &action, 0);
    struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &often, 0);
    long long end = ct_ms() + 20000;
    while (shakes < 50 && ct_ms() < end)
        if (series(1) != calm) {
            setitimer(ITIMER_REAL, &never, 0);
            CHECK(!"another sum");
        }
    setitimer(ITIMER_REAL, &never, 0);
    CHECK(shakes >= 50);
}

CASE(numbers)
{
    char text[100];
    snprintf(text, sizeof text, "%.17g %a %Lg %.3e", 0.1, 1.5, 2.25L, 123456.789);
    SAME(text, "0.10000000000000001 0x1.8p+0 2.25 1.235e+05");
    EQUAL(strtod("1e308", 0) * 10 == INFINITY, 1);
    CHECK(isnan(sqrt(-1.0)));
    EQUAL(lround(pow(2.0, 40.0)) == 1LL << 40, 1);
    long double third = 1.0L / 3.0L;
    CHECK(fabsl(third * 3.0L - 1.0L) < 1e-30L);
}

/* A stack that grows far below where it was, in one step and in many. */
static int use_stack(size_t size)
{
    volatile char *block = alloca(size);
    block[0] = 1;
    block[size - 1] = 2;
    return block[0] + block[size - 1];
}

static long recurse(long depth)
{
    volatile char pad[512];
    pad[depth % 512] = (char)depth;
    return depth ? recurse(depth - 1) + 1 + (pad[depth % 512] != (char)depth) : 0;
}

static void overflowed(int signal, siginfo_t *info, void *context)
{
    (void)context;
    _exit(signal == SIGSEGV && info->si_code == SEGV_MAPERR ? 44 : 45);
}

CASE(stack_growth)
{
    EQUAL(use_stack(6 << 20), 3);
    EQUAL(recurse(8000), 8000);
    pid_t child = fork();
    if (!child) {
        static char other[65536];
        stack_t stack = {.ss_sp = other, .ss_size = sizeof other};
        struct sigaction action = {.sa_sigaction = overflowed, .sa_flags = SA_SIGINFO | SA_ONSTACK};
        sigaltstack(&stack, 0);
        sigaction(SIGSEGV, &action, 0);
        recurse(10000000);
        _exit(1);
    }
    int status;
    EQUAL(waitpid(child, &status, 0), child);
    EQUAL(status, 44 << 8);
    struct rlimit limit = {32 << 20, 64 << 20};
    EQUAL(setrlimit(RLIMIT_STACK, &limit), 0);
    EQUAL(use_stack(24 << 20), 3);
}

#ifdef __GLIBC__
static ucontext_t ping, pong, back;
static char trail[64];

static void plays(int who)
{
    for (int i = 0; i < 5; i++) {
        strcat(trail, who ? "b" : "a");
        swapcontext(who ? &pong : &ping, who ? &ping : &pong);
    }
}

CASE(contexts)
{
    static char stacks[2][65536];
    getcontext(&ping);
    getcontext(&pong);
    ping.uc_stack.ss_sp = stacks[0], ping.uc_stack.ss_size = sizeof stacks[0], ping.uc_link = &back;
    pong.uc_stack.ss_sp = stacks[1], pong.uc_stack.ss_size = sizeof stacks[1], pong.uc_link = &back;
    makecontext(&ping, (void (*)(void))plays, 1, 0);
    makecontext(&pong, (void (*)(void))plays, 1, 1);
    swapcontext(&back, &ping);
    SAME(trail, "ababababab");
}
#endif

static volatile int restarted;
static void interrupt(int signal) { restarted += signal == SIGALRM; }

CASE(interrupted_calls)
{
    int fds[2];
    char byte;
    struct sigaction action = {.sa_handler = interrupt};
    struct itimerval soon = {{0, 0}, {0, 30000}};
    EQUAL(pipe(fds), 0);
    sigaction(SIGALRM, &action, 0);
    setitimer(ITIMER_REAL, &soon, 0);
    EQUAL(read(fds[0], &byte, 1), -1);
    EQUAL(errno, EINTR);
    action.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &action, 0);
    setitimer(ITIMER_REAL, &soon, 0);
    if (!fork()) {
        usleep(200000);
        write(fds[1], "x", 1);
        _exit(0);
    }
    EQUAL(read(fds[0], &byte, 1), 1);
    EQUAL(restarted, 2);
    wait(0);
}

CASE(real_time_signals)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 1);
    sigaddset(&set, SIGRTMIN + 2);
    sigprocmask(SIG_BLOCK, &set, 0);
    for (int i = 0; i < 5; i++) {
        EQUAL(sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = 100 + i}), 0);
        EQUAL(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = i}), 0);
    }
    for (int i = 0; i < 10; i++) {
        siginfo_t info;
        EQUAL(sigwaitinfo(&set, &info), SIGRTMIN + 1 + i / 5);
        EQUAL(info.si_value.sival_int, i < 5 ? i : 95 + i);
        EQUAL(info.si_code, SI_QUEUE);
        EQUAL(info.si_pid, getpid());
    }
    struct timespec none = {0, 0};
    EQUAL(sigtimedwait(&set, 0, &none), -1);
    EQUAL(errno, EAGAIN);
}

CASE(exit_handlers_and_buffers)
{
    pid_t child = fork();
    if (!child) {
        FILE *file = fopen("buffered", "w");
        fprintf(file, "not flushed by hand");
        exit(0);
    }
    int status;
    char text[40] = "";
    waitpid(child, &status, 0);
    int fd = open("buffered", O_RDONLY);
    EQUAL(read(fd, text, sizeof text), 19);
    SAME(text, "not flushed by hand");
    child = fork();
    if (!child)
        abort();
    waitpid(child, &status, 0);
    EQUAL(WTERMSIG(status), SIGABRT);
}
