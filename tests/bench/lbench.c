/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * lbench - small Linux system-call micro-benchmark.
 *
 * Times are read from CNTVCT_EL0.  Under "qemu -icount shift=0" one guest
 * instruction is one virtual ns, so the ns/op column is also insn/op
 * (granularity of a whole sample: 1e9/CNTFRQ = 16 ns at 62.5 MHz).
 *
 * usage: lbench [-l] [-r rounds] [-d dir] [-s scale%] [test-prefix ...]
 *        lbench --exit          (helper: leaves at once)
 *        lbench --boot          (counter since power-on: boot cost)
 * argv[0] must be an absolute path (fork_exec runs it again).
 * Output, one line a test:  R <name> <n> <min ns/op *100> <max ns/op *100>
 * and a human column.       unsupported:  U <name> errno
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/poll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static inline uint64_t cnt(void)
{
	uint64_t v;
	__asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(v) :: "memory");
	return v;
}
static uint64_t frq(void)
{
	uint64_t v;
	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(v));
	return v;
}

/* raw system call: no libc wrapper in the timed path */
static inline long sc6(long n, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = n;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;
	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory", "cc");
	return x0;
}
#define SC(n, ...) SCX(n, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define SCX(n, a, b, c, d, e, f, ...) sc6((n), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

static const char *dir = "/tmp", *self;
static char fname[256];
static uint64_t F;
static int scale = 100;

/* every test: run n operations, return ticks, or <0 = -errno */
typedef int64_t (*fn)(long n);
#define LOOP(n, body) do { uint64_t t0_ = cnt(); for (long i_ = 0; i_ < (n); i_++) { body; } return (int64_t)(cnt() - t0_); } while (0)
#define CHK(x) do { long r_ = (long)(x); if (r_ < 0) return r_ == -1 && errno ? -errno : r_; } while (0)
#define CHKR(x) do { long r_ = (long)(x); if (r_ < 0) return r_; } while (0)

static int64_t t_empty(long n) { LOOP(n, __asm__ volatile("" ::: "memory")); }
static int64_t t_getppid(long n) { CHKR(SC(SYS_getppid)); LOOP(n, SC(SYS_getppid)); }
static int64_t t_enosys(long n) { LOOP(n, SC(9999)); }
static int64_t t_umask(long n) { LOOP(n, SC(SYS_umask, 022)); }

