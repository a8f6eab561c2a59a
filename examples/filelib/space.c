/* The workers of a server may be processes that share nothing, and other
 * servers may have the same folder: so the folder itself says how full it is,
 * and carries the lock. */
#include "space.h"

#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

int space_check_size(const struct library *library, int64_t size)
{
    int64_t max = library->options.max_file_size;

    return max > 0 && size > max ? -EFBIG : 0;
}

int space_check_disk(const struct library *library, int64_t bytes)
{
    struct statvfs disk;
    uintmax_t available;

    if (fstatvfs(library->fd, &disk) < 0)
        return 0;
    available = (uintmax_t)disk.f_bavail * disk.f_frsize;
    return available < (uintmax_t)bytes ||
                   available - (uintmax_t)bytes <
                       (uintmax_t)library->options.min_free
               ? -ENOSPC
               : 0;
}

int space_check_quota(const struct library *library, int64_t bytes)
{
    int64_t used;

    if (library->options.quota == 0)
        return 0;
    used = folder_size(library->fd);
    if (used < 0)
        return (int)used;
    return bytes > library->options.quota - used ? -EDQUOT : 0;
}

int space_lock(const struct library *library)
{
    int fd;

    if (library->options.quota == 0)
        return 0;
    /* Of its own: locks belong to what was opened, and threads share that. */
    fd = openat(library->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    while (flock(fd, LOCK_EX) < 0)
        if (errno != EINTR) {
            close(fd);
            return -errno;
        }
    return fd;
}

void space_unlock(int lock)
{
    if (lock > 0)
        close(lock);
}
