/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * POSIX message queues.
 */
#include "abi.h"
#include <mqueue.h>
#include <poll.h>
#include <sys/resource.h>

static struct timespec real_from_now(long ms)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += ms * 1000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

static void as_user(void)
{
    OK(setresgid(1000, 1000, 1000));
    OK(setresuid(1000, 1000, 1000));
}

CASE(mqueue, open)
{
    mq_unlink("/q");
    ERR(mq_open("/q", O_RDWR), ENOENT);
    ERR(syscall(SYS_mq_open, "a/b", O_RDWR | O_CREAT, 0600, NULL), EACCES);
    ERR(syscall(SYS_mq_open, (void *)16, O_RDWR, 0, NULL), EFAULT);
    char longname[300];
    memset(longname, 'x', 299);
    longname[299] = 0;
    ERR(syscall(SYS_mq_open, longname, O_RDWR | O_CREAT, 0600, NULL), ENAMETOOLONG);
    struct mq_attr a = {.mq_maxmsg = 0, .mq_msgsize = 10};
    ERR(mq_open("/q", O_RDWR | O_CREAT, 0600, &a), EINVAL);
    a = (struct mq_attr){.mq_maxmsg = 4, .mq_msgsize = 20};
    mqd_t q = OK(mq_open("/q", O_RDWR | O_CREAT | O_EXCL, 0640, &a));
    ERR(mq_open("/q", O_RDWR | O_CREAT | O_EXCL, 0600, NULL), EEXIST);
    CHECK(OK(fcntl(q, F_GETFD)) & FD_CLOEXEC);
    memset(&a, 0, sizeof a);
    OK(mq_getattr(q, &a));
    CHECK(a.mq_maxmsg == 4 && a.mq_msgsize == 20 && a.mq_curmsgs == 0 && a.mq_flags == 0);
    a.mq_flags = O_NONBLOCK;
    OK(mq_setattr(q, &a, NULL));
    OK(mq_getattr(q, &a));
    CHECK_EQ(a.mq_flags, O_NONBLOCK);
    a.mq_flags = 1;
    ERR(mq_setattr(q, &a, NULL), EINVAL);
    ERR(mq_getattr(0, &a), EBADF);
    CHILD(as_user(); ERR(mq_open("/q", O_RDONLY), EACCES); ERR(syscall(SYS_mq_unlink, "q"), EPERM);
          struct mq_attr big = {.mq_maxmsg = 11, .mq_msgsize = 8}; ERR(mq_open("/u", O_RDWR | O_CREAT, 0600, &big), EINVAL);
          mqd_t u = OK(mq_open("/u", O_RDWR | O_CREAT, 0600, NULL)); OK(mq_getattr(u, &a));
          CHECK(a.mq_maxmsg == 10 && a.mq_msgsize == 8192); OK(mq_unlink("/u")));
    OK(mq_unlink("/q"));
    ERR(mq_unlink("/q"), ENOENT);
    /* still there for those who have it */
    OK(mq_send(q, "x", 1, 0));
    OK(mq_close(q));
    struct rlimit r = {1000, 1000};
    OK(setrlimit(RLIMIT_MSGQUEUE, &r));
    ERR(mq_open("/q", O_RDWR | O_CREAT, 0600, NULL), EMFILE);
}

