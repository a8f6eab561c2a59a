#include "send.h"

#include "conditional.h"
#include "ranges.h"
#include "reply.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int send_content(struct http_exchange *x, const struct http_file *f,
                        int64_t first, int64_t length)
{
    if (f->content != NULL)
        return http_reply_write(x, f->content + first, (size_t)length);
    return http_reply_write_file(x, f->fd, first, length);
}

static int send_whole(struct http_exchange *x, const struct http_file *f)
{
    http_reply_begin(x, 200);
    http_reply_lines_end(x, f->lines, f->whole);
    return send_content(x, f, 0, f->size);
}

static int send_unsatisfied(struct http_exchange *x, const struct http_file *f)
{
    char line[64];

    snprintf(line, sizeof line, "Content-Range: bytes */%lld\r\n",
             (long long)f->size);
    return http_reply_error(x, 416, line);
}

static int send_range(struct http_exchange *x, const struct http_file *f,
                      struct http_range range)
{
    char line[96];
    int n =
        snprintf(line, sizeof line, "Content-Range: bytes %lld-%lld/%lld\r\n",
                 (long long)range.first,
                 (long long)(range.first + range.length - 1),
                 (long long)f->size);

    http_reply_begin(x, 206);
    http_reply_lines(x, f->lines, f->lines_len);
    http_reply_lines(x, line, (size_t)n);
    http_reply_sized(x, range.length);
    return send_content(x, f, range.first, range.length);
}

/* The lines between parts, one after another in text; ends[i] is where those
 * before part i end. */
static void put_separators(struct http_text *text, const struct http_file *f,
                           const struct http_range *ranges, int count,
                           const char *boundary, size_t *ends)
{
    for (int i = 0; i < count; i++) {
        http_text_printf(text, "%s--%s\r\n", i > 0 ? "\r\n" : "", boundary);
        http_text_add(text, f->lines + f->untyped, f->lines_len - f->untyped);
        http_text_printf(text, "Content-Range: bytes %lld-%lld/%lld\r\n\r\n",
                         (long long)ranges[i].first,
                         (long long)(ranges[i].first + ranges[i].length - 1),
                         (long long)f->size);
        ends[i] = text->len;
    }
    http_text_printf(text, "\r\n--%s--\r\n", boundary);
}

/* The tag is unlikely in the content, and the same in each response. */
static void make_boundary(const struct http_file *f, char out[HTTP_ETAG_MAX])
{
    size_t n = strlen(f->etag) - 2;

    memcpy(out, f->etag + 1, n);
    out[n] = '\0';
    for (size_t i = 0; i < n; i++)
        if (out[i] == '-' || out[i] == '.')
            out[i] = 'x';
}

static int send_ranges(struct http_exchange *x, const struct http_file *f,
                       const struct http_range *ranges, int count)
{
    struct http_text text = {0};
    char boundary[HTTP_ETAG_MAX], type[HTTP_ETAG_MAX + 48];
    size_t ends[HTTP_RANGES_MAX], from = 0;
    int64_t length = 0;
    int rc = 0;

    make_boundary(f, boundary);
    put_separators(&text, f, ranges, count, boundary, ends);
    if (text.failed) {
        http_text_free(&text);
        return 503;
    }
    for (int i = 0; i < count; i++)
        length += ranges[i].length;
    snprintf(type, sizeof type, "multipart/byteranges; boundary=%s", boundary);
    http_reply_begin(x, 206);
    http_reply_lines(x, f->lines, f->untyped);
    http_reply_field(x, "Content-Type", type);
    http_reply_sized(x, length + (int64_t)text.len);
    for (int i = 0; i < count && rc == 0; i++) {
        http_reply_write(x, text.data + from, ends[i] - from);
        rc = send_content(x, f, ranges[i].first, ranges[i].length);
        from = ends[i];
    }
    http_reply_write(x, text.data + from, text.len - from);
    http_text_free(&text);
    return rc;
}

static int send_asked(struct http_exchange *x, const struct http_file *f)
{
    struct http_range ranges[HTTP_RANGES_MAX];
    int count = 0;

    if (http_if_range(&x->head, f->etag, f->modified, time(NULL)))
        count = http_ranges_parse(http_head_value(&x->head, HTTP_RANGE),
                                  f->size, ranges);
    if (count < 0)
        return send_unsatisfied(x, f);
    if (count == 0)
        return send_whole(x, f);
    if (count == 1)
        return send_range(x, f, ranges[0]);
    return send_ranges(x, f, ranges, count);
}

static int has_preconditions(const struct http_head *h)
{
    return h->first[HTTP_IF_MATCH] || h->first[HTTP_IF_NONE_MATCH] ||
           h->first[HTTP_IF_MODIFIED_SINCE] ||
           h->first[HTTP_IF_UNMODIFIED_SINCE];
}

int http_send_file(struct http_exchange *x, const struct http_file *f)
{
    if (has_preconditions(&x->head)) {
        int status = http_precondition(&x->head, f->etag, f->modified, 1);

        if (status == 304) {
            http_reply_begin(x, 304);
            http_reply_lines(x, f->lines, f->validators);
            return http_reply_empty(x);
        }
        if (status != 0)
            return status;
    }
    /* RFC 9110, 14.2: Range counts for GET only. */
    if (x->head.first[HTTP_RANGE] && x->method == HTTP_GET)
        return send_asked(x, f);
    return send_whole(x, f);
}
