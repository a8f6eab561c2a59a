/* Writing in the order that survives a crash: the bytes and their digest reach
 * the disk first, then the name appears, then the folder reaches the disk.
 *
 * Failure modes: a full disk may show at any step up to the name, which undoes
 * everything; an error of the folder's fsync comes after the name, which is
 * then taken away again, unless it had replaced a file. */
#include "upload_file.h"

#include "resolve.h"
#include "stamp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

static int open_unnamed(struct upload_file *file)
{
#ifdef O_TMPFILE
    file->fd =
        openat(file->library->fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return file->fd < 0 ? -errno : 0;
#else
    (void)file;
    return -ENOSYS;
#endif
}

static int open_named(struct upload_file *file)
{
    int rc = leftovers_temporary_name(file->temporary);

    if (rc < 0)
        return rc;
    file->fd = openat(file->library->fd, file->temporary,
                      O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (file->fd < 0)
        return -errno;
    flock(file->fd, LOCK_EX | LOCK_NB);
    return 0;
}

int upload_file_new(struct upload_file *file, const struct library *library)
{
    *file = (struct upload_file){.library = library, .fd = -1};
    return library->has_unnamed ? open_unnamed(file) : open_named(file);
}

int upload_file_reopen(struct upload_file *file, const struct library *library,
                       const char *kept)
{
    struct stat status;

    *file = (struct upload_file){.library = library};
    file->fd = resolve_open(library->fd, kept, O_RDWR);
    if (file->fd < 0)
        return file->fd;
    if (flock(file->fd, LOCK_EX | LOCK_NB) < 0) {
        close(file->fd);
        return -EBUSY;
    }
    /* Whoever held the lock before may have put the file in its place. */
    if (fstat(file->fd, &status) < 0 || status.st_nlink != 1) {
        close(file->fd);
        return -ENOENT;
    }
    snprintf(file->temporary, sizeof file->temporary, "%s", kept);
    return 0;
}

static void remove_name(struct upload_file *file)
{
    if (file->temporary[0])
        unlinkat(file->library->fd, file->temporary, 0);
    file->temporary[0] = '\0';
}

void upload_file_drop(struct upload_file *file)
{
    remove_name(file);
    close(file->fd);
}

static int finish_bytes(const struct upload_file *file,
                        const unsigned char digest[PROTOCOL_DIGEST])
{
    struct stat status;

    if (fstat(file->fd, &status) < 0 ||
        fchmod(file->fd, file->library->mode) < 0)
        return -errno;
    stamp_write(file->fd, &status, digest);
    return fsync(file->fd) < 0 ? -errno : 0;
}

/* Gives it a hidden name if it has none. */
static int give_temporary_name(struct upload_file *file)
{
    int rc;

    if (file->temporary[0])
        return 0;
    rc = leftovers_temporary_name(file->temporary);
    if (rc == 0)
        rc = resolve_link(file->library->fd, file->fd, file->temporary);
    if (rc < 0)
        file->temporary[0] = '\0';
    return rc;
}

static int place_instead(struct upload_file *file, const char *name)
{
    int folder = file->library->fd;
    int rc = give_temporary_name(file);

    if (rc == 0 && renameat(folder, file->temporary, folder, name) < 0)
        rc = -errno;
    if (rc == 0)
        file->temporary[0] = '\0';
    return rc;
}

static int place_anew(struct upload_file *file, const char *name)
{
    int folder = file->library->fd;

    if (!file->temporary[0])
        return resolve_link(folder, file->fd, name);
    /* Also where link(2) is missing is nothing replaced. */
    if (linkat(folder, file->temporary, folder, name, 0) == 0) {
        remove_name(file);
        return 0;
    }
    if (errno == EEXIST)
        return -EEXIST;
    if (resolve_rename(folder, file->temporary, name) < 0)
        return -errno;
    file->temporary[0] = '\0';
    return 0;
}

int upload_file_place(struct upload_file *file, const char *name, int replace,
                      const unsigned char digest[PROTOCOL_DIGEST])
{
    int rc = finish_bytes(file, digest);

    if (rc == 0)
        rc = replace ? place_instead(file, name) : place_anew(file, name);
    if (rc == 0 && fsync(file->library->fd) < 0) {
        rc = -errno;
        if (!replace)
            unlinkat(file->library->fd, name, 0);
    }
    upload_file_drop(file);
    return rc;
}

void upload_file_keep(struct upload_file *file, const char *kept)
{
    int folder = file->library->fd;

    if (!file->temporary[0])
        resolve_link(folder, file->fd, kept);
    else
        resolve_rename(folder, file->temporary, kept);
    file->temporary[0] = '\0';
    upload_file_drop(file);
}
