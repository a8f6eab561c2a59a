/* GET and DIGEST.
 *
 * If the digest of the file is known, the file goes out without being touched;
 * otherwise it is read once, for the peer and the digest, which is then kept.
 *
 * Within a body there is no way to tell of an error but to end the connection:
 * the client misses bytes and knows.  A file that changed while it was sent is
 * told in the reply behind the body. */
#include "session.h"

#include "digest.h"
#include "fault.h"
#include "stamp.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { KEYS = 256, PART = 1024 * 1024 };

/* A file that goes out. */
struct sending {
    int fd;
    struct stat status;
    int64_t offset, n;
    unsigned char digest[PROTOCOL_DIGEST];
    int is_whole; /* what digest is of */
};

static int print_state(char *keys, size_t size, const struct stat *status)
{
    return snprintf(keys, size, " size=%jd mtime=%jd.%09ld",
                    (intmax_t)status->st_size, (intmax_t)status->st_mtim.tv_sec,
                    status->st_mtim.tv_nsec);
}

static void choose_range(struct sending *sending, const struct command *command)
{
    int64_t left;

    sending->offset = command->offset < sending->status.st_size
                          ? command->offset
                          : sending->status.st_size;
    left = sending->status.st_size - sending->offset;
    sending->n =
        command->length >= 0 && command->length < left ? command->length : left;
}

static void send_head(struct session *session, const struct sending *sending)
{
    char keys[KEYS];

    print_state(keys, sizeof keys, &sending->status);
    sks_wfile_printf(session->out, "%d %jd offset=%jd%s : follows\n", CODE_DONE,
                     (intmax_t)sending->n, (intmax_t)sending->offset, keys);
}

static ssize_t read_part(const struct sending *sending, char *buf, int64_t done)
{
    int64_t left = sending->n - done;
    ssize_t n;

    do
        n = pread(sending->fd, buf,
                  left < SESSION_BUF ? (size_t)left : SESSION_BUF,
                  sending->offset + done);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n == 0 ? -EIO : n;
}

/* Sends the range and makes its digest on the way. */
static int send_digesting(struct session *session, struct sending *sending)
{
    char *buf = session->buf;
    struct digest *digest = digest_new();
    int64_t done = 0;
    ssize_t n = digest ? 0 : -ENOMEM;

    while (n >= 0 && done < sending->n) {
        n = read_part(sending, buf, done);
        if (n > 0) {
            int rc;

            session_limit_sending(session, n);
            rc = sks_wfile_write(session->out, buf, (size_t)n);
            digest_add(digest, buf, (size_t)n);
            done += n;
            n = rc;
        }
    }
    if (n >= 0)
        digest_end(digest, sending->digest);
    digest_free(digest);
    session->bytes = done;
    sending->is_whole = sending->n == sending->status.st_size;
    return n < 0 ? (int)n : 0;
}

/* Sends the range as it is, in parts that each have their time: who takes a
 * byte now and then would else be served for ever. */
static int send_untouched(struct session *session, struct sending *sending)
{
    int rc = 0;

    while (rc == 0 && session->bytes < sending->n) {
        int64_t n = sending->n - session->bytes;

        if (n > PART)
            n = PART;
        session_limit_sending(session, n);
        rc = sks_wfile_sendfile(session->out, sending->fd,
                                sending->offset + session->bytes, n);
        if (rc == 0)
            session->bytes += n;
    }
    sending->is_whole = 1;
    return rc;
}

static int send_body(struct session *session, struct sending *sending)
{
    int rc;

    if (stamp_read(sending->fd, &sending->status, sending->digest))
        return send_untouched(session, sending);
    rc = send_digesting(session, sending);
    if (rc == 0 && sending->is_whole &&
        library_is_unchanged(sending->fd, &sending->status) &&
        !session->service->library.options.read_only)
        stamp_write(sending->fd, &sending->status, sending->digest);
    return rc;
}

static void send_tail(struct session *session, const struct sending *sending)
{
    char keys[KEYS], hex[PROTOCOL_HEX + 1];

    if (!library_is_unchanged(sending->fd, &sending->status)) {
        session_fault(session, -ESTALE);
        return;
    }
    hex_encode(hex, sending->digest, PROTOCOL_DIGEST);
    snprintf(keys, sizeof keys, " of=%s sha256=%s",
             sending->is_whole ? "file" : "range", hex);
    session_reply(session, CODE_DONE, keys, "sent");
}

void session_get(struct session *session)
{
    const struct command *command = &session->command;
    struct sending sending = {0};
    int rc;

    sending.fd = library_open_file(&session->service->library, command->name,
                                   &sending.status);
    if (sending.fd < 0) {
        session_fault(session, sending.fd);
        return;
    }
    /* From here on whatever fails must end the connection: allocate now. */
    if (session_buf(session)) {
        choose_range(&sending, command);
        send_head(session, &sending);
        rc = send_body(session, &sending);
        session_lift_limit(session);
        if (rc == 0)
            send_tail(session, &sending);
        else if (rc != SKS_ECLOSED && rc != SKS_ETIMEDOUT)
            session->code = CODE_FAULT;
        session->ends = rc < 0;
    }
    close(sending.fd);
}

/* The digest of the file, from where it is kept or from its bytes. */
static int find_digest(struct session *session, struct sending *sending)
{
    struct digest *digest;
    int rc;

    if (stamp_read(sending->fd, &sending->status, sending->digest))
        return 0;
    digest = digest_new();
    if (!digest)
        return -ENOMEM;
    rc = digest_add_file(digest, sending->fd, 0, sending->status.st_size,
                         session_busy, session);
    if (rc == 0 && !library_is_unchanged(sending->fd, &sending->status))
        rc = -ESTALE;
    if (rc == 0) {
        digest_end(digest, sending->digest);
        if (!session->service->library.options.read_only)
            stamp_write(sending->fd, &sending->status, sending->digest);
    }
    digest_free(digest);
    return rc;
}

void session_digest(struct session *session)
{
    struct sending sending = {0};
    char keys[KEYS], hex[PROTOCOL_HEX + 1];
    int rc, n;

    sending.fd = library_open_file(&session->service->library,
                                   session->command.name, &sending.status);
    rc = sending.fd < 0 ? sending.fd : 0;
    if (rc == 0)
        rc = find_digest(session, &sending);
    if (rc < 0) {
        session_fault(session, rc);
    } else {
        n = print_state(keys, sizeof keys, &sending.status);
        hex_encode(hex, sending.digest, PROTOCOL_DIGEST);
        snprintf(keys + n, sizeof keys - (size_t)n, " sha256=%s", hex);
        session_reply(session, CODE_DONE, keys, "here it is");
    }
    if (sending.fd >= 0)
        close(sending.fd);
}
