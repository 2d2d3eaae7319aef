/* What else a C library makes of the kernel's interface: memory, names, files, timers, queues. */
#include "ctests.h"
#include <aio.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <iconv.h>
#include <langinfo.h>
#include <locale.h>
#include <mqueue.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <wchar.h>
#include <wordexp.h>

CASE(allocator)
{
    enum { COUNT = 500 };
    static unsigned char *blocks[COUNT];
    static size_t sizes[COUNT];
    unsigned seed = 1;
    for (int i = 0; i < 20000; i++) {
        seed = seed * 1103515245 + 12345;
        int slot = seed / 65536 % COUNT;
        size_t size = seed % 97 == 0 ? 300000 : seed / 7 % 3000 + 1;
        if (blocks[slot] && (blocks[slot][0] != slot % 251 || blocks[slot][sizes[slot] - 1] != slot % 251))
            CHECK(!"the block holds something else");
        blocks[slot] = realloc(blocks[slot], size);
        CHECK(blocks[slot] != 0);
        sizes[slot] = size;
        blocks[slot][0] = blocks[slot][size - 1] = slot % 251;
    }
    void *aligned;
    EQUAL(posix_memalign(&aligned, 1 << 20, 100), 0);
    EQUAL((long)aligned % (1 << 20), 0);
    CHECK(malloc((size_t)1 << 60) == 0);
    EQUAL(errno, ENOMEM);
}

/* Machine code made at run time, written again and again at the same place. */
CASE(code_made_at_run_time)
{
    unsigned *code = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(code != MAP_FAILED);
    for (unsigned i = 0; i < 1000; i++) {
        code[0] = 0x52800000 | i << 5; /* mov w0, #i */
        code[1] = 0xd65f03c0;          /* ret */
        __builtin___clear_cache((char *)code, (char *)(code + 2));
        EQUAL(((int (*)(void))code)(), i);
    }
    /* Written, then made executable. */
    unsigned *other = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    other[0] = 0x52800000 | 77 << 5;
    other[1] = 0xd65f03c0;
    EQUAL(mprotect(other, 4096, PROT_READ | PROT_EXEC), 0);
    __builtin___clear_cache((char *)other, (char *)(other + 2));
    EQUAL(((int (*)(void))other)(), 77);
}

CASE(names_and_addresses)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
    EQUAL(getaddrinfo("127.0.0.1", "80", &hints, &found), 0);
    EQUAL(((struct sockaddr_in *)found->ai_addr)->sin_port, htons(80));
    freeaddrinfo(found);
    struct passwd *user = getpwuid(0);
    CHECK(user != 0);
    SAME(user->pw_name, "root");
    SAME(user->pw_dir, "/root");
    user = getpwnam("nobody-of-that-name");
    CHECK(user == 0);
    struct group *group = getgrgid(0);
    CHECK(group != 0);
    SAME(group->gr_name, "root");
    struct utsname names;
    EQUAL(uname(&names), 0);
    SAME(names.sysname, "Linux");
    SAME(names.machine, "aarch64");
    char host[65];
    EQUAL(gethostname(host, sizeof host), 0);
    SAME(host, names.nodename);
    struct in6_addr six;
    EQUAL(inet_pton(AF_INET6, "fe80::1", &six), 1);
}

CASE(host_of_the_hosts_file)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
    EQUAL(getaddrinfo("localhost", 0, &hints, &found), 0);
    EQUAL(((struct sockaddr_in *)found->ai_addr)->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    freeaddrinfo(found);
}

CASE(locale_and_wide_characters)
{
    CHECK(setlocale(LC_ALL, "C") != 0);
    CHECK(nl_langinfo(CODESET) != 0);
    wchar_t wide[10];
    EQUAL(mbstowcs(wide, "plain", 10), 5);
    EQUAL(wcscmp(wide, L"plain"), 0);
    struct tm when = {.tm_year = 100, .tm_mon = 1, .tm_mday = 29};
    char text[40];
    CHECK(strftime(text, sizeof text, "%A %d %B %Y", &when) > 0);
    SAME(text, "Sunday 29 February 2000");
    char in[] = "\xc3\xa9\xe2\x82\xac", *from = in, *to = text;
    size_t left = 5, room = sizeof text;
    iconv_t converter = iconv_open("UCS-4LE", "UTF-8");
    CHECK(converter != (iconv_t)-1);
    EQUAL(iconv(converter, &from, &left, &to, &room), 0);
    EQUAL(memcmp(text, "\xe9\0\0\0\xac\x20\0\0", 8), 0);
    EQUAL(iconv_close(converter), 0);
    setenv("TZ", "EST5EDT,M3.2.0,M11.1.0", 1);
    tzset();
    time_t summer = 1720000000;
    CHECK(strftime(text, sizeof text, "%Y-%m-%d %H:%M %Z", localtime(&summer)) > 0);
    SAME(text, "2024-07-03 05:46 EDT");
}

