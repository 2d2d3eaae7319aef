/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Extended attributes: xattr(7).
 */
#include "abi.h"

#include <sys/xattr.h>

static bool has_name(const char *list, ssize_t len, const char *name) {
    for (const char *p = list; p < list + len; p += strlen(p) + 1)
        if (strcmp(p, name) == 0)
            return true;
    return false;
}

CASE(xattr, set_get_remove) {
    put_file("f", "x", 1, 0644);
    char buf[64], list[256];
    ERR(getxattr("f", "trusted.a", buf, sizeof buf), ENODATA);
    OK(setxattr("f", "trusted.a", "hello", 5, XATTR_CREATE));
    ERR(setxattr("f", "trusted.a", "again", 5, XATTR_CREATE), EEXIST);
    ERR(setxattr("f", "trusted.b", "new", 3, XATTR_REPLACE), ENODATA);
    CHECK_EQ(OK(getxattr("f", "trusted.a", NULL, 0)), 5);
    CHECK_EQ(OK(getxattr("f", "trusted.a", buf, sizeof buf)), 5);
    CHECK(memcmp(buf, "hello", 5) == 0);
    ERR(getxattr("f", "trusted.a", buf, 4), ERANGE);
    OK(setxattr("f", "trusted.a", "by", 2, XATTR_REPLACE));
    CHECK_EQ(OK(getxattr("f", "trusted.a", buf, 2)), 2);
    OK(setxattr("f", "trusted.empty", NULL, 0, 0));
    CHECK_EQ(OK(getxattr("f", "trusted.empty", buf, sizeof buf)), 0);
    ssize_t need = OK(listxattr("f", NULL, 0));
    ssize_t len = OK(listxattr("f", list, sizeof list));
    CHECK_EQ(need, len);
    CHECK(has_name(list, len, "trusted.a") && has_name(list, len, "trusted.empty"));
    ERR(listxattr("f", list, (size_t)len - 1), ERANGE);
    OK(removexattr("f", "trusted.a"));
    ERR(removexattr("f", "trusted.a"), ENODATA);
    ERR(getxattr("f", "trusted.a", buf, sizeof buf), ENODATA);
}

CASE(xattr, descriptors_and_links) {
    put_file("f", "x", 1, 0644);
    OK(symlink("f", "l"));
    char buf[16];
    int fd = OK(open("f", O_RDONLY));
    OK(fsetxattr(fd, "trusted.fd", "1", 1, 0));
    CHECK_EQ(OK(getxattr("l", "trusted.fd", buf, sizeof buf)), 1);
    ERR(lgetxattr("l", "trusted.fd", buf, sizeof buf), ENODATA);
    OK(lsetxattr("l", "trusted.link", "22", 2, 0));
    CHECK_EQ(OK(lgetxattr("l", "trusted.link", buf, sizeof buf)), 2);
    ERR(fgetxattr(fd, "trusted.link", buf, sizeof buf), ENODATA);
    CHECK(OK(llistxattr("l", NULL, 0)) > 0);
    OK(lremovexattr("l", "trusted.link"));
    /* They belong to the file, not to its name. */
    OK(rename("f", "g"));
    OK(link("g", "h"));
    CHECK_EQ(OK(getxattr("h", "trusted.fd", buf, sizeof buf)), 1);
    OK(fremovexattr(fd, "trusted.fd"));
    ERR(getxattr("g", "trusted.fd", buf, sizeof buf), ENODATA);
    int path = OK(open("g", O_PATH));
    ERR(fgetxattr(path, "trusted.fd", buf, sizeof buf), EBADF);
    ERR(fsetxattr(path, "trusted.fd", "1", 1, 0), EBADF);
    ERR(fgetxattr(-1, "trusted.fd", buf, sizeof buf), EBADF);
    ERR(getxattr("none", "trusted.fd", buf, sizeof buf), ENOENT);
    ERR(fgetxattr(fd, "trusted.fd", NULL, sizeof buf), ENODATA);
}

