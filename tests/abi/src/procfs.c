/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * /proc and /sys: proc(5), sysfs(5).
 */
#include "abi.h"

#include <dirent.h>
#include <elf.h>
#include <sys/auxv.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/prctl.h>

CASE(procfs, names_can_be_written) {
    int fd = OK(open("/proc/self/comm", O_WRONLY));
    OK(write(fd, "a-name-that-is-too-long", 23));
    OK(close(fd));
    char name[17] = "";
    OK(prctl(PR_GET_NAME, name));
    CHECK(strcmp(name, "a-name-that-is-") == 0);
    CHECK(strcmp(get_file("/proc/self/comm", NULL), "a-name-that-is-\n") == 0);
    put_file("/proc/self/comm", "short", 5, 0);
    OK(prctl(PR_GET_NAME, name));
    CHECK(strcmp(name, "short") == 0);
    CHECK(strstr(get_file("/proc/self/stat", NULL), "(short)") != NULL);
    pid_t parent = getpid();
    CHILD({
        char path[64];
        sprintf(path, "/proc/%d/comm", parent);
        int other = OK(open(path, O_WRONLY));
        ERR(write(other, "x", 1), EINVAL);
    });
}

CASE(procfs, oom_score_adj) {
    CHECK(strcmp(get_file("/proc/self/oom_score_adj", NULL), "0\n") == 0);
    put_file("/proc/self/oom_score_adj", "300\n", 4, 0);
    CHECK(strcmp(get_file("/proc/self/oom_score_adj", NULL), "300\n") == 0);
    CHILD(CHECK(strcmp(get_file("/proc/self/oom_score_adj", NULL), "300\n") == 0));
    int fd = OK(open("/proc/self/oom_score_adj", O_RDWR));
    ERR(write(fd, "1001", 4), EINVAL);
    ERR(write(fd, "x", 1), EINVAL);
    OK(write(fd, "-5", 2));
    CHECK(strcmp(get_file("/proc/self/oom_score_adj", NULL), "-5\n") == 0);
}

CASE(procfs, auxiliary_vector) {
    size_t len = 0;
    char *text = get_file("/proc/self/auxv", &len);
    CHECK(len >= 4 * 16 && len % 16 == 0);
    Elf64_auxv_t *a = (void *)text;
    bool page = false;
    size_t n = len / sizeof *a;
    for (size_t i = 0; i < n; i++) {
        if (a[i].a_type == AT_PAGESZ) {
            CHECK_EQ(a[i].a_un.a_val, PAGE);
            page = true;
        }
        if (a[i].a_type == AT_ENTRY)
            CHECK_EQ(a[i].a_un.a_val, getauxval(AT_ENTRY));
    }
    CHECK(page);
    CHECK_EQ(a[n - 1].a_type, AT_NULL);
}

CASE(procfs, namespaces_and_maps_of_ids) {
    const char *names[] = {"mnt", "pid", "net", "uts", "ipc", "user", "cgroup"};
    for (size_t i = 0; i < COUNT(names); i++) {
        char path[64], text[64] = "", want[16];
        sprintf(path, "/proc/self/ns/%s", names[i]);
        OK(readlink(path, text, sizeof text - 1));
        sprintf(want, "%s:[", names[i]);
        CHECK(strncmp(text, want, strlen(want)) == 0);
    }
    unsigned first, second, count;
    CHECK_EQ(sscanf(get_file("/proc/self/uid_map", NULL), "%u %u %u", &first, &second, &count), 3);
    CHECK(first == 0 && second == 0 && count == 4294967295u);
    CHECK(strcmp(get_file("/proc/self/loginuid", NULL), "4294967295") == 0);
}

CASE(procfs, what_was_read_and_written) {
    unsigned long long before = 0, after = 0;
    char *text = get_file("/proc/self/io", NULL);
    CHECK_EQ(sscanf(strstr(text, "wchar:"), "wchar: %llu", &before), 1);
    put_file("f", "0123456789", 10, 0644);
    text = get_file("/proc/self/io", NULL);
    CHECK_EQ(sscanf(strstr(text, "wchar:"), "wchar: %llu", &after), 1);
    CHECK(after >= before + 10);
}

