/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Arguments: plausible often enough to get deep, wild often enough to hurt.
 */
#include "fuzz.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

uint64_t rnd(struct rng *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15ULL;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

uint64_t below(struct rng *r, uint64_t n)
{
    return n ? rnd(r) % n : 0;
}

bool one_in(struct rng *r, unsigned n)
{
    return below(r, n) == 0;
}

uint64_t gen_value(struct rng *r)
{
    static const uint64_t odd[] = {0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 255, 256, 511, 512, 1023, 1024, 4095,
        4096, 4097, 65535, 65536, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x7fffffffffffffff, 0x8000000000000000,
        0xffffffffffffffff, 0xfffffffffffffffe, 0xfffffffffffff000, 0x7ffffffffffff000, 0xffffffff80000000, 999999999,
        1000000000, 0xffffff9c};
    switch (below(r, 6)) {
    case 0: return below(r, 16);
    case 1: return below(r, 1000);
    case 2: return 1ULL << below(r, 64);
    case 3: return rnd(r) >> below(r, 64);
    default: return odd[below(r, LENGTH(odd))];
    }
}

uint64_t gen_length(struct rng *r)
{
    static const uint64_t odd[] = {0, 1, 2, 7, 8, 16, 64, 100, 255, 256, 1000, 4095, 4096, 4097, 8192, 65535, 65536, 65537, 262144,
        1 << 20, 16 << 20, 0x7ffff000, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 1ULL << 40, 1ULL << 47,
        0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff, 0xfffffffffffff000};
    if (one_in(r, 3))
        return odd[below(r, LENGTH(odd))];
    return below(r, one_in(r, 4) ? ARENA_PAGES * PAGE : 600);
}

void gen_bytes(struct worker *w, uint8_t *to, size_t len)
{
    struct rng *r = &w->rng;
    unsigned how = below(r, 4);
    for (size_t i = 0; i < len; i += 8) {
        uint64_t word;
        switch (how == 3 ? below(r, 3) : how) {
        case 0: word = 0; break;
        case 1: word = gen_value(r); break;
        default: word = one_in(r, 2) ? rnd(r) : (uint64_t)(w->arena.pages + below(r, ARENA_PAGES * PAGE)); break;
        }
        memcpy(to + i, &word, len - i < 8 ? len - i : 8);
    }
}

/* Room in the arena that can be written now. */
static uint8_t *room(struct worker *w, size_t size)
{
    size = (size + 63) & ~63UL;
    if (size > ARENA_PAGES * PAGE / 2)
        size = ARENA_PAGES * PAGE / 2;
    if (w->arena.at + size > ARENA_PAGES * PAGE)
        w->arena.at = below(&w->rng, 64) * 64;
    uint8_t *at = w->arena.pages + w->arena.at;
    w->arena.at += size;
    return at;
}

/* An address that is wrong, or odd. */
static uint64_t bad_pointer(struct worker *w, size_t size)
{
    struct rng *r = &w->rng;
    uint8_t *end = w->arena.pages + ARENA_PAGES * PAGE;
    switch (below(r, 16)) {
    case 0: return 0;
    case 1: return (uint64_t)end - below(r, size + 1);
    case 2: return (uint64_t)end - below(r, PAGE);
    case 3: return (uint64_t)end;
    case 4: return (uint64_t)w->arena.ro + below(r, PAGE);
    case 5: return (uint64_t)w->arena.none + below(r, PAGE);
    case 6: return (uint64_t)w->arena.shared + below(r, 2 * PAGE);
    case 7: return (uint64_t)w->arena.code + below(r, PAGE);
    case 8: return SHIM_BASE + below(r, 0x10000);
    case 9: return 0xffff800000000000ULL + below(r, 1ULL << 40);
    case 10: return 0xffffffffffffffffULL - below(r, 2 * PAGE);
    case 11: return 0x0000800000000000ULL - below(r, 2 * PAGE) + below(r, 3 * PAGE);
    case 12: return (uint64_t)room(w, size) | below(r, 256) << 56;
    case 13: return below(r, 1 << 20);
    case 14: return (uint64_t)room(w, size + 8) + below(r, 8);
    default: return rnd(r);
    }
}

uint64_t gen_pointer(struct worker *w, size_t size)
{
    if (one_in(&w->rng, 6))
        return bad_pointer(w, size);
    return (uint64_t)room(w, size);
}

uint64_t gen_fd(struct worker *w)
{
    struct rng *r = &w->rng;
    switch (below(r, 16)) {
    case 0: return (uint64_t)-1;
    case 1: return (uint64_t)-100; /* AT_FDCWD */
    case 2: return gen_value(r);
    case 3: return below(r, 1100);
    default: return below(r, 48);
    }
}

static bool is_of_sockets(const char *name)
{
    static const char *const calls[] = {"bind", "listen", "accept", "connect", "getsockname", "getpeername", "send", "recv",
        "setsockopt", "getsockopt", "shutdown"};
    for (size_t i = 0; i < LENGTH(calls); i++)
        if (strncmp(name, calls[i], strlen(calls[i])) == 0 && strcmp(name, "sendfile") != 0)
            return true;
    return false;
}

/* A descriptor of the kind that a call is for, most of the time. */
static void fit_fd(struct worker *w, const struct row *row, uint64_t args[6])
{
    if (row->count == 0 || row->args[0].type != T_Fd || one_in(&w->rng, 4))
        return;
    const char *name = is_of_sockets(row->name) ? "socket" : row->name;
    for (const struct kind *k = kinds; k->calls; k++)
        if (k->count && strncmp(name, k->calls, strlen(k->calls)) == 0)
            args[0] = k->fds[below(&w->rng, k->count)];
}

static const char *const names[] = {"a", "b", "c", "d", "d/x", "d/y", "d/e/f", ".", "..", "/", "", "./././a", "../../a", "d/", "a/",
    "lnk", "loop", "fifo", "sock", "script", "exe", "//d//x", "/proc/self", "/proc/self/fd", "/proc/self/fd/3", "/proc/self/maps",
    "/proc/self/exe", "/proc/1/stat", "/proc/self/mem", "/proc/meminfo", "/proc/sys/kernel/hostname", "/dev/null", "/dev/zero",
    "/dev/full", "/dev/urandom", "/dev/ptmx", "/dev/pts/0", "/dev/pts", "/dev/tty", "/dev", "/tmp", "/d", "/a", "new1", "new2",
    "new3", "\xff\xfe", "tmpfs", "proc", "bind", "size=1", "size=100%,mode=777", "user.x", "/proc/self/cwd/a", "/proc/self/root",
    "/proc/self/task", "/proc/self/status", "/proc/mounts", "/proc/self/attr/current", "/dev/console", "/proc/2/fd", "/proc/2/maps"};

/* Writes a path of some kind, not longer than `size` bytes with its NUL. */
static void put_path(struct worker *w, char *to, size_t size)
{
    struct rng *r = &w->rng;
    size_t len = 0;
    switch (below(r, 24)) {
    case 0: /* one long component */
        len = 250 + below(r, 10);
        memset(to, 'n', len);
        break;
    case 1: /* about as long as may be */
        len = size < 4090 ? size - 1 : 4090 + below(r, 12);
        for (size_t i = 0; i < len; i++)
            to[i] = i % 2 ? '/' : '.';
        break;
    case 2: /* many components */
        len = below(r, 1500) * 2;
        for (size_t i = 0; i < len; i++)
            to[i] = i % 2 ? '/' : 'd';
        break;
    case 3: /* many links */
        for (unsigned n = below(r, 60); n && len < 600; n--)
            len += snprintf(to + len, 16, "lnk/../");
        break;
    case 4:
        len = below(r, 40);
        gen_bytes(w, (uint8_t *)to, len);
        break;
    case 5:
        len = snprintf(to, 64, "/proc/self/fd/%d", (int)below(r, 50));
        break;
    case 6:
        len = snprintf(to, 64, "/proc/%d/%s", (int)below(r, 40), one_in(r, 2) ? "stat" : "maps");
        break;
    default:
        len = snprintf(to, 64, "%s", names[below(r, LENGTH(names))]);
    }
    to[len < size ? len : size - 1] = 0;
}

uint64_t gen_path(struct worker *w)
{
    struct rng *r = &w->rng;
    if (one_in(r, 12))
        return bad_pointer(w, 64);
    char *at = (char *)room(w, 4224);
    put_path(w, at, 4200);
    if (one_in(r, 16)) { /* ends where the memory ends, or not at all */
        size_t len = strlen(at) + below(r, 2);
        char *end = (char *)w->arena.pages + ARENA_PAGES * PAGE;
        memmove(end - len, at, len);
        return (uint64_t)(end - len);
    }
    return (uint64_t)at;
}

static uint64_t gen_time(struct rng *r, bool nanoseconds)
{
    if (nanoseconds)
        return one_in(r, 8) ? gen_value(r) : one_in(r, 2) ? below(r, 3) : below(r, 1000000000);
    return one_in(r, 4) ? gen_value(r) : one_in(r, 4) ? 1 : 0;
}

/* A control message, or several, of sendmsg. */
static size_t put_control(struct worker *w, uint8_t *to)
{
    struct rng *r = &w->rng;
    size_t at = 0;
    for (unsigned n = 1 + below(r, 3); n; n--) {
        unsigned fds = one_in(r, 8) ? below(r, 300) : below(r, 6);
        uint64_t len = one_in(r, 10) ? gen_value(r) : 16 + fds * 4;
        int32_t level = one_in(r, 10) ? (int)gen_value(r) : 1, type = one_in(r, 10) ? (int)gen_value(r) : 1 + (int)below(r, 2);
        memcpy(to + at, &len, 8);
        memcpy(to + at + 8, &level, 4);
        memcpy(to + at + 12, &type, 4);
        for (unsigned i = 0; i < fds; i++) {
            int fd = gen_fd(w);
            memcpy(to + at + 16 + i * 4, &fd, 4);
        }
        at += (16 + fds * 4 + 7) & ~7UL;
    }
    return at;
}

static void put_iovecs(struct worker *w, struct iovec *to, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        to[i].iov_len = one_in(&w->rng, 5) ? gen_length(&w->rng) : below(&w->rng, 200);
        to[i].iov_base = (void *)gen_pointer(w, to[i].iov_len < 4096 ? to[i].iov_len : 4096);
    }
}

