#include "parser.h"

#include "fields.h"

#include <string.h>

static const char *const field_names[HTTP_FIELD_IDS] = {
    [HTTP_ACCEPT] = "accept",
    [HTTP_ACCEPT_ENCODING] = "accept-encoding",
    [HTTP_CONNECTION] = "connection",
    [HTTP_CONTENT_LENGTH] = "content-length",
    [HTTP_CONTENT_TYPE] = "content-type",
    [HTTP_COOKIE] = "cookie",
    [HTTP_EXPECT] = "expect",
    [HTTP_HOST] = "host",
    [HTTP_IF_MATCH] = "if-match",
    [HTTP_IF_MODIFIED_SINCE] = "if-modified-since",
    [HTTP_IF_NONE_MATCH] = "if-none-match",
    [HTTP_IF_RANGE] = "if-range",
    [HTTP_IF_UNMODIFIED_SINCE] = "if-unmodified-since",
    [HTTP_RANGE] = "range",
    [HTTP_REFERER] = "referer",
    [HTTP_TRANSFER_ENCODING] = "transfer-encoding",
    [HTTP_USER_AGENT] = "user-agent",
};

/* What a byte may be part of. */
enum { TOKEN = 1, TARGET = 2, VALUE = 4, HOST = 8, SPACE = 16 };

/* Shorthands of this table: alone, and as runs of the table's rows. */
#define T (TOKEN | TARGET | VALUE)
#define H (T | HOST)
#define P (TARGET | VALUE)
#define Q (P | HOST)
#define V VALUE
#define S (V | SPACE)
#define V8 V, V, V, V, V, V, V, V
#define V32 V8, V8, V8, V8

/* Tokens are of RFC 9110, 5.6.2; targets of visible ASCII without '#'; values
 * of HTAB, SP, visible ASCII and bytes beyond it; hosts, with ports, of what
 * RFC 3986, 3.2.2, lets a name or an address be made of. */
static const uint8_t classes[256] = {
    /* clang-format off */
    0, 0, 0, 0, 0, 0, 0, 0, 0, S, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    /*    !  "  #  $  %  &  '  (  )  *  +  ,  -  .  / */
    S, H, P, TOKEN | V, H, H, H, H, Q, Q, H, H, Q, H, H, P,
    /* 0 to 9, then : ; < = > ? */
    H, H, H, H, H, H, H, H, H, H, Q, Q, P, Q, P, P,
    /* @, A to O */
    P, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H,
    /* P to Z, then [ \ ] ^ _ */
    H, H, H, H, H, H, H, H, H, H, H, Q, P, Q, T, H,
    /* `, a to o */
    T, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H,
    /* p to z, then { | } ~ DEL */
    H, H, H, H, H, H, H, H, H, H, H, P, T, P, H, 0,
    V32, V32, V32, V32,
    /* clang-format on */
};

#undef T
#undef H
#undef P
#undef Q
#undef V
#undef S
#undef V8
#undef V32

int http_is_token_char(unsigned char c)
{
    return classes[c] & TOKEN;
}

static int is_of(int class, char c)
{
    return classes[(unsigned char)c] & class;
}

/* Past all bytes of a class, which is inlined for each.  Lines are scanned
 * without their length: no class has LF, with which each ends that is scanned.
 */
static inline const char *past(int class, const char *text)
{
    for (;; text += 4) {
        if (!is_of(class, text[0]))
            return text;
        if (!is_of(class, text[1]))
            return text + 1;
        if (!is_of(class, text[2]))
            return text + 2;
        if (!is_of(class, text[3]))
            return text + 3;
    }
}

static inline int all_are(int class, const char *text, size_t n)
{
    for (; n >= 4; text += 4, n -= 4)
        class &= is_of(class, text[0]) & is_of(class, text[1]) &
                 is_of(class, text[2]) & is_of(class, text[3]);
    for (; n > 0; text++, n--)
        class &= is_of(class, *text);
    return class != 0;
}

/* How many bytes of a word come before the first one that is marked, as far as
 * that is known. */
static size_t unmarked(uint64_t marks)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (size_t)__builtin_ctzll(marks) / 8;
#else
    (void)marks;
    return 0;
#endif
}

/* Past what may be in a value, eight bytes at a time while there are as many: a
 * control byte in them, HTAB too, makes a byte of one of the differences
 * borrow. */
static const char *past_value(const char *text, const char *end)
{
    const uint64_t ones = UINT64_MAX / 255;
    uint64_t w, marks = 0;

    for (; end - text >= (ptrdiff_t)sizeof w; text += sizeof w) {
        memcpy(&w, text, sizeof w);
        marks = (w - ones * ' ') & ~w;
        w ^= ones * 0x7f;
        marks = (marks | ((w - ones) & ~w)) & ones * 0x80;
        if (marks != 0)
            break;
    }
    return past(VALUE, text + (marks != 0 ? unmarked(marks) : 0));
}

static inline struct http_span span_of(const struct http_head *h,
                                       const char *text, const char *end)
{
    return (struct http_span){(uint16_t)(text - h->bytes),
                              (uint16_t)(end - text)};
}

void http_head_init(struct http_head *h)
{
    memset(h, 0, offsetof(struct http_head, fields));
    h->content_length = -1;
}

