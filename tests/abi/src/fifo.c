/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * FIFOs (fifo(7)), many descriptors, directories that change while they are read, exchanging the root.
 */
#include "abi.h"

#include <dirent.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/resource.h>

CASE(fifo, opening_waits_for_the_other_end) {
    OK(mkfifo("p", 0644));
    ERR(open("p", O_WRONLY | O_NONBLOCK), ENXIO);
    int r = OK(open("p", O_RDONLY | O_NONBLOCK));
    int w = OK(open("p", O_WRONLY | O_NONBLOCK));
    OK(close(r));
    OK(close(w));
    int rw = OK(open("p", O_RDWR));
    OK(write(rw, "x", 1));
    char b;
    CHECK_EQ(OK(read(rw, &b, 1)), 1);
    OK(close(rw));
    pid_t pid = xfork();
    if (pid == 0) {
        int wr = OK(open("p", O_WRONLY));
        OK(write(wr, "hello", 5));
        _exit(0);
    }
    sleep_ms(30);
    r = OK(open("p", O_RDONLY));
    char buf[8];
    CHECK_EQ(OK(read(r, buf, sizeof buf)), 5);
    CHECK_EQ(OK(read(r, buf, sizeof buf)), 0);
    child_ok(pid);
    OK(close(r));
    /* The other way round. */
    pid = xfork();
    if (pid == 0) {
        int rd = OK(open("p", O_RDONLY));
        CHECK_EQ(OK(read(rd, buf, sizeof buf)), 2);
        _exit(0);
    }
    sleep_ms(30);
    w = OK(open("p", O_WRONLY));
    OK(write(w, "ab", 2));
    child_ok(pid);
}

static void nothing(int sig) { (void)sig; }

CASE(fifo, a_waiting_open_is_interrupted) {
    OK(mkfifo("p", 0644));
    on_signal(SIGALRM, nothing, 0);
    struct itimerval it = {{0, 0}, {0, 50000}};
    OK(setitimer(ITIMER_REAL, &it, NULL));
    ERR(open("p", O_RDONLY), EINTR);
    ERR(open("p", O_WRONLY | O_NONBLOCK), ENXIO);
}

CASE(fifo, hangup_and_readers_before_writers) {
    OK(mkfifo("p", 0644));
    int r = OK(open("p", O_RDONLY | O_NONBLOCK));
    struct pollfd f = {r, POLLIN, 0};
    CHECK_EQ(OK(poll(&f, 1, 0)), 0);
    char b;
    CHECK_EQ(OK(read(r, &b, 1)), 0);
    int w = OK(open("p", O_WRONLY));
    ERR(read(r, &b, 1), EAGAIN);
    OK(write(w, "x", 1));
    OK(close(w));
    CHECK_EQ(OK(poll(&f, 1, 0)), 1);
    CHECK_EQ(f.revents, POLLIN | POLLHUP);
    CHECK_EQ(OK(read(r, &b, 1)), 1);
    CHECK_EQ(OK(read(r, &b, 1)), 0);
    CHECK_EQ(OK(poll(&f, 1, 0)), 1);
    CHECK_EQ(f.revents, POLLHUP);
    w = OK(open("p", O_WRONLY));
    CHECK_EQ(OK(poll(&f, 1, 0)), 0);
    OK(close(r));
    signal(SIGPIPE, SIG_IGN);
    ERR(write(w, "x", 1), EPIPE);
    ERR(lseek(w, 0, SEEK_SET), ESPIPE);
}

CASE(fifo, directories_change_while_read) {
    char name[32];
    OK(mkdir("d", 0755));
    enum { N = 500 };
    for (int i = 0; i < N; i++) {
        sprintf(name, "d/%d", i);
        put_file(name, "", 0, 0644);
    }
    /* Each name that is there all the time comes exactly once, whatever happens to the others. */
    static char seen[N];
    DIR *d = opendir("d");
    CHECK(d != NULL);
    struct dirent *e;
    int steps = 0;
    while ((e = readdir(d)) != NULL) {
        if (e->d_name[0] == '.' || e->d_name[0] == 'n')
            continue;
        int i = atoi(e->d_name);
        CHECK(i >= 0 && i < N);
        CHECK(seen[i] == 0);
        seen[i] = 1;
        if (steps++ % 3 == 0) {
            sprintf(name, "d/%d", i);
            OK(unlink(name));
            seen[i] = 2;
            sprintf(name, "d/new%d", i);
            put_file(name, "", 0, 0644);
        }
    }
    for (int i = 0; i < N; i++)
        CHECK(seen[i] != 0);
    closedir(d);
    d = opendir("d");
    long where = 0;
    char at[300] = "";
    for (int i = 0; i < 100; i++) {
        if (i == 50)
            where = telldir(d);
        e = readdir(d);
        CHECK(e != NULL);
        if (i == 50)
            strcpy(at, e->d_name);
    }
    seekdir(d, where);
    CHECK(strcmp(readdir(d)->d_name, at) == 0);
    closedir(d);
}