CASE(xattr, names_and_sizes) {
    put_file("f", "x", 1, 0644);
    static char big[70000];
    char name[300];
    ERR(setxattr("f", "", "1", 1, 0), ERANGE);
    memset(name, 'a', sizeof name);
    memcpy(name, "trusted.", 8);
    name[256] = 0;
    ERR(setxattr("f", name, "1", 1, 0), ERANGE);
    name[255] = 0;
    OK(setxattr("f", name, "1", 1, 0));
    CHECK_EQ(OK(getxattr("f", name, big, sizeof big)), 1);
    ERR(setxattr("f", "trusted.", "1", 1, 0), EINVAL);
    ERR(setxattr("f", "nonsense", "1", 1, 0), EOPNOTSUPP);
    ERR(setxattr("f", "other.a", "1", 1, 0), EOPNOTSUPP);
    ERR(setxattr("f", "trusted.a", "1", 1, 4), EINVAL);
    ERR(setxattr("f", "trusted.a", big, 65537, 0), E2BIG);
    ERR(setxattr("f", "trusted.a", (void *)8, 1, 0), EFAULT);
    ERR(setxattr("f", (char *)8, "1", 1, 0), EFAULT);
    OK(setxattr("f", "trusted.a", big, 65536, 0));
    CHECK_EQ(OK(getxattr("f", "trusted.a", big, sizeof big)), 65536);
    OK(setxattr("f", "security.test", "s", 1, 0));
    CHECK_EQ(OK(getxattr("f", "security.test", big, sizeof big)), 1);
    ERR(setxattr("f", "security.capability", "s", 1, 0), EINVAL);
    ERR(getxattr("/proc/self/stat", "trusted.a", big, sizeof big), EOPNOTSUPP);
}

CASE(xattr, user_attributes) {
    put_file("f", "x", 1, 0640);
    if (setxattr("f", "user.a", "1", 1, 0) == -1 && errno == EOPNOTSUPP)
        SKIP("this kernel's tmpfs has no user attributes");
    OK(chown("f", 1000, 1000));
    OK(mkdir("sticky", 01777));
    OK(chmod("sticky", 01777));
    OK(mkfifo("p", 0666));
    ERR(setxattr("p", "user.a", "1", 1, 0), EPERM);
    char buf[16];
    ERR(getxattr("p", "user.a", buf, sizeof buf), ENODATA);
    OK(chmod(".", 0755));
    CHILD({
        OK(setgid(1001));
        OK(setuid(1001));
        ERR(getxattr("f", "user.a", buf, sizeof buf), EACCES);
        ERR(setxattr("f", "user.a", "1", 1, 0), EACCES);
        ERR(setxattr("sticky", "user.a", "1", 1, 0), EPERM);
    });
    CHILD({
        OK(setgid(1000));
        OK(setuid(1000));
        OK(setxattr("f", "user.b", "22", 2, 0));
        CHECK_EQ(OK(getxattr("f", "user.a", buf, sizeof buf)), 1);
    });
}

CASE(xattr, privileges) {
    put_file("f", "x", 1, 0666);
    OK(chmod("f", 0666));
    OK(chmod(".", 0755));
    OK(setxattr("f", "trusted.a", "1", 1, 0));
    OK(setxattr("f", "security.test", "1", 1, 0));
    CHILD({
        char buf[64];
        OK(setgid(1001));
        OK(setuid(1001));
        ERR(getxattr("f", "trusted.a", buf, sizeof buf), ENODATA);
        ERR(setxattr("f", "trusted.a", "1", 1, 0), EPERM);
        ERR(removexattr("f", "trusted.a"), EPERM);
        CHECK_EQ(OK(getxattr("f", "security.test", buf, sizeof buf)), 1);
        ssize_t len = OK(listxattr("f", buf, sizeof buf));
        CHECK(!has_name(buf, len, "trusted.a") && has_name(buf, len, "security.test"));
    });
}

CASE(xattr, one_file_has_a_bound) {
    put_file("f", "x", 1, 0644);
    static char big[65536];
    char name[32];
    int set = 0;
    for (int i = 0; i < 3; i++) {
        sprintf(name, "trusted.%d", i);
        if (setxattr("f", name, big, sizeof big, 0) == 0)
            set++;
        else
            CHECK(errno == ENOSPC);
    }
    CHECK(set >= 1);
    OK(unlink("f"));
}