/* Fills in one structure; returns its size. */
static size_t put_struct(struct worker *w, uint8_t *to, unsigned what)
{
    struct rng *r = &w->rng;
    uint64_t *words = (uint64_t *)to;
    if (one_in(r, 8)) {
        gen_bytes(w, to, 256);
        return 64;
    }
    switch (what) {
    case P_Timespec:
        words[0] = gen_time(r, false), words[1] = gen_time(r, true);
        return 16;
    case P_Timeval:
        words[0] = gen_time(r, false), words[1] = below(r, 1000001);
        return 16;
    case P_TimespecPair: case P_Itimerspec: case P_Itimerval:
        words[0] = gen_time(r, false), words[1] = gen_time(r, true) / (what == P_Itimerval ? 1000 : 1);
        words[2] = gen_time(r, false), words[3] = gen_time(r, true) / (what == P_Itimerval ? 1000 : 1);
        if (what == P_TimespecPair && one_in(r, 3))
            words[1] = 0x3fffffff - below(r, 2);
        return 32;
    case P_Iovec:
        put_iovecs(w, (struct iovec *)to, 1);
        return 16;
    case P_PollFd: {
        struct pollfd *fd = (struct pollfd *)to;
        fd->fd = gen_fd(w), fd->events = rnd(r), fd->revents = rnd(r);
        return 8;
    }
    case P_EpollEvent:
        words[0] = one_in(r, 3) ? gen_value(r) : below(r, 0x40) | below(r, 16) << 28;
        words[1] = rnd(r);
        return 16;
    case P_SigSet:
        words[0] = one_in(r, 2) ? rnd(r) : 1ULL << below(r, 64);
        return 8;
    case P_SigAction:
        words[0] = one_in(r, 2) ? below(r, 2) : gen_pointer(w, 8);
        words[1] = below(r, 8) | below(r, 16) << 26 | (one_in(r, 2) ? 0x04000000 : 0);
        words[2] = gen_pointer(w, 8);
        words[3] = rnd(r);
        return 32;
    case P_SigInfo:
        gen_bytes(w, to, 128);
        ((int32_t *)to)[2] = -(int)below(r, 70);
        return 128;
    case P_StackT:
        words[0] = gen_pointer(w, 8192), words[1] = below(r, 4), words[2] = gen_length(r);
        return 24;
    case P_MsgHdr: {
        struct msghdr *m = (struct msghdr *)to;
        uint8_t *control = room(w, 4096);
        struct iovec *iov = (struct iovec *)room(w, 16 * 16);
        put_iovecs(w, iov, 16);
        m->msg_name = one_in(r, 2) ? NULL : (void *)gen_pointer(w, 110);
        m->msg_namelen = one_in(r, 4) ? gen_value(r) : below(r, 112);
        m->msg_iov = one_in(r, 10) ? (void *)gen_pointer(w, 16) : iov;
        m->msg_iovlen = one_in(r, 8) ? gen_value(r) : below(r, 16);
        m->msg_control = one_in(r, 4) ? (void *)gen_pointer(w, 64) : control;
        m->msg_controllen = one_in(r, 10) ? gen_length(r) : put_control(w, control);
        m->msg_flags = rnd(r);
        return sizeof *m;
    }
    case P_CloneArgs:
        memset(to, 0, 88);
        words[0] = rnd(r) & rnd(r) & rnd(r), words[4] = below(r, 65);
        words[5] = one_in(r, 2) ? 0 : gen_pointer(w, 4096), words[6] = words[5] ? gen_length(r) : 0;
        return 88;
    case P_OpenHow:
        words[0] = one_in(r, 3) ? gen_value(r) : below(r, 4) | (one_in(r, 3) ? 0100 : 0);
        words[1] = one_in(r, 3) ? gen_value(r) : 0;
        words[2] = below(r, 64);
        return 24;
    case P_Rlimit:
        words[0] = gen_value(r), words[1] = one_in(r, 2) ? words[0] : gen_value(r);
        return 16;
    case P_RobustListHead:
        words[0] = gen_pointer(w, 24), words[1] = gen_value(r), words[2] = gen_pointer(w, 24);
        return 24;
    case P_i32: case P_u32:
        words[0] = one_in(r, 2) ? below(r, 128) : gen_value(r);
        return 4;
    case P_i64: case P_u64:
        words[0] = one_in(r, 2) ? below(r, 10000) : gen_value(r);
        return 8;
    default:
        gen_bytes(w, to, 256);
        return 64;
    }
}

