/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Asynchronous I/O of the kernel.
 */
#include "abi.h"
#include <linux/aio_abi.h>
#include <sys/eventfd.h>
#include <sys/uio.h>

static long setup(unsigned n, aio_context_t *c)
{
    return syscall(SYS_io_setup, n, c);
}

static long submit(aio_context_t c, long n, struct iocb **list)
{
    return syscall(SYS_io_submit, c, n, list);
}

static long events(aio_context_t c, long min, long n, struct io_event *e, struct timespec *t)
{
    return syscall(SYS_io_getevents, c, min, n, e, t);
}

CASE(aio, contexts)
{
    aio_context_t c = 0, d = 0;
    ERR(setup(0, &c), EINVAL);
    ERR(setup(1, (void *)16), EFAULT);
    OK(setup(8, &c));
    CHECK(c != 0);
    ERR(setup(8, &c), EINVAL);
    OK(setup(8, &d));
    CHECK(c != d);
    ERR(submit(0, 1, NULL), EINVAL);
    ERR(submit(c, -1, NULL), EINVAL);
    CHECK_EQ(OK(submit(c, 0, NULL)), 0);
    ERR(submit(c, 1, (void *)16), EFAULT);
    struct io_event e;
    struct timespec none = {0, 0};
    CHECK_EQ(OK(events(c, 0, 1, &e, &none)), 0);
    CHECK_EQ(OK(events(c, 1, 1, &e, &none)), 0);
    ERR(events(c, 2, 1, &e, &none), EINVAL);
    ERR(events(c, -1, 1, &e, &none), EINVAL);
    OK(syscall(SYS_io_destroy, c));
    ERR(syscall(SYS_io_destroy, c), EINVAL);
    ERR(events(c, 0, 1, &e, &none), EINVAL);
    OK(syscall(SYS_io_destroy, d));
}

CASE(aio, reads_and_writes)
{
    aio_context_t c = 0;
    OK(setup(8, &c));
    int fd = OK(open("f", O_RDWR | O_CREAT, 0600)), ev = OK(eventfd(0, EFD_NONBLOCK));
    char text[] = "hello, world", back[32] = {0};
    struct iovec v[2] = {{text, 5}, {text + 5, 7}};
    struct iocb w = {.aio_data = 11, .aio_lio_opcode = IOCB_CMD_PWRITEV, .aio_fildes = (unsigned)fd,
                     .aio_buf = (uintptr_t)v, .aio_nbytes = 2, .aio_offset = 100,
                     .aio_flags = IOCB_FLAG_RESFD, .aio_resfd = (unsigned)ev};
    struct iocb s = {.aio_data = 12, .aio_lio_opcode = IOCB_CMD_FDSYNC, .aio_fildes = (unsigned)fd};
    struct iocb *list[3] = {&w, &s};
    CHECK_EQ(OK(submit(c, 2, list)), 2);
    struct io_event e[4];
    CHECK_EQ(OK(events(c, 2, 4, e, NULL)), 2);
    struct io_event *first = e[0].data == 11 ? &e[0] : &e[1], *second = e[0].data == 11 ? &e[1] : &e[0];
    CHECK(first->data == 11 && first->res == 12 && first->obj == (uintptr_t)&w);
    CHECK(second->data == 12 && second->res == 0);
    uint64_t n;
    CHECK_EQ(read(ev, &n, 8), 8);
    CHECK_EQ(n, 1);
    struct iocb r = {.aio_data = 13, .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = (unsigned)fd,
                     .aio_buf = (uintptr_t)back, .aio_nbytes = 30, .aio_offset = 100};
    list[0] = &r;
    CHECK_EQ(OK(submit(c, 1, list)), 1);
    CHECK_EQ(OK(events(c, 1, 4, e, NULL)), 1);
    CHECK_EQ(e[0].res, 12);
    CHECK(strcmp(back, "hello, world") == 0);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
    /* what goes wrong on the way is in the event, what is wrong from the start in the result */
    r.aio_buf = 16;
    CHECK_EQ(OK(submit(c, 1, list)), 1);
    CHECK_EQ(OK(events(c, 1, 4, e, NULL)), 1);
    CHECK_EQ(e[0].res, -EFAULT);
    r.aio_fildes = 999;
    ERR(submit(c, 1, list), EBADF);
    r.aio_fildes = (unsigned)fd;
    r.aio_lio_opcode = 99;
    ERR(submit(c, 1, list), EINVAL);
    int ro = OK(open("f", O_RDONLY));
    w.aio_fildes = (unsigned)ro;
    list[0] = &w;
    ERR(submit(c, 1, list), EBADF);
    w.aio_reserved2 = 1;
    ERR(submit(c, 1, list), EINVAL);
    ERR(syscall(SYS_io_cancel, c, &s, e), EINVAL);
    struct timespec t = {0, 30000000};
    int64_t before = now_ms();
    CHECK_EQ(OK(events(c, 1, 4, e, &t)), 0);
    CHECK(now_ms() - before >= 25);
}
