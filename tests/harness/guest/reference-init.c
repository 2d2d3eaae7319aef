/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The first process of the reference system (Debian's kernel): does what `cargo xtask run -- PROGRAM` does on Persona.
 * Reads /.reference/run (records of a tag and a string, each ended by NUL: a = argument, e = environment, d = working
 * directory), runs the program with /.reference/stdin as its input, and sends what it prints over the serial line in
 * Persona's framing: 0xFF, kind, length (two bytes, little endian), payload; kind O = output, X = exit.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static int line = 1;

static void put(const void *data, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = write(line, (const char *)data + done, len - done);
        if (n < 0 && errno != EINTR)
            return;
        if (n > 0)
            done += n;
    }
}

static void frame(char kind, const void *data, unsigned len)
{
    unsigned char head[4] = {0xff, (unsigned char)kind, len & 0xff, len >> 8};
    put(head, 4);
    put(data, len);
}

static void leave(unsigned char reason, int value)
{
    unsigned char x[5] = {reason, value & 0xff, value >> 8 & 0xff, value >> 16 & 0xff, value >> 24 & 0xff};
    frame('X', x, 5);
    tcdrain(line);
    sync();
    reboot(RB_POWER_OFF);
    for (;;)
        pause();
}

static void trouble(const char *what)
{
    char text[256];
    int n = snprintf(text, sizeof text, "reference-init: %s: %s\n", what, strerror(errno));
    put(text, n);
    leave(2, 0);
}

static char *slurp(const char *path, size_t *len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    char *data = malloc(1 << 20);
    *len = 0;
    ssize_t n;
    while ((n = read(fd, data + *len, (1 << 20) - 1 - *len)) > 0)
        *len += n;
    data[*len] = 0;
    close(fd);
    return data;
}

/* Feeds the file to the program's standard input, as a pipe. */
static pid_t feed(int *in)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        trouble("pipe");
    pid_t pid = fork();
    if (pid == 0) {
        char block[4096];
        ssize_t n;
        int fd = open("/.reference/stdin", O_RDONLY | O_CLOEXEC);
        close(fds[0]);
        signal(SIGPIPE, SIG_DFL);
        while (fd >= 0 && (n = read(fd, block, sizeof block)) > 0)
            for (ssize_t done = 0; done < n;) {
                ssize_t w = write(fds[1], block + done, n - done);
                if (w < 0)
                    _exit(1);
                done += w;
            }
        _exit(0);
    }
    close(fds[1]);
    *in = fds[0];
    return pid;
}

int main(void)
{
    mkdir("/proc", 0555), mkdir("/sys", 0555), mkdir("/dev", 0755), mkdir("/tmp", 01777);
    mount("proc", "/proc", "proc", 0, NULL);
    mount("sysfs", "/sys", "sysfs", 0, NULL);
    if (mount("dev", "/dev", "devtmpfs", 0, NULL) != 0 && errno != EBUSY)
        trouble("mount /dev");
    mkdir("/dev/pts", 0755);
    mount("devpts", "/dev/pts", "devpts", 0, NULL);
    /* what the kernel leaves to user space */
    symlink("/proc/self/fd", "/dev/fd");
    symlink("/proc/self/fd/0", "/dev/stdin"), symlink("/proc/self/fd/1", "/dev/stdout");
    symlink("/proc/self/fd/2", "/dev/stderr");
    mkdir("/dev/shm", 01777);
    mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, NULL);
    mkdir("/dev/mqueue", 01777);
    mount("mqueue", "/dev/mqueue", "mqueue", 0, NULL);
    line = open("/dev/ttyAMA0", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (line < 0)
        return 1;
    struct termios t;
    tcgetattr(line, &t);
    cfmakeraw(&t);
    tcsetattr(line, TCSANOW, &t);

    size_t len;
    char *name = slurp("/etc/hostname", &len);
    if (name && sethostname(name, strcspn(name, "\n")) != 0)
        trouble("sethostname");
    char *run = slurp("/.reference/run", &len);
    if (!run)
        trouble("/.reference/run");
    char *argv[512], *envp[512], *cwd = "/";
    int argc = 0, envs = 0;
    for (char *p = run; p < run + len; p += strlen(p) + 1) {
        if (*p == 'a' && argc < 511)
            argv[argc++] = p + 1;
        else if (*p == 'e' && envs < 511)
            envp[envs++] = p + 1;
        else if (*p == 'd')
            cwd = p + 1;
    }
    argv[argc] = envp[envs] = NULL;

    int in, out[2];
    pid_t feeder = feed(&in);
    if (pipe2(out, O_CLOEXEC) != 0)
        trouble("pipe");
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        dup2(in, 0);
        dup2(out[1], 1);
        dup2(out[1], 2);
        if (chdir(cwd) != 0) {
            dprintf(2, "cannot enter %s: %s\n", cwd, strerror(errno));
            _exit(126);
        }
        /* as a shell looks for it, in the environment that the program will have */
        const char *path = "/bin";
        for (int i = 0; i < envs; i++)
            if (strncmp(envp[i], "PATH=", 5) == 0)
                path = envp[i] + 5;
        setenv("PATH", path, 1);
        execvpe(argv[0], argv, envp);
        dprintf(2, "%s: %s\n", argv[0], strerror(errno));
        _exit(errno == ENOENT ? 127 : 126);
    }
    close(in);
    close(out[1]);
    int status = 0, gone = 0;
    char block[4096];
    struct pollfd p = {out[0], POLLIN, 0};
    for (;;) {
        int ready = poll(&p, 1, gone ? 0 : 20);
        if (ready > 0) {
            ssize_t n = read(out[0], block, sizeof block);
            if (n > 0) {
                frame('O', block, n);
                continue;
            }
            if (n == 0)
                break;
        } else if (gone) {
            break;
        }
        int s;
        pid_t who;
        while ((who = waitpid(-1, &s, WNOHANG)) > 0)
            if (who == pid)
                gone = 1, status = s;
    }
    while (!gone) {
        int s;
        pid_t who = waitpid(-1, &s, 0);
        if (who == pid)
            gone = 1, status = s;
        else if (who < 0 && errno != EINTR)
            trouble("waitpid");
    }
    kill(feeder, SIGKILL);
    if (WIFSIGNALED(status))
        leave(1, WTERMSIG(status));
    leave(0, WEXITSTATUS(status));
}
