/* The client: a server to talk to, how, and what came of it.
 *
 * Whatever fails says so in one sentence on standard error and returns a
 * status; a connection on which nothing can follow is closed, and made anew by
 * the next command. */
#ifndef FILELIB_CLIENT_H
#define FILELIB_CLIENT_H

#include "connection.h"

/** The exit status of the program; what each command returns. */
enum status {
    STATUS_DONE = 0,
    STATUS_FAULT = 1,
    STATUS_USAGE = 2,
    STATUS_CANNOT_CONNECT = 3,
    STATUS_REFUSED = 4,
    STATUS_NOT_FOUND = 5,
    STATUS_EXISTS = 6,
    STATUS_CORRUPTED = 7,
    STATUS_INTERRUPTED = 8
};

struct client {
    struct target target;
    const char *user;       /**< with a token, or NULL */
    const char *token_file; /**< or NULL */
    int quiet;
    int force;
    struct connection *connection; /**< NULL: none now */
    char greeting[PROTOCOL_LINE + 1];
};

/** Says a sentence about what failed.  Names and a server's words need no
 * escaping.  @return status */
enum status client_say(enum status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Says that something of a local file failed: an errno negated.
 * @return STATUS_FAULT */
enum status client_cannot(const char *local, int error);

/** Makes a connection if there is none. */
enum status client_connect(struct client *client);

/** Closes it if there is one. */
void client_disconnect(struct client *client);

/** Sends a command and receives its reply.  A connection that the server ended
 * meanwhile is made anew.
 * @return STATUS_DONE with a reply of 2xx or 150; else it said why not */
enum status client_ask(struct client *client, struct reply *reply,
                       const char *what, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/** Receives one more reply. */
enum status client_await(struct client *client, struct reply *reply,
                         const char *what);

/** Says what went wrong with the connection, and closes it. */
enum status client_lose(struct client *client, const char *what, int error);

/** Called for each file of a listing.  @return 0 to go on */
typedef int client_entry(void *arg, const char *name, int64_t size,
                         const char *mtime);

/** Receives a listing, and passes each file on. */
enum status client_list(struct client *client, client_entry *each, void *arg);

/** Downloads a file. */
enum status client_get(struct client *client, const char *name,
                       const char *local);

/** Uploads a file; name NULL: under the last part of its local one. */
enum status client_put(struct client *client, const char *local,
                       const char *name);

#endif
