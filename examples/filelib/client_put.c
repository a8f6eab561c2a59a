/* Uploads.  The upload's ID says of which state of which local file it is, so
 * that the server, if it kept the beginning of a transfer that broke, goes on
 * with the same bytes only. */
#include "client.h"

#include "digest.h"
#include "progress.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD = 32, BUF = 1024 * 1024 };

struct sending {
    struct client *client;
    const char *name;
    const char *local;
    int fd;
    struct stat status;
    int64_t done;
    struct digest *digest;
    struct progress progress;
};

/* Two local files that are the same bytes may have different IDs, but not the
 * other way round. */
static void print_id(struct sending *sending, char id[33])
{
    const struct stat *status = &sending->status;
    unsigned char key[PROTOCOL_DIGEST];
    char text[160];
    int n = snprintf(text, sizeof text, "%ju %ju %jd %jd.%09ld",
                     (uintmax_t)status->st_dev, (uintmax_t)status->st_ino,
                     (intmax_t)status->st_size,
                     (intmax_t)status->st_mtim.tv_sec, status->st_mtim.tv_nsec);

    digest_add(sending->digest, text, (size_t)n);
    digest_end(sending->digest, key);
    digest_restart(sending->digest);
    hex_encode(id, key, 16);
}

/* Gives up between two DATA: the connection can go on. */
static enum status give_up(struct sending *sending, enum status status)
{
    struct reply reply;
    struct connection *connection = sending->client->connection;

    if (connection_printf(connection, "ABORT\n") < 0 ||
        connection_read_reply(connection, &reply) < 0)
        client_disconnect(sending->client);
    return status;
}

/* A reply before its time: the upload failed.  COMMIT or ABORT gets none. */
static enum status hear_failure(struct sending *sending)
{
    struct reply reply;
    enum status status = client_await(sending->client, &reply, sending->name);

    if (sending->client->connection &&
        connection_printf(sending->client->connection, "ABORT\n") < 0)
        client_disconnect(sending->client);
    return status ? status : STATUS_FAULT;
}

/* Sends the next part of the file, with the line before it in one piece.
 * @return how many bytes of the file; 0 at its end; or an error */
static ssize_t send_part(struct sending *sending, char *buf, int *error)
{
    char *data = buf + HEAD;
    ssize_t n = pread(sending->fd, data, BUF, sending->done);
    char head[HEAD];
    int len;

    if (n <= 0)
        return n < 0 ? -errno : 0;
    if (n > sending->status.st_size - sending->done)
        n = sending->status.st_size - sending->done;
    len = snprintf(head, sizeof head, "DATA %zd\n", n);
    memcpy(data - len, head, (size_t)len);
    digest_add(sending->digest, data, (size_t)n);
    *error = connection_write(sending->client->connection, data - len,
                              (size_t)(n + len));
    return n;
}

static enum status send_file(struct sending *sending, char *buf)
{
    struct client *client = sending->client;

    while (sending->done < sending->status.st_size) {
        int error = 0;
        ssize_t n = send_part(sending, buf, &error);

        if (n <= 0)
            return give_up(sending,
                           client_cannot(sending->local, n ? (int)n : -EIO));
        if (error < 0)
            return client_lose(client, sending->name, error);
        sending->done += n;
        progress_show(&sending->progress, sending->done);
        if (connection_has_input(client->connection))
            return hear_failure(sending);
    }
    return STATUS_DONE;
}

static int is_unchanged(const struct sending *sending)
{
    struct stat now;

    return fstat(sending->fd, &now) == 0 &&
           now.st_size == sending->status.st_size &&
           now.st_mtim.tv_sec == sending->status.st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == sending->status.st_mtim.tv_nsec;
}

static enum status commit(struct sending *sending)
{
    unsigned char digest[PROTOCOL_DIGEST];
    char hex[PROTOCOL_HEX + 1];
    struct reply reply;
    int rc;

    if (!is_unchanged(sending))
        return give_up(sending,
                       client_say(STATUS_FAULT, "%s: changed meanwhile",
                                  sending->local));
    digest_end(sending->digest, digest);
    hex_encode(hex, digest, sizeof digest);
    rc = connection_printf(sending->client->connection, "COMMIT %s\n", hex);
    if (rc < 0 && rc != CONNECTION_LOST)
        return client_lose(sending->client, sending->name, rc);
    return client_await(sending->client, &reply, sending->name);
}

/* What the server has already it need not get, but the digest needs it. */
static enum status skip_known(struct sending *sending,
                              const struct reply *reply)
{
    int rc;

    sending->done = reply_number(reply, "offset");
    if (reply->code != CODE_GO_AHEAD || sending->done < 0 ||
        sending->done > sending->status.st_size)
        return client_lose(sending->client, sending->name, CONNECTION_BABBLE);
    rc = digest_add_file(sending->digest, sending->fd, 0, sending->done, NULL,
                         NULL);
    return rc < 0 ? give_up(sending, client_cannot(sending->local, rc))
                  : STATUS_DONE;
}

static enum status run(struct sending *sending, char *buf)
{
    struct client *client = sending->client;
    char encoded[PROTOCOL_ENCODED + 1], id[33];
    struct reply reply;
    enum status status;

    print_id(sending, id);
    name_encode(encoded, sending->name, strlen(sending->name));
    status =
        client_ask(client, &reply, sending->name, "PUT %s %jd%s resume=%s\n",
                   encoded, (intmax_t)sending->status.st_size,
                   client->force ? " replace" : "", id);
    if (status == STATUS_DONE)
        status = skip_known(sending, &reply);
    if (status)
        return status;
    progress_start(&sending->progress, client->quiet, sending->name,
                   sending->status.st_size, sending->done);
    status = send_file(sending, buf);
    progress_end(&sending->progress, sending->done);
    return status ? status : commit(sending);
}

static enum status run_with_memory(struct sending *sending)
{
    char *buf = malloc(HEAD + BUF);
    enum status status;

    sending->digest = digest_new();
    if (buf && sending->digest)
        status = run(sending, buf);
    else
        status = client_cannot(sending->local, -ENOMEM);
    digest_free(sending->digest);
    free(buf);
    return status;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

enum status client_put(struct client *client, const char *local,
                       const char *name)
{
    struct sending sending = {.client = client, .name = name, .local = local};
    enum status status;

    if (!name)
        name = sending.name = last_part(local);
    if (strlen(name) > PROTOCOL_NAME)
        return client_say(STATUS_REFUSED, "a name has at most 255 bytes");
    sending.fd = open(local, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (sending.fd < 0)
        return errno == ENOENT
                   ? client_say(STATUS_NOT_FOUND, "%s: no such file", local)
                   : client_cannot(local, -errno);
    if (fstat(sending.fd, &sending.status) < 0 ||
        !S_ISREG(sending.status.st_mode))
        status = client_say(STATUS_FAULT, "%s: not a regular file", local);
    else
        status = run_with_memory(&sending);
    close(sending.fd);
    return status;
}