/* A socket address in some of the arena's memory. */
static void put_address(struct worker *w, uint8_t *to)
{
    struct sockaddr_un *un = (struct sockaddr_un *)to;
    un->sun_family = one_in(&w->rng, 10) ? gen_value(&w->rng) : AF_UNIX;
    if (one_in(&w->rng, 3))
        snprintf(un->sun_path, 20, "%c%s", 0, "abstract"), un->sun_path[1] = 'a' + below(&w->rng, 3);
    else
        snprintf(un->sun_path, 64, "%s", names[below(&w->rng, LENGTH(names))]);
}

static uint64_t gen_bits(struct rng *r, uint64_t likely)
{
    switch (below(r, 6)) {
    case 0: return 0;
    case 1: return gen_value(r);
    case 2: return rnd(r) & rnd(r) & rnd(r) & 0xffffffff;
    default: return rnd(r) & likely & (one_in(r, 2) ? ~0ULL : rnd(r));
    }
}

static uint64_t gen_pid(struct worker *w)
{
    struct rng *r = &w->rng;
    /* Root may do anything to anybody: it aims at its own only. */
    if (w->root)
        return one_in(r, 3) || !w->pid_count ? 0 : (uint64_t)w->pids[below(r, w->pid_count)];
    switch (below(r, 8)) {
    case 0: return 0;
    case 1: return (uint64_t)-1;
    case 2: return gen_value(r);
    case 3: return below(r, 64);
    case 4: return -below(r, 64);
    default: return w->pid_count ? (uint64_t)w->pids[below(r, w->pid_count)] : (uint64_t)getpid();
    }
}

