/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Descriptors of processes; the flags of clone that make processes; unshare.
 */
#include "abi.h"
#include <linux/sched.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static int pidfd_open(pid_t pid, unsigned flags)
{
    return (int)syscall(434, pid, flags);
}

static long pidfd_send(int fd, int sig, siginfo_t *info, unsigned flags)
{
    return syscall(424, fd, sig, info, flags);
}

static pid_t sleeper(void)
{
    pid_t pid = xfork();
    if (pid == 0)
        for (;;)
            pause();
    return pid;
}

static int polled(int fd, int ms)
{
    struct pollfd p = {fd, POLLIN, 0};
    return OK(poll(&p, 1, ms)) ? p.revents : 0;
}

CASE(pidfd, open_and_poll)
{
    ERR(pidfd_open(0, 0), EINVAL);
    ERR(pidfd_open(-1, 0), EINVAL);
    ERR(pidfd_open(getpid(), 1), EINVAL);
    ERR(pidfd_open(0x3ffff0, 0), ESRCH);
    pid_t pid = sleeper();
    int fd = OK(pidfd_open(pid, 0));
    CHECK(OK(fcntl(fd, F_GETFD)) & FD_CLOEXEC);
    char c;
    ERR(read(fd, &c, 1), EINVAL);
    ERR(write(fd, &c, 1), EINVAL);
    CHECK_EQ(polled(fd, 0), 0);
    int ep = OK(epoll_create1(0));
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = 7};
    OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
    CHECK_EQ(epoll_wait(ep, &e, 1, 0), 0);
    OK(kill(pid, SIGTERM));
    CHECK_EQ(epoll_wait(ep, &e, 1, 2000), 1);
    CHECK_EQ(e.data.u32, 7);
    CHECK_EQ(polled(fd, 2000) & POLLIN, POLLIN);
    int zombie = OK(pidfd_open(pid, 0));
    CHECK_EQ(polled(zombie, 0) & POLLIN, POLLIN);
    OK(pidfd_send(fd, 0, NULL, 0));
    child_killed(pid, SIGTERM);
    ERR(pidfd_send(fd, 0, NULL, 0), ESRCH);
    CHECK_EQ(polled(fd, 0) & POLLIN, POLLIN);
    char line[64], text[64];
    snprintf(line, sizeof line, "/proc/self/fd/%d", fd);
    ssize_t n = OK(readlink(line, text, sizeof text - 1));
    text[n] = 0;
    CHECK(strcmp(text, "anon_inode:[pidfd]") == 0);
}

static volatile int got, value, code;

static void handler(int sig, siginfo_t *info, void *u)
{
    (void)u;
    got = sig;
    value = info->si_value.sival_int;
    code = info->si_code;
}

CASE(pidfd, send_signal)
{
    struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    OK(sigaction(SIGUSR1, &a, NULL));
    int fd = OK(pidfd_open(getpid(), 0));
    OK(pidfd_send(fd, SIGUSR1, NULL, 0));
    CHECK_EQ(got, SIGUSR1);
    CHECK_EQ(code, SI_USER);
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = SIGUSR1;
    info.si_code = SI_QUEUE;
    info.si_value.sival_int = 77;
    OK(pidfd_send(fd, SIGUSR1, &info, 0));
    CHECK_EQ(value, 77);
    CHECK_EQ(code, SI_QUEUE);
    ERR(pidfd_send(fd, SIGUSR2, &info, 0), EINVAL);
    ERR(pidfd_send(fd, SIGUSR1, (void *)16, 0), EFAULT);
    ERR(pidfd_send(fd, SIGUSR1, NULL, 1), EINVAL);
    ERR(pidfd_send(fd, 65, NULL, 0), EINVAL);
    ERR(pidfd_send(-1, 0, NULL, 0), EBADF);
    ERR(pidfd_send(0, 0, NULL, 0), EBADF);
    pid_t pid = sleeper();
    int other = OK(pidfd_open(pid, 0));
    info.si_code = SI_USER;
    ERR(pidfd_send(other, SIGUSR1, &info, 0), EPERM);
    CHILD(OK(setresuid(1000, 1000, 1000)); ERR(pidfd_send(other, SIGUSR1, NULL, 0), EPERM));
    OK(pidfd_send(other, SIGKILL, NULL, 0));
    child_killed(pid, SIGKILL);
}

