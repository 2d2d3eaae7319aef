/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Runs the cases: each first a little (those marked so: all of it), so that what is kept for later is there, then as much as
 * is asked.
 */
#include "stress.h"
#include <sys/mount.h>

extern const struct stress *const __start_stresses[];
extern const struct stress *const __stop_stresses[];

const char *self = "/tests/stress";
static const char *current = "";

_Noreturn void fail(const char *file, int line, const char *what)
{
    char text[512];
    const char *base = strrchr(file, '/');
    int n = snprintf(text, sizeof text, "FAIL %s: %s:%d: %s is false (errno %d, %s)\n", current, base ? base + 1 : file, line,
        what, errno, strerror(errno));
    (void)!write(1, text, n);
    _exit(70);
}

long meminfo(const char *key)
{
    char text[4096];
    int fd = open("/proc/meminfo", O_RDONLY);
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    char *at = strstr(text, key);
    return at ? atol(at + strlen(key)) : -1;
}

pid_t xfork(void)
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    return pid;
}

void child_ok(pid_t pid)
{
    int status = -1;
    CHECK(waitpid(pid, &status, 0) == pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 70)
        _exit(70);
    CHECK(status == 0);
}

void sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Runs a body in a process of its own; its wait status. */
static int run(const struct stress *s, long count)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        mkdir("/tmp/stress", 0755);
        if (chdir("/tmp/stress") != 0)
            _exit(71);
        s->body(count);
        _exit(0);
    }
    if (pid < 0)
        return -1;
    waitpid(pid, &status, 0);
    kill(-pid, SIGKILL);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    return status;
}

/* Free memory, once those that end have ended. */
static long settled(long wanted)
{
    long now = 0;
    for (int i = 0; i < 100; i++) {
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        now = meminfo("MemFree:");
        if (now >= wanted)
            break;
        sleep_ms(5);
    }
    return now;
}

static void one(const struct stress *s, bool small, long given)
{
    char text[512];
    long count = given ? given : small ? s->small : s->full;
    current = s->name;
    int n = snprintf(text, sizeof text, "RUN %s\n", s->name);
    (void)!write(1, text, n);
    int status = run(s, count < 10 ? count : count / 10);
    if (status == 0 && s->keeps)
        status = run(s, count);
    long before = settled(LONG_MAX);
    int64_t start = now_ms();
    if (status == 0)
        status = run(s, count);
    long ms = now_ms() - start;
    long after = settled(before - before / 200);
    if (status != 0) {
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 70) {
            n = snprintf(text, sizeof text, "FAIL %s: wait status 0x%x\n", s->name, status);
            (void)!write(1, text, n);
        }
        return;
    }
    n = snprintf(text, sizeof text, "%s %s: %ld in %ld ms, free memory %ld KiB before, %ld KiB after\n",
        after >= before - before / 100 ? "PASS" : "FAIL", s->name, count, ms, before, after);
    (void)!write(1, text, n);
}

int main(int argc, char **argv)
{
    bool small = false, named = false;
    long given = 0;
    if (argc > 1 && strcmp(argv[1], "--nothing") == 0)
        return 0;
    if (argc > 1 && strcmp(argv[1], "--list") == 0) {
        for (const struct stress *const *s = __start_stresses; s < __stop_stresses; s++)
            printf("%s\n", (*s)->name);
        return 0;
    }
    mkdir("/tmp", 01777);
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--small") == 0)
            small = true;
        else if (strncmp(argv[i], "--count=", 8) == 0)
            given = atol(argv[i] + 8);
        else
            named = true;
    for (const struct stress *const *s = __start_stresses; s < __stop_stresses; s++) {
        bool wanted = !named;
        for (int i = 1; i < argc; i++)
            wanted = wanted || strcmp(argv[i], (*s)->name) == 0;
        if (wanted)
            one(*s, small, given);
    }
    (void)!write(1, "DONE\n", 5);
    return 0;
}
