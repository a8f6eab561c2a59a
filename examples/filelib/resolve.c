/* The calls are made by number where the C library has no function for them
 * yet.  A filter of system calls may answer EPERM for what it does not know,
 * so that too leads to the plain way. */
#include "resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { OPEN_FLAGS = O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW };

static int lacks(int error)
{
    return error == ENOSYS || error == EPERM || error == EINVAL;
}

#if defined(SYS_openat2) && defined(__has_include)
#if __has_include(<linux/openat2.h>)
#include <linux/openat2.h>
#endif
#endif

#ifdef RESOLVE_BENEATH

static int open_beneath(int folder, const char *name, int flags)
{
    struct open_how how = {.flags = (unsigned)flags,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
                                      RESOLVE_NO_MAGICLINKS};

    return (int)syscall(SYS_openat2, folder, name, &how, sizeof how);
}
#else
static int open_beneath(int folder, const char *name, int flags)
{
    (void)folder;
    (void)name;
    (void)flags;
    errno = ENOSYS;
    return -1;
}
#endif

int resolve_open(int folder, const char *name, int flags)
{
    int fd;

    flags |= OPEN_FLAGS;
    do
        fd = open_beneath(folder, name, flags);
    while (fd < 0 && (errno == EINTR || errno == EAGAIN));
    if (fd >= 0 || !lacks(errno))
        return fd < 0 ? -errno : fd;
    /* One component, and not a link: this cannot lead out of the folder. */
    if (strchr(name, '/') || strcmp(name, "..") == 0)
        return -EPERM;
    fd = openat(folder, name, flags);
    return fd < 0 ? -errno : fd;
}

#if defined(SYS_renameat2)
static int rename_to_free(int folder, const char *from, const char *to)
{
    enum { NO_REPLACE = 1 };

    return (int)syscall(SYS_renameat2, folder, from, folder, to, NO_REPLACE);
}
#else
static int rename_to_free(int folder, const char *from, const char *to)
{
    (void)folder;
    (void)from;
    (void)to;
    errno = ENOSYS;
    return -1;
}
#endif

int resolve_rename(int folder, const char *from, const char *to)
{
    if (rename_to_free(folder, from, to) == 0)
        return 0;
    if (!lacks(errno))
        return -errno;
    if (linkat(folder, from, folder, to, 0) < 0)
        return -errno;
    return unlinkat(folder, from, 0) < 0 ? -errno : 0;
}

int resolve_link(int folder, int fd, const char *name)
{
    char path[64];

#ifdef AT_EMPTY_PATH
    /* Without /proc, but only for those whom the system trusts so far. */
    if (linkat(fd, "", folder, name, AT_EMPTY_PATH) == 0)
        return 0;
    if (errno == EEXIST || errno == ENOSPC)
        return -errno;
#endif
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, path, folder, name, AT_SYMLINK_FOLLOW) < 0)
        return -errno;
    return 0;
}
