/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Capabilities, prctl, personality: what is kept, what is checked.
 */
#include "abi.h"
#include <linux/capability.h>
#include <linux/securebits.h>
#include <grp.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>

struct sets {
    uint64_t effective, permitted, inheritable;
};

static int get(pid_t pid, struct sets *s)
{
    struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, pid};
    struct __user_cap_data_struct d[2];
    if (syscall(SYS_capget, &h, d) != 0)
        return -1;
    s->effective = d[0].effective | (uint64_t)d[1].effective << 32;
    s->permitted = d[0].permitted | (uint64_t)d[1].permitted << 32;
    s->inheritable = d[0].inheritable | (uint64_t)d[1].inheritable << 32;
    return 0;
}

static int set(struct sets s)
{
    struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct d[2] = {
        {(uint32_t)s.effective, (uint32_t)s.permitted, (uint32_t)s.inheritable},
        {(uint32_t)(s.effective >> 32), (uint32_t)(s.permitted >> 32), (uint32_t)(s.inheritable >> 32)},
    };
    return (int)syscall(SYS_capset, &h, d);
}

#define ALL ((1ULL << 41) - 1)
#define BIT(cap) (1ULL << (cap))

static struct sets now(void)
{
    struct sets s;
    OK(get(0, &s));
    return s;
}

/* Without one capability. */
static void without(int cap)
{
    struct sets s = now();
    s.effective &= ~BIT(cap);
    s.permitted &= ~BIT(cap);
    OK(set(s));
}

CASE(caps, get_and_set)
{
    struct sets s = now();
    CHECK_EQ(s.permitted, ALL);
    CHECK_EQ(s.effective, ALL);
    CHECK_EQ(s.inheritable, 0);
    OK(get(1, &s));
    ERR(get(0x3ffff0, &s), ESRCH);
    ERR(get(-1, &s), EINVAL);
    struct __user_cap_header_struct h = {0x1234, 0};
    struct __user_cap_data_struct d[2];
    OK(syscall(SYS_capget, &h, NULL));
    CHECK_EQ(h.version, _LINUX_CAPABILITY_VERSION_3);
    h.version = 0x1234;
    ERR(syscall(SYS_capget, &h, d), EINVAL);
    ERR(syscall(SYS_capget, (void *)16, d), EFAULT);
    h.version = _LINUX_CAPABILITY_VERSION_1;
    memset(d, 0x55, sizeof d);
    OK(syscall(SYS_capget, &h, d));
    CHECK_EQ(d[0].effective, 0xffffffff);
    CHECK_EQ(d[1].effective, 0x55555555);
    s = now();
    s.effective = BIT(CAP_CHOWN);
    OK(set(s));
    CHECK_EQ(now().effective, BIT(CAP_CHOWN));
    CHECK_EQ(now().permitted, ALL);
    s.permitted = BIT(CAP_CHOWN) | BIT(CAP_KILL);
    OK(set(s));
    s.permitted = ALL;
    ERR(set(s), EPERM);
    s.permitted = BIT(CAP_CHOWN);
    s.effective = BIT(CAP_KILL);
    ERR(set(s), EPERM);
    h = (struct __user_cap_header_struct){_LINUX_CAPABILITY_VERSION_3, getppid()};
    ERR(syscall(SYS_capset, &h, d), EPERM);
}

CASE(caps, user_ids)
{
    CHILD(OK(setresuid(-1, 1000, -1)); CHECK_EQ(now().effective, 0); CHECK_EQ(now().permitted, ALL);
          OK(setresuid(-1, 0, -1)); CHECK_EQ(now().effective, ALL));
    CHILD(OK(setresuid(1000, 1000, 1000)); CHECK_EQ(now().effective, 0); CHECK_EQ(now().permitted, 0);
          ERR(setuid(0), EPERM));
    CHILD(OK(prctl(PR_SET_KEEPCAPS, 1)); OK(setresuid(1000, 1000, 1000)); CHECK_EQ(now().effective, 0);
          CHECK_EQ(now().permitted, ALL);
          OK(set((struct sets){BIT(CAP_SETUID), ALL, 0})); OK(setuid(0)));
    CHILD(OK(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)); OK(setresuid(1000, 1000, 1000));
          CHECK_EQ(now().effective, ALL));
    syscall(SYS_setfsuid, 1000);
    CHECK_EQ(now().effective & BIT(CAP_DAC_OVERRIDE), 0);
    CHECK(now().effective & BIT(CAP_KILL));
    syscall(SYS_setfsuid, 0);
    CHECK_EQ(now().effective, ALL);
}