static int64_t t_read0(long n)
{
	char c; int fd = open("/dev/zero", O_RDONLY); CHK(fd);
	int64_t r; uint64_t t0 = cnt();
	for (long i = 0; i < n; i++) if (SC(SYS_read, fd, &c, 1) != 1) { close(fd); return -EIO; }
	r = cnt() - t0; close(fd); return r;
}
static int64_t t_write0(long n)
{
	char c = 0; int fd = open("/dev/null", O_WRONLY); CHK(fd);
	int64_t r; uint64_t t0 = cnt();
	for (long i = 0; i < n; i++) if (SC(SYS_write, fd, &c, 1) != 1) { close(fd); return -EIO; }
	r = cnt() - t0; close(fd); return r;
}
static int mkfile(size_t len)
{
	static char buf[65536];
	int fd = open(fname, O_CREAT | O_TRUNC | O_RDWR, 0644);
	if (fd < 0) return -errno;
	memset(buf, 'x', sizeof buf);
	while (len) { size_t k = len < sizeof buf ? len : sizeof buf; ssize_t w = write(fd, buf, k); if (w <= 0) { close(fd); return -EIO; } len -= w; }
	lseek(fd, 0, SEEK_SET);
	return fd;
}
static int64_t t_stat(long n)
{
	struct stat st; int fd = mkfile(1); CHKR(fd); close(fd);
	CHKR(SC(SYS_newfstatat, AT_FDCWD, fname, &st, 0));
	LOOP(n, SC(SYS_newfstatat, AT_FDCWD, fname, &st, 0));
}
static int64_t t_stat_enoent(long n)
{
	struct stat st; LOOP(n, SC(SYS_newfstatat, AT_FDCWD, "/tmp/no-such-file", &st, 0));
}
static int64_t t_fstat(long n)
{
	struct stat st; int fd = mkfile(1); CHKR(fd); CHKR(SC(SYS_fstat, fd, &st));
	uint64_t t0 = cnt(); for (long i = 0; i < n; i++) SC(SYS_fstat, fd, &st);
	int64_t r = cnt() - t0; close(fd); return r;
}
static int64_t t_openclose(long n)
{
	int fd = mkfile(1); CHKR(fd); close(fd);
	uint64_t t0 = cnt();
	for (long i = 0; i < n; i++) { long f = SC(SYS_openat, AT_FDCWD, fname, O_RDONLY, 0); if (f < 0) return f; SC(SYS_close, f); }
	return cnt() - t0;
}
static int64_t t_dupclose(long n)
{
	LOOP(n, { long f = SC(SYS_dup, 0); SC(SYS_close, f); });
}
static int64_t t_lseek(long n)
{
	int fd = mkfile(4096); CHKR(fd);
	uint64_t t0 = cnt(); for (long i = 0; i < n; i++) SC(SYS_lseek, fd, i & 4095, SEEK_SET);
	int64_t r = cnt() - t0; close(fd); return r;
}
static int64_t t_pread4k(long n)
{
	static char b[4096]; int fd = mkfile(65536); CHKR(fd);
	uint64_t t0 = cnt(); for (long i = 0; i < n; i++) if (SC(SYS_pread64, fd, b, 4096, (i & 15) << 12) != 4096) { close(fd); return -EIO; }
	int64_t r = cnt() - t0; close(fd); return r;
}
static int64_t t_pwrite4k(long n)
{
	static char b[4096]; int fd = mkfile(65536); CHKR(fd);
	uint64_t t0 = cnt(); for (long i = 0; i < n; i++) if (SC(SYS_pwrite64, fd, b, 4096, (i & 15) << 12) != 4096) { close(fd); return -EIO; }
	int64_t r = cnt() - t0; close(fd); return r;
}
/* bandwidth: one op = 64 KiB read from a 1 MiB file */
static int64_t t_fileread64k(long n)
{
	static char b[65536]; int fd = mkfile(1 << 20); CHKR(fd);
	uint64_t t0 = cnt(); for (long i = 0; i < n; i++) if (SC(SYS_pread64, fd, b, 65536, (i & 15) << 16) != 65536) { close(fd); return -EIO; }
	int64_t r = cnt() - t0; close(fd); return r;
}
static int64_t t_create0k(long n)
{
	char p[300]; uint64_t t0 = cnt();
	for (long i = 0; i < n; i++) { sprintf(p, "%s/lb.%ld", dir, i); long f = SC(SYS_openat, AT_FDCWD, p, O_CREAT | O_RDWR | O_EXCL, 0644); if (f < 0) return f; SC(SYS_close, f); }
	int64_t r = cnt() - t0;
	for (long i = 0; i < n; i++) { sprintf(p, "%s/lb.%ld", dir, i); unlink(p); }
	return r;
}
static int64_t t_delete0k(long n)
{
	char p[300];
	for (long i = 0; i < n; i++) { sprintf(p, "%s/lb.%ld", dir, i); int f = open(p, O_CREAT | O_RDWR | O_EXCL, 0644); CHK(f); close(f); }
	uint64_t t0 = cnt();
	for (long i = 0; i < n; i++) { sprintf(p, "%s/lb.%ld", dir, i); SC(SYS_unlinkat, AT_FDCWD, p, 0); }
	return cnt() - t0;
}
static int64_t t_getcwd(long n) { char b[256]; CHK(chdir(dir)); int64_t r; uint64_t t0 = cnt(); for (long i = 0; i < n; i++) SC(SYS_getcwd, b, sizeof b); r = cnt() - t0; CHK(chdir("/")); return r; }

