/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The first process: rounds, their end, and what must be true all the while.
 * Usage: fuzz --seed N [--time SECONDS] [--from ROUND] [--rounds N] [--calls A,B] [--verbose]
 */
#include "fuzz.h"
#include <dirent.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define TREE "/fuzz"
/* Rounds until everything that is kept for later is there. */
#define WARM_UP 40UL
/* Workers of a round, at the same time in the same tree. */
#define WORKERS 3
/* The guard may take so long to answer: the host has other work as well. */
#define PATIENCE_MS 20000

static pid_t guard;
static int guard_status = -1;
static int ask, answers;
static uint64_t now_round;
static int64_t slowest;

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *fmt, ...)
{
    char line[512];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line - 1, fmt, ap);
    va_end(ap);
    line[n < (int)sizeof line - 1 ? n : (int)sizeof line - 2] = '\n';
    (void)!write(1, line, n + 1);
}

static void hit(const char *text)
{
    say("HIT %lu %s", now_round, text);
}

static long free_memory(void)
{
    char text[2048];
    int fd = open("/proc/meminfo", O_RDONLY);
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    char *at = strstr(text, "MemFree:");
    return at ? atol(at + 8) : -1;
}

static void start_guard(void)
{
    int there[2], back[2];
    if (pipe(there) != 0 || pipe(back) != 0)
        exit(2);
    guard = fork();
    if (guard == 0) {
        close(there[1]), close(back[0]);
        guard_main(there[0], back[1]);
    }
    ask = there[1], answers = back[0];
    close(there[0]), close(back[1]);
}

static void guard_has_ended(void)
{
    char text[64];
    snprintf(text, sizeof text, "the guard has ended: wait status 0x%x", guard_status);
    hit(text);
    close(ask), close(answers);
    start_guard();
}

/* A child that has ended; 0 if there is none. */
static pid_t reap(void)
{
    int status;
    pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid == guard)
        guard_status = status;
    return pid > 0 ? pid : 0;
}

/* Asks the guard; `how` is 'c' for a thorough look. */
static bool guard_is_well(char how)
{
    char answer[128];
    int64_t start = now_ms();
    struct pollfd wait = {.fd = answers, .events = POLLIN};
    if (write(ask, &how, 1) != 1) {
        guard_has_ended();
        return false;
    }
    if (poll(&wait, 1, PATIENCE_MS) != 1) {
        hit("the guard does not answer");
        return false;
    }
    if (read(answers, answer, sizeof answer) != sizeof answer) {
        guard_has_ended();
        return false;
    }
    int64_t took = now_ms() - start;
    if (took > slowest)
        slowest = took;
    if (answer[0]) {
        answer[sizeof answer - 1] = 0;
        hit(answer);
        return false;
    }
    return true;
}

/* Kills everybody but the guard; false if somebody stays. */
static bool kill_all(void)
{
    int64_t start = now_ms();
    for (;;) {
        DIR *dir = opendir("/proc");
        int found = 0;
        pid_t last = 0;
        for (struct dirent *e; dir && (e = readdir(dir));) {
            pid_t pid = atoi(e->d_name);
            if (pid > 1 && pid != guard) {
                kill(pid, SIGKILL);
                found++, last = pid;
            }
        }
        if (dir)
            closedir(dir);
        while (reap())
            ;
        if (dir && !found)
            return true;
        if (now_ms() - start > PATIENCE_MS) {
            char text[64];
            snprintf(text, sizeof text, dir ? "process %d cannot be killed" : "no /proc", last);
            hit(text);
            return false;
        }
        usleep(500);
    }
}

static void prepare_tree(struct rng *r)
{
    mkdir(TREE, 0755);
    const char *options = one_in(r, 10) ? "mode=777" : "size=24m,mode=777";
    if (mount("none", TREE, "tmpfs", 0, options) != 0)
        return;
    mkdir(TREE "/proc", 0755);
    mkdir(TREE "/dev", 0755);
    mkdir(TREE "/tmp", 01777);
    mount("proc", TREE "/proc", "proc", 0, "");
    mount("/dev", TREE "/dev", NULL, MS_BIND, NULL);
}

static void remove_tree(void)
{
    umount2(TREE "/proc", MNT_DETACH);
    umount2(TREE "/dev", MNT_DETACH);
    while (umount2(TREE, MNT_DETACH) == 0)
        ;
}

static void limit(int what, uint64_t value)
{
    struct rlimit l = {value, value};
    setrlimit(what, &l);
}

