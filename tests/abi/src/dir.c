/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Directories, names and links.
 */
#include "abi.h"
#include <dirent.h>
#include <sys/mount.h>

struct entry64 {
    uint64_t ino;
    int64_t off;
    unsigned short len;
    unsigned char type;
    char name[];
};

static int count_entries(const char *path)
{
    DIR *d = opendir(path);
    CHECK(d != NULL);
    int n = 0;
    errno = 0;
    while (readdir(d))
        n++;
    CHECK_EQ(errno, 0);
    closedir(d);
    return n;
}

CASE(dir, list)
{
    put_file("file", "", 0, 0644);
    OK(mkdir("folder", 0755));
    OK(symlink("file", "link"));
    OK(mkfifo("fifo", 0600));
    int fd = OK(open(".", O_RDONLY | O_DIRECTORY));
    char buffer[4096];
    long n = OK(syscall(SYS_getdents64, fd, buffer, sizeof buffer));
    int seen = 0;
    for (long at = 0; at < n;) {
        struct entry64 *e = (struct entry64 *)(buffer + at);
        CHECK(e->len % 8 == 0 && e->len >= 24);
        struct stat st;
        OK(lstat(e->name, &st));
        if (strcmp(e->name, "..") != 0)
            CHECK_EQ(e->ino, st.st_ino);
        CHECK_EQ(e->type, (st.st_mode & S_IFMT) >> 12);
        seen++;
        at += e->len;
    }
    CHECK_EQ(seen, 6);
    CHECK_EQ(syscall(SYS_getdents64, fd, buffer, sizeof buffer), 0);
    OK(lseek(fd, 0, SEEK_SET));
    CHECK_EQ(syscall(SYS_getdents64, fd, buffer, sizeof buffer), n);
    OK(lseek(fd, 0, SEEK_SET));
    ERR(syscall(SYS_getdents64, fd, buffer, 10), EINVAL);
    int file = OK(open("file", O_RDONLY));
    ERR(syscall(SYS_getdents64, file, buffer, sizeof buffer), ENOTDIR);
    ERR(syscall(SYS_getdents64, fd, 16, sizeof buffer), EFAULT);
}

CASE(dir, many_entries_in_pieces)
{
    char name[32];
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "entry-%d", i);
        put_file(name, "", 0, 0644);
    }
    int fd = OK(open(".", O_RDONLY | O_DIRECTORY));
    char buffer[200], seen[300] = "";
    int total = 0;
    long n;
    while ((n = OK(syscall(SYS_getdents64, fd, buffer, sizeof buffer))) > 0)
        for (long at = 0; at < n;) {
            struct entry64 *e = (struct entry64 *)(buffer + at);
            int number;
            if (sscanf(e->name, "entry-%d", &number) == 1) {
                CHECK(number < 300 && !seen[number]);
                seen[number] = 1;
            }
            total++;
            at += e->len;
        }
    CHECK_EQ(total, 302);
    /* seekdir to a cookie */
    DIR *d = opendir(".");
    for (int i = 0; i < 100; i++)
        CHECK(readdir(d) != NULL);
    long place = telldir(d);
    struct dirent *e = readdir(d);
    char wanted[256];
    strcpy(wanted, e->d_name);
    for (int i = 0; i < 50; i++)
        readdir(d);
    seekdir(d, place);
    e = readdir(d);
    CHECK(e && strcmp(e->d_name, wanted) == 0);
    closedir(d);
}

CASE(dir, removal_while_listing)
{
    char name[32];
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "x%d", i);
        put_file(name, "", 0, 0644);
    }
    DIR *d = opendir(".");
    struct dirent *e;
    int removed = 0;
    while ((e = readdir(d)))
        if (e->d_name[0] == 'x') {
            OK(unlink(e->d_name));
            removed++;
        }
    closedir(d);
    CHECK_EQ(removed, 200);
    CHECK_EQ(count_entries("."), 2);
}

CASE(dir, make_and_remove)
{
    OK(mkdir("a", 0755));
    ERR(mkdir("a", 0755), EEXIST);
    ERR(mkdir("none/a", 0755), ENOENT);
    OK(mkdir("a/b", 0755));
    ERR(rmdir("a"), ENOTEMPTY);
    ERR(rmdir("none"), ENOENT);
    ERR(unlink("a/b"), EISDIR);
    ERR(rmdir("a/."), EINVAL);
    ERR(rmdir("a/b/.."), ENOTEMPTY);
    OK(rmdir("a/b"));
    struct stat st;
    OK(stat("a", &st));
    CHECK_EQ(st.st_nlink, 2);
    put_file("f", "", 0, 0644);
    ERR(rmdir("f"), ENOTDIR);
    ERR(mkdir("f/x", 0755), ENOTDIR);
    ERR(unlink("none"), ENOENT);
    ERR(unlink("f/x"), ENOTDIR);
    OK(unlinkat(AT_FDCWD, "a", AT_REMOVEDIR));
    ERR(unlinkat(AT_FDCWD, "f", 0x8000), EINVAL);
    ERR(rmdir("/"), EBUSY);
    OK(mkdir("slash/", 0755));
    OK(rmdir("slash/"));
}

