/* PUT, DATA, COMMIT and ABORT.  After an upload failed, what belongs to it is
 * passed over, as the client may not have seen yet that it did. */
#include "session.h"

#include <stdio.h>

/* Ends the upload with its one and only error. */
static void fail(struct session *session, int error)
{
    upload_abandon(session->upload);
    session->upload = NULL;
    session->passes_over = 1;
    session_fault(session, error);
    sks_wfile_flush(session->out);
}

void session_put(struct session *session)
{
    const struct command *command = &session->command;
    struct upload_order order = {.user = session->user,
                                 .name = command->name,
                                 .id = command->id,
                                 .size = command->length,
                                 .replace = command->replace};
    char keys[64];
    int rc = upload_begin(&session->upload, &session->service->library, &order,
                          session_busy, session);

    session->upload_command = *command;
    clock_gettime(CLOCK_MONOTONIC, &session->upload_began);
    if (rc < 0) {
        session->upload = NULL;
        session->passes_over = 1;
        session_fault(session, rc);
        return;
    }
    snprintf(keys, sizeof keys, " offset=%jd",
             (intmax_t)upload_received(session->upload));
    session_reply(session, CODE_GO_AHEAD, keys, "go ahead");
}

/* Who is too slow after a while holds up others on purpose. */
static int is_too_slow(const struct session *session,
                       const struct timespec *began, int64_t done)
{
    struct timespec now;
    int64_t seconds;

    clock_gettime(CLOCK_MONOTONIC, &now);
    seconds = now.tv_sec - began->tv_sec;
    return seconds > session->service->idle_ms / 1000 + 1 &&
           done / seconds < session->service->min_rate;
}

/* Passes the bytes of a DATA over. */
static void skip(struct session *session, int64_t n)
{
    session_limit_time(session, n);
    if (sks_rfile_skip(session->in, n) < n)
        session->ends = 1;
    session_lift_limit(session);
}

/* Takes bytes for the upload, until it fails; how many it took. */
static int64_t receive(struct session *session, int64_t n)
{
    struct timespec began;
    int64_t done = 0;
    int rc = 0;

    clock_gettime(CLOCK_MONOTONIC, &began);
    while (rc == 0 && done < n) {
        size_t fit;
        char *room = upload_room(session->upload, &fit);
        ssize_t got =
            sks_rfile_read1(session->in, room,
                            n - done < (int64_t)fit ? (size_t)(n - done) : fit);

        if (got <= 0 || is_too_slow(session, &began, done)) {
            session->ends = 1;
            break;
        }
        done += got;
        rc = upload_write(session->upload, (size_t)got);
    }
    if (rc < 0)
        fail(session, rc);
    return done;
}

void session_data(struct session *session)
{
    int64_t n = session->command.length, done = 0;

    if (!session->upload && !session->passes_over) {
        session->ends = 1;
        session_reply(session, CODE_MALFORMED, "", "there is no upload");
        return;
    }
    if (session->upload)
        done = receive(session, n);
    if (!session->ends && done < n)
        skip(session, n - done);
}

static int has_no_upload(struct session *session)
{
    if (session->upload)
        return 0;
    if (!session->passes_over)
        session_reply(session, CODE_MALFORMED, "", "there is no upload");
    session->passes_over = 0;
    session->upload_command.verb = VERB_NONE;
    return 1;
}

struct commitment {
    struct upload *upload;
    const unsigned char *digest;
};

static int commit(void *arg)
{
    const struct commitment *commitment = arg;

    return upload_commit(commitment->upload, commitment->digest);
}

void session_commit(struct session *session)
{
    struct commitment commitment;
    char keys[128], hex[PROTOCOL_HEX + 1];
    int64_t size;
    int rc;

    if (has_no_upload(session))
        return;
    size = upload_received(session->upload);
    commitment = (struct commitment){session->upload, session->command.digest};
    rc = sks_request_offload(session->request, commit, &commitment);
    session->upload = NULL;
    session->bytes = size;
    if (rc < 0) {
        session_fault(session, rc);
        return;
    }
    hex_encode(hex, session->command.digest, PROTOCOL_DIGEST);
    snprintf(keys, sizeof keys, " size=%jd sha256=%s", (intmax_t)size, hex);
    session_reply(session, CODE_STORED, keys, "stored");
}

void session_abort(struct session *session)
{
    if (has_no_upload(session))
        return;
    upload_abandon(session->upload);
    session->upload = NULL;
    session_reply(session, CODE_DONE, "", "abandoned");
}

void session_drop_upload(struct session *session)
{
    struct record_entry entry = {.client = sks_request_client_address(
                                     session->request),
                                 .user = session->user,
                                 .command = &session->upload_command,
                                 .began = session->upload_began};

    if (!session->upload)
        return;
    entry.bytes = upload_received(session->upload);
    upload_keep(session->upload);
    session->upload = NULL;
    record_add(&session->record, &entry);
}
