/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Pipes and FIFOs.
 */
#include "abi.h"
#include <sys/ioctl.h>
#include <sys/uio.h>

CASE(pipe, bytes_in_order)
{
    int fds[2];
    char buffer[100];
    OK(pipe(fds));
    CHECK_EQ(write(fds[1], "hello", 5), 5);
    CHECK_EQ(write(fds[1], " world", 6), 6);
    CHECK_EQ(read(fds[0], buffer, 3), 3);
    CHECK_EQ(read(fds[0], buffer + 3, sizeof buffer - 3), 8);
    CHECK(memcmp(buffer, "hello world", 11) == 0);
    CHECK_EQ(write(fds[1], "", 0), 0);
}

CASE(pipe, eof_when_all_writers_are_gone)
{
    int fds[2];
    char c;
    OK(pipe(fds));
    int twin = OK(dup(fds[1]));
    OK(write(fds[1], "x", 1));
    OK(close(fds[1]));
    CHECK_EQ(read(fds[0], &c, 1), 1);
    OK(fcntl(fds[0], F_SETFL, O_NONBLOCK));
    ERR(read(fds[0], &c, 1), EAGAIN);
    OK(close(twin));
    CHECK_EQ(read(fds[0], &c, 1), 0);
    CHECK_EQ(read(fds[0], &c, 1), 0);
}

CASE(pipe, eof_wakes_a_blocked_reader)
{
    int fds[2];
    OK(pipe(fds));
    pid_t pid = xfork();
    if (pid == 0) {
        char c;
        OK(close(fds[1]));
        CHECK_EQ(read(fds[0], &c, 1), 0);
        _exit(0);
    }
    sleep_ms(20);
    OK(close(fds[1]));
    child_ok(pid);
}

CASE(pipe, exit_closes_the_writer)
{
    int fds[2];
    char c;
    OK(pipe(fds));
    pid_t pid = xfork();
    if (pid == 0)
        for (;;)
            sleep_ms(1000);
    OK(close(fds[1]));
    OK(kill(pid, SIGKILL));
    CHECK_EQ(read(fds[0], &c, 1), 0);
    child_killed(pid, SIGKILL);
}

/* The reader that waits takes what fills the pipe; the writer goes on, and its call ends. */
CASE(pipe, big_write_to_a_waiting_big_reader)
{
    enum { ALL = 120000, PART = 65536 };
    static char data[ALL], got[PART];
    int fds[2];
    OK(pipe(fds));
    pid_t pid = xfork();
    if (pid == 0) {
        OK(close(fds[1]));
        size_t all = 0;
        ssize_t n;
        while ((n = OK(read(fds[0], got, PART))) > 0)
            all += n;
        CHECK_EQ(all, ALL);
        _exit(0);
    }
    OK(close(fds[0]));
    sleep_ms(50);
    CHECK_EQ(write(fds[1], data, ALL), ALL);
    OK(close(fds[1]));
    child_ok(pid);
}

CASE(pipe, epipe_and_sigpipe)
{
    int fds[2];
    OK(pipe(fds));
    OK(close(fds[0]));
    DIES(SIGPIPE, write(fds[1], "x", 1));
    on_signal(SIGPIPE, SIG_IGN, 0);
    ERR(write(fds[1], "x", 1), EPIPE);
}

CASE(pipe, epipe_wakes_a_blocked_writer)
{
    int fds[2];
    OK(pipe(fds));
    pid_t pid = xfork();
    if (pid == 0) {
        static char big[1 << 18];
        OK(close(fds[0]));
        on_signal(SIGPIPE, SIG_IGN, 0);
        ssize_t n = write(fds[1], big, sizeof big);
        CHECK(n > 0 && n < (ssize_t)sizeof big);
        ERR(write(fds[1], big, 1), EPIPE);
        _exit(0);
    }
    sleep_ms(20);
    OK(close(fds[0]));
    child_ok(pid);
}