static int walked;
static int walk(const char *path, const struct stat *data, int kind, struct FTW *at)
{
    (void)path, (void)data, (void)kind, (void)at;
    walked++;
    return 0;
}

CASE(folders)
{
    glob_t matches;
    wordexp_t words;
    EQUAL(mkdir("d", 0755), 0);
    for (int i = 0; i < 30; i++) {
        char name[20];
        sprintf(name, "d/file%02d", i);
        EQUAL(close(open(name, O_CREAT | O_WRONLY, 0644)), 0);
    }
    EQUAL(glob("d/file0*", 0, 0, &matches), 0);
    EQUAL(matches.gl_pathc, 10);
    SAME(matches.gl_pathv[9], "d/file09");
    EQUAL(nftw("d", walk, 10, FTW_PHYS), 0);
    EQUAL(walked, 31);
    struct dirent **list;
    EQUAL(scandir("d", &list, 0, alphasort), 32);
    SAME(list[31]->d_name, "file29");
    EQUAL(wordexp("~/x $((6*7)) 'a b'", &words, 0), 0);
    EQUAL(words.we_wordc, 3);
    SAME(words.we_wordv[1], "42");
    char path[4096], *real = realpath("d/../d/./file05", path);
    CHECK(real != 0);
    SAME(strrchr(path, '/'), "/file05");
    DIR *folder = opendir("d");
    long place = 0;
    for (int i = 0; i < 12; i++) {
        place = telldir(folder);
        CHECK(readdir(folder) != 0);
    }
    seekdir(folder, place);
    CHECK(readdir(folder) != 0);
    rewinddir(folder);
    int count = 0;
    while (readdir(folder))
        count++;
    EQUAL(count, 32);
    closedir(folder);
}

CASE(streams)
{
    char text[200];
    FILE *file = fopen("f", "w+");
    for (int i = 0; i < 3000; i++)
        fprintf(file, "line %d\n", i);
    EQUAL(fseek(file, 0, SEEK_SET), 0);
    for (int i = 0; i < 3000; i++) {
        int n = -1;
        EQUAL(fscanf(file, "line %d\n", &n), 1);
        EQUAL(n, i);
    }
    EQUAL(ftruncate(fileno(file), 10), 0);
    rewind(file);
    EQUAL(fread(text, 1, 100, file), 10);
    EQUAL(feof(file) != 0, 1);
    fclose(file);
    file = tmpfile();
    CHECK(file != 0);
    fputs("temporary", file);
    fclose(file);
    char *memory;
    size_t size;
    file = open_memstream(&memory, &size);
    fprintf(file, "%s", "in memory");
    fclose(file);
    SAME(memory, "in memory");
    char *line = 0;
    size_t room = 0;
    file = fopen("/proc/self/status", "r");
    CHECK(file && getline(&line, &room, file) > 0);
    CHECK(!strncmp(line, "Name:\t", 6));
    fclose(file);
    CHECK(fopen("/no/such/file", "r") == 0);
    EQUAL(errno, ENOENT);
    SAME(strerror(errno), "No such file or directory");
}

static volatile int expired, value_seen;
static void on_timer(union sigval value)
{
    value_seen = value.sival_int;
    __atomic_add_fetch(&expired, 1, __ATOMIC_SEQ_CST);
}

/* The library runs the function in a thread of its own. */
CASE(timers_with_threads)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_timer, .sigev_value = {.sival_int = 31}};
    struct itimerspec often = {{0, 10000000}, {0, 10000000}};
    EQUAL(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    EQUAL(timer_settime(timer, 0, &often, 0), 0);
    for (int i = 0; i < 1000 && expired < 5; i++)
        usleep(10000);
    CHECK(expired >= 5);
    EQUAL(value_seen, 31);
    EQUAL(timer_delete(timer), 0);
}

