/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Process groups, sessions, credentials, limits, priorities.
 */
#include "abi.h"
#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/times.h>

CASE(job, process_groups)
{
    CHECK_EQ(getpgrp(), getpid()); /* the runner made it so */
    CHECK_EQ(getpgid(0), getpid());
    pid_t pid = xfork();
    if (pid == 0) {
        CHECK_EQ(getpgrp(), getppid());
        OK(setpgid(0, 0));
        CHECK_EQ(getpgrp(), getpid());
        for (;;)
            sleep_ms(1000);
    }
    while (getpgid(pid) != pid)
        sleep_ms(1);
    pid_t other = xfork();
    if (other == 0)
        for (;;)
            sleep_ms(1000);
    OK(setpgid(other, pid));
    CHECK_EQ(getpgid(other), pid);
    ERR(setpgid(other, 0x3ffffff), EPERM);
    ERR(setpgid(0x3ffffff, 0), ESRCH);
    ERR(setpgid(pid, -1), EINVAL);
    ERR(getpgid(0x3ffffff), ESRCH);
    OK(kill(-pid, SIGKILL));
    child_killed(pid, SIGKILL);
    child_killed(other, SIGKILL);
}

CASE(job, setpgid_after_exec_is_refused)
{
    pid_t pid = xfork();
    if (pid == 0) {
        execl("/bin/sleep", "sleep", "100", NULL);
        _exit(99);
    }
    char path[64], exe[128];
    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    for (int i = 0; i < 2000; i++) {
        ssize_t n = readlink(path, exe, sizeof exe - 1);
        exe[n > 0 ? n : 0] = 0;
        if (strstr(exe, "busybox") || strstr(exe, "sleep"))
            break;
        sleep_ms(1);
    }
    ERR(setpgid(pid, pid), EACCES);
    OK(kill(pid, SIGKILL));
    child_killed(pid, SIGKILL);
}

CASE(job, sessions)
{
    ERR(setsid(), EPERM); /* a group leader may not */
    pid_t session = getsid(0);
    pid_t pid = xfork();
    if (pid == 0) {
        CHECK_EQ(getsid(0), session);
        CHECK_EQ(setsid(), getpid());
        CHECK_EQ(getsid(0), getpid());
        CHECK_EQ(getpgrp(), getpid());
        ERR(setsid(), EPERM);
        ERR(setpgid(0, 0), EPERM);
        ERR(open("/dev/tty", O_RDWR), ENXIO);
        for (;;)
            sleep_ms(1000);
    }
    for (int i = 0; i < 2000 && getsid(pid) != pid; i++)
        sleep_ms(1);
    CHECK_EQ(getsid(pid), pid);
    ERR(setpgid(pid, 0), EPERM);
    ERR(getsid(0x3ffffff), ESRCH);
    OK(kill(pid, SIGKILL));
    child_killed(pid, SIGKILL);
}

CASE(job, orphaned_stopped_group_gets_hup_and_cont)
{
    int fds[2];
    OK(pipe(fds));
    pid_t pid = xfork();
    if (pid == 0) {
        pid_t inner = xfork();
        if (inner == 0) {
            setpgid(0, 0);
            write(fds[1], "r", 1);
            raise(SIGSTOP);
            _exit(0);
        }
        char c;
        read(fds[0], &c, 1);
        await_state(inner, 'T');
        OK(write(fds[1], &inner, sizeof inner));
        _exit(0);
    }
    child_ok(pid);
    pid_t inner;
    CHECK_EQ(read(fds[0], &inner, sizeof inner), sizeof inner);
    for (int i = 0; i < 3000; i++) {
        int state = proc_state(inner);
        if (state == 0 || state == 'Z')
            return;
        sleep_ms(1);
    }
    FAIL("the orphaned stopped process is still there");
}

CASE(cred, ids)
{
    uid_t r, e, s;
    OK(getresuid(&r, &e, &s));
    CHECK(r == getuid() && e == geteuid());
    if (geteuid() != 0)
        SKIP("not root");
    CHILD({
        OK(setresgid(10, 20, 30));
        CHECK(getgid() == 10 && getegid() == 20);
        OK(setresuid(1000, 2000, 3000));
        OK(getresuid(&r, &e, &s));
        CHECK(r == 1000 && e == 2000 && s == 3000);
        OK(setreuid(-1, 3000));
        CHECK_EQ(geteuid(), 3000);
        OK(seteuid(1000));
        ERR(seteuid(0), EPERM);
        ERR(setgid(0), EPERM);
        OK(setgid(30));
        ERR(setgroups(0, NULL), EPERM);
    });
    CHILD({
        OK(setuid(5));
        OK(getresuid(&r, &e, &s));
        CHECK(r == 5 && e == 5 && s == 5);
        ERR(setuid(6), EPERM);
    });
}

CASE(cred, groups)
{
    if (geteuid() != 0)
        SKIP("not root");
    gid_t want[3] = {7, 5, 9};
    gid_t got[10];
    OK(setgroups(3, want));
    CHECK_EQ(getgroups(0, NULL), 3);
    CHECK_EQ(getgroups(10, got), 3);
    ERR(getgroups(2, got), EINVAL);
    int sum = got[0] + got[1] + got[2];
    CHECK_EQ(sum, 21);
    CHILD(CHECK_EQ(getgroups(0, NULL), 3));
}