/* two-process ping-pong over two descriptors pairs; one op = one round trip */
static int64_t pingpong(long n, int a_r, int a_w, int b_r, int b_w, int nclose, int *cl)
{
	char c = 'x'; (void)nclose; (void)cl;
	pid_t p = fork(); CHK(p);
	if (p == 0) {
		for (long i = 0; i < n + 2; i++) { if (SC(SYS_read, a_r, &c, 1) != 1) _exit(1); if (SC(SYS_write, b_w, &c, 1) != 1) _exit(1); }
		_exit(0);
	}
	for (int i = 0; i < 2; i++) { SC(SYS_write, a_w, &c, 1); SC(SYS_read, b_r, &c, 1); }
	uint64_t t0 = cnt();
	for (long i = 0; i < n; i++) { SC(SYS_write, a_w, &c, 1); SC(SYS_read, b_r, &c, 1); }
	int64_t r = cnt() - t0; int st; waitpid(p, &st, 0);
	return st ? -EIO : r;
}
static int64_t t_pipelat(long n)
{
	int a[2], b[2]; CHK(pipe(a)); CHK(pipe(b));
	int64_t r = pingpong(n, a[0], a[1], b[0], b[1], 0, 0);
	close(a[0]); close(a[1]); close(b[0]); close(b[1]); return r;
}
/* same data path in one process, no switch: write then read own pipe */
static int64_t t_pipeself(long n)
{
	int a[2]; char c = 'x'; CHK(pipe(a)); uint64_t t0 = cnt();
	for (long i = 0; i < n; i++) { SC(SYS_write, a[1], &c, 1); SC(SYS_read, a[0], &c, 1); }
	int64_t r = cnt() - t0; close(a[0]); close(a[1]); return r;
}
static int64_t t_unixlat(long n)
{
	int s[2]; CHK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	int64_t r = pingpong(n, s[1], s[0], s[0], s[1], 0, 0);
	close(s[0]); close(s[1]); return r;
}
/* one op = 64 KiB through a pipe from a writer process */
static int64_t t_pipebw64k(long n)
{
	static char b[65536]; int a[2]; CHK(pipe(a)); pid_t p = fork(); CHK(p);
	if (p == 0) { close(a[0]); for (long i = 0; i < n; i++) { size_t o = 0; while (o < sizeof b) { long w = SC(SYS_write, a[1], b + o, sizeof b - o); if (w <= 0) _exit(1); o += w; } } _exit(0); }
	close(a[1]); uint64_t t0 = cnt(); int64_t left = (int64_t)n * 65536;
	while (left > 0) { long k = SC(SYS_read, a[0], b, sizeof b); if (k <= 0) break; left -= k; }
	int64_t r = cnt() - t0; int st; waitpid(p, &st, 0); close(a[0]);
	return left > 0 || st ? -EIO : r;
}
static int64_t t_pipecreate(long n) { int a[2]; CHKR(SC(SYS_pipe2, a, 0)); SC(SYS_close, a[0]); SC(SYS_close, a[1]); LOOP(n, { SC(SYS_pipe2, a, 0); SC(SYS_close, a[0]); SC(SYS_close, a[1]); }); }