/* glibc and musl do asynchronous input and output by threads. */
CASE(asynchronous_io)
{
    static char out[4][1000], in[4][1000];
    struct aiocb requests[4], *list[4];
    int fd = open("f", O_RDWR | O_CREAT, 0600);
    for (int i = 0; i < 4; i++) {
        memset(out[i], 'a' + i, sizeof out[i]);
        memset(&requests[i], 0, sizeof requests[i]);
        requests[i].aio_fildes = fd;
        requests[i].aio_buf = out[i];
        requests[i].aio_nbytes = sizeof out[i];
        requests[i].aio_offset = i * 1000;
        EQUAL(aio_write(&requests[i]), 0);
        list[i] = &requests[i];
    }
    for (int i = 0; i < 4; i++) {
        while (aio_error(&requests[i]) == EINPROGRESS)
            aio_suspend((const struct aiocb *const *)&list[i], 1, 0);
        EQUAL(aio_return(&requests[i]), 1000);
        requests[i].aio_buf = in[i];
        requests[i].aio_lio_opcode = LIO_READ;
    }
    EQUAL(lio_listio(LIO_WAIT, list, 4, 0), 0);
    for (int i = 0; i < 4; i++)
        EQUAL(memcmp(in[i], out[i], 1000), 0);
    EQUAL(lseek(fd, 0, SEEK_END), 4000);
}

CASE(named_semaphores)
{
    sem_t *it = sem_open("/ctests-sem", O_CREAT | O_EXCL, 0600, 0);
    CHECK(it != SEM_FAILED);
    CHECK(sem_open("/ctests-sem", O_CREAT | O_EXCL, 0600, 0) == SEM_FAILED);
    EQUAL(errno, EEXIST);
    if (!fork()) {
        sem_t *same = sem_open("/ctests-sem", 0);
        usleep(20000);
        sem_post(same);
        _exit(0);
    }
    EQUAL(sem_wait(it), 0);
    EQUAL(sem_trywait(it), -1);
    EQUAL(errno, EAGAIN);
    wait(0);
    EQUAL(sem_unlink("/ctests-sem"), 0);
    EQUAL(sem_close(it), 0);
}

