#include "client.h"

#include "access.h"
#include "digest.h"
#include "print.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOKEN = 256, SENTENCE = 5000 };

enum status client_say(enum status status, const char *format, ...)
{
    char text[SENTENCE], escaped[4 * SENTENCE + 1];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    print_escaped(escaped, sizeof escaped, text, SENTENCE);
    fprintf(stderr, "sockserver-file: %s\n", escaped);
    return status;
}

enum status client_cannot(const char *local, int error)
{
    return client_say(STATUS_FAULT, "%s: %s", local, strerror(-error));
}

static enum status status_of(int code)
{
    switch (code) {
    case CODE_MALFORMED:
    case CODE_WHO:
    case CODE_REFUSED:
    case CODE_TOO_LARGE:
    case CODE_NO_ROOM:
        return STATUS_REFUSED;
    case CODE_NOT_FOUND:
        return STATUS_NOT_FOUND;
    case CODE_EXISTS:
        return STATUS_EXISTS;
    case CODE_CORRUPTED:
        return STATUS_CORRUPTED;
    case CODE_IDLE:
    case CODE_STOPPING:
        return STATUS_INTERRUPTED;
    default:
        return STATUS_FAULT;
    }
}

static enum status say_reply(const char *what, const struct reply *reply)
{
    return client_say(status_of(reply->code), "%s: %s", what, reply->sentence);
}

void client_disconnect(struct client *client)
{
    connection_close(client->connection);
    client->connection = NULL;
}

enum status client_lose(struct client *client, const char *what, int error)
{
    client_disconnect(client);
    return client_say(error == CONNECTION_BABBLE ? STATUS_FAULT
                                                 : STATUS_INTERRUPTED,
                      "%s: %s", what, connection_strerror(error));
}

/* --- connecting --- */

static int is_spoken(const struct reply *greeting)
{
    char versions[64];
    char *rest;

    if (greeting->code != CODE_DONE ||
        reply_value(greeting, "protocol", versions, sizeof versions) < 0)
        return 0;
    for (char *version = strtok_r(versions, ",", &rest); version;
         version = strtok_r(NULL, ",", &rest))
        if (number_parse(version, strlen(version)) == PROTOCOL_VERSION)
            return 1;
    return 0;
}

/* Proves who we are.  @return 0, an error, or 1 after a refusal that was told
 */
static int prove(struct client *client, const char *nonce)
{
    unsigned char proof[PROTOCOL_DIGEST];
    char token[TOKEN], hex[PROTOCOL_HEX + 1];
    struct reply reply;
    int rc;

    if (!client->token_file || !client->user) {
        client_say(STATUS_REFUSED,
                   "the server wants a token: use --user and --token-file");
        return 1;
    }
    if (access_read_token(client->token_file, token, sizeof token) < 0 ||
        digest_proof(proof, token, nonce, client->user) < 0) {
        client_say(STATUS_REFUSED, "%s: it has no token", client->token_file);
        return 1;
    }
    hex_encode(hex, proof, sizeof proof);
    rc = connection_printf(client->connection, "AUTH %s %s\n", client->user,
                           hex);
    if (rc == 0)
        rc = connection_read_reply(client->connection, &reply);
    if (rc == 0 && reply.code != CODE_DONE) {
        say_reply("access", &reply);
        return 1;
    }
    return rc;
}

/* As prove(). */
static int greet(struct client *client)
{
    char access[16], nonce[PROTOCOL_HEX + 1];
    struct reply reply;
    int rc = connection_read_reply(client->connection, &reply);

    if (rc < 0)
        return rc;
    if (!is_spoken(&reply) || reply.length != 0 ||
        reply_value(&reply, "access", access, sizeof access) < 0)
        return CONNECTION_BABBLE;
    print_escaped(client->greeting, sizeof client->greeting, reply.sentence,
                  255);
    if (strcmp(access, "token") != 0)
        return 0;
    if (reply_value(&reply, "nonce", nonce, sizeof nonce) < 0)
        return CONNECTION_BABBLE;
    return prove(client, nonce);
}

enum status client_connect(struct client *client)
{
    const struct target *target = &client->target;
    enum status status;
    int rc;

    if (client->connection)
        return STATUS_DONE;
    rc = connection_open(&client->connection, target);
    if (rc == 0)
        rc = greet(client);
    if (rc == 0)
        return STATUS_DONE;
    client_disconnect(client);
    if (rc > 0)
        return STATUS_REFUSED;
    status = rc == CONNECTION_INTERRUPTED ? STATUS_INTERRUPTED
                                          : STATUS_CANNOT_CONNECT;
    if (target->path)
        return client_say(status, "%s: %s", target->path,
                          connection_strerror(rc));
    return client_say(status, "%s port %s: %s", target->host, target->port,
                      connection_strerror(rc));
}

/* --- commands --- */

/* Sends the line and receives a reply, on a connection that is there. */
static int exchange(struct client *client, struct reply *reply,
                    const char *line)
{
    int rc = connection_write(client->connection, line, strlen(line));

    return rc == 0 || rc == CONNECTION_LOST
               ? connection_read_reply(client->connection, reply)
               : rc;
}

static int is_over(int rc, const struct reply *reply)
{
    return rc == CONNECTION_LOST || (rc == 0 && (reply->code == CODE_IDLE ||
                                                 reply->code == CODE_STOPPING));
}

static enum status judge(struct client *client, const struct reply *reply,
                         const char *what)
{
    if (reply->code >= 100 && reply->code < 300)
        return STATUS_DONE;
    /* An error has no body; where it has one nothing can follow. */
    if (reply->length > 0 || reply->code == CODE_WHO ||
        reply->code == CODE_IDLE || reply->code == CODE_STOPPING)
        client_disconnect(client);
    return say_reply(what, reply);
}

enum status client_ask(struct client *client, struct reply *reply,
                       const char *what, const char *format, ...)
{
    char line[PROTOCOL_LINE + 1];
    int was_there = client->connection != NULL;
    enum status status = client_connect(client);
    va_list args;
    int n, rc;

    if (status)
        return status;
    va_start(args, format);
    n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof line)
        return client_say(STATUS_USAGE, "that is too long");
    rc = exchange(client, reply, line);
    /* The server may have ended it while nobody looked. */
    if (was_there && is_over(rc, reply)) {
        client_disconnect(client);
        status = client_connect(client);
        if (status)
            return status;
        rc = exchange(client, reply, line);
    }
    return rc < 0 ? client_lose(client, what, rc) : judge(client, reply, what);
}

enum status client_await(struct client *client, struct reply *reply,
                         const char *what)
{
    int rc = connection_read_reply(client->connection, reply);

    return rc < 0 ? client_lose(client, what, rc) : judge(client, reply, what);
}
