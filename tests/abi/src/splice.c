/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * tee(2), vmsplice(2), splice(2), pipes of packets.
 */
#include "abi.h"

#include <poll.h>
#include <sys/uio.h>

CASE(splice, tee_copies) {
    int a[2], b[2];
    OK(pipe(a));
    OK(pipe(b));
    char buf[64];
    ERR(tee(a[0], b[1], 10, SPLICE_F_NONBLOCK), EAGAIN);
    OK(write(a[1], "hello", 5));
    CHECK_EQ(OK(tee(a[0], b[1], 100, 0)), 5);
    CHECK_EQ(OK(tee(a[0], b[1], 2, 0)), 2);
    CHECK_EQ(OK(read(a[0], buf, sizeof buf)), 5);
    CHECK_EQ(OK(read(b[0], buf, sizeof buf)), 7);
    CHECK(memcmp(buf, "hellohe", 7) == 0);
    ERR(tee(a[0], a[1], 1, 0), EINVAL);
    ERR(tee(a[1], b[1], 1, 0), EBADF);
    ERR(tee(a[0], b[0], 1, 0), EBADF);
    ERR(tee(a[0], b[1], 1, 0x100), EINVAL);
    ERR(tee(-1, b[1], 1, 0), EBADF);
    CHECK_EQ(OK(tee(a[0], b[1], 0, 0)), 0);
    int f = OK(open("f", O_RDWR | O_CREAT, 0644));
    ERR(tee(f, b[1], 1, 0), EINVAL);
    OK(close(a[1]));
    CHECK_EQ(OK(tee(a[0], b[1], 1, 0)), 0);
}

CASE(splice, tee_waits) {
    int a[2], b[2];
    OK(pipe(a));
    OK(pipe(b));
    pid_t pid = xfork();
    if (pid == 0) {
        sleep_ms(50);
        OK(write(a[1], "late", 4));
        _exit(0);
    }
    char buf[8];
    CHECK_EQ(OK(tee(a[0], b[1], 100, 0)), 4);
    CHECK_EQ(OK(read(b[0], buf, sizeof buf)), 4);
    child_ok(pid);
    signal(SIGPIPE, SIG_IGN);
    OK(close(b[0]));
    ERR(tee(a[0], b[1], 100, 0), EPIPE);
}

CASE(splice, vmsplice_both_ways) {
    int p[2];
    OK(pipe(p));
    char one[] = "abc", two[] = "defg", out[16] = "";
    struct iovec in[2] = {{one, 3}, {two, 4}};
    CHECK_EQ(OK(vmsplice(p[1], in, 2, 0)), 7);
    struct iovec to[2] = {{out, 2}, {out + 8, 8}};
    CHECK_EQ(OK(vmsplice(p[0], to, 2, 0)), 7);
    CHECK(memcmp(out, "ab", 2) == 0 && memcmp(out + 8, "cdefg", 5) == 0);
    ERR(vmsplice(p[0], to, 1, SPLICE_F_NONBLOCK), EAGAIN);
    ERR(vmsplice(p[1], in, 1, 0x100), EINVAL);
    ERR(vmsplice(-1, in, 1, 0), EBADF);
    int f = OK(open("f", O_RDWR | O_CREAT, 0644));
    ERR(vmsplice(f, in, 1, 0), EBADF);
    CHECK_EQ(OK(vmsplice(p[1], in, 0, 0)), 0);
    ERR(vmsplice(p[1], in, 2000, 0), EINVAL);
    /* Until the pipe is full, and no further. */
    static char page[PAGE] __attribute__((aligned(4096)));
    struct iovec whole = {page, PAGE};
    ssize_t n, total = 0;
    while ((n = vmsplice(p[1], &whole, 1, SPLICE_F_NONBLOCK)) > 0)
        total += n;
    CHECK_EQ(errno, EAGAIN);
    CHECK_EQ(total, 65536);
}

CASE(splice, packets) {
    int p[2];
    OK(pipe2(p, O_DIRECT));
    CHECK(OK(fcntl(p[1], F_GETFL)) & O_DIRECT);
    char buf[8192];
    OK(write(p[1], "one", 3));
    OK(write(p[1], "second", 6));
    OK(write(p[1], "x", 1));
    CHECK_EQ(OK(read(p[0], buf, sizeof buf)), 3);
    CHECK_EQ(OK(read(p[0], buf, 2)), 2);
    CHECK(memcmp(buf, "se", 2) == 0);
    /* The rest of the packet is lost. */
    CHECK_EQ(OK(read(p[0], buf, sizeof buf)), 1);
    CHECK(buf[0] == 'x');
    /* More than PIPE_BUF is several packets. */
    memset(buf, 'y', sizeof buf);
    CHECK_EQ(OK(write(p[1], buf, 5000)), 5000);
    CHECK_EQ(OK(read(p[0], buf, sizeof buf)), 4096);
    CHECK_EQ(OK(read(p[0], buf, sizeof buf)), 904);
    OK(fcntl(p[1], F_SETFL, O_NONBLOCK | O_DIRECT));
    int n = 0;
    while (write(p[1], "z", 1) == 1)
        n++;
    CHECK_EQ(errno, EAGAIN);
    CHECK_EQ(n, 16);
    struct pollfd w = {p[1], POLLOUT, 0};
    CHECK_EQ(OK(poll(&w, 1, 0)), 0);
    CHECK_EQ(OK(read(p[0], buf, sizeof buf)), 1);
    CHECK_EQ(OK(poll(&w, 1, 0)), 1);
}

