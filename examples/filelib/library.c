/* The folder and its files, but for listing and uploads. */
#include "library.h"

#include "leftovers.h"
#include "resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* umask(2) can only be asked by setting it, so this is for the start, before
 * there are threads. */
static mode_t mode_of_new_files(void)
{
    mode_t mask = umask(077);

    umask(mask);
    return 0666 & ~mask;
}

int library_open(struct library *library, const struct library_options *options)
{
    *library = (struct library){.options = *options};
    library->fd = open(options->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (library->fd < 0)
        return -errno;
    library->mode = mode_of_new_files();
    if (!options->read_only) {
        leftovers_remove(library->fd);
        library->has_unnamed = leftovers_unnamed_work(library->fd);
    }
    return 0;
}

void library_close(struct library *library)
{
    close(library->fd);
}

int library_check_name(const char *name)
{
    return *name == '.' || *name == '\0' ? -EPERM : 0;
}

int library_open_file(const struct library *library, const char *name,
                      struct stat *status)
{
    int rc = library_check_name(name);
    int fd;

    /* Looked at before it is opened, as opening a device may do something. */
    if (rc == 0 && fstatat(library->fd, name, status, AT_SYMLINK_NOFOLLOW) < 0)
        rc = -errno;
    if (rc == 0 && !S_ISREG(status->st_mode))
        rc = -EPERM;
    if (rc < 0)
        return rc;
    fd = resolve_open(library->fd, name, O_RDONLY);
    if (fd >= 0 && (fstat(fd, status) < 0 || !S_ISREG(status->st_mode))) {
        close(fd);
        return -EPERM;
    }
    return fd;
}

int library_is_unchanged(int fd, const struct stat *status)
{
    struct stat now;

    return fstat(fd, &now) == 0 && now.st_size == status->st_size &&
           now.st_mtim.tv_sec == status->st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == status->st_mtim.tv_nsec;
}

/* 0 if the name is that of a regular file. */
static int check_regular(const struct library *library, const char *name)
{
    struct stat status;
    int rc = library_check_name(name);

    if (rc < 0)
        return rc;
    if (fstatat(library->fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    return S_ISREG(status.st_mode) ? 0 : -EPERM;
}

/* A change of the folder counts once it is on the disk. */
static int settle(const struct library *library, int rc)
{
    if (rc < 0)
        return rc;
    return fsync(library->fd) < 0 ? -errno : 0;
}

int library_delete(const struct library *library, const char *name)
{
    int rc;

    if (library->options.read_only || !library->options.allow_delete)
        return -EROFS;
    rc = check_regular(library, name);
    if (rc == 0 && unlinkat(library->fd, name, 0) < 0)
        rc = -errno;
    return settle(library, rc);
}

int library_rename(const struct library *library, const char *from,
                   const char *to)
{
    int rc;

    if (library->options.read_only || !library->options.allow_rename)
        return -EROFS;
    rc = check_regular(library, from);
    if (rc == 0)
        rc = library_check_name(to);
    if (rc == 0)
        rc = resolve_rename(library->fd, from, to);
    return settle(library, rc);
}
