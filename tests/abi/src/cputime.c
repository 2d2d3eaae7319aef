/* SPDX-License-Identifier: MIT OR Apache-2.0
 * Processor time: that it counts, and what is made to happen by it. */
#include "abi.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/times.h>

static int64_t clock_ns(clockid_t id)
{
    struct timespec t;
    OK(syscall(SYS_clock_gettime, id, &t));
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Computes until the process has used `ms` more. */
static void burn(long ms)
{
    int64_t end = clock_ns(CLOCK_PROCESS_CPUTIME_ID) + ms * 1000000;
    while (clock_ns(CLOCK_PROCESS_CPUTIME_ID) < end)
        for (volatile int i = 0; i < 20000; i++)
            ;
}

static clockid_t cpu_clock(int id, int flags)
{
    return (clockid_t)(~(unsigned)id << 3) | flags;
}

static volatile int stop;

static void *wait_for_stop(void *tid)
{
    *(pid_t *)tid = gettid();
    while (!stop)
        sleep_ms(1);
    return NULL;
}

CASE(cpu, clocks)
{
    int64_t wall = clock_ns(CLOCK_MONOTONIC);
    int64_t process = clock_ns(CLOCK_PROCESS_CPUTIME_ID), thread = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    burn(30);
    int64_t more = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - process;
    CHECK(more >= 30000000 && more <= clock_ns(CLOCK_MONOTONIC) - wall);
    CHECK(clock_ns(CLOCK_THREAD_CPUTIME_ID) - thread >= 29000000);
    /* Sleeping costs next to nothing. */
    process = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    sleep_ms(200);
    CHECK(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - process < 100000000);
    /* User time alone is less than both; user and system time of one's own by id. */
    int64_t user = clock_ns(cpu_clock(0, 1)), both = clock_ns(cpu_clock(0, 2));
    CHECK(user > 0 && user <= both);
    CHECK(clock_ns(cpu_clock(getpid(), 2)) >= both);
    CHECK(clock_ns(cpu_clock(gettid(), 6)) > 0);
    struct timespec t = {1, 0};
    ERR(clock_gettime(cpu_clock(999999, 2), &t), EINVAL);
    ERR(clock_gettime(cpu_clock(0, 3), &t), EINVAL);
    ERR(syscall(SYS_clock_settime, CLOCK_PROCESS_CPUTIME_ID, &t), EINVAL);
    ERR(syscall(SYS_clock_settime, cpu_clock(0, 2), &t), EPERM);
    OK(clock_getres(CLOCK_THREAD_CPUTIME_ID, &t));
    CHECK(t.tv_sec == 0 && t.tv_nsec == 1);
}

CASE(cpu, clocks_of_others)
{
    pthread_t thread;
    pid_t tid = 0;
    CHECK_EQ(pthread_create(&thread, NULL, wait_for_stop, &tid), 0);
    clockid_t id;
    CHECK_EQ(pthread_getcpuclockid(thread, &id), 0);
    burn(50);
    int64_t its = clock_ns(id);
    CHECK(its > 0 && its < clock_ns(CLOCK_THREAD_CPUTIME_ID));
    stop = 1;
    CHECK_EQ(pthread_join(thread, NULL), 0);
    /* The time of a thread that has ended stays its process's. */
    CHECK(clock_ns(CLOCK_PROCESS_CPUTIME_ID) >= its + clock_ns(CLOCK_THREAD_CPUTIME_ID) - 1000000);
    volatile int *flag = shared_page();
    pid_t child = xfork();
    if (child == 0) {
        burn(50);
        *flag = 1;
        for (;;)
            sleep_ms(1000);
    }
    await(flag);
    CHECK_EQ(clock_getcpuclockid(child, &id), 0);
    int64_t first = clock_ns(id);
    CHECK(first >= 50000000);
    sleep_ms(50);
    CHECK(clock_ns(id) - first < 40000000);
    /* Its thread is nobody else's business. */
    struct timespec t;
    ERR(clock_gettime(cpu_clock(child, 6), &t), EINVAL);
    kill(child, SIGKILL);
    child_killed(child, SIGKILL);
    CHECK_EQ(clock_getcpuclockid(child, &id), ESRCH);
}

static int64_t usec(struct timeval t)
{
    return t.tv_sec * 1000000LL + t.tv_usec;
}

static int64_t total(const struct rusage *u)
{
    return usec(u->ru_utime) + usec(u->ru_stime);
}

CASE(cpu, rusage)
{
    struct rusage before, after, thread;
    OK(getrusage(RUSAGE_SELF, &before));
    burn(40);
    enum { PAGES = 256 };
    char *memory = MAP_OK(mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    for (int i = 0; i < PAGES; i++)
        memory[i * PAGE] = 1;
    OK(munmap(memory, PAGES * PAGE));
    for (int i = 0; i < 20; i++)
        sleep_ms(1);
    OK(getrusage(RUSAGE_SELF, &after));
    OK(getrusage(RUSAGE_THREAD, &thread));
    CHECK(total(&after) - total(&before) >= 40000);
    CHECK(total(&thread) >= 40000 && total(&thread) <= total(&after) + 10000);
    CHECK(after.ru_minflt - before.ru_minflt >= PAGES);
    CHECK(after.ru_maxrss >= PAGES * 4);
    CHECK(after.ru_nvcsw - before.ru_nvcsw >= 15);
}

CASE(cpu, children)
{
    struct rusage none, child, children;
    struct tms times_before, times_after;
    OK(getrusage(RUSAGE_CHILDREN, &none));
    OK(times(&times_before));
    pid_t pid = xfork();
    if (pid == 0) {
        /* A child's child counts once the child has waited for it. */
        CHILD(burn(40));
        burn(40);
        _exit(0);
    }
    int status;
    CHECK_EQ(OK(wait4(pid, &status, 0, &child)), pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(total(&child) >= 80000 && total(&child) < 2000000);
    OK(getrusage(RUSAGE_CHILDREN, &children));
    CHECK_EQ(total(&children) - total(&none), total(&child));
    CHECK(children.ru_maxrss > 0 && children.ru_minflt > none.ru_minflt);
    OK(times(&times_after));
    CHECK(times_after.tms_cutime + times_after.tms_cstime - times_before.tms_cutime - times_before.tms_cstime >= 7);
    CHECK(times_after.tms_utime + times_after.tms_stime < 8);
    /* waitid has it too, and a child nobody waits for counts for nobody. */
    pid = xfork();
    if (pid == 0) {
        burn(30);
        _exit(0);
    }
    siginfo_t info;
    OK(syscall(SYS_waitid, P_PID, pid, &info, WEXITED, &child));
    CHECK(total(&child) >= 30000);
    signal(SIGCHLD, SIG_IGN);
    OK(getrusage(RUSAGE_CHILDREN, &none));
    pid = xfork();
    if (pid == 0) {
        burn(30);
        _exit(0);
    }
    ERR(waitpid(pid, &status, 0), ECHILD);
    OK(getrusage(RUSAGE_CHILDREN, &children));
    CHECK_EQ(total(&children), total(&none));
}

/* The fields of /proc/PID/stat from number 3 on. */
static void stat_fields(const char *path, long long *field, int last)
{
    char text[1024];
    FILE *f = fopen(path, "r");
    CHECK(f && fgets(text, sizeof text, f));
    fclose(f);
    char *at = strrchr(text, ')');
    CHECK(at && strtok(at + 1, " "));
    for (int i = 4; i <= last; i++) {
        const char *word = strtok(NULL, " ");
        CHECK(word);
        field[i] = atoll(word);
    }
}

CASE(cpu, proc_files)
{
    long long field[53] = {0}, self[53] = {0};
    CHILD(burn(60));
    burn(60);
    stat_fields("/proc/self/stat", field, 44);
    CHECK(field[14] + field[15] >= 5 && field[14] + field[15] < 200);
    CHECK(field[16] + field[17] >= 5);
    CHECK(field[10] > 10);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", gettid());
    stat_fields(path, self, 17);
    CHECK(self[14] + self[15] >= 5 && self[14] + self[15] <= field[14] + field[15] + 5);
    /* All columns of /proc/stat add up to the time the machine has run; idle time is real. */
    long long user, nice, system, idle, iowait, irq, soft, idle_after;
    FILE *f = fopen("/proc/stat", "r");
    CHECK(f && fscanf(f, "cpu %lld %lld %lld %lld %lld %lld %lld", &user, &nice, &system, &idle, &iowait, &irq, &soft) == 7);
    fclose(f);
    CHECK(user + nice + system >= 10);
    double up, up_idle;
    f = fopen("/proc/uptime", "r");
    CHECK(f && fscanf(f, "%lf %lf", &up, &up_idle) == 2);
    fclose(f);
    CHECK(up > 0 && up_idle >= 0);
    sleep_ms(300);
    f = fopen("/proc/stat", "r");
    CHECK(f && fscanf(f, "cpu %*d %*d %*d %lld", &idle_after) == 1);
    fclose(f);
    CHECK(idle_after - idle >= 15);
}

static volatile int vtalrm, prof, xcpu;

static void on_cpu_signal(int sig)
{
    if (sig == SIGVTALRM)
        vtalrm++;
    else if (sig == SIGPROF)
        prof++;
    else
        xcpu++;
}

CASE(cpu, itimers)
{
    signal(SIGVTALRM, on_cpu_signal);
    signal(SIGPROF, on_cpu_signal);
    struct itimerval every = {{0, 20000}, {0, 20000}}, old, off = {{0, 0}, {0, 0}};
    OK(setitimer(ITIMER_VIRTUAL, &every, NULL));
    OK(setitimer(ITIMER_PROF, &every, NULL));
    /* No time of its own passes while it sleeps. */
    sleep_ms(150);
    CHECK(vtalrm <= 1 && prof <= 3);
    OK(getitimer(ITIMER_PROF, &old));
    CHECK(old.it_value.tv_usec > 0 && old.it_value.tv_usec <= 30000 && old.it_interval.tv_usec == 20000);
    burn(300);
    CHECK(prof >= 5 && prof <= 40);
    CHECK(vtalrm >= 2 && vtalrm <= 40);
    OK(setitimer(ITIMER_VIRTUAL, &off, &old));
    CHECK(old.it_interval.tv_usec == 20000);
    OK(setitimer(ITIMER_PROF, &off, NULL));
    int before = prof;
    burn(60);
    CHECK_EQ(prof, before);
    /* Not for a child; the default action ends. */
    OK(setitimer(ITIMER_PROF, &every, NULL));
    CHILD(OK(getitimer(ITIMER_PROF, &old)); CHECK(old.it_value.tv_usec == 0));
    signal(SIGVTALRM, SIG_DFL);
    DIES(SIGVTALRM, every.it_value.tv_usec = 1000; setitimer(ITIMER_VIRTUAL, &every, NULL); burn(2000));
}

CASE(cpu, timers)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGPROF};
    struct itimerspec spec = {{0, 0}, {0, 50000000}}, left;
    signal(SIGPROF, on_cpu_signal);
    OK(timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer));
    OK(timer_settime(timer, 0, &spec, NULL));
    sleep_ms(100);
    CHECK_EQ(prof, 0);
    OK(timer_gettime(timer, &left));
    CHECK(left.it_value.tv_sec == 0 && left.it_value.tv_nsec > 0 && left.it_value.tv_nsec <= 50000000);
    burn(30);
    CHECK_EQ(prof, 0);
    burn(80);
    CHECK_EQ(prof, 1);
    OK(timer_gettime(timer, &left));
    CHECK(left.it_value.tv_sec == 0 && left.it_value.tv_nsec == 0);
    /* A moment of processor time that has passed. */
    spec.it_value.tv_nsec = 1;
    OK(timer_settime(timer, TIMER_ABSTIME, &spec, NULL));
    burn(30);
    CHECK_EQ(prof, 2);
    OK(timer_delete(timer));
    /* A thread's own, repeated. */
    OK(timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer));
    spec.it_value.tv_nsec = spec.it_interval.tv_nsec = 10000000;
    OK(timer_settime(timer, 0, &spec, NULL));
    burn(150);
    OK(timer_delete(timer));
    CHECK(prof >= 5 && prof <= 40);
    ERR(timer_create(cpu_clock(999999, 2), &event, &timer), EINVAL);
}

