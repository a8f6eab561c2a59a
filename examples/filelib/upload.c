#include "upload.h"

#include "digest_ring.h"
#include "space.h"
#include "upload_file.h"
#include "write_all.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    STEP = 8 * 1024 * 1024, /* bytes between two looks at the disk */
    KEPT_MAX = 64           /* beginnings in a folder */
};

struct upload {
    struct upload_file file;
    struct digest *digest;
    struct digest_ring *ring;
    char *room; /* in the ring */
    char name[PROTOCOL_NAME + 1];
    char kept[LEFTOVER_NAME]; /* "": it cannot be resumed */
    int64_t size, received;
    int64_t looked; /* at the disk when so much had come */
    int64_t freed;  /* bytes of the file that it replaces */
    int replace;
};

/* Whether the name can be taken.  The answer may change until the end, which
 * decides; asked early it spares a client the way. */
static int check_name(struct upload *upload, const struct library *library)
{
    struct stat status;
    int rc = library_check_name(upload->name);

    if (rc < 0)
        return rc;
    if (fstatat(library->fd, upload->name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!upload->replace)
        return -EEXIST;
    upload->freed = S_ISREG(status.st_mode) ? status.st_size : 0;
    return S_ISREG(status.st_mode) ? 0 : -EPERM;
}

static int check_order(struct upload *upload, const struct library *library)
{
    int rc;

    if (library->options.read_only)
        return -EROFS;
    if (upload->replace && !library->options.allow_replace)
        return -EACCES;
    rc = check_name(upload, library);
    if (rc == 0)
        rc = space_check_size(library, upload->size);
    return rc;
}

/* The name of the beginning: one that clients cannot choose. */
static void name_beginning(struct upload *upload,
                           const struct upload_order *order)
{
    unsigned char digest[PROTOCOL_DIGEST];
    char size[32];

    if (order->id[0] == '\0')
        return;
    snprintf(size, sizeof size, "%jd", (intmax_t)order->size);
    digest_add(upload->digest, order->user, strlen(order->user) + 1);
    digest_add(upload->digest, order->name, strlen(order->name) + 1);
    digest_add(upload->digest, size, strlen(size) + 1);
    digest_add(upload->digest, order->id, strlen(order->id) + 1);
    digest_end(upload->digest, digest);
    digest_restart(upload->digest);
    leftovers_partial_name(upload->kept, digest);
}

/* Goes on with what was kept: 1, or 0 if there is nothing to go on with. */
static int resume(struct upload *upload, const struct library *library,
                  int (*busy)(void *arg), void *arg)
{
    struct stat status;
    int rc;

    if (upload->kept[0] == '\0')
        return 0;
    rc = upload_file_reopen(&upload->file, library, upload->kept);
    if (rc < 0)
        return rc == -ENOENT ? 0 : rc;
    if (fstat(upload->file.fd, &status) < 0 || status.st_size > upload->size) {
        upload_file_drop(&upload->file);
        return 0;
    }
    rc = digest_add_file(upload->digest, upload->file.fd, 0, status.st_size,
                         busy, arg);
    if (rc == 0 && lseek(upload->file.fd, status.st_size, SEEK_SET) < 0)
        rc = -errno;
    if (rc < 0)
        close(upload->file.fd);
    upload->received = upload->looked = status.st_size;
    return rc < 0 ? rc : 1;
}

static struct upload *make(const struct upload_order *order)
{
    struct upload *upload = calloc(1, sizeof *upload);

    if (!upload)
        return NULL;
    upload->digest = digest_new();
    if (!upload->digest) {
        free(upload);
        return NULL;
    }
    snprintf(upload->name, sizeof upload->name, "%s", order->name);
    upload->size = order->size;
    upload->replace = order->replace;
    name_beginning(upload, order);
    return upload;
}

static void release(struct upload *upload)
{
    digest_ring_free(upload->ring);
    digest_free(upload->digest);
    free(upload);
}

/* Whether there is room for what is still to come.  What was kept stays. */
static int check_room(struct upload *upload, int resumed)
{
    const struct library *library = upload->file.library;
    int64_t more = upload->size - upload->received;
    int rc = space_check_disk(library, more);

    if (rc == 0)
        rc = space_check_quota(library, more - upload->freed);
    if (rc < 0 && resumed)
        close(upload->file.fd);
    else if (rc < 0)
        upload_file_drop(&upload->file);
    return rc;
}

static int open_file(struct upload *upload, const struct library *library,
                     int (*busy)(void *arg), void *arg)
{
    int resumed = resume(upload, library, busy, arg);
    int rc = resumed;

    if (rc == 0)
        rc = upload_file_new(&upload->file, library);
    return rc < 0 ? rc : check_room(upload, resumed);
}

int upload_begin(struct upload **out, const struct library *library,
                 const struct upload_order *order, int (*busy)(void *arg),
                 void *arg)
{
    struct upload *upload = make(order);
    int rc;

    if (!upload)
        return -ENOMEM;
    rc = check_order(upload, library);
    if (rc == 0) {
        upload->ring = digest_ring_new(upload->digest, upload->size);
        rc = upload->ring ? open_file(upload, library, busy, arg) : -ENOMEM;
    }
    if (rc < 0)
        release(upload);
    else
        *out = upload;
    return rc;
}

int64_t upload_received(const struct upload *upload)
{
    return upload->received;
}

/* Starts to write to the disk what came, while more comes, and sees that
 * enough stays free. */
static int look_at_disk(struct upload *upload)
{
    const struct library *library = upload->file.library;

    if (upload->received - upload->looked < STEP)
        return 0;
#ifdef SYNC_FILE_RANGE_WRITE
    sync_file_range(upload->file.fd, upload->looked,
                    upload->received - upload->looked, SYNC_FILE_RANGE_WRITE);
#endif
    upload->looked = upload->received;
    return space_check_disk(library, 0);
}

char *upload_room(struct upload *upload, size_t *n)
{
    return upload->room = digest_ring_room(upload->ring, n);
}

int upload_write(struct upload *upload, size_t n)
{
    int rc;

    if ((int64_t)n > upload->size - upload->received)
        return -EMSGSIZE;
    digest_ring_add(upload->ring, n);
    rc = write_all(upload->file.fd, upload->room, n);
    if (rc < 0)
        return rc;
    upload->received += (int64_t)n;
    return look_at_disk(upload);
}

/* Under a lock that makes the quota's answer hold until the file is there. */
static int place(struct upload *upload, const unsigned char *digest)
{
    const struct library *library = upload->file.library;
    /* What has a name is counted already. */
    int64_t more = upload->file.temporary[0] ? 0 : upload->size;
    int lock = space_lock(library);
    int rc = lock;

    if (rc >= 0)
        rc = space_check_quota(library, more - upload->freed);
    if (rc < 0)
        upload_file_drop(&upload->file);
    else
        rc = upload_file_place(&upload->file, upload->name, upload->replace,
                               digest);
    space_unlock(lock);
    return rc;
}

int upload_commit(struct upload *upload,
                  const unsigned char digest[PROTOCOL_DIGEST])
{
    unsigned char own[PROTOCOL_DIGEST];
    int rc = 0;

    digest_ring_free(upload->ring);
    upload->ring = NULL;
    digest_end(upload->digest, own);
    if (upload->received < upload->size)
        rc = -ENODATA;
    else if (!digest_equal(own, digest))
        rc = -EBADMSG;
    if (rc < 0)
        upload_file_drop(&upload->file);
    else
        rc = place(upload, own);
    release(upload);
    return rc;
}

void upload_abandon(struct upload *upload)
{
    if (!upload)
        return;
    upload_file_drop(&upload->file);
    release(upload);
}

void upload_keep(struct upload *upload)
{
    if (!upload)
        return;
    if (upload->kept[0] && upload->received > 0 &&
        leftovers_count(upload->file.library->fd) < KEPT_MAX &&
        space_check_quota(upload->file.library, upload->received) == 0) {
        upload_file_keep(&upload->file, upload->kept);
        release(upload);
    } else {
        upload_abandon(upload);
    }
}
