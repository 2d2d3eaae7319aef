/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Calls of administrators' programs: mounts, roots, names, clocks, limits, priorities.
 */
#include "abi.h"
#include <linux/reboot.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/utsname.h>

CASE(admin, mount_and_umount)
{
    if (geteuid() != 0)
        SKIP("not root");
    OK(mkdir("m", 0755));
    put_file("m/below", "x", 1, 0644);
    OK(mount("none", "m", "tmpfs", 0, "size=1m"));
    ERR(access("m/below", F_OK), ENOENT);
    put_file("m/above", "y", 1, 0644);
    int fd = OK(open("m/above", O_RDONLY));
    ERR(umount2("m", 0), EBUSY);
    OK(close(fd));
    ERR(umount2("m", 0x10000), EINVAL);
    OK(umount2("m", 0));
    OK(access("m/below", F_OK));
    ERR(access("m/above", F_OK), ENOENT);
    ERR(umount2("m", 0), EINVAL);
    ERR(umount2("no", 0), ENOENT);
    ERR(mount("none", "no", "tmpfs", 0, NULL), ENOENT);
    ERR(mount("none", "m/below", "tmpfs", 0, NULL), ENOTDIR);
    ERR(mount("none", "m", "nosuchfs", 0, NULL), ENODEV);
    ERR(mount("none", "m", (char *)8, 0, NULL), EFAULT);
}

CASE(admin, mount_needs_privilege)
{
    if (geteuid() != 0)
        SKIP("not root");
    OK(mkdir("m", 0777));
    CHILD({
        OK(setuid(1000));
        ERR(mount("none", "m", "tmpfs", 0, NULL), EPERM);
        ERR(umount2("m", 0), EPERM);
        ERR(chroot("m"), EPERM);
        ERR(sethostname("x", 1), EPERM);
        ERR(setdomainname("x", 1), EPERM);
        struct timeval tv = {1700000000, 0};
        ERR(settimeofday(&tv, NULL), EPERM);
    });
}