CASE(cred, setuid_program)
{
    if (geteuid() != 0)
        SKIP("not root");
    /* a copy of this program that belongs to somebody else */
    size_t len;
    char *self = get_file(abi_self, &len);
    put_file("suid", self, len, 0755);
    OK(chown("suid", 55, 66));
    OK(chmod("suid", 06755));
    OK(chmod(".", 0755));
    int fds[2];
    OK(pipe(fds));
    pid_t pid = xfork();
    if (pid == 0) {
        OK(setgid(1));
        OK(setuid(1));
        dup2(fds[1], 1);
        execl("./suid", "suid", "--helper", "creds", NULL);
        _exit(99);
    }
    child_ok(pid);
    char text[64] = "";
    OK(read(fds[0], text, sizeof text - 1));
    if (strcmp(text, "1 55 1 66") != 0)
        FAIL("the program sees %s", text);
}

CASE(cred, umask)
{
    mode_t old = umask(0777);
    CHECK_EQ(umask(01234), 0777);
    CHECK_EQ(umask(old), 0234);
    umask(055);
    CHILD(CHECK_EQ(umask(0), 055));
    CHECK_EQ(umask(022), 055);
}

CASE(limit, prlimit)
{
    struct rlimit l;
    for (int i = 0; i < RLIM_NLIMITS; i++)
        OK(getrlimit(i, &l));
    ERR(getrlimit(77, &l), EINVAL);
    l = (struct rlimit){100, 200};
    OK(setrlimit(RLIMIT_NOFILE, &l));
    OK(getrlimit(RLIMIT_NOFILE, &l));
    CHECK(l.rlim_cur == 100 && l.rlim_max == 200);
    l = (struct rlimit){300, 200};
    ERR(setrlimit(RLIMIT_NOFILE, &l), EINVAL);
    CHILD({
        struct rlimit mine;
        OK(getrlimit(RLIMIT_NOFILE, &mine));
        CHECK_EQ(mine.rlim_cur, 100);
    });
    OK(getrlimit(RLIMIT_STACK, &l));
    CHECK_EQ(l.rlim_cur, 8 << 20);
}

CASE(limit, file_size)
{
    struct rlimit l = {5000, 5000};
    int fd = OK(open("f", O_CREAT | O_RDWR, 0644));
    OK(setrlimit(RLIMIT_FSIZE, &l));
    on_signal(SIGXFSZ, SIG_IGN, 0);
    static char block[10000];
    CHECK_EQ(write(fd, block, sizeof block), 5000);
    ERR(write(fd, block, 1), EFBIG);
    ERR(ftruncate(fd, 6000), EFBIG);
    on_signal(SIGXFSZ, SIG_DFL, 0);
    DIES(SIGXFSZ, write(fd, block, 1));
}

CASE(limit, priorities)
{
    errno = 0;
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), 0);
    OK(setpriority(PRIO_PROCESS, 0, 5));
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), 5);
    CHILD(CHECK_EQ(getpriority(PRIO_PROCESS, 0), 5));
    OK(setpriority(PRIO_PROCESS, 0, 100));
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), 19);
    ERR(getpriority(PRIO_PROCESS, 0x3ffffff), ESRCH);
    ERR(getpriority(77, 0), EINVAL);
}

CASE(limit, scheduling)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    OK(sched_getaffinity(0, sizeof set, &set));
    CHECK(CPU_COUNT(&set) >= 1);
    OK(sched_setaffinity(0, sizeof set, &set));
    CHECK_EQ(sched_getscheduler(0), SCHED_OTHER);
    struct sched_param p;
    OK(sched_getparam(0, &p));
    CHECK_EQ(p.sched_priority, 0);
    CHECK_EQ(sched_get_priority_max(SCHED_FIFO), 99);
    OK(sched_yield());
}

CASE(limit, usage)
{
    struct rusage u;
    struct tms t;
    volatile long x = 0;
    int64_t end = now_ms() + 60;
    while (now_ms() < end)
        x++;
    OK(getrusage(RUSAGE_SELF, &u));
    CHECK(u.ru_utime.tv_sec * 1000000 + u.ru_utime.tv_usec + u.ru_stime.tv_sec * 1000000 + u.ru_stime.tv_usec > 10000);
    CHECK(times(&t) != -1);
    CHECK(t.tms_utime + t.tms_stime >= 1);
    ERR(getrusage(77, &u), EINVAL);
}

CASE(limit, prctl)
{
    char name[16] = "";
    OK(prctl(PR_SET_NAME, "a new name, too long"));
    OK(prctl(PR_GET_NAME, name));
    CHECK(strcmp(name, "a new name, too") == 0);
    char *comm = get_file("/proc/self/comm", NULL);
    CHECK(strcmp(comm, "a new name, too\n") == 0);
    OK(prctl(PR_SET_PDEATHSIG, SIGKILL));
    int sig;
    OK(prctl(PR_GET_PDEATHSIG, &sig));
    CHECK_EQ(sig, SIGKILL);
    OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
    ERR(prctl(99999, 0, 0, 0, 0), EINVAL);
}

CASE(limit, subreaper_and_pdeathsig)
{
    pid_t pid = xfork();
    if (pid == 0) {
        pid_t inner = xfork();
        if (inner == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (;;)
                sleep_ms(1000);
        }
        OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
        pid_t middle = xfork();
        if (middle == 0) {
            if (fork() == 0) {
                while (getppid() == middle)
                    sleep_ms(1);
                sleep_ms(20);
                _exit(44);
            }
            _exit(0);
        }
        child_ok(middle);
        int status;
        pid_t got = waitpid(-1, &status, 0);
        CHECK(got != inner);
        CHECK_EQ(status, 44 << 8);
        _exit(0);
    }
    child_ok(pid);
}