CASE(procfs, descriptors_tell) {
    int e = OK(eventfd(7, 0)), i = OK(inotify_init1(0));
    OK(inotify_add_watch(i, ".", IN_CREATE));
    char path[64];
    sprintf(path, "/proc/self/fdinfo/%d", e);
    CHECK(strstr(get_file(path, NULL), "eventfd-count:                7\n") != NULL);
    sprintf(path, "/proc/self/fdinfo/%d", i);
    CHECK(strstr(get_file(path, NULL), "inotify wd:1 ino:") != NULL);
    char link[64] = "";
    sprintf(path, "/proc/self/fd/%d", i);
    OK(readlink(path, link, sizeof link - 1));
    CHECK(strcmp(link, "anon_inode:inotify") == 0);
}

CASE(procfs, status_has_all_fields) {
    static const char *const fields[] = {
        "Name", "Umask", "State", "Tgid", "Ngid", "Pid", "PPid", "TracerPid", "Uid", "Gid", "FDSize", "Groups", "NStgid",
        "NSpid", "NSpgid", "NSsid", "VmPeak", "VmSize", "VmLck", "VmPin", "VmHWM", "VmRSS", "RssAnon", "RssFile", "RssShmem",
        "VmData", "VmStk", "VmExe", "VmLib", "VmPTE", "VmSwap", "HugetlbPages", "CoreDumping", "THP_enabled", "Threads",
        "SigQ", "SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb",
        "NoNewPrivs", "Seccomp", "Seccomp_filters", "Cpus_allowed", "Cpus_allowed_list", "Mems_allowed",
        "Mems_allowed_list", "voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"};
    char *text = get_file("/proc/self/status", NULL);
    for (size_t i = 0; i < COUNT(fields); i++) {
        char want[40];
        sprintf(want, "%s%s:", i ? "\n" : "", fields[i]);
        if (strstr(text, want) == NULL)
            FAIL("no field %s", fields[i]);
    }
}

CASE(procfs, files_that_runtimes_read) {
    static const char *const paths[] = {
        "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/uptime", "/proc/loadavg", "/proc/version",
        "/proc/filesystems", "/proc/mounts", "/proc/devices", "/proc/interrupts", "/proc/cmdline",
        "/proc/swaps", "/proc/self/maps", "/proc/self/smaps", "/proc/self/limits", "/proc/self/mountinfo",
        "/proc/self/wchan", "/proc/self/oom_score", "/proc/self/schedstat", "/proc/thread-self/stat",
        "/proc/sys/kernel/osrelease", "/proc/sys/kernel/pid_max", "/proc/sys/kernel/random/boot_id",
        "/proc/sys/kernel/pty/max", "/proc/sys/vm/overcommit_memory", "/proc/sys/fs/file-max", "/proc/sys/fs/nr_open",
        "/proc/sys/fs/inotify/max_user_watches", "/proc/sys/fs/protected_symlinks", "/proc/sys/net/core/somaxconn",
        "/sys/devices/system/cpu/online", "/sys/devices/system/cpu/possible", "/sys/devices/system/cpu/present"};
    for (size_t i = 0; i < COUNT(paths); i++) {
        size_t len = 0;
        get_file(paths[i], &len);
        if (len == 0)
            FAIL("%s is empty", paths[i]);
    }
    CHECK(strcmp(get_file("/sys/devices/system/cpu/online", NULL), "0\n") == 0);
    int fd = open("/sys/devices/system/cpu/online", O_WRONLY);
    CHECK(fd == -1 ? errno == EACCES : write(fd, "1", 1) == -1);
    OK(access("/sys/devices/system/cpu/cpu0", F_OK));
    OK(access("/sys/fs/cgroup", F_OK));
    ERR(mkdir("/sys/x", 0755), EPERM);
    ERR(open("/sys/none", O_RDONLY), ENOENT);
    DIR *d = opendir("/sys");
    CHECK(d != NULL);
    int entries = 0;
    while (readdir(d))
        entries++;
    closedir(d);
    CHECK(entries >= 5);
}

CASE(procfs, children) {
    pid_t pid = xfork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    char path[64], want[16];
    sprintf(path, "/proc/self/task/%d/children", getpid());
    sprintf(want, "%d ", pid);
    CHECK(strcmp(get_file(path, NULL), want) == 0);
    OK(kill(pid, SIGKILL));
    child_killed(pid, SIGKILL);
    CHECK(strcmp(get_file(path, NULL), "") == 0);
}
