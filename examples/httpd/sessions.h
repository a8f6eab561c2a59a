/* What a server remembers of a visitor between requests.  The store lies in
 * memory that is shared by the threads and by the processes that are forked
 * after it was made, so that it serves under each strategy alike. */
#ifndef HTTP_SESSIONS_H
#define HTTP_SESSIONS_H

#include <stddef.h>
#include <stdint.h>

enum {
    HTTP_SESSION_ID_LEN = 32, /**< hexadecimal digits of 128 random bits */
    HTTP_SESSION_NAME_MAX = 63
};

struct http_sessions;

/** What is remembered. */
struct http_session {
    char id[HTTP_SESSION_ID_LEN + 1];
    char name[HTTP_SESSION_NAME_MAX + 1]; /**< "" unless logged in */
    uint64_t visits;
};

/** Makes a store.
 * @param count    of sessions at once; beyond that, those that were not used
 *                 for the longest time go first
 * @param lifetime in seconds since the last use
 * @return NULL when out of memory */
struct http_sessions *http_sessions_new(size_t count, int lifetime);

/** Frees this process's view of it. */
void http_sessions_free(struct http_sessions *sessions);

/** Seconds of a session's life. */
int http_sessions_lifetime(const struct http_sessions *sessions);

/** Begins a session with a new identifier.
 * @return 0, or a negative error if there is no randomness to be had */
int http_session_begin(struct http_sessions *sessions,
                       struct http_session *session);

/** Calls change on the session with the id, which no other request sees
 * meanwhile, and copies it.  change must not wait.
 * @param id n bytes from a client, whatever they are
 * @return 0 if there is no such session, or it is over */
int http_session_use(struct http_sessions *sessions, const char *id, size_t n,
                     void (*change)(struct http_session *session, void *arg),
                     void *arg, struct http_session *copy);

/** Ends a session. */
void http_session_end(struct http_sessions *sessions, const char *id, size_t n);

#endif /* HTTP_SESSIONS_H */
