/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The worker: opens one of every kind, then makes calls until it has made enough, or has done itself in.
 */
#include "fuzz.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>

pid_t fork_plain(void)
{
    return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

/* Which argument of a call says whom it is aimed at; -1 for calls that name nobody. */
static int aim_of(uint64_t nr)
{
    switch (nr) {
    case SYS_kill: case SYS_tkill: case SYS_tgkill: case SYS_rt_sigqueueinfo: case SYS_rt_tgsigqueueinfo: case SYS_prlimit64:
    case SYS_setpgid: case SYS_sched_setaffinity: case SYS_pidfd_open: case SYS_process_vm_writev:
        return 0;
    case SYS_setpriority: case SYS_ptrace:
        return 1;
    default:
        return -1;
    }
}

/* Keeps root from what root may do to others. */
static void tame(struct worker *w, uint64_t nr, uint64_t args[6])
{
    if (!w->root)
        return;
    int at = aim_of(nr);
    if (at >= 0) {
        bool own = args[at] == 0;
        for (int i = 0; i < w->pid_count; i++)
            own = own || args[at] == (uint64_t)w->pids[i];
        if (!own)
            args[at] = 0;
    }
    if (nr == SYS_tgkill || nr == SYS_rt_tgsigqueueinfo)
        args[1] = args[0];
    if (nr == SYS_reboot)
        args[0] = 0;
}

void note_call(struct worker *w, uint64_t nr, const uint64_t args[6])
{
    struct shared *s = w->shared;
    uint64_t n = __atomic_fetch_add(&s->calls, 1, __ATOMIC_RELAXED);
    struct log_entry *e = &s->log[n % LOG_ENTRIES];
    e->nr = nr;
    memcpy(e->args, args, sizeof e->args);
    if (w->verbose) {
        char line[256];
        const char *name = "?";
        for (size_t i = 0; i < ROW_COUNT; i++)
            if (rows[i].nr == nr)
                name = rows[i].name;
        int len = snprintf(line, sizeof line, "  %d: %lu %s(0x%lx, 0x%lx, 0x%lx, 0x%lx, 0x%lx, 0x%lx)\n", (int)syscall(SYS_gettid),
            nr, name, args[0], args[1], args[2], args[3], args[4], args[5]);
        (void)!write(w->tell, line, len);
    }
}

/* Makes one call, in a child if it would be the worker's end. */
static void make(struct worker *w, uint64_t nr, uint64_t args[6])
{
    tame(w, nr, args);
    note_call(w, nr, args);
    bool final = nr == SYS_exit || nr == SYS_exit_group || nr == SYS_execve || nr == SYS_execveat || nr == SYS_rt_sigreturn;
    if (final && !one_in(&w->rng, 40)) {
        pid_t pid = fork_plain();
        if (pid == 0) {
            syscall(nr, args[0], args[1], args[2], args[3], args[4], args[5]);
            _exit(0);
        }
        if (pid > 0 && w->pid_count < 8)
            w->pids[w->pid_count++] = pid;
        return;
    }
    if (nr == SYS_clone || nr == SYS_clone3) {
        if (w->shared->clones++ > 20)
            return;
        long pid = clone_call(nr, args[0], args[1], args[2], args[3], args[4]);
        if (pid > 0 && w->pid_count < 8)
            w->pids[w->pid_count++] = pid;
        return;
    }
    uint64_t regs[9] = {args[0], args[1], args[2], args[3], args[4], args[5], rnd(&w->rng), 0, nr};
    regs[7] = one_in(&w->rng, 2) ? -(1 + below(&w->rng, 40)) : rnd(&w->rng);
    raw_call(regs, 0);
}

static const struct row *choose(struct worker *w)
{
    struct rng *r = &w->rng;
    if (w->favourite_count && !one_in(r, 3))
        return &rows[w->favourites[below(r, w->favourite_count)]];
    for (int i = 0; i < 50; i++) {
        const struct row *row = &rows[below(r, ROW_COUNT)];
        if (row->level == 0 && !one_in(r, 20))
            continue;
        if (w->calls) {
            char name[64];
            snprintf(name, sizeof name, ",%s,", row->name);
            if (!strstr(w->calls, name))
                continue;
        }
        return row;
    }
    return &rows[0];
}

static void on_alarm(int sig)
{
    (void)sig;
}

struct kind kinds[] = {
    {"timerfd_", {0}, 0}, {"epoll_", {0}, 0}, {"inotify_", {0}, 0}, {"signalfd", {0}, 0},
    /* of sockets, see is_of_sockets() in gen.c */
    {"socket", {0}, 0}, {NULL, {0}, 0},
};

static int know(int kind, int fd)
{
    if (fd >= 0 && kinds[kind].count < 8)
        kinds[kind].fds[kinds[kind].count++] = fd;
    return fd;
}

static void one_of_every_kind(void)
{
    int fds[2];
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "sock"};
    mkdir("d", 0777);
    mkdir("d/e", 0777);
    for (const char *const *p = (const char *const[]){"a", "b", "d/x", "d/e/f", NULL}; *p; p++) {
        int fd = open(*p, O_CREAT | O_RDWR, 0666);
        (void)!write(fd, "some text that is in a file\n", 28);
        if (**p != 'a')
            close(fd);
    }
    (void)!symlink("d", "lnk");
    (void)!symlink("loop", "loop");
    mkfifo("fifo", 0666);
    open("d", O_RDONLY | O_DIRECTORY);
    open("fifo", O_RDWR | O_NONBLOCK);
    (void)!pipe(fds);
    (void)!write(fds[1], "bytes in a pipe", 15);
    (void)!pipe2(fds, O_NONBLOCK);
    socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
    know(4, fds[0]), know(4, fds[1]);
    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds);
    know(4, fds[0]), know(4, fds[1]);
    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds);
    int listener = know(4, socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    bind(listener, (struct sockaddr *)&un, sizeof un);
    listen(listener, 3);
    connect(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), (struct sockaddr *)&un, sizeof un);
    eventfd(3, 0);
    struct epoll_event event = {.events = EPOLLIN};
    int epoll = know(1, epoll_create1(0));
    know(1, epoll_create1(0));
    epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], &event);
    know(0, timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    know(0, timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK));
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    know(3, signalfd(-1, &set, SFD_NONBLOCK));
    int memory = memfd_create("m", MFD_ALLOW_SEALING);
    (void)!ftruncate(memory, 10000);
    know(2, inotify_init1(IN_NONBLOCK));
    open("/dev/null", O_RDWR);
    open("/dev/zero", O_RDWR);
    open("/dev/urandom", O_RDONLY);
    int pt = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    int unlock = 0, n = 0;
    syscall(SYS_ioctl, pt, 0x40045431, &unlock);
    char name[32];
    if (syscall(SYS_ioctl, pt, 0x80045430, &n) == 0) {
        snprintf(name, sizeof name, "/dev/pts/%d", n);
        open(name, O_RDWR);
    }
    open("/proc/self/maps", O_RDONLY);
    open("/proc/self", O_RDONLY | O_DIRECTORY);
    open("/proc/meminfo", O_RDONLY);
    open("a", O_PATH);
    int gone = open("gone", O_CREAT | O_RDWR, 0600);
    (void)!write(gone, "gone", 4);
    unlink("gone");
    int script = open("script", O_CREAT | O_WRONLY, 0755);
    (void)!write(script, "#!/script\n", 10);
    close(script);
}