CASE(dir, removed_working_directory)
{
    OK(mkdir("gone", 0755));
    OK(chdir("gone"));
    OK(rmdir("../gone"));
    ERR(open("f", O_CREAT | O_WRONLY, 0644), ENOENT);
    char buffer[256];
    ERR(syscall(SYS_getcwd, buffer, sizeof buffer), ENOENT);
    OK(chdir(".."));
}

CASE(dir, rename)
{
    put_file("a", "aaa", 3, 0644);
    put_file("b", "bbb", 3, 0644);
    OK(rename("a", "b"));
    ERR(access("a", F_OK), ENOENT);
    CHECK(strcmp(get_file("b", NULL), "aaa") == 0);
    ERR(rename("none", "x"), ENOENT);
    OK(mkdir("d", 0755));
    OK(mkdir("d/sub", 0755));
    ERR(rename("b", "d"), EISDIR);
    ERR(rename("d", "b"), ENOTDIR);
    ERR(rename("d", "d/sub/x"), EINVAL);
    OK(mkdir("e", 0755));
    ERR(rename("e", "d"), ENOTEMPTY);
    OK(rename("d", "e"));
    OK(access("e/sub", F_OK));
    OK(rename("b", "e/sub/deep"));
    CHECK(strcmp(get_file("e/sub/deep", NULL), "aaa") == 0);
    OK(link("e/sub/deep", "same"));
    OK(rename("e/sub/deep", "same"));
    OK(access("e/sub/deep", F_OK));
    put_file("x", "x", 1, 0644);
    put_file("y", "y", 1, 0644);
    long r = syscall(SYS_renameat2, AT_FDCWD, "x", AT_FDCWD, "y", 1 /* NOREPLACE */);
    CHECK(r == -1 && errno == EEXIST);
    OK(syscall(SYS_renameat2, AT_FDCWD, "x", AT_FDCWD, "y", 2 /* EXCHANGE */));
    CHECK(strcmp(get_file("x", NULL), "y") == 0);
    /* the moved directory's ".." follows */
    OK(mkdir("p", 0755));
    OK(mkdir("q", 0755));
    OK(mkdir("p/child", 0755));
    OK(rename("p/child", "q/child"));
    struct stat a, b;
    OK(stat("q/child/..", &a));
    OK(stat("q", &b));
    CHECK_EQ(a.st_ino, b.st_ino);
    OK(stat("p", &a));
    CHECK_EQ(a.st_nlink, 2);
    CHECK_EQ(b.st_nlink, 3);
}

CASE(dir, hard_links)
{
    put_file("a", "text", 4, 0644);
    OK(link("a", "b"));
    struct stat st;
    OK(stat("b", &st));
    CHECK_EQ(st.st_nlink, 2);
    OK(unlink("a"));
    CHECK(strcmp(get_file("b", NULL), "text") == 0);
    OK(mkdir("d", 0755));
    ERR(link("d", "e"), EPERM);
    ERR(link("b", "b"), EEXIST);
    ERR(link("none", "x"), ENOENT);
    OK(symlink("b", "l"));
    OK(link("l", "l2"));
    OK(lstat("l2", &st));
    CHECK(S_ISLNK(st.st_mode));
    OK(linkat(AT_FDCWD, "l", AT_FDCWD, "followed", AT_SYMLINK_FOLLOW));
    OK(lstat("followed", &st));
    CHECK(S_ISREG(st.st_mode));
}

CASE(dir, symbolic_links)
{
    char buffer[64];
    put_file("target", "t", 1, 0644);
    OK(symlink("target", "l"));
    CHECK_EQ(readlink("l", buffer, sizeof buffer), 6);
    CHECK(memcmp(buffer, "target", 6) == 0);
    CHECK_EQ(readlink("l", buffer, 3), 3);
    ERR(readlink("l", buffer, 0), EINVAL);
    ERR(readlink("target", buffer, 10), EINVAL);
    ERR(readlink("none", buffer, 10), ENOENT);
    ERR(symlink("x", "l"), EEXIST);
    ERR(symlink("", "empty"), ENOENT);
    struct stat st;
    OK(lstat("l", &st));
    CHECK(S_ISLNK(st.st_mode));
    CHECK_EQ(st.st_size, 6);
    CHECK_EQ(st.st_mode & 0777, 0777);
    OK(stat("l", &st));
    CHECK(S_ISREG(st.st_mode));
    OK(symlink("nowhere", "dangling"));
    ERR(open("dangling", O_RDONLY), ENOENT);
    ERR(open("dangling", O_CREAT | O_EXCL | O_WRONLY, 0644), EEXIST);
    OK(close(OK(open("dangling", O_CREAT | O_WRONLY, 0644))));
    OK(access("nowhere", F_OK));
    OK(symlink("loop2", "loop1"));
    OK(symlink("loop1", "loop2"));
    ERR(open("loop1", O_RDONLY), ELOOP);
    ERR(stat("loop1", &st), ELOOP);
    OK(lstat("loop1", &st));
    OK(mkdir("d", 0755));
    OK(symlink("../target", "d/up"));
    CHECK(strcmp(get_file("d/up", NULL), "t") == 0);
    OK(symlink("d", "dl"));
    OK(access("dl/up", F_OK));
    ERR(rmdir("dl"), ENOTDIR);
    OK(unlink("dl"));
    char cwd[256], absolute[512];
    CHECK(getcwd(cwd, sizeof cwd) != NULL);
    snprintf(absolute, sizeof absolute, "%s/target", cwd);
    OK(symlink(absolute, "abs"));
    CHECK(strcmp(get_file("abs", NULL), "t") == 0);
    /* forty links are followed, no more */
    char from[32], to[32] = "target";
    for (int i = 0; i < 41; i++) {
        snprintf(from, sizeof from, "chain%d", i);
        OK(symlink(to, from));
        strcpy(to, from);
        if (i < 40)
            OK(stat(from, &st));
        else
            ERR(stat(from, &st), ELOOP);
    }
}