static _Noreturn void become_worker(struct worker *w)
{
    struct rng *r = &w->rng;
    int null = open("/dev/null", O_RDWR);
    /* The console belongs to the first process. */
    w->tell = fcntl(1, F_DUPFD, 900);
    dup2(null, 0), dup2(null, 1), dup2(null, 2);
    close(null), close(ask), close(answers);
    if (!w->verbose)
        close(w->tell);
    setsid();
    if (chroot(TREE) != 0 || chdir("/") != 0)
        _exit(8);
    if (!one_in(r, 8))
        limit(RLIMIT_AS, 96 << 20);
    limit(RLIMIT_NPROC, 40);
    if (w->root)
        prctl(PR_SET_NAME, "fuzz-root");
    else {
        (void)!setgid(1000);
        (void)!setuid(1000);
    }
    worker_main(w, 150);
    _exit(0);
}

static uint64_t round_of(uint64_t seed, uint64_t number, const char *calls, bool verbose)
{
    static struct shared *shared;
    if (!shared)
        shared = mmap(NULL, WORKERS * sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    memset(shared, 0, WORKERS * sizeof *shared);
    now_round = number;
    say("R %lu", number);
    struct rng r = {seed * 0x9e3779b97f4a7c15ULL + number * 0xd1342543de82ef95ULL};
    prepare_tree(&r);
    pid_t pids[WORKERS];
    int count = WORKERS, running = 0;
    for (int k = 0; k < count; k++) {
        struct worker w = {.rng = {r.state + k * 0x632be59bd9b4e019ULL}, .shared = &shared[k]};
        w.calls = calls, w.verbose = verbose;
        w.root = one_in(&w.rng, 3);
        for (int i = 0; i < 2000 && (pids[k] = fork()) < 0; i++)
            usleep(1000);
        if (pids[k] == 0)
            become_worker(&w);
        if (pids[k] < 0)
            hit("no process can be made");
        else
            running++;
    }
    int64_t start = now_ms();
    uint64_t seen = 0, calls_made;
    int64_t moved = start;
    for (;;) {
        for (pid_t pid; (pid = reap());)
            for (int k = 0; k < count; k++)
                running -= pid == pids[k];
        calls_made = 0;
        for (int k = 0; k < count; k++)
            calls_made += shared[k].calls;
        int64_t t = now_ms();
        if (calls_made != seen)
            seen = calls_made, moved = t;
        if (running == 0 || t - moved > 60 || t - start > 3000)
            break;
        if (!guard_is_well('h'))
            break;
        usleep(3000);
    }
    kill_all();
    guard_is_well('c');
    remove_tree();
    return calls_made;
}

static long settled_memory(void)
{
    long best = 0;
    for (int i = 0; i < 20; i++) {
        long now = free_memory();
        best = now > best ? now : best;
        usleep(2000);
    }
    return best;
}

int main(int argc, char **argv)
{
    uint64_t seed = 1, from = 0, rounds = UINT64_MAX;
    int64_t seconds = 20;
    const char *calls = NULL;
    bool verbose = false;

    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (!strcmp(argv[i], "--seed") && more)
            seed = strtoull(argv[++i], NULL, 0);
        else if (!strcmp(argv[i], "--time") && more)
            seconds = atol(argv[++i]);
        else if (!strcmp(argv[i], "--from") && more)
            from = strtoull(argv[++i], NULL, 0);
        else if (!strcmp(argv[i], "--rounds") && more)
            rounds = strtoull(argv[++i], NULL, 0);
        else if (!strcmp(argv[i], "--calls") && more) {
            static char list[1024];
            snprintf(list, sizeof list, ",%s,", argv[++i]);
            calls = list;
        } else if (!strcmp(argv[i], "--verbose"))
            verbose = true;
    }
    signal(SIGPIPE, SIG_IGN);
    start_guard();
    int64_t start = now_ms();
    uint64_t total = 0, done = 0;
    long before = -1, now = -1;
    for (uint64_t n = from; done < rounds && now_ms() - start < seconds * 1000; n++, done++) {
        total += round_of(seed, n, calls, verbose);
        if (done % 50 == 0 || done == WARM_UP) {
            now = settled_memory();
            say("MEM %lu %ld", n, now);
            if (done == WARM_UP)
                before = now;
        }
    }
    long after = settled_memory();
    say("MEM %lu %ld", from + done, after);
    if (before > 0 && after < before - before / 100) {
        char text[80];
        snprintf(text, sizeof text, "free memory went from %ld to %ld KiB", before, after);
        hit(text);
    }
    say("# slowest answer %ld ms", (long)slowest);
    say("END %lu %lu %ld", done, total, (long)(now_ms() - start));
    return 0;
}
