#include "chunked.h"

#include "parser.h"
#include "target.h"

enum {
    SIZE,
    NAME,
    EXTENSION,
    QUOTED,
    ESCAPED,
    SIZE_LF,
    DATA_CR,
    DATA_LF,
    TRAILER_START,
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    LAST_LF
};

void http_chunked_init(struct http_chunked *k)
{
    *k = (struct http_chunked){.state = SIZE};
}

static int is_text(unsigned char c)
{
    return c == '\t' || (c >= ' ' && c != 0x7f);
}

/* At most 15 digits: beyond that no server takes a body, and nothing can
 * overflow.  White space before an extension is refused with all else that is
 * no digit. */
static int in_size(struct http_chunked *k, char c)
{
    int digit = http_hex_digit(c);

    if (digit >= 0) {
        if (++k->digits > 15)
            return -1;
        k->size = 16 * k->size + digit;
        return SIZE;
    }
    if (k->digits == 0)
        return -1;
    return c == ';' ? NAME : c == '\r' ? SIZE_LF : -1;
}

/* Names and values are tokens or quoted strings, without white space around
 * them; what they say is ignored, as RFC 9112, 7.1.1, wants it. */
static int in_extension(const struct http_chunked *k, char c)
{
    unsigned char byte = (unsigned char)c;

    if (k->state == ESCAPED)
        return is_text(byte) ? QUOTED : -1;
    if (k->state == QUOTED)
        return c == '"'        ? EXTENSION
               : c == '\\'     ? ESCAPED
               : is_text(byte) ? QUOTED
                               : -1;
    if (http_is_token_char(byte))
        return EXTENSION;
    if (k->state == NAME)
        return -1;
    if (c == '"')
        return QUOTED;
    return c == ';' ? NAME : c == '=' ? EXTENSION : c == '\r' ? SIZE_LF : -1;
}

/* What follows the size line: data, or the trailer. */
static int after_size(struct http_chunked *k, char c)
{
    if (c != '\n')
        return -1;
    k->left = k->size;
    k->size = 0;
    k->line = 0;
    k->digits = 0;
    return k->left > 0 ? DATA_CR : TRAILER_START;
}

static int in_trailer(const struct http_chunked *k, char c)
{
    unsigned char byte = (unsigned char)c;

    if (k->state == TRAILER_VALUE)
        return c == '\r' ? TRAILER_LF : is_text(byte) ? TRAILER_VALUE : -1;
    if (c == '\r' && k->state == TRAILER_START)
        return LAST_LF;
    if (http_is_token_char(byte))
        return TRAILER_NAME;
    return c == ':' && k->state == TRAILER_NAME ? TRAILER_VALUE : -1;
}

static int next_state(struct http_chunked *k, char c)
{
    switch (k->state) {
    case SIZE:
        return in_size(k, c);
    case NAME:
    case EXTENSION:
    case QUOTED:
    case ESCAPED:
        return in_extension(k, c);
    case SIZE_LF:
        return after_size(k, c);
    case DATA_CR:
        return c == '\r' ? DATA_LF : -1;
    case DATA_LF:
        return c == '\n' ? SIZE : -1;
    case TRAILER_LF:
        return c == '\n' ? TRAILER_START : -1;
    case LAST_LF:
        k->done = c == '\n';
        return k->done ? LAST_LF : -1;
    default:
        return in_trailer(k, c);
    }
}

static int is_too_long(struct http_chunked *k)
{
    if (k->state <= SIZE_LF)
        return ++k->line > HTTP_CHUNK_LINE_MAX;
    return k->state >= TRAILER_START && ++k->trailer > HTTP_TRAILER_MAX;
}

ptrdiff_t http_chunked_feed(struct http_chunked *k, const char *bytes, size_t n)
{
    size_t i = 0;

    while (i < n && !k->done && !(k->state == DATA_CR && k->left > 0)) {
        k->state = next_state(k, bytes[i++]);
        if (k->state < 0 || is_too_long(k))
            return -1;
    }
    return (ptrdiff_t)i;
}
