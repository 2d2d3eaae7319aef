/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What is said of a process's memory, and of the limits of others.
 */
#include "abi.h"

#include <sys/resource.h>

static long resident_statm(void)
{
    long size, resident;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file && fscanf(file, "%ld %ld", &size, &resident) == 2);
    fclose(file);
    return resident;
}

static long resident_stat(void)
{
    char text[1024];
    FILE *file = fopen("/proc/self/stat", "r");
    CHECK(file && fgets(text, sizeof(text), file));
    fclose(file);
    char *at = strrchr(text, ')');
    /* The name is field 2; resident pages are field 24. */
    for (int field = 2; at && field < 24; field++)
        at = strchr(at + 1, ' ');
    CHECK(at);
    return atol(at);
}

static long resident_status(void)
{
    char text[256];
    long kib = -1;
    FILE *file = fopen("/proc/self/status", "r");
    CHECK(file);
    while (fgets(text, sizeof(text), file))
        sscanf(text, "VmRSS: %ld kB", &kib);
    fclose(file);
    return kib / 4;
}

/* statm and stat count pages, status KiB; touched memory shows in all of them. */
CASE(usage, resident_pages)
{
    long (*const tell[])(void) = {resident_statm, resident_stat, resident_status};
    long before[3];
    for (int i = 0; i < 3; i++) {
        before[i] = tell[i]();
        CHECK(before[i] > 5 && before[i] < 5000);
    }
    const long pages = 1000;
    char *memory = MAP_OK(mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    for (long i = 0; i < pages; i++)
        memory[i * PAGE] = 1;
    for (int i = 0; i < 3; i++) {
        long more = tell[i]() - before[i];
        /* Linux counts in batches of 64 pages for each processor. */
        if (more < pages - 100 || more > pages + 200)
            FAIL("file %d: %ld pages more, of %ld", i, more, pages);
    }
}

CASE(usage, limits_of_nobody)
{
    struct rlimit limit = {1000, 2000};
    ERR(prlimit(-1, RLIMIT_NOFILE, NULL, &limit), ESRCH);
    ERR(prlimit(-1, 99, NULL, &limit), ESRCH);
    ERR(prlimit(0, 99, NULL, &limit), EINVAL);
    ERR(syscall(SYS_prlimit64, -1, RLIMIT_NOFILE, (void *)8, NULL), EFAULT);
}
