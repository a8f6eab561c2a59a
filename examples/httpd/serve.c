#include "serve.h"

#include "accesslog.h"
#include "body.h"
#include "metrics.h"
#include "reply.h"
#include "routes.h"
#include "target.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* How long, and how much, a client may go on sending that was refused, so that
 * the refusal reaches it. */
enum { LINGER_MS = 2000, LINGER_MAX = 16 * 1024 * 1024 };

/* Four limits are the same, which spares setting the socket's own anew. */
const struct http_limits http_default_limits = {
    .defer_accept_ms = 10000,
    .first_byte_ms = 20000,
    .head_ms = 10000,
    .body_ms = 30000,
    .idle_ms = 20000,
    .write_ms = 20000,
    .busy_first_byte_ms = 3000,
    .busy_idle_ms = 1000,
    .body_max = INT64_C(1024) * 1024,
};

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int is_busy(const struct http_service *service)
{
    return service->busy_from > 0 && service->metrics != NULL &&
           http_metrics_open(service->metrics) >= service->busy_from;
}

static int lesser(int a, int b)
{
    return a < b ? a : b;
}

/* Waits for the first byte of a head. */
static ssize_t await_head(struct http_exchange *x, int is_first,
                          const void **data)
{
    const struct http_limits *limits = &x->service->limits;
    int ms = is_first ? limits->first_byte_ms : limits->idle_ms;

    if (is_busy(x->service))
        ms = lesser(ms, is_first ? limits->busy_first_byte_ms
                                 : limits->busy_idle_ms);
    sks_request_set_timeout_ms(x->request, ms);
    return sks_rfile_peek(x->in, 1, data);
}

/* Reads the rest of the head, within a total time.  HTTP_DONE, a status to
 * refuse it with, or HTTP_MORE: the client is gone. */
static int read_head(struct http_exchange *x, const void *data, ssize_t n)
{
    int rc, limited = 0;

    while ((rc = http_head_feed(&x->head, data, (size_t)n)) == HTTP_MORE) {
        ssize_t got;

        if (!limited) {
            int ms = x->service->limits.head_ms;

            /* The wait for its first byte had another limit. */
            sks_request_set_timeout_ms(x->request, ms);
            sks_request_set_deadline_ms(x->request, ms);
        }
        limited = 1;
        got = sks_rfile_peek(x->in, (size_t)n + 1, &data);
        x->head.bytes = data;
        if (got == SKS_ETIMEDOUT) {
            rc = 408;
            break;
        }
        if (got <= n)
            break;
        n = got;
    }
    if (limited)
        sks_request_set_deadline_ms(x->request, -1);
    x->unread = (size_t)n - x->head.at;
    return rc;
}

/* Makes room for a path, where the last one was if that is enough. */
static int reserve_path(struct http_exchange *x, size_t size)
{
    if (x->path_size >= size)
        return 1;
    free(x->path);
    x->path = malloc(size);
    x->path_size = x->path != NULL ? size : 0;
    return x->path != NULL;
}

/* What the head says of the target and the body; a status if it cannot be. */
static int understand(struct http_exchange *x)
{
    const struct http_head *h = &x->head;
    struct http_bytes path;
    ssize_t n;
    int rc;

    x->method = http_method_of(http_head_bytes(h, h->method));
    if (x->method == 0)
        return 501;
    rc = http_target_split(http_head_bytes(h, h->target), &path, &x->query);
    if (rc != 0)
        return rc;
    if (h->content_length > x->service->limits.body_max)
        return 413;
    if (!reserve_path(x, path.len + 1 + HTTP_PATH_ROOM))
        return 503;
    n = http_path_decode(path, x->path);
    if (n < 0)
        return (int)-n;
    x->path_len = (size_t)n;
    x->keep_alive = !h->close && (h->minor > 0 || h->keep_alive);
    return 0;
}

