/* Downloads.  What comes is written to a hidden file beside the one that is to
 * be, whose name says of which state of which file it is the beginning; it
 * takes its place by one step, when its digest is right.  If the transfer
 * breaks, the next one goes on from there. */
#include "client.h"

#include "digest.h"
#include "print.h"
#include "progress.h"
#include "resolve.h"
#include "write_all.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUF = 256 * 1024, PATH = 4096, MTIME = 64 };

struct download {
    struct client *client;
    const char *name;
    const char *local;
    char encoded[PROTOCOL_ENCODED + 1];
    char part[PATH];
    char mtime[MTIME]; /* as the server tells it */
    int fd;            /* of the part */
    int64_t size, done;
    struct digest *digest;
    struct progress progress;
};

/* Whether the reply is about the file as it was. */
static int read_state(const struct reply *reply, int64_t *size, char *mtime)
{
    *size = reply_number(reply, "size");
    return *size >= 0 && reply_value(reply, "mtime", mtime, MTIME) > 0 ? 0 : -1;
}

/* ".sockserver-<key>.part" in the folder of the local file. */
static int name_part(struct download *download)
{
    unsigned char key[PROTOCOL_DIGEST];
    char hex[33], size[32];
    const char *slash = strrchr(download->local, '/');
    int folder = slash ? (int)(slash - download->local) + 1 : 0;
    int n;

    snprintf(size, sizeof size, "%jd", (intmax_t)download->size);
    digest_add(download->digest, download->name, strlen(download->name) + 1);
    digest_add(download->digest, size, strlen(size) + 1);
    digest_add(download->digest, download->mtime, strlen(download->mtime));
    digest_end(download->digest, key);
    digest_restart(download->digest);
    hex_encode(hex, key, 16);
    n = snprintf(download->part, PATH, "%.*s.sockserver-%s.part", folder,
                 download->local, hex);
    return n > 0 && n < PATH ? 0 : -ENAMETOOLONG;
}

/* Opens the part, and makes the digest of what it has. */
static int open_part(struct download *download)
{
    struct stat status;
    int rc = name_part(download);

    if (rc < 0)
        return rc;
    download->fd =
        open(download->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (download->fd < 0 || flock(download->fd, LOCK_EX | LOCK_NB) < 0 ||
        fstat(download->fd, &status) < 0)
        return -errno;
    if (status.st_size > download->size) {
        if (ftruncate(download->fd, 0) < 0)
            return -errno;
        status.st_size = 0;
    }
    rc = digest_add_file(download->digest, download->fd, 0, status.st_size,
                         NULL, NULL);
    if (rc == 0 && lseek(download->fd, status.st_size, SEEK_SET) < 0)
        rc = -errno;
    download->done = status.st_size;
    return rc;
}

static enum status receive_body(struct download *download, char *buf,
                                int64_t left)
{
    struct client *client = download->client;

    while (left > 0) {
        ssize_t n = connection_read(client->connection, buf,
                                    left < BUF ? (size_t)left : BUF);
        int rc;

        if (n < 0)
            return client_lose(client, download->name, (int)n);
        rc = write_all(download->fd, buf, (size_t)n);
        if (rc < 0) {
            client_disconnect(client);
            return client_cannot(download->local, rc);
        }
        digest_add(download->digest, buf, (size_t)n);
        left -= n;
        download->done += n;
        progress_show(&download->progress, download->done);
    }
    return STATUS_DONE;
}

/* Asks for what is missing and receives it. */
static enum status receive(struct download *download)
{
    struct client *client = download->client;
    struct reply reply;
    char mtime[MTIME];
    int64_t size;
    char *buf;
    enum status status =
        client_ask(client, &reply, download->name, "GET %s %jd\n",
                   download->encoded, (intmax_t)download->done);

    if (status)
        return status;
    if (read_state(&reply, &size, mtime) < 0)
        return client_lose(client, download->name, CONNECTION_BABBLE);
    if (size != download->size || strcmp(mtime, download->mtime) != 0 ||
        reply.length != size - download->done) {
        client_disconnect(client);
        return client_say(STATUS_CORRUPTED,
                          "the file changed meanwhile; try again");
    }
    buf = malloc(BUF);
    if (!buf) {
        client_disconnect(client);
        return client_cannot(download->local, -ENOMEM);
    }
    progress_start(&download->progress, client->quiet, download->name, size,
                   download->done);
    status = receive_body(download, buf, reply.length);
    progress_end(&download->progress, download->done);
    free(buf);
    return status;
}

/* Compares the digests.  What is wrong is thrown away. */
static enum status verify(struct download *download)
{
    unsigned char own[PROTOCOL_DIGEST], digest[PROTOCOL_DIGEST];
    char hex[PROTOCOL_HEX + 1] = "", of[16] = "";
    struct reply reply;
    enum status status = client_await(download->client, &reply, download->name);

    /* The digest of the rest does not vouch for what was there before. */
    if (status == STATUS_DONE) {
        reply_value(&reply, "of", of, sizeof of);
        if (strcmp(of, "file") != 0)
            status = client_ask(download->client, &reply, download->name,
                                "DIGEST %s\n", download->encoded);
    } else if (status == STATUS_EXISTS) {
        unlink(download->part);
        return STATUS_CORRUPTED;
    }
    if (status)
        return status;
    digest_end(download->digest, own);
    if (reply_value(&reply, "sha256", hex, sizeof hex) == PROTOCOL_HEX &&
        hex_decode(digest, hex, PROTOCOL_DIGEST) == 0 &&
        digest_equal(own, digest))
        return STATUS_DONE;
    unlink(download->part);
    return client_say(STATUS_CORRUPTED,
                      "what came is not what the library holds");
}

static void set_time(const struct download *download)
{
    const char *dot = strchr(download->mtime, '.');
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {0}};
    int64_t seconds;

    if (!dot || strlen(dot + 1) != 9)
        return;
    seconds = number_parse(download->mtime, (size_t)(dot - download->mtime));
    if (seconds < 0)
        return;
    times[1].tv_sec = (time_t)seconds;
    times[1].tv_nsec = (long)number_parse(dot + 1, 9);
    futimens(download->fd, times);
}

