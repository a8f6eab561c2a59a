#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

DIR *folder_read(int folder)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);

    if (fd >= 0 && !entries)
        close(fd);
    return entries;
}

int64_t folder_size(int folder)
{
    DIR *entries = folder_read(folder);
    struct dirent *entry;
    struct stat status;
    int64_t sum = 0;

    if (!entries)
        return -errno;
    while ((entry = readdir(entries)))
        if (fstatat(folder, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(status.st_mode))
            sum += status.st_size;
    closedir(entries);
    return sum;
}