CASE(caps, are_checked)
{
    pid_t other = xfork();
    if (other == 0) {
        OK(setresuid(1234, 1234, 1234));
        for (;;)
            pause();
    }
    while (true) {
        struct sets s;
        OK(get(other, &s));
        if (s.permitted == 0)
            break;
        sleep_ms(1);
    }
    CHILD(without(CAP_KILL); ERR(kill(other, 0), EPERM));
    CHILD(without(CAP_SETUID); ERR(setuid(5), EPERM); ERR(setresuid(5, 5, 5), EPERM); ERR(setreuid(5, 5), EPERM);
          OK(setuid(0)));
    CHILD(without(CAP_SETGID); ERR(setgid(5), EPERM); gid_t g = 5; ERR(setgroups(1, &g), EPERM); OK(setuid(5)));
    CHILD(without(CAP_SYS_CHROOT); ERR(chroot("/"), EPERM));
    CHILD(without(CAP_SYS_ADMIN); ERR(mount("none", "/tmp", "tmpfs", 0, NULL), EPERM);
          ERR(sethostname("x", 1), EPERM); ERR(setdomainname("x", 1), EPERM));
    CHILD(without(CAP_SYS_TIME); struct timespec t; clock_gettime(CLOCK_REALTIME, &t);
          ERR(clock_settime(CLOCK_REALTIME, &t), EPERM));
    CHILD(without(CAP_SYS_RESOURCE); struct rlimit r; OK(getrlimit(RLIMIT_NPROC, &r)); r.rlim_max = 5; r.rlim_cur = 5;
          OK(setrlimit(RLIMIT_NPROC, &r)); r.rlim_max = 6; ERR(setrlimit(RLIMIT_NPROC, &r), EPERM);
          ERR(prlimit(other, RLIMIT_CORE, NULL, &r), EPERM));
    CHILD(put_file("f", "", 0, 0600); without(CAP_CHOWN); ERR(chown("f", 5, 5), EPERM));
    CHILD(put_file("g", "", 0, 0000); OK(open("g", O_RDONLY)); without(CAP_DAC_OVERRIDE);
          int fd = OK(open("g", O_RDONLY)); (void)fd; without(CAP_DAC_READ_SEARCH); ERR(open("g", O_RDONLY), EACCES));
    CHILD(without(CAP_MKNOD); ERR(mknod("n", S_IFCHR | 0600, 0x103), EPERM));
    CHILD(without(CAP_SYS_BOOT); ERR(syscall(SYS_reboot, 0xfee1dead, 672274793, 0x89abcdef, 0), EPERM));
    kill(other, SIGKILL);
    child_killed(other, SIGKILL);
}

CASE(caps, bounding_and_ambient)
{
    CHECK_EQ(prctl(PR_CAPBSET_READ, CAP_KILL), 1);
    ERR(prctl(PR_CAPBSET_READ, 41), EINVAL);
    ERR(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0), EPERM);
    struct sets s = now();
    s.inheritable = BIT(CAP_KILL);
    OK(set(s));
    CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0), 0);
    OK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
    CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0), 1);
    CHILD(s.inheritable = 0; OK(set(s)); CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0), 0));
    OK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_KILL, 0, 0));
    CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0), 0);
    OK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
    ERR(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 1, 0, 0), EINVAL);
    ERR(prctl(PR_CAP_AMBIENT, 9, CAP_KILL, 0, 0), EINVAL);
    ERR(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 41, 0, 0), EINVAL);
    OK(prctl(PR_CAPBSET_DROP, CAP_KILL));
    CHECK_EQ(prctl(PR_CAPBSET_READ, CAP_KILL), 0);
    ERR(prctl(PR_CAPBSET_DROP, 41), EINVAL);
    s.inheritable = BIT(CAP_KILL);
    OK(set(s));
    s.inheritable = 0;
    OK(set(s));
    s.inheritable = BIT(CAP_KILL);
    ERR(set(s), EPERM);
    without(CAP_SETPCAP);
    ERR(prctl(PR_CAPBSET_DROP, CAP_CHOWN), EPERM);
}

CASE(caps, securebits)
{
    CHECK_EQ(prctl(PR_GET_SECUREBITS), 0);
    CHILD(OK(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED));
          CHECK_EQ(prctl(PR_GET_SECUREBITS), SECBIT_NOROOT | SECBIT_NOROOT_LOCKED);
          ERR(prctl(PR_SET_SECUREBITS, 0), EPERM));
    ERR(prctl(PR_SET_SECUREBITS, 0x100), EPERM);
    CHILD(OK(prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS_LOCKED)); ERR(prctl(PR_SET_KEEPCAPS, 1), EPERM));
    CHILD(without(CAP_SETPCAP); ERR(prctl(PR_SET_SECUREBITS, 1), EPERM));
    CHECK_EQ(prctl(PR_GET_KEEPCAPS), 0);
    OK(prctl(PR_SET_KEEPCAPS, 1));
    CHECK_EQ(prctl(PR_GET_KEEPCAPS), 1);
    CHECK_EQ(prctl(PR_GET_SECUREBITS), SECBIT_KEEP_CAPS);
    ERR(prctl(PR_SET_KEEPCAPS, 2), EINVAL);
}

