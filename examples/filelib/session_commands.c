/* What each command does, if it is not of a file's bytes. */
#include "session.h"

#include "access.h"
#include "stamp.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { KEYS = 256 };

static void list(struct session *session)
{
    struct listing *listing;
    int rc = listing_cache_get(session->service->listings, &listing);

    if (rc < 0) {
        session_fault(session, rc);
        return;
    }
    session->bytes = (int64_t)listing->n;
    session_limit_sending(session, session->bytes);
    if (sks_wfile_write(session->out, listing->text, listing->n) == 0)
        session->code = CODE_DONE;
    session_lift_limit(session);
    listing_cache_release(session->service->listings, listing);
}

static void stat_file(struct session *session)
{
    unsigned char digest[PROTOCOL_DIGEST];
    char hex[PROTOCOL_HEX + 1], keys[KEYS];
    struct stat status;
    int fd = library_open_file(&session->service->library,
                               session->command.name, &status);
    int n;

    if (fd < 0) {
        session_fault(session, fd);
        return;
    }
    n = snprintf(keys, sizeof keys, " size=%jd mtime=%jd.%09ld",
                 (intmax_t)status.st_size, (intmax_t)status.st_mtim.tv_sec,
                 status.st_mtim.tv_nsec);
    if (stamp_read(fd, &status, digest)) {
        hex_encode(hex, digest, sizeof digest);
        snprintf(keys + n, sizeof keys - (size_t)n, " sha256=%s", hex);
    }
    close(fd);
    session_reply(session, CODE_DONE, keys, "here it is");
}

/* A change of the folder, which waits for the disk. */
static void change(struct session *session, int (*fn)(void *session),
                   const char *sentence)
{
    int rc = sks_request_offload(session->request, fn, session);

    if (rc < 0)
        session_fault(session, rc);
    else
        session_reply(session, CODE_DONE, "", sentence);
}

static int delete_file(void *arg)
{
    const struct session *session = arg;

    return library_delete(&session->service->library, session->command.name);
}

static int rename_file(void *arg)
{
    const struct session *session = arg;

    return library_rename(&session->service->library, session->command.name,
                          session->command.other);
}

static void prove(struct session *session)
{
    const struct service *service = session->service;
    const struct command *command = &session->command;

    if (service->token_file && session->nonce[0] &&
        access_prove(service->token_file, command->id, session->nonce,
                     command->digest)) {
        strcpy(session->user, command->id);
        session->may_use = 1;
        /* A proof counts once. */
        session->nonce[0] = '\0';
        session_reply(session, CODE_DONE, "", "welcome");
    } else if (session->may_use) {
        session_reply(session, CODE_MALFORMED, "", "there is nothing to prove");
    } else {
        session->ends = 1;
        session_reply(session, CODE_WHO, "", "that proves nothing");
    }
}

static void quit(struct session *session)
{
    session->ends = 1;
    session_reply(session, CODE_DONE, "", "bye");
}

void session_run(struct session *session)
{
    switch (session->command.verb) {
    case VERB_LIST:
        list(session);
        break;
    case VERB_STAT:
        stat_file(session);
        break;
    case VERB_DIGEST:
        session_digest(session);
        break;
    case VERB_GET:
        session_get(session);
        break;
    case VERB_PUT:
        session_put(session);
        break;
    case VERB_DATA:
        session_data(session);
        break;
    case VERB_COMMIT:
        session_commit(session);
        break;
    case VERB_ABORT:
        session_abort(session);
        break;
    case VERB_DELETE:
        change(session, delete_file, "deleted");
        break;
    case VERB_RENAME:
        change(session, rename_file, "renamed");
        break;
    case VERB_AUTH:
        prove(session);
        break;
    case VERB_QUIT:
        quit(session);
        break;
    case VERB_NONE:
        break;
    }
}
