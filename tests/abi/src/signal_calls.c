/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Signals and system calls: interruption and restart, waiting for signals, groups, stopping, timers.
 */
#include "signals.h"
#include <poll.h>
#include <sys/signalfd.h>

CASE(signal, eintr_of_pipe_read)
{
    int fds[2];
    char c;
    OK(pipe(fds));
    on_signal(SIGUSR1, counter, 0);
    pid_t pid = send_later(SIGUSR1, 20);
    ERR(read(fds[0], &c, 1), EINTR);
    CHECK_EQ(count, 1);
    child_ok(pid);
}

CASE(signal, restart_of_pipe_read)
{
    int fds[2];
    char c = 0;
    OK(pipe(fds));
    on_signal(SIGUSR1, counter, SA_RESTART);
    pid_t parent = getpid();
    pid_t pid = xfork();
    if (pid == 0) {
        for (int i = 0; i < 3; i++) {
            sleep_ms(10);
            kill(parent, SIGUSR1);
        }
        sleep_ms(10);
        OK(write(fds[1], "r", 1));
        _exit(0);
    }
    CHECK_EQ(read(fds[0], &c, 1), 1);
    CHECK_EQ(c, 'r');
    CHECK_EQ(count, 3);
    child_ok(pid);
}

CASE(signal, ignored_signal_does_not_interrupt)
{
    int fds[2];
    char c = 0;
    OK(pipe(fds));
    on_signal(SIGUSR1, SIG_IGN, 0);
    pid_t parent = getpid();
    pid_t pid = xfork();
    if (pid == 0) {
        sleep_ms(10);
        kill(parent, SIGUSR1);
        kill(parent, SIGWINCH);
        sleep_ms(10);
        OK(write(fds[1], "r", 1));
        _exit(0);
    }
    CHECK_EQ(read(fds[0], &c, 1), 1);
    child_ok(pid);
}

CASE(signal, eintr_of_pipe_write)
{
    int fds[2];
    static char big[200000];
    OK(pipe(fds));
    on_signal(SIGUSR1, counter, 0);
    pid_t pid = send_later(SIGUSR1, 20);
    CHECK_EQ(write(fds[1], big, sizeof big), 65536);
    child_ok(pid);
    pid = send_later(SIGUSR1, 20);
    ERR(write(fds[1], big, sizeof big), EINTR);
    child_ok(pid);
}

CASE(signal, eintr_of_waitpid)
{
    on_signal(SIGUSR1, counter, 0);
    pid_t sleeper = xfork();
    if (sleeper == 0)
        for (;;)
            sleep_ms(1000);
    pid_t pid = send_later(SIGUSR1, 20);
    int status;
    ERR(waitpid(sleeper, &status, 0), EINTR);
    OK(kill(sleeper, SIGKILL));
    child_killed(sleeper, SIGKILL);
    child_ok(pid);
}

CASE(signal, eintr_of_nanosleep_tells_the_rest)
{
    on_signal(SIGUSR1, counter, SA_RESTART);
    pid_t pid = send_later(SIGUSR1, 50);
    struct timespec want = {5, 0}, rest = {0, 0};
    ERR(nanosleep(&want, &rest), EINTR);
    CHECK(rest.tv_sec == 4 && rest.tv_nsec > 0);
    child_ok(pid);
}

CASE(signal, nanosleep_goes_on_after_stop_and_continue)
{
    pid_t pid = xfork();
    if (pid == 0) {
        int64_t before = now_ms();
        struct timespec t = {0, 150000000};
        CHECK_EQ(nanosleep(&t, NULL), 0);
        int64_t took = now_ms() - before;
        CHECK(took >= 150 && took < 2000);
        _exit(0);
    }
    sleep_ms(30);
    OK(kill(pid, SIGSTOP));
    sleep_ms(30);
    OK(kill(pid, SIGCONT));
    child_ok(pid);
}