CASE(pidfd, waitid)
{
    pid_t pid = sleeper();
    int fd = OK(pidfd_open(pid, 0));
    siginfo_t info;
    memset(&info, 0x55, sizeof info);
    OK(waitid((idtype_t)P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG));
    CHECK_EQ(info.si_pid, 0);
    int nonblock = OK(pidfd_open(pid, O_NONBLOCK));
    ERR(waitid((idtype_t)P_PIDFD, (id_t)nonblock, &info, WEXITED), EAGAIN);
    ERR(waitid((idtype_t)P_PIDFD, 0, &info, WEXITED), EBADF);
    ERR(waitid((idtype_t)P_PIDFD, (id_t)-1, &info, WEXITED), EINVAL);
    OK(kill(pid, SIGINT));
    OK(waitid((idtype_t)P_PIDFD, (id_t)fd, &info, WEXITED | WNOWAIT));
    CHECK_EQ(info.si_pid, pid);
    CHECK_EQ(info.si_code, CLD_KILLED);
    CHECK_EQ(info.si_status, SIGINT);
    OK(waitid((idtype_t)P_PIDFD, (id_t)nonblock, &info, WEXITED));
    ERR(waitid((idtype_t)P_PIDFD, (id_t)fd, &info, WEXITED), ECHILD);
    int self = OK(pidfd_open(getpid(), 0));
    ERR(waitid((idtype_t)P_PIDFD, (id_t)self, &info, WEXITED), ECHILD);
}

CASE(pidfd, getfd)
{
    int p[2];
    pid_t parent = getpid();
    OK(pipe(p));
    pid_t pid = xfork();
    if (pid == 0) {
        int fd = OK(pidfd_open(parent, 0));
        close(p[1]);
        int mine = OK(syscall(438, fd, p[1], 0));
        CHECK(OK(fcntl(mine, F_GETFD)) & FD_CLOEXEC);
        CHECK_EQ(write(mine, "x", 1), 1);
        ERR(syscall(438, fd, 999, 0), EBADF);
        ERR(syscall(438, fd, p[1], 1), EINVAL);
        ERR(syscall(438, 0, p[1], 0), EBADF);
        CHECK_EQ(syscall(SYS_kcmp, getpid(), parent, 0, mine, p[1]), 0);
        CHECK(syscall(SYS_kcmp, getpid(), parent, 0, mine, p[0]) > 0);
        OK(setresuid(1000, 1000, 1000));
        ERR(syscall(438, fd, p[1], 0), EPERM);
        ERR(syscall(SYS_kcmp, getpid(), parent, 0, mine, p[1]), EPERM);
        _exit(0);
    }
    char c;
    CHECK_EQ(read(p[0], &c, 1), 1);
    child_ok(pid);
}

CASE(pidfd, kcmp)
{
    pid_t me = getpid(), pid = sleeper();
    CHECK_EQ(syscall(SYS_kcmp, me, me, 1, 0, 0), 0);
    CHECK(syscall(SYS_kcmp, me, pid, 1, 0, 0) > 0);
    CHECK(syscall(SYS_kcmp, me, pid, 2, 0, 0) > 0);
    CHECK(syscall(SYS_kcmp, me, pid, 3, 0, 0) > 0);
    CHECK(syscall(SYS_kcmp, me, pid, 4, 0, 0) > 0);
    CHECK_EQ(syscall(SYS_kcmp, me, pid, 0, 1, 1), 0);
    ERR(syscall(SYS_kcmp, me, pid, 0, 999, 1), EBADF);
    ERR(syscall(SYS_kcmp, me, pid, 99, 0, 0), EINVAL);
    ERR(syscall(SYS_kcmp, 0x3ffff0, pid, 1, 0, 0), ESRCH);
    int d = OK(dup(1));
    CHECK_EQ(syscall(SYS_kcmp, me, me, 0, 1, d), 0);
    kill(pid, SIGKILL);
    child_killed(pid, SIGKILL);
}

static long clone3(struct clone_args *a, size_t size)
{
    return syscall(435, a, size);
}

CASE(pidfd, clone_gives_one)
{
    int fd = -1;
    struct clone_args a = {.flags = CLONE_PIDFD, .pidfd = (uintptr_t)&fd, .exit_signal = SIGCHLD};
    long pid = OK(clone3(&a, sizeof a));
    if (pid == 0)
        _exit(7);
    CHECK(fd > 2);
    CHECK(OK(fcntl(fd, F_GETFD)) & FD_CLOEXEC);
    CHECK_EQ(polled(fd, 3000) & POLLIN, POLLIN);
    siginfo_t info;
    OK(waitid((idtype_t)P_PIDFD, (id_t)fd, &info, WEXITED));
    CHECK_EQ(info.si_status, 7);
    CHECK_EQ(info.si_pid, pid);
    /* the old call puts it where the parent's id would go */
    fd = -1;
    pid = OK(syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &fd, 0, 0));
    if (pid == 0)
        _exit(0);
    CHECK(fd > 2);
    child_ok((pid_t)pid);
    ERR(syscall(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, 0, &fd, 0, 0), EINVAL);
    ERR(syscall(SYS_clone, CLONE_PIDFD | CLONE_DETACHED | SIGCHLD, 0, &fd, 0, 0), EINVAL);
    /* no place to tell it: no child either */
    a.pidfd = 16;
    ERR(clone3(&a, sizeof a), EFAULT);
    ERR(waitpid(-1, NULL, 0), ECHILD);
    a = (struct clone_args){.flags = CLONE_PIDFD | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, .pidfd = (uintptr_t)&fd};
    ERR(clone3(&a, sizeof a), EINVAL);
}