static uint64_t gen_scalar(struct worker *w, unsigned type)
{
    struct rng *r = &w->rng;
    static const uint32_t ioctls[] = {0x5401, 0x5402, 0x5403, 0x5404, 0x5405, 0x5409, 0x540B, 0x540A, 0x540C, 0x540D, 0x540E, 0x540F,
        0x5410, 0x5411, 0x5413, 0x5414, 0x541B, 0x5420, 0x5421, 0x5422, 0x5424, 0x5428, 0x5429, 0x5450, 0x5451, 0x5452,
        0x80045430, 0x40045431, 0x80045439, 0x5441, 0x80086601, 0x40086602, 0x5412, 0x5423, 0x80045432};
    static const uint32_t fcntls[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 15, 16, 36, 37, 38, 1024, 1025, 1026, 1030, 1031, 1032, 1033,
        1034, 1036, 1037};
    static const uint64_t clones[] = {17, 0x4111, 0x3d0f00, 0x100, 0x11100, 0x200, 0x400, 0x10f00, 0x8000, 0x50f00};
    switch (type) {
    case T_Fd: case T_DirFd:
        return type == T_DirFd && one_in(r, 2) ? (uint64_t)-100 : gen_fd(w);
    case T_Size: case T_Off:
        return gen_length(r);
    case T_Addr:
        return one_in(r, 4) ? gen_pointer(w, 64) & ~(PAGE - 1) : gen_pointer(w, 256);
    case T_Mode:
        return one_in(r, 5) ? gen_value(r) : one_in(r, 3) ? below(r, 010000) : 0700 | (below(r, 16) << 12);
    case T_Pid:
        return gen_pid(w);
    case T_Uid: case T_Gid:
        return one_in(r, 3) ? gen_value(r) : below(r, 2) ? (uint64_t)-1 : 1000;
    case T_Signal:
        return one_in(r, 6) ? gen_value(r) : below(r, 66);
    case T_ClockId:
        return one_in(r, 4) ? gen_value(r) : below(r, 12);
    case T_OpenFlags:
        return gen_bits(r, 0x4fffc3) & ~(one_in(r, 3) ? 0ULL : 0x200000ULL);
    case T_AtFlags:
        return gen_bits(r, 0x7f00);
    case T_ProtFlags:
        return gen_bits(r, 7);
    case T_MapFlags:
        return one_in(r, 6) ? gen_value(r) : (1 + below(r, 2)) | (one_in(r, 2) ? 0x20 : 0) | (one_in(r, 3) ? 0x10 : 0) |
                                                 (one_in(r, 5) ? below(r, 16) << 14 : 0) | (one_in(r, 8) ? 0x100100 : 0);
    case T_CloneFlags:
        return one_in(r, 2) ? clones[below(r, LENGTH(clones))] : gen_bits(r, 0x3fffff00) | below(r, 65);
    case T_FcntlCmd:
        return one_in(r, 8) ? gen_value(r) : fcntls[below(r, LENGTH(fcntls))];
    case T_IoctlCmd:
        return one_in(r, 8) ? gen_value(r) : ioctls[below(r, LENGTH(ioctls))];
    case T_FutexOp:
        return one_in(r, 8) ? gen_value(r) : below(r, 14) | (one_in(r, 2) ? 128 : 0) | (one_in(r, 4) ? 256 : 0);
    case T_WaitOptions:
        return gen_bits(r, 0xe100000f) | (one_in(r, 2) ? 1 : 0);
    case T_SockDomain:
        return one_in(r, 6) ? gen_value(r) : 1;
    case T_SockType:
        return one_in(r, 6) ? gen_value(r) : (1 + below(r, 5)) | (one_in(r, 2) ? 04000 : 0);
    case T_PrctlOp:
        return one_in(r, 4) ? gen_value(r) : below(r, 70);
    case T_ULong: case T_Long:
        return one_in(r, 3) ? gen_pointer(w, 64) : gen_value(r);
    default: /* small enumerations and flags */
        return one_in(r, 3) ? gen_value(r) : below(r, 12);
    }
}