static enum status place(struct download *download)
{
    int rc = 0;

    set_time(download);
    if (fsync(download->fd) < 0)
        rc = -errno;
    else if (download->client->force)
        rc = rename(download->part, download->local) < 0 ? -errno : 0;
    else
        rc = resolve_rename(AT_FDCWD, download->part, download->local);
    if (rc == -EEXIST)
        return client_say(STATUS_EXISTS, "%s: exists already", download->local);
    return rc < 0 ? client_cannot(download->local, rc) : STATUS_DONE;
}

static enum status run(struct download *download)
{
    struct reply reply;
    enum status status = client_ask(download->client, &reply, download->name,
                                    "STAT %s\n", download->encoded);
    int rc;

    if (status)
        return status;
    if (read_state(&reply, &download->size, download->mtime) < 0)
        return client_lose(download->client, download->name, CONNECTION_BABBLE);
    rc = open_part(download);
    if (rc == -EWOULDBLOCK)
        return client_say(STATUS_EXISTS, "%s: another download is under way",
                          download->local);
    if (rc < 0)
        return client_cannot(download->local, rc);
    status = receive(download);
    if (status == STATUS_DONE)
        status = verify(download);
    if (status == STATUS_DONE)
        status = place(download);
    if (status && download->done == 0)
        unlink(download->part);
    return status;
}

enum status client_get(struct client *client, const char *name,
                       const char *local)
{
    struct download download = {.client = client,
                                .name = name,
                                .local = local,
                                .fd = -1};
    enum status status;

    if (strlen(name) > PROTOCOL_NAME)
        return client_say(STATUS_REFUSED, "a name has at most 255 bytes");
    if (!client->force && access(local, F_OK) == 0)
        return client_say(STATUS_EXISTS,
                          "%s: exists already; --force replaces it", local);
    download.digest = digest_new();
    if (!download.digest)
        return client_cannot(local, -ENOMEM);
    name_encode(download.encoded, name, strlen(name));
    status = run(&download);
    if (download.fd >= 0)
        close(download.fd);
    digest_free(download.digest);
    return status;
}
