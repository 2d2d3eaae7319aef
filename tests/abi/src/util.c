/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "signals.h"

volatile sig_atomic_t count;
volatile int last;
siginfo_t info;

pid_t xfork(void)
{
    pid_t pid = fork();
    if (pid < 0)
        FAIL("fork: errno %d (%s)", errno, strerror(errno));
    return pid;
}

int child_status(pid_t pid)
{
    int status = 0;
    pid_t got;
    do
        got = waitpid(pid, &status, 0);
    while (got < 0 && errno == EINTR);
    if (got != pid)
        FAIL("waitpid(%d) gave %d, errno %d", pid, got, errno);
    return status;
}

void child_ok(pid_t pid)
{
    int status = child_status(pid);
    if (WIFEXITED(status) && (WEXITSTATUS(status) == 70 || WEXITSTATUS(status) == 77))
        _exit(WEXITSTATUS(status)); /* it has said why */
    if (status != 0)
        FAIL("child %d ended with wait status 0x%x", pid, status);
}

void child_killed(pid_t pid, int sig)
{
    int status = child_status(pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 70)
        _exit(70);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != sig)
        FAIL("child's wait status is 0x%x, not death by signal %d", status, sig);
}

void sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&t, &t) != 0 && errno == EINTR)
        ;
}

int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

void await(volatile int *flag)
{
    for (int i = 0; i < 5000; i++) {
        if (__atomic_load_n(flag, __ATOMIC_ACQUIRE))
            return;
        sleep_ms(1);
    }
    FAIL("what was waited for did not happen in 5 s");
}

void *shared_page(void)
{
    return MAP_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
}

void put_file(const char *path, const void *data, size_t len, mode_t mode)
{
    int fd = OK(open(path, O_WRONLY | O_CREAT | O_TRUNC, mode));
    for (size_t done = 0; done < len;)
        done += OK(write(fd, (const char *)data + done, len - done));
    OK(close(fd));
}

char *get_file(const char *path, size_t *len)
{
    int fd = OK(open(path, O_RDONLY));
    size_t size = 0, room = 4096;
    char *text = malloc(room + 1);
    for (;;) {
        if (size == room)
            text = realloc(text, (room *= 2) + 1);
        ssize_t n = OK(read(fd, text + size, room - size));
        if (n == 0)
            break;
        size += n;
    }
    OK(close(fd));
    text[size] = 0;
    if (len)
        *len = size;
    return text;
}

void on_signal(int sig, void (*handler)(int), int flags)
{
    struct sigaction sa = {.sa_handler = handler, .sa_flags = flags};
    OK(sigaction(sig, &sa, NULL));
}

long meminfo(const char *key)
{
    char *text = get_file("/proc/meminfo", NULL);
    char *at = strstr(text, key);
    long value = at ? strtol(at + strlen(key) + 1, NULL, 10) : -1;
    free(text);
    return value;
}

uint64_t rnd(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

int proc_state(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return 0;
    char text[512];
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return 0;
    text[n] = 0;
    char *end = strrchr(text, ')');
    return end ? end[2] : 0;
}

void await_state(pid_t pid, int state)
{
    for (int i = 0; i < 5000; i++) {
        if (proc_state(pid) == state)
            return;
        sleep_ms(1);
    }
    FAIL("process %d is in state '%c', not '%c', after 5 s", pid, proc_state(pid) ? proc_state(pid) : '?', state);
}
