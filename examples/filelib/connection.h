/* The client's end of a connection: bytes and replies, with a limit on each
 * wait, so that a lost server is an error and not a hang. */
#ifndef FILELIB_CONNECTION_H
#define FILELIB_CONNECTION_H

#include "protocol.h"

#include <sys/types.h>

/** Where the server is. */
struct target {
    const char *host;
    const char *port;
    const char *path; /**< of a Unix socket, instead; or NULL */
    int connect_ms;   /**< how long connecting may take */
    int silence_ms;   /**< how long each wait may take afterwards */
};

/** What went wrong on the way; beside errno negated. */
enum connection_error {
    CONNECTION_LOST = -5001,        /**< the server is gone */
    CONNECTION_SILENT = -5002,      /**< it says nothing for too long */
    CONNECTION_INTERRUPTED = -5003, /**< Ctrl-C */
    CONNECTION_BABBLE = -5004,      /**< what it says is not the protocol */
    CONNECTION_NO_HOST = -5005      /**< no such host */
};

/** A sentence about one of these; static. */
const char *connection_strerror(int error);

struct connection;

/** Connects.  @return 0 or an error */
int connection_open(struct connection **out, const struct target *target);

/** Accepts NULL. */
void connection_close(struct connection *connection);

/** Sends n bytes.  @return 0 or an error */
int connection_write(struct connection *connection, const void *bytes,
                     size_t n);

/** Sends a formatted line, which a LF ends already. */
int connection_printf(struct connection *connection, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Receives what is there, up to n bytes.  @return the count, at least 1, or
 * an error */
ssize_t connection_read(struct connection *connection, void *buf, size_t n);

/** Receives a line of size - 1 bytes at most, and adds a NUL.
 * @return its length with its LF, or an error */
ssize_t connection_read_line(struct connection *connection, char *line,
                             size_t size);

/** Receives a reply, passing over those that say that it takes a while.
 * @return 0 or an error */
int connection_read_reply(struct connection *connection, struct reply *reply);

/** Whether there is something to read already. */
int connection_has_input(struct connection *connection);

#endif
