/* POSIX threads as the C library makes them of clone and futex. */
#include "ctests.h"
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define MANY 32

static pthread_t start(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    EQUAL(pthread_create(&thread, 0, body, argument), 0);
    return thread;
}

/* A bounded queue of two condition variables: four producers, four consumers. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t filled, drained;
    int items[8], count, next;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER, .drained = PTHREAD_COND_INITIALIZER};

static void put(int item)
{
    pthread_mutex_lock(&queue.lock);
    while (queue.count == 8)
        pthread_cond_wait(&queue.drained, &queue.lock);
    queue.items[(queue.next + queue.count++) % 8] = item;
    pthread_cond_signal(&queue.filled);
    pthread_mutex_unlock(&queue.lock);
}

static int take(void)
{
    pthread_mutex_lock(&queue.lock);
    while (!queue.count)
        pthread_cond_wait(&queue.filled, &queue.lock);
    int item = queue.items[queue.next];
    queue.next = (queue.next + 1) % 8;
    queue.count--;
    pthread_cond_signal(&queue.drained);
    pthread_mutex_unlock(&queue.lock);
    return item;
}

static void *produce(void *unused)
{
    for (int i = 1; i <= 500; i++)
        put(i);
    return unused;
}

static void *consume(void *unused)
{
    (void)unused;
    long sum = 0;
    for (int item; (item = take()) > 0;)
        sum += item;
    return (void *)sum;
}

CASE(condition_variables)
{
    pthread_t producers[4], consumers[4];
    long sum = 0;
    for (int i = 0; i < 4; i++) {
        producers[i] = start(produce, 0);
        consumers[i] = start(consume, 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(producers[i], 0);
    for (int i = 0; i < 4; i++)
        put(0);
    for (int i = 0; i < 4; i++) {
        void *part;
        pthread_join(consumers[i], &part);
        sum += (long)part;
    }
    EQUAL(sum, 4 * 500 * 501 / 2);
}

CASE(condition_timed_out)
{
    pthread_condattr_t attributes;
    pthread_cond_t never;
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct timespec until;
    EQUAL(pthread_condattr_init(&attributes), 0);
    EQUAL(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC), 0);
    EQUAL(pthread_cond_init(&never, &attributes), 0);
    long long before = ct_ms();
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += 50000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&lock);
    EQUAL(pthread_cond_timedwait(&never, &lock, &until), ETIMEDOUT);
    CHECK(ct_ms() - before >= 50);
    clock_gettime(CLOCK_REALTIME, &until);
    EQUAL(pthread_mutex_timedlock(&lock, &until), ETIMEDOUT);
}

static pthread_cond_t gate = PTHREAD_COND_INITIALIZER;
static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static int waiting, open_gate;

static void *through_the_gate(void *unused)
{
    pthread_mutex_lock(&gate_lock);
    waiting++;
    while (!open_gate)
        pthread_cond_wait(&gate, &gate_lock);
    waiting--;
    pthread_mutex_unlock(&gate_lock);
    return unused;
}

CASE(condition_broadcast)
{
    pthread_t threads[MANY];
    for (int i = 0; i < MANY; i++)
        threads[i] = start(through_the_gate, 0);
    for (int seen = 0; seen < MANY;) {
        pthread_mutex_lock(&gate_lock);
        seen = waiting;
        if (seen == MANY)
            open_gate = 1;
        pthread_mutex_unlock(&gate_lock);
        usleep(1000);
    }
    pthread_cond_broadcast(&gate);
    for (int i = 0; i < MANY; i++)
        pthread_join(threads[i], 0);
    EQUAL(waiting, 0);
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static long pair[2];

static void *reads_and_writes(void *argument)
{
    for (int i = 0; i < 400; i++) {
        if (i % 4 == (long)argument % 4) {
            pthread_rwlock_wrlock(&rwlock);
            pair[0]++;
            if (i % 16 == 0)
                sched_yield();
            pair[1]++;
            pthread_rwlock_unlock(&rwlock);
        } else {
            pthread_rwlock_rdlock(&rwlock);
            if (pair[0] != pair[1])
                return (void *)1;
            pthread_rwlock_unlock(&rwlock);
        }
    }
    return 0;
}

CASE(read_write_locks)
{
    pthread_t threads[8];
    for (long i = 0; i < 8; i++)
        threads[i] = start(reads_and_writes, (void *)i);
    for (int i = 0; i < 8; i++) {
        void *torn;
        pthread_join(threads[i], &torn);
        EQUAL((long)torn, 0);
    }
    EQUAL(pair[0], 800);
    EQUAL(pthread_rwlock_rdlock(&rwlock), 0);
    EQUAL(pthread_rwlock_trywrlock(&rwlock), EBUSY);
}

static pthread_barrier_t barrier;
static int rounds[8], serial;

static void *in_step(void *argument)
{
    long me = (long)argument;
    for (int round = 0; round < 50; round++) {
        rounds[me] = round;
        if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
            serial++;
        for (int i = 0; i < 8; i++)
            if (rounds[i] != round)
                return (void *)1;
        pthread_barrier_wait(&barrier);
    }
    return 0;
}

CASE(barriers)
{
    pthread_t threads[8];
    EQUAL(pthread_barrier_init(&barrier, 0, 8), 0);
    for (long i = 0; i < 8; i++)
        threads[i] = start(in_step, (void *)i);
    for (int i = 0; i < 8; i++) {
        void *out_of_step;
        pthread_join(threads[i], &out_of_step);
        EQUAL((long)out_of_step, 0);
    }
    EQUAL(serial, 50);
    EQUAL(pthread_barrier_destroy(&barrier), 0);
}

static pthread_mutex_t *robust;

static void *dies_holding(void *unused)
{
    pthread_mutex_lock(robust);
    return unused;
}

/* The owner of a robust mutex ends, once a thread and once a process: the next one is told. */
CASE(robust_mutexes)
{
    pthread_mutexattr_t attributes;
    robust = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_init(&attributes);
    EQUAL(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST), 0);
    EQUAL(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED), 0);
    EQUAL(pthread_mutex_init(robust, &attributes), 0);
    pthread_join(start(dies_holding, 0), 0);
    EQUAL(pthread_mutex_lock(robust), EOWNERDEAD);
    EQUAL(pthread_mutex_consistent(robust), 0);
    EQUAL(pthread_mutex_unlock(robust), 0);
    int status;
    pid_t child = fork();
    if (!child) {
        pthread_mutex_lock(robust);
        kill(getpid(), SIGKILL);
    }
    /* Meanwhile the parent waits for the mutex or finds it left. */
    waitpid(child, &status, 0);
    EQUAL(pthread_mutex_lock(robust), EOWNERDEAD);
    EQUAL(pthread_mutex_unlock(robust), 0);
    EQUAL(pthread_mutex_lock(robust), ENOTRECOVERABLE);
}