CASE(pidfd, clone3_errors_and_ids)
{
    struct clone_args a = {.exit_signal = SIGCHLD};
    ERR(clone3(&a, 63), EINVAL);
    ERR(clone3(&a, 5000), E2BIG);
    ERR(clone3((void *)16, sizeof a), EFAULT);
    a.exit_signal = 65;
    ERR(clone3(&a, sizeof a), EINVAL);
    a = (struct clone_args){.flags = SIGCHLD};
    ERR(clone3(&a, sizeof a), EINVAL);
    a = (struct clone_args){.flags = CLONE_DETACHED, .exit_signal = SIGCHLD};
    ERR(clone3(&a, sizeof a), EINVAL);
    a = (struct clone_args){.stack = 4096, .exit_signal = SIGCHLD};
    ERR(clone3(&a, sizeof a), EINVAL);
    a = (struct clone_args){.flags = CLONE_SIGHAND, .exit_signal = SIGCHLD};
    ERR(clone3(&a, sizeof a), EINVAL);
    a = (struct clone_args){.flags = CLONE_CLEAR_SIGHAND | CLONE_SIGHAND | CLONE_VM, .exit_signal = SIGCHLD};
    ERR(clone3(&a, sizeof a), EINVAL);
    pid_t wanted = 23456;
    a = (struct clone_args){.set_tid = (uintptr_t)&wanted, .set_tid_size = 1, .exit_signal = SIGCHLD};
    long pid = OK(clone3(&a, sizeof a));
    if (pid == 0) {
        ERR(clone3(&a, sizeof a), EEXIST);
        OK(setresuid(1000, 1000, 1000));
        wanted++;
        ERR(clone3(&a, sizeof a), EPERM);
        _exit(getpid() == 23456 ? 0 : 1);
    }
    CHECK_EQ(pid, 23456);
    child_ok((pid_t)pid);
    wanted = 0;
    ERR(clone3(&a, sizeof a), EINVAL);
    a.set_tid_size = 0;
    ERR(clone3(&a, sizeof a), EINVAL);
    a.set_tid_size = 33;
    ERR(clone3(&a, sizeof a), EINVAL);
}

CASE(pidfd, clear_sighand)
{
    struct sigaction old;
    on_signal(SIGUSR1, (void (*)(int))(void (*)(void))abort, 0);
    signal(SIGUSR2, SIG_IGN);
    struct clone_args a = {.flags = CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD};
    long pid = OK(clone3(&a, sizeof a));
    if (pid == 0) {
        OK(sigaction(SIGUSR1, NULL, &old));
        CHECK(old.sa_handler == SIG_DFL);
        OK(sigaction(SIGUSR2, NULL, &old));
        CHECK(old.sa_handler == SIG_IGN);
        _exit(0);
    }
    child_ok((pid_t)pid);
}

CASE(pidfd, vfork_shares_until_exec)
{
    volatile int *seen = shared_page();
    int local = 1;
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_VFORK | CLONE_VM | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        seen[0] = 1;
        sleep_ms(30);
        seen[1] = 1;
        _exit(0);
    }
    CHECK_EQ(seen[1], 1);
    CHECK_EQ(local, 1);
    child_ok(pid);
    pid = (pid_t)OK(syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0));
    if (pid == 0) {
        sleep_ms(30);
        seen[2] = 1;
        _exit(0);
    }
    CHECK_EQ(seen[2], 1);
    child_ok(pid);
}

static int changes_dir(void *arg)
{
    (void)arg;
    OK(unshare(CLONE_FS | CLONE_FILES | CLONE_SYSVSEM));
    OK(chdir("/"));
    OK(close(100));
    umask(0);
    return 0;
}

CASE(pidfd, unshare)
{
    OK(unshare(0));
    OK(unshare(CLONE_FILES));
    OK(unshare(CLONE_FS | CLONE_SYSVSEM));
    OK(unshare(CLONE_THREAD | CLONE_SIGHAND | CLONE_VM));
    ERR(unshare(CLONE_PARENT), EINVAL);
    ERR(unshare(CLONE_PIDFD), EINVAL);
    OK(mkdir("here", 0755));
    OK(chdir("here"));
    OK(dup2(1, 100));
    umask(022);
    static char stack[65536] __attribute__((aligned(16)));
    pid_t pid = OK(clone(changes_dir, stack + sizeof stack, CLONE_FS | CLONE_FILES | CLONE_VM | SIGCHLD, NULL));
    child_ok(pid);
    char at[256];
    CHECK(getcwd(at, sizeof at) && strcmp(at + strlen(at) - 5, "/here") == 0);
    OK(fcntl(100, F_GETFD));
    CHECK_EQ(umask(022), 022);
    CHILD(OK(setresuid(1000, 1000, 1000)); ERR(unshare(CLONE_NEWNS), EPERM); ERR(unshare(CLONE_NEWUTS), EPERM));
    ERR(syscall(SYS_setns, 999, 0), EBADF);
    ERR(syscall(SYS_setns, 1, 0), EINVAL);
}