static void *map(void *at, size_t size, int prot, int flags)
{
    return mmap(at, size, prot, flags | MAP_ANONYMOUS, -1, 0);
}

static int thread_main(void *data)
{
    struct worker own = *(struct worker *)data;
    own.rng.state ^= (uint64_t)syscall(SYS_gettid) << 40;
    own.arena.at = below(&own.rng, 32) * 4096;
    for (int i = 0; i < 60; i++) {
        uint64_t args[6];
        const struct row *row = choose(&own);
        gen_call(&own, row, args);
        if (row->nr != SYS_exit_group && row->nr != SYS_munmap)
            make(&own, row->nr, args);
    }
    syscall(SYS_exit, 0);
    return 0;
}

int clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);

static void threads(struct worker *w)
{
    for (unsigned n = 1 + below(&w->rng, 3); n; n--) {
        uint8_t *stack = map(NULL, 32 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
        if (stack == MAP_FAILED)
            return;
        uint8_t *tls = stack; /* the C library's errno lives there */
        clone(thread_main, stack + 32 * PAGE, 0x50f00 | CLONE_SETTLS, w, NULL, tls + 4096, NULL);
    }
}

void worker_main(struct worker *w, unsigned calls)
{
    struct rng *r = &w->rng;
    /* At a fixed place, so that a round's addresses are the same whenever it is run. */
    uint8_t *base = map((void *)0x10000000, (ARENA_PAGES + 16) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_FIXED);
    if (base == MAP_FAILED)
        _exit(9);
    w->arena.pages = map(base, ARENA_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED);
    w->arena.ro = map(base + (ARENA_PAGES + 2) * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED);
    w->arena.none = base + (ARENA_PAGES + 4) * PAGE;
    w->arena.shared = map(base + (ARENA_PAGES + 6) * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED);
    w->arena.code = map(base + (ARENA_PAGES + 10) * PAGE, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_FIXED);
    if (!w->calls && one_in(r, 2))
        for (w->favourite_count = 0; w->favourite_count < 6;) {
            int at = below(r, ROW_COUNT);
            if (rows[at].level)
                w->favourites[w->favourite_count++] = at;
        }
    one_of_every_kind();
    struct sigaction action = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &action, NULL);
    struct itimerspec every = {{0, 5000000}, {0, 5000000}};
    timer_t timer;
    struct sigevent by = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &by, &timer) == 0)
        syscall(SYS_timer_settime, *(int *)&timer, 0, &every, NULL);
    w->pids[w->pid_count++] = getpid();
    if (one_in(r, 3)) {
        pid_t pid = fork_plain(); /* a second process that shares descriptions and shared memory */
        if (pid > 0)
            w->pids[w->pid_count++] = pid;
        else if (pid == 0)
            r->state ^= 0x5555;
    }
    if (one_in(r, 3))
        threads(w);
    for (unsigned i = 0; i < calls; i++) {
        uint64_t args[6];
        if (!w->calls && one_in(r, 25)) {
            special(w);
            continue;
        }
        if (!w->calls && one_in(r, 60)) {
            for (int k = 0; k < 6; k++)
                args[k] = gen_value(r);
            make(w, one_in(r, 2) ? below(r, 600) : gen_value(r), args);
            continue;
        }
        const struct row *row = choose(w);
        gen_call(w, row, args);
        if (row->nr == SYS_close_range && args[0] < 50 && !one_in(r, 10))
            args[0] += 40;
        make(w, row->nr, args);
    }
    syscall(SYS_exit_group, 0);
}