CASE(pipe, nonblocking)
{
    int fds[2];
    static char block[4096];
    OK(pipe2(fds, O_NONBLOCK));
    ERR(read(fds[0], block, 1), EAGAIN);
    size_t total = 0;
    ssize_t n;
    while ((n = write(fds[1], block, sizeof block)) > 0)
        total += n;
    CHECK_EQ(errno, EAGAIN);
    CHECK_EQ(total, 65536);
    CHECK_EQ(read(fds[0], block, 1), 1);
    /* no room for PIPE_BUF in one piece */
    ERR(write(fds[1], block, sizeof block), EAGAIN);
    size_t got = 1;
    while ((n = read(fds[0], block, sizeof block)) > 0)
        got += n;
    CHECK_EQ(got, total);
    CHECK_EQ(errno, EAGAIN);
    CHECK_EQ(fcntl(fds[0], F_GETFL) & O_ACCMODE, O_RDONLY);
    CHECK_EQ(fcntl(fds[1], F_GETFL) & O_ACCMODE, O_WRONLY);
    CHECK(fcntl(fds[1], F_GETFL) & O_NONBLOCK);
}

CASE(pipe, nonblocking_large_write_is_partial)
{
    int fds[2];
    static char block[100000];
    OK(pipe2(fds, O_NONBLOCK));
    CHECK_EQ(write(fds[1], block, sizeof block), 65536);
}

CASE(pipe, large_write_blocks_until_read)
{
    int fds[2];
    OK(pipe(fds));
    static unsigned char data[300000];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = i * 7 + i / 251;
    pid_t pid = xfork();
    if (pid == 0) {
        OK(close(fds[0]));
        CHECK_EQ(write(fds[1], data, sizeof data), sizeof data);
        _exit(0);
    }
    OK(close(fds[1]));
    static unsigned char got[300000];
    size_t n = 0;
    ssize_t r;
    while ((r = read(fds[0], got + n, n % 2 ? 1000 : 7777)) > 0 && n + 8000 < sizeof got + 8000)
        n += r;
    CHECK_EQ(n, sizeof data);
    CHECK(memcmp(got, data, n) == 0);
    child_ok(pid);
}

CASE(pipe, small_writes_are_atomic)
{
    int fds[2];
    OK(pipe(fds));
    pid_t pids[4];
    for (int w = 0; w < 4; w++) {
        pids[w] = xfork();
        if (pids[w] == 0) {
            char record[512];
            memset(record, 'a' + w, sizeof record);
            for (int i = 0; i < 100; i++)
                CHECK_EQ(write(fds[1], record, sizeof record), sizeof record);
            _exit(0);
        }
    }
    OK(close(fds[1]));
    char record[512];
    int records = 0;
    for (;; records++) {
        size_t n = 0;
        ssize_t r = 1;
        while (n < sizeof record && (r = read(fds[0], record + n, sizeof record - n)) > 0)
            n += r;
        if (n == 0)
            break;
        CHECK_EQ(n, sizeof record);
        for (size_t i = 1; i < sizeof record; i++)
            if (record[i] != record[0])
                FAIL("record %d is mixed", records);
    }
    CHECK_EQ(records, 400);
    for (int w = 0; w < 4; w++)
        child_ok(pids[w]);
}

CASE(pipe, ping_pong)
{
    int there[2], back[2];
    OK(pipe(there));
    OK(pipe(back));
    pid_t pid = xfork();
    if (pid == 0) {
        int n;
        for (int i = 0; i < 300; i++) {
            CHECK_EQ(read(there[0], &n, sizeof n), sizeof n);
            n++;
            CHECK_EQ(write(back[1], &n, sizeof n), sizeof n);
        }
        _exit(0);
    }
    for (int i = 0; i < 300; i++) {
        int n = i * 3;
        CHECK_EQ(write(there[1], &n, sizeof n), sizeof n);
        CHECK_EQ(read(back[0], &n, sizeof n), sizeof n);
        CHECK_EQ(n, i * 3 + 1);
    }
    child_ok(pid);
}

