#include "beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { OPEN_FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY };

#ifndef O_PATH
#define O_PATH O_RDONLY
#endif

/* Opens the first component of *path below dir, and moves *path behind it. */
static int open_component(int dir, const char **path)
{
    size_t n = strcspn(*path, "/");
    char name[NAME_MAX + 1];
    int is_last, fd;

    if (n > NAME_MAX)
        return -ENAMETOOLONG;
    memcpy(name, *path, n);
    name[n] = '\0';
    if (strcmp(name, "..") == 0)
        return -EXDEV;
    *path += n;
    is_last = **path == '\0';
    *path += strspn(*path, "/");
    fd = openat(dir, name,
                is_last ? OPEN_FLAGS | O_NOFOLLOW
                        : O_PATH | O_CLOEXEC | O_DIRECTORY | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

int http_open_by_walk(int root, const char *path)
{
    int dir = root, fd;

    if (*path == '\0')
        path = ".";
    if (*path == '/')
        return -EXDEV;
    for (;;) {
        int ends_in_slash = path[strlen(path) - 1] == '/';

        fd = open_component(dir, &path);
        if (dir != root)
            close(dir);
        if (fd < 0)
            return fd;
        if (*path == '\0' && !ends_in_slash)
            return fd;
        if (*path == '\0')
            path = ".";
        dir = fd;
    }
}

#ifdef SYS_openat2
/* As in <linux/openat2.h>, which not every system has. */
struct how {
    uint64_t flags;
    uint64_t mode;
    uint64_t resolve;
};

enum { NO_MAGICLINKS = 0x02, BENEATH = 0x08, TRIES = 16 };

static int open_by_openat2(int root, const char *path)
{
    struct how how = {.flags = OPEN_FLAGS, .resolve = BENEATH | NO_MAGICLINKS};
    long fd = -1;

    /* -EAGAIN: something was renamed while the kernel looked at a "..". */
    for (int i = 0; i < TRIES; i++) {
        fd = syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof how);
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
            break;
    }
    return fd < 0 ? -errno : (int)fd;
}

int http_open_beneath(int root, const char *path)
{
    static atomic_int is_missing;
    int fd;

    if (atomic_load_explicit(&is_missing, memory_order_relaxed))
        return http_open_by_walk(root, path);
    fd = open_by_openat2(root, path);
    /* Old kernels lack it, and some sandboxes forbid it. */
    if (fd == -ENOSYS || fd == -EPERM) {
        atomic_store(&is_missing, 1);
        return http_open_by_walk(root, path);
    }
    return fd;
}
#else
int http_open_beneath(int root, const char *path)
{
    return http_open_by_walk(root, path);
}
#endif

int http_open_status(int error)
{
    switch (-error) {
    case EACCES:
    case EPERM:
        return 403;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
        return 503;
    case EIO:
        return 500;
    default:
        return 404;
    }
}