CASE(signal, sigsuspend)
{
    on_signal(SIGUSR1, counter, 0);
    on_signal(SIGUSR2, counter, 0);
    block(SIGUSR1);
    OK(kill(getpid(), SIGUSR1));
    sigset_t none;
    sigemptyset(&none);
    ERR(sigsuspend(&none), EINTR);
    CHECK_EQ(count, 1);
    sigset_t now;
    OK(sigprocmask(SIG_BLOCK, NULL, &now));
    CHECK(sigismember(&now, SIGUSR1));
    pid_t pid = send_later(SIGUSR2, 20);
    ERR(sigsuspend(&none), EINTR);
    CHECK_EQ(last, SIGUSR2);
    child_ok(pid);
    pid = send_later(SIGUSR2, 20);
    ERR(pause(), EINTR);
    CHECK_EQ(count, 3);
    child_ok(pid);
}

CASE(signal, sigtimedwait)
{
    sigset_t set = set_of(SIGUSR1);
    block(SIGUSR1);
    struct timespec t = {0, 20000000};
    ERR(sigtimedwait(&set, &info, &t), EAGAIN);
    OK(kill(getpid(), SIGUSR1));
    CHECK_EQ(sigtimedwait(&set, &info, &t), SIGUSR1);
    CHECK_EQ(info.si_pid, getpid());
    pid_t pid = send_later(SIGUSR1, 20);
    t.tv_sec = 5;
    CHECK_EQ(sigtimedwait(&set, &info, &t), SIGUSR1);
    CHECK_EQ(info.si_pid, pid);
    child_ok(pid);
    int sig;
    OK(kill(getpid(), SIGUSR1));
    CHECK_EQ(sigwait(&set, &sig), 0);
    CHECK_EQ(sig, SIGUSR1);
}

CASE(signal, kill_targets_and_errors)
{
    ERR(kill(0x3ffffff, 0), ESRCH);
    ERR(kill(getpid(), 65), EINVAL);
    ERR(kill(getpid(), -1), EINVAL);
    OK(kill(getpid(), 0));
    ERR(kill(-0x3ffffff, SIGTERM), ESRCH);
    ERR(syscall(SYS_tgkill, getpid(), 0x3ffffff, 0), ESRCH);
    ERR(syscall(SYS_tgkill, -1, 1, 0), EINVAL);
    ERR(syscall(SYS_tkill, 0x3ffffff, 0), ESRCH);
}

CASE(signal, kill_to_a_group)
{
    int *ready = shared_page();
    pid_t leader = 0, pids[3];
    for (int i = 0; i < 3; i++) {
        pids[i] = xfork();
        if (pids[i] == 0) {
            setpgid(0, leader);
            __atomic_fetch_add(ready, 1, __ATOMIC_SEQ_CST);
            for (;;)
                sleep_ms(1000);
        }
        if (i == 0)
            leader = pids[0];
        setpgid(pids[i], leader);
    }
    while (*(volatile int *)ready < 3)
        sleep_ms(1);
    OK(kill(-leader, SIGTERM));
    for (int i = 0; i < 3; i++)
        child_killed(pids[i], SIGTERM);
    ERR(kill(-leader, SIGTERM), ESRCH);
}

CASE(signal, kill_own_group)
{
    pid_t pid = xfork();
    if (pid == 0) {
        setpgid(0, 0);
        on_signal(SIGUSR1, counter, 0);
        pid_t inner = xfork();
        if (inner == 0) {
            while (count == 0)
                sleep_ms(1);
            _exit(3);
        }
        OK(kill(0, SIGUSR1));
        CHECK_EQ(count, 1);
        CHECK_EQ(child_status(inner), 3 << 8);
        _exit(0);
    }
    child_ok(pid);
}

CASE(signal, stop_and_continue)
{
    volatile int *ticks = shared_page();
    pid_t pid = xfork();
    if (pid == 0)
        for (;;) {
            (*ticks)++;
            sleep_ms(1);
        }
    await(ticks);
    OK(kill(pid, SIGSTOP));
    int status;
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    int then = *ticks;
    sleep_ms(30);
    CHECK_EQ(*ticks, then);
    CHECK_EQ(proc_state(pid), 'T');
    /* other signals wait, SIGKILL does not */
    OK(kill(pid, SIGTERM));
    sleep_ms(20);
    CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
    OK(kill(pid, SIGCONT));
    child_killed(pid, SIGTERM);
    pid = xfork();
    if (pid == 0)
        for (;;)
            sleep_ms(1000);
    OK(kill(pid, SIGSTOP));
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    OK(kill(pid, SIGKILL));
    child_killed(pid, SIGKILL);
}