void gen_call(struct worker *w, const struct row *row, uint64_t args[6])
{
    struct rng *r = &w->rng;
    for (int i = 0; i < 6; i++)
        args[i] = i < row->count && row->args[i].type < FIRST_POINTER ? gen_scalar(w, row->args[i].type) : rnd(r);
    for (int i = 0; i < row->count; i++) {
        const struct arg *a = &row->args[i];
        switch (a->type) {
        case T_PATH:
            args[i] = gen_path(w);
            break;
        case T_STR:
            args[i] = gen_path(w);
            break;
        case T_STRVEC: {
            uint64_t *vector = (uint64_t *)room(w, 8 * 40);
            size_t n = one_in(r, 10) ? 39 : below(r, 5);
            for (size_t k = 0; k < n; k++)
                vector[k] = gen_path(w);
            vector[n] = one_in(r, 20) ? rnd(r) : 0;
            args[i] = one_in(r, 8) ? bad_pointer(w, 64) : (uint64_t)vector;
            break;
        }
        case T_BUF_IN: case T_BUF_OUT: {
            uint64_t *length = &args[a->length < 6 ? a->length : 5];
            if (one_in(r, 2))
                *length = below(r, 2000);
            args[i] = gen_pointer(w, *length < 65536 ? *length : 65536);
            if (a->type == T_BUF_IN && !one_in(r, 6)) {
                uint8_t *to = room(w, 4096);
                if (one_in(r, 2))
                    put_address(w, to);
                else
                    gen_bytes(w, to, 256);
                args[i] = (uint64_t)to;
            }
            break;
        }
        case T_ARRAY: {
            uint64_t *count = &args[a->length < 6 ? a->length : 5];
            if (!one_in(r, 5))
                *count = one_in(r, 10) ? below(r, 2000) : below(r, 9);
            uint8_t *to = room(w, 64 * 64);
            size_t at = 0;
            for (size_t k = 0; k < *count && k < 60 && at < 3800; k++)
                at += put_struct(w, to + at, a->what);
            args[i] = one_in(r, 8) ? bad_pointer(w, at) : (uint64_t)to;
            break;
        }
        case T_PTR: {
            uint8_t *to = room(w, 256 + 64);
            put_struct(w, to, a->what);
            args[i] = one_in(r, 5) ? bad_pointer(w, 32) : one_in(r, 8) ? 0 : (uint64_t)to;
            break;
        }
        default:
            break;
        }
    }
    /* sigset sizes, and others that must be exact to get anywhere */
    for (int i = 1; i < row->count; i++)
        if (row->args[i].type == T_Size && row->args[i - 1].type == T_PTR && !one_in(r, 8)) {
            unsigned what = row->args[i - 1].what;
            args[i] = what == P_CloneArgs ? 88 : what == P_RobustListHead || what == P_OpenHow ? 24 : 8;
        }
    fit_fd(w, row, args);
    if (one_in(r, 40))
        args[below(r, 6)] = rnd(r);
}
