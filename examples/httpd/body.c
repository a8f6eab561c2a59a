#include "body.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The most that is read of a body that nobody wants, and how long. */
enum { DRAIN_MAX = 64 * 1024, DRAIN_MS = 2000 };

int http_body_exists(const struct http_exchange *x)
{
    return x->head.chunked || x->head.content_length > 0;
}

/* The head lies in rfile's buffer, which the body will overwrite. */
static int save_head(struct http_exchange *x)
{
    size_t n = x->head.at;
    const char *old = x->head.bytes;

    x->saved = malloc(n);
    if (x->saved == NULL)
        return -ENOMEM;
    memcpy(x->saved, old, n);
    x->head.bytes = x->saved;
    if (x->query.data != NULL)
        x->query.data = x->saved + (x->query.data - old);
    sks_rfile_skip(x->in, (off_t)n);
    return 0;
}

static int begin(struct http_exchange *x)
{
    int rc = save_head(x);

    if (rc < 0)
        return rc;
    x->body_begun = 1;
    x->body_left = x->head.content_length;
    http_chunked_init(&x->chunked);
    sks_request_set_timeout_ms(x->request, x->service->limits.body_ms);
    sks_request_set_deadline_ms(x->request, x->service->limits.body_ms);
    if (x->head.expects_continue && !x->replied)
        sks_wfile_puts(x->out, "HTTP/1.1 100 Continue\r\n\r\n");
    return 0;
}

static ssize_t broken(struct http_exchange *x, ssize_t rc)
{
    x->body_broken = 1;
    x->keep_alive = 0;
    sks_request_set_timeout_ms(x->request, x->service->limits.write_ms);
    return rc == SKS_ETIMEDOUT ? -408 : rc == 0 ? SKS_ECLOSED : rc;
}

/* Reads framing until data is there: its length, 0 at the end of the body. */
static ssize_t next_chunk(struct http_exchange *x)
{
    struct http_chunked *k = &x->chunked;

    while (k->left == 0 && !k->done) {
        const void *data;
        ssize_t n = sks_rfile_peek(x->in, 1, &data);
        ptrdiff_t used;

        if (n <= 0)
            return broken(x, n);
        used = http_chunked_feed(k, data, (size_t)n);
        if (used < 0)
            return broken(x, -400);
        sks_rfile_skip(x->in, used);
    }
    if (k->left > x->service->limits.body_max - x->body_taken)
        return broken(x, -413);
    return k->done ? 0 : 1;
}

static ssize_t read_chunked(struct http_exchange *x, void *buf, size_t n)
{
    ssize_t got = next_chunk(x);

    if (got <= 0)
        return got;
    if ((int64_t)n > x->chunked.left)
        n = (size_t)x->chunked.left;
    got = sks_rfile_read1(x->in, buf, n);
    if (got <= 0)
        return broken(x, got);
    x->chunked.left -= got;
    x->body_taken += got;
    return got;
}

static ssize_t read_sized(struct http_exchange *x, void *buf, size_t n)
{
    ssize_t got;

    if (x->body_left == 0)
        return 0;
    if ((int64_t)n > x->body_left)
        n = (size_t)x->body_left;
    got = sks_rfile_read1(x->in, buf, n);
    if (got <= 0)
        return broken(x, got);
    x->body_left -= got;
    x->body_taken += got;
    return got;
}

ssize_t http_body_read(struct http_exchange *x, void *buf, size_t n)
{
    ssize_t got;
    int rc = 0;

    if (!http_body_exists(x) || x->body_broken)
        return 0;
    if (!x->body_begun)
        rc = begin(x);
    if (rc < 0)
        return broken(x, rc);
    got = x->head.chunked ? read_chunked(x, buf, n) : read_sized(x, buf, n);
    if (got == 0) {
        sks_request_set_timeout_ms(x->request, x->service->limits.write_ms);
        sks_request_set_deadline_ms(x->request, -1);
    }
    return got;
}

int http_body_status(ssize_t error)
{
    return error <= -400 && error > -600 ? (int)-error : (int)error;
}

int http_body_read_all(struct http_exchange *x, size_t max,
                       struct http_text *text)
{
    char buf[4096];
    ssize_t n;

    while ((n = http_body_read(x, buf, sizeof buf)) > 0) {
        if (text->len + (size_t)n > max)
            return 413;
        http_text_add(text, buf, (size_t)n);
    }
    if (n < 0)
        return http_body_status(n);
    return text->failed ? 503 : 0;
}

int http_body_is_hopeless(const struct http_exchange *x)
{
    if (!http_body_exists(x))
        return 0;
    if (x->body_broken || (x->head.expects_continue && !x->body_begun))
        return 1;
    return !x->head.chunked &&
           (x->body_begun ? x->body_left : x->head.content_length) > DRAIN_MAX;
}

static int is_read(const struct http_exchange *x)
{
    return x->body_begun && !x->body_broken &&
           (x->head.chunked ? x->chunked.done : x->body_left == 0);
}

void http_body_drain(struct http_exchange *x)
{
    char buf[4096];
    ssize_t n = 1;
    size_t taken = 0;

    if (!http_body_exists(x) || is_read(x) || !x->keep_alive)
        return;
    if (http_body_is_hopeless(x)) {
        x->keep_alive = 0;
        return;
    }
    if (!x->body_begun && begin(x) < 0)
        n = -1;
    sks_request_set_deadline_ms(x->request, DRAIN_MS);
    while (n > 0 && taken <= DRAIN_MAX) {
        n = http_body_read(x, buf, sizeof buf);
        taken += n > 0 ? (size_t)n : 0;
    }
    sks_request_set_deadline_ms(x->request, -1);
    if (n != 0)
        x->keep_alive = 0;
}
