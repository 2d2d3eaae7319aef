/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Runs the cases. Usage: abi [--list] [--no-fork] [--after CASE] [--skip CASE]... [PATTERN...]
 * PATTERN is a substring of "group.name".
 */
#include "abi.h"
#include <dirent.h>
#include <stdarg.h>

extern const struct abi_case *const __start_abi_cases[];
extern const struct abi_case *const __stop_abi_cases[];

const char *abi_self = "/bin/abi";
static char current[128];
static bool no_fork;

/* One write per line, so that lines of several processes never mix. */
static void say(const char *fmt, ...)
{
    char line[1024];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line - 1, fmt, ap);
    va_end(ap);
    if (n > (int)sizeof line - 2)
        n = sizeof line - 2;
    line[n++] = '\n';
    for (int done = 0; done < n;) {
        ssize_t w = write(1, line + done, n - done);
        if (w <= 0)
            break;
        done += w;
    }
}

_Noreturn void abi_fail(const char *file, int line, const char *fmt, ...)
{
    char text[800];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    const char *base = strrchr(file, '/');
    say("FAIL %s: %s:%d: %s", current, base ? base + 1 : file, line, text);
    _exit(70);
}

_Noreturn void abi_skip(const char *fmt, ...)
{
    char text[800];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    say("SKIP %s: %s", current, text);
    _exit(77);
}

/* Waits for `pid` up to `seconds`. Returns 1 when it has ended, 0 when the time is up, -1 on an error. */
static int wait_limited(pid_t pid, int seconds, int *status)
{
    int64_t end = now_ms() + seconds * 1000L;
    for (int spins = 0;; spins++) {
        pid_t got = waitpid(pid, status, WNOHANG);
        if (got == pid)
            return 1;
        if (got < 0 && errno != EINTR)
            return -1;
        if (now_ms() > end)
            return 0;
        if (spins < 20)
            sched_yield();
        else
            sleep_ms(1);
    }
}

static void run_case(const struct abi_case *c)
{
    snprintf(current, sizeof current, "%s.%s", c->group, c->name);
    say("RUN %s", current);
    char dir[160];
    snprintf(dir, sizeof dir, "/tmp/t.%s", current);
    if (no_fork) {
        mkdir(dir, 0777);
        if (chdir(dir) != 0)
            say("# cannot enter %s: %s", dir, strerror(errno));
        c->body();
        say("PASS %s", current);
        return;
    }
    pid_t pid = fork();
    if (pid < 0) {
        say("FAIL %s: fork: errno %d", current, errno);
        return;
    }
    if (pid == 0) {
        setpgid(0, 0);
        mkdir(dir, 0777);
        if (chdir(dir) != 0)
            say("# cannot enter %s: %s", dir, strerror(errno));
        c->body();
        _exit(0);
    }
    int status = 0;
    int got = wait_limited(pid, c->seconds, &status);
    if (got == 0) {
        kill(-pid, SIGKILL);
        kill(pid, SIGKILL);
        say("FAIL %s: not done after %d s", current, c->seconds);
        wait_limited(pid, 2, &status);
    } else if (got < 0) {
        say("FAIL %s: waitpid: errno %d", current, errno);
    } else if (WIFSIGNALED(status)) {
        say("FAIL %s: killed by signal %d (%s)", current, WTERMSIG(status), strsignal(WTERMSIG(status)));
    } else if (WEXITSTATUS(status) == 0) {
        say("PASS %s", current);
    } else if (WEXITSTATUS(status) != 70 && WEXITSTATUS(status) != 77) {
        say("FAIL %s: exit status %d", current, WEXITSTATUS(status));
    }
    kill(-pid, SIGKILL);
    int ignored;
    while (waitpid(-1, &ignored, WNOHANG) > 0)
        ;
}

int main(int argc, char **argv, char **envp)
{
    static char self[256];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n > 0)
        abi_self = self;
    if (argc > 2 && strcmp(argv[1], "--helper") == 0)
        return abi_helper(argc - 2, argv + 2, envp);
    const char *after = NULL;
    const char *skipped[64];
    int skips = 0, i;
    bool list = false;
    for (i = 1; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--list") == 0)
            list = true;
        else if (strcmp(argv[i], "--no-fork") == 0)
            no_fork = true;
        else if (strcmp(argv[i], "--after") == 0 && i + 1 < argc)
            after = argv[++i];
        else if (strcmp(argv[i], "--skip") == 0 && i + 1 < argc && skips < 64)
            skipped[skips++] = argv[++i];
        else {
            say("abi: unknown option %s", argv[i]);
            return 2;
        }
    }
    /* The harness decides what is inherited; the cases start from a known state. */
    umask(022);
    mkdir("/tmp", 01777);
    int64_t started = now_ms();
    int ran = 0;
    for (const struct abi_case *const *c = __start_abi_cases; c < __stop_abi_cases; c++) {
        char name[128];
        snprintf(name, sizeof name, "%s.%s", (*c)->group, (*c)->name);
        if (after) {
            if (strcmp(name, after) == 0)
                after = NULL;
            continue;
        }
        /* What fills the machine runs only by name. */
        bool wanted = i == argc && strcmp((*c)->group, "exhaust") != 0;
        for (int k = i; k < argc; k++)
            wanted = wanted || strstr(name, argv[k]);
        for (int k = 0; k < skips; k++)
            wanted = wanted && strcmp(name, skipped[k]) != 0;
        if (!wanted)
            continue;
        if (list) {
            say("%s", name);
        } else {
            run_case(*c);
            ran++;
        }
    }
    if (!list)
        say("DONE %d cases in %lld ms", ran, (long long)(now_ms() - started));
    return 0;
}