static int64_t t_forkexit(long n)
{
	int st; uint64_t t0 = cnt();
	for (long i = 0; i < n; i++) { pid_t p = fork(); if (p == 0) _exit(0); CHK(p); if (waitpid(p, &st, 0) != p) return -EIO; }
	return cnt() - t0;
}
static int64_t t_vforkexec(long n)
{
	int st; uint64_t t0 = cnt(); char *av[] = { (char *)self, "--exit", 0 }, *ev[] = { 0 };
	for (long i = 0; i < n; i++) { pid_t p = vfork(); if (p == 0) { execve(self, av, ev); _exit(127); } CHK(p); if (waitpid(p, &st, 0) != p) return -EIO; if (st) return -ENOEXEC; }
	return cnt() - t0;
}
static int64_t t_forkexec(long n)
{
	int st; uint64_t t0 = cnt(); char *av[] = { (char *)self, "--exit", 0 }, *ev[] = { 0 };
	for (long i = 0; i < n; i++) { pid_t p = fork(); if (p == 0) { execve(self, av, ev); _exit(127); } CHK(p); if (waitpid(p, &st, 0) != p) return -EIO; if (st) return -ENOEXEC; }
	return cnt() - t0;
}
static int64_t t_forksh(long n)
{
	char cmd[300]; sprintf(cmd, "%s --exit", self);
	int st; uint64_t t0 = cnt(); char *av[] = { "sh", "-c", cmd, 0 }, *ev[] = { 0 };
	for (long i = 0; i < n; i++) { pid_t p = fork(); if (p == 0) { execve("/bin/sh", av, ev); _exit(127); } CHK(p); if (waitpid(p, &st, 0) != p) return -EIO; if (st) return -ENOEXEC; }
	return cnt() - t0;
}
static void *thr_nop(void *a) { return a; }
static int64_t t_pthread(long n)
{
	uint64_t t0 = cnt();
	for (long i = 0; i < n; i++) { pthread_t t; int e = pthread_create(&t, 0, thr_nop, 0); if (e) return -e; pthread_join(t, 0); }
	return cnt() - t0;
}
static int64_t t_mmap64k(long n)
{
	LOOP(n, { long p = SC(SYS_mmap, 0, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); if (p < 0 && p > -4096) return p; SC(SYS_munmap, p, 65536); });
}
static int64_t t_mmaptouch64k(long n)
{
	LOOP(n, { long p = SC(SYS_mmap, 0, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); if (p < 0 && p > -4096) return p; for (int k = 0; k < 16; k++) ((volatile char *)p)[k << 12] = 1; SC(SYS_munmap, p, 65536); });
}
/* one op = first write touch of one anonymous page (no map/unmap in the time) */
static int64_t t_anonfault(long n)
{
	char *p = mmap(0, (size_t)n << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) return -errno;
	madvise(p, (size_t)n << 12, MADV_NOHUGEPAGE);
	uint64_t t0 = cnt(); for (long i = 0; i < n; i++) ((volatile char *)p)[i << 12] = 1;
	int64_t r = cnt() - t0; munmap(p, (size_t)n << 12); return r;
}
/* one op = copy-on-write break of one page in a child after fork */
static int64_t t_cowfault(long n)
{
	char *p = mmap(0, (size_t)n << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t *sh = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED || sh == MAP_FAILED) return -errno;
	madvise(p, (size_t)n << 12, MADV_NOHUGEPAGE);
	for (long i = 0; i < n; i++) p[i << 12] = 1;
	*sh = 0; pid_t c = fork(); CHK(c);
	if (c == 0) { uint64_t t0 = cnt(); for (long i = 0; i < n; i++) ((volatile char *)p)[i << 12] = 2; *sh = cnt() - t0; _exit(0); }
	waitpid(c, 0, 0); int64_t r = *sh; munmap(p, (size_t)n << 12); munmap(sh, 4096); return r;
}
static int64_t t_brk(long n)
{
	long b = SC(SYS_brk, 0); LOOP(n, { SC(SYS_brk, b + 65536); SC(SYS_brk, b); });
}
static volatile int sigs;
static void h(int s) { (void)s; sigs++; }
static int64_t t_siginstall(long n)
{
	struct sigaction sa; memset(&sa, 0, sizeof sa); sa.sa_handler = h; CHK(sigaction(SIGUSR1, &sa, 0));
	LOOP(n, sigaction(SIGUSR1, &sa, 0));
}
static int64_t t_sigdeliver(long n)
{
	struct sigaction sa; memset(&sa, 0, sizeof sa); sa.sa_handler = h; CHK(sigaction(SIGUSR1, &sa, 0));
	long pid = getpid(); sigs = 0; uint64_t t0 = cnt();
	for (long i = 0; i < n; i++) SC(SYS_kill, pid, SIGUSR1);
	int64_t r = cnt() - t0; return sigs == n ? r : -EIO;
}
static int64_t t_sigprocmask(long n) { uint64_t m = 1 << (SIGUSR2 - 1), o; LOOP(n, SC(SYS_rt_sigprocmask, SIG_SETMASK, &m, &o, 8)); }

