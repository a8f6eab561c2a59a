#include "form.h"

#include "fields.h"
#include "target.h"

#include <string.h>

static struct http_bytes take(struct http_bytes *rest, char separator)
{
    const char *end =
        rest->len ? memchr(rest->data, separator, rest->len) : NULL;
    struct http_bytes part = {rest->data,
                              end ? (size_t)(end - rest->data) : rest->len};
    size_t used = part.len + (end != NULL);

    rest->data += used;
    rest->len -= used;
    return part;
}

int http_form_next(struct http_bytes *form, struct http_bytes *name,
                   struct http_bytes *value)
{
    while (form->len > 0) {
        *value = take(form, '&');
        if (value->len > 0) {
            *name = take(value, '=');
            return 1;
        }
    }
    return 0;
}

static int decode_byte(struct http_bytes text, size_t *i)
{
    char c = text.data[*i];
    int high, low;

    if (c == '%' && *i + 2 < text.len) {
        high = http_hex_digit(text.data[*i + 1]);
        low = http_hex_digit(text.data[*i + 2]);
        if (high >= 0 && low >= 0) {
            *i += 3;
            return 16 * high + low;
        }
    }
    ++*i;
    return c == '+' ? ' ' : (unsigned char)c;
}

ssize_t http_form_decode(struct http_bytes encoded, char *out, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < encoded.len;) {
        int c = decode_byte(encoded, &i);

        if (c == 0 || n + 1 >= size)
            return -1;
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return (ssize_t)n;
}

ssize_t http_form_value(struct http_bytes form, const char *name, char *out,
                        size_t size)
{
    struct http_bytes key, value;

    while (http_form_next(&form, &key, &value))
        if (http_form_decode(key, out, size) >= 0 && strcmp(out, name) == 0)
            return http_form_decode(value, out, size);
    return -1;
}

int http_form_is_body(const struct http_head *head)
{
    struct http_bytes type = http_head_value(head, HTTP_CONTENT_TYPE);
    const char *end = type.data ? memchr(type.data, ';', type.len) : NULL;

    if (type.data == NULL)
        return 0;
    if (end != NULL)
        type.len = (size_t)(end - type.data);
    type = http_trimmed(type.data, type.len);
    return http_same_token(type.data, type.len,
                           "application/x-www-form-urlencoded");
}