CASE(mqueue, send_and_receive)
{
    struct mq_attr a = {.mq_maxmsg = 3, .mq_msgsize = 20};
    mq_unlink("/s");
    mqd_t q = OK(mq_open("/s", O_RDWR | O_CREAT, 0600, &a)), in = OK(mq_open("/s", O_RDONLY | O_NONBLOCK)),
          out = OK(mq_open("/s", O_WRONLY | O_NONBLOCK));
    char m[32];
    unsigned prio;
    ERR(mq_receive(in, m, sizeof m, &prio), EAGAIN);
    ERR(mq_receive(out, m, sizeof m, &prio), EBADF);
    ERR(mq_send(in, "x", 1, 0), EBADF);
    ERR(mq_send(0, "x", 1, 0), EBADF);
    ERR(mq_send(q, m, 21, 0), EMSGSIZE);
    ERR(mq_send(q, m, 1, 32768), EINVAL);
    ERR(mq_receive(q, m, 19, NULL), EMSGSIZE);
    struct pollfd p[2] = {{q, POLLIN | POLLOUT, 0}};
    OK(poll(p, 1, 0));
    CHECK_EQ(p[0].revents, POLLOUT);
    OK(mq_send(q, "one", 3, 1));
    OK(mq_send(q, "nine", 4, 9));
    OK(mq_send(q, "uno", 3, 1));
    OK(poll(p, 1, 0));
    CHECK_EQ(p[0].revents, POLLIN);
    ERR(mq_send(out, "x", 1, 0), EAGAIN);
    struct timespec t = real_from_now(30);
    int64_t before = now_ms();
    ERR(mq_timedsend(q, "x", 1, 0, &t), ETIMEDOUT);
    CHECK(now_ms() - before >= 25);
    t.tv_nsec = -1;
    ERR(mq_timedsend(q, "x", 1, 0, &t), EINVAL);
    CHECK_EQ(OK(mq_receive(q, m, sizeof m, &prio)), 4);
    CHECK(prio == 9 && memcmp(m, "nine", 4) == 0);
    CHECK_EQ(OK(mq_receive(q, m, sizeof m, &prio)), 3);
    CHECK(prio == 1 && memcmp(m, "one", 3) == 0);
    CHECK_EQ(OK(mq_receive(q, m, sizeof m, NULL)), 3);
    CHECK(memcmp(m, "uno", 3) == 0);
    t = real_from_now(30);
    ERR(mq_timedreceive(q, m, sizeof m, NULL, &t), ETIMEDOUT);
    pid_t pid = xfork();
    if (pid == 0) {
        sleep_ms(30);
        OK(mq_send(q, "late", 4, 3));
        _exit(0);
    }
    CHECK_EQ(OK(mq_receive(q, m, sizeof m, &prio)), 4);
    child_ok(pid);
    OK(mq_unlink("/s"));
}

static volatile int got, code, value, from;

static void handler(int sig, siginfo_t *info, void *u)
{
    (void)u;
    got = sig;
    code = info->si_code;
    value = info->si_value.sival_int;
    from = info->si_pid;
}

CASE(mqueue, notify)
{
    mq_unlink("/n");
    mqd_t q = OK(mq_open("/n", O_RDWR | O_CREAT, 0600, NULL));
    struct sigaction s = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    OK(sigaction(SIGUSR1, &s, NULL));
    struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 77};
    OK(mq_notify(q, &e));
    ERR(mq_notify(q, &e), EBUSY);
    pid_t pid = xfork();
    if (pid == 0) {
        ERR(mq_notify(q, &e), EBUSY);
        OK(mq_notify(q, NULL)); /* not its own */
        OK(mq_send(q, "x", 1, 0));
        _exit(0);
    }
    child_ok(pid);
    for (int i = 0; i < 2000 && !got; i++)
        sleep_ms(1);
    CHECK_EQ(got, SIGUSR1);
    CHECK_EQ(code, SI_MESGQ);
    CHECK_EQ(value, 77);
    CHECK_EQ(from, pid);
    got = 0;
    char m[8192];
    OK(mq_receive(q, m, sizeof m, NULL));
    OK(mq_send(q, "x", 1, 0)); /* only once */
    sleep_ms(10);
    CHECK_EQ(got, 0);
    OK(mq_notify(q, &e));
    OK(mq_send(q, "y", 1, 0)); /* not empty */
    sleep_ms(10);
    CHECK_EQ(got, 0);
    OK(mq_notify(q, NULL));
    OK(mq_notify(q, &e));
    e.sigev_signo = 99;
    ERR(mq_notify(q, &e), EINVAL);
    OK(mq_close(q));
    q = OK(mq_open("/n", O_RDWR));
    e.sigev_notify = SIGEV_NONE;
    OK(mq_notify(q, &e));
    OK(mq_unlink("/n"));
}