static int64_t sel(long n, int k)
{
	int a[2], fd[128]; CHK(pipe(a)); fd_set s0, s; FD_ZERO(&s0); int mx = 0;
	for (int i = 0; i < k; i++) { fd[i] = dup(a[0]); CHK(fd[i]); FD_SET(fd[i], &s0); if (fd[i] > mx) mx = fd[i]; }
	struct timespec z = { 0, 0 }; CHKR((s = s0, SC(SYS_pselect6, mx + 1, &s, 0, 0, &z, 0)));
	uint64_t t0 = cnt(); for (long i = 0; i < n; i++) { s = s0; SC(SYS_pselect6, mx + 1, &s, 0, 0, &z, 0); }
	int64_t r = cnt() - t0; for (int i = 0; i < k; i++) close(fd[i]); close(a[0]); close(a[1]); return r;
}
static int64_t t_select10(long n) { return sel(n, 10); }
static int64_t t_select100(long n) { return sel(n, 100); }
static int64_t pol(long n, int k)
{
	int a[2]; CHK(pipe(a)); struct pollfd p[128]; struct timespec z = { 0, 0 };
	for (int i = 0; i < k; i++) { p[i].fd = dup(a[0]); CHK(p[i].fd); p[i].events = POLLIN; }
	CHKR(SC(SYS_ppoll, p, k, &z, 0, 0)); uint64_t t0 = cnt();
	for (long i = 0; i < n; i++) SC(SYS_ppoll, p, k, &z, 0, 0);
	int64_t r = cnt() - t0; for (int i = 0; i < k; i++) close(p[i].fd); close(a[0]); close(a[1]); return r;
}
static int64_t t_poll10(long n) { return pol(n, 10); }
static int64_t t_poll100(long n) { return pol(n, 100); }
static int64_t t_epollwait(long n)
{
	int a[2], e = epoll_create1(0); CHK(e); CHK(pipe(a)); struct epoll_event ev = { .events = EPOLLIN }, o; CHK(epoll_ctl(e, EPOLL_CTL_ADD, a[0], &ev)); char c = 0; CHK(write(a[1], &c, 1));
	uint64_t t0 = cnt(); for (long i = 0; i < n; i++) SC(SYS_epoll_pwait, e, &o, 1, 0, 0, 8);
	int64_t r = cnt() - t0; close(a[0]); close(a[1]); close(e); return r;
}
static int64_t t_yield(long n) { LOOP(n, SC(SYS_sched_yield)); }

#define FUTEX_WAIT_ 0
#define FUTEX_WAKE_ 1
static int64_t t_futexwake0(long n) { static int w; CHKR(SC(SYS_futex, &w, FUTEX_WAKE_ | 128, 1, 0, 0, 0)); LOOP(n, SC(SYS_futex, &w, FUTEX_WAKE_ | 128, 1, 0, 0, 0)); }
static int64_t t_futexwaitagain(long n) { static int w; LOOP(n, SC(SYS_futex, &w, FUTEX_WAIT_ | 128, 1, 0, 0, 0)); }
struct fx { volatile int a, b; long n; int priv; };
static void fwait(volatile int *w, int v, int pv) { while (*w == v) SC(SYS_futex, w, FUTEX_WAIT_ | pv, v, 0, 0, 0); }
static void fset(volatile int *w, int v, int pv) { __atomic_store_n((int *)w, v, __ATOMIC_SEQ_CST); SC(SYS_futex, w, FUTEX_WAKE_ | pv, 1, 0, 0, 0); }
static void fx_child(struct fx *x) { for (long i = 0; i < x->n; i++) { fwait(&x->a, (int)i, x->priv); fset(&x->b, (int)i + 1, x->priv); } }
static uint64_t fx_parent(struct fx *x) { uint64_t t0 = cnt(); for (long i = 0; i < x->n; i++) { fset(&x->a, (int)i + 1, x->priv); fwait(&x->b, (int)i, x->priv); } return cnt() - t0; }
static void *fx_thr(void *a) { fx_child(a); return 0; }
static int64_t t_futexpp_thr(long n)
{
	struct fx x = { 0, 0, n, 128 }; pthread_t t; int e = pthread_create(&t, 0, fx_thr, &x); if (e) return -e;
	int64_t r = fx_parent(&x); pthread_join(t, 0); return r;
}
static int64_t t_futexpp_proc(long n)
{
	struct fx *x = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0); if (x == MAP_FAILED) return -errno;
	x->n = n; pid_t p = fork(); CHK(p); if (p == 0) { fx_child(x); _exit(0); }
	int64_t r = fx_parent(x); waitpid(p, 0, 0); munmap(x, 4096); return r;
}
static int64_t t_clock_sys(long n) { struct timespec t; LOOP(n, SC(SYS_clock_gettime, CLOCK_MONOTONIC, &t)); }
static int64_t t_clock_libc(long n) { struct timespec t; LOOP(n, clock_gettime(CLOCK_MONOTONIC, &t)); }
/* user-space only reference: must be the same on every kernel */
static int64_t t_userloop(long n) { uint64_t t0 = cnt(); uint64_t k = n * 1000; __asm__ volatile("1: subs %0, %0, #1; b.ne 1b" : "+r"(k) :: "cc"); return cnt() - t0; }
static int64_t t_memcpy64k(long n) { static char a[65536], b[65536]; LOOP(n, { memcpy(a, b, 65536); __asm__ volatile("" :: "r"(a) : "memory"); }); }
/* one op = nanosleep(1 ms): shows timer slack, not cost */
static int64_t t_sleep1ms(long n) { struct timespec z = { 0, 1000000 }; LOOP(n, SC(SYS_nanosleep, &z, 0)); }