CASE(admin, bind_mount)
{
    if (geteuid() != 0)
        SKIP("not root");
    OK(mkdir("from", 0755));
    OK(mkdir("to", 0755));
    put_file("from/file", "abc", 3, 0644);
    OK(mount("from", "to", NULL, MS_BIND, NULL));
    struct stat a, b;
    OK(stat("from/file", &a));
    OK(stat("to/file", &b));
    CHECK(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
    ERR(link("from/file", "to/other"), EXDEV);
    OK(umount2("to", MNT_DETACH));
    ERR(stat("to/file", &b), ENOENT);
}

CASE(admin, chroot)
{
    if (geteuid() != 0)
        SKIP("not root");
    OK(mkdir("root", 0755));
    OK(mkdir("root/in", 0755));
    put_file("root/file", "abc", 3, 0644);
    ERR(chroot("none"), ENOENT);
    ERR(chroot("root/file"), ENOTDIR);
    ERR(chroot((char *)8), EFAULT);
    CHILD({
        OK(chroot("root"));
        OK(chdir("/"));
        OK(access("/file", F_OK));
        OK(access("/../../file", F_OK));
        ERR(access("/bin", F_OK), ENOENT);
        char path[64];
        OK(syscall(SYS_getcwd, path, sizeof path));
        CHECK(strcmp(path, "/") == 0);
    });
}

CASE(admin, domain_name)
{
    if (geteuid() != 0)
        SKIP("not root");
    struct utsname before, after;
    OK(uname(&before));
    OK(setdomainname("tested", 6));
    OK(uname(&after));
    OK(setdomainname(before.domainname, strlen(before.domainname)));
    CHECK(strcmp(after.domainname, "tested") == 0);
    ERR(setdomainname("x", 65), EINVAL);
    ERR(setdomainname((char *)8, 4), EFAULT);
}

CASE(admin, set_time_of_day)
{
    if (geteuid() != 0)
        SKIP("not root");
    struct timeval tv, now;
    OK(gettimeofday(&tv, NULL));
    tv.tv_sec += 1000;
    OK(settimeofday(&tv, NULL));
    OK(gettimeofday(&now, NULL));
    tv.tv_sec -= 1000;
    OK(settimeofday(&tv, NULL));
    CHECK(now.tv_sec >= tv.tv_sec + 1000 && now.tv_sec < tv.tv_sec + 1010);
    struct timeval bad = {0, 1000000};
    ERR(syscall(SYS_settimeofday, &bad, NULL), EINVAL);
    ERR(syscall(SYS_settimeofday, 8, NULL), EFAULT);
}

CASE(admin, adjtimex_reads)
{
    struct timex t = {0};
    long state = OK(syscall(SYS_adjtimex, &t));
    CHECK(state >= TIME_OK && state <= TIME_ERROR);
    CHECK(t.tick > 9000 && t.tick < 11000);
    memset(&t, 0, sizeof t);
    OK(syscall(SYS_clock_adjtime, CLOCK_REALTIME, &t));
    ERR(syscall(SYS_adjtimex, 8), EFAULT);
    ERR(syscall(SYS_clock_adjtime, CLOCK_REALTIME, 8), EFAULT);
    ERR(syscall(SYS_clock_adjtime, 99, &t), EINVAL);
    t.modes = ADJ_FREQUENCY;
    if (geteuid() == 0) {
        CHILD({
            OK(setuid(1000));
            ERR(syscall(SYS_adjtimex, &t), EPERM);
        });
    }
}

CASE(admin, setrlimit_call)
{
    struct rlimit old, set, got;
    OK(syscall(SYS_getrlimit, RLIMIT_CORE, &old));
    set.rlim_cur = 0;
    set.rlim_max = old.rlim_max;
    OK(syscall(SYS_setrlimit, RLIMIT_CORE, &set));
    OK(syscall(SYS_getrlimit, RLIMIT_CORE, &got));
    CHECK(got.rlim_cur == 0 && got.rlim_max == old.rlim_max);
    set.rlim_cur = 2;
    set.rlim_max = 1;
    ERR(syscall(SYS_setrlimit, RLIMIT_CORE, &set), EINVAL);
    ERR(syscall(SYS_setrlimit, 99, &got), EINVAL);
    ERR(syscall(SYS_setrlimit, RLIMIT_CORE, 8), EFAULT);
    ERR(syscall(SYS_getrlimit, RLIMIT_CORE, 8), EFAULT);
    CHILD({
        struct rlimit low = {64, 64}, high = {128, 128};
        if (geteuid() == 0)
            OK(setuid(1000));
        OK(syscall(SYS_setrlimit, RLIMIT_NOFILE, &low));
        ERR(syscall(SYS_setrlimit, RLIMIT_NOFILE, &high), EPERM);
    });
}

CASE(admin, io_priority)
{
    enum { WHO_PROCESS = 1, CLASS_BE = 2, CLASS_SHIFT = 13 };
    OK(syscall(SYS_ioprio_set, WHO_PROCESS, 0, CLASS_BE << CLASS_SHIFT | 6));
    CHECK_EQ(syscall(SYS_ioprio_get, WHO_PROCESS, 0), CLASS_BE << CLASS_SHIFT | 6);
    ERR(syscall(SYS_ioprio_set, WHO_PROCESS, 0, 7 << CLASS_SHIFT), EINVAL);
    ERR(syscall(SYS_ioprio_set, 9, 0, CLASS_BE << CLASS_SHIFT), EINVAL);
    ERR(syscall(SYS_ioprio_set, WHO_PROCESS, 0x3ffffff, CLASS_BE << CLASS_SHIFT), ESRCH);
}

CASE(admin, kernel_log)
{
    if (geteuid() != 0)
        SKIP("not root");
    int size = OK(klogctl(10, NULL, 0));
    CHECK(size >= 0);
    char line[256];
    CHECK(OK(klogctl(3, line, sizeof line)) <= (int)sizeof line);
    ERR(klogctl(99, NULL, 0), EINVAL);
    ERR(klogctl(3, NULL, 8), EINVAL);
    ERR(klogctl(3, line, -1), EINVAL);
}

/* The call that would end the machine is only made wrongly. */
CASE(admin, reboot_wants_its_magic_numbers)
{
    if (geteuid() != 0)
        SKIP("not root");
    ERR(syscall(SYS_reboot, 1, 2, LINUX_REBOOT_CMD_POWER_OFF, 0), EINVAL);
    ERR(syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, 3, LINUX_REBOOT_CMD_POWER_OFF, 0), EINVAL);
    ERR(syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, 0x12345, 0), EINVAL);
    OK(syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_CAD_OFF, 0));
    CHILD({
        OK(setuid(1000));
        ERR(syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_CAD_OFF, 0), EPERM);
    });
}

/* Without MS_BIND it is the file system that becomes read-only, whichever mount it is seen through. */
CASE(admin, read_only_file_system)
{
    if (geteuid() != 0)
        SKIP("not root");
    OK(mkdir("m", 0755));
    OK(mkdir("b", 0755));
    OK(mount("none", "m", "tmpfs", 0, NULL));
    OK(mount("m", "b", NULL, MS_BIND, NULL));
    OK(close(OK(open("m/f", O_CREAT | O_WRONLY, 0644))));
    OK(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
    ERR(open("b/f", O_WRONLY), EROFS);
    OK(close(OK(open("m/f", O_WRONLY))));
    OK(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL));
    ERR(open("m/f", O_WRONLY), EROFS);
    OK(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND, NULL));
    ERR(open("b/f", O_WRONLY), EROFS);
    ERR(unlink("b/f"), EROFS);
    struct statvfs v;
    OK(statvfs("b", &v));
    CHECK(v.f_flag & ST_RDONLY);
    OK(mount(NULL, "m", NULL, MS_REMOUNT, NULL));
    OK(close(OK(open("b/f", O_WRONLY))));
    OK(umount("b"));
    OK(umount("m"));
}
