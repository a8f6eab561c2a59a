/* A connection to the server, from the greeting to its end.  It runs under
 * every strategy: whatever connections share is the service, which does not
 * change while it serves, the folder, and a cache with a lock. */
#ifndef FILELIB_SESSION_H
#define FILELIB_SESSION_H

#include "library.h"
#include "listing.h"
#include "record.h"
#include "upload.h"

#include <sockserver.h>

/** What all connections share; the server's data. */
struct service {
    struct library library;
    struct listing_cache *listings;
    const char *token_file; /**< NULL: everybody may use the library */
    int idle_ms;            /**< how long a client may be silent */
    int64_t min_rate;       /**< bytes a second of those who are not */
    int log_fd;             /**< -1: no log */
};

/** A connection; what a request's self is. */
struct session {
    const struct service *service;
    sks_request *request;
    sks_rfile *in;
    sks_wfile *out;
    char nonce[PROTOCOL_HEX + 1];
    char user[PROTOCOL_ID + 1]; /**< "": nobody yet */
    int may_use;
    int ends;           /**< after the reply */
    unsigned malformed; /**< commands in a row */
    struct command command;
    struct upload *upload;         /**< under way, or NULL */
    struct command upload_command; /**< for the log, when it ends */
    struct timespec upload_began;
    int passes_over; /**< DATA and what ends them, after a failed PUT */
    char *buf;       /**< SESSION_BUF bytes once needed; see session_buf() */
    int64_t bytes;   /**< of the command's file, for the log */
    int code;        /**< of the reply, for the log; 0: none yet */
    time_t told;     /**< when session_busy() last told */
    struct record record;
};

enum { SESSION_BUF = 256 * 1024 };

/** What sks_server's constructor wants. */
extern const sks_handler session_handler;

/* --- for the parts of a session --- */

/** Sends a reply without a body.  keys is "" or starts with a space. */
void session_reply(struct session *session, int code, const char *keys,
                   const char *sentence);

/** Sends what an error is to a client. */
void session_fault(struct session *session, int error);

/** Tells the client, at most once a second, that its command takes a while.
 * For digest_add_file().  @return below 0 if the client is gone */
int session_busy(void *session);

/** Bounds the time that n bytes take on their way, in either direction: what a
 * client may be silent for, and what the slowest one needs. */
void session_limit_time(struct session *session, int64_t n);

/** The same for bytes that are sent, unless they are so few that they cannot
 * be on their way for long. */
void session_limit_sending(struct session *session, int64_t n);

/** Lifts either. */
void session_lift_limit(struct session *session);

/** The buffer; NULL, and the reply for it, when out of memory. */
char *session_buf(struct session *session);

/** Runs the command, which is well-formed and may be run now. */
void session_run(struct session *session);

/** The commands about a file's bytes. */
void session_get(struct session *session);
void session_digest(struct session *session);

/** The commands of an upload. */
void session_put(struct session *session);
void session_data(struct session *session);
void session_commit(struct session *session);
void session_abort(struct session *session);

/** Ends an upload that is under way when the connection ends. */
void session_drop_upload(struct session *session);

#endif
