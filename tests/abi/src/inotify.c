/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * inotify(7).
 */
#include "abi.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

struct got {
    int wd;
    uint32_t mask, cookie, len;
    char name[256];
};

/* The next event; fails if there is none. */
static void next_event(int fd, struct got *out) {
    static _Thread_local char buf[4096];
    static _Thread_local size_t at, len;
    static _Thread_local int of = -1;
    if (of != fd || at >= len) {
        len = (size_t)OK(read(fd, buf, sizeof buf));
        at = 0;
        of = fd;
    }
    struct inotify_event e;
    memcpy(&e, buf + at, sizeof e);
    out->wd = e.wd;
    out->mask = e.mask;
    out->cookie = e.cookie;
    out->len = e.len;
    out->name[0] = 0;
    if (e.len)
        memcpy(out->name, buf + at + sizeof e, e.len);
    at += sizeof e + e.len;
}

static struct got event_(int line, int fd, int wd, uint32_t mask, const char *name) {
    struct got g;
    next_event(fd, &g);
    if (g.wd != wd || g.mask != mask || strcmp(g.name, name) != 0)
        abi_fail(__FILE__, line, "event wd %d mask 0x%x name '%s', not wd %d mask 0x%x name '%s'", g.wd, g.mask, g.name,
                 wd, mask, name);
    return g;
}
#define EVENT(fd, wd, mask, name) event_(__LINE__, fd, wd, mask, name)

static void none(int fd) {
    int n = 0;
    OK(ioctl(fd, FIONREAD, &n));
    CHECK_EQ(n, 0);
}