CASE(caps, prctl_values)
{
    int n = -1;
    OK(prctl(PR_SET_PDEATHSIG, SIGUSR1));
    OK(prctl(PR_GET_PDEATHSIG, &n));
    CHECK_EQ(n, SIGUSR1);
    ERR(prctl(PR_SET_PDEATHSIG, 65), EINVAL);
    ERR(prctl(PR_GET_PDEATHSIG, 16), EFAULT);
    CHILD(int m = -1; OK(prctl(PR_GET_PDEATHSIG, &m)); CHECK_EQ(m, 0));
    CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
    OK(prctl(PR_SET_DUMPABLE, 0));
    CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
    ERR(prctl(PR_SET_DUMPABLE, 2), EINVAL);
    CHECK_EQ(prctl(PR_GET_TIMERSLACK), 50000);
    OK(prctl(PR_SET_TIMERSLACK, 70000));
    CHECK_EQ(prctl(PR_GET_TIMERSLACK), 70000);
    CHILD(CHECK_EQ(prctl(PR_GET_TIMERSLACK), 70000); OK(prctl(PR_SET_TIMERSLACK, 5)); OK(prctl(PR_SET_TIMERSLACK, 0));
          CHECK_EQ(prctl(PR_GET_TIMERSLACK), 70000));
    OK(prctl(PR_SET_TIMERSLACK, 0));
    CHECK_EQ(prctl(PR_GET_TIMERSLACK), 50000);
    ERR(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
    ERR(prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0), EINVAL);
    CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
    OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
    CHILD(CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1));
    ERR(prctl(PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0), EINVAL);
    CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 0);
    OK(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
    CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
    CHECK_EQ(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0), PR_MCE_KILL_DEFAULT);
    OK(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0));
    CHECK_EQ(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0), PR_MCE_KILL_EARLY);
    OK(prctl(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 0, 0, 0));
    ERR(prctl(PR_MCE_KILL, 9, 0, 0, 0), EINVAL);
    CHECK_EQ(prctl(PR_GET_TIMING), 0);
    ERR(prctl(PR_SET_TIMING, 1), EINVAL);
    CHECK_EQ(prctl(PR_GET_SECCOMP), 0);
    void *tid = NULL;
    OK(prctl(PR_GET_TID_ADDRESS, &tid));
    CHECK(tid != NULL);
    ERR(prctl(9999), EINVAL);
    ERR(prctl(PR_GET_FPEMU, &n), EINVAL);
    ERR(prctl(PR_GET_TSC, &n), EINVAL);
    ERR(prctl(PR_SET_TAGGED_ADDR_CTRL, ~0UL, 0, 0, 0), EINVAL);
    ERR(prctl(51, 0, 0, 0, 0), EINVAL); /* PR_SVE_GET_VL: no SVE */
    ERR(prctl(54, 0, 0, 0, 0), EINVAL); /* PR_PAC_RESET_KEYS: no pointer authentication */
}

CASE(caps, changing_ids_hides_the_process)
{
    OK(prctl(PR_SET_PDEATHSIG, SIGUSR1));
    OK(setresuid(1000, 1000, 1000));
    int n = -1;
    OK(prctl(PR_GET_PDEATHSIG, &n));
    CHECK_EQ(n, 0);
    CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
}

CASE(caps, parent_death_signal)
{
    volatile int *p = shared_page();
    pid_t pid = xfork();
    if (pid == 0) {
        if (xfork() == 0) {
            sigset_t set;
            sigemptyset(&set);
            sigaddset(&set, SIGUSR2);
            sigprocmask(SIG_BLOCK, &set, NULL);
            OK(prctl(PR_SET_PDEATHSIG, SIGUSR2));
            p[0] = 1;
            struct timespec t = {5, 0};
            p[1] = sigtimedwait(&set, NULL, &t);
            _exit(0);
        }
        await(&p[0]);
        _exit(0);
    }
    child_ok(pid);
    await(&p[1]);
    CHECK_EQ(p[1], SIGUSR2);
}

CASE(caps, personality)
{
    CHECK_EQ(personality(0xffffffff), 0);
    CHECK_EQ(personality(ADDR_NO_RANDOMIZE), 0);
    CHECK_EQ(personality(0xffffffff), ADDR_NO_RANDOMIZE);
    CHILD(CHECK_EQ(personality(0xffffffff), ADDR_NO_RANDOMIZE));
    CHECK_EQ(personality(PER_LINUX), ADDR_NO_RANDOMIZE);
}
