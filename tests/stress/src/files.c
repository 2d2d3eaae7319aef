/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Files, directories, descriptors and what else is reached through them.
 */
#include "stress.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

/* A file of many MiB, whose every page says which it is. */
STRESS(large_file_mib, 1024, 64)
{
    enum { BLOCK = 1 << 20 };
    static uint64_t block[BLOCK / 8];
    int fd = open("large", O_CREAT | O_RDWR | O_TRUNC, 0644);
    CHECK(fd >= 0);
    for (long i = 0; i < count; i++) {
        for (size_t at = 0; at < BLOCK / 8; at += PAGE / 8)
            block[at] = i << 32 | at;
        CHECK(write(fd, block, BLOCK) == BLOCK);
    }
    struct stat st;
    CHECK(fstat(fd, &st) == 0 && st.st_size == (off_t)count << 20 && st.st_blocks == count << 11);
    for (long i = count - 1; i >= 0; i--) {
        CHECK(pread(fd, block, BLOCK, (off_t)i << 20) == BLOCK);
        for (size_t at = 0; at < BLOCK / 8; at += PAGE / 8)
            CHECK(block[at] == ((uint64_t)i << 32 | at));
    }
    uint64_t *mapped = mmap(NULL, (size_t)count << 20, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(mapped != MAP_FAILED);
    for (long i = 0; i < count; i += 7)
        CHECK(mapped[(size_t)i << 17] == (uint64_t)i << 32);
    CHECK(close(fd) == 0 && unlink("large") == 0);
}

STRESS(truncate, 2000, 100)
{
    int fd = open("truncated", O_CREAT | O_RDWR, 0644);
    static char block[65536];
    for (long i = 0; i < count; i++) {
        CHECK(pwrite(fd, block, sizeof block, i * 4096) == sizeof block);
        CHECK(ftruncate(fd, i % 3 ? 0 : 5000) == 0);
    }
    CHECK(close(fd) == 0 && unlink("truncated") == 0);
}

STRESS(descriptors, 1000, 1000)
{
    struct rlimit limit = {4096, 4096};
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    int base = open("many", O_CREAT | O_RDWR, 0644);
    CHECK(base >= 0);
    for (long i = 0; i < count; i++) {
        int fd = i % 2 ? open("many", O_RDONLY) : dup(base);
        CHECK(fd == base + 1 + i);
    }
    /* in children too, who also open their own */
    for (int k = 0; k < 5; k++) {
        pid_t pid = xfork();
        if (pid == 0) {
            for (long i = 0; i < count; i++)
                CHECK(open("many", O_RDONLY) >= 0);
            _exit(0);
        }
        child_ok(pid);
    }
    for (long i = 0; i < count; i++)
        CHECK(close(base + 1 + i) == 0);
    CHECK(close(base) == 0 && unlink("many") == 0);
}

STRESS_KEEPS(files, 100000, 2000)
{
    char name[64];
    for (long i = 0; i < count; i++) {
        if (i % 1000 == 0) {
            snprintf(name, sizeof name, "d%ld", i / 1000);
            CHECK(mkdir(name, 0755) == 0);
        }
        snprintf(name, sizeof name, "d%ld/file%ld", i / 1000, i);
        int fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);
        CHECK(fd >= 0 && write(fd, name, 16) == 16 && close(fd) == 0);
    }
    for (long i = 0; i < count; i++) {
        struct stat st;
        snprintf(name, sizeof name, "d%ld/file%ld", i / 1000, i);
        CHECK(stat(name, &st) == 0 && st.st_size == 16 && unlink(name) == 0);
    }
    for (long i = 0; i < count; i += 1000) {
        snprintf(name, sizeof name, "d%ld", i / 1000);
        CHECK(rmdir(name) == 0);
    }
}

STRESS_KEEPS(files_in_one_directory, 20000, 1000)
{
    char name[64];
    CHECK(mkdir("one", 0755) == 0 && chdir("one") == 0);
    for (long i = 0; i < count; i++) {
        snprintf(name, sizeof name, "f%ld", i);
        CHECK(mknod(name, S_IFREG | 0644, 0) == 0);
    }
    for (long i = count - 1; i >= 0; i--) {
        snprintf(name, sizeof name, "f%ld", i);
        CHECK(unlink(name) == 0);
    }
    CHECK(chdir("..") == 0 && rmdir("one") == 0);
}

STRESS_KEEPS(deep_directories, 5000, 500)
{
    for (long i = 0; i < count; i++)
        CHECK(mkdir("down", 0755) == 0 && chdir("down") == 0);
    int fd = open("bottom", O_CREAT | O_RDWR, 0644);
    CHECK(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0 && unlink("bottom") == 0);
    char path[4096];
    CHECK(getcwd(path, sizeof path) != NULL || errno == ERANGE || errno == ENAMETOOLONG);
    for (long i = 0; i < count; i++)
        CHECK(chdir("..") == 0 && rmdir("down") == 0);
}