CASE_T(fifo, two_thousand_descriptors, 30) {
    struct rlimit r = {4096, 4096};
    OK(setrlimit(RLIMIT_NOFILE, &r));
    enum { N = 2000 };
    static struct pollfd f[N];
    int p[2];
    OK(pipe(p));
    for (int i = 0; i < N; i++) {
        f[i].fd = (int)OK(dup(p[0]));
        f[i].events = POLLIN;
    }
    CHECK_EQ(f[N - 1].fd - f[0].fd, N - 1);
    CHECK_EQ(OK(poll(f, N, 0)), 0);
    OK(write(p[1], "x", 1));
    CHECK_EQ(OK(poll(f, N, 0)), N);
    CHILD({
        char b;
        CHECK_EQ(OK(read(f[N - 1].fd, &b, 1)), 1);
    });
    OK(syscall(SYS_close_range, f[10].fd, f[N - 1].fd, 0));
    ERR(fcntl(f[10].fd, F_GETFD), EBADF);
    OK(fcntl(f[9].fd, F_GETFD));
    CHECK_EQ(OK(dup(p[0])), f[10].fd);
    ERR(dup2(p[0], 4096), EBADF);
    ERR(fcntl(p[0], F_DUPFD, 4096), EINVAL);
    CHECK_EQ(OK(dup2(p[0], 4095)), 4095);
    CHECK_EQ(OK(dup2(4095, 4095)), 4095);
    ERR(dup3(4095, 4095, 0), EINVAL);
    ERR(dup2(-1, 5), EBADF);
    ERR(dup2(4000, 4000), EBADF);
    struct rlimit low = {(rlim_t)f[9].fd + 1, 4096};
    OK(setrlimit(RLIMIT_NOFILE, &low));
    ERR(dup(p[0]), EMFILE);
    ERR(open("/dev/null", O_RDONLY), EMFILE);
    /* What is open above the limit stays usable. */
    OK(fcntl(4095, F_GETFD));
}

CASE(fifo, exchanging_the_root) {
    CHECK(syscall(SYS_pivot_root, "/", "/") == -1 && (errno == EBUSY || errno == EINVAL));
    OK(mkdir("a", 0755));
    CHECK(syscall(SYS_pivot_root, "a", "a") == -1 && (errno == EBUSY || errno == EINVAL));
    OK(mount("none", "a", "tmpfs", 0, NULL));
    OK(mkdir("a/b", 0755));
    put_file("a/outer", "o", 1, 0644);
    OK(mount("none", "a/b", "tmpfs", 0, NULL));
    OK(mkdir("a/b/old", 0755));
    OK(mkdir("a/b/x", 0755));
    put_file("a/b/inner", "i", 1, 0644);
    put_file("a/file", "i", 1, 0644);
    CHILD({
        OK(chroot("a"));
        OK(chdir("/"));
        ERR(syscall(SYS_pivot_root, "/b", "/b/none"), ENOENT);
        ERR(syscall(SYS_pivot_root, "/file", "/b/old"), ENOTDIR);
        ERR(syscall(SYS_pivot_root, "/b/x", "/b/old"), EINVAL);
        OK(syscall(SYS_pivot_root, "/b", "/b/old"));
        OK(access("/inner", F_OK));
        OK(access("/old/outer", F_OK));
        ERR(access("/outer", F_OK), ENOENT);
        char cwd[64];
        CHECK(getcwd(cwd, sizeof cwd) != NULL && strcmp(cwd, "/") == 0);
        OK(access("inner", F_OK));
        OK(umount2("/old", MNT_DETACH));
        ERR(access("/old/outer", F_OK), ENOENT);
    });
    OK(umount2("a", MNT_DETACH));
    CHILD({
        OK(setuid(1000));
        ERR(syscall(SYS_pivot_root, "/", "/"), EPERM);
    });
}
