#include "parser.h"

#include "fields.h"

#include <string.h>

static const struct {
    const char *name;
    size_t len;
} field_names[HTTP_FIELD_IDS] = {
#define NAME(id, text) [id] = {text, sizeof text - 1}
    NAME(HTTP_ACCEPT, "accept"),
    NAME(HTTP_ACCEPT_ENCODING, "accept-encoding"),
    NAME(HTTP_CONNECTION, "connection"),
    NAME(HTTP_CONTENT_LENGTH, "content-length"),
    NAME(HTTP_CONTENT_TYPE, "content-type"),
    NAME(HTTP_COOKIE, "cookie"),
    NAME(HTTP_EXPECT, "expect"),
    NAME(HTTP_HOST, "host"),
    NAME(HTTP_IF_MATCH, "if-match"),
    NAME(HTTP_IF_MODIFIED_SINCE, "if-modified-since"),
    NAME(HTTP_IF_NONE_MATCH, "if-none-match"),
    NAME(HTTP_IF_RANGE, "if-range"),
    NAME(HTTP_IF_UNMODIFIED_SINCE, "if-unmodified-since"),
    NAME(HTTP_RANGE, "range"),
    NAME(HTTP_REFERER, "referer"),
    NAME(HTTP_TRANSFER_ENCODING, "transfer-encoding"),
    NAME(HTTP_USER_AGENT, "user-agent"),
#undef NAME
};

int http_is_token_char(unsigned char c)
{
    /* Letters and digits, and !#$%&'*+-.^_`|~ by their bits. */
    static const uint32_t set[8] = {0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff};

    return (set[c >> 5] >> (c & 31)) & 1;
}

/* HTAB, SP, visible ASCII and bytes beyond it: what a value may hold. */
static int is_value_char(unsigned char c)
{
    return (c >= ' ' && c != 0x7f) || c == '\t';
}

static int is_target_char(unsigned char c)
{
    return c > ' ' && c < 0x7f && c != '#';
}

static size_t token_length(const char *text, size_t n)
{
    size_t i = 0;

    while (i < n && http_is_token_char((unsigned char)text[i]))
        i++;
    return i;
}

static size_t target_length(const char *text, size_t n)
{
    size_t i = 0;

    while (i < n && is_target_char((unsigned char)text[i]))
        i++;
    return i;
}

static struct http_span span_of(const struct http_head *h, const char *text,
                                size_t n)
{
    return (struct http_span){(uint16_t)(text - h->bytes), (uint16_t)n};
}

void http_head_init(struct http_head *h)
{
    memset(h, 0, offsetof(struct http_head, fields));
    h->content_length = -1;
}

/* "HTTP/1.1" and nothing behind it. */
static int read_version(struct http_head *h, const char *text, size_t n)
{
    if (n != 8 || memcmp(text, "HTTP/", 5) != 0 || text[5] < '0' ||
        text[5] > '9' || text[6] != '.' || text[7] < '0' || text[7] > '9')
        return 400;
    if (text[5] != '1')
        return 505;
    /* A later minor version of 1 is answered as the highest known one. */
    h->minor = text[7] != '0';
    return 0;
}

static int read_request_line(struct http_head *h, const char *line, size_t n)
{
    size_t method = token_length(line, n);
    const char *target = line + method + 1;
    size_t len;

    if (method == 0 || method >= n || line[method] != ' ')
        return 400;
    if (method > HTTP_METHOD_MAX)
        return 501;
    n -= method + 1;
    len = target_length(target, n);
    if (len > HTTP_TARGET_MAX)
        return 414;
    if (len == 0 || len >= n || target[len] != ' ')
        return 400;
    h->line = span_of(h, line, method + 1 + n);
    h->method = span_of(h, line, method);
    h->target = span_of(h, target, len);
    return read_version(h, target + len + 1, n - len - 1);
}

static enum http_field_id identify(const char *name, size_t n)
{
    for (int id = HTTP_OTHER + 1; id < HTTP_FIELD_IDS; id++)
        if (field_names[id].len == n &&
            http_same_token(name, n, field_names[id].name))
            return (enum http_field_id)id;
    return HTTP_OTHER;
}

/* Digits only, and only once: lists and repetitions, even of the same number,
 * are what smuggling is made of. */
static int read_length(struct http_head *h, const char *value, size_t n)
{
    int64_t length = 0;

    if (h->content_length >= 0 || n == 0)
        return 400;
    for (size_t i = 0; i < n; i++) {
        if (value[i] < '0' || value[i] > '9')
            return 400;
        if (length > INT64_MAX / 10 - 1)
            return 413;
        length = 10 * length + (value[i] - '0');
    }
    h->content_length = length;
    return 0;
}

/* "chunked" alone is understood.  Applied twice, or before another coding, it
 * would leave the body's end unknown. */
static int read_transfer_encoding(struct http_head *h, const char *value,
                                  size_t n)
{
    struct http_bytes list = {value, n}, item;
    int count = 0, unknown = 0;

    if (h->chunked)
        return 400;
    while (http_list_next(&list, &item)) {
        if (h->chunked)
            return 400;
        if (http_same_token(item.data, item.len, "chunked"))
            h->chunked = 1;
        else
            unknown = 1;
        count++;
    }
    if (count == 0)
        return 400;
    if (unknown || !h->chunked)
        return 501;
    /* Commas with nothing between them are read in more than one way. */
    return n == sizeof "chunked" - 1 ? 0 : 400;
}

static void read_connection(struct http_head *h, const char *value, size_t n)
{
    struct http_bytes list = {value, n}, item;

    while (http_list_next(&list, &item)) {
        if (http_same_token(item.data, item.len, "close"))
            h->close = 1;
        else if (http_same_token(item.data, item.len, "keep-alive"))
            h->keep_alive = 1;
    }
}