CASE(splice, file_to_pipe_to_file) {
    put_file("a", "0123456789", 10, 0644);
    int in = OK(open("a", O_RDONLY)), out = OK(open("b", O_RDWR | O_CREAT, 0644));
    int p[2];
    OK(pipe(p));
    loff_t from = 2, to = 4;
    CHECK_EQ(OK(splice(in, &from, p[1], NULL, 5, 0)), 5);
    CHECK_EQ(from, 7);
    CHECK_EQ(OK(splice(p[0], NULL, out, &to, 100, 0)), 5);
    CHECK_EQ(to, 9);
    char buf[16];
    CHECK_EQ(OK(pread(out, buf, sizeof buf, 0)), 9);
    CHECK(memcmp(buf, "\0\0\0\0" "23456", 9) == 0);
    ERR(splice(in, NULL, out, NULL, 1, 0), EINVAL);
    ERR(splice(p[0], &from, out, NULL, 1, 0), ESPIPE);
    ERR(splice(p[0], NULL, p[1], NULL, 1, 0), EINVAL);
    ERR(splice(p[0], NULL, out, NULL, 1, SPLICE_F_NONBLOCK), EAGAIN);
    ERR(splice(-1, NULL, p[1], NULL, 1, 0), EBADF);
    int app = OK(open("b", O_WRONLY | O_APPEND));
    OK(write(p[1], "x", 1));
    ERR(splice(p[0], NULL, app, NULL, 1, 0), EINVAL);
}

CASE(splice, pipe_sizes) {
    int p[2];
    OK(pipe(p));
    CHECK_EQ(OK(fcntl(p[0], F_GETPIPE_SZ)), 65536);
    CHECK_EQ(OK(fcntl(p[0], F_SETPIPE_SZ, 1)), 4096);
    CHECK_EQ(OK(fcntl(p[1], F_GETPIPE_SZ)), 4096);
    CHECK_EQ(OK(fcntl(p[1], F_SETPIPE_SZ, 5000)), 8192);
    static char buf[8192];
    OK(write(p[1], buf, 8192));
    ERR(fcntl(p[1], F_SETPIPE_SZ, 4096), EBUSY);
    CHECK_EQ(OK(fcntl(p[1], F_SETPIPE_SZ, 16384)), 16384);
    CHECK_EQ(OK(read(p[0], buf, sizeof buf)), 8192);
    int f = OK(open("f", O_RDWR | O_CREAT, 0644));
    ERR(fcntl(f, F_GETPIPE_SZ), EBADF);
    CHILD({
        OK(setuid(1000));
        ERR(fcntl(p[1], F_SETPIPE_SZ, 1 << 21), EPERM);
        CHECK_EQ(OK(fcntl(p[1], F_SETPIPE_SZ, 1 << 20)), 1 << 20);
    });
}

/* Writers of PIPE_BUF bytes do not mix. */
CASE(splice, small_writes_are_whole) {
    int p[2];
    OK(pipe(p));
    enum { WRITERS = 4, EACH = 40 };
    for (int w = 0; w < WRITERS; w++) {
        if (xfork() == 0) {
            char buf[PIPE_BUF];
            memset(buf, 'a' + w, sizeof buf);
            for (int i = 0; i < EACH; i++)
                OK(write(p[1], buf, sizeof buf));
            _exit(0);
        }
    }
    OK(close(p[1]));
    char buf[PIPE_BUF];
    int counts[WRITERS] = {0};
    for (;;) {
        size_t have = 0;
        ssize_t n = 0;
        while (have < sizeof buf && (n = OK(read(p[0], buf + have, sizeof buf - have))) > 0)
            have += (size_t)n;
        if (n == 0)
            break;
        for (size_t i = 1; i < sizeof buf; i++)
            CHECK(buf[i] == buf[0]);
        counts[buf[0] - 'a']++;
    }
    for (int w = 0; w < WRITERS; w++) {
        CHECK_EQ(counts[w], EACH);
        int status;
        OK(wait(&status));
        CHECK_EQ(status, 0);
    }
}