/* Two processes count under a mutex and a condition variable in shared memory. */
CASE(shared_between_processes)
{
    struct shared {
        pthread_mutex_t lock;
        pthread_cond_t turn;
        int count;
    } *it = mmap(0, sizeof *it, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t mutex;
    pthread_condattr_t condition;
    pthread_mutexattr_init(&mutex);
    pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
    pthread_condattr_init(&condition);
    pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED);
    EQUAL(pthread_mutex_init(&it->lock, &mutex), 0);
    EQUAL(pthread_cond_init(&it->turn, &condition), 0);
    pid_t child = fork();
    for (int i = 0; i < 200; i++) {
        pthread_mutex_lock(&it->lock);
        while (it->count % 2 != !child)
            pthread_cond_wait(&it->turn, &it->lock);
        it->count++;
        pthread_cond_signal(&it->turn);
        pthread_mutex_unlock(&it->lock);
    }
    if (!child)
        _exit(0);
    waitpid(child, 0, 0);
    EQUAL(it->count, 400);
}

static __thread int mine = 17;
static __thread char big[20000];
static pthread_key_t key;
static int destroyed;

static void destructor(void *value)
{
    if (*(int *)value == 99)
        __atomic_add_fetch(&destroyed, 1, __ATOMIC_SEQ_CST);
    free(value);
}

static void *has_its_own(void *argument)
{
    int *value = malloc(sizeof *value);
    if (mine != 17 || big[19999] != 0 || errno == 4242)
        return (void *)1;
    mine = (int)(long)argument;
    big[19999] = (char)(long)argument;
    errno = 4242;
    *value = 99;
    pthread_setspecific(key, value);
    for (int i = 0; i < 20; i++)
        sched_yield();
    return (void *)(long)(mine != (int)(long)argument || big[19999] != (char)(long)argument || errno != 4242);
}

CASE(thread_local_storage)
{
    pthread_t threads[MANY];
    EQUAL(pthread_key_create(&key, destructor), 0);
    for (long i = 0; i < MANY; i++)
        threads[i] = start(has_its_own, (void *)(i + 1000));
    for (int i = 0; i < MANY; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        EQUAL((long)wrong, 0);
    }
    EQUAL(destroyed, MANY);
    EQUAL(mine, 17);
}

static int cleaned;

static void clean(void *by)
{
    cleaned += *(int *)by;
}

static void *sleeps(void *unused)
{
    int by = 5;
    pthread_cleanup_push(clean, &by);
    sleep(50);
    pthread_cleanup_pop(0);
    return unused;
}

static void *computes(void *unused)
{
    static volatile long count;
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, 0);
    while (count >= 0)
        count = (count + 1) & 0xffff;
    return unused;
}

static void *reads_a_pipe(void *fd)
{
    char byte;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, 0);
    usleep(20000);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, 0);
    CHECK(read(*(int *)fd, &byte, 1) != 1);
    return 0;
}

CASE(cancelling)
{
    void *end;
    int fds[2];
    EQUAL(pipe(fds), 0);
    pthread_t sleeper = start(sleeps, 0), computer = start(computes, 0), reader = start(reads_a_pipe, fds);
    usleep(10000);
    EQUAL(pthread_cancel(sleeper), 0);
    EQUAL(pthread_cancel(computer), 0);
    EQUAL(pthread_cancel(reader), 0);
    EQUAL(pthread_join(sleeper, &end), 0);
    CHECK(end == PTHREAD_CANCELED);
    EQUAL(cleaned, 5);
    EQUAL(pthread_join(computer, &end), 0);
    CHECK(end == PTHREAD_CANCELED);
    EQUAL(pthread_join(reader, &end), 0);
    CHECK(end == PTHREAD_CANCELED);
}