static const struct { const char *name; fn f; long n; const char *what; } T[] = {
	{ "user_loop1000", t_userloop, 1000, "2000 insns in user mode (reference)" },
	{ "user_memcpy64k", t_memcpy64k, 50, "libc memcpy 64 KiB (reference)" },
	{ "loop_empty", t_empty, 20000, "empty loop" },
	{ "sys_getppid", t_getppid, 20000, "null syscall" },
	{ "sys_enosys", t_enosys, 20000, "unknown syscall number" },
	{ "sys_umask", t_umask, 20000, "umask" },
	{ "clock_syscall", t_clock_sys, 20000, "clock_gettime by svc" },
	{ "clock_libc", t_clock_libc, 20000, "clock_gettime by libc (vdso if any)" },
	{ "read1_devzero", t_read0, 20000, "read 1 byte /dev/zero" },
	{ "write1_devnull", t_write0, 20000, "write 1 byte /dev/null" },
	{ "stat", t_stat, 5000, "newfstatat of a file" },
	{ "stat_enoent", t_stat_enoent, 5000, "newfstatat, no such file" },
	{ "fstat", t_fstat, 10000, "fstat" },
	{ "open_close", t_openclose, 5000, "openat + close" },
	{ "dup_close", t_dupclose, 10000, "dup + close" },
	{ "lseek", t_lseek, 10000, "lseek" },
	{ "getcwd", t_getcwd, 10000, "getcwd" },
	{ "pread_4k", t_pread4k, 5000, "pread 4 KiB, file in dir" },
	{ "pwrite_4k", t_pwrite4k, 5000, "pwrite 4 KiB, file in dir" },
	{ "fileread_64k", t_fileread64k, 500, "pread 64 KiB of a 1 MiB file" },
	{ "create_0k", t_create0k, 500, "create+close empty file" },
	{ "delete_0k", t_delete0k, 500, "unlink empty file" },
	{ "pipe_self", t_pipeself, 5000, "write+read 1 byte own pipe" },
	{ "pipe_lat", t_pipelat, 2000, "pipe round trip, 2 processes" },
	{ "unix_lat", t_unixlat, 2000, "socketpair round trip, 2 processes" },
	{ "pipe_bw_64k", t_pipebw64k, 100, "64 KiB through a pipe" },
	{ "pipe_create", t_pipecreate, 2000, "pipe2 + 2 close" },
	{ "fork_exit", t_forkexit, 100, "fork + exit + wait" },
	{ "fork_exec", t_forkexec, 50, "fork + execve(self --exit) + wait" },
	{ "vfork_exec", t_vforkexec, 50, "vfork + execve(self --exit) + wait" },
	{ "fork_sh", t_forksh, 20, "fork + /bin/sh -c 'self --exit' + wait" },
	{ "thread_create", t_pthread, 200, "pthread_create + join" },
	{ "mmap_64k", t_mmap64k, 2000, "mmap+munmap 64 KiB" },
	{ "mmap_touch_64k", t_mmaptouch64k, 500, "mmap + 16 page touches + munmap" },
	{ "anon_fault", t_anonfault, 1024, "first touch of one page" },
	{ "cow_fault", t_cowfault, 512, "COW break of one page" },
	{ "brk_64k", t_brk, 2000, "brk up 64 KiB + down" },
	{ "sig_install", t_siginstall, 10000, "sigaction" },
	{ "sig_deliver", t_sigdeliver, 5000, "kill self + handler + sigreturn" },
	{ "sigprocmask", t_sigprocmask, 10000, "rt_sigprocmask" },
	{ "select_10", t_select10, 2000, "pselect6, 10 idle pipe fds" },
	{ "select_100", t_select100, 1000, "pselect6, 100 idle pipe fds" },
	{ "poll_10", t_poll10, 2000, "ppoll, 10 idle pipe fds" },
	{ "poll_100", t_poll100, 1000, "ppoll, 100 idle pipe fds" },
	{ "epoll_wait", t_epollwait, 5000, "epoll_pwait, 1 ready fd" },
	{ "sched_yield", t_yield, 5000, "sched_yield alone" },
	{ "futex_wake0", t_futexwake0, 10000, "FUTEX_WAKE, no waiter" },
	{ "futex_waitagain", t_futexwaitagain, 10000, "FUTEX_WAIT, EAGAIN" },
	{ "futex_pp_thr", t_futexpp_thr, 2000, "futex round trip, 2 threads" },
	{ "futex_pp_proc", t_futexpp_proc, 2000, "futex round trip, 2 processes" },
	{ "sleep_1ms", t_sleep1ms, 20, "nanosleep 1 ms" },
};
#define NT (sizeof T / sizeof T[0])