static int answer(struct http_exchange *x, int verdict)
{
    int status = verdict == HTTP_DONE ? understand(x) : verdict;

    /* A path that names nothing leaves the connection as it was. */
    if (status == 404)
        x->keep_alive = !x->head.close && x->head.minor > 0;
    if (status != 0)
        return http_reply_error(x, status, "");
    return http_routes_serve(x);
}

static void record(struct http_exchange *x)
{
    int64_t took_us = now_us() - x->started_us;

    if (x->service->metrics != NULL)
        http_metrics_add(x->service->metrics, x->status, x->sent, took_us);
    if (x->service->log != NULL)
        http_log_write(x->service->log, x, took_us);
}

/* Makes the exchange ready for the next request. */
static void clear(struct http_exchange *x)
{
    free(x->saved);
    memset(&x->method, 0, sizeof *x - offsetof(struct http_exchange, method));
    http_head_init(&x->head);
}

/* One request and its response: 1 if the connection goes on, 0 if it ends
 * here, 2 if the client may be sending what nobody read, or an error. */
static int converse(struct http_exchange *x, int is_first)
{
    const void *data;
    ssize_t n = await_head(x, is_first, &data);
    int verdict, rc;

    if (n <= 0)
        return n == SKS_ETIMEDOUT ? 0 : (int)n;
    verdict = read_head(x, data, n);
    if (verdict == HTTP_MORE)
        return 0;
    x->started_us = now_us();
    sks_request_set_timeout_ms(x->request, x->service->limits.write_ms);
    rc = answer(x, verdict);
    record(x);
    if (rc < 0)
        return rc;
    if (x->keep_alive)
        http_body_drain(x);
    if (x->saved == NULL)
        sks_rfile_skip(x->in, (off_t)x->head.at);
    /* While the server stops, what was read already is still answered. */
    if (x->keep_alive)
        return 1;
    if (verdict == HTTP_DONE && !http_body_exists(x) && x->unread == 0)
        return 0;
    return 2;
}

/* Closing while input is unread resets the connection, and the reset can
 * overtake the response. */
static void linger(struct http_exchange *x)
{
    if (sks_wfile_flush(x->out) < 0)
        return;
    shutdown(sks_request_fileno(x->request), SHUT_WR);
    sks_request_set_deadline_ms(x->request, LINGER_MS);
    sks_rfile_skip(x->in, LINGER_MAX);
}

static int handle(sks_request *request)
{
    struct http_exchange *x = sks_request_self(request);
    int rc, is_first = 1;

    x->request = request;
    x->in = sks_request_rfile(request);
    x->out = sks_request_wfile(request);
    x->service = sks_server_data(sks_request_server(request));
    http_head_init(&x->head);
    if (x->service->metrics != NULL)
        http_metrics_connected(x->service->metrics, 1);
    do {
        rc = converse(x, is_first);
        clear(x);
        is_first = 0;
    } while (rc == 1);
    if (rc == 2)
        linger(x);
    /* Nothing of the client's is unread now, or too much of it came, and it was
     * told that nothing more will be. */
    if (rc >= 0)
        sks_request_set_linger_ms(request, 0);
    free(x->path);
    if (x->service->metrics != NULL)
        http_metrics_connected(x->service->metrics, -1);
    /* A client that is slow or gone is no fault of the server. */
    return rc < 0 && rc != SKS_ETIMEDOUT ? rc : 0;
}

const sks_handler http_handler = {
    .size = sizeof http_handler,
    .self_size = sizeof(struct http_exchange),
    .handle = handle,
};

void http_prepare_server(sks_server *server, struct http_service *service)
{
    const struct http_limits *limits = &service->limits;

    sks_server_set_data(server, service);
    sks_server_set_rbufsize(server, HTTP_RBUFSIZE);
    sks_server_set_wbufsize(server, HTTP_WBUFSIZE);
    sks_server_set_request_timeout_ms(server, limits->idle_ms);
    /* The system may make twice as much of it. */
    sks_server_set_defer_accept_ms(server, lesser(limits->defer_accept_ms,
                                                  limits->first_byte_ms / 2));
}
