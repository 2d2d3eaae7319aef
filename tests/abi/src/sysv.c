/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * System V shared memory, semaphores, message queues.
 */
#include "abi.h"
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

union semun {
    int val;
    struct semid_ds *buf;
    unsigned short *array;
    struct seminfo *info;
};

static void as_user(void)
{
    OK(setresgid(1000, 1000, 1000));
    OK(setresuid(1000, 1000, 1000));
}

CASE(sysv, shm_life)
{
    ERR(shmget(0x1234567, 100, 0), ENOENT);
    ERR(shmget(IPC_PRIVATE, 0, 0600), EINVAL);
    int id = OK(shmget(0x1234567, 3 * PAGE - 5, IPC_CREAT | 0600));
    CHECK_EQ(OK(shmget(0x1234567, 0, 0)), id);
    ERR(shmget(0x1234567, 3 * PAGE, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
    ERR(shmget(0x1234567, 4 * PAGE, 0), EINVAL);
    struct shmid_ds ds;
    OK(shmctl(id, IPC_STAT, &ds));
    CHECK_EQ(ds.shm_segsz, 3 * PAGE - 5);
    CHECK_EQ(ds.shm_nattch, 0);
    CHECK_EQ(ds.shm_cpid, getpid());
    CHECK_EQ(ds.shm_perm.mode, 0600);
    CHECK_EQ(ds.shm_perm.__key, 0x1234567);
    CHECK(ds.shm_ctime > 0 && ds.shm_atime == 0);
    volatile char *a = shmat(id, NULL, 0);
    CHECK(a != (void *)-1);
    volatile char *b = shmat(id, NULL, SHM_RDONLY);
    CHECK(b != (void *)-1 && a != b);
    a[5000] = 7;
    CHECK_EQ(b[5000], 7);
    CHECK_EQ(b[0], 0);
    DIES(SIGSEGV, ((volatile char *)b)[1] = 1);
    OK(shmctl(id, IPC_STAT, &ds));
    CHECK_EQ(ds.shm_nattch, 2);
    CHECK(ds.shm_lpid > 0);
    CHECK(ds.shm_atime > 0);
    pid_t pid = xfork();
    if (pid == 0) {
        CHECK_EQ(a[5000], 7);
        a[5001] = 8;
        OK(shmctl(id, IPC_STAT, &ds));
        CHECK_EQ(ds.shm_nattch, 4);
        _exit(0);
    }
    child_ok(pid);
    CHECK_EQ(b[5001], 8);
    OK(shmdt((void *)b));
    ERR(shmdt((void *)b), EINVAL);
    ERR(shmdt((char *)a + 1), EINVAL);
    OK(shmctl(id, IPC_RMID, NULL));
    ERR(shmget(0x1234567, 0, 0), ENOENT);
    OK(shmctl(id, IPC_STAT, &ds));
    CHECK(ds.shm_perm.mode & SHM_DEST);
    CHECK_EQ(ds.shm_nattch, 1);
    CHECK_EQ(a[5001], 8);
    b = shmat(id, NULL, 0);
    CHECK(b != (void *)-1);
    CHECK_EQ(b[5001], 8);
    OK(shmdt((void *)b));
    OK(shmdt((void *)a));
    ERR(shmctl(id, IPC_STAT, &ds), EINVAL);
    ERR(shmat(id, NULL, 0) == (void *)-1 ? -1 : 0, EINVAL);
}

CASE(sysv, shm_addresses)
{
    int id = OK(shmget(IPC_PRIVATE, 2 * PAGE, 0600));
    char *area = MAP_OK(mmap(NULL, 8 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ERR((long)shmat(id, area, 0), EINVAL);
    CHECK(shmat(id, area, SHM_REMAP) == area);
    area[PAGE] = 3;
    ERR((long)shmat(id, NULL, SHM_REMAP), EINVAL);
    OK(munmap(area + 4 * PAGE, 2 * PAGE));
    ERR((long)shmat(id, area + 4 * PAGE + 100, 0), EINVAL);
    CHECK(shmat(id, area + 4 * PAGE + 100, SHM_RND) == area + 4 * PAGE);
    CHECK_EQ(area[5 * PAGE], 3);
    struct shmid_ds ds;
    OK(shmctl(id, IPC_STAT, &ds));
    CHECK_EQ(ds.shm_nattch, 2);
    OK(shmdt(area + 4 * PAGE));
    /* a part that was unmapped by other means does not matter */
    OK(munmap(area + PAGE, PAGE));
    OK(shmdt(area));
    OK(shmctl(id, IPC_STAT, &ds));
    CHECK_EQ(ds.shm_nattch, 0);
    OK(shmctl(id, IPC_RMID, NULL));
    ERR((long)shmat(-1, NULL, 0), EINVAL);
}

CASE(sysv, permissions)
{
    int id = OK(shmget(IPC_PRIVATE, PAGE, 0640));
    int key_id = OK(shmget(0x777, PAGE, IPC_CREAT | 0600));
    int sem = OK(semget(IPC_PRIVATE, 1, 0600));
    int msg = OK(msgget(IPC_PRIVATE, 0600));
    pid_t pid = xfork();
    if (pid == 0) {
        as_user();
        struct shmid_ds ds;
        ERR((long)shmat(id, NULL, SHM_RDONLY), EACCES);
        ERR(shmctl(id, IPC_STAT, &ds), EACCES);
        ERR(shmctl(id, IPC_RMID, NULL), EPERM);
        memset(&ds, 0, sizeof ds);
        ERR(shmctl(id, IPC_SET, &ds), EPERM);
        ERR(shmget(0x777, PAGE, 0400), EACCES);
        CHECK_EQ(OK(shmget(0x777, PAGE, 0)), key_id);
        struct sembuf op = {0, 1, 0};
        ERR(semop(sem, &op, 1), EACCES);
        ERR(semctl(sem, 0, GETVAL), EACCES);
        ERR(semctl(sem, 0, SETVAL, 1), EACCES);
        ERR(semctl(sem, 0, IPC_RMID), EPERM);
        long m[2] = {1, 0};
        ERR(msgsnd(msg, m, 8, 0), EACCES);
        ERR(msgrcv(msg, m, 8, 0, IPC_NOWAIT), EACCES);
        ERR(msgctl(msg, IPC_RMID, NULL), EPERM);
        _exit(0);
    }
    child_ok(pid);
    struct shmid_ds ds;
    OK(shmctl(id, IPC_STAT, &ds));
    ds.shm_perm.uid = 1000;
    ds.shm_perm.mode = 0400;
    OK(shmctl(id, IPC_SET, &ds));
    pid = xfork();
    if (pid == 0) {
        as_user();
        CHECK(shmat(id, NULL, SHM_RDONLY) != (void *)-1);
        ERR((long)shmat(id, NULL, 0), EACCES);
        OK(shmctl(id, IPC_RMID, NULL));
        _exit(0);
    }
    child_ok(pid);
    OK(shmctl(key_id, IPC_RMID, NULL));
    OK(semctl(sem, 0, IPC_RMID));
    OK(msgctl(msg, IPC_RMID, NULL));
}

CASE(sysv, shm_info_and_proc)
{
    struct shminfo limits;
    OK(shmctl(0, IPC_INFO, (void *)&limits));
    CHECK_EQ(limits.shmmin, 1);
    CHECK(limits.shmmni >= 4096);
    int id = OK(shmget(0xabc123, 2 * PAGE, IPC_CREAT | 0604));
    struct shm_info info;
    int top = OK(shmctl(0, SHM_INFO, (void *)&info));
    CHECK(info.used_ids >= 1 && info.shm_tot >= 2);
    struct shmid_ds ds;
    bool seen = false;
    for (int i = 0; i <= top; i++)
        seen = seen || shmctl(i, SHM_STAT, &ds) == id;
    CHECK(seen);
    char *list = get_file("/proc/sysvipc/shm", NULL), want[64];
    snprintf(want, sizeof want, "%10d %10d   604", 0xabc123, id);
    CHECK(strstr(list, want) != NULL);
    volatile char *a = shmat(id, NULL, 0);
    a[0] = 1;
    char *maps = get_file("/proc/self/maps", NULL);
    CHECK(strstr(maps, "/SYSV00abc123 (deleted)") != NULL);
    OK(shmctl(id, SHM_LOCK, NULL));
    OK(shmctl(id, SHM_UNLOCK, NULL));
    OK(shmctl(id, IPC_RMID, NULL));
    ERR(shmctl(id, 99, &ds), EINVAL);
    ERR(shmctl(-1, IPC_STAT, &ds), EINVAL);
}

CASE(sysv, sem_values)
{
    ERR(semget(0x2345, 1, 0), ENOENT);
    ERR(semget(IPC_PRIVATE, 0, 0600), EINVAL);
    ERR(semget(IPC_PRIVATE, 32001, 0600), EINVAL);
    int id = OK(semget(0x2345, 3, IPC_CREAT | 0600));
    ERR(semget(0x2345, 4, 0), EINVAL);
    CHECK_EQ(OK(semget(0x2345, 0, 0)), id);
    unsigned short values[3] = {1, 2, 3};
    OK(semctl(id, 0, SETALL, (union semun){.array = values}));
    OK(semctl(id, 1, SETVAL, (union semun){.val = 9}));
    memset(values, 0, sizeof values);
    OK(semctl(id, 0, GETALL, (union semun){.array = values}));
    CHECK(values[0] == 1 && values[1] == 9 && values[2] == 3);
    CHECK_EQ(semctl(id, 1, GETVAL), 9);
    CHECK_EQ(semctl(id, 1, GETPID), getpid());
    ERR(semctl(id, 3, GETVAL), EINVAL);
    ERR(semctl(id, 0, SETVAL, (union semun){.val = 32768}), ERANGE);
    ERR(semctl(id, 0, SETVAL, (union semun){.val = -1}), ERANGE);
    ERR(semctl(id, 0, GETALL, (union semun){.array = (void *)16}), EFAULT);
    struct semid_ds ds;
    OK(semctl(id, 0, IPC_STAT, (union semun){.buf = &ds}));
    CHECK_EQ(ds.sem_nsems, 3);
    CHECK(ds.sem_ctime > 0 && ds.sem_otime == 0);
    struct sembuf all[2] = {{0, -1, 0}, {2, 5, 0}};
    OK(semop(id, all, 2));
    CHECK_EQ(semctl(id, 0, GETVAL), 0);
    CHECK_EQ(semctl(id, 2, GETVAL), 8);
    OK(semctl(id, 0, IPC_STAT, (union semun){.buf = &ds}));
    CHECK(ds.sem_otime > 0);
    struct sembuf none[2] = {{2, -1, IPC_NOWAIT}, {0, -1, IPC_NOWAIT}};
    ERR(semop(id, none, 2), EAGAIN);
    CHECK_EQ(semctl(id, 2, GETVAL), 8);
    struct sembuf far = {3, 1, 0}, much = {1, 32767, 0};
    ERR(semop(id, &far, 1), EFBIG);
    ERR(semop(id, &much, 1), ERANGE);
    ERR(semop(id, &far, 0), EINVAL);
    ERR(semop(id, (void *)16, 1), EFAULT);
    static struct sembuf many[501];
    ERR(semop(id, many, 501), E2BIG);
    ERR(semop(-1, &far, 1), EINVAL);
    struct seminfo info;
    OK(semctl(0, 0, IPC_INFO, (union semun){.info = &info}));
    CHECK_EQ(info.semvmx, 32767);
    CHECK_EQ(info.semopm, 500);
    char *list = get_file("/proc/sysvipc/sem", NULL), want[64];
    snprintf(want, sizeof want, "%10d %10d   600          3", 0x2345, id);
    CHECK(strstr(list, want) != NULL);
    OK(semctl(id, 0, IPC_RMID));
    ERR(semctl(id, 0, GETVAL), EINVAL);
    ERR(semop(id, all, 1), EINVAL);
}

static void nothing(int sig)
{
    (void)sig;
}

CASE(sysv, sem_waits)
{
    int id = OK(semget(IPC_PRIVATE, 2, 0600));
    OK(semctl(id, 0, SETVAL, (union semun){.val = 0}));
    struct sembuf down = {0, -2, 0}, up = {0, 1, 0}, zero = {0, 0, 0};
    pid_t pid = xfork();
    if (pid == 0) {
        OK(semop(id, &down, 1));
        _exit(0);
    }
    for (int i = 0; i < 3000 && semctl(id, 0, GETNCNT) != 1; i++)
        sleep_ms(1);
    CHECK_EQ(semctl(id, 0, GETNCNT), 1);
    OK(semop(id, &up, 1));
    sleep_ms(20);
    CHECK_EQ(semctl(id, 0, GETVAL), 1);
    OK(semop(id, &up, 1));
    child_ok(pid);
    CHECK_EQ(semctl(id, 0, GETVAL), 0);
    CHECK_EQ(semctl(id, 0, GETNCNT), 0);
    OK(semop(id, &up, 1));
    pid = xfork();
    if (pid == 0) {
        OK(semop(id, &zero, 1));
        _exit(0);
    }
    for (int i = 0; i < 3000 && semctl(id, 0, GETZCNT) != 1; i++)
        sleep_ms(1);
    CHECK_EQ(semctl(id, 0, GETZCNT), 1);
    struct sembuf one = {0, -1, 0};
    OK(semop(id, &one, 1));
    child_ok(pid);
    struct timespec t = {0, 30000000};
    int64_t before = now_ms();
    ERR(semtimedop(id, &one, 1, &t), EAGAIN);
    CHECK(now_ms() - before >= 29);
    t.tv_nsec = -1;
    ERR(semtimedop(id, &one, 1, &t), EINVAL);
    on_signal(SIGUSR1, nothing, SA_RESTART);
    pid_t me = getpid();
    pid = xfork();
    if (pid == 0) {
        sleep_ms(30);
        kill(me, SIGUSR1);
        _exit(0);
    }
    ERR(semop(id, &one, 1), EINTR);
    child_ok(pid);
    pid = xfork();
    if (pid == 0) {
        ERR(semop(id, &one, 1), EIDRM);
        _exit(0);
    }
    for (int i = 0; i < 3000 && semctl(id, 0, GETNCNT) != 1; i++)
        sleep_ms(1);
    OK(semctl(id, 0, IPC_RMID));
    child_ok(pid);
}

CASE(sysv, sem_undo)
{
    int id = OK(semget(IPC_PRIVATE, 2, 0600));
    OK(semctl(id, 0, SETVAL, (union semun){.val = 5}));
    pid_t pid = xfork();
    if (pid == 0) {
        struct sembuf ops[2] = {{0, -3, SEM_UNDO}, {1, 2, SEM_UNDO}};
        OK(semop(id, ops, 2));
        CHECK_EQ(semctl(id, 0, GETVAL), 2);
        if (xfork() == 0)
            _exit(0); /* undoes nothing of its parent's */
        wait(NULL);
        CHECK_EQ(semctl(id, 0, GETVAL), 2);
        pause();
    }
    for (int i = 0; i < 3000 && semctl(id, 1, GETVAL) != 2; i++)
        sleep_ms(1);
    sleep_ms(20);
    pid_t waiter = xfork();
    if (waiter == 0) {
        struct sembuf op = {0, -5, 0};
        OK(semop(id, &op, 1));
        _exit(0);
    }
    sleep_ms(20);
    kill(pid, SIGKILL);
    child_killed(pid, SIGKILL);
    child_ok(waiter);
    CHECK_EQ(semctl(id, 0, GETVAL), 0);
    CHECK_EQ(semctl(id, 1, GETVAL), 0);
    OK(semctl(id, 0, IPC_RMID));
}

struct message {
    long type;
    char text[8200];
};

CASE(sysv, msg)
{
    static struct message m;
    ERR(msgget(0x3456, 0), ENOENT);
    int id = OK(msgget(0x3456, IPC_CREAT | 0600));
    ERR(msgget(0x3456, IPC_CREAT | IPC_EXCL), EEXIST);
    for (int i = 0; i < 4; i++) {
        m.type = 4 - i % 3;
        snprintf(m.text, sizeof m.text, "m%d", i);
        OK(msgsnd(id, &m, 3, 0));
    }
    struct msqid_ds ds;
    OK(msgctl(id, IPC_STAT, &ds));
    CHECK_EQ(ds.msg_qnum, 4);
    CHECK_EQ(ds.__msg_cbytes, 12);
    CHECK_EQ(ds.msg_qbytes, 16384);
    CHECK_EQ(ds.msg_lspid, getpid());
    CHECK_EQ(OK(msgrcv(id, &m, sizeof m.text, 3, 0)), 3);
    CHECK(strcmp(m.text, "m1") == 0 && m.type == 3);
    CHECK_EQ(OK(msgrcv(id, &m, sizeof m.text, -3, 0)), 3);
    CHECK(strcmp(m.text, "m2") == 0 && m.type == 2);
    ERR(msgrcv(id, &m, sizeof m.text, -3, IPC_NOWAIT), ENOMSG);
    ERR(msgrcv(id, &m, 2, 0, 0), E2BIG);
    CHECK_EQ(OK(msgrcv(id, &m, sizeof m.text, 1, MSG_COPY | IPC_NOWAIT)), 3);
    CHECK(strcmp(m.text, "m3") == 0);
    CHECK_EQ(OK(msgrcv(id, &m, 2, 0, MSG_NOERROR)), 2);
    CHECK_EQ(OK(msgrcv(id, &m, sizeof m.text, 5, MSG_EXCEPT)), 3);
    CHECK(strcmp(m.text, "m3") == 0);
    ERR(msgrcv(id, &m, sizeof m.text, 0, IPC_NOWAIT), ENOMSG);
    m.type = 0;
    ERR(msgsnd(id, &m, 1, 0), EINVAL);
    m.type = 1;
    ERR(msgsnd(id, &m, 8193, 0), EINVAL);
    ERR(msgsnd(id, (void *)16, 1, 0), EFAULT);
    OK(msgsnd(id, &m, 8192, 0));
    OK(msgsnd(id, &m, 8192, 0));
    ERR(msgsnd(id, &m, 1, IPC_NOWAIT), EAGAIN);
    OK(msgsnd(id, &m, 0, IPC_NOWAIT));
    pid_t pid = xfork();
    if (pid == 0) {
        m.type = 7;
        OK(msgsnd(id, &m, 8192, 0));
        _exit(0);
    }
    sleep_ms(30);
    CHECK_EQ(OK(msgrcv(id, &m, sizeof m.text, 0, 0)), 8192);
    child_ok(pid);
    CHECK_EQ(OK(msgrcv(id, &m, sizeof m.text, 7, 0)), 8192);
    OK(msgctl(id, IPC_STAT, &ds));
    ds.msg_qbytes = 100;
    OK(msgctl(id, IPC_SET, &ds));
    m.type = 1;
    ERR(msgsnd(id, &m, 10, IPC_NOWAIT), EAGAIN);
    CHILD(as_user(); ds.msg_qbytes = 1 << 20; ERR(msgctl(id, IPC_SET, &ds), EPERM));
    char *list = get_file("/proc/sysvipc/msg", NULL), want[64];
    snprintf(want, sizeof want, "%10d %10d   600  ", 0x3456, id);
    CHECK(strstr(list, want) != NULL);
    OK(msgctl(id, IPC_RMID, NULL));
    ERR(msgctl(id, IPC_STAT, &ds), EINVAL);
}

CASE(sysv, msg_waits)
{
    struct message m = {.type = 1};
    int id = OK(msgget(IPC_PRIVATE, 0600));
    pid_t pid = xfork();
    if (pid == 0) {
        CHECK_EQ(OK(msgrcv(id, &m, 10, 5, 0)), 4);
        CHECK(memcmp(m.text, "five", 4) == 0);
        ERR(msgrcv(id, &m, 10, 5, 0), EIDRM);
        _exit(0);
    }
    sleep_ms(30);
    OK(msgsnd(id, &m, 1, 0));
    m.type = 5;
    memcpy(m.text, "five", 4);
    OK(msgsnd(id, &m, 4, 0));
    sleep_ms(50);
    OK(msgctl(id, IPC_RMID, NULL));
    child_ok(pid);
    id = OK(msgget(IPC_PRIVATE, 0600));
    on_signal(SIGUSR1, nothing, SA_RESTART);
    pid_t me = getpid();
    pid = xfork();
    if (pid == 0) {
        sleep_ms(30);
        kill(me, SIGUSR1);
        _exit(0);
    }
    ERR(msgrcv(id, &m, 10, 0, 0), EINTR);
    child_ok(pid);
    OK(msgctl(id, IPC_RMID, NULL));
}