int main(int argc, char **argv)
{
	int rounds = 3, list = 0, i = 1; self = argv[0];
	if (argc > 1 && !strcmp(argv[1], "--exit")) _exit(0);
	if (argc > 1 && !strcmp(argv[1], "--boot")) { uint64_t c = cnt(); printf("BOOT cntvct=%lu us=%lu\n", (unsigned long)c, (unsigned long)((unsigned __int128)c * 1000000 / frq())); return 0; }
	for (; i < argc && argv[i][0] == '-'; i++) {
		if (argv[i][1] == 'l') list = 1;
		else if (argv[i][1] == 'r' && i + 1 < argc) rounds = atoi(argv[++i]);
		else if (argv[i][1] == 'd' && i + 1 < argc) dir = argv[++i];
		else if (argv[i][1] == 's' && i + 1 < argc) scale = atoi(argv[++i]);
	}
	snprintf(fname, sizeof fname, "%s/lbench.dat", dir); F = frq();
	setvbuf(stdout, 0, _IONBF, 0);
	if (list) { for (size_t k = 0; k < NT; k++) printf("%-16s %s\n", T[k].name, T[k].what); return 0; }
	printf("# lbench 1 cntfrq=%lu rounds=%d (ns/op; = insn/op under icount shift=0)\n", (unsigned long)F, rounds);
	for (size_t k = 0; k < NT; k++) {
		int want = i >= argc; for (int a = i; a < argc; a++) if (!strncmp(T[k].name, argv[a], strlen(argv[a]))) want = 1;
		if (!want) continue;
		long n = T[k].n * scale / 100; if (n < 1) n = 1;
		int64_t mn = INT64_MAX, mx = 0, r = 0;
		for (int q = 0; q < rounds && r >= 0; q++) { r = T[k].f(n); if (r >= 0) { if (r < mn) mn = r; if (r > mx) mx = r; } }
		if (r < 0) { printf("U %-16s errno %ld\n", T[k].name, (long)-r); continue; }
		/* ns/op with two decimals, in integers */
		unsigned __int128 a = (unsigned __int128)mn * 100000000000ull / F / n, b = (unsigned __int128)mx * 100000000000ull / F / n;
		printf("R %-16s n=%-6ld min %8lu.%02lu max %8lu.%02lu  %s\n", T[k].name, n, (unsigned long)(a / 100), (unsigned long)(a % 100), (unsigned long)(b / 100), (unsigned long)(b % 100), T[k].what);
	}
	unlink(fname);
	printf("# done\n");
	return 0;
}
