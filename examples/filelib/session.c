/* The greeting, and the loop over commands. */
#include "session.h"

#include "access.h"
#include "digest.h"
#include "fault.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MALFORMED_MAX = 16,
    LOG_DELAY_MS = 200,
    KEYS = 256,
    SMALL = 32 * 1024 /* less than the socket's buffers take at once */
};

void session_reply(struct session *session, int code, const char *keys,
                   const char *sentence)
{
    if (code != CODE_WORKING)
        session->code = code;
    sks_wfile_printf(session->out, "%d 0%s : %s\n", code, keys, sentence);
}

void session_fault(struct session *session, int error)
{
    session_reply(session, fault_code(error), "", fault_sentence(error));
}

int session_busy(void *arg)
{
    struct session *session = arg;
    time_t now = time(NULL);

    if (now == session->told)
        return 0;
    session->told = now;
    session_reply(session, CODE_WORKING, "", "working on it");
    return sks_wfile_flush(session->out);
}

void session_limit_time(struct session *session, int64_t n)
{
    const struct service *service = session->service;
    int64_t ms_most = INT_MAX - service->idle_ms;
    int64_t seconds = n / service->min_rate + 1;

    sks_request_set_deadline_ms(session->request,
                                service->idle_ms +
                                    (int)(seconds < ms_most / 1000
                                              ? seconds * 1000
                                              : ms_most));
}

void session_limit_sending(struct session *session, int64_t n)
{
    if (n > SMALL)
        session_limit_time(session, n);
}

void session_lift_limit(struct session *session)
{
    sks_request_set_deadline_ms(session->request, -1);
}

char *session_buf(struct session *session)
{
    if (!session->buf)
        session->buf = malloc(SESSION_BUF);
    if (!session->buf)
        session_fault(session, -ENOMEM);
    return session->buf;
}

/* --- the loop --- */

static int is_of_upload(enum verb verb)
{
    return verb == VERB_DATA || verb == VERB_COMMIT || verb == VERB_ABORT;
}

/* Before the verb is looked at: what no verb may do. */
static void refuse(struct session *session, const char *wrong)
{
    session_reply(session, CODE_MALFORMED, "", wrong);
    /* What follows this PUT is not meant as commands, and how much follows
     * this DATA cannot be told. */
    if (session->command.verb == VERB_PUT && !session->upload)
        session->passes_over = 1;
    if (session->command.verb == VERB_DATA ||
        ++session->malformed == MALFORMED_MAX)
        session->ends = 1;
}

static void obey(struct session *session, const char *wrong)
{
    enum verb verb = session->command.verb;

    if (!is_of_upload(verb) && !session->upload)
        session->passes_over = 0;
    if (wrong)
        refuse(session, wrong);
    else if (is_of_upload(verb))
        session_run(session);
    else if (!session->may_use && verb != VERB_AUTH && verb != VERB_QUIT) {
        session->passes_over = verb == VERB_PUT;
        session_reply(session, CODE_WHO, "", "prove who you are first");
    } else if (session->upload && verb != VERB_QUIT)
        refuse(session, "an upload is under way");
    else {
        session->malformed = 0;
        session_run(session);
    }
}

static void log_command(struct session *session, const struct timespec *began)
{
    struct record_entry entry = {.client = sks_request_client_address(
                                     session->request),
                                 .user = session->user,
                                 .command = &session->command,
                                 .bytes = session->bytes,
                                 .began = *began,
                                 .code = session->code};

    /* An upload is one line, when it ends. */
    if (session->code == CODE_GO_AHEAD ||
        (session->code == 0 && is_of_upload(session->command.verb)))
        return;
    if (is_of_upload(session->command.verb) &&
        session->upload_command.verb == VERB_PUT) {
        entry.command = &session->upload_command;
        entry.began = session->upload_began;
    }
    record_add(&session->record, &entry);
}

/* Waits for the next command's first bytes.  Log lines wait with it for a
 * moment: if nothing comes, they are written. */