CASE(pipe, several_blocked_readers)
{
    int fds[2], out[2];
    OK(pipe(fds));
    OK(pipe(out));
    pid_t pids[5];
    for (int i = 0; i < 5; i++) {
        pids[i] = xfork();
        if (pids[i] == 0) {
            char c;
            CHECK_EQ(read(fds[0], &c, 1), 1);
            CHECK_EQ(write(out[1], &c, 1), 1);
            _exit(0);
        }
    }
    sleep_ms(10);
    OK(write(fds[1], "abcde", 5));
    int sum = 0;
    for (int i = 0; i < 5; i++) {
        char c;
        CHECK_EQ(read(out[0], &c, 1), 1);
        sum += c;
    }
    CHECK_EQ(sum, 'a' + 'b' + 'c' + 'd' + 'e');
    for (int i = 0; i < 5; i++)
        child_ok(pids[i]);
}

CASE(pipe, stat_seek_and_errors)
{
    int fds[2];
    struct stat st;
    OK(pipe(fds));
    OK(fstat(fds[0], &st));
    CHECK(S_ISFIFO(st.st_mode));
    CHECK_EQ(st.st_mode & 0777, 0600);
    ERR(lseek(fds[0], 0, SEEK_SET), ESPIPE);
    ERR(pread(fds[0], &st, 1, 0), ESPIPE);
    ERR(pwrite(fds[1], &st, 1, 0), ESPIPE);
    ERR(write(fds[0], "x", 1), EBADF);
    ERR(read(fds[1], &st, 1), EBADF);
    ERR(ftruncate(fds[1], 0), EINVAL);
    OK(write(fds[1], "abc", 3));
    int n = 0;
    OK(ioctl(fds[0], FIONREAD, &n));
    CHECK_EQ(n, 3);
    ERR(pipe2(fds, 0x123), EINVAL);
    ERR(pipe((int *)8), EFAULT);
    CHECK_EQ(fcntl(fds[0], F_GETPIPE_SZ), 65536);
}

CASE(pipe, vectors)
{
    int fds[2];
    OK(pipe(fds));
    struct iovec out[4] = {{"one", 3}, {"", 0}, {"two", 3}, {"three", 5}};
    CHECK_EQ(writev(fds[1], out, 4), 11);
    char a[2], b[20];
    struct iovec in[2] = {{a, 2}, {b, 20}};
    CHECK_EQ(readv(fds[0], in, 2), 11);
    CHECK(memcmp(a, "on", 2) == 0 && memcmp(b, "etwothree", 9) == 0);
}

CASE(pipe, fifo)
{
    OK(mkfifo("fifo", 0640));
    struct stat st;
    OK(stat("fifo", &st));
    CHECK(S_ISFIFO(st.st_mode));
    ERR(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
    pid_t pid = xfork();
    if (pid == 0) {
        int fd = OK(open("fifo", O_WRONLY));
        OK(write(fd, "through", 7));
        _exit(0);
    }
    int fd = OK(open("fifo", O_RDONLY));
    char buffer[16];
    CHECK_EQ(read(fd, buffer, sizeof buffer), 7);
    CHECK_EQ(read(fd, buffer, sizeof buffer), 0);
    child_ok(pid);
    int quick = OK(open("fifo", O_RDONLY | O_NONBLOCK));
    CHECK_EQ(read(quick, buffer, 1), 0);
}

CASE(pipe, splice_tee_sendfile)
{
    int a[2], b[2];
    OK(pipe(a));
    OK(pipe(b));
    put_file("source", "0123456789", 10, 0644);
    int fd = OK(open("source", O_RDONLY));
    off_t at = 2;
    CHECK_EQ(syscall(SYS_sendfile, a[1], fd, &at, 5), 5);
    CHECK_EQ(at, 7);
    char buffer[20] = "";
    CHECK_EQ(read(a[0], buffer, 20), 5);
    CHECK(memcmp(buffer, "23456", 5) == 0);
    int out = OK(open("target", O_RDWR | O_CREAT, 0644));
    CHECK_EQ(syscall(SYS_sendfile, out, fd, NULL, 100), 10);
    CHECK_EQ(syscall(SYS_sendfile, out, fd, NULL, 100), 0);
    size_t len;
    char *text = get_file("target", &len);
    CHECK(len == 10 && memcmp(text, "0123456789", 10) == 0);
}