CASE(inotify, files_in_a_directory) {
    OK(mkdir("d", 0755));
    int fd = OK(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    char b[64];
    ERR(read(fd, b, sizeof b), EAGAIN);
    int wd = OK(inotify_add_watch(fd, "d", IN_ALL_EVENTS));
    CHECK(wd >= 1);
    int f = OK(open("d/file", O_RDWR | O_CREAT, 0644));
    EVENT(fd, wd, IN_CREATE, "file");
    EVENT(fd, wd, IN_OPEN, "file");
    OK(write(f, "abc", 3));
    EVENT(fd, wd, IN_MODIFY, "file");
    CHECK_EQ(OK(pread(f, b, 3, 0)), 3);
    EVENT(fd, wd, IN_ACCESS, "file");
    CHECK_EQ(OK(pread(f, b, 3, 3)), 0);
    none(fd);
    OK(fchmod(f, 0600));
    EVENT(fd, wd, IN_ATTRIB, "file");
    OK(ftruncate(f, 1));
    EVENT(fd, wd, IN_MODIFY, "file");
    OK(close(f));
    EVENT(fd, wd, IN_CLOSE_WRITE, "file");
    OK(close(OK(open("d/file", O_RDONLY))));
    EVENT(fd, wd, IN_OPEN, "file");
    EVENT(fd, wd, IN_CLOSE_NOWRITE, "file");
    OK(close(OK(open("d/file", O_PATH))));
    none(fd);
    OK(close(OK(open("d/file", O_WRONLY | O_TRUNC))));
    EVENT(fd, wd, IN_MODIFY, "file");
    EVENT(fd, wd, IN_OPEN, "file");
    EVENT(fd, wd, IN_CLOSE_WRITE, "file");
    OK(mkdir("d/sub", 0755));
    EVENT(fd, wd, IN_CREATE | IN_ISDIR, "sub");
    OK(rmdir("d/sub"));
    EVENT(fd, wd, IN_DELETE | IN_ISDIR, "sub");
    OK(symlink("x", "d/l"));
    EVENT(fd, wd, IN_CREATE, "l");
    OK(link("d/file", "d/hard"));
    EVENT(fd, wd, IN_CREATE, "hard");
    OK(unlink("d/file"));
    EVENT(fd, wd, IN_DELETE, "file");
    none(fd);
}

CASE(inotify, moves_have_cookies) {
    OK(mkdir("a", 0755));
    OK(mkdir("b", 0755));
    put_file("a/f", "1", 1, 0644);
    put_file("b/g", "1", 1, 0644);
    int fd = OK(inotify_init1(IN_NONBLOCK));
    int wa = OK(inotify_add_watch(fd, "a", IN_MOVE | IN_CREATE | IN_DELETE));
    int wb = OK(inotify_add_watch(fd, "b", IN_MOVE | IN_CREATE | IN_DELETE));
    int wf = OK(inotify_add_watch(fd, "a/f", IN_MOVE_SELF | IN_DELETE_SELF | IN_ATTRIB));
    int wg = OK(inotify_add_watch(fd, "b/g", IN_DELETE_SELF | IN_ATTRIB));
    OK(rename("a/f", "b/g"));
    struct got from = EVENT(fd, wa, IN_MOVED_FROM, "f");
    struct got to = EVENT(fd, wb, IN_MOVED_TO, "g");
    CHECK(from.cookie != 0);
    CHECK_EQ(from.cookie, to.cookie);
    EVENT(fd, wg, IN_ATTRIB, "");
    EVENT(fd, wf, IN_MOVE_SELF, "");
    EVENT(fd, wg, IN_DELETE_SELF, "");
    EVENT(fd, wg, IN_IGNORED, "");
    OK(mkdir("a/s", 0755));
    EVENT(fd, wa, IN_CREATE | IN_ISDIR, "s");
    OK(rename("a/s", "a/t"));
    struct got one = EVENT(fd, wa, IN_MOVED_FROM | IN_ISDIR, "s");
    EVENT(fd, wa, IN_MOVED_TO | IN_ISDIR, "t");
    CHECK(one.cookie != from.cookie);
    none(fd);
}

CASE(inotify, watched_file_goes) {
    put_file("f", "1", 1, 0644);
    int fd = OK(inotify_init1(IN_NONBLOCK));
    int wd = OK(inotify_add_watch(fd, "f", IN_ALL_EVENTS));
    int f = OK(open("f", O_RDONLY));
    EVENT(fd, wd, IN_OPEN, "");
    OK(unlink("f"));
    EVENT(fd, wd, IN_ATTRIB, "");
    none(fd);
    OK(close(f));
    EVENT(fd, wd, IN_CLOSE_NOWRITE, "");
    EVENT(fd, wd, IN_DELETE_SELF, "");
    EVENT(fd, wd, IN_IGNORED, "");
    ERR(inotify_rm_watch(fd, wd), EINVAL);
    OK(mkdir("d", 0755));
    wd = OK(inotify_add_watch(fd, "d", IN_ALL_EVENTS));
    OK(rmdir("d"));
    EVENT(fd, wd, IN_DELETE_SELF, "");
    EVENT(fd, wd, IN_IGNORED, "");
    none(fd);
}

CASE(inotify, masks) {
    put_file("f", "1", 1, 0644);
    OK(symlink("f", "l"));
    int fd = OK(inotify_init1(IN_NONBLOCK));
    ERR(inotify_add_watch(fd, "f", 0), EINVAL);
    ERR(inotify_add_watch(fd, "f", IN_OPEN | IN_MASK_ADD | IN_MASK_CREATE), EINVAL);
    ERR(inotify_add_watch(fd, "f", IN_OPEN | IN_ONLYDIR), ENOTDIR);
    ERR(inotify_add_watch(fd, "none", IN_OPEN), ENOENT);
    ERR(inotify_add_watch(fd, (char *)8, IN_OPEN), EFAULT);
    ERR(inotify_add_watch(-1, "f", IN_OPEN), EBADF);
    ERR(inotify_add_watch(0, "f", IN_OPEN), EINVAL);
    int wd = OK(inotify_add_watch(fd, "f", IN_OPEN | IN_MASK_CREATE));
    ERR(inotify_add_watch(fd, "f", IN_OPEN | IN_MASK_CREATE), EEXIST);
    CHECK_EQ(OK(inotify_add_watch(fd, "f", IN_CLOSE | IN_MASK_ADD)), wd);
    OK(close(OK(open("f", O_RDONLY))));
    EVENT(fd, wd, IN_OPEN, "");
    EVENT(fd, wd, IN_CLOSE_NOWRITE, "");
    CHECK_EQ(OK(inotify_add_watch(fd, "f", IN_CLOSE)), wd);
    OK(close(OK(open("f", O_RDONLY))));
    EVENT(fd, wd, IN_CLOSE_NOWRITE, "");
    int wl = OK(inotify_add_watch(fd, "l", IN_ATTRIB | IN_DONT_FOLLOW));
    CHECK(wl != wd);
    OK(lchown("l", 0, 0));
    EVENT(fd, wl, IN_ATTRIB, "");
    OK(inotify_rm_watch(fd, wl));
    EVENT(fd, wl, IN_IGNORED, "");
    OK(inotify_add_watch(fd, "f", IN_OPEN | IN_ONESHOT));
    OK(close(OK(open("f", O_RDONLY))));
    EVENT(fd, wd, IN_OPEN, "");
    EVENT(fd, wd, IN_IGNORED, "");
    OK(close(OK(open("f", O_RDONLY))));
    none(fd);
    ERR(inotify_init1(0x4), EINVAL);
    CHILD({
        OK(chmod("f", 0200));
        OK(setuid(1000));
        ERR(inotify_add_watch(fd, "f", IN_OPEN), EACCES);
    });
}

CASE(inotify, unlinked_names_can_be_left_out) {
    OK(mkdir("d", 0755));
    put_file("d/f", "1", 1, 0644);
    int a = OK(inotify_init1(IN_NONBLOCK)), b = OK(inotify_init1(IN_NONBLOCK));
    int f = OK(open("d/f", O_RDWR));
    int wa = OK(inotify_add_watch(a, "d", IN_MODIFY | IN_DELETE));
    int wb = OK(inotify_add_watch(b, "d", IN_MODIFY | IN_DELETE | IN_EXCL_UNLINK));
    OK(write(f, "1", 1));
    EVENT(a, wa, IN_MODIFY, "f");
    EVENT(b, wb, IN_MODIFY, "f");
    OK(unlink("d/f"));
    EVENT(a, wa, IN_DELETE, "f");
    EVENT(b, wb, IN_DELETE, "f");
    OK(write(f, "1", 1));
    EVENT(a, wa, IN_MODIFY, "f");
    none(b);
}

CASE(inotify, same_events_are_one) {
    put_file("f", "1", 1, 0644);
    int fd = OK(inotify_init1(IN_NONBLOCK));
    int wd = OK(inotify_add_watch(fd, "f", IN_MODIFY | IN_ATTRIB));
    int f = OK(open("f", O_WRONLY));
    for (int i = 0; i < 5; i++)
        OK(write(f, "1", 1));
    OK(fchmod(f, 0600));
    OK(write(f, "1", 1));
    int n;
    OK(ioctl(fd, FIONREAD, &n));
    CHECK_EQ(n, 3 * sizeof(struct inotify_event));
    char small[8];
    ERR(read(fd, small, sizeof small), EINVAL);
    EVENT(fd, wd, IN_MODIFY, "");
    EVENT(fd, wd, IN_ATTRIB, "");
    EVENT(fd, wd, IN_MODIFY, "");
    ERR(write(fd, "1", 1), EBADF);
}

CASE(inotify, wakes_readers_and_poll) {
    OK(mkdir("d", 0755));
    int fd = OK(inotify_init1(0));
    int wd = OK(inotify_add_watch(fd, "d", IN_CREATE));
    struct pollfd p = {fd, POLLIN, 0};
    CHECK_EQ(OK(poll(&p, 1, 0)), 0);
    pid_t pid = xfork();
    if (pid == 0) {
        sleep_ms(50);
        put_file("d/one", "", 0, 0644);
        sleep_ms(50);
        put_file("d/two", "", 0, 0644);
        _exit(0);
    }
    EVENT(fd, wd, IN_CREATE, "one");
    int ep = OK(epoll_create1(0));
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
    OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
    CHECK_EQ(OK(epoll_wait(ep, &e, 1, 5000)), 1);
    EVENT(fd, wd, IN_CREATE, "two");
    child_ok(pid);
}

CASE_T(inotify, overflow, 60) {
    OK(mkdir("d", 0755));
    int fd = OK(inotify_init1(IN_NONBLOCK));
    OK(inotify_add_watch(fd, "d", IN_OPEN | IN_CLOSE));
    put_file("d/a", "", 0, 0644);
    static char buf[1 << 16];
    while (read(fd, buf, sizeof buf) > 0)
        ;
    int most = 16384;
    for (int i = 0; i < most / 2 + 10; i++)
        close(OK(open("d/a", O_RDONLY)));
    uint32_t last = 0;
    int last_wd = 0, events = 0;
    for (;;) {
        ssize_t n = read(fd, buf, sizeof buf);
        if (n < 0)
            break;
        for (ssize_t at = 0; at < n;) {
            struct inotify_event e;
            memcpy(&e, buf + at, sizeof e);
            last = e.mask;
            last_wd = e.wd;
            events++;
            at += (ssize_t)sizeof e + e.len;
        }
    }
    CHECK_EQ(errno, EAGAIN);
    CHECK_EQ(last, IN_Q_OVERFLOW);
    CHECK_EQ(last_wd, -1);
    CHECK_EQ(events, most + 1);
}

CASE(inotify, unmounting_ends_watches) {
    OK(mkdir("m", 0755));
    OK(mount("none", "m", "tmpfs", 0, NULL));
    int fd = OK(inotify_init1(IN_NONBLOCK));
    int wd = OK(inotify_add_watch(fd, "m", IN_CREATE));
    OK(umount("m"));
    EVENT(fd, wd, IN_UNMOUNT | IN_ISDIR, "");
    EVENT(fd, wd, IN_IGNORED, "");
}