static ssize_t wait_for_bytes(struct session *session, const void **data)
{
    ssize_t n;

    if (session->record.n > 0) {
        sks_request_set_timeout_ms(session->request, LOG_DELAY_MS);
        n = sks_rfile_peek(session->in, 1, data);
        sks_request_set_timeout_ms(session->request, session->service->idle_ms);
        if (n != SKS_ETIMEDOUT)
            return n;
        record_flush(&session->record);
    }
    return sks_rfile_peek(session->in, 1, data);
}

static ssize_t next_line(struct session *session, char *line)
{
    const void *data;
    ssize_t n = wait_for_bytes(session, &data);

    if (n <= 0)
        return n;
    if (memchr(data, '\n', (size_t)n))
        return sks_rfile_readline(session->in, line, PROTOCOL_LINE + 1);
    /* Against those who send a byte now and then. */
    session_limit_time(session, 0);
    n = sks_rfile_readline(session->in, line, PROTOCOL_LINE + 1);
    session_lift_limit(session);
    return n;
}

/* The end of the conversation, when no line came. */
static void say_why(struct session *session, ssize_t n)
{
    if (n == SKS_ETIMEDOUT)
        session_reply(session, CODE_IDLE, "", "nothing came for too long");
    else if (n == SKS_ETOOLONG)
        session_reply(session, CODE_MALFORMED, "", "the line is too long");
    else if (n >= 0 && sks_request_stopping(session->request))
        session_reply(session, CODE_STOPPING, "", "the server ends");
}

static void greet(struct session *session)
{
    unsigned char nonce[PROTOCOL_DIGEST];
    char keys[KEYS] = " protocol=1 access=open", sentence[64];

    if (!session->may_use) {
        if (digest_random(nonce, sizeof nonce) < 0) {
            session->ends = 1;
            session_fault(session, -EIO);
            return;
        }
        hex_encode(session->nonce, nonce, sizeof nonce);
        snprintf(keys, sizeof keys, " protocol=1 access=token nonce=%s",
                 session->nonce);
    }
    snprintf(sentence, sizeof sentence, "sockserver-filed %s", sks_version());
    session_reply(session, CODE_DONE, keys, sentence);
}

static int setup(sks_request *request)
{
    struct session *session = sks_request_self(request);
    const struct service *service =
        sks_server_data(sks_request_server(request));
    int peer;

    session->service = service;
    session->request = request;
    session->in = sks_request_rfile(request);
    session->out = sks_request_wfile(request);
    session->record.fd = service->log_fd;
    sks_request_set_timeout_ms(request, service->idle_ms);
    peer = access_peer(sks_request_fileno(request), session->user,
                       sizeof session->user);
    session->may_use = !service->token_file || peer == 1;
    return 0;
}

/* What the peer does wrong, and its going away, is no fault of the server, so
 * that the result is always 0. */
static int handle(sks_request *request)
{
    struct session *session = sks_request_self(request);
    char line[PROTOCOL_LINE + 1];
    struct timespec began;
    ssize_t n = 0;

    greet(session);
    while (!session->ends) {
        n = next_line(session, line);
        /* Who went away within a command did not mean what it looks like. */
        if (n <= 0 || line[n - 1] != '\n')
            break;
        clock_gettime(CLOCK_MONOTONIC, &began);
        session->code = 0;
        session->bytes = 0;
        obey(session, command_parse(&session->command, line, (size_t)n));
        log_command(session, &began);
    }
    if (!session->ends)
        say_why(session, n);
    return 0;
}

static void finish(sks_request *request)
{
    struct session *session = sks_request_self(request);

    session_drop_upload(session);
    record_flush(&session->record);
    free(session->buf);
}

const sks_handler session_handler = {.size = sizeof session_handler,
                                     .self_size = sizeof(struct session),
                                     .setup = setup,
                                     .handle = handle,
                                     .finish = finish};