/* The line must end here; the next one is what to read then. */
static int end_line(struct http_head *h, const char *text)
{
    if (text[0] != '\r' || text[1] != '\n')
        return 400;
    h->at = h->scanned = (size_t)(text + 2 - h->bytes);
    return 0;
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "HTTP/1.1" and nothing behind it. */
static int read_version(struct http_head *h, const char *text, const char *end)
{
    if (end - text < 10 || memcmp(text, "HTTP/", 5) != 0 ||
        !is_digit(text[5]) || text[6] != '.' || !is_digit(text[7]) ||
        end_line(h, text + 8) != 0)
        return 400;
    if (text[5] != '1')
        return 505;
    /* A later minor version of 1 is answered as the highest known one. */
    h->minor = text[7] != '0';
    return 0;
}

static int read_request_line(struct http_head *h, const char *line,
                             const char *end)
{
    const char *method_end = past(TOKEN, line);
    const char *target = method_end + 1, *target_end;

    if (method_end == line || *method_end != ' ')
        return 400;
    if (method_end - line > HTTP_METHOD_MAX)
        return 501;
    target_end = past(TARGET, target);
    if (target_end - target > HTTP_TARGET_MAX)
        return 414;
    if (target_end == target || *target_end != ' ')
        return 400;
    h->method = span_of(h, line, method_end);
    h->target = span_of(h, target, target_end);
    h->line = span_of(h, line, target_end + sizeof " HTTP/1.1" - 1);
    return read_version(h, target_end + 1, end);
}

/* Fields whose names are that long; the rest of a row is HTTP_OTHER. */
static const uint8_t by_length[][3] = {
    [4] = {HTTP_HOST},
    [5] = {HTTP_RANGE},
    [6] = {HTTP_ACCEPT, HTTP_COOKIE, HTTP_EXPECT},
    [7] = {HTTP_REFERER},
    [8] = {HTTP_IF_MATCH, HTTP_IF_RANGE},
    [10] = {HTTP_USER_AGENT, HTTP_CONNECTION},
    [12] = {HTTP_CONTENT_TYPE},
    [13] = {HTTP_IF_NONE_MATCH},
    [14] = {HTTP_CONTENT_LENGTH},
    [15] = {HTTP_ACCEPT_ENCODING},
    [17] = {HTTP_IF_MODIFIED_SINCE, HTTP_TRANSFER_ENCODING},
    [19] = {HTTP_IF_UNMODIFIED_SINCE},
};

/* Of a token and a name in lower case, as long as each other: in no other
 * token's bytes this bit makes a letter, or '-'. */
static int is_name(const char *token, const char *name, size_t n)
{
    size_t i = 0;

    while (i < n && (token[i] | 0x20) == name[i])
        i++;
    return i == n;
}

static enum http_field_id identify(const char *name, size_t n)
{
    const uint8_t *ids;

    if (n >= sizeof by_length / sizeof *by_length)
        return HTTP_OTHER;
    ids = by_length[n];
    for (int i = 0; i < 3 && ids[i] != HTTP_OTHER; i++)
        if (is_name(name, field_names[ids[i]], n))
            return (enum http_field_id)ids[i];
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
        if (!is_digit(value[i]))
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

static int read_host(struct http_head *h, const char *value, size_t n)
{
    h->host_count++;
    if (!all_are(HOST, value, n))
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

/* The value, without the white space around it. */
static struct http_span read_value(const struct http_head *h, const char *text,
                                   const char *end)
{
    text = past(SPACE, text);
    while (end > text && is_of(SPACE, end[-1]))
        end--;
    return span_of(h, text, end);
}

/* @param end of what there is, at the line's end or behind it */
static int read_field(struct http_head *h, const char *line, const char *end)
{
    const char *colon = past(TOKEN, line), *value_end;
    struct http_field *f = &h->fields[h->field_count];

    /* A line that starts with white space, and white space before the colon,
     * end up here too. */
    if (colon == line || *colon != ':')
        return 400;
    if (h->field_count == HTTP_FIELDS_MAX)
        return 431;
    value_end = past_value(colon + 1, end);
    if (end_line(h, value_end) != 0)
        return 400;
    f->name = span_of(h, line, colon);
    f->value = read_value(h, colon + 1, value_end);
    f->id = (uint8_t)identify(line, f->name.len);
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

static int read_empty_line(struct http_head *h, const char *line)
{
    if (end_line(h, line) != 0)
        return 400;
    if (h->line.len > 0)
        return check_whole(h);
    /* RFC 9112, 2.2: some clients end their last body with one too many. */
    return ++h->empty_lines > HTTP_EMPTY_LINES_MAX ? 400 : 0;
}

static int read_line(struct http_head *h, const char *line, const char *end)
{
    if (*line == '\r')
        return read_empty_line(h, line);
    return h->line.len > 0 ? read_field(h, line, end)
                           : read_request_line(h, line, end);
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
    size_t limit = n < HTTP_HEAD_MAX ? n : HTTP_HEAD_MAX;

    h->bytes = bytes;
    while (h->scanned < limit) {
        int rc;

        /* Mostly a whole head comes, and nothing behind it. */
        if (bytes[limit - 1] != '\n' &&
            memchr(bytes + h->scanned, '\n', limit - h->scanned) == NULL) {
            h->scanned = limit;
            return check_unfinished(h, n);
        }
        rc = read_line(h, bytes + h->at, bytes + limit);
        if (rc >= 400)
            h->scanned = limit; /* a log may show what was refused */
        if (rc != 0)
            return rc;
    }
    return n > HTTP_HEAD_MAX ? 431 : HTTP_MORE;
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
