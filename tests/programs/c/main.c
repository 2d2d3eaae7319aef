/* Runs the cases, each in a process of its own, one line a case. With arguments: the named ones, or all but those
   named with a minus before them. */
#include "ctests.h"
#include <libgen.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>

static struct ct_case *cases;

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct ct_case *const *)a)->name, (*(struct ct_case *const *)b)->name);
}

void ct_add(struct ct_case *it)
{
    it->next = cases;
    cases = it;
}

void ct_fail(const char *file, int line, const char *format, ...)
{
    const char *name = strrchr(file, '/');
    char text[400];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    dprintf(1, "  %s:%d: %s\n", name ? name + 1 : file, line, text);
    _exit(1);
}

long long ct_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static int run(const struct ct_case *it)
{
    fflush(0);
    pid_t pid = fork();
    if (pid == 0) {
        char folder[] = "/tmp/ctestsXXXXXX";
        if (!mkdtemp(folder) || chdir(folder))
            _exit(99);
        alarm(60);
        it->body();
        exit(0);
    }
    int status = -1;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        status = -1;
    if (status == 0)
        printf("ok %s\n", it->name);
    else if (WIFSIGNALED(status))
        printf("FAIL %s: signal %d\n", it->name, WTERMSIG(status));
    else
        printf("FAIL %s: status %d\n", it->name, WEXITSTATUS(status));
    return status != 0;
}

int main(int argc, char **argv)
{
    struct ct_case *sorted[200];
    size_t count = 0;
    int failed = 0;
    for (struct ct_case *it = cases; it && count < 200; it = it->next) {
        int wanted = argc < 2 || argv[1][0] == '-';
        for (int i = 1; i < argc; i++)
            if (!strcmp(argv[i] + (argv[i][0] == '-'), it->name))
                wanted = argv[i][0] != '-';
        if (wanted)
            sorted[count++] = it;
    }
    qsort(sorted, count, sizeof *sorted, by_name);
    setvbuf(stdout, 0, _IONBF, 0);
    for (size_t i = 0; i < count; i++)
        failed |= run(sorted[i]);
    return failed;
}