/* A tree that goes away at once, with a mount. */
#include <sys/mount.h>
STRESS(mounts, 500, 30)
{
    CHECK(mkdir("mount", 0755) == 0);
    for (long i = 0; i < count; i++) {
        CHECK(mount("none", "mount", "tmpfs", 0, "") == 0);
        for (int k = 0; k < 20; k++) {
            char name[64];
            snprintf(name, sizeof name, "mount/%d", k);
            int fd = open(name, O_CREAT | O_RDWR, 0644);
            CHECK(fd >= 0 && write(fd, name, sizeof name) == sizeof name && close(fd) == 0);
        }
        CHECK(umount("mount") == 0);
    }
    CHECK(rmdir("mount") == 0);
}

/* Objects of each kind, made and closed with something in them. */
STRESS(pipes, 20000, 500)
{
    static char block[4096];
    for (long i = 0; i < count; i++) {
        int fds[2];
        CHECK(pipe(fds) == 0 && write(fds[1], block, i % 4096) == i % 4096);
        CHECK(close(fds[i % 2]) == 0 && close(fds[1 - i % 2]) == 0);
    }
}

STRESS(sockets, 10000, 300)
{
    static char block[4096];
    for (long i = 0; i < count; i++) {
        int fds[2];
        int type = (int[]){SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}[i % 3];
        CHECK(socketpair(AF_UNIX, type, 0, fds) == 0);
        CHECK(send(fds[1], block, 100 + i % 1000, 0) > 0);
        CHECK(close(fds[i % 2]) == 0 && close(fds[1 - i % 2]) == 0);
    }
}

static void send_fd(int socket, int fd)
{
    char byte = 'x';
    struct iovec iov = {&byte, 1};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    CHECK(sendmsg(socket, &m, 0) == 1);
}

/* Descriptors in flight that nobody takes, and those that hold each other: Linux's collector frees them. */
STRESS(rights_in_flight, 3000, 200)
{
    for (long i = 0; i < count; i++) {
        int a[2], b[2];
        CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, a) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, b) == 0);
        send_fd(a[0], b[0]);
        send_fd(a[0], b[1]);
        if (i % 2) {
            send_fd(b[0], a[0]);
            send_fd(b[0], a[1]);
        }
        close(a[0]), close(a[1]), close(b[0]), close(b[1]);
    }
}

STRESS(event_objects, 5000, 200)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    struct itimerspec later = {{0, 0}, {1000, 0}};
    for (long i = 0; i < count; i++) {
        int e = eventfd(1, 0), t = timerfd_create(CLOCK_MONOTONIC, 0), s = signalfd(-1, &set, 0), p = epoll_create1(0);
        int m = memfd_create("m", 0), q = epoll_create1(0);
        CHECK(e >= 0 && t >= 0 && s >= 0 && p >= 0 && m >= 0);
        CHECK(timerfd_settime(t, 0, &later, NULL) == 0);
        struct epoll_event event = {.events = EPOLLIN};
        CHECK(epoll_ctl(p, EPOLL_CTL_ADD, e, &event) == 0 && epoll_ctl(p, EPOLL_CTL_ADD, t, &event) == 0);
        CHECK(epoll_ctl(p, EPOLL_CTL_ADD, s, &event) == 0 && epoll_ctl(q, EPOLL_CTL_ADD, p, &event) == 0);
        CHECK(write(m, "memory", 6) == 6);
        CHECK(epoll_wait(q, &event, 1, 0) == 1);
        for (int k = 0; k < 6; k++)
            CHECK(close((int[]){e, p, q, t, s, m}[(k + i) % 6]) == 0);
    }
}

STRESS(pseudo_terminals, 1000, 50)
{
    for (long i = 0; i < count; i++) {
        int m = posix_openpt(O_RDWR | O_NOCTTY);
        if (m < 0 && errno == ENOENT)
            return; /* a system without them */
        CHECK(m >= 0 && unlockpt(m) == 0);
        int s = open(ptsname(m), O_RDWR | O_NOCTTY);
        CHECK(s >= 0 && write(s, "text", 4) == 4 && write(m, "line\n", 5) == 5);
        CHECK(close(s) == 0 && close(m) == 0);
    }
}

STRESS_KEEPS(record_locks, 20000, 500)
{
    int fd = open("locked", O_CREAT | O_RDWR, 0644);
    for (long i = 0; i < count; i++) {
        struct flock lock = {.l_type = i % 3 ? F_WRLCK : F_RDLCK, .l_start = i * 2, .l_len = 1};
        if (fcntl(fd, F_SETLK, &lock) != 0) {
            CHECK(errno == ENOLCK);
            break;
        }
    }
    CHECK(close(fd) == 0 && unlink("locked") == 0);
}

STRESS(symbolic_links, 20000, 500)
{
    for (long i = 0; i < count; i++) {
        CHECK(symlink("/some/where/that/is/not/there", "link") == 0);
        CHECK(rename("link", "other") == 0 && unlink("other") == 0);
    }
}