CASE(dir, working_directory)
{
    char buffer[256], want[256];
    CHECK(getcwd(want, sizeof want) != NULL);
    OK(mkdir("a", 0755));
    OK(mkdir("a/b", 0755));
    OK(chdir("a/b"));
    CHECK(getcwd(buffer, sizeof buffer) != NULL);
    strcat(want, "/a/b");
    CHECK(strcmp(buffer, want) == 0);
    CHECK_EQ(syscall(SYS_getcwd, buffer, sizeof buffer), strlen(want) + 1);
    ERR(syscall(SYS_getcwd, buffer, 3), ERANGE);
    int fd = OK(open("..", O_RDONLY));
    OK(fchdir(fd));
    OK(access("b", F_OK));
    ERR(chdir("none"), ENOENT);
    put_file("f", "", 0, 0644);
    ERR(chdir("f"), ENOTDIR);
    int file = OK(open("f", O_RDONLY));
    ERR(fchdir(file), ENOTDIR);
    CHILD(OK(chdir("/")));
    OK(access("b", F_OK));
    OK(chdir("/"));
    OK(chdir(".."));
    CHECK(getcwd(buffer, sizeof buffer) != NULL);
    CHECK(strcmp(buffer, "/") == 0);
}

CASE(dir, chroot)
{
    if (geteuid() != 0)
        SKIP("only root can");
    OK(mkdir("root", 0755));
    put_file("root/inside", "i", 1, 0644);
    OK(symlink("/inside", "root/link"));
    CHILD({
        OK(chroot("root"));
        OK(chdir("/"));
        CHECK(strcmp(get_file("/link", NULL), "i") == 0);
        CHECK(strcmp(get_file("../../inside", NULL), "i") == 0);
        ERR(access("/bin", F_OK), ENOENT);
    });
}

CASE(dir, dots_and_slashes)
{
    struct stat a, b;
    put_file("f", "x", 1, 0644);
    OK(mkdir("d", 0755));
    OK(stat("f", &a));
    OK(stat(".//d/../././f", &b));
    CHECK_EQ(a.st_ino, b.st_ino);
    ERR(stat("none/../f", &b), ENOENT);
    ERR(stat("f/../f", &b), ENOTDIR);
    OK(stat("/..", &a));
    OK(stat("/", &b));
    CHECK_EQ(a.st_ino, b.st_ino);
    ERR(stat("f/.", &b), ENOTDIR);
    OK(stat("d/", &b));
}

CASE(dir, deep_path)
{
    for (int i = 0; i < 60; i++) {
        OK(mkdir("deeper-and-deeper", 0755));
        OK(chdir("deeper-and-deeper"));
    }
    char buffer[4096];
    CHECK(getcwd(buffer, sizeof buffer) != NULL);
    CHECK(strlen(buffer) > 1000);
    OK(access(buffer, F_OK));
    for (int i = 0; i < 60; i++) {
        OK(chdir(".."));
        OK(rmdir("deeper-and-deeper"));
    }
}

CASE(dir, mount_tmpfs)
{
    if (geteuid() != 0)
        SKIP("only root can");
    OK(mkdir("m", 0755));
    put_file("m/below", "", 0, 0644);
    if (mount("none", "m", "tmpfs", 0, NULL) != 0 && errno == ENODEV)
        SKIP("no tmpfs to mount");
    ERR(access("m/below", F_OK), ENOENT);
    put_file("m/above", "", 0, 0644);
    struct stat a, b;
    OK(stat("m", &a));
    OK(stat(".", &b));
    CHECK(a.st_dev != b.st_dev);
    ERR(rename("m/above", "above"), EXDEV);
    ERR(link("m/above", "above"), EXDEV);
    ERR(rmdir("m"), EBUSY);
    OK(umount("m"));
    OK(access("m/below", F_OK));
    ERR(access("m/above", F_OK), ENOENT);
}
