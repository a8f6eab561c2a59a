/* One request and its response, and what they need from the service around
 * them.  serve.h makes exchanges; body.h, reply.h and routes.h work on them. */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include "chunked.h"
#include "parser.h"

#include <sockserver.h>

#include <stdint.h>

/** Methods, as bits of a route. */
enum http_method {
    HTTP_GET = 1 << 0,
    HTTP_HEAD = 1 << 1,
    HTTP_POST = 1 << 2,
    HTTP_PUT = 1 << 3,
    HTTP_DELETE = 1 << 4,
    HTTP_PATCH = 1 << 5,
    HTTP_OPTIONS = 1 << 6
};

/** Time limits in milliseconds, and the longest body in bytes. */
struct http_limits {
    int defer_accept_ms;    /**< how long the system may keep one to itself that
                                 says nothing; half of first_byte_ms at most */
    int first_byte_ms;      /**< then, until it says anything */
    int head_ms;            /**< from the first byte of a head to its last */
    int body_ms;            /**< of a body, all of it */
    int idle_ms;            /**< between requests */
    int write_ms;           /**< of each wait for a client that does not read */
    int busy_first_byte_ms; /**< instead of first_byte_ms, of a busy server */
    int busy_idle_ms;       /**< the same for idle_ms */
    int64_t body_max;
};

/** What http_limits starts as. */
extern const struct http_limits http_default_limits;

struct http_metrics;
struct http_log;
struct http_route;

/** What all requests of a server share.  Give it to sks_server_set_data(). */
struct http_service {
    const struct http_route *routes; /**< the first that fits serves */
    size_t route_count;
    struct http_limits limits;
    const char *fields; /**< more fields for each response, each with its
                             "\r\n", or "" */
    int64_t busy_from;  /**< how many open connections make it busy;
                             0: none do.  Needs metrics */
    struct http_metrics *metrics; /**< optional */
    struct http_log *log;         /**< optional */
};

enum { HTTP_PARAMETERS_MAX = 8, HTTP_PATH_ROOM = 256 };

/** One request and its response. */
struct http_exchange {
    sks_request *request;
    sks_rfile *in;
    sks_wfile *out;
    const struct http_service *service;
    char *path;       /**< decoded, with a NUL; starts with '/'; has room for
                           HTTP_PATH_ROOM bytes more */
    size_t path_size; /**< of what it points to, which later requests use */
    size_t path_len;
    struct http_bytes parameters[HTTP_PARAMETERS_MAX]; /**< of the path, as far
                           as the route's pattern has any */

    /* Of a body that is begun; see body.h. */
    int64_t body_left; /**< of one with a length */
    struct http_chunked chunked;

    /* The request.  From the method on all is cleared for the next one. */
    struct http_head head;
    enum http_method method;
    struct http_bytes query; /**< undecoded; .data is NULL without a '?' */
    size_t unread;           /**< bytes behind the head that came with it */
    char *saved; /**< of body.c: the head, once rfile went on behind it */

    /* Its body; see body.h. */
    int64_t body_taken; /**< so far */
    uint8_t body_begun;
    uint8_t body_broken; /**< nothing behind it can be understood */

    /* The response; see reply.h. */
    uint8_t keep_alive; /**< the connection goes on; may be cleared */
    uint8_t replied;    /**< its head is written */
    uint8_t streaming;  /**< of reply.c */
    int status;
    int64_t sent;       /**< bytes of its content */
    int64_t started_us; /**< when the head was complete */
};

#endif /* HTTP_EXCHANGE_H */