CASE(signal, stop_of_a_busy_process)
{
    volatile long *ticks = shared_page();
    pid_t pid = xfork();
    if (pid == 0)
        for (;;)
            (*ticks)++;
    await((volatile int *)ticks);
    OK(kill(pid, SIGSTOP));
    int status;
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    long then = *ticks;
    sleep_ms(30);
    CHECK_EQ(*ticks, then);
    OK(kill(pid, SIGCONT));
    for (int i = 0; i < 1000 && *ticks == then; i++)
        sleep_ms(1);
    CHECK(*ticks != then);
    OK(kill(pid, SIGKILL));
    child_killed(pid, SIGKILL);
}

CASE(signal, continue_runs_its_handler)
{
    pid_t pid = xfork();
    if (pid == 0) {
        on_signal(SIGCONT, counter, 0);
        raise(SIGSTOP);
        _exit(count);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    OK(kill(pid, SIGCONT));
    CHECK_EQ(child_status(pid), 1 << 8);
}

CASE(signal, alarm_and_timers)
{
    on_signal(SIGALRM, counter, 0);
    CHECK_EQ(alarm(100), 0);
    CHECK_EQ(alarm(0), 100);
    struct itimerval it = {{0, 10000}, {0, 10000}}, old;
    OK(setitimer(ITIMER_REAL, &it, NULL));
    int64_t before = now_ms();
    while (count < 5 && now_ms() - before < 3000)
        pause();
    CHECK(count >= 5);
    CHECK(now_ms() - before >= 40);
    memset(&it, 0, sizeof it);
    OK(setitimer(ITIMER_REAL, &it, &old));
    CHECK_EQ(old.it_interval.tv_usec, 10000);
    OK(getitimer(ITIMER_REAL, &old));
    CHECK(old.it_value.tv_sec == 0 && old.it_value.tv_usec == 0);
    int then = count;
    sleep_ms(30);
    CHECK_EQ(count, then);
    /* one shot, while busy */
    it.it_value.tv_usec = 20000;
    OK(setitimer(ITIMER_REAL, &it, NULL));
    before = now_ms();
    while (count == then && now_ms() - before < 3000)
        ;
    CHECK_EQ(count, then + 1);
    it.it_value.tv_usec = 1000000;
    ERR(setitimer(ITIMER_REAL, &it, NULL), EINVAL);
    ERR(setitimer(77, &it, NULL), EINVAL);
    /* not inherited */
    OK(alarm(50) == 0 ? 0 : -1);
    CHILD(CHECK_EQ(alarm(0), 0));
    CHECK_EQ(alarm(0), 50);
}

CASE(signal, default_of_alarm_kills)
{
    DIES(SIGALRM, {
        struct itimerval it = {{0, 0}, {0, 10000}};
        setitimer(ITIMER_REAL, &it, NULL);
        for (;;)
            ;
    });
}

CASE(signal, timer_create_works)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    event.sigev_value.sival_int = 99;
    catch(SIGUSR1, 0);
    OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
    struct itimerspec it = {{0, 5000000}, {0, 5000000}};
    OK(timer_settime(timer, 0, &it, NULL));
    int64_t before = now_ms();
    while (count < 3 && now_ms() - before < 3000)
        sleep_ms(1);
    CHECK(count >= 3);
    CHECK_EQ(info.si_code, SI_TIMER);
    CHECK_EQ(info.si_value.sival_int, 99);
    OK(timer_delete(timer));
    ERR(timer_delete(timer), EINVAL);
}

CASE(signal, signalfd)
{
    sigset_t set = set_of(SIGUSR1);
    block(SIGUSR1);
    int fd = OK(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    struct signalfd_siginfo got;
    ERR(read(fd, &got, sizeof got), EAGAIN);
    OK(kill(getpid(), SIGUSR1));
    struct pollfd p = {fd, POLLIN, 0};
    CHECK_EQ(poll(&p, 1, 1000), 1);
    CHECK_EQ(read(fd, &got, sizeof got), sizeof got);
    CHECK_EQ(got.ssi_signo, SIGUSR1);
    CHECK_EQ(got.ssi_pid, getpid());
}