CASE(cpu, limit)
{
    volatile int *seen = shared_page();
    pid_t pid = xfork();
    if (pid == 0) {
        struct rlimit limit = {1, 2}, now;
        signal(SIGXCPU, on_cpu_signal);
        OK(setrlimit(RLIMIT_CPU, &limit));
        while (!xcpu)
            burn(20);
        int64_t used = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
        if (used < 900000000 || used > 2000000000)
            _exit(1);
        OK(getrlimit(RLIMIT_CPU, &now));
        *seen = now.rlim_cur == 2 && now.rlim_max == 2;
        for (;;)
            burn(1000);
    }
    child_killed(pid, SIGKILL);
    CHECK_EQ(*seen, 1);
    /* Children have the limit too, but their time is their own; by default the signal ends. */
    CHILD({
        struct rlimit limit = {1, RLIM_INFINITY};
        OK(setrlimit(RLIMIT_CPU, &limit));
        pid_t inner = xfork();
        if (inner == 0)
            burn(5000);
        child_killed(inner, SIGXCPU);
    });
}

CASE(cpu, sleep)
{
    volatile int *ready = shared_page();
    pid_t child = xfork();
    if (child == 0) {
        *ready = 1;
        burn(5000);
        _exit(0);
    }
    await(ready);
    clockid_t id;
    CHECK_EQ(clock_getcpuclockid(child, &id), 0);
    struct timespec t = {0, 60000000};
    int64_t before = clock_ns(id);
    CHECK_EQ(clock_nanosleep(id, 0, &t, NULL), 0);
    CHECK(clock_ns(id) - before >= 60000000);
    t.tv_sec = 0, t.tv_nsec = 1000;
    CHECK_EQ(clock_nanosleep(id, TIMER_ABSTIME, &t, NULL), 0);
    kill(child, SIGKILL);
    child_killed(child, SIGKILL);
    ERR(syscall(SYS_clock_nanosleep, cpu_clock(getpid(), 3), 0, &t, NULL), EOPNOTSUPP);
    ERR(syscall(SYS_clock_nanosleep, cpu_clock(gettid(), 6), 0, &t, NULL), EINVAL);
    ERR(syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &t, NULL), EOPNOTSUPP);
}