CASE(shared_memory)
{
    int fd = shm_open("/ctests-shm", O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK(fd >= 0);
    EQUAL(ftruncate(fd, 100000), 0);
    volatile int *shared = mmap(0, 100000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(shared != MAP_FAILED);
    if (!fork()) {
        int again = shm_open("/ctests-shm", O_RDWR, 0);
        volatile int *other = mmap(0, 100000, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0);
        other[20000] = other[10] + 1;
        _exit(0);
    }
    wait(0);
    EQUAL(shared[20000], 1);
    EQUAL(shm_unlink("/ctests-shm"), 0);
    EQUAL(shm_open("/ctests-shm", O_RDWR, 0), -1);
}

CASE(message_queues)
{
    struct mq_attr attributes = {.mq_maxmsg = 4, .mq_msgsize = 64};
    char text[64];
    unsigned priority;
    mqd_t queue = mq_open("/ctests-mq", O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
    CHECK(queue >= 0);
    EQUAL(mq_send(queue, "low", 4, 1), 0);
    EQUAL(mq_send(queue, "high", 5, 9), 0);
    EQUAL(mq_receive(queue, text, sizeof text, &priority), 5);
    SAME(text, "high");
    EQUAL(priority, 9);
    EQUAL(mq_receive(queue, text, sizeof text, &priority), 4);
    if (!fork()) {
        usleep(20000);
        mq_send(queue, "late", 5, 0);
        _exit(0);
    }
    EQUAL(mq_receive(queue, text, sizeof text, &priority), 5);
    SAME(text, "late");
    wait(0);
    EQUAL(mq_unlink("/ctests-mq"), 0);
}

CASE(terminals)
{
    struct termios settings;
    char name[64], line[64];
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    CHECK(master >= 0);
    EQUAL(grantpt(master), 0);
    EQUAL(unlockpt(master), 0);
    EQUAL(ptsname_r(master, name, sizeof name), 0);
    int slave = open(name, O_RDWR | O_NOCTTY);
    CHECK(slave >= 0);
    EQUAL(isatty(slave), 1);
    EQUAL(ttyname_r(slave, line, sizeof line), 0);
    SAME(line, name);
    EQUAL(tcgetattr(slave, &settings), 0);
    EQUAL(write(master, "typed\n", 6), 6);
    EQUAL(read(slave, line, sizeof line), 6);
    settings.c_lflag &= ~(ICANON | ECHO);
    EQUAL(tcsetattr(slave, TCSANOW, &settings), 0);
    EQUAL(write(master, "r", 1), 1);
    EQUAL(read(slave, line, 1), 1);
    CHECK(getlogin() == 0);
    struct winsize size = {30, 90, 0, 0}, got;
    EQUAL(ioctl(master, TIOCSWINSZ, &size), 0);
    EQUAL(ioctl(slave, TIOCGWINSZ, &got), 0);
    EQUAL(got.ws_col, 90);
    EQUAL(isatty(open("/dev/null", O_RDWR)), 0);
}

CASE(system_values)
{
    EQUAL(sysconf(_SC_PAGESIZE), 4096);
    EQUAL(getauxval(AT_PAGESZ), 4096);
    CHECK(sysconf(_SC_NPROCESSORS_ONLN) >= 1);
    CHECK(sysconf(_SC_OPEN_MAX) >= 256);
    CHECK(sysconf(_SC_PHYS_PAGES) > 1000);
    CHECK(sysconf(_SC_CLK_TCK) == 100);
    EQUAL(getpagesize(), 4096);
    struct sysinfo info;
    EQUAL(sysinfo(&info), 0);
    CHECK(info.totalram >= info.freeram);
    struct statvfs fs;
    EQUAL(statvfs("/tmp", &fs), 0);
    CHECK(fs.f_bsize > 0);
    double load[3];
    EQUAL(getloadavg(load, 3), 3);
    CHECK(getauxval(AT_RANDOM) != 0);
    CHECK(getauxval(AT_EXECFN) != 0);
    unsigned char random[2][16];
    EQUAL(getentropy(random[0], 16), 0);
    EQUAL(getentropy(random[1], 16), 0);
    CHECK(memcmp(random[0], random[1], 16));
    struct rusage usage;
    EQUAL(getrusage(RUSAGE_SELF, &usage), 0);
    CHECK(clock() >= 0);
}

/* A server of epoll, sixteen clients. */
CASE(epoll_server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), poller = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    EQUAL(bind(listener, (void *)&address, sizeof address), 0);
    EQUAL(listen(listener, 16), 0);
    EQUAL(epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event), 0);
    for (int i = 0; i < 16; i++)
        if (!fork()) {
            char back[100];
            int fd = socket(AF_UNIX, SOCK_STREAM, 0);
            if (connect(fd, (void *)&address, sizeof address))
                _exit(1);
            for (int k = 0; k < 20; k++) {
                sprintf(back, "%d", k);
                if (write(fd, back, 4) != 4 || read(fd, back, 100) != 4 || atoi(back) != k)
                    _exit(2);
            }
            _exit(0);
        }
    int closed = 0;
    while (closed < 16) {
        struct epoll_event ready[8];
        int count = epoll_wait(poller, ready, 8, 10000);
        CHECK(count > 0);
        for (int i = 0; i < count; i++) {
            int fd = ready[i].data.fd;
            if (fd == listener) {
                int client = accept4(listener, 0, 0, SOCK_NONBLOCK);
                CHECK(client >= 0);
                struct epoll_event edge = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.fd = client};
                EQUAL(epoll_ctl(poller, EPOLL_CTL_ADD, client, &edge), 0);
                continue;
            }
            char block[64];
            ssize_t n;
            while ((n = read(fd, block, sizeof block)) > 0)
                EQUAL(write(fd, block, n), n);
            if (n == 0) {
                closed++;
                close(fd);
            }
        }
    }
    for (int i = 0; i < 16; i++) {
        int status;
        wait(&status);
        EQUAL(status, 0);
    }
}

CASE(several_processes_share_a_file)
{
    int fd = open("log", O_WRONLY | O_CREAT | O_APPEND, 0600);
    for (int i = 0; i < 8; i++)
        if (!fork()) {
            for (int k = 0; k < 50; k++)
                dprintf(fd, "%d %02d a line\n", i, k);
            _exit(0);
        }
    while (wait(0) > 0)
        ;
    struct stat data;
    EQUAL(fstat(fd, &data), 0);
    EQUAL(data.st_size, 8 * 50 * 12);
    /* lockf: a counter in a file, read and written by all. */
    int counter = open("counter", O_RDWR | O_CREAT, 0600);
    EQUAL(write(counter, "0000", 4), 4);
    for (int i = 0; i < 4; i++)
        if (!fork()) {
            int mine = open("counter", O_RDWR);
            for (int k = 0; k < 25; k++) {
                char text[16] = "";
                lseek(mine, 0, SEEK_SET);
                if (lockf(mine, F_LOCK, 4))
                    _exit(1);
                pread(mine, text, 4, 0);
                sched_yield();
                sprintf(text, "%04d", atoi(text) + 1);
                pwrite(mine, text, 4, 0);
                lockf(mine, F_ULOCK, 4);
            }
            _exit(0);
        }
    while (wait(0) > 0)
        ;
    char text[5] = "";
    EQUAL(pread(counter, text, 4, 0), 4);
    SAME(text, "0100");
}
