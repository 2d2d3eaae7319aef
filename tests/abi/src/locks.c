/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Advisory locks: fcntl(2), flock(2); and who may follow and make links in shared directories (proc(5)).
 */
#include "abi.h"

#include <sys/file.h>

static int lock(int fd, int cmd, int type, off_t start, off_t len) {
    struct flock l = {.l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
    return fcntl(fd, cmd, &l);
}

CASE(locks, deadlocks_are_refused) {
    int fd = OK(open("f", O_RDWR | O_CREAT, 0644));
    int *flag = shared_page();
    OK(lock(fd, F_SETLK, F_WRLCK, 0, 1));
    pid_t pid = xfork();
    if (pid == 0) {
        OK(lock(fd, F_SETLK, F_WRLCK, 1, 1));
        flag[0] = 1;
        OK(lock(fd, F_SETLKW, F_WRLCK, 0, 1)); /* waits for the parent */
        _exit(0);
    }
    await(&flag[0]);
    await_state(pid, 'S');
    sleep_ms(30);
    ERR(lock(fd, F_SETLKW, F_WRLCK, 1, 1), EDEADLK);
    OK(lock(fd, F_SETLK, F_UNLCK, 0, 1));
    child_ok(pid);
    OK(lock(fd, F_SETLKW, F_WRLCK, 1, 1));
}

CASE(locks, three_in_a_ring) {
    int fd = OK(open("f", O_RDWR | O_CREAT, 0644));
    int *flag = shared_page();
    OK(lock(fd, F_SETLK, F_WRLCK, 0, 1));
    pid_t pids[2];
    for (int i = 0; i < 2; i++) {
        pids[i] = xfork();
        if (pids[i] == 0) {
            OK(lock(fd, F_SETLK, F_WRLCK, 1 + i, 1));
            flag[i] = 1;
            await(&flag[1]);
            OK(lock(fd, F_SETLKW, F_WRLCK, i, 1));
            _exit(0);
        }
        await(&flag[i]);
    }
    for (int i = 0; i < 2; i++)
        await_state(pids[i], 'S');
    sleep_ms(50);
    ERR(lock(fd, F_SETLKW, F_WRLCK, 2, 1), EDEADLK);
    OK(lock(fd, F_SETLK, F_UNLCK, 0, 1));
    child_ok(pids[0]);
    child_ok(pids[1]);
}

CASE(locks, closing_any_descriptor_releases) {
    int a = OK(open("f", O_RDWR | O_CREAT, 0644)), b = OK(open("f", O_RDWR));
    OK(lock(a, F_SETLK, F_WRLCK, 0, 0));
    CHILD(ERR(lock(a, F_SETLK, F_WRLCK, 0, 0), EAGAIN));
    OK(close(b));
    CHILD(OK(lock(a, F_SETLK, F_WRLCK, 0, 0)));
    /* A child has none of its parent's locks, and its end does not release them. */
    OK(lock(a, F_SETLK, F_WRLCK, 0, 0));
    CHILD(OK(close(a)));
    CHILD(ERR(lock(a, F_SETLK, F_RDLCK, 5, 1), EAGAIN));
}

CASE(locks, descriptions_own_theirs) {
    int a = OK(open("f", O_RDWR | O_CREAT, 0644)), b = OK(open("f", O_RDWR)), d = OK(dup(a));
    OK(lock(a, F_OFD_SETLK, F_WRLCK, 0, 10));
    ERR(lock(b, F_OFD_SETLK, F_WRLCK, 5, 1), EAGAIN);
    OK(lock(d, F_OFD_SETLK, F_RDLCK, 5, 1));
    OK(lock(b, F_OFD_SETLK, F_RDLCK, 5, 1));
    ERR(lock(b, F_SETLK, F_WRLCK, 0, 1), EAGAIN);
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    OK(fcntl(b, F_OFD_GETLK, &l));
    CHECK(l.l_type == F_WRLCK && l.l_pid == -1 && l.l_start == 0 && l.l_len == 5);
    l.l_pid = 1;
    ERR(fcntl(b, F_OFD_SETLK, &l), EINVAL);
    OK(close(a));
    ERR(lock(b, F_OFD_SETLK, F_WRLCK, 0, 1), EAGAIN);
    OK(close(d));
    OK(lock(b, F_OFD_SETLK, F_WRLCK, 0, 1));
}

CASE(locks, flock_belongs_to_the_description) {
    int a = OK(open("f", O_RDWR | O_CREAT, 0644)), b = OK(open("f", O_RDONLY));
    OK(flock(a, LOCK_EX));
    ERR(flock(b, LOCK_EX | LOCK_NB), EAGAIN);
    ERR(flock(b, LOCK_SH | LOCK_NB), EAGAIN);
    OK(flock(a, LOCK_SH));
    OK(flock(b, LOCK_SH | LOCK_NB));
    ERR(flock(a, LOCK_EX | LOCK_NB), EAGAIN);
    OK(flock(b, LOCK_UN));
    CHILD(OK(flock(a, LOCK_EX | LOCK_NB)));
    ERR(flock(b, LOCK_SH | LOCK_NB), EAGAIN);
    ERR(flock(a, 0), EINVAL);
    ERR(flock(-1, LOCK_EX), EBADF);
    OK(close(a));
    OK(flock(b, LOCK_EX | LOCK_NB));
}

CASE(locks, shared_directories_protect) {
    OK(mkdir("t", 01777));
    OK(chmod("t", 01777));
    OK(chmod(".", 0755));
    put_file("secret", "s", 1, 0600);
    put_file("t/suid", "s", 1, 0666);
    OK(chmod("t/suid", 04666));
    OK(symlink("../secret", "t/root"));
    put_file("public", "p", 1, 0644);
    CHILD({
        OK(setuid(1000));
        OK(symlink("../public", "t/mine"));
        OK(close(OK(open("t/mine", O_RDONLY))));
        /* A link of the directory's owner may be followed. */
        ERR(open("t/root", O_RDONLY), EACCES);
        ERR(link("public", "t/hard"), EPERM);
        ERR(link("t/suid", "t/hard"), EPERM);
        put_file("t/own", "1", 1, 0600);
        OK(link("t/own", "t/own2"));
    });
    CHILD({
        OK(setuid(1001));
        ERR(open("t/mine", O_RDONLY), EACCES);
        ERR(unlink("t/mine"), EPERM);
    });
    /* Not even root follows somebody else's. */
    ERR(open("t/mine", O_RDONLY), EACCES);
    char buf[32];
    CHECK(OK(readlink("t/mine", buf, sizeof buf)) > 0);
}
