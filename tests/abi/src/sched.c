/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Scheduling calls: whom they are about.
 */
#include "abi.h"

/* The calls of affinity take no notice of the sign of a process id, the others do. */
CASE(sched, no_such_process)
{
    unsigned long mask[16] = {0};
    long size = syscall(SYS_sched_getaffinity, 0, sizeof(mask), mask);
    CHECK(size >= 8);
    ERR(syscall(SYS_sched_getaffinity, -1, sizeof(mask), mask), ESRCH);
    ERR(syscall(SYS_sched_getaffinity, -1, 3, mask), EINVAL);
    ERR(syscall(SYS_sched_setaffinity, -1, size, mask), ESRCH);
    ERR(syscall(SYS_sched_setaffinity, -1, size, (void *)8), EFAULT);
    unsigned long none[16] = {0};
    ERR(syscall(SYS_sched_setaffinity, 0, size, none), EINVAL);
    ERR(syscall(SYS_sched_getscheduler, -1), EINVAL);
    ERR(syscall(SYS_sched_getscheduler, 0x3ffffff), ESRCH);
}