static int forks_prepared, forks_in_parent, forks_in_child;
static void prepare(void) { forks_prepared++; }
static void in_parent(void) { forks_in_parent++; }
static void in_child(void) { forks_in_child++; }

static volatile int stop_allocating;

static void *allocates(void *unused)
{
    while (!stop_allocating) {
        void *block = malloc(100 + rand() % 10000);
        free(block);
    }
    return unused;
}

/* fork while other threads hold the allocator's locks: the child may allocate, start threads, and has one thread. */
CASE(fork_in_threads)
{
    pthread_t threads[4];
    pthread_atfork(prepare, in_parent, in_child);
    for (int i = 0; i < 4; i++)
        threads[i] = start(allocates, 0);
    for (int i = 0; i < 25; i++) {
        int status;
        pid_t child = fork();
        if (!child) {
            void *block = malloc(50000);
            if (!block || forks_in_child != 1)
                _exit(1);
            pthread_t thread;
            stop_allocating = 1;
            if (pthread_create(&thread, 0, allocates, 0) || pthread_join(thread, 0))
                _exit(2);
            _exit(77);
        }
        EQUAL(waitpid(child, &status, 0), child);
        EQUAL(status, 77 << 8);
    }
    stop_allocating = 1;
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], 0);
    EQUAL(forks_prepared, 25);
    EQUAL(forks_in_parent, 25);
    EQUAL(forks_in_child, 0);
}

static volatile sig_atomic_t handled_by;

static void note_thread(int signal)
{
    (void)signal;
    handled_by = gettid();
}

static void *waits_for_signal(void *out)
{
    *(volatile pid_t *)out = gettid();
    for (int i = 0; i < 2000 && !handled_by; i++)
        usleep(1000);
    return 0;
}

CASE(signals_to_threads)
{
    volatile pid_t tid = 0;
    struct sigaction action = {.sa_handler = note_thread};
    sigaction(SIGUSR1, &action, 0);
    pthread_t thread = start(waits_for_signal, (void *)&tid);
    while (!tid)
        usleep(1000);
    EQUAL(pthread_kill(thread, SIGUSR1), 0);
    pthread_join(thread, 0);
    EQUAL(handled_by, tid);
    /* Blocked here, a signal to the process goes to the other thread. */
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    handled_by = 0;
    tid = 0;
    thread = start(waits_for_signal, (void *)&tid);
    pthread_sigmask(SIG_BLOCK, &set, 0);
    while (!tid)
        usleep(1000);
    EQUAL(kill(getpid(), SIGUSR1), 0);
    pthread_join(thread, 0);
    EQUAL(handled_by, tid);
}

static sem_t done;
static void *posts(void *unused)
{
    sem_post(&done);
    return unused;
}

CASE(detached_and_small_stacks)
{
    pthread_attr_t attributes;
    EQUAL(sem_init(&done, 0, 0), 0);
    pthread_attr_init(&attributes);
    EQUAL(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED), 0);
    EQUAL(pthread_attr_setstacksize(&attributes, 128 * 1024), 0);
    for (int i = 0; i < 300; i++) {
        pthread_t thread;
        EQUAL(pthread_create(&thread, &attributes, posts, 0), 0);
        EQUAL(sem_wait(&done), 0);
    }
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int initialised;
static void initialise(void)
{
    usleep(5000);
    initialised++;
}
static void *does_once(void *unused)
{
    pthread_once(&once, initialise);
    return unused ? unused : (void *)(long)(initialised != 1);
}

CASE(once)
{
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        threads[i] = start(does_once, 0);
    for (int i = 0; i < 8; i++) {
        void *early;
        pthread_join(threads[i], &early);
        EQUAL((long)early, 0);
    }
}

CASE(main_thread_ends_first)
{
    int status;
    pid_t child = fork();
    if (!child) {
        start(sleeps, 0);
        alarm(0);
        pthread_exit(0);
    }
    usleep(30000);
    EQUAL(waitpid(child, &status, WNOHANG), 0);
    EQUAL(kill(child, SIGTERM), 0);
    EQUAL(waitpid(child, &status, 0), child);
    EQUAL(WTERMSIG(status), SIGTERM);
}

CASE(thread_attributes)
{
    pthread_attr_t attributes;
    void *address;
    size_t size;
    char name[16], here;
    EQUAL(pthread_getattr_np(pthread_self(), &attributes), 0);
    EQUAL(pthread_attr_getstack(&attributes, &address, &size), 0);
    CHECK((char *)address < &here && &here < (char *)address + size);
    EQUAL(pthread_setname_np(pthread_self(), "a-name"), 0);
    EQUAL(pthread_getname_np(pthread_self(), name, sizeof name), 0);
    SAME(name, "a-name");
}