static int read_expect(struct http_head *h, const char *value, size_t n)
{
    if (!http_same_token(value, n, "100-continue"))
        return h->minor == 0 ? 0 : 417;
    /* RFC 9110, 10.1.1: an HTTP/1.0 client does not know what it says. */
    h->expects_continue = h->minor > 0;
    return 0;
}

/* What a name or an address with a port may be made of (RFC 3986, 3.2.2). */
static int is_host_char(unsigned char c)
{
    /* Letters, digits, and !$%&'()*+,-.:;=[]_~ by their bits. */
    static const uint32_t set[8] = {0, 0x2fff7ff2, 0xaffffffe, 0x47fffffe};

    return (set[c >> 5] >> (c & 31)) & 1;
}

static int read_host(struct http_head *h, const char *value, size_t n)
{
    h->host_count++;
    for (size_t i = 0; i < n; i++)
        if (!is_host_char((unsigned char)value[i]))
            return 400;
    return h->host_count > 1 ? 400 : 0;
}

static int interpret(struct http_head *h, const struct http_field *f)
{
    const char *value = h->bytes + f->value.at;
    size_t n = f->value.len;

    switch (f->id) {
    case HTTP_CONNECTION:
        read_connection(h, value, n);
        return 0;
    case HTTP_CONTENT_LENGTH:
        return read_length(h, value, n);
    case HTTP_EXPECT:
        return read_expect(h, value, n);
    case HTTP_HOST:
        return read_host(h, value, n);
    case HTTP_TRANSFER_ENCODING:
        return read_transfer_encoding(h, value, n);
    default:
        return 0;
    }
}

static int read_field(struct http_head *h, const char *line, size_t n)
{
    size_t name = token_length(line, n);
    const char *value = line + name + 1;
    struct http_field *f = &h->fields[h->field_count];

    /* A line that starts with white space, and white space before the colon,
     * end up here too. */
    if (name == 0 || name >= n || line[name] != ':')
        return 400;
    if (h->field_count == HTTP_FIELDS_MAX)
        return 431;
    n -= name + 1;
    for (; n > 0 && http_is_space(*value); n--)
        value++;
    for (size_t i = 0; i < n; i++)
        if (!is_value_char((unsigned char)value[i]))
            return 400;
    while (n > 0 && http_is_space(value[n - 1]))
        n--;
    f->name = span_of(h, line, name);
    f->value = span_of(h, value, n);
    f->id = (uint8_t)identify(line, name);
    h->field_count++;
    if (h->first[f->id] == 0)
        h->first[f->id] = h->field_count;
    return interpret(h, f);
}

/* What no single line can tell. */
static int check_whole(const struct http_head *h)
{
    if (h->first[HTTP_TRANSFER_ENCODING] &&
        (h->minor == 0 || h->content_length >= 0))
        return 400;
    if (h->minor > 0 && h->host_count == 0)
        return 400;
    return HTTP_DONE;
}

static int read_line(struct http_head *h, const char *line, size_t n)
{
    if (h->line.len > 0)
        return n == 0 ? check_whole(h) : read_field(h, line, n);
    if (n > 0)
        return read_request_line(h, line, n);
    /* RFC 9112, 2.2: some clients end their last body with one too many. */
    return ++h->empty_lines > HTTP_EMPTY_LINES_MAX ? 400 : 0;
}

/* Refuses a line that is too long without waiting for its end, and what does
 * not even begin like a request. */
static int check_unfinished(const struct http_head *h, size_t n)
{
    unsigned char c = (unsigned char)h->bytes[h->at];

    if (h->line.len == 0) {
        if (!http_is_token_char(c) && c != '\r')
            return 400;
        if (n - h->at > HTTP_METHOD_MAX + HTTP_TARGET_MAX + 16)
            return 414;
    }
    return n > HTTP_HEAD_MAX ? 431 : HTTP_MORE;
}

int http_head_feed(struct http_head *h, const char *bytes, size_t n)
{
    h->bytes = bytes;
    while (h->scanned < n) {
        const char *line = bytes + h->at;
        const char *lf = memchr(bytes + h->scanned, '\n', n - h->scanned);
        size_t len;
        int rc;

        if (lf == NULL) {
            h->scanned = n;
            return check_unfinished(h, n);
        }
        if (lf - bytes >= HTTP_HEAD_MAX)
            return h->line.len == 0 ? 414 : 431;
        len = (size_t)(lf - line);
        if (len == 0 || line[len - 1] != '\r')
            return 400;
        h->at = h->scanned = (size_t)(lf - bytes) + 1;
        rc = read_line(h, line, len - 1);
        if (rc != 0)
            return rc;
    }
    return HTTP_MORE;
}

struct http_bytes http_head_bytes(const struct http_head *h,
                                  struct http_span span)
{
    return (struct http_bytes){h->bytes + span.at, span.len};
}

struct http_bytes http_head_value(const struct http_head *h,
                                  enum http_field_id id)
{
    if (h->first[id] == 0)
        return (struct http_bytes){NULL, 0};
    return http_head_bytes(h, h->fields[h->first[id] - 1].value);
}

struct http_bytes http_head_next(const struct http_head *h,
                                 enum http_field_id id, size_t *i)
{
    if (*i == 0 && h->first[id] > 0)
        *i = h->first[id] - 1U;
    for (; h->first[id] > 0 && *i < h->field_count; (*i)++)
        if (h->fields[*i].id == id)
            return http_head_bytes(h, h->fields[(*i)++].value);
    return (struct http_bytes){NULL, 0};
}
